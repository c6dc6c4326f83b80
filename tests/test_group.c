/* SPDX-License-Identifier: MIT */
/*
 * One death, and a dump of each who worked with who died: who is copied, and who is not. One clock and
 * one timeline: test_group_poison.c.
 */
#include <inttypes.h>
#include <time.h>

#include "recorder/group.h"
#include "tests/group_members.h"

TestSuite(group, .init = recorder_prepare, .fini = recorder_clean, .timeout = 300);

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

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

Test(group, two_that_die_at_once_make_one_set)
{
	struct written written[] = {
		{.service = "a"}, {.service = "b"}, {.service = "c", .alive = true}};
	struct recorder_process recorder;
	struct member a, b, c;
	struct written last = {.service = "c"};
	unsigned int count, of_set;
	const char *set, *text;
	int64_t began_ms;
	bool was_soon;

	start_recorder(&recorder, NONE);
	a = start_simple("a", "twins");
	b = start_simple("b", "twins");
	c = start_simple("c", "twins");
	began_ms = now_ms();
	kill(a.pid, SIGKILL);
	kill(b.pid, SIGKILL);
	expect_dumps(&recorder, written, 3);
	/* Who dies soon after is of it, too, and makes none. */
	end_member(&c);
	expect_dumps(&recorder, &last, 1);
	was_soon = now_ms() - began_ms < GROUP_JOIN_MS;
	set = check_set(written, 3);
	count = count_of_set(set, &of_set);
	if (was_soon) {
		cr_assert_eq(of_set, count);
		expect_info(last.path, "\"set\":", set);
		expect_info(last.path, "\"role\":", "died");
	}
	/* The second may have been copied in its last moment; nobody is copied twice. */
	cr_assert(count == 4 || count == 5, "%u", count);
	cr_assert_leq(count_dumps("-group-"), 2);
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
