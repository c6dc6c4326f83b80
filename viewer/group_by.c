/* SPDX-License-Identifier: MIT */
/* What --group-by says. */
#include <errno.h>
#include <string.h>

#include "viewer/groups.h"

static const struct group_part site_parts[] = {
	{false, {COLUMN_LEVEL, {"level", 5}}}, {false, {COLUMN_TARGET, {"target", 6}}},
	{true, {COLUMN_MSG, {"template", 8}}}, {false, {COLUMN_FILE, {"file", 4}}},
	{false, {COLUMN_LINE, {"line", 4}}},
};

static int add_part(struct group_by *by, const struct group_part *part)
{
	if (by->count == GROUP_PARTS_MAX ||
	    (!part->is_template &&
	     (part->column.kind == COLUMN_TIME || part->column.kind == COLUMN_FIELDS)))
		return -EINVAL;
	by->part[by->count++] = *part;
	return 0;
}

static int add_site(struct group_by *by)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(site_parts) / sizeof(*site_parts) && !error; i++)
		error = add_part(by, &site_parts[i]);
	return error;
}

int group_by_parse(struct group_by *by, const char *text)
{
	int error;

	*by = (struct group_by){0};
	error = columns_parse(&by->columns, text);
	for (uint32_t i = 0; !error && i < by->columns->count; i++) {
		const struct span name = {text, strcspn(text, ",")};

		/* As it was typed: a field that is named so is "fields.site". */
		if (span_is(name, "site"))
			error = add_site(by);
		else if (span_is(name, "template"))
			error = add_part(by, &site_parts[2]);
		else
			error = add_part(by,
					 &(struct group_part){.column = by->columns->column[i]});
		text += name.bytes + 1;
	}
	if (error)
		group_by_fini(by);
	return error;
}

void group_by_fini(struct group_by *by)
{
	columns_close(by->columns);
	*by = (struct group_by){0};
}

struct span group_part_name(const struct group_part *part)
{
	return part->column.name;
}
