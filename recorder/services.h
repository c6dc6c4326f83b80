/* SPDX-License-Identifier: MIT */
/*
 * services.h - what became of events, added up by service.
 *
 * Names are what clients say they are. There is room for some; those that come later are one
 * service named "other", so that nobody can make figures without end.
 */
#ifndef RECORDER_SERVICES_H
#define RECORDER_SERVICES_H

#include <stdint.h>

#include "recorder/ledger.h"

#define SERVICES_MAX 200
#define SERVICES_OTHER "other"

struct service {
	char name[TTLOG_SERVICE_BYTES];
	struct ledger_counts counts; /* of all its processes, dead or alive; never goes back */
	/* When somebody last looked at the living: */
	unsigned int clients;
	double history_seconds; /* of the one that reaches back least; < 0: none has recorded */
	/* The same of a look that is not finished. */
	unsigned int next_clients;
	double next_history_seconds;
};

/* Zero-initialise. */
struct services {
	unsigned int count;
	struct service service[SERVICES_MAX + 1]; /* one place is for "other" */
};

/* The place of that name, from now on or already. It stays where it is. */
struct service *services_of(struct services *services, const char *name);

/* What one process has done since `counted`, which becomes `counts`. */
void services_add(struct service *service, const struct ledger_counts *counts,
		  struct ledger_counts *counted);

/* A look at all the living begins, sees one of them, and is finished. */
void services_begin(struct services *services);
void services_see(struct service *service, double history_seconds);
void services_finish(struct services *services);

#endif
