/* SPDX-License-Identifier: MIT */
/* CBOR by the examples of RFC 8949, appendix A, and by what no dump may have. */
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
