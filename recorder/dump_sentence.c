/* SPDX-License-Identifier: MIT */
/*
 * The verdict as one sentence. It says what is known, names what is not, and guesses nothing: somebody
 * reads it at three in the morning and acts on it.
 */
#include "recorder/dump_writer.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "recorder/dump_occasion.h"

struct line {
	char *text;
	size_t bytes, length;
};

static __attribute__((format(printf, 2, 3))) void say(struct line *line, const char *format, ...)
{
	va_list arguments;
	int wanted;

	va_start(arguments, format);
	wanted = vsnprintf(line->text + line->length, line->bytes - line->length, format, arguments);
	va_end(arguments);
	if (wanted < 0)
		return;
	line->length += (size_t)wanted;
	if (line->length >= line->bytes)
		line->length = line->bytes - 1;
}

/* A process names itself: what is not printable ASCII becomes a question mark. */
static void say_comm(struct line *line, const char *comm)
{
	size_t length = strnlen(comm, TTLOG_BPF_COMM_BYTES);

	for (size_t i = 0; i < length; i++)
		say(line, "%c", comm[i] >= ' ' && comm[i] <= '~' ? comm[i] : '?');
}

static void say_signal(struct line *line, const struct verdict *verdict)
{
	const char *code = verdict_code_name(verdict->signal, verdict->code);
	char name[32];

	say(line, "%s", verdict_signal_name(verdict->signal, name, sizeof(name)));
	if (verdict->how == VERDICT_FAULT && code)
		say(line, " (%s)", code);
}

static void say_thread(struct line *line, const struct verdict *verdict)
{
	if (!verdict->thread.tid)
		return;
	say(line, " in thread ");
	say_comm(line, verdict->thread.comm);
	say(line, " (tid %u)", verdict->thread.tid);
}

static const char *fault_word(int signal)
{
	switch (signal) {
	case SIGSEGV:
		return "segmentation fault";
	case SIGBUS:
		return "bus error";
	case SIGFPE:
		return "arithmetic error";
	case SIGILL:
		return "illegal instruction";
	case SIGTRAP:
		return "trap";
	default:
		return "fault";
	}
}

static void say_actor(struct line *line, const struct ttlog_bpf_actor *actor)
{
	say(line, " ");
	say_comm(line, actor->comm);
	say(line, " (pid %u, uid %u)", actor->pid, actor->uid);
}

/* Of a SIGPIPE that nobody sent but the kernel, to who wrote. Anybody may send one with kill() as well. */
static bool is_broken_pipe(const struct verdict *verdict)
{
	return verdict->how == VERDICT_SIGNAL && verdict->signal == SIGPIPE && verdict->bare;
}

static void say_sender(struct line *line, const struct verdict *verdict)
{
	const struct ttlog_bpf_actor *sender = &verdict->sender;

	if (!verdict->have_sender && verdict->code == SI_KERNEL) {
		say(line, ", sent by the kernel");
	} else if (!verdict->have_sender && verdict->have_signal && verdict->code == SI_TIMER) {
		say(line, " of a timer that it had set");
	} else if (!verdict->have_sender && verdict->told_pid) {
		say(line, " from pid %u, uid %u, as its siginfo says", verdict->told_pid,
		    verdict->told_uid);
	} else if (!verdict->have_sender) {
		say(line, " (sender not known)");
	} else if (verdict->by_tracer) {
		say(line, " from its tracer");
		say_actor(line, sender);
	} else if (verdict->thread.pid && sender->pid == verdict->thread.pid) {
		say(line, is_broken_pipe(verdict) ? ": it wrote to a pipe or socket without a reader"
						  : " that it sent to itself");
		say_thread(line, verdict);
	} else {
		say(line, " from");
		say_actor(line, sender);
	}
}

static void say_bytes(struct line *line, uint64_t bytes)
{
	if (bytes >> 30 && !(bytes & ((1u << 30) - 1)))
		say(line, "%llu GiB", (unsigned long long)(bytes >> 30));
	else if (bytes >> 20)
		say(line, "%llu MiB", (unsigned long long)(bytes >> 20));
	else
		say(line, "%llu KiB", (unsigned long long)(bytes >> 10));
}

static void say_oom(struct line *line, const struct verdict *verdict)
{
	say(line, "killed for want of memory");
	if (verdict->limit_pages) {
		say(line, ": its memory cgroup is at its limit of ");
		say_bytes(line, verdict->limit_pages * (uint64_t)sysconf(_SC_PAGESIZE));
	}
	if (verdict->trigger.pid && verdict->trigger.pid == verdict->target_pid) {
		say(line, ", and it asked for more itself");
	} else if (verdict->trigger.pid) {
		say(line, ", and more was asked for by");
		say_actor(line, &verdict->trigger);
	}
}

static const char *end_word(const struct verdict *verdict)
{
	return verdict->signal == SIGKILL ? "killed" : "terminated";
}

static void say_exit(struct line *line, const struct verdict *verdict)
{
	if (!verdict->have_exit_code)
		say(line, "exited with a status that is not known");
	else if (verdict->exit_code == 0)
		say(line, "exited cleanly (status 0)");
	else
		say(line, "exited with status %d", verdict->exit_code);
}

static void say_alive(struct line *line, const struct verdict *verdict)
{
	char why[512];

	dump_occasion_sentence(&verdict->occasion, why, sizeof(why));
	if (why[0])
		say(line, "a snapshot: %s", why);
	else
		say(line, "alive: a snapshot");
}

static void say_death(struct line *line, const struct verdict *verdict)
{
	switch (verdict->how) {
	case VERDICT_ALIVE:
		say_alive(line, verdict);
		return;
	case VERDICT_EXIT:
		say_exit(line, verdict);
		return;
	case VERDICT_FAULT:
		say(line, "%s: ", verdict->stack_overflow ? "stack overflow"
							 : fault_word(verdict->signal));
		say_signal(line, verdict);
		if (verdict->have_fault_address)
			say(line, " at address 0x%llx", (unsigned long long)verdict->fault_address);
		say_thread(line, verdict);
		if (verdict->raised_again)
			say(line, ", handled and then raised again");
		return;
	case VERDICT_ABORT:
		say(line, "aborted: SIGABRT raised by itself");
		say_thread(line, verdict);
		return;
	case VERDICT_SIGNAL:
		say(line, "%s by ", end_word(verdict));
		say_signal(line, verdict);
		say_sender(line, verdict);
		return;
	case VERDICT_EXEC:
		say(line, "replaced by another program (exec)");
		return;
	case VERDICT_OOM:
		say_oom(line, verdict);
		return;
	case VERDICT_CGROUP_KILL:
		say(line, "killed with its cgroup, through cgroup.kill");
		say_sender(line, verdict);
		return;
	case VERDICT_PARENT_DEATH:
		say(line, "%s by ", end_word(verdict));
		say_signal(line, verdict);
		say(line, " that it had asked for at the death of its parent,");
		say_actor(line, &verdict->sender);
		return;
	case VERDICT_PIDNS_DEATH:
		say(line, "killed because the init of its pid namespace died,");
		say_actor(line, &verdict->sender);
		return;
	case VERDICT_RLIMIT_CPU:
		say(line, "%s by ", end_word(verdict));
		say_signal(line, verdict);
		say(line, ": it used up its CPU time (RLIMIT_CPU)");
		return;
	case VERDICT_SECCOMP:
		say(line, "killed by seccomp (");
		say_signal(line, verdict);
		say(line, ") for a system call");
		say_thread(line, verdict);
		return;
	case VERDICT_UNKNOWN:
		break;
	}
	say(line, "how it died is not known");
	if (verdict->have_signal) {
		say(line, ", but ");
		say_signal(line, verdict);
		say(line, " was seen");
	}
}

void dump_sentence(const struct verdict *verdict, char *buffer, size_t bytes)
{
	struct line line = {.text = buffer, .bytes = bytes};

	if (!bytes)
		return;
	buffer[0] = '\0';
	say_death(&line, verdict);
	if (verdict->core_dumped)
		say(&line, ", core dumped");
	if (verdict->unwatched)
		say(&line, "; no recorder was watching then");
}
