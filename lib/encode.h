/* SPDX-License-Identifier: MIT */
/* encode.h - an event's values into the bytes that ttlog_abi.h describes, cut to what there is room
 * for. */
#ifndef TTLOG_ENCODE_H
#define TTLOG_ENCODE_H

#include <stdint.h>

#include "lib/ttlog_abi.h"

struct ttlog_encoding {
	uint32_t size;	/* of the whole event */
	uint32_t flags; /* TTLOG_EVENT_... */
	/* Of each value. Kept, not found again: another thread may be changing the strings. */
	uint32_t value_size[TTLOG_FIELDS_MAX];
};

/*
 * Where a string is cut that is longer than `length`: there, or before a UTF-8 sequence that would
 * be cut in two.
 */
uint32_t ttlog_cut_string(const char *string, uint32_t length);

/* How large the event gets, with its strings cut so that it is at most `room`. */
void ttlog_encoding_plan(const struct ttlog_site *site, const struct ttlog_value *values,
			 uint32_t room, struct ttlog_encoding *ret_encoding);

/* Writes the values; `to` is behind the timestamp. */
void ttlog_encode(unsigned char *to, const struct ttlog_site *site,
		  const struct ttlog_value *values, const struct ttlog_encoding *encoding);

#endif
