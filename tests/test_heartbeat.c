/* SPDX-License-Identifier: MIT */
/*
 * Processes that promised a heartbeat and do not beat: hung, stopped, frozen, or free of it again.
 * What is not to be a hang has a line of the recorder's for its sign, and no length of time.
 */
#include <pthread.h>
#include <sched.h>

#include "tests/own_cgroup.h"
#include "tests/service_process.h"

static int orders[2];

/* What is frozen can't even be killed, and would outlive a test that failed. */
static void clean(void)
{
	if (group[0] && !access(group, F_OK)) {
		put("cgroup.freeze", "0");
		put("freezer.state", "THAWED");
		for (int i = 0; i < 6000 && rmdir(group); i++)
			poll(NULL, 0, 10);
	}
	recorder_clean();
}

TestSuite(heartbeat, .init = recorder_prepare, .fini = clean, .timeout = 150);

/* Does what each byte says, and hangs in between. */
static void obey(void)
{
	char byte;

	ready();
	while (read(orders[0], &byte, 1) == 1) {
		if (byte == 'b')
			ttlog_heartbeat();
		else if (byte == 'c')
			ttlog_close();
		else if (ttlog_heartbeat_promise(byte == 'p' ? 50 : (uint32_t)(byte - '0') * 1000))
			_exit(94);
		ready();
	}
	_exit(93);
}

static void order(const struct service *service, char what)
{
	char byte;

	cr_assert_eq(write(orders[1], &what, 1), 1);
	cr_assert_eq(read(service->said, &byte, 1), 1);
}

static void begin(struct service *service)
{
	cr_assert_eq(pipe2(orders, O_CLOEXEC), 0);
	start_service(service, obey);
}

static void end(struct service *service)
{
	cr_assert_eq(kill(service->pid, SIGKILL), 0);
	reap(service);
	close(orders[0]);
	close(orders[1]);
}

static void expect_hang(struct recorder_process *recorder)
{
	char line[LINE_BYTES];

	expect_line(recorder, "-hang.bin", line, sizeof(line));
	check_dump(line, "-hang.bin", "the last words");
	cr_expect(strstr(line, ": a snapshot: no heartbeat for "), "%s", line);
	check_dump(line, "-hang.bin", "silent_ms");
}

static void stop(pid_t pid)
{
	int status;

	cr_assert_eq(kill(pid, SIGSTOP), 0);
	cr_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
	cr_assert(WIFSTOPPED(status), "%#x", status);
}

static bool status_shows(pid_t pid, const char *words)
{
	char command[PATH_MAX + 128], line[1024];
	bool is_shown = false;
	FILE *pipe;

	snprintf(command, sizeof(command), "%.*s/ttlog-ctl --socket %s status %d | tr -s ' '",
		 (int)(strrchr(recorder_program, '/') - recorder_program), recorder_program,
		 recorder_socket, (int)pid);
	pipe = popen(command, "r");
	cr_assert(pipe);
	while (fgets(line, sizeof(line), pipe))
		is_shown = is_shown || strstr(line, words);
	pclose(pipe);
	return is_shown;
}

Test(heartbeat, that_is_missed_is_a_hang)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	start_recorder(&recorder, NONE);
	begin(&service);
	order(&service, 'p');
	expect_line(&recorder, "its heart has not beaten for", line, sizeof(line));
	cr_assert(strstr(line, " ms, 50 were promised"), "%s", line);
	expect_hang(&recorder);
	cr_assert(status_shows(service.pid, "period 50ms"));
	cr_assert(status_shows(service.pid, "hung yes"));
	/* Once, until it beats again. */
	order(&service, 'b');
	expect_line(&recorder, "its heart beats again", line, sizeof(line));
	expect_line(&recorder, "-hang", line, sizeof(line));
	/* A new promise is a new start. */
	order(&service, 'p');
	expect_line(&recorder, "-hang", line, sizeof(line));
	end(&service);
	stop_recorder(&recorder);
}

/* ---- where it hangs --------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile unsigned int turns, waits;

static __attribute__((noinline)) void wait_for_the_lock(void)
{
	waits = 1;
	pthread_mutex_lock(&lock);
	waits = 2;
}

static __attribute__((noinline)) void turn_for_ever(void)
{
	for (;;)
		turns++;
}

static void *wait_in_thread(void *context)
{
	wait_for_the_lock();
	return context;
}

static void *turn_in_thread(void *context)
{
	turn_for_ever();
	return context;
}

static __attribute__((noinline)) void hang_with_the_lock(void)
{
	pthread_t threads[2];

	pthread_mutex_lock(&lock);
	if (pthread_create(&threads[0], NULL, wait_in_thread, NULL) ||
	    pthread_create(&threads[1], NULL, turn_in_thread, NULL))
		_exit(94);
	while (!turns || !waits)
		sched_yield();
	if (ttlog_heartbeat_promise(200))
		_exit(95);
	ready();
	pause();
	waits = 3;
}

/* What a dump says of its threads. */
static bool shows(const char *path, const char *option, const char *words)
{
	char command[2 * PATH_MAX], text[65536];
	size_t count;
	FILE *pipe;

	snprintf(command, sizeof(command), "%.*s/ttlog-view --info %s '%s'",
		 (int)(strrchr(recorder_program, '/') - recorder_program), recorder_program, option,
		 path);
	pipe = popen(command, "r");
	cr_assert(pipe);
	count = fread(text, 1, sizeof(text) - 1, pipe);
	text[count] = '\0';
	cr_assert_eq(pclose(pipe), 0, "%s", command);
	return strstr(text, words);
}

/* Waiting, being waited for, and running: none of them is stopped for it. */
Test(heartbeat, of_who_hangs_is_dumped_with_the_stacks_of_its_threads)
{
	const char *const arguments[] = {"--socket",	  recorder_socket, "--dir", recorder_dumps,
					 "--keep-loop=0", "--keep-free=0", NULL};
	static const char *const functions[] = {"hang_with_the_lock", "wait_for_the_lock",
						"turn_for_ever"};
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];
	const char *path;
	bool can = true;

	start_program(&recorder, arguments);
	do {
		expect_line(&recorder, "ttlog-recorder: ", line, sizeof(line));
		can = can && !strstr(line, "can't be had") && !strstr(line, "without eBPF");
	} while (!strstr(line, "listening on"));
	if (!can) {
		stop_recorder(&recorder);
		recorder_clean();
		cr_skip("no stacks of the living: before Linux 5.18, or no eBPF");
	}
	start_service(&service, hang_with_the_lock);
	expect_line(&recorder, "-hang.bin", line, sizeof(line));
	path = strrchr(line, ' ') + 1;
	cr_assert(shows(path, "", "3 other threads have known stacks"));
	/* On a machine that is busy enough names come too late: then that is said of the thread. */
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		cr_expect(shows(path, "--threads", functions[i]) ||
				  shows(path, "--threads", "not unwound") ||
				  shows(path, "--threads", "no answer within") ||
				  shows(path, "--threads", "no names"),
			  "%s", functions[i]);
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	stop_recorder(&recorder);
}

/* What the recorder hears of is behind it, and the process has no time of its own any more. */
static void expect_no_hang(struct recorder_process *recorder, struct service *service)
{
	char line[LINE_BYTES];

	expect_line(recorder, "it is stopped or frozen", line, sizeof(line));
	end(service);
	expect_killed(recorder, line, sizeof(line), "the last words");
	cr_assert_eq(count_dumps("-hang"), 0);
	stop_recorder(recorder);
}

Test(heartbeat, of_a_stopped_process_is_not_missed)
{
	struct recorder_process recorder;
	struct service service;

	start_recorder(&recorder, NONE);
	begin(&service);
	stop(recorder.pid);
	order(&service, 'p');
	stop(service.pid);
	cr_assert_eq(kill(recorder.pid, SIGCONT), 0);
	expect_no_hang(&recorder, &service);
}

/* ---- frozen ----------------------------------------------------------------------------- */

static bool is_there(const char *file, const char *words)
{
	char path[PATH_MAX + 32], text[256] = "";
	ssize_t count;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", group, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	count = read(fd, text, sizeof(text) - 1);
	close(fd);
	return count > 0 && strstr(text, words);
}

/* In the hierarchy that is mounted there. */
static void freeze_there(const char *root, const char *file, const char *word, const char *sign,
			 const char *frozen)
{
	struct recorder_process recorder;
	struct service service;
	char pid[16];

	snprintf(group, sizeof(group), "%s/ttlog-test-%d", root, (int)getpid());
	if (mkdir(group, 0755)) {
		recorder_clean();
		cr_skip("%s: %s", root, strerror(errno));
	}
	start_recorder(&recorder, NONE);
	begin(&service);
	stop(recorder.pid);
	order(&service, 'p');
	snprintf(pid, sizeof(pid), "%d", (int)service.pid);
	cr_assert(put("cgroup.procs", pid));
	cr_assert(put(file, word));
	for (int i = 0; i < 6000 && !is_there(sign, frozen); i++)
		poll(NULL, 0, 10);
	cr_assert(is_there(sign, frozen));
	cr_assert_eq(kill(recorder.pid, SIGCONT), 0);
	/* One of v1 dies only when it is thawed. */
	char line[LINE_BYTES];
	expect_line(&recorder, "it is stopped or frozen", line, sizeof(line));
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	put(file, strcmp(word, "1") ? "THAWED" : "0");
	end(&service);
	expect_killed(&recorder, line, sizeof(line), "the last words");
	cr_assert_eq(count_dumps("-hang"), 0);
	stop_recorder(&recorder);
	/* It has been reaped, and may not have left the group yet. */
	for (int i = 0; i < 6000 && rmdir(group) && errno == EBUSY; i++)
		poll(NULL, 0, 10);
	cr_assert_neq(access(group, F_OK), 0, "%s stays", group);
}

/* A hybrid machine has both. */
Test(heartbeat, of_a_frozen_process_is_not_missed)
{
	const bool is_hybrid = access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) == 0;

	freeze_there(is_hybrid ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup", "cgroup.freeze", "1",
		     "cgroup.events", "frozen 1");
}

Test(heartbeat, of_a_process_that_the_old_freezer_holds_is_not_missed)
{
	freeze_there("/sys/fs/cgroup/freezer", "freezer.state", "FROZEN", "freezer.state",
		     "FROZEN");
}

/* ---- promises --------------------------------------------------------------------------- */

/* Somebody who does hang, later and for longer, is the first who is found. */
static void expect_nothing(struct service *service, char what)
{
	struct recorder_process recorder;
	char line[LINE_BYTES], whose[32];
	struct service other;
	int before[2];

	start_recorder(&recorder, NONE);
	begin(service);
	stop(recorder.pid);
	order(service, 'p');
	order(service, what);
	cr_assert_eq(kill(recorder.pid, SIGCONT), 0);
	memcpy(before, orders, sizeof(before));
	begin(&other);
	order(&other, 'p');
	expect_line(&recorder, "its heart has not beaten for", line, sizeof(line));
	snprintf(whose, sizeof(whose), "(pid %d)", (int)other.pid);
	cr_assert(strstr(line, whose), "%s", line);
	expect_line(&recorder, "-hang.bin", line, sizeof(line));
	cr_assert_eq(count_dumps("-hang"), 1);
	end(&other);
	memcpy(orders, before, sizeof(before));
	end(service);
	stop_recorder(&recorder);
}

Test(heartbeat, that_is_taken_back_is_not_missed)
{
	struct service service;

	expect_nothing(&service, '0');
}

Test(heartbeat, of_who_records_no_more_is_not_missed)
{
	struct service service;

	expect_nothing(&service, 'c');
}

/* The promise stands in the ring; who makes one later calls, as there is no socket. */
Test(heartbeat, is_promised_to_the_recorder_that_comes)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	begin(&service);
	order(&service, 'p');
	start_recorder(&recorder, NONE);
	expect_hang(&recorder);
	order(&service, 'p');
	expect_line(&recorder, "its heart has not beaten for", line, sizeof(line));
	end(&service);
	stop_recorder(&recorder);
}

/* Once it has said that it listens, and that it has adopted one: in whatever order. */
static void start_adopter(struct recorder_process *recorder)
{
	const char *const arguments[] = {
		"-v",		"--socket",	   recorder_socket, "--dir",
		recorder_dumps, "--keep-loop=0", "--keep-free=0", NULL};
	bool is_adopted = false, is_listening = false;
	char line[LINE_BYTES];

	start_program(recorder, arguments);
	while (!is_adopted || !is_listening) {
		expect_line(recorder, "", line, sizeof(line));
		is_adopted = is_adopted || strstr(line, " is adopted, with ");
		is_listening = is_listening || strstr(line, "listening on");
	}
}

/* Nothing of it was to be seen when the ring was found: the recorder has to be told. */
Test(heartbeat, is_promised_by_who_was_adopted_without_one)
{
	struct recorder_process recorder;
	struct service service;

	begin(&service);
	start_adopter(&recorder);
	order(&service, '1');
	expect_hang(&recorder);
	end(&service);
	stop_recorder(&recorder);
}

/* He has no socket to say goodbye by. Another one hangs, later and for longer. */
Test(heartbeat, of_the_adopted_who_records_no_more_is_not_missed)
{
	struct recorder_process recorder;
	struct service service, other;
	char line[LINE_BYTES], whose[32];
	int before[2];

	begin(&service);
	order(&service, '1');
	start_adopter(&recorder);
	cr_assert(status_shows(service.pid, "period 1"));
	order(&service, 'c');
	memcpy(before, orders, sizeof(before));
	begin(&other);
	order(&other, '3');
	expect_line(&recorder, "-hang.bin", line, sizeof(line));
	snprintf(whose, sizeof(whose), "(pid %d)", (int)other.pid);
	cr_assert(strstr(line, whose), "%s", line);
	cr_assert_eq(count_dumps("-hang"), 1);
	end(&other);
	memcpy(orders, before, sizeof(before));
	end(&service);
	stop_recorder(&recorder);
}

Test(heartbeat, has_limits)
{
	setenv("TTLOG_SOCKET", "", 1);
	cr_assert_eq(ttlog_heartbeat_promise(24 * 3600 * 1000 + 1), -EINVAL);
	ttlog_heartbeat(); /* of nobody who records: nothing happens */
	cr_assert_eq(ttlog_heartbeat_promise(24 * 3600 * 1000), 0);
	ttlog_heartbeat();
	ttlog_close();
	cr_assert_eq(ttlog_heartbeat_promise(1000), -ENOTCONN);
}
