/* SPDX-License-Identifier: MIT */
#include "viewer/pattern.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX NEEDLE_BYTES_MAX
#define DEPTH_MAX 32
/*
 * The library copies what is counted (a++ is four of a), and what may be empty has a set of all its copies
 * for each of them: memory goes with the square of this.
 */
#define NODES_MAX 4096

struct pattern {
	enum pattern_kind kind;
	bool fold, literal; /* literal: a regular expression without anything special in it */
	bool have_regex;
	regex_t regex;
	struct needle needles[NEEDLES_MAX];
	uint32_t needle_count;
	size_t bytes;
	char text[]; /* and room for those of the needles */
};

static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 'a' - 'A') : c;
}

bool pattern_is_glob(struct span text)
{
	for (size_t i = 0; i < text.bytes; i++) {
		if (text.data[i] == '\\')
			i++;
		else if (text.data[i] == '*' || text.data[i] == '?')
			return true;
	}
	return false;
}

bool pattern_wants_fold(struct span text)
{
	for (size_t i = 0; i < text.bytes; i++) {
		if (text.data[i] == '\\')
			i++; /* \W and \S are no capitals */
		else if (text.data[i] >= 'A' && text.data[i] <= 'Z')
			return false;
	}
	return true;
}

/* ---- compiling --------------------------------------------------------------------------------
 */

/* The largest number in {n,m}, which is stepped over; 0: it is no count. */
static size_t take_count(const char **at, const char *end)
{
	size_t count = 0, number = 0;

	for (const char *digit = *at + 1; digit < end; digit++) {
		if (*digit == '}') {
			*at = digit;
			return count;
		}
		if (*digit == ',') {
			number = 0;
		} else if (*digit >= '0' && *digit <= '9') {
			number = number * 10 + (size_t)(*digit - '0');
			if (number > NODES_MAX)
				return number;
			count = number > count ? number : count;
		} else {
			return 0;
		}
	}
	return count;
}

/* How large the library's tree becomes, group by group. */
struct estimate {
	size_t all[DEPTH_MAX + 2]; /* of what was opened and is not closed yet */
	size_t last;		   /* of what a count would be of */
	size_t depth;
};

static void one_more(struct estimate *estimate, size_t nodes)
{
	estimate->last = nodes;
	estimate->all[estimate->depth] += nodes;
}

static void repeat(struct estimate *estimate, size_t times)
{
	estimate->all[estimate->depth] += estimate->last * (times - 1) + 1;
	estimate->last = estimate->last * times + 1;
}

/* Steps over a set in brackets; what follows the first one is itself, also a bracket. */
static const char *skip_set(const char *at, const char *end)
{
	at += at + 1 < end && at[1] == '^';
	at += at + 1 < end && at[1] == ']';
	for (at++; at < end && *at != ']'; at++)
		;
	return at;
}

static const char *look_at(struct estimate *estimate, const char **at, const char *end)
{
	switch (**at) {
	case '\\':
		if (*at + 1 < end && (*at)[1] >= '1' && (*at)[1] <= '9')
			return "back-references are not supported";
		++*at;
		one_more(estimate, 1);
		break;
	case '[':
		*at = skip_set(*at, end);
		if (*at >= end)
			return "a [ without its ]";
		one_more(estimate, 1);
		break;
	case '(':
		if (++estimate->depth > DEPTH_MAX)
			return "too many parentheses in each other";
		estimate->all[estimate->depth] = 1;
		break;
	case ')':
		if (estimate->depth) {
			estimate->depth--;
			one_more(estimate, estimate->all[estimate->depth + 1]);
		}
		break;
	case '*':
	case '?':
		repeat(estimate, 1);
		break;
	case '+':
		repeat(estimate, 2);
		break;
	case '{':
		repeat(estimate, take_count(at, end) + 1);
		break;
	default:
		one_more(estimate, 1);
	}
	return estimate->all[estimate->depth] > NODES_MAX ? "too many repetitions" : NULL;
}

const char *pattern_refused(struct span text)
{
	const char *at = text.bytes ? text.data : "", *end = at + text.bytes, *why = NULL;
	struct estimate estimate = {0};

	if (text.bytes > TEXT_MAX)
		return "too long for a regular expression";
	if (text.bytes && memchr(text.data, '\0', text.bytes))
		return "not a character of a regular expression";
	for (; at < end && !why; at++)
		why = look_at(&estimate, &at, end);
	return why;
}

static bool is_literal(struct span text)
{
	for (size_t i = 0; i < text.bytes; i++)
		if (strchr("\\^$.[]|()?*+{}", text.data[i]))
			return false;
	return true;
}

/* The library's words are a buffer's, and these are few. */
static const char *words_of(int error)
{
	switch (error) {
	case REG_EBRACK:
		return "a [ without its ]";
	case REG_EPAREN:
		return "a ( without its )";
	case REG_EBRACE:
		return "a { without its }";
	case REG_BADBR:
		return "not a count between { and }";
	case REG_ERANGE:
		return "a range that ends before it starts";
	case REG_ECTYPE:
		return "not a class of characters";
	case REG_EESCAPE:
		return "a \\ with nothing behind it";
	case REG_BADRPT:
		return "nothing in front of what repeats it";
	default:
		return "not a regular expression";
	}
}

static void find_needles(struct pattern *pattern)
{
	const struct span text = {pattern->text, pattern->bytes};
	char *room = pattern->text + pattern->bytes + 1;

	if (pattern->kind != PATTERN_REGEX || !pattern->bytes)
		return;
	/* Where characters have many bytes, more than its capital folds to a letter: the long s to an s. */
	if (pattern->literal)
		needle_make(&pattern->needles[pattern->needle_count++], text, pattern->fold, room);
	else if (!pattern->fold || MB_CUR_MAX == 1)
		pattern->needle_count = needles_find(pattern->needles, text, pattern->fold, room);
}

int pattern_compile(struct pattern **ret_pattern, struct span text, enum pattern_kind kind, bool fold,
		    const char **ret_why)
{
	struct pattern *pattern;
	int error;

	*ret_why = kind == PATTERN_REGEX ? pattern_refused(text) : NULL;
	if (*ret_why)
		return -EINVAL;
	pattern = calloc(1, sizeof(*pattern) + 2 * text.bytes + 1);
	if (!pattern)
		return -ENOMEM;
	pattern->kind = kind;
	pattern->fold = fold;
	pattern->bytes = text.bytes;
	if (text.bytes)
		memcpy(pattern->text, text.data, text.bytes);
	pattern->literal = kind == PATTERN_REGEX && is_literal(text);
	if (kind == PATTERN_REGEX && !pattern->literal) {
		error = regcomp(&pattern->regex, pattern->text,
				REG_EXTENDED | REG_NOSUB | (fold ? REG_ICASE : 0));
		if (error) {
			*ret_why = words_of(error);
			free(pattern);
			return error == REG_ESPACE ? -ENOMEM : -EINVAL;
		}
		pattern->have_regex = true;
	}
	find_needles(pattern);
	*ret_pattern = pattern;
	return 0;
}

void pattern_free(struct pattern *pattern)
{
	if (pattern && pattern->have_regex)
		regfree(&pattern->regex);
	free(pattern);
}

/* ---- matching ---------------------------------------------------------------------------------
 */

static bool same(const struct pattern *pattern, char a, char b)
{
	return pattern->fold ? lower((unsigned char)a) == lower((unsigned char)b) : a == b;
}

/* Backs up to the last * only, so the time is at most the product of both lengths. */
static bool glob_matches(const struct pattern *pattern, struct span text)
{
	const char *at = pattern->text, *end = at + pattern->bytes, *star = NULL;
	const char *from = text.data, *stop = from + text.bytes, *retry = NULL;

	while (from < stop) {
		bool escaped = at + 1 < end && *at == '\\';

		if (at < end && *at == '*') {
			star = ++at;
			retry = from;
		} else if (at < end && ((!escaped && *at == '?') ||
					same(pattern, at[escaped], *from))) {
			at += 1 + escaped;
			from++;
		} else if (star) {
			at = star;
			from = ++retry;
		} else {
			return false;
		}
	}
	while (at < end && *at == '*')
		at++;
	return at == end;
}

bool pattern_matches(const struct pattern *pattern, struct span text)
{
	regmatch_t whole = {.rm_so = 0, .rm_eo = (regoff_t)text.bytes};

	if (!text.bytes)
		text.data = "";
	if (pattern->kind == PATTERN_GLOB)
		return glob_matches(pattern, text);
	if (pattern->literal)
		return !pattern->needle_count || needle_in(pattern->needles, text);
	return regexec(&pattern->regex, text.data, 1, &whole, REG_STARTEND) == 0;
}

uint32_t pattern_needles(const struct pattern *pattern, const struct needle **ret_needles)
{
	*ret_needles = pattern->needles;
	return pattern->needle_count;
}

bool pattern_is_literal(const struct pattern *pattern)
{
	return pattern->literal;
}
