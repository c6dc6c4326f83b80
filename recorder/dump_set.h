/* SPDX-License-Identifier: MIT */
/*
 * dump_set.h - what a dump says of the set that it is of: a death, and those who worked with who died.
 */
#ifndef RECORDER_DUMP_SET_H
#define RECORDER_DUMP_SET_H

#include <stdint.h>

#include "lib/ttlog_abi.h"
#include "recorder/dump_format.h"

#define DUMP_SET_GROUP_BYTES 256

enum dump_set_role {
	DUMP_SET_FIRST, /* it died, and so there is a set */
	DUMP_SET_DIED,	/* it died soon after */
	DUMP_SET_ALIVE, /* it lived, and was copied */
};

struct dump_set {
	char name[DUMP_SET_BYTES]; /* never empty; no two sets of a machine have the same */
	const char *by;		   /* what makes it a group: "declared", "cgroup", "pod", "family" */
	char group[DUMP_SET_GROUP_BYTES]; /* its name, or path, or uid; "": a family has none */
	enum dump_set_role role;
	uint32_t first_pid;
	char first_service[TTLOG_SERVICE_BYTES];
	char first_sentence[DUMP_SUMMARY_TEXT_MAX + 1];
	uint32_t copied, left_out; /* of the living: written, and too many */
};

#endif
