// SPDX-License-Identifier: MIT
/*
 * Real processes get signals under the real kernel program, and most die of them. Exits, execs and
 * what else there is: test_watch_exits.c.
 */
#include "tests/watch_client.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/time.h>

TestSuite(watch, .init = open_watch, .fini = close_watch, .timeout = 120);

#define FLAGS_OF_A_SIGNAL (TTLOG_BPF_FATAL | TTLOG_BPF_HANDLED | TTLOG_BPF_FROZE)

/* ---- lives ------------------------------------------------------------------------------------ */

static void wait_to_be_killed(void)
{
	for (;;)
		pause();
}

static void *spin(void *unused)
{
	(void)unused;
	for (volatile unsigned long i = 0;; i++)
		;
	return NULL;
}

static void *sleep_for_ever(void *unused)
{
	(void)unused;
	wait_to_be_killed();
	return NULL;
}

static void be_many(void *(*what)(void *), int count)
{
	pthread_t thread;

	for (int i = 0; i < count; i++)
		if (pthread_create(&thread, NULL, what, NULL))
			_exit(96);
}

/* Where it is, no compiler may know: it would take the liberty. */
static volatile uintptr_t nowhere = 0x10;

static __attribute__((noinline)) void write_to_nowhere(void)
{
	*(volatile int *)nowhere = 1;
}

/* ---- signals from others ---------------------------------------------------------------------- */

static const struct ttlog_bpf_event *killed_by_us(struct client *client, int signal)
{
	const struct ttlog_bpf_event *death;
	int status;

	cr_assert_eq(kill(client->pid, signal), 0);
	status = reap(client);
	cr_assert_eq(WTERMSIG(status), signal);
	death = check_death(client, status);
	cr_assert(death->flags & TTLOG_BPF_HAS_SIGNAL);
	cr_assert_eq(death->signal, signal);
	cr_assert_eq(death->code, SI_USER);
	cr_assert_eq(death->info_pid, (uint32_t)getpid());
	cr_assert_eq(death->sender.pid, (uint32_t)getpid());
	cr_assert_eq(death->sender.tid, (uint32_t)gettid());
	cr_assert_eq(death->sender.uid, getuid());
	cr_assert_gt(death->sender.cgroup_id, 0);
	return death;
}

static void check_killed_at_once(struct client *client, int signal)
{
	const struct ttlog_bpf_event *death = killed_by_us(client, signal), *sent;
	char comm[TTLOG_BPF_COMM_BYTES] = {0};

	prctl(PR_GET_NAME, comm);
	cr_assert_arr_eq(death->sender.comm, comm, sizeof(comm));
	sent = only(TTLOG_BPF_SIGNAL);
	cr_assert_eq(sent->flags & FLAGS_OF_A_SIGNAL, TTLOG_BPF_FATAL | TTLOG_BPF_FROZE);
	cr_assert(sent->flags & TTLOG_BPF_GROUP);
	cr_assert_eq(sent->client_id, client->id);
	cr_assert_eq(sent->target.pid, (uint32_t)client->pid);
	cr_assert_eq(death->signal_time_ns, sent->time_ns);
	cr_assert_eq(count_of(TTLOG_BPF_DELIVER), 0);
	finish(client);
}

Test(watch, names_the_sender_of_a_sigkill)
{
	struct client client;

	start(&client, wait_to_be_killed);
	check_killed_at_once(&client, SIGKILL);
}

Test(watch, names_the_sender_of_an_unhandled_sigterm)
{
	struct client client;

	start(&client, wait_to_be_killed);
	check_killed_at_once(&client, SIGTERM);
}

Test(watch, names_the_sender_of_a_realtime_signal)
{
	struct client client;

	start(&client, wait_to_be_killed);
	check_killed_at_once(&client, 64);
}

static void be_many_and_wait(void)
{
	be_many(spin, 8);
	tell("", 1);
	wait_to_be_killed();
}

Test(watch, tells_of_one_death_when_many_threads_are_killed)
{
	struct client client;
	char byte;

	start(&client, be_many_and_wait);
	listen_to(&client, &byte, 1);
	check_killed_at_once(&client, SIGKILL);
}

/* From outside, so the registers come when it is taken. */
Test(watch, adds_the_registers_to_a_sigsegv_that_was_sent)
{
	const struct ttlog_bpf_event *death;
	struct client client;

	start(&client, wait_to_be_killed);
	death = killed_by_us(&client, SIGSEGV);
	cr_assert(!(only(TTLOG_BPF_SIGNAL)->flags & TTLOG_BPF_REGISTERS));
	cr_assert(only(TTLOG_BPF_DELIVER)->flags & TTLOG_BPF_REGISTERS);
	cr_assert_eq(death->ip, only(TTLOG_BPF_DELIVER)->ip);
	cr_assert_neq(death->ip, 0);
	finish(&client);
}

/* ---- blocked, and by whom --------------------------------------------------------------------- */

static void block(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void block_sigterm_until_it_came(void)
{
	sigset_t set;

	block(SIGTERM);
	tell("", 1);
	do
		sigpending(&set);
	while (!sigismember(&set, SIGTERM));
	tell("", 1);
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

Test(watch, freezes_when_a_blocked_sigterm_is_taken)
{
	const struct ttlog_bpf_event *death, *taken;
	struct client client;
	char byte;

	start(&client, block_sigterm_until_it_came);
	listen_to(&client, &byte, 1);
	death = killed_by_us(&client, SIGTERM);
	cr_assert_eq(only(TTLOG_BPF_SIGNAL)->flags & FLAGS_OF_A_SIGNAL, 0);
	taken = only(TTLOG_BPF_DELIVER);
	cr_assert_eq(taken->flags & FLAGS_OF_A_SIGNAL, TTLOG_BPF_FATAL | TTLOG_BPF_FROZE);
	cr_assert_eq(death->signal_time_ns, taken->time_ns);
	finish(&client);
}

static void *take_what_the_leader_blocks(void *unused)
{
	(void)unused;
	tell("", 1);
	return sleep_for_ever(NULL);
}

static void block_in_the_leader(void)
{
	be_many(take_what_the_leader_blocks, 1);
	block(SIGTERM);
	tell("", 1);
	wait_to_be_killed();
}

Test(watch, knows_the_signal_that_a_thread_took_for_its_leader)
{
	const struct ttlog_bpf_event *death;
	struct client client;
	char byte;

	start(&client, block_in_the_leader);
	listen_to(&client, &byte, 1);
	listen_to(&client, &byte, 1);
	death = killed_by_us(&client, SIGTERM);
	cr_assert_eq(only(TTLOG_BPF_SIGNAL)->flags & FLAGS_OF_A_SIGNAL, 0);
	cr_assert_eq(only(TTLOG_BPF_DELIVER)->signal, SIGTERM);
	cr_assert_eq(only(TTLOG_BPF_DELIVER)->flags & FLAGS_OF_A_SIGNAL,
		     TTLOG_BPF_FATAL | TTLOG_BPF_FROZE);
	cr_assert_eq(death->signal, SIGTERM);
	finish(&client);
}

/* ---- faults and other harm to oneself --------------------------------------------------------- */

Test(watch, tells_where_a_null_pointer_was_written)
{
	const struct ttlog_bpf_event *death, *sent;
	struct client client;
	int status;

	start(&client, write_to_nowhere);
	status = reap(&client);
	cr_assert_eq(WTERMSIG(status), SIGSEGV);
	death = check_death(&client, status);
	sent = only(TTLOG_BPF_SIGNAL);
	cr_assert_eq(sent->flags & FLAGS_OF_A_SIGNAL, TTLOG_BPF_FATAL | TTLOG_BPF_FROZE);
	cr_assert(death->flags & TTLOG_BPF_HAS_SIGNAL);
	cr_assert_eq(death->code, SEGV_MAPERR);
	cr_assert_eq(death->fault_address, 0x10);
	cr_assert(death->flags & TTLOG_BPF_REGISTERS);
	/* The child's code is where ours is. */
	cr_assert_geq(death->ip, (uintptr_t)write_to_nowhere);
	cr_assert_lt(death->ip, (uintptr_t)write_to_nowhere + 512); /* sanitizers add to it */
	cr_assert_neq(death->sp, 0);
	cr_assert_eq(death->sender.pid, (uint32_t)client.pid);
	cr_assert_eq(count_of(TTLOG_BPF_DELIVER), 0);
	finish(&client);
}

static void *fault_in_a_thread(void *unused)
{
	pid_t tid = gettid();

	(void)unused;
	tell(&tid, sizeof(tid));
	write_to_nowhere();
	return NULL;
}

static void fault_beside_others(void)
{
	be_many(spin, 3);
	be_many(fault_in_a_thread, 1);
	wait_to_be_killed();
}

Test(watch, names_the_thread_that_faulted)
{
	const struct ttlog_bpf_event *death;
	struct client client;
	pid_t tid;

	start(&client, fault_beside_others);
	listen_to(&client, &tid, sizeof(tid));
	death = check_death(&client, reap(&client));
	cr_assert_eq(only(TTLOG_BPF_SIGNAL)->target.tid, (uint32_t)tid);
	cr_assert_eq(death->sender.tid, (uint32_t)tid);
	finish(&client);
}

static pthread_barrier_t together;

static void *fault_together(void *unused)
{
	(void)unused;
	pthread_barrier_wait(&together);
	write_to_nowhere();
	return NULL;
}

static void fault_in_two_threads(void)
{
	pthread_barrier_init(&together, NULL, 2);
	be_many(fault_together, 2);
	wait_to_be_killed();
}

Test(watch, tells_of_one_death_when_two_threads_fault_together)
{
	const struct ttlog_bpf_event *death;
	struct client client;

	start(&client, fault_in_two_threads);
	death = check_death(&client, reap(&client));
	cr_assert(death->flags & TTLOG_BPF_HAS_SIGNAL);
	cr_assert_eq(death->fault_address, 0x10);
	cr_assert_eq(death->sender.pid, (uint32_t)client.pid);
	finish(&client);
}

Test(watch, sees_an_abort)
{
	const struct ttlog_bpf_event *death;
	struct client client;

	start(&client, abort);
	death = check_death(&client, reap(&client));
	cr_assert_eq(death->signal, SIGABRT);
	cr_assert_eq(death->code, SI_TKILL);
	cr_assert_eq(death->sender.pid, (uint32_t)client.pid);
	cr_assert_eq(death->fault_address, 0);
	finish(&client);
}

/* Of its own CPU time: that timer strikes while the process itself runs, and not anybody else. */
static void use_up_its_time(void)
{
	const struct itimerval soon = {.it_value = {.tv_usec = 1000}};

	setitimer(ITIMER_VIRTUAL, &soon, NULL);
	spin(NULL);
}

Test(watch, says_when_the_kernel_sent_the_signal_by_itself)
{
	const struct ttlog_bpf_event *death;
	struct client client;

	start(&client, use_up_its_time);
	death = check_death(&client, reap(&client));
	cr_assert_eq(death->signal, SIGVTALRM);
	cr_assert(death->flags & TTLOG_BPF_INFO_KERNEL);
	finish(&client);
}

static void write_to_nobody(void)
{
	int ends[2];

	if (pipe(ends) || close(ends[0]))
		_exit(96);
	tell_fd = ends[1];
	signal(SIGPIPE, SIG_DFL);
	tell("", 1);
}

Test(watch, says_when_a_signal_came_without_siginfo)
{
	const struct ttlog_bpf_event *death;
	struct client client;

	start(&client, write_to_nobody);
	death = check_death(&client, reap(&client));
	cr_assert_eq(death->signal, SIGPIPE);
	cr_assert(death->flags & TTLOG_BPF_INFO_NONE);
	cr_assert_eq(death->sender.pid, (uint32_t)client.pid);
	finish(&client);
}

/* ---- what nobody dies of ---------------------------------------------------------------------- */

static sigjmp_buf back;

static void recover(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static void fault_and_recover(void)
{
	signal(SIGSEGV, recover);
	if (!sigsetjmp(back, 1))
		write_to_nowhere();
	tell("", 1);
	wait_to_be_killed();
}

Test(watch, does_not_freeze_for_a_fault_that_is_handled)
{
	const struct ttlog_bpf_event *sent;
	struct client client;
	char byte;

	start(&client, fault_and_recover);
	listen_to(&client, &byte, 1);
	cr_assert_eq(client.control->freeze, 40);
	watch_dispatch(watch);
	sent = only(TTLOG_BPF_SIGNAL);
	cr_assert_eq(sent->flags & FLAGS_OF_A_SIGNAL, TTLOG_BPF_HANDLED);
	cr_assert_eq(sent->fault_address, 0x10);
	cr_assert_eq(seen.count, 1);
	seen.count = 0;
	check_killed_at_once(&client, SIGKILL);
}

static void do_nothing(int signal)
{
	(void)signal;
}

static void send_harmless_signals(void)
{
	signal(SIGTERM, SIG_IGN);
	raise(SIGTERM);
	raise(SIGCHLD);
	raise(SIGURG);
	raise(SIGWINCH);
	raise(SIGCONT);
	signal(SIGURG, do_nothing);
	raise(SIGURG);
	block(SIGCHLD);
	raise(SIGCHLD);
	raise(SIGSTOP);
	_exit(0);
}

Test(watch, says_nothing_of_signals_that_end_nobody)
{
	struct client client;
	int status;

	start(&client, send_harmless_signals);
	cr_assert_eq(waitpid(client.pid, &status, WUNTRACED), client.pid);
	cr_assert(WIFSTOPPED(status));
	cr_assert_eq(kill(client.pid, SIGCONT), 0);
	check_death(&client, reap(&client));
	cr_assert_eq(seen.count, 1);
	finish(&client);
}

static void take_many(void)
{
	signal(SIGUSR1, do_nothing);
	for (int i = 0; i < 20000; i++)
		raise(SIGUSR1);
	write_to_nowhere();
}

Test(watch, keeps_room_for_a_death_among_handled_signals)
{
	struct client client;
	int status;

	start(&client, take_many);
	status = reap(&client);
	cr_assert_eq(WTERMSIG(status), SIGSEGV);
	check_death(&client, status);
	cr_assert_lt(seen.count, 20);
	cr_assert_eq(watch_shed(watch) + seen.count - 2, 20000);
	finish(&client);
}

static void raise_sigterm_and_leave(void)
{
	raise(SIGTERM);
	_exit(0);
}

Test(watch, does_not_freeze_for_a_signal_that_a_debugger_swallows)
{
	struct client client;
	int status;

	spawn(&client, raise_sigterm_and_leave);
	enrol(&client, 9);
	cr_assert_eq(ptrace(PTRACE_SEIZE, client.pid, 0, 0), 0);
	let_go(&client);
	cr_assert_eq(waitpid(client.pid, &status, 0), client.pid);
	cr_assert(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTERM);
	cr_assert_eq(client.control->freeze, 40);
	cr_assert_eq(ptrace(PTRACE_CONT, client.pid, 0, 0), 0);
	status = reap(&client);
	cr_assert_eq(status, 0);
	cr_assert_eq(only(TTLOG_BPF_SIGNAL)->flags & FLAGS_OF_A_SIGNAL, 0);
	cr_assert_eq(count_of(TTLOG_BPF_DELIVER), 0);
	check_death(&client, status);
	finish(&client);
}
