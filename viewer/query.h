/* SPDX-License-Identifier: MIT */
/*
 * query.h - which events are wanted.
 *
 * An expression is KEY OP VALUE[,VALUE...], a comma means "or", several expressions mean "and".
 *
 *   keys   level target msg tid thread pid service host lane channel seq file line func, else a field's name
 *          ("fields.NAME" for a field that is named like one of those)
 *   ops    = != ~= (contains) < <= > >=
 *
 * Levels compare by severity, numbers as numbers, everything else as text. A field that an event does
 * not have is not equal to anything, and matches != only. A backslash takes the meaning from a comma.
 */
#ifndef VIEWER_QUERY_H
#define VIEWER_QUERY_H

#include "viewer/dump_reader.h"
#include "viewer/out.h"

#define QUERY_TERMS_MAX 64
#define QUERY_VALUES_MAX 256 /* of one expression */

enum query_op {
	QUERY_EQUAL,
	QUERY_UNEQUAL,
	QUERY_CONTAINS,
	QUERY_LESS,
	QUERY_LESS_EQUAL,
	QUERY_GREATER,
	QUERY_GREATER_EQUAL,
};

enum query_key {
	QUERY_LEVEL,
	QUERY_TARGET,
	QUERY_MSG,
	QUERY_TID,
	QUERY_THREAD,
	QUERY_PID,
	QUERY_SERVICE,
	QUERY_HOST,
	QUERY_LANE,
	QUERY_CHANNEL,
	QUERY_SEQ,
	QUERY_FILE,
	QUERY_LINE,
	QUERY_FUNC,
	QUERY_FIELD,
};

struct query_value {
	struct span text;
	bool is_number;
	long double number;
	enum site_level level;
};

struct query_term {
	enum query_key key;
	enum query_op op;
	struct span name; /* of the field */
	struct query_value *values;
	uint32_t value_count;
	char *text; /* what the spans point into */
};

struct query {
	struct query_term term[QUERY_TERMS_MAX];
	uint32_t term_count;
	struct out scratch;
};

struct query_error {
	size_t at; /* where in the expression */
	char why[160];
};

void query_init(struct query *query);
void query_fini(struct query *query);
/* 0, -EINVAL (the error says why) or -ENOMEM. The expression may be freed afterwards. */
int query_add(struct query *query, const char *expression, struct query_error *ret_error);
/* Decodes the record's values only if it has to. */
bool query_match(struct query *query, struct record *record);

#endif
