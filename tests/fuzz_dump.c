/* SPDX-License-Identifier: MIT */
/* fuzz_dump.c - any bytes as a dump (wrapped_dump.h), through everything that the viewer does with one. */
#include <errno.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/view_dump.h"
#include "tests/wrapped_dump.h"
#include "viewer/checksum.h"
#include "viewer/format.h"
#include "viewer/info.h"
#include "viewer/select.h"

#define EVENTS_MAX 20000 /* a small file may unfold into many */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A format, with an output of its own where it makes one. */
struct shown {
	const struct format *format;
	void *state;
	char path[64];
};

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *where)
{
	(void)stat;
	(void)kind;
	(void)where;
	return remove(path);
}

/*
 * All formats of the table; those that write elsewhere, into a folder of ours, with the first input and then with every
 * 32nd: they take as long as all others together, many times.
 */
static void begin_all(struct shown *shown, struct format_env *env, const char *folder)
{
	static unsigned int inputs;
	const bool elsewhere = inputs++ % 32 == 0;

	for (size_t i = 0; formats[i]; i++) {
		if ((formats[i]->flags & FORMAT_ABSENT) ||
		    (!elsewhere && (formats[i]->flags & (FORMAT_FILE | FORMAT_FOLDER))))
			continue;
		shown->format = formats[i];
		snprintf(shown->path, sizeof(shown->path), "%s/%s", folder, formats[i]->name);
		env->output = shown->path;
		if (shown->format->open(&shown->state, env))
			abort();
		shown++;
	}
}

static void end_all(struct shown *shown)
{
	for (; shown->format; shown++) {
		if (shown->format->end(shown->state, true))
			abort();
		shown->format->close(shown->state);
	}
}

static void show_events(struct dump *dump, struct shown *all, struct out *out, struct last *last,
			struct query *query)
{
	struct record record = {0};

	for (unsigned int events = 0; events < EVENTS_MAX && dump_next(dump, &record.event); events++) {
		record.decoded = false;
		for (struct shown *each = all; each->format; each++)
			if (each->format->event(each->state, &record))
				abort();
		last_take(last, &record.event);
		(void)query_match(query, &record);
		out->bytes = 0;
	}
}

static void show(struct dump *dump)
{
	struct shown all[32] = {0};
	struct format_env env = {.dumps = &dump, .dump_count = 1, .colour = true};
	char folder[] = "/tmp/fuzz_dump.XXXXXX", damage[160];
	struct query_error error;
	struct query query;
	struct last *last = last_open(dump);
	struct out out;

	out_init(&out, -1);
	env.out = &out;
	query_init(&query);
	if (!last || !mkdtemp(folder))
		abort();
	if (query_add(&query, "msg~=e,1", &error) || query_add(&query, "status!=200,x", &error))
		abort();
	begin_all(all, &env, folder);
	show_events(dump, all, &out, last, &query);
	end_all(all);
	dump_damage(dump, damage, sizeof(damage));
	info_text(&out, dump, last, NULL, true, true);
	info_json(&out, dump, last, NULL);
	last_close(last);
	query_fini(&query);
	out_fini(&out);
	if (nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS))
		abort();
}

/* By its index, newest first and from the middle of its times. */
static void select_from(struct dump *dump, bool reverse)
{
	struct selection selection = {.reverse = reverse, .limited = !reverse, .limit = 100};
	static struct record record;
	struct query_error error;
	struct select *select;
	int result;

	query_init(&selection.query);
	if (query_add_query(&selection.query, "time>=T-1s and not time>T", &error))
		abort();
	query_forget(dump_dictionary(dump));
	result = select_open(&select, &selection, &dump, 1);
	for (unsigned int i = 0; !result && i < EVENTS_MAX && select_next(select, &record); i++)
		record_decode(&record);
	if (!result)
		select_close(select);
	else if (result != -E2BIG && result != -EIO && result != -EINVAL && result != -ENOMEM)
		abort();
	query_fini(&selection.query);
}

/* What is stepped over because its site is refused is what would have come, and nothing else. */
static void step_over(struct dump *dump, const void *data, size_t bytes)
{
	struct event event, wanted;
	struct dump *all;
	const char *why;
	bool more = true;

	if (view_bytes(&all, data, bytes, &why))
		abort();
	for (unsigned int events = 0; more && events < EVENTS_MAX; events++) {
		more = dump_next_unrefused(dump, &event);
		if (more)
			event.site->verdict = event.site->id % 2 ? SITE_NEVER : SITE_ALWAYS;
		while (dump_events_read(all) + more < dump_events_read(dump))
			if (!dump_next(all, &wanted) || wanted.site->id % 2 == 0)
				abort();
		if (dump_next(all, &wanted) != more)
			abort();
		if (more && (wanted.time_ns != event.time_ns || wanted.seq != event.seq ||
			     wanted.site->id != event.site->id || wanted.values_bytes != event.values_bytes))
			abort();
	}
	dump_close(all);
}

static void try_bytes(const void *data, size_t bytes)
{
	struct dump *dump;
	const char *why;

	if (view_bytes(&dump, data, bytes, &why))
		return;
	query_forget(dump_dictionary(dump));
	step_over(dump, data, bytes);
	dump_close(dump);

	if (view_bytes(&dump, data, bytes, &why))
		return;
	show(dump);
	select_from(dump, true);
	select_from(dump, false);
	dump_close(dump);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* What it is asked is made of whole frames; it looks where it reads all the same. */
	(void)checksum_fits(data, size, data, size);
	wrapped_run(data, size, try_bytes);
	return 0;
}
