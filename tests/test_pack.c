/* SPDX-License-Identifier: MIT */
/* test_pack.c - CBOR byte by byte (the examples of RFC 8949, appendix A, where it has one). */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "recorder/pack.h"

static struct pack pack;

static void setup(void)
{
	cr_assert_eq(pack_init(&pack, 16, 1 << 20), 0);
}

static void teardown(void)
{
	pack_fini(&pack);
}

TestSuite(pack, .init = setup, .fini = teardown);

#define EXPECT(wanted) \
	do { \
		cr_expect_eq(pack.bytes, sizeof(wanted) - 1); \
		cr_expect_eq(memcmp(pack.data, wanted, sizeof(wanted) - 1), 0); \
		pack.bytes = 0; \
	} while (0)

Test(pack, integers_are_as_short_as_they_can_be)
{
	pack_uint(&pack, 23);
	EXPECT("\x17");
	pack_uint(&pack, 24);
	EXPECT("\x18\x18");
	pack_uint(&pack, 1000000);
	EXPECT("\x1a\0\x0f\x42\x40");
	pack_uint(&pack, UINT64_MAX);
	EXPECT("\x1b\xff\xff\xff\xff\xff\xff\xff\xff");
	pack_int(&pack, -1000);
	EXPECT("\x39\x03\xe7");
	pack_int(&pack, INT64_MIN);
	EXPECT("\x3b\x7f\xff\xff\xff\xff\xff\xff\xff");
	pack_int(&pack, 100);
	EXPECT("\x18\x64");
}

Test(pack, reals_keep_their_bits)
{
	pack_f32(&pack, 0x47c35000); /* 100000.0 */
	EXPECT("\xfa\x47\xc3\x50\0");
	pack_f64(&pack, UINT64_C(0x3ff199999999999a)); /* 1.1 */
	EXPECT("\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a");
	pack_f64(&pack, UINT64_C(0x8000000000000000)); /* -0.0 */
	EXPECT("\xfb\x80\0\0\0\0\0\0\0");
	pack_bool(&pack, true);
	EXPECT("\xf5");
}

Test(pack, text_is_text_only_when_it_is_utf8)
{
	static const struct {
		const char *data;
		bool is_text;
	} table[] = {
		{"", true},
		{"IETF", true},
		{"a longer text of plain ASCII", true},
		{"\xc3\xbc", true},
		{"a longer text \xe6\xb0\xb4 with more", true},
		{"\xf0\x90\x85\x91", true},
		{"\xf4\x8f\xbf\xbf", true},
		{"\xed\x9f\xbf", true},
		{"\xff", false},
		{"\x80", false},
		{"\xc0\xaf", false},
		{"\xc1\xbf", false},
		{"\xe0\x9f\xbf", false},
		{"\xed\xa0\x80", false},
		{"\xf0\x8f\xbf\xbf", false},
		{"\xf4\x90\x80\x80", false},
		{"\xf5\x80\x80\x80", false},
		{"12345678\xe2\x82", false},
		{"\xe2\x82x", false},
		{"\xf0\x90\x85", false},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		size_t bytes = strlen(table[i].data);

		pack_string(&pack, table[i].data, bytes);
		cr_expect_eq(pack.data[0] >> 5, table[i].is_text ? 3 : 2, "row %zu", i);
		cr_expect_eq(memcmp(pack.data + pack.bytes - bytes, table[i].data, bytes), 0);
		pack.bytes = 0;
	}
}

Test(pack, a_map_counts_its_pairs)
{
	struct pack_map map = pack_map_begin(&pack);

	pack_pair_uint(&pack, &map, "a", 1);
	pack_pair_string(&pack, &map, "left out", NULL);
	pack_pair_known(&pack, &map, "left out", 0);
	pack_key(&pack, &map, "b");
	pack_array(&pack, 2);
	pack_uint(&pack, 2);
	pack_uint(&pack, 3);
	pack_map_end(&pack, &map);
	EXPECT("\xa2\x61"
	       "a\1\x61"
	       "b\x82\2\3");
}

Test(pack, the_limit_is_an_error_that_sticks)
{
	struct pack small;

	cr_assert_eq(pack_init(&small, 16, 64), 0);
	for (unsigned int i = 0; i < 100; i++)
		pack_string(&small, "0123456789", 10);
	cr_expect_eq(small.error, -E2BIG);
	cr_expect_leq(small.bytes, 64);
	pack_uint(&small, 1);
	cr_expect_leq(small.bytes, 64);
	pack_fini(&small);
}
