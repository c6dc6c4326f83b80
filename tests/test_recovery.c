/* SPDX-License-Identifier: MIT */
/*
 * test_recovery.c - programs that live on after what would have been their end, with a real
 * recorder.
 *
 * A fault that a handler takes freezes nothing, however often it comes and wherever: outside of an
 * event, while its strings are measured, in the middle of one; on the thread's stack or on an
 * alternate one. All events whose call returned are in the dump of the death that comes at last, or
 * counted, and there is no other dump.
 *
 * A fatal signal that is taken back before it is delivered freezes for real: what was in a chunk
 * stays, what comes is recorded as long as there is room and counted after that, and the recorder
 * thaws, also when the kernel's message was lost.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "lib/process.h"
#include "tests/service_process.h"
#include "tests/view_events.h"

#define STORM_MS 700
#ifdef __SANITIZE_ADDRESS__ /* cleans up the whole stack at each jump from an alternate one */
#define FAULTS_MIN 100
#else
#define FAULTS_MIN 2000
#endif
#define FREEZES 2
#define INFO_BYTES (1 << 20)

/* What the test and its services share. */
struct shared {
	_Atomic uint64_t returned; /* numbered events */
	_Atomic uint64_t faults;
	_Atomic uint64_t thaw_ms;
	_Atomic uint32_t go_on;
	_Atomic uint32_t stage;
};

static struct shared *shared;

static void prepare(void)
{
	recorder_prepare();
	setenv("TTLOG_BUFFER_SIZE", "16M", 1);
	setenv("TTLOG_LEVEL", "trace", 1);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	cr_assert_neq(shared, MAP_FAILED);
}

TestSuite(recovery, .init = prepare, .fini = recorder_clean, .timeout = 150);

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void nap_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static pid_t recorder_pid; /* of whom services are clients */

static bool is_frozen(void)
{
	struct ttlog_stats stats = {.size = sizeof(stats)};

	if (ttlog_get_stats(&stats) || !stats.connected)
		_exit(95);
	return stats.frozen;
}

__attribute__((noinline)) static void record(void)
{
	uint64_t n = atomic_load_explicit(&shared->returned, memory_order_relaxed);

	ttlog_info("numbered", "n", n, "text", "what was done");
	atomic_store_explicit(&shared->returned, n + 1, memory_order_release);
}

/* As start_recorder(); skips where the kernel program can't be loaded. */
static void start_with_bpf(struct recorder_process *recorder)
{
	const char *const arguments[] = {"-v",	  "--socket",	  recorder_socket,
					 "--dir", recorder_dumps, "--keep-loop=0", "--keep-free=0", NULL};
	char line[LINE_BYTES];

	start_program(recorder, arguments);
	expect_line(recorder, "listening on", line, sizeof(line));
	recorder_pid = recorder->pid;
	if (!strstr(line, "with eBPF")) {
		stop_recorder(recorder);
		recorder_clean(); /* a skipped test has no fini */
		cr_skip("%s", line);
	}
}

/* ---- the dump at last ------------------------------------------------------------------------ */

struct account {
	uint64_t events, missing, last;
	uint64_t nested; /* events that went to slots, in all */
	uint64_t afterlife, dropped, overwritten;
};

static void read_dump(const char *dump, struct account *account)
{
	static char info[INFO_BYTES];
	FILE *out = view_dump("--format json --filter msg=numbered", dump);
	uint64_t n, next = 0;
	char *line = NULL;
	size_t bytes = 0;

	*account = (struct account){0};
	cr_assert(out);
	while (getline(&line, &bytes, out) > 0) {
		cr_assert(json_field(line, "n", &n), "%s", line);
		cr_assert_geq(n, next, "%" PRIu64 " again, or out of order", n);
		account->missing += n - next;
		account->last = n;
		account->events++;
		next = n + 1;
	}
	free(line);
	cr_assert_eq(pclose(out), 0);
	cr_assert(view_info(dump, info, sizeof(info)));
	cr_assert(json_field(info, "overwritten", &account->overwritten));
	cr_assert(json_field(info, "dropped", &account->dropped));
	account->nested = info_of_lane(info, "nested", "events") +
			  info_of_lane(info, "nested", "overwritten");
	account->afterlife = info_of_lane(info, "afterlife", "events") +
			     info_of_lane(info, "afterlife", "overwritten");
}

/* Kills the service; the one dump that there is, is that of this death. */
static void kill_and_account(struct recorder_process *recorder, struct service *service,
			     struct account *account)
{
	const unsigned int before = count_dumps("");
	char line[LINE_BYTES];

	cr_assert_eq(count_dumps(""), count_dumps("-sigkill.bin"),
		     "a dump of a death that was none");
	cr_assert_eq(kill(service->pid, SIGKILL), 0);
	reap(service);
	expect_line(recorder, ".bin", line, sizeof(line));
	cr_assert(strstr(line, "-sigkill.bin"), "%s", line);
	cr_assert_eq(count_dumps(""), before + 1);
	read_dump(strrchr(line, ' ') + 1, account);
}

/* ---- handlers that recover ------------------------------------------------------------------- */

enum where { OUTSIDE, IN_STRLEN, IN_COPY };

static const char *const where_names[] = {"outside", "in strlen", "in mid-event"};
static enum where where;
static bool on_stack;
static sigjmp_buf out_of_here;
static unsigned char *unreadable;

static void on_fault(int signal_number)
{
	(void)signal_number;
	siglongjmp(out_of_here, 1);
}

__attribute__((noinline)) static void fault_somewhere(void)
{
	if (where == OUTSIDE)
		*(volatile unsigned char *)unreadable = 1;
	else if (where == IN_STRLEN)
		ttlog_info("never", "text", (const char *)unreadable);
	else
		ttlog_info("never", "bytes", ttlog_bytes(unreadable, 40));
}

static void handle_faults(void)
{
	static unsigned char memory[65536];
	const stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)};
	struct sigaction action = {.sa_handler = on_fault, .sa_flags = on_stack ? SA_ONSTACK : 0};

	unreadable = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (unreadable == MAP_FAILED || (on_stack && sigaltstack(&stack, NULL)) ||
	    sigaction(SIGSEGV, &action, NULL))
		_exit(94);
}

/* As a runtime that lets null references be faults: one after the other, and work in between. */
static void recover_all_the_time(void)
{
	const uint64_t end = now_ms() + STORM_MS;

	handle_faults();
	while (now_ms() < end || atomic_load(&shared->faults) < FAULTS_MIN) {
		if (sigsetjmp(out_of_here, 1) == 0) {
			fault_somewhere();
			_exit(93);
		}
		atomic_fetch_add(&shared->faults, 1);
		for (int i = 0; i < 20; i++)
			record();
	}
	if (is_frozen())
		_exit(92);
	live();
}

/* One dump a service, and it is the one of its end. */
static void expect_nothing_lost(struct recorder_process *recorder, void (*life)(void))
{
	struct service service;
	struct account account;
	uint64_t returned, faults;

	atomic_store(&shared->returned, 0);
	atomic_store(&shared->faults, 0);
	start_service(&service, life);
	returned = atomic_load(&shared->returned);
	faults = atomic_load(&shared->faults);
	kill_and_account(recorder, &service, &account);
	cr_log_info("%" PRIu64 " faults %s%s, %" PRIu64 " events: %" PRIu64 " in the dump, %" PRIu64
		    " in slots",
		    faults, where_names[where], on_stack ? ", alternate stack" : "", returned,
		    account.events, account.nested);
	cr_expect_geq(faults, FAULTS_MIN);
	cr_expect_eq(account.last, returned - 1);
	cr_expect_eq(account.missing, account.overwritten);
	cr_expect_eq(account.dropped, 0);
	cr_expect_eq(account.afterlife, 0, "it was frozen");
	cr_expect_leq(account.nested, 1, "events after a jump go to slots");
}

Test(recovery, faults_that_a_handler_takes_cost_nothing)
{
	struct recorder_process recorder;

	start_with_bpf(&recorder);
	for (where = OUTSIDE; where <= IN_COPY; where++)
		for (int i = 0; i < 2; i++) {
			on_stack = i;
			expect_nothing_lost(&recorder, recover_all_the_time);
		}
	stop_recorder(&recorder);
}

/* ---- fatal signals that are taken back ------------------------------------------------------ */

/*
 * A thread that waits for its vfork() child takes no signal but SIGKILL. One that is fatal when it
 * is sent, and ignored before the wait is over, is never taken.
 */
struct doomed {
	pthread_t thread;
	_Atomic pid_t tid;
	int release[2];
};

static void *wait_for_vfork(void *argument)
{
	struct doomed *doomed = argument;
	char byte;
	pid_t pid;

	atomic_store(&doomed->tid, (pid_t)syscall(SYS_gettid));
	pid = vfork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* when all has failed */
		while (read(doomed->release[0], &byte, 1) < 0)
			;
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	return NULL;
}

/* One letter, as ps has it. */
static bool is_in_state(pid_t pid, pid_t tid, char state)
{
	char path[64], text[64] = "";
	const char *name_end;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)tid);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t count = read(fd, text, sizeof(text) - 1);

	close(fd);
	/* "123 (name) D ...": the name, fifteen characters at most, may have parentheses too. */
	name_end = count > 0 ? strrchr(text, ')') : NULL;
	return name_end && name_end[1] == ' ' && name_end[2] == state;
}

static void doom_begin(struct doomed *doomed)
{
	atomic_store(&doomed->tid, 0);
	if (pipe2(doomed->release, O_CLOEXEC) ||
	    pthread_create(&doomed->thread, NULL, wait_for_vfork, doomed))
		_exit(91);
	/* Nothing else makes it wait like that for long. */
	while (!atomic_load(&doomed->tid) ||
	       !is_in_state(getpid(), atomic_load(&doomed->tid), 'D'))
		sched_yield();
}

/* Fatal, and taken back. */
static void doom(const struct doomed *doomed)
{
	signal(SIGSEGV, SIG_DFL);
	if (syscall(SYS_tgkill, getpid(), atomic_load(&doomed->tid), SIGSEGV))
		_exit(90);
	signal(SIGSEGV, SIG_IGN);
}

static void doom_end(struct doomed *doomed)
{
	if (write(doomed->release[1], "", 1) != 1)
		_exit(89);
	pthread_join(doomed->thread, NULL);
	for (int i = 0; i < 2; i++)
		close(doomed->release[i]);
}

/* Until it goes on, who freezes is the kernel program, and nobody thaws. */
static void hold_recorder(void)
{
	if (kill(recorder_pid, SIGSTOP))
		_exit(87);
	while (!is_in_state(recorder_pid, recorder_pid, 'T'))
		sched_yield();
}

static void release_recorder(void)
{
	if (kill(recorder_pid, SIGCONT))
		_exit(87);
}

/*
 * The kernel program may learn of a client's control page after the client has its WELCOME. Until then
 * the recorder freezes, when the message comes to it.
 */
static void wait_until_the_kernel_freezes(const struct doomed *doomed)
{
	uint32_t before;
	bool by_kernel;

	do {
		before = ttlog_freeze_word();
		hold_recorder();
		doom(doomed);
		by_kernel = is_frozen();
		release_recorder();
		while (ttlog_freeze_word() != before + 2) /* frozen, thawed */
			nap_ms(1);
	} while (!by_kernel);
}

#define BEFORE 400000
#define WHILE_FROZEN 200000
#define AFTER 10000

/* Each freeze comes when there are laps behind it. */
static void survive(void)
{
	struct doomed doomed;

	doom_begin(&doomed);
	wait_until_the_kernel_freezes(&doomed);
	for (int i = 0; i < FREEZES; i++) {
		uint64_t then;

		for (uint64_t n = 0; n < BEFORE; n++)
			record();
		hold_recorder();
		doom(&doomed);
		if (!is_frozen())
			_exit(88);
		for (uint64_t n = 0; n < WHILE_FROZEN; n++)
			record();
		release_recorder();
		then = now_ms();
		while (is_frozen())
			nap_ms(1);
		atomic_store(&shared->thaw_ms, now_ms() - then);
		for (uint64_t n = 0; n < AFTER; n++)
			record();
	}
	doom_end(&doomed);
	live();
}

/*
 * Nothing that was there when it froze has gone by the end but what came later has taken, and that
 * is counted; what was dropped was dropped while it was frozen.
 */
Test(recovery, who_survives_a_fatal_signal_is_thawed_and_goes_on)
{
	struct recorder_process recorder;
	struct service service;
	struct account account;
	uint64_t returned;

	start_with_bpf(&recorder);
	start_service(&service, survive);
	returned = atomic_load(&shared->returned);
	cr_assert_eq(returned, (uint64_t)FREEZES * (BEFORE + WHILE_FROZEN + AFTER));
	kill_and_account(&recorder, &service, &account);
	cr_log_info("frozen for %" PRIu64 " ms; %" PRIu64 " events in the dump, %" PRIu64
		    " overwritten, %" PRIu64 " dropped, %" PRIu64 " in the afterlife",
		    atomic_load(&shared->thaw_ms), account.events, account.overwritten,
		    account.dropped, account.afterlife);
	cr_expect_eq(account.last, returned - 1);
	cr_expect_eq(account.missing, account.overwritten + account.dropped);
	cr_expect_gt(account.dropped, 0);
	cr_expect_leq(account.dropped, (uint64_t)FREEZES * WHILE_FROZEN);
	cr_expect_gt(account.afterlife, 1000);
	stop_recorder(&recorder);
}

/* ---- and when the message is lost ----------------------------------------------------------- */

/* More messages than the kernel's ring buffer holds while nobody takes them out. */
static void fill_the_ring_buffer(void)
{
	struct doomed doomed;

	doom_begin(&doomed);
	ready();
	while (!atomic_load(&shared->go_on))
		nap_ms(1);
	for (int i = 0; i < 8000; i++)
		doom(&doomed);
	atomic_store(&shared->stage, 1);
	doom_end(&doomed);
	live();
}

static void freeze_without_a_message(void)
{
	struct doomed doomed;

	doom_begin(&doomed);
	wait_until_the_kernel_freezes(&doomed);
	ready();
	while (atomic_load(&shared->stage) != 1)
		nap_ms(1);
	doom(&doomed);
	if (!is_frozen())
		_exit(88);
	doom_end(&doomed);
	atomic_store(&shared->stage, 2);
	while (is_frozen())
		nap_ms(1);
	atomic_store(&shared->stage, 3);
	live();
}

static void wait_for_stage(const struct service *service, uint32_t stage)
{
	int status = 0;

	while (atomic_load(&shared->stage) < stage) {
		cr_assert_eq(waitpid(service->pid, &status, WNOHANG), 0, "it ended: %#x", status);
		nap_ms(1);
	}
}

Test(recovery, who_survives_is_thawed_though_the_message_of_its_freeze_was_lost)
{
	struct recorder_process recorder;
	struct service loud, frozen;
	int status;

	start_with_bpf(&recorder);
	start_service(&loud, fill_the_ring_buffer);
	start_service(&frozen, freeze_without_a_message);
	cr_assert_eq(kill(recorder.pid, SIGSTOP), 0);
	cr_assert_eq(waitpid(recorder.pid, &status, WUNTRACED), recorder.pid);
	cr_assert(WIFSTOPPED(status), "%#x", status);
	atomic_store(&shared->go_on, 1);
	wait_for_stage(&frozen, 2);
	cr_assert_eq(kill(recorder.pid, SIGCONT), 0);
	wait_for_stage(&frozen, 3);
	kill(loud.pid, SIGKILL);
	reap(&loud);
	kill(frozen.pid, SIGKILL);
	reap(&frozen);
	stop_recorder(&recorder);
}
