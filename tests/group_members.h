/* SPDX-License-Identifier: MIT */
/* group_members.h - for the tests of group.c: services that work together, and what is written of them. */
#ifndef TESTS_GROUP_MEMBERS_H
#define TESTS_GROUP_MEMBERS_H

#include "tests/service_process.h"

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

static __attribute__((unused)) struct member start_simple(const char *service, const char *group)
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

#endif
