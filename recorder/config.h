/* SPDX-License-Identifier: MIT */
/*
 * config.h - what the recorder can be told, and who told it.
 *
 * One table (config_table.c) has a row for each option. The command line, the environment, the
 * configuration files, --help, --check-config, and the completions are made from it: a new option
 * is a row there and a member of struct recorder_options.
 *
 * The command line goes over the environment, that over drop-ins, those over the file, that over
 * the default.
 */
#ifndef RECORDER_CONFIG_H
#define RECORDER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "recorder/recorder.h"

enum config_kind {
	CONFIG_FLAG,	/* bool: --name, --name=no; "name = yes" in a file */
	CONFIG_TEXT,	/* const char *: anything without control characters, not empty */
	CONFIG_PATH,	/* the same: completed as a file */
	CONFIG_FOLDER,	/* the same: completed as a folder */
	CONFIG_CHOICE,	/* const char *: one of the words of `argument`, with | between them */
	CONFIG_COUNT,	/* uint64_t */
	CONFIG_BYTES,	/* uint64_t, with K, M, G or T */
	CONFIG_SECONDS, /* uint64_t, with s, m, h, d or w */
};

enum config_use {
	CONFIG_LIVE = 1,      /* SIGHUP changes it in a running recorder: see recorder_change() */
	CONFIG_LINE_ONLY = 2, /* makes no sense in a file */
};

struct config_row {
	const char *name; /* the long option, and the key in a file */
	char letter;	  /* 0: has no short form */
	enum config_kind kind;
	const char *argument; /* as --help shows it; NULL for a flag */
	size_t offset;	      /* of the member, in struct config */
	unsigned int use;
	const char *environment;   /* the variable that says the same; NULL: none */
	const char *otherwise;	   /* the default, as one would write it; NULL: 0, false, NULL */
	const char *default_words; /* what --help says instead of it */
	uint64_t least, most;	   /* of a number; most 0: no limit */
	int (*check)(const char *text); /* of a text; 0 or a negative errno */
	const char *help;
};

extern const struct config_row config_rows[];
extern const size_t config_row_count;
#define CONFIG_ROWS_MAX 96

enum config_origin {
	CONFIG_FROM_DEFAULT,
	CONFIG_FROM_FILE,
	CONFIG_FROM_ENVIRONMENT,
	CONFIG_FROM_LINE,
};

/* What is in force of a row; `where` names the file and line, or the variable. Both are owned. */
struct config_value {
	char *text; /* NULL: the default, and the default is nothing */
	char *where;
	enum config_origin origin;
};

enum config_command { CONFIG_DAEMON, CONFIG_RUN, CONFIG_DOCTOR };

/* What only a command line can say. */
struct config_line {
	bool help, version, check_config;
	const char *config; /* the file */
	const char *format; /* of the doctor; NULL: not given */
};

struct config_given {
	const struct config_row *row;
	const char *text;
};

/* Texts among the options live as long as the config does. */
struct config {
	struct recorder_options options;
	struct config_line line;
	enum config_command kind;
	char **command; /* of `run` */
	struct config_value values[CONFIG_ROWS_MAX];
	struct config_given
		*given; /* the command line: as often as it is loaded, it stays the same */
	size_t given_count;
	struct rules *rules; /* held; NULL: none */
};

/*
 * Both say on stderr what is wrong, all of it. config_read_line() takes the command line apart,
 * and `config` refers to argv from then on; config_load() finds out what is in force.
 * 0, -EINVAL, -ENOMEM; config_fini() is due in each case.
 */
int config_read_line(struct config *ret_config, int argc, char **argv);
int config_load(struct config *config);
void config_fini(struct config *config);

/* One value of a row, from its text. 0 or a negative errno; then nothing has changed. */
int config_set(struct config *config, const struct config_row *row, const char *text,
	       enum config_origin origin, const char *where);
/* The default again. */
int config_reset(struct config *config, const struct config_row *row, enum config_origin origin,
		 const char *where);
/* What a value has to be: "a number from 1 to 65535". */
void config_expects(const struct config_row *row, char *ret_text, size_t bytes);
/* NULL: there is no such row. */
const struct config_row *config_find(const char *name);
const struct config_value *config_value_of(const struct config *config, const char *name);

/*
 * For SIGHUP: reads everything again, and takes over what may change while the recorder runs. What
 * may not is named on stderr. -EINVAL or -ENOMEM: something is wrong, which was said, and nothing
 * has changed.
 */
int config_reload(struct config *config);

/* On stdout: --help; each value, and who said so. */
void config_help(void);
void config_show(const struct config *config);

#endif
