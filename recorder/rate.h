/* SPDX-License-Identifier: MIT */
/* rate.h - so many in a time, of each service and of all together. */
#ifndef RECORDER_RATE_H
#define RECORDER_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/ttlog_abi.h"
#include "recorder/rules.h"

#define RATE_SERVICES_MAX 256 /* that are kept apart */

/* It begins with the first of its dumps. */
struct rate_window {
	uint64_t began_ns; /* 0: it has not */
	uint32_t count;
};

struct rate_of_service {
	char service[TTLOG_SERVICE_BYTES];
	struct rate_window window;
};

/* Zeros are windows in which nothing was used. */
struct rate_windows {
	struct rate_window total;
	struct rate_of_service *services;
	unsigned int service_count;
};

/* Uses one of each up, or none and false: one of them has none left. */
bool rate_use(struct rate_windows *windows, const struct rule_rate *rate,
	      const struct rule_rate *total, const char *service, uint64_t now_ns);
void rate_free(struct rate_windows *windows);

#endif
