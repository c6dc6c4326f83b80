/* SPDX-License-Identifier: MIT */
/*
 * protobuf.h - Protocol Buffers' wire format, for writing.
 *
 * A message within a message is written into an `out` of its own first: its length stands in front.
 */
#ifndef VIEWER_PROTOBUF_H
#define VIEWER_PROTOBUF_H

#include "viewer/out.h"

void pb_uint(struct out *out, uint32_t field, uint64_t number);
/* int32, int64 and enums: a negative number takes ten bytes. */
void pb_int(struct out *out, uint32_t field, int64_t number);
void pb_fixed64(struct out *out, uint32_t field, uint64_t number);
void pb_double(struct out *out, uint32_t field, double number);
void pb_bytes(struct out *out, uint32_t field, struct span span); /* a message, too */
/* Text has to be UTF-8: bytes that are not become U+FFFD, for which `scratch` is used. */
void pb_text(struct out *out, struct out *scratch, uint32_t field, struct span span);

#endif
