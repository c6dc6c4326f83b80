/* SPDX-License-Identifier: MIT */
/* plugin_ttlog.c - a shared object that records; test_ttlog.c loads it, and lets it go again. */
#define TTLOG_TARGET "plugin"
#include "lib/ttlog.h"

void plugin_record(uint64_t n);

__attribute__((visibility("default"))) void plugin_record(uint64_t n)
{
	ttlog_info("from the plugin", "n", n, "text", "a string of its own");
	ttlog_error("an alert from the plugin", "n", n);
}
