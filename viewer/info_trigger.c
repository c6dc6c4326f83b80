/* SPDX-License-Identifier: MIT */
/* info_trigger.c - see info_trigger.h. */
#include "viewer/info_trigger.h"

#include "viewer/format_json.h"
#include "viewer/when.h"

/* With the keys that the event has among events. */
static void put_event(struct out *out, const struct meta_trigger *trigger)
{
	json_key(out, "ts");
	if (trigger->time_ns.known) {
		out_char(out, '"');
		when_rfc3339(out, (int64_t)trigger->time_ns.bits);
		out_char(out, '"');
	} else {
		out_text(out, "null");
	}
	json_ns(out, "ts_ns", trigger->time_ns);
	json_span(out, "level", trigger->level);
	json_span(out, "target", trigger->target);
	json_span(out, "msg", trigger->message);
	json_span(out, "values", trigger->values);
	json_number(out, "tid", trigger->tid);
	json_known(out, "thread", trigger->thread);
}

void info_trigger_json(struct out *out, const struct meta *meta)
{
	const struct meta_trigger *trigger = &meta->trigger;

	json_key(out, "trigger");
	if (!trigger->kind.bytes) {
		out_text(out, "null");
		return;
	}
	out_char(out, '{');
	json_span(out, "kind", trigger->kind);
	json_known(out, "rule", trigger->rule);
	if (span_is(trigger->kind, "event")) {
		put_event(out, trigger);
	} else if (span_is(trigger->kind, "memory")) {
		json_number(out, "percent", trigger->percent);
		json_number(out, "percent_wanted", trigger->percent_wanted);
		json_number(out, "usage_bytes", trigger->usage_bytes);
		json_number(out, "limit_bytes", trigger->limit_bytes);
	} else if (span_is(trigger->kind, "heartbeat")) {
		json_number(out, "silent_ms", trigger->silent_ms);
		json_number(out, "promised_ms", trigger->promised_ms);
	} else if (span_is(trigger->kind, "interval") || span_is(trigger->kind, "periodic")) {
		json_number(out, "every_ms", trigger->every_ms);
	} else if (span_is(trigger->kind, "group")) {
		json_number(out, "first_pid", trigger->first_pid);
		json_known(out, "first_service", trigger->first_service);
	} else {
		json_known(out, "called", trigger->called);
		if (trigger->uid.known)
			json_number(out, "uid", trigger->uid);
	}
	out_char(out, '}');
}
