/* SPDX-License-Identifier: MIT */
/*
 * format_journal.h - the journal's export format, for systemd-journal-remote.
 *
 * What the journal has names for goes by these (MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, _PID, TID, CODE_FILE
 * ...), what is ttlog's own begins with TTLOG_, an event's field with F_, in capitals. The death is an
 * entry of its own, with TTLOG_EVENT=death. A value with a byte below space is written in binary, by its
 * length, so nothing in a dump can be taken for another field or entry.
 */
#ifndef VIEWER_FORMAT_JOURNAL_H
#define VIEWER_FORMAT_JOURNAL_H

#include "viewer/format.h"

extern const struct format journal_format;

#endif
