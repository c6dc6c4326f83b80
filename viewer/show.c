/* SPDX-License-Identifier: MIT */
#include "viewer/show.h"

#include <errno.h>
#include <stdlib.h>

#include "viewer/format.h"
#include "viewer/select.h"

static int run(struct select *select, const struct format *format, void *state, const struct out *out,
	       const struct selection *selection, struct shown *ret_shown)
{
	struct record *record = calloc(1, sizeof(*record));
	int error = record ? 0 : -ENOMEM;

	while (!error && !out->error && select_next(select, record)) {
		ret_shown->events++;
		error = format->event(state, record);
	}
	free(record);
	if (!error)
		error = select_error(select);
	if (error)
		return error;
	ret_shown->complete = select_complete(select);
	/* Nothing to see is nothing to see: no line of a death among no events. */
	error = format->end(state, ret_shown->complete &&
					   (ret_shown->events || !selection->query.term_count));
	return error ? error : out->error;
}

/* Whoever reads along has what there is while there is no more. */
static void flush(void *context)
{
	out_flush(context);
}

int show_events(struct out *out, struct options *options, struct dump *const *dumps,
		size_t dump_count, struct shown *ret_shown)
{
	const struct format_env env = {.out = out,
				       .dumps = dumps,
				       .dump_count = dump_count,
				       .output = options->output,
				       .columns = options->columns,
				       .stats = &options->stats,
				       .time = options->time,
				       .colour = options->colour,
				       .reverse = options->select.reverse,
				       .width = options->width};
	const struct format *format = options->format;
	struct select *select = NULL;
	void *state = NULL;
	int error;

	*ret_shown = (struct shown){0};
	for (size_t i = 0; i < dump_count; i++)
		dump_on_wait(dumps[i], flush, out);
	error = format->open(&state, &env);
	if (!error)
		error = select_open(&select, &options->select, dumps, dump_count);
	if (!error)
		error = run(select, format, state, out, &options->select, ret_shown);
	select_close(select);
	format->close(state);
	return error;
}
