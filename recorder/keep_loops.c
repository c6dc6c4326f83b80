/* SPDX-License-Identifier: MIT */
/* keep_loops.c - a small table of what keeps dying. */
#include "recorder/keep_loops.h"

#include <stddef.h>

#define MS_NS UINT64_C(1000000)

/* 0 when the clock was set back. */
static uint64_t ms_between(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (to_ns - from_ns) / MS_NS : 0;
}

static bool is_over(const struct keep_loop *loop, uint64_t now_ns)
{
	return ms_between(loop->last_ns, now_ns) >= KEEP_LOOP_OVER_MS;
}

static struct keep_loop *find(struct keep_loops *loops, uint64_t key)
{
	for (size_t i = 0; i < KEEP_LOOPS_MAX; i++)
		if (loops->loop[i].key == key)
			return &loops->loop[i];
	return NULL;
}

/* A free one, or that of which nothing was heard for the longest time. */
static struct keep_loop *find_room(struct keep_loops *loops)
{
	struct keep_loop *oldest = &loops->loop[0];

	for (size_t i = 0; i < KEEP_LOOPS_MAX && oldest->key; i++)
		if (!loops->loop[i].key || loops->loop[i].last_ns < oldest->last_ns)
			oldest = &loops->loop[i];
	return oldest;
}

static void begin(struct keep_loop *loop, const struct keep_death *death)
{
	*loop = (struct keep_loop){
		.key = death->key,
		.since_ns = death->died_ns,
		.last_ns = death->died_ns,
		.written_ns = death->died_ns,
		.count = 1,
		.pause_ms = KEEP_LOOP_PAUSE_MIN_MS,
	};
}

static bool is_due(struct keep_loop *loop, uint64_t loop_first, uint64_t now_ns)
{
	if (loop->count <= loop_first)
		return true;
	/* A clock that was set back must not make it wait for what it once showed. */
	if (now_ns >= loop->written_ns && ms_between(loop->written_ns, now_ns) < loop->pause_ms)
		return false;
	if (loop->pause_ms < KEEP_LOOP_PAUSE_MAX_MS)
		loop->pause_ms *= 2;
	if (loop->pause_ms > KEEP_LOOP_PAUSE_MAX_MS)
		loop->pause_ms = KEEP_LOOP_PAUSE_MAX_MS;
	return true;
}

static void tell_place(const struct keep_loop *loop, struct keep_place *ret_place)
{
	*ret_place = (struct keep_place){
		.key = loop->key,
		.since_ns = loop->since_ns,
		.count = loop->count,
		.unwritten = loop->unwritten,
	};
}

bool keep_loops_admit(struct keep_loops *loops, uint64_t loop_first, const struct keep_death *death,
		      struct keep_place *ret_place)
{
	struct keep_loop *loop = find(loops, death->key);

	*ret_place = (struct keep_place){0};
	if (!loop_first || !death->key)
		return true;
	if (!loop || is_over(loop, death->died_ns)) {
		if (!loop)
			loop = find_room(loops);
		begin(loop, death);
		tell_place(loop, ret_place);
		return true;
	}
	if (death->started_ns && death->started_ns <= loop->since_ns)
		return true;
	loop->count++;
	loop->last_ns = death->died_ns;
	if (!is_due(loop, loop_first, death->died_ns)) {
		loop->unwritten++;
		tell_place(loop, ret_place);
		ret_place->is_new = !loop->said;
		loop->said = true;
		return false;
	}
	tell_place(loop, ret_place);
	loop->written_ns = death->died_ns;
	loop->unwritten = 0;
	return true;
}

/* A later loop of the same kind may have fewer deaths so far. */
static bool is_newer(const struct keep_place *place, const struct keep_loop *loop)
{
	return place->since_ns != loop->since_ns ? place->since_ns > loop->since_ns
						 : place->count > loop->count;
}

void keep_loops_remember(struct keep_loops *loops, const struct keep_place *place, uint64_t died_ns)
{
	struct keep_loop *loop = place->key && place->count ? find(loops, place->key) : NULL;

	if (!place->key || !place->count || (loop && !is_newer(place, loop)))
		return;
	if (!loop)
		loop = find_room(loops);
	*loop = (struct keep_loop){
		.key = place->key,
		.since_ns = place->since_ns,
		.last_ns = died_ns,
		.written_ns = died_ns,
		.count = place->count,
		.pause_ms = KEEP_LOOP_PAUSE_MIN_MS,
	};
}
