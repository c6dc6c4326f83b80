/* SPDX-License-Identifier: MIT */
/* summary.c - a small reader of one CBOR map, which steps over what it does not know. */
#include "recorder/summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder/log.h"

#define KEYS_MAX 64

enum major { UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE };

struct cursor {
	const unsigned char *at, *end;
};

struct item {
	enum major major;
	uint64_t number; /* a value, a length, a count */
	const unsigned char *text;
};

/* Of definite length, as all that we write. */
static int next(struct cursor *cursor, struct item *ret_item)
{
	unsigned int first, extra;

	if (cursor->at == cursor->end)
		return -EBADMSG;
	first = *cursor->at++;
	ret_item->major = first >> 5;
	ret_item->number = first & 31;
	if (ret_item->number > 27)
		return -EBADMSG;
	extra = ret_item->number < 24 ? 0 : 1U << (ret_item->number - 24);
	if ((size_t)(cursor->end - cursor->at) < extra)
		return -EBADMSG;
	if (extra)
		ret_item->number = 0;
	for (unsigned int i = 0; i < extra; i++)
		ret_item->number = ret_item->number << 8 | *cursor->at++;
	ret_item->text = cursor->at;
	if (ret_item->major != BYTES && ret_item->major != TEXT)
		return 0;
	if (ret_item->number > (size_t)(cursor->end - cursor->at))
		return -EBADMSG;
	cursor->at += ret_item->number;
	return 0;
}

/* What is inside of that item. An item takes a byte at least, so this ends. */
static int step_over(struct cursor *cursor, const struct item *item)
{
	struct item inner;
	uint64_t left = item->major == ARRAY ? item->number
			: item->major == MAP ? item->number * 2
			: item->major == TAG ? 1
					     : 0;
	int err;

	if (item->major == MAP && item->number > UINT64_MAX / 4)
		return -EBADMSG;
	for (; left; left--) {
		err = next(cursor, &inner);
		if (err)
			return err;
		if (inner.major == TAG)
			left++;
		else if (inner.major == ARRAY && inner.number < UINT32_MAX)
			left += inner.number;
		else if (inner.major == MAP && inner.number < UINT32_MAX)
			left += 2 * inner.number;
		else if (inner.major == ARRAY || inner.major == MAP)
			return -EBADMSG;
	}
	return 0;
}

static void copy_text(char *to, size_t bytes, const struct item *item)
{
	const size_t count = item->number < bytes ? (size_t)item->number : bytes - 1;

	if (item->major != TEXT && item->major != BYTES)
		return;
	memcpy(to, item->text, count);
	to[count] = '\0';
	log_clean(to, LOG_CLEAN_LINE);
}

static void take_digits(const struct item *item, char digits[DUMP_SIGNATURE_DIGITS + 1])
{
	static const char hexadecimal[] = "0123456789abcdef";

	copy_text(digits, DUMP_SIGNATURE_DIGITS + 1, item);
	if (strspn(digits, hexadecimal) != DUMP_SIGNATURE_DIGITS ||
	    strspn(digits, "0") == DUMP_SIGNATURE_DIGITS)
		digits[0] = '\0';
}

static void take_number(const struct item *item, uint64_t *ret_number)
{
	if (item->major == UNSIGNED)
		*ret_number = item->number;
}

static void take_death(struct summary *summary, const char *key, const struct item *value)
{
	uint64_t number = 0;

	take_number(value, &number);
	if (!strcmp(key, "confidence")) {
		copy_text(summary->confidence, sizeof(summary->confidence), value);
	} else if (!strcmp(key, "signal")) {
		summary->signal = number <= 64 ? (int32_t)number : 0;
	} else if (!strcmp(key, "exit_code")) {
		summary->exit_code =
			value->major == UNSIGNED && number <= 255 ? (int32_t)number : -1;
	} else if (!strcmp(key, "fault_address")) {
		summary->have_fault_address = value->major == UNSIGNED;
		summary->fault_address = number;
	} else if (!strcmp(key, "death_ns")) {
		summary->death_ns = number;
	} else if (!strcmp(key, "start_ns")) {
		summary->start_ns = number;
	} else if (!strcmp(key, "set")) {
		copy_text(summary->set, sizeof(summary->set), value);
	} else if (!strcmp(key, "set_role")) {
		copy_text(summary->set_role, sizeof(summary->set_role), value);
	}
}

static void take(struct summary *summary, const char *key, const struct item *value)
{
	char digits[DUMP_SIGNATURE_DIGITS + 1] = "";
	uint64_t number = 0;

	if (!strcmp(key, "signature")) {
		take_digits(value, summary->signature);
	} else if (!strcmp(key, "loop")) {
		take_digits(value, digits);
		summary->loop_key = strtoull(digits, NULL, 16);
	} else if (!strcmp(key, "service")) {
		copy_text(summary->service, sizeof(summary->service), value);
	} else if (!strcmp(key, "reason")) {
		copy_text(summary->reason, sizeof(summary->reason), value);
	} else if (!strcmp(key, "how")) {
		copy_text(summary->how, sizeof(summary->how), value);
	} else if (!strcmp(key, "sentence")) {
		copy_text(summary->sentence, sizeof(summary->sentence), value);
	} else if (!strcmp(key, "pid")) {
		take_number(value, &number);
		summary->pid = (uint32_t)number;
	} else if (!strcmp(key, "uid")) {
		take_number(value, &number);
		summary->uid = (uint32_t)number;
		summary->have_uid = value->major == UNSIGNED && number <= UINT32_MAX;
	} else if (!strcmp(key, "created_ns")) {
		take_number(value, &summary->created_ns);
	} else if (!strcmp(key, "events")) {
		take_number(value, &summary->events);
	} else if (!strcmp(key, "loop_since_ns")) {
		take_number(value, &summary->loop_since_ns);
	} else if (!strcmp(key, "loop_count")) {
		take_number(value, &summary->loop_count);
	} else {
		take_death(summary, key, value);
	}
}

static int parse_map(struct cursor *cursor, struct summary *summary)
{
	struct item map, key, value;
	char name[32];
	int err = next(cursor, &map);

	if (err || map.major != MAP || map.number > KEYS_MAX)
		return -EBADMSG;
	for (uint64_t i = 0; i < map.number; i++) {
		if (next(cursor, &key) || key.major != TEXT || next(cursor, &value))
			return -EBADMSG;
		copy_text(name, sizeof(name), &key);
		take(summary, name, &value);
		if (step_over(cursor, &value))
			return -EBADMSG;
	}
	return 0;
}

static uint32_t le(const unsigned char *from, unsigned int bytes)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < bytes; i++)
		value |= (uint32_t)from[i] << 8 * i;
	return value;
}

int summary_parse(const unsigned char *data, size_t bytes, struct summary *ret_summary)
{
	struct cursor cursor;
	struct summary summary = {.exit_code = -1};
	uint32_t frame_bytes;
	int err;

	if (bytes < 8 + DUMP_PREFIX_BYTES || le(data, 4) != DUMP_SKIPPABLE_HEAD ||
	    memcmp(data + 8, DUMP_MAGIC_HEAD, DUMP_MAGIC_BYTES) != 0)
		return -EBADMSG;
	if (le(data + 18, 2) > DUMP_VERSION)
		return -EPROTONOSUPPORT;
	frame_bytes = le(data + 4, 4);
	if (frame_bytes < DUMP_PREFIX_BYTES || frame_bytes > bytes - 8)
		return -EBADMSG;
	cursor = (struct cursor){data + 8 + DUMP_PREFIX_BYTES, data + 8 + frame_bytes};
	err = parse_map(&cursor, &summary);
	if (!err)
		*ret_summary = summary;
	return err;
}

int summary_read(int fd, struct summary *ret_summary)
{
	unsigned char data[SUMMARY_HEAD_BYTES];
	size_t have = 0;
	ssize_t got = 1;

	while (got > 0 && have < sizeof(data)) {
		got = pread(fd, data + have, sizeof(data) - have, (off_t)have);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got > 0)
			have += (size_t)got;
	}
	if (got < 0)
		return -errno;
	return summary_parse(data, have, ret_summary);
}
