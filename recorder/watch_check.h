/* SPDX-License-Identifier: MIT */
/* watch_check.h - what the kernel program needs, tried piece by piece; for the doctor. */
#ifndef RECORDER_WATCH_CHECK_H
#define RECORDER_WATCH_CHECK_H

/* One thing that was tried: err is 0 or a negative errno, detail a few words, or "". */
typedef void (*watch_check_fn)(void *context, const char *what, int err, const char *detail);

/*
 * BTF, each kind of map, each program that is for this kernel: loaded alone, attached, and taken away
 * again; one that is refused, without what it can do without. Takes some tens of milliseconds. Prints nothing.
 */
void watch_check(watch_check_fn fn, void *context);

#endif
