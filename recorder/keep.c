/* SPDX-License-Identifier: MIT */
/*
 * keep.c - the index of the recorder's own folder, under a lock, and what is removed from it.
 *
 * Others may add and remove files too (an operator, a second recorder), so the folder is looked at
 * again now and then, before something is removed for good reasons that may be gone.
 */
#include "recorder/keep.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "recorder/counters.h"
#include "recorder/dumper.h"
#include "recorder/keep_found.h"
#include "recorder/log.h"
#include "recorder/now.h"

#define SECOND_NS UINT64_C(1000000000)
#define SCAN_AGAIN_NS (600 * SECOND_NS)
#define SWEEP_MIN_S 60
#define SWEEP_MAX_S 3600

struct keep {
	const struct store *store;
	struct loop *loop;
	struct workers *workers;
	struct keep_loops loops; /* the loop's */
	struct loop_timer sweep_timer;
	keep_found_fn found_fn; /* the loop's */
	void *found_context;

	pthread_mutex_t limits_lock; /* held for moments: the loop takes it too */
	struct keep_limits limits;

	pthread_mutex_t lock; /* of all below; workers wait for each other's disk here */
	struct keep_index index;
	bool scanned, said_unreadable;
	uint64_t scanned_ns; /* CLOCK_MONOTONIC */
};

static struct keep_limits limits_of(struct keep *keep)
{
	struct keep_limits limits;

	pthread_mutex_lock(&keep->limits_lock);
	limits = keep->limits;
	pthread_mutex_unlock(&keep->limits_lock);
	return limits;
}

/* ---- with the lock: looking and removing ------------------------------------------------ */

static void tell_counters(const struct keep *keep)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < keep->index.count; i++)
		bytes += keep->index.dump[i]->bytes;
	counters.store_files = keep->index.count;
	counters.store_bytes = bytes;
}

static void scan(struct keep *keep)
{
	const int err = keep_index_scan(&keep->index, keep->store->dir_fd, geteuid());

	keep->scanned_ns = now_ns(CLOCK_MONOTONIC);
	if (err) {
		log_error("%s: can't be read, so no quota is kept: %s", keep->store->path,
			  strerror(-err));
		return;
	}
	keep->scanned = true;
	if (keep->index.unreadable && !keep->said_unreadable)
		log_say("%s: %zu file(s) there have names of dumps and are none; they stay",
			keep->store->path, keep->index.unreadable);
	keep->said_unreadable = keep->index.unreadable;
}

static void scan_if_old(struct keep *keep)
{
	if (!keep->scanned || now_ns(CLOCK_MONOTONIC) - keep->scanned_ns >= SCAN_AGAIN_NS)
		scan(keep);
}

/*
 * Only if it still is the file that was looked at: between then and now the name may have become
 * another's. Returns the bytes that came free; the dump leaves the index unless it can't be
 * removed.
 */
static uint64_t remove_dump(struct keep *keep, size_t at, enum keep_why why)
{
	const struct keep_dump *dump = keep->index.dump[at];
	const int dir_fd = keep->store->dir_fd;
	struct stat status;
	uint64_t bytes = 0;

	if (keep_index_is_there(dump, dir_fd, &status)) {
		if (unlinkat(dir_fd, dump->name, 0) && errno != ENOENT) {
			log_limited(LOG_LEVEL_ERROR, "%s/%s: can't be removed: %s",
				    keep->store->path, dump->name, strerror(errno));
			return 0;
		}
		bytes = status.st_nlink == 1 ? (uint64_t)status.st_blocks * 512 : 0;
		counters.store_shed_files++;
		counters.store_shed_bytes += dump->bytes;
		log_detail("%s removed: %s", dump->name, keep_why_name(why));
	}
	keep_index_remove(&keep->index, at);
	return bytes;
}

struct removals {
	size_t count[KEEP_WHY_COUNT];
	size_t all;
};

static void say_removals(const struct keep *keep, const struct removals *removals)
{
	if (!removals->all)
		return;
	log_say("%s: %zu older dump%s removed (%zu by age, %zu of crash loops, %zu of services "
		"with enough, %zu to stay within the total, %zu of sets); %zu left",
		keep->store->path, removals->all, removals->all == 1 ? "" : "s",
		removals->count[KEEP_AGE], removals->count[KEEP_LOOP],
		removals->count[KEEP_SERVICE], removals->count[KEEP_TOTAL],
		removals->count[KEEP_SET], keep->index.count);
}

static void enforce(struct keep *keep)
{
	const struct keep_limits limits = limits_of(keep);
	struct removals removals = {0};
	enum keep_why *why;

	if (!keep->scanned)
		return;
	why = calloc(keep->index.count + 1, sizeof(*why));
	if (why && keep_choose(&keep->index, &limits, now_ns(CLOCK_REALTIME), why) > 0) {
		/* From the end: those before keep their places. */
		for (size_t i = keep->index.count; i--;) {
			const size_t before = keep->index.count;

			if (why[i] == KEEP_STAYS)
				continue;
			remove_dump(keep, i, why[i]);
			removals.count[why[i]] += before - keep->index.count;
			removals.all += before - keep->index.count;
		}
		say_removals(keep, &removals);
	}
	free(why);
	tell_counters(keep);
}

/* ---- the floor -------------------------------------------------------------------------- */

/* Five per cent of a large disk are more than anybody needs. */
#define FREE_SHARE_MAX (UINT64_C(4) << 30)

static int read_free(const struct keep *keep, const struct keep_limits *limits, uint64_t *ret_free,
		     uint64_t *ret_floor)
{
	struct statvfs status;
	uint64_t share;

	if (fstatvfs(keep->store->dir_fd, &status))
		return -errno;
	/* One that has no size says nothing of its room: ramfs, of which an initramfs is. */
	*ret_free = status.f_blocks ? (uint64_t)status.f_bavail * status.f_frsize : INT64_MAX;
	share = (uint64_t)status.f_blocks * status.f_frsize / 100 * limits->free_percent;
	if (share > FREE_SHARE_MAX)
		share = FREE_SHARE_MAX;
	*ret_floor = limits->free_bytes ? limits->free_bytes : share;
	return 0;
}

int keep_space(struct keep *keep, uint64_t *ret_free, uint64_t *ret_floor)
{
	const struct keep_limits limits = limits_of(keep);

	return read_free(keep, &limits, ret_free, ret_floor);
}

/* Removes the oldest until so many bytes came free, if all of them together would do. */
static bool free_bytes(struct keep *keep, uint64_t bytes)
{
	uint64_t all = 0, freed = 0;
	size_t count = 0;

	scan_if_old(keep);
	for (size_t i = 0; i < keep->index.count; i++)
		all += keep->index.dump[i]->bytes;
	if (all < bytes)
		return false;
	for (size_t at = 0; at < keep->index.count && freed < bytes;) {
		const size_t before = keep->index.count;

		freed += remove_dump(keep, at, KEEP_TOTAL);
		at += before == keep->index.count;
		count += before - keep->index.count;
	}
	if (count)
		log_limited(
			LOG_LEVEL_WARNING,
			"%s: %zu older dump%s removed: the file system has too little free space",
			keep->store->path, count, count == 1 ? "" : "s");
	tell_counters(keep);
	return freed >= bytes;
}

/* 0: there is room for them above the floor, however high that is. */
static uint64_t missing(uint64_t available, uint64_t floor, uint64_t bytes)
{
	uint64_t wanted;

	if (__builtin_add_overflow(floor, bytes, &wanted))
		wanted = UINT64_MAX;
	return wanted > available ? wanted - available : 0;
}

int keep_room(void *context, uint64_t bytes)
{
	struct keep *keep = context;
	const struct keep_limits limits = limits_of(keep);
	uint64_t available, floor;
	bool fine;

	if (!limits.free_bytes && !limits.free_percent)
		return 0;
	/* Where it can't be asked the write itself will tell. */
	if (read_free(keep, &limits, &available, &floor) || !missing(available, floor, bytes))
		return 0;
	pthread_mutex_lock(&keep->lock);
	/* Somebody may have made room while we waited. */
	fine = !read_free(keep, &limits, &available, &floor) &&
	       (!missing(available, floor, bytes) ||
		free_bytes(keep, missing(available, floor, bytes)));
	pthread_mutex_unlock(&keep->lock);
	return fine ? 0 : -ENOSPC;
}

/* ---- what workers do -------------------------------------------------------------------- */

void keep_written(struct keep *keep, const char *path)
{
	const char *slash = strrchr(path, '/');
	int err;

	pthread_mutex_lock(&keep->lock);
	err = keep_index_add(&keep->index, keep->store->dir_fd, slash ? slash + 1 : path,
			     geteuid());
	if (err && err != -EEXIST)
		log_detail("%s: not in the index: %s", path, strerror(-err));
	scan_if_old(keep);
	enforce(keep);
	pthread_mutex_unlock(&keep->lock);
}

struct job {
	struct workers_job job;
	struct keep *keep;
	struct keep_place *places; /* of crash loops, for the loop */
	uint64_t *times;
	size_t count;
	struct keep_found *found;
	size_t found_count;
	bool first;
};

static void remember_loops(struct job *job, const struct keep_index *index)
{
	job->places = calloc(index->count + 1, sizeof(*job->places));
	job->times = calloc(index->count + 1, sizeof(*job->times));
	if (!job->places || !job->times)
		return;
	for (size_t i = 0; i < index->count; i++) {
		const struct summary *summary = &index->dump[i]->summary;

		if (!summary->loop_count)
			continue;
		job->places[job->count] = (struct keep_place){.key = summary->loop_key,
							      .since_ns = summary->loop_since_ns,
							      .count = summary->loop_count};
		job->times[job->count++] = summary->created_ns;
	}
}

static void run_job(struct workers_job *workers_job)
{
	struct job *job = (struct job *)workers_job;
	struct keep *keep = job->keep;

	pthread_mutex_lock(&keep->lock);
	job->first = !keep->scanned;
	scan(keep);
	if (job->first) {
		remember_loops(job, &keep->index);
		job->found = keep_find_deaths(&keep->index, &job->found_count);
	}
	enforce(keep);
	pthread_mutex_unlock(&keep->lock);
}

static void set_sweep(struct keep *keep);

static void tell_found(const struct job *job)
{
	const struct keep *keep = job->keep;
	char path[PATH_MAX + NAME_MAX + 2];

	if (!keep->found_fn)
		return;
	for (size_t i = 0; i < job->found_count; i++) {
		snprintf(path, sizeof(path), "%s/%s", keep->store->path, job->found[i].name);
		keep->found_fn(keep->found_context, &job->found[i].summary, path);
	}
	keep->found_fn(keep->found_context, NULL, NULL);
}

static void job_done(struct workers_job *workers_job)
{
	struct job *job = (struct job *)workers_job;

	for (size_t i = 0; i < job->count; i++)
		keep_loops_remember(&job->keep->loops, &job->places[i], job->times[i]);
	if (job->first)
		tell_found(job);
	set_sweep(job->keep);
	free(job->found);
	free(job->places);
	free(job->times);
	free(job);
}

static int submit(struct keep *keep)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return -ENOMEM;
	job->job = (struct workers_job){.run = run_job, .done = job_done};
	job->keep = keep;
	workers_submit(keep->workers, &job->job);
	return 0;
}

void keep_tell_found(struct keep *keep, keep_found_fn fn, void *context)
{
	keep->found_fn = fn;
	keep->found_context = context;
}

/* ---- what the loop does ----------------------------------------------------------------- */

static void sweep(void *context)
{
	if (submit(context))
		set_sweep(context);
}

/* Age comes without anybody dying. Without a limit on it nobody is woken. */
static void set_sweep(struct keep *keep)
{
	uint64_t seconds = limits_of(keep).age_s / 10;

	loop_timer_clear(&keep->sweep_timer);
	if (!limits_of(keep).age_s)
		return;
	if (seconds < SWEEP_MIN_S)
		seconds = SWEEP_MIN_S;
	if (seconds > SWEEP_MAX_S)
		seconds = SWEEP_MAX_S;
	loop_timer_set(keep->loop, &keep->sweep_timer, seconds * 1000, sweep, keep);
}

static bool may_loop(const struct verdict *verdict)
{
	return verdict->how != VERDICT_ALIVE && verdict->how != VERDICT_EXEC &&
	       !(verdict->how == VERDICT_EXIT && verdict->exit_code == 0);
}

bool keep_admit(struct keep *keep, const struct subject *subject, const struct verdict *verdict,
		struct keep_place *ret_place)
{
	struct keep_death death;
	bool admitted;

	*ret_place = (struct keep_place){0};
	if (!keep || !may_loop(verdict))
		return true;
	keep_death_of(subject, verdict, &death);
	admitted = keep_loops_admit(&keep->loops, limits_of(keep).loop_first, &death, ret_place);
	if (!admitted && ret_place->is_new)
		log_limited(LOG_LEVEL_WARNING,
			    "%s: a crash loop, %" PRIu64
			    " deaths of one kind so far: from now on only "
			    "some of them are dumped, one a minute",
			    subject->service, ret_place->count);
	else if (admitted && ret_place->unwritten)
		log_limited(LOG_LEVEL_WARNING,
			    "%s: in a crash loop, death %" PRIu64 "; %" PRIu64
			    " before it %s not dumped",
			    subject->service, ret_place->count, ret_place->unwritten,
			    ret_place->unwritten == 1 ? "was" : "were");
	return admitted;
}

void keep_set_limits(struct keep *keep, const struct keep_limits *limits)
{
	pthread_mutex_lock(&keep->limits_lock);
	keep->limits = *limits;
	pthread_mutex_unlock(&keep->limits_lock);
	counters.store_quota_bytes = limits->bytes;
	if (submit(keep))
		log_error("no memory to look at the dumps again");
}

int keep_open(struct keep **ret_keep, struct loop *loop, struct workers *workers,
	      const struct store *store, const struct keep_limits *limits)
{
	struct keep *keep = calloc(1, sizeof(*keep));
	int err;

	if (!keep)
		return -ENOMEM;
	keep->loop = loop;
	keep->workers = workers;
	keep->store = store;
	keep->limits = *limits;
	pthread_mutex_init(&keep->lock, NULL);
	pthread_mutex_init(&keep->limits_lock, NULL);
	counters.store_quota_bytes = limits->bytes;
	err = submit(keep);
	if (err) {
		keep_close(keep);
		return err;
	}
	*ret_keep = keep;
	return 0;
}

void keep_close(struct keep *keep)
{
	if (!keep)
		return;
	loop_timer_clear(&keep->sweep_timer);
	keep_index_fini(&keep->index);
	pthread_mutex_destroy(&keep->lock);
	pthread_mutex_destroy(&keep->limits_lock);
	free(keep);
}

int keep_parse_free(const char *text, uint64_t *ret_bytes, unsigned int *ret_percent)
{
	static const char suffixes[] = "kmgt";
	unsigned long long number;
	const char *suffix;
	char *end;

	*ret_bytes = 0;
	*ret_percent = 0;
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno)
		return -EINVAL;
	if (!strcmp(end, "%")) {
		*ret_percent = (unsigned int)number;
		return number <= 99 ? 0 : -EINVAL;
	}
	suffix = *end ? strchr(suffixes, tolower((unsigned char)*end)) : NULL;
	if (*end && (!suffix || end[1]))
		return -EINVAL;
	return __builtin_mul_overflow(
		       number, suffix ? UINT64_C(1) << (10 * (suffix - suffixes + 1)) : UINT64_C(1),
		       ret_bytes)
		       ? -EINVAL
		       : 0;
}
