/* SPDX-License-Identifier: MIT */
/*
 * pack.h - CBOR into a buffer that grows.
 *
 * Errors stick: after the first one nothing is written any more, and `error` says what it was, so that
 * a whole map is encoded without a test between its items. Cut back to a length to take items back.
 */
#ifndef RECORDER_PACK_H
#define RECORDER_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More entries than this and a map's head no longer is one byte, which pack_map_end() relies on. */
#define PACK_MAP_MAX 23

struct pack {
	unsigned char *data;
	size_t bytes, capacity;
	size_t limit; /* capacity never goes above it; -E2BIG */
	int error;    /* 0 or a negative errno */
};

int pack_init(struct pack *pack, size_t capacity, size_t limit);
void pack_fini(struct pack *pack);

unsigned char *pack_grow(struct pack *pack, size_t bytes); /* pack_room()'s own */

/* Room for that many more bytes. NULL after an error. */
static inline unsigned char *pack_room(struct pack *pack, size_t bytes)
{
	if (pack->error)
		return NULL;
	if (pack->capacity - pack->bytes >= bytes)
		return pack->data + pack->bytes;
	return pack_grow(pack, bytes);
}

void pack_uint(struct pack *pack, uint64_t value);
void pack_int(struct pack *pack, int64_t value);
void pack_bool(struct pack *pack, bool value);
void pack_f32(struct pack *pack, uint32_t bits);
void pack_f64(struct pack *pack, uint64_t bits);
void pack_bytes(struct pack *pack, const void *data, size_t bytes);
/* As text if it is UTF-8, as a byte string if it is not. */
void pack_string(struct pack *pack, const char *data, size_t bytes);
void pack_array(struct pack *pack, size_t count);
void pack_map(struct pack *pack, size_t count);

/*
 * A map whose entries are counted while they are written, at most PACK_MAP_MAX. The *_pair functions
 * write a key, a value, and count. Those for strings and numbers leave NULL and 0 out.
 */
struct pack_map {
	size_t at;
	unsigned int count;
};

struct pack_map pack_map_begin(struct pack *pack);
void pack_map_end(struct pack *pack, const struct pack_map *map);
void pack_key(struct pack *pack, struct pack_map *map, const char *key);
void pack_pair_uint(struct pack *pack, struct pack_map *map, const char *key, uint64_t value);
void pack_pair_int(struct pack *pack, struct pack_map *map, const char *key, int64_t value);
void pack_pair_string(struct pack *pack, struct pack_map *map, const char *key,
			const char *string);
void pack_pair_known(struct pack *pack, struct pack_map *map, const char *key,
		       uint64_t value); /* left out when it is 0 */
void pack_pair_bool(struct pack *pack, struct pack_map *map, const char *key, bool value);
void pack_pair_true(struct pack *pack, struct pack_map *map, const char *key,
		    bool value); /* left out when it is false */

#endif
