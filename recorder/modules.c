/* SPDX-License-Identifier: MIT */
/* modules.c - /proc/PID/maps, and the files that it names. All of it may lie about anything but inodes. */
#include "recorder/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "recorder/build_id.h"

#define LINES_MAX 65536 /* of maps, executable or not: vm.max_map_count */

_Static_assert(BUILD_ID_MAX == SCENE_BUILD_ID_MAX, "what is read has room");

/* ---- files ------------------------------------------------------------------------------ */

int modules_open_root(pid_t pid)
{
	struct stat its, ours;
	char path[40];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &its) || stat("/", &ours) ||
	    (its.st_dev == ours.st_dev && its.st_ino == ours.st_ino)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A regular file, to be read; opened in two steps, so that nothing else is ever really opened. */
static int open_regular(const char *path, int root_fd, struct stat *ret_status)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	char name[40];
	int fd, path_fd = root_fd < 0 ? open(path, O_PATH | O_CLOEXEC)
				      : (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	if (path_fd < 0)
		return -errno;
	if (fstat(path_fd, ret_status) || !S_ISREG(ret_status->st_mode)) {
		close(path_fd);
		return -EINVAL;
	}
	snprintf(name, sizeof(name), "/proc/self/fd/%d", path_fd);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	fd = fd < 0 ? -errno : fd;
	close(path_fd);
	return fd;
}

/* Devices are not compared: btrfs and overlayfs have several for one file. */
void modules_find_build_id(struct scene_module *module, int root_fd)
{
	struct stat status;
	int fd, bytes;

	if (!module->path || module->path[0] != '/')
		return;
	fd = open_regular(module->path, root_fd, &status);
	if (fd < 0)
		return;
	if (status.st_ino == module->inode) {
		bytes = build_id_read(fd, module->build_id);
		module->build_id_bytes = bytes > 0 ? (uint8_t)bytes : 0;
	}
	close(fd);
}

int modules_copy(struct scene_module *ret_module, const struct scene_module *module)
{
	char *path = module->path ? strdup(module->path) : NULL;

	if (module->path && !path)
		return -ENOMEM;
	*ret_module = *module;
	ret_module->path = path;
	return 0;
}

/* ---- maps ------------------------------------------------------------------------------- */

/* "start-end perms offset dev inode   path". True: it may be executed. */
static bool parse_line(char *line, struct scene_module *ret_module)
{
	struct scene_module module = {0};
	char permissions[5];
	int path = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %" SCNx32 ":%" SCNx32 " %" SCNu64 " %n",
		   &module.start, &module.end, permissions, &module.offset, &module.major,
		   &module.minor, &module.inode, &path) != 7 ||
	    permissions[2] != 'x' || module.start >= module.end)
		return false;
	line += path;
	line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, "[vsyscall]") == 0) /* the kernel's, in everybody's list and in nobody's memory */
		return false;
	if (path && (*line == '/' || strcmp(line, "[vdso]") == 0))
		module.path = line;
	*ret_module = module;
	return true;
}

static int add(struct modules *modules, const struct scene_module *module)
{
	struct scene_module *list;
	int err;

	if (modules->count == SCENE_MODULES_MAX) {
		modules->left_out++;
		return 0;
	}
	/* Powers of 2 are full. */
	if (!(modules->count & (modules->count - 1))) {
		list = reallocarray(modules->list, modules->count ? 2 * modules->count : 1,
				    sizeof(*list));
		if (!list)
			return -ENOMEM;
		modules->list = list;
	}
	err = modules_copy(&modules->list[modules->count], module);
	if (!err)
		modules->count++;
	return err;
}

static int read_maps(FILE *maps, struct modules *modules)
{
	struct scene_module module;
	char *line = NULL;
	size_t room = 0;
	int err = 0;

	for (unsigned int i = 0; i < LINES_MAX && !err && getline(&line, &room, maps) > 0; i++)
		if (parse_line(line, &module))
			err = add(modules, &module);
	if (!err && ferror(maps))
		err = -EIO;
	free(line);
	return err;
}

int modules_read(pid_t pid, int root_fd, struct modules **ret_modules)
{
	struct modules *modules = calloc(1, sizeof(*modules));
	char name[40];
	FILE *maps;
	int err;

	if (!modules)
		return -ENOMEM;
	modules->holders = 1;
	snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
	maps = fopen(name, "re");
	if (!maps) {
		err = -errno;
		modules_release(modules);
		return err;
	}
	err = read_maps(maps, modules);
	fclose(maps);
	if (err) {
		modules_release(modules);
		return err;
	}
	for (unsigned int i = 0; i < modules->count; i++)
		modules_find_build_id(&modules->list[i], root_fd);
	*ret_modules = modules;
	return 0;
}

void modules_release(struct modules *modules)
{
	if (!modules || --modules->holders)
		return;
	for (unsigned int i = 0; i < modules->count; i++)
		free(modules->list[i].path);
	free(modules->list);
	free(modules);
}
