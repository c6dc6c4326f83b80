/* SPDX-License-Identifier: MIT */
/*
 * made_dump.h - dumps of whatever a test wants to see in one, without a region or a process.
 *
 * Takes the place of lib/reader.c in the program that includes it (once): the dump's writer asks these
 * functions, and gets what the test has put into `made`.
 */
#ifndef TESTS_MADE_DUMP_H
#define TESTS_MADE_DUMP_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "recorder/dump_format.h"
#include "recorder/dump_writer.h"

#define MADE_SITES 64
#define MADE_STRINGS_FROM 64 /* ids of strings start here */
#define MADE_STRINGS 4096
#define MADE_THREADS 8
#define MADE_LANES 7
#define MADE_CHANNELS 8
#define MADE_TIME_NS UINT64_C(1700000000000000000) /* 2023-11-14T22:13:20Z; ticks count from it */

/* What an event would be if the test does not say more. */
struct made_event {
	uint64_t ticks; /* nanoseconds */
	uint32_t site, thread, lane, flags;
	uint32_t channel; /* index + 1; 0 = none */
	uint32_t value_count;
	struct ttlog_reader_value value[TTLOG_FIELDS_MAX];
};

struct ttlog_reader {
	struct ttlog_reader_site site[MADE_SITES];
	uint32_t site_count; /* ids 1 to site_count */
	const char *string[MADE_STRINGS];
	uint32_t string_count;
	struct ttlog_reader_thread thread[MADE_THREADS];
	uint32_t thread_count;
	struct ttlog_reader_lane lane[MADE_LANES];
	struct ttlog_reader_channel channel[MADE_CHANNELS];
	uint32_t channel_count;
	struct ttlog_reader_channel_totals channel_totals;
	struct made_event *event;
	size_t event_count, event_capacity, event_next;
	/* With `generate`, that many events are made on the way. */
	size_t generate;
	void (*generator)(size_t index, struct ttlog_reader_event *event);
	struct ttlog_reader_totals totals;
	struct timeline timeline;
	struct dump_facts facts;
};

static struct ttlog_reader made;

/* ---- the reader ------------------------------------------------------------------------------- */

int ttlog_reader_next(struct ttlog_reader *reader, struct ttlog_reader_event *ret_event)
{
	const struct made_event *event;

	if (reader->generator) {
		if (reader->event_next == reader->generate)
			return 0;
		ret_event->channel = TTLOG_READER_NO_CHANNEL;
		reader->generator(reader->event_next++, ret_event);
		return 1;
	}
	if (reader->event_next == reader->event_count)
		return 0;
	event = &reader->event[reader->event_next++];
	*ret_event = (struct ttlog_reader_event){.ticks = event->ticks,
						 .site = event->site,
						 .flags = event->flags,
						 .lane = event->lane,
						 .thread = event->thread,
						 .channel = event->channel - 1,
						 .value_count = event->value_count};
	memcpy(ret_event->value, event->value, sizeof(event->value));
	return 1;
}

void ttlog_reader_rewind(struct ttlog_reader *reader)
{
	reader->event_next = 0;
}

const struct ttlog_reader_site *ttlog_reader_site(const struct ttlog_reader *reader, uint32_t id)
{
	return id >= 1 && id <= reader->site_count ? &reader->site[id - 1] : NULL;
}

const char *ttlog_reader_string(const struct ttlog_reader *reader, uint32_t id)
{
	if (id < MADE_STRINGS_FROM || id - MADE_STRINGS_FROM >= reader->string_count)
		return NULL;
	return reader->string[id - MADE_STRINGS_FROM];
}

uint32_t ttlog_reader_id_limit(const struct ttlog_reader *reader)
{
	return reader->string_count ? MADE_STRINGS_FROM + reader->string_count
				    : reader->site_count + 1;
}

uint32_t ttlog_reader_thread_count(const struct ttlog_reader *reader)
{
	return reader->thread_count;
}

const struct ttlog_reader_thread *ttlog_reader_thread(const struct ttlog_reader *reader,
						      uint32_t index)
{
	return &reader->thread[index];
}

uint32_t ttlog_reader_channel_count(const struct ttlog_reader *reader)
{
	return reader->channel_count;
}

const struct ttlog_reader_channel *ttlog_reader_channel(const struct ttlog_reader *reader,
							uint32_t index)
{
	return &reader->channel[index];
}

const struct ttlog_reader_channel_totals *
ttlog_reader_channel_totals(const struct ttlog_reader *reader)
{
	return &reader->channel_totals;
}

uint32_t ttlog_reader_lane_count(const struct ttlog_reader *reader)
{
	(void)reader;
	return MADE_LANES;
}

const struct ttlog_reader_lane *ttlog_reader_lane(const struct ttlog_reader *reader, uint32_t lane)
{
	return &reader->lane[lane];
}

uint32_t ttlog_reader_gap_count(const struct ttlog_reader *reader)
{
	(void)reader;
	return 0;
}

const struct ttlog_reader_gap *ttlog_reader_gap(const struct ttlog_reader *reader, uint32_t index)
{
	(void)reader;
	(void)index;
	return NULL;
}

void ttlog_reader_totals(const struct ttlog_reader *reader, struct ttlog_reader_totals *ret_totals)
{
	*ret_totals = reader->totals;
	ret_totals->events = reader->generator ? reader->generate : reader->event_count;
}

const char *ttlog_lane_name(uint32_t lane)
{
	static const char *const names[MADE_LANES] = {"main", "alert",	   "alert_large",
						      "boot", "afterlife", "nested",
						      "channel"};

	return lane < MADE_LANES ? names[lane] : "other";
}

/* ---- making ----------------------------------------------------------------------------------- */

/* A service that was killed by a fault one second after MADE_TIME_NS; no events yet. */
static inline void made_begin(void)
{
	free(made.event);
	memset(&made, 0, sizeof(made));
	made.facts = (struct dump_facts){
		.service = "orders",
		.hostname = "web-1",
		.reason = "sigsegv",
		.pid = 4242,
		.created_ns = MADE_TIME_NS + 1002003000,
		.process = {.comm = "orders", .exe = "/usr/bin/orders",
			    .cmdline = "orders --port 80", .cgroup = "/system.slice/orders.service",
			    .uid = 1000, .gid = 1000, .ppid = 1,
			    .start_ns = MADE_TIME_NS - UINT64_C(3723000000000)},
		.timeline = &made.timeline,
		.clock_source = TTLOG_CLOCK_MONOTONIC,
		.recorder_version = "0.1.0",
		.rung = "ebpf",
		.region_bytes = 16 << 20,
		.verdict = {.how = VERDICT_FAULT, .confidence = VERDICT_HIGH, .have_signal = true,
			    .signal = 11, .code = 1, .have_fault_address = true,
			    .thread = {.pid = 4242, .tid = 4245, .comm = "worker-1"},
			    .signal_ns = 1000000000, .death_ns = 1000500000},
	};
	timeline_init(&made.timeline, TTLOG_CLOCK_MONOTONIC, 0);
	timeline_add(&made.timeline, &(struct ttlog_clock_point){0, 0, MADE_TIME_NS}, 0);
	timeline_add(&made.timeline,
		     &(struct ttlog_clock_point){1000000000, 1000000000, MADE_TIME_NS + 1000000000},
		     0);
	made.thread_count = 2;
	made.thread[0] = (struct ttlog_reader_thread){.tid = 4242, .name = "orders"};
	made.thread[1] = (struct ttlog_reader_thread){.tid = 4245, .name = "worker-1"};
}

/* The id of a new site; types end with 0, names has as many entries. */
static inline uint32_t made_site(enum ttlog_level level, const char *target, const char *message,
				 const uint8_t *types, const char *const *names)
{
	struct ttlog_reader_site *site = &made.site[made.site_count++];

	*site = (struct ttlog_reader_site){.id = made.site_count, .level = (uint8_t)level,
					   .line = 100 + made.site_count, .target = target,
					   .message = message, .file = "orders.c",
					   .function = "handle", .types = types};
	for (; types[site->field_count]; site->field_count++)
		site->names[site->field_count] = names ? names[site->field_count] : "";
	site->flags = names ? 0 : TTLOG_SITE_PRINTF;
	return site->id;
}

/* An event of that site with room for its values, which come with their types. */
static inline struct made_event *made_event(uint64_t ticks, uint32_t thread, uint32_t site)
{
	struct made_event *event;

	if (made.event_count == made.event_capacity) {
		made.event_capacity = made.event_capacity ? 2 * made.event_capacity : 64;
		made.event = realloc(made.event, made.event_capacity * sizeof(*made.event));
		if (!made.event)
			abort();
	}
	event = &made.event[made.event_count++];
	*event = (struct made_event){.ticks = ticks, .site = site, .thread = thread};
	for (; event->value_count < made.site[site - 1].field_count; event->value_count++)
		event->value[event->value_count].type = made.site[site - 1].types[event->value_count];
	made.thread[thread].events++;
	made.thread[thread].last_ticks = ticks;
	if (!made.thread[thread].first_ticks)
		made.thread[thread].first_ticks = ticks;
	made.lane[0].events++;
	return event;
}

static inline void made_text(struct made_event *event, uint32_t index, const char *text)
{
	event->value[index].data = text;
	event->value[index].size = (uint32_t)strlen(text);
}

/* A channel that has these events. */
static inline void made_channel(const char *name, struct made_event *const *events, uint32_t count)
{
	struct ttlog_reader_channel *channel = &made.channel[made.channel_count++];

	strncpy(channel->name, name, sizeof(channel->name) - 1);
	channel->events = count;
	channel->is_open = true;
	channel->budget_bytes = 1024;
	for (uint32_t i = 0; i < count; i++) {
		events[i]->channel = made.channel_count;
		events[i]->lane = TTLOG_LANE_CHANNEL;
	}
	made.channel_totals.open++;
	made.channel_totals.opened++;
}

/* The dump in memory; the caller frees it. */
static inline unsigned char *made_dump(size_t *ret_bytes)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);
	unsigned char *data;
	off_t bytes;

	if (fd < 0 || dump_write(fd, &made, &made.facts) != 0)
		abort();
	bytes = lseek(fd, 0, SEEK_CUR);
	data = malloc((size_t)bytes + 1);
	if (!data || pread(fd, data, (size_t)bytes, 0) != bytes)
		abort();
	close(fd);
	*ret_bytes = (size_t)bytes;
	return data;
}

#endif
