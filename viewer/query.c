/* SPDX-License-Identifier: MIT */
/*
 * Trees of tests, asked about events. What depends on the call site alone is worked out once a site and
 * kept in it, so that most events are let through or refused by one look.
 */
#include "viewer/query.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDED_NODES 64 /* as many as a site has bits for */

void query_init(struct query *query)
{
	*query = (struct query){0};
	out_init(&query->scratch, -1);
}

void query_truncate(struct query *query, uint32_t count)
{
	uint32_t first = query->node_count;

	while (query->term_count > count) {
		first = query->term[--query->term_count].first_node;
		free(query->term[query->term_count].text);
	}
	while (query->node_count > first) {
		struct query_test *test = &query->nodes[--query->node_count].test;

		for (uint32_t i = 0; i < test->value_count; i++)
			pattern_free(test->values[i].pattern);
		free(test->values);
	}
}

void query_fini(struct query *query)
{
	query_truncate(query, 0);
	free(query->nodes);
	query->nodes = NULL;
	query->node_capacity = 0;
	out_fini(&query->scratch);
}

int query_refuse(struct query_error *error, size_t at, const char *format, ...)
{
	va_list arguments;

	error->at = at;
	va_start(arguments, format);
	vsnprintf(error->why, sizeof(error->why), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

void query_forget(struct dictionary *dictionary)
{
	for (uint32_t i = 0; i < dictionary->site_limit; i++)
		if (dictionary->sites[i])
			dictionary->sites[i]->verdict = SITE_NOT_ASKED;
}

/* ---- times ------------------------------------------------------------------------------------
 */

void query_resolve(struct query *query, const struct when_base *base)
{
	query->base = *base;
	query->resolved = true;
	for (uint32_t i = 0; i < query->node_count; i++) {
		struct query_test *test = &query->nodes[i].test;

		if (query->nodes[i].kind != QUERY_TEST || test->key != QUERY_TIME)
			continue;
		for (uint32_t j = 0; j < test->value_count; j++)
			test->values[j].ns = when_resolve(&test->values[j].when, base);
	}
}

static void narrow(const struct query_test *test, int64_t *from_ns, int64_t *to_ns)
{
	int64_t ns;

	if (test->value_count != 1)
		return;
	ns = test->values[0].ns;
	if ((test->op == QUERY_GREATER || test->op == QUERY_GREATER_EQUAL ||
	     test->op == QUERY_EQUAL) &&
	    ns > *from_ns)
		*from_ns = ns;
	if ((test->op == QUERY_LESS || test->op == QUERY_LESS_EQUAL || test->op == QUERY_EQUAL) &&
	    ns < *to_ns)
		*to_ns = ns;
}

static void bounds_of(const struct query *query, uint32_t at, int64_t *from_ns, int64_t *to_ns)
{
	const struct query_node *node = &query->nodes[at];

	if (node->kind == QUERY_AND) {
		bounds_of(query, node->left, from_ns, to_ns);
		bounds_of(query, node->right, from_ns, to_ns);
	} else if (node->kind == QUERY_TEST && node->test.key == QUERY_TIME) {
		narrow(&node->test, from_ns, to_ns);
	}
}

void query_bounds(const struct query *query, int64_t *ret_from_ns, int64_t *ret_to_ns)
{
	*ret_from_ns = INT64_MIN;
	*ret_to_ns = INT64_MAX;
	for (uint32_t i = 0; i < query->term_count && query->resolved; i++)
		bounds_of(query, query->term[i].root, ret_from_ns, ret_to_ns);
}

/* ---- asking -----------------------------------------------------------------------------------
 */

enum truth { NO, MAYBE, YES };

static enum truth site_truth(struct query *query, const struct query_node *node, const char *truths,
			     struct record *record)
{
	switch (node->kind) {
	case QUERY_AND:
		return (enum truth)(truths[node->left] < truths[node->right] ? truths[node->left]
									     : truths[node->right]);
	case QUERY_OR:
		return (enum truth)(truths[node->left] > truths[node->right] ? truths[node->left]
									     : truths[node->right]);
	case QUERY_NOT:
		return (enum truth)(YES - truths[node->left]);
	case QUERY_TEST:
		break;
	}
	if (!query_site_decides(&node->test, record->event.site))
		return MAYBE;
	return query_test_matches(query, &node->test, record) ? YES : NO;
}

/* What the site's message decides alone is no question of its events. */
static bool wants_glance(const struct query_node *node, const struct site *site)
{
	return node->kind == QUERY_TEST && node->test.key == QUERY_TEXT && node->test.op == QUERY_FITS &&
	       node->test.value_count == 1 && !site->printf && site->level != LEVEL_UNKNOWN;
}

static enum site_verdict site_ask(struct query *query, struct record *record)
{
	enum site_verdict verdict = SITE_ALWAYS;
	struct site *site = record->event.site;
	char truths[QUERY_NODES_MAX];

	site->folded = site->folded_true = 0;
	site->glance_of = NULL;
	for (uint32_t i = 0; i < query->node_count; i++) {
		truths[i] = (char)site_truth(query, &query->nodes[i], truths, record);
		if (truths[i] == MAYBE && !site->glance_of && wants_glance(&query->nodes[i], site))
			query_glance_learn(query, &query->nodes[i].test, site);
		if (i >= FOLDED_NODES || truths[i] == MAYBE)
			continue;
		site->folded |= UINT64_C(1) << i;
		site->folded_true |= (uint64_t)(truths[i] == YES) << i;
	}
	for (uint32_t i = 0; i < query->term_count; i++) {
		enum truth truth = (enum truth)truths[query->term[i].root];

		if (truth == NO)
			return SITE_NEVER;
		if (truth == MAYBE)
			verdict = SITE_DEPENDS;
	}
	return verdict;
}

static bool node_matches(struct query *query, uint32_t at, struct record *record)
{
	const struct query_node *node = &query->nodes[at];
	const struct site *site = record->event.site;

	if (at < FOLDED_NODES && site->folded >> at & 1)
		return site->folded_true >> at & 1;
	switch (node->kind) {
	case QUERY_AND:
		return node_matches(query, node->left, record) &&
		       node_matches(query, node->right, record);
	case QUERY_OR:
		return node_matches(query, node->left, record) ||
		       node_matches(query, node->right, record);
	case QUERY_NOT:
		return !node_matches(query, node->left, record);
	case QUERY_TEST:
		break;
	}
	return query_test_matches(query, &node->test, record);
}

bool query_match(struct query *query, struct record *record)
{
	struct site *site = record->event.site;

	if (site->verdict == SITE_NOT_ASKED)
		site->verdict = site_ask(query, record);
	if (site->verdict != SITE_DEPENDS)
		return site->verdict == SITE_ALWAYS;
	for (uint32_t i = 0; i < query->term_count; i++)
		if (!node_matches(query, query->term[i].root, record))
			return false;
	return true;
}
