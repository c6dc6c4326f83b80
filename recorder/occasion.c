/* SPDX-License-Identifier: MIT */
/* occasion.c - see occasion.h. */
#include "recorder/occasion.h"

#include <stdio.h>
#include <string.h>

#include "recorder/log.h"
#include "recorder/value_text.h"

struct line {
	char *text;
	size_t bytes, length;
};

static void put(struct line *line, const char *text, size_t bytes)
{
	const size_t room = line->bytes - 1 - line->length;

	if (!bytes)
		return;
	bytes = bytes < room ? bytes : room;
	memcpy(line->text + line->length, text, bytes);
	line->length += bytes;
	line->text[line->length] = '\0';
}

/* As the viewer does: what could be taken for more than one word is put into quotes. */
static bool is_one_word(const struct value_text *value)
{
	static const char separators[] = " \t\n\"'=,\\";

	for (size_t i = 0; i < value->bytes; i++)
		if ((unsigned char)value->text[i] <= ' ' ||
		    memchr(separators, value->text[i], sizeof(separators) - 1))
			return false;
	return value->bytes > 0;
}

static void put_value(struct line *line, const struct ttlog_reader_value *value, const char *string)
{
	struct value_text text;
	const char *quote;

	value_text_init(&text, value, string);
	quote = is_one_word(&text) ? "" : "\"";
	put(line, quote, strlen(quote));
	put(line, text.text, text.bytes);
	put(line, quote, strlen(quote));
	value_text_fini(&text);
}

void occasion_take_event(struct occasion *occasion, const struct ttlog_reader_site *site,
			 const struct ttlog_reader_event *event, uint32_t tid, const char *thread,
			 filter_string_fn string_fn, const void *context)
{
	struct line line = {.text = occasion->event.fields,
			    .bytes = sizeof(occasion->event.fields)};

	occasion->kind = OCCASION_EVENT;
	occasion->event.ticks = event->ticks;
	occasion->event.site = site->id;
	occasion->event.tid = tid;
	occasion->event.level = site->level;
	snprintf(occasion->event.thread, sizeof(occasion->event.thread), "%s", thread);
	snprintf(occasion->event.target, sizeof(occasion->event.target), "%s", site->target);
	snprintf(occasion->event.message, sizeof(occasion->event.message), "%s", site->message);
	occasion->event.fields[0] = '\0';
	for (uint32_t i = 0; i < site->field_count && i < event->value_count; i++) {
		const struct ttlog_reader_value *value = &event->value[i];

		if (line.length)
			put(&line, " ", 1);
		if (site->names[i][0]) {
			put(&line, site->names[i], strlen(site->names[i]));
			put(&line, "=", 1);
		}
		put_value(&line, value,
			  value->type == TTLOG_TYPE_INTERNED
				  ? string_fn(context, (uint32_t)value->bits)
				  : NULL);
	}
	log_clean(occasion->event.thread, LOG_CLEAN_LINE);
	log_clean(occasion->event.target, LOG_CLEAN_LINE);
	log_clean(occasion->event.message, LOG_CLEAN_LINE);
	log_clean(occasion->event.fields, LOG_CLEAN_LINE);
}
