/* SPDX-License-Identifier: MIT */
/* main.c - ttlog-recorder: its command line, and the daemon's life between two signals. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/ttlog_abi.h"
#include "recorder/doctor.h"
#include "recorder/log.h"
#include "recorder/pretend.h"
#include "recorder/recorder.h"
#include "recorder/run.h"
#include "recorder/unwind.h"

#define EXIT_USAGE 2
#define EXIT_RECORDER 125 /* of `run`, when the command could not be started for our own sake */
#define DIR_DEFAULT "/var/lib/ttlog/dumps"
#define CLIENTS_DEFAULT 4096
#define REGION_BYTES_DEFAULT (UINT64_C(256) << 20)

enum key {
	KEY_SOCKET = 's',
	KEY_DIR = 'd',
	KEY_VERBOSE = 'v',
	KEY_HELP = 'h',
	KEY_DUMP_ON_EXIT = 256,
	KEY_MAX_CLIENTS,
	KEY_MAX_REGION,
	KEY_MAX_MEMORY,
	KEY_MAX_CLIENTS_PER_UID,
	KEY_MAX_MEMORY_PER_UID,
	KEY_NO_BPF,
	KEY_NO_UNWIND,
	KEY_DEBUGINFOD,
	KEY_PRETEND,
	KEY_FORMAT,
	KEY_VERSION,
};

static const struct option_row {
	const char *name;
	int key;
	const char *argument; /* NULL: takes none */
	const char *help;
} table[] = {
	{"socket", KEY_SOCKET, "PATH", "listen there ($TTLOG_SOCKET, " TTLOG_SOCKET_DEFAULT ")"},
	{"dir", KEY_DIR, "DIR", "write dumps there ($TTLOG_SNAPSHOT_DIR, " DIR_DEFAULT ")"},
	{"dump-on-exit", KEY_DUMP_ON_EXIT, NULL, "write a dump after an exit with status 0, too"},
	{"max-clients", KEY_MAX_CLIENTS, "N", "connections at a time (4096)"},
	{"max-region", KEY_MAX_REGION, "BYTES", "memory of one client, with K, M or G (256M)"},
	{"max-memory", KEY_MAX_MEMORY, "BYTES", "memory of all clients (half of the machine's)"},
	{"max-clients-per-uid", KEY_MAX_CLIENTS_PER_UID, "N",
	 "connections of one user (half; root and ours: all)"},
	{"max-memory-per-uid", KEY_MAX_MEMORY_PER_UID, "BYTES",
	 "memory of one user's clients (half; root and ours: all)"},
	{"no-bpf", KEY_NO_BPF, NULL, "work without eBPF, even if it could be had"},
	{"no-unwind", KEY_NO_UNWIND, NULL, "keep stacks as they are, without functions and lines"},
	{"debuginfod", KEY_DEBUGINFOD, NULL, "fetch debug files from $DEBUGINFOD_URLS"},
	{"pretend", KEY_PRETEND, "NAMES", "do without features that the kernel has, for tests"},
	{"format", KEY_FORMAT, "text|json", "of what the doctor says"},
	{"verbose", KEY_VERBOSE, NULL, "say more on stderr"},
	{"help", KEY_HELP, NULL, "show this"},
	{"version", KEY_VERSION, NULL, "show the version"},
};

#define ROWS (sizeof(table) / sizeof(table[0]))

enum command { COMMAND_DAEMON, COMMAND_RUN, COMMAND_DOCTOR };

struct command_line {
	struct recorder_options options;
	enum command kind;
	const char *format; /* of the doctor; NULL: not given */
	char **command;	    /* of `run` */
};

static void help(void)
{
	puts("usage: ttlog-recorder [OPTION...]\n"
	     "       ttlog-recorder run [OPTION...] [--] COMMAND [ARGUMENT...]\n"
	     "       ttlog-recorder doctor [OPTION...]\n"
	     "\n"
	     "Holds the memory that programs linked with libttlog record into, and writes\n"
	     "a dump when one of them dies. `run` does so for one command, and exits as the\n"
	     "command does. `doctor` says what a recorder with these options can learn of\n"
	     "deaths here, and exits 1 if something is missing.\n");
	for (size_t i = 0; i < ROWS; i++) {
		const struct option_row *row = &table[i];
		char name[40];

		snprintf(name, sizeof(name), "--%s%s%s", row->name, row->argument ? " " : "",
			 row->argument ? row->argument : "");
		printf("  %c%c%s %-20s  %s\n", row->key < 256 ? '-' : ' ',
		       row->key < 256 ? row->key : ' ', row->key < 256 ? "," : " ", name,
		       row->help);
	}
	puts("\nWith `run`, DIR is the current folder unless it is given, the socket a\n"
	     "private one, and every end of a process is worth a dump.");
}

/* A count with K, M or G. 0 or a negative errno. */
static int parse_bytes(const char *text, uint64_t *ret_bytes)
{
	unsigned int shift = 0;
	uint64_t bytes;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	bytes = strtoull(text, &end, 10);
	if (errno)
		return -errno;
	switch (*end) {
	case 'G':
	case 'g':
		shift = 30;
		break;
	case 'M':
	case 'm':
		shift = 20;
		break;
	case 'K':
	case 'k':
		shift = 10;
		break;
	}
	if (end[shift ? 1 : 0] || !bytes || bytes > UINT64_MAX >> shift)
		return -EINVAL;
	*ret_bytes = bytes << shift;
	return 0;
}

static int take_option(struct command_line *line, int key, const char *argument)
{
	struct recorder_options *options = &line->options;
	uint64_t number = 0;

	switch (key) {
	case KEY_SOCKET:
		options->socket = argument;
		return 0;
	case KEY_DIR:
		options->dir = argument;
		return 0;
	case KEY_DUMP_ON_EXIT:
		options->dump_on_exit = true;
		return 0;
	case KEY_NO_BPF:
		options->without_bpf = true;
		return 0;
	case KEY_FORMAT:
		line->format = argument;
		return line->kind == COMMAND_DOCTOR &&
				       (!strcmp(argument, "text") || !strcmp(argument, "json"))
			       ? 0
			       : -EINVAL;
	case KEY_NO_UNWIND:
		options->without_unwinding = true;
		return 0;
	case KEY_DEBUGINFOD:
		options->debuginfod = true;
		return 0;
	case KEY_PRETEND:
		return pretend_parse(argument, &pretend_flags);
	case KEY_VERBOSE:
		log_verbose = true;
		return 0;
	case KEY_MAX_CLIENTS:
		if (parse_bytes(argument, &number) || number > CLIENTS_MAX)
			return -EINVAL;
		options->clients_max = (uint32_t)number;
		return 0;
	case KEY_MAX_REGION:
		return parse_bytes(argument, &options->region_bytes_max);
	case KEY_MAX_MEMORY:
		return parse_bytes(argument, &options->memory_bytes_max);
	case KEY_MAX_CLIENTS_PER_UID:
		if (parse_bytes(argument, &number) || number > CLIENTS_MAX)
			return -EINVAL;
		options->clients_max_per_uid = (uint32_t)number;
		return 0;
	case KEY_MAX_MEMORY_PER_UID:
		return parse_bytes(argument, &options->memory_bytes_max_per_uid);
	default:
		return -EINVAL;
	}
}

static int usage(void)
{
	fputs("Try 'ttlog-recorder --help'.\n", stderr);
	return EXIT_USAGE;
}

/* getopt's tables, made from ours. */
static void make_getopt(struct option long_options[ROWS + 1], char short_options[2 * ROWS + 2])
{
	char *at = short_options;

	*at++ = '+'; /* the command's options are its own */
	for (size_t i = 0; i < ROWS; i++) {
		long_options[i] = (struct option){
			.name = table[i].name,
			.has_arg = table[i].argument ? required_argument : no_argument,
			.val = table[i].key,
		};
		if (table[i].key >= 256)
			continue;
		*at++ = (char)table[i].key;
		if (table[i].argument)
			*at++ = ':';
	}
	*at = '\0';
	long_options[ROWS] = (struct option){0};
}

static const char *name_of(int key)
{
	for (size_t i = 0; i < ROWS; i++)
		if (table[i].key == key)
			return table[i].name;
	return "?";
}

/* -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct command_line *line)
{
	struct option long_options[ROWS + 1];
	char short_options[2 * ROWS + 2];
	int key;

	make_getopt(long_options, short_options);
	if (argc > 1 && !strcmp(argv[1], "run"))
		line->kind = COMMAND_RUN;
	else if (argc > 1 && !strcmp(argv[1], "doctor"))
		line->kind = COMMAND_DOCTOR;
	if (line->kind != COMMAND_DAEMON) {
		argv[1] = argv[0];
		argc--;
		argv++;
	}
	while ((key = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		if (key == KEY_HELP) {
			help();
			return EXIT_SUCCESS;
		}
		if (key == KEY_VERSION) {
			puts("ttlog-recorder " TTLOG_VERSION);
			return EXIT_SUCCESS;
		}
		if (key == '?')
			return usage();
		if (take_option(line, key, optarg)) {
			log_say("'%s' makes no sense for --%s", optarg, name_of(key));
			return usage();
		}
	}
	line->command = argv + optind;
	if (line->kind == COMMAND_RUN && !*line->command)
		log_say("run: which command?");
	else if (line->kind != COMMAND_RUN && *line->command)
		log_say("what is '%s'? (options start with --, commands with 'run')",
			*line->command);
	else
		return -1;
	return usage();
}

static const char *environment_or(const char *name, const char *otherwise)
{
	const char *value = secure_getenv(name);

	return value && *value ? value : otherwise;
}

/* ---- the daemon ------------------------------------------------------------------------- */

struct daemon {
	struct recorder recorder;
	int signal_fd;
	bool ending;
};

static void signal_came(void *context, uint32_t events)
{
	struct daemon *daemon = context;
	struct signalfd_siginfo info;

	(void)events;
	while (read(daemon->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		daemon->recorder.impatient = daemon->ending;
		daemon->ending = true;
		loop_stop(daemon->recorder.loop);
	}
}

/* Until a signal; a second one does not wait for dumps that are being written. */
static int daemon_live(struct daemon *daemon)
{
	int err = loop_run(daemon->recorder.loop);

	if (err) {
		log_say("failed: %s", strerror(-err));
		return EXIT_FAILURE;
	}
	err = recorder_settle(&daemon->recorder);
	if (!err)
		return EXIT_SUCCESS;
	log_say("interrupted again: dumps that were being written are lost");
	_exit(EXIT_FAILURE); /* a worker may hang in a dead file system */
}

static int run_daemon(const struct recorder_options *options)
{
	struct daemon daemon = {.signal_fd = -1};
	struct loop_source *source;
	sigset_t set;
	int status = EXIT_FAILURE;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* who ignores it is not told how a child ended */
	daemon.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (daemon.signal_fd < 0 || recorder_open(&daemon.recorder, options))
		return status;
	if (!loop_add(daemon.recorder.loop, daemon.signal_fd, EPOLLIN, signal_came, &daemon,
		      &source)) {
		log_say("listening on %s, dumps go to %s; %s", options->socket,
			daemon.recorder.store.path, daemon.recorder.rung);
		status = daemon_live(&daemon);
	}
	recorder_close(&daemon.recorder);
	close(daemon.signal_fd);
	return status;
}

/* ---- run -------------------------------------------------------------------------------- */

static int run_one(const struct command_line *line)
{
	struct recorder_options options = line->options;
	struct run_inheritance inheritance;
	struct recorder recorder;
	char private_path[PATH_MAX] = "";
	int status = EXIT_RECORDER, err = 0;

	run_prepare(&inheritance);
	options.dump_on_exit = true;
	if (!options.socket) {
		err = run_make_socket_path(private_path);
		options.socket = private_path;
	}
	if (err) {
		log_say("can't make a folder for the socket: %s", strerror(-err));
		return status;
	}
	if (!recorder_open(&recorder, &options)) {
		if (!recorder.watch || log_verbose)
			log_say("%s", recorder.rung);
		status = run_command(&recorder, &inheritance, options.socket, line->command);
		recorder_close(&recorder);
	}
	if (private_path[0])
		run_remove_socket_path(private_path);
	return status;
}

static int examine(const struct command_line *line)
{
	struct doctor doctor;

	doctor_examine(&doctor, &line->options);
	if (line->format && !strcmp(line->format, "json"))
		doctor_show_json(&doctor);
	else
		doctor_show_text(&doctor);
	if (fflush(stdout) || ferror(stdout))
		return EXIT_FAILURE;
	return doctor.healthy ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct command_line line = {
		.options =
			{
				.clients_max = CLIENTS_DEFAULT,
				.region_bytes_max = REGION_BYTES_DEFAULT,
			},
	};
	struct recorder_options *options = &line.options;
	int status;

	if (argc > 1 && !strcmp(argv[1], UNWIND_COMMAND))
		return unwind_main(argc, argv);
	status = parse(argc, argv, &line);
	if (status >= 0)
		return status;
#ifdef __GLIBC__
	/* The copy of a region goes back to the system when its dump is written, however often that
	 * is. */
	mallopt(M_MMAP_THRESHOLD, 256 << 10);
#endif
	if (!options->dir)
		options->dir = environment_or("TTLOG_SNAPSHOT_DIR",
					      line.kind == COMMAND_RUN ? "." : DIR_DEFAULT);
	if (line.kind == COMMAND_RUN)
		return run_one(&line);
	if (!options->socket)
		options->socket = environment_or("TTLOG_SOCKET", TTLOG_SOCKET_DEFAULT);
	if (line.kind == COMMAND_DOCTOR)
		return examine(&line);
	return run_daemon(options);
}
