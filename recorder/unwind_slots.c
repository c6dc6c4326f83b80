/* SPDX-License-Identifier: MIT */
/* unwind_slots.c - how many children unwind at a time, of one recorder. */
#include <stdatomic.h>
#include <sys/wait.h>

#include "recorder/unwind.h"
#include "recorder/unwind_parts.h"

#define SLOT_TAKEN (-1)

/* 0: free. A pid: of a child that did not go away after SIGKILL. */
static _Atomic pid_t slots[UNWIND_CHILDREN_MAX];

static bool is_gone(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) != 0; /* also if it is no child of ours any more */
}

_Atomic pid_t *unwind_slot_take(void)
{
	for (size_t i = 0; i < UNWIND_CHILDREN_MAX; i++) {
		pid_t pid = atomic_load(&slots[i]);

		if (pid == SLOT_TAKEN ||
		    !atomic_compare_exchange_strong(&slots[i], &pid, SLOT_TAKEN))
			continue;
		if (!pid || is_gone(pid))
			return &slots[i];
		atomic_store(&slots[i], pid);
	}
	return NULL;
}
