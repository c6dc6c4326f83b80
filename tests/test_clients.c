/* SPDX-License-Identifier: MIT */
/*
 * The table of clients in this process, with the kernel program's words made up: what is said
 * twice, too late, or of nobody, and what the clock alone decides.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "recorder/client.h"
#include "recorder/listener.h"
#include "tests/hello_by_hand.h"

static char folder[64], path[100], dumps[100];
static struct recorder_parts {
	struct loop *loop;
	struct workers *makers, *writers;
	struct store store;
	struct dumper dumper;
	struct listener listener;
	struct calibration *calibration;
	struct clients *clients;
} parts;

static void open_clients(bool dump_on_exit)
{
	const struct clients_config config = {
		.loop = parts.loop,
		.makers = parts.makers,
		.dumper = &parts.dumper,
		.count_max = 16,
		.region_bytes_max = 2 << 20,
		.memory_bytes_max = 64 << 20,
		.hello_timeout_ms = 50,
		.dump_on_exit = dump_on_exit,
	};

	cr_assert_eq(clients_open(&parts.clients, &config), 0);
	cr_assert_eq(clients_listen(parts.clients, parts.listener.fd), 0);
}

static void open_parts(void)
{
	strcpy(folder, "/tmp/ttlog-test-clients-XXXXXX");
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/recorder.sock", folder);
	snprintf(dumps, sizeof(dumps), "%s/dumps", folder);
	cr_assert_eq(loop_open(&parts.loop), 0);
	cr_assert_eq(workers_open(&parts.makers, parts.loop, 1), 0);
	cr_assert_eq(workers_open(&parts.writers, parts.loop, 2), 0);
	cr_assert_eq(store_open(&parts.store, dumps), 0);
	cr_assert_eq(listener_open(&parts.listener, path), 0);
	cr_assert_eq(calibration_open(&parts.calibration, parts.loop), 0);
	dumper_init(&parts.dumper, parts.writers, &parts.store, parts.calibration, "test");
	open_clients(false);
}

static unsigned int count_own_fds(void)
{
	unsigned int count = 0;
	DIR *dir = opendir("/proc/self/fd");

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void close_parts(void)
{
	char command[128];

	clients_unlisten(parts.clients);
	listener_close(&parts.listener);
	workers_close(parts.makers);
	workers_close(parts.writers);
	clients_close(parts.clients);
	store_close(&parts.store);
	calibration_close(parts.calibration);
	loop_close(parts.loop);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(clients, .init = open_parts, .fini = close_parts, .timeout = 60);

static unsigned int count_dumps(const char *in_name)
{
	unsigned int count = 0;
	DIR *dir = opendir(dumps);

	for (const struct dirent *entry; (entry = readdir(dir));)
		count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
			 strstr(entry->d_name, in_name);
	closedir(dir);
	return count;
}

/* ---- a client whose life is in our hands: a child that waits to be killed ---- */

struct peer {
	pid_t pid;
	int region_fd;
	uint64_t id;
};

static void turn(void)
{
	cr_assert_eq(loop_once(parts.loop, BY_HAND_WAIT_MS), 0);
}

static void finish_dumps(void)
{
	while (workers_pending(parts.writers) || workers_pending(parts.makers))
		turn();
}

/* The only client, or NULL. */
static struct client *only_client(void)
{
	for (uint32_t i = 0; i < parts.clients->config.count_max; i++)
		if (parts.clients->slot[i])
			return parts.clients->slot[i];
	return NULL;
}

static void live_as_a_client(void)
{
	const struct ttlog_hello hello = hello_by_hand("client");
	struct ttlog_welcome welcome;
	int fd, fds[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = peer_connect(path);
	if (send(fd, &hello, sizeof(hello), 0) < 0 || receive_welcome(fd, &welcome, fds) <= 0)
		_exit(1);
	for (;;)
		pause();
}

static void start_peer(struct peer *ret_peer)
{
	const uint64_t registered = clients_registered_count(parts.clients);
	struct client *client;

	fflush(NULL);
	ret_peer->pid = fork();
	if (!ret_peer->pid)
		live_as_a_client();
	while (clients_registered_count(parts.clients) == registered)
		turn();
	client = only_client();
	cr_assert_eq(client->pid, ret_peer->pid);
	ret_peer->id = client->id;
}

static void end_peer(struct peer *peer)
{
	kill(peer->pid, SIGKILL);
	cr_assert_eq(waitpid(peer->pid, NULL, 0), peer->pid);
}

static struct ttlog_bpf_event event_of(const struct peer *peer, uint32_t kind, uint32_t flags)
{
	return (struct ttlog_bpf_event){
		.client_id = peer->id,
		.kind = kind,
		.flags = flags,
		.signal = kind == TTLOG_BPF_SIGNAL ? SIGSEGV : 0,
		.target = {.pid = (uint32_t)peer->pid, .tid = (uint32_t)peer->pid},
	};
}

static void tell(const struct peer *peer, uint32_t kind, uint32_t flags)
{
	const struct ttlog_bpf_event event = event_of(peer, kind, flags);

	clients_event(parts.clients, &event);
}

Test(clients, drops_a_peer_that_says_nothing)
{
	const unsigned int before = count_own_fds();
	int fd = peer_connect(path);

	turn();
	cr_assert_eq(parts.clients->count, 1);
	while (parts.clients->count)
		turn();
	wait_readable(fd);
	cr_assert_eq(recv(fd, &(char){0}, 1, 0), 0);
	close(fd);
	cr_assert_eq(count_own_fds(), before);
}

Test(clients, ends_each_client_once_however_often_it_is_said)
{
	const unsigned int before = count_own_fds();
	struct ttlog_bpf_event death;
	struct peer peer;

	start_peer(&peer);
	death = event_of(&peer, TTLOG_BPF_DEATH, 0);
	death.exit_code = 3 << 8;
	kill(peer.pid, SIGKILL);
	clients_event(parts.clients, &death);
	clients_event(parts.clients, &death);
	end_peer(&peer);
	cr_assert_eq(loop_once(parts.loop, 0), 0); /* the pidfd has its say, too */
	finish_dumps();
	cr_assert_eq(count_dumps(""), 1);
	cr_assert_eq(count_dumps("-exit-3.bin"), 1);
	cr_assert_eq(parts.clients->count, 0);
	cr_assert_eq(parts.clients->quota.bytes, 0);
	cr_assert_eq(count_own_fds(), before);
}

Test(clients, ends_without_the_kernels_word_after_a_moment)
{
	struct peer peer;

	start_peer(&peer);
	end_peer(&peer); /* reaped: a kernel from 6.15 on tells the status to whoever has a pidfd */
	while (parts.clients->count)
		turn();
	cr_assert_eq(clients_dying_count(parts.clients), 0);
	finish_dumps();
	cr_assert_eq(count_dumps(""), 1);
	cr_assert_eq(count_dumps("-sigkill.bin") + count_dumps("-unknown.bin"), 1);
}

/* A zombie has no status to tell: the grace must come to an end all the same. */
Test(clients, does_not_wait_for_a_parent_that_never_reaps)
{
	struct timespec start, end;
	struct peer peer;

	start_peer(&peer);
	kill(peer.pid, SIGKILL);
	clock_gettime(CLOCK_MONOTONIC, &start);
	while (parts.clients->count)
		turn();
	clock_gettime(CLOCK_MONOTONIC, &end);
	cr_assert_geq((end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000,
		      99);
	finish_dumps();
	cr_assert_eq(count_dumps(""), 1);
	end_peer(&peer);
}

Test(clients, takes_the_status_of_a_child_of_ours)
{
	struct peer peer;

	start_peer(&peer);
	end_peer(&peer);
	clients_note_exit(parts.clients, peer.pid, 7 << 8); /* as the one who reaps it says it */
	cr_assert_eq(parts.clients->count, 0);
	finish_dumps();
	cr_assert_eq(count_dumps("-exit-7.bin"), 1);
}

Test(clients, ends_at_an_exec_and_does_not_mourn_what_came_after)
{
	struct peer peer;

	start_peer(&peer);
	tell(&peer, TTLOG_BPF_EXEC, 0);
	cr_assert_eq(parts.clients->count, 0);
	tell(&peer, TTLOG_BPF_DEATH, 0);
	end_peer(&peer);
	finish_dumps();
	cr_assert_eq(count_dumps(""), 1);
	cr_assert_eq(count_dumps("-exec.bin"), 1);
}

Test(clients, believes_nothing_of_strangers)
{
	struct peer peer, stranger;

	start_peer(&peer);
	stranger = peer;
	for (uint64_t slot = 0; slot < 0x10000; slot++) {
		const uint64_t ids[] = {slot, peer.id - (peer.id & 0xffff) + slot,
					(peer.id | 0xffff) + 1 + slot};

		for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
			stranger.id = ids[i];
			if (stranger.id != peer.id)
				tell(&stranger, TTLOG_BPF_DEATH, 0);
		}
	}
	cr_assert_eq(parts.clients->count, 1);
	end_peer(&peer);
	while (parts.clients->count)
		turn();
}

/* ---- the freeze ---- */

static uint32_t freeze_of(const struct client *client)
{
	const struct subject *subject = client->subject;
	const struct ttlog_control *control =
		(const struct ttlog_control *)((const char *)subject->base +
					       subject->geometry.control_offset);

	return __atomic_load_n(&control->freeze, __ATOMIC_RELAXED);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

Test(clients, freezes_at_a_fatal_signal_and_thaws_who_survives)
{
	struct client *client;
	struct peer peer;
	int64_t start;

	start_peer(&peer);
	client = only_client();
	tell(&peer, TTLOG_BPF_SIGNAL, TTLOG_BPF_HANDLED);
	cr_assert_eq(freeze_of(client), 0, "a handler takes it");
	start = now_ms();
	tell(&peer, TTLOG_BPF_SIGNAL, TTLOG_BPF_FATAL);
	cr_assert_eq(freeze_of(client), 1);
	tell(&peer, TTLOG_BPF_SIGNAL, TTLOG_BPF_FATAL);
	cr_assert_eq(freeze_of(client), 1, "once is enough");
	while (freeze_of(client) == 1)
		turn();
	cr_assert_geq(now_ms() - start, 249);
	cr_assert_eq(freeze_of(client), 2);
	tell(&peer, TTLOG_BPF_DELIVER, TTLOG_BPF_FATAL);
	cr_assert_eq(freeze_of(client), 3, "and again");
	end_peer(&peer);
	while (parts.clients->count)
		turn();
}

Test(clients, what_a_hand_froze_only_a_hand_thaws)
{
	struct client *client;
	struct peer peer;

	start_peer(&peer);
	client = only_client();
	deaths_hold(client);
	cr_assert_eq(freeze_of(client), 1);
	tell(&peer, TTLOG_BPF_SIGNAL, TTLOG_BPF_FATAL);
	while (loop_timer_armed(&client->freeze_timer))
		turn();
	cr_assert_eq(freeze_of(client), 1, "it survived, and is still held");
	deaths_release(client);
	cr_assert_eq(freeze_of(client), 2);
	tell(&peer, TTLOG_BPF_SIGNAL, TTLOG_BPF_FATAL);
	deaths_hold(client);
	deaths_release(client);
	cr_assert_eq(freeze_of(client), 3, "it may be dying: no hand thaws that");
	while (freeze_of(client) == 3)
		turn();
	cr_assert_eq(freeze_of(client), 4, "it was not");
	end_peer(&peer);
	while (parts.clients->count)
		turn();
}

Test(clients, thaws_the_frozen_when_the_recorder_leaves)
{
	struct client *client;
	struct subject *subject;
	struct peer peer;

	start_peer(&peer);
	client = only_client();
	subject = client->subject;
	subject->holders++; /* to look at it when the client is gone */
	tell(&peer, TTLOG_BPF_SIGNAL, TTLOG_BPF_FATAL);
	cr_assert_eq(freeze_of(client), 1);
	/* What it is accounted to goes with the clients. */
	quota_give(subject->user, subject->geometry.region_bytes);
	quota_put(subject->user);
	clients_close(parts.clients);
	open_clients(false);
	cr_assert_eq(freeze_of(&(struct client){.subject = subject}), 2);
	subject->user = quota_get(&parts.clients->quota, 0);
	cr_assert_eq(quota_take(subject->user, subject->geometry.region_bytes), 0);
	subject_release(subject);
	end_peer(&peer);
}

/* ---- a process that registers twice ---- */

static void say_hello_ourselves(int *ret_fd)
{
	const struct ttlog_hello hello = hello_by_hand("twice");
	const uint64_t registered = clients_registered_count(parts.clients);

	*ret_fd = peer_connect(path);
	cr_assert_eq(send(*ret_fd, &hello, sizeof(hello), 0), sizeof(hello));
	while (clients_registered_count(parts.clients) == registered)
		turn();
}

/* Keeps the region in our memory, as a library in this process would. */
static void map_ours(int fd)
{
	struct ttlog_welcome welcome;
	int fds[2];

	cr_assert_eq(receive_welcome(fd, &welcome, fds), sizeof(welcome));
	cr_assert_neq(mmap(NULL, 1 << 20, PROT_READ, MAP_SHARED, fds[0], 0), MAP_FAILED);
	close(fds[0]);
}

Test(clients, replaces_the_older_registration_of_a_process)
{
	int first, second;

	say_hello_ourselves(&first);
	map_ours(first);
	say_hello_ourselves(&second);
	finish_dumps();
	cr_assert_eq(parts.clients->count, 1);
	cr_assert_eq(count_dumps(""), 1);
	cr_assert_eq(count_dumps("-replaced.bin"), 1);
	close(first);
	close(second);
}

Test(clients, forgets_an_older_registration_that_was_closed)
{
	const struct ttlog_message_head goodbye =
		head_by_hand(TTLOG_MESSAGE_GOODBYE, sizeof(goodbye));
	int first, second;

	say_hello_ourselves(&first);
	map_ours(first);
	cr_assert_eq(send(first, &goodbye, sizeof(goodbye), 0), sizeof(goodbye));
	while (!only_client()->goodbye)
		turn();
	say_hello_ourselves(&second);
	finish_dumps();
	cr_assert_eq(parts.clients->count, 1);
	cr_assert_eq(count_dumps(""), 0);
	close(first);
	close(second);
}

/* ---- snapshots ---- */

Test(clients, writes_ten_snapshots_a_second_at_the_most)
{
	const struct ttlog_snapshot_request snapshot = {
		.head = head_by_hand(TTLOG_MESSAGE_SNAPSHOT, sizeof(snapshot)),
		.reason = "x",
	};
	struct client *client;
	int64_t start, elapsed_s;
	int fd;

	say_hello_ourselves(&fd);
	client = only_client();
	start = now_ms();
	for (unsigned int i = 1; i <= 30; i++) {
		cr_assert_eq(send(fd, &snapshot, sizeof(snapshot), 0), sizeof(snapshot));
		while (parts.dumper.written + client->snapshots_refused < i)
			turn();
	}
	elapsed_s = (now_ms() - start) / 1000;
	cr_assert_leq(parts.dumper.written, 10 * (uint64_t)(elapsed_s + 1));
	cr_assert_geq(parts.dumper.written, 10);
	close(fd);
}

/* ---- what can't be written ---- */

Test(clients, lives_on_when_a_dump_can_not_be_written)
{
	struct peer peer;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		close_parts();
		cr_skip("mounting needs root");
	}
	store_close(&parts.store);
	cr_assert_eq(mount("ttlog-test", dumps, "tmpfs", 0, "size=4k,nr_inodes=2"), 0);
	cr_assert_eq(store_open(&parts.store, dumps), 0);
	for (int i = 0; i < 2; i++) {
		start_peer(&peer);
		end_peer(&peer);
		while (parts.clients->count)
			turn();
		finish_dumps();
	}
	cr_assert_eq(parts.dumper.failed + parts.dumper.written, 2);
	cr_assert_geq(parts.dumper.failed, 1);
	cr_assert_eq(count_dumps(".tmp"), 0);
	cr_assert_eq(parts.clients->quota.bytes, 0);
	store_close(&parts.store);
	cr_assert_eq(umount2(dumps, MNT_DETACH), 0);
	cr_assert_eq(store_open(&parts.store, dumps), 0);
}
