/* SPDX-License-Identifier: MIT */
/*
 * fuzz_tui.c - any bytes as a dump under the interactive view: its index, walks both ways, and all
 * its panes.
 *
 * An input that starts with 'W' holds the contents of frames, with four bytes 0xff between them, as
 * with fuzz_dump; one that starts with TTLOGIDX becomes the frame of the index. With 'X' instead an
 * index is made that fits, as far as what the batches say of themselves does.
 */
#include "viewer/tui.h"

#include <fcntl.h>
#include <lz4frame.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STEPS_MAX 3000
#define INDEX_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No 'S': nothing is saved. */
static const char keys[] =
	"gj \rE-T0xX]iG\rkb/e\rnN&level>=WARN and msg~=e\r\tqsj\r0aj qHo1I q?q:50%\rmDuCtt+e";

static void walk(struct paged *paged)
{
	uint64_t place[2], forwards = 0, backwards = 0;
	struct paged_item item;

	paged_start(paged, place);
	while (forwards < STEPS_MAX && paged_next(paged, place, &item))
		forwards++;
	if (paged_rank(paged, place) != forwards)
		abort();
	while (paged_prev(paged, place, &item))
		backwards++;
	if (forwards != backwards)
		abort();
}

/* A view that may not take long: each key gets the time of one look at the clock. */
static void drive(struct dump *dump)
{
	static struct selection selection;
	const struct tui_setup setup = {.dumps = &dump, .dump_count = 1, .selection = &selection};
	struct tui *tui;

	query_init(&selection.query);
	if (tui_open(&tui, &setup))
		return;
	walk(tui->paged);
	for (const char *key = keys; *key; key++) {
		tui_key(tui, (unsigned char)*key);
		tui_work(tui, 0);
		tui_draw(tui);
	}
	tui_close(tui);
	query_fini(&selection.query);
}

static void try_bytes(const void *data, size_t bytes)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct dump *dump;
	const char *why;
	char path[64];

	if (fd < 0 || (bytes && write(fd, data, bytes) != (ssize_t)bytes))
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (dump_open(&dump, path, &why) == 0) {
		drive(dump);
		dump_close(dump);
	}
	close(fd);
}

/* ---- inputs that are only contents ------------------------------------------------------------
 */

struct file {
	unsigned char *data;
	size_t bytes;
};

static unsigned char *room(struct file *file, size_t bytes)
{
	file->data = realloc(file->data, file->bytes + bytes);
	if (!file->data)
		abort();
	return file->data + file->bytes;
}

static void put_skippable(struct file *file, unsigned char magic, const uint8_t *content,
			  size_t bytes)
{
	const unsigned char head[8] = {magic,
				       0x2a,
				       0x4d,
				       0x18,
				       (unsigned char)bytes,
				       (unsigned char)(bytes >> 8),
				       (unsigned char)(bytes >> 16),
				       (unsigned char)(bytes >> 24)};
	unsigned char *to = room(file, sizeof(head) + bytes);

	memcpy(to, head, sizeof(head));
	memcpy(to + sizeof(head), content, bytes);
	file->bytes += sizeof(head) + bytes;
}

static void put_frame(struct file *file, const uint8_t *content, size_t bytes)
{
	const LZ4F_preferences_t preferences = {
		.frameInfo = {.contentChecksumFlag = LZ4F_contentChecksumEnabled,
			      .blockChecksumFlag = LZ4F_blockChecksumEnabled,
			      .contentSize = bytes},
	};
	size_t bound = LZ4F_compressFrameBound(bytes, &preferences);
	unsigned char *to = room(file, bound);

	file->bytes += LZ4F_compressFrame(to, bound, content, bytes, &preferences);
}

static void put_part(struct file *file, const uint8_t *content, size_t bytes)
{
	if (bytes >= 8 && memcmp(content, "TTLOGIDX", 8) == 0)
		put_skippable(file, 0x5f, content, bytes);
	else
		put_frame(file, content, bytes);
}

/* A CBOR head: what kind (in the upper three bits), and how many or how much. */
static void put_head(struct file *file, unsigned char kind, uint64_t number)
{
	unsigned char *to = room(file, 9);

	*to = kind | 27;
	for (unsigned int i = 0; i < 8; i++)
		to[1 + i] = (unsigned char)(number >> (56 - 8 * i));
	file->bytes += 9;
}

static void put_text(struct file *file, const char *text)
{
	put_head(file, 0x60, strlen(text));
	memcpy(room(file, strlen(text)), text, strlen(text));
	file->bytes += strlen(text);
}

/* The batches that were put so far. */
struct index {
	uint64_t offset[INDEX_MAX], events[INDEX_MAX], count, all;
};

static void index_add(struct index *index, uint64_t offset, const uint8_t *content, size_t bytes)
{
	struct dump_batch batch;

	if (index->count == INDEX_MAX || dump_batch_begin(&batch, content, bytes) || !batch.left)
		return;
	index->offset[index->count] = offset;
	index->events[index->count++] = batch.left;
}

static void put_index(struct file *file, struct index *index)
{
	struct file body = {0};

	memcpy(room(&body, 16), "TTLOGIDX\1\0\1\0\0\0\0\0", 16);
	body.bytes = 16;
	put_head(&body, 0xa0, 2);
	put_text(&body, "batches");
	put_head(&body, 0x80, index->count);
	for (uint64_t i = 0; i < index->count; i++) {
		put_head(&body, 0x80, 5);
		put_head(&body, 0, index->offset[i]);
		put_head(&body, 0, index->all);
		put_head(&body, 0, index->events[i]);
		put_head(&body, 0, i);
		put_head(&body, 0, i);
		index->all += index->events[i];
	}
	put_text(&body, "events");
	put_head(&body, 0, index->all);
	put_skippable(file, 0x5f, body.data, body.bytes);
	free(body.data);
}

static void try_wrapped(const uint8_t *data, size_t size, bool indexed)
{
	static struct index index;
	struct file file = {0};

	index.count = index.all = 0;

	put_skippable(&file, 0x50, (const uint8_t *)"TTLOGDMP\1\0\1\0\0\0\0\0\xa0", 17);
	while (size) {
		const uint8_t *end = memmem(data, size, "\xff\xff\xff\xff", 4);
		size_t part = end ? (size_t)(end - data) : size;

		index_add(&index, file.bytes, data, part);
		put_part(&file, data, part);
		part = end ? part + 4 : part;
		data += part;
		size -= part;
	}
	if (indexed)
		put_index(&file, &index);
	try_bytes(file.data, file.bytes);
	free(file.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size && (data[0] == 'W' || data[0] == 'X'))
		try_wrapped(data + 1, size - 1, data[0] == 'X');
	else
		try_bytes(data, size);
	return 0;
}
