/* SPDX-License-Identifier: MIT */
/* dump_occasion.c - see dump_occasion.h. */
#include "recorder/dump_occasion.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "recorder/dump_site.h"

#define STAMP_BYTES 40

/* RFC 3339 with 6 digits, as everywhere. */
static void format_time(int64_t time_ns, char buffer[STAMP_BYTES])
{
	const time_t seconds = (time_t)(time_ns / 1000000000);
	char date[24];
	struct tm tm;

	buffer[0] = '\0';
	if (time_ns <= 0 || !gmtime_r(&seconds, &tm) ||
	    !strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	snprintf(buffer, STAMP_BYTES, "%s.%06uZ", date,
		 (unsigned int)(time_ns % 1000000000 / 1000));
}

static void event_words(const struct occasion *occasion, char *buffer, size_t bytes)
{
	char stamp[STAMP_BYTES];

	format_time(occasion->event.time_ns, stamp);
	snprintf(buffer, bytes, "rule %s: %s \"%s\"%s%s%s%s, of thread %" PRIu32, occasion->rule,
		 dump_site_level(occasion->event.level), occasion->event.message,
		 occasion->event.fields[0] ? " " : "", occasion->event.fields,
		 stamp[0] ? " at " : "", stamp, occasion->event.tid);
}

static void memory_words(const struct occasion *occasion, char *buffer, size_t bytes)
{
	const uint64_t mib = occasion->limit_bytes >> 20, kib = occasion->limit_bytes >> 10;

	snprintf(buffer, bytes, "rule %s: %u%% of its memory limit of %" PRIu64 " %s is in use",
		 occasion->rule, occasion->percent, mib ? mib : kib, mib ? "MiB" : "KiB");
}

static void operator_words(const struct occasion *occasion, char *buffer, size_t bytes)
{
	snprintf(buffer, bytes, "asked for with ttlog-ctl by uid %u%s%s%s",
		 (unsigned int)occasion->uid, occasion->called[0] ? " (" : "", occasion->called,
		 occasion->called[0] ? ")" : "");
}

void dump_occasion_sentence(const struct occasion *occasion, char *buffer, size_t bytes)
{
	buffer[0] = '\0';
	switch (occasion->kind) {
	case OCCASION_NONE:
		return;
	case OCCASION_EVENT:
		event_words(occasion, buffer, bytes);
		return;
	case OCCASION_MEMORY:
		memory_words(occasion, buffer, bytes);
		return;
	case OCCASION_INTERVAL:
		snprintf(buffer, bytes, "rule %s: every %" PRIu64 " s", occasion->rule,
			 occasion->every_ms / 1000);
		return;
	case OCCASION_HEARTBEAT:
		snprintf(buffer, bytes,
			 "no heartbeat for %" PRIu64 " ms, where one every %" PRIu64
			 " ms was promised",
			 occasion->silent_ms, occasion->promised_ms);
		return;
	case OCCASION_PROGRAM:
		snprintf(buffer, bytes, "it asked for one itself (%s)", occasion->called);
		return;
	case OCCASION_OPERATOR:
		operator_words(occasion, buffer, bytes);
		return;
	case OCCASION_PERIODIC:
		snprintf(buffer, bytes, "every %" PRIu64 " s, as it wished when it began",
			 occasion->every_ms / 1000);
		return;
	case OCCASION_GROUP:
		snprintf(buffer, bytes, "it works with %s (pid %d), which has died",
			 occasion->service, (int)occasion->pid);
		return;
	}
}

static const char *const kinds[] = {
	[OCCASION_EVENT] = "event",	    [OCCASION_MEMORY] = "memory",
	[OCCASION_INTERVAL] = "interval",   [OCCASION_HEARTBEAT] = "heartbeat",
	[OCCASION_PROGRAM] = "program",	    [OCCASION_OPERATOR] = "operator",
	[OCCASION_PERIODIC] = "periodic",   [OCCASION_GROUP] = "group",
};

static void pair_text(struct pack *pack, struct pack_map *map, const char *key, const char *text)
{
	if (text[0])
		pack_pair_string(pack, map, key, text);
}

static void pair_event(struct pack *pack, struct pack_map *map, const struct occasion *occasion)
{
	if (occasion->event.time_ns)
		pack_pair_int(pack, map, "time_ns", occasion->event.time_ns);
	pack_pair_uint(pack, map, "tid", occasion->event.tid);
	pair_text(pack, map, "thread", occasion->event.thread);
	pack_pair_uint(pack, map, "site", occasion->event.site);
	pack_pair_string(pack, map, "level", dump_site_level(occasion->event.level));
	pair_text(pack, map, "target", occasion->event.target);
	pack_pair_string(pack, map, "message", occasion->event.message);
	pair_text(pack, map, "values", occasion->event.fields);
}

void dump_occasion_encode(struct pack *pack, struct pack_map *map, const struct occasion *occasion)
{
	struct pack_map inner;

	if (occasion->kind == OCCASION_NONE)
		return;
	pack_key(pack, map, "trigger");
	inner = pack_map_begin(pack);
	pack_pair_string(pack, &inner, "kind", kinds[occasion->kind]);
	pair_text(pack, &inner, "rule", occasion->rule);
	pair_text(pack, &inner, "called", occasion->called);
	if (occasion->kind == OCCASION_EVENT)
		pair_event(pack, &inner, occasion);
	if (occasion->kind == OCCASION_MEMORY) {
		pack_pair_uint(pack, &inner, "percent", occasion->percent);
		pack_pair_uint(pack, &inner, "percent_wanted", occasion->percent_wanted);
		pack_pair_uint(pack, &inner, "usage_bytes", occasion->usage_bytes);
		pack_pair_uint(pack, &inner, "limit_bytes", occasion->limit_bytes);
	}
	pack_pair_known(pack, &inner, "every_ms", occasion->every_ms);
	pack_pair_known(pack, &inner, "silent_ms", occasion->silent_ms);
	pack_pair_known(pack, &inner, "promised_ms", occasion->promised_ms);
	if (occasion->kind == OCCASION_OPERATOR)
		pack_pair_uint(pack, &inner, "uid", occasion->uid);
	if (occasion->kind == OCCASION_GROUP) {
		pack_pair_uint(pack, &inner, "first_pid", (uint64_t)occasion->pid);
		pack_pair_string(pack, &inner, "first_service", occasion->service);
	}
	pack_map_end(pack, &inner);
}
