/* SPDX-License-Identifier: MIT */
/*
 * clock.c - which counter stamps events, and the broken line that turns its ticks into
 * nanoseconds.
 *
 * Linked into the library and the recorder, and legal in a signal handler: nothing is allocated,
 * locked or closed through a cancellation point. A clock that can't be trusted is CLOCK_MONOTONIC.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "lib/clock.h"

#define NS_PER_S UINT64_C(1000000000)
#define SLOPE_NS_MIN UINT64_C(1000000) /* points that are closer say nothing about the slope */
#define SLOPE_NS_GOOD NS_PER_S	      /* those that are so far apart say enough */
#define READ_TRIES 5
#define PASS_TRIES 1000
#define HZ_MEASURE_NS (5 * SLOPE_NS_MIN)

#define CPUID_LEAF_POWER 0x80000007u
#define CPUID_POWER_EDX_INVARIANT_TSC (1u << 8)
#define CPUID_LEAF_TSC 0x15u

#define CLOCKSOURCE_PATH "/sys/devices/system/clocksource/clocksource0/current_clocksource"

static uint64_t clock_ns(clockid_t id)
{
	struct timespec now;

	if (clock_gettime(id, &now) != 0)
		return 0;
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/*
 * Some sandboxes make the reading of the counter a fault: that of x86, and from Linux 6.12 on that
 * of arm64. A kernel that can't does not know the question.
 */
static inline bool counter_is_forbidden(void)
{
	int mode = PR_TSC_ENABLE;

	return prctl(PR_GET_TSC, &mode, 0, 0, 0) == 0 && mode != PR_TSC_ENABLE;
}

#if defined(__x86_64__)

/* What the kernel keeps time with, cut to the buffer; -1 if it can't be read (a sandbox). */
static int kernel_clocksource(char *name, size_t bytes)
{
	long fd = syscall(SYS_openat, AT_FDCWD, CLOCKSOURCE_PATH, O_RDONLY | O_CLOEXEC, 0);
	long count;

	if (fd < 0)
		return -1;
	count = syscall(SYS_read, fd, name, bytes - 1);
	syscall(SYS_close, fd);
	if (count <= 0)
		return -1;
	name[count] = '\0';
	name[strcspn(name, "\n")] = '\0';
	return 0;
}

/*
 * A kernel that found the TSC to be unstable uses hpet or acpi_pm instead. The clocks of KVM and
 * Hyper-V are computed from the TSC themselves and say nothing against it.
 */
static int kernel_trusts_tsc(void)
{
	char name[32];

	if (kernel_clocksource(name, sizeof(name)) != 0)
		return 1;
	return strcmp(name, "tsc") == 0 || strcmp(name, "kvm-clock") == 0 ||
	       strncmp(name, "hyperv", 6) == 0;
}

static enum ttlog_clock_source clock_find(void)
{
	unsigned int eax, ebx, ecx, edx;

	if (!__get_cpuid(CPUID_LEAF_POWER, &eax, &ebx, &ecx, &edx) ||
	    !(edx & CPUID_POWER_EDX_INVARIANT_TSC))
		return TTLOG_CLOCK_MONOTONIC;
	if (counter_is_forbidden())
		return TTLOG_CLOCK_MONOTONIC;
	return kernel_trusts_tsc() ? TTLOG_CLOCK_TSC : TTLOG_CLOCK_MONOTONIC;
}

#elif defined(__aarch64__)

static enum ttlog_clock_source clock_find(void)
{
	return counter_is_forbidden() ? TTLOG_CLOCK_MONOTONIC : TTLOG_CLOCK_CNTVCT;
}

#else

static enum ttlog_clock_source clock_find(void)
{
	return TTLOG_CLOCK_MONOTONIC;
}

#endif

enum ttlog_clock_source ttlog_clock_source(void)
{
	/* The source and one, 0 = not known yet. Threads that race here find the same. */
	static _Atomic uint32_t known;
	uint32_t found = atomic_load_explicit(&known, memory_order_relaxed);

	if (found == 0) {
		found = (uint32_t)clock_find() + 1;
		atomic_store_explicit(&known, found, memory_order_relaxed);
	}
	return (enum ttlog_clock_source)(found - 1);
}

/* The source may come from a region: one that is not of this machine is CLOCK_MONOTONIC. */
uint64_t ttlog_clock_ticks(enum ttlog_clock_source source)
{
#if defined(__x86_64__)
	if (source == TTLOG_CLOCK_TSC)
		return ttlog_ticks_();
#elif defined(__aarch64__)
	if (source == TTLOG_CLOCK_CNTVCT)
		return ttlog_ticks_();
#else
	(void)source;
#endif
	return clock_ns(CLOCK_MONOTONIC);
}

void ttlog_clock_pass(enum ttlog_clock_source source, uint64_t ticks)
{
	if (source == TTLOG_CLOCK_TSC)
		return;
	for (int try = 0; try < PASS_TRIES && ttlog_clock_ticks(source) == ticks; try++)
		;
}

/*
 * What is in front is done before what is behind: processors read their counters early, while they
 * are still at work on what comes before. An event can live with that, and pays nothing for it; a
 * width would say too little.
 */
static inline void in_order(void)
{
#if defined(__x86_64__)
	__asm__ volatile("lfence" : : : "memory");
#elif defined(__aarch64__)
	__asm__ volatile("isb" : : : "memory");
#endif
}

static uint64_t ticks_in_order(enum ttlog_clock_source source)
{
	uint64_t ticks;

	in_order();
	ticks = ttlog_clock_ticks(source);
	in_order();
	return ticks;
}

/* Symmetric around the realtime clock, so that all three belong to the moment in the middle. */
static uint64_t clock_read_once(enum ttlog_clock_source source, struct ttlog_clock_point *ret_point)
{
	uint64_t before = ticks_in_order(source);
	uint64_t monotonic_before = clock_ns(CLOCK_MONOTONIC);
	uint64_t realtime = clock_ns(CLOCK_REALTIME);
	uint64_t monotonic_after = clock_ns(CLOCK_MONOTONIC);
	uint64_t width = ticks_in_order(source) - before;

	ret_point->monotonic_ns = monotonic_before + (monotonic_after - monotonic_before) / 2;
	ret_point->realtime_ns = realtime;
	ret_point->ticks = source == TTLOG_CLOCK_MONOTONIC ? ret_point->monotonic_ns
							   : before + width / 2;
	return width;
}

uint64_t ttlog_clock_read(enum ttlog_clock_source source, struct ttlog_clock_point *ret_point)
{
	uint64_t best = clock_read_once(source, ret_point);

	for (int try = 1; try < READ_TRIES; try++) {
		struct ttlog_clock_point point;
		uint64_t width = clock_read_once(source, &point);

		if (width < best) {
			best = width;
			*ret_point = point;
		}
	}
	return best;
}

static int64_t clamp_ns(__int128 ns)
{
	return ns < 0 ? 0 : ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

/* delta * multiplier / divisor; at most INT64_MAX. The product of two 64-bit numbers fits 128. */
static uint64_t scale(uint64_t delta, uint64_t multiplier, uint64_t divisor)
{
	unsigned __int128 scaled = (unsigned __int128)delta * multiplier / divisor;

	return scaled > INT64_MAX ? INT64_MAX : (uint64_t)scaled;
}

static uint64_t point_at(const struct ttlog_clock_point *point, bool is_monotonic)
{
	return is_monotonic ? point->monotonic_ns : point->ticks;
}

/* How many points are not behind that moment, in ticks or nanoseconds. */
static uint32_t points_up_to(const struct ttlog_clock_line *line, uint64_t moment,
			     bool is_monotonic)
{
	uint32_t low = 0, high = line->point_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (point_at(&line->point[middle], is_monotonic) <= moment)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct slope {
	uint64_t ns, ticks;
};

/* At the first point, or at the last. */
static struct slope slope_at(const struct ttlog_clock_line *line, bool is_last)
{
	struct slope slope = {NS_PER_S, line->fallback_hz ? line->fallback_hz : NS_PER_S};
	const struct ttlog_clock_point *first = line->point, *last = first;

	for (uint32_t i = 1; i < line->point_count; i++) {
		uint64_t ns, ticks;

		if (is_last) {
			first = &line->point[line->point_count - 1 - i];
			last = &line->point[line->point_count - 1];
		} else {
			last = &line->point[i];
		}
		ns = last->monotonic_ns - first->monotonic_ns;
		ticks = last->ticks - first->ticks;
		if (ns < SLOPE_NS_MIN || ticks == 0)
			continue;
		slope = (struct slope){ns, ticks};
		if (ns >= SLOPE_NS_GOOD)
			break;
	}
	return slope;
}

/* Behind that many points. */
static int64_t monotonic_at(const struct ttlog_clock_line *line, uint64_t ticks, uint32_t before)
{
	static const struct ttlog_clock_point zero;
	const struct ttlog_clock_point *point = line->point_count ? line->point : &zero;
	struct slope slope;

	if (line->source == TTLOG_CLOCK_MONOTONIC)
		return clamp_ns(ticks);
	if (before > 0)
		point += before - 1;
	if (before > 0 && before < line->point_count)
		slope = (struct slope){point[1].monotonic_ns - point->monotonic_ns,
				       point[1].ticks - point->ticks};
	else
		slope = slope_at(line, before > 0);
	if (ticks < point->ticks)
		return clamp_ns((__int128)point->monotonic_ns -
				scale(point->ticks - ticks, slope.ns, slope.ticks));
	return clamp_ns((__int128)point->monotonic_ns +
			scale(ticks - point->ticks, slope.ns, slope.ticks));
}

int64_t ttlog_clock_monotonic_ns(const struct ttlog_clock_line *line, uint64_t ticks)
{
	return monotonic_at(line, ticks, points_up_to(line, ticks, false));
}

/* The wall clock at a time of the monotonic one, which lies behind that many points. */
static int64_t realtime_at(const struct ttlog_clock_line *line, __int128 monotonic_ns,
			   uint32_t before)
{
	const struct ttlog_clock_point *point = line->point;

	if (line->point_count == 0)
		return clamp_ns(monotonic_ns);
	if (before > 0)
		point += before - 1;
	return clamp_ns(monotonic_ns + point->realtime_ns - point->monotonic_ns);
}

int64_t ttlog_clock_realtime_ns(const struct ttlog_clock_line *line, uint64_t ticks)
{
	uint32_t before = points_up_to(line, ticks, line->source == TTLOG_CLOCK_MONOTONIC);

	return realtime_at(line, monotonic_at(line, ticks, before), before);
}

int64_t ttlog_clock_realtime_of(const struct ttlog_clock_line *line, uint64_t monotonic_ns)
{
	return realtime_at(line, monotonic_ns, points_up_to(line, monotonic_ns, true));
}

#if defined(__x86_64__)

/* The ratio of the TSC to its crystal; 0 where the processor does not say. */
static uint64_t hz_from_hardware(enum ttlog_clock_source source)
{
	unsigned int denominator, numerator, crystal_hz, edx;

	if (source != TTLOG_CLOCK_TSC ||
	    !__get_cpuid(CPUID_LEAF_TSC, &denominator, &numerator, &crystal_hz, &edx) ||
	    denominator == 0)
		return 0;
	return (uint64_t)crystal_hz * numerator / denominator;
}

#elif defined(__aarch64__)

static uint64_t hz_from_hardware(enum ttlog_clock_source source)
{
	uint64_t hz;

	if (source != TTLOG_CLOCK_CNTVCT)
		return 0;
	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz;
}

#else

static uint64_t hz_from_hardware(enum ttlog_clock_source source)
{
	(void)source;
	return 0;
}

#endif

/* Spins, because a sleep is a cancellation point. */
static uint64_t hz_measure(enum ttlog_clock_source source)
{
	struct ttlog_clock_point first, second;
	uint64_t elapsed_ns;

	ttlog_clock_read(source, &first);
	do {
		ttlog_clock_read(source, &second);
		elapsed_ns = second.monotonic_ns - first.monotonic_ns;
	} while (elapsed_ns < HZ_MEASURE_NS);
	return scale(second.ticks - first.ticks, NS_PER_S, elapsed_ns);
}

uint64_t ttlog_clock_half_second(enum ttlog_clock_source source)
{
	uint64_t hz = source == TTLOG_CLOCK_CNTVCT ? hz_from_hardware(source) : 0;

	if (hz)
		return hz / 2;
	/* The TSCs of our days make 1 to 4 GHz. */
	return source == TTLOG_CLOCK_TSC ? UINT64_C(1) << 30 : NS_PER_S / 2;
}

uint64_t ttlog_clock_hz(enum ttlog_clock_source source)
{
	uint64_t hz;

	if (source == TTLOG_CLOCK_MONOTONIC)
		return NS_PER_S;
	hz = hz_from_hardware(source);
	return hz ? hz : hz_measure(source);
}
