/* SPDX-License-Identifier: MIT */
#include "viewer/list.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder/dump_format.h"
#include "viewer/format_json.h"
#include "viewer/when.h"
#include "viewer/when_parse.h"

#define HEAD_BYTES (8 + DUMP_PREFIX_BYTES + DUMP_SUMMARY_BYTES_MAX)
#define SECOND_BYTES 19 /* 2026-11-23T10:42:00 */
#define BOLD "\033[1m"
#define DIM "\033[2m"
#define RESET "\033[m"

struct entry {
	const char *path;
	unsigned char *bytes; /* of the summary: what the spans point into */
	uint64_t file_bytes;
	struct span signature, service, reason, how, sentence, created_at;
	struct number pid, uid, created_ns, events, loop_count;
};

#define SPAN(field)                                                                                \
	{                                                                                          \
#field, DECODE_SPAN, offsetof(struct entry, field), NULL, NULL                     \
	}
#define NUMBER(field)                                                                              \
	{                                                                                          \
#field, DECODE_NUMBER, offsetof(struct entry, field), NULL, NULL                   \
	}
static const struct decode_key keys[] = {
	SPAN(signature),
	SPAN(service),
	SPAN(reason),
	SPAN(how),
	SPAN(sentence),
	SPAN(created_at),
	NUMBER(pid),
	NUMBER(uid),
	NUMBER(created_ns),
	NUMBER(events),
	NUMBER(loop_count),
	{NULL, DECODE_SPAN, 0, NULL, NULL},
};

/* ---- reading ----------------------------------------------------------------------------------
 */

static uint32_t get_le32(const unsigned char *from)
{
	return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
	       (uint32_t)from[3] << 24;
}

static int parse(struct entry *entry, const unsigned char *head, size_t bytes)
{
	const unsigned char *prefix = head + 8;
	struct when_spec when;
	struct decode cursor;
	uint32_t length;

	if (bytes < 8 + DUMP_PREFIX_BYTES || get_le32(head) != DUMP_SKIPPABLE_HEAD ||
	    memcmp(prefix, DUMP_MAGIC_HEAD, DUMP_MAGIC_BYTES) != 0)
		return -EBADMSG;
	if ((prefix[10] | prefix[11] << 8) > DUMP_VERSION)
		return -EPROTONOSUPPORT;
	length = get_le32(head + 4);
	if (length < DUMP_PREFIX_BYTES || length > bytes - 8)
		return -EBADMSG;
	cursor = (struct decode){prefix + DUMP_PREFIX_BYTES, prefix + length};
	if (decode_map(&cursor, keys, entry))
		return -EBADMSG;
	if (span_is(entry->signature, "0000000000000000"))
		entry->signature = (struct span){0};
	/* The first dumps have the text alone. */
	if (!entry->created_ns.known && when_parse(entry->created_at, 0, &when) == 0 &&
	    when.kind == WHEN_ABSOLUTE)
		entry->created_ns = (struct number){(uint64_t)when.ns, true};
	return 0;
}

/* A pipe or a device that somebody put there is not waited for. */
static int read_entry(struct entry *entry, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int error = fd < 0 ? -errno : 0;
	struct stat status;
	ssize_t got;

	*entry = (struct entry){.path = path, .bytes = malloc(HEAD_BYTES)};
	if (!error && !entry->bytes)
		error = -ENOMEM;
	if (!error && (fstat(fd, &status) || !S_ISREG(status.st_mode)))
		error = -EBADMSG;
	if (!error) {
		entry->file_bytes = (uint64_t)status.st_size;
		got = pread(fd, entry->bytes, HEAD_BYTES, 0);
		error = got < 0 ? -errno : parse(entry, entry->bytes, (size_t)got);
	}
	if (fd >= 0)
		close(fd);
	if (error)
		free(entry->bytes);
	return error;
}

/* ---- order ------------------------------------------------------------------------------------
 */

static int compare_spans(struct span a, struct span b)
{
	size_t shorter = a.bytes < b.bytes ? a.bytes : b.bytes;
	int order = shorter ? memcmp(a.data, b.data, shorter) : 0;

	return order ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

/* One bug; where no signature says so, one service that ended in one way. */
static int compare_bugs(const struct entry *left, const struct entry *right)
{
	int order = compare_spans(left->signature, right->signature);

	if (!order)
		order = compare_spans(left->service, right->service);
	return order || left->signature.bytes ? order : compare_spans(left->reason, right->reason);
}

static int compare_times(const struct entry *left, const struct entry *right)
{
	int64_t a = (int64_t)left->created_ns.bits, b = (int64_t)right->created_ns.bits;

	return a != b ? (a > b) - (a < b) : strcmp(left->path, right->path);
}

static int compare_entries(const void *a, const void *b)
{
	int order = compare_bugs(a, b);

	return order ? order : compare_times(a, b);
}

struct group {
	const struct entry *first;
	size_t count;
};

static int compare_groups(const void *a, const void *b)
{
	const struct group *left = a, *right = b;

	return compare_times(&left->first[left->count - 1], &right->first[right->count - 1]);
}

static size_t make_groups(const struct entry *entries, size_t count, struct group *groups)
{
	size_t made = 0;

	for (size_t i = 0; i < count; i++) {
		if (!made || compare_bugs(groups[made - 1].first, &entries[i]))
			groups[made++] = (struct group){.first = &entries[i]};
		groups[made - 1].count++;
	}
	qsort(groups, made, sizeof(*groups), compare_groups);
	return made;
}

/* ---- showing ----------------------------------------------------------------------------------
 */

static void put(struct out *out, struct span span, const char *otherwise)
{
	if (span.bytes)
		out_escaped(out, span, 0);
	else
		out_text(out, otherwise);
}

static void put_time(struct out *out, struct number ns)
{
	struct out text;

	out_init(&text, -1);
	when_rfc3339(&text, (int64_t)ns.bits);
	if (ns.known && text.bytes > SECOND_BYTES)
		out_printf(out, "%.*sZ", SECOND_BYTES, text.data);
	else
		out_text(out, "when is not known   ");
	out_fini(&text);
}

static void put_size(struct out *out, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	unsigned int unit = 0;
	double size = (double)bytes;

	for (; size >= 1000 && unit + 1 < sizeof(units) / sizeof(*units); unit++)
		size /= 1024;
	out_printf(out, unit ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

static void put_entry(struct out *out, const struct entry *entry, bool colour)
{
	out_text(out, "  ");
	put_time(out, entry->created_ns);
	if (entry->pid.known)
		out_printf(out, "  pid %-7" PRIu64, entry->pid.bits);
	if (entry->events.known)
		out_printf(out, "  %" PRIu64 " events", entry->events.bits);
	out_text(out, ", ");
	put_size(out, entry->file_bytes);
	if (entry->loop_count.known && entry->loop_count.bits > 1)
		out_printf(out, ", death %" PRIu64 " of a crash loop", entry->loop_count.bits);
	out_text(out, colour ? "  " DIM : "  ");
	out_escaped(out, (struct span){entry->path, strlen(entry->path)}, 0);
	out_text(out, colour ? RESET "\n" : "\n");
}

static void put_group(struct out *out, const struct group *group, bool colour)
{
	const struct entry *newest = &group->first[group->count - 1];

	out_text(out, colour ? BOLD : "");
	put(out, newest->service, "a service without a name");
	out_text(out, ": ");
	put(out, newest->sentence.bytes ? newest->sentence : newest->how, "how is not known");
	out_text(out, colour ? RESET "\n" : "\n");
	out_printf(out, "  %zu dump%s", group->count, group->count == 1 ? "" : "s");
	if (newest->signature.bytes) {
		out_text(out, ", signature ");
		put(out, newest->signature, "");
	}
	out_char(out, '\n');
	for (size_t i = 0; i < group->count; i++)
		put_entry(out, &group->first[i], colour);
}

static void json_entry(struct out *out, const struct entry *entry)
{
	struct span path = {entry->path, strlen(entry->path)};

	out_char(out, '{');
	json_span(out, "file", path);
	json_key(out, "time");
	if (entry->created_ns.known) {
		out_char(out, '"');
		when_rfc3339(out, (int64_t)entry->created_ns.bits);
		out_printf(out, "\",\"created_ns\":\"%" PRId64 "\"",
			   (int64_t)entry->created_ns.bits);
	} else {
		out_text(out, "null,\"created_ns\":null");
	}
	json_number(out, "pid", entry->pid);
	json_number(out, "uid", entry->uid);
	json_known(out, "service", entry->service);
	json_known(out, "reason", entry->reason);
	json_known(out, "how", entry->how);
	json_known(out, "cause", entry->sentence);
	json_known(out, "signature", entry->signature);
	json_number(out, "events", entry->events);
	json_number(out, "loop_count", entry->loop_count);
	json_number(out, "bytes", (struct number){entry->file_bytes, true});
	out_text(out, "}\n");
}

static void show(struct out *out, const struct group *groups, size_t count, bool json, bool colour)
{
	for (size_t i = 0; i < count && !out->error; i++) {
		if (!json) {
			out_text(out, i ? "\n" : "");
			put_group(out, &groups[i], colour);
			continue;
		}
		for (size_t j = 0; j < groups[i].count; j++)
			json_entry(out, &groups[i].first[j]);
	}
}

static const char *why(int error)
{
	if (error == -EPROTONOSUPPORT)
		return "written by a newer ttlog: this viewer can't read its format";
	return error == -EBADMSG ? "not a ttlog dump, or its first bytes are damaged"
				 : strerror(-error);
}

int list_dumps(struct out *out, const struct inputs *inputs, bool json, bool colour,
	       bool *ret_unreadable)
{
	struct entry *entries = calloc(inputs->count + 1, sizeof(*entries));
	struct group *groups = calloc(inputs->count + 1, sizeof(*groups));
	size_t count = 0;
	int error = entries && groups ? 0 : -ENOMEM, got;

	for (size_t i = 0; i < inputs->count && !error; i++) {
		got = read_entry(&entries[count], inputs->paths[i]);
		if (got == -ENOMEM) {
			error = got;
		} else if (got) {
			inputs_complain(inputs->paths[i], why(got));
			*ret_unreadable = true;
		} else {
			count++;
		}
	}
	if (!error) {
		qsort(entries, count, sizeof(*entries), compare_entries);
		show(out, groups, make_groups(entries, count, groups), json, colour);
	}
	for (size_t i = 0; i < count; i++)
		free(entries[i].bytes);
	free(entries);
	free(groups);
	return error;
}
