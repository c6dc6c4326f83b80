/* SPDX-License-Identifier: MIT */
/*
 * metrics.c - who asks for figures, and what has to be looked at before there is an answer.
 *
 * A question waits for a look at the clients' regions (census.h), at the folder of dumps (a worker,
 * as that may be on a disk that is gone), or both. Looks that are a second old are good enough, so
 * that asking faster costs no more.
 */
#include "recorder/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder/census.h"
#include "recorder/http.h"
#include "recorder/log.h"
#include "recorder/metrics_file.h"
#include "recorder/metrics_parts.h"
#include "recorder/now.h"
#include "recorder/recorder.h"
#include "recorder/watch.h"

#define FRESH_NS UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define JSON_TYPE "application/json"

enum look { LOOK_CLIENTS = 1, LOOK_STORAGE = 2 };

struct storage_job {
	struct workers_job job;
	struct metrics *metrics;
	int dir_fd;
	struct keep *keep;
	struct metrics_storage found;
};

/* Somebody who asked. */
struct question {
	struct question *next, *previous;
	struct http_connection *connection; /* NULL: it is for the file */
	unsigned int needs;		    /* enum look */
	bool is_ready;			    /* /readyz, else the figures */
	struct loop_timer timer;
	struct metrics *metrics;
};

struct metrics {
	struct recorder *recorder;
	struct metrics_socket socket;
	struct http *http;
	struct census *census;
	struct metrics_file *file;
	uint64_t start_ns, start_monotonic_ns;
	struct question questions;	 /* head of the list */
	struct storage_job *storage_job; /* not NULL: it is with a worker */
	uint64_t storage_began_ns;
	struct metrics_storage storage;
};

/* ---- what is known ---------------------------------------------------------------------- */

static struct metrics_facts facts_of(const struct metrics *metrics)
{
	const struct recorder *recorder = metrics->recorder;
	const struct watch *watch = recorder->watch;
	const uint64_t now = now_ns(CLOCK_MONOTONIC);

	struct metrics_facts facts = {
		.start_ns = metrics->start_ns,
		.uptime_s = (now - metrics->start_monotonic_ns) / UINT64_C(1000000000),
		.rung = recorder->rung,
		.have_watch = watch,
		.is_listening = recorder->listener.fd >= 0,
		.clients = clients_living_count(recorder->clients),
		.dumps_pending = workers_pending(recorder->writers) - !!metrics->storage_job,
		.memory_bytes = clients_memory_bytes(recorder->clients),
		.memory_bytes_max = clients_memory_bytes_max(recorder->clients),
		.bpf_lost = watch ? watch_lost(watch) : 0,
		.bpf_shed = watch ? watch_shed(watch) : 0,
		.bpf_scenes_lost = watch ? watch_scenes_lost(watch) : 0,
		.triggers = clients_triggers(recorder->clients),
		.storage = metrics->storage,
		.storage_is_late = metrics->storage_job &&
				   now - metrics->storage_began_ns >
					   (METRICS_PATIENCE_MS / 2) * NS_PER_MS,
		.services = census_services(metrics->census),
	};

	histories_figures(recorder->histories, &facts.history);
	return facts;
}

/* malloc'ed; NULL: no memory. */
static char *render(const struct metrics *metrics,
		    bool (*write)(FILE *file, const struct metrics_facts *facts), size_t *ret_bytes,
		    bool *ret_well)
{
	const struct metrics_facts facts = facts_of(metrics);
	char *text = NULL;
	FILE *file = open_memstream(&text, ret_bytes);
	bool failed;

	if (!file)
		return NULL;
	*ret_well = write(file, &facts);
	failed = ferror(file);
	if (fclose(file) || failed) {
		free(text);
		return NULL;
	}
	return text;
}

static bool write_figures(FILE *file, const struct metrics_facts *facts)
{
	metrics_write_text(file, facts);
	return true;
}

static void answer(struct metrics *metrics, struct http_connection *connection,
		   bool (*write)(FILE *file, const struct metrics_facts *facts), const char *type)
{
	size_t bytes = 0;
	bool well = false;
	char *text = render(metrics, write, &bytes, &well);

	http_answer(connection, !text ? 500 : well ? 200 : 503, type, text, bytes);
}

/* ---- questions -------------------------------------------------------------------------- */

static void question_free(struct question *question)
{
	question->next->previous = question->previous;
	question->previous->next = question->next;
	loop_timer_clear(&question->timer);
	free(question);
}

static void question_answer(struct question *question)
{
	struct metrics *metrics = question->metrics;
	struct http_connection *connection = question->connection;
	const bool is_ready = question->is_ready;
	size_t bytes = 0;
	bool well;
	char *text;

	question_free(question);
	if (connection) {
		answer(metrics, connection, is_ready ? health_write_ready : write_figures,
		       is_ready ? JSON_TYPE : TEXT_TYPE);
		return;
	}
	text = render(metrics, write_figures, &bytes, &well);
	if (text)
		metrics_file_write(metrics->file, text, bytes);
}

static void out_of_patience(void *context)
{
	question_answer(context);
}

/* An answer may make a peer ask again, or go: nothing is kept over it but the list itself. */
static void looked(struct metrics *metrics, enum look what)
{
	struct question *question = metrics->questions.next;

	for (; question != &metrics->questions; question = question->next)
		question->needs &= ~(unsigned int)what;
	for (question = metrics->questions.next; question != &metrics->questions;) {
		if (question->needs) {
			question = question->next;
			continue;
		}
		question_answer(question);
		question = metrics->questions.next;
	}
}

static void clients_looked(void *context)
{
	looked(context, LOOK_CLIENTS);
}

static void look_at_storage(struct workers_job *job)
{
	struct storage_job *storage = (struct storage_job *)job;
	struct stat folder;

	storage->found = (struct metrics_storage){0};
	storage->found.err =
		keep_space(storage->keep, &storage->found.free_bytes, &storage->found.floor_bytes);
	if (!storage->found.err && fstat(storage->dir_fd, &folder))
		storage->found.err = -errno;
	if (!storage->found.err &&
	    !folder.st_nlink) /* removed: root may write to it all the same */
		storage->found.err = -ENOENT;
	if (!storage->found.err && faccessat(storage->dir_fd, ".", W_OK | X_OK, AT_EACCESS))
		storage->found.err = -errno;
	storage->found.looked_ns = now_ns(CLOCK_MONOTONIC);
}

static void storage_looked(struct workers_job *job)
{
	struct storage_job *storage = (struct storage_job *)job;
	struct metrics *metrics = storage->metrics;
	const struct metrics_storage found = storage->found;

	free(storage);
	if (!metrics) /* closed meanwhile */
		return;
	metrics->storage_job = NULL;
	metrics->storage = found;
	looked(metrics, LOOK_STORAGE);
}

static void begin_storage(struct metrics *metrics)
{
	struct storage_job *storage;

	if (metrics->storage_job)
		return;
	storage = calloc(1, sizeof(*storage));
	if (!storage)
		return; /* patience will end it */
	storage->job = (struct workers_job){.run = look_at_storage, .done = storage_looked};
	storage->metrics = metrics;
	storage->dir_fd = metrics->recorder->store.dir_fd;
	storage->keep = metrics->recorder->keep;
	metrics->storage_job = storage;
	metrics->storage_began_ns = now_ns(CLOCK_MONOTONIC);
	workers_submit(metrics->recorder->writers, &storage->job);
}

static bool is_fresh(uint64_t looked_ns)
{
	return looked_ns && now_ns(CLOCK_MONOTONIC) - looked_ns < FRESH_NS;
}

/* connection NULL: for the file. */
static void ask(struct metrics *metrics, struct http_connection *connection, bool is_ready)
{
	struct question *question = calloc(1, sizeof(*question));

	if (!question) {
		if (connection)
			http_answer(connection, 503, NULL, NULL, 0);
		return;
	}
	question->metrics = metrics;
	question->connection = connection;
	question->is_ready = is_ready;
	question->next = &metrics->questions;
	question->previous = metrics->questions.previous;
	question->previous->next = metrics->questions.previous = question;
	if (!is_fresh(metrics->storage.looked_ns)) {
		question->needs |= LOOK_STORAGE;
		begin_storage(metrics);
	}
	if (!is_ready && !is_fresh(census_looked_ns(metrics->census))) {
		question->needs |= LOOK_CLIENTS;
		census_look(metrics->census);
	}
	if (question->needs)
		loop_timer_set(metrics->recorder->loop, &question->timer, METRICS_PATIENCE_MS,
			       out_of_patience, question);
	else
		question_answer(question);
}

/* ---- who asks --------------------------------------------------------------------------- */

static void request_came(void *context, struct http_connection *connection,
			 const struct http_request *request)
{
	struct metrics *metrics = context;

	if (!strcmp(request->path, "/metrics"))
		ask(metrics, connection, false);
	else if (!strcmp(request->path, "/readyz") || !strcmp(request->path, "/healthz"))
		ask(metrics, connection, true);
	else if (!strcmp(request->path, "/livez"))
		answer(metrics, connection, health_write_live, JSON_TYPE);
	else
		http_answer(connection, 404, NULL, NULL, 0);
}

static void peer_gone(void *context, struct http_connection *connection)
{
	struct metrics *metrics = context;
	struct question *question = metrics->questions.next;

	for (; question != &metrics->questions; question = question->next)
		if (question->connection == connection) {
			question_free(question);
			return;
		}
}

static void file_due(void *context)
{
	ask(context, NULL, false);
}

/* ---- open, close ------------------------------------------------------------------------ */

static int fail(const char *what, int err)
{
	if (err == -ENONET)
		log_error("%s: not a loopback address (others could read the figures; "
			  "--metrics-remote says that they may)",
			  what);
	else if (err == -EINVAL)
		log_error("%s: no address (127.0.0.1:9464, [::1]:9464, unix:PATH)", what);
	else
		log_error("%s: %s", what, strerror(-err));
	return err;
}

static int open_http(struct metrics *metrics, const struct metrics_options *options)
{
	const struct http_handlers handlers = {
		.request = request_came,
		.gone = peer_gone,
		.context = metrics,
	};
	char where[160];
	int err = metrics_listen(&metrics->socket, options->address, options->remote, where,
				 sizeof(where));

	if (!err)
		err = http_open(&metrics->http, metrics->recorder->loop, metrics->socket.fd,
				&handlers);
	if (err)
		return fail(options->address, err);
	log_say("figures are at %s", where);
	return 0;
}

int metrics_open(struct metrics **ret_metrics, struct recorder *recorder,
		 const struct metrics_options *options)
{
	struct metrics *metrics;
	int err;

	*ret_metrics = NULL;
	if (!options->address && !options->file)
		return 0;
	metrics = calloc(1, sizeof(*metrics));
	if (!metrics)
		return fail("figures", -ENOMEM);
	metrics->recorder = recorder;
	metrics->socket = (struct metrics_socket){.fd = -1, .listener.fd = -1};
	metrics->questions.next = metrics->questions.previous = &metrics->questions;
	metrics->start_ns = now_ns(CLOCK_REALTIME);
	metrics->start_monotonic_ns = now_ns(CLOCK_MONOTONIC);
	err = census_open(&metrics->census, recorder->clients, recorder->loop, clients_looked,
			  metrics);
	if (err)
		fail("figures", err);
	if (!err && options->address)
		err = open_http(metrics, options);
	if (!err && options->file) {
		err = metrics_file_open(&metrics->file, recorder->loop, recorder->writers,
					options->file, options->file_interval_s, file_due, metrics);
		if (err)
			fail(options->file, err);
	}
	if (err) {
		metrics_close(metrics);
		return err;
	}
	*ret_metrics = metrics;
	return 0;
}

int metrics_folder_fd(const struct metrics *metrics)
{
	return metrics && metrics->file ? metrics_file_folder_fd(metrics->file) : -1;
}

void metrics_close(struct metrics *metrics)
{
	if (!metrics)
		return;
	http_close(metrics->http);
	metrics_unlisten(&metrics->socket);
	metrics_file_close(metrics->file);
	while (metrics->questions.next != &metrics->questions)
		question_free(metrics->questions.next);
	census_close(metrics->census);
	if (metrics->storage_job)
		metrics->storage_job->metrics = NULL;
	free(metrics);
}
