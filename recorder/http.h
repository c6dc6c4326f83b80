/* SPDX-License-Identifier: MIT */
/*
 * http.h - a small HTTP server in the loop: some connections, each with one request at a time.
 *
 * Memory, connections and time are bounded whatever the peers do: who does not finish a request in
 * time is dropped, and sooner if somebody else comes and there is no place left. Without peers
 * nothing wakes up.
 */
#ifndef RECORDER_HTTP_H
#define RECORDER_HTTP_H

#include "recorder/http_parse.h"
#include "recorder/loop.h"

#define HTTP_CONNECTIONS_MAX 64

struct http;
struct http_connection;

struct http_handlers {
	/* Has to call http_answer(), now or later; until it does nothing more is read. */
	void (*request)(void *context, struct http_connection *connection,
			const struct http_request *request);
	/* Who waits for that answer has gone; http_answer() must not be called any more. */
	void (*gone)(void *context, struct http_connection *connection);
	void *context;
	uint64_t request_timeout_ms; /* for all of a request; 0: 5 s */
};

/* A listening stream socket, non-blocking, that stays the caller's. 0 or a negative errno. */
int http_open(struct http **ret_http, struct loop *loop, int listen_fd,
	      const struct http_handlers *handlers);
void http_close(struct http *http); /* with all connections; NULL is fine */

unsigned int http_connections(const struct http *http);

/* Takes the body, which is malloc'ed; NULL: the status says it all, as it does without memory. */
void http_answer(struct http_connection *connection, int status, const char *content_type,
		 char *body, size_t body_bytes);

#endif
