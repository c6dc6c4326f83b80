/* SPDX-License-Identifier: MIT */
/* test_read.c - what the library gives of a dump is what ttlog-view shows of it, event by event. */
#include "tests/view_shown.h"

#include <errno.h>
#include <inttypes.h>

#include "viewer/format_json.h"
#include "viewer/ttlog_read.h"
#include "viewer/when.h"

TestSuite(read, .init = setup, .fini = teardown, .timeout = 240);

static struct ttlog_read *dump;
static char why[200];

static int open_with(const char *name, struct ttlog_read_options options)
{
	char path[3 * PATH_MAX];

	snprintf(path, sizeof(path), "%s%s%s", *name == '/' ? "" : folder, *name == '/' ? "" : "/", name);
	options.size = sizeof(options);
	options.why = why;
	options.why_bytes = sizeof(why);
	dump = NULL;
	return ttlog_read_open(&dump, path, &options);
}

/* ---- events as JSON, made of what the library says alone -------------------------------------- */

static struct span span_text(struct ttlog_read_text text)
{
	return (struct span){text.data, text.bytes};
}

/* For the functions that write numbers as JSON has them. */
static struct value as_value(const struct ttlog_read_value *value)
{
	struct value plain = {.kind = VALUE_UINT, .number = value->number, .real = value->real,
			     .span = span_text(value->text)};

	switch (value->type) {
	case TTLOG_READ_NULL:
		plain.kind = VALUE_NULL;
		break;
	case TTLOG_READ_BOOL:
		plain.kind = VALUE_BOOL;
		break;
	case TTLOG_READ_CHAR:
		plain.type = FIELD_CHAR;
		break;
	case TTLOG_READ_POINTER:
		plain.type = FIELD_POINTER;
		break;
	case TTLOG_READ_UINT:
		break;
	case TTLOG_READ_INT:
		plain.kind = value->integer < 0 ? VALUE_NEGATIVE : VALUE_UINT;
		plain.number = value->integer < 0 ? ~(uint64_t)value->integer : (uint64_t)value->integer;
		break;
	case TTLOG_READ_FLOAT:
		plain.kind = VALUE_F32;
		break;
	case TTLOG_READ_DOUBLE:
		plain.kind = VALUE_F64;
		break;
	case TTLOG_READ_TEXT:
		plain.kind = VALUE_TEXT;
		break;
	case TTLOG_READ_BYTES:
		plain.kind = VALUE_BYTES;
		break;
	}
	return plain;
}

static struct number as_number(int64_t number)
{
	return (struct number){(uint64_t)number, number >= 0};
}

static void put_fields(struct out *out, struct out *scratch, uint32_t count)
{
	out_char(out, '{');
	for (uint32_t i = 0; i < count; i++) {
		const struct ttlog_read_value *value = ttlog_read_field_at(dump, i);
		struct value plain;

		cr_assert_not_null(value);
		plain = as_value(value);
		if (i)
			out_char(out, ',');
		out_json_string(out, span_text(value->name));
		out_char(out, ':');
		format_json_value(out, scratch, &plain);
	}
	out_char(out, '}');
}

static void put_event(struct out *out, struct out *scratch, const struct ttlog_read_event *event)
{
	const struct ttlog_read_info *info = ttlog_read_get_info(dump);

	out_text(out, "{\"ts\":\"");
	when_rfc3339(out, event->time_ns);
	out_printf(out, "\",\"ts_ns\":\"%" PRId64 "\",%s\"seq\":%" PRIu64 ",\"level\":\"%s\"", event->time_ns,
		   event->flags & TTLOG_READ_CARRIED ? "\"ts_carried\":true," : "", event->seq,
		   ttlog_read_level_name(event->level));
	json_span(out, "target", span_text(event->target));
	json_span(out, "msg", span_text(event->message));
	json_number(out, "pid", as_number(info->pid));
	json_number(out, "tid", as_number(event->tid));
	json_span(out, "thread", span_text(event->thread));
	if (event->flags & TTLOG_READ_CHANNEL)
		json_span(out, "channel", span_text(event->channel));
	json_span(out, "service", span_text(info->service));
	json_span(out, "host", span_text(info->hostname));
	json_span(out, "file", span_text(event->file));
	json_number(out, "line", as_number(event->line));
	json_span(out, "func", span_text(event->function));
	json_key(out, "fields");
	put_fields(out, scratch, event->field_count);
	out_text(out, "}\n");
}

/* All that is left of the dump, into a file; how many events these were. */
static unsigned int write_events(const char *name)
{
	const struct ttlog_read_event *event = NULL;
	char path[PATH_MAX + 16];
	unsigned int events = 0;
	struct out out, scratch;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	out_init(&out, open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	out_init(&scratch, -1);
	for (; ttlog_read_next(dump, &event) > 0; events++)
		put_event(&out, &scratch, event);
	cr_assert_eq(out_flush(&out), 0);
	close(out.fd);
	out_fini(&out);
	out_fini(&scratch);
	return events;
}

/* What the library gives of a file with these options is what the viewer does with those. */
static unsigned int expect_same(const char *name, struct ttlog_read_options options, const char *arguments)
{
	unsigned int events;

	cr_assert_eq(open_with(name, options), 0, "%s: %s", name, why);
	events = write_events("ours");
	shell("{ $V -o json %s %s 2>said; true; } | cmp - ours", arguments, name);
	cr_expect_eq(status, 0, "%s %s: %s%s", arguments, name, output, complaint);
	/* It says so whenever the viewer does. */
	shell("if test -s said; then echo damaged; fi");
	cr_expect_eq(ttlog_read_damage(dump, NULL, 0), *output != 0, "%s %s", arguments, name);
	ttlog_read_close(dump);
	return events;
}

Test(read, events_are_those_of_the_viewer)
{
	char golden[PATH_MAX + 32];

	expect_same("plain.bin", (struct ttlog_read_options){0}, "");
	cr_expect_eq(expect_same("hostile.bin", (struct ttlog_read_options){0}, ""), HOSTILE_EVENTS);
	snprintf(golden, sizeof(golden), "%s/golden/1-fault.bin", scripts);
	cr_expect_gt(expect_same(golden, (struct ttlog_read_options){0}, ""), 0);
	snprintf(golden, sizeof(golden), "%s/golden/1-killed.bin", scripts);
	cr_expect_gt(expect_same(golden, (struct ttlog_read_options){0}, ""), 0);
	snprintf(golden, sizeof(golden), "%s/golden/1-snapshot.bin", scripts);
	cr_expect_eq(expect_same(golden, (struct ttlog_read_options){0}, ""), 5000);
}

Test(read, a_selection_is_the_viewers)
{
	static const char *const filters[] = {"target=http", "status?", NULL};
	char golden[PATH_MAX + 32];

	cr_expect_eq(expect_same("plain.bin", (struct ttlog_read_options){.query = "level>=error or id=2"},
				 "--query 'level>=error or id=2'"), 3);
	cr_expect_eq(expect_same("plain.bin", (struct ttlog_read_options){.filters = filters},
				 "-f target=http -f 'status?'"), 2);
	snprintf(golden, sizeof(golden), "%s/golden/1-snapshot.bin", scripts);
	expect_same(golden, (struct ttlog_read_options){.newest = 10}, "-n 10");
	expect_same(golden, (struct ttlog_read_options){.oldest = 10}, "-n +10");
	expect_same(golden, (struct ttlog_read_options){.reverse = 1, .newest = 4500}, "-r -n 4500");
	expect_same(golden, (struct ttlog_read_options){.reverse = 1, .query = "n>100"}, "-r --query 'n>100'");
}

static bool text_is(struct ttlog_read_text text, const char *wanted)
{
	return text.bytes == strlen(wanted) && memcmp(text.data, wanted, text.bytes) == 0;
}

Test(read, metadata_and_cause_are_there_before_the_first_event)
{
	const struct ttlog_read_cause *cause;
	const struct ttlog_read_info *info;

	cr_assert_eq(open_with("plain.bin", (struct ttlog_read_options){0}), 0);
	info = ttlog_read_get_info(dump);
	cr_expect(text_is(info->service, "orders") && text_is(info->hostname, "web-1"));
	cr_expect(text_is(info->reason, "sigsegv") && text_is(info->exe, "/usr/bin/orders"));
	cr_expect(text_is(info->created_at, "2023-11-14T22:13:21.002003Z"));
	cr_expect_eq(info->signature.bytes, 0, "nobody gave it one");
	cr_expect_eq(info->pid, 4242);
	cr_expect_eq(info->uid, 1000);
	cr_expect_eq(info->death_ns, (int64_t)MADE_TIME_NS + 1000000000);
	cr_expect_eq(info->events, 6);
	cr_expect_eq(info->overwritten, 1000);
	cr_expect_eq(info->dropped, 7);
	cause = ttlog_read_get_cause(dump);
	cr_expect(text_is(cause->how, "fault") && text_is(cause->confidence, "high"));
	cr_expect(text_is(cause->signal_name, "SIGSEGV") && text_is(cause->code_name, "SEGV_MAPERR"));
	cr_expect_eq(cause->signal, 11);
	cr_expect(cause->has_code && cause->code == 1);
	cr_expect(cause->has_fault_address && cause->fault_address == 0);
	cr_expect_eq(cause->exit_code, -1);
	cr_expect_null(cause->sender);
	cr_assert_not_null(cause->thread);
	cr_expect_eq(cause->thread->tid, 4245);
	cr_expect(text_is(cause->thread->comm, "worker-1"));
	ttlog_read_close(dump);
}

Test(read, who_sent_the_signal_is_known)
{
	const struct ttlog_read_cause *cause;
	char golden[PATH_MAX + 32];

	snprintf(golden, sizeof(golden), "%s/golden/1-killed.bin", scripts);
	cr_assert_eq(open_with(golden, (struct ttlog_read_options){0}), 0, "%s", why);
	cause = ttlog_read_get_cause(dump);
	cr_expect(text_is(cause->sentence, "killed by SIGKILL from bash (pid 12, uid 0)"));
	cr_assert_not_null(cause->sender);
	cr_expect_eq(cause->sender->pid, 12);
	cr_expect_eq(cause->sender->uid, 0);
	cr_expect(text_is(cause->sender->comm, "bash"));
	cr_expect_not(cause->has_fault_address);
	ttlog_read_close(dump);
}

Test(read, fields_have_the_types_that_were_recorded)
{
	static const struct {
		const char *name;
		enum ttlog_read_type type;
	} wanted[] = {
		{"bool", TTLOG_READ_BOOL},     {"char", TTLOG_READ_CHAR},      {"i64", TTLOG_READ_INT},
		{"u64", TTLOG_READ_UINT},      {"f32", TTLOG_READ_FLOAT},      {"inf", TTLOG_READ_DOUBLE},
		{"a b", TTLOG_READ_TEXT},      {"arg12", TTLOG_READ_BYTES},	       {"event", TTLOG_READ_POINTER},
		{"int", TTLOG_READ_TEXT},      {"ts", TTLOG_READ_INT},	       {"a_b__10", TTLOG_READ_UINT},
	};
	const struct ttlog_read_event *event;
	const struct ttlog_read_value *value;

	cr_assert_eq(open_with("hostile.bin", (struct ttlog_read_options){.oldest = 2}), 0);
	cr_expect_null(ttlog_read_field(dump, "bool"), "there is no event yet");
	cr_assert_eq(ttlog_read_next(dump, &event), 1);
	cr_assert_eq(ttlog_read_next(dump, &event), 1);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		value = ttlog_read_field(dump, wanted[i].name);
		cr_assert_not_null(value, "%s", wanted[i].name);
		cr_expect_eq(value->type, wanted[i].type, "%s: %d", wanted[i].name, value->type);
	}
	value = ttlog_read_field(dump, "i64");
	cr_expect_eq(value->integer, INT64_MIN);
	cr_expect_float_eq(value->real, -9223372036854775808.0, 0);
	value = ttlog_read_field(dump, "u64");
	cr_expect_eq(value->number, UINT64_MAX);
	cr_expect_eq(value->integer, INT64_MAX);
	cr_expect(text_is(ttlog_read_field(dump, "int")->text, "in\tterned\n_PID=1"));
	cr_expect_eq(ttlog_read_field(dump, "a b")->text.bytes, 10);
	cr_expect_null(ttlog_read_field(dump, "boo"));
	cr_expect_null(ttlog_read_field_at(dump, event->field_count));
	cr_expect_eq(ttlog_read_next(dump, &event), 0);
	cr_expect_eq(ttlog_read_next(dump, &event), 0);
	cr_expect_null(ttlog_read_field(dump, "bool"), "there is no event any more");
	ttlog_read_close(dump);
}

Test(read, a_descriptor_stays_the_callers_and_stdin_is_a_minus)
{
	const struct ttlog_read_event *event;
	char path[PATH_MAX + 16];
	int fd, events = 0;

	snprintf(path, sizeof(path), "%s/plain.bin", folder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_eq(ttlog_read_open_fd(&dump, fd, NULL), 0);
	while (ttlog_read_next(dump, &event) > 0)
		events++;
	ttlog_read_close(dump);
	cr_expect_eq(events, 6);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	cr_assert_eq(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	close(fd);
	cr_assert_eq(ttlog_read_open(&dump, "-", &(struct ttlog_read_options){
							 .size = sizeof(struct ttlog_read_options), .newest = 1}), 0);
	cr_assert_eq(ttlog_read_next(dump, &event), 1);
	cr_expect_eq(event->seq, 5);
	ttlog_read_close(dump);
	cr_expect_eq(ttlog_read_open_fd(&dump, -1, NULL), -EBADF);
}

Test(read, a_pipe_is_read_forward)
{
	const struct ttlog_read_event *event;
	char command[PATH_MAX + 32];
	FILE *pipe;

	snprintf(command, sizeof(command), "cat %s/plain.bin", folder);
	pipe = popen(command, "r");
	cr_assert_not_null(pipe);
	cr_assert_eq(ttlog_read_open_fd(&dump, fileno(pipe), &(struct ttlog_read_options){
							.size = sizeof(struct ttlog_read_options), .reverse = 1}), 0);
	for (uint64_t seq = 6; seq--;) {
		cr_assert_eq(ttlog_read_next(dump, &event), 1);
		cr_expect_eq(event->seq, seq);
	}
	cr_expect_eq(ttlog_read_next(dump, &event), 0);
	ttlog_read_close(dump);
	cr_expect_eq(pclose(pipe), 0);
}

Test(read, what_is_wrong_is_said)
{
	static const char *const odd[] = {"level=", NULL};

	cr_expect_eq(open_with("nothing.bin", (struct ttlog_read_options){0}), -ENOENT);
	cr_expect_str_eq(why, "No such file or directory");
	shell(": > empty; head -c 5000 /dev/zero > zeros");
	cr_expect_eq(open_with("empty", (struct ttlog_read_options){0}), -EBADMSG);
	cr_expect_eq(open_with("zeros", (struct ttlog_read_options){0}), -EBADMSG);
	cr_expect_str_eq(why, "not a ttlog dump (bad magic)");
	cr_expect_eq(open_with(".", (struct ttlog_read_options){0}), -EISDIR);
	cr_expect_eq(open_with("plain.bin", (struct ttlog_read_options){.query = "level>=loud"}), -EINVAL);
	cr_expect(strstr(why, "loud"), "%s", why);
	cr_expect_eq(open_with("plain.bin", (struct ttlog_read_options){.filters = odd}), -EINVAL);
	cr_expect_eq(open_with("plain.bin", (struct ttlog_read_options){.newest = 1, .oldest = 1}), -EINVAL);
	cr_expect_str_eq(why, "newest and oldest at once");
	cr_expect_null(dump);
}

Test(read, options_of_other_versions_are_taken_or_refused)
{
	struct {
		struct ttlog_read_options options;
		char later[16];
	} larger = {.options = {.size = sizeof(larger)}};
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/plain.bin", folder);
	cr_assert_eq(ttlog_read_open(&dump, path, &larger.options), 0);
	ttlog_read_close(dump);
	larger.later[15] = 1;
	cr_expect_eq(ttlog_read_open(&dump, path, &larger.options), -EINVAL);
	larger.options.size = 0;
	cr_expect_eq(ttlog_read_open(&dump, path, &larger.options), -EINVAL);
	ttlog_read_close(NULL);
}

/* ---- damage ----------------------------------------------------------------------------------- */

static unsigned char *load(const char *name, size_t *ret_bytes)
{
	char path[PATH_MAX + 16];
	struct stat file;
	unsigned char *data;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_eq(fstat(fd, &file), 0);
	data = malloc((size_t)file.st_size);
	cr_assert_eq(read(fd, data, (size_t)file.st_size), file.st_size);
	close(fd);
	*ret_bytes = (size_t)file.st_size;
	return data;
}

static int open_bytes(int fd, const void *data, size_t bytes)
{
	cr_assert_eq(ftruncate(fd, 0), 0);
	cr_assert_eq(pwrite(fd, data, bytes, 0), (ssize_t)bytes);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	return ttlog_read_open_fd(&dump, fd, NULL);
}

Test(read, a_file_cut_anywhere_says_so)
{
	const struct ttlog_read_event *event;
	size_t bytes, events, opened = 0;
	unsigned char *data = load("plain.bin", &bytes);
	int fd = memfd_create("cut", MFD_CLOEXEC), error;

	for (size_t cut = 0; cut <= bytes; cut++) {
		error = open_bytes(fd, data, cut);
		if (error) {
			cr_assert_eq(error, -EBADMSG, "cut at %zu: %d", cut, error);
			continue;
		}
		opened++;
		for (events = 0; ttlog_read_next(dump, &event) > 0; events++)
			cr_assert_eq(event->seq, events);
		cr_assert_eq(ttlog_read_damage(dump, why, sizeof(why)), cut < bytes, "cut at %zu", cut);
		cr_assert(cut < bytes || events == 6);
		ttlog_read_close(dump);
	}
	cr_expect_gt(opened, bytes / 2);
	close(fd);
	free(data);
}

Test(read, damaged_files_give_what_the_viewer_saves)
{
	size_t bytes;
	unsigned char *data = load("hostile.bin", &bytes);
	char path[PATH_MAX + 16];
	int fd;

	snprintf(path, sizeof(path), "%s/damaged.bin", folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	for (size_t at = 0; at < bytes; at++) {
		const struct ttlog_read_event *event;
		int error;

		data[at] ^= 0x55;
		error = open_bytes(fd, data, bytes);
		cr_assert(!error || error == -EBADMSG || error == -EPROTONOSUPPORT, "flipped at %zu: %d", at,
			  error);
		while (!error && ttlog_read_next(dump, &event) > 0)
			cr_assert_not_null(event->message.data);
		if (!error)
			ttlog_read_close(dump);
		/* The viewer itself is asked now and then: it is a process each time. */
		if (!error && at % (bytes / 16) == 7)
			expect_same("damaged.bin", (struct ttlog_read_options){0}, "");
		data[at] ^= 0x55;
	}
	close(fd);
	free(data);
}

static int descriptors(void)
{
	DIR *folder_of = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(folder_of))
		count++;
	closedir(folder_of);
	return count;
}

/* What is left in memory is the leak checker's affair. */
Test(read, a_thousand_opened_and_closed_leave_nothing)
{
	const struct ttlog_read_event *event;
	const int before = descriptors();

	shell(": > empty");
	for (unsigned int i = 0; i < 1000; i++) {
		cr_assert_eq(open_with("empty", (struct ttlog_read_options){0}), -EBADMSG);
		cr_assert_eq(open_with("plain.bin", (struct ttlog_read_options){.query = "(("}), -EINVAL);
		cr_assert_eq(open_with("plain.bin", (struct ttlog_read_options){.query = "msg=~R.*t",
										.newest = i % 3}), 0);
		if (i & 1)
			cr_assert_eq(ttlog_read_next(dump, &event), 1);
		ttlog_read_close(dump);
	}
	cr_expect_eq(descriptors(), before);
}
