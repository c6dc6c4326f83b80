/* SPDX-License-Identifier: MIT */
/* announce_file.c - one job at a time writes the file that has waited longest. */
#include "recorder/announce_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder/announce_line.h"
#include "recorder/counters.h"
#include "recorder/log.h"

#define FILE_BYTES ANNOUNCE_LINE_BYTES

struct verdict_file {
	struct verdict_file *next;
	char name[NAME_MAX + 1];
	size_t bytes;
	bool dirty;
	char text[FILE_BYTES];
};

/* What the worker has: nothing of it is the loop's. */
struct writing {
	struct workers_job job;
	struct announce_files *files;
	int dir_fd;
	char name[NAME_MAX + 1];
	size_t bytes;
	char text[FILE_BYTES];
	int err;
};

struct announce_files {
	struct workers *workers;
	int dir_fd;
	char pattern[NAME_MAX + 1]; /* of the name */
	char folder[PATH_MAX];	    /* for messages; "" or with its slash */
	struct verdict_file *first; /* oldest first */
	unsigned int count;
	struct writing writing;
	bool is_writing, is_closing;
};

/* ---- names ------------------------------------------------------------------------------ */

int announce_file_check(const char *pattern)
{
	const char *slash = strrchr(pattern, '/');
	const char *name = slash ? slash + 1 : pattern;
	const char *percent = strchr(pattern, '%');

	if (!*name || strlen(name) > NAME_MAX || !strcmp(name, ".") || !strcmp(name, "..") ||
	    (percent && percent < name) || (slash && (size_t)(slash - pattern) >= PATH_MAX))
		return -EINVAL;
	for (; percent; percent = strchr(percent + 2, '%'))
		if (!percent[1] || !strchr("su%", percent[1]))
			return -EINVAL;
	return 0;
}

static bool is_plain(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.';
}

static void put(char name[NAME_MAX + 1], const char *text, bool made_plain)
{
	size_t bytes = strlen(name);

	for (; *text && bytes < NAME_MAX; text++)
		name[bytes++] = !made_plain || is_plain(*text) ? *text : '_';
	name[bytes] = '\0';
}

static void make_name(const char *pattern, const char *service, uid_t uid, char name[NAME_MAX + 1])
{
	char one[2] = "", number[16];

	name[0] = '\0';
	snprintf(number, sizeof(number), "%u", (unsigned int)uid);
	for (const char *at = pattern; *at; at++) {
		one[0] = *at;
		if (*at != '%')
			put(name, one, false);
		else if (*++at == 's')
			put(name, service, true);
		else if (*at == 'u')
			put(name, number, true);
		else
			put(name, "%", false);
	}
	/* "." and ".." are made of a service's dots. */
	if (pattern[0] != '.' && name[0] == '.')
		name[0] = '_';
}

/* ---- the worker's part ------------------------------------------------------------------ */

static int write_temporary(const struct writing *writing, const char *temporary)
{
	int fd, err = 0;

	unlinkat(writing->dir_fd, temporary, 0); /* of a killed recorder with our pid */
	fd = openat(writing->dir_fd, temporary,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	/* For kubelet's and the service's eyes, whatever our umask is. */
	if (fchmod(fd, 0644) ||
	    write(fd, writing->text, writing->bytes) != (ssize_t)writing->bytes || fdatasync(fd))
		err = errno ? -errno : -EIO;
	if (close(fd) && !err)
		err = -errno;
	return err;
}

static int replace(const struct writing *writing)
{
	char temporary[NAME_MAX + 1];
	int err;

	snprintf(temporary, sizeof(temporary), ".%.200s.%d", writing->name, (int)getpid());
	errno = 0;
	err = write_temporary(writing, temporary);
	if (!err && renameat(writing->dir_fd, temporary, writing->dir_fd, writing->name))
		err = -errno;
	if (err)
		unlinkat(writing->dir_fd, temporary, 0);
	return err;
}

static int write_over_fd(const struct writing *writing, int fd)
{
	char text[FILE_BYTES];
	struct stat status;
	size_t bytes = writing->bytes;

	if (fstat(fd, &status))
		return -errno;
	/* Neither a pipe nor another name of something that only we may write to. */
	if (!S_ISREG(status.st_mode) || status.st_nlink > 1)
		return -EINVAL;
	/* Empty lines go over what is longer: until it is cut nobody sees the rest of an old line. */
	memcpy(text, writing->text, bytes);
	while (bytes < sizeof(text) && (off_t)bytes < status.st_size)
		text[bytes++] = '\n';
	if (pwrite(fd, text, bytes, 0) != (ssize_t)bytes)
		return errno ? -errno : -EIO;
	return ftruncate(fd, (off_t)writing->bytes) ? -errno : 0;
}

/* A mount point can't be replaced, and a folder of somebody else's has no room for a new file. */
static int write_over(const struct writing *writing)
{
	const int fd = openat(writing->dir_fd, writing->name,
			      O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	errno = 0;
	err = write_over_fd(writing, fd);
	if (close(fd) && !err)
		err = -errno;
	return err;
}

static void run(struct workers_job *job)
{
	struct writing *writing = (struct writing *)job;

	writing->err = replace(writing);
	switch (writing->err) {
	case -EBUSY:
	case -EXDEV:
	case -EACCES:
	case -EPERM:
	case -EROFS:
		writing->err = write_over(writing);
	}
}

/* ---- the loop's part -------------------------------------------------------------------- */

static void submit(struct announce_files *files);

static void take_result(struct announce_files *files)
{
	const struct writing *writing = &files->writing;

	if (!writing->err)
		counters.verdicts[COUNTERS_VERDICT_FILE]++;
	else
		counters.verdicts_lost[COUNTERS_VERDICT_FILE]++;
	if (writing->err)
		log_limited(LOG_LEVEL_ERROR, "the verdict can't be written into %s%s: %s",
			    writing->files->folder, writing->name, strerror(-writing->err));
}

static void done(struct workers_job *job)
{
	struct announce_files *files = ((struct writing *)job)->files;

	files->is_writing = false;
	take_result(files);
	submit(files);
}

static bool take_dirty(struct announce_files *files)
{
	struct writing *writing = &files->writing;
	struct verdict_file *file = files->first;

	while (file && !file->dirty)
		file = file->next;
	if (!file)
		return false;
	file->dirty = false;
	writing->bytes = file->bytes;
	memcpy(writing->name, file->name, sizeof(writing->name));
	memcpy(writing->text, file->text, file->bytes);
	return true;
}

static void submit(struct announce_files *files)
{
	if (files->is_writing || files->is_closing || !take_dirty(files))
		return;
	files->is_writing = true;
	workers_submit(files->workers, &files->writing.job);
}

/* NULL: there are enough, or no memory. */
static struct verdict_file *file_of(struct announce_files *files, const char *name)
{
	struct verdict_file **at = &files->first;

	for (; *at; at = &(*at)->next)
		if (!strcmp((*at)->name, name))
			return *at;
	if (files->count == ANNOUNCE_FILES_MAX)
		return NULL;
	*at = calloc(1, sizeof(**at));
	if (!*at)
		return NULL;
	snprintf((*at)->name, sizeof((*at)->name), "%s", name);
	files->count++;
	return *at;
}

/* Whole lines go, oldest first. */
static void make_room(struct verdict_file *file, size_t bytes)
{
	const char *at = file->text;
	size_t left = file->bytes;

	while (left + bytes > sizeof(file->text)) {
		const char *end = memchr(at, '\n', left);

		left -= (size_t)(end + 1 - at);
		at = end + 1;
	}
	memmove(file->text, at, left);
	file->bytes = left;
}

void announce_files_add(struct announce_files *files, const char *service, uid_t uid,
			const char *line, size_t bytes)
{
	struct verdict_file *file;
	char name[NAME_MAX + 1];

	make_name(files->pattern, service, uid, name);
	file = file_of(files, name);
	if (!file) {
		counters.verdicts_lost[COUNTERS_VERDICT_FILE]++;
		log_limited(LOG_LEVEL_WARNING, "%s%s: no verdict is written: there are %u files",
			    files->folder, name, files->count);
		return;
	}
	make_room(file, bytes);
	memcpy(file->text + file->bytes, line, bytes);
	file->bytes += bytes;
	file->dirty = true;
	submit(files);
}

int announce_files_open(struct announce_files **ret_files, struct workers *workers,
			const char *pattern)
{
	const char *slash = strrchr(pattern, '/');
	struct announce_files *files = calloc(1, sizeof(*files));
	char folder[PATH_MAX] = ".";
	int err;

	if (!files)
		return -ENOMEM;
	if (slash)
		snprintf(folder, sizeof(folder), "%.*s",
			 slash == pattern ? 1 : (int)(slash - pattern), pattern);
	files->dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (files->dir_fd < 0) {
		err = -errno;
		free(files);
		return err;
	}
	snprintf(files->pattern, sizeof(files->pattern), "%s", slash ? slash + 1 : pattern);
	snprintf(files->folder, sizeof(files->folder), "%.*s",
		 slash ? (int)(slash + 1 - pattern) : 0, pattern);
	files->workers = workers;
	files->writing = (struct writing){
		.job = {.run = run, .done = done}, .files = files, .dir_fd = files->dir_fd};
	*ret_files = files;
	return 0;
}

int announce_files_folder_fd(const struct announce_files *files)
{
	return files ? files->dir_fd : -1;
}

void announce_files_wind_down(struct announce_files *files)
{
	if (files)
		files->is_closing = true;
}

void announce_files_close(struct announce_files *files)
{
	struct verdict_file *next;

	if (!files)
		return;
	while (take_dirty(files)) {
		run(&files->writing.job);
		take_result(files);
	}
	for (struct verdict_file *file = files->first; file; file = next) {
		next = file->next;
		free(file);
	}
	close(files->dir_fd);
	free(files);
}
