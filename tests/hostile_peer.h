/* SPDX-License-Identifier: MIT */
/* hostile_peer.h - a daemon, and processes that turn against it: started, heard of, ended. */
#ifndef TESTS_HOSTILE_PEER_H
#define TESTS_HOSTILE_PEER_H

#include "tests/hello_by_hand.h"
#include "tests/honest_service.h"

static struct recorder_process recorder;

static void prepare(void)
{
	recorder_prepare();
	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	start_recorder(&recorder, NONE);
}

static void finish(void)
{
	stop_recorder(&recorder);
	recorder_clean();
}

static void end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

/* Comes back when life() has said that it is ready. */
static pid_t start_peer(void (*life)(int))
{
	int said[2];
	char byte;
	pid_t pid;

	cr_assert_eq(pipe2(said, O_CLOEXEC), 0);
	pid = fork_child();
	if (!pid) {
		close(said[0]);
		life(said[1]);
		_exit(1);
	}
	close(said[1]);
	cr_assert_eq(read(said[0], &byte, 1), 1, "the peer did not get that far");
	close(said[0]);
	return pid;
}

static void say_ready(int said)
{
	if (write(said, "", 1) != 1)
		_exit(3);
}

#endif
