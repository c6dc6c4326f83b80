/* SPDX-License-Identifier: MIT */
/* config_file.c - files are read whole, then taken apart line by line. */
#include "recorder/config_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder/log.h"

/* A file that is being taken apart. */
struct text_file {
	struct config *config;
	const char *path;
	unsigned int line;
	enum {
		SECTION_RECORDER,
		SECTION_TRIGGER,
		SECTION_UNKNOWN
	} section;	   /* unknown: said once */
	const char *start; /* of the line */
	int err;
};

static void complain(struct text_file *file, const char *what, const char *word)
{
	log_error("%s:%u: %s%s%s", file->path, file->line, what, word ? " " : "", word ? word : "");
	file->err = -EINVAL;
}

/* ---- lines ------------------------------------------------------------------------------ */

static char *trim(char *text)
{
	char *end;

	text += strspn(text, " \t\r");
	end = strchr(text, '\0');
	while (end > text && strchr(" \t\r", end[-1]))
		end--;
	*end = '\0';
	return text;
}

/* Where in the line, as editors count. */
static void complain_at(struct text_file *file, const char *at, const struct filter_error *error)
{
	log_error("%s:%u:%zu: %s", file->path, file->line,
		  (size_t)(at - file->start) + error->at + 1, error->why);
	file->err = -EINVAL;
}

/* The trigger that was begun last is complete. */
static void end_trigger(struct text_file *file)
{
	const struct rules *rules = file->config->rules;
	struct filter_error error;

	if (file->section != SECTION_TRIGGER || !rules || !rules->count)
		return;
	file->section = SECTION_UNKNOWN;
	if (!rules_check(&rules->rule[rules->count - 1], &error))
		return;
	log_error("%s: %s", rules->rule[rules->count - 1].where, error.why);
	file->err = -EINVAL;
}

static void begin_trigger(struct text_file *file, const char *name)
{
	struct config *config = file->config;
	struct filter_error error;
	char where[PATH_MAX + 16];
	int err = -ENOMEM;

	snprintf(where, sizeof(where), "%s:%u", file->path, file->line);
	if (!config->rules)
		config->rules = rules_new();
	if (config->rules)
		err = rules_begin(config->rules, name, where, &error);
	if (err == -ENOMEM)
		file->err = err;
	else if (err)
		complain_at(file, name, &error);
	else
		file->section = SECTION_TRIGGER;
}

static void take_section(struct text_file *file, char *text)
{
	char *end = strchr(text, ']');

	end_trigger(file);
	file->section = SECTION_RECORDER;
	if (!end || end[1]) {
		complain(file, "a section is written [recorder] or [trigger NAME]", NULL);
		return;
	}
	*end = '\0';
	text = trim(text + 1);
	if (!strcmp(text, "recorder"))
		return;
	file->section = SECTION_UNKNOWN;
	if (!strncmp(text, "trigger", 7) && strchr(" \t", text[7]))
		begin_trigger(file, text + 7 + strspn(text + 7, " \t"));
	else
		complain(file, "there is no such section:", text);
}

static void take_rule_line(struct text_file *file, const char *key, const char *text)
{
	struct filter_error error;
	const int err = rules_set(file->config->rules, key, text, &error);

	if (err == -ENOMEM)
		file->err = err;
	else if (err == -ENOENT)
		complain(file, "a trigger has no such key:", key);
	else if (err)
		complain_at(file, text, &error);
}

/* A second one in the same file is a mistake; in a drop-in it is what drop-ins are for. */
static bool is_repeated(const struct text_file *file, const struct config_row *row)
{
	const struct config_value *value = &file->config->values[row - config_rows];
	const size_t bytes = strlen(file->path);

	return value->where && value->origin == CONFIG_FROM_FILE &&
	       !strncmp(value->where, file->path, bytes) && value->where[bytes] == ':';
}

static void take_value(struct text_file *file, const char *key, const char *text)
{
	const struct config_row *row = config_find(key);
	char where[PATH_MAX + 16], wanted[160];
	int err;

	if (!row || row->use & CONFIG_LINE_ONLY) {
		complain(file,
			 row ? "this is for the command line only:" : "there is no such key:", key);
		return;
	}
	if (is_repeated(file, row)) {
		complain(file, "a second time in this file:", key);
		return;
	}
	snprintf(where, sizeof(where), "%s:%u", file->path, file->line);
	err = *text ? config_set(file->config, row, text, CONFIG_FROM_FILE, where)
		    : config_reset(file->config, row, CONFIG_FROM_FILE, where);
	if (err == -ENOMEM) {
		file->err = err;
	} else if (err) {
		config_expects(row, wanted, sizeof(wanted));
		log_error("%s: '%s' makes no sense for %s, which is %s", where, text, row->name,
			  wanted);
		file->err = -EINVAL;
	}
}

static void take_line(struct text_file *file, char *text)
{
	char *equals;

	file->start = text;
	text = trim(text);
	if (!*text || *text == '#' || *text == ';')
		return;
	if (*text == '[') {
		take_section(file, text);
		return;
	}
	if (file->section == SECTION_UNKNOWN)
		return;
	equals = strchr(text, '=');
	if (!equals) {
		complain(file, "this is no 'key = value':", text);
		return;
	}
	*equals = '\0';
	if (file->section == SECTION_TRIGGER)
		take_rule_line(file, trim(text), trim(equals + 1));
	else
		take_value(file, trim(text), trim(equals + 1));
}

static void take_text(struct text_file *file, char *text)
{
	if (!strncmp(text, "\xef\xbb\xbf", 3))
		text += 3;
	while (text && file->err != -ENOMEM) {
		char *end = strchr(text, '\n');

		file->line++;
		if (end)
			*end++ = '\0';
		take_line(file, text);
		text = end;
	}
	end_trigger(file);
}

/* ---- files ------------------------------------------------------------------------------ */

/* Why not; NULL: fine. Root's group may write, as root put people there. */
static const char *distrust(const struct stat *stat)
{
	if (stat->st_uid && stat->st_uid != geteuid())
		return "belongs to another user";
	if (stat->st_mode & S_IWOTH)
		return "everybody may write there";
	if (stat->st_mode & S_IWGRP && stat->st_gid && !geteuid())
		return "a group may write there";
	return NULL;
}

/* The bytes of an open file, with a NUL behind them. NULL: `ret_why` says it. */
static char *read_whole(int fd, const char **ret_why)
{
	char *text = malloc(CONFIG_FILE_BYTES_MAX + 2);
	size_t bytes = 0;
	ssize_t got = 1;

	*ret_why = "no memory";
	if (!text)
		return NULL;
	while (got > 0 && bytes <= CONFIG_FILE_BYTES_MAX) {
		got = read(fd, text + bytes, CONFIG_FILE_BYTES_MAX + 1 - bytes);
		if (got > 0)
			bytes += (size_t)got;
		else if (got < 0 && errno == EINTR)
			got = 1;
	}
	*ret_why = NULL;
	if (got < 0)
		*ret_why = strerror(errno);
	else if (bytes > CONFIG_FILE_BYTES_MAX)
		*ret_why = "is too big for a configuration";
	else if (memchr(text, '\0', bytes))
		*ret_why = "is no text (it has a NUL)";
	if (*ret_why) {
		free(text);
		return NULL;
	}
	text[bytes] = '\0';
	return text;
}

/* Neither a FIFO nor a device may keep us waiting, or notice that it was opened for long. */
static char *open_and_read(const char *path, int *ret_errno, const char **ret_why)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text = NULL;
	struct stat stat;

	*ret_errno = fd < 0 ? errno : 0;
	if (fd < 0 || fstat(fd, &stat)) {
		*ret_why = strerror(errno);
		goto out;
	}
	*ret_why = S_ISREG(stat.st_mode) ? distrust(&stat) : "is no regular file";
	if (!*ret_why)
		text = read_whole(fd, ret_why);
out:
	if (fd >= 0)
		close(fd);
	return text;
}

static int load_one(struct config *config, const char *path, bool must_be)
{
	struct text_file file = {.config = config, .path = path};
	const char *why = NULL;
	int error;
	char *text = open_and_read(path, &error, &why);

	if (!text) {
		if (error == ENOENT && !must_be)
			return 0;
		log_error("%s: %s", path, why);
		return -EINVAL;
	}
	take_text(&file, text);
	free(text);
	return file.err;
}

/* ---- the folder of drop-ins ------------------------------------------------------------- */

static int is_drop_in(const struct dirent *entry)
{
	const size_t bytes = strlen(entry->d_name);

	return entry->d_name[0] != '.' && bytes > 5 && !strcmp(entry->d_name + bytes - 5, ".conf");
}

/* By bytes: the same order whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_entries(struct config *config, const char *folder, struct dirent **entries,
			int count)
{
	char path[PATH_MAX];
	int failed = 0;

	for (int i = 0; i < count; i++) {
		int err = -ENAMETOOLONG;

		if (snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name) <
		    (int)sizeof(path))
			err = load_one(config, path, true);
		failed = err ? err : failed;
	}
	return failed;
}

static int load_drop_ins(struct config *config, const char *folder)
{
	struct dirent **entries = NULL;
	int count, err = -EINVAL;
	struct stat info;
	const char *why;

	if (stat(folder, &info)) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		log_error("%s: %s", folder, strerror(errno));
		return err;
	}
	why = S_ISDIR(info.st_mode) ? distrust(&info) : "is no folder";
	count = why ? 0 : scandir(folder, &entries, is_drop_in, by_name);
	if (count < 0)
		why = strerror(errno);
	else if (count > CONFIG_DROP_INS_MAX)
		why = "has too many files";
	if (why)
		log_error("%s: %s", folder, why);
	else
		err = load_entries(config, folder, entries, count);
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	return err;
}

int config_file_load(struct config *config, const char *path, bool must_be)
{
	char folder[PATH_MAX];
	int err, err_in_folder = 0;

	if (snprintf(folder, sizeof(folder), "%s.d", path) >= (int)sizeof(folder)) {
		log_error("%s: %s", path, strerror(ENAMETOOLONG));
		return -EINVAL;
	}
	err = load_one(config, path, must_be);
	if (err != -ENOMEM)
		err_in_folder = load_drop_ins(config, folder);
	return err ? err : err_in_folder;
}
