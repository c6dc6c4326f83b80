/* SPDX-License-Identifier: MIT */
/* info_group.c - see info_group.h. */
#include "viewer/info_group.h"

#include <inttypes.h>

#include "viewer/format_json.h"

static void put_first(struct out *out, const struct meta_group *group)
{
	out_escaped(out, group->first_service, 0);
	if (group->first_pid.known)
		out_printf(out, " (pid %" PRIu64 ")", group->first_pid.bits);
	if (group->first_sentence.bytes) {
		out_text(out, ": ");
		out_escaped(out, group->first_sentence, 0);
	}
	out_char(out, '\n');
}

static void put_count(struct out *out, struct number count, const char *what)
{
	if (count.known && count.bits)
		out_printf(out, ", %" PRIu64 " %s", count.bits, what);
}

void info_group_text(struct out *out, const struct meta *meta)
{
	const struct meta_group *group = &meta->group;

	if (!group->set.bytes)
		return;
	out_text(out, "  set          ");
	out_escaped(out, group->set, 0);
	out_text(out, " (");
	out_escaped(out, group->by, 0);
	if (group->name.bytes) {
		out_char(out, ' ');
		out_escaped(out, group->name, 0);
	}
	put_count(out, group->copied, "copied alive");
	put_count(out, group->left_out, "left out");
	out_text(out, ")\n");
	if (span_is(group->role, "first"))
		return;
	out_text(out, "  because of   ");
	put_first(out, group);
}

void info_group_json(struct out *out, const struct meta *meta)
{
	const struct meta_group *group = &meta->group;

	if (!group->set.bytes)
		return;
	json_key(out, "group");
	out_char(out, '{');
	json_span(out, "set", group->set);
	json_known(out, "role", group->role);
	json_known(out, "by", group->by);
	json_known(out, "name", group->name);
	json_number(out, "first_pid", group->first_pid);
	json_known(out, "first_service", group->first_service);
	json_known(out, "first_sentence", group->first_sentence);
	json_number(out, "copied", group->copied);
	json_number(out, "left_out", group->left_out);
	out_char(out, '}');
}
