/* SPDX-License-Identifier: MIT */
/*
 * bench_control.c - how long it takes until a running process obeys, and what a list costs.
 *
 * A recorder with sockets of its own; clients that record for a moment. One of them spins on its
 * level and writes down when it saw the new one. The question is sent at 0; then the process obeys,
 * then the answer is here. The list is that of all clients, read to its end.
 */
#include "bench/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recorder/ctl.h"

#define REPEATS 100
#define CLIENTS 100
#define EVENTS 20000
#define START_TIMEOUT_MS 10000
#define PATH_BYTES (PATH_MAX / 2)

/* Between the spinning client and us. */
struct shared {
	_Atomic uint32_t wanted; /* the level that it waits for */
	_Atomic uint64_t seen_ns;
	_Atomic uint32_t ready;
};

static struct bench {
	char recorder[PATH_BYTES], folder[PATH_BYTES], socket[PATH_MAX], control[PATH_MAX];
	pid_t recorder_pid, client_pid[CLIENTS];
	struct shared *shared;
} bench;

static void client_init(void)
{
	const struct ttlog_options options = {
		.size = sizeof(options),
		.service = "bench",
		.socket = bench.socket,
		.buffer_bytes = 1 << 20,
	};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setenv("TTLOG_HELLO_TIMEOUT", "10000", 1);
	if (ttlog_init_with(&options))
		_exit(1);
	for (int i = 0; i < EVENTS; i++)
		ttlog_info("an event", "i", i);
}

static void __attribute__((noreturn)) spin(void)
{
	client_init();
	atomic_fetch_add(&bench.shared->ready, 1);
	for (;;) {
		/* In this order: wanted was there before seen_ns was cleared. */
		if (atomic_load(&bench.shared->seen_ns) ||
		    __atomic_load_n(&ttlog_control_.level, __ATOMIC_RELAXED) !=
			    atomic_load(&bench.shared->wanted))
			continue;
		atomic_store(&bench.shared->seen_ns, measure_now_ns());
	}
}

static void __attribute__((noreturn)) idle(void)
{
	client_init();
	atomic_fetch_add(&bench.shared->ready, 1);
	for (;;)
		pause();
}

static void start_client(unsigned int i, void (*life)(void))
{
	bench.client_pid[i] = fork();
	if (bench.client_pid[i] < 0)
		measure_die("fork", errno);
	if (!bench.client_pid[i])
		life();
	while (atomic_load(&bench.shared->ready) <= i)
		poll(NULL, 0, 1);
}

static void ignore(void *context, const unsigned char *row, size_t bytes)
{
	(void)row;
	*(size_t *)context += bytes;
}

/* 0 or a negative errno. */
static int ask(const struct ctl_request *request)
{
	struct ctl_outcome outcome;
	size_t bytes = 0;
	int error = ctl_ask(bench.control, request, ignore, &bytes, &outcome);

	return error ? error : outcome.status;
}

static void start_recorder(void)
{
	const struct ctl_request status = {.verb = CTL_STATUS};
	const uint64_t start = measure_now_ns();

	bench.recorder_pid = fork();
	if (bench.recorder_pid < 0)
		measure_die("fork", errno);
	if (bench.recorder_pid == 0) {
		int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fd, STDERR_FILENO);
		execl(bench.recorder, bench.recorder, "--adopt", "none", "--socket", bench.socket, "--dir",
		      bench.folder, (char *)NULL);
		_exit(127);
	}
	while (ask(&status)) {
		if (measure_now_ns() - start > START_TIMEOUT_MS * UINT64_C(1000000) ||
		    waitpid(bench.recorder_pid, NULL, WNOHANG) != 0)
			measure_die(bench.recorder, ETIMEDOUT);
		poll(NULL, 0, 10);
	}
}

/* The recorder first: it would write dumps of the clients. */
static void clean_up(void)
{
	if (bench.recorder_pid > 0 && !kill(bench.recorder_pid, SIGKILL))
		waitpid(bench.recorder_pid, NULL, 0);
	for (unsigned int i = 0; i < CLIENTS; i++)
		if (bench.client_pid[i] > 0)
			kill(bench.client_pid[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	unlink(bench.socket);
	unlink(bench.control);
	rmdir(bench.folder);
}

static void find_paths(void)
{
	ssize_t count = readlink("/proc/self/exe", bench.recorder, sizeof(bench.recorder) - 32);

	if (count < 0)
		measure_die("/proc/self/exe", errno);
	bench.recorder[count] = '\0';
	for (int i = 0; i < 2; i++)
		*strrchr(bench.recorder, '/') = '\0';
	strcat(bench.recorder, "/ttlog-recorder");
	strcpy(bench.folder, "/tmp/ttlog-bench-XXXXXX");
	if (!mkdtemp(bench.folder))
		measure_die(bench.folder, errno);
	snprintf(bench.socket, sizeof(bench.socket), "%s/recorder.sock", bench.folder);
	if (ctl_socket_beside(bench.socket, bench.control, sizeof(bench.control)))
		measure_die(bench.socket, ENAMETOOLONG);
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(const char *what, struct measure_series *series)
{
	qsort(series->value, series->count, sizeof(series->value[0]), by_value);
	measure_print("   %-34s %9.1f %9.1f %9.1f\n", what, series->value[series->count / 2],
		      series->value[series->count * 9 / 10], series->value[series->count - 1]);
}

static void measure_level(void)
{
	struct measure_series obeyed = {0}, answered = {0};

	for (unsigned int i = 0; i < REPEATS; i++) {
		const struct ctl_request request = {
			.verb = CTL_LEVEL, .match = "bench", .level = i % 2 ? TTLOG_INFO : TTLOG_WARN};
		uint64_t start;
		int error;

		atomic_store(&bench.shared->wanted, request.level);
		atomic_store(&bench.shared->seen_ns, 0);
		start = measure_now_ns();
		error = ask(&request);
		if (error)
			measure_die("level", -error);
		measure_add(&answered, (double)(measure_now_ns() - start) / 1e3);
		while (!atomic_load(&bench.shared->seen_ns))
			poll(NULL, 0, 1);
		measure_add(&obeyed, (double)(atomic_load(&bench.shared->seen_ns) - start) / 1e3);
	}
	report("level: the process obeys", &obeyed);
	report("level: the answer is here", &answered);
}

static void measure_list(const char *what)
{
	const struct ctl_request request = {.verb = CTL_LIST};
	struct measure_series series = {0};

	for (unsigned int i = 0; i < REPEATS; i++) {
		const uint64_t start = measure_now_ns();
		const int error = ask(&request);

		if (error)
			measure_die("list", -error);
		measure_add(&series, (double)(measure_now_ns() - start) / 1e3);
	}
	report(what, &series);
}

int main(void)
{
	measure_print_machine("control: a running process is told, and listed");
	find_paths();
	bench.shared = mmap(NULL, sizeof(*bench.shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (bench.shared == MAP_FAILED)
		measure_die("mmap", errno);
	atomic_store(&bench.shared->seen_ns, 1);
	start_recorder();
	measure_print("   %d times                           %9s %9s %9s  us\n\n", REPEATS, "median", "90%",
		      "most");
	start_client(0, spin);
	measure_level();
	measure_list("list of 1");
	kill(bench.client_pid[0], SIGSTOP); /* it has spun enough */
	for (unsigned int i = 1; i < CLIENTS; i++)
		start_client(i, idle);
	measure_list("list of 100, 1 MiB each");
	clean_up();
	return 0;
}
