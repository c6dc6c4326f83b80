/* SPDX-License-Identifier: MIT */
/* ttlog-view: shows dumps. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "viewer/diff.h"
#include "viewer/follow.h"
#include "viewer/info.h"
#include "viewer/inputs.h"
#include "viewer/interactive.h"
#include "viewer/list.h"
#include "viewer/options.h"
#include "viewer/pager.h"
#include "viewer/show.h"
#include "viewer/siblings.h"
#include "viewer/sql.h"
#include "viewer/verify.h"

struct view {
	struct options options;
	struct inputs inputs;
	struct dump **dumps;
	size_t dump_count;
	struct out out;
	struct pager pager;
	bool unreadable, damaged;
	bool nothing; /* of all events none was wanted */
};

/* A dump needs a descriptor. */
static void allow_descriptors(size_t count)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur > count + 64)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static bool is_open(const struct view *view, const char *path)
{
	for (size_t i = 0; i < view->dump_count; i++)
		if (!strcmp(dump_path(view->dumps[i]), path))
			return true;
	return false;
}

static int open_paths(struct view *view, char **paths, size_t count)
{
	struct dump **dumps =
		reallocarray(view->dumps, view->dump_count + count + 1, sizeof(struct dump *));
	const char *why;

	if (!dumps)
		return -ENOMEM;
	view->dumps = dumps;
	allow_descriptors(view->dump_count + count);
	for (size_t i = 0; i < count; i++) {
		if (view->options.group && is_open(view, paths[i]))
			continue;
		if (dump_open(&view->dumps[view->dump_count], paths[i], &why) == 0) {
			view->dump_count++;
			continue;
		}
		inputs_complain(paths[i], why);
		view->unreadable = true;
	}
	return 0;
}

/* Whose set can't be found is shown alone. */
static int open_group(struct view *view, char *path)
{
	char **paths = NULL;
	size_t count = 0;
	int error = siblings_find(path, &paths, &count);

	if (error == -ENODATA)
		inputs_complain(path, "it is of no set, and shown alone");
	error = error ? open_paths(view, &path, 1) : open_paths(view, paths, count);
	siblings_free(paths, count);
	return error;
}

static int open_dumps(struct view *view)
{
	const struct inputs *inputs = &view->inputs;
	int error = 0;

	if (!view->options.group)
		return open_paths(view, inputs->paths, inputs->count);
	for (size_t i = 0; i < inputs->count && !error; i++)
		error = open_group(view, inputs->paths[i]);
	return error;
}

/* Damage shows only when the whole file was read. */
static void report_damage(struct view *view, struct dump *dump)
{
	char why[160];

	if (!dump_damage(dump, why, sizeof(why)))
		return;
	view->damaged = true;
	inputs_complain(dump_path(dump), why);
}

/* What a format does not make itself. False: it can't be made, and that was said. */
static bool open_output(struct view *view)
{
	const struct options *options = &view->options;
	int fd;

	if (!options->output ||
	    (!options->info && (options->format->flags & (FORMAT_FILE | FORMAT_FOLDER))))
		return true;
	fd = open(options->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0) {
		inputs_complain(options->output, strerror(errno));
		return false;
	}
	view->out.fd = fd;
	return true;
}

/* NULL: nobody wants it, or there is no memory for it. */
static struct redo *redo_of(struct view *view, struct dump *dump)
{
	const struct options *options = &view->options;
	const struct redo_options how = {
		.folders = (const char *const *)options->debug_dirs,
		.folder_count = options->debug_dir_count,
		.debuginfod = options->debuginfod,
	};
	struct redo *redo;

	if (!options->unwind)
		return NULL;
	redo = redo_open(dump_scene(dump), dump_meta(dump), &how);
	if (!redo)
		inputs_complain(dump_path(dump), "not unwound again: out of memory");
	return redo;
}

static void show_info(struct view *view, struct dump *dump)
{
	struct last *last = last_open(dump);
	struct redo *redo;
	struct event event;

	while (dump_next(dump, &event))
		if (last)
			last_take(last, &event);
	/* Its scene is known when all was read. */
	redo = redo_of(view, dump);
	if (view->options.json)
		info_json(&view->out, dump, last, redo);
	else
		info_text(&view->out, dump, last, redo, view->options.colour,
			  view->options.threads);
	redo_close(redo, dump_scene(dump));
	last_close(last);
}

static void show_infos(struct view *view)
{
	for (size_t i = 0; i < view->dump_count && !view->out.error; i++) {
		if (!view->options.json && view->dump_count > 1) {
			const char *path = dump_path(view->dumps[i]);

			out_text(&view->out, i ? "\n==> " : "==> ");
			out_escaped(&view->out, (struct span){path, strlen(path)}, 0);
			out_text(&view->out, " <==\n");
		}
		show_info(view, view->dumps[i]);
	}
}

/* What has nothing to do with events. */
static bool wants_files(const struct options *options)
{
	return options->list || options->verify;
}

static enum view_exit finish(struct view *view, int error, const struct shown *shown)
{
	const struct options *options = &view->options;
	int written = out_flush(&view->out);

	for (size_t i = 0; i < view->dump_count; i++)
		if (!error && !written)
			report_damage(view, view->dumps[i]);
	/* Whoever reads us has seen enough: no reason to complain. */
	if (written == -EPIPE)
		return VIEW_FINE;
	/* What is wrong with it was said. */
	if (options->diff && error == -EINVAL)
		return VIEW_USAGE;
	if (options->sql && (error == -EINVAL || error == -ETIME))
		return error == -EINVAL ? VIEW_USAGE : VIEW_UNREADABLE;
	if (error == -E2BIG) {
		fprintf(stderr, "ttlog-view: too much to turn around: the input is no file, or cut. "
				"How many of it, --limit=N?\n");
		return VIEW_UNREADABLE;
	}
	if (error && options->output && !options->info) {
		inputs_complain(options->output, strerror(-error));
		return VIEW_UNREADABLE;
	}
	if (error || written) {
		fprintf(stderr, "ttlog-view: %s: %s\n", written ? "cannot write" : "cannot go on",
			strerror(-(written ? written : error)));
		return VIEW_UNREADABLE;
	}
	if (view->unreadable)
		return VIEW_UNREADABLE;
	if (view->damaged)
		return VIEW_DAMAGED;
	if (options->info || wants_files(options))
		return VIEW_FINE;
	view->nothing = !shown->events && view->dump_count && options->select.query.term_count &&
			!options->sql && !options->diff && options->format->flags & FORMAT_PEOPLE;
	return options->exit_code && !shown->events ? VIEW_NOTHING : VIEW_FINE;
}

/* What is damaged was said on the screen. */
static enum view_exit finish_interactive(const struct view *view, int error)
{
	if (error)
		fprintf(stderr, "ttlog-view: cannot go on: %s\n", strerror(-error));
	return error || view->unreadable ? VIEW_UNREADABLE : VIEW_FINE;
}

/* One after another: there may be many. */
static void verify_all(struct view *view)
{
	struct dump *dump;
	const char *why;

	for (size_t i = 0; i < view->inputs.count && !view->out.error; i++) {
		if (dump_open(&dump, view->inputs.paths[i], &why)) {
			inputs_complain(view->inputs.paths[i], why);
			view->unreadable = true;
			continue;
		}
		view->damaged |= !verify_dump(&view->out, dump, view->options.json);
		dump_close(dump);
	}
}

static int open_inputs(struct view *view)
{
	const struct options *options = &view->options;
	int error = inputs_open(&view->inputs, options->paths, options->path_count,
				wants_files(options));

	view->unreadable = view->inputs.missing;
	return error || wants_files(options) ? error : open_dumps(view);
}

static void open_pager(struct view *view)
{
	const struct options *options = &view->options;
	const bool people = options->info || wants_files(options)
				    ? !options->json
				    : options->format->flags & FORMAT_PEOPLE;

	if (!people || options->without_pager || options->output)
		return;
	pager_open(&view->pager);
	view->out.fd = view->pager.fd;
}

static int show_inputs(struct view *view, struct shown *ret_shown)
{
	const struct options *options = &view->options;

	if (!view->dump_count && !(wants_files(options) && view->inputs.count))
		return 0;
	open_pager(view);
	if (options->list)
		return list_dumps(&view->out, &view->inputs, options->json, options->colour,
				  &view->unreadable);
	if (options->verify)
		verify_all(view);
	else if (options->info)
		show_infos(view);
	else if (options->sql)
		return sql_run(&view->out, &view->options, view->dumps, view->dump_count,
			       ret_shown);
	else if (options->diff)
		return diff_run(&view->out, &view->options, view->dumps, view->dump_count,
				ret_shown);
	else
		return show_events(&view->out, &view->options, view->dumps, view->dump_count,
				   ret_shown);
	return 0;
}

int main(int argc, char **argv)
{
	struct view view = {0};
	enum view_exit result;
	struct shown shown = {0};
	int error;

	if (redo_is_child(argc, argv))
		return redo_child(argc, argv);
	out_init(&view.out, STDOUT_FILENO);
	if (!options_parse(&view.options, argc, argv, &result))
		goto out;
	if (view.options.follow) {
		result = follow_run(&view.options);
		goto out;
	}
	result = VIEW_UNREADABLE;
	if (!open_output(&view))
		goto out;
	error = view.options.interactive ? interactive_prepare(&view.options) : 0;
	if (!error)
		error = open_inputs(&view);
	if (!error && view.options.interactive && view.dump_count &&
	    interactive_run(&view.options, view.dumps, view.dump_count, &error)) {
		result = finish_interactive(&view, error);
		goto out;
	}
	if (!error)
		error = show_inputs(&view, &shown);
	result = finish(&view, error, &shown);
out:
	if (view.pager.pid)
		pager_close(&view.pager);
	else if (view.out.fd != STDOUT_FILENO && close(view.out.fd) && result == VIEW_FINE)
		result = VIEW_UNREADABLE;
	/* An empty screen could mean anything. */
	if (view.nothing && isatty(STDERR_FILENO))
		fputs("ttlog-view: no event matches\n", stderr);
	for (size_t i = 0; i < view.dump_count; i++)
		dump_close(view.dumps[i]);
	free(view.dumps);
	inputs_close(&view.inputs);
	options_fini(&view.options);
	out_fini(&view.out);
	return (int)result;
}
