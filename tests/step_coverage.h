/* SPDX-License-Identifier: MIT */
/*
 * step_coverage.h - at which lines of the ring's code a writer has died.
 *
 * The stepped processes run the same image at the same addresses as the test, so an address is a
 * place in it. At the end objdump (binutils, as old as the linker) names the lines.
 */
#ifndef STEP_COVERAGE_H
#define STEP_COVERAGE_H

#include <stdbool.h>
#include <stdint.h>

enum coverage_death {
	COVERAGE_LOOK = 1, /* stopped there, and the region was judged */
	COVERAGE_KILL = 2, /* died there by SIGKILL, and the region was judged */
};

/* Of the code that this program has, wherever it was built. */
unsigned int coverage_hash(void);
/* Before the fork of whoever adds: all of them add to the same. */
void coverage_init(void);
/* pc is the instruction that the writer did not come to execute. */
void coverage_add(uint64_t pc, enum coverage_death death);
/* A death was tried in this test's image at that place, be it the ring's or not. */
bool coverage_is_image(uint64_t pc);
/*
 * Prints the table, and unless it is of a part only, what is left out. False: a line of the ring
 * is, and no exception says why. Reads the sources for that: the test runs in the top folder.
 */
bool coverage_report(bool is_part);

#endif
