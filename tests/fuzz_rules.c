/* SPDX-License-Identifier: MIT */
/*
 * fuzz_rules.c - any bytes as a configuration with triggers: refused with a place, or rules that
 * can be asked; and any line of them as a filter, about events of every type.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder/config_file.h"
#include "recorder/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

/* Values of all types, and a string that does not end where a text would. */
static void ask(const struct filter *filter)
{
	static const uint8_t types[] = {TTLOG_TYPE_BOOL,    TTLOG_TYPE_CHAR,  TTLOG_TYPE_I64,
					TTLOG_TYPE_U8,	    TTLOG_TYPE_F32,   TTLOG_TYPE_F64,
					TTLOG_TYPE_STRING,  TTLOG_TYPE_BYTES, TTLOG_TYPE_POINTER,
					TTLOG_TYPE_INTERNED};
	static const char *const names[] = {"a", "b",	"c", "d", "seconds",
					    "f", "who", "h", "i", "status"};
	struct ttlog_reader_site site = {
		.level = TTLOG_WARN,
		.field_count = sizeof(types),
		.line = 7,
		.target = "http",
		.message = "Request done",
		.file = "a.c",
		.function = "f",
		.types = types,
	};
	struct ttlog_reader_event event = {.value_count = sizeof(types)};

	for (unsigned int i = 0; i < sizeof(types); i++) {
		site.names[i] = names[i];
		event.value[i] = (struct ttlog_reader_value){
			.type = types[i], .bits = 5 * i, .data = "alice\xff", .size = 6};
	}
	require(!filter_match(filter, &site, &event, NULL, NULL) ||
		(!filter_refuses_site(filter, &site) && filter_level(filter) <= site.level));
}

static void ask_as_filters(const char *text)
{
	char *copy = strdup(text), *rest = copy, *line;
	struct filter filter = {0};
	struct filter_error error;

	while ((line = strsep(&rest, "\n")))
		if (filter_add(&filter, line, &error) == -22)
			require(error.why[0] && error.at <= strlen(line));
	require(filter.count <= FILTER_TESTS_MAX);
	ask(&filter);
	filter_fini(&filter);
	free(copy);
}

/* It is read from a file, as an operator's is. */
static void load(const uint8_t *data, size_t size)
{
	static char path[64];
	struct config config = {0};
	int fd;

	if (!path[0]) {
		strcpy(path, "/dev/null");
		dup2(open(path, O_WRONLY | O_CLOEXEC), STDERR_FILENO);
		strcpy(path, "/tmp/ttlog-fuzz-rules-XXXXXX");
		close(mkstemp(path));
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
	require(config_file_load(&config, path, true) <= 0);
	unlink(path);
	for (unsigned int i = 0; config.rules && i < config.rules->count; i++) {
		const struct rule *rule = &config.rules->rule[i];

		require(rule->name[0] && rule->where && rule->shown);
		rule_is_for(rule, "orders");
		ask(&rule->filter);
	}
	config_fini(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size > 65536)
		return 0;
	text = malloc(size + 1);
	require(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	load(data, size);
	ask_as_filters(text);
	free(text);
	return 0;
}
