/* SPDX-License-Identifier: MIT */
/* view_events.h - a dump through the eyes of ttlog-view, which lies beside the folder of tests. */
#ifndef TESTS_VIEW_EVENTS_H
#define TESTS_VIEW_EVENTS_H

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static __attribute__((unused)) FILE *view_dump(const char *options, const char *dump)
{
	char program[PATH_MAX], command[3 * PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (length <= 0)
		return NULL;
	program[length] = '\0';
	for (int i = 0; i < 2; i++)
		*strrchr(program, '/') = '\0';
	snprintf(command, sizeof(command), "%s/ttlog-view %s '%s'", program, options, dump);
	return popen(command, "r");
}

/* The first number of that key behind `from` in a line of JSON, as a number or as text. */
static __attribute__((unused)) bool json_field(const char *from, const char *key,
					       uint64_t *ret_number)
{
	char quoted[64];
	const char *at;

	snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	at = strstr(from, quoted);
	if (!at)
		return false;
	at += strlen(quoted);
	*ret_number = strtoull(at + (*at == '"'), NULL, 10);
	return true;
}

/* Of `--info --format json`: all of it, as long as the buffer. False: the viewer failed. */
static __attribute__((unused)) bool view_info(const char *dump, char *buffer, size_t bytes)
{
	FILE *out = view_dump("--info --format json", dump);
	size_t length = out ? fread(buffer, 1, bytes - 1, out) : 0;

	buffer[length] = '\0';
	return out && pclose(out) == 0 && length < bytes - 1;
}

/* A number of a lane, from what view_info() gave; UINT64_MAX: there is none. */
static __attribute__((unused)) uint64_t info_of_lane(const char *info, const char *lane,
						     const char *key)
{
	uint64_t number = UINT64_MAX;
	char start[64];
	const char *at;

	snprintf(start, sizeof(start), "{\"name\":\"%s\",\"events\":", lane);
	at = strstr(info, start);
	return at && json_field(at, key, &number) ? number : UINT64_MAX;
}

#endif
