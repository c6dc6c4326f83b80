/* SPDX-License-Identifier: MIT */
/* step_witness.c - see step_witness.h. */
#include "tests/step_witness.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define TEXTS 16

struct witness *witness;

static char texts[TEXTS][WITNESS_TEXT_MAX + 1];

/* Some are letters of two bytes: é. */
static char text_byte(uint32_t text, uint32_t at)
{
	if (at % 16 > 13)
		return at % 16 == 14 ? '\xc3' : '\xa9';
	return (char)('!' + (text * 31 + at * 7 + at / 90) % 90);
}

void witness_init(void)
{
	witness = mmap(NULL, sizeof(*witness), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (witness == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	for (uint32_t i = 0; i < TEXTS; i++)
		for (uint32_t k = 0; k < WITNESS_TEXT_MAX; k++)
			texts[i][k] = text_byte(i, k);
}

void witness_clear(void)
{
	memset((void *)witness, 0, sizeof(*witness));
	sem_init(&witness->rival_may, 1, 0);
	sem_init(&witness->rival_did, 1, 0);
	sem_init(&witness->child_did, 1, 0);
}

/* The end of one of the texts, so that neighbours differ and any length has its NUL. */
const char *witness_text(uint64_t number, uint32_t bytes)
{
	return &texts[number % TEXTS][WITNESS_TEXT_MAX - bytes];
}

/* What the judge knows while it reads. */
struct trial {
	const struct ttlog_reader *reader;
	uint64_t last[WITNESS_STREAMS]; /* number read last */
	uint32_t last_lane[WITNESS_STREAMS];
	uint64_t missing[WITNESS_STREAMS]; /* numbers left out so far */
	/* A taker is between two states, or another one was quicker, or there was no room. */
	bool any_order;
	uint64_t foreign; /* events of another process's stream */
	char *complaint;
};

__attribute__((format(printf, 2, 3))) static bool complain(struct trial *trial, const char *format,
							   ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(trial->complaint, WITNESS_COMPLAINT_BYTES, format, arguments);
	va_end(arguments);
	return false;
}

/* The fields of an event that witness_... recorded; false: it is none, or it is not whole. */
static bool event_take(const struct ttlog_reader *reader, const struct ttlog_reader_event *event,
		       uint32_t *ret_stream, uint64_t *ret_number)
{
	const struct ttlog_reader_site *site = ttlog_reader_site(reader, event->site);
	const struct ttlog_reader_value *value = event->value;
	const char *text;
	uint64_t size;

	if (!site || strcmp(site->message, "step") != 0 || event->value_count != 5 ||
	    (event->flags & ~(uint32_t)TTLOG_EVENT_TRUNCATED) != 0)
		return false;
	*ret_stream = (uint32_t)value[0].bits;
	*ret_number = value[1].bits;
	if (value[0].bits >= WITNESS_STREAMS || value[2].bits > WITNESS_TEXT_MAX)
		return false;
	if (value[3].type == TTLOG_TYPE_INTERNED) {
		text = ttlog_reader_string(reader, (uint32_t)value[3].bits);
		size = text ? strlen(text) : 0;
	} else {
		text = value[3].data;
		size = value[3].size;
	}
	if (event->flags & TTLOG_EVENT_TRUNCATED ? size >= value[2].bits : size != value[2].bits)
		return false;
	return text && value[4].bits == *ret_number * WITNESS_MARK &&
	       memcmp(text, witness_text(*ret_number, (uint32_t)value[2].bits), size) == 0;
}

/* The call that was left by a jump, if it left no event: a number that nobody will ever see. */
static bool is_abandoned(uint32_t stream, uint64_t number)
{
	return atomic_load(&witness->stream[stream].abandoned) == number;
}

static bool event_judge(struct trial *trial, const struct ttlog_reader_event *event, uint32_t first,
			uint32_t end)
{
	uint32_t stream = 0;
	uint64_t number = 0, gap;

	if (!event_take(trial->reader, event, &stream, &number))
		return complain(trial, "an event of lane %u is not whole (stream %u, number %llu)",
				event->lane, stream, (unsigned long long)number);
	/* A handler's child may begin with what its parent was about to record. */
	if (stream == 0 && first && atomic_load(&witness->child_repeats)) {
		trial->foreign++;
		return true;
	}
	if (stream < first || stream >= end)
		return complain(trial, "an event of stream %u, which records elsewhere", stream);
	if (number <= trial->last[stream])
		return complain(trial, "stream %u: %llu after %llu", stream,
				(unsigned long long)number,
				(unsigned long long)trial->last[stream]);
	if (number > atomic_load(&witness->stream[stream].started))
		return complain(trial, "stream %u: %llu was never recorded", stream,
				(unsigned long long)number);
	gap = number - trial->last[stream] - 1;
	if (gap == 1 && is_abandoned(stream, number - 1))
		gap = 0;
	/*
	 * The oldest go first, and of those stays only what lies in a lane that keeps its events,
	 * and the chunk of a taker that was interrupted by another one, or overtaken.
	 */
	if (gap > atomic_load(&witness->overtaken) && trial->last[stream] &&
	    trial->last_lane[stream] != TTLOG_LANE_BOOT && !trial->any_order)
		return complain(trial,
				"stream %u: %llu before %llu are missing, but not the older %llu",
				stream, (unsigned long long)gap, (unsigned long long)number,
				(unsigned long long)trial->last[stream]);
	trial->missing[stream] += gap;
	trial->last[stream] = number;
	trial->last_lane[stream] = event->lane;
	return true;
}

/* Are all calls that returned accounted for, and no more than those and the ones in flight? */
static bool sum_judge(struct trial *trial, uint32_t first, uint32_t end,
		      const struct witness_count *count)
{
	uint64_t accounted = count->events + count->overwritten + count->dropped - trial->foreign;
	uint64_t least = 0, most = 0;

	for (uint32_t i = first; i < end; i++) {
		uint64_t returned = atomic_load(&witness->stream[i].returned);
		uint64_t started = atomic_load(&witness->stream[i].started);
		uint64_t abandoned = atomic_load(&witness->stream[i].abandoned);

		if (trial->last[i] < returned && !count->dropped &&
		    !atomic_load(&witness->in_channels))
			return complain(trial, "stream %u: the newest, %llu to %llu, are missing",
					i, (unsigned long long)trial->last[i] + 1,
					(unsigned long long)returned);
		/* One in flight is here; one in flight that is not may be a drop, counted already.
		 */
		if (trial->last[i] > returned)
			returned = trial->last[i];
		least += returned;
		/* Or it was here, and has been overwritten. */
		most += count->dropped || atomic_load(&witness->in_channels) ? started : returned;
		/* One that was left by a jump may have been overwritten since. */
		if (abandoned && abandoned <= returned)
			least--;
	}
	if (accounted < least || accounted > most)
		return complain(
			trial,
			"%llu read + %llu overwritten + %llu dropped, but %llu to %llu recorded",
			(unsigned long long)count->events, (unsigned long long)count->overwritten,
			(unsigned long long)count->dropped, (unsigned long long)least,
			(unsigned long long)most);
	return true;
}

static bool has_condemned(const unsigned char *base, const struct ttlog_geometry *geometry)
{
	for (uint32_t i = 0; i < geometry->lane_count; i++) {
		const struct ttlog_chunk_record *record =
			(const void *)(base + geometry->lane[i].records_offset);

		for (uint32_t k = 0; k < geometry->lane[i].chunk_count; k++)
			if (TTLOG_STATE_OF(record[k].state) == TTLOG_CHUNK_COND)
				return true;
	}
	return false;
}

static bool is_own_site(const struct ttlog_reader_site *site)
{
	return strcmp(site->message, "step") == 0 && site->field_count == 5 &&
	       strcmp(site->names[0], "stream") == 0 && strcmp(site->names[4], "mark") == 0;
}

static bool is_own_string(const char *string)
{
	if (strcmp(string, WITNESS_INTERNED) == 0 || strcmp(string, WITNESS_CARRIED) == 0)
		return true;
	for (uint32_t i = 0; i < TEXTS; i++)
		if (strcmp(string, witness_text(i, WITNESS_SMALL)) == 0)
			return true;
	return false;
}

/* What is in the dictionary is whole, whether an event needs it or not. */
static bool dictionary_judge(struct trial *trial)
{
	uint32_t interned = atomic_load(&witness->interned_id);
	uint32_t limit = ttlog_reader_id_limit(trial->reader);
	const char *string = interned ? ttlog_reader_string(trial->reader, interned) : NULL;

	if (interned && (!string || strcmp(string, WITNESS_INTERNED) != 0))
		return complain(trial, "the interned string %u is not what it was", interned);
	for (uint32_t id = 1; id < limit; id++) {
		const struct ttlog_reader_site *site = ttlog_reader_site(trial->reader, id);

		string = ttlog_reader_string(trial->reader, id);
		if ((site && !is_own_site(site)) || (string && !is_own_string(string)))
			return complain(trial, "entry %u of the dictionary is not whole", id);
	}
	return true;
}

bool witness_judge(const void *base, const struct ttlog_geometry *geometry, uint32_t first,
		   uint32_t end, struct witness_count *ret_count,
		   char complaint[WITNESS_COMPLAINT_BYTES])
{
	struct trial trial = {.complaint = complaint};
	struct ttlog_reader_totals totals;
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;
	bool well = true;

	memset(ret_count, 0, sizeof(*ret_count));
	if (ttlog_reader_open(&reader, base, geometry))
		return complain(&trial, "the region can't be read");
	trial.reader = reader;

	ttlog_reader_totals(reader, &totals);
	ret_count->events = totals.events;
	ret_count->overwritten = totals.overwritten;
	ret_count->dropped = totals.dropped;
	trial.any_order = has_condemned(base, geometry) || totals.dropped ||
			  atomic_load(&witness->any_order) ||
			  atomic_load(&witness->stream[WITNESS_RIVAL_STREAM].started);
	if (totals.torn)
		well = complain(&trial, "%llu places are torn", (unsigned long long)totals.torn);
	while (well && ttlog_reader_next(reader, &event))
		well = event_judge(&trial, &event, first, end);
	if (well && atomic_load(&witness->wrong_stats))
		well = complain(&trial, "ttlog_get_stats() was wrong in a handler");
	well = well && sum_judge(&trial, first, end, ret_count) && dictionary_judge(&trial);
	memcpy(ret_count->newest, trial.last, sizeof(trial.last));
	ttlog_reader_close(reader);
	return well;
}

int witness_set_read(const void *base, const struct ttlog_geometry *geometry,
		     struct witness_set *ret_set)
{
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;
	int error = ttlog_reader_open(&reader, base, geometry);

	if (error)
		return error;
	memset(ret_set, 0, sizeof(*ret_set));
	while (ttlog_reader_next(reader, &event)) {
		uint32_t stream;
		uint64_t number;

		if (event_take(reader, &event, &stream, &number) && number < WITNESS_NUMBERS)
			ret_set->bit[stream][number / 64] |= UINT64_C(1) << number % 64;
	}
	ttlog_reader_close(reader);
	return 0;
}
