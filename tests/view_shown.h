/* SPDX-License-Identifier: MIT */
/* view_shown.h - two dumps, a plain one and a hostile one, as ttlog-view shows them. Included once a program. */
#ifndef TESTS_VIEW_SHOWN_H
#define TESTS_VIEW_SHOWN_H

#include "tests/view_run.h"

/* Requests with a span each, one that does not end, a printf; a death, an event behind it; losses. */
static __attribute__((unused)) void make_plain(void)
{
	static const uint8_t begin_types[] = {TTLOG_TYPE_STRING, TTLOG_TYPE_U32, 0};
	static const char *const begin_names[] = {"span", "id"};
	static const uint8_t end_types[] = {TTLOG_TYPE_STRING, TTLOG_TYPE_I32, TTLOG_TYPE_F64, 0};
	static const char *const end_names[] = {"span", "status", "ms"};
	static const uint8_t printf_types[] = {TTLOG_TYPE_I32, TTLOG_TYPE_STRING, 0};
	const double ms = 1.5;
	struct made_event *event;

	made_begin();
	made_site(TTLOG_INFO, "http", "Request", begin_types, begin_names);
	made_site(TTLOG_ERROR, "http", "Request done", end_types, end_names);
	made_site(TTLOG_WARN, "main", "%03d tries for %s", printf_types, NULL);
	for (unsigned int i = 0; i < 3; i++) {
		event = made_event(999000000 + i * 10000, i & 1, 1);
		made_text(event, 0, "begin");
		event->value[1].bits = i;
		if (i == 2)
			break;
		event = made_event(999000000 + i * 10000 + 4000, i & 1, 2);
		made_text(event, 0, "end");
		event->value[1].bits = i ? 500 : 200;
		memcpy(&event->value[2].bits, &ms, sizeof(ms));
	}
	event = made_event(1000001000, 1, 3);
	event->value[0].bits = 7;
	made_text(event, 1, "/a b");
	made.lane[0].overwritten = 1000;
	made.lane[0].overwritten_first = 100000000;
	made.lane[0].overwritten_last = 900000000;
	made.lane[0].dropped = 7;
	made.lane[0].dropped_first = 999005000;
	made.lane[0].dropped_last = 999006000;
	made.totals.overwritten = 1000;
	made.totals.dropped = 7;
}

#define HOSTILE_EVENTS 6

/* Whatever a name or a value may be, of every type, at its ends. */
static __attribute__((unused)) void make_hostile(void)
{
	static const uint8_t types[] = {
		TTLOG_TYPE_BOOL,   TTLOG_TYPE_CHAR,    TTLOG_TYPE_I64,	 TTLOG_TYPE_U64,    TTLOG_TYPE_F32,
		TTLOG_TYPE_F64,	   TTLOG_TYPE_F64,     TTLOG_TYPE_F64,	 TTLOG_TYPE_STRING, TTLOG_TYPE_STRING,
		TTLOG_TYPE_STRING, TTLOG_TYPE_BYTES,   TTLOG_TYPE_POINTER, TTLOG_TYPE_INTERNED,
		TTLOG_TYPE_INTERNED, TTLOG_TYPE_STRING, TTLOG_TYPE_I8,	 TTLOG_TYPE_U8, TTLOG_TYPE_BYTES, 0};
	static const char *const names[] = {
		"bool",	 "char", "i64",	    "u64",   "f32",  "nan",  "inf",    "f64",	 "=cmd|' /C calc'!A0", "a b",
		"a=\"b", "",	 "event",   "int",   "\xff\n\033[2J", "ph", "ts", "a_b__10", "a.b/c-d"};
	static const char hostile[] = "=1+1\033]0;x\a\r\n\"quoted\",\\ \xff\xc0\x80 \xe2\x80\xae\xf0\x9f\x92\xa5 \x7f\xc2\x9b";
	static const uint8_t printf_types[] = {TTLOG_TYPE_STRING, TTLOG_TYPE_I32, 0};
	const double reals[] = {NAN, -INFINITY, -0.1};
	struct made_event *event;

	made_begin();
	made.facts.service = "=ser\"vice\xff\n";
	made.facts.hostname = "host,\"1\"\033";
	made.facts.process.cmdline = "a\nb=c\n\nMESSAGE=forged";
	memcpy(made.thread[0].name, "@th\nr,ead", 10);
	made.string[0] = "in\tterned\n_PID=1";
	made.string_count = 1;
	made_site(TTLOG_FATAL, "-tar\x1bget\"", "=mess\"age\\ \xc3\xbc\n\r\xff, { }; /* // ", types, names);
	made_site(TTLOG_TRACE, "", "", (const uint8_t[]){0}, (const char *const[]){""});
	made_site(TTLOG_DEBUG, "p,q", "%s %n %d%%", printf_types, NULL);
	for (unsigned int i = 0; i < HOSTILE_EVENTS - 2; i++) {
		event = made_event(i ? 999999999 + i : 0, 0, 1);
		event->value[0].bits = i & 1;
		event->value[1].bits = i == 0 ? 0 : i == 1 ? 0xff : i == 2 ? '=' : 'x';
		event->value[2].bits = i & 1 ? (uint64_t)INT64_MIN : INT64_MAX;
		event->value[3].bits = UINT64_MAX;
		event->value[4].bits = i & 1 ? 0x7f800000 : 0x3dcccccd;
		for (unsigned int j = 0; j < 3; j++)
			memcpy(&event->value[5 + j].bits, &reals[j], sizeof(reals[j]));
		made_text(event, 8, hostile);
		event->value[9].data = "nul\0inside";
		event->value[9].size = 10;
		made_text(event, 10, "");
		event->value[11].data = "\x00\xff\n";
		event->value[11].size = 3;
		event->value[12].bits = UINT64_MAX;
		event->value[13].bits = MADE_STRINGS_FROM;
		event->value[14].bits = 12345;
		made_text(event, 15, i == 1 ? "B" : "E");
		event->value[16].bits = (uint64_t)INT8_MIN;
		event->value[17].bits = UINT8_MAX;
		event->value[18].data = "";
	}
	made_event(1000000010, 1, 2);
	event = made_event(1000000011, 1, 3);
	made_text(event, 0, hostile);
	event->value[1].bits = (uint64_t)-1;
}

static void setup(void)
{
	begin_folder();
	setenv("TZ", "Europe/Berlin", 1);
	make_plain();
	save("plain.bin");
	make_hostile();
	save("hostile.bin");
}

#endif
