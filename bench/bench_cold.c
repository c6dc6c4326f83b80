/* SPDX-License-Identifier: MIT */
/*
 * bench_cold.c - what a call costs when other work has emptied the caches, and what it has to
 * fetch.
 *
 * Before each call this program writes to twice as much memory as the last-level cache holds: code,
 * data and translations of the event are gone then, as for a program that records now and then.
 * (Not clflush of the lines that the event touches: that would leave its pages' translations.) "one
 * load" is a line that nobody has touched for as long: so dear is one miss. A store does not wait
 * for its line, a load does, and so does the next instruction.
 *
 * The lines are counted by valgrind's lackey, if it is there: it says which addresses every
 * instruction of a warm event reads and writes. A line is 64 bytes.
 */
#include "bench/cases.h"
#include "bench/measure.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/process.h"
#include "lib/writer.h"

#define LINE 64
#define WALK_BYTES_MIN (UINT64_C(64) << 20)
#define WALK_BYTES_MAX (UINT64_C(256) << 20)
#define CALLS 40
#define PROBE_BYTES (UINT64_C(1) << 20)

static struct measure_floor floor_ring;
static unsigned char *probe;

/* ---- time -------------------------------------------------------------------------------------
 */

static struct walk {
	unsigned char *memory;
	uint64_t bytes;
} walk;

/* The last-level cache as the kernel sees it: sysconf() may count what other machines' cores share.
 */
static uint64_t cache_bytes(void)
{
	FILE *file = fopen("/sys/devices/system/cpu/cpu0/cache/index3/size", "re");
	uint64_t kib = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%" SCNu64 "K", &kib) != 1)
		kib = 0;
	fclose(file);
	return kib << 10;
}

static void walk_open(void)
{
	walk.bytes = 2 * cache_bytes();
	walk.bytes = walk.bytes < WALK_BYTES_MIN ? WALK_BYTES_MIN : walk.bytes;
	walk.bytes = walk.bytes > WALK_BYTES_MAX ? WALK_BYTES_MAX : walk.bytes;
	walk.memory = mmap(NULL, walk.bytes + PROBE_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (walk.memory == MAP_FAILED)
		measure_die("mmap", errno);
	probe = walk.memory + walk.bytes;
}

static __attribute__((noinline)) void walk_all(void)
{
	for (uint64_t i = 0; i < walk.bytes; i += LINE)
		walk.memory[i]++;
	measure_barrier();
}

typedef uint32_t (*cold_call)(uint64_t i);

/* cold_<name>(i): ticks of the i-th call, everything gone from the caches. */
#define COLD(name, statement)                                                                      \
	static __attribute__((noinline)) uint32_t cold_##name(uint64_t i)                          \
	{                                                                                          \
		uint64_t start;                                                                    \
                                                                                                   \
		walk_all();                                                                        \
		start = measure_ticks_fenced();                                                    \
		statement;                                                                         \
		return (uint32_t)(measure_ticks_fenced() - start);                                 \
	}
COLD(nothing, (void)i)
COLD(probe, (void)*(volatile unsigned char *)(probe + i * 4096 % PROBE_BYTES))
COLD(floor, measure_floor_event(&floor_ring, i))
#define CASE_COLD(name, what) COLD(name, case_##name(i))
CASES(CASE_COLD)

static struct cold_case {
	const char *what;
	cold_call call;
	uint32_t ticks[CALLS];
} cold_cases[] = {{"nothing (the harness)", cold_nothing, {0}},
		  {"one load", cold_probe, {0}},
		  {"floor", cold_floor, {0}},
#define COLD_ROW(name, what) {what, cold_##name, {0}},
		  CASES(COLD_ROW)};

#define COLD_COUNT (sizeof(cold_cases) / sizeof(cold_cases[0]))

static void print_cold(struct cold_case *of, double harness)
{
	double per_ns = measure_ticks_per_ns(), p50;

	measure_sort(of->ticks, CALLS);
	p50 = measure_quantile(of->ticks, CALLS, 0.5) / per_ns;
	measure_print("   %-26s %8.0f %8.0f %8.0f %8.0f\n", of->what, of->ticks[0] / per_ns, p50,
		      measure_quantile(of->ticks, CALLS, 0.9) / per_ns, p50 - harness);
}

static void measure_time(uint64_t region_bytes)
{
	double harness;
	int cpu = 0;

	measure_cpus(&cpu, 1);
	measure_pin(cpu);
	measure_init(region_bytes);
	walk_open();
	measure_floor_open(&floor_ring, region_bytes);
	for (uint64_t i = 0; i < region_bytes / 16; i++)
		case_fields_3(i);
	for (uint64_t i = 0; i < CALLS + 2; i++)
		for (size_t j = 0; j < COLD_COUNT; j++) {
			uint32_t ticks = cold_cases[j].call(i);

			/* The first ones are the sites' first. */
			if (i >= 2)
				cold_cases[j].ticks[i - 2] = ticks;
		}
	measure_print("\n   ns a call, %d calls a case; before each, %llu MiB are written to\n",
		      CALLS, (unsigned long long)walk.bytes >> 20);
	measure_print("   %-26s %8s %8s %8s %8s\n", "", "min", "p50", "p90", "net p50");
	measure_sort(cold_cases[0].ticks, CALLS);
	harness = measure_quantile(cold_cases[0].ticks, CALLS, 0.5) / measure_ticks_per_ns();
	for (size_t j = 0; j < COLD_COUNT; j++)
		print_cold(&cold_cases[j], harness);
}

/* ---- lines: the program that is traced --------------------------------------------------------
 */

#define MARKED_EVENTS 8
#define WARM_EVENTS 200
#define ROOM 1400u /* bytes */

/* A store of one byte to it is in front of each event, and behind the last. */
static volatile unsigned char mark, begin; /* begin: from here on they count */

#define MARKED(name, statement)                                                                    \
	static __attribute__((noinline)) void marked_##name(uint64_t from, uint64_t count)         \
	{                                                                                          \
		for (uint64_t i = from; i < from + count; i++) {                                   \
			mark = 1;                                                                  \
			statement;                                                                 \
			measure_barrier();                                                         \
		}                                                                                  \
		mark = 1;                                                                          \
	}
MARKED(floor, measure_floor_event(&floor_ring, i))
#define CASE_MARKED(name, what) MARKED(name, case_##name(i))
CASES(CASE_MARKED)

static const struct marked_case {
	const char *what;
	void (*loop)(uint64_t from, uint64_t count);
} marked_cases[] = {{"floor", marked_floor},
#define MARKED_ROW(name, what) {what, marked_##name},
		    CASES(MARKED_ROW)};

#define MARKED_COUNT (sizeof(marked_cases) / sizeof(marked_cases[0]))

/* REST: the program's own data, which are sites and constants. */
enum kind { CONTROL, TLS, WRITER, REGION, REST, STACK, RING, CODE, KIND_COUNT };
static const char *const kind_names[KIND_COUNT] = {"control", "TLS",   "writer", "region",
						   "site",    "stack", "ring",	 "code"};

/* Where in the traced program is what. */
struct places {
	uint64_t from[KIND_COUNT], to[KIND_COUNT];
	uint64_t mark, begin;
};

static void place(struct places *places, enum kind kind, uint64_t from, uint64_t bytes)
{
	places->from[kind] = from;
	places->to[kind] = from + bytes;
}

static uint64_t address_of(const volatile void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

static int marked_main(size_t index, int fd)
{
	struct places places = {.mark = address_of(&mark), .begin = address_of(&begin)};
	const struct marked_case *of = &marked_cases[index];

	measure_init(UINT64_C(1) << 20);
	measure_floor_open(&floor_ring, 4096);
	of->loop(0, WARM_EVENTS);
	/* So much of the chunk that no job is due in the marked events, and none in those of a
	 * slot. */
	for (uint64_t i = 0;
	     i < 1000 && ttlog_writer_->limit < (uint32_t)ttlog_writer_->position + ROOM; i++)
		case_fields_3(i);
	place(&places, CONTROL, address_of(&ttlog_control_), sizeof(ttlog_control_));
	place(&places, TLS, address_of(&ttlog_writer_) - 4096, 8192);
	place(&places, WRITER, address_of(ttlog_writer_), sizeof(struct ttlog_thread));
	place(&places, REGION, address_of(ttlog_place_.base), ttlog_place_.geometry.region_bytes);
	place(&places, STACK, address_of(__builtin_frame_address(0)) - 65536, 65536 + 4096);
	place(&places, RING, address_of(floor_ring.ring), 4096);
	if (write(fd, &places, sizeof(places)) != sizeof(places))
		return 1;
	begin = 1;
	of->loop(WARM_EVENTS, MARKED_EVENTS);
	return 0;
}

/* ---- lines: the tracer ------------------------------------------------------------------------
 */

#define LINES_MAX 512

/* What one event touched. */
struct touched {
	uint64_t line[LINES_MAX];
	bool is_code[LINES_MAX], written[LINES_MAX];
	unsigned int count;
};

/* Of all marked events. */
struct sums {
	unsigned int events, data, written, by_kind[KIND_COUNT];
};

static void touch(struct touched *touched, uint64_t line, bool is_code, bool written)
{
	unsigned int i = 0;

	while (i < touched->count && (touched->line[i] != line || touched->is_code[i] != is_code))
		i++;
	if (i == LINES_MAX)
		measure_die("too many lines", EOVERFLOW);
	if (i == touched->count) {
		touched->line[i] = line;
		touched->is_code[i] = is_code;
		touched->written[i] = false;
		touched->count++;
	}
	touched->written[i] |= written;
}

/* Neighbours share lines: the most particular one first. */
static enum kind kind_of(const struct places *places, uint64_t line)
{
	static const enum kind order[] = {CONTROL, WRITER, REGION, RING, STACK, TLS};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (line + LINE > places->from[order[i]] && line < places->to[order[i]])
			return order[i];
	return REST;
}

static void sum_event(struct touched *touched, const struct places *places, struct sums *sums)
{
	for (unsigned int i = 0; i < touched->count; i++) {
		enum kind kind = touched->is_code[i] ? CODE : kind_of(places, touched->line[i]);

		sums->by_kind[kind]++;
		sums->data += kind != CODE;
		sums->written += touched->written[i];
	}
	sums->events++;
	touched->count = 0;
}

/* " S 04a1ade0,8", "I  048ce05c,3"; false: something else. */
static bool parse_access(const char *text, char *ret_what, uint64_t *ret_address,
			 uint64_t *ret_bytes)
{
	return sscanf(text, " %c %" SCNx64 ",%" SCNu64, ret_what, ret_address, ret_bytes) == 3 &&
	       strchr("ILSM", *ret_what) && *ret_bytes > 0;
}

/* From one mark to the next is one event. */
static void read_trace(FILE *trace, const struct places *places, struct sums *sums)
{
	static struct touched touched;
	bool begun = false, inside = false;
	char text[256], what;
	uint64_t address, bytes;

	touched.count = 0;
	while (sums->events < MARKED_EVENTS && fgets(text, sizeof(text), trace)) {
		if (!parse_access(text, &what, &address, &bytes))
			continue;
		begun |= what == 'S' && address == places->begin;
		if (begun && what == 'S' && address == places->mark) {
			if (inside)
				sum_event(&touched, places, sums);
			inside = true;
			continue;
		}
		for (uint64_t line = address / LINE; inside && line <= (address + bytes - 1) / LINE;
		     line++)
			touch(&touched, line * LINE, what == 'I', what == 'S' || what == 'M');
	}
}

static void exec_traced(size_t index, int trace_fd, int places_fd)
{
	char self[4096], log[32], number[16], fd[16];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length < 0)
		_exit(1);
	self[length] = 0;
	snprintf(log, sizeof(log), "--log-fd=%d", trace_fd);
	snprintf(number, sizeof(number), "%zu", index);
	snprintf(fd, sizeof(fd), "%d", places_fd);
	execlp("valgrind", "valgrind", "--tool=lackey", "--trace-mem=yes", log, self, "--marked",
	       number, fd, (char *)NULL);
	_exit(127);
}

/* False: there is no valgrind, or it can't run this. */
static bool trace_case(size_t index, struct sums *sums)
{
	struct places places;
	FILE *trace = tmpfile();
	int pipe_fds[2], status;
	bool done;
	pid_t pid;

	if (!trace || pipe(pipe_fds) != 0)
		measure_die("tmpfile or pipe", errno);
	pid = fork();
	if (pid < 0)
		measure_die("fork", errno);
	if (pid == 0)
		exec_traced(index, fileno(trace), pipe_fds[1]);
	close(pipe_fds[1]);
	done = read(pipe_fds[0], &places, sizeof(places)) == sizeof(places);
	done &= waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	close(pipe_fds[0]);
	memset(sums, 0, sizeof(*sums));
	if (done) {
		rewind(trace);
		read_trace(trace, &places, sums);
	}
	fclose(trace);
	return done && sums->events == MARKED_EVENTS;
}

static void print_lines(const char *what, const struct sums *sums)
{
	double events = sums->events;

	measure_print("   %-26s %8.1f %8.1f %8.1f", what, sums->by_kind[CODE] / events,
		      sums->data / events, sums->written / events);
	for (size_t i = 0; i < CODE; i++)
		measure_print(" %8.1f", sums->by_kind[i] / events);
	measure_print("\n");
}

static void count_lines(void)
{
	struct sums sums;

	measure_print("\n   lines of 64 bytes that a warm event touches, mean of %d (the loop and "
		      "its marks included)\n",
		      MARKED_EVENTS);
	if (!trace_case(0, &sums)) {
		measure_print("   not counted: this needs valgrind, and its lackey\n");
		return;
	}
	measure_print("   %-26s %8s %8s %8s", "", "code", "data", "written");
	for (size_t i = 0; i < CODE; i++)
		measure_print(" %8s", kind_names[i]);
	measure_print("\n");
	print_lines(marked_cases[0].what, &sums);
	for (size_t i = 1; i < MARKED_COUNT; i++)
		if (trace_case(i, &sums))
			print_lines(marked_cases[i].what, &sums);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "--marked") == 0)
		return marked_main(strtoul(argv[2], NULL, 10) % MARKED_COUNT, atoi(argv[3]));
	measure_print_machine("a call when nothing of it is in the caches");
	measure_in_child(measure_time, UINT64_C(16) << 20);
	count_lines();
	return 0;
}
