/* SPDX-License-Identifier: MIT */
/*
 * The daemon as its users have it: real clients that really die. Hostile ones are in
 * test_intruders.c.
 */
#include <sys/inotify.h>

#include "tests/service_process.h"

TestSuite(recorder, .init = recorder_prepare, .fini = recorder_clean, .timeout = 150);

static void exit_with_3(void)
{
	ready();
	_exit(3);
}

static void exit_with_0(void)
{
	ready();
	_exit(0);
}

static void abort_itself(void)
{
	ready();
	abort();
}

static void fault(void)
{
	volatile uintptr_t nowhere = 16;

	ready();
	*(volatile int *)nowhere = 1;
}

static const struct end {
	void (*life)(void);
	int signal; /* that the test sends */
	const char *reason, *sentence;
} ends[] = {
	{live, SIGKILL, "-sigkill.bin", "SIGKILL"},    {live, SIGTERM, "-sigterm.bin", "SIGTERM"},
	{exit_with_3, 0, "-exit-3.bin", "status 3"},   {abort_itself, 0, "-abort.bin", "abort"},
	{fault, 0, "-sigsegv.bin", "at address 0x10"},
};

static void end_one(struct recorder_process *recorder, const struct end *end)
{
	struct service service;
	char line[LINE_BYTES], pid[32];

	start_service(&service, end->life);
	if (end->signal)
		cr_assert_eq(kill(service.pid, end->signal), 0);
	snprintf(pid, sizeof(pid), "orders (pid %d): ", (int)service.pid);
	reap(&service);
	expect_line(recorder, pid, line, sizeof(line));
	cr_assert(strstr(line, end->sentence), "%s", line);
	check_dump(line, end->reason, "the last words");
}

static bool have_bpf(const char *line)
{
	return strstr(line, "with eBPF") != NULL;
}

/* As start_recorder(), but skips where the kernel program can't be loaded. */
static void start_with_bpf(struct recorder_process *recorder)
{
	const char *const arguments[] = {"--socket",	 recorder_socket, "--dir",
					 recorder_dumps, "--keep-loop=0", "--keep-free=0", NULL};
	char line[LINE_BYTES];

	start_program(recorder, arguments);
	expect_line(recorder, "listening on", line, sizeof(line));
	if (!have_bpf(line)) {
		stop_recorder(recorder);
		recorder_clean(); /* a skipped test has no fini */
		cr_skip("%s", line);
	}
}

Test(recorder, dumps_every_death_with_its_cause)
{
	struct recorder_process recorder;

	start_with_bpf(&recorder);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		end_one(&recorder, &ends[i]);
	cr_assert_eq(count_dumps(""), sizeof(ends) / sizeof(ends[0]), "one dump a death");
	stop_recorder(&recorder);
}

Test(recorder, names_the_sender_of_a_signal)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES], sender[32];

	start_with_bpf(&recorder);
	start_service(&service, live);
	cr_assert_eq(kill(service.pid, SIGTERM), 0);
	reap(&service);
	expect_line(&recorder, "orders (pid", line, sizeof(line));
	snprintf(sender, sizeof(sender), "(pid %d, uid %d)", (int)getpid(), (int)getuid());
	cr_assert(strstr(line, sender), "%s", line);
	stop_recorder(&recorder);
}

/*
 * The status is known only if the kernel tells it after the reaping, and the reaping was in time;
 * the dump is written in any case.
 */
Test(recorder, dumps_every_death_without_bpf_too)
{
	struct recorder_process recorder;

	start_recorder(&recorder, (const char *const[]){"--no-bpf", NULL});
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct service service;
		char line[LINE_BYTES], pid[32];

		start_service(&service, ends[i].life);
		if (ends[i].signal)
			cr_assert_eq(kill(service.pid, ends[i].signal), 0);
		snprintf(pid, sizeof(pid), "(pid %d): ", (int)service.pid);
		reap(&service);
		expect_line(&recorder, pid, line, sizeof(line));
		check_dump(line, strstr(line, "-unknown.bin") ? "unknown" : ".bin",
			   "the last words");
	}
	cr_assert_eq(count_dumps(""), sizeof(ends) / sizeof(ends[0]), "one dump a death");
	stop_recorder(&recorder);
}

Test(recorder, leaves_out_a_clean_exit_unless_it_is_told_to)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	start_with_bpf(&recorder);
	stop_recorder(&recorder);
	start_recorder(&recorder, NONE);
	start_service(&service, exit_with_0);
	reap(&service);
	expect_line(&recorder, "no dump", line, sizeof(line));
	stop_recorder(&recorder);
	cr_assert_eq(count_dumps(""), 0);
	start_recorder(&recorder, (const char *const[]){"--dump-on-exit", NULL});
	start_service(&service, exit_with_0);
	reap(&service);
	expect_line(&recorder, "exited", line, sizeof(line));
	check_dump(line, "-exit-0.bin", "the last words");
	stop_recorder(&recorder);
}

/* ---- dumps of the living ---- */

static void ask_for_a_snapshot(void)
{
	if (ttlog_snapshot("check point"))
		_exit(96);
	live();
}

Test(recorder, dumps_the_living_on_request)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	start_recorder(&recorder, NONE);
	start_service(&service, ask_for_a_snapshot);
	expect_line(&recorder, "snapshot-", line, sizeof(line));
	check_dump(line, "-snapshot-check_point.bin", "the last words");
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	expect_killed(&recorder, line, sizeof(line), "the last words");
	stop_recorder(&recorder);
}

Test(recorder, dumps_the_living_every_so_often)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	start_recorder(&recorder, NONE);
	setenv("TTLOG_FLUSH_INTERVAL", "1", 1);
	start_service(&service, live);
	for (int i = 0; i < 2; i++) {
		expect_line(&recorder, "periodic", line, sizeof(line));
		check_dump(line, "-periodic", "the last words");
	}
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	expect_killed(&recorder, line, sizeof(line), "the last words");
	stop_recorder(&recorder);
}

static void ask_too_often(void)
{
	for (int i = 0; i < 30; i++)
		while (ttlog_snapshot("again") == -EAGAIN)
			;
	live();
}

Test(recorder, rations_snapshots_and_counts_the_rest)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];
	unsigned int refused = 0, written = 0;

	start_recorder(&recorder, NONE);
	start_service(&service, ask_too_often);
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	expect_line(&recorder, "snapshots refused", line, sizeof(line));
	cr_assert_eq(sscanf(strstr(line, "): "), "): %u", &refused), 1, "%s", line);
	stop_recorder(&recorder);
	written = count_dumps("snapshot-again");
	cr_assert_eq(written + refused, 30, "%u written, %u refused", written, refused);
	cr_assert_leq(written, 20, "at most two seconds' worth");
}

/* ---- the recorder's own end ---- */

static void fill_and_live(void)
{
	for (int i = 0; i < 1000000; i++)
		ttlog_info("filling", "i", i, "text",
			   "some text that takes a little space in the region");
	ttlog_info("the end of many");
	live();
}

/* A dump that takes a while; returns when the file is there and is being written. */
static void start_a_dump(struct recorder_process *recorder)
{
	struct service service;
	char event[sizeof(struct inotify_event) + NAME_MAX + 1];
	int fd = inotify_init1(IN_CLOEXEC);

	setenv("TTLOG_BUFFER_SIZE", "64M", 1);
	start_recorder(recorder, NONE);
	cr_assert_geq(inotify_add_watch(fd, recorder_dumps, IN_CREATE), 0);
	start_service(&service, fill_and_live);
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	cr_assert_gt(read(fd, event, sizeof(event)), 0);
	close(fd);
}

Test(recorder, finishes_dumps_before_it_ends)
{
	struct recorder_process recorder;
	char line[LINE_BYTES];

	start_a_dump(&recorder);
	cr_assert_eq(kill(recorder.pid, SIGTERM), 0);
	expect_killed(&recorder, line, sizeof(line), "the end of many");
	cr_assert_eq(end_status(&recorder), 0);
	cr_assert_eq(count_dumps(""), 1);
	close(recorder.stderr_fd);
}

Test(recorder, shows_nothing_half_written_when_it_is_killed_and_tidies_up_when_it_is_back)
{
	struct recorder_process recorder;

	start_a_dump(&recorder);
	cr_assert_eq(kill(recorder.pid, SIGKILL), 0);
	end_status(&recorder);
	close(recorder.stderr_fd);
	cr_assert_eq(count_dumps(".bin") + count_dumps(".tmp"), 1);
	start_recorder(&recorder, NONE); /* on the socket that the killed one left, too */
	cr_assert_eq(count_dumps(".tmp"), 0);
	stop_recorder(&recorder);
}

Test(recorder, does_not_push_another_off_its_socket)
{
	struct recorder_process first, second;
	const char *const arguments[] = {"--socket", recorder_socket, "--dir", recorder_dumps,
					 NULL};
	char line[LINE_BYTES];

	start_recorder(&first, NONE);
	start_program(&second, arguments);
	expect_line(&second, "another recorder", line, sizeof(line));
	cr_assert_eq(WEXITSTATUS(end_status(&second)), 1);
	close(second.stderr_fd);
	stop_recorder(&first);
}

Test(recorder, refuses_a_command_line_that_makes_no_sense)
{
	static const char *const wrong[][4] = {
		{"--nonsense"},
		{"stray"},
		{"--max-clients", "0"},
		{"--max-clients", "70000"},
		{"--max-region", "12X"},
		{"--max-memory", "99999999999G"},
		{"--dir"},
		{"run"},
		{"run", "--nonsense", "true"},
		{"--max-region", "-1"},
	};
	struct recorder_process recorder;
	char line[LINE_BYTES];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		start_program(&recorder, wrong[i]);
		expect_line(&recorder, "--help", line, sizeof(line));
		cr_assert_eq(WEXITSTATUS(end_status(&recorder)), 2, "%s", wrong[i][0]);
		close(recorder.stderr_fd);
	}
}

/* ---- leaks ---- */

Test(recorder, keeps_no_descriptors_of_the_dead)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];
	unsigned int before, after;

	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	start_with_bpf(&recorder);
	before = count_fds(recorder.pid);
	for (int i = 0; i < 40; i++) {
		start_service(&service, live);
		cr_assert_eq(kill(service.pid, SIGKILL), 0);
		reap(&service);
		expect_line(&recorder, "-sigkill.bin", line, sizeof(line));
	}
	/* Nothing says that the kernel program's map of the last one has gone. */
	after = count_fds(recorder.pid);
	for (int i = 0; i < 600 && after != before; i++) {
		poll(NULL, 0, 100);
		after = count_fds(recorder.pid);
	}
	cr_assert_eq(after, before, "%u, and %u before", after, before);
	stop_recorder(&recorder);
}
