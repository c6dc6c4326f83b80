/* SPDX-License-Identifier: MIT */
/* One death, and a dump of each who worked with who died: one set, one clock, one timeline. */
#include <inttypes.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "recorder/group.h"
#include "tests/service_process.h"

TestSuite(group, .init = recorder_prepare, .fini = recorder_clean, .timeout = 300);

#define POISON 51
#define TEXT_BYTES (1 << 20)

/* ---- services --------------------------------------------------------------------------- */

struct member {
	pid_t pid;
	int said; /* it has recorded; and ends with it */
};

struct life {
	const char *service, *group;
	uid_t uid;
	void (*work)(const struct life *life);
	int listen_fd, to_fd;
};

static void join(const char *service, const char *group)
{
	const struct ttlog_options options = {
		.size = sizeof(options), .service = service, .group = group};

	if (ttlog_init_with(&options))
		_exit(98);
	ttlog_info("Joined", "pid", (int)getpid());
}

static void wait_to_be_killed(const struct life *life)
{
	(void)life;
	ready();
	for (;;)
		pause();
}

static struct member start_member(const struct life *life)
{
	struct member member;
	int said[2];
	char byte;

	cr_assert_eq(pipe2(said, O_CLOEXEC), 0);
	member.pid = fork_child();
	if (!member.pid) {
		ready_fd = said[1];
		if (life->uid && (setregid(life->uid, life->uid) || setreuid(life->uid, life->uid)))
			_exit(96);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		join(life->service, life->group);
		life->work(life);
		_exit(97);
	}
	close(said[1]);
	member.said = said[0];
	cr_assert_eq(read(member.said, &byte, 1), 1, "%s did not get that far", life->service);
	return member;
}

static struct member start_simple(const char *service, const char *group)
{
	return start_member(
		&(struct life){.service = service, .group = group, .work = wait_to_be_killed});
}

static void end_member(struct member *member)
{
	kill(member->pid, SIGKILL);
	cr_assert_eq(waitpid(member->pid, NULL, 0), member->pid);
	close(member->said);
}

/* ---- what was written ------------------------------------------------------------------- */

struct written {
	const char *service;
	bool alive; /* a copy of it is meant */
	char path[PATH_MAX];
};

/* A dump of each, whatever else is written, too. */
static void expect_dumps(struct recorder_process *recorder, struct written *written, int count)
{
	char line[LINE_BYTES], who[64];

	for (int left = count; left;) {
		expect_line(recorder, ".bin", line, sizeof(line));
		for (int i = 0; i < count; i++) {
			snprintf(who, sizeof(who), ": %s (pid ", written[i].service);
			if (written[i].path[0] || !strstr(line, who) || !strstr(line, ": /") ||
			    !strstr(line, ": a snapshot: it works with ") != !written[i].alive)
				continue;
			strcpy(written[i].path, strrchr(line, ' ') + 1);
			left--;
		}
	}
}

static const char *run_viewer(const char *arguments)
{
	static char text[TEXT_BYTES];
	char command[2 * PATH_MAX + 128];
	size_t bytes = 0, count;
	FILE *file;

	snprintf(command, sizeof(command), "%.*s/ttlog-view %s",
		 (int)(strrchr(recorder_program, '/') - recorder_program), recorder_program,
		 arguments);
	file = popen(command, "r");
	cr_assert(file);
	while ((count = fread(text + bytes, 1, sizeof(text) - 1 - bytes, file)) > 0)
		bytes += count;
	text[bytes] = '\0';
	cr_assert_eq(pclose(file), 0, "%s", command);
	return text;
}

static const char *view(const char *options, const char *path)
{
	char arguments[PATH_MAX + 64];

	snprintf(arguments, sizeof(arguments), "%s %s", options, path);
	return run_viewer(arguments);
}

/* In the JSON of a dump's --info; "" if it is not there. */
static void read_info(const char *path, const char *key, char *ret_value, size_t bytes)
{
	const char *at = strstr(view("--info -o json", path), key);
	size_t length = 0;

	ret_value[0] = '\0';
	if (!at)
		return;
	at += strlen(key);
	at += *at == '"';
	length = strcspn(at, "\",}");
	cr_assert_lt(length, bytes);
	memcpy(ret_value, at, length);
	ret_value[length] = '\0';
}

static void expect_info(const char *path, const char *key, const char *value)
{
	char is[256];

	read_info(path, key, is, sizeof(is));
	cr_assert_str_eq(is, value, "%s %s: '%s'", path, key, is);
}

/* All are of one set, whose name is returned. */
static const char *check_set(const struct written *written, int count)
{
	static char set[256];
	char other[256];

	read_info(written[0].path, "\"set\":", set, sizeof(set));
	cr_assert_neq(set[0], '\0', "%s is of no set", written[0].path);
	for (int i = 1; i < count; i++) {
		read_info(written[i].path, "\"set\":", other, sizeof(other));
		cr_assert_str_eq(other, set);
	}
	return set;
}

/* ---- poison, over TCP ------------------------------------------------------------------- */

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

Test(group, a_poisoned_message_is_followed_through_three_processes_to_the_crash)
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

/* ---- who is copied, and who is not ------------------------------------------------------ */

static unsigned int count_lines(const char *text, const char *words)
{
	unsigned int count = 0;

	for (const char *at = text; (at = strstr(at, words)); at++)
		count++;
	return count;
}

/* Of all dumps so far: how many there are, and how many of them are of that set. */
static unsigned int count_of_set(const char *set, unsigned int *ret_of_set)
{
	char all[128], words[300];
	const char *text;

	snprintf(all, sizeof(all), "%s/*.bin", recorder_dumps);
	snprintf(words, sizeof(words), "\"set\":\"%s\"", set);
	text = view("--info -o json", all);
	*ret_of_set = count_lines(text, words);
	return count_lines(text, "\n");
}

Test(group, two_that_die_at_once_make_one_set)
{
	struct written written[] = {
		{.service = "a"}, {.service = "b"}, {.service = "c", .alive = true}};
	struct recorder_process recorder;
	struct member a, b, c;
	unsigned int count, of_set;
	const char *set, *text;

	start_recorder(&recorder, NONE);
	a = start_simple("a", "twins");
	b = start_simple("b", "twins");
	c = start_simple("c", "twins");
	kill(a.pid, SIGKILL);
	kill(b.pid, SIGKILL);
	expect_dumps(&recorder, written, 3);
	set = check_set(written, 3);
	/* The second may have been copied in its last moment; nobody is copied twice. */
	count = count_of_set(set, &of_set);
	cr_assert_eq(of_set, count);
	cr_assert(count == 3 || count == 4, "%u", count);
	cr_assert_leq(count_dumps("-group-"), 2);
	text = view("--group -o json", written[2].path);
	cr_assert_eq(count_lines(text, "\"msg\":\"Joined\""), 3, "each process once: %s", text);
	/* Who dies soon after is of it, too, and makes none. */
	end_member(&c);
	written[0] = (struct written){.service = "c"};
	expect_dumps(&recorder, written, 1);
	expect_info(written[0].path, "\"set\":", set);
	expect_info(written[0].path, "\"role\":", "died");
	text = view("--group -o json", written[2].path);
	cr_assert_eq(count_lines(text, "\"msg\":\"Joined\""), 3, "each process once: %s", text);
	end_member(&a);
	end_member(&b);
	stop_recorder(&recorder);
}

static void wait_until_dead(pid_t pid)
{
	siginfo_t info;

	cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

/* The recorder hears of both at once: neither is alive when it comes to copy. */
Test(group, who_is_dead_already_is_not_copied)
{
	struct written written[] = {{.service = "a"}, {.service = "b"}, {.service = "c", .alive = true}};
	struct recorder_process recorder;
	struct member a, b, c;
	unsigned int of_set;
	int status;

	start_recorder(&recorder, NONE);
	a = start_simple("a", "twins");
	b = start_simple("b", "twins");
	c = start_simple("c", "twins");
	kill(recorder.pid, SIGSTOP);
	cr_assert_eq(waitpid(recorder.pid, &status, WUNTRACED), recorder.pid);
	cr_assert(WIFSTOPPED(status));
	kill(a.pid, SIGKILL);
	kill(b.pid, SIGKILL);
	wait_until_dead(a.pid);
	wait_until_dead(b.pid);
	kill(recorder.pid, SIGCONT);
	expect_dumps(&recorder, written, 3);
	cr_assert_eq(count_of_set(check_set(written, 3), &of_set), 3);
	cr_assert_eq(of_set, 3);
	end_member(&a);
	end_member(&b);
	end_member(&c);
	stop_recorder(&recorder);
}

/* Who else is copied when one of them dies, by a recorder with these options. */
static unsigned int copies_after(const char *const *options, const struct life *lives, int count,
				 struct written *ret_first)
{
	struct recorder_process recorder;
	struct member members[8];
	unsigned int copies;

	start_recorder(&recorder, options);
	for (int i = 0; i < count; i++)
		members[i] = start_member(&lives[i]);
	kill(members[0].pid, SIGKILL);
	*ret_first = (struct written){.service = lives[0].service};
	expect_dumps(&recorder, ret_first, 1);
	/* It ends when all that is ordered is written. */
	cr_assert_eq(kill(recorder.pid, SIGTERM), 0);
	cr_assert_eq(end_status(&recorder), 0);
	close(recorder.stderr_fd);
	copies = count_dumps("-group-");
	for (int i = 0; i < count; i++)
		end_member(&members[i]);
	return copies;
}

#define SIMPLE(name, its_group)                                                                    \
	{                                                                                          \
		.service = name, .group = its_group, .work = wait_to_be_killed                     \
	}

Test(group, without_a_name_nobody_is_copied)
{
	const struct life lives[] = {SIMPLE("a", NULL), SIMPLE("b", NULL), SIMPLE("c", "other")};
	struct written first;

	cr_assert_eq(copies_after(NONE, lives, 3, &first), 0);
	expect_info(first.path, "\"set\":", "");
}

Test(group, another_groups_members_are_left_alone)
{
	const struct life lives[] = {SIMPLE("a", "shop"), SIMPLE("b", "bank"), SIMPLE("c", "shop")};
	struct written first;

	cr_assert_eq(copies_after(NONE, lives, 3, &first), 1);
	expect_info(first.path, "\"copied\":", "1");
}

Test(group, off_is_off)
{
	const struct life lives[] = {SIMPLE("a", "shop"), SIMPLE("b", "shop")};
	struct written first;

	cr_assert_eq(copies_after((const char *[]){"--group=off", NULL}, lives, 2, &first), 0);
}

static const struct life of_two_users[] = {
	{.service = "a", .group = "shop", .work = wait_to_be_killed, .uid = 65534},
	SIMPLE("b", "shop"),
};

Test(group, a_name_is_a_claim_and_counts_among_one_users_processes)
{
	struct written first;

	if (geteuid())
		cr_skip("needs root");
	cr_assert_eq(copies_after(NONE, of_two_users, 2, &first), 0);
}

Test(group, may_have_members_of_several_users_if_it_is_said_so)
{
	struct written first;

	if (geteuid())
		cr_skip("needs root");
	cr_assert_eq(copies_after((const char *[]){"--group-users", NULL}, of_two_users, 2, &first),
		     1);
}

Test(group, is_bounded_in_members)
{
	const struct life lives[] = {SIMPLE("a", "shop"), SIMPLE("b", "shop"), SIMPLE("c", "shop"),
				     SIMPLE("d", "shop")};
	struct written first;

	cr_assert_eq(copies_after((const char *[]){"--group-members=2", NULL}, lives, 4, &first),
		     2);
	expect_info(first.path, "\"copied\":", "2");
	expect_info(first.path, "\"left_out\":", "1");
}

Test(group, is_bounded_in_bytes)
{
	const struct life lives[] = {SIMPLE("a", "shop"), SIMPLE("b", "shop"), SIMPLE("c", "shop")};
	struct written first;

	cr_assert_eq(copies_after((const char *[]){"--group-bytes=20M", NULL}, lives, 3, &first),
		     1);
	expect_info(first.path, "\"left_out\":", "1");
}

/* A counter in the file that the recorder keeps; 0: not there yet. */
static uint64_t metric(const char *path, const char *name)
{
	uint64_t number = 0;
	char line[LINE_BYTES];
	FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ' ')
			number = strtoull(line + strlen(name), NULL, 10);
	if (file)
		fclose(file);
	return number;
}

static void expect_metric(const char *path, const char *name, uint64_t wanted)
{
	uint64_t number = metric(path, name);

	for (int i = 0; number != wanted && i < RECORDER_WAIT_MS / 10; i++) {
		poll(NULL, 0, 10);
		number = metric(path, name);
	}
	cr_expect_eq(number, wanted, "%s is %" PRIu64, name, number);
}

/* Of one user, with a new group for each: those whose pause goes on. The next is counted, and dumped alone. */
Test(group, sets_are_bounded_for_a_user_and_what_is_shed_is_counted)
{
	struct recorder_process recorder;
	char metrics[128], option[160], service[16], group[16];

	snprintf(metrics, sizeof(metrics), "%s/ttlog.prom", recorder_folder);
	snprintf(option, sizeof(option), "--metrics-file=%s", metrics);
	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	start_recorder(&recorder, (const char *[]){"--group-pause=1h", option, "--metrics-interval=1",
						 NULL});
	for (int i = 0; i <= GROUP_SETS_MAX_PER_UID; i++) {
		struct member first, second;
		struct written written = {.service = service};

		snprintf(service, sizeof(service), "first%d", i);
		snprintf(group, sizeof(group), "group%d", i);
		first = start_simple(service, group);
		second = start_simple("second", group);
		end_member(&first);
		expect_dumps(&recorder, &written, 1);
		end_member(&second);
	}
	expect_metric(metrics, "ttlog_group_sets_shed_total", 1);
	expect_metric(metrics, "ttlog_group_sets_total", GROUP_SETS_MAX_PER_UID);
	/* It ends when all that is ordered is written. */
	cr_assert_eq(kill(recorder.pid, SIGTERM), 0);
	cr_assert_eq(end_status(&recorder), 0);
	close(recorder.stderr_fd);
	cr_expect_eq(count_dumps("-group-"), GROUP_SETS_MAX_PER_UID);
}

static void be_parent(const struct life *life)
{
	const pid_t pid = fork();

	(void)life;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		join("child", NULL);
		ready();
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, NULL, 0);
	for (;;)
		pause();
}

Test(group, a_parent_is_copied_when_its_child_dies)
{
	const struct life life = {.service = "parent", .work = be_parent};
	struct written written[] = {{.service = "child"}, {.service = "parent", .alive = true}};
	struct recorder_process recorder;
	struct member parent;

	start_recorder(&recorder, (const char *[]){"--group=declared,family", NULL});
	parent = start_member(&life);
	expect_dumps(&recorder, written, 2);
	check_set(written, 2);
	expect_info(written[0].path, "\"by\":", "family");
	end_member(&parent);
	stop_recorder(&recorder);
}

Test(group, who_shares_a_cgroup_is_copied_but_at_the_root)
{
	const struct life lives[] = {SIMPLE("a", NULL), SIMPLE("b", NULL)};
	struct written first;
	unsigned int copies =
		copies_after((const char *[]){"--group=cgroup", NULL}, lives, 2, &first);
	char cgroup[256];

	read_info(first.path, "\"cgroup\":", cgroup, sizeof(cgroup));
	cr_assert_eq(copies, strlen(cgroup) > 1, "cgroup '%s'", cgroup);
	if (copies)
		expect_info(first.path, "\"by\":", "cgroup");
}

Test(group, who_was_adopted_is_a_member_too)
{
	struct written written[] = {{.service = "b"}, {.service = "a", .alive = true}};
	struct recorder_process recorder;
	struct member a, b;

	a = start_simple("a", "shop");
	start_recorder(&recorder, NONE);
	b = start_simple("b", "shop");
	kill(b.pid, SIGKILL);
	expect_dumps(&recorder, written, 2);
	check_set(written, 2);
	end_member(&a);
	end_member(&b);
	stop_recorder(&recorder);
}
