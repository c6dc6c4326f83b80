/* SPDX-License-Identifier: MIT */
/* CBOR by the examples of RFC 8949, appendix A, and by what no dump may have. */
#include <cbor.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "recorder/dump_format.h"
#include "viewer/decode.h"

#define CURSOR(bytes) ((struct decode){(const unsigned char *)(bytes), \
				       (const unsigned char *)(bytes) + sizeof(bytes) - 1})

static struct token decode_one(struct decode cursor)
{
	struct token token = {0};

	cr_assert_eq(decode_next(&cursor, &token), 0);
	cr_assert_eq(cursor.at, cursor.end);
	return token;
}

Test(decode, reads_integers_of_every_width)
{
	cr_expect_eq(decode_one(CURSOR("\x17")).number, 23);
	cr_expect_eq(decode_one(CURSOR("\x18\x64")).number, 100);
	cr_expect_eq(decode_one(CURSOR("\x19\x03\xe8")).number, 1000);
	cr_expect_eq(decode_one(CURSOR("\x1a\x00\x0f\x42\x40")).number, 1000000);
	cr_expect_eq(decode_one(CURSOR("\x1b\xff\xff\xff\xff\xff\xff\xff\xff")).number, UINT64_MAX);
	cr_expect_eq(decode_one(CURSOR("\x39\x03\xe7")).kind, TOKEN_NEGATIVE);
	cr_expect_eq(decode_one(CURSOR("\x39\x03\xe7")).number, 999); /* -1000 */
}

Test(decode, reads_floats_of_every_width)
{
	cr_expect_eq(decode_one(CURSOR("\xf9\x3e\x00")).real, 1.5);
	cr_expect_eq(decode_one(CURSOR("\xfa\x47\xc3\x50\x00")).real, 100000.0);
	cr_expect_eq(decode_one(CURSOR("\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a")).real, 1.1);
	cr_expect_eq(decode_one(CURSOR("\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a")).kind, TOKEN_F64);
}

Test(decode, reads_strings_truth_and_nothing)
{
	cr_expect(span_is(decode_one(CURSOR("\x64IETF")).span, "IETF"));
	cr_expect_eq(decode_one(CURSOR("\x44\x01\x02\x03\x04")).span.bytes, 4);
	cr_expect_eq(decode_one(CURSOR("\xf5")).number, 1);
	cr_expect_eq(decode_one(CURSOR("\xf4")).number, 0);
	cr_expect_eq(decode_one(CURSOR("\xf6")).kind, TOKEN_NULL);
}

Test(decode, refuses_what_is_cut_or_no_part_of_a_dump)
{
	static const struct {
		const char *bytes;
		size_t count;
	} wrong[] = {
		{"", 0},
		{"\x18", 1},
		{"\x1b\xff\xff", 3},
		{"\x64IET", 4},
		{"\x7b\xff\xff\xff\xff\xff\xff\xff\xff", 9}, /* text of 2^64 - 1 bytes */
		{"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", 9}, /* that many items */
		{"\x7f\x61x\xff", 4},			      /* indefinite lengths */
		{"\x9f\xff", 2},
		{"\xbf\xff", 2},
		{"\xc0\x00", 2}, /* a tag */
		{"\x1c", 1},	  /* reserved */
		{"\xff", 1},	  /* a break */
		{"\xfb\x3f", 2},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const unsigned char *bytes = (const unsigned char *)wrong[i].bytes;
		struct decode cursor = {bytes, bytes + wrong[i].count};

		cr_expect_eq(decode_skip(&cursor), -EBADMSG, "row %zu", i);
	}
}

Test(decode, skips_an_item_with_everything_in_it_and_no_more)
{
	struct decode cursor = CURSOR("\x83\x01\x82\x02\x03\xa1\x61k\x44....\x05");

	cr_assert_eq(decode_skip(&cursor), 0);
	cr_assert_eq(cursor.end - cursor.at, 1);
	cr_assert_eq(decode_skip_many(&cursor, 1), 0);
	cr_expect_eq(decode_skip_many(&cursor, 1), -EBADMSG);
}

Test(decode, goes_only_so_deep)
{
	unsigned char nested[DUMP_DEPTH_MAX + 2];
	struct decode cursor;

	/* Arrays of one array each, and a number in the innermost. */
	memset(nested, 0x81, sizeof(nested));
	nested[sizeof(nested) - 1] = 0;
	cursor = (struct decode){nested + 3, nested + sizeof(nested)};
	cr_expect_eq(decode_skip(&cursor), 0);
	cursor = (struct decode){nested, nested + sizeof(nested)};
	cr_expect_eq(decode_skip(&cursor), -EBADMSG);
}

struct person {
	struct span name;
	struct number age, height;
	bool happy;
};

static const struct decode_key person_keys[] = {
	{.name = "name", .kind = DECODE_SPAN, .offset = offsetof(struct person, name)},
	{.name = "age", .kind = DECODE_NUMBER, .offset = offsetof(struct person, age)},
	{.name = "height", .kind = DECODE_NUMBER, .offset = offsetof(struct person, height)},
	{.name = "happy", .kind = DECODE_BOOL, .offset = offsetof(struct person, happy)},
	{.name = NULL},
};

Test(decode, fills_what_it_knows_of_a_map_and_skips_the_rest)
{
	struct decode cursor = CURSOR("\xa5\x64name\x63" "Bob\x65other\x82\x01\x02\x63" "age\x18\x2a"
				      "\x66height\x64tall\x65happy\xf5");
	struct person person = {0};

	cr_assert_eq(decode_map(&cursor, person_keys, &person), 0);
	cr_assert_eq(cursor.at, cursor.end);
	cr_expect(span_is(person.name, "Bob"));
	cr_expect(person.age.known);
	cr_expect_eq(person.age.bits, 42);
	cr_expect(!person.height.known, "a value of another kind is skipped");
	cr_expect(person.happy);
}

/* ---- beside the library ----------------------------------------------------------------------- */

static struct token said;
static bool refused;

static void say(enum token_kind kind, uint64_t number, double real, const void *data, size_t bytes)
{
	said = (struct token){kind, number, real, {data, bytes}};
}

#define SAYS(name, type, kind, number, real)                                                       \
	static void name(void *context, type value)                                                \
	{                                                                                          \
		(void)context;                                                                     \
		say(kind, (uint64_t)(number), (real), NULL, 0);                                    \
	}
SAYS(says_u8, uint8_t, TOKEN_UINT, value, 0)
SAYS(says_u16, uint16_t, TOKEN_UINT, value, 0)
SAYS(says_u32, uint32_t, TOKEN_UINT, value, 0)
SAYS(says_u64, uint64_t, TOKEN_UINT, value, 0)
SAYS(says_n8, uint8_t, TOKEN_NEGATIVE, value, 0)
SAYS(says_n16, uint16_t, TOKEN_NEGATIVE, value, 0)
SAYS(says_n32, uint32_t, TOKEN_NEGATIVE, value, 0)
SAYS(says_n64, uint64_t, TOKEN_NEGATIVE, value, 0)
SAYS(says_array, size_t, TOKEN_ARRAY, value, 0)
SAYS(says_map, size_t, TOKEN_MAP, value, 0)
SAYS(says_float, float, TOKEN_F32, 0, value)
SAYS(says_double, double, TOKEN_F64, 0, value)
SAYS(says_bool, bool, TOKEN_BOOL, value, 0)

static void says_bytes(void *context, cbor_data data, size_t bytes)
{
	(void)context;
	say(TOKEN_BYTES, 0, 0, data, bytes);
}

static void says_text(void *context, cbor_data data, size_t bytes)
{
	(void)context;
	say(TOKEN_TEXT, 0, 0, data, bytes);
}

static void says_null(void *context)
{
	(void)context;
	say(TOKEN_NULL, 0, 0, NULL, 0);
}

static void refuses(void *context)
{
	(void)context;
	refused = true;
}

static void refuses_tag(void *context, uint64_t tag)
{
	(void)tag;
	refuses(context);
}

static bool same_token(const struct token *token)
{
	if (token->kind != said.kind)
		return false;
	if (said.kind == TOKEN_F32 || said.kind == TOKEN_F64)
		return memcmp(&token->real, &said.real, sizeof(said.real)) == 0;
	if (said.kind == TOKEN_TEXT || said.kind == TOKEN_BYTES)
		return token->span.data == said.span.data && token->span.bytes == said.span.bytes;
	return said.kind == TOKEN_NULL || token->number == said.number;
}

/* Of every first byte, with what may follow it, and with less than that. */
Test(decode, says_of_every_item_what_the_library_says)
{
	static const struct cbor_callbacks callbacks = {
		.uint8 = says_u8, .uint16 = says_u16, .uint32 = says_u32, .uint64 = says_u64,
		.negint8 = says_n8, .negint16 = says_n16, .negint32 = says_n32,
		.negint64 = says_n64, .byte_string_start = refuses, .byte_string = says_bytes,
		.string = says_text, .string_start = refuses, .indef_array_start = refuses,
		.array_start = says_array, .indef_map_start = refuses, .map_start = says_map,
		.tag = refuses_tag, .float2 = says_float, .float4 = says_float,
		.float8 = says_double, .undefined = says_null, .null = says_null,
		.boolean = says_bool, .indef_break = refuses,
	};
	static const unsigned char tails[][12] = {
		"\0\0\0\0\0\0\0\0\0\0\0", "\0\0\0\0\0\0\0\1\2\3\4", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"\1\2\3\4\5\6\7\x08\x09\x0a\x0b", "\x7f\x80\0\0\0\0\0\0\0\0\0", "\x3f\xf0\0\0\0\0\0\0\0\0\0",
		"\0\x0a\0\0\0\0\0\0\0\0\0",
	};
	unsigned char item[64] = {0};

	for (unsigned int first = 0; first < 256; first++)
		for (size_t i = 0; i < sizeof(tails) / sizeof(*tails); i++)
			for (size_t bytes = 1; bytes <= sizeof(item); bytes++) {
				struct decode cursor = {item, item + bytes};
				struct cbor_decoder_result result;
				struct token token = {0};
				bool fine;

				item[0] = (unsigned char)first;
				memcpy(item + 1, tails[i], sizeof(tails[i]) - 1);
				refused = false;
				result = cbor_stream_decode(item, bytes, &callbacks, NULL);
				fine = result.status == CBOR_DECODER_FINISHED && !refused;
				/* A count that can't be true is refused here, and there by nobody. */
				if (fine && said.kind == TOKEN_ARRAY)
					fine = said.number <= bytes - result.read;
				if (fine && said.kind == TOKEN_MAP)
					fine = said.number <= (bytes - result.read) / 2;
				cr_assert_eq(decode_next(&cursor, &token) == 0, fine, "%02x, %zu, %zu bytes",
					     first, i, bytes);
				if (!fine)
					continue;
				cr_assert(same_token(&token), "%02x, %zu, %zu bytes", first, i, bytes);
				cr_assert_eq(cursor.at, item + result.read);
			}
}
