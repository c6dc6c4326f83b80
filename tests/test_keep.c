/* SPDX-License-Identifier: MIT */
/*
 * What is counted, removed and refused in a real folder, on a file system that really is full.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "recorder/counters.h"
#include "recorder/keep.h"
#include "tests/made_dump.h"

#define SECOND UINT64_C(1000000000)
#define CREATED UINT64_C(1700000000)

static char folder[64];
static struct loop *loop;
static struct workers *workers;
static struct store store;
static struct keep *keep;

static void open_folder(void)
{
	strcpy(folder, "/tmp/ttlog-test-keep-XXXXXX");
	cr_assert(mkdtemp(folder));
	cr_assert_eq(loop_open(&loop), 0);
	cr_assert_eq(workers_open(&workers, loop, 1), 0);
	cr_assert_eq(store_open(&store, folder), 0);
}

static void settle(void)
{
	while (workers_pending(workers))
		cr_assert_eq(loop_once(loop, 30000), 0);
}

static void start(const struct keep_limits *limits)
{
	cr_assert_eq(keep_open(&keep, loop, workers, &store, limits), 0);
	settle();
}

static void remove_folder(void)
{
	char command[128];

	workers_close(workers);
	keep_close(keep);
	keep = NULL;
	store_close(&store);
	loop_close(loop);
	umount2(folder, MNT_DETACH); /* if a test mounted something there */
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(keep, .init = open_folder, .fini = remove_folder, .timeout = 120);

/* A dump of `bytes` at least, in the folder, as a worker writes it. Its name, or NULL and errno. */
static const char *write_dump(const char *service, unsigned int second, size_t bytes)
{
	static char path[PATH_MAX];
	struct store_file file;
	struct stat status;
	int err;

	made_begin();
	made.facts.service = service;
	made.facts.created_ns = (CREATED + second) * SECOND;
	cr_assert_eq(store_create(&store, &file), 0);
	made.facts.room = keep ? keep_room : NULL;
	made.facts.room_context = keep;
	err = dump_write(file.fd, &made, &made.facts);
	if (!err && keep)
		err = keep_room(keep, bytes);
	if (!err && !fstat(file.fd, &status) && (size_t)status.st_size < bytes)
		err = -posix_fallocate(file.fd, 0, (off_t)bytes);
	if (err) {
		store_abandon(&store, &file);
		errno = -err;
		return NULL;
	}
	err = store_commit(&store, &file, 1, made.facts.created_ns, "sigsegv", path);
	cr_assert_eq(err, 0, "%s", strerror(-err));
	if (keep)
		keep_written(keep, path);
	return strrchr(path, '/') + 1;
}

static bool is_there(const char *name)
{
	struct stat status;

	return !fstatat(store.dir_fd, name, &status, AT_SYMLINK_NOFOLLOW);
}

static unsigned int count_dumps(void)
{
	struct keep_index index = {0};
	unsigned int count;

	cr_assert_eq(keep_index_scan(&index, store.dir_fd, KEEP_ANYBODY), 0);
	count = (unsigned int)index.count;
	keep_index_fini(&index);
	return count;
}

Test(keep, knows_what_was_there_before_it)
{
	const struct keep_limits limits = {.files = 3};

	for (unsigned int i = 0; i < 10; i++)
		write_dump("orders", i, 0);
	cr_assert_eq(count_dumps(), 10);
	start(&limits);
	cr_expect_eq(count_dumps(), 3);
	cr_expect_eq(counters.store_files, 3);
	cr_expect_eq(counters.store_shed_files, 7);
	write_dump("orders", 11, 0);
	cr_expect_eq(count_dumps(), 3);
	cr_expect(is_there("ttlog-1-20231114221331-sigsegv.bin"), "the newest");
	cr_expect_not(is_there("ttlog-1-20231114221327-sigsegv.bin"), "the oldest");
}

Test(keep, counts_bytes_as_files_have_them)
{
	const struct keep_limits limits = {.bytes = 1000000, .service_bytes = 600000};

	start(&limits);
	for (unsigned int i = 0; i < 12; i++)
		write_dump(i % 2 ? "a" : "b", i, 200000);
	cr_expect_eq(count_dumps(), 5);
	cr_expect_eq(counters.store_bytes, 1000000);
	for (unsigned int i = 20; i < 30; i++)
		write_dump("a", i, 200000);
	cr_expect_eq(count_dumps(), 5, "three of a, and two of b");
}

Test(keep, sees_at_once_when_limits_change)
{
	struct keep_limits limits = {0};

	start(&limits);
	for (unsigned int i = 0; i < 10; i++)
		write_dump("orders", i, 0);
	cr_expect_eq(count_dumps(), 10);
	limits.files = 4;
	keep_set_limits(keep, &limits);
	settle();
	cr_expect_eq(count_dumps(), 4);
	limits.age_s = 60; /* they all are of 2023 */
	keep_set_limits(keep, &limits);
	settle();
	cr_expect_eq(count_dumps(), 0);
}

static void put_file(const char *name, const char *text)
{
	int fd = openat(store.dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0, "%s: %s", name, strerror(errno));
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* Named like a dump, older than all: the first to go, if it were one. */
#define TRAP(n) "ttlog-" #n "-20010101000000-sigsegv.bin"

Test(keep, touches_nothing_that_is_not_its_own)
{
	static const char *const traps[] = {TRAP(1),
					    TRAP(2),
					    TRAP(3),
					    TRAP(4),
					    TRAP(5),
					    TRAP(6),
					    "ttlog-1-20010101000000.bin",
					    "notes.txt",
					    "ttlog-x-20010101000000-a.bin",
					    "ttlog-1-2001010100000-a.bin"};
	const struct keep_limits limits = {.files = 1, .bytes = 1, .age_s = 1};
	char outside[] = "/tmp/ttlog-test-outside-XXXXXX";
	const int outside_fd = mkstemp(outside);
	const char *dump = write_dump("orders", 0, 0);
	char from[PATH_MAX], name[NAME_MAX];

	cr_assert_geq(outside_fd, 0);
	strcpy(name, dump);
	snprintf(from, sizeof(from), "%s/%s", folder, name);
	put_file(TRAP(1), "no dump");
	put_file(TRAP(2), "");
	cr_assert_eq(symlinkat(from, store.dir_fd, TRAP(3)), 0); /* to a true one */
	cr_assert_eq(symlinkat(outside, store.dir_fd, TRAP(4)), 0);
	cr_assert_eq(mkdirat(store.dir_fd, TRAP(5), 0700), 0);
	cr_assert_eq(mkfifoat(store.dir_fd, TRAP(6), 0600), 0);
	for (size_t i = 6; i < sizeof(traps) / sizeof(traps[0]); i++)
		put_file(traps[i], "something else");
	cr_expect_eq(count_dumps(), 1, "a link to a dump is none");
	start(&limits);
	for (size_t i = 0; i < sizeof(traps) / sizeof(traps[0]); i++)
		cr_expect(is_there(traps[i]), "%s", traps[i]);
	cr_expect_not(is_there(name), "the dump is too old");
	cr_expect_eq(access(outside, F_OK), 0);
	close(outside_fd);
	unlink(outside);
}

Test(keep, leaves_the_dumps_of_another_user)
{
	const struct keep_limits limits = {.files = 1};
	const char *name;
	char theirs[NAME_MAX];

	if (geteuid() != 0)
		cr_skip("only root can give files away");
	name = write_dump("orders", 0, 0);
	strcpy(theirs, name);
	cr_assert_eq(fchownat(store.dir_fd, theirs, 12345, 12345, AT_SYMLINK_NOFOLLOW), 0);
	start(&limits);
	for (unsigned int i = 1; i < 4; i++)
		write_dump("orders", i, 0);
	cr_expect(is_there(theirs));
	cr_expect_eq(count_dumps(), 2);
}

Test(keep, forgets_what_somebody_else_removed_and_removes_no_successor)
{
	const struct keep_limits limits = {.files = 2};
	char name[NAME_MAX];

	start(&limits);
	strcpy(name, write_dump("orders", 0, 0));
	cr_assert_eq(unlinkat(store.dir_fd, name, 0), 0);
	/* A new file under the old name; its inode may be the old one, too. */
	put_file(name, "not what was looked at");
	for (unsigned int i = 1; i < 5; i++)
		write_dump("orders", i, 0);
	cr_expect(is_there(name));
	cr_expect_eq(counters.store_files, 2);
}

/* ---- the floor -------------------------------------------------------------------------- */

/* In a namespace of its own: nothing of it outlives the test. */
static void mount_small(const char *size)
{
	char options[64];

	if (geteuid() != 0) {
		remove_folder();
		cr_skip("only root can mount a small file system");
	}
	snprintf(options, sizeof(options), "size=%s,mode=0700", size);
	/* Not where / is no mount point: in a chroot. */
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		remove_folder(); /* a skipped test has no fini */
		cr_skip("no mount namespace of our own");
	}
	cr_assert_eq(mount("tmpfs", folder, "tmpfs", 0, options), 0, "%s", strerror(errno));
	store_close(&store);
	cr_assert_eq(store_open(&store, folder), 0);
}

static uint64_t free_bytes(void)
{
	struct statvfs status;

	cr_assert_eq(fstatvfs(store.dir_fd, &status), 0);
	return (uint64_t)status.f_bavail * status.f_frsize;
}

Test(keep, goes_never_below_the_floor)
{
	const struct keep_limits limits = {.free_bytes = 4 << 20};

	mount_small("8M");
	start(&limits);
	for (unsigned int i = 0; i < 20; i++) {
		cr_assert(write_dump("orders", i, 1 << 20), "%u: %s", i, strerror(errno));
		cr_assert_geq(free_bytes(), 4 << 20, "after %u: %" PRIu64, i, free_bytes());
	}
	cr_expect_geq(count_dumps(), 2);
	cr_expect(is_there("ttlog-1-20231114221339-sigsegv.bin"), "the newest");
	cr_expect_geq(counters.store_shed_files, 16);
}

Test(keep, removes_nothing_where_that_would_not_help)
{
	const struct keep_limits limits = {.free_bytes = 4 << 20};
	int fd;

	mount_small("8M");
	start(&limits);
	cr_assert(write_dump("orders", 0, 1 << 20));
	cr_assert(write_dump("orders", 1, 1 << 20));
	fd = openat(store.dir_fd, "somebody-else", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_eq(posix_fallocate(fd, 0, 5 << 20), 0);
	cr_expect_null(write_dump("orders", 2, 1 << 20));
	cr_expect_eq(errno, ENOSPC);
	cr_expect_eq(count_dumps(), 2);
	/* And when the other has gone it goes on. */
	cr_assert_eq(ftruncate(fd, 0), 0);
	cr_expect(write_dump("orders", 3, 1 << 20));
	close(fd);
}

Test(keep, keeps_a_share_free_too)
{
	const struct keep_limits limits = {.free_percent = 50};

	mount_small("8M");
	start(&limits);
	for (unsigned int i = 0; i < 10; i++) {
		cr_assert(write_dump("orders", i, 1 << 20));
		cr_assert_geq(free_bytes(), 4 << 20);
	}
}

Test(keep, a_floor_above_any_disk_is_one)
{
	const struct keep_limits limits = {.free_bytes = UINT64_MAX - 1};

	cr_assert(write_dump("orders", 0, 0));
	start(&limits);
	cr_expect_eq(keep_room(keep, 4096), -ENOSPC);
	cr_expect_eq(count_dumps(), 1);
}

Test(keep, takes_no_nonsense_for_a_floor)
{
	static const char *const nonsense[] = {"",
					       "x",
					       "-1",
					       "100%",
					       "5%%",
					       "5 %",
					       "1GG",
					       "%",
					       "99999999999999999999",
					       "18446744073709551615G",
					       "1e9"};
	unsigned int percent;
	uint64_t bytes;

	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		cr_expect_eq(keep_parse_free(nonsense[i], &bytes, &percent), -EINVAL, "'%s'",
			     nonsense[i]);
	cr_expect_eq(keep_parse_free("5%", &bytes, &percent), 0);
	cr_expect(percent == 5 && !bytes);
	cr_expect_eq(keep_parse_free("3g", &bytes, &percent), 0);
	cr_expect(!percent && bytes == UINT64_C(3) << 30);
	cr_expect_eq(keep_parse_free("0", &bytes, &percent), 0);
	cr_expect(!percent && !bytes);
}

/* ---- what a file says of itself --------------------------------------------------------- */

Test(keep, reads_of_a_dump_what_its_writer_put_there)
{
	struct keep_index index = {0};
	const struct summary *summary;
	const char *name;

	made_begin();
	name = write_dump("orders \x1b[31m", 3, 0);
	int fd = openat(store.dir_fd, name, O_RDWR | O_CLOEXEC);
	cr_assert_eq(dump_write_signature(fd, "00112233445566aa"), 0);
	close(fd);
	cr_assert_eq(keep_index_scan(&index, store.dir_fd, KEEP_ANYBODY), 0);
	cr_assert_eq(index.count, 1);
	summary = &index.dump[0]->summary;
	cr_expect_str_eq(summary->signature, "00112233445566aa");
	cr_expect_str_eq(summary->service, "orders ?[31m");
	cr_expect_str_eq(summary->reason, "sigsegv");
	cr_expect_str_eq(summary->how, "fault");
	cr_expect_eq(summary->pid, 4242);
	cr_expect_eq(summary->uid, 1000);
	cr_expect(summary->have_uid);
	cr_expect_eq(summary->created_ns, (CREATED + 3) * SECOND);
	cr_expect(strstr(summary->sentence, "SIGSEGV"), "%s", summary->sentence);
	keep_index_fini(&index);
}

/* Each byte of a head cut off, and each changed: any answer but a crash. */
Test(keep, survives_any_head)
{
	unsigned char data[SUMMARY_HEAD_BYTES], changed[SUMMARY_HEAD_BYTES];
	struct summary summary;
	const char *name = write_dump("orders", 3, 0);
	const int fd = openat(store.dir_fd, name, O_RDONLY | O_CLOEXEC);
	const ssize_t bytes = read(fd, data, sizeof(data));

	close(fd);
	cr_assert_gt(bytes, 100);
	cr_assert_eq(summary_parse(data, (size_t)bytes, &summary), 0);
	for (ssize_t i = 0; i < bytes; i++) {
		unsigned char *exact = malloc((size_t)i + 1); /* so that a sanitizer sees its end */

		cr_assert(exact);
		memcpy(exact, data, (size_t)i);
		summary_parse(exact, (size_t)i, &summary);
		free(exact);
		for (unsigned int bit = 0; bit < 8; bit++) {
			memcpy(changed, data, (size_t)bytes);
			changed[i] ^= (unsigned char)(1u << bit);
			summary_parse(changed, (size_t)bytes, &summary);
		}
	}
}
