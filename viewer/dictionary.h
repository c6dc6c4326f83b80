/* SPDX-License-Identifier: MIT */
/*
 * dictionary.h - the call sites and interned strings of a dump, by id.
 *
 * Copies what it keeps, within a limit: a dump may define each id once, the first definition stays.
 */
#ifndef VIEWER_DICTIONARY_H
#define VIEWER_DICTIONARY_H

#include "viewer/needle.h"

enum site_level {
	LEVEL_TRACE,
	LEVEL_DEBUG,
	LEVEL_INFO,
	LEVEL_WARN,
	LEVEL_ERROR,
	LEVEL_FATAL,
	LEVEL_UNKNOWN, /* the dictionary was damaged */
	LEVEL_COUNT,
};

enum field_type {
	FIELD_UNKNOWN,
	FIELD_BOOL,
	FIELD_CHAR,
	FIELD_I8,
	FIELD_U8,
	FIELD_I16,
	FIELD_U16,
	FIELD_I32,
	FIELD_U32,
	FIELD_I64,
	FIELD_U64,
	FIELD_F32,
	FIELD_F64,
	FIELD_STRING,
	FIELD_BYTES,
	FIELD_POINTER,
	FIELD_INTERNED,
	FIELD_COUNT,
};

/* What a query makes of a site, worked out once. */
enum site_verdict { SITE_NOT_ASKED, SITE_NEVER, SITE_DEPENDS, SITE_ALWAYS };

/* Where in a site's lines a needle may be: query_glance.c's. Counts of values; 255: never. */
struct site_glance {
	uint8_t there_from; /* with so many values or more it is among the names */
	uint8_t odd_from;   /* with so many it may be in a value and a name at once */
	uint8_t cross_field; /* it is where that value begins as it does from cross_at on */
	uint8_t kinds;	     /* of values that are no texts: those that it could be in */
	uint16_t cross_at;
};

struct site_field {
	struct span name; /* "arg1", "arg2", ... where the site gives none */
	enum field_type type;
};

struct site {
	uint32_t id;
	enum site_level level;
	bool printf;
	enum site_verdict verdict;     /* query.c's */
	uint64_t folded, folded_true; /* its too: the nodes of the tree that the site decides, and how */
	const void *glance_of;	      /* query_glance.c's: of which pattern is what follows; NULL: none */
	struct site_glance glance[NEEDLES_MAX];
	uint64_t line;
	struct span target, message, file, function;
	uint32_t field_count;
	struct site_field *fields;
};

struct dictionary {
	struct site **sites; /* by id; NULL = not known */
	uint32_t site_limit;
	struct span *strings; /* by id; data NULL = not known */
	uint32_t string_limit;
	size_t bytes; /* of all copies */
	struct site nobody; /* all that there is no memory for */
};

/* Adds a frame's sites and strings. 0 or a negative errno; what was added before an error stays. */
int dictionary_add(struct dictionary *dictionary, const unsigned char *data, size_t bytes);
void dictionary_fini(struct dictionary *dictionary);

/* Never NULL: an id that is not known has a site that says so, which the dictionary remembers. */
struct site *dictionary_unknown_site(struct dictionary *dictionary, uint64_t id);
static inline struct site *dictionary_site(struct dictionary *dictionary, uint64_t id)
{
	if (id < dictionary->site_limit && dictionary->sites[id])
		return dictionary->sites[id];
	return dictionary_unknown_site(dictionary, id);
}
/* data is NULL for an id that is not known; id 0 is the empty string. */
struct span dictionary_string(const struct dictionary *dictionary, uint64_t id);

const char *level_name(enum site_level level);
/* By name, any case; LEVEL_COUNT: there is none of that name. */
enum site_level level_parse(struct span name);

#endif
