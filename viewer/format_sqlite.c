/* SPDX-License-Identifier: MIT */
#include "viewer/format_sqlite.h"

#include <errno.h>

#ifdef TTLOG_HAVE_SQLITE

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "viewer/columns.h"
#include "viewer/format_json.h"
#include "viewer/message.h"

/* One transaction has that many events: their rows are in memory until it ends. */
#define TRANSACTION_EVENTS 100000

struct format_sqlite {
	sqlite3 *database;
	sqlite3_stmt *event, *field;
	struct dump *const *dumps;
	const struct columns *columns;
	size_t dump_count, newest;
	struct out text, scratch;
	uint64_t written;
	const char *path;
	bool ended; /* all of it is in the file */
};

static const char schema[] =
	"PRAGMA journal_mode = OFF;"
	"PRAGMA synchronous = OFF;"
	"CREATE TABLE dumps (dump INTEGER PRIMARY KEY, path TEXT, service TEXT, host TEXT, pid "
	"INTEGER,"
	" reason TEXT, created_ns INTEGER, death_ns INTEGER, how TEXT, signal TEXT, sentence TEXT,"
	" events INTEGER, overwritten INTEGER, dropped INTEGER);"
	"CREATE TABLE events (event INTEGER PRIMARY KEY, dump INTEGER REFERENCES dumps, seq "
	"INTEGER,"
	" ts_ns INTEGER, ts TEXT, level TEXT, severity INTEGER, target TEXT, msg TEXT, tid INTEGER,"
	" thread TEXT, channel TEXT, lane TEXT, file TEXT, line INTEGER, func TEXT, fields TEXT);"
	"CREATE TABLE fields (event INTEGER REFERENCES events, name TEXT, value);"
	"BEGIN";

static const char indexes[] = "COMMIT;"
			      "CREATE INDEX events_by_time ON events (ts_ns);"
			      "CREATE INDEX events_by_severity ON events (severity, ts_ns);"
			      "CREATE INDEX events_by_target ON events (target, ts_ns);"
			      "CREATE INDEX events_by_tid ON events (tid, ts_ns);"
			      "CREATE INDEX fields_by_event ON fields (event);"
			      "CREATE INDEX fields_by_name ON fields (name, value)";

static int errno_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_TOOBIG:
		return -E2BIG;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return -ENOENT;
	default:
		return -EIO;
	}
}

/* ---- binding ----------------------------------------------------------------------------------
 */

void format_sqlite_text(struct out *out, struct span span)
{
	size_t used = 0, length;
	uint32_t code = 0;

	out->bytes = 0;
	for (; used < span.bytes; used += length ? length : 1) {
		length = utf8_next(span.data + used, span.bytes - used, &code);
		if (length && code)
			out_bytes(out, span.data + used, length);
		else
			out_text(out, "\xef\xbf\xbd");
	}
}

static void bind_text(struct format_sqlite *sqlite, sqlite3_stmt *statement, int at,
		      struct span span)
{
	format_sqlite_text(&sqlite->text, span);
	sqlite3_bind_text64(statement, at, sqlite->text.bytes ? sqlite->text.data : "",
			    sqlite->text.bytes, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static void bind_number(sqlite3_stmt *statement, int at, struct number number)
{
	if (number.known)
		sqlite3_bind_int64(statement, at, (sqlite3_int64)number.bits);
	else
		sqlite3_bind_null(statement, at);
}

/* SQLite makes NULL of NaN by itself. What 64 bits with a sign do not hold is text. */
static void bind_value(struct format_sqlite *sqlite, sqlite3_stmt *statement, int at,
		       const struct value *value)
{
	if (value->kind == VALUE_NULL) {
		sqlite3_bind_null(statement, at);
	} else if (value->kind == VALUE_F32 || value->kind == VALUE_F64) {
		sqlite3_bind_double(statement, at, value->real);
	} else if (value->kind == VALUE_BYTES) {
		sqlite3_bind_blob64(statement, at, value->span.bytes ? value->span.data : "",
				    value->span.bytes, SQLITE_TRANSIENT);
	} else if (value->kind == VALUE_NEGATIVE && value->number <= INT64_MAX) {
		sqlite3_bind_int64(statement, at, -1 - (int64_t)value->number);
	} else if (value->kind == VALUE_BOOL ||
		   (value->kind == VALUE_UINT && value->number <= INT64_MAX &&
		    value->type != FIELD_POINTER && value->type != FIELD_CHAR)) {
		sqlite3_bind_int64(statement, at, (sqlite3_int64)value->number);
	} else {
		sqlite->scratch.bytes = 0;
		value_write(&sqlite->scratch, value);
		bind_text(sqlite, statement, at, span_of(&sqlite->scratch));
	}
}

static int run(sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);

	sqlite3_reset(statement);
	return errno_of(code);
}

/* ---- open -------------------------------------------------------------------------------------
 */

static void sqlite_close(void *state)
{
	struct format_sqlite *sqlite = state;

	if (!sqlite)
		return;
	sqlite3_finalize(sqlite->event);
	sqlite3_finalize(sqlite->field);
	sqlite3_close(sqlite->database);
	if (!sqlite->ended)
		unlink(sqlite->path);
	out_fini(&sqlite->text);
	out_fini(&sqlite->scratch);
	free(sqlite);
}

static int put_dump(struct format_sqlite *sqlite, sqlite3_stmt *statement, const struct dump *dump)
{
	const struct meta *meta = dump_meta(dump);
	const char *path = dump_path(dump);
	const struct {
		int at;
		struct span text;
	} texts[] = {
		{1, {path, strlen(path)}},  {2, meta->service},	  {3, meta->hostname},
		{5, meta->reason},	    {8, meta->cause.how}, {9, meta->cause.signal_name},
		{10, meta->cause.sentence},
	};
	const struct {
		int at;
		struct number number;
	} numbers[] = {
		{4, meta->pid},	    {6, meta->created_ns},   {7, meta->death_ns},
		{11, meta->events}, {12, meta->overwritten}, {13, meta->dropped},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		bind_text(sqlite, statement, texts[i].at, texts[i].text);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		bind_number(statement, numbers[i].at, numbers[i].number);
	return run(statement);
}

static int put_dumps(struct format_sqlite *sqlite)
{
	sqlite3_stmt *statement;
	int error = errno_of(sqlite3_prepare_v2(
		sqlite->database,
		"INSERT INTO dumps (path, service, host, pid, reason, created_ns, death_ns, how,"
		" signal, sentence, events, overwritten, dropped)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		-1, &statement, NULL));

	for (size_t i = 0; i < sqlite->dump_count && !error; i++)
		error = put_dump(sqlite, statement, sqlite->dumps[i]);
	sqlite3_finalize(statement);
	return error;
}

static int create(struct format_sqlite *sqlite)
{
	int code;

	/* A name that is a path and nothing else: ":memory:" is one of SQLite's own. */
	sqlite->text.bytes = 0;
	out_text(&sqlite->text, sqlite->path[0] == '/' ? "" : "./");
	out_bytes(&sqlite->text, sqlite->path, strlen(sqlite->path) + 1);
	if (sqlite->text.error)
		return sqlite->text.error;
	code = sqlite3_open_v2(sqlite->text.data, &sqlite->database, SQLITE_OPEN_READWRITE, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(sqlite->database, schema, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(sqlite->database,
					  "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, "
					  "?, ?, ?, ?, ?, ?, ?, ?)",
					  -1, &sqlite->event, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(sqlite->database, "INSERT INTO fields VALUES (?, ?, ?)",
					  -1, &sqlite->field, NULL);
	return code == SQLITE_OK ? put_dumps(sqlite) : errno_of(code);
}

static int sqlite_open(void **ret_state, const struct format_env *env)
{
	struct format_sqlite *sqlite;
	int fd, error;

	/* Nobody's file is written into: it may be a database already, and somebody's work. */
	fd = open(env->output, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	sqlite = calloc(1, sizeof(*sqlite));
	if (!sqlite)
		return -ENOMEM;
	out_init(&sqlite->text, -1);
	out_init(&sqlite->scratch, -1);
	sqlite->dumps = env->dumps;
	sqlite->dump_count = env->dump_count;
	sqlite->path = env->output;
	sqlite->columns = env->columns;
	error = create(sqlite);
	if (error)
		sqlite_close(sqlite);
	else
		*ret_state = sqlite;
	return error;
}

/* ---- events -----------------------------------------------------------------------------------
 */

/* As the database numbers them. */
static sqlite3_int64 dump_number(struct format_sqlite *sqlite, const struct dump *dump)
{
	for (size_t i = 0; sqlite->dumps[sqlite->newest] != dump && i < sqlite->dump_count; i++)
		sqlite->newest = i;
	return (sqlite3_int64)sqlite->newest + 1;
}

static const struct column columns[] = {
	{COLUMN_TS_NS, {0}}, {COLUMN_TS, {0}},	 {COLUMN_LEVEL, {0}},  {COLUMN_TARGET, {0}},
	{COLUMN_MSG, {0}},   {COLUMN_TID, {0}},	 {COLUMN_THREAD, {0}}, {COLUMN_CHANNEL, {0}},
	{COLUMN_LANE, {0}},  {COLUMN_FILE, {0}}, {COLUMN_LINE, {0}},   {COLUMN_FUNC, {0}},
};

/* Behind "seq", but for "severity", which stands behind "level". */
static void bind_columns(struct format_sqlite *sqlite, struct record *record)
{
	int at = 4;

	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++, at++) {
		const struct cell cell = column_cell(&columns[i], record, &sqlite->scratch);

		if (cell.kind == CELL_TEXT)
			bind_text(sqlite, sqlite->event, at, cell.text);
		else
			bind_number(sqlite->event, at,
				    (struct number){cell.number, cell.kind != CELL_MISSING});
		if (columns[i].kind == COLUMN_LEVEL)
			sqlite3_bind_int(sqlite->event, ++at, (int)record->event.site->level);
	}
	sqlite->scratch.bytes = sqlite->text.bytes = 0;
	format_json_fields(&sqlite->text, &sqlite->scratch, sqlite->columns, record);
	sqlite3_bind_text64(sqlite->event, at, sqlite->text.data, sqlite->text.bytes,
			    SQLITE_TRANSIENT, SQLITE_UTF8);
}

static int put_field(struct format_sqlite *sqlite, const struct value *value)
{
	sqlite3_bind_int64(sqlite->field, 1, (sqlite3_int64)sqlite->written);
	bind_text(sqlite, sqlite->field, 2, value->name);
	bind_value(sqlite, sqlite->field, 3, value);
	return run(sqlite->field);
}

static int sqlite_event(void *state, struct record *record)
{
	struct format_sqlite *sqlite = state;
	int error;

	record_decode(record);
	sqlite->written++;
	sqlite3_bind_int64(sqlite->event, 1, (sqlite3_int64)sqlite->written);
	sqlite3_bind_int64(sqlite->event, 2, dump_number(sqlite, record->event.dump));
	sqlite3_bind_int64(sqlite->event, 3, (sqlite3_int64)record->event.seq);
	bind_columns(sqlite, record);
	error = run(sqlite->event);
	for (uint32_t i = 0; i < record->count && !error; i++)
		if (columns_have_field(sqlite->columns, record->value[i].name))
			error = put_field(sqlite, &record->value[i]);
	if (!error && sqlite->written % TRANSACTION_EVENTS == 0)
		error = errno_of(sqlite3_exec(sqlite->database, "COMMIT; BEGIN", NULL, NULL, NULL));
	if (!error)
		error = sqlite->text.error ? sqlite->text.error : sqlite->scratch.error;
	return error;
}

static int sqlite_end(void *state, bool complete)
{
	struct format_sqlite *sqlite = state;
	int error = errno_of(sqlite3_exec(sqlite->database, indexes, NULL, NULL, NULL));

	(void)complete;
	sqlite->ended = !error;
	return error;
}

#else

static int sqlite_open(void **ret_state, const struct format_env *env)
{
	(void)ret_state;
	(void)env;
	return -EOPNOTSUPP;
}

/* Never called: nothing is opened. */
static int sqlite_event(void *state, struct record *record)
{
	(void)state;
	(void)record;
	return -EOPNOTSUPP;
}

static int sqlite_end(void *state, bool complete)
{
	(void)state;
	(void)complete;
	return -EOPNOTSUPP;
}

static void sqlite_close(void *state)
{
	(void)state;
}

#endif

const struct format sqlite_format = {
	.name = "sqlite",
#ifdef TTLOG_HAVE_SQLITE
	.help = "a database: tables dumps, events, fields",
	.flags = FORMAT_BINARY | FORMAT_FILE,
#else
	.help = "a database; built without SQLite, it is not here",
	.flags = FORMAT_BINARY | FORMAT_FILE | FORMAT_ABSENT,
#endif
	.open = sqlite_open,
	.event = sqlite_event,
	.end = sqlite_end,
	.close = sqlite_close,
};
