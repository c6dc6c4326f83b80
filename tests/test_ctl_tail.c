/* SPDX-License-Identifier: MIT */
/* ttlog-ctl tail as operators use it: a real daemon, real services, a real ttlog-view. */
#include <fcntl.h>
#include <sys/mman.h>

#include "recorder/ctl.h"
#include "tests/ctl_stand_in.h"
#include "tests/told_service.h"

#define OTHER 65533
#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static char program[PATH_MAX]; /* where any user can execute it */

/* A ttlog-ctl that goes on; what it says on both of its outputs. */
struct running {
	pid_t pid;
	int fd;
	size_t bytes;
	char text[1 << 16];
};

static void copy(const char *name)
{
	char command[2 * PATH_MAX + 32];

	snprintf(command, sizeof(command), "cp '%.*s%s' '%s/%s'",
		 (int)(strrchr(recorder_program, '/') + 1 - recorder_program), recorder_program,
		 name, recorder_folder, name);
	cr_assert_eq(system(command), 0);
}

static void prepare(void)
{
	recorder_prepare();
	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	snprintf(program, sizeof(program), "%s/ttlog-ctl", recorder_folder);
	copy("ttlog-ctl");
	copy("ttlog-view");
}

TestSuite(ctl_tail, .init = prepare, .fini = recorder_clean, .timeout = 200);

static void obey(void)
{
	char order;

	ready();
	while (read(order_fd, &order, 1) == 1) {
		if (order == 'm')
			for (int i = 0; i < 100; i++)
				ttlog_info("one of many", "i", i);
		else if (order == 'e')
			ttlog_error("an error", "code", 7);
		else if (order == 'n')
			ttlog_warn("news", "id", ttlog_intern("interned text"));
		else
			_exit(0);
		ready();
	}
}

static void tell(const struct told *told, char what)
{
	char byte;

	cr_assert_eq(write(told->orders, &what, 1), 1);
	cr_assert_eq(read(told->service.said, &byte, 1), 1);
}

static void kill_told(struct told *told)
{
	cr_assert_eq(kill(told->service.pid, SIGKILL), 0);
	reap(&told->service);
	close(told->orders);
}

static void start(struct running *ret_running, uid_t user, const char *path,
		  const char *const *arguments)
{
	const char *argv[RECORDER_ARGS_MAX] = {path};
	int out[2];

	for (int i = 1; *arguments && i < RECORDER_ARGS_MAX - 1; i++)
		argv[i] = *arguments++;
	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	ret_running->pid = fork_child();
	if (!ret_running->pid) {
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		if (user && (setregid(user, user) || setreuid(user, user)))
			_exit(122);
		execv(path, (char *const *)(uintptr_t)argv);
		_exit(121);
	}
	close(out[1]);
	ret_running->fd = out[0];
	ret_running->bytes = 0;
	ret_running->text[0] = '\0';
}

static void start_ctl(struct running *ret_running, uid_t user, const char *const *arguments)
{
	start(ret_running, user, program, arguments);
}

/* False: it says no more. */
static bool read_more(struct running *running, const char *what)
{
	struct pollfd poll_fd = {.fd = running->fd, .events = POLLIN};
	ssize_t count;

	cr_assert_eq(poll(&poll_fd, 1, RECORDER_WAIT_MS), 1, "it never said '%s': %s", what,
		     running->text);
	cr_assert_lt(running->bytes, sizeof(running->text) - 1);
	count = read(running->fd, running->text + running->bytes,
		     sizeof(running->text) - 1 - running->bytes);
	if (count <= 0)
		return false;
	running->bytes += (size_t)count;
	running->text[running->bytes] = '\0';
	return true;
}

static void expect_words(struct running *running, const char *what)
{
	while (!strstr(running->text, what))
		cr_assert(read_more(running, what), "it ended without saying '%s': %s", what,
			  running->text);
}

static void expect_end(struct running *running, int expected)
{
	int status;

	while (read_more(running, "its end"))
		;
	close(running->fd);
	cr_assert_eq(waitpid(running->pid, &status, 0), running->pid);
	cr_assert(WIFEXITED(status), "%#x", status);
	cr_assert_eq(WEXITSTATUS(status), expected, "%d: %s", WEXITSTATUS(status), running->text);
}

static const char *tail_as(uid_t user, int expected, const char *const *arguments)
{
	static struct running running;

	start_ctl(&running, user, arguments);
	expect_end(&running, expected);
	return running.text;
}

static unsigned int count_of(const char *text, const char *what)
{
	unsigned int count = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		count++;
	return count;
}

Test(ctl_tail, the_newest_events_are_shown_oldest_first)
{
	struct recorder_process recorder;
	struct told told;
	const char *text;

	start_recorder(&recorder, NONE);
	told = start_told(obey);
	tell(&told, 'm');
	text = tail_as(0, 0, ARGS("tail", "orders", "-o", "json"));
	cr_assert_eq(count_of(text, "\n"), 10, "%s", text);
	cr_assert(strstr(text, "\"i\":90}"), "%s", text);
	cr_assert_lt(strstr(text, "\"i\":90}"), strstr(text, "\"i\":99}"));
	text = tail_as(0, 0, ARGS("tail", "orders", "-n", "1000", "--format=json"));
	cr_assert_eq(count_of(text, "\n"), 101, "%s", text);
	cr_assert(strstr(text, "the last words"), "%s", text);
	end_told(&told);
	stop_recorder(&recorder);
}

Test(ctl_tail, filters_and_formats_are_those_of_the_viewer)
{
	struct recorder_process recorder;
	struct told told;
	const char *text;
	char pid[16];

	start_recorder(&recorder, NONE);
	told = start_told(obey);
	snprintf(pid, sizeof(pid), "%d", (int)told.service.pid);
	tell(&told, 'e');
	tell(&told, 'n');
	tell(&told, 'm');
	text = tail_as(0, 0, ARGS("tail", pid, "-p", "error", "-o", "cat"));
	cr_assert_str_eq(text, "an error\n");
	text = tail_as(0, 0, ARGS("tail", pid, "--filter", "i>=98", "-o", "cat", "--fields=i"));
	cr_assert_str_eq(text, "98\n99\n");
	text = tail_as(0, 0, ARGS("tail", pid, "-o", "cat", "--", "--grep=interned"));
	cr_assert_str_eq(text, "news\n");
	text = tail_as(0, 0, ARGS("tail", pid, "--json", "-n1"));
	cr_assert(strstr(text, "\"i\":99}"), "%s", text);
	tail_as(0, 2, ARGS("tail", pid, "--format=nonsense"));
	tail_as(0, 2, ARGS("list", "-f"));
	tail_as(0, 2, ARGS("tail", pid, "-n", "some"));
	end_told(&told);
	stop_recorder(&recorder);
}

Test(ctl_tail, it_follows_until_the_process_dies_and_says_how)
{
	struct recorder_process recorder;
	static struct running running;
	struct told told;
	char pid[16], line[LINE_BYTES];

	start_recorder(&recorder, NONE);
	told = start_told(obey);
	snprintf(pid, sizeof(pid), "%d", (int)told.service.pid);
	start_ctl(&running, 0, ARGS("tail", "-f", pid, "-o", "json"));
	expect_words(&running, "the last words");
	tell(&told, 'n');
	expect_words(&running, "interned text");
	/* Of a site that nobody has seen before. */
	tell(&told, 'e');
	kill_told(&told);
	expect_end(&running, 0);
	cr_assert(strstr(running.text, "\"code\":7"), "%s", running.text);
	cr_assert(strstr(running.text, "SIGKILL"), "%s", running.text);
	cr_assert_eq(count_of(running.text, "\"msg\":"), 3, "%s", running.text);
	expect_killed(&recorder, line, sizeof(line), "the last words");
	stop_recorder(&recorder);
}

/* As timeout(1) does it, and a service manager. */
Test(ctl_tail, it_ends_well_when_its_whole_group_is_told_to)
{
	struct recorder_process recorder;
	static struct running running;
	struct told told;

	start_recorder(&recorder, NONE);
	told = start_told(obey);
	start(&running, 0, "/usr/bin/setsid", ARGS(program, "tail", "-f", "orders", "-o", "json"));
	expect_words(&running, "the last words");
	cr_assert_eq(kill(-running.pid, SIGTERM), 0);
	expect_end(&running, 0);
	end_told(&told);
	stop_recorder(&recorder);
}

Test(ctl_tail, it_ends_well_when_nobody_reads_on)
{
	struct recorder_process recorder;
	static struct running running;
	struct told told;
	int status, waited_ms = 0;

	start_recorder(&recorder, NONE);
	told = start_told(obey);
	tell(&told, 'm');
	start_ctl(&running, 0, ARGS("tail", "-f", "orders", "-o", "json"));
	expect_words(&running, "\n");
	close(running.fd);
	while (waitpid(running.pid, &status, WNOHANG) == 0) {
		cr_assert_lt(waited_ms += 10, RECORDER_WAIT_MS, "it goes on");
		tell(&told, 'n');
		poll(NULL, 0, 10);
	}
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%#x", status);
	start_ctl(&running, 0, ARGS("tail", "orders", "-n", "1000"));
	close(running.fd);
	cr_assert_eq(waitpid(running.pid, &status, 0), running.pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%#x", status);
	end_told(&told);
	stop_recorder(&recorder);
}

Test(ctl_tail, the_viewer_follows_with_its_own_options)
{
	struct recorder_process recorder;
	static struct running running;
	struct told told;
	char viewer[PATH_MAX + 16], pid[16], line[LINE_BYTES];

	start_recorder(&recorder, NONE);
	snprintf(viewer, sizeof(viewer), "%s/ttlog-view", recorder_folder);
	told = start_told(obey);
	snprintf(pid, sizeof(pid), "%d", (int)told.service.pid);
	tell(&told, 'm');
	start(&running, 0, viewer,
	      ARGS("-n", "2", "--follow", pid, "-f", "msg=one of many,an error", "-o", "json"));
	expect_words(&running, "\"i\":99");
	tell(&told, 'n');
	tell(&told, 'e');
	expect_words(&running, "\"code\":7");
	kill_told(&told);
	expect_end(&running, 0);
	cr_assert_eq(count_of(running.text, "\"msg\":"), 3, "%s", running.text);
	cr_assert(strstr(running.text, "SIGKILL"), "%s", running.text);
	expect_killed(&recorder, line, sizeof(line), "an error");
	stop_recorder(&recorder);
}

static void follow_a_restart(struct running *running, struct recorder_process *recorder,
			     struct told *told)
{
	char words[64], line[LINE_BYTES];

	expect_words(running, "the last words");
	kill_told(told);
	expect_killed(recorder, line, sizeof(line), "the last words");
	expect_words(running, "SIGKILL");
	*told = start_told(obey);
	snprintf(words, sizeof(words), "-- restarted: pid %d --", (int)told->service.pid);
	expect_words(running, words);
}

Test(ctl_tail, a_service_that_is_restarted_is_followed_and_an_interrupt_ends_it)
{
	struct recorder_process recorder;
	static struct running running;
	struct told told;

	start_recorder(&recorder, NONE);
	told = start_told(obey);
	start_ctl(&running, 0, ARGS("tail", "-f", "orders", "-o", "json"));
	follow_a_restart(&running, &recorder, &told);
	tell(&told, 'e');
	expect_words(&running, "an error");
	cr_assert_eq(count_of(running.text, "the last words"), 2, "%s", running.text);
	cr_assert_eq(kill(running.pid, SIGINT), 0);
	expect_end(&running, 0);
	end_told(&told);
	stop_recorder(&recorder);
}

/* The dead one is still handed out for a while: it is not what was restarted. */
Test(ctl_tail, who_is_dead_was_not_restarted_whatever_the_recorder_still_says)
{
	struct recorder_process recorder;
	static struct running running;
	char socket_path[PATH_MAX], words[64];
	struct told told;
	pid_t between, before;

	start_recorder(&recorder, NONE);
	between = start_stand_in(socket_path);
	told = start_told(obey);
	before = told.service.pid;
	start_ctl(&running, 0, ARGS("--socket", socket_path, "tail", "-f", "orders"));
	follow_a_restart(&running, &recorder, &told);
	snprintf(words, sizeof(words), "-- restarted: pid %d --", (int)before);
	cr_assert_eq(count_of(running.text, words), 0, "%s", running.text);
	cr_assert_eq(count_of(running.text, "SIGKILL"), 1, "%s", running.text);
	cr_assert_eq(kill(running.pid, SIGINT), 0);
	expect_end(&running, 0);
	end_told(&told);
	cr_assert_eq(kill(between, SIGKILL), 0);
	cr_assert_eq(waitpid(between, NULL, 0), between);
	stop_recorder(&recorder);
}

Test(ctl_tail, what_is_not_his_is_not_there_for_another_user)
{
	struct recorder_process recorder;
	struct told told;
	const char *text;

	if (geteuid() != 0) {
		recorder_clean();
		cr_skip("needs root, to be two users");
	}
	start_recorder(&recorder, NONE);
	told = start_told(obey);
	text = tail_as(OTHER, 1, ARGS("tail", "orders"));
	cr_assert(strstr(text, "nothing matches 'orders'"), "%s", text);
	end_told(&told);
	stop_recorder(&recorder);
}

static void no_row(void *context, const unsigned char *row, size_t bytes)
{
	(void)context;
	(void)row;
	(void)bytes;
}

Test(ctl_tail, a_region_that_is_handed_out_can_be_read_and_nothing_else)
{
	struct ctl_request request = {.verb = CTL_REGION, .match = "orders"};
	struct recorder_process recorder;
	struct ctl_outcome outcome;
	struct told told;
	char control[128];
	void *base;

	start_recorder(&recorder, NONE);
	told = start_told(obey);
	snprintf(control, sizeof(control), "%s/control.sock", recorder_folder);
	cr_assert_eq(ctl_ask(control, &request, no_row, NULL, &outcome), 0);
	cr_assert_eq(outcome.matched, 1);
	cr_assert_geq(outcome.fd[0], 0);
	cr_assert_eq(fcntl(outcome.fd[0], F_GETFL) & O_ACCMODE, O_RDONLY);
	base = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, outcome.fd[0], 0);
	cr_assert_eq(base, MAP_FAILED);
	cr_assert_eq(fcntl(outcome.fd[0], F_ADD_SEALS, F_SEAL_WRITE), -1);
	base = mmap(NULL, 4096, PROT_READ, MAP_SHARED, outcome.fd[0], 0);
	cr_assert_neq(base, MAP_FAILED);
	munmap(base, 4096);
	ctl_outcome_fini(&outcome);
	cr_assert_eq(outcome.fd[0], -1);
	end_told(&told);
	stop_recorder(&recorder);
}

/* ---- top -------------------------------------------------------------------------------- */

Test(ctl_tail, top_counts_every_event_by_level_site_and_thread)
{
	struct recorder_process recorder;
	static struct running running;
	struct told told;
	char tid[32];

	start_recorder(&recorder, NONE);
	told = start_told(obey);
	start_ctl(&running, 0, ARGS("top", "--json", "orders"));
	/* It says so when it begins, and what was before is not counted. */
	expect_words(&running, "\"total\":0,");
	tell(&told, 'm');
	tell(&told, 'e');
	expect_words(&running, "\"total\":101,");
	expect_words(&running, "\"msg\":\"an error\"");
	expect_words(&running, "\"msg\":\"one of many\"");
	snprintf(tid, sizeof(tid), "\"tid\":%d,", (int)told.service.pid);
	expect_words(&running, tid);
	cr_assert(strstr(running.text, "\"error\":1"), "%s", running.text);
	cr_assert(!strstr(running.text, "the last words"), "%s", running.text);
	cr_assert_eq(kill(running.pid, SIGINT), 0);
	expect_end(&running, 0);
	end_told(&told);
	stop_recorder(&recorder);
}

Test(ctl_tail, top_once_is_one_table_and_ends)
{
	struct recorder_process recorder;
	struct told told;
	const char *text;

	start_recorder(&recorder, NONE);
	told = start_told(obey);
	text = tail_as(0, 0, ARGS("top", "--once", "orders"));
	cr_assert(strstr(text, "0 events/s"), "%s", text);
	text = tail_as(0, 0, ARGS("top", "--once", "--json", "orders"));
	cr_assert_eq(count_of(text, "\n"), 1, "%s", text);
	cr_assert(strstr(text, "\"total\":0,"), "%s", text);
	tail_as(0, 1, ARGS("top", "nobody"));
	tail_as(0, 2, ARGS("top", "-f", "orders"));
	end_told(&told);
	stop_recorder(&recorder);
}
