/* SPDX-License-Identifier: MIT */
/*
 * encode.h - CBOR into a buffer that grows.
 *
 * Errors stick: after the first one nothing is written any more, and `error` says what it was, so that
 * a whole map is encoded without a test between its items. Cut back to a length to take items back.
 */
#ifndef RECORDER_ENCODE_H
#define RECORDER_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More entries than this and a map's head no longer is one byte, which encode_map_end() relies on. */
#define ENCODE_MAP_MAX 23

struct encode {
	unsigned char *data;
	size_t bytes, capacity;
	size_t limit; /* capacity never goes above it; -E2BIG */
	int error;    /* 0 or a negative errno */
};

int encode_init(struct encode *encode, size_t capacity, size_t limit);
void encode_fini(struct encode *encode);

/* Room for that many more bytes. NULL after an error. */
unsigned char *encode_room(struct encode *encode, size_t bytes);

void encode_uint(struct encode *encode, uint64_t value);
void encode_int(struct encode *encode, int64_t value);
void encode_bool(struct encode *encode, bool value);
void encode_f32(struct encode *encode, uint32_t bits);
void encode_f64(struct encode *encode, uint64_t bits);
void encode_bytes(struct encode *encode, const void *data, size_t bytes);
/* As text if it is UTF-8, as a byte string if it is not. */
void encode_string(struct encode *encode, const char *data, size_t bytes);
void encode_array(struct encode *encode, size_t count);
void encode_map(struct encode *encode, size_t count);

/*
 * A map whose entries are counted while they are written, at most ENCODE_MAP_MAX. The *_pair functions
 * write a key, a value, and count. Those for strings and numbers leave NULL and 0 out.
 */
struct encode_map {
	size_t at;
	unsigned int count;
};

struct encode_map encode_map_begin(struct encode *encode);
void encode_map_end(struct encode *encode, const struct encode_map *map);
void encode_key(struct encode *encode, struct encode_map *map, const char *key);
void encode_pair_uint(struct encode *encode, struct encode_map *map, const char *key, uint64_t value);
void encode_pair_int(struct encode *encode, struct encode_map *map, const char *key, int64_t value);
void encode_pair_string(struct encode *encode, struct encode_map *map, const char *key,
			const char *string);
void encode_pair_known(struct encode *encode, struct encode_map *map, const char *key,
		       uint64_t value); /* left out when it is 0 */

#endif
