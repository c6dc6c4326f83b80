/* SPDX-License-Identifier: MIT */
/* metrics_file.c - the file, by a worker, as its disk may be slow. No fsync: it is old in seconds.
 */
#include "recorder/metrics_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder/log.h"
#include "recorder/metrics.h"

struct writing {
	struct workers_job job;
	struct metrics_file *file; /* NULL: closed meanwhile */
	int dir_fd;
	char name[NAME_MAX + 1];
	char *text;
	size_t bytes;
	int err;
};

struct metrics_file {
	struct loop *loop;
	struct workers *workers;
	struct loop_timer timer;
	uint64_t interval_ms;
	loop_timer_fn due;
	void *context;
	int dir_fd;
	char name[NAME_MAX + 1];
	char path[PATH_MAX];
	struct writing *writing; /* with a worker */
	bool is_failing;	 /* said once, until it goes well again */
};

static void tick(void *context)
{
	struct metrics_file *file = context;

	loop_timer_set(file->loop, &file->timer, file->interval_ms, tick, file);
	file->due(file->context);
}

/* Hidden, and no .prom: nobody collects it. */
static void temporary_of(const char *name, char temporary[NAME_MAX + 1])
{
	snprintf(temporary, NAME_MAX + 1, ".%.200s.%d", name, (int)getpid());
}

static int write_all(int fd, const char *text, size_t bytes)
{
	while (bytes) {
		const ssize_t written = write(fd, text, bytes);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written ? -errno : -EIO;
		text += written;
		bytes -= (size_t)written;
	}
	return 0;
}

static int replace(const struct writing *writing)
{
	char temporary[NAME_MAX + 1];
	int fd, err;

	temporary_of(writing->name, temporary);
	unlinkat(writing->dir_fd, temporary, 0); /* of a killed recorder with our pid */
	fd = openat(writing->dir_fd, temporary,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	/* For the collector's user, whatever our umask is. */
	err = fchmod(fd, 0644) ? -errno : write_all(fd, writing->text, writing->bytes);
	if (close(fd) && !err)
		err = -errno;
	if (!err && renameat(writing->dir_fd, temporary, writing->dir_fd, writing->name))
		err = -errno;
	if (err)
		unlinkat(writing->dir_fd, temporary, 0);
	return err;
}

static void replace_in_worker(struct workers_job *job)
{
	struct writing *writing = (struct writing *)job;

	writing->err = replace(writing);
}

static void writing_free(struct writing *writing)
{
	free(writing->text);
	free(writing);
}

static void replaced(struct workers_job *job)
{
	struct writing *writing = (struct writing *)job;
	struct metrics_file *file = writing->file;

	if (!file) { /* closed meanwhile, and this came behind its last */
		unlinkat(writing->dir_fd, writing->name, 0);
		close(writing->dir_fd);
		writing_free(writing);
		return;
	}
	file->writing = NULL;
	if (writing->err && !file->is_failing)
		log_limited(LOG_LEVEL_ERROR, "%s: %s", file->path, strerror(-writing->err));
	file->is_failing = writing->err;
	writing_free(writing);
}

void metrics_file_write(struct metrics_file *file, char *text, size_t bytes)
{
	struct writing *writing = file->writing ? NULL : calloc(1, sizeof(*writing));

	if (!writing) {
		free(text);
		return;
	}
	writing->job = (struct workers_job){.run = replace_in_worker, .done = replaced};
	writing->file = file;
	writing->dir_fd = file->dir_fd;
	strcpy(writing->name, file->name);
	writing->text = text;
	writing->bytes = bytes;
	file->writing = writing;
	workers_submit(file->workers, &writing->job);
}

static int open_folder(struct metrics_file *file)
{
	char folder[PATH_MAX];
	char *slash;

	if (strlen(file->path) >= sizeof(folder))
		return -ENAMETOOLONG;
	strcpy(folder, file->path);
	slash = strrchr(folder, '/');
	if (strlen(slash ? slash + 1 : folder) > 200)
		return -ENAMETOOLONG;
	strcpy(file->name, slash ? slash + 1 : folder);
	if (!file->name[0])
		return -EISDIR;
	if (slash)
		slash[slash == folder] = '\0';
	file->dir_fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return file->dir_fd < 0 ? -errno : 0;
}

int metrics_file_open(struct metrics_file **ret_file, struct loop *loop, struct workers *workers,
		      const char *path, uint64_t interval_s, loop_timer_fn due, void *context)
{
	struct metrics_file *file = calloc(1, sizeof(*file));
	int err;

	if (!file)
		return -ENOMEM;
	file->loop = loop;
	file->workers = workers;
	file->interval_ms = (interval_s ? interval_s : METRICS_FILE_INTERVAL_S) * 1000;
	file->due = due;
	file->context = context;
	snprintf(file->path, sizeof(file->path), "%s", path);
	err = open_folder(file);
	if (err) {
		free(file);
		return err;
	}
	loop_timer_set(loop, &file->timer, 1, tick, file);
	*ret_file = file;
	return 0;
}

int metrics_file_folder_fd(const struct metrics_file *file)
{
	return file->dir_fd;
}

void metrics_file_close(struct metrics_file *file)
{
	if (!file)
		return;
	loop_timer_clear(&file->timer);
	unlinkat(file->dir_fd, file->name, 0);
	if (file->writing)
		file->writing->file = NULL; /* which has the folder now */
	else
		close(file->dir_fd);
	free(file);
}
