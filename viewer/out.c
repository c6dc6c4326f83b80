/* SPDX-License-Identifier: MIT */
#include "viewer/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FLUSH_BYTES (64u << 10)

void out_init(struct out *out, int fd)
{
	*out = (struct out){.fd = fd};
}

void out_fini(struct out *out)
{
	free(out->data);
	out->data = NULL;
}

int out_flush(struct out *out)
{
	size_t at = 0;
	ssize_t done;

	while (out->fd >= 0 && at < out->bytes && !out->error) {
		done = write(out->fd, out->data + at, out->bytes - at);
		if (done >= 0)
			at += (size_t)done;
		else if (errno != EINTR)
			out->error = -errno;
	}
	if (out->fd >= 0)
		out->bytes = 0;
	return out->error;
}

static __attribute__((noinline)) char *make_room(struct out *out, size_t bytes)
{
	size_t capacity = out->capacity ? out->capacity : 2 * FLUSH_BYTES;
	char *data;

	if (out->fd >= 0)
		out_flush(out);
	while (capacity - out->bytes <= bytes)
		capacity *= 2;
	data = realloc(out->data, capacity);
	if (!data) {
		out->error = out->error ? out->error : -ENOMEM;
		return NULL;
	}
	out->data = data;
	out->capacity = capacity;
	return data + out->bytes;
}

/* Room for that many bytes and a NUL, or NULL. */
static inline char *room(struct out *out, size_t bytes)
{
	if (__builtin_expect(out->capacity - out->bytes > bytes, 1))
		return out->data + out->bytes;
	return make_room(out, bytes);
}

void out_bytes(struct out *out, const char *data, size_t bytes)
{
	char *to = room(out, bytes);

	if (!to || !bytes)
		return;
	memcpy(to, data, bytes);
	out->bytes += bytes;
	out->last = data[bytes - 1];
}

void out_text(struct out *out, const char *text)
{
	out_bytes(out, text, strlen(text));
}

void out_span(struct out *out, struct span span)
{
	out_bytes(out, span.data, span.bytes);
}

void out_char(struct out *out, char c)
{
	out_bytes(out, &c, 1);
}

void out_pad(struct out *out, char c, size_t count)
{
	char *to = room(out, count);

	if (!to || !count)
		return;
	memset(to, c, count);
	out->bytes += count;
	out->last = c;
}

void out_uint(struct out *out, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	out_bytes(out, digits + at, sizeof(digits) - at);
}

void out_int(struct out *out, int64_t number)
{
	if (number < 0)
		out_char(out, '-');
	out_uint(out, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

void out_count(struct out *out, uint64_t count, size_t columns)
{
	char digits[32];
	size_t at = sizeof(digits);

	for (unsigned int i = 0; count || !i; i++, count /= 10) {
		if (i && i % 3 == 0)
			digits[--at] = ',';
		digits[--at] = (char)('0' + count % 10);
	}
	out_pad(out, ' ', sizeof(digits) - at < columns ? columns - (sizeof(digits) - at) : 0);
	out_bytes(out, digits + at, sizeof(digits) - at);
}

void out_printf(struct out *out, const char *format, ...)
{
	const size_t guess = 128;
	va_list arguments, again;
	char *to = room(out, guess);
	int wanted = 0;

	va_start(arguments, format);
	va_copy(again, arguments);
	if (to)
		wanted = vsnprintf(to, guess + 1, format, arguments);
	if (to && wanted > (int)guess) {
		to = room(out, (size_t)wanted);
		if (to)
			vsnprintf(to, (size_t)wanted + 1, format, again);
	}
	if (to && wanted > 0) {
		out->bytes += (size_t)wanted;
		out->last = to[wanted - 1];
	}
	va_end(again);
	va_end(arguments);
}

size_t utf8_next(const char *data, size_t bytes, uint32_t *ret_code)
{
	const unsigned char *from = (const unsigned char *)data;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length;
	uint32_t code;

	if (!bytes)
		return 0;
	if (from[0] < 0x80) {
		*ret_code = from[0];
		return 1;
	}
	length = from[0] >= 0xf0 ? 4 : from[0] >= 0xe0 ? 3 : 2;
	if (from[0] < 0xc2 || from[0] > 0xf4 || length > bytes)
		return 0;
	code = from[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((from[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (from[i] & 0x3f);
	}
	if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return length;
}

bool out_is_unsafe(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x61c || code == 0xad ||
	       (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
	       (code >= 0xfff9 && code <= 0xfffb) || (code >= 0xe0000 && code <= 0xe007f);
}

static size_t escape(struct out *out, uint32_t code)
{
	size_t before = out->bytes;
	static const char letters[] = "0......abtnvfr";

	if (code >= 7 && code <= 13)
		out_printf(out, "\\%c", letters[code]);
	else if (code < 0x80)
		out_printf(out, "\\x%02x", code);
	else if (code <= 0xffff)
		out_printf(out, "\\u%04x", code);
	else
		out_printf(out, "\\U%08x", code);
	return out->bytes > before ? out->bytes - before : 0;
}

size_t out_escaped(struct out *out, struct span span, char quote)
{
	size_t at = 0, columns = 0, length, plain;
	uint32_t code = 0;

	while (at < span.bytes) {
		for (plain = at;
		     plain < span.bytes && span.data[plain] >= ' ' && span.data[plain] <= '~' &&
		     span.data[plain] != '\\' && span.data[plain] != quote;
		     plain++)
			;
		if (plain > at) {
			out_bytes(out, span.data + at, plain - at);
			columns += plain - at;
			at = plain;
			continue;
		}
		length = utf8_next(span.data + at, span.bytes - at, &code);
		if (!length) {
			out_printf(out, "\\x%02x", (unsigned char)span.data[at]);
			columns += 4;
		} else if (out_is_unsafe(code)) {
			columns += escape(out, code);
		} else if (code == '\\' && !quote) {
			/* Only a quoted text has to be readable backwards. */
			out_char(out, '\\');
			columns++;
		} else {
			if (code == '\\' || (quote && code == (unsigned char)quote)) {
				out_char(out, '\\');
				columns++;
			}
			out_bytes(out, span.data + at, length);
			columns++;
		}
		at += length ? length : 1;
	}
	return columns;
}

/* As JSON has them: beyond 16 bits two halves. */
static void escape_json(struct out *out, uint32_t code)
{
	if (code == '\n')
		out_text(out, "\\n");
	else if (code <= 0xffff)
		out_printf(out, "\\u%04x", code);
	else
		out_printf(out, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
			   0xdc00 + (code & 0x3ff));
}

void out_json(struct out *out, struct span span)
{
	size_t at = 0, length, plain;
	uint32_t code = 0;

	while (at < span.bytes) {
		for (plain = at; plain < span.bytes && (unsigned char)span.data[plain] >= ' ' &&
				 (unsigned char)span.data[plain] < 0x7f &&
				 span.data[plain] != '"' && span.data[plain] != '\\';
		     plain++)
			;
		if (plain > at) {
			out_bytes(out, span.data + at, plain - at);
			at = plain;
			continue;
		}
		length = utf8_next(span.data + at, span.bytes - at, &code);
		if (!length)
			out_text(out, "\xef\xbf\xbd");
		else if (code == '"' || code == '\\')
			out_printf(out, "\\%c", (char)code);
		else if (out_is_unsafe(code))
			escape_json(out, code);
		else
			out_bytes(out, span.data + at, length);
		at += length ? length : 1;
	}
}

void out_json_string(struct out *out, struct span span)
{
	out_char(out, '"');
	out_json(out, span);
	out_char(out, '"');
}

void out_hex(struct out *out, struct span span)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < span.bytes; i++) {
		out_char(out, digits[(unsigned char)span.data[i] >> 4]);
		out_char(out, digits[(unsigned char)span.data[i] & 15]);
	}
}

void out_utf8(struct out *out, struct span span)
{
	size_t at = 0, length, plain;
	uint32_t code;

	while (at < span.bytes) {
		for (plain = at; plain < span.bytes && (unsigned char)span.data[plain] < 0x80;
		     plain++)
			;
		if (plain > at) {
			out_bytes(out, span.data + at, plain - at);
			at = plain;
			continue;
		}
		length = utf8_next(span.data + at, span.bytes - at, &code);
		if (length)
			out_bytes(out, span.data + at, length);
		else
			out_text(out, "\xef\xbf\xbd");
		at += length ? length : 1;
	}
}
