/* SPDX-License-Identifier: MIT */
/*
 * The table of clients in this process, with the kernel program's words made up: what is said
 * twice, too late, or of nobody, and what the clock alone decides. The freeze: test_clients_freeze.c.
 */
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include "tests/clients_by_hand.h"

TestSuite(clients, .init = open_parts, .fini = close_parts, .timeout = 120);

static unsigned int count_own_fds(void)
{
	unsigned int count = 0;
	DIR *dir = opendir("/proc/self/fd");

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

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

static void finish_dumps(void)
{
	while (workers_pending(parts.writers) || workers_pending(parts.makers))
		turn();
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
