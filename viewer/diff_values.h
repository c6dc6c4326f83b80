/* SPDX-License-Identifier: MIT */
/*
 * diff_values.h - what values the fields of one side have had, and how often: for --diff.
 *
 * Texts, truth values, characters and integers, each field of each site by itself. In bounded memory:
 * of a field that has more different values than may be told apart none are compared, for what was
 * counted first is not what matters; an integer that has so many is a quantity, which percentiles
 * compare, and of a text it is said.
 */
#ifndef VIEWER_DIFF_VALUES_H
#define VIEWER_DIFF_VALUES_H

#include "viewer/columns.h"
#include "viewer/out.h"

#define DIFF_TEXTS_MAX 256	/* different ones, of a field */
#define DIFF_INTEGERS_MAX 24	/* the same of integers: codes and states, hardly more */
#define DIFF_VALUE_BYTES_MAX 256 /* of a text: what is behind makes no difference */
#define DIFF_SITE_FIELDS_MAX 16
#define DIFF_FIELDS_MAX 4096		      /* of all sites */
#define DIFF_VALUES_BYTES_MAX (8u << 20) /* of all values */

struct diff_value {
	uint64_t hash, events;
	struct value value; /* without a name; its text is its own */
};

struct diff_field {
	struct span name;
	struct diff_value *value;
	uint32_t count, capacity;
	uint16_t *table; /* index + 1 */
	uint64_t events;
	bool crowded, has_texts;
};

struct diff_site_fields {
	struct diff_field *field;
	uint32_t count;
};

struct diff_values {
	const struct columns *columns;	/* NULL: all fields */
	struct diff_site_fields *sites; /* by the number of the site's group */
	uint32_t site_capacity, field_count;
	size_t budget;
	uint64_t seed;
};

void diff_values_init(struct diff_values *values, const struct columns *columns);
void diff_values_fini(struct diff_values *values);
/* 0 or -ENOMEM. */
int diff_values_add(struct diff_values *values, uint32_t site, struct record *record);
/* NULL: there is none. */
const struct diff_field *diff_values_field(const struct diff_values *values, uint32_t site,
					   struct span name);
uint64_t diff_values_events(const struct diff_field *field, const struct diff_value *alike);

#endif
