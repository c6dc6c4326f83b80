/* SPDX-License-Identifier: MIT */
/*
 * region_by_hand.h - a region laid out after ttlog_abi.h by hand, so that the reader is tested
 * against the contract and not against the writer that we happen to have.
 */
#ifndef TESTS_REGION_BY_HAND_H
#define TESTS_REGION_BY_HAND_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/region.h"

struct by_hand {
	unsigned char *base;
	struct ttlog_geometry geometry;
	struct ttlog_region_header *header;
	struct ttlog_ledger *ledger;
};

/* Places the parts that a geometry names; what is in memory stays. */
static inline void by_hand_attach(struct by_hand *hand, void *memory,
				  const struct ttlog_geometry *geometry)
{
	hand->base = memory;
	hand->geometry = *geometry;
	hand->header = memory;
	hand->ledger = (void *)(hand->base + geometry->ledger_offset);
}

static inline void by_hand_header(struct by_hand *hand)
{
	struct ttlog_region_header *header = hand->header;
	const struct ttlog_geometry *geometry = &hand->geometry;

	header->version = TTLOG_ABI_VERSION;
	header->compatible = TTLOG_ABI_COMPATIBLE;
	header->header_bytes = sizeof(*header);
	header->region_bytes = geometry->region_bytes;
	header->control_offset = geometry->control_offset;
	header->ledger_offset = geometry->ledger_offset;
	header->dict_index_offset = geometry->dict_index_offset;
	header->dict_heap_offset = geometry->dict_heap_offset;
	header->dict_index_count = geometry->dict_index_count;
	header->dict_heap_bytes = geometry->dict_heap_bytes;
	header->channels_offset = geometry->channels_offset;
	header->channel_count = geometry->channel_count;
	header->lane_count = geometry->lane_count;
	memcpy(header->service, "by hand", 8);
	memcpy(header->lane, geometry->lane, sizeof(header->lane));
	atomic_store(&header->magic, TTLOG_REGION_MAGIC);
	atomic_store(&hand->ledger->dict_next_id, 1);
	atomic_store(&hand->ledger->dict_next_offset, 8);
}

/* A fresh region of the smallest size; by_hand_free() it. */
static inline void by_hand_make(struct by_hand *hand)
{
	struct ttlog_geometry plan;
	void *memory;

	ttlog_region_plan(TTLOG_REGION_BYTES_MIN, &plan);
	memory = aligned_alloc(TTLOG_PAGE_BYTES, plan.region_bytes);
	assert(memory);
	memset(memory, 0, plan.region_bytes);
	by_hand_attach(hand, memory, &plan);
	by_hand_header(hand);
}

static inline void by_hand_free(struct by_hand *hand)
{
	free(hand->base);
}

/* ---- the dictionary -------------------------------------------------------------------------- */

/* A record under construction. */
struct by_hand_record {
	struct ttlog_dict_record head;
	unsigned char body[8192];
	uint32_t body_bytes;
};

static inline void by_hand_add(struct by_hand_record *record, const void *data, size_t size)
{
	assert(record->body_bytes + size <= sizeof(record->body));
	if (size)
		memcpy(record->body + record->body_bytes, data, size);
	record->body_bytes += (uint32_t)size;
}

static inline void by_hand_add_string(struct by_hand_record *record, const char *string)
{
	by_hand_add(record, string, strlen(string) + 1);
}

/* Puts a record into the heap without an entry; returns its offset. */
static inline uint32_t by_hand_put(struct by_hand *hand, struct by_hand_record *record)
{
	uint32_t offset = atomic_load(&hand->ledger->dict_next_offset);
	unsigned char *to = hand->base + hand->geometry.dict_heap_offset + offset;

	if (record->head.bytes == 0)
		record->head.bytes = (uint32_t)(sizeof(record->head) + record->body_bytes + 7) &
				     ~7u;
	memcpy(to, &record->head, sizeof(record->head));
	memcpy(to + sizeof(record->head), record->body, record->body_bytes);
	atomic_store(&hand->ledger->dict_next_offset,
		     offset + ((uint32_t)(sizeof(record->head) + record->body_bytes + 7) & ~7u));
	return offset;
}

static inline _Atomic uint64_t *by_hand_index(const struct by_hand *hand)
{
	return (void *)(hand->base + hand->geometry.dict_index_offset);
}

/* The next id for what lies at that offset. */
static inline uint32_t by_hand_enter(struct by_hand *hand, uint32_t offset)
{
	uint32_t id = atomic_fetch_add(&hand->ledger->dict_next_id, 1);

	atomic_store(&by_hand_index(hand)[id], UINT64_C(0x12345678) << 32 | offset);
	return id;
}

/* A site "message" of target "target" whose fields are called f0, f1, ... */
static inline struct by_hand_record by_hand_site_record(const uint8_t *types, uint8_t count)
{
	struct by_hand_record record = {
		.head = {.kind = TTLOG_DICT_SITE,
			 .level = TTLOG_INFO,
			 .field_count = count,
			 .line = 7},
	};
	char name[] = "f?";

	by_hand_add(&record, types, count);
	by_hand_add_string(&record, "target");
	by_hand_add_string(&record, "message");
	by_hand_add_string(&record, "file.c");
	by_hand_add_string(&record, "function");
	for (uint8_t i = 0; i < count; i++) {
		name[1] = (char)('0' + i);
		by_hand_add_string(&record, name);
	}
	return record;
}

static inline uint32_t by_hand_site(struct by_hand *hand, const uint8_t *types, uint8_t count)
{
	struct by_hand_record record = by_hand_site_record(types, count);

	return by_hand_enter(hand, by_hand_put(hand, &record));
}

static inline uint32_t by_hand_string(struct by_hand *hand, const char *string)
{
	struct by_hand_record record = {.head = {.kind = TTLOG_DICT_STRING}};

	by_hand_add_string(&record, string);
	return by_hand_enter(hand, by_hand_put(hand, &record));
}

/* ---- chunks ---------------------------------------------------------------------------------- */

static inline struct ttlog_chunk_record *by_hand_record_of(const struct by_hand *hand,
							   uint32_t lane, uint32_t index)
{
	return (struct ttlog_chunk_record *)(void *)(hand->base +
						     hand->geometry.lane[lane].records_offset) +
	       index;
}

static inline _Atomic uint64_t *by_hand_state(const struct by_hand *hand, uint32_t lane,
					      uint32_t index)
{
	return &by_hand_record_of(hand, lane, index)->state;
}

static inline struct ttlog_account *by_hand_account(const struct by_hand *hand, uint32_t lane,
						    uint32_t index, uint64_t generation)
{
	return &by_hand_record_of(hand, lane, index)->account[generation & 1];
}

static inline unsigned char *by_hand_chunk(const struct by_hand *hand, uint32_t lane,
					   uint32_t index)
{
	const struct ttlog_lane_geometry *geometry = &hand->geometry.lane[lane];

	return hand->base + geometry->chunks_offset + (uint64_t)index * geometry->chunk_bytes;
}

static inline void by_hand_set_state(const struct by_hand *hand, uint32_t lane, uint32_t index,
				     uint64_t generation, uint32_t tid,
				     enum ttlog_chunk_state state)
{
	atomic_store(by_hand_state(hand, lane, index), TTLOG_STATE(generation, tid, state));
}

/* One thread's chunk while it is written. */
struct by_hand_writer {
	struct by_hand *hand;
	unsigned char *chunk;
	uint32_t lane, index, offset;
};

/* An empty chunk of generation 1, OWNED. */
static inline struct by_hand_writer by_hand_take(struct by_hand *hand, uint32_t lane,
						 uint32_t index, uint32_t tid, const char *name,
						 uint64_t ticks)
{
	struct by_hand_writer writer = {hand, by_hand_chunk(hand, lane, index), lane, index,
					TTLOG_CHUNK_FIRST};
	struct ttlog_chunk *head = (void *)writer.chunk;
	size_t length = strlen(name);

	memset(writer.chunk, 0, hand->geometry.lane[lane].chunk_bytes);
	head->tid = tid;
	head->taken_ticks = ticks;
	memcpy(head->thread_name, name,
	       length < TTLOG_THREAD_NAME_BYTES ? length : TTLOG_THREAD_NAME_BYTES);
	by_hand_set_state(hand, lane, index, 1, tid, TTLOG_CHUNK_OWNED);
	return writer;
}

static inline void by_hand_word(unsigned char *at, uint64_t word)
{
	__atomic_store_n((uint64_t *)(void *)at, word, __ATOMIC_RELEASE);
}

/* An event with flags; size 0 takes the size that the payload needs. Returns where it starts. */
static inline unsigned char *by_hand_event(struct by_hand_writer *writer, uint32_t site,
					   uint32_t flags, uint64_t ticks, const void *payload,
					   uint32_t payload_bytes, uint32_t size)
{
	unsigned char *event = writer->chunk + writer->offset;
	uint32_t needed = (16 + payload_bytes + 7) & ~7u;

	assert(writer->offset + needed <=
	       writer->hand->geometry.lane[writer->lane].chunk_bytes - 8);
	by_hand_word(event + needed, 0);
	by_hand_word(event + 8, ticks);
	if (payload_bytes)
		memcpy(event + 16, payload, payload_bytes);
	by_hand_word(event, (uint64_t)site << 32 | flags << 16 | (size ? size : needed));
	writer->offset += needed;
	return event;
}

/* An event of a site with one u64. */
static inline unsigned char *by_hand_number(struct by_hand_writer *writer, uint32_t site,
					    uint64_t ticks, uint64_t number)
{
	return by_hand_event(writer, site, 0, ticks, &number, sizeof(number), 0);
}

static inline void by_hand_retire(struct by_hand_writer *writer)
{
	by_hand_set_state(writer->hand, writer->lane, writer->index, 1, 0, TTLOG_CHUNK_RETIRED);
}

#endif
