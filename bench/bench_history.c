/* SPDX-License-Identifier: MIT */
/*
 * bench_history.c - deep history: what an event takes in it, how far a budget reaches back, what
 * the recorder's thread takes of a processor, and whether the writer notices.
 *
 * The writer is spread evenly over the time, with a jitter, so that no timestamp can be foretold.
 * The history's thread is in the same process; what it costs is all that the writer's thread does
 * not. Who idles is another process, the one that waits for this. Who comes in bursts sleeps
 * between them: some hundredths of a processor, which the kernel's tick has to meet. Bytes are
 * those of chunks with their heads, as a budget counts them; minutes are extrapolated.
 */
#include "bench/cases.h"
#include "bench/measure.h"

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "lib/process.h"
#include "recorder/history.h"

#define REGION_BYTES (UINT64_C(16) << 20)
#define BUDGET_BYTES (UINT64_C(1) << 30)
#define SECONDS 3
#define CALM_SECONDS 10 /* then it is looked at once a second */
#define TURNS 10
#define LOOPS 400 /* a turn; short against a time slice */
#define LOOP_EVENTS UINT64_C(20000)

static uint64_t noise(void)
{
	static uint64_t state = 1;

	state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return state ^ state >> 29;
}

static void event_request(uint64_t i)
{
	case_fields_3(i);
}

/* A latency, a customer of a million, a size: some 50 bits that nobody can foretell. */
static void event_noisy(uint64_t i)
{
	const uint64_t word = noise();

	(void)i;
	ttlog_info("noisy", "latency_us", (uint32_t)word % 65536, "customer",
		   (uint32_t)(word >> 16) % 1000000, "bytes", (uint32_t)(word >> 36) % 16384);
}

static const struct history_case {
	const char *what;
	void (*event)(uint64_t i);
	uint64_t rate;
	time_t calm_seconds; /* before */
	uint64_t burst;	     /* events; then it sleeps until the next is due */
} cases[] = {
	{"just come", event_request, 0, 0, 1},
	{"idle", event_request, 0, CALM_SECONDS, 1},
	{"3 fields", event_request, 100000, 0, 1},
	{"3 noisy fields", event_noisy, 100000, 0, 1},
	{"3 fields", event_request, 1000000, 0, 1},
	{"3 noisy fields", event_noisy, 1000000, 0, 1},
	{"after a rest", event_request, 300000, CALM_SECONDS, 1},
	{"after a rest", event_request, 1000000, CALM_SECONDS, 1},
	{"rest, bursts", event_request, 1000000, CALM_SECONDS, 1000},
	{"rest, bursts", event_request, 1000000, CALM_SECONDS, 10000},
};

static struct histories *histories;
static struct history *history;

static void begin(pid_t pid)
{
	const struct history_options options = {.client_bytes = BUDGET_BYTES,
						.total_bytes = BUDGET_BYTES};
	const int error = histories_open(&histories, &options);

	if (error)
		measure_die("histories_open", error);
	history = history_begin(histories, ttlog_place_.base, &ttlog_place_.geometry, pid);
	if (!history)
		measure_die("history_begin", 0);
}

static void end(void)
{
	history_end(history);
	histories_close(histories);
}

static void sleep_until_tick(uint64_t tick)
{
	const double ns = (double)(int64_t)(tick - measure_ticks()) / measure_ticks_per_ns();
	const struct timespec pause = {.tv_nsec = (long)ns};

	if (ns > 0)
		nanosleep(&pause, NULL);
}

/* Evenly, half a distance more or less each time. Returns how many. */
static uint64_t write_paced(const struct history_case *of)
{
	const double distance = of->rate ? measure_ticks_per_ns() * 1e9 / (double)of->rate : 0;
	const double ticks = measure_ticks_per_ns() * 1e9 * SECONDS;
	const struct timespec pause = {.tv_sec = SECONDS};
	const uint64_t began = measure_ticks();
	double due = 0;
	uint64_t count = 0;

	if (!of->rate) {
		nanosleep(&pause, NULL);
		return 0;
	}
	for (; due < ticks; count++) {
		if (of->burst == 1)
			while ((double)(measure_ticks() - began) < due)
				;
		else if (count % of->burst == 0)
			sleep_until_tick(began + (uint64_t)due);
		of->event(count);
		due += distance * (0.5 + (double)(noise() % 1024) / 1024);
	}
	return count;
}

static double cpu_seconds(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double others_cpu_seconds(void)
{
	return cpu_seconds(RUSAGE_SELF) - cpu_seconds(RUSAGE_THREAD);
}

/* What is kept, and what is missing from it. */
static double bytes_of_event(uint64_t *ret_overwritten)
{
	struct ttlog_reader *reader = NULL;
	struct ttlog_reader_totals totals;
	struct history_cut cut;
	double bytes = 0, events = 0;
	int error = history_cut_init(&cut, history);

	if (!error)
		error = ttlog_reader_open_with(&reader, ttlog_place_.base, &ttlog_place_.geometry,
					       &cut.reader);
	if (error)
		measure_die("ttlog_reader_open_with", error);
	for (uint32_t i = 0; i < cut.reader.saved_count; i++) {
		bytes += sizeof(*cut.reader.saved[i]) + cut.reader.saved[i]->stored_bytes;
		events += cut.reader.saved[i]->event_count;
	}
	ttlog_reader_totals(reader, &totals);
	*ret_overwritten = totals.overwritten;
	ttlog_reader_close(reader);
	history_cut_fini(&cut);
	return events > 0 ? bytes / events : 0;
}

/* Until just behind the next look, which is as far from the one after it as can be. */
static void rest(time_t seconds)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds + 1;
	until.tv_nsec = 5000000;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static void measure_case(uint64_t index)
{
	const struct history_case *of = &cases[index];
	struct history_figures before, after;
	uint64_t overwritten, count;
	double cpu, bytes;

	measure_init(REGION_BYTES);
	of->event(0);
	begin(of->rate ? getpid() : getppid());
	if (of->calm_seconds)
		rest(of->calm_seconds);
	histories_figures(histories, &before);
	cpu = others_cpu_seconds();
	count = write_paced(of);
	cpu = others_cpu_seconds() - cpu;
	histories_figures(histories, &after);
	bytes = bytes_of_event(&overwritten);
	measure_print("   %-16s %9llu %9.2f", of->what, (unsigned long long)(count / SECONDS),
		      bytes);
	if (of->rate)
		measure_print(" %13.1f", (double)BUDGET_BYTES / bytes / (double)of->rate / 60);
	else
		measure_print(" %13s", "");
	measure_print(" %9.2f %9.1f %10llu\n", 100 * cpu / SECONDS,
		      (double)(after.looks - before.looks) / SECONDS,
		      (unsigned long long)overwritten);
	end();
}

static __attribute__((noinline)) void loop(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		case_fields_3(i);
}

static double ns_of_event(void)
{
	const uint64_t began = measure_now_ns();

	loop(LOOP_EVENTS);
	return (double)(measure_now_ns() - began) / (double)LOOP_EVENTS;
}

/* The median of many short loops: most of them see no time slice end. */
static double ns_of_turn(void)
{
	static uint32_t picoseconds[LOOPS];

	for (int i = 0; i < LOOPS; i++)
		picoseconds[i] = (uint32_t)(ns_of_event() * 1000);
	measure_sort(picoseconds, LOOPS);
	return (double)measure_quantile(picoseconds, LOOPS, 0.5) / 1000;
}

/* At full speed, where the history can't follow: the most that it can do to a writer. */
static void measure_writer(uint64_t argument)
{
	struct measure_series without = {.count = 0}, with = {.count = 0};

	(void)argument;
	measure_init(REGION_BYTES);
	ns_of_turn();
	for (int i = 0; i < TURNS; i++) {
		measure_add(&without, ns_of_turn());
		begin(getpid());
		measure_add(&with, ns_of_turn());
		end();
	}
	measure_print(
		"\n   a writer at full speed: %.1f ns an event without, %.1f with: ratio %.3f\n",
		measure_median(&without), measure_median(&with), measure_ratio(&with, &without));
}

int main(void)
{
	measure_print_machine("deep history");
	measure_print("   %-16s %9s %9s %13s %9s %9s %10s\n", "", "events/s", "bytes",
		      "min in 1 GiB", "% of CPU", "looks/s", "missing");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		measure_in_child(measure_case, i);
	measure_in_child(measure_writer, 0);
	return 0;
}
