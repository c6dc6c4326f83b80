/* SPDX-License-Identifier: MIT */
/*
 * test_privileges.c - the recorder as an ordinary user: with CAP_BPF and CAP_PERFMON alone it sees
 * all that root's sees, and without one of them it says which is missing, and works.
 */
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

static void start_unprivileged(struct recorder_process *ret_recorder, const char *capabilities,
			       char *ret_line)
{
	char inherited[64], ambient[64];
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
static const char *info_of(struct recorder_process *recorder, void (*life)(void), int signal)
{
	static char info[INFO_BYTES];
	char line[LINE_BYTES], pid[32];
	struct service service;

	start_service(&service, life);
	if (signal)
		cr_assert_eq(kill(service.pid, signal), 0);
	snprintf(pid, sizeof(pid), "orders (pid %d): ", (int)service.pid);
	reap(&service);
	do
		expect_line(recorder, pid, line, sizeof(line));
	while (!strstr(line, ".bin"));
	cr_assert(view_info(strrchr(line, ' ') + 1, info, sizeof(info)));
	return info;
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
