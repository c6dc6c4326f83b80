/* SPDX-License-Identifier: MIT */
/*
 * keep_death.c - tells deaths apart before anything is read of them.
 *
 * A dump's signature needs its stack, and that takes as long as the dump. What is known at once has
 * to do: the cause, the build, and of a fault its place. Two bugs that look the same here share what
 * is written of their loop; so do all of one build that end in abort().
 */
#include <string.h>

#include "recorder/dumper.h"
#include "recorder/keep.h"
#include "recorder/now.h"
#include "recorder/signature.h"

static uint64_t hash_text(uint64_t hash, const char *text)
{
	return text ? signature_hash(hash, text, strlen(text) + 1) : hash;
}

static uint64_t hash_number(uint64_t hash, uint64_t number)
{
	return signature_hash(hash, &number, sizeof(number));
}

/* Where in which file, wherever that was mapped. */
static uint64_t hash_place(uint64_t hash, const struct modules *modules, uint64_t ip)
{
	for (unsigned int i = 0; modules && i < modules->count; i++) {
		const struct scene_module *module = &modules->list[i];

		if (ip < module->start || ip >= module->end)
			continue;
		return hash_number(hash_text(hash, module->path),
				   ip - module->start + module->offset);
	}
	return hash;
}

uint64_t keep_died_ns(const struct verdict *verdict)
{
	const uint64_t monotonic_ns = now_ns(CLOCK_MONOTONIC), ns = now_ns(CLOCK_REALTIME);
	const uint64_t then_ns = verdict->signal_ns ? verdict->signal_ns : verdict->death_ns;
	const uint64_t ago_ns = then_ns && then_ns < monotonic_ns ? monotonic_ns - then_ns : 0;

	return ago_ns < ns ? ns - ago_ns : ns;
}

void keep_death_of(const struct subject *subject, const struct verdict *verdict,
		   struct keep_death *ret_death)
{
	const struct signature_facts facts = {
		.exe = subject->identity.exe,
		.modules = subject->modules ? subject->modules->list : NULL,
		.module_count = subject->modules ? subject->modules->count : 0,
	};
	uint64_t hash = SIGNATURE_HASH_START;

	hash = hash_number(hash, verdict->how);
	hash = hash_number(hash, verdict->have_signal ? (uint64_t)verdict->signal : 0);
	hash = hash_number(hash, verdict->have_exit_code ? (uint64_t)verdict->exit_code : 0);
	hash = hash_number(hash, subject->identity.uid);
	hash = hash_text(hash, subject->service);
	/* The next build, under the same name, begins a loop of its own. */
	hash = signature_hash_build(hash, &facts);
	if (verdict->how == VERDICT_FAULT)
		hash = hash_place(hash, subject->modules, verdict->ip);
	*ret_death = (struct keep_death){
		.key = hash ? hash : 1,
		.started_ns = subject->identity.start_ns,
		.died_ns = keep_died_ns(verdict),
	};
}
