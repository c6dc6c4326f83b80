// SPDX-License-Identifier: MIT
/*
 * verdict.c - evidence in, verdict out. (The words for both: verdict_words.c.)
 *
 * The exit code is the judge: a signal that it does not name is not to blame, however fatal it
 * looked. Evidence comes from the kernel, but nothing relies on that: any bytes give some verdict.
 */
#include "recorder/verdict.h"

#include <signal.h>
#include <string.h>

/* As in wait(2). 0x7f in the place of the signal means stopped, which is no death. */
#define STATUS_SIGNAL(status) ((int)((uint32_t)(status) & 0x7f))
#define STATUS_CORE(status) (((uint32_t)(status) & 0x80) != 0)
#define STATUS_EXIT(status) ((int)((uint32_t)(status) >> 8 & 0xff))
#define STATUS_STOPPED 0x7f
#define SECCOMP_CODE 1 /* SYS_SECCOMP, which not every libc knows */

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

static bool is_by_process(int code)
{
	return code == SI_USER || code == SI_QUEUE || code == SI_TKILL;
}

/*
 * rt_sigqueueinfo() sends any code below zero, also those by which the kernel tells of timers and
 * message queues; but from the caller's stack. The kernel tells of USB transfers from where it
 * happens to be.
 */
static bool is_by_call(const struct ttlog_bpf_event *event)
{
	return (event->flags & TTLOG_BPF_ON_STACK) && event->code < 0 && event->code != SI_ASYNCIO;
}

/*
 * Was it sent by who was running? Not if the kernel sent it: a timer, a terminal or a lack of memory
 * strikes while anybody runs, and nobody must be blamed for that.
 */
static bool has_sender(const struct ttlog_bpf_event *event)
{
	if (event->flags & TTLOG_BPF_TRACER)
		return event->sender.pid != 0;
	if (event->kind == TTLOG_BPF_DELIVER || !event->sender.pid ||
	    (event->flags & TTLOG_BPF_INFO_KERNEL))
		return false;
	return (event->flags & TTLOG_BPF_INFO_NONE) || is_by_process(event->code) ||
	       is_by_call(event);
}

static int code_of(const struct ttlog_bpf_event *event)
{
	/* What the kernel puts into a siginfo that its caller left to it. */
	return event->flags & TTLOG_BPF_INFO_KERNEL ? SI_KERNEL : event->code;
}

/* Nothing but the siginfo says who sent it, if one is there and was not made up for want of one. */
static bool has_siginfo(const struct ttlog_bpf_event *event)
{
	if (event->flags & TTLOG_BPF_NO_SIGINFO)
		return false;
	return !(event->flags & TTLOG_BPF_UNSEEN) || event->code != SI_USER || event->info_pid ||
	       event->info_uid;
}

/* Sent by kill() or its like, which nobody saw. */
static void take_told(const struct ttlog_bpf_event *event, struct verdict *verdict)
{
	verdict->code_unknown = !has_siginfo(event);
	if (verdict->code_unknown || !(event->flags & TTLOG_BPF_UNSEEN) ||
	    !is_by_process(event->code))
		return;
	verdict->told_pid = event->info_pid;
	verdict->told_uid = event->info_uid;
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

/* ---- causes that come as a signal ------------------------------------------------------------- */

static bool is_overflow(const struct ttlog_bpf_event *event)
{
	const uint64_t near = UINT64_C(64) << 10, frame = UINT64_C(1) << 20;
	const uint64_t address = event->fault_address, sp = event->sp;

	if (event->signal != SIGSEGV || !(event->flags & TTLOG_BPF_REGISTERS))
		return false;
	/* Below sp there is stack down to its guard: what faults there has used it up. */
	if (address < sp && sp - address <= near)
		return true;
	/* At sp and above is the frame of who runs, unless sp itself is beyond the end. */
	return address >= sp && address - sp < frame && (event->flags & TTLOG_BPF_STACK_GONE);
}

static void take_fault(const struct ttlog_bpf_event *event, struct verdict *verdict)
{
	verdict->how = VERDICT_FAULT;
	verdict->code = code_of(event);
	/* SI_KERNEL: a general protection fault, say: the CPU does not tell its address. */
	verdict->have_fault_address = verdict->code != SI_KERNEL;
	verdict->fault_address = verdict->have_fault_address ? event->fault_address : 0;
	verdict->stack_overflow = verdict->have_fault_address && is_overflow(event);
}

/* A handler may log a fault, and then raise the signal once more to let it end the process. */
static const struct ttlog_bpf_event *handled_fault(const struct evidence *evidence,
						   const struct ttlog_bpf_event *raised)
{
	for (unsigned int i = count_of(evidence); i-- > 0;) {
		const struct ttlog_bpf_event *event = &evidence->event[i];

		if (event->kind == TTLOG_BPF_SIGNAL && (event->flags & TTLOG_BPF_HANDLED) &&
		    event->signal == raised->signal && is_fault(event->signal, event->code) &&
		    event->target.tid == raised->sender.tid)
			return event;
	}
	return NULL;
}

/* SIGKILL that the kernel sent by itself. Whom it struck in the context of is known, and no more. */
static enum verdict_how how_of_kernel_kill(const struct evidence *evidence,
					   const struct ttlog_bpf_event *event, uint32_t own_pid)
{
	const uint32_t dying_init = TTLOG_BPF_SENDER_INIT | TTLOG_BPF_SENDER_EXITING;

	if (newest(evidence, TTLOG_BPF_OOM, 0, 0))
		return VERDICT_OOM;
	if ((event->flags & dying_init) == dying_init && event->sender.pid != own_pid)
		return VERDICT_PIDNS_DEATH;
	if (event->sender.pid == own_pid && (event->flags & TTLOG_BPF_CPU_LIMIT))
		return VERDICT_RLIMIT_CPU;
	return VERDICT_SIGNAL;
}

/* Sent without a siginfo. One that is only seen when it is taken comes without for other reasons. */
static bool is_bare(const struct ttlog_bpf_event *event)
{
	return (event->flags & TTLOG_BPF_INFO_NONE) && !(event->flags & TTLOG_BPF_UNSEEN) &&
	       event->kind != TTLOG_BPF_DELIVER;
}

static enum verdict_how how_of_bare_signal(const struct ttlog_bpf_event *event, uint32_t own_pid)
{
	const uint32_t dying_parent = TTLOG_BPF_PARENT_DEATH | TTLOG_BPF_SENDER_EXITING;

	if (event->signal == SIGKILL && !(event->flags & TTLOG_BPF_GROUP))
		return VERDICT_CGROUP_KILL;
	if ((event->flags & TTLOG_BPF_GROUP) && (event->flags & dying_parent) == dying_parent &&
	    event->sender.pid != own_pid)
		return VERDICT_PARENT_DEATH;
	return VERDICT_SIGNAL;
}

static enum verdict_how how_of_signal(const struct evidence *evidence,
				      const struct ttlog_bpf_event *event, uint32_t own_pid)
{
	const bool unseen = event->flags & TTLOG_BPF_UNSEEN;
	const bool by_kernel = (event->flags & TTLOG_BPF_INFO_KERNEL) ||
			       (event->signal == SIGXCPU && event->code == SI_KERNEL);
	const bool by_itself = has_sender(event) ? event->sender.pid == own_pid
						 : unseen && event->code == SI_TKILL &&
							   event->info_pid == own_pid;

	if (event->signal == SIGSYS && event->code == SECCOMP_CODE && !by_kernel)
		return VERDICT_SECCOMP;
	if (event->signal == SIGABRT && by_itself)
		return VERDICT_ABORT;
	if (event->signal == SIGKILL && unseen)
		return newest(evidence, TTLOG_BPF_OOM, 0, 0) ? VERDICT_OOM : VERDICT_SIGNAL;
	if (event->signal == SIGKILL && by_kernel)
		return how_of_kernel_kill(evidence, event, own_pid);
	if (event->signal == SIGXCPU && by_kernel && (unseen || event->sender.pid == own_pid) &&
	    (event->flags & TTLOG_BPF_CPU_LIMIT))
		return VERDICT_RLIMIT_CPU;
	if (is_bare(event))
		return how_of_bare_signal(event, own_pid);
	return VERDICT_SIGNAL;
}

static unsigned int place_of(const struct evidence *evidence, const struct evidence_more *more)
{
	return more ? (unsigned int)(more - evidence->more) + 1 : 0;
}

static unsigned int more_of_sender(const struct evidence *evidence, int signal,
				   const struct ttlog_bpf_actor *sender)
{
	const struct evidence_more *found = NULL;

	for (int i = 0; i < EVIDENCE_MORE_MAX; i++) {
		const struct evidence_more *more = &evidence->more[i];

		if (more->time_ns && more->signal == signal && more->sender.tid == sender->tid &&
		    (more->kind == TTLOG_BPF_SIGNAL || more->kind == TTLOG_BPF_DELIVER) &&
		    (!found || more->time_ns > found->time_ns))
			found = more;
	}
	return place_of(evidence, found);
}

/* The kernel told of it twice, 40 us apart: the figures are in either. */
static void take_oom(const struct evidence *evidence, const struct ttlog_bpf_event *killed,
		     struct verdict *verdict)
{
	const struct ttlog_bpf_event *oom = newest(evidence, TTLOG_BPF_OOM, 0, 0);

	verdict->trigger = oom->sender;
	verdict->sender_more = more_of_sender(evidence, killed->signal, &killed->sender);
	verdict->oom_more = place_of(evidence, verdict_more(evidence, oom));
	if (!verdict->oom_more)
		verdict->oom_more = verdict->sender_more;
	if (verdict->oom_more)
		verdict->limit_pages = evidence->more[verdict->oom_more - 1].more.limit_pages;
}

static void take_sender(const struct evidence *evidence, const struct ttlog_bpf_event *event,
			struct verdict *verdict)
{
	/* There the one who was at work when the kernel struck is to be named. */
	verdict->have_sender = has_sender(event) || verdict->how == VERDICT_PIDNS_DEATH;
	if (!verdict->have_sender)
		return;
	verdict->sender = event->sender;
	verdict->sender_more = more_of_sender(evidence, event->signal, &event->sender);
}

static void take_signal(const struct evidence *evidence, const struct ttlog_bpf_event *event,
			uint32_t own_pid, struct verdict *verdict)
{
	const struct ttlog_bpf_event *fault = NULL;

	verdict->code = code_of(event);
	verdict->signal_ns = when(evidence, event);
	verdict->by_tracer = event->flags & TTLOG_BPF_TRACER;
	verdict->bare = is_bare(event);
	if (has_sender(event) && event->sender.pid == own_pid)
		fault = handled_fault(evidence, event);
	verdict->raised_again = fault != NULL;
	if (fault)
		event = fault;
	if (is_fault(event->signal, code_of(event)))
		take_fault(event, verdict);
	else
		verdict->how = how_of_signal(evidence, event, own_pid);
	take_sender(evidence, event, verdict);
	take_told(event, verdict);
	if (verdict->how == VERDICT_OOM)
		take_oom(evidence, event, verdict);
	take_thread(event, own_pid, verdict);
	take_registers(evidence, event, verdict);
}

/* ---- the verdict ------------------------------------------------------------------------------ */

/*
 * What another event could have told apart, had it not been lost; what a handler made of it; and who, of
 * a signal that nobody saw being sent. Of one from the kernel the siginfo says all that there is.
 */
static bool is_doubtful(const struct evidence *evidence, const struct ttlog_bpf_event *event,
			const struct verdict *verdict)
{
	const bool who_unseen = (event->flags & TTLOG_BPF_UNSEEN) && verdict->how != VERDICT_OOM &&
				(verdict->code_unknown || is_by_process(verdict->code));
	const bool maybe_oom = verdict->signal == SIGKILL && verdict->code == SI_KERNEL &&
			       verdict->how != VERDICT_OOM;

	return verdict->raised_again || who_unseen || (maybe_oom && evidence->lost);
}

static void judge_signal(const struct evidence *evidence, int signal, uint32_t own_pid,
			 struct verdict *verdict)
{
	const struct ttlog_bpf_event *event = find_signal(evidence, signal);

	verdict->how = VERDICT_SIGNAL;
	verdict->have_signal = true;
	verdict->signal = signal;
	verdict->code_unknown = !event;
	if (event)
		take_signal(evidence, event, own_pid, verdict);
	else if (newest(evidence, TTLOG_BPF_DEATH, 0, TTLOG_BPF_SECCOMP_DEAD) &&
		 (signal == SIGKILL || signal == SIGSYS))
		verdict->how = VERDICT_SECCOMP;
	if (event ? is_doubtful(evidence, event, verdict) : verdict->how != VERDICT_SECCOMP)
		verdict->confidence = VERDICT_MEDIUM;
	else
		verdict->confidence = VERDICT_HIGH;
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
	struct verdict verdict = {.how = VERDICT_UNKNOWN, .confidence = VERDICT_LOW,
				  .unwatched = evidence->unwatched};

	if (death) {
		verdict.death_ns = death->time_ns;
		verdict.memory_more = place_of(evidence, verdict_more(evidence, death));
	}
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
	verdict.target_pid = own_pid;
	*ret_verdict = verdict;
}
