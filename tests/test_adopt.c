/* SPDX-License-Identifier: MIT */
/*
 * Rings that nobody handed over: of processes that were there before the recorder, that outlived
 * one, or that could not reach it. Real recorders, real clients, and those who only play one.
 */
#include <sched.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/hello_by_hand.h"
#include "tests/service_process.h"

TestSuite(adopt, .init = recorder_prepare, .fini = recorder_clean, .timeout = 150);

#define EVENTS 1000
#define SERVICES 3

/* Records half of it before it says that it is ready, the rest when it is told to. */
static void record_in_two_halves(void)
{
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < EVENTS / 2; i++)
		ttlog_info("counted", "i", i);
	ready();
	sigwait(&set, &signal);
	for (int i = EVENTS / 2; i < EVENTS; i++)
		ttlog_info("counted", "i", i);
	ready();
	pause();
}

static void go_on(const struct service *service)
{
	char byte;

	cr_assert_eq(kill(service->pid, SIGUSR1), 0);
	cr_assert_eq(read(service->said, &byte, 1), 1);
}

/* As the viewer has them, which is in the folder that the recorder is in. */
static unsigned int count_events(const char *path, const char *message)
{
	char command[2 * PATH_MAX], line[4096];
	unsigned int count = 0;
	FILE *view;

	snprintf(command, sizeof(command), "%.*s/ttlog-view --format json %s",
		 (int)(strrchr(recorder_program, '/') - recorder_program), recorder_program, path);
	view = popen(command, "r");
	cr_assert(view);
	while (fgets(line, sizeof(line), view))
		count += strstr(line, message) != NULL;
	cr_assert_eq(pclose(view), 0);
	return count;
}

static void kill_recorder(struct recorder_process *recorder)
{
	cr_assert_eq(kill(recorder->pid, SIGKILL), 0);
	end_status(recorder);
	close(recorder->stderr_fd);
}

/* Its death, by us, is dumped as any other's. */
static void expect_death(struct recorder_process *recorder, struct service *service)
{
	char line[LINE_BYTES];

	cr_assert_eq(kill(service->pid, SIGKILL), 0);
	reap(service);
	expect_killed(recorder, line, sizeof(line), "the last words");
}

static void expect_adoption(struct recorder_process *recorder, pid_t pid)
{
	char line[LINE_BYTES], words[64];

	snprintf(words, sizeof(words), "(pid %d) is adopted", (int)pid);
	expect_line(recorder, words, line, sizeof(line));
}

Test(adopt, finds_who_was_there_before)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	start_service(&service, record_in_two_halves);
	start_recorder(&recorder, NONE);
	go_on(&service);
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	expect_killed(&recorder, line, sizeof(line), "the last words");
	cr_assert_eq(count_events(strrchr(line, ' ') + 1, "counted"), EVENTS);
	stop_recorder(&recorder);
}

static void end_all(struct recorder_process *recorder, struct service service[SERVICES])
{
	char line[LINE_BYTES];

	for (int i = 0; i < SERVICES; i++) {
		go_on(&service[i]);
		cr_assert_eq(kill(service[i].pid, SIGKILL), 0);
		reap(&service[i]);
		expect_killed(recorder, line, sizeof(line), "the last words");
		cr_assert_eq(count_events(strrchr(line, ' ') + 1, "counted"), EVENTS);
	}
	cr_assert_eq(count_dumps(""), SERVICES, "one dump a death");
}

Test(adopt, keeps_the_living_when_a_recorder_is_killed)
{
	struct recorder_process recorder;
	struct service service[SERVICES];

	start_recorder(&recorder, NONE);
	for (int i = 0; i < SERVICES; i++)
		start_service(&service[i], record_in_two_halves);
	kill_recorder(&recorder);
	start_recorder(&recorder, NONE);
	kill_recorder(&recorder);
	start_recorder(&recorder, NONE);
	end_all(&recorder, service);
	stop_recorder(&recorder);
}

Test(adopt, keeps_the_living_when_a_recorder_makes_room_for_the_next)
{
	struct recorder_process recorder;
	struct service service[SERVICES];

	start_recorder(&recorder, NONE);
	for (int i = 0; i < SERVICES; i++)
		start_service(&service[i], record_in_two_halves);
	stop_recorder(&recorder);
	start_recorder(&recorder, NONE);
	end_all(&recorder, service);
	stop_recorder(&recorder);
}

/* ---- who can't reach the socket ---- */

static void hide_socket(void)
{
	char hidden[120];

	snprintf(hidden, sizeof(hidden), "%s.hidden", recorder_socket);
	cr_assert_eq(rename(recorder_socket, hidden), 0);
}

static void show_socket(void)
{
	char hidden[120];

	snprintf(hidden, sizeof(hidden), "%s.hidden", recorder_socket);
	cr_assert_eq(rename(hidden, recorder_socket), 0);
}

static void check_unreachable(const char *const *arguments)
{
	struct recorder_process recorder;
	struct service service;

	start_recorder(&recorder, arguments);
	hide_socket();
	start_service(&service, live);
	expect_adoption(&recorder, service.pid);
	expect_death(&recorder, &service);
	show_socket();
	stop_recorder(&recorder);
}

Test(adopt, hears_who_can_not_reach_the_socket)
{
	check_unreachable(NONE);
}

Test(adopt, finds_who_can_not_reach_the_socket_without_ebpf)
{
	check_unreachable((const char *const[]){"--no-bpf", NULL});
}

/*
 * Of its own user (root in a container, say) somebody can have so many descriptors on their way that
 * the recorder can send none itself, for as long as he likes.
 */
Test(adopt, hears_who_can_not_be_handed_a_region)
{
	struct recorder_process recorder;
	struct rlimit before, few;
	struct service service;
	char line[LINE_BYTES];
	int fds[200], pair[2];

	for (int i = 0; i < 200; i++)
		fds[i] = STDIN_FILENO;
	start_recorder(&recorder, NONE);
	cr_assert_eq(prlimit(recorder.pid, RLIMIT_NOFILE, NULL, &before), 0);
	few = (struct rlimit){128, before.rlim_max};
	cr_assert_eq(prlimit(recorder.pid, RLIMIT_NOFILE, &few, NULL), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(send_with_fds(pair[0], "x", 1, fds, 200), 1);
	start_service(&service, live);
	expect_line(&recorder, "too many descriptors", line, sizeof(line));
	expect_adoption(&recorder, service.pid);
	expect_death(&recorder, &service);
	close(pair[0]);
	close(pair[1]);
	cr_assert_eq(prlimit(recorder.pid, RLIMIT_NOFILE, &before, NULL), 0);
	start_service(&service, live);
	expect_line(&recorder, "records into", line, sizeof(line));
	expect_death(&recorder, &service);
	stop_recorder(&recorder);
}

static void start_walled_in(struct service *ret_service, int namespaces, const char *root)
{
	int said[2];
	char byte;

	cr_assert_eq(pipe2(said, O_CLOEXEC), 0);
	ret_service->pid = fork_child();
	if (!ret_service->pid) {
		ready_fd = said[1];
		if (unshare(namespaces) || (root && (chroot(root) || chdir("/"))))
			_exit(96);
		if (namespaces & CLONE_NEWPID) {
			const pid_t child = fork();
			int status;

			if (child) {
				waitpid(child, &status, 0);
				_exit(95);
			}
			prctl(PR_SET_PDEATHSIG, SIGKILL);
		}
		if (ttlog_init("orders"))
			_exit(98);
		ttlog_info("the last words", "number", 42);
		ready();
		pause();
	}
	close(said[1]);
	ret_service->said = said[0];
	cr_assert_eq(read(said[0], &byte, 1), 1, "the service did not get that far");
}

Test(adopt, finds_clients_behind_walls)
{
	static const struct {
		int namespaces;
		bool in_chroot;
	} walls[] = {
		{0, true},
		{CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC, true},
		{CLONE_NEWPID | CLONE_NEWNS, true},
	};
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	if (geteuid()) {
		recorder_clean();
		cr_skip("chroot and unshare take root");
	}
	start_recorder(&recorder, NONE);
	for (size_t i = 0; i < sizeof(walls) / sizeof(walls[0]); i++) {
		start_walled_in(&service, walls[i].namespaces, recorder_folder);
		expect_line(&recorder, "is adopted", line, sizeof(line));
		/* In a pid namespace the client is the child of who we know, and dies with it. */
		cr_assert_eq(kill(service.pid, SIGKILL), 0);
		reap(&service);
		expect_line(&recorder, ".bin", line, sizeof(line));
		check_dump(line, "", "the last words");
	}
	cr_assert_eq(count_dumps(""), sizeof(walls) / sizeof(walls[0]));
	stop_recorder(&recorder);
}

/* ---- whose rings are left alone ---- */

static int open_region_of(pid_t pid)
{
	char path[64], link[PATH_MAX];

	for (int fd = 3; fd < 64; fd++) {
		ssize_t bytes;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
		bytes = readlink(path, link, sizeof(link) - 1);
		if (bytes <= 0)
			continue;
		link[bytes] = '\0';
		if (strstr(link, "memfd:ttlog"))
			return open(path, O_RDWR | O_CLOEXEC);
	}
	return -1;
}

Test(adopt, waits_until_another_recorder_lets_go)
{
	struct recorder_process recorder;
	struct service service;
	int fd;

	start_service(&service, live);
	fd = open_region_of(service.pid);
	cr_assert_geq(fd, 0);
	cr_assert_eq(flock(fd, LOCK_EX | LOCK_NB), 0, "held without a recorder");
	start_recorder(&recorder, NONE);
	cr_assert_eq(flock(fd, LOCK_UN), 0);
	expect_adoption(&recorder, service.pid);
	cr_assert_eq(flock(fd, LOCK_EX | LOCK_NB), -1, "it does not show that it holds it");
	close(fd);
	expect_death(&recorder, &service);
	stop_recorder(&recorder);
}

Test(adopt, takes_only_what_is_meant_for_it)
{
	struct recorder_process recorder;
	struct service service[2];
	char elsewhere[120];

	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere.sock", recorder_folder);
	setenv("TTLOG_SOCKET", elsewhere, 1);
	start_service(&service[0], live);
	setenv("TTLOG_SOCKET", "", 1);
	start_service(&service[1], live);
	start_recorder(&recorder, NONE);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(kill(service[i].pid, SIGKILL), 0);
		reap(&service[i]);
	}
	stop_recorder(&recorder);
	cr_assert_eq(count_dumps(""), 0);
}

Test(adopt, is_not_to_be_had_with_none)
{
	struct recorder_process recorder;
	struct service service;

	start_service(&service, live);
	start_recorder(&recorder, (const char *const[]){"--adopt", "none", NULL});
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	stop_recorder(&recorder);
	cr_assert_eq(count_dumps(""), 0);
}

/* ---- liars ---- */

/* A thousand of that name, sealed, mapped, with something like a header in some; and it shouts. */
static void lie(void)
{
	char name[16];

	for (int i = 0; i < 1000; i++) {
		const int fd = memfd_create("ttlog", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		uint64_t *page;

		if (fd < 0 || ftruncate(fd, 1 << 20))
			break;
		page = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (page == MAP_FAILED)
			break;
		for (int j = 0; i % 2 && j < 64; j++)
			page[j] = j ? ~UINT64_C(0) >> j : UINT64_C(0x314e475247474c54);
		if (i % 3)
			fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	}
	prctl(PR_GET_NAME, name);
	ready();
	for (int i = 0; i < 100000; i++)
		prctl(PR_SET_NAME, name);
	pause();
}

static void start_liar(struct service *ret_service)
{
	int said[2];
	char byte;

	cr_assert_eq(pipe2(said, O_CLOEXEC), 0);
	ret_service->pid = fork_child();
	if (!ret_service->pid) {
		ready_fd = said[1];
		lie();
		_exit(97);
	}
	close(said[1]);
	ret_service->said = said[0];
	cr_assert_eq(read(said[0], &byte, 1), 1);
}

Test(adopt, is_not_impressed_by_liars)
{
	struct recorder_process recorder;
	struct service liar[2], service;
	unsigned int before, after;

	start_liar(&liar[0]);
	start_recorder(&recorder, NONE);
	before = count_fds(recorder.pid);
	start_liar(&liar[1]);
	hide_socket();
	start_service(&service, live);
	expect_adoption(&recorder, service.pid);
	expect_death(&recorder, &service);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(kill(liar[i].pid, SIGKILL), 0);
		reap(&liar[i]);
	}
	after = count_fds(recorder.pid);
	for (int i = 0; i < 600 && after > before; i++) {
		poll(NULL, 0, 100);
		after = count_fds(recorder.pid);
	}
	cr_assert_leq(after, before);
	cr_assert_eq(count_dumps(""), 1);
	show_socket();
	stop_recorder(&recorder);
}

/* ---- the control page of those who were adopted ---- */

static void ask_level(pid_t pid, const char *level)
{
	char command[2 * PATH_MAX];

	snprintf(command, sizeof(command), "%.*s/ttlog-ctl --socket %s level %d %s >/dev/null",
		 (int)(strrchr(recorder_program, '/') - recorder_program), recorder_program,
		 recorder_socket, (int)pid, level);
	cr_assert_eq(system(command), 0, "%s", command);
}

/* It looks at a map of the first recorder's, or at its own memory. */
static void check_level(bool had_recorder)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	if (had_recorder)
		start_recorder(&recorder, NONE);
	start_service(&service, record_in_two_halves);
	if (had_recorder)
		kill_recorder(&recorder);
	start_recorder(&recorder, NONE);
	ask_level(service.pid, "off");
	go_on(&service);
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	expect_killed(&recorder, line, sizeof(line), "the last words");
	unsigned int count = count_events(strrchr(line, ' ') + 1, "counted");
	cr_assert_eq(count, EVENTS / 2, "%u in %s", count, line);
	stop_recorder(&recorder);
}

Test(adopt, level_reaches_who_had_another_recorder)
{
	check_level(true);
}

Test(adopt, level_reaches_who_had_none)
{
	check_level(false);
}
