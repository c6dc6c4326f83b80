/* SPDX-License-Identifier: MIT */
/*
 * fuzz_keep.c - any files in the recorder's folder, torn or made up, with names of dumps or almost:
 * read once and again, chosen from, and what a recorder remembers of them when it is started.
 *
 * An input is six bytes of limits, then files: a byte that tells two of them apart, the length of
 * what is inside (two bytes), and that. TAG_NAMED: the first byte of it is the length of a name
 * that comes next.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder/keep_choose.h"
#include "recorder/keep_found.h"
#include "recorder/keep_loops.h"
#include "recorder/last_deaths.h"

#define LIMITS_BYTES 6
#define TAG_NAMED 255
#define FILES_MAX 64
#define NOW_NS UINT64_C(1700000000000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64];
static int dir_fd = -1;

static void require(int truth)
{
	if (!truth)
		abort();
}

static void remove_folder(void)
{
	close(dir_fd);
	rmdir(folder);
}

static void open_folder(void)
{
	if (dir_fd >= 0)
		return;
	strcpy(folder, "/tmp/ttlog-fuzz-keep-XXXXXX");
	require(mkdtemp(folder) != NULL);
	dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	require(dir_fd >= 0);
	atexit(remove_folder);
}

/* Returns how many there were. */
static size_t empty_folder(void)
{
	const int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	size_t count = 0;

	require(dir != NULL);
	for (const struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.' && !unlinkat(dir_fd, entry->d_name, 0);
	closedir(dir);
	return count;
}

/* ---- files ------------------------------------------------------------------------------ */

struct input {
	const uint8_t *at, *end;
};

static void write_file(const char *name, const uint8_t *data, size_t bytes)
{
	int fd;

	/* A name that the folder can't have, or that would leave it. */
	if (!keep_index_is_name(name) || strchr(name, '/') || strlen(name) > NAME_MAX)
		return;
	unlinkat(dir_fd, name, 0);
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	require(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes);
	close(fd);
}

static bool take_file(struct input *input)
{
	char name[256];
	size_t bytes, name_bytes;
	uint8_t tag;

	if (input->end - input->at < 3)
		return false;
	tag = input->at[0];
	bytes = input->at[1] | (size_t)input->at[2] << 8;
	input->at += 3;
	if (bytes > (size_t)(input->end - input->at))
		bytes = (size_t)(input->end - input->at);
	if (tag != TAG_NAMED) {
		snprintf(name, sizeof(name), "ttlog-%u-202311142212%02u-sigsegv.bin", tag / 60 + 1u,
			 tag % 60u);
		write_file(name, input->at, bytes);
	} else if (bytes) {
		name_bytes = input->at[0] < bytes ? input->at[0] : bytes - 1;
		memcpy(name, input->at + 1, name_bytes);
		name[name_bytes] = '\0';
		write_file(name, input->at + 1 + name_bytes, bytes - 1 - name_bytes);
	}
	input->at += bytes;
	return true;
}

/* ---- what must be true ------------------------------------------------------------------ */

static void check_dump(const struct keep_dump *dump)
{
	const struct summary *summary = &dump->summary;
	struct stat status;

	require(keep_index_is_name(dump->name) && keep_index_is_there(dump, dir_fd, &status));
	require(memchr(summary->service, '\0', sizeof(summary->service)) != NULL);
	require(memchr(summary->set, '\0', sizeof(summary->set)) != NULL);
	require(memchr(summary->set_role, '\0', sizeof(summary->set_role)) != NULL);
}

static void check_index(const struct keep_index *index)
{
	for (size_t i = 0; i < index->count; i++) {
		const struct keep_dump *dump = index->dump[i],
				       *before = i ? index->dump[i - 1] : NULL;

		check_dump(dump);
		require(!before || before->summary.created_ns < dump->summary.created_ns ||
			(before->summary.created_ns == dump->summary.created_ns &&
			 strcmp(before->name, dump->name) < 0));
	}
	require(!index->left_out);
}

/* Whoever reads the folder for the first time sees the same. */
static void check_the_same(const struct keep_index *index)
{
	struct keep_index other = {0};

	require(!keep_index_scan(&other, dir_fd, geteuid()));
	require(other.count == index->count && other.unreadable == index->unreadable);
	for (size_t i = 0; i < other.count; i++)
		require(!strcmp(other.dump[i]->name, index->dump[i]->name) &&
			other.dump[i]->inode == index->dump[i]->inode &&
			!strcmp(other.dump[i]->summary.service, index->dump[i]->summary.service));
	keep_index_fini(&other);
}

/* The deaths that a recorder that is started finds, and what it then answers. */
static void remember_deaths(const struct keep_index *index)
{
	struct last_deaths *deaths;
	size_t count;
	struct keep_found *found = keep_find_deaths(index, &count);

	require(found && count <= index->count && !last_deaths_open(&deaths));
	for (size_t i = 0; i < count; i++) {
		const struct summary *summary = &found[i].summary;
		const struct ttlog_death_answer *answer;

		last_deaths_remember(deaths, summary, found[i].name);
		answer = last_deaths_find(deaths, summary->uid, summary->service);
		require(!answer == !summary->service[0]);
		if (!answer)
			continue;
		/* The first that is told of is the newest; no other has that name and user. */
		require(!answer->dump[0] || !strcmp(answer->dump, found[i].name));
		require(memchr(answer->sentence, '\0', sizeof(answer->sentence)) != NULL);
	}
	last_deaths_close(deaths);
	free(found);
}

static void remember_loops(const struct keep_index *index, uint64_t loop_first)
{
	static struct keep_loops loops;

	memset(&loops, 0, sizeof(loops));
	for (size_t i = 0; i < index->count; i++) {
		const struct summary *summary = &index->dump[i]->summary;
		const struct keep_place place = {.key = summary->loop_key,
						 .since_ns = summary->loop_since_ns,
						 .count = summary->loop_count};

		keep_loops_remember(&loops, &place, summary->created_ns);
	}
	for (size_t i = 0; i < index->count; i++) {
		const struct keep_death death = {.key = index->dump[i]->summary.loop_key,
						 .started_ns = NOW_NS - 1,
						 .died_ns = NOW_NS};
		struct keep_place place;

		/* What is not written is counted. */
		require(keep_loops_admit(&loops, loop_first, &death, &place) || place.unwritten);
	}
}

/* As keep.c does: from the end; the rest is within what was allowed. */
static void remove_chosen(struct keep_index *index, const struct keep_limits *limits)
{
	enum keep_why why[FILES_MAX];
	const int goes = keep_choose(index, limits, NOW_NS, why);
	const size_t before = index->count;
	uint64_t bytes = 0;

	require(goes >= 0);
	for (size_t i = index->count; i--;) {
		require(why[i] < KEEP_WHY_COUNT && keep_why_name(why[i]));
		require(why[i] == KEEP_STAYS || why[i] == KEEP_AGE || i + 1 < before);
		if (why[i] == KEEP_STAYS)
			continue;
		require(!unlinkat(dir_fd, index->dump[i]->name, 0));
		keep_index_remove(index, i);
	}
	require(before - index->count == (size_t)goes);
	for (size_t i = 0; i < index->count; i++)
		bytes += index->dump[i]->bytes;
	require(!limits->files || index->count <= 1 || index->count <= limits->files);
	require(!limits->bytes || index->count <= 1 || bytes <= limits->bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct keep_index index = {0};
	struct keep_limits limits;
	struct input input;

	if (size < LIMITS_BYTES)
		return 0;
	input = (struct input){data + LIMITS_BYTES, data + size};
	open_folder();
	limits = (struct keep_limits){
		.files = data[0],
		.bytes = 16u * data[1],
		.service_files = data[2],
		.service_bytes = 16u * data[3],
		.age_s = data[4],
		.loop_first = data[5],
	};
	for (int i = 0; i < FILES_MAX && take_file(&input); i++)
		if (i % 4 == 3)
			require(!keep_index_scan(&index, dir_fd, geteuid()));
	require(!keep_index_scan(&index, dir_fd, geteuid()));
	check_index(&index);
	check_the_same(&index);
	remember_deaths(&index);
	remember_loops(&index, limits.loop_first);
	remove_chosen(&index, &limits);
	require(!keep_index_scan(&index, dir_fd, geteuid()));
	check_index(&index);
	require(empty_folder() == index.count + index.unreadable);
	keep_index_fini(&index);
	return 0;
}
