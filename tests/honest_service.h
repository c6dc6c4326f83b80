/* SPDX-License-Identifier: MIT */
/*
 * honest_service.h - a client that behaves, beside others that do not: what it recorded is in its
 * dump, all of it, in order, and nothing else.
 */
#ifndef TESTS_HONEST_SERVICE_H
#define TESTS_HONEST_SERVICE_H

#include "tests/service_process.h"
#include "tests/view_events.h"

#define HONEST_EVENTS 500

static __attribute__((unused)) void honest_life(void)
{
	for (int i = 0; i < HONEST_EVENTS; i++)
		ttlog_info("honest", "number", i);
	ready();
	pause();
}

/* The line of the recorder that names its dump; others have theirs in between. */
static __attribute__((unused)) void find_dump_of(struct recorder_process *recorder, pid_t pid,
						 char *ret_line, size_t line_bytes)
{
	char words[32];

	snprintf(words, sizeof(words), "(pid %d): ", (int)pid);
	do
		expect_line(recorder, words, ret_line, line_bytes);
	while (!strstr(ret_line, ".bin"));
}

static __attribute__((unused)) void expect_honest_events(const char *dump)
{
	FILE *out = view_dump("--format json", dump);
	uint64_t number, expected = 0;
	char *line = NULL;
	size_t room = 0;

	cr_assert(out);
	while (getline(&line, &room, out) > 0) {
		const char *message = strstr(line, "\"msg\":\"honest\"");

		if (!message)
			continue;
		cr_assert(json_field(message, "number", &number));
		cr_assert_eq(number, expected, "%" PRIu64 " instead of %" PRIu64 " in %s", number,
			     expected, dump);
		expected++;
	}
	free(line);
	cr_assert_eq(pclose(out), 0);
	cr_assert_eq(expected, HONEST_EVENTS, "%" PRIu64 " events in %s", expected, dump);
}

static __attribute__((unused)) void end_honest_service(struct recorder_process *recorder,
						       struct service *service)
{
	char line[LINE_BYTES];

	cr_assert_eq(kill(service->pid, SIGKILL), 0);
	find_dump_of(recorder, service->pid, line, sizeof(line));
	expect_honest_events(strrchr(line, ' ') + 1);
	reap(service);
}

/* It comes and dies while they do what they do. */
static __attribute__((unused)) void expect_honest_service(struct recorder_process *recorder)
{
	struct service service;

	start_service(&service, honest_life);
	end_honest_service(recorder, &service);
}

#endif
