/* SPDX-License-Identifier: MIT */
#include "viewer/dictionary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "recorder/dump_format.h"

#define COPIES_BYTES_MAX (256u << 20)

static const char *const level_names[LEVEL_COUNT] = {
	"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "UNKNOWN",
};

static const char *const type_names[FIELD_COUNT] = {
	"",    "bool", "char", "i8",  "u8",  "i16",   "u16", "i32",  "u32",
	"i64", "u64",  "f32",  "f64", "str", "bytes", "ptr", "istr",
};

const char *level_name(enum site_level level)
{
	return level_names[level < LEVEL_COUNT ? level : LEVEL_UNKNOWN];
}

enum site_level level_parse(struct span name)
{
	enum site_level level = 0;

	while (level < LEVEL_COUNT && (strlen(level_names[level]) != name.bytes ||
				       strncasecmp(level_names[level], name.data, name.bytes) != 0))
		level++;
	return level;
}

static enum field_type type_parse(struct span name)
{
	for (enum field_type type = 1; type < FIELD_COUNT; type++)
		if (span_is(name, type_names[type]))
			return type;
	return FIELD_UNKNOWN;
}

/* ---- decoding into something temporary --------------------------------------------------------
 */

struct draft {
	struct span level, target, message, file, function;
	struct number line;
	bool printf;
	uint32_t field_count;
	struct site_field fields[DUMP_FIELDS_MAX];
};

static int decode_fields(struct decode *cursor, void *to)
{
	struct draft *draft = to;
	struct token array, pair, name, type;

	if (decode_next(cursor, &array) || array.kind != TOKEN_ARRAY ||
	    array.number > DUMP_FIELDS_MAX)
		return -EBADMSG;
	draft->field_count = (uint32_t)array.number;
	for (uint32_t i = 0; i < draft->field_count; i++) {
		if (decode_next(cursor, &pair) || pair.kind != TOKEN_ARRAY || pair.number != 2 ||
		    decode_next(cursor, &name) || decode_next(cursor, &type) ||
		    (name.kind != TOKEN_TEXT && name.kind != TOKEN_BYTES) ||
		    type.kind != TOKEN_TEXT)
			return -EBADMSG;
		draft->fields[i] = (struct site_field){name.span, type_parse(type.span)};
	}
	return 0;
}

#define SPAN(field)                                                                                \
	{                                                                                          \
#field, DECODE_SPAN, offsetof(struct draft, field), NULL, NULL                     \
	}
static const struct decode_key draft_keys[] = {
	SPAN(level),
	SPAN(target),
	SPAN(message),
	SPAN(file),
	SPAN(function),
	{"line", DECODE_NUMBER, offsetof(struct draft, line), NULL, NULL},
	{"printf", DECODE_BOOL, offsetof(struct draft, printf), NULL, NULL},
	{"fields", DECODE_CALL, 0, NULL, decode_fields},
	{NULL, DECODE_SPAN, 0, NULL, NULL},
};

/* ---- copies -----------------------------------------------------------------------------------
 */

static void *take(struct dictionary *dictionary, size_t bytes)
{
	void *memory;

	if (bytes > COPIES_BYTES_MAX - dictionary->bytes)
		return NULL;
	memory = calloc(1, bytes);
	if (memory)
		dictionary->bytes += bytes;
	return memory;
}

static struct span put(char **at, struct span from)
{
	struct span copy = {*at, from.bytes};

	if (from.bytes)
		memcpy(*at, from.data, from.bytes);
	*at += from.bytes;
	return copy;
}

/* Fields need names that differ, for JSON objects and queries. */
static struct span put_name(char **at, const struct site *site, uint32_t index, struct span name)
{
	char made[DUMP_FIELDS_MAX + 32];
	bool taken = name.bytes == 0 || site->printf;

	for (uint32_t i = 0; i < index && !taken; i++)
		taken = span_equal(site->fields[i].name, name);
	if (!taken)
		return put(at, name);
	snprintf(made, sizeof(made), "arg%u", index + 1);
	return put(at, (struct span){made, strlen(made)});
}

#define MADE_NAME_BYTES 8 /* "arg64" and some */

static struct site *copy_site(struct dictionary *dictionary, uint32_t id, const struct draft *draft)
{
	size_t bytes = sizeof(struct site) + draft->field_count * sizeof(struct site_field);
	struct site *site;
	char *at;

	for (uint32_t i = 0; i < draft->field_count; i++)
		bytes += draft->fields[i].name.bytes + MADE_NAME_BYTES;
	bytes += draft->target.bytes + draft->message.bytes + draft->file.bytes +
		 draft->function.bytes;
	site = take(dictionary, bytes);
	if (!site)
		return NULL;
	site->id = id;
	site->level = level_parse(draft->level);
	if (site->level == LEVEL_COUNT)
		site->level = LEVEL_UNKNOWN;
	site->printf = draft->printf;
	site->line = draft->line.bits;
	site->field_count = draft->field_count;
	site->fields = (struct site_field *)(site + 1);
	at = (char *)(site->fields + site->field_count);
	site->target = put(&at, draft->target);
	site->message = put(&at, draft->message);
	site->file = put(&at, draft->file);
	site->function = put(&at, draft->function);
	for (uint32_t i = 0; i < site->field_count; i++) {
		site->fields[i].name = put_name(&at, site, i, draft->fields[i].name);
		site->fields[i].type = draft->fields[i].type;
	}
	return site;
}

/* Grows an array of `size`-byte elements, zero-filled, so that `id` is in it. */
static int array_reach(void **array, uint32_t *limit, uint64_t id, size_t size)
{
	uint32_t wanted = *limit ? *limit : 256;
	char *moved;

	if (id >= DUMP_IDS_MAX)
		return -EBADMSG;
	if (id < *limit)
		return 0;
	while (wanted <= id)
		wanted *= 2;
	moved = reallocarray(*array, wanted, size);
	if (!moved)
		return -ENOMEM;
	memset(moved + *limit * size, 0, (wanted - *limit) * size);
	*array = moved;
	*limit = wanted;
	return 0;
}

static int add_site(struct dictionary *dictionary, uint64_t id, const struct draft *draft)
{
	int error;

	error = array_reach((void **)&dictionary->sites, &dictionary->site_limit, id,
			    sizeof(*dictionary->sites));
	if (error || dictionary->sites[id])
		return error;
	dictionary->sites[id] = copy_site(dictionary, (uint32_t)id, draft);
	return dictionary->sites[id] ? 0 : -ENOMEM;
}

static int add_string(struct dictionary *dictionary, uint64_t id, struct span text)
{
	char *copy;
	int error;

	error = array_reach((void **)&dictionary->strings, &dictionary->string_limit, id,
			    sizeof(*dictionary->strings));
	if (error || dictionary->strings[id].data)
		return error;
	copy = take(dictionary, text.bytes + 1);
	if (!copy)
		return -ENOMEM;
	dictionary->strings[id] = put(&copy, text);
	return 0;
}

static int decode_sites(struct decode *cursor, void *to)
{
	struct token map, id;
	int error;

	if (decode_next(cursor, &map) || map.kind != TOKEN_MAP)
		return -EBADMSG;
	for (uint64_t i = 0; i < map.number; i++) {
		struct draft draft = {0};

		if (decode_next(cursor, &id) || id.kind != TOKEN_UINT)
			return -EBADMSG;
		error = decode_map(cursor, draft_keys, &draft);
		if (!error)
			error = add_site(to, id.number, &draft);
		if (error)
			return error;
	}
	return 0;
}

static int decode_strings(struct decode *cursor, void *to)
{
	struct token map, id, text;
	int error;

	if (decode_next(cursor, &map) || map.kind != TOKEN_MAP)
		return -EBADMSG;
	for (uint64_t i = 0; i < map.number; i++) {
		if (decode_next(cursor, &id) || id.kind != TOKEN_UINT ||
		    decode_next(cursor, &text) ||
		    (text.kind != TOKEN_TEXT && text.kind != TOKEN_BYTES))
			return -EBADMSG;
		error = add_string(to, id.number, text.span);
		if (error)
			return error;
	}
	return 0;
}

static const struct decode_key dictionary_keys[] = {
	{"sites", DECODE_CALL, 0, NULL, decode_sites},
	{"strings", DECODE_CALL, 0, NULL, decode_strings},
	{NULL, DECODE_SPAN, 0, NULL, NULL},
};

int dictionary_add(struct dictionary *dictionary, const unsigned char *data, size_t bytes)
{
	struct decode cursor = {data, data + bytes};

	return decode_map(&cursor, dictionary_keys, dictionary);
}

void dictionary_fini(struct dictionary *dictionary)
{
	for (uint32_t i = 0; i < dictionary->site_limit; i++)
		free(dictionary->sites[i]);
	for (uint32_t i = 0; i < dictionary->string_limit; i++)
		free((void *)dictionary->strings[i].data);
	free(dictionary->sites);
	free(dictionary->strings);
}

struct site *dictionary_unknown_site(struct dictionary *dictionary, uint64_t id)
{
	static const char text[] = "(a site that the dump does not describe)";
	struct draft draft = {.message = {text, sizeof(text) - 1}};

	if (add_site(dictionary, id, &draft) == 0)
		return dictionary->sites[id];
	/* Once more whenever it is asked for: what a query made of it may be of another query. */
	dictionary->nobody = (struct site){.level = LEVEL_UNKNOWN, .message = {"(unknown)", 9}};
	return &dictionary->nobody;
}

struct span dictionary_string(const struct dictionary *dictionary, uint64_t id)
{
	if (id == 0)
		return (struct span){"", 0};
	if (id >= dictionary->string_limit)
		return (struct span){NULL, 0};
	return dictionary->strings[id];
}
