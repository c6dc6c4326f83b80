/* SPDX-License-Identifier: MIT */
/*
 * bench_adopt.c - how long a client that can't reach the recorder is on its own.
 *
 * Each client is a fork in a mount namespace of its own whose root is an empty folder: there is no
 * socket, no /proc and no /dev. It makes a region of 1 MiB itself, records, and calls for a recorder.
 * Timed from before ttlog_init_with() to the recorder's line that says that the client is adopted, as
 * the bench reads it, so that the making of the region, and the pipe, are in it. One after another,
 * with nothing else to do and beside four loops that want all of the machine; with eBPF, which hears
 * the call, and without, where /proc is looked through again and again.
 */
#include "bench/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS 50
#define CLIENTS_WITHOUT_BPF 20 /* each takes a good half of a second */
#define LOOPS 4
#define WAIT_MS 30000
#define FOLDER "/tmp/ttlog-bench-adopt-XXXXXX"

static struct bench {
	char recorder[PATH_MAX], folder[sizeof(FOLDER)], socket[64], root[64], control[64];
	pid_t pid, loop[LOOPS];
	int said; /* the recorder's stderr */
} bench;

static pid_t fork_child(void)
{
	const pid_t pid = fork();

	if (pid < 0)
		measure_die("fork", errno);
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void end_child(pid_t *pid, int signal)
{
	if (*pid <= 0)
		return;
	kill(*pid, signal);
	waitpid(*pid, NULL, 0);
	*pid = 0;
}

/* When a line of the recorder's with those words had been read. */
static uint64_t wait_for_line(const char *words)
{
	static char text[8192];
	size_t bytes = 0;

	for (;;) {
		struct pollfd poll_fd = {.fd = bench.said, .events = POLLIN};
		ssize_t count;

		if (poll(&poll_fd, 1, WAIT_MS) <= 0)
			measure_die(words, ETIMEDOUT);
		if (bytes > sizeof(text) / 2)
			bytes = 0;
		count = read(bench.said, text + bytes, sizeof(text) - 1 - bytes);
		if (count <= 0)
			measure_die("the recorder ended", EPIPE);
		bytes += (size_t)count;
		text[bytes] = '\0';
		if (strstr(text, words))
			return measure_now_ns();
	}
}

static void recorder_start(const char *more)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		measure_die("pipe2", errno);
	bench.pid = fork_child();
	if (bench.pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		execl(bench.recorder, bench.recorder, "--verbose", "--socket", bench.socket,
		      "--dir", bench.folder, more, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	bench.said = ends[0];
	wait_for_line("listening on");
}

static void recorder_stop(void)
{
	end_child(&bench.pid, SIGTERM);
	close(bench.said);
}

static void loops_start(void)
{
	for (int i = 0; i < LOOPS; i++) {
		bench.loop[i] = fork_child();
		while (bench.loop[i] == 0)
			measure_barrier();
	}
}

static void loops_stop(void)
{
	for (int i = 0; i < LOOPS; i++)
		end_child(&bench.loop[i], SIGKILL);
}

/* Ends with status 0 when the other end of `until` is closed: that is worth no dump. */
static void client_main(int said, int until)
{
	const struct ttlog_options options = {
		.size = sizeof(options),
		.service = "alone",
		.socket = bench.socket,
		.buffer_bytes = UINT64_C(1) << 20,
		.level = "info",
	};
	uint64_t start_ns;
	char byte;

	if (unshare(CLONE_NEWNS) || chroot(bench.root) || chdir("/"))
		_exit(1);
	start_ns = measure_now_ns();
	if (ttlog_init_with(&options))
		_exit(1);
	ttlog_info("alone", "pid", getpid());
	if (write(said, &start_ns, sizeof(start_ns)) != sizeof(start_ns))
		_exit(1);
	while (read(until, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

static uint32_t one_client_us(void)
{
	char words[64];
	uint64_t start_ns, adopted_ns;
	int said[2], until[2];
	pid_t pid;

	if (pipe2(said, O_CLOEXEC) || pipe2(until, O_CLOEXEC))
		measure_die("pipe2", errno);
	pid = fork_child();
	if (pid == 0) {
		close(until[1]);
		client_main(said[1], until[0]);
	}
	close(said[1]);
	close(until[0]);
	snprintf(words, sizeof(words), "(pid %d) is adopted", (int)pid);
	adopted_ns = wait_for_line(words);
	if (read(said[0], &start_ns, sizeof(start_ns)) != sizeof(start_ns))
		measure_die("a client did not record", EPIPE);
	close(until[1]);
	waitpid(pid, NULL, 0);
	close(said[0]);
	return (uint32_t)((adopted_ns - start_ns) / 1000);
}

static void measure_clients(const char *how, unsigned int count, bool with_loops)
{
	static uint32_t us[CLIENTS];

	if (with_loops)
		loops_start();
	for (unsigned int i = 0; i < count; i++)
		us[i] = one_client_us();
	loops_stop();
	measure_sort(us, count);
	measure_print("   %-14s %-16s %8u %10.1f %10.1f\n", how, with_loops ? "beside 4 loops" : "-",
		      count, measure_quantile(us, count, 0.5) / 1e3, us[count - 1] / 1e3);
}

static void measure_rung(const char *how, const char *option, unsigned int count)
{
	recorder_start(option);
	measure_clients(how, count, false);
	measure_clients(how, count, true);
	recorder_stop();
}

static void clean_up(void)
{
	loops_stop();
	end_child(&bench.pid, SIGKILL);
	if (!bench.folder[0])
		return;
	rmdir(bench.root);
	unlink(bench.socket);
	unlink(bench.control);
	rmdir(bench.folder);
}

static void find_programs(void)
{
	const ssize_t length = readlink("/proc/self/exe", bench.recorder, PATH_MAX - 64);
	char *slash;

	if (length <= 0)
		measure_die("/proc/self/exe", errno);
	/* BUILD/bench/bench_adopt: the recorder is BUILD/ttlog-recorder. */
	slash = strrchr(bench.recorder, '/');
	strcpy(slash, "/../ttlog-recorder");
	strcpy(bench.folder, FOLDER);
	if (!mkdtemp(bench.folder))
		measure_die(bench.folder, errno);
	snprintf(bench.socket, sizeof(bench.socket), "%s/recorder.sock", bench.folder);
	snprintf(bench.control, sizeof(bench.control), "%s/control.sock", bench.folder);
	snprintf(bench.root, sizeof(bench.root), "%s/root", bench.folder);
	if (mkdir(bench.root, 0700))
		measure_die(bench.root, errno);
}

int main(void)
{
	measure_print_machine("clients that can't reach the recorder: how long until it has them");
	if (geteuid()) {
		measure_print("   left out: chroot and unshare take root\n");
		return 0;
	}
	find_programs();
	atexit(clean_up);
	measure_print("   milliseconds from before ttlog_init_with() to the adoption (target: less than 1000)\n\n");
	measure_print("   %-14s %-16s %8s %10s %10s\n", "recorder", "load", "clients", "median",
		      "longest");
	measure_rung("with eBPF", NULL, CLIENTS);
	measure_rung("without eBPF", "--no-bpf", CLIENTS_WITHOUT_BPF);
	return 0;
}
