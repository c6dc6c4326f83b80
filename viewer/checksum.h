/* SPDX-License-Identifier: MIT */
/*
 * checksum.h - XXH32, the checksum of LZ4 frames, by its public specification.
 *
 * LZ4's own has a loop that compilers turn into vectors that have no such multiplication: on what
 * SSE2 has it takes three times as long, and was a third of all that the viewer did.
 */
#ifndef VIEWER_CHECKSUM_H
#define VIEWER_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* With the seed 0, as frames have it. */
uint32_t checksum_xxh32(const unsigned char *data, size_t bytes);

/*
 * Has a whole frame, which LZ4 could read and which ends with a checksum of its content, the
 * checksums that it says it has, of its blocks too?
 */
bool checksum_fits(const unsigned char *frame, size_t frame_bytes, const unsigned char *content,
		   size_t content_bytes);

#endif
