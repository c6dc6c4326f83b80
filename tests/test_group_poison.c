/* SPDX-License-Identifier: MIT */
/* A message that kills who takes it, over TCP: followed through three processes on one timeline. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/group_members.h"

TestSuite(group_poison, .init = recorder_prepare, .fini = recorder_clean, .timeout = 300);

#define POISON 51

static int listen_somewhere(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 4), 0);
	return fd;
}

static int connect_to(int listen_fd)
{
	struct sockaddr_in address;
	socklen_t bytes = sizeof(address);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (getsockname(listen_fd, (struct sockaddr *)&address, &bytes) ||
	    connect(fd, (struct sockaddr *)&address, bytes))
		_exit(95);
	return fd;
}

static bool take(int fd, int *ret_id)
{
	return recv(fd, ret_id, sizeof(*ret_id), MSG_WAITALL) == sizeof(*ret_id);
}

static bool give(int fd, int id)
{
	return send(fd, &id, sizeof(id), MSG_NOSIGNAL) == sizeof(id);
}

/* It can't digest one of them. */
static void be_backend(const struct life *life)
{
	volatile uintptr_t nowhere = 16;
	int fd, id;

	ready();
	fd = accept(life->listen_fd, NULL, NULL);
	while (take(fd, &id)) {
		ttlog_info("Request received", "id", id);
		if (id == POISON)
			*(volatile int *)nowhere = id;
		give(fd, id);
	}
	_exit(94);
}

static void be_gateway(const struct life *life)
{
	int to_fd, fd, id;

	to_fd = connect_to(life->to_fd);
	ready();
	fd = accept(life->listen_fd, NULL, NULL);
	while (take(fd, &id)) {
		ttlog_info("Request forwarded", "id", id);
		if (!give(to_fd, id) || !take(to_fd, &id))
			break;
		give(fd, id);
	}
	for (;;)
		pause();
}

static void be_client(const struct life *life)
{
	const int fd = connect_to(life->to_fd);

	for (int id = 1; id <= POISON; id++) {
		ttlog_info("Request sent", "id", id);
		if (!give(fd, id) || (id < POISON && !take(fd, &id)))
			_exit(93);
	}
	ready();
	for (;;)
		pause();
}

/* Which of the lines has that event: from 1; 0: none, or it is there twice. */
static int line_of(const char *text, const char *service, const char *message, int id)
{
	char by[64], what[64], number[32];
	int line = 0, found = 0;

	cr_assert(text);
	snprintf(by, sizeof(by), "\"service\":\"%s\"", service);
	snprintf(what, sizeof(what), "\"msg\":\"%s\"", message);
	snprintf(number, sizeof(number), "\"id\":%d}", id);
	for (const char *at = text, *end; (end = strchr(at, '\n')); at = end + 1) {
		const size_t bytes = (size_t)(end - at);

		line++;
		if (!memmem(at, bytes, by, strlen(by)) || !memmem(at, bytes, what, strlen(what)) ||
		    !memmem(at, bytes, number, strlen(number)))
			continue;
		if (found)
			return 0;
		found = line;
	}
	return found;
}

static void check_timeline(const char *path)
{
	const char *text = view("--group -o json", path);
	int before = 0;

	for (int id = 1; id <= POISON; id++) {
		const int sent = line_of(text, "client", "Request sent", id);
		const int forwarded = line_of(text, "gateway", "Request forwarded", id);
		const int received = line_of(text, "backend", "Request received", id);

		cr_assert_gt(sent, before, "%d was sent in line %d", id, sent);
		cr_assert_gt(forwarded, sent, "%d in lines %d, %d", id, sent, forwarded);
		cr_assert_gt(received, forwarded, "%d in lines %d, %d", id, forwarded, received);
		before = received;
	}
}

Test(group_poison, is_followed_through_three_processes_to_the_crash)
{
	const int gateway_fd = listen_somewhere(), backend_fd = listen_somewhere();
	struct written written[] = {{.service = "backend"},
				    {.service = "gateway", .alive = true},
				    {.service = "client", .alive = true}};
	struct member backend, gateway, client;
	struct recorder_process recorder;

	start_recorder(&recorder, NONE);
	backend = start_member(&(struct life){.service = "backend",
					      .group = "shop",
					      .work = be_backend,
					      .listen_fd = backend_fd});
	gateway = start_member(&(struct life){.service = "gateway",
					      .group = "shop",
					      .work = be_gateway,
					      .listen_fd = gateway_fd,
					      .to_fd = backend_fd});
	client = start_member(&(struct life){
		.service = "client", .group = "shop", .work = be_client, .to_fd = gateway_fd});
	expect_dumps(&recorder, written, 3);
	cr_assert(strstr(written[1].path, "-group-shop.bin"), "%s", written[1].path);
	cr_assert(strstr(written[2].path, "-group-shop.bin"), "%s", written[2].path);
	check_set(written, 3);
	expect_info(written[0].path, "\"role\":", "first");
	expect_info(written[1].path, "\"role\":", "alive");
	expect_info(written[1].path, "\"by\":", "declared");
	expect_info(written[1].path, "\"name\":", "shop");
	expect_info(written[1].path, "\"first_service\":", "backend");
	expect_info(written[2].path, "\"copied\":", "2");
	expect_info(written[2].path, "\"left_out\":", "0");
	/* By any of them. */
	for (int i = 0; i < 3; i++)
		check_timeline(written[i].path);
	end_member(&client);
	end_member(&gateway);
	end_member(&backend);
	stop_recorder(&recorder);
	close(gateway_fd);
	close(backend_fd);
}
