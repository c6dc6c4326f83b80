/* SPDX-License-Identifier: MIT */
/*
 * unwind.c - the recorder's side of unwinding: starts a child, gives it the scene, and takes what
 * comes back for as long as there is time.
 *
 * Of ours the child inherits four descriptors and no environment. It may be killed by whom it works
 * for (it has that user's id), hang in a file system of theirs, or lie; nothing of that costs more
 * than the timeout, and its frames.
 */
#include "recorder/unwind.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recorder/now.h"
#include "recorder/unwind_parts.h"
#include "recorder/unwind_wire.h"

#define READ_BYTES (64U << 10)
#define NOTE_BYTES 160
/* After SIGKILL: only who hangs in the kernel takes longer. */
#define REAP_MS 1000

/* Newer than the headers that we may be built with. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

/* ---- the start -------------------------------------------------------------------------- */

struct child {
	pid_t pid;
	int pidfd; /* -1: kernel older than 5.3 */
	int answers_fd;
	uint64_t deadline_ms;
	int status; /* of waitpid() */
	bool timed_out, lingers;
};

struct unwind {
	struct scene *scene;
	const struct unwind_options *options;
	unsigned int timeout_ms;
	struct child child;
	_Atomic pid_t *slot;
	struct pack buffer; /* an answer that has not come as a whole */
	size_t received;
	int state; /* 1: there may be more, 0: it has said all, or a negative errno */
	unsigned char stages[SCENE_THREADS_MAX + 1]; /* enum unwind_stage, of each thread */
};

/* Away from the numbers that the child gets. */
static int moved_up(int fd)
{
	int moved;

	if (fd < 0)
		return -errno;
	if (fd > UNWIND_ROOT_FD)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, UNWIND_ROOT_FD + 1);
	if (moved < 0)
		moved = -errno;
	close(fd);
	return moved;
}

static int make_request(const struct scene *scene)
{
	struct pack pack;
	size_t done = 0;
	int fd, err;

	err = pack_init(&pack, 1U << 16, UNWIND_REQUEST_MAX);
	if (err)
		return err;
	unwind_request_pack(&pack, scene);
	fd = memfd_create("ttlog-scene", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("ttlog-scene", MFD_CLOEXEC);
	fd = moved_up(fd);
	err = pack.error ? pack.error : fd < 0 ? fd : 0;
	while (!err && done < pack.bytes) {
		const ssize_t written = write(fd, pack.data + done, pack.bytes - done);

		if (written > 0)
			done += (size_t)written;
		else if (errno != EINTR)
			err = -errno;
	}
	pack_fini(&pack);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

static int plan_descriptors(posix_spawn_file_actions_t *actions, int root_fd, int request_fd,
			    int answers_fd)
{
	int err = 0;

	/* First of all: it may have the number of one of the others. */
	if (root_fd >= 0)
		err = posix_spawn_file_actions_adddup2(actions, root_fd, UNWIND_ROOT_FD);
	if (!err)
		err = posix_spawn_file_actions_adddup2(actions, request_fd, STDIN_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(actions, answers_fd, STDOUT_FILENO);
	if (!err)
		err = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null",
						       O_WRONLY, 0);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
	/* All others are closed by exec, but for those of libraries that forgot to say so. */
	if (!err)
		err = posix_spawn_file_actions_addclosefrom_np(
			actions, root_fd >= 0 ? UNWIND_ROOT_FD + 1 : UNWIND_ROOT_FD);
#endif
	return err;
}

/*
 * What ends a recorder reaches all of its group, by a terminal or a service manager. The recorder
 * finishes its dumps first, so its child does, too. Other signals do what they do by default.
 */
static int plan_signals(posix_spawnattr_t *attributes)
{
	static const int of_the_recorder[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
	sigset_t all, blocked;
	int err;

	sigfillset(&all);
	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(of_the_recorder) / sizeof(of_the_recorder[0]); i++)
		sigaddset(&blocked, of_the_recorder[i]);
	err = posix_spawnattr_setsigdefault(attributes, &all);
	if (!err)
		err = posix_spawnattr_setsigmask(attributes, &blocked);
	if (!err)
		err = posix_spawnattr_setflags(attributes,
					       POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	return err;
}

/* What debuginfod's library reads; without debuginfod nothing. */
static void fill_environment(char *environment[], size_t count, bool debuginfod)
{
	static const char *const known[] = {
		"DEBUGINFOD_URLS=",    "DEBUGINFOD_CACHE_PATH=", "DEBUGINFOD_MAXSIZE=",
		"DEBUGINFOD_MAXTIME=", "XDG_CACHE_HOME=",	 "HOME="};
	size_t used = 0;

	for (char **at = environ; debuginfod && *at && used + 1 < count; at++)
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (!strncmp(*at, known[i], strlen(known[i])) && used + 1 < count)
				environment[used++] = *at;
	environment[used] = NULL;
}

static int spawn(const struct scene *scene, unsigned int timeout_ms,
		 const struct unwind_options *options, int request_fd, int answers_fd,
		 pid_t *ret_pid)
{
	const char *program = options->program ? options->program : "/proc/self/exe";
	char uid[16], gid[16], seconds[16], root[8], debuginfod[8], redo[8], *environment[8];
	char *arguments[8 + UNWIND_FOLDERS_MAX + 1] = {
		UNWIND_NAME, UNWIND_COMMAND, uid, gid, seconds, root, debuginfod, redo};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int err;

	snprintf(uid, sizeof(uid), "%u", (unsigned int)scene->uid);
	snprintf(gid, sizeof(gid), "%u", (unsigned int)scene->gid);
	/* Should we be gone, it must not live for ever. */
	snprintf(seconds, sizeof(seconds), "%u", timeout_ms / 1000 + 1);
	snprintf(root, sizeof(root), "%d", scene->root_fd >= 0);
	snprintf(debuginfod, sizeof(debuginfod), "%d", options->debuginfod);
	snprintf(redo, sizeof(redo), "%d", options->is_redo);
	for (unsigned int i = 0; i < options->folder_count; i++)
		arguments[8 + i] = (char *)options->folders[i];
	fill_environment(environment, sizeof(environment) / sizeof(environment[0]),
			 options->debuginfod);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	err = plan_descriptors(&actions, scene->root_fd, request_fd, answers_fd);
	if (!err)
		err = plan_signals(&attributes);
	if (!err)
		err = posix_spawn(ret_pid, program, &actions, &attributes, arguments, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -err;
}

static int start(struct child *child, const struct scene *scene, unsigned int timeout_ms,
		 const struct unwind_options *options)
{
	int request_fd, pipe_fds[2], err;

	request_fd = make_request(scene);
	if (request_fd < 0)
		return request_fd;
	if (pipe2(pipe_fds, O_CLOEXEC)) {
		err = -errno;
		goto out_request;
	}
	pipe_fds[1] = moved_up(pipe_fds[1]);
	err = pipe_fds[1] < 0 ? pipe_fds[1] : 0;
	if (!err)
		err = spawn(scene, timeout_ms, options, request_fd, pipe_fds[1],
			    &child->pid);
	if (pipe_fds[1] >= 0)
		close(pipe_fds[1]);
	if (err) {
		close(pipe_fds[0]);
		goto out_request;
	}
	child->answers_fd = pipe_fds[0];
	child->pidfd = pidfd_open(child->pid, 0);
out_request:
	close(request_fd);
	return err;
}

/* ---- while it works --------------------------------------------------------------------- */

/* 1: there is something, 0: the time is over, or a negative errno. */
static int wait_for(const struct child *child, int fd, short events)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};

	for (;;) {
		const uint64_t now = now_ms();
		int ready;

		if (now >= child->deadline_ms)
			return 0;
		ready = poll(&poll_fd, 1, (int)(child->deadline_ms - now));
		if (ready > 0)
			return 1;
		if (ready < 0 && errno != EINTR)
			return -errno;
	}
}

/* What is in the pipe. 1: there may be more, 0: it has said all; -EBADMSG: it makes no sense. */
static int take_some(struct unwind *unwind)
{
	struct pack *buffer = &unwind->buffer;
	unsigned char *room = pack_room(buffer, READ_BYTES);
	ssize_t count;

	if (!room)
		return buffer->error == -E2BIG ? -EBADMSG : buffer->error;
	count = read(unwind->child.answers_fd, room, READ_BYTES);
	if (count < 0 && errno == EINTR)
		return 1;
	if (count <= 0)
		return count ? -errno : buffer->bytes ? -EBADMSG : 0;
	unwind->received += (size_t)count;
	buffer->bytes += (size_t)count;
	if (unwind->received > UNWIND_ANSWERS_MAX)
		return -EBADMSG;
	count = unwind_answers_take(unwind->scene, unwind->stages, buffer->data, buffer->bytes);
	if (count < 0)
		return (int)count;
	buffer->bytes -= (size_t)count;
	memmove(buffer->data, buffer->data + count, buffer->bytes);
	return 1;
}

/* Until it has said all, there is no time left, or it says what makes no sense. */
static void listen_to(struct unwind *unwind)
{
	while (unwind->state == 1) {
		const int ready = wait_for(&unwind->child, unwind->child.answers_fd, POLLIN);

		if (ready > 0)
			unwind->state = take_some(unwind);
		else
			unwind->state = ready ? ready : -ETIMEDOUT;
		unwind->child.timed_out = !ready;
	}
}

/* It closed the pipe, or has no more time. */
static void end(struct child *child, int err)
{
	pid_t gone = 0;

	if (err || (child->pidfd >= 0 && wait_for(child, child->pidfd, POLLIN) <= 0)) {
		child->timed_out = child->timed_out || !err;
		kill(child->pid, SIGKILL);
	}
	if (child->pidfd >= 0) {
		struct pollfd poll_fd = {.fd = child->pidfd, .events = POLLIN};

		poll(&poll_fd, 1, REAP_MS);
		close(child->pidfd);
		gone = waitpid(child->pid, &child->status, WNOHANG);
	} else {
		gone = waitpid(child->pid, &child->status, 0);
	}
	child->lingers = !gone;
	close(child->answers_fd);
}

/* ---- what is said of what is missing ---------------------------------------------------- */

static void explain(const struct child *child, int err, unsigned int timeout_ms,
		    char note[NOTE_BYTES])
{
	if (child->timed_out)
		snprintf(note, NOTE_BYTES, "there was no answer within %u ms", timeout_ms);
	else if (err == -EBADMSG)
		snprintf(note, NOTE_BYTES, "the unwinding child's answer makes no sense");
	else if (err)
		snprintf(note, NOTE_BYTES, "the unwinding child could not be heard: %s",
			 strerror(-err));
	else if (WIFSIGNALED(child->status))
		snprintf(note, NOTE_BYTES, "the unwinding child was killed by signal %d",
			 WTERMSIG(child->status));
	else if (WEXITSTATUS(child->status) == UNWIND_EXIT_RIGHTS)
		snprintf(note, NOTE_BYTES, "the unwinding child could not give up its rights");
	else if (WEXITSTATUS(child->status))
		snprintf(note, NOTE_BYTES, "the unwinding child failed (exit status %d)",
			 WEXITSTATUS(child->status));
	else
		snprintf(note, NOTE_BYTES, "the unwinding child said nothing of this thread");
}

static void append_note(struct scene_thread *thread, const char *prefix, const char *note)
{
	const char *old = thread->unwind_note;
	char *both;

	if (asprintf(&both, "%s%s%s%s", old ? old : "", old ? "; " : "", prefix, note) < 0)
		return;
	free(thread->unwind_note);
	thread->unwind_note = both;
}

static void note_what_is_missing(struct scene *scene, const unsigned char stages[],
				 const char *note)
{
	for (unsigned int i = 0; i < scene->thread_count; i++) {
		if (stages[i] == UNWIND_NONE)
			append_note(&scene->threads[i], "", note);
		else if (stages[i] == UNWIND_BARE)
			append_note(&scene->threads[i], "no names: ", note);
	}
}

void unwind_decline(struct scene *scene, const char *note)
{
	for (unsigned int i = 0; i < scene->thread_count; i++)
		if (!scene->threads[i].frame_count && !scene->threads[i].unwind_note)
			scene->threads[i].unwind_note = strdup(note);
}

/* ---- all of it -------------------------------------------------------------------------- */

static int begin(struct unwind *unwind)
{
	int err = pack_init(&unwind->buffer, READ_BYTES, UNWIND_ANSWER_MAX + READ_BYTES);

	if (!err)
		err = start(&unwind->child, unwind->scene, unwind->timeout_ms, unwind->options);
	if (err)
		pack_fini(&unwind->buffer);
	return err;
}

/* Has a slot, and gives it back. */
static int begin_or_note(struct unwind *unwind, _Atomic pid_t *slot)
{
	char note[NOTE_BYTES];
	int err;

	unwind->slot = slot;
	err = begin(unwind);
	if (!err)
		return 0;
	atomic_store(slot, 0);
	snprintf(note, sizeof(note), "no unwinding child could be started: %s", strerror(-err));
	note_what_is_missing(unwind->scene, unwind->stages, note);
	return err;
}

int unwind_begin(struct unwind **ret_unwind, struct scene *scene,
		 const struct unwind_options *options)
{
	struct unwind *unwind;
	_Atomic pid_t *slot;
	int err;

	if (options->folder_count > UNWIND_FOLDERS_MAX)
		return -EINVAL;
	/* The fatal one may be one too many. */
	if (scene->thread_count > SCENE_THREADS_MAX + 1 || scene->module_count > SCENE_MODULES_MAX)
		return -EINVAL;
	unwind = calloc(1, sizeof(*unwind));
	if (!unwind)
		return -ENOMEM;
	slot = unwind_slot_take();
	if (!slot) {
		unwind_decline(scene, "not unwound: others were being unwound");
		free(unwind);
		return -EBUSY;
	}
	unwind->scene = scene;
	unwind->options = options;
	unwind->timeout_ms = options->timeout_ms ? options->timeout_ms : UNWIND_TIMEOUT_MS;
	unwind->child.deadline_ms = now_ms() + unwind->timeout_ms;
	unwind->state = 1;
	err = begin_or_note(unwind, slot);
	unwind->options = NULL; /* the caller's, for as long as this took */
	if (err)
		free(unwind);
	else
		*ret_unwind = unwind;
	return err;
}

bool unwind_poll(struct unwind *unwind)
{
	struct pollfd poll_fd = {.fd = unwind->child.answers_fd, .events = POLLIN};

	while (unwind->state == 1 && poll(&poll_fd, 1, 0) > 0)
		unwind->state = take_some(unwind);
	return unwind->state != 1;
}

int unwind_end(struct unwind *unwind, bool waits)
{
	char note[NOTE_BYTES];
	int err;

	/* What came in time counts, however late it is looked at. */
	if (!unwind_poll(unwind) && !waits)
		unwind->state = -ECANCELED;
	listen_to(unwind);
	err = unwind->state;
	end(&unwind->child, err);
	explain(&unwind->child, err, unwind->timeout_ms, note);
	if (!err && unwind->child.status)
		err = -ECHILD;
	note_what_is_missing(unwind->scene, unwind->stages, note);
	atomic_store(unwind->slot, unwind->child.lingers ? unwind->child.pid : 0);
	pack_fini(&unwind->buffer);
	free(unwind);
	return err;
}

int unwind_scene(struct scene *scene, const struct unwind_options *options)
{
	struct unwind *unwind;
	int err;

	if (!scene->thread_count)
		return 0;
	err = unwind_begin(&unwind, scene, options);
	return err ? err : unwind_end(unwind, true);
}
