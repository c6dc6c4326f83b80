/* SPDX-License-Identifier: MIT */
/*
 * pattern.h - globs and regular expressions over bytes that need not end with a NUL.
 *
 * A glob must fit the whole text: * is any bytes, ? is one, a backslash takes the meaning from both. A
 * regular expression (POSIX, extended) is searched for. Letters are folded in ASCII only. What could
 * take the memory or the time of many such texts (back-references, counts of counts) is refused.
 */
#ifndef VIEWER_PATTERN_H
#define VIEWER_PATTERN_H

#include "viewer/needle.h"

struct pattern;

enum pattern_kind { PATTERN_GLOB, PATTERN_REGEX };

/* 0, -EINVAL (and *ret_why says why, for as long as the program runs) or -ENOMEM. The text is copied. */
int pattern_compile(struct pattern **ret_pattern, struct span text, enum pattern_kind kind, bool fold,
		    const char **ret_why);
/* Why a regular expression is refused before the library sees it; NULL: it may see it. */
const char *pattern_refused(struct span text);
void pattern_free(struct pattern *pattern); /* NULL is fine */
bool pattern_matches(const struct pattern *pattern, struct span text);

/* Of which one at least is in whatever a regular expression matches; 0: not known. */
uint32_t pattern_needles(const struct pattern *pattern, const struct needle **ret_needles);
/* A regular expression of nothing but a text: what has its needle matches. */
bool pattern_is_literal(const struct pattern *pattern);

/* Has it something that makes it more than the text itself? */
bool pattern_is_glob(struct span text);
/* Smart case: is there no capital letter that stands for itself? */
bool pattern_wants_fold(struct span text);

#endif
