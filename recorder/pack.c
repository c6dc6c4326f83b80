/* SPDX-License-Identifier: MIT */
/*
 * CBOR; what is rare through libcbor's streaming encoder, the only part of it that does not allocate.
 */
#include "recorder/pack.h"

#include <assert.h>
#include <cbor.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/dump_format.h"

#define HEAD_BYTES 9 /* the longest head of an item, and the longest scalar */

int pack_init(struct pack *pack, size_t capacity, size_t limit)
{
	*pack = (struct pack){.capacity = capacity, .limit = limit};
	pack->data = malloc(capacity);
	return pack->data ? 0 : -ENOMEM;
}

void pack_fini(struct pack *pack)
{
	free(pack->data);
	pack->data = NULL;
}

unsigned char *pack_grow(struct pack *pack, size_t bytes)
{
	size_t capacity = pack->capacity;
	unsigned char *data;

	if (bytes > pack->limit || pack->bytes > pack->limit - bytes) {
		pack->error = -E2BIG;
		return NULL;
	}
	while (capacity - pack->bytes < bytes)
		capacity = capacity * 2 < pack->limit ? capacity * 2 : pack->limit;
	data = realloc(pack->data, capacity);
	if (!data) {
		pack->error = -ENOMEM;
		return NULL;
	}
	pack->data = data;
	pack->capacity = capacity;
	return data + pack->bytes;
}

#define PUT(pack, call, ...) \
	do { \
		unsigned char *to_ = pack_room(pack, HEAD_BYTES); \
\
		if (to_) \
			(pack)->bytes += call(__VA_ARGS__ __VA_OPT__(, ) to_, HEAD_BYTES); \
	} while (0)

/* RFC 8949's major types, which are in the first three bits of an item. */
enum { MAJOR_UINT = 0x00, MAJOR_NEGATIVE = 0x20, MAJOR_BYTES = 0x40, MAJOR_TEXT = 0x60,
       MAJOR_ARRAY = 0x80, MAJOR_MAP = 0xa0 };

/* A dump has ten of these an event: libcbor's, each a call through the PLT, were a tenth of its time. */
static inline void put_head(struct pack *pack, unsigned char major, uint64_t value)
{
	unsigned char *to = pack_room(pack, HEAD_BYTES);
	unsigned int bytes = value <= 0xff ? 1 : value <= 0xffff ? 2 : value <= UINT32_MAX ? 4 : 8;

	if (!to)
		return;
	if (value < 24) {
		to[0] = major | (unsigned char)value;
		pack->bytes++;
		return;
	}
	to[0] = major | (24 + (bytes > 1) + (bytes > 2) + (bytes > 4));
	value = htobe64(value << (64 - 8 * bytes));
	memcpy(to + 1, &value, sizeof(value));
	pack->bytes += 1 + bytes;
}

void pack_uint(struct pack *pack, uint64_t value)
{
	put_head(pack, MAJOR_UINT, value);
}

void pack_int(struct pack *pack, int64_t value)
{
	if (value >= 0)
		put_head(pack, MAJOR_UINT, (uint64_t)value);
	else
		put_head(pack, MAJOR_NEGATIVE, (uint64_t)(-1 - value));
}

void pack_bool(struct pack *pack, bool value)
{
	PUT(pack, cbor_encode_bool, value);
}

void pack_f32(struct pack *pack, uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof(value));
	PUT(pack, cbor_encode_single, value);
}

void pack_f64(struct pack *pack, uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	PUT(pack, cbor_encode_double, value);
}

static void append(struct pack *pack, const void *data, size_t bytes)
{
	unsigned char *to = pack_room(pack, bytes);

	if (to && bytes) {
		memcpy(to, data, bytes);
		pack->bytes += bytes;
	}
}

void pack_bytes(struct pack *pack, const void *data, size_t bytes)
{
	put_head(pack, MAJOR_BYTES, bytes);
	append(pack, data, bytes);
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

void pack_string(struct pack *pack, const char *data, size_t bytes)
{
	if (bytes > DUMP_TEXT_BYTES_MAX)
		bytes = DUMP_TEXT_BYTES_MAX;
	if (is_utf8((const unsigned char *)data, bytes))
		put_head(pack, MAJOR_TEXT, bytes);
	else
		put_head(pack, MAJOR_BYTES, bytes);
	append(pack, data, bytes);
}

void pack_array(struct pack *pack, size_t count)
{
	put_head(pack, MAJOR_ARRAY, count);
}

void pack_map(struct pack *pack, size_t count)
{
	put_head(pack, MAJOR_MAP, count);
}

struct pack_map pack_map_begin(struct pack *pack)
{
	struct pack_map map = {.at = pack->bytes};

	pack_map(pack, 0);
	return map;
}

void pack_map_end(struct pack *pack, const struct pack_map *map)
{
	assert(map->count <= PACK_MAP_MAX);
	if (!pack->error)
		cbor_encode_map_start(map->count, pack->data + map->at, 1);
}

void pack_key(struct pack *pack, struct pack_map *map, const char *key)
{
	map->count++;
	pack_string(pack, key, strlen(key));
}

void pack_pair_uint(struct pack *pack, struct pack_map *map, const char *key, uint64_t value)
{
	pack_key(pack, map, key);
	pack_uint(pack, value);
}

void pack_pair_int(struct pack *pack, struct pack_map *map, const char *key, int64_t value)
{
	pack_key(pack, map, key);
	pack_int(pack, value);
}

void pack_pair_known(struct pack *pack, struct pack_map *map, const char *key, uint64_t value)
{
	if (value)
		pack_pair_uint(pack, map, key, value);
}

void pack_pair_bool(struct pack *pack, struct pack_map *map, const char *key, bool value)
{
	pack_key(pack, map, key);
	pack_bool(pack, value);
}

void pack_pair_true(struct pack *pack, struct pack_map *map, const char *key, bool value)
{
	if (value)
		pack_pair_bool(pack, map, key, true);
}

void pack_pair_string(struct pack *pack, struct pack_map *map, const char *key,
			const char *string)
{
	if (!string)
		return;
	pack_key(pack, map, key);
	pack_string(pack, string, strlen(string));
}
