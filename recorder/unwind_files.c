/* SPDX-License-Identifier: MIT */
/*
 * unwind_files.c - which files the unwinding child opens, and where debug information may lie.
 *
 * Every name here was chosen by the process that died, or by its files. A FIFO at one of them must
 * not stop us, a file of another build must not lie to us.
 */
#include <dlfcn.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/unwind_parts.h"

#define FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* libdwfl hands no context to its callbacks. */
static const struct unwind_files *where;

void unwind_find_in(const struct unwind_files *files)
{
	where = files;
}

static int only_regular(int fd)
{
	struct stat status;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &status) && S_ISREG(status.st_mode) &&
	    status.st_size >= (off_t)sizeof(Elf64_Ehdr))
		return fd;
	close(fd);
	return -EINVAL;
}

static int open_in(const struct unwind_files *files, const char *path, int flags)
{
	const struct open_how how = {.flags = (uint64_t)flags, .resolve = RESOLVE_IN_ROOT};

	if (files->root_fd < 0)
		return openat(AT_FDCWD, path, flags);
	return (int)syscall(SYS_openat2, files->root_fd, path, &how, sizeof(how));
}

/* It is looked at first: there are devices that do something when they are opened. */
int unwind_open(const struct unwind_files *files, const char *path)
{
	int fd;

	if (path[0] != '/')
		return -EINVAL;
	fd = only_regular(open_in(files, path, O_PATH | O_CLOEXEC));
	if (fd < 0)
		return fd;
	close(fd);
	return only_regular(open_in(files, path, FLAGS));
}

/* ---- is it the right one? --------------------------------------------------------------- */

/* As .gnu_debuglink has it: the polynomial of Ethernet. */
static uint32_t crc_add(uint32_t crc, const unsigned char *data, size_t bytes)
{
	static uint32_t table[256];

	if (!table[1])
		for (uint32_t i = 0; i < 256; i++) {
			table[i] = i;
			for (int bit = 0; bit < 8; bit++)
				table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
		}
	for (size_t i = 0; i < bytes; i++)
		crc = table[(crc ^ data[i]) & 0xff] ^ crc >> 8;
	return crc;
}

static bool has_crc(int fd, uint32_t wanted)
{
	unsigned char buffer[16384];
	uint32_t crc = ~0U;
	off_t at = 0;
	ssize_t count;

	while ((count = pread(fd, buffer, sizeof(buffer), at)) > 0) {
		crc = crc_add(crc, buffer, (size_t)count);
		at += count;
	}
	return !count && ~crc == wanted;
}

static bool has_build_id(int fd, const unsigned char *wanted, size_t bytes)
{
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	const void *bits;
	bool is_same;

	if (!elf)
		return false;
	is_same = dwelf_elf_gnu_build_id(elf, &bits) == (ssize_t)bytes &&
		  !memcmp(bits, wanted, bytes);
	elf_end(elf);
	return is_same;
}

struct wanted {
	const unsigned char *build_id;
	size_t build_id_bytes; /* 0: it has none, the sum is to do */
	uint32_t crc;
};

/* Closes what it refuses. */
static int checked(int fd, const struct wanted *wanted)
{
	if (fd < 0)
		return -1;
	if (wanted->build_id_bytes ? has_build_id(fd, wanted->build_id, wanted->build_id_bytes)
				   : has_crc(fd, wanted->crc))
		return fd;
	close(fd);
	return -1;
}

/* ---- where it may lie ------------------------------------------------------------------- */

struct place {
	char path[PATH_MAX];
};

static int __attribute__((format(printf, 3, 4)))
try_path(struct place *place, const struct wanted *wanted, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(place->path, sizeof(place->path), format, arguments);
	va_end(arguments);
	if (length < 0 || length >= (int)sizeof(place->path))
		return -1;
	return checked(unwind_open(where, place->path), wanted);
}

/* A folder that somebody named is one like /usr/lib/debug, or one like "/". */
static int find_in_folders(struct place *place, const struct wanted *wanted, const char *name)
{
	int fd = -1;

	for (unsigned int i = 0; i < where->folder_count && fd < 0; i++) {
		fd = try_path(place, wanted, "%s/%s", where->folders[i], name);
		if (fd < 0)
			fd = try_path(place, wanted, "%s" UNWIND_DEBUG_FOLDER "/%s", where->folders[i],
				      name);
	}
	return fd;
}

static int find_by_build_id(struct place *place, const struct wanted *wanted)
{
	char name[UNWIND_ID_NAME_BYTES];
	int fd;

	unwind_build_id_name(wanted->build_id, wanted->build_id_bytes, ".debug", name);
	if (!*name)
		return -1;
	fd = find_in_folders(place, wanted, name);
	if (fd < 0)
		fd = try_path(place, wanted, UNWIND_DEBUG_FOLDER "/%s", name);
	if (fd < 0 && where->debug_fd >= 0)
		fd = checked(only_regular(openat(where->debug_fd, name, FLAGS | O_NOFOLLOW)),
			     wanted);
	return fd;
}

/* As a debugger looks for it: below each folder with the program's path, and right there. */
static int find_link_in_folders(struct place *place, const struct wanted *wanted,
				const char *file_name, int folder_length, const char *link)
{
	int fd = find_in_folders(place, wanted, link);

	for (unsigned int i = 0; i < where->folder_count && fd < 0; i++) {
		fd = try_path(place, wanted, "%s%.*s/%s", where->folders[i], folder_length,
			      file_name, link);
		if (fd < 0)
			fd = try_path(place, wanted, "%s" UNWIND_DEBUG_FOLDER "%.*s/%s",
				      where->folders[i], folder_length, file_name, link);
	}
	return fd;
}

static int find_by_link(struct place *place, const struct wanted *wanted, const char *file_name,
			const char *link)
{
	const char *slash = file_name ? strrchr(file_name, '/') : NULL;
	int folder, fd;

	if (!link || !slash || !*link || strchr(link, '/'))
		return -1;
	folder = (int)(slash - file_name);
	fd = try_path(place, wanted, "%.*s/%s", folder, file_name, link);
	if (fd < 0)
		fd = try_path(place, wanted, "%.*s/.debug/%s", folder, file_name, link);
	if (fd < 0)
		fd = try_path(place, wanted, UNWIND_DEBUG_FOLDER "%.*s/%s", folder, file_name, link);
	if (fd < 0)
		fd = find_link_in_folders(place, wanted, file_name, folder, link);
	return fd;
}

/* The build-id that a file expects of the one that it shares debug information with (dwz). */
static bool find_shared_id(Elf *elf, struct wanted *ret_wanted)
{
	size_t names;
	Elf_Scn *section = NULL;

	if (elf_getshdrstrndx(elf, &names))
		return false;
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		const Elf_Data *data;
		const char *name;
		size_t length;

		if (!gelf_getshdr(section, &header))
			continue;
		name = elf_strptr(elf, names, header.sh_name);
		if (!name || strcmp(name, ".gnu_debugaltlink"))
			continue;
		data = elf_rawdata(section, NULL);
		if (!data || !data->d_buf)
			return false;
		length = strnlen(data->d_buf, data->d_size);
		if (data->d_size - length < 2 || data->d_size - length - 1 > SCENE_BUILD_ID_MAX)
			return false;
		ret_wanted->build_id = (const unsigned char *)data->d_buf + length + 1;
		ret_wanted->build_id_bytes = data->d_size - length - 1;
		return true;
	}
	return false;
}

/* libdwfl asks the same way for what dwz moved out of the debug file `file_name`. */
static int find_shared(struct place *place, const char *file_name, const char *link)
{
	const char *slash = file_name ? strrchr(file_name, '/') : NULL;
	struct wanted wanted = {0};
	int fd = -1, from_fd;
	Elf *elf;

	from_fd = slash ? unwind_open(where, file_name) : -1;
	elf = from_fd >= 0 ? elf_begin(from_fd, ELF_C_READ_MMAP, NULL) : NULL;
	if (elf && find_shared_id(elf, &wanted)) {
		fd = link[0] == '/' ? try_path(place, &wanted, "%s", link)
				    : try_path(place, &wanted, "%.*s/%s", (int)(slash - file_name),
					       file_name, link);
		if (fd < 0)
			fd = find_by_build_id(place, &wanted);
	}
	elf_end(elf);
	if (from_fd >= 0)
		close(from_fd);
	return fd;
}

/* ---- by the network --------------------------------------------------------------------- */

/* The library is asked for only if somebody wants it: it is no dependency of ours. */
static int ask_servers(const struct wanted *wanted, const char *function, struct place *place)
{
	void *(*begin)(void);
	int (*find)(void *client, const unsigned char *id, int bytes, char **ret_path);
	void *library, *client;
	char *path = NULL;
	int fd;

	library = wanted->build_id_bytes ? dlopen("libdebuginfod.so.1", RTLD_NOW) : NULL;
	if (!library)
		return -1;
	begin = (void *(*)(void))dlsym(library, "debuginfod_begin");
	find = (int (*)(void *, const unsigned char *, int, char **))dlsym(library, function);
	client = begin && find ? begin() : NULL;
	if (!client)
		return -1;
	fd = checked(find(client, wanted->build_id, (int)wanted->build_id_bytes, &path), wanted);
	snprintf(place->path, sizeof(place->path), "%s", path ? path : "");
	free(path);
	return fd;
}

int unwind_ask_for_program(const struct scene_module *module, char ret_path[PATH_MAX])
{
	const struct wanted wanted = {.build_id = module->build_id,
				      .build_id_bytes = module->build_id_bytes};
	struct place place;
	int fd;

	fd = ask_servers(&wanted, "debuginfod_find_executable", &place);
	if (fd >= 0)
		strcpy(ret_path, place.path);
	return fd;
}

int unwind_find_debuginfo(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
			  const char *file_name, const char *link, GElf_Word crc, char **ret_name)
{
	struct wanted wanted = {.crc = crc};
	static struct place place;
	GElf_Addr at;
	int bytes, fd;

	(void)userdata, (void)name, (void)base;
	if (link && strchr(link, '/')) {
		fd = find_shared(&place, file_name, link);
	} else {
		bytes = dwfl_module_build_id(module, &wanted.build_id, &at);
		wanted.build_id_bytes = bytes > 0 ? (size_t)bytes : 0;
		fd = find_by_build_id(&place, &wanted);
		if (fd < 0)
			fd = find_by_link(&place, &wanted, file_name, link);
		if (fd < 0 && where->debuginfod)
			fd = ask_servers(&wanted, "debuginfod_find_debuginfo", &place);
	}
	if (fd >= 0)
		*ret_name = strdup(place.path);
	return fd;
}
