/* SPDX-License-Identifier: MIT */
/*
 * test_storm.c - a tree of processes with a real recorder: each is a client of its own, ends in its
 * own way, some when their parents have been killed, and leaves a dump with all of its own events
 * and nobody else's.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "tests/service_process.h"
#include "tests/view_events.h"

#define BRANCHES 5
#define LEAVES 5 /* of each branch: one for each way to end */
#define PROCESSES (1 + BRANCHES + BRANCHES * LEAVES)
#define STREAMS 2 /* of a process: its main thread's, and that of another */
#define EVENTS 300
#define INFO_BYTES (1 << 20)

struct process {
	_Atomic pid_t pid;
	_Atomic uint64_t returned[STREAMS];
};

static struct shared {
	struct process process[PROCESSES];
	_Atomic uint32_t begun, go_on;
} * shared;

static void prepare(void)
{
	recorder_prepare();
	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	setenv("TTLOG_LEVEL", "trace", 1);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	cr_assert_neq(shared, MAP_FAILED);
	/* Who loses its parent is ours. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

TestSuite(storm, .init = prepare, .fini = recorder_clean, .timeout = 150);

static void nap(void)
{
	const struct timespec time = {0, 1000 * 1000};

	nanosleep(&time, NULL);
}

/* ---- the processes --------------------------------------------------------------------------- */

static void record(uint32_t who, uint32_t stream, uint64_t count)
{
	_Atomic uint64_t *returned = &shared->process[who].returned[stream];

	for (uint64_t i = 0; i < count; i++) {
		uint64_t n = atomic_load(returned);

		ttlog_info("storm", "stream", stream, "n", n, "who", who);
		atomic_store(returned, n + 1);
	}
}

static void *record_beside(void *argument)
{
	record((uint32_t)(uintptr_t)argument, 1, EVENTS);
	return NULL;
}

static void begin_life(uint32_t who)
{
	pthread_t thread;

	atomic_store(&shared->process[who].pid, (pid_t)syscall(SYS_getpid));
	record(who, 0, EVENTS / 2);
	if (pthread_create(&thread, NULL, record_beside, (void *)(uintptr_t)who))
		_exit(90);
	record(who, 0, EVENTS / 2);
	pthread_join(thread, NULL);
	atomic_fetch_add(&shared->begun, 1);
}

static void wait_for(_Atomic uint32_t *value, uint32_t enough)
{
	for (int ms = 0; atomic_load(value) < enough && ms < RECORDER_WAIT_MS; ms++)
		nap();
}

static _Noreturn void leaf(uint32_t who)
{
	volatile uintptr_t nowhere = 16;

	begin_life(who);
	/* Half of them outlive their parents. */
	if (who % 2)
		wait_for(&shared->go_on, 1);
	record(who, 0, 10);
	switch (who % LEAVES) {
	case 0:
		_exit(0);
	case 1:
		kill(getpid(), SIGKILL);
		break;
	case 2:
		abort();
	case 3:
		*(volatile int *)nowhere = 1;
		break;
	case 4:
		execl("/bin/true", "true", (char *)NULL);
	}
	_exit(89);
}

static _Noreturn void branch(uint32_t number)
{
	uint32_t first = 1 + BRANCHES + number * LEAVES;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test ends before its time */
	begin_life(1 + number);
	for (uint32_t i = 0; i < LEAVES; i++) {
		if (fork() == 0)
			leaf(first + i);
		record(1 + number, 0, 5);
	}
	for (;;)
		pause();
}

static void root(void)
{
	begin_life(0);
	for (uint32_t i = 0; i < BRANCHES; i++) {
		if (fork() == 0)
			branch(i);
		record(0, 0, 5);
	}
	ready();
	for (;;)
		pause();
}

/* ---- their dumps ----------------------------------------------------------------------------- */

static void check_events(const char *dump, uint32_t who)
{
	FILE *out = view_dump("--format json --filter msg=storm", dump);
	uint64_t next[STREAMS] = {0}, stream, n, whose;
	char *line = NULL;
	size_t bytes = 0;

	cr_assert(out);
	while (getline(&line, &bytes, out) > 0) {
		cr_assert(json_field(line, "stream", &stream) && json_field(line, "n", &n) &&
			  json_field(line, "who", &whose) && stream < STREAMS);
		cr_expect_eq(whose, who, "an event of process %" PRIu64 " with %u", whose, who);
		cr_expect_eq(n, next[stream]);
		next[stream] = n + 1;
	}
	free(line);
	cr_assert_eq(pclose(out), 0);
	for (uint32_t i = 0; i < STREAMS; i++)
		cr_expect_eq(next[i], atomic_load(&shared->process[who].returned[i]),
			     "process %u, stream %u", who, i);
}

static void check_losses(const char *dump)
{
	static char info[INFO_BYTES];
	uint64_t overwritten = 1, dropped = 1, torn = 1;

	cr_assert(view_info(dump, info, sizeof(info)));
	cr_expect(json_field(info, "overwritten", &overwritten) && overwritten == 0);
	cr_expect(json_field(info, "dropped", &dropped) && dropped == 0);
	cr_expect(json_field(info, "torn", &torn) && torn == 0);
}

static uint32_t process_of(pid_t pid)
{
	uint32_t i = 0;

	while (i < PROCESSES && atomic_load(&shared->process[i].pid) != pid)
		i++;
	cr_assert_lt(i, PROCESSES, "a dump of process %d, which is none of ours", (int)pid);
	return i;
}

static void check_dumps(void)
{
	unsigned int seen[PROCESSES] = {0};
	DIR *dir = opendir(recorder_dumps);
	char path[PATH_MAX];
	int pid;

	cr_assert(dir);
	for (const struct dirent *entry; (entry = readdir(dir));) {
		if (sscanf(entry->d_name, "ttlog-%d-", &pid) != 1)
			continue;
		snprintf(path, sizeof(path), "%s/%s", recorder_dumps, entry->d_name);
		check_events(path, process_of(pid));
		check_losses(path);
		seen[process_of(pid)]++;
	}
	closedir(dir);
	for (uint32_t i = 0; i < PROCESSES; i++)
		cr_expect_eq(seen[i], 1, "process %u (of %d) has %u dumps", i,
			     (int)atomic_load(&shared->process[i].pid), seen[i]);
}

Test(storm, each_of_a_tree_of_processes_leaves_its_own_events)
{
	struct recorder_process recorder;
	struct service service;

	start_recorder(&recorder, (const char *const[]){"--dump-on-exit", NULL});
	start_service(&service, root);
	wait_for(&shared->begun, PROCESSES);
	cr_assert_eq(atomic_load(&shared->begun), PROCESSES);
	/* From the root on: whoever is left has lost its parent. */
	for (uint32_t i = 0; i < 1 + BRANCHES; i++)
		kill(atomic_load(&shared->process[i].pid), SIGKILL);
	atomic_store(&shared->go_on, 1);
	while (waitpid(-1, NULL, WNOHANG) >= 0 && count_dumps(".bin") < PROCESSES)
		nap();
	close(service.said);
	stop_recorder(&recorder);
	while (waitpid(-1, NULL, 0) > 0)
		;
	check_dumps();
}
