/* SPDX-License-Identifier: MIT */
/* A socket takes a dead one's place, never a living one's, whoever starts at the same time. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <dirent.h>
#include <unistd.h>

#include "recorder/listener.h"

#define RACERS 8
#define RACES 40

static char folder[64], path[100];

static void make_folder(void)
{
	strcpy(folder, "/tmp/ttlog-test-listener-XXXXXX");
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/recorder.sock", folder);
}

static unsigned int count_files(void)
{
	unsigned int count = 0;
	DIR *dir = opendir(folder);

	for (const struct dirent *entry; (entry = readdir(dir));)
		count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	closedir(dir);
	return count;
}

static void remove_folder(void)
{
	char command[128];

	cr_expect_eq(count_files(), 0, "something is left behind");
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(listener, .init = make_folder, .fini = remove_folder, .timeout = 120);

static int connect_to(const char *to)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, to);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		const int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

Test(listener, listens_for_everybody_and_cleans_up)
{
	struct listener listener;
	struct stat status;
	int fd;

	umask(077);
	cr_assert_eq(listener_open(&listener, path), 0);
	cr_assert_eq(stat(path, &status), 0);
	cr_assert(S_ISSOCK(status.st_mode));
	cr_assert_eq(status.st_mode & 07777, 0666);
	fd = connect_to(path);
	cr_assert_geq(fd, 0);
	close(fd);
	listener_close(&listener);
	cr_assert_eq(connect_to(path), -ENOENT);
	listener_close(&listener);
}

Test(listener, makes_a_folder_that_everybody_may_enter)
{
	struct listener listener;
	struct stat status;
	char deep[160], run[100];

	umask(077);
	snprintf(run, sizeof(run), "%s/run", folder);
	snprintf(deep, sizeof(deep), "%s/recorder.sock", run);
	cr_assert_eq(listener_open(&listener, deep), 0);
	cr_assert_eq(stat(run, &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0755);
	listener_close(&listener);
	cr_assert_eq(rmdir(run), 0);
}

Test(listener, does_not_take_a_living_socket)
{
	struct listener first, second;
	int fd;

	cr_assert_eq(listener_open(&first, path), 0);
	cr_assert_eq(listener_open(&second, path), -EADDRINUSE);
	fd = connect_to(path);
	cr_assert_geq(fd, 0, "the first one must still be there");
	close(fd);
	listener_close(&first);
}

Test(listener, replaces_the_socket_of_a_killed_recorder)
{
	struct listener listener;
	int fd;
	pid_t pid = fork();

	if (!pid) {
		if (listener_open(&listener, path))
			_exit(1);
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	cr_assert_eq(connect_to(path), -ECONNREFUSED);
	cr_assert_eq(listener_open(&listener, path), 0);
	cr_assert_eq(count_files(), 1);
	fd = connect_to(path);
	cr_assert_geq(fd, 0);
	close(fd);
	listener_close(&listener);
}

Test(listener, leaves_alone_what_is_no_socket)
{
	struct listener listener;
	struct stat status;

	close(open(path, O_CREAT | O_WRONLY, 0600));
	cr_assert_eq(listener_open(&listener, path), -EEXIST);
	cr_assert_eq(stat(path, &status), 0);
	cr_assert(S_ISREG(status.st_mode));
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(symlink("/tmp", path), 0);
	cr_assert_eq(listener_open(&listener, path), -EEXIST);
	cr_assert_eq(unlink(path), 0);
}

Test(listener, leaves_alone_a_socket_that_took_its_place)
{
	struct listener first, second;

	cr_assert_eq(listener_open(&first, path), 0);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(listener_open(&second, path), 0);
	listener_close(&first);
	cr_assert_eq(count_files(), 1, "the second one's socket");
	listener_close(&second);
}

Test(listener, needs_no_lock_and_leaves_none)
{
	struct listener listener;
	char lock[160];

	snprintf(lock, sizeof(lock), "%s/.recorder.sock.lock", folder);
	close(open(lock, O_CREAT | O_WRONLY, 0600)); /* of who was killed while it started */
	cr_assert_eq(listener_open(&listener, path), 0);
	cr_assert_eq(count_files(), 1, "the socket alone");
	listener_close(&listener);
	cr_assert_eq(mkdir(lock, 0700), 0); /* of somebody else, for good */
	cr_assert_eq(listener_open(&listener, path), 0);
	listener_close(&listener);
	cr_assert_eq(rmdir(lock), 0);
}

Test(listener, says_what_is_wrong_with_a_path)
{
	struct listener listener;
	char longest[200];

	memset(longest, 'a', sizeof(longest) - 1);
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	cr_expect_eq(listener_open(&listener, longest), -ENAMETOOLONG);
	cr_expect_eq(listener_open(&listener, "/tmp/"), -EISDIR);
	cr_expect_eq(listener_open(&listener, "/proc/ttlog/recorder.sock"), -ENOENT);
}

/* Between a racer's look and its rename, and behind that, the others have time for theirs. */
static unsigned int nap_us_max;

static void nap(void)
{
	static uint64_t state;

	if (!nap_us_max)
		return;
	state = (state ? state : (uint64_t)getpid()) * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	usleep((useconds_t)((state >> 33) % nap_us_max));
}

/* What listener.c calls, in front of libc's. */
int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags)
{
	int result;

	nap();
	result = (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
	nap();
	return result;
}

/* A child: tries to listen, says whether it does, stays until it is told to leave. */
static void race(int go, int said, int leave)
{
	struct listener listener;
	char byte;
	int err;

	if (read(go, &byte, 1) != 0) /* all of them start when the parent closes its end */
		_exit(1);
	err = listener_open(&listener, path);
	if (write(said, err ? "n" : "y", 1) != 1 || read(leave, &byte, 1) != 0)
		_exit(1);
	if (!err)
		listener_close(&listener);
	_exit(err && err != -EADDRINUSE ? 2 : 0);
}

static void run_race(void)
{
	int go[2], said[2], leave[2], status, winners = 0;
	struct listener dead;
	char answer;

	/* A dead recorder's socket is in the way. */
	cr_assert_eq(listener_open(&dead, path), 0);
	close(dead.fd);
	close(dead.dir_fd);
	cr_assert(!pipe(go) && !pipe(said) && !pipe(leave));
	for (int i = 0; i < RACERS; i++) {
		if (fork())
			continue;
		close(go[1]);
		close(leave[1]);
		race(go[0], said[1], leave[0]);
	}
	close(go[1]);
	for (int i = 0; i < RACERS; i++) {
		cr_assert_eq(read(said[0], &answer, 1), 1);
		winners += answer == 'y';
	}
	close(leave[1]);
	for (int i = 0; i < RACERS; i++) {
		cr_assert_gt(wait(&status), 0);
		cr_assert_eq(status, 0, "%#x", status);
	}
	cr_assert_eq(winners, 1, "%d recorders believe that the path is theirs", winners);
	close(go[0]);
	close(said[0]);
	close(said[1]);
	close(leave[0]);
}

Test(listener, has_one_winner_when_many_start_at_once)
{
	nap_us_max = 1000;
	for (int i = 0; i < RACES; i++) {
		run_race();
		unlink(path);
	}
}
