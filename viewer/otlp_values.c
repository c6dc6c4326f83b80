/* SPDX-License-Identifier: MIT */
#include "viewer/otlp_values.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "viewer/message.h"
#include "viewer/protobuf.h"

/* KeyValue */
#define PAIR_KEY 1
#define PAIR_VALUE 2
/* AnyValue */
#define ANY_STRING 1
#define ANY_BOOL 2
#define ANY_INT 3
#define ANY_DOUBLE 4
#define ANY_BYTES 7

void otlp_writer_init(struct otlp_writer *writer, bool json)
{
	writer->json = json;
	out_init(&writer->pair, -1);
	out_init(&writer->any, -1);
	out_init(&writer->text, -1);
	out_init(&writer->scratch, -1);
}

void otlp_writer_fini(struct otlp_writer *writer)
{
	out_fini(&writer->pair);
	out_fini(&writer->any);
	out_fini(&writer->text);
	out_fini(&writer->scratch);
}

int otlp_writer_error(const struct otlp_writer *writer)
{
	const struct out *outs[] = {&writer->pair, &writer->any, &writer->text, &writer->scratch};
	int error = 0;

	for (size_t i = 0; i < sizeof(outs) / sizeof(*outs) && !error; i++)
		error = outs[i]->error;
	return error;
}

void otlp_comma(struct out *out)
{
	if (out->last != '[' && out->last != '{')
		out_char(out, ',');
}

/* ---- an AnyValue into `any` -------------------------------------------------------------------
 */

static void any_text(struct otlp_writer *writer, struct span text)
{
	struct out *any = &writer->any;

	any->bytes = 0;
	if (writer->json) {
		out_text(any, "{\"stringValue\":");
		out_json_string(any, text);
		out_char(any, '}');
	} else {
		pb_text(any, &writer->scratch, ANY_STRING, text);
	}
}

static void any_int(struct otlp_writer *writer, int64_t number)
{
	struct out *any = &writer->any;

	any->bytes = 0;
	if (writer->json)
		out_printf(any, "{\"intValue\":\"%" PRId64 "\"}", number);
	else
		pb_int(any, ANY_INT, number);
}

static void any_bool(struct otlp_writer *writer, bool truth)
{
	writer->any.bytes = 0;
	if (writer->json)
		out_printf(&writer->any, "{\"boolValue\":%s}", truth ? "true" : "false");
	else
		pb_uint(&writer->any, ANY_BOOL, truth);
}

/* JSON has no name for these; protobuf's JSON has. */
static void any_real(struct otlp_writer *writer, const struct value *value)
{
	struct out *any = &writer->any;

	any->bytes = 0;
	if (!writer->json) {
		pb_double(any, ANY_DOUBLE, value->real);
		return;
	}
	out_text(any, "{\"doubleValue\":");
	if (isnan(value->real))
		out_text(any, "\"NaN\"");
	else if (isinf(value->real))
		out_text(any, value->real < 0 ? "\"-Infinity\"" : "\"Infinity\"");
	else
		value_write(any, value);
	out_char(any, '}');
}

static void put_base64(struct out *out, struct span span)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *from = (const unsigned char *)span.data;
	size_t left;
	uint32_t bits;

	for (size_t at = 0; at < span.bytes; at += 3) {
		left = span.bytes - at;
		bits = (uint32_t)from[at] << 16 | (left > 1 ? (uint32_t)from[at + 1] << 8 : 0) |
		       (left > 2 ? from[at + 2] : 0);
		out_char(out, digits[bits >> 18]);
		out_char(out, digits[bits >> 12 & 63]);
		out_char(out, left > 1 ? digits[bits >> 6 & 63] : '=');
		out_char(out, left > 2 ? digits[bits & 63] : '=');
	}
}

static void any_bytes(struct otlp_writer *writer, struct span span)
{
	struct out *any = &writer->any;

	any->bytes = 0;
	if (writer->json) {
		out_text(any, "{\"bytesValue\":\"");
		put_base64(any, span);
		out_text(any, "\"}");
	} else {
		pb_bytes(any, ANY_BYTES, span);
	}
}

/* Integers that 64 bits with a sign do not hold, pointers and chars are texts. */
static void any_value(struct otlp_writer *writer, const struct value *value)
{
	if (value->kind == VALUE_BOOL) {
		any_bool(writer, value->number);
	} else if (value->kind == VALUE_F32 || value->kind == VALUE_F64) {
		any_real(writer, value);
	} else if (value->kind == VALUE_BYTES) {
		any_bytes(writer, value->span);
	} else if (value->kind == VALUE_UINT && value->number <= INT64_MAX &&
		   value->type != FIELD_POINTER && value->type != FIELD_CHAR) {
		any_int(writer, (int64_t)value->number);
	} else if (value->kind == VALUE_NEGATIVE && value->number <= INT64_MAX) {
		any_int(writer, -1 - (int64_t)value->number);
	} else {
		writer->text.bytes = 0;
		value_write(&writer->text, value);
		any_text(writer, span_of(&writer->text));
	}
}

/* ---- pairs ------------------------------------------------------------------------------------
 */

static void put_pair(struct otlp_writer *writer, struct out *out, uint32_t field, struct span key)
{
	struct out *pair = &writer->pair;

	if (writer->json) {
		otlp_comma(out);
		out_text(out, "{\"key\":");
		out_json_string(out, key);
		out_text(out, ",\"value\":");
		out_span(out, span_of(&writer->any));
		out_char(out, '}');
		return;
	}
	pair->bytes = 0;
	pb_text(pair, &writer->scratch, PAIR_KEY, key);
	pb_bytes(pair, PAIR_VALUE, span_of(&writer->any));
	pb_bytes(out, field, span_of(pair));
}

void otlp_text(struct otlp_writer *writer, struct out *out, uint32_t field, const char *key,
	       struct span text)
{
	if (!text.bytes)
		return;
	any_text(writer, text);
	put_pair(writer, out, field, (struct span){key, strlen(key)});
}

void otlp_number(struct otlp_writer *writer, struct out *out, uint32_t field, const char *key,
		 struct number number)
{
	if (!number.known)
		return;
	any_int(writer, (int64_t)number.bits);
	put_pair(writer, out, field, (struct span){key, strlen(key)});
}

void otlp_value(struct otlp_writer *writer, struct out *out, uint32_t field,
		const struct value *value)
{
	any_value(writer, value);
	put_pair(writer, out, field, value->name);
}

void otlp_any_text(struct otlp_writer *writer, struct out *out, uint32_t field, struct span text)
{
	any_text(writer, text);
	if (writer->json)
		out_span(out, span_of(&writer->any));
	else
		pb_bytes(out, field, span_of(&writer->any));
}
