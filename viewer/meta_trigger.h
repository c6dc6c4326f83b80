/* SPDX-License-Identifier: MIT */
/* meta_trigger.h - what led to the dump of a living process, as its metadata have it. */
#ifndef VIEWER_META_TRIGGER_H
#define VIEWER_META_TRIGGER_H

#include "viewer/decode.h"

struct meta_trigger {
	struct span kind, rule, called; /* without a kind there is none */
	struct span thread, level, target, message, values, first_service;
	struct number time_ns, tid, site, percent, percent_wanted, usage_bytes, limit_bytes;
	struct number every_ms, silent_ms, promised_ms, uid, first_pid;
};

extern const struct decode_key meta_trigger_keys[];

#endif
