/* SPDX-License-Identifier: MIT */
/* Keys by their names, and values into what their keys compare with. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/query.h"

static const char *const key_names[] = {
	[QUERY_LEVEL] = "level",     [QUERY_TARGET] = "target", [QUERY_MSG] = "msg",
	[QUERY_TID] = "tid",	     [QUERY_THREAD] = "thread", [QUERY_PID] = "pid",
	[QUERY_SERVICE] = "service", [QUERY_HOST] = "host",	[QUERY_LANE] = "lane",
	[QUERY_CHANNEL] = "channel", [QUERY_SEQ] = "seq",	[QUERY_FILE] = "file",
	[QUERY_LINE] = "line",	     [QUERY_FUNC] = "func",	[QUERY_TIME] = "time",
};

enum query_key query_key_parse(struct span *name)
{
	static const char prefix[] = "fields.";
	size_t length = sizeof(prefix) - 1;

	for (enum query_key key = 0; key < QUERY_FIELD; key++)
		if (span_is(*name, key_names[key]))
			return key;
	if (name->bytes > length && memcmp(name->data, prefix, length) == 0) {
		name->data += length;
		name->bytes -= length;
	}
	return QUERY_FIELD;
}

static bool is_numeric(enum query_key key)
{
	return key == QUERY_TID || key == QUERY_PID || key == QUERY_SEQ || key == QUERY_LINE;
}

static bool parse_number(struct span text, long double *ret_number)
{
	char copy[128], *end;

	if (!text.bytes || text.bytes >= sizeof(copy) || text.data[0] == ' ' || text.data[0] == '\t')
		return false;
	memcpy(copy, text.data, text.bytes);
	copy[text.bytes] = '\0';
	*ret_number = strtold(copy, &end);
	return end == copy + text.bytes;
}

static int make_pattern(struct query_value *value, enum pattern_kind kind, bool fold, size_t at,
			struct query_error *error)
{
	const char *why;
	int result = pattern_compile(&value->pattern, value->text, kind, fold, &why);

	return result == -EINVAL ? query_refuse(error, at, "%s", why) : result;
}

static int make_time(struct query_value *value, size_t at, struct query_error *error)
{
	if (when_parse(value->text, when_now_ns(), &value->when) == 0)
		return 0;
	return query_refuse(error, at, "not a time (2026-11-23T10:42:00Z, \"2026-11-23 10:42\", 10:42, "
				       "-5m, T-10s)");
}

int query_value_make(const struct query_test *test, struct query_value *value, size_t at,
		     struct query_error *error)
{
	const bool equality = test->op == QUERY_EQUAL || test->op == QUERY_UNEQUAL;

	value->is_number = parse_number(value->text, &value->number);
	if (test->op == QUERY_FITS || test->op == QUERY_MISFITS)
		return make_pattern(value, PATTERN_REGEX,
				    test->key == QUERY_TEXT && pattern_wants_fold(value->text), at,
				    error);
	if (test->op == QUERY_CONTAINS || test->op == QUERY_LACKS)
		return 0;
	if (test->key == QUERY_TIME)
		return make_time(value, at, error);
	if (test->key == QUERY_LEVEL) {
		value->level = level_parse(value->text);
		if (value->level == LEVEL_COUNT)
			return query_refuse(error, at,
					    "not a level (trace, debug, info, warn, error, fatal)");
	} else if (is_numeric(test->key) && !value->is_number) {
		return query_refuse(error, at, "%s is compared with numbers", key_names[test->key]);
	} else if (test->key == QUERY_TARGET && equality && pattern_is_glob(value->text)) {
		return make_pattern(value, PATTERN_GLOB, false, at, error);
	}
	return 0;
}
