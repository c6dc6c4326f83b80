/* SPDX-License-Identifier: MIT */
/* ctl_region.c - a living region as the recorder hands it out, and what its ticks mean. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "recorder/ctl_live.h"
#include "recorder/log.h"
#include "recorder/rings.h"

#define TICK_NS UINT64_C(1000000000)
#define END_TRIES 100
#define END_PAUSE_MS 100

struct answer {
	struct ctl_region *region;
	int error;
};

static uint64_t number_of(const unsigned char *row, size_t bytes, const char *key)
{
	struct ctl_item item;

	return ctl_map_find(row, bytes, key, &item, NULL) && item.kind == CTL_UINT ? item.value : 0;
}

static void take_text(const unsigned char *row, size_t bytes, const char *key, char *to,
		      size_t to_bytes)
{
	struct ctl_item item;

	if (!ctl_map_find(row, bytes, key, &item, NULL) || item.kind != CTL_TEXT ||
	    item.value >= to_bytes)
		return;
	memcpy(to, item.text, (size_t)item.value);
	to[item.value] = '\0';
	log_clean(to, LOG_CLEAN_LINE);
}

/* Numbers in threes, as many as there are. */
static void take_clock(struct ctl_region *region, const unsigned char *row, size_t bytes)
{
	struct ctl_cursor cursor;
	struct ctl_item array, item;
	struct ttlog_clock_point point;
	uint64_t *const part[] = {&point.ticks, &point.monotonic_ns, &point.realtime_ns};

	if (!ctl_map_find(row, bytes, "clock", &array, &cursor) || array.kind != CTL_ARRAY)
		return;
	for (uint64_t i = 0; i + 3 <= array.value; i += 3) {
		for (unsigned int j = 0; j < 3; j++) {
			if (ctl_item_next(&cursor, &item) || item.kind != CTL_UINT)
				return;
			*part[j] = item.value;
		}
		timeline_add(&region->timeline, &point, 0);
	}
}

static enum ttlog_clock_source source_of(uint64_t number)
{
	return number <= TTLOG_CLOCK_CNTVCT ? (enum ttlog_clock_source)number
					    : TTLOG_CLOCK_MONOTONIC;
}

static void take_row(void *context, const unsigned char *row, size_t bytes)
{
	struct answer *answer = context;
	struct ctl_region *region = answer->region;
	struct ctl_item item;

	take_text(row, bytes, "service", region->service, sizeof(region->service));
	take_text(row, bytes, "hostname", region->hostname, sizeof(region->hostname));
	region->pid = (uint32_t)number_of(row, bytes, "pid");
	region->uid = (uint32_t)number_of(row, bytes, "uid");
	region->clock_source = source_of(number_of(row, bytes, "clock_source"));
	timeline_init(&region->timeline, source_of(number_of(row, bytes, "points_source")),
		      number_of(row, bytes, "clock_hz"));
	take_clock(region, row, bytes);
	if (ctl_map_find(row, bytes, "error", &item, NULL))
		answer->error = item.kind == CTL_NEGATIVE && item.value < 4095
					? -1 - (int)item.value
					: -EPROTO;
}

static int map(struct ctl_region *region, struct ctl_outcome *outcome)
{
	int err = rings_open();

	if (!err)
		err = rings_map_to_read(outcome->fd[0], &region->geometry, &region->base);
	if (err)
		return err;
	region->pidfd = outcome->fd[1];
	outcome->fd[1] = -1;
	ctl_region_tick(region);
	return 0;
}

int ctl_region_open(struct ctl_region *ret_region, const char *path, const char *match)
{
	struct ctl_request request = {.verb = CTL_REGION};
	struct answer answer = {.region = ret_region};
	struct ctl_outcome outcome;
	int err;

	memset(ret_region, 0, sizeof(*ret_region));
	ret_region->pidfd = -1;
	strncpy(request.match, match, sizeof(request.match) - 1);
	err = ctl_ask(path, &request, take_row, &answer, &outcome);
	err = err ? err : outcome.status;
	err = err ? err : answer.error;
	if (!err && !outcome.matched)
		err = -ESRCH;
	if (!err && (outcome.fd[0] < 0 || outcome.fd[1] < 0))
		err = -EBADMSG;
	ret_region->matched = outcome.matched;
	if (!err)
		err = map(ret_region, &outcome);
	ctl_outcome_fini(&outcome);
	return err;
}

void ctl_region_close(struct ctl_region *region)
{
	if (region->base)
		rings_unmap(region->base, &region->geometry);
	if (region->pidfd >= 0)
		close(region->pidfd);
	region->base = NULL;
	region->pidfd = -1;
}

void ctl_region_tick(struct ctl_region *region)
{
	struct timeline *timeline = &region->timeline;
	struct ttlog_clock_point now;
	const uint64_t width_ticks = ttlog_clock_read(timeline->source, &now);

	if (!timeline->count ||
	    now.monotonic_ns >= timeline->point[timeline->count - 1].monotonic_ns + TICK_NS)
		timeline_add(timeline, &now, width_ticks);
}

struct ttlog_clock_line ctl_region_line(const struct ctl_region *region)
{
	return timeline_line(&region->timeline, region->clock_source);
}

/* ---- the end ---------------------------------------------------------------------------- */

struct sentence {
	char *text;
	size_t bytes;
};

static void take_sentence(void *context, const unsigned char *row, size_t bytes)
{
	const struct sentence *sentence = context;

	take_text(row, bytes, "sentence", sentence->text, sentence->bytes);
}

/* Evidence comes by several ways, and the recorder waits for the last of it. */
bool ctl_region_ended(const char *path, uint32_t pid, char *ret_sentence, size_t bytes)
{
	struct sentence sentence = {.text = ret_sentence, .bytes = bytes};
	struct ctl_request request = {.verb = CTL_DEATH};
	struct ctl_outcome outcome;

	snprintf(request.match, sizeof(request.match), "%u", pid);
	*ret_sentence = '\0';
	for (unsigned int i = 0; i < END_TRIES; i++) {
		if (ctl_ask(path, &request, take_sentence, &sentence, &outcome) || outcome.status)
			return false;
		if (*ret_sentence)
			return true;
		poll(NULL, 0, END_PAUSE_MS);
	}
	return false;
}

int ctl_region_say(const char *path, const char *match, int err)
{
	if (err == -ESRCH) {
		ctl_say("nothing matches '%s'", match);
		return CTL_EXIT_NO_MATCH;
	}
	if (err == -ENOENT || err == -ECONNREFUSED)
		ctl_say("%s: no recorder is reachable there (%s)", path, strerror(-err));
	else if (err == -EBADMSG)
		ctl_say("%s: that recorder can't hand out what %s records: it is of another "
			"version, or the region is damaged",
			path, match);
	else if (err == -EOPNOTSUPP)
		ctl_say("%s: what it records is held by another program, too, and can't be handed "
			"out",
			match);
	else
		ctl_say("%s: %s", path, strerror(-err));
	return CTL_EXIT_REFUSED;
}
