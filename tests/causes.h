/* SPDX-License-Identifier: MIT */
/*
 * causes.h - the table of what processes die of: crash_causes.c brings each row about for real, between
 * causes_lives.c and causes_limits.c (what the client does to itself), causes_acts.c (what is done to
 * it) and causes_groups.c (the surroundings that kill it).
 */
#ifndef TESTS_CAUSES_H
#define TESTS_CAUSES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CAUSE_PARTS_MAX 12
#define CAUSE_WAIT_MS 60000

/* What the processes of one row share. */
struct cause_shared {
	_Atomic int client; /* pids and thread ids as the recorder sees them */
	_Atomic int other;  /* who has a hand in it: the sender, the parent, the init, the tracer */
	_Atomic int thread; /* who faults, if it is not the client's first thread */
	_Atomic int signal; /* of the row */
	_Atomic int step;   /* 1: the client is registered and has recorded */
	_Atomic int go;	    /* 1: on with it */
};

struct cause {
	const char *name;
	void (*life)(void); /* in the client, once it has recorded; does not return, or _exit(90) follows */
	/* In the test. start: makes the client, by cause_client(); NULL: a fork. act: once it is ready. */
	void (*start)(void (*life)(void));
	void (*act)(void);
	const char *(*skip)(void); /* why this kernel or machine can't do it; NULL: it can */
	/*
	 * Parts of `ttlog-view --info --format json`. {client}, {other}, {thread}, {test} and {above}
	 * (the test's parent) are pids. A part that begins with "!" must not be there.
	 */
	const char *parts[CAUSE_PARTS_MAX];
	const char *sentence; /* a part of the verdict in words */
	int signal;	      /* that somebody sends, where life and act serve for several */
};

extern const struct cause causes[];
extern const unsigned int cause_count;
extern struct cause_shared *cause_shared;
extern char cause_folder[64]; /* for files of a row */
extern pid_t cause_recorder;

/* ---- crash_causes.c ---- */

_Noreturn void cause_client(void (*life)(void)); /* becomes the client */
pid_t cause_fork(void);				 /* a child that dies with its parent */
pid_t cause_own_pid(void);			 /* as the recorder sees it, in a pid namespace too */
void cause_await(_Atomic int *word, int value);	 /* until it is at least that */
void cause_give_up(const char *what);		 /* what the test itself could not do */

/* ---- causes_lives.c ---- */

void life_waits(void);
void life_exits_0(void);
void life_exits_3(void);
void life_exits_in_a_thread(void);
void life_leader_leaves(void);
void life_leader_leaves_and_waits(void);
void life_kills_itself(void);
void life_signals_itself(void);
void life_terminates_itself(void);
void life_is_signalled_by_its_child(void);
void life_writes_to_nobody(void);
void life_sets_an_alarm(void);
void life_sets_a_timer(void);
void life_aborts(void);
void life_asserts(void);
void life_aborts_in_a_thread(void);
void life_writes_to_null(void);
void life_jumps_to_null(void);
void life_reads_somewhere_wild(void);
void life_writes_read_only(void);
void life_executes_data(void);
void life_recurses(void);
void life_recurses_in_a_thread(void);
void life_has_too_large_a_frame(void);
void life_overruns_a_stack_upwards(void);
void life_reads_beyond_a_file(void);
void life_divides_by_zero(void);
void life_is_illegal(void);
void life_faults_in_a_thread(void);
void life_logs_and_raises_again(void);
void life_logs_and_faults_again(void);
void life_recovers(void);
void life_overflows_onto_an_alternate_stack(void);
/* ---- causes_limits.c ---- */

void cause_eat(size_t bytes); /* memory */
void life_breaks_a_filter(void);
void life_breaks_a_filter_of_threads(void);
void life_breaks_strict_mode(void);
void life_uses_up_its_time(void);
void life_uses_up_its_soft_time(void);
void start_unqueued(void (*life)(void));
void life_gets_no_memory(void);
void life_eats_memory(void);
void life_eats_all_memory(void);
void life_is_a_fat_bystander(void);

/* ---- causes_lives.c again ---- */

void life_executes_a_program(void);
void life_executes_in_a_thread(void);
void life_dumps_much_core(void);

/* ---- causes_acts.c ---- */

void start_under_a_parent(void (*life)(void)); /* who dies when told */
void start_under_a_parent_softly(void (*life)(void));
void start_in_a_namespace(void (*life)(void)); /* below its init, who dies when told */
void start_as_init(void (*life)(void));

void act_kill(void);
void act_term(void);
void act_int(void);
void act_hup(void);
void act_pipe(void);
void act_alrm(void);
void act_signal(void); /* that of the row */
void act_queue(void);
void act_forge(void);
void act_signal_and_be_gone(void); /* the sender is dead before the recorder looks */
void act_trace_and_kill(void);
void act_trace_and_leave(void);
void act_go(void);

const char *no_pid_namespaces(void);
const char *no_seccomp(void);
const char *no_core_files(void);

/* ---- causes_groups.c ---- */

void start_with_little_memory(void (*life)(void));
void start_beside_an_eater(void (*life)(void));
void start_in_a_pod(void (*life)(void));

void act_kill_from_a_container(void);
void act_cgroup_kill(void);
void act_fill_the_machine(void);

const char *no_user_cgroups(void);
const char *no_memory_cgroups(void);
const char *no_cgroup_kill(void);
const char *no_machine_of_our_own(void); /* tests/kernels_init has one */
void acts_clean(void); /* the cgroups of a row */

#endif
