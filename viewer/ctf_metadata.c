/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "viewer/ctf.h"

/* Longer ones are cut: readers' grammars have limits of their own. */
#define NAME_BYTES_MAX 256
#define TEXT_BYTES_MAX 1024

/* Those of LTTng, which viewers know: 0 is an emergency, 14 a debug message. */
static const unsigned char log_levels[LEVEL_COUNT] = {
	[LEVEL_TRACE] = 14, [LEVEL_DEBUG] = 13, [LEVEL_INFO] = 6,    [LEVEL_WARN] = 4,
	[LEVEL_ERROR] = 3,  [LEVEL_FATAL] = 2,	[LEVEL_UNKNOWN] = 5,
};

static const char *const type_names[] = {
	[CTF_UNSIGNED] = "uint64", [CTF_SIGNED] = "int64",  [CTF_POINTER] = "pointer",
	[CTF_BOOL] = "uint8",	   [CTF_REAL] = "double64", [CTF_STRING] = "text",
};

static const char types[] =
	"typealias integer { size = 8; align = 8; signed = false; } := uint8;\n"
	"typealias integer { size = 32; align = 8; signed = false; } := uint32;\n"
	"typealias integer { size = 64; align = 8; signed = false; } := uint64;\n"
	"typealias integer { size = 64; align = 8; signed = true; } := int64;\n"
	"typealias integer { size = 64; align = 8; signed = false; base = 16; } := pointer;\n"
	"typealias floating_point { exp_dig = 11; mant_dig = 53; align = 8; } := double64;\n"
	"typealias string { encoding = UTF8; } := text;\n\n";

static const char streams[] =
	"clock {\n"
	"\tname = \"realtime\";\n"
	"\tdescription = \"Nanoseconds since 1970\";\n"
	"\tfreq = 1000000000;\n"
	"\toffset = 0;\n"
	"\tabsolute = true;\n"
	"};\n\n"
	"typealias integer {\n"
	"\tsize = 64; align = 8; signed = false; map = clock.realtime.value;\n"
	"} := moment;\n\n"
	"stream {\n"
	"\tid = 0;\n"
	"\tpacket.context := struct {\n"
	"\t\tmoment timestamp_begin;\n"
	"\t\tmoment timestamp_end;\n"
	"\t\tuint64 content_size;\n"
	"\t\tuint64 packet_size;\n"
	"\t\tuint64 packet_seq_num;\n"
	"\t\tuint64 events_discarded;\n"
	"\t};\n"
	"\tevent.header := struct {\n"
	"\t\tuint32 id;\n"
	"\t\tmoment timestamp;\n"
	"\t};\n"
	"\tevent.context := struct {\n"
	"\t\tint64 _vpid;\n"
	"\t\tint64 _vtid;\n"
	"\t\ttext _procname;\n"
	"\t\ttext _lane;\n"
	"\t\ttext _channel;\n"
	"\t\tuint64 _seq;\n"
	"\t};\n"
	"};\n\n";

enum ctf_type ctf_type_of(enum field_type type)
{
	switch (type) {
	case FIELD_BOOL:
		return CTF_BOOL;
	case FIELD_I8:
	case FIELD_I16:
	case FIELD_I32:
	case FIELD_I64:
		return CTF_SIGNED;
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_U64:
		return CTF_UNSIGNED;
	case FIELD_F32:
	case FIELD_F64:
		return CTF_REAL;
	case FIELD_POINTER:
		return CTF_POINTER;
	default:
		return CTF_STRING;
	}
}

bool ctf_is_unknown(const struct site *site)
{
	return site->level == LEVEL_UNKNOWN && !site->field_count;
}

/* What is between the quotes of a TSDL string: no byte that its grammar could mistake. */
static void put_quoted(struct out *out, struct span span)
{
	size_t at = 0, length;
	uint32_t code = 0;

	span.bytes = span.bytes < TEXT_BYTES_MAX ? span.bytes : TEXT_BYTES_MAX;
	out_char(out, '"');
	for (; at < span.bytes; at += length ? length : 1) {
		length = utf8_next(span.data + at, span.bytes - at, &code);
		if (!length || code < ' ' || (code >= 0x7f && code <= 0x9f))
			out_text(out, "\xef\xbf\xbd");
		else if (code == '"' || code == '\\')
			out_printf(out, "\\%c", (char)code);
		else
			out_bytes(out, span.data + at, length);
	}
	out_char(out, '"');
}

static bool is_identifier_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/*
 * Readers take the first "_" away; so no name is a word of TSDL, and none begins with a digit.
 * Names that had to be changed might be the same then: their places differ, and only they have
 * "__".
 */
static void put_identifier(struct out *out, const struct site *site, uint32_t index)
{
	const struct span name = site->fields[index].name;
	bool changed = name.bytes > NAME_BYTES_MAX ||
		       (name.bytes && memmem(name.data, name.bytes, "__", 2));

	out_char(out, '_');
	for (size_t i = 0; i < name.bytes && i < NAME_BYTES_MAX; i++) {
		bool fine = is_identifier_byte(name.data[i]) || name.data[i] == '_';

		out_char(out, fine ? name.data[i] : '_');
		changed |= !fine;
	}
	if (changed)
		out_printf(out, "__%u", index + 1);
}

static void put_class(struct out *out, const struct site *site, uint32_t id,
		      const struct columns *columns)
{
	struct out name;

	out_init(&name, -1);
	out_span(&name, site->target);
	out_char(&name, ':');
	out_span(&name, site->message);
	out_printf(out, "event {\n\tid = %" PRIu32 ";\n\tname = ", id);
	put_quoted(out, span_of(&name));
	out_printf(out, ";\n\tstream_id = 0;\n\tloglevel = %u;\n\tfields := struct {\n",
		   log_levels[site->level]);
	if (site->printf)
		out_text(out, "\t\ttext _msg;\n");
	if (ctf_is_unknown(site))
		out_text(out, "\t\ttext _values;\n");
	for (uint32_t i = 0; i < site->field_count; i++) {
		if (!columns_have_field(columns, site->fields[i].name))
			continue;
		out_printf(out, "\t\t%s ", type_names[ctf_type_of(site->fields[i].type)]);
		put_identifier(out, site, i);
		out_text(out, ";\n");
	}
	out_text(out, "\t};\n};\n\n");
	if (name.error)
		out->error = name.error;
	out_fini(&name);
}

static void put_env(struct out *out, const char *name, struct span text)
{
	if (!text.bytes)
		return;
	out_printf(out, "\t%s = ", name);
	put_quoted(out, text);
	out_text(out, ";\n");
}

static void put_env_number(struct out *out, const char *name, struct number number)
{
	if (number.known && number.bits <= INT64_MAX)
		out_printf(out, "\t%s = %" PRIu64 ";\n", name, number.bits);
}

static void put_uuid(struct out *out, const unsigned char *uuid)
{
	out_char(out, '"');
	for (size_t i = 0; i < CTF_UUID_BYTES; i++)
		out_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			   uuid[i]);
	out_char(out, '"');
}

void ctf_write_metadata(struct out *out, const struct ctf_trace *trace)
{
	const struct meta *meta = dump_meta(trace->dump);

	out_text(out, "/* CTF 1.8 */\n\n");
	out_text(out, types);
	out_text(out, "trace {\n\tmajor = 1;\n\tminor = 8;\n\tuuid = ");
	put_uuid(out, trace->uuid);
	out_text(out, ";\n\tbyte_order = le;\n\tpacket.header := struct {\n\t\tuint32 magic;\n"
		      "\t\tuint8 uuid[16];\n\t\tuint32 stream_id;\n\t};\n};\n\nenv {\n"
		      "\ttracer_name = \"ttlog\";\n");
	put_env(out, "hostname", meta->hostname);
	put_env(out, "service", meta->service);
	put_env_number(out, "vpid", meta->pid);
	put_env(out, "procname", meta->process.comm);
	put_env(out, "reason", meta->reason);
	put_env(out, "death", meta->cause.sentence);
	put_env_number(out, "death_ns", meta->death_ns);
	put_env_number(out, "torn", meta->torn);
	out_text(out, "};\n\n");
	out_text(out, streams);
	for (size_t i = 0; i < trace->site_count; i++)
		put_class(out, trace->sites[i], trace->sites[i]->id, trace->columns);
}
