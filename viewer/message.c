/* SPDX-License-Identifier: MIT */
#include "viewer/message.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH_MAX 1000 /* and precision */
#define FLAGS_MAX 5

struct directive {
	size_t bytes; /* of all of it, from the '%' on; 0: it is none that is known */
	char flags[FLAGS_MAX + 1];
	int width, precision; /* -1: not given */
	unsigned int length;  /* 1 = hh, 2 = h, 4 = none, 8 = l, ll, j, z, t, q, L */
	char conversion;
};

static const char *parse_number(const char *at, const char *end, int *ret_number)
{
	int number = 0;

	for (; at < end && *at >= '0' && *at <= '9'; at++)
		if (number <= WIDTH_MAX)
			number = number * 10 + (*at - '0');
	*ret_number = number;
	return at;
}

static const char *parse_length(const char *at, const char *end, unsigned int *ret_length)
{
	*ret_length = 4;
	if (at < end && *at == 'h') {
		*ret_length = end - at > 1 && at[1] == 'h' ? 1 : 2;
		return at + (*ret_length == 1 ? 2 : 1);
	}
	if (at < end && *at && strchr("ljztqL", *at)) {
		*ret_length = 8;
		return at + (*at == 'l' && end - at > 1 && at[1] == 'l' ? 2 : 1);
	}
	return at;
}

/* Takes the directive at `from` (a '%') apart. */
static struct directive parse(const char *from, const char *end)
{
	struct directive directive = {.width = -1, .precision = -1};
	const char *at = from + 1;
	size_t flags = 0;

	for (; at < end && *at && strchr("-+ #0", *at); at++)
		if (!strchr(directive.flags, *at) && flags < FLAGS_MAX)
			directive.flags[flags++] = *at;
	if (at < end && *at >= '1' && *at <= '9')
		at = parse_number(at, end, &directive.width);
	if (at < end && *at == '.')
		at = parse_number(at + 1, end, &directive.precision);
	at = parse_length(at, end, &directive.length);
	if (at >= end || !*at || !strchr("diuxXocspfFeEgGaA%", *at) ||
	    directive.width > WIDTH_MAX || directive.precision > WIDTH_MAX)
		return directive;
	directive.conversion = *at;
	/* Wide characters are no values of ours. */
	if (directive.length == 8 && strchr("cs", *at))
		return directive;
	directive.bytes = (size_t)(at + 1 - from);
	return directive;
}

/* "%", flags, width, precision, then `tail`: only characters that were checked one by one. */
static void rebuild(const struct directive *directive, const char *tail, char format[64])
{
	int at = snprintf(format, 64, "%%%s", directive->flags);

	if (directive->width >= 0)
		at += snprintf(format + at, 64 - (size_t)at, "%d", directive->width);
	if (directive->precision >= 0)
		at += snprintf(format + at, 64 - (size_t)at, ".%d", directive->precision);
	snprintf(format + at, 64 - (size_t)at, "%s", tail);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static void write_signed(struct out *out, const struct directive *directive, intmax_t number)
{
	char format[64];

	rebuild(directive, "jd", format);
	out_printf(out, format, number);
}

static void write_unsigned(struct out *out, const struct directive *directive, uintmax_t number,
			   char conversion)
{
	char format[64], tail[] = {'j', conversion, '\0'};

	rebuild(directive, tail, format);
	out_printf(out, format, number);
}

static void write_real(struct out *out, const struct directive *directive, double real)
{
	char format[64], tail[] = {directive->conversion, '\0'};

	rebuild(directive, tail, format);
	out_printf(out, format, real);
}

#pragma GCC diagnostic pop

bool value_is_integer(const struct value *value)
{
	return value->kind == VALUE_UINT || value->kind == VALUE_NEGATIVE ||
	       value->kind == VALUE_BOOL;
}

static unsigned int type_bytes(enum field_type type)
{
	switch (type) {
	case FIELD_I64:
	case FIELD_U64:
	case FIELD_POINTER:
	case FIELD_UNKNOWN:
		return 8;
	default:
		return 4; /* smaller ones are promoted */
	}
}

/* As the caller's printf would have read the bits: -1 as an int is ffffffff. */
static uint64_t reinterpret(const struct directive *directive, const struct value *value)
{
	uint64_t number = value->kind == VALUE_NEGATIVE ? ~value->number : value->number;
	unsigned int bytes = type_bytes(value->type);

	if (directive->length < bytes)
		bytes = directive->length < 4 ? directive->length : bytes;
	return bytes == 8 ? number : number & ((UINT64_C(1) << 8 * bytes) - 1);
}

static void write_padded(struct out *out, const struct directive *directive, struct span span)
{
	size_t width = directive->width > 0 ? (size_t)directive->width : 0;
	bool left = strchr(directive->flags, '-');

	if (directive->precision >= 0 && (size_t)directive->precision < span.bytes)
		span.bytes = (size_t)directive->precision;
	if (!left && width > span.bytes)
		out_pad(out, ' ', width - span.bytes);
	out_span(out, span);
	if (left && width > span.bytes)
		out_pad(out, ' ', width - span.bytes);
}

static void write_pointer(struct out *out, const struct directive *directive, uint64_t address)
{
	char text[24] = "(nil)";

	if (address)
		snprintf(text, sizeof(text), "0x%llx", (unsigned long long)address);
	write_padded(out, directive, (struct span){text, strlen(text)});
}

/* False: the value is of another kind than the directive wants. */
static bool write_value(struct out *out, const struct directive *directive,
			const struct value *value)
{
	struct directive bare = *directive;
	char c;

	switch (directive->conversion) {
	case 'd':
	case 'i':
		if (value->kind == VALUE_NEGATIVE && value->number <= INT64_MAX)
			write_signed(out, directive, -1 - (int64_t)value->number);
		else if (!value_is_integer(value) || value->kind == VALUE_NEGATIVE)
			return false;
		else if (value->number <= INT64_MAX)
			write_signed(out, directive, (int64_t)value->number);
		else
			write_unsigned(out, directive, value->number, 'u');
		return true;
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		if (!value_is_integer(value))
			return false;
		write_unsigned(out, directive, reinterpret(directive, value),
			       directive->conversion);
		return true;
	case 'c':
		if (!value_is_integer(value))
			return false;
		c = (char)(value->kind == VALUE_NEGATIVE ? ~value->number : value->number);
		bare.precision = -1;
		write_padded(out, &bare, (struct span){&c, 1});
		return true;
	case 's':
		if (value->kind != VALUE_TEXT && value->kind != VALUE_BYTES)
			return false;
		write_padded(out, directive, value->span);
		return true;
	case 'p':
		if (value->kind != VALUE_UINT)
			return false;
		bare.precision = -1;
		write_pointer(out, &bare, value->number);
		return true;
	default:
		if (value->kind != VALUE_F32 && value->kind != VALUE_F64)
			return false;
		write_real(out, directive, value->real);
		return true;
	}
}

static void write_format(struct out *out, struct span format, const struct value *values,
			 uint32_t count)
{
	const char *at = format.data, *end = at + format.bytes, *percent;
	struct directive directive;
	uint32_t next = 0;

	while (at < end) {
		percent = memchr(at, '%', (size_t)(end - at));
		if (!percent)
			percent = end;
		out_bytes(out, at, (size_t)(percent - at));
		at = percent;
		if (at == end)
			return;
		directive = parse(at, end);
		if (!directive.bytes) {
			out_char(out, '%');
			at++;
			continue;
		}
		if (directive.conversion == '%')
			out_char(out, '%');
		else if (next >= count || !write_value(out, &directive, &values[next++]))
			out_bytes(out, at, directive.bytes);
		at += directive.bytes;
	}
}

void message_write(struct out *out, const struct site *site, const struct value *values,
		   uint32_t count)
{
	if (site->printf)
		write_format(out, site->message, values, count);
	else
		out_span(out, site->message);
}

/* The fewest digits that give the same number again. */
static void write_shortest(struct out *out, const struct value *value)
{
	char text[40];
	int digits = value->kind == VALUE_F32 ? 6 : 15;
	int enough = value->kind == VALUE_F32 ? 9 : 17;

	for (; digits <= enough; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value->real);
		if (value->kind == VALUE_F32 ? strtof(text, NULL) == (float)value->real
					     : strtod(text, NULL) == value->real)
			break;
	}
	out_text(out, text);
}

void value_write(struct out *out, const struct value *value)
{
	switch (value->kind) {
	case VALUE_UINT:
		if (value->type == FIELD_POINTER)
			out_printf(out, "0x%llx", (unsigned long long)value->number);
		else if (value->type == FIELD_CHAR && value->number < 256)
			out_char(out, (char)value->number);
		else
			out_uint(out, value->number);
		break;
	case VALUE_NEGATIVE:
		if (value->number == UINT64_MAX)
			out_text(out, "-18446744073709551616");
		else {
			out_char(out, '-');
			out_uint(out, value->number + 1);
		}
		break;
	case VALUE_BOOL:
		out_text(out, value->number ? "true" : "false");
		break;
	case VALUE_F32:
	case VALUE_F64:
		if (isfinite(value->real))
			write_shortest(out, value);
		else
			out_text(out, isnan(value->real) ? "nan"
				      : value->real < 0	 ? "-inf"
							 : "inf");
		break;
	case VALUE_TEXT:
		out_span(out, value->span);
		break;
	case VALUE_BYTES:
		out_hex(out, value->span);
		break;
	case VALUE_NULL:
		out_text(out, "null");
		break;
	}
}
