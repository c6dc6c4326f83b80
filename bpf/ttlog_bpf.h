/* SPDX-License-Identifier: MIT */
/*
 * ttlog_bpf.h - what the kernel program tells the recorder, and how it knows whom to tell of.
 *
 * The promise
 *
 *   Every fatal signal and every death of a registered process is reported once, with what only the
 *   kernel knows at that moment; what could not be sent is counted.
 *
 * Who knows what
 *
 *   clients    a task storage map, keyed by pidfd from user space and by the group leader in the
 *              kernel: no pid arithmetic, nothing to clean up, one failed lookup for everybody else.
 *   controls   a hash of maps: client id -> the one-element mmapable array that lies over the
 *              client's control page. The program sets its freeze word at the fatal signal.
 *   execs      tgid -> client id, from the exit of a leader whose group lives on, so that an exec by
 *              another thread (which takes the leader's place, without its storage) is known.
 *   scenes     registers, stacks and mappings of those who die: ttlog_bpf_scene.h.
 *   events     the ring buffer. In .bss, mapped by the recorder: what was sent, what could not be.
 *
 *   kernel: signal_generate --SIGNAL--> signal_deliver --DELIVER--> sched_process_exit --DEATH-->
 *           mark_victim --OOM-->
 *           sched_process_exec --EXEC-->                    (any of them may be missing)
 *
 * Both sides are built from one tree and never meet another version: no version numbers here. All
 * integers are the machine's own.
 */
#ifndef TTLOG_BPF_H
#define TTLOG_BPF_H

#include "bpf/ttlog_bpf_scene.h"

#define TTLOG_BPF_COMM_BYTES 16

/*
 * Where the freeze word is in the control page; watch.c asserts that lib/ttlog.h agrees. The page's
 * size differs between machines, and the program, which is compiled for none, need not know it.
 */
#define TTLOG_BPF_FREEZE_OFFSET 0

/*
 * Handled and blocked signals are told at most once in that time for each client and signal, and not
 * at all while the ring buffer is half full: a timer at 1 kHz must not push out a death.
 */
#define TTLOG_BPF_CALM_NS 1000000000ull
#define TTLOG_BPF_SIGNALS 65 /* 1 to 64, as numbered by x86-64, arm64 and riscv */

enum ttlog_bpf_kind {
	TTLOG_BPF_SIGNAL = 1,  /* signal_generate: somebody sent a signal to a client */
	TTLOG_BPF_DELIVER = 2, /* signal_deliver: a client takes a signal */
	TTLOG_BPF_DEATH = 3,   /* sched_process_exit, group dead */
	TTLOG_BPF_EXEC = 4,    /* sched_process_exec: the image is gone, the process lives on */
	TTLOG_BPF_UNSENT = 5,  /* of no client, made by watch.c: the kernel could not send some of these */
	TTLOG_BPF_OOM = 6,     /* mark_victim: chosen for want of memory, just behind its SIGKILL */
};

/* siginfo's special values, which only a raw tracepoint shows */
#define TTLOG_BPF_INFO_NONE 1u	  /* SEND_SIG_NOINFO */
#define TTLOG_BPF_INFO_KERNEL 2u  /* SEND_SIG_PRIV */
#define TTLOG_BPF_GROUP 4u	  /* sent to the process, not to a thread */
#define TTLOG_BPF_FATAL 8u	  /* its disposition ends the process, and it will be delivered */
#define TTLOG_BPF_HANDLED 16u	  /* a handler will take it. Neither: blocked or traced, who knows */
#define TTLOG_BPF_FROZE 32u	  /* this event set the freeze word */
#define TTLOG_BPF_REGISTERS 64u	  /* ip, sp are filled */
#define TTLOG_BPF_HAS_SIGNAL 128u /* DEATH: `signal` and what belongs to it repeat the fatal one */
/* What tells causes apart that look alike otherwise. Bits 16 and up. */
#define TTLOG_BPF_MORE 0x10000u		  /* a struct ttlog_bpf_more follows in the same record */
#define TTLOG_BPF_SENDER_EXITING 0x20000u /* the sender was ending at that moment */
#define TTLOG_BPF_SENDER_INIT 0x40000u	  /* the sender was the init of a pid namespace */
#define TTLOG_BPF_PARENT_DEATH 0x80000u	  /* the target had asked for this signal: PR_SET_PDEATHSIG */
#define TTLOG_BPF_CPU_LIMIT 0x100000u	  /* the target has an RLIMIT_CPU */
#define TTLOG_BPF_STACK_GONE 0x200000u	  /* a fault: nothing can be read where sp points */
#define TTLOG_BPF_SECCOMP_DEAD 0x400000u  /* DEATH: seccomp ended the leader, which needs no signal */
#define TTLOG_BPF_TRACER 0x800000u	  /* DELIVER: a tracer put it there, and is the sender */
/*
 * DELIVER, and the DEATH that repeats it: nobody saw it being sent, so there is no sender. Programs do not
 * run in every context: up to 6.1 task storage is nobody's while someone on that CPU changes one, and
 * who was sent a signal before he was a client was none then.
 */
#define TTLOG_BPF_UNSEEN 0x1000000u
#define TTLOG_BPF_NO_SIGINFO 0x2000000u	  /* and there is no siginfo: `code` says nothing */
#define TTLOG_BPF_ON_STACK 0x4000000u	  /* the siginfo lies on the stack of who was running: it is his */

struct ttlog_bpf_actor {
	__u32 pid; /* thread group id, in the first pid namespace */
	__u32 tid;
	__u32 uid;
	__u32 gid;
	__u64 cgroup_id;
	char comm[TTLOG_BPF_COMM_BYTES];
};

/* One shape for all kinds: fields that a kind does not have are zero. */
struct ttlog_bpf_event {
	__u64 client_id;
	__u64 time_ns; /* bpf_ktime_get_ns(): CLOCK_MONOTONIC */
	__u32 kind;    /* enum ttlog_bpf_kind */
	__u32 flags;   /* TTLOG_BPF_... */
	__s32 signal;
	__s32 code;   /* si_code */
	__s32 error;  /* si_errno */
	__s32 result; /* of signal_generate: 0 delivered, 1 ignored, 2 pending, ... */
	__s32 exit_code; /* as in wait(2): status << 8 | core << 7 | signal */
	__u32 info_pid;	 /* si_pid, in the namespace of the target. (si_pid itself is a macro) */
	__u32 info_uid;
	__u32 zero;
	__u64 fault_address; /* SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP */
	__u64 ip;
	__u64 sp;
	__u64 signal_time_ns;		/* DEATH with HAS_SIGNAL: when it became fatal */
	struct ttlog_bpf_actor target;	/* the thread that the signal is for, or that dies */
	struct ttlog_bpf_actor sender;	/* SIGNAL, and HAS_SIGNAL: who was running; 0 = unknown */
};

#define TTLOG_BPF_PARENTS 8
#define TTLOG_BPF_NAMES_BYTES 2048u
#define TTLOG_BPF_NAME_BYTES 256u /* of one; kernfs and most file systems allow no longer ones */

struct ttlog_bpf_parent {
	__u32 pid;
	char comm[TTLOG_BPF_COMM_BYTES];
};

/*
 * What was true at the moment of the event and can't be asked for later. Follows SIGNAL (but of a
 * fault, which nobody sent), the DELIVER of a tracer's, OOM and DEATH. Memory in pages, of the target;
 * 0: not known. Names are those of the executable's path and of the cgroup's, innermost first, a NUL
 * behind each; a path that did not fit lacks its outermost.
 */
struct ttlog_bpf_more {
	__u64 total_pages, anonymous_pages, file_pages, shared_pages, swap_pages;
	__u64 peak_pages;		/* DEATH: the most that was resident at a time */
	__u64 limit_pages, usage_pages; /* of its nearest memory cgroup that is full; 0: none is */
	__u64 limit_cgroup_id;
	__u32 limit_level; /* how far that is above its own; 0: it is its own */
	__u32 parent_count;
	__u32 exe_bytes, cgroup_bytes;			  /* of the sender, in names */
	struct ttlog_bpf_parent parent[TTLOG_BPF_PARENTS]; /* of the sender, nearest first */
};

/* As it is in the ring buffer, if the flags say MORE. Cut behind the last name. */
struct ttlog_bpf_record {
	struct ttlog_bpf_event event;
	struct ttlog_bpf_more more;
	char names[TTLOG_BPF_NAMES_BYTES + TTLOG_BPF_NAME_BYTES];
};

/*
 * The value of the task storage. User space writes client_id and zeros; the rest is the program's.
 * All but `dead` is only touched under the siglock of the client, or when its last thread exits.
 */
struct ttlog_bpf_client {
	__u64 client_id;
	__u32 dead; /* DEATH was sent; two threads that exit at once race for it */
	__u32 zero;
	struct ttlog_bpf_event fatal;	/* what ends it, kind 0 = nothing yet */
	struct ttlog_bpf_event pending; /* neither FATAL nor HANDLED, or the fatal one before */
	__u64 calm_ns[TTLOG_BPF_SIGNALS]; /* when it was last told of, see TTLOG_BPF_CALM_NS */
	struct ttlog_bpf_scene_state scene;
};

/* The map `calls`: a process that is no client has a region, or says so. */
#define TTLOG_BPF_CALLS_BYTES (64u << 10)
#define TTLOG_BPF_CALL_CALM_NS 100000000ull /* between two calls of a process that are heard */

struct ttlog_bpf_call {
	__u32 pid; /* thread group id, in the first pid namespace */
	__u32 zero;
};

struct ttlog_bpf_counters {
	__u64 sent;
	__u64 lost; /* the ring buffer had no room */
	__u64 unseen; /* signals that ended a client, of which only that was seen */
	__u64 shed; /* handled and blocked signals that were left out to keep room */
	__u64 calls_lost; /* `calls` had no room */
	__u64 scene_unsent; /* threads, pages and modules for which `scenes` had no room */
};

_Static_assert(sizeof(struct ttlog_bpf_actor) == 40, "no padding");
_Static_assert(sizeof(struct ttlog_bpf_event) == 88 + 2 * 40 + 0, "no padding");
_Static_assert(sizeof(struct ttlog_bpf_more) == 88 + 20 * TTLOG_BPF_PARENTS, "no padding");

#endif
