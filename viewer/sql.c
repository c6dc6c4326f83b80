/* SPDX-License-Identifier: MIT */
#include "viewer/sql.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#ifdef TTLOG_HAVE_SQLITE

#include <sqlite3.h>
#include <time.h>

#include "viewer/sql_rows.h"
#include "viewer/sql_tables.h"

#define STEPS_BETWEEN 1000 /* of SQLite's machine, between two looks at the clock */
#define LENGTH_MAX (16 << 20)
#define STATEMENT_MAX (64 << 10)

static int64_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* What ends a statement before its own end. */
struct bounds {
	const struct sql_question *question;
	int64_t deadline_s;
	bool stopped;
};

static bool is_stopped(struct bounds *bounds)
{
	const struct sql_question *question = bounds->question;

	bounds->stopped |= question->stop && question->stop(question->context);
	return bounds->stopped;
}

static int is_over(void *context)
{
	struct bounds *bounds = context;

	return now_s() > bounds->deadline_s || is_stopped(bounds);
}

static bool stop_source(void *context)
{
	return is_over(context);
}

static bool source_wants(void *context, size_t dump, const struct event *event)
{
	const struct sql_question *question = ((struct bounds *)context)->question;

	return question->wants(question->context, dump, event);
}

/* Reading, and functions that only compute. */
static int authorize(void *context, int action, const char *first, const char *second,
		     const char *database, const char *trigger)
{
	static const char *const refused[] = {"load_extension", "readfile", "writefile", "edit",
					      "fts3_tokenizer"};

	(void)context;
	(void)first;
	(void)database;
	(void)trigger;
	if (action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_RECURSIVE)
		return SQLITE_OK;
	if (action != SQLITE_FUNCTION || !second)
		return SQLITE_DENY;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (sqlite3_stricmp(second, refused[i]) == 0)
			return SQLITE_DENY;
	return SQLITE_OK;
}

static int open_database(sqlite3 **ret_database, struct sql_source *source, struct bounds *bounds)
{
	sqlite3 *database;

	sqlite3_hard_heap_limit64(SQL_MEMORY_BYTES);
	if (sqlite3_open_v2(":memory:", ret_database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY,
			    NULL) != SQLITE_OK)
		return -ENOMEM;
	database = *ret_database;
	sqlite3_limit(database, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
	sqlite3_limit(database, SQLITE_LIMIT_SQL_LENGTH, STATEMENT_MAX);
	sqlite3_limit(database, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_progress_handler(database, STEPS_BETWEEN, is_over, bounds);
	if (sql_tables_add(database, source))
		return -ENOMEM;
	/* They declare themselves as they are met for the first time, which nobody may do later. */
	if (sqlite3_exec(database, "SELECT 1 FROM dumps, events, fields LIMIT 0", NULL, NULL,
			 NULL) != SQLITE_OK)
		return -ENOMEM;
	sqlite3_set_authorizer(database, authorize, NULL);
	return 0;
}

/* otherwise: what it is if it is none of the bounds. */
static int complain(sqlite3 *database, int code, int otherwise, char *why)
{
	if ((code & 0xff) == SQLITE_NOMEM) {
		snprintf(why, SQL_WHY_BYTES, "it takes more than %d MiB of memory",
			 SQL_MEMORY_BYTES >> 20);
		return -ETIME;
	}
	if ((code & 0xff) == SQLITE_INTERRUPT) {
		snprintf(why, SQL_WHY_BYTES, "it takes too long: see --sql-seconds");
		return -ETIME;
	}
	snprintf(why, SQL_WHY_BYTES, "%s", sqlite3_errmsg(database));
	return (code & 0xff) == SQLITE_AUTH ? -EINVAL : otherwise;
}

/* Nothing but blanks and the end of a statement. */
static bool is_empty(const char *rest)
{
	return rest[strspn(rest, " \t\r\n;")] == '\0';
}

static int run(struct out *out, sqlite3 *database, const struct bounds *bounds,
	       uint64_t *ret_rows, char *why)
{
	const struct sql_question *question = bounds->question;
	static const enum sql_rows_kind kinds[] = {SQL_ROWS_TEXT, SQL_ROWS_JSON, SQL_ROWS_CSV};
	sqlite3_stmt *statement = NULL;
	const char *rest;
	int error = 0;
	int code = sqlite3_prepare_v2(database, question->statement, -1, &statement, &rest);

	if (code != SQLITE_OK)
		return complain(database, code, -EINVAL, why);
	if (!statement || !is_empty(rest)) {
		snprintf(why, SQL_WHY_BYTES, "it takes one statement");
		sqlite3_finalize(statement);
		return -EINVAL;
	}
	code = sql_rows_show(out, statement, kinds[question->shown], question->bytes_max, ret_rows);
	if (bounds->stopped)
		error = -ECANCELED;
	else if (code == SQLITE_ROW)
		error = -EFBIG;
	else if (code != SQLITE_DONE && !out->error)
		error = complain(database, code, -ETIME, why);
	sqlite3_finalize(statement);
	return error ? error : out->error;
}

int sql_ask(struct out *out, const struct sql_question *question, uint64_t *ret_rows,
	    char ret_why[SQL_WHY_BYTES])
{
	struct sql_source source = {.dumps = question->dumps,
				    .dump_count = question->dump_count,
				    .selection = question->selection,
				    .begun = question->busy,
				    .wants = question->wants ? source_wants : NULL,
				    .stop = stop_source};
	struct bounds bounds = {.question = question,
				.deadline_s = now_s() + (question->seconds ? question->seconds
									   : SQL_SECONDS)};
	sqlite3 *database = NULL;
	int error;

	source.context = &bounds;
	error = open_database(&database, &source, &bounds);
	*ret_rows = 0;
	if (!error)
		error = run(out, database, &bounds, ret_rows, ret_why);
	sqlite3_close(database);
	return error;
}

#else

int sql_ask(struct out *out, const struct sql_question *question, uint64_t *ret_rows,
	    char ret_why[SQL_WHY_BYTES])
{
	(void)out;
	(void)question;
	*ret_rows = 0;
	snprintf(ret_why, SQL_WHY_BYTES, "this ttlog-view was built without SQLite");
	return -EINVAL;
}

#endif

int sql_run(struct out *out, struct options *options, struct dump *const *dumps, size_t dump_count,
	    struct shown *ret_shown)
{
	const struct sql_question question = {
		.statement = options->sql,
		.seconds = options->sql_seconds,
		.dumps = dumps,
		.dump_count = dump_count,
		.selection = &options->select,
		.shown = strcmp(options->format->name, "csv") == 0 ? SQL_AS_CSV
			 : options->json			   ? SQL_AS_JSON
								   : SQL_AS_TEXT,
	};
	char why[SQL_WHY_BYTES];
	int error;

	*ret_shown = (struct shown){0};
	error = sql_ask(out, &question, &ret_shown->events, why);
	if (error == -EINVAL || error == -ETIME)
		fprintf(stderr, "ttlog-view: --sql: %s\n", why);
	return error;
}
