/* SPDX-License-Identifier: MIT */
/*
 * bench_clients.c - what many clients cost the recorder: how fast they register, and what a
 * thousand that do nothing take of its time and memory.
 *
 * A recorder with a socket of its own; clients are forks of this program. A registration is timed
 * in the client, from before ttlog_init_with() until it has the recorder's region, prefaulted.
 * Wake-ups are voluntary context switches of all the recorder's threads. Memory is what it holds
 * beside the rings: its proportional share of everything that is no shared memory, and its page
 * tables.
 *
 * Arguments go to the recorder. Where other programs of the machine start to record it is woken up
 * to look whether they are to be adopted; `--adopt none` leaves them alone. With `--history 1M` it
 * is what deep history takes of an idle machine.
 */
#include "bench/measure.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define IDLE_CLIENTS 1000
#define IDLE_REGION (UINT64_C(1) << 20)
#define CHURN_CLIENTS 300
#define ARGUMENTS_MAX 32
#define START_TIMEOUT_MS 30000
#define PATH_BYTES (PATH_MAX / 2)

static struct bench {
	char recorder[PATH_BYTES], folder[PATH_BYTES], socket[PATH_MAX];
	pid_t recorder_pid;
	pid_t client[IDLE_CLIENTS];
	unsigned int client_count;
} bench;

/* What a client says once it is registered. */
struct registered {
	uint64_t start_ns, end_ns;
	uint32_t connected;
};

/* ---- the recorder -----------------------------------------------------------------------------
 */

static void in_folder(char path[PATH_MAX], const char *name)
{
	snprintf(path, PATH_MAX, "%s/%s", bench.folder, name);
}

/* It says on stderr that it is listening, and that is kept open for what it says later. */
static void recorder_start(char **more)
{
	const char *argv[ARGUMENTS_MAX] = {bench.recorder, "--socket", bench.socket, "--dir",
					   bench.folder};
	const uint64_t start = measure_now_ns();
	char said[4096];
	size_t bytes = 0;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		measure_die("pipe2", errno);
	bench.recorder_pid = fork();
	if (bench.recorder_pid < 0)
		measure_die("fork", errno);
	if (bench.recorder_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fds[1], STDERR_FILENO);
		for (int i = 5; *more && i < ARGUMENTS_MAX - 1; i++)
			argv[i] = *more++;
		execv(bench.recorder, (char **)(uintptr_t)argv);
		_exit(127);
	}
	close(fds[1]);
	do {
		struct pollfd poll_fd = {.fd = fds[0], .events = POLLIN};
		ssize_t count;

		if (poll(&poll_fd, 1, START_TIMEOUT_MS) <= 0)
			measure_die("the recorder says nothing", ETIMEDOUT);
		count = read(fds[0], said + bytes, sizeof(said) - 1 - bytes);
		if (count <= 0 || measure_now_ns() - start > START_TIMEOUT_MS * UINT64_C(1000000))
			measure_die(bench.recorder, EPIPE);
		bytes += (size_t)count;
		said[bytes] = '\0';
	} while (!strstr(said, "listening on"));
	/* The pipe stays open: who writes into a closed one is killed. */
}

static void recorder_stop(void)
{
	kill(bench.recorder_pid, SIGTERM);
	waitpid(bench.recorder_pid, NULL, 0);
	bench.recorder_pid = 0;
}

/* The number behind that word in a file of /proc, 0 if it is not there. */
static uint64_t number_in(const char *path, const char *word)
{
	FILE *file = fopen(path, "re");
	unsigned long long number = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, word, strlen(word)) == 0)
			sscanf(line + strlen(word), ": %llu", &number);
	if (file)
		fclose(file);
	return number;
}

static uint64_t recorder_number(const char *file, const char *word)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)bench.recorder_pid, file);
	return number_in(path, word);
}

struct spent {
	uint64_t wakeups, cpu_ns;
};

/* Of all the recorder's threads. */
static struct spent spent(void)
{
	char path[64 + NAME_MAX];
	struct spent spent = {0};
	unsigned long long ns;
	struct dirent *entry;
	DIR *tasks;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)bench.recorder_pid);
	tasks = opendir(path);
	if (!tasks)
		measure_die(path, errno);
	while ((entry = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)bench.recorder_pid,
			 entry->d_name);
		spent.wakeups += number_in(path, "voluntary_ctxt_switches");
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)bench.recorder_pid,
			 entry->d_name);
		file = fopen(path, "re");
		if (file && fscanf(file, "%llu", &ns) == 1)
			spent.cpu_ns += ns;
		if (file)
			fclose(file);
	}
	closedir(tasks);
	return spent;
}

/* Of the recorder and of the clients that were waited for, in milliseconds. */
static double cpu_ms(void)
{
	unsigned long long user = 0, system = 0;
	struct rusage usage;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)bench.recorder_pid);
	file = fopen(path, "re");
	if (!file ||
	    fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
		   &user, &system) != 2)
		measure_die(path, errno);
	fclose(file);
	getrusage(RUSAGE_CHILDREN, &usage);
	return (double)(user + system) * 1e3 / (double)sysconf(_SC_CLK_TCK) +
	       (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

/* Resident and no shared memory, which is what rings are; in KiB. */
static uint64_t own_kib(void)
{
	return recorder_number("smaps_rollup", "Pss") -
	       recorder_number("smaps_rollup", "Pss_Shmem");
}

/* ---- clients ----------------------------------------------------------------------------------
 */

static void client_main(int said, uint64_t region_bytes, bool stays)
{
	const struct ttlog_options options = {
		.size = sizeof(options),
		.service = "bench",
		.socket = bench.socket,
		.buffer_bytes = region_bytes,
		.level = "info",
	};
	struct ttlog_stats stats = {.size = sizeof(stats)};
	struct registered registered = {.start_ns = measure_now_ns()};

	setenv("TTLOG_HELLO_TIMEOUT", "60000", 1);
	if (ttlog_init_with(&options))
		_exit(1);
	registered.end_ns = measure_now_ns();
	ttlog_info("registered", "pid", getpid());
	ttlog_get_stats(&stats);
	registered.connected = stats.connected;
	if (write(said, &registered, sizeof(registered)) != sizeof(registered))
		_exit(1);
	while (stays)
		pause();
	_exit(0);
}

static pid_t client_start(int said, uint64_t region_bytes, bool stays)
{
	const pid_t parent = getpid();
	const pid_t pid = fork();

	if (pid < 0)
		measure_die("fork", errno);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		client_main(said, region_bytes, stays);
	}
	return pid;
}

static struct registered hear(int said)
{
	struct registered registered;
	struct pollfd poll_fd = {.fd = said, .events = POLLIN};

	if (poll(&poll_fd, 1, 60000) <= 0)
		measure_die("a client did not register", ETIMEDOUT);
	if (read(said, &registered, sizeof(registered)) != sizeof(registered))
		measure_die("a client did not register", EPIPE);
	if (!registered.connected)
		measure_die("a client found no recorder", ENOTCONN);
	return registered;
}

/* ---- how fast they register -------------------------------------------------------------------
 */

/* So many at a time, each gone as soon as it is registered. */
static void measure_rate(uint64_t region_bytes, unsigned int at_a_time)
{
	static uint32_t micros[CHURN_CLIENTS];
	const double cpu_before = cpu_ms();
	const uint64_t start = measure_now_ns();
	unsigned int started = 0, heard = 0;
	double seconds;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		measure_die("pipe2", errno);
	while (heard < CHURN_CLIENTS) {
		struct registered registered;

		while (started < CHURN_CLIENTS && started - heard < at_a_time) {
			client_start(fds[1], region_bytes, false);
			started++;
		}
		registered = hear(fds[0]);
		micros[heard++] = (uint32_t)((registered.end_ns - registered.start_ns) / 1000);
	}
	seconds = (double)(measure_now_ns() - start) / 1e9;
	for (int i = 0; i < CHURN_CLIENTS; i++)
		waitpid(-1, NULL, 0);
	measure_sort(micros, CHURN_CLIENTS);
	measure_print("   %4llu MiB %8u %12.0f %10.1f %10.1f %10.1f %10.1f\n",
		      (unsigned long long)region_bytes >> 20, at_a_time, CHURN_CLIENTS / seconds,
		      measure_quantile(micros, CHURN_CLIENTS, 0.5) / 1e3,
		      measure_quantile(micros, CHURN_CLIENTS, 0.99) / 1e3,
		      micros[CHURN_CLIENTS - 1] / 1e3, (cpu_ms() - cpu_before) / CHURN_CLIENTS);
	close(fds[0]);
	close(fds[1]);
}

/* ---- what the idle cost -----------------------------------------------------------------------
 */

static void measure_idle(void)
{
	const uint64_t own_before = own_kib(), tables_before = recorder_number("status", "VmPTE");
	struct spent before, after;
	uint64_t start;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		measure_die("pipe2", errno);
	start = measure_now_ns();
	while (bench.client_count < IDLE_CLIENTS) {
		bench.client[bench.client_count++] = client_start(fds[1], IDLE_REGION, true);
		if (bench.client_count > 8)
			hear(fds[0]);
	}
	for (int i = 0; i < 8; i++)
		hear(fds[0]);
	measure_print("   %d clients with %llu MiB each registered in %.2f s\n", IDLE_CLIENTS,
		      (unsigned long long)IDLE_REGION >> 20,
		      (double)(measure_now_ns() - start) / 1e9);
	for (int seconds = 0; seconds < 40; seconds += 10) {
		before = spent();
		poll(NULL, 0, 10000);
		after = spent();
		measure_print(
			"   wake-ups from second %d to %d: %llu, with %.1f ms of a processor\n",
			seconds, seconds + 10, (unsigned long long)(after.wakeups - before.wakeups),
			(double)(after.cpu_ns - before.cpu_ns) / 1e6);
	}
	measure_print(
		"   beside the ring, per client: %.1f KiB (target: at most 64), page tables %.1f "
		"KiB\n",
		(double)(own_kib() - own_before) / IDLE_CLIENTS,
		(double)(recorder_number("status", "VmPTE") - tables_before) / IDLE_CLIENTS);
	close(fds[0]);
	close(fds[1]);
}

static void clean_up(void)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *folder;

	if (bench.recorder_pid > 0)
		kill(bench.recorder_pid, SIGKILL);
	for (unsigned int i = 0; i < bench.client_count; i++)
		kill(bench.client[i], SIGKILL);
	folder = bench.folder[0] ? opendir(bench.folder) : NULL;
	while (folder && (entry = readdir(folder))) {
		in_folder(path, entry->d_name);
		unlink(path);
	}
	if (folder)
		closedir(folder);
	rmdir(bench.folder);
}

static void find_programs(void)
{
	char self[PATH_BYTES];
	const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (length <= 0)
		measure_die("/proc/self/exe", errno);
	self[length] = '\0';
	/* BUILD/bench/bench_clients: the recorder is BUILD/ttlog-recorder, the folder is beside us.
	 */
	slash = strrchr(self, '/');
	snprintf(bench.recorder, sizeof(bench.recorder), "%.*s/../ttlog-recorder",
		 (int)(slash - self), self);
	snprintf(bench.folder, sizeof(bench.folder), "%.*s/clients-XXXXXX", (int)(slash - self),
		 self);
	if (!mkdtemp(bench.folder))
		measure_die(bench.folder, errno);
	in_folder(bench.socket, "socket");
}

int main(int argc, char **argv)
{
	(void)argc;
	measure_print_machine("many clients: how fast they register, what the idle cost");
	find_programs();
	atexit(clean_up);
	recorder_start(argv + 1);
	measure_print("   %d registrations; milliseconds of ttlog_init() in the client\n\n",
		      CHURN_CLIENTS);
	measure_print("   %8s %8s %12s %10s %10s %10s %10s\n", "region", "at once", "per second",
		      "median", "99%", "longest", "CPU of all");
	measure_rate(UINT64_C(16) << 20, 1);
	measure_rate(UINT64_C(16) << 20, 8);
	measure_rate(UINT64_C(1) << 20, 1);
	measure_rate(UINT64_C(1) << 20, 8);
	measure_print("\n");
	measure_idle();
	/* Their dumps are nobody's: the recorder goes first. */
	recorder_stop();
	return 0;
}
