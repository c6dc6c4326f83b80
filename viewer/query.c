/* SPDX-License-Identifier: MIT */
/*
 * Matching. What depends on the call site alone is worked out once a site and kept in it, so that
 * most events are let through or refused by one look.
 */
#include "viewer/query.h"

#include <string.h>

#include "viewer/message.h"

/* What a term compares with: a number, or a text. */
struct operand {
	bool is_number;
	enum value_kind kind; /* of a number: how exact it is */
	long double number;
	struct span text;
};

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
	case QUERY_CONTAINS:
		break;
	}
	return false;
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

static bool value_matches(enum query_op op, const struct operand *operand,
			  const struct query_value *value)
{
	if (op == QUERY_CONTAINS)
		return !value->text.bytes || (operand->text.bytes >= value->text.bytes &&
					      memmem(operand->text.data, operand->text.bytes,
						     value->text.data, value->text.bytes));
	if (operand->is_number && value->is_number)
		return number_matches(op, operand, value->number);
	if (operand->is_number && op != QUERY_EQUAL && op != QUERY_UNEQUAL)
		return false;
	return ordered(op, compare_text(operand->text, value->text));
}

static bool any_matches(const struct query_term *term, const struct operand *operand)
{
	bool any = false;

	for (uint32_t i = 0; i < term->value_count && !any; i++)
		any = value_matches(term->op, operand, &term->values[i]);
	return term->op == QUERY_UNEQUAL ? !any : any;
}

static bool text_matches(const struct query_term *term, struct span text)
{
	const struct operand operand = {.text = text};

	return any_matches(term, &operand);
}

/* The digits are only there if somebody looks for some of them. */
static bool uint_matches(struct query *query, const struct query_term *term, uint64_t number)
{
	struct operand operand = {.is_number = true, .kind = VALUE_UINT, .number = number};

	if (term->op == QUERY_CONTAINS) {
		query->scratch.bytes = 0;
		out_uint(&query->scratch, number);
		operand.text = span_of(&query->scratch);
	}
	return any_matches(term, &operand);
}

static bool level_matches(const struct query_term *term, enum site_level level)
{
	bool any = false;

	if (term->op == QUERY_CONTAINS)
		return text_matches(term,
				    (struct span){level_name(level), strlen(level_name(level))});
	/* An unknown level is a missing one. */
	for (uint32_t i = 0; i < term->value_count && !any && level != LEVEL_UNKNOWN; i++)
		any = ordered(term->op, (int)level - (int)term->values[i].level);
	return term->op == QUERY_UNEQUAL ? !any : any;
}

static bool field_matches(struct query *query, const struct query_term *term,
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
	if (value->kind != VALUE_TEXT) {
		query->scratch.bytes = 0;
		value_write(&query->scratch, value);
		operand.text = span_of(&query->scratch);
	}
	return any_matches(term, &operand);
}

static bool fields_match(struct query *query, const struct query_term *term, struct record *record)
{
	record_decode(record);
	for (uint32_t i = 0; i < record->count; i++)
		if (span_equal(record->value[i].name, term->name))
			return field_matches(query, term, &record->value[i]);
	return term->op == QUERY_UNEQUAL;
}

static bool message_matches(struct query *query, const struct query_term *term,
			    struct record *record)
{
	record_decode(record);
	query->scratch.bytes = 0;
	message_write(&query->scratch, record->event.site, record->value, record->count);
	return text_matches(term, span_of(&query->scratch));
}

static bool number_known_matches(struct query *query, const struct query_term *term,
				 struct number number)
{
	return number.known ? uint_matches(query, term, number.bits) : term->op == QUERY_UNEQUAL;
}

static bool term_matches(struct query *query, const struct query_term *term, struct record *record)
{
	const struct event *event = &record->event;
	const struct meta *meta = dump_meta(event->dump);

	switch (term->key) {
	case QUERY_LEVEL:
		return level_matches(term, event->site->level);
	case QUERY_TARGET:
		return text_matches(term, event->site->target);
	case QUERY_FILE:
		return text_matches(term, event->site->file);
	case QUERY_FUNC:
		return text_matches(term, event->site->function);
	case QUERY_LINE:
		return uint_matches(query, term, event->site->line);
	case QUERY_MSG:
		return message_matches(query, term, record);
	case QUERY_TID:
		return number_known_matches(query, term, event->thread->tid);
	case QUERY_PID:
		return number_known_matches(query, term, meta->pid);
	case QUERY_SEQ:
		return uint_matches(query, term, event->seq);
	case QUERY_THREAD:
		return text_matches(term, event->thread->name);
	case QUERY_SERVICE:
		return text_matches(term, meta->service);
	case QUERY_HOST:
		return text_matches(term, meta->hostname);
	case QUERY_LANE:
		return text_matches(term, event->lane->name);
	case QUERY_CHANNEL:
		/* An event without one is as one without a field of that name. */
		return event->channel ? text_matches(term, event->channel->name)
				      : term->op == QUERY_UNEQUAL;
	case QUERY_FIELD:
		break;
	}
	return fields_match(query, term, record);
}

static bool site_decides(const struct query_term *term, const struct site *site)
{
	switch (term->key) {
	case QUERY_LEVEL:
	case QUERY_TARGET:
	case QUERY_FILE:
	case QUERY_FUNC:
	case QUERY_LINE:
		return true;
	case QUERY_MSG:
		return !site->printf;
	case QUERY_FIELD:
		/* A site that the dump does not describe has values without names. */
		if (site->level == LEVEL_UNKNOWN)
			return false;
		for (uint32_t i = 0; i < site->field_count; i++)
			if (span_equal(site->fields[i].name, term->name))
				return false;
		return true;
	default:
		return false;
	}
}

static enum site_verdict site_ask(struct query *query, struct record *record)
{
	struct site *site = record->event.site;
	enum site_verdict verdict = SITE_ALWAYS;

	for (uint32_t i = 0; i < query->term_count; i++) {
		if (!site_decides(&query->term[i], site))
			verdict = SITE_DEPENDS;
		else if (!term_matches(query, &query->term[i], record))
			return SITE_NEVER;
	}
	return verdict;
}

bool query_match(struct query *query, struct record *record)
{
	struct site *site = record->event.site;

	if (site->verdict == SITE_NOT_ASKED)
		site->verdict = site_ask(query, record);
	if (site->verdict != SITE_DEPENDS)
		return site->verdict == SITE_ALWAYS;
	for (uint32_t i = 0; i < query->term_count; i++)
		if (!term_matches(query, &query->term[i], record))
			return false;
	return true;
}
