/* SPDX-License-Identifier: MIT */
/*
 * test_http.c - a server with peers that are good, slow, greedy and rude, all in one thread: the
 * test turns the loop, so nothing depends on how fast anything runs.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "recorder/http.h"

#define WAIT_S 60 /* never reached on the good path */
#define HOST "Host: a\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define LARGE_BYTES (8u << 20)

static struct loop *loop;
static struct http *http;
static int listen_fd;
static struct sockaddr_in address;

static struct http_connection *deferred; /* of /later */
static unsigned int requests, gone;

static void request_came(void *context, struct http_connection *connection,
			 const struct http_request *request)
{
	char *body;

	(void)context;
	requests++;
	if (!strcmp(request->path, "/later")) {
		deferred = connection;
		return;
	}
	if (!strcmp(request->path, "/large")) {
		body = malloc(LARGE_BYTES);
		memset(body, 'x', LARGE_BYTES);
		http_answer(connection, 200, "text/plain", body, LARGE_BYTES);
		return;
	}
	if (request->path[1] == 'n') {
		http_answer(connection, 404, NULL, NULL, 0);
		return;
	}
	cr_assert_gt(asprintf(&body, "this is %s\n", request->path), 0);
	http_answer(connection, 200, "text/plain", body, strlen(body));
}

static void peer_gone(void *context, struct http_connection *connection)
{
	(void)context;
	cr_assert_eq(connection, deferred);
	deferred = NULL;
	gone++;
}

static void open_with(uint64_t request_timeout_ms)
{
	const struct http_handlers handlers = {
		.request = request_came,
		.gone = peer_gone,
		.request_timeout_ms = request_timeout_ms,
	};
	socklen_t bytes = sizeof(address);

	address = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_geq(listen_fd, 0);
	cr_assert_eq(bind(listen_fd, (struct sockaddr *)&address, bytes), 0);
	cr_assert_eq(listen(listen_fd, 64), 0);
	cr_assert_eq(getsockname(listen_fd, (struct sockaddr *)&address, &bytes), 0);
	cr_assert_eq(loop_open(&loop), 0);
	cr_assert_eq(http_open(&http, loop, listen_fd, &handlers), 0);
}

static void open_server(void)
{
	open_with(0);
}

static void close_server(void)
{
	http_close(http);
	loop_close(loop);
	close(listen_fd);
}

TestSuite(http, .init = open_server, .fini = close_server, .timeout = 120);

/* ---- peers ------------------------------------------------------------------------------ */

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0, "%s",
		     strerror(errno));
	return fd;
}

static void say(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text), "%s",
		     strerror(errno));
}

static void turn(void)
{
	cr_assert_eq(loop_once(loop, 1), 0);
}

static bool is_late(time_t start)
{
	return time(NULL) - start > WAIT_S;
}

/* What is there until the peer has `bytes`, the text, or the end; "" for the end with nothing. */
static size_t hear(int fd, char *text, size_t room, const char *until)
{
	const time_t start = time(NULL);
	size_t count = 0;

	for (;;) {
		ssize_t got = recv(fd, text + count, room - 1 - count, MSG_DONTWAIT);

		if (got > 0)
			count += (size_t)got;
		text[count] = '\0';
		if (!got || (got < 0 && errno != EAGAIN))
			return count;
		if (until && strstr(text, until))
			return count;
		cr_assert_not(is_late(start), "no answer, but '%s'", text);
		turn();
	}
}

static void expect(int fd, const char *until)
{
	char text[4096];

	hear(fd, text, sizeof(text), until);
	cr_assert(strstr(text, until), "'%s' instead of '%s'", text, until);
}

static void expect_end(int fd)
{
	char text[4096];

	cr_assert_eq(hear(fd, text, sizeof(text), NULL), 0, "'%s'", text);
}

static void expect_served(void)
{
	const int fd = dial();

	say(fd, GET("/fine"));
	expect(fd, "this is /fine\n");
	close(fd);
}

static void turn_until_connections(unsigned int count)
{
	const time_t start = time(NULL);

	while (http_connections(http) != count) {
		cr_assert_not(is_late(start), "%u connections", http_connections(http));
		turn();
	}
}

/* ---- the good --------------------------------------------------------------------------- */

Test(http, answers_and_keeps_the_connection)
{
	const int fd = dial();

	for (int i = 0; i < 3; i++) {
		say(fd, GET("/one"));
		expect(fd, "Content-Length: 13\r\n");
	}
	say(fd, "GET /two HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	expect(fd, "this is /two\n");
	expect_end(fd);
	close(fd);
	turn_until_connections(0);
}

Test(http, answers_a_head_without_a_body)
{
	char text[4096];
	const int fd = dial();

	say(fd, "HEAD /one HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	hear(fd, text, sizeof(text), NULL);
	cr_assert(strstr(text, "200 OK\r\n") && strstr(text, "Content-Length: 13\r\n"), "%s", text);
	cr_assert_str_eq(text + strlen(text) - 4, "\r\n\r\n");
	close(fd);
}

Test(http, closes_after_a_request_of_version_1_0)
{
	const int fd = dial();

	say(fd, "GET /old HTTP/1.0\r\n\r\n");
	expect(fd, "this is /old\n");
	expect_end(fd);
	close(fd);
}

Test(http, answers_pipelined_requests_in_their_order)
{
	char text[65536] = "";
	const char *at = text;
	const int fd = dial();

	for (int i = 0; i < 100; i++) {
		char request[64];

		snprintf(request, sizeof(request), "GET /%d HTTP/1.1\r\n" HOST "\r\n", i);
		say(fd, request);
	}
	hear(fd, text, sizeof(text), "this is /99\n");
	for (int i = 0; i < 100; i++) {
		char answer[32];

		snprintf(answer, sizeof(answer), "this is /%d\n", i);
		at = strstr(at, answer);
		cr_assert(at, "no %s", answer);
	}
	cr_assert_eq(requests, 100);
	close(fd);
}

Test(http, takes_a_request_that_comes_byte_by_byte)
{
	static const char request[] = GET("/slow");
	const int fd = dial();

	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		cr_assert_eq(send(fd, request + i, 1, MSG_NOSIGNAL), 1);
		turn();
	}
	expect(fd, "this is /slow\n");
	close(fd);
}

Test(http, answers_who_has_shut_its_side_down)
{
	const int fd = dial();

	say(fd, GET("/a") GET("/b"));
	shutdown(fd, SHUT_WR);
	expect(fd, "this is /b\n");
	expect_end(fd);
	close(fd);
	turn_until_connections(0);
	cr_assert_eq(requests, 2);
}

Test(http, answers_later)
{
	const time_t start = time(NULL);
	const int fd = dial();

	say(fd, GET("/later") GET("/behind"));
	while (!deferred) {
		cr_assert_not(is_late(start));
		turn();
	}
	/* Neither more requests nor the end of them are a reason to go. */
	say(fd, GET("/last"));
	shutdown(fd, SHUT_WR);
	expect_served();
	cr_assert_eq(requests, 2, "those behind have to wait");
	http_answer(deferred, 503, "text/plain", strdup("not well\n"), 9);
	deferred = NULL;
	expect(fd, "HTTP/1.1 503 Service Unavailable\r\n");
	expect(fd, "this is /last\n");
	expect_end(fd);
	close(fd);
	turn_until_connections(0);
	cr_assert_eq(requests, 4);
	cr_assert_eq(gone, 0);
}

Test(http, says_that_who_waits_has_gone)
{
	const time_t start = time(NULL);
	const int fd = dial();
	const struct linger at_once = {.l_onoff = 1};

	say(fd, GET("/later"));
	while (!deferred) {
		cr_assert_not(is_late(start));
		turn();
	}
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
	turn_until_connections(0);
	cr_assert_eq(gone, 1);
}

Test(http, says_so_too_when_it_is_closed)
{
	const time_t start = time(NULL);
	const int fd = dial();

	say(fd, GET("/later"));
	while (!deferred) {
		cr_assert_not(is_late(start));
		turn();
	}
	http_close(http);
	http = NULL;
	cr_assert_eq(gone, 1);
	close(fd);
}

/* ---- the rude --------------------------------------------------------------------------- */

static void expect_refusal(const char *bytes, size_t count, const char *answer)
{
	const int fd = dial();

	send(fd, bytes, count, MSG_NOSIGNAL);
	expect(fd, answer);
	expect_end(fd);
	close(fd);
	expect_served();
}

Test(http, refuses_what_is_no_request)
{
	static const char post[] = "POST /one HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello";
	static char much[1 << 16];

	memset(much, 'A', sizeof(much));
	expect_refusal(much, sizeof(much), "HTTP/1.1 431 ");
	memset(much, 0, sizeof(much));
	expect_refusal(much, sizeof(much), "HTTP/1.1 400 ");
	for (size_t i = 0; i < sizeof(much); i++)
		much[i] = (char)(i * 7 + 3);
	expect_refusal(much, sizeof(much), "HTTP/1.1 400 ");
	expect_refusal(post, sizeof(post) - 1, "Allow: GET, HEAD\r\n");
}

/* Whoever sends bodies reads the answer only when all is sent: it must still be there then. */
Test(http, lets_its_refusal_be_read)
{
	static char body[32768];
	const int fd = dial();

	say(fd, "POST / HTTP/1.1\r\n" HOST "Content-Length: 32768\r\n\r\n");
	cr_assert_eq(send(fd, body, sizeof(body), MSG_NOSIGNAL), sizeof(body));
	expect(fd, "HTTP/1.1 405 ");
	close(fd);
}

Test(http, drops_who_never_ends_its_request)
{
	char text[256];
	time_t start;
	int fd[3];

	close_server();
	open_with(50);
	start = time(NULL);
	for (int i = 0; i < 3; i++) {
		fd[i] = dial();
		if (i)
			say(fd[i], "GET / HTTP/1.1\r\nX: ");
	}
	for (int i = 0; i < 3; i++) {
		ssize_t got;

		while ((got = recv(fd[i], text, sizeof(text), MSG_DONTWAIT)) < 0 &&
		       errno == EAGAIN) {
			/* A byte now and then buys no time; too many would be another matter. */
			send(fd[2], "y", 1, MSG_NOSIGNAL);
			cr_assert_not(is_late(start), "%d is still there", i);
			usleep(5000);
			turn();
		}
		cr_assert_leq(got, 0, "an answer to %d", i);
		close(fd[i]);
	}
	turn_until_connections(0);
	cr_assert_eq(requests, 0);
}

Test(http, serves_behind_a_thousand_connections)
{
	const struct rlimit limit = {4096, 4096};
	static int fd[1000];

	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < 1000; i++) {
		fd[i] = dial();
		if (i % 3)
			say(fd[i], "GET /half");
		turn();
		cr_assert_leq(http_connections(http), HTTP_CONNECTIONS_MAX);
	}
	expect_served();
	for (int i = 0; i < 1000; i++)
		close(fd[i]);
	turn_until_connections(0);
}

Test(http, serves_behind_those_who_do_not_read)
{
	const time_t start = time(NULL);
	int fd[HTTP_CONNECTIONS_MAX];
	size_t count = 0;
	char bytes[65536];

	for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
		fd[i] = dial();
		say(fd[i], i ? GET("/later-not") : GET("/large"));
		turn();
	}
	while (requests < HTTP_CONNECTIONS_MAX) {
		cr_assert_not(is_late(start));
		turn();
	}
	/* The slow one is in nobody's way, and gets all of it. */
	expect_served();
	while (count < LARGE_BYTES) {
		const ssize_t got = recv(fd[0], bytes, sizeof(bytes), MSG_DONTWAIT);

		if (got > 0)
			count += (size_t)got;
		cr_assert_not(is_late(start), "%zu bytes", count);
		if (got <= 0)
			turn();
	}
	for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		close(fd[i]);
	turn_until_connections(0);
}

static unsigned int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

Test(http, leaves_nothing_open)
{
	unsigned int before;
	int fd[8];

	close_server();
	before = open_descriptors();
	open_server();
	for (int i = 0; i < 8; i++) {
		fd[i] = dial();
		say(fd[i], i % 2 ? GET("/one") : "GET /half");
	}
	turn_until_connections(8);
	close_server();
	for (int i = 0; i < 8; i++)
		close(fd[i]);
	cr_assert_eq(open_descriptors(), before);
	open_server();
}
