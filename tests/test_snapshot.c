/* SPDX-License-Identifier: MIT */
/*
 * Dumps that a living program asks for: those that it waits for, those that come fast, and those of
 * a ring that is overwritten at full speed meanwhile.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "tests/hello_by_hand.h"
#include "tests/service_process.h"

#define FOREVER_MS 600000

TestSuite(snapshot, .init = recorder_prepare, .fini = recorder_clean, .timeout = 150);

/* From the service to the test: one line a write. */
static __attribute__((format(printf, 1, 2))) void report(const char *format, ...)
{
	char line[PATH_MAX + 64];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (write(ready_fd, line, strlen(line) + 1) < 0)
		_exit(96);
}

static void hear(const struct service *service, char *ret_line, size_t bytes)
{
	size_t count = 0;

	do
		cr_assert_eq(read(service->said, ret_line + count, 1), 1);
	while (ret_line[count] && ++count < bytes);
}

static void end_service(struct service *service)
{
	kill(service->pid, SIGKILL);
	reap(service);
}

/* What ttlog-view shows of a dump with these options: lines, of which the caller frees the text. */
static char *view(const char *path, const char *options)
{
	char command[2 * PATH_MAX + 256], *text = NULL;
	size_t bytes = 0;
	FILE *pipe, *memory = open_memstream(&text, &bytes);
	int byte;

	snprintf(command, sizeof(command), "%.*s/ttlog-view '%s' %s",
		 (int)(strrchr(recorder_program, '/') - recorder_program), recorder_program, path,
		 options);
	pipe = popen(command, "r");
	cr_assert(pipe && memory);
	while ((byte = fgetc(pipe)) != EOF)
		fputc(byte, memory);
	cr_assert_eq(pclose(pipe), 0, "%s", command);
	fclose(memory);
	return text;
}

static unsigned int count_words(const char *text, const char *words)
{
	unsigned int count = 0;

	for (; (text = strstr(text, words)); text += strlen(words))
		count++;
	return count;
}

/* A service is told when to begin. */
static int orders[2];

/* ---- waiting ---------------------------------------------------------------------------- */

static void wait_for_two(void)
{
	char path[PATH_MAX];

	ready();
	for (int i = 0; i < 2; i++) {
		ttlog_info("before the snapshot", "number", i);
		const int err = ttlog_snapshot_wait("twice", FOREVER_MS, path, sizeof(path));

		report("%d %s", err, path);
	}
	pause();
}

Test(snapshot, is_there_when_it_was_waited_for)
{
	struct recorder_process recorder;
	char first[PATH_MAX], second[PATH_MAX], *text;
	struct service service;

	start_recorder(&recorder, NONE);
	start_service(&service, wait_for_two);
	hear(&service, first, sizeof(first));
	cr_assert(!strncmp(first, "0 /", 3), "%s", first);
	cr_assert_eq(access(first + 2, R_OK), 0, "%s", first);
	hear(&service, second, sizeof(second));
	cr_assert(!strncmp(second, "0 /", 3), "%s", second);
	cr_assert(strstr(second, "snapshot-twice"), "%s", second);
	cr_assert_str_neq(first, second, "two in one second are two files");
	/* What one has shown, the next one shows too. */
	text = view(first + 2, "--format json");
	cr_assert_eq(count_words(text, "before the snapshot"), 1, "%s", text);
	free(text);
	text = view(second + 2, "--format json");
	cr_assert_eq(count_words(text, "before the snapshot"), 2, "%s", text);
	free(text);
	cr_assert_eq(count_dumps("snapshot-twice"), 2);
	end_service(&service);
	stop_recorder(&recorder);
}

static void wait_alone(void)
{
	char path[PATH_MAX], byte;

	ready();
	while (read(orders[0], &byte, 1) != 1)
		;
	const int err = ttlog_snapshot_wait("adopted", FOREVER_MS, path, sizeof(path));

	report("%d %s", err, path);
	pause();
}

/* Its ring was there before the recorder, and it has no socket to ask by. */
Test(snapshot, is_waited_for_by_who_was_adopted)
{
	struct recorder_process recorder;
	struct service service;
	char line[PATH_MAX];

	cr_assert_eq(pipe2(orders, O_CLOEXEC), 0);
	start_service(&service, wait_alone);
	start_recorder(&recorder, NONE);
	cr_assert_eq(write(orders[1], "", 1), 1);
	hear(&service, line, sizeof(line));
	cr_assert(!strncmp(line, "0 /", 3), "%s", line);
	cr_assert_eq(access(line + 2, R_OK), 0, "%s", line);
	end_service(&service);
	stop_recorder(&recorder);
	close(orders[0]);
	close(orders[1]);
}

static void wait_without_interest(void)
{
	char tiny[4] = "???";

	ready();
	const int without = ttlog_snapshot_wait("x", FOREVER_MS, NULL, 0);
	const int with = ttlog_snapshot_wait("x", FOREVER_MS, tiny, sizeof(tiny));

	report("%d %d '%s' %d %d", without, with, tiny, ttlog_snapshot_wait(NULL, 0, NULL, 0),
	       ttlog_snapshot_wait("x", 0, NULL, 5));
	pause();
}

Test(snapshot, need_not_be_named)
{
	struct recorder_process recorder;
	char line[128], expected[128];
	struct service service;

	start_recorder(&recorder, NONE);
	start_service(&service, wait_without_interest);
	hear(&service, line, sizeof(line));
	snprintf(expected, sizeof(expected), "0 %d '' %d %d", -ENAMETOOLONG, -EINVAL, -EINVAL);
	cr_assert_str_eq(line, expected);
	cr_assert_eq(count_dumps("snapshot-x"), 2, "it was written all the same");
	end_service(&service);
	stop_recorder(&recorder);
}

Test(snapshot, is_refused_without_a_recorder)
{
	char path[16] = "?";

	setenv("TTLOG_SOCKET", "/nowhere/at/all", 1);
	cr_assert_eq(ttlog_init("alone"), 0);
	cr_assert_eq(ttlog_snapshot_wait("x", FOREVER_MS, path, sizeof(path)), -ENOTCONN);
	cr_assert_str_eq(path, "");
	ttlog_close();
}

static volatile sig_atomic_t is_waiting, interrupted;

static void wait_when_told(uint32_t timeout_ms)
{
	char byte;

	ready();
	while (read(orders[0], &byte, 1) != 1)
		if (errno != EINTR)
			_exit(95);
	is_waiting = 1;
	report("%d", ttlog_snapshot_wait("x", timeout_ms, NULL, 0));
	pause();
}

static void wait_for_a_moment(void)
{
	wait_when_told(20);
}

/* Says so when it has been so often that the wait has begun. */
static void note_signal(int signal)
{
	(void)signal;
	if (is_waiting && ++interrupted == 10 && write(ready_fd, "interrupted", 12) != 12)
		_exit(96);
}

/* Interrupted a hundred times a second. */
static void wait_for_long(void)
{
	const struct sigaction action = {.sa_handler = note_signal};
	const struct itimerval often = {{0, 10000}, {0, 10000}};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	wait_when_told(FOREVER_MS);
}

static void stop_and_tell(struct recorder_process *recorder, struct service *service,
			  void (*life)(void))
{
	int status;

	start_recorder(recorder, NONE);
	cr_assert_eq(pipe2(orders, O_CLOEXEC), 0);
	start_service(service, life);
	cr_assert_eq(kill(recorder->pid, SIGSTOP), 0);
	cr_assert_eq(waitpid(recorder->pid, &status, WUNTRACED), recorder->pid);
	cr_assert(WIFSTOPPED(status));
	cr_assert_eq(write(orders[1], "", 1), 1);
}

Test(snapshot, is_not_waited_for_any_longer_than_was_said)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	stop_and_tell(&recorder, &service, wait_for_a_moment);
	hear(&service, line, sizeof(line));
	cr_assert_eq(atoi(line), -ETIMEDOUT);
	cr_assert_eq(kill(recorder.pid, SIGCONT), 0);
	expect_line(&recorder, "-snapshot-x.bin", line, sizeof(line));
	end_service(&service);
	stop_recorder(&recorder);
}

/* Its signals do not end the wait, and the recorder's end does. */
Test(snapshot, ends_with_the_recorder_that_was_waited_for)
{
	struct recorder_process recorder;
	struct service service;
	char line[64];

	stop_and_tell(&recorder, &service, wait_for_long);
	hear(&service, line, sizeof(line));
	cr_assert_str_eq(line, "interrupted");
	cr_assert_eq(kill(recorder.pid, SIGKILL), 0);
	end_status(&recorder);
	hear(&service, line, sizeof(line));
	cr_assert(atoi(line) == -ECANCELED || atoi(line) == -ENOTCONN, "%s", line);
	end_service(&service);
	close(recorder.stderr_fd);
	close(orders[0]);
	close(orders[1]);
}

/* ---- what can't be written -------------------------------------------------------------- */

Test(snapshot, says_why_it_could_not_be_written)
{
	struct recorder_process recorder;
	struct service service;
	char line[64];

	if (geteuid()) {
		recorder_clean();
		cr_skip("only root fills a file system of its own");
	}
	cr_assert_eq(mkdir(recorder_dumps, 0700), 0);
	if (mount("none", recorder_dumps, "tmpfs", 0, "size=64k,nr_inodes=1")) {
		recorder_clean();
		cr_skip("no tmpfs: %s", strerror(errno));
	}
	start_recorder(&recorder, NONE);
	cr_assert_eq(pipe2(orders, O_CLOEXEC), 0);
	cr_assert_eq(write(orders[1], "", 1), 1);
	start_service(&service, wait_for_long);
	do
		hear(&service, line, sizeof(line));
	while (!strcmp(line, "interrupted"));
	cr_assert_eq(atoi(line), -ENOSPC, "%s", line);
	end_service(&service);
	stop_recorder(&recorder);
	cr_assert_eq(umount(recorder_dumps), 0);
	close(orders[0]);
	close(orders[1]);
}

static void ask_for_many(void)
{
	unsigned int fine = 0, busy = 0;
	struct timespec began, ended;

	ready();
	clock_gettime(CLOCK_MONOTONIC, &began);
	for (int i = 0; i < 100; i++) {
		const int err = ttlog_snapshot_wait("fast", FOREVER_MS, NULL, 0);

		fine += !err;
		busy += err == -EBUSY;
	}
	clock_gettime(CLOCK_MONOTONIC, &ended);
	report("%u %u %u", fine, busy, (unsigned int)(ended.tv_sec - began.tv_sec));
	pause();
}

/* A hundred in a row, and the recorder writes ten a second: on the slowest disk all of them. */
Test(snapshot, is_rationed_and_says_so)
{
	struct recorder_process recorder;
	unsigned int fine, busy, seconds;
	struct service service;
	char line[64];

	start_recorder(&recorder, NONE);
	start_service(&service, ask_for_many);
	hear(&service, line, sizeof(line));
	cr_assert_eq(sscanf(line, "%u %u %u", &fine, &busy, &seconds), 3);
	cr_assert_eq(fine + busy, 100, "%s", line);
	cr_assert_geq(fine, 10, "%s", line);
	cr_assert_leq(fine, 10 * (seconds + 2), "%s", line);
	cr_assert_eq(count_dumps("snapshot-fast"), fine);
	end_service(&service);
	stop_recorder(&recorder);
}

/* ---- somebody else's socket ------------------------------------------------------------- */

/* A client by hand whose question is to be answered where it has no business. */
static void ask_with(int fd)
{
	struct ttlog_snapshot_request request = {
		.head = head_by_hand(TTLOG_MESSAGE_SNAPSHOT, sizeof(request)),
		.reason = "confused",
	};
	const struct ttlog_hello hello = hello_by_hand("confused");
	const int client = peer_connect(recorder_socket);
	struct ttlog_welcome welcome;
	int fds[2];

	if (send_with_fds(client, &hello, sizeof(hello), NULL, 0) != sizeof(hello))
		_exit(92);
	if (receive_welcome(client, &welcome, fds) != sizeof(welcome) || welcome.status)
		_exit(93);
	if (send_with_fds(client, &request, sizeof(request), &fd, 1) != sizeof(request))
		_exit(94);
}

/* With the recorder's rights, a root's maybe, nobody else is to be spoken to. */
Test(snapshot, answers_nobody_but_who_asked)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct recorder_process recorder;
	char line[LINE_BYTES], byte;
	int listener, victim;
	pid_t client;

	start_recorder(&recorder, NONE);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/victim", recorder_folder);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listener, 4), 0);
	client = fork_child();
	if (!client) {
		const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

		if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
			_exit(1);
		ask_with(fd);
		pause();
	}
	victim = accept(listener, NULL, NULL);
	cr_assert_geq(victim, 0);
	expect_line(&recorder, "-snapshot-confused.bin", line, sizeof(line));
	cr_assert_eq(kill(client, SIGKILL), 0);
	cr_assert_eq(waitpid(client, NULL, 0), client);
	expect_death_line(&recorder, line, sizeof(line));
	cr_assert_eq(recv(victim, &byte, 1, 0), 0, "the peer hears of its end and of nothing else");
	close(victim);
	close(listener);
	stop_recorder(&recorder);
}

/* ---- at full speed ---------------------------------------------------------------------- */

#define COPIES 5

#define FIRST_EVENTS 600 /* fewer than are never overwritten */

/* Whoever copies it is not to come before them. */
static void record_for_ever(void)
{
	for (uint64_t i = 0;; i++) {
		ttlog_info("numbered", "i", i);
		if (i == FIRST_EVENTS)
			ready();
	}
}

static uint64_t number_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	cr_assert(at, "%s is not in %s", key, text);
	return strtoull(at + strlen(key), NULL, 10);
}

/* Of one thread: its first events, what is missing, and its newest without a gap. */
static void check_copy(const char *path)
{
	char *info = view(path, "--info --format json");
	char *text = view(path, "--format json"), *line, *rest = text;
	uint64_t last = UINT64_MAX, holes = 0, missing = 0, count = 0;

	while ((line = strsep(&rest, "\n")) && *line) {
		if (!strstr(line, "\"numbered\""))
			continue;
		const uint64_t number = number_of(line, "\"i\":");

		if (number != last + 1) {
			cr_assert_gt(number, last + 1, "in order");
			missing += number - (last + 1);
			holes++;
		}
		last = number;
		count++;
	}
	/* Between the first events and the newest; each chunk that was recycled may be one more. */
	cr_assert_leq(holes, 1 + number_of(info, "\"recycled\":"), "%s", info);
	cr_assert_gt(count, FIRST_EVENTS, "%" PRIu64 ": the first events are there in any case",
		     count);
	/* A copier that was overtaken by a whole lap counts what it never saw. */
	cr_assert_geq(number_of(info, "\"overwritten\":"), missing, "%s", info);
	if (!number_of(info, "\"recycled\":"))
		cr_assert_eq(number_of(info, "\"overwritten\":"), missing, "%s", info);
	cr_assert_eq(missing + count, last + 1);
	free(info);
	free(text);
}

Test(snapshot, says_what_was_recycled_while_it_was_made, .timeout = 300)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES], command[PATH_MAX + 128];

	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	start_recorder(&recorder, NONE);
	start_service(&service, record_for_ever);
	for (int i = 0; i < COPIES; i++) {
		snprintf(command, sizeof(command),
			 "%.*s/ttlog-ctl --socket %s/control.sock snapshot --wait %d >/dev/null",
			 (int)(strrchr(recorder_program, '/') - recorder_program), recorder_program,
			 recorder_folder, (int)service.pid);
		cr_assert_eq(system(command), 0, "%s", command);
		expect_line(&recorder, ".bin", line, sizeof(line));
		check_copy(strrchr(line, ' ') + 1);
	}
	end_service(&service);
	expect_death_line(&recorder, line, sizeof(line));
	stop_recorder(&recorder);
}
