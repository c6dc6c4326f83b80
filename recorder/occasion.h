/* SPDX-License-Identifier: MIT */
/*
 * occasion.h - what led to the dump of a living process: the "trigger" of a dump's metadata.
 *
 * A copy, for what it tells of may be gone from the ring before the dump is written. Texts of events
 * are cut to their room, and cleaned: they may be shown.
 */
#ifndef RECORDER_OCCASION_H
#define RECORDER_OCCASION_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/ttlog_abi.h"
#include "recorder/rules.h"

#define OCCASION_TEXT_BYTES 160

enum occasion_kind {
	OCCASION_NONE = 0,
	OCCASION_EVENT,	    /* a rule: an event that it waited for */
	OCCASION_MEMORY,    /* a rule: so much of the limit is in use */
	OCCASION_INTERVAL,  /* a rule: every so often */
	OCCASION_HEARTBEAT, /* none came */
	OCCASION_PROGRAM,   /* ttlog_snapshot() */
	OCCASION_OPERATOR,  /* ttlog-ctl */
	OCCASION_PERIODIC,  /* as the program wished when it registered */
	OCCASION_GROUP,	    /* one that it works with has died */
};

struct occasion {
	enum occasion_kind kind;
	char rule[RULE_NAME_BYTES];
	char called[TTLOG_REASON_BYTES]; /* PROGRAM, OPERATOR: its name for it, "": none */
	struct {
		uint64_t ticks; /* of its process's clock */
		int64_t time_ns; /* CLOCK_REALTIME of that; 0: not worked out yet */
		uint32_t site, tid;
		uint8_t level;
		char thread[TTLOG_THREAD_NAME_BYTES];
		char target[64], message[OCCASION_TEXT_BYTES];
		char fields[OCCASION_TEXT_BYTES]; /* "seconds=0.7 who=alice" */
	} event;
	unsigned int percent, percent_wanted;	/* MEMORY */
	uint64_t usage_bytes, limit_bytes;	/* the same */
	uint64_t every_ms;			/* INTERVAL, PERIODIC */
	uint64_t silent_ms, promised_ms;	/* HEARTBEAT */
	uid_t uid;				/* OPERATOR: who asked */
	pid_t pid;				/* GROUP: who died */
	char service[TTLOG_SERVICE_BYTES];	/* the same */
};

/* That event of a rule; the strings of the event are asked for as a filter does. */
void occasion_take_event(struct occasion *occasion, const struct ttlog_reader_site *site,
			 const struct ttlog_reader_event *event, uint32_t tid, const char *thread,
			 filter_string_fn string_fn, const void *context);

#endif
