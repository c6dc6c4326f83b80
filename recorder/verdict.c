// SPDX-License-Identifier: MIT
/*
 * verdict.c - evidence in, verdict out; and the words for both.
 *
 * The exit code is the judge: a signal that it does not name is not to blame, however fatal it
 * looked. Evidence comes from the kernel, but nothing relies on that: any bytes give some verdict.
 */
#include "recorder/verdict.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* As in wait(2). 0x7f in the place of the signal means stopped, which is no death. */
#define STATUS_SIGNAL(status) ((int)((uint32_t)(status) & 0x7f))
#define STATUS_CORE(status) (((uint32_t)(status) & 0x80) != 0)
#define STATUS_EXIT(status) ((int)((uint32_t)(status) >> 8 & 0xff))
#define STATUS_STOPPED 0x7f

void verdict_note(struct evidence *evidence, const struct ttlog_bpf_event *event)
{
	if (evidence->count > VERDICT_EVIDENCE_MAX)
		evidence->count = VERDICT_EVIDENCE_MAX;
	if (evidence->count == VERDICT_EVIDENCE_MAX) {
		memmove(&evidence->event[0], &evidence->event[1],
			(VERDICT_EVIDENCE_MAX - 1) * sizeof(evidence->event[0]));
		evidence->count--;
		evidence->forgotten++;
	}
	evidence->event[evidence->count++] = *event;
}

/* ---- what is in the evidence ------------------------------------------------------------------ */

static unsigned int count_of(const struct evidence *evidence)
{
	return evidence->count < VERDICT_EVIDENCE_MAX ? evidence->count : VERDICT_EVIDENCE_MAX;
}

/* The newest event of a kind that has all of `flags`; signal 0 = any. NULL: none. */
static const struct ttlog_bpf_event *newest(const struct evidence *evidence, uint32_t kind,
					    int signal, uint32_t flags)
{
	for (unsigned int i = count_of(evidence); i-- > 0;) {
		const struct ttlog_bpf_event *event = &evidence->event[i];

		if (event->kind == kind && (!signal || event->signal == signal) &&
		    (event->flags & flags) == flags && !(event->flags & TTLOG_BPF_HANDLED))
			return event;
	}
	return NULL;
}

/*
 * What is known of that signal: the kernel program's own choice, which came with the death; else
 * what was told before; else (it was blocked, or its sender's event was lost) what the thread took.
 */
static const struct ttlog_bpf_event *find_signal(const struct evidence *evidence, int signal)
{
	const struct ttlog_bpf_event *event;

	event = newest(evidence, TTLOG_BPF_DEATH, signal, TTLOG_BPF_HAS_SIGNAL);
	if (!event)
		event = newest(evidence, TTLOG_BPF_SIGNAL, signal, TTLOG_BPF_FATAL);
	if (!event)
		event = newest(evidence, TTLOG_BPF_SIGNAL, signal, 0);
	if (!event)
		event = newest(evidence, TTLOG_BPF_DELIVER, signal, 0);
	return event;
}

/* ---- one signal, understood ------------------------------------------------------------------- */

static bool is_fault(int signal, int code)
{
	switch (signal) {
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP:
		return code > 0;
	default:
		return false;
	}
}

/*
 * Was it sent by who was running? Not if the kernel sent it: a timer, a terminal or a lack of memory
 * strikes while anybody runs, and nobody must be blamed for that.
 */
static bool has_sender(const struct ttlog_bpf_event *event)
{
	if (event->kind == TTLOG_BPF_DELIVER || !event->sender.pid ||
	    (event->flags & TTLOG_BPF_INFO_KERNEL))
		return false;
	return (event->flags & TTLOG_BPF_INFO_NONE) || event->code == SI_USER ||
	       event->code == SI_QUEUE || event->code == SI_TKILL;
}

static int code_of(const struct ttlog_bpf_event *event)
{
	/* What the kernel puts into a siginfo that its caller left to it. */
	return event->flags & TTLOG_BPF_INFO_KERNEL ? SI_KERNEL : event->code;
}

static void take_thread(const struct ttlog_bpf_event *event, uint32_t own_pid,
			struct verdict *verdict)
{
	bool by_itself = event->sender.pid && event->sender.pid == own_pid;

	if (by_itself)
		verdict->thread = event->sender;
	else if (verdict->how == VERDICT_FAULT && event->kind != TTLOG_BPF_DEATH)
		verdict->thread = event->target;
}

static void take_registers(const struct evidence *evidence, const struct ttlog_bpf_event *event,
			   struct verdict *verdict)
{
	if (!(event->flags & TTLOG_BPF_REGISTERS))
		event = newest(evidence, TTLOG_BPF_DELIVER, event->signal, TTLOG_BPF_REGISTERS);
	if (!event)
		return;
	verdict->ip = event->ip;
	verdict->sp = event->sp;
}

static uint64_t when(const struct evidence *evidence, const struct ttlog_bpf_event *event)
{
	const struct ttlog_bpf_event *taken;

	if (event->kind == TTLOG_BPF_DEATH)
		return event->signal_time_ns;
	/* A blocked signal becomes fatal when it is taken, not when it is sent. */
	taken = event->flags & TTLOG_BPF_FATAL
			? NULL
			: newest(evidence, TTLOG_BPF_DELIVER, event->signal, TTLOG_BPF_FATAL);
	return taken ? taken->time_ns : event->time_ns;
}

static void take_signal(const struct evidence *evidence, const struct ttlog_bpf_event *event,
			uint32_t own_pid, struct verdict *verdict)
{
	verdict->code = code_of(event);
	verdict->signal_ns = when(evidence, event);
	verdict->have_sender = has_sender(event);
	if (verdict->have_sender)
		verdict->sender = event->sender;
	if (is_fault(event->signal, verdict->code)) {
		verdict->how = VERDICT_FAULT;
		/* SI_KERNEL: a general protection fault, say: the CPU does not tell its address. */
		verdict->have_fault_address = verdict->code != SI_KERNEL;
		verdict->fault_address = verdict->have_fault_address ? event->fault_address : 0;
	} else if (event->signal == SIGABRT && verdict->have_sender &&
		   event->sender.pid == own_pid) {
		verdict->how = VERDICT_ABORT;
	}
	take_thread(event, own_pid, verdict);
	take_registers(evidence, event, verdict);
}

/* ---- the verdict ------------------------------------------------------------------------------ */

static void judge_signal(const struct evidence *evidence, int signal, uint32_t own_pid,
			 struct verdict *verdict)
{
	const struct ttlog_bpf_event *event = find_signal(evidence, signal);

	verdict->how = VERDICT_SIGNAL;
	verdict->have_signal = true;
	verdict->signal = signal;
	if (event)
		take_signal(evidence, event, own_pid, verdict);
	verdict->confidence = event ? VERDICT_HIGH : VERDICT_MEDIUM;
}

static void judge_status(const struct evidence *evidence, const struct ttlog_bpf_event *death,
			 uint32_t own_pid, struct verdict *verdict)
{
	int32_t status = death ? death->exit_code : evidence->wait_status;

	if (STATUS_SIGNAL(status) == STATUS_STOPPED)
		return;
	verdict->core_dumped = STATUS_CORE(status);
	if (STATUS_SIGNAL(status)) {
		judge_signal(evidence, STATUS_SIGNAL(status), own_pid, verdict);
	} else {
		verdict->how = VERDICT_EXIT;
		verdict->have_exit_code = true;
		verdict->exit_code = STATUS_EXIT(status);
		verdict->confidence = death ? VERDICT_HIGH : VERDICT_MEDIUM;
	}
	/* Two that can't both be right. */
	if (death && evidence->have_wait_status &&
	    ((death->exit_code ^ evidence->wait_status) & 0xff7f) != 0)
		verdict->confidence = VERDICT_LOW;
}

/* Nobody told the status. Gone, it may have been the fatal signal that was seen, if one was. */
static void judge_without_status(const struct evidence *evidence, uint32_t own_pid,
				 struct verdict *verdict)
{
	const struct ttlog_bpf_event *event = newest(evidence, TTLOG_BPF_SIGNAL, 0, TTLOG_BPF_FATAL);

	if (!event)
		event = newest(evidence, TTLOG_BPF_DELIVER, 0, TTLOG_BPF_FATAL);
	if (!evidence->hang_up) {
		verdict->how = VERDICT_ALIVE;
		verdict->confidence = event ? VERDICT_LOW : VERDICT_HIGH;
	} else if (event) {
		judge_signal(evidence, event->signal, own_pid, verdict);
		verdict->confidence = VERDICT_LOW;
	}
}

void verdict_reach(const struct evidence *evidence, uint32_t own_pid, struct verdict *ret_verdict)
{
	const struct ttlog_bpf_event *death = newest(evidence, TTLOG_BPF_DEATH, 0, 0);
	const struct ttlog_bpf_event *exec = newest(evidence, TTLOG_BPF_EXEC, 0, 0);
	struct verdict verdict = {.how = VERDICT_UNKNOWN, .confidence = VERDICT_LOW};

	if (death)
		verdict.death_ns = death->time_ns;
	if (!own_pid && death)
		own_pid = death->target.pid;
	if (exec) {
		/* What died afterwards was another program. */
		verdict.how = VERDICT_EXEC;
		verdict.confidence = VERDICT_HIGH;
		verdict.death_ns = exec->time_ns;
	} else if (death || evidence->have_wait_status) {
		judge_status(evidence, death, own_pid, &verdict);
	} else {
		judge_without_status(evidence, own_pid, &verdict);
	}
	*ret_verdict = verdict;
}

/* ---- words ------------------------------------------------------------------------------------ */

const char *verdict_how_name(enum verdict_how how)
{
	switch (how) {
	case VERDICT_EXIT:
		return "exit";
	case VERDICT_FAULT:
		return "fault";
	case VERDICT_ABORT:
		return "abort";
	case VERDICT_SIGNAL:
		return "signal";
	case VERDICT_EXEC:
		return "exec";
	case VERDICT_ALIVE:
		return "alive";
	case VERDICT_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *verdict_confidence_name(enum verdict_confidence confidence)
{
	switch (confidence) {
	case VERDICT_HIGH:
		return "high";
	case VERDICT_MEDIUM:
		return "medium";
	case VERDICT_LOW:
		break;
	}
	return "low";
}

#define NAME(symbol) [symbol] = #symbol

const char *verdict_signal_name(int signal, char *buffer, size_t bytes)
{
	static const char *const names[] = {
		NAME(SIGHUP),	 NAME(SIGINT),	NAME(SIGQUIT), NAME(SIGILL),	NAME(SIGTRAP),
		NAME(SIGABRT),	 NAME(SIGBUS),	NAME(SIGFPE),  NAME(SIGKILL),	NAME(SIGUSR1),
		NAME(SIGSEGV),	 NAME(SIGUSR2), NAME(SIGPIPE), NAME(SIGALRM),	NAME(SIGTERM),
		NAME(SIGSTKFLT), NAME(SIGCHLD), NAME(SIGCONT), NAME(SIGSTOP),	NAME(SIGTSTP),
		NAME(SIGTTIN),	 NAME(SIGTTOU), NAME(SIGURG),  NAME(SIGXCPU),	NAME(SIGXFSZ),
		NAME(SIGVTALRM), NAME(SIGPROF), NAME(SIGWINCH), NAME(SIGIO),	NAME(SIGPWR),
		NAME(SIGSYS),
	};

	if (signal > 0 && signal < (int)(sizeof(names) / sizeof(names[0])))
		snprintf(buffer, bytes, "%s", names[signal]);
	else
		snprintf(buffer, bytes, "SIG%d", signal);
	return bytes ? buffer : "";
}

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const char *code_above_zero(int signal, int code)
{
	/* By number: not every libc knows all the names. include/uapi/asm-generic/siginfo.h */
	static const char *const ill[] = {NULL, "ILL_ILLOPC", "ILL_ILLOPN", "ILL_ILLADR",
					  "ILL_ILLTRP", "ILL_PRVOPC", "ILL_PRVREG",
					  "ILL_COPROC", "ILL_BADSTK", "ILL_BADIADDR"};
	static const char *const fpe[] = {NULL, "FPE_INTDIV", "FPE_INTOVF", "FPE_FLTDIV",
					  "FPE_FLTOVF", "FPE_FLTUND", "FPE_FLTRES",
					  "FPE_FLTINV", "FPE_FLTSUB"};
	static const char *const segv[] = {NULL, "SEGV_MAPERR", "SEGV_ACCERR", "SEGV_BNDERR",
					   "SEGV_PKUERR", "SEGV_ACCADI", "SEGV_ADIDERR",
					   "SEGV_ADIPERR", "SEGV_MTEAERR", "SEGV_MTESERR",
					   "SEGV_CPERR"};
	static const char *const bus[] = {NULL, "BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR",
					  "BUS_MCEERR_AR", "BUS_MCEERR_AO"};
	static const char *const trap[] = {NULL, "TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH",
					   "TRAP_HWBKPT", "TRAP_UNK", "TRAP_PERF"};
	static const char *const sys[] = {NULL, "SYS_SECCOMP", "SYS_USER_DISPATCH"};
	static const char *const io[] = {NULL, "POLL_IN", "POLL_OUT", "POLL_MSG", "POLL_ERR",
					 "POLL_PRI", "POLL_HUP"};
	static const struct {
		int signal, count;
		const char *const *names;
	} tables[] = {
		{SIGILL, COUNT(ill), ill},	{SIGFPE, COUNT(fpe), fpe},
		{SIGSEGV, COUNT(segv), segv},	{SIGBUS, COUNT(bus), bus},
		{SIGTRAP, COUNT(trap), trap},	{SIGSYS, COUNT(sys), sys},
		{SIGIO, COUNT(io), io},
	};

	for (int i = 0; i < COUNT(tables); i++)
		if (tables[i].signal == signal)
			return code < tables[i].count ? tables[i].names[code] : NULL;
	return NULL;
}

const char *verdict_code_name(int signal, int code)
{
	switch (code) {
	case SI_USER:
		return "SI_USER";
	case SI_QUEUE:
		return "SI_QUEUE";
	case SI_TIMER:
		return "SI_TIMER";
	case SI_MESGQ:
		return "SI_MESGQ";
	case SI_ASYNCIO:
		return "SI_ASYNCIO";
	case SI_SIGIO:
		return "SI_SIGIO";
	case SI_TKILL:
		return "SI_TKILL";
	case SI_ASYNCNL:
		return "SI_ASYNCNL";
	case SI_KERNEL:
		return "SI_KERNEL";
	default:
		return code > 0 ? code_above_zero(signal, code) : NULL;
	}
}

void verdict_reason(const struct verdict *verdict, char *buffer, size_t bytes)
{
	switch (verdict->how) {
	case VERDICT_EXIT:
		snprintf(buffer, bytes, "exit-%d", verdict->exit_code);
		return;
	case VERDICT_FAULT:
	case VERDICT_SIGNAL:
		verdict_signal_name(verdict->signal, buffer, bytes);
		for (size_t i = 0; i < bytes && buffer[i]; i++)
			buffer[i] = (char)tolower((unsigned char)buffer[i]);
		return;
	case VERDICT_ALIVE:
		snprintf(buffer, bytes, "snapshot");
		return;
	default:
		snprintf(buffer, bytes, "%s", verdict_how_name(verdict->how));
	}
}
