/* SPDX-License-Identifier: MIT */
/*
 * bench_death.c - how long it takes from a process's death to its dump.
 *
 * A recorder with a socket of its own; clients (this program again) that fill their region and are
 * killed. The time starts when the kernel says that the process is gone (its pidfd is readable), and
 * ends when the file has its name (inotify). Beside it, in turns and in the same folder: the command
 * `lz4 -1` on the bytes of that region, fsync and rename. Those bytes come from the page cache.
 */
#include "bench/cases.h"
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
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/process.h"

#define REPEATS 5
#define DUMP_TIMEOUT_MS 60000
#define START_TIMEOUT_MS 10000
#define PATH_BYTES (PATH_MAX / 2)

/* What a client says when its region is full. */
struct filled {
	struct ttlog_stats stats;
};

static struct bench {
	char self[PATH_BYTES], recorder[PATH_BYTES], folder[PATH_BYTES];
	pid_t recorder_pid;
	int notify_fd;
} bench;

static void in_folder(char path[PATH_MAX], const char *name)
{
	snprintf(path, PATH_MAX, "%s/%s", bench.folder, name);
}

/* ---- the client ------------------------------------------------------------------------------- */

static int write_all(int fd, const void *from, size_t bytes)
{
	while (bytes) {
		ssize_t written = write(fd, from, bytes);

		if (written <= 0)
			return -errno;
		from = (const char *)from + written;
		bytes -= (size_t)written;
	}
	return 0;
}

static void save_region(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int error = fd < 0 ? -errno : write_all(fd, ttlog_place_.base, ttlog_place_.geometry.region_bytes);

	if (error)
		measure_die("the region's copy", error);
	close(fd);
}

/* One lap and a quarter of mixed events, in every lane that a program fills by itself. */
static void fill(uint64_t region_bytes)
{
	for (uint64_t bytes = 0, i = 0; bytes < region_bytes / 4 * 5; i++) {
		case_fields_3(i);
		case_fields_1(i);
		bytes += 32 + 24;
		if (i % 8 == 0) {
			case_fields_8(i);
			case_string_100(i);
			bytes += 56 + 120;
		}
		if (i % 64 == 0)
			case_alert(i);
	}
}

/* argv: socket, region bytes, where its copy goes or "". Says that it is full on stdout, then waits. */
static int client_main(char **argv)
{
	const struct ttlog_options options = {
		.size = sizeof(options),
		.service = "bench",
		.socket = argv[0],
		.buffer_bytes = strtoull(argv[1], NULL, 10),
		.level = "info",
	};
	struct filled filled = {.stats.size = sizeof(filled.stats)};
	int error = ttlog_init_with(&options);

	if (error)
		measure_die("ttlog_init_with", error);
	fill(options.buffer_bytes);
	ttlog_get_stats(&filled.stats);
	if (argv[2][0])
		save_region(argv[2]);
	if (write_all(STDOUT_FILENO, &filled, sizeof(filled)))
		return 1;
	for (;;)
		pause();
}

static pid_t client_start(uint64_t region_bytes, const char *copy, struct filled *ret_filled)
{
	char socket_path[PATH_MAX], bytes[32];
	int pipe_fds[2];
	pid_t pid;

	in_folder(socket_path, "socket");
	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)region_bytes);
	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		measure_die("pipe2", errno);
	pid = fork();
	if (pid < 0)
		measure_die("fork", errno);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(pipe_fds[1], STDOUT_FILENO);
		execl(bench.self, bench.self, "client", socket_path, bytes, copy, (char *)NULL);
		_exit(127);
	}
	close(pipe_fds[1]);
	if (read(pipe_fds[0], ret_filled, sizeof(*ret_filled)) != (ssize_t)sizeof(*ret_filled))
		measure_die("the client did not fill its region", EPIPE);
	close(pipe_fds[0]);
	if (!ret_filled->stats.connected)
		measure_die("the client found no recorder", ENOTCONN);
	return pid;
}

/* ---- the recorder ----------------------------------------------------------------------------- */

static int recorder_answers(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int answer;

	if (fd < 0)
		measure_die("socket", errno);
	if (strlen(path) >= sizeof(address.sun_path))
		measure_die("the path of the socket", ENAMETOOLONG);
	strcpy(address.sun_path, path);
	answer = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return answer;
}

static void recorder_start(void)
{
	char socket_path[PATH_MAX], log_path[PATH_MAX];
	uint64_t start = measure_now_ns();

	in_folder(socket_path, "socket");
	in_folder(log_path, "recorder.log");
	bench.recorder_pid = fork();
	if (bench.recorder_pid < 0)
		measure_die("fork", errno);
	if (bench.recorder_pid == 0) {
		int fd = open(log_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fd, STDERR_FILENO);
		execl(bench.recorder, bench.recorder, "--keep-loop=0", "--socket", socket_path, "--dir", bench.folder,
		      (char *)NULL);
		_exit(127);
	}
	while (!recorder_answers(socket_path)) {
		if (measure_now_ns() - start > START_TIMEOUT_MS * UINT64_C(1000000) ||
		    waitpid(bench.recorder_pid, NULL, WNOHANG) != 0)
			measure_die(bench.recorder, ETIMEDOUT);
		poll(NULL, 0, 10);
	}
}

static void recorder_stop(void)
{
	kill(bench.recorder_pid, SIGTERM);
	waitpid(bench.recorder_pid, NULL, 0);
	bench.recorder_pid = 0;
}

/* ---- one death -------------------------------------------------------------------------------- */

/* The name of a dump that has just got its name, if there is one. */
static bool new_dump(char ret_name[NAME_MAX + 1])
{
	_Alignas(struct inotify_event) char buffer[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
	ssize_t count = read(bench.notify_fd, buffer, sizeof(buffer));
	bool found = false;

	for (ssize_t at = 0; at < count;) {
		const struct inotify_event *event = (const void *)(buffer + at);

		if (event->len && strncmp(event->name, "ttlog-", 6) == 0) {
			snprintf(ret_name, NAME_MAX + 1, "%s", event->name);
			found = true;
		}
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	return found;
}

/* Milliseconds from the end of the process to its dump, whose size is returned too. */
static double death_ms(pid_t pid, uint64_t *ret_dump_bytes)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd polled[2] = {{pidfd, POLLIN, 0}, {bench.notify_fd, POLLIN, 0}};
	uint64_t dead_ns = 0, file_ns = 0;
	char name[NAME_MAX + 1], path[PATH_MAX];
	struct stat status;

	if (pidfd < 0)
		measure_die("pidfd_open", errno);
	kill(pid, SIGKILL);
	while (!dead_ns || !file_ns) {
		if (poll(polled, 2, DUMP_TIMEOUT_MS) <= 0)
			measure_die("no dump came", ETIMEDOUT);
		if (polled[0].revents) {
			dead_ns = measure_now_ns();
			polled[0].fd = -1;
		}
		if (polled[1].revents && new_dump(name))
			file_ns = measure_now_ns();
	}
	close(pidfd);
	waitpid(pid, NULL, 0);
	in_folder(path, name);
	if (stat(path, &status) != 0)
		measure_die(path, errno);
	*ret_dump_bytes = (uint64_t)status.st_size;
	unlink(path);
	return (double)(file_ns - dead_ns) / 1e6;
}

/* ---- the other side of the scale -------------------------------------------------------------- */

/* Milliseconds that `lz4 -1`, fsync and rename take for the copy of the region; 0: there is no lz4. */
static double lz4_ms(const char *copy, uint64_t *ret_bytes)
{
	char half[PATH_MAX], whole[PATH_MAX];
	uint64_t start, end;
	struct stat info;
	int status, fd;
	pid_t pid;

	in_folder(half, "lz4.tmp");
	in_folder(whole, "lz4.bin");
	start = measure_now_ns();
	pid = fork();
	if (pid < 0)
		measure_die("fork", errno);
	if (pid == 0) {
		execlp("lz4", "lz4", "-1", "-q", "-f", copy, half, (char *)NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return 0;
	fd = open(half, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0 || rename(half, whole) != 0)
		measure_die(half, errno);
	end = measure_now_ns();
	fstat(fd, &info);
	*ret_bytes = (uint64_t)info.st_size;
	close(fd);
	unlink(whole);
	return (double)(end - start) / 1e6;
}

/* ---- the table -------------------------------------------------------------------------------- */

static void measure_size(uint64_t region_bytes)
{
	struct measure_series dump = {.count = 0}, lz4 = {.count = 0};
	uint64_t dump_bytes = 0, lz4_bytes = 0;
	struct filled filled;
	char copy[PATH_MAX];

	in_folder(copy, "region.bin");
	for (int i = 0; i < REPEATS; i++) {
		pid_t pid = client_start(region_bytes, i ? "" : copy, &filled);
		double ms;

		sync(); /* what others have to write is not our time */
		measure_add(&dump, death_ms(pid, &dump_bytes));
		sync();
		ms = lz4_ms(copy, &lz4_bytes);
		if (ms > 0)
			measure_add(&lz4, ms);
	}
	unlink(copy);
	measure_print("   %3llu MiB %9llu %9.1f %9.1f .. %-7.1f %7.1f MiB",
		      (unsigned long long)region_bytes >> 20, (unsigned long long)filled.stats.retained,
		      measure_median(&dump), measure_min(&dump), measure_max(&dump),
		      (double)dump_bytes / (1 << 20));
	if (lz4.count == REPEATS)
		measure_print(" %9.1f %9.1f .. %-7.1f %7.1f MiB %7.2f\n", measure_median(&lz4),
			      measure_min(&lz4), measure_max(&lz4), (double)lz4_bytes / (1 << 20),
			      measure_ratio(&dump, &lz4));
	else
		measure_print("  (no lz4 to compare with)\n");
}

static void find_programs(void)
{
	ssize_t length = readlink("/proc/self/exe", bench.self, sizeof(bench.self) - 1);
	char *slash;

	if (length <= 0)
		measure_die("/proc/self/exe", errno);
	/* BUILD/bench/bench_death: the recorder is BUILD/ttlog-recorder, the folder is beside us. */
	slash = strrchr(bench.self, '/');
	snprintf(bench.recorder, sizeof(bench.recorder), "%.*s/../ttlog-recorder", (int)(slash - bench.self),
		 bench.self);
	snprintf(bench.folder, sizeof(bench.folder), "%.*s/dump-XXXXXX", (int)(slash - bench.self), bench.self);
	if (!mkdtemp(bench.folder))
		measure_die(bench.folder, errno);
}

/* Whatever happened: no recorder, no files. */
static void clean_up(void)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *folder;

	if (bench.recorder_pid > 0)
		kill(bench.recorder_pid, SIGKILL);
	folder = bench.folder[0] ? opendir(bench.folder) : NULL;
	while (folder && (entry = readdir(folder))) {
		in_folder(path, entry->d_name);
		unlink(path);
	}
	if (folder)
		closedir(folder);
	rmdir(bench.folder);
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "client") == 0)
		return client_main(argv + 2);
	measure_print_machine("from the death of a process to its dump, a full region");
	find_programs();
	atexit(clean_up);
	bench.notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (bench.notify_fd < 0 || inotify_add_watch(bench.notify_fd, bench.folder, IN_MOVED_TO | IN_CREATE) < 0)
		measure_die("inotify", errno);
	recorder_start();
	measure_print("   median of %d, in turns with `lz4 -1` of the region, fsync, rename\n\n", REPEATS);
	measure_print("   %7s %9s %9s %20s %11s %9s %20s %11s %7s\n", "region", "events", "dump ms",
		      "min .. max   ", "size", "lz4 ms", "min .. max   ", "size", "ratio");
	measure_size(UINT64_C(1) << 20);
	measure_size(UINT64_C(16) << 20);
	measure_size(UINT64_C(64) << 20);
	recorder_stop();
	return 0;
}
