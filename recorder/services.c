/* SPDX-License-Identifier: MIT */
/* services.c - a short list of names, and sums that never go back. */
#include "recorder/services.h"

#include <stdio.h>
#include <string.h>

#include "recorder/log.h"

static struct service *find(struct services *services, const char *name)
{
	for (unsigned int i = 0; i < services->count; i++)
		if (!strcmp(services->service[i].name, name))
			return &services->service[i];
	return NULL;
}

struct service *services_of(struct services *services, const char *name)
{
	char clean[TTLOG_SERVICE_BYTES];
	struct service *service;

	snprintf(clean, sizeof(clean), "%s", name);
	log_clean(clean, LOG_CLEAN_LINE);
	service = find(services, clean);
	if (!service && services->count >= SERVICES_MAX) {
		strcpy(clean, SERVICES_OTHER);
		service = find(services, clean);
	}
	if (service)
		return service;
	service = &services->service[services->count++];
	*service = (struct service){.history_seconds = -1, .next_history_seconds = -1};
	strcpy(service->name, clean);
	return service;
}

static void add(uint64_t *sum, uint64_t now, uint64_t *counted)
{
	if (now <= *counted)
		return;
	if (__builtin_add_overflow(*sum, now - *counted, sum))
		*sum = UINT64_MAX;
	*counted = now;
}

void services_add(struct service *service, const struct ledger_counts *counts,
		  struct ledger_counts *counted)
{
	struct ledger_counts *sum = &service->counts;

	add(&sum->events, counts->events, &counted->events);
	add(&sum->overwritten, counts->overwritten, &counted->overwritten);
	add(&sum->dropped, counts->dropped, &counted->dropped);
	add(&sum->truncated, counts->truncated, &counted->truncated);
	add(&sum->torn, counts->torn, &counted->torn);
}

void services_begin(struct services *services)
{
	for (unsigned int i = 0; i < services->count; i++) {
		services->service[i].next_clients = 0;
		services->service[i].next_history_seconds = -1;
	}
}

void services_see(struct service *service, double history_seconds)
{
	service->next_clients++;
	if (history_seconds >= 0 &&
	    (service->next_history_seconds < 0 || history_seconds < service->next_history_seconds))
		service->next_history_seconds = history_seconds;
}

void services_finish(struct services *services)
{
	for (unsigned int i = 0; i < services->count; i++) {
		struct service *service = &services->service[i];

		service->clients = service->next_clients;
		service->history_seconds = service->next_history_seconds;
	}
}
