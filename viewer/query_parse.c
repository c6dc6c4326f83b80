/* SPDX-License-Identifier: MIT */
/* Expressions into terms; every error says where it is and what would be right. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/query.h"

static const char *const key_names[QUERY_FIELD] = {
	[QUERY_LEVEL] = "level",     [QUERY_TARGET] = "target", [QUERY_MSG] = "msg",
	[QUERY_TID] = "tid",	     [QUERY_THREAD] = "thread", [QUERY_PID] = "pid",
	[QUERY_SERVICE] = "service", [QUERY_HOST] = "host",	[QUERY_LANE] = "lane",
	[QUERY_CHANNEL] = "channel", [QUERY_SEQ] = "seq",	[QUERY_FILE] = "file",
	[QUERY_LINE] = "line",	     [QUERY_FUNC] = "func",
};

static const struct {
	const char *text; /* longer ones first */
	enum query_op op;
} ops[] = {
	{"==", QUERY_EQUAL},	  {"!=", QUERY_UNEQUAL},       {"~=", QUERY_CONTAINS},
	{"<=", QUERY_LESS_EQUAL}, {">=", QUERY_GREATER_EQUAL}, {"=", QUERY_EQUAL},
	{"<", QUERY_LESS},	  {">", QUERY_GREATER},
};

static __attribute__((format(printf, 3, 4))) int refuse(struct query_error *error, size_t at,
							const char *format, ...)
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
	return c == ' ' || c == '\t';
}

static struct span trim(struct span span)
{
	while (span.bytes && is_space(span.data[0])) {
		span.data++;
		span.bytes--;
	}
	while (span.bytes && is_space(span.data[span.bytes - 1]))
		span.bytes--;
	return span;
}

static enum query_key parse_key(struct span *name)
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

static bool parse_number(struct span text, long double *ret_number)
{
	char copy[128], *end;

	if (!text.bytes || text.bytes >= sizeof(copy) || is_space(text.data[0]))
		return false;
	memcpy(copy, text.data, text.bytes);
	copy[text.bytes] = '\0';
	*ret_number = strtold(copy, &end);
	return end == copy + text.bytes;
}

static bool is_numeric(enum query_key key)
{
	return key == QUERY_TID || key == QUERY_PID || key == QUERY_SEQ || key == QUERY_LINE;
}

static int check_value(const struct query_term *term, struct query_value *value, size_t at,
		       struct query_error *error)
{
	value->is_number = parse_number(value->text, &value->number);
	if (term->op == QUERY_CONTAINS)
		return 0;
	if (term->key == QUERY_LEVEL) {
		value->level = level_parse(value->text);
		if (value->level == LEVEL_COUNT)
			return refuse(error, at,
				      "not a level (trace, debug, info, warn, error, fatal)");
	} else if (is_numeric(term->key) && !value->is_number) {
		return refuse(error, at, "%s is compared with numbers", key_names[term->key]);
	}
	return 0;
}

/* Values are unescaped in place: what is written never runs ahead of what is read. */
static int parse_values(struct query_term *term, char *from, struct query_error *error)
{
	char *to = from, *start = from;
	size_t origin = (size_t)(from - term->text);
	struct query_value value;
	int result;

	for (;; from++) {
		if (*from == '\\' && (from[1] == ',' || from[1] == '\\')) {
			*to++ = *++from;
			continue;
		}
		if (*from && *from != ',') {
			*to++ = *from;
			continue;
		}
		if (term->value_count == QUERY_VALUES_MAX)
			return refuse(error, origin, "more than %d values", QUERY_VALUES_MAX);
		value = (struct query_value){
			.text = trim((struct span){start, (size_t)(to - start)})};
		result = check_value(term, &value, origin, error);
		if (result)
			return result;
		term->values[term->value_count++] = value;
		if (!*from)
			return 0;
		start = to;
		origin = (size_t)(from + 1 - term->text);
	}
}

static int parse_term(struct query_term *term, struct query_error *error)
{
	size_t at = strcspn(term->text, "=!~<>");
	size_t op = 0;

	term->name = trim((struct span){term->text, at});
	if (!term->name.bytes)
		return refuse(error, 0, "a key belongs here, as in level=ERROR");
	while (op < sizeof(ops) / sizeof(*ops) &&
	       strncmp(term->text + at, ops[op].text, strlen(ops[op].text)) != 0)
		op++;
	if (op == sizeof(ops) / sizeof(*ops))
		return refuse(error, at, "an operator belongs here: = != ~= < <= > >=");
	term->op = ops[op].op;
	term->key = parse_key(&term->name);
	at += strlen(ops[op].text);
	while (is_space(term->text[at]))
		at++;
	return parse_values(term, term->text + at, error);
}

int query_add(struct query *query, const char *expression, struct query_error *ret_error)
{
	struct query_term *term = &query->term[query->term_count];
	int error;

	if (query->term_count == QUERY_TERMS_MAX)
		return refuse(ret_error, 0, "more than %d filters", QUERY_TERMS_MAX);
	*term = (struct query_term){.text = strdup(expression)};
	term->values = calloc(QUERY_VALUES_MAX, sizeof(*term->values));
	error = term->text && term->values ? parse_term(term, ret_error) : -ENOMEM;
	if (!error) {
		query->term_count++;
		return 0;
	}
	free(term->text);
	free(term->values);
	return error;
}

void query_init(struct query *query)
{
	query->term_count = 0;
	out_init(&query->scratch, -1);
}

void query_fini(struct query *query)
{
	for (uint32_t i = 0; i < query->term_count; i++) {
		free(query->term[i].text);
		free(query->term[i].values);
	}
	query->term_count = 0;
	out_fini(&query->scratch);
}
