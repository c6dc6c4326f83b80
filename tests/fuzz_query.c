/* SPDX-License-Identifier: MIT */
/* fuzz_query.c - any bytes as filters and queries, one a line, asked about events of every type. */
#include <stdint.h>

#include "tests/made_dump.h"
#include "tests/view_dump.h"
#include "viewer/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One event with all types, one with a format; made once, kept. */
static struct dump *events(struct record record[2])
{
	static const uint8_t types[] = {TTLOG_TYPE_BOOL, TTLOG_TYPE_CHAR, TTLOG_TYPE_I64, TTLOG_TYPE_U64,
					TTLOG_TYPE_F32, TTLOG_TYPE_F64, TTLOG_TYPE_STRING,
					TTLOG_TYPE_BYTES, TTLOG_TYPE_POINTER, 0};
	static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
	static unsigned char *bytes;
	struct made_event *event;
	struct dump *dump;
	const char *why;
	size_t size;

	made_begin();
	made_site(TTLOG_INFO, "t", "message", types, names);
	made_site(TTLOG_WARN, "t", "%s %d %f", types + 6, NULL);
	for (uint32_t site = 1; site <= 2; site++) {
		event = made_event(site, 0, site);
		for (uint32_t i = 0; i < event->value_count; i++) {
			event->value[i].bits = site + i;
			event->value[i].data = "text";
			event->value[i].size = 4;
		}
	}
	bytes = made_dump(&size);
	if (view_bytes(&dump, bytes, size, &why))
		abort();
	for (unsigned int i = 0; i < 2; i++)
		if (!dump_next(dump, &record[i].event))
			abort();
	free(bytes);
	return dump;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct record record[2];
	static struct dump *dump;
	struct query_error error;
	struct query query;
	char *text, *line, *rest;
	int64_t from, to;

	if (!dump)
		dump = events(record);
	text = strndup((const char *)data, size);
	if (!text)
		abort();
	query_init(&query);
	for (rest = text; (line = strsep(&rest, "\n"));) {
		if (query_add(&query, line, &error) && error.at > strlen(line))
			abort();
		if (query_add_query(&query, line, &error) && error.at > strlen(line))
			abort();
		query_add_test(&query, QUERY_TEXT, QUERY_FITS, line, &error);
	}
	query_resolve(&query, &(struct when_base){MADE_TIME_NS, MADE_TIME_NS + 5});
	query_bounds(&query, &from, &to);
	for (unsigned int i = 0; i < 2; i++) {
		record[i].decoded = false;
		record[i].event.site->verdict = SITE_NOT_ASKED;
		/* The second answer comes from what the first left in the site, and is the same. */
		if (query_match(&query, &record[i]) != query_match(&query, &record[i]))
			abort();
	}
	query_fini(&query);
	free(text);
	return 0;
}
