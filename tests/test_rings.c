/* SPDX-License-Identifier: MIT */
/*
 * Pages of regions that are not there when they are looked at. A memfd that can shrink plays the
 * kernel that has no memory left: what is behind its end is a SIGBUS, too.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recorder/rings.h"
#include "recorder/workers.h"

#define PAGE 4096u
#define BYTES (UINT64_C(3) << 20)
#define PAGES (BYTES / PAGE)

static struct ttlog_geometry geometry = {.region_bytes = BYTES};

static volatile unsigned char *map_shrinking(int *ret_fd)
{
	void *base;

	*ret_fd = memfd_create("shrinks", MFD_CLOEXEC);
	cr_assert_eq(ftruncate(*ret_fd, BYTES), 0);
	base = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, *ret_fd, 0);
	cr_assert_neq(base, MAP_FAILED);
	memset(base, 'x', BYTES);
	return base;
}

Test(rings, a_missing_page_is_one_of_ours)
{
	volatile unsigned char *base;
	int fd;

	cr_assert_eq(rings_open(), 0);
	base = map_shrinking(&fd);
	cr_assert_eq(rings_guard((void *)(uintptr_t)base, BYTES), 0);
	cr_assert_eq(ftruncate(fd, BYTES - 2 * PAGE), 0);
	cr_expect_eq(base[BYTES - 1], 0);
	cr_expect_eq(base[BYTES - 2 * PAGE], 0);
	base[BYTES - 1] = 'y'; /* may be written to as well */
	cr_expect_eq(base[BYTES - 2 * PAGE - 1], 'x', "those that are there stay");
	cr_expect_eq(rings_missing_pages(), 2);
	rings_unmap((void *)(uintptr_t)base, &geometry);
	close(fd);
}

/* Each is a mapping, and of those there are not so many. */
Test(rings, where_many_are_missing_all_are_given_up)
{
	volatile unsigned char *base;
	unsigned int sum = 0;
	int fd;

	cr_assert_eq(rings_open(), 0);
	base = map_shrinking(&fd);
	cr_assert_eq(rings_guard((void *)(uintptr_t)base, BYTES), 0);
	cr_assert_eq(ftruncate(fd, PAGE), 0);
	for (uint64_t at = PAGE; at < BYTES; at += PAGE)
		sum += base[at];
	cr_expect_eq(sum, 0);
	cr_expect_lt(rings_missing_pages(), PAGES / 4);
	cr_expect_eq(base[0], 0, "the first as well");
	rings_unmap((void *)(uintptr_t)base, &geometry);
	close(fd);
}

struct look {
	struct workers_job job;
	volatile unsigned char *base;
	unsigned int seen;
};

static void look(struct workers_job *job)
{
	struct look *work = (struct look *)job;

	work->seen = work->base[BYTES - 1];
}

static void looked(struct workers_job *job)
{
	((struct look *)job)->base = NULL;
}

Test(rings, a_worker_survives_it_too)
{
	struct look work = {.job = {.run = look, .done = looked}, .seen = 77};
	volatile unsigned char *base;
	struct workers *workers;
	struct loop *loop;
	int fd;

	cr_assert_eq(rings_open(), 0);
	base = map_shrinking(&fd);
	cr_assert_eq(rings_guard((void *)(uintptr_t)base, BYTES), 0);
	cr_assert_eq(ftruncate(fd, 0), 0);
	cr_assert_eq(loop_open(&loop), 0);
	cr_assert_eq(workers_open(&workers, loop, 1), 0);
	work.base = base;
	workers_submit(workers, &work.job);
	while (work.base)
		cr_assert_eq(loop_once(loop, 30000), 0);
	cr_expect_eq(work.seen, 0);
	workers_close(workers);
	loop_close(loop);
	rings_unmap((void *)(uintptr_t)base, &geometry);
	close(fd);
}

/* What is nobody's region, or was one, is deadly. */
static int end_of_who_looks(bool was_a_ring)
{
	const pid_t pid = fork();
	int status;

	if (!pid) {
		volatile unsigned char *base;
		int fd;

		signal(SIGBUS, SIG_DFL); /* the test's own handler */
		if (rings_open())
			_exit(1);
		base = map_shrinking(&fd);
		if (was_a_ring) {
			if (rings_guard((void *)(uintptr_t)base, BYTES))
				_exit(2);
			rings_unmap((void *)(uintptr_t)base, &geometry);
			if (mmap((void *)(uintptr_t)base, BYTES, PROT_READ, MAP_SHARED | MAP_FIXED,
				 fd, 0) == MAP_FAILED)
				_exit(3);
		}
		if (ftruncate(fd, 0))
			_exit(4);
		_exit(base[0] + 100);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

Test(rings, others_are_not_touched)
{
	for (int was_a_ring = 0; was_a_ring < 2; was_a_ring++) {
		const int status = end_of_who_looks(was_a_ring);

		cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS, "%d: %#x", was_a_ring,
			  status);
	}
}

/* Guarded and not in turn: places are used again. */
Test(rings, come_and_go)
{
	int fd;
	volatile unsigned char *base = map_shrinking(&fd);

	for (int i = 0; i < 300000; i++) {
		cr_assert_eq(rings_guard((void *)(uintptr_t)base, BYTES), 0, "at %d", i);
		if (i % 1000) {
			/* As unmapping does it, without the work. */
			static const struct ttlog_geometry nothing = {.region_bytes = 0};

			rings_unmap((void *)(uintptr_t)base, &nothing);
		}
	}
	close(fd);
}
