/* SPDX-License-Identifier: MIT */
/* The table, the values, the files: who wins, and what is said about mistakes. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder/config.h"
#include "recorder/config_file.h"

static char folder[64], path[96], drop_ins[112];
static char said[65536];

static void prepare(void)
{
	strcpy(folder, "/tmp/ttlog-test-config-XXXXXX");
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/recorder.conf", folder);
	snprintf(drop_ins, sizeof(drop_ins), "%s.d", path);
	cr_assert_eq(mkdir(drop_ins, 0755), 0);
	unsetenv("TTLOG_SOCKET");
	unsetenv("TTLOG_SNAPSHOT_DIR");
}

static void clean(void)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(config, .init = prepare, .fini = clean, .timeout = 120);

static void write_bytes(const char *name, const char *bytes, size_t count)
{
	FILE *file = fopen(name, "w");

	cr_assert(file);
	cr_assert_eq(fwrite(bytes, 1, count, file), count);
	cr_assert_eq(fclose(file), 0);
	cr_assert_eq(chmod(name, 0644), 0);
}

static void write_text(const char *name, const char *text)
{
	write_bytes(name, text, strlen(text));
}

static void write_drop_in(const char *name, const char *text)
{
	char file[128];

	snprintf(file, sizeof(file), "%s/%s", drop_ins, name);
	write_text(file, text);
}

/* What is written to stderr meanwhile is in `said`. */
static int saved_stderr, capture;

static void listen_to_stderr(void)
{
	capture = memfd_create("stderr", MFD_CLOEXEC);
	saved_stderr = dup(STDERR_FILENO);
	cr_assert(capture >= 0 && saved_stderr >= 0);
	dup2(capture, STDERR_FILENO);
}

static void stop_listening(void)
{
	ssize_t bytes = pread(capture, said, sizeof(said) - 1, 0);

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(capture);
	cr_assert_geq(bytes, 0);
	said[bytes] = '\0';
}

/* A command line ended by NULL; reads the file at `path`. */
static int load_with(struct config *config, const char *first, ...)
{
	char *argv[32] = {(char *)(uintptr_t) "ttlog-recorder"};
	va_list arguments;
	int argc = 1, err;

	va_start(arguments, first);
	for (const char *word = first; word; word = va_arg(arguments, const char *))
		argv[argc++] = (char *)(uintptr_t)word;
	va_end(arguments);
	argv[argc++] = (char *)(uintptr_t) "--config";
	argv[argc++] = path;
	listen_to_stderr();
	err = config_read_line(config, argc, argv);
	if (!err)
		err = config_load(config);
	stop_listening();
	return err;
}

static const char *from(const struct config *config, const char *name)
{
	return config_value_of(config, name)->where;
}

Test(config, each_row_is_sound_and_each_name_is_there_once)
{
	for (size_t i = 0; i < config_row_count; i++) {
		const struct config_row *row = &config_rows[i];
		struct config config = {0};

		cr_expect_eq(strspn(row->name, "abcdefghijklmnopqrstuvwxyz-"), strlen(row->name));
		cr_expect(row->help && *row->help, "%s", row->name);
		cr_expect_eq(row->kind == CONFIG_FLAG, !row->argument, "%s", row->name);
		cr_expect_eq(config_find(row->name), row, "%s", row->name);
		for (size_t j = 0; row->letter && j < i; j++)
			cr_expect_neq(config_rows[j].letter, row->letter, "%s", row->name);
		for (size_t j = 0; j < i; j++)
			cr_expect_neq(config_rows[j].offset, row->offset, "%s", row->name);
		if (row->otherwise)
			cr_expect_eq(config_set(&config, row, row->otherwise, CONFIG_FROM_DEFAULT,
						"default"),
				     0, "%s", row->name);
		config_fini(&config);
	}
}

Test(config, numbers_have_suffixes_and_limits)
{
	static const struct {
		const char *name, *text;
		int64_t value; /* -1: refused */
	} rows[] = {
		{"max-region", "1", 1},
		{"max-region", "3k", 3 << 10},
		{"max-region", "3M", 3 << 20},
		{"max-region", "2G", INT64_C(2) << 30},
		{"max-region", "2T", INT64_C(2) << 40},
		{"max-region", "0", -1},
		{"max-region", "", -1},
		{"max-region", "-1", -1},
		{"max-region", "+1", -1},
		{"max-region", " 1", -1},
		{"max-region", "1 ", -1},
		{"max-region", "1MM", -1},
		{"max-region", "1d", -1},
		{"max-region", "0x10", -1},
		{"max-region", "M", -1},
		{"max-region", "18446744073709551616", -1},
		{"max-region", "16777216T", -1},
		{"max-clients", "65535", 65535},
		{"max-clients", "65536", -1},
		{"max-clients", "4K", -1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct config_row *row = config_find(rows[i].name);
		struct config config = {0};
		const int err = config_set(&config, row, rows[i].text, CONFIG_FROM_LINE, "here");
		const uint64_t *member = (const void *)((const char *)&config + row->offset);

		cr_expect_eq(err < 0, rows[i].value < 0, "%s: %d", rows[i].text, err);
		cr_expect_eq(*member, rows[i].value < 0 ? 0 : (uint64_t)rows[i].value, "%s",
			     rows[i].text);
		config_fini(&config);
	}
}

Test(config, line_goes_over_environment_over_drop_ins_over_file_over_default)
{
	struct config config;

	write_text(path, "\xef\xbb\xbf# all of it\r\n[recorder]\n"
			 "max-clients = 10\n max-region\t=\t1M\r\n"
			 "dir = /from/file\nsocket=/from/file\ndump-on-exit = yes");
	write_drop_in("20-second.conf", "max-clients = 12\n; only that\n");
	write_drop_in("10-first.conf", "max-clients = 11\nmax-memory = 7M\n");
	write_drop_in("30-not-ours.txt", "nonsense");
	write_drop_in(".30-hidden.conf", "nonsense");
	setenv("TTLOG_SOCKET", "/from/environment", 1);
	setenv("TTLOG_SNAPSHOT_DIR", "/from/environment", 1);
	cr_assert_eq(load_with(&config, "--dir=/from/line", "--dump-on-exit=no", NULL), 0, "%s",
		     said);
	cr_expect_eq(config.options.clients_max, 12);
	cr_expect_eq(config.options.region_bytes_max, 1 << 20);
	cr_expect_eq(config.options.memory_bytes_max, 7 << 20);
	cr_expect_str_eq(config.options.socket, "/from/environment");
	cr_expect_str_eq(config.options.dir, "/from/line");
	cr_expect_not(config.options.dump_on_exit);
	cr_expect_str_eq(from(&config, "dir"), "command line");
	cr_expect_str_eq(from(&config, "socket"), "$TTLOG_SOCKET");
	cr_expect_null(from(&config, "no-bpf"));
	cr_expect(strstr(from(&config, "max-clients"), "/20-second.conf:1"));
	cr_expect(strstr(from(&config, "max-memory"), "/10-first.conf:2"));
	cr_expect(strstr(from(&config, "max-region"), "/recorder.conf:4"), "%s",
		  from(&config, "max-region"));
	cr_expect_str_eq(said, "");
	config_fini(&config);
}

Test(config, an_empty_value_takes_the_default_back)
{
	struct config config;

	write_text(path, "max-clients = 10\nmax-memory = 5M\ndump-on-exit = on\n");
	write_drop_in("a.conf", "max-clients =\nmax-memory=\ndump-on-exit = \n");
	cr_assert_eq(load_with(&config, NULL), 0, "%s", said);
	cr_expect_eq(config.options.clients_max, 4096);
	cr_expect_eq(config.options.memory_bytes_max, 0);
	cr_expect_not(config.options.dump_on_exit);
	config_fini(&config);
}

Test(config, every_mistake_is_named_with_its_file_and_line)
{
	static const char *const expected[] = {
		"recorder.conf:1: there is no such key: max-client\n",
		"recorder.conf:2: '70000' makes no sense for max-clients, which is a number from 1",
		"recorder.conf:3: this is no 'key = value': nonsense\n",
		"recorder.conf:4: there is no such section: server\n",
		"recorder.conf:8: this is for the command line only: help\n",
		"recorder.conf:9: 'maybe' makes no sense for no-bpf, which is yes or no\n",
		"recorder.conf:10: a second time in this file: max-region\n",
		"a.conf:1: a section is written [recorder] or [trigger NAME]\n",
		"makes no sense for $TTLOG_SOCKET",
	};
	struct config config;

	write_text(path, "max-client = 1\nmax-clients = 70000\nnonsense\n[server]\nwhatever = 1\n"
			 "[recorder] \nmax-region =\nhelp = yes\nno-bpf = maybe\nmax-region = 1\n");
	write_drop_in("a.conf", "[recorder\nmax-clients = 1\n");
	setenv("TTLOG_SOCKET", "/with/\033[31m", 1);
	cr_expect_eq(load_with(&config, NULL), -EINVAL);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		cr_expect(strstr(said, expected[i]), "'%s' is not in: %s", expected[i], said);
	cr_expect_null(strstr(said, "whatever"), "a section that is not ours is one mistake");
	cr_expect_null(strchr(said, '\033'));
	config_fini(&config);
}

/* Whatever lies at `path` is refused, with those words. */
static void expect_refusal(const char *words)
{
	struct config config;

	cr_expect_eq(load_with(&config, NULL), -EINVAL, "%s", words);
	cr_expect(strstr(said, words), "'%s' is not in: %s", words, said);
	config_fini(&config);
}

Test(config, only_a_small_text_file_is_read)
{
	static char big[CONFIG_FILE_BYTES_MAX + 1];

	expect_refusal("No such file"); /* it was named */
	cr_assert_eq(mkdir(path, 0755), 0);
	expect_refusal("is no regular file");
	cr_assert_eq(rmdir(path), 0);
	cr_assert_eq(mkfifo(path, 0644), 0);
	expect_refusal("is no regular file");
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(symlink("/dev/zero", path), 0);
	expect_refusal("is no regular file");
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(symlink("recorder.conf", path), 0);
	expect_refusal("Too many levels");
	cr_assert_eq(unlink(path), 0);
	write_bytes(path, "dir = /a\0b\n", 11);
	expect_refusal("it has a NUL");
	memset(big, '#', sizeof(big));
	write_bytes(path, big, sizeof(big));
	expect_refusal("is too big");
}

Test(config, the_biggest_file_may_be_one_line)
{
	static char big[CONFIG_FILE_BYTES_MAX];
	struct config config;

	memset(big, 'x', sizeof(big));
	memcpy(big, "dir = /", 7);
	write_bytes(path, big, sizeof(big));
	cr_assert_eq(load_with(&config, NULL), 0, "%s", said);
	cr_expect_eq(strlen(config.options.dir), sizeof(big) - 6);
	config_fini(&config);
	write_bytes(path, big + 7, sizeof(big) - 7);
	expect_refusal("recorder.conf:1: this is no 'key = value'");
}

Test(config, what_others_can_write_is_refused)
{
	write_text(path, "max-clients = 1\n");
	cr_assert_eq(chmod(path, 0646), 0);
	expect_refusal("everybody may write there");
	cr_assert_eq(chmod(path, 0644), 0);
	cr_assert_eq(chmod(drop_ins, 01777), 0);
	expect_refusal("recorder.conf.d: everybody may write there");
	cr_assert_eq(chmod(drop_ins, 0755), 0);
	if (geteuid()) {
		cr_log_warn("skipped: only root can give files to others\n");
		return;
	}
	cr_assert_eq(chown(path, 65534, 0), 0);
	expect_refusal("belongs to another user");
	cr_assert_eq(chown(path, 0, 65534), 0);
	cr_assert_eq(chmod(path, 0664), 0);
	expect_refusal("a group may write there");
}

/* Kubernetes mounts a map of configurations as links. */
Test(config, a_link_to_a_good_file_is_followed)
{
	struct config config;
	char real[128];

	snprintf(real, sizeof(real), "%s/..data", folder);
	write_text(real, "max-clients = 9\n");
	cr_assert_eq(symlink("..data", path), 0);
	cr_assert_eq(load_with(&config, NULL), 0, "%s", said);
	cr_expect_eq(config.options.clients_max, 9);
	config_fini(&config);
}

Test(config, mistakes_on_the_command_line_are_all_named)
{
	struct config config;

	write_text(path, "");
	cr_expect_eq(load_with(&config, "--max-clients", "0", "--nonsense", "--format=xml",
			       "--dump-on-exit=maybe", NULL),
		     -EINVAL);
	cr_expect(strstr(said, "'0' makes no sense for --max-clients"), "%s", said);
	cr_expect(strstr(said, "--nonsense"), "%s", said);
	cr_expect(strstr(said, "'xml' makes no sense for --format, which is one of text|json"),
		  "%s", said);
	cr_expect(strstr(said, "'maybe' makes no sense for --dump-on-exit"), "%s", said);
	config_fini(&config);
}

static int reload(struct config *config)
{
	int err;

	listen_to_stderr();
	err = config_reload(config);
	stop_listening();
	return err;
}

Test(config, a_reload_changes_what_may_change_and_names_the_rest)
{
	struct config config;

	write_text(path, "max-region = 1M\nsocket = /a\nmax-clients = 5\n");
	write_drop_in("a.conf", "max-memory = 9M\n");
	cr_assert_eq(load_with(&config, "--dump-on-exit", NULL), 0, "%s", said);

	write_text(path, "max-region = 2M\nsocket = /b\nmax-clients = 5\ndump-on-exit = no\n");
	write_drop_in("a.conf", "");
	cr_assert_eq(reload(&config), 0);
	cr_expect_eq(config.options.region_bytes_max, 2 << 20);
	cr_expect_eq(config.options.memory_bytes_max, 0);
	cr_expect_eq(config.options.clients_max, 5);
	cr_expect(config.options.dump_on_exit, "the command line stays above the file");
	cr_expect_str_eq(config.options.socket, "/a");
	cr_expect_str_eq(config_value_of(&config, "socket")->text, "/a");
	cr_expect_str_eq(
		said, "ttlog-recorder: socket can't change while the recorder runs: restart it\n");
	config_fini(&config);
}

Test(config, a_reload_of_a_bad_file_changes_nothing)
{
	struct config config;

	write_text(path, "max-region = 1M\n");
	cr_assert_eq(load_with(&config, NULL), 0, "%s", said);
	write_text(path, "max-region = 2M\nnonsense\n");
	cr_expect_eq(reload(&config), -EINVAL);
	cr_expect(strstr(said, "recorder.conf:2:"), "%s", said);
	cr_expect_eq(config.options.region_bytes_max, 1 << 20);
	cr_assert_eq(unlink(path), 0);
	cr_expect_eq(reload(&config), -EINVAL, "the file that was named is gone");
	cr_expect_eq(config.options.region_bytes_max, 1 << 20);
	write_text(path, "max-region = 3M\n");
	cr_expect_eq(reload(&config), 0);
	cr_expect_eq(config.options.region_bytes_max, 3 << 20);
	config_fini(&config);
}

/* A generator of numbers that is the same everywhere. */
static uint32_t next_number(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

Test(config, a_file_with_wrong_bytes_is_refused_with_a_reason_or_taken)
{
	static const char sound[] = "# all\n[recorder]\nmax-clients = 10\nmax-region = 1M\n"
				    "dir = /from/file\ndump-on-exit = yes\nmax-memory =\n";
	unsigned int taken = 0, refused = 0;
	uint32_t state = 1;

	for (int i = 0; i < 1000; i++) {
		char text[sizeof(sound)];
		struct config config;
		int err;

		memcpy(text, sound, sizeof(text));
		for (uint32_t changes = 1 + next_number(&state) % 2; changes; changes--)
			text[next_number(&state) % (sizeof(text) - 1)] = (char)next_number(&state);
		write_bytes(path, text, sizeof(text) - 1 - next_number(&state) % 2);
		err = load_with(&config, NULL);
		cr_assert(err == 0 || err == -EINVAL, "%d", err);
		cr_assert_eq(err == 0, said[0] == '\0', "%d: %s", err, said);
		cr_assert(config.options.clients_max >= 1 &&
			  config.options.clients_max <= CLIENTS_MAX);
		*(err ? &refused : &taken) += 1;
		config_fini(&config);
	}
	cr_expect_gt(taken, 50);
	cr_expect_gt(refused, 100);
}
