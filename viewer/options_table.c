/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "viewer/options.h"

#define FLAG(field) offsetof(struct options, field), NULL
#define TAKE(function) 0, function

/* clang-format off: a table */
const struct option_row option_rows[] = {
	{"filter", 'f', OPTIONS_SELECT, true, "EXPR",
	 "where EXPR is true: status=500,503", TAKE(options_filter)},
	{"query", 0, OPTIONS_SELECT, true, "EXPR",
	 "the same with and, or, not and parentheses", TAKE(options_query)},
	{"priority", 'p', OPTIONS_SELECT, true, "LEVEL",
	 "of this level and worse; A..B: from A to B", TAKE(options_priority)},
	{"target", 't', OPTIONS_SELECT, true, "GLOB",
	 "of these targets: 'db.*'", TAKE(options_target)},
	{"grep", 'g', OPTIONS_SELECT, true, "REGEX",
	 "in the message and the fields; no capitals: any case", TAKE(options_grep)},
	{"tid", 0, OPTIONS_SELECT, false, "N",
	 "of these threads; N,N: or", TAKE(options_tid)},
	{"pid", 0, OPTIONS_SELECT, false, "N",
	 "of these processes, among several dumps", TAKE(options_pid)},
	{"service", 0, OPTIONS_SELECT, false, "NAME",
	 "of these services, among several dumps", TAKE(options_service)},
	{"since", 'S', OPTIONS_SELECT, true, "TIME",
	 "not before: T-10s (T is the death), 10:42, -5m", TAKE(options_since)},
	{"until", 'U', OPTIONS_SELECT, false, "TIME",
	 "not after", TAKE(options_until)},
	{"around", 0, OPTIONS_SELECT, true, "TIME",
	 "before and after, as far as -C says", TAKE(options_around)},
	{"context", 'C', OPTIONS_SELECT, false, "N",
	 "N events (10), or with a unit so long: 250ms", TAKE(options_context)},
	{"group", 0, OPTIONS_SELECT, false, NULL,
	 "with all dumps of FILE's set: who worked with it", FLAG(group)},
	{"limit", 'n', OPTIONS_SELECT, true, "N",
	 "the newest N, printed oldest first; +N: the oldest N", TAKE(options_limit)},
	{"reverse", 'r', OPTIONS_SELECT, false, NULL,
	 "the newest first", FLAG(select.reverse)},

	{"format", 'o', OPTIONS_SHOW, true, "FORMAT",
	 "text (default), json and others: --help=all", TAKE(options_format)},
	{"fields", 0, OPTIONS_SHOW, true, "NAMES",
	 "what of them, in which order: ts,level,msg,status", TAKE(options_fields)},
	{"time", 0, OPTIONS_SHOW, false, "CLOCK",
	 "crash, delta, utc, local, unix or monotonic", TAKE(options_time)},
	{"output", 'O', OPTIONS_SHOW, false, "PATH",
	 "to this file, or folder for ctf", TAKE(options_output)},
	{"color", 'c', OPTIONS_SHOW, false, "WHEN",
	 "auto (default), always or never", TAKE(options_color)},

	{"interactive", 'i', OPTIONS_INSTEAD, true, NULL,
	 "scroll, search and filter on the screen", FLAG(interactive)},	{"no-pager", 0, OPTIONS_SHOW, false, NULL,
	 "not through TTLOG_PAGER, PAGER or less", FLAG(without_pager)},

	{"info", 'I', OPTIONS_INSTEAD, true, NULL,
	 "the process and its death; no events", FLAG(info)},
	{"threads", 0, OPTIONS_INSTEAD, false, NULL,
	 "--info, with the stacks of all threads", FLAG(threads)},
	{"unwind", 0, OPTIONS_INSTEAD, false, NULL,
	 "--info, stacks unwound again by the files of now", TAKE(options_unwind)},
	{"debug-dir", 0, OPTIONS_INSTEAD, false, "DIR",
	 "--unwind, with files from below DIR, too", TAKE(options_debug_dir)},
	{"debuginfod", 0, OPTIONS_INSTEAD, false, NULL,
	 "--unwind may ask the servers of DEBUGINFOD_URLS", TAKE(options_debuginfod)},
	{"stats", 0, OPTIONS_INSTEAD, true, NULL,
	 "how many: by level, target, site, thread; losses", FLAG(stats.stats)},
	{"group-by", 0, OPTIONS_INSTEAD, true, "KEYS",
	 "how many of each target,status,...; their numbers", TAKE(options_group_by)},
	{"top", 0, OPTIONS_INSTEAD, false, "N",
	 "the N busiest of these; alone: sites", TAKE(options_top)},
	{"histogram", 0, OPTIONS_INSTEAD, true, NULL,
	 "how many over time, as a chart", FLAG(stats.histogram)},
	{"sql", 0, OPTIONS_INSTEAD, true, "SELECT",
	 "what SQL finds in tables events, fields and dumps", TAKE(options_sql)},
	{"sql-seconds", 0, OPTIONS_INSTEAD, false, "N",
	 "how long that may take; 300", TAKE(options_sql_seconds)},
	{"list", 0, OPTIONS_INSTEAD, true, NULL,
	 "what dumps there are, by bug", FLAG(list)},
	{"verify", 0, OPTIONS_INSTEAD, false, NULL,
	 "whether files are whole: reads all, checks all", FLAG(verify)},

	{"exit-code", 'e', OPTIONS_OTHER, false, NULL,
	 "exit with 1 when no event matched", FLAG(exit_code)},
	{"help", 'h', OPTIONS_OTHER, false, "[all]",
	 "print this; =all: every option, and how to ask", TAKE(options_help)},
	{"version", 'V', OPTIONS_OTHER, false, NULL,
	 "print the version", TAKE(options_version)},
};
/* clang-format on */

const size_t option_row_count = sizeof(option_rows) / sizeof(*option_rows);
