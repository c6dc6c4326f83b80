/* SPDX-License-Identifier: MIT */
#include "viewer/interactive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "viewer/tui.h"
#include "viewer/tui_terminal.h"

#define COPY_BYTES (64u << 10)

static int open_nameless(void)
{
	const char *folder = getenv("TMPDIR");
	char path[] = "/tmp/ttlog-view.XXXXXX";
	int fd = open(folder && *folder == '/' ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC,
		      0600);

	if (fd >= 0)
		return fd;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

static int copy_all(int from, int to)
{
	static char buffer[COPY_BYTES];
	ssize_t got, done;

	while ((got = read(from, buffer, sizeof(buffer))) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		for (ssize_t at = 0; at < got; at += done) {
			done = write(to, buffer + at, (size_t)(got - at));
			if (done < 0 && errno != EINTR)
				return -errno;
			done = done < 0 ? 0 : done;
		}
	}
	return lseek(to, 0, SEEK_SET) < 0 ? -errno : 0;
}

int interactive_prepare(struct options *options)
{
	static char path[32];
	int fd, error;

	for (size_t i = 0; i < options->path_count; i++) {
		if (strcmp(options->paths[i], "-") != 0)
			continue;
		if (!path[0]) {
			fd = open_nameless();
			if (fd < 0)
				return fd;
			error = copy_all(STDIN_FILENO, fd);
			if (error) {
				close(fd);
				return error;
			}
			snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		}
		options->paths[i] = path;
	}
	return 0;
}

bool interactive_run(struct options *options, struct dump *const *dumps, size_t count,
		     int *ret_error)
{
	const struct tui_setup setup = {
		.dumps = dumps,
		.dump_count = count,
		.selection = &options->select,
		.columns = options->columns,
		.time = options->time,
		.source_folders = options->source_dirs,
		.source_folder_count = options->source_dir_count,
	};

	*ret_error = tui_run(&setup, options->colour);
	if (*ret_error == -ENOSYS)
		fprintf(stderr, "ttlog-view: this one was built without ncurses: no --interactive, "
				"but text\n");
	else if (*ret_error == -ENOTTY)
		fprintf(stderr, "ttlog-view: no terminal that can do --interactive: text\n");
	else
		return true;
	*ret_error = 0;
	return false;
}
