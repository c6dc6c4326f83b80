/* SPDX-License-Identifier: MIT */
/* value_text.c - see value_text.h. */
#include "recorder/value_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As few digits as give the number again. */
static size_t write_real(char text[VALUE_TEXT_NUMBER_BYTES], double real, bool is_float)
{
	int count = 0;

	if (isnan(real))
		return (size_t)snprintf(text, VALUE_TEXT_NUMBER_BYTES, "nan");
	for (int digits = is_float ? 6 : 15; digits <= 17; digits++) {
		count = snprintf(text, VALUE_TEXT_NUMBER_BYTES, "%.*g", digits, real);
		if (is_float ? strtof(text, NULL) == (float)real : strtod(text, NULL) == real)
			break;
	}
	return (size_t)count;
}

static double real_of(const struct ttlog_reader_value *value)
{
	const uint32_t low = (uint32_t)value->bits;
	double real;
	float single;

	if (value->type == TTLOG_TYPE_F32) {
		memcpy(&single, &low, sizeof(single));
		return single;
	}
	memcpy(&real, &value->bits, sizeof(real));
	return real;
}

static void take_integer(struct value_text *text, const struct ttlog_reader_value *value)
{
	const bool is_signed = value->type == TTLOG_TYPE_I8 || value->type == TTLOG_TYPE_I16 ||
			       value->type == TTLOG_TYPE_I32 || value->type == TTLOG_TYPE_I64;

	text->is_number = true;
	text->number = is_signed ? (long double)(int64_t)value->bits : (long double)value->bits;
	text->bytes = (size_t)snprintf(text->buffer, sizeof(text->buffer),
				       is_signed			   ? "%lld"
				       : value->type == TTLOG_TYPE_POINTER ? "0x%llx"
									   : "%llu",
				       (unsigned long long)value->bits);
}

static void take_hex(struct value_text *text, const struct ttlog_reader_value *value)
{
	text->hex = malloc(2 * (size_t)value->size + 1);
	if (!text->hex)
		return;
	for (uint32_t i = 0; i < value->size; i++)
		snprintf(text->hex + 2 * (size_t)i, 3, "%02x", (unsigned char)value->data[i]);
	text->text = text->hex;
	text->bytes = 2 * (size_t)value->size;
}

void value_text_init(struct value_text *text, const struct ttlog_reader_value *value,
		     const char *string)
{
	*text = (struct value_text){.text = text->buffer};
	switch (value->type) {
	case TTLOG_TYPE_STRING:
		text->text = value->data;
		text->bytes = value->size;
		break;
	case TTLOG_TYPE_INTERNED:
		text->text = string ? string : "";
		text->bytes = strlen(text->text);
		break;
	case TTLOG_TYPE_BYTES:
		take_hex(text, value);
		break;
	case TTLOG_TYPE_BOOL:
		text->is_number = true;
		text->number = value->bits;
		text->text = value->bits ? "true" : "false";
		text->bytes = strlen(text->text);
		break;
	case TTLOG_TYPE_CHAR:
		text->buffer[0] = (char)value->bits;
		text->bytes = 1;
		break;
	case TTLOG_TYPE_F32:
	case TTLOG_TYPE_F64:
		text->is_number = true;
		text->number = real_of(value);
		text->bytes = write_real(text->buffer, real_of(value),
					 value->type == TTLOG_TYPE_F32);
		break;
	default:
		take_integer(text, value);
	}
}

void value_text_fini(struct value_text *text)
{
	free(text->hex);
	text->hex = NULL;
}
