/* SPDX-License-Identifier: MIT */
/* A recorder with rules, and services that do what they wait for. */
#include <inttypes.h>

#include "tests/service_process.h"
#include "tests/view_events.h"

static char configuration[100];
static int orders[2];

static void prepare(void)
{
	recorder_prepare();
	snprintf(configuration, sizeof(configuration), "%s/recorder.conf", recorder_folder);
	cr_assert_eq(pipe2(orders, O_CLOEXEC), 0);
}

TestSuite(rules, .init = prepare, .fini = recorder_clean, .timeout = 150);

static void write_rules(const char *text)
{
	FILE *file = fopen(configuration, "we");

	cr_assert(file);
	fputs(text, file);
	cr_assert_eq(fclose(file), 0);
}

static void start_with(struct recorder_process *recorder, const char *text)
{
	write_rules(text);
	start_recorder(recorder, (const char *const[]){"--config", configuration, NULL});
}

/* An event for each byte that it is told. */
static void record_when_told(void)
{
	char byte;

	ready();
	while (read(orders[0], &byte, 1) == 1) {
		if (byte == 'e')
			ttlog_error("it failed", "seconds", 0.7, "who", "alice");
		else if (byte == 's')
			ttlog_info("it took", "seconds", 0.7, "who", "alice");
		else if (byte == 'f')
			ttlog_info("it took", "seconds", 0.1, "who", "bob");
		else if (byte == 'c')
			ttlog_info("context");
		ready();
	}
	_exit(96);
}

static void order(const struct service *service, char what)
{
	char byte;

	cr_assert_eq(write(orders[1], &what, 1), 1);
	cr_assert_eq(read(service->said, &byte, 1), 1);
}

static void end_service(struct service *service)
{
	cr_assert_eq(kill(service->pid, SIGKILL), 0);
	reap(service);
}

/* ---- events ----------------------------------------------------------------------------- */

Test(rules, an_event_of_a_level_is_dumped_with_what_was_before_it)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	start_with(&recorder, "[trigger errors]\nwhen = level>=error\n");
	start_service(&service, record_when_told);
	order(&service, 's');
	order(&service, 'e');
	expect_line(&recorder, "-rule-errors.bin", line, sizeof(line));
	check_dump(line, "rule-errors", "it failed");
	check_dump(line, "rule-errors", "the last words");
	end_service(&service);
	stop_recorder(&recorder);
}

Test(rules, a_filter_decides_by_the_values)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	start_with(&recorder, "[trigger slow]\nwhen = msg=it took\nwhen = seconds>0.5\n"
			      "when = who=alice,carol\nrate = 100/1h\n");
	start_service(&service, record_when_told);
	order(&service, 'f');
	order(&service, 'e');
	order(&service, 's');
	expect_line(&recorder, "-rule-slow.bin", line, sizeof(line));
	/* Of three events one: whoever took another one for it would have dumped before. */
	check_dump(line, "rule-slow", "alice");
	end_service(&service);
	expect_killed(&recorder, line, sizeof(line), "it took");
	cr_assert_eq(count_dumps("-rule-"), 1);
	stop_recorder(&recorder);
}

/* Among the events of the dump: that one, and no other. */
static void check_marked(const char *path, pid_t tid)
{
	char line[LINE_BYTES], sentence[LINE_BYTES] = "", thread[32];
	int marked = 0;
	FILE *out = view_dump("", path);

	cr_assert(out);
	while (fgets(line, sizeof(line), out)) {
		if (strstr(line, "a snapshot: "))
			strcpy(sentence, line);
		if (!strstr(line, "  <- rule errors\n"))
			continue;
		cr_expect(strstr(line, " it failed  seconds=0.7 who=alice  <- "), "%s", line);
		marked++;
	}
	cr_assert_eq(pclose(out), 0);
	cr_expect_eq(marked, 1);
	snprintf(thread, sizeof(thread), "Z, of thread %d ", (int)tid);
	cr_expect(strstr(sentence, ": a snapshot: rule errors: ERROR \"it failed\" seconds=0.7 "
				   "who=alice at 2"),
		  "%s", sentence);
	cr_expect(strstr(sentence, thread), "%s", sentence);
}

Test(rules, a_dump_says_which_event_it_was_taken_for)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES], info[1 << 16];

	start_with(&recorder, "[trigger errors]\nwhen = level>=error\nafter = 3 events\n");
	start_service(&service, record_when_told);
	order(&service, 's');
	order(&service, 'e');
	expect_line(&recorder, "trigger errors: waits", line, sizeof(line));
	for (int i = 0; i < 3; i++)
		order(&service, 'e'); /* one is as good as another, and it was the first */
	expect_line(&recorder, "-rule-errors.bin", line, sizeof(line));
	cr_expect(strstr(line, ": a snapshot: rule errors: ERROR \"it failed\" at 2"), "%s", line);
	cr_expect_null(strstr(line, "alice"), "what fields hold is not for all who read the log");
	check_marked(strrchr(line, ' ') + 1, service.pid);
	cr_assert(view_info(strrchr(line, ' ') + 1, info, sizeof(info)));
	cr_expect(strstr(info, "\"trigger\":{\"kind\":\"event\",\"rule\":\"errors\",\"ts\":\"2"),
		  "%s", info);
	cr_expect(strstr(info, "\"level\":\"ERROR\",\"target\":\"test_rules\",\"msg\":\"it failed\","
			       "\"values\":\"seconds=0.7 who=alice\""),
		  "%s", info);
	end_service(&service);
	stop_recorder(&recorder);
}

Test(rules, services_are_chosen_by_name)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	start_with(&recorder, "[trigger others]\nservices = bill*, order\nwhen = level>=error\n"
			      "[trigger ours]\nservices = bill*, o?ders\nwhen = level>=error\n"
			      "after = 50ms\n"
			      "[trigger off]\nenabled = no\nwhen = level>=error\n");
	start_service(&service, record_when_told);
	order(&service, 'e');
	expect_line(&recorder, "-rule-", line, sizeof(line));
	cr_assert(strstr(line, "-rule-ours.bin"), "%s", line);
	end_service(&service);
	expect_killed(&recorder, line, sizeof(line), "it failed");
	cr_assert_eq(count_dumps("-rule-"), 1);
	stop_recorder(&recorder);
}

/* The recorder waits for two events that only come when the test has seen that it waits. */
Test(rules, a_dump_may_wait_for_what_comes_after)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	start_with(&recorder, "[trigger errors]\nwhen = level>=error\nafter = 3 events\n");
	start_service(&service, record_when_told);
	order(&service, 'e');
	expect_line(&recorder, "trigger errors: waits", line, sizeof(line));
	order(&service, 'c');
	order(&service, 'c');
	order(&service, 'c');
	expect_line(&recorder, "-rule-errors.bin", line, sizeof(line));
	check_dump(line, "rule-errors", "context");
	end_service(&service);
	stop_recorder(&recorder);
}

/* ---- rates ------------------------------------------------------------------------------ */

static uint64_t figure(const char *name)
{
	char command[PATH_MAX + 128], line[1024];
	uint64_t value = UINT64_MAX;
	FILE *pipe;

	snprintf(command, sizeof(command), "curl -s --unix-socket %s/metrics http://x/metrics",
		 recorder_folder);
	pipe = popen(command, "r");
	cr_assert(pipe);
	while (fgets(line, sizeof(line), pipe))
		if (!strncmp(line, name, strlen(name)))
			value = strtoull(line + strlen(name), NULL, 10);
	pclose(pipe);
	return value;
}

/* As an operator sees it, whatever is between the words. */
static bool status_shows(const char *words)
{
	char command[PATH_MAX + 128], line[1024];
	bool is_shown = false;
	FILE *pipe;

	snprintf(command, sizeof(command), "%.*s/ttlog-ctl --socket %s status | tr -s ' '",
		 (int)(strrchr(recorder_program, '/') - recorder_program), recorder_program,
		 recorder_socket);
	pipe = popen(command, "r");
	cr_assert(pipe);
	while (fgets(line, sizeof(line), pipe))
		is_shown = is_shown || strstr(line, words);
	pclose(pipe);
	return is_shown;
}

Test(rules, a_storm_is_rationed_and_the_rest_counted)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES], address[128];

	snprintf(address, sizeof(address), "--metrics=unix:%s/metrics", recorder_folder);
	write_rules("[trigger errors]\nwhen = level>=error\nrate = 2/1h\n");
	start_recorder(&recorder, (const char *const[]){"--config", configuration, address, NULL});
	start_service(&service, record_when_told);
	for (int i = 0; i < 2; i++) {
		order(&service, 'e');
		expect_line(&recorder, "-rule-errors", line, sizeof(line));
	}
	order(&service, 'e');
	expect_line(&recorder, "more than its rate allows", line, sizeof(line));
	cr_assert_eq(count_dumps("-rule-errors"), 2);
	cr_assert_eq(figure("ttlog_triggers_total{rule=\"errors\",result=\"fired\"} "), 2);
	cr_assert_eq(figure("ttlog_triggers_total{rule=\"errors\",result=\"suppressed\"} "), 1);
	cr_assert(status_shows("errors yes 2 1 0"));
	end_service(&service);
	stop_recorder(&recorder);
}

/* Its ring is handed over, or taken, while it records: none of that is too early for a rule. */
Test(rules, what_came_before_the_recorder_had_time_counts)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	start_with(&recorder, "[trigger errors]\nwhen = level>=error\n");
	setenv("TTLOG_HELLO_TIMEOUT", "50", 1);
	cr_assert_eq(kill(recorder.pid, SIGSTOP), 0);
	start_service(&service, record_when_told);
	order(&service, 'e');
	cr_assert_eq(kill(recorder.pid, SIGCONT), 0);
	expect_line(&recorder, "-rule-errors.bin", line, sizeof(line));
	check_dump(line, "rule-errors", "it failed");
	end_service(&service);
	stop_recorder(&recorder);
}

static void check_restart(const char *rung)
{
	const char *const arguments[] = {"--config", configuration, rung, NULL};
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	write_rules("[trigger errors]\nwhen = level>=error\nrate = 100/1h\n"
		    "[trigger slow]\nwhen = seconds>0.5\nwhen = level=info\n");
	start_recorder(&recorder, arguments);
	start_service(&service, record_when_told);
	order(&service, 'e');
	expect_line(&recorder, "-rule-errors.bin", line, sizeof(line));
	cr_assert_eq(kill(recorder.pid, SIGKILL), 0);
	end_status(&recorder);
	close(recorder.stderr_fd);
	/* When it is listening it has adopted who is there. */
	start_recorder(&recorder, arguments);
	order(&service, 's');
	expect_line(&recorder, "-rule-", line, sizeof(line));
	cr_assert(strstr(line, "-rule-slow.bin"), "%s", line);
	end_service(&service);
	stop_recorder(&recorder);
}

Test(rules, what_an_earlier_recorder_has_seen_is_not_news)
{
	check_restart(NULL);
}

Test(rules, what_an_earlier_recorder_has_seen_is_not_news_without_ebpf)
{
	check_restart("--no-bpf");
}

/* ---- the clock, and another configuration ----------------------------------------------- */

Test(rules, a_dump_comes_every_so_often)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	start_with(&recorder, "[trigger tick]\nevery = 1s\nrate = 100/1h\n");
	start_service(&service, live);
	expect_line(&recorder, "-rule-tick.bin", line, sizeof(line));
	cr_expect(strstr(line, ": a snapshot: rule tick: every "), "%s", line);
	expect_line(&recorder, "-rule-tick", line, sizeof(line));
	end_service(&service);
	stop_recorder(&recorder);
}

Test(rules, change_with_the_configuration)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	start_with(&recorder, "[trigger errors]\nwhen = level>=error\nrate = 100/1h\n");
	start_service(&service, record_when_told);
	order(&service, 'e');
	expect_line(&recorder, "-rule-errors.bin", line, sizeof(line));
	write_rules("[trigger errors]\nwhen = level>=errr\n");
	cr_assert_eq(kill(recorder.pid, SIGHUP), 0);
	expect_line(&recorder, "recorder.conf:2:15: not a level", line, sizeof(line));
	expect_line(&recorder, "stays as it was", line, sizeof(line));
	order(&service, 'e');
	expect_line(&recorder, "-rule-errors", line, sizeof(line));
	write_rules("[trigger slow]\nwhen = seconds>0.5\nwhen = level=info\n");
	cr_assert_eq(kill(recorder.pid, SIGHUP), 0);
	expect_line(&recorder, "was read again", line, sizeof(line));
	/* What was there before is not new. */
	order(&service, 'e');
	order(&service, 's');
	expect_line(&recorder, "-rule-", line, sizeof(line));
	cr_assert(strstr(line, "-rule-slow.bin"), "%s", line);
	end_service(&service);
	stop_recorder(&recorder);
}
