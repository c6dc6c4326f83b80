/* SPDX-License-Identifier: MIT */
/* Jobs run elsewhere and end in the loop. */
#include <criterion/criterion.h>
#include <string.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "recorder/workers.h"

#define JOBS 500

static struct loop *loop;
static struct workers *workers;
static pthread_t loop_thread;
static unsigned int done_count;
static _Atomic unsigned int ran;

struct job {
	struct workers_job job; /* first: a job is found by it */
	unsigned int number, done_at;
	bool elsewhere, signals_blocked;
};

static void open_workers(void)
{
	loop_thread = pthread_self();
	cr_assert_eq(loop_open(&loop), 0);
	cr_assert_eq(workers_open(&workers, loop, 3), 0);
}

static void close_loop(void)
{
	loop_close(loop);
}

TestSuite(workers, .init = open_workers, .fini = close_loop, .timeout = 120);

static void run(struct workers_job *base)
{
	struct job *job = (struct job *)base;
	sigset_t mask;

	job->elsewhere = !pthread_equal(pthread_self(), loop_thread);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	job->signals_blocked = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGCHLD);
	ran++;
}

static void done(struct workers_job *base)
{
	struct job *job = (struct job *)base;

	cr_assert(pthread_equal(pthread_self(), loop_thread));
	job->done_at = ++done_count;
}

static struct job jobs[JOBS];

static void submit_all(void)
{
	for (unsigned int i = 0; i < JOBS; i++) {
		jobs[i] = (struct job){.job = {.run = run, .done = done}, .number = i};
		workers_submit(workers, &jobs[i].job);
	}
}

Test(workers, run_each_job_once_elsewhere_and_finish_it_in_the_loop)
{
	sigset_t mask;

	submit_all();
	cr_assert_eq(workers_pending(workers), JOBS, "done in the loop, and it has not run");
	while (workers_pending(workers))
		cr_assert_eq(loop_once(loop, -1), 0);
	cr_assert_eq(ran, JOBS);
	for (unsigned int i = 0; i < JOBS; i++) {
		cr_assert(jobs[i].elsewhere);
		cr_assert(jobs[i].signals_blocked);
		cr_assert_gt(jobs[i].done_at, 0);
	}
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	cr_assert(!sigismember(&mask, SIGTERM), "the loop's own mask is as it was");
	workers_close(workers);
}

Test(workers, finish_what_was_submitted_before_they_close)
{
	submit_all();
	workers_close(workers);
	cr_assert_eq(ran, JOBS);
	cr_assert_eq(done_count, JOBS);
	workers_close(NULL);
}

static void submit_another(struct workers_job *base)
{
	static struct job another;

	done(base);
	another = (struct job){.job = {.run = run, .done = done}};
	workers_submit(workers, &another.job);
}

Test(workers, take_a_job_from_the_end_of_another)
{
	struct job first = {.job = {.run = run, .done = submit_another}};

	workers_submit(workers, &first.job);
	while (workers_pending(workers))
		cr_assert_eq(loop_once(loop, -1), 0);
	cr_assert_eq(done_count, 2);
	workers_close(workers);
}

/* ---- turns ---- */

static char order[16];

struct letter {
	struct workers_job job;
	char letter;
};

static void write_letter(struct workers_job *base)
{
	const size_t length = strlen(order);

	order[length] = ((struct letter *)base)->letter;
}

static void forget(struct workers_job *base)
{
	(void)base;
}

Test(workers, those_of_different_shares_take_turns)
{
	struct workers_share many = {0}, few = {0};
	struct letter letters[8] = {0};
	struct workers *set;
	const char *at;
	int i = 0;

	cr_assert_eq(workers_prepare(&set, loop, 1), 0);
	for (at = "aaaabb-"; *at; at++, i++) {
		letters[i] = (struct letter){{.run = write_letter, .done = forget}, *at};
		if (*at == '-')
			workers_submit(set, &letters[i].job);
		else
			workers_submit_for(set, &letters[i].job, *at == 'a' ? &many : &few);
	}
	cr_assert_eq(workers_pending(set), 7);
	workers_close(set); /* without threads they are run here, in the order that a thread had */
	cr_assert_str_eq(order, "-ababaa");
	workers_close(workers);
}
