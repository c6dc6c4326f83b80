/* SPDX-License-Identifier: MIT */
/*
 * test_filter.c - the filters of rules mean what those of the viewer mean: the same texts to both,
 * about the same events. And what is wrong with a rule is said with its place.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "recorder/filter.h"
#include "recorder/rules.h"
#include "tests/made_dump.h"
#include "tests/view_dump.h"
#include "viewer/query.h"

#define EVENTS 5

static unsigned char *bytes;
static size_t byte_count;

static const uint8_t types[] = {TTLOG_TYPE_BOOL,
				TTLOG_TYPE_CHAR,
				TTLOG_TYPE_I32,
				TTLOG_TYPE_U64,
				TTLOG_TYPE_F32,
				TTLOG_TYPE_F64,
				TTLOG_TYPE_STRING,
				TTLOG_TYPE_POINTER,
				TTLOG_TYPE_I8,
				TTLOG_TYPE_BYTES,
				0};
static const char *const names[] = {"flag", "char", "n",     "big",   "single",
				    "real", "text", "where", "level", "raw"};

static uint64_t bits_of(double real)
{
	uint64_t bits;

	memcpy(&bits, &real, sizeof(bits));
	return bits;
}

static uint64_t bits_of_single(float single)
{
	uint32_t bits;

	memcpy(&bits, &single, sizeof(bits));
	return bits;
}

static void fill(struct made_event *event, int64_t n, double real, const char *text)
{
	const uint64_t bits[] = {n > 0,
				 'a' + (uint64_t)(n & 3),
				 (uint64_t)n,
				 UINT64_MAX - (uint64_t)n,
				 bits_of_single((float)real),
				 bits_of(real),
				 0,
				 0x10,
				 (uint64_t)-n};

	for (unsigned int i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		event->value[i].bits = bits[i];
	event->value[6].data = text;
	event->value[6].size = (uint32_t)strlen(text);
	event->value[9].data = "\x01\xab";
	event->value[9].size = 2;
}

static void setup(void)
{
	static const uint8_t no_types[] = {0};
	static const char *const no_names[] = {NULL};

	made_begin();
	made_site(TTLOG_INFO, "http", "Request done", types, names);
	made_site(TTLOG_ERROR, "db.pool", "", no_types, no_names);
	made_site(TTLOG_WARN, "http", "slow, very", types, names);
	fill(made_event(1000, 0, 1), 7, 0.5, "alice");
	made_event(2000, 0, 2);
	fill(made_event(3000, 0, 3), -3, 1e300, "a,b");
	fill(made_event(4000, 0, 1), 0, -0.1, "");
	fill(made_event(5000, 0, 3), 500, 500, "Zoe");
	bytes = made_dump(&byte_count);
}

static void teardown(void)
{
	free(bytes);
	free(made.event);
	made.event = NULL;
}

TestSuite(filter, .init = setup, .fini = teardown, .timeout = 120);

static void view_all(struct query *query, bool ret_matches[EVENTS])
{
	struct record record;
	struct dump *dump;
	const char *why;

	cr_assert_eq(view_bytes(&dump, bytes, byte_count, &why), 0, "%s", why);
	for (int i = 0; i < EVENTS; i++) {
		record.decoded = false;
		cr_assert_eq(dump_next(dump, &record.event), 1);
		ret_matches[i] = query_match(query, &record);
	}
	dump_close(dump);
}

static bool filter_matches(const struct filter *filter, int index)
{
	const struct made_event *from = &made.event[index];
	const struct ttlog_reader_site *site = ttlog_reader_site(&made, from->site);
	struct ttlog_reader_event event = {
		.site = from->site,
		.lane = from->lane,
		.value_count = from->value_count,
	};
	bool is_match;

	memcpy(event.value, from->value, sizeof(event.value));
	is_match = filter_match(filter, site, &event, NULL, NULL);
	cr_assert(!is_match || !filter_refuses_site(filter, site), "refused by its site");
	cr_assert(!is_match || site->level >= filter_level(filter));
	return is_match;
}

/* Both take it and agree, or both refuse it. */
static void compare(const char *text)
{
	struct filter filter = {0};
	struct filter_error error;
	struct query_error query_error;
	struct query query;
	bool matches[EVENTS];
	int mine, theirs;

	query_init(&query);
	mine = filter_add(&filter, text, &error);
	theirs = query_add(&query, text, &query_error);
	cr_assert_eq(mine, theirs, "%s: %s / %s", text, mine ? error.why : "fine",
		     theirs ? query_error.why : "fine");
	if (!mine)
		view_all(&query, matches);
	for (int i = 0; !mine && i < EVENTS; i++)
		cr_expect_eq(filter_matches(&filter, i), matches[i], "%s, event %d", text, i);
	filter_fini(&filter);
	query_fini(&query);
}

Test(filter, means_what_the_viewer_means)
{
	static const char *const keys[] = {"level",	   "target", "msg",  "file",  "line",
					   "func",	   "flag",   "char", "n",     "big",
					   "single",	   "real",   "text", "where", "none",
					   "fields.level", "raw"};
	static const char *const operators[] = {"=", "==", "!=", "~=", "!~=", "<", "<=", ">", ">="};
	static const char *const values[] = {"error",
					     "WARN,info",
					     "7",
					     "-3",
					     "0.5",
					     "1e300",
					     "alice",
					     "a\\,b",
					     "",
					     "\"a,b\"",
					     "true",
					     "b",
					     "16",
					     "0x10",
					     "http",
					     "db.*",
					     "h??p",
					     "Request",
					     "18446744073709551608",
					     "500,7",
					     "'slow, very'",
					     "01ab"};
	char text[128];

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		for (size_t j = 0; j < sizeof(operators) / sizeof(operators[0]); j++)
			for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
				snprintf(text, sizeof(text), "%s %s %s", keys[i], operators[j],
					 values[k]);
				compare(text);
			}
}

Test(filter, refuses_what_the_viewer_refuses)
{
	static const char *const texts[] = {"",
					    "   ",
					    "=3",
					    "level",
					    "level>",
					    "level=eror",
					    "line=a",
					    "n?",
					    "!n?",
					    "!level?",
					    "text?",
					    "!none?",
					    "none?",
					    "!n=3",
					    "! n ?",
					    "?",
					    "!?",
					    "n=3,,4",
					    "text='a",
					    "text=\"",
					    "a b = c",
					    "fields.=3",
					    "fields.n=7",
					    "n=\\",
					    "target=\\*",
					    "target=a\\\\,b",
					    " msg = Request done ",
					    "level=warn , error",
					    "lane=main",
					    "lane~=a",
					    "!lane?"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		compare(texts[i]);
}

Test(filter, says_what_a_rule_does_not_know)
{
	static const struct {
		const char *text, *why;
		size_t at;
	} row[] = {
		{"msg=~a.*", "an operator belongs here", 3},
		{"msg!~a", "an operator", 3},
		{"tid=3", "a rule does not know tid", 0},
		{"time>10:00", "does not know time", 0},
		{"level>=eror", "not a level", 7},
		{"line=x", "compared with numbers", 5},
		{"level", "an operator belongs here", 5},
	};
	struct filter filter = {0};
	struct filter_error error;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		cr_assert_eq(filter_add(&filter, row[i].text, &error), -EINVAL, "%s", row[i].text);
		cr_expect(strstr(error.why, row[i].why), "%s: %s", row[i].text, error.why);
		cr_expect_eq(error.at, row[i].at, "%s: %zu", row[i].text, error.at);
	}
	cr_assert_eq(filter.count, 0);
	for (int i = 0; i < FILTER_TESTS_MAX; i++)
		cr_assert_eq(filter_add(&filter, "n=1", &error), 0);
	cr_assert_eq(filter_add(&filter, "n=1", &error), -EINVAL);
	filter_fini(&filter);
}

/* ---- rules ------------------------------------------------------------------------------ */

static int set(struct rules *rules, const char *key, const char *text)
{
	struct filter_error error;

	return rules_set(rules, key, text, &error);
}

Test(filter, rules_take_what_makes_sense)
{
	static const struct {
		const char *key, *text;
		int err;
	} row[] = {
		{"after", "500ms", 0},		{"after", "1000 events", -EINVAL},
		{"memory", "90%", 0},		{"memory", "80%", -EINVAL},
		{"every", "0s", -EINVAL},	{"every", "10", -EINVAL},
		{"every", "10x", -EINVAL},	{"every", "99999999999999999999s", -EINVAL},
		{"every", "400d", -EINVAL},	{"every", "1h", 0},
		{"rate", "3/10s", 0},		{"rate-total", "3", -EINVAL},
		{"rate-total", "/1s", -EINVAL}, {"rate-total", "1001/1s", -EINVAL},
		{"rate-total", "0/1s", 0},	{"services", " , ", -EINVAL},
		{"services", "a\x01", -EINVAL}, {"services", "a, b*", 0},
		{"enabled", "maybe", -EINVAL},	{"enabled", "no", 0},
		{"nonsense", "1", -ENOENT},
	};
	struct rules *rules = rules_new();
	struct filter_error error;

	cr_assert_eq(rules_set(rules, "after", "1s", &error), -ENOENT, "before any trigger");
	cr_assert_eq(rules_begin(rules, "UPPER", "a:1", &error), -EINVAL);
	cr_assert_eq(rules_begin(rules, "", "a:1", &error), -EINVAL);
	cr_assert_eq(rules_begin(rules, "first", "a:1", &error), 0);
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		cr_expect_eq(set(rules, row[i].key, row[i].text), row[i].err, "%s = %s", row[i].key,
			     row[i].text);
	cr_assert_eq(rules_check(&rules->rule[0], &error), -EINVAL, "memory and every");
	cr_assert_eq(rules_begin(rules, "first", "a:9", &error), -EINVAL, "twice in a file");
	cr_assert_eq(rules_begin(rules, "first", "b:1", &error), 0, "in a drop-in it is another");
	cr_assert_eq(rules->count, 1);
	cr_assert_eq(rules_check(&rules->rule[0], &error), -EINVAL, "it waits for nothing");
	cr_assert_eq(set(rules, "when", "level>=error"), 0);
	cr_assert_eq(set(rules, "when", "n=3"), 0);
	cr_assert_eq(rules_check(&rules->rule[0], &error), 0);
	for (int i = 1; i < RULES_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "r%d", i);
		cr_assert_eq(rules_begin(rules, name, "a:1", &error), 0);
	}
	cr_assert_eq(rules_begin(rules, "more", "a:1", &error), -EINVAL);
	rules_release(rules);
}

Test(filter, rules_are_for_services_by_glob)
{
	static const struct {
		const char *services, *service;
		bool is_for;
	} row[] = {
		{"orders", "orders", true}, {"orders", "orders2", false},
		{"o*", "orders", true},	    {"a,orders", "orders", true},
		{"a , b*s", "bills", true}, {"*", "x", true},
		{"o?ders", "orders", true}, {"*a*b", "xaxb", true},
		{"*a*b", "xaxbc", false},   {",,x", "x", true},
		{"x y", "x", false},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct rules *rules = rules_new();
		struct filter_error error;

		cr_assert_eq(rules_begin(rules, "r", "a:1", &error), 0);
		cr_assert(rule_is_for(&rules->rule[0], row[i].service), "all, without a list");
		cr_assert_eq(set(rules, "services", row[i].services), 0);
		cr_expect_eq(rule_is_for(&rules->rule[0], row[i].service), row[i].is_for, "%s, %s",
			     row[i].services, row[i].service);
		cr_assert_eq(set(rules, "enabled", "no"), 0);
		cr_expect_not(rule_is_for(&rules->rule[0], row[i].service));
		rules_release(rules);
	}
}
