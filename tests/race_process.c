/* SPDX-License-Identifier: MIT */
/*
 * race_process.c - everything that happens once in a process, or once in a thread, at the same
 * moment.
 *
 *   first events   eight threads make the first event of a process: one region, no event lost
 *   sites          threads register the same sites and strings: each event has the site it was
 *                  recorded with, each string the id that it was given
 *   threads        threads exit while others start: their chunks go from hand to hand
 *   forks          threads fork and record while others record: each child has a region of its own
 *                  with its own events only, and the parent's has none of them
 *
 * The first three in many processes one after the other. Under TSan a child of raw clone() would
 * have a runtime that does not know of it: that half of the forks is left out there, and said so.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/process.h"
#include "lib/reader.h"
#include "lib/ttlog.h"
#include "tests/emulated.h"
#include "tests/race_processes.h"

#define THREADS 8
#define PROCESSES 25
#define EVENTS 12
#define SITES 16
#define GENERATIONS 30 /* of threads, one after the other */
#define FORKERS 3
#define FORKS 20
#define CHILD_EVENTS 5

static pthread_barrier_t barrier;
static _Atomic uint64_t recorded;
static _Atomic bool is_over;
static _Atomic unsigned int defects;

#define complain(...) race_complain(&defects, __VA_ARGS__)

static void run_threads(uint32_t count, void *(*function)(void *argument))
{
	pthread_t thread[THREADS + 1];

	for (uintptr_t i = 0; i < count; i++)
		if (pthread_create(&thread[i], NULL, function, (void *)i) != 0)
			abort();
	for (uint32_t i = 0; i < count; i++)
		pthread_join(thread[i], NULL);
}

static void record(uint64_t who)
{
	ttlog_info("plain", "who", who, "pid", (uint64_t)getpid());
	atomic_fetch_add(&recorded, 1);
}

/* ---- what a region must hold ----------------------------------------------------------------- */

static char string_of_site[SITES][16];
static struct ttlog_site site_table[SITES];
static _Atomic uint32_t string_id[SITES];

/* An event of site_table names its own site, and a string of that number. */
static bool is_right(const struct ttlog_reader *reader, const struct ttlog_reader_event *event,
		     uint64_t pid)
{
	const struct ttlog_reader_site *site = ttlog_reader_site(reader, event->site);
	uint64_t number = event->value[0].bits;
	const char *string;

	if (strcmp(site->message, "plain") == 0)
		return event->value_count == 2 && event->value[1].bits == pid;
	if (event->value_count != 2 || number >= SITES)
		return false;
	string = ttlog_reader_string(reader, (uint32_t)event->value[1].bits);
	return strcmp(site->message, string_of_site[number]) == 0 && string &&
	       strcmp(string, string_of_site[number]) == 0;
}

/* This process's region holds that many events, all its own, and lost none. */
static void judge(uint64_t expected)
{
	struct ttlog_reader_totals totals;
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;

	if (ttlog_reader_open(&reader, ttlog_place_.base, &ttlog_place_.geometry)) {
		complain("the region can't be read");
		return;
	}
	ttlog_reader_totals(reader, &totals);
	if (totals.torn || totals.dict_full)
		complain("%llu places are torn, %llu records had no room",
			 (unsigned long long)totals.torn, (unsigned long long)totals.dict_full);
	if (totals.events + totals.overwritten + totals.dropped != expected)
		complain("%llu read, %llu overwritten, %llu dropped, %llu recorded",
			 (unsigned long long)totals.events, (unsigned long long)totals.overwritten,
			 (unsigned long long)totals.dropped, (unsigned long long)expected);
	while (ttlog_reader_next(reader, &event))
		if (!is_right(reader, &event, (uint64_t)getpid())) {
			complain("an event is not what was recorded");
			break;
		}
	ttlog_reader_close(reader);
}

/* How many regions this process has open. */
static unsigned int region_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char link[64] = "";

		if (readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1) > 0 &&
		    strncmp(link, "/memfd:ttlog ", 13) == 0)
			count++;
	}
	if (dir)
		closedir(dir);
	return count;
}

/* ---- first events ---------------------------------------------------------------------------- */

static void *first_event(void *argument)
{
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < EVENTS; i++)
		record((uintptr_t)argument);
	return NULL;
}

static void first_events(void)
{
	run_threads(THREADS, first_event);
	judge(THREADS * EVENTS);
	if (region_fds() != 1)
		complain("%u regions are open", region_fds());
}

/* ---- sites ----------------------------------------------------------------------------------- */

static const uint8_t site_types[] = {TTLOG_TYPE_U32, TTLOG_TYPE_INTERNED};
static const char *const site_names[] = {"number", "string"};

static void prepare_sites(void)
{
	for (uint32_t i = 0; i < SITES; i++) {
		snprintf(string_of_site[i], sizeof(string_of_site[i]), "number %u", i);
		site_table[i] = (struct ttlog_site){.level = TTLOG_INFO,
						    .field_count = 2,
						    .message = string_of_site[i],
						    .names = site_names,
						    .types = site_types};
	}
}

static void *use_sites(void *argument)
{
	(void)argument;
	for (uint32_t i = 0; i < SITES; i++) {
		struct ttlog_interned string;
		struct ttlog_value values[2];

		pthread_barrier_wait(&barrier);
		string = ttlog_intern(string_of_site[i]);
		values[0] = ttlog_value_u32(i);
		values[1] = ttlog_value_interned(string);
		ttlog_record(&site_table[i], values, 2);
		atomic_fetch_add(&recorded, 1);
		if (!string.id || !__atomic_load_n(&site_table[i].word, __ATOMIC_RELAXED))
			complain("string %u has no id", i);
		atomic_store(&string_id[i], string.id);
	}
	return NULL;
}

static void same_sites(void)
{
	uint32_t sites;
	struct ttlog_stats stats = {.size = sizeof(stats)};

	prepare_sites();
	run_threads(THREADS, use_sites);
	judge(THREADS * SITES);
	ttlog_get_stats(&stats);
	sites = stats.sites;
	/* What is there is found again, and nothing is added. */
	for (uint32_t i = 0; i < SITES; i++) {
		site_table[i].word = 0;
		if (!ttlog_intern(string_of_site[i]).id || ttlog_site_register(&site_table[i]))
			complain("string %u is not found", i);
	}
	ttlog_get_stats(&stats);
	if (stats.sites != sites || sites < 2 * SITES || sites > 2 * SITES * THREADS)
		complain("%u records, then %u", sites, stats.sites);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void *short_life(void *argument)
{
	record((uintptr_t)argument);
	ttlog_warn("plain", "who", (uint64_t)0, "pid", (uint64_t)getpid());
	atomic_fetch_add(&recorded, 1);
	record((uintptr_t)argument);
	return NULL;
}

static void *parent_of_threads(void *argument)
{
	pthread_t last = 0, next;

	pthread_barrier_wait(&barrier);
	/* One starts while the one before exits. */
	for (int i = 0; i < GENERATIONS; i++) {
		if (pthread_create(&next, NULL, short_life, argument) != 0)
			abort();
		if (i)
			pthread_join(last, NULL);
		last = next;
	}
	pthread_join(last, NULL);
	return NULL;
}

static void thread_churn(void)
{
	run_threads(THREADS, parent_of_threads);
	judge(THREADS * GENERATIONS * 3);
}

/* ---- forks ----------------------------------------------------------------------------------- */

static _Noreturn void child(const unsigned char *parent_base, bool is_raw)
{
	struct ttlog_stats stats = {.size = sizeof(stats)};

	atomic_store(&defects, 0);
	for (uint64_t i = 0; i < CHILD_EVENTS; i++)
		record(i);
	if (ttlog_place_.base == parent_base)
		complain("a child has no region of its own");
	ttlog_get_stats(&stats);
	if (stats.retained != CHILD_EVENTS || stats.dropped || stats.overwritten)
		complain("a child finds %llu events, %llu dropped",
			 (unsigned long long)stats.retained, (unsigned long long)stats.dropped);
	/* Without fork() nobody has put libc's heap in order. */
	if (!is_raw)
		judge(CHILD_EVENTS);
	_exit(atomic_load(&defects) ? 1 : 0);
}

static void *forker(void *argument)
{
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < FORKS; i++) {
		bool is_raw = i % 2;
		int status = 0;
		pid_t pid;

#ifdef TTLOG_TSAN_
		is_raw = false;
#endif
		is_raw = is_raw && !is_emulated();
		record((uintptr_t)argument);
		pid = is_raw ? (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) : fork();
		if (pid == 0)
			child(ttlog_place_.base, is_raw);
		while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
			complain("a child of %s ended with status %#x", is_raw ? "clone" : "fork",
				 (unsigned int)status);
	}
	return NULL;
}

static void *bystander(void *argument)
{
	while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
		record((uintptr_t)argument);
		sched_yield();
	}
	return NULL;
}

static void forks(void)
{
	pthread_t bystanders[2];

	pthread_barrier_init(&barrier, NULL, FORKERS);
	record(0);
	for (uintptr_t i = 0; i < 2; i++)
		if (pthread_create(&bystanders[i], NULL, bystander, (void *)i) != 0)
			abort();
	run_threads(FORKERS, forker);
	atomic_store(&is_over, true);
	for (int i = 0; i < 2; i++)
		pthread_join(bystanders[i], NULL);
	judge(atomic_load(&recorded));
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* In a process of its own: what happens once can happen again. */
static int run(const char *name, void (*part)(void), int times)
{
	int failed = 0;

	for (int i = 0; i < times; i++) {
		int status = 0;
		pid_t pid = fork();

		if (pid == 0) {
			pthread_barrier_init(&barrier, NULL, THREADS);
			part();
			_exit(atomic_load(&defects) ? 1 : 0);
		}
		while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		failed += pid < 0 || status != 0;
	}
	printf("race_process: %s: %d processes, %d failed\n", name, times, failed);
	fflush(stdout);
	return failed;
}

int main(int argc, char **argv)
{
	int failed = 0;

	(void)argc;
	race_settle(argv);
	failed += run("first events", first_events, PROCESSES);
	failed += run("sites", same_sites, PROCESSES);
	failed += run("threads", thread_churn, PROCESSES / 5);
	failed += run("forks", forks, PROCESSES / 5);
#ifdef TTLOG_TSAN_
	printf("race_process: raw clone() is left out under TSan\n");
#endif
	if (is_emulated())
		printf("race_process: raw clone() is skipped under qemu-user: "
		       "MADV_WIPEONFORK is accepted and not done\n");
	return failed != 0;
}
