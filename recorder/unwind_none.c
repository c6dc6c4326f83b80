/* SPDX-License-Identifier: MIT */
/* unwind_none.c - unwind.h without libdw (make UNWIND=0): the stacks stay what they are. */
#include "recorder/unwind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char why[] = "not unwound: built without libdw (make UNWIND=0)";

int unwind_scene(struct scene *scene, const struct unwind_options *options)
{
	struct unwind *unwind;

	return unwind_begin(&unwind, scene, options);
}

int unwind_begin(struct unwind **ret_unwind, struct scene *scene,
		 const struct unwind_options *options)
{
	(void)ret_unwind, (void)options;
	unwind_decline(scene, why);
	return -ENOSYS;
}

/* There is never one to call these with. */
bool unwind_poll(struct unwind *unwind)
{
	(void)unwind;
	return true;
}

int unwind_end(struct unwind *unwind, bool waits)
{
	(void)unwind, (void)waits;
	return -ENOSYS;
}

void unwind_decline(struct scene *scene, const char *note)
{
	for (unsigned int i = 0; i < scene->thread_count; i++)
		if (!scene->threads[i].frame_count && !scene->threads[i].unwind_note)
			scene->threads[i].unwind_note = strdup(note);
}

bool unwind_is_built(void)
{
	return false;
}

bool unwind_is_child(int argc, char **argv)
{
	(void)argc, (void)argv;
	return false;
}

int unwind_main(int argc, char **argv)
{
	(void)argc, (void)argv;
	return EXIT_FAILURE;
}
