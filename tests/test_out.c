/* SPDX-License-Identifier: MIT */
/* test_out.c - what a terminal may see, and what a JSON reader may. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "viewer/out.h"

static struct out out;

static void setup(void)
{
	out_init(&out, -1);
}

static void teardown(void)
{
	out_fini(&out);
}

TestSuite(out, .init = setup, .fini = teardown);

#define SPAN(text) ((struct span){text, sizeof(text) - 1})

static const char *ended(void)
{
	out_char(&out, '\0');
	out.bytes = 0;
	return out.data;
}

static void expect_escaped(struct span from, char quote, const char *wanted, size_t columns)
{
	size_t taken = out_escaped(&out, from, quote);
	const char *got = ended();

	cr_expect_str_eq(got, wanted, "got %s, wanted %s", got, wanted);
	cr_expect_eq(taken, columns, "%s takes %zu columns, not %zu", wanted, columns, taken);
}

Test(out, a_terminal_sees_no_commands)
{
	expect_escaped(SPAN("plain text"), 0, "plain text", 10);
	expect_escaped(SPAN("\033[31mred\033[0m"), 0, "\\x1b[31mred\\x1b[0m", 18);
	expect_escaped(SPAN("a\nb\tc\rd\be"), 0, "a\\nb\\tc\\rd\\be", 13);
	expect_escaped(SPAN("\0\x7f"), 0, "\\x00\\x7f", 8);
	/* C1 controls as UTF-8, and as bare bytes */
	expect_escaped(SPAN("\xc2\x9b"
			    "31m"),
		       0, "\\u009b31m", 9);
	expect_escaped(SPAN("\x9b"
			    "31m"),
		       0, "\\x9b31m", 7);
	/* right-to-left override, zero width, byte order mark, tags */
	expect_escaped(SPAN("\xe2\x80\xae"), 0, "\\u202e", 6);
	expect_escaped(SPAN("\xe2\x80\x8b"), 0, "\\u200b", 6);
	expect_escaped(SPAN("\xef\xbb\xbf"), 0, "\\ufeff", 6);
	expect_escaped(SPAN("\xf3\xa0\x81\x81"), 0, "\\U000e0041", 10);
}

Test(out, good_text_of_any_language_stays)
{
	expect_escaped(SPAN("gr\xc3\xbc\xc3\x9f"
			    "e \xe4\xb8\xad\xf0\x9f\x98\x80"),
		       0,
		       "gr\xc3\xbc\xc3\x9f"
		       "e \xe4\xb8\xad\xf0\x9f\x98\x80",
		       8);
	expect_escaped(SPAN("C:\\new"), 0, "C:\\new", 6);
	expect_escaped(SPAN("a \"b\" \\"), '"', "a \\\"b\\\" \\\\", 10);
}

Test(out, bytes_that_are_not_utf8_are_shown_as_such)
{
	expect_escaped(SPAN("\xff\xfe"), 0, "\\xff\\xfe", 8);
	expect_escaped(SPAN("\xc0\xaf"), 0, "\\xc0\\xaf", 8);		     /* overlong */
	expect_escaped(SPAN("\xe0\x80\x80"), 0, "\\xe0\\x80\\x80", 12);
	expect_escaped(SPAN("\xf0\x80\x80\x80"), 0, "\\xf0\\x80\\x80\\x80", 16);
	expect_escaped(SPAN("\xed\xa0\x80"), 0, "\\xed\\xa0\\x80", 12);	     /* surrogate */
	expect_escaped(SPAN("\xf4\x90\x80\x80"), 0, "\\xf4\\x90\\x80\\x80", 16); /* too large */
	expect_escaped(SPAN("\xe2\x82"), 0, "\\xe2\\x82", 8);		     /* cut */
}

Test(out, json_is_always_valid)
{
	out_json_string(&out, SPAN("a\"b\\c\n\x01\x7f\0"));
	cr_expect_str_eq(ended(), "\"a\\\"b\\\\c\\n\\u0001\\u007f\\u0000\"");
	out_json_string(&out, SPAN("\xff\xc3\xbc\xe2\x82"));
	cr_expect_str_eq(ended(), "\"\xef\xbf\xbd\xc3\xbc\xef\xbf\xbd\xef\xbf\xbd\"");
}

Test(out, numbers_are_whole)
{
	out_uint(&out, UINT64_MAX);
	out_char(&out, ' ');
	out_int(&out, INT64_MIN);
	out_char(&out, ' ');
	out_int(&out, 0);
	cr_expect_str_eq(ended(), "18446744073709551615 -9223372036854775808 0");
}

Test(out, counts_are_in_groups_of_three_and_lined_up)
{
	static const struct {
		uint64_t count;
		size_t columns;
		const char *text;
	} rows[] = {
		{0, 0, "0"},		{999, 5, "  999"},	{1000, 5, "1,000"},	{1000, 6, " 1,000"},
		{1234567, 0, "1,234,567"}, {UINT64_MAX, 4, "18,446,744,073,709,551,615"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		out_count(&out, rows[i].count, rows[i].columns);
		cr_expect_str_eq(ended(), rows[i].text);
	}
}

Test(out, more_than_a_buffer_reaches_the_descriptor_in_order)
{
	char name[] = "/tmp/test_out.XXXXXX", data[4096];
	int fd = mkstemp(name);
	struct out file;
	uint64_t wanted = 0;
	ssize_t got;

	cr_assert_geq(fd, 0);
	unlink(name);
	out_init(&file, fd);
	for (unsigned int i = 0; i < 100000; i++)
		out_printf(&file, "%07u\n", i);
	out_pad(&file, 'x', 1 << 20);
	cr_expect_eq(out_flush(&file), 0);
	cr_expect_eq(lseek(fd, 0, SEEK_CUR), 800000 + (1 << 20));
	lseek(fd, 0, SEEK_SET);
	while (wanted < 100000 && (got = read(fd, data, 8)) == 8)
		cr_assert_eq(strtoull(data, NULL, 10), wanted++);
	cr_expect_eq(wanted, 100000);
	out_fini(&file);
	close(fd);
}

Test(out, errors_stick)
{
	struct out broken;

	out_init(&broken, 1000000);
	out_text(&broken, "x");
	cr_expect_neq(out_flush(&broken), 0);
	out_text(&broken, "y");
	cr_expect_neq(out_flush(&broken), 0);
	out_fini(&broken);
}
