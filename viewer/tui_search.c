/* SPDX-License-Identifier: MIT */
#include "viewer/tui_search.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "viewer/pattern.h"

int tui_search_open(struct tui_search *search, struct dump *const *dumps, size_t count)
{
	struct format_env env = {.dumps = dumps, .dump_count = count, .time = TIME_UNIX};
	int error;

	memset(search, 0, offsetof(struct tui_search, record));
	out_init(&search->out, -1);
	error = columns_parse(&search->columns, "level,thread,tid,target,msg,channel,fields");
	if (error)
		return error;
	env.columns = search->columns;
	error = text_line_init(&search->line, &env, false);
	search->have_line = !error;
	return error;
}

void tui_search_close(struct tui_search *search)
{
	if (search->have_regex)
		regfree(&search->regex);
	if (search->have_line)
		text_line_fini(&search->line);
	columns_close(search->columns);
	out_fini(&search->out);
}

bool tui_search_set(struct tui_search *search, const char *text, char *why, size_t why_bytes)
{
	const char *refused;
	int error;

	if (search->have_regex)
		regfree(&search->regex);
	search->have_regex = false;
	search->text[0] = '\0';
	search->ignore_case = true;
	for (const char *at = text; *at; at++)
		if (isupper((unsigned char)*at))
			search->ignore_case = false;
	search->plain = !strpbrk(text, ".[]()*+?{}|^$\\");
	if (!search->plain) {
		refused = pattern_refused((struct span){text, strlen(text)});
		if (refused) {
			snprintf(why, why_bytes, "%s", refused);
			return false;
		}
		error = regcomp(&search->regex, text,
				REG_EXTENDED | (search->ignore_case ? REG_ICASE : 0));
		if (error) {
			regerror(error, &search->regex, why, why_bytes);
			return false;
		}
		search->have_regex = true;
	}
	snprintf(search->text, sizeof(search->text), "%s", text);
	return true;
}

bool tui_search_in(const struct tui_search *search, const char *line, size_t at, size_t *ret_from,
		   size_t *ret_to)
{
	regmatch_t match;
	const char *found;

	if (!search->text[0])
		return false;
	if (search->plain) {
		found = search->ignore_case ? strcasestr(line + at, search->text)
					    : strstr(line + at, search->text);
		if (!found)
			return false;
		*ret_from = (size_t)(found - line);
		*ret_to = *ret_from + strlen(search->text);
		return true;
	}
	if (regexec(&search->regex, line + at, 1, &match, at ? REG_NOTBOL : 0))
		return false;
	*ret_from = at + (size_t)match.rm_so;
	*ret_to = at + (size_t)match.rm_eo;
	return true;
}

bool tui_search_text(void *context, const struct paged_item *item)
{
	struct tui_search *search = context;
	size_t from, to;

	search->out.bytes = 0;
	if (item->mark) {
		out_escaped(&search->out, item->mark->meta->cause.sentence, 0);
	} else {
		search->record.event = item->event;
		search->record.decoded = false;
		text_line_write(&search->line, &search->out, &search->record, 0);
	}
	out_char(&search->out, '\0');
	return !search->out.error && tui_search_in(search, search->out.data, 0, &from, &to);
}

bool tui_search_level(void *context, const struct paged_item *item)
{
	const struct tui_search *search = context;

	return !item->mark && item->event.site->level >= search->least &&
	       item->event.site->level != LEVEL_UNKNOWN;
}

bool tui_search_thread(void *context, const struct paged_item *item)
{
	const struct tui_search *search = context;

	return !item->mark && item->event.thread == search->thread;
}
