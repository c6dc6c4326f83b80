/* SPDX-License-Identifier: MIT */
/*
 * crash_deaths.c - real processes die in each way that there is, while all their threads record,
 * and every event whose call had returned is in the dump.
 *
 * A daemon recorder is started once. For each row of the table a client is forked; its threads
 * record numbered events and count, each on a cache line of its own that the test shares, the calls
 * that returned. When enough is recorded it dies, or is killed. From the dump, as ttlog-view prints
 * it:
 *
 *   - each thread's numbers only go up: in order, no event twice;
 *   - the last number is at least the count: nothing whose call returned is missing at the end;
 *   - all numbers that are missing, of all threads, are as many as the dump says were overwritten;
 *   - nothing is torn or dropped, each event's checksum is right, and the verdict is the row's.
 *
 * With an argument, only the rows whose name has it; with a '-' before it, only those that have it
 * not.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/ttlog.h"
#include "tests/crash_daemon.h"

#define THREADS 8
#define QUIET_MAX 16000 /* of a thread; that many of all have room in the ring */

struct counter {
	_Alignas(64) _Atomic uint64_t returned; /* events whose call returned */
};

struct shared {
	struct counter thread[THREADS];
	_Atomic uint32_t ready;
	_Atomic uint32_t stop;
};

static struct shared *shared;

/* ---- the client -------------------------------------------------------------------------------
 */

static uint64_t checksum(uint64_t who, uint64_t n)
{
	return (who + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ n * UINT64_C(0xbf58476d1ce4e5b9);
}

static void record_one(uint64_t who, uint64_t n)
{
	char text[24];

	memset(text, 'a' + (int)(n % 26), sizeof(text));
	text[n % sizeof(text)] = '\0';
	ttlog_info("tick", "who", who, "n", n, "check", checksum(who, n), "text", text);
	atomic_store_explicit(&shared->thread[who].returned, n + 1, memory_order_release);
}

static bool flood;

static void *record_forever(void *argument)
{
	uint64_t who = (uint64_t)(uintptr_t)argument;

	for (uint64_t n = 0;; n++) {
		record_one(who, n);
		/*
		 * Slow enough, and in the end no more, so that nothing is overwritten, however late
		 * the death comes: the counts are then exact to the event.
		 */
		if (!flood && n % 16 == 15) {
			struct timespec nap = {0, 200 * 1000};

			nanosleep(&nap, NULL);
		}
		while (!flood && n >= QUIET_MAX)
			pause();
	}
	return NULL;
}

struct order { /* as a broken list of orders would be */
	struct order *next;
	uint32_t amount;
};

static struct order *volatile no_order; /* NULL: what a lookup returned */

static void *die_in_thread(void *argument)
{
	void (*die)(void) = argument;

	die();
	return NULL;
}

static void die_segv(void)
{
	no_order->amount = 1;
}

static void die_abort(void)
{
	abort();
}

static void die_exit_0(void)
{
	exit(0);
}

static void die_exit_3(void)
{
	exit(3);
}

static void die_underscore_exit(void)
{
	_exit(4);
}

static void die_kill_self(void)
{
	kill(getpid(), SIGKILL);
}

static void die_exec(void)
{
	execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
}

static void wait_forever(void)
{
	for (;;)
		pause();
}

static void leader_leaves(void)
{
	pthread_exit(NULL);
}

/* ---- the table --------------------------------------------------------------------------------
 */

struct death {
	const char *name;
	void (*die)(void);	     /* in the main thread, or */
	void (*die_elsewhere)(void); /* in another */
	int kill_with;		     /* sent by the test */
	bool flood;
	const char *how; /* parts of `--info --format json`, all of which must be there */
	const char *more;
	const char *reason; /* in the file's name */
	bool late; /* the recorder is stopped from before its hello until it is dead and gone */
};

static const struct death deaths[] = {
	{"segv", die_segv, NULL, 0, false, "\"how\":\"fault\"", "\"fault_address\":\"0x8\"",
	 "sigsegv", false},
	{"segv in another thread, flood", wait_forever, die_segv, 0, true, "\"how\":\"fault\"",
	 "\"code_name\":\"SEGV_MAPERR\"", "sigsegv", false},
	{"abort", die_abort, NULL, 0, false, "\"how\":\"abort\"", "\"signal\":6,", "abort", false},
	{"abort in another thread", wait_forever, die_abort, 0, false, "\"how\":\"abort\"",
	 "\"signal\":6,", "abort", false},
	{"kill", wait_forever, NULL, SIGKILL, false, "\"how\":\"signal\"",
	 "\"comm\":\"crash_deaths\"", "sigkill", false},
	{"kill, flood", wait_forever, NULL, SIGKILL, true, "\"how\":\"signal\"", "\"signal\":9,",
	 "sigkill", false},
	{"term", wait_forever, NULL, SIGTERM, false, "\"how\":\"signal\"", "\"signal\":15,",
	 "sigterm", false},
	{"term, flood", wait_forever, NULL, SIGTERM, true, "\"how\":\"signal\"", "\"signal\":15,",
	 "sigterm", false},
	{"kill of itself", die_kill_self, NULL, 0, false, "\"how\":\"signal\"", "\"signal\":9,",
	 "sigkill", false},
	{"the leader leaves, then kill", leader_leaves, NULL, SIGKILL, false, "\"how\":\"signal\"",
	 "\"signal\":9,", "sigkill", false},
	{"exit 0", die_exit_0, NULL, 0, false, "\"how\":\"exit\"", "\"exit_code\":0,", "exit-0",
	 false},
	{"exit 3", die_exit_3, NULL, 0, false, "\"how\":\"exit\"", "\"exit_code\":3,", "exit-3",
	 false},
	{"_exit in another thread", wait_forever, die_underscore_exit, 0, false, "\"how\":\"exit\"",
	 "\"exit_code\":4,", "exit-4", false},
	{"exec", die_exec, NULL, 0, false, "\"how\":\"exec\"", "\"reason\":\"exec\"", "exec",
	 false},
	/* How it died, only a kernel from 6.15 on can still say then. */
	{"dead before the recorder looked", die_segv, NULL, 0, false, "\"how\":", "\"torn\":0",
	 "ttlog-", true},
};

static _Noreturn void run_client(const struct death *death)
{
	struct ttlog_options options = {.size = sizeof(options),
					.service = "crash-deaths",
					.socket = socket_path,
					.hello_timeout_ms = death->late ? 50 : WAIT_MS / 2};
	struct ttlog_stats stats = {.size = sizeof(stats)};
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	flood = death->flood;
	if (ttlog_init_with(&options) || ttlog_get_stats(&stats) || !stats.connected)
		_exit(100);
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, record_forever, (void *)i))
			_exit(101);
	for (;;) {
		bool enough = true;
		uint64_t want = flood ? 200000 : 400;

		for (int i = 0; i < THREADS; i++)
			enough = enough && atomic_load(&shared->thread[i].returned) >= want;
		if (enough)
			break;
		sched_yield();
	}
	if (death->die_elsewhere &&
	    pthread_create(&thread, NULL, die_in_thread, (void *)(uintptr_t)death->die_elsewhere))
		_exit(102);
	atomic_store(&shared->ready, 1);
	death->die();
	_exit(103);
}

/* ---- waiting ----------------------------------------------------------------------------------
 */

/* The name of the dump of that process, from inotify; false after WAIT_MS. */
static bool wait_for_dump(int watch, pid_t pid, char *name, size_t bytes)
{
	char prefix[32];
	int64_t end = now_ms() + WAIT_MS;

	snprintf(prefix, sizeof(prefix), "ttlog-%d-", pid);
	while (now_ms() < end) {
		_Alignas(struct inotify_event) char buffer[4096];
		struct pollfd fd = {watch, POLLIN, 0};
		ssize_t length;

		if (poll(&fd, 1, 100) <= 0)
			continue;
		length = read(watch, buffer, sizeof(buffer));
		for (char *at = buffer; at < buffer + length;) {
			struct inotify_event *event = (void *)at;

			if (event->len && strncmp(event->name, prefix, strlen(prefix)) == 0) {
				snprintf(name, bytes, "%s/%s", dump_dir, event->name);
				return true;
			}
			at += sizeof(*event) + event->len;
		}
	}
	return false;
}

/* ---- the proof --------------------------------------------------------------------------------
 */


static void fail(const struct death *death, const char *what, uint64_t got, uint64_t want)
{
	printf("%s: %s: got %" PRIu64 ", want %" PRIu64 "\n", death->name, what, got, want);
	failures++;
}

static bool field(const char *line, const char *key, uint64_t *ret_number)
{
	char quoted[40];
	const char *at;

	snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	at = strstr(line, quoted);
	if (!at)
		return false;
	*ret_number = strtoull(at + strlen(quoted), NULL, 10);
	return true;
}

static FILE *view(const char *options, const char *file)
{
	char command[700];

	snprintf(command, sizeof(command), "%s/ttlog-view %s '%s'", bin_dir, options, file);
	return popen(command, "r");
}

/*
 * What the numbers say is missing is what the dump says was lost: to the event, but for calls that
 * were dropped and had not returned yet.
 */
static void check_ends(const struct death *death, const uint64_t next[THREADS], uint64_t missing,
		       uint64_t overwritten, uint64_t dropped)
{
	uint64_t lost = overwritten + dropped;

	for (int i = 0; i < THREADS; i++) {
		uint64_t returned = atomic_load(&shared->thread[i].returned);

		if (next[i] < returned && !dropped)
			fail(death, "the newest events of a thread are missing", next[i], returned);
		if (next[i] > returned + 1)
			fail(death, "events that were never recorded", next[i], returned + 1);
		if (next[i] < returned)
			missing += returned - next[i];
	}
	if (missing > lost || missing + (dropped ? THREADS : 0) < lost)
		fail(death, "events that are missing, against those counted as lost", missing,
		     lost);
	/* After the fatal signal the afterlife may run out of room under a flood; else nothing
	 * goes. */
	if (!death->flood && lost)
		fail(death, "overwritten or dropped", lost, 0);
}

static void check_events(const struct death *death, const char *file, uint64_t overwritten,
			 uint64_t dropped)
{
	uint64_t next[THREADS] = {0}, missing = 0, events = 0;
	char *line = NULL;
	size_t bytes = 0;
	FILE *out = view("--format json --filter msg=tick", file);

	while (out && getline(&line, &bytes, out) > 0) {
		uint64_t who, n, check;

		if (!field(line, "who", &who) || !field(line, "n", &n) ||
		    !field(line, "check", &check) || who >= THREADS) {
			fail(death, "an event without its fields", events, 0);
			break;
		}
		if (check != checksum(who, n))
			fail(death, "checksum", check, checksum(who, n));
		if (n < next[who])
			fail(death, "a number goes back", n, next[who]);
		missing += n - next[who];
		next[who] = n + 1;
		events++;
	}
	free(line);
	if (!out || pclose(out) != 0)
		fail(death, "ttlog-view", 1, 0);
	check_ends(death, next, missing, overwritten, dropped);
	printf("  %-34s %8" PRIu64 " events in the dump, %9" PRIu64 " overwritten, %6" PRIu64
	       " dropped\n",
	       death->name, events, overwritten, dropped);
}

static void check_dump(const struct death *death, const char *file)
{
	char info[65536] = "";
	uint64_t overwritten = 0, dropped = 1, torn = 1;
	FILE *out = view("--info --format json", file);
	size_t length = out ? fread(info, 1, sizeof(info) - 1, out) : 0;

	info[length] = '\0';
	if (!out || pclose(out) != 0 || !field(info, "overwritten", &overwritten) ||
	    !field(info, "dropped", &dropped) || !field(info, "torn", &torn))
		fail(death, "--info", 1, 0);
	if (torn)
		fail(death, "torn", torn, 0);
	if (!strstr(info, death->how) || !strstr(info, death->more)) {
		printf("%s: the verdict has not %s or not %s:\n%s\n", death->name, death->how,
		       death->more, info);
		failures++;
	}
	if (!strstr(file, death->reason))
		printf("%s: the file is called %s\n", death->name, file), failures++;
	check_events(death, file, overwritten, dropped);
}

static void run_death(const struct death *death, int watch, pid_t recorder)
{
	char file[512];
	pid_t pid;
	int status = 0;

	memset(shared, 0, sizeof(*shared));
	fflush(stdout);
	if (death->late)
		kill(recorder, SIGSTOP);
	pid = fork();
	if (pid == 0)
		run_client(death);
	while (death->kill_with && !atomic_load(&shared->ready) &&
	       waitpid(pid, &status, WNOHANG) == 0)
		sched_yield();
	if (death->kill_with)
		kill(pid, death->kill_with);
	if (death->late) {
		waitpid(pid, &status, 0);
		kill(recorder, SIGCONT);
	}
	if (wait_for_dump(watch, pid, file, sizeof(file))) {
		check_dump(death, file);
		unlink(file);
	} else {
		fail(death, "no dump", 0, 1);
		kill(pid, SIGKILL);
	}
	if (!death->late)
		waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) >= 100)
		fail(death, "the client could not start", (uint64_t)WEXITSTATUS(status), 0);
}

/* ---- all of them -----------------------------------------------------------------------------
 */

static bool is_wanted(const char *name, const char *words)
{
	return words[0] == '-' ? !strstr(name, words + 1) : strstr(name, words) != NULL;
}

int main(int argc, char **argv)
{
	unsigned int before, after;
	int watch;
	pid_t recorder;

	if (geteuid() != 0) {
		printf("skipped: needs root (CAP_BPF, CAP_PERFMON) for who and why\n");
		return SKIPPED;
	}
	if (!daemon_prepare(argv[0]))
		return 1;
	watch = inotify_init1(IN_CLOEXEC);
	inotify_add_watch(watch, dump_dir, IN_MOVED_TO);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	recorder = daemon_start("--dump-on-exit", NULL);
	if (recorder < 0 || shared == MAP_FAILED) {
		printf("the recorder did not start\n");
		return 1;
	}
	run_death(&deaths[0], watch, recorder); /* its own descriptors are there now */
	before = count_fds(recorder);
	for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++)
		if (argc < 2 || is_wanted(deaths[i].name, argv[1]))
			run_death(&deaths[i], watch, recorder);
	/* The last client's descriptors are closed a moment behind its dump. */
	for (int64_t end = now_ms() + WAIT_MS;
	     (after = count_fds(recorder)) > before && now_ms() < end;)
		poll(NULL, 0, 20);
	if (!before || after > before) {
		printf("the recorder leaks descriptors: %u, then %u\n", before, after);
		failures++;
	}
	daemon_end(recorder);
	printf("%zu deaths, %d failures\n", sizeof(deaths) / sizeof(deaths[0]), failures);
	return failures != 0;
}
