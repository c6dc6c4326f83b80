/* SPDX-License-Identifier: MIT */
/* dumper.c - orders dumps, and says what became of them. */
#include "recorder/dumper.h"

#include <errno.h>
#include <inttypes.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder/counters.h"
#include "recorder/dump_writer.h"
#include "recorder/dumper_parts.h"
#include "recorder/log.h"
#include "recorder/now.h"
#include "recorder/obituary.h"

#define SENTENCE_BYTES 512
#define DUMPS_BEFORE_TRIM 16

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
	const enum counters_trigger trigger = counters_trigger_of(&order->verdict, order->reason);

	counters.dumps[trigger][order->err ? COUNTERS_RESULT_FAILED : COUNTERS_RESULT_WRITTEN]++;
	if (order->err)
		return;
	counters.last_dump_ns = now_ns(CLOCK_REALTIME);
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
		.died_ns = order->died_ns,
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

	/* What fields hold is for those who may read the dump, not for all who read the log. */
	order->verdict.occasion.event.fields[0] = '\0';
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
	order->job = (struct workers_job){.run = dumper_write, .done = dump_done};
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
	order->died_ns = obituary.died_ns;
	workers_submit_for(dumper->workers, &order->job, &subject->user->dumps);
	return 0;
}
