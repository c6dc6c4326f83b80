/* SPDX-License-Identifier: MIT */
/*
 * test_select.c - what is selected of some dumps is what somebody would select who has all events before
 * him: any options together, with an index and without, where the wall clock was set back, too.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "tests/made_dump.h"
#include "tests/view_dump.h"
#include "viewer/merge.h"
#include "viewer/select.h"

#define DUMPS 3
#define EVENTS 9000 /* of a dump: three batches */
#define KEPT_MAX (DUMPS * EVENTS)

static unsigned char *bytes[DUMPS];
static size_t size[DUMPS];
static struct dump *dumps[DUMPS];
static unsigned int this_dump;

/* An event is known by its dump and its number, which is its value, too. */
struct name {
	unsigned int dump;
	uint64_t seq;
	int64_t ns;
};

static struct name wanted[KEPT_MAX], got[KEPT_MAX];

static void generate(size_t index, struct ttlog_reader_event *event)
{
	*event = (struct ttlog_reader_event){
		.ticks = 1000 * (3 * index + this_dump), /* 27 ms in all */
		.site = 1 + index % 3,
		.thread = index & 1,
		.channel = TTLOG_READER_NO_CHANNEL,
		.value_count = 2,
		.value[0] = {.type = TTLOG_TYPE_U64, .bits = index},
		.value[1] = {.type = TTLOG_TYPE_STRING, .data = "text", .size = 4}};
}

/* back_ns: by so much the wall clock was set back after 10 ms; it went on from there. */
static void make(unsigned int which, uint64_t back_ns)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64, TTLOG_TYPE_STRING, 0};
	static const char *const names[] = {"n", "text"};

	made_begin();
	made_site(TTLOG_DEBUG, "db.pool", "m", types, names);
	made_site(TTLOG_INFO, "http", "m", types, names);
	made_site(TTLOG_ERROR, "db.query", "m", types, names);
	if (back_ns) {
		timeline_init(&made.timeline, TTLOG_CLOCK_MONOTONIC, 0);
		timeline_add(&made.timeline, &(struct ttlog_clock_point){0, 0, MADE_TIME_NS}, 0);
		timeline_add(&made.timeline,
			     &(struct ttlog_clock_point){10000000, 10000000,
							 MADE_TIME_NS + 10000000 - back_ns},
			     0);
	}
	this_dump = which;
	made.generate = EVENTS;
	made.generator = generate;
	bytes[which] = made_dump(&size[which]);
}

static void open_all(unsigned int count, bool cut)
{
	const char *why;

	for (unsigned int i = 0; i < count; i++) {
		dump_close(dumps[i]);
		cr_assert_eq(view_bytes(&dumps[i], bytes[i], size[i] - (cut && i == 0), &why), 0, "%s",
			     why);
	}
}

static void close_all(void)
{
	for (unsigned int i = 0; i < DUMPS; i++) {
		dump_close(dumps[i]);
		dumps[i] = NULL;
		free(bytes[i]);
		bytes[i] = NULL;
	}
}

TestSuite(select, .fini = close_all, .timeout = 200);

static struct name name_of(const struct event *event)
{
	unsigned int dump = 0;

	while (dumps[dump] != event->dump)
		dump++;
	return (struct name){dump, event->seq, event->time_ns};
}

static void turn(struct name *names, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		struct name name = names[i];

		names[i] = names[count - 1 - i];
		names[count - 1 - i] = name;
	}
}

/* By hand, with everything in memory. Returns how many. */
static size_t by_hand(const struct selection *selection, struct query *query, unsigned int count)
{
	static struct record record;
	struct merge *merge;
	size_t all = 0, from = 0, to;
	int64_t ns = when_resolve(&selection->around_when, &query->base);

	cr_assert_eq(merge_open(&merge, dumps, count), 0);
	while (merge_next(merge, &record.event)) {
		record.decoded = false;
		if (query_match(query, &record))
			wanted[all++] = name_of(&record.event);
	}
	merge_close(merge);
	to = all;
	if (selection->around) {
		for (to = 0; to < all && wanted[to].ns < ns;)
			to++;
		from = to > selection->context ? to - selection->context : 0;
		to = all - to > selection->context ? to + selection->context : all;
	} else if (selection->limited && all > selection->limit) {
		from = selection->oldest ? 0 : all - selection->limit;
		to = from + selection->limit;
	}
	memmove(wanted, wanted + from, (to - from) * sizeof(*wanted));
	if (selection->reverse)
		turn(wanted, to - from);
	return to - from;
}

static void add_filters(struct query *query, const char *const *filters)
{
	struct query_error error;

	query_init(query);
	for (; *filters; filters++)
		cr_assert_eq(query_add_query(query, *filters, &error), 0, "%s: %s", *filters, error.why);
}

/* selection without its query; filters end with a NULL. */
static void expect_same(struct selection selection, const char *const *filters, unsigned int count,
			bool cut)
{
	static struct record record;
	struct select *select;
	struct when_base base;
	struct query query;
	size_t number, given = 0;
	char why[160];

	open_all(count, cut);
	base = select_base(dumps, count);
	add_filters(&query, filters);
	query_resolve(&query, &base);
	number = by_hand(&selection, &query, count);
	query_fini(&query);

	open_all(count, cut);
	add_filters(&selection.query, filters);
	cr_assert_eq(select_open(&select, &selection, dumps, count), 0);
	while (select_next(select, &record)) {
		cr_assert_lt(given, (size_t)KEPT_MAX);
		record_decode(&record);
		cr_assert_eq(record.count, 2);
		cr_assert_eq(record.value[0].number, record.event.seq, "values hold");
		cr_assert(span_is(record.value[1].span, "text"));
		got[given++] = name_of(&record.event);
	}
	cr_expect_eq(select_error(select), 0);
	select_close(select);
	query_fini(&selection.query);
	cr_assert_eq(given, number, "%zu, wanted %zu: %s", given, number,
		     filters[0] ? filters[0] : "all");
	for (size_t i = 0; i < given; i++)
		cr_assert(got[i].dump == wanted[i].dump && got[i].seq == wanted[i].seq,
			  "%zu is %u-%lu, wanted %u-%lu (%s)", i, got[i].dump, (unsigned long)got[i].seq,
			  wanted[i].dump, (unsigned long)wanted[i].seq, filters[0] ? filters[0] : "all");
	if (!cut)
		for (unsigned int i = 0; i < count; i++)
			cr_expect_not(dump_damage(dumps[i], why, sizeof(why)), "%s", why);
}

static const struct {
	const char *filters[3];
} rows[] = {
	{{NULL}},
	{{"target=db.*", NULL}},
	{{"level>=error and tid=4242", NULL}},
	{{"n=4000,8999", NULL}},
	{{"nobody=1", NULL}},
	/* T is 1 s after the first event: these are of the middle, of the ends, and of nothing. */
	{{"time>=T-0.985", "time<=T-0.984"}},
	{{"time>=@1700000000.009 and time<@1700000000.011", NULL}},
	{{"time<T-0.999999", NULL}},
	{{"time>=T-0.973003", NULL}},
	{{"time>T", NULL}},
	{{"time<T-1s", NULL}},
	{{"time=T-0.99", NULL}},
	{{"time>=T-0.985", "target=http"}},
};

static void expect_rows(unsigned int count, bool cut)
{
	static const uint64_t limits[] = {1, 5000, 100000};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (unsigned int reverse = 0; reverse < 2; reverse++) {
			struct selection selection = {.reverse = reverse};

			expect_same(selection, rows[i].filters, count, cut);
			for (size_t j = 0; j < 2 * sizeof(limits) / sizeof(*limits); j++) {
				selection.limited = true;
				selection.oldest = j & 1;
				selection.limit = limits[j / 2];
				expect_same(selection, rows[i].filters, count, cut);
			}
		}
}

static void expect_around(unsigned int count, bool cut)
{
	static const int64_t whens[] = {-2000000000, -1000000000, -985000000, -973001000, 0};
	static const uint64_t contexts[] = {0, 1, 10, 6000};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i += 2)
		for (size_t j = 0; j < sizeof(whens) / sizeof(*whens); j++)
			for (size_t k = 0; k < sizeof(contexts) / sizeof(*contexts); k++) {
				struct selection selection = {
					.around = true,
					.reverse = (i + j + k) & 1,
					.around_when = {WHEN_DEATH, whens[j]},
					.context = contexts[k]};

				expect_same(selection, rows[i].filters, count, cut);
			}
}

Test(select, of_one_dump_by_its_index)
{
	make(0, 0);
	expect_rows(1, false);
	expect_around(1, false);
}

Test(select, of_one_dump_that_was_cut)
{
	make(0, 0);
	expect_rows(1, true);
	expect_around(1, true);
}

Test(select, of_three_dumps)
{
	for (unsigned int i = 0; i < DUMPS; i++)
		make(i, 0);
	expect_rows(3, false);
	expect_around(3, false);
}

Test(select, of_three_dumps_one_of_which_was_cut)
{
	for (unsigned int i = 0; i < DUMPS; i++)
		make(i, 0);
	expect_rows(3, true);
}

/* Batches overlap in their times then, and the index has those of their ends alone. */
Test(select, where_the_clock_was_set_back)
{
	for (unsigned int ms = 1; ms <= 20; ms += 8) {
		make(0, ms * UINT64_C(1000000));
		expect_rows(1, false);
		close_all();
	}
}

Test(select, around_so_long_is_a_question_of_times)
{
	struct selection selection = {.around = true,
				      .around_when = {WHEN_DEATH, -990000000},
				      .context_ns = 6000};
	static struct record record;
	struct select *select;
	unsigned int count = 0;

	make(0, 0);
	open_all(1, false);
	query_init(&selection.query);
	cr_assert_eq(select_open(&select, &selection, dumps, 1), 0);
	/* One every 3 us: 9.996 and 9.999 ms, ... 10.005: the ends belong to it. */
	for (; select_next(select, &record); count++)
		cr_expect(record.event.time_ns >= (int64_t)(MADE_TIME_NS + 9994000) &&
			  record.event.time_ns <= (int64_t)(MADE_TIME_NS + 10006000));
	cr_expect_eq(count, 4);
	select_close(select);
	query_fini(&selection.query);
}

Test(select, takes_the_first_death_for_t_and_the_last_moment_for_the_end)
{
	struct when_base base;

	make(0, 0);
	made_begin();
	made.facts.verdict.signal_ns = made.facts.verdict.death_ns = 0;
	made.facts.verdict.how = VERDICT_ALIVE;
	made.facts.created_ns = MADE_TIME_NS + UINT64_C(9000000000);
	bytes[1] = made_dump(&size[1]);
	open_all(2, false);
	base = select_base(dumps, 2);
	cr_expect_eq(base.death_ns, (int64_t)(MADE_TIME_NS + 1000000000));
	cr_expect_eq(base.end_ns, (int64_t)(MADE_TIME_NS + 9000000000));
	base = select_base(dumps + 1, 1);
	cr_expect_eq(base.death_ns, (int64_t)(MADE_TIME_NS + 9000000000));
	base = select_base(dumps, 0);
	cr_expect_eq(base.death_ns, 0);
}
