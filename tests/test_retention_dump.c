/* SPDX-License-Identifier: MIT */
/*
 * test_retention_dump.c - what test_retention.c says, once for real: a recorder, a program that is
 * killed in the middle of its flood, and the dump.
 */
#include <pthread.h>

#include "tests/service_process.h"
#include "tests/view_events.h"

#ifdef __SANITIZE_ADDRESS__
#define FLOOD UINT64_C(3000000)
#else
#define FLOOD UINT64_C(100000000)
#endif
#define ALERTS 4096
#define LARGE_ALERTS 64
#define BOOT 1000 /* that fit the boot lane for sure */
#define FILLER 40000
#define QUIET 700
#define INFO_BYTES (1 << 20)

TestSuite(retention_dump, .init = recorder_prepare, .fini = recorder_clean, .timeout = 150);

static pthread_barrier_t quiet;

static void *be_quiet(void *argument)
{
	(void)argument;
	for (uint64_t i = 0; i < QUIET; i++)
		ttlog_info("quiet", "n", i);
	pthread_barrier_wait(&quiet);
	pause();
	return NULL;
}

static void flood_until_killed(void)
{
	char text[601];
	pthread_t thread;

	memset(text, 'x', 600);
	text[600] = '\0';
	for (uint64_t i = 0; i < BOOT; i++)
		ttlog_info("boot", "n", i);
	/* The rest of the boot lane, so that nothing else is kept there. */
	for (uint64_t i = 0; i < FILLER; i++)
		ttlog_debug("filler", "n", i);
	for (uint64_t i = 0; i < ALERTS; i++)
		ttlog_warn("alert", "n", i);
	for (uint64_t i = 0; i < LARGE_ALERTS; i++)
		ttlog_error("large", "n", i, "text", text);
	pthread_barrier_init(&quiet, NULL, 2);
	if (pthread_create(&thread, NULL, be_quiet, NULL))
		_exit(96);
	pthread_barrier_wait(&quiet);
	for (uint64_t i = 0; i < FLOOD; i++)
		ttlog_debug("flood", "n", i);
	ready();
	for (uint64_t i = FLOOD;; i++)
		ttlog_debug("flood", "n", i);
}

/* The numbers of one message: from `first` to the newest without a gap. */
struct seen {
	const char *message;
	uint64_t count, first, last, gaps;
};

static void add(struct seen *seen, uint64_t n)
{
	if (!seen->count++)
		seen->first = n;
	else
		seen->gaps += n != seen->last + 1;
	seen->last = n;
}

static struct seen *seen_of(struct seen *seen, const char *line)
{
	char quoted[40];

	for (; seen->message; seen++) {
		snprintf(quoted, sizeof(quoted), "\"msg\":\"%s\"", seen->message);
		if (strstr(line, quoted))
			break;
	}
	return seen;
}

static void read_events(const char *dump, struct seen *seen)
{
	FILE *out = view_dump("--format json", dump);
	char *line = NULL;
	size_t bytes = 0;
	uint64_t n;

	cr_assert(out);
	while (getline(&line, &bytes, out) > 0) {
		struct seen *of = seen_of(seen, line);

		if (!of->message)
			continue;
		cr_assert(json_field(line, "n", &n), "%s", line);
		add(of, n);
	}
	free(line);
	cr_assert_eq(pclose(out), 0);
}

Test(retention_dump, a_program_is_killed_in_its_flood_and_all_else_is_in_the_dump)
{
	struct seen seen[] = {{.message = "boot"},  {.message = "alert"}, {.message = "large"},
			      {.message = "quiet"}, {.message = "flood"}, {.message = "filler"},
			      {.message = NULL}};
	static char info[INFO_BYTES];
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];
	const char *dump;

	setenv("TTLOG_LEVEL", "debug", 1);
	setenv("TTLOG_BUFFER_SIZE", "16M", 1);
	start_recorder(&recorder, NONE);
	start_service(&service, flood_until_killed);
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	expect_line(&recorder, ".bin", line, sizeof(line));
	dump = strrchr(line, ' ') + 1;
	read_events(dump, seen);
	cr_assert(view_info(dump, info, sizeof(info)));
	for (int i = 0; i < 6; i++)
		cr_expect_eq(seen[i].gaps, 0, "%s", seen[i].message);
	cr_expect(seen[0].first == 0 && seen[0].count == BOOT);
	cr_expect(seen[1].first == 0 && seen[1].count == ALERTS);
	cr_expect(seen[2].first == 0 && seen[2].count == LARGE_ALERTS);
	cr_expect_eq(seen[3].last, QUIET - 1);
	cr_expect_geq(seen[3].count, 1);
	cr_expect_geq(seen[4].last, FLOOD - 1, "an event whose call had returned is missing");
	cr_expect_gt(seen[4].count, 100000);
	/* What is not there is in the ledger, to the event. */
	cr_expect_eq(info_of_lane(info, "main", "overwritten"), seen[4].last + 1 - seen[4].count +
									QUIET - seen[3].count +
									FILLER - seen[5].count);
	cr_expect_eq(info_of_lane(info, "main", "dropped"), 0);
	cr_expect_eq(info_of_lane(info, "alert", "overwritten"), 0);
	cr_expect_eq(info_of_lane(info, "alert_large", "overwritten"), 0);
	cr_expect_eq(info_of_lane(info, "boot", "overwritten"), 0);
	stop_recorder(&recorder);
}
