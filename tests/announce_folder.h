/* SPDX-License-Identifier: MIT */
/* announce_folder.h - for the tests of announce_*.c: a folder, and a loop with workers, for each test. */
#ifndef TESTS_ANNOUNCE_FOLDER_H
#define TESTS_ANNOUNCE_FOLDER_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder/counters.h"
#include "recorder/loop.h"
#include "recorder/workers.h"

#define WAIT_MS 60000

static char folder[64];
static struct loop *loop;
static struct workers *workers;

static void open_all(void)
{
	strcpy(folder, "/tmp/ttlog-test-announce-XXXXXX");
	cr_assert(mkdtemp(folder));
	cr_assert_eq(loop_open(&loop), 0);
	cr_assert_eq(workers_open(&workers, loop, 2), 0);
	setenv("TZ", "UTC", 1);
}

static void close_all(void)
{
	char command[128];

	workers_close(workers);
	loop_close(loop);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

/* Two of them at a time. */
static const char *path_of(const char *name)
{
	static char paths[2][100];
	static int at;

	at = !at;
	snprintf(paths[at], sizeof(paths[at]), "%s/%s", folder, name);
	return paths[at];
}

#endif
