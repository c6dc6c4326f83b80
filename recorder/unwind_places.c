/* SPDX-License-Identifier: MIT */
/*
 * unwind_places.c - where the file of a module may be, beside where it was.
 *
 * Right after a death it is where the process had it. Later, or on another machine, it may be in a
 * folder that somebody names: below it with the same path, as in a copy of a root; by its name, as
 * where somebody collects programs; by its build-id, as debuggers have it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "recorder/unwind_parts.h"

void unwind_build_id_name(const unsigned char *build_id, size_t bytes, const char *suffix,
			  char ret_name[UNWIND_ID_NAME_BYTES])
{
	char *at = ret_name;

	*ret_name = '\0';
	if (bytes < 2 || bytes > SCENE_BUILD_ID_MAX)
		return;
	at += sprintf(at, ".build-id/%02x/", build_id[0]);
	for (size_t i = 1; i < bytes; i++)
		at += sprintf(at, "%02x", build_id[i]);
	strcpy(at, suffix);
}

/* A file that was replaced while it ran; what has its name now may be the same again. */
static int undeleted_length(const char *path)
{
	static const char suffix[] = " (deleted)";
	const size_t length = strlen(path), rest = sizeof(suffix) - 1;

	if (length > rest && !strcmp(path + length - rest, suffix))
		return (int)(length - rest);
	return (int)length;
}

static int __attribute__((format(printf, 3, 4)))
open_path(const struct unwind_files *files, char path[PATH_MAX], const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(path, PATH_MAX, format, arguments);
	va_end(arguments);
	return length < 0 || length >= PATH_MAX ? -ENAMETOOLONG : unwind_open(files, path);
}

enum place { PLACE_SAME_PATH, PLACE_SAME_NAME, PLACE_BUILD_ID, PLACE_DEBUG, PLACES };

static int open_in_folder(const struct unwind_files *files, const struct scene_module *module,
			  const char *folder, enum place place, char path[PATH_MAX])
{
	const int length = undeleted_length(module->path);
	const char *slash = memrchr(module->path, '/', (size_t)length);
	char name[UNWIND_ID_NAME_BYTES];

	unwind_build_id_name(module->build_id, module->build_id_bytes, "", name);
	switch (place) {
	case PLACE_SAME_PATH:
		return open_path(files, path, "%s%.*s", folder, length, module->path);
	case PLACE_SAME_NAME:
		return slash ? open_path(files, path, "%s%.*s", folder,
					 length - (int)(slash - module->path), slash)
			     : -ENOENT;
	case PLACE_BUILD_ID:
		return *name ? open_path(files, path, "%s/%s", folder, name) : -ENOENT;
	default:
		return *name ? open_path(files, path, "%s" UNWIND_DEBUG_FOLDER "/%s", folder, name)
			     : -ENOENT;
	}
}

int unwind_open_place(const struct unwind_files *files, const struct scene_module *module,
		      unsigned int number, char ret_path[PATH_MAX])
{
	const int length = undeleted_length(module->path);

	switch (number) {
	case 0:
		return open_path(files, ret_path, "%s", module->path);
	case 1:
		return module->path[length] ? open_path(files, ret_path, "%.*s", length, module->path)
					    : -ENOENT;
	default:
		/* What has no build-id can't be known elsewhere. */
		number -= 2;
		if (!module->build_id_bytes || number / PLACES > files->folder_count)
			return -ERANGE;
		if (number / PLACES < files->folder_count)
			return open_in_folder(files, module, files->folders[number / PLACES],
					      number % PLACES, ret_path);
		/* Some distributions link programs there, too. */
		if (!files->is_redo || number % PLACES != PLACE_DEBUG)
			return -ENOENT;
		return open_in_folder(files, module, "", PLACE_DEBUG, ret_path);
	}
}

int unwind_open_debug(const struct unwind_files *files, const struct scene_module *module,
		      char ret_path[PATH_MAX])
{
	char name[UNWIND_ID_NAME_BYTES];
	int fd = -ENOENT;

	unwind_build_id_name(module->build_id, module->build_id_bytes, ".debug", name);
	for (unsigned int i = 0; *name && i < files->folder_count && fd < 0; i++) {
		fd = open_path(files, ret_path, "%s/%s", files->folders[i], name);
		if (fd < 0)
			fd = open_path(files, ret_path, "%s" UNWIND_DEBUG_FOLDER "/%s",
				       files->folders[i], name);
		if (fd < 0 && strrchr(module->path, '/'))
			fd = open_path(files, ret_path, "%s%s.debug", files->folders[i],
				       strrchr(module->path, '/'));
	}
	if (fd < 0 && *name)
		fd = open_path(files, ret_path, UNWIND_DEBUG_FOLDER "/%s", name);
	return fd;
}
