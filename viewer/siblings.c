/* SPDX-License-Identifier: MIT */
/* siblings.c - see siblings.h. A folder may have anything in it: only plain files are looked at. */
#include "viewer/siblings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder/dump_format.h"
#include "viewer/meta.h"

#define SIBLINGS_MAX 1024
#define HEAD_BYTES (8 + DUMP_PREFIX_BYTES + DUMP_SUMMARY_BYTES_MAX)

struct head {
	unsigned char bytes[HEAD_BYTES];
	struct meta meta; /* its spans point into `bytes` */
};

struct sibling {
	char *path;
	uint64_t pid, start_ns;
	bool alive;
};

struct siblings {
	struct sibling *list;
	size_t count;
};

/* ---- one file --------------------------------------------------------------------------- */

static uint32_t le32(const unsigned char *from)
{
	return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
	       (uint32_t)from[3] << 24;
}

static int parse_head(struct head *head, size_t have)
{
	uint32_t bytes;

	if (have < 8 + DUMP_PREFIX_BYTES || le32(head->bytes) != DUMP_SKIPPABLE_HEAD ||
	    memcmp(head->bytes + 8, DUMP_MAGIC_HEAD, DUMP_MAGIC_BYTES) != 0)
		return -EBADMSG;
	bytes = le32(head->bytes + 4);
	if (bytes < DUMP_PREFIX_BYTES || bytes > have - 8)
		return -EBADMSG;
	return meta_decode_summary(&head->meta, head->bytes + 8 + DUMP_PREFIX_BYTES,
				   bytes - DUMP_PREFIX_BYTES);
}

static int read_head(struct head *head, int dir_fd, const char *name)
{
	const int fd = openat(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat status;
	size_t have = 0;
	ssize_t got = 1;
	int err = 0;

	if (fd < 0)
		return -errno;
	memset(&head->meta, 0, sizeof(head->meta));
	if (fstat(fd, &status))
		err = -errno;
	else if (!S_ISREG(status.st_mode))
		err = -EBADMSG;
	while (!err && got > 0 && have < sizeof(head->bytes)) {
		got = pread(fd, head->bytes + have, sizeof(head->bytes) - have, (off_t)have);
		if (got < 0)
			err = -errno;
		else
			have += (size_t)got;
	}
	close(fd);
	return err ? err : parse_head(head, have);
}

/* ---- all of them ------------------------------------------------------------------------ */

static int add(struct siblings *siblings, const char *folder, const char *name,
	       const struct head *head)
{
	const struct meta *meta = &head->meta;
	const bool alive = span_is(meta->group.role, "alive");
	struct sibling *sibling = NULL;
	char *path;

	for (size_t i = 0; i < siblings->count && !sibling; i++)
		if (meta->pid.known && siblings->list[i].pid == meta->pid.bits &&
		    siblings->list[i].start_ns == meta->process.start_ns.bits)
			sibling = &siblings->list[i];
	/* It was copied, and then it died: the later dump has all that the earlier one has. */
	if (sibling && alive)
		return 0;
	if (!sibling && siblings->count == SIBLINGS_MAX)
		return -E2BIG;
	if (asprintf(&path, "%s%s", folder, name) < 0)
		return -ENOMEM;
	if (!sibling)
		sibling = &siblings->list[siblings->count++];
	free(sibling->path);
	*sibling = (struct sibling){path, meta->pid.bits, meta->process.start_ns.bits, alive};
	return 0;
}

static bool is_dump_name(const char *name)
{
	const size_t bytes = strlen(name);

	return bytes > 4 && name[0] != '.' && !strcmp(name + bytes - 4, ".bin");
}

static int look_around(struct siblings *siblings, DIR *dir, const char *folder,
		       const struct head *wanted)
{
	struct head *head = malloc(sizeof(*head));
	struct dirent *entry;
	int err = head ? 0 : -ENOMEM;

	while (!err && (entry = readdir(dir)))
		if (is_dump_name(entry->d_name) && !read_head(head, dirfd(dir), entry->d_name) &&
		    span_equal(head->meta.group.set, wanted->meta.group.set))
			err = add(siblings, folder, entry->d_name, head);
	free(head);
	return err;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct sibling *)a)->path, ((const struct sibling *)b)->path);
}

/* As an array of paths, which is what is wanted. */
static int give(struct siblings *siblings, char ***ret_paths, size_t *ret_count)
{
	char **paths = calloc(siblings->count + 1, sizeof(*paths));

	if (!paths)
		return -ENOMEM;
	qsort(siblings->list, siblings->count, sizeof(*siblings->list), compare);
	for (size_t i = 0; i < siblings->count; i++)
		paths[i] = siblings->list[i].path;
	*ret_paths = paths;
	*ret_count = siblings->count;
	siblings->count = 0;
	return 0;
}

int siblings_find(const char *path, char ***ret_paths, size_t *ret_count)
{
	const char *slash = strrchr(path, '/');
	char *folder = strndup(path, slash ? (size_t)(slash + 1 - path) : 0);
	struct siblings siblings = {.list = calloc(SIBLINGS_MAX, sizeof(*siblings.list))};
	struct head *wanted = malloc(sizeof(*wanted));
	DIR *dir = NULL;
	int err = folder && siblings.list && wanted ? 0 : -ENOMEM;

	if (!err)
		err = read_head(wanted, AT_FDCWD, path);
	if (!err && !wanted->meta.group.set.bytes)
		err = -ENODATA;
	if (!err) {
		dir = opendir(*folder ? folder : ".");
		err = dir ? look_around(&siblings, dir, folder, wanted) : -errno;
	}
	if (!err)
		err = give(&siblings, ret_paths, ret_count);
	for (size_t i = 0; i < siblings.count; i++)
		free(siblings.list[i].path);
	if (dir)
		closedir(dir);
	free(siblings.list);
	free(wanted);
	free(folder);
	return err;
}

void siblings_free(char **paths, size_t count)
{
	for (size_t i = 0; paths && i < count; i++)
		free(paths[i]);
	free(paths);
}
