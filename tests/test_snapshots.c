/* SPDX-License-Identifier: MIT */
/*
 * What a client asks for once its recorder is another one than it said hello to; and what becomes of
 * the freeze that the first one left behind. Real recorders and clients; where the order matters, the
 * table of clients in this process.
 */
#include <sys/mman.h>

#include "recorder/adopt_take.h"
#include "recorder/client.h"
#include "recorder/listener.h"
#include "tests/hello_by_hand.h"
#include "tests/service_process.h"

TestSuite(snapshots, .init = recorder_prepare, .fini = recorder_clean, .timeout = 150);

#define ASKS_MAX 10 /* a second */

/* Asks each time that it is told to. */
static void ask_when_told(void)
{
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ready();
	for (;;) {
		sigwait(&set, &signal);
		if (ttlog_snapshot("again"))
			_exit(94);
		ready();
	}
}

static void let_ask(const struct service *service)
{
	char byte;

	cr_assert_eq(kill(service->pid, SIGUSR1), 0);
	cr_assert_eq(read(service->said, &byte, 1), 1, "it could not ask");
}

static void kill_recorder(struct recorder_process *recorder)
{
	cr_assert_eq(kill(recorder->pid, SIGKILL), 0);
	end_status(recorder);
	close(recorder->stderr_fd);
}

static void check_asked(bool had_recorder, const char *const *arguments)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	if (had_recorder)
		start_recorder(&recorder, arguments);
	start_service(&service, ask_when_told);
	for (int i = 0; i < 2; i++) {
		if (had_recorder || i)
			kill_recorder(&recorder);
		start_recorder(&recorder, arguments);
		let_ask(&service);
		expect_line(&recorder, "-snapshot-again", line, sizeof(line));
		check_dump(line, "-snapshot-again", "the last words");
		check_dump(line, "", "a snapshot: it asked for one itself (again)");
	}
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	stop_recorder(&recorder);
}

Test(snapshots, are_taken_of_who_had_another_recorder)
{
	check_asked(true, NONE);
}

Test(snapshots, are_taken_of_who_had_none)
{
	check_asked(false, NONE);
}

Test(snapshots, are_taken_of_the_adopted_without_ebpf)
{
	check_asked(true, (const char *const[]){"--no-bpf", NULL});
}

/* ---- in this process --------------------------------------------------------------------------- */

static struct recorder_parts {
	struct loop *loop;
	struct workers *workers;
	struct store store;
	struct dumper dumper;
	struct listener listener;
	struct calibration *calibration;
	struct clients *clients;
} parts;

static void open_parts(uint32_t timeout_ms)
{
	struct clients_config config = {
		.count_max = 64,
		.region_bytes_max = 8 << 20, /* where a page has 64 KiB, 6 MiB is the least */
		.memory_bytes_max = 64 << 20,
		.hello_timeout_ms = timeout_ms,
	};

	cr_assert_eq(loop_open(&parts.loop), 0);
	cr_assert_eq(workers_open(&parts.workers, parts.loop, 1), 0);
	cr_assert_eq(store_open(&parts.store, recorder_dumps), 0);
	cr_assert_eq(listener_open(&parts.listener, recorder_socket), 0);
	cr_assert_eq(calibration_open(&parts.calibration, parts.loop), 0);
	dumper_init(&parts.dumper, parts.workers, &parts.store, parts.calibration, "test");
	config.loop = parts.loop;
	config.makers = parts.workers;
	config.dumper = &parts.dumper;
	cr_assert_eq(clients_open(&parts.clients, &config), 0);
	cr_assert_eq(clients_listen(parts.clients, parts.listener.fd), 0);
}

static void close_parts(void)
{
	clients_unlisten(parts.clients);
	listener_close(&parts.listener);
	workers_close(parts.workers);
	clients_close(parts.clients);
	store_close(&parts.store);
	calibration_close(parts.calibration);
	loop_close(parts.loop);
}

static void turn(void)
{
	cr_assert_eq(loop_once(parts.loop, BY_HAND_WAIT_MS), 0);
}

struct asker {
	pid_t pid;
	struct adopt_find region;
};

/* Has a region in its memory that nobody was given, and has asked so often. */
static void start_asker(struct asker *ret_asker, unsigned int asks)
{
	const struct ttlog_snapshot_request request = {
		.head = head_by_hand(TTLOG_MESSAGE_SNAPSHOT, sizeof(request)),
		.reason = "early",
	};
	struct ttlog_geometry geometry;
	struct stat status;
	int said[2];
	char byte;
	void *base;

	ttlog_region_plan(TTLOG_REGION_BYTES_MIN, &geometry);
	cr_assert_eq(ttlog_region_make(&geometry, "asker", TTLOG_CLOCK_MONOTONIC,
				       &ret_asker->region.fd, &base),
		     0);
	cr_assert_eq(fstat(ret_asker->region.fd, &status), 0);
	ret_asker->region.inode = status.st_ino;
	cr_assert_eq(pipe2(said, O_CLOEXEC), 0);
	ret_asker->pid = ret_asker->region.pid = fork_child();
	if (!ret_asker->pid) {
		for (unsigned int i = 0; i < asks; i++) {
			const int fd = peer_connect(recorder_socket);

			if (send(fd, &request, sizeof(request), MSG_NOSIGNAL) != sizeof(request))
				_exit(1);
			close(fd);
		}
		if (write(said[1], "", 1) != 1)
			_exit(2);
		for (;;)
			pause();
	}
	close(said[1]);
	cr_assert_eq(read(said[0], &byte, 1), 1);
	close(said[0]);
	ttlog_region_unmap(base, &geometry);
}

static void adopt(struct asker *asker)
{
	struct adopt_taken taken;

	cr_assert_eq(adopt_take(&asker->region, 0, &taken), 0);
	cr_assert_eq(clients_adopt(parts.clients, &taken), 0);
	adopt_taken_free(&taken);
}

static void end_asker(struct asker *asker)
{
	cr_assert_eq(kill(asker->pid, SIGKILL), 0);
	cr_assert_eq(waitpid(asker->pid, NULL, 0), asker->pid);
	close(asker->region.fd);
}

static unsigned int count_waiting(pid_t pid)
{
	unsigned int count = 0;

	for (uint32_t i = 0; i < parts.clients->config.count_max; i++) {
		const struct client *peer = parts.clients->slot[i];

		count += peer && peer->wants_snapshot && peer->pid == pid && peer->socket_fd < 0;
	}
	return count;
}

static void finish_dumps(void)
{
	while (workers_pending(parts.workers))
		turn();
}

Test(snapshots, wait_until_who_asks_is_adopted)
{
	struct asker asker, other;

	open_parts(BY_HAND_WAIT_MS * 10);
	start_asker(&asker, 1);
	start_asker(&other, 1);
	while (!count_waiting(asker.pid) || !count_waiting(other.pid))
		turn();
	finish_dumps();
	cr_assert_eq(count_dumps(""), 0);
	adopt(&asker);
	finish_dumps();
	cr_assert_eq(count_dumps("-snapshot-early.bin"), 1);
	cr_assert_eq(parts.clients->count, 2, "one lives, the other waits");
	cr_assert_eq(count_waiting(other.pid), 1);
	end_asker(&asker);
	end_asker(&other);
	close_parts();
}

/* Its time is over when it has been seen to wait: on a busy machine it would be before, too. */
static void let_time_pass(pid_t pid)
{
	for (uint32_t i = 0; i < parts.clients->config.count_max; i++) {
		struct client *peer = parts.clients->slot[i];

		if (!peer || !peer->wants_snapshot || peer->pid != pid)
			continue;
		cr_assert(loop_timer_armed(&peer->timer));
		peer->timer.deadline_ns = 0;
	}
}

Test(snapshots, of_nobody_are_forgotten)
{
	struct asker asker;

	open_parts(BY_HAND_WAIT_MS * 10);
	start_asker(&asker, 1);
	while (!count_waiting(asker.pid))
		turn();
	let_time_pass(asker.pid);
	while (parts.clients->count)
		turn();
	adopt(&asker);
	finish_dumps();
	cr_assert_eq(count_dumps(""), 0);
	end_asker(&asker);
	close_parts();
}

/* So many more than there are for a second that they can't all be in time, however slow we are. */
Test(snapshots, are_rationed_whoever_carries_them)
{
	struct asker asker;

	open_parts(BY_HAND_WAIT_MS * 10);
	start_asker(&asker, 5 * ASKS_MAX);
	while (count_waiting(asker.pid) < 5 * ASKS_MAX)
		turn();
	adopt(&asker);
	finish_dumps();
	cr_assert_eq(parts.clients->count, 1);
	cr_assert_geq(count_dumps("-snapshot-early"), ASKS_MAX);
	cr_assert_lt(count_dumps("-snapshot-early"), 5 * ASKS_MAX);
	end_asker(&asker);
	close_parts();
}

/* ---- frozen, and its recorder is gone ---------------------------------------------------------- */

static struct ttlog_control *page_of(const struct asker *asker, struct ttlog_geometry *ret_geometry,
				     void **ret_base)
{
	cr_assert_eq(ttlog_region_map(asker->region.fd, ret_geometry, ret_base), 0);
	return (struct ttlog_control *)((char *)*ret_base + ret_geometry->control_offset);
}

static struct client *client_of(pid_t pid)
{
	for (uint32_t i = 0; i < parts.clients->config.count_max; i++)
		if (parts.clients->slot[i] && parts.clients->slot[i]->pid == pid)
			return parts.clients->slot[i];
	cr_assert_fail("it is no client");
	return NULL;
}

Test(snapshots, who_a_signal_froze_is_thawed_by_the_next_recorder)
{
	struct ttlog_geometry geometry;
	struct ttlog_control *page;
	struct asker asker;
	void *base;

	open_parts(0);
	start_asker(&asker, 0);
	page = page_of(&asker, &geometry, &base);
	page->freeze = 5;
	adopt(&asker);
	cr_assert_eq(__atomic_load_n(&page->freeze, __ATOMIC_RELAXED), 5, "it may be dying");
	while (__atomic_load_n(&page->freeze, __ATOMIC_RELAXED) == 5)
		turn();
	cr_assert_eq(page->freeze, 6);
	ttlog_region_unmap(base, &geometry);
	end_asker(&asker);
	close_parts();
}

Test(snapshots, who_a_hand_froze_stays_so_for_the_next_recorder)
{
	struct ttlog_geometry geometry;
	struct ttlog_control *page;
	struct client *client;
	struct asker asker;
	void *base;

	open_parts(0);
	start_asker(&asker, 0);
	page = page_of(&asker, &geometry, &base);
	adopt(&asker);
	deaths_hold(client_of(asker.pid));
	cr_assert_eq(page->held, 1);
	client = client_of(asker.pid);
	client_free(client); /* as if we had been killed: nobody thaws */
	adopt(&asker);
	client = client_of(asker.pid);
	cr_assert(client->held);
	cr_assert(!loop_timer_armed(&client->freeze_timer));
	cr_assert_eq(page->freeze, 1);
	deaths_release(client);
	cr_assert_eq(page->freeze, 2);
	cr_assert_eq(page->held, 0);
	ttlog_region_unmap(base, &geometry);
	end_asker(&asker);
	close_parts();
}
