/* SPDX-License-Identifier: MIT */
/* dumper_write.c - one job a dump: read the region, write the file, name it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/reader.h"
#include "recorder/dump_writer.h"
#include "recorder/dumper_parts.h"
#include "recorder/log.h"
#include "recorder/now.h"

/* A dump that waited for so long has others behind it: its stacks are kept and not unwound. */
#define UNWINDING_WAIT_MS 2000
/* Servers are asked over the network. */
#define DEBUGINFOD_TIMEOUT_MS 60000

/* With a reading that is later than all that was copied. */
static void take_time(struct order *order)
{
	const struct subject *subject = order->subject;
	struct timeline *timeline = &order->timeline;
	struct ttlog_clock_point now;
	uint64_t width_ticks;

	calibration_copy(order->dumper->calibration, timeline);
	if (subject->clock_source == timeline->source ||
	    subject->clock_source == TTLOG_CLOCK_MONOTONIC)
		return;
	/* A client that trusts a counter which we do not. */
	timeline_init(timeline, subject->clock_source, 0);
	timeline_add(timeline, &subject->clock, 0);
	width_ticks = ttlog_clock_read(subject->clock_source, &now);
	timeline_add(timeline, &now, width_ticks);
}

static struct dump_facts facts_of(const struct order *order)
{
	const struct subject *subject = order->subject;
	const struct identity *identity = &subject->identity;

	return (struct dump_facts){
		.service = subject->service,
		.hostname = order->dumper->hostname,
		.reason = order->reason,
		.pid = (uint32_t)subject->pid,
		.created_ns = now_ns(CLOCK_REALTIME),
		.verdict = order->verdict,
		.evidence = order->have_evidence ? &order->evidence : NULL,
		.process =
			{
				.comm = identity->comm,
				.exe = identity->exe,
				.cmdline = identity->cmdline,
				.cgroup = identity->cgroup,
				.uid = identity->uid,
				.gid = identity->gid,
				.ppid = identity->ppid,
				.start_ns = identity->start_ns,
			},
		.identity = identity,
		.timeline = &order->timeline,
		.clock_source = subject->clock_source,
		.clock_mode = subject->geometry.clock_mode,
		.set = order->set.name[0] ? &order->set : NULL,
		.recorder_version = TTLOG_VERSION,
		.rung = order->dumper->rung,
		.found = subject->found,
		.region_bytes = subject->geometry.region_bytes,
		.history_bytes = order->history ? order->history->bytes : 0,
		.history_budget_bytes = order->history ? order->history->budget_bytes : 0,
	};
}

/* By the same line as the events of the dump, one of which it may be. */
static void date_occasion(struct order *order)
{
	struct occasion *occasion = &order->verdict.occasion;
	const struct ttlog_clock_line line =
		timeline_line(&order->timeline, order->subject->clock_source);

	if (occasion->kind == OCCASION_EVENT)
		occasion->event.time_ns = ttlog_clock_realtime_ns(&line, occasion->event.ticks);
}

static void say_not_unwound(const struct order *order, int err)
{
	log_detail("%s (pid %d): its stacks were not unwound to the end: %s",
		   order->subject->service, (int)order->subject->pid, strerror(-err));
}

/* Begins with it: a child is at it while events are encoded. */
static void unwind(struct order *order, struct scene *scene)
{
	const struct dumper *dumper = order->dumper;
	const struct unwind_options options = {
		.debuginfod = dumper->debuginfod,
		.timeout_ms = dumper->unwind_timeout_ms ? dumper->unwind_timeout_ms
			      : dumper->debuginfod	? DEBUGINFOD_TIMEOUT_MS
							: UNWIND_TIMEOUT_MS,
	};
	int err;

	if (!dumper->unwinds) {
		unwind_decline(scene, "not unwound: not wanted");
		return;
	}
	/* Who gives one more time has time for several. */
	if (now_ms() - order->submitted_ms > UNWINDING_WAIT_MS &&
	    now_ms() - order->submitted_ms > dumper->unwind_timeout_ms) {
		unwind_decline(scene, "not unwound: too many dumps were waiting");
		return;
	}
	if (!scene->thread_count)
		return;
	err = unwind_begin(&order->unwind, scene, &options);
	if (err)
		say_not_unwound(order, err);
}

/* True: the scene has all frames that it will have. */
static bool unwound(void *context, bool waits)
{
	struct order *order = context;
	int err;

	if (!order->unwind)
		return true;
	if (!unwind_poll(order->unwind) && !waits)
		return false;
	err = unwind_end(order->unwind, waits);
	order->unwind = NULL;
	if (err)
		say_not_unwound(order, err);
	return true;
}

/* Where its threads were. Without memory for it the dump is written all the same. */
static bool make_scene(struct order *order, struct scene *ret_scene)
{
	const struct subject *subject = order->subject;
	struct capture *capture = order->capture;

	order->capture = NULL;
	if (!capture || capture_finish(capture, order->modules, subject->root_fd, ret_scene))
		return false;
	ret_scene->uid = subject->identity.uid;
	ret_scene->gid = subject->identity.gid;
	unwind(order, ret_scene);
	return true;
}

static void make_signature(struct order *order, const struct scene *scene)
{
	const struct signature_facts facts = {
		.verdict = &order->verdict,
		.exe = order->subject->identity.exe,
		.scene = scene,
		.modules = order->modules ? order->modules->list : NULL,
		.module_count = order->modules ? order->modules->count : 0,
	};

	signature_make(&facts, order->signature);
}

static int write_with(struct order *order, struct ttlog_reader *reader, const struct scene *scene)
{
	struct store *store = order->dumper->store;
	struct dump_facts facts;
	struct store_file file;
	struct stat status;
	int err;

	take_time(order);
	date_occasion(order);
	facts = facts_of(order);
	facts.scene = scene;
	facts.scene_ready = unwound;
	facts.scene_context = order;
	facts.loop_key = order->place.key;
	facts.loop_since_ns = order->place.since_ns;
	facts.loop_count = order->place.count;
	facts.room = order->dumper->keep ? keep_room : NULL;
	facts.room_context = order->dumper->keep;
	err = store_create(store, &file);
	if (err)
		return err;
	if (order->subject->identity.is_plain)
		file.reader = order->subject->identity.uid;
	err = dump_write(file.fd, reader, &facts);
	if (!err) {
		make_signature(order, scene);
		err = dump_write_signature(file.fd, order->signature);
	}
	if (err) {
		store_abandon(store, &file);
		return err;
	}
	if (!fstat(file.fd, &status))
		order->file_bytes = (uint64_t)status.st_size;
	err = store_commit(store, &file, facts.pid, facts.created_ns, facts.reason, order->path);
	order->written_ms = now_ms();
	/* Before it may be removed again. */
	if (!err && order->dumper->hook)
		order->dump_fd = open(order->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (!err && order->dumper->keep)
		keep_written(order->dumper->keep, order->path);
	return err;
}

/*
 * A living process may have loaded libraries since it registered, and not every kernel can say so at its
 * death. It is the same process as long as it started at the same moment.
 */
static void refresh_modules(struct order *order)
{
	const struct subject *subject = order->subject;
	struct identity now = {0};

	if (order->verdict.how != VERDICT_ALIVE ||
	    modules_read(subject->pid, subject->root_fd, &order->fresh))
		return;
	/* Afterwards: until here it was this process. One that is dying has no mappings left. */
	if (identity_read(subject->pid, &now) || !order->fresh->count ||
	    now.start_ticks != subject->identity.start_ticks) {
		modules_release(order->fresh);
		order->fresh = NULL;
	}
	identity_free(&now);
}

/* With what was saved of it. Without the memory for that, what the ring holds. */
static int open_reader(struct order *order, struct history_cut *cut, struct ttlog_reader **ret_reader)
{
	const struct subject *subject = order->subject;

	if (subject->history && !history_cut_init(cut, subject->history)) {
		if (!ttlog_reader_open_with(ret_reader, subject->base, &subject->geometry,
					    &cut->reader)) {
			order->history = cut;
			return 0;
		}
		history_cut_fini(cut);
	}
	return ttlog_reader_open(ret_reader, subject->base, &subject->geometry);
}

static void close_reader(struct order *order, struct history_cut *cut, struct ttlog_reader *reader)
{
	ttlog_reader_close(reader);
	if (order->history)
		history_cut_fini(cut);
	order->history = NULL;
}

void dumper_write(struct workers_job *job)
{
	struct order *order = (struct order *)job;
	struct ttlog_reader *reader = NULL;
	struct history_cut cut;
	struct scene scene;
	const bool has_scene = make_scene(order, &scene); /* first of all: others are at it now */

	order->err = open_reader(order, &cut, &reader);
	if (!order->err)
		order->err = write_with(order, reader, has_scene ? &scene : NULL);
	close_reader(order, &cut, reader);
	if (order->unwind) /* there will be no dump, and nobody waits for frames */
		unwind_end(order->unwind, false);
	if (has_scene)
		scene_clear(&scene);
	refresh_modules(order);
}
