/* SPDX-License-Identifier: MIT */
/* cgroup.c - /proc/PID/cgroup says which group, /proc/self/mountinfo where its hierarchy is. */
#include "recorder/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES (PATH_MAX + 256)
#define TEXT_BYTES 4096

/* Is it one of the words that commas are between? */
static bool has_word(const char *words, const char *word)
{
	const size_t bytes = strlen(word);

	for (const char *at = words; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (bytes && !strncmp(at, word, bytes) && strchr(",\n ", at[bytes]))
			return true;
	}
	return false;
}

/* "4:memory:/a/b": the path of that controller's group. False: another line. */
static bool take_membership(char *line, const char *controller, char **ret_path)
{
	char *controllers = strchr(line, ':');
	char *path = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!path)
		return false;
	*controllers++ = *path++ = '\0';
	path[strcspn(path, "\n")] = '\0';
	*ret_path = path;
	return *controller ? has_word(controllers, controller) : !*controllers;
}

/* 0 or a negative errno. */
static int find_membership(pid_t pid, const char *controller, char *ret_path, size_t bytes)
{
	char line[LINE_BYTES], name[64], *path;
	int err = -ENOENT;
	FILE *file;

	snprintf(name, sizeof(name), "/proc/%d/cgroup", (int)pid);
	file = fopen(name, "re");
	if (!file)
		return errno == ENOENT ? -ESRCH : -errno;
	while (err && fgets(line, sizeof(line), file))
		if (take_membership(line, controller, &path) &&
		    (size_t)snprintf(ret_path, bytes, "%s", path) < bytes)
			err = 0;
	fclose(file);
	return err;
}

/*
 * "35 31 0:32 /root /mount/point rw,relatime - cgroup cgroup rw,memory": where that is, and which
 * group is its root. False: another file system.
 */
static bool take_mount(char *line, const char *controller, char **ret_root, char **ret_point)
{
	char *dash = strstr(line, " - "), *type, *at = line;
	const char *options;

	if (!dash)
		return false;
	*dash = '\0';
	type = dash + 3;
	options = strrchr(type, ' ');
	if (!options || strncmp(type, *controller ? "cgroup " : "cgroup2 ", *controller ? 7 : 8) ||
	    (*controller && !has_word(options + 1, controller)))
		return false;
	for (int i = 0; i < 3 && at; i++)
		at = strchr(at + (i > 0), ' ');
	if (!at)
		return false;
	*ret_root = ++at;
	at = strchr(at, ' ');
	if (!at)
		return false;
	*at++ = '\0';
	*ret_point = at;
	at = strchr(at, ' ');
	if (at)
		*at = '\0';
	return true;
}

/* The group as seen from a mount whose root is that group; NULL: it is not in there. */
static const char *below(const char *path, const char *root)
{
	const size_t bytes = strlen(root);

	if (strstr(path, "/../") || !strcmp(root, "/"))
		return strncmp(path, "/..", 3) ? path : NULL;
	return !strncmp(path, root, bytes) && (path[bytes] == '/' || !path[bytes]) ? path + bytes
										   : NULL;
}

static int find_in(const char *controller, const char *path, struct cgroup_folder *ret_folder)
{
	char line[LINE_BYTES], *root, *point;
	FILE *file = fopen("/proc/self/mountinfo", "re");
	int err = -ENOENT;

	if (!file)
		return -errno;
	while (err && fgets(line, sizeof(line), file)) {
		const char *inside = take_mount(line, controller, &root, &point) ? below(path, root)
										 : NULL;

		if (inside && (size_t)snprintf(ret_folder->path, sizeof(ret_folder->path), "%s%s",
					       point, inside) < sizeof(ret_folder->path))
			err = 0;
	}
	fclose(file);
	ret_folder->is_unified = !*controller;
	return err;
}

int cgroup_find(pid_t pid, const char *controller, struct cgroup_folder *ret_folder)
{
	char path[PATH_MAX];
	int err = find_membership(pid, controller, path, sizeof(path));

	if (!err)
		err = find_in(controller, path, ret_folder);
	return err == -ENOENT && *controller ? cgroup_find(pid, "", ret_folder) : err;
}

/* ---- files ------------------------------------------------------------------------------ */

/* What fits of a file in it, with a NUL behind it. 0 or a negative errno. */
static int cgroup_read(const struct cgroup_folder *folder, const char *name, char *ret_text,
		       size_t bytes)
{
	char path[PATH_MAX + 64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	got = read(fd, ret_text, bytes - 1);
	if (got < 0)
		got = -errno;
	close(fd);
	ret_text[got < 0 ? 0 : got] = '\0';
	return got < 0 ? (int)got : 0;
}

static int parse(const char *text, uint64_t *ret_number)
{
	char *end;

	if (!strncmp(text, "max", 3)) {
		*ret_number = UINT64_MAX;
		return 0;
	}
	errno = 0;
	*ret_number = strtoull(text, &end, 10);
	return errno || end == text ? -EBADMSG : 0;
}

int cgroup_read_number(const struct cgroup_folder *folder, const char *name, uint64_t *ret_number)
{
	char text[64];
	const int err = cgroup_read(folder, name, text, sizeof(text));

	return err ? err : parse(text, ret_number);
}

int cgroup_read_key(const struct cgroup_folder *folder, const char *name, const char *key,
		    uint64_t *ret_number)
{
	const size_t bytes = strlen(key);
	char text[TEXT_BYTES];
	int err = cgroup_read(folder, name, text, sizeof(text));

	for (const char *at = text; !err && at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (!strncmp(at, key, bytes) && at[bytes] == ' ')
			return parse(at + bytes + 1, ret_number);
	}
	return err ? err : -ENOENT;
}

bool cgroup_is_frozen(pid_t pid)
{
	struct cgroup_folder folder;
	uint64_t frozen = 0;
	char state[32];

	if (!cgroup_find(pid, "", &folder) &&
	    !cgroup_read_key(&folder, "cgroup.events", "frozen", &frozen) && frozen)
		return true;
	return !cgroup_find(pid, "freezer", &folder) && !folder.is_unified &&
	       !cgroup_read(&folder, "freezer.state", state, sizeof(state)) &&
	       !strncmp(state, "FR", 2);
}
