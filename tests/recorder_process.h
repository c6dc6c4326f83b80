/* SPDX-License-Identifier: MIT */
/* recorder_process.h - a ttlog-recorder as its users start it, and what it says on stderr. */
#ifndef TESTS_RECORDER_PROCESS_H
#define TESTS_RECORDER_PROCESS_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORDER_WAIT_MS 100000 /* for what must happen soon: never reached on the good path */
#define RECORDER_ARGS_MAX 32

static char recorder_program[PATH_MAX];
static char recorder_folder[64], recorder_dumps[80], recorder_socket[100];

static uid_t recorder_user; /* whom to run programs as; 0: nobody else */

struct recorder_process {
	pid_t pid;
	int stderr_fd;
	char text[65536]; /* what it said and nobody has looked at yet */
	size_t bytes;
};

/* The program lies beside the folder of tests. The folder is for this test alone. */
static __attribute__((unused)) void recorder_prepare(void)
{
	ssize_t count = readlink("/proc/self/exe", recorder_program, sizeof(recorder_program) - 32);
	static const int often_ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE};
	const struct rlimit no_core = {0};
	char *slash;

	cr_assert_gt(count, 0);
	recorder_program[count] = '\0';
	for (int i = 0; i < 2; i++) {
		slash = strrchr(recorder_program, '/');
		cr_assert(slash);
		*slash = '\0';
	}
	strcat(recorder_program, "/ttlog-recorder");
	strcpy(recorder_folder, "/tmp/ttlog-test-recorder-XXXXXX");
	cr_assert(mkdtemp(recorder_folder));
	cr_assert_eq(chmod(recorder_folder, 0755), 0);
	snprintf(recorder_dumps, sizeof(recorder_dumps), "%s/dumps", recorder_folder);
	snprintf(recorder_socket, sizeof(recorder_socket), "%s/recorder.sock", recorder_folder);
	setrlimit(RLIMIT_CORE, &no_core);
	/*
	 * What starts us may ignore these, and so would what we start; a shell can't even trap them
	 * then.
	 */
	for (size_t i = 0; i < sizeof(often_ignored) / sizeof(often_ignored[0]); i++)
		signal(often_ignored[i], SIG_DFL);
	unsetenv("TTLOG_SNAPSHOT_DIR");
	setenv("TTLOG_SOCKET", recorder_socket, 1);
	setenv("TTLOG_HELLO_TIMEOUT", "60000", 1); /* these clients come to be recorded */
}

static __attribute__((unused)) void recorder_clean(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", recorder_folder);
	cr_assert_eq(system(command), 0);
}

/* A child that dies with the test, whatever becomes of the test. */
static __attribute__((unused)) pid_t fork_child(void)
{
	const pid_t parent = getpid();
	pid_t pid;

	fflush(NULL);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		signal(SIGABRT, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
	}
	return pid;
}

static __attribute__((unused)) void start_file(struct recorder_process *ret_recorder,
					       const char *file, const char *const *arguments)
{
	const char *argv[RECORDER_ARGS_MAX] = {file};
	int out[2], argc = 1;

	while (*arguments && argc < RECORDER_ARGS_MAX - 1)
		argv[argc++] = *arguments++;
	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	ret_recorder->bytes = 0;
	ret_recorder->pid = fork_child();
	if (!ret_recorder->pid) {
		dup2(out[1], STDERR_FILENO);
		if (recorder_user && (setregid(recorder_user, recorder_user) ||
				      setreuid(recorder_user, recorder_user)))
			_exit(122);
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* another user has cleared it */
		execvp(file, (char *const *)(uintptr_t)argv);
		_exit(121);
	}
	close(out[1]);
	ret_recorder->stderr_fd = out[0];
}

static __attribute__((unused)) void start_program(struct recorder_process *ret_recorder,
						  const char *const *arguments)
{
	start_file(ret_recorder, recorder_program, arguments);
}

/*
 * The next line with those words in it, without its end; the lines before it are skipped. False at
 * the end of what it says.
 */
static __attribute__((unused)) bool next_line(struct recorder_process *recorder, const char *words,
					      char *ret_line, size_t line_bytes)
{
	struct pollfd poll_fd = {.fd = recorder->stderr_fd, .events = POLLIN};

	for (;;) {
		char *end = memchr(recorder->text, '\n', recorder->bytes);
		ssize_t count;

		if (end) {
			*end++ = '\0';
			const bool found = strstr(recorder->text, words) != NULL;

			if (found)
				*(char *)mempcpy(ret_line, recorder->text,
						 strnlen(recorder->text, line_bytes - 1)) = '\0';
			recorder->bytes -= (size_t)(end - recorder->text);
			memmove(recorder->text, end, recorder->bytes);
			if (found)
				return true;
			continue;
		}
		cr_assert_eq(poll(&poll_fd, 1, RECORDER_WAIT_MS), 1, "it never said '%s'", words);
		count = read(recorder->stderr_fd, recorder->text + recorder->bytes,
			     sizeof(recorder->text) - recorder->bytes);
		if (count <= 0)
			return false;
		recorder->bytes += (size_t)count;
	}
}

static __attribute__((unused)) void
expect_line(struct recorder_process *recorder, const char *words, char *ret_line, size_t line_bytes)
{
	cr_assert(next_line(recorder, words, ret_line, line_bytes), "it ended without saying '%s'",
		  words);
}

/* A daemon that is listening. Arguments beside the socket and the folder, ended by NULL. */
static __attribute__((unused)) void start_recorder(struct recorder_process *ret_recorder,
						   const char *const *more)
{
	const char *arguments[RECORDER_ARGS_MAX] = {
		/* Services of tests die again and again, and each time somebody looks at the dump.
		 */
		"-v",		"--socket",	 recorder_socket, "--dir",
		recorder_dumps, "--keep-loop=0", "--keep-free=0",
	};
	char line[512];

	for (int i = 7; *more && i < RECORDER_ARGS_MAX - 1; i++)
		arguments[i] = *more++;
	start_program(ret_recorder, arguments);
	expect_line(ret_recorder, "listening on", line, sizeof(line));
}

/* As waitpid() has it; what it still said is left to be read. */
static __attribute__((unused)) int end_status(struct recorder_process *recorder)
{
	int status = -1;

	cr_assert_eq(waitpid(recorder->pid, &status, 0), recorder->pid);
	return status;
}

/* Files of the folder of dumps with that in their name. */
static __attribute__((unused)) unsigned int count_dumps(const char *in_name)
{
	unsigned int count = 0;
	DIR *dir = opendir(recorder_dumps);

	for (const struct dirent *entry; dir && (entry = readdir(dir));)
		count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
			 strstr(entry->d_name, in_name);
	if (dir)
		closedir(dir);
	return count;
}

static __attribute__((unused)) void stop_recorder(struct recorder_process *recorder)
{
	struct stat status;
	int ended;

	cr_assert_eq(kill(recorder->pid, SIGTERM), 0);
	ended = end_status(recorder);
	cr_assert_eq(ended, 0, "%#x", ended);
	cr_assert_eq(stat(recorder_socket, &status), -1, "the socket is left behind");
	cr_assert_eq(count_dumps(".tmp"), 0, "a half-written dump is left behind");
	close(recorder->stderr_fd);
}

static __attribute__((unused)) unsigned int count_fds(pid_t pid)
{
	unsigned int count = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	cr_assert(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* The dump's path is what follows the last ": " of the line that names it. */
static __attribute__((unused)) void check_dump(const char *line, const char *reason,
					       const char *content)
{
	const char *path = strrchr(line, ' ') + 1;
	char command[PATH_MAX + 64], text[4096];
	struct stat status;
	bool found = false;
	size_t count;
	FILE *lz4;

	cr_assert_eq(stat(path, &status), 0, "%s: %s", line, strerror(errno));
	cr_assert_eq(status.st_mode & 07777, 0600);
	cr_assert(strstr(path, reason), "%s is not for %s", path, reason);
	snprintf(command, sizeof(command), "lz4 -dc %s", path);
	lz4 = popen(command, "r");
	cr_assert(lz4);
	for (size_t kept = 0; (count = fread(text + kept, 1, sizeof(text) - kept, lz4)) > 0;) {
		count += kept;
		found = found || memmem(text, count, content, strlen(content));
		/* What is looked for may lie across two reads. */
		kept = count < 256 ? count : 256;
		memmove(text, text + count - kept, kept);
	}
	cr_assert_eq(pclose(lz4), 0, "%s", path);
	cr_assert(found, "'%s' is not in %s", content, path);
}

#endif
