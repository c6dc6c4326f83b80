/* SPDX-License-Identifier: MIT */
#include "viewer/batches.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "viewer/frame_at.h"
#include "viewer/frames.h"

#define OTHERS_MAX (DUMP_SCENE_THREADS_MAX + 1024u)

void batches_fini(struct batches *batches)
{
	free(batches->list);
	*batches = (struct batches){0};
}

static int add(struct batches *batches, const struct batch_place *place)
{
	size_t capacity = batches->capacity ? 2 * batches->capacity : 256;
	struct batch_place *list, *last;

	if (batches->count == BATCHES_MAX) {
		batches->cut = true;
		return 0;
	}
	if (batches->count == batches->capacity) {
		list = reallocarray(batches->list, capacity, sizeof(*list));
		if (!list)
			return -ENOMEM;
		batches->list = list;
		batches->capacity = capacity;
	}
	last = batches->count ? &batches->list[batches->count - 1] : NULL;
	batches->list[batches->count] = *place;
	batches->list[batches->count].first = batches->events;
	batches->list[batches->count].floor_ns = INT64_MIN;
	if (last) {
		int64_t floor = last->first_ns > last->last_ns ? last->first_ns : last->last_ns;

		batches->list[batches->count].floor_ns = floor > last->floor_ns ? floor
										: last->floor_ns;
	}
	batches->count++;
	batches->events += place->events;
	return 0;
}

size_t batches_find(const struct batches *batches, uint64_t number)
{
	size_t low = 0, high = batches->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (batches->list[middle].first <= number)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* ---- by the index -----------------------------------------------------------------------------
 */

/* 1, 0: there is none to be used, or a negative errno. */
static int read_index(struct batches *batches, int fd)
{
	struct dump_extent *extents;
	size_t count;
	int error = dump_index_read(fd, &extents, &count);

	if (error)
		return error == -ENOMEM ? error : 0;
	if (count > BATCHES_MAX)
		error = -EBADMSG;
	for (size_t i = 0; i < count && !error; i++) {
		const struct batch_place place = {.offset = extents[i].offset,
						  .events = (uint32_t)extents[i].events,
						  .first_ns = extents[i].first_ns,
						  .last_ns = extents[i].last_ns};

		error = extents[i].events > BATCH_EVENTS_MAX ? -EBADMSG : add(batches, &place);
	}
	free(extents);
	if (error == -EBADMSG)
		return 0;
	return error ? error : 1;
}

/* ---- the frames that are no batches -----------------------------------------------------------
 */

static int take_other(struct dump *dump, struct frame_reader *reader, uint64_t offset)
{
	unsigned char *content;
	size_t bytes;
	int error = frame_read(reader, offset, DUMP_FRAME_BYTES_MAX, &content, &bytes);

	if (error)
		return error;
	error = dump_take(dump, content, bytes);
	free(content);
	return error;
}

static int take_others(struct dump *dump, int fd, const uint64_t *offsets, size_t count)
{
	struct frame_reader *reader;
	int error = count ? frame_reader_open(&reader, fd) : 0;

	if (!count || error)
		return error;
	for (size_t i = 0; i < count && !error; i++) {
		error = take_other(dump, reader, offsets[i]);
		/* One that makes no sense says nothing of the others. */
		if (error == -EBADMSG)
			error = 0;
	}
	frame_reader_close(reader);
	return error;
}

/* Does each frame end where the next begins, from the first to the last? 1, 0, or -errno. */
static int walk(struct batches *batches, struct dump *dump, int fd, uint64_t file_bytes)
{
	uint64_t at = 0, end = 0, others[OTHERS_MAX];
	size_t next = 0, other_count = 0;
	struct frame_window window = {0};
	uint32_t magic;
	int error;

	while (at < file_bytes) {
		bool listed = next < batches->count && batches->list[next].offset == at;

		error = frame_measure(fd, &window, at, &magic, &end);
		if (error)
			return error == -EBADMSG ? 0 : error;
		if (listed && magic != FRAMES_DATA_MAGIC)
			return 0;
		if (!listed && magic == FRAMES_DATA_MAGIC && next) {
			if (other_count == OTHERS_MAX)
				return 0;
			others[other_count++] = at;
		}
		next += listed;
		at = end;
	}
	if (at != file_bytes || next != batches->count)
		return 0;
	error = take_others(dump, fd, others, other_count);
	return error ? error : 1;
}

/* ---- without it -------------------------------------------------------------------------------
 */

/* 0: taken, or no batch. */
static int take_frame(struct batches *batches, struct dump *dump, const struct frame *frame)
{
	struct batch_place place = {.offset = frame->offset};
	struct dump_batch batch;
	struct event event;
	int error = dump_batch_begin(&batch, frame->content, frame->bytes);

	/* What comes before the first batch, the dump has. */
	if (error && batches->count)
		error = dump_take(dump, frame->content, frame->bytes);
	if (error)
		return error == -EBADMSG ? 0 : error;
	if (frame->bytes > BATCH_BYTES_MAX) {
		batches->cut = true;
		return 0;
	}
	while (place.events < BATCH_EVENTS_MAX && dump_batch_next(dump, &batch, &event)) {
		if (!place.events++)
			place.first_ns = event.time_ns;
		place.last_ns = event.time_ns;
	}
	return place.events ? add(batches, &place) : 0;
}

static int read_all(struct batches *batches, struct dump *dump, int fd)
{
	struct frames *frames;
	struct frame frame;
	int own = dup(fd), got, error;

	if (own < 0)
		return -errno;
	if (lseek(own, 0, SEEK_SET) < 0) {
		error = -errno;
		close(own);
		return error;
	}
	error = frames_open(&frames, own);
	if (error)
		return error;
	while (!error && (got = frames_next(frames, &frame)) != 0) {
		if (got < 0)
			error = got;
		else if (frame.magic == FRAMES_DATA_MAGIC)
			error = take_frame(batches, dump, &frame);
	}
	frames_close(frames);
	return error;
}

int batches_open(struct batches *batches, struct dump *dump, int fd)
{
	struct stat stat;
	int got;

	*batches = (struct batches){0};
	if (fstat(fd, &stat) < 0)
		return -errno;
	got = read_index(batches, fd);
	if (got > 0)
		got = walk(batches, dump, fd, (uint64_t)stat.st_size);
	if (got > 0) {
		batches->indexed = true;
		return 0;
	}
	batches_fini(batches);
	if (!got)
		got = read_all(batches, dump, fd);
	if (got)
		batches_fini(batches);
	return got;
}
