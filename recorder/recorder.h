/* SPDX-License-Identifier: MIT */
/*
 * recorder.h - a whole recorder: socket, store, death watch, workers, clients, around one loop.
 *
 * The daemon and `run` differ in what they do with signals and in when they end; the rest is here.
 */
#ifndef RECORDER_RECORDER_H
#define RECORDER_RECORDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "recorder/adopt.h"
#include "recorder/announce.h"
#include "recorder/clients.h"
#include "recorder/confine.h"
#include "recorder/dumper.h"
#include "recorder/history.h"
#include "recorder/hook.h"
#include "recorder/keep.h"
#include "recorder/listener.h"
#include "recorder/loop.h"
#include "recorder/metrics.h"
#include "recorder/rules.h"
#include "recorder/store.h"
#include "recorder/workers.h"

struct recorder_options {
	const char *socket;
	const char *control; /* NULL: beside the socket, if it can be had */
	const char *dir;
	bool dump_on_exit;
	bool without_bpf;
	bool without_unwinding, debuginfod;
	uint64_t unwind_timeout_s; /* 0: as unwind.h has it */
	bool without_confinement;
	struct systemd *systemd; /* the recorder's, from recorder_open() on; NULL: none */
	const char *adopt; /* see adopt.h; NULL: nobody */
	bool verbose, quiet;
	const char *pretend; /* features to do without; NULL: none */
	const char *dump_group; /* whose members may read dumps; NULL: nobody's */
	bool dump_readers;	/* each dump's user may read it */
	struct hook_options hook; /* without a command: none */
	struct keep_limits keep;
	const char *keep_free; /* as keep_parse_free() takes it; NULL: nothing is kept free */
	uint64_t clients_max;
	uint64_t region_bytes_max;
	uint64_t memory_bytes_max;	   /* 0: half of the machine's */
	uint64_t clients_max_per_uid;	   /* 0: a share */
	uint64_t memory_bytes_max_per_uid; /* 0: a share */
	struct history_options history;
	struct metrics_options metrics;
	struct rules *rules; /* what else leads to dumps; NULL: nothing */
	struct announce_options announce;
	const char *group_by; /* as group_parse() takes it */
	struct group_limits group;
	uint64_t group_pause_s;
};

struct recorder {
	struct loop *loop;
	struct workers *makers, *writers;
	struct watch *watch; /* NULL: without eBPF */
	struct loop_source *watch_source;
	struct stacks *stacks; /* NULL: those of the living are not to be had */
	struct store store;
	struct keep *keep;
	struct last_deaths *last_deaths;
	struct announce *announce; /* NULL: nobody is told of deaths */
	struct hook *hook; /* NULL: none is wanted */
	struct listener listener;
	struct calibration *calibration;
	struct dumper dumper;
	struct histories *histories; /* NULL: not wanted */
	struct clients *clients;
	struct metrics *metrics; /* NULL: nobody wants figures */
	struct ctl_server *ctl; /* NULL: nobody can ask us anything */
	struct adopt *adopt; /* NULL: nobody is adopted */
	struct systemd *systemd; /* NULL: nobody has started us as a service */
	struct rlimit file_limit; /* as it was, for a command that we start */
	bool impatient;		  /* recorder_settle() gives up */
	char rung[200];		  /* for people: what we run with, and what is lost without */
};

/* Says on stderr what went wrong. 0 or a negative errno. */
int recorder_open(struct recorder *ret_recorder, const struct recorder_options *options);
/*
 * After a SIGHUP, in the loop's thread: takes over those options that are CONFIG_LIVE in
 * config_table.c. Texts of the old options may be gone when it returns.
 */
void recorder_change(struct recorder *recorder, const struct recorder_options *options);
/*
 * Gives up what is of no use any more (confine.h) and starts the threads; between recorder_open()
 * and the loop, and after the command of `run`, which keeps its rights. Says on stderr what went
 * wrong. 0 or a negative errno.
 */
int recorder_begin(struct recorder *recorder, const struct recorder_options *options,
		   bool has_command);
/* What a recorder with these options keeps. */
void recorder_plan_confinement(struct confine_plan *ret_plan,
			       const struct recorder_options *options);
/*
 * Before the end: no new clients, and the loop goes on until the dumps of all who are dead are
 * written. 0, or -EINTR when somebody set `impatient` meanwhile.
 */
int recorder_settle(struct recorder *recorder);
/* Removes the socket if it still is there, forgets the living. */
void recorder_close(struct recorder *recorder);

/* The rung of the ladder, as dumps have it; NULL: without eBPF. */
const char *recorder_rung_name(const struct watch *watch);

#endif
