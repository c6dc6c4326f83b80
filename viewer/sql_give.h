/* SPDX-License-Identifier: MIT */
/* sql_give.h - what a dump has, as a value of SQLite's: as the format sqlite has it. */
#ifndef VIEWER_SQL_GIVE_H
#define VIEWER_SQL_GIVE_H

#include "viewer/dump_reader.h"
#include "viewer/out.h"

struct sqlite3_context;

/* Valid UTF-8 without a NUL inside, made in the scratch. */
void sql_give_text(struct out *scratch, struct sqlite3_context *to, struct span span);
void sql_give_number(struct sqlite3_context *to, struct number number); /* NULL: not known */
void sql_give_value(struct out *scratch, struct out *made, struct sqlite3_context *to,
		    const struct value *value);

#endif
