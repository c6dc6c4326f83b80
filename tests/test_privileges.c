/* SPDX-License-Identifier: MIT */
/*
 * test_privileges.c - the recorder as an ordinary user: with CAP_BPF and CAP_PERFMON alone it sees
 * all that root's sees, and without one of them it says which is missing, and works.
 */
#include <ctype.h>

#include "tests/service_process.h"
#include "tests/view_events.h"

#define NOBODY 65534
#define INFO_BYTES (1 << 20)

static char program[PATH_MAX];

/* The recorder, where any user can execute it: the folder of the build may be closed to others. */
static void prepare(void)
{
	char command[2 * PATH_MAX + 32];

	recorder_prepare();
	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	snprintf(program, sizeof(program), "%s/ttlog-recorder", recorder_folder);
	snprintf(command, sizeof(command), "cp '%s' '%s'", recorder_program, program);
	cr_assert_eq(system(command), 0);
	if (geteuid() == 0)
		cr_assert_eq(chown(recorder_folder, NOBODY, NOBODY), 0);
}

TestSuite(privileges, .init = prepare, .fini = recorder_clean, .timeout = 120);

static void begin_unprivileged(struct recorder_process *ret_recorder, const char *capabilities)
{
	char inherited[192], ambient[192];
	/* It dies with us by setpriv's own means: another user has cleared what we set. */
	const char *const arguments[] = {"--pdeathsig=KILL",
					 "--reuid=65534",
					 "--regid=65534",
					 "--clear-groups",
					 inherited,
					 ambient,
					 program,
					 "-v",
					 "--socket",
					 recorder_socket,
					 "--dir",
					 recorder_dumps,
					 NULL};

	if (geteuid() != 0) {
		recorder_clean(); /* a skipped test has no fini */
		cr_skip("needs root, to give capabilities away");
	}
	snprintf(inherited, sizeof(inherited), "--inh-caps=-all%s", capabilities);
	snprintf(ambient, sizeof(ambient), "--ambient-caps=-all%s", capabilities);
	start_file(ret_recorder, "setpriv", arguments);
}

static void start_unprivileged(struct recorder_process *ret_recorder, const char *capabilities,
			       char *ret_line)
{
	begin_unprivileged(ret_recorder, capabilities);
	expect_line(ret_recorder, "listening on", ret_line, LINE_BYTES);
}

static void fault(void)
{
	volatile uintptr_t nowhere = 16;

	ready();
	*(volatile int *)nowhere = 1;
}

static void become_nobody(void)
{
	if (setregid(NOBODY, NOBODY) || setreuid(NOBODY, NOBODY))
		_exit(95);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* another user has cleared it */
	live();
}

/* What its dump has, as ttlog-view --info shows it. */
static const char *end_and_tell(struct recorder_process *recorder, struct service *service,
				int signal)
{
	static char info[INFO_BYTES];
	char line[LINE_BYTES], pid[32];

	if (signal)
		cr_assert_eq(kill(service->pid, signal), 0);
	snprintf(pid, sizeof(pid), "orders (pid %d): ", (int)service->pid);
	reap(service);
	do
		expect_line(recorder, pid, line, sizeof(line));
	while (!strstr(line, ".bin"));
	cr_assert(view_info(strrchr(line, ' ') + 1, info, sizeof(info)));
	return info;
}

static const char *info_of(struct recorder_process *recorder, void (*life)(void), int signal)
{
	struct service service;

	start_service(&service, life);
	return end_and_tell(recorder, &service, signal);
}

static void expect_in(const char *info, const char *words)
{
	cr_expect(strstr(info, words), "%s is not in %s", words, info);
}

Test(privileges, two_capabilities_are_enough_for_an_ordinary_user)
{
	struct recorder_process recorder;
	char line[LINE_BYTES], sender[64];
	const char *info;

	start_unprivileged(&recorder, ",+bpf,+perfmon", line);
	cr_assert(strstr(line, "with eBPF"), "%s", line);
	/* Other users' processes: root's, and one that became somebody else. */
	info = info_of(&recorder, fault, 0);
	expect_in(info, "\"rung\":\"ebpf\"");
	expect_in(info, "\"how\":\"fault\"");
	expect_in(info, "\"fault_address\":\"0x10\"");
	expect_in(info, "\"confidence\":\"high\"");
	info = info_of(&recorder, become_nobody, SIGTERM);
	snprintf(sender, sizeof(sender), "\"sender\":{\"pid\":%d,", (int)getpid());
	expect_in(info, sender);
	expect_in(info, "\"confidence\":\"high\"");
	stop_recorder(&recorder);
}

/* What the unit gives it, in setpriv's words: ",+bpf,+perfmon,...". */
static void unit_capabilities(char *ret_text, size_t bytes)
{
	FILE *unit = fopen("recorder/systemd/ttlog-recorder.service.in", "r");
	char line[512] = "", *rest;
	size_t length = 0;

	cr_assert(unit, "the tests run where the sources are");
	while (strncmp(line, "AmbientCapabilities=", strlen("AmbientCapabilities=")))
		cr_assert(fgets(line, sizeof(line), unit));
	fclose(unit);
	strtok_r(line, "=", &rest);
	for (char *word; (word = strtok_r(NULL, " \n", &rest));) {
		cr_assert_eq(strncmp(word, "CAP_", 4), 0, "%s", word);
		for (char *at = word; *at; at++)
			*at = (char)tolower((unsigned char)*at);
		length += (size_t)snprintf(ret_text + length, bytes - length, ",+%s", word + 4);
	}
	cr_assert_lt(length, bytes);
}

static void expect_adopted(struct recorder_process *recorder, pid_t pid)
{
	char line[LINE_BYTES], words[64];

	snprintf(words, sizeof(words), "(pid %d) is adopted", (int)pid);
	do
		expect_line(recorder, "is adopted", line, sizeof(line));
	while (!strstr(line, words));
}

static void ask_level(pid_t pid)
{
	char command[2 * PATH_MAX];

	snprintf(command, sizeof(command), "%.*s/ttlog-ctl --socket %s level %d off >/dev/null",
		 (int)(strrchr(recorder_program, '/') - recorder_program), recorder_program,
		 recorder_socket, (int)pid);
	cr_assert_eq(system(command), 0, "%s", command);
}

static void say_more_when_told(void)
{
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ready();
	sigwait(&set, &signal);
	ttlog_info("too much");
	ready();
	pause();
}

static void kill_recorder(struct recorder_process *recorder)
{
	cr_assert_eq(kill(recorder->pid, SIGKILL), 0);
	end_status(recorder);
	close(recorder->stderr_fd);
}

/* Root's processes; their lists of descriptors are closed to it, and they obey all the same. */
Test(privileges, the_units_capabilities_are_enough_to_adopt)
{
	struct recorder_process recorder;
	char capabilities[160], line[LINE_BYTES], byte;
	struct service alone, other;
	const char *info;

	unit_capabilities(capabilities, sizeof(capabilities));
	start_service(&alone, live);
	begin_unprivileged(&recorder, capabilities);
	expect_adopted(&recorder, alone.pid);
	expect_line(&recorder, "with eBPF", line, sizeof(line));
	start_service(&other, say_more_when_told);
	kill_recorder(&recorder);
	begin_unprivileged(&recorder, capabilities);
	expect_adopted(&recorder, other.pid);
	expect_line(&recorder, "adopted the rings of 2 processes", line, sizeof(line));
	ask_level(other.pid);
	cr_assert_eq(kill(other.pid, SIGUSR1), 0);
	cr_assert_eq(read(other.said, &byte, 1), 1);
	info = end_and_tell(&recorder, &other, SIGKILL);
	expect_in(info, "\"events\":1,");
	expect_in(info, "\"how\":\"signal\"");
	info = end_and_tell(&recorder, &alone, SIGKILL);
	expect_in(info, "\"events\":1,");
	stop_recorder(&recorder);
}

static void do_without(const char *capabilities, const char *missing)
{
	struct recorder_process recorder;
	char line[LINE_BYTES];
	const char *info;

	start_unprivileged(&recorder, capabilities, line);
	cr_assert(strstr(line, "without eBPF"), "%s", line);
	cr_assert(strstr(line, missing), "%s", line);
	info = info_of(&recorder, fault, 0);
	expect_in(info, "\"rung\":\"pidfd\"");
	cr_expect(!strstr(info, "\"confidence\":\"high\""), "%s", info);
	stop_recorder(&recorder);
}

Test(privileges, it_says_that_cap_bpf_is_missing)
{
	do_without(",+perfmon", "(CAP_BPF is missing)");
}

Test(privileges, it_says_that_cap_perfmon_is_missing)
{
	do_without(",+bpf", "(CAP_PERFMON is missing)");
}

Test(privileges, it_says_that_both_are_missing)
{
	do_without("", "(CAP_BPF and CAP_PERFMON are missing)");
}
