/* SPDX-License-Identifier: MIT */
/* announce_post.c - see announce_post.h. A message too large for a datagram goes as a sealed memfd. */
#include "recorder/announce_post.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "recorder/log.h"
#include "recorder/now.h"

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 2000

int post_open(struct post *ret_post, struct loop *loop, enum counters_verdict_to to,
	      const char *path)
{
	struct post *post = ret_post;

	*post = (struct post){.loop = loop, .to = to, .fd = -1, .pause_ms = PAUSE_MIN_MS};
	post->last = &post->first;
	post->address.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(post->address.sun_path))
		return -ENAMETOOLONG;
	strcpy(post->address.sun_path, path);
	post->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return post->fd < 0 ? -errno : 0;
}

/* ---- one message ------------------------------------------------------------------------ */

static int send_fd(const struct post *post, int fd)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr header = {
		.msg_name = (void *)(uintptr_t)&post->address,
		.msg_namelen = sizeof(post->address),
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
	return sendmsg(post->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* As the journal takes what is too large for its socket. */
static int send_memfd(const struct post *post, const char *data, size_t bytes)
{
	const int fd = memfd_create("ttlog-verdict", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0)
		return -errno;
	err = write(fd, data, bytes) == (ssize_t)bytes ? 0 : -EIO;
	if (!err && fcntl(fd, F_ADD_SEALS,
			  F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
		err = -errno;
	if (!err)
		err = send_fd(post, fd);
	close(fd);
	return err;
}

static int deliver(struct post *post, const char *data, size_t bytes)
{
	post->err = 0;
	if (sendto(post->fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL,
		   (const struct sockaddr *)&post->address, sizeof(post->address)) < 0)
		post->err = errno == EMSGSIZE ? send_memfd(post, data, bytes) : -errno;
	return post->err;
}

/* Its owner is busy, or is just being started again. */
static bool may_pass(int err)
{
	return err == -EAGAIN || err == -ENOBUFS || err == -ENOMEM || err == -ECONNREFUSED ||
	       err == -ENOENT || err == -EINTR;
}

static void lose(const struct post *post, int err)
{
	counters.verdicts_lost[post->to]++;
	log_limited(LOG_LEVEL_WARNING, "a verdict can't be sent to %s: %s", post->address.sun_path,
		    strerror(-err));
}

/* ---- the queue -------------------------------------------------------------------------- */

static void drop_first(struct post *post)
{
	struct post_message *first = post->first;

	post->first = first->next;
	if (!post->first)
		post->last = &post->first;
	post->count--;
	free(first);
}

/* The result of the newest try; those that can't be delivered at all are gone. */
static int flush(struct post *post, bool is_end)
{
	while (post->first) {
		const struct post_message *message = post->first;
		const int err = deliver(post, message->data, message->bytes);

		if (err && may_pass(err) && !is_end && now_ms() - message->since_ms < POST_WAIT_MS)
			return err;
		if (err)
			lose(post, err);
		else
			counters.verdicts[post->to]++;
		drop_first(post);
	}
	return 0;
}

static void try_again(void *context)
{
	struct post *post = context;

	if (!flush(post, false)) {
		post->pause_ms = PAUSE_MIN_MS;
		return;
	}
	post->pause_ms = post->pause_ms < PAUSE_MAX_MS / 2 ? 2 * post->pause_ms : PAUSE_MAX_MS;
	loop_timer_set(post->loop, &post->timer, post->pause_ms, try_again, post);
}

static void keep(struct post *post, const char *data, size_t bytes, int why)
{
	struct post_message *message;

	/* The oldest goes: what comes now is what somebody waits for. */
	if (post->count == POST_QUEUE_MAX) {
		lose(post, why);
		drop_first(post);
	}
	message = malloc(sizeof(*message) + bytes);
	if (!message) {
		lose(post, -ENOMEM);
		return;
	}
	*message = (struct post_message){.since_ms = now_ms(), .bytes = bytes};
	memcpy(message->data, data, bytes);
	*post->last = message;
	post->last = &message->next;
	post->count++;
	if (!loop_timer_armed(&post->timer))
		loop_timer_set(post->loop, &post->timer, post->pause_ms, try_again, post);
}

void post_send(struct post *post, const char *data, size_t bytes)
{
	const int err = post->first ? post->err : deliver(post, data, bytes);

	if (!err)
		counters.verdicts[post->to]++;
	else if (may_pass(err))
		keep(post, data, bytes, err);
	else
		lose(post, err);
}

void post_close(struct post *post)
{
	flush(post, true);
	loop_timer_clear(&post->timer);
	if (post->fd >= 0)
		close(post->fd);
	post->fd = -1;
}
