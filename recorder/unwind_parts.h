/* SPDX-License-Identifier: MIT */
/* unwind_parts.h - what the files of the unwinding child share; only unwind*.c include it. */
#ifndef RECORDER_UNWIND_PARTS_H
#define RECORDER_UNWIND_PARTS_H

#include <elfutils/libdwfl.h>
#include <limits.h>

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
	bool dies_with_parent; /* whose answer nobody reads then */
	unsigned int seconds;
	bool in_root; /* set by unwind_jail(): "/" is that root now */
};

/* 0 or a negative errno; then not all was given up, and nothing may be read. */
int unwind_jail(struct unwind_jail *jail);

/* ---- unwind_files.c, unwind_places.c: which files are read ---- */

struct unwind_files {
	int root_fd;  /* paths start there; -1: at "/" */
	int debug_fd; /* /usr/lib/debug of the recorder's own root, -1: none but that of the root */
	bool debuginfod, is_redo;
	char *const *folders; /* that somebody named */
	unsigned int folder_count;
};

/*
 * Regular files only, by an absolute path, without waiting. The descriptor, or a negative errno.
 */
int unwind_open(const struct unwind_files *files, const char *path);

#define UNWIND_DEBUG_FOLDER "/usr/lib/debug"
#define UNWIND_ID_NAME_BYTES (SCENE_BUILD_ID_MAX * 2 + 32)

/* ".build-id/ab/cdef" and the suffix; "" if it has none. */
void unwind_build_id_name(const unsigned char *build_id, size_t bytes, const char *suffix,
			  char ret_name[UNWIND_ID_NAME_BYTES]);

/*
 * The places where a module's file may be, the likeliest first; nobody says yet that it is that file.
 * As unwind_open(), with the path; -ERANGE: there is no such place any more.
 */
int unwind_open_place(const struct unwind_files *files, const struct scene_module *module,
		      unsigned int number, char ret_path[PATH_MAX]);
/* Only what debuggers read of it. As unwind_open(). */
int unwind_open_debug(const struct unwind_files *files, const struct scene_module *module,
		      char ret_path[PATH_MAX]);
/* By the servers of debuginfod. The descriptor, or -1. */
int unwind_ask_for_program(const struct scene_module *module, char ret_path[PATH_MAX]);

/* libdwfl's callback; it looks where `files`, of the whole child, says. */
int unwind_find_debuginfo(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
			  const char *file_name, const char *link, GElf_Word crc, char **ret_name);
void unwind_find_in(const struct unwind_files *files);

/* ---- unwind_modules.c: what was mapped, for libdwfl ---- */

struct unwind_modules {
	const struct scene *scene;
	const struct unwind_files *files;
	Dwfl *dwfl;
	Dwfl *names; /* the files that have names only */
	int vdso_fd; /* a copy of ours, -1: none */
	struct unwind_module_state {
		const char *fault; /* why it can't be used to unwind */
		bool is_tried;
		bool has_names; /* though there is a fault: of debug information alone */
		uint64_t bias; /* address - as the file's headers number addresses */
		const char *path; /* of the file */
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
/* What knows the names there. NULL: none. */
Dwfl *unwind_modules_names(const struct unwind_modules *modules, int index);
/* Says in the scene's modules what was read. */
void unwind_modules_tell(struct unwind_modules *modules, struct scene *scene);

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
