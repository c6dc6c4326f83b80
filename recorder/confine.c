/* SPDX-License-Identifier: MIT */
/* confine.c - rights and limits; system calls are in confine_calls.c. */
#include "recorder/confine.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/capability.h"

/* A sanitizer has threads of its own, and traces itself in the end. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED 0
#endif

struct sets {
	uint64_t effective, permitted;
};

#define BIT(capability) (UINT64_C(1) << (capability))

/* Those that are ever kept. */
static const struct {
	int capability;
	const char *name;
} names[] = {
	{CAP_CHOWN, "CAP_CHOWN"},
	{CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"},
	{CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"},
	{CAP_KILL, "CAP_KILL"},
	{CAP_SETGID, "CAP_SETGID"},
	{CAP_SETUID, "CAP_SETUID"},
	{CAP_SYS_CHROOT, "CAP_SYS_CHROOT"},
	{CAP_SYS_PTRACE, "CAP_SYS_PTRACE"},
	{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
	{CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE"},
	{CAP_BPF, "CAP_BPF"},
};

void confine_add_folder(struct confine_plan *plan, int folder_fd)
{
	assert(plan->folder_count < CONFINE_FOLDERS_MAX);
	if (folder_fd >= 0)
		plan->folder_fds[plan->folder_count++] = folder_fd;
}

/* ---- capabilities ----------------------------------------------------------------------- */

static int get_sets(struct sets *ret_sets)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &head, data))
		return -errno;
	ret_sets->effective = (uint64_t)data[1].effective << 32 | data[0].effective;
	ret_sets->permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
	return 0;
}

/* What is inheritable goes. */
static int set_sets(const struct sets *sets)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{.effective = (uint32_t)sets->effective, .permitted = (uint32_t)sets->permitted},
		{.effective = (uint32_t)(sets->effective >> 32),
		 .permitted = (uint32_t)(sets->permitted >> 32)},
	};

	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

/*
 * What the daemon itself uses. Not CAP_PERFMON: it is for loading the kernel program, and that is
 * done.
 */
static uint64_t wanted(const struct confine_plan *plan)
{
	/*
	 * /proc/PID/exe, maps, root and cwd of other users' processes, and pidfd_getfd() of their
	 * regions. Build-ids of programs that lie in folders which are closed to others.
	 */
	uint64_t set = BIT(CAP_SYS_PTRACE) | BIT(CAP_DAC_READ_SEARCH);

	/*
	 * A region is handed over as a descriptor, and those in flight are counted by user: as root
	 * we share the count with whoever else is root, of a container too, and may leave it full.
	 * Where it is full we would hand over nothing.
	 */
	if (!geteuid())
		set |= BIT(CAP_SYS_RESOURCE);
	/* A map for the control page of each new client, and its task storage. */
	if (plan->watches)
		set |= BIT(CAP_BPF);
	/* Before Linux 5.8, and where it is all that a container was given. */
	if (plan->watches && !capability_have(CAP_BPF))
		set |= BIT(CAP_SYS_ADMIN);
	/* The unwinding child is somebody else by the time that its time is over. */
	if (plan->unwinds || plan->has_command)
		set |= BIT(CAP_KILL);
	if (plan->changes_owner)
		set |= BIT(CAP_CHOWN);
	return set;
}

/* What the unwinding child needs to become less than we are: no more than permitted here. */
static uint64_t wanted_by_children(const struct confine_plan *plan)
{
	return plan->unwinds ? BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_SYS_CHROOT) : 0;
}

static bool can_write(const struct confine_plan *plan)
{
	for (unsigned int i = 0; i < plan->folder_count; i++)
		if (faccessat(plan->folder_fds[i], ".", W_OK | X_OK, AT_EACCESS) && errno == EACCES)
			return false;
	return true;
}

static int choose(const struct confine_plan *plan, struct sets *ret_sets)
{
	struct sets sets;
	int err = get_sets(&sets);

	if (err)
		return err;
	sets.effective = sets.permitted & wanted(plan);
	err = set_sets(&sets);
	/* A folder of dumps in somebody's home, and whoever is root there by sudo. */
	if (!err && !can_write(plan))
		sets.effective |= sets.permitted & BIT(CAP_DAC_OVERRIDE);
	sets.permitted &= sets.effective | wanted_by_children(plan);
	*ret_sets = sets;
	return err;
}

/* Those that exec could give back to root. Without CAP_SETPCAP nobody is asked: no_new_privs holds.
 */
static void drop_bounding(uint64_t kept)
{
	for (int i = 0; i < 64 && prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
		if (!(kept & BIT(i)))
			prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

static int drop_rights(const struct confine_plan *plan)
{
	const struct sets setpcap = {.effective = BIT(CAP_SETPCAP)};
	struct sets all, sets;
	int err = get_sets(&all);

	if (!err)
		err = choose(plan, &sets);
	if (err)
		return err;
	all.effective = all.permitted & setpcap.effective;
	err = set_sets(&all);
	if (err)
		return err;
	drop_bounding(sets.permitted);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	err = set_sets(&sets);
	/* Its memory is that of all clients: nobody of the same user is to look into it. */
	if (!err && !SANITIZED && (sets.permitted || !geteuid()) &&
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		err = -errno;
	return err;
}

/* ---- limits ----------------------------------------------------------------------------- */

/*
 * A core would be the memory of all clients. Other limits would be met in the wrong place.
 * RLIMIT_NPROC counts all processes of the user: our work would depend on strangers. RLIMIT_AS
 * would refuse a dump, where quotas refuse a client. RLIMIT_NOFILE is what descriptors in flight
 * are measured by, of all processes of the user together: who has less than others hands over
 * nothing when they have used theirs up.
 */
static int lower_limits(void)
{
	const struct rlimit none = {0};

	return setrlimit(RLIMIT_CORE, &none) ? -errno : 0;
}

/* ---- all of it -------------------------------------------------------------------------- */

static bool is_alone(void)
{
	unsigned int count = 0;
	DIR *tasks = opendir("/proc/self/task");

	/* Where there is no /proc there are no clients' facts either. */
	if (!tasks)
		return true;
	for (const struct dirent *entry; (entry = readdir(tasks));)
		count += entry->d_name[0] != '.';
	closedir(tasks);
	return count <= 1;
}

int confine(const struct confine_plan *plan)
{
	int err;

	if (!SANITIZED && !is_alone())
		return -EBUSY;
	err = lower_limits();
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	if (!err)
		err = drop_rights(plan);
	if (!err && !SANITIZED)
		err = confine_calls(plan->debuginfod);
	return err == -ENOSYS ? 0 : err;
}

void confine_describe(char *ret_text, size_t bytes)
{
	const char *before = "holds ";
	struct sets sets = {0};
	size_t used = 0;

	get_sets(&sets);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && used < bytes; i++) {
		if (!(sets.permitted & BIT(names[i].capability)))
			continue;
		used += (size_t)snprintf(ret_text + used, bytes - used, "%s%s", before,
					 names[i].name);
		before = ", ";
	}
	if (used < bytes)
		snprintf(ret_text + used, bytes - used, "%s; %s; %s",
			 sets.permitted ? "" : "no capabilities",
			 prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? "no new privileges"
								     : "new privileges by exec",
			 prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2 ? "a filter for system calls"
								: "all system calls");
}
