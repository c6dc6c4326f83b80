/* SPDX-License-Identifier: MIT */
/*
 * otlp_values.h - OpenTelemetry's key-value pairs in both encodings: protobuf, and JSON as OTLP has it
 * (64-bit integers as text, byte strings in base64).
 *
 * Numbers of messages' fields are those of opentelemetry.proto.common.v1.
 */
#ifndef VIEWER_OTLP_VALUES_H
#define VIEWER_OTLP_VALUES_H

#include "viewer/dump_reader.h"
#include "viewer/out.h"

struct otlp_writer {
	bool json;
	struct out pair, any, text, scratch; /* each within the one before */
};

void otlp_writer_init(struct otlp_writer *writer, bool json);
void otlp_writer_fini(struct otlp_writer *writer);
int otlp_writer_error(const struct otlp_writer *writer);

/*
 * A KeyValue as another element of an array: in JSON with a comma in front, but for the first; in protobuf
 * as that field. What has nothing to say (an empty text, a number that is not known) is left out.
 */
void otlp_text(struct otlp_writer *writer, struct out *out, uint32_t field, const char *key,
	       struct span text);
void otlp_number(struct otlp_writer *writer, struct out *out, uint32_t field, const char *key,
		 struct number number);
void otlp_value(struct otlp_writer *writer, struct out *out, uint32_t field,
		const struct value *value);

/* An AnyValue with a text: in JSON the object alone, in protobuf as that field. */
void otlp_any_text(struct otlp_writer *writer, struct out *out, uint32_t field, struct span text);

/* A comma, but for the first element of an array or member of an object. */
void otlp_comma(struct out *out);

#endif
