/* SPDX-License-Identifier: MIT */
/*
 * doctor.h - `ttlog-recorder doctor`: which rung a recorder with these options would be on, why,
 * and what is lost there.
 *
 * It tries what can be tried and taken back, and looks at the rest: no file, folder or socket is
 * made.
 */
#ifndef RECORDER_DOCTOR_H
#define RECORDER_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "recorder/recorder.h"

#define DOCTOR_CHECKS_MAX 64

enum doctor_result {
	DOCTOR_OK,
	DOCTOR_NOTE, /* something small is lost */
	DOCTOR_BAD,  /* a lower rung, or the recorder would not start */
};

struct doctor_check {
	char name[64];
	enum doctor_result result;
	char detail[256];
	const char *advice; /* NULL: none is needed */
};

struct doctor {
	struct doctor_check check[DOCTOR_CHECKS_MAX];
	unsigned int count;
	const char *rung; /* as dumps have it */
	char why[128];	  /* it is no higher one; "" if it is the highest */
	bool healthy;	  /* the highest rung, and nothing is BAD */
	const char *besides[2]; /* what is lost on that rung for a part that the kernel has not; NULL */
};

/* With paths and limits in the options. Takes a part of a second. */
void doctor_examine(struct doctor *ret_doctor, const struct recorder_options *options);

/* doctor_show.c: on stdout. */
void doctor_show_text(const struct doctor *doctor);
void doctor_show_json(const struct doctor *doctor);

#endif
