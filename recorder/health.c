/* SPDX-License-Identifier: MIT */
/*
 * health.c - /livez and /readyz: is the loop alive, and could a death be kept now?
 *
 * "fail" is what a restart or another machine would help against; "warn" is worth a look.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "lib/ttlog_abi.h"
#include "recorder/counters.h"
#include "recorder/metrics_parts.h"

enum health { PASS, WARN, FAIL };

static const char *const word[] = {[PASS] = "pass", [WARN] = "warn", [FAIL] = "fail"};

/* Texts are our own but for the rung, which may name an error: no more than quotes can be in it. */
static void write_string(FILE *file, const char *text)
{
	fputc('"', file);
	for (; *text; text++) {
		const unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fputc('\\', file);
		fputc(c < ' ' ? ' ' : c, file);
	}
	fputc('"', file);
}

static void begin(FILE *file, enum health all, const struct metrics_facts *facts)
{
	fprintf(file,
		"{\"status\":\"%s\",\"version\":\"" TTLOG_VERSION "\",\"uptime_s\":%" PRIu64
		",\"checks\":{",
		word[all], facts->uptime_s);
}

static void write_check(FILE *file, const char *name, enum health health, const char *detail)
{
	fprintf(file, "\"%s\":{\"status\":\"%s\"", name, word[health]);
	if (detail) {
		fputs(",\"detail\":", file);
		write_string(file, detail);
	}
	fputc('}', file);
}

bool health_write_live(FILE *file, const struct metrics_facts *facts)
{
	begin(file, PASS, facts);
	write_check(file, "loop", PASS, NULL);
	fputs("}}\n", file);
	return true;
}

static enum health storage_health(const struct metrics_facts *facts, const char **ret_detail)
{
	const struct metrics_storage *storage = &facts->storage;

	if (facts->storage_is_late || !storage->looked_ns)
		*ret_detail = "the folder of dumps does not answer";
	else if (storage->err)
		*ret_detail = strerror(-storage->err);
	else if (!storage->free_bytes)
		*ret_detail = "no space is left";
	else if (storage->free_bytes >= storage->floor_bytes)
		return PASS;
	else if (counters.store_bytes >= storage->floor_bytes - storage->free_bytes) {
		*ret_detail = "below the floor: older dumps go to make room";
		return WARN;
	} else
		*ret_detail = "below the floor: no dump will be written";
	return FAIL;
}

bool health_write_ready(FILE *file, const struct metrics_facts *facts)
{
	const enum health bpf = facts->have_watch ? PASS : WARN;
	const enum health listening = facts->is_listening ? PASS : FAIL;
	const char *detail = NULL;
	const enum health storage = storage_health(facts, &detail);
	enum health all = bpf;

	all = listening > all ? listening : all;
	all = storage > all ? storage : all;
	begin(file, all, facts);
	write_check(file, "bpf", bpf, facts->rung);
	fputc(',', file);
	write_check(file, "socket", listening, NULL);
	fprintf(file, ",\"store\":{\"status\":\"%s\",\"free_bytes\":%" PRIu64, word[storage],
		facts->storage.free_bytes);
	if (detail) {
		fputs(",\"detail\":", file);
		write_string(file, detail);
	}
	fputs("}}}\n", file);
	return all != FAIL;
}
