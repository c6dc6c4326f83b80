/* SPDX-License-Identifier: MIT */
/* The words of --group, and the sets whose pause goes on. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "recorder/group_sets.h"

static struct groups *groups;

static void begin(void)
{
	cr_assert_eq(groups_open(&groups), 0);
}

static void end(void)
{
	groups_close(groups);
}

TestSuite(group_sets, .init = begin, .fini = end, .timeout = 120);

static void add_set(uid_t uid, const char *group, uint64_t now_ms)
{
	char name[TTLOG_GROUP_BYTES], cgroup[32] = "/somewhere";
	const struct group_self origin = {.uid = uid, .group = name, .cgroup = cgroup};
	const struct dump_set set = {.by = "declared"};

	snprintf(name, sizeof(name), "%s", group);
	cr_assert_eq(group_sets_add(groups, &origin, &set, now_ms), 0);
	/* What it was told of is not kept. */
	name[0] = cgroup[0] = '?';
}

Test(group_sets, words_are_one_or_more_or_off)
{
	unsigned int by = 99;

	cr_expect_eq(group_parse("off", &by), 0);
	cr_expect_eq(by, 0);
	cr_expect_eq(group_parse("declared", &by), 0);
	cr_expect_eq(by, GROUP_DECLARED);
	cr_expect_eq(group_parse("family,cgroup,declared", &by), 0);
	cr_expect_eq(by, GROUP_DECLARED | GROUP_CGROUP | GROUP_FAMILY);
	cr_expect_eq(group_parse("", &by), -EINVAL);
	cr_expect_eq(group_parse("declared,", &by), -EINVAL);
	cr_expect_eq(group_parse("declared,off", &by), -EINVAL);
	cr_expect_eq(group_parse(",family", &by), -EINVAL);
	cr_expect_eq(group_parse("famil", &by), -EINVAL);
	cr_expect_eq(group_parse("family cgroup", &by), -EINVAL);
}

Test(group_sets, are_forgotten_when_their_pause_is_over)
{
	add_set(1, "a", 0);
	add_set(1, "b", 30000);
	add_set(1, "c", 40000);
	group_sets_expire(groups, 59999, 60000);
	cr_assert_eq(groups->count, 3);
	group_sets_expire(groups, 60000, 60000);
	cr_assert_eq(groups->count, 2);
	cr_assert_str_eq(groups->set[0].origin.group, "b");
	cr_assert_str_eq(groups->set[0].origin.cgroup, "/somewhere");
	cr_assert_str_eq(groups->set[1].origin.group, "c");
	/* Who dies soon after can join, however short the pause is. */
	group_sets_expire(groups, 40000 + GROUP_JOIN_MS - 1, 1000);
	cr_assert_eq(groups->count, 1);
	cr_assert_str_eq(groups->set[0].origin.group, "c");
	group_sets_expire(groups, 40000 + GROUP_JOIN_MS, 1000);
	cr_assert_eq(groups->count, 0);
}

Test(group_sets, are_bounded_for_each_user_and_in_all)
{
	for (int i = 0; i < GROUP_SETS_MAX_PER_UID; i++) {
		cr_assert(group_sets_have_room(groups, 1));
		add_set(1, "loud", 0);
	}
	cr_assert_not(group_sets_have_room(groups, 1));
	cr_assert(group_sets_have_room(groups, 2), "the others have theirs");
	for (uid_t uid = 2; groups->count < GROUP_SETS_MAX; uid++)
		for (int i = 0; i < GROUP_SETS_MAX_PER_UID; i++)
			add_set(uid, "loud", 0);
	cr_assert_not(group_sets_have_room(groups, 99));
}
