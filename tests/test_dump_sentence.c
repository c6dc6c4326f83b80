/* SPDX-License-Identifier: MIT */
/* test_dump_sentence.c - each verdict in words. */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "recorder/dump_writer.h"

#define SELF {.pid = 70, .tid = 77, .uid = 1000, .comm = "worker-3"}
#define BASH {.pid = 12, .tid = 12, .uid = 0, .comm = "bash"}

static const struct {
	const char *wanted;
	struct verdict verdict;
} table[] = {
	{"alive: a snapshot", {.how = VERDICT_ALIVE}},
	{"a snapshot: rule errors: ERROR \"it failed\" seconds=0.7 at 2023-11-14T22:13:20.000012Z, of "
	 "thread 77",
	 {.how = VERDICT_ALIVE,
	  .occasion = {.kind = OCCASION_EVENT, .rule = "errors",
		       .event = {.time_ns = 1700000000000012345, .tid = 77, .level = TTLOG_ERROR,
				 .message = "it failed", .fields = "seconds=0.7"}}}},
	{"a snapshot: rule full: 92% of its memory limit of 64 MiB is in use",
	 {.how = VERDICT_ALIVE,
	  .occasion = {.kind = OCCASION_MEMORY, .rule = "full", .percent = 92,
		       .limit_bytes = 64u << 20}}},
	{"a snapshot: rule hourly: every 3600 s",
	 {.how = VERDICT_ALIVE,
	  .occasion = {.kind = OCCASION_INTERVAL, .rule = "hourly", .every_ms = 3600000}}},
	{"a snapshot: no heartbeat for 1130 ms, where one every 1000 ms was promised",
	 {.how = VERDICT_ALIVE,
	  .occasion = {.kind = OCCASION_HEARTBEAT, .silent_ms = 1130, .promised_ms = 1000}}},
	{"a snapshot: it asked for one itself (checkpoint)",
	 {.how = VERDICT_ALIVE, .occasion = {.kind = OCCASION_PROGRAM, .called = "checkpoint"}}},
	{"a snapshot: asked for with ttlog-ctl by uid 7",
	 {.how = VERDICT_ALIVE, .occasion = {.kind = OCCASION_OPERATOR, .uid = 7}}},
	{"a snapshot: every 10 s, as it wished when it began",
	 {.how = VERDICT_ALIVE, .occasion = {.kind = OCCASION_PERIODIC, .every_ms = 10000}}},
	{"a snapshot: it works with billing (pid 12), which has died",
	 {.how = VERDICT_ALIVE,
	  .occasion = {.kind = OCCASION_GROUP, .pid = 12, .service = "billing"}}},
	{"exited cleanly (status 0)", {.how = VERDICT_EXIT, .have_exit_code = true}},
	{"exited with status 3", {.how = VERDICT_EXIT, .have_exit_code = true, .exit_code = 3}},
	{"exited with a status that is not known", {.how = VERDICT_EXIT}},
	{"segmentation fault: SIGSEGV (SEGV_MAPERR) at address 0x0 in thread worker-3 (tid 77)",
	 {.how = VERDICT_FAULT, .have_signal = true, .signal = 11, .code = 1,
	  .have_fault_address = true, .thread = SELF}},
	{"bus error: SIGBUS (BUS_ADRERR) at address 0xffffffffffffffff, core dumped",
	 {.how = VERDICT_FAULT, .have_signal = true, .signal = 7, .code = 2,
	  .have_fault_address = true, .fault_address = UINT64_MAX, .core_dumped = true}},
	{"illegal instruction: SIGILL", {.how = VERDICT_FAULT, .have_signal = true, .signal = 4,
					  .code = 4711}},
	{"aborted: SIGABRT raised by itself in thread worker-3 (tid 77)",
	 {.how = VERDICT_ABORT, .have_signal = true, .signal = 6, .code = -6, .thread = SELF}},
	{"killed by SIGKILL from bash (pid 12, uid 0)",
	 {.how = VERDICT_SIGNAL, .have_signal = true, .signal = 9, .have_sender = true,
	  .sender = BASH}},
	{"terminated by SIGTERM from bash (pid 12, uid 0)",
	 {.how = VERDICT_SIGNAL, .have_signal = true, .signal = 15, .have_sender = true,
	  .sender = BASH}},
	{"terminated by SIGTERM that it sent to itself in thread worker-3 (tid 77)",
	 {.how = VERDICT_SIGNAL, .have_signal = true, .signal = 15, .have_sender = true,
	  .sender = SELF, .thread = SELF}},
	{"killed by SIGKILL (sender not known)",
	 {.how = VERDICT_SIGNAL, .have_signal = true, .signal = 9}},
	{"terminated by SIGTERM from pid 12, uid 7, as its siginfo says",
	 {.how = VERDICT_SIGNAL, .have_signal = true, .signal = 15, .told_pid = 12, .told_uid = 7}},
	{"terminated by SIGALRM, sent by the kernel",
	 {.how = VERDICT_SIGNAL, .have_signal = true, .signal = 14, .code = 128}},
	{"replaced by another program (exec)", {.how = VERDICT_EXEC}},
	{"killed for want of memory: its memory cgroup is at its limit of 20 MiB, and it asked for "
	 "more itself",
	 {.how = VERDICT_OOM, .have_signal = true, .signal = 9, .code = 128, .trigger = SELF,
	  .target_pid = 70, .limit_pages = 20u << 20}},
	{"killed for want of memory, and more was asked for by bash (pid 12, uid 0)",
	 {.how = VERDICT_OOM, .have_signal = true, .signal = 9, .code = 128, .trigger = BASH,
	  .target_pid = 70}},
	{"killed with its cgroup, through cgroup.kill from bash (pid 12, uid 0)",
	 {.how = VERDICT_CGROUP_KILL, .have_signal = true, .signal = 9, .have_sender = true,
	  .sender = BASH}},
	{"terminated by SIGTERM that it had asked for at the death of its parent, bash (pid 12, uid 0)",
	 {.how = VERDICT_PARENT_DEATH, .have_signal = true, .signal = 15, .have_sender = true,
	  .sender = BASH}},
	{"killed because the init of its pid namespace died, bash (pid 12, uid 0)",
	 {.how = VERDICT_PIDNS_DEATH, .have_signal = true, .signal = 9, .have_sender = true,
	  .sender = BASH}},
	{"terminated by SIGXCPU: it used up its CPU time (RLIMIT_CPU)",
	 {.how = VERDICT_RLIMIT_CPU, .have_signal = true, .signal = 24, .thread = SELF}},
	{"killed by seccomp (SIGSYS) for a system call in thread worker-3 (tid 77)",
	 {.how = VERDICT_SECCOMP, .have_signal = true, .signal = 31, .code = 1, .thread = SELF}},
	{"stack overflow: SIGSEGV (SEGV_ACCERR) at address 0x10 in thread worker-3 (tid 77)",
	 {.how = VERDICT_FAULT, .have_signal = true, .signal = 11, .code = 2, .stack_overflow = true,
	  .have_fault_address = true, .fault_address = 16, .thread = SELF}},
	{"segmentation fault: SIGSEGV (SEGV_MAPERR) at address 0x8 in thread worker-3 (tid 77), "
	 "handled and then raised again",
	 {.how = VERDICT_FAULT, .have_signal = true, .signal = 11, .code = 1, .raised_again = true,
	  .have_fault_address = true, .fault_address = 8, .thread = SELF}},
	{"killed by SIGKILL from its tracer bash (pid 12, uid 0)",
	 {.how = VERDICT_SIGNAL, .have_signal = true, .signal = 9, .have_sender = true,
	  .by_tracer = true, .sender = BASH}},
	{"terminated by SIGPIPE: it wrote to a pipe or socket without a reader in thread worker-3 "
	 "(tid 77)",
	 {.how = VERDICT_SIGNAL, .have_signal = true, .signal = 13, .have_sender = true,
	  .bare = true, .sender = SELF, .thread = SELF}},
	{"terminated by SIGALRM of a timer that it had set",
	 {.how = VERDICT_SIGNAL, .have_signal = true, .signal = 14, .code = SI_TIMER}},
	{"terminated by SIGPIPE that it sent to itself in thread worker-3 (tid 77)",
	 {.how = VERDICT_SIGNAL, .have_signal = true, .signal = 13, .have_sender = true,
	  .sender = SELF, .thread = SELF}},
	{"how it died is not known", {.how = VERDICT_UNKNOWN}},
	{"how it died is not known; no recorder was watching then",
	 {.how = VERDICT_UNKNOWN, .unwatched = true}},
	{"killed by SIGKILL (sender not known), core dumped; no recorder was watching then",
	 {.how = VERDICT_SIGNAL, .have_signal = true, .signal = 9, .core_dumped = true,
	  .unwatched = true}},
	{"how it died is not known, but SIGSEGV was seen",
	 {.how = VERDICT_UNKNOWN, .have_signal = true, .signal = 11}},
};

Test(dump_sentence, says_what_is_known_and_no_more)
{
	char sentence[256];

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct verdict verdict = table[i].verdict;

		verdict.limit_pages /= (uint64_t)sysconf(_SC_PAGESIZE); /* in bytes above */
		dump_sentence(&verdict, sentence, sizeof(sentence));
		cr_expect_str_eq(sentence, table[i].wanted, "%s, wanted %s", sentence, table[i].wanted);
	}
}

Test(dump_sentence, a_name_cannot_write_the_sentence)
{
	struct verdict verdict = {.how = VERDICT_SIGNAL, .have_signal = true, .signal = 9,
				  .have_sender = true, .sender = {.pid = 1, .tid = 1}};
	char sentence[256];

	/* No NUL, and all of it hostile. */
	memcpy(verdict.sender.comm, "\033[2J\n\t\xc3\xbc%s%n\"\\\x7f", sizeof(verdict.sender.comm));
	dump_sentence(&verdict, sentence, sizeof(sentence));
	cr_expect_str_eq(sentence, "killed by SIGKILL from ?[2J????%s%n\"\\? (pid 1, uid 0)");
}

Test(dump_sentence, a_short_buffer_cuts_and_ends)
{
	char sentence[256];

	for (size_t bytes = 1; bytes < sizeof(sentence); bytes++) {
		memset(sentence, 'x', sizeof(sentence));
		dump_sentence(&table[12].verdict, sentence, bytes);
		cr_assert_lt(strnlen(sentence, bytes), bytes);
		cr_assert_eq(strncmp(sentence, table[12].wanted, strlen(sentence)), 0);
		for (size_t i = bytes; i < sizeof(sentence); i++)
			cr_assert_eq(sentence[i], 'x', "of %zu bytes, at %zu", bytes, i);
	}
	dump_sentence(&table[12].verdict, sentence, 0);
}
