/* SPDX-License-Identifier: MIT */
/*
 * empty.h - BPF programs that do nothing but return, on tracepoints of the kernel: what it takes the
 * kernel to call any program at all there, and so the least that a recorder of this kind can cost.
 */
#ifndef BENCH_EMPTY_H
#define BENCH_EMPTY_H

#include <stdbool.h>

/* Attaches one to each name, up to NULL. False, and nothing is attached: not here. */
bool empty_add(const char *const *tracepoints);
void empty_remove(void);

#endif
