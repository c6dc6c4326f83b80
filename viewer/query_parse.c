/* SPDX-License-Identifier: MIT */
/*
 * Expressions into trees; every error says where it is and what would be right. The text is a copy of the
 * term's own: values are unescaped in place, since what is written never runs ahead of what is read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "viewer/query.h"

struct parse {
	struct query *query;
	struct query_error *error;
	char *text;
	size_t at;
	bool filter; /* one test, to the end */
	unsigned int depth;
};

static const struct {
	const char *text; /* longer ones first */
	enum query_op op;
} ops[] = {
	{"!~=", QUERY_LACKS},	  {"==", QUERY_EQUAL},	       {"!=", QUERY_UNEQUAL},
	{"~=", QUERY_CONTAINS},	  {"=~", QUERY_FITS},	       {"!~", QUERY_MISFITS},
	{"<=", QUERY_LESS_EQUAL}, {">=", QUERY_GREATER_EQUAL}, {"=", QUERY_EQUAL},
	{"<", QUERY_LESS},	  {">", QUERY_GREATER},
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static void skip_space(struct parse *parse)
{
	while (is_space(parse->text[parse->at]))
		parse->at++;
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

static int add_node(struct parse *parse, const struct query_node *node, uint32_t *ret_node)
{
	struct query *query = parse->query;
	uint32_t capacity = query->node_capacity ? 2 * query->node_capacity : 16;
	struct query_node *nodes;

	if (query->node_count == QUERY_NODES_MAX)
		return query_refuse(parse->error, parse->at, "more than %d tests and words",
				    QUERY_NODES_MAX);
	if (query->node_count == query->node_capacity) {
		nodes = reallocarray(query->nodes, capacity, sizeof(*nodes));
		if (!nodes)
			return -ENOMEM;
		query->nodes = nodes;
		query->node_capacity = capacity;
	}
	query->nodes[query->node_count] = *node;
	*ret_node = query->node_count++;
	return 0;
}

/* ---- values -----------------------------------------------------------------------------------
 */

/* Up to the quote that ends it. In a regular expression a backslash is its own but before a quote. */
static int quoted_value(struct parse *parse, bool regex, struct span *ret_text)
{
	size_t start = parse->at, to;
	char quote = parse->text[parse->at++];

	ret_text->data = parse->text + parse->at;
	for (to = parse->at; parse->text[parse->at] != quote; parse->at++) {
		if (!parse->text[parse->at])
			return query_refuse(parse->error, start, "a quote without its other");
		if (parse->text[parse->at] == '\\' &&
		    (parse->text[parse->at + 1] == quote ||
		     (!regex && parse->text[parse->at + 1] == '\\')))
			parse->at++;
		parse->text[to++] = parse->text[parse->at];
	}
	parse->at++;
	ret_text->bytes = (size_t)(parse->text + to - ret_text->data);
	return 0;
}

/* Does a value end here? In a query also at a space, a sign, and a parenthesis that it did not open. */
static bool ends(const struct parse *parse, bool regex, unsigned int open)
{
	char c = parse->text[parse->at];

	if (!c || (c == ',' && !regex))
		return true;
	if (parse->filter)
		return false;
	if (!regex && (c == '&' || c == '|') && parse->text[parse->at + 1] == c)
		return true;
	return is_space(c) || (c == ')' && !open);
}

static struct span bare_value(struct parse *parse, bool regex)
{
	struct span text = {parse->text + parse->at, 0};
	size_t to = parse->at;
	unsigned int open = 0;

	for (; !ends(parse, regex, open); parse->at++) {
		char c = parse->text[parse->at], next = parse->text[parse->at + 1];

		if (c == '\\' && next && regex)
			parse->text[to++] = parse->text[parse->at++];
		else if (c == '\\' && (next == ',' || next == '\\' ||
				       (!parse->filter && next && strchr(" ()", next))))
			parse->at++;
		else
			open += c == '(' ? 1 : c == ')' && open ? -1u : 0;
		parse->text[to++] = parse->text[parse->at];
	}
	text.bytes = (size_t)(parse->text + to - text.data);
	return parse->filter ? trim(text) : text;
}

/* Only a quote that is closed where a value may end is one: 'tis is a value too, in a filter. */
static bool is_quoted(const struct parse *parse)
{
	char quote = parse->text[parse->at];
	size_t at = parse->at + 1;

	if (quote != '"' && quote != '\'')
		return false;
	if (!parse->filter)
		return true;
	while (parse->text[at] && parse->text[at] != quote)
		at += parse->text[at] == '\\' && parse->text[at + 1] ? 2 : 1;
	if (parse->text[at])
		at++;
	else
		return false;
	while (is_space(parse->text[at]))
		at++;
	return !parse->text[at] || parse->text[at] == ',';
}

static int add_value(struct parse *parse, struct query_test *test, struct span text, size_t origin)
{
	struct query_value *values, value = {.text = text};
	int result;

	if (test->value_count == QUERY_VALUES_MAX)
		return query_refuse(parse->error, origin, "more than %d values", QUERY_VALUES_MAX);
	result = query_value_make(test, &value, origin, parse->error);
	if (result)
		return result;
	values = reallocarray(test->values, test->value_count + 1, sizeof(*values));
	if (!values) {
		pattern_free(value.pattern);
		return -ENOMEM;
	}
	test->values = values;
	test->values[test->value_count++] = value;
	test->has_text |= !value.is_number;
	return 0;
}

static int parse_values(struct parse *parse, struct query_test *test)
{
	const bool regex = test->op == QUERY_FITS || test->op == QUERY_MISFITS;
	struct span text;
	size_t origin, end;
	int result;

	for (;;) {
		origin = parse->at;
		if (!parse->filter || is_space(parse->text[parse->at]))
			skip_space(parse);
		if (!parse->filter)
			origin = parse->at;
		if (!parse->filter && ends(parse, false, 0))
			return query_refuse(parse->error, origin, "a value belongs here");
		if (is_quoted(parse)) {
			result = quoted_value(parse, regex, &text);
			if (result)
				return result;
		} else {
			text = bare_value(parse, regex);
		}
		result = add_value(parse, test, text, origin);
		if (result)
			return result;
		end = parse->at;
		skip_space(parse);
		if (parse->text[parse->at] != ',' || regex) {
			parse->at = end;
			return 0;
		}
		parse->at++;
	}
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static int add_test(struct parse *parse, struct query_test *test, int result, uint32_t *ret_node)
{
	if (!result)
		result = add_node(parse, &(struct query_node){.kind = QUERY_TEST, .test = *test},
				  ret_node);
	if (result) {
		for (uint32_t i = 0; i < test->value_count; i++)
			pattern_free(test->values[i].pattern);
		free(test->values);
	}
	return result;
}

/* What a key is made of: in a filter everything before the operator, also spaces. */
static int parse_key(struct parse *parse, struct span *ret_name)
{
	size_t start = parse->at;
	int result;

	if (!parse->filter && (parse->text[start] == '"' || parse->text[start] == '\'')) {
		result = quoted_value(parse, false, ret_name);
		if (result)
			return result;
	} else {
		parse->at += strcspn(parse->text + start, parse->filter ? "=!~<>" : "=!~<>?()\", \t\n");
		*ret_name = trim((struct span){parse->text + start, parse->at - start});
	}
	if (!ret_name->bytes)
		return query_refuse(parse->error, start, "a key belongs here, as in level=ERROR");
	return 0;
}

static int parse_test(struct parse *parse, uint32_t *ret_node)
{
	struct query_test test = {0};
	size_t op = 0;
	int result = parse_key(parse, &test.name);

	if (result)
		return result;
	if (!parse->filter)
		skip_space(parse);
	if (parse->filter && !parse->text[parse->at] && test.name.bytes > 1 &&
	    test.name.data[test.name.bytes - 1] == '?') {
		test.name = trim((struct span){test.name.data, test.name.bytes - 1});
		test.op = QUERY_EXISTS;
	} else if (!parse->filter && parse->text[parse->at] == '?') {
		parse->at++;
		test.op = QUERY_EXISTS;
	}
	test.key = query_key_parse(&test.name);
	if (test.op == QUERY_EXISTS)
		return add_test(parse, &test, 0, ret_node);
	while (op < sizeof(ops) / sizeof(*ops) &&
	       strncmp(parse->text + parse->at, ops[op].text, strlen(ops[op].text)) != 0)
		op++;
	if (op == sizeof(ops) / sizeof(*ops))
		return query_refuse(parse->error, parse->at,
				    "an operator belongs here: = != ~= =~ < <= > >= or ?");
	test.op = ops[op].op;
	parse->at += strlen(ops[op].text);
	skip_space(parse);
	return add_test(parse, &test, parse_values(parse, &test), ret_node);
}

/* ---- trees ------------------------------------------------------------------------------------
 */

/* Steps over one of the words and says which, 0 = none. */
static bool take_word(struct parse *parse, const char *word, const char *sign)
{
	size_t length = strlen(word);
	const char *at = parse->text + parse->at;

	if (strncmp(at, sign, strlen(sign)) == 0) {
		parse->at += strlen(sign);
		return true;
	}
	if (strncasecmp(at, word, length) != 0 || !(is_space(at[length]) || at[length] == '('))
		return false;
	parse->at += length;
	return true;
}

static int parse_or(struct parse *parse, uint32_t *ret_node);

static int parse_group(struct parse *parse, uint32_t *ret_node)
{
	size_t start = parse->at++;
	int result = parse_or(parse, ret_node);

	if (result)
		return result;
	if (parse->text[parse->at] != ')')
		return parse->text[parse->at]
			       ? query_refuse(parse->error, parse->at, "and, or, or a ) belongs here")
			       : query_refuse(parse->error, start, "a ( without its )");
	parse->at++;
	return 0;
}

static int parse_not(struct parse *parse, uint32_t *ret_node)
{
	struct query_node node = {.kind = QUERY_NOT};
	int result;

	skip_space(parse);
	if (parse->depth == QUERY_DEPTH_MAX)
		return query_refuse(parse->error, parse->at, "too many parentheses in each other");
	parse->depth++;
	if (take_word(parse, "not", "!")) {
		result = parse_not(parse, &node.left);
		if (!result)
			result = add_node(parse, &node, ret_node);
	} else if (parse->text[parse->at] == '(') {
		result = parse_group(parse, ret_node);
	} else {
		result = parse_test(parse, ret_node);
	}
	parse->depth--;
	skip_space(parse);
	return result;
}

static int parse_and(struct parse *parse, uint32_t *ret_node)
{
	struct query_node node = {.kind = QUERY_AND};
	int result = parse_not(parse, ret_node);

	while (!result && take_word(parse, "and", "&&")) {
		node.left = *ret_node;
		result = parse_not(parse, &node.right);
		if (!result)
			result = add_node(parse, &node, ret_node);
	}
	return result;
}

static int parse_or(struct parse *parse, uint32_t *ret_node)
{
	struct query_node node = {.kind = QUERY_OR};
	int result = parse_and(parse, ret_node);

	while (!result && take_word(parse, "or", "||")) {
		node.left = *ret_node;
		result = parse_and(parse, &node.right);
		if (!result)
			result = add_node(parse, &node, ret_node);
	}
	return result;
}

static int parse_query(struct parse *parse, uint32_t *ret_node)
{
	int result = parse_or(parse, ret_node);

	if (!result && parse->text[parse->at])
		result = query_refuse(parse->error, parse->at,
				      parse->text[parse->at] == ')'
					      ? "a ) without its ("
					      : "and, or, or the end belongs here");
	return result;
}

/* !KEY? and KEY OP VALUES, and nothing else. */
static int parse_filter(struct parse *parse, uint32_t *ret_node)
{
	struct query_node node = {.kind = QUERY_NOT};
	int result;

	skip_space(parse);
	if (parse->text[parse->at] != '!')
		return parse_test(parse, ret_node);
	parse->at++;
	result = parse_test(parse, &node.left);
	if (!result && parse->query->nodes[node.left].test.op != QUERY_EXISTS)
		result = query_refuse(parse->error, 0, "! goes with a key and a ?, as in !status?");
	return result ? result : add_node(parse, &node, ret_node);
}

/* ---- terms ------------------------------------------------------------------------------------
 */

static int add_term(struct query *query, const char *text, bool filter, const struct query_test *given,
		    struct query_error *ret_error)
{
	struct query_term *term = &query->term[query->term_count];
	struct parse parse = {.query = query, .error = ret_error, .filter = filter};
	struct query_test test;
	int result;

	*ret_error = (struct query_error){0};
	if (query->term_count == QUERY_TERMS_MAX)
		return query_refuse(ret_error, 0, "more than %d filters", QUERY_TERMS_MAX);
	*term = (struct query_term){.first_node = query->node_count, .text = strdup(text)};
	if (!term->text)
		return -ENOMEM;
	parse.text = term->text;
	if (given) {
		test = *given;
		result = add_test(&parse, &test, parse_values(&parse, &test), &term->root);
	} else {
		result = filter ? parse_filter(&parse, &term->root) : parse_query(&parse, &term->root);
	}
	query->term_count++;
	if (result)
		query_truncate(query, query->term_count - 1);
	else if (query->resolved)
		query_resolve(query, &query->base);
	return result;
}

int query_add(struct query *query, const char *filter, struct query_error *ret_error)
{
	return add_term(query, filter, true, NULL, ret_error);
}

int query_add_query(struct query *query, const char *expression, struct query_error *ret_error)
{
	return add_term(query, expression, false, NULL, ret_error);
}

int query_add_test(struct query *query, enum query_key key, enum query_op op, const char *values,
		   struct query_error *ret_error)
{
	const struct query_test test = {.key = key, .op = op};

	return add_term(query, values, true, &test, ret_error);
}
