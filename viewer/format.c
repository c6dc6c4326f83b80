/* SPDX-License-Identifier: MIT */
#include "viewer/format.h"

#include <string.h>

#include "viewer/format_json.h"
#include "viewer/format_ctf.h"
#include "viewer/format_journal.h"
#include "viewer/format_lines.h"
#include "viewer/format_otlp.h"
#include "viewer/format_perfetto.h"
#include "viewer/format_sqlite.h"
#include "viewer/format_table.h"
#include "viewer/format_text.h"

const struct format *const formats[] = {
	&text_format,	     &short_iso_format, &verbose_format, &cat_format, &json_format,
	&json_pretty_format, &logfmt_format,	&csv_format,
	&perfetto_format,
	&otlp_format,
	&otlp_proto_format,
	&journal_format,
	&sqlite_format,
	&ctf_format,	 NULL,
};

static const char *const time_names[TIME_COUNT] = {
	"", "crash", "delta", "utc", "local", "unix", "monotonic",
};

const struct format *format_find(const char *name)
{
	const struct format *const *format = formats;

	while (*format && strcmp((*format)->name, name) != 0)
		format++;
	return *format;
}

enum time_mode time_mode_find(const char *name)
{
	enum time_mode mode = TIME_CRASH;

	while (mode < TIME_COUNT && strcmp(time_names[mode], name) != 0)
		mode++;
	return mode;
}

const char *time_mode_name(enum time_mode mode)
{
	return mode < TIME_COUNT ? time_names[mode] : "";
}
