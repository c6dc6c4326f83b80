/* SPDX-License-Identifier: MIT */
/* test_needle.c - what a regular expression can't match without, and finding it in bytes. */
#include <criterion/criterion.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "viewer/needle.h"

static struct span span_from(const char *text)
{
	return (struct span){text, strlen(text)};
}

/* "one|other", or "" where nothing is known. */
static void expect_needles(const char *regex, const char *wanted)
{
	struct needle needles[NEEDLES_MAX];
	char room[256], got[512] = "";
	const uint32_t count = needles_find(needles, span_from(regex), false, room);
	regex_t compiled;

	cr_assert_eq(regcomp(&compiled, regex, REG_EXTENDED | REG_NOSUB), 0, "%s", regex);
	regfree(&compiled);
	for (uint32_t i = 0; i < count; i++)
		sprintf(got + strlen(got), "%s%.*s", i ? "|" : "", (int)needles[i].text.bytes,
			needles[i].text.data);
	cr_expect_str_eq(got, wanted, "%s: %s", regex, got);
}

Test(needle, the_longest_plain_text_is_found)
{
	expect_needles("failed", "failed");
	expect_needles("status=5[0-9]+", "status=5");
	expect_needles("^request [a-z]+ failed$", "request ");
	expect_needles("a.bc.d", "bc");
	expect_needles("\\.conf\\w", ".conf");
	expect_needles("\\w+: \\(nil\\)", ": (nil)");
	expect_needles("x[[:alpha:]]yy[]]z[^]a]", "yy");
	expect_needles("[[:digit:][=a=]]b", "b");
	expect_needles("a\\\\b", "a\\b");
}

Test(needle, what_may_be_missing_is_none)
{
	expect_needles("ab?cd", "cd");
	expect_needles("abc*", "ab");
	expect_needles("abc+", "ab");
	expect_needles("abc{0,3}de", "ab");
	expect_needles("abc{2}+*def", "def");
	expect_needles("(abc)?d", "d");
	expect_needles("(abc){0}d", "d");
	expect_needles("a*", "");
	expect_needles(".*", "");
	expect_needles("[abc]", "");
	expect_needles("\\w\\s", "");
	/* One character, of two bytes. */
	expect_needles("abc\303\251*d", "abc");
}

Test(needle, of_choices_each_has_one)
{
	expect_needles("timeout|refused", "timeout|refused");
	expect_needles("(timeout|refused): .*", "timeout|refused");
	expect_needles("(a|b)cde", "cde");
	expect_needles("a|b|c|d", "a|b|c|d");
	expect_needles("a|b|c|d|e", "");
	expect_needles("a|.", "");
	expect_needles("((ab|cd)x|ef)", "ab|cd|ef");
	expect_needles("(ab|c*)d", "d");
}

Test(needle, is_found_wherever_it_is)
{
	static const char text[] = "nanana-Banana=bananaB\377\0z";
	static const char *const there[] = {"n",  "nana",  "nana-B", "Banana",
					    "=b", "B\377", "nananas"};
	char room[64];

	for (size_t i = 0; i < sizeof(there) / sizeof(*there); i++)
		for (size_t bytes = 0; bytes < sizeof(text); bytes++) {
			const struct span in = {text, bytes}, wanted = span_from(there[i]);
			struct needle needle;

			needle_make(&needle, wanted, false, room);
			cr_expect_eq(needle_in(&needle, in),
				     memmem(text, bytes, wanted.data, wanted.bytes) != NULL,
				     "%s in %zu bytes", there[i], bytes);
		}
}

Test(needle, folds_ascii_alone)
{
	static const struct {
		const char *needle, *text;
		bool there;
	} table[] = {
		{"banana", "a BANANA", true},
		{"BaNaNa", "xbAnAna", true},
		{"banana", "bananbanan", false},
		{"[a]", "{A}", false},
		{"\303\251", "\303\211", false},
		{"\303\251z", "\303\251Z", true},
		{"aab", "aaaaAAAB", true},
		{"k", "\342\204\252", false},
		{"b", "", false},
	};
	char room[64];

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct needle needle;

		needle_make(&needle, span_from(table[i].needle), true, room);
		cr_expect_eq(needle_in(&needle, span_from(table[i].text)), table[i].there,
			     "%s in %s", table[i].needle, table[i].text);
	}
}
