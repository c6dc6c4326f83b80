/* SPDX-License-Identifier: MIT */
/*
 * The dump file, frame after frame. Each frame is encoded into one buffer, compressed into another
 * and written with one write(); a recorder that is killed in between leaves whole frames.
 */
#include "recorder/dump_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder/dump_channels.h"
#include "recorder/dump_format.h"
#include "recorder/dump_frame.h"
#include "recorder/dump_meta.h"
#include "recorder/dump_scene.h"
#include "recorder/dump_site.h"
#include "recorder/dump_value.h"
#include "recorder/pack.h"

/* In front of the items of a map, whose head is known only when they are all there. */
#define HEAD_ROOM 64

struct mark {
	uint64_t offset, seq, events;
	int64_t first_ns, last_ns;
};

struct writer {
	int fd;
	struct ttlog_reader *reader;
	const struct dump_facts *facts;
	struct pack body, side;
	struct dump_frame frame;
	uint64_t offset; /* from the start of the dump */
	struct mark *marks;
	size_t mark_count, mark_capacity;
	struct mark batch; /* the one that is being filled */
	struct ttlog_clock_line line;
	uint64_t last_ticks;
	uint32_t *channel_numbers;
	bool scene_written;
	uint64_t *newest; /* ticks of each thread in each lane, with a sparse clock */
};

static int write_all(struct writer *writer, const void *data, size_t bytes)
{
	const unsigned char *from = data;
	ssize_t done;

	if (writer->facts->room) {
		const int error = writer->facts->room(writer->facts->room_context, bytes);

		if (error)
			return error;
	}
	while (bytes) {
		done = write(writer->fd, from, bytes);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		if (done == 0)
			return -EIO;
		from += done;
		bytes -= (size_t)done;
		writer->offset += (uint64_t)done;
	}
	return 0;
}

static int write_frame(struct writer *writer, const void *data, size_t bytes)
{
	size_t compressed;
	const int error = dump_frame_make(&writer->frame, data, bytes, &compressed);

	return error ? error : write_all(writer, writer->frame.data, compressed);
}

/* A frame that every LZ4 reader skips, around what is in the body behind HEAD_ROOM. */
static int write_skippable(struct writer *writer, uint32_t lz4_magic, const char *magic)
{
	unsigned char *start = writer->body.data + HEAD_ROOM - DUMP_SKIPPABLE_BYTES;
	const size_t bytes = writer->body.bytes - HEAD_ROOM;

	if (writer->body.error)
		return writer->body.error;
	dump_frame_skippable(start, lz4_magic, magic, bytes);
	return write_all(writer, start, bytes + DUMP_SKIPPABLE_BYTES);
}

/* Writes head, then the items in the body behind HEAD_ROOM, as one frame. */
static int write_headed(struct writer *writer, const struct pack *head)
{
	unsigned char *start = writer->body.data + HEAD_ROOM - head->bytes;

	if (writer->body.error)
		return writer->body.error;
	memcpy(start, head->data, head->bytes);
	return write_frame(writer, start, writer->body.bytes - HEAD_ROOM + head->bytes);
}

static int write_body(struct writer *writer)
{
	if (writer->body.error)
		return writer->body.error;
	return write_frame(writer, writer->body.data, writer->body.bytes);
}

/* ---- head, metadata, scene -------------------------------------------------------------------- */

static int write_head(struct writer *writer)
{
	struct ttlog_reader_totals totals;

	ttlog_reader_totals(writer->reader, &totals);
	writer->body.bytes = HEAD_ROOM;
	dump_meta_summary(&writer->body, writer->facts, totals.events);
	return write_skippable(writer, DUMP_SKIPPABLE_HEAD, DUMP_MAGIC_HEAD);
}

static int write_meta(struct writer *writer)
{
	writer->body.bytes = 0;
	dump_meta_encode(&writer->body, writer->reader, writer->facts);
	return write_body(writer);
}

/* As soon as it is known: who unwinds it has been at it since before the first event was encoded. */
static int write_scene_if_ready(struct writer *writer, bool waits)
{
	const struct dump_facts *facts = writer->facts;
	const struct scene *scene = facts->scene;
	int error;

	if (!scene || writer->scene_written ||
	    (facts->scene_ready && !facts->scene_ready(facts->scene_context, waits)))
		return 0;
	writer->scene_written = true;
	writer->body.bytes = 0;
	dump_scene_encode(&writer->body, scene);
	error = write_body(writer);
	for (unsigned int i = 0; i < scene->thread_count && !error; i++) {
		writer->body.bytes = 0;
		dump_scene_encode_thread(&writer->body, &scene->threads[i]);
		error = write_body(writer);
	}
	return error;
}

static int write_scene(struct writer *writer)
{
	return write_scene_if_ready(writer, false);
}

static int write_late_scene(struct writer *writer)
{
	return write_scene_if_ready(writer, true);
}

/* ---- dictionary ------------------------------------------------------------------------------- */

/* Sites are in the body behind HEAD_ROOM, strings in the side buffer. */
static int dictionary_flush(struct writer *writer, size_t sites, size_t strings)
{
	unsigned char room[HEAD_ROOM];
	struct pack head = {.data = room, .capacity = sizeof(room), .limit = sizeof(room)};
	unsigned char *to;
	int error;

	pack_map(&head, 2);
	pack_string(&head, "sites", 5);
	pack_map(&head, sites);
	pack_string(&writer->body, "strings", 7);
	pack_map(&writer->body, strings);
	to = pack_room(&writer->body, writer->side.bytes);
	if (!to || writer->side.error)
		return to ? writer->side.error : writer->body.error;
	memcpy(to, writer->side.data, writer->side.bytes);
	writer->body.bytes += writer->side.bytes;
	error = write_headed(writer, &head);
	writer->body.bytes = HEAD_ROOM;
	writer->side.bytes = 0;
	return error;
}

static int write_dictionary(struct writer *writer)
{
	uint32_t limit = ttlog_reader_id_limit(writer->reader);
	size_t sites = 0, strings = 0;
	int error;

	writer->body.bytes = HEAD_ROOM;
	for (uint32_t id = 1; id < limit; id++) {
		const struct ttlog_reader_site *site = ttlog_reader_site(writer->reader, id);
		const char *string = site ? NULL : ttlog_reader_string(writer->reader, id);

		if (site) {
			sites++;
			dump_site_put(&writer->body, site);
		} else if (string) {
			strings++;
			pack_uint(&writer->side, id);
			pack_string(&writer->side, string, strlen(string));
		}
		if (writer->body.bytes + writer->side.bytes >= DUMP_BATCH_BYTES) {
			error = dictionary_flush(writer, sites, strings);
			if (error)
				return error;
			sites = strings = 0;
		}
	}
	return dictionary_flush(writer, sites, strings);
}

/* ---- events ----------------------------------------------------------------------------------- */

static int mark_add(struct writer *writer)
{
	size_t capacity = writer->mark_capacity ? writer->mark_capacity * 2 : 64;
	struct mark *marks;

	if (writer->mark_count == writer->mark_capacity) {
		marks = reallocarray(writer->marks, capacity, sizeof(*marks));
		if (!marks)
			return -ENOMEM;
		writer->marks = marks;
		writer->mark_capacity = capacity;
	}
	writer->marks[writer->mark_count++] = writer->batch;
	return 0;
}

static int batch_flush(struct writer *writer)
{
	unsigned char room[HEAD_ROOM];
	struct pack head = {.data = room, .capacity = sizeof(room), .limit = sizeof(room)};
	int error;

	if (!writer->batch.events)
		return 0;
	pack_map(&head, 2);
	pack_string(&head, "seq", 3);
	pack_uint(&head, writer->batch.seq);
	pack_string(&head, "events", 6);
	pack_array(&head, writer->batch.events);
	writer->batch.offset = writer->offset;
	error = write_headed(writer, &head);
	if (!error)
		error = mark_add(writer);
	writer->batch.seq += writer->batch.events;
	writer->batch.events = 0;
	if (!error)
		error = write_scene_if_ready(writer, false);
	writer->body.bytes = HEAD_ROOM;
	return error;
}

/* In which a thread writes to a chunk of its own; elsewhere every event reads the clock. */
static bool may_carry(uint32_t lane)
{
	return lane == TTLOG_LANE_MAIN || lane == TTLOG_LANE_BOOT || lane == TTLOG_LANE_AFTERLIFE;
}

/*
 * Has the event no reading of its own? With a sparse clock it then has the ticks of the one before
 * it; a coarse one may have moved on meanwhile, so that nothing can be told apart.
 */
static bool is_carried(struct writer *writer, const struct ttlog_reader_event *event)
{
	uint64_t *newest;
	bool carried;

	if (!may_carry(event->lane))
		return false;
	if (!writer->newest)
		return writer->facts->clock_mode == TTLOG_CLOCK_COARSE;
	newest = &writer->newest[(size_t)event->thread * ttlog_reader_lane_count(writer->reader) +
				 event->lane];
	carried = *newest == event->ticks;
	*newest = event->ticks;
	return carried;
}

static void batch_add(struct writer *writer, const struct ttlog_reader_event *event)
{
	struct pack *body = &writer->body;
	uint64_t flags = event->flags & TTLOG_EVENT_TRUNCATED ? DUMP_EVENT_TRUNCATED : 0;
	int64_t ns;

	if (event->ticks > writer->last_ticks)
		writer->last_ticks = event->ticks;
	ns = ttlog_clock_realtime_ns(&writer->line, writer->last_ticks);
	if (is_carried(writer, event))
		flags |= DUMP_EVENT_CARRIED;
	if (event->channel != TTLOG_READER_NO_CHANNEL)
		flags |= DUMP_EVENT_CHANNEL;
	writer->batch.last_ns = ns;
	if (!writer->batch.events++)
		writer->batch.first_ns = ns;
	pack_array(body, DUMP_EVENT_FIXED + (flags & DUMP_EVENT_CHANNEL ? 1 : 0) +
				 event->value_count);
	pack_int(body, ns);
	pack_uint(body, event->thread);
	pack_uint(body, event->lane);
	pack_uint(body, flags);
	pack_uint(body, event->site);
	if (flags & DUMP_EVENT_CHANNEL)
		pack_uint(body, writer->channel_numbers[event->channel]);
	for (uint32_t i = 0; i < event->value_count; i++)
		dump_value_put(body, &event->value[i]);
}

static int write_events(struct writer *writer)
{
	struct ttlog_reader_event event;
	int error, more;

	writer->body.bytes = HEAD_ROOM;
	writer->channel_numbers = dump_channels_number(writer->reader);
	if (!writer->channel_numbers)
		return -ENOMEM;
	if (writer->facts->clock_mode == TTLOG_CLOCK_SPARSE) {
		writer->newest = calloc((size_t)ttlog_reader_thread_count(writer->reader) + 1,
					ttlog_reader_lane_count(writer->reader) *
						sizeof(*writer->newest));
		if (!writer->newest)
			return -ENOMEM;
	}
	ttlog_reader_rewind(writer->reader);
	while ((more = ttlog_reader_next(writer->reader, &event)) > 0) {
		batch_add(writer, &event);
		if (writer->batch.events < DUMP_BATCH_EVENTS && writer->body.bytes < DUMP_BATCH_BYTES)
			continue;
		error = batch_flush(writer);
		if (error)
			return error;
	}
	return more < 0 ? more : batch_flush(writer);
}

static int write_index(struct writer *writer)
{
	struct pack *body = &writer->body;

	body->bytes = HEAD_ROOM;
	pack_map(body, 2);
	pack_string(body, "batches", 7);
	pack_array(body, writer->mark_count);
	for (size_t i = 0; i < writer->mark_count; i++) {
		pack_array(body, 5);
		pack_uint(body, writer->marks[i].offset);
		pack_uint(body, writer->marks[i].seq);
		pack_uint(body, writer->marks[i].events);
		pack_int(body, writer->marks[i].first_ns);
		pack_int(body, writer->marks[i].last_ns);
	}
	pack_string(body, "events", 6);
	pack_uint(body, writer->batch.seq);
	return write_skippable(writer, DUMP_SKIPPABLE_INDEX, DUMP_MAGIC_INDEX);
}

int dump_write(int fd, struct ttlog_reader *reader, const struct dump_facts *facts)
{
	static int (*const parts[])(struct writer *) = {
		write_head,   write_meta,	write_scene, write_dictionary,
		write_events, write_late_scene, write_index,
	};
	struct writer writer = {
		.fd = fd,
		.reader = reader,
		.facts = facts,
		.line = timeline_line(facts->timeline, facts->clock_source),
	};
	int error;

	error = pack_init(&writer.body, 2 * DUMP_BATCH_BYTES, DUMP_FRAME_BYTES_MAX);
	if (error)
		return error;
	error = pack_init(&writer.side, 4096, DUMP_FRAME_BYTES_MAX);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && !error; i++)
		error = parts[i](&writer);
	pack_fini(&writer.body);
	pack_fini(&writer.side);
	dump_frame_fini(&writer.frame);
	free(writer.marks);
	free(writer.newest);
	free(writer.channel_numbers);
	return error;
}

int dump_write_signature(int fd, const char *signature)
{
	ssize_t done;

	do
		done = pwrite(fd, signature, DUMP_SIGNATURE_DIGITS, DUMP_SIGNATURE_OFFSET);
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return -errno;
	return done == DUMP_SIGNATURE_DIGITS ? 0 : -EIO;
}
