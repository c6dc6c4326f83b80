/* SPDX-License-Identifier: MIT */
/* value_text.h - a value of an event as text, as the viewer shows it too: for filters, and for people. */
#ifndef RECORDER_VALUE_TEXT_H
#define RECORDER_VALUE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/reader.h"

#define VALUE_TEXT_NUMBER_BYTES 64

struct value_text {
	const char *text; /* not terminated; any bytes, where the value is a string */
	size_t bytes;
	bool is_number;
	long double number;
	char buffer[VALUE_TEXT_NUMBER_BYTES];
	char *hex; /* of a span of bytes; NULL: none, or no memory */
};

/* `string` is what an interned one is; NULL: nobody knows. Points into the value, and into itself. */
void value_text_init(struct value_text *text, const struct ttlog_reader_value *value,
		     const char *string);
void value_text_fini(struct value_text *text);

#endif
