/* SPDX-License-Identifier: MIT */
/*
 * crash_storm.c - 2,000 clients die within a second, many of them during the others' dumps, while
 * the kernel program has a ring buffer of one page.
 *
 *   - each of them has one dump, and none has two;
 *   - what the kernel could not send is counted in the dumps that lack it: who has no cause says
 * why;
 *   - a client that comes in the middle of it is answered in its time, and dies as any other;
 *   - afterwards the recorder has as many descriptors as before, no region, and about as much
 * memory.
 *
 * With an argument, as many clients as that.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/ttlog.h"
#include "tests/crash_daemon.h"

#define CLIENTS_DEFAULT 2000
#define CLIENTS_MAX 3900 /* the recorder's own limit is 4096 */
#define BATCH 50	 /* that start at once */
#define NEWCOMERS 100
#define REGION_BYTES (1 << 20)
#define HELLO_MS 2000 /* what nobody needs who has a processor */
#define MORE_KB (12 << 10)
#define LOOKED_AT 20 /* of the dumps without a cause */
#define FAILURES_SHOWN 10

static void fail(const char *what, uint64_t got, uint64_t want)
{
	if (failures++ < FAILURES_SHOWN)
		printf("%s: got %" PRIu64 ", want %" PRIu64 "\n", what, got, want);
}

/* ---- clients ----------------------------------------------------------------------------------
 */

static _Noreturn void live(int said, uint32_t hello_ms)
{
	const struct ttlog_options options = {
		.size = sizeof(options),
		.service = "storm",
		.socket = socket_path,
		.buffer_bytes = REGION_BYTES,
		.hello_timeout_ms = hello_ms,
	};
	struct ttlog_stats stats = {.size = sizeof(stats)};
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ttlog_init_with(&options) || ttlog_get_stats(&stats))
		_exit(100);
	byte = stats.connected ? 'y' : 'n';
	for (int i = 0; i < 50; i++)
		ttlog_info("the last words", "number", i);
	if (write(said, &byte, 1) != 1)
		_exit(101);
	for (;;)
		pause();
}

/* Each says whether it is connected on one pipe. */
static pid_t start_client(const int said[2], uint32_t hello_ms)
{
	pid_t pid = fork();

	if (pid == 0) {
		close(said[0]);
		live(said[1], hello_ms);
	}
	return pid;
}

/* How many of them said that they are connected. */
static unsigned int hear(int fd, unsigned int count)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	unsigned int connected = 0;
	char byte;

	while (count-- && poll(&poll_fd, 1, WAIT_MS) > 0 && read(fd, &byte, 1) == 1)
		connected += byte == 'y';
	return connected;
}

/* ---- the recorder -----------------------------------------------------------------------------
 */

/* Quiet: it would say a line for each of them. */
static pid_t start_recorder(void)
{
	int said = dup(STDERR_FILENO), null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	pid_t pid;

	dup2(null_fd, STDERR_FILENO);
	pid = daemon_start("--pretend", "small-buffer");
	dup2(said, STDERR_FILENO);
	close(null_fd);
	close(said);
	return pid;
}

/* Lines of /proc/PID/FILE with those words; or, with ret_number, the number behind them. */
static unsigned int grep(pid_t pid, const char *file, const char *words, uint64_t *ret_number)
{
	unsigned int count = 0;
	char path[64], line[512];
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	in = fopen(path, "re");
	while (in && fgets(line, sizeof(line), in)) {
		const char *at = strstr(line, words);

		count += at != NULL;
		if (at && ret_number)
			*ret_number = strtoull(at + strlen(words), NULL, 10);
	}
	if (in)
		fclose(in);
	return count;
}

/* ---- dumps ------------------------------------------------------------------------------------
 */

static unsigned int count_dumps(void)
{
	unsigned int count = 0;
	DIR *dir = opendir(dump_dir);

	for (const struct dirent *entry; dir && (entry = readdir(dir));)
		count += strstr(entry->d_name, ".bin") != NULL;
	if (dir)
		closedir(dir);
	return count;
}

/* One that nobody knows the cause of must say that something was lost. */
static void look_at(const char *name)
{
	char command[700], info[65536] = "";
	const char *at;
	size_t length;
	FILE *out;

	snprintf(command, sizeof(command), "%s/ttlog-view --info --format json '%s/%s'", bin_dir,
		 dump_dir, name);
	out = popen(command, "r");
	length = out ? fread(info, 1, sizeof(info) - 1, out) : 0;
	info[length] = '\0';
	if (!out || pclose(out) != 0)
		fail("ttlog-view", 1, 0);
	at = strstr(info, "\"evidence_lost\":");
	if (!at || strtoull(at + strlen("\"evidence_lost\":"), NULL, 10) == 0)
		fail(name, 0, 1);
}

static void check_dumps(const pid_t *of, unsigned int count)
{
	static unsigned char seen[1 << 22]; /* by pid */
	unsigned int known = 0, unknown = 0;
	DIR *dir = opendir(dump_dir);
	int pid;

	for (const struct dirent *entry; dir && (entry = readdir(dir));) {
		if (sscanf(entry->d_name, "ttlog-%d-", &pid) != 1 || pid < 0 ||
		    (size_t)pid >= sizeof(seen))
			continue;
		if (seen[pid]++)
			fail("a second dump of process", (uint64_t)pid, 0);
		if (strstr(entry->d_name, "-sigkill"))
			known++;
		else if (unknown++ < LOOKED_AT)
			look_at(entry->d_name);
	}
	if (dir)
		closedir(dir);
	for (unsigned int i = 0; i < count; i++)
		if (!seen[of[i]])
			fail("a process without a dump", (uint64_t)of[i], 0);
	printf("  %u dumps have SIGKILL, %u have no cause and say that something was lost\n", known,
	       unknown);
}

/* ---- the storm --------------------------------------------------------------------------------
 */

static pid_t pids[CLIENTS_MAX];
static unsigned int pid_count;

static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void kill_until(unsigned int *killed, unsigned int end)
{
	for (; *killed < end; (*killed)++)
		kill(pids[*killed], SIGKILL);
}

/*
 * Comes, is answered, dies. How long the first two took: at once for who has a processor, and in
 * any case it is not kept waiting for the dumps.
 */
static int64_t newcomer(const int said[2], unsigned int *killed)
{
	const unsigned int dumps = count_dumps();
	const int64_t start = now_ms();
	int64_t took_ms;

	pids[pid_count++] = start_client(said, WAIT_MS / 2);
	if (hear(said[0], 1) != 1)
		fail("a client that was not answered, in ms", (uint64_t)(now_ms() - start),
		     WAIT_MS / 2);
	took_ms = now_ms() - start;
	if (took_ms > HELLO_MS && count_dumps() - dumps > pid_count / 2)
		fail("dumps that were written before a client was answered", count_dumps() - dumps,
		     pid_count / 2);
	kill_until(killed, pid_count);
	return took_ms;
}

/*
 * The second half dies while the first half's dumps are written; until all dumps are there, others
 * come.
 */
static void storm(const int said[2])
{
	const unsigned int first = pid_count;
	const int64_t start = now_ms(), end = start + WAIT_MS;
	int64_t slowest_ms = 0, dead_ms;
	unsigned int killed = 1;

	kill_until(&killed, first / 2);
	while (count_dumps() < 2 && now_ms() < end)
		reap();
	kill_until(&killed, first);
	dead_ms = now_ms() - start;
	while (count_dumps() < pid_count && now_ms() < end) {
		int64_t took_ms = 0;

		if (pid_count < first + NEWCOMERS)
			took_ms = newcomer(said, &killed);
		else
			poll(NULL, 0, 10);
		if (took_ms > slowest_ms)
			slowest_ms = took_ms;
		reap();
	}
	printf("  %u killed in %" PRId64 " ms, dumped after %" PRId64
	       " ms; of %u that came meanwhile "
	       "the slowest was there after %" PRId64 " ms\n",
	       first - 1, dead_ms, now_ms() - start, pid_count - first, slowest_ms);
}

static void check_recorder(pid_t recorder, unsigned int fds, uint64_t anonymous_kb)
{
	const int64_t end = now_ms() + WAIT_MS;
	uint64_t now_kb = 0;

	/* The last descriptors are closed a moment behind the last dump, and memory goes back then.
	 */
	while ((count_fds(recorder) > fds || grep(recorder, "maps", "memfd:ttlog", NULL) ||
		!grep(recorder, "status", "RssAnon:", &now_kb) ||
		now_kb > anonymous_kb + MORE_KB) &&
	       now_ms() < end)
		poll(NULL, 0, 20);
	if (count_fds(recorder) > fds)
		fail("descriptors", count_fds(recorder), fds);
	if (grep(recorder, "maps", "memfd:ttlog", NULL))
		fail("regions that are still mapped", grep(recorder, "maps", "memfd:ttlog", NULL),
		     0);
	printf("  the recorder's own memory: %" PRIu64 " KiB before, %" PRIu64 " KiB after\n",
	       anonymous_kb, now_kb);
	if (now_kb > anonymous_kb + MORE_KB)
		fail("memory, in KiB", now_kb, anonymous_kb);
}

static void run(pid_t recorder, unsigned int count)
{
	uint64_t anonymous_kb = 0;
	unsigned int fds, connected = 0;
	int said[2];

	if (pipe2(said, O_CLOEXEC)) {
		fail("pipe", (uint64_t)errno, 0);
		return;
	}
	/* One before all, so that what is made once is there. */
	pids[pid_count++] = start_client(said, WAIT_MS / 2);
	hear(said[0], 1);
	kill(pids[0], SIGKILL);
	waitpid(pids[0], NULL, 0);
	for (int64_t end = now_ms() + WAIT_MS; count_dumps() < 1 && now_ms() < end;)
		poll(NULL, 0, 5);
	grep(recorder, "status", "RssAnon:", &anonymous_kb);
	fds = count_fds(recorder);
	/* A few at a time: it is a storm of deaths, and a socket's queue is short. */
	while (pid_count <= count) {
		unsigned int batch = 0;

		for (; batch < BATCH && pid_count <= count; batch++)
			pids[pid_count++] = start_client(said, WAIT_MS / 2);
		connected += hear(said[0], batch);
	}
	if (connected != count)
		fail("clients that are connected", connected, count);
	storm(said);
	check_dumps(pids, pid_count);
	check_recorder(recorder, fds, anonymous_kb);
	close(said[0]);
	close(said[1]);
	for (unsigned int i = 0; i < pid_count; i++) /* after a failure some may be alive */
		kill(pids[i], SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* A region each, and as much again for what the machine does besides. */
static unsigned int how_many(unsigned int wanted)
{
	const uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	const uint64_t room = memory / 4 / REGION_BYTES;

	if (room < wanted)
		printf("  only %" PRIu64 " clients, for want of memory\n", room);
	return room < wanted ? (unsigned int)room : wanted;
}

int main(int argc, char **argv)
{
	unsigned int count = argc > 1 ? (unsigned int)atoi(argv[1]) : CLIENTS_DEFAULT;
	pid_t recorder;

	if (geteuid() != 0) {
		printf("skipped: needs root (CAP_BPF, CAP_PERFMON)\n");
		return SKIPPED;
	}
	if (count < 2 || count > CLIENTS_MAX - NEWCOMERS - 1)
		return 2;
	if (!daemon_prepare(argv[0]))
		return 1;
	recorder = start_recorder();
	if (recorder > 0)
		run(recorder, how_many(count));
	else
		fail("recorders", 0, 1);
	daemon_end(recorder);
	printf("%u clients, %d failures\n", pid_count, failures);
	return failures != 0;
}
