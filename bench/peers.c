/* SPDX-License-Identifier: MIT */
/*
 * peers.c - measures one recorder; peers.sh runs it once for each, and makes a table of all.
 *
 *     peer_NAME tight1 | tight2 | busy | paced | steps
 *         prints `key value` lines; times in ns
 *     peer_NAME keep COUNT PATH
 *         records so many numbered events, ends in good order, says what memory that took, and waits
 *         until its standard input ends
 *     peer_NAME kill PAGE
 *         a child of it records until it is killed; prints how many events it had completed, and its pid
 *     peer_NAME victim PAGE, peer_NAME stepped floor | event
 *         those children
 *
 * Each mode is a process of its own. Some recorders have threads that a fork would lose: children are
 * executed anew.
 */
#include "bench/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REPEATS 41
#define REPEATS_MIN 7
#define MODE_NS_MAX UINT64_C(1000000000) /* a mode that gets no quiet blocks ends early */
#define BLOCK_NS 1000000		 /* short against a time slice */
#define BLOCK_EVENTS_MIN 500
#define BLOCK_EVENTS_MAX 100000
#define FILL_EVENTS (PEER_BYTES / 16) /* more than any of them keeps */

#define PACED_ROUNDS 10
#define PACED_CALLS 10000 /* a round */
#define PACED_GAP_NS 1000

#define STEP_TURNS 31

#define KILL_EVENTS_MIN 200000
#define KILL_NS_MAX 20000000 /* after that many events, at random */
#define KILL_TIMEOUT_NS UINT64_C(20000000000)

/* ---- time ------------------------------------------------------------------------------------- */

static struct measure_floor floor_ring;

/* Events that take about BLOCK_NS. */
static uint64_t block_events(double event_ns)
{
	double events = BLOCK_NS / event_ns;

	if (events < BLOCK_EVENTS_MIN)
		return BLOCK_EVENTS_MIN;
	return events > BLOCK_EVENTS_MAX ? BLOCK_EVENTS_MAX : (uint64_t)events;
}

/* Everything warm in every thread; events of a block, by the quickest of some. */
static uint64_t team_ready(struct team *team, unsigned int threads)
{
	double ns, least_ns = BLOCK_NS;
	bool disturbed;

	peer.tight(NULL, 0, FILL_EVENTS);
	for (int i = 0; i < 10; i++) {
		ns = team_block(team, threads, peer.tight, BLOCK_EVENTS_MIN, TEAM_CACHE, &disturbed);
		least_ns = ns < least_ns ? ns : least_ns;
	}
	return block_events(least_ns);
}

static void measure_tight(unsigned int threads)
{
	struct measure_series event = {.count = 0}, floor = {.count = 0};
	uint64_t start, events;
	int cpus[TEAM_THREADS_MAX];
	static struct team team;

	if (measure_cpus(cpus, TEAM_THREADS_MAX) < threads)
		measure_die("two CPUs are needed", ENODEV);
	peer.open();
	team_open(&team, threads, PEER_BYTES, cpus);
	events = team_ready(&team, threads);
	start = measure_now_ns();
	for (unsigned int i = 0; i < REPEATS; i++) {
		if (i >= REPEATS_MIN && measure_now_ns() - start > MODE_NS_MAX)
			break;
		measure_add(&floor, team_quiet_block(&team, threads, measure_floor_loop, BLOCK_EVENTS_MAX,
						     TEAM_CACHE));
		measure_add(&event, team_quiet_block(&team, threads, peer.tight, events, TEAM_CACHE));
	}
	team_close(&team, threads);
	measure_print("tight%u %.2f\ntight%u_floor %.2f\ntight%u_ratio %.3f\n", threads,
		      measure_median(&event), threads, measure_median(&floor), threads,
		      measure_ratio(&event, &floor));
}

BUSY_LOOP(nothing, (void)i)
BUSY_LOOP(floor, measure_floor_event(&floor_ring, i))

static double busy_block(busy_loop loop, uint64_t events)
{
	static uint64_t from;
	uint64_t start = measure_now_ns();

	loop(from, events);
	from += events;
	return (double)(measure_now_ns() - start) / (double)events;
}

static void ready_on_one_cpu(void)
{
	int cpu = 0;

	measure_cpus(&cpu, 1);
	peer.open(); /* before: its own threads may run elsewhere */
	measure_pin(cpu);
	measure_floor_open(&floor_ring, MEASURE_CACHE_BYTES);
	peer.tight(NULL, 0, FILL_EVENTS);
}

static void measure_busy(void)
{
	struct measure_series work = {.count = 0}, floor = {.count = 0}, event = {.count = 0};
	uint64_t events;

	ready_on_one_cpu();
	events = block_events(busy_block(peer.busy, BLOCK_EVENTS_MIN));
	for (int i = 0; i < REPEATS; i++) {
		double nothing = busy_block(busy_nothing, events);

		measure_add(&work, nothing);
		measure_add(&floor, busy_block(busy_floor, events) - nothing);
		measure_add(&event, busy_block(peer.busy, events) - nothing);
	}
	/* The difference of two noisy numbers may be nothing at all: no ratio of pairs here. */
	measure_print("busy %.2f\nbusy_floor %.2f\nbusy_ratio %.3f\nbusy_work %.2f\n",
		      measure_median(&event), measure_median(&floor),
		      measure_median(&event) / measure_median(&floor), measure_median(&work));
}

PACED_LOOP(nothing, NULL, (void)i)
PACED_LOOP(floor, NULL, measure_floor_event(&floor_ring, i))

static void print_paced(const char *what, const struct paced_call *calls, size_t count)
{
	static uint32_t ticks[PACED_ROUNDS * PACED_CALLS];
	double per_ns = measure_ticks_per_ns();

	for (size_t i = 0; i < count; i++)
		ticks[i] = calls[i].ticks;
	measure_sort(ticks, count);
	measure_print("%s_p50 %.0f\n%s_p99 %.0f\n%s_p999 %.0f\n%s_max %.0f\n", what,
		      measure_quantile(ticks, count, 0.5) / per_ns, what,
		      measure_quantile(ticks, count, 0.99) / per_ns, what,
		      measure_quantile(ticks, count, 0.999) / per_ns, what, ticks[count - 1] / per_ns);
}

static void measure_paced(void)
{
	static const paced_loop loops[] = {paced_nothing, paced_floor, NULL /* the peer's */};
	static const char *const names[] = {"nothing", "floor", "paced"};
	static struct paced_call calls[3][PACED_ROUNDS * PACED_CALLS];
	uint64_t gap_ticks = (uint64_t)(PACED_GAP_NS * measure_ticks_per_ns());

	ready_on_one_cpu();
	memset(calls, 1, sizeof(calls));
	for (uint64_t round = 0; round < PACED_ROUNDS; round++)
		for (int i = 0; i < 3; i++)
			(loops[i] ? loops[i] : peer.paced)(round * PACED_CALLS, PACED_CALLS,
							   calls[i] + round * PACED_CALLS, gap_ticks);
	for (int i = 0; i < 3; i++)
		print_paced(names[i], calls[i], PACED_ROUNDS * PACED_CALLS);
}

/* ---- children --------------------------------------------------------------------------------- */

static pid_t start_again(const char *mode, const char *argument)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		measure_die("fork", errno);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		execl("/proc/self/exe", "peer", mode, argument, NULL);
	_exit(127);
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#ifdef STEP_HERE

STEP_LOOP(floor, measure_floor_event(&floor_ring, i))

static void be_stepped(const char *what)
{
	if (freopen("/dev/null", "w", stdout) == NULL)
		_exit(1);
	ready_on_one_cpu();
	step_me();
	if (strcmp(what, "floor") == 0)
		step_floor(0, STEP_TURNS + 12);
	else
		peer.step(0, STEP_TURNS + 12);
	_exit(0);
}

static double instructions_of(const char *what)
{
	struct measure_series turns = {.count = 0};
	pid_t pid = start_again("stepped", what);

	step_begin(pid, 10);
	for (int i = 0; i < STEP_TURNS; i++)
		measure_add(&turns, step_turn(pid));
	end_child(pid);
	return measure_median(&turns);
}

static void measure_steps(void)
{
	int cpu = 0;

	/* Parent and child take turns: on one core a step is a switch, on two it is a wake-up. */
	measure_cpus(&cpu, 1);
	measure_pin(cpu);
	measure_print("steps_floor %.0f\n", instructions_of("floor"));
	measure_print("steps %.0f\n", instructions_of("event"));
}

#else

static void be_stepped(const char *what)
{
	(void)what;
}

static void measure_steps(void)
{
}

#endif

/* ---- what is kept ----------------------------------------------------------------------------- */

/* This process's share of the memory that belongs to no file, in KiB. */
static unsigned long memory_kib(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	unsigned long kib, sum = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Pss_Anon: %lu kB", &kib) == 1 || sscanf(line, "Pss_Shmem: %lu kB", &kib) == 1)
			sum += kib;
	if (file)
		fclose(file);
	return sum;
}

static void keep(uint64_t count, const char *path)
{
	uint64_t done = 0;
	int cpu = 0;
	char byte;

	measure_cpus(&cpu, 1);
	peer.open();
	measure_pin(cpu);
	peer.numbered(count, &done);
	measure_print("memory_kib %lu\n", memory_kib());
	if (peer.finish)
		peer.finish(path);
	measure_print("pid %d\nready 1\n", (int)getpid());
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

static volatile uint64_t *map_page(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *page;

	if (fd < 0 || ftruncate(fd, 4096) != 0)
		measure_die(path, errno);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		measure_die(path, errno);
	close(fd);
	return (volatile uint64_t *)page;
}

static void be_killed(const char *path)
{
	volatile uint64_t *page = map_page(path);

	peer.open();
	peer.numbered(UINT64_MAX, page);
}

/* Kills it in mid-flight: at least so many events, and then at random. */
static void kill_one(const char *path)
{
	struct timespec nap = {.tv_nsec = 1000000};
	volatile uint64_t *page = map_page(path);
	uint64_t start = measure_now_ns();
	pid_t pid;

	*page = 0;
	pid = start_again("victim", path);
	while (*page < KILL_EVENTS_MIN) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			measure_die("the victim died by itself", ECHILD);
		if (measure_now_ns() - start > KILL_TIMEOUT_NS)
			measure_die("the victim records nothing", ETIMEDOUT);
		nanosleep(&nap, NULL);
	}
	nap.tv_nsec = (long)(measure_ticks() % KILL_NS_MAX);
	nanosleep(&nap, NULL);
	end_child(pid);
	measure_print("completed %llu\nvictim %d\n", (unsigned long long)*page, (int)pid);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "", *first = argc > 2 ? argv[2] : "";

	if (strcmp(mode, "tight1") == 0)
		measure_tight(1);
	else if (strcmp(mode, "tight2") == 0)
		measure_tight(2);
	else if (strcmp(mode, "busy") == 0)
		measure_busy();
	else if (strcmp(mode, "paced") == 0)
		measure_paced();
	else if (strcmp(mode, "steps") == 0)
		measure_steps();
	else if (strcmp(mode, "stepped") == 0)
		be_stepped(first);
	else if (strcmp(mode, "keep") == 0 && argc == 4)
		keep(strtoull(first, NULL, 10), argv[3]);
	else if (strcmp(mode, "victim") == 0 && argc == 3)
		be_killed(first);
	else if (strcmp(mode, "kill") == 0 && argc == 3)
		kill_one(first);
	else
		return 2;
	return 0;
}
