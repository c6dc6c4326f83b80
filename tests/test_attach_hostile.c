/* SPDX-License-Identifier: MIT */
/* test_attach_hostile.c - the client's side of the hello, against recorders that are rude and mad.
 */
#include "tests/attach_recorder.h"

/* ---- rude -------------------------------------------------------------------------------------
 */

Test(attach_hostile, a_recorder_that_refuses_leaves_the_client_alone)
{
	static const int32_t statuses[] = {-EDQUOT,    -1,	  -EPROTONOSUPPORT,
					   -ETIMEDOUT, INT32_MIN, -4096};

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		pid_t pid = client(run_alone);
		int fds[2] = {make_memfd(8192, SEALS), make_memfd(8192, SEALS)};

		accept_hello();
		send_welcome(statuses[i], TTLOG_WELCOME_CONTROL_MAP, fds, i & 1 ? 2 : 0);
		expect_end();
		let_go();
		finish(pid);
	}
}

Test(attach_hostile, a_recorder_that_hangs_up_leaves_the_client_alone)
{
	pid_t pid = client(run_alone);

	accept_hello();
	close(connection);
	let_go();
	finish(pid);
}

static void send_wrong_magic(struct made *made)
{
	struct ttlog_welcome welcome = {
		.head = {TTLOG_MESSAGE_MAGIC + 1, 1, TTLOG_MESSAGE_WELCOME, sizeof(welcome), 0}};

	send_bytes(&welcome, sizeof(welcome), &made->fd, 1);
}

static void send_wrong_kind(struct made *made)
{
	struct ttlog_welcome welcome = {
		.head = {TTLOG_MESSAGE_MAGIC, 1, TTLOG_MESSAGE_HELLO, sizeof(welcome), 0}};

	send_bytes(&welcome, sizeof(welcome), &made->fd, 1);
}

static void send_short(struct made *made)
{
	struct ttlog_welcome welcome = {
		.head = {TTLOG_MESSAGE_MAGIC, 1, TTLOG_MESSAGE_WELCOME, sizeof(welcome), 0}};

	send_bytes(&welcome, sizeof(welcome) - 1, &made->fd, 1);
}

static void send_garbage(struct made *made)
{
	char garbage[5000];

	memset(garbage, 0xa5, sizeof(garbage));
	send_bytes(garbage, sizeof(garbage), (int[]){made->fd, made->fd, made->fd}, 3);
}

static void send_no_region(struct made *made)
{
	(void)made;
	send_welcome(0, 0, NULL, 0);
}

static void send_no_map(struct made *made)
{
	send_welcome(0, TTLOG_WELCOME_CONTROL_MAP, &made->fd, 1);
}

Test(attach_hostile, a_welcome_that_is_none_leaves_the_client_alone)
{
	static void (*const senders[])(struct made * made) = {
		send_wrong_magic, send_wrong_kind, send_short,
		send_garbage,	  send_no_region,  send_no_map,
	};

	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
		pid_t pid = client(run_alone);
		struct made made;

		accept_hello();
		made = make_region(hello.region_bytes);
		senders[i](&made);
		expect_end();
		let_go();
		finish(pid);
		cr_expect_eq(numbers_in(&made).count, 0);
	}
}

Test(attach_hostile, a_longer_welcome_is_read_up_to_what_is_known)
{
	struct {
		struct ttlog_welcome welcome;
		char more[100];
	} longer = {
		.welcome.head = {TTLOG_MESSAGE_MAGIC, 2, TTLOG_MESSAGE_WELCOME, sizeof(longer), 0}};
	pid_t pid = client(run_connected);
	struct made made;

	accept_hello();
	made = make_region(hello.region_bytes);
	send_bytes(&longer, sizeof(longer), &made.fd, 1);
	let_go();
	expect_goodbye();
	finish(pid);
	cr_expect_eq(numbers_in(&made).count, 10);
}

Test(attach_hostile, descriptors_that_are_too_many_are_closed)
{
	static const uint32_t counts[] = {2, 3, 4, 5, 16};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		pid_t pid = client(run_connected);
		struct made made;
		int fds[16];

		accept_hello();
		made = make_region(hello.region_bytes);
		for (uint32_t k = 0; k < 16; k++)
			fds[k] = made.fd;
		/* The second is a map only if the recorder says so. */
		send_welcome(0, 0, fds, counts[i]);
		let_go();
		expect_goodbye();
		finish(pid);
		cr_expect_eq(numbers_in(&made).count, 10);
	}
}

/* ---- mad --------------------------------------------------------------------------------------
 */

static int unsealed(void)
{
	return make_memfd(2 << 20, 0);
}

static int sealed_but_empty(void)
{
	return make_memfd(2 << 20, SEALS);
}

static int too_small(void)
{
	return make_memfd(4096, SEALS);
}

static int no_memfd(void)
{
	return open("/dev/zero", O_RDWR | O_CLOEXEC);
}

/* A whole region, but for one thing that is written after it was made. */
static int spoilt(void (*spoil)(struct ttlog_region_header *header))
{
	struct made made = make_region(2 << 20);

	spoil(made.base);
	return made.fd;
}

static void other_clock(struct ttlog_region_header *header)
{
	header->clock_source = header->clock_source ? 0 : 1;
}

static void other_mode(struct ttlog_region_header *header)
{
	header->clock_mode = TTLOG_CLOCK_SPARSE;
}

static void small_slots(struct ttlog_region_header *header)
{
	header->lane[TTLOG_LANE_NESTED].chunk_bytes = 128;
}

static void small_boot(struct ttlog_region_header *header)
{
	header->lane[TTLOG_LANE_BOOT].chunk_bytes = 2048;
}

static void small_afterlife(struct ttlog_region_header *header)
{
	header->lane[TTLOG_LANE_AFTERLIFE].chunk_bytes = 2048;
}

static void lane_in_front(struct ttlog_region_header *header)
{
	uint64_t control = header->control_offset;

	/* Two pages change places: the states of a lane lie before the control page. */
	header->control_offset = header->lane[TTLOG_LANE_NESTED].records_offset;
	header->lane[TTLOG_LANE_NESTED].records_offset = control;
}

static int of_another_clock(void)
{
	return spoilt(other_clock);
}

static int of_another_mode(void)
{
	return spoilt(other_mode);
}

static int of_small_slots(void)
{
	return spoilt(small_slots);
}

static int of_small_boot(void)
{
	return spoilt(small_boot);
}

static int of_small_afterlife(void)
{
	return spoilt(small_afterlife);
}

static int of_a_lane_in_front(void)
{
	return spoilt(lane_in_front);
}

Test(attach_hostile, a_region_that_does_not_serve_is_answered_with_the_clients_own)
{
	static int (*const regions[])(void) = {
		unsealed,	    sealed_but_empty,	too_small,	no_memfd,
		of_another_clock,   of_another_mode,	of_small_slots, of_small_boot,
		of_small_afterlife, of_a_lane_in_front,
	};

	for (size_t i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
		pid_t pid = client(run_connected);
		struct made made;
		int fds[2];

		accept_hello();
		fds[0] = regions[i]();
		fds[1] = make_memfd(TTLOG_CONTROL_BYTES, SEALS);
		send_welcome(0, TTLOG_WELCOME_CONTROL_MAP, fds, 2);
		made = expect_region();
		let_go();
		expect_goodbye();
		finish(pid);
		cr_expect_eq(numbers_in(&made).count, 10, "region %zu", i);
	}
}

Test(attach_hostile, a_control_map_that_could_fault_is_not_used)
{
	for (int i = 0; i < 3; i++) {
		pid_t pid = client(run_connected);
		int control_fd = i == 0	  ? make_memfd(0, SEALS)
				 : i == 1 ? make_memfd(TTLOG_CONTROL_BYTES, 0)
					  : open("/dev/null", O_RDWR | O_CLOEXEC);
		struct made made;

		accept_hello();
		made = make_region(hello.region_bytes);
		send_welcome(0, TTLOG_WELCOME_CONTROL_MAP, (int[]){made.fd, control_fd}, 2);
		let_go();
		expect_goodbye();
		finish(pid);
		cr_expect_eq(numbers_in(&made).count, 10);
	}
}
