/* SPDX-License-Identifier: MIT */
/* step_corners.c - scenarios that a service seldom comes to; see step_scenarios.c. */
#include <stdlib.h>
#include <string.h>

#include "lib/process.h"
#include "lib/ttlog_abi.h"
#include "lib/writer.h"
#include "tests/step_pieces.h"
#include "tests/step_scenarios.h"
#include "tests/step_tracer.h"

#define HUGE 4400u /* bytes of text that no chunk takes */

/* ---- events ---------------------------------------------------------------------------------- */

static void truncated(void)
{
	warm_up();
	record_info(0, HUGE);
	stepper_stop_here();
	record_info(0, HUGE);
	piece_is_over();
	record_after();
}

static void truncated_alert(void)
{
	warm_up();
	record_warn(3, HUGE);
	stepper_stop_here();
	record_warn(3, HUGE);
	piece_is_over();
	record_after();
}

static void truncated_nested(void)
{
	warm_up();
	stepper_stop_here();
	record_nested(1, LARGE);
	piece_is_over();
	record_after();
}

/* The same event in other types; two sites. */
static void record_types(void)
{
	uint64_t number = witness_start(0), mark = number * WITNESS_MARK;
	double real;

	memcpy(&real, &mark, sizeof(real));
	ttlog_info("step", "stream", 0.0f, "number", (long long)number, "bytes", (uint16_t)SMALL,
		   "text", ttlog_bytes(witness_text(number, SMALL), SMALL), "mark", real);
	witness_return(0, number);
	number = witness_start(0);
	ttlog_debug("step", "stream", (_Bool)0, "number", (unsigned long long)number, "bytes",
		    (signed char)0, "text", ttlog_bytes(NULL, 0), "mark",
		    (void *)(uintptr_t)(number * WITNESS_MARK));
	witness_return(0, number);
	number = witness_start(0);
	ttlog_debug("step", "stream", (char)0, "number", (int64_t)number, "bytes", (short)0, "text",
		    ttlog_bytes(NULL, 0), "mark", number * WITNESS_MARK);
	witness_return(0, number);
}

static void other_types(void)
{
	warm_up();
	record_types();
	stepper_stop_here();
	record_types();
	piece_is_over();
	record_after();
}

/* What a binding makes: spans and strings that the slow path has to cut. */
static void truncated_span(void)
{
	static const uint8_t types[] = {TTLOG_TYPE_U32, TTLOG_TYPE_U64, TTLOG_TYPE_U32,
					TTLOG_TYPE_BYTES, TTLOG_TYPE_U64};
	static const char *const names[] = {"stream", "number", "bytes", "text", "mark"};
	static struct ttlog_site site = {.level = TTLOG_INFO,
					 .field_count = 5,
					 .message = "step",
					 .names = names,
					 .types = types};
	struct ttlog_value values[5] = {ttlog_value_u32(0), ttlog_value_u64(0),
					ttlog_value_u32(HUGE)};

	warm_up();
	ttlog_site_register(&site);
	values[1].bits = witness_start(0);
	values[3] = ttlog_value_bytes(ttlog_bytes(witness_text(values[1].bits, HUGE), HUGE));
	values[4] = ttlog_value_u64(values[1].bits * WITNESS_MARK);
	stepper_stop_here();
	ttlog_record(&site, values, 5);
	witness_return(0, values[1].bits);
	piece_is_over();
	record_after();
}

/* ---- slots ----------------------------------------------------------------------------------- */

static void nested_recycled(void)
{
	warm_up();
	atomic_store(&witness->any_order, 1);
	record_nested(chunk_count(TTLOG_LANE_NESTED) + 3, SMALL);
	stepper_stop_here();
	record_nested(1, SMALL);
	piece_is_over();
	record_after();
}

static void nested_dropped(void)
{
	warm_up();
	freeze_myself();
	record_nested(chunk_count(TTLOG_LANE_NESTED), SMALL);
	stepper_stop_here();
	record_nested(1, SMALL);
	piece_is_over();
	record_after();
}

/* Frozen, and no slot is left: the alert goes where other events go. */
static void alert_without_slot(void)
{
	warm_up();
	freeze_myself();
	for (uint32_t i = 0; i < chunk_count(TTLOG_LANE_ALERT); i++)
		record_warn(3, SMALL);
	stepper_stop_here();
	record_warn(3, SMALL);
	piece_is_over();
	record_warn(3, SMALL);
}

/* ---- counts ---------------------------------------------------------------------------------- */

static void counts(void)
{
	struct ttlog_stats stats = {.size = sizeof(stats)};

	warm_up();
	stepper_stop_here();
	ttlog_get_stats(&stats);
	piece_is_over();
	record_after();
}

/* ---- the dictionary -------------------------------------------------------------------------- */

/* Which is there already, by another site. */
static void same_string(void)
{
	warm_up();
	ttlog_intern(WITNESS_CARRIED);
	stepper_stop_here();
	atomic_store(&witness->interned_id, ttlog_intern(WITNESS_INTERNED).id);
	ttlog_intern(WITNESS_CARRIED);
	ttlog_intern(WITNESS_INTERNED);
	piece_is_over();
	record_after();
}

static const char *long_name(char fill)
{
	static char name[2][6000];
	char *to = name[fill & 1];

	memset(to, fill, sizeof(name[0]) - 1);
	return to;
}

static const uint8_t site_types[] = {TTLOG_TYPE_U32, TTLOG_TYPE_U64, TTLOG_TYPE_U32,
				     TTLOG_TYPE_STRING, TTLOG_TYPE_U64};
static const char *const site_names[] = {"stream", "number", "bytes", "text", "mark"};

static void record_by_site(struct ttlog_site *site)
{
	uint64_t number = witness_start(0);
	struct ttlog_value values[] = {
		ttlog_value_u32(0),
		ttlog_value_u64(number),
		ttlog_value_u32(SMALL),
		ttlog_value_string(witness_text(number, SMALL)),
		ttlog_value_u64(number * WITNESS_MARK),
	};

	ttlog_record(site, values, 5);
	witness_return(0, number);
}

static void long_names(void)
{
	static struct ttlog_site site[] = {
		{.level = TTLOG_INFO, .field_count = 5, .message = "step"},
		{.level = TTLOG_INFO, .field_count = 5, .message = "step"},
	};

	warm_up();
	site[0].types = site[1].types = site_types;
	site[0].names = site[1].names = site_names;
	site[0].target = long_name('a');
	site[1].file = site[1].function = long_name('b');
	stepper_stop_here();
	record_by_site(&site[0]);
	record_by_site(&site[1]);
	piece_is_over();
	record_after();
}

/* A site that can't be described, of a binding: its event is dropped, and counted. */
static void bad_site(void)
{
	static struct ttlog_site site = {
		.level = TTLOG_INFO, .field_count = 5, .message = "step", .types = site_types};

	warm_up();
	stepper_stop_here();
	record_by_site(&site);
	piece_is_over();
	record_after();
}

static void dictionary_is_full(void)
{
	static struct ttlog_site site = {.level = TTLOG_INFO,
					 .field_count = 5,
					 .message = "step",
					 .types = site_types,
					 .names = site_names};

	warm_up();
	/* As if somebody had died who was about to use all of it. */
	atomic_store(&ttlog_process_ledger()->dict_next_offset,
		     (uint32_t)ttlog_place_.geometry.dict_heap_bytes);
	stepper_stop_here();
	record_by_site(&site);
	piece_is_over();
	record_after();
}

static void ids_are_used_up(void)
{
	static struct ttlog_site site = {.level = TTLOG_INFO,
					 .field_count = 5,
					 .message = "step",
					 .types = site_types,
					 .names = site_names};

	warm_up();
	atomic_store(&ttlog_process_ledger()->dict_next_id, ttlog_place_.geometry.dict_index_count);
	stepper_stop_here();
	record_by_site(&site);
	piece_is_over();
	record_after();
}

/* ---- the clock ------------------------------------------------------------------------------- */

static bool is_slow_clock;

enum ttlog_clock_source __real_ttlog_clock_source(void);
enum ttlog_clock_source __wrap_ttlog_clock_source(void);

/* A machine whose TSC can't be trusted: all events go the slow way. The linker puts it in front. */
enum ttlog_clock_source __wrap_ttlog_clock_source(void)
{
	return is_slow_clock ? TTLOG_CLOCK_MONOTONIC : __real_ttlog_clock_source();
}

static void event_of_slow_clock(void)
{
	is_slow_clock = true;
	warm_up();
	stepper_stop_here();
	record_info(0, SMALL);
	record_warn(3, SMALL);
	piece_is_over();
	record_after();
}

static void change_of_slow_clock(void)
{
	uint32_t chunks;

	is_slow_clock = true;
	warm_up();
	chunks = chunk_count(TTLOG_LANE_BOOT) + chunk_count(TTLOG_LANE_MAIN) + 2;
	for (uint32_t i = 0; i < chunks * 8; i++)
		record_info(0, LARGE);
	stepper_stop_here();
	/* As many as a chunk holds: one of them finds it full. */
	for (uint32_t i = 0; i < 9; i++)
		record_info(0, LARGE);
	piece_is_over();
	record_after();
}

/* Before the first event. */
static void use_clock(const char *clock)
{
	const struct ttlog_options options = {.size = sizeof(options), .clock = clock};

	if (ttlog_init_with(&options) != 0)
		abort();
}

/* Most events carry the time of an earlier one; a chunk change and the stops too. */
static void sparse_clock(void)
{
	use_clock("sparse");
	warm_up();
	fill_chunk();
	fill_chunks(chunk_count(TTLOG_LANE_BOOT) + chunk_count(TTLOG_LANE_MAIN) + 2);
	record_info(0, LARGE);
	fill_chunk_but(2);
	stepper_stop_here();
	for (uint32_t i = 0; i < 4; i++)
		record_info(0, LARGE);
	record_warn(3, SMALL);
	piece_is_over();
	record_after();
}

/* The event in the middle is a sixteenth of its chunk: it has a reading of its own. */
static void sixteenth_event_sparse(void)
{
	use_clock("sparse");
	warm_up();
	do
		record_info(0, SMALL);
	while ((ttlog_thread_mine()->hot.position >> 32 & 15) != 15);
	stepper_stop_here();
	for (uint32_t i = 0; i < 3; i++)
		record_info(0, SMALL);
	piece_is_over();
	record_after();
}

static void first_event_sparse(void)
{
	use_clock("sparse");
	handle_with(on_signal);
	stepper_stop_here();
	record_info(0, SMALL);
	record_info(0, SMALL);
	piece_is_over();
	record_after();
}

/* What the recorder last saw is newer than what the thread did. */
static void coarse_clock(void)
{
	use_clock("coarse");
	warm_up();
	record_info(0, SMALL);
	__atomic_store_n(&ttlog_place_.control->coarse_ticks, ttlog_ticks_(), __ATOMIC_RELAXED);
	stepper_stop_here();
	record_info(0, SMALL);
	record_info(0, SMALL);
	piece_is_over();
	record_after();
}

const struct scenario step_corners[] = {
	{"event, truncated", truncated, 64, 127, 0, 0},
	{"event, a span is truncated", truncated_span, 64, 0, 0, 0},
	{"event of other types", other_types, 16, 7, 16, 0},
	{"alert, truncated", truncated_alert, 64, 0, 0, 0},
	{"alert, frozen, no slot is left", alert_without_slot, 16, 7, 0, 0},
	{"event within an event, truncated", truncated_nested, 64, 31, 0, 0},
	{"event within an event, recycled", nested_recycled, 16, 3, 7, 7},
	{"event within an event, dropped", nested_dropped, 16, 7, 0, 0},
	{"counts", counts, 512, 511, 0, 511},
	{"string that is known", same_string, 16, 15, 0, 15},
	{"site of long names", long_names, 512, 511, 0, 0},
	{"site that is none", bad_site, 16, 15, 0, 0},
	{"dictionary is full", dictionary_is_full, 64, 63, 0, 0},
	{"dictionary has no more ids", ids_are_used_up, 512, 511, 0, 0},
	{"slow clock: event, alert", event_of_slow_clock, 64, 15, 31, 31},
	{"slow clock: chunk change", change_of_slow_clock, 128, 63, 0, 0},
	{"sparse clock: first event", first_event_sparse, 128, 127, 0, 0},
	{"sparse clock: 16th event", sixteenth_event_sparse, 16, 3, 7, 7},
	{"sparse clock: stops", sparse_clock, 64, 7, 15, 15},
	{"coarse clock: event", coarse_clock, 16, 3, 7, 7},
	{0},
};
