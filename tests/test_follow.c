/* SPDX-License-Identifier: MIT */
/* test_follow.c - what --follow asks ttlog-ctl for. What comes of it is in test_ctl_tail. */
#include "tests/view_shown.h"

/* A ttlog-view that has a ttlog-ctl of ours beside it, which says what it is told. */
static void prepare(void)
{
	setup();
	shell("cp $V view && printf '#!/bin/sh\\nfor word; do echo \"<$word>\"; done\\nexit 3\\n' >ttlog-ctl "
	      "&& chmod +x ttlog-ctl");
	cr_assert_eq(status, 0, "%s", complaint);
}

TestSuite(follow, .init = prepare, .fini = teardown, .timeout = 120);

static const struct {
	const char *arguments, *told;
} asked[] = {
	{"--follow orders", "<--follow>\n<-->\n<tail>\n<orders>\n"},
	{"-n 20 -F 4242 -p warn -o json",
	 "<--follow>\n<--lines=20>\n<-->\n<tail>\n<4242>\n<--priority=warn>\n<--format=json>\n"},
	{"-F 'my orders' -g 'a b*' --no-pager -f x=1,2 --color=always",
	 "<--follow>\n<-->\n<tail>\n<my orders>\n<--grep=a b*>\n<--no-pager>\n<--filter=x=1,2>\n"
	 "<--color=always>\n"},
	{"-S -5m --time local -F orders", "<--follow>\n<-->\n<tail>\n<orders>\n<--since=-5m>\n<--time=local>\n"},
};

Test(follow, options_are_passed_on)
{
	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		shell("./view %s", asked[i].arguments);
		cr_expect_eq(status, 3, "%s: %d %s", asked[i].arguments, status, complaint);
		cr_expect_str_eq(output, asked[i].told, "%s:\n%s", asked[i].arguments, output);
	}
}

Test(follow, one_on_the_path_will_do)
{
	shell("mkdir other && mv ttlog-ctl other/ && PATH=$PWD/other:$PATH ./view -F orders");
	cr_expect_eq(status, 3, "%s", complaint);
	cr_expect(strstr(output, "<orders>"), "%s", output);
	shell("PATH=/nonexistent ./view -F orders");
	cr_expect_eq(status, 4, "%d", status);
	cr_expect_str_eq(complaint, "ttlog-view: --follow: ttlog-ctl: No such file or directory\n");
}

static const struct {
	const char *arguments, *why;
} wrongs[] = {
	{"-F ''", "--follow takes the name of a service or a pid"},
	{"-F -x", "--follow takes the name of a service or a pid"},
	{"-F orders plain.bin", "of no file"},
	{"-F orders -i", "--follow is not for --interactive"},
	{"-F orders --stats", "--follow is not for --stats"},
	{"-F orders -r", "--follow is not for --reverse"},
	{"-F orders --around T", "--follow is not for --around"},
	{"-F orders -O out.txt", "--follow is not for --output"},
	{"-F orders -n +5", "without a +"},
	{"-F orders -o perfetto", "not --format perfetto"},
	{"-F orders -f 'level>'", "bad filter"},
};

Test(follow, wrong_use_is_refused)
{
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		shell("./view %s", wrongs[i].arguments);
		cr_expect_eq(status, 2, "%s: %d", wrongs[i].arguments, status);
		cr_expect(strstr(complaint, wrongs[i].why), "%s: %s", wrongs[i].arguments, complaint);
		cr_expect_str_empty(output);
	}
}
