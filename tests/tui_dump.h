/* SPDX-License-Identifier: MIT */
/* tui_dump.h - what `made` holds as a dump that the interactive view can read where it likes. */
#ifndef TESTS_TUI_DUMP_H
#define TESTS_TUI_DUMP_H

#include "tests/made_dump.h"
#include "viewer/dump_reader.h"

#define TUI_DUMPS 8

static struct dump *tui_dumps[TUI_DUMPS];
static int tui_fds[TUI_DUMPS]; /* the files have no other name than /proc/self/fd/... */
static size_t tui_dump_count;

/* What dump_open() returned. */
static inline int tui_dump_bytes(const void *data, size_t bytes)
{
	int fd = memfd_create("tui", MFD_CLOEXEC), error;
	char path[64];
	const char *why;

	if (fd < 0 || (bytes && write(fd, data, bytes) != (ssize_t)bytes))
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	error = dump_open(&tui_dumps[tui_dump_count], path, &why);
	if (error)
		close(fd);
	else
		tui_fds[tui_dump_count++] = fd;
	return error;
}

static inline void tui_dump_made(void)
{
	size_t bytes;
	unsigned char *data = made_dump(&bytes);

	if (tui_dump_bytes(data, bytes))
		abort();
	free(data);
}

static inline void tui_dumps_close(void)
{
	while (tui_dump_count) {
		tui_dump_count--;
		dump_close(tui_dumps[tui_dump_count]);
		close(tui_fds[tui_dump_count]);
	}
	free(made.event);
	made.event = NULL;
}

#endif
