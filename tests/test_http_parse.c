/* SPDX-License-Identifier: MIT */
/* A table of requests, and what becomes of each when it is cut anywhere. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/http_parse.h"

#define HOST "Host: a\r\n"

/* In memory of just that size, so that a sanitizer sees a read behind it. */
static int parse(const char *bytes, size_t count, struct http_request *ret_request)
{
	char *copy = malloc(count ? count : 1);
	int result;

	cr_assert(copy);
	memcpy(copy, bytes, count);
	result = http_parse(copy, count, ret_request);
	free(copy);
	return result;
}

static const struct row {
	const char *text;
	const char *path;
	bool is_head, keep_alive;
} good[] = {
	{"GET /metrics HTTP/1.1\r\n" HOST "\r\n", "/metrics", false, true},
	{"GET /metrics HTTP/1.1\nhost:a\n\n", "/metrics", false, true},
	{"\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", "/", false, true},
	{"HEAD /livez HTTP/1.1\r\n" HOST "\r\n", "/livez", true, true},
	{"GET /metrics?x=%20&y HTTP/1.1\r\n" HOST "\r\n", "/metrics", false, true},
	{"GET http://a:9464/readyz HTTP/1.1\r\n" HOST "\r\n", "/readyz", false, true},
	{"GET / HTTP/1.0\r\n\r\n", "/", false, false},
	{"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "/", false, false},
	{"GET / HTTP/1.1\r\n" HOST "connection: x, CLOSE ,y\r\n\r\n", "/", false, false},
	{"GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n", "/", false, true},
	{"GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "/", false, true},
	{"GET / HTTP/1.1\r\n" HOST "X: \t \xc3\xa4 \t\r\nY:\r\n\r\n", "/", false, true},
	{"GET /a/path/that/is/longer/than/any/that/we/know/and/goes/on/and/on/and/on "
	 "HTTP/1.1\r\n" HOST "\r\n",
	 "", false, true},
};

#define GOOD (sizeof(good) / sizeof(good[0]))

Test(http_parse, takes_what_scrapers_send)
{
	for (size_t i = 0; i < GOOD; i++) {
		const struct row *row = &good[i];
		const size_t bytes = strlen(row->text);
		struct http_request request;

		cr_assert_eq(parse(row->text, bytes, &request), (int)bytes, "%s", row->text);
		cr_assert_str_eq(request.path, row->path);
		cr_assert_eq(request.is_head, row->is_head, "%s", row->text);
		cr_assert_eq(request.keep_alive, row->keep_alive, "%s", row->text);
	}
}

Test(http_parse, waits_for_the_rest_wherever_a_request_is_cut)
{
	for (size_t i = 0; i < GOOD; i++)
		for (size_t bytes = 0; bytes < strlen(good[i].text); bytes++) {
			struct http_request request;

			cr_assert_eq(parse(good[i].text, bytes, &request), 0, "%zu of %s", bytes,
				     good[i].text);
		}
}

Test(http_parse, takes_one_of_two_requests)
{
	static const char first[] = "GET /metrics HTTP/1.1\r\n" HOST "\r\n";
	char both[2 * sizeof(first)];
	struct http_request request;

	snprintf(both, sizeof(both), "%sGET /livez", first);
	cr_assert_eq(parse(both, strlen(both), &request), (int)strlen(first));
	cr_assert_str_eq(request.path, "/metrics");
}

static const struct bad_row {
	const char *text;
	int status;
} bad[] = {
	{"POST /metrics HTTP/1.1\r\n" HOST "\r\n", 405},
	{"get /metrics HTTP/1.1\r\n" HOST "\r\n", 405},
	{"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 405},
	{"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
	{"GET / HTTP/1.1\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
	{"GET /\r\n", 400},
	{"GET / \r\n", 400},
	{"GET  / HTTP/1.1\r\n", 400},
	{"GET / HTTP/1.1 \r\n", 400},
	{"GET / HTTP/11\r\n", 400},
	{"GET / XTTP/1.1\r\n", 400},
	{"GET metrics HTTP/1.1\r\n", 400},
	{"GET http://a HTTP/1.1\r\n", 400},
	{"GET /\x01 HTTP/1.1\r\n", 400},
	{"GET /\x80 HTTP/1.1\r\n", 400},
	{"G(T / HTTP/1.1\r\n", 400},
	{" GET / HTTP/1.1\r\n", 400},
	{"\x16\x03\x01\x02", 400}, /* TLS */
	{"GET / HTTP/1.1\r\n" HOST " folded\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n" HOST "X : y\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n" HOST ": y\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", 413},
	{"GET / HTTP/1.1\r\n" HOST "Content-Length: 00\r\n\r\n", 413},
	{"GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 413},
};

Test(http_parse, refuses_what_could_be_read_in_two_ways)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct http_request request;

		cr_assert_eq(parse(bad[i].text, strlen(bad[i].text), &request), -bad[i].status,
			     "%s", bad[i].text);
	}
}

Test(http_parse, refuses_bytes_of_zero)
{
	static const char line[] = "GET /\0 HTTP/1.1\r\n" HOST "\r\n";
	static const char header[] = "GET / HTTP/1.1\r\n" HOST "X: \0\r\n\r\n";
	struct http_request request;

	cr_assert_eq(parse(line, sizeof(line) - 1, &request), -400);
	cr_assert_eq(parse(header, sizeof(header) - 1, &request), -400);
}

Test(http_parse, gives_up_on_headers_without_end)
{
	static char bytes[HTTP_REQUEST_BYTES_MAX + 100];
	struct http_request request;
	size_t count;

	memset(bytes, 'A', sizeof(bytes));
	cr_assert_eq(parse(bytes, HTTP_REQUEST_BYTES_MAX - 1, &request), 0);
	cr_assert_eq(parse(bytes, HTTP_REQUEST_BYTES_MAX, &request), -431);
	count = (size_t)sprintf(bytes, "GET / HTTP/1.1\r\n" HOST);
	bytes[count] = 'B';
	cr_assert_eq(parse(bytes, sizeof(bytes), &request), -431);
	/* Its end is there, but behind what is read. */
	memset(bytes + count, 'B', sizeof(bytes) - count);
	memcpy(bytes + sizeof(bytes) - 5, ":\r\n\r\n", 5);
	cr_assert_eq(parse(bytes, sizeof(bytes), &request), -431);
}
