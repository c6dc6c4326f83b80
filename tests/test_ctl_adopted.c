/* SPDX-License-Identifier: MIT */
/* ttlog-ctl and those who had another recorder before, or have one of their own. */
#include "tests/ctl_asked.h"

TestSuite(ctl_adopted, .init = prepare, .fini = recorder_clean, .timeout = 150);

/* Killed, so that it thaws nobody; the next one has adopted who is there when it is listening. */
static void replace_recorder(struct recorder_process *recorder, const char *const *arguments)
{
	cr_assert_eq(kill(recorder->pid, SIGKILL), 0);
	end_status(recorder);
	close(recorder->stderr_fd);
	start_recorder(recorder, arguments);
}

Test(ctl_adopted, who_is_adopted_obeys_and_stays_frozen)
{
	struct recorder_process recorder;
	const struct answer *answer;
	struct told told;
	char value[64];

	start_recorder(&recorder, ARGS("--no-bpf"));
	told = start_told(obey);
	expect_status(ASK("freeze", "orders"), 0);
	replace_recorder(&recorder, ARGS("--no-bpf"));
	answer = ASK("list", "--json");
	expect_status(answer, 0);
	cr_assert_str_eq(value_of(answer, "state", value), "\"frozen\"");
	expect_status(ASK("thaw", "orders"), 0);
	order(&told, 'w');
	expect_status(ASK("level", "orders", "info"), 0);
	expect_done(&told);
	order(&told, 'f');
	expect_done(&told);
	cr_assert_gt(number_of(ASK("list", "--json"), "overwritten"), 0);
	end_told(&told);
	stop_recorder(&recorder);
}

Test(ctl_adopted, who_had_a_recorder_with_ebpf_obeys_the_next)
{
	struct recorder_process recorder;
	const struct answer *answer;
	struct told told;

	start_recorder(&recorder, NONE);
	told = start_told(obey);
	if (!strstr(ASK("list")->text, "  ebpf  ")) {
		order(&told, 'x');
		reap(&told.service);
		stop_recorder(&recorder);
		recorder_clean();
		cr_skip("needs eBPF: without it the control page is the region's");
	}
	replace_recorder(&recorder, NONE);
	expect_status(ASK("level", "orders", "info"), 0);
	expect_status(ASK("freeze", "orders"), 0);
	answer = ASK("list", "--json");
	expect_status(answer, 0);
	cr_assert(strstr(answer->text, "\"level\":\"info\""), "%s", answer->text);
	cr_assert(strstr(answer->text, "\"rung\":\"ebpf\""), "%s", answer->text);
	expect_status(ASK("thaw", "orders"), 0);
	expect_status(ASK("snapshot", "--wait", "orders"), 0);
	end_told(&told);
	stop_recorder(&recorder);
}

Test(ctl_adopted, a_private_recorder_answers_where_it_is_told_to)
{
	char question[2 * PATH_MAX + 64], elsewhere[120];
	struct recorder_process recorder;
	int status;

	snprintf(elsewhere, sizeof(elsewhere), "%s/c.sock", recorder_folder);
	snprintf(question, sizeof(question), "'%s' --control '%s' status >/dev/null", ctl_program,
		 elsewhere);
	start_program(&recorder, ARGS("run", "--control", elsewhere, "--dir", recorder_folder, "--",
				      "sh", "-c", question));
	status = end_status(&recorder);
	close(recorder.stderr_fd);
	cr_assert_eq(status, 0, "%#x", status);
}
