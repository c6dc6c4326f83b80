/* SPDX-License-Identifier: MIT */
/*
 * reader_dict.c - the dictionary: copied once, then only the copy is looked at.
 *
 * An entry that makes no sense is an unknown id. All records together can't be larger than the
 * heap: a region that points at the same bytes again and again would otherwise be blown up in the
 * dump.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/reader_parts.h"

#define RECORD_BYTES_MIN 24u /* the head, and at least a NUL */

const struct reader_site *ttlog_reader_dict_site(const struct reader_dict *dict, uint32_t id)
{
	return id < dict->id_limit ? dict->entry[id].site : NULL;
}

void ttlog_reader_dict_free(struct reader_dict *dict)
{
	free(dict->heap);
	free(dict->entry);
	free(dict->site);
}

/* The string at *cursor, which moves behind its NUL. NULL: it does not end before `end`. */
static const char *string_take(const unsigned char **cursor, const unsigned char *end)
{
	const unsigned char *string = *cursor;
	size_t room = (size_t)(end - string);
	const unsigned char *nul;

	if (room > TTLOG_DICT_STRING_MAX + 1)
		room = TTLOG_DICT_STRING_MAX + 1;
	nul = memchr(string, '\0', room);
	if (!nul)
		return NULL;
	*cursor = nul + 1;
	return (const char *)string;
}

static bool types_take(struct reader_site *site, const unsigned char *types, uint32_t count)
{
	site->seen.types = types;
	site->is_fixed = true;
	for (uint32_t i = 0; i < count; i++) {
		if (types[i] == 0 || types[i] >= TTLOG_TYPE_COUNT)
			return false;
		if (types[i] == TTLOG_TYPE_STRING || types[i] == TTLOG_TYPE_BYTES)
			site->is_fixed = false;
		site->payload_bytes += ttlog_reader_scalar_bytes(types[i]);
	}
	return true;
}

static bool names_take(struct ttlog_reader_site *site, const unsigned char **cursor,
		       const unsigned char *end)
{
	for (uint32_t i = 0; i < site->field_count; i++) {
		site->names[i] = site->flags & TTLOG_SITE_PRINTF ? "" : string_take(cursor, end);
		if (!site->names[i])
			return false;
	}
	return true;
}

static bool site_take(struct reader_site *site, uint32_t id, const struct ttlog_dict_record *record,
		      const unsigned char *body, const unsigned char *end)
{
	struct ttlog_reader_site *seen = &site->seen;

	memset(site, 0, sizeof(*site));
	if (record->level > TTLOG_FATAL || record->field_count > TTLOG_FIELDS_MAX ||
	    record->field_count > end - body)
		return false;
	seen->id = id;
	seen->level = record->level;
	seen->flags = record->flags;
	seen->field_count = record->field_count;
	seen->line = record->line;
	if (!types_take(site, body, record->field_count))
		return false;
	body += record->field_count;
	seen->target = string_take(&body, end);
	seen->message = seen->target ? string_take(&body, end) : NULL;
	seen->file = seen->message ? string_take(&body, end) : NULL;
	seen->function = seen->file ? string_take(&body, end) : NULL;
	return seen->function && names_take(seen, &body, end);
}

/* Fills the entry of that id. The bytes of the record at offset, or 0: it is no good. */
static uint32_t record_take(struct reader_dict *dict, uint32_t id, uint32_t offset,
			    struct reader_site *site)
{
	const unsigned char *body, *end;
	struct ttlog_dict_record record;

	if (offset < 8 || offset % 8 != 0 || offset > dict->heap_bytes ||
	    dict->heap_bytes - offset < RECORD_BYTES_MIN)
		return 0;
	memcpy(&record, dict->heap + offset, sizeof(record));
	if (record.bytes < RECORD_BYTES_MIN || record.bytes % 8 != 0 ||
	    record.bytes > dict->heap_bytes - offset)
		return 0;
	body = dict->heap + offset + sizeof(record);
	end = dict->heap + offset + record.bytes;
	if (record.kind == TTLOG_DICT_SITE && site_take(site, id, &record, body, end))
		dict->entry[id].site = site;
	else if (record.kind == TTLOG_DICT_STRING)
		dict->entry[id].string = string_take(&body, end);
	return dict->entry[id].site || dict->entry[id].string ? record.bytes : 0;
}

/* Before the heap is copied: so no entry is newer than its record. */
static uint64_t *index_copy(struct reader_dict *dict, const unsigned char *base,
			    const struct ttlog_geometry *geometry)
{
	const struct ttlog_ledger *ledger = (const void *)(base + geometry->ledger_offset);
	const _Atomic uint64_t *index = (const void *)(base + geometry->dict_index_offset);
	uint64_t *copy;

	dict->id_limit = atomic_load_explicit(&ledger->dict_next_id, memory_order_relaxed);
	if (dict->id_limit > geometry->dict_index_count)
		dict->id_limit = geometry->dict_index_count;
	copy = malloc((dict->id_limit + 1) * sizeof(*copy));
	if (!copy)
		return NULL;
	/* Pairs with the release that commits a record. */
	for (uint32_t id = 0; id < dict->id_limit; id++)
		copy[id] = atomic_load_explicit(&index[id], memory_order_acquire);
	return copy;
}

static int heap_copy(struct reader_dict *dict, const unsigned char *base,
		     const struct ttlog_geometry *geometry)
{
	const struct ttlog_ledger *ledger = (const void *)(base + geometry->ledger_offset);

	dict->heap_bytes = atomic_load_explicit(&ledger->dict_next_offset, memory_order_relaxed);
	if (dict->heap_bytes > geometry->dict_heap_bytes)
		dict->heap_bytes = geometry->dict_heap_bytes;
	dict->heap = malloc(dict->heap_bytes + 1);
	if (!dict->heap)
		return -ENOMEM;
	reader_copy_bytes(dict->heap, base + geometry->dict_heap_offset, dict->heap_bytes);
	atomic_signal_fence(memory_order_seq_cst);
	return 0;
}

int ttlog_reader_dict_copy(struct reader_dict *dict, const unsigned char *base,
			   const struct ttlog_geometry *geometry)
{
	uint32_t site_count = 0, site_max;
	uint64_t *index, total_bytes = 0;
	int error = -ENOMEM;

	index = index_copy(dict, base, geometry);
	if (!index || heap_copy(dict, base, geometry) != 0)
		goto out;
	site_max = dict->heap_bytes / RECORD_BYTES_MIN + 1;
	dict->entry = calloc(dict->id_limit + 1, sizeof(*dict->entry));
	dict->site = malloc(site_max * sizeof(*dict->site));
	if (!dict->entry || !dict->site)
		goto out;
	for (uint32_t id = 1; id < dict->id_limit; id++) {
		total_bytes += record_take(dict, id, TTLOG_DICT_OFFSET(index[id]),
					   &dict->site[site_count]);
		if (total_bytes > dict->heap_bytes) {
			memset(&dict->entry[id], 0, sizeof(dict->entry[id]));
			break;
		}
		site_count += dict->entry[id].site != NULL;
	}
	error = 0;
out:
	free(index);
	return error;
}
