/* SPDX-License-Identifier: MIT */
#include "viewer/format_json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/columns.h"
#include "viewer/message.h"
#include "viewer/when.h"

void json_key(struct out *out, const char *key)
{
	if (out->last != '{')
		out_char(out, ',');
	out_char(out, '"');
	out_text(out, key);
	out_bytes(out, "\":", 2);
}

void json_span(struct out *out, const char *key, struct span span)
{
	json_key(out, key);
	out_json_string(out, span);
}

void json_number(struct out *out, const char *key, struct number number)
{
	json_key(out, key);
	if (number.known)
		out_uint(out, number.bits);
	else
		out_text(out, "null");
}

void json_signed(struct out *out, const char *key, struct number number)
{
	json_key(out, key);
	if (number.known)
		out_int(out, (int64_t)number.bits);
	else
		out_text(out, "null");
}

static bool is_text(const struct value *value)
{
	return value->kind == VALUE_TEXT || value->kind == VALUE_BYTES ||
	       (value->kind == VALUE_UINT && (value->type == FIELD_POINTER ||
					      (value->type == FIELD_CHAR && value->number < 256)));
}

void format_json_value(struct out *out, struct out *scratch, const struct value *value)
{
	if ((value->kind == VALUE_F32 || value->kind == VALUE_F64) && !isfinite(value->real)) {
		out_text(out, "null");
		return;
	}
	scratch->bytes = 0;
	value_write(scratch, value);
	if (is_text(value))
		out_json_string(out, span_of(scratch));
	else
		out_span(out, span_of(scratch));
}

void format_json_fields(struct out *out, struct out *scratch, const struct columns *columns,
			const struct record *record)
{
	bool any = false;

	out_char(out, '{');
	for (uint32_t i = 0; i < record->count; i++) {
		if (!columns_have_field(columns, record->value[i].name))
			continue;
		if (any)
			out_char(out, ',');
		any = true;
		out_json_string(out, record->value[i].name);
		out_char(out, ':');
		format_json_value(out, scratch, &record->value[i]);
	}
	out_char(out, '}');
}

void format_json_object(struct out *out, struct out *scratch, struct record *record)
{
	const struct event *event = &record->event;
	const struct meta *meta = dump_meta(event->dump);
	const struct site *site = event->site;
	const struct number line = {site->line, site->level != LEVEL_UNKNOWN};

	record_decode(record);
	out_text(out, "{\"ts\":\"");
	when_rfc3339(out, event->time_ns);
	out_text(out, "\",\"ts_ns\":\"");
	out_int(out, event->time_ns);
	out_text(out, event->flags & DUMP_EVENT_CARRIED ? "\",\"ts_carried\":true,\"seq\":"
							: "\",\"seq\":");
	out_uint(out, event->seq);
	out_text(out, ",\"level\":\"");
	out_text(out, level_name(site->level));
	out_char(out, '"');
	json_span(out, "target", site->target);
	scratch->bytes = 0;
	message_write(scratch, site, record->value, record->count);
	json_span(out, "msg", span_of(scratch));
	json_number(out, "pid", meta->pid);
	json_number(out, "tid", event->thread->tid);
	json_span(out, "thread", event->thread->name);
	if (event->channel)
		json_span(out, "channel", event->channel->name);
	json_span(out, "service", meta->service);
	json_span(out, "host", meta->hostname);
	json_span(out, "file", site->file);
	json_number(out, "line", line);
	json_span(out, "func", site->function);
	json_key(out, "fields");
	format_json_fields(out, scratch, NULL, record);
	out_char(out, '}');
}

void json_known(struct out *out, const char *key, struct span span)
{
	if (span.bytes) {
		json_span(out, key, span);
		return;
	}
	json_key(out, key);
	out_text(out, "null");
}

void json_truth(struct out *out, const char *key, bool truth)
{
	json_key(out, key);
	out_text(out, truth ? "true" : "false");
}

void json_address(struct out *out, const char *key, struct number address)
{
	json_key(out, key);
	if (address.known)
		out_printf(out, "\"0x%" PRIx64 "\"", address.bits);
	else
		out_text(out, "null");
}

/* Nanoseconds do not survive every reader of JSON as a number. */
void json_ns(struct out *out, const char *key, struct number ns)
{
	json_key(out, key);
	if (ns.known) {
		out_char(out, '"');
		out_int(out, (int64_t)ns.bits);
		out_char(out, '"');
	} else {
		out_text(out, "null");
	}
}
