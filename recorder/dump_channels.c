/* SPDX-License-Identifier: MIT */
/*
 * The channels in a dump. There may be 100,000, most of them empty: only those are listed that have
 * events or lost some, and of each only what there is to say.
 */
#include "recorder/dump_channels.h"

#include <stdlib.h>
#include <string.h>

#include "recorder/dump_format.h"

static bool is_listed(const struct ttlog_reader_channel *channel)
{
	return channel->events || channel->overwritten || channel->diverted;
}

uint32_t *dump_channels_number(const struct ttlog_reader *reader)
{
	uint32_t count = ttlog_reader_channel_count(reader), number = 0;
	uint32_t *numbers = malloc((count + (size_t)1) * sizeof(*numbers));

	for (uint32_t i = 0; i < count && numbers; i++) {
		numbers[i] = number;
		number += is_listed(ttlog_reader_channel(reader, i));
	}
	return numbers;
}

static void pair_ticks(struct pack *pack, struct pack_map *map, const char *key,
		       const struct ttlog_clock_line *line, uint64_t ticks)
{
	if (ticks)
		pack_pair_int(pack, map, key, ttlog_clock_realtime_ns(line, ticks));
}

static void one(struct pack *pack, const struct ttlog_reader_channel *channel,
		const struct ttlog_clock_line *line)
{
	struct pack_map map = pack_map_begin(pack);

	pack_key(pack, &map, "name");
	pack_string(pack, channel->name, strnlen(channel->name, sizeof(channel->name)));
	pack_pair_known(pack, &map, "events", channel->events);
	pack_pair_known(pack, &map, "budget_bytes", channel->budget_bytes);
	pack_pair_known(pack, &map, "overwritten", channel->overwritten);
	pair_ticks(pack, &map, "overwritten_first_ns", line, channel->overwritten_first);
	pair_ticks(pack, &map, "overwritten_last_ns", line, channel->overwritten_last);
	pack_pair_known(pack, &map, "diverted", channel->diverted);
	pair_ticks(pack, &map, "diverted_first_ns", line, channel->diverted_first);
	pair_ticks(pack, &map, "diverted_last_ns", line, channel->diverted_last);
	pair_ticks(pack, &map, "opened_ns", line, channel->opened_ticks);
	pair_ticks(pack, &map, "closed_ns", line, channel->closed_ticks);
	pack_map_end(pack, &map);
}

static void list(struct pack *pack, struct pack_map *map, const struct ttlog_reader *reader,
		 const struct ttlog_clock_line *line)
{
	uint32_t count = ttlog_reader_channel_count(reader), all = 0, left;

	for (uint32_t i = 0; i < count; i++)
		all += is_listed(ttlog_reader_channel(reader, i));
	left = all < DUMP_CHANNELS_MAX ? all : DUMP_CHANNELS_MAX;
	pack_pair_known(pack, map, "unlisted", all - left);
	pack_key(pack, map, "list");
	pack_array(pack, left);
	for (uint32_t i = 0; i < count && left; i++) {
		const struct ttlog_reader_channel *channel = ttlog_reader_channel(reader, i);

		if (!is_listed(channel))
			continue;
		one(pack, channel, line);
		left--;
	}
}

void dump_channels_encode(struct pack *pack, struct pack_map *map,
			  const struct ttlog_reader *reader, const struct ttlog_clock_line *line)
{
	const struct ttlog_reader_channel_totals *totals = ttlog_reader_channel_totals(reader);
	struct pack_map inner;

	if (!totals->opened && !totals->refused && !ttlog_reader_channel_count(reader))
		return;
	pack_key(pack, map, "channels");
	inner = pack_map_begin(pack);
	pack_pair_uint(pack, &inner, "open", totals->open);
	pack_pair_uint(pack, &inner, "opened", totals->opened);
	pack_pair_uint(pack, &inner, "replaced", totals->replaced);
	pack_pair_uint(pack, &inner, "refused", totals->refused);
	list(pack, &inner, reader, line);
	pack_map_end(pack, &inner);
}
