/* SPDX-License-Identifier: MIT */
/* last_deaths.c - a small table, searched from end to end. */
#include "recorder/last_deaths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/dumper.h"
#include "recorder/dump_writer.h"
#include "recorder/log.h"

struct entry {
	uid_t uid;
	char service[TTLOG_SERVICE_BYTES];
	struct ttlog_death_answer answer;
};

struct last_deaths {
	struct entry *entry[LAST_DEATHS_MAX];
	unsigned int count;
	bool settled;
};

int last_deaths_open(struct last_deaths **ret_deaths)
{
	*ret_deaths = calloc(1, sizeof(**ret_deaths));
	return *ret_deaths ? 0 : -ENOMEM;
}

void last_deaths_close(struct last_deaths *deaths)
{
	if (!deaths)
		return;
	for (unsigned int i = 0; i < deaths->count; i++)
		free(deaths->entry[i]);
	free(deaths);
}

/* ---- places ----------------------------------------------------------------------------- */

static struct entry *find(const struct last_deaths *deaths, uid_t uid, const char *service)
{
	for (unsigned int i = 0; i < deaths->count; i++)
		if (deaths->entry[i]->uid == uid && !strcmp(deaths->entry[i]->service, service))
			return deaths->entry[i];
	return NULL;
}

static unsigned int count_of(const struct last_deaths *deaths, uid_t uid)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < deaths->count; i++)
		count += deaths->entry[i]->uid == uid;
	return count;
}

static struct entry *oldest_of(const struct last_deaths *deaths, uid_t uid)
{
	struct entry *oldest = NULL;

	for (unsigned int i = 0; i < deaths->count; i++) {
		struct entry *entry = deaths->entry[i];

		if (entry->uid == uid &&
		    (!oldest || entry->answer.died_ns < oldest->answer.died_ns))
			oldest = entry;
	}
	return oldest;
}

/* Who has most of a full table has at least one. */
static uid_t richest(const struct last_deaths *deaths)
{
	unsigned int most = 0;
	uid_t uid = 0;

	for (unsigned int i = 0; i < deaths->count; i++) {
		const unsigned int count = count_of(deaths, deaths->entry[i]->uid);

		if (count > most) {
			most = count;
			uid = deaths->entry[i]->uid;
		}
	}
	return uid;
}

/* A place for that one, which was another's or is new. NULL: no memory. */
static struct entry *place(struct last_deaths *deaths, uid_t uid, const char *service)
{
	struct entry *entry = find(deaths, uid, service);

	if (entry)
		return entry;
	if (count_of(deaths, uid) >= LAST_DEATHS_MAX_PER_UID)
		entry = oldest_of(deaths, uid);
	else if (deaths->count == LAST_DEATHS_MAX)
		entry = oldest_of(deaths, richest(deaths));
	else
		entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	if (!entry->service[0])
		deaths->entry[deaths->count++] = entry;
	*entry = (struct entry){.uid = uid};
	memcpy(entry->service, service, strnlen(service, sizeof(entry->service) - 1));
	return entry;
}

/* ---- what is known ---------------------------------------------------------------------- */

/* Cut where a character ends: what is left of one is '?'. */
static void put(char *to, size_t bytes, const char *from)
{
	size_t length = from ? strnlen(from, bytes) : 0;

	if (length == bytes)
		length--;
	memset(to, 0, bytes);
	if (length)
		memcpy(to, from, length);
	log_clean(to, LOG_CLEAN_LINE);
}

/* A path that is cut is no path, nor is one in which something had to be replaced. */
static void put_path(char *to, size_t bytes, const char *path)
{
	put(to, bytes, path);
	if (path && strcmp(to, path) != 0)
		memset(to, 0, bytes);
}

void last_deaths_note(struct last_deaths *deaths, const struct obituary *obituary,
		      bool dump_follows)
{
	const struct subject *subject = obituary->subject;
	const struct verdict *verdict = obituary->verdict;
	struct ttlog_death_answer *answer;
	struct entry *entry;

	if (!deaths)
		return;
	entry = place(deaths, subject->identity.uid, subject->service);
	if (!entry)
		return;
	answer = &entry->answer;
	/* Of two the one that died last is meant, in whatever order their ends became known. */
	if (answer->died_ns > obituary->died_ns && !(answer->flags & TTLOG_DEATH_FROM_DUMP))
		return;
	*answer = (struct ttlog_death_answer){
		.flags = (verdict->have_fault_address ? TTLOG_DEATH_FAULT_ADDRESS : 0) |
			 (dump_follows ? TTLOG_DEATH_DUMP_PENDING : 0),
		.died_ns = obituary->died_ns,
		.started_ns = subject->identity.start_ns,
		.fault_address = verdict->have_fault_address ? verdict->fault_address : 0,
		.loop_count = obituary->loop_count,
		.pid = (uint32_t)subject->pid,
		.signal = verdict->have_signal ? verdict->signal : 0,
		.exit_code = verdict->have_exit_code ? verdict->exit_code : -1,
	};
	put(answer->how, sizeof(answer->how), verdict_how_name(verdict->how));
	put(answer->confidence, sizeof(answer->confidence),
	    verdict_confidence_name(verdict->confidence));
	put(answer->reason, sizeof(answer->reason), obituary->reason);
	dump_sentence(verdict, answer->sentence, sizeof(answer->sentence));
	log_clean(answer->sentence, LOG_CLEAN_LINE);
}

void last_deaths_dumped(struct last_deaths *deaths, const struct obituary *obituary)
{
	const struct subject *subject = obituary->subject;
	struct entry *entry =
		deaths ? find(deaths, subject->identity.uid, subject->service) : NULL;

	/* Meanwhile another one may have died. */
	if (!entry || !(entry->answer.flags & TTLOG_DEATH_DUMP_PENDING) ||
	    entry->answer.pid != (uint32_t)subject->pid ||
	    entry->answer.started_ns != subject->identity.start_ns)
		return;
	entry->answer.flags &= ~TTLOG_DEATH_DUMP_PENDING;
	put_path(entry->answer.dump, sizeof(entry->answer.dump), obituary->dump);
	put(entry->answer.signature, sizeof(entry->answer.signature), obituary->signature);
}

void last_deaths_remember(struct last_deaths *deaths, const struct summary *summary,
			  const char *path)
{
	const uint64_t died_ns = summary->death_ns ? summary->death_ns : summary->created_ns;
	struct ttlog_death_answer *answer;
	struct entry *entry;

	if (!deaths || !summary->have_uid || !summary->service[0])
		return;
	entry = find(deaths, summary->uid, summary->service);
	if (entry && (!(entry->answer.flags & TTLOG_DEATH_FROM_DUMP) ||
		      entry->answer.died_ns > died_ns))
		return;
	entry = place(deaths, summary->uid, summary->service);
	if (!entry)
		return;
	answer = &entry->answer;
	*answer = (struct ttlog_death_answer){
		.flags = TTLOG_DEATH_FROM_DUMP |
			 (summary->have_fault_address ? TTLOG_DEATH_FAULT_ADDRESS : 0),
		.died_ns = died_ns,
		.started_ns = summary->start_ns,
		.fault_address = summary->fault_address,
		.loop_count = summary->loop_count,
		.pid = summary->pid,
		.signal = summary->signal,
		.exit_code = summary->exit_code,
	};
	put(answer->how, sizeof(answer->how), summary->how);
	put(answer->confidence, sizeof(answer->confidence), summary->confidence);
	put(answer->reason, sizeof(answer->reason), summary->reason);
	put(answer->signature, sizeof(answer->signature), summary->signature);
	put(answer->sentence, sizeof(answer->sentence), summary->sentence);
	put_path(answer->dump, sizeof(answer->dump), path);
}

void last_deaths_settle(struct last_deaths *deaths)
{
	if (deaths)
		deaths->settled = true;
}

bool last_deaths_settled(const struct last_deaths *deaths)
{
	return !deaths || deaths->settled;
}

const struct ttlog_death_answer *last_deaths_find(const struct last_deaths *deaths, uid_t uid,
						  const char *service)
{
	const struct entry *entry = deaths ? find(deaths, uid, service) : NULL;

	return entry ? &entry->answer : NULL;
}

const struct ttlog_death_answer *last_deaths_of_pid(const struct last_deaths *deaths, uint32_t pid,
						    uid_t *ret_uid, const char **ret_service)
{
	const struct entry *newest = NULL;

	for (unsigned int i = 0; deaths && i < deaths->count; i++) {
		const struct entry *entry = deaths->entry[i];

		if (entry->answer.pid == pid &&
		    (!newest || entry->answer.died_ns > newest->answer.died_ns))
			newest = entry;
	}
	if (!newest)
		return NULL;
	*ret_uid = newest->uid;
	*ret_service = newest->service;
	return &newest->answer;
}
