/* SPDX-License-Identifier: MIT */
/*
 * deaths.c - how a client ends, once, and the dumps that follow.
 *
 * With the kernel program its DEATH or EXEC event is the end, and the pidfd a second trigger: it
 * may come first when another CPU still writes into the ring buffer, so the event gets a moment.
 * Without the program the pidfd is all there is; on newer kernels it also knows the exit status,
 * once the parent has reaped the process, and the moment is for that.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "recorder/client.h"
#include "recorder/counters.h"
#include "recorder/group.h"
#include "recorder/log.h"
#include "recorder/obituary.h"
#include "recorder/watch.h"

#define GRACE_MS 100
/* Who runs on after a SIGKILL does so for a few milliseconds. */
#define FREEZE_LOOK_MS 250
#define SNAPSHOTS_PENDING_MAX 10 /* of one client */

/* include/uapi/linux/pidfd.h of Linux 6.15, which is newer than the headers that we build with. */
struct pidfd_exit_info {
	uint64_t mask;
	uint64_t cgroup_id;
	uint32_t ids[11]; /* pid, tgid, ppid, then uids and gids */
	int32_t exit_code;
};
#define PIDFD_EXIT_INFO_GET _IOWR(0xFF, 11, struct pidfd_exit_info)
#define PIDFD_EXIT_INFO_EXIT (UINT64_C(1) << 3)
_Static_assert(sizeof(struct pidfd_exit_info) == 64, "PIDFD_INFO_SIZE_VER0");

/* ---- the end ---------------------------------------------------------------------------- */

static bool is_clean(const struct verdict *verdict)
{
	return verdict->how == VERDICT_EXIT && verdict->have_exit_code && verdict->exit_code == 0;
}

static struct capture *take_capture(struct client *client)
{
	struct capture *capture = client->capture;

	client->capture = NULL;
	return capture;
}

static void dump_end(struct client *client, const struct verdict *verdict)
{
	char reason[DUMPER_REASON_BYTES];
	struct group_plan plan;
	int err;

	verdict_reason(verdict, reason, sizeof(reason));
	if (is_clean(verdict) && !client->clients->config.dump_on_exit) {
		struct obituary obituary = {
			.subject = client->subject, .verdict = verdict, .reason = reason};

		log_detail("%s (pid %d) ended with exit status 0: no dump", client->hello.service,
			   (int)client->pid);
		obituary_publish(client->clients->config.dumper, &obituary, false);
		return;
	}
	group_plan(client, verdict, &plan);
	err = dumper_submit_in(client->clients->config.dumper, client->subject, &client->evidence,
			       take_capture(client), verdict, reason,
			       plan.has_set ? &plan.set : NULL);
	group_carry_out(client, &plan, !err);
}

/* All that will be known of it is known. */
static void finalise(struct client *client)
{
	struct clients *clients = client->clients;
	struct verdict verdict;

	client_drain(client);
	if (client->clients->watch)
		client->evidence.lost = watch_lost(client->clients->watch) - client->lost_before;
	verdict_reach(&client->evidence, (uint32_t)client->pid, &verdict);
	counters_death(&verdict);
	client->subject->over = true;
	dump_end(client, &verdict);
	client_free(client);
	clients_answer(clients);
}

/* Fills in the exit status if the kernel knows it: 6.15 and later, when it was reaped. */
static void ask_pidfd(struct client *client)
{
	struct pidfd_exit_info info = {.mask = PIDFD_EXIT_INFO_EXIT};

	if (client->evidence.have_wait_status || ioctl(client->pidfd, PIDFD_EXIT_INFO_GET, &info) ||
	    !(info.mask & PIDFD_EXIT_INFO_EXIT))
		return;
	client->evidence.have_wait_status = true;
	client->evidence.wait_status = info.exit_code;
}

static void grace_over(void *context)
{
	struct client *client = context;

	ask_pidfd(client);
	finalise(client);
}

void deaths_late(struct client *client)
{
	client->evidence.hang_up = client->evidence.unwatched = true;
	ask_pidfd(client);
	finalise(client);
}

/* The pidfd became readable (death), or hung up (reaped). May be the end of the client. */
static void pidfd_ready(void *context, uint32_t events)
{
	struct client *client = context;
	struct clients *clients = client->clients;
	const uint64_t id = client->id;

	if (!client->dead) {
		client->dead = true;
		client->evidence.hang_up = true;
		clients->dying++;
		loop_modify(client->pidfd_source, 0); /* EPOLLHUP still comes */
		loop_timer_set(clients->config.loop, &client->timer, GRACE_MS, grace_over, client);
	}
	if (events & EPOLLHUP) {
		loop_remove(client->pidfd_source);
		client->pidfd_source = NULL;
		ask_pidfd(client);
	}
	if (client->watched)
		watch_dispatch(clients->watch);
	/* Dispatching may have been its end. */
	if (clients->slot[id & 0xffff] != client || client->id != id)
		return;
	if (!client->watched && client->evidence.have_wait_status)
		finalise(client);
}

int deaths_watch(struct client *client)
{
	return loop_add(client->clients->config.loop, client->pidfd, EPOLLIN, pidfd_ready, client,
			&client->pidfd_source);
}

bool deaths_look(struct client *client)
{
	struct pollfd poll_fd = {.fd = client->pidfd, .events = POLLIN};

	if (client->dead)
		return false;
	if (poll(&poll_fd, 1, 0) <= 0)
		return true;
	pidfd_ready(client, (poll_fd.revents & POLLHUP ? EPOLLHUP : 0) | EPOLLIN);
	return false;
}

/* ---- the freeze ------------------------------------------------------------------------- */

static _Atomic uint32_t *freeze_word(const struct client *client)
{
	return (_Atomic uint32_t *)&client_control(client)->freeze;
}

/* For the recorder that comes behind us: without it one that was frozen by a signal would stay so. */
static void note_hold(const struct client *client, uint32_t held)
{
	__atomic_store_n(&client_control(client)->held, held, __ATOMIC_RELAXED);
}

/* The kernel program may be setting it at this moment: only the value that was seen is thawed. */
void deaths_thaw(struct client *client)
{
	uint32_t word;

	if (!client->subject)
		return;
	note_hold(client, 0);
	word = atomic_load_explicit(freeze_word(client), memory_order_relaxed);
	if (word & 1)
		atomic_compare_exchange_strong(freeze_word(client), &word, word + 1);
}

/*
 * The kernel program did it already, but in a client's first milliseconds, when it does not know
 * the control page yet, and where the client has a page of its own. Then late is better than not at
 * all.
 */
static void freeze(struct client *client)
{
	uint32_t word = atomic_load_explicit(freeze_word(client), memory_order_relaxed);

	if (!(word & 1))
		atomic_compare_exchange_strong(freeze_word(client), &word, word + 1);
}

/* Frozen a while ago. A core may take minutes to write; a handler may have saved the process. */
static void look_at_frozen(void *context)
{
	struct client *client = context;

	if (client->dead)
		return;
	if (identity_is_dumping_core(client->pid)) {
		loop_timer_set(client->clients->config.loop, &client->freeze_timer, FREEZE_LOOK_MS,
			       look_at_frozen, client);
		return;
	}
	log_detail("%s (pid %d) survived a fatal signal and is %s", client->hello.service,
		   (int)client->pid, client->held ? "still frozen by hand" : "thawed");
	if (!client->held)
		deaths_thaw(client);
}

static void fatal(struct client *client)
{
	freeze(client);
	if (!loop_timer_armed(&client->freeze_timer))
		loop_timer_set(client->clients->config.loop, &client->freeze_timer, FREEZE_LOOK_MS,
			       look_at_frozen, client);
}

void deaths_hold(struct client *client)
{
	client->held = true;
	note_hold(client, 1);
	freeze(client);
}

/* One that may be dying is thawed by the look at whether it did, if at all. */
void deaths_release(struct client *client)
{
	client->held = false;
	note_hold(client, 0);
	if (!client->dead && !loop_timer_armed(&client->freeze_timer))
		deaths_thaw(client);
}

void deaths_found_frozen(struct client *client)
{
	if (!(atomic_load_explicit(freeze_word(client), memory_order_relaxed) & 1))
		return;
	client->held = __atomic_load_n(&client_control(client)->held, __ATOMIC_RELAXED) == 1;
	if (client->held)
		log_warn("%s (pid %d) is adopted frozen, by hand: `ttlog-ctl thaw` ends that",
			 client->hello.service, (int)client->pid);
	else
		fatal(client); /* the recorder that was to look at it has ended before it could */
}

/* Who of them froze is not known, and who is not thawed would record no more. */
static void look_for_frozen(struct clients *clients)
{
	for (uint32_t i = 0; i < clients->config.count_max; i++) {
		struct client *client = clients->slot[i];

		if (client && client->state == CLIENT_LIVE &&
		    (atomic_load_explicit(freeze_word(client), memory_order_relaxed) & 1))
			fatal(client);
	}
}

/* ---- what the kernel program says ------------------------------------------------------- */

/* Ids of the gone, and of the not yet living, are nobody's. */
static struct client *find(const struct clients *clients, uint64_t id)
{
	const uint64_t slot = id & 0xffff;
	struct client *client = slot < clients->config.count_max ? clients->slot[slot] : NULL;

	return client && client->id == id && client->state == CLIENT_LIVE ? client : NULL;
}

void clients_event(void *context, const struct ttlog_bpf_event *event)
{
	struct clients *clients = context;
	struct client *client = find(clients, event->client_id);

	if (event->kind == TTLOG_BPF_UNSENT)
		look_for_frozen(clients);
	if (!client)
		return;
	verdict_note(&client->evidence, event);
	if (event->kind == TTLOG_BPF_DEATH || event->kind == TTLOG_BPF_EXEC)
		finalise(client);
	else if (event->flags & (TTLOG_BPF_FROZE | TTLOG_BPF_FATAL))
		fatal(client);
}

void clients_scene(void *context, const struct ttlog_bpf_scene *record, size_t bytes)
{
	struct client *client = find(context, record->client_id);

	if (client)
		capture_take(&client->capture, record, bytes);
}

/* ---- ends that are no deaths ------------------------------------------------------------ */

static void replaced_by_exec(struct client *client)
{
	const struct verdict verdict = {.how = VERDICT_EXEC, .confidence = VERDICT_MEDIUM};

	counters_death(&verdict);
	client->subject->over = true;
	dumper_submit(client->clients->config.dumper, client->subject, &client->evidence, NULL,
		      &verdict, "exec");
	client_free(client);
}

/* Two libraries record in one process, each for itself; the first may have been closed. */
static void replaced_by_another(struct client *client)
{
	const struct verdict alive = {.how = VERDICT_ALIVE, .confidence = VERDICT_HIGH};

	client->subject->over = true;
	if (!client->goodbye || client->clients->config.dump_on_exit)
		dumper_submit(client->clients->config.dumper, client->subject, NULL, NULL, &alive,
			      client->goodbye ? "closed" : "replaced");
	client_free(client);
}

bool deaths_has_lost_its_region(const struct client *client)
{
	return identity_maps_region(client->pid, client->subject->inode) == 0;
}

/*
 * An exec closes the socket and drops the region. The kernel program says so itself, unless the
 * exec was before it watched; without it this is the only trace.
 */
void deaths_hung_up(struct client *client)
{
	struct clients *clients = client->clients;
	const uint64_t id = client->id;

	if (client->watched)
		watch_dispatch(clients->watch);
	if (clients->slot[id & 0xffff] != client || !deaths_look(client))
		return;
	if (deaths_has_lost_its_region(client))
		replaced_by_exec(client);
}

void deaths_replace(struct client *client)
{
	struct clients *clients = client->clients;

	if (clients->watch)
		watch_dispatch(clients->watch); /* an EXEC that is on its way explains more */
	for (uint32_t i = 0; i < clients->config.count_max; i++) {
		struct client *other = clients->slot[i];

		if (!other || other == client || other->state != CLIENT_LIVE ||
		    other->pid != client->pid)
			continue;
		if (!deaths_look(other)) /* the pid is a new process's */
			continue;
		if (deaths_has_lost_its_region(other))
			replaced_by_exec(other);
		else
			replaced_by_another(other);
	}
}

/* Takes the capture, which may be NULL. */
static int snapshot(struct client *client, struct capture *capture, const char *reason,
		    const struct occasion *occasion)
{
	const struct verdict alive = {.how = VERDICT_ALIVE,
				      .confidence = VERDICT_HIGH,
				      .occasion = *occasion};
	int err = 0;

	if (client->clients->closing)
		err = -ESHUTDOWN;
	else if (client->subject->dumps_pending >= SNAPSHOTS_PENDING_MAX)
		err = -EBUSY;
	if (err) {
		capture_free(capture);
		return err;
	}
	return dumper_submit(client->clients->config.dumper, client->subject, NULL, capture, &alive,
			     reason);
}

int deaths_snapshot(struct client *client, const char *reason, const struct occasion *occasion)
{
	return snapshot(client, NULL, reason, occasion);
}

int deaths_snapshot_stacks(struct client *client, const char *reason,
			   const struct occasion *occasion)
{
	struct stacks *stacks = client->clients->stacks;

	return snapshot(client,
			stacks && client->watched ? capture_living(stacks, client->id) : NULL,
			reason, occasion);
}

void clients_set_stacks(struct clients *clients, struct stacks *stacks)
{
	clients->stacks = stacks;
}

/* ---- from outside ----------------------------------------------------------------------- */

void clients_note_exit(struct clients *clients, pid_t pid, int wait_status)
{
	for (uint32_t i = 0; i < clients->config.count_max; i++) {
		struct client *client = clients->slot[i];

		if (!client || client->state != CLIENT_LIVE || client->pid != pid)
			continue;
		client->evidence.have_wait_status = true;
		client->evidence.wait_status = wait_status;
		deaths_look(client);
		if (clients->slot[i] == client && client->dead && !client->watched)
			finalise(client);
	}
}

/* Who is frozen may be dying: his end is waited for as long as we live. */
void clients_let_go(struct clients *clients)
{
	for (uint32_t i = 0; i < clients->config.count_max; i++) {
		struct client *client = clients->slot[i];

		if (client && client->state == CLIENT_LIVE && !client->dead &&
		    !(atomic_load_explicit(freeze_word(client), memory_order_relaxed) & 1))
			client_free(client);
	}
}

void clients_wind_down(struct clients *clients)
{
	clients_unlisten(clients);
	clients->closing = true;
	if (clients->watch)
		watch_dispatch(clients->watch);
	for (uint32_t i = 0; i < clients->config.count_max; i++)
		if (clients->slot[i] && clients->slot[i]->state == CLIENT_LIVE)
			deaths_look(clients->slot[i]);
}
