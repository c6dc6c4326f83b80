/* SPDX-License-Identifier: MIT */
/* writer.c - see writer.h. Owns the segments and the thread-exit hook. */
#include "lib/writer.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/process.h"
#include "lib/ring.h"
#include "lib/stops.h"

/* Of the count of a chunk's events: every 16th reads the clock. */
#define SPARSE_MASK (UINT64_C(15) << 32)
#define SEGMENT_BYTES 65536
#define SEGMENT_WRITERS ((SEGMENT_BYTES - 128) / sizeof(struct ttlog_thread))

struct ttlog_writer_segment {
	_Alignas(128) _Atomic(struct ttlog_writer_segment *) next;
	_Alignas(128) struct ttlog_thread writer[SEGMENT_WRITERS];
};

_Static_assert(sizeof(struct ttlog_writer_segment) <= SEGMENT_BYTES, "a segment is a segment");

/*
 * What a thread without a writer has. Always busy, so the fast path never takes it and never writes
 * to it; tid 0, so the slow path sees what it is.
 */
static const struct ttlog_thread no_writer = {.hot = {.busy = 1}};

__thread struct ttlog_writer *ttlog_writer_
	__attribute__((visibility("default"))) = (struct ttlog_writer *)(uintptr_t)&no_writer.hot;

static pthread_key_t exit_key;
static bool have_exit_key;

void ttlog_thread_clear(struct ttlog_thread *thread)
{
	memset(&thread->hot, 0, sizeof(thread->hot));
	memset(&thread->stop, 0, sizeof(*thread) - offsetof(struct ttlog_thread, stop));
}

/* The writer is nobody's; its chunks were given back. */
static void give_up(struct ttlog_thread *thread)
{
	/* 0: in a forked child, wiped meanwhile. */
	if (!thread || !atomic_load_explicit(&thread->tid, memory_order_relaxed))
		return;
	ttlog_thread_clear(thread);
	atomic_fetch_sub_explicit(&ttlog_life()->writers, 1, memory_order_relaxed);
	atomic_store_explicit(&thread->tid, 0, memory_order_release);
}

/*
 * Runs when the thread exits, maybe several times: a later destructor that records gets a new
 * writer, and this runs again, up to PTHREAD_DESTRUCTOR_ITERATIONS times. What is taken after that
 * is found by the search for vanished owners (trap 23 of the protocol).
 */
static void on_thread_exit(void *argument)
{
	struct ttlog_thread *thread = argument, *each;

	ttlog_writer_ = (struct ttlog_writer *)(uintptr_t)&no_writer.hot;
	/* In a forked child this may be the parent's writer, wiped. */
	if (!atomic_load_explicit(&thread->tid, memory_order_relaxed))
		return;
	for (uint32_t i = 0; (each = ttlog_thread_each(thread, i)); i++)
		ttlog_ring_leave(each, ttlog_stack_pointer_());
	/* The first knows the others. */
	for (uint32_t i = 1; (each = ttlog_thread_each(thread, i)); i++)
		give_up(each);
	give_up(thread);
}

/*
 * A key that early has a slot inside libc's thread descriptor, so setting it allocates nothing and
 * is safe in a signal handler.
 */
__attribute__((constructor)) static void make_exit_key(void)
{
	have_exit_key = pthread_key_create(&exit_key, on_thread_exit) == 0;
}

static struct ttlog_writer_segment *add_segment(_Atomic(struct ttlog_writer_segment *) *link)
{
	struct ttlog_writer_segment *none = NULL;
	void *memory = mmap(NULL, SEGMENT_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	madvise(memory, SEGMENT_BYTES, MADV_WIPEONFORK);
	if (!atomic_compare_exchange_strong_explicit(link, &none, memory, memory_order_acq_rel,
						     memory_order_acquire)) {
		munmap(memory, SEGMENT_BYTES);
		return none;
	}
	return memory;
}

static struct ttlog_thread *claim(struct ttlog_writer_segment *segment, uint32_t tid)
{
	for (size_t i = 0; i < SEGMENT_WRITERS; i++) {
		struct ttlog_thread *thread = &segment->writer[i];
		uint32_t nobody = 0;

		if (!atomic_load_explicit(&thread->tid, memory_order_relaxed) &&
		    atomic_compare_exchange_strong_explicit(
			    &thread->tid, &nobody, tid, memory_order_acquire, memory_order_relaxed))
			return thread;
	}
	return NULL;
}

/* One that was nobody's; NULL without memory. */
static struct ttlog_thread *claim_any(uint32_t tid)
{
	_Atomic(struct ttlog_writer_segment *) *link = &ttlog_life()->segments;
	struct ttlog_thread *thread = NULL;

	while (!thread) {
		struct ttlog_writer_segment *segment =
			atomic_load_explicit(link, memory_order_acquire);

		if (!segment)
			segment = add_segment(link);
		if (!segment)
			return NULL;
		thread = claim(segment, tid);
		link = &segment->next;
	}
	ttlog_thread_clear(thread);
	if (ttlog_place_.geometry.clock_mode != TTLOG_CLOCK_EXACT)
		thread->hot.clock_mask = SPARSE_MASK;
	atomic_fetch_add_explicit(&ttlog_life()->writers, 1, memory_order_relaxed);
	return thread;
}

/* A handler may fork in here, and the child come back with its parent's tid in hand. */
static struct ttlog_thread *claim_mine(void)
{
	for (;;) {
		uint32_t tid = (uint32_t)syscall(SYS_gettid);
		struct ttlog_thread *thread = claim_any(tid);

		if (!thread || tid == (uint32_t)syscall(SYS_gettid))
			return thread;
		give_up(thread);
	}
}

/* One instruction: if a handler has recorded meanwhile, the writer that it made stays. */
static struct ttlog_thread *install(struct ttlog_thread *thread, struct ttlog_writer *found)
{
	if (!__atomic_compare_exchange_n(&ttlog_writer_, &found, &thread->hot, false,
					 __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		give_up(thread);
		return (struct ttlog_thread *)(void *)found;
	}
	if (have_exit_key)
		pthread_setspecific(exit_key, thread);
	return thread;
}

struct ttlog_thread *ttlog_thread_new(void)
{
	struct ttlog_writer *found = ttlog_writer_;
	struct ttlog_thread *thread = (struct ttlog_thread *)(void *)found;

	if (atomic_load_explicit(&thread->tid, memory_order_relaxed))
		return thread;
	thread = claim_mine();
	if (!thread)
		return NULL;
	syscall(SYS_prctl, PR_GET_NAME, thread->name, 0, 0, 0);
	return install(thread, found);
}

/*
 * One more for the thread with that first writer. A handler may be doing the same in between; what
 * is added stays. NULL: it has as many as there may be, or there is no memory.
 */
static struct ttlog_thread *add_other(struct ttlog_thread *first)
{
	uint32_t tid = atomic_load_explicit(&first->tid, memory_order_relaxed);
	struct ttlog_thread *fresh;

	/* 0: a handler has forked, and this is the child. */
	if (!tid || ttlog_thread_each(first, TTLOG_ASIDE_MAX))
		return NULL;
	fresh = claim_any(tid);
	for (uint32_t i = 0; fresh && i < TTLOG_ASIDE_MAX; i++) {
		struct ttlog_thread *none = NULL;

		fresh->first = first;
		fresh->number = i + 1;
		memcpy(fresh->name, first->name, sizeof(fresh->name));
		if (__atomic_compare_exchange_n(&first->other[i], &none, fresh, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return fresh;
	}
	give_up(fresh);
	return NULL;
}

static bool is_idle(const struct ttlog_thread *thread)
{
	return !*(const volatile uintptr_t *)&thread->hot.busy;
}

/*
 * Nothing is linked anew, and what is not busy is in order: so a handler may come in anywhere, step
 * aside itself, and use what was found here. If it has installed another, that one stays. What
 * served before has an older chunk than the one that is set aside, if any: newer events are not for
 * that.
 */
struct ttlog_thread *ttlog_thread_step_aside(struct ttlog_thread *thread, uintptr_t sp)
{
	struct ttlog_writer *found = &thread->hot;
	struct ttlog_thread *next;

	for (uint32_t i = 0; (next = ttlog_thread_each(thread, i)) && !is_idle(next); i++)
		;
	if (!next)
		next = add_other(ttlog_thread_first(thread));
	if (!next)
		return NULL;
	if (ttlog_stops_holds(next))
		ttlog_ring_leave(next, sp);
	next->nested = 0;
	if (!__atomic_compare_exchange_n(&ttlog_writer_, &found, &next->hot, false,
					 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		next = (struct ttlog_thread *)(void *)found;
	return is_idle(next) ? next : NULL;
}

void ttlog_thread_forget(void)
{
	struct ttlog_thread *thread = ttlog_thread_mine(), *each;

	if (!thread)
		return;
	thread = ttlog_thread_first(thread);
	for (uint32_t i = 1; (each = ttlog_thread_each(thread, i)); i++)
		memset(each, 0, sizeof(*each));
	memset(thread, 0, sizeof(*thread));
}
