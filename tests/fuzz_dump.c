/* SPDX-License-Identifier: MIT */
/*
 * fuzz_dump.c - any bytes as a dump, through everything that the viewer does with one.
 *
 * An input that starts with 'W' holds the contents of frames, with four bytes 0xff between them: they
 * are put into frames with good checksums, which no fuzzer would find by itself.
 */
#include <lz4frame.h>
#include <stdint.h>
#include <string.h>

#include "tests/view_dump.h"
#include "viewer/format.h"
#include "viewer/info.h"
#include "viewer/query.h"

#define EVENTS_MAX 20000 /* a small file may unfold into many */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each that writes to what it is given. */
struct shown {
	const struct format *format;
	void *state;
};

static void show_in_all(struct shown *shown, const struct format_env *env)
{
	for (; shown->format; shown++)
		if (shown->format->open(&shown->state, env))
			abort();
}

static void show(struct dump *dump)
{
	struct shown all[32] = {0}, *each = all;
	struct format_env env = {.dumps = &dump, .dump_count = 1, .colour = true};
	struct record record = {0};
	struct query_error error;
	struct query query;
	struct last *last = last_open(dump);
	struct out out;
	unsigned int events = 0;
	char damage[160];

	out_init(&out, -1);
	env.out = &out;
	for (size_t i = 0; formats[i]; i++)
		if (!(formats[i]->flags & (FORMAT_FILE | FORMAT_FOLDER)))
			each++->format = formats[i];
	query_init(&query);
	if (!last)
		abort();
	if (query_add(&query, "msg~=e,1", &error) || query_add(&query, "status!=200,x", &error))
		abort();
	show_in_all(all, &env);
	for (; events < EVENTS_MAX && dump_next(dump, &record.event); events++) {
		record.decoded = false;
		for (each = all; each->format; each++)
			if (each->format->event(each->state, &record))
				abort();
		last_take(last, &record.event);
		(void)query_match(&query, &record);
		out.bytes = 0;
	}
	for (each = all; each->format; each++)
		if (each->format->end(each->state, true))
			abort();
	dump_damage(dump, damage, sizeof(damage));
	info_text(&out, dump, last, NULL, true, true);
	info_json(&out, dump, last, NULL);
	last_close(last);
	for (each = all; each->format; each++)
		each->format->close(each->state);
	query_fini(&query);
	out_fini(&out);
}

static void try_bytes(const void *data, size_t bytes)
{
	struct dump *dump;
	const char *why;

	if (view_bytes(&dump, data, bytes, &why))
		return;
	show(dump);
	dump_close(dump);
}

struct file {
	unsigned char *data;
	size_t bytes;
};

static void put_frame(struct file *file, const uint8_t *content, size_t bytes)
{
	const LZ4F_preferences_t preferences = {
		.frameInfo = {.contentChecksumFlag = LZ4F_contentChecksumEnabled,
			      .contentSize = bytes},
	};
	size_t bound = LZ4F_compressFrameBound(bytes, &preferences);

	file->data = realloc(file->data, file->bytes + bound);
	if (!file->data)
		abort();
	file->bytes += LZ4F_compressFrame(file->data + file->bytes, bound, content, bytes, &preferences);
}

static void try_wrapped(const uint8_t *data, size_t size)
{
	static const unsigned char head[] = "\x50\x2a\x4d\x18\x11\0\0\0TTLOGDMP\1\0\1\0\0\0\0\0\xa0";
	struct file file = {malloc(sizeof(head)), sizeof(head) - 1};
	const uint8_t *end;
	size_t part;

	if (!file.data)
		abort();
	memcpy(file.data, head, sizeof(head));
	while (size) {
		end = memmem(data, size, "\xff\xff\xff\xff", 4);
		part = end ? (size_t)(end - data) : size;
		put_frame(&file, data, part);
		part = end ? part + 4 : part;
		data += part;
		size -= part;
	}
	try_bytes(file.data, file.bytes);
	free(file.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size && data[0] == 'W')
		try_wrapped(data + 1, size - 1);
	else
		try_bytes(data, size);
	return 0;
}
