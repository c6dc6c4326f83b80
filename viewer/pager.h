/* SPDX-License-Identifier: MIT */
/*
 * pager.h - what is for people goes through a pager where the standard output is a terminal.
 *
 * TTLOG_PAGER, else PAGER, else less; empty or "cat" is none. less is told FRSX unless LESS says something:
 * it ends by itself when all fits the screen, and colours stay.
 */
#ifndef VIEWER_PAGER_H
#define VIEWER_PAGER_H

#include <sys/types.h>

struct pager {
	pid_t pid; /* 0: none */
	int fd;	   /* where to write to */
};

/* There may be none, for whatever reason: then fd is the standard output. SIGPIPE and SIGINT are the pager's. */
void pager_open(struct pager *pager);
/* Waits until its user has seen enough. */
void pager_close(struct pager *pager);

#endif
