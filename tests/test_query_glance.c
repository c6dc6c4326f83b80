/* SPDX-License-Identifier: MIT */
/*
 * test_query_glance.c - --grep finds the same with its short cuts as without: thousands of
 * patterns, each asked of events of every kind, and of an event's line as it is written and
 * regexec() alone.
 */
#include <criterion/criterion.h>
#include <endian.h>
#include <locale.h>
#include <regex.h>

#include "tests/made_dump.h"
#include "tests/view_dump.h"
#include "viewer/message.h"
#include "viewer/query.h"

#define SITES 48
#define EVENTS 192
#define PATTERNS 2500
#define VALUES_BYTES_MAX 4096

static struct dump *dump;
static struct record records[EVENTS];
static struct out lines[EVENTS]; /* the message, and all of it: the message is in front */
static size_t message_bytes[EVENTS];
static unsigned char values[EVENTS][VALUES_BYTES_MAX];
static uint64_t state;

/* The same numbers everywhere. */
static unsigned int any(unsigned int limit)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned int)(state >> 33) % limit;
}

/* ---- texts that have much in common ------------------------------------------------------------
 */

static const char *const pieces[] = {
	"a",	    "b",
	"A",	    "=",
	"  ",	    " ",
	"-",	    "1",
	"0",	    "x",
	"e",	    "tr",
	"n=",	    " n=",
	"n",	    "5",
	"status",   "500",
	"K",	    "k",
	".",	    "true",
	"0x",	    "\n",
	"\303\251", "\377",
	"nan",	    "inf",
	"nu",	    "argl",
	"arg1",	    "(",
	"|",	    "\305\277tatus",
};

static const char *any_text(unsigned int pieces_max, char text[256])
{
	text[0] = '\0';
	for (unsigned int left = any(pieces_max + 1); left; left--)
		strcat(text, pieces[any(sizeof(pieces) / sizeof(*pieces))]);
	return text;
}

static const char *kept_text(unsigned int pieces_max)
{
	static char texts[4096][256];
	static unsigned int count;

	cr_assert_lt(count, 4096);
	return any_text(pieces_max, texts[count++]);
}

/* ---- events ------------------------------------------------------------------------------------
 */

static unsigned char *put_head(unsigned char *at, unsigned int major, uint64_t number)
{
	unsigned int bytes = number < 24 ? 0 : 8;

	while (bytes > 1 && number >> 4 * bytes == 0 && any(8))
		bytes /= 2;
	*at++ = (unsigned char)(major << 5 | (bytes ? 24 + (unsigned int)__builtin_ctz(bytes)
						    : (unsigned int)number));
	while (bytes--)
		*at++ = (unsigned char)(number >> 8 * bytes);
	return at;
}

static unsigned char *put_string(unsigned char *at, unsigned int major)
{
	char text[256];
	size_t bytes = strlen(any_text(5, text));

	if (bytes && !any(20))
		text[any((unsigned int)bytes)] = '\0';
	at = put_head(at, major, bytes);
	memcpy(at, text, bytes);
	return at + bytes;
}

static unsigned char *put_real(unsigned char *at)
{
	static const double reals[] = {0.5, 5, -0.1, 1e300, 500, 1e-7, 0.0 / 0.0, 1 / 0.0};
	const double real = reals[any(8)];
	const float single = (float)real;
	uint64_t bits;
	uint32_t half; /* of the bits */

	memcpy(&bits, &real, 8);
	memcpy(&half, &single, 4);
	bits = htobe64(bits);
	half = htobe32(half);
	if (any(2)) {
		*at = 0xfb;
		memcpy(at + 1, &bits, 8);
		return at + 9;
	}
	*at = 0xfa;
	memcpy(at + 1, &half, 4);
	return at + 5;
}

/* Anything that CBOR has, whatever the site says. */
static unsigned char *put_odd(unsigned char *at)
{
	static const char *const odd[] = {"\xf6",	  "\xf7",	  "\xf9\x3c\x01",
					  "\x82\x01\x02", "\xa1\x01\x02", "\xe0",
					  "\xf8\x30",	  "\xf4",	  "\xf5"};
	const char *item = odd[any(sizeof(odd) / sizeof(*odd))];

	switch (any(5)) {
	case 0:
		return put_string(at, 3);
	case 1:
		return put_string(at, 2);
	case 2:
		return put_real(at);
	case 3:
		return put_head(at, any(2), any(2) ? any(600) : UINT64_MAX - any(2));
	default:
		memcpy(at, item, strlen(item));
		return at + strlen(item);
	}
}

static unsigned char *put_value(unsigned char *at, enum field_type type)
{
	static const unsigned int numbers[] = {0, 1, 5, 10, 50, 500, 1500, 70000, 97, 65};

	if (!any(12))
		return put_odd(at);
	switch (type) {
	case FIELD_BOOL:
		*at = (unsigned char)(0xf4 + any(2));
		return at + 1;
	case FIELD_CHAR:
		return put_head(at, 0, any(20) ? any(256) : 300 + any(300));
	case FIELD_F32:
	case FIELD_F64:
		return put_real(at);
	case FIELD_STRING:
		return put_string(at, 2 + any(2));
	case FIELD_BYTES:
		return put_string(at, 2);
	case FIELD_INTERNED:
		return put_head(at, 0, any(10) ? MADE_STRINGS_FROM + any(8) : any(600));
	default:
		return put_head(at, any(4) == 0, numbers[any(10)]);
	}
}

/* So many values as the site has fields, or a few more or less; of a site without fields none. */
static void make_event(unsigned int index, const struct event *like, struct site *site)
{
	struct event *event = &records[index].event;
	unsigned int count = site->field_count;
	struct decode cursor;
	unsigned char *end;

	if (!any(6) && (count || site->level == LEVEL_UNKNOWN))
		count = any(count + 3);
	*event = *like;
	event->site = site;
	event->values = values[index];
	do {
		end = values[index];
		for (unsigned int i = 0; i < count; i++)
			end = put_value(end, i < site->field_count ? site->fields[i].type
								   : FIELD_UNKNOWN);
		cr_assert_lt(end - values[index], VALUES_BYTES_MAX);
		cursor = (struct decode){values[index], end};
	} while (decode_skip_many(&cursor, count)); /* nobody gives out such an event */
	event->value_count = count;
	event->values_bytes = (size_t)(end - values[index]);
	records[index].decoded = false;
}

/* As the panel shows it, and as it was promised. */
static void write_line(unsigned int index)
{
	struct record *record = &records[index];
	struct out *out = &lines[index];

	record_decode(record);
	out_init(out, -1);
	message_write(out, record->event.site, record->value, record->count);
	message_bytes[index] = out->bytes;
	for (uint32_t i = 0; i < record->count && !record->event.site->printf; i++) {
		out_char(out, ' ');
		out_span(out, record->value[i].name);
		out_char(out, '=');
		value_write(out, &record->value[i]);
	}
	out_bytes(out, "", 1);
	out->bytes--;
	record->decoded = false;
}

static void make_sites(void)
{
	static const uint8_t all[] = {TTLOG_TYPE_BOOL,	  TTLOG_TYPE_CHAR,   TTLOG_TYPE_I32,
				      TTLOG_TYPE_U64,	  TTLOG_TYPE_F32,    TTLOG_TYPE_F64,
				      TTLOG_TYPE_STRING,  TTLOG_TYPE_STRING, TTLOG_TYPE_I8,
				      TTLOG_TYPE_POINTER, TTLOG_TYPE_BYTES,  TTLOG_TYPE_INTERNED};
	static uint8_t types[SITES][8];
	const char *names[8];

	made_begin();
	for (unsigned int i = 0; i < SITES; i++) {
		const unsigned int count = any(5);

		memset(types[i], 0, sizeof(types[i]));
		for (unsigned int k = 0; k < count; k++) {
			types[i][k] = all[any(sizeof(all))];
			names[k] = kept_text(3);
		}
		made_site(TTLOG_INFO, "t", i % 12 ? kept_text(4) : "%d n=%s a%%", types[i],
			  i % 12 ? names : NULL);
	}
	for (made.string_count = 0; made.string_count < 8; made.string_count++)
		made.string[made.string_count] = kept_text(4);
	made_event(1000, 0, 1);
}

static void setup(void)
{
	unsigned char *bytes;
	struct event event, more;
	size_t size;
	const char *why;

	state = 7;
	make_sites();
	bytes = made_dump(&size);
	cr_assert_eq(view_bytes(&dump, bytes, size, &why), 0, "%s", why);
	free(bytes);
	cr_assert(dump_next(dump, &event));
	cr_assert(!dump_next(dump, &more));
	for (unsigned int i = 0; i < EVENTS; i++) {
		struct site *site = dictionary_site(dump_dictionary(dump),
						    i % 40 == 39 ? 4000 : 1 + any(SITES));

		make_event(i, &event, site);
		write_line(i);
	}
}

static void teardown(void)
{
	for (unsigned int i = 0; i < EVENTS; i++)
		out_fini(&lines[i]);
	dump_close(dump);
	free(made.event);
	made.event = NULL;
}

TestSuite(query_glance, .init = setup, .fini = teardown, .timeout = 240);

/* ---- patterns ----------------------------------------------------------------------------------
 */

/* A part of some event's line; what a pattern takes for its own is escaped, or is not. */
static void add_part(char pattern[512], unsigned int bytes_max)
{
	const struct out *line = &lines[any(EVENTS)];
	const bool escaped = any(8), flipped = !any(4);
	size_t from, bytes, to = strlen(pattern);

	if (!line->bytes)
		return;
	from = any((unsigned int)line->bytes);
	bytes = 1 + any(bytes_max);
	for (size_t i = from; i < line->bytes && i < from + bytes && line->data[i]; i++) {
		char c = line->data[i];

		if (escaped && strchr("\\^$.[]|()?*+{}", c))
			pattern[to++] = '\\';
		if (flipped && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
			c ^= ' ';
		pattern[to++] = c;
	}
	pattern[to] = '\0';
}

static void make_pattern(char pattern[512])
{
	static const char *const glue[] = {".*",     ".",	    "[0-9]+", "( |=)", "x?",
					   "(a|b)*", "[[:alpha:]]", "$",      "^",     "|",
					   "+",	     "*",	    "?",      "{1,2}", "{0}",
					   "(",	     ")",	    "[^]a]",  "(1|n",  "\\w",
					   "\\.",    "|a)",	    "()",     "[]=]"};

	pattern[0] = '\0';
	add_part(pattern, 14);
	if (any(3) == 0)
		return;
	for (unsigned int left = 1 + any(4); left; left--) {
		if (any(4))
			strcat(pattern, glue[any(sizeof(glue) / sizeof(*glue))]);
		if (any(3))
			add_part(pattern, 5);
	}
}

static bool is_found(const char *data, size_t bytes, struct span text, bool fold)
{
	for (size_t at = 0; at + text.bytes <= bytes; at++)
		if (fold ? strncasecmp(data + at, text.data, text.bytes) == 0
			 : memcmp(data + at, text.data, text.bytes) == 0)
			return true;
	return !text.bytes;
}

/* Without any of what is tested: the line, and the library or a loop. */
struct judge {
	struct span text;
	bool fold, is_plain;
	regex_t regex;
};

static void judge_open(struct judge *judge, struct span text)
{
	char copy[512];

	*judge = (struct judge){.text = text, .fold = pattern_wants_fold(text), .is_plain = true};
	snprintf(copy, sizeof(copy), "%.*s", (int)text.bytes, text.data);
	judge->is_plain = !strpbrk(copy, "\\^$.[]|()?*+{}");
	if (!judge->is_plain)
		cr_assert_eq(regcomp(&judge->regex, copy,
				     REG_EXTENDED | REG_NOSUB | (judge->fold ? REG_ICASE : 0)),
			     0);
}

static bool judge_fits(const struct judge *judge, const char *data, size_t bytes)
{
	regmatch_t whole = {.rm_so = 0, .rm_eo = (regoff_t)bytes};

	if (judge->is_plain)
		return is_found(data, bytes, judge->text, judge->fold);
	return regexec(&judge->regex, data, 1, &whole, REG_STARTEND) == 0;
}

static bool judge_event(const struct judge *judge, unsigned int index)
{
	const struct out *line = &lines[index];

	return judge_fits(judge, line->data, message_bytes[index]) ||
	       judge_fits(judge, line->data, line->bytes);
}

static void judge_close(struct judge *judge)
{
	if (!judge->is_plain)
		regfree(&judge->regex);
}

/* ---- the same answers --------------------------------------------------------------------------
 */

static unsigned int asked, matched, answers[QUERY_PRESENT + 1], patterns;

/* Of all events, with one pattern or two: both must be in it. */
static void ask(const char *const texts[], unsigned int count)
{
	struct query_error error;
	struct judge judges[2];
	struct query query;

	query_init(&query);
	for (unsigned int i = 0; i < count; i++)
		if (query_add_test(&query, QUERY_TEXT, QUERY_FITS, texts[i], &error)) {
			query_fini(&query);
			return;
		}
	for (unsigned int i = 0; i < count; i++)
		judge_open(&judges[i], query.nodes[i].test.values[0].text);
	query_forget(dump_dictionary(dump));
	patterns++;
	for (unsigned int i = 0; i < EVENTS; i++) {
		bool wanted = true, got = query_match(&query, &records[i]);

		for (unsigned int k = 0; k < count && wanted; k++)
			wanted = judge_event(&judges[k], i);
		cr_assert_eq(got, wanted, "-g '%s' -g '%s' of %s: %d", texts[0],
			     count > 1 ? texts[1] : "", lines[i].data, got);
		asked++;
		matched += got;
		if (records[i].event.site->verdict == SITE_DEPENDS)
			answers[query_glance(&query.nodes[0].test, &records[i].event)]++;
		records[i].decoded = false;
	}
	for (unsigned int i = 0; i < count; i++)
		judge_close(&judges[i]);
	query_fini(&query);
}

static void ask_many(void)
{
	char first[512], second[512];

	for (unsigned int i = 0; i < PATTERNS; i++) {
		make_pattern(first);
		make_pattern(second);
		ask((const char *const[]){first, second}, any(5) ? 1 : 2);
	}
	/* Patterns that were refused, events that all matched, and short cuts nobody took would
	 * prove nothing. */
	cr_log_info("%u patterns, %u matches of %u: absent %u, perhaps %u, present %u", patterns,
		    matched, asked, answers[QUERY_ABSENT], answers[QUERY_PERHAPS],
		    answers[QUERY_PRESENT]);
	cr_expect_gt(patterns, PATTERNS / 2);
	cr_expect_gt(matched, asked / 50);
	cr_expect_gt(answers[QUERY_ABSENT], asked / 5);
	cr_expect_gt(answers[QUERY_PERHAPS], asked / 50);
	cr_expect_gt(answers[QUERY_PRESENT], asked / 100);
}

Test(query_glance, thousands_of_patterns_find_what_the_line_has)
{
	cr_assert_not_null(setlocale(LC_ALL, "C"));
	ask_many();
}

/* Where characters have several bytes, and the long s is an s. */
Test(query_glance, the_same_where_text_is_utf8)
{
	cr_assert_not_null(setlocale(LC_CTYPE, "C.UTF-8"));
	ask_many();
}
