/* SPDX-License-Identifier: MIT */
/* process.c - see process.h. Owns the place, the life page, and how both come about. */
#include "lib/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "lib/attach.h"
#include "lib/channel.h"
#include "lib/clock.h"
#include "lib/dict.h"
#include "lib/writer.h"

#define LIFE_BYTES TTLOG_PAGE_BYTES
#ifndef ANON_INODE_FS_MAGIC
#define ANON_INODE_FS_MAGIC 0x09041934 /* linux/magic.h */
#endif
#define START_WAIT_MS 1000 /* how long another thread's start is waited for, all in all */

struct ttlog_control ttlog_control_ __attribute__((visibility("default")));
struct ttlog_place ttlog_place_;

_Atomic(struct ttlog_life *) ttlog_life_page_;
static struct ttlog_life life_static; /* when there is no memory for a page */
static struct ttlog_settings settings_;
static struct ttlog_attach_fd region_fd = {.fd = -1};
static struct ttlog_attach_fd control_map_fd = {.fd = -1};

/* All maps have one inode: that this one is ours says the mark. */
static void drop_control_map(void)
{
	int fd = ttlog_attach_fd_get(&control_map_fd);

	if (fd >= 0 && syscall(SYS_fcntl, fd, F_GETSIG, 0) == TTLOG_CONTROL_MARK)
		ttlog_attach_fd_close(&control_map_fd);
	control_map_fd.fd = -1;
}

/* Kept open for the next recorder, like the region. What can't be marked can't be kept. */
static void keep_control_map(const struct ttlog_place *place, int fd)
{
	const void *own = place->base + place->geometry.control_offset;

	if (fd < 0)
		return;
	if (place->control != own && syscall(SYS_fcntl, fd, F_SETSIG, TTLOG_CONTROL_MARK) == 0)
		ttlog_attach_fd_keep(&control_map_fd, fd);
	else
		syscall(SYS_close, fd);
}

/* ---- the life page --------------------------------------------------------------------------- */

struct ttlog_life *ttlog_life_make_(void)
{
	struct ttlog_life *none = NULL;
	void *page;

	page = mmap(NULL, LIFE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* A kernel before 4.14 can't wipe, and qemu-user says that it does: then only fork() is
	 * noticed, by after_fork(). */
	if (page == MAP_FAILED)
		page = &life_static;
	else
		madvise(page, LIFE_BYTES, MADV_WIPEONFORK);
	if (!atomic_compare_exchange_strong_explicit(&ttlog_life_page_, &none, page,
						     memory_order_acq_rel, memory_order_acquire)) {
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
static void disown(const struct ttlog_place *place, uint64_t start)
{
	if (place->base)
		mmap(place->base + start, place->geometry.region_bytes - start,
		     PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}

/* Where the lanes start, whichever comes first. Nothing else is behind that: see is_usable(). */
static uint64_t lanes_offset(const struct ttlog_geometry *geometry)
{
	uint64_t first = geometry->region_bytes;

	for (uint32_t i = 0; i < geometry->lane_count; i++) {
		const struct ttlog_lane_geometry *lane = &geometry->lane[i];

		if (lane->records_offset < first)
			first = lane->records_offset;
		if (lane->chunks_offset < first)
			first = lane->chunks_offset;
	}
	return first;
}

static void after_fork(void)
{
	struct ttlog_life *life = atomic_load_explicit(&ttlog_life_page_, memory_order_acquire);
	int saved = errno;

	if (life)
		memset(life, 0, sizeof(*life));
	ttlog_thread_forget();
	disown(&ttlog_place_, lanes_offset(&ttlog_place_.geometry));
	ttlog_attach_forget();
	ttlog_attach_fd_close(&region_fd);
	drop_control_map();
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

/* For the debug line. strerror() takes locks and may allocate; this may be a signal handler. */
static const char *error_name(int error)
{
#ifdef __GLIBC__
	return strerrorname_np(-error);
#else
	return strerror(-error);
#endif
}

/* ---- start ----------------------------------------------------------------------------------- */

/*
 * Does a region of somebody else's making serve this client? Its lanes must take an event of 20
 * numbers, which can't be cut, and the same events wherever a thread's chunk comes from; they must
 * lie behind the rest, for after_fork().
 */
static bool is_usable(const struct ttlog_geometry *geometry, enum ttlog_clock_source source)
{
	const uint32_t least = TTLOG_EVENT_MIN + TTLOG_FIELDS_MAX * 8;
	const struct ttlog_lane_geometry *lane = geometry->lane;
	uint64_t lanes = lanes_offset(geometry);

	for (uint32_t i = 0; i < TTLOG_LANE_COUNT; i++)
		if (TTLOG_CHUNK_ROOM(lane[i].chunk_bytes) < least)
			return false;
	return geometry->clock_source == (uint32_t)source &&
	       geometry->clock_mode == settings_.clock_mode &&
	       lane[TTLOG_LANE_BOOT].chunk_bytes >= lane[TTLOG_LANE_MAIN].chunk_bytes &&
	       lane[TTLOG_LANE_AFTERLIFE].chunk_bytes >= lane[TTLOG_LANE_MAIN].chunk_bytes &&
	       geometry->control_offset < lanes && geometry->ledger_offset < lanes &&
	       geometry->dict_index_offset < lanes && geometry->dict_heap_offset < lanes &&
	       geometry->channels_offset < lanes;
}

/* Can a page of the descriptor be written to without a SIGBUS? A BPF map can't shrink either. */
static bool is_control_map(int fd)
{
	long seals = syscall(SYS_fcntl, fd, F_GET_SEALS, 0);
	struct statfs file_system;
	struct stat status;

	if (fstatfs(fd, &file_system) != 0 || fstat(fd, &status) != 0)
		return false;
	return file_system.f_type == ANON_INODE_FS_MAGIC ||
	       (seals >= 0 && (seals & F_SEAL_SHRINK) && status.st_size >= TTLOG_CONTROL_BYTES);
}

static int make_region(struct ttlog_place *place, enum ttlog_clock_source source, int *ret_fd,
		       void **ret_base)
{
	struct rlimit limit;
	int error;

	/* The kernel answers a file above this limit with a SIGXFSZ. */
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < place->geometry.region_bytes)
		return -EFBIG;
	error = ttlog_region_make(&place->geometry, settings_.service, source, ret_fd, ret_base);
	if (!error)
		ttlog_region_populate(*ret_base, &place->geometry);
	return error;
}

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
		if (!error && is_usable(&place->geometry, source) &&
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
			 error_name(attached));
	if (old)
		place->geometry = *old;
	else
		ttlog_region_plan_channels(settings_.region_bytes, settings_.channel_bytes,
					   &place->geometry);
	place->geometry.clock_mode = settings_.clock_mode;
	place->geometry.recorder_hash = ttlog_recorder_hash(settings_.socket);
	place->geometry.flush_interval_s = settings_.flush_interval_s;
	memcpy(place->geometry.group, settings_.group, sizeof(place->geometry.group));
	error = make_region(place, source, ret_fd, &base);
	if (error) {
		ttlog_attach_forget();
		return error;
	}
	place->geometry.clock_source = source;
	place->base = base;
	place->connected = attached == -ETIMEDOUT && ttlog_attach_offer(*ret_fd) == 0;
	return 0;
}

/*
 * Over what is mapped at address already. Threads that read there meanwhile see the old page or the
 * new one: the kernel holds their faults until it is done. The raw call, because TSan takes mmap()
 * for plain stores to all of the page.
 */
static int map_over(void *address, size_t bytes, int fd, uint64_t offset)
{
#ifdef SYS_mmap2
	long mapped = syscall(SYS_mmap2, address, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, fd,
			      (long)(offset / 4096));
#else
	long mapped = syscall(SYS_mmap, address, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, fd,
			      (long)offset);
#endif

	return mapped == -1 ? -errno : 0;
}

/* The client's view of a control map of the recorder's; NULL: it can't be used. */
static struct ttlog_control *map_control(int fd)
{
	void *view = MAP_FAILED;

	if (fd >= 0 && is_control_map(fd))
		view = mmap(NULL, TTLOG_CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return view == MAP_FAILED ? NULL : view;
}

/*
 * Lays the control page over ttlog_control_, read-only, and keeps a writable view elsewhere. With a
 * control map of the recorder's the kernel program writes to the same page; without it the page of
 * the region serves.
 */
static int lay_control(struct ttlog_place *place, int fd, int control_fd)
{
	uint64_t offset = place->geometry.control_offset;

	place->control = map_control(control_fd);
	if (place->control) {
		fd = control_fd;
		offset = 0;
	} else {
		place->control = (void *)(place->base + offset);
	}
	__atomic_store_n(&place->control->level, settings_.level, __ATOMIC_RELAXED);
	return map_over(&ttlog_control_, TTLOG_CONTROL_BYTES, fd, offset);
}

static int start(void)
{
	struct ttlog_place place = {0};
	int fd = -1, control_fd = -1;
	int error;

	/* After a raw clone() nobody ran after_fork(). */
	ttlog_attach_forget();
	ttlog_attach_fd_close(&region_fd);
	drop_control_map();
	error = find_region(&place, &fd, &control_fd);
	if (error)
		return error;
	if (ttlog_place_.base) {
		ttlog_dict_carry(&ttlog_place_, &place);
		ttlog_channel_carry(&ttlog_place_, &place);
	}
	error = lay_control(&place, fd, control_fd);
	if (error) {
		if (control_fd >= 0)
			syscall(SYS_close, control_fd);
		ttlog_region_unmap(place.base, &place.geometry);
		syscall(SYS_close, fd);
		return error;
	}
	/* The parent's region is held by its mapping, for as long as we live: let go of all of it.
	 */
	disown(&ttlog_place_, 0);
	/* Kept open, so that a recorder that starts later can take it with pidfd_getfd(). */
	ttlog_attach_fd_keep(&region_fd, fd);
	keep_control_map(&place, control_fd);
	/* The base last: a fork by another thread between these leaves the child one or no region.
	 */
	ttlog_place_.geometry = place.geometry;
	ttlog_place_.control = place.control;
	ttlog_place_.connected = place.connected;
	atomic_signal_fence(memory_order_seq_cst);
	ttlog_place_.base = place.base;
	if (!place.connected && settings_.socket[0])
		ttlog_attach_call();
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
		error = start();
	if (error)
		ttlog_debug_line(&settings_, "can't record", error_name(error));
	atomic_store_explicit(&life->overdue, 0, memory_order_relaxed);
	set_state(life, error ? TTLOG_PROCESS_FAILED : TTLOG_PROCESS_READY);
out:
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
	return error;
}

/*
 * Waits until another thread's start is over. Bounded: a vfork() child that shares our memory may
 * have died in it. Then it is waited for that long once, and never again.
 */
static int wait_for_start(struct ttlog_life *life)
{
	struct timespec slice = {0, 10 * 1000 * 1000};

	if (atomic_load_explicit(&life->starter, memory_order_relaxed) ==
	    (uint32_t)syscall(SYS_gettid))
		return -EDEADLK;
	for (int waited_ms = 0; waited_ms < START_WAIT_MS; waited_ms += 10) {
		if (atomic_load_explicit(&life->overdue, memory_order_relaxed))
			return -ETIMEDOUT;
		if (atomic_load_explicit(&life->state, memory_order_acquire) !=
		    TTLOG_PROCESS_STARTING)
			return 0;
		syscall(SYS_futex, &life->state, FUTEX_WAIT_PRIVATE, TTLOG_PROCESS_STARTING, &slice,
			NULL, 0);
	}
	atomic_store_explicit(&life->overdue, 1, memory_order_relaxed);
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

void ttlog_process_settings(struct ttlog_settings *ret_settings)
{
	*ret_settings = settings_;
}

void ttlog_process_close(void)
{
	struct ttlog_life *life = ttlog_life();
	uint32_t ready = TTLOG_PROCESS_READY;

	if (!atomic_compare_exchange_strong(&life->state, &ready, TTLOG_PROCESS_CLOSED))
		return;
	__atomic_store_n(&ttlog_place_.control->level, TTLOG_OFF, __ATOMIC_RELAXED);
	ttlog_process_take_back();
	ttlog_attach_goodbye();
}

void ttlog_process_notice(void)
{
	ttlog_attach_notice(&settings_);
}

int ttlog_process_snapshot(const char *reason)
{
	return ttlog_attach_snapshot(&settings_, reason);
}

int ttlog_process_snapshot_wait(const char *reason, uint32_t timeout_ms, char *path,
				size_t path_bytes)
{
	return ttlog_attach_snapshot_wait(&settings_, reason, timeout_ms, path, path_bytes);
}

void ttlog_process_set_level(uint32_t level)
{
	__atomic_store_n(&settings_.level, level, __ATOMIC_RELAXED); /* for children */
	__atomic_store_n(&ttlog_place_.control->level, level, __ATOMIC_RELAXED);
}
