/* SPDX-License-Identifier: MIT */
/*
 * filter.h - which events a rule waits for.
 *
 * The filters of ttlog-view --filter, one test each, and all of them are to be true:
 *
 *   KEY OP VALUE[,VALUE...]     a comma means "or"        KEY?  !KEY?   there is one, there is none
 *   keys   level target msg file line func lane, else a field's name ("fields.NAME" for one that is
 *          named like those)
 *   ops    = == != ~= (contains) !~= < <= > >=
 *
 * They mean the same there and here; tests/test_filter.c feeds both. What is missing here: regular
 * expressions (=~ and !~), whose time nobody can bound, and the keys of what is the same for all
 * events of a process or is only known in a dump. The message of a printf event is its format.
 *
 * The text is an operator's, the events are a stranger's.
 */
#ifndef RECORDER_FILTER_H
#define RECORDER_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/reader.h"

#define FILTER_TESTS_MAX 16
#define FILTER_VALUES_MAX 64

enum filter_key {
	FILTER_LEVEL,
	FILTER_TARGET,
	FILTER_MSG,
	FILTER_FILE,
	FILTER_LINE,
	FILTER_FUNC,
	FILTER_LANE,
	FILTER_FIELD,
};

enum filter_op {
	FILTER_EQUAL,
	FILTER_UNEQUAL,
	FILTER_CONTAINS,
	FILTER_LACKS,
	FILTER_LESS,
	FILTER_LESS_EQUAL,
	FILTER_GREATER,
	FILTER_GREATER_EQUAL,
	FILTER_EXISTS,
	FILTER_MISSING,
};

struct filter_value {
	const char *text;
	size_t bytes;
	bool is_number, is_glob;
	long double number;
	uint8_t level;
};

struct filter_test {
	enum filter_key key;
	enum filter_op op;
	char *text; /* what the others point into */
	const char *name;
	size_t name_bytes;
	struct filter_value *values;
	unsigned int value_count;
};

/* Zeros are a filter that lets everything through. */
struct filter {
	struct filter_test test[FILTER_TESTS_MAX];
	unsigned int count;
};

struct filter_error {
	size_t at; /* where in the text */
	char why[120];
};

/* Fills it in, and is -EINVAL. */
__attribute__((format(printf, 3, 4))) int filter_refuse(struct filter_error *error, size_t at,
							const char *format, ...);

/* One more test. 0, -EINVAL (the error says why) or -ENOMEM. The text may be freed afterwards. */
int filter_add(struct filter *filter, const char *text, struct filter_error *ret_error);
void filter_fini(struct filter *filter);

/* Does no event of that site get through? */
bool filter_refuses_site(const struct filter *filter, const struct ttlog_reader_site *site);

/* What an interned string is; NULL: nobody knows. */
typedef const char *(*filter_string_fn)(const void *context, uint32_t id);
bool filter_match(const struct filter *filter, const struct ttlog_reader_site *site,
		  const struct ttlog_reader_event *event, filter_string_fn string_fn,
		  const void *context);
/* The lowest level that gets through. */
uint8_t filter_level(const struct filter *filter);

#endif
