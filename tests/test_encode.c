/* SPDX-License-Identifier: MIT */
/* test_encode.c - every type of value there and back, and what is cut when an event is too large. */
#include "lib/encode.h"
#include "tests/own_region.h"

#define ROOM 4024 /* what ttlog.h promises for one event */

static struct ttlog_reader *reader;
static struct ttlog_reader_event event;

/* The only event of that message. */
static void only(const char *message)
{
	struct ttlog_reader_event more;

	reader = view();
	cr_assert_not_null(next_of(reader, message, &event), "no event \"%s\"", message);
	cr_assert_null(next_of(reader, message, &more));
	ttlog_reader_rewind(reader);
	next_of(reader, message, &event);
}

static void expect_scalar(uint32_t i, enum ttlog_type type, uint64_t bits)
{
	cr_expect_eq(event.value[i].type, type, "value %u has type %d", i, event.value[i].type);
	cr_expect_eq(event.value[i].bits, bits, "value %u has bits %" PRIx64, i, event.value[i].bits);
}

Test(encode, every_integer_type_comes_back_with_its_width_and_sign)
{
	begin(0);
	ttlog_info("low", "b", (_Bool)0, "c", (char)'x', "i8", (int8_t)-128, "u8", (uint8_t)255, "i16",
		   (int16_t)-32768, "u16", (uint16_t)65535, "i32", INT32_MIN, "u32", UINT32_MAX, "i64",
		   (int64_t)INT64_MIN, "u64", (uint64_t)UINT64_MAX, "ll", -1ll, "ull", 1ull, "l", -2l, "ul",
		   2ul);
	only("low");
	expect_scalar(0, TTLOG_TYPE_BOOL, 0);
	expect_scalar(1, TTLOG_TYPE_CHAR, 'x');
	expect_scalar(2, TTLOG_TYPE_I8, (uint64_t)-128);
	expect_scalar(3, TTLOG_TYPE_U8, 255);
	expect_scalar(4, TTLOG_TYPE_I16, (uint64_t)-32768);
	expect_scalar(5, TTLOG_TYPE_U16, 65535);
	expect_scalar(6, TTLOG_TYPE_I32, (uint64_t)INT32_MIN);
	expect_scalar(7, TTLOG_TYPE_U32, UINT32_MAX);
	expect_scalar(8, TTLOG_TYPE_I64, (uint64_t)INT64_MIN);
	expect_scalar(9, TTLOG_TYPE_U64, UINT64_MAX);
	expect_scalar(10, TTLOG_TYPE_I64, UINT64_MAX);
	expect_scalar(11, TTLOG_TYPE_U64, 1);
	expect_scalar(12, TTLOG_TYPE_I64, (uint64_t)-2);
	expect_scalar(13, TTLOG_TYPE_U64, 2);
	cr_expect_eq(event.flags, 0);
	ttlog_reader_close(reader);
}

Test(encode, floats_pointers_and_interned_strings_come_back)
{
	struct ttlog_interned word;
	double real = -0.0;
	float single = 1e-45f;
	uint64_t bits;
	uint32_t single_bits;

	begin(0);
	word = ttlog_intern("interned");
	ttlog_info("others", "f64", real, "f32", single, "p", (void *)&real, "null", (void *)NULL, "word",
		   word, "true", (_Bool)1);
	only("others");
	memcpy(&bits, &real, 8);
	memcpy(&single_bits, &single, 4);
	expect_scalar(0, TTLOG_TYPE_F64, bits);
	expect_scalar(1, TTLOG_TYPE_F32, single_bits);
	expect_scalar(2, TTLOG_TYPE_POINTER, (uintptr_t)&real);
	expect_scalar(3, TTLOG_TYPE_POINTER, 0);
	expect_scalar(4, TTLOG_TYPE_INTERNED, word.id);
	cr_expect_str_eq(ttlog_reader_string(reader, word.id), "interned");
	expect_scalar(5, TTLOG_TYPE_BOOL, 1);
	ttlog_reader_close(reader);
}

Test(encode, strings_and_spans_come_back_whole_and_null_is_named)
{
	const char *none = NULL;
	char *own = (char[]){"own"};

	begin(0);
	ttlog_info("texts", "a", "", "b", "grüße", "c", none, "d", ttlog_bytes("a\0b", 3), "e",
		   ttlog_bytes(NULL, 5), "f", own, "g", ttlog_bytes("x", 0));
	only("texts");
	cr_expect_str_eq(event.value[0].data, "");
	cr_expect_str_eq(event.value[1].data, "grüße");
	cr_expect_eq(event.value[1].size, 7);
	cr_expect_str_eq(event.value[2].data, "(null)");
	cr_expect_eq(event.value[3].size, 3);
	cr_expect_eq(memcmp(event.value[3].data, "a\0b", 3), 0);
	cr_expect_eq(event.value[4].size, 0);
	cr_expect_str_eq(event.value[5].data, "own");
	cr_expect_eq(event.value[6].size, 0);
	ttlog_reader_close(reader);
}

Test(encode, an_event_of_just_the_greatest_size_is_not_cut)
{
	char text[ROOM];

	begin(0);
	memset(text, 't', sizeof(text));
	text[ROOM - 16 - 1] = '\0';
	ttlog_info("just fits", "text", text);
	only("just fits");
	cr_expect_eq(event.flags, 0);
	cr_expect_eq(event.value[0].size, ROOM - 16 - 1);
	ttlog_reader_close(reader);
	text[ROOM - 16 - 1] = 't';
	text[ROOM - 16] = '\0';
	ttlog_info("one too many", "text", text);
	only("one too many");
	cr_expect_eq(event.flags, TTLOG_EVENT_TRUNCATED);
	cr_expect_eq(event.value[0].size, ROOM - 16 - 1);
	ttlog_reader_close(reader);
	cr_expect_eq(totals_now().truncated, 1);
}

Test(encode, the_longest_strings_are_cut_and_the_short_stay_whole)
{
	char longest[5000], longer[1800], shorter[100];

	begin(0);
	memset(longest, 'a', sizeof(longest));
	memset(longer, 'b', sizeof(longer));
	memset(shorter, 'c', sizeof(shorter));
	longest[4999] = longer[1799] = shorter[99] = '\0';
	ttlog_info("cut", "n", 7, "a", longest, "b", longer, "c", shorter, "d",
		   ttlog_bytes(longest, 4999), "z", 8);
	only("cut");
	cr_expect_eq(event.flags, TTLOG_EVENT_TRUNCATED);
	expect_scalar(0, TTLOG_TYPE_I32, 7);
	expect_scalar(5, TTLOG_TYPE_I32, 8);
	cr_expect_eq(event.value[3].size, 99);
	/* (4024 - 16 - 2 x 4 - 100) / 3 is what each of the long ones gets. */
	cr_expect_eq(event.value[1].size, 1300 - 1);
	cr_expect_eq(event.value[2].size, 1300 - 1);
	cr_expect_eq(event.value[4].size, 1300 - 2);
	ttlog_reader_close(reader);
}

Test(encode, a_cut_never_parts_a_utf8_sequence)
{
	static const char *const signs[] = {"é", "€", "😀"};
	char text[6000];

	begin(0);
	for (uint32_t shift = 0; shift < 12; shift++) {
		const char *sign = signs[shift % 3];
		size_t width = strlen(sign), length = shift / 3;

		memset(text, 'x', length);
		for (; length + width < sizeof(text); length += width)
			memcpy(text + length, sign, width);
		text[length] = '\0';
		ttlog_info("signs", "shift", shift / 3, "width", width, "text", (const char *)text);
	}
	reader = view();
	for (uint32_t seen = 0; seen < 12; seen++) {
		cr_assert_not_null(next_of(reader, "signs", &event));
		cr_expect_eq((event.value[2].size - event.value[0].bits) % event.value[1].bits, 0);
		cr_expect_gt(event.value[2].size, 3900);
	}
	ttlog_reader_close(reader);
}

Test(encode, bytes_that_are_no_utf8_are_cut_where_the_room_ends)
{
	char text[100];

	memset(text, 0xbf, sizeof(text));
	cr_expect_eq(ttlog_cut_string(text, 50), 50);
	cr_expect_eq(ttlog_cut_string(text, 0), 0);
	cr_expect_eq(ttlog_cut_string(text, 2), 2);
	text[48] = (char)0xf0;
	cr_expect_eq(ttlog_cut_string(text, 50), 48);
	text[50] = 'x';
	cr_expect_eq(ttlog_cut_string(text, 50), 50);
}

Test(encode, twenty_long_strings_share_the_room)
{
	char t[6000];

	begin(0);
	memset(t, 't', sizeof(t));
	t[5999] = '\0';
	ttlog_info("many", "a", t, "b", t, "c", t, "d", t, "e", t, "f", t, "g", t, "h", t, "i", t, "j", t, "k", t,
		   "l", t, "m", t, "n", t, "o", t, "p", t, "q", t, "r", t, "s", t, "t", t);
	only("many");
	cr_expect_eq(event.value_count, 20);
	for (uint32_t i = 0; i < 20; i++)
		cr_expect_eq(event.value[i].size, 4008 / 20 - 1);
	ttlog_reader_close(reader);
	/* The same in a slot of 256 bytes: as an alert it goes to the large lane instead. */
	ttlog_warn("many alert", "a", t, "b", t, "c", t, "d", t, "e", t, "f", t, "g", t, "h", t, "i", t, "j", t,
		   "k", t, "l", t, "m", t, "n", t, "o", t, "p", t, "q", t, "r", t, "s", t, "t", t);
	only("many alert");
	cr_expect_eq(event.lane, TTLOG_LANE_ALERT_LARGE);
	ttlog_reader_close(reader);
}

Test(encode, the_plan_fits_any_room_that_holds_twenty_numbers)
{
	uint8_t types[TTLOG_FIELDS_MAX];
	struct ttlog_value values[TTLOG_FIELDS_MAX];
	struct ttlog_site site = {.field_count = TTLOG_FIELDS_MAX, .types = types};
	struct ttlog_encoding encoding;
	static char text[70000];

	memset(text, 't', sizeof(text) - 1);
	for (uint32_t i = 0; i < TTLOG_FIELDS_MAX; i++) {
		types[i] = i % 3 == 0 ? TTLOG_TYPE_U64 : i % 3 == 1 ? TTLOG_TYPE_STRING : TTLOG_TYPE_BYTES;
		values[i] = i % 3 == 0 ? ttlog_value_u64(i)
			  : i % 3 == 1 ? ttlog_value_string(text + 70000 - 1 - i * 3500)
				       : ttlog_value_bytes(ttlog_bytes(text, i * 3000));
	}
	for (uint32_t room = 176; room <= 32640; room += 8) {
		uint32_t payload = 0;

		ttlog_encoding_plan(&site, values, room, &encoding);
		for (uint32_t i = 0; i < TTLOG_FIELDS_MAX; i++)
			payload += encoding.value_size[i];
		cr_assert_eq(encoding.size, TTLOG_EVENT_SIZE_(payload));
		cr_assert_leq(encoding.size, room, "room %u", room);
		cr_assert_gt(encoding.size + 8 + 20, room, "room %u is wasted: %u", room, encoding.size);
		cr_assert_eq(encoding.flags, TTLOG_EVENT_TRUNCATED);
	}
}

Test(encode, a_string_that_shrinks_meanwhile_is_padded_by_what_is_there)
{
	/* The sizes are those of the plan, whatever another thread makes of the string after it. */
	char text[32] = "before";
	uint8_t type = TTLOG_TYPE_STRING;
	struct ttlog_site site = {.field_count = 1, .types = &type};
	struct ttlog_value value = ttlog_value_string(text);
	struct ttlog_encoding encoding;
	unsigned char out[16];

	ttlog_encoding_plan(&site, &value, 4024, &encoding);
	strcpy(text, "and a longer one");
	memset(out, '#', sizeof(out));
	ttlog_encode(out, &site, &value, &encoding);
	cr_expect_eq(encoding.value_size[0], 7);
	cr_expect_eq(memcmp(out, "and a \0##", 9), 0);
}
