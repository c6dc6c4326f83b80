/* SPDX-License-Identifier: MIT */
/* A service that fills the memory of its control group: dumped before the OOM killer comes. */
#include <sys/mman.h>

#include "recorder/cgroup.h"
#include "recorder/pressure.h"
#include "tests/own_cgroup.h"
#include "tests/service_process.h"

#define LIMIT (64u << 20)

static int orders[2];

static void clean(void)
{
	/* Who was in there has just been reaped, and may not have left the group yet. */
	for (int i = 0; group[0] && i < 6000 && rmdir(group) && errno == EBUSY; i++)
		poll(NULL, 0, 10);
	recorder_clean();
}

TestSuite(pressure, .init = recorder_prepare, .fini = clean, .timeout = 150);

/* A group of our own, with a limit that is in force; else the test is skipped. */
static void make_group(void)
{
	static const struct {
		const char *root, *limit;
	} hierarchies[] = {{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
			   {"/sys/fs/cgroup", "memory.max"}};
	char limit[16];

	snprintf(limit, sizeof(limit), "%u", LIMIT);
	for (size_t i = 0; i < sizeof(hierarchies) / sizeof(hierarchies[0]); i++) {
		struct cgroup_folder folder = {.is_unified = i == 1};
		uint64_t number = 0;

		snprintf(group, sizeof(group), "%s/ttlog-test-%d", hierarchies[i].root,
			 (int)getpid());
		strcpy(folder.path, group);
		if (mkdir(group, 0755))
			continue;
		if (put(hierarchies[i].limit, limit) &&
		    !cgroup_read_number(&folder, hierarchies[i].limit, &number) && number == LIMIT)
			return;
		rmdir(group);
	}
	group[0] = '\0';
	recorder_clean();
	cr_skip("no control group of our own with a limit for memory: %s", strerror(errno));
}

/* A megabyte for each byte that it is told; no more than the test means it to have. */
static void eat_when_told(void)
{
	char byte;

	ready();
	for (int i = 0; i < 60 && read(orders[0], &byte, 1) == 1; i++) {
		void *eaten = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (eaten == MAP_FAILED)
			_exit(95);
		/* An emulator takes no notice of MAP_POPULATE. */
		memset(eaten, 1, 1 << 20);
		ready();
	}
	pause();
}

static void eat(const struct service *service, int megabytes)
{
	char byte;

	while (megabytes--) {
		cr_assert_eq(write(orders[1], "", 1), 1);
		cr_assert_eq(read(service->said, &byte, 1), 1);
	}
}

static void join_group(const struct service *service)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)service->pid);
	cr_assert(put("cgroup.procs", pid), "%s", strerror(errno));
}

static void end_service(struct service *service)
{
	cr_assert_eq(kill(service->pid, SIGKILL), 0);
	reap(service);
}

Test(pressure, is_known_from_either_hierarchy)
{
	struct pressure pressure;
	struct service service;
	int before, after;

	make_group();
	setenv("TTLOG_SOCKET", "", 1);
	cr_assert_eq(pipe2(orders, O_CLOEXEC), 0);
	start_service(&service, eat_when_told);
	join_group(&service);
	before = pressure_percent(service.pid, &pressure);
	cr_assert_geq(before, 0);
	cr_assert_lt(before, 30);
	eat(&service, 32);
	after = pressure_percent(service.pid, &pressure);
	cr_assert_geq(after, before + 45, "%d%% and %d%%", before, after);
	cr_assert_leq(after, 100);
	cr_assert_eq(pressure.limit_bytes, LIMIT);
	cr_assert_geq(pressure.usage_bytes, UINT64_C(32) << 20);
	end_service(&service);
}

Test(pressure, leads_to_a_dump_before_the_limit)
{
	struct recorder_process recorder;
	char configuration[100], line[LINE_BYTES];
	struct service service;
	FILE *file;

	make_group();
	snprintf(configuration, sizeof(configuration), "%s/recorder.conf", recorder_folder);
	file = fopen(configuration, "we");
	cr_assert(file);
	fputs("[trigger full]\nmemory = 60%\nrate = 10/1h\n"
	      "[trigger more]\nmemory = 80%\n[trigger never]\nmemory = 99%\n",
	      file);
	cr_assert_eq(fclose(file), 0);
	start_recorder(&recorder, (const char *const[]){"--config", configuration, NULL});
	cr_assert_eq(pipe2(orders, O_CLOEXEC), 0);
	start_service(&service, eat_when_told);
	join_group(&service);
	eat(&service, 45);
	expect_line(&recorder, "-rule-full.bin", line, sizeof(line));
	check_dump(line, "rule-full", "the last words");
	cr_expect(strstr(line, ": a snapshot: rule full: "), "%s", line);
	cr_expect(strstr(line, "% of its memory limit of 64 MiB is in use: "), "%s", line);
	check_dump(line, "rule-full", "percent_wanted");
	/* A later look finds that it is as full as that, still. */
	eat(&service, 8);
	expect_line(&recorder, "-rule-more.bin", line, sizeof(line));
	cr_assert_eq(count_dumps("-rule-never"), 0);
	cr_assert_eq(kill(service.pid, 0), 0, "it lives");
	end_service(&service);
	expect_killed(&recorder, line, sizeof(line), "the last words");
	cr_assert_eq(count_dumps("-rule-full"), 1, "once, as long as it is as full");
	cr_assert_eq(count_dumps("-rule-more"), 1);
	stop_recorder(&recorder);
}
