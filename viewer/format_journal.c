/* SPDX-License-Identifier: MIT */
#include "viewer/format_journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/columns.h"
#include "viewer/id_set.h"
#include "viewer/message.h"
#include "viewer/stamp.h"

#define NAME_BYTES_MAX 64 /* the journal's own limit */
#define FIELD_PREFIX "F_"

struct format_journal {
	struct out *out, scratch;
	const struct columns *columns;
	struct stamps stamps; /* the deaths, by time */
	size_t mark_next;
};

/* syslog's */
static const char *const priorities[LEVEL_COUNT] = {
	[LEVEL_TRACE] = "7", [LEVEL_DEBUG] = "7", [LEVEL_INFO] = "6",	 [LEVEL_WARN] = "4",
	[LEVEL_ERROR] = "3", [LEVEL_FATAL] = "2", [LEVEL_UNKNOWN] = "5",
};

/* ---- fields -----------------------------------------------------------------------------------
 */

/* Only UTF-8 without control characters but the tab may stand on a line of its own. */
static bool is_plain(struct span span)
{
	size_t at = 0, length;
	uint32_t code = 0;

	for (; at < span.bytes; at += length) {
		length = utf8_next(span.data + at, span.bytes - at, &code);
		if (!length || (code < ' ' && code != '\t'))
			return false;
	}
	return true;
}

static void put_value(struct out *out, struct span span)
{
	char bytes[8];

	if (is_plain(span)) {
		out_char(out, '=');
		out_span(out, span);
		out_char(out, '\n');
		return;
	}
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)((uint64_t)span.bytes >> 8 * i);
	out_char(out, '\n');
	out_bytes(out, bytes, sizeof(bytes));
	out_span(out, span);
	out_char(out, '\n');
}

static void put(struct format_journal *journal, const char *name, struct span span)
{
	if (!span.bytes)
		return;
	out_text(journal->out, name);
	put_value(journal->out, span);
}

static void put_text(struct format_journal *journal, const char *name, const char *text)
{
	put(journal, name, (struct span){text, strlen(text)});
}

static void put_number(struct format_journal *journal, const char *name, struct number number)
{
	if (number.known)
		out_printf(journal->out, "%s=%" PRIu64 "\n", name, number.bits);
}

/* Capitals, digits and "_" are all that a name may have. */
static void put_field(struct format_journal *journal, const struct value *value)
{
	char name[NAME_BYTES_MAX + 1] = FIELD_PREFIX;
	size_t length = sizeof(FIELD_PREFIX) - 1;

	for (size_t i = 0; i < value->name.bytes && length < NAME_BYTES_MAX; i++) {
		char c = value->name.data[i];

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9'))
			c = '_';
		name[length++] = c;
	}
	name[length] = '\0';
	journal->scratch.bytes = 0;
	value_write(&journal->scratch, value);
	out_text(journal->out, name);
	put_value(journal->out, span_of(&journal->scratch));
}

/* ---- entries ----------------------------------------------------------------------------------
 */

/*
 * Entries need a boot that they belong to, and a dump has none: one is made up of the host and the
 * second that it was started in, so that all dumps of it agree.
 */
static void put_boot(struct format_journal *journal, const struct meta *meta, int64_t start_s)
{
	uint64_t hash = id_mix(ID_MIX_START, meta->hostname.data, meta->hostname.bytes);

	hash = id_mix(hash, &start_s, sizeof(start_s));
	out_printf(journal->out, "_BOOT_ID=%016" PRIx64 "%016" PRIx64 "\n", hash,
		   id_mix(hash, "ttlog", 5));
}

static void begin_entry(struct format_journal *journal, const struct meta *meta, int64_t ns)
{
	int64_t monotonic = 0;
	bool known = stamp_monotonic(meta, ns, &monotonic) && monotonic >= 0;

	out_printf(journal->out, "__REALTIME_TIMESTAMP=%" PRIu64 "\n",
		   ns > 0 ? (uint64_t)ns / 1000 : 0);
	out_printf(journal->out, "__MONOTONIC_TIMESTAMP=%" PRIu64 "\n",
		   known ? (uint64_t)monotonic / 1000 : 0);
	put_boot(journal, meta, known ? (ns - monotonic) / 1000000000 : 0);
	put_text(journal, "_TRANSPORT", "journal");
	put(journal, "_HOSTNAME", meta->hostname);
	put(journal, "SYSLOG_IDENTIFIER", meta->service);
	put_number(journal, "_PID", meta->pid);
	put_number(journal, "_UID", meta->process.uid);
	put_number(journal, "_GID", meta->process.gid);
	put(journal, "_COMM", meta->process.comm);
	put(journal, "_EXE", meta->process.exe);
	put(journal, "_CMDLINE", meta->process.cmdline);
	put(journal, "_SYSTEMD_CGROUP", meta->process.cgroup);
	put(journal, "TTLOG_REASON", meta->reason);
}

static void put_death(struct format_journal *journal, const struct stamp_mark *mark)
{
	const struct meta *meta = mark->meta;
	const struct span sentence = meta->cause.sentence;

	if (!mark->dead)
		return;
	begin_entry(journal, meta, mark->ns);
	put_text(journal, "PRIORITY", "2");
	put(journal, "MESSAGE", sentence.bytes ? sentence : (struct span){"died", 4});
	put_text(journal, "TTLOG_EVENT", "death");
	put(journal, "TTLOG_HOW", meta->cause.how);
	put(journal, "TTLOG_SIGNAL", meta->cause.signal_name);
	put_number(journal, "TTLOG_EXIT_CODE", meta->cause.exit_code);
	out_char(journal->out, '\n');
}

static void put_event(struct format_journal *journal, const struct record *record)
{
	const struct event *event = &record->event;
	const struct site *site = event->site;

	begin_entry(journal, dump_meta(event->dump), event->time_ns);
	put_text(journal, "PRIORITY", priorities[site->level]);
	journal->scratch.bytes = 0;
	message_write(&journal->scratch, site, record->value, record->count);
	out_text(journal->out, "MESSAGE");
	put_value(journal->out, span_of(&journal->scratch));
	put_number(journal, "TID", event->thread->tid);
	put(journal, "TTLOG_THREAD", event->thread->name);
	put_text(journal, "TTLOG_LEVEL", level_name(site->level));
	put(journal, "TTLOG_TARGET", site->target);
	put(journal, "TTLOG_LANE", event->lane->name);
	if (event->channel)
		put(journal, "TTLOG_CHANNEL", event->channel->name);
	put_number(journal, "TTLOG_SEQ", (struct number){event->seq, true});
	put(journal, "CODE_FILE", site->file);
	put_number(journal, "CODE_LINE", (struct number){site->line, site->level != LEVEL_UNKNOWN});
	put(journal, "CODE_FUNC", site->function);
	for (uint32_t i = 0; i < record->count; i++)
		if (columns_have_field(journal->columns, record->value[i].name))
			put_field(journal, &record->value[i]);
	out_char(journal->out, '\n');
}

/* ---- the format -------------------------------------------------------------------------------
 */

static void journal_close(void *state)
{
	struct format_journal *journal = state;

	if (!journal)
		return;
	out_fini(&journal->scratch);
	stamps_fini(&journal->stamps);
	free(journal);
}

static int journal_open(void **ret_state, const struct format_env *env)
{
	struct format_journal *journal = calloc(1, sizeof(*journal));

	if (!journal)
		return -ENOMEM;
	journal->out = env->out;
	journal->columns = env->columns;
	out_init(&journal->scratch, -1);
	if (stamps_init(&journal->stamps, env->dumps, env->dump_count, TIME_DAY_UTC)) {
		journal_close(journal);
		return -ENOMEM;
	}
	*ret_state = journal;
	return 0;
}

static int journal_event(void *state, struct record *record)
{
	struct format_journal *journal = state;
	struct stamps *stamps = &journal->stamps;

	while (journal->mark_next < stamps->mark_count &&
	       stamps->marks[journal->mark_next].ns < record->event.time_ns)
		put_death(journal, &stamps->marks[journal->mark_next++]);
	record_decode(record);
	put_event(journal, record);
	return journal->scratch.error;
}

static int journal_end(void *state, bool complete)
{
	struct format_journal *journal = state;
	struct stamps *stamps = &journal->stamps;

	while (complete && journal->mark_next < stamps->mark_count)
		put_death(journal, &stamps->marks[journal->mark_next++]);
	return 0;
}

const struct format journal_format = {
	.name = "journal",
	.help = "for systemd-journal-remote, then journalctl",
	.open = journal_open,
	.event = journal_event,
	.end = journal_end,
	.close = journal_close,
};
