/* SPDX-License-Identifier: MIT */
#include "viewer/diff_values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define TABLE_SIZE 512u /* two for each value */

_Static_assert(TABLE_SIZE >= 2 * DIFF_TEXTS_MAX, "a search ends");

void diff_values_init(struct diff_values *values, const struct columns *columns)
{
	const void *random = (const void *)getauxval(AT_RANDOM);

	*values = (struct diff_values){.columns = columns, .budget = DIFF_VALUES_BYTES_MAX};
	if (random)
		memcpy(&values->seed, random, sizeof(values->seed));
}

/* What was counted, which nobody will look at. */
static void empty(struct diff_field *field)
{
	for (uint32_t i = 0; i < field->count; i++)
		free((char *)field->value[i].value.span.data);
	free(field->value);
	free(field->table);
	field->value = NULL;
	field->table = NULL;
	field->count = field->capacity = 0;
}

void diff_values_fini(struct diff_values *values)
{
	for (uint32_t i = 0; i < values->site_capacity; i++) {
		for (uint32_t k = 0; k < values->sites[i].count; k++)
			empty(&values->sites[i].field[k]);
		free(values->sites[i].field);
	}
	free(values->sites);
	*values = (struct diff_values){0};
}

/* ---- values -----------------------------------------------------------------------------------
 */

/* Real numbers are quantities; an address, or bytes, are of one process. */
static bool is_countable(const struct value *value)
{
	if (value->kind == VALUE_TEXT || value->kind == VALUE_BOOL)
		return true;
	return (value->kind == VALUE_UINT || value->kind == VALUE_NEGATIVE) &&
	       value->type != FIELD_POINTER && value->type != FIELD_INTERNED;
}

static struct span text_of(const struct value *value)
{
	struct span text = value->kind == VALUE_TEXT ? value->span : (struct span){0};

	if (text.bytes > DIFF_VALUE_BYTES_MAX)
		text.bytes = DIFF_VALUE_BYTES_MAX;
	return text;
}

/* With a seed that no file knows, so that none can make all values collide. */
static uint64_t hash_of(const struct diff_values *values, const struct value *value)
{
	const struct span text = text_of(value);
	uint64_t hash = values->seed ^ ((uint64_t)value->kind << 56);

	hash = (hash ^ value->number ^ text.bytes) * 0x9e3779b97f4a7c15u;
	for (size_t at = 0; at < text.bytes; at += 8) {
		uint64_t word = 0;

		memcpy(&word, text.data + at, text.bytes - at < 8 ? text.bytes - at : 8);
		hash ^= hash >> 29 ^ values->seed;
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
	}
	return hash ^ hash >> 32;
}

static bool are_equal(const struct value *left, const struct value *right)
{
	if (left->kind != right->kind)
		return false;
	return left->kind == VALUE_TEXT ? span_equal(text_of(left), text_of(right))
					: left->number == right->number;
}

/* The slot of that value, or one that is free. */
static uint32_t slot_of(const struct diff_field *field, uint64_t hash, const struct value *value)
{
	uint32_t slot = (uint32_t)hash % TABLE_SIZE;

	for (; field->table[slot]; slot = (slot + 1) % TABLE_SIZE) {
		const struct diff_value *seen = &field->value[field->table[slot] - 1];

		if (seen->hash == hash && are_equal(&seen->value, value))
			break;
	}
	return slot;
}

static int grow(struct diff_field *field)
{
	const uint32_t capacity = field->capacity ? 2 * field->capacity : 8;
	struct diff_value *value;

	if (!field->table)
		field->table = calloc(TABLE_SIZE, sizeof(*field->table));
	if (!field->table)
		return -ENOMEM;
	if (field->count < field->capacity)
		return 0;
	value = reallocarray(field->value, capacity, sizeof(*value));
	if (!value)
		return -ENOMEM;
	field->value = value;
	field->capacity = capacity;
	return 0;
}

static int add_value(struct diff_values *values, struct diff_field *field, uint64_t hash,
		     const struct value *value)
{
	const struct span text = text_of(value);
	const size_t bytes = sizeof(struct diff_value) + text.bytes;
	struct diff_value *added;
	char *copy = NULL;

	if (field->count == (value->kind == VALUE_TEXT ? DIFF_TEXTS_MAX : DIFF_INTEGERS_MAX) ||
	    bytes > values->budget) {
		field->crowded = true;
		empty(field);
		return 0;
	}
	if (text.bytes) {
		copy = malloc(text.bytes);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, text.data, text.bytes);
	}
	values->budget -= bytes;
	added = &field->value[field->count++];
	*added = (struct diff_value){.hash = hash, .events = 1, .value = *value};
	added->value.name = (struct span){0};
	added->value.span = (struct span){copy, text.bytes};
	field->table[slot_of(field, hash, value)] = (uint16_t)field->count;
	return 0;
}

static int count(struct diff_values *values, struct diff_field *field, const struct value *value)
{
	uint64_t hash;
	uint32_t slot;
	int error;

	field->events++;
	field->has_texts |= value->kind == VALUE_TEXT;
	if (field->crowded)
		return 0;
	error = grow(field);
	if (error)
		return error;
	hash = hash_of(values, value);
	slot = slot_of(field, hash, value);
	if (!field->table[slot])
		return add_value(values, field, hash, value);
	field->value[field->table[slot] - 1].events++;
	return 0;
}

uint64_t diff_values_events(const struct diff_field *field, const struct diff_value *alike)
{
	for (uint32_t i = 0; i < field->count; i++)
		if (are_equal(&field->value[i].value, &alike->value))
			return field->value[i].events;
	return 0;
}

/* ---- fields -----------------------------------------------------------------------------------
 */

static struct diff_field *find(const struct diff_site_fields *fields, struct span name)
{
	for (uint32_t i = 0; i < fields->count; i++)
		if (span_equal(fields->field[i].name, name))
			return &fields->field[i];
	return NULL;
}

/* NULL: there may be no more. */
static struct diff_field *field_of(struct diff_values *values, struct diff_site_fields *fields,
				   struct span name)
{
	struct diff_field *field = find(fields, name);

	if (field || fields->count == DIFF_SITE_FIELDS_MAX || values->field_count == DIFF_FIELDS_MAX)
		return field;
	if (!fields->field)
		fields->field = calloc(DIFF_SITE_FIELDS_MAX, sizeof(*fields->field));
	if (!fields->field)
		return NULL;
	values->field_count++;
	field = &fields->field[fields->count++];
	field->name = name;
	return field;
}

static int make_room(struct diff_values *values, uint32_t site)
{
	const uint32_t capacity = site < 32 ? 64 : 2 * site;
	struct diff_site_fields *sites;

	if (site < values->site_capacity)
		return 0;
	sites = reallocarray(values->sites, capacity, sizeof(*sites));
	if (!sites)
		return -ENOMEM;
	memset(sites + values->site_capacity, 0,
	       (capacity - values->site_capacity) * sizeof(*sites));
	values->sites = sites;
	values->site_capacity = capacity;
	return 0;
}

int diff_values_add(struct diff_values *values, uint32_t site, struct record *record)
{
	int error = make_room(values, site);

	record_decode(record);
	for (uint32_t i = 0; i < record->count && !error; i++) {
		const struct value *value = &record->value[i];
		struct diff_field *field;

		if (!value->name.bytes || !is_countable(value) ||
		    !columns_have_field(values->columns, value->name))
			continue;
		field = field_of(values, &values->sites[site], value->name);
		if (field)
			error = count(values, field, value);
	}
	return error;
}

const struct diff_field *diff_values_field(const struct diff_values *values, uint32_t site,
					   struct span name)
{
	return site < values->site_capacity ? find(&values->sites[site], name) : NULL;
}
