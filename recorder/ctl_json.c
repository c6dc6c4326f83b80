/* SPDX-License-Identifier: MIT */
/* ctl_json.c - a row of an answer as one line of JSON. */
#include <inttypes.h>

#include "recorder/ctl.h"

/* Control characters are escaped, those of Latin-1 too: some terminals obey them. */
void ctl_json_string(FILE *out, const char *text, size_t bytes)
{
	putc('"', out);
	for (size_t i = 0; i < bytes; i++) {
		const unsigned char c = (unsigned char)text[i];
		const unsigned char next = i + 1 < bytes ? (unsigned char)text[i + 1] : 0;

		if (c == '"' || c == '\\') {
			fprintf(out, "\\%c", c);
		} else if (c < 0x20 || c == 0x7f) {
			fprintf(out, "\\u%04x", c);
		} else if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
			fprintf(out, "\\u%04x", next);
			i++;
		} else {
			putc(c, out);
		}
	}
	putc('"', out);
}

static bool put_value(FILE *out, struct ctl_cursor *cursor, unsigned int depth);

static bool put_entries(FILE *out, struct ctl_cursor *cursor, const struct ctl_item *item,
			unsigned int depth)
{
	const bool is_map = item->kind == CTL_MAP;

	if (depth >= CTL_DEPTH_MAX)
		return false;
	putc(is_map ? '{' : '[', out);
	for (uint64_t i = 0; i < item->value; i++) {
		struct ctl_item key;

		if (i)
			putc(',', out);
		if (is_map) {
			if (ctl_item_next(cursor, &key) || key.kind != CTL_TEXT)
				return false;
			ctl_json_string(out, key.text, (size_t)key.value);
			putc(':', out);
		}
		if (!put_value(out, cursor, depth + 1))
			return false;
	}
	putc(is_map ? '}' : ']', out);
	return true;
}

static bool put_value(FILE *out, struct ctl_cursor *cursor, unsigned int depth)
{
	struct ctl_item item;

	if (ctl_item_next(cursor, &item))
		return false;
	switch (item.kind) {
	case CTL_UINT:
		fprintf(out, "%" PRIu64, item.value);
		return true;
	case CTL_NEGATIVE:
		if (item.value > INT64_MAX)
			return false;
		fprintf(out, "%" PRId64, -1 - (int64_t)item.value);
		return true;
	case CTL_TEXT:
		ctl_json_string(out, item.text, (size_t)item.value);
		return true;
	case CTL_BOOL:
		fputs(item.value ? "true" : "false", out);
		return true;
	case CTL_ARRAY:
	case CTL_MAP:
		return put_entries(out, cursor, &item, depth);
	default:
		fputs("null", out);
		return true;
	}
}

bool ctl_json_row(FILE *out, const unsigned char *row, size_t bytes)
{
	struct ctl_cursor cursor = {.at = row, .end = row + bytes};
	const bool is_whole = put_value(out, &cursor, 0);

	putc('\n', out);
	return is_whole;
}
