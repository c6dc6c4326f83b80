/* SPDX-License-Identifier: MIT */
/*
 * The recorder under a service manager, which the test plays: it listens for the recorder, wants to
 * be told, and keeps descriptors from one recorder to the next.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/service_process.h"

TestSuite(systemd, .init = recorder_prepare, .fini = recorder_clean, .timeout = 150);

#define KEPT_MAX 64
#define FIRST_FD 3

struct manager {
	int notify_fd;
	int listen_fd; /* -1: the recorder makes its socket itself */
	struct {
		char name[64];
		int fd;
	} kept[KEPT_MAX];
	unsigned int kept_count;
	char last[1024]; /* message */
};

static char notify_path[64];

static void manager_open(struct manager *ret_manager)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int length;

	*ret_manager = (struct manager){.listen_fd = -1};
	ret_manager->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(ret_manager->notify_fd, 0);
	snprintf(notify_path, sizeof(notify_path), "@ttlog-test-manager-%d", (int)getpid());
	length = snprintf(address.sun_path, sizeof(address.sun_path), "%s", notify_path);
	address.sun_path[0] = '\0';
	cr_assert_eq(bind(ret_manager->notify_fd, (struct sockaddr *)&address,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)),
		     0);
}

static void manager_listen(struct manager *manager)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	manager->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	cr_assert_geq(manager->listen_fd, 0);
	strcpy(address.sun_path, recorder_socket);
	cr_assert_eq(bind(manager->listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(manager->listen_fd, 64), 0);
}

static void manager_close(struct manager *manager)
{
	for (unsigned int i = 0; i < manager->kept_count; i++)
		close(manager->kept[i].fd);
	if (manager->listen_fd >= 0)
		close(manager->listen_fd);
	close(manager->notify_fd);
}

static void keep(struct manager *manager, const char *name, int fd)
{
	cr_assert_lt(manager->kept_count, KEPT_MAX);
	snprintf(manager->kept[manager->kept_count].name, sizeof(manager->kept[0].name), "%s",
		 name);
	manager->kept[manager->kept_count++].fd = fd;
}

static void forget(struct manager *manager, const char *name)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < manager->kept_count; i++) {
		if (!strcmp(manager->kept[i].name, name))
			close(manager->kept[i].fd);
		else
			manager->kept[left++] = manager->kept[i];
	}
	manager->kept_count = left;
}

static void take_name(const char *text, char name[64])
{
	const char *at = strstr(text, "FDNAME=");

	cr_assert(at, "%s", text);
	cr_assert_eq(sscanf(at, "FDNAME=%63[^\n]", name), 1);
}

/* One message, done as it says. */
static void receive(struct manager *manager)
{
	struct pollfd poll_fd = {.fd = manager->notify_fd, .events = POLLIN};
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control;
	struct iovec iov = {manager->last, sizeof(manager->last) - 1};
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = &control,
				.msg_controllen = sizeof(control)};
	struct cmsghdr *cmsg;
	char name[64];
	ssize_t count;

	cr_assert_eq(poll(&poll_fd, 1, RECORDER_WAIT_MS), 1, "the recorder says nothing");
	count = recvmsg(manager->notify_fd, &header, MSG_CMSG_CLOEXEC);
	cr_assert_gt(count, 0);
	manager->last[count] = '\0';
	cmsg = CMSG_FIRSTHDR(&header);
	if (!strncmp(manager->last, "FDSTOREREMOVE=1", strlen("FDSTOREREMOVE=1"))) {
		take_name(manager->last, name);
		forget(manager, name);
	} else if (!strncmp(manager->last, "FDSTORE=1", strlen("FDSTORE=1"))) {
		take_name(manager->last, name);
		cr_assert(cmsg);
		for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= cmsg->cmsg_len; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
			keep(manager, name, fd);
		}
		cr_assert(strstr(manager->last, "FDPOLL=0"));
	}
}

static void expect_message(struct manager *manager, const char *words)
{
	do
		receive(manager);
	while (!strstr(manager->last, words));
}

static void expect_kept(struct manager *manager, unsigned int count)
{
	while (manager->kept_count != count)
		receive(manager);
}

/* In the child: descriptors from 3 on, and what the environment says of them. */
static void pass_on(const struct manager *manager, const char *watchdog_us)
{
	char names[KEPT_MAX * 64] = "", number[32];
	int fd[KEPT_MAX + 1], count = 0;

	if (manager->listen_fd >= 0) {
		fd[count++] = fcntl(manager->listen_fd, F_DUPFD, 200);
		strcat(names, "ttlog-recorder.socket");
	}
	for (unsigned int i = 0; i < manager->kept_count; i++) {
		if (count)
			strcat(names, ":");
		strcat(names, manager->kept[i].name);
		fd[count++] = fcntl(manager->kept[i].fd, F_DUPFD, 200);
	}
	for (int i = 0; i < count; i++) {
		if (dup2(fd[i], FIRST_FD + i) < 0)
			_exit(120);
		close(fd[i]);
	}
	snprintf(number, sizeof(number), "%d", (int)getpid());
	setenv("LISTEN_PID", number, 1);
	setenv("WATCHDOG_PID", number, 1);
	snprintf(number, sizeof(number), "%d", count);
	setenv("LISTEN_FDS", number, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	setenv("NOTIFY_SOCKET", notify_path, 1);
	if (watchdog_us)
		setenv("WATCHDOG_USEC", watchdog_us, 1);
}

static void start_managed(struct recorder_process *ret_recorder, struct manager *manager,
			  const char *watchdog_us)
{
	int out[2];

	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	/* Out of the way of what is passed on. */
	for (int i = 0; i < 2; i++) {
		const int high = fcntl(out[i], F_DUPFD_CLOEXEC, 300 + i);

		close(out[i]);
		out[i] = high;
	}
	ret_recorder->bytes = 0;
	ret_recorder->pid = fork_child();
	if (!ret_recorder->pid) {
		dup2(out[1], STDERR_FILENO);
		pass_on(manager, watchdog_us);
		execl(recorder_program, recorder_program, "-v", "--socket", recorder_socket,
		      "--dir", recorder_dumps, NULL);
		_exit(121);
	}
	close(out[1]);
	ret_recorder->stderr_fd = out[0];
	expect_message(manager, "READY=1");
}

static void stop_managed(struct recorder_process *recorder)
{
	cr_assert_eq(kill(recorder->pid, SIGTERM), 0);
	cr_assert_eq(end_status(recorder), 0);
	close(recorder->stderr_fd);
}

Test(systemd, is_told_of_each_step)
{
	struct recorder_process recorder;
	struct manager manager;

	manager_open(&manager);
	start_managed(&recorder, &manager, "200000");
	cr_assert(strstr(manager.last, "STATUS=Recording with"), "%s", manager.last);
	expect_message(&manager, "WATCHDOG=1");
	expect_message(&manager, "WATCHDOG=1");
	cr_assert_eq(kill(recorder.pid, SIGHUP), 0);
	expect_message(&manager, "RELOADING=1");
	cr_assert(strstr(manager.last, "MONOTONIC_USEC="));
	expect_message(&manager, "READY=1");
	cr_assert_eq(kill(recorder.pid, SIGTERM), 0);
	expect_message(&manager, "STOPPING=1");
	cr_assert_eq(end_status(&recorder), 0);
	close(recorder.stderr_fd);
	manager_close(&manager);
}

Test(systemd, keeps_its_socket)
{
	struct recorder_process recorder;
	struct manager manager;
	struct service service;
	struct stat before, after;
	char line[LINE_BYTES];

	manager_open(&manager);
	manager_listen(&manager);
	cr_assert_eq(stat(recorder_socket, &before), 0);
	for (int i = 0; i < 2; i++) {
		start_managed(&recorder, &manager, NULL);
		start_service(&service, live);
		expect_line(&recorder, "records into", line, sizeof(line));
		cr_assert_eq(kill(service.pid, SIGKILL), 0);
		reap(&service);
		expect_killed(&recorder, line, sizeof(line), "the last words");
		stop_managed(&recorder);
		cr_assert_eq(stat(recorder_socket, &after), 0, "the socket was not ours");
		cr_assert_eq(before.st_ino, after.st_ino);
	}
	manager_close(&manager);
}

static void kill_managed(struct recorder_process *recorder)
{
	cr_assert_eq(kill(recorder->pid, SIGKILL), 0);
	end_status(recorder);
	close(recorder->stderr_fd);
}

/* What the viewer, which is in the recorder's folder, says of the one dump of that process. */
static void expect_info(pid_t pid, const char *format, const char *words)
{
	static char text[65536];
	char command[3 * PATH_MAX];
	size_t count;
	FILE *view;

	snprintf(command, sizeof(command), "%.*s/ttlog-view --info %s %s/*-%d-*.bin",
		 (int)(strrchr(recorder_program, '/') - recorder_program), recorder_program,
		 format, recorder_dumps, (int)pid);
	view = popen(command, "r");
	cr_assert(view);
	count = fread(text, 1, sizeof(text) - 1, view);
	text[count] = '\0';
	cr_assert_eq(pclose(view), 0);
	cr_assert(strstr(text, words), "%s is not in: %s", words, text);
}

/* Who died while nobody watched is said to have; who died afterwards is not. */
static void expect_what_is_known(pid_t unwatched, pid_t watched)
{
	expect_info(unwatched, "", "; no recorder was watching then\n");
	expect_info(unwatched, "", "kept by the service manager while no recorder ran\n");
	expect_info(unwatched, "", "nobody saw the death");
	expect_info(unwatched, "--format=json", "\"unwatched\":true");
	expect_info(unwatched, "--format=json", "\"found\":\"kept\"");
	expect_info(unwatched, "--format=json", "\"death_ns\":null");
	expect_info(watched, "--format=json", "\"unwatched\":false");
	expect_info(watched, "--format=json", "\"found\":\"kept\"");
}

Test(systemd, keeps_the_rings_of_those_who_die_meanwhile)
{
	struct recorder_process recorder;
	struct manager manager;
	struct service service[3];
	char line[LINE_BYTES], words[64];

	manager_open(&manager);
	start_managed(&recorder, &manager, NULL);
	for (int i = 0; i < 3; i++)
		start_service(&service[i], live);
	expect_kept(&manager, 9);
	kill_managed(&recorder);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(kill(service[i].pid, SIGKILL), 0);
		reap(&service[i]);
	}
	start_managed(&recorder, &manager, NULL);
	for (int i = 0; i < 2; i++) {
		snprintf(words, sizeof(words), "died while no recorder was running");
		expect_line(&recorder, words, line, sizeof(line));
	}
	expect_line(&recorder, "had kept the rings of 3 processes", line, sizeof(line));
	expect_kept(&manager, 3);
	cr_assert_eq(count_dumps(".bin"), 2);
	cr_assert_eq(kill(service[2].pid, SIGKILL), 0);
	reap(&service[2]);
	expect_kept(&manager, 0);
	for (int i = 0; i < 2; i++) {
		snprintf(words, sizeof(words), "-%d-", (int)service[i].pid);
		cr_assert_eq(count_dumps(words), 1);
	}
	cr_assert_eq(count_dumps(".bin"), 3);
	expect_what_is_known(service[0].pid, service[2].pid);
	stop_managed(&recorder);
	manager_close(&manager);
}

Test(systemd, keeps_nothing_of_a_clean_end_and_all_of_the_living)
{
	struct recorder_process recorder;
	struct manager manager;
	struct service service;

	manager_open(&manager);
	start_managed(&recorder, &manager, NULL);
	start_service(&service, live);
	expect_kept(&manager, 3);
	stop_managed(&recorder);
	start_managed(&recorder, &manager, NULL);
	cr_assert_eq(manager.kept_count, 3, "it was stopped, and its client lives");
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	expect_kept(&manager, 0);
	cr_assert_eq(count_dumps(".bin"), 1);
	stop_managed(&recorder);
	manager_close(&manager);
}

Test(systemd, gives_back_what_it_can_not_use)
{
	struct recorder_process recorder;
	struct manager manager;
	char line[LINE_BYTES];
	int pipe_fd[2];

	manager_open(&manager);
	cr_assert_eq(pipe2(pipe_fd, O_CLOEXEC), 0);
	keep(&manager, "ttlog-1-1", pipe_fd[0]);
	keep(&manager, "ttlog-1-1", pipe_fd[1]);
	keep(&manager, "ttlog-2-2", memfd_create("ttlog", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	keep(&manager, "ttlog-2-2", memfd_create("ttlog-keepsake", MFD_CLOEXEC));
	keep(&manager, "somebody's", memfd_create("else", MFD_CLOEXEC));
	start_managed(&recorder, &manager, NULL);
	for (int i = 0; i < 2; i++)
		expect_line(&recorder, "can't be used", line, sizeof(line));
	expect_kept(&manager, 1);
	stop_managed(&recorder);
	manager_close(&manager);
}

/* Its queue is ten messages long, and nobody reads them. */
Test(systemd, may_be_asleep)
{
	struct recorder_process recorder;
	struct manager manager;
	struct service service[20];

	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	manager_open(&manager);
	start_managed(&recorder, &manager, "1000");
	for (int i = 0; i < 20; i++)
		start_service(&service[i], live);
	expect_kept(&manager, 60);
	for (int i = 0; i < 20; i++) {
		cr_assert_eq(kill(service[i].pid, SIGKILL), 0);
		reap(&service[i]);
	}
	expect_kept(&manager, 0);
	stop_managed(&recorder);
	manager_close(&manager);
}
