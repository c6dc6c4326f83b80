/* SPDX-License-Identifier: MIT */
/*
 * test_batch.c - events out of a batch's bytes: the ones that look like nearly all others are read and stepped over
 * in a way of their own, and nobody must see which way it was.
 */
#include <criterion/criterion.h>

#include "tests/made_dump.h"
#include "tests/view_dump.h"

#define EVENTS 2000
#define BYTES_MAX (EVENTS * 256)
#define WANTED 1 /* sites */
#define REFUSED 2
#define UNKNOWN 77

static struct dump *dump;
static unsigned char bytes[BYTES_MAX];
static size_t byte_count;
static uint64_t seed;

/* A dump for the events to be of: two sites, two threads, seven lanes, one channel. */
static void open_dump(void)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64, 0};
	static const char *const names[] = {"n"};
	struct made_event *event;
	unsigned char *file;
	const char *why;
	size_t size;

	made_begin();
	made_site(TTLOG_INFO, "http", "wanted", types, names);
	made_site(TTLOG_INFO, "http", "refused", types, names);
	event = made_event(0, 0, WANTED);
	made_channel("audit", &event, 1);
	file = made_dump(&size);
	cr_assert_eq(view_bytes(&dump, file, size, &why), 0);
	free(file);
	dump_dictionary(dump)->sites[WANTED]->verdict = SITE_DEPENDS;
	dump_dictionary(dump)->sites[REFUSED]->verdict = SITE_NEVER;
	byte_count = 0;
	seed = 1;
}

static void close_dump(void)
{
	dump_close(dump);
	free(made.event);
	made.event = NULL;
}

TestSuite(batch, .init = open_dump, .fini = close_dump, .timeout = 120);

/* ---- events, written in all ways --------------------------------------------------------------
 */

static unsigned int any(unsigned int count)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned int)(seed >> 33) % count;
}

static void put(unsigned int byte)
{
	bytes[byte_count++] = (unsigned char)byte;
}

/* As wide as that at least: 0 to 4, for what fits into the first byte to 64 bits. */
static void put_number(unsigned int major, uint64_t number, unsigned int width)
{
	static const uint64_t limits[] = {24, 1 << 8, 1 << 16, UINT64_C(1) << 32};

	while (width < 4 && number >= limits[width])
		width++;
	put(major << 5 | (width ? 23 + width : (unsigned int)number));
	for (unsigned int bits = width ? 8u << (width - 1) : 0; bits; bits -= 8)
		put(number >> (bits - 8) & 0xff);
}

static void put_value(void)
{
	const unsigned int kind = any(7);
	unsigned int length;

	switch (kind) {
	case 0:
	case 1:
		put_number(kind, seed >> any(64), any(5));
		return;
	case 2:
	case 3:
		length = any(40);
		put_number(kind, length, any(3));
		for (; length; length--)
			put('a' + any(26));
		return;
	case 4:
		put_number(4, 2, 0);
		put_number(0, any(1000), 0);
		put_number(3, 0, 0);
		return;
	case 5:
		put(0xf4 + any(4));
		return;
	default:
		put_number(7, 0, 2 + any(3));
		return;
	}
}

/* Not odd: as a writer makes nearly all, a head and values for which there is a quick way. */
static void put_event(uint64_t site, unsigned int flags, unsigned int value_count, bool odd_head, bool odd_values)
{
	const unsigned int fixed = DUMP_EVENT_FIXED + !!(flags & DUMP_EVENT_CHANNEL);

	put_number(4, fixed + value_count, odd_head ? any(5) : 0);
	if (odd_head && !any(3))
		put_number(any(2), any(100000), any(5));
	else
		put_number(0, MADE_TIME_NS + any(1000000), 4);
	put_number(0, any(4) ? any(2) : any(odd_head ? 100000 : 60000), odd_head ? any(5) : 0);
	put_number(0, any(9), odd_head ? any(5) : 0);
	put_number(0, flags, odd_head ? any(5) : 0);
	put_number(0, site, odd_head ? any(5) : 0);
	if (flags & DUMP_EVENT_CHANNEL)
		put_number(0, any(2), odd_head ? any(5) : 0);
	for (unsigned int i = 0; i < value_count; i++) {
		if (odd_values)
			put_value();
		else
			put_number(any(2), seed >> any(64), 0);
	}
}

static void put_any(void)
{
	static const uint64_t sites[] = {WANTED, REFUSED, REFUSED, REFUSED, UNKNOWN};

	put_event(sites[any(5)], any(8), any(8) ? any(5) : any(DUMP_FIELDS_MAX + 2), !any(3), any(2));
}

/* Where nothing is behind the last byte. */
static struct dump_batch batch_of(size_t count, uint64_t events, unsigned char **ret_copy)
{
	*ret_copy = malloc(count + !count);
	memcpy(*ret_copy, bytes, count);
	return (struct dump_batch){{*ret_copy, *ret_copy + count}, events, 0};
}

/* ---- seen from outside ------------------------------------------------------------------------
 */

static bool same(const struct event *event, const struct event *other)
{
	return event->seq == other->seq && event->time_ns == other->time_ns && event->flags == other->flags &&
	       event->thread == other->thread && event->lane == other->lane && event->channel == other->channel &&
	       event->site == other->site && event->value_count == other->value_count &&
	       event->values_bytes == other->values_bytes &&
	       memcmp(event->values, other->values, event->values_bytes) == 0;
}

/*
 * Reads it all, and beside it what is not stepped over: the same events in the same order, up to the same end.
 * Gives how many were stepped over.
 */
static uint64_t compare(size_t count, uint64_t events)
{
	unsigned char *copy, *all_copy;
	struct dump_batch batch = batch_of(count, events, &copy), all = batch_of(count, events, &all_copy);
	struct event event, wanted;
	uint64_t skipped, sum = 0;
	bool more;

	do {
		skipped = dump_batch_skip_refused(dump, &batch);
		sum += skipped;
		for (; skipped; skipped--)
			if (!dump_batch_next(dump, &all, &wanted) || wanted.site->verdict != SITE_NEVER)
				cr_assert_fail("an event was stepped over that is wanted, or is none");
		more = dump_batch_next(dump, &batch, &event);
		if (dump_batch_next(dump, &all, &wanted) != more || (more && !same(&event, &wanted)))
			cr_assert_fail("another event");
	} while (more);
	cr_assert_eq(batch.left, all.left);
	cr_assert_eq(batch.seq, all.seq);
	free(copy);
	free(all_copy);
	return sum;
}

Test(batch, an_event_is_what_it_is_however_wide_its_numbers_are)
{
	struct dump_batch batch;
	struct event narrow, wide;
	unsigned char *copy;

	for (unsigned int i = 0; i < EVENTS; i++) {
		uint64_t thread = any(4) ? any(2) : any(100000), flags = any(8), values = any(3);
		uint64_t time_ns = MADE_TIME_NS + any(1000);

		byte_count = 0;
		for (unsigned int width = 0; width <= 4; width += 4) {
			put_number(4, DUMP_EVENT_FIXED + !!(flags & DUMP_EVENT_CHANNEL) + values, width);
			put_number(0, time_ns, width);
			put_number(0, thread, width);
			put_number(0, 6, width);
			put_number(0, flags, width);
			put_number(0, WANTED, width);
			if (flags & DUMP_EVENT_CHANNEL)
				put_number(0, 0, width);
			for (uint64_t j = 0; j < values; j++)
				put_number(0, j, 0);
		}
		batch = batch_of(byte_count, 2, &copy);
		cr_assert(dump_batch_next(dump, &batch, &narrow));
		cr_assert(dump_batch_next(dump, &batch, &wide));
		cr_expect_eq(batch.cursor.at, batch.cursor.end);
		cr_expect_eq(narrow.time_ns, (int64_t)time_ns);
		cr_expect_eq(narrow.value_count, values);
		cr_expect(span_is(narrow.lane->name, "channel"));
		cr_expect_eq(narrow.channel != NULL, !!(flags & DUMP_EVENT_CHANNEL));
		cr_expect(!narrow.channel || span_is(narrow.channel->name, "audit"));
		narrow.seq++;
		cr_expect(same(&narrow, &wide));
		free(copy);
	}
}

Test(batch, what_is_refused_is_stepped_over_and_nothing_else)
{
	uint64_t skipped;

	for (unsigned int i = 0; i < EVENTS; i++)
		put_event(any(3) ? REFUSED : WANTED, any(8), any(5), !any(3), any(2));
	skipped = compare(byte_count, EVENTS);
	/* Two of three are refused, and most of these look as usual. */
	cr_expect_gt(skipped, EVENTS / 5);
	cr_expect_lt(skipped, EVENTS * 3 / 4);
}

Test(batch, what_a_writer_makes_is_never_handed_out_if_it_is_refused)
{
	for (unsigned int i = 0; i < EVENTS; i++)
		put_event(REFUSED, any(8), any(18), false, false);
	/* Those next to the end are read with more care. */
	cr_expect_geq(compare(byte_count, EVENTS), EVENTS - 2);
}

Test(batch, is_cut_at_every_byte)
{
	for (unsigned int i = 0; i < 40; i++)
		put_any();
	for (size_t cut = 0; cut <= byte_count; cut++)
		compare(cut, 40);
}

Test(batch, is_flipped_at_every_byte)
{
	for (unsigned int i = 0; i < 40; i++)
		put_any();
	for (size_t at = 0; at < byte_count; at++)
		for (unsigned int mask = 1; mask < 256; mask = mask * 2 + 1) {
			bytes[at] ^= (unsigned char)mask;
			compare(byte_count, 40);
			bytes[at] ^= (unsigned char)mask;
		}
}
