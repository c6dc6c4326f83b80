/* SPDX-License-Identifier: MIT */
/* step_judge.c - see step_judge.h. */
#include "tests/step_judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool judge_is_unchanged(const struct stepper *stepper, struct judge_shadow *shadow, bool may_change)
{
	bool same = memcmp((const void *)&shadow->witness, (const void *)witness,
			   sizeof(*witness)) == 0;

	memcpy((void *)&shadow->witness, (const void *)witness, sizeof(*witness));
	for (int i = 0; i < 2; i++) {
		const struct stepper_region *region = &stepper->region[i];

		if (!region->base)
			continue;
		if (!shadow->bytes[i]) {
			shadow->bytes[i] = calloc(1, region->geometry.region_bytes);
			same = false;
		}
		if (!shadow->bytes[i])
			return false;
		if (same && !may_change)
			continue;
		if (memcmp(shadow->bytes[i], region->base, region->geometry.region_bytes) == 0)
			continue;
		memcpy(shadow->bytes[i], region->base, region->geometry.region_bytes);
		same = false;
	}
	return same;
}

void judge_shadow_free(struct judge_shadow *shadow)
{
	free(shadow->bytes[0]);
	free(shadow->bytes[1]);
}

bool judge(const struct stepper *stepper, uint64_t *ret_events,
	   char complaint[WITNESS_COMPLAINT_BYTES])
{
	uint64_t events = 0;

	for (uint32_t i = 0; i < 2; i++) {
		const struct stepper_region *region = &stepper->region[i];
		uint32_t first = i * WITNESS_CHILD_STREAM;
		uint32_t end = i ? WITNESS_STREAMS : WITNESS_CHILD_STREAM;
		struct witness_count count;

		if (!region->base) {
			for (uint32_t k = first; k < end; k++)
				if (atomic_load(&witness->stream[k].returned)) {
					snprintf(complaint, WITNESS_COMPLAINT_BYTES,
						 "stream %u has no region", k);
					return false;
				}
			continue;
		}
		if (!witness_judge(region->base, &region->geometry, first, end, &count, complaint))
			return false;
		events += count.events;
	}
	if (ret_events)
		*ret_events = events;
	return true;
}

/* Of one thread, so many may be OWNED: the one at hand, the one before, the one to come. */
#define HELD_MAX 3
#define OWNERS_MAX 16

struct owners {
	uint32_t tid[OWNERS_MAX], chunks[OWNERS_MAX];
	uint32_t count;
};

static uint32_t owner_add(struct owners *owners, uint32_t tid)
{
	uint32_t i = 0;

	while (i < owners->count && owners->tid[i] != tid)
		i++;
	if (i == OWNERS_MAX)
		return 0;
	if (i == owners->count) {
		owners->tid[owners->count++] = tid;
		owners->chunks[i] = 0;
	}
	return ++owners->chunks[i];
}

bool judge_has_state(const struct stepper_region *region, uint32_t state_wanted)
{
	for (uint32_t i = 0; region->base && i < region->geometry.lane_count; i++) {
		const struct ttlog_lane_geometry *lane = &region->geometry.lane[i];
		const struct ttlog_chunk_record *record =
			(const void *)(region->base + lane->records_offset);

		for (uint32_t k = 0; k < lane->chunk_count; k++)
			if (TTLOG_STATE_OF(record[k].state) == state_wanted)
				return true;
	}
	return false;
}

static bool owners_judge(const struct stepper_region *region,
			 char complaint[WITNESS_COMPLAINT_BYTES])
{
	struct owners owners = {.count = 0};

	for (uint32_t i = 0; i < region->geometry.lane_count; i++) {
		const struct ttlog_lane_geometry *lane = &region->geometry.lane[i];
		const struct ttlog_chunk_record *record =
			(const void *)(region->base + lane->records_offset);

		for (uint32_t k = 0; k < lane->chunk_count; k++) {
			uint32_t of = TTLOG_STATE_OF(record[k].state);

			if (of == TTLOG_CHUNK_FREE || of == TTLOG_CHUNK_RETIRED)
				continue;
			if (of == TTLOG_CHUNK_OWNED &&
			    owner_add(&owners, TTLOG_STATE_TID(record[k].state)) <= HELD_MAX)
				continue;
			snprintf(complaint, WITNESS_COMPLAINT_BYTES,
				 "chunk %u of lane %u stays in state %u", k, i, of);
			return false;
		}
	}
	return true;
}

bool judge_owners(const struct stepper *stepper, char complaint[WITNESS_COMPLAINT_BYTES])
{
	if (atomic_load(&witness->any_order))
		return true;
	for (uint32_t i = 0; i < 2; i++)
		if (stepper->region[i].base && !owners_judge(&stepper->region[i], complaint))
			return false;
	return true;
}

uint64_t judge_overwritten(const struct stepper_region *region)
{
	char complaint[WITNESS_COMPLAINT_BYTES];
	struct witness_count count = {0};

	if (region->base)
		witness_judge(region->base, &region->geometry, 0, WITNESS_CHILD_STREAM, &count,
			      complaint);
	return count.overwritten;
}

uint64_t judge_gone(const struct witness_set *before, const struct witness_set *now)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < WITNESS_STREAMS; i++)
		for (uint32_t k = 0; k < WITNESS_NUMBERS / 64; k++)
			count +=
				(uint64_t)__builtin_popcountll(before->bit[i][k] & ~now->bit[i][k]);
	return count;
}

void judge_read(const struct stepper_region *region, struct witness_set *set)
{
	memset(set, 0, sizeof(*set));
	if (region->base && witness_set_read(region->base, &region->geometry, set) != 0) {
		fputs("crash_step: no memory\n", stderr);
		exit(1);
	}
}

int judge_read_frozen(const struct stepper_region *region, struct witness_set *ret_set)
{
	uint64_t bytes = region->geometry.region_bytes;
	unsigned char *copy = malloc(bytes);
	int error;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, region->base, bytes);
	for (uint32_t i = 0; i < region->geometry.lane_count; i++) {
		const struct ttlog_lane_geometry *lane = &region->geometry.lane[i];
		struct ttlog_chunk_record *record = (void *)(copy + lane->records_offset);

		for (uint32_t k = 0; k < lane->chunk_count; k++)
			if (TTLOG_STATE_OF(record[k].state) == TTLOG_CHUNK_COND)
				record[k].state =
					TTLOG_STATE(TTLOG_STATE_GENERATION(record[k].state), 0,
						    TTLOG_CHUNK_INIT);
	}
	error = witness_set_read(copy, &region->geometry, ret_set);
	free(copy);
	return error;
}
