/* SPDX-License-Identifier: MIT */
/* step_tracer.c - see step_tracer.h. */
#include "tests/step_tracer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/step_witness.h"

#define OPTIONS (PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK)

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "crash_step: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long trace(int request, pid_t tid, long data)
{
	return ptrace(request, tid, NULL, data);
}

static pid_t wait_for(pid_t tid, int *status)
{
	pid_t got;

	do
		got = waitpid(tid, status, __WALL);
	while (got < 0 && errno == EINTR);
	return got;
}

/* ---- in the traced process ------------------------------------------------------------------- */

static void stop_self(void)
{
	syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), SIGSTOP);
}

void stepper_stop_here(void)
{
	atomic_store(&witness->tid, (uint32_t)syscall(SYS_gettid));
	atomic_store(&witness->phase, WITNESS_STOP);
	stop_self();
	atomic_store(&witness->phase, WITNESS_PIECE);
}

void stepper_end_here(void)
{
	atomic_store(&witness->tid, (uint32_t)syscall(SYS_gettid));
	atomic_store(&witness->phase, WITNESS_END);
	for (;;)
		stop_self();
}

void stepper_child_is_done(void)
{
	atomic_store(&witness->child_pid, (uint32_t)getpid());
	sem_post(&witness->child_did);
	for (;;)
		pause();
}

void stepper_child_wait(void)
{
	while (sem_wait(&witness->child_did) != 0)
		;
}

/* ---- in the test ----------------------------------------------------------------------------- */

bool stepper_is_possible(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(77);
		stop_self();
		_exit(0);
	}
	if (pid < 0 || wait_for(pid, &status) != pid)
		die("fork");
	if (!WIFSTOPPED(status))
		return false;
	if (trace(PTRACE_SINGLESTEP, pid, 0) == 0 && wait_for(pid, &status) == pid &&
	    WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP) {
		kill(pid, SIGKILL);
		wait_for(pid, &status);
		return true;
	}
	kill(pid, SIGKILL);
	wait_for(pid, &status);
	return false;
}

/*
 * Lets all run until the thread that the witness names has stopped itself in that phase. False: the
 * process is no more.
 */
static bool run_until(struct stepper *stepper, uint32_t phase)
{
	for (;;) {
		int status, signal = 0;
		pid_t tid = wait_for(-1, &status);

		if (tid < 0)
			return false;
		if (!WIFSTOPPED(status)) {
			if (tid == stepper->pid)
				return false;
			continue;
		}
		if (WSTOPSIG(status) == SIGSTOP && !(status >> 16) &&
		    atomic_load(&witness->phase) == phase &&
		    atomic_load(&witness->tid) == (uint32_t)tid) {
			stepper->tid = tid;
			return true;
		}
		/* New threads and children stop once, and who makes them stops for the news. */
		if (WSTOPSIG(status) != SIGSTOP && WSTOPSIG(status) != SIGTRAP)
			signal = WSTOPSIG(status);
		if (trace(PTRACE_CONT, tid, signal) != 0 && errno != ESRCH)
			die("PTRACE_CONT");
	}
}

static pid_t process_of(pid_t tid)
{
	char path[64], line[128];
	pid_t pid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "re");
	if (!file)
		die(path);
	while (!pid && fgets(line, sizeof(line), file))
		if (sscanf(line, "Tgid: %d", &pid) != 1)
			pid = 0;
	fclose(file);
	return pid;
}

void stepper_start(struct stepper *stepper, void (*run)(void))
{
	int status;

	memset(stepper, 0, sizeof(*stepper));
	witness_clear();
	/* A child's child that loses its parent is ours to reap. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fflush(NULL);
	stepper->pid = fork();
	if (stepper->pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(77);
		stop_self();
		run();
		stepper_end_here();
	}
	if (stepper->pid < 0 || wait_for(stepper->pid, &status) != stepper->pid ||
	    !WIFSTOPPED(status))
		die("starting a process to trace");
	if (trace(PTRACE_SETOPTIONS, stepper->pid, OPTIONS) != 0 ||
	    trace(PTRACE_CONT, stepper->pid, 0) != 0)
		die("tracing");
	if (!run_until(stepper, WITNESS_STOP)) {
		errno = ECHILD;
		die("the traced process died before its piece");
	}
	stepper->stepped_pid = process_of(stepper->tid);
	stepper_look(stepper);
}

bool stepper_step(struct stepper *stepper, int signal)
{
	int status;

	do {
		if (trace(PTRACE_SINGLESTEP, stepper->tid, signal) != 0)
			die("PTRACE_SINGLESTEP");
		signal = 0;
		if (wait_for(stepper->tid, &status) != stepper->tid)
			die("waitpid");
		if (!WIFSTOPPED(status)) {
			stepper->is_over = true;
			return false;
		}
		/* One that was blocked when it was sent comes now. */
		if (WSTOPSIG(status) != SIGTRAP)
			signal = WSTOPSIG(status);
		else
			stepper->steps++;
	} while (signal || atomic_load(&witness->phase) < WITNESS_PIECE);
	return atomic_load(&witness->phase) == WITNESS_PIECE;
}

/* ---- the short way to an instruction --------------------------------------------------------- */

#if defined(__x86_64__)

static uint64_t pc_of(pid_t tid)
{
	return (uint64_t)ptrace(PTRACE_PEEKUSER, tid, offsetof(struct user, regs.rip), NULL);
}

/* A breakpoint of the processor: no byte of the program changes. 0 takes it away. */
static bool set_breakpoint(pid_t tid, uint64_t pc)
{
	return ptrace(PTRACE_POKEUSER, tid, offsetof(struct user, u_debugreg[7]), NULL) == 0 &&
	       ptrace(PTRACE_POKEUSER, tid, offsetof(struct user, u_debugreg[0]), pc) == 0 &&
	       (!pc || ptrace(PTRACE_POKEUSER, tid, offsetof(struct user, u_debugreg[7]), 1) == 0);
}

#else

static uint64_t pc_of(pid_t tid)
{
	(void)tid;
	return 0;
}

static bool set_breakpoint(pid_t tid, uint64_t pc)
{
	(void)tid;
	(void)pc;
	return false;
}

#endif

void stepper_where(struct stepper *stepper)
{
	stepper->pc = pc_of(stepper->tid);
}

void stepper_path_add(const struct stepper *stepper, struct stepper_path *path)
{
	if (stepper->steps >= path->room) {
		path->room = 2 * stepper->steps + 1024;
		path->pc = realloc(path->pc, path->room * sizeof(*path->pc));
		if (!path->pc)
			die("realloc");
	}
	/* Where it was not looked is nowhere that anybody goes to. */
	while (path->count < stepper->steps)
		path->pc[path->count++] = 0;
	path->pc[stepper->steps] = stepper->pc;
	path->count = stepper->steps + 1;
}

/* How often the path was at each of its places before. */
static void count_visits(struct stepper_path *path)
{
	const uint64_t slots = UINT64_C(1) << 16;
	struct {
		uint64_t pc, visits;
	} *seen = calloc(slots, sizeof(*seen));

	path->visits = realloc(path->visits, path->count * sizeof(*path->visits));
	if (!seen || !path->visits)
		die("memory");
	for (uint64_t i = 0; i < path->count; i++) {
		uint64_t slot = path->pc[i] * UINT64_C(0x9e3779b97f4a7c15) >> 48;

		while (seen[slot].pc && seen[slot].pc != path->pc[i])
			slot = (slot + 1) % slots;
		seen[slot].pc = path->pc[i];
		path->visits[i] = (uint32_t)seen[slot].visits++;
	}
	path->visits_count = path->count;
	free(seen);
}

/*
 * The place up to there from where on it is the least to do: to come by so many times, then step by
 * step. 0 = none.
 */
static uint64_t landmark(struct stepper_path *path, uint64_t step)
{
	uint64_t best = 0, least = step;

	if (path->visits_count != path->count)
		count_visits(path);
	for (uint64_t at = step < path->count ? step : path->count - 1; at > 0; at--) {
		uint64_t cost = path->visits[at] * 2 + (step - at);

		if (step - at >= least)
			break;
		if (path->pc[at] && cost < least) {
			least = cost;
			best = at;
		}
	}
	return best;
}

/* Stops at the landmark, after so many visits. False: it was not passed. */
static bool run_to(struct stepper *stepper, uint64_t pc, uint32_t visits)
{
	int status;

	for (uint32_t i = 0; i <= visits; i++) {
		if (trace(PTRACE_CONT, stepper->tid, 0) != 0)
			die("PTRACE_CONT");
		if (wait_for(stepper->tid, &status) != stepper->tid || !WIFSTOPPED(status))
			return false;
		if (WSTOPSIG(status) != SIGTRAP || status >> 16 || pc_of(stepper->tid) != pc)
			return false;
	}
	return true;
}

bool stepper_go(struct stepper *stepper, struct stepper_path *path, uint64_t instruction)
{
	uint64_t step = path->lead + instruction;
	uint64_t mark = path->count ? landmark(path, step) : 0;

	if (mark && set_breakpoint(stepper->tid, path->pc[mark])) {
		if (!run_to(stepper, path->pc[mark], path->visits[mark]) ||
		    !set_breakpoint(stepper->tid, 0))
			goto out_close;
		stepper->steps = mark;
	}
	while (stepper->steps < step)
		if (!stepper_step(stepper, 0))
			goto out_close;
	stepper_look(stepper);
	return true;
out_close:
	stepper_close(stepper);
	return false;
}

bool stepper_finish(struct stepper *stepper, int signal)
{
	if (!stepper->is_over && trace(PTRACE_CONT, stepper->tid, signal) != 0)
		die("PTRACE_CONT");
	return run_until(stepper, WITNESS_END);
}

void stepper_kill(struct stepper *stepper)
{
	int status = 0;

	if (kill(stepper->stepped_pid, SIGKILL) != 0)
		die("SIGKILL");
	/* Its threads are waited for one by one, and the leader comes last. */
	for (;;) {
		pid_t tid = wait_for(-1, &status);

		if (tid < 0)
			die("waitpid");
		if (tid == stepper->stepped_pid && !WIFSTOPPED(status))
			break;
	}
}

void stepper_close(struct stepper *stepper)
{
	int status;
	pid_t tid;

	kill(stepper->pid, SIGKILL);
	if (stepper->stepped_pid != stepper->pid)
		kill(stepper->stepped_pid, SIGKILL);
	/* Its children were never to run without it. */
	if (atomic_load(&witness->child_pid))
		kill((pid_t)atomic_load(&witness->child_pid), SIGKILL);
	while ((tid = wait_for(-1, &status)) > 0)
		if (WIFSTOPPED(status))
			kill(tid, SIGKILL);
	for (int i = 0; i < 2; i++)
		if (stepper->region[i].base)
			ttlog_region_unmap(stepper->region[i].base, &stepper->region[i].geometry);
}

/* ---- regions --------------------------------------------------------------------------------- */

static bool is_known(const struct stepper *stepper, uint64_t inode)
{
	return (stepper->region[0].base && stepper->region[0].inode == inode) ||
	       (stepper->region[1].base && stepper->region[1].inode == inode);
}

/* Maps it if it is one, and whole already. */
static void take_fd(struct stepper *stepper, pid_t pid, const char *name)
{
	struct stepper_region *region = &stepper->region[pid == stepper->pid ? 0 : 1];
	static const char link_start[] = "/memfd:ttlog ";
	char path[64], link[64] = "";
	struct stat stat;
	void *base;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fd/%.16s", pid, name);
	if (readlink(path, link, sizeof(link) - 1) < 0 ||
	    strncmp(link, link_start, sizeof(link_start) - 1) != 0)
		return;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &stat) == 0 && !is_known(stepper, stat.st_ino) &&
	    ttlog_region_map(fd, &region->geometry, &base) == 0) {
		region->base = base;
		region->inode = stat.st_ino;
	}
	close(fd);
}

static void look_at(struct stepper *stepper, pid_t pid)
{
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir)))
		take_fd(stepper, pid, entry->d_name);
	closedir(dir);
}

void stepper_look(struct stepper *stepper)
{
	if (!stepper->region[0].base)
		look_at(stepper, stepper->pid);
	if (stepper->stepped_pid != stepper->pid && !stepper->region[1].base)
		look_at(stepper, stepper->stepped_pid);
	if (atomic_load(&witness->child_pid) && !stepper->region[1].base)
		look_at(stepper, (pid_t)atomic_load(&witness->child_pid));
}
