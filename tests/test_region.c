/* SPDX-License-Identifier: MIT */
/* test_region.c - regions of every size: planned, made, sealed, mapped; and those of others. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/clock.h"
#include "tests/geometry_sound.h"
#include "tests/region_by_hand.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* ---- the plan -------------------------------------------------------------------------------- */

/* Of a region: where the drawing has large pages, 1 MiB would be all rounding. */
static uint64_t least_bytes(void)
{
	struct ttlog_geometry plan;

	ttlog_region_plan(1, &plan);
	cr_assert_geq(plan.region_bytes, TTLOG_REGION_BYTES_MIN);
	cr_assert_leq(plan.region_bytes, 6 << 20);
	return plan.region_bytes;
}

static void check_plan(uint64_t bytes, uint64_t expected_bytes)
{
	struct ttlog_geometry plan;
	uint64_t main_bytes;

	ttlog_region_plan(bytes, &plan);
	cr_assert_eq(plan.region_bytes, expected_bytes);
	cr_assert(geometry_is_sound(&plan), "%lu bytes", bytes);
	main_bytes = (uint64_t)plan.lane[TTLOG_LANE_MAIN].chunk_count *
		     plan.lane[TTLOG_LANE_MAIN].chunk_bytes;
	cr_assert(main_bytes >= plan.region_bytes / 2, "%lu bytes", bytes);
	/* No more than a page of each array, and less than a chunk, is wasted. */
	cr_assert(plan.lane[TTLOG_LANE_MAIN].chunks_offset + main_bytes +
			  plan.lane[TTLOG_LANE_MAIN].chunk_bytes + 3 * TTLOG_PAGE_BYTES >
		  plan.region_bytes);
}

Test(region, a_plan_of_any_size_fits_and_overlaps_nothing)
{
	uint64_t bytes = least_bytes();

	for (; bytes <= 64 << 20; bytes += TTLOG_PAGE_BYTES)
		check_plan(bytes, bytes);
	for (; bytes <= TTLOG_REGION_BYTES_MAX; bytes += (7 << 20) + TTLOG_PAGE_BYTES)
		check_plan(bytes, bytes);
}

Test(region, a_plan_keeps_to_pages_and_limits)
{
	check_plan(0, TTLOG_REGION_BYTES_DEFAULT);
	check_plan(1, least_bytes());
	check_plan(least_bytes() + 1, least_bytes() + TTLOG_PAGE_BYTES);
	check_plan(TTLOG_REGION_BYTES_MAX - 1, TTLOG_REGION_BYTES_MAX);
	check_plan(TTLOG_REGION_BYTES_MAX + 1, TTLOG_REGION_BYTES_MAX);
	check_plan(UINT64_MAX, TTLOG_REGION_BYTES_MAX);
}

Test(region, the_default_plan_is_the_one_that_was_agreed)
{
	struct ttlog_geometry plan;

	ttlog_region_plan(0, &plan);
	cr_assert_eq(plan.dict_index_count, 8192);
	cr_assert_eq(plan.dict_heap_bytes, 1 << 20);
	cr_assert_eq(plan.lane_count, TTLOG_LANE_COUNT);
	cr_assert_eq(plan.lane[TTLOG_LANE_MAIN].flags, 0);
	cr_assert_eq(plan.lane[TTLOG_LANE_ALERT].chunk_count, 4096);
	cr_assert_eq(plan.lane[TTLOG_LANE_ALERT].chunk_bytes, 256);
	cr_assert_eq(plan.lane[TTLOG_LANE_ALERT].flags, TTLOG_LANE_SLOTS);
	cr_assert_eq(plan.lane[TTLOG_LANE_BOOT].chunk_count, 64);
	cr_assert_eq(plan.lane[TTLOG_LANE_BOOT].flags, TTLOG_LANE_NEVER_RECYCLED);
	cr_assert_eq(plan.lane[TTLOG_LANE_AFTERLIFE].flags, TTLOG_LANE_NEVER_RECYCLED);
	cr_assert_eq(plan.lane[TTLOG_LANE_NESTED].chunk_count, 512);
	cr_assert_eq(plan.lane[TTLOG_LANE_CHANNEL].chunk_bytes, 512);
	/* A 16th of the region, at 1,280 bytes a channel. */
	cr_assert_eq(plan.channel_count, TTLOG_PAGE_BYTES == 4096 ? 816 : plan.channel_count);
}

/* An event that fits one lane of chunks fits all, and none has fewer bytes than in a smaller
 * region. */
Test(region, a_larger_region_has_larger_chunks)
{
	static const uint32_t lanes[] = {TTLOG_LANE_MAIN, TTLOG_LANE_BOOT, TTLOG_LANE_AFTERLIFE,
					 TTLOG_LANE_ALERT_LARGE};
	static const struct {
		uint64_t mib;
		uint32_t chunk_bytes;
	} wanted[] = {{8, 4096},  {16, 4096},  {31, 4096},   {32, 8192},
		      {63, 8192}, {64, 16384}, {1024, 16384}};
	uint64_t before[4] = {0};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		struct ttlog_geometry plan;

		ttlog_region_plan(wanted[i].mib << 20, &plan);
		cr_assert(geometry_is_sound(&plan));
		for (size_t k = 0; k < 4; k++) {
			const struct ttlog_lane_geometry *lane = &plan.lane[lanes[k]];
			uint64_t bytes = (uint64_t)lane->chunk_count * lane->chunk_bytes;

			cr_expect_eq(lane->chunk_bytes, wanted[i].chunk_bytes, "%lu MiB",
				     wanted[i].mib);
			cr_expect_geq(bytes, before[k], "%lu MiB", wanted[i].mib);
			before[k] = bytes;
		}
	}
}

Test(region, memory_for_channels_comes_on_top_of_the_buffer)
{
	struct ttlog_geometry without, plan;

	ttlog_region_plan(16 << 20, &without);
	ttlog_region_plan_channels(16 << 20, 128 << 20, &plan);
	cr_assert(geometry_is_sound(&plan));
	cr_assert_eq(plan.region_bytes, (16 + 128) << 20);
	cr_assert_geq(plan.channel_count, 100000);
	cr_assert_eq(plan.dict_index_count, without.dict_index_count);
	cr_assert_eq(plan.lane[TTLOG_LANE_ALERT].chunk_count,
		     without.lane[TTLOG_LANE_ALERT].chunk_count);
	cr_assert_geq(plan.lane[TTLOG_LANE_MAIN].chunk_count,
		      without.lane[TTLOG_LANE_MAIN].chunk_count);
}

Test(region, memory_for_channels_of_any_size_fits)
{
	struct ttlog_geometry plan;

	for (uint64_t bytes = 1; bytes < UINT64_C(8) << 30; bytes = bytes * 5 / 3 + 4096) {
		ttlog_region_plan_channels(TTLOG_REGION_BYTES_MIN, bytes, &plan);
		cr_assert(geometry_is_sound(&plan), "%lu bytes", bytes);
		ttlog_region_plan_channels(TTLOG_REGION_BYTES_MAX - TTLOG_PAGE_BYTES, bytes, &plan);
		cr_assert(geometry_is_sound(&plan), "%lu bytes", bytes);
		cr_assert_leq(plan.region_bytes, TTLOG_REGION_BYTES_MAX);
	}
	ttlog_region_plan_channels(UINT64_MAX, UINT64_MAX, &plan);
	cr_assert(geometry_is_sound(&plan));
}

/* ---- making and mapping ---------------------------------------------------------------------- */

static unsigned int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	cr_assert_not_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static unsigned int region_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned int count = 0;
	char line[512];

	cr_assert_not_null(maps);
	while (fgets(line, sizeof(line), maps))
		count += strstr(line, "/memfd:" TTLOG_MEMFD_NAME " ") != NULL;
	fclose(maps);
	return count;
}

static void make(uint64_t bytes, const char *service, struct ttlog_geometry *ret_plan, int *ret_fd,
		 void **ret_base)
{
	ttlog_region_plan(bytes, ret_plan);
	cr_assert_eq(ttlog_region_make(ret_plan, service, TTLOG_CLOCK_MONOTONIC, ret_fd, ret_base),
		     0);
}

Test(region, what_was_made_can_be_mapped_and_is_the_plan)
{
	struct ttlog_geometry plan, seen;
	const struct ttlog_ledger *ledger;
	void *base, *again;
	int fd;

	make(0, "orders", &plan, &fd, &base);
	cr_assert_eq(ttlog_region_map(fd, &seen, &again), 0);
	cr_assert(geometry_is_sound(&seen));
	cr_assert_eq(memcmp(plan.lane, seen.lane, sizeof(plan.lane)), 0);
	cr_assert_eq(seen.region_bytes, plan.region_bytes);
	cr_assert_eq(seen.control_offset, plan.control_offset);
	cr_assert_eq(seen.dict_heap_bytes, plan.dict_heap_bytes);
	cr_assert_str_eq(seen.service, "orders");
	cr_assert_eq(seen.clock_source, TTLOG_CLOCK_MONOTONIC);
	cr_assert_neq(seen.clock.realtime_ns, 0);
	ledger = (const void *)((char *)again + seen.ledger_offset);
	cr_assert_eq(ledger->dict_next_id, 1);
	cr_assert_eq(ledger->dict_next_offset, 8);
	cr_assert_eq(ttlog_region_populate(again, &seen), 0);
	ttlog_region_unmap(base, &plan);
	ttlog_region_unmap(again, &seen);
	close(fd);
}

Test(region, what_was_made_says_how_often_its_clock_is_read)
{
	struct ttlog_geometry plan, seen;
	void *base, *again;
	int fd;

	ttlog_region_plan(1 << 20, &plan);
	cr_assert_eq(plan.clock_mode, TTLOG_CLOCK_EXACT);
	plan.clock_mode = TTLOG_CLOCK_SPARSE;
	cr_assert_eq(ttlog_region_make(&plan, NULL, TTLOG_CLOCK_MONOTONIC, &fd, &base), 0);
	cr_assert_eq(ttlog_region_map(fd, &seen, &again), 0);
	cr_assert_eq(seen.clock_mode, TTLOG_CLOCK_SPARSE);
	ttlog_region_unmap(base, &plan);
	ttlog_region_unmap(again, &seen);
	close(fd);
}

Test(region, what_was_made_is_sealed_private_and_close_on_exec)
{
	struct ttlog_geometry plan;
	void *base;
	int fd;

	make(1 << 20, NULL, &plan, &fd, &base);
	cr_assert_eq(fcntl(fd, F_GET_SEALS) & SEALS, SEALS);
	cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	cr_assert_eq(ftruncate(fd, 1 << 19), -1);
	cr_assert_eq(ftruncate(fd, 1 << 21), -1);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	cr_assert_eq(region_mappings(), 1);
	ttlog_region_unmap(base, &plan);
	close(fd);
}

static void check_pages(uint32_t huge_pages)
{
	static unsigned char present[TTLOG_REGION_BYTES_DEFAULT / 4096];
	struct rusage before, after;
	struct ttlog_geometry plan;
	struct stat stat;
	void *base;
	int fd;

	ttlog_region_plan(0, &plan);
	plan.huge_pages = huge_pages;
	cr_assert_eq(ttlog_region_make(&plan, NULL, TTLOG_CLOCK_MONOTONIC, &fd, &base), 0);
	cr_assert_eq(fstat(fd, &stat), 0);
	/* Allocated by who makes it, put into its page tables by who records. */
	cr_assert_geq((uint64_t)stat.st_blocks * 512, plan.region_bytes);
	cr_assert_eq(ttlog_region_populate(base, &plan), 0);
	cr_assert_eq(mincore(base, plan.region_bytes, present), 0);
	cr_assert_null(memchr(present, 0, plan.region_bytes / 4096));
	cr_assert_eq(getrusage(RUSAGE_SELF, &before), 0);
	for (uint64_t offset = 4096; offset < plan.region_bytes; offset += 4096)
		*((volatile unsigned char *)base + offset + 4000) = 0;
	cr_assert_eq(getrusage(RUSAGE_SELF, &after), 0);
	/* Not one a page; AddressSanitizer has a few for itself. */
	cr_assert_leq((uint64_t)(after.ru_minflt - before.ru_minflt), plan.region_bytes / 4096 / 4);
	ttlog_region_unmap(base, &plan);
	close(fd);
}

Test(region, every_page_is_there_before_the_first_event)
{
	check_pages(0);
}

/* Whether the kernel has some or not. */
Test(region, every_page_is_there_before_the_first_event_where_huge_ones_are_asked_for)
{
	check_pages(1);
}

Test(region, a_long_service_name_is_cut)
{
	char service[200] = {0};
	struct ttlog_geometry plan, seen;
	void *base;
	int fd;

	memset(service, 'x', sizeof(service) - 1);
	make(1 << 20, service, &plan, &fd, &base);
	cr_assert_eq(ttlog_region_check(base, plan.region_bytes, &seen), 0);
	cr_assert_eq(strlen(seen.service), TTLOG_SERVICE_BYTES - 1);
	/* A client that filled it to the brim. */
	memset(((struct ttlog_region_header *)base)->service, 'y', TTLOG_SERVICE_BYTES);
	cr_assert_eq(ttlog_region_check(base, plan.region_bytes, &seen), 0);
	cr_assert_eq(strlen(seen.service), TTLOG_SERVICE_BYTES - 1);
	ttlog_region_unmap(base, &plan);
	close(fd);
}

static void set_limit(int what, rlim_t to, struct rlimit *ret_old)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(what, ret_old), 0);
	limit = (struct rlimit){to, ret_old->rlim_max};
	cr_assert_eq(setrlimit(what, &limit), 0);
}

/* Makes a region with a resource cut short; it must fail so. */
static void check_make_fails(int what, rlim_t to, int error)
{
	unsigned int descriptors = open_descriptors(), mappings = region_mappings();
	struct ttlog_geometry plan;
	struct rlimit old;
	void *base;
	int fd, result;

	ttlog_region_plan(0, &plan);
	set_limit(what, to, &old);
	result = ttlog_region_make(&plan, NULL, TTLOG_CLOCK_MONOTONIC, &fd, &base);
	cr_assert_eq(setrlimit(what, &old), 0);
	cr_assert_eq(result, error);
	cr_assert_eq(open_descriptors(), descriptors);
	cr_assert_eq(region_mappings(), mappings);
}

Test(region, a_make_that_fails_leaves_nothing_behind)
{
	signal(SIGXFSZ, SIG_IGN);
	check_make_fails(RLIMIT_NOFILE, 0, -EMFILE);
	check_make_fails(RLIMIT_FSIZE, 4096, -EFBIG);
#if !defined(__SANITIZE_ADDRESS__)
	check_make_fails(RLIMIT_AS, 1 << 20, -ENOMEM);
#endif
}

/* ---- regions of others ----------------------------------------------------------------------- */

static int map_result(int fd)
{
	unsigned int descriptors = open_descriptors(), mappings = region_mappings();
	struct ttlog_geometry seen;
	void *base;
	int result = ttlog_region_map(fd, &seen, &base);

	if (result == 0)
		ttlog_region_unmap(base, &seen);
	cr_assert_eq(open_descriptors(), descriptors);
	cr_assert_eq(region_mappings(), mappings);
	return result;
}

/* A memfd with a good region in it, with those seals. */
static int foreign_region(unsigned int memfd_flags, uint64_t extra_bytes, int seals)
{
	int fd = memfd_create(TTLOG_MEMFD_NAME, MFD_CLOEXEC | memfd_flags);
	struct by_hand hand;

	cr_assert_geq(fd, 0);
	by_hand_make(&hand);
	cr_assert_eq(ftruncate(fd, (off_t)(hand.geometry.region_bytes + extra_bytes)), 0);
	cr_assert_eq(pwrite(fd, hand.base, TTLOG_PAGE_BYTES, 0), TTLOG_PAGE_BYTES);
	by_hand_free(&hand);
	if (seals)
		cr_assert_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void check_foreign(int fd, int error)
{
	cr_assert_eq(map_result(fd), error);
	close(fd);
}

Test(region, a_region_without_all_seals_is_refused)
{
	check_foreign(foreign_region(MFD_ALLOW_SEALING, 0, SEALS), 0);
	check_foreign(foreign_region(MFD_ALLOW_SEALING, 0, 0), -EPERM);
	check_foreign(foreign_region(MFD_ALLOW_SEALING, 0, F_SEAL_SHRINK | F_SEAL_GROW), -EPERM);
	check_foreign(foreign_region(MFD_ALLOW_SEALING, 0, F_SEAL_SHRINK | F_SEAL_SEAL), -EPERM);
	check_foreign(foreign_region(MFD_ALLOW_SEALING, 0, F_SEAL_GROW | F_SEAL_SEAL), -EPERM);
	check_foreign(foreign_region(0, 0, 0), -EPERM);
	check_foreign(foreign_region(MFD_ALLOW_SEALING, 0, SEALS | F_SEAL_WRITE), -EPERM);
}

Test(region, what_is_no_memfd_of_the_right_size_is_refused)
{
	int pipes[2], fd;

	cr_assert_eq(map_result(-1), -EBADF);
	cr_assert_eq(pipe(pipes), 0);
	cr_assert_eq(map_result(pipes[0]), -EBADMSG);
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(map_result(fd), -EBADMSG);
	check_foreign(foreign_region(MFD_ALLOW_SEALING, TTLOG_PAGE_BYTES, SEALS), -EBADMSG);
	check_foreign(foreign_region(MFD_ALLOW_SEALING, 5ull << 30, SEALS), -EBADMSG);
	close(fd);
	fd = memfd_create("small", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, SEALS), 0);
	check_foreign(fd, -EBADMSG);
	close(pipes[0]);
	close(pipes[1]);
}

Test(region, a_region_of_huge_pages_is_refused)
{
	int fd = memfd_create(TTLOG_MEMFD_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);

	if (fd < 0)
		cr_skip("no huge pages: %s", strerror(errno));
	cr_assert_eq(ftruncate(fd, 64 << 20), 0);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, SEALS), 0);
	check_foreign(fd, -EBADMSG);
}
