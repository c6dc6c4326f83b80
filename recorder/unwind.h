/* SPDX-License-Identifier: MIT */
/*
 * unwind.h - from a scene's registers and stacks to frames with names, in a child without rights.
 *
 * The files that must be read for it, and what they say, are the dead process's: whoever controlled
 * it controls them. So a child does it, executed anew, as the user that the process ran as, and
 * what it answers is believed no more than its sources.
 */
#ifndef RECORDER_UNWIND_H
#define RECORDER_UNWIND_H

#include <stdbool.h>

#include "recorder/scene.h"

#define UNWIND_TIMEOUT_MS 5000
#define UNWIND_CHILDREN_MAX 2 /* at a time, of one program */
#define UNWIND_FOLDERS_MAX 16
/* A program of ours that is called so, with that as its first argument, is such a child. */
#define UNWIND_NAME "ttlog-unwind"
#define UNWIND_COMMAND "unwind"

struct unwind_options {
	const char *program;	 /* the recorder's executable; NULL: what runs now */
	unsigned int timeout_ms; /* of all; 0: UNWIND_TIMEOUT_MS */
	bool debuginfod; /* may ask the servers that DEBUGINFOD_URLS names, and then it may write
			  * files into their cache, and is less confined */
	/* For who unwinds long after the death, perhaps on another machine. */
	bool is_redo;
	const char *const *folders; /* absolute; files may lie there, too, by build-id or path */
	unsigned int folder_count;  /* at most UNWIND_FOLDERS_MAX */
};

/*
 * A redo
 *
 * The threads may have frames: they are named again with the files of now, and those that are found
 * take their place, unless fewer are found by unwind information than there were. Files are known by
 * their build-ids; without one, only what still has the name and the inode is used, and no vdso. What
 * was read for each module that a stack speaks of is in the module then. The paths start at "/":
 * with folders or as a redo root_fd must be -1.
 */

/*
 * Adds frames to each thread of which there are registers. A thread whose frames go up to its
 * outermost function has no unwind_note; each other one's says why its frames end where they do, or
 * why there are none. Functions and lines come with the frames, or, when the time was not enough,
 * not: that is in the note too. Returns 0 when the child did its work, else a negative errno; what
 * came before the error is kept. -EBUSY: UNWIND_CHILDREN_MAX are at it.
 *
 * Any thread. Blocks, no longer than the timeout and a second.
 */
int unwind_scene(struct scene *scene, const struct unwind_options *options);

/*
 * The same in steps, for who has something else to do meanwhile. From begin to end the scene, which
 * stays where it is, is only touched from within these functions. Where begin fails, nobody has to end
 * it, and the threads' notes say why there are no frames.
 */
struct unwind;
int unwind_begin(struct unwind **ret_unwind, struct scene *scene,
		 const struct unwind_options *options);
/* Takes what is there, without waiting. True: there will be no more, and the end comes at once. */
bool unwind_poll(struct unwind *unwind);
/* Waits for the rest if that is wanted, for as long as there is time; what is missing is noted. */
int unwind_end(struct unwind *unwind, bool waits);

/* Says `note` to each thread that has no note and no frames: nobody will unwind it. */
void unwind_decline(struct scene *scene, const char *note);

/* False: built without what it takes, and nothing is ever unwound. */
bool unwind_is_built(void);

/* The child's life. Returns its exit status. */
bool unwind_is_child(int argc, char **argv);
int unwind_main(int argc, char **argv);

#endif
