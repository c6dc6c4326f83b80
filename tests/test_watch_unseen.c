// SPDX-License-Identifier: MIT
/*
 * Signals that nobody sees being sent: the kernel program is not run there, or their target was no client
 * yet. What the kernel still has of them when they are taken must be told, and nothing must be made up.
 */
#include "tests/watch_client.h"

#include <stdlib.h>
#include <sys/time.h>

#include "recorder/pretend.h"
#include "recorder/verdict.h"

static void open_blind(void)
{
	pretend_flags = PRETEND_UNSEEN_SIGNALS;
	open_watch();
}

TestSuite(watch_unseen, .init = open_blind, .fini = close_watch, .timeout = 120);

/* ---- lives ------------------------------------------------------------------------------------ */

static void wait_to_be_killed(void)
{
	for (;;)
		pause();
}

static void set_an_alarm(void)
{
	const struct itimerval soon = {.it_value = {.tv_usec = 1000}};

	setitimer(ITIMER_REAL, &soon, NULL);
	wait_to_be_killed();
}

static volatile uintptr_t nowhere = 0x10;

static void write_to_nowhere(void)
{
	*(volatile int *)nowhere = 1;
}

/* Lets a signal through that was sent before it was told to go on. */
static void unblock(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	wait_to_be_killed();
}

/* ---- deaths ----------------------------------------------------------------------------------- */

static struct verdict judge(struct client *client, int signal)
{
	const struct ttlog_bpf_event *death;
	struct evidence evidence = {0};
	struct verdict verdict;
	int status = -1;

	cr_assert_eq(waitpid(client->pid, &status, 0), client->pid);
	cr_assert(WIFSIGNALED(status));
	cr_assert_eq(WTERMSIG(status), signal);
	cr_assert_geq(watch_dispatch(watch), 0);
	for (unsigned int i = 0; i < seen.count; i++)
		verdict_note(&evidence, &seen.event[i]);
	death = check_death(client, status);
	cr_assert(death->flags & TTLOG_BPF_HAS_SIGNAL);
	cr_assert_eq(death->signal, signal);
	verdict_reach(&evidence, (uint32_t)client->pid, &verdict);
	cr_expect_eq(verdict.signal, signal);
	finish(client);
	return verdict;
}

static struct verdict killed_by_us(int signal)
{
	struct client client;

	start(&client, wait_to_be_killed);
	cr_assert_eq(kill(client.pid, signal), 0);
	return judge(&client, signal);
}

static struct verdict killed_by_itself(void (*life)(void), int signal)
{
	struct client client;

	start(&client, life);
	return judge(&client, signal);
}

/* ---- what is told ----------------------------------------------------------------------------- */

Test(watch_unseen, an_alarm_is_the_kernels)
{
	const struct verdict verdict = killed_by_itself(set_an_alarm, SIGALRM);

	cr_expect_eq(verdict.how, VERDICT_SIGNAL);
	cr_expect_eq(verdict.code, SI_KERNEL);
	cr_expect_not(verdict.code_unknown);
	cr_expect_not(verdict.have_sender);
	cr_expect_eq(verdict.told_pid, 0);
	cr_expect_eq(verdict.confidence, VERDICT_HIGH);
	cr_expect_eq(watch_lost(watch), 1, "not counted");
}

Test(watch_unseen, a_sigterm_is_from_whom_its_siginfo_names)
{
	const struct verdict verdict = killed_by_us(SIGTERM);

	cr_expect_eq(verdict.how, VERDICT_SIGNAL);
	cr_expect_eq(verdict.code, SI_USER);
	cr_expect_not(verdict.code_unknown);
	cr_expect_not(verdict.have_sender);
	cr_expect_eq(verdict.told_pid, (uint32_t)getpid());
	cr_expect_eq(verdict.told_uid, getuid());
	cr_expect_eq(verdict.confidence, VERDICT_MEDIUM);
	cr_expect_eq(watch_lost(watch), 1, "not counted");
}

/* It waits in no queue: only who saw it being sent knows anything. */
Test(watch_unseen, of_a_sigkill_nothing_is_made_up)
{
	const struct verdict verdict = killed_by_us(SIGKILL);

	cr_expect_eq(verdict.how, VERDICT_SIGNAL, "%s", verdict_how_name(verdict.how));
	cr_expect(verdict.code_unknown);
	cr_expect_not(verdict.bare);
	cr_expect_not(verdict.have_sender);
	cr_expect_eq(verdict.told_pid, 0);
	cr_expect_eq(verdict.confidence, VERDICT_MEDIUM);
	cr_expect_eq(watch_lost(watch), 1, "not counted");
}

Test(watch_unseen, an_abort_is_an_abort)
{
	const struct verdict verdict = killed_by_itself(abort, SIGABRT);

	cr_expect_eq(verdict.how, VERDICT_ABORT, "%s", verdict_how_name(verdict.how));
	cr_expect_eq(verdict.code, SI_TKILL);
	cr_expect_eq(verdict.confidence, VERDICT_MEDIUM);
}

static void abort_unqueued(void)
{
	const struct rlimit nothing = {0};

	if (setrlimit(RLIMIT_SIGPENDING, &nothing))
		_exit(96);
	abort();
}

/* The kernel makes a siginfo up then: SI_USER, pid 0, uid 0. */
Test(watch_unseen, a_siginfo_that_found_no_place_says_nothing)
{
	const struct verdict verdict = killed_by_itself(abort_unqueued, SIGABRT);

	cr_expect_eq(verdict.how, VERDICT_SIGNAL, "%s", verdict_how_name(verdict.how));
	cr_expect(verdict.code_unknown);
	cr_expect_eq(verdict.told_pid, 0);
	cr_expect_eq(verdict.confidence, VERDICT_MEDIUM);
}

/* Who takes it is who did it, and its siginfo says the rest. */
Test(watch_unseen, a_fault_is_known_by_who_takes_it)
{
	const struct verdict verdict = killed_by_itself(write_to_nowhere, SIGSEGV);

	cr_expect_eq(verdict.how, VERDICT_FAULT, "%s", verdict_how_name(verdict.how));
	cr_expect(verdict.have_fault_address);
	cr_expect_eq(verdict.fault_address, 0x10);
	cr_expect_eq(verdict.thread.pid, verdict.target_pid);
	cr_expect_eq(verdict.confidence, VERDICT_HIGH);
	cr_expect_eq(watch_lost(watch), 0, "it is all there");
}

/* Who was no client yet when it was sent: it waits for him. */
Test(watch_unseen, what_was_sent_before_it_was_watched_is_not_its_own)
{
	struct client client;
	struct verdict verdict;
	sigset_t term, before;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &before);
	spawn(&client, unblock);
	sigprocmask(SIG_SETMASK, &before, NULL);
	cr_assert_eq(kill(client.pid, SIGTERM), 0);
	enrol(&client, 0x1234567800000001u);
	let_go(&client);
	verdict = judge(&client, SIGTERM);
	cr_expect_eq(verdict.how, VERDICT_SIGNAL);
	cr_expect_eq(verdict.told_pid, (uint32_t)getpid());
	cr_expect_eq(verdict.confidence, VERDICT_MEDIUM);
}
