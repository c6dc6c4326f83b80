/* SPDX-License-Identifier: MIT */
/*
 * bench_dump.c - how fast events become a dump, and a dump is searched and shown. CPU time of one core.
 *
 * The events come from a loop, not from a region: this is the writer alone, into /dev/null.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "bench/measure.h"
#include "bench/requests.h"
#include "tests/made_dump.h"

#define EVENTS 2000000
#define REPEATS 5

static uint32_t site_good, site_bad;

/* Every thousandth request fails. */
static void generate(size_t index, struct ttlog_reader_event *event)
{
	request_make(event, index, index % 1000 ? site_good : site_bad, 200, "GET");
}

static double cpu_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_rate(const char *what, const struct measure_series *seconds)
{
	measure_print("%-44s %6.1f M events/s   (%.1f to %.1f)\n", what,
		      EVENTS / measure_median(seconds) / 1e6, EVENTS / measure_max(seconds) / 1e6,
		      EVENTS / measure_min(seconds) / 1e6);
}

static void bench_write(const char *path, const char *what)
{
	struct measure_series seconds = {0};
	double start;
	int fd, error;

	for (unsigned int i = 0; i < REPEATS; i++) {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (fd < 0)
			measure_die(path, errno);
		start = cpu_s();
		error = dump_write(fd, &made, &made.facts);
		measure_add(&seconds, cpu_s() - start);
		close(fd);
		if (error)
			measure_die("dump_write", -error);
	}
	if (what)
		print_rate(what, &seconds);
}

static void bench_view(const char *arguments, const char *what, const char *path)
{
	struct measure_series seconds = {0};
	char self[PATH_MAX] = {0}, command[2 * PATH_MAX];
	struct rusage before, after;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		measure_die("readlink", errno);
	snprintf(command, sizeof(command), "exec %s/ttlog-view %s %s >/dev/null", dirname(dirname(self)),
		 arguments, path);
	for (unsigned int i = 0; i < REPEATS; i++) {
		getrusage(RUSAGE_CHILDREN, &before);
		if (system(command) != 0)
			measure_die(command, 0);
		getrusage(RUSAGE_CHILDREN, &after);
		measure_add(&seconds, (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec +
					       after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
					      (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec +
						       after.ru_stime.tv_usec -
						       before.ru_stime.tv_usec) / 1e6);
	}
	print_rate(what, &seconds);
}

int main(void)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64, TTLOG_TYPE_I32, TTLOG_TYPE_STRING, 0};
	static const char *const names[] = {"request_id", "status", "method"};
	char path[] = "/tmp/bench_dump.XXXXXX";
	struct rusage usage;
	int fd = mkstemp(path);

	if (fd < 0)
		measure_die(path, errno);
	made_begin();
	site_good = made_site(TTLOG_INFO, "http", "Request processed", types, names);
	site_bad = made_site(TTLOG_ERROR, "http", "Request failed", types, names);
	made.generator = generate;
	made.generate = EVENTS;
	measure_print_machine("dumps: 2 million events of 3 fields");
	bench_write("/dev/null", "write, encoded and compressed");
	bench_write(path, NULL);
	bench_view("--filter level=ERROR", "view --filter level=ERROR", path);
	bench_view("--filter 'request_id>1999990'", "view --filter 'request_id>1999990'", path);
	bench_view("", "view, all as text", path);
	bench_view("-o json", "view, all as JSON", path);
	getrusage(RUSAGE_CHILDREN, &usage);
	measure_print("%-44s %6.1f MiB for a file of %.1f MiB\n", "view, largest resident set",
		      (double)usage.ru_maxrss / 1024, (double)lseek(fd, 0, SEEK_END) / (1 << 20));
	close(fd);
	unlink(path);
	return 0;
}
