/* SPDX-License-Identifier: MIT */
/* ttlog-ctl as operators use it: a real daemon, real services, other users. */
#include "tests/ctl_asked.h"

#define OTHER 65533 /* somebody; nobody's number has a meaning of its own */

TestSuite(ctl, .init = prepare, .fini = recorder_clean, .timeout = 150);

static const char *digits(pid_t pid, char text[16])
{
	snprintf(text, 16, "%d", (int)pid);
	return text;
}

static unsigned int count_of(const char *text, const char *what)
{
	unsigned int count = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		count++;
	return count;
}

/* ---- list, status ----------------------------------------------------------------------- */

Test(ctl, list_has_a_line_each_and_a_heading)
{
	struct recorder_process recorder;
	struct told first, second;
	const struct answer *answer;
	char pid[16], pattern[64];

	start_recorder(&recorder, NONE);
	answer = ASK("list");
	expect_status(answer, 1);
	cr_assert_str_eq(answer->text, "");
	first = start_told(obey);
	second = start_told(obey);
	answer = ASK("--no-pager");
	expect_status(answer, 0);
	cr_assert_eq(strncmp(answer->text, "SERVICE", 7), 0, "%s", answer->text);
	cr_assert_eq(count_of(answer->text, "\n"), 3);
	cr_assert_eq(count_of(answer->text, "orders"), 2);
	cr_assert_eq(count_of(answer->text, "\033"), 0, "colours in a pipe");
	snprintf(pattern, sizeof(pattern), "  %s  ", digits(second.service.pid, pid));
	cr_assert(strstr(answer->text, pattern), "%s", answer->text);
	answer = ASK("list", "--no-legend", pid);
	expect_status(answer, 0);
	cr_assert_eq(count_of(answer->text, "\n"), 1);
	answer = ASK("list", "--json", "orders");
	expect_status(answer, 0);
	cr_assert_eq(count_of(answer->text, "\n"), 2);
	end_told(&first);
	end_told(&second);
	stop_recorder(&recorder);
}

Test(ctl, list_knows_losses_history_and_threads)
{
	struct recorder_process recorder;
	const struct answer *answer;
	struct told told;
	char value[64];

	start_recorder(&recorder, NONE);
	told = start_told(obey);
	answer = ASK("list", "--json");
	cr_assert_eq(number_of(answer, "events"), 1);
	cr_assert_eq(number_of(answer, "threads"), 1);
	cr_assert_eq(number_of(answer, "overwritten"), 0);
	cr_assert_str_eq(value_of(answer, "complete", value), "true");
	cr_assert_str_eq(value_of(answer, "state", value), "\"recording\"");
	order(&told, 'f');
	expect_done(&told);
	answer = ASK("list", "--json");
	cr_assert_eq(number_of(answer, "events") + number_of(answer, "overwritten"), 100001);
	cr_assert_gt(number_of(answer, "overwritten"), 0);
	cr_assert_eq(number_of(answer, "dropped"), 0);
	cr_assert_str_eq(value_of(answer, "complete", value), "false");
	end_told(&told);
	stop_recorder(&recorder);
}

Test(ctl, status_is_the_recorder_or_a_process_in_detail)
{
	static const char *const keys[] = {"\"process\":{", "\"region\":{", "\"clock\":{",
					   "\"dictionary\":{", "\"lanes\":[{\"name\":\"main\""};
	struct recorder_process recorder;
	const struct answer *answer;
	struct told told;

	start_recorder(&recorder, NONE);
	told = start_told(obey);
	answer = ASK("status", "--json");
	expect_status(answer, 0);
	cr_assert_eq(number_of(answer, "processes"), 1);
	cr_assert_eq(number_of(answer, "pid"), (unsigned long long)recorder.pid);
	answer = ASK("status", "orders", "--json");
	expect_status(answer, 0);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		cr_assert(strstr(answer->text, keys[i]), "%s: %s", keys[i], answer->text);
	cr_assert_eq(number_of(answer, "pid"), (unsigned long long)told.service.pid);
	answer = ASK("status", "orders");
	expect_status(answer, 0);
	cr_assert(strstr(answer->text, "alert_large"), "%s", answer->text);
	end_told(&told);
	stop_recorder(&recorder);
}

/* ---- who may ---------------------------------------------------------------------------- */

static void become_other(void)
{
	if (setregid(OTHER, OTHER) || setreuid(OTHER, OTHER))
		_exit(95);
	if (ttlog_init("theirs"))
		_exit(96);
	ttlog_info("the last words");
	obey();
}

/* Its first life is ours, and nothing that the recorder knows of. */
static struct told start_other(void)
{
	struct told told;
	int orders[2], said[2];
	char byte;

	cr_assert_eq(pipe2(orders, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(said, O_CLOEXEC), 0);
	told.service.pid = fork_child();
	if (!told.service.pid) {
		order_fd = orders[0];
		ready_fd = said[1];
		close(orders[1]);
		become_other();
		_exit(97);
	}
	close(orders[0]);
	close(said[1]);
	told.orders = orders[1];
	told.service.said = said[0];
	cr_assert_eq(read(said[0], &byte, 1), 1);
	return told;
}

Test(ctl, an_owner_sees_his_own_and_there_are_no_others)
{
	struct recorder_process recorder;
	const struct answer *answer;
	struct told ours, theirs;
	char pid[16];

	if (geteuid() != 0) {
		recorder_clean();
		cr_skip("needs root, to be two users");
	}
	start_recorder(&recorder, NONE);
	ours = start_told(obey);
	theirs = start_other();
	answer = ask_as(OTHER, ARGS("list", "--no-legend"));
	expect_status(answer, 0);
	cr_assert_eq(count_of(answer->text, "\n"), 1);
	cr_assert(strstr(answer->text, "theirs"));
	answer = ask_as(OTHER, ARGS("status", "--json"));
	expect_status(answer, 0);
	cr_assert_eq(number_of(answer, "processes"), 1);
	cr_assert_not(strstr(answer->text, "memory"), "%s", answer->text);
	digits(ours.service.pid, pid);
	expect_status(ask_as(OTHER, ARGS("status", pid)), 1);
	expect_status(ask_as(OTHER, ARGS("freeze", pid)), 1);
	expect_status(ask_as(OTHER, ARGS("level", "orders", "off")), 1);
	expect_status(ask_as(OTHER, ARGS("snapshot", "--wait", "orders")), 1);
	expect_status(ask_as(OTHER + 1, ARGS("list")), 1);
	cr_assert(strstr(ASK("list", "--no-legend", pid)->text, "trace"), "its level has changed");
	expect_status(ask_as(OTHER, ARGS("freeze", "theirs")), 0);
	cr_assert_eq(count_of(ASK("list", "--no-legend")->text, "frozen"), 1);
	end_told(&ours);
	end_told(&theirs);
	stop_recorder(&recorder);
}

/* ---- level ------------------------------------------------------------------------------ */

/* The service spins until it sees the new level; it is done when it does. */
Test(ctl, a_level_is_obeyed_by_the_process_that_runs)
{
	struct recorder_process recorder;
	const struct answer *answer;
	struct told told;
	char value[64];

	start_recorder(&recorder, NONE);
	told = start_told(obey);
	order(&told, 'w');
	expect_status(ASK("level", "orders", "INFO"), 0);
	expect_done(&told);
	order(&told, 'd');
	expect_done(&told);
	answer = ASK("list", "--json");
	cr_assert_eq(number_of(answer, "events"), 1, "%s", answer->text);
	cr_assert_str_eq(value_of(answer, "level", value), "\"info\"");
	expect_status(ASK("level", "orders", "trace"), 0);
	order(&told, 'd');
	expect_done(&told);
	cr_assert_eq(number_of(ASK("list", "--json"), "events"), 2);
	end_told(&told);
	stop_recorder(&recorder);
}

/* ---- freeze, thaw ----------------------------------------------------------------------- */

Test(ctl, what_is_frozen_by_hand_overwrites_nothing_until_it_is_thawed)
{
	struct recorder_process recorder;
	const struct answer *answer;
	unsigned long long overwritten;
	struct told told;
	char value[64];

	start_recorder(&recorder, NONE);
	told = start_told(obey);
	order(&told, 'f');
	expect_done(&told);
	expect_status(ASK("freeze", "orders"), 0);
	answer = ASK("list", "--json");
	overwritten = number_of(answer, "overwritten");
	cr_assert_str_eq(value_of(answer, "state", value), "\"frozen\"");
	order(&told, 'f');
	expect_done(&told);
	answer = ASK("list", "--json");
	cr_assert_eq(number_of(answer, "overwritten"), overwritten);
	cr_assert_eq(number_of(answer, "events") + overwritten + number_of(answer, "dropped"),
		     200001);
	cr_assert_gt(number_of(answer, "dropped"), 0);
	expect_status(ASK("thaw", "orders"), 0);
	order(&told, 'f');
	expect_done(&told);
	answer = ASK("list", "--json");
	cr_assert_gt(number_of(answer, "overwritten"), overwritten);
	cr_assert_str_eq(value_of(answer, "state", value), "\"recording\"");
	end_told(&told);
	stop_recorder(&recorder);
}

Test(ctl, a_frozen_process_that_dies_is_dumped_as_ever)
{
	struct recorder_process recorder;
	char line[LINE_BYTES];
	struct told told;

	start_recorder(&recorder, NONE);
	told = start_told(obey);
	expect_status(ASK("freeze", "orders"), 0);
	order(&told, 'k');
	expect_killed(&recorder, line, sizeof(line), "the last words");
	reap(&told.service);
	close(told.orders);
	stop_recorder(&recorder);
}

/* ---- snapshot --------------------------------------------------------------------------- */

Test(ctl, snapshot_waits_and_names_the_dump_of_each)
{
	struct recorder_process recorder;
	const struct answer *answer;
	struct told first, second;
	char line[LINE_BYTES];

	start_recorder(&recorder, NONE);
	first = start_told(obey);
	second = start_told(obey);
	answer = ASK("snapshot", "--wait", "orders", "--reason", "to see");
	expect_status(answer, 0);
	cr_assert_eq(count_of(answer->text, "-control-to_see.bin\n"), 2, "%s", answer->text);
	cr_assert_eq(count_of(answer->text, "\n"), 2);
	snprintf(line, sizeof(line), " %.*s", (int)strcspn(answer->text, "\n"), answer->text);
	check_dump(line, "-control-to_see.bin", "the last words");
	check_dump(line, "", "a snapshot: asked for with ttlog-ctl by uid 0 (to see)");
	answer = ASK("snapshot", "orders");
	expect_status(answer, 0);
	cr_assert_str_eq(answer->text, "snapshot ordered: 2 processes\n");
	expect_line(&recorder, "-control.bin", line, sizeof(line));
	expect_line(&recorder, "-control.bin", line, sizeof(line));
	end_told(&first);
	end_told(&second);
	stop_recorder(&recorder);
}

/* ---- what goes wrong -------------------------------------------------------------------- */

Test(ctl, a_wrong_command_line_is_2_and_nobody_is_asked)
{
	expect_status(ASK("tail"), 2);
	expect_status(ASK("top"), 2);
	expect_status(ASK("level", "orders"), 2);
	expect_status(ASK("level", "orders", "loud"), 2);
	expect_status(ASK("freeze"), 2);
	expect_status(ASK("freeze", "a", "b"), 2);
	expect_status(ASK("list", "--wait"), 2);
	expect_status(ASK("--nonsense"), 2);
	cr_expect(strstr(ASK("info")->errors, "ttlog-view --info"), "who knows coredumpctl is told");
	expect_status(
		ASK("list", "a service with a name that is longer than any service's could be"), 2);
}

Test(ctl, without_a_recorder_it_is_4_and_says_where_it_looked)
{
	const struct answer *answer = ASK("list");

	expect_status(answer, 4);
	cr_assert(strstr(answer->errors, control), "%s", answer->errors);
	answer = ASK("--control", "/nowhere/x.sock", "list");
	expect_status(answer, 4);
	cr_assert(strstr(answer->errors, "/nowhere/x.sock"), "%s", answer->errors);
}

Test(ctl, a_control_socket_of_another_place_is_found_by_its_option)
{
	struct recorder_process recorder;
	char elsewhere[120];

	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere/c.sock", recorder_folder);
	start_recorder(&recorder, ARGS("--control", elsewhere));
	expect_status(ASK("status"), 4);
	expect_status(ASK("--control", elsewhere, "status"), 0);
	stop_recorder(&recorder);
	cr_assert_eq(access(elsewhere, F_OK), -1, "the socket is left behind");
}
