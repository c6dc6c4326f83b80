/* SPDX-License-Identifier: MIT */
/* tui_requests.h - a dump for the interactive view: requests, of which some are slow, and some fail. */
#ifndef TESTS_TUI_REQUESTS_H
#define TESTS_TUI_REQUESTS_H

#include "tests/tui_keys.h"

#define EVENTS 3000

static uint32_t site_good, site_slow, site_bad;

/* A request each millisecond: one of 100 is slow (WARN, another target), one of 1000 fails (ERROR).
 */
static __attribute__((unused)) void make(size_t events)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64, TTLOG_TYPE_STRING, 0};
	static const char *const names[] = {"request_id", "method"};

	made_begin();
	site_good = made_site(TTLOG_INFO, "http", "Request done", types, names);
	site_slow = made_site(TTLOG_WARN, "database", "Query was slow", types, names);
	site_bad = made_site(TTLOG_ERROR, "http", "Request failed", types, names);
	for (size_t i = 0; i < events; i++) {
		const uint32_t site = i % 1000 == 500 ? site_bad
				      : i % 100 == 50 ? site_slow
						      : site_good;
		struct made_event *event = made_event(i * 300000, i & 1, site);

		event->value[0].bits = i;
		made_text(event, 1, i & 1 ? "GET" : "POST");
	}
}

static __attribute__((unused)) void begin(void)
{
	make(EVENTS);
	tui_dump_made();
	tui_begin();
}

#endif
