/* SPDX-License-Identifier: MIT */
/*
 * format_json.h - events as JSON, one object a line, for other programs.
 *
 * Always valid UTF-8. Integers are exact (some readers round above 2^53: "ts_ns" is text for them),
 * pointers are "0x..." text, chars text of one character, byte spans hexadecimal text, NaN and
 * infinities null. What is not known is null.
 */
#ifndef VIEWER_FORMAT_JSON_H
#define VIEWER_FORMAT_JSON_H

#include "viewer/format.h"

extern const struct format json_format, json_pretty_format;

/* The object alone, without the end of its line. */
void format_json_object(struct out *out, struct out *scratch, struct record *record);
/* What "fields" has: an object, of all or of those that the columns have. The record is decoded. */
void format_json_fields(struct out *out, struct out *scratch, const struct columns *columns,
			const struct record *record);
void format_json_value(struct out *out, struct out *scratch, const struct value *value);

/* Parts that the information about a dump is made of, too. Keys are ours and need no escapes. */
void json_key(struct out *out, const char *key); /* with a comma, but for the first of an object */
void json_span(struct out *out, const char *key, struct span span);
void json_number(struct out *out, const char *key, struct number number); /* null: not known */
void json_signed(struct out *out, const char *key, struct number number);
void json_known(struct out *out, const char *key, struct span span); /* null: empty, not known */
void json_ns(struct out *out, const char *key, struct number ns); /* text */
void json_truth(struct out *out, const char *key, bool truth);
void json_address(struct out *out, const char *key,
		  struct number address); /* text, as pointers are */

#endif
