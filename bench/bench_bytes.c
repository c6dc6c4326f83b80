/* SPDX-License-Identifier: MIT */
/*
 * bench_bytes.c - how much memory an event takes.
 *
 * "event" is what the position moves by. "in its lane" is the lane's chunks, with their headers and
 * the rest that no event fitted in, by the events that a reader finds there after many laps: what a
 * budget buys. Alerts have a slot each.
 */
#include "bench/cases.h"
#include "bench/measure.h"

#include <string.h>

#include "lib/process.h"
#include "lib/reader.h"

typedef void (*event_loop)(uint64_t count);

#define LOOP(name, what)                                                                           \
	static __attribute__((noinline)) void loop_##name(uint64_t count)                          \
	{                                                                                          \
		for (uint64_t i = 0; i < count; i++)                                               \
			case_##name(i);                                                            \
	}
CASES(LOOP)

static const struct bytes_case {
	const char *what;
	event_loop loop;
	uint32_t lane;
} cases[] = {
	{"no field", loop_fields_0, TTLOG_LANE_MAIN},
	{"1 field", loop_fields_1, TTLOG_LANE_MAIN},
	{"3 fields", loop_fields_3, TTLOG_LANE_MAIN},
	{"3 fields, string unknown", loop_fields_3s, TTLOG_LANE_MAIN},
	{"8 fields", loop_fields_8, TTLOG_LANE_MAIN},
	{"100-byte string", loop_string_100, TTLOG_LANE_MAIN},
	{"alert (warn), 3 fields", loop_alert, TTLOG_LANE_ALERT},
	{"below the level", loop_disabled, TTLOG_LANE_MAIN},
};

static void measure_case(uint64_t index)
{
	const struct bytes_case *of = &cases[index];
	struct ttlog_reader *reader = NULL;
	const struct ttlog_reader_lane *lane;
	const struct ttlog_lane_geometry *geometry;
	uint64_t position, region_bytes = UINT64_C(16) << 20;
	unsigned int bytes;
	int error;

	measure_init(region_bytes);
	of->loop(10);
	position = ttlog_writer_->position;
	of->loop(1);
	bytes = (uint32_t)ttlog_writer_->position - (uint32_t)position;
	of->loop(region_bytes / 4);
	error = ttlog_reader_open(&reader, ttlog_place_.base, &ttlog_place_.geometry);
	if (error)
		measure_die("ttlog_reader_open", error);
	lane = ttlog_reader_lane(reader, of->lane);
	geometry = &ttlog_place_.geometry.lane[of->lane];
	measure_print("   %-24s", of->what);
	if (of->lane == TTLOG_LANE_MAIN)
		measure_print(" %8u", bytes);
	else
		measure_print(" %8s", "");
	if (lane->events)
		measure_print(" %14.1f %18llu",
			      (double)geometry->chunk_bytes * lane->chunks_used /
				      (double)lane->events,
			      (unsigned long long)lane->events);
	measure_print("\n");
	ttlog_reader_close(reader);
}

int main(void)
{
	measure_print_machine("bytes of an event");
	measure_print("   %-24s %8s %14s %18s\n", "", "event", "in its lane", "kept in 16 MiB");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		measure_in_child(measure_case, i);
	return 0;
}
