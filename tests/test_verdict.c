// SPDX-License-Identifier: MIT
/*
 * Evidence and the verdict that it must give, row by row; and evidence that makes no sense. Causes that
 * look like others: test_verdict_causes.c.
 */
#include "tests/verdict_rows.h"

/* ---- exits ------------------------------------------------------------------------------------ */

Test(verdict, of_an_exit_is_its_code)
{
	const struct row rows[] = {
		{"exit(0)",
		 {DIED()}, NO_STATUS, true,
		 {HOW(EXIT, HIGH), CODE(0), .death_ns = 90},
		 "exit-0"},
		{"exit(3)",
		 {DIED(.exit_code = 3 << 8)}, 3 << 8, true,
		 {HOW(EXIT, HIGH), CODE(3), .death_ns = 90},
		 "exit-3"},
		{"exit(-1), known from wait() alone",
		 {{0}}, 0xff00, true,
		 {HOW(EXIT, MEDIUM), CODE(255)},
		 "exit-255"},
		{"a fatal signal that came too late",
		 {SENT(FATAL, .signal = SIGKILL, .sender = bash), DIED(.exit_code = 1 << 8)},
		  NO_STATUS, true,
		 {HOW(EXIT, HIGH), CODE(1), .death_ns = 90},
		 "exit-1"},
		{"the kernel and wait() contradict each other",
		 {DIED()}, 1 << 8, true,
		 {HOW(EXIT, LOW), CODE(0), .death_ns = 90},
		 "exit-0"},
	};

	CHECK(rows);
}

/* ---- signals ---------------------------------------------------------------------------------- */

Test(verdict, of_a_signal_names_its_sender)
{
	const struct row rows[] = {
		{"kill -9 by bash",
		 {SENT(FATAL, .signal = SIGKILL, .sender = bash), DIED(.exit_code = SIGKILL,
		  .signal = SIGKILL, .flags = RECALLS, .sender = bash, .signal_time_ns = 50)},
		  SIGKILL, true,
		 {HOW(SIGNAL, HIGH), BY(SIGKILL), FROM(bash), .signal_ns = 50, .death_ns = 90},
		 "sigkill"},
		{"the SIGNAL was lost",
		 {DIED(.exit_code = SIGTERM, .signal = SIGTERM, .flags = RECALLS, .sender = bash,
		  .signal_time_ns = 51)}, NO_STATUS, true,
		 {HOW(SIGNAL, HIGH), BY(SIGTERM), FROM(bash), .signal_ns = 51, .death_ns = 90},
		 "sigterm"},
		{"the DEATH was lost",
		 {SENT(FATAL, .signal = SIGTERM, .sender = bash)}, SIGTERM, true,
		 {HOW(SIGNAL, HIGH), BY(SIGTERM), FROM(bash), .signal_ns = 50},
		 "sigterm"},
		{"both are lost",
		 {{0}}, SIGTERM, true,
		 {HOW(SIGNAL, MEDIUM), .code_unknown = true, BY(SIGTERM)},
		 "sigterm"},
		{"another one was seen",
		 {SENT(FATAL, .signal = SIGKILL, .sender = bash), DIED(.exit_code = SIGTERM)},
		  NO_STATUS, true,
		 {HOW(SIGNAL, MEDIUM), .code_unknown = true, BY(SIGTERM), .death_ns = 90},
		 "sigterm"},
		{"one that a handler took",
		 {SENT(HANDLED, .signal = SIGTERM, .sender = bash), DIED(.exit_code = SIGTERM)},
		  NO_STATUS, true,
		 {HOW(SIGNAL, MEDIUM), .code_unknown = true, BY(SIGTERM), .death_ns = 90},
		 "sigterm"},
		{"blocked, then taken, the DEATH lost",
		 {SENT(0, .signal = SIGTERM, .sender = bash), TAKEN(FATAL | TTLOG_BPF_REGISTERS,
		  .signal = SIGTERM, .ip = 4, .sp = 5)}, SIGTERM, true,
		 {HOW(SIGNAL, HIGH), BY(SIGTERM), FROM(bash), .ip = 4, .sp = 5, .signal_ns = 60},
		 "sigterm"},
		{"SIGPIPE, its own doing",
		 {SENT(FATAL | TTLOG_BPF_INFO_NONE, .signal = SIGPIPE, .sender = self),
		  DIED(.exit_code = SIGPIPE)}, NO_STATUS, true,
		 {HOW(SIGNAL, HIGH), BY(SIGPIPE), FROM(self), .thread = self, .signal_ns = 50,
		  .death_ns = 90},
		 "sigpipe"},
		{"SIGSEGV sent by bash is no fault",
		 {SENT(FATAL, .signal = SIGSEGV, .sender = bash), DIED(.exit_code = SIGSEGV |
		  0x80)}, NO_STATUS, true,
		 {HOW(SIGNAL, HIGH), BY(SIGSEGV), FROM(bash), .core_dumped = true, .signal_ns =
		  50, .death_ns = 90},
		 "sigsegv"},
		{"SIGABRT sent by bash is no abort",
		 {SENT(FATAL, .signal = SIGABRT, .sender = bash), DIED(.exit_code = SIGABRT)},
		  NO_STATUS, true,
		 {HOW(SIGNAL, HIGH), BY(SIGABRT), FROM(bash), .signal_ns = 50, .death_ns = 90},
		 "sigabrt"},
	};

	CHECK(rows);
}

/* The task that ran when a signal came sent it only if the signal says so. */
Test(verdict, of_a_signal_does_not_name_who_only_ran_when_it_came)
{
	const struct row rows[] = {
		{"the kernel itself, while bash ran",
		 {SENT(FATAL | TTLOG_BPF_INFO_KERNEL, .signal = SIGALRM, .sender = bash),
		  DIED(.exit_code = SIGALRM)}, NO_STATUS, true,
		 {HOW(SIGNAL, HIGH), BY(SIGALRM), .code = SI_KERNEL, .signal_ns = 50, .death_ns =
		  90},
		 "sigalrm"},
		{"a POSIX timer, while bash ran",
		 {SENT(FATAL, .signal = SIGRTMIN, .code = SI_TIMER, .sender = bash),
		  DIED(.exit_code = SIGRTMIN)}, NO_STATUS, true,
		 {HOW(SIGNAL, HIGH), BY(SIGRTMIN), .code = SI_TIMER, .signal_ns = 50, .death_ns =
		  90},
		 "sig34"},
		{"bash, in a timer's name",
		 {SENT(FATAL | TTLOG_BPF_ON_STACK, .signal = SIGRTMIN, .code = SI_TIMER, .sender = bash),
		  DIED(.exit_code = SIGRTMIN)}, NO_STATUS, true,
		 {HOW(SIGNAL, HIGH), BY(SIGRTMIN), .code = SI_TIMER, FROM(bash),
		  .signal_ns = 50, .death_ns = 90},
		 "sig34"},
		{"a USB transfer, while bash ran",
		 {SENT(FATAL | TTLOG_BPF_ON_STACK, .signal = SIGRTMIN, .code = SI_ASYNCIO, .sender = bash),
		  DIED(.exit_code = SIGRTMIN)}, NO_STATUS, true,
		 {HOW(SIGNAL, HIGH), BY(SIGRTMIN), .code = SI_ASYNCIO, .signal_ns = 50, .death_ns = 90},
		 "sig34"},
	};

	CHECK(rows);
}

/* ---- faults and aborts ------------------------------------------------------------------------ */

Test(verdict, of_a_fault_says_where)
{
	const uint32_t full = TTLOG_BPF_FATAL | TTLOG_BPF_REGISTERS;
	const struct row rows[] = {
		{"a null pointer",
		 {SENT(full, .signal = SIGSEGV, .code = SEGV_MAPERR, .fault_address = 16, .ip = 1,
		  .sp = 2, .sender = self, .target = self), DIED(.exit_code = SIGSEGV)},
		  NO_STATUS, true,
		 {HOW(FAULT, HIGH), BY(SIGSEGV), .code = SEGV_MAPERR, AT(16), .ip = 1, .sp = 2,
		  .thread = self, .signal_ns = 50, .death_ns = 90},
		 "sigsegv"},
		{"the address zero is one",
		 {SENT(FATAL, .signal = SIGSEGV, .code = SEGV_MAPERR, .sender = self),
		  DIED(.exit_code = SIGSEGV)}, NO_STATUS, true,
		 {HOW(FAULT, HIGH), BY(SIGSEGV), .code = SEGV_MAPERR, AT(0), .thread = self,
		  .signal_ns = 50, .death_ns = 90},
		 "sigsegv"},
		{"an address that the CPU does not tell",
		 {SENT(FATAL, .signal = SIGSEGV, .code = SI_KERNEL, .sender = self),
		  DIED(.exit_code = SIGSEGV)}, NO_STATUS, true,
		 {HOW(FAULT, HIGH), BY(SIGSEGV), .code = SI_KERNEL, .thread = self, .signal_ns =
		  50, .death_ns = 90},
		 "sigsegv"},
		{"a division by zero, the SIGNAL lost",
		 {DIED(.exit_code = SIGFPE | 0x80, .signal = SIGFPE, .code = FPE_INTDIV,
		  .fault_address = 77, .ip = 77, .sp = 3, .flags = RECALLS | TTLOG_BPF_REGISTERS,
		  .sender = self, .signal_time_ns = 55)}, NO_STATUS, true,
		 {HOW(FAULT, HIGH), BY(SIGFPE), .code = FPE_INTDIV, AT(77), .ip = 77, .sp = 3,
		  .thread = self, .core_dumped = true, .signal_ns = 55, .death_ns = 90},
		 "sigfpe"},
		{"SIGKILL while the core was dumped",
		 {SENT(FATAL, .signal = SIGBUS, .code = BUS_ADRERR, .fault_address = 9, .sender =
		  self), SENT(FATAL, .signal = SIGKILL, .sender = bash), DIED(.exit_code =
		  SIGBUS)}, NO_STATUS, true,
		 {HOW(FAULT, HIGH), BY(SIGBUS), .code = BUS_ADRERR, AT(9), .thread = self,
		  .signal_ns = 50, .death_ns = 90},
		 "sigbus"},
		{"gone after a fault, nothing else known",
		 {SENT(FATAL, .signal = SIGILL, .code = ILL_ILLOPN, .fault_address = 8, .sender =
		  self)}, NO_STATUS, true,
		 {HOW(FAULT, LOW), BY(SIGILL), .code = ILL_ILLOPN, AT(8), .thread = self,
		  .signal_ns = 50},
		 "sigill"},
		{"seccomp is no fault",
		 {SENT(FATAL, .signal = SIGSYS, .code = 1, .sender = self), DIED(.exit_code =
		  SIGSYS)}, NO_STATUS, true,
		 {HOW(SECCOMP, HIGH), BY(SIGSYS), .code = 1, .thread = self, .signal_ns = 50,
		  .death_ns = 90},
		 "seccomp"},
	};

	CHECK(rows);
}

Test(verdict, of_an_abort_names_the_thread)
{
	const struct row rows[] = {
		{"abort()",
		 {SENT(FATAL, .signal = SIGABRT, .code = SI_TKILL, .sender = self),
		  DIED(.exit_code = SIGABRT)}, NO_STATUS, true,
		 {HOW(ABORT, HIGH), BY(SIGABRT), .code = SI_TKILL, FROM(self), .thread = self,
		  .signal_ns = 50, .death_ns = 90},
		 "abort"},
		{"SIGABRT, known from wait() alone",
		 {{0}}, SIGABRT | 0x80, true,
		 {HOW(SIGNAL, MEDIUM), .code_unknown = true, BY(SIGABRT), .core_dumped = true},
		 "sigabrt"},
	};

	CHECK(rows);
}

/* ---- everything else -------------------------------------------------------------------------- */

Test(verdict, says_what_it_does_not_know)
{
	const struct row rows[] = {
		{"nothing happened",
		 {{0}}, NO_STATUS, false,
		 {HOW(ALIVE, HIGH)}, "snapshot"},
		{"a snapshot after a handled signal",
		 {SENT(HANDLED, .signal = SIGSEGV)}, NO_STATUS, false,
		 {HOW(ALIVE, HIGH)}, "snapshot"},
		{"a snapshot while it dies",
		 {SENT(FATAL, .signal = SIGSEGV)}, NO_STATUS, false,
		 {HOW(ALIVE, LOW)}, "snapshot"},
		{"gone",
		 {{0}}, NO_STATUS, true,
		 {HOW(UNKNOWN, LOW)}, "unknown"},
		{"gone after a handled signal",
		 {SENT(HANDLED, .signal = SIGSEGV)}, NO_STATUS, true,
		 {HOW(UNKNOWN, LOW)}, "unknown"},
		{"stopped is not dead",
		 {{0}}, SIGSTOP << 8 | 0x7f, true,
		 {HOW(UNKNOWN, LOW)}, "unknown"},
		{"exec",
		 {{.kind = TTLOG_BPF_EXEC, .time_ns = 70, .target = main_thread}}, NO_STATUS,
		  false,
		 {HOW(EXEC, HIGH), .death_ns = 70}, "exec"},
		{"what another program died of after the exec",
		 {{.kind = TTLOG_BPF_EXEC, .time_ns = 70}, SENT(FATAL, .signal = SIGKILL, .sender
		  = bash), DIED(.exit_code = SIGKILL)}, SIGKILL, true,
		 {HOW(EXEC, HIGH), .death_ns = 70}, "exec"},
		{"a kind from the future",
		 {{.kind = 77, .signal = 9, .flags = ~0u}}, NO_STATUS, true,
		 {HOW(UNKNOWN, LOW)}, "unknown"},
	};

	CHECK(rows);
}

Test(verdict, keeps_the_newest_evidence_and_counts_the_rest)
{
	struct evidence evidence = {0};
	struct ttlog_bpf_event event = {.kind = TTLOG_BPF_SIGNAL, .flags = TTLOG_BPF_HANDLED};

	for (int i = 0; i < 1000; i++) {
		event.time_ns = (uint64_t)i;
		verdict_note(&evidence, &event);
	}
	cr_assert_eq(evidence.count, VERDICT_EVIDENCE_MAX);
	cr_assert_eq(evidence.forgotten, 1000 - VERDICT_EVIDENCE_MAX);
	for (unsigned int i = 0; i < VERDICT_EVIDENCE_MAX; i++)
		cr_assert_eq(evidence.event[i].time_ns, 1000 - VERDICT_EVIDENCE_MAX + i);
}

Test(verdict, takes_the_process_from_the_death_if_nobody_says_it)
{
	const struct ttlog_bpf_event event =
		DIED(.exit_code = SIGABRT, .signal = SIGABRT, .flags = RECALLS, .code = SI_TKILL,
		     .sender = self);
	struct evidence evidence = {0};
	struct verdict verdict;

	verdict_note(&evidence, &event);
	verdict_reach(&evidence, 0, &verdict);
	cr_assert_eq(verdict.how, VERDICT_ABORT);
}

/* ---- garbage ---------------------------------------------------------------------------------- */

static void fill(void *bytes, size_t count, unsigned int *seed)
{
	for (size_t i = 0; i < count; i++)
		((unsigned char *)bytes)[i] = (unsigned char)rand_r(seed);
}

static void check_sane(const struct evidence *evidence)
{
	struct verdict verdict;
	char reason[64], name[64];

	verdict_reach(evidence, OWN, &verdict);
	cr_assert_leq(verdict.how, VERDICT_SECCOMP);
	cr_assert_leq(verdict.confidence, VERDICT_HIGH);
	cr_assert(verdict.exit_code >= 0 && verdict.exit_code <= 255);
	verdict_reason(&verdict, reason, sizeof(reason));
	cr_assert_gt(strlen(reason), 0);
	cr_assert_lt(strlen(reason), sizeof(reason));
	cr_assert_not_null(verdict_signal_name(verdict.signal, name, sizeof(name)));
	(void)verdict_code_name(verdict.signal, verdict.code);
}

Test(verdict, of_garbage_is_some_verdict)
{
	static struct evidence evidence;
	unsigned int seed = 1;

	for (int round = 0; round < 20000; round++) {
		fill(&evidence.event, sizeof(evidence.event), &seed);
		for (unsigned int i = 0; i < VERDICT_EVIDENCE_MAX; i++) {
			evidence.event[i].kind %= 6;
			if (rand_r(&seed) % 2)
				evidence.event[i].signal = rand_r(&seed) % 70 - 2;
			if (rand_r(&seed) % 2)
				evidence.event[i].exit_code = rand_r(&seed) % 256;
		}
		evidence.count = round % 3 ? (unsigned int)round % 40 : (unsigned int)rand_r(&seed);
		evidence.have_wait_status = rand_r(&seed) % 2;
		evidence.wait_status = rand_r(&seed) * (rand_r(&seed) % 2 ? 1 : -1);
		evidence.hang_up = rand_r(&seed) % 2;
		check_sane(&evidence);
		verdict_note(&evidence, &(struct ttlog_bpf_event){.kind = TTLOG_BPF_DEATH});
		cr_assert_leq(evidence.count, VERDICT_EVIDENCE_MAX);
	}
}

/* ---- words ------------------------------------------------------------------------------------ */

Test(verdict, knows_the_names)
{
	static const struct {
		int signal, code;
		const char *signal_name, *code_name;
	} rows[] = {
		{SIGSEGV, SEGV_MAPERR, "SIGSEGV", "SEGV_MAPERR"},
		{SIGSEGV, SEGV_ACCERR, "SIGSEGV", "SEGV_ACCERR"},
		{SIGBUS, BUS_ADRERR, "SIGBUS", "BUS_ADRERR"},
		{SIGFPE, FPE_INTDIV, "SIGFPE", "FPE_INTDIV"},
		{SIGILL, ILL_ILLOPN, "SIGILL", "ILL_ILLOPN"},
		{SIGTRAP, TRAP_BRKPT, "SIGTRAP", "TRAP_BRKPT"},
		{SIGSYS, 1, "SIGSYS", "SYS_SECCOMP"},
		{SIGKILL, SI_USER, "SIGKILL", "SI_USER"},
		{SIGABRT, SI_TKILL, "SIGABRT", "SI_TKILL"},
		{SIGSEGV, SI_KERNEL, "SIGSEGV", "SI_KERNEL"},
		{SIGTERM, SI_QUEUE, "SIGTERM", "SI_QUEUE"},
		{64, SI_TIMER, "SIG64", "SI_TIMER"},
		{SIGSEGV, 12345, "SIGSEGV", NULL},
		{SIGSEGV, INT32_MAX, "SIGSEGV", NULL},
		{SIGSEGV, INT32_MIN, "SIGSEGV", NULL},
		{SIGKILL, 1, "SIGKILL", NULL},
		{0, 1, "SIG0", NULL},
		{32, 1, "SIG32", NULL},
		{-1, 1, "SIG-1", NULL},
		{INT32_MIN, 1, "SIG-2147483648", NULL},
	};
	char name[32];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *code = verdict_code_name(rows[i].signal, rows[i].code);

		cr_expect_str_eq(verdict_signal_name(rows[i].signal, name, sizeof(name)),
				 rows[i].signal_name);
		if (rows[i].code_name)
			cr_expect(code && !strcmp(code, rows[i].code_name), "%s", rows[i].code_name);
		else
			cr_expect_null(code);
	}
	for (int signal = 1; signal < 32; signal++)
		cr_expect(!strncmp(verdict_signal_name(signal, name, sizeof(name)), "SIG", 3) &&
				  (name[3] < '0' || name[3] > '9'), "signal %d has a name", signal);
	cr_expect_str_eq(verdict_signal_name(SIGSEGV, name, 0), "");
	cr_expect_str_eq(verdict_signal_name(SIGSEGV, name, 4), "SIG");
}
