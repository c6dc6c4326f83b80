/* SPDX-License-Identifier: MIT */
/* announce_line.c - the words of a verdict line. */
#include "recorder/announce_line.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "recorder/dump_writer.h"
#include "recorder/dumper.h"
#include "recorder/log.h"

#define SENTENCE_BYTES 512
#define FACILITY_DAEMON 3

/* As much as there is room for; behind what was cut nothing more is put. */
struct text {
	char *data;
	size_t bytes, room; /* room for a NUL too */
	bool full;
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *format, ...)
{
	va_list arguments;
	int count;

	if (text->full)
		return;
	va_start(arguments, format);
	count = vsnprintf(text->data + text->bytes, text->room - text->bytes, format, arguments);
	va_end(arguments);
	text->full = count < 0 || (size_t)count >= text->room - text->bytes;
	text->bytes = text->full ? text->room - 1 : text->bytes + (size_t)count;
}

/* ---- one line --------------------------------------------------------------------------- */

static void put_words(struct text *text, const struct obituary *obituary)
{
	const struct subject *subject = obituary->subject;
	char sentence[SENTENCE_BYTES];

	dump_sentence(obituary->verdict, sentence, sizeof(sentence));
	put(text, "%s (pid %d, uid %u): %s", subject->service, (int)subject->pid,
	    subject->identity.uid, sentence);
	if (obituary->loop_count)
		put(text, "; death %" PRIu64 " in a crash loop", obituary->loop_count);
	if (obituary->dump)
		put(text, ": %s", obituary->dump);
	else if (obituary->dump_err)
		put(text, "; its dump could not be written: %s", strerror(-obituary->dump_err));
}

/* A cut may have left half a character: that is '?' then. */
static size_t finish(struct text *text)
{
	log_clean(text->data, LOG_CLEAN_LINE);
	return strlen(text->data);
}

/* "orders (pid 12, uid 1000): killed by ...: /path", without a newline. Its length. */
static size_t announce_text(const struct obituary *obituary, char *ret_text, size_t bytes)
{
	struct text text = {.data = ret_text, .room = bytes};

	put_words(&text, obituary);
	return finish(&text);
}

size_t announce_line(const struct obituary *obituary, char ret_line[ANNOUNCE_LINE_BYTES + 1])
{
	struct text text = {.data = ret_line, .room = ANNOUNCE_LINE_BYTES};
	const time_t seconds = (time_t)(obituary->died_ns / 1000000000);
	struct tm tm = {0};
	char date[24];
	size_t bytes;

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	put(&text, "%s.%06uZ ", date, (unsigned int)(obituary->died_ns % 1000000000 / 1000));
	put_words(&text, obituary);
	bytes = finish(&text);
	memcpy(ret_line + bytes, "\n", 2);
	return bytes + 1;
}

/* ---- how bad it is ---------------------------------------------------------------------- */

static int priority_of_signal(int number)
{
	switch (number) {
	case SIGTERM:
	case SIGINT:
	case SIGHUP:
	case SIGQUIT:
	case SIGPIPE:
		return LOG_LEVEL_SAY - 1; /* notice: somebody may have wanted it so */
	default:
		return LOG_LEVEL_ERROR;
	}
}

int announce_priority(const struct obituary *obituary)
{
	const struct verdict *verdict = obituary->verdict;

	switch (verdict->how) {
	case VERDICT_EXIT:
		return verdict->have_exit_code && !verdict->exit_code ? LOG_LEVEL_SAY
								      : LOG_LEVEL_WARNING;
	case VERDICT_SIGNAL:
		return verdict->have_signal ? priority_of_signal(verdict->signal) : LOG_LEVEL_ERROR;
	case VERDICT_PARENT_DEATH:
	case VERDICT_PIDNS_DEATH:
		return LOG_LEVEL_SAY - 1;
	case VERDICT_UNKNOWN:
		return LOG_LEVEL_WARNING;
	default:
		return LOG_LEVEL_ERROR;
	}
}

/* ---- syslog ----------------------------------------------------------------------------- */

size_t announce_syslog(const struct obituary *obituary, char ret_message[ANNOUNCE_SYSLOG_BYTES])
{
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct text text = {.data = ret_message, .room = ANNOUNCE_SYSLOG_BYTES};
	const time_t now = time(NULL);
	struct tm tm = {0};

	localtime_r(&now, &tm);
	put(&text, "<%d>%s %2d %02d:%02d:%02d ttlog-recorder[%d]: ",
	    FACILITY_DAEMON << 3 | announce_priority(obituary), months[tm.tm_mon % 12], tm.tm_mday,
	    tm.tm_hour, tm.tm_min, tm.tm_sec, (int)getpid());
	put_words(&text, obituary);
	return finish(&text);
}

/* ---- the journal ------------------------------------------------------------------------ */

struct message {
	char *data;
	size_t bytes;
};

/* A field that has no room is left out: the others are worth something without it. */
static void field(struct message *message, const char *name, const char *value)
{
	const size_t name_bytes = strlen(name), value_bytes = value ? strlen(value) : 0;
	char *at = message->data + message->bytes;

	if (!value_bytes ||
	    message->bytes + name_bytes + value_bytes + 16 > ANNOUNCE_JOURNAL_BYTES)
		return;
	at = mempcpy(at, name, name_bytes);
	if (strchr(value, '\n')) {
		/* The length as 64 bits, little endian. */
		*at++ = '\n';
		for (int i = 0; i < 8; i++)
			*at++ = (char)((uint64_t)value_bytes >> 8 * i & 0xff);
	} else {
		*at++ = '=';
	}
	at = mempcpy(at, value, value_bytes);
	*at++ = '\n';
	message->bytes = (size_t)(at - message->data);
}

static void number(struct message *message, const char *name, uint64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, value);
	field(message, name, digits);
}

static void address(struct message *message, const char *name, uint64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "0x%" PRIx64, value);
	field(message, name, digits);
}

/* "orders.service" of "/system.slice/orders.service": where `journalctl -u orders` finds it. */
static void unit(struct message *message, const char *cgroup)
{
	static const char suffix[] = ".service";
	const char *last = cgroup ? strrchr(cgroup, '/') : NULL;
	const size_t bytes = last ? strlen(last + 1) : 0;

	if (bytes >= sizeof(suffix) && !strcmp(last + 1 + bytes - (sizeof(suffix) - 1), suffix))
		field(message, "OBJECT_SYSTEMD_UNIT", last + 1);
}

static void cause(struct message *message, const struct verdict *verdict)
{
	char name[32];

	field(message, "TTLOG_CAUSE", verdict_how_name(verdict->how));
	field(message, "TTLOG_CONFIDENCE", verdict_confidence_name(verdict->confidence));
	if (verdict->have_signal) {
		number(message, "TTLOG_SIGNAL", (uint64_t)verdict->signal);
		field(message, "TTLOG_SIGNAL_NAME",
		      verdict_signal_name(verdict->signal, name, sizeof(name)));
		if (!verdict->code_unknown)
			field(message, "TTLOG_CODE_NAME",
			      verdict_code_name(verdict->signal, verdict->code));
	}
	if (verdict->have_exit_code)
		number(message, "TTLOG_EXIT_CODE", (uint64_t)verdict->exit_code);
	if (verdict->have_fault_address)
		address(message, "TTLOG_FAULT_ADDRESS", verdict->fault_address);
	if (verdict->have_sender) {
		snprintf(name, sizeof(name), "%.16s", verdict->sender.comm);
		log_clean(name, LOG_CLEAN_LINE);
		number(message, "TTLOG_SENDER_PID", verdict->sender.pid);
		number(message, "TTLOG_SENDER_UID", verdict->sender.uid);
		field(message, "TTLOG_SENDER_COMM", name);
	}
}

size_t announce_journal(const struct obituary *obituary, char ret_message[ANNOUNCE_JOURNAL_BYTES])
{
	const struct subject *subject = obituary->subject;
	const struct identity *identity = &subject->identity;
	struct message message = {.data = ret_message};
	char text[ANNOUNCE_LINE_BYTES];

	announce_text(obituary, text, sizeof(text));
	field(&message, "MESSAGE", text);
	field(&message, "MESSAGE_ID", ANNOUNCE_MESSAGE_ID);
	number(&message, "PRIORITY", (uint64_t)announce_priority(obituary));
	field(&message, "SYSLOG_IDENTIFIER", "ttlog-recorder");
	number(&message, "SYSLOG_FACILITY", FACILITY_DAEMON);
	field(&message, "TTLOG_SERVICE", subject->service);
	number(&message, "TTLOG_PID", (uint64_t)subject->pid);
	number(&message, "TTLOG_UID", identity->uid);
	field(&message, "TTLOG_REASON", obituary->reason);
	cause(&message, obituary->verdict);
	field(&message, "TTLOG_DUMP", obituary->dump);
	field(&message, "TTLOG_SIGNATURE", obituary->signature);
	if (obituary->loop_count)
		number(&message, "TTLOG_LOOP_COUNT", obituary->loop_count);
	number(&message, "TTLOG_DIED_USEC", obituary->died_ns / 1000);
	field(&message, "TTLOG_EXE", identity->exe);
	field(&message, "TTLOG_CGROUP", identity->cgroup);
	unit(&message, identity->cgroup);
	return message.bytes;
}
