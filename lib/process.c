/* SPDX-License-Identifier: MIT */
/* process.c - see process.h. Owns the place, the life page, and how both come about. */
#include "lib/process.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/attach.h"
#include "lib/clock.h"
#include "lib/dict.h"

#define LIFE_BYTES TTLOG_PAGE_BYTES
#define START_WAIT_MS 1000 /* how long another thread's start is waited for, all in all */

struct ttlog_control ttlog_control_ __attribute__((visibility("default")));
struct ttlog_place ttlog_place_;

static _Atomic(struct ttlog_life *) life_page;
static struct ttlog_life life_static; /* when there is no memory for a page */
static struct ttlog_settings settings_;
static struct ttlog_attach_fd region_fd = {.fd = -1};

/* ---- the life page --------------------------------------------------------------------------- */

struct ttlog_life *ttlog_life(void)
{
	struct ttlog_life *life = atomic_load_explicit(&life_page, memory_order_acquire);
	struct ttlog_life *none = NULL;
	void *page;

	if (__builtin_expect(life != NULL, 1))
		return life;
	page = mmap(NULL, LIFE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* A kernel before 4.14 can't wipe: then only fork() is noticed, by after_fork(). */
	if (page == MAP_FAILED)
		page = &life_static;
	else
		madvise(page, LIFE_BYTES, MADV_WIPEONFORK);
	if (!atomic_compare_exchange_strong_explicit(&life_page, &none, page, memory_order_acq_rel,
						     memory_order_acquire)) {
		if (page != &life_static)
			munmap(page, LIFE_BYTES);
		return none;
	}
	return page;
}

/*
 * The child of a fork() in a signal handler may go on with an event that the handler interrupted:
 * its writer then stores into the parent's chunk. Private zero pages take the place of the lanes,
 * so that it does so harmlessly; the dictionary in front of them is still to be carried over.
 */
static void disown_lanes(const struct ttlog_place *place)
{
	uint64_t start = place->geometry.lane[0].states_offset;

	if (place->base)
		mmap(place->base + start, place->geometry.region_bytes - start,
		     PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}

static void after_fork(void)
{
	struct ttlog_life *life = atomic_load_explicit(&life_page, memory_order_acquire);
	int saved = errno;

	if (life)
		memset(life, 0, sizeof(*life));
	disown_lanes(&ttlog_place_);
	ttlog_attach_forget();
	ttlog_attach_fd_close(&region_fd);
	errno = saved;
}

/*
 * The environment is read now, while no other thread can be changing it: the first event, which may
 * come in a signal handler, finds it here.
 */
__attribute__((constructor)) static void on_load(void)
{
	ttlog_settings_from_environment(&settings_);
	ttlog_life();
	pthread_atfork(NULL, NULL, after_fork);
}

/* ---- start ----------------------------------------------------------------------------------- */

/* A region of the recorder's making, or of ours. */
static int find_region(struct ttlog_place *place, int *ret_fd, int *ret_control_fd)
{
	enum ttlog_clock_source source = ttlog_clock_source();
	const struct ttlog_geometry *old = ttlog_place_.base ? &ttlog_place_.geometry : NULL;
	int attached = ttlog_attach(&settings_, source, ret_fd, ret_control_fd);
	void *base;
	int error;

	if (!attached) {
		error = ttlog_region_map(*ret_fd, &place->geometry, &base);
		if (!error && place->geometry.clock_source == (uint32_t)source &&
		    (!old || ttlog_dict_fits(old, &place->geometry))) {
			/* The pages are there; our own page tables are not yet. Faults later are no
			 * harm. */
			ttlog_region_populate(base, &place->geometry);
			place->base = base;
			place->connected = true;
			return 0;
		}
		if (!error)
			ttlog_region_unmap(base, &place->geometry);
		syscall(SYS_close, *ret_fd);
		if (*ret_control_fd >= 0)
			syscall(SYS_close, *ret_control_fd);
		*ret_control_fd = -1;
		attached = -ETIMEDOUT; /* still connected: offer ours */
	}
	ttlog_debug_line(&settings_, "recording without the recorder's memory",
			 strerror(-attached));
	if (old)
		place->geometry = *old;
	else
		ttlog_region_plan(settings_.region_bytes, &place->geometry);
	error = ttlog_region_make(&place->geometry, settings_.service, source, ret_fd, &base);
	if (error)
		return error;
	place->geometry.clock_source = source;
	place->base = base;
	place->connected = attached == -ETIMEDOUT && ttlog_attach_offer(*ret_fd) == 0;
	return 0;
}

/*
 * Lays the control page over ttlog_control_, read-only, and keeps a writable view elsewhere. With a
 * control map of the recorder's the kernel program writes to the same page.
 */
static int lay_control(struct ttlog_place *place, int fd, int control_fd)
{
	uint64_t offset = place->geometry.control_offset;
	void *view;

	place->control = (void *)(place->base + offset);
	if (control_fd >= 0) {
		view = mmap(NULL, TTLOG_CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			    control_fd, 0);
		if (view == MAP_FAILED)
			return -errno;
		place->control = view;
		fd = control_fd;
		offset = 0;
	}
	__atomic_store_n(&place->control->level, settings_.level, __ATOMIC_RELAXED);
	view = mmap(&ttlog_control_, TTLOG_CONTROL_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED, fd,
		    (off_t)offset);
	return view == MAP_FAILED ? -errno : 0;
}

static int start(struct ttlog_life *life)
{
	struct ttlog_place place = {0};
	int fd = -1, control_fd = -1;
	int error;

	/* After a raw clone() nobody ran after_fork(). */
	ttlog_attach_forget();
	ttlog_attach_fd_close(&region_fd);
	atomic_store_explicit(&life->pid, (uint32_t)syscall(SYS_getpid), memory_order_relaxed);
	error = find_region(&place, &fd, &control_fd);
	if (error)
		return error;
	if (ttlog_place_.base) {
		ttlog_dict_carry(&ttlog_place_, &place);
		disown_lanes(&ttlog_place_);
	}
	error = lay_control(&place, fd, control_fd);
	if (control_fd >= 0)
		syscall(SYS_close, control_fd);
	if (error) {
		ttlog_region_unmap(place.base, &place.geometry);
		syscall(SYS_close, fd);
		return error;
	}
	/* Kept open, so that a recorder that starts later can take it with pidfd_getfd(). */
	ttlog_attach_fd_keep(&region_fd, fd);
	/* The base last: a fork by another thread between these leaves the child one or no region.
	 */
	ttlog_place_.geometry = place.geometry;
	ttlog_place_.control = place.control;
	ttlog_place_.connected = place.connected;
	atomic_signal_fence(memory_order_seq_cst);
	ttlog_place_.base = place.base;
	ttlog_debug_line(&settings_,
			 place.connected ? "recording, with a recorder" : "recording, alone",
			 settings_.service);
	return 0;
}

static void set_state(struct ttlog_life *life, uint32_t state)
{
	/* Publishes ttlog_place_; pairs with the acquire in ttlog_process_enter(). */
	atomic_store_explicit(&life->state, state, memory_order_release);
	syscall(SYS_futex, &life->state, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/*
 * Moves the state from `from` to READY or FAILED. -EALREADY: it was not `from` any more. No signal
 * is handled from before the state says STARTING until it is over: a handler that recorded would
 * wait for its own thread. The raw call: sigprocmask() leaves out libc's own signals, and one of
 * those is the cancellation.
 */
static int run_start(struct ttlog_life *life, uint32_t from, const struct ttlog_settings *settings)
{
	uint64_t all = ~UINT64_C(0), before = 0;
	int error = -EALREADY;

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, sizeof(all));
	if (!atomic_compare_exchange_strong(&life->state, &from, TTLOG_PROCESS_STARTING))
		goto out;
	atomic_store_explicit(&life->starter, (uint32_t)syscall(SYS_gettid), memory_order_relaxed);
	if (settings)
		settings_ = *settings;
	error = 0;
	if (from == TTLOG_PROCESS_CLOSED)
		ttlog_process_set_level(settings_.level);
	else
		error = start(life);
	if (error)
		ttlog_debug_line(&settings_, "can't record", strerror(-error));
	set_state(life, error ? TTLOG_PROCESS_FAILED : TTLOG_PROCESS_READY);
out:
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
	return error;
}

/* Waits until another thread's start is over. Bounded: a vfork() child may share our memory. */
static int wait_for_start(struct ttlog_life *life)
{
	struct timespec slice = {0, 10 * 1000 * 1000};

	if (atomic_load_explicit(&life->starter, memory_order_relaxed) ==
	    (uint32_t)syscall(SYS_gettid))
		return -EDEADLK;
	for (int waited_ms = 0; waited_ms < START_WAIT_MS; waited_ms += 10) {
		if (atomic_load_explicit(&life->state, memory_order_acquire) !=
		    TTLOG_PROCESS_STARTING)
			return 0;
		syscall(SYS_futex, &life->state, FUTEX_WAIT_PRIVATE, TTLOG_PROCESS_STARTING, &slice,
			NULL, 0);
	}
	return -ETIMEDOUT;
}

int ttlog_process_enter(void)
{
	struct ttlog_life *life = ttlog_life();

	for (;;) {
		/* Pairs with the release in set_state(). */
		uint32_t state = atomic_load_explicit(&life->state, memory_order_acquire);
		int error;

		switch (state) {
		case TTLOG_PROCESS_READY:
			return 0;
		case TTLOG_PROCESS_NONE:
			error = run_start(life, state, NULL);
			if (error != -EALREADY)
				return error;
			continue;
		case TTLOG_PROCESS_STARTING:
			error = wait_for_start(life);
			if (error)
				return error;
			continue;
		default:
			return -ENOTCONN;
		}
	}
}

int ttlog_process_start(const struct ttlog_settings *settings)
{
	struct ttlog_life *life = ttlog_life();

	for (;;) {
		uint32_t state = atomic_load_explicit(&life->state, memory_order_acquire);
		int error;

		if (state == TTLOG_PROCESS_READY)
			return -EALREADY;
		if (state == TTLOG_PROCESS_STARTING)
			error = wait_for_start(life);
		else
			error = run_start(life, state, settings);
		if (state == TTLOG_PROCESS_STARTING ? error : error != -EALREADY)
			return error;
	}
}

void ttlog_process_close(void)
{
	struct ttlog_life *life = ttlog_life();
	uint32_t ready = TTLOG_PROCESS_READY;

	if (!atomic_compare_exchange_strong(&life->state, &ready, TTLOG_PROCESS_CLOSED))
		return;
	__atomic_store_n(&ttlog_place_.control->level, TTLOG_OFF, __ATOMIC_RELAXED);
	ttlog_attach_goodbye();
}

void ttlog_process_set_level(uint32_t level)
{
	__atomic_store_n(&settings_.level, level, __ATOMIC_RELAXED); /* for children */
	__atomic_store_n(&ttlog_place_.control->level, level, __ATOMIC_RELAXED);
}
