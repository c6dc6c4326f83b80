/* SPDX-License-Identifier: MIT */
/*
 * kvproof.c - is every event that kvserver recorded in the dump?
 *
 *     ttlog-view --format json DUMP | kvproof --count-file FILE [--overwritten N]
 *
 * Two witnesses: the counts that the threads of kvserver kept in a shared file (recorded), and the
 * events of the dump, each with its thread and its number n in that thread. A thread that was killed
 * between the end of a call and its own count has one event more than it counted: that is no error.
 * Prints one line; exit 0 when nothing is missing, 1 when something is, 2 usage.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kvcount.h"

/*
 * Of each thread, the newest that must be there even when older events were overwritten: it is in the chunk
 * that the thread has. The one before that may be anybody's when the thread had to wait for long.
 */
#define NEWEST 1

struct tally {
	uint64_t recorded;
	uint64_t in_dump, twice, newest_missing, uncounted;
	unsigned char *seen; /* recorded + 2 of them, by n */
};

static struct tally tallies[KV_THREADS_MAX];

/* The number behind "name": in a line of JSON. Inside a string the quotes would be escaped. */
static bool number_find(const char *line, const char *quoted_name, uint64_t *ret_number)
{
	const char *at = strstr(line, quoted_name);
	char *end;

	if (!at)
		return false;
	at += strlen(quoted_name);
	at += strspn(at, " :");
	*ret_number = strtoull(at, &end, 10);
	return end != at;
}

static int tallies_begin(const struct kv_counts *counts)
{
	for (int i = 0; i < KV_THREADS_MAX; i++) {
		tallies[i].recorded = kv_count_load(&counts->thread[i]);
		if (tallies[i].recorded > UINT32_MAX)
			return -EBADMSG;
		tallies[i].seen = calloc(tallies[i].recorded + 2, 1);
		if (!tallies[i].seen)
			return -ENOMEM;
	}
	return 0;
}

/* Events that no thread claims: their number. */
static uint64_t dump_read(const struct kv_counts *counts)
{
	uint64_t tid, n, strangers = 0;
	size_t room = 0;
	char *line = NULL;
	int i;

	while (getline(&line, &room, stdin) > 0) {
		if (!number_find(line, "\"tid\"", &tid) || !number_find(line, "\"n\"", &n)) {
			strangers++;
			continue;
		}
		for (i = 0; i < KV_THREADS_MAX && (tid == 0 || counts->thread[i].tid != tid); i++)
			;
		if (i == KV_THREADS_MAX || n == 0 || n > tallies[i].recorded + 1) {
			strangers++;
			continue;
		}
		tallies[i].twice += tallies[i].seen[n];
		tallies[i].seen[n] = 1;
		tallies[i].in_dump++;
	}
	free(line);
	return strangers;
}

static void tally_check(struct tally *tally)
{
	uint64_t oldest = tally->recorded > NEWEST ? tally->recorded - NEWEST + 1 : 1;

	for (uint64_t n = oldest; n <= tally->recorded; n++)
		tally->newest_missing += !tally->seen[n];
	tally->uncounted = tally->seen[tally->recorded + 1];
}

static int verdict(uint64_t overwritten, uint64_t strangers)
{
	struct tally all = {0};
	int64_t missing;
	bool fine;

	for (int i = 0; i < KV_THREADS_MAX; i++) {
		tally_check(&tallies[i]);
		all.recorded += tallies[i].recorded;
		all.in_dump += tallies[i].in_dump;
		all.twice += tallies[i].twice;
		all.newest_missing += tallies[i].newest_missing;
		all.uncounted += tallies[i].uncounted;
	}
	all.in_dump -= all.uncounted;
	missing = (int64_t)(all.recorded - all.in_dump - overwritten);
	fine = missing == 0 && !all.newest_missing && !all.twice && !strangers && all.recorded;
	printf("recorded %" PRIu64 ", in the dump %" PRIu64 ", overwritten %" PRIu64 ", missing %" PRId64,
	       all.recorded, all.in_dump, overwritten, missing);
	if (all.uncounted)
		printf(" (and %" PRIu64 " whose thread died before it had counted)", all.uncounted);
	if (all.newest_missing || all.twice || strangers)
		printf("; of each thread's newest %d missing %" PRIu64 ", twice %" PRIu64 ", not ours %" PRIu64,
		       NEWEST, all.newest_missing, all.twice, strangers);
	printf("\n");
	return fine ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct option table[] = {
		{"count-file", 1, NULL, 'c'}, {"overwritten", 1, NULL, 'o'}, {NULL, 0, NULL, 0}};
	const char *count_file = NULL;
	const struct kv_counts *counts;
	uint64_t overwritten = 0;
	int option;

	while ((option = getopt_long(argc, argv, "c:o:", table, NULL)) != -1) {
		if (option == 'c')
			count_file = optarg;
		else if (option != 'o' || !number_find(optarg, "", &overwritten))
			count_file = NULL, optind = argc + 1;
	}
	if (!count_file || optind != argc) {
		fprintf(stderr, "usage: kvproof --count-file FILE [--overwritten N] < events.json\n");
		return 2;
	}
	counts = kv_counts_map(count_file, false);
	if (!counts || counts->magic != KV_COUNTS_MAGIC || tallies_begin(counts) < 0) {
		fprintf(stderr, "kvproof: %s: cannot be used\n", count_file);
		return 2;
	}
	return verdict(overwritten, dump_read(counts));
}
