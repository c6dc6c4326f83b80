/* SPDX-License-Identifier: MIT */
/*
 * Records are encoded one by one, and gathered until there are many; then they are grouped by
 * process and by target, each group under its resource and scope. Within a group they keep their
 * order.
 */
#include "viewer/format_otlp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/columns.h"
#include "viewer/message.h"
#include "viewer/otlp_values.h"
#include "viewer/protobuf.h"

#define BATCH_RECORDS 1024
#define BATCH_BYTES (1u << 20)
#define SCHEMA "https://opentelemetry.io/schemas/1.33.0"

/* opentelemetry.proto.logs.v1 and .resource.v1 */
#define DATA_RESOURCE_LOGS 1
#define RESOURCE_LOGS_RESOURCE 1
#define RESOURCE_LOGS_SCOPE_LOGS 2
#define RESOURCE_LOGS_SCHEMA_URL 3
#define RESOURCE_ATTRIBUTES 1
#define SCOPE_LOGS_SCOPE 1
#define SCOPE_LOGS_RECORDS 2
#define SCOPE_NAME 1
#define RECORD_TIME 1
#define RECORD_SEVERITY_NUMBER 2
#define RECORD_SEVERITY_TEXT 3
#define RECORD_BODY 5
#define RECORD_ATTRIBUTES 6
#define RECORD_OBSERVED_TIME 11

struct entry {
	const struct dump *dump;
	struct span target; /* lives as long as the dump is open */
	size_t at, bytes;   /* in `records` */
	size_t index;	    /* the order that they came in */
};

struct format_otlp {
	struct out *out;
	const struct columns *columns;
	struct otlp_writer writer;
	struct out records, record, text, resource, scope, logs;
	struct entry entries[BATCH_RECORDS];
	size_t count;
};

static const unsigned char severities[LEVEL_COUNT] = {
	[LEVEL_TRACE] = 1,  [LEVEL_DEBUG] = 5,	[LEVEL_INFO] = 9,    [LEVEL_WARN] = 13,
	[LEVEL_ERROR] = 17, [LEVEL_FATAL] = 21, [LEVEL_UNKNOWN] = 0,
};

/* ---- a record ---------------------------------------------------------------------------------
 */

static bool shows_field(const struct format_otlp *otlp, const struct record *record,
			const char *name)
{
	for (uint32_t i = 0; i < record->count; i++)
		if (span_is(record->value[i].name, name))
			return columns_have_field(otlp->columns, record->value[i].name);
	return false;
}

/* Keys have to differ: the event's own go first. */
static void put_attributes(struct format_otlp *otlp, const struct record *record)
{
	const struct event *event = &record->event;
	const struct site *site = event->site;
	const struct number line = {site->line, site->level != LEVEL_UNKNOWN};
	const struct {
		const char *key;
		struct span text;
		struct number number;
	} known[] = {
		{"thread.id", {0}, event->thread->tid},
		{"thread.name", event->thread->name, {0}},
		{"code.file.path", site->file, {0}},
		{"code.line.number", {0}, line},
		{"code.function.name", site->function, {0}},
		{"ttlog.seq", {0}, {event->seq, true}},
		{"ttlog.channel", event->channel ? event->channel->name : (struct span){0}, {0}},
	};

	for (uint32_t i = 0; i < record->count; i++)
		if (columns_have_field(otlp->columns, record->value[i].name))
			otlp_value(&otlp->writer, &otlp->record, RECORD_ATTRIBUTES,
				   &record->value[i]);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (shows_field(otlp, record, known[i].key))
			continue;
		otlp_text(&otlp->writer, &otlp->record, RECORD_ATTRIBUTES, known[i].key,
			  known[i].text);
		otlp_number(&otlp->writer, &otlp->record, RECORD_ATTRIBUTES, known[i].key,
			    known[i].number);
	}
}

static uint64_t unix_time(int64_t ns)
{
	return ns > 0 ? (uint64_t)ns : 0;
}

static void encode_json(struct format_otlp *otlp, const struct record *record)
{
	const struct event *event = &record->event;
	const struct number created = dump_meta(event->dump)->created_ns;
	const enum site_level level = event->site->level;
	struct out *out = &otlp->record;

	out_printf(out, "{\"timeUnixNano\":\"%" PRIu64 "\"", unix_time(event->time_ns));
	if (created.known)
		out_printf(out, ",\"observedTimeUnixNano\":\"%" PRIu64 "\"",
			   unix_time((int64_t)created.bits));
	out_printf(out,
		   ",\"severityNumber\":%u,\"severityText\":\"%s\",\"body\":", severities[level],
		   level_name(level));
	otlp_any_text(&otlp->writer, out, RECORD_BODY, span_of(&otlp->text));
	out_text(out, ",\"attributes\":[");
	put_attributes(otlp, record);
	out_text(out, "]}");
}

static void encode_proto(struct format_otlp *otlp, const struct record *record)
{
	const struct event *event = &record->event;
	const struct number created = dump_meta(event->dump)->created_ns;
	const char *level = level_name(event->site->level);
	struct out *out = &otlp->record;

	pb_fixed64(out, RECORD_TIME, unix_time(event->time_ns));
	if (created.known)
		pb_fixed64(out, RECORD_OBSERVED_TIME, unix_time((int64_t)created.bits));
	pb_uint(out, RECORD_SEVERITY_NUMBER, severities[event->site->level]);
	pb_bytes(out, RECORD_SEVERITY_TEXT, (struct span){level, strlen(level)});
	otlp_any_text(&otlp->writer, out, RECORD_BODY, span_of(&otlp->text));
	put_attributes(otlp, record);
}

/* ---- a batch ----------------------------------------------------------------------------------
 */

static void put_resource(struct format_otlp *otlp, const struct meta *meta)
{
	struct otlp_writer *writer = &otlp->writer;
	struct out *out = &otlp->resource;
	const uint32_t field = RESOURCE_ATTRIBUTES;

	otlp_text(writer, out, field, "service.name", meta->service);
	otlp_text(writer, out, field, "host.name", meta->hostname);
	otlp_number(writer, out, field, "process.pid", meta->pid);
	otlp_text(writer, out, field, "process.executable.path", meta->process.exe);
	otlp_text(writer, out, field, "process.command_line", meta->process.cmdline);
	otlp_text(writer, out, field, "container.id", meta->process.container_id);
	otlp_text(writer, out, field, "container.runtime.name", meta->process.container_runtime);
	otlp_text(writer, out, field, "k8s.pod.uid", meta->process.pod_uid);
	otlp_number(writer, out, field, "process.exit.code", meta->cause.exit_code);
	otlp_text(writer, out, field, "ttlog.dump.reason", meta->reason);
	otlp_text(writer, out, field, "ttlog.dump.created_at", meta->created_at);
	otlp_text(writer, out, field, "ttlog.death.how", meta->cause.how);
	otlp_text(writer, out, field, "ttlog.death.signal", meta->cause.signal_name);
	otlp_text(writer, out, field, "ttlog.death.sentence", meta->cause.sentence);
	otlp_number(writer, out, field, "ttlog.death.time_unix_nano", meta->death_ns);
	otlp_number(writer, out, field, "ttlog.events.overwritten", meta->overwritten);
	otlp_number(writer, out, field, "ttlog.events.dropped", meta->dropped);
}

static void put_scope_json(struct format_otlp *otlp, const struct entry *entries, size_t count)
{
	struct out *out = &otlp->logs;

	otlp_comma(out);
	out_text(out, "{\"scope\":{\"name\":");
	out_json_string(out, entries[0].target);
	out_text(out, "},\"logRecords\":[");
	for (size_t i = 0; i < count; i++) {
		otlp_comma(out);
		out_bytes(out, otlp->records.data + entries[i].at, entries[i].bytes);
	}
	out_text(out, "]}");
}

static void put_scope_proto(struct format_otlp *otlp, const struct entry *entries, size_t count)
{
	struct out *out = &otlp->scope;

	out->bytes = otlp->record.bytes = 0;
	pb_text(&otlp->record, &otlp->text, SCOPE_NAME, entries[0].target);
	pb_bytes(out, SCOPE_LOGS_SCOPE, span_of(&otlp->record));
	for (size_t i = 0; i < count; i++)
		pb_bytes(out, SCOPE_LOGS_RECORDS,
			 (struct span){otlp->records.data + entries[i].at, entries[i].bytes});
	pb_bytes(&otlp->logs, RESOURCE_LOGS_SCOPE_LOGS, span_of(out));
}

/* Those of one process, by target. */
static void put_scopes(struct format_otlp *otlp, const struct entry *entries, size_t count)
{
	size_t end;

	for (size_t at = 0; at < count; at = end) {
		for (end = at + 1;
		     end < count && span_equal(entries[end].target, entries[at].target); end++)
			;
		if (otlp->writer.json)
			put_scope_json(otlp, entries + at, end - at);
		else
			put_scope_proto(otlp, entries + at, end - at);
	}
}

static void put_process(struct format_otlp *otlp, const struct entry *entries, size_t count)
{
	struct out *logs = &otlp->logs;

	logs->bytes = otlp->resource.bytes = 0;
	otlp->resource.last = '[';
	put_resource(otlp, dump_meta(entries[0].dump));
	if (otlp->writer.json) {
		otlp_comma(otlp->out);
		out_text(logs, "{\"resource\":{\"attributes\":[");
		out_span(logs, span_of(&otlp->resource));
		out_text(logs, "]},\"scopeLogs\":[");
		put_scopes(otlp, entries, count);
		out_text(logs, "],\"schemaUrl\":\"" SCHEMA "\"}");
		out_span(otlp->out, span_of(logs));
		return;
	}
	otlp->record.bytes = 0;
	pb_bytes(logs, RESOURCE_LOGS_RESOURCE, span_of(&otlp->resource));
	put_scopes(otlp, entries, count);
	pb_bytes(logs, RESOURCE_LOGS_SCHEMA_URL, (struct span){SCHEMA, sizeof(SCHEMA) - 1});
	pb_bytes(otlp->out, DATA_RESOURCE_LOGS, span_of(logs));
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;
	size_t shorter;
	int order;

	if (left->dump != right->dump)
		return (uintptr_t)left->dump < (uintptr_t)right->dump ? -1 : 1;
	shorter = left->target.bytes < right->target.bytes ? left->target.bytes
							   : right->target.bytes;
	order = shorter ? memcmp(left->target.data, right->target.data, shorter) : 0;
	if (order)
		return order;
	if (left->target.bytes != right->target.bytes)
		return left->target.bytes < right->target.bytes ? -1 : 1;
	return (left->index > right->index) - (left->index < right->index);
}

static void put_batch(struct format_otlp *otlp)
{
	struct entry *entries = otlp->entries;
	size_t end;

	if (!otlp->count)
		return;
	qsort(entries, otlp->count, sizeof(*entries), compare_entries);
	if (otlp->writer.json)
		out_text(otlp->out, "{\"resourceLogs\":[");
	for (size_t at = 0; at < otlp->count; at = end) {
		for (end = at + 1; end < otlp->count && entries[end].dump == entries[at].dump;
		     end++)
			;
		put_process(otlp, entries + at, end - at);
	}
	if (otlp->writer.json)
		out_text(otlp->out, "]}\n");
	otlp->count = otlp->records.bytes = 0;
}

/* ---- the format -------------------------------------------------------------------------------
 */

static void otlp_close(void *state)
{
	struct format_otlp *otlp = state;

	if (!otlp)
		return;
	otlp_writer_fini(&otlp->writer);
	out_fini(&otlp->records);
	out_fini(&otlp->record);
	out_fini(&otlp->text);
	out_fini(&otlp->resource);
	out_fini(&otlp->scope);
	out_fini(&otlp->logs);
	free(otlp);
}

static int open_as(void **ret_state, const struct format_env *env, bool json)
{
	struct format_otlp *otlp = calloc(1, sizeof(*otlp));

	if (!otlp)
		return -ENOMEM;
	otlp->out = env->out;
	otlp->columns = env->columns;
	otlp_writer_init(&otlp->writer, json);
	out_init(&otlp->records, -1);
	out_init(&otlp->record, -1);
	out_init(&otlp->text, -1);
	out_init(&otlp->resource, -1);
	out_init(&otlp->scope, -1);
	out_init(&otlp->logs, -1);
	*ret_state = otlp;
	return 0;
}

static int otlp_open(void **ret_state, const struct format_env *env)
{
	return open_as(ret_state, env, true);
}

static int otlp_proto_open(void **ret_state, const struct format_env *env)
{
	return open_as(ret_state, env, false);
}

static int sound(const struct format_otlp *otlp)
{
	const struct out *outs[] = {&otlp->records,  &otlp->record, &otlp->text,
				    &otlp->resource, &otlp->scope,  &otlp->logs};
	int error = otlp_writer_error(&otlp->writer);

	for (size_t i = 0; i < sizeof(outs) / sizeof(*outs) && !error; i++)
		error = outs[i]->error;
	return error;
}

static int otlp_event(void *state, struct record *record)
{
	struct format_otlp *otlp = state;

	record_decode(record);
	otlp->text.bytes = otlp->record.bytes = 0;
	message_write(&otlp->text, record->event.site, record->value, record->count);
	if (otlp->writer.json)
		encode_json(otlp, record);
	else
		encode_proto(otlp, record);
	otlp->entries[otlp->count] = (struct entry){
		.dump = record->event.dump,
		.target = record->event.site->target,
		.at = otlp->records.bytes,
		.bytes = otlp->record.bytes,
		.index = otlp->count,
	};
	out_span(&otlp->records, span_of(&otlp->record));
	if (sound(otlp))
		return sound(otlp);
	if (++otlp->count == BATCH_RECORDS || otlp->records.bytes >= BATCH_BYTES)
		put_batch(otlp);
	return sound(otlp);
}

static int otlp_end(void *state, bool complete)
{
	struct format_otlp *otlp = state;

	(void)complete;
	put_batch(otlp);
	return sound(otlp);
}

const struct format otlp_format = {
	.name = "otlp",
	.help = "OpenTelemetry logs in JSON, a batch a line",
	.open = otlp_open,
	.event = otlp_event,
	.end = otlp_end,
	.close = otlp_close,
};

const struct format otlp_proto_format = {
	.name = "otlp-proto",
	.help = "the same in protobuf",
	.flags = FORMAT_BINARY,
	.open = otlp_proto_open,
	.event = otlp_event,
	.end = otlp_end,
	.close = otlp_close,
};
