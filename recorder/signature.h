/* SPDX-License-Identifier: MIT */
/*
 * signature.h - which bug it was: the same one has the same signature, at whatever addresses, in
 * whatever process of that build.
 *
 * Made of the cause (how, signal or exit status), the executable's build-id (its path, if it has
 * none), and, where the place tells something about the bug, the innermost functions. Not of
 * addresses, lines, pids, times, services. It says what belongs together and proves nothing: who
 * wants to give his deaths the signature of another's can do so.
 */
#ifndef RECORDER_SIGNATURE_H
#define RECORDER_SIGNATURE_H

#include "recorder/scene.h"
#include "recorder/verdict.h"

#define SIGNATURE_DIGITS 16
#define SIGNATURE_BYTES (SIGNATURE_DIGITS + 1)

struct signature_facts {
	const struct verdict *verdict;
	const char *exe;	   /* path; NULL: not known */
	const struct scene *scene; /* with its frames; NULL: not known */
	/* What it had mapped when it registered, for where there is no scene. */
	const struct scene_module *modules;
	unsigned int module_count;
};

/* SIGNATURE_DIGITS hexadecimal digits and a NUL; never all zeros. */
void signature_make(const struct signature_facts *facts, char ret_signature[SIGNATURE_BYTES]);

/* Continues a hash with which program it was: the facts' executable, by build-id if that is known. */
uint64_t signature_hash_build(uint64_t hash, const struct signature_facts *facts);

/* FNV-1a with 64 bits, to be continued: start with SIGNATURE_HASH_START. */
#define SIGNATURE_HASH_START UINT64_C(0xcbf29ce484222325)
uint64_t signature_hash(uint64_t hash, const void *data, size_t bytes);

#endif
