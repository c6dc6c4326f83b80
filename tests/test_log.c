/* SPDX-License-Identifier: MIT */
/* What a client calls itself must not write on the terminal of whoever reads the log. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder/log.h"

/* What is said from here on can be read from the descriptor. */
static int listen_to_stderr(void)
{
	int out[2];

	cr_assert_eq(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
	dup2(out[1], STDERR_FILENO);
	close(out[1]);
	return out[0];
}

static const char *heard(int fd)
{
	static char text[65536];
	const ssize_t bytes = read(fd, text, sizeof(text) - 1);

	text[bytes > 0 ? bytes : 0] = '\0';
	return text;
}

static void name_the_stream(unsigned long long difference, const char *after)
{
	struct stat stat;
	char text[80];

	cr_assert_eq(fstat(STDERR_FILENO, &stat), 0);
	snprintf(text, sizeof(text), "%llu:%llu%s", (unsigned long long)stat.st_dev,
		 (unsigned long long)stat.st_ino + difference, after);
	setenv("JOURNAL_STREAM", text, 1);
	log_open();
}

Test(log, clean_text_is_left_alone)
{
	static const char *const fine[] = {"", "orders",
					   "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80"};
	char text[64];

	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		strcpy(text, fine[i]);
		log_clean(text, LOG_CLEAN_LINE);
		cr_expect_str_eq(text, fine[i]);
	}
}

Test(log, what_is_no_utf8_becomes_question_marks)
{
	static const char *const wrong[] = {
		"\x80",		"\xff\xfe",	   "\xc3", "\xe2\x82", "\xc0\xaf",
		"\xed\xa0\x80", "\xf4\x90\x80\x80"};
	char text[64];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(text, sizeof(text), "a%sb", wrong[i]);
		log_clean(text, LOG_CLEAN_TEXT);
		cr_expect_eq(strspn(text + 1, "?"), strlen(wrong[i]), "row %zu: %s", i, text);
		cr_expect_eq(text[0], 'a');
		cr_expect_eq(text[strlen(text) - 1], 'b');
	}
}

Test(log, a_line_has_no_control_characters)
{
	char text[] = "x\n\033[31my\tz\x7f";

	log_clean(text, LOG_CLEAN_LINE);
	cr_expect_str_eq(text, "x??[31my?z?");
}

Test(log, says_one_line_at_a_time_and_keeps_errno)
{
	char text[256] = "";
	int out[2];

	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	dup2(out[1], STDERR_FILENO);
	errno = ENOTTY;
	log_say("%s", "one\033two");
	cr_expect_eq(errno, ENOTTY);
	log_detail("nobody asked");
	cr_assert_gt(read(out[0], text, sizeof(text) - 1), 0);
	cr_expect(strncmp(text, "ttlog-recorder: one", 19) == 0, "%s", text);
	cr_expect_null(strchr(text, '\033'));
	cr_expect_eq(strchr(text, '\n'), text + strlen(text) - 1);
}

Test(log, the_journal_is_told_the_priority)
{
	const int fd = listen_to_stderr();

	log_verbose = true;
	name_the_stream(0, "");
	log_error("a");
	log_warn("b");
	log_say("c\nd");
	log_detail("e");
	cr_expect_str_eq(heard(fd), "<3>ttlog-recorder: a\n<4>ttlog-recorder: b\n"
				    "<6>ttlog-recorder: c?d\n<7>ttlog-recorder: e\n");
}

Test(log, others_are_not)
{
	static const char *const wrong[] = {"", "1", "1:", ":", "a:b", "1:2:3"};
	const int fd = listen_to_stderr();

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		setenv("JOURNAL_STREAM", wrong[i], 1);
		log_open();
		log_say("a");
		cr_expect_str_eq(heard(fd), "ttlog-recorder: a\n", "%s", wrong[i]);
	}
	name_the_stream(1, "");
	log_say("a");
	name_the_stream(0, "x");
	log_say("a");
	cr_expect_str_eq(heard(fd), "ttlog-recorder: a\nttlog-recorder: a\n");
}

Test(log, quiet_keeps_what_is_lost_or_fails)
{
	const int fd = listen_to_stderr();

	log_quiet = true;
	log_say("a");
	log_warn("b");
	log_error("c");
	cr_expect_str_eq(heard(fd), "ttlog-recorder: b\nttlog-recorder: c\n");
}

Test(log, a_longest_line_is_cut_and_still_ends)
{
	static char text[2 * LOG_LINE_BYTES];
	const int fd = listen_to_stderr();
	const char *line;

	memset(text, 'x', sizeof(text) - 1);
	name_the_stream(0, "");
	log_say("%s", text);
	line = heard(fd);
	cr_expect_eq(strlen(line), LOG_LINE_BYTES - 1);
	cr_expect_eq(line[strlen(line) - 1], '\n');
}

/* The clock is the test's: it says what time the first line of a window had. */
Test(log, a_line_that_comes_too_often_is_counted_instead)
{
	const int fd = listen_to_stderr();
	struct log_rate rate = {0};
	unsigned int let_through = 0;

	for (int i = 0; i < 1000; i++) {
		rate.since_s = UINT64_MAX - LOG_BURST_SECONDS; /* the window never ends */
		let_through += log_rate_take(&rate, LOG_LEVEL_SAY);
	}
	cr_expect_eq(let_through, LOG_BURST);
	cr_expect_str_eq(heard(fd), "");
	rate.since_s = 0; /* it is over */
	cr_expect(log_rate_take(&rate, LOG_LEVEL_SAY));
	cr_expect_str_eq(heard(fd),
			 "ttlog-recorder: 970 more lines like the next one were left out\n");
	cr_expect_not(log_rate_take(&rate, LOG_LEVEL_DETAIL), "nobody asked");
}

static void fill(int fd)
{
	char junk[PIPE_BUF];
	const int flags = fcntl(fd, F_GETFL);

	memset(junk, '.', sizeof(junk));
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (write(fd, junk, sizeof(junk)) > 0)
		;
	fcntl(fd, F_SETFL, flags);
}

static bool take_page(int fd)
{
	char page[PIPE_BUF];

	return read(fd, page, sizeof(page)) == sizeof(page);
}

/* A write that waited would wait for ever: the reader is this thread. */
Test(log, does_not_wait_for_who_does_not_read, .timeout = 120)
{
	const char *text;
	int out[2];

	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	dup2(out[1], STDERR_FILENO);
	fill(out[1]);
	for (int i = 0; i < 1000; i++)
		log_say("%d", i);
	cr_expect_eq(log_lost_count(), 1000);
	/* Room for one: that is said of those that are lost, and this one is lost as well. */
	cr_assert(take_page(out[0]));
	log_say("a");
	cr_expect_eq(log_lost_count(), 1001);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	while (take_page(out[0]))
		;
	log_say("b");
	text = heard(out[0]);
	cr_expect_str_eq(strrchr(text, '.') ? strrchr(text, '.') + 1 : text,
			 "ttlog-recorder: nobody read 1 line before this: lost\n"
			 "ttlog-recorder: b\n");
	log_say("c");
	cr_expect_str_eq(heard(out[0]), "ttlog-recorder: c\n");
	cr_expect_eq(log_lost_count(), 1001);
}
