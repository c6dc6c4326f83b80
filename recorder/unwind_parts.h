/* SPDX-License-Identifier: MIT */
/* unwind_parts.h - what the files of the unwinding child share; only unwind*.c include it. */
#ifndef RECORDER_UNWIND_PARTS_H
#define RECORDER_UNWIND_PARTS_H

#include <elfutils/libdwfl.h>

#include "recorder/scene.h"

/* The child's descriptors: the scene is 0, answers go to 1, 2 is /dev/null. */
#define UNWIND_ROOT_FD 3

enum unwind_exit {
	UNWIND_EXIT_USAGE = 2,
	UNWIND_EXIT_REQUEST = 3,
	UNWIND_EXIT_RIGHTS = 4,
	UNWIND_EXIT_MEMORY = 5,
	UNWIND_EXIT_ANSWER = 6,
};

/* ---- unwind_slots.c: the recorder's side ---- */

/* To be set to 0, or to the pid of a child that did not go away. NULL: UNWIND_CHILDREN_MAX are at it. */
_Atomic pid_t *unwind_slot_take(void);

/* ---- unwind_jail.c: what the child gives up ---- */

/* Sanitizers map terabytes and make system calls of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNWIND_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNWIND_SANITIZED 1
#endif
#endif
#ifndef UNWIND_SANITIZED
#define UNWIND_SANITIZED 0
#endif

struct unwind_jail {
	uid_t uid;
	gid_t gid;
	bool has_root; /* UNWIND_ROOT_FD is where the process's paths start */
	bool debuginfod;
	unsigned int seconds;
	bool in_root; /* set by unwind_jail(): "/" is that root now */
};

/* 0 or a negative errno; then not all was given up, and nothing may be read. */
int unwind_jail(struct unwind_jail *jail);

/* ---- unwind_files.c: which files are read ---- */

struct unwind_files {
	int root_fd;  /* paths start there; -1: at "/" */
	int debug_fd; /* /usr/lib/debug of the recorder's own root, -1: none but that of the root */
	bool debuginfod;
};

/*
 * Regular files only, by an absolute path, without waiting. The descriptor, or a negative errno.
 */
int unwind_open(const struct unwind_files *files, const char *path);

/* libdwfl's callback; it looks where `files`, of the whole child, says. */
int unwind_find_debuginfo(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
			  const char *file_name, const char *link, GElf_Word crc, char **ret_name);
void unwind_find_in(const struct unwind_files *files);

/* ---- unwind_modules.c: what was mapped, for libdwfl ---- */

struct unwind_modules {
	const struct scene *scene;
	const struct unwind_files *files;
	Dwfl *dwfl;
	int vdso_fd; /* a copy of ours, -1: none */
	struct unwind_module_state {
		const char *fault; /* why it can't be used */
		bool is_tried;
		uint64_t bias; /* address - as the file's headers number addresses */
	} state[SCENE_MODULES_MAX];
};

int unwind_modules_open(struct unwind_modules *modules, const struct scene *scene,
			const struct unwind_files *files, int vdso_fd);
/* The index, -1: none. */
int unwind_module_of(const struct scene *scene, uint64_t address);
/* Opens those that the thread's registers and stacks name an address of. */
void unwind_modules_report(struct unwind_modules *modules, const struct scene_thread *thread);
/* A copy of our vdso, to be made before the jail. -1: none. */
int unwind_copy_vdso(void);

/* ---- unwind_frames.c: where each thread was ---- */

int unwind_attach(struct unwind_modules *modules);
/* Fills in frames, without names, and the note. */
void unwind_thread(struct unwind_modules *modules, unsigned int thread_index);

/* ---- unwind_names.c: and what that is called ---- */

/* More frames than before, where functions were inlined. */
void unwind_name_frames(struct unwind_modules *modules, struct scene_thread *thread);

/* ---- unwind_function.c ---- */

/* The functions that an address is in, innermost first: one, and those that it was inlined into. */
struct unwind_scopes {
	Dwarf_Die unit; /* of the lines */
	Dwarf_Die die[64];
	unsigned int count;
	uint64_t address; /* as the debug information numbers it */
};

bool unwind_find_scopes(Dwfl_Module *module, uint64_t address, struct unwind_scopes *ret_scopes);
/* For free(), NULL = unknown. */
char *unwind_function_name(Dwarf_Die *function);
char *unwind_demangle(const char *name, bool with_parameters);

#endif
