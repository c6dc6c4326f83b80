/* SPDX-License-Identifier: MIT */
/* settings.c - see settings.h. Owns no state. */
#include "lib/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/encode.h"

void ttlog_debug_line(const struct ttlog_settings *settings, const char *text, const char *detail)
{
	char line[256];
	size_t length = 0;
	const char *part[] = {"ttlog: ", text, detail && *detail ? ": " : "", detail ? detail : ""};

	if (!settings->debug)
		return;
	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		for (const char *c = part[i]; *c && length < sizeof(line) - 1; c++)
			line[length++] = *c;
	line[length++] = '\n';
	/* The raw call: write(2) of libc is a cancellation point. */
	syscall(SYS_write, STDERR_FILENO, line, length);
}

/* Decimal digits; returns what follows them, or NULL if there are none or too many. */
static const char *parse_digits(const char *text, uint64_t *ret_number)
{
	uint64_t number = 0;
	const char *c = text;

	for (; *c >= '0' && *c <= '9'; c++) {
		if (number > (UINT64_MAX - 9) / 10)
			return NULL;
		number = number * 10 + (uint64_t)(*c - '0');
	}
	if (c == text)
		return NULL;
	*ret_number = number;
	return c;
}

int ttlog_settings_parse_size(const char *text, uint64_t *ret_bytes)
{
	uint64_t number;
	unsigned int shift = 0;
	const char *rest = parse_digits(text, &number);

	if (!rest)
		return -EINVAL;
	switch (*rest) {
	case 'k':
	case 'K':
		shift = 10;
		break;
	case 'm':
	case 'M':
		shift = 20;
		break;
	case 'g':
	case 'G':
		shift = 30;
		break;
	}
	if (shift)
		rest++;
	if (*rest || number > UINT64_MAX >> shift)
		return -EINVAL;
	*ret_bytes = number << shift;
	return 0;
}

int ttlog_settings_parse_level(const char *text, uint32_t *ret_level)
{
	static const char *const names[] = {"trace", "debug", "info", "warn",
					    "error", "fatal", "off"};

	for (uint32_t level = 0; level < sizeof(names) / sizeof(names[0]); level++) {
		if (strcasecmp(text, names[level]) == 0) {
			*ret_level = level;
			return 0;
		}
	}
	if (strcasecmp(text, "warning") == 0) {
		*ret_level = TTLOG_WARN;
		return 0;
	}
	return -EINVAL;
}

int ttlog_settings_parse_clock(const char *text, uint32_t *ret_mode)
{
	static const char *const names[] = {
		[TTLOG_CLOCK_EXACT] = "exact",
		[TTLOG_CLOCK_SPARSE] = "sparse",
		[TTLOG_CLOCK_COARSE] = "coarse",
	};

	for (uint32_t mode = 0; mode < sizeof(names) / sizeof(names[0]); mode++) {
		if (strcasecmp(text, names[mode]) == 0) {
			*ret_mode = mode;
			return 0;
		}
	}
	return -EINVAL;
}

int ttlog_settings_parse_number(const char *text, uint32_t *ret_number)
{
	uint64_t number;
	const char *rest = parse_digits(text, &number);

	if (!rest || *rest || number > UINT32_MAX)
		return -EINVAL;
	*ret_number = (uint32_t)number;
	return 0;
}

static void copy_text(char *to, const char *from, size_t bytes)
{
	size_t length = strnlen(from, bytes);

	if (length == bytes)
		length = ttlog_cut_string(from, (uint32_t)bytes - 1);
	memset(to, 0, bytes);
	memcpy(to, from, length);
}

static int check_region_bytes(uint64_t bytes)
{
	return bytes < TTLOG_REGION_BYTES_MIN || bytes > TTLOG_REGION_BYTES_MAX ? -EINVAL : 0;
}

static int apply_size(struct ttlog_settings *settings, const char *text)
{
	uint64_t bytes;

	if (ttlog_settings_parse_size(text, &bytes) || check_region_bytes(bytes))
		return -EINVAL;
	settings->region_bytes = bytes;
	return 0;
}

static int check_channel_bytes(uint64_t bytes)
{
	return bytes < TTLOG_CHANNEL_BYTES_MIN || bytes > TTLOG_CHANNEL_BYTES_MAX ? -EINVAL : 0;
}

static int apply_channel_memory(struct ttlog_settings *settings, const char *text)
{
	uint64_t bytes;

	if (ttlog_settings_parse_size(text, &bytes) || check_channel_bytes(bytes))
		return -EINVAL;
	settings->channel_bytes = bytes;
	return 0;
}

static int apply_socket(struct ttlog_settings *settings, const char *path)
{
	if (strlen(path) >= sizeof(settings->socket))
		return -EINVAL;
	copy_text(settings->socket, path, sizeof(settings->socket));
	return 0;
}

static int apply_service(struct ttlog_settings *settings, const char *name)
{
	if (!*name)
		return -EINVAL;
	copy_text(settings->service, name, sizeof(settings->service));
	return 0;
}

static int apply_group(struct ttlog_settings *settings, const char *name)
{
	copy_text(settings->group, name, sizeof(settings->group));
	return 0;
}

static int apply_level(struct ttlog_settings *settings, const char *text)
{
	return ttlog_settings_parse_level(text, &settings->level);
}

static int apply_clock(struct ttlog_settings *settings, const char *text)
{
	return ttlog_settings_parse_clock(text, &settings->clock_mode);
}

static int apply_interval(struct ttlog_settings *settings, const char *text)
{
	return ttlog_settings_parse_number(text, &settings->flush_interval_s);
}

static int apply_timeout(struct ttlog_settings *settings, const char *text)
{
	uint32_t timeout_ms;

	if (ttlog_settings_parse_number(text, &timeout_ms) ||
	    timeout_ms > TTLOG_HELLO_TIMEOUT_MAX_MS)
		return -EINVAL;
	settings->hello_timeout_ms = timeout_ms;
	return 0;
}

void ttlog_settings_from_environment(struct ttlog_settings *ret_settings)
{
	static const struct {
		const char *name;
		int (*apply)(struct ttlog_settings *settings, const char *text);
	} variables[] = {
		{"TTLOG_SERVICE_NAME", apply_service},	  {"TTLOG_SOCKET", apply_socket},
		{"TTLOG_BUFFER_SIZE", apply_size},	  {"TTLOG_LEVEL", apply_level},
		{"TTLOG_FLUSH_INTERVAL", apply_interval}, {"TTLOG_HELLO_TIMEOUT", apply_timeout},
		{"TTLOG_CLOCK", apply_clock},		  {"TTLOG_CHANNEL_MEMORY", apply_channel_memory},
		{"TTLOG_GROUP", apply_group},
	};
	const char *debug = secure_getenv("TTLOG_DEBUG");

	memset(ret_settings, 0, sizeof(*ret_settings));
	copy_text(ret_settings->service, program_invocation_short_name, TTLOG_SERVICE_BYTES);
	copy_text(ret_settings->socket, TTLOG_SOCKET_DEFAULT, TTLOG_SOCKET_PATH_BYTES);
	ret_settings->region_bytes = TTLOG_REGION_BYTES_DEFAULT;
	ret_settings->level = TTLOG_TRACE;
	ret_settings->hello_timeout_ms = TTLOG_HELLO_TIMEOUT_MS;
	ret_settings->debug = debug && *debug && strcmp(debug, "0") != 0;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		const char *text = secure_getenv(variables[i].name);

		/* Set to nothing is not set; but an empty socket path means: no recorder. */
		if (!text || (!*text && variables[i].apply != apply_socket))
			continue;
		if (variables[i].apply(ret_settings, text))
			ttlog_debug_line(ret_settings, "ignored, makes no sense",
					 variables[i].name);
	}
}

int ttlog_settings_apply(struct ttlog_settings *settings, const struct ttlog_options *options)
{
	struct ttlog_settings next = *settings;
	struct ttlog_options known = {0};

	if (!options || options->size < sizeof(options->size) || options->size > 4096)
		return -EINVAL;
	/* A program built against an older header passes less: the rest is zero, the default. */
	memcpy(&known, options, options->size < sizeof(known) ? options->size : sizeof(known));
	if (known.service && apply_service(&next, known.service))
		return -EINVAL;
	if (known.socket && apply_socket(&next, known.socket))
		return -EINVAL;
	if (known.buffer_bytes && check_region_bytes(known.buffer_bytes))
		return -EINVAL;
	if (known.buffer_bytes)
		next.region_bytes = known.buffer_bytes;
	if (known.channel_bytes && check_channel_bytes(known.channel_bytes))
		return -EINVAL;
	if (known.channel_bytes)
		next.channel_bytes = known.channel_bytes;
	if (known.level && apply_level(&next, known.level))
		return -EINVAL;
	if (known.flush_interval_s)
		next.flush_interval_s = known.flush_interval_s;
	if (known.hello_timeout_ms > TTLOG_HELLO_TIMEOUT_MAX_MS)
		return -EINVAL;
	if (known.hello_timeout_ms)
		next.hello_timeout_ms = known.hello_timeout_ms;
	if (known.clock && apply_clock(&next, known.clock))
		return -EINVAL;
	if (known.group && apply_group(&next, known.group))
		return -EINVAL;
	if (known.debug)
		next.debug = true;
	*settings = next;
	return 0;
}
