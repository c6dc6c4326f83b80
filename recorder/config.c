/* SPDX-License-Identifier: MIT */
/* config.c - values from texts, and the command line. */
#include "recorder/config.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/config_file.h"
#include "recorder/log.h"

/* ---- values ----------------------------------------------------------------------------- */

static const struct suffix {
	char letter; /* as it is written in lower case */
	uint64_t factor;
} byte_suffixes[] = {{'k', UINT64_C(1) << 10},
		     {'m', UINT64_C(1) << 20},
		     {'g', UINT64_C(1) << 30},
		     {'t', UINT64_C(1) << 40},
		     {0}},
  time_suffixes[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}, {0}};

/* Decimal digits and at most one of the suffixes (NULL: none is known). */
static int parse_number(const char *text, const struct suffix *suffixes, uint64_t *ret_number)
{
	uint64_t number, factor = 1;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno)
		return -errno;
	if (*end) {
		const int letter = tolower((unsigned char)*end);

		while (suffixes && suffixes->letter && suffixes->letter != letter)
			suffixes++;
		if (!suffixes || !suffixes->letter || end[1])
			return -EINVAL;
		factor = suffixes->factor;
	}
	if (__builtin_mul_overflow(number, factor, ret_number))
		return -ERANGE;
	return 0;
}

static int parse_flag(const char *text, bool *ret_flag)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcasecmp(text, words[i])) {
			*ret_flag = i % 2;
			return 0;
		}
	return -EINVAL;
}

static bool is_choice(const char *words, const char *text)
{
	const size_t bytes = strlen(text);

	for (const char *at = words; at; at = strchr(at, '|'), at += at ? 1 : 0)
		if (bytes && !strncmp(at, text, bytes) && (at[bytes] == '|' || !at[bytes]))
			return true;
	return false;
}

static int check_text(const struct config_row *row, const char *text)
{
	if (!*text)
		return -EINVAL;
	for (const char *at = text; *at; at++)
		if (iscntrl((unsigned char)*at))
			return -EINVAL;
	if (row->kind == CONFIG_CHOICE && !is_choice(row->argument, text))
		return -EINVAL;
	return row->check ? row->check(text) : 0;
}

static int parse_value(const struct config_row *row, const char *text, bool *ret_flag,
		       uint64_t *ret_number)
{
	const struct suffix *suffixes = NULL;
	int err;

	switch (row->kind) {
	case CONFIG_FLAG:
		return parse_flag(text, ret_flag);
	case CONFIG_TEXT:
	case CONFIG_PATH:
	case CONFIG_FOLDER:
	case CONFIG_CHOICE:
		return check_text(row, text);
	case CONFIG_BYTES:
		suffixes = byte_suffixes;
		break;
	case CONFIG_SECONDS:
		suffixes = time_suffixes;
		break;
	case CONFIG_COUNT:
		break;
	}
	err = parse_number(text, suffixes, ret_number);
	if (!err && (*ret_number < row->least || (row->most && *ret_number > row->most)))
		err = -ERANGE;
	return err;
}

/* `owned` is the text that a member refers to; NULL for none. */
static void store_value(struct config *config, const struct config_row *row, const char *owned,
			bool flag, uint64_t number)
{
	void *member = (char *)config + row->offset;

	switch (row->kind) {
	case CONFIG_FLAG:
		*(bool *)member = flag;
		break;
	case CONFIG_COUNT:
	case CONFIG_BYTES:
	case CONFIG_SECONDS:
		*(uint64_t *)member = number;
		break;
	default:
		*(const char **)member = owned;
	}
}

static int replace(struct config *config, const struct config_row *row, const char *text, bool flag,
		   uint64_t number, enum config_origin origin, const char *where)
{
	struct config_value *value = &config->values[row - config_rows];
	struct config_value fresh = {.origin = origin};

	fresh.text = text ? strdup(text) : NULL;
	fresh.where = strdup(where);
	if ((text && !fresh.text) || !fresh.where) {
		free(fresh.text);
		free(fresh.where);
		return -ENOMEM;
	}
	store_value(config, row, fresh.text, flag, number);
	free(value->text);
	free(value->where);
	*value = fresh;
	return 0;
}

int config_set(struct config *config, const struct config_row *row, const char *text,
	       enum config_origin origin, const char *where)
{
	uint64_t number = 0;
	bool flag = false;
	int err = parse_value(row, text, &flag, &number);

	if (err)
		return err;
	return replace(config, row, text, flag, number, origin, where);
}

int config_reset(struct config *config, const struct config_row *row, enum config_origin origin,
		 const char *where)
{
	if (row->otherwise)
		return config_set(config, row, row->otherwise, origin, where);
	return replace(config, row, NULL, false, 0, origin, where);
}

void config_expects(const struct config_row *row, char *ret_text, size_t bytes)
{
	static const char *const nouns[] = {
		[CONFIG_FLAG] = "yes or no",
		[CONFIG_TEXT] = "a text",
		[CONFIG_PATH] = "a path",
		[CONFIG_FOLDER] = "a path",
		[CONFIG_CHOICE] = "one of ",
		[CONFIG_COUNT] = "a number",
		[CONFIG_BYTES] = "a number with K, M, G or T",
		[CONFIG_SECONDS] = "a time with s, m, h, d or w",
	};
	const bool choice = row->kind == CONFIG_CHOICE;
	char range[64] = "";

	if (row->least)
		snprintf(range, sizeof(range), " from %llu", (unsigned long long)row->least);
	if (row->most)
		snprintf(strchr(range, '\0'), 32, " up to %llu", (unsigned long long)row->most);
	snprintf(ret_text, bytes, "%s%s%s", nouns[row->kind], choice ? row->argument : "", range);
}

const struct config_row *config_find(const char *name)
{
	for (size_t i = 0; i < config_row_count; i++)
		if (!strcmp(config_rows[i].name, name))
			return &config_rows[i];
	return NULL;
}

const struct config_value *config_value_of(const struct config *config, const char *name)
{
	const struct config_row *row = config_find(name);

	return row ? &config->values[row - config_rows] : NULL;
}

/* ---- the command line ------------------------------------------------------------------- */

#define LONG_KEY 256 /* getopt's value of the first row's long option */

/* getopt's tables, made from ours. */
static void make_getopt(struct option long_options[CONFIG_ROWS_MAX + 1],
			char short_options[2 * CONFIG_ROWS_MAX + 2])
{
	char *at = short_options;
	size_t i;

	*at++ = '+'; /* the command's options are its own */
	for (i = 0; i < config_row_count; i++) {
		const struct config_row *row = &config_rows[i];

		long_options[i] = (struct option){
			.name = row->name,
			.has_arg = row->kind == CONFIG_FLAG ? optional_argument : required_argument,
			.val = LONG_KEY + (int)i,
		};
		if (!row->letter)
			continue;
		*at++ = row->letter;
		if (row->kind != CONFIG_FLAG)
			*at++ = ':';
	}
	*at = '\0';
	long_options[i] = (struct option){0};
}

static const struct config_row *row_of_key(int key)
{
	if (key >= LONG_KEY)
		return &config_rows[key - LONG_KEY];
	for (size_t i = 0; i < config_row_count; i++)
		if (config_rows[i].letter == key)
			return &config_rows[i];
	return NULL;
}

static int take_given(struct config *config, const struct config_given *given)
{
	char wanted[160];
	const int err =
		config_set(config, given->row, given->text, CONFIG_FROM_LINE, "command line");

	if (err)
		config_expects(given->row, wanted, sizeof(wanted));
	if (err)
		log_error("'%s' makes no sense for --%s, which is %s", given->text,
			  given->row->name, wanted);
	return err;
}

static int check_words(const struct config *config)
{
	if (config->line.help || config->line.version)
		return 0;
	if (config->kind == CONFIG_RUN && !*config->command)
		log_error("run: which command?");
	else if (config->kind != CONFIG_RUN && *config->command)
		log_error("what is '%s'? (options start with --, commands with 'run')",
			  *config->command);
	else if (config->kind != CONFIG_DOCTOR && config->line.format)
		log_error("--format is for 'doctor'");
	else if (config->kind != CONFIG_DAEMON && config->line.check_config)
		log_error("--check-config is for the daemon");
	else
		return 0;
	return -EINVAL;
}

static enum config_command command_of(const char *word)
{
	if (word && !strcmp(word, "run"))
		return CONFIG_RUN;
	return word && !strcmp(word, "doctor") ? CONFIG_DOCTOR : CONFIG_DAEMON;
}

int config_read_line(struct config *ret_config, int argc, char **argv)
{
	struct option long_options[CONFIG_ROWS_MAX + 1];
	char short_options[2 * CONFIG_ROWS_MAX + 2];
	struct config *config = ret_config;
	int key, err = 0;

	*config = (struct config){.kind = command_of(argv[1])};
	make_getopt(long_options, short_options);
	if (config->kind != CONFIG_DAEMON) {
		argv[1] = argv[0];
		argc--;
		argv++;
	}
	config->given = calloc((size_t)argc + 1, sizeof(*config->given));
	if (!config->given)
		return -ENOMEM;
	optind = 0;
	while ((key = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		const struct config_row *row = key == '?' ? NULL : row_of_key(key);
		struct config_given *given = &config->given[config->given_count];

		if (!row) {
			err = -EINVAL;
			continue;
		}
		*given = (struct config_given){row, optarg ? optarg : "yes"};
		if (!take_given(config, given))
			config->given_count++;
		else
			err = -EINVAL;
	}
	config->command = argv + optind;
	return err ? err : check_words(config);
}

/* ---- all together ----------------------------------------------------------------------- */

static int load_defaults(struct config *config)
{
	for (size_t i = 0; i < config_row_count; i++) {
		const struct config_row *row = &config_rows[i];
		int err = 0;

		if (row->otherwise)
			err = config_set(config, row, row->otherwise, CONFIG_FROM_DEFAULT,
					 "default");
		if (err)
			return err;
	}
	return 0;
}

static int load_environment(struct config *config)
{
	int err = 0;

	for (size_t i = 0; i < config_row_count; i++) {
		const struct config_row *row = &config_rows[i];
		const char *text = row->environment ? secure_getenv(row->environment) : NULL;
		char where[80];

		if (!text || !*text)
			continue;
		snprintf(where, sizeof(where), "$%s", row->environment);
		if (!config_set(config, row, text, CONFIG_FROM_ENVIRONMENT, where))
			continue;
		log_error("'%s' makes no sense for %s", text, where);
		err = -EINVAL;
	}
	return err;
}

/* Of `run`, which anybody uses for anything, only the file that is named for it. */
static int load_files(struct config *config)
{
	const struct config_row *row = config_find("config");
	const char *path = NULL;

	for (size_t i = 0; i < config->given_count; i++)
		if (config->given[i].row == row)
			path = config->given[i].text;
	if (!path && config->kind == CONFIG_RUN)
		return 0;
	return config_file_load(config, path ? path : CONFIG_FILE_DEFAULT, path != NULL);
}

/* Each source in turn, also after one with mistakes: all of them are to be said. */
int config_load(struct config *config)
{
	int failed = 0, err = load_defaults(config);

	if (!err)
		failed = load_files(config);
	if (!err && failed != -ENOMEM && load_environment(config))
		failed = -EINVAL;
	for (size_t i = 0; !err && failed != -ENOMEM && i < config->given_count; i++)
		err = take_given(config, &config->given[i]);
	config->options.rules = config->rules;
	return err ? err : failed;
}

/* ---- once more, while the recorder runs ------------------------------------------------- */

static bool is_same(const struct config *a, const struct config *b, const struct config_row *row)
{
	const void *in_a = (const char *)a + row->offset, *in_b = (const char *)b + row->offset;
	const char *text_a, *text_b;

	switch (row->kind) {
	case CONFIG_FLAG:
		return *(const bool *)in_a == *(const bool *)in_b;
	case CONFIG_COUNT:
	case CONFIG_BYTES:
	case CONFIG_SECONDS:
		return *(const uint64_t *)in_a == *(const uint64_t *)in_b;
	default:
		text_a = *(const char *const *)in_a;
		text_b = *(const char *const *)in_b;
		return text_a && text_b ? !strcmp(text_a, text_b) : text_a == text_b;
	}
}

/* The value changes its owner. */
static void move_value(struct config *to, struct config *from, const struct config_row *row)
{
	struct config_value *mine = &to->values[row - config_rows];
	struct config_value *fresh = &from->values[row - config_rows];
	const struct config_value old = *mine;
	const void *member = (const char *)from + row->offset;
	const bool flag = row->kind == CONFIG_FLAG && *(const bool *)member;
	uint64_t number = 0;

	if (row->kind == CONFIG_COUNT || row->kind == CONFIG_BYTES || row->kind == CONFIG_SECONDS)
		number = *(const uint64_t *)member;
	store_value(to, row, fresh->text, flag, number);
	*mine = *fresh;
	*fresh = old;
}

int config_reload(struct config *config)
{
	struct config fresh = {
		.kind = config->kind,
		.command = config->command,
		.given = config->given,
		.given_count = config->given_count,
	};
	const int err = config_load(&fresh);

	for (size_t i = 0; !err && i < config_row_count; i++) {
		const struct config_row *row = &config_rows[i];

		if (row->use & CONFIG_LINE_ONLY || is_same(config, &fresh, row))
			continue;
		if (row->use & CONFIG_LIVE)
			move_value(config, &fresh, row);
		else
			log_warn("%s can't change while the recorder runs: restart it", row->name);
	}
	if (!err) {
		struct rules *old = config->rules;

		config->options.rules = config->rules = fresh.rules;
		fresh.rules = old;
	}
	fresh.given = NULL;
	config_fini(&fresh);
	return err;
}

void config_fini(struct config *config)
{
	for (size_t i = 0; i < config_row_count; i++) {
		free(config->values[i].text);
		free(config->values[i].where);
	}
	free(config->given);
	rules_release(config->rules);
	*config = (struct config){0};
}
