/* SPDX-License-Identifier: MIT */
/*
 * A batch, event by event. This is where the viewer spends its time when it looks through millions: an
 * event that looks like nearly all others is read without a call, and one that nobody wants is stepped
 * over without being made. What looks otherwise is for decode.c to say.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "viewer/dump_reader.h"

static const struct meta_thread no_thread;
static const struct meta_lane no_lane;
static const struct meta_channel no_channel; /* one of no known name */

/* What is in front of an event's values. */
struct head {
	int64_t time_ns;
	uint64_t thread, lane, flags, site, channel;
	uint64_t value_count;
};

#define ARRAY_SMALL 0x80 /* an array of less than 24, which are in the low bits */
#define UINT_8 0x18
#define UINT_16 0x19
#define UINT_64 0x1b
#define UINT_IN_BYTE 24 /* less than that is in the first byte */

/* An array of so many, eight bytes of time, and up to five numbers of at most two bytes. */
#define QUICK_HEAD_BYTES (1 + 9 + 5 * 3)

int dump_batch_begin(struct dump_batch *batch, const unsigned char *content, size_t bytes)
{
	struct decode cursor = {content, content + bytes};
	struct number seq = {0};
	struct token map, key, value;

	if (decode_next(&cursor, &map) || map.kind != TOKEN_MAP)
		return -EBADMSG;
	for (uint64_t i = 0; i < map.number; i++) {
		if (decode_next(&cursor, &key) || key.kind != TOKEN_TEXT)
			return -EBADMSG;
		if (span_is(key.span, "events")) {
			/* "seq" comes first; what a later version has behind the events is its own.
			 */
			if (decode_next(&cursor, &value) || value.kind != TOKEN_ARRAY || !seq.known)
				return -EBADMSG;
			*batch = (struct dump_batch){cursor, value.number, seq.bits};
			return 0;
		}
		if (span_is(key.span, "seq")) {
			if (decode_next(&cursor, &value) || value.kind != TOKEN_UINT)
				return -EBADMSG;
			seq = (struct number){value.number, true};
		} else if (decode_skip(&cursor)) {
			return -EBADMSG;
		}
	}
	return -EBADMSG;
}

/* ---- what is in front of the values -----------------------------------------------------------
 */

/* A number that is less than 65536, and what is behind it; NULL: it is another. The bytes are there. */
static inline const unsigned char *quick_uint(const unsigned char *at, uint64_t *ret_number)
{
	if (*at < UINT_IN_BYTE) {
		*ret_number = *at;
		return at + 1;
	}
	if (*at == UINT_8) {
		*ret_number = at[1];
		return at + 2;
	}
	*ret_number = (uint64_t)at[1] << 8 | at[2];
	return *at == UINT_16 ? at + 3 : NULL;
}

/* Where the values begin; NULL: this head is none of the usual ones. */
static inline const unsigned char *quick_head(const unsigned char *at, const unsigned char *end,
					      struct head *head)
{
	unsigned int count, fixed = DUMP_EVENT_FIXED;
	uint64_t big_endian;

	if (end - at < QUICK_HEAD_BYTES)
		return NULL;
	count = (unsigned int)*at - ARRAY_SMALL;
	if (count >= UINT_IN_BYTE || at[1] != UINT_64)
		return NULL;
	memcpy(&big_endian, at + 2, sizeof(big_endian));
	head->time_ns = (int64_t)be64toh(big_endian);
	at += 2 + sizeof(big_endian);
	if (!(at = quick_uint(at, &head->thread)) || !(at = quick_uint(at, &head->lane)) ||
	    !(at = quick_uint(at, &head->flags)) || !(at = quick_uint(at, &head->site)))
		return NULL;
	head->channel = 0;
	if (head->flags & DUMP_EVENT_CHANNEL) {
		fixed++;
		at = quick_uint(at, &head->channel);
	}
	if (count < fixed)
		return NULL;
	head->value_count = count - fixed;
	return at;
}

static bool take_uint(struct decode *cursor, uint64_t *ret_number)
{
	struct token token;

	if (decode_next(cursor, &token) || token.kind != TOKEN_UINT)
		return false;
	*ret_number = token.number;
	return true;
}

static bool take_time(struct decode *cursor, int64_t *ret_ns)
{
	struct token token;

	if (decode_next(cursor, &token))
		return false;
	*ret_ns = (int64_t)(token.kind == TOKEN_NEGATIVE ? ~token.number : token.number);
	return token.kind == TOKEN_UINT || token.kind == TOKEN_NEGATIVE;
}

static bool take_head(struct decode *cursor, struct head *head)
{
	uint64_t fixed = DUMP_EVENT_FIXED;
	struct token array;

	head->channel = 0;
	if (decode_next(cursor, &array) || array.kind != TOKEN_ARRAY || array.number < fixed)
		return false;
	if (!take_time(cursor, &head->time_ns) || !take_uint(cursor, &head->thread) ||
	    !take_uint(cursor, &head->lane) || !take_uint(cursor, &head->flags) ||
	    !take_uint(cursor, &head->site))
		return false;
	if (head->flags & DUMP_EVENT_CHANNEL &&
	    (array.number < ++fixed || !take_uint(cursor, &head->channel)))
		return false;
	head->value_count = array.number - fixed;
	return head->value_count <= DUMP_FIELDS_MAX;
}

/* ---- events -----------------------------------------------------------------------------------
 */

static const struct meta_channel *channel_of(const struct meta_channels *channels, const struct head *head)
{
	if (!(head->flags & DUMP_EVENT_CHANNEL))
		return NULL;
	return head->channel < channels->list_count ? &channels->list[head->channel] : &no_channel;
}

bool dump_batch_next(struct dump *dump, struct dump_batch *batch, struct event *ret_event)
{
	const struct meta *meta = dump_meta(dump);
	struct decode *cursor = &batch->cursor;
	const unsigned char *values;
	struct head head;

	if (!batch->left)
		return false;
	values = quick_head(cursor->at, cursor->end, &head);
	if (values)
		cursor->at = values;
	else if (!take_head(cursor, &head))
		return false;
	ret_event->values = cursor->at;
	if (decode_skip_many(cursor, head.value_count))
		return false;
	ret_event->values_bytes = (size_t)(cursor->at - ret_event->values);
	ret_event->value_count = (uint32_t)head.value_count;
	ret_event->dump = dump;
	ret_event->seq = batch->seq++;
	ret_event->time_ns = head.time_ns;
	ret_event->flags = head.flags;
	ret_event->thread = head.thread < meta->thread_count ? &meta->threads[head.thread] : &no_thread;
	ret_event->lane = head.lane < meta->lane_count ? &meta->lanes[head.lane] : &no_lane;
	ret_event->channel = channel_of(&meta->channels, &head);
	ret_event->site = dictionary_site(dump_dictionary(dump), head.site);
	batch->left--;
	return true;
}

/* What is behind an event that nobody wants; NULL: somebody may, or it is none of the usual ones. */
static inline const unsigned char *skip_refused(const unsigned char *at, const unsigned char *end,
						const struct dictionary *dictionary)
{
	struct head head;

	at = quick_head(at, end, &head);
	if (!at || head.site >= dictionary->site_limit || !dictionary->sites[head.site] ||
	    dictionary->sites[head.site]->verdict != SITE_NEVER)
		return NULL;
	while (at && head.value_count--)
		at = decode_behind_small(at, end);
	return at;
}

uint64_t dump_batch_skip_refused(struct dump *dump, struct dump_batch *batch)
{
	const struct dictionary *dictionary = dump_dictionary(dump);
	const unsigned char *at = batch->cursor.at, *behind;
	uint64_t skipped = 0;

	while (skipped < batch->left && (behind = skip_refused(at, batch->cursor.end, dictionary))) {
		at = behind;
		skipped++;
	}
	batch->cursor.at = at;
	batch->left -= skipped;
	batch->seq += skipped;
	return skipped;
}
