/* SPDX-License-Identifier: MIT */
/* ctl_wire.c - questions and answers of the control socket as bytes, without a socket. */
#include "recorder/ctl_wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "recorder/log.h"

static const char *const verbs[CTL_VERBS] = {"list", "status",   "level",  "freeze",
					     "thaw", "snapshot", "region", "death"};
static const char *const levels[] = {"trace", "debug", "info", "warn", "error", "fatal", "off"};

const char *ctl_verb_name(enum ctl_verb verb)
{
	return (unsigned int)verb < CTL_VERBS ? verbs[verb] : NULL;
}

const char *ctl_level_name(uint32_t level)
{
	return level < sizeof(levels) / sizeof(levels[0]) ? levels[level] : NULL;
}

int ctl_socket_beside(const char *clients_socket, char *ret_path, size_t bytes)
{
	const char *slash = strrchr(clients_socket, '/');
	const int folder = slash ? (int)(slash - clients_socket) + 1 : 0;
	const int written =
		snprintf(ret_path, bytes, "%.*s" CTL_SOCKET_NAME, folder, clients_socket);

	return written < 0 || (size_t)written >= bytes ? -ENAMETOOLONG : 0;
}

/* ---- items ------------------------------------------------------------------------------ */

/* The argument of a head (RFC 8949, 3): definite lengths only. */
static int take_argument(struct ctl_cursor *cursor, unsigned int minor, uint64_t *ret_value)
{
	const unsigned int size = minor < 24 ? 0 : 1u << (minor - 24);

	if (minor > 27 || (size_t)(cursor->end - cursor->at) < size)
		return -EBADMSG;
	*ret_value = minor;
	if (size)
		*ret_value = 0;
	for (unsigned int i = 0; i < size; i++)
		*ret_value = *ret_value << 8 | *cursor->at++;
	return 0;
}

static int take_bytes(struct ctl_cursor *cursor, struct ctl_item *item)
{
	if (item->value > (uint64_t)(cursor->end - cursor->at))
		return -EBADMSG;
	item->text = (const char *)cursor->at;
	cursor->at += item->value;
	return 0;
}

int ctl_item_next(struct ctl_cursor *cursor, struct ctl_item *ret_item)
{
	struct ctl_item item = {.kind = CTL_OTHER};
	unsigned int major, minor;

	if (cursor->at >= cursor->end)
		return -EBADMSG;
	major = *cursor->at >> 5;
	minor = *cursor->at++ & 31;
	if (take_argument(cursor, minor, &item.value))
		return -EBADMSG;
	switch (major) {
	case 0:
		item.kind = CTL_UINT;
		break;
	case 1:
		item.kind = CTL_NEGATIVE;
		break;
	case 2: /* bytes that were no UTF-8 */
		if (take_bytes(cursor, &item))
			return -EBADMSG;
		break;
	case 3:
		item.kind = CTL_TEXT;
		if (take_bytes(cursor, &item))
			return -EBADMSG;
		break;
	case 4:
		item.kind = CTL_ARRAY;
		break;
	case 5:
		item.kind = CTL_MAP;
		break;
	case 7:
		if (minor == 20 || minor == 21) {
			item.kind = CTL_BOOL;
			item.value = minor == 21;
		}
		break;
	default: /* tags */
		return -EBADMSG;
	}
	*ret_item = item;
	return 0;
}

/* Behind an item whose head was read, whatever is in it. 0 or -EBADMSG. */
static int ctl_item_skip(struct ctl_cursor *cursor, const struct ctl_item *item, unsigned int depth)
{
	uint64_t count = item->kind == CTL_ARRAY || item->kind == CTL_MAP ? item->value : 0;

	/* An item is a byte at least: a greater count is a lie, and not counted up to. */
	if (count > (uint64_t)(cursor->end - cursor->at) || (count && depth >= CTL_DEPTH_MAX))
		return -EBADMSG;
	if (item->kind == CTL_MAP)
		count *= 2;
	while (count--) {
		struct ctl_item inner;

		if (ctl_item_next(cursor, &inner) || ctl_item_skip(cursor, &inner, depth + 1))
			return -EBADMSG;
	}
	return 0;
}

static bool is_text(const struct ctl_item *item, const char *text)
{
	return item->kind == CTL_TEXT && item->value == strlen(text) &&
	       !memcmp(item->text, text, item->value);
}

bool ctl_map_find(const void *data, size_t bytes, const char *key, struct ctl_item *ret_item,
		  struct ctl_cursor *ret_rest)
{
	struct ctl_cursor cursor = {.at = data, .end = (const unsigned char *)data + bytes};
	struct ctl_item map, name, value;

	if (ctl_item_next(&cursor, &map) || map.kind != CTL_MAP)
		return false;
	for (uint64_t i = 0; i < map.value; i++) {
		if (ctl_item_next(&cursor, &name) || ctl_item_skip(&cursor, &name, 1) ||
		    ctl_item_next(&cursor, &value))
			return false;
		if (is_text(&name, key)) {
			*ret_item = value;
			if (ret_rest)
				*ret_rest = cursor;
			return true;
		}
		if (ctl_item_skip(&cursor, &value, 1))
			return false;
	}
	return false;
}

/* ---- questions -------------------------------------------------------------------------- */

void ctl_request_pack(struct pack *pack, const struct ctl_request *request)
{
	struct pack_map map = pack_map_begin(pack);

	pack_pair_uint(pack, &map, "version", CTL_VERSION);
	pack_pair_string(pack, &map, "do", ctl_verb_name(request->verb));
	if (request->match[0])
		pack_pair_string(pack, &map, "match", request->match);
	if (request->verb == CTL_LEVEL)
		pack_pair_uint(pack, &map, "level", request->level);
	if (request->verb == CTL_SNAPSHOT && request->reason[0])
		pack_pair_string(pack, &map, "reason", request->reason);
	pack_pair_true(pack, &map, "wait", request->wait);
	pack_map_end(pack, &map);
}

/* A text that has to fit, with its NUL; one inside of it ends nothing, it is refused. */
static int take_text(const struct ctl_item *item, char *to, size_t bytes)
{
	if (item->kind != CTL_TEXT || item->value >= bytes ||
	    memchr(item->text, '\0', (size_t)item->value))
		return -EBADMSG;
	memcpy(to, item->text, (size_t)item->value);
	to[item->value] = '\0';
	log_clean(to, LOG_CLEAN_LINE);
	return 0;
}

static int take_verb(const struct ctl_item *item, struct ctl_request *request)
{
	for (unsigned int i = 0; i < CTL_VERBS; i++) {
		if (!is_text(item, verbs[i]))
			continue;
		request->verb = (enum ctl_verb)i;
		return 0;
	}
	return -EBADMSG;
}

static int take_level(const struct ctl_item *item, struct ctl_request *request)
{
	if (item->kind != CTL_UINT || item->value > TTLOG_OFF)
		return -EBADMSG;
	request->level = (uint32_t)item->value;
	return 0;
}

static int take_pair(const struct ctl_item *key, const struct ctl_item *value,
		     struct ctl_request *request)
{
	if (is_text(key, "do"))
		return take_verb(value, request);
	if (is_text(key, "match"))
		return take_text(value, request->match, sizeof(request->match));
	if (is_text(key, "reason"))
		return take_text(value, request->reason, sizeof(request->reason));
	if (is_text(key, "level"))
		return take_level(value, request);
	if (is_text(key, "wait")) {
		request->wait = value->value == 1;
		return value->kind == CTL_BOOL ? 0 : -EBADMSG;
	}
	return 0;
}

static int take_pairs(struct ctl_cursor *cursor, uint64_t count, struct ctl_request *request)
{
	struct ctl_item key, value;

	while (count--) {
		if (ctl_item_next(cursor, &key) || key.kind != CTL_TEXT ||
		    ctl_item_next(cursor, &value))
			return -EBADMSG;
		if (take_pair(&key, &value, request) || ctl_item_skip(cursor, &value, 1))
			return -EBADMSG;
	}
	return cursor->at == cursor->end ? 0 : -EBADMSG;
}

int ctl_request_check(const void *data, size_t bytes, struct ctl_request *ret_request)
{
	struct ctl_cursor cursor = {.at = data, .end = (const unsigned char *)data + bytes};
	struct ctl_request request = {.verb = CTL_VERBS, .level = UINT32_MAX};
	struct ctl_item item;

	if (bytes > CTL_REQUEST_BYTES_MAX)
		return -EBADMSG;
	/* Before the rest: another version may mean something else by it. */
	if (!ctl_map_find(data, bytes, "version", &item, NULL) || item.kind != CTL_UINT)
		return -EBADMSG;
	if (item.value != CTL_VERSION)
		return -EPROTONOSUPPORT;
	if (ctl_item_next(&cursor, &item) || take_pairs(&cursor, item.value, &request))
		return -EBADMSG;
	if (request.verb == CTL_VERBS || (request.verb == CTL_LEVEL && request.level > TTLOG_OFF))
		return -EBADMSG;
	if (request.verb >= CTL_LEVEL && !request.match[0])
		return -EBADMSG;
	*ret_request = request;
	return 0;
}
