/* SPDX-License-Identifier: MIT */
/* CBOR through libcbor's streaming encoder, the only part of it that does not allocate. */
#include "recorder/encode.h"

#include <assert.h>
#include <cbor.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/dump_format.h"

#define HEAD_BYTES 9 /* the longest head of an item, and the longest scalar */

int encode_init(struct encode *encode, size_t capacity, size_t limit)
{
	*encode = (struct encode){.capacity = capacity, .limit = limit};
	encode->data = malloc(capacity);
	return encode->data ? 0 : -ENOMEM;
}

void encode_fini(struct encode *encode)
{
	free(encode->data);
	encode->data = NULL;
}

static unsigned char *grow(struct encode *encode, size_t bytes)
{
	size_t capacity = encode->capacity;
	unsigned char *data;

	if (bytes > encode->limit || encode->bytes > encode->limit - bytes) {
		encode->error = -E2BIG;
		return NULL;
	}
	while (capacity - encode->bytes < bytes)
		capacity = capacity * 2 < encode->limit ? capacity * 2 : encode->limit;
	data = realloc(encode->data, capacity);
	if (!data) {
		encode->error = -ENOMEM;
		return NULL;
	}
	encode->data = data;
	encode->capacity = capacity;
	return data + encode->bytes;
}

unsigned char *encode_room(struct encode *encode, size_t bytes)
{
	if (encode->error)
		return NULL;
	if (encode->capacity - encode->bytes >= bytes)
		return encode->data + encode->bytes;
	return grow(encode, bytes);
}

#define PUT(encode, call, ...) \
	do { \
		unsigned char *to_ = encode_room(encode, HEAD_BYTES); \
\
		if (to_) \
			(encode)->bytes += call(__VA_ARGS__ __VA_OPT__(, ) to_, HEAD_BYTES); \
	} while (0)

void encode_uint(struct encode *encode, uint64_t value)
{
	PUT(encode, cbor_encode_uint, value);
}

void encode_int(struct encode *encode, int64_t value)
{
	if (value >= 0)
		PUT(encode, cbor_encode_uint, (uint64_t)value);
	else
		PUT(encode, cbor_encode_negint, (uint64_t)(-1 - value));
}

void encode_bool(struct encode *encode, bool value)
{
	PUT(encode, cbor_encode_bool, value);
}

void encode_f32(struct encode *encode, uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof(value));
	PUT(encode, cbor_encode_single, value);
}

void encode_f64(struct encode *encode, uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	PUT(encode, cbor_encode_double, value);
}

static void append(struct encode *encode, const void *data, size_t bytes)
{
	unsigned char *to = encode_room(encode, bytes);

	if (to && bytes) {
		memcpy(to, data, bytes);
		encode->bytes += bytes;
	}
}

void encode_bytes(struct encode *encode, const void *data, size_t bytes)
{
	PUT(encode, cbor_encode_bytestring_start, bytes);
	append(encode, data, bytes);
}

/* The length of the UTF-8 sequence at data (RFC 3629: shortest form, no surrogates), 0 = none. */
static size_t sequence(const unsigned char *data, size_t bytes)
{
	unsigned char first = data[0];
	unsigned char low = 0x80, high = 0xbf;
	size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

	if (first < 0xc2 || first > 0xf4 || length > bytes)
		return 0;
	if (first == 0xe0)
		low = 0xa0;
	else if (first == 0xed)
		high = 0x9f;
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xf4)
		high = 0x8f;
	if (data[1] < low || data[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((data[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

static bool is_utf8(const unsigned char *data, size_t bytes)
{
	size_t at = 0, length;
	uint64_t word;

	while (at < bytes) {
		if (bytes - at >= sizeof(word)) {
			memcpy(&word, data + at, sizeof(word));
			if (!(word & UINT64_C(0x8080808080808080))) {
				at += sizeof(word);
				continue;
			}
		}
		if (data[at] < 0x80) {
			at++;
			continue;
		}
		length = sequence(data + at, bytes - at);
		if (!length)
			return false;
		at += length;
	}
	return true;
}

void encode_string(struct encode *encode, const char *data, size_t bytes)
{
	if (bytes > DUMP_TEXT_BYTES_MAX)
		bytes = DUMP_TEXT_BYTES_MAX;
	if (is_utf8((const unsigned char *)data, bytes))
		PUT(encode, cbor_encode_string_start, bytes);
	else
		PUT(encode, cbor_encode_bytestring_start, bytes);
	append(encode, data, bytes);
}

void encode_array(struct encode *encode, size_t count)
{
	PUT(encode, cbor_encode_array_start, count);
}

void encode_map(struct encode *encode, size_t count)
{
	PUT(encode, cbor_encode_map_start, count);
}

struct encode_map encode_map_begin(struct encode *encode)
{
	struct encode_map map = {.at = encode->bytes};

	encode_map(encode, 0);
	return map;
}

void encode_map_end(struct encode *encode, const struct encode_map *map)
{
	assert(map->count <= ENCODE_MAP_MAX);
	if (!encode->error)
		cbor_encode_map_start(map->count, encode->data + map->at, 1);
}

void encode_key(struct encode *encode, struct encode_map *map, const char *key)
{
	map->count++;
	encode_string(encode, key, strlen(key));
}

void encode_pair_uint(struct encode *encode, struct encode_map *map, const char *key, uint64_t value)
{
	encode_key(encode, map, key);
	encode_uint(encode, value);
}

void encode_pair_int(struct encode *encode, struct encode_map *map, const char *key, int64_t value)
{
	encode_key(encode, map, key);
	encode_int(encode, value);
}

void encode_pair_known(struct encode *encode, struct encode_map *map, const char *key, uint64_t value)
{
	if (value)
		encode_pair_uint(encode, map, key, value);
}

void encode_pair_string(struct encode *encode, struct encode_map *map, const char *key,
			const char *string)
{
	if (!string)
		return;
	encode_key(encode, map, key);
	encode_string(encode, string, strlen(string));
}
