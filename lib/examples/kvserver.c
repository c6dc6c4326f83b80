/* SPDX-License-Identifier: MIT */
/*
 * kvserver.c - a small key-value service with a flight recorder on board.
 *
 *     kvserver [--port N] [--port-file FILE] [--workers N] [--count-file FILE]
 *
 * Lines over TCP on 127.0.0.1: SET key value, GET key, DEL key, INCR key, RESTORE key length value,
 * STATS, SHUTDOWN. Each worker thread has an epoll and a listening socket of its own, and the kernel
 * spreads the connections over them (SO_REUSEPORT). Every request is recorded twice: at debug when it came, so that the one that kills us is in the dump, and
 * at info when it was answered.
 *
 * It has two faults, found in the field and left in: `make demo` uses them.
 */
#define TTLOG_TARGET "kv"
#include <ttlog.h>

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kvcount.h" /* RECORD(level, count, ...) is ttlog_level(...), and counts it */
#include "kvtable.h"

#define LINE_BYTES_MAX 1024
#define REPLY_BYTES_MAX (LINE_BYTES_MAX + 64)
#define EPOLL_BATCH 64

struct connection {
	struct connection *prev, *next;
	uint64_t id;
	int fd;
	size_t used;
	char input[LINE_BYTES_MAX];
};

struct worker {
	pthread_t thread;
	int epoll, listener;
	int index;
	struct connection connections; /* head of a ring */
	struct kv_count *count;	       /* where this thread counts what it recorded */
};

struct request {
	uint64_t id;
	const char *op, *key, *value;
	size_t bytes;
};

static int stop_event = -1;
static atomic_uint_fast64_t request_count, connection_count;
static struct kv_counts *counts, private_counts;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- the commands: each writes its reply and returns a status --------------------------------- */

static int command_set(const struct request *request, char *reply)
{
	struct shard *shard = shard_lock(request->key);
	int status = shard_set(shard, request->key, request->value);

	pthread_mutex_unlock(&shard->lock);
	strcpy(reply, status == 200 ? "OK" : "ERR full");
	return status;
}

static int command_get(const struct request *request, char *reply)
{
	struct shard *shard = shard_lock(request->key);
	const struct entry *entry = shard_find(shard, request->key);
	bool found = entry && entry->value;

	snprintf(reply, REPLY_BYTES_MAX, "%s", found ? entry->value : "NIL");
	pthread_mutex_unlock(&shard->lock);
	return found ? 200 : 404;
}

static int command_del(const struct request *request, char *reply)
{
	struct shard *shard = shard_lock(request->key);
	struct entry *entry = shard_find(shard, request->key);
	bool found = entry && entry->value;

	if (found) {
		free(entry->value);
		entry->value = NULL;
		table_keys--;
	}
	pthread_mutex_unlock(&shard->lock);
	strcpy(reply, found ? "OK" : "NIL");
	return found ? 200 : 404;
}

static int command_incr(const struct request *request, char *reply)
{
	struct shard *shard = shard_lock(request->key);
	const struct entry *entry = shard_find(shard, request->key);
	char *end = NULL, digits[32] = "";
	long long number = 0;
	int status;

	/* The first fault: a key that was deleted has an entry, and no value. */
	if (entry)
		number = strtoll(entry->value, &end, 10);
	if (end && (*end || end == entry->value)) {
		pthread_mutex_unlock(&shard->lock);
		strcpy(reply, "ERR not a number");
		return 409;
	}
	snprintf(digits, sizeof(digits), "%lld", number < INT64_MAX ? number + 1 : number);
	status = shard_set(shard, request->key, digits);
	pthread_mutex_unlock(&shard->lock);
	strcpy(reply, status == 200 ? digits : "ERR full");
	return status;
}

/* RESTORE key length value: what a backup would send. */
static int command_restore(const struct request *request, char *reply)
{
	char *value = NULL;
	struct request set = *request;
	size_t length = strtoul(request->value, &value, 10);

	/* The second fault: a client's number is checked as if it were ours. */
	assert(*value == ' ' && strlen(value + 1) == length);
	set.value = value + 1;
	return command_set(&set, reply);
}

static int command_stats(const struct request *request, char *reply)
{
	snprintf(reply, REPLY_BYTES_MAX, "requests %" PRIu64 " connections %" PRIu64 " keys %" PRIu64,
		 request->id, (uint64_t)connection_count, (uint64_t)table_keys);
	return 200;
}

static int command_shutdown(const struct request *request, char *reply)
{
	(void)request;
	/* Nobody reads it: from now on it is readable for every worker. */
	eventfd_write(stop_event, 1);
	strcpy(reply, "OK");
	return 200;
}

static const struct command {
	const char *name;
	int arguments;
	int (*run)(const struct request *request, char *reply);
} commands[] = {
	{"GET", 1, command_get},     {"SET", 2, command_set},	      {"DEL", 1, command_del},
	{"INCR", 1, command_incr},   {"RESTORE", 2, command_restore}, {"STATS", 0, command_stats},
	{"SHUTDOWN", 0, command_shutdown},
};

/* ---- requests --------------------------------------------------------------------------------- */

/* Splits the line in place. The command, or NULL with *ret_why. */
static const struct command *request_parse(struct request *request, char *line, const char **ret_why)
{
	int arguments;

	request->bytes = strlen(line);
	request->op = strsep(&line, " ");
	request->key = line ? strsep(&line, " ") : "";
	request->value = line ? line : "";
	arguments = line ? 2 : *request->key ? 1 : 0;
	*ret_why = "key too long";
	if (strlen(request->key) > KEY_BYTES_MAX)
		return NULL;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		*ret_why = "wrong number of arguments";
		if (strcmp(request->op, commands[i].name) == 0)
			return arguments == commands[i].arguments ? &commands[i] : NULL;
	}
	*ret_why = "unknown command";
	return NULL;
}

static void request_serve(struct worker *worker, struct connection *connection, char *line)
{
	struct request request = {.id = ++request_count};
	const struct command *command;
	const uint64_t start_ns = now_ns();
	char reply[REPLY_BYTES_MAX];
	const char *why;
	int status;
	size_t length;

	command = request_parse(&request, line, &why);
	if (!command) {
		RECORD(warn, worker->count, "Request refused", "request_id", request.id, "why", why,
		       "op", request.op, "connection", connection->id);
		snprintf(reply, sizeof(reply), "ERR %s", why);
	} else {
		RECORD(debug, worker->count, "Request received", "request_id", request.id, "op",
		       request.op, "key", request.key, "bytes", request.bytes);
		status = command->run(&request, reply);
		if (status >= 500)
			RECORD(error, worker->count, "Table full", "request_id", request.id, "key",
			       request.key, "keys", table_keys);
		RECORD(info, worker->count, "Request served", "request_id", request.id, "op",
		       request.op, "key", request.key, "status", status, "duration_ns",
		       now_ns() - start_ns);
	}
	length = strlen(reply);
	reply[length++] = '\n';
	/* A client that lets its replies pile up loses its connection, not our memory. */
	if (send(connection->fd, reply, length, MSG_NOSIGNAL) != (ssize_t)length) {
		RECORD(warn, worker->count, "Reply not taken", "request_id", request.id, "connection",
		       connection->id, "errno", errno);
		shutdown(connection->fd, SHUT_RDWR);
	}
}

/* ---- connections ------------------------------------------------------------------------------ */

static void connection_close(struct worker *worker, struct connection *connection, const char *why)
{
	RECORD(debug, worker->count, "Connection closed", "connection", connection->id, "why", why);
	connection->prev->next = connection->next;
	connection->next->prev = connection->prev;
	close(connection->fd);
	free(connection);
}

static void connection_accept(struct worker *worker)
{
	int fd = accept4(worker->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
	struct connection *connection;
	struct epoll_event event = {.events = EPOLLIN};

	if (fd < 0) {
		RECORD(warn, worker->count, "Accept failed", "errno", errno);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	connection = calloc(1, sizeof(*connection));
	event.data.ptr = connection;
	if (!connection || epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		RECORD(error, worker->count, "Connection refused", "errno", errno);
		close(fd);
		free(connection);
		return;
	}
	connection->fd = fd;
	connection->id = ++connection_count;
	connection->prev = &worker->connections;
	connection->next = worker->connections.next;
	connection->next->prev = worker->connections.next = connection;
	RECORD(debug, worker->count, "Connection accepted", "connection", connection->id, "fd", fd);
}

static void connection_read(struct worker *worker, struct connection *connection)
{
	char *line = connection->input, *end;
	ssize_t got = read(connection->fd, connection->input + connection->used,
			   sizeof(connection->input) - connection->used);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		if (connection->used)
			RECORD(warn, worker->count, "Client left in the middle of a request",
			       "connection", connection->id, "bytes", connection->used);
		connection_close(worker, connection, got < 0 ? strerrorname_np(errno) : "client left");
		return;
	}
	connection->used += (size_t)got;
	while ((end = memchr(line, '\n', connection->used))) {
		*end = '\0';
		connection->used -= (size_t)(end + 1 - line);
		request_serve(worker, connection, line);
		line = end + 1;
	}
	memmove(connection->input, line, connection->used);
	if (connection->used == sizeof(connection->input)) {
		RECORD(warn, worker->count, "Line too long", "connection", connection->id, "head",
		       ttlog_bytes(connection->input, 32));
		connection_close(worker, connection, "line too long");
	}
}

/* ---- workers ---------------------------------------------------------------------------------- */

static void *worker_run(void *argument)
{
	struct worker *worker = argument;
	struct epoll_event events[EPOLL_BATCH];
	char name[16];
	bool running = true;

	snprintf(name, sizeof(name), "worker-%d", worker->index % 100);
	pthread_setname_np(pthread_self(), name);
	kv_count_begin(worker->count);
	RECORD(info, worker->count, "Worker started", "worker", worker->index);
	while (running) {
		int ready = epoll_wait(worker->epoll, events, EPOLL_BATCH, -1);

		for (int i = 0; i < ready; i++) {
			if (events[i].data.ptr == &stop_event)
				running = false;
			else if (events[i].data.ptr == &worker->listener)
				connection_accept(worker);
			else
				connection_read(worker, events[i].data.ptr);
		}
	}
	while (worker->connections.next != &worker->connections)
		connection_close(worker, worker->connections.next, "shutdown");
	RECORD(info, worker->count, "Worker stopped", "worker", worker->index);
	close(worker->epoll);
	close(worker->listener);
	return NULL;
}

/* *port 0 takes a free one and says which; workers after the first share it. */
static int listener_open(uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(*port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, error;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 128) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0) {
		error = -errno;
		close(fd);
		return error;
	}
	*port = ntohs(address.sin_port);
	return fd;
}

static int worker_start(struct worker *worker, int index, uint16_t *port)
{
	struct epoll_event arrival = {.events = EPOLLIN, .data.ptr = &worker->listener};
	struct epoll_event stop = {.events = EPOLLIN, .data.ptr = &stop_event};
	int error;

	worker->index = index;
	worker->count = &counts->thread[1 + index];
	worker->connections.prev = worker->connections.next = &worker->connections;
	worker->listener = listener_open(port);
	if (worker->listener < 0)
		return worker->listener;
	worker->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (worker->epoll < 0 ||
	    epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->listener, &arrival) < 0 ||
	    epoll_ctl(worker->epoll, EPOLL_CTL_ADD, stop_event, &stop) < 0)
		error = -errno;
	else
		error = -pthread_create(&worker->thread, NULL, worker_run, worker);
	if (error) {
		close(worker->listener);
		if (worker->epoll >= 0)
			close(worker->epoll);
	}
	return error;
}

/* ---- start and end ---------------------------------------------------------------------------- */

/* One line, "port pid", in one write: the file may be a FIFO that somebody waits at. */
static int port_tell(const char *path, uint16_t port)
{
	char line[32];
	int length = snprintf(line, sizeof(line), "%u %d\n", port, (int)getpid());
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t wrote;

	if (fd < 0)
		return -errno;
	wrote = write(fd, line, (size_t)length);
	close(fd);
	return wrote == length ? 0 : -EIO;
}

struct options {
	uint16_t port, workers;
	const char *port_file, *count_file;
};

static int number_parse(const char *text, unsigned long least, unsigned long most, uint16_t *ret_number)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || number < least || number > most)
		return -EINVAL;
	*ret_number = (uint16_t)number;
	return 0;
}

static int options_parse(struct options *options, int argc, char **argv)
{
	static const struct option table[] = {{"port", 1, NULL, 'p'},
					      {"port-file", 1, NULL, 'f'},
					      {"workers", 1, NULL, 'w'},
					      {"count-file", 1, NULL, 'c'},
					      {NULL, 0, NULL, 0}};
	int option, result = 0;

	while (result == 0 && (option = getopt_long(argc, argv, "p:f:w:c:", table, NULL)) != -1) {
		if (option == 'p')
			result = number_parse(optarg, 0, UINT16_MAX, &options->port);
		else if (option == 'w')
			result = number_parse(optarg, 1, KV_THREADS_MAX - 1, &options->workers);
		else if (option == 'f')
			options->port_file = optarg;
		else if (option == 'c')
			options->count_file = optarg;
		else
			result = -EINVAL;
	}
	return optind == argc ? result : -EINVAL;
}

static int serve(const struct options *options)
{
	struct worker workers[KV_THREADS_MAX] = {0};
	struct kv_count *count = &counts->thread[0];
	uint16_t port = options->port;
	int started = 0, result = 0;

	RECORD(info, count, "Service starts", "workers", options->workers);
	while (result == 0 && started < options->workers) {
		result = worker_start(&workers[started], started, &port);
		if (result == 0)
			started++;
	}
	if (result == 0 && options->port_file)
		result = port_tell(options->port_file, port);
	if (result < 0) {
		eventfd_write(stop_event, 1);
	} else {
		RECORD(info, count, "Service listens", "port", port);
		printf("kvserver: pid %d listens on 127.0.0.1:%u\n", (int)getpid(), port);
		fflush(stdout);
	}
	for (int i = 0; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	RECORD(info, count, "Service stops", "requests", request_count, "connections",
	       connection_count, "result", result);
	return result;
}

int main(int argc, char **argv)
{
	struct options options = {.workers = 4};
	int result;

	if (options_parse(&options, argc, argv) < 0) {
		fprintf(stderr, "usage: kvserver [--port N] [--port-file FILE] [--workers 1..%d] "
			"[--count-file FILE]\n", KV_THREADS_MAX - 1);
		return 2;
	}
	ttlog_init("kvserver");
	table_init();
	stop_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	counts = options.count_file ? kv_counts_map(options.count_file, true) : &private_counts;
	if (stop_event < 0 || !counts) {
		result = -errno;
	} else {
		kv_count_begin(&counts->thread[0]);
		result = serve(&options);
	}
	table_free();
	if (stop_event >= 0)
		close(stop_event);
	if (result < 0)
		fprintf(stderr, "kvserver: %s\n", strerror(-result));
	return result < 0 ? 1 : 0;
}
