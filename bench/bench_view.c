/* SPDX-License-Identifier: MIT */
/*
 * bench_view.c - how fast ttlog-view finds events in a dump of ten million, and what that is made of: LZ4 with
 * its checksums, the steps over CBOR, the filter. And others, on the same events: jq on JSON, babeltrace2 on CTF,
 * grep on text.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "bench/measure.h"
#include "bench/requests.h"
#include "tests/made_dump.h"
#include "viewer/dump_reader.h"
#include "viewer/frames.h"

#define EVENTS 10000000
/* So many that it is not the start of the programs that is compared, and few enough for jq to come to an end. */
#define PEER_EVENTS 1000000
#define REPEATS 3

static char folder[PATH_MAX], program[PATH_MAX];
static uint32_t sites[4];

/* Three of four are noise of two parts; one in 4,000 is an error. */
static void generate(size_t index, struct ttlog_reader_event *event)
{
	static const char *const methods[] = {"GET", "POST", "DELETE"};
	unsigned int kind = index % 4000 == 3 ? 3 : index % 4 == 3 ? 2 : index % 4 == 2 ? 1 : 0;

	request_make(event, index, sites[kind], kind == 3 ? 500 : 200, methods[index % 3]);
}

static void make_dump(const char *name, size_t events)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64, TTLOG_TYPE_I32, TTLOG_TYPE_STRING, 0};
	static const char *const names[] = {"request", "status", "method"};
	char path[PATH_MAX + 32];
	int fd, error;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	made_begin();
	sites[0] = made_site(TTLOG_DEBUG, "db.pool", "Connection taken", types, names);
	sites[1] = made_site(TTLOG_TRACE, "db.query", "Row read", types, names);
	sites[2] = made_site(TTLOG_INFO, "http", "Request processed", types, names);
	sites[3] = made_site(TTLOG_ERROR, "http", "Request failed", types, names);
	made.generate = events;
	made.generator = generate;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	error = fd < 0 ? -errno : dump_write(fd, &made, &made.facts);
	if (fd < 0 || close(fd) || error)
		measure_die(path, -error);
}

/* ---- parts ------------------------------------------------------------------------------------
 */

static double seconds_of(const struct rusage *usage)
{
	return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
	       (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

static double cpu_now(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return seconds_of(&usage);
}

static double decompress_all(const char *path, uint64_t *ret_bytes)
{
	const double start = cpu_now();
	struct frames *frames;
	struct frame frame;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*ret_bytes = 0;
	if (fd < 0 || frames_open(&frames, fd))
		measure_die(path, errno);
	while (frames_next(frames, &frame) > 0)
		*ret_bytes += frame.bytes;
	frames_close(frames);
	return cpu_now() - start;
}

static double read_all(const char *path)
{
	const double start = cpu_now();
	struct event event;
	struct dump *dump;
	const char *why;

	if (dump_open(&dump, path, &why))
		measure_die(path, EINVAL);
	while (dump_next(dump, &event))
		;
	dump_close(dump);
	return cpu_now() - start;
}

/* ---- programs ---------------------------------------------------------------------------------
 */

struct cost {
	double cpu_s, wall_s;
	long kib; /* resident, the most */
	bool failed;
};

/* A shell's command in the folder; $V is ttlog-view. All of its processes count. */
static struct cost run(const char *command)
{
	struct timespec before, after;
	struct rusage usage;
	struct cost cost;
	int status;
	pid_t pid;

	clock_gettime(CLOCK_MONOTONIC, &before);
	pid = fork();
	if (pid < 0)
		measure_die("fork", errno);
	if (!pid) {
		if (chdir(folder) == 0 && setenv("V", program, 1) == 0)
			execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &usage) < 0)
		measure_die("wait4", errno);
	clock_gettime(CLOCK_MONOTONIC, &after);
	cost.cpu_s = seconds_of(&usage);
	cost.wall_s = (double)(after.tv_sec - before.tv_sec) +
		      (double)(after.tv_nsec - before.tv_nsec) / 1e9;
	cost.kib = usage.ru_maxrss;
	cost.failed = !WIFEXITED(status) || WEXITSTATUS(status) > 1;
	return cost;
}

static struct cost best_of(const char *command)
{
	struct cost best = run(command), cost;

	for (unsigned int i = 1; i < REPEATS; i++) {
		cost = run(command);
		if (cost.cpu_s < best.cpu_s)
			best = cost;
	}
	return best;
}

static void print_view(const char *what, const char *options)
{
	char command[512];
	struct cost cost;

	snprintf(command, sizeof(command), "exec $V -o json %s large.bin >/dev/null", options);
	cost = best_of(command);
	printf("  %-34s %8.3f s  %9.1f M events/s  %6.1f MiB%s\n", what, cost.cpu_s,
	       EVENTS / 1e6 / cost.cpu_s, (double)cost.kib / 1024, cost.failed ? "  FAILED" : "");
}

static void print_parts(void)
{
	char path[PATH_MAX + 32];
	double lz4 = 1e9, all = 1e9, got;
	uint64_t bytes = 0;

	snprintf(path, sizeof(path), "%s/large.bin", folder);
	for (unsigned int i = 0; i < REPEATS; i++) {
		got = decompress_all(path, &bytes);
		lz4 = got < lz4 ? got : lz4;
		got = read_all(path);
		all = got < all ? got : all;
	}
	printf("  of these: LZ4 with its checksums   %8.3f s  %9.2f GB/s\n", lz4, (double)bytes / 1e9 / lz4);
	printf("            steps over CBOR          %8.3f s  %9.1f ns an event\n", all - lz4,
	       (all - lz4) * 1e9 / EVENTS);
}

/* The same events for each; the viewer's own time is on its dump. */
static void print_peer(const char *what, const char *tool, const char *command, double ours)
{
	char probe[128];
	struct cost cost;

	snprintf(probe, sizeof(probe), "command -v %s >/dev/null", tool);
	if (run(probe).wall_s < 0 || system(probe)) {
		printf("  %-34s is not installed\n", what);
		return;
	}
	cost = best_of(command);
	printf("  %-34s %8.3f s  %9.2f M events/s  %6.1f x%s\n", what, cost.cpu_s,
	       PEER_EVENTS / 1e6 / cost.cpu_s, cost.cpu_s / ours, cost.failed ? "  FAILED" : "");
}

static void print_peers(void)
{
	static const char ours[] = "exec $V -o json -p error peer.bin >/dev/null";
	double seconds;

	make_dump("peer.bin", PEER_EVENTS);
	run("exec $V -o json peer.bin >peer.json");
	run("exec $V -o text peer.bin >peer.txt");
	run("exec $V -o ctf -O peer.ctf peer.bin");
	seconds = best_of(ours).cpu_s;
	printf("\nErrors of %d events, beside others, each with its start. Here most events are stepped over for\n"
	       "their site's sake; jq and babeltrace2 decode all fields of all, also where nothing comes out.\n",
	       PEER_EVENTS);
	printf("  %-34s %8.3f s  %9.2f M events/s\n", "ttlog-view -p error", seconds,
	       PEER_EVENTS / 1e6 / seconds);
	print_peer("jq, from JSON", "jq", "exec jq -c 'select(.level==\"ERROR\")' peer.json >/dev/null",
		   seconds);
	print_peer("babeltrace2, text from CTF", "babeltrace2", "exec babeltrace2 peer.ctf >/dev/null",
		   seconds);
	print_peer("babeltrace2, reads CTF, no output", "babeltrace2",
		   "exec babeltrace2 -o dummy peer.ctf >/dev/null", seconds);
	/* With its output in /dev/null it would stop at the first. */
	print_peer("grep, from text", "grep", "grep ' ERROR ' peer.txt | cat >/dev/null", seconds);
}

int main(void)
{
	char self[PATH_MAX] = {0}, command[PATH_MAX + 16];

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		measure_die("readlink", errno);
	snprintf(program, sizeof(program), "%s/ttlog-view", dirname(dirname(self)));
	snprintf(folder, sizeof(folder), "%s/bench_view.XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(folder))
		measure_die(folder, errno);
	make_dump("large.bin", EVENTS);
	printf("ttlog-view on a dump of %d events: processor time, the best of %d\n", EVENTS, REPEATS);
	print_view("-p error", "-p error");
	print_view("-t nobody", "-t nobody");
	print_view("-f status=500", "-f status=500");
	print_view("-g failed", "-g failed");
	print_view("-g 'status=5[0-9]+'", "-g 'status=5[0-9]+'");
	print_view("--query with two fields", "--query 'status>=500 and method=GET'");
	print_view("-S T-0.5 -U T-0.499, by the index", "-S T-0.5 -U T-0.499");
	print_view("-n 100, by the index", "-n 100");
	print_view("--around T-0.5 -C 10, by the index", "--around T-0.5 -C 10");
	print_view("-r -n 5 -p error", "-r -n 5 -p error");
	print_parts();
	print_peers();
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command) != 0;
}
