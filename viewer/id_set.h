/* SPDX-License-Identifier: MIT */
/* id_set.h - which of the ids of a dump's dictionary were there already: a bit each. */
#ifndef VIEWER_ID_SET_H
#define VIEWER_ID_SET_H

#include <stdint.h>

struct id_set {
	unsigned char *bits;
	uint32_t bytes;
};

/* 1: it was not there, 0: it was, or -ENOMEM. */
int id_set_add(struct id_set *set, uint32_t id);
void id_set_fini(struct id_set *set);

/* FNV-1a, for identifiers that have to be the same each time: begin with ID_MIX_START. */
#define ID_MIX_START UINT64_C(0xcbf29ce484222325)
uint64_t id_mix(uint64_t hash, const void *data, uint64_t bytes);

#endif
