/* SPDX-License-Identifier: MIT */
/*
 * summary.h - what the first frame of a dump says of it, without reading any more.
 *
 * The file may be anybody's: all lengths are checked, texts are cut and made printable, what is
 * missing is zero or "".
 */
#ifndef RECORDER_SUMMARY_H
#define RECORDER_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "recorder/dump_format.h"

#define SUMMARY_HEAD_BYTES (8 + DUMP_PREFIX_BYTES + DUMP_SUMMARY_BYTES_MAX) /* of a file */

struct summary {
	char signature[DUMP_SIGNATURE_DIGITS + 1]; /* "": not known */
	char service[64], reason[96], how[32];
	char sentence[DUMP_SUMMARY_TEXT_MAX + 1];
	char confidence[8];
	char set[DUMP_SET_BYTES], set_role[8]; /* "": of no set */
	int32_t signal;	   /* 0: none */
	int32_t exit_code; /* -1: none */
	bool have_fault_address;
	uint64_t fault_address, death_ns, start_ns; /* 0: not known */
	uint32_t pid, uid;
	bool have_uid;
	uint64_t created_ns; /* CLOCK_REALTIME; 0: not known */
	uint64_t events;
	uint64_t loop_key, loop_since_ns, loop_count; /* count 0: no part of a crash loop */
};

/*
 * The first bytes of a file, SUMMARY_HEAD_BYTES or all that there are. 0, -EBADMSG (no dump),
 * -EPROTONOSUPPORT (of a later version).
 */
int summary_parse(const unsigned char *data, size_t bytes, struct summary *ret_summary);

/* The same from the start of a file. Also other negative errnos. */
int summary_read(int fd, struct summary *ret_summary);

#endif
