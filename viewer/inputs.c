/* SPDX-License-Identifier: MIT */
#include "viewer/inputs.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "viewer/out.h"

#define FOLDER_DEFAULT "/var/lib/ttlog/dumps" /* the recorder's */
#define STAMP_DIGITS 14			      /* YYYYMMDDHHMMSS, as in a dump's name */

/* A dump in a folder, and how it is sorted. */
struct found {
	char *path;
	char stamp[STAMP_DIGITS + 1];
	int64_t modified_ns;
};

void inputs_complain(const char *path, const char *why)
{
	struct out out;

	out_init(&out, -1);
	out_text(&out, "ttlog-view: ");
	out_escaped(&out, (struct span){path, strlen(path)}, 0);
	out_printf(&out, ": %s\n", why);
	if (!out.error)
		fwrite(out.data, 1, out.bytes, stderr);
	out_fini(&out);
}

const char *inputs_folder(void)
{
	const char *folder = secure_getenv("TTLOG_SNAPSHOT_DIR");

	return folder && *folder ? folder : FOLDER_DEFAULT;
}

static int add(struct inputs *inputs, char *path)
{
	char **paths;

	if (!path)
		return -ENOMEM;
	paths = reallocarray(inputs->paths, inputs->count + 1, sizeof(*paths));
	if (!paths) {
		free(path);
		return -ENOMEM;
	}
	inputs->paths = paths;
	inputs->paths[inputs->count++] = path;
	return 0;
}

/* ---- folders ----------------------------------------------------------------------------------
 */

/* ttlog-<pid>-<YYYYMMDDHHMMSS>-<reason>.bin; a file that was renamed has the time of its last change. */
static void stamp(struct found *found, const char *name, const struct stat *status)
{
	const char *at = strncmp(name, "ttlog-", 6) == 0 ? strchr(name + 6, '-') : NULL;
	struct tm tm;

	if (at && strspn(at + 1, "0123456789") == STAMP_DIGITS)
		memcpy(found->stamp, at + 1, STAMP_DIGITS);
	else if (gmtime_r(&status->st_mtime, &tm))
		strftime(found->stamp, sizeof(found->stamp), "%Y%m%d%H%M%S", &tm);
	found->modified_ns = status->st_mtim.tv_sec * INT64_C(1000000000) + status->st_mtim.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const struct found *left = a, *right = b;
	int order = strcmp(left->stamp, right->stamp);

	if (!order)
		order = (left->modified_ns > right->modified_ns) -
			(left->modified_ns < right->modified_ns);
	return order ? order : strcmp(left->path, right->path);
}

static bool is_dump(const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length > 4 && strcmp(name + length - 4, ".bin") == 0;
}

/* Adds what the folder has to the array. 0 or a negative errno. */
static int scan(const char *folder, struct found **found, size_t *count)
{
	DIR *dir = opendir(folder);
	size_t capacity = 0;
	struct dirent *entry;
	struct stat status;
	int error = 0;

	if (!dir)
		return -errno;
	while (!error && *count < INPUTS_MAX && (entry = readdir(dir))) {
		if (!is_dump(entry->d_name) || fstatat(dirfd(dir), entry->d_name, &status, 0) ||
		    !S_ISREG(status.st_mode))
			continue;
		if (*count == capacity) {
			struct found *grown;

			capacity = capacity ? 2 * capacity : 64;
			grown = reallocarray(*found, capacity, sizeof(**found));
			error = grown ? 0 : -ENOMEM;
			if (error)
				break;
			*found = grown;
		}
		(*found)[*count] = (struct found){0};
		stamp(&(*found)[*count], entry->d_name, &status);
		if (asprintf(&(*found)[*count].path, "%s%s%s", folder,
			     folder[strlen(folder) - 1] == '/' ? "" : "/", entry->d_name) < 0)
			error = -ENOMEM;
		else
			++*count;
	}
	closedir(dir);
	return error;
}

/* All of its dumps, or the newest. */
static int add_folder(struct inputs *inputs, const char *folder, bool all, const char *hint)
{
	struct found *found = NULL;
	size_t count = 0, first;
	int error = scan(folder, &found, &count);
	char why[128];

	if (error != -ENOMEM && !count) {
		snprintf(why, sizeof(why), "%s%s", error ? strerror(-error) : "no dumps there", hint);
		inputs_complain(folder, why);
		inputs->missing = true;
		error = 0;
	}
	if (count)
		qsort(found, count, sizeof(*found), compare);
	first = all || !count ? 0 : count - 1;
	for (size_t i = 0; i < count; i++) {
		if (i >= first && !error)
			error = add(inputs, found[i].path);
		else
			free(found[i].path);
	}
	free(found);
	return error;
}

/* ---- all --------------------------------------------------------------------------------------
 */

int inputs_open(struct inputs *inputs, char *const *paths, size_t count, bool all)
{
	struct stat status;
	int error = 0;

	*inputs = (struct inputs){0};
	if (!count)
		return add_folder(inputs, inputs_folder(), all,
				  "; which dump? Name a file (ttlog-*.bin), a folder, or - for the "
				  "standard input");
	for (size_t i = 0; i < count && !error; i++) {
		if (*paths[i] && stat(paths[i], &status) == 0 && S_ISDIR(status.st_mode))
			error = add_folder(inputs, paths[i], true, "");
		else
			error = add(inputs, strdup(paths[i]));
	}
	return error;
}

void inputs_close(struct inputs *inputs)
{
	for (size_t i = 0; i < inputs->count; i++)
		free(inputs->paths[i]);
	free(inputs->paths);
	*inputs = (struct inputs){0};
}
