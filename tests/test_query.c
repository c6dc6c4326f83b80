/* SPDX-License-Identifier: MIT */
/* test_query.c - expressions against events, and what wrong ones are told. */
#include <criterion/criterion.h>
#include <errno.h>

#include "tests/made_dump.h"
#include "tests/view_dump.h"
#include "viewer/query.h"

/* One event of each kind; the table below names them by their numbers. */
enum { OK_200, FAIL_500, PLAIN, FORMATTED, WITH_ALL, FORMATTED_TOO, EVENTS };

static struct dump *dump;
static struct record record[EVENTS];
static unsigned char *bytes;

static void make_events(void)
{
	static const uint8_t reply[] = {TTLOG_TYPE_I32, TTLOG_TYPE_STRING, TTLOG_TYPE_F32, 0};
	static const char *const reply_names[] = {"status", "path", "seconds"};
	static const uint8_t format[] = {TTLOG_TYPE_I32, 0};
	static const uint8_t all[] = {TTLOG_TYPE_BOOL, TTLOG_TYPE_I64, TTLOG_TYPE_U64,
				      TTLOG_TYPE_POINTER, TTLOG_TYPE_F64, TTLOG_TYPE_INTERNED,
				      TTLOG_TYPE_CHAR, TTLOG_TYPE_STRING, TTLOG_TYPE_BYTES, 0};
	static const char *const all_names[] = {"yes", "low", "high", "at", "real", "who",
						"letter", "level", "span"};
	static const double pi = 3.25;
	struct made_event *event;
	const char *why;
	size_t size;

	made_begin();
	made.string[0] = "alice";
	made.string_count = 1;
	made_site(TTLOG_INFO, "http", "Request done", reply, reply_names);
	made_site(TTLOG_ERROR, "http", "Request failed", reply, reply_names);
	made_site(TTLOG_DEBUG, "main", "Nothing to say", (const uint8_t *)"", reply_names);
	made_site(TTLOG_WARN, "main", "took %d ms", format, NULL);
	made_site(TTLOG_TRACE, "all", "All types", all, all_names);
	for (unsigned int i = 0; i < 2; i++) {
		event = made_event(1000 * i, i, i + 1);
		event->value[0].bits = i ? 500 : 200;
		made_text(event, 1, i ? "/b,c" : "/a");
		event->value[2].bits = i ? 0x3dcccccd : 0x3f800000; /* 0.1f, 1.0f */
	}
	made_event(2000, 0, 3);
	made_event(3000, 0, 4)->value[0].bits = 42;
	event = made_event(4000, 1, 5);
	event->value[0].bits = 1;
	event->value[1].bits = (uint64_t)INT64_MIN;
	event->value[2].bits = UINT64_MAX;
	event->value[3].bits = 0x7fff0000;
	memcpy(&event->value[4].bits, &pi, 8);
	event->value[5].bits = MADE_STRINGS_FROM;
	event->value[6].bits = 'x';
	made_text(event, 7, "deep");
	event->value[8].data = "\x01\xff";
	event->value[8].size = 2;
	event->lane = 1;
	made_event(5000, 0, 4)->value[0].bits = 43; /* the same site, another message */

	bytes = made_dump(&size);
	cr_assert_eq(view_bytes(&dump, bytes, size, &why), 0);
	for (unsigned int i = 0; i < EVENTS; i++) {
		memset(&record[i], 0, sizeof(record[i]));
		cr_assert(dump_next(dump, &record[i].event));
	}
}

static void drop_events(void)
{
	dump_close(dump);
	free(bytes);
	free(made.event);
	made.event = NULL;
}

TestSuite(query, .init = make_events, .fini = drop_events);

/* The death was 1000 s after the first event, and the end at once. */
static const struct when_base base = {MADE_TIME_NS + INT64_C(1000000000000),
				      MADE_TIME_NS + INT64_C(1000000000000)};

/* A bit for each event that matches. Twice: the second answer is what the first one remembered. */
static unsigned int ask(struct query *query)
{
	unsigned int result = 0, again = 0;

	query_resolve(query, &base);
	query_forget(dump_dictionary(dump));
	for (unsigned int i = 0; i < EVENTS; i++)
		result |= (unsigned int)query_match(query, &record[i]) << i;
	for (unsigned int i = 0; i < EVENTS; i++)
		again |= (unsigned int)query_match(query, &record[i]) << i;
	cr_expect_eq(result, again);
	query_fini(query);
	return result;
}

static unsigned int matches_query(const char *expression)
{
	struct query_error error;
	struct query query;

	query_init(&query);
	cr_assert_eq(query_add_query(&query, expression, &error), 0, "%s: %s", expression, error.why);
	return ask(&query);
}

static unsigned int matches(const char *const *expressions, unsigned int count)
{
	struct query_error error;
	struct query query;

	query_init(&query);
	for (unsigned int i = 0; i < count; i++)
		cr_assert_eq(query_add(&query, expressions[i], &error), 0, "%s: %s", expressions[i],
			     error.why);
	return ask(&query);
}

#define BIT(event) (1u << (event))
#define ALL (BIT(EVENTS) - 1)
#define TOOK (BIT(FORMATTED) | BIT(FORMATTED_TOO))

static const struct {
	const char *expression;
	unsigned int wanted;
} table[] = {
	{"level=ERROR", BIT(FAIL_500)},
	{"level=error", BIT(FAIL_500)},
	{"level==error", BIT(FAIL_500)},
	{"level!=ERROR", ALL & ~BIT(FAIL_500)},
	{"level>=WARN", BIT(FAIL_500) | TOOK},
	{"level>WARN", BIT(FAIL_500)},
	{"level<INFO", BIT(PLAIN) | BIT(WITH_ALL)},
	{"level<=DEBUG", BIT(PLAIN) | BIT(WITH_ALL)},
	{"level=WARN,ERROR", BIT(FAIL_500) | TOOK},
	{"level!=WARN,ERROR", ALL & ~(BIT(FAIL_500) | TOOK)},
	{"level~=RR", BIT(FAIL_500)},
	{"target=http", BIT(OK_200) | BIT(FAIL_500)},
	{"target!=http,main", BIT(WITH_ALL)},
	{"target>http", BIT(PLAIN) | TOOK},
	{"msg=Request done", BIT(OK_200)},
	{"msg~=Request", BIT(OK_200) | BIT(FAIL_500)},
	{"msg=took 42 ms", BIT(FORMATTED)},
	{"msg~=42", BIT(FORMATTED)},
	{"msg~=43", BIT(FORMATTED_TOO)},
	{"msg~=took", TOOK},
	{"msg~=%d", 0},
	{"tid=4242", BIT(OK_200) | BIT(PLAIN) | TOOK},
	{"tid!=4242", BIT(FAIL_500) | BIT(WITH_ALL)},
	{"tid>4242", BIT(FAIL_500) | BIT(WITH_ALL)},
	{"thread=worker-1", BIT(FAIL_500) | BIT(WITH_ALL)},
	{"thread~=work", BIT(FAIL_500) | BIT(WITH_ALL)},
	{"pid=4242", ALL},
	{"pid!=4242", 0},
	{"service=orders", ALL},
	{"host=web-2", 0},
	{"lane=alert", BIT(WITH_ALL)},
	{"seq<2", BIT(OK_200) | BIT(FAIL_500)},
	{"seq=0,4", BIT(OK_200) | BIT(WITH_ALL)},
	{"seq~=4", BIT(WITH_ALL)},
	{"file=orders.c", ALL},
	{"line=103", BIT(PLAIN)},
	{"func=handle", ALL},
	{"status=200", BIT(OK_200)},
	{"status=0xc8", BIT(OK_200)},
	{"status!=200", ALL & ~BIT(OK_200)},
	{"status>=500", BIT(FAIL_500)},
	{"status<1e3", BIT(OK_200) | BIT(FAIL_500)},
	{"status=abc", 0},
	{"status!=abc", ALL},
	{"status<abc", 0},
	{"status~=00", BIT(OK_200) | BIT(FAIL_500)},
	{"path=/a", BIT(OK_200)},
	{"path=/b\\,c", BIT(FAIL_500)},
	{"path=/b,c", 0},
	{"path>/a", BIT(FAIL_500)},
	{"path~=", BIT(OK_200) | BIT(FAIL_500)},
	{"path=", 0},
	{"seconds=0.1", BIT(FAIL_500)},
	{"seconds>0.1", BIT(OK_200)},
	{"real=3.25", BIT(WITH_ALL)},
	{"real=nan", 0},
	{"yes=true", BIT(WITH_ALL)},
	{"yes=1", BIT(WITH_ALL)},
	{"low=-9223372036854775808", BIT(WITH_ALL)},
	{"low<-9223372036854775807", BIT(WITH_ALL)},
	{"high=18446744073709551615", BIT(WITH_ALL)},
	{"high>18446744073709551614", BIT(WITH_ALL)},
	{"at=0x7fff0000", BIT(WITH_ALL)},
	{"who=alice", BIT(WITH_ALL)},
	{"letter=x", BIT(WITH_ALL)},
	{"span=01ff", BIT(WITH_ALL)},
	{"arg1=42", BIT(FORMATTED)},
	{"fields.level=deep", BIT(WITH_ALL)},
	{"fields.level!=deep", ALL & ~BIT(WITH_ALL)},
	{"nobody=1", 0},
	{"nobody!=1", ALL},
	{"nobody<1", 0},
	{"nobody~=1", 0},
	{" status = 200 , 500 ", BIT(OK_200) | BIT(FAIL_500)},
	{"target=h*", BIT(OK_200) | BIT(FAIL_500)},
	{"target=?ain", BIT(PLAIN) | TOOK},
	{"target!=h*,m*", BIT(WITH_ALL)},
	{"target=h\\*", 0},
	{"msg=Request*", 0},
	{"level!~=RR", ALL & ~BIT(FAIL_500)},
	{"msg!~=Request", BIT(PLAIN) | TOOK | BIT(WITH_ALL)},
	{"msg=~^Request (done|said)$", BIT(OK_200)},
	{"msg=~^took [0-9]+ ms", TOOK},
	{"msg=~4[2]{1,2} ", BIT(FORMATTED)},
	{"msg!~took", ALL & ~TOOK},
	{"path=~^/[ab]", BIT(OK_200) | BIT(FAIL_500)},
	{"path!~^/a", ALL & ~BIT(OK_200)},
	{"status=~^[25]00$", BIT(OK_200) | BIT(FAIL_500)},
	{"seq=~^[01]$", BIT(OK_200) | BIT(FAIL_500)},
	{"level=~^(ERR|WARN)", BIT(FAIL_500) | TOOK},
	{"nobody=~x", 0},
	{"nobody!~x", ALL},
	{"status?", BIT(OK_200) | BIT(FAIL_500)},
	{"!status?", ALL & ~(BIT(OK_200) | BIT(FAIL_500))},
	{" ! status ? ", ALL & ~(BIT(OK_200) | BIT(FAIL_500))},
	{"msg?", ALL},
	{"tid?", ALL},
	{"level?", ALL},
	{"channel?", 0},
	{"!channel?", ALL},
	{"time?", ALL},
	{"fields.level?", BIT(WITH_ALL)},
	{"msg=what?", 0},
	{"path=\"/b,c\"", BIT(FAIL_500)},
	{"path='/a' , \"/b,c\"", BIT(OK_200) | BIT(FAIL_500)},
	{"path=\"/a", 0},
	{"path!='tis", ALL},
	{"time=2023-11-14T22:13:20Z", BIT(OK_200)},
	{"time<=2023-11-14T22:13:20.000001Z", BIT(OK_200) | BIT(FAIL_500)},
	{"time>T-999.9999965", BIT(WITH_ALL) | BIT(FORMATTED_TOO)},
	{"time!=@1700000000", ALL & ~BIT(OK_200)},
};

static const struct {
	const char *expression;
	unsigned int wanted;
} queries[] = {
	{"level>=warn", BIT(FAIL_500) | TOOK},
	{"level>=warn and target=http", BIT(FAIL_500)},
	{"level>=warn AND target=http", BIT(FAIL_500)},
	{"level>=warn && target=http", BIT(FAIL_500)},
	{"target=http or target=all", BIT(OK_200) | BIT(FAIL_500) | BIT(WITH_ALL)},
	{"target=http||target=all", BIT(OK_200) | BIT(FAIL_500) | BIT(WITH_ALL)},
	{"not target=http", ALL & ~(BIT(OK_200) | BIT(FAIL_500))},
	{"!target=http", ALL & ~(BIT(OK_200) | BIT(FAIL_500))},
	{"not(target=http)", ALL & ~(BIT(OK_200) | BIT(FAIL_500))},
	{"not not target=http", BIT(OK_200) | BIT(FAIL_500)},
	/* and binds closer than or */
	{"target=all or target=http and status=500", BIT(WITH_ALL) | BIT(FAIL_500)},
	{"(target=all or target=http) and status=500", BIT(FAIL_500)},
	{"status=500 and target=http or target=all", BIT(WITH_ALL) | BIT(FAIL_500)},
	{"level>=info and (status>=500 or not status?)", BIT(FAIL_500) | TOOK},
	{" ( ( level = warn , error ) ) ", BIT(FAIL_500) | TOOK},
	{"level=warn,error and seq<3", BIT(FAIL_500)},
	{"msg=\"Request done\"", BIT(OK_200)},
	{"msg='Request done' or msg='took 42 ms'", BIT(OK_200) | BIT(FORMATTED)},
	{"msg=Request\\ done", BIT(OK_200)},
	{"msg=~(done|failed)$", BIT(OK_200) | BIT(FAIL_500)},
	{"(msg=~(done|failed)$)", BIT(OK_200) | BIT(FAIL_500)},
	{"msg=~\"^took 4[23] ms$\"", TOOK},
	{"status? and seq=0", BIT(OK_200)},
	{"(status?)", BIT(OK_200) | BIT(FAIL_500)},
	{"!status? and level=debug", BIT(PLAIN)},
	{"\"status\"=200", BIT(OK_200)},
	{"'fields.level'=deep", BIT(WITH_ALL)},
	{"fields.and=1 or seq=0", BIT(OK_200)},
	{"time>=T-1000s and time<T-999.9999985", BIT(OK_200) | BIT(FAIL_500)},
	{"seconds>0.05 and seconds<0.5 and level=error and target=h*", BIT(FAIL_500)},
};

Test(query, a_table_of_queries_finds_its_events)
{
	for (size_t i = 0; i < sizeof(queries) / sizeof(*queries); i++) {
		unsigned int got = matches_query(queries[i].expression);

		cr_expect_eq(got, queries[i].wanted, "%s: %x, wanted %x", queries[i].expression, got,
			     queries[i].wanted);
	}
}

Test(query, what_a_site_decides_is_what_the_events_would_have_said)
{
	char text[4096];

	/* The same behind so many others that no bit is left for it. */
	for (size_t i = 0; i < sizeof(queries) / sizeof(*queries); i++) {
		strcpy(text, "(seq<9");
		for (unsigned int j = 0; j < 70; j++)
			strcat(text, " and target?");
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ") and (%s)",
			 queries[i].expression);
		cr_expect_eq(matches_query(text), queries[i].wanted, "%s", queries[i].expression);
	}
}

Test(query, a_table_of_expressions_finds_its_events)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		unsigned int got = matches(&table[i].expression, 1);

		cr_expect_eq(got, table[i].wanted, "%s: %x, wanted %x", table[i].expression, got,
			     table[i].wanted);
	}
}

Test(query, several_expressions_must_all_be_true)
{
	const char *const both[] = {"target=http", "status>200"};
	const char *const site_and_event[] = {"level>=DEBUG", "tid=4242", "msg!=Nothing to say"};

	cr_expect_eq(matches(both, 2), BIT(FAIL_500));
	cr_expect_eq(matches(site_and_event, 3), BIT(OK_200) | TOOK);
	cr_expect_eq(matches(NULL, 0), ALL);
}

static const struct {
	const char *expression;
	size_t at;
	const char *why;
} wrong[] = {
	{"", 0, "a key belongs here"},
	{"=ERROR", 0, "a key belongs here"},
	{"level", 5, "an operator belongs here"},
	{"level!ERROR", 5, "an operator belongs here"},
	{"level=", 6, "not a level"},
	{"level=loud", 6, "not a level"},
	{"level=info,loud", 11, "not a level"},
	{"level>=UNKNOWN,x", 15, "not a level"},
	{"tid=main", 4, "compared with numbers"},
	{"tid=1,,2", 6, "compared with numbers"},
	{"line=12x", 5, "compared with numbers"},
	{"!", 1, "a key belongs here"},
	{"!status=1", 0, "! goes with a key and a ?"},
	{"msg=~a[b", 5, "a [ without its ]"},
	{"msg=~(a)\\1", 5, "back-references"},
	{"time=noon", 5, "not a time"},
	{"?", 1, "an operator belongs here"},
};

static const struct {
	const char *expression;
	size_t at;
	const char *why;
} wrong_queries[] = {
	{"", 0, "a key belongs here"},
	{"level>=warn and", 12, "or the end belongs here"},
	{"level>=warn and ", 16, "a key belongs here"},
	{"level>=warn target=x", 12, "and, or, or the end"},
	{"(level>=warn", 0, "a ( without its )"},
	{"(level>=warn target=x)", 13, "and, or, or a )"},
	{"level>=warn)", 11, "a ) without its ("},
	{"level>=", 7, "a value belongs here"},
	{"level>= and x=1", 8, "not a level"},
	{"(seq=)", 5, "a value belongs here"},
	{"seq=1,", 6, "a value belongs here"},
	{"msg=\"Request", 4, "a quote without its other"},
	{"not", 3, "an operator belongs here"},
	{"a=1 or or b=2", 10, "an operator belongs here"},
	{"status 500", 7, "an operator belongs here"},
};

Test(query, a_wrong_query_is_told_where_and_why)
{
	struct query_error error;
	struct query query;

	query_init(&query);
	for (size_t i = 0; i < sizeof(wrong_queries) / sizeof(*wrong_queries); i++) {
		cr_expect_eq(query_add_query(&query, wrong_queries[i].expression, &error), -EINVAL,
			     "%s", wrong_queries[i].expression);
		cr_expect_eq(error.at, wrong_queries[i].at, "%s: at %zu", wrong_queries[i].expression,
			     error.at);
		cr_expect(strstr(error.why, wrong_queries[i].why), "%s: %s",
			  wrong_queries[i].expression, error.why);
	}
	cr_expect_eq(query.term_count, 0);
	cr_expect_eq(query.node_count, 0);
	query_fini(&query);
}

Test(query, a_wrong_expression_is_told_where_and_why)
{
	struct query_error error;
	struct query query;

	query_init(&query);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		cr_expect_eq(query_add(&query, wrong[i].expression, &error), -EINVAL, "%s",
			     wrong[i].expression);
		cr_expect_eq(error.at, wrong[i].at, "%s: at %zu", wrong[i].expression, error.at);
		cr_expect(strstr(error.why, wrong[i].why), "%s: %s", wrong[i].expression, error.why);
	}
	cr_expect_eq(query.term_count, 0);
	query_fini(&query);
}

Test(query, limits_hold)
{
	struct query_error error;
	struct query query;
	char many[4 * QUERY_VALUES_MAX] = "a=", nested[8001] = "";

	query_init(&query);
	for (unsigned int i = 0; i < QUERY_TERMS_MAX; i++)
		cr_assert_eq(query_add(&query, "a=1", &error), 0);
	cr_expect_eq(query_add(&query, "a=1", &error), -EINVAL);
	query_fini(&query);
	for (unsigned int i = 0; i < QUERY_VALUES_MAX; i++)
		strcat(many, "1,");
	cr_expect_eq(query_add(&query, many, &error), -EINVAL);
	query_fini(&query);
	query_init(&query);
	memset(nested, '(', sizeof(nested) - 1);
	cr_expect_eq(query_add_query(&query, nested, &error), -EINVAL);
	cr_expect(strstr(error.why, "too many parentheses"), "%s", error.why);
	for (unsigned int i = 0; i + 8 < sizeof(nested); i += 8)
		memcpy(nested + i, "a=1 and ", 8);
	memcpy(nested + (sizeof(nested) - 1) / 8 * 8 - 4, "    ", 4);
	cr_expect_eq(query_add_query(&query, nested, &error), -EINVAL);
	cr_expect(strstr(error.why, "more than 512"), "%s", error.why);
	cr_expect_eq(query.node_count, 0);
	query_fini(&query);
}

Test(query, terms_can_be_dropped_again)
{
	struct query_error error;
	struct query query;

	query_init(&query);
	cr_assert_eq(query_add(&query, "target=http", &error), 0);
	cr_assert_eq(query_add_query(&query, "status=500 or msg=~x", &error), 0);
	cr_assert_eq(query_add(&query, "seq=0,1,2", &error), 0);
	query_truncate(&query, 1);
	cr_expect_eq(query.term_count, 1);
	cr_assert_eq(query_add_test(&query, QUERY_SEQ, QUERY_EQUAL, "1,2", &error), 0);
	cr_expect_eq(ask(&query), BIT(FAIL_500));
}

static unsigned int grep(const char *pattern)
{
	struct query_error error;
	struct query query;

	query_init(&query);
	cr_assert_eq(query_add_test(&query, QUERY_TEXT, QUERY_FITS, pattern, &error), 0);
	return ask(&query);
}

Test(query, grep_looks_at_the_message_and_the_fields_and_folds_small_letters)
{
	cr_expect_eq(grep("request"), BIT(OK_200) | BIT(FAIL_500));
	cr_expect_eq(grep("Request"), BIT(OK_200) | BIT(FAIL_500));
	cr_expect_eq(grep("REQUEST"), 0);
	cr_expect_eq(grep("status=500"), BIT(FAIL_500));
	cr_expect_eq(grep("failed.*path=/b,c"), BIT(FAIL_500));
	cr_expect_eq(grep("^request failed$"), BIT(FAIL_500));
	cr_expect_eq(grep("42"), BIT(FORMATTED));
	cr_expect_eq(grep("ALICE"), 0);
	cr_expect_eq(grep("alice|43"), BIT(WITH_ALL) | BIT(FORMATTED_TOO));
}

Test(query, knows_when_no_event_can_match)
{
	struct query_error error;
	struct query query;
	int64_t from, to;

	query_init(&query);
	cr_assert_eq(query_add(&query, "time>=T-10s", &error), 0);
	query_bounds(&query, &from, &to);
	cr_expect(from == INT64_MIN && to == INT64_MAX, "T is not known yet");
	query_resolve(&query, &base);
	cr_assert_eq(query_add_query(&query, "level=info and time<=T-5s and (seq=1 or time<1970-01-01)",
				     &error),
		     0);
	query_bounds(&query, &from, &to);
	cr_expect_eq(from, base.death_ns - INT64_C(10000000000));
	cr_expect_eq(to, base.death_ns - INT64_C(5000000000));
	cr_assert_eq(query_add_query(&query, "not time<T-1s", &error), 0);
	cr_assert_eq(query_add(&query, "time?", &error), 0);
	cr_assert_eq(query_add(&query, "time>T-2s,T-4s", &error), 0);
	query_bounds(&query, &from, &to);
	cr_expect_eq(from, base.death_ns - INT64_C(10000000000), "these are not looked into");
	query_fini(&query);
}
