/* SPDX-License-Identifier: MIT */
/* made_dump_shown.h - what was put into made_dump.h's `made`, as the viewer opens and shows it. */
#ifndef TESTS_MADE_DUMP_SHOWN_H
#define TESTS_MADE_DUMP_SHOWN_H

#include <criterion/criterion.h>

#include "tests/made_dump.h"
#include "tests/view_dump.h"
#include "viewer/show.h"

static struct dump *dump;
static struct out out;

static void open_made(void)
{
	const char *why;
	size_t bytes;
	unsigned char *data = made_dump(&bytes);

	cr_assert_eq(view_bytes(&dump, data, bytes, &why), 0);
	free(data);
	out_init(&out, -1);
}

static void close_made(void)
{
	dump_close(dump);
	dump = NULL;
	out_fini(&out);
	free(made.event);
	made.event = NULL;
}

static const char *shown(bool json)
{
	struct options options = {.json = json, .format = format_find(json ? "json" : "text")};
	struct shown what;

	cr_assert_eq(show_events(&out, &options, &dump, 1, &what), 0);
	cr_assert_eq(what.events, made.event_count);
	out_char(&out, '\0');
	return out.data;
}

#endif
