/* SPDX-License-Identifier: MIT */
/*
 * history_code.c - see history_code.h.
 *
 * Plain is: count of kinds, of lengths, of times (32 bits each), then these three and the payloads.
 * A kind is a byte an event: which header, in the order in which they came first, or NEW and the
 * header among the payloads. A length is half a byte for each word but the header: how many bytes
 * of the difference there are.
 */
#include "recorder/history_code.h"

#include <errno.h>
#include <lz4.h>
#include <stdbool.h>
#include <string.h>

#include "lib/ttlog_abi.h"

#define NEW 255u /* also for all that came when there were so many */
#define PREFIX 12u
#define SLOTS (sizeof(((struct history_coder *)0)->slot))

static uint64_t word_at(const unsigned char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static uint32_t half_at(const unsigned char *at)
{
	uint32_t half;

	memcpy(&half, at, sizeof(half));
	return half;
}

/* Small differences of either sign become small numbers. */
static uint64_t fold(uint64_t difference)
{
	return difference << 1 ^ (0 - (difference >> 63));
}

static uint64_t unfold(uint64_t folded)
{
	return folded >> 1 ^ (0 - (folded & 1));
}

/* ---- streams ---------------------------------------------------------------------------- */

struct stream {
	unsigned char *at, *end;
};

struct lengths {
	unsigned char *at;
	uint32_t count; /* half bytes */
};

static uint32_t significant_bytes(uint64_t word)
{
	return word ? (71 - (uint32_t)__builtin_clzll(word)) / 8 : 0;
}

/* At most 8 bytes, for all of which there is always room: the smallest event has 16. */
static void put_word(struct lengths *lengths, unsigned char **to, uint64_t word)
{
	const uint32_t bytes = significant_bytes(word);

	if (lengths->count % 2)
		lengths->at[lengths->count / 2] |= (unsigned char)(bytes << 4);
	else
		lengths->at[lengths->count / 2] = (unsigned char)bytes;
	lengths->count++;
	memcpy(*to, &word, sizeof(word));
	*to += bytes;
}

static bool get_word(struct lengths *lengths, uint32_t length_count, struct stream *from,
		     uint64_t *ret_word)
{
	uint32_t bytes;

	*ret_word = 0;
	if (lengths->count / 2 >= length_count)
		return false;
	bytes = lengths->at[lengths->count / 2] >> (lengths->count % 2 ? 4 : 0) & 15;
	lengths->count++;
	if (bytes > 8 || bytes > (size_t)(from->end - from->at))
		return false;
	for (uint32_t i = 0; i < bytes; i++)
		*ret_word |= (uint64_t)*from->at++ << 8 * i;
	return true;
}

/* ---- there ------------------------------------------------------------------------------ */

/* The kind of that header, or NEW: *ret_known is where its words are compared with, if anywhere. */
static uint32_t kind_of(struct history_coder *coder, uint32_t *kind_count, uint64_t header,
			bool *ret_known)
{
	uint32_t hash = (uint32_t)(header * UINT64_C(0x9e3779b97f4a7c15) >> 55);
	uint32_t kind;

	for (; coder->slot[hash]; hash = (hash + 1) % SLOTS) {
		kind = coder->slot[hash] - 1u;
		if (coder->kind[kind].header == header) {
			*ret_known = true;
			return kind;
		}
	}
	*ret_known = false;
	if (*kind_count == NEW)
		return NEW;
	kind = (*kind_count)++;
	coder->kind[kind].header = header;
	coder->slot[hash] = (uint8_t)(kind + 1);
	return kind;
}

static uint32_t plain_pack(struct history_coder *coder, const unsigned char *events, uint32_t bytes)
{
	struct lengths lengths = {.at = coder->lengths};
	unsigned char *times = coder->times, *payloads = coder->payloads, *kinds = coder->kinds;
	uint32_t kind_count = 0, size, sizes[3];
	uint64_t ticks = 0;
	unsigned char *to;

	memset(coder->slot, 0, sizeof(coder->slot));
	for (uint32_t offset = 0; offset < bytes; offset += size) {
		const unsigned char *event = events + offset;
		const uint64_t header = word_at(event);
		const unsigned char *before;
		bool is_known;
		uint32_t kind = kind_of(coder, &kind_count, header, &is_known);

		size = TTLOG_EVENT_BYTES(header);
		*kinds++ = (unsigned char)(is_known ? kind : NEW);
		if (!is_known) {
			memcpy(payloads, &header, sizeof(header));
			payloads += sizeof(header);
		}
		put_word(&lengths, &times, fold(word_at(event + 8) - ticks));
		ticks = word_at(event + 8);
		before = is_known ? events + coder->kind[kind].offset : NULL;
		for (uint32_t i = 16; i < size; i += 8)
			put_word(&lengths, &payloads,
				 fold(word_at(event + i) - (before ? word_at(before + i) : 0)));
		if (kind != NEW)
			coder->kind[kind].offset = offset;
	}
	sizes[0] = (uint32_t)(kinds - coder->kinds);
	sizes[1] = (lengths.count + 1) / 2;
	sizes[2] = (uint32_t)(times - coder->times);
	to = coder->plain;
	memcpy(to, sizes, PREFIX);
	to += PREFIX;
	memcpy(to, coder->kinds, sizes[0]);
	to += sizes[0];
	memcpy(to, coder->lengths, sizes[1]);
	to += sizes[1];
	memcpy(to, coder->times, sizes[2]);
	to += sizes[2];
	memcpy(to, coder->payloads, (size_t)(payloads - coder->payloads));
	to += payloads - coder->payloads;
	return (uint32_t)(to - coder->plain);
}

uint32_t history_pack(struct history_coder *coder, const unsigned char *events, uint32_t bytes,
		      unsigned char *to, enum history_form *ret_form)
{
	const uint32_t plain = plain_pack(coder, events, bytes);
	const uint32_t best = plain < bytes ? plain : bytes;
	/* Fails, with 0, when it would not be smaller. */
	const int packed = best > 1 ? LZ4_compress_default((const char *)coder->plain, (char *)to,
							   (int)plain, (int)best - 1)
				    : 0;

	if (packed > 0) {
		*ret_form = HISTORY_LZ4;
		return (uint32_t)packed;
	}
	*ret_form = plain < bytes ? HISTORY_PLAIN : HISTORY_RAW;
	memcpy(to, plain < bytes ? coder->plain : events, best);
	return best;
}

/* ---- and back --------------------------------------------------------------------------- */

/* The header of the next event: known, or the next of the payloads. */
static bool get_header(struct history_coder *coder, uint32_t kind, struct stream *payloads,
		       uint64_t *ret_header)
{
	if (kind != NEW) {
		*ret_header = coder->kind[kind].header;
		return true;
	}
	if ((size_t)(payloads->end - payloads->at) < sizeof(*ret_header))
		return false;
	*ret_header = word_at(payloads->at);
	payloads->at += sizeof(*ret_header);
	return true;
}

struct plain {
	struct stream kinds, times, payloads;
	struct lengths lengths;
	uint32_t length_count; /* bytes */
};

static bool plain_take(struct plain *plain, unsigned char *from, uint32_t bytes)
{
	uint32_t size[3];

	if (bytes < PREFIX)
		return false;
	bytes -= PREFIX;
	for (uint32_t i = 0; i < 3; i++) {
		size[i] = half_at(from + i * sizeof(uint32_t));
		if (size[i] > bytes)
			return false;
		bytes -= size[i];
	}
	from += PREFIX;
	plain->kinds = (struct stream){from, from + size[0]};
	plain->lengths = (struct lengths){.at = from + size[0]};
	plain->length_count = size[1];
	from += size[0] + size[1];
	plain->times = (struct stream){from, from + size[2]};
	plain->payloads = (struct stream){from + size[2], from + size[2] + bytes};
	return true;
}

static bool get_event(struct history_coder *coder, struct plain *plain, uint32_t *kind_count,
		      uint64_t *ticks, unsigned char *events, uint32_t offset, uint32_t room,
		      uint32_t *ret_size)
{
	const uint32_t kind = plain->kinds.at < plain->kinds.end ? *plain->kinds.at++ : NEW - 1;
	unsigned char *event = events + offset;
	const unsigned char *before;
	uint64_t header, word;

	if ((kind != NEW && kind >= *kind_count) ||
	    !get_header(coder, kind, &plain->payloads, &header))
		return false;
	*ret_size = TTLOG_EVENT_BYTES(header);
	if (*ret_size < TTLOG_EVENT_MIN || *ret_size % 8 || *ret_size > room ||
	    !get_word(&plain->lengths, plain->length_count, &plain->times, &word))
		return false;
	*ticks += unfold(word);
	memcpy(event, &header, sizeof(header));
	memcpy(event + 8, ticks, sizeof(*ticks));
	before = kind == NEW ? NULL : events + coder->kind[kind].offset;
	for (uint32_t i = 16; i < *ret_size; i += 8) {
		if (!get_word(&plain->lengths, plain->length_count, &plain->payloads, &word))
			return false;
		word = unfold(word) + (before ? word_at(before + i) : 0);
		memcpy(event + i, &word, sizeof(word));
	}
	if (kind != NEW)
		coder->kind[kind].offset = offset;
	else if (*kind_count < NEW)
		coder->kind[(*kind_count)++] = (struct history_kind){header, offset};
	return true;
}

static int plain_unpack(struct history_coder *coder, unsigned char *from, uint32_t plain_bytes,
			unsigned char *events, uint32_t bytes)
{
	uint32_t kind_count = 0, size;
	struct plain plain;
	uint64_t ticks = 0;

	if (!plain_take(&plain, from, plain_bytes))
		return -EBADMSG;
	for (uint32_t offset = 0; offset < bytes; offset += size)
		if (!get_event(coder, &plain, &kind_count, &ticks, events, offset, bytes - offset,
			       &size))
			return -EBADMSG;
	return 0;
}

int history_unpack(struct history_coder *coder, const unsigned char *from, uint32_t packed_bytes,
		   enum history_form form, unsigned char *events, uint32_t bytes)
{
	int plain = (int)packed_bytes;

	if (bytes > HISTORY_CHUNK_MAX || packed_bytes > HISTORY_PACKED_MAX)
		return -EBADMSG;
	if (form == HISTORY_RAW) {
		if (packed_bytes != bytes)
			return -EBADMSG;
		memcpy(events, from, bytes);
		return 0;
	}
	if (form == HISTORY_LZ4)
		plain = LZ4_decompress_safe((const char *)from, (char *)coder->plain,
					    (int)packed_bytes, sizeof(coder->plain));
	else
		memcpy(coder->plain, from, packed_bytes);
	if (plain < 0)
		return -EBADMSG;
	return plain_unpack(coder, coder->plain, (uint32_t)plain, events, bytes);
}
