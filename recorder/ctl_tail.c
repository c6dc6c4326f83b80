/* SPDX-License-Identifier: MIT */
/*
 * ctl_tail.c - tail: what is there, by one ttlog-view that keeps the newest that match; then what
 * comes, by another one, until the process dies or somebody wants no more.
 *
 * Looked at several times a second, by us alone: nobody has to wake us up, so nobody is slowed.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "recorder/ctl_live.h"

#define LOOK_MS 100
#define RESTART_MS 250
#define DICT_TRIES 20 /* of LOOK_MS; a liar may name sites for ever */
#define SENTENCE_BYTES 512

struct tail {
	const struct ctl_options *options;
	const char *path, *match;
	struct ctl_region region;
	struct ctl_feed *feed;
	struct ttlog_live *live;
	int stop_fd; /* readable: no more is wanted */
	uint64_t missed;
};

enum why { STOPPED, DIED, FAILED };

static bool wants(void *context, const struct ttlog_reader_site *site)
{
	(void)context;
	(void)site;
	return true;
}

static void take(void *context, const struct ttlog_reader_site *site,
		 const struct ttlog_reader_event *event)
{
	const struct tail *tail = context;

	ctl_feed_take(tail->feed, tail->live, site, event);
}

static void look(struct tail *tail)
{
	uint32_t budget = UINT32_MAX;

	ttlog_live_look(tail->live, UINT32_MAX, &budget);
	ctl_region_tick(&tail->region);
}

/* True: there is no reason to go on. */
static bool is_stopped(const struct tail *tail, int timeout_ms)
{
	struct pollfd stop = {.fd = tail->stop_fd, .events = POLLIN};

	return poll(&stop, 1, timeout_ms) > 0;
}

/* Stopped, dead, or after a while. */
static void pause_or_end(const struct tail *tail, bool *ret_stopped, bool *ret_dead)
{
	struct pollfd fds[] = {{.fd = tail->stop_fd, .events = POLLIN},
			       {.fd = tail->region.pidfd, .events = POLLIN}};

	poll(fds, 2, LOOK_MS);
	*ret_stopped = fds[0].revents != 0;
	*ret_dead = fds[1].revents != 0;
}

/* ---- one process ------------------------------------------------------------------------ */

static int attach(struct tail *tail)
{
	const struct ttlog_live_handler handler = {.wants = wants, .take = take, .context = tail};
	int err = ctl_region_open(&tail->region, tail->path, tail->match);

	if (err)
		return err;
	err = ctl_feed_open(&tail->feed, &tail->region);
	if (!err)
		err = ttlog_live_open_oldest(&tail->live, tail->region.base, &tail->region.geometry,
					     &handler);
	tail->missed = 0;
	return err;
}

static void detach(struct tail *tail)
{
	ttlog_live_close(tail->live);
	ctl_feed_close(tail->feed);
	ctl_region_close(&tail->region);
	tail->live = NULL;
	tail->feed = NULL;
}

/* All that is there now. */
static void look_at_the_past(struct tail *tail)
{
	look(tail);
	for (int i = 0; ttlog_live_waits(tail->live) && i < DICT_TRIES; i++) {
		if (is_stopped(tail, LOOK_MS))
			return;
		look(tail);
	}
}

/* The viewer has what it wanted, or has said what it thinks of its options. */
static int close_viewer(struct ctl_viewer *viewer, int err)
{
	const int status = ctl_viewer_close(viewer);

	if (err && err != -EPIPE) {
		ctl_say("can't go on: %s", strerror(-err));
		return CTL_EXIT_REFUSED;
	}
	return status;
}

static int open_viewer(const struct tail *tail, struct ctl_viewer *ret_viewer, const char *limit)
{
	const int err = ctl_viewer_open(ret_viewer, tail->options->viewer, limit);

	if (err)
		ctl_say("can't start ttlog-view: %s", strerror(-err));
	return err;
}

/* *ret_broken: nobody reads any more, or an error. An exit status. */
static int show_the_past(struct tail *tail, bool *ret_broken)
{
	struct ctl_viewer viewer;
	char limit[40];
	int err, status;

	*ret_broken = true;
	snprintf(limit, sizeof(limit), "--limit=%" PRIu64, tail->options->lines);
	look_at_the_past(tail);
	if (open_viewer(tail, &viewer, limit))
		return CTL_EXIT_REFUSED;
	err = ctl_feed_begin(tail->feed, viewer.fd);
	if (!err)
		err = ctl_feed_flush(tail->feed);
	if (!err)
		err = ctl_feed_end(tail->feed);
	status = close_viewer(&viewer, err);
	*ret_broken = err || status;
	return status;
}

static void say_losses(struct tail *tail)
{
	const uint64_t missed = ttlog_live_missed(tail->live);

	if (missed > tail->missed)
		ctl_say("-- %" PRIu64 " chunks of events were overwritten before they were seen --",
			missed - tail->missed);
	tail->missed = missed;
}

static enum why follow_into(struct tail *tail, int *ret_err)
{
	bool stopped = false, dead = false;

	*ret_err = 0;
	/* What was recorded before the death is there when it is known. */
	while (!*ret_err && !stopped && !dead) {
		pause_or_end(tail, &stopped, &dead);
		if (dead)
			look_at_the_past(tail); /* with the sites that its last words are the first of */
		else
			look(tail);
		if (ctl_feed_waiting(tail->feed))
			*ret_err = ctl_feed_flush(tail->feed);
		say_losses(tail);
	}
	return *ret_err ? FAILED : stopped ? STOPPED : DIED;
}

static enum why follow(struct tail *tail, int *ret_status)
{
	struct ctl_viewer viewer;
	enum why why;
	int err;

	*ret_status = CTL_EXIT_REFUSED;
	if (open_viewer(tail, &viewer, NULL))
		return FAILED;
	err = ctl_feed_begin(tail->feed, viewer.fd);
	why = err ? FAILED : follow_into(tail, &err);
	if (!err)
		err = ctl_feed_end(tail->feed);
	*ret_status = close_viewer(&viewer, err);
	return *ret_status ? FAILED : why;
}

/* ---- one after the other ---------------------------------------------------------------- */

static void say_end(const struct tail *tail)
{
	char sentence[SENTENCE_BYTES];

	if (ctl_region_ended(tail->path, tail->region.pid, sentence, sizeof(sentence)))
		ctl_say("-- %s (pid %u): %s --", tail->region.service, tail->region.pid, sentence);
	else
		ctl_say("-- %s (pid %u) has ended --", tail->region.service, tail->region.pid);
}

static bool is_pid(const char *match)
{
	return match[strspn(match, "0123456789")] == '\0';
}

/* The next process of that name, or no more is wanted. 0, or a negative errno. */
static int attach_next(struct tail *tail, bool *ret_stopped)
{
	const uint32_t before = tail->region.pid;

	for (;;) {
		int err;

		*ret_stopped = is_stopped(tail, RESTART_MS);
		if (*ret_stopped)
			return 0;
		err = attach(tail);
		if (!err && tail->region.pid != before) {
			ctl_say("-- restarted: pid %u --", tail->region.pid);
			return 0;
		}
		detach(tail);
		if (err == -ENOMEM || err == -EACCES)
			return err;
	}
}

static int follow_all(struct tail *tail)
{
	bool stopped = false;
	int status, err;

	for (;;) {
		const enum why why = follow(tail, &status);

		if (why != DIED)
			return status;
		say_end(tail);
		if (is_pid(tail->match))
			return CTL_EXIT_FINE;
		detach(tail);
		err = attach_next(tail, &stopped);
		if (err)
			return ctl_region_say(tail->path, tail->match, err);
		if (stopped)
			return CTL_EXIT_FINE;
	}
}

/* ^C, or a manager that wants us to end. Whoever reads what we write is seen by writing. */
static int open_stop(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

int ctl_tail(const struct ctl_options *options, const char *path, const char *match)
{
	static struct tail tail;
	bool broken;
	int status, err;

	tail = (struct tail){.options = options, .path = path, .match = match};
	tail.region.pidfd = -1;
	tail.stop_fd = options->follow ? open_stop() : -1;
	if (!options->follow)
		signal(SIGPIPE, SIG_IGN);
	err = attach(&tail);
	if (err) {
		detach(&tail);
		return ctl_region_say(path, match, err);
	}
	if (tail.region.matched > 1)
		ctl_say("-- %" PRIu64 " processes match; this is the newest, pid %u --",
			tail.region.matched, tail.region.pid);
	status = show_the_past(&tail, &broken);
	if (options->follow && !broken)
		status = follow_all(&tail);
	detach(&tail);
	if (tail.stop_fd >= 0)
		close(tail.stop_fd);
	return status;
}
