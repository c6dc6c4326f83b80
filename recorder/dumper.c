/* SPDX-License-Identifier: MIT */
/* dumper.c - one job a dump: read the region, write the file, name it. */
#include "recorder/dumper.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/reader.h"
#include "recorder/counters.h"
#include "recorder/dump_writer.h"
#include "recorder/log.h"
#include "recorder/rings.h"
#include "recorder/obituary.h"
#include "recorder/signature.h"
#include "recorder/unwind.h"

#define SENTENCE_BYTES 512
/* A dump that waited for so long has others behind it: its stacks are kept and not unwound. */
#define UNWINDING_WAIT_MS 2000
#define DUMPS_BEFORE_TRIM 16
/* Servers are asked over the network. */
#define DEBUGINFOD_TIMEOUT_MS 60000

struct order {
	struct workers_job job;
	uint64_t number;
	struct dumper *dumper;
	struct subject *subject;
	bool have_evidence;
	struct evidence evidence;
	struct verdict verdict;
	char reason[DUMPER_REASON_BYTES];
	int err; /* of the worker */
	char path[PATH_MAX];
	char signature[SIGNATURE_BYTES];
	struct keep_place place;
	int dump_fd; /* for the command; -1: none */
	struct timeline timeline;
	struct capture *capture; /* until the worker makes the scene of it */
	struct unwind *unwind;	 /* the worker's: it is at the scene */
	struct modules *modules;
	struct dump_set set; /* without a name: none */
	const struct history_cut *history; /* while the worker writes; NULL: none */
	uint64_t submitted_ms, written_ms;
	uint64_t file_bytes;
	struct modules *fresh; /* read for a snapshot; NULL: no news */
};

void dumper_init(struct dumper *dumper, struct workers *workers, struct store *store,
		 struct calibration *calibration, const char *rung)
{
	*dumper = (struct dumper){.workers = workers,
				  .store = store,
				  .calibration = calibration,
				  .rung = rung};
	if (gethostname(dumper->hostname, sizeof(dumper->hostname) - 1))
		strcpy(dumper->hostname, "unknown");
	log_clean(dumper->hostname, LOG_CLEAN_LINE);
}

int dumper_tell(struct dumper *dumper, dumper_told_fn fn, void *context)
{
	struct dumper_teller *free_one = NULL;

	for (int i = 0; i < DUMPER_TELLERS_MAX; i++) {
		struct dumper_teller *teller = &dumper->tellers[i];

		if (teller->fn == fn && teller->context == context)
			return 0;
		if (!teller->fn && !free_one)
			free_one = teller;
	}
	if (!free_one)
		return -ENOMEM;
	*free_one = (struct dumper_teller){.fn = fn, .context = context};
	return 0;
}

void dumper_untell(struct dumper *dumper, const void *context)
{
	for (int i = 0; i < DUMPER_TELLERS_MAX; i++)
		if (dumper->tellers[i].context == context)
			dumper->tellers[i] = (struct dumper_teller){0};
}

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
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (struct dump_facts){
		.service = subject->service,
		.hostname = order->dumper->hostname,
		.reason = order->reason,
		.pid = (uint32_t)subject->pid,
		.created_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec,
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

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
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
		.timeout_ms = dumper->debuginfod ? DEBUGINFOD_TIMEOUT_MS : UNWIND_TIMEOUT_MS,
	};
	int err;

	if (!dumper->unwinds) {
		unwind_decline(scene, "not unwound: not wanted");
		return;
	}
	if (now_ms() - order->submitted_ms > UNWINDING_WAIT_MS) {
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

static void write_dump(struct workers_job *job)
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

/*
 * A storm of deaths leaves a heap full of holes behind: once its last dump is written they go back to
 * the system. Not after each dump, as it walks through all of the heap.
 */
static void give_memory_back(struct dumper *dumper)
{
	if (++dumper->untrimmed < DUMPS_BEFORE_TRIM || workers_pending(dumper->workers))
		return;
	dumper->untrimmed = 0;
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

static void count(const struct order *order)
{
	const enum counters_trigger trigger =
		counters_trigger_of(&order->verdict, order->reason);
	struct timespec now;

	counters.dumps[trigger][order->err ? COUNTERS_RESULT_FAILED : COUNTERS_RESULT_WRITTEN]++;
	if (order->err)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	counters.last_dump_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
	counters.dump_bytes += order->file_bytes;
	counters_observe(&counters.dump_seconds, counters_seconds_bound,
			 (double)(order->written_ms - order->submitted_ms) / 1e3);
	counters_observe(&counters.dump_sizes, counters_bytes_bound, (double)order->file_bytes);
}

static void run_hook(const struct order *order, const char *sentence)
{
	const struct subject *subject = order->subject;
	const struct verdict *verdict = &order->verdict;
	char signal[32];
	const struct hook_facts facts = {
		.dump = order->path,
		.service = subject->service,
		.hostname = order->dumper->hostname,
		.exe = subject->identity.exe,
		.reason = order->reason,
		.how = verdict_how_name(verdict->how),
		.signal = verdict->have_signal
				  ? verdict_signal_name(verdict->signal, signal, sizeof(signal))
				  : NULL,
		.signature = order->signature,
		.sentence = sentence,
		.pid = (uint32_t)subject->pid,
		.uid = subject->identity.uid,
		.bytes = order->file_bytes,
		.loop_count = order->place.count,
		.exit_code = verdict->have_exit_code ? verdict->exit_code : -1,
	};

	hook_run(order->dumper->hook, &facts, order->dump_fd);
}

static void tell_of_death(struct dumper *dumper, const struct order *order)
{
	struct obituary obituary = {
		.subject = order->subject,
		.verdict = &order->verdict,
		.reason = order->reason,
		.loop_count = order->place.count,
		.dump = order->err ? NULL : order->path,
		.signature = order->signature,
		.dump_err = order->err,
	};

	obituary_dumped(dumper, &obituary);
}

static void dump_done(struct workers_job *job)
{
	struct order *order = (struct order *)job;
	struct subject *subject = order->subject;
	struct dumper *dumper = order->dumper;
	char sentence[SENTENCE_BYTES];

	dump_sentence(&order->verdict, sentence, sizeof(sentence));
	count(order);
	if (order->err) {
		order->dumper->failed++;
		log_limited(LOG_LEVEL_ERROR,
			    "%s (pid %d): %s; its dump (%s) could not be written: %s",
			    subject->service, (int)subject->pid, sentence, order->reason,
			    strerror(-order->err));
	} else {
		order->dumper->written++;
		log_say("%s (pid %d): %s: %s", subject->service, (int)subject->pid, sentence,
			order->path);
	}
	for (int i = 0; i < DUMPER_TELLERS_MAX; i++)
		if (dumper->tellers[i].fn)
			dumper->tellers[i].fn(dumper->tellers[i].context, order->number, order->err,
					      order->path);
	if (!order->err && dumper->hook)
		run_hook(order, sentence);
	tell_of_death(dumper, order);
	subject->dumps_pending--;
	capture_free(order->capture);
	modules_release(order->modules);
	if (order->fresh) {
		modules_release(subject->modules);
		subject->modules = order->fresh;
	}
	subject_release(subject);
	free(order);
	give_memory_back(dumper);
}

int dumper_submit(struct dumper *dumper, struct subject *subject, const struct evidence *evidence,
		  struct capture *capture, const struct verdict *verdict, const char *reason)
{
	const int err =
		dumper_submit_in(dumper, subject, evidence, capture, verdict, reason, NULL);

	return err == DUMPER_SHED ? 0 : err;
}

int dumper_submit_in(struct dumper *dumper, struct subject *subject,
		     const struct evidence *evidence, struct capture *capture,
		     const struct verdict *verdict, const char *reason, const struct dump_set *set)
{
	struct keep_place place;
	struct obituary obituary = {.subject = subject, .verdict = verdict, .reason = reason};
	struct order *order;

	if (!keep_admit(dumper->keep, subject, verdict, &place)) {
		counters.dumps[counters_trigger_of(verdict, reason)][COUNTERS_RESULT_SHED]++;
		capture_free(capture);
		log_detail("%s (pid %d): %s, death %" PRIu64 " in a crash loop: not dumped",
			   subject->service, (int)subject->pid, reason, place.count);
		obituary.loop_count = place.count;
		obituary_publish(dumper, &obituary, false);
		return DUMPER_SHED;
	}
	order = calloc(1, sizeof(*order));
	if (!order) {
		dumper->failed++;
		counters.dumps[counters_trigger_of(verdict, reason)][COUNTERS_RESULT_FAILED]++;
		capture_free(capture);
		log_limited(LOG_LEVEL_ERROR, "%s (pid %d): no memory for its dump",
			    subject->service, (int)subject->pid);
		obituary.dump_err = -ENOMEM;
		obituary_publish(dumper, &obituary, false);
		return -ENOMEM;
	}
	order->job = (struct workers_job){.run = write_dump, .done = dump_done};
	order->number = ++dumper->submitted;
	order->dumper = dumper;
	order->subject = subject;
	order->place = place;
	order->dump_fd = -1;
	order->capture = capture;
	order->submitted_ms = now_ms();
	order->modules = subject->modules;
	if (order->modules)
		order->modules->holders++;
	if (evidence) {
		order->have_evidence = true;
		order->evidence = *evidence;
	}
	if (set)
		order->set = *set;
	order->verdict = *verdict;
	snprintf(order->reason, sizeof(order->reason), "%s", reason);
	log_clean(order->reason, LOG_CLEAN_LINE);
	subject->holders++;
	subject->dumps_pending++;
	obituary.loop_count = place.count;
	obituary_publish(dumper, &obituary, true);
	workers_submit_for(dumper->workers, &order->job, &subject->user->dumps);
	return 0;
}
