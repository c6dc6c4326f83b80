/* SPDX-License-Identifier: MIT */
/*
 * test_process.c - a region comes into being, and what every kind of fork makes of it.
 */
#include "lib/process.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/own_region.h"

/* The inode behind a mapping's address, by the kernel's own account; 0 = anonymous, or none. */
static uint64_t inode_at(const void *address)
{
	uint64_t start, end, inode, found = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %" SCNu64, &start, &end,
			   &inode) == 3 &&
		    start <= (uintptr_t)address && (uintptr_t)address < end)
			found = inode;
	if (maps)
		fclose(maps);
	return found;
}

/* Mappings of regions, by name. */
static uint32_t regions_mapped(uint64_t *ret_bytes)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	uint64_t start, end;
	uint32_t count = 0;
	char line[512];

	*ret_bytes = 0;
	while (maps && fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "/memfd:ttlog"))
			continue;
		count++;
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2)
			*ret_bytes += end - start;
	}
	if (maps)
		fclose(maps);
	return count;
}

static void number(uint64_t n)
{
	ttlog_info("numbered", "n", n);
}

static void child_number(uint64_t n)
{
	ttlog_info("child", "n", n);
}

/* In a forked child of a parent whose region has that inode: all is its own, from the first event.
 */
static void check_child(uint64_t parents_inode)
{
	struct numbered run;
	uint64_t bytes;

	for (uint64_t i = 0; i < 500; i++)
		child_number(i);
	CHILD_CHECK(ttlog_place_.base);
	CHILD_CHECK(inode_at(ttlog_place_.base) != 0);
	CHILD_CHECK(inode_at(ttlog_place_.base) != parents_inode);
	CHILD_CHECK(inode_at(&ttlog_control_) == inode_at(ttlog_place_.base));
	run = numbered_now("child");
	CHILD_CHECK(run.count == 500 && run.gaps == 0 && run.first == 0);
	CHILD_CHECK(numbered_now("numbered").count == 0);
	/* Nothing of the parent's is held: its memory goes when it goes. */
	regions_mapped(&bytes);
	CHILD_CHECK(bytes == ttlog_place_.geometry.region_bytes + TTLOG_CONTROL_BYTES);
}

/* The parent's events 0 to count - 1 and nothing else. */
static void expect_numbers(uint64_t count)
{
	struct numbered run = numbered_now("numbered");

	cr_expect_eq(run.count, count);
	cr_expect_eq(run.gaps, 0);
	cr_expect_eq(numbered_now("child").count, 0);
	cr_expect_eq(totals_now().events, count);
	cr_expect_eq(totals_now().torn, 0);
	cr_expect_eq(totals_now().dropped, 0);
}

/* ---- forks ------------------------------------------------------------------------------------
 */

Test(process, a_region_of_its_own_says_how_often_its_clock_is_read)
{
	const struct ttlog_region_header *header;
	struct ttlog_options options = {.size = sizeof(options), .clock = "coarse"};

	cr_assert_eq(ttlog_init_with(&options), 0);
	header = (const struct ttlog_region_header *)(const void *)ttlog_place_.base;
	cr_expect_eq(ttlog_place_.geometry.clock_mode, TTLOG_CLOCK_COARSE);
	cr_expect_eq(header->clock_mode, TTLOG_CLOCK_COARSE);
}

Test(process, a_forked_child_has_a_region_of_its_own)
{
	uint64_t inode;
	pid_t pid;

	for (uint64_t i = 0; i < 100; i++)
		number(i);
	inode = inode_at(ttlog_place_.base);
	cr_assert_neq(inode, 0);
	pid = fork();
	if (pid == 0) {
		check_child(inode);
		_exit(0);
	}
	for (uint64_t i = 100; i < 200; i++)
		number(i);
	expect_success(pid);
	expect_numbers(200);
	cr_expect_eq(inode_at(ttlog_place_.base), inode);
}

Test(process, a_child_of_a_raw_clone_has_a_region_of_its_own)
{
	uint64_t inode;
	pid_t pid;

	for (uint64_t i = 0; i < 100; i++)
		number(i);
	inode = inode_at(ttlog_place_.base);
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		check_child(inode);
		_exit(0);
	}
	for (uint64_t i = 100; i < 200; i++)
		number(i);
	expect_success(pid);
	expect_numbers(200);
}

Test(process, a_child_of_a_parent_without_events_has_a_region_too)
{
	pid_t pid = fork();

	if (pid == 0) {
		check_child(0);
		_exit(0);
	}
	expect_success(pid);
	cr_expect_null(ttlog_place_.base);
	number(0);
	expect_numbers(1);
}

static void generation(uint32_t left, uint64_t parents_inode)
{
	pid_t pid;

	check_child(parents_inode);
	if (left) {
		uint64_t inode = inode_at(ttlog_place_.base);

		pid = fork();
		if (pid == 0) {
			generation(left - 1, inode);
			_exit(0);
		}
		expect_success(pid);
		CHILD_CHECK(numbered_now("child").count == 500);
	}
}

Test(process, generations_hold_no_region_but_their_own)
{
	pid_t pid;

	number(0);
	pid = fork();
	if (pid == 0) {
		generation(6, inode_at(ttlog_place_.base));
		_exit(0);
	}
	expect_success(pid);
	expect_numbers(1);
}

Test(process, a_grandchild_of_a_silent_child_has_a_region_of_its_own)
{
	uint64_t inode;
	pid_t pid;

	number(0);
	inode = inode_at(ttlog_place_.base);
	pid = fork();
	if (pid == 0) {
		pid_t grandchild = fork();

		if (grandchild == 0) {
			check_child(inode);
			_exit(0);
		}
		expect_success(grandchild);
		_exit(0);
	}
	expect_success(pid);
	expect_numbers(1);
}

Test(process, a_childs_level_is_its_own)
{
	pid_t pid;

	number(0);
	cr_assert_eq(ttlog_set_level(TTLOG_INFO), 0);
	pid = fork();
	if (pid == 0) {
		ttlog_debug("below the level that the parent has set");
		child_number(0);
		CHILD_CHECK(totals_now().events == 1);
		CHILD_CHECK(ttlog_set_level(TTLOG_ERROR) == 0);
		child_number(1);
		CHILD_CHECK(totals_now().events == 1);
		_exit(0);
	}
	expect_success(pid);
	number(1);
	expect_numbers(2);
}

Test(process, a_child_of_a_closed_process_records_when_it_says_so)
{
	pid_t pid;

	number(0);
	ttlog_close();
	pid = fork();
	if (pid == 0) {
		uint64_t inode = inode_at(ttlog_place_.base);

		child_number(99);
		CHILD_CHECK(ttlog_init("child") == 0);
		check_child(inode);
		_exit(0);
	}
	expect_success(pid);
	expect_numbers(1);
}

Test(process, a_vforked_child_records_for_its_parent)
{
	volatile uint64_t n = 0;
	pid_t pid;

	for (; n < 100; n++)
		number(n);
	pid = vfork();
	if (pid == 0) {
		for (; n < 200; n++)
			number(n);
		_exit(0);
	}
	expect_success(pid);
	for (; n < 300; n++)
		number(n);
	expect_numbers(300);
}

static void on_fault_exit(int signal_number)
{
	(void)signal_number;
	_exit(0);
}

Test(process, a_vforked_child_that_dies_in_mid_event_leaves_a_parent_that_records)
{
	void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	number(0);
	signal(SIGSEGV, on_fault_exit);
	pid = vfork();
	if (pid == 0) {
		ttlog_info("never whole", "page", ttlog_bytes(page, 10));
		_exit(1);
	}
	signal(SIGSEGV, SIG_DFL);
	expect_success(pid);
	for (uint64_t i = 1; i < 1000; i++)
		number(i);
	expect_numbers(1000);
	cr_expect_leq(lane_now(TTLOG_LANE_NESTED).events, 1);
}

/* ---- a fork in a storm ------------------------------------------------------------------------
 */

static volatile int storm_is_over;

static void *storm_thread(void *argument)
{
	uint64_t *n = argument;

	while (!storm_is_over) {
		ttlog_info("storm", "n", *n);
		if (*n % 100 == 0)
			ttlog_error("storm alert", "n", *n);
		++*n;
	}
	return NULL;
}

Test(process, forks_in_a_storm_of_threads_are_whole_on_both_sides)
{
	pthread_t thread[3];
	uint64_t n[3] = {0}, all = 0;
	struct ttlog_reader_totals totals;

	begin(1 << 20);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, storm_thread, &n[i]), 0);
	for (int i = 0; i < 60; i++) {
		uint64_t inode = inode_at(ttlog_place_.base);
		pid_t pid = i & 1 ? fork() : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

		if (pid == 0) {
			/* libc's locks may be held by threads that are no more: no stdio here. */
			for (uint64_t k = 0; k < 500; k++)
				child_number(k);
			CHILD_CHECK(ttlog_place_.base && ttlog_life()->dropped == 0);
			CHILD_CHECK(inode != 0);
			struct ttlog_stats stats = {.size = sizeof(stats)};
			CHILD_CHECK(ttlog_get_stats(&stats) == 0);
			CHILD_CHECK(stats.retained == 500 && stats.dropped == 0);
			_exit(0);
		}
		expect_success(pid);
	}
	storm_is_over = 1;
	for (int i = 0; i < 3; i++) {
		pthread_join(thread[i], NULL);
		all += n[i] + (n[i] + 99) / 100;
	}
	totals = totals_now();
	cr_expect_eq(totals.events + totals.overwritten + totals.dropped, all);
	cr_expect_eq(totals.torn, 0);
	cr_expect_eq(numbered_now("child").count, 0);
}

/* ---- starting ---------------------------------------------------------------------------------
 */

static pthread_barrier_t barrier;
static _Atomic uint32_t inits;

static void *first_event_thread(void *argument)
{
	pthread_barrier_wait(&barrier);
	number((uintptr_t)argument);
	return NULL;
}

Test(process, many_threads_that_record_first_at_once_share_one_region)
{
	pthread_t thread[16];
	uint64_t bytes;

	pthread_barrier_init(&barrier, NULL, 16);
	for (uintptr_t i = 0; i < 16; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, first_event_thread, (void *)i), 0);
	for (int i = 0; i < 16; i++)
		pthread_join(thread[i], NULL);
	cr_expect_eq(numbered_now("numbered").count, 16);
	cr_expect_eq(ttlog_life()->dropped, 0);
	regions_mapped(&bytes);
	cr_expect_eq(bytes, ttlog_place_.geometry.region_bytes + TTLOG_CONTROL_BYTES);
}

static void *init_thread(void *argument)
{
	int error;

	pthread_barrier_wait(&barrier);
	error = ttlog_init("threads");
	if (!error)
		atomic_fetch_add(&inits, 1);
	return error == 0 || error == -EALREADY ? NULL : argument;
}

Test(process, of_many_inits_at_once_one_is_the_first)
{
	pthread_t thread[16];
	void *failed;

	pthread_barrier_init(&barrier, NULL, 16);
	for (uintptr_t i = 0; i < 16; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, init_thread, (void *)(i + 1)), 0);
	for (int i = 0; i < 16; i++) {
		pthread_join(thread[i], &failed);
		cr_expect_null(failed);
	}
	cr_expect_eq(inits, 1);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

Test(process, a_start_that_nobody_ends_is_waited_for_once)
{
	struct ttlog_life *life = ttlog_life();
	uint64_t then = now_ms();

	/* What is left if a vforked child is killed while it starts. */
	life->starter = 1;
	life->state = TTLOG_PROCESS_STARTING;
	number(0);
	cr_expect_geq(now_ms() - then, 900);
	then = now_ms();
	for (uint64_t i = 1; i < 1000; i++)
		number(i);
	cr_expect_lt(now_ms() - then, 90000, "each would wait for a second");
	cr_expect_eq(life->dropped, 1000);
}

Test(process, a_limit_on_file_sizes_is_no_death_sentence)
{
	struct rlimit limit = {65536, 65536};
	pid_t pid = fork();

	if (pid == 0) {
		CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
		CHILD_CHECK(ttlog_init("limited") == -EFBIG);
		number(0);
		CHILD_CHECK(ttlog_life()->dropped == 1);
		_exit(0);
	}
	expect_success(pid);
}

Test(process, without_descriptors_nothing_is_recorded_and_all_is_counted)
{
	for (rlim_t most = 0; most <= 4; most++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct rlimit limit = {most, most};
			struct ttlog_stats stats = {.size = sizeof(stats)};

			close_range(0, ~0u, 0);
			CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
			for (uint64_t i = 0; i < 100; i++)
				number(i);
			ttlog_error("alert", "n", 1);
			ttlog_intern("string");
			CHILD_CHECK(ttlog_get_stats(&stats) == 0);
			CHILD_CHECK(stats.retained + stats.dropped == 101);
			CHILD_CHECK((stats.region_bytes == 0) == (stats.dropped == 101));
			CHILD_CHECK(most > 0 || stats.dropped == 101);
			_exit(0);
		}
		expect_success(pid);
	}
}
