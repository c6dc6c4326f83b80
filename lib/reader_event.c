/* SPDX-License-Identifier: MIT */
/* reader_event.c - one event out of a private copy: its size, its site, its values. */
#include <string.h>

#include "lib/reader_parts.h"

static const uint8_t scalar_bytes[TTLOG_TYPE_COUNT] = {
	[TTLOG_TYPE_BOOL] = 1,	  [TTLOG_TYPE_CHAR] = 1,     [TTLOG_TYPE_I8] = 1,
	[TTLOG_TYPE_U8] = 1,	  [TTLOG_TYPE_I16] = 2,	     [TTLOG_TYPE_U16] = 2,
	[TTLOG_TYPE_I32] = 4,	  [TTLOG_TYPE_U32] = 4,	     [TTLOG_TYPE_I64] = 8,
	[TTLOG_TYPE_U64] = 8,	  [TTLOG_TYPE_F32] = 4,	     [TTLOG_TYPE_F64] = 8,
	[TTLOG_TYPE_POINTER] = 8, [TTLOG_TYPE_INTERNED] = 4,
};

uint32_t ttlog_reader_scalar_bytes(enum ttlog_type type)
{
	return scalar_bytes[type];
}

/* Bits of a scalar, extended to 64 as its type says. */
static uint64_t scalar_take(enum ttlog_type type, const unsigned char *at)
{
	uint64_t bits = 0;

	switch (scalar_bytes[type]) {
	case 1:
		bits = *at;
		break;
	case 2:
		memcpy(&bits, at, 2);
		break;
	case 4:
		memcpy(&bits, at, 4);
		break;
	default:
		memcpy(&bits, at, 8);
		break;
	}
	switch (type) {
	case TTLOG_TYPE_BOOL:
		return bits != 0;
	case TTLOG_TYPE_I8:
		return (uint64_t)(int64_t)(int8_t)bits;
	case TTLOG_TYPE_I16:
		return (uint64_t)(int64_t)(int16_t)bits;
	case TTLOG_TYPE_I32:
		return (uint64_t)(int64_t)(int32_t)bits;
	default:
		return bits;
	}
}

/* The value at `at`. The bytes that it takes, or 0: it does not end before `end`. */
static size_t value_take(enum ttlog_type type, const unsigned char *at, const unsigned char *end,
			 struct ttlog_reader_value *ret_value)
{
	size_t room = (size_t)(end - at);
	const unsigned char *nul;
	uint16_t length;

	ret_value->type = type;
	ret_value->bits = 0;
	ret_value->data = "";
	ret_value->size = 0;
	if (type == TTLOG_TYPE_STRING) {
		nul = memchr(at, '\0', room);
		if (!nul)
			return 0;
		ret_value->data = (const char *)at;
		ret_value->size = (uint32_t)(nul - at);
		return ret_value->size + 1;
	}
	if (type == TTLOG_TYPE_BYTES) {
		if (room < sizeof(length))
			return 0;
		memcpy(&length, at, sizeof(length));
		if (room - sizeof(length) < length)
			return 0;
		ret_value->data = (const char *)at + sizeof(length);
		ret_value->size = length;
		return sizeof(length) + length;
	}
	if (room < scalar_bytes[type])
		return 0;
	ret_value->bits = scalar_take(type, at);
	return scalar_bytes[type];
}

/* False: a value runs over the end, and the event does not say that it was cut. */
static bool values_take(const struct reader_site *site, const unsigned char *at,
			const unsigned char *end, bool is_truncated,
			struct ttlog_reader_value *ret_values)
{
	for (uint32_t i = 0; i < site->seen.field_count; i++) {
		size_t taken = value_take(site->seen.types[i], at, end, &ret_values[i]);

		if (taken == 0) {
			if (!is_truncated)
				return false;
			at = end;
		}
		at += taken;
	}
	return true;
}

static bool values_are_right(const struct reader_site *site, const unsigned char *at,
			     const unsigned char *end, bool is_truncated)
{
	struct ttlog_reader_value values[TTLOG_FIELDS_MAX];

	if (is_truncated)
		return true;
	if (site->is_fixed)
		return (size_t)(end - at) >= site->payload_bytes;
	return values_take(site, at, end, false, values);
}

uint32_t ttlog_reader_event(const struct reader_dict *dict, const unsigned char *at, uint32_t room,
			    struct ttlog_reader_event *ret_event)
{
	const struct reader_site *site;
	uint64_t word;
	uint32_t size;
	bool is_truncated;

	if (room < TTLOG_EVENT_MIN)
		return 0;
	word = reader_word(at);
	size = TTLOG_EVENT_BYTES(word);
	site = ttlog_reader_dict_site(dict, TTLOG_EVENT_SITE(word));
	is_truncated = TTLOG_EVENT_FLAGS(word) & TTLOG_EVENT_TRUNCATED;
	if (size < TTLOG_EVENT_MIN || size % 8 != 0 || size > room || !site)
		return 0;
	if (!ret_event)
		return values_are_right(site, at + 16, at + size, is_truncated) ? size : 0;
	ret_event->ticks = reader_event_ticks(at);
	ret_event->site = site->seen.id;
	ret_event->flags = TTLOG_EVENT_FLAGS(word);
	ret_event->value_count = site->seen.field_count;
	if (!values_take(site, at + 16, at + size, is_truncated, ret_event->value))
		return 0;
	return size;
}
