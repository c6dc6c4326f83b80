/* SPDX-License-Identifier: MIT */
/*
 * fuzz_read.c - any bytes as a dump (wrapped_dump.h), through all of ttlog_read.h. An input that ends with
 * a line "?QUERY" asks for that, too.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/wrapped_dump.h"
#include "viewer/ttlog_read.h"

#define EVENTS_MAX 20000 /* a small file may unfold into many */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long bytes_seen;

/* Each byte is touched: a sanitizer sees what does not live. */
static void see(struct ttlog_read_text text)
{
	if (!text.data)
		abort();
	for (size_t i = 0; i < text.bytes; i++)
		bytes_seen += (unsigned char)text.data[i];
}

static void see_actor(const struct ttlog_read_actor *actor)
{
	if (!actor)
		return;
	see(actor->comm);
	see(actor->exe);
	see(actor->cgroup);
}

static void see_info(const struct ttlog_read *dump)
{
	const struct ttlog_read_cause *cause = ttlog_read_get_cause(dump);
	const struct ttlog_read_info *info = ttlog_read_get_info(dump);
	const struct ttlog_read_text texts[] = {
		info->service, info->hostname, info->created_at, info->reason, info->signature, info->comm,
		info->exe, info->cmdline, info->cgroup, cause->how, cause->confidence, cause->sentence,
		cause->signal_name, cause->code_name,
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		see(texts[i]);
	see_actor(cause->sender);
	see_actor(cause->thread);
}

static void see_event(const struct ttlog_read *dump, const struct ttlog_read_event *event)
{
	const struct ttlog_read_text texts[] = {event->target, event->message, event->thread, event->lane,
						event->channel, event->file, event->function};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		see(texts[i]);
	for (uint32_t i = 0; i < event->field_count; i++) {
		const struct ttlog_read_value *value = ttlog_read_field_at(dump, i);

		see(value->name);
		see(value->text);
		if (value->type > TTLOG_READ_BYTES)
			abort();
	}
	if (ttlog_read_field_at(dump, event->field_count))
		abort();
	ttlog_read_field(dump, "status");
	if (!ttlog_read_level_name(event->level))
		abort();
}

static void walk(int fd, const struct ttlog_read_options *options)
{
	const struct ttlog_read_event *event;
	unsigned int events = 0;
	struct ttlog_read *dump;
	char damage[160];

	lseek(fd, 0, SEEK_SET);
	if (ttlog_read_open_fd(&dump, fd, options))
		return;
	see_info(dump);
	while (events++ < EVENTS_MAX && ttlog_read_next(dump, &event) > 0)
		see_event(dump, event);
	if (ttlog_read_damage(dump, damage, sizeof(damage)) && !memchr(damage, 0, sizeof(damage)))
		abort();
	see_info(dump);
	ttlog_read_close(dump);
}

static void try_bytes(const void *data, size_t bytes)
{
	static const char *const filters[] = {"msg~=e,1", NULL};
	char why[80], query[256] = "level>=warn or not status=200";
	const struct ttlog_read_options all = {.size = sizeof(all), .why = why, .why_bytes = sizeof(why)};
	struct ttlog_read_options some = all;
	const char *asked = memrchr(data, '\n', bytes);
	int fd = memfd_create("read", MFD_CLOEXEC);

	if (fd < 0 || (bytes && write(fd, data, bytes) != (ssize_t)bytes))
		abort();
	if (asked && asked + 1 < (const char *)data + bytes && asked[1] == '?')
		snprintf(query, sizeof(query), "%.*s", (int)((const char *)data + bytes - asked - 2), asked + 2);
	walk(fd, &all);
	some.query = query;
	walk(fd, &some);
	some.newest = 100;
	some.filters = filters;
	walk(fd, &some);
	some.newest = 0;
	some.reverse = 1;
	walk(fd, &some);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	wrapped_run(data, size, try_bytes);
	return 0;
}
