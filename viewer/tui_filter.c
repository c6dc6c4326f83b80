/* SPDX-License-Identifier: MIT */
#include "viewer/tui_filter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* With and, or, not; or one test up to its end, as with --filter. The error is that of the first.
 */
static int query_take(struct query *query, const char *text, struct query_error *ret_error)
{
	struct query_error other;
	int error = query_add_query(query, text, ret_error);

	if (error == -EINVAL && query_add(query, text, &other) == 0)
		error = 0;
	return error;
}

/* What the query made of the sites is no longer so, and what is new of it knows no times yet. */
static void query_changed(struct tui_filter *filter)
{
	const struct when_base base = paged_when(filter->paged);

	query_resolve(filter->query, &base);
	for (size_t i = 0; i + 1 < paged_sources(filter->paged); i++)
		query_forget(dump_dictionary(paged_dump(filter->paged, i)));
	filter->version++;
}

int tui_filter_open(struct tui_filter *filter, struct paged *paged, struct query *query)
{
	const size_t sources = paged_sources(paged) - 1;

	memset(filter, 0, offsetof(struct tui_filter, record));
	filter->paged = paged;
	filter->query = query;
	filter->query_base = query->term_count;
	filter->threads_off = calloc(sources + 1, sizeof(*filter->threads_off));
	if (!filter->threads_off)
		return -ENOMEM;
	for (size_t i = 0; i < sources; i++) {
		filter->threads_off[i] =
			calloc(dump_meta(paged_dump(paged, i))->thread_count + 1, 1);
		if (!filter->threads_off[i])
			return -ENOMEM;
	}
	query_changed(filter);
	return 0;
}

void tui_filter_close(struct tui_filter *filter)
{
	for (size_t i = 0; filter->threads_off && i + 1 < paged_sources(filter->paged); i++)
		free(filter->threads_off[i]);
	for (size_t i = 0; i < filter->expression_count; i++)
		free(filter->expressions[i]);
	free(filter->threads_off);
	free(filter->target);
}

/* ---- matching ---------------------------------------------------------------------------------
 */

static bool thread_is_wanted(const struct tui_filter *filter, const struct paged_item *item)
{
	const struct meta *meta = dump_meta(item->event.dump);
	const struct meta_thread *thread = item->event.thread;

	if (filter->thread && thread != filter->thread)
		return false;
	if (!filter->off_count || thread < meta->threads ||
	    thread >= meta->threads + meta->thread_count)
		return true;
	return !filter->threads_off[item->source][thread - meta->threads];
}

static bool site_is_wanted(const struct tui_filter *filter, const struct site *site)
{
	if (site->level < filter->least || (filter->site && site != filter->site))
		return false;
	for (size_t i = 0; i < filter->hidden_count; i++)
		if (filter->hidden[i] == site)
			return false;
	return !filter->target ||
	       span_equal(site->target, (struct span){filter->target, strlen(filter->target)});
}

bool tui_filter_match(struct tui_filter *filter, const struct paged_item *item)
{
	if (item->mark)
		return true;
	if (!filter->off &&
	    (!site_is_wanted(filter, item->event.site) || !thread_is_wanted(filter, item)))
		return false;
	filter->record.event = item->event;
	filter->record.decoded = false;
	return query_match(filter->query, &filter->record);
}

/* Its site and thread as they are here, where these were met. */
bool tui_filter_wants(const struct tui_filter *filter, size_t source, const struct event *event)
{
	struct dump *dump = paged_dump(filter->paged, source);
	const struct dictionary *sites = dump ? dump_dictionary(dump) : NULL;
	const struct meta *theirs = dump_meta(event->dump);
	struct paged_item item = {.event = *event, .source = source};
	const uint64_t thread = (uint64_t)(event->thread - theirs->threads);

	if (filter->off || !dump)
		return true;
	if (event->site->id < sites->site_limit && sites->sites[event->site->id])
		item.event.site = sites->sites[event->site->id];
	if (event->thread >= theirs->threads && thread < theirs->thread_count &&
	    thread < dump_meta(dump)->thread_count)
		item.event.thread = &dump_meta(dump)->threads[thread];
	item.event.dump = dump;
	return site_is_wanted(filter, item.event.site) && thread_is_wanted(filter, &item);
}

/* ---- changes ----------------------------------------------------------------------------------
 */

static int query_refill(struct tui_filter *filter)
{
	struct query_error error;
	int result = 0;

	query_truncate(filter->query, filter->query_base);
	for (size_t i = 0; !result && !filter->off && i < filter->expression_count; i++)
		result = query_take(filter->query, filter->expressions[i], &error);
	query_changed(filter);
	return result;
}

int tui_filter_add(struct tui_filter *filter, const char *expression, struct query_error *ret_error)
{
	char *copy;
	int error;

	*ret_error = (struct query_error){0};
	if (filter->expression_count == TUI_EXPRESSIONS_MAX)
		return -ENOSPC;
	if (filter->off)
		tui_filter_toggle(filter);
	copy = strdup(expression);
	error = copy ? query_take(filter->query, expression, ret_error) : -ENOMEM;
	if (error) {
		free(copy);
		return error;
	}
	filter->expressions[filter->expression_count++] = copy;
	query_changed(filter);
	return 0;
}

bool tui_filter_drop(struct tui_filter *filter, size_t expression)
{
	if (expression >= filter->expression_count)
		return false;
	free(filter->expressions[expression]);
	filter->expression_count--;
	memmove(filter->expressions + expression, filter->expressions + expression + 1,
		(filter->expression_count - expression) * sizeof(*filter->expressions));
	query_refill(filter);
	return true;
}

int tui_filter_target(struct tui_filter *filter, struct span target)
{
	char *copy = NULL;

	if (target.data) {
		copy = strndup(target.data, target.bytes);
		if (!copy)
			return -ENOMEM;
	}
	free(filter->target);
	filter->target = copy;
	filter->version++;
	return 0;
}

void tui_filter_thread(struct tui_filter *filter, const struct meta_thread *thread)
{
	filter->thread = thread;
	filter->version++;
}

void tui_filter_site(struct tui_filter *filter, const struct site *site)
{
	filter->site = site;
	filter->version++;
}

bool tui_filter_hide(struct tui_filter *filter, const struct site *site)
{
	if (filter->hidden_count == TUI_HIDDEN_MAX)
		return false;
	filter->hidden[filter->hidden_count++] = site;
	filter->version++;
	return true;
}

bool tui_filter_unhide(struct tui_filter *filter)
{
	if (!filter->hidden_count)
		return false;
	filter->hidden_count = 0;
	filter->version++;
	return true;
}

void tui_filter_level(struct tui_filter *filter, enum site_level least)
{
	filter->least = least;
	filter->version++;
}

bool tui_filter_thread_toggle(struct tui_filter *filter, size_t source, uint64_t thread)
{
	struct dump *dump = paged_dump(filter->paged, source);
	unsigned char *off;

	if (!dump || thread >= dump_meta(dump)->thread_count)
		return false;
	off = &filter->threads_off[source][thread];
	*off = !*off;
	if (*off)
		filter->off_count++;
	else
		filter->off_count--;
	filter->version++;
	return true;
}

void tui_filter_threads_all(struct tui_filter *filter)
{
	for (size_t i = 0; i + 1 < paged_sources(filter->paged); i++)
		memset(filter->threads_off[i], 0,
		       dump_meta(paged_dump(filter->paged, i))->thread_count);
	filter->off_count = 0;
	filter->thread = NULL;
	filter->version++;
}

void tui_filter_toggle(struct tui_filter *filter)
{
	filter->off = !filter->off;
	query_refill(filter);
}

void tui_filter_clear(struct tui_filter *filter)
{
	while (filter->expression_count)
		free(filter->expressions[--filter->expression_count]);
	free(filter->target);
	filter->target = NULL;
	filter->hidden_count = 0;
	filter->site = NULL;
	filter->least = LEVEL_TRACE;
	filter->off = false;
	tui_filter_threads_all(filter);
	query_refill(filter);
}

bool tui_filter_thread_is_off(const struct tui_filter *filter, size_t source, uint64_t thread)
{
	struct dump *dump = paged_dump(filter->paged, source);

	return dump && thread < dump_meta(dump)->thread_count &&
	       filter->threads_off[source][thread];
}

/* ---- in words ---------------------------------------------------------------------------------
 */

static void separate(struct out *out, size_t before)
{
	if (out->bytes > before)
		out_text(out, ", ");
}

void tui_filter_describe(const struct tui_filter *filter, struct out *out)
{
	const size_t before = out->bytes;

	if (filter->least > LEVEL_TRACE)
		out_printf(out, "%s and worse", level_name(filter->least));
	if (filter->target) {
		separate(out, before);
		out_text(out, "target ");
		out_escaped(out, (struct span){filter->target, strlen(filter->target)}, 0);
	}
	if (filter->thread) {
		separate(out, before);
		out_text(out, "thread ");
		out_escaped(out, filter->thread->name, 0);
		out_printf(out, "/%" PRIu64, filter->thread->tid.bits);
	}
	if (filter->site) {
		separate(out, before);
		out_text(out, "site ");
		out_escaped(out, filter->site->file, 0);
		out_printf(out, ":%" PRIu64, filter->site->line);
	}
	for (size_t i = 0; i < filter->expression_count; i++) {
		const char *text = filter->expressions[i];

		separate(out, before);
		out_escaped(out, (struct span){text, strlen(text)}, 0);
	}
	if (filter->hidden_count) {
		separate(out, before);
		out_printf(out, "%zu site%s hidden", filter->hidden_count,
			   filter->hidden_count == 1 ? "" : "s");
	}
	if (filter->off_count) {
		separate(out, before);
		out_printf(out, "%zu thread%s off", filter->off_count,
			   filter->off_count == 1 ? "" : "s");
	}
}
