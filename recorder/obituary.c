/* SPDX-License-Identifier: MIT */
/* obituary.c - passes a death on. */
#include "recorder/obituary.h"

#include "recorder/announce.h"
#include "recorder/dumper.h"
#include "recorder/last_deaths.h"

static bool is_death(const struct verdict *verdict)
{
	return verdict->how != VERDICT_ALIVE && verdict->how != VERDICT_EXEC;
}

/* Workers come and go: that one had no more to do says nothing of how its service ended. */
static bool is_of_service(const struct obituary *obituary)
{
	const struct verdict *verdict = obituary->verdict;

	return !obituary->subject->forked || verdict->how != VERDICT_EXIT ||
	       !verdict->have_exit_code || verdict->exit_code;
}

void obituary_publish(struct dumper *dumper, struct obituary *obituary, bool dump_follows)
{
	if (!is_death(obituary->verdict))
		return;
	obituary->died_ns = keep_died_ns(obituary->verdict);
	if (is_of_service(obituary))
		last_deaths_note(dumper->last_deaths, obituary, dump_follows);
	if (!dump_follows)
		announce_death(dumper->announce, obituary);
}

void obituary_dumped(struct dumper *dumper, struct obituary *obituary)
{
	if (!is_death(obituary->verdict))
		return;
	last_deaths_dumped(dumper->last_deaths, obituary);
	announce_death(dumper->announce, obituary);
}
