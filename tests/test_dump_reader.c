/* SPDX-License-Identifier: MIT */
/* test_dump_reader.c - dumps whole, cut at every byte, with every byte flipped. */
#include <criterion/criterion.h>
#include <errno.h>

#include "tests/made_dump.h"
#include "tests/view_dump.h"
#include "viewer/frames.h"

#define TEXT_BYTES 30000
#define EVENTS 27
#define FRAMES_MAX 16

static const uint8_t types[] = {TTLOG_TYPE_U32, TTLOG_TYPE_STRING, 0};
static const char *const names[] = {"n", "text"};

static unsigned char *whole;
static size_t whole_bytes;

/* The frames of the whole dump. */
static struct {
	uint64_t offset, end;
	uint64_t seq, events; /* events: 0 unless it is a batch */
	uint32_t magic;
} frame_map[FRAMES_MAX];
static unsigned int frame_count;

static void map_frames(void)
{
	int fd = memfd_create("frames", MFD_CLOEXEC);
	struct frames *frames;
	struct frame frame;
	struct dump *dump;
	struct event event;
	const char *why;
	uint64_t seq = 0;

	cr_assert_eq(write(fd, whole, whole_bytes), (ssize_t)whole_bytes);
	lseek(fd, 0, SEEK_SET);
	cr_assert_eq(frames_open(&frames, fd), 0);
	for (frame_count = 0; frames_next(frames, &frame) > 0; frame_count++) {
		cr_assert_lt(frame_count, FRAMES_MAX);
		frame_map[frame_count].offset = frame.offset;
		frame_map[frame_count].magic = frame.magic;
		if (frame_count)
			frame_map[frame_count - 1].end = frame.offset;
		/* head, metadata, dictionary come first */
		if (frame_count >= 3 && frame.magic == FRAMES_DATA_MAGIC) {
			frame_map[frame_count].seq = seq;
			cr_assert_eq(view_bytes(&dump, whole, frame.offset, &why), 0);
			while (dump_next(dump, &event))
				;
			if (frame_count > 3)
				frame_map[frame_count - 1].events = dump_events_read(dump) - frame_map[frame_count - 1].seq;
			frame_map[frame_count].seq = dump_events_read(dump);
			frame_map[frame_count].events = EVENTS - dump_events_read(dump);
			dump_close(dump);
		}
	}
	frame_map[frame_count - 1].end = whole_bytes;
	frames_close(frames);
}

/* Three batches of large but compressible events: a small file. */
static void make_whole(void)
{
	static char text[TEXT_BYTES + 1];
	struct made_event *event;

	memset(text, 'x', TEXT_BYTES);
	made_begin();
	made_site(TTLOG_INFO, "http", "Request processed", types, names);
	for (unsigned int i = 0; i < EVENTS; i++) {
		event = made_event(1000 * i, i & 1, 1);
		event->value[0].bits = i;
		made_text(event, 1, text);
	}
	whole = made_dump(&whole_bytes);
	map_frames();
}

static void free_whole(void)
{
	free(whole);
	free(made.event);
	made.event = NULL;
}

TestSuite(dump_reader, .init = make_whole, .fini = free_whole, .timeout = 170);

/* Reads to the end; whatever comes out is what was put in. Returns the count, -1: not a dump. */
static int read_checked(const unsigned char *data, size_t bytes, bool *ret_damaged)
{
	static struct record record;
	struct dump *dump;
	const char *why;
	char damage[160];
	int count = 0;

	if (view_bytes(&dump, data, bytes, &why))
		return -1;
	for (; dump_next(dump, &record.event); count++) {
		record.decoded = false;
		record_decode(&record);
		cr_assert_lt(record.event.seq, EVENTS);
		cr_assert_eq(record.event.time_ns, (int64_t)(MADE_TIME_NS + 1000 * record.event.seq));
		cr_assert_eq(record.count, 2);
		cr_assert_eq(record.value[0].number, record.event.seq);
		cr_assert_eq(record.value[1].span.bytes, TEXT_BYTES);
		cr_assert_eq(record.value[1].span.data[TEXT_BYTES - 1], 'x');
	}
	*ret_damaged = dump_damage(dump, damage, sizeof(damage));
	dump_close(dump);
	return count;
}

Test(dump_reader, a_whole_dump_has_all_events_and_no_damage)
{
	bool damaged;

	cr_expect_eq(frame_count, 7, "3 batches, not %u frames", frame_count);
	cr_expect_eq(read_checked(whole, whole_bytes, &damaged), EVENTS);
	cr_expect_not(damaged);
}

Test(dump_reader, metadata_comes_back)
{
	struct dump *dump;
	const struct meta *meta;
	const char *why;

	cr_assert_eq(view_bytes(&dump, whole, whole_bytes, &why), 0);
	meta = dump_meta(dump);
	cr_expect(span_is(meta->service, "orders"));
	cr_expect(span_is(meta->hostname, "web-1"));
	cr_expect_eq(meta->pid.bits, 4242);
	cr_expect_eq(meta->death_ns.bits, MADE_TIME_NS + 1000000000);
	cr_expect(span_is(meta->cause.how, "fault"));
	cr_expect_eq(meta->cause.signal.bits, 11);
	cr_expect(meta->cause.fault_address.known);
	cr_expect_not(meta->cause.exit_code.known);
	cr_expect_eq(meta->thread_count, 2);
	cr_expect(span_is(meta->threads[1].name, "worker-1"));
	cr_expect_eq(meta->lane_count, MADE_LANES);
	cr_expect(span_is(meta->process.cmdline, "orders --port 80"));
	cr_expect(span_is(meta->clock.source, "monotonic"));
	dump_close(dump);
}

Test(dump_reader, a_file_cut_anywhere_gives_the_whole_batches_before_the_cut)
{
	bool damaged;
	int wanted;

	for (size_t cut = 0; cut < whole_bytes; cut++) {
		wanted = 0;
		for (unsigned int i = 0; i < frame_count; i++)
			if (frame_map[i].end <= cut)
				wanted += (int)frame_map[i].events;
		/* Without a whole head there is nothing to know it by. */
		if (cut < frame_map[0].end)
			wanted = -1;
		cr_assert_eq(read_checked(whole, cut, &damaged), wanted, "cut at %zu", cut);
		cr_assert(wanted < 0 || damaged, "cut at %zu and nobody noticed", cut);
	}
}

static void flip_everywhere(unsigned char mask)
{
	unsigned char *copy = malloc(whole_bytes);
	unsigned int hit = 0;
	bool damaged;
	int wanted;

	for (size_t at = 0; at < whole_bytes; at++) {
		if (at == frame_map[hit].end)
			hit++;
		wanted = EVENTS - (int)frame_map[hit].events;
		memcpy(copy, whole, whole_bytes);
		copy[at] ^= mask;
		/* A version from the future is nothing to guess at. */
		if (at == 18 || at == 19)
			wanted = -1;
		cr_assert_eq(read_checked(copy, whole_bytes, &damaged), wanted,
			     "byte %zu (frame %u) ^ %02x", at, hit, mask);
		cr_assert(wanted < 0 || frame_map[hit].magic != FRAMES_DATA_MAGIC || damaged,
			  "byte %zu ^ %02x and nobody noticed", at, mask);
	}
	free(copy);
}

Test(dump_reader, a_flipped_byte_costs_its_own_batch_and_no_other)
{
	flip_everywhere(0xff);
}

Test(dump_reader, a_flipped_bit_costs_its_own_batch_and_no_other)
{
	flip_everywhere(0x02);
}

Test(dump_reader, what_is_no_dump_is_called_so)
{
	struct dump *dump;
	const char *why = "";

	cr_expect_eq(view_bytes(&dump, "", 0, &why), -EBADMSG);
	cr_expect_eq(view_bytes(&dump, "hello", 5, &why), -EBADMSG);
	cr_expect_str_eq(why, "not a ttlog dump (bad magic)");
	cr_expect_eq(dump_open(&dump, "/nonexistent/x.bin", &why), -ENOENT);
	cr_expect_eq(dump_open(&dump, "/", &why), -EISDIR);
}

Test(dump_reader, a_format_from_the_future_is_refused_with_a_reason)
{
	struct dump *dump;
	const char *why = "";

	whole[18] = DUMP_VERSION + 1;
	cr_expect_eq(view_bytes(&dump, whole, whole_bytes, &why), -EPROTONOSUPPORT);
	cr_expect(strstr(why, "newer"));
	/* A newer version that says it can still be read is read. */
	whole[16] = DUMP_VERSION + 1;
	whole[18] = DUMP_COMPATIBLE;
	cr_expect_eq(view_bytes(&dump, whole, whole_bytes, &why), 0);
	dump_close(dump);
}
