/* SPDX-License-Identifier: MIT */
#include "viewer/count_text.h"

#include <math.h>

void count_rate(struct out *out, double rate)
{
	if (isnan(rate))
		out_char(out, '-');
	else
		out_printf(out, rate < 1000 ? "%.2f" : rate < 1e9 ? "%.0f" : "%.3g", rate);
}

void count_number(struct out *out, long double number)
{
	if (fabsl(number) < 1e15L && number == (long double)(int64_t)number)
		out_printf(out, "%.0Lf", number);
	else
		out_printf(out, "%.6Lg", number);
}

/* In quotes where it could be taken for something else, or for several. */
static void count_name(struct out *out, struct span text)
{
	bool plain = text.bytes > 0;

	for (size_t i = 0; i < text.bytes && plain; i++)
		plain = text.data[i] != ' ' && text.data[i] != '"';
	if (plain) {
		out_escaped(out, text, 0);
		return;
	}
	out_char(out, '"');
	out_escaped(out, text, '"');
	out_char(out, '"');
}

void count_key(struct out *out, const struct group_by *by, const struct group *group)
{
	struct span key = {group->key, group->key_bytes}, text;

	for (uint32_t i = 0; i < by->count; i++) {
		enum group_part_kind kind = group_next_part(&key, &text);

		out_text(out, "  ");
		if (kind == GROUP_MISSING)
			out_char(out, '-');
		else
			count_name(out, text);
	}
}

void count_titles(struct out *out, const struct group_by *by)
{
	for (uint32_t i = 0; i < by->count; i++) {
		out_text(out, "  ");
		out_escaped(out, group_part_name(&by->part[i]), 0);
	}
	out_char(out, '\n');
}
