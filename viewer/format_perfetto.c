/* SPDX-License-Identifier: MIT */
#include "viewer/format_perfetto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/columns.h"
#include "viewer/message.h"
#include "viewer/perfetto_tracks.h"
#include "viewer/protobuf.h"
#include "viewer/text_line.h"

/* ClockSnapshot */
#define SNAPSHOT_CLOCKS 1
#define CLOCK_ID 1
#define CLOCK_TIMESTAMP 2
/* DebugAnnotation */
#define ANNOTATION_BOOL 2
#define ANNOTATION_UINT 3
#define ANNOTATION_INT 4
#define ANNOTATION_DOUBLE 5
#define ANNOTATION_STRING 6
#define ANNOTATION_POINTER 7
#define ANNOTATION_NAME 10
/* AndroidLogPacket, and its LogEvent */
#define LOG_EVENTS 1
#define LOG_ID 1
#define LOG_PID 2
#define LOG_TID 3
#define LOG_UID 4
#define LOG_TIMESTAMP 5
#define LOG_TAG 6
#define LOG_PRIORITY 7
#define LOG_MESSAGE 8
/* LID_DEFAULT */
#define LOG_ID_MAIN 0

#define LOGS_BYTES (64u << 10)

/* The numbers of dumps leave room for threads and lanes. */
#define UUID_OF_DUMP(index) (((uint64_t)(index) + 1) << 32)

static const unsigned char priorities[LEVEL_COUNT] = {
	[LEVEL_TRACE] = 2, [LEVEL_DEBUG] = 3, [LEVEL_INFO] = 4,	   [LEVEL_WARN] = 5,
	[LEVEL_ERROR] = 6, [LEVEL_FATAL] = 7, [LEVEL_UNKNOWN] = 1,
};

static void perfetto_close(void *state)
{
	struct perfetto *perfetto = state;

	if (!perfetto)
		return;
	for (size_t i = 0; perfetto->processes && i < perfetto->process_count; i++) {
		free(perfetto->processes[i].tracks);
		id_set_fini(&perfetto->processes[i].known_sites);
	}
	free(perfetto->processes);
	out_fini(&perfetto->packet);
	out_fini(&perfetto->message);
	out_fini(&perfetto->part);
	out_fini(&perfetto->detail);
	out_fini(&perfetto->scratch);
	out_fini(&perfetto->logs);
	free(perfetto);
}

static int perfetto_open(void **ret_state, const struct format_env *env)
{
	struct perfetto *perfetto = calloc(1, sizeof(*perfetto));

	if (!perfetto)
		return -ENOMEM;
	perfetto->out = env->out;
	perfetto->columns = env->columns;
	out_init(&perfetto->packet, -1);
	out_init(&perfetto->message, -1);
	out_init(&perfetto->part, -1);
	out_init(&perfetto->detail, -1);
	out_init(&perfetto->scratch, -1);
	out_init(&perfetto->logs, -1);
	perfetto->process_count = env->dump_count;
	perfetto->processes = calloc(env->dump_count + 1, sizeof(*perfetto->processes));
	if (!perfetto->processes) {
		perfetto_close(perfetto);
		return -ENOMEM;
	}
	for (size_t i = 0; i < env->dump_count; i++) {
		perfetto->processes[i].dump = env->dumps[i];
		perfetto->processes[i].uuid = UUID_OF_DUMP(i);
	}
	*ret_state = perfetto;
	return 0;
}

/* The clocks that anything in a trace is told by all show the same. */
static void begin(struct perfetto *perfetto, int64_t ns)
{
	static const unsigned char clocks[] = {1, 3, 6}; /* real time, monotonic, boot time */

	for (size_t i = 0; i < sizeof(clocks); i++) {
		perfetto->part.bytes = 0;
		pb_uint(&perfetto->part, CLOCK_ID, clocks[i]);
		pb_uint(&perfetto->part, CLOCK_TIMESTAMP, ns > 0 ? (uint64_t)ns : 0);
		pb_bytes(&perfetto->message, SNAPSHOT_CLOCKS, span_of(&perfetto->part));
	}
	pb_bytes(&perfetto->packet, PACKET_CLOCK_SNAPSHOT, span_of(&perfetto->message));
	perfetto->message.bytes = 0;
	perfetto_put_packet(perfetto, ns, SEQUENCE_STATE_CLEARED | SEQUENCE_NEEDS_STATE);
	perfetto->begun = true;
}

/* ---- events -----------------------------------------------------------------------------------
 */

static void put_annotation(struct perfetto *perfetto, const struct value *value)
{
	struct out *part = &perfetto->part, *detail = &perfetto->detail;

	part->bytes = 0;
	pb_text(part, &perfetto->scratch, ANNOTATION_NAME, value->name);
	if (value->kind == VALUE_BOOL)
		pb_uint(part, ANNOTATION_BOOL, value->number);
	else if (value->kind == VALUE_UINT && value->type == FIELD_POINTER)
		pb_uint(part, ANNOTATION_POINTER, value->number);
	else if (value->kind == VALUE_UINT && value->type != FIELD_CHAR)
		pb_uint(part, value->number > INT64_MAX ? ANNOTATION_UINT : ANNOTATION_INT,
			value->number);
	else if (value->kind == VALUE_NEGATIVE && value->number <= INT64_MAX)
		pb_int(part, ANNOTATION_INT, -1 - (int64_t)value->number);
	else if (value->kind == VALUE_F32 || value->kind == VALUE_F64)
		pb_double(part, ANNOTATION_DOUBLE, value->real);
	else {
		detail->bytes = 0;
		value_write(detail, value);
		pb_text(part, &perfetto->scratch, ANNOTATION_STRING, span_of(detail));
	}
	pb_bytes(&perfetto->message, EVENT_DEBUG_ANNOTATIONS, span_of(part));
}

static void put_message(struct perfetto *perfetto, const struct record *record)
{
	struct out *part = &perfetto->part, *detail = &perfetto->detail;

	part->bytes = detail->bytes = 0;
	message_write(detail, record->event.site, record->value, record->count);
	pb_text(part, &perfetto->scratch, ANNOTATION_NAME, (struct span){"msg", 3});
	pb_text(part, &perfetto->scratch, ANNOTATION_STRING, span_of(detail));
	pb_bytes(&perfetto->message, EVENT_DEBUG_ANNOTATIONS, span_of(part));
}

static void put_level(struct perfetto *perfetto, enum site_level level)
{
	const char *name = level_name(level);

	perfetto->part.bytes = 0;
	pb_text(&perfetto->part, &perfetto->scratch, ANNOTATION_NAME, (struct span){"level", 5});
	pb_text(&perfetto->part, &perfetto->scratch, ANNOTATION_STRING,
		(struct span){name, strlen(name)});
	pb_bytes(&perfetto->message, EVENT_DEBUG_ANNOTATIONS, span_of(&perfetto->part));
}

/* Does the event open or close a slice, or neither? */
static unsigned int type_of(const struct record *record)
{
	for (uint32_t i = 0; i < record->count; i++) {
		const struct value *value = &record->value[i];
		const char letter = value->type == FIELD_CHAR && value->kind == VALUE_UINT
					    ? (char)value->number
					    : 0;

		if (span_is(value->name, "span") && value->kind == VALUE_TEXT) {
			if (span_is(value->span, "begin"))
				return TYPE_SLICE_BEGIN;
			if (span_is(value->span, "end"))
				return TYPE_SLICE_END;
		}
		if (!span_is(value->name, "ph"))
			continue;
		if (letter == 'B' || (value->kind == VALUE_TEXT && span_is(value->span, "B")))
			return TYPE_SLICE_BEGIN;
		if (letter == 'E' || (value->kind == VALUE_TEXT && span_is(value->span, "E")))
			return TYPE_SLICE_END;
	}
	return TYPE_INSTANT;
}

static unsigned int pair_up(struct perfetto_track *track, unsigned int type)
{
	if (type == TYPE_SLICE_BEGIN)
		track->open++;
	else if (type == TYPE_SLICE_END && !track->open)
		return TYPE_INSTANT;
	else if (type == TYPE_SLICE_END)
		track->open--;
	return type;
}

static int put_event(struct perfetto *perfetto, struct perfetto_process *process,
		     const struct record *record)
{
	const struct event *event = &record->event;
	struct out *message = &perfetto->message;
	uint64_t uuid, iid;
	struct perfetto_track *track = perfetto_track(perfetto, process, event, &uuid);
	int error = perfetto_site(perfetto, process, event->site, &iid);
	unsigned int type;

	if (error)
		return error;
	type = pair_up(track, type_of(record));
	pb_uint(message, EVENT_TYPE, type);
	pb_uint(message, EVENT_TRACK_UUID, uuid);
	/* An end that has a name would close a slice of that name alone. */
	if (type != TYPE_SLICE_END) {
		pb_uint(message, EVENT_CATEGORY_IIDS, iid);
		pb_uint(message, EVENT_NAME_IID, iid);
	}
	pb_uint(message, EVENT_SOURCE_LOCATION_IID, iid);
	put_level(perfetto, event->site->level);
	if (event->site->printf || type == TYPE_SLICE_END)
		put_message(perfetto, record);
	for (uint32_t i = 0; i < record->count; i++)
		if (columns_have_field(perfetto->columns, record->value[i].name))
			put_annotation(perfetto, &record->value[i]);
	pb_bytes(&perfetto->packet, PACKET_TRACK_EVENT, span_of(message));
	message->bytes = 0;
	perfetto_put_packet(perfetto, event->time_ns, SEQUENCE_NEEDS_STATE);
	return 0;
}

/* ---- the log ----------------------------------------------------------------------------------
 */

static void put_logs(struct perfetto *perfetto, int64_t ns)
{
	if (!perfetto->logs.bytes)
		return;
	pb_bytes(&perfetto->packet, PACKET_ANDROID_LOG, span_of(&perfetto->logs));
	perfetto->logs.bytes = 0;
	perfetto_put_packet(perfetto, ns, SEQUENCE_NEEDS_STATE);
}

static void write_log_text(struct perfetto *perfetto, const struct record *record)
{
	struct out *detail = &perfetto->detail;

	detail->bytes = 0;
	message_write(detail, record->event.site, record->value, record->count);
	for (uint32_t i = 0; !record->event.site->printf && i < record->count; i++) {
		if (!columns_have_field(perfetto->columns, record->value[i].name))
			continue;
		out_char(detail, ' ');
		out_span(detail, record->value[i].name);
		out_char(detail, '=');
		text_value(detail, &perfetto->scratch, &record->value[i]);
	}
}

static void put_log(struct perfetto *perfetto, const struct record *record)
{
	const struct event *event = &record->event;
	const struct meta *meta = dump_meta(event->dump);
	struct out *part = &perfetto->part;

	part->bytes = 0;
	pb_uint(part, LOG_ID, LOG_ID_MAIN);
	if (meta->pid.known)
		pb_int(part, LOG_PID, (int32_t)meta->pid.bits);
	if (event->thread->tid.known)
		pb_int(part, LOG_TID, (int32_t)event->thread->tid.bits);
	if (meta->process.uid.known)
		pb_int(part, LOG_UID, (int32_t)meta->process.uid.bits);
	pb_uint(part, LOG_TIMESTAMP, event->time_ns > 0 ? (uint64_t)event->time_ns : 0);
	pb_text(part, &perfetto->scratch, LOG_TAG, event->site->target);
	pb_uint(part, LOG_PRIORITY, priorities[event->site->level]);
	write_log_text(perfetto, record);
	pb_text(part, &perfetto->scratch, LOG_MESSAGE, span_of(&perfetto->detail));
	pb_bytes(&perfetto->logs, LOG_EVENTS, span_of(part));
	if (perfetto->logs.bytes >= LOGS_BYTES)
		put_logs(perfetto, event->time_ns);
}

static int sound(const struct perfetto *perfetto)
{
	const struct out *outs[] = {&perfetto->packet, &perfetto->message, &perfetto->part,
				    &perfetto->detail, &perfetto->scratch, &perfetto->logs};
	int error = 0;

	for (size_t i = 0; i < sizeof(outs) / sizeof(*outs); i++)
		error = error ? error : outs[i]->error;
	return error;
}

static int perfetto_event(void *state, struct record *record)
{
	struct perfetto *perfetto = state;
	struct perfetto_process *process;
	int error;

	record_decode(record);
	if (!perfetto->begun)
		begin(perfetto, record->event.time_ns);
	process = perfetto_process(perfetto, &record->event);
	if (!process)
		return -ENOMEM;
	error = put_event(perfetto, process, record);
	put_log(perfetto, record);
	return error ? error : sound(perfetto);
}

static int perfetto_end(void *state, bool complete)
{
	struct perfetto *perfetto = state;
	int64_t created_ns = 0;

	(void)complete;
	if (perfetto->process_count)
		created_ns = (int64_t)dump_meta(perfetto->processes[0].dump)->created_ns.bits;
	if (!perfetto->begun)
		begin(perfetto, created_ns);
	put_logs(perfetto, created_ns);
	for (size_t i = 0; i < perfetto->process_count; i++)
		perfetto_put_ends(perfetto, &perfetto->processes[i]);
	return sound(perfetto);
}

const struct format perfetto_format = {
	.name = "perfetto",
	.help = "a trace for ui.perfetto.dev: a lane a thread",
	.flags = FORMAT_BINARY,
	.open = perfetto_open,
	.event = perfetto_event,
	.end = perfetto_end,
	.close = perfetto_close,
};
