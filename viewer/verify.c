/* SPDX-License-Identifier: MIT */
#include "viewer/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/format_json.h"

struct verdict {
	uint64_t events, odd_values, batches;
	char damage[200]; /* "": none */
};

/* Values that are no CBOR of ours are cut off by the decoder, and that shows in their number. */
static void read_all(struct dump *dump, struct verdict *verdict)
{
	struct record *record = calloc(1, sizeof(*record));
	struct event event;

	while (dump_next(dump, record ? &record->event : &event)) {
		verdict->events++;
		if (!record)
			continue;
		record->decoded = false;
		record_decode(record);
		verdict->odd_values += record->count != record->event.value_count;
	}
	free(record);
}

/* The index is no part of what reading needs, and of what a filter by time does. */
static bool index_agrees(struct dump *dump, struct verdict *verdict)
{
	const struct dump_extent *extents;
	size_t count = dump_extents(dump, &extents);
	uint64_t events = 0;

	verdict->batches = count;
	for (size_t i = 0; i < count; i++)
		events += extents[i].events;
	return events == verdict->events;
}

static void judge(struct dump *dump, bool is_file, struct verdict *verdict)
{
	read_all(dump, verdict);
	if (dump_damage(dump, verdict->damage, sizeof(verdict->damage)))
		return;
	if (verdict->odd_values)
		snprintf(verdict->damage, sizeof(verdict->damage),
			 "%" PRIu64 " events have values that make no sense", verdict->odd_values);
	else if (is_file && !index_agrees(dump, verdict))
		snprintf(verdict->damage, sizeof(verdict->damage), "all %" PRIu64
			 " events are whole, but the index is not", verdict->events);
}

bool verify_dump(struct out *out, struct dump *dump, bool json)
{
	const char *path = dump_path(dump);
	struct span name = {path, strlen(path)};
	struct verdict verdict = {0};

	judge(dump, strcmp(path, "standard input") != 0, &verdict);
	if (json) {
		out_char(out, '{');
		json_span(out, "file", name);
		json_truth(out, "whole", !verdict.damage[0]);
		json_known(out, "damage", (struct span){verdict.damage, strlen(verdict.damage)});
		json_number(out, "events", (struct number){verdict.events, true});
		out_text(out, "}\n");
		return !verdict.damage[0];
	}
	out_escaped(out, name, 0);
	if (verdict.damage[0])
		out_printf(out, ": %s\n", verdict.damage);
	else
		out_printf(out, ": whole, %" PRIu64 " events\n", verdict.events);
	return !verdict.damage[0];
}
