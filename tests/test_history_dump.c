/* SPDX-License-Identifier: MIT */
/*
 * test_history_dump.c - a recorder with a history, a program that records far more than its ring
 * holds and is killed, and the dump: in order, each event once, what is missing counted. How much
 * is missing depends on who got a processor when, and is no matter here: see test_history.c.
 */
#include "tests/service_process.h"
#include "tests/view_events.h"

#define EVENTS UINT64_C(200000)
#define BURST 500

TestSuite(history_dump, .init = recorder_prepare, .fini = recorder_clean, .timeout = 150);

static void record_and_rest(void)
{
	for (uint64_t n = 0; n < EVENTS; n++) {
		ttlog_info("numbered", "n", n, "status", 200, "method", "GET");
		if (n % BURST == 0)
			usleep(500);
		if (n == EVENTS / 2)
			ttlog_snapshot("midway");
	}
	ready();
	pause();
}

static void record_at_full_speed(void)
{
	for (uint64_t n = 0; n < 10 * EVENTS; n++)
		ttlog_info("numbered", "n", n, "status", 200, "method", "GET");
	ready();
	pause();
}

struct seen {
	uint64_t count, first, last, missing;
};

static struct seen read_events(const char *dump)
{
	FILE *out = view_dump("--format json", dump);
	struct seen seen = {0};
	char *line = NULL;
	size_t bytes = 0;
	uint64_t n;

	cr_assert(out);
	while (getline(&line, &bytes, out) > 0) {
		if (!strstr(line, "\"msg\":\"numbered\""))
			continue;
		cr_assert(json_field(line, "n", &n), "%s", line);
		if (!seen.count++)
			seen.first = n;
		else
			cr_assert_gt(n, seen.last);
		seen.last = n;
	}
	seen.missing = seen.last + 1 - seen.count;
	free(line);
	cr_assert_eq(pclose(out), 0);
	return seen;
}

/* The dump's path is behind the last space of the line that names it. */
static struct seen check(const char *line)
{
	static char info[1 << 20];
	const char *dump = strrchr(line, ' ') + 1;
	const struct seen seen = read_events(dump);

	cr_assert(view_info(dump, info, sizeof(info)));
	cr_assert_eq(info_of_lane(info, "main", "overwritten"), seen.missing, "of %" PRIu64,
		     seen.count);
	cr_assert_eq(info_of_lane(info, "main", "dropped"), 0);
	return seen;
}

/* What --info says of gaps is not more than is missing: what is older than all is in none. */
static void check_gaps(const char *line, uint64_t missing)
{
	static char info[1 << 20];
	uint64_t bytes, events, sum = 0;
	const char *at;

	cr_assert(view_info(strrchr(line, ' ') + 1, info, sizeof(info)));
	at = strstr(info, "\"history\":{");
	cr_assert(at, "%s", info);
	cr_assert(json_field(at, "budget_bytes", &bytes));
	cr_assert_eq(bytes, 16 << 20);
	cr_assert(json_field(at, "bytes", &bytes));
	cr_assert_leq(bytes, 16 << 20);
	while ((at = strstr(at, "{\"lane\":\"main\""))) {
		cr_assert(json_field(at, "events", &events));
		sum += events;
		at++;
		if (strncmp(strchr(at, '}'), "},{\"lane", 8))
			break;
	}
	cr_assert_leq(sum, missing);
}

static void start_with_history(struct recorder_process *recorder)
{
	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	start_recorder(recorder, (const char *const[]){"--history", "16M", NULL});
}

Test(history_dump, has_the_life_of_a_program_that_was_killed)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];
	struct seen midway, end;

	start_with_history(&recorder);
	start_service(&service, record_and_rest);
	expect_line(&recorder, "-snapshot-midway.bin", line, sizeof(line));
	midway = check(line);
	cr_assert_geq(midway.last, EVENTS / 2);
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	expect_line(&recorder, ".bin", line, sizeof(line));
	end = check(line);
	cr_assert_eq(end.first, 0, "the boot lane has it");
	cr_assert_eq(end.last, EVENTS - 1);
	cr_assert_geq(end.count, midway.count, "a snapshot takes nothing away");
	stop_recorder(&recorder);
}

Test(history_dump, counts_what_a_program_at_full_speed_left_of_it)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];
	struct seen end;

	start_with_history(&recorder);
	start_service(&service, record_at_full_speed);
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	expect_line(&recorder, ".bin", line, sizeof(line));
	end = check(line);
	check_gaps(line, end.missing);
	cr_assert_eq(end.last, 10 * EVENTS - 1);
	stop_recorder(&recorder);
}
