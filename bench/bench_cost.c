/* SPDX-License-Identifier: MIT */
/*
 * bench_cost.c - what the recorder costs those who have nothing to do with it, and how long it
 * takes from a fatal signal to whoever waits for it.
 *
 * Cost: fork, exec and exit of /bin/true; a program that does nothing but send itself signals; and one
 * that works while a timer interrupts it 10,000 times a second, which is much for a real program. None
 * of them is a client. Each is measured in turns: without a recorder; with one that has no clients,
 * which is told of names alone; with one that has a client, so that its programs stand in everybody's
 * way; and with BPF programs for the same tracepoints that do nothing but return: what the kernel takes
 * to call any program at all. What counts is the processor's time that they took, the kernel's part of
 * it included: on a machine that is shared the time on the wall says nothing. A recorder that leaves
 * takes its programs out of the kernel, so each turn has one of its own.
 *
 * Latency: from the kernel's time stamp of the fatal signal to the callback in user space, through
 * watch.c as the recorder has it; and from kill() to the line with the dump's name, which comes
 * when file and folder are synced.
 */
#include "bench/empty.h"
#include "bench/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/types.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "recorder/watch.h"

#define TURNS 15
#define PROCESSES 60
#define SIGNALS 20000
#define TIMER_NS 100000 /* 10,000 signals a second */
#define TIMED 1000	/* of them a turn: 0.1 s of work */
#define DEATHS 100
#define FILES 25
#define WAIT_MS 30000

extern char **environ;

static struct bench {
	char recorder[PATH_MAX], folder[64], socket[128];
	pid_t pid;
	int said; /* the recorder's stderr */
} bench;

/* ---- the recorder -----------------------------------------------------------------------------
 */

/* A line of the recorder with those words, the newest time it could have been written. */
static uint64_t wait_for_line(const char *words)
{
	static char text[8192];
	size_t bytes = 0;

	for (;;) {
		struct pollfd poll_fd = {.fd = bench.said, .events = POLLIN};
		ssize_t count;

		if (poll(&poll_fd, 1, WAIT_MS) <= 0)
			measure_die(words, ETIMEDOUT);
		count = read(bench.said, text + bytes, sizeof(text) - 1 - bytes);
		if (count <= 0)
			measure_die("the recorder ended", EPIPE);
		bytes += (size_t)count;
		text[bytes] = '\0';
		if (strstr(text, words) && text[bytes - 1] == '\n')
			return measure_now_ns();
		if (bytes > sizeof(text) / 2)
			bytes = 0;
	}
}

static void recorder_start(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		measure_die("pipe2", errno);
	bench.pid = fork();
	if (bench.pid < 0)
		measure_die("fork", errno);
	if (bench.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], STDERR_FILENO);
		execl(bench.recorder, bench.recorder, "--keep-loop=0", "--socket", bench.socket, "--dir",
		      bench.folder, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	bench.said = ends[0];
	wait_for_line("with eBPF");
}

static void recorder_stop(void)
{
	kill(bench.pid, SIGTERM);
	waitpid(bench.pid, NULL, 0);
	bench.pid = 0;
	close(bench.said);
}

/* ---- who is no client -------------------------------------------------------------------------
 */

/* Of this process and of those that it has waited for. */
static double cpu_us(void)
{
	static const int whose[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
	struct rusage usage;
	double us = 0;

	for (size_t i = 0; i < sizeof(whose) / sizeof(whose[0]); i++) {
		if (getrusage(whose[i], &usage))
			measure_die("getrusage", errno);
		us += (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
		      (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
	}
	return us;
}

static double processes_us(void)
{
	char *const arguments[] = {(char[]){"true"}, NULL};
	const double start = cpu_us();

	for (int i = 0; i < PROCESSES; i++) {
		pid_t pid;
		int error = posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ);

		if (error)
			measure_die("/bin/true", error);
		waitpid(pid, NULL, 0);
	}
	return (cpu_us() - start) / PROCESSES;
}

static volatile sig_atomic_t handled;

static void count_it(int signal)
{
	(void)signal;
	handled++;
}

static double signals_us(void)
{
	const pid_t pid = getpid();
	const double start = cpu_us();

	for (int i = 0; i < SIGNALS; i++)
		kill(pid, SIGUSR1);
	return (cpu_us() - start) / SIGNALS;
}

/* The same work each time, measured once: what a tenth of a second is enough for. */
static uint64_t work(uint64_t rounds)
{
	uint64_t sum = 1;

	for (uint64_t i = 0; i < rounds; i++) {
		sum = sum * UINT64_C(6364136223846793005) + i;
		measure_barrier();
	}
	return sum;
}

static uint64_t rounds_of_a_turn(void)
{
	static uint64_t rounds;
	const uint64_t some = 4000000;
	double us;

	if (rounds)
		return rounds;
	us = cpu_us();
	work(some);
	us = cpu_us() - us;
	rounds = (uint64_t)((double)some * TIMED * TIMER_NS / 1e3 / (us > 1 ? us : 1));
	return rounds;
}

/* Of the processor, for all of the work and the signals that come meanwhile. */
static double timer_us(void)
{
	const struct itimerspec often = {{0, TIMER_NS}, {0, TIMER_NS}};
	const uint64_t rounds = rounds_of_a_turn();
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	timer_t timer;
	double us;

	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &often, NULL))
		measure_die("timer", errno);
	us = cpu_us();
	work(rounds);
	us = cpu_us() - us;
	timer_delete(timer);
	return us;
}

/* ---- what is there meanwhile ------------------------------------------------------------------ */

/* A client of the recorder's, as one of a whole machine. */
static pid_t client_start(void)
{
	const struct ttlog_options options = {
		.size = sizeof(options),
		.service = "bench",
		.socket = bench.socket,
		.buffer_bytes = 1 << 20,
	};
	int said[2];
	char byte;
	pid_t pid;

	if (pipe2(said, O_CLOEXEC))
		measure_die("pipe2", errno);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (ttlog_init_with(&options))
			_exit(1);
		for (int i = 0; i < 1000; i++)
			ttlog_info("an event", "i", i);
		if (write(said[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(said[1]);
	if (read(said[0], &byte, 1) != 1)
		measure_die("the client did not get that far", EPIPE);
	close(said[0]);
	return pid;
}

enum state { WITHOUT, IDLE, CLIENT, EMPTY, GENERATE, DELIVER, STATES };

struct costs {
	struct measure_series processes[STATES], signals[STATES], timer[STATES];
};

static void take(struct costs *costs, enum state state)
{
	processes_us(); /* until all is as it stays: who was there before may be ending yet */
	measure_add(&costs->processes[state], processes_us());
	measure_add(&costs->signals[state], signals_us());
	measure_add(&costs->timer[state], timer_us());
}

static void take_empty(struct costs *costs)
{
	static const char *const all[] = {"signal_generate", "signal_deliver", "sched_process_exec",
					  "sched_process_exit", NULL};
	static const char *const generate[] = {"signal_generate", NULL};
	static const char *const deliver[] = {"signal_deliver", NULL};

	if (!empty_add(all))
		return;
	take(costs, EMPTY);
	empty_remove();
	if (empty_add(generate))
		measure_add(&costs->signals[GENERATE], signals_us());
	empty_remove();
	if (empty_add(deliver))
		measure_add(&costs->signals[DELIVER], signals_us());
	empty_remove();
}

static void take_recorder(struct costs *costs)
{
	pid_t client;

	recorder_start();
	take(costs, IDLE);
	client = client_start();
	take(costs, CLIENT);
	recorder_stop();
	kill(client, SIGKILL);
	waitpid(client, NULL, 0);
}

static void print_cost(const char *what, const struct measure_series *of)
{
	measure_print("   %-34s %9.2f us", what, measure_median(&of[WITHOUT]));
	for (enum state state = IDLE; state <= EMPTY; state++)
		if (of[state].count)
			measure_print("  %10.3f", measure_ratio(&of[state], &of[WITHOUT]));
	measure_print("\n");
}

static double more_ns(const struct costs *costs, enum state state)
{
	return (measure_median(&costs->signals[state]) - measure_median(&costs->signals[WITHOUT])) *
	       1e3;
}

static void measure_cost(void)
{
	static struct costs costs;

	measure_print("   median of %d turns, as ratios to the first column; a recorder without "
		      "clients is told of names alone\n\n",
		      TURNS);
	measure_print("   %-34s %12s  %10s  %10s  %10s\n", "no client", "no recorder", "recorder",
		      "+ a client", "empty BPF");
	signal(SIGUSR1, count_it);
	for (int i = 0; i < TURNS; i++) {
		if (i % 2)
			take_recorder(&costs);
		take(&costs, WITHOUT);
		take_empty(&costs);
		if (!(i % 2))
			take_recorder(&costs);
	}
	print_cost("fork, exec and exit of true", costs.processes);
	print_cost("a signal to itself, handled", costs.signals);
	print_cost("0.1 s of work, 10,000 signals a s", costs.timer);
	if (!costs.signals[EMPTY].count)
		return;
	measure_print("\n   a signal to itself takes longer by %.0f ns with a recorder and a client; "
		      "by %.0f ns with\n   empty BPF programs, %.0f on signal_generate alone, %.0f on "
		      "signal_deliver alone\n",
		      more_ns(&costs, CLIENT), more_ns(&costs, EMPTY), more_ns(&costs, GENERATE),
		      more_ns(&costs, DELIVER));
}

/* ---- from the signal to the callback ----------------------------------------------------------
 */

static struct seen {
	double signal_us, death_us; /* behind the kernel's own time; 0: not yet */
} seen;

static void take_event(void *context, const struct ttlog_bpf_event *event)
{
	const double late_us = (double)(measure_now_ns() - event->time_ns) / 1e3;

	(void)context;
	if (event->kind == TTLOG_BPF_SIGNAL && event->signal == SIGKILL)
		seen.signal_us = late_us;
	else if (event->kind == TTLOG_BPF_DEATH)
		seen.death_us = late_us;
}

static void one_death(struct watch *watch, uint64_t id)
{
	const struct ttlog_control control = {0};
	struct pollfd poll_fd = {.fd = watch_fd(watch), .events = POLLIN};
	int pidfd, control_fd, error;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	pidfd = pidfd_open(pid, 0);
	error = pidfd < 0 ? errno : -watch_add(watch, pidfd, id, &control, 8, &control_fd);
	if (error)
		measure_die("watch_add", error);
	watch_settle(watch);
	seen = (struct seen){0};
	kill(pid, SIGKILL);
	while (seen.death_us == 0 && poll(&poll_fd, 1, WAIT_MS) > 0)
		watch_dispatch(watch);
	watch_remove(watch, pidfd, id);
	waitpid(pid, NULL, 0);
	close(pidfd);
	if (control_fd >= 0)
		close(control_fd);
}

static void print_latency(const char *what, const struct measure_series *series)
{
	measure_print("   %-32s %9.0f %9.0f .. %.0f us\n", what, measure_median(series),
		      measure_min(series), measure_max(series));
}

static void measure_callback(void)
{
	struct measure_series signals = {0}, deaths = {0};
	struct watch *watch;
	char why_not[128];

	if (watch_open(&watch, take_event, NULL, 0, why_not, sizeof(why_not))) {
		measure_print("   %s\n", why_not);
		return;
	}
	measure_print("\n   %-32s %9s %9s\n", "latency", "median", "min .. max");
	for (int i = 0; i < DEATHS; i++) {
		one_death(watch, (uint64_t)i + 1);
		measure_add(&signals, seen.signal_us);
		measure_add(&deaths, seen.death_us);
	}
	watch_close(watch);
	print_latency("fatal signal to the recorder", &signals);
	print_latency("group dead to the recorder", &deaths);
}

/* ---- from the signal to the file --------------------------------------------------------------
 */

static double one_file_us(void)
{
	const pid_t pid = client_start();
	uint64_t start = measure_now_ns();

	kill(pid, SIGKILL);
	start = wait_for_line(".bin") - start;
	waitpid(pid, NULL, 0);
	return (double)start / 1e3;
}

static void measure_file(void)
{
	struct measure_series files = {0};

	recorder_start();
	for (int i = 0; i < FILES; i++)
		measure_add(&files, one_file_us());
	recorder_stop();
	print_latency("kill() to the synced file, 1 MiB", &files);
}

/* ---- all --------------------------------------------------------------------------------------
 */

static void find_programs(void)
{
	ssize_t length = readlink("/proc/self/exe", bench.recorder, sizeof(bench.recorder) - 32);

	if (length <= 0)
		measure_die("/proc/self/exe", errno);
	bench.recorder[length] = '\0';
	strcpy(strrchr(bench.recorder, '/'), "/../ttlog-recorder");
	strcpy(bench.folder, "/tmp/ttlog-bench-XXXXXX");
	if (!mkdtemp(bench.folder))
		measure_die(bench.folder, errno);
	snprintf(bench.socket, sizeof(bench.socket), "%s/socket", bench.folder);
}

static void clean_up(void)
{
	char command[128];

	if (bench.pid > 0)
		kill(bench.pid, SIGKILL);
	snprintf(command, sizeof(command), "rm -rf %s", bench.folder);
	if (bench.folder[0] && system(command))
		fprintf(stderr, "%s is left\n", bench.folder);
}

int main(void)
{
	measure_print_machine("what the recorder costs others, and how soon it knows");
	if (geteuid() != 0) {
		measure_print("   needs root (CAP_BPF, CAP_PERFMON): left out\n");
		return 0;
	}
	find_programs();
	atexit(clean_up);
	measure_cost();
	measure_callback();
	measure_file();
	return 0;
}
