/* SPDX-License-Identifier: MIT */
/*
 * A frame of the stack and those that were inlined into it (they are behind it, with its pc) are a
 * group: it is compared, and replaced, as one.
 */
#include "viewer/redo_frames.h"

static uint64_t group_end(const struct meta_frame *frames, uint64_t count, uint64_t at)
{
	at++;
	while (at < count && frames[at].is_inline)
		at++;
	return at;
}

/* The group with that pc, from `from` on. */
static uint64_t find_group(const struct meta_frame *frames, uint64_t count, uint64_t from,
			   uint64_t pc)
{
	while (from < count && frames[from].pc.bits != pc)
		from = group_end(frames, count, from);
	return from;
}

static bool says_less(const struct meta_frame *found, const struct meta_frame *recorded)
{
	if (!found->file.bytes != !recorded->file.bytes)
		return !found->file.bytes;
	if (!found->function.bytes != !recorded->function.bytes)
		return !found->function.bytes;
	return !found->symbol.bytes && recorded->symbol.bytes;
}

static unsigned char gain_of(const struct meta_frame *found, const struct meta_frame *recorded)
{
	unsigned char gained = recorded ? 0 : REDO_GAIN_FRAME;

	if (found->symbol.bytes && !(recorded && recorded->symbol.bytes))
		gained |= REDO_GAIN_SYMBOL;
	if (found->function.bytes && !(recorded && recorded->function.bytes))
		gained |= REDO_GAIN_FUNCTION;
	if (found->file.bytes && !(recorded && recorded->file.bytes))
		gained |= REDO_GAIN_LINE;
	return gained;
}

static void add(struct redo_thread *thread, const struct meta_frame *frame, unsigned char gained)
{
	thread->frames[thread->frame_count] = *frame;
	thread->gained[thread->frame_count++] = gained;
	thread->new_frames += !!(gained & REDO_GAIN_FRAME);
	thread->new_symbols += !!(gained & REDO_GAIN_SYMBOL);
	thread->new_functions += !!(gained & REDO_GAIN_FUNCTION);
	thread->new_lines += !!(gained & REDO_GAIN_LINE);
}

void redo_frames_merge(const struct meta_frame *recorded, uint64_t recorded_count,
		       const struct meta_frame *found, uint64_t found_count,
		       struct redo_thread *ret_thread)
{
	uint64_t at = 0, old = 0;

	while (at < found_count) {
		const uint64_t end = group_end(found, found_count, at);
		const uint64_t same = find_group(recorded, recorded_count, old, found[at].pc.bits);
		uint64_t same_end = same;

		if (same < recorded_count)
			old = same_end = group_end(recorded, recorded_count, same);
		if (same < same_end && says_less(&found[at], &recorded[same])) {
			for (uint64_t i = same; i < same_end; i++)
				add(ret_thread, &recorded[i], 0);
			at = end;
			continue;
		}
		for (uint64_t i = same; at < end; at++, i++)
			add(ret_thread, &found[at],
			    gain_of(&found[at], i < same_end ? &recorded[i] : NULL));
	}
}
