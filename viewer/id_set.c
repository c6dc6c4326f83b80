/* SPDX-License-Identifier: MIT */
#include "viewer/id_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int id_set_add(struct id_set *set, uint32_t id)
{
	const unsigned char bit = (unsigned char)(1u << id % 8);
	uint32_t bytes = set->bytes ? set->bytes : 64;
	unsigned char *grown;

	while (bytes <= id / 8)
		bytes *= 2;
	if (bytes > set->bytes) {
		grown = realloc(set->bits, bytes);
		if (!grown)
			return -ENOMEM;
		memset(grown + set->bytes, 0, bytes - set->bytes);
		set->bits = grown;
		set->bytes = bytes;
	}
	if (set->bits[id / 8] & bit)
		return 0;
	set->bits[id / 8] |= bit;
	return 1;
}

void id_set_fini(struct id_set *set)
{
	free(set->bits);
	*set = (struct id_set){0};
}

uint64_t id_mix(uint64_t hash, const void *data, uint64_t bytes)
{
	const unsigned char *from = data;

	for (uint64_t i = 0; i < bytes; i++)
		hash = (hash ^ from[i]) * UINT64_C(0x100000001b3);
	return hash;
}
