/* SPDX-License-Identifier: MIT */
/*
 * race_read.c - threads with a dump each, at once: the library shares nothing between its handles.
 *
 * Reads the golden dumps; TSan is who would see it.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "viewer/ttlog_read.h"

#define THREADS 4
#define ROUNDS 8

static const char *const paths[] = {
	"tests/golden/1-fault.bin",
	"tests/golden/1-killed.bin",
	"tests/golden/1-snapshot.bin",
};

/* Events of a file with their fields; 0 is an error, too. */
static unsigned long read_one(const char *path, const char *query)
{
	const struct ttlog_read_options options = {.size = sizeof(options), .query = query};
	const struct ttlog_read_event *event;
	struct ttlog_read *dump;
	unsigned long seen = 0;

	if (ttlog_read_open(&dump, path, &options))
		return 0;
	while (ttlog_read_next(dump, &event) > 0)
		seen += 1 + event->field_count + (ttlog_read_field(dump, "arg1") != NULL);
	ttlog_read_close(dump);
	return seen;
}

static void *read_all(void *context)
{
	unsigned long *seen = context;

	for (unsigned int i = 0; i < ROUNDS; i++)
		for (size_t j = 0; j < sizeof(paths) / sizeof(*paths); j++)
			*seen += read_one(paths[j], i & 1 ? "level>=debug and time<T+1h and not msg=~N.th" : NULL);
	return NULL;
}

int main(void)
{
	unsigned long seen[THREADS] = {0};
	pthread_t thread[THREADS];

	for (unsigned int i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, read_all, &seen[i]))
			abort();
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned int i = 0; i < THREADS; i++)
		if (!seen[i] || seen[i] != seen[0]) {
			printf("thread %u saw %lu, the first %lu\n", i, seen[i], seen[0]);
			return 1;
		}
	printf("%d threads saw %lu each\n", THREADS, seen[0]);
	return 0;
}
