/* SPDX-License-Identifier: MIT */
/* settings.h - what the environment and ttlog_init_with() can set, checked. */
#ifndef TTLOG_SETTINGS_H
#define TTLOG_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/ttlog_abi.h"

#define TTLOG_SOCKET_PATH_BYTES 108 /* sizeof(sun_path) */

struct ttlog_settings {
	char service[TTLOG_SERVICE_BYTES];
	char group[TTLOG_GROUP_BYTES]; /* "" = none */
	char socket[TTLOG_SOCKET_PATH_BYTES]; /* "" = no recorder */
	uint64_t region_bytes;
	uint64_t channel_bytes; /* 0 = a share of region_bytes */
	uint32_t level;
	uint32_t flush_interval_s;
	uint32_t hello_timeout_ms;
	uint32_t clock_mode; /* enum ttlog_clock_mode */
	bool debug;
};

/* The environment and the defaults. A value that makes no sense is ignored (TTLOG_DEBUG names it).
 */
void ttlog_settings_from_environment(struct ttlog_settings *ret_settings);
/* Options over what is in *settings. 0 or -EINVAL; *settings is unchanged then. */
int ttlog_settings_apply(struct ttlog_settings *settings, const struct ttlog_options *options);

/* "64M", "16777216", "1g". 0 or -EINVAL (not a number, no such unit, too large). */
int ttlog_settings_parse_size(const char *text, uint64_t *ret_bytes);
/* "info", "WARN", "off". 0 or -EINVAL. */
int ttlog_settings_parse_level(const char *text, uint32_t *ret_level);
/* "exact", "sparse", "COARSE". 0 or -EINVAL. */
int ttlog_settings_parse_clock(const char *text, uint32_t *ret_mode);
/* A whole number, of seconds or so. 0 or -EINVAL. */
int ttlog_settings_parse_number(const char *text, uint32_t *ret_number);

/* One line on stderr if debug is set: "ttlog: text: detail". Async-signal-safe. */
void ttlog_debug_line(const struct ttlog_settings *settings, const char *text, const char *detail);

#endif
