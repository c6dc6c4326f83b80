/* SPDX-License-Identifier: MIT */
/* counters.c - the struct, and the words for what it counts. */
#include "recorder/counters.h"

#include <errno.h>
#include <string.h>

struct counters counters;

/* A dump takes some milliseconds, and the time of a slow disk. */
const double counters_seconds_bound[COUNTERS_BUCKETS - 1] = {
	0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60,
};

/* From an empty ring to one of 4 GiB, times four each. */
const double counters_bytes_bound[COUNTERS_BUCKETS - 1] = {
	4096,	  16384,    65536,     262144,	   1048576,    4194304,
	16777216, 67108864, 268435456, 1073741824, 4294967296,
};

void counters_observe(struct counters_histogram *histogram, const double *bound, double value)
{
	int at = 0;

	while (at < COUNTERS_BUCKETS - 1 && value > bound[at])
		at++;
	histogram->bucket[at]++;
	histogram->sum += value;
}

static enum counters_refusal refusal_of(int err)
{
	switch (err) {
	case -EUSERS:
		return COUNTERS_REFUSED_FULL;
	case -ETIMEDOUT:
		return COUNTERS_REFUSED_SILENT;
	case -EBADMSG:
	case -EPROTO:
	case -EBUSY:
		return COUNTERS_REFUSED_PROTOCOL;
	case -EPROTONOSUPPORT:
		return COUNTERS_REFUSED_VERSION;
	case -ENOSPC:
		return COUNTERS_REFUSED_MEMORY;
	case -EDQUOT:
		return COUNTERS_REFUSED_QUOTA;
	case -ESRCH:
	case -EPIPE:
	case -ECONNRESET:
		return COUNTERS_REFUSED_GONE;
	default:
		return COUNTERS_REFUSED_OTHER;
	}
}

void counters_refuse(int err)
{
	counters.refused[refusal_of(err)]++;
}

void counters_death(const struct verdict *verdict)
{
	counters.deaths[(unsigned int)verdict->how < COUNTERS_HOW ? verdict->how
								  : VERDICT_UNKNOWN]++;
}

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

enum counters_trigger counters_trigger_of(const struct verdict *verdict, const char *reason)
{
	if (verdict->how == VERDICT_EXEC)
		return COUNTERS_TRIGGER_EXEC;
	if (verdict->how != VERDICT_ALIVE)
		return COUNTERS_TRIGGER_DEATH;
	if (starts_with(reason, "snapshot"))
		return COUNTERS_TRIGGER_SNAPSHOT;
	if (starts_with(reason, "periodic"))
		return COUNTERS_TRIGGER_FLUSH;
	if (starts_with(reason, "control"))
		return COUNTERS_TRIGGER_CONTROL;
	if (starts_with(reason, "hang"))
		return COUNTERS_TRIGGER_HANG;
	if (starts_with(reason, "rule-"))
		return COUNTERS_TRIGGER_RULE;
	if (starts_with(reason, "group-"))
		return COUNTERS_TRIGGER_GROUP;
	return COUNTERS_TRIGGER_CLOSED;
}

const char *counters_refusal_name(enum counters_refusal why)
{
	static const char *const name[COUNTERS_REFUSAL_COUNT] = {
		[COUNTERS_REFUSED_FULL] = "full",	  [COUNTERS_REFUSED_SILENT] = "silent",
		[COUNTERS_REFUSED_PROTOCOL] = "protocol", [COUNTERS_REFUSED_VERSION] = "version",
		[COUNTERS_REFUSED_MEMORY] = "memory",	  [COUNTERS_REFUSED_QUOTA] = "quota",
		[COUNTERS_REFUSED_GONE] = "gone",	  [COUNTERS_REFUSED_OTHER] = "other",
	};

	return name[why];
}

const char *counters_trigger_name(enum counters_trigger trigger)
{
	static const char *const name[COUNTERS_TRIGGER_COUNT] = {
		[COUNTERS_TRIGGER_DEATH] = "death",	  [COUNTERS_TRIGGER_EXEC] = "exec",
		[COUNTERS_TRIGGER_SNAPSHOT] = "snapshot", [COUNTERS_TRIGGER_FLUSH] = "flush",
		[COUNTERS_TRIGGER_CONTROL] = "control",	  [COUNTERS_TRIGGER_CLOSED] = "closed",
		[COUNTERS_TRIGGER_HANG] = "hang",	  [COUNTERS_TRIGGER_RULE] = "rule",
		[COUNTERS_TRIGGER_GROUP] = "group",
	};

	return name[trigger];
}

const char *counters_verdict_name(enum counters_verdict_to to)
{
	static const char *const name[COUNTERS_VERDICT_COUNT] = {
		[COUNTERS_VERDICT_FILE] = "file",
		[COUNTERS_VERDICT_SYSLOG] = "syslog",
		[COUNTERS_VERDICT_JOURNAL] = "journal",
	};

	return name[to];
}

const char *counters_result_name(enum counters_result result)
{
	static const char *const name[COUNTERS_RESULT_COUNT] = {
		[COUNTERS_RESULT_WRITTEN] = "written",
		[COUNTERS_RESULT_FAILED] = "failed",
		[COUNTERS_RESULT_SHED] = "shed",
	};

	return name[result];
}
