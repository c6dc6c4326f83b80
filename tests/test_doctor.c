/* SPDX-License-Identifier: MIT */
/* test_doctor.c - `ttlog-recorder doctor`: what it says, how it exits, and that it leaves nothing.
 */
#include "tests/service_process.h"

#define SAID_BYTES 65536

static char missing_socket[128], missing_dumps[128];

static void prepare(void)
{
	recorder_prepare();
	snprintf(missing_socket, sizeof(missing_socket), "%s/a/b/socket", recorder_folder);
	snprintf(missing_dumps, sizeof(missing_dumps), "%s/c/d/dumps", recorder_folder);
}

TestSuite(doctor, .init = prepare, .fini = recorder_clean, .timeout = 120);

/* Runs it behind `before` (a command, or ""), returns its exit status. */
static int ask(const char *before, const char *arguments, char said[SAID_BYTES])
{
	char command[3 * PATH_MAX];
	size_t count;
	int status;
	FILE *out;

	snprintf(command, sizeof(command), "%s '%s' doctor %s", before, recorder_program,
		 arguments);
	out = popen(command, "r");
	cr_assert(out);
	count = fread(said, 1, SAID_BYTES - 1, out);
	said[count] = '\0';
	status = pclose(out);
	cr_assert(WIFEXITED(status), "%#x", status);
	return WEXITSTATUS(status);
}

static const char *with_paths(const char *more)
{
	static char arguments[1024];

	snprintf(arguments, sizeof(arguments), "--socket '%s' --dir '%s' %s", missing_socket,
		 missing_dumps, more);
	return arguments;
}

static void need_root(void)
{
	if (geteuid() == 0)
		return;
	recorder_clean(); /* a skipped test has no fini */
	cr_skip("needs root (CAP_BPF, CAP_PERFMON)");
}

static void expect_in(const char *said, const char *words)
{
	cr_expect(strstr(said, words), "'%s' is not in %s", words, said);
}

Test(doctor, finds_nothing_wrong_where_all_is_there)
{
	char said[SAID_BYTES];

	need_root();
	cr_assert_eq(ask("", with_paths(""), said), 0, "%s", said);
	cr_expect(!strstr(said, "BAD"), "%s", said);
	cr_expect(!strstr(said, "lost:"), "%s", said);
	cr_expect(!strchr(said, '\033'), "colours, and no terminal: %s", said);
	expect_in(said, "rung                               ebpf\n");
	expect_in(said, "program ttlog_signal_generate      loads and attaches");
	expect_in(said, "map: task storage");
	expect_in(said, "confinement                        holds CAP_DAC_READ_SEARCH, CAP_KILL");
	expect_in(said, "no new privileges");
	expect_in(said, "/a/b/socket: its folder will be made");
	expect_in(said, "/c/d/dumps: will be made");
}

static const struct rung {
	const char *without, *rung, *bad, *lost;
} rungs[] = {
	{"no-bpf", "pidfd", "bpf()", "who sent a signal"},
	{"no-btf", "pidfd", "BTF", "fault addresses"},
	{"no-task-storage", "pidfd", "map: task storage", "the status"},
	{"no-mmapable-maps", "ebpf-late-freeze", "map: mmapable array",
	 "the freeze at the instant"},
};

Test(doctor, names_the_rung_and_what_is_lost_on_it)
{
	char said[SAID_BYTES], words[128];

	need_root();
	for (size_t i = 0; i < sizeof(rungs) / sizeof(rungs[0]); i++) {
		snprintf(words, sizeof(words), "--pretend %s", rungs[i].without);
		cr_expect_eq(ask("", with_paths(words), said), 1, "%s: %s", words, said);
		snprintf(words, sizeof(words), "rung                               %s (",
			 rungs[i].rung);
		expect_in(said, words);
		snprintf(words, sizeof(words), "BAD   %s ", rungs[i].bad);
		expect_in(said, words);
		snprintf(words, sizeof(words), "lost: %s", rungs[i].lost);
		expect_in(said, words);
	}
}

static const struct refused {
	const char *part, *lost;
} refused[] = {
	{"refused-mapping-walk", "libraries that were loaded late;"},
	{"refused-mark-victim", "whom the OOM killer chose;"},
	{"refused-mapping-walk,refused-mark-victim", "libraries that were loaded late, whom the OOM killer chose;"},
};

Test(doctor, says_what_a_part_that_the_verifier_refuses_would_have_told)
{
	char said[SAID_BYTES], words[128];

	need_root();
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		snprintf(words, sizeof(words), "--pretend %s", refused[i].part);
		cr_expect_eq(ask("", with_paths(words), said), 0, "%s: %s", words, said);
		expect_in(said, "rung                               ebpf\n");
		expect_in(said, "program ttlog_signal_deliver       loads and attaches");
		snprintf(words, sizeof(words), "are refused; lost: %s", refused[i].lost);
		expect_in(said, words);
		snprintf(words, sizeof(words), "\n      lost: %.*s\n",
			 (int)strcspn(refused[i].lost, ";"), refused[i].lost);
		expect_in(said, words);
		cr_expect_eq(!strstr(refused[i].part, "victim"),
			     !strstr(said, "can't be loaded: the verifier refuses it"), "%s", said);
	}
}

Test(doctor, says_what_a_kernel_is_too_old_for)
{
	char said[SAID_BYTES];

	need_root();
	cr_expect_eq(ask("", with_paths("--pretend no-mapping-walk"), said), 0, "%s", said);
	expect_in(said, "rung                               ebpf\n");
	expect_in(said, "note  mappings at a death                this kernel can't walk them; ");
	expect_in(said, "\n      lost: libraries that were loaded late\n");
	cr_expect_eq(ask("", with_paths("--pretend no-group-dead"), said), 0, "%s", said);
	expect_in(said, "program ttlog_exit_live            loads and attaches");
	cr_expect(!strstr(said, "lost:"), "another program says the same: %s", said);
}

/* Nothing but an independent reader says that it is JSON. */
static void expect_json(const char *arguments, const char *filter, const char *expected)
{
	char command[3 * PATH_MAX], got[256] = "";
	FILE *out;

	snprintf(command, sizeof(command), "'%s' doctor --format json %s | jq -c '%s'",
		 recorder_program, arguments, filter);
	out = popen(command, "r");
	cr_assert(out);
	cr_assert(fgets(got, sizeof(got), out), "%s", command);
	pclose(out);
	got[strcspn(got, "\n")] = '\0';
	cr_expect_str_eq(got, expected, "%s: %s", command, got);
}

Test(doctor, says_it_in_json_too)
{
	char words[128], filter[512], expected[128];

	need_root();
	expect_json(with_paths(""), "[.rung, .healthy, .why, (.lost | length)]",
		    "[\"ebpf\",true,\"\",0]");
	expect_json(with_paths("--pretend no-btf"), "[.rung, .healthy, (.lost | length > 0)]",
		    "[\"pidfd\",false,true]");
	expect_json(with_paths("--pretend no-btf"),
		    ".checks[] | select(.name == \"BTF\") | [.result, (.advice | length > 0)]",
		    "[\"bad\",true]");
	expect_json(with_paths(""), "[.checks[].result] | unique", "[\"ok\"]");
	for (size_t i = 0; i < sizeof(rungs) / sizeof(rungs[0]); i++) {
		snprintf(words, sizeof(words), "--pretend %s", rungs[i].without);
		snprintf(filter, sizeof(filter),
			 "[.rung, .healthy, (.lost | map(startswith(\"%s\")) | any), "
			 "(.checks[] | select(.name == \"%s\") | .result)]",
			 rungs[i].lost, rungs[i].bad);
		snprintf(expected, sizeof(expected), "[\"%s\",false,true,\"bad\"]", rungs[i].rung);
		expect_json(with_paths(words), filter, expected);
	}
	expect_json(with_paths("--pretend refused-mark-victim,no-mapping-walk"),
		    "[.rung, .healthy, .lost]",
		    "[\"ebpf\",true,[\"whom the OOM killer chose\","
		    "\"libraries that were loaded late\"]]");
	expect_json("--dir /dev/null/\\\"x --socket /tmp/s",
		    ".checks[] | select(.name == "
		    "\"folder of dumps\") | .result",
		    "\"bad\"");
}

Test(doctor, names_the_missing_capability)
{
	char said[SAID_BYTES];

	need_root();
	cr_expect_eq(ask("setpriv --bounding-set=-perfmon", with_paths(""), said), 0,
		     "CAP_SYS_ADMIN stands for it: %s", said);
	cr_expect_eq(ask("setpriv --bounding-set=-perfmon,-sys_admin", with_paths(""), said), 1);
	expect_in(said, "BAD   CAP_PERFMON ");
	expect_in(said, "ok    CAP_BPF\n");
	expect_in(said, "pidfd (CAP_PERFMON is missing)");
	cr_expect_eq(ask("setpriv --bounding-set=-bpf,-sys_admin", with_paths(""), said), 1);
	expect_in(said, "BAD   CAP_BPF ");
	expect_in(said, "pidfd (CAP_BPF is missing)");
}

Test(doctor, looks_at_the_socket_and_the_folder)
{
	struct recorder_process recorder;
	char said[SAID_BYTES], arguments[512];

	snprintf(arguments, sizeof(arguments), "--socket %s --dir %s", recorder_socket,
		 recorder_dumps);
	start_recorder(&recorder, NONE);
	ask("", arguments, said);
	expect_in(said, "recorder.sock: a recorder is listening");
	expect_in(said, "free space");
	cr_assert_eq(kill(recorder.pid, SIGKILL), 0);
	end_status(&recorder);
	close(recorder.stderr_fd);
	ask("", arguments, said);
	expect_in(said, "left by a recorder that is gone");
	snprintf(arguments, sizeof(arguments), "--socket %s --dir %s", recorder_dumps,
		 recorder_socket);
	cr_expect_eq(ask("", arguments, said), 1);
	expect_in(said, "dumps: exists and is not a socket");
	expect_in(said, "recorder.sock: Not a directory");
}

Test(doctor, leaves_nothing_behind)
{
	char said[SAID_BYTES];
	struct stat status;

	ask("", with_paths(""), said);
	*strstr(missing_socket, "/b/") = '\0';
	*strstr(missing_dumps, "/d/") = '\0';
	cr_expect_eq(stat(missing_socket, &status), -1);
	cr_expect_eq(stat(missing_dumps, &status), -1);
}

Test(doctor, refuses_a_command_line_that_makes_no_sense)
{
	char said[SAID_BYTES];

	cr_expect_eq(ask("", "--format xml 2>&1", said), 2);
	cr_expect_eq(ask("", "now 2>&1", said), 2);
	cr_expect_eq(ask("", "--pretend no-btf, 2>&1", said), 2);
	cr_expect_eq(ask("", "--pretend '' 2>&1", said), 2);
}
