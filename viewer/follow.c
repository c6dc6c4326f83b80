/* SPDX-License-Identifier: MIT */
#include "viewer/follow.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "viewer/inputs.h"

#define NAME "ttlog-ctl"
#define FIRST 7 /* words before the options */

/* The one that lies beside us is of our version. */
static void become(char *const *argv)
{
	char path[PATH_MAX];
	const ssize_t bytes = readlink("/proc/self/exe", path, sizeof(path) - sizeof(NAME));
	char *slash;

	if (bytes > 0) {
		path[bytes] = '\0';
		slash = strrchr(path, '/');
		if (slash) {
			strcpy(slash + 1, NAME);
			execv(path, argv);
		}
	}
	execvp(NAME, argv);
}

static char *word_of(const struct option_taken *taken)
{
	char *word;

	if (asprintf(&word, taken->argument ? "--%s=%s" : "--%s", taken->row->name,
		     taken->argument) < 0)
		return NULL;
	return word;
}

/* The limit is for ttlog-ctl: it is of what is there, not of what comes. */
static int add_words(const struct options *options, char **argv)
{
	for (size_t i = 0; i < options->taken_count; i++) {
		const char *name = options->taken[i].row->name;

		if (strcmp(name, "follow") == 0 || strcmp(name, "limit") == 0)
			continue;
		*argv = word_of(&options->taken[i]);
		if (!*argv++)
			return -ENOMEM;
	}
	return 0;
}

enum view_exit follow_run(const struct options *options)
{
	char **argv = calloc(FIRST + options->taken_count + 1, sizeof(*argv));
	char lines[40];
	int count = 0, error = ENOMEM;

	if (argv) {
		argv[count++] = strdup(NAME);
		argv[count++] = strdup("--follow");
		if (options->select.limited) {
			snprintf(lines, sizeof(lines), "--lines=%" PRIu64, options->select.limit);
			argv[count++] = strdup(lines);
		}
		argv[count++] = strdup("--");
		argv[count++] = strdup("tail");
		argv[count++] = strdup(options->follow);
		if (add_words(options, argv + count) == 0) {
			become(argv);
			error = errno;
		}
	}
	inputs_complain("--follow: " NAME, strerror(error));
	for (size_t i = 0; argv && argv[i]; i++)
		free(argv[i]);
	free(argv);
	return VIEW_UNREADABLE;
}
