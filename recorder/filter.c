/* SPDX-License-Identifier: MIT */
/* filter.c - a test from its text; the text is a copy, and values are unescaped in place. */
#include "recorder/filter.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NUMBER_BYTES_MAX 128

static const char *const key_names[] = {
	[FILTER_LEVEL] = "level", [FILTER_TARGET] = "target", [FILTER_MSG] = "msg",
	[FILTER_FILE] = "file",	  [FILTER_LINE] = "line",     [FILTER_FUNC] = "func",
	[FILTER_LANE] = "lane",
};

/* The viewer's, that are the same for all events of a process, or stand in a dump alone. */
static const char *const unknown_keys[] = {"tid",  "thread",  "pid", "service",
					   "host", "channel", "seq", "time"};

static const struct {
	const char *text; /* longer ones first */
	enum filter_op op;
} ops[] = {
	{"!~=", FILTER_LACKS},	 {"==", FILTER_EQUAL},	    {"!=", FILTER_UNEQUAL},
	{"~=", FILTER_CONTAINS}, {"<=", FILTER_LESS_EQUAL}, {">=", FILTER_GREATER_EQUAL},
	{"=", FILTER_EQUAL},	 {"<", FILTER_LESS},	    {">", FILTER_GREATER},
};

struct parse {
	struct filter_test *test;
	struct filter_error *error;
	size_t at;
};

int filter_refuse(struct filter_error *error, size_t at, const char *format, ...)
{
	va_list arguments;

	error->at = at;
	va_start(arguments, format);
	vsnprintf(error->why, sizeof(error->why), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static void trim(const char **text, size_t *bytes)
{
	while (*bytes && is_space(**text)) {
		++*text;
		--*bytes;
	}
	while (*bytes && is_space((*text)[*bytes - 1]))
		--*bytes;
}

/* ---- values ----------------------------------------------------------------------------- */

static bool parse_number(const char *text, size_t bytes, long double *ret_number)
{
	char copy[NUMBER_BYTES_MAX], *end;

	if (!bytes || bytes >= sizeof(copy) || text[0] == ' ' || text[0] == '\t')
		return false;
	memcpy(copy, text, bytes);
	copy[bytes] = '\0';
	*ret_number = strtold(copy, &end);
	return end == copy + bytes;
}

static bool is_glob(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] == '\\')
			i++;
		else if (text[i] == '*' || text[i] == '?')
			return true;
	}
	return false;
}

static bool parse_level(const struct filter_value *value, uint8_t *ret_level)
{
	static const char *const names[] = {"trace", "debug", "info", "warn", "error", "fatal"};

	for (uint8_t level = 0; level <= TTLOG_FATAL; level++)
		if (strlen(names[level]) == value->bytes &&
		    !strncasecmp(names[level], value->text, value->bytes)) {
			*ret_level = level;
			return true;
		}
	return false;
}

static int make_value(const struct parse *parse, struct filter_value *value, size_t origin)
{
	const struct filter_test *test = parse->test;
	const bool is_equality = test->op == FILTER_EQUAL || test->op == FILTER_UNEQUAL;

	value->is_number = parse_number(value->text, value->bytes, &value->number);
	if (test->op == FILTER_CONTAINS || test->op == FILTER_LACKS)
		return 0;
	if (test->key == FILTER_LEVEL && !parse_level(value, &value->level))
		return filter_refuse(parse->error, origin,
				     "not a level (trace, debug, info, warn, error, fatal)");
	if (test->key == FILTER_LINE && !value->is_number)
		return filter_refuse(parse->error, origin, "line is compared with numbers");
	value->is_glob = test->key == FILTER_TARGET && is_equality &&
			 is_glob(value->text, value->bytes);
	return 0;
}

static int add_value(const struct parse *parse, const char *text, size_t bytes, size_t origin)
{
	struct filter_test *test = parse->test;
	struct filter_value *values, value = {.text = text, .bytes = bytes};
	int err;

	if (test->value_count == FILTER_VALUES_MAX)
		return filter_refuse(parse->error, origin, "more than %d values",
				     FILTER_VALUES_MAX);
	err = make_value(parse, &value, origin);
	if (err)
		return err;
	values = reallocarray(test->values, test->value_count + 1, sizeof(*values));
	if (!values)
		return -ENOMEM;
	test->values = values;
	test->values[test->value_count++] = value;
	return 0;
}

/* A quote that is closed where a value may end; else it is a part of the value. */
static bool is_quoted(const char *text)
{
	const char quote = *text;

	if (quote != '"' && quote != '\'')
		return false;
	for (text++; *text && *text != quote; text++)
		if (*text == '\\' && text[1])
			text++;
	if (!*text++)
		return false;
	while (is_space(*text))
		text++;
	return !*text || *text == ',';
}

/* From the place to the end of the value, which is unescaped. */
static void take_quoted(struct parse *parse, const char **ret_text, size_t *ret_bytes)
{
	char *text = parse->test->text;
	const char quote = text[parse->at++];
	size_t to = parse->at;

	*ret_text = text + to;
	for (; text[parse->at] != quote; parse->at++) {
		if (text[parse->at] == '\\' &&
		    (text[parse->at + 1] == quote || text[parse->at + 1] == '\\'))
			parse->at++;
		text[to++] = text[parse->at];
	}
	parse->at++;
	*ret_bytes = (size_t)(text + to - *ret_text);
}

static void take_bare(struct parse *parse, const char **ret_text, size_t *ret_bytes)
{
	char *text = parse->test->text;
	size_t to = parse->at;

	*ret_text = text + to;
	for (; text[parse->at] && text[parse->at] != ','; parse->at++) {
		if (text[parse->at] == '\\' &&
		    (text[parse->at + 1] == ',' || text[parse->at + 1] == '\\'))
			parse->at++;
		text[to++] = text[parse->at];
	}
	*ret_bytes = (size_t)(text + to - *ret_text);
	trim(ret_text, ret_bytes);
}

static int parse_values(struct parse *parse)
{
	const char *text = parse->test->text, *value;
	size_t origin, bytes;
	int err;

	for (;;) {
		origin = parse->at;
		while (is_space(text[parse->at]))
			parse->at++;
		if (is_quoted(text + parse->at))
			take_quoted(parse, &value, &bytes);
		else
			take_bare(parse, &value, &bytes);
		err = add_value(parse, value, bytes, origin);
		if (err)
			return err;
		while (is_space(text[parse->at]))
			parse->at++;
		if (text[parse->at] != ',')
			return 0;
		parse->at++;
	}
}

/* ---- tests ------------------------------------------------------------------------------ */

/* "fields.level" is the field of that name. */
static int parse_key(const struct parse *parse)
{
	static const char prefix[] = "fields.";
	const size_t prefix_bytes = sizeof(prefix) - 1;
	struct filter_test *test = parse->test;

	test->key = FILTER_FIELD;
	for (unsigned int i = 0; i < FILTER_FIELD; i++)
		if (strlen(key_names[i]) == test->name_bytes &&
		    !memcmp(key_names[i], test->name, test->name_bytes))
			test->key = (enum filter_key)i;
	for (size_t i = 0; i < sizeof(unknown_keys) / sizeof(unknown_keys[0]); i++)
		if (strlen(unknown_keys[i]) == test->name_bytes &&
		    !memcmp(unknown_keys[i], test->name, test->name_bytes))
			return filter_refuse(parse->error, 0,
					     "a rule does not know %s (fields.%s is the field)",
					     unknown_keys[i], unknown_keys[i]);
	if (test->key == FILTER_FIELD && test->name_bytes > prefix_bytes &&
	    !memcmp(test->name, prefix, prefix_bytes)) {
		test->name += prefix_bytes;
		test->name_bytes -= prefix_bytes;
	}
	return 0;
}

static bool ends_in(const struct filter_test *test, char c)
{
	return test->name_bytes > 1 && test->name[test->name_bytes - 1] == c;
}

/* KEY? and !KEY? */
static int parse_existence(const struct parse *parse, bool is_missing)
{
	struct filter_test *test = parse->test;

	test->name_bytes--;
	trim(&test->name, &test->name_bytes);
	if (!test->name_bytes)
		return filter_refuse(parse->error, 0, "a key belongs here, as in level=ERROR");
	test->op = is_missing ? FILTER_MISSING : FILTER_EXISTS;
	return parse_key(parse);
}

static int parse_test(struct parse *parse)
{
	struct filter_test *test = parse->test;
	const char *text = test->text;
	size_t start = 0, op = 0, end;
	bool is_negated;
	int err;

	while (is_space(text[start]))
		start++;
	is_negated = text[start] == '!';
	start += is_negated;
	end = start + strcspn(text + start, "=!~<>");
	test->name = text + start;
	test->name_bytes = end - start;
	trim(&test->name, &test->name_bytes);
	if (!test->name_bytes)
		return filter_refuse(parse->error, start, "a key belongs here, as in level=ERROR");
	if (!text[end] && ends_in(test, '?'))
		return parse_existence(parse, is_negated);
	if (is_negated)
		return filter_refuse(parse->error, 0, "! goes with a key and a ?, as in !status?");
	while (op < sizeof(ops) / sizeof(ops[0]) &&
	       strncmp(text + end, ops[op].text, strlen(ops[op].text)) != 0)
		op++;
	if (!strncmp(text + end, "=~", 2) || !strncmp(text + end, "!~", 2))
		op = strncmp(text + end, "!~=", 3) ? sizeof(ops) / sizeof(ops[0]) : op;
	if (op == sizeof(ops) / sizeof(ops[0]))
		return filter_refuse(parse->error, end,
				     "an operator belongs here: = != ~= !~= < <= > >= or ?");
	test->op = ops[op].op;
	err = parse_key(parse);
	parse->at = end + strlen(ops[op].text);
	return err ? err : parse_values(parse);
}

static void test_fini(struct filter_test *test)
{
	free(test->text);
	free(test->values);
}

int filter_add(struct filter *filter, const char *text, struct filter_error *ret_error)
{
	struct filter_test *test = &filter->test[filter->count];
	struct parse parse = {.test = test, .error = ret_error};
	int err;

	*ret_error = (struct filter_error){0};
	if (filter->count == FILTER_TESTS_MAX)
		return filter_refuse(ret_error, 0, "more than %d tests", FILTER_TESTS_MAX);
	*test = (struct filter_test){.text = strdup(text)};
	err = test->text ? parse_test(&parse) : -ENOMEM;
	if (err)
		test_fini(test);
	else
		filter->count++;
	return err;
}

void filter_fini(struct filter *filter)
{
	while (filter->count)
		test_fini(&filter->test[--filter->count]);
}
