/* SPDX-License-Identifier: MIT */
/*
 * race_read.c - threads with a dump each, at once: the library shares nothing between its handles.
 *
 * Reads the golden dumps, and one whose values have names that were made; TSan is who would see it.
 */
#include <pthread.h>

#include "tests/made_dump.h"
#include "viewer/ttlog_read.h"

#define THREADS 4
#define ROUNDS 8

static char made_path[64];

static const char *const paths[] = {
	made_path,
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

/* Events without names for their values; the descriptor of their dump. */
static int make_dump(void)
{
	static const uint8_t types[] = {TTLOG_TYPE_I32, TTLOG_TYPE_STRING, 0};
	int fd = memfd_create("race", MFD_CLOEXEC);

	made_begin();
	made_site(TTLOG_WARN, "main", "%03d tries for %s", types, NULL);
	for (unsigned int i = 0; i < 1000; i++) {
		struct made_event *event = made_event(999000000 + i, i & 1, 1);

		made_text(event, 1, "/a b");
		/* One that the dump does not describe: nobody but the reader has names for its values. */
		if (i & 2)
			event->site = 50;
	}
	if (fd < 0 || dump_write(fd, &made, &made.facts))
		abort();
	snprintf(made_path, sizeof(made_path), "/proc/self/fd/%d", fd);
	return fd;
}

int main(void)
{
	unsigned long seen[THREADS] = {0};
	pthread_t thread[THREADS];
	int fd = make_dump();

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
	close(fd);
	free(made.event);
	printf("%d threads saw %lu each\n", THREADS, seen[0]);
	return 0;
}
