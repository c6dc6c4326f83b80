/* SPDX-License-Identifier: MIT */
/*
 * scene.h - where a process was when it died: its threads' registers and stacks, and what was mapped.
 *
 * capture (what the kernel program sent) fills it, unwind adds the frames, the dump holds all of it.
 * Everything in it came from a process that may have been hostile: addresses may be anything, sizes
 * are what was received.
 */
#ifndef RECORDER_SCENE_H
#define RECORDER_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SCENE_THREADS_MAX 256 /* with a stack; those beyond are counted */
#define SCENE_MODULES_MAX 4096
#define SCENE_FRAMES_MAX 256
#define SCENE_BUILD_ID_MAX 20
#define SCENE_NAME_BYTES 16

/*
 * By number in DWARF. x86-64: rax rdx rcx rbx rsi rdi rbp rsp r8 to r15 rip. arm64: x0 to x30, sp, and
 * here pc behind it.
 */
#define SCENE_REGISTERS_MAX 33

struct scene_slice {
	uint64_t address;
	size_t bytes;
	unsigned char *data;
};

/* An executable mapping. */
struct scene_module {
	uint64_t start, end;
	uint64_t offset; /* of start in the file */
	uint64_t inode;	 /* 0 = unknown */
	uint32_t major, minor;
	uint8_t build_id_bytes; /* 0 = unknown */
	unsigned char build_id[SCENE_BUILD_ID_MAX];
	char *path; /* as the process saw it; "[vdso]"; NULL: no file */
	/* What unwinding made of it, where that was asked for. NULL: nothing */
	char *file;	  /* what was read for it */
	char *debug_file; /* and for its debug information, if that is elsewhere */
	char *file_fault; /* what speaks against the file that has its name */
};

enum scene_frame_flags {
	SCENE_FRAME_ACTIVATION = 1, /* pc is where it was, not where it returns to: the first, and what
				     * a signal interrupted */
	SCENE_FRAME_INLINE = 2,	    /* the function of the frame before it was inlined into its own;
				     * pc is that frame's */
	SCENE_FRAME_GUESSED = 4,    /* without the CFI of its module: may be wrong */
};

struct scene_frame {
	uint64_t pc;
	uint32_t flags;
	int32_t module;	      /* index, -1 = none */
	uint64_t offset;      /* in the module's file, as its ELF header numbers addresses */
	char *symbol;	      /* of the symbol table, demangled; NULL = unknown, and so below */
	uint64_t symbol_offset;
	char *function;	      /* of the debug information */
	char *file;
	uint32_t line, column; /* 0 = unknown */
};

struct scene_thread {
	uint32_t tid;
	char name[SCENE_NAME_BYTES];
	bool is_fatal; /* the one that faulted, or took the fatal signal; first of all */
	unsigned int register_count; /* 0 = unknown */
	uint64_t registers[SCENE_REGISTERS_MAX];
	uint64_t fs_base, fault_address, error_code, trap; /* x86-64: cr2, trapnr */
	uint64_t alternate_stack, alternate_stack_bytes;
	uint64_t interrupted_sp; /* of the stack that a handler on an alternate stack interrupted */
	unsigned char code[64];	 /* around pc, from code_address */
	uint64_t code_address;
	unsigned int code_bytes;
	struct scene_slice *slices; /* in order of address, no two touch or overlap */
	unsigned int slice_count;
	struct scene_frame *frames; /* innermost first */
	unsigned int frame_count;
	char *unwind_note; /* why the frames end where they do, or why there are none */
};

struct scene {
	struct scene_thread *threads;
	unsigned int thread_count;
	unsigned int threads_left_out;
	unsigned int pages_left_out; /* 4 KiB of stack each */
	struct scene_module *modules; /* in order of start, none overlap */
	unsigned int module_count;
	unsigned int modules_left_out;
	struct scene_module fault_mapping; /* that has the fault's address; end 0: not known, or none */
	uint32_t fault_access; /* to it: read 1, write 2, execute 4, shared 8 */
	bool modules_cut; /* the list at the death was cut short; what was known before is in it too */
	int root_fd;	 /* of the process (O_PATH): where its paths start; -1: ours */
	uid_t uid;	 /* of the process: as whom its files may be read */
	gid_t gid;
};

/* Frees what it holds and closes root_fd; zeroes it (root_fd -1). */
void scene_clear(struct scene *scene);
/* The frames of one of its threads. */
void scene_frames_free(struct scene_thread *thread);

#endif
