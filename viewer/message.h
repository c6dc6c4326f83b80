/* SPDX-License-Identifier: MIT */
/*
 * message.h - an event's message: as its site has it, or a printf format filled with the values.
 *
 * The format comes from a file and is never given to printf: each directive is taken apart, checked
 * against the value's type, and rebuilt from the parts that are known. What is odd (a directive that
 * nobody knows, '*', '%n', no value left, a value of another kind) appears as it stands.
 */
#ifndef VIEWER_MESSAGE_H
#define VIEWER_MESSAGE_H

#include "viewer/dump_reader.h"
#include "viewer/out.h"

/* Raw bytes: whoever shows them escapes them. */
void message_write(struct out *out, const struct site *site, const struct value *values,
		   uint32_t count);

/* A value as plain text, for filters and for people; raw bytes where it is a string. */
void value_write(struct out *out, const struct value *value);
bool value_is_integer(const struct value *value);

#endif
