/* SPDX-License-Identifier: MIT */
/* A verdict as a line and as the journal's and syslog's message. Where it goes: test_announce_*.c. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/announce.h"
#include "recorder/announce_line.h"
#include "recorder/dumper.h"

static void be_in_utc(void)
{
	setenv("TZ", "UTC", 1);
}

TestSuite(announce, .init = be_in_utc, .timeout = 120);

static struct verdict verdict;
static struct subject subject;

static struct obituary killed(const char *service)
{
	verdict = (struct verdict){.how = VERDICT_SIGNAL,
				   .confidence = VERDICT_HIGH,
				   .have_signal = true,
				   .signal = SIGKILL};
	subject = (struct subject){.pid = 12, .identity = {.uid = 1000}};
	snprintf(subject.service, sizeof(subject.service), "%s", service);
	return (struct obituary){
		.subject = &subject,
		.verdict = &verdict,
		.reason = "sigkill",
		.died_ns = UINT64_C(1700000000123456789),
		.dump = "/var/lib/ttlog/dumps/ttlog-12-20231114221320-sigkill.bin",
		.signature = "0123456789abcdef",
	};
}

Test(announce, a_death_is_one_line)
{
	struct obituary obituary = killed("orders");
	char line[ANNOUNCE_LINE_BYTES + 1];

	cr_assert_eq(announce_line(&obituary, line), strlen(line));
	cr_assert_str_eq(line, "2023-11-14T22:13:20.123456Z orders (pid 12, uid 1000): killed by SIGKILL "
			       "(sender not known): "
			       "/var/lib/ttlog/dumps/ttlog-12-20231114221320-sigkill.bin\n");
	obituary.dump = NULL;
	obituary.loop_count = 7;
	announce_line(&obituary, line);
	cr_assert(strstr(line, "(sender not known); death 7 in a crash loop\n"), "%s", line);
	obituary.loop_count = 0;
	obituary.dump_err = -ENOSPC;
	announce_line(&obituary, line);
	cr_assert(strstr(line, "; its dump could not be written: No space left on device\n"), "%s",
		  line);
}

Test(announce, a_line_is_no_longer_than_kubelet_takes)
{
	struct obituary obituary = killed("a\nb\x1b[31m");
	char line[ANNOUNCE_LINE_BYTES + 1], path[8000];

	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	obituary.dump = path;
	cr_assert_eq(announce_line(&obituary, line), ANNOUNCE_LINE_BYTES);
	cr_assert_eq(strlen(line), ANNOUNCE_LINE_BYTES);
	cr_assert_eq(strchr(line, '\n'), line + ANNOUNCE_LINE_BYTES - 1);
	cr_assert(strstr(line, " a?b?[31m (pid"), "%s", line);
}

Test(announce, syslog_gets_it_as_its_local_daemons_take_it)
{
	struct obituary obituary = killed("orders");
	char message[ANNOUNCE_SYSLOG_BYTES], month[8], tag[64], expected[64];
	int priority, day, hour, minute, second;

	cr_assert_eq(announce_syslog(&obituary, message), strlen(message));
	cr_assert_eq(sscanf(message, "<%d>%3s %d %d:%d:%d %63s", &priority, month, &day, &hour,
			    &minute, &second, tag),
		     7, "%s", message);
	cr_assert_eq(priority, 3 * 8 + 3);
	snprintf(expected, sizeof(expected), "ttlog-recorder[%d]:", (int)getpid());
	cr_assert_str_eq(tag, expected);
	cr_assert_eq(message[strlen("<27>Nov 23 15:09:19")], ' ');
	cr_assert(strstr(message, "]: orders (pid 12, uid 1000): killed by SIGKILL"), "%s", message);
	cr_assert_null(strchr(message, '\n'));
}

Test(announce, an_exit_is_less_than_a_crash)
{
	struct obituary obituary = killed("orders");

	cr_expect_eq(announce_priority(&obituary), 3);
	verdict.signal = SIGTERM;
	cr_expect_eq(announce_priority(&obituary), 5);
	verdict = (struct verdict){.how = VERDICT_EXIT, .have_exit_code = true};
	cr_expect_eq(announce_priority(&obituary), 6);
	verdict.exit_code = 1;
	cr_expect_eq(announce_priority(&obituary), 4);
	verdict = (struct verdict){.how = VERDICT_OOM};
	cr_expect_eq(announce_priority(&obituary), 3);
	verdict = (struct verdict){.how = VERDICT_UNKNOWN};
	cr_expect_eq(announce_priority(&obituary), 4);
}

/* The value of a field, as the journal would read it; NULL: it is not there. */
static const char *find_field(const char *message, size_t bytes, const char *name)
{
	static char value[4096];
	const char *at = message, *end = message + bytes;

	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		const char *equal = memchr(at, '=', (size_t)(line_end - at));
		size_t name_bytes = (size_t)((equal ? equal : line_end) - at), value_bytes = 0;

		cr_assert(line_end);
		if (equal) {
			value_bytes = (size_t)(line_end - equal - 1);
			memcpy(value, equal + 1, value_bytes);
		} else {
			for (int i = 0; i < 8; i++)
				value_bytes |= (size_t)(unsigned char)line_end[1 + i] << 8 * i;
			cr_assert_lt(value_bytes, (size_t)(end - line_end));
			memcpy(value, line_end + 9, value_bytes);
			line_end += 9 + value_bytes;
			cr_assert_eq(*line_end, '\n');
		}
		value[value_bytes] = '\0';
		if (name_bytes == strlen(name) && !memcmp(at, name, name_bytes))
			return value;
		at = line_end + 1;
	}
	return NULL;
}

#define cr_assert_field(name, text)                                                                \
	do {                                                                                       \
		const char *is = find_field(message, bytes, name);                                 \
		cr_assert(is, "there is no " name);                                                \
		cr_assert_str_eq(is, text, name " is %s", is);                                     \
	} while (0)

Test(announce, the_journal_gets_fields)
{
	char exe[] = "/opt/a\nb", cgroup[] = "/system.slice/orders.service";
	struct obituary obituary = killed("orders");
	char message[ANNOUNCE_JOURNAL_BYTES];
	size_t bytes;

	subject.identity.exe = exe;
	subject.identity.cgroup = cgroup;
	verdict.have_sender = true;
	verdict.sender = (struct ttlog_bpf_actor){.pid = 7, .uid = 3, .comm = "bash"};
	bytes = announce_journal(&obituary, message);
	cr_assert_field("PRIORITY", "3");
	cr_assert_field("MESSAGE_ID", ANNOUNCE_MESSAGE_ID);
	cr_assert_field("TTLOG_SERVICE", "orders");
	cr_assert_field("TTLOG_PID", "12");
	cr_assert_field("TTLOG_UID", "1000");
	cr_assert_field("TTLOG_CAUSE", "signal");
	cr_assert_field("TTLOG_SIGNAL", "9");
	cr_assert_field("TTLOG_SIGNAL_NAME", "SIGKILL");
	cr_assert_field("TTLOG_SENDER_COMM", "bash");
	cr_assert_field("TTLOG_SENDER_PID", "7");
	cr_assert_field("TTLOG_DUMP", "/var/lib/ttlog/dumps/ttlog-12-20231114221320-sigkill.bin");
	cr_assert_field("TTLOG_SIGNATURE", "0123456789abcdef");
	cr_assert_field("TTLOG_DIED_USEC", "1700000000123456");
	cr_assert_field("TTLOG_EXE", "/opt/a\nb");
	cr_assert_field("OBJECT_SYSTEMD_UNIT", "orders.service");
	cr_assert_null(find_field(message, bytes, "TTLOG_EXIT_CODE"));
	cr_assert_null(find_field(message, bytes, "TTLOG_FAULT_ADDRESS"));
}

Test(announce, who_can_not_be_told_is_named)
{
	char long_path[200];
	struct announce *announce;
	struct announce_options options = {.file = "/nonexistent-ttlog/term"};
	const char *failed = "";

	cr_assert_eq(announce_open(&announce, NULL, NULL, &options, &failed), -ENOENT);
	cr_assert_eq(failed, options.file);
	memset(long_path, '/', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	options = (struct announce_options){.file = "/term", .journal = long_path};
	cr_assert_eq(announce_open(&announce, NULL, NULL, &options, &failed), -ENAMETOOLONG);
	cr_assert_eq(failed, long_path);
	cr_assert_null(announce);
}
