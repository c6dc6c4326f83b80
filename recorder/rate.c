/* SPDX-License-Identifier: MIT */
/* rate.c - windows of time, by service. */
#include "recorder/rate.h"

#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)

static bool is_over(const struct rate_window *window, const struct rule_rate *rate, uint64_t now_ns)
{
	return !window->began_ns || now_ns - window->began_ns >= rate->interval_ms * MS;
}

static bool has_room(const struct rate_window *window, const struct rule_rate *rate,
		     uint64_t now_ns)
{
	return (is_over(window, rate, now_ns) ? 0 : window->count) < rate->count;
}

static void use(struct rate_window *window, const struct rule_rate *rate, uint64_t now_ns)
{
	if (is_over(window, rate, now_ns))
		*window = (struct rate_window){.began_ns = now_ns};
	window->count++;
}

/* Where there are too many services, the one whose window began first makes room. NULL: no memory.
 */
static struct rate_window *window_of(struct rate_windows *windows, const char *service)
{
	struct rate_of_service *oldest = windows->services, *more;

	for (unsigned int i = 0; i < windows->service_count; i++) {
		struct rate_of_service *at = &windows->services[i];

		if (!strcmp(at->service, service))
			return &at->window;
		if (at->window.began_ns < oldest->window.began_ns)
			oldest = at;
	}
	if (windows->service_count < RATE_SERVICES_MAX) {
		more = reallocarray(windows->services, windows->service_count + 1, sizeof(*more));
		if (!more)
			return NULL;
		windows->services = more;
		oldest = &more[windows->service_count++];
	}
	*oldest = (struct rate_of_service){0};
	memcpy(oldest->service, service, strnlen(service, sizeof(oldest->service) - 1));
	return &oldest->window;
}

bool rate_use(struct rate_windows *windows, const struct rule_rate *rate,
	      const struct rule_rate *total, const char *service, uint64_t now_ns)
{
	struct rate_window *window = window_of(windows, service);

	if (!window || !has_room(window, rate, now_ns) || !has_room(&windows->total, total, now_ns))
		return false;
	use(window, rate, now_ns);
	use(&windows->total, total, now_ns);
	return true;
}

void rate_free(struct rate_windows *windows)
{
	free(windows->services);
	*windows = (struct rate_windows){0};
}
