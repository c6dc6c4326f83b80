/* SPDX-License-Identifier: MIT */
/* test_quota.c - shares of users: who has one, what it bounds, and that nothing is forgotten. */
#include <criterion/criterion.h>
#include <errno.h>
#include <unistd.h>

#include "recorder/quota.h"

#define SOMEBODY 4711

static struct quota quota;

static void open_quota(uint32_t clients_per_uid, uint64_t bytes_per_uid)
{
	quota_init(&quota, &(struct quota_limits){
				   .clients_max = 10,
				   .bytes_max = 1000,
				   .clients_max_per_uid = clients_per_uid,
				   .bytes_max_per_uid = bytes_per_uid,
			   });
}

static unsigned int connections(struct quota_user *user)
{
	unsigned int count = 0;

	while (count < 100 && !quota_connect(user))
		count++;
	return count;
}

static void disconnect(struct quota_user *user, unsigned int count)
{
	while (count--)
		quota_disconnect(user);
}

Test(quota, is_half_for_a_stranger_and_all_for_root)
{
	struct quota_user *stranger, *root;
	unsigned int count;

	open_quota(0, 0);
	stranger = quota_get(&quota, SOMEBODY);
	root = quota_get(&quota, 0);
	count = connections(stranger);
	cr_expect_eq(count, 5, "%u", count);
	cr_expect_eq(quota_connect(stranger), -EDQUOT);
	cr_expect_eq(quota_take(stranger, 501), -EDQUOT);
	cr_expect_eq(quota_take(stranger, 500), 0);
	cr_expect_eq(quota_take(stranger, 1), -EDQUOT);
	/* The table is clients.c's to watch over. */
	cr_expect_eq(quota_connect(root), 0);
	cr_expect_eq(quota_take(root, 501), -ENOSPC);
	cr_expect_eq(quota_take(root, 500), 0);
	cr_expect_eq(quota_take(root, 1), -ENOSPC);
	quota_give(stranger, 500);
	quota_give(root, 500);
	cr_expect_eq(quota_take(root, 1000), 0);
	cr_expect_eq(quota_take(root, UINT64_MAX), -ENOSPC);
	quota_give(root, 1000);
	disconnect(stranger, count);
	disconnect(root, 1);
	quota_put(root);
	quota_put(stranger);
	cr_expect_null(quota.users);
	cr_expect_eq(quota.bytes, 0);
}

Test(quota, that_was_given_holds_for_everybody)
{
	const uid_t uids[] = {SOMEBODY, 0, geteuid()};

	open_quota(3, 100);
	for (size_t i = 0; i < sizeof(uids) / sizeof(uids[0]); i++) {
		struct quota_user *user = quota_get(&quota, uids[i]);

		cr_expect_eq(connections(user), 3);
		cr_expect_eq(quota_take(user, 101), -EDQUOT);
		cr_expect_eq(quota_take(user, 100), 0);
		disconnect(user, 1);
		cr_expect_eq(quota_connect(user), 0);
		disconnect(user, 3);
		quota_give(user, 100);
		quota_put(user);
	}
	cr_expect_null(quota.users);
}

Test(quota, larger_than_everything_bounds_nothing_more)
{
	struct quota_user *user;

	open_quota(UINT32_MAX, UINT64_MAX);
	user = quota_get(&quota, SOMEBODY);
	cr_expect_eq(quota_take(user, UINT64_MAX), -ENOSPC);
	cr_expect_eq(quota_take(user, 1000), 0);
	cr_expect_eq(quota_take(user, UINT64_MAX - 999), -ENOSPC);
	/* A signal may bring smaller ones. */
	quota.limits.bytes_max = 500;
	cr_expect_eq(quota_take(user, 1), -ENOSPC);
	quota.limits = (struct quota_limits){.bytes_max = 2000, .bytes_max_per_uid = 500};
	cr_expect_eq(quota_take(user, 1), -EDQUOT);
	quota_give(user, 1000);
	quota_put(user);
}

/* A dump that is being written holds its user when all of its clients are gone. */
Test(quota, is_counted_as_long_as_somebody_holds_it)
{
	struct quota_user *user, *held;

	open_quota(0, 0);
	for (uid_t uid = 1; uid <= 3; uid++)
		(void)quota_get(&quota, SOMEBODY + uid);
	user = quota_get(&quota, SOMEBODY);
	held = quota_hold(user);
	cr_expect_eq(held, user);
	cr_expect_eq(quota_take(user, 500), 0);
	quota_put(user);
	cr_expect_eq(quota_get(&quota, SOMEBODY), held, "the same one");
	cr_expect_eq(quota_take(held, 1), -EDQUOT);
	quota_give(held, 500);
	quota_put(held);
	quota_put(held);
	for (uid_t uid = 1; uid <= 3; uid++) {
		user = quota_get(&quota, SOMEBODY + uid);
		quota_put(user);
		quota_put(user);
	}
	cr_expect_null(quota.users);
	quota_put(NULL);
}
