/* SPDX-License-Identifier: MIT */
/*
 * test_dump_writer.c - a dump is what dump_format.h says, in the eyes of lz4, cbor2 and jq, which
 * know nothing of us.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/made_dump.h"

static char path[] = "/tmp/test_dump_writer.XXXXXX";

static void write_file(void)
{
	int fd;

	strcpy(path, "/tmp/test_dump_writer.XXXXXX");
	fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	cr_assert_eq(dump_write(fd, &made, &made.facts), 0);
	close(fd);
}

static void drop_file(void)
{
	unlink(path);
	free(made.event);
	made.event = NULL;
}

/* What jq makes of the dump, all items in one array. */
static const char *ask(const char *program)
{
	static char answer[4096];
	char command[4096];
	size_t bytes;
	FILE *pipe;

	snprintf(command, sizeof(command), "lz4 -dc %s | tests/dump_as_json.py | jq -sc '%s'", path,
		 program);
	pipe = popen(command, "r");
	cr_assert_not_null(pipe);
	bytes = fread(answer, 1, sizeof(answer) - 1, pipe);
	answer[bytes] = '\0';
	if (bytes && answer[bytes - 1] == '\n')
		answer[bytes - 1] = '\0';
	cr_assert_eq(pclose(pipe), 0, "%s", command);
	return answer;
}

#define EXPECT(program, wanted)                                                                    \
	cr_expect_str_eq(ask(program), wanted, "%s: %s", program, ask(program))

TestSuite(dump_writer, .fini = drop_file, .timeout = 120);

Test(dump_writer, other_programs_see_who_and_why)
{
	made_begin();
	write_file();
	EXPECT(".[0] | [.ttlog, .service, .hostname, .pid, .reason]",
	       "[1,\"orders\",\"web-1\",4242,\"sigsegv\"]");
	EXPECT(".[0] | [.created_at, .created_ns / 1000 | tostring]",
	       "[\"2023-11-14T22:13:21.002003Z\",\"1700000001002003\"]");
	EXPECT(".[0].death_ns / 1000000000", "1700000001");
	EXPECT(".[0].cause | [.how, .signal, .signal_name, .code, .code_name, .fault_address, "
	       ".confidence]",
	       "[\"fault\",11,\"SIGSEGV\",1,\"SEGV_MAPERR\",0,\"high\"]");
	EXPECT(".[0].cause.sentence", "\"segmentation fault: SIGSEGV (SEGV_MAPERR) at address 0x0 "
				      "in thread worker-1 (tid 4245)\"");
	EXPECT(".[0].cause.thread | [.pid, .tid, .comm]", "[4242,4245,\"worker-1\"]");
	EXPECT(".[0].cause | has(\"exit_code\"), has(\"sender\"), has(\"evidence\")",
	       "false\nfalse\nfalse");
	EXPECT(".[0].process | [.comm, .exe, .cmdline, .cgroup, .uid, .gid, .ppid]",
	       "[\"orders\",\"/usr/bin/orders\",\"orders --port "
	       "80\",\"/system.slice/orders.service\",1000,"
	       "1000,1]");
	EXPECT("[.[0].lanes[].name]", "[\"main\",\"alert\",\"alert_large\",\"boot\",\"afterlife\","
				      "\"nested\",\"channel\"]");
	EXPECT("[.[0].threads[] | [.tid, .name]]", "[[4242,\"orders\"],[4245,\"worker-1\"]]");
	EXPECT(".[0].clock.source", "\"monotonic\"");
	EXPECT(".[0].recorder | [.version, .rung]", "[\"0.1.0\",\"ebpf\"]");
	EXPECT("[.[1].sites, .[1].strings, length]", "[{},{},2]");
}

Test(dump_writer, other_programs_see_every_type_of_value)
{
	static const uint8_t types[] = {TTLOG_TYPE_BOOL,
					TTLOG_TYPE_CHAR,
					TTLOG_TYPE_I8,
					TTLOG_TYPE_U8,
					TTLOG_TYPE_I16,
					TTLOG_TYPE_U16,
					TTLOG_TYPE_I32,
					TTLOG_TYPE_U32,
					TTLOG_TYPE_I64,
					TTLOG_TYPE_U64,
					TTLOG_TYPE_F32,
					TTLOG_TYPE_F64,
					TTLOG_TYPE_STRING,
					TTLOG_TYPE_BYTES,
					TTLOG_TYPE_POINTER,
					TTLOG_TYPE_INTERNED,
					0};
	static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h",
					    "i", "j", "k", "l", "m", "n", "o", "p"};
	const double real = 1.1;
	struct made_event *event;

	made_begin();
	made.string[0] = "interned";
	made.string[1] = "\xff";
	made.string_count = 2;
	made_site(TTLOG_WARN, "t", "All \xc3\xbc", types, names);
	event = made_event(500000, 1, 1);
	event->lane = 3;
	event->flags = TTLOG_EVENT_TRUNCATED;
	for (unsigned int i = 0; i < 10; i++)
		event->value[i].bits = i < 2 ? 1 : i % 2 ? 200 : (uint64_t)-100;
	event->value[1].bits = 'x';
	event->value[10].bits = 0x40500000; /* 3.25 */
	memcpy(&event->value[11].bits, &real, 8);
	made_text(event, 12, "text");
	event->value[13].data = "\0\1";
	event->value[13].size = 2;
	event->value[14].bits = 0x7fff;
	event->value[15].bits = MADE_STRINGS_FROM;
	event = made_event(400000, 0, 1); /* earlier than the one before */
	made_text(event, 12, "\xff\xfe");
	write_file();
	EXPECT(".[2].events[0][5:]", "[true,120,-100,200,-100,200,-100,200,-100,200,3.25,1.1,"
				     "\"text\",{\"bytes\":\"0001\"},32767,"
				     "64]");
	EXPECT(".[2].events[0][1:5]", "[1,3,1,1]");
	EXPECT(".[2].events[1][17]", "{\"bytes\":\"fffe\"}");
	EXPECT(".[1].sites[\"1\"] | [.level, .target, .message, .file, .function, .line, .printf]",
	       "[\"WARN\",\"t\",\"All \xc3\xbc\",\"orders.c\",\"handle\",101,false]");
	EXPECT("[.[1].sites[\"1\"].fields[][1]] | join(\" \")",
	       "\"bool char i8 u8 i16 u16 i32 u32 i64 u64 f32 f64 str bytes ptr istr\"");
	EXPECT(".[1].strings", "{\"64\":\"interned\",\"65\":{\"bytes\":\"ff\"}}");
	/* Time never goes back in a dump, whatever the events say. */
	EXPECT("[.[2].events[][0]] | .[1] - .[0]", "0");
}

static uint32_t generated_site;

static void generate(size_t index, struct ttlog_reader_event *event)
{
	event->ticks = index;
	event->site = generated_site;
	event->flags = event->lane = event->thread = 0;
	event->value_count = 1;
	event->value[0].type = TTLOG_TYPE_U32;
	event->value[0].bits = index;
}

Test(dump_writer, batches_are_numbered_and_bounded)
{
	static const uint8_t types[] = {TTLOG_TYPE_U32, 0};
	static const char *const names[] = {"n"};

	made_begin();
	generated_site = made_site(TTLOG_INFO, "t", "m", types, names);
	made.generator = generate;
	made.generate = 10000;
	write_file();
	EXPECT("[.[2:][] | [.seq, (.events | length)]]", "[[0,4096],[4096,4096],[8192,1808]]");
	EXPECT("[.[2:][].events[]] | [length, (map(.[5]) == [range(10000)])]", "[10000,true]");
	EXPECT(".[0].events", "10000");
}

Test(dump_writer, a_large_dictionary_takes_several_frames)
{
	static char text[1024];

	memset(text, 's', sizeof(text) - 1);
	made_begin();
	made_site(TTLOG_INFO, "t", "m", (const uint8_t *)"", (const char *const[]){NULL});
	made.string_count = 1000;
	for (unsigned int i = 0; i < made.string_count; i++)
		made.string[i] = text;
	made_event(1, 0, 1);
	write_file();
	EXPECT("[.[1:-1][] | (.sites | length), (.strings | length | . > 0)]",
	       "[1,true,0,true,0,true,0,true]");
	EXPECT("[.[1:-1][].strings | length] | add", "1000");
	EXPECT(".[-1].seq", "0");
}

Test(dump_writer, evidence_and_sender_are_in_the_cause)
{
	struct evidence *evidence = calloc(1, sizeof(*evidence));

	made_begin();
	evidence->count = 2;
	evidence->forgotten = 5;
	evidence->lost = 7;
	evidence->event[0] = (struct ttlog_bpf_event){
		.time_ns = 10,
		.kind = TTLOG_BPF_SIGNAL,
		.signal = 9,
		.code = 0,
		.target = {.pid = 4242, .tid = 4242, .comm = "orders"},
		.sender = {.pid = 12, .tid = 12, .uid = 0, .comm = "bash"}};
	evidence->event[1] =
		(struct ttlog_bpf_event){.time_ns = 20, .kind = TTLOG_BPF_DEATH, .exit_code = 9};
	made.facts.evidence = evidence;
	made.facts.verdict = (struct verdict){.how = VERDICT_SIGNAL,
					      .have_signal = true,
					      .signal = 9,
					      .have_sender = true,
					      .sender = evidence->event[0].sender};
	write_file();
	EXPECT(".[0].cause | [.sender.comm, .sender.pid, .evidence_forgotten, .evidence_lost]",
	       "[\"bash\",12,5,7]");
	EXPECT("[.[0].cause.evidence[] | [.kind, .signal, .exit_code, .sender.comm]]",
	       "[[1,9,0,\"bash\"],[3,0,9,null]]");
	free(evidence);
}

Test(dump_writer, channels_are_listed_where_there_is_something_to_say)
{
	static const uint8_t types[] = {TTLOG_TYPE_U8, 0};
	static const char *const names[] = {"n"};

	made_begin();
	made_site(TTLOG_INFO, "t", "m", types, names);
	made_event(1000, 0, 1);
	made_event(2000, 1, 1)->value[0].bits = 7;
	made_channel("quiet", NULL, 0);
	made_channel("busy", (struct made_event *[]){&made.event[1]}, 1);
	made.channel[1].diverted = 2;
	write_file();
	EXPECT(".[0].channels | [.open, .opened, .replaced, .refused]", "[2,2,0,0]");
	EXPECT(".[0].channels.list",
	       "[{\"name\":\"busy\",\"events\":1,\"budget_bytes\":1024,\"diverted\":2}]");
	EXPECT(".[2].events[0][1:]", "[0,0,0,1,0]");
	EXPECT(".[2].events[1][1:]", "[1,6,4,1,0,7]");
	EXPECT(".[0].lanes[6].name", "\"channel\"");
	drop_file();
	made_begin();
	write_file();
	EXPECT(".[0] | has(\"channels\")", "false");
}

Test(dump_writer, the_summary_and_the_index_stand_in_skippable_frames)
{
	static const uint8_t types[] = {TTLOG_TYPE_U32, 0};
	static const char *const names[] = {"n"};
	unsigned char *data;
	size_t bytes, index;

	made_begin();
	generated_site = made_site(TTLOG_INFO, "t", "m", types, names);
	made.generator = generate;
	made.generate = 5000;
	data = made_dump(&bytes);
	cr_expect_eq(memcmp(data, "\x50\x2a\x4d\x18", 4), 0);
	cr_expect_eq(memcmp(data + 8, "TTLOGDMP\1\0\1\0\0\0\0\0", 16), 0);
	cr_expect(memmem(data + 24, (size_t)(data[4] | data[5] << 8),
			 "\x63how\x65"
			 "fault",
			 10));
	for (index = bytes - 16;
	     index && memcmp(data + index, "TTLOGIDX\1\0\1\0\0\0\0\0", 16) != 0;)
		index--;
	cr_assert(index);
	cr_expect_eq(memcmp(data + index - 8, "\x5f\x2a\x4d\x18", 4), 0);
	cr_expect_eq(data[index - 4] + index, bytes);
	/* {"batches": [[offset, 0, 4096, first, last], ...], "events": 5000} */
	cr_expect_eq(memcmp(data + index + 16,
			    "\xa2\x67"
			    "batches\x82\x85",
			    11),
		     0);
	cr_expect_eq(memcmp(data + bytes - 10,
			    "\x66"
			    "events\x19\x13\x88",
			    10),
		     0);
	free(data);
}

/* It is found by its place, so that it can be written when all the rest is there. */
Test(dump_writer, a_signature_stands_where_the_format_says)
{
	static const char before[] = "\x69signature\x70"
				     "0000000000000000";
	char digits[DUMP_SIGNATURE_DIGITS];
	unsigned char *data;
	size_t bytes;
	int fd;

	made_begin();
	data = made_dump(&bytes);
	cr_expect_eq(memcmp(data + DUMP_SIGNATURE_OFFSET - 11, before, sizeof(before) - 1), 0);
	free(data);
	write_file();
	fd = open(path, O_RDWR | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_expect_eq(dump_write_signature(fd, "0123456789abcdef"), 0);
	cr_expect_eq(pread(fd, digits, sizeof(digits), DUMP_SIGNATURE_OFFSET), 16);
	cr_expect_eq(memcmp(digits, "0123456789abcdef", 16), 0);
	close(fd);
	EXPECT(".[0] | .pid", "4242"); /* and the rest is as it was */
}

/* The writes fail one after another: at each of the first bytes of the file, and in between. */
Test(dump_writer, a_write_that_fails_is_reported)
{
	struct rlimit limit;
	int fd = memfd_create("full", MFD_CLOEXEC);
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	off_t whole;

	made_begin();
	cr_assert_eq(dump_write(fd, &made, &made.facts), 0);
	whole = lseek(fd, 0, SEEK_CUR);
	close(fd);
	cr_expect_eq(dump_write(full, &made, &made.facts), -ENOSPC);
	close(full);
	cr_expect_eq(dump_write(-1, &made, &made.facts), -EBADF);
	signal(SIGXFSZ, SIG_IGN);
	strcpy(path, "/tmp/test_dump_writer.XXXXXX");
	fd = mkstemp(path);
	for (off_t bytes = 0; bytes < whole; bytes++) {
		limit = (struct rlimit){(rlim_t)bytes, RLIM_INFINITY};
		cr_assert_eq(ftruncate(fd, 0) | (int)lseek(fd, 0, SEEK_SET), 0);
		cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
		cr_expect_eq(dump_write(fd, &made, &made.facts), -EFBIG, "after %ld bytes",
			     (long)bytes);
	}
	limit.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_FSIZE, &limit);
	close(fd);
}
