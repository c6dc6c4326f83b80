/* SPDX-License-Identifier: MIT */
/*
 * ctl_feed.c - events of a living region as a dump, dump_format.h, that goes on.
 *
 * An event is encoded when it is taken, but for its time: which comes first is known when a look is
 * over. A site, a string or a thread is written in front of the first batch that names it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "recorder/ctl_live.h"
#include "recorder/dump_cause.h"
#include "recorder/dump_frame.h"
#include "recorder/dump_meta.h"
#include "recorder/dump_site.h"
#include "recorder/dump_value.h"

#define PENDING_BYTES_MAX (UINT64_C(4) << 30)
#define PLACES (2 * DUMP_THREADS_MAX) /* of the table of threads */

struct item {
	uint64_t ticks, number; /* in the order of arrival */
	size_t at;
	uint32_t bytes, parts;
};

struct thread {
	struct ttlog_live_owner owner;
	uint64_t ticks; /* of its newest event of lane main */
};

struct ctl_feed {
	const struct ctl_region *region;
	int fd;
	struct pack rest, out, sites, strings;
	size_t site_count, string_count;
	struct item *item;
	size_t item_count, item_capacity;
	unsigned char *known; /* a bit an id: it was written */
	struct thread *thread;
	uint32_t thread_count, thread_capacity, threads_written;
	uint32_t place[PLACES]; /* index of a thread + 1 */
	struct dump_frame frame;
	uint64_t seq, last_ticks;
	int error;
};

/* ---- bytes ------------------------------------------------------------------------------ */

static int write_all(int fd, const unsigned char *from, size_t bytes)
{
	while (bytes) {
		const ssize_t done = write(fd, from, bytes);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -EIO;
		from += done;
		bytes -= (size_t)done;
	}
	return 0;
}

static int write_frame(struct ctl_feed *feed)
{
	size_t bytes;
	int err = feed->out.error;

	if (!err)
		err = dump_frame_make(&feed->frame, feed->out.data, feed->out.bytes, &bytes);
	return err ? err : write_all(feed->fd, feed->frame.data, bytes);
}

static void begin_skippable(struct ctl_feed *feed)
{
	feed->out.bytes = 0;
	if (pack_room(&feed->out, DUMP_SKIPPABLE_BYTES))
		feed->out.bytes = DUMP_SKIPPABLE_BYTES;
}

static int write_skippable(struct ctl_feed *feed, uint32_t lz4_magic, const char *magic)
{
	if (feed->out.error)
		return feed->out.error;
	dump_frame_skippable(feed->out.data, lz4_magic, magic,
			     feed->out.bytes - DUMP_SKIPPABLE_BYTES);
	return write_all(feed->fd, feed->out.data, feed->out.bytes);
}

static void append(struct pack *to, const struct pack *from)
{
	unsigned char *room = pack_room(to, from->bytes);

	if (room && from->bytes) {
		memcpy(room, from->data, from->bytes);
		to->bytes += from->bytes;
	}
}

/* ---- threads ---------------------------------------------------------------------------- */

/* Its index; one of no known name if there are too many. */
static uint32_t thread_of(struct ctl_feed *feed, const struct ttlog_live_owner *owner)
{
	uint32_t at = owner->tid * UINT32_C(2654435761) % PLACES;

	for (; feed->place[at]; at = (at + 1) % PLACES) {
		const struct thread *thread = &feed->thread[feed->place[at] - 1];

		if (!memcmp(&thread->owner, owner, sizeof(*owner)))
			return feed->place[at] - 1;
	}
	if (feed->thread_count == DUMP_THREADS_MAX)
		return DUMP_THREADS_MAX;
	if (feed->thread_count == feed->thread_capacity) {
		const uint32_t capacity = feed->thread_capacity ? 2 * feed->thread_capacity : 64;
		struct thread *grown = reallocarray(feed->thread, capacity, sizeof(*grown));

		if (!grown)
			return DUMP_THREADS_MAX;
		feed->thread = grown;
		feed->thread_capacity = capacity;
	}
	feed->thread[feed->thread_count] = (struct thread){.owner = *owner};
	feed->place[at] = ++feed->thread_count;
	return feed->thread_count - 1;
}

static void put_threads(struct ctl_feed *feed, struct pack_map *map)
{
	struct pack *out = &feed->out;

	pack_key(out, map, "threads");
	pack_array(out, feed->thread_count - feed->threads_written);
	for (; feed->threads_written < feed->thread_count; feed->threads_written++) {
		const struct ttlog_live_owner *owner = &feed->thread[feed->threads_written].owner;
		struct pack_map inner = pack_map_begin(out);

		pack_pair_uint(out, &inner, "tid", owner->tid);
		pack_key(out, &inner, "name");
		pack_string(out, owner->name, strnlen(owner->name, sizeof(owner->name)));
		pack_map_end(out, &inner);
	}
}

/* ---- what is taken ---------------------------------------------------------------------- */

/* Was it written, or will be before the next batch? From now on it was. */
static bool was_known(struct ctl_feed *feed, uint32_t id)
{
	const unsigned char bit = (unsigned char)(1u << id % 8);
	bool known;

	if (id >= DUMP_IDS_MAX)
		return true;
	known = feed->known[id / 8] & bit;
	feed->known[id / 8] |= bit;
	return known;
}

static void take_names(struct ctl_feed *feed, const struct ttlog_live *live,
		       const struct ttlog_reader_site *site, const struct ttlog_reader_event *event)
{
	if (!was_known(feed, site->id)) {
		dump_site_put(&feed->sites, site);
		feed->site_count++;
	}
	for (uint32_t i = 0; i < event->value_count; i++) {
		const uint32_t id = (uint32_t)event->value[i].bits;
		const char *string;

		if (event->value[i].type != TTLOG_TYPE_INTERNED)
			continue;
		string = ttlog_live_string(live, id);
		if (!string || was_known(feed, id))
			continue;
		pack_uint(&feed->strings, id);
		pack_string(&feed->strings, string, strlen(string));
		feed->string_count++;
	}
}

/* As dump_writer.c has it, of what a look can tell. */
static bool is_carried(struct ctl_feed *feed, const struct ttlog_reader_event *event,
		       uint32_t thread)
{
	const uint32_t mode = feed->region->geometry.clock_mode;
	bool carried;

	if (event->lane != TTLOG_LANE_MAIN || mode == TTLOG_CLOCK_EXACT)
		return false;
	if (mode == TTLOG_CLOCK_COARSE || thread >= feed->thread_count)
		return mode == TTLOG_CLOCK_COARSE;
	carried = feed->thread[thread].ticks == event->ticks;
	feed->thread[thread].ticks = event->ticks;
	return carried;
}

static struct item *new_item(struct ctl_feed *feed)
{
	if (feed->item_count == feed->item_capacity) {
		const size_t capacity = feed->item_capacity ? 2 * feed->item_capacity : 1024;
		struct item *grown = reallocarray(feed->item, capacity, sizeof(*grown));

		if (!grown)
			return NULL;
		feed->item = grown;
		feed->item_capacity = capacity;
	}
	return &feed->item[feed->item_count++];
}

void ctl_feed_take(struct ctl_feed *feed, const struct ttlog_live *live,
		   const struct ttlog_reader_site *site, const struct ttlog_reader_event *event)
{
	const uint32_t thread = thread_of(feed, ttlog_live_owner(live));
	uint64_t flags = event->flags & TTLOG_EVENT_TRUNCATED ? DUMP_EVENT_TRUNCATED : 0;
	struct item *item = new_item(feed);

	if (!item) {
		feed->error = -ENOMEM;
		return;
	}
	if (is_carried(feed, event, thread))
		flags |= DUMP_EVENT_CARRIED;
	*item = (struct item){.ticks = event->ticks,
			      .number = feed->item_count,
			      .at = feed->rest.bytes,
			      .parts = DUMP_EVENT_FIXED + event->value_count};
	take_names(feed, live, site, event);
	pack_uint(&feed->rest, thread);
	pack_uint(&feed->rest, event->lane);
	pack_uint(&feed->rest, flags);
	pack_uint(&feed->rest, event->site);
	for (uint32_t i = 0; i < event->value_count; i++)
		dump_value_put(&feed->rest, &event->value[i]);
	item->bytes = (uint32_t)(feed->rest.bytes - item->at);
}

uint64_t ctl_feed_waiting(const struct ctl_feed *feed)
{
	return feed->item_count;
}

/* ---- what is written -------------------------------------------------------------------- */

static struct dump_facts facts_of(const struct ctl_region *region)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (struct dump_facts){
		.service = region->service,
		.hostname = region->hostname,
		.reason = "tail",
		.pid = region->pid,
		.created_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec,
		.verdict = {.how = VERDICT_ALIVE},
		.process = {.uid = region->uid},
		.timeline = &region->timeline,
		.clock_source = region->clock_source,
		.clock_mode = region->geometry.clock_mode,
	};
}

static void put_lanes(struct pack *out, struct pack_map *map, uint32_t count)
{
	pack_key(out, map, "lanes");
	pack_array(out, count);
	for (uint32_t i = 0; i < count; i++) {
		struct pack_map inner = pack_map_begin(out);

		pack_pair_string(out, &inner, "name", ttlog_lane_name(i));
		pack_map_end(out, &inner);
	}
}

static int write_meta(struct ctl_feed *feed, const struct dump_facts *facts)
{
	struct pack *out = &feed->out;
	struct pack_map map;

	out->bytes = 0;
	map = pack_map_begin(out);
	pack_pair_uint(out, &map, "ttlog", DUMP_VERSION);
	pack_pair_string(out, &map, "service", facts->service);
	pack_pair_string(out, &map, "hostname", facts->hostname);
	pack_pair_uint(out, &map, "pid", facts->pid);
	pack_pair_string(out, &map, "reason", facts->reason);
	dump_cause_encode(out, &map, facts);
	put_lanes(out, &map, feed->region->geometry.lane_count);
	pack_map_end(out, &map);
	return write_frame(feed);
}

int ctl_feed_begin(struct ctl_feed *feed, int fd)
{
	const struct dump_facts facts = facts_of(feed->region);
	int err;

	feed->fd = fd;
	feed->seq = feed->last_ticks = 0;
	feed->threads_written = 0;
	begin_skippable(feed);
	dump_meta_summary(&feed->out, &facts, 0);
	err = write_skippable(feed, DUMP_SKIPPABLE_HEAD, DUMP_MAGIC_HEAD);
	return err ? err : write_meta(feed, &facts);
}

static int write_names(struct ctl_feed *feed)
{
	struct pack *out = &feed->out;
	struct pack_map map;
	int err = 0;

	if (feed->sites.error || feed->strings.error || feed->error)
		return feed->error ? feed->error : -ENOMEM;
	if (feed->threads_written < feed->thread_count) {
		out->bytes = 0;
		map = pack_map_begin(out);
		put_threads(feed, &map);
		pack_map_end(out, &map);
		err = write_frame(feed);
	}
	if (err || !(feed->site_count + feed->string_count))
		return err;
	out->bytes = 0;
	map = pack_map_begin(out);
	pack_key(out, &map, "sites");
	pack_map(out, feed->site_count);
	append(out, &feed->sites);
	pack_key(out, &map, "strings");
	pack_map(out, feed->string_count);
	append(out, &feed->strings);
	pack_map_end(out, &map);
	feed->sites.bytes = feed->strings.bytes = 0;
	feed->site_count = feed->string_count = 0;
	return write_frame(feed);
}

static int compare(const void *left, const void *right)
{
	const struct item *a = left, *b = right;

	if (a->ticks != b->ticks)
		return a->ticks < b->ticks ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

/* From the first on, as many as make a batch; the count of them. */
static size_t put_batch(struct ctl_feed *feed, size_t first)
{
	const struct ttlog_clock_line line = ctl_region_line(feed->region);
	struct pack *out = &feed->out;
	size_t end = first, bytes = 0;

	while (end < feed->item_count && end - first < DUMP_BATCH_EVENTS &&
	       bytes < DUMP_BATCH_BYTES)
		bytes += feed->item[end++].bytes;
	out->bytes = 0;
	pack_map(out, 2);
	pack_string(out, "seq", 3);
	pack_uint(out, feed->seq);
	pack_string(out, "events", 6);
	pack_array(out, end - first);
	for (size_t i = first; i < end; i++) {
		const struct item *item = &feed->item[i];
		const struct pack rest = {.data = feed->rest.data + item->at, .bytes = item->bytes};

		/* One that was begun before the last look and finished after it. */
		if (item->ticks > feed->last_ticks)
			feed->last_ticks = item->ticks;
		pack_array(out, item->parts);
		pack_int(out, ttlog_clock_realtime_ns(&line, feed->last_ticks));
		append(out, &rest);
	}
	return end - first;
}

int ctl_feed_flush(struct ctl_feed *feed)
{
	int err = write_names(feed);

	if (!err)
		err = feed->rest.error;
	if (feed->item_count)
		qsort(feed->item, feed->item_count, sizeof(*feed->item), compare);
	for (size_t i = 0; i < feed->item_count && !err;) {
		const size_t count = put_batch(feed, i);

		err = write_frame(feed);
		feed->seq += count;
		i += count;
	}
	feed->item_count = 0;
	feed->rest.bytes = 0;
	return err;
}

/* An index of nothing: all of it is there, and nobody can seek in a pipe. */
int ctl_feed_end(struct ctl_feed *feed)
{
	/* Who reads the next one knows nothing of what was written here. */
	memset(feed->known, 0, DUMP_IDS_MAX / 8);
	begin_skippable(feed);
	pack_map(&feed->out, 2);
	pack_string(&feed->out, "batches", 7);
	pack_array(&feed->out, 0);
	pack_string(&feed->out, "events", 6);
	pack_uint(&feed->out, feed->seq);
	return write_skippable(feed, DUMP_SKIPPABLE_INDEX, DUMP_MAGIC_INDEX);
}

/* ---- all of it -------------------------------------------------------------------------- */

int ctl_feed_open(struct ctl_feed **ret_feed, const struct ctl_region *region)
{
	struct ctl_feed *feed = calloc(1, sizeof(*feed));

	if (!feed)
		return -ENOMEM;
	feed->region = region;
	feed->fd = -1;
	feed->known = calloc(DUMP_IDS_MAX / 8, 1);
	if (!feed->known || pack_init(&feed->rest, 4096, PENDING_BYTES_MAX) ||
	    pack_init(&feed->out, 2 * DUMP_BATCH_BYTES, DUMP_FRAME_BYTES_MAX) ||
	    pack_init(&feed->sites, 4096, DUMP_FRAME_BYTES_MAX / 2) ||
	    pack_init(&feed->strings, 4096, DUMP_FRAME_BYTES_MAX / 4)) {
		ctl_feed_close(feed);
		return -ENOMEM;
	}
	*ret_feed = feed;
	return 0;
}

void ctl_feed_close(struct ctl_feed *feed)
{
	if (!feed)
		return;
	pack_fini(&feed->rest);
	pack_fini(&feed->out);
	pack_fini(&feed->sites);
	pack_fini(&feed->strings);
	dump_frame_fini(&feed->frame);
	free(feed->item);
	free(feed->known);
	free(feed->thread);
	free(feed);
}
