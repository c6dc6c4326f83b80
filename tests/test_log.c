/* SPDX-License-Identifier: MIT */
/* What a client calls itself must not write on the terminal of whoever reads the log. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "recorder/log.h"

Test(log, clean_text_is_left_alone)
{
	static const char *const fine[] = {"", "orders", "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80"};
	char text[64];

	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		strcpy(text, fine[i]);
		log_clean(text, LOG_CLEAN_LINE);
		cr_expect_str_eq(text, fine[i]);
	}
}

Test(log, what_is_no_utf8_becomes_question_marks)
{
	static const char *const wrong[] = {"\x80", "\xff\xfe", "\xc3", "\xe2\x82", "\xc0\xaf",
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
