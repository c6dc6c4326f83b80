/* SPDX-License-Identifier: MIT */
/* measure.c - see measure.h. */
#include "bench/measure.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void measure_die(const char *what, int error)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(error < 0 ? -error : error));
	exit(1);
}

void measure_print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	fflush(stdout);
}

/* ---- time ------------------------------------------------------------------------------------- */

uint64_t measure_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

double measure_ticks_per_ns(void)
{
	static double ticks_per_ns;
	uint64_t ns, ticks;

	if (ticks_per_ns > 0)
		return ticks_per_ns;
	ns = measure_now_ns();
	ticks = measure_ticks();
	while (measure_now_ns() - ns < 20000000)
		;
	ticks = measure_ticks() - ticks;
	ns = measure_now_ns() - ns;
	ticks_per_ns = (double)ticks / (double)ns;
	return ticks_per_ns;
}

/* ---- series ----------------------------------------------------------------------------------- */

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void measure_add(struct measure_series *series, double value)
{
	if (series->count == MEASURE_REPEATS_MAX)
		measure_die("too many repeats", EOVERFLOW);
	series->value[series->count++] = value;
}

double measure_median(const struct measure_series *series)
{
	struct measure_series sorted = *series;

	if (!sorted.count)
		return 0;
	qsort(sorted.value, sorted.count, sizeof(sorted.value[0]), compare_doubles);
	return (sorted.value[(sorted.count - 1) / 2] + sorted.value[sorted.count / 2]) / 2;
}

double measure_min(const struct measure_series *series)
{
	double min = series->count ? series->value[0] : 0;

	for (unsigned int i = 1; i < series->count; i++)
		min = series->value[i] < min ? series->value[i] : min;
	return min;
}

double measure_max(const struct measure_series *series)
{
	double max = series->count ? series->value[0] : 0;

	for (unsigned int i = 1; i < series->count; i++)
		max = series->value[i] > max ? series->value[i] : max;
	return max;
}

double measure_ratio(const struct measure_series *a, const struct measure_series *b)
{
	struct measure_series ratios = {.count = 0};

	for (unsigned int i = 0; i < a->count && i < b->count; i++)
		measure_add(&ratios, a->value[i] / b->value[i]);
	return measure_median(&ratios);
}

void measure_sort(uint32_t *numbers, size_t count)
{
	qsort(numbers, count, sizeof(*numbers), compare_numbers);
}

uint32_t measure_quantile(const uint32_t *sorted, size_t count, double share)
{
	size_t index = (size_t)((double)count * share);

	return count ? sorted[index < count ? index : count - 1] : 0;
}

/* ---- the floor -------------------------------------------------------------------------------- */

void measure_floor_open(struct measure_floor *floor, uint64_t bytes)
{
	int fd = memfd_create("floor", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0)
		measure_die("memfd of the floor", errno);
	floor->ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (floor->ring == MAP_FAILED)
		measure_die("mmap of the floor", errno);
	close(fd);
	memset(floor->ring, 0, bytes);
	floor->mask = bytes - 1;
	floor->position = 0;
}

void measure_floor_close(struct measure_floor *floor)
{
	munmap(floor->ring, floor->mask + 1);
}

__attribute__((noinline)) void measure_floor_loop(struct measure_floor *floor, uint64_t from,
						  uint64_t count)
{
	for (uint64_t i = from; i < from + count; i++) {
		measure_floor_event(floor, i);
		measure_barrier();
	}
}

/* ---- the machine ------------------------------------------------------------------------------ */

unsigned int measure_cpus(int *ret_cpus, unsigned int max)
{
	static cpu_set_t allowed;
	static bool known;
	unsigned int count = 0;

	/* Once: measure_pin() narrows the set. */
	if (!known && sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		measure_die("sched_getaffinity", errno);
	known = true;
	for (int cpu = 0; cpu < CPU_SETSIZE && count < max; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			ret_cpus[count++] = cpu;
	return count;
}

void measure_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		measure_die("sched_setaffinity", errno);
}

static void cpu_model(char *model, size_t bytes)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(model, bytes, "unknown CPU");
	while (file && fgets(line, sizeof(line), file)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) == 0 && colon) {
			colon[strcspn(colon, "\n")] = 0;
			snprintf(model, bytes, "%s", colon + 2);
			break;
		}
	}
	if (file)
		fclose(file);
}

void measure_print_machine(const char *what)
{
	struct utsname name;
	char model[128];
	double load[3] = {0};

	uname(&name);
	cpu_model(model, sizeof(model));
	(void)!getloadavg(load, 3);
	measure_print("== %s\n", what);
#if defined(__clang__)
	measure_print("   %s, %ld CPUs, load %.1f; %s %s; clang %s\n", model,
		      sysconf(_SC_NPROCESSORS_ONLN), load[0], name.sysname, name.release, __clang_version__);
#else
	measure_print("   %s, %ld CPUs, load %.1f; %s %s; gcc %s\n", model,
		      sysconf(_SC_NPROCESSORS_ONLN), load[0], name.sysname, name.release, __VERSION__);
#endif
}

/* ---- the library under test ------------------------------------------------------------------- */

void measure_init(uint64_t region_bytes)
{
	const struct ttlog_options options = {
		.size = sizeof(options),
		.service = "bench",
		.socket = "",
		.buffer_bytes = region_bytes,
		.level = "info",
	};
	int error = ttlog_init_with(&options);

	if (error)
		measure_die("ttlog_init_with", error);
}

void measure_in_child(void (*fn)(uint64_t argument), uint64_t argument)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		measure_die("fork", errno);
	if (pid == 0) {
		fn(argument);
		fflush(stdout);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			measure_die("waitpid", errno);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "bench: a measurement died (wait status %#x)\n", status);
		exit(1);
	}
}
