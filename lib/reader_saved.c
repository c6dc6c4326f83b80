/* SPDX-License-Identifier: MIT */
/*
 * reader_saved.c - chunks that somebody copied before they were recycled, in front of the region's.
 *
 * A place is a chunk of a lane, through all its generations. Its account says how many events were
 * overwritten there before a generation; a saved chunk brings the account of its own along. So what
 * is missing between two saved chunks of a place, and between the last one and the region, is the
 * difference of two accounts less what the older one holds: nobody has to have watched.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/reader_parts.h"

static uint64_t less(uint64_t from, uint64_t what)
{
	return from > what ? from - what : 0;
}

static uint64_t sum(uint64_t left, uint64_t right)
{
	reader_count(&left, right);
	return left;
}

/* ---- what is missing ------------------------------------------------------------------------- */

static int gap_add(struct ttlog_reader *reader, uint32_t lane, const struct reader_lost *lost)
{
	struct ttlog_reader_gap *gaps;

	if (!lost->count)
		return 0;
	/* A power of two: it is full. */
	if (!(reader->gap_count & (reader->gap_count - 1))) {
		gaps = reallocarray(reader->gap, reader->gap_count ? 2 * reader->gap_count : 1,
				    sizeof(*gaps));
		if (!gaps)
			return -ENOMEM;
		reader->gap = gaps;
	}
	reader->gap[reader->gap_count++] = (struct ttlog_reader_gap){
		.lane = lane,
		.count = lost->count,
		.first_ticks = lost->first < lost->last ? lost->first : lost->last,
		.last_ticks = lost->last,
	};
	return 0;
}

static int gap_compare(const void *left, const void *right)
{
	const struct ttlog_reader_gap *a = left, *b = right;

	if (a->lane != b->lane)
		return a->lane < b->lane ? -1 : 1;
	return (a->first_ticks > b->first_ticks) - (a->first_ticks < b->first_ticks);
}

static void gap_join(struct ttlog_reader_gap *to, const struct ttlog_reader_gap *from)
{
	reader_count(&to->count, from->count);
	if (from->last_ticks > to->last_ticks)
		to->last_ticks = from->last_ticks;
}

/* Of each lane: of what is there, saved or not. */
static void oldest_find(const struct ttlog_reader *reader, uint64_t oldest[TTLOG_LANE_MAX])
{
	memset(oldest, 0xff, TTLOG_LANE_MAX * sizeof(*oldest));
	for (uint32_t i = 0; i < reader->chunk_count; i++) {
		const struct reader_chunk *chunk = &reader->chunk[i];
		uint64_t ticks = UINT64_MAX;

		if (chunk->saved && chunk->saved->event_count)
			ticks = chunk->saved->first_ticks;
		else if (!chunk->saved && chunk->bytes)
			ticks = reader_event_ticks(chunk->events);
		if (ticks < oldest[chunk->lane])
			oldest[chunk->lane] = ticks;
	}
}

/* What is older than all that is there is in front of the timeline, not in it. */
static void gaps_drop_front(struct ttlog_reader *reader)
{
	uint64_t oldest[TTLOG_LANE_MAX];
	uint32_t kept = 0;

	oldest_find(reader, oldest);
	for (uint32_t i = 0; i < reader->gap_count; i++)
		if (reader->gap[i].first_ticks > oldest[reader->gap[i].lane])
			reader->gap[kept++] = reader->gap[i];
	reader->gap_count = kept;
}

/* Those of all places of a lane, in order, those that overlap in one; not more than are listed. */
static void gaps_order(struct ttlog_reader *reader)
{
	struct ttlog_reader_gap *gap = reader->gap;
	uint32_t kept = 0;

	if (!reader->gap_count)
		return;
	qsort(gap, reader->gap_count, sizeof(*gap), gap_compare);
	for (uint32_t i = 1; i < reader->gap_count; i++) {
		if (gap[i].lane == gap[kept].lane && gap[i].first_ticks <= gap[kept].last_ticks)
			gap_join(&gap[kept], &gap[i]);
		else
			gap[++kept] = gap[i];
	}
	reader->gap_count = kept + 1;
	while (reader->gap_count > TTLOG_READER_GAPS_MAX) {
		kept = 0;
		for (uint32_t i = 0; i < reader->gap_count; i++) {
			bool is_second = i % 2 && gap[i].lane == gap[kept - 1].lane;

			if (is_second)
				gap_join(&gap[kept - 1], &gap[i]);
			else
				gap[kept++] = gap[i];
		}
		reader->gap_count = kept;
	}
}

/* ---- one place ------------------------------------------------------------------------------- */

static bool is_of(const struct ttlog_reader_saved *saved, uint32_t lane, uint32_t index)
{
	return saved->lane == lane && saved->index == index;
}

static void chunk_add(struct ttlog_reader *reader, const struct ttlog_reader_saved *saved)
{
	struct reader_chunk *chunk = &reader->chunk[reader->chunk_count++];

	*chunk = (struct reader_chunk){
		.saved = saved,
		.bytes = saved->bytes,
		.is_torn = saved->is_torn,
		.lane = saved->lane,
		.index = saved->index,
		.tid = saved->tid,
		.writer = saved->writer,
		.epoch = saved->epoch,
		.channel = TTLOG_READER_NO_CHANNEL,
		.taken_ticks = saved->taken_ticks,
		.saved_events = saved->event_count,
	};
	memcpy(chunk->thread_name, saved->thread_name, sizeof(chunk->thread_name));
}

/*
 * The saved chunks of one place, of which the region was seen at `place`: what it saw begin is in
 * the timeline, what was begun later is of the next reader, and is not missing either.
 */
static int place_take(struct ttlog_reader *reader, const struct reader_history_place *place,
		      uint32_t lane, const struct ttlog_reader_saved *const *saved, uint32_t count)
{
	const struct ttlog_reader_saved *before = NULL;
	struct reader_lost lost;
	uint64_t known = 0;
	int error = 0;

	for (uint32_t i = 0; i < count && !error; i++) {
		const struct ttlog_reader_saved *at = saved[i];

		if (at->generation >= place->generation)
			break;
		/* A channel's chunk may have been saved before it was full. */
		if (i + 1 < count && saved[i + 1]->generation == at->generation)
			continue;
		lost = (struct reader_lost){
			.count = less(at->lost, known),
			.first = before ? before->newest_ticks : at->lost_first,
			.last = at->lost_last,
		};
		ttlog_reader_lost_add(&reader->lane[lane], &lost);
		if (before || reader->history->is_whole)
			error = gap_add(reader, lane, &lost);
		known = sum(at->lost, at->event_count);
		before = at;
		if (at->generation > place->scanned)
			continue;
		if (at->generation == place->scanned && place->is_recycled) {
			if (at->first_ticks > place->newest)
				continue;
			reader->lane[lane].recycled_while_read--;
		}
		chunk_add(reader, at);
	}
	if (error)
		return error;
	lost = place->lost;
	lost.count = less(lost.count, known);
	if (before)
		lost.first = before->newest_ticks;
	ttlog_reader_lost_add(&reader->lane[lane], &lost);
	return before || reader->history->is_whole ? gap_add(reader, lane, &lost) : 0;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int saved_compare(const void *left, const void *right)
{
	const struct ttlog_reader_saved *a = *(const struct ttlog_reader_saved *const *)left;
	const struct ttlog_reader_saved *b = *(const struct ttlog_reader_saved *const *)right;

	if (a->lane != b->lane)
		return a->lane < b->lane ? -1 : 1;
	if (a->index != b->index)
		return a->index < b->index ? -1 : 1;
	if (a->generation != b->generation)
		return a->generation < b->generation ? -1 : 1;
	return (a->event_count > b->event_count) - (a->event_count < b->event_count);
}

static int room_make(struct ttlog_reader *reader, uint32_t more)
{
	const uint64_t count = (uint64_t)reader->chunk_count + more;
	struct reader_chunk *chunk;

	if (count >= UINT32_MAX)
		return -ENOMEM;
	chunk = reallocarray(reader->chunk, count + 1, sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	reader->chunk = chunk;
	return 0;
}

/* A place after the other; `saved` is in the order of places. */
static int places_take(struct ttlog_reader *reader, const struct reader_history_place *place,
		       const struct ttlog_reader_saved *const *saved, uint32_t count)
{
	uint32_t at = 0, end;
	int error = 0;

	for (uint32_t lane = 0; lane < reader->geometry.lane_count; lane++) {
		const uint32_t chunks = reader->geometry.lane[lane].chunk_count;

		for (uint32_t i = 0; i < chunks && !error; i++, place++) {
			for (end = at; end < count && is_of(saved[end], lane, i); end++)
				;
			error = place_take(reader, place, lane, saved + at, end - at);
			at = end;
		}
	}
	return error;
}

int ttlog_reader_saved_take(struct ttlog_reader *reader, const struct reader_history_place *place)
{
	struct ttlog_reader_history *history = reader->history;
	const struct ttlog_reader_saved **sorted;
	int error = history->cut(history);

	if (!error)
		error = room_make(reader, history->saved_count);
	if (error)
		return error;
	sorted = malloc((history->saved_count + UINT64_C(1)) * sizeof(const void *));
	if (!sorted)
		return -ENOMEM;
	for (uint32_t i = 0; i < history->saved_count; i++)
		sorted[i] = history->saved[i];
	qsort(sorted, history->saved_count, sizeof(const void *), saved_compare);
	error = places_take(reader, place, sorted, history->saved_count);
	free(sorted);
	gaps_drop_front(reader);
	gaps_order(reader);
	return error;
}

void ttlog_reader_saved_settle(struct ttlog_reader *reader)
{
	for (uint32_t i = 0; i < reader->chunk_count; i++) {
		const struct reader_chunk *chunk = &reader->chunk[i];
		struct ttlog_reader_channel *channel;

		if (!chunk->saved || chunk->channel == TTLOG_READER_NO_CHANNEL)
			continue;
		channel = &reader->channel[chunk->channel];
		channel->overwritten = less(channel->overwritten, chunk->saved_events);
		if (!channel->overwritten)
			channel->overwritten_first = channel->overwritten_last = 0;
	}
}

/* ---- by whoever saves them ------------------------------------------------------------------- */

static void times_take(struct ttlog_reader_saved *saved, const unsigned char *events)
{
	for (uint32_t offset = 0; offset < saved->bytes;
	     offset += TTLOG_EVENT_BYTES(reader_word(events + offset))) {
		const uint64_t ticks = reader_event_ticks(events + offset);

		if (!saved->event_count++)
			saved->first_ticks = ticks;
		if (ticks > saved->newest_ticks)
			saved->newest_ticks = ticks;
	}
}

/*
 * The copy may not be what the walk saw, if it is a liar's, who changes what is nobody's: all that
 * follows works on the copy, and ends at what makes no sense.
 */
static uint32_t copy_walk(const unsigned char *events, uint32_t bytes)
{
	uint32_t offset = 0;

	while (offset < bytes) {
		const uint32_t size = TTLOG_EVENT_BYTES(reader_word(events + offset));

		if (size < TTLOG_EVENT_MIN || size % 8 != 0 || size > bytes - offset)
			break;
		offset += size;
	}
	return offset;
}

bool ttlog_reader_save(const void *base, const struct ttlog_geometry *geometry, uint32_t lane,
		       uint32_t index, uint64_t state, unsigned char *to,
		       struct ttlog_reader_saved *ret_saved)
{
	struct reader_chunk copy;
	struct reader_lost lost;

	if (!ttlog_reader_chunk_copy(geometry, base, lane, index, state, &copy, to, &lost))
		return false;
	memset(ret_saved, 0, sizeof(*ret_saved));
	ret_saved->bytes = copy_walk(to, copy.bytes);
	ret_saved->is_torn = copy.is_torn || ret_saved->bytes != copy.bytes;
	ret_saved->lane = lane;
	ret_saved->index = index;
	ret_saved->generation = TTLOG_STATE_GENERATION(state);
	ret_saved->lost = lost.count;
	ret_saved->lost_first = lost.first;
	ret_saved->lost_last = lost.last;
	ret_saved->taken_ticks = copy.taken_ticks;
	ret_saved->tid = copy.tid;
	ret_saved->writer = copy.writer;
	ret_saved->epoch = copy.epoch;
	memcpy(ret_saved->thread_name, copy.thread_name, sizeof(ret_saved->thread_name));
	times_take(ret_saved, to);
	return true;
}
