/* SPDX-License-Identifier: MIT */
/*
 * http.c - connections and what each is doing.
 *
 *   READING --whole request--> WAITING --http_answer()--> WRITING --all is sent--> READING
 *      |                                                     \--to be closed--> DRAINING --> gone
 *      \--nonsense: the answer to that, then as if to be closed
 *
 * DRAINING: what the peer still sends is read and thrown away for a moment, as a TCP connection
 * that is closed with unread bytes takes the answer with it.
 */
#include "recorder/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "recorder/log.h"

#define ACCEPTS_A_TURN 16
#define REQUEST_TIMEOUT_MS 5000 /* from the first byte to the last, however slowly they come */
#define IDLE_TIMEOUT_MS 90000	/* between two scrapes */
#define WRITE_TIMEOUT_MS 10000
#define DRAIN_TIMEOUT_MS 500
#define ACCEPT_PAUSE_MS 200
#define DRAIN_BYTES 65536

enum state { READING, WAITING, WRITING, DRAINING };

struct http_connection {
	struct http_connection *next, *previous; /* in the order of their last step */
	struct http *http;
	int fd;
	struct loop_source *source;
	struct loop_timer timer;
	enum state state;
	bool keep_alive, is_head;
	size_t drained;
	char *out; /* head and body */
	size_t out_bytes, out_sent;
	size_t in_bytes;
	char in[HTTP_REQUEST_BYTES_MAX];
};

struct http {
	struct loop *loop;
	struct http_handlers handlers;
	int listen_fd;
	struct loop_source *listen_source;
	struct loop_timer accept_timer;
	struct http_connection all; /* head of the list; only its links are used */
	unsigned int count;
};

/* ---- a connection ----------------------------------------------------------------------- */

static void unlink_connection(struct http_connection *connection)
{
	connection->next->previous = connection->previous;
	connection->previous->next = connection->next;
}

static void link_last(struct http_connection *connection)
{
	struct http *http = connection->http;

	connection->next = &http->all;
	connection->previous = http->all.previous;
	connection->previous->next = http->all.previous = connection;
}

static void drop(struct http_connection *connection)
{
	struct http *http = connection->http;

	if (connection->state == WAITING)
		http->handlers.gone(http->handlers.context, connection);
	loop_timer_clear(&connection->timer);
	loop_remove(connection->source);
	close(connection->fd);
	unlink_connection(connection);
	http->count--;
	free(connection->out);
	free(connection);
}

static void timed_out(void *context)
{
	drop(context);
}

/* With what it waits for, and for how long; 0: as long as it takes us. */
static void enter(struct http_connection *connection, enum state state, uint32_t events,
		  uint64_t timeout_ms)
{
	connection->state = state;
	unlink_connection(connection);
	link_last(connection);
	loop_modify(connection->source, events);
	if (timeout_ms)
		loop_timer_set(connection->http->loop, &connection->timer, timeout_ms, timed_out,
			       connection);
	else
		loop_timer_clear(&connection->timer);
}

/* ---- the answer ------------------------------------------------------------------------- */

static const char *reason_of(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 413:
		return "Content Too Large";
	case 431:
		return "Request Header Fields Too Large";
	case 503:
		return "Service Unavailable";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Internal Server Error";
	}
}

/* True: all is sent, or never will be (then the connection is gone and *ret_gone says so). */
static bool send_out(struct http_connection *connection, bool *ret_gone)
{
	*ret_gone = false;
	while (connection->out_sent < connection->out_bytes) {
		const ssize_t sent = send(connection->fd, connection->out + connection->out_sent,
					  connection->out_bytes - connection->out_sent,
					  MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		if (sent < 0) {
			drop(connection);
			*ret_gone = true;
			return true;
		}
		connection->out_sent += (size_t)sent;
	}
	return true;
}

/* Throws away what has come. May be the end of the connection. */
static void drain_on(struct http_connection *connection)
{
	char bytes[4096];
	ssize_t count;

	do {
		count = recv(connection->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (count > 0)
			connection->drained += (size_t)count;
	} while (count > 0 && connection->drained <= DRAIN_BYTES);
	if (count >= 0 || (errno != EAGAIN && errno != EINTR))
		drop(connection);
}

/* Writes what it can; the next request has to wait for the others' turn. */
static void write_on(struct http_connection *connection)
{
	bool gone;

	if (!send_out(connection, &gone) || gone)
		return;
	free(connection->out);
	connection->out = NULL;
	connection->out_bytes = connection->out_sent = 0;
	if (!connection->keep_alive) {
		shutdown(connection->fd, SHUT_WR);
		enter(connection, DRAINING, EPOLLIN, DRAIN_TIMEOUT_MS);
		drain_on(connection);
		return;
	}
	if (connection->in_bytes)
		enter(connection, READING, EPOLLIN | EPOLLOUT,
		      connection->http->handlers.request_timeout_ms);
	else
		enter(connection, READING, EPOLLIN, IDLE_TIMEOUT_MS);
}

void http_answer(struct http_connection *connection, int status, const char *content_type,
		 char *body, size_t body_bytes)
{
	char head[512];
	int head_bytes;

	if (!body) {
		body_bytes = strlen(reason_of(status)) + 1;
		content_type = "text/plain; charset=utf-8";
	}
	head_bytes =
		snprintf(head, sizeof(head),
			 "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
			 "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%s%s\r\n",
			 status, reason_of(status), content_type, body_bytes,
			 status == 405 ? "Allow: GET, HEAD\r\n" : "",
			 connection->keep_alive ? "" : "Connection: close\r\n");
	connection->out = malloc((size_t)head_bytes + body_bytes + 1);
	/* Not WAITING any more: nobody has to be told if it goes now. */
	connection->state = WRITING;
	if (!connection->out) {
		free(body);
		drop(connection);
		return;
	}
	memcpy(connection->out, head, (size_t)head_bytes);
	if (body)
		memcpy(connection->out + head_bytes, body, body_bytes);
	else
		sprintf(connection->out + head_bytes, "%s\n", reason_of(status));
	free(body);
	connection->out_bytes = (size_t)head_bytes + (connection->is_head ? 0 : body_bytes);
	enter(connection, WRITING, EPOLLOUT, WRITE_TIMEOUT_MS);
	write_on(connection);
}

/* ---- the request ------------------------------------------------------------------------ */

static void refuse(struct http_connection *connection, int status)
{
	connection->keep_alive = connection->is_head = false;
	connection->in_bytes = 0;
	http_answer(connection, status, NULL, NULL, 0);
}

/* Looks for a whole request in what was read; at_end: nothing more will come. */
static void take_request(struct http_connection *connection, bool at_end)
{
	struct http *http = connection->http;
	struct http_request request;
	const int taken = http_parse(connection->in, connection->in_bytes, &request);

	if (taken < 0) {
		refuse(connection, -taken);
		return;
	}
	if (!taken && at_end) {
		drop(connection);
		return;
	}
	if (!taken)
		return;
	connection->in_bytes -= (size_t)taken;
	memmove(connection->in, connection->in + taken, connection->in_bytes);
	connection->is_head = request.is_head;
	connection->keep_alive = request.keep_alive && (!at_end || connection->in_bytes);
	/* Half a hang-up would come again and again; a whole one comes whatever we wait for. */
	enter(connection, WAITING, 0, 0);
	http->handlers.request(http->handlers.context, connection, &request);
}

static void read_on(struct http_connection *connection)
{
	const bool was_empty = !connection->in_bytes;
	ssize_t count = 0;
	bool at_end = false;

	if (connection->in_bytes < sizeof(connection->in)) {
		count = recv(connection->fd, connection->in + connection->in_bytes,
			     sizeof(connection->in) - connection->in_bytes, MSG_DONTWAIT);
		if (count < 0 && errno != EAGAIN && errno != EINTR) {
			drop(connection);
			return;
		}
		at_end = !count;
		if (count > 0)
			connection->in_bytes += (size_t)count;
	}
	if (!connection->in_bytes) {
		if (at_end)
			drop(connection);
		return;
	}
	/* One deadline for all of a request, however slowly it comes. */
	if (was_empty)
		enter(connection, READING, EPOLLIN, connection->http->handlers.request_timeout_ms);
	else
		loop_modify(connection->source, EPOLLIN);
	take_request(connection, at_end);
}

static void connection_ready(void *context, uint32_t events)
{
	struct http_connection *connection = context;

	switch (connection->state) {
	case READING:
		read_on(connection);
		break;
	case WAITING: /* only a hang-up comes through */
		drop(connection);
		break;
	case WRITING:
		if (events & (EPOLLERR | EPOLLHUP))
			drop(connection);
		else
			write_on(connection);
		break;
	case DRAINING:
		drain_on(connection);
		break;
	}
}

/* ---- who connects ----------------------------------------------------------------------- */

/* Makes a place: of those who have said nothing whole, or do not read, the one that is at it
 * longest. */
static bool make_room(struct http *http)
{
	static const enum state order[] = {DRAINING, READING, WRITING};

	if (http->count < HTTP_CONNECTIONS_MAX)
		return true;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		for (struct http_connection *at = http->all.next; at != &http->all; at = at->next)
			if (at->state == order[i]) {
				drop(at);
				return true;
			}
	return false;
}

static void take_peer(struct http *http, int fd)
{
	struct http_connection *connection = make_room(http) ? calloc(1, sizeof(*connection))
							     : NULL;

	if (!connection) {
		close(fd);
		return;
	}
	connection->http = http;
	connection->fd = fd;
	if (loop_add(http->loop, fd, EPOLLIN, connection_ready, connection, &connection->source)) {
		close(fd);
		free(connection);
		return;
	}
	link_last(connection);
	http->count++;
	enter(connection, READING, EPOLLIN, connection->http->handlers.request_timeout_ms);
	read_on(connection); /* most have sent it all by now */
}

static void accept_again(void *context)
{
	struct http *http = context;

	loop_modify(http->listen_source, EPOLLIN);
}

static void accept_ready(void *context, uint32_t events)
{
	struct http *http = context;

	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		const int fd = accept4(http->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			take_peer(http, fd);
			continue;
		}
		if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
			return;
		log_detail("can't accept a scraper for a moment: %s", strerror(errno));
		loop_modify(http->listen_source, 0);
		loop_timer_set(http->loop, &http->accept_timer, ACCEPT_PAUSE_MS, accept_again,
			       http);
		return;
	}
}

int http_open(struct http **ret_http, struct loop *loop, int listen_fd,
	      const struct http_handlers *handlers)
{
	struct http *http = calloc(1, sizeof(*http));
	int err;

	if (!http)
		return -ENOMEM;
	http->loop = loop;
	http->listen_fd = listen_fd;
	http->handlers = *handlers;
	if (!http->handlers.request_timeout_ms)
		http->handlers.request_timeout_ms = REQUEST_TIMEOUT_MS;
	http->all.next = http->all.previous = &http->all;
	err = loop_add(loop, listen_fd, EPOLLIN, accept_ready, http, &http->listen_source);
	if (err) {
		free(http);
		return err;
	}
	*ret_http = http;
	return 0;
}

void http_close(struct http *http)
{
	if (!http)
		return;
	while (http->all.next != &http->all)
		drop(http->all.next);
	loop_timer_clear(&http->accept_timer);
	loop_remove(http->listen_source);
	free(http);
}

unsigned int http_connections(const struct http *http)
{
	return http->count;
}
