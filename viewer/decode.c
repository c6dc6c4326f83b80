/* SPDX-License-Identifier: MIT */
#include "viewer/decode.h"

#include <cbor.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/dump_format.h"

/* What the callbacks fill: one token, or the news that it is none of ours. */
struct catch
{
	struct token *token;
	bool refused;
};

static void catch_number(struct catch *catch, enum token_kind kind, uint64_t number)
{
	catch->token->kind = kind;
	catch->token->number = number;
}

static void on_uint8(void *context, uint8_t value)
{
	catch_number(context, TOKEN_UINT, value);
}

static void on_uint16(void *context, uint16_t value)
{
	catch_number(context, TOKEN_UINT, value);
}

static void on_uint32(void *context, uint32_t value)
{
	catch_number(context, TOKEN_UINT, value);
}

static void on_uint64(void *context, uint64_t value)
{
	catch_number(context, TOKEN_UINT, value);
}

static void on_negint8(void *context, uint8_t value)
{
	catch_number(context, TOKEN_NEGATIVE, value);
}

static void on_negint16(void *context, uint16_t value)
{
	catch_number(context, TOKEN_NEGATIVE, value);
}

static void on_negint32(void *context, uint32_t value)
{
	catch_number(context, TOKEN_NEGATIVE, value);
}

static void on_negint64(void *context, uint64_t value)
{
	catch_number(context, TOKEN_NEGATIVE, value);
}

static void catch_span(struct catch *catch, enum token_kind kind, cbor_data data, size_t bytes)
{
	catch->token->kind = kind;
	catch->token->span = (struct span){(const char *)data, bytes};
	catch->refused = bytes > DUMP_TEXT_BYTES_MAX;
}

static void on_bytes(void *context, cbor_data data, size_t bytes)
{
	catch_span(context, TOKEN_BYTES, data, bytes);
}

static void on_text(void *context, cbor_data data, size_t bytes)
{
	catch_span(context, TOKEN_TEXT, data, bytes);
}

static void on_array(void *context, size_t count)
{
	catch_number(context, TOKEN_ARRAY, count);
}

static void on_map(void *context, size_t count)
{
	catch_number(context, TOKEN_MAP, count);
}

static void on_float(void *context, float value)
{
	struct catch *catch = context;

	catch->token->kind = TOKEN_F32;
	catch->token->real = value;
}

static void on_double(void *context, double value)
{
	struct catch *catch = context;

	catch->token->kind = TOKEN_F64;
	catch->token->real = value;
}

static void on_bool(void *context, bool value)
{
	catch_number(context, TOKEN_BOOL, value);
}

static void on_null(void *context)
{
	catch_number(context, TOKEN_NULL, 0);
}

static void on_refused(void *context)
{
	((struct catch *)context)->refused = true;
}

static void on_tag(void *context, uint64_t tag)
{
	(void)tag;
	on_refused(context);
}

static const struct cbor_callbacks callbacks = {
	.uint8 = on_uint8,
	.uint16 = on_uint16,
	.uint32 = on_uint32,
	.uint64 = on_uint64,
	.negint8 = on_negint8,
	.negint16 = on_negint16,
	.negint32 = on_negint32,
	.negint64 = on_negint64,
	.byte_string_start = on_refused,
	.byte_string = on_bytes,
	.string_start = on_refused,
	.string = on_text,
	.indef_array_start = on_refused,
	.array_start = on_array,
	.indef_map_start = on_refused,
	.map_start = on_map,
	.tag = on_tag,
	.float2 = on_float,
	.float4 = on_float,
	.float8 = on_double,
	.undefined = on_null,
	.null = on_null,
	.boolean = on_bool,
	.indef_break = on_refused,
};

static uint64_t get_be(const unsigned char *from, size_t bytes)
{
	uint64_t number = 0;

	for (size_t i = 0; i < bytes; i++)
		number = number << 8 | from[i];
	return number;
}

/* What a simple item or a float is by its low bits. False: rare, or none of ours. */
static bool quick_simple(unsigned int minor, uint64_t bits, struct token *ret_token)
{
	uint32_t half = (uint32_t)bits;
	float real;

	ret_token->number = minor == 21;
	switch (minor) {
	case 20:
	case 21:
		ret_token->kind = TOKEN_BOOL;
		return true;
	case 22:
	case 23:
		ret_token->kind = TOKEN_NULL;
		return true;
	case 26:
		memcpy(&real, &half, sizeof(real));
		ret_token->kind = TOKEN_F32;
		ret_token->real = real;
		return true;
	case 27:
		ret_token->kind = TOKEN_F64;
		memcpy(&ret_token->real, &bits, sizeof(ret_token->real));
		return true;
	default:
		return false;
	}
}

/*
 * The items that dumps are full of, without the way through a library: the bytes taken; 0: it is for the
 * library to say what it is, and what is wrong with it.
 */
static size_t quick_next(const unsigned char *at, size_t left, struct token *ret_token)
{
	static const enum token_kind kinds[] = {TOKEN_UINT, TOKEN_NEGATIVE, TOKEN_BYTES,
						TOKEN_TEXT, TOKEN_ARRAY,    TOKEN_MAP};
	const unsigned int major = *at >> 5, minor = *at & 31;
	size_t bytes = 1;
	uint64_t number = minor;

	if (minor >= 24) {
		if (minor > 27)
			return 0;
		bytes += (size_t)1 << (minor - 24);
		if (bytes > left)
			return 0;
		number = get_be(at + 1, bytes - 1);
	}
	if (major >= 6)
		return major == 7 && quick_simple(minor, number, ret_token) ? bytes : 0;
	ret_token->kind = kinds[major];
	ret_token->number = number;
	if (major != 2 && major != 3)
		return bytes;
	if (number > DUMP_TEXT_BYTES_MAX || number > left - bytes)
		return 0;
	ret_token->span = (struct span){(const char *)at + bytes, number};
	return bytes + number;
}

static size_t library_next(const unsigned char *at, size_t left, struct token *ret_token)
{
	struct catch catch = {.token = ret_token};
	struct cbor_decoder_result result = cbor_stream_decode(at, left, &callbacks, &catch);

	if (result.status != CBOR_DECODER_FINISHED || catch.refused || result.read > left)
		return 0;
	return result.read;
}

int decode_next(struct decode *cursor, struct token *ret_token)
{
	size_t left = (size_t)(cursor->end - cursor->at), bytes;
	uint64_t least;

	if (!left)
		return -EBADMSG;
	bytes = quick_next(cursor->at, left, ret_token);
	if (!bytes)
		bytes = library_next(cursor->at, left, ret_token);
	if (!bytes)
		return -EBADMSG;
	cursor->at += bytes;
	left -= bytes;
	/* An item has a byte at least: a count that can't be true is refused before anybody loops.
	 */
	if (ret_token->kind == TOKEN_ARRAY || ret_token->kind == TOKEN_MAP) {
		least = ret_token->kind == TOKEN_MAP ? left / 2 : left;
		if (ret_token->number > least)
			return -EBADMSG;
	}
	return 0;
}

int decode_skip(struct decode *cursor)
{
	uint64_t pending[DUMP_DEPTH_MAX];
	unsigned int depth = 0;
	struct token token;
	int error;

	pending[0] = 1;
	for (;;) {
		while (pending[depth] == 0) {
			if (depth-- == 0)
				return 0;
		}
		pending[depth]--;
		error = decode_next(cursor, &token);
		if (error)
			return error;
		if (token.kind != TOKEN_ARRAY && token.kind != TOKEN_MAP)
			continue;
		if (++depth == DUMP_DEPTH_MAX)
			return -EBADMSG;
		pending[depth] = token.kind == TOKEN_MAP ? token.number * 2 : token.number;
	}
}

int decode_skip_many(struct decode *cursor, uint64_t count)
{
	const unsigned char *at = cursor->at, *behind;

	for (uint64_t i = 0; i < count; i++) {
		behind = decode_behind_small(at, cursor->end);
		if (!behind) {
			cursor->at = at;
			if (decode_skip(cursor))
				return -EBADMSG;
			behind = cursor->at;
		}
		at = behind;
	}
	cursor->at = at;
	return 0;
}

bool span_is(struct span span, const char *string)
{
	return span.bytes == strlen(string) && memcmp(span.data, string, span.bytes) == 0;
}

bool span_equal(struct span a, struct span b)
{
	return a.bytes == b.bytes && (!a.bytes || memcmp(a.data, b.data, a.bytes) == 0);
}

static int decode_value(struct decode *cursor, const struct decode_key *key, void *to)
{
	void *field = (char *)to + key->offset;
	struct decode value = *cursor;
	struct token token;

	if (key->kind == DECODE_CALL)
		return key->call(cursor, to);
	if (decode_next(&value, &token))
		return -EBADMSG;
	if (key->kind == DECODE_MAP && token.kind == TOKEN_MAP)
		return decode_map(cursor, key->keys, field);
	if (key->kind == DECODE_SPAN && (token.kind == TOKEN_TEXT || token.kind == TOKEN_BYTES))
		*(struct span *)field = token.span;
	else if (key->kind == DECODE_BOOL && token.kind == TOKEN_BOOL)
		*(bool *)field = token.number;
	else if (key->kind == DECODE_NUMBER && token.kind == TOKEN_UINT)
		*(struct number *)field = (struct number){token.number, true};
	else if (key->kind == DECODE_NUMBER && token.kind == TOKEN_NEGATIVE)
		*(struct number *)field = (struct number){~token.number, true};
	return decode_skip(cursor);
}

int decode_map(struct decode *cursor, const struct decode_key *keys, void *to)
{
	const struct decode_key *key;
	struct token map, name;
	int error;

	error = decode_next(cursor, &map);
	if (error || map.kind != TOKEN_MAP)
		return -EBADMSG;
	for (uint64_t i = 0; i < map.number; i++) {
		error = decode_next(cursor, &name);
		if (error)
			return error;
		if (name.kind != TOKEN_TEXT)
			return -EBADMSG;
		for (key = keys; key->name && !span_is(name.span, key->name); key++)
			;
		error = key->name ? decode_value(cursor, key, to) : decode_skip(cursor);
		if (error)
			return error;
	}
	return 0;
}

int decode_array(struct decode *cursor, const struct decode_key *keys, size_t size, uint64_t limit,
		 void **array, uint64_t *count)
{
	struct token token;
	char *at;
	int error;

	error = decode_next(cursor, &token);
	if (error || token.kind != TOKEN_ARRAY || *array)
		return -EBADMSG;
	if (token.number < limit)
		limit = token.number;
	at = calloc(limit + 1, size);
	if (!at)
		return -ENOMEM;
	*array = at;
	for (uint64_t i = 0; i < token.number; i++) {
		if (i < limit)
			error = decode_map(cursor, keys, at + i * size);
		else
			error = decode_skip(cursor);
		if (error)
			return error;
		if (i < limit)
			*count = i + 1;
	}
	return 0;
}
