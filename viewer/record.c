/* SPDX-License-Identifier: MIT */
/* An event's values out of its bytes, with the names and types that its site has for them. */
#include <stdio.h>
#include <string.h>

#include "viewer/dump_reader.h"

static void value_from(const struct token *token, struct value *value)
{
	static const enum value_kind kinds[] = {
		[TOKEN_UINT] = VALUE_UINT,   [TOKEN_NEGATIVE] = VALUE_NEGATIVE,
		[TOKEN_BYTES] = VALUE_BYTES, [TOKEN_TEXT] = VALUE_TEXT,
		[TOKEN_ARRAY] = VALUE_NULL,  [TOKEN_MAP] = VALUE_NULL,
		[TOKEN_F32] = VALUE_F32,     [TOKEN_F64] = VALUE_F64,
		[TOKEN_BOOL] = VALUE_BOOL,   [TOKEN_NULL] = VALUE_NULL,
	};

	value->kind = kinds[token->kind];
	value->number = token->number;
	value->real = token->real;
	value->span = token->span;
}

/* A number that stands for a string, and a string that was not UTF-8, are what their field says. */
static void value_refine(struct dump *dump, struct value *value)
{
	struct span string;

	if (value->type == FIELD_STRING && value->kind == VALUE_BYTES)
		value->kind = VALUE_TEXT;
	if (value->type != FIELD_INTERNED || value->kind != VALUE_UINT)
		return;
	string = dictionary_string(dump_dictionary(dump), value->number);
	if (!string.data)
		return;
	value->kind = VALUE_TEXT;
	value->span = string;
}

static struct span made_name(uint32_t index)
{
	static char names[DUMP_FIELDS_MAX][16];

	snprintf(names[index], sizeof(names[index]), "arg%u", index + 1);
	return (struct span){names[index], strlen(names[index])};
}

void record_decode(struct record *record)
{
	const struct event *event = &record->event;
	struct decode cursor = {event->values, event->values + event->values_bytes};
	const struct site *site = event->site;
	struct token token = {0};

	if (record->decoded)
		return;
	record->decoded = true;
	for (record->count = 0; record->count < event->value_count; record->count++) {
		struct value *value = &record->value[record->count];
		struct decode start = cursor;

		if (decode_skip_many(&cursor, 1) || decode_next(&start, &token))
			return;
		value_from(&token, value);
		value->type = FIELD_UNKNOWN;
		if (record->count < site->field_count) {
			value->type = site->fields[record->count].type;
			value->name = site->fields[record->count].name;
		} else {
			value->name = made_name(record->count);
		}
		value_refine(event->dump, value);
	}
}
