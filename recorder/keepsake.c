/* SPDX-License-Identifier: MIT */
/*
 * keepsake.c - see keepsake.h.
 *
 * The format is our own from one start to the next, of this version or another: a head with a
 * magic and a version, then texts, each with its length. What can't be read is as good as nothing.
 */
#include "recorder/keepsake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define MAGIC UINT64_C(0x313045504b4c5454) /* "TTLKPE01" */
#define NAME "ttlog-keepsake"
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)
#define TEXTS 6
#define TEXT_BYTES_MAX 8192
#define BYTES_MAX (sizeof(struct head) + TEXTS * TEXT_BYTES_MAX)

struct head {
	uint64_t magic;
	uint64_t start_ns, start_ticks;
	uint32_t pid, ns_pid, ppid;
	uint32_t uid, gid;
	uint32_t level;
	uint32_t text_bytes[TEXTS]; /* with the NUL; 0: not known */
	char service[TTLOG_SERVICE_BYTES];
};

static void texts_of(struct identity *identity, char **ret_text[TEXTS])
{
	ret_text[0] = &identity->comm;
	ret_text[1] = &identity->exe;
	ret_text[2] = &identity->cmdline;
	ret_text[3] = &identity->cwd;
	ret_text[4] = &identity->cgroup;
	ret_text[5] = &identity->memory_cgroup;
}

/* ---- writing ---------------------------------------------------------------------------------- */

static int make_memfd(void)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create(NAME, flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(NAME, flags);
	return fd < 0 ? -errno : fd;
}

static size_t fill(const struct keepsake *keepsake, unsigned char bytes[BYTES_MAX])
{
	struct identity identity = *keepsake->identity;
	struct head head = {
		.magic = MAGIC,
		.start_ns = identity.start_ns,
		.start_ticks = identity.start_ticks,
		.pid = (uint32_t)keepsake->pid,
		.ns_pid = identity.ns_pid,
		.ppid = identity.ppid,
		.uid = identity.uid,
		.gid = keepsake->gid,
		.level = keepsake->level,
	};
	size_t count = sizeof(head);
	char **text[TEXTS];

	memcpy(head.service, keepsake->service, sizeof(head.service));
	texts_of(&identity, text);
	for (int i = 0; i < TEXTS; i++) {
		size_t length = *text[i] ? strnlen(*text[i], TEXT_BYTES_MAX - 1) : 0;

		if (!*text[i])
			continue;
		memcpy(bytes + count, *text[i], length);
		bytes[count + length] = '\0';
		head.text_bytes[i] = (uint32_t)length + 1;
		count += length + 1;
	}
	memcpy(bytes, &head, sizeof(head));
	return count;
}

int keepsake_write(const struct keepsake *keepsake)
{
	unsigned char *bytes = malloc(BYTES_MAX);
	const int fd = bytes ? make_memfd() : -ENOMEM;
	size_t count;
	int err = 0;

	if (fd < 0) {
		free(bytes);
		return fd;
	}
	count = fill(keepsake, bytes);
	if (pwrite(fd, bytes, count, 0) != (ssize_t)count || fcntl(fd, F_ADD_SEALS, SEALS))
		err = errno ? -errno : -EIO;
	free(bytes);
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* ---- reading ---------------------------------------------------------------------------------- */

static int take_texts(const unsigned char *bytes, size_t count, struct identity *identity)
{
	struct head head;
	char **text[TEXTS];
	size_t at = sizeof(head);

	memcpy(&head, bytes, sizeof(head));
	texts_of(identity, text);
	for (int i = 0; i < TEXTS; i++) {
		const size_t length = head.text_bytes[i];

		if (!length)
			continue;
		if (length > count - at || bytes[at + length - 1])
			return -EBADMSG;
		*text[i] = strdup((const char *)bytes + at);
		if (!*text[i])
			return -ENOMEM;
		at += length;
	}
	return 0;
}

static int take_facts(const unsigned char *bytes, size_t count, struct adopt_taken *taken)
{
	struct head head;

	if (count < sizeof(head))
		return -EBADMSG;
	memcpy(&head, bytes, sizeof(head));
	if (head.magic != MAGIC || !head.pid || head.pid > INT32_MAX)
		return -EBADMSG;
	taken->pid = (pid_t)head.pid;
	taken->identity.start_ns = head.start_ns;
	taken->identity.start_ticks = head.start_ticks;
	taken->identity.ns_pid = head.ns_pid;
	taken->identity.ppid = head.ppid;
	taken->identity.uid = head.uid;
	taken->identity.gid = head.gid;
	return take_texts(bytes, count, &taken->identity);
}

static int read_facts(int fd, struct adopt_taken *taken)
{
	const int seals = fcntl(fd, F_GET_SEALS);
	unsigned char *bytes;
	ssize_t count;
	int err;

	if (seals < 0 || (seals & SEALS) != SEALS)
		return -EBADMSG;
	bytes = malloc(BYTES_MAX);
	if (!bytes)
		return -ENOMEM;
	count = pread(fd, bytes, BYTES_MAX, 0);
	err = count < 0 ? -errno : take_facts(bytes, (size_t)count, taken);
	free(bytes);
	return err;
}

enum kind { KIND_OTHER, KIND_REGION, KIND_FACTS, KIND_PIDFD };

static enum kind kind_of(int fd)
{
	char path[40], link[64];
	ssize_t bytes;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	bytes = fd < 0 ? -1 : readlink(path, link, sizeof(link) - 1);
	if (bytes < 0)
		return KIND_OTHER;
	link[bytes] = '\0';
	if (!strcmp(link, "/memfd:" NAME " (deleted)"))
		return KIND_FACTS;
	if (!strcmp(link, "/memfd:" TTLOG_MEMFD_NAME " (deleted)"))
		return KIND_REGION;
	/* In a file system of their own from Linux 6.9 on. */
	if (!strcmp(link, "anon_inode:[pidfd]") || !strncmp(link, "pidfd:", strlen("pidfd:")))
		return KIND_PIDFD;
	return KIND_OTHER;
}

int keepsake_take(int fd[3], struct adopt_taken *ret_taken, bool *ret_dead)
{
	int facts_fd = -1, region_fd = -1, pidfd = -1, err = 0;

	for (int i = 0; i < 3; i++) {
		const enum kind kind = kind_of(fd[i]);

		if (kind == KIND_FACTS && facts_fd < 0)
			facts_fd = fd[i];
		else if (kind == KIND_REGION && region_fd < 0)
			region_fd = fd[i];
		else if (kind == KIND_PIDFD && pidfd < 0)
			pidfd = fd[i];
		else if (fd[i] >= 0)
			close(fd[i]);
		fd[i] = -1;
	}
	*ret_taken = (struct adopt_taken){
		.pidfd = pidfd, .region_fd = region_fd, .hold_fd = -1, .root_fd = -1,
		.control_fd = -1};
	if (facts_fd < 0 || region_fd < 0 || pidfd < 0)
		err = -EBADMSG;
	if (!err)
		err = read_facts(facts_fd, ret_taken);
	if (facts_fd >= 0)
		close(facts_fd);
	if (!err)
		err = adopt_complete(ret_taken, ret_dead);
	if (err)
		adopt_taken_free(ret_taken);
	return err;
}
