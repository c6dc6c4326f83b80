/* SPDX-License-Identifier: MIT */
/* filter_match.c - tests against events. What comes out of an event is bounded by what it was read
 * as. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "recorder/filter.h"
#include "recorder/value_text.h"

#define TEXT_BYTES 64 /* of a number */

/* What a test compares with: a number, a text, or both. */
struct operand {
	bool is_number;
	enum ttlog_type type; /* of a number: how exact it is */
	long double number;
	const char *text;
	size_t bytes;
};

static bool is_negative(enum filter_op op)
{
	return op == FILTER_UNEQUAL || op == FILTER_LACKS || op == FILTER_MISSING;
}

static bool is_textual(enum filter_op op)
{
	return op == FILTER_CONTAINS || op == FILTER_LACKS;
}

static bool ordered(enum filter_op op, int order)
{
	switch (op) {
	case FILTER_EQUAL:
	case FILTER_UNEQUAL: /* turned around for all values at once */
		return order == 0;
	case FILTER_LESS:
		return order < 0;
	case FILTER_LESS_EQUAL:
		return order <= 0;
	case FILTER_GREATER:
		return order > 0;
	case FILTER_GREATER_EQUAL:
		return order >= 0;
	default:
		return false;
	}
}

static int compare_text(const struct operand *operand, const struct filter_value *value)
{
	const size_t shorter = operand->bytes < value->bytes ? operand->bytes : value->bytes;
	const int order = shorter ? memcmp(operand->text, value->text, shorter) : 0;

	return order ? order : (operand->bytes > value->bytes) - (operand->bytes < value->bytes);
}

/* A float that was recorded equals the number that was typed if it is the nearest one to it. */
static bool number_matches(enum filter_op op, const struct operand *operand, long double wanted)
{
	if (operand->type == TTLOG_TYPE_F32)
		wanted = (float)wanted;
	else if (operand->type == TTLOG_TYPE_F64)
		wanted = (double)wanted;
	if (isnan(operand->number) || isnan(wanted))
		return false;
	return ordered(op, (operand->number > wanted) - (operand->number < wanted));
}

/* The whole text: * is any bytes, ? is one, a backslash takes the meaning from both. */
static bool glob_matches(const struct filter_value *glob, const char *text, size_t bytes)
{
	size_t at = 0, from = 0, star = SIZE_MAX, resume = 0;

	while (from < bytes) {
		const bool is_literal = at + 1 < glob->bytes && glob->text[at] == '\\';
		const char want = at < glob->bytes ? glob->text[at + is_literal] : '\0';

		if (at < glob->bytes && !is_literal && want == '*') {
			star = at++;
			resume = from;
		} else if (at < glob->bytes &&
			   ((!is_literal && want == '?') || want == text[from])) {
			at += 1 + is_literal;
			from++;
		} else if (star != SIZE_MAX) {
			at = star + 1;
			from = ++resume;
		} else {
			return false;
		}
	}
	while (at < glob->bytes && glob->text[at] == '*')
		at++;
	return at == glob->bytes;
}

static bool value_matches(enum filter_op op, const struct operand *operand,
			  const struct filter_value *value)
{
	if (value->is_glob)
		return glob_matches(value, operand->text, operand->bytes);
	if (is_textual(op))
		return !value->bytes ||
		       (operand->bytes >= value->bytes &&
			memmem(operand->text, operand->bytes, value->text, value->bytes));
	if (operand->is_number && value->is_number)
		return number_matches(op, operand, value->number);
	if (operand->is_number && op != FILTER_EQUAL && op != FILTER_UNEQUAL)
		return false;
	return ordered(op, compare_text(operand, value));
}

static bool any_matches(const struct filter_test *test, const struct operand *operand)
{
	bool any = false;

	for (unsigned int i = 0; i < test->value_count && !any; i++)
		any = value_matches(test->op, operand, &test->values[i]);
	return is_negative(test->op) ? !any : any;
}

static bool text_matches(const struct filter_test *test, const char *text)
{
	const struct operand operand = {.text = text, .bytes = strlen(text)};

	if (test->op == FILTER_EXISTS || test->op == FILTER_MISSING)
		return (operand.bytes > 0) == (test->op == FILTER_EXISTS);
	return any_matches(test, &operand);
}

static bool level_matches(const struct filter_test *test, uint8_t level)
{
	static const char *const names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
	bool any = false;

	if (test->op == FILTER_EXISTS || test->op == FILTER_MISSING)
		return test->op == FILTER_EXISTS;
	if (is_textual(test->op))
		return text_matches(test, names[level]);
	for (unsigned int i = 0; i < test->value_count && !any; i++)
		any = ordered(test->op, (int)level - (int)test->values[i].level);
	return is_negative(test->op) ? !any : any;
}

static bool line_matches(const struct filter_test *test, uint32_t line)
{
	char text[TEXT_BYTES];
	const struct operand operand = {
		.is_number = true,
		.type = TTLOG_TYPE_U32,
		.number = line,
		.text = text,
		.bytes = (size_t)snprintf(text, sizeof(text), "%u", line),
	};

	if (test->op == FILTER_EXISTS || test->op == FILTER_MISSING)
		return test->op == FILTER_EXISTS;
	return any_matches(test, &operand);
}

/* ---- fields ----------------------------------------------------------------------------- */

static bool field_matches(const struct filter_test *test, const struct ttlog_reader_value *value,
			  const char *string)
{
	struct value_text text;
	struct operand operand;
	bool is_match;

	value_text_init(&text, value, string);
	operand = (struct operand){.is_number = text.is_number,
				   .type = value->type,
				   .number = text.number,
				   .text = text.text,
				   .bytes = text.bytes};
	is_match = any_matches(test, &operand);
	value_text_fini(&text);
	return is_match;
}

static bool is_named(const struct filter_test *test, const char *name)
{
	return strlen(name) == test->name_bytes && !memcmp(name, test->name, test->name_bytes);
}

static bool fields_match(const struct filter_test *test, const struct ttlog_reader_site *site,
			 const struct ttlog_reader_event *event, filter_string_fn string_fn,
			 const void *context)
{
	for (uint32_t i = 0; i < site->field_count && i < event->value_count; i++) {
		const struct ttlog_reader_value *value = &event->value[i];

		if (!is_named(test, site->names[i]))
			continue;
		if (test->op == FILTER_EXISTS || test->op == FILTER_MISSING)
			return test->op == FILTER_EXISTS;
		return field_matches(test, value,
				     value->type == TTLOG_TYPE_INTERNED && string_fn
					     ? string_fn(context, (uint32_t)value->bits)
					     : NULL);
	}
	return is_negative(test->op);
}

/* ---- all of it -------------------------------------------------------------------------- */

/* What its site says of it already: 1, 0, or -1, it depends. */
static int site_decides(const struct filter_test *test, const struct ttlog_reader_site *site)
{
	switch (test->key) {
	case FILTER_LEVEL:
		return level_matches(test, site->level);
	case FILTER_TARGET:
		return text_matches(test, site->target);
	case FILTER_MSG:
		return text_matches(test, site->message);
	case FILTER_FILE:
		return text_matches(test, site->file);
	case FILTER_LINE:
		return line_matches(test, site->line);
	case FILTER_FUNC:
		return text_matches(test, site->function);
	case FILTER_LANE:
		return -1;
	case FILTER_FIELD:
		break;
	}
	for (uint32_t i = 0; i < site->field_count; i++)
		if (is_named(test, site->names[i]))
			return -1;
	return is_negative(test->op);
}

bool filter_refuses_site(const struct filter *filter, const struct ttlog_reader_site *site)
{
	for (unsigned int i = 0; i < filter->count; i++)
		if (!site_decides(&filter->test[i], site))
			return true;
	return false;
}

bool filter_match(const struct filter *filter, const struct ttlog_reader_site *site,
		  const struct ttlog_reader_event *event, filter_string_fn string_fn,
		  const void *context)
{
	for (unsigned int i = 0; i < filter->count; i++) {
		const struct filter_test *test = &filter->test[i];
		int is_match = site_decides(test, site);

		if (is_match < 0 && test->key == FILTER_LANE)
			is_match = text_matches(test, ttlog_lane_name(event->lane));
		else if (is_match < 0)
			is_match = fields_match(test, site, event, string_fn, context);
		if (!is_match)
			return false;
	}
	return true;
}

uint8_t filter_level(const struct filter *filter)
{
	uint8_t lowest = TTLOG_TRACE;

	while (lowest < TTLOG_FATAL) {
		bool is_out = false;

		for (unsigned int i = 0; i < filter->count && !is_out; i++)
			is_out = filter->test[i].key == FILTER_LEVEL &&
				 !level_matches(&filter->test[i], lowest);
		if (!is_out)
			break;
		lowest++;
	}
	return lowest;
}
