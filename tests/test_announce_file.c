/* SPDX-License-Identifier: MIT */
/* Verdicts in a file: the newest lines, whole, bounded; and whose file it may be. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "recorder/announce_file.h"
#include "recorder/announce_line.h"
#include "tests/announce_folder.h"

TestSuite(announce_file, .init = open_all, .fini = close_all, .timeout = 120);

static void work(void)
{
	const uint64_t rounds = WAIT_MS / 10;

	for (uint64_t i = 0; workers_pending(workers) && i < rounds; i++)
		loop_once(loop, 10);
	cr_assert_eq(workers_pending(workers), 0);
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

Test(announce_file, a_file_has_the_newest_lines_newest_last)
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
Test(announce_file, a_reader_never_sees_half_a_line)
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

Test(announce_file, each_service_may_have_its_own)
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

Test(announce_file, a_service_cant_be_called_like_a_folder)
{
	struct announce_files *files = open_files("%s");

	add(files, "..", "one\n");
	add(files, ".hidden", "two\n");
	close_files(files);
	cr_assert_str_eq(read_text("_."), "one\n");
	cr_assert_str_eq(read_text("_hidden"), "two\n");
}

Test(announce_file, there_are_only_so_many_files)
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

Test(announce_file, a_link_is_replaced_and_not_followed)
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

Test(announce_file, a_file_that_is_a_mount_point_is_written_over)
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

Test(announce_file, in_a_folder_of_somebody_elses_only_a_plain_file_is_written_over)
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

Test(announce_file, a_pattern_is_checked)
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
