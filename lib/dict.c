/* SPDX-License-Identifier: MIT */
/* dict.c - see dict.h. The layout is in ttlog_abi.h, "dictionary". */
#include "lib/dict.h"

#include <errno.h>
#include <string.h>

#include "lib/encode.h"

#define NAME_BYTES_MAX 63
#define PATH_BYTES_MAX 255
/* header, types, target, message, file, function, their NULs, names with theirs, padding */
#define PARTS_MAX (12 + 2 * TTLOG_FIELDS_MAX)

/* A record in pieces, so that it is hashed, compared and written without a buffer: handlers run on
 * small stacks. */
struct record {
	struct ttlog_dict_record head;
	uint32_t count;
	struct {
		const void *data;
		uint32_t size;
	} part[PARTS_MAX];
};

static const char zeros[8];

static void add_part(struct record *record, const void *data, size_t size)
{
	record->part[record->count].data = data;
	record->part[record->count++].size = (uint32_t)size;
	record->head.bytes += (uint32_t)size;
}

static void add_string(struct record *record, const char *string, size_t max)
{
	size_t length = string ? strnlen(string, max + 1) : 0;

	if (length > max)
		length = ttlog_cut_string(string, (uint32_t)max);
	add_part(record, length ? string : "", length);
	add_part(record, zeros, 1);
}

/* The stem of a path: what a target is called that was not named. */
static void add_stem(struct record *record, const char *file)
{
	const char *slash = strrchr(file, '/');
	const char *stem = slash ? slash + 1 : file;
	const char *dot = strrchr(stem, '.');
	size_t length = dot && dot != stem ? (size_t)(dot - stem) : strlen(stem);

	if (length > NAME_BYTES_MAX)
		length = ttlog_cut_string(stem, NAME_BYTES_MAX);
	add_part(record, stem, length);
	add_part(record, zeros, 1);
}

static void finish(struct record *record)
{
	uint32_t over = record->head.bytes & 7;

	if (over)
		add_part(record, zeros, 8 - over);
}

/* FNV-1a over all of it, the header too; never 0, so that a committed entry never is. */
static uint32_t hash_of(const struct record *record)
{
	uint32_t hash = 2166136261u;

	for (uint32_t i = 0; i < record->count; i++) {
		const unsigned char *byte = record->part[i].data;

		for (uint32_t n = 0; n < record->part[i].size; n++)
			hash = (hash ^ byte[n]) * 16777619u;
	}
	return hash ? hash : 1;
}

static _Atomic uint64_t *index_of(const struct ttlog_place *place)
{
	return (_Atomic uint64_t *)(void *)(place->base + place->geometry.dict_index_offset);
}

static unsigned char *heap_of(const struct ttlog_place *place)
{
	return place->base + place->geometry.dict_heap_offset;
}

static int same(const struct record *record, uint32_t offset)
{
	const unsigned char *at = heap_of(&ttlog_place_) + offset;

	if (record->head.bytes > ttlog_place_.geometry.dict_heap_bytes - offset)
		return 0;
	for (uint32_t i = 0; i < record->count; i++) {
		if (memcmp(at, record->part[i].data, record->part[i].size) != 0)
			return 0;
		at += record->part[i].size;
	}
	return 1;
}

/* The id under which the very same record is there already, 0 if it is not. */
static uint32_t find(const struct record *record, uint32_t hash)
{
	struct ttlog_ledger *ledger = ttlog_process_ledger();
	_Atomic uint64_t *index = index_of(&ttlog_place_);
	uint32_t limit = atomic_load_explicit(&ledger->dict_next_id, memory_order_relaxed);

	for (uint32_t id = 1; id < limit && id < ttlog_place_.geometry.dict_index_count; id++) {
		/* Pairs with the release in commit(). */
		uint64_t entry = atomic_load_explicit(&index[id], memory_order_acquire);

		if (entry && TTLOG_DICT_HASH(entry) == hash &&
		    same(record, TTLOG_DICT_OFFSET(entry)))
			return id;
	}
	return 0;
}

/* Moves a head of the ledger on by `step`; 0 when that would pass the limit. The first is `first`.
 */
static uint32_t reserve(_Atomic uint32_t *head, uint32_t first, uint32_t step, uint32_t limit)
{
	uint32_t now = atomic_load_explicit(head, memory_order_relaxed);
	uint32_t start;

	do {
		start = now ? now : first;
		if (step > limit || start > limit - step)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(
		head, &now, start + step, memory_order_acq_rel, memory_order_relaxed));
	return start;
}

/*
 * Room first, id second: whoever sees an id given out knows that its room was (ttlog_dict_carry()
 * counts on it). A death in between leaves an empty entry, or bytes that nobody points to.
 */
static uint32_t commit(const struct record *record, uint32_t hash)
{
	struct ttlog_ledger *ledger = ttlog_process_ledger();
	const struct ttlog_geometry *geometry = &ttlog_place_.geometry;
	uint32_t offset = reserve(&ledger->dict_next_offset, 8, record->head.bytes,
				  geometry->dict_heap_bytes);
	uint32_t id = offset ? reserve(&ledger->dict_next_id, 1, 1, geometry->dict_index_count) : 0;
	unsigned char *to = heap_of(&ttlog_place_) + offset;

	if (!id) {
		atomic_fetch_add_explicit(&ledger->dict_full, 1, memory_order_relaxed);
		return 0;
	}
	for (uint32_t i = 0; i < record->count; i++) {
		memcpy(to, record->part[i].data, record->part[i].size);
		to += record->part[i].size;
	}
	/* Publishes the record; pairs with the acquire of find() and of the reader's copy. */
	atomic_store_explicit(&index_of(&ttlog_place_)[id], (uint64_t)hash << 32 | offset,
			      memory_order_release);
	return id;
}

static uint32_t enter(struct record *record)
{
	uint32_t hash, id;

	finish(record);
	hash = hash_of(record);
	id = find(record, hash);
	return id ? id : commit(record, hash);
}

static int check_site(const struct ttlog_site *site)
{
	if (site->level > TTLOG_FATAL || site->field_count > TTLOG_FIELDS_MAX)
		return -EINVAL;
	if (site->field_count &&
	    (!site->types || (!(site->flags & TTLOG_SITE_PRINTF) && !site->names)))
		return -EINVAL;
	for (uint32_t i = 0; i < site->field_count; i++)
		if (site->types[i] == 0 || site->types[i] >= TTLOG_TYPE_COUNT)
			return -EINVAL;
	return 0;
}

int ttlog_dict_add_site(struct ttlog_site *site)
{
	struct record record = {.head = {.kind = TTLOG_DICT_SITE}};
	uint64_t none = 0;
	uint32_t id;
	int error = check_site(site);

	if (error)
		return error;
	record.head.level = site->level;
	record.head.field_count = site->field_count;
	record.head.flags = site->flags & TTLOG_SITE_PRINTF;
	record.head.line = site->line;
	add_part(&record, &record.head, sizeof(record.head));
	add_part(&record, site->types ? (const void *)site->types : zeros, site->field_count);
	if (site->target)
		add_string(&record, site->target, NAME_BYTES_MAX);
	else
		add_stem(&record, site->file ? site->file : "");
	add_string(&record, site->message, TTLOG_DICT_STRING_MAX);
	add_string(&record, site->file, PATH_BYTES_MAX);
	add_string(&record, site->function, PATH_BYTES_MAX);
	for (uint32_t i = 0; i < site->field_count && !(site->flags & TTLOG_SITE_PRINTF); i++)
		add_string(&record, site->names[i], NAME_BYTES_MAX);
	id = enter(&record);
	if (!id)
		return -ENOSPC;
	/*
	 * Another thread may have been first; its id is as good. Release: who records by this word
	 * commits an event that depends on it, so a reader that sees the event finds the record. What
	 * a reader of a living region misses there, it takes for nothing.
	 */
	__atomic_compare_exchange_n(&site->word, &none, (uint64_t)id << 32, 0, __ATOMIC_RELEASE,
				    __ATOMIC_RELAXED);
	return 0;
}

uint32_t ttlog_dict_add_string(const char *string)
{
	struct record record = {.head = {.kind = TTLOG_DICT_STRING}};

	add_part(&record, &record.head, sizeof(record.head));
	add_string(&record, string, TTLOG_DICT_STRING_MAX);
	return enter(&record);
}

int ttlog_dict_fits(const struct ttlog_geometry *from, const struct ttlog_geometry *to)
{
	return from->dict_index_count <= to->dict_index_count &&
	       from->dict_heap_bytes <= to->dict_heap_bytes;
}

/*
 * The order of the four loads makes the copy whole: an id that is seen has its room below the
 * offset that is seen later, and an entry that is seen has its record written.
 */
void ttlog_dict_carry(const struct ttlog_place *from, const struct ttlog_place *to)
{
	struct ttlog_ledger *old = (void *)(from->base + from->geometry.ledger_offset);
	struct ttlog_ledger *new = (void *)(to->base + to->geometry.ledger_offset);
	uint32_t id_limit = atomic_load_explicit(&old->dict_next_id, memory_order_acquire);
	uint32_t offset_limit;

	for (uint32_t id = 1; id < id_limit && id < from->geometry.dict_index_count; id++)
		atomic_store_explicit(&index_of(to)[id],
				      atomic_load_explicit(&index_of(from)[id],
							   memory_order_acquire),
				      memory_order_relaxed);
	offset_limit = atomic_load_explicit(&old->dict_next_offset, memory_order_acquire);
	if (offset_limit > from->geometry.dict_heap_bytes)
		offset_limit = from->geometry.dict_heap_bytes;
	memcpy(heap_of(to), heap_of(from), offset_limit);
	atomic_store_explicit(&new->dict_next_id, id_limit, memory_order_relaxed);
	atomic_store_explicit(&new->dict_next_offset, offset_limit, memory_order_relaxed);
}
