/* SPDX-License-Identifier: MIT */
/*
 * ttlog_abi_hello.h - the hello: what an application and a recorder say to each other on the socket. Part
 * of ttlog_abi.h, which has the region, the versions and who may read which.
 *
 * SOCK_SEQPACKET, one message each way, then notices of the client. Every message starts with the
 * same head; `bytes` is the length of the whole message, and a longer one than expected is read up to
 * what is known. The recorder learns the process from the socket, never from a message.
 *
 *   client                                 recorder
 *   HELLO what it would like   -------->   checks, makes and prefaults the region, arms the death watch
 *                              <--------   WELCOME status; SCM_RIGHTS: region [, control map]
 *   (maps both, records)
 *   REGION; SCM_RIGHTS: region -------->   only if no WELCOME came in time: "I made one myself, hold
 *                                          it". The recorder checks it as it checks anything, and
 *                                          drops the one that it made (its WELCOME is never read)
 *   SNAPSHOT reason [; socket] -------->   copies the living region, writes a dump
 *                              <--------   by that socket, if it came: SNAPSHOT_DONE when the dump is
 *                                          durable, or is not to be had
 *   NOTICE                     -------->   looks at the ledger: a heartbeat was promised, or is no more
 *   GOODBYE                    -------->   the client will record no more
 *
 * On a connection of its own, from a client or from somebody who is none yet:
 *
 *   LAST_DEATH service         -------->   how did the newest process of that name end, of the user
 *                                          who asks? Waits for one whose end is just becoming known
 *                              <--------   DEATH status: 0 or -ENOENT; then it hangs up
 *
 *   SNAPSHOT reason            -------->   whose region was adopted has no other way to ask: the process
 *                                          is the one that connects, and hangs up at once
 *   NOTICE                     -------->   the same; a recorder that does not know it hangs up
 *
 * status is 0 or a negative errno; without a region the client records into memory of its own. The
 * second descriptor, where there is one, is a BPF array of one element of TTLOG_CONTROL_BYTES that the
 * client maps over its control page. The socket of a SNAPSHOT is one end of a SOCK_SEQPACKET pair that
 * its client made for this one answer. A client waits TTLOG_HELLO_TIMEOUT_MS for its WELCOME, unless its
 * options say otherwise. A recorder that is slow or gone costs nothing after that; the socket carries
 * nothing per event.
 *
 * Adoption. A client that has reached no recorder keeps its memfd open and gives its thread the name that
 * it has already (PR_SET_NAME): nobody sees a difference, but a recorder's kernel program hears it, comes
 * and takes the region out of /proc. Whoever holds a region for a living process has an exclusive flock(2)
 * on it, through an open file description of its own that dies with it.
 */
#ifndef TTLOG_ABI_HELLO_H
#define TTLOG_ABI_HELLO_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ttlog.h"

#define TTLOG_SERVICE_BYTES 64 /* with its NUL */
#define TTLOG_GROUP_BYTES 64   /* the same */
#define TTLOG_SOCKET_DEFAULT "/run/ttlog/recorder.sock"
#define TTLOG_HELLO_TIMEOUT_MS 50
#define TTLOG_HELLO_TIMEOUT_MAX_MS 60000
#define TTLOG_MESSAGE_MAGIC UINT32_C(0x4d4c5454) /* "TTLM" */
#define TTLOG_REASON_BYTES 64			 /* with its NUL */
#define TTLOG_HEARTBEAT_MAX_MS (24u * 3600 * 1000)

enum ttlog_message_kind {
	TTLOG_MESSAGE_HELLO = 1,
	TTLOG_MESSAGE_WELCOME = 2,
	TTLOG_MESSAGE_SNAPSHOT = 3,
	TTLOG_MESSAGE_GOODBYE = 4,
	TTLOG_MESSAGE_REGION = 5,
	TTLOG_MESSAGE_SNAPSHOT_DONE = 6,
	TTLOG_MESSAGE_NOTICE = 7,
	TTLOG_MESSAGE_LAST_DEATH = 8,
	TTLOG_MESSAGE_DEATH = 9,
};

struct ttlog_message_head {
	uint32_t magic;
	uint16_t version; /* TTLOG_ABI_VERSION of the sender */
	uint16_t kind;
	uint32_t bytes;
	uint32_t zero;
};

struct ttlog_hello {
	struct ttlog_message_head head;
	uint64_t region_bytes;	   /* wanted; 0 = the recorder's default */
	uint32_t level;		   /* threshold to start with, enum ttlog_level */
	uint32_t flush_interval_s; /* a snapshot every so often; 0 = never */
	uint32_t clock_source;	   /* enum ttlog_clock_source: what the ticks will be */
	uint32_t clock_mode;	   /* enum ttlog_clock_mode: how often they are read */
	uint64_t channel_bytes;	   /* for channels, beside region_bytes; 0 = a share of those */
	char service[TTLOG_SERVICE_BYTES];
	char group[TTLOG_GROUP_BYTES]; /* from version 3 on: whose death is its business; "" = nobody's */
};

#define TTLOG_HELLO_BYTES_MIN offsetof(struct ttlog_hello, group) /* of version 2 */

struct ttlog_welcome {
	struct ttlog_message_head head;
	int32_t status;
	uint32_t flags; /* TTLOG_WELCOME_... */
};

#define TTLOG_WELCOME_CONTROL_MAP 1u /* the second descriptor is there */
/*
 * A client keeps the descriptor of its control map for the next recorder, and marks it with F_SETSIG:
 * maps have no inode of their own to be known by.
 */
#define TTLOG_CONTROL_MARK 61

struct ttlog_snapshot_request {
	struct ttlog_message_head head;
	char reason[TTLOG_REASON_BYTES];
};

/* Then the path of the dump, as the recorder sees it, without a NUL: the rest of the message. */
struct ttlog_snapshot_done {
	struct ttlog_message_head head;
	int32_t status; /* 0 or a negative errno */
	uint32_t zero;
};

struct ttlog_last_death_request {
	struct ttlog_message_head head;
	char service[TTLOG_SERVICE_BYTES];
};

/* What struct ttlog_death of lib/ttlog.h is made of; texts end with a NUL. */
struct ttlog_death_answer {
	struct ttlog_message_head head;
	int32_t status; /* not 0: the rest is zero */
	uint32_t flags; /* TTLOG_DEATH_... */
	uint64_t died_ns;
	uint64_t started_ns;
	uint64_t fault_address;
	uint64_t loop_count;
	uint32_t pid;
	int32_t signal;
	int32_t exit_code;
	uint32_t zero;
	char how[TTLOG_DEATH_HOW_BYTES];
	char confidence[TTLOG_DEATH_CONFIDENCE_BYTES];
	char reason[TTLOG_DEATH_REASON_BYTES];
	char signature[TTLOG_DEATH_SIGNATURE_BYTES];
	char sentence[TTLOG_DEATH_SENTENCE_BYTES];
	char dump[TTLOG_DEATH_DUMP_BYTES];
};

static_assert(sizeof(struct ttlog_message_head) == 16, "no padding");
static_assert(TTLOG_HELLO_BYTES_MIN == 16 + 32 + TTLOG_SERVICE_BYTES, "no padding");
static_assert(sizeof(struct ttlog_hello) == TTLOG_HELLO_BYTES_MIN + TTLOG_GROUP_BYTES, "no padding");
static_assert(sizeof(struct ttlog_death_answer) == 16 + 56 + 16 + 8 + 96 + 24 + 256 + 512,
	      "no padding");
static_assert(sizeof(struct ttlog_welcome) == 24, "no padding");
static_assert(sizeof(struct ttlog_snapshot_done) == 24, "no padding");

#endif
