/* SPDX-License-Identifier: MIT */
/* tui_fields.c - all that is known of one event: the panel below the rows. */
#include <inttypes.h>

#include "viewer/message.h"
#include "viewer/tui.h"
#include "viewer/when.h"

static void field_label(struct out *out, const char *name)
{
	out_printf(out, TEXT_DIM " %-9s " TEXT_RESET, name);
}

static void field_text(struct out *out, const char *name, struct span text)
{
	if (!text.bytes)
		return;
	field_label(out, name);
	out_escaped(out, text, 0);
	out_char(out, '\n');
}

static void put_source_around(const struct tui *tui, struct out *out)
{
	if (!tui->source.around.bytes)
		return;
	out_char(out, '\n');
	out_span(out, span_of(&tui->source.around));
}

static bool is_changed(const struct source_text *source, const struct meta *meta)
{
	return source->line.bytes && meta->created_ns.known &&
	       source->changed_ns > (int64_t)meta->created_ns.bits;
}

/* With its line, if this machine has the file. */
static void put_origin(struct tui *tui, struct out *out, const struct event *event)
{
	const struct site *site = event->site;

	if (!site->file.bytes)
		return;
	field_label(out, "source");
	out_escaped(out, site->file, 0);
	out_printf(out, ":%" PRIu64, site->line);
	if (site->function.bytes) {
		out_text(out, " in ");
		out_escaped(out, site->function, 0);
		out_text(out, "()");
	}
	source_text_find(&tui->source, site);
	if (is_changed(&tui->source, dump_meta(event->dump)))
		out_text(out, ", changed since");
	out_char(out, '\n');
	if (!tui->source.line.bytes)
		return;
	field_label(out, "");
	out_span(out, span_of(&tui->source.line));
	out_char(out, '\n');
}

static void put_who(struct out *out, const struct event *event)
{
	const struct meta *meta = dump_meta(event->dump);

	field_label(out, "thread");
	out_escaped(out, event->thread->name, 0);
	if (event->thread->tid.known)
		out_printf(out, "/%" PRIu64, event->thread->tid.bits);
	out_text(out, " of ");
	out_escaped(out, meta->service, 0);
	if (meta->pid.known)
		out_printf(out, "[%" PRIu64 "]", meta->pid.bits);
	out_printf(out, ", event %" PRIu64 " of the dump, lane ", event->seq);
	out_escaped(out, event->lane->name, 0);
	out_char(out, '\n');
}

static void put_moment(struct tui *tui, struct out *out, const struct event *event)
{
	int64_t base;

	field_label(out, "time");
	when_rfc3339(out, event->time_ns);
	if (paged_base(tui->paged, &base)) {
		out_text(out, "  T");
		when_relative(out, event->time_ns, base);
	}
	if (event->flags & DUMP_EVENT_CARRIED)
		out_text(out, "  (of the last reading of the clock)");
	out_char(out, '\n');
}

static void put_values(struct tui *tui, struct out *out)
{
	static const char *const types[FIELD_COUNT] = {
		"?",   "bool", "char", "i8",  "u8",  "i16",   "u16", "i32",  "u32",
		"i64", "u64",  "f32",  "f64", "str", "bytes", "ptr", "istr",
	};
	const struct record *record = &tui->record;

	for (uint32_t i = 0; i < record->count; i++) {
		const struct value *value = &record->value[i];

		out_text(out, "  " TEXT_BOLD);
		tui_put_padded(out, value->name, 16);
		out_text(out, TEXT_RESET " ");
		text_value(out, &tui->scratch, value);
		out_printf(out, "  " TEXT_DIM "%s" TEXT_RESET "\n", types[value->type]);
	}
	if (record->event.flags & DUMP_EVENT_TRUNCATED)
		out_text(out, "  (a text was too long, and is cut)\n");
}

void tui_fields_write(struct tui *tui, struct out *out)
{
	struct paged_item item;

	if (!tui_selected(tui, &item))
		return;
	if (item.mark) {
		field_text(out, item.mark->dead ? "death" : "snapshot",
			   item.mark->meta->cause.sentence);
		field_text(out, "of", item.mark->meta->service);
		return;
	}
	tui->record.event = item.event;
	tui->record.decoded = false;
	record_decode(&tui->record);
	field_label(out, "message");
	tui->scratch.bytes = 0;
	message_write(&tui->scratch, item.event.site, tui->record.value, tui->record.count);
	out_escaped(out, span_of(&tui->scratch), 0);
	out_char(out, '\n');
	put_origin(tui, out, &item.event);
	put_values(tui, out);
	put_moment(tui, out, &item.event);
	field_label(out, "level");
	out_printf(out, "%s, target ", level_name(item.event.site->level));
	out_escaped(out, item.event.site->target, 0);
	out_char(out, '\n');
	put_who(out, &item.event);
	if (item.event.channel)
		field_text(out, "channel", item.event.channel->name);
	put_source_around(tui, out);
}
