/* SPDX-License-Identifier: MIT */
/*
 * needle.h - texts without which a regular expression can't match: to look for these costs a tenth
 * of it.
 *
 * "status=5[0-9]+" has the needle "status=5", "(refused|timeout): .*" has "refused" and "timeout",
 * of which one at least is there. Where nothing is plain there are none, and nothing is known.
 */
#ifndef VIEWER_NEEDLE_H
#define VIEWER_NEEDLE_H

#include "viewer/decode.h"

#define NEEDLES_MAX 4
#define NEEDLE_BYTES_MAX 1024

struct needle {
	struct span text;   /* folded: without capitals */
	bool fold;	    /* ASCII letters are found in any case */
	uint16_t skip[256]; /* how far on, by the last byte looked at */
};

/*
 * Those of a POSIX extended regular expression that regcomp() took, of NEEDLE_BYTES_MAX at most.
 * Their texts are put into `room`, which has as many bytes as the expression. How many; 0: nothing
 * is known.
 */
uint32_t needles_find(struct needle needles[NEEDLES_MAX], struct span regex, bool fold, char *room);
/* The text itself is one, whatever is in it; copied to `room`. */
void needle_make(struct needle *needle, struct span text, bool fold, char *room);

bool needle_in(const struct needle *needle, struct span text);
/* Are so many bytes of it, from `from` on, these? */
bool needle_is_at(const struct needle *needle, size_t from, const char *data, size_t bytes);

#endif
