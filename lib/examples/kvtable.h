/* SPDX-License-Identifier: MIT */
/* kvtable.h - kvserver's table: chained hashing in shards, a lock each. One table a program. */
#ifndef KVTABLE_H
#define KVTABLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS 64
#define BUCKETS 256
#define ENTRIES_PER_SHARD_MAX 65536
#define KEY_BYTES_MAX 64

struct entry {
	struct entry *next;
	char *value; /* NULL: deleted. The entry stays, the next SET of its key finds it */
	char key[KEY_BYTES_MAX + 1];
};

struct shard {
	_Alignas(64) pthread_mutex_t lock;
	struct entry *bucket[BUCKETS];
	size_t entries;
};

static struct shard shards[SHARDS];
static atomic_uint_fast64_t table_keys; /* that have a value */

static inline void table_init(void)
{
	for (int i = 0; i < SHARDS; i++)
		pthread_mutex_init(&shards[i].lock, NULL);
}

static inline uint32_t table_hash(const char *key)
{
	uint32_t h = 2166136261u;

	while (*key)
		h = (h ^ (unsigned char)*key++) * 16777619u;
	return h;
}

static inline struct shard *shard_lock(const char *key)
{
	struct shard *shard = &shards[table_hash(key) % SHARDS];

	pthread_mutex_lock(&shard->lock);
	return shard;
}

static inline struct entry *shard_find(struct shard *shard, const char *key)
{
	struct entry *entry = shard->bucket[table_hash(key) / SHARDS % BUCKETS];

	while (entry && strcmp(entry->key, key) != 0)
		entry = entry->next;
	return entry;
}

static inline struct entry *shard_insert(struct shard *shard, const char *key)
{
	struct entry **bucket = &shard->bucket[table_hash(key) / SHARDS % BUCKETS];
	struct entry *entry;

	if (shard->entries >= ENTRIES_PER_SHARD_MAX)
		return NULL;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	memcpy(entry->key, key, strlen(key) + 1);
	entry->next = *bucket;
	*bucket = entry;
	shard->entries++;
	return entry;
}

/* Stores a copy of value under key; the shard is locked. An HTTP-like status. */
static inline int shard_set(struct shard *shard, const char *key, const char *value)
{
	struct entry *entry = shard_find(shard, key);
	char *copy = strdup(value);

	if (!entry)
		entry = shard_insert(shard, key);
	if (!entry || !copy) {
		free(copy);
		return 507;
	}
	if (!entry->value)
		table_keys++;
	free(entry->value);
	entry->value = copy;
	return 200;
}

static inline void table_free(void)
{
	for (size_t i = 0; i < (size_t)SHARDS * BUCKETS; i++) {
		struct entry *entry = shards[i / BUCKETS].bucket[i % BUCKETS], *next;

		for (; entry; entry = next) {
			next = entry->next;
			free(entry->value);
			free(entry);
		}
	}
}

#endif
