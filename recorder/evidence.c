// SPDX-License-Identifier: MIT
/*
 * evidence.c - what the kernel program said of a client, kept until its end is known: the newest events,
 * and of what came behind them as much as a verdict needs.
 */
#include "recorder/verdict.h"

#include <string.h>

/* ---- names into a path ------------------------------------------------------------------------ */

/* A file may be called anything. What has no place in a line of text becomes a question mark. */
static char printable(char byte)
{
	const unsigned char value = (unsigned char)byte;

	return value < ' ' || value >= 0x7f ? '?' : byte;
}

void verdict_path(const char *names, size_t names_bytes, char *buffer, size_t bytes)
{
	size_t end = names_bytes, length = 0;

	if (!bytes)
		return;
	/* From the outermost, which is the last, back to the first. */
	while (end > 0 && length + 1 < bytes) {
		size_t start = end - 1; /* the NUL */

		while (start > 0 && names[start - 1])
			start--;
		buffer[length++] = '/';
		for (size_t i = start; i + 1 < end && length + 1 < bytes; i++)
			buffer[length++] = printable(names[i]);
		end = start;
	}
	buffer[length] = '\0';
}

/* ---- what is kept ----------------------------------------------------------------------------- */

/* A free one, else the oldest of those that no death is going to need, else the first. */
static struct evidence_more *place_for(struct evidence *evidence)
{
	struct evidence_more *oldest = NULL;

	for (int i = 0; i < EVIDENCE_MORE_MAX; i++) {
		struct evidence_more *more = &evidence->more[i];
		bool needed = more->flags & TTLOG_BPF_FATAL;

		if (!more->time_ns)
			return more;
		if (!needed && (!oldest || more->time_ns < oldest->time_ns))
			oldest = more;
	}
	return oldest ? oldest : &evidence->more[0];
}

static void keep_more(struct evidence *evidence, const struct ttlog_bpf_record *record)
{
	const size_t exe_bytes = record->more.exe_bytes;
	struct evidence_more *more = place_for(evidence);

	more->time_ns = record->event.time_ns;
	more->kind = record->event.kind;
	more->flags = record->event.flags;
	more->signal = record->event.signal;
	more->sender = record->event.sender;
	more->more = record->more;
	verdict_path(record->names, exe_bytes, more->exe, sizeof(more->exe));
	verdict_path(record->names + exe_bytes, record->more.cgroup_bytes, more->cgroup,
		     sizeof(more->cgroup));
	/* The root has no name. */
	if (exe_bytes && !more->cgroup[0] && more->sender.cgroup_id)
		strcpy(more->cgroup, "/");
}

void verdict_note(struct evidence *evidence, const struct ttlog_bpf_event *event)
{
	if (evidence->count > VERDICT_EVIDENCE_MAX)
		evidence->count = VERDICT_EVIDENCE_MAX;
	if (evidence->count == VERDICT_EVIDENCE_MAX) {
		memmove(&evidence->event[0], &evidence->event[1],
			(VERDICT_EVIDENCE_MAX - 1) * sizeof(evidence->event[0]));
		evidence->count--;
		evidence->forgotten++;
	}
	evidence->event[evidence->count++] = *event;
	if (event->flags & TTLOG_BPF_MORE)
		keep_more(evidence, (const struct ttlog_bpf_record *)event);
}

const struct evidence_more *verdict_more(const struct evidence *evidence,
					 const struct ttlog_bpf_event *event)
{
	for (int i = 0; i < EVIDENCE_MORE_MAX; i++) {
		const struct evidence_more *more = &evidence->more[i];

		if (more->time_ns && more->time_ns == event->time_ns &&
		    more->kind == event->kind && more->signal == event->signal)
			return more;
	}
	return NULL;
}
