/* SPDX-License-Identifier: MIT */
/*
 * ctl_top.c - top: what a living process records at this moment, by site, level and thread.
 *
 * Every event is seen, by its header and its site; what is overwritten before it was is counted in
 * chunks. All of it is our time, not that of the process.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "recorder/ctl_live.h"
#include "recorder/dump_format.h"
#include "recorder/glance.h"
#include "recorder/now.h"

#define INTERVAL_MS 1000
#define LOOK_MS 100
#define DICT_TRIES 20 /* of LOOK_MS; a liar may name sites for ever */
#define THREADS_MAX 1024 /* the events of others are in one that is nobody's */
#define ROWS 20		 /* where it is no terminal */
#define TEXT_BYTES 128

struct site {
	uint64_t events;
	uint32_t level, line;
	char message[TEXT_BYTES], target[TEXT_BYTES], file[TEXT_BYTES];
};

struct thread {
	uint64_t events;
	struct ttlog_live_owner owner;
};

struct top {
	const struct ctl_options *options;
	struct ctl_region region;
	struct ttlog_live *live;
	uint64_t events, total, missed, levels[TTLOG_OFF];
	uint64_t since_ns; /* CLOCK_MONOTONIC: when this interval began */
	uint32_t *place;   /* of each id: index of its site + 1 */
	struct site *site;
	uint32_t site_count, site_room;
	struct thread thread[THREADS_MAX + 1];
	uint32_t thread_count, last;
	int stop_fd;
};

/* ---- counting --------------------------------------------------------------------------- */

static bool wants(void *context, const struct ttlog_reader_site *site)
{
	(void)context;
	(void)site;
	return true;
}

/* The dictionary may be another one at the next look. NULL: no room. */
static struct site *site_of(struct top *top, const struct ttlog_reader_site *seen)
{
	struct site *site;

	if (seen->id >= DUMP_IDS_MAX)
		return NULL;
	if (top->place[seen->id])
		return &top->site[top->place[seen->id] - 1];
	if (top->site_count == top->site_room) {
		const uint32_t room = top->site_room ? 2 * top->site_room : 64;
		struct site *grown = reallocarray(top->site, room, sizeof(*grown));

		if (!grown)
			return NULL;
		top->site = grown;
		top->site_room = room;
	}
	site = &top->site[top->site_count++];
	top->place[seen->id] = top->site_count;
	*site = (struct site){.level = seen->level, .line = seen->line};
	snprintf(site->message, sizeof(site->message), "%s", seen->message);
	snprintf(site->target, sizeof(site->target), "%s", seen->target);
	snprintf(site->file, sizeof(site->file), "%s", seen->file);
	return site;
}

static struct thread *thread_of(struct top *top, const struct ttlog_live_owner *owner)
{
	/* Events come chunk by chunk, and a chunk is one thread's. */
	if (top->last < top->thread_count &&
	    !memcmp(&top->thread[top->last].owner, owner, sizeof(*owner)))
		return &top->thread[top->last];
	for (top->last = 0; top->last < top->thread_count; top->last++)
		if (!memcmp(&top->thread[top->last].owner, owner, sizeof(*owner)))
			return &top->thread[top->last];
	if (top->thread_count == THREADS_MAX)
		return &top->thread[THREADS_MAX];
	top->thread[top->thread_count] = (struct thread){.owner = *owner};
	return &top->thread[top->thread_count++];
}

static void take(void *context, const struct ttlog_reader_site *seen,
		 const struct ttlog_reader_event *event)
{
	struct top *top = context;
	struct site *site = site_of(top, seen);

	(void)event;
	if (site)
		site->events++;
	if (seen->level < TTLOG_OFF)
		top->levels[seen->level]++;
	thread_of(top, ttlog_live_owner(top->live))->events++;
	top->events++;
	top->total++;
}

/* All counts begin anew. */
static void begin_interval(struct top *top)
{
	memset(top->place, 0, DUMP_IDS_MAX * sizeof(*top->place));
	memset(top->levels, 0, sizeof(top->levels));
	top->site_count = top->thread_count = top->last = 0;
	top->thread[THREADS_MAX] = (struct thread){0};
	top->events = 0;
	top->missed = ttlog_live_missed(top->live);
	top->since_ns = now_ns(CLOCK_MONOTONIC);
}

/* ---- showing ---------------------------------------------------------------------------- */

static int compare_sites(const void *left, const void *right)
{
	const struct site *a = left, *b = right;

	return (a->events < b->events) - (a->events > b->events);
}

static int compare_threads(const void *left, const void *right)
{
	const struct thread *a = left, *b = right;

	return (a->events < b->events) - (a->events > b->events);
}

static uint64_t rate(uint64_t events, uint64_t ns)
{
	return ns ? (uint64_t)((unsigned __int128)events * 1000000000 / ns) : 0;
}

static void json_text(const char *key, const char *text)
{
	printf(",\"%s\":", key);
	ctl_json_string(stdout, text, strlen(text));
}

static void show_json(const struct top *top, const struct glance *glance, uint64_t ns)
{
	fputs("{\"service\":", stdout);
	ctl_json_string(stdout, top->region.service, strlen(top->region.service));
	printf(",\"pid\":%u,\"interval_ms\":%" PRIu64 ",\"events\":%" PRIu64
	       ",\"events_per_second\":%" PRIu64 ",\"total\":%" PRIu64 ",\"missed_chunks\":%" PRIu64
	       ",\"overwritten\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"history_ms\":%" PRIu64
	       ",\"levels\":{",
	       top->region.pid, ns / 1000000, top->events, rate(top->events, ns), top->total,
	       ttlog_live_missed(top->live) - top->missed, glance->overwritten, glance->dropped,
	       glance->history_ns / 1000000);
	for (uint32_t i = 0; i < TTLOG_OFF; i++)
		printf("%s\"%s\":%" PRIu64, i ? "," : "", ctl_level_name(i), top->levels[i]);
	fputs("},\"sites\":[", stdout);
	for (uint32_t i = 0; i < top->site_count; i++) {
		const struct site *site = &top->site[i];

		printf("%s{\"events\":%" PRIu64 ",\"line\":%u", i ? "," : "", site->events,
		       site->line);
		json_text("level", ctl_level_name(site->level) ? ctl_level_name(site->level) : "");
		json_text("target", site->target);
		json_text("msg", site->message);
		json_text("file", site->file);
		putchar('}');
	}
	fputs("],\"threads\":[", stdout);
	for (uint32_t i = 0; i < top->thread_count; i++) {
		printf("%s{\"events\":%" PRIu64 ",\"tid\":%u", i ? "," : "", top->thread[i].events,
		       top->thread[i].owner.tid);
		json_text("name", top->thread[i].owner.name);
		putchar('}');
	}
	puts("]}");
}

static void put_number(struct ctl_table *table, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	ctl_table_put(table, CTL_PLAIN, text);
}

static void show_sites(const struct top *top, uint64_t ns, uint32_t rows, bool colours)
{
	static const struct ctl_column columns[] = {
		{"EVENTS/S", true}, {"LEVEL", false}, {"TARGET", false}, {"MESSAGE", false}};
	struct ctl_table table;

	ctl_table_init(&table, columns, 4);
	for (uint32_t i = 0; i < top->site_count && i < rows; i++) {
		const struct site *site = &top->site[i];
		const char *level = ctl_level_name(site->level);

		put_number(&table, rate(site->events, ns));
		ctl_table_put(&table, site->level >= TTLOG_ERROR ? CTL_RED : CTL_PLAIN,
			      level ? level : "?");
		ctl_table_put(&table, CTL_PLAIN, site->target);
		ctl_table_put(&table, CTL_PLAIN, site->message);
	}
	ctl_table_show(&table, stdout, !top->options->without_legend, colours);
	ctl_table_fini(&table);
}

static void show_threads(const struct top *top, uint64_t ns, uint32_t rows, bool colours)
{
	static const struct ctl_column columns[] = {
		{"EVENTS/S", true}, {"TID", true}, {"THREAD", false}};
	struct ctl_table table;

	ctl_table_init(&table, columns, 3);
	for (uint32_t i = 0; i < top->thread_count && i < rows; i++) {
		put_number(&table, rate(top->thread[i].events, ns));
		put_number(&table, top->thread[i].owner.tid);
		ctl_table_put(&table, CTL_PLAIN, top->thread[i].owner.name);
	}
	ctl_table_show(&table, stdout, !top->options->without_legend, colours);
	ctl_table_fini(&table);
}

static void show_head(const struct top *top, const struct glance *glance, uint64_t ns)
{
	char back[CTL_WORDS_BYTES];

	printf("%s (pid %u): %" PRIu64 " events/s, %s back, %" PRIu64 " overwritten, %" PRIu64
	       " dropped\n",
	       top->region.service, top->region.pid, rate(top->events, ns),
	       ctl_words_duration(glance->history_ns / 1000000, back), glance->overwritten,
	       glance->dropped);
	for (uint32_t i = 0; i < TTLOG_OFF; i++)
		printf("%s%s %" PRIu64, i ? ", " : "", ctl_level_name(i), rate(top->levels[i], ns));
	fputs(" a second\n", stdout);
	if (ttlog_live_missed(top->live) > top->missed)
		printf("%" PRIu64 " chunks were overwritten before they were seen: these are too "
		       "few\n",
		       ttlog_live_missed(top->live) - top->missed);
	putchar('\n');
}

/* Rows of each table: as many as the terminal has room for. */
static uint32_t rows_of(bool is_terminal)
{
	struct winsize size;

	if (!is_terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_row < 16)
		return is_terminal ? 5 : ROWS;
	return (size.ws_row - 7u) / 2;
}

/* False: nobody reads it. */
static bool show(struct top *top, bool is_terminal)
{
	const struct ttlog_clock_line line = ctl_region_line(&top->region);
	const char *no_color = getenv("NO_COLOR");
	const bool colours = is_terminal && !(no_color && *no_color);
	const uint64_t ns = now_ns(CLOCK_MONOTONIC) - top->since_ns;
	const uint32_t rows = rows_of(is_terminal);
	struct glance glance;

	glance_take(top->region.base, &top->region.geometry, &line, &glance);
	if (top->site_count)
		qsort(top->site, top->site_count, sizeof(*top->site), compare_sites);
	qsort(top->thread, top->thread_count, sizeof(*top->thread), compare_threads);
	if (top->options->json) {
		show_json(top, &glance, ns);
	} else {
		if (is_terminal)
			fputs("\033[H\033[J", stdout);
		show_head(top, &glance, ns);
		show_sites(top, ns, rows, colours);
		if (top->thread_count)
			putchar('\n');
		show_threads(top, ns, rows, colours);
	}
	return !fflush(stdout);
}

/* ---- all of it -------------------------------------------------------------------------- */

/* An interval, looked at often enough that a fast writer is not missed. True: there is no more. */
static bool watch_interval(struct top *top, bool *ret_dead)
{
	struct pollfd fds[] = {{.fd = top->stop_fd, .events = POLLIN},
			       {.fd = top->region.pidfd, .events = POLLIN}};
	uint32_t budget;

	*ret_dead = false;
	while (now_ns(CLOCK_MONOTONIC) - top->since_ns < INTERVAL_MS * UINT64_C(1000000)) {
		poll(fds, 2, LOOK_MS);
		if (fds[0].revents)
			return true;
		*ret_dead = fds[1].revents != 0;
		budget = UINT32_MAX;
		ttlog_live_look(top->live, UINT32_MAX, &budget);
		/* Its last words may be the first of their site. */
		for (int i = 0; *ret_dead && ttlog_live_waits(top->live) && i < DICT_TRIES; i++) {
			poll(NULL, 0, LOOK_MS);
			ttlog_live_look(top->live, UINT32_MAX, &budget);
		}
		if (*ret_dead)
			break;
	}
	ctl_region_tick(&top->region);
	return *ret_dead;
}

static int open_stop(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

static int run(struct top *top, const char *path)
{
	const bool is_terminal = isatty(STDOUT_FILENO) && !top->options->json &&
				 !top->options->once;
	const bool goes_on = is_terminal || (top->options->json && !top->options->once);
	bool dead = false, ended = false;
	char sentence[512];

	begin_interval(top);
	/* From here on all is counted, and who reads along knows. */
	if (goes_on && !show(top, is_terminal))
		return CTL_EXIT_REFUSED;
	do {
		ended = watch_interval(top, &dead);
		if (ended && !dead)
			break;
		if (!show(top, is_terminal))
			return CTL_EXIT_REFUSED;
		begin_interval(top);
	} while (goes_on && !ended);
	if (dead && ctl_region_ended(path, top->region.pid, sentence, sizeof(sentence)))
		ctl_say("-- %s (pid %u): %s --", top->region.service, top->region.pid, sentence);
	return CTL_EXIT_FINE;
}

int ctl_top(const struct ctl_options *options, const char *path, const char *match)
{
	static struct top top;
	const struct ttlog_live_handler handler = {.wants = wants, .take = take, .context = &top};
	int status, err;

	top = (struct top){.options = options, .stop_fd = open_stop()};
	err = ctl_region_open(&top.region, path, match);
	if (!err) {
		top.place = calloc(DUMP_IDS_MAX, sizeof(*top.place));
		err = top.place ? ttlog_live_open(&top.live, top.region.base, &top.region.geometry,
						  &handler)
				: -ENOMEM;
	}
	status = err ? ctl_region_say(path, match, err) : run(&top, path);
	ttlog_live_close(top.live);
	ctl_region_close(&top.region);
	free(top.place);
	free(top.site);
	if (top.stop_fd >= 0)
		close(top.stop_fd);
	return status;
}
