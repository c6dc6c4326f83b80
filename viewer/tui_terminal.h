/* SPDX-License-Identifier: MIT */
/* tui_terminal.h - the interactive view on a terminal; the only part that knows ncurses. */
#ifndef VIEWER_TUI_TERMINAL_H
#define VIEWER_TUI_TERMINAL_H

#include <stdbool.h>

struct tui_setup;

/*
 * Until the user leaves. 0; -ENOSYS: built without ncurses; -ENOTTY: the terminal can't do it; or
 * another negative errno.
 */
int tui_run(const struct tui_setup *setup, bool colour);

#endif
