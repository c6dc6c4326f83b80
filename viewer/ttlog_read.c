/* SPDX-License-Identifier: MIT */
/*
 * The library: ttlog-view's reader and its selection behind handles. Whatever is handed out is copied into
 * structures of the handle, whose texts point into what the dump holds.
 */
#include "viewer/ttlog_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/message.h"
#include "viewer/select.h"

/* A symbol of the library; all others are hidden. */
#define PUBLIC __attribute__((visibility("default")))

/* What the first version of the options had. */
#define OPTIONS_BYTES_MIN (offsetof(struct ttlog_read_options, why_bytes) + sizeof(size_t))

_Static_assert((int)TTLOG_READ_FATAL == (int)LEVEL_FATAL &&
		       (int)TTLOG_READ_NO_LEVEL == (int)LEVEL_UNKNOWN,
	       "levels have the numbers of the viewer's");
_Static_assert(TTLOG_READ_TRUNCATED == DUMP_EVENT_TRUNCATED &&
		       TTLOG_READ_CARRIED == DUMP_EVENT_CARRIED &&
		       TTLOG_READ_CHANNEL == DUMP_EVENT_CHANNEL,
	       "flags are those of the dump");

struct ttlog_read {
	struct dump *dump;
	struct selection selection;
	struct select *select;
	struct ttlog_read_info info;
	struct ttlog_read_cause cause;
	struct ttlog_read_actor sender, thread;
	struct ttlog_read_event event;
	struct ttlog_read_value value[DUMP_FIELDS_MAX];
	struct record record;
	struct out message; /* of a printf event */
	int ended;	    /* what ttlog_read_next() goes on to return */
	bool over;
};

static struct ttlog_read_text text_of(struct span span)
{
	return (struct ttlog_read_text){span.bytes ? span.data : "", span.bytes};
}

static int64_t known(struct number number)
{
	return number.known && number.bits <= INT64_MAX ? (int64_t)number.bits : -1;
}

/* ---- what the dump says of the process -------------------------------------------------------- */

static void fill_info(struct ttlog_read_info *info, const struct meta *meta)
{
	const struct meta_process *process = &meta->process;

	*info = (struct ttlog_read_info){
		.service = text_of(meta->service),
		.hostname = text_of(meta->hostname),
		.created_at = text_of(meta->created_at),
		.reason = text_of(meta->reason),
		.signature = text_of(meta->signature),
		.pid = known(meta->pid),
		.created_ns = known(meta->created_ns),
		.death_ns = known(meta->death_ns),
		.events = known(meta->events),
		.overwritten = known(meta->overwritten),
		.dropped = known(meta->dropped),
		.truncated = known(meta->truncated),
		.torn = known(meta->torn),
		.comm = text_of(process->comm),
		.exe = text_of(process->exe),
		.cmdline = text_of(process->cmdline),
		.cgroup = text_of(process->cgroup),
		.uid = known(process->uid),
		.start_ns = known(process->start_ns),
	};
}

static const struct ttlog_read_actor *fill_actor(struct ttlog_read_actor *actor,
						 const struct meta_actor *from)
{
	*actor = (struct ttlog_read_actor){
		.pid = known(from->pid),
		.tid = known(from->tid),
		.uid = known(from->uid),
		.comm = text_of(from->comm),
		.exe = text_of(from->exe),
		.cgroup = text_of(from->cgroup),
	};
	return from->pid.known || from->tid.known || from->comm.bytes ? actor : NULL;
}

static void fill_cause(struct ttlog_read *read, const struct meta_cause *cause)
{
	read->cause = (struct ttlog_read_cause){
		.how = text_of(cause->how),
		.confidence = text_of(cause->confidence),
		.sentence = text_of(cause->sentence),
		.signal = known(cause->signal),
		.signal_name = text_of(cause->signal_name),
		.exit_code = known(cause->exit_code),
		.code = (int64_t)cause->code.bits,
		.code_name = text_of(cause->code_name),
		.fault_address = cause->fault_address.bits,
		.has_code = cause->code.known,
		.has_fault_address = cause->fault_address.known,
		.core_dumped = cause->core_dumped,
		.stack_overflow = cause->stack_overflow,
		.sender = fill_actor(&read->sender, &cause->sender),
		.thread = fill_actor(&read->thread, &cause->thread),
	};
}

PUBLIC const struct ttlog_read_info *ttlog_read_get_info(const struct ttlog_read *dump)
{
	return &dump->info;
}

PUBLIC const struct ttlog_read_cause *ttlog_read_get_cause(const struct ttlog_read *dump)
{
	return &dump->cause;
}

/* ---- open and close --------------------------------------------------------------------------- */

static int say(const struct ttlog_read_options *options, int error, const char *why)
{
	if (options->why && options->why_bytes)
		snprintf(options->why, options->why_bytes, "%s", why);
	return error;
}

/* What a caller gave, whichever version it was made with. */
static int take_options(struct ttlog_read_options *options, const struct ttlog_read_options *from)
{
	const size_t bytes = from ? from->size : 0;

	*options = (struct ttlog_read_options){0};
	if (!from)
		return 0;
	if (bytes < OPTIONS_BYTES_MIN)
		return -EINVAL;
	for (size_t i = sizeof(*options); i < bytes; i++)
		if (((const unsigned char *)from)[i])
			return -EINVAL;
	memcpy(options, from, bytes < sizeof(*options) ? bytes : sizeof(*options));
	if (options->newest && options->oldest)
		return say(options, -EINVAL, "newest and oldest at once");
	return 0;
}

static int refuse(const struct ttlog_read_options *options, int error, const char *expression,
		  const struct query_error *why)
{
	char text[256];

	if (error != -EINVAL)
		return say(options, error, strerror(-error));
	snprintf(text, sizeof(text), "%s, at character %zu of %.64s", why->why, why->at + 1, expression);
	return say(options, error, text);
}

static int select_what(struct ttlog_read *read, const struct ttlog_read_options *options)
{
	struct selection *selection = &read->selection;
	const char *const *filter = options->filters;
	struct query_error why = {0};
	int error = 0;

	selection->limited = options->newest || options->oldest;
	selection->oldest = options->oldest != 0;
	selection->limit = options->newest ? options->newest : options->oldest;
	selection->reverse = options->reverse != 0;
	if (options->query) {
		error = query_add_query(&selection->query, options->query, &why);
		if (error)
			return refuse(options, error, options->query, &why);
	}
	for (; filter && *filter; filter++) {
		error = query_add(&selection->query, *filter, &why);
		if (error)
			return refuse(options, error, *filter, &why);
	}
	error = select_open(&read->select, selection, &read->dump, 1);
	return error ? say(options, error, strerror(-error)) : 0;
}

/* Takes the dump over. */
static int start(struct ttlog_read **ret_read, struct dump *dump,
		 const struct ttlog_read_options *options)
{
	struct ttlog_read *read = calloc(1, sizeof(*read));
	int error;

	if (!read) {
		dump_close(dump);
		return say(options, -ENOMEM, strerror(ENOMEM));
	}
	read->dump = dump;
	query_init(&read->selection.query);
	out_init(&read->message, -1);
	fill_info(&read->info, dump_meta(dump));
	fill_cause(read, &dump_meta(dump)->cause);
	error = select_what(read, options);
	if (error)
		ttlog_read_close(read);
	else
		*ret_read = read;
	return error;
}

PUBLIC int ttlog_read_open(struct ttlog_read **ret_dump, const char *path,
			   const struct ttlog_read_options *options)
{
	struct ttlog_read_options taken;
	struct dump *dump;
	const char *why;
	int error = take_options(&taken, options);

	if (error)
		return error;
	error = dump_open(&dump, path, &why);
	return error ? say(&taken, error, why) : start(ret_dump, dump, &taken);
}

PUBLIC int ttlog_read_open_fd(struct ttlog_read **ret_dump, int fd,
			      const struct ttlog_read_options *options)
{
	struct ttlog_read_options taken;
	struct dump *dump;
	const char *why;
	int error = take_options(&taken, options);

	if (error)
		return error;
	error = dump_open_descriptor(&dump, fd, &why);
	return error ? say(&taken, error, why) : start(ret_dump, dump, &taken);
}

PUBLIC void ttlog_read_close(struct ttlog_read *dump)
{
	if (!dump)
		return;
	select_close(dump->select);
	query_fini(&dump->selection.query);
	out_fini(&dump->message);
	dump_close(dump->dump);
	free(dump);
}

/* ---- events ----------------------------------------------------------------------------------- */

/* Two's complement of -1 - number, or the least there is. */
static int64_t negative(uint64_t number)
{
	return number > INT64_MAX ? INT64_MIN : -1 - (int64_t)number;
}

static enum ttlog_read_type type_of(const struct value *value)
{
	static const enum ttlog_read_type types[] = {
		[VALUE_UINT] = TTLOG_READ_UINT,   [VALUE_NEGATIVE] = TTLOG_READ_INT,
		[VALUE_BOOL] = TTLOG_READ_BOOL,	  [VALUE_F32] = TTLOG_READ_FLOAT,
		[VALUE_F64] = TTLOG_READ_DOUBLE,  [VALUE_TEXT] = TTLOG_READ_TEXT,
		[VALUE_BYTES] = TTLOG_READ_BYTES, [VALUE_NULL] = TTLOG_READ_NULL,
	};

	if (value->kind != VALUE_UINT)
		return types[value->kind];
	switch (value->type) {
	case FIELD_CHAR:
		return value->number < 256 ? TTLOG_READ_CHAR : TTLOG_READ_UINT;
	case FIELD_POINTER:
		return TTLOG_READ_POINTER;
	case FIELD_I8:
	case FIELD_I16:
	case FIELD_I32:
	case FIELD_I64:
		return value->number <= INT64_MAX ? TTLOG_READ_INT : TTLOG_READ_UINT;
	default:
		return TTLOG_READ_UINT;
	}
}

static void fill_value(struct ttlog_read_value *to, const struct value *value)
{
	*to = (struct ttlog_read_value){
		.name = text_of(value->name), .type = type_of(value), .text = {"", 0}};
	switch (value->kind) {
	case VALUE_UINT:
	case VALUE_BOOL:
		to->number = value->number;
		to->integer = value->number > INT64_MAX ? INT64_MAX : (int64_t)value->number;
		to->real = (double)value->number;
		break;
	case VALUE_NEGATIVE:
		to->integer = negative(value->number);
		to->real = -1.0 - (double)value->number;
		break;
	case VALUE_F32:
	case VALUE_F64:
		to->real = value->real;
		break;
	case VALUE_TEXT:
	case VALUE_BYTES:
		to->text = text_of(value->span);
		break;
	case VALUE_NULL:
		break;
	}
}

static int fill_event(struct ttlog_read *read)
{
	const struct event *event = &read->record.event;
	const struct site *site = event->site;

	record_decode(&read->record);
	read->event = (struct ttlog_read_event){
		.time_ns = event->time_ns,
		.seq = event->seq,
		.level = (enum ttlog_read_level)site->level,
		.flags = event->flags & (TTLOG_READ_TRUNCATED | TTLOG_READ_CARRIED | TTLOG_READ_CHANNEL),
		.target = text_of(site->target),
		.message = text_of(site->message),
		.thread = text_of(event->thread->name),
		.lane = text_of(event->lane->name),
		.channel = text_of(event->channel ? event->channel->name : (struct span){0}),
		.file = text_of(site->file),
		.function = text_of(site->function),
		.tid = known(event->thread->tid),
		.line = site->level == LEVEL_UNKNOWN || site->line > INT64_MAX ? -1 : (int64_t)site->line,
		.field_count = read->record.count,
	};
	for (uint32_t i = 0; i < read->record.count; i++)
		fill_value(&read->value[i], &read->record.value[i]);
	if (!site->printf)
		return 0;
	read->message.bytes = 0;
	message_write(&read->message, site, read->record.value, read->record.count);
	read->event.message = text_of(span_of(&read->message));
	return read->message.error;
}

PUBLIC int ttlog_read_next(struct ttlog_read *dump, const struct ttlog_read_event **ret_event)
{
	if (dump->over)
		return dump->ended;
	dump->record.decoded = false;
	if (select_next(dump->select, &dump->record)) {
		dump->ended = fill_event(dump);
		if (!dump->ended) {
			*ret_event = &dump->event;
			return 1;
		}
	} else {
		dump->ended = select_error(dump->select);
		dump->ended = dump->ended ? dump->ended : dump_failure(dump->dump);
	}
	dump->over = true;
	dump->event.field_count = 0;
	return dump->ended;
}

PUBLIC const struct ttlog_read_value *ttlog_read_field(const struct ttlog_read *dump, const char *name)
{
	const size_t bytes = strlen(name);

	for (uint32_t i = 0; i < dump->event.field_count; i++) {
		const struct ttlog_read_text *each = &dump->value[i].name;

		if (each->bytes == bytes && memcmp(each->data, name, bytes) == 0)
			return &dump->value[i];
	}
	return NULL;
}

PUBLIC const struct ttlog_read_value *ttlog_read_field_at(const struct ttlog_read *dump, uint32_t index)
{
	return index < dump->event.field_count ? &dump->value[index] : NULL;
}

PUBLIC const char *ttlog_read_level_name(enum ttlog_read_level level)
{
	return level_name((unsigned int)level < LEVEL_UNKNOWN ? (enum site_level)level : LEVEL_UNKNOWN);
}

PUBLIC int ttlog_read_damage(const struct ttlog_read *dump, char *buffer, size_t bytes)
{
	char why[160];

	if (!dump_damage(dump->dump, why, sizeof(why)))
		return 0;
	if (buffer && bytes)
		snprintf(buffer, bytes, "%s", why);
	return 1;
}
