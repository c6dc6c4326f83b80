/* SPDX-License-Identifier: MIT */
/*
 * test_ladder.c - real deaths on each rung of the ladder: always a dump that says which rung it
 * was, on the lower ones a verdict of less confidence, on none a wrong one.
 */
#include <sys/syscall.h>

#include "tests/service_process.h"
#include "tests/view_events.h"

TestSuite(ladder, .init = recorder_prepare, .fini = recorder_clean, .timeout = 120);

#define INFO_BYTES (1 << 20)

/* ---- ends -------------------------------------------------------------------------------------
 */

static void exit_with_3(void)
{
	ready();
	_exit(3);
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

/* One that lives on: that there was an exec is all that a pidfd could not say of the dead. */
static void become_another(void)
{
	ready();
	execl("/bin/sleep", "sleep", "600", (char *)NULL);
	_exit(96);
}

static const struct end {
	void (*life)(void);
	int signal;	    /* that the test sends */
	const char *how;    /* with all that there is to know */
	const char *number; /* of `cause`, known on every rung that knows how */
} ends[] = {
	{live, SIGKILL, "signal", "\"signal\":9,"},   {live, SIGTERM, "signal", "\"signal\":15,"},
	{exit_with_3, 0, "exit", "\"exit_code\":3,"}, {abort_itself, 0, "abort", "\"signal\":6,"},
	{fault, 0, "fault", "\"signal\":11,"},	      {become_another, 0, "exec", ""},
};

#define ENDS (sizeof(ends) / sizeof(ends[0]))

/* ---- what their dumps say ---------------------------------------------------------------------
 */

static bool says(const char *info, const char *key, const char *value)
{
	char pair[64];

	snprintf(pair, sizeof(pair), "\"%s\":\"%s\"", key, value);
	return strstr(info, pair) != NULL;
}

/* What the kernel program saw. */
static void check_certain(const struct end *end, const char *info)
{
	cr_expect(says(info, "how", end->how), "%s: %s", end->how, info);
	cr_expect(says(info, "confidence", "high"), "%s: %s", end->how, info);
	cr_expect(strstr(info, end->number), "%s: %s", end->how, info);
	if (end->signal)
		cr_expect(strstr(info, "\"sender\":{"), "%s", info);
}

/* What a pidfd can know: nothing, or an exit status, which has no more than a signal's number. */
static void check_modest(const struct end *end, const char *info)
{
	const char *without_details = strstr(end->number, "signal") ? "signal" : end->how;

	cr_expect(!says(info, "confidence", "high"), "%s: %s", end->how, info);
	cr_expect(!strstr(info, "\"sender\":{"), "%s", info);
	if (says(info, "how", "unknown")) {
		cr_expect(says(info, "confidence", "low"), "%s", info);
		return;
	}
	cr_expect(says(info, "how", without_details), "%s: %s", end->how, info);
	cr_expect(strstr(info, end->number), "%s: %s", end->how, info);
}

static void find_dump(pid_t pid, char ret_path[PATH_MAX])
{
	DIR *dir = opendir(recorder_dumps);
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "ttlog-%d-", (int)pid);
	ret_path[0] = '\0';
	for (const struct dirent *entry; dir && (entry = readdir(dir));)
		if (!strncmp(entry->d_name, prefix, strlen(prefix))) {
			cr_expect(!ret_path[0], "two dumps of process %d", (int)pid);
			snprintf(ret_path, PATH_MAX, "%s/%s", recorder_dumps, entry->d_name);
		}
	if (dir)
		closedir(dir);
}

static void check_dump_of(pid_t pid, const struct end *end, const char *rung)
{
	static char info[INFO_BYTES];
	uint64_t events = 0;
	char path[PATH_MAX];

	find_dump(pid, path);
	cr_assert(path[0], "no dump of process %d", (int)pid);
	cr_assert(view_info(path, info, sizeof(info)));
	cr_expect(says(info, "rung", rung), "%s: %s", rung, info);
	cr_expect(json_field(info, "events", &events) && events == 1, "%s", info);
	if (!strcmp(rung, "pidfd"))
		check_modest(end, info);
	else
		check_certain(end, info);
	unlink(path);
}

/* reaped_late: its status can't be had before the dump is written. */
static void end_one(struct recorder_process *recorder, const struct end *end, const char *rung,
		    bool reaped_late)
{
	const bool lives_on = !strcmp(end->how, "exec");
	struct service service;
	char line[LINE_BYTES], pid[32];

	start_service(&service, end->life);
	if (end->signal)
		cr_assert_eq(kill(service.pid, end->signal), 0);
	reaped_late = reaped_late || lives_on;
	snprintf(pid, sizeof(pid), "orders (pid %d): ", (int)service.pid);
	if (!reaped_late)
		reap(&service);
	do
		expect_line(recorder, pid, line, sizeof(line));
	while (!strstr(line, ".bin"));
	if (lives_on)
		cr_assert_eq(kill(service.pid, SIGKILL), 0);
	if (reaped_late)
		reap(&service);
	check_dump_of(service.pid, end, rung);
}

static void climb(const char *without, const char *rung)
{
	struct recorder_process recorder;

	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	start_recorder(&recorder, (const char *const[]){"--pretend", without, NULL});
	for (size_t i = 0; i < ENDS; i++)
		for (int late = 0; late < 2; late++)
			end_one(&recorder, &ends[i], rung, late);
	stop_recorder(&recorder);
	cr_expect_eq(count_dumps(""), 0, "dumps that nobody expected");
}

static void need_bpf(void)
{
	if (geteuid() == 0)
		return;
	recorder_clean(); /* a skipped test has no fini */
	cr_skip("needs root (CAP_BPF, CAP_PERFMON)");
}

Test(ladder, without_group_dead_the_live_counter_tells_who_is_the_last)
{
	need_bpf();
	climb("no-group-dead", "ebpf");
}

Test(ladder, without_mmapable_maps_the_recorder_freezes_by_itself)
{
	need_bpf();
	climb("no-mmapable-maps", "ebpf-late-freeze");
}

/* What the verifier does not take is left out, and nothing else. */
Test(ladder, without_what_the_verifier_refuses_the_rung_stays)
{
	need_bpf();
	climb("refused-mapping-walk,refused-mark-victim", "ebpf");
}

Test(ladder, without_task_storage_the_pidfd_tells_of_a_death)
{
	climb("no-task-storage", "pidfd");
}

Test(ladder, without_btf_the_pidfd_tells_of_a_death)
{
	climb("no-btf", "pidfd");
}

Test(ladder, without_bpf_the_pidfd_tells_of_a_death)
{
	climb("no-bpf,no-mmapable-maps", "pidfd");
}
