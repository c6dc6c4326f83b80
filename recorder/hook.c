/* SPDX-License-Identifier: MIT */
/* hook.c - the recorder's side: the queue in front of the helper, and what came of each command. */
#include "recorder/hook.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recorder/counters.h"
#include "recorder/hook_parts.h"
#include "recorder/log.h"

#define NOBODY 65534
#define VALUE_BYTES 512

struct waiting {
	struct waiting *next;
	struct hook_request request;
	size_t bytes;
	int dump_fd;
	char text[HOOK_MESSAGE_BYTES];
};

struct hook {
	pid_t pid;
	int socket_fd; /* -1: the helper has gone */
	struct loop_source *source;
	struct waiting *first, **last;
	unsigned int waiting_count, running_count;
	uint32_t next_ticket;
	uint64_t dropped;
	bool said_full, stopped;
};

/* ---- the environment of a command ------------------------------------------------------- */

static void put(struct waiting *order, const char *name, const char *value)
{
	char clean[VALUE_BYTES];
	int bytes;

	if (!value || !*value || order->request.variables == HOOK_VARIABLES_MAX)
		return;
	snprintf(clean, sizeof(clean), "%s", value);
	log_clean(clean, LOG_CLEAN_LINE);
	bytes = snprintf(order->text + order->bytes, sizeof(order->text) - order->bytes, "%s=%s",
			 name, clean);
	if (bytes < 0 || (size_t)bytes >= sizeof(order->text) - order->bytes)
		return;
	order->bytes += (size_t)bytes + 1;
	order->request.variables++;
}

static void put_number(struct waiting *order, const char *name, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	put(order, name, text);
}

static void put_facts(struct waiting *order, const struct hook_facts *facts)
{
	put(order, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	put(order, "TTLOG_DUMP", facts->dump);
	put(order, "TTLOG_SERVICE", facts->service);
	put(order, "TTLOG_HOSTNAME", facts->hostname);
	put(order, "TTLOG_EXE", facts->exe);
	put(order, "TTLOG_REASON", facts->reason);
	put(order, "TTLOG_HOW", facts->how);
	put(order, "TTLOG_SIGNAL", facts->signal);
	put(order, "TTLOG_SIGNATURE", facts->signature);
	put(order, "TTLOG_SENTENCE", facts->sentence);
	put_number(order, "TTLOG_PID", facts->pid);
	put_number(order, "TTLOG_UID", facts->uid);
	put_number(order, "TTLOG_BYTES", facts->bytes);
	if (facts->loop_count)
		put_number(order, "TTLOG_LOOP_COUNT", facts->loop_count);
	if (facts->exit_code >= 0)
		put_number(order, "TTLOG_EXIT_CODE", (uint64_t)facts->exit_code);
}

/* ---- the queue -------------------------------------------------------------------------- */

static int send_order(const struct hook *hook, struct waiting *order)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec parts[] = {{&order->request, sizeof(order->request)},
				{order->text, order->bytes}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	struct cmsghdr *extra = &control.align;

	if (order->dump_fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		extra->cmsg_level = SOL_SOCKET;
		extra->cmsg_type = SCM_RIGHTS;
		extra->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(extra), &order->dump_fd, sizeof(int));
	}
	return sendmsg(hook->socket_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static struct waiting *take_first(struct hook *hook)
{
	struct waiting *order = hook->first;

	hook->first = order->next;
	if (!hook->first)
		hook->last = &hook->first;
	hook->waiting_count--;
	return order;
}

static void free_order(struct waiting *order)
{
	if (order->dump_fd >= 0)
		close(order->dump_fd);
	free(order);
}

static void drop_waiting(struct hook *hook)
{
	while (hook->first) {
		free_order(take_first(hook));
		hook->dropped++;
		counters.hooks_failed++;
	}
}

static void feed(struct hook *hook)
{
	while (hook->first && hook->running_count < HOOK_RUNNING_MAX) {
		struct waiting *order = take_first(hook);
		const int err = send_order(hook, order);

		if (err) {
			log_say("the command after a dump could not be started: %s",
				strerror(-err));
			counters.hooks_failed++;
		} else {
			hook->running_count++;
		}
		free_order(order);
	}
	if (!hook->waiting_count)
		hook->said_full = false;
}

void hook_run(struct hook *hook, const struct hook_facts *facts, int dump_fd)
{
	struct waiting *order = NULL;

	if (hook && hook->socket_fd >= 0 && !hook->stopped &&
	    hook->waiting_count < HOOK_WAITING_MAX)
		order = calloc(1, sizeof(*order));
	if (!order) {
		if (dump_fd >= 0)
			close(dump_fd);
		if (!hook)
			return;
		hook->dropped++;
		counters.hooks_failed++;
		if (!hook->said_full)
			log_say("the command is not run for all dumps: %s",
				hook->socket_fd < 0 ? "its helper has ended" : "too many wait");
		hook->said_full = true;
		return;
	}
	order->dump_fd = dump_fd;
	order->request.ticket = hook->next_ticket++;
	put_facts(order, facts);
	*hook->last = order;
	hook->last = &order->next;
	hook->waiting_count++;
	feed(hook);
}

/* ---- the answers ------------------------------------------------------------------------ */

static void take_answer(struct hook *hook, const struct hook_answer *answer)
{
	const int status = answer->status;

	if (hook->running_count)
		hook->running_count--;
	counters.hooks_run++;
	if (!status && !answer->timed_out)
		return;
	counters.hooks_failed++;
	if (answer->timed_out)
		log_say("the command after a dump took too long and was killed");
	else if (status < 0)
		log_say("the command after a dump could not be started");
	else if (WIFEXITED(status))
		log_say("the command after a dump exited with status %d", WEXITSTATUS(status));
	else
		log_say("the command after a dump was killed by signal %d", WTERMSIG(status));
}

static void helper_has_gone(struct hook *hook)
{
	loop_remove(hook->source);
	hook->source = NULL;
	close(hook->socket_fd);
	hook->socket_fd = -1;
	counters.hooks_failed += hook->running_count;
	hook->running_count = 0;
	log_say("the helper that runs the command after a dump has ended: no more commands");
	drop_waiting(hook);
}

static void helper_says(void *context, uint32_t events)
{
	struct hook *hook = context;
	struct hook_answer answer;
	ssize_t got;

	(void)events;
	while ((got = recv(hook->socket_fd, &answer, sizeof(answer), MSG_DONTWAIT)) ==
	       (ssize_t)sizeof(answer))
		take_answer(hook, &answer);
	if (got >= 0 || (errno != EAGAIN && errno != EINTR)) {
		helper_has_gone(hook);
		return;
	}
	feed(hook);
}

/* ---- its life --------------------------------------------------------------------------- */

/* A name, or a number for where there is no list of users. */
static int find_user(const char *user, uid_t *ret_uid, gid_t *ret_gid)
{
	const struct passwd *entry = getpwnam(user);
	unsigned long number;
	char *end;

	if (entry) {
		*ret_uid = entry->pw_uid;
		*ret_gid = entry->pw_gid;
		return 0;
	}
	errno = 0;
	number = strtoul(user, &end, 10);
	if (isdigit((unsigned char)*user) && !*end && !errno && number < UINT32_MAX)
		*ret_uid = *ret_gid = (uid_t)number;
	else if (!strcmp(user, "nobody"))
		*ret_uid = *ret_gid = NOBODY;
	else
		return -ENOENT;
	return 0;
}

static int fork_helper(struct hook *hook, struct hook_helper *helper)
{
	int pair[2], err = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	fflush(NULL);
	hook->pid = fork();
	if (!hook->pid) {
		helper->socket_fd = pair[1];
		hook_help(helper);
	}
	if (hook->pid < 0)
		err = -errno;
	close(pair[1]);
	hook->socket_fd = pair[0];
	return err;
}

int hook_open(struct hook **ret_hook, const struct hook_options *options)
{
	struct hook_helper helper = {.command = options->command,
				     .timeout_s = (unsigned int)options->timeout_s};
	struct hook *hook;
	int err = find_user(options->user, &helper.uid, &helper.gid);

	if (err) {
		log_say("on-dump-user: there is no user '%s'", options->user);
		return err;
	}
	hook = calloc(1, sizeof(*hook));
	if (!hook)
		return -ENOMEM;
	hook->last = &hook->first;
	hook->socket_fd = -1;
	err = fork_helper(hook, &helper);
	if (err) {
		log_say("the helper for on-dump can't be started: %s", strerror(-err));
		hook_close(hook);
		return err;
	}
	*ret_hook = hook;
	return 0;
}

int hook_attach(struct hook *hook, struct loop *loop)
{
	return loop_add(loop, hook->socket_fd, EPOLLIN, helper_says, hook, &hook->source);
}

void hook_stop(struct hook *hook)
{
	if (!hook)
		return;
	hook->stopped = true;
	if (hook->waiting_count)
		log_say("the command is not run for the last %u dumps", hook->waiting_count);
	drop_waiting(hook);
}

unsigned int hook_pending(const struct hook *hook)
{
	return hook ? hook->waiting_count + hook->running_count : 0;
}

/* The helper hears the hang-up; one that still has a command to watch is not waited for. */
void hook_close(struct hook *hook)
{
	const bool idle = !hook_pending(hook);

	if (!hook)
		return;
	loop_remove(hook->source);
	drop_waiting(hook);
	if (hook->socket_fd >= 0)
		close(hook->socket_fd);
	if (hook->pid > 0)
		waitpid(hook->pid, NULL, idle ? 0 : WNOHANG);
	free(hook);
}
