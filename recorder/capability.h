/* SPDX-License-Identifier: MIT */
/* capability.h - what this thread may do, as capabilities(7) has it. */
#ifndef RECORDER_CAPABILITY_H
#define RECORDER_CAPABILITY_H

#include <linux/capability.h>
#include <stdbool.h>

bool capability_have(int capability); /* effective */

/* Is it there for bpf() and perf? CAP_SYS_ADMIN stands for both, as before they were made. */
bool capability_have_for_bpf(int capability);

/* "CAP_BPF is missing", "CAP_BPF and CAP_PERFMON are missing", ...; NULL: none is. */
const char *capability_missing_for_bpf(void);

#endif
