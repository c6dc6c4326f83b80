/* SPDX-License-Identifier: MIT */
/*
 * decode.h - CBOR out of hostile bytes, item by item.
 *
 * A cursor never leaves its bytes, a length is believed only when that many bytes are there, and depth
 * is bounded. Indefinite lengths and tags are no part of a dump and refused.
 */
#ifndef VIEWER_DECODE_H
#define VIEWER_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct decode {
	const unsigned char *at, *end;
};

enum token_kind {
	TOKEN_UINT,
	TOKEN_NEGATIVE, /* the value is -1 - number */
	TOKEN_BYTES,
	TOKEN_TEXT,
	TOKEN_ARRAY, /* number: items that follow */
	TOKEN_MAP,   /* number: pairs that follow */
	TOKEN_F32,   /* half floats too */
	TOKEN_F64,
	TOKEN_BOOL,
	TOKEN_NULL, /* undefined too */
};

/* Text or bytes in somebody's buffer; not terminated. */
struct span {
	const char *data;
	size_t bytes;
};

struct token {
	enum token_kind kind;
	uint64_t number;
	double real;
	struct span span;
};

/* 0, or -EBADMSG: no item, a cut one, or one that a dump can't have. */
int decode_next(struct decode *cursor, struct token *ret_token);
/* Steps over an item with everything in it. */
int decode_skip(struct decode *cursor);
/* The same for that many items, fast when they are small scalars and strings. */
int decode_skip_many(struct decode *cursor, uint64_t count);

bool span_is(struct span span, const char *string);
bool span_equal(struct span a, struct span b);

/*
 * What is behind a scalar or a short string; NULL: it is something else, or cut. Inline, for it is asked of
 * each value of each event. Branches on the first byte are guessed, and the next item begins before this
 * one is read; with a shift or a table each waits for the one before.
 */
static inline const unsigned char *decode_behind_small(const unsigned char *at, const unsigned char *end)
{
	size_t bytes;

	if (at >= end)
		return NULL;
	switch (*at) {
	case 0x00 ... 0x17:
	case 0x20 ... 0x37:
	case 0xe0 ... 0xf7:
		bytes = 1;
		break;
	case 0x18:
	case 0x38:
	case 0xf8:
		bytes = 1 + 1;
		break;
	case 0x19:
	case 0x39:
	case 0xf9:
		bytes = 1 + 2;
		break;
	case 0x1a:
	case 0x3a:
	case 0xfa:
		bytes = 1 + 4;
		break;
	case 0x1b:
	case 0x3b:
	case 0xfb:
		bytes = 1 + 8;
		break;
	case 0x40 ... 0x57:
	case 0x60 ... 0x77:
		bytes = 1 + (*at & 31);
		break;
	default:
		return NULL;
	}
	return bytes <= (size_t)(end - at) ? at + bytes : NULL;
}

/*
 * Maps by table: each known key names where its value goes; other keys and values of another kind than
 * the key's are skipped.
 */
struct number {
	uint64_t bits; /* two's complement where the key allows negative numbers */
	bool known;
};

enum decode_kind {
	DECODE_SPAN,   /* struct span: text, or a byte string where text was meant but was not UTF-8 */
	DECODE_NUMBER, /* struct number */
	DECODE_BOOL,   /* bool */
	DECODE_MAP,    /* the struct that `keys` describes */
	DECODE_CALL,   /* whatever `call` makes of it; the cursor stands at the value */
};

struct decode_key {
	const char *name;
	enum decode_kind kind;
	size_t offset;
	const struct decode_key *keys; /* ends with a NULL name */
	int (*call)(struct decode *cursor, void *to);
};

/* 0 or a negative errno: -EBADMSG, or what a call returned. */
int decode_map(struct decode *cursor, const struct decode_key *keys, void *to);

/*
 * An array of maps into an array of structs of that size, which is allocated; what is beyond `limit` is
 * skipped. *array must be NULL: a second one of the same name is damage.
 */
int decode_array(struct decode *cursor, const struct decode_key *keys, size_t size, uint64_t limit,
		 void **array, uint64_t *count);

#endif
