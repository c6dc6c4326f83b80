/* SPDX-License-Identifier: MIT */
/*
 * bench_screen.c - how long somebody waits for the interactive view, whatever the size of the dump:
 * from fork() to the first whole screen on a pseudo terminal, and for the screens after a key. And
 * what it holds.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "bench/measure.h"
#include "bench/requests.h"
#include "tests/made_dump.h"
#include "viewer/tui.h"

#define EVENTS 10000000
#define FEW 10000
#define REPEATS 9
#define PATIENCE_MS 120000
#define SLICE_NS 40000000

static uint32_t site_good, site_bad;

/* One request of a million fails: a search for it goes through a tenth of the dump. */
static void generate(size_t index, struct ttlog_reader_event *event)
{
	request_make(event, index, index % 1000000 ? site_good : site_bad, 200, "GET");
}

static void write_dump(const char *path, size_t events)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC), error;

	made.generate = events;
	made.event_next = 0;
	if (fd < 0)
		measure_die(path, errno);
	error = dump_write(fd, &made, &made.facts);
	close(fd);
	if (error)
		measure_die("dump_write", -error);
}

struct viewer {
	pid_t pid;
	int fd;
	char seen[1 << 16];
	size_t bytes;
};

static void start(struct viewer *viewer, const char *path)
{
	const struct winsize size = {.ws_row = 50, .ws_col = 160};
	char self[PATH_MAX] = {0}, program[PATH_MAX + 16];

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		measure_die("readlink", errno);
	snprintf(program, sizeof(program), "%s/ttlog-view", dirname(dirname(self)));
	viewer->bytes = 0;
	viewer->pid = forkpty(&viewer->fd, NULL, NULL, &size);
	if (viewer->pid < 0)
		measure_die("forkpty", errno);
	if (!viewer->pid) {
		setenv("TERM", "xterm", 1);
		execl(program, program, "-i", path, NULL);
		_exit(127);
	}
}

/* Until that text was drawn. */
static void await(struct viewer *viewer, const char *text)
{
	struct pollfd poll_fd = {.fd = viewer->fd, .events = POLLIN};
	ssize_t got;

	while (!memmem(viewer->seen, viewer->bytes, text, strlen(text))) {
		if (viewer->bytes > sizeof(viewer->seen) / 2) {
			viewer->bytes /= 2;
			memmove(viewer->seen, viewer->seen + viewer->bytes, viewer->bytes);
		}
		if (poll(&poll_fd, 1, PATIENCE_MS) <= 0)
			measure_die("the screen never came", ETIMEDOUT);
		got = read(viewer->fd, viewer->seen + viewer->bytes,
			   sizeof(viewer->seen) - viewer->bytes);
		if (got <= 0)
			measure_die("ttlog-view", errno);
		viewer->bytes += (size_t)got;
	}
	viewer->bytes = 0;
}

static void press(struct viewer *viewer, const char *keys)
{
	if (write(viewer->fd, keys, strlen(keys)) < 0)
		measure_die("write", errno);
}

static long stop(struct viewer *viewer)
{
	struct rusage usage;
	int status;

	press(viewer, "q");
	if (wait4(viewer->pid, &status, 0, &usage) < 0 || status)
		measure_die("ttlog-view", 0);
	close(viewer->fd);
	return usage.ru_maxrss;
}

static void print_ms(const char *what, const struct measure_series *ms)
{
	measure_print("%-44s %8.1f ms   (%.1f to %.1f)\n", what, measure_median(ms),
		      measure_min(ms), measure_max(ms));
}

/* All of it counted: what is held then. */
static void bench_memory(const char *path)
{
	static struct viewer viewer;

	start(&viewer, path);
	await(&viewer, "quit");
	press(&viewer, "s");
	await(&viewer, "Request failed");
	press(&viewer, "\f");
	await(&viewer, "10,000,000 events");
	press(&viewer, "\033");
	measure_print("%-44s %8.1f MiB\n", "  memory, after all was counted",
		      (double)stop(&viewer) / 1024);
}

/* From fork() to the keys in the last row, which is drawn last. */
static void bench_first(const char *path, const char *what)
{
	struct measure_series ms = {0};
	static struct viewer viewer;
	long most_kib = 0, kib;

	for (unsigned int i = 0; i < REPEATS; i++) {
		uint64_t began = measure_now_ns();

		start(&viewer, path);
		await(&viewer, "quit");
		measure_add(&ms, (double)(measure_now_ns() - began) / 1e6);
		kib = stop(&viewer);
		most_kib = kib > most_kib ? kib : most_kib;
	}
	print_ms(what, &ms);
	measure_print("%-44s %8.1f MiB\n", "  memory, at the most", (double)most_kib / 1024);
}

/* From the key to the screen that has all that it asked for. */
static void bench_keys(struct tui *tui, const char *before, int key, const char *what)
{
	struct measure_series ms = {0};
	uint64_t began;

	for (unsigned int i = 0; i < REPEATS; i++) {
		for (const char *at = before; *at; at++) {
			tui_key(tui, *at);
			while (tui_work(tui, (int64_t)measure_now_ns() + SLICE_NS))
				tui_draw(tui);
		}
		began = measure_now_ns();
		tui_key(tui, key);
		while (tui_work(tui, (int64_t)measure_now_ns() + SLICE_NS))
			tui_draw(tui);
		tui_draw(tui);
		measure_add(&ms, (double)(measure_now_ns() - began) / 1e6);
	}
	print_ms(what, &ms);
}

static void bench_all_keys(const char *path)
{
	static struct selection selection;
	struct dump *dump;
	const struct tui_setup setup = {.dumps = &dump, .dump_count = 1, .selection = &selection};
	const char *why;
	struct tui *tui;

	query_init(&selection.query);
	if (dump_open(&dump, path, &why) || tui_open(&tui, &setup) || tui_resize(tui, 50, 160))
		measure_die(path, 0);
	bench_keys(tui, "G", 'g', "  from the end to the start");
	bench_keys(tui, "g", ' ', "  a page");
	bench_keys(tui, "g", 'e', "  the next error, 1,000,000 events on");
	bench_keys(tui, "0G--", '-', "  a filter that looks at all of them");
	bench_keys(tui, "0s", 's', "  back from the statistics");
	measure_print("%-44s %8.1f MiB\n", "  memory, of events",
		      (double)paged_memory(tui->paged) / (1 << 20));
	tui_close(tui);
	dump_close(dump);
	query_fini(&selection.query);
}

int main(void)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64, TTLOG_TYPE_I32, TTLOG_TYPE_STRING, 0};
	static const char *const names[] = {"request_id", "status", "method"};
	char path[] = "/tmp/bench_screen.XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0)
		measure_die(path, errno);
	close(fd);
	made_begin();
	site_good = made_site(TTLOG_INFO, "http", "Request processed", types, names);
	site_bad = made_site(TTLOG_ERROR, "http", "Request failed", types, names);
	made.generator = generate;
	measure_print_machine("ttlog-view -i: what is waited for, on a terminal of 160 x 50");
	write_dump(path, FEW);
	bench_first(path, "10,000 events: the first screen");
	write_dump(path, EVENTS);
	bench_first(path, "10,000,000 events: the first screen");
	bench_all_keys(path);
	bench_memory(path);
	unlink(path);
	return 0;
}
