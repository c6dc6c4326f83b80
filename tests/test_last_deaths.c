/* SPDX-License-Identifier: MIT */
/* The table of last deaths: whose they are, and what has to go. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "recorder/dumper.h"
#include "recorder/last_deaths.h"

static struct last_deaths *deaths;

static void open_table(void)
{
	cr_assert_eq(last_deaths_open(&deaths), 0);
}

static void close_table(void)
{
	last_deaths_close(deaths);
}

TestSuite(last_deaths, .init = open_table, .fini = close_table, .timeout = 120);

static void note(uid_t uid, const char *service, pid_t pid, uint64_t died_ns, bool dump_follows)
{
	static const struct verdict verdict = {.how = VERDICT_SIGNAL,
					       .confidence = VERDICT_HIGH,
					       .have_signal = true,
					       .signal = SIGKILL};
	struct subject subject = {.pid = pid, .identity = {.uid = uid, .start_ns = 1}};
	const struct obituary obituary = {.subject = &subject,
					  .verdict = &verdict,
					  .reason = "sigkill",
					  .died_ns = died_ns};

	snprintf(subject.service, sizeof(subject.service), "%s", service);
	last_deaths_note(deaths, &obituary, dump_follows);
}

static void dumped(uid_t uid, const char *service, pid_t pid, const char *dump)
{
	struct subject subject = {.pid = pid, .identity = {.uid = uid, .start_ns = 1}};
	const struct obituary obituary = {
		.subject = &subject, .dump = dump, .signature = "0123456789abcdef"};

	snprintf(subject.service, sizeof(subject.service), "%s", service);
	last_deaths_dumped(deaths, &obituary);
}

static uint32_t pid_of(uid_t uid, const char *service)
{
	const struct ttlog_death_answer *answer = last_deaths_find(deaths, uid, service);

	return answer ? answer->pid : 0;
}

Test(last_deaths, are_each_users_and_services_own)
{
	note(1, "orders", 10, 100, false);
	note(2, "orders", 20, 100, false);
	note(1, "prices", 30, 100, false);
	cr_assert_eq(pid_of(1, "orders"), 10);
	cr_assert_eq(pid_of(2, "orders"), 20);
	cr_assert_eq(pid_of(1, "prices"), 30);
	cr_assert_eq(pid_of(2, "prices"), 0);
	cr_assert_eq(pid_of(1, "order"), 0);
}

Test(last_deaths, are_of_who_died_last_whenever_that_is_heard)
{
	note(1, "orders", 10, 200, false);
	note(1, "orders", 11, 100, false);
	cr_assert_eq(pid_of(1, "orders"), 10);
	note(1, "orders", 12, 300, false);
	cr_assert_eq(pid_of(1, "orders"), 12);
}

Test(last_deaths, get_the_path_of_their_own_dump)
{
	const struct ttlog_death_answer *answer;
	char path[TTLOG_DEATH_DUMP_BYTES + 1];

	note(1, "orders", 10, 100, true);
	answer = last_deaths_find(deaths, 1, "orders");
	cr_assert_eq(answer->flags, TTLOG_DEATH_DUMP_PENDING);
	dumped(1, "orders", 9, "/of/another");
	cr_assert_eq(answer->flags, TTLOG_DEATH_DUMP_PENDING);
	dumped(1, "orders", 10, "/its/own");
	cr_assert_eq(answer->flags, 0);
	cr_assert_str_eq(answer->dump, "/its/own");
	cr_assert_str_eq(answer->signature, "0123456789abcdef");
	dumped(1, "orders", 10, "/once/more");
	cr_assert_str_eq(answer->dump, "/its/own");
	/* Half a path leads nowhere. */
	note(1, "orders", 10, 101, true);
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	dumped(1, "orders", 10, path);
	cr_assert_str_empty(answer->dump);
	cr_assert_eq(answer->flags, 0);
}

Test(last_deaths, have_no_path_where_a_terminal_could_not_be_shown_it)
{
	const struct summary summary = {.service = "orders", .have_uid = true, .uid = 1};

	last_deaths_remember(deaths, &summary, "/dumps\n/ttlog-1-20231114221320-x.bin");
	cr_assert_str_empty(last_deaths_find(deaths, 1, "orders")->dump);
}

Test(last_deaths, of_before_give_way_to_those_since)
{
	struct summary summary = {.service = "orders",
				  .uid = 1,
				  .have_uid = true,
				  .how = "oom",
				  .pid = 5,
				  .exit_code = -1,
				  .created_ns = 50};

	last_deaths_remember(deaths, &summary, "/dump");
	cr_assert_eq(pid_of(1, "orders"), 5);
	cr_assert_eq(last_deaths_find(deaths, 1, "orders")->flags, TTLOG_DEATH_FROM_DUMP);
	cr_assert_str_eq(last_deaths_find(deaths, 1, "orders")->dump, "/dump");
	summary.pid = 6;
	summary.created_ns = 40;
	last_deaths_remember(deaths, &summary, "/older");
	cr_assert_eq(pid_of(1, "orders"), 5);
	note(1, "orders", 7, 45, false);
	cr_assert_eq(pid_of(1, "orders"), 7, "what was seen is newer than what was found");
	summary.created_ns = 1000;
	last_deaths_remember(deaths, &summary, "/a/file/with/a/date/of/its/own");
	cr_assert_eq(pid_of(1, "orders"), 7);
}

Test(last_deaths, are_bounded_for_each_user_and_in_all)
{
	char service[32];

	note(7, "quiet", 1, 1, false);
	for (int i = 0; i < 2 * LAST_DEATHS_MAX; i++) {
		snprintf(service, sizeof(service), "loud-%d", i);
		note(1, service, 100 + i, 100 + (uint64_t)i, false);
	}
	cr_assert_eq(pid_of(7, "quiet"), 1, "one user does not drive out another's");
	cr_assert_eq(pid_of(1, "loud-0"), 0);
	cr_assert_eq(pid_of(1, service), 100 + 2 * LAST_DEATHS_MAX - 1);
	for (int i = 0; i < LAST_DEATHS_MAX; i++) {
		snprintf(service, sizeof(service), "loud-%d", i);
		note(2, service, 100 + i, 100 + (uint64_t)i, false);
	}
	cr_assert_eq(pid_of(7, "quiet"), 1, "nor do two");
	cr_assert_eq(pid_of(2, service), 100 + LAST_DEATHS_MAX - 1);
}
