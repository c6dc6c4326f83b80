// SPDX-License-Identifier: MIT
/* What sets causes apart that look alike, and what is kept of what came with the evidence. */
#include "tests/verdict_rows.h"

/* ---- causes that look like others ------------------------------------------------------------- */

static const struct ttlog_bpf_actor eater = {.pid = 300, .tid = 301, .comm = "eater"};
static const struct ttlog_bpf_actor init = {.pid = 400, .tid = 400, .comm = "init"};

#define KERNEL TTLOG_BPF_INFO_KERNEL
#define BARE TTLOG_BPF_INFO_NONE
#define GROUP TTLOG_BPF_GROUP
#define DYING_INIT (TTLOG_BPF_SENDER_INIT | TTLOG_BPF_SENDER_EXITING)
#define DYING_PARENT (TTLOG_BPF_PARENT_DEATH | TTLOG_BPF_SENDER_EXITING)
#define OOM(who) {.kind = TTLOG_BPF_OOM, .time_ns = 55, .target = main_thread, .sender = who}
#define KILLED(says, who) SENT(FATAL | (says), .signal = SIGKILL, .sender = who)
#define DEAD_OF(number) DIED(.exit_code = (number))
#define CAUSE(kind, sure, number) \
	HOW(kind, sure), BY(number), .signal_ns = 50, .death_ns = 90

Test(verdict_causes, tells_kernel_kills_apart)
{
	const struct row rows[] = {
		{"out of memory, by another",
		 {KILLED(KERNEL | GROUP, eater), OOM(eater), DEAD_OF(SIGKILL)}, NO_STATUS, true,
		 {CAUSE(OOM, HIGH, SIGKILL), .code = SI_KERNEL},
		 "oom"},
		{"out of memory, by a dying init: who is chosen is chosen",
		 {KILLED(KERNEL | GROUP | DYING_INIT, init), OOM(init), DEAD_OF(SIGKILL)}, NO_STATUS,
		 true,
		 {CAUSE(OOM, HIGH, SIGKILL), .code = SI_KERNEL},
		 "oom"},
		{"chosen, but on its way already",
		 {KILLED(GROUP, bash), OOM(eater), DEAD_OF(SIGKILL)}, NO_STATUS, true,
		 {CAUSE(SIGNAL, HIGH, SIGKILL), FROM(bash)},
		 "sigkill"},
		{"the init of its pid namespace died",
		 {KILLED(KERNEL | GROUP | DYING_INIT, init), DEAD_OF(SIGKILL)}, NO_STATUS, true,
		 {CAUSE(PIDNS_DEATH, HIGH, SIGKILL), .code = SI_KERNEL, FROM(init)},
		 "pidns-death"},
		{"an init that lives does not end a namespace",
		 {KILLED(KERNEL | GROUP | TTLOG_BPF_SENDER_INIT, init), DEAD_OF(SIGKILL)}, NO_STATUS,
		 true,
		 {CAUSE(SIGNAL, HIGH, SIGKILL), .code = SI_KERNEL},
		 "sigkill"},
		{"CPU time, all of it",
		 {KILLED(KERNEL | GROUP | TTLOG_BPF_CPU_LIMIT, self), DEAD_OF(SIGKILL)}, NO_STATUS,
		 true,
		 {CAUSE(RLIMIT_CPU, HIGH, SIGKILL), .code = SI_KERNEL, .thread = self},
		 "rlimit-cpu"},
		{"CPU time, the soft limit",
		 {SENT(FATAL | KERNEL | GROUP | TTLOG_BPF_CPU_LIMIT, .signal = SIGXCPU,
		       .sender = self), DEAD_OF(SIGXCPU)}, NO_STATUS, true,
		 {CAUSE(RLIMIT_CPU, HIGH, SIGXCPU), .code = SI_KERNEL, .thread = self},
		 "rlimit-cpu"},
		{"by the kernel while it ran, for no reason that is known",
		 {KILLED(KERNEL | GROUP, self), DEAD_OF(SIGKILL)}, NO_STATUS, true,
		 {CAUSE(SIGNAL, HIGH, SIGKILL), .code = SI_KERNEL, .thread = self},
		 "sigkill"},
	};

	CHECK(rows);
}

Test(verdict_causes, tells_signals_without_siginfo_apart)
{
	const struct row rows[] = {
		{"cgroup.kill",
		 {KILLED(BARE, bash), DEAD_OF(SIGKILL)}, NO_STATUS, true,
		 {CAUSE(CGROUP_KILL, HIGH, SIGKILL), FROM(bash)},
		 "cgroup-kill"},
		{"the parent died",
		 {KILLED(BARE | GROUP | DYING_PARENT, bash), DEAD_OF(SIGKILL)}, NO_STATUS, true,
		 {CAUSE(PARENT_DEATH, HIGH, SIGKILL), FROM(bash)},
		 "parent-death"},
		{"the parent died, another signal",
		 {SENT(FATAL | BARE | GROUP | DYING_PARENT, .signal = SIGTERM, .sender = bash),
		  DEAD_OF(SIGTERM)}, NO_STATUS, true,
		 {CAUSE(PARENT_DEATH, HIGH, SIGTERM), FROM(bash)},
		 "parent-death"},
		{"nobody died",
		 {KILLED(BARE | GROUP | TTLOG_BPF_PARENT_DEATH, bash), DEAD_OF(SIGKILL)}, NO_STATUS,
		 true,
		 {CAUSE(SIGNAL, HIGH, SIGKILL), FROM(bash)},
		 "sigkill"},
		{"a broken pipe",
		 {SENT(FATAL | BARE, .signal = SIGPIPE, .sender = self), DEAD_OF(SIGPIPE)}, NO_STATUS,
		 true,
		 {CAUSE(SIGNAL, HIGH, SIGPIPE), FROM(self), .thread = self},
		 "sigpipe"},
		{"seccomp's strict mode",
		 {DIED(.exit_code = SIGKILL, .flags = TTLOG_BPF_SECCOMP_DEAD)}, NO_STATUS, true,
		 {HOW(SECCOMP, HIGH), .code_unknown = true, BY(SIGKILL), .death_ns = 90},
		 "seccomp"},
		{"a debugger's",
		 {TAKEN(FATAL | TTLOG_BPF_TRACER, .signal = SIGKILL, .sender = bash),
		  DIED(.exit_code = SIGKILL, .signal = SIGKILL, .sender = bash, .signal_time_ns = 60,
		       .flags = RECALLS | TTLOG_BPF_TRACER)}, NO_STATUS, true,
		 {HOW(SIGNAL, HIGH), BY(SIGKILL), FROM(bash), .signal_ns = 60, .death_ns = 90},
		 "sigkill"},
	};

	CHECK(rows);
}

#define UNSEEN TTLOG_BPF_UNSEEN
#define NO_SIGINFO TTLOG_BPF_NO_SIGINFO
#define TOOK(number, says, ...) \
	TAKEN(FATAL | UNSEEN | (says), .signal = (number), .target = main_thread, __VA_ARGS__), \
	DIED(.exit_code = (number), .signal = (number), .signal_time_ns = 60, \
	     .flags = RECALLS | UNSEEN | (says), __VA_ARGS__)
#define TOLD(kind, sure, number) \
	HOW(kind, sure), BY(number), .signal_ns = 60, .death_ns = 90

/* The kernel may end somebody while no program of ours can run. Then little is known, and said. */
Test(verdict_causes, of_a_signal_that_nobody_saw_being_sent_is_what_its_siginfo_says)
{
	const struct row rows[] = {
		{"an alarm",
		 {TOOK(SIGALRM, 0, .code = SI_KERNEL)}, NO_STATUS, true,
		 {TOLD(SIGNAL, HIGH, SIGALRM), .code = SI_KERNEL},
		 "sigalrm"},
		{"a timer",
		 {TOOK(SIGALRM, 0, .code = SI_TIMER)}, NO_STATUS, true,
		 {TOLD(SIGNAL, HIGH, SIGALRM), .code = SI_TIMER},
		 "sigalrm"},
		{"kill()",
		 {TOOK(SIGTERM, 0, .info_pid = 12, .info_uid = 7)}, NO_STATUS, true,
		 {TOLD(SIGNAL, MEDIUM, SIGTERM), .told_pid = 12},
		 "sigterm"},
		{"the kernel had no memory for a siginfo and made one up",
		 {TOOK(SIGQUIT, 0)}, NO_STATUS, true,
		 {TOLD(SIGNAL, MEDIUM, SIGQUIT), .code_unknown = true},
		 "sigquit"},
		{"no siginfo",
		 {TOOK(SIGALRM, NO_SIGINFO)}, NO_STATUS, true,
		 {TOLD(SIGNAL, MEDIUM, SIGALRM), .code_unknown = true},
		 "sigalrm"},
		{"SIGKILL, which is no cgroup.kill for that",
		 {TOOK(SIGKILL, NO_SIGINFO | BARE)}, NO_STATUS, true,
		 {TOLD(SIGNAL, MEDIUM, SIGKILL), .code_unknown = true},
		 "sigkill"},
		{"SIGKILL for want of memory",
		 {OOM(eater), TOOK(SIGKILL, NO_SIGINFO)}, NO_STATUS, true,
		 {TOLD(OOM, HIGH, SIGKILL), .code_unknown = true},
		 "oom"},
		{"abort()",
		 {TOOK(SIGABRT, 0, .code = SI_TKILL, .info_pid = OWN)}, NO_STATUS, true,
		 {TOLD(ABORT, MEDIUM, SIGABRT), .code = SI_TKILL, .told_pid = OWN},
		 "abort"},
		{"abort() of somebody else",
		 {TOOK(SIGABRT, 0, .code = SI_TKILL, .info_pid = 12)}, NO_STATUS, true,
		 {TOLD(SIGNAL, MEDIUM, SIGABRT), .code = SI_TKILL, .told_pid = 12},
		 "sigabrt"},
		{"CPU time, the soft limit",
		 {TOOK(SIGXCPU, TTLOG_BPF_CPU_LIMIT, .code = SI_KERNEL)}, NO_STATUS, true,
		 {TOLD(RLIMIT_CPU, HIGH, SIGXCPU), .code = SI_KERNEL},
		 "rlimit-cpu"},
	};

	CHECK(rows);
}

Test(verdict_causes, of_a_fault_that_was_handled_is_the_fault)
{
	const struct row rows[] = {
		{"logged, and raised again",
		 {SENT(HANDLED, .signal = SIGSEGV, .code = SEGV_MAPERR, .fault_address = 8,
		       .target = self, .sender = self),
		  SENT(FATAL, .signal = SIGSEGV, .code = SI_TKILL, .sender = self, .target = self),
		  DEAD_OF(SIGSEGV)}, NO_STATUS, true,
		 {HOW(FAULT, MEDIUM), BY(SIGSEGV), .code = SEGV_MAPERR, AT(8), .thread = self,
		  .signal_ns = 50, .death_ns = 90},
		 "sigsegv"},
		{"of another thread",
		 {SENT(HANDLED, .signal = SIGSEGV, .code = SEGV_MAPERR, .target = main_thread),
		  SENT(FATAL, .signal = SIGSEGV, .code = SI_TKILL, .sender = self),
		  DEAD_OF(SIGSEGV)}, NO_STATUS, true,
		 {CAUSE(SIGNAL, HIGH, SIGSEGV), .code = SI_TKILL, FROM(self), .thread = self},
		 "sigsegv"},
	};

	CHECK(rows);
}

static bool overflows(int signal, uint64_t address, uint64_t sp, uint32_t flags)
{
	struct evidence evidence = {0};
	const struct ttlog_bpf_event events[] = {
		SENT(FATAL | flags, .signal = signal, .code = SEGV_ACCERR, .fault_address = address,
		     .sp = sp, .sender = self),
		DEAD_OF(signal),
	};
	struct verdict verdict;

	verdict_note(&evidence, &events[0]);
	verdict_note(&evidence, &events[1]);
	verdict_reach(&evidence, OWN, &verdict);
	cr_assert_eq(verdict.how, VERDICT_FAULT);
	return verdict.stack_overflow;
}

Test(verdict_causes, knows_a_stack_that_is_used_up)
{
	const uint32_t known = TTLOG_BPF_REGISTERS, gone = known | TTLOG_BPF_STACK_GONE;
	const uint64_t sp = UINT64_C(0x7ffff7000000);

	cr_expect(overflows(SIGSEGV, sp - 8, sp, known), "a push");
	cr_expect(overflows(SIGSEGV, sp, sp, gone), "a probe at sp");
	cr_expect(overflows(SIGSEGV, sp + 8192, sp, gone), "in a large frame");
	cr_expect(!overflows(SIGSEGV, sp + 8192, sp, known), "up and out of a stack that is there");
	cr_expect(!overflows(SIGSEGV, 0, sp, gone), "null");
	cr_expect(!overflows(SIGSEGV, sp + (8u << 20), sp, gone), "far above");
	cr_expect(!overflows(SIGSEGV, sp - (1u << 20), sp, gone), "far below");
	cr_expect(!overflows(SIGBUS, sp - 8, sp, known), "another signal");
	cr_expect(!overflows(SIGSEGV, sp - 8, sp, 0), "where sp is not known");
	cr_expect(!overflows(SIGSEGV, 4, 12, 0), "no registers, small numbers");
}

/* ---- what came with the evidence -------------------------------------------------------------- */

static struct ttlog_bpf_record with_names(uint64_t time_ns, uint32_t flags)
{
	static const char names[] = "sh\0bin\0usr\0x.service\0system.slice"; /* and a last NUL */
	struct ttlog_bpf_record record = {
		.event = SENT(TTLOG_BPF_MORE | flags, .signal = SIGTERM, .sender = bash),
		.more = {.exe_bytes = 11, .cgroup_bytes = sizeof(names) - 11, .parent_count = 1},
	};

	record.event.time_ns = time_ns;
	memcpy(record.names, names, sizeof(names));
	return record;
}

Test(verdict_causes, names_become_paths)
{
	struct ttlog_bpf_record record = with_names(50, FATAL);
	struct ttlog_bpf_event death = DEAD_OF(SIGTERM);
	struct evidence evidence = {0};
	struct verdict verdict;

	verdict_note(&evidence, &record.event);
	verdict_note(&evidence, &death);
	verdict_reach(&evidence, OWN, &verdict);
	cr_assert_eq(verdict.sender_more, 1);
	cr_assert_str_eq(evidence.more[0].exe, "/usr/bin/sh");
	cr_assert_str_eq(evidence.more[0].cgroup, "/system.slice/x.service");
}

Test(verdict_causes, the_root_of_cgroups_is_a_path)
{
	struct ttlog_bpf_record record = with_names(50, FATAL);
	struct evidence evidence = {0};

	record.more.cgroup_bytes = 0;
	verdict_note(&evidence, &record.event);
	cr_assert_str_eq(evidence.more[0].cgroup, "", "not known");
	record.event.sender.cgroup_id = 1;
	verdict_note(&evidence, &record.event);
	cr_assert_str_eq(evidence.more[1].cgroup, "/");
}

Test(verdict_causes, a_path_is_made_of_any_bytes)
{
	char path[16];

	verdict_path("", 0, path, sizeof(path));
	cr_expect_str_eq(path, "");
	verdict_path("a\nb", 4, path, sizeof(path));
	cr_expect_str_eq(path, "/a?b");
	verdict_path("\0\0", 2, path, sizeof(path));
	cr_expect_str_eq(path, "//");
	verdict_path("cut", 3, path, sizeof(path)); /* without its NUL: the last byte is taken for it */
	cr_expect_str_eq(path, "/cu");
	verdict_path("a name that is longer\0than the place", 37, path, sizeof(path));
	cr_expect_str_eq(path, "/than the place");
	verdict_path("x", 2, path, 1);
	cr_expect_str_eq(path, "");
}

Test(verdict_causes, what_a_death_needs_is_not_pushed_out)
{
	struct ttlog_bpf_record fatal = with_names(1, FATAL), other = with_names(2, 0);
	struct evidence evidence = {0};

	verdict_note(&evidence, &fatal.event);
	for (uint64_t i = 2; i < 20; i++) {
		other.event.time_ns = i;
		verdict_note(&evidence, &other.event);
	}
	cr_assert_not_null(verdict_more(&evidence, &fatal.event));
	other.event.time_ns = 19;
	cr_assert_not_null(verdict_more(&evidence, &other.event));
	other.event.time_ns = 2;
	cr_assert_null(verdict_more(&evidence, &other.event));
}
