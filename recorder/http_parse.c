/* SPDX-License-Identifier: MIT */
/*
 * http_parse.c - a request line and headers, as RFC 9112 has them, without what it only tolerates:
 * no folded headers, no white space before a colon, no control characters.
 */
#include "recorder/http_parse.h"

#include <string.h>
#include <strings.h>

struct span {
	const char *at;
	size_t bytes;
};

static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static bool span_is(struct span span, const char *word)
{
	return span.bytes == strlen(word) && !memcmp(span.at, word, span.bytes);
}

/* Names and tokens of headers have no case. */
static bool span_is_token(struct span span, const char *word)
{
	return span.bytes == strlen(word) && !strncasecmp(span.at, word, span.bytes);
}

static struct span trim(struct span span)
{
	while (span.bytes && is_space(span.at[0])) {
		span.at++;
		span.bytes--;
	}
	while (span.bytes && is_space(span.at[span.bytes - 1]))
		span.bytes--;
	return span;
}

/* What is before the separator; *rest is what is behind it, or nothing. */
static struct span split(struct span *rest, char separator)
{
	struct span first = *rest;
	const char *end = memchr(rest->at, separator, rest->bytes);

	if (end) {
		first.bytes = (size_t)(end - rest->at);
		rest->at = end + 1;
		rest->bytes -= first.bytes + 1;
	} else {
		rest->at += rest->bytes;
		rest->bytes = 0;
	}
	return first;
}

/* ---- the line --------------------------------------------------------------------------- */

/* "/metrics?x=y", or what is sent to a proxy: "http://host/metrics". */
static int take_target(struct span target, struct http_request *request)
{
	const struct span whole = target;

	for (size_t i = 0; i < target.bytes; i++)
		if (target.at[i] <= ' ' || target.at[i] >= 0x7f)
			return -400;
	if (target.bytes > 7 && !strncasecmp(target.at, "http://", 7)) {
		const char *slash = memchr(target.at + 7, '/', target.bytes - 7);

		if (!slash)
			return -400;
		target.at = slash;
		target.bytes -= (size_t)(slash - whole.at);
	}
	if (!target.bytes || target.at[0] != '/')
		return -400;
	target = split(&target, '?');
	if (target.bytes >= sizeof(request->path))
		target.bytes = 0;
	memcpy(request->path, target.at, target.bytes);
	request->path[target.bytes] = '\0';
	return 0;
}

static int take_line(struct span line, struct http_request *request)
{
	struct span rest = line, method = split(&rest, ' '), target = split(&rest, ' ');

	if (!method.bytes || !target.bytes || memchr(rest.at, ' ', rest.bytes))
		return -400;
	for (size_t i = 0; i < method.bytes; i++)
		if (!is_token(method.at[i]))
			return -400;
	if (rest.bytes != 8 || memcmp(rest.at, "HTTP/", 5) || rest.at[6] != '.')
		return -400;
	if (!span_is(rest, "HTTP/1.1") && !span_is(rest, "HTTP/1.0"))
		return -505;
	request->keep_alive = rest.at[7] == '1';
	request->is_head = span_is(method, "HEAD");
	if (!request->is_head && !span_is(method, "GET"))
		return -405;
	return take_target(target, request);
}

/* ---- the headers ------------------------------------------------------------------------ */

static void take_connection(struct span value, struct http_request *request)
{
	while (value.bytes) {
		const struct span option = trim(split(&value, ','));

		if (span_is_token(option, "close"))
			request->keep_alive = false;
	}
}

static int take_header(struct span line, struct http_request *request, unsigned int *hosts)
{
	struct span value = line;
	const struct span name = split(&value, ':');

	if (name.bytes == line.bytes || !name.bytes)
		return -400;
	for (size_t i = 0; i < name.bytes; i++)
		if (!is_token(name.at[i]))
			return -400;
	value = trim(value);
	for (size_t i = 0; i < value.bytes; i++)
		if ((unsigned char)value.at[i] < ' ' && value.at[i] != '\t')
			return -400;
	if (span_is_token(name, "Host"))
		++*hosts;
	else if (span_is_token(name, "Connection"))
		take_connection(value, request);
	else if (span_is_token(name, "Transfer-Encoding"))
		return -413;
	else if (span_is_token(name, "Content-Length") && !span_is(value, "0"))
		return -413;
	return 0;
}

/* ---- all of it -------------------------------------------------------------------------- */

/* The next line without its end. False: it is not whole. */
static bool next_line(struct span *rest, struct span *ret_line)
{
	if (!memchr(rest->at, '\n', rest->bytes))
		return false;
	*ret_line = split(rest, '\n');
	if (ret_line->bytes && ret_line->at[ret_line->bytes - 1] == '\r')
		ret_line->bytes--;
	return true;
}

static int more_or_too_much(size_t count)
{
	return count >= HTTP_REQUEST_BYTES_MAX ? -431 : 0;
}

int http_parse(const char *bytes, size_t count, struct http_request *ret_request)
{
	struct span rest = {bytes, count}, line;
	struct http_request request = {0};
	unsigned int hosts = 0;
	bool is_11;
	int err;

	if (rest.bytes > HTTP_REQUEST_BYTES_MAX)
		rest.bytes = HTTP_REQUEST_BYTES_MAX;
	/* The end of a line that somebody put behind the request before. */
	while (rest.bytes && (rest.at[0] == '\r' || rest.at[0] == '\n')) {
		rest.at++;
		rest.bytes--;
	}
	if (rest.bytes && !is_token(rest.at[0]))
		return -400; /* need not be waited for */
	if (!next_line(&rest, &line))
		return more_or_too_much(count);
	err = take_line(line, &request);
	if (err)
		return err;
	is_11 = request.keep_alive;
	for (;;) {
		if (!next_line(&rest, &line))
			return more_or_too_much(count);
		if (!line.bytes)
			break;
		err = take_header(line, &request, &hosts);
		if (err)
			return err;
	}
	if (hosts > 1 || (is_11 && !hosts))
		return -400;
	*ret_request = request;
	return (int)(rest.at - bytes);
}
