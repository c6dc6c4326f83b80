/* SPDX-License-Identifier: MIT */
/*
 * http_parse.h - the little of HTTP/1.1 that a scraper and a probe speak: GET and HEAD, no bodies.
 *
 * A pure function of hostile bytes. What it does not know it refuses, with the status to say so: a
 * request that two parsers could read in two ways is no request.
 */
#ifndef RECORDER_HTTP_PARSE_H
#define RECORDER_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_REQUEST_BYTES_MAX 8192 /* the line and all headers */
#define HTTP_PATH_BYTES 64

struct http_request {
	bool is_head;
	bool keep_alive;	    /* the connection may go on after the answer */
	char path[HTTP_PATH_BYTES]; /* without its query; "": longer than any that we know */
};

/*
 * The first request in there. Its bytes if it is whole, 0 if more have to come, or a negative HTTP
 * status: -400, -405, -413, -431, -505. Then nothing behind it can be understood either.
 */
int http_parse(const char *bytes, size_t count, struct http_request *ret_request);

#endif
