/* SPDX-License-Identifier: MIT */
/*
 * fault_control.h - which call of a program fails: shared by a test and by plugin_fault.so, which
 * is loaded into the program in front of libc. The page is a file that $TTLOG_FAULT_FILE names.
 */
#ifndef TESTS_FAULT_CONTROL_H
#define TESTS_FAULT_CONTROL_H

#include <stdatomic.h>
#include <stdint.h>

enum fault_kind {
	FAULT_NONE,
	FAULT_MEMORY,	   /* malloc, calloc, realloc and what is made of them */
	FAULT_WRITE,	   /* into files */
	FAULT_SYNC,	   /* fsync, of folders too */
	FAULT_NAME,	   /* renameat2, linkat: with it what would take its place */
	FAULT_DESCRIPTORS, /* whatever makes one */
};

struct fault_control {
	_Atomic uint32_t kind;	   /* written last */
	_Atomic int32_t countdown; /* the call that takes it to 0 fails */
	_Atomic int32_t error;	   /* errno; of memory always ENOMEM */
	_Atomic uint32_t hits;
};

#endif
