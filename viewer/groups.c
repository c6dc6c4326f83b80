/* SPDX-License-Identifier: MIT */
#include "viewer/groups.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "viewer/message.h"

#define TABLE_SIZE 32768u /* more than three for each group */
#define MEMO_SIZE 1024u
#define OTHERS UINT32_MAX

/* Where the key is the same for all of a site, or of a thread: which group was it? */
struct groups_memo {
	enum { MEMO_NEVER, MEMO_SITE, MEMO_THREAD } by;
	struct {
		const void *of;
		uint32_t index;
	} entry[MEMO_SIZE];
};

/* ---- keys -------------------------------------------------------------------------------------
 */

static void put_part(struct out *key, enum group_part_kind kind, struct span text)
{
	const uint32_t bytes = (uint32_t)text.bytes;

	out_char(key, (char)kind);
	out_bytes(key, (const char *)&bytes, sizeof(bytes));
	out_span(key, text);
}

enum group_part_kind group_next_part(struct span *key, struct span *ret_text)
{
	enum group_part_kind kind = (enum group_part_kind)key->data[0];
	uint32_t bytes;

	memcpy(&bytes, key->data + 1, sizeof(bytes));
	*ret_text = (struct span){key->data + 1 + sizeof(bytes), bytes};
	key->data += 1 + sizeof(bytes) + bytes;
	key->bytes -= 1 + sizeof(bytes) + bytes;
	return kind;
}

static bool is_number(const struct value *value)
{
	if (value->kind == VALUE_F32 || value->kind == VALUE_F64)
		return isfinite(value->real);
	return (value->kind == VALUE_UINT || value->kind == VALUE_NEGATIVE) &&
	       value->type != FIELD_CHAR && value->type != FIELD_POINTER &&
	       value->type != FIELD_INTERNED;
}

static void put_cell(struct groups *groups, struct cell cell)
{
	struct out *scratch = &groups->scratch;
	enum group_part_kind kind = GROUP_RAW;

	if (cell.kind == CELL_MISSING || cell.kind == CELL_TEXT) {
		put_part(&groups->key, cell.kind == CELL_TEXT ? GROUP_TEXT : GROUP_MISSING,
			 cell.text);
		return;
	}
	scratch->bytes = 0;
	if (cell.kind == CELL_UINT)
		out_uint(scratch, cell.number);
	else if (cell.kind == CELL_INT)
		out_int(scratch, (int64_t)cell.number);
	else
		value_write(scratch, cell.value);
	if (cell.kind == CELL_VALUE && !is_number(cell.value) && cell.value->kind != VALUE_BOOL)
		kind = GROUP_TEXT;
	put_part(&groups->key, kind, span_of(scratch));
}

static void make_key(struct groups *groups, struct record *record)
{
	groups->key.bytes = 0;
	for (uint32_t i = 0; i < groups->by->count; i++) {
		const struct group_part *part = &groups->by->part[i];

		if (part->is_template)
			put_part(&groups->key, GROUP_TEXT, record->event.site->message);
		else
			put_cell(groups, column_cell(&part->column, record, &groups->scratch));
	}
}

/* With a seed that no file knows, so that none can make all keys collide. */
static uint64_t hash_of(uint64_t seed, struct span key)
{
	uint64_t hash = seed;

	for (size_t at = 0; at < key.bytes; at += 8) {
		uint64_t word = 0;

		memcpy(&word, key.data + at, key.bytes - at < 8 ? key.bytes - at : 8);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29 ^ seed;
	}
	return hash ^ hash >> 32;
}

/* ---- groups -----------------------------------------------------------------------------------
 */

static bool same_for_all(enum column_kind kind, bool of_thread)
{
	switch (kind) {
	case COLUMN_LEVEL:
	case COLUMN_TARGET:
	case COLUMN_FILE:
	case COLUMN_LINE:
	case COLUMN_FUNC:
		return !of_thread;
	case COLUMN_TID:
	case COLUMN_THREAD:
		return of_thread;
	case COLUMN_PID:
	case COLUMN_SERVICE:
	case COLUMN_HOST:
		return true;
	default:
		return false;
	}
}

static bool all_same(const struct group_by *by, bool of_thread)
{
	for (uint32_t i = 0; i < by->count; i++)
		if (by->part[i].is_template ? of_thread
					    : !same_for_all(by->part[i].column.kind, of_thread))
			return false;
	return true;
}

int groups_open(struct groups *groups, const struct group_by *by)
{
	const void *random = (const void *)getauxval(AT_RANDOM);

	*groups = (struct groups){.by = by,
				  .key_budget = GROUPS_KEY_BYTES_MAX,
				  .sketch_budget = GROUPS_SKETCH_BYTES_MAX};
	out_init(&groups->key, -1);
	out_init(&groups->scratch, -1);
	groups->table = calloc(TABLE_SIZE, sizeof(*groups->table));
	groups->memo = calloc(1, sizeof(*groups->memo));
	if (!groups->table || !groups->memo) {
		groups_close(groups);
		return -ENOMEM;
	}
	if (random)
		memcpy(&groups->seed, random, sizeof(groups->seed));
	groups->memo->by = all_same(by, false)	? MEMO_SITE
			   : all_same(by, true) ? MEMO_THREAD
						: MEMO_NEVER;
	return 0;
}

static void free_measures(struct group *group)
{
	for (uint32_t i = 0; i < group->measure_count; i++) {
		sketch_fini(&group->measures[i]->sketch);
		free(group->measures[i]);
	}
	free(group->measures);
}

void groups_close(struct groups *groups)
{
	for (uint32_t i = 0; i < groups->count; i++) {
		free(groups->list[i].key);
		free_measures(&groups->list[i]);
	}
	free_measures(&groups->others);
	free(groups->list);
	free(groups->table);
	free(groups->memo);
	out_fini(&groups->key);
	out_fini(&groups->scratch);
	*groups = (struct groups){0};
}

static int add_group(struct groups *groups, uint64_t hash, uint32_t *slot)
{
	struct group *group;
	char *key;

	if (groups->count == groups->capacity) {
		uint32_t capacity = groups->capacity ? 2 * groups->capacity : 64;
		struct group *list = reallocarray(groups->list, capacity, sizeof(*list));

		if (!list)
			return -ENOMEM;
		groups->list = list;
		groups->capacity = capacity;
	}
	key = malloc(groups->key.bytes + 1);
	if (!key)
		return -ENOMEM;
	if (groups->key.bytes)
		memcpy(key, groups->key.data, groups->key.bytes);
	group = &groups->list[groups->count++];
	*group = (struct group){.hash = hash, .key = key, .key_bytes = groups->key.bytes};
	groups->key_budget -= groups->key.bytes;
	*slot = groups->count;
	return 0;
}

/* The slot of that key: its group's, or one that is free. */
static uint32_t slot_of(const struct groups *groups, uint64_t hash, struct span key)
{
	uint32_t slot = (uint32_t)hash % TABLE_SIZE;

	for (; groups->table[slot]; slot = (slot + 1) % TABLE_SIZE) {
		const struct group *group = &groups->list[groups->table[slot] - 1];

		if (group->hash == hash &&
		    span_equal(key, (struct span){group->key, group->key_bytes}))
			break;
	}
	return slot;
}

struct group *groups_find(const struct groups *groups, const struct group *alike)
{
	const struct span key = {alike->key, alike->key_bytes};
	const uint32_t index = groups->table[slot_of(groups, hash_of(groups->seed, key), key)];

	return index ? &groups->list[index - 1] : NULL;
}

/* By the key that was made. 0 or a negative errno. */
static int find_group(struct groups *groups, uint32_t *ret_index)
{
	const struct span key = span_of(&groups->key);
	const uint64_t hash = hash_of(groups->seed, key);
	const uint32_t slot = slot_of(groups, hash, key);
	int error;

	if (groups->table[slot]) {
		*ret_index = groups->table[slot] - 1;
		return 0;
	}
	*ret_index = OTHERS;
	if (groups->count == GROUPS_MAX || key.bytes > groups->key_budget)
		return 0;
	error = add_group(groups, hash, &groups->table[slot]);
	if (!error)
		*ret_index = groups->count - 1;
	return error;
}

static int index_of(struct groups *groups, struct record *record, uint32_t *ret_index)
{
	struct groups_memo *memo = groups->memo;
	const void *of = memo->by == MEMO_THREAD ? (const void *)record->event.thread
						 : (const void *)record->event.site;
	const size_t at = (size_t)((uintptr_t)of * 0x9e3779b97f4a7c15u >> 32) % MEMO_SIZE;
	int error;

	if (memo->by != MEMO_NEVER && memo->entry[at].of == of) {
		*ret_index = memo->entry[at].index;
		return 0;
	}
	make_key(groups, record);
	error = groups->key.error ? groups->key.error : groups->scratch.error;
	if (!error)
		error = find_group(groups, ret_index);
	if (!error) {
		memo->entry[at].of = of;
		memo->entry[at].index = *ret_index;
	}
	return error;
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

static bool is_wanted(const struct groups *groups, struct span name)
{
	const struct columns *columns = groups->measured;

	for (uint32_t i = 0; columns && i < columns->count; i++)
		if (columns->column[i].kind == COLUMN_FIELD &&
		    span_equal(columns->column[i].name, name))
			return true;
	return !columns;
}

/* NULL: there may be no more. */
static struct group_measure *measure_of(struct groups *groups, struct group *group,
					struct span name)
{
	struct group_measure *measure;

	for (uint32_t i = 0; i < group->measure_count; i++)
		if (span_equal(group->measures[i]->name, name))
			return group->measures[i];
	if (group->measure_count == GROUP_MEASURES_MAX ||
	    groups->measure_count == GROUPS_MEASURES_MAX)
		return NULL;
	if (!group->measures)
		group->measures = calloc(GROUP_MEASURES_MAX, sizeof(struct group_measure *));
	measure = group->measures ? malloc(sizeof(*measure)) : NULL;
	if (!measure)
		return NULL;
	*measure = (struct group_measure){.name = name};
	sketch_init(&measure->sketch);
	group->measures[group->measure_count++] = measure;
	groups->measure_count++;
	return measure;
}

static long double number_of(const struct value *value)
{
	if (value->kind == VALUE_NEGATIVE)
		return -1.0L - (long double)value->number;
	return value->kind == VALUE_UINT ? (long double)value->number : (long double)value->real;
}

static void add_number(struct groups *groups, struct group_measure *measure,
		       const struct value *value)
{
	const long double number = number_of(value);

	measure->rises += measure->sketch.values && number > measure->last;
	measure->last = number;
	sketch_add(&measure->sketch, number, value->kind == VALUE_F32 || value->kind == VALUE_F64,
		   &groups->sketch_budget);
}

static void measure(struct groups *groups, struct group *group, struct record *record)
{
	record_decode(record);
	for (uint32_t i = 0; i < record->count; i++) {
		const struct value *value = &record->value[i];
		struct group_measure *measure;

		if (!is_number(value) || !is_wanted(groups, value->name))
			continue;
		measure = measure_of(groups, group, value->name);
		if (measure)
			add_number(groups, measure, value);
		else
			group->unmeasured++;
	}
}

int groups_add(struct groups *groups, struct record *record, struct group **ret_group)
{
	const struct event *event = &record->event;
	struct group *group;
	uint32_t index = OTHERS;
	int error = index_of(groups, record, &index);

	if (error)
		return error;
	group = index == OTHERS ? &groups->others : &groups->list[index];
	if (!group->events || event->time_ns < group->first_ns) {
		group->first_ns = event->time_ns;
		group->first_dump = event->dump;
	}
	if (!group->events || event->time_ns >= group->last_ns) {
		group->last_ns = event->time_ns;
		group->last_dump = event->dump;
	}
	group->events++;
	if (groups->measures)
		measure(groups, group, record);
	if (ret_group)
		*ret_group = group;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct group *left = *(struct group *const *)a, *right = *(struct group *const *)b;

	if (left->events != right->events)
		return left->events < right->events ? 1 : -1;
	return (left > right) - (left < right); /* who came first */
}

struct group **groups_order(struct groups *groups)
{
	struct group **order = calloc(groups->count + 1, sizeof(struct group *));

	for (uint32_t i = 0; order && i < groups->count; i++)
		order[i] = &groups->list[i];
	if (order)
		qsort(order, groups->count, sizeof(struct group *), compare);
	return order;
}
