/* SPDX-License-Identifier: MIT */
#include "viewer/source_text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES_MAX 400 /* more of a line is for no screen */
#define TAB_COLUMNS 4

void source_text_init(struct source_text *source, const char *const *folders, size_t folder_count)
{
	*source = (struct source_text){.folders = folders, .folder_count = folder_count};
	out_init(&source->line, -1);
	out_init(&source->around, -1);
}

void source_text_fini(struct source_text *source)
{
	out_fini(&source->line);
	out_fini(&source->around);
}

/* ---- where it is ------------------------------------------------------------------------------
 */

/* To open some of these does something, and to read others takes for ever. */
static bool is_machine(const char *path)
{
	static const char *const folders[] = {"/proc/", "/sys/", "/dev/"};
	char real[PATH_MAX];

	if (!realpath(path, real))
		return true;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (strncmp(real, folders[i], strlen(folders[i])) == 0)
			return true;
	return false;
}

/* A descriptor, or -1. */
static int open_plain(const char *path, struct stat *ret_status)
{
	int fd;

	if (stat(path, ret_status) || !S_ISREG(ret_status->st_mode) || is_machine(path))
		return -1;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, ret_status) || !S_ISREG(ret_status->st_mode))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static const char *without_first(const char *path)
{
	const char *slash = strchr(path, '/');

	while (slash && *slash == '/')
		slash++;
	return slash;
}

static bool leads_out(const char *path)
{
	for (; path; path = without_first(path))
		if (strcmp(path, "..") == 0 || strncmp(path, "../", 3) == 0)
			return true;
	return false;
}

/* With as much of the path as there is below the folder, the longest first. */
static int open_below(const char *folder, const char *name, struct stat *ret_status)
{
	char path[2 * PATH_MAX];
	int fd = -1;

	while (*name == '/')
		name++;
	for (; name && *name && fd < 0; name = without_first(name)) {
		if (leads_out(name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, name);
		fd = open_plain(path, ret_status);
	}
	return fd;
}

static int open_source(const struct source_text *source, const struct site *site,
		       struct stat *ret_status)
{
	char name[PATH_MAX];
	int fd = -1;

	if (!site->file.bytes || site->file.bytes >= sizeof(name) ||
	    memchr(site->file.data, '\0', site->file.bytes))
		return -1;
	memcpy(name, site->file.data, site->file.bytes);
	name[site->file.bytes] = '\0';
	for (size_t i = 0; i < source->folder_count && fd < 0; i++)
		fd = open_below(source->folders[i], name, ret_status);
	return fd < 0 ? open_plain(name, ret_status) : fd;
}

/* ---- what is there ----------------------------------------------------------------------------
 */

static void put_code(struct out *out, struct span text)
{
	size_t from = 0;

	text.bytes = text.bytes < LINE_BYTES_MAX ? text.bytes : LINE_BYTES_MAX;
	if (text.bytes && text.data[text.bytes - 1] == '\r')
		text.bytes--;
	for (size_t i = 0; i <= text.bytes; i++) {
		if (i < text.bytes && text.data[i] != '\t')
			continue;
		out_escaped(out, (struct span){text.data + from, i - from}, 0);
		out_pad(out, ' ', i < text.bytes ? TAB_COLUMNS : 0);
		from = i + 1;
	}
}

static struct span trimmed(struct span text)
{
	while (text.bytes && (*text.data == ' ' || *text.data == '\t')) {
		text.data++;
		text.bytes--;
	}
	return text;
}

static void put_line(struct source_text *source, uint64_t number, struct span text)
{
	const bool own = number == source->site->line;

	if (own)
		put_code(&source->line, trimmed(text));
	out_printf(&source->around, " %c %6" PRIu64 "  ", own ? '>' : ' ', number);
	put_code(&source->around, text);
	out_char(&source->around, '\n');
}

/* False: the file has no such line. */
static bool put_lines(struct source_text *source, struct span text)
{
	const uint64_t line = source->site->line;
	uint64_t number = 1;
	bool found = false;

	for (size_t at = 0; at < text.bytes && number <= line + SOURCE_AROUND; number++) {
		const char *end = memchr(text.data + at, '\n', text.bytes - at);
		const size_t bytes = end ? (size_t)(end - (text.data + at)) : text.bytes - at;

		if (number + SOURCE_AROUND >= line)
			put_line(source, number, (struct span){text.data + at, bytes});
		found |= number == line;
		at += bytes + 1;
	}
	return found;
}

static size_t read_all(int fd, char *data, size_t bytes)
{
	size_t have = 0;
	ssize_t got = 1;

	while (have < bytes && got > 0) {
		got = read(fd, data + have, bytes - have);
		have += got > 0 ? (size_t)got : 0;
	}
	return have;
}

void source_text_find(struct source_text *source, const struct site *site)
{
	struct stat status;
	char *data;
	size_t bytes;
	int fd;

	if (source->site == site)
		return;
	source->site = site;
	source->line.bytes = source->around.bytes = 0;
	if (!site->line || site->line > SOURCE_BYTES_MAX)
		return;
	fd = open_source(source, site, &status);
	if (fd < 0)
		return;
	bytes = status.st_size < SOURCE_BYTES_MAX ? (size_t)status.st_size : SOURCE_BYTES_MAX;
	data = malloc(bytes + 1);
	if (data)
		bytes = read_all(fd, data, bytes);
	close(fd);
	source->changed_ns = status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec;
	if (!data || !put_lines(source, (struct span){data, bytes}))
		source->line.bytes = source->around.bytes = 0;
	free(data);
}
