/* SPDX-License-Identifier: MIT */
/*
 * unwind_wire.h - what the recorder and its unwinding child tell each other.
 *
 *   recorder -> child    a sealed file: a head, the modules, the threads with their slices
 *   child -> recorder    a pipe: answers, each a head and a thread's frames
 *
 * Both are the same program, so numbers are the machine's own and there are no versions. The child
 * may have been taken over by what it read: the recorder's side checks every byte.
 */
#ifndef RECORDER_UNWIND_WIRE_H
#define RECORDER_UNWIND_WIRE_H

#include "recorder/pack.h"
#include "recorder/scene.h"

#define UNWIND_STRING_MAX 4096
#define UNWIND_REQUEST_MAX (UINT64_C(64) << 20)
#define UNWIND_ANSWER_MAX (4U << 20)   /* one */
#define UNWIND_ANSWERS_MAX (32U << 20) /* all of a child */

/*
 * A thread's frames come twice: as soon as they are known, then with names. What was read for a
 * module comes once, if at all; the index is then the module's.
 */
enum unwind_stage { UNWIND_NONE, UNWIND_BARE, UNWIND_NAMED, UNWIND_FILE };

/* Uses `pack` for its room; the bytes are not CBOR. Errors stick in it. */
void unwind_request_pack(struct pack *pack, const struct scene *scene);

/* -EBADMSG, -ENOMEM; then ret_scene holds nothing. root_fd is -1. */
int unwind_request_read(const void *data, size_t bytes, struct scene *ret_scene);

void unwind_answer_pack(struct pack *pack, unsigned int thread_index, enum unwind_stage stage,
			const struct scene_thread *thread);
void unwind_file_pack(struct pack *pack, unsigned int module_index,
		      const struct scene_module *module);

/*
 * Takes the answers that are whole into the scene; stage[] has an entry for each thread and starts
 * as UNWIND_NONE. Returns how many bytes they were, or -EBADMSG, -ENOMEM: then what the answers
 * before the bad one said was taken.
 */
ssize_t unwind_answers_take(struct scene *scene, unsigned char stage[], const void *data,
			    size_t bytes);

#endif
