/* SPDX-License-Identifier: MIT */
/*
 * history_code.h - the events of a chunk, in few bytes, and back.
 *
 * Events of one site are alike: each word is told as the difference to that of the one before of
 * the same header. Kinds, lengths, times and payloads stand apart from each other, so that LZ4 sees
 * what repeats. Any bytes survive the way there and back, also those of a liar.
 */
#ifndef RECORDER_HISTORY_CODE_H
#define RECORDER_HISTORY_CODE_H

#include <stdint.h>

#define HISTORY_CHUNK_MAX (32u << 10) /* bytes of events */
/* What history_pack() may put out: the events themselves, if nothing smaller can be had. */
#define HISTORY_PACKED_MAX HISTORY_CHUNK_MAX

enum history_form {
	HISTORY_RAW,   /* the events */
	HISTORY_PLAIN, /* differences */
	HISTORY_LZ4,   /* the same, compressed */
};

/* Too large for a stack that is somebody else's. */
struct history_coder {
	struct history_kind {
		uint64_t header;
		uint32_t offset; /* of the newest event with that header */
	} kind[256];
	uint8_t slot[512]; /* of a hash: kind + 1 */
	unsigned char kinds[HISTORY_CHUNK_MAX / 16];
	unsigned char lengths[HISTORY_CHUNK_MAX / 16];
	unsigned char times[HISTORY_CHUNK_MAX];
	unsigned char payloads[HISTORY_CHUNK_MAX];
	unsigned char plain[3 * HISTORY_CHUNK_MAX];
};

/*
 * `bytes` of events whose headers were walked: each size is a multiple of 8, at least 16, and
 * inside. Returns how many bytes there are at `to`.
 */
uint32_t history_pack(struct history_coder *coder, const unsigned char *events, uint32_t bytes,
		      unsigned char *to, enum history_form *ret_form);
/* 0, or -EBADMSG: that was not packed from so many bytes of events. */
int history_unpack(struct history_coder *coder, const unsigned char *from, uint32_t packed_bytes,
		   enum history_form form, unsigned char *events, uint32_t bytes);

#endif
