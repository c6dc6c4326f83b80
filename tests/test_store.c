/* SPDX-License-Identifier: MIT */
/* Dumps get their names, once, whole, and only for their owner; nothing half-written is ever left.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <dirent.h>

#include "recorder/store.h"

/* 2026-10-22 14:03:21 UTC, and a bit. */
#define CREATED_NS UINT64_C(1792677801987654321)

static char folder[64];
static struct store store;

static void open_store(void)
{
	strcpy(folder, "/tmp/ttlog-test-store-XXXXXX");
	cr_assert(mkdtemp(folder));
	cr_assert_eq(store_open(&store, folder), 0);
}

static unsigned int count_files(const char *path)
{
	unsigned int count = 0;
	DIR *dir = opendir(path);

	cr_assert(dir);
	for (const struct dirent *entry; (entry = readdir(dir));)
		count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	closedir(dir);
	return count;
}

static void remove_folder(void)
{
	char command[128];

	store_close(&store);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(store, .init = open_store, .fini = remove_folder, .timeout = 120);

static int commit(const char *text, uint32_t pid, const char *reason, char name[PATH_MAX])
{
	struct store_file file;

	cr_assert_eq(store_create(&store, &file), 0);
	cr_assert_eq(write(file.fd, text, strlen(text)), (ssize_t)strlen(text));
	return store_commit(&store, &file, pid, CREATED_NS, reason, name);
}

static void check_content(const char *path, const char *text)
{
	char buffer[64] = "";
	int fd = open(path, O_RDONLY);

	cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
	cr_assert_eq(read(fd, buffer, sizeof(buffer)), (ssize_t)strlen(text));
	cr_assert_str_eq(buffer, text);
	close(fd);
}

Test(store, names_a_dump_by_pid_time_and_reason)
{
	char name[PATH_MAX], expected[PATH_MAX];

	cr_assert_eq(commit("x", 4242, "sigsegv", name), 0);
	snprintf(expected, sizeof(expected), "%s/ttlog-4242-20261022140321-sigsegv.bin", folder);
	cr_assert_str_eq(name, expected);
	check_content(name, "x");
}

Test(store, never_overwrites)
{
	char first[PATH_MAX], second[PATH_MAX], third[PATH_MAX], expected[PATH_MAX];

	cr_assert_eq(commit("first", 1, "exit-1", first), 0);
	cr_assert_eq(commit("second", 1, "exit-1", second), 0);
	cr_assert_eq(commit("third", 1, "exit-1", third), 0);
	snprintf(expected, sizeof(expected), "%s/ttlog-1-20261022140321-exit-1-2.bin", folder);
	cr_assert_str_eq(second, expected);
	snprintf(expected, sizeof(expected), "%s/ttlog-1-20261022140321-exit-1-3.bin", folder);
	cr_assert_str_eq(third, expected);
	check_content(first, "first");
	check_content(second, "second");
	check_content(third, "third");
}

Test(store, keeps_dumps_for_their_owner_whatever_the_umask)
{
	const mode_t masks[] = {0, 022, 0777};
	char name[PATH_MAX];
	struct stat status;

	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		umask(masks[i]);
		cr_assert_eq(commit("x", 7, "abort", name), 0);
		cr_assert_eq(stat(name, &status), 0);
		cr_assert_eq(status.st_mode & 07777, 0600, "umask %o: %o", masks[i],
			     status.st_mode);
	}
}

Test(store, lets_no_reason_leave_the_folder_or_the_alphabet)
{
	static const struct {
		const char *reason, *name;
	} row[] = {
		{"../../etc/passwd", "ttlog-1-20261022140321-.._.._etc_passwd.bin"},
		{"Check Point\n\x1b[31m", "ttlog-1-20261022140321-_heck__oint___31m.bin"},
		{"\xc3\xa4", "ttlog-1-20261022140321-__.bin"},
		{"", "ttlog-1-20261022140321-unknown.bin"},
	};
	char name[PATH_MAX], expected[PATH_MAX], longest[300];
	struct stat status;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		cr_assert_eq(commit("x", 1, row[i].reason, name), 0);
		snprintf(expected, sizeof(expected), "%s/%s", folder, row[i].name);
		cr_assert_str_eq(name, expected);
	}
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	cr_assert_eq(commit("x", UINT32_MAX, longest, name), 0);
	cr_assert_eq(stat(name, &status), 0);
}

Test(store, shows_nothing_before_the_commit_and_leaves_nothing_when_abandoned)
{
	struct store_file file;
	struct stat status;

	cr_assert_eq(store_create(&store, &file), 0);
	cr_assert_eq(file.temporary[0], '.');
	cr_assert_eq(fstat(file.fd, &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0600);
	cr_assert_eq(count_files(folder), 1);
	store_abandon(&store, &file);
	cr_assert_eq(count_files(folder), 0);
	store_abandon(&store, &file); /* again: nothing to do */
}

/* A recorder is killed in mid-write: the next one tidies up. */
Test(store, removes_what_a_killed_recorder_left)
{
	struct store_file file;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (store_create(&store, &file))
			_exit(1);
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	cr_assert_eq(count_files(folder), 1);
	store_close(&store);
	cr_assert_eq(store_open(&store, folder), 0);
	cr_assert_eq(count_files(folder), 0);
}

Test(store, leaves_alone_what_another_recorder_is_writing)
{
	struct store_file file;
	struct store other;
	char name[PATH_MAX];

	cr_assert_eq(store_create(&store, &file), 0);
	cr_assert_eq(store_open(&other, folder), 0);
	cr_assert_eq(count_files(folder), 1);
	store_close(&other);
	cr_assert_eq(store_commit(&store, &file, 1, CREATED_NS, "exit-1", name), 0);
	cr_assert_eq(count_files(folder), 1);
}

Test(store, leaves_alone_what_only_looks_like_its_own)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/.ttlog-1-1.tmp", folder);
	cr_assert_eq(mkfifo(path, 0600), 0); /* opening it must not hang either */
	snprintf(path, sizeof(path), "%s/.ttlog-2-1.tmp", folder);
	cr_assert_eq(symlink("/etc/passwd", path), 0);
	snprintf(path, sizeof(path), "%s/notes.tmp", folder);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	snprintf(path, sizeof(path), "%s/.ttlog-.bin", folder);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	store_close(&store);
	cr_assert_eq(store_open(&store, folder), 0);
	cr_assert_eq(count_files(folder), 4);
}

Test(store, takes_another_name_when_a_stranger_has_the_temporary_one)
{
	struct store_file first, second;
	char path[128];

	cr_assert_eq(store_create(&store, &first), 0);
	/* The next name is first's with its number raised by one. */
	snprintf(path, sizeof(path), "%s/.ttlog-%d-1.tmp", folder, (int)getpid());
	close(open(path, O_CREAT | O_EXCL | O_WRONLY, 0600));
	cr_assert_eq(store_create(&store, &second), 0);
	store_abandon(&store, &first);
	store_abandon(&store, &second);
	cr_assert_eq(count_files(folder), 1);
}

Test(store, makes_the_folder_and_its_parents)
{
	char path[128];
	struct stat status;
	struct store deep;

	umask(0);
	snprintf(path, sizeof(path), "%s/var/lib/dumps/", folder);
	cr_assert_eq(store_open(&deep, path), 0);
	cr_assert_eq(stat(path, &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0700);
	snprintf(path, sizeof(path), "%s/var/lib", folder);
	cr_assert_eq(stat(path, &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0755);
	store_close(&deep);
}

Test(store, says_what_is_wrong_with_a_folder)
{
	char path[128];
	struct store other;

	snprintf(path, sizeof(path), "%s/file", folder);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	cr_assert_eq(store_open(&other, path), -ENOTDIR);
	strcat(path, "/below");
	cr_assert_eq(store_open(&other, path), -ENOTDIR);
	cr_assert_eq(store_open(&other, ""), -ENOENT);
}

/* ---- file systems that refuse; mounted where only this test sees them ---- */

static void mount_tmpfs(const char *options)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		remove_folder();
		cr_skip("mounting needs root");
	}
	store_close(&store);
	cr_assert_eq(mount("ttlog-test", folder, "tmpfs", 0, options), 0);
	cr_assert_eq(store_open(&store, folder), 0);
}

static void unmount_tmpfs(void)
{
	store_close(&store);
	cr_assert_eq(umount(folder), 0);
}

Test(store, survives_a_full_disk)
{
	static const char block[4096] = "x";
	struct store_file file;
	char name[PATH_MAX];
	ssize_t wrote;

	mount_tmpfs("size=64k");
	cr_assert_eq(store_create(&store, &file), 0);
	do
		wrote = write(file.fd, block, sizeof(block));
	while (wrote > 0);
	cr_assert_eq(errno, ENOSPC);
	store_abandon(&store, &file);
	cr_assert_eq(count_files(folder), 0);
	cr_assert_eq(commit("there is room again", 1, "exit-1", name), 0);
	unmount_tmpfs();
}

Test(store, survives_a_disk_without_room_for_a_name)
{
	struct store_file file = {.fd = -1};
	int err;

	mount_tmpfs("nr_inodes=1"); /* the folder itself */
	err = store_create(&store, &file);
	cr_assert_eq(err, -ENOSPC, "%d", err);
	unmount_tmpfs();
}

Test(store, survives_a_folder_that_becomes_read_only)
{
	struct store_file file;
	char name[PATH_MAX] = "";

	mount_tmpfs("size=64k");
	cr_assert_eq(store_create(&store, &file), 0);
	store_abandon(&store, &file);
	cr_assert_eq(mount(NULL, folder, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	cr_assert_eq(store_create(&store, &file), -EROFS);
	cr_assert_eq(name[0], '\0');
	unmount_tmpfs();
}

/* ---- who else may read ------------------------------------------------------------------ */

static mode_t mode_of(const char *path, struct stat *ret_status)
{
	cr_assert_eq(stat(path, ret_status), 0);
	return ret_status->st_mode & 07777;
}

Test(store, lets_a_group_read_and_list)
{
	char name[PATH_MAX];
	struct stat status;

	if (geteuid() != 0)
		cr_skip("only root can give files to any group");
	cr_assert_eq(store_share(&store, 4321, false), 0);
	cr_expect_eq(mode_of(folder, &status), 02750);
	cr_expect_eq(status.st_gid, 4321);
	umask(077);
	cr_assert_eq(commit("x", 7, "abort", name), 0);
	cr_expect_eq(mode_of(name, &status), 0640);
	cr_expect_eq(status.st_gid, 4321);
	cr_expect_eq(status.st_uid, 0);
}

/* 0: can be read; else the exit status of somebody who tried as that user. */
static int read_as(uid_t uid, const char *path)
{
	const pid_t pid = fork();
	int status;

	if (!pid) {
		if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
			_exit(99);
		if (open(path, O_WRONLY | O_CLOEXEC) >= 0)
			_exit(98);
		_exit(open(path, O_RDONLY | O_CLOEXEC) < 0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

Test(store, lets_a_user_read_his_own_dump_and_nobody_else)
{
	char mine[PATH_MAX], others[PATH_MAX];
	struct store_file file;
	struct stat status;

	if (geteuid() != 0)
		cr_skip("only root can try it as others");
	cr_assert_eq(store_share(&store, STORE_NOBODY, true), 0);
	cr_expect_eq(mode_of(folder, &status), 0711);
	cr_assert_eq(commit("x", 7, "abort", others), 0);
	cr_assert_eq(store_create(&store, &file), 0);
	file.reader = 1234;
	cr_assert_eq(store_commit(&store, &file, 8, CREATED_NS, "abort", mine), 0);
	cr_expect_eq(read_as(1234, mine), 0);
	cr_expect_eq(read_as(1235, mine), 1);
	cr_expect_eq(read_as(1234, others), 1);
	cr_expect_eq(mode_of(mine, &status), 0640, "what ls shows is the mask of the list");
	cr_expect_eq(status.st_uid, 0);
}

Test(store, shares_no_folder_in_which_all_may_write)
{
	cr_assert_eq(chmod(folder, 01777), 0);
	cr_expect_eq(store_share(&store, STORE_NOBODY, true), -EACCES);
	cr_expect_eq(store_share(&store, getegid(), false), -EACCES);
}

/* ---- a folder that is not there any more ---- */

Test(store, a_folder_that_was_removed_is_made_again)
{
	char name[PATH_MAX];

	cr_assert_eq(rmdir(folder), 0);
	cr_assert_eq(commit("here again", 1, "exit-1", name), 0);
	cr_expect_eq(count_files(folder), 1);
}

/* What stands there instead may be a stranger's way to have dumps elsewhere. */
Test(store, a_link_in_its_place_is_not_followed)
{
	char elsewhere[80], name[PATH_MAX];
	struct store_file file;

	snprintf(elsewhere, sizeof(elsewhere), "%s-elsewhere", folder);
	cr_assert_eq(mkdir(elsewhere, 0700), 0);
	cr_assert_eq(rmdir(folder), 0);
	cr_assert_eq(symlink(elsewhere, folder), 0);
	cr_expect_lt(store_create(&store, &file), 0);
	cr_expect_eq(count_files(elsewhere), 0);
	cr_assert_eq(unlink(folder), 0);
	cr_assert_eq(rmdir(elsewhere), 0);
	cr_expect_eq(commit("here again", 1, "exit-1", name), 0);
}
