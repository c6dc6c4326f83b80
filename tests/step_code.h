/* SPDX-License-Identifier: MIT */
/*
 * step_code.h - what the test must know of an instruction of the stepped process. It is at the same
 * address in the test itself.
 */
#ifndef STEP_CODE_H
#define STEP_CODE_H

#include <stdbool.h>
#include <stdint.h>

/* It reads, changes and writes memory in one: others may have been quicker. */
bool code_is_locked(uint64_t pc);
/* It writes nowhere but to registers and the stack. False where that is not certain. */
bool code_is_harmless(uint64_t pc);

#endif
