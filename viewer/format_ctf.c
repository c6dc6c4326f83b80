/* SPDX-License-Identifier: MIT */
#include "viewer/format_ctf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "viewer/ctf.h"

struct format_ctf {
	struct ctf_trace *traces; /* of each dump */
	size_t count, newest;
};

static void ctf_close(void *state)
{
	struct format_ctf *ctf = state;

	if (!ctf)
		return;
	for (size_t i = 0; i < ctf->count; i++) {
		ctf_trace_fini(&ctf->traces[i]);
		if (ctf->traces[i].folder >= 0)
			close(ctf->traces[i].folder);
	}
	free(ctf->traces);
	free(ctf);
}

/* 0, -ENOTEMPTY, or another negative errno. */
static int must_be_empty(int folder)
{
	int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = 0;
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	if (!dir) {
		found = -errno;
		if (copy >= 0)
			close(copy);
		return found;
	}
	while (!found && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			found = -ENOTEMPTY;
	closedir(dir);
	return found;
}

/* A descriptor, or a negative errno. */
static int make_folder(int in, const char *name)
{
	int folder, error;

	if (mkdirat(in, name, 0700) && errno != EEXIST)
		return -errno;
	folder = openat(in, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return -errno;
	error = must_be_empty(folder);
	if (!error)
		return folder;
	close(folder);
	return error;
}

/* Of the dump that has this place among several. */
static int make_trace_folder(int in, const struct dump *dump, size_t index)
{
	const struct number pid = dump_meta(dump)->pid;
	char name[64];

	snprintf(name, sizeof(name), "%zu-%" PRIu64, index + 1, pid.bits);
	return make_folder(in, name);
}

static int open_traces(struct format_ctf *ctf, const struct format_env *env)
{
	int folder = make_folder(AT_FDCWD, env->output), own, error = 0;

	if (folder < 0)
		return folder;
	if (env->dump_count == 1) {
		ctf->count = 1;
		return ctf_trace_init(&ctf->traces[0], env->dumps[0], folder, env->columns);
	}
	for (size_t i = 0; i < env->dump_count && !error; i++) {
		own = make_trace_folder(folder, env->dumps[i], i);
		if (own < 0) {
			error = own;
			break;
		}
		ctf->count = i + 1;
		error = ctf_trace_init(&ctf->traces[i], env->dumps[i], own, env->columns);
	}
	close(folder);
	return error;
}

static int ctf_open(void **ret_state, const struct format_env *env)
{
	struct format_ctf *ctf = calloc(1, sizeof(*ctf));
	int error;

	if (!ctf)
		return -ENOMEM;
	ctf->traces = calloc(env->dump_count + 1, sizeof(*ctf->traces));
	error = ctf->traces ? open_traces(ctf, env) : -ENOMEM;
	if (error)
		ctf_close(ctf);
	else
		*ret_state = ctf;
	return error;
}

static int ctf_event(void *state, struct record *record)
{
	struct format_ctf *ctf = state;
	struct ctf_trace *trace = &ctf->traces[ctf->newest];

	for (size_t i = 0; trace->dump != record->event.dump && i < ctf->count; i++) {
		ctf->newest = i;
		trace = &ctf->traces[i];
	}
	return ctf_trace_event(trace, record);
}

static int ctf_end(void *state, bool complete)
{
	struct format_ctf *ctf = state;
	int error = 0;

	(void)complete;
	for (size_t i = 0; i < ctf->count && !error; i++)
		error = ctf_trace_end(&ctf->traces[i]);
	return error;
}

const struct format ctf_format = {
	.name = "ctf",
	.help = "a folder for babeltrace2 and Trace Compass",
	.flags = FORMAT_BINARY | FORMAT_FOLDER,
	.open = ctf_open,
	.event = ctf_event,
	.end = ctf_end,
	.close = ctf_close,
};
