/* SPDX-License-Identifier: MIT */
/* The arguments of what selects. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "viewer/options.h"

#define CONTEXT_DEFAULT 10
#define CONTEXT_MAX 1000000

/* ---- expressions ------------------------------------------------------------------------------
 */

/* What was typed may hold anything, and goes to a terminal; a caret stands below where it went wrong. */
static void complain(const char *what, const char *text, const struct query_error *error)
{
	struct out out;
	size_t columns;

	out_init(&out, -1);
	out_printf(&out, "ttlog-view: bad %s: %s\n  ", what, error->why);
	columns = out_escaped(&out, (struct span){text, error->at}, 0);
	out_escaped(&out, (struct span){text + error->at, strlen(text + error->at)}, 0);
	out_text(&out, "\n  ");
	out_pad(&out, ' ', columns);
	out_text(&out, "^\n");
	if (!out.error)
		fwrite(out.data, 1, out.bytes, stderr);
	out_fini(&out);
}

static enum option_result added(const char *what, const char *text, int result,
				const struct query_error *error)
{
	if (result == -EINVAL)
		complain(what, text, error);
	else if (result)
		fprintf(stderr, "ttlog-view: out of memory\n");
	return result ? OPTION_WRONG : OPTION_TAKEN;
}

enum option_result options_filter(struct options *options, const char *argument)
{
	struct query_error error;
	int result = query_add(&options->select.query, argument, &error);

	return added("filter", argument, result, &error);
}

enum option_result options_query(struct options *options, const char *argument)
{
	struct query_error error;
	int result = query_add_query(&options->select.query, argument, &error);

	return added("query", argument, result, &error);
}

enum option_result options_grep(struct options *options, const char *argument)
{
	struct query_error error;
	int result = query_add_test(&options->select.query, QUERY_TEXT, QUERY_FITS, argument, &error);

	return added("regular expression", argument, result, &error);
}

static enum option_result want_time(struct options *options, enum query_op op, const char *option,
				    const char *argument)
{
	if (options->time_count == OPTIONS_TIMES_MAX) {
		fprintf(stderr, "ttlog-view: too many times: %s\n", option);
		return OPTION_WRONG;
	}
	options->times[options->time_count++] = (struct wanted_time){op, option, argument};
	return OPTION_TAKEN;
}

static bool add_times(struct options *options)
{
	bool fine = true;

	options->untimed = options->select.query.term_count;
	for (size_t i = 0; i < options->time_count && fine; i++) {
		const struct wanted_time *time = &options->times[i];
		struct query_error error;
		int result = query_add_test(&options->select.query, QUERY_TIME, time->op,
					    time->argument, &error);

		fine = added(time->option, time->argument, result, &error) == OPTION_TAKEN;
	}
	return fine;
}

enum option_result options_since(struct options *options, const char *argument)
{
	return want_time(options, QUERY_GREATER_EQUAL, "--since", argument);
}

enum option_result options_until(struct options *options, const char *argument)
{
	return want_time(options, QUERY_LESS_EQUAL, "--until", argument);
}

/* ---- levels -----------------------------------------------------------------------------------
 */

/* By name, by its first letter, and as others call it. */
static enum site_level level_from(struct span name)
{
	static const struct {
		const char *name;
		enum site_level level;
	} others[] = {
		{"t", LEVEL_TRACE}, {"d", LEVEL_DEBUG},	     {"i", LEVEL_INFO},
		{"w", LEVEL_WARN},  {"warning", LEVEL_WARN}, {"e", LEVEL_ERROR},
		{"err", LEVEL_ERROR}, {"f", LEVEL_FATAL},
	};
	enum site_level level = level_parse(name);

	for (size_t i = 0; i < sizeof(others) / sizeof(*others) && level >= LEVEL_UNKNOWN; i++)
		if (strlen(others[i].name) == name.bytes &&
		    strncasecmp(others[i].name, name.data, name.bytes) == 0)
			level = others[i].level;
	return level;
}

enum option_result options_priority(struct options *options, const char *argument)
{
	const char *dots = strstr(argument, "..");
	const char *second = dots ? dots + 2 : "fatal";
	enum site_level from = level_from(
		(struct span){argument, dots ? (size_t)(dots - argument) : strlen(argument)});
	enum site_level to = level_from((struct span){second, strlen(second)});
	struct query_error error;
	char text[64];
	int result;

	if (from >= LEVEL_UNKNOWN || to >= LEVEL_UNKNOWN) {
		fprintf(stderr, "ttlog-view: --priority takes a level (trace, debug, info, warn, "
				"error, fatal) or two, as in info..warn, not '%s'\n",
			argument);
		return OPTION_WRONG;
	}
	if (from > to) {
		enum site_level other = from;

		from = to;
		to = other;
	}
	snprintf(text, sizeof(text), "level>=%s and level<=%s", level_name(from), level_name(to));
	result = query_add_query(&options->select.query, text, &error);
	return added("--priority", argument, result, &error);
}

/* ---- given again: or --------------------------------------------------------------------------
 */

static enum option_result collect(struct out *values, const char *argument)
{
	if (values->bytes)
		out_char(values, ',');
	out_text(values, argument);
	return OPTION_TAKEN;
}

enum option_result options_target(struct options *options, const char *argument)
{
	return collect(&options->wanted.targets, argument);
}

enum option_result options_tid(struct options *options, const char *argument)
{
	return collect(&options->wanted.tids, argument);
}

enum option_result options_pid(struct options *options, const char *argument)
{
	return collect(&options->wanted.pids, argument);
}

enum option_result options_service(struct options *options, const char *argument)
{
	return collect(&options->wanted.services, argument);
}

static bool add_collected(struct options *options, struct out *values, enum query_key key,
			  const char *what)
{
	struct query_error error;
	int result;

	if (!values->bytes)
		return true;
	out_char(values, '\0');
	if (values->error)
		result = values->error;
	else
		result = query_add_test(&options->select.query, key, QUERY_EQUAL, values->data,
					&error);
	return added(what, values->data, result, &error) == OPTION_TAKEN;
}

/* ---- around and limits ------------------------------------------------------------------------
 */

enum option_result options_around(struct options *options, const char *argument)
{
	options->select.around = true;
	if (when_parse((struct span){argument, strlen(argument)}, when_now_ns(),
		       &options->select.around_when) == 0)
		return OPTION_TAKEN;
	fprintf(stderr, "ttlog-view: --around takes a time (2026-11-23T10:42:00Z, 10:42, T-10s), not "
			"'%s'\n",
		argument);
	return OPTION_WRONG;
}

enum option_result options_context(struct options *options, const char *argument)
{
	struct selection *select = &options->select;
	char *end;

	errno = 0;
	options->context_said = true;
	select->context = strtoull(argument, &end, 10);
	select->context_ns = 0;
	if (*argument >= '0' && *argument <= '9' && !*end && !errno &&
	    select->context <= CONTEXT_MAX)
		return OPTION_TAKEN;
	if (*end &&
	    when_parse_duration((struct span){argument, strlen(argument)}, &select->context_ns) == 0)
		return OPTION_TAKEN;
	fprintf(stderr, "ttlog-view: --context takes a number of events, or a time with a unit, as "
			"in 250ms, not '%s'\n",
		argument);
	return OPTION_WRONG;
}

enum option_result options_limit(struct options *options, const char *argument)
{
	const char *digits = *argument == '+' ? argument + 1 : argument;
	struct selection *select = &options->select;
	char *end;

	errno = 0;
	select->limit = strtoull(digits, &end, 10);
	select->limited = true;
	select->oldest = *argument == '+';
	if (*digits >= '0' && *digits <= '9' && !*end && !errno)
		return OPTION_TAKEN;
	fprintf(stderr, "ttlog-view: --limit takes a number, or + and a number, not '%s'\n",
		argument);
	return OPTION_WRONG;
}

/* ---- all of it --------------------------------------------------------------------------------
 */

bool options_select_agree(struct options *options)
{
	struct selection *select = &options->select;
	struct wanted *wanted = &options->wanted;

	if (options->context_said && !select->around) {
		fprintf(stderr, "ttlog-view: --context is for --around\n");
		return false;
	}
	if (select->around && select->limited) {
		fprintf(stderr, "ttlog-view: --around has its limit in --context, not in --limit\n");
		return false;
	}
	return add_collected(options, &wanted->targets, QUERY_TARGET, "--target") &&
	       add_collected(options, &wanted->tids, QUERY_TID, "--tid") &&
	       add_collected(options, &wanted->pids, QUERY_PID, "--pid") &&
	       add_collected(options, &wanted->services, QUERY_SERVICE, "--service") &&
	       add_times(options);
}

void options_select_init(struct options *options)
{
	query_init(&options->select.query);
	options->select.context = CONTEXT_DEFAULT;
	out_init(&options->wanted.targets, -1);
	out_init(&options->wanted.tids, -1);
	out_init(&options->wanted.pids, -1);
	out_init(&options->wanted.services, -1);
}

void options_select_fini(struct options *options)
{
	query_fini(&options->select.query);
	out_fini(&options->wanted.targets);
	out_fini(&options->wanted.tids);
	out_fini(&options->wanted.pids);
	out_fini(&options->wanted.services);
}
