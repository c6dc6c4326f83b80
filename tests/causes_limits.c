// SPDX-License-Identifier: MIT
/* causes_limits.c - what clients do that the kernel does not let them: system calls, time, memory. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/causes.h"

static volatile char sink;

static void break_a_filter(unsigned int action)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {4, filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(91);
	syscall(SYS_getppid);
}

void life_breaks_a_filter(void)
{
	break_a_filter(SECCOMP_RET_KILL_PROCESS);
}

/* There is but one thread. */
void life_breaks_a_filter_of_threads(void)
{
	break_a_filter(SECCOMP_RET_KILL_THREAD);
}

void life_breaks_strict_mode(void)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(91);
	syscall(SYS_getppid);
}

static void burn(rlim_t soft, rlim_t hard)
{
	const struct rlimit limit = {soft, hard};

	if (setrlimit(RLIMIT_CPU, &limit))
		_exit(91);
	for (;;)
		sink++;
}

void life_uses_up_its_time(void)
{
	signal(SIGXCPU, SIG_IGN);
	burn(1, 1);
}

void life_uses_up_its_soft_time(void)
{
	burn(1, RLIM_INFINITY);
}

/* A siginfo finds no place in the kernel then, if it can do without. */
static void queue_nothing(void)
{
	const struct rlimit nothing = {0};

	if (setrlimit(RLIMIT_SIGPENDING, &nothing))
		_exit(91);
}

void start_unqueued(void (*life)(void))
{
	if (cause_fork())
		return;
	queue_nothing();
	cause_client(life);
}

/* As a program that has no plan for it does. */
void life_gets_no_memory(void)
{
	const struct rlimit little = {64 << 20, 64 << 20};

	if (setrlimit(RLIMIT_AS, &little))
		_exit(91);
	for (;;)
		if (!malloc(1 << 20))
			abort();
}

/* Capped by itself: whatever the cgroup does, the machine stays. */
void cause_eat(size_t bytes)
{
	for (size_t eaten = 0; eaten < bytes; eaten += 1 << 20) {
		char *at = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				-1, 0);

		if (at == MAP_FAILED)
			_exit(93);
		memset(at, 1, 1 << 20);
	}
}

void life_eats_memory(void)
{
	cause_eat(128 << 20);
}

static void be_chosen(void)
{
	const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "1000", 4) != 4)
		_exit(91);
}

/* No cgroup's limit: the machine has no more. */
void life_eats_all_memory(void)
{
	be_chosen();
	cause_await(&cause_shared->go, 1);
	cause_eat((size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE));
}

void life_is_a_fat_bystander(void)
{
	be_chosen();
	cause_eat(8 << 20);
	cause_shared->step = 2;
	life_waits();
}
