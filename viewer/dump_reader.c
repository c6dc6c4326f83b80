/* SPDX-License-Identifier: MIT */
#include "viewer/dump_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "viewer/frames.h"

struct dump {
	char *path;
	struct frames *frames;
	struct meta meta;
	unsigned char *meta_bytes, *summary_bytes; /* what the spans of meta point into */
	struct dictionary dictionary;
	struct meta_scene scene;
	struct dump_batch batch; /* what is left of the current one */
	uint64_t events_read;
	struct number index_events;
	struct dump_extent *extents;
	size_t extent_count;
	bool extents_read, ranged, ended; /* ended: all of the file was read, without ranges */
	uint64_t range_end; /* in a range, frames from here on are not read */
	int failure; /* a negative errno that ended the reading, 0 = none */
	bool head_missing, indexed, behind_index, odd; /* odd: a frame or batch made no sense */
};

static bool has_magic(const struct frame *frame, uint32_t lz4_magic, const char *magic)
{
	return frame->magic == lz4_magic && frame->bytes >= DUMP_PREFIX_BYTES &&
	       memcmp(frame->content, magic, DUMP_MAGIC_BYTES) == 0;
}

static unsigned char *duplicate(const void *data, size_t bytes)
{
	unsigned char *copy = malloc(bytes + 1);

	return copy && bytes ? memcpy(copy, data, bytes) : copy;
}

static const char *why(int error)
{
	switch (error) {
	case -EBADMSG:
		return "not a ttlog dump (bad magic)";
	case -EPROTONOSUPPORT:
		return "written by a newer ttlog: this viewer can't read its format";
	default:
		return strerror(-error);
	}
}

/* ---- frames -----------------------------------------------------------------------------------
 */

static int take_head(struct dump *dump, const struct frame *frame)
{
	const unsigned char *prefix = frame->content;
	size_t bytes = frame->bytes - DUMP_PREFIX_BYTES;

	if ((prefix[10] | prefix[11] << 8) > DUMP_VERSION)
		return -EPROTONOSUPPORT;
	if (dump->summary_bytes)
		return 0;
	dump->summary_bytes = duplicate(prefix + DUMP_PREFIX_BYTES, bytes);
	if (!dump->summary_bytes)
		return -ENOMEM;
	return meta_decode_summary(&dump->meta, dump->summary_bytes, bytes);
}

static int take_meta(struct dump *dump, const struct frame *frame)
{
	if (dump->meta_bytes)
		return -EBADMSG;
	dump->meta_bytes = duplicate(frame->content, frame->bytes);
	if (!dump->meta_bytes)
		return -ENOMEM;
	return meta_decode(&dump->meta, dump->meta_bytes, frame->bytes);
}

/* What a data frame holds shows in the first key of its map. */
static int take_data(struct dump *dump, const struct frame *frame)
{
	struct decode cursor = {frame->content, frame->content + frame->bytes};
	struct token map, key;

	if (decode_next(&cursor, &map) || map.kind != TOKEN_MAP || decode_next(&cursor, &key) ||
	    key.kind != TOKEN_TEXT)
		return -EBADMSG;
	if (span_is(key.span, "ttlog"))
		return take_meta(dump, frame);
	if (span_is(key.span, "threads"))
		return meta_add_threads(&dump->meta, frame->content, frame->bytes);
	if (span_is(key.span, "sites") || span_is(key.span, "strings"))
		return dictionary_add(&dump->dictionary, frame->content, frame->bytes);
	if (span_is(key.span, "scene") || span_is(key.span, "scene_thread"))
		return scene_add(&dump->scene, frame->content, frame->bytes);
	if (span_is(key.span, "seq"))
		return dump_batch_begin(&dump->batch, frame->content, frame->bytes);
	return 0;
}

static int take_index(struct dump *dump, const struct frame *frame)
{
	static const struct decode_key keys[] = {
		{"events", DECODE_NUMBER, 0, NULL, NULL},
		{NULL, DECODE_SPAN, 0, NULL, NULL},
	};
	struct decode cursor = {frame->content + DUMP_PREFIX_BYTES, frame->content + frame->bytes};
	int error = decode_map(&cursor, keys, &dump->index_events);

	if (error || cursor.at != cursor.end)
		return -EBADMSG;
	dump->indexed = true;
	return 0;
}

int dump_take(struct dump *dump, const unsigned char *content, size_t bytes)
{
	const struct frame frame = {.content = content, .bytes = bytes};
	struct dump_batch batch = dump->batch;
	int error = take_data(dump, &frame);

	dump->batch = batch;
	return error;
}

/*
 * Takes frames until there are events, or the file ends. 1, 0, or a negative errno. A frame that is
 * whole but makes no sense is damage: a skippable one may have swallowed others (its length has no
 * checksum), so the search starts again inside; a data frame has checksums and is stepped over.
 */
static int advance(struct dump *dump)
{
	struct frame frame;
	int got = 0, error;

	while (!(dump->ranged && frames_offset(dump->frames) >= dump->range_end) &&
	       (got = frames_next(dump->frames, &frame)) > 0) {
		/* What was damaged reached beyond the range. */
		if (dump->ranged && frame.offset >= dump->range_end)
			return 0;
		if (dump->indexed)
			dump->behind_index = true;
		if (frame.magic == FRAMES_DATA_MAGIC)
			error = take_data(dump, &frame);
		else if (has_magic(&frame, DUMP_SKIPPABLE_HEAD, DUMP_MAGIC_HEAD))
			error = take_head(dump, &frame);
		else if (has_magic(&frame, DUMP_SKIPPABLE_INDEX, DUMP_MAGIC_INDEX))
			error = take_index(dump, &frame);
		else if (frame.magic == DUMP_SKIPPABLE_HEAD || frame.magic == DUMP_SKIPPABLE_INDEX)
			error = -EBADMSG;
		else
			error = 0;
		if (error && error != -EBADMSG)
			return error;
		if (error && frame.magic == FRAMES_DATA_MAGIC)
			dump->odd = true;
		else if (error)
			frames_reject(dump->frames);
		if (dump->batch.left)
			return 1;
	}
	dump->ended = !got && !dump->ranged;
	return got < 0 ? got : 0;
}

size_t dump_extents(struct dump *dump, const struct dump_extent **ret_extents)
{
	const int fd = frames_descriptor(dump->frames);

	/* Without an index there are none, and reading forward says why. */
	if (!dump->extents_read && fd >= 0 &&
	    dump_index_read(fd, &dump->extents, &dump->extent_count))
		dump->extent_count = 0;
	dump->extents_read = true;
	*ret_extents = dump->extents;
	return dump->extent_count;
}

int dump_range(struct dump *dump, size_t from, size_t to)
{
	const bool some = from < to && from < dump->extent_count;

	dump->batch.left = 0;
	dump->ranged = true;
	dump->range_end = 0;
	if (!some)
		return 0;
	dump->range_end = to < dump->extent_count ? dump->extents[to].offset
						  : dump->extents[dump->extent_count - 1].offset + 1;
	return frames_seek(dump->frames, dump->extents[from].offset);
}

/* ---- events -----------------------------------------------------------------------------------
 */

bool dump_next(struct dump *dump, struct event *ret_event)
{
	int got;

	for (;;) {
		if (!dump->batch.left) {
			got = dump->failure ? 0 : advance(dump);
			if (got < 0)
				dump->failure = got;
			if (got <= 0)
				return false;
		}
		if (dump_batch_next(dump, &dump->batch, ret_event)) {
			dump->events_read++;
			return true;
		}
		dump->odd = true;
		dump->batch.left = 0;
	}
}

bool dump_next_unrefused(struct dump *dump, struct event *ret_event)
{
	dump->events_read += dump_batch_skip_refused(dump, &dump->batch);
	return dump_next(dump, ret_event);
}

/* ---- open and close ---------------------------------------------------------------------------
 */

static int dump_start(struct dump *dump, int fd)
{
	struct frame frame;
	int error, got;

	error = frames_open(&dump->frames, fd);
	if (error)
		return error;
	got = frames_next(dump->frames, &frame);
	if (got < 0)
		return got;
	if (got && has_magic(&frame, DUMP_SKIPPABLE_HEAD, DUMP_MAGIC_HEAD) && frame.offset == 0) {
		error = take_head(dump, &frame);
		if (error == -EBADMSG)
			frames_reject(dump->frames);
		else if (error)
			return error;
	} else if (got) {
		dump->head_missing = true;
		frames_reject(dump->frames);
	}
	got = advance(dump);
	/* Without the head, metadata of ours or events must be there to call it a dump. */
	if (got >= 0 && (!got || dump->head_missing) && !dump->summary_bytes &&
	    !dump->meta.format.known && !dump->batch.left)
		return -EBADMSG;
	return got < 0 ? got : 0;
}

/* Takes the descriptor over; a negative one is the errno of who could not get it. */
static int open_taken(struct dump **ret_dump, int fd, const char *path, const char **ret_why)
{
	struct dump *dump = calloc(1, sizeof(*dump));
	int error;

	if (!dump) {
		if (fd >= 0)
			close(fd);
		error = -ENOMEM;
		goto out;
	}
	dump->path = strdup(path);
	error = fd < 0 ? fd : dump_start(dump, fd);
	if (!dump->path)
		error = -ENOMEM;
	if (!error)
		*ret_dump = dump;
	else
		dump_close(dump);
out:
	if (error)
		*ret_why = why(error);
	return error;
}

int dump_open_descriptor(struct dump **ret_dump, int fd, const char **ret_why)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return open_taken(ret_dump, own < 0 ? -errno : own, "-", ret_why);
}

int dump_open(struct dump **ret_dump, const char *path, const char **ret_why)
{
	int fd;

	if (strcmp(path, "-") == 0)
		return dump_open_descriptor(ret_dump, STDIN_FILENO, ret_why);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return open_taken(ret_dump, fd < 0 ? -errno : fd, path, ret_why);
}

void dump_close(struct dump *dump)
{
	if (!dump)
		return;
	frames_close(dump->frames);
	dictionary_fini(&dump->dictionary);
	meta_fini(&dump->meta);
	scene_fini(&dump->scene);
	free(dump->extents);
	free(dump->meta_bytes);
	free(dump->summary_bytes);
	free(dump->path);
	free(dump);
}

void dump_on_wait(struct dump *dump, dump_wait_fn fn, void *context)
{
	frames_on_wait(dump->frames, fn, context);
}

const char *dump_path(const struct dump *dump)
{
	return strcmp(dump->path, "-") == 0 ? "standard input" : dump->path;
}

const struct meta *dump_meta(const struct dump *dump)
{
	return &dump->meta;
}

const struct meta_scene *dump_scene(const struct dump *dump)
{
	return &dump->scene;
}

struct dictionary *dump_dictionary(struct dump *dump)
{
	return &dump->dictionary;
}

int dump_failure(const struct dump *dump)
{
	return dump->failure;
}

uint64_t dump_events_read(const struct dump *dump)
{
	return dump->events_read;
}

bool dump_damage(const struct dump *dump, char *buffer, size_t bytes)
{
	const struct frames_damage *frames = frames_damage(dump->frames);
	struct number wanted = dump->indexed ? dump->index_events : dump->meta.events;
	bool cut = !dump->indexed && !frames->places && dump->ended;
	int length;

	if (!dump->ended && !frames->places && !dump->odd && !dump->failure)
		return false;
	if (!frames->places && dump->indexed && !dump->odd && !dump->failure &&
	    !dump->behind_index && !dump->head_missing && dump->meta.format.known &&
	    !(wanted.known && wanted.bits != dump->events_read))
		return false;
	if (dump->failure)
		length = snprintf(buffer, bytes, "%s", why(dump->failure));
	else if (cut)
		length = snprintf(buffer, bytes, "cut short");
	else if (frames->places)
		length = snprintf(buffer, bytes, "damaged at byte %" PRIu64, frames->first_offset);
	else
		length = snprintf(buffer, bytes, "damaged");
	if (length < 0 || (size_t)length >= bytes || !dump->ended)
		return true;
	if (wanted.known && wanted.bits >= dump->events_read)
		snprintf(buffer + length, bytes - (size_t)length,
			 ": %" PRIu64 " of %" PRIu64 " events could be read", dump->events_read,
			 wanted.bits);
	else
		snprintf(buffer + length, bytes - (size_t)length,
			 ": %" PRIu64 " events could be read", dump->events_read);
	return true;
}
