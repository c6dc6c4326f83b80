/* SPDX-License-Identifier: MIT */
/* encode.c - see encode.h. No state; legal anywhere. */
#include "lib/encode.h"

#include <stdbool.h>

static bool is_variable(unsigned int type)
{
	return type == TTLOG_TYPE_STRING || type == TTLOG_TYPE_BYTES;
}

/* A cut inside a UTF-8 sequence would make the rest of the string unreadable: go back to its start.
 */
uint32_t ttlog_cut_string(const char *string, uint32_t length)
{
	uint32_t at = length;

	while (at > 0 && length - at < 4 && ((unsigned char)string[at] & 0xc0) == 0x80)
		at--;
	return ((unsigned char)string[at] & 0xc0) == 0x80 ? length : at;
}

/* The bytes that a value takes when none may take more than `cap`; 2 at the least for a span. */
static uint32_t size_within(unsigned int type, const struct ttlog_value *value, uint32_t cap)
{
	if (!is_variable(type) || value->size <= cap)
		return value->size;
	if (type == TTLOG_TYPE_BYTES)
		return cap < 2 ? 2 : cap;
	return ttlog_cut_string(value->data, cap ? cap - 1 : 0) + 1;
}

/* Fills value_size; returns the sum. */
static uint32_t plan_within(const struct ttlog_site *site, const struct ttlog_value *values,
			    uint32_t cap, struct ttlog_encoding *encoding)
{
	uint32_t payload = 0;

	for (uint32_t i = 0; i < site->field_count; i++) {
		encoding->value_size[i] = size_within(site->types[i], &values[i], cap);
		payload += encoding->value_size[i];
	}
	return payload;
}

void ttlog_encoding_plan(const struct ttlog_site *site, const struct ttlog_value *values,
			 uint32_t room, struct ttlog_encoding *ret_encoding)
{
	uint32_t low = 0, high = room;
	uint32_t payload = plan_within(site, values, UINT32_MAX, ret_encoding);

	ret_encoding->flags = 0;
	if (TTLOG_EVENT_SIZE_(payload) > room) {
		/* The greatest cap with which it fits: the longest are cut, the short ones stay
		 * whole. */
		while (low < high) {
			uint32_t middle = low + (high - low + 1) / 2;

			if (TTLOG_EVENT_SIZE_(plan_within(site, values, middle, ret_encoding)) <=
			    room)
				low = middle;
			else
				high = middle - 1;
		}
		ret_encoding->flags = TTLOG_EVENT_TRUNCATED;
		payload = plan_within(site, values, low, ret_encoding);
	}
	ret_encoding->size = TTLOG_EVENT_SIZE_(payload);
}

void ttlog_encode(unsigned char *to, const struct ttlog_site *site,
		  const struct ttlog_value *values, const struct ttlog_encoding *encoding)
{
	for (uint32_t i = 0; i < site->field_count; i++) {
		struct ttlog_value value = values[i];

		value.size = encoding->value_size[i];
		/* A binding's NULL string, which has a length of 0. */
		if (!value.data)
			value.data = "";
		to = ttlog_put_(to, site->types[i], value);
	}
}
