/* SPDX-License-Identifier: MIT */
/* The arguments of how it is shown. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "viewer/columns.h"
#include "viewer/options.h"

enum option_result options_format(struct options *options, const char *argument)
{
	const struct format *format = format_find(argument);

	if (format) {
		options->format = format;
		options->json = strncmp(argument, "json", 4) == 0;
		return OPTION_TAKEN;
	}
	fprintf(stderr, "ttlog-view: --format takes");
	for (size_t i = 0; formats[i]; i++)
		fprintf(stderr, "%s%s",
			!i		 ? " "
			: formats[i + 1] ? ", "
					 : " or ",
			formats[i]->name);
	fprintf(stderr, ", not '%s'\n", argument);
	return OPTION_WRONG;
}

enum option_result options_time(struct options *options, const char *argument)
{
	options->time = time_mode_find(argument);
	if (options->time != TIME_COUNT)
		return OPTION_TAKEN;
	fprintf(stderr, "ttlog-view: --time takes");
	for (enum time_mode mode = TIME_CRASH; mode < TIME_COUNT; mode++)
		fprintf(stderr, "%s%s",
			mode == TIME_CRASH	? " "
			: mode + 1 < TIME_COUNT ? ", "
						: " or ",
			time_mode_name(mode));
	fprintf(stderr, ", not '%s'\n", argument);
	return OPTION_WRONG;
}

enum option_result options_fields(struct options *options, const char *argument)
{
	int error;

	columns_close(options->columns);
	options->columns = NULL;
	error = columns_parse(&options->columns, argument);
	if (error == -EINVAL)
		fprintf(stderr,
			"ttlog-view: --fields takes names with commas between them, %d at "
			"the most, not '%s'\n",
			COLUMNS_MAX, argument);
	else if (error)
		fprintf(stderr, "ttlog-view: out of memory\n");
	return error ? OPTION_WRONG : OPTION_TAKEN;
}

enum option_result options_output(struct options *options, const char *argument)
{
	options->output = strcmp(argument, "-") == 0 ? NULL : argument;
	return OPTION_TAKEN;
}

enum option_result options_source_dir(struct options *options, const char *argument)
{
	if (options->source_dir_count == SOURCE_FOLDERS_MAX) {
		fprintf(stderr, "ttlog-view: --source-dir may be given %d times\n",
			SOURCE_FOLDERS_MAX);
		return OPTION_WRONG;
	}
	options->source_dirs[options->source_dir_count++] = argument;
	options->interactive = true;
	return OPTION_TAKEN;
}

bool options_show_agree(struct options *options)
{
	const unsigned int flags = options->info ? 0 : options->format->flags;

	if (flags & FORMAT_ABSENT) {
		fprintf(stderr, "ttlog-view: --format %s: this ttlog-view was built without it\n",
			options->format->name);
		return false;
	}
	if ((flags & (FORMAT_FILE | FORMAT_FOLDER)) && !options->output) {
		fprintf(stderr, "ttlog-view: --format %s writes a %s: name it with --output\n",
			options->format->name, flags & FORMAT_FILE ? "file" : "folder");
		return false;
	}
	if ((flags & FORMAT_BINARY) && !options->output && isatty(STDOUT_FILENO)) {
		fprintf(stderr,
			"ttlog-view: --format %s is not for a terminal: use --output, or "
			"a pipe\n",
			options->format->name);
		return false;
	}
	/* A stream of CTF goes forwards, whatever is asked for. */
	if (flags & FORMAT_FOLDER)
		options->select.reverse = false;
	if (options->output) {
		options->colour = options->colour_said;
		options->width = 0;
	}
	return true;
}

unsigned int options_width(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

bool options_colour_wanted(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
	       !(term && strcmp(term, "dumb") == 0);
}

enum option_result options_color(struct options *options, const char *argument)
{
	if (strcmp(argument, "always") == 0)
		options->colour = true;
	else if (strcmp(argument, "never") == 0)
		options->colour = false;
	else if (strcmp(argument, "auto") == 0)
		options->colour = options_colour_wanted();
	else {
		fprintf(stderr, "ttlog-view: --color takes auto, always or never, not '%s'\n",
			argument);
		return OPTION_WRONG;
	}
	options->colour_said = strcmp(argument, "always") == 0;
	return OPTION_TAKEN;
}
