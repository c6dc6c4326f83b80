// SPDX-License-Identifier: MIT
/* causes_table.c - each cause of death, how it is brought about, and what the dump must say of it. */
#include <stddef.h>

#include "tests/causes.h"

#define HOW(name) "\"how\":\"" name "\""
#define SURE "\"confidence\":\"high\""
#define SIGNAL(number) "\"signal\":" number ","
#define CODE(name) "\"code_name\":\"" name "\""
#define NO_SENDER "\"sender\":null"
#define FROM(who, comm) "\"sender\":{\"pid\":{" who "},\"comm\":\"" comm "\",\"uid\":0,"
#define EXE "/tests/crash_causes\",\"cgroup\":\"/"
#define THE_TEST FROM("test", "crash_causes")
#define ITSELF FROM("client", "crash_causes")
#define CHILD_OF(who) "\"parents\":[{\"pid\":{" who "},\"comm\":\""
#define IN_THREAD(who) "\"tid\":{" who "}},\"oom\":null"
#define OVERFLOW "\"stack_overflow\":true"
#define NO_OVERFLOW "\"stack_overflow\":false"
#define CONTAINER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define POD "6b1d2f3a-0a1b-4c2d-8e3f-a0b1c2d3e4f5"
#define FAULT(number, code) HOW("fault"), SIGNAL(number), CODE(code), NO_SENDER, SURE

/* By a child of the client; by a stranger who is gone before the recorder can look at it. */
#define BY_OTHERS(row, name, number)                                                               \
	{row "-by-child", life_is_signalled_by_its_child, NULL, NULL, NULL,                        \
	 {HOW("signal"), SIGNAL(#number), CODE("SI_USER"), FROM("other", "crash_causes"),          \
	  CHILD_OF("client"), SURE},                                                               \
	 " by " name " from crash_causes (pid {other}", number},                                   \
	{row "-sender-is-gone", life_waits, NULL, act_signal_and_be_gone, NULL,                    \
	 {HOW("signal"), SIGNAL(#number), CODE("SI_USER"), FROM("other", "assassin"), EXE,         \
	  CHILD_OF("test"), SURE},                                                                 \
	 " by " name " from assassin (pid {other}, uid 0)", number}
#define BY_ITSELF(row, name, number)                                                               \
	{row "-itself", life_signals_itself, NULL, NULL, NULL,                                     \
	 {HOW("signal"), SIGNAL(#number), CODE("SI_USER"), ITSELF, CHILD_OF("test"), SURE},        \
	 " by " name " that it sent to itself", number}
#define SENT(row, name, number)                                                                    \
	{row, life_waits, NULL, act_signal, NULL,                                                  \
	 {HOW("signal"), SIGNAL(#number), CODE("SI_USER"), THE_TEST, SURE},                        \
	 " by " name " from crash_causes (pid {test}", number}

/* `signal` is zero in most. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

const struct cause causes[] = {
	/* ---- exits ---- */
	{"exit-0", life_exits_0, NULL, NULL, NULL,
	 {HOW("exit"), "\"exit_code\":0,", "\"signal\":null", NO_SENDER, SURE}, "exited cleanly"},
	{"exit-3", life_exits_3, NULL, NULL, NULL, {HOW("exit"), "\"exit_code\":3,", SURE},
	 "exited with status 3"},
	{"exit-in-thread", life_exits_in_a_thread, NULL, NULL, NULL,
	 {HOW("exit"), "\"exit_code\":4,", SURE}, "exited with status 4"},
	{"leader-leaves-first", life_leader_leaves, NULL, NULL, NULL,
	 {HOW("exit"), "\"exit_code\":5,", SURE}, "exited with status 5"},
	{"leader-leaves-then-kill", life_leader_leaves_and_waits, NULL, act_kill, NULL,
	 {HOW("signal"), SIGNAL("9"), THE_TEST, SURE}, "killed by SIGKILL from crash_causes"},

	/* ---- signals ---- */
	{"kill", life_waits, NULL, act_kill, NULL,
	 {HOW("signal"), SIGNAL("9"), CODE("SI_USER"), THE_TEST, EXE, CHILD_OF("above"),
	  "\"container_id\":null", SURE},
	 "killed by SIGKILL from crash_causes (pid {test}, uid 0)"},
	{"term", life_waits, NULL, act_term, NULL,
	 {HOW("signal"), SIGNAL("15"), CODE("SI_USER"), THE_TEST, EXE, CHILD_OF("above"), SURE},
	 "terminated by SIGTERM from crash_causes"},
	{"int", life_waits, NULL, act_int, NULL, {HOW("signal"), SIGNAL("2"), THE_TEST, EXE, SURE},
	 "by SIGINT from"},
	{"hup", life_waits, NULL, act_hup, NULL, {HOW("signal"), SIGNAL("1"), THE_TEST, EXE, SURE},
	 "by SIGHUP from"},
	{"pipe", life_waits, NULL, act_pipe, NULL,
	 {HOW("signal"), SIGNAL("13"), THE_TEST, EXE, SURE}, "by SIGPIPE from"},
	{"alrm", life_waits, NULL, act_alrm, NULL,
	 {HOW("signal"), SIGNAL("14"), THE_TEST, EXE, SURE}, "by SIGALRM from"},
	{"sigqueue", life_waits, NULL, act_queue, NULL,
	 {HOW("signal"), SIGNAL("15"), CODE("SI_QUEUE"), THE_TEST, SURE}, "by SIGTERM from"},
	{"sigqueue-as-a-timer", life_waits, NULL, act_forge, NULL,
	 {HOW("signal"), SIGNAL("15"), CODE("SI_TIMER"), THE_TEST, SURE}, "by SIGTERM from"},
	/* The kernel delivers these with a siginfo of its own making: SI_USER, from nobody. */
	{"sigqueue-unqueued", life_waits, start_unqueued, act_queue, NULL,
	 {HOW("signal"), SIGNAL("15"), CODE("SI_QUEUE"), THE_TEST, SURE}, "by SIGTERM from"},
	{"abort-unqueued", life_aborts, start_unqueued, NULL, NULL,
	 {HOW("abort"), SIGNAL("6"), CODE("SI_TKILL"), ITSELF, SURE}, "aborted: SIGABRT raised by itself"},
	{"kill-itself", life_kills_itself, NULL, NULL, NULL,
	 {HOW("signal"), SIGNAL("9"), ITSELF, CHILD_OF("test"), SURE}, "that it sent to itself"},
	{"term-itself", life_terminates_itself, NULL, NULL, NULL,
	 {HOW("signal"), SIGNAL("15"), CODE("SI_TKILL"), ITSELF, SURE}, "that it sent to itself"},
	BY_OTHERS("kill", "SIGKILL", 9),
	BY_OTHERS("term", "SIGTERM", 15),
	BY_OTHERS("int", "SIGINT", 2),
	BY_OTHERS("hup", "SIGHUP", 1),
	BY_OTHERS("pipe", "SIGPIPE", 13),
	BY_OTHERS("alrm", "SIGALRM", 14),
	/* What looks like a fault, an abort, seccomp or a limit, and is not. */
	SENT("segv-sent", "SIGSEGV", 11),
	SENT("abrt-sent", "SIGABRT", 6),
	SENT("sys-sent", "SIGSYS", 31),
	SENT("xcpu-sent", "SIGXCPU", 24),
	BY_ITSELF("segv", "SIGSEGV", 11),
	BY_ITSELF("int", "SIGINT", 2),
	BY_ITSELF("hup", "SIGHUP", 1),
	BY_ITSELF("pipe", "SIGPIPE", 13),
	BY_ITSELF("alrm", "SIGALRM", 14),
	{"sender-in-container", life_waits, NULL, act_kill_from_a_container, no_user_cgroups,
	 {HOW("signal"), SIGNAL("15"), FROM("other", "crash_causes"),
	  "\"container_id\":\"" CONTAINER "\",\"container_runtime\":\"docker\"", SURE}, "by SIGTERM"},
	{"client-in-pod", life_waits, start_in_a_pod, act_term, no_user_cgroups,
	 {HOW("signal"), "\"container_runtime\":\"containerd\",\"pod_uid\":\"" POD "\"", THE_TEST},
	 "by SIGTERM"},
	{"broken-pipe", life_writes_to_nobody, NULL, NULL, NULL,
	 {HOW("signal"), SIGNAL("13"), ITSELF, SURE}, "wrote to a pipe or socket without a reader"},
	{"alarm", life_sets_an_alarm, NULL, NULL, NULL,
	 {HOW("signal"), SIGNAL("14"), CODE("SI_KERNEL"), NO_SENDER, SURE}, "sent by the kernel"},
	{"timer", life_sets_a_timer, NULL, NULL, NULL,
	 {HOW("signal"), SIGNAL("14"), CODE("SI_TIMER"), NO_SENDER, SURE}, "by SIGALRM of a timer that it had set"},

	/* ---- aborts and faults ---- */
	{"abort", life_aborts, NULL, NULL, NULL, {HOW("abort"), SIGNAL("6"), ITSELF, SURE},
	 "aborted: SIGABRT raised by itself"},
	{"assert", life_asserts, NULL, NULL, NULL, {HOW("abort"), SIGNAL("6"), SURE}, "aborted"},
	{"abort-in-thread", life_aborts_in_a_thread, NULL, NULL, NULL,
	 {HOW("abort"), SIGNAL("6"), IN_THREAD("thread"), SURE}, "(tid {thread})"},
	{"segv-null", life_writes_to_null, NULL, NULL, NULL,
	 {FAULT("11", "SEGV_MAPERR"), "\"fault_address\":\"0x10\"", NO_OVERFLOW,
	  IN_THREAD("client")},
	 "segmentation fault: SIGSEGV (SEGV_MAPERR) at address 0x10"},
	{"segv-jump-to-null", life_jumps_to_null, NULL, NULL, NULL,
	 {FAULT("11", "SEGV_MAPERR"), "\"fault_address\":\"0x0\"", "\"ip\":null", NO_OVERFLOW},
	 "at address 0x0"},
	/* x86-64: the CPU does not say where; and what it does not say is not made up. */
	{"segv-wild", life_reads_somewhere_wild, NULL, NULL, NULL,
	 {HOW("fault"), SIGNAL("11"), NO_SENDER, NO_OVERFLOW, SURE,
#if defined(__x86_64__)
	  CODE("SI_KERNEL"), "\"fault_address\":null",
#endif
	  }, "segmentation fault"},
	{"segv-read-only", life_writes_read_only, NULL, NULL, NULL,
	 {FAULT("11", "SEGV_ACCERR"), NO_OVERFLOW}, "(SEGV_ACCERR)"},
	{"segv-execute-data", life_executes_data, NULL, NULL, NULL,
	 {FAULT("11", "SEGV_ACCERR"), NO_OVERFLOW}, "(SEGV_ACCERR)"},
	{"stack-overflow", life_recurses, NULL, NULL, NULL,
	 {HOW("fault"), SIGNAL("11"), OVERFLOW, NO_SENDER, SURE}, "stack overflow: SIGSEGV"},
	{"stack-overflow-thread", life_recurses_in_a_thread, NULL, NULL, NULL,
	 {FAULT("11", "SEGV_ACCERR"), OVERFLOW}, "stack overflow: SIGSEGV (SEGV_ACCERR)"},
	{"stack-overflow-frame", life_has_too_large_a_frame, NULL, NULL, NULL,
	 {FAULT("11", "SEGV_ACCERR"), OVERFLOW, IN_THREAD("thread")}, "stack overflow"},
	{"stack-overrun-upwards", life_overruns_a_stack_upwards, NULL, NULL, NULL,
	 {FAULT("11", "SEGV_ACCERR"), NO_OVERFLOW, IN_THREAD("thread")}, "segmentation fault"},
	{"bus-truncated", life_reads_beyond_a_file, NULL, NULL, NULL, {FAULT("7", "BUS_ADRERR")},
	 "bus error"},
#if defined(__x86_64__)
	{"fpe", life_divides_by_zero, NULL, NULL, NULL, {FAULT("8", "FPE_INTDIV")},
	 "arithmetic error"},
#endif
	{"ill", life_is_illegal, NULL, NULL, NULL, {HOW("fault"), SIGNAL("4"), NO_SENDER, SURE},
	 "illegal instruction"},
	{"segv-in-thread", life_faults_in_a_thread, NULL, NULL, NULL,
	 {FAULT("11", "SEGV_MAPERR"), IN_THREAD("thread")}, "in thread worker-7 (tid {thread})"},

	/* ---- handlers ---- */
	{"handler-raises-again", life_logs_and_raises_again, NULL, NULL, NULL,
	 {HOW("fault"), SIGNAL("11"), CODE("SEGV_MAPERR"), "\"fault_address\":\"0x10\"",
	  "\"raised_again\":true", NO_SENDER, "\"confidence\":\"medium\""},
	 "handled and then raised again"},
	{"handler-faults-again", life_logs_and_faults_again, NULL, NULL, NULL,
	 {FAULT("11", "SEGV_MAPERR"), "\"fault_address\":\"0x10\"", "\"raised_again\":false"},
	 "segmentation fault"},
	{"handler-recovers", life_recovers, NULL, NULL, NULL,
	 {HOW("exit"), "\"exit_code\":7,", "\"signal\":null", SURE}, "exited with status 7"},
	{"handler-alternate-stack", life_overflows_onto_an_alternate_stack, NULL, NULL, NULL,
	 {HOW("fault"), SIGNAL("11"), OVERFLOW, "\"raised_again\":true"}, "stack overflow"},

	/* ---- what the kernel ends ---- */
	{"seccomp-filter", life_breaks_a_filter, NULL, NULL, no_seccomp,
	 {HOW("seccomp"), SIGNAL("31"), CODE("SYS_SECCOMP"), NO_SENDER, SURE}, "killed by seccomp"},
	{"seccomp-filter-thread", life_breaks_a_filter_of_threads, NULL, NULL, no_seccomp,
	 {HOW("seccomp"), SIGNAL("31"), CODE("SYS_SECCOMP"), NO_SENDER, SURE}, "killed by seccomp"},
	{"seccomp-strict", life_breaks_strict_mode, NULL, NULL, no_seccomp,
	 {HOW("seccomp"), SIGNAL("9"), NO_SENDER, SURE}, "killed by seccomp"},
	{"rlimit-cpu", life_uses_up_its_time, NULL, NULL, NULL,
	 {HOW("rlimit_cpu"), SIGNAL("9"), NO_SENDER, SURE}, "used up its CPU time (RLIMIT_CPU)"},
	{"rlimit-cpu-soft", life_uses_up_its_soft_time, NULL, NULL, NULL,
	 {HOW("rlimit_cpu"), SIGNAL("24"), NO_SENDER, SURE}, "SIGXCPU: it used up its CPU time"},
	{"rlimit-as", life_gets_no_memory, NULL, NULL, NULL, {HOW("abort"), SIGNAL("6"), SURE},
	 "aborted"},
	{"oom-itself", life_eats_memory, start_with_little_memory, NULL, no_memory_cgroups,
	 {HOW("oom"), SIGNAL("9"), NO_SENDER, "\"oom\":{\"trigger\":{\"pid\":{client},",
	  "\"limit_bytes\":25165824", "\"limit_cgroup\":\"", "/ttlog-causes-memory\"",
	  "!\"anonymous_bytes\":null", SURE},
	 "at its limit of 24 MiB, and it asked for more itself"},
	{"oom-by-another", life_is_a_fat_bystander, start_beside_an_eater, NULL, no_memory_cgroups,
	 {HOW("oom"), SIGNAL("9"), NO_SENDER,
	  "\"oom\":{\"trigger\":{\"pid\":{other},\"comm\":\"eater\"", CHILD_OF("test"),
	  "\"limit_bytes\":25165824", "/ttlog-causes-memory\"", SURE},
	 "and more was asked for by eater (pid {other}"},
	{"oom-of-the-machine", life_eats_all_memory, NULL, act_fill_the_machine, no_machine_of_our_own,
	 {HOW("oom"), SIGNAL("9"), NO_SENDER, "\"oom\":{\"trigger\":{", "\"limit_bytes\":null",
	  "!\"anonymous_bytes\":null", SURE},
	 "killed for want of memory"},
	{"cgroup-kill", life_waits, NULL, act_cgroup_kill, no_cgroup_kill,
	 {HOW("cgroup_kill"), SIGNAL("9"), THE_TEST, EXE, SURE}, "through cgroup.kill"},
	{"parent-death", life_waits, start_under_a_parent, act_go, NULL,
	 {HOW("parent_death"), SIGNAL("9"), FROM("other", "forebear"), SURE},
	 "at the death of its parent, forebear (pid {other}"},
	{"parent-death-term", life_waits, start_under_a_parent_softly, act_go, NULL,
	 {HOW("parent_death"), SIGNAL("15"), FROM("other", "forebear"), SURE},
	 "terminated by SIGTERM that it had asked for"},
	{"pidns-death", life_waits, start_in_a_namespace, act_go, no_pid_namespaces,
	 {HOW("pidns_death"), SIGNAL("9"), FROM("other", "tiny-init"), "\"ns_pid\":2,", SURE},
	 "init of its pid namespace died, tiny-init (pid {other}"},
	{"pidns-init-killed", life_waits, start_as_init, act_kill, no_pid_namespaces,
	 {HOW("signal"), SIGNAL("9"), THE_TEST, "\"ns_pid\":1,", SURE}, "killed by SIGKILL from"},
	{"pidns-init-exits", life_exits_3, start_as_init, NULL, no_pid_namespaces,
	 {HOW("exit"), "\"exit_code\":3,", "\"ns_pid\":1,", SURE}, "exited with status 3"},
	{"ptrace-kill", life_waits, NULL, act_trace_and_kill, NULL,
	 {HOW("signal"), SIGNAL("9"), FROM("other", "debugger"), "\"by_tracer\":true", SURE},
	 "from its tracer debugger (pid {other}"},
	{"ptrace-exit-kill", life_waits, NULL, act_trace_and_leave, NULL,
	 {HOW("signal"), SIGNAL("9"), CODE("SI_KERNEL"), NO_SENDER}, "sent by the kernel"},

	/* ---- others ---- */
	{"exec", life_executes_a_program, NULL, NULL, NULL,
	 {HOW("exec"), "\"reason\":\"exec\"", SURE}, "replaced by another program"},
	{"exec-in-thread", life_executes_in_a_thread, NULL, NULL, NULL,
	 {HOW("exec"), "\"reason\":\"exec\"", "\"signal\":null", SURE}, "replaced by another program"},
	{"much-core", life_dumps_much_core, NULL, NULL, no_core_files,
	 {FAULT("11", "SEGV_MAPERR"), "\"core_dumped\":true"}, "core dumped"},
};

const unsigned int cause_count = sizeof(causes) / sizeof(causes[0]);
