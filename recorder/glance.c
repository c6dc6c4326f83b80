/* SPDX-License-Identifier: MIT */
/* glance.c - what the books of a region say, and the chunks that are not in them yet. */
#include "recorder/glance.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "recorder/chunk_events.h"

/* Of chunks in use; more than that is owned only by liars and by thousands of threads. */
#define WALK_BYTES_MAX (16u << 20)

struct look {
	const unsigned char *base;
	const struct ttlog_geometry *geometry;
	uint64_t now, recent_from; /* ticks */
	uint64_t walk_bytes;	   /* left */
	uint64_t newest, oldest;   /* ticks of events; 0, UINT64_MAX: none */
	uint64_t main_lost_last;   /* ticks of the newest that lane main overwrote */
	struct glance *glance;
};

/* What a chunk holds. */
struct holding {
	uint64_t count, recent;
	uint64_t first, last; /* ticks */
};

static uint64_t load(const void *at)
{
	return __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED);
}

/* Liars can't make a counter go round. */
static void add(uint64_t *counter, uint64_t more)
{
	if (__builtin_add_overflow(*counter, more, counter))
		*counter = UINT64_MAX;
}

static void walk(struct look *look, const unsigned char *chunk, uint32_t chunk_bytes,
		 struct holding *holding)
{
	uint32_t offset = TTLOG_CHUNK_FIRST, size;
	bool torn = false; /* others say so */

	if (look->walk_bytes < chunk_bytes)
		return;
	look->walk_bytes -= chunk_bytes;
	for (; (size = chunk_event_bytes(chunk, chunk_bytes, offset, &torn)); offset += size) {
		const uint64_t ticks = load(chunk + offset + 8);

		if (!holding->count++ || ticks < holding->first)
			holding->first = ticks;
		if (ticks > holding->last)
			holding->last = ticks;
		holding->recent += ticks >= look->recent_from;
	}
}

/* As its owner noted it when it was retired; of events in a chunk the times are taken as even. */
static bool take_note(const struct look *look, const struct ttlog_chunk *chunk,
		      uint32_t chunk_bytes, uint64_t generation, struct holding *holding)
{
	const uint64_t last = atomic_load_explicit(&chunk->retired_last, memory_order_relaxed);
	uint64_t count;

	if (!chunk_noted_count(chunk, chunk_bytes, generation, &count))
		return false;
	holding->count = count;
	holding->last = last;
	holding->first = load(&chunk->taken_ticks);
	if (!count || last < look->recent_from)
		return true;
	holding->recent = count;
	if (holding->first < look->recent_from && last > holding->first)
		holding->recent = (uint64_t)((double)count * (double)(last - look->recent_from) /
					     (double)(last - holding->first));
	return true;
}

static void take_chunk(struct look *look, uint32_t lane, uint32_t index, uint64_t state)
{
	const struct ttlog_lane_geometry *geometry = &look->geometry->lane[lane];
	const unsigned char *chunk = look->base + geometry->chunks_offset +
				     (uint64_t)index * geometry->chunk_bytes;
	const bool is_noted = TTLOG_STATE_OF(state) != TTLOG_CHUNK_OWNED;
	struct glance *glance = look->glance;
	struct holding holding = {0};

	if (!is_noted || !take_note(look, (const void *)chunk, geometry->chunk_bytes,
				    TTLOG_STATE_GENERATION(state), &holding))
		walk(look, chunk, geometry->chunk_bytes, &holding);
	if (!holding.count)
		return;
	glance->lane[lane].events += holding.count;
	glance->recent_events += holding.recent;
	if (holding.last > look->newest)
		look->newest = holding.last;
	if (holding.first < look->oldest)
		look->oldest = holding.first;
}

/* Generation 0 is nobody's yet. */
static bool has_events(uint64_t state)
{
	const unsigned int of = TTLOG_STATE_OF(state);

	return TTLOG_STATE_GENERATION(state) &&
	       (of == TTLOG_CHUNK_OWNED || of == TTLOG_CHUNK_RETIRED || of == TTLOG_CHUNK_COND);
}

static void take_lane(struct look *look, uint32_t lane)
{
	const struct ttlog_lane_geometry *geometry = &look->geometry->lane[lane];
	const struct ttlog_chunk_record *records =
		(const void *)(look->base + geometry->records_offset);
	const struct ttlog_ledger *ledger =
		(const void *)(look->base + look->geometry->ledger_offset);
	struct glance_lane *seen = &look->glance->lane[lane];

	for (uint32_t i = 0; i < geometry->chunk_count; i++) {
		const uint64_t state =
			atomic_load_explicit(&records[i].state, memory_order_acquire);
		const struct ttlog_account *account =
			&records[i].account[TTLOG_STATE_GENERATION(state) & 1];
		const uint64_t last = atomic_load_explicit(&account->last, memory_order_relaxed);

		seen->chunks_used += TTLOG_STATE_OF(state) != TTLOG_CHUNK_FREE;
		add(&seen->overwritten,
		    atomic_load_explicit(&account->count, memory_order_relaxed));
		if (lane == TTLOG_LANE_MAIN && last > look->main_lost_last)
			look->main_lost_last = last;
		if (has_events(state))
			take_chunk(look, lane, i, state);
	}
	seen->dropped = atomic_load_explicit(&ledger->lane[lane].dropped, memory_order_relaxed);
	seen->truncated = atomic_load_explicit(&ledger->lane[lane].truncated, memory_order_relaxed);
	add(&look->glance->events, seen->events);
	add(&look->glance->overwritten, seen->overwritten);
	add(&look->glance->dropped, seen->dropped);
	add(&look->glance->truncated, seen->truncated);
}

static uint64_t ago(const struct look *look, const struct ttlog_clock_line *line, uint64_t ticks)
{
	const int64_t now_ns = ttlog_clock_monotonic_ns(line, look->now);
	const int64_t then_ns = ttlog_clock_monotonic_ns(line, ticks);

	return now_ns > then_ns ? (uint64_t)(now_ns - then_ns) : 0;
}

/* That many nanoseconds before now, in ticks: at the pace of the last two seconds or so. */
static uint64_t before(const struct look *look, const struct ttlog_clock_line *line, uint64_t ns)
{
	const uint64_t step = look->now < UINT64_C(1) << 32 ? look->now : UINT64_C(1) << 32;
	const uint64_t step_ns = ago(look, line, look->now - step);
	double back;

	if (!step_ns)
		return look->now;
	back = (double)ns * (double)step / (double)step_ns;
	return back < (double)look->now ? look->now - (uint64_t)back : 0;
}

static void take_ledger(const struct look *look)
{
	const struct ttlog_ledger *ledger =
		(const void *)(look->base + look->geometry->ledger_offset);
	struct glance *glance = look->glance;

	glance->dict_count = atomic_load_explicit(&ledger->dict_next_id, memory_order_relaxed);
	glance->dict_count -= glance->dict_count > 0; /* they start at 1 */
	glance->dict_bytes = atomic_load_explicit(&ledger->dict_next_offset, memory_order_relaxed);
	glance->dict_full = atomic_load_explicit(&ledger->dict_full, memory_order_relaxed);
	glance->channels_open = atomic_load_explicit(&ledger->channels_open, memory_order_relaxed);
	glance->channels_opened =
		atomic_load_explicit(&ledger->channels_opened, memory_order_relaxed);
	glance->channels_refused =
		atomic_load_explicit(&ledger->channels_refused, memory_order_relaxed);
}

/* A rate is of the time for which everything is there, and not of more than GLANCE_RECENT_NS. */
static void take_times(const struct look *look, const struct ttlog_clock_line *line)
{
	struct glance *glance = look->glance;

	if (!look->newest)
		return;
	glance->newest_ns = ago(look, line, look->newest);
	if (look->main_lost_last)
		glance->history_ns = ago(look, line, look->main_lost_last);
	else if (look->oldest != UINT64_MAX)
		glance->history_ns = ago(look, line, look->oldest);
	glance->recent_ns = GLANCE_RECENT_NS;
	if (glance->history_ns && glance->history_ns < GLANCE_RECENT_NS)
		glance->recent_ns = glance->history_ns;
}

void glance_take(const void *base, const struct ttlog_geometry *geometry,
		 const struct ttlog_clock_line *line, struct glance *ret_glance)
{
	struct look look = {
		.base = base,
		.geometry = geometry,
		.now = ttlog_clock_ticks(line->source),
		.walk_bytes = WALK_BYTES_MAX,
		.oldest = UINT64_MAX,
		.glance = ret_glance,
	};

	*ret_glance = (struct glance){0};
	look.recent_from = before(&look, line, GLANCE_RECENT_NS);
	for (uint32_t lane = 0; lane < geometry->lane_count; lane++)
		take_lane(&look, lane);
	take_ledger(&look);
	take_times(&look, line);
}

uint64_t glance_rate(const struct glance *glance)
{
	if (!glance->recent_ns)
		return 0;
	return (uint64_t)((double)glance->recent_events * 1e9 / (double)glance->recent_ns);
}
