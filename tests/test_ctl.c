/* SPDX-License-Identifier: MIT */
/* ttlog-ctl as operators use it: a real daemon, real services, other users. */
#include "tests/told_service.h"

#define ANSWER_BYTES (1 << 16)
#define OTHER 65533 /* somebody; nobody's number has a meaning of its own */

static char control[100];
static char ctl_program[PATH_MAX]; /* where any user can execute it */

static void prepare(void)
{
	char command[2 * PATH_MAX + 32];

	recorder_prepare();
	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	snprintf(control, sizeof(control), "%s/control.sock", recorder_folder);
	snprintf(ctl_program, sizeof(ctl_program), "%s/ttlog-ctl", recorder_folder);
	snprintf(command, sizeof(command), "cp '%.*sttlog-ctl' '%s'",
		 (int)(strrchr(recorder_program, '/') + 1 - recorder_program), recorder_program,
		 ctl_program);
	cr_assert_eq(system(command), 0);
}

TestSuite(ctl, .init = prepare, .fini = recorder_clean, .timeout = 150);

static void obey(void)
{
	char order;

	ready();
	while (read(order_fd, &order, 1) == 1) {
		switch (order) {
		case 'f': /* more than the region has room for */
			for (int i = 0; i < 100000; i++)
				ttlog_info("filling", "i", i);
			break;
		case 'd':
			ttlog_debug("a debug event");
			break;
		case 'w': /* until the level has changed, which nothing of ours asks for */
			while (ttlog_enabled(TTLOG_DEBUG))
				;
			break;
		case 'k':
			kill(getpid(), SIGKILL);
			break;
		case 'x':
			_exit(0);
		}
		ready();
	}
}

static void order(const struct told *told, char what)
{
	cr_assert_eq(write(told->orders, &what, 1), 1);
}

static void expect_done(const struct told *told)
{
	char byte;

	cr_assert_eq(read(told->service.said, &byte, 1), 1);
}

struct answer {
	int status;
	char text[ANSWER_BYTES], errors[4096];
};

static void read_all(int fd, char *text, size_t bytes)
{
	size_t count = 0;
	ssize_t got;

	while ((got = read(fd, text + count, bytes - 1 - count)) > 0)
		count += (size_t)got;
	text[count] = '\0';
	close(fd);
}

/* As that user (0: as we are). Its lines on stderr are few, so nobody waits for anybody. */
static struct answer *ask_as(uid_t user, const char *const *arguments)
{
	static struct answer answer;
	const char *argv[RECORDER_ARGS_MAX] = {ctl_program};
	int out[2], err[2];
	pid_t pid;

	for (int i = 1; *arguments && i < RECORDER_ARGS_MAX - 1; i++)
		argv[i] = *arguments++;
	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(err, O_CLOEXEC), 0);
	pid = fork_child();
	if (!pid) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		if (user && (setregid(user, user) || setreuid(user, user)))
			_exit(122);
		execv(ctl_program, (char *const *)(uintptr_t)argv);
		_exit(121);
	}
	close(out[1]);
	close(err[1]);
	read_all(out[0], answer.text, sizeof(answer.text));
	read_all(err[0], answer.errors, sizeof(answer.errors));
	cr_assert_eq(waitpid(pid, &answer.status, 0), pid);
	cr_assert(WIFEXITED(answer.status), "%#x", answer.status);
	answer.status = WEXITSTATUS(answer.status);
	return &answer;
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ASK(...) ask_as(0, ARGS(__VA_ARGS__))

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

/* The value of a key in the first object, as its bytes. */
static const char *value_of(const struct answer *answer, const char *key, char value[64])
{
	char quoted[64];
	const char *at;

	snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	at = strstr(answer->text, quoted);
	cr_assert(at, "%s is not in %s", key, answer->text);
	at += strlen(quoted);
	*(char *)mempcpy(value, at, strcspn(at, ",}") < 63 ? strcspn(at, ",}") : 63) = '\0';
	return value;
}

static unsigned long long number_of(const struct answer *answer, const char *key)
{
	char value[64];

	return strtoull(value_of(answer, key, value), NULL, 10);
}

static void expect_status(const struct answer *answer, int status)
{
	cr_assert_eq(answer->status, status, "%d: %s%s", answer->status, answer->text,
		     answer->errors);
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

/* ---- who came from elsewhere ------------------------------------------------------------ */

/* Killed, so that it thaws nobody; the next one has adopted who is there when it is listening. */
static void replace_recorder(struct recorder_process *recorder, const char *const *arguments)
{
	cr_assert_eq(kill(recorder->pid, SIGKILL), 0);
	end_status(recorder);
	close(recorder->stderr_fd);
	start_recorder(recorder, arguments);
}

Test(ctl, who_is_adopted_obeys_and_stays_frozen)
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

Test(ctl, who_had_a_recorder_with_ebpf_obeys_the_next)
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

Test(ctl, a_private_recorder_answers_where_it_is_told_to)
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
