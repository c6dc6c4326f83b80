/* SPDX-License-Identifier: MIT */
/* keep_index.c - reads a folder. */
#include "recorder/keep_index.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WHEN_DIGITS 14

static const char *skip_digits(const char *at, size_t least, size_t most)
{
	size_t count = 0;

	while (isdigit((unsigned char)at[count]) && count <= most)
		count++;
	return count >= least && count <= most ? at + count : NULL;
}

/* Where the time starts in a name of ours; NULL: it is none. */
static const char *find_when(const char *name)
{
	static const char prefix[] = "ttlog-", suffix[] = ".bin";
	const size_t bytes = strlen(name);
	const char *at, *when;

	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0 || bytes < sizeof(suffix) ||
	    strcmp(name + bytes - (sizeof(suffix) - 1), suffix) != 0)
		return NULL;
	at = skip_digits(name + sizeof(prefix) - 1, 1, 10);
	if (!at || *at != '-')
		return NULL;
	when = at + 1;
	at = skip_digits(when, WHEN_DIGITS, WHEN_DIGITS);
	return at && *at == '-' ? when : NULL;
}

bool keep_index_is_name(const char *name)
{
	return find_when(name) != NULL;
}

static uint64_t created_of_name(const char *name)
{
	char digits[WHEN_DIGITS + 1] = "";
	struct tm utc = {0};
	time_t seconds;

	memcpy(digits, find_when(name), WHEN_DIGITS);
	if (!strptime(digits, "%Y%m%d%H%M%S", &utc))
		return 0;
	seconds = timegm(&utc);
	return seconds > 0 ? (uint64_t)seconds * UINT64_C(1000000000) : 0;
}

static int compare(const struct keep_dump *left, const struct keep_dump *right)
{
	if (left->summary.created_ns != right->summary.created_ns)
		return left->summary.created_ns < right->summary.created_ns ? -1 : 1;
	return strcmp(left->name, right->name);
}

static int compare_by_time(const void *a, const void *b)
{
	return compare(*(struct keep_dump *const *)a, *(struct keep_dump *const *)b);
}

static int compare_by_name(const void *a, const void *b)
{
	return strcmp((*(struct keep_dump *const *)a)->name, (*(struct keep_dump *const *)b)->name);
}

static void free_dump(struct keep_dump *dump)
{
	free(dump->name);
	free(dump);
}

/* ---- one file --------------------------------------------------------------------------- */

static uint64_t modified_ns(const struct stat *status)
{
	return (uint64_t)status->st_mtim.tv_sec * UINT64_C(1000000000) +
	       (uint64_t)status->st_mtim.tv_nsec;
}

bool keep_index_is_there(const struct keep_dump *dump, int dir_fd, struct stat *ret_status)
{
	return !fstatat(dir_fd, dump->name, ret_status, AT_SYMLINK_NOFOLLOW) &&
	       S_ISREG(ret_status->st_mode) && ret_status->st_ino == dump->inode &&
	       (uint64_t)ret_status->st_size == dump->bytes &&
	       modified_ns(ret_status) == dump->modified_ns;
}

static int read_file(int dir_fd, const char *name, uid_t owner, struct keep_dump *dump)
{
	struct stat status;
	int err = 0;
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status))
		err = -errno;
	else if (!S_ISREG(status.st_mode))
		err = -EBADMSG;
	else if (owner != KEEP_ANYBODY && status.st_uid != owner)
		err = -EPERM;
	if (!err)
		err = summary_read(fd, &dump->summary);
	close(fd);
	if (err)
		return err;
	dump->inode = status.st_ino;
	dump->modified_ns = modified_ns(&status);
	dump->bytes = (uint64_t)status.st_size;
	if (!dump->summary.created_ns)
		dump->summary.created_ns = created_of_name(name);
	return 0;
}

static int make_dump(struct keep_dump **ret_dump, int dir_fd, const char *name, uid_t owner)
{
	struct keep_dump *dump = calloc(1, sizeof(*dump));
	int err;

	if (!dump)
		return -ENOMEM;
	dump->name = strdup(name);
	err = dump->name ? read_file(dir_fd, name, owner, dump) : -ENOMEM;
	if (err) {
		free_dump(dump);
		return err;
	}
	dump->seen = true;
	*ret_dump = dump;
	return 0;
}

static int append(struct keep_index *index, struct keep_dump *dump)
{
	const size_t capacity = index->capacity ? 2 * index->capacity : 64;
	struct keep_dump **array;

	if (index->count == index->capacity) {
		array = reallocarray(index->dump, capacity, sizeof(*array));
		if (!array)
			return -ENOMEM;
		index->dump = array;
		index->capacity = capacity;
	}
	index->dump[index->count++] = dump;
	return 0;
}

int keep_index_add(struct keep_index *index, int dir_fd, const char *name, uid_t owner)
{
	struct keep_dump *dump;
	size_t at;
	int err;

	if (!keep_index_is_name(name))
		return -EBADMSG;
	for (size_t i = 0; i < index->count; i++)
		if (!strcmp(index->dump[i]->name, name))
			return -EEXIST;
	err = make_dump(&dump, dir_fd, name, owner);
	if (err)
		return err;
	err = append(index, dump);
	if (err) {
		free_dump(dump);
		return err;
	}
	/* Mostly it is the newest. */
	for (at = index->count - 1; at && compare(dump, index->dump[at - 1]) < 0; at--)
		index->dump[at] = index->dump[at - 1];
	index->dump[at] = dump;
	return 0;
}

void keep_index_remove(struct keep_index *index, size_t at)
{
	free_dump(index->dump[at]);
	index->count--;
	memmove(&index->dump[at], &index->dump[at + 1], (index->count - at) * sizeof(*index->dump));
}

void keep_index_fini(struct keep_index *index)
{
	for (size_t i = 0; i < index->count; i++)
		free_dump(index->dump[i]);
	free(index->dump);
	*index = (struct keep_index){0};
}

/* ---- all of them ------------------------------------------------------------------------ */

/* Of the first `known`, which are in order of their names. */
static struct keep_dump *find(struct keep_index *index, size_t known, char *name)
{
	const struct keep_dump wanted = {.name = name};
	const struct keep_dump *key = &wanted;
	struct keep_dump **found =
		known ? bsearch(&key, index->dump, known, sizeof(*index->dump), compare_by_name)
		      : NULL;

	return found ? *found : NULL;
}

static int scan_entry(struct keep_index *index, size_t known, int dir_fd, char *name, uid_t owner)
{
	struct keep_dump *dump = find(index, known, name);
	struct stat status;
	int err;

	if (dump && keep_index_is_there(dump, dir_fd, &status)) {
		dump->seen = true;
		return 0;
	}
	if (index->count >= KEEP_INDEX_MAX) {
		index->left_out++;
		return 0;
	}
	err = make_dump(&dump, dir_fd, name, owner);
	if (!err) {
		err = append(index, dump);
		if (err)
			free_dump(dump);
	}
	if (err == -ENOMEM)
		return err;
	index->unreadable += err && err != -EPERM && err != -ENOENT;
	return 0;
}

static void forget_unseen(struct keep_index *index)
{
	size_t count = 0;

	for (size_t i = 0; i < index->count; i++) {
		if (index->dump[i]->seen)
			index->dump[count++] = index->dump[i];
		else
			free_dump(index->dump[i]);
	}
	index->count = count;
}

static int scan_entries(struct keep_index *index, DIR *dir, int dir_fd, uid_t owner)
{
	const size_t known = index->count;
	struct dirent *entry;
	int err = 0;

	if (known)
		qsort(index->dump, known, sizeof(*index->dump), compare_by_name);
	for (size_t i = 0; i < known; i++)
		index->dump[i]->seen = false;
	while (!err && (errno = 0, entry = readdir(dir)))
		if (keep_index_is_name(entry->d_name))
			err = scan_entry(index, known, dir_fd, entry->d_name, owner);
	if (!err && errno)
		err = -errno;
	if (!err)
		forget_unseen(index);
	if (index->count)
		qsort(index->dump, index->count, sizeof(*index->dump), compare_by_time);
	return err;
}

int keep_index_scan(struct keep_index *index, int dir_fd, uid_t owner)
{
	/* Of its own: whoever shares dir_fd's position reads the folder too. */
	const int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir;
	int err;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	index->unreadable = index->left_out = 0;
	err = scan_entries(index, dir, dir_fd, owner);
	closedir(dir);
	return err;
}
