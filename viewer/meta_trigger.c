/* SPDX-License-Identifier: MIT */
/* meta_trigger.c - see meta_trigger.h. */
#include "viewer/meta_trigger.h"

#include "viewer/decode_keys.h"

const struct decode_key meta_trigger_keys[] = {
	SPAN(meta_trigger, kind),
	SPAN(meta_trigger, rule),
	SPAN(meta_trigger, called),
	SPAN(meta_trigger, thread),
	SPAN(meta_trigger, level),
	SPAN(meta_trigger, target),
	SPAN(meta_trigger, message),
	SPAN(meta_trigger, values),
	SPAN(meta_trigger, first_service),
	NUMBER(meta_trigger, time_ns),
	NUMBER(meta_trigger, tid),
	NUMBER(meta_trigger, site),
	NUMBER(meta_trigger, percent),
	NUMBER(meta_trigger, percent_wanted),
	NUMBER(meta_trigger, usage_bytes),
	NUMBER(meta_trigger, limit_bytes),
	NUMBER(meta_trigger, every_ms),
	NUMBER(meta_trigger, silent_ms),
	NUMBER(meta_trigger, promised_ms),
	NUMBER(meta_trigger, uid),
	NUMBER(meta_trigger, first_pid),
	END,
};
