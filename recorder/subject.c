/* SPDX-License-Identifier: MIT */
/* subject.c - the end of what dumps are made of. */
#include <stdlib.h>
#include <unistd.h>

#include "recorder/dumper.h"
#include "recorder/rings.h"

static struct workers *unmappers; /* the loop's own */

void subjects_unmap_by(struct workers *workers)
{
	unmappers = workers;
}

static void unmap(struct workers_job *job)
{
	struct subject *subject = (struct subject *)job;

	rings_unmap(subject->base, &subject->geometry);
}

/* Its memory is others' from now on. */
static void forget(struct workers_job *job)
{
	struct subject *subject = (struct subject *)job;

	quota_give(subject->user, subject->geometry.region_bytes);
	quota_put(subject->user);
	free(subject);
}

void subject_release(struct subject *subject)
{
	if (!subject || --subject->holders)
		return;
	if (subject->over && subject->stored[0])
		systemd_forget(subject->systemd, subject->stored);
	calibration_end(subject->calibration);
	history_end(subject->history);
	identity_free(&subject->identity);
	modules_release(subject->modules);
	if (subject->root_fd >= 0)
		close(subject->root_fd);
	subject->job = (struct workers_job){.run = unmap, .done = forget};
	if (subject->base && unmappers) {
		workers_submit(unmappers, &subject->job);
		return;
	}
	if (subject->base)
		unmap(&subject->job);
	forget(&subject->job);
}
