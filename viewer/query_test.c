/* SPDX-License-Identifier: MIT */
/* One test against one event. */
#include <string.h>

#include "viewer/message.h"
#include "viewer/query.h"

/* What a test compares with: a number, or a text. */
struct operand {
	bool is_number;
	enum value_kind kind; /* of a number: how exact it is */
	long double number;
	struct span text;
};

/* True for all values at once, or for none. */
static bool is_negative(enum query_op op)
{
	return op == QUERY_UNEQUAL || op == QUERY_LACKS || op == QUERY_MISFITS;
}

/* Does it look at the digits of a number? */
static bool is_textual(enum query_op op)
{
	return op == QUERY_CONTAINS || op == QUERY_LACKS || op == QUERY_FITS || op == QUERY_MISFITS;
}

static bool ordered(enum query_op op, int order)
{
	switch (op) {
	case QUERY_EQUAL:
	case QUERY_UNEQUAL: /* turned around by the caller, for all values at once */
		return order == 0;
	case QUERY_LESS:
		return order < 0;
	case QUERY_LESS_EQUAL:
		return order <= 0;
	case QUERY_GREATER:
		return order > 0;
	case QUERY_GREATER_EQUAL:
		return order >= 0;
	default:
		return false;
	}
}

static int compare_text(struct span a, struct span b)
{
	size_t shorter = a.bytes < b.bytes ? a.bytes : b.bytes;
	int order = shorter ? memcmp(a.data, b.data, shorter) : 0;

	return order ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

/* A float that was recorded equals the number that was typed if it is the nearest float to it. */
static bool number_matches(enum query_op op, const struct operand *operand, long double wanted)
{
	if (operand->kind == VALUE_F32)
		wanted = (float)wanted;
	else if (operand->kind == VALUE_F64)
		wanted = (double)wanted;
	if (operand->number != operand->number || wanted != wanted)
		return false;
	return ordered(op, (operand->number > wanted) - (operand->number < wanted));
}

static bool contains(struct span text, struct span wanted)
{
	return !wanted.bytes || (text.bytes >= wanted.bytes &&
				 memmem(text.data, text.bytes, wanted.data, wanted.bytes));
}

static bool value_matches(enum query_op op, const struct operand *operand,
			  const struct query_value *value)
{
	if (value->pattern)
		return pattern_matches(value->pattern, operand->text);
	if (op == QUERY_CONTAINS || op == QUERY_LACKS)
		return contains(operand->text, value->text);
	if (operand->is_number && value->is_number)
		return number_matches(op, operand, value->number);
	if (operand->is_number && op != QUERY_EQUAL && op != QUERY_UNEQUAL)
		return false;
	return ordered(op, compare_text(operand->text, value->text));
}

static bool any_matches(const struct query_test *test, const struct operand *operand)
{
	bool any = false;

	for (uint32_t i = 0; i < test->value_count && !any; i++)
		any = value_matches(test->op, operand, &test->values[i]);
	return is_negative(test->op) ? !any : any;
}

static bool text_matches(const struct query_test *test, struct span text)
{
	const struct operand operand = {.text = text};

	return test->op == QUERY_EXISTS ? text.bytes > 0 : any_matches(test, &operand);
}

/* The digits are only there if somebody looks for some of them. */
static bool uint_matches(struct query *query, const struct query_test *test, uint64_t number)
{
	struct operand operand = {.is_number = true, .kind = VALUE_UINT, .number = number};

	if (test->op == QUERY_EXISTS)
		return true;
	if (is_textual(test->op)) {
		query->scratch.bytes = 0;
		out_uint(&query->scratch, number);
		operand.text = span_of(&query->scratch);
	}
	return any_matches(test, &operand);
}

static bool number_known_matches(struct query *query, const struct query_test *test,
				 struct number number)
{
	return number.known ? uint_matches(query, test, number.bits) : is_negative(test->op);
}

static bool level_matches(const struct query_test *test, enum site_level level)
{
	bool any = false;

	/* An unknown level is a missing one. */
	if (test->op == QUERY_EXISTS)
		return level != LEVEL_UNKNOWN;
	if (is_textual(test->op))
		return text_matches(test,
				    (struct span){level_name(level), strlen(level_name(level))});
	for (uint32_t i = 0; i < test->value_count && !any && level != LEVEL_UNKNOWN; i++)
		any = ordered(test->op, (int)level - (int)test->values[i].level);
	return is_negative(test->op) ? !any : any;
}

static bool time_matches(const struct query *query, const struct query_test *test, int64_t ns)
{
	bool any = false;

	if (test->op == QUERY_EXISTS)
		return true;
	if (!query->resolved)
		return false;
	for (uint32_t i = 0; i < test->value_count && !any; i++)
		any = ordered(test->op, (ns > test->values[i].ns) - (ns < test->values[i].ns));
	return is_negative(test->op) ? !any : any;
}

/* ---- fields and messages ----------------------------------------------------------------------
 */

static bool field_matches(struct query *query, const struct query_test *test,
			  const struct value *value)
{
	struct operand operand = {.kind = value->kind, .text = value->span};

	if (value->kind == VALUE_NEGATIVE)
		operand.number = -1.0L - (long double)value->number;
	else if (value_is_integer(value))
		operand.number = value->number;
	else
		operand.number = value->real;
	operand.is_number = (value_is_integer(value) && value->type != FIELD_CHAR) ||
			    value->kind == VALUE_F32 || value->kind == VALUE_F64;
	/* Digits are looked at where somebody looks for some, or compares with what is no number. */
	if (value->kind != VALUE_TEXT &&
	    (!operand.is_number || test->has_text || is_textual(test->op))) {
		query->scratch.bytes = 0;
		value_write(&query->scratch, value);
		operand.text = span_of(&query->scratch);
	}
	return any_matches(test, &operand);
}

static bool fields_match(struct query *query, const struct query_test *test, struct record *record)
{
	struct value value;

	if (!record_value(record, test->name, &value))
		return is_negative(test->op);
	return test->op == QUERY_EXISTS || field_matches(query, test, &value);
}

static bool message_matches(struct query *query, const struct query_test *test,
			    struct record *record)
{
	record_decode(record);
	query->scratch.bytes = 0;
	message_write(&query->scratch, record->event.site, record->value, record->count);
	return text_matches(test, span_of(&query->scratch));
}

/* The message alone first: that may be the same for all of a site. */
static bool rendered_matches(struct query *query, const struct query_test *test,
			     struct record *record)
{
	const enum query_glance glance = query_glance(test, &record->event);
	const struct site *site = record->event.site;
	struct out *out = &query->scratch;

	if (glance != QUERY_PERHAPS)
		return glance == QUERY_PRESENT;
	/* What was learned of a site was learned because its message does not match. */
	if (site->glance_of != test->values[0].pattern) {
		if (message_matches(query, test, record))
			return true;
	} else {
		record_decode(record);
		out->bytes = 0;
		out_span(out, site->message);
	}
	if (site->printf || !record->count)
		return false;
	for (uint32_t i = 0; i < record->count; i++) {
		out_char(out, ' ');
		out_span(out, record->value[i].name);
		out_char(out, '=');
		value_write(out, &record->value[i]);
	}
	return text_matches(test, span_of(out));
}

/* ---- keys -------------------------------------------------------------------------------------
 */

bool query_test_matches(struct query *query, const struct query_test *test, struct record *record)
{
	const struct event *event = &record->event;
	const struct meta *meta = dump_meta(event->dump);

	switch (test->key) {
	case QUERY_LEVEL:
		return level_matches(test, event->site->level);
	case QUERY_TARGET:
		return text_matches(test, event->site->target);
	case QUERY_FILE:
		return text_matches(test, event->site->file);
	case QUERY_FUNC:
		return text_matches(test, event->site->function);
	case QUERY_LINE:
		return uint_matches(query, test, event->site->line);
	case QUERY_MSG:
		return message_matches(query, test, record);
	case QUERY_TID:
		return number_known_matches(query, test, event->thread->tid);
	case QUERY_PID:
		return number_known_matches(query, test, meta->pid);
	case QUERY_SEQ:
		return uint_matches(query, test, event->seq);
	case QUERY_THREAD:
		return text_matches(test, event->thread->name);
	case QUERY_SERVICE:
		return text_matches(test, meta->service);
	case QUERY_HOST:
		return text_matches(test, meta->hostname);
	case QUERY_LANE:
		return text_matches(test, event->lane->name);
	case QUERY_CHANNEL:
		/* An event without one is as one without a field of that name. */
		if (!event->channel || test->op == QUERY_EXISTS)
			return event->channel ? true : is_negative(test->op);
		return text_matches(test, event->channel->name);
	case QUERY_TIME:
		return time_matches(query, test, event->time_ns);
	case QUERY_TEXT:
		return rendered_matches(query, test, record);
	case QUERY_FIELD:
		break;
	}
	return fields_match(query, test, record);
}

static bool has_field(const struct site *site, struct span name)
{
	for (uint32_t i = 0; i < site->field_count; i++)
		if (span_equal(site->fields[i].name, name))
			return true;
	return false;
}

bool query_site_decides(const struct query_test *test, const struct site *site)
{
	struct span message = site->message;

	switch (test->key) {
	case QUERY_LEVEL:
	case QUERY_TARGET:
	case QUERY_FILE:
	case QUERY_FUNC:
	case QUERY_LINE:
		return true;
	case QUERY_MSG:
		return !site->printf;
	case QUERY_TEXT:
		/* Without fields, or where the message is enough, which it is for all of them. */
		return !site->printf && site->level != LEVEL_UNKNOWN &&
		       (!site->field_count || text_matches(test, message));
	case QUERY_FIELD:
		/* A site that the dump does not describe has values without names. */
		return site->level != LEVEL_UNKNOWN && !has_field(site, test->name);
	default:
		return false;
	}
}
