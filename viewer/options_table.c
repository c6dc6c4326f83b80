/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "viewer/options.h"

#define FLAG(field) offsetof(struct options, field), NULL
#define TAKE(function) 0, function

/* clang-format off: a table */
const struct option_row option_rows[] = {
	{"filter", 'f', OPTIONS_SELECT, true, "EXPR",
	 "where EXPR is true: status=500,503", TAKE(options_filter)},
	{"limit", 'n', OPTIONS_SELECT, true, "N",
	 "the newest N, printed oldest first; +N: the oldest N", TAKE(options_limit)},

	{"format", 'o', OPTIONS_SHOW, true, "FORMAT",
	 "text (default), json and others: --help=all", TAKE(options_format)},
	{"fields", 0, OPTIONS_SHOW, true, "NAMES",
	 "what of them, in which order: ts,level,msg,status", TAKE(options_fields)},
	{"time", 0, OPTIONS_SHOW, false, "MODE",
	 "crash, delta, utc, local, unix or monotonic", TAKE(options_time)},
	{"output", 'O', OPTIONS_SHOW, false, "PATH",
	 "to this file, or folder for ctf", TAKE(options_output)},
	{"color", 'c', OPTIONS_SHOW, false, "WHEN",
	 "auto (default), always or never", TAKE(options_color)},

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

	{"exit-code", 'e', OPTIONS_OTHER, false, NULL,
	 "exit with 1 when no event matched", FLAG(exit_code)},
	{"help", 'h', OPTIONS_OTHER, false, "[all]",
	 "print this; =all: every option, and how to ask", TAKE(options_help)},
	{"version", 'V', OPTIONS_OTHER, false, NULL,
	 "print the version", TAKE(options_version)},
};
/* clang-format on */

const size_t option_row_count = sizeof(option_rows) / sizeof(*option_rows);
