/* SPDX-License-Identifier: MIT */
/* ctl_main.c - ttlog-ctl: its command line. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "recorder/ctl_live.h"
#include "recorder/log.h"

enum key {
	KEY_SOCKET = 's',
	KEY_HELP = 'h',
	KEY_FOLLOW = 'f',
	KEY_LINES = 'n',
	KEY_CONTROL = 256,
	KEY_JSON,
	KEY_NO_LEGEND,
	KEY_NO_PAGER,
	KEY_WAIT,
	KEY_REASON,
	KEY_DUMPS,
	KEY_DIR,
	KEY_GROUP_BY,
	KEY_VERSION,
	KEY_ONCE,
	/* From here on they are ttlog-view's. */
	KEY_VIEWER,
	KEY_PRIORITY = 'p',
	KEY_TARGET = 't',
	KEY_GREP = 'g',
	KEY_FORMAT = 'o',
};

static const struct option_row {
	const char *name;
	int key;
	const char *argument; /* NULL: takes none */
	const char *help;
} option_rows[] = {
	{"control", KEY_CONTROL, "PATH",
	 "the control socket (" CTL_SOCKET_NAME " beside the other)"},
	{"socket", KEY_SOCKET, "PATH", "the socket of programs ($TTLOG_SOCKET)"},
	{"json", KEY_JSON, NULL, "print JSON, an object a line"},
	{"no-legend", KEY_NO_LEGEND, NULL, "no column headings, no closing line"},
	{"no-pager", KEY_NO_PAGER, NULL, "don't page what is longer than the terminal"},
	{"wait", KEY_WAIT, NULL, "snapshot: wait for the dumps and print their names"},
	{"reason", KEY_REASON, "TEXT", "snapshot: what is to be in the dump's name"},
	{"dumps", KEY_DUMPS, NULL, "list: the dumps in the folder, not the living"},
	{"dir", KEY_DIR, "DIR", "list --dumps: the folder ($TTLOG_SNAPSHOT_DIR)"},
	{"group-by", KEY_GROUP_BY, "signature", "list --dumps: a line for each bug"},
	{"follow", KEY_FOLLOW, NULL, "tail: go on with what is recorded from now on"},
	{"lines", KEY_LINES, "N", "tail: the newest N of what is there (10)"},
	{"filter", KEY_VIEWER, "EXPR", "tail: where EXPR is true, as ttlog-view has it"},
	{"query", KEY_VIEWER, "EXPR", "tail: the same with and, or, not and parentheses"},
	{"priority", KEY_PRIORITY, "LEVEL", "tail: of this level and worse"},
	{"target", KEY_TARGET, "GLOB", "tail: of these targets"},
	{"grep", KEY_GREP, "REGEX", "tail: in the message and the fields"},
	{"format", KEY_FORMAT, "FORMAT", "tail: text, json, or another of ttlog-view's"},
	{"fields", KEY_VIEWER, "NAMES", "tail: what of them, in which order"},
	{"time", KEY_VIEWER, "CLOCK", "tail: delta, utc, local, unix"},
	{"once", KEY_ONCE, NULL, "top: once, after one second"},
	{"help", KEY_HELP, NULL, "show this"},
	{"version", KEY_VERSION, NULL, "show the version"},
};

#define MORE INT_MAX
#define VIEWER_MAX 100 /* arguments for ttlog-view */

#define OPTIONS (sizeof(option_rows) / sizeof(option_rows[0]))

struct line {
	struct ctl_options options;
	int argument_count;
	char **argument; /* behind the command */
	const char *viewer[VIEWER_MAX + 1];
	int viewer_count;
	bool failed; /* an option made no sense, and that was said */
};

typedef int (*command_fn)(const struct line *line, enum ctl_verb verb);

static int ask(const struct line *line, enum ctl_verb verb);
static int watch(const struct line *line, enum ctl_verb verb);
static int count(const struct line *line, enum ctl_verb verb);

static const struct command_row {
	const char *name;
	enum ctl_verb verb;
	command_fn run;
	int least, most; /* arguments */
	const char *arguments, *help;
} commands[] = {
	{"list", CTL_LIST, ask, 0, 1, "[PID|SERVICE]", "who records, how much, how far back"},
	{"status", CTL_STATUS, ask, 0, 1, "[PID|SERVICE]", "the recorder, or a process in detail"},
	{"level", CTL_LEVEL, ask, 2, 2, "PID|SERVICE LEVEL",
	 "record from that level on: trace to fatal, off"},
	{"freeze", CTL_FREEZE, ask, 1, 1, "PID|SERVICE", "overwrite nothing any more"},
	{"thaw", CTL_THAW, ask, 1, 1, "PID|SERVICE", "go on as before the freeze"},
	{"snapshot", CTL_SNAPSHOT, ask, 1, 1, "PID|SERVICE", "write a dump of the living process"},
	{"tail", CTL_REGION, watch, 1, MORE, "PID|SERVICE", "its newest events, and what comes"},
	{"top", CTL_REGION, count, 1, 1, "PID|SERVICE", "what it records, by site and thread"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int usage(void)
{
	fputs("Try 'ttlog-ctl --help'.\n", stderr);
	return CTL_EXIT_USAGE;
}

static int help(void)
{
	puts("usage: ttlog-ctl [OPTION...] [COMMAND [ARGUMENT...]]\n"
	     "\n"
	     "Asks a running ttlog-recorder. Root sees all processes, others their own.\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-8s %-18s %s\n", commands[i].name, commands[i].arguments,
		       commands[i].help);
	puts("");
	for (size_t i = 0; i < OPTIONS; i++) {
		const struct option_row *row = &option_rows[i];
		char name[40];

		snprintf(name, sizeof(name), "--%s%s%s", row->name, row->argument ? " " : "",
			 row->argument ? row->argument : "");
		printf("  %c%c%s %-16s  %s\n", row->key < 256 ? '-' : ' ',
		       row->key < 256 ? row->key : ' ', row->key < 256 ? "," : " ", name,
		       row->help);
	}
	puts("\nWithout a command, it is list. Exits 0, 1 if nothing matched, 2 after a wrong\n"
	     "command line, 4 if no recorder is reachable or it refused.");
	return fflush(stdout) ? CTL_EXIT_REFUSED : CTL_EXIT_FINE;
}

/* ---- what is asked ---------------------------------------------------------------------- */

static int take_level(const char *name, uint32_t *ret_level)
{
	for (uint32_t level = 0; ctl_level_name(level); level++) {
		if (strcasecmp(name, ctl_level_name(level)))
			continue;
		*ret_level = level;
		return 0;
	}
	ctl_say("'%s' is no level: trace, debug, info, warn, error, fatal, off", name);
	return -1;
}

/* Cut, it would be another one. */
static int take_text(const char *what, const char *text, char *to, size_t bytes)
{
	if (!*text || strlen(text) >= bytes) {
		ctl_say("'%s' makes no sense as a %s", text, what);
		return -1;
	}
	strcpy(to, text);
	log_clean(to, LOG_CLEAN_LINE);
	return 0;
}

static int make_request(const struct line *line, struct ctl_request *request)
{
	const struct ctl_options *options = &line->options;

	if (line->argument_count > 0 &&
	    take_text("service", line->argument[0], request->match, sizeof(request->match)))
		return -1;
	if (request->verb == CTL_LEVEL && take_level(line->argument[1], &request->level))
		return -1;
	if (options->reason &&
	    take_text("reason", options->reason, request->reason, sizeof(request->reason)))
		return -1;
	if ((options->reason || options->wait) && request->verb != CTL_SNAPSHOT) {
		ctl_say("--%s is for snapshot", options->wait ? "wait" : "reason");
		return -1;
	}
	if (request->verb != CTL_REGION &&
	    (options->follow || options->has_lines || line->viewer_count)) {
		ctl_say("--follow, --lines, and what is ttlog-view's are for tail");
		return -1;
	}
	request->wait = options->wait;
	return 0;
}

static int find_control(const struct ctl_options *options, char *path, size_t bytes)
{
	const char *from_environment = secure_getenv("TTLOG_SOCKET");
	const char *socket = options->socket ? options->socket : TTLOG_SOCKET_DEFAULT;

	if (options->control) {
		if (strlen(options->control) >= bytes)
			return -1;
		strcpy(path, options->control);
		return 0;
	}
	if (!options->socket && from_environment && *from_environment)
		socket = from_environment;
	return ctl_socket_beside(socket, path, bytes);
}

static bool wants_dumps(const struct ctl_options *options)
{
	return options->dumps || options->dir || options->group_by;
}

static int check_dumps(const struct ctl_options *options, enum ctl_verb verb)
{
	if (verb != CTL_LIST || !options->dumps) {
		ctl_say("--dumps, --dir and --group-by are for list --dumps");
		return -1;
	}
	if (options->group_by && strcmp(options->group_by, "signature") != 0) {
		ctl_say("'%s' is nothing to group by: signature", options->group_by);
		return -1;
	}
	return 0;
}

static int ask(const struct line *line, enum ctl_verb verb)
{
	struct ctl_request request = {.verb = verb};
	char path[PATH_MAX];

	if (wants_dumps(&line->options)) {
		if (check_dumps(&line->options, verb))
			return usage();
		return ctl_dumps(&line->options, line->argument_count ? line->argument[0] : NULL);
	}
	if (make_request(line, &request))
		return usage();
	if (find_control(&line->options, path, sizeof(path))) {
		ctl_say("the path of the socket is too long");
		return usage();
	}
	return ctl_show(&line->options, path, &request);
}

static int watch(const struct line *line, enum ctl_verb verb)
{
	struct ctl_options options = line->options;
	const char *viewer[VIEWER_MAX + 1];
	int count = line->viewer_count;
	struct ctl_request request = {.verb = verb};
	char path[PATH_MAX];

	memcpy(viewer, line->viewer, sizeof(viewer));
	/* What follows the process is for ttlog-view, whatever it is. */
	for (int i = 1; i < line->argument_count; i++) {
		if (count == VIEWER_MAX) {
			ctl_say("more for ttlog-view than makes sense");
			return usage();
		}
		viewer[count++] = line->argument[i];
	}
	if (options.json && count < VIEWER_MAX)
		viewer[count++] = "--format=json";
	viewer[count] = NULL;
	options.viewer = viewer;
	if (make_request(line, &request))
		return usage();
	if (find_control(&line->options, path, sizeof(path))) {
		ctl_say("the path of the socket is too long");
		return usage();
	}
	return ctl_tail(&options, path, request.match);
}

static int count(const struct line *line, enum ctl_verb verb)
{
	const struct ctl_options *options = &line->options;
	struct ctl_request request = {.verb = verb};
	char path[PATH_MAX];

	if (options->follow || options->has_lines || line->viewer_count) {
		ctl_say("--follow, --lines, and what is ttlog-view's are for tail");
		return usage();
	}
	if (make_request(line, &request))
		return usage();
	if (find_control(options, path, sizeof(path))) {
		ctl_say("the path of the socket is too long");
		return usage();
	}
	return ctl_top(options, path, request.match);
}

/* ---- the command line ------------------------------------------------------------------- */

static void take_lines(struct line *line, const char *text)
{
	char *end;

	errno = 0;
	line->options.lines = strtoull(text, &end, 10);
	line->options.has_lines = true;
	if (*text >= '0' && *text <= '9' && !*end && !errno)
		return;
	ctl_say("'%s' is no number of events", text);
	line->failed = true;
}

/* As one word, "--name=argument". */
static void take_viewers(struct line *line, const char *name, const char *argument)
{
	static char words[VIEWER_MAX * 256];
	static size_t used;
	const int bytes = snprintf(words + used, sizeof(words) - used, "--%s=%s", name, argument);

	if (bytes < 0 || (size_t)bytes >= sizeof(words) - used ||
	    line->viewer_count == VIEWER_MAX) {
		ctl_say("more for ttlog-view than makes sense");
		line->failed = true;
		return;
	}
	line->viewer[line->viewer_count++] = words + used;
	used += (size_t)bytes + 1;
}

static void take_option(struct line *line, int key, const char *argument)
{
	struct ctl_options *options = &line->options;

	switch (key) {
	case KEY_FOLLOW:
		options->follow = true;
		break;
	case KEY_ONCE:
		options->once = true;
		break;
	case KEY_LINES:
		take_lines(line, argument);
		break;
	case KEY_CONTROL:
		options->control = argument;
		break;
	case KEY_SOCKET:
		options->socket = argument;
		break;
	case KEY_JSON:
		options->json = true;
		break;
	case KEY_NO_LEGEND:
		options->without_legend = true;
		break;
	case KEY_NO_PAGER:
		options->without_pager = true;
		break;
	case KEY_WAIT:
		options->wait = true;
		break;
	case KEY_REASON:
		options->reason = argument;
		break;
	case KEY_DUMPS:
		options->dumps = true;
		break;
	case KEY_DIR:
		options->dir = argument;
		break;
	case KEY_GROUP_BY:
		options->group_by = argument;
		break;
	case KEY_HELP:
		options->help = true;
		break;
	default:
		options->version = true;
	}
}

static bool is_viewers(int key)
{
	return key == KEY_VIEWER || key == KEY_PRIORITY || key == KEY_TARGET || key == KEY_GREP ||
	       key == KEY_FORMAT;
}

static const char *name_of(int key)
{
	for (size_t i = 0; i < OPTIONS; i++)
		if (option_rows[i].key == key)
			return option_rows[i].name;
	return "";
}

/* 0, or -1: it was said why. */
static int parse(int argc, char **argv, struct line *line)
{
	struct option long_options[OPTIONS + 1] = {0};
	int key, index = -1;

	for (size_t i = 0; i < OPTIONS; i++)
		long_options[i] = (struct option){
			.name = option_rows[i].name,
			.has_arg = option_rows[i].argument ? required_argument : no_argument,
			.val = option_rows[i].key,
		};
	while ((key = getopt_long(argc, argv, "s:hfn:p:t:g:o:", long_options, &index)) != -1) {
		if (key == '?')
			return -1;
		if (is_viewers(key))
			take_viewers(line, key == KEY_VIEWER ? option_rows[index].name : name_of(key),
				     optarg);
		else
			take_option(line, key, optarg);
	}
	return line->failed ? -1 : 0;
}

/* For fingers that know coredumpctl. */
static const char *hint(const char *name)
{
	static const char *const theirs[] = {"info", "dump", "debug", "gdb"};

	for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++)
		if (!strcmp(name, theirs[i]))
			return " (`list --dumps` names the dumps, `ttlog-view --info DUMP` shows one)";
	return "";
}

static int run(const char *name, struct line *line)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command_row *command = &commands[i];

		if (strcmp(name, command->name))
			continue;
		if (line->argument_count < command->least || line->argument_count > command->most) {
			ctl_say("%s takes: %s", name, command->arguments);
			return usage();
		}
		return command->run(line, command->verb);
	}
	ctl_say("what is '%s'?%s", name, hint(name));
	return usage();
}

int main(int argc, char **argv)
{
	struct line line = {.options = {.lines = 10}};

	if (parse(argc, argv, &line))
		return usage();
	if (line.options.help)
		return help();
	if (line.options.version)
		return puts("ttlog-ctl " TTLOG_VERSION) < 0 ? CTL_EXIT_REFUSED : CTL_EXIT_FINE;
	if (optind >= argc)
		return run("list", &line);
	line.argument = argv + optind + 1;
	line.argument_count = argc - optind - 1;
	return run(argv[optind], &line);
}
