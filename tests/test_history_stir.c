/* SPDX-License-Identifier: MIT */
/*
 * test_history_stir.c - the kernel tells of an idle client that runs again: of real processes, and
 * of those that can't be watched.
 */
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "recorder/history_parts.h"
#include "tests/own_history.h"

#define BUDGET (UINT64_C(16) << 20)
#define WAIT_MS 60000

TestSuite(history_stir, .timeout = 200);

/* A process that sleeps until it is told to run, and runs until it is killed. */
struct sleeper {
	pid_t pid;
	int socket;
};

static struct sleeper sleeper_start(void)
{
	struct sleeper sleeper;
	int ends[2];
	char byte;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	sleeper.pid = fork();
	cr_assert_geq(sleeper.pid, 0);
	if (!sleeper.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[1]);
		if (write(ends[0], "s", 1) != 1 || read(ends[0], &byte, 1) != 1)
			_exit(1);
		for (volatile bool runs = true; runs;)
			;
		_exit(0);
	}
	close(ends[0]);
	sleeper.socket = ends[1];
	cr_assert_eq(read(sleeper.socket, &byte, 1), 1);
	return sleeper;
}

static void sleeper_runs(const struct sleeper *sleeper)
{
	cr_assert_eq(write(sleeper->socket, "x", 1), 1);
}

static void sleeper_end(const struct sleeper *sleeper)
{
	kill(sleeper->pid, SIGKILL);
	cr_assert_eq(waitpid(sleeper->pid, NULL, 0), sleeper->pid);
	close(sleeper->socket);
}

static struct history_figures figures_of(const struct own_history *own)
{
	struct history_figures figures;

	histories_figures(own->histories, &figures);
	return figures;
}

/* Until the kernel was asked so often, and has told so often. */
static void wait_until(const struct own_history *own, uint64_t watches, uint64_t stirs)
{
	for (int ms = 0; ms < WAIT_MS; ms += 5) {
		const struct history_figures figures = figures_of(own);

		if (figures.watches >= watches && figures.stirs >= stirs)
			return;
		poll(NULL, 0, 5);
	}
	cr_assert_fail("%" PRIu64 " watches, %" PRIu64 " stirs", figures_of(own).watches,
		       figures_of(own).stirs);
}

static void wait_for_looks(const struct own_history *own, uint64_t count)
{
	const uint64_t before = figures_of(own).looks;

	for (int ms = 0; ms < WAIT_MS && figures_of(own).looks < before + count; ms += 5)
		poll(NULL, 0, 5);
	cr_assert_geq(figures_of(own).looks, before + count);
}

Test(history_stir, is_told_of_an_idle_process_that_runs_again)
{
	struct sleeper sleeper = sleeper_start();
	struct own_history own;

	ttlog_info("first");
	own = own_history_begin_of(BUDGET, true, sleeper.pid);
	wait_until(&own, 1, 0);
	wait_for_looks(&own, 2);
	cr_assert_eq(figures_of(&own).stirs, 0, "it sleeps");
	sleeper_runs(&sleeper);
	wait_until(&own, 1, 1);
	/* It records nothing, runs on, and is watched again after a while. */
	wait_until(&own, 2, 2);
	own_history_end(&own);
	sleeper_end(&sleeper);
}

/* Two of three run, among which is the one whose place was another's. */
Test(history_stir, tells_one_from_the_other)
{
	struct sleeper sleeper[4];
	struct history *history[4];
	struct history_figures figures;
	struct own_history own;

	ttlog_info("first");
	for (int i = 0; i < 4; i++)
		sleeper[i] = sleeper_start();
	own = own_history_begin_of(BUDGET, true, sleeper[0].pid);
	wait_until(&own, 1, 0);
	for (int i = 1; i < 3; i++)
		history[i] = history_begin(own.histories, ttlog_place_.base, &ttlog_place_.geometry,
					   sleeper[i].pid);
	wait_until(&own, 3, 0);
	history_end(history[1]);
	history[3] = history_begin(own.histories, ttlog_place_.base, &ttlog_place_.geometry,
				   sleeper[3].pid);
	wait_until(&own, 4, 0);
	sleeper_runs(&sleeper[1]);
	wait_for_looks(&own, 2);
	cr_assert_eq(figures_of(&own).stirs, 0, "nobody waits for it any more");
	sleeper_runs(&sleeper[3]);
	wait_until(&own, 5, 2);
	figures = figures_of(&own);
	cr_assert_geq(figures.watches, figures.stirs + 3, "two sleep, and one was not waited for");
	cr_assert_leq(figures.watches, figures.stirs + 4, "one may be watched again");
	history_end(history[2]);
	history_end(history[3]);
	own_history_end(&own);
	for (int i = 0; i < 4; i++)
		sleeper_end(&sleeper[i]);
}

/* All is as with a client that may begin at any moment. */
static void check_unwatched(pid_t pid)
{
	struct own_history own;

	ttlog_info("first");
	own = own_history_begin_of(BUDGET, true, pid);
	wait_for_looks(&own, 30);
	cr_assert_eq(figures_of(&own).watches, 0);
	cr_assert_eq(figures_of(&own).stirs, 0);
	own_history_end(&own);
}

/* Its timer is not taken for that of another, who has none. */
Test(history_stir, watches_who_can_be_watched_beside_who_can_not)
{
	struct sleeper sleeper = sleeper_start();
	struct history *other;
	struct own_history own;

	ttlog_info("first");
	own = own_history_begin_of(BUDGET, true, sleeper.pid);
	wait_until(&own, 1, 0);
	other = history_begin(own.histories, ttlog_place_.base, &ttlog_place_.geometry, 0);
	cr_assert_not_null(other);
	wait_for_looks(&own, 30);
	cr_assert_eq(figures_of(&own).watches, 1);
	history_end(other);
	own_history_end(&own);
	sleeper_end(&sleeper);
}

Test(history_stir, goes_on_without_a_process_that_it_knows)
{
	check_unwatched(0);
}

Test(history_stir, goes_on_with_a_process_that_is_no_more)
{
	const pid_t pid = fork();

	if (!pid)
		_exit(0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	check_unwatched(pid);
}

Test(history_stir, goes_on_where_the_kernel_has_no_room_for_a_timer)
{
	const struct rlimit none = {0, 0};
	struct sleeper sleeper = sleeper_start();

	cr_assert_eq(setrlimit(RLIMIT_SIGPENDING, &none), 0);
	check_unwatched(sleeper.pid);
	sleeper_end(&sleeper);
}

/* Who may send us signals may send these, too. */
Test(history_stir, believes_no_signal_that_names_nobody)
{
	struct sleeper sleeper = sleeper_start();
	struct own_history own;
	union sigval value;

	ttlog_info("first");
	own = own_history_begin_of(BUDGET, true, sleeper.pid);
	wait_until(&own, 1, 0);
	for (int i = -50; i < 50; i++) {
		value.sival_int = i * 1000000 + 999;
		cr_assert_eq(pthread_sigqueue(own.histories->thread, SIGRTMIN, value), 0);
	}
	wait_for_looks(&own, 2);
	cr_assert_eq(figures_of(&own).stirs, 0);
	own_history_end(&own);
	sleeper_end(&sleeper);
}
