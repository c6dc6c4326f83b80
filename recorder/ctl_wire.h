/* SPDX-License-Identifier: MIT */
/*
 * ctl_wire.h - what ttlog-ctl and the recorder say to each other on the control socket.
 *
 * The promise: one question a connection, answered by rows and one last packet that says how it
 * went, and the recorder believes nothing of the question but who asks (SO_PEERCRED).
 *
 * SOCK_SEQPACKET, so that a packet is an item and nothing has to be framed; an item is a CBOR map,
 * as the dumps are: both programs have the encoder, strings need no quoting, and what is not known
 * to one side is skipped by it.
 *
 *   ttlog-ctl                                recorder
 *   {version, do, match?, ...}  -------->    at most CTL_REQUEST_BYTES_MAX, within 5 s
 *                               <--------    a row each, as many as there are
 *                               <--------    {end: true, status, matched}: then it hangs up
 *
 * Without the last packet the recorder has ended meanwhile. Keys of a question:
 *
 *   version   CTL_VERSION; a greater one is answered with -EPROTONOSUPPORT
 *   do        list, status, level, freeze, thaw, snapshot; and what tail is made of: region
 *             (the newest process that matches: one row, with two descriptors: its region, which
 *             can be read by it and not written, and its pidfd), death (how the process of that pid
 *             ended, if it is one of the newest deaths: a row, or none)
 *   match     a pid in digits, or a service's name; "" or missing: everything (list), the recorder
 *             itself (status); the others must have one
 *   level     enum ttlog_level (level)
 *   reason    what a snapshot is called (snapshot)
 *   wait      true: a row comes when the dump is written, and names it (snapshot)
 *
 * status in the last packet is 0 or a negative errno: -EBADMSG (no question), -EBUSY (too many are
 * asking), -EACCES (nobody who may ask), -ESHUTDOWN (the recorder is about to end). A row of an
 * action has `error`, a negative errno, if it failed for this process.
 */
#ifndef RECORDER_CTL_WIRE_H
#define RECORDER_CTL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ttlog_abi.h"
#include "recorder/pack.h"

#define CTL_VERSION 1
#define CTL_SOCKET_NAME "control.sock" /* in the folder of the clients' socket */
#define CTL_REQUEST_BYTES_MAX 1024
#define CTL_ANSWER_BYTES_MAX (64u << 10) /* of one packet */
#define CTL_DEPTH_MAX 4
#define CTL_FDS 2 /* of a row of region */

enum ctl_verb {
	CTL_LIST,
	CTL_STATUS,
	CTL_LEVEL,
	CTL_FREEZE,
	CTL_THAW,
	CTL_SNAPSHOT,
	CTL_REGION,
	CTL_DEATH,
	CTL_VERBS,
};

/* "list", ...; NULL for what is none. */
const char *ctl_verb_name(enum ctl_verb verb);

struct ctl_request {
	enum ctl_verb verb;
	char match[TTLOG_SERVICE_BYTES]; /* valid UTF-8 without control characters, as below */
	uint32_t level;
	char reason[TTLOG_REASON_BYTES]; /* the same */
	bool wait;
};

/* Appends the question. */
void ctl_request_pack(struct pack *pack, const struct ctl_request *request);
/* 0, -EBADMSG or -EPROTONOSUPPORT. Any bytes. */
int ctl_request_check(const void *data, size_t bytes, struct ctl_request *ret_request);

/* "trace" to "off"; NULL for what is no level. */
const char *ctl_level_name(uint32_t level);

/* The control socket beside that of the clients. 0 or -ENAMETOOLONG. */
int ctl_socket_beside(const char *clients_socket, char *ret_path, size_t bytes);

/* ---- reading CBOR: the part of it that pack.h writes ---- */

enum ctl_kind { CTL_UINT, CTL_NEGATIVE, CTL_TEXT, CTL_ARRAY, CTL_MAP, CTL_BOOL, CTL_OTHER };

struct ctl_item {
	enum ctl_kind kind;
	uint64_t value;	  /* UINT, BOOL; NEGATIVE: -1 - value; TEXT: bytes; ARRAY, MAP: entries */
	const char *text; /* TEXT: not terminated */
};

struct ctl_cursor {
	const unsigned char *at, *end;
};

/* The item's head, and the bytes of a text. 0 or -EBADMSG. */
int ctl_item_next(struct ctl_cursor *cursor, struct ctl_item *ret_item);

/* The value of a map's key. False: it is not there, or the map is damaged before it. */
bool ctl_map_find(const void *data, size_t bytes, const char *key, struct ctl_item *ret_item,
		  struct ctl_cursor *ret_rest);

#endif
