/* SPDX-License-Identifier: MIT */
/* pretend.c - names of features to do without. */
#include "recorder/pretend.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

unsigned int pretend_flags;

static const struct {
	const char *name;
	enum pretend flag;
} table[] = {
	{"no-bpf", PRETEND_NO_BPF},
	{"no-btf", PRETEND_NO_BTF},
	{"no-task-storage", PRETEND_NO_TASK_STORAGE},
	{"no-mmapable-maps", PRETEND_NO_MMAPABLE_MAPS},
	{"no-group-dead", PRETEND_NO_GROUP_DEAD},
	{"small-buffer", PRETEND_SMALL_BUFFER},
	{"no-mapping-walk", PRETEND_NO_MAPPING_WALK},
	{"refused-mapping-walk", PRETEND_REFUSED_WALK},
	{"refused-mark-victim", PRETEND_REFUSED_VICTIM},
	{"unseen-signals", PRETEND_UNSEEN_SIGNALS},
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
