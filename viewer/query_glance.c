/* SPDX-License-Identifier: MIT */
/*
 * query_glance.c - can what --grep looks for be in an event's line at all? Without making the line.
 *
 * The line is "MESSAGE NAME=VALUE NAME=VALUE ...". What is constant in it is looked at once a site:
 * whether a needle is there, and where one could begin in it and end in a value, or begin in a
 * value and end in it. Of an event its strings are looked through as they lie there, and of a
 * number only whether it could have such characters. Whatever is not plain is for who makes the
 * line.
 */
#include <string.h>

#include "viewer/query.h"

#define NEVER 255

_Static_assert(DUMP_FIELDS_MAX < NEVER, "counts of values fit");

/* What a value that is no text is written with. */
enum made { MADE_DIGITS, MADE_NEGATIVE, MADE_POINTER, MADE_HEX, MADE_REAL, MADE_BOOL, MADE_NULL };

/* ---- the constant texts of a site --------------------------------------------------------------
 */

static void at_most(uint8_t *least, uint32_t count)
{
	if (count < *least)
		*least = (uint8_t)count;
}

/* From the end of the text in front of a value on into it. */
static void cross_into(struct site_glance *glance, const struct needle *needle, struct span front,
		       uint32_t field)
{
	const char *text = needle->text.data;
	const size_t bytes = needle->text.bytes;

	for (size_t at = 1; at < bytes && at <= front.bytes; at++) {
		if (text[at - 1] != '=' ||
		    !needle_is_at(needle, 0, front.data + front.bytes - at, at))
			continue;
		/* The rest is the start of the value, unless it could be all of one and go on
		 * behind it. */
		if (glance->cross_at || memchr(text + at, ' ', bytes - at)) {
			at_most(&glance->odd_from, field + 1);
		} else {
			glance->cross_at = (uint16_t)at;
			glance->cross_field = (uint8_t)field;
		}
	}
}

/* From the end of a value on into the text behind it, and perhaps beyond that. */
static void cross_out_of(struct site_glance *glance, const struct needle *needle,
			 struct span behind, uint32_t field)
{
	const size_t bytes = needle->text.bytes;

	for (size_t at = 1; at < bytes; at++) {
		const size_t length = bytes - at < behind.bytes ? bytes - at : behind.bytes;

		if (needle->text.data[at] == ' ' && needle_is_at(needle, at, behind.data, length))
			at_most(&glance->odd_from, field + 1);
	}
}

static void learn_field(struct site *site, uint32_t field, struct span constant,
			const struct needle *needles, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct site_glance *glance = &site->glance[i];

		if (needle_in(&needles[i], constant))
			at_most(&glance->there_from, field + 1);
		cross_into(glance, &needles[i], constant, field);
		if (field)
			cross_out_of(glance, &needles[i], constant, field);
	}
}

/* Which values that are no texts could have all of it in them, as far as their characters go. */
static unsigned int kinds_with(const struct needle *needle)
{
	static const char *const made_of[] = {
		[MADE_DIGITS] = "0123456789",
		[MADE_NEGATIVE] = "-0123456789",
		[MADE_POINTER] = "0123456789abcdefx",
		[MADE_HEX] = "0123456789abcdef",
		[MADE_REAL] = "0123456789.,e+-infa",
		[MADE_BOOL] = "truefals",
		[MADE_NULL] = "nul",
	};
	unsigned int kinds = 0;

	for (unsigned int kind = 0; kind < sizeof(made_of) / sizeof(*made_of); kind++) {
		size_t i = 0;

		while (i < needle->text.bytes && strchr(made_of[kind], needle->text.data[i]))
			i++;
		kinds |= (unsigned int)(i == needle->text.bytes) << kind;
	}
	return kinds;
}

void query_glance_learn(struct query *query, const struct query_test *test, struct site *site)
{
	const struct pattern *pattern = test->values[0].pattern;
	struct out *out = &query->scratch;
	const struct needle *needles;
	const uint32_t count = pattern_needles(pattern, &needles);

	site->glance_of = pattern;
	for (uint32_t i = 0; i < NEEDLES_MAX; i++)
		site->glance[i] = (struct site_glance){
			.there_from = NEVER,
			.odd_from = NEVER,
			.cross_field = NEVER,
			.kinds = (uint8_t)(i < count ? kinds_with(&needles[i]) : 0)};
	for (uint32_t field = 0; field < site->field_count; field++) {
		out->bytes = 0;
		if (!field)
			out_span(out, site->message);
		out_char(out, ' ');
		out_span(out, site->fields[field].name);
		out_char(out, '=');
		learn_field(site, field, span_of(out), needles, count);
	}
	/* Of half a text nothing was learned. */
	if (out->error)
		site->glance_of = NULL;
}

/* ---- the values of an event --------------------------------------------------------------------
 */

struct seen {
	bool is_text; /* or digits, which are made when somebody asks for them */
	enum made made;
	struct span text;
	uint64_t number;
	char digits[20];
};

static void see_uint(const struct event *event, enum field_type type, struct seen *seen)
{
	seen->made = MADE_DIGITS;
	if (type == FIELD_POINTER) {
		seen->made = MADE_POINTER;
	} else if (type == FIELD_CHAR && seen->number < 256) {
		seen->digits[0] = (char)seen->number;
		seen->text = (struct span){seen->digits, 1};
		seen->is_text = true;
	} else if (type == FIELD_INTERNED) {
		seen->text = dictionary_string(dump_dictionary(event->dump), seen->number);
		seen->is_text = seen->text.data;
	}
}

/* False: it is something odd. */
static bool see(const struct event *event, enum field_type type, struct decode *cursor,
		struct seen *seen)
{
	static const enum made made_of[] = {
		[TOKEN_NEGATIVE] = MADE_NEGATIVE, [TOKEN_BYTES] = MADE_HEX,
		[TOKEN_F32] = MADE_REAL,	  [TOKEN_F64] = MADE_REAL,
		[TOKEN_BOOL] = MADE_BOOL,	  [TOKEN_NULL] = MADE_NULL,
	};
	struct token token;

	if (decode_next(cursor, &token) || token.kind == TOKEN_ARRAY || token.kind == TOKEN_MAP)
		return false;
	seen->is_text = token.kind == TOKEN_TEXT ||
			(token.kind == TOKEN_BYTES && type == FIELD_STRING);
	seen->text = token.span;
	seen->number = token.number;
	if (token.kind == TOKEN_UINT)
		see_uint(event, type, seen);
	else if (token.kind != TOKEN_TEXT)
		seen->made = made_of[token.kind];
	return true;
}

static void make_digits(struct seen *seen)
{
	size_t at = sizeof(seen->digits);

	do {
		seen->digits[--at] = (char)('0' + seen->number % 10);
		seen->number /= 10;
	} while (seen->number);
	seen->text = (struct span){seen->digits + at, sizeof(seen->digits) - at};
	seen->is_text = true;
}

static enum query_glance look_at(const struct site_glance *glance, const struct needle *needle,
				 uint32_t field, struct seen *seen)
{
	const bool is_crossed = glance->cross_field == field;
	const size_t rest = needle->text.bytes - glance->cross_at;

	if (!seen->is_text) {
		if (!is_crossed && !(glance->kinds >> seen->made & 1))
			return QUERY_ABSENT;
		if (seen->made != MADE_DIGITS)
			return QUERY_PERHAPS;
		make_digits(seen);
	}
	if (is_crossed && seen->text.bytes >= rest &&
	    needle_is_at(needle, glance->cross_at, seen->text.data, rest))
		return QUERY_PRESENT;
	return needle_in(needle, seen->text) ? QUERY_PRESENT : QUERY_ABSENT;
}

/* That one is there is enough for a text, and for a regular expression a reason to make the line.
 */
static enum query_glance found(const struct pattern *pattern)
{
	return pattern_is_literal(pattern) ? QUERY_PRESENT : QUERY_PERHAPS;
}

enum query_glance query_glance(const struct query_test *test, const struct event *event)
{
	const struct site *site = event->site;
	const struct pattern *pattern = test->values[0].pattern;
	struct decode cursor = {event->values, event->values + event->values_bytes};
	const struct needle *needles;
	const uint32_t count = pattern_needles(pattern, &needles);
	struct seen seen;

	if (site->glance_of != pattern || !count || event->value_count > site->field_count)
		return QUERY_PERHAPS;
	for (uint32_t field = 0; field < event->value_count; field++) {
		if (!see(event, site->fields[field].type, &cursor, &seen))
			return QUERY_PERHAPS;
		for (uint32_t i = 0; i < count; i++) {
			const enum query_glance answer =
				look_at(&site->glance[i], &needles[i], field, &seen);

			if (answer != QUERY_ABSENT)
				return answer == QUERY_PRESENT ? found(pattern) : answer;
		}
	}
	for (uint32_t i = 0; i < count; i++) {
		if (event->value_count >= site->glance[i].there_from)
			return found(pattern);
		if (event->value_count >= site->glance[i].odd_from)
			return QUERY_PERHAPS;
	}
	return QUERY_ABSENT;
}
