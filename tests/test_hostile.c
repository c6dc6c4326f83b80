/* SPDX-License-Identifier: MIT */
/*
 * Clients that turn their memory against the recorder: it is changed while it is read, shrunk, full
 * of holes, or no memory at all. They may spoil their own dumps; beside them an honest service
 * dies, and its dump is right. What peers do on the socket is in test_intruders.c and
 * test_hostile_peers.c, what a region may hold in test_reader_hostile.c.
 */
#include <linux/memfd.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "lib/region.h"
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

TestSuite(hostile, .init = prepare, .fini = finish, .timeout = 240);

/* ---- changed while it is read ----------------------------------------------------------- */

static unsigned char *own_region;
static size_t own_bytes;
static unsigned int manner;

static void find_own_region(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "/memfd:" TTLOG_MEMFD_NAME) ||
		    sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		if (!own_region)
			own_region = (unsigned char *)start;
		own_bytes += end - start;
	}
	if (maps)
		fclose(maps);
	if (!own_region)
		_exit(91);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/*
 * Manners: any word anywhere; single bits of what is there; small numbers and huge ones; what stood
 * elsewhere in the region. More often where lengths and offsets are: in front.
 */
static void scribble(unsigned char *base, size_t bytes, uint64_t *state)
{
	const uint64_t random = next_random(state);
	const size_t room = random & 1 ? bytes : bytes / 8;
	uint64_t *at = (uint64_t *)(void *)(base + (random >> 8) % (room - 8) / 8 * 8);

	switch (manner) {
	case 0:
		*at = next_random(state);
		break;
	case 1:
		*at ^= UINT64_C(1) << (random >> 2 & 63);
		break;
	case 2:
		*at = random & 2 ? random >> 60 : UINT64_MAX - (random >> 60);
		break;
	default:
		*at = *(uint64_t *)(void *)(base + (next_random(state) >> 8) % (room - 8) / 8 * 8);
		break;
	}
}

static void *scribble_on(void *argument)
{
	uint64_t state = 0x9e3779b97f4a7c15 + manner;

	(void)argument;
	for (;;)
		scribble(own_region, own_bytes, &state);
	return NULL;
}

/* In a process of its own the scribbler goes on when the client is dead and its dump is written. */
static void scribble_until_killed(void)
{
	pthread_t thread;

	find_own_region();
	for (int i = 0; i < 2000; i++)
		ttlog_warn("victim of its own", "number", i, "text", "words and words");
	if (pthread_create(&thread, NULL, scribble_on, NULL))
		_exit(92);
	for (int i = 0; i < 8; i++)
		ttlog_snapshot("hostile");
	ready();
	pause();
}

/*
 * What it does with its own region is its own affair, but the recorder ends neither by a fault nor
 * by an endless walk.
 */
Test(hostile, scribbling_over_the_region_harms_nobody_else)
{
	struct service services[4];
	char line[LINE_BYTES];

	for (manner = 0; manner < 4; manner++)
		start_service(&services[manner], scribble_until_killed);
	expect_honest_service(&recorder);
	for (int i = 0; i < 4; i++) {
		char words[32];

		cr_assert_eq(kill(services[i].pid, SIGKILL), 0);
		snprintf(words, sizeof(words), "(pid %d): killed", (int)services[i].pid);
		/* A dump, or a line that says why there is none. */
		expect_line(&recorder, words, line, sizeof(line));
		reap(&services[i]);
	}
	expect_honest_service(&recorder);
}

/* Hands the region to a second process, and dies: the dump is made while that one scribbles. */
static void __attribute__((noreturn)) live_with_an_heir(int ready_pipe)
{
	const struct ttlog_hello hello = hello_by_hand("heir");
	const pid_t client = getpid();
	struct ttlog_welcome welcome;
	struct stat status;
	int fd = peer_connect(recorder_socket), fds[2];

	if (send(fd, &hello, sizeof(hello), 0) < 0 ||
	    receive_welcome(fd, &welcome, fds) != sizeof(welcome) || fstat(fds[0], &status))
		_exit(1);
	own_bytes = (size_t)status.st_size;
	own_region = mmap(NULL, own_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	if (own_region == MAP_FAILED)
		_exit(2);
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, 0); /* it outlives its parent; the pipe says when to end */
		if (!fork()) {
			struct pollfd poll_fd = {.fd = ready_pipe};
			uint64_t state = (uint64_t)client;

			while (!poll(&poll_fd, 1, 0)) /* nobody reads any more: POLLERR */
				for (int i = 0; i < 100000; i++)
					scribble(own_region, own_bytes, &state);
		}
		_exit(0);
	}
	wait(NULL);
	if (write(ready_pipe, "", 1) == 1)
		pause();
	_exit(3);
}

Test(hostile, scribbling_goes_on_when_the_client_is_dead)
{
	char line[LINE_BYTES], words[48], byte;
	int said[2];
	pid_t pid;

	for (manner = 0; manner < 4; manner++) {
		cr_assert_eq(pipe2(said, O_CLOEXEC), 0);
		pid = fork_child();
		if (!pid) {
			close(said[0]);
			live_with_an_heir(said[1]);
		}
		close(said[1]);
		cr_assert_eq(read(said[0], &byte, 1), 1);
		cr_assert_eq(kill(pid, SIGKILL), 0);
		cr_assert_eq(waitpid(pid, NULL, 0), pid);
		snprintf(words, sizeof(words), "heir (pid %d): killed", (int)pid);
		expect_line(&recorder, words, line, sizeof(line));
		expect_honest_service(&recorder);
		close(said[0]);
	}
}

/* ---- less than it was ------------------------------------------------------------------- */

/* 0, or the number of what it could do to the memory that the recorder reads. */
static int try_to_shrink(int fd, size_t bytes)
{
	if (!ftruncate(fd, 0) || !ftruncate(fd, (off_t)bytes + 4096))
		return 1;
	if (!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) || !fcntl(fd, F_ADD_SEALS, 0x0010))
		return 2;
	if (!fallocate(fd, 0, (off_t)bytes, 4096))
		return 3;
	return 0;
}

static void __attribute__((noreturn)) live_with_holes(int ready_pipe)
{
	const struct ttlog_hello hello = hello_by_hand("moth-eaten");
	struct ttlog_snapshot_request snapshot = {
		.head = head_by_hand(TTLOG_MESSAGE_SNAPSHOT, sizeof(snapshot)),
		.reason = "holes",
	};
	struct ttlog_welcome welcome;
	struct stat status;
	int fd = peer_connect(recorder_socket), fds[2], could;

	if (send(fd, &hello, sizeof(hello), 0) < 0 ||
	    receive_welcome(fd, &welcome, fds) != sizeof(welcome) || fstat(fds[0], &status))
		_exit(1);
	could = try_to_shrink(fds[0], (size_t)status.st_size);
	if (could)
		_exit(10 + could);
	/* Holes can be made: they read as zeros. */
	for (int i = 0; i < 8; i++) {
		if (send(fd, &snapshot, sizeof(snapshot), 0) < 0)
			_exit(2);
		for (int j = 0; j < 50; j++)
			if (fallocate(fds[0], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				      status.st_size))
				_exit(3);
	}
	if (write(ready_pipe, "", 1) == 1)
		pause();
	_exit(4);
}

Test(hostile, memory_can_not_be_taken_from_under_the_reader)
{
	char line[LINE_BYTES], words[48], byte;
	int said[2], status;
	pid_t pid;

	cr_assert_eq(pipe2(said, O_CLOEXEC), 0);
	pid = fork_child();
	if (!pid)
		live_with_holes(said[1]);
	close(said[1]);
	cr_assert_eq(read(said[0], &byte, 1), 1, "it could change the size, or holes are refused");
	expect_honest_service(&recorder);
	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	snprintf(words, sizeof(words), "moth-eaten (pid %d): killed", (int)pid);
	expect_line(&recorder, words, line, sizeof(line));
	close(said[0]);
}

/* ---- something else instead ------------------------------------------------------------- */

static int sealed(unsigned int flags, off_t bytes, int seals)
{
	const int fd = memfd_create(TTLOG_MEMFD_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

	if (fd >= 0 && (ftruncate(fd, bytes) || fcntl(fd, F_ADD_SEALS, seals))) {
		close(fd);
		return -1;
	}
	return fd;
}

#define ALL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* A header that was fine, and says more than there is. */
static int lying_region(uint64_t claimed)
{
	struct ttlog_geometry geometry;
	void *base;
	int fd;

	ttlog_region_plan(TTLOG_REGION_BYTES_MIN, &geometry);
	cr_assert_eq(ttlog_region_make(&geometry, "liar", TTLOG_CLOCK_MONOTONIC, &fd, &base), 0);
	((struct ttlog_region_header *)base)->region_bytes = claimed;
	munmap(base, geometry.region_bytes);
	return fd;
}

Test(hostile, what_is_no_region_is_not_taken_for_one)
{
	struct ttlog_message_head region = head_by_hand(TTLOG_MESSAGE_REGION, sizeof(region));
	const unsigned int before = count_fds(recorder.pid);
	int pair[2], pipes[2];

	cr_assert_eq(pipe(pipes), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	const int fds[] = {
		sealed(0, 1 << 20, F_SEAL_GROW | F_SEAL_SEAL), /* shrinks */
		sealed(0, 1 << 20, F_SEAL_SHRINK | F_SEAL_SEAL),
		sealed(0, 1 << 20, F_SEAL_SHRINK | F_SEAL_GROW), /* more seals may come */
		sealed(0, 0, ALL_SEALS),
		sealed(0, 4096, ALL_SEALS),
		sealed(0, (1 << 20) + 1, ALL_SEALS),
		sealed(0, 1 << 20, ALL_SEALS), /* nothing in it */
		sealed(0, (off_t)1 << 46, ALL_SEALS),
		sealed(MFD_HUGETLB, 0, ALL_SEALS),
		lying_region(UINT64_MAX),
		lying_region(0),
		open("/dev/zero", O_RDWR),
		open("/proc/self/mem", O_RDWR),
		open("/", O_RDONLY | O_DIRECTORY),
		open("/proc/self/exe", O_RDONLY),
		pipes[0],
		pair[0],
	};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		const struct ttlog_hello hello = hello_by_hand("changeling");
		struct ttlog_welcome welcome;
		char line[LINE_BYTES];
		int fd, got[2];

		if (fds[i] < 0) /* no huge pages here, say */
			continue;
		fd = peer_connect(recorder_socket);
		cr_assert_eq(send(fd, &hello, sizeof(hello), 0), sizeof(hello));
		wait_readable(fd);
		cr_assert_eq(send_with_fds(fd, &region, sizeof(region), &fds[i], 1), sizeof(region),
			     "%zu", i);
		expect_line(&recorder, "socket is closed", line, sizeof(line));
		cr_assert_eq(receive_welcome(fd, &welcome, got), sizeof(welcome));
		close(got[0]);
		if (got[1] >= 0)
			close(got[1]);
		close(fd);
		close(fds[i]);
	}
	expect_honest_service(&recorder);
	/* We ourselves are a client still, of the last hello. */
	for (int i = 0; i < 1200 && count_fds(recorder.pid) > before + 8; i++)
		poll(NULL, 0, 50);
	cr_assert_leq(count_fds(recorder.pid), before + 8);
}

/* ---- more than anybody needs ------------------------------------------------------------ */

#define SITES 1000000

static void register_a_million_sites(void)
{
	char message[32];

	for (unsigned int i = 0; i < SITES; i++) {
		struct ttlog_site site = {.level = TTLOG_INFO, .message = message};

		snprintf(message, sizeof(message), "site %u", i);
		ttlog_site_register(&site);
		if (i % 1000 == 0)
			ttlog_record(&site, NULL, 0);
	}
	ready();
	pause();
}

static __attribute__((unused)) uint64_t peak_bytes(pid_t pid)
{
	char path[64], line[256];
	unsigned long long kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	cr_assert(file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "VmHWM: %llu", &kib);
	fclose(file);
	return (uint64_t)kib << 10;
}

Test(hostile, a_million_sites_fill_their_own_dictionary)
{
	struct service service;
	char line[LINE_BYTES];

	setenv("TTLOG_BUFFER_SIZE", "16M", 1);
	start_service(&service, register_a_million_sites);
	expect_honest_service(&recorder);
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	find_dump_of(&recorder, service.pid, line, sizeof(line));
	reap(&service);
	expect_honest_service(&recorder);
	/* Its region, a copy of it, and what was made of that. */
#ifndef __SANITIZE_ADDRESS__ /* which keeps what is freed */
	cr_expect_lt(peak_bytes(recorder.pid), UINT64_C(512) << 20);
#endif
}
