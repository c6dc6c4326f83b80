/* SPDX-License-Identifier: MIT */
/*
 * store.c - the folder of dumps.
 *
 * A dump is written under a hidden name, made durable, and only then given its own; the hidden file
 * is locked as long as a recorder lives that writes it. So the next recorder knows what is rubbish:
 * a hidden file that nobody has locked. Several recorders may share a folder.
 */
#include "recorder/store.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define TEMPORARY_PREFIX ".ttlog-"
#define TEMPORARY_SUFFIX ".tmp"
#define TRIES 1000
#define NAMESAKES_MAX 10000 /* dumps with one pid, second and reason */
#define REASON_BYTES 96	    /* in a name, with its NUL */

/* mkdir -p: the folder 0700, its parents as anybody's. */
static int make_folders(const char *path)
{
	char parent[PATH_MAX];
	struct stat status;

	if (strlen(path) >= sizeof(parent))
		return -ENAMETOOLONG;
	if (!stat(path, &status))
		return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
	strcpy(parent, path);
	for (char *end = strchr(parent, '\0'); end > parent + 1 && end[-1] == '/';)
		*--end = '\0';
	for (char *at = parent + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		if (mkdir(parent, 0755) && errno != EEXIST)
			return -errno;
		*at = '/';
	}
	return mkdir(parent, 0700) && errno != EEXIST ? -errno : 0;
}

static bool is_temporary(const char *name)
{
	const size_t length = strlen(name), suffix = strlen(TEMPORARY_SUFFIX);

	return !strncmp(name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)) && length > suffix &&
	       !strcmp(name + length - suffix, TEMPORARY_SUFFIX);
}

/* Only our own ordinary files: the folder may be /tmp, where others leave traps. */
static void remove_if_stale(int dir_fd, const char *name)
{
	struct stat status;
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return;
	if (!fstat(fd, &status) && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
	    !flock(fd, LOCK_EX | LOCK_NB))
		unlinkat(dir_fd, name, 0);
	close(fd);
}

static int remove_stale(int dir_fd)
{
	const int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(dir)))
		if (is_temporary(entry->d_name))
			remove_if_stale(dir_fd, entry->d_name);
	closedir(dir);
	return 0;
}

int store_open(struct store *ret_store, const char *path)
{
	char absolute[PATH_MAX];
	int err = make_folders(path);
	int dir_fd;

	if (err)
		return err;
	if (!realpath(path, absolute))
		return -errno;
	dir_fd = open(absolute, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	err = remove_stale(dir_fd);
	if (err) {
		close(dir_fd);
		return err;
	}
	ret_store->dir_fd = dir_fd;
	ret_store->group = STORE_NOBODY;
	ret_store->readers = false;
	strcpy(ret_store->path, absolute);
	return 0;
}

int store_share(struct store *store, gid_t group, bool readers)
{
	mode_t mode = 0700;
	struct stat status;

	if (fstat(store->dir_fd, &status))
		return -errno;
	if (status.st_uid != geteuid())
		return -EPERM;
	/* Others' files are there, and what we say of the folder would be said of them. */
	if (status.st_mode & (S_IWOTH | S_ISVTX))
		return -EACCES;
	if (group != STORE_NOBODY) {
		if (status.st_gid != group && fchown(store->dir_fd, STORE_NOBODY, group))
			return -errno;
		mode |= S_ISGID | 0050;
	}
	if (readers)
		mode |= 0011;
	if (fchmod(store->dir_fd, mode))
		return -errno;
	store->group = group;
	store->readers = readers;
	return 0;
}

void store_close(struct store *store)
{
	if (store->dir_fd >= 0)
		close(store->dir_fd);
	store->dir_fd = -1;
}

/* Between the open and the lock another recorder may take the file for rubbish: then it is gone. */
static bool lock_new(int fd)
{
	struct stat status;

	return !flock(fd, LOCK_EX | LOCK_NB) && !fstat(fd, &status) && status.st_nlink == 1;
}

/*
 * Somebody has removed the folder. Its descriptor keeps its number, which others use at this
 * moment; one that a stranger put in its place is not ours.
 */
static int make_again(const struct store *store)
{
	struct stat status;
	int err, fd;

	if (fstat(store->dir_fd, &status))
		return -errno;
	if (status.st_nlink)
		return -ENOENT; /* it is there: something else was missing */
	err = make_folders(store->path);
	if (err)
		return err;
	fd = open(store->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status))
		err = -errno;
	else if (status.st_uid != geteuid())
		err = -EPERM;
	else if (dup3(fd, store->dir_fd, O_CLOEXEC) < 0)
		err = -errno;
	close(fd);
	return err;
}

int store_create(struct store *store, struct store_file *ret_file)
{
	struct store_file file;
	bool is_new = false;
	static _Atomic unsigned int serial; /* workers create at the same time */

	for (int tries = 0; tries < TRIES; tries++) {
		snprintf(file.temporary, sizeof(file.temporary),
			 TEMPORARY_PREFIX "%d-%u" TEMPORARY_SUFFIX, (int)getpid(), serial++);
		file.fd = openat(store->dir_fd, file.temporary,
				 O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (file.fd < 0 && errno == EEXIST)
			continue;
		if (file.fd < 0 && errno == ENOENT && !is_new) {
			const int err = make_again(store);

			if (err)
				return err;
			is_new = true;
			continue;
		}
		if (file.fd < 0)
			return -errno;
		file.reader = STORE_NOBODY;
		if (lock_new(file.fd)) {
			*ret_file = file;
			return 0;
		}
		close(file.fd);
	}
	return -EEXIST;
}

static void clean_reason(char *to, const char *reason)
{
	size_t count = 0;

	for (; *reason && count < REASON_BYTES - 1; reason++) {
		const bool fine = (*reason >= 'a' && *reason <= 'z') ||
				  (*reason >= '0' && *reason <= '9') || *reason == '_' ||
				  *reason == '.' || *reason == '-';

		to[count++] = fine ? *reason : '_';
	}
	to[count] = '\0';
	if (!count)
		strcpy(to, "unknown");
}

/* Some file systems have no flag that keeps an existing file; all that have links have link(). */
static int give_name(int dir_fd, const char *temporary, const char *name)
{
	if (!renameat2(dir_fd, temporary, dir_fd, name, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (linkat(dir_fd, temporary, dir_fd, name, 0))
		return -errno;
	return unlinkat(dir_fd, temporary, 0) ? -errno : 0;
}

static int name_file(struct store *store, const char *temporary, uint32_t pid, uint64_t created_ns,
		     const char *reason, char name[NAME_MAX + 1])
{
	const time_t seconds = (time_t)(created_ns / UINT64_C(1000000000));
	char when[32], clean[REASON_BYTES], tail[16] = "";
	struct tm utc;
	int err = -EEXIST;

	if (!gmtime_r(&seconds, &utc) || !strftime(when, sizeof(when), "%Y%m%d%H%M%S", &utc))
		return -EINVAL;
	clean_reason(clean, reason);
	for (int i = 2; err == -EEXIST && i < NAMESAKES_MAX; i++) {
		snprintf(name, NAME_MAX + 1, "ttlog-%u-%s-%s%s.bin", pid, when, clean, tail);
		err = give_name(store->dir_fd, temporary, name);
		snprintf(tail, sizeof(tail), "-%d", i);
	}
	return err;
}

/* A file system that can't sync a folder says EINVAL, and has done what it can. */
static int sync_folder(int dir_fd)
{
	return fsync(dir_fd) && errno != EINVAL ? -errno : 0;
}

/* include/uapi/linux/posix_acl_xattr.h: the value of the attribute, all little endian. */
#define ACL_VERSION 2
#define ACL_USER_OBJ 0x01
#define ACL_USER 0x02
#define ACL_GROUP_OBJ 0x04
#define ACL_MASK 0x10
#define ACL_OTHER 0x20
#define ACL_READ 4
#define ACL_WRITE 2

struct acl {
	uint32_t version;
	struct {
		uint16_t tag, rights;
		uint32_t id;
	} entry[5];
};

static int let_read(int fd, uid_t reader, bool group_too)
{
	const struct acl acl = {
		.version = htole32(ACL_VERSION),
		.entry =
			{
				{htole16(ACL_USER_OBJ), htole16(ACL_READ | ACL_WRITE), UINT32_MAX},
				{htole16(ACL_USER), htole16(ACL_READ), htole32(reader)},
				{htole16(ACL_GROUP_OBJ), htole16(group_too ? ACL_READ : 0),
				 UINT32_MAX},
				{htole16(ACL_MASK), htole16(ACL_READ), UINT32_MAX},
				{htole16(ACL_OTHER), 0, UINT32_MAX},
			},
	};

	_Static_assert(sizeof(acl) == 4 + 5 * 8, "as the kernel reads it");
	return fsetxattr(fd, "system.posix_acl_access", &acl, sizeof(acl), 0) ? -errno : 0;
}

/* Before it has its name. A file system without such lists leaves it as it is: private. */
static int set_rights(const struct store *store, const struct store_file *file)
{
	const bool group_too = store->group != STORE_NOBODY;
	struct stat status;
	int err;

	if (fchmod(file->fd, 0600) || fstat(file->fd, &status))
		return -errno;
	if (group_too && status.st_gid != store->group &&
	    fchown(file->fd, STORE_NOBODY, store->group))
		return -errno;
	if (group_too && fchmod(file->fd, 0640))
		return -errno;
	if (!store->readers || file->reader == STORE_NOBODY || file->reader == geteuid())
		return 0;
	err = let_read(file->fd, file->reader, group_too);
	return err == -EOPNOTSUPP ? 0 : err;
}

int store_commit(struct store *store, struct store_file *file, uint32_t pid, uint64_t created_ns,
		 const char *reason, char ret_name[PATH_MAX])
{
	char name[NAME_MAX + 1];
	int err = set_rights(store, file);

	if (!err && fsync(file->fd))
		err = -errno;
	if (!err)
		err = name_file(store, file->temporary, pid, created_ns, reason, name);
	if (err) {
		store_abandon(store, file);
		return err;
	}
	err = sync_folder(store->dir_fd);
	if (err)
		unlinkat(store->dir_fd, name, 0);
	else if (snprintf(ret_name, PATH_MAX, "%s/%s", strcmp(store->path, "/") ? store->path : "",
			  name) >= PATH_MAX)
		strcpy(ret_name, name); /* the file is fine, only its path is too long to say */
	close(file->fd);
	file->fd = -1;
	return err;
}

void store_abandon(struct store *store, struct store_file *file)
{
	if (file->fd < 0)
		return;
	unlinkat(store->dir_fd, file->temporary, 0);
	close(file->fd);
	file->fd = -1;
}
