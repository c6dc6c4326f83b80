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

/* A bit for each event that matches. */
static unsigned int matches(const char *const *expressions, unsigned int count)
{
	struct query_error error;
	struct query query;
	unsigned int result = 0;

	query_init(&query);
	for (unsigned int i = 0; i < count; i++)
		cr_assert_eq(query_add(&query, expressions[i], &error), 0, "%s: %s", expressions[i],
			     error.why);
	for (unsigned int i = 0; i < EVENTS; i++)
		record[i].event.site->verdict = SITE_NOT_ASKED;
	/* Twice: the second answer comes from what the first one remembered. */
	for (unsigned int round = 0; round < 2; round++) {
		result = 0;
		for (unsigned int i = 0; i < EVENTS; i++)
			result |= (unsigned int)query_match(&query, &record[i]) << i;
	}
	query_fini(&query);
	return result;
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
};

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
};

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
	char many[4 * QUERY_VALUES_MAX] = "a=";

	query_init(&query);
	for (unsigned int i = 0; i < QUERY_TERMS_MAX; i++)
		cr_assert_eq(query_add(&query, "a=1", &error), 0);
	cr_expect_eq(query_add(&query, "a=1", &error), -EINVAL);
	query_fini(&query);
	for (unsigned int i = 0; i < QUERY_VALUES_MAX; i++)
		strcat(many, "1,");
	cr_expect_eq(query_add(&query, many, &error), -EINVAL);
	query_fini(&query);
}
