/* SPDX-License-Identifier: MIT */
/* A call site, as the dictionary of a dump has it. */
#include "recorder/dump_site.h"

#include <string.h>

static void pair_text(struct pack *pack, const char *key, const char *text)
{
	pack_string(pack, key, strlen(key));
	pack_string(pack, text, strlen(text));
}

const char *dump_site_level(uint8_t level)
{
	static const char *const levels[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

	return levels[level <= TTLOG_FATAL ? level : TTLOG_FATAL];
}

void dump_site_put(struct pack *pack, const struct ttlog_reader_site *site)
{
	static const char *const types[TTLOG_TYPE_COUNT] = {
		"",    "bool", "char", "i8",  "u8",  "i16", "u16",   "i32", "u32",
		"i64", "u64",  "f32",  "f64", "str", "bytes", "ptr", "istr"};

	pack_uint(pack, site->id);
	pack_map(pack, 8);
	pair_text(pack, "level", dump_site_level(site->level));
	pair_text(pack, "target", site->target);
	pair_text(pack, "message", site->message);
	pair_text(pack, "file", site->file);
	pair_text(pack, "function", site->function);
	pack_string(pack, "line", 4);
	pack_uint(pack, site->line);
	pack_string(pack, "printf", 6);
	pack_bool(pack, site->flags & TTLOG_SITE_PRINTF);
	pack_string(pack, "fields", 6);
	pack_array(pack, site->field_count);
	for (unsigned int i = 0; i < site->field_count; i++) {
		unsigned int type = site->types[i] < TTLOG_TYPE_COUNT ? site->types[i] : 0;

		pack_array(pack, 2);
		pack_string(pack, site->names[i], strlen(site->names[i]));
		pack_string(pack, types[type], strlen(types[type]));
	}
}
