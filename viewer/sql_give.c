/* SPDX-License-Identifier: MIT */
#include "viewer/sql_give.h"

#ifdef TTLOG_HAVE_SQLITE

#include <sqlite3.h>

#include "viewer/format_sqlite.h"
#include "viewer/message.h"

void sql_give_text(struct out *scratch, sqlite3_context *to, struct span span)
{
	format_sqlite_text(scratch, span);
	if (scratch->error)
		sqlite3_result_error_nomem(to);
	else
		sqlite3_result_text64(to, scratch->bytes ? scratch->data : "",
				      scratch->bytes, SQLITE_TRANSIENT, SQLITE_UTF8);
}

void sql_give_number(sqlite3_context *to, struct number number)
{
	if (number.known)
		sqlite3_result_int64(to, (sqlite3_int64)number.bits);
}

void sql_give_value(struct out *scratch, struct out *made, sqlite3_context *to,
		    const struct value *value)
{
	if (value->kind == VALUE_NULL)
		return;
	if (value->kind == VALUE_F32 || value->kind == VALUE_F64) {
		sqlite3_result_double(to, value->real);
	} else if (value->kind == VALUE_BYTES) {
		sqlite3_result_blob64(to, value->span.bytes ? value->span.data : "",
				      value->span.bytes, SQLITE_TRANSIENT);
	} else if (value->kind == VALUE_NEGATIVE && value->number <= INT64_MAX) {
		sqlite3_result_int64(to, -1 - (sqlite3_int64)value->number);
	} else if (value->kind == VALUE_BOOL ||
		   (value->kind == VALUE_UINT && value->number <= INT64_MAX &&
		    value->type != FIELD_POINTER && value->type != FIELD_CHAR)) {
		sqlite3_result_int64(to, (sqlite3_int64)value->number);
	} else {
		made->bytes = 0;
		value_write(made, value);
		sql_give_text(scratch, to, span_of(made));
	}
}

#endif
