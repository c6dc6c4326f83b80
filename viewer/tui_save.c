/* SPDX-License-Identifier: MIT */
#include "viewer/tui_save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SAVE_ITEMS 256 /* between two looks at the clock */

static const struct format *format_of(const char *path)
{
	const char *end = strrchr(path, '.');
	const struct format *format = end ? format_find(end + 1) : NULL;

	if (!format || format->flags & (FORMAT_FILE | FORMAT_FOLDER))
		format = formats[0];
	return format;
}

static void release(struct tui_save *save)
{
	if (save->format)
		save->format->close(save->state);
	if (save->out.fd >= 0)
		close(save->out.fd);
	out_fini(&save->out);
	free(save->path);
	free(save->place);
	save->path = NULL;
	save->place = NULL;
	save->state = NULL;
	save->format = NULL;
	save->active = false;
}

int tui_save_begin(struct tui_save *save, const char *path, struct paged *paged,
		   const struct format_env *env)
{
	struct format_env own = *env;
	int fd, error;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	out_init(&save->out, fd);
	save->seen = save->events = 0;
	save->path = strdup(path);
	save->place = calloc(paged_sources(paged), sizeof(*save->place));
	save->format = format_of(path);
	save->state = NULL;
	own.out = &save->out;
	own.output = NULL;
	own.colour = false;
	own.width = 0;
	error = save->path && save->place ? save->format->open(&save->state, &own) : -ENOMEM;
	if (error) {
		unlink(path);
		save->format = save->state ? save->format : NULL;
		release(save);
		return error;
	}
	paged_start(paged, save->place);
	save->active = true;
	return 0;
}

void tui_save_cancel(struct tui_save *save)
{
	if (!save->active)
		return;
	unlink(save->path);
	release(save);
}

static bool is_late(int64_t until_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec >= until_ns;
}

static int write_some(struct tui_save *save, struct paged *paged, struct tui_filter *filter,
		      int64_t until_ns)
{
	struct paged_item item;
	int error = 0;

	for (uint64_t i = 1; !error && paged_next(paged, save->place, &item); i++) {
		save->seen++;
		if (!item.mark && tui_filter_match(filter, &item)) {
			save->record.event = item.event;
			save->record.decoded = false;
			error = save->format->event(save->state, &save->record);
			save->events++;
		}
		if (!error && save->out.error)
			error = save->out.error;
		if (!error && i % SAVE_ITEMS == 0 && is_late(until_ns))
			return 1;
	}
	return error;
}

int tui_save_work(struct tui_save *save, struct paged *paged, struct tui_filter *filter,
		  int64_t until_ns)
{
	int error = write_some(save, paged, filter, until_ns);

	if (error > 0)
		return error;
	if (!error)
		error = save->format->end(save->state, true);
	if (!error)
		error = out_flush(&save->out);
	if (error)
		tui_save_cancel(save);
	else
		release(save);
	return error;
}
