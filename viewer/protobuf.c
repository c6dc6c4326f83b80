/* SPDX-License-Identifier: MIT */
#include "viewer/protobuf.h"

#include <string.h>

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2 };

static void put_varint(struct out *out, uint64_t number)
{
	char bytes[10];
	size_t count = 0;

	for (; number >= 0x80; number >>= 7)
		bytes[count++] = (char)(number | 0x80);
	bytes[count++] = (char)number;
	out_bytes(out, bytes, count);
}

static void put_tag(struct out *out, uint32_t field, enum wire wire)
{
	put_varint(out, (uint64_t)field << 3 | wire);
}

void pb_uint(struct out *out, uint32_t field, uint64_t number)
{
	put_tag(out, field, WIRE_VARINT);
	put_varint(out, number);
}

void pb_int(struct out *out, uint32_t field, int64_t number)
{
	pb_uint(out, field, (uint64_t)number);
}

void pb_fixed64(struct out *out, uint32_t field, uint64_t number)
{
	char bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(number >> 8 * i);
	put_tag(out, field, WIRE_FIXED64);
	out_bytes(out, bytes, sizeof(bytes));
}

void pb_double(struct out *out, uint32_t field, double number)
{
	uint64_t bits;

	memcpy(&bits, &number, sizeof(bits));
	pb_fixed64(out, field, bits);
}

/* The tag and the length of what the caller writes next. */
static void pb_head(struct out *out, uint32_t field, size_t bytes)
{
	put_tag(out, field, WIRE_BYTES);
	put_varint(out, bytes);
}

void pb_bytes(struct out *out, uint32_t field, struct span span)
{
	pb_head(out, field, span.bytes);
	out_span(out, span);
}

void pb_text(struct out *out, struct out *scratch, uint32_t field, struct span span)
{
	scratch->bytes = 0;
	out_utf8(scratch, span);
	pb_bytes(out, field, span_of(scratch));
}
