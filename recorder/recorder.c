/* SPDX-License-Identifier: MIT */
/* recorder.c - puts the parts together, and takes them apart in the right order. */
#include "recorder/recorder.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/ttlog_abi.h"
#include "recorder/counters.h"
#include "recorder/ctl_server.h"
#include "recorder/ctl_wire.h"
#include "recorder/keepsake.h"
#include "recorder/last_deaths.h"
#include "recorder/log.h"
#include "recorder/stacks.h"
#include "recorder/rings.h"
#include "recorder/systemd.h"
#include "recorder/watch.h"

#define MAKERS 2  /* threads that make regions: not kept waiting by a slow disk */
#define WRITERS 2 /* threads that write dumps */

static void watch_ready(void *context, uint32_t events)
{
	(void)events;
	watch_dispatch(context);
}

/* Three descriptors a client: a soft limit of 1,024 is for programs that use select(). */
static void raise_file_limit(struct recorder *recorder)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	recorder->file_limit = limit;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static uint64_t half_of_memory(void)
{
	const long pages = sysconf(_SC_PHYS_PAGES);

	return pages > 0 ? (uint64_t)pages / 2 * (uint64_t)sysconf(_SC_PAGESIZE) : UINT64_MAX / 2;
}

/* The highest rung that is to be had. Not having eBPF is no error. */
static int open_watch(struct recorder *recorder, const struct recorder_options *options)
{
	const char *without;
	char why_not[80] = "not wanted";
	int err = -EPERM;

	if (!options->without_bpf)
		err = watch_open(&recorder->watch, clients_event, recorder->clients, log_verbose,
				 why_not, sizeof(why_not));
	if (err) {
		snprintf(
			recorder->rung, sizeof(recorder->rung),
			"without eBPF (%s): senders of signals and fault addresses will be unknown",
			why_not);
		return 0;
	}
	if (watch_freezes(recorder->watch))
		snprintf(recorder->rung, sizeof(recorder->rung), "with eBPF");
	else
		snprintf(recorder->rung, sizeof(recorder->rung),
			 "with eBPF, but without maps that can be mapped: events that come after a "
			 "fatal signal may take the place of older ones");
	without = watch_without(recorder->watch);
	if (without)
		log_warn("the kernel refuses parts of the BPF program; not known of deaths: %s",
			 without);
	clients_set_watch(recorder->clients, recorder->watch);
	watch_set_scenes(recorder->watch, clients_scene);
	err = stacks_open(&recorder->stacks, recorder->watch);
	if (err)
		log_detail("stacks of processes that hang can't be had: %s", strerror(-err));
	clients_set_stacks(recorder->clients, recorder->stacks);
	return loop_add(recorder->loop, watch_fd(recorder->watch), EPOLLIN, watch_ready,
			recorder->watch, &recorder->watch_source);
}

const char *recorder_rung_name(const struct watch *watch)
{
	if (!watch)
		return "pidfd";
	return watch_freezes(watch) ? "ebpf" : "ebpf-late-freeze";
}

static struct group_limits group_limits_of(const struct recorder_options *options)
{
	struct group_limits limits = options->group;

	if (options->group_by)
		group_parse(options->group_by, &limits.by);
	limits.pause_ms = options->group_pause_s * 1000;
	return limits;
}

static struct clients_config clients_config_of(struct recorder *recorder,
					       const struct recorder_options *options)
{
	return (struct clients_config){
		.loop = recorder->loop,
		.makers = recorder->makers,
		.dumper = &recorder->dumper,
		.histories = recorder->histories,
		.count_max = (uint32_t)options->clients_max,
		.region_bytes_max = options->region_bytes_max,
		.memory_bytes_max = options->memory_bytes_max ? options->memory_bytes_max
							      : half_of_memory(),
		.count_max_per_uid = (uint32_t)options->clients_max_per_uid,
		.memory_bytes_max_per_uid = options->memory_bytes_max_per_uid,
		.systemd = options->systemd,
		.recorder_hash = ttlog_recorder_hash(options->socket),
		.dump_on_exit = options->dump_on_exit,
		.group = group_limits_of(options),
		.rules = options->rules,
	};
}

static int open_clients(struct recorder *recorder, const struct recorder_options *options)
{
	const struct clients_config config = clients_config_of(recorder, options);
	int err = clients_open(&recorder->clients, &config);

	if (!err)
		err = open_watch(recorder, options);
	return err;
}

static int fail(const char *what, int err)
{
	log_error("%s: %s", what, strerror(-err));
	return err;
}

static int open_announce(struct recorder *recorder, const struct recorder_options *options)
{
	const char *failed;
	const int err = announce_open(&recorder->announce, recorder->loop, recorder->writers,
				      &options->announce, &failed);

	if (err)
		log_error("can't write verdicts to %s: %s", failed ? failed : "anybody",
			  strerror(-err));
	recorder->dumper.announce = recorder->announce;
	return err;
}

static int open_socket(struct recorder *recorder, const char *path)
{
	const int given_fd = systemd_take_listener(recorder->systemd);
	int err = 0;

	if (given_fd >= 0)
		listener_take(&recorder->listener, given_fd);
	else
		err = listener_open(&recorder->listener, path);

	if (err == -EADDRINUSE) {
		log_error("%s: another recorder is listening there (choose another --socket)",
			  path);
		return err;
	}
	if (err == -EEXIST) {
		log_error("%s: exists and is not a socket", path);
		return err;
	}
	if (err)
		return fail(path, err);
	err = clients_listen(recorder->clients, recorder->listener.fd);
	return err ? fail(path, err) : 0;
}

/* A ring that could be kept is worth more than being asked: only who names a socket insists on it. */
static int open_control(struct recorder *recorder, const struct recorder_options *options)
{
	char beside[PATH_MAX];
	const char *path = options->control ? options->control : beside;
	int err = options->control ? 0 : ctl_socket_beside(options->socket, beside, sizeof(beside));

	if (!err)
		err = ctl_server_open(&recorder->ctl, recorder, path);
	if (!err)
		return 0;
	log_warn("%s: no control socket, ttlog-ctl can't reach this recorder: %s",
		 options->control ? path : CTL_SOCKET_NAME, strerror(-err));
	return options->control ? err : 0;
}

static struct keep_limits keep_limits_of(const struct recorder_options *options)
{
	struct keep_limits limits = options->keep;

	if (options->keep_free)
		keep_parse_free(options->keep_free, &limits.free_bytes, &limits.free_percent);
	return limits;
}

static void found_death(void *context, const struct summary *summary, const char *path)
{
	struct recorder *recorder = context;

	if (summary) {
		last_deaths_remember(recorder->last_deaths, summary, path);
		return;
	}
	last_deaths_settle(recorder->last_deaths);
	clients_answer(recorder->clients);
}

static int open_keep(struct recorder *recorder, const struct recorder_options *options)
{
	const struct keep_limits limits = keep_limits_of(options);
	int err = keep_open(&recorder->keep, recorder->loop, recorder->writers, &recorder->store,
			    &limits);

	recorder->dumper.keep = recorder->keep;
	if (!err)
		keep_tell_found(recorder->keep, found_death, recorder);
	return err;
}

static int find_group(const char *name, gid_t *ret_group)
{
	const struct group *group = getgrnam(name);
	char *end;
	const unsigned long number = strtoul(name, &end, 10);

	if (!group && (!*name || *end || number >= UINT32_MAX))
		return -ENOENT;
	*ret_group = group ? group->gr_gid : (gid_t)number;
	return 0;
}

static int share_store(struct recorder *recorder, const struct recorder_options *options)
{
	gid_t group = STORE_NOBODY;
	int err = options->dump_group ? find_group(options->dump_group, &group) : 0;

	if (err)
		log_say("dump-group: there is no group '%s'", options->dump_group);
	if (err || (!options->dump_group && !options->dump_readers))
		return err;
	return store_share(&recorder->store, group, options->dump_readers);
}

static int open_parts(struct recorder *recorder, const struct recorder_options *options)
{
	/* First of all: what is forked now has nothing of ours. */
	int err = options->hook.command ? hook_open(&recorder->hook, &options->hook) : 0;

	if (!err)
		err = loop_open(&recorder->loop);
	if (!err && recorder->hook)
		err = hook_attach(recorder->hook, recorder->loop);
	if (!err)
		err = workers_prepare(&recorder->makers, recorder->loop, MAKERS);
	if (!err)
		err = workers_prepare(&recorder->writers, recorder->loop, WRITERS);
	if (!err)
		err = calibration_open(&recorder->calibration, recorder->loop);
	if (!err)
		err = calibration_watch_sets(recorder->calibration);
	if (!err)
		err = histories_open(&recorder->histories, &options->history);
	if (!err)
		err = last_deaths_open(&recorder->last_deaths);
	if (!err)
		err = open_clients(recorder, options);
	if (err)
		return fail("can't start", err);
	err = store_open(&recorder->store, options->dir);
	if (err)
		return fail(options->dir, err);
	err = share_store(recorder, options);
	if (err)
		return fail(options->dir, err);
	dumper_init(&recorder->dumper, recorder->writers, &recorder->store, recorder->calibration,
		    recorder_rung_name(recorder->watch));
	recorder->dumper.unwinds = !options->without_unwinding;
	recorder->dumper.unwind_timeout_ms = (unsigned int)options->unwind_timeout_s * 1000;
	recorder->dumper.debuginfod = options->debuginfod;
	recorder->dumper.hook = recorder->hook;
	recorder->dumper.last_deaths = recorder->last_deaths;
	err = open_keep(recorder, options);
	if (err)
		return fail("can't start", err);
	err = open_announce(recorder, options);
	if (err)
		return err;
	err = open_socket(recorder, options->socket);
	if (!err)
		err = open_control(recorder, options);
	if (!err)
		err = metrics_open(&recorder->metrics, recorder, &options->metrics);
	return err;
}

int recorder_open(struct recorder *ret_recorder, const struct recorder_options *options)
{
	int err;

	*ret_recorder = (struct recorder){
		.store.dir_fd = -1,
		.listener.fd = -1,
		.listener.dir_fd = -1,
		.systemd = options->systemd,
	};
	raise_file_limit(ret_recorder);
	err = rings_open();
	if (err)
		fail("can't start", err);
	else
		err = open_parts(ret_recorder, options);
	if (err)
		recorder_close(ret_recorder);
	return err;
}

void recorder_change(struct recorder *recorder, const struct recorder_options *options)
{
	const struct clients_config config = clients_config_of(recorder, options);
	const struct keep_limits limits = keep_limits_of(options);

	clients_change(recorder->clients, &config);
	keep_set_limits(recorder->keep, &limits);
}

void recorder_plan_confinement(struct confine_plan *ret_plan,
			       const struct recorder_options *options)
{
	*ret_plan = (struct confine_plan){
		.watches = !options->without_bpf,
		.unwinds = !options->without_unwinding,
		.debuginfod = options->debuginfod,
		.changes_owner = options->dump_group,
	};
}

static int confine_recorder(struct recorder *recorder, const struct recorder_options *options,
			    bool has_command)
{
	struct confine_plan plan;
	char text[CONFINE_TEXT_BYTES];
	int err;

	recorder_plan_confinement(&plan, options);
	plan.watches = recorder->watch;
	plan.has_command = has_command;
	confine_add_folder(&plan, recorder->store.dir_fd);
	confine_add_folder(&plan, recorder->listener.dir_fd);
	confine_add_folder(&plan, ctl_server_folder_fd(recorder->ctl));
	confine_add_folder(&plan, metrics_folder_fd(recorder->metrics));
	confine_add_folder(&plan, announce_folder_fd(recorder->announce));
	err = confine(&plan);
	if (err) {
		log_error("can't give up privileges: %s (--no-confine keeps them)", strerror(-err));
		return err;
	}
	confine_describe(text, sizeof(text));
	log_detail("confined: %s", text);
	return 0;
}

/* Last: who fails to connect after this is heard, and who did before is found. */
static int open_adopt(struct recorder *recorder, const struct recorder_options *options)
{
	struct adopt_config config = {
		.loop = recorder->loop,
		.workers = recorder->makers,
		.clients = recorder->clients,
		.watch = recorder->watch,
		.socket = options->socket,
	};
	int err = options->adopt ? adopt_parse(options->adopt, &config.whom) : 0;

	if (!err)
		err = adopt_open(&recorder->adopt, &config);
	/* Who is told that we are here may count on the rings that were there before. */
	while (!err && !adopt_is_settled(recorder->adopt))
		err = loop_once(recorder->loop, -1);
	return err ? fail("can't look for rings", err) : 0;
}

/* What the service manager has kept: of the living, and of those who died while we were away. */
static void restore(struct recorder *recorder)
{
	struct systemd_kept *kept;
	struct adopt_taken taken;
	unsigned int count = 0;
	bool dead;

	for (unsigned int i = 0; (kept = systemd_kept(recorder->systemd, i)); i++) {
		int err = keepsake_take(kept->fd, &taken, &dead);

		if (!err) {
			err = clients_restore(recorder->clients, &taken, dead, kept->name);
			adopt_taken_free(&taken);
		}
		count += !err;
		if (!err)
			continue;
		log_say("%s: what was kept of a process can't be used: %s", kept->name,
			strerror(-err));
		systemd_forget(recorder->systemd, kept->name);
	}
	counters.restored += count;
	if (count)
		log_say("the service manager had kept the rings of %u process%s", count,
			count == 1 ? "" : "es");
}

int recorder_begin(struct recorder *recorder, const struct recorder_options *options,
		   bool has_command)
{
	int err = 0;

	if (!options->without_confinement)
		err = confine_recorder(recorder, options, has_command);
	if (err)
		return err;
	err = workers_start(recorder->makers);
	if (!err)
		err = workers_start(recorder->writers);
	if (!err)
		err = systemd_start(recorder->systemd, recorder->loop);
	if (err)
		return fail("can't start", err);
	subjects_unmap_by(recorder->makers);
	restore(recorder);
	return open_adopt(recorder, options);
}

int recorder_settle(struct recorder *recorder)
{
	int err = 0;

	clients_wind_down(recorder->clients);
	adopt_stop(recorder->adopt);
	if (recorder->adopt)
		clients_let_go(recorder->clients);
	listener_close(&recorder->listener); /* who connects now shall find nobody, not silence */
	ctl_server_wind_down(recorder->ctl);
	while (!err && !recorder->impatient &&
	       (clients_dying_count(recorder->clients) || workers_pending(recorder->makers) ||
		workers_pending(recorder->writers)))
		err = loop_once(recorder->loop, -1);
	/* Commands that run have a bound, those that wait might take minutes. */
	hook_stop(recorder->hook);
	while (!err && !recorder->impatient && hook_pending(recorder->hook))
		err = loop_once(recorder->loop, -1);
	return recorder->impatient ? -EINTR : err;
}

void recorder_close(struct recorder *recorder)
{
	if (recorder->clients)
		clients_wind_down(recorder->clients);
	adopt_stop(recorder->adopt);
	listener_close(&recorder->listener);
	metrics_close(recorder->metrics);
	ctl_server_wind_down(recorder->ctl);
	announce_wind_down(recorder->announce);
	subjects_unmap_by(NULL);
	/* Before the clients: jobs name them. */
	workers_close(recorder->makers);
	workers_close(recorder->writers);
	announce_close(recorder->announce);
	ctl_server_close(recorder->ctl);
	adopt_close(recorder->adopt);
	clients_close(recorder->clients);
	histories_close(recorder->histories);
	calibration_close(recorder->calibration);
	loop_remove(recorder->watch_source);
	stacks_close(recorder->stacks);
	watch_close(recorder->watch);
	hook_close(recorder->hook);
	keep_close(recorder->keep);
	last_deaths_close(recorder->last_deaths);
	store_close(&recorder->store);
	systemd_close(recorder->systemd); /* behind all who have something to say */
	loop_close(recorder->loop);
}
