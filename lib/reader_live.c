/* SPDX-License-Identifier: MIT */
/*
 * reader_live.c - remembers for each chunk how far it was looked at.
 *
 * A lane whose hand stands still has no new tenures but those whose ticket was drawn before: a
 * writer draws some events before it takes, and anybody may be stopped in between. So then the
 * chunks that were owned are looked at, those of the last tickets, and now and then all of them;
 * one word each if nothing came. A wanted event is copied, and counts if its chunk is
 * still of the same tenure behind that; see reader_copy.c for why.
 */
#include "lib/reader_live.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/reader_parts.h"

/* A liar's dictionary may be new each time, and copying it takes a while. */
#define DICT_PAUSE_NS UINT64_C(200000000)
#define SKIP_BUDGET UINT32_MAX
/* Tickets that may be drawn and not used, and places behind its own at which one may be used. */
#define TICKETS_OPEN 32
#define PLACES_BEHIND 8
#define LOOKS_A_FULL_ONE 16 /* for who draws a ticket and is stopped until others drew so many */

enum verdict { UNKNOWN, UNWANTED, WANTED };

struct place {
	uint64_t generation; /* 0: nothing was seen there */
	uint32_t offset;     /* of the next event */
	bool is_done;	     /* it was retired, and all of it was seen */
};

struct lane {
	uint64_t hand;
	struct place *place;
	uint32_t *owned; /* chunks to look at though the hand stands still */
	uint32_t owned_count;
	uint32_t next; /* chunk of a look that was cut short; 0: of none */
	uint32_t looks; /* since all of them were looked at */
	bool is_cut;
};

struct ttlog_live {
	const unsigned char *base;
	struct ttlog_geometry geometry;
	struct ttlog_live_handler handler;
	struct reader_dict dict;
	uint8_t *verdict; /* enum verdict, of each id of the dictionary */
	uint64_t dict_ns; /* when it was copied */
	bool is_skipping; /* what is there already */
	bool waits_for_dict;
	uint64_t seen, missed;
	struct ttlog_live_owner owner; /* of the event that is handed out */
	struct lane lane[TTLOG_LANE_MAX];
	_Alignas(8) unsigned char event[READER_CHUNK_BYTES_MAX];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* ---- the dictionary -------------------------------------------------------------------------- */

static int renew_dict(struct ttlog_live *live)
{
	struct reader_dict fresh = {0};
	uint8_t *verdict;

	if (ttlog_reader_dict_copy(&fresh, live->base, &live->geometry)) {
		ttlog_reader_dict_free(&fresh);
		return -ENOMEM;
	}
	verdict = calloc(fresh.id_limit + 1, 1);
	if (!verdict) {
		ttlog_reader_dict_free(&fresh);
		return -ENOMEM;
	}
	if (live->verdict)
		memcpy(verdict, live->verdict,
		       live->dict.id_limit < fresh.id_limit ? live->dict.id_limit : fresh.id_limit);
	free(live->verdict);
	ttlog_reader_dict_free(&live->dict);
	live->verdict = verdict;
	live->dict = fresh;
	live->dict_ns = now_ns();
	return 0;
}

static enum verdict ask(struct ttlog_live *live, uint32_t id)
{
	const struct reader_site *site = ttlog_reader_dict_site(&live->dict, id);

	if (!site)
		return UNKNOWN;
	live->verdict[id] = live->handler.wants(live->handler.context, &site->seen) ? WANTED
										    : UNWANTED;
	return live->verdict[id];
}

/* UNKNOWN: not now; what is unknown to a dictionary that is newer than the event is nothing. */
static enum verdict verdict_of(struct ttlog_live *live, uint32_t id)
{
	enum verdict verdict = UNKNOWN;

	if (live->is_skipping)
		return UNWANTED;
	if (id < live->dict.id_limit)
		verdict = live->verdict[id] ? live->verdict[id] : ask(live, id);
	if (verdict != UNKNOWN)
		return verdict;
	if (id >= live->geometry.dict_index_count)
		return UNWANTED;
	if (live->dict.heap && now_ns() - live->dict_ns < DICT_PAUSE_NS)
		return UNKNOWN;
	if (renew_dict(live))
		return UNKNOWN;
	verdict = ask(live, id);
	if (verdict == UNKNOWN && id < live->dict.id_limit)
		live->verdict[id] = UNWANTED;
	return verdict == UNKNOWN ? UNWANTED : verdict;
}

/* ---- one chunk ------------------------------------------------------------------------------- */

struct look {
	struct ttlog_live *live;
	uint32_t lane;
	const struct ttlog_lane_geometry *geometry;
	const struct ttlog_chunk_record *records;
	uint32_t *budget;
};

static bool is_same_tenure(const struct look *look, uint32_t index, uint64_t generation)
{
	uint64_t state;

	/* If anything of the next tenure was read, INIT is seen; pairs with the fence after INIT.
	 */
	atomic_thread_fence(memory_order_acquire);
	state = atomic_load_explicit(&look->records[index].state, memory_order_relaxed);
	return TTLOG_STATE_GENERATION(state) == generation &&
	       TTLOG_STATE_OF(state) != TTLOG_CHUNK_INIT;
}

/* The header does not change as long as the chunk is of one tenure. */
static void take_owner(const struct look *look, uint32_t index)
{
	const struct ttlog_chunk *chunk =
		(const void *)(look->live->base + look->geometry->chunks_offset +
			       (uint64_t)index * look->geometry->chunk_bytes);
	struct ttlog_live_owner *owner = &look->live->owner;

	reader_copy_bytes(&owner->tid, &chunk->tid, sizeof(owner->tid));
	reader_copy_bytes(owner->name, chunk->thread_name, sizeof(owner->name));
	owner->name[sizeof(owner->name) - 1] = '\0';
}

/* False: its chunk changed hands meanwhile. */
static bool take(const struct look *look, uint32_t index, uint64_t generation,
		 const unsigned char *at, uint32_t size)
{
	struct ttlog_live *live = look->live;
	const struct reader_site *site;
	struct ttlog_reader_event event;

	reader_copy_bytes(live->event, at, size);
	take_owner(look, index);
	if (!is_same_tenure(look, index, generation))
		return false;
	if (!ttlog_reader_event(&live->dict, live->event, size, &event))
		return true;
	event.lane = look->lane;
	event.thread = 0;
	event.channel = TTLOG_READER_NO_CHANNEL;
	site = ttlog_reader_dict_site(&live->dict, event.site);
	live->handler.take(live->handler.context, &site->seen, &event);
	return true;
}

/* What is there from the place's offset on. False: the budget is used up, or the dictionary is old.
 */
static bool walk(const struct look *look, uint32_t index, struct place *place)
{
	struct ttlog_live *live = look->live;
	const unsigned char *chunk = live->base + look->geometry->chunks_offset +
				     (uint64_t)index * look->geometry->chunk_bytes;
	const uint32_t end = look->geometry->chunk_bytes - 8;

	while (place->offset < end) {
		/* Pairs with the release of the commit. */
		const uint64_t word = atomic_load_explicit(
			(const _Atomic uint64_t *)(const void *)(chunk + place->offset),
			memory_order_acquire);
		const uint32_t size = TTLOG_EVENT_BYTES(word);
		enum verdict verdict;

		if (!word)
			break;
		if (size < TTLOG_EVENT_MIN || size % 8 || size > end - place->offset) {
			place->offset = end; /* damaged, or another tenure's by now */
			break;
		}
		if (!*look->budget)
			return false;
		verdict = verdict_of(live, TTLOG_EVENT_SITE(word));
		if (verdict == UNKNOWN) {
			live->waits_for_dict = true;
			return false;
		}
		--*look->budget;
		live->seen++;
		if (verdict == WANTED &&
		    !take(look, index, place->generation, chunk + place->offset, size))
			break;
		place->offset += size;
	}
	return true;
}

/* What of a place was never seen when it has gone on to that generation. */
static void count_missed(struct ttlog_live *live, const struct place *place, uint64_t generation)
{
	uint64_t missed = generation - place->generation - 1 +
			  (place->generation && !place->is_done);

	if (!live->is_skipping && generation > place->generation)
		reader_count(&live->missed, missed);
}

/* False: there is more. *ret_open: it may get more events without a new tenure. */
static bool look_at(const struct look *look, uint32_t index, bool *ret_open)
{
	struct place *place = &look->live->lane[look->lane].place[index];
	/* Pairs with the release of OWNED and of the retire. */
	const uint64_t state =
		atomic_load_explicit(&look->records[index].state, memory_order_acquire);
	const uint64_t generation = TTLOG_STATE_GENERATION(state);
	const unsigned int of = TTLOG_STATE_OF(state);
	bool is_through;

	*ret_open = of == TTLOG_CHUNK_OWNED || of >= TTLOG_CHUNK_COND ||
		    look->lane == TTLOG_LANE_CHANNEL;
	if (!generation || of == TTLOG_CHUNK_FREE || of >= TTLOG_CHUNK_INIT)
		return true;
	if (generation != place->generation) {
		count_missed(look->live, place, generation);
		*place = (struct place){.generation = generation, .offset = TTLOG_CHUNK_FIRST};
	}
	if (look->lane != TTLOG_LANE_CHANNEL && look->live->is_skipping && of != TTLOG_CHUNK_OWNED)
		place->is_done = true;
	if (look->lane != TTLOG_LANE_CHANNEL && place->is_done)
		return true;
	is_through = walk(look, index, place);
	place->is_done = is_through && of != TTLOG_CHUNK_OWNED &&
			 is_same_tenure(look, index, generation);
	return is_through;
}

/* ---- lanes ----------------------------------------------------------------------------------- */

/* May it be taken with a ticket that was drawn before the look? */
static bool is_awaited(const struct look *look, uint32_t index)
{
	const uint32_t count = look->geometry->chunk_count;
	const uint64_t behind =
		(look->live->lane[look->lane].hand % count + count + PLACES_BEHIND - 1 - index) %
		count;

	return behind < TICKETS_OPEN + PLACES_BEHIND;
}

/* All of its chunks, from where the last look was cut short. */
static bool look_at_all(const struct look *look)
{
	struct lane *lane = &look->live->lane[look->lane];
	bool is_open;

	if (!lane->is_cut)
		lane->owned_count = lane->next = 0;
	lane->is_cut = true;
	lane->looks = 0;
	for (; lane->next < look->geometry->chunk_count; lane->next++) {
		if (!look_at(look, lane->next, &is_open))
			return false;
		if (is_open || is_awaited(look, lane->next))
			lane->owned[lane->owned_count++] = lane->next;
	}
	lane->is_cut = false;
	return true;
}

static bool look_at_owned(const struct look *look)
{
	const struct lane *lane = &look->live->lane[look->lane];
	bool is_open;

	for (uint32_t i = 0; i < lane->owned_count; i++)
		if (!look_at(look, lane->owned[i], &is_open))
			return false;
	return true;
}

static bool look_at_lane(struct ttlog_live *live, uint32_t id, uint32_t *budget)
{
	const struct ttlog_ledger *ledger =
		(const void *)(live->base + live->geometry.ledger_offset);
	const struct ttlog_lane_geometry *geometry = &live->geometry.lane[id];
	const struct look look = {
		.live = live,
		.lane = id,
		.geometry = geometry,
		.records = (const void *)(live->base + geometry->records_offset),
		.budget = budget,
	};
	struct lane *lane = &live->lane[id];
	const uint64_t hand = atomic_load_explicit(&ledger->lane[id].hand, memory_order_acquire);

	if (hand == lane->hand && !lane->is_cut && ++lane->looks < LOOKS_A_FULL_ONE)
		return look_at_owned(&look);
	/* What is taken meanwhile moves it on. */
	if (!lane->is_cut)
		lane->hand = hand;
	return look_at_all(&look);
}

bool ttlog_live_look(struct ttlog_live *live, uint32_t lanes, uint32_t *budget)
{
	bool is_through = true;

	live->waits_for_dict = false;
	for (uint32_t lane = 0; lane < live->geometry.lane_count; lane++)
		if (lanes & UINT32_C(1) << lane)
			is_through = look_at_lane(live, lane, budget) && is_through;
	/* Who can't go on for want of a newer dictionary has time: it will be asked for soon
	 * enough. */
	return is_through || live->waits_for_dict;
}

/* ---- from outside ---------------------------------------------------------------------------- */

static int make_places(struct ttlog_live *live)
{
	for (uint32_t i = 0; i < live->geometry.lane_count; i++) {
		const size_t count = live->geometry.lane[i].chunk_count;

		live->lane[i].place = calloc(count + 1, sizeof(struct place));
		live->lane[i].owned = calloc(count + 1, sizeof(uint32_t));
		if (!live->lane[i].place || !live->lane[i].owned)
			return -ENOMEM;
		live->lane[i].hand = UINT64_MAX; /* nobody's: the first look is at all of them */
	}
	return 0;
}

int ttlog_live_open_oldest(struct ttlog_live **ret_live, const void *base,
			   const struct ttlog_geometry *geometry,
			   const struct ttlog_live_handler *handler)
{
	struct ttlog_live *live = calloc(1, sizeof(*live));

	if (!live)
		return -ENOMEM;
	live->base = base;
	live->geometry = *geometry;
	live->handler = *handler;
	if (make_places(live)) {
		ttlog_live_close(live);
		return -ENOMEM;
	}
	*ret_live = live;
	return 0;
}

int ttlog_live_open(struct ttlog_live **ret_live, const void *base,
		    const struct ttlog_geometry *geometry, const struct ttlog_live_handler *handler)
{
	uint32_t budget = SKIP_BUDGET;
	const int error = ttlog_live_open_oldest(ret_live, base, geometry, handler);

	if (error)
		return error;
	(*ret_live)->is_skipping = true;
	ttlog_live_look(*ret_live, UINT32_MAX, &budget);
	(*ret_live)->is_skipping = false;
	(*ret_live)->seen = 0;
	return 0;
}

void ttlog_live_close(struct ttlog_live *live)
{
	if (!live)
		return;
	for (uint32_t i = 0; i < live->geometry.lane_count; i++) {
		free(live->lane[i].place);
		free(live->lane[i].owned);
	}
	ttlog_reader_dict_free(&live->dict);
	free(live->verdict);
	free(live);
}

bool ttlog_live_waits(const struct ttlog_live *live)
{
	return live->waits_for_dict;
}

const struct ttlog_live_owner *ttlog_live_owner(const struct ttlog_live *live)
{
	return &live->owner;
}

const char *ttlog_live_string(const struct ttlog_live *live, uint32_t id)
{
	return id < live->dict.id_limit ? live->dict.entry[id].string : NULL;
}

uint64_t ttlog_live_seen(const struct ttlog_live *live)
{
	return live->seen;
}

uint64_t ttlog_live_missed(const struct ttlog_live *live)
{
	return live->missed;
}
