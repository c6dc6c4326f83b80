/* SPDX-License-Identifier: MIT */
/* A verdict as a line, as a message, in a file: whole, bounded, and nobody waits for it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recorder/announce.h"
#include "recorder/announce_line.h"
#include "recorder/announce_post.h"
#include "recorder/counters.h"
#include "recorder/dumper.h"

#define WAIT_MS 30000

static char folder[64];
static struct loop *loop;
static struct workers *workers;

static void open_all(void)
{
	strcpy(folder, "/tmp/ttlog-test-announce-XXXXXX");
	cr_assert(mkdtemp(folder));
	cr_assert_eq(loop_open(&loop), 0);
	cr_assert_eq(workers_open(&workers, loop, 2), 0);
	setenv("TZ", "UTC", 1);
}

static void close_all(void)
{
	char command[128];

	workers_close(workers);
	loop_close(loop);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(announce, .init = open_all, .fini = close_all, .timeout = 120);

static struct verdict verdict;
static struct subject subject;

static struct obituary killed(const char *service)
{
	verdict = (struct verdict){.how = VERDICT_SIGNAL,
				   .confidence = VERDICT_HIGH,
				   .have_signal = true,
				   .signal = SIGKILL};
	subject = (struct subject){.pid = 12, .identity = {.uid = 1000}};
	snprintf(subject.service, sizeof(subject.service), "%s", service);
	return (struct obituary){
		.subject = &subject,
		.verdict = &verdict,
		.reason = "sigkill",
		.died_ns = UINT64_C(1700000000123456789),
		.dump = "/var/lib/ttlog/dumps/ttlog-12-20231114221320-sigkill.bin",
		.signature = "0123456789abcdef",
	};
}

/* ---- words ------------------------------------------------------------------------------ */

Test(announce, a_death_is_one_line)
{
	struct obituary obituary = killed("orders");
	char line[ANNOUNCE_LINE_BYTES + 1];

	cr_assert_eq(announce_line(&obituary, line), strlen(line));
	cr_assert_str_eq(line, "2023-11-14T22:13:20.123456Z orders (pid 12, uid 1000): killed by SIGKILL "
			       "(sender not known): "
			       "/var/lib/ttlog/dumps/ttlog-12-20231114221320-sigkill.bin\n");
	obituary.dump = NULL;
	obituary.loop_count = 7;
	announce_line(&obituary, line);
	cr_assert(strstr(line, "(sender not known); death 7 in a crash loop\n"), "%s", line);
	obituary.loop_count = 0;
	obituary.dump_err = -ENOSPC;
	announce_line(&obituary, line);
	cr_assert(strstr(line, "; its dump could not be written: No space left on device\n"), "%s",
		  line);
}

Test(announce, a_line_is_no_longer_than_kubelet_takes)
{
	struct obituary obituary = killed("a\nb\x1b[31m");
	char line[ANNOUNCE_LINE_BYTES + 1], path[8000];

	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	obituary.dump = path;
	cr_assert_eq(announce_line(&obituary, line), ANNOUNCE_LINE_BYTES);
	cr_assert_eq(strlen(line), ANNOUNCE_LINE_BYTES);
	cr_assert_eq(strchr(line, '\n'), line + ANNOUNCE_LINE_BYTES - 1);
	cr_assert(strstr(line, " a?b?[31m (pid"), "%s", line);
}

Test(announce, syslog_gets_it_as_its_local_daemons_take_it)
{
	struct obituary obituary = killed("orders");
	char message[ANNOUNCE_SYSLOG_BYTES], month[8], tag[64], expected[64];
	int priority, day, hour, minute, second;

	cr_assert_eq(announce_syslog(&obituary, message), strlen(message));
	cr_assert_eq(sscanf(message, "<%d>%3s %d %d:%d:%d %63s", &priority, month, &day, &hour,
			    &minute, &second, tag),
		     7, "%s", message);
	cr_assert_eq(priority, 3 * 8 + 3);
	snprintf(expected, sizeof(expected), "ttlog-recorder[%d]:", (int)getpid());
	cr_assert_str_eq(tag, expected);
	cr_assert_eq(message[strlen("<27>Nov 23 15:09:19")], ' ');
	cr_assert(strstr(message, "]: orders (pid 12, uid 1000): killed by SIGKILL"), "%s", message);
	cr_assert_null(strchr(message, '\n'));
}

Test(announce, an_exit_is_less_than_a_crash)
{
	struct obituary obituary = killed("orders");

	cr_expect_eq(announce_priority(&obituary), 3);
	verdict.signal = SIGTERM;
	cr_expect_eq(announce_priority(&obituary), 5);
	verdict = (struct verdict){.how = VERDICT_EXIT, .have_exit_code = true};
	cr_expect_eq(announce_priority(&obituary), 6);
	verdict.exit_code = 1;
	cr_expect_eq(announce_priority(&obituary), 4);
	verdict = (struct verdict){.how = VERDICT_OOM};
	cr_expect_eq(announce_priority(&obituary), 3);
	verdict = (struct verdict){.how = VERDICT_UNKNOWN};
	cr_expect_eq(announce_priority(&obituary), 4);
}

/* The value of a field, as the journal would read it; NULL: it is not there. */
static const char *find_field(const char *message, size_t bytes, const char *name)
{
	static char value[4096];
	const char *at = message, *end = message + bytes;

	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		const char *equal = memchr(at, '=', (size_t)(line_end - at));
		size_t name_bytes = (size_t)((equal ? equal : line_end) - at), value_bytes = 0;

		cr_assert(line_end);
		if (equal) {
			value_bytes = (size_t)(line_end - equal - 1);
			memcpy(value, equal + 1, value_bytes);
		} else {
			for (int i = 0; i < 8; i++)
				value_bytes |= (size_t)(unsigned char)line_end[1 + i] << 8 * i;
			cr_assert_lt(value_bytes, (size_t)(end - line_end));
			memcpy(value, line_end + 9, value_bytes);
			line_end += 9 + value_bytes;
			cr_assert_eq(*line_end, '\n');
		}
		value[value_bytes] = '\0';
		if (name_bytes == strlen(name) && !memcmp(at, name, name_bytes))
			return value;
		at = line_end + 1;
	}
	return NULL;
}

#define cr_assert_field(name, text)                                                                \
	do {                                                                                       \
		const char *is = find_field(message, bytes, name);                                 \
		cr_assert(is, "there is no " name);                                                \
		cr_assert_str_eq(is, text, name " is %s", is);                                     \
	} while (0)

Test(announce, the_journal_gets_fields)
{
	char exe[] = "/opt/a\nb", cgroup[] = "/system.slice/orders.service";
	struct obituary obituary = killed("orders");
	char message[ANNOUNCE_JOURNAL_BYTES];
	size_t bytes;

	subject.identity.exe = exe;
	subject.identity.cgroup = cgroup;
	verdict.have_sender = true;
	verdict.sender = (struct ttlog_bpf_actor){.pid = 7, .uid = 3, .comm = "bash"};
	bytes = announce_journal(&obituary, message);
	cr_assert_field("PRIORITY", "3");
	cr_assert_field("MESSAGE_ID", ANNOUNCE_MESSAGE_ID);
	cr_assert_field("TTLOG_SERVICE", "orders");
	cr_assert_field("TTLOG_PID", "12");
	cr_assert_field("TTLOG_UID", "1000");
	cr_assert_field("TTLOG_CAUSE", "signal");
	cr_assert_field("TTLOG_SIGNAL", "9");
	cr_assert_field("TTLOG_SIGNAL_NAME", "SIGKILL");
	cr_assert_field("TTLOG_SENDER_COMM", "bash");
	cr_assert_field("TTLOG_SENDER_PID", "7");
	cr_assert_field("TTLOG_DUMP", "/var/lib/ttlog/dumps/ttlog-12-20231114221320-sigkill.bin");
	cr_assert_field("TTLOG_SIGNATURE", "0123456789abcdef");
	cr_assert_field("TTLOG_DIED_USEC", "1700000000123456");
	cr_assert_field("TTLOG_EXE", "/opt/a\nb");
	cr_assert_field("OBJECT_SYSTEMD_UNIT", "orders.service");
	cr_assert_null(find_field(message, bytes, "TTLOG_EXIT_CODE"));
	cr_assert_null(find_field(message, bytes, "TTLOG_FAULT_ADDRESS"));
}

/* ---- files ------------------------------------------------------------------------------ */

static void work(void)
{
	const uint64_t rounds = WAIT_MS / 10;

	for (uint64_t i = 0; workers_pending(workers) && i < rounds; i++)
		loop_once(loop, 10);
	cr_assert_eq(workers_pending(workers), 0);
}

/* Two of them at a time. */
static const char *path_of(const char *name)
{
	static char paths[2][100];
	static int at;

	at = !at;
	snprintf(paths[at], sizeof(paths[at]), "%s/%s", folder, name);
	return paths[at];
}

static const char *read_text(const char *name)
{
	static char text[3 * ANNOUNCE_LINE_BYTES];
	const int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
	ssize_t count = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	cr_assert_geq(count, 0);
	if (fd >= 0)
		close(fd);
	text[count] = '\0';
	return text;
}

static unsigned int count_files(void)
{
	char command[128];
	unsigned int count = 0;
	FILE *file;

	snprintf(command, sizeof(command), "ls -A %s | wc -l", folder);
	file = popen(command, "r");
	cr_assert_eq(fscanf(file, "%u", &count), 1);
	pclose(file);
	return count;
}

static struct announce_files *open_files(const char *name)
{
	struct announce_files *files;

	cr_assert_eq(announce_files_open(&files, workers, path_of(name)), 0);
	return files;
}

static void add(struct announce_files *files, const char *service, const char *line)
{
	announce_files_add(files, service, 1000, line, strlen(line));
}

static void close_files(struct announce_files *files)
{
	announce_files_wind_down(files);
	work();
	announce_files_close(files);
}

Test(announce, a_file_has_the_newest_lines_newest_last)
{
	struct announce_files *files = open_files("log");
	char line[256], last[256];
	struct stat status;

	for (int i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "%d %0*d\n", i, 1 + i % 100, 0);
		add(files, "orders", line);
		strcpy(last, line);
		if (i % 100 == 0)
			work();
	}
	work();
	cr_assert_eq(stat(path_of("log"), &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0644);
	cr_assert_leq(status.st_size, ANNOUNCE_LINE_BYTES);
	cr_assert_gt(status.st_size, ANNOUNCE_LINE_BYTES - 256);
	cr_assert_str_eq(read_text("log") + status.st_size - strlen(last), last);
	cr_assert_eq(atoi(read_text("log")), 949, "whole lines: %.20s", read_text("log"));
	cr_assert_eq(count_files(), 1, "nothing else is left there");
	close_files(files);
}

/* With two threads at it, and a reader that looks as often as it can. */
Test(announce, a_reader_never_sees_half_a_line)
{
	struct announce_files *files = open_files("log");
	char line[1024];

	memset(line, 'x', sizeof(line));
	strcpy(line + sizeof(line) - 2, "\n");
	for (int i = 0; i < 300; i++) {
		const char *text;

		add(files, "orders", line);
		loop_once(loop, 0);
		text = read_text("log");
		cr_assert_eq(strlen(text) % (sizeof(line) - 1), 0, "%zu", strlen(text));
	}
	close_files(files);
	cr_assert_eq(strlen(read_text("log")), 4 * (sizeof(line) - 1));
}

Test(announce, each_service_may_have_its_own)
{
	struct announce_files *files = open_files("v-%s.%u%%.txt");

	add(files, "orders", "one\n");
	add(files, "../../etc/passwd", "two\n");
	add(files, "orders", "three\n");
	close_files(files);
	cr_assert_str_eq(read_text("v-orders.1000%.txt"), "one\nthree\n");
	cr_assert_str_eq(read_text("v-.._.._etc_passwd.1000%.txt"), "two\n");
	cr_assert_eq(count_files(), 2);
}

Test(announce, a_service_cant_be_called_like_a_folder)
{
	struct announce_files *files = open_files("%s");

	add(files, "..", "one\n");
	add(files, ".hidden", "two\n");
	close_files(files);
	cr_assert_str_eq(read_text("_."), "one\n");
	cr_assert_str_eq(read_text("_hidden"), "two\n");
}

Test(announce, there_are_only_so_many_files)
{
	struct announce_files *files = open_files("%s");
	const uint64_t lost = counters.verdicts_lost[COUNTERS_VERDICT_FILE];
	char service[32];

	for (int i = 0; i < ANNOUNCE_FILES_MAX + 5; i++) {
		snprintf(service, sizeof(service), "s%d", i);
		add(files, service, "line\n");
	}
	close_files(files);
	cr_assert_eq(count_files(), ANNOUNCE_FILES_MAX);
	cr_assert_eq(counters.verdicts_lost[COUNTERS_VERDICT_FILE] - lost, 5);
}

Test(announce, a_link_is_replaced_and_not_followed)
{
	struct announce_files *files = open_files("log");

	cr_assert_eq(symlink("victim", path_of("log")), 0);
	add(files, "orders", "one\n");
	close_files(files);
	cr_assert_str_eq(read_text("log"), "one\n");
	cr_assert_eq(access(path_of("victim"), F_OK), -1);
}

/* 0: as it has to be. In a mount namespace of its own, where one file is a mount point. */
static int write_into_mount(void)
{
	struct announce_files *files = open_files("log");
	const int fd = open(path_of("log"), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	struct stat before, after;

	if (fd < 0 || write(fd, "a line that was there before and is longer\n", 43) != 43)
		return 1;
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(path_of("log"), path_of("log"), NULL, MS_BIND, NULL) || fstat(fd, &before))
		return 77;
	announce_files_wind_down(files); /* there are no threads behind a fork */
	add(files, "orders", "one\n");
	add(files, "orders", "two\n");
	announce_files_close(files);
	if (stat(path_of("log"), &after) || after.st_ino != before.st_ino)
		return 2;
	if (strcmp(read_text("log"), "one\ntwo\n") != 0)
		return 3;
	return umount(path_of("log")) ? 4 : 0;
}

Test(announce, a_file_that_is_a_mount_point_is_written_over)
{
	const pid_t pid = fork();
	int status;

	if (!pid)
		_exit(write_into_mount());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		cr_skip("no mount namespace is to be had here");
	cr_assert_eq(status, 0, "%#x", status);
	cr_assert_eq(count_files(), 1);
}

/* As a user who may not make files there; root may, whatever the mode says. */
static int write_as_nobody(const char *name)
{
	struct announce_files *files = open_files(name);
	const uint64_t lost = counters.verdicts_lost[COUNTERS_VERDICT_FILE];

	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		return 77;
	announce_files_wind_down(files);
	add(files, "orders", "one\n");
	announce_files_close(files);
	return counters.verdicts_lost[COUNTERS_VERDICT_FILE] == lost ? 0 : 5;
}

static int as_nobody(const char *name)
{
	const pid_t pid = fork();
	int status;

	if (!pid)
		_exit(write_as_nobody(name));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

Test(announce, in_a_folder_of_somebody_elses_only_a_plain_file_is_written_over)
{
	int fd;

	if (geteuid())
		cr_skip("needs root");
	cr_assert_eq(chmod(folder, 0755), 0);
	cr_assert_eq(as_nobody("none"), 5, "there is no such file, and none can be made");
	fd = open(path_of("log"), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	cr_assert_eq(fchmod(fd, 0666), 0);
	close(fd);
	cr_assert_eq(as_nobody("log"), 0);
	cr_assert_str_eq(read_text("log"), "one\n");
	cr_assert_eq(link(path_of("log"), path_of("other")), 0);
	cr_assert_eq(as_nobody("log"), 5, "it has another name somewhere");
	cr_assert_eq(unlink(path_of("log")), 0);
	cr_assert_eq(symlink("other", path_of("log")), 0);
	cr_assert_eq(as_nobody("log"), 5, "it is a link");
	cr_assert_eq(unlink(path_of("log")), 0);
	cr_assert_eq(mkfifo(path_of("log"), 0666), 0);
	cr_assert_eq(chmod(path_of("log"), 0666), 0);
	cr_assert_eq(as_nobody("log"), 5, "it is a pipe, which nobody reads");
}

Test(announce, a_pattern_is_checked)
{
	cr_expect_eq(announce_file_check("/dev/termination-log"), 0);
	cr_expect_eq(announce_file_check("log"), 0);
	cr_expect_eq(announce_file_check("/var/log/%s-%u-100%%"), 0);
	cr_expect_eq(announce_file_check("/var/%s/log"), -EINVAL);
	cr_expect_eq(announce_file_check("/var/log/%p"), -EINVAL);
	cr_expect_eq(announce_file_check("/var/log/%"), -EINVAL);
	cr_expect_eq(announce_file_check("/var/log/%%%"), -EINVAL);
	cr_expect_eq(announce_file_check("/var/log/"), -EINVAL);
	cr_expect_eq(announce_file_check("/var/.."), -EINVAL);
}

/* ---- sockets ---------------------------------------------------------------------------- */

static int bind_socket(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strncpy(address.sun_path, path_of(name), sizeof(address.sun_path) - 1);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void send_number(struct post *post, int number)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", number);
	post_send(post, text, strlen(text));
}

/* The next message's number, for which the loop may have to work. */
static int receive_number(int fd)
{
	char text[32] = "";

	for (int i = 0; i < WAIT_MS / 10; i++) {
		if (recv(fd, text, sizeof(text) - 1, 0) > 0)
			return atoi(text);
		loop_once(loop, 10);
	}
	return -1;
}

Test(announce, what_a_slow_reader_has_no_room_for_waits_in_order)
{
	const int fd = bind_socket("log");
	struct post post;
	int sent = 0;

	cr_assert_eq(post_open(&post, loop, COUNTERS_VERDICT_SYSLOG, path_of("log")), 0);
	while (post.count < POST_QUEUE_MAX / 2)
		send_number(&post, sent++);
	for (int i = 0; i < sent; i++)
		cr_assert_eq(receive_number(fd), i);
	cr_assert_eq(post.count, 0);
	cr_assert_eq(counters.verdicts[COUNTERS_VERDICT_SYSLOG], (uint64_t)sent);
	cr_assert_eq(counters.verdicts_lost[COUNTERS_VERDICT_SYSLOG], 0);
	post_close(&post);
	close(fd);
}

Test(announce, what_nobody_takes_is_bounded_and_counted)
{
	struct post post;

	cr_assert_eq(post_open(&post, loop, COUNTERS_VERDICT_SYSLOG, path_of("nobody")), 0);
	for (int i = 0; i < POST_QUEUE_MAX + 10; i++)
		send_number(&post, i);
	cr_assert_eq(post.count, POST_QUEUE_MAX);
	cr_assert_eq(counters.verdicts_lost[COUNTERS_VERDICT_SYSLOG], 10);
	post_close(&post);
	cr_assert_eq(counters.verdicts_lost[COUNTERS_VERDICT_SYSLOG], POST_QUEUE_MAX + 10);
	cr_assert_eq(counters.verdicts[COUNTERS_VERDICT_SYSLOG], 0);
}

Test(announce, a_daemon_that_is_started_again_gets_what_waited)
{
	struct post post;
	int fd = bind_socket("log");

	cr_assert_eq(post_open(&post, loop, COUNTERS_VERDICT_SYSLOG, path_of("log")), 0);
	send_number(&post, 1);
	cr_assert_eq(receive_number(fd), 1);
	close(fd);
	send_number(&post, 2);
	cr_assert_eq(unlink(path_of("log")), 0);
	send_number(&post, 3);
	fd = bind_socket("log");
	cr_assert_eq(receive_number(fd), 2);
	cr_assert_eq(receive_number(fd), 3);
	cr_assert_eq(counters.verdicts_lost[COUNTERS_VERDICT_SYSLOG], 0);
	post_close(&post);
	close(fd);
}

Test(announce, what_is_no_datagram_socket_gets_nothing)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct post post;

	strncpy(address.sun_path, path_of("log"), sizeof(address.sun_path) - 1);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 1), 0);
	cr_assert_eq(post_open(&post, loop, COUNTERS_VERDICT_SYSLOG, path_of("log")), 0);
	send_number(&post, 1);
	cr_assert_eq(post.count, 0, "it would never come to take it");
	cr_assert_eq(counters.verdicts_lost[COUNTERS_VERDICT_SYSLOG], 1);
	post_close(&post);
	close(fd);
}

Test(announce, a_large_message_goes_as_a_sealed_file)
{
	const int fd = bind_socket("log"), small = 4096;
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte, *text = malloc(1 << 20);
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = &control,
				.msg_controllen = sizeof(control)};
	struct post post;
	struct stat status;
	int memfd;

	memset(text, 'x', 1 << 20);
	cr_assert_eq(post_open(&post, loop, COUNTERS_VERDICT_JOURNAL, path_of("log")), 0);
	cr_assert_eq(setsockopt(post.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	post_send(&post, text, 1 << 20);
	cr_assert_eq(counters.verdicts[COUNTERS_VERDICT_JOURNAL], 1);
	cr_assert_eq(recvmsg(fd, &header, MSG_CMSG_CLOEXEC), 0);
	cr_assert(CMSG_FIRSTHDR(&header));
	memcpy(&memfd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(memfd));
	cr_assert_eq(fstat(memfd, &status), 0);
	cr_assert_eq(status.st_size, 1 << 20);
	cr_assert_eq(fcntl(memfd, F_GET_SEALS),
		     F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	close(memfd);
	post_close(&post);
	close(fd);
	free(text);
}
