/* SPDX-License-Identifier: MIT */
/* systemd.c - see systemd.h. */
#include "recorder/systemd.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "recorder/log.h"

#define LISTEN_FDS_START 3
#define LISTEN_FDS_MAX (1u << 20)
#define NAME_PREFIX "ttlog-" /* of what we store; others may be given to us as well */
#define LAST_WORDS_MS 200    /* how long the end waits for a manager that has no time */
#define QUEUE_MAX 200000     /* a manager that never listens again costs no more than that */

struct message {
	struct message *next;
	int fd[SYSTEMD_FDS_A_NAME];
	unsigned int fd_count;
	char text[];
};

struct systemd {
	int notify_fd; /* connected; -1: nobody wants to be told */
	int listen_fd;
	char listen_path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
	uint64_t watchdog_ms; /* 0: there is none */
	struct systemd_kept *kept;
	unsigned int kept_count;
	struct loop *loop;
	struct loop_source *source;
	struct loop_timer timer;
	struct message *first, **last;
	unsigned int queued;
};

/* ---- what stands in the environment ----------------------------------------------------------- */

/* Meant for this process? Older managers and shells leave variables behind for their children. */
static bool is_ours(const char *name)
{
	const char *pid = getenv(name);

	return !pid || strtol(pid, NULL, 10) == (long)getpid();
}

static void connect_notify(struct systemd *systemd)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const size_t length = path ? strlen(path) : 0;
	socklen_t bytes;

	if (length < 2 || length >= sizeof(address.sun_path) || (*path != '/' && *path != '@'))
		return;
	memcpy(address.sun_path, path, length);
	if (*path == '@')
		address.sun_path[0] = '\0';
	bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (*path == '/'));
	systemd->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (systemd->notify_fd < 0)
		return;
	if (connect(systemd->notify_fd, (struct sockaddr *)&address, bytes)) {
		log_say("can't reach the service manager at %s: %s", path, strerror(errno));
		close(systemd->notify_fd);
		systemd->notify_fd = -1;
	}
}

static void read_watchdog(struct systemd *systemd)
{
	const char *usec = getenv("WATCHDOG_USEC");

	if (!usec || !is_ours("WATCHDOG_PID") || !isdigit((unsigned char)*usec))
		return;
	/* Twice in the time that we have. */
	systemd->watchdog_ms = strtoull(usec, NULL, 10) / 2000;
	if (!systemd->watchdog_ms)
		systemd->watchdog_ms = 1;
}

static bool is_listener(int fd)
{
	int type = 0, accepts = 0;
	socklen_t bytes = sizeof(int);

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) && type == SOCK_SEQPACKET &&
	       !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &bytes) && accepts;
}

static void take_listener(struct systemd *systemd, int fd)
{
	struct sockaddr_un address = {0};
	socklen_t bytes = sizeof(address);

	if (!getsockname(fd, (struct sockaddr *)&address, &bytes) && address.sun_family == AF_UNIX)
		memcpy(systemd->listen_path, address.sun_path, sizeof(address.sun_path));
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	systemd->listen_fd = fd;
}

static struct systemd_kept *kept_of(struct systemd *systemd, const char *name)
{
	struct systemd_kept *kept;

	/* Those of one name come together, or nearly so. */
	for (unsigned int i = systemd->kept_count; i-- > 0;)
		if (!strcmp(systemd->kept[i].name, name))
			return &systemd->kept[i];
	kept = reallocarray(systemd->kept, systemd->kept_count + 1, sizeof(*kept));
	if (!kept)
		return NULL;
	systemd->kept = kept;
	kept += systemd->kept_count++;
	snprintf(kept->name, sizeof(kept->name), "%s", name);
	for (int i = 0; i < SYSTEMD_FDS_A_NAME; i++)
		kept->fd[i] = -1;
	return kept;
}

static bool take_kept(struct systemd *systemd, int fd, const char *name)
{
	struct systemd_kept *kept;

	if (strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)) || strlen(name) >= SYSTEMD_NAME_BYTES)
		return false;
	kept = kept_of(systemd, name);
	for (int i = 0; kept && i < SYSTEMD_FDS_A_NAME; i++) {
		if (kept->fd[i] >= 0)
			continue;
		kept->fd[i] = fd;
		return true;
	}
	return false;
}

static void take_fds(struct systemd *systemd)
{
	const char *count_text = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
	char *copy = strdup(names ? names : ""), *at = copy;
	unsigned long count;

	if (!copy || !count_text || !getenv("LISTEN_PID") || !is_ours("LISTEN_PID")) {
		free(copy);
		return;
	}
	count = strtoul(count_text, NULL, 10);
	for (unsigned long i = 0; i < count && i < LISTEN_FDS_MAX; i++) {
		const int fd = LISTEN_FDS_START + (int)i;
		const char *name = at ? strsep(&at, ":") : "";

		if (fcntl(fd, F_SETFD, FD_CLOEXEC))
			continue;
		if (systemd->listen_fd < 0 && is_listener(fd))
			take_listener(systemd, fd);
		else if (!take_kept(systemd, fd, name))
			close(fd);
	}
	free(copy);
}

int systemd_open(struct systemd **ret_systemd)
{
	static const char *const variables[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
						"LISTEN_FDS",	 "LISTEN_PID",	  "LISTEN_FDNAMES"};
	struct systemd *systemd = calloc(1, sizeof(*systemd));

	if (!systemd)
		return -ENOMEM;
	systemd->notify_fd = systemd->listen_fd = -1;
	systemd->last = &systemd->first;
	take_fds(systemd);
	connect_notify(systemd);
	read_watchdog(systemd);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	*ret_systemd = systemd;
	return 0;
}

int systemd_take_listener(struct systemd *systemd)
{
	const int fd = systemd ? systemd->listen_fd : -1;

	if (systemd)
		systemd->listen_fd = -1;
	return fd;
}

const char *systemd_listener_path(const struct systemd *systemd)
{
	return systemd && systemd->listen_path[0] ? systemd->listen_path : NULL;
}

struct systemd_kept *systemd_kept(struct systemd *systemd, unsigned int index)
{
	return systemd && index < systemd->kept_count ? &systemd->kept[index] : NULL;
}

/* ---- saying something ------------------------------------------------------------------------- */

static int send_now(const struct systemd *systemd, const char *text, const int *fd,
		    unsigned int count)
{
	struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(SYSTEMD_FDS_A_NAME * sizeof(int))];
	} control = {0};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	if (count) {
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fd, count * sizeof(int));
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	return sendmsg(systemd->notify_fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void message_free(struct message *message)
{
	for (unsigned int i = 0; i < message->fd_count; i++)
		close(message->fd[i]);
	free(message);
}

/* Whatever else goes wrong with a message goes wrong with it again. */
static bool is_full(int err)
{
	return err == -EAGAIN || err == -ENOBUFS || err == -EINTR;
}

static void flush(struct systemd *systemd)
{
	while (systemd->first) {
		struct message *message = systemd->first;

		if (is_full(send_now(systemd, message->text, message->fd, message->fd_count)))
			return;
		systemd->first = message->next;
		if (!systemd->first)
			systemd->last = &systemd->first;
		systemd->queued--;
		message_free(message);
	}
}

static void writable(void *context, uint32_t events)
{
	struct systemd *systemd = context;

	flush(systemd);
	if (!systemd->first || (events & (EPOLLERR | EPOLLHUP))) {
		loop_remove(systemd->source);
		systemd->source = NULL;
	}
}

static int put_into_queue(struct systemd *systemd, const char *text, const int *fd,
			  unsigned int count)
{
	struct message *message;

	if (systemd->queued >= QUEUE_MAX)
		return -ENOBUFS;
	message = calloc(1, sizeof(*message) + strlen(text) + 1);
	if (!message)
		return -ENOMEM;
	strcpy(message->text, text);
	for (; message->fd_count < count; message->fd_count++) {
		const int copy = fcntl(fd[message->fd_count], F_DUPFD_CLOEXEC, 3);

		if (copy < 0) {
			message_free(message);
			return -EMFILE;
		}
		message->fd[message->fd_count] = copy;
	}
	*systemd->last = message;
	systemd->last = &message->next;
	systemd->queued++;
	if (systemd->loop && !systemd->source)
		loop_add(systemd->loop, systemd->notify_fd, EPOLLOUT, writable, systemd,
			 &systemd->source);
	return 0;
}

/* In order: what was said before and has not left yet goes first. */
static int say(struct systemd *systemd, const char *text, const int *fd, unsigned int count)
{
	int err = -EAGAIN;

	flush(systemd);
	if (!systemd->first)
		err = send_now(systemd, text, fd, count);
	return is_full(err) ? put_into_queue(systemd, text, fd, count) : err;
}

void systemd_notify(struct systemd *systemd, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	if (!systemd_stores(systemd))
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	say(systemd, text, NULL, 0);
}

bool systemd_stores(const struct systemd *systemd)
{
	return systemd && systemd->notify_fd >= 0;
}

int systemd_store(struct systemd *systemd, const char *name, const int *fd, unsigned int count)
{
	char text[128];

	if (!systemd_stores(systemd))
		return -ENOTCONN;
	if (count > SYSTEMD_FDS_A_NAME)
		return -EINVAL;
	/* A pidfd that hangs up is what it is kept for. */
	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	return say(systemd, text, fd, count);
}

void systemd_forget(struct systemd *systemd, const char *name)
{
	systemd_notify(systemd, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

/* ---- the loop --------------------------------------------------------------------------------- */

static void feed_watchdog(void *context)
{
	struct systemd *systemd = context;

	/* One is enough: a manager that does not read does not need more of them. */
	if (!systemd->first)
		systemd_notify(systemd, "WATCHDOG=1");
	loop_timer_set(systemd->loop, &systemd->timer, systemd->watchdog_ms, feed_watchdog,
		       systemd);
}

int systemd_start(struct systemd *systemd, struct loop *loop)
{
	if (!systemd_stores(systemd))
		return 0;
	systemd->loop = loop;
	if (systemd->watchdog_ms)
		feed_watchdog(systemd);
	if (systemd->first && !systemd->source)
		return loop_add(loop, systemd->notify_fd, EPOLLOUT, writable, systemd,
				&systemd->source);
	return 0;
}

void systemd_close(struct systemd *systemd)
{
	struct pollfd poll_fd;

	if (!systemd)
		return;
	loop_timer_clear(&systemd->timer);
	loop_remove(systemd->source);
	systemd->source = NULL;
	systemd->loop = NULL;
	poll_fd = (struct pollfd){.fd = systemd->notify_fd, .events = POLLOUT};
	while (systemd->first && poll(&poll_fd, 1, LAST_WORDS_MS) > 0 &&
	       !(poll_fd.revents & (POLLERR | POLLHUP)))
		flush(systemd);
	while (systemd->first) {
		struct message *message = systemd->first;

		systemd->first = message->next;
		message_free(message);
	}
	for (unsigned int i = 0; i < systemd->kept_count; i++)
		for (int j = 0; j < SYSTEMD_FDS_A_NAME; j++)
			if (systemd->kept[i].fd[j] >= 0)
				close(systemd->kept[i].fd[j]);
	if (systemd->listen_fd >= 0)
		close(systemd->listen_fd);
	if (systemd->notify_fd >= 0)
		close(systemd->notify_fd);
	free(systemd->kept);
	free(systemd);
}
