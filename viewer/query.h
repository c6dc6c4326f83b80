/* SPDX-License-Identifier: MIT */
/*
 * query.h - which events are wanted.
 *
 * A term is a tree of tests joined by and, or, not; all terms must be true. A test is KEY OP
 * VALUE[,VALUE...], where a comma means "or", or KEY? (there is one).
 *
 *   keys   level target msg tid thread pid service host lane channel seq file line func time, else a
 *          field's name ("fields.NAME" for a field that is named like one of those)
 *   ops    = != ~= (contains) !~= =~ (regular expression) !~ < <= > >=
 *
 * Levels compare by severity, times as times, numbers as numbers, everything else as text. A target may
 * be a glob. What an event does not have is equal to nothing, and matches the operators with a ! only.
 *
 *   a filter   one test, to the end of the text:   msg=Request done     status=500,503    !status?
 *   a query    tests with and, or, not and parentheses; a value with spaces or parentheses that do not
 *              pair up is quoted:     level>=warn and (seconds>0.5 or not target="my db")
 *
 * What depends on the call site alone is worked out once a site and kept in it (site->verdict,
 * site->folded): after a change of the query, or of what it is resolved with, query_forget().
 */
#ifndef VIEWER_QUERY_H
#define VIEWER_QUERY_H

#include "viewer/dump_reader.h"
#include "viewer/out.h"
#include "viewer/pattern.h"
#include "viewer/when_parse.h"

#define QUERY_TERMS_MAX 64
#define QUERY_NODES_MAX 512
#define QUERY_DEPTH_MAX 64
#define QUERY_VALUES_MAX 256 /* of one test */

enum query_op {
	QUERY_EQUAL,
	QUERY_UNEQUAL,
	QUERY_CONTAINS,
	QUERY_LACKS,
	QUERY_FITS, /* a regular expression */
	QUERY_MISFITS,
	QUERY_LESS,
	QUERY_LESS_EQUAL,
	QUERY_GREATER,
	QUERY_GREATER_EQUAL,
	QUERY_EXISTS,
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
	QUERY_TIME,
	QUERY_FIELD,
	QUERY_TEXT, /* the message, or the message with its fields: what --grep looks at */
};

struct query_value {
	struct span text;
	bool is_number;
	long double number;
	enum site_level level;
	struct pattern *pattern; /* a glob or a regular expression */
	struct when_spec when;
	int64_t ns; /* when, once it is resolved */
};

struct query_test {
	enum query_key key;
	enum query_op op;
	struct span name; /* of the field */
	struct query_value *values;
	uint32_t value_count;
	bool has_text; /* some are no numbers */
};

/* Children come before their parents. */
struct query_node {
	enum { QUERY_TEST, QUERY_AND, QUERY_OR, QUERY_NOT } kind;
	uint32_t left, right;
	struct query_test test;
};

struct query_term {
	uint32_t root, first_node;
	char *text; /* what its spans point into */
};

struct query {
	struct query_term term[QUERY_TERMS_MAX];
	uint32_t term_count;
	struct query_node *nodes;
	uint32_t node_count, node_capacity;
	bool resolved;
	struct when_base base;
	struct out scratch;
};

struct query_error {
	size_t at; /* where in the expression */
	char why[160];
};

void query_init(struct query *query);
void query_fini(struct query *query);

/* Each: 0, -EINVAL (the error says why) or -ENOMEM. The text may be freed afterwards. */
int query_add(struct query *query, const char *filter, struct query_error *ret_error);
int query_add_query(struct query *query, const char *expression, struct query_error *ret_error);
/* One test of that key; the values are as in a filter, but a text's only one. */
int query_add_test(struct query *query, enum query_key key, enum query_op op, const char *values,
		   struct query_error *ret_error);
/* Drops the newest terms: `count` stay. */
void query_truncate(struct query *query, uint32_t count);
/* What T and 10:42 mean. Before, a test of the time is false. */
void query_resolve(struct query *query, const struct when_base *base);
/* No event before *ret_from_ns or after *ret_to_ns can match, as far as that is plain. */
void query_bounds(const struct query *query, int64_t *ret_from_ns, int64_t *ret_to_ns);

/* Decodes the record's values only if it has to. */
bool query_match(struct query *query, struct record *record);
void query_forget(struct dictionary *dictionary);

/* ---- between query.c, query_glance.c, query_parse.c, query_test.c and query_value.c ----------- */

bool query_test_matches(struct query *query, const struct query_test *test, struct record *record);
/* Is it the same for all events of a site? */
bool query_site_decides(const struct query_test *test, const struct site *site);
enum query_glance { QUERY_ABSENT, QUERY_PERHAPS, QUERY_PRESENT };
/* Is QUERY_TEXT's pattern in an event's line? Without making the line, so it may not know. */
enum query_glance query_glance(const struct query_test *test, const struct event *event);
/* Before, of each site that is no printf's and whose message alone does not match. */
void query_glance_learn(struct query *query, const struct query_test *test, struct site *site);
/* The value's text into what its key wants. 0, -EINVAL with *ret_error, or -ENOMEM. */
int query_value_make(const struct query_test *test, struct query_value *value, size_t at,
		     struct query_error *ret_error);
/* QUERY_FIELD if it is none of ours; a prefix "fields." goes. */
enum query_key query_key_parse(struct span *name);
__attribute__((format(printf, 3, 4))) int query_refuse(struct query_error *error, size_t at,
						       const char *format, ...);

#endif
