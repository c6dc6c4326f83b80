/* SPDX-License-Identifier: MIT */
/* pretend.c - names of features to do without. */
#include "recorder/pretend.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

unsigned int pretend_flags;

#define NO_BPF "no-bpf"
#define NO_BTF "no-btf"
#define NO_TASK_STORAGE "no-task-storage"
#define NO_MMAPABLE_MAPS "no-mmapable-maps"
#define NO_GROUP_DEAD "no-group-dead"
#define SMALL_BUFFER "small-buffer"
#define NO_MAPPING_WALK "no-mapping-walk"
#define REFUSED_WALK "refused-mapping-walk"
#define REFUSED_VICTIM "refused-mark-victim"
#define UNSEEN_SIGNALS "unseen-signals"

const char pretend_names[] = NO_BPF "," NO_BTF "," NO_TASK_STORAGE "," NO_MMAPABLE_MAPS
				    "," NO_GROUP_DEAD "," SMALL_BUFFER "," NO_MAPPING_WALK
				    "," REFUSED_WALK "," REFUSED_VICTIM "," UNSEEN_SIGNALS;

static const struct {
	const char *name;
	enum pretend flag;
} table[] = {
	{NO_BPF, PRETEND_NO_BPF},
	{NO_BTF, PRETEND_NO_BTF},
	{NO_TASK_STORAGE, PRETEND_NO_TASK_STORAGE},
	{NO_MMAPABLE_MAPS, PRETEND_NO_MMAPABLE_MAPS},
	{NO_GROUP_DEAD, PRETEND_NO_GROUP_DEAD},
	{SMALL_BUFFER, PRETEND_SMALL_BUFFER},
	{NO_MAPPING_WALK, PRETEND_NO_MAPPING_WALK},
	{REFUSED_WALK, PRETEND_REFUSED_WALK},
	{REFUSED_VICTIM, PRETEND_REFUSED_VICTIM},
	{UNSEEN_SIGNALS, PRETEND_UNSEEN_SIGNALS},
};

static unsigned int flag_of(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strlen(table[i].name) == length && !memcmp(table[i].name, name, length))
			return table[i].flag;
	return 0;
}

int pretend_parse(const char *names, unsigned int *ret_flags)
{
	unsigned int flags = 0;

	for (;;) {
		const size_t length = strcspn(names, ",");
		const unsigned int flag = flag_of(names, length);

		if (!flag)
			return -EINVAL;
		flags |= flag;
		if (!names[length])
			break;
		names += length + 1;
	}
	*ret_flags = flags;
	return 0;
}
