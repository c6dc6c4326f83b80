/* SPDX-License-Identifier: MIT */
/*
 * emulated.h - is this `make check-arm64`, under qemu-user?
 *
 * It says yes to MADV_WIPEONFORK and does not do it: a child of raw clone() then goes on in its
 * parent's region. What is left out for that says so.
 */
#ifndef EMULATED_H
#define EMULATED_H

#include <stdbool.h>
#include <stdlib.h>

static inline bool is_emulated(void)
{
	return getenv("TTLOG_QEMU") != NULL;
}

#endif
