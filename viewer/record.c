/* SPDX-License-Identifier: MIT */
/* An event's values out of its bytes, with the names and types that its site has for them. */
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

#define NAME(n) {"arg" #n, sizeof("arg" #n) - 1}
#define NAMES(t) NAME(t##0), NAME(t##1), NAME(t##2), NAME(t##3), NAME(t##4), NAME(t##5), NAME(t##6), \
	NAME(t##7), NAME(t##8), NAME(t##9)

static struct span made_name(uint32_t index)
{
	/* Nobody's but for reading: several threads may have a dump each. */
	static const struct span names[] = {
		NAME(1),  NAME(2),  NAME(3),  NAME(4),	NAME(5),  NAME(6),  NAME(7),  NAME(8),
		NAME(9),  NAMES(1), NAMES(2), NAMES(3), NAMES(4), NAMES(5), NAME(60), NAME(61),
		NAME(62), NAME(63), NAME(64),
	};
	_Static_assert(sizeof(names) == DUMP_FIELDS_MAX * sizeof(*names), "one for each field");

	return names[index];
}

static bool decode_value(const struct event *event, uint32_t index, struct decode *cursor,
			 struct value *value)
{
	const struct site *site = event->site;
	struct decode start = *cursor;
	struct token token = {0};

	if (decode_skip_many(cursor, 1) || decode_next(&start, &token))
		return false;
	value_from(&token, value);
	value->type = FIELD_UNKNOWN;
	if (index < site->field_count) {
		value->type = site->fields[index].type;
		value->name = site->fields[index].name;
	} else {
		value->name = made_name(index);
	}
	value_refine(event->dump, value);
	return true;
}

void record_decode(struct record *record)
{
	const struct event *event = &record->event;
	struct decode cursor = {event->values, event->values + event->values_bytes};

	if (record->decoded)
		return;
	record->decoded = true;
	for (record->count = 0; record->count < event->value_count; record->count++)
		if (!decode_value(event, record->count, &cursor, &record->value[record->count]))
			return;
}

bool record_value(struct record *record, struct span name, struct value *ret_value)
{
	const struct event *event = &record->event;
	const struct site *site = event->site;
	struct decode cursor = {event->values, event->values + event->values_bytes};
	uint32_t index = 0;

	while (index < site->field_count && !span_equal(site->fields[index].name, name))
		index++;
	if (!record->decoded && index < site->field_count)
		return index < event->value_count && decode_skip_many(&cursor, index) == 0 &&
		       decode_value(event, index, &cursor, ret_value);
	/* Values beyond the site's fields have names that were made. */
	if (!record->decoded && event->value_count <= site->field_count)
		return false;
	record_decode(record);
	for (index = 0; index < record->count; index++)
		if (span_equal(record->value[index].name, name)) {
			*ret_value = record->value[index];
			return true;
		}
	return false;
}
