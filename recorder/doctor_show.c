/* SPDX-License-Identifier: MIT */
/* doctor_show.c - the doctor's findings for people, and for programs. */
#include "recorder/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *rung;
	const char *lost[6];
} losses[] = {
	{"ebpf", {NULL}},
	{"ebpf-late-freeze",
	 {"the freeze at the instant of the fatal signal: the recorder does it some microseconds "
	  "later, "
	  "and a thread that goes on recording may overwrite older events until then",
	  NULL}},
	{"pidfd",
	 {"who sent a signal, and the evidence for each verdict: its confidence is medium at best",
	  "fault addresses, registers, stacks",
	  "the status with which a process ended, unless the kernel is 6.15 or newer and its "
	  "parent "
	  "fetches it within a tenth of a second: then the cause is \"unknown\"",
	  "an exec whose new program ends at once: it looks like the end of the old one",
	  "the freeze at the fatal signal: events of threads that go on may overwrite older ones",
	  NULL}},
};

static const char *const *losses_of(const char *rung)
{
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
		if (!strcmp(losses[i].rung, rung))
			return losses[i].lost;
	return losses[0].lost;
}

static bool in_colours(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb");
}

/* ---- text ------------------------------------------------------------------------------- */

static const struct {
	const char *text, *json, *colour;
} words[] = {
	[DOCTOR_OK] = {"ok  ", "ok", "32"},
	[DOCTOR_NOTE] = {"note", "note", "33"},
	[DOCTOR_BAD] = {"BAD ", "bad", "31"},
};

static void put_word(enum doctor_result result, bool colours)
{
	if (colours)
		printf("\033[%sm%s\033[0m", words[result].colour, words[result].text);
	else
		fputs(words[result].text, stdout);
}

void doctor_show_text(const struct doctor *doctor)
{
	const bool colours = in_colours();

	for (unsigned int i = 0; i < doctor->count; i++) {
		const struct doctor_check *check = &doctor->check[i];

		put_word(check->result, colours);
		if (!check->detail[0])
			printf("  %s\n", check->name);
		else
			printf("  %-34s %s%s%s\n", check->name, check->detail,
			       check->advice ? "; " : "", check->advice ? check->advice : "");
	}
	put_word(doctor->healthy ? DOCTOR_OK : DOCTOR_BAD, colours);
	printf("  %-34s %s%s%s%s\n", "rung", doctor->rung, doctor->why[0] ? " (" : "", doctor->why,
	       doctor->why[0] ? ")" : "");
	for (const char *const *lost = losses_of(doctor->rung); *lost; lost++)
		printf("      lost: %s\n", *lost);
	for (int i = 0; i < 2; i++)
		if (doctor->besides[i])
			printf("      lost: %s\n", doctor->besides[i]);
}

/* ---- JSON ------------------------------------------------------------------------------- */

/* What is said went through log_clean(): UTF-8. A path of the command line is a detail, too. */
static void put_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		const unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

/* Of a list; NULL is nothing. */
static void put_next(const char **comma, const char *text)
{
	if (!text)
		return;
	fputs(*comma, stdout);
	put_string(text);
	*comma = ",";
}

static void put_check(const struct doctor_check *check)
{
	fputs("{\"name\":", stdout);
	put_string(check->name);
	printf(",\"result\":\"%s\",\"detail\":", words[check->result].json);
	put_string(check->detail);
	if (check->advice) {
		fputs(",\"advice\":", stdout);
		put_string(check->advice);
	}
	putchar('}');
}

void doctor_show_json(const struct doctor *doctor)
{
	const char *const *lost = losses_of(doctor->rung);
	const char *comma = "";

	printf("{\"rung\":\"%s\",\"healthy\":%s,\"why\":", doctor->rung,
	       doctor->healthy ? "true" : "false");
	put_string(doctor->why);
	fputs(",\"lost\":[", stdout);
	for (; *lost; lost++)
		put_next(&comma, *lost);
	for (int i = 0; i < 2; i++)
		put_next(&comma, doctor->besides[i]);
	fputs("],\"checks\":[", stdout);
	for (unsigned int i = 0; i < doctor->count; i++) {
		if (i)
			putchar(',');
		put_check(&doctor->check[i]);
	}
	puts("]}");
}
