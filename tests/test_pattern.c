/* SPDX-License-Identifier: MIT */
/* test_pattern.c - globs and regular expressions, what they fit and what is refused. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "viewer/pattern.h"

static struct span span_from(const char *text)
{
	return (struct span){text, strlen(text)};
}

static bool fits(enum pattern_kind kind, bool fold, const char *pattern, const char *text)
{
	struct pattern *compiled;
	const char *why;
	bool result;

	cr_assert_eq(pattern_compile(&compiled, span_from(pattern), kind, fold, &why), 0, "%s: %s",
		     pattern, why);
	result = pattern_matches(compiled, span_from(text));
	pattern_free(compiled);
	return result;
}

Test(pattern, a_glob_fits_the_whole_text)
{
	static const struct {
		const char *glob, *text;
		bool wanted;
	} table[] = {
		{"db.*", "db.pool", true},	 {"db.*", "db", false},
		{"db.*", "xdb.pool", false},	 {"*", "", true},
		{"", "", true},			 {"", "a", false},
		{"a?c", "abc", true},		 {"a?c", "ac", false},
		{"*b*", "abc", true},		 {"*b*", "ac", false},
		{"*a*b*c*", "xxaxxbxxcxx", true}, {"*ab", "aab", true},
		{"*aab*", "aaaaab", true},	 {"a\\*c", "a*c", true},
		{"a\\*c", "abc", false},	 {"a\\?", "a?", true},
		{"\\", "\\", true},		 {"a**", "a", true},
		{"A", "a", false},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		cr_expect_eq(fits(PATTERN_GLOB, false, table[i].glob, table[i].text),
			     table[i].wanted, "%s on %s", table[i].glob, table[i].text);
	cr_expect(fits(PATTERN_GLOB, true, "dB.*", "Db.x"));
}

Test(pattern, a_glob_of_many_stars_takes_no_time)
{
	char glob[201], text[5001];

	for (unsigned int i = 0; i < 200; i++)
		glob[i] = i & 1 ? 'a' : '*';
	glob[200] = '\0';
	memset(text, 'a', 5000);
	text[5000] = '\0';
	cr_expect(fits(PATTERN_GLOB, false, glob, text));
	text[4999] = 'b';
	cr_expect_not(fits(PATTERN_GLOB, false, glob, text));
}

Test(pattern, a_regular_expression_is_searched_for)
{
	static const struct {
		const char *regex, *text;
		bool wanted;
	} table[] = {
		{"b", "abc", true},	   {"^b", "abc", false},   {"^a.c$", "abc", true},
		{"a|z", "xz", true},	   {"[0-9]{3}", "12", false}, {"[0-9]{3}", "x123", true},
		{"", "", true},		   {"", "abc", true},	   {"abc", "ab", false},
		{"(ab)+$", "xabab", true}, {"[]]", "a]", true},	   {"\\.", "a", false},
		{"[(]{1,2}", "((", true},	   {"^[a-z0-9]{1,250}$", "abc", true},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		cr_expect_eq(fits(PATTERN_REGEX, false, table[i].regex, table[i].text),
			     table[i].wanted, "%s on %s", table[i].regex, table[i].text);
	cr_expect(fits(PATTERN_REGEX, true, "time.?out", "Connection TimeOut"));
	cr_expect(fits(PATTERN_REGEX, true, "timeout", "Connection TimeOut"));
	cr_expect_not(fits(PATTERN_REGEX, false, "timeout", "Connection TimeOut"));
	cr_expect(fits(PATTERN_REGEX, true, "TIMEOUT", "timeout"));
}

Test(pattern, looks_at_a_spans_bytes_only_and_at_all_of_them)
{
	struct pattern *compiled;
	const char *why;

	cr_assert_eq(pattern_compile(&compiled, span_from("c$"), PATTERN_REGEX, false, &why), 0);
	cr_expect(pattern_matches(compiled, (struct span){"abcd", 3}));
	cr_expect(pattern_matches(compiled, (struct span){"a\0c", 3}));
	cr_expect_not(pattern_matches(compiled, (struct span){NULL, 0}));
	pattern_free(compiled);
}

Test(pattern, says_what_is_wrong)
{
	static const struct {
		const char *regex, *why;
	} table[] = {
		{"a[b", "a [ without its ]"},
		{"a[", "a [ without its ]"},
		{"a(b", "a ( without its )"},
		{"*a", "nothing in front"},
		{"a{2", "a { without its }"},
		{"[b-a]", "a range that ends before it starts"},
		{"a\\", "nothing behind it"},
		{"(a)\\1", "back-references"},
		{"((a{100}){100}){100}", "too many repetitions"},
		{"a{99999999999}", "too many repetitions"},
		{"(a?){5000}", "too many repetitions"},
		{"(a?){999}{999}", "too many repetitions"},
		{"a{9}{9}{9}{9}{9}", "too many repetitions"},
		{"a++++++++++++++++++++++++", "too many repetitions"},
		{"((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+)+", "too many repetitions"},
		{"((((((((((((((((((((((((((((((((((a", "too many parentheses"},
	};
	struct pattern *compiled;
	const char *why;
	char text[1200];

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		cr_expect_eq(pattern_compile(&compiled, span_from(table[i].regex), PATTERN_REGEX,
					     false, &why),
			     -EINVAL, "%s", table[i].regex);
		cr_expect(strstr(why, table[i].why), "%s: %s", table[i].regex, why);
	}
	memset(text, 'a', sizeof(text));
	cr_expect_eq(pattern_compile(&compiled, (struct span){text, sizeof(text)}, PATTERN_REGEX,
				     false, &why),
		     -EINVAL);
	cr_expect_eq(pattern_compile(&compiled, (struct span){"a\0b", 3}, PATTERN_REGEX, false, &why),
		     -EINVAL);
}

Test(pattern, knows_a_glob_and_a_capital)
{
	cr_expect(pattern_is_glob(span_from("db.*")));
	cr_expect(pattern_is_glob(span_from("d?")));
	cr_expect_not(pattern_is_glob(span_from("db\\*")));
	cr_expect_not(pattern_is_glob(span_from("db")));
	cr_expect(pattern_wants_fold(span_from("timeout\\W")));
	cr_expect_not(pattern_wants_fold(span_from("Timeout")));
}
