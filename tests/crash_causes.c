/* SPDX-License-Identifier: MIT */
/*
 * crash_causes.c - each cause of death in causes_table.c is brought about for real, under a
 * recorder with the kernel program, and the dump must say what it was.
 *
 *   crash_causes                      all of them
 *   crash_causes NAME ...             these
 *   crash_causes --list               their names
 *   --bin FOLDER                      where ttlog-recorder and ttlog-view are; else above its own
 *
 * Runs no shell, and takes nothing from a machine but /proc, so that it can be all that runs on
 * one. What a kernel can't do is skipped, with the reason. One dump for each death, and not a
 * second one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/ttlog.h"
#include "tests/causes.h"

#define SKIPPED 77

struct cause_shared *cause_shared;
char cause_folder[64];
pid_t cause_recorder;

static char bin_folder[256], socket_path[96], dump_folder[96];
static int failures, skipped, done;
static const struct cause *current;

/* ---- processes ------------------------------------------------------------------------------ */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void fail(const char *what, const char *detail)
{
	printf("%s: FAILED: %s%s%s\n", current ? current->name : "crash_causes", what,
	       detail ? ": " : "", detail ? detail : "");
	failures++;
}

void cause_give_up(const char *what)
{
	fail(what, strerror(errno));
}

pid_t cause_fork(void)
{
	const pid_t parent = getpid();
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		cause_give_up("fork");
		exit(1);
	}
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(97);
	}
	return pid;
}

/* What /proc says is of the namespace that it was mounted in. */
pid_t cause_own_pid(void)
{
	char text[32] = "";

	return readlink("/proc/self", text, sizeof(text) - 1) > 0 ? atoi(text) : 0;
}

void cause_await(_Atomic int *word, int value)
{
	for (int64_t end = now_ms() + CAUSE_WAIT_MS; atomic_load(word) < value;) {
		if (now_ms() > end)
			_exit(98);
		poll(NULL, 0, 1);
	}
}

_Noreturn void cause_client(void (*life)(void))
{
	struct ttlog_options options = {.size = sizeof(options),
					.service = "causes",
					.socket = socket_path,
					.buffer_bytes = 1 << 20, /* it records little */
					.hello_timeout_ms = CAUSE_WAIT_MS};
	struct ttlog_stats stats = {.size = sizeof(stats)};
	const int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(quiet, STDERR_FILENO); /* assert() speaks */
	if (ttlog_init_with(&options) || ttlog_get_stats(&stats) || !stats.connected)
		_exit(99);
	ttlog_info("the last words", "number", 42);
	cause_shared->client = cause_own_pid();
	cause_shared->thread = cause_shared->client;
	cause_shared->step = 1;
	life();
	_exit(90);
}

/* All children but the recorder, those of children that ended too: we are their reaper. */
static void end_children(void)
{
	char path[64], text[4096];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	for (int64_t end = now_ms() + CAUSE_WAIT_MS; now_ms() < end;) {
		ssize_t count;
		bool any = false;

		fd = open(path, O_RDONLY | O_CLOEXEC);
		count = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
		if (fd >= 0)
			close(fd);
		text[count > 0 ? count : 0] = '\0';
		for (char *at = text, *rest; *at; at = rest) {
			const pid_t pid = (pid_t)strtol(at, &rest, 10);

			if (rest == at)
				break;
			if (pid == cause_recorder)
				continue;
			any = true;
			kill(pid, SIGKILL);
			waitpid(pid, NULL, __WALL);
		}
		if (!any)
			return;
	}
}

/* ---- dumps ---------------------------------------------------------------------------------- */

/* The path of a dump of that process; false: there is none yet. */
static bool find_dump(pid_t pid, char *path, size_t bytes)
{
	char prefix[32];
	DIR *folder = opendir(dump_folder);
	bool found = false;

	snprintf(prefix, sizeof(prefix), "ttlog-%d-", (int)pid);
	for (const struct dirent *entry; folder && !found && (entry = readdir(folder));) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)))
			continue;
		snprintf(path, bytes, "%s/%s", dump_folder, entry->d_name);
		found = true;
	}
	if (folder)
		closedir(folder);
	return found;
}

static bool wait_for_dump(int watch, char *path, size_t bytes)
{
	char events[4096];

	for (int64_t end = now_ms() + CAUSE_WAIT_MS; now_ms() < end;) {
		struct pollfd ready = {watch, POLLIN, 0};

		if (cause_shared->client && find_dump(cause_shared->client, path, bytes))
			return true;
		if (poll(&ready, 1, 50) > 0 && read(watch, events, sizeof(events)) < 0)
			return false;
	}
	return false;
}

/* What the viewer says of it. */
static bool view(const char *dump, char *text, size_t bytes)
{
	char program[300];
	size_t length = 0;
	int out[2], status = -1;
	ssize_t count;
	pid_t pid;

	snprintf(program, sizeof(program), "%s/ttlog-view", bin_folder);
	if (pipe2(out, O_CLOEXEC))
		return false;
	pid = cause_fork();
	if (!pid) {
		dup2(out[1], STDOUT_FILENO);
		execl(program, "ttlog-view", "--info", "--format", "json", dump, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	while (length + 1 < bytes && (count = read(out[0], text + length, bytes - 1 - length)) > 0)
		length += (size_t)count;
	text[length] = '\0';
	close(out[0]);
	waitpid(pid, &status, 0);
	return status == 0;
}

/* ---- what must be true ---------------------------------------------------------------------- */

static int number_of(const char *name, size_t length)
{
	const struct {
		const char *name;
		int value;
	} known[] = {
		{"client", cause_shared->client},
		{"other", cause_shared->other},
		{"thread", cause_shared->thread},
		{"test", getpid()},
		{"above", getppid()},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].name) == length && !memcmp(known[i].name, name, length))
			return known[i].value;
	return -1;
}

/* {client} and the like become numbers; a brace of JSON stays. */
static void fill_in(const char *part, char *text, size_t bytes)
{
	size_t length = 0;

	for (const char *at = part; *at && length + 16 < bytes;) {
		const char *end = *at == '{' ? strchr(at, '}') : NULL;
		const int number = end ? number_of(at + 1, (size_t)(end - at - 1)) : -1;

		if (number < 0) {
			text[length++] = *at++;
			continue;
		}
		length += (size_t)snprintf(text + length, bytes - length, "%d", number);
		at = end + 1;
	}
	text[length] = '\0';
}

/* What the kernel said, which is in the dump alone; where there is a reader of CBOR. */
static void say_evidence(const char *path)
{
	char command[1024];

	snprintf(
		command, sizeof(command),
		"lz4 -dc '%s' | /usr/bin/python3 -c 'import sys, cbor2; "
		"[print(\" \", e) for e in cbor2.load(sys.stdin.buffer)[\"cause\"][\"evidence\"]]'",
		path);
	fflush(stdout);
	if (system(command))
		printf("  (no evidence)\n");
}

/* Failures, as lines. */
static void check_parts(const char *info, const char *path)
{
	const int before = failures;
	char part[512];

	for (int i = 0; i < CAUSE_PARTS_MAX && current->parts[i]; i++) {
		const bool unwanted = current->parts[i][0] == '!';

		fill_in(current->parts[i] + unwanted, part, sizeof(part));
		if (!strstr(info, part) != unwanted)
			fail(unwanted ? "the dump has" : "the dump has not", part);
	}
	fill_in(current->sentence, part, sizeof(part));
	if (!strstr(info, part))
		fail("the sentence has not", part);
	if (failures != before) {
		const char *cause = strstr(info, "\"cause\"");

		printf("  %.1000s\n", cause ? cause : info);
		say_evidence(path);
	}
}

static void say_sentence(const char *info)
{
	const char *at = strstr(info, "\"sentence\":\"");

	at = at ? at + strlen("\"sentence\":\"") : "";
	printf("  %-24s %.*s\n", current->name, (int)strcspn(at, "\""), at);
}

/* A second dump of the same death would be a lie. */
static void check_only(const char *path)
{
	char another[400];

	unlink(path);
	if (find_dump(cause_shared->client, another, sizeof(another)))
		fail("a second dump", another);
}

static void bring_about(int watch)
{
	static char info[1 << 20];
	char path[400];

	memset(cause_shared, 0, sizeof(*cause_shared));
	cause_shared->signal = current->signal;
	if (current->start)
		current->start(current->life);
	else if (!cause_fork())
		cause_client(current->life);
	for (int64_t end = now_ms() + CAUSE_WAIT_MS; cause_shared->step < 1 && now_ms() < end;)
		poll(NULL, 0, 1);
	if (cause_shared->step < 1)
		fail("the client did not get that far", NULL);
	else if (current->act)
		current->act();
	if (!wait_for_dump(watch, path, sizeof(path)))
		fail("no dump", NULL);
	else if (!view(path, info, sizeof(info)))
		fail("ttlog-view", path);
	else
		check_parts(info, path), say_sentence(info);
	end_children();
	check_only(path);
	acts_clean();
}

static void run(const struct cause *cause, int watch)
{
	const char *reason;

	current = cause;
	reason = cause->skip ? cause->skip() : NULL;
	if (reason) {
		printf("  %-24s skip: %s\n", cause->name, reason);
		skipped++;
		return;
	}
	bring_about(watch);
	done++;
}

/* ---- the recorder --------------------------------------------------------------------------- */

static bool start_recorder(void)
{
	char program[300], path[96], said[1024] = "";
	int fd;

	snprintf(program, sizeof(program), "%s/ttlog-recorder", bin_folder);
	snprintf(path, sizeof(path), "%s/said", cause_folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0600);
	cause_recorder = cause_fork();
	if (!cause_recorder) {
		dup2(fd, STDERR_FILENO);
		execl(program, "ttlog-recorder", "--keep-loop=0", "--keep-free=0", "--socket",
		      socket_path, "--dir", dump_folder, "--dump-on-exit", (char *)NULL);
		_exit(127);
	}
	for (int64_t end = now_ms() + CAUSE_WAIT_MS; !strchr(said, '\n') && now_ms() < end;) {
		if (pread(fd, said, sizeof(said) - 1, 0) < 0 ||
		    waitpid(cause_recorder, NULL, WNOHANG) != 0)
			break;
		poll(NULL, 0, 5);
	}
	close(fd);
	printf("%.*s\n", (int)strcspn(said, "\n"), said);
	return strstr(said, "with eBPF") != NULL;
}

static bool prepare(const char *self)
{
	struct rlimit no_core;
	char *slash;

	if (!bin_folder[0]) {
		snprintf(bin_folder, sizeof(bin_folder), "%s", self);
		slash = strrchr(bin_folder, '/');
		snprintf(slash ? slash : bin_folder, 4, slash ? "/.." : "..");
	}
	snprintf(cause_folder, sizeof(cause_folder), "/tmp/ttlog-causes-XXXXXX");
	mkdir("/tmp", 01777);
	if (!mkdtemp(cause_folder))
		return false;
	snprintf(socket_path, sizeof(socket_path), "%s/sock", cause_folder);
	snprintf(dump_folder, sizeof(dump_folder), "%s/dumps", cause_folder);
	mkdir(dump_folder, 0700);
	getrlimit(RLIMIT_CORE, &no_core);
	no_core.rlim_cur = 0; /* not for ever: one row wants one */
	setrlimit(RLIMIT_CORE, &no_core);
	for (int number = 1; number < 32; number++)
		signal(number, SIG_DFL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	cause_shared = mmap(NULL, sizeof(*cause_shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return cause_shared != MAP_FAILED;
}

static void remove_folder(const char *path)
{
	char inner[700];
	DIR *folder = opendir(path);

	for (const struct dirent *entry; folder && (entry = readdir(folder));) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		if (unlink(inner))
			remove_folder(inner);
	}
	if (folder)
		closedir(folder);
	rmdir(path);
}

static bool is_wanted(const struct cause *cause, char **names, int count)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(cause->name, names[i]))
			return true;
	return !count;
}

/* Not a word of those for which it takes a machine that nobody else needs. */
static bool is_affordable(const struct cause *cause)
{
	return cause->skip != no_machine_of_our_own || getenv("TTLOG_OWN_MACHINE");
}

static int run_all(char **names, int count)
{
	const int watch = inotify_init1(IN_CLOEXEC);
	int status = 0;

	inotify_add_watch(watch, dump_folder, IN_MOVED_TO);
	for (unsigned int i = 0; i < cause_count; i++)
		if (is_wanted(&causes[i], names, count) && is_affordable(&causes[i]))
			run(&causes[i], watch);
	current = NULL;
	kill(cause_recorder, SIGTERM);
	waitpid(cause_recorder, &status, 0);
	if (status)
		fail("the recorder did not end well", NULL);
	close(watch);
	printf("%d causes, %d skipped, %d failures\n", done, skipped, failures);
	return failures || (!done && !skipped) ? 1 : 0;
}

int main(int argc, char **argv)
{
	int first = 1, status;

	if (argc > 1 && !strcmp(argv[1], "--nothing"))
		return 0; /* the program that a client becomes */
	if (argc > 1 && !strcmp(argv[1], "--list")) {
		for (unsigned int i = 0; i < cause_count; i++)
			puts(causes[i].name);
		return 0;
	}
	if (argc > 2 && !strcmp(argv[1], "--bin")) {
		snprintf(bin_folder, sizeof(bin_folder), "%s", argv[2]);
		first = 3;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (geteuid() != 0) {
		printf("skipped: needs root (CAP_BPF, CAP_PERFMON, cgroups)\n");
		return SKIPPED;
	}
	if (!prepare(argv[0])) {
		perror("crash_causes");
		return 1;
	}
	if (start_recorder()) {
		status = run_all(argv + first, argc - first);
	} else {
		printf("skipped: no eBPF here\n");
		status = SKIPPED;
	}
	remove_folder(cause_folder);
	return status;
}
