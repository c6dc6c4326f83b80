/* SPDX-License-Identifier: MIT */
/*
 * announce_line.h - a death as one line, as a datagram for syslog, as one for the journal.
 *
 * Pure, but for the local time that syslog wants. Whatever a client is called, a line is one line.
 */
#ifndef RECORDER_ANNOUNCE_LINE_H
#define RECORDER_ANNOUNCE_LINE_H

#include <stddef.h>

#include "recorder/obituary.h"

#define ANNOUNCE_LINE_BYTES 4096    /* what kubelet takes of a termination log */
#define ANNOUNCE_SYSLOG_BYTES 2048  /* with its head */
#define ANNOUNCE_JOURNAL_BYTES 32768
#define ANNOUNCE_MESSAGE_ID "0a6a3ce9f1b54b6fb0a5d6a1c9a7e83d"

/*
 * "<time> orders (pid 12, uid 1000): killed by ...: /path", with a newline, at most
 * ANNOUNCE_LINE_BYTES. Its length.
 */
size_t announce_line(const struct obituary *obituary, char ret_line[ANNOUNCE_LINE_BYTES + 1]);
/* "<27>Nov 23 15:09:19 ttlog-recorder[7]: ...", as local syslog daemons take it; no newline. */
size_t announce_syslog(const struct obituary *obituary, char ret_message[ANNOUNCE_SYSLOG_BYTES]);
/* The journal's native protocol: fields with names of their own. */
size_t announce_journal(const struct obituary *obituary, char ret_message[ANNOUNCE_JOURNAL_BYTES]);

/* As syslog numbers them: 3 for what should not have happened, 6 for an exit with status 0. */
int announce_priority(const struct obituary *obituary);

#endif
