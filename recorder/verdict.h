/* SPDX-License-Identifier: MIT */
/*
 * verdict.h - why a process died, worked out from what the kernel said.
 *
 * A pure function of the evidence: no system calls, nothing global, so that a table of evidence is a
 * test. It says what it does not know.
 */
#ifndef RECORDER_VERDICT_H
#define RECORDER_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

#include "bpf/ttlog_bpf.h"
#include "recorder/occasion.h"

#define VERDICT_EVIDENCE_MAX 32 /* events of one client that are kept, the newest */

#define EVIDENCE_MORE_MAX 4
#define EVIDENCE_PATH_BYTES 512

/* What came behind one of the events. Paths are "" where they are not known, and begin with "/" where whole. */
struct evidence_more {
	uint64_t time_ns; /* of its event; 0: not in use */
	uint32_t kind, flags;
	int32_t signal;
	struct ttlog_bpf_actor sender;
	struct ttlog_bpf_more more;
	char exe[EVIDENCE_PATH_BYTES], cgroup[EVIDENCE_PATH_BYTES]; /* of the sender */
};

/* What is known of a client's end. Zero-initialise; verdict_note() adds. */
struct evidence {
	struct ttlog_bpf_event event[VERDICT_EVIDENCE_MAX]; /* oldest first */
	unsigned int count;
	struct evidence_more more[EVIDENCE_MORE_MAX];
	uint64_t forgotten;   /* events that made room for newer ones */
	uint64_t lost;	      /* of all clients, lost by the kernel meanwhile */
	bool have_wait_status; /* from waitid() of our own child, or a pidfd */
	int wait_status;
	bool hang_up; /* the pidfd or the socket said it, not the kernel program */
	bool unwatched; /* it was dead before anybody watched: all there is comes from its pidfd */
};

enum verdict_how {
	VERDICT_UNKNOWN = 0,
	VERDICT_EXIT,  /* exit status in exit_code */
	VERDICT_FAULT, /* SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP raised by the hardware */
	VERDICT_ABORT, /* SIGABRT that the process raised itself */
	VERDICT_SIGNAL,
	VERDICT_EXEC, /* the image was replaced */
	VERDICT_ALIVE, /* a snapshot: nobody died */
	VERDICT_OOM,   /* SIGKILL for want of memory: `oom` */
	VERDICT_CGROUP_KILL,  /* somebody wrote into cgroup.kill: `sender` */
	VERDICT_PARENT_DEATH, /* its parent died, `sender`, and it had wanted that signal then */
	VERDICT_PIDNS_DEATH,  /* the init of its pid namespace died: `sender` */
	VERDICT_RLIMIT_CPU,   /* SIGKILL or SIGXCPU: it used up its CPU time */
	VERDICT_SECCOMP,      /* a system call that it was not allowed */
};

enum verdict_confidence { VERDICT_LOW = 0, VERDICT_MEDIUM, VERDICT_HIGH };

struct verdict {
	enum verdict_how how;
	enum verdict_confidence confidence;
	bool have_exit_code, have_signal, have_fault_address, have_sender, core_dumped;
	bool stack_overflow; /* FAULT: the stack was used up */
	bool raised_again;   /* FAULT: a handler took it, and then the process sent it to itself */
	bool bare;	     /* the kernel sent it for what `sender` did: nobody called kill() */
	bool by_tracer;	     /* `sender` is the debugger, and put the signal there */
	bool unwatched;	     /* as in the evidence */
	bool code_unknown;   /* no siginfo was seen: `code` is 0 and says nothing */
	uint32_t told_pid, told_uid; /* the sender, by its siginfo alone, in the namespaces of the dead; 0: none */
	int exit_code; /* 0-255 */
	int signal;
	int code; /* si_code of the signal */
	uint64_t fault_address;
	uint64_t ip, sp; /* 0 = unknown */
	struct ttlog_bpf_actor sender;
	struct ttlog_bpf_actor thread; /* the one that faulted or called abort; tid 0 = unknown */
	uint64_t signal_ns; /* CLOCK_MONOTONIC of the fatal signal; 0 = none */
	uint64_t death_ns;  /* CLOCK_MONOTONIC of group dead; 0 = unknown */
	/* OOM: who asked for memory when there was none, which may be anybody; the limit, 0 = none known. */
	struct ttlog_bpf_actor trigger;
	uint32_t target_pid; /* 0 = unknown */
	uint64_t limit_pages;
	/* Which of evidence.more, counted from 1; 0: none. */
	unsigned int sender_more; /* what is known of the sender, or of the trigger */
	unsigned int memory_more; /* the target's memory at its death */
	unsigned int oom_more;	  /* OOM: memory and limit when it was chosen */
	struct occasion occasion; /* ALIVE: what led to the snapshot */
};

/* An event whose flags have MORE is the first of a whole struct ttlog_bpf_record. */
void verdict_note(struct evidence *evidence, const struct ttlog_bpf_event *event);
/* What came with that event, if it was kept; NULL: nothing. */
const struct evidence_more *verdict_more(const struct evidence *evidence,
					 const struct ttlog_bpf_event *event);
/* Names, innermost first, a NUL behind each, as a path. Any bytes give some path, made printable. */
void verdict_path(const char *names, size_t names_bytes, char *buffer, size_t bytes);
void verdict_reach(const struct evidence *evidence, uint32_t own_pid, struct verdict *ret_verdict);

const char *verdict_how_name(enum verdict_how how);		/* "fault", as in cause.how */
const char *verdict_confidence_name(enum verdict_confidence c); /* "high" */
const char *verdict_signal_name(int signal, char *buffer, size_t bytes); /* "SIGSEGV", "SIG42" */
const char *verdict_code_name(int signal, int code);		/* "SEGV_MAPERR", NULL if unknown */
/* The word for a file's name: "sigsegv", "abort", "exit-3", "exec", "unknown". */
void verdict_reason(const struct verdict *verdict, char *buffer, size_t bytes);

#endif
