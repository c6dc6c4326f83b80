/* SPDX-License-Identifier: MIT */
/* ctl_show.c - what each command makes of its rows. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "recorder/ctl.h"
#include "recorder/log.h"

#define TEXT_BYTES 8192

struct show {
	const struct ctl_options *options;
	const struct ctl_request *request;
	struct ctl_pager pager;
	struct ctl_table table;
	uint64_t rows, failed;
	bool is_damaged;
};

struct row {
	const unsigned char *data;
	size_t bytes;
};

static bool find(const struct row *row, const char *key, enum ctl_kind kind, struct ctl_item *item)
{
	return ctl_map_find(row->data, row->bytes, key, item, NULL) && item->kind == kind;
}

static uint64_t number_of(const struct row *row, const char *key)
{
	struct ctl_item item;

	return find(row, key, CTL_UINT, &item) ? item.value : 0;
}

/* Cleaned; "-" if it is not there. */
static const char *text_of(const struct row *row, const char *key, char *text, size_t bytes)
{
	struct ctl_item item;
	size_t length;

	if (!find(row, key, CTL_TEXT, &item))
		return "-";
	length = item.value < bytes - 1 ? (size_t)item.value : bytes - 1;
	memcpy(text, item.text, length);
	text[length] = '\0';
	log_clean(text, LOG_CLEAN_LINE);
	return text;
}

/* ---- list ------------------------------------------------------------------------------- */

static const struct ctl_column list_columns[] = {
	{"SERVICE", false}, {"PID", true},     {"UID", true},	      {"THREADS", true},
	{"EVENTS/S", true}, {"HISTORY", true}, {"OVERWRITTEN", true}, {"DROPPED", true},
	{"RUNG", false},    {"LEVEL", false},  {"STATE", false},
};

static void put_number(struct ctl_table *table, const struct row *row, const char *key,
		       enum ctl_colour colour)
{
	struct ctl_item item;
	char text[24] = "-";

	if (find(row, key, CTL_UINT, &item))
		snprintf(text, sizeof(text), "%" PRIu64, item.value);
	ctl_table_put(table, strcmp(text, "-") && strcmp(text, "0") ? colour : CTL_PLAIN, text);
}

/* How far back; "all" if that is to the beginning. */
static void put_history(struct ctl_table *table, const struct row *row)
{
	char words[CTL_WORDS_BYTES], text[CTL_WORDS_BYTES + 8];
	struct ctl_item item;
	bool is_complete = false;

	if (!find(row, "history_ms", CTL_UINT, &item)) {
		ctl_table_put(table, CTL_PLAIN, "-");
		return;
	}
	ctl_words_duration(item.value, words);
	if (find(row, "complete", CTL_BOOL, &item))
		is_complete = item.value;
	snprintf(text, sizeof(text), "%s%s%s", is_complete ? "all (" : "", words,
		 is_complete ? ")" : "");
	ctl_table_put(table, CTL_PLAIN, text);
}

static void put_text(struct ctl_table *table, const struct row *row, const char *key)
{
	char text[256];

	ctl_table_put(table, CTL_PLAIN, text_of(row, key, text, sizeof(text)));
}

static void put_state(struct ctl_table *table, const struct row *row)
{
	char text[64];
	const char *state = text_of(row, "state", text, sizeof(text));
	enum ctl_colour colour = CTL_PLAIN;

	if (!strcmp(state, "frozen") || !strcmp(state, "fatal-signal"))
		colour = CTL_YELLOW;
	else if (strcmp(state, "recording"))
		colour = CTL_FAINT;
	ctl_table_put(table, colour, state);
}

static void list_row(struct show *show, const struct row *row)
{
	struct ctl_table *table = &show->table;

	put_text(table, row, "service");
	put_number(table, row, "pid", CTL_PLAIN);
	put_number(table, row, "uid", CTL_PLAIN);
	put_number(table, row, "threads", CTL_PLAIN);
	put_number(table, row, "events_per_second", CTL_PLAIN);
	put_history(table, row);
	put_number(table, row, "overwritten", CTL_PLAIN);
	put_number(table, row, "dropped", CTL_RED);
	put_text(table, row, "rung");
	put_text(table, row, "level");
	put_state(table, row);
}

/* ---- status ----------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
	const size_t bytes = strlen(text), end_bytes = strlen(end);

	return bytes >= end_bytes && !strcmp(text + bytes - end_bytes, end);
}

/* By the wall clock here. */
static void put_time(FILE *out, uint64_t realtime_ms)
{
	const time_t seconds = (time_t)(realtime_ms / 1000);
	char text[64] = "?";
	struct tm parts;

	if (localtime_r(&seconds, &parts))
		strftime(text, sizeof(text), "%F %T %z", &parts);
	fputs(text, out);
}

/* Its unit goes from the key to the value. */
static void put_measure(FILE *out, const char *key, uint64_t value)
{
	char words[CTL_WORDS_BYTES];

	if (!strcmp(key, "started_ms"))
		put_time(out, value);
	else if (ends_with(key, "_ms"))
		fputs(ctl_words_duration(value, words), out);
	else if (strstr(key, "bytes"))
		fputs(ctl_words_bytes(value, words), out);
	else
		fprintf(out, "%" PRIu64, value);
}

static void put_label(FILE *out, unsigned int depth, const char *key)
{
	char label[64];

	snprintf(label, sizeof(label), "%s", key);
	if (ends_with(label, "_ms"))
		label[strlen(label) - 3] = '\0';
	for (char *at = label; *at; at++)
		if (*at == '_')
			*at = ' ';
	fprintf(out, "%*s%-*s ", (int)depth * 2, "", 20 - (int)depth * 2, label);
}

static bool tree(FILE *out, struct ctl_cursor *cursor, const struct ctl_item *map,
		 unsigned int depth);

#define ARRAY_COLUMNS_MAX 16

/* An array holds maps with the same keys, of which the first is the name: a table. */
struct array {
	struct ctl_column column[ARRAY_COLUMNS_MAX];
	char title[ARRAY_COLUMNS_MAX][24];
	struct ctl_table table;
};

/* The row's cells, and the titles of the columns as its keys have them. */
static bool array_row(struct array *array, struct ctl_cursor *cursor, const struct ctl_item *map)
{
	struct ctl_item key, value;
	char text[64];

	if (map->value > ARRAY_COLUMNS_MAX)
		return false;
	for (uint64_t i = 0; i < map->value; i++) {
		if (ctl_item_next(cursor, &key) || key.kind != CTL_TEXT ||
		    key.value >= sizeof(array->title[i]) || ctl_item_next(cursor, &value) ||
		    (value.kind != CTL_UINT && value.kind != CTL_TEXT))
			return false;
		memset(array->title[i], 0, sizeof(array->title[i]));
		memcpy(array->title[i], key.text, (size_t)key.value);
		log_clean(array->title[i], LOG_CLEAN_LINE);
		array->column[i] = (struct ctl_column){array->title[i], i > 0};
		if (value.kind == CTL_UINT)
			snprintf(text, sizeof(text), "%" PRIu64, value.value);
		else
			snprintf(text, sizeof(text), "  %.*s",
				 (int)(value.value < sizeof(text) ? value.value : sizeof(text) - 1),
				 value.text);
		ctl_table_put(&array->table, CTL_PLAIN, text);
	}
	array->table.column_count = (unsigned int)map->value;
	return true;
}

static bool branches(FILE *out, struct ctl_cursor *cursor, const struct ctl_item *item)
{
	struct array array = {0};
	bool is_whole = true;

	array.table.column = array.column;
	for (uint64_t i = 0; is_whole && i < item->value; i++) {
		struct ctl_item map;

		is_whole = !ctl_item_next(cursor, &map) && map.kind == CTL_MAP &&
			   (!i || map.value == array.table.column_count) &&
			   array_row(&array, cursor, &map);
	}
	if (is_whole && array.table.column_count)
		ctl_table_show(&array.table, out, true, false);
	ctl_table_fini(&array.table);
	return is_whole;
}

static bool leaf(FILE *out, const char *key, const struct ctl_item *item)
{
	char text[TEXT_BYTES];

	switch (item->kind) {
	case CTL_UINT:
		put_measure(out, key, item->value);
		break;
	case CTL_BOOL:
		fputs(item->value ? "yes" : "no", out);
		break;
	case CTL_TEXT:
		snprintf(text, sizeof(text), "%.*s",
			 (int)(item->value < sizeof(text) ? item->value : sizeof(text) - 1),
			 item->text);
		log_clean(text, LOG_CLEAN_LINE);
		fputs(text, out);
		break;
	default:
		fputs("?", out);
	}
	putc('\n', out);
	return true;
}

static bool entry(FILE *out, struct ctl_cursor *cursor, unsigned int depth)
{
	struct ctl_item key, value;
	char name[64];

	if (ctl_item_next(cursor, &key) || key.kind != CTL_TEXT || key.value >= sizeof(name) ||
	    ctl_item_next(cursor, &value) || depth >= CTL_DEPTH_MAX)
		return false;
	memcpy(name, key.text, (size_t)key.value);
	name[key.value] = '\0';
	log_clean(name, LOG_CLEAN_LINE);
	put_label(out, depth, name);
	if (value.kind != CTL_MAP && value.kind != CTL_ARRAY)
		return leaf(out, name, &value);
	putc('\n', out);
	return value.kind == CTL_MAP ? tree(out, cursor, &value, depth + 1)
				     : branches(out, cursor, &value);
}

static bool tree(FILE *out, struct ctl_cursor *cursor, const struct ctl_item *map,
		 unsigned int depth)
{
	for (uint64_t i = 0; i < map->value; i++)
		if (!entry(out, cursor, depth))
			return false;
	return true;
}

static void status_row(struct show *show, const struct row *row)
{
	struct ctl_cursor cursor = {.at = row->data, .end = row->data + row->bytes};
	struct ctl_item map;

	if (show->rows > 1)
		putc('\n', show->pager.out);
	if (ctl_item_next(&cursor, &map) || map.kind != CTL_MAP ||
	    !tree(show->pager.out, &cursor, &map, 0))
		show->is_damaged = true;
}

/* ---- level, freeze, thaw, snapshot ------------------------------------------------------ */

static const char *why_not(int err)
{
	if (err == EBUSY)
		return "too many snapshots of it in this second";
	if (err == EOPNOTSUPP)
		return "it was handed its memory by a recorder that is gone, and obeys no other";
	if (err == ECANCELED)
		return "left out, as its dumps are many";
	return strerror(err);
}

static void action_row(struct show *show, const struct row *row)
{
	char service[256], path[TEXT_BYTES];
	struct ctl_item item;

	if (find(row, "path", CTL_TEXT, &item)) {
		fprintf(show->pager.out, "%s\n", text_of(row, "path", path, sizeof(path)));
		return;
	}
	if (ctl_map_find(row->data, row->bytes, "error", &item, NULL)) {
		const int err = item.kind == CTL_NEGATIVE && item.value < 4095 ? 1 + (int)item.value
									       : EPROTO;

		show->failed++;
		ctl_say("%s %s (pid %" PRIu64 "): %s", ctl_verb_name(show->request->verb),
			text_of(row, "service", service, sizeof(service)), number_of(row, "pid"),
			why_not(err));
	}
}

static void say_what_was_done(const struct show *show)
{
	static const char *const done[CTL_VERBS] = {[CTL_LEVEL] = "level set",
						    [CTL_FREEZE] = "frozen",
						    [CTL_THAW] = "thawed",
						    [CTL_SNAPSHOT] = "snapshot ordered"};
	const uint64_t count = show->rows - show->failed;

	if (show->options->json || show->options->without_legend || !count ||
	    !done[show->request->verb] || show->request->wait)
		return;
	fprintf(show->pager.out, "%s: %" PRIu64 " process%s\n", done[show->request->verb], count,
		count == 1 ? "" : "es");
}

/* ---- all of them ------------------------------------------------------------------------ */

static void take_row(void *context, const unsigned char *data, size_t bytes)
{
	const struct row row = {.data = data, .bytes = bytes};
	struct show *show = context;
	struct ctl_item item;

	show->rows++;
	if (show->options->json) {
		show->is_damaged |= !ctl_json_row(show->pager.out, data, bytes);
		show->failed += ctl_map_find(data, bytes, "error", &item, NULL);
	} else if (show->request->verb == CTL_LIST) {
		list_row(show, &row);
	} else if (show->request->verb == CTL_STATUS) {
		status_row(show, &row);
	} else {
		action_row(show, &row);
	}
	/* Whoever reads along has each row when it comes. */
	if (show->request->wait)
		fflush(show->pager.out);
}

static int say_why_not(const char *path, int err)
{
	if (err == -ENOENT || err == -ECONNREFUSED)
		ctl_say("%s: no recorder is reachable there (%s)", path, strerror(-err));
	else if (err == -EACCES || err == -EPERM)
		ctl_say("%s: refused: %s", path, strerror(-err));
	else if (err == -EBUSY)
		ctl_say("%s: refused: too many are asking at this moment", path);
	else if (err == -EPROTONOSUPPORT)
		ctl_say("%s: refused: that recorder is of another version", path);
	else if (err == -ECONNRESET || err == -ESHUTDOWN)
		ctl_say("%s: the recorder ended before it had answered", path);
	else
		ctl_say("%s: %s", path, strerror(-err));
	return CTL_EXIT_REFUSED;
}

static int conclude(const struct show *show, const struct ctl_outcome *outcome)
{
	if (show->is_damaged || show->table.failed) {
		ctl_say("%s", show->is_damaged ? "the answer makes no sense" : strerror(ENOMEM));
		return CTL_EXIT_REFUSED;
	}
	if (outcome->matched)
		return show->failed ? CTL_EXIT_REFUSED : CTL_EXIT_FINE;
	if (show->request->match[0])
		ctl_say("nothing matches '%s'", show->request->match);
	else
		ctl_say("no process is recorded");
	return CTL_EXIT_NO_MATCH;
}

int ctl_show(const struct ctl_options *options, const char *path, const struct ctl_request *request)
{
	struct show show = {.options = options, .request = request};
	struct ctl_outcome outcome = {0};
	bool is_written;
	int err, status;

	ctl_table_init(&show.table, list_columns, sizeof(list_columns) / sizeof(list_columns[0]));
	ctl_pager_open(&show.pager,
		       !options->without_pager && !options->json && request->verb <= CTL_STATUS);
	err = ctl_ask(path, request, take_row, &show, &outcome);
	if (!err && show.table.cell_count)
		ctl_table_show(&show.table, show.pager.out, !options->without_legend,
			       show.pager.colours);
	if (!err)
		say_what_was_done(&show);
	is_written = ctl_pager_close(&show.pager);
	err = err ? err : outcome.status;
	status = err ? say_why_not(path, err) : conclude(&show, &outcome);
	ctl_table_fini(&show.table);
	if (!is_written) {
		ctl_say("can't write: %s", strerror(errno));
		return CTL_EXIT_REFUSED;
	}
	return status;
}
