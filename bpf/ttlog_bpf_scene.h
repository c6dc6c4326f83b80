/* SPDX-License-Identifier: MIT */
/*
 * ttlog_bpf_scene.h - where a client's threads were when it died: registers, stacks, mappings.
 *
 * The promise
 *
 *   Each thread that passes signal_deliver on the way to its client's death by a signal is told of
 *   once, with the pages of its stack that were in memory; so are the executable mappings, once.
 *   All of it comes before the client's DEATH. What could not be sent is counted.
 *
 *   scenes     a ring buffer of its own: no stack can push out a death, nor can a death wait for one.
 *              THREAD, then that thread's PAGEs; MODULEs, and MODULES_END behind them if those were
 *              all; without it they may be told of again, by another thread's exit, or are no more
 *              than a part. UNSENT before its DEATH if there was no room for something. While the buffer is half full, only stacks of threads
 *              that took the fatal signal are sent; the registers of all still are.
 *
 * Not of threads that exit_group() or an exec ends: nobody asks where those were.
 */
#ifndef TTLOG_BPF_SCENE_H
#define TTLOG_BPF_SCENE_H

#include <linux/types.h>

#define TTLOG_BPF_SCENES_BYTES (8u << 20)

#define TTLOG_BPF_PAGE_BYTES 4096u  /* a piece; where the machine's pages are larger, a part of one */
#define TTLOG_BPF_RED_ZONE 128u	    /* below sp, and in use (x86-64) */
#define TTLOG_BPF_PAGES_FATAL 16u   /* of the stack, from page(sp - red zone) up */
#define TTLOG_BPF_PAGES_OTHERS 4u
#define TTLOG_BPF_THREADS 256u	    /* of a client; the one that took the fatal signal comes beside */
#define TTLOG_BPF_MODULES 4096u
#define TTLOG_BPF_MAPPINGS 16384u   /* looked at, executable or not */
#define TTLOG_BPF_WALKS 8u	    /* of the mappings of a client, as long as none came to their end */
#define TTLOG_BPF_REGISTERS_MAX 33u
#define TTLOG_BPF_CODE_BYTES 64u
#define TTLOG_BPF_PATH_BYTES 1024u
#define TTLOG_BPF_NAME_BYTES 256u   /* of one folder or file */
#define TTLOG_BPF_PATH_ROOM 2048u   /* for both, as a power of 2 that the verifier can see */

enum ttlog_bpf_scene_kind {
	TTLOG_BPF_THREAD = 1,
	TTLOG_BPF_PAGE = 2,
	TTLOG_BPF_MODULE = 3,
	TTLOG_BPF_SCENE_UNSENT = 4,
	TTLOG_BPF_MODULES_END = 5,
};

/* What each record starts with. */
struct ttlog_bpf_scene {
	__u64 client_id;
	__u32 kind; /* enum ttlog_bpf_scene_kind */
	__u32 tid;  /* THREAD, PAGE */
};

#define TTLOG_BPF_THREAD_FATAL 1u /* it faulted, or the fatal signal was for it */

struct ttlog_bpf_thread {
	struct ttlog_bpf_scene head;
	__u32 flags;
	__u32 register_count; /* 17: x86-64; 33: arm64; 0: a machine that is not known */
	/* As DWARF numbers them, then pc: see scene.h. */
	__u64 registers[TTLOG_BPF_REGISTERS_MAX];
	__u64 fs_base, fault_address, error_code, trap; /* the last three are of its last fault */
	__u64 alternate_stack, alternate_stack_bytes;
	__u64 interrupted_sp; /* sp is on the alternate stack: where it was before the handler; 0: no */
	/* On the stack that the process began with; not to be kept. */
	__u64 environment_start, environment_end;
	__u64 code_address;
	__u32 code_bytes; /* 0 or TTLOG_BPF_CODE_BYTES */
	__u32 zero;
	char comm[16];
	unsigned char code[TTLOG_BPF_CODE_BYTES];
};

struct ttlog_bpf_page {
	struct ttlog_bpf_scene head;
	__u64 address;
	unsigned char data[TTLOG_BPF_PAGE_BYTES];
};

#define TTLOG_BPF_MODULE_VDSO 1u
#define TTLOG_BPF_MODULE_FAULT 2u /* not to execute, perhaps: it has the address of the fault */
#define TTLOG_BPF_MODULE_HEAP 4u  /* these two only of such a one: brk()'s */
#define TTLOG_BPF_MODULE_STACK 8u /* that the process began with */

#define TTLOG_BPF_ACCESS_READ 1u
#define TTLOG_BPF_ACCESS_WRITE 2u
#define TTLOG_BPF_ACCESS_EXECUTE 4u
#define TTLOG_BPF_ACCESS_SHARED 8u

struct ttlog_bpf_module {
	struct ttlog_bpf_scene head;
	__u64 start, end;
	__u64 page_offset; /* of start in the file, in pages of the machine */
	__u64 inode;	   /* 0: no file */
	__u32 device;	   /* major << 20 | minor */
	__u32 flags;
	__u32 path_bytes;  /* 0: not known */
	__u32 access;	   /* TTLOG_BPF_ACCESS_..., which are those of vm_flags */
	/* The names on the way from the file up to the root of the process, each with its NUL. */
	char path[TTLOG_BPF_PATH_ROOM];
};

/* How many bytes of it are sent. */
#define TTLOG_BPF_MODULE_BYTES(path_bytes) (sizeof(struct ttlog_bpf_scene) + 4 * 8 + 4 * 4 + (path_bytes))

struct ttlog_bpf_scene_unsent {
	struct ttlog_bpf_scene head;
	__u32 threads; /* not told of at all */
	__u32 pages;   /* that were readable */
	__u32 modules;
	__u32 zero;
};

/* What the kernel program keeps of a client for all this. */
#define TTLOG_BPF_INTERRUPTED 8u /* a power of 2 */

struct ttlog_bpf_scene_state {
	/* By tid: where sp was when a handler on an alternate stack began. The newest, of some. */
	struct {
		__u64 sp;
		__u32 tid;
		__u32 zero;
	} interrupted[TTLOG_BPF_INTERRUPTED];
	__u32 threads; /* told of */
	__u32 modules_told;
	__u32 threads_unsent, pages_unsent, modules_unsent;
	__u32 walks; /* of the mappings, that were cut short */
};

_Static_assert(sizeof(struct ttlog_bpf_thread) == 16 + 8 + 33 * 8 + 10 * 8 + 8 + 16 + 64, "no padding");
_Static_assert(sizeof(struct ttlog_bpf_page) == 24 + TTLOG_BPF_PAGE_BYTES, "no padding");
_Static_assert(sizeof(struct ttlog_bpf_module) ==
		       TTLOG_BPF_MODULE_BYTES(TTLOG_BPF_PATH_ROOM),
	       "no padding");
_Static_assert(TTLOG_BPF_PATH_BYTES + TTLOG_BPF_NAME_BYTES < TTLOG_BPF_PATH_ROOM, "room for both");

#endif
