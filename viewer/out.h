/* SPDX-License-Identifier: MIT */
/*
 * out.h - text on its way to a descriptor, or kept in memory.
 *
 * Errors stick, like those of stdio; nobody tests every write. Nothing in here interprets a format
 * that comes from a file.
 */
#ifndef VIEWER_OUT_H
#define VIEWER_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "viewer/decode.h"

struct out {
	int fd; /* -1: kept in memory, which grows */
	char *data;
	size_t bytes, capacity;
	char last; /* the last byte written, wherever it is by now */
	int error; /* 0 or a negative errno */
};

void out_init(struct out *out, int fd);
void out_fini(struct out *out); /* does not flush */
/* 0 or the first error. */
int out_flush(struct out *out);

void out_bytes(struct out *out, const char *data, size_t bytes);
void out_text(struct out *out, const char *text);
void out_span(struct out *out, struct span span);
void out_char(struct out *out, char c);
void out_pad(struct out *out, char c, size_t count);
void out_uint(struct out *out, uint64_t number);
void out_int(struct out *out, int64_t number);
void out_count(struct out *out, uint64_t count, size_t columns); /* 1,234,567, to the right of so many */
void out_printf(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * For people, on a terminal perhaps: control characters (C0, C1, DEL), bytes that are not UTF-8 and
 * characters that change the direction of text appear as escapes. `quote` is escaped too, 0 = none.
 * Returns the columns taken, one a character.
 */
size_t out_escaped(struct out *out, struct span span, char quote);
/*
 * As the inside of a JSON string: always valid UTF-8, bytes that are not become U+FFFD. What a
 * terminal might act on is escaped, for JSON is printed there, too.
 */
void out_json(struct out *out, struct span span);
void out_json_string(struct out *out, struct span span); /* with its quotes */
void out_hex(struct out *out, struct span span);
/* What a terminal might take as a command, or show in another order than it is stored. */
bool out_is_unsafe(uint32_t code);
/* Valid UTF-8, whatever it was: bytes that are not become U+FFFD. */
void out_utf8(struct out *out, struct span span);

/* The length of the UTF-8 character at data, 0 = there is none. ret_code gets its code point. */
size_t utf8_next(const char *data, size_t bytes, uint32_t *ret_code);

static inline struct span span_of(const struct out *out)
{
	return (struct span){out->data, out->bytes};
}

#endif
