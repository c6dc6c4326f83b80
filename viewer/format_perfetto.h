/* SPDX-License-Identifier: MIT */
/*
 * format_perfetto.h - a trace for ui.perfetto.dev and trace_processor.
 *
 * A process has a track with its death on it, each thread one with its events: instants, with their
 * fields as arguments, their target as category and their place in the source. All of them are in the
 * table android_logs too, which is the UI's list of log lines. What was lost is a track of its own.
 *
 * Durations: an event with a field "span" whose text is "begin", or a field "ph" with "B", opens a slice
 * on its thread's track, and "end" or "E" closes the newest that is open there. They nest. An end with
 * nothing open is an instant; what is still open at the end of the trace did not come to an end.
 *
 * Times are those of the wall clock, on every of the trace's clocks.
 */
#ifndef VIEWER_FORMAT_PERFETTO_H
#define VIEWER_FORMAT_PERFETTO_H

#include "viewer/format.h"

extern const struct format perfetto_format;

#endif
