/* SPDX-License-Identifier: MIT */
/* doctor.c - tries and looks. What it finds is what recorder_open() would find. */
#include "recorder/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recorder/capability.h"
#include "recorder/log.h"
#include "recorder/pretend.h"
#include "recorder/watch.h"
#include "recorder/watch_check.h"

#define FDS_A_CLIENT 3
#define FDS_OF_OUR_OWN 64

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u /* Linux 6.3 */
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

static void __attribute__((format(printf, 5, 6)))
note(struct doctor *doctor, const char *name, enum doctor_result result, const char *advice,
     const char *format, ...)
{
	struct doctor_check *check;
	va_list arguments;

	if (doctor->count == DOCTOR_CHECKS_MAX)
		return;
	check = &doctor->check[doctor->count++];
	snprintf(check->name, sizeof(check->name), "%s", name);
	check->result = result;
	check->advice = result == DOCTOR_OK ? NULL : advice;
	va_start(arguments, format);
	vsnprintf(check->detail, sizeof(check->detail), format, arguments);
	va_end(arguments);
	log_clean(check->detail, LOG_CLEAN_LINE);
}

/* ---- the kernel and what it allows ------------------------------------------------------ */

static void check_kernel(struct doctor *doctor)
{
	struct utsname name;

	if (uname(&name))
		return;
	note(doctor, "kernel", DOCTOR_OK, NULL, "%s %s, %s", name.sysname, name.release,
	     name.machine);
}

static void check_capability(struct doctor *doctor, const char *name, int capability)
{
	const bool there = capability_have(capability);
	const bool implied = !there && capability_have_for_bpf(capability);

	note(doctor, name, there || implied ? DOCTOR_OK : DOCTOR_BAD,
	     "run as root, or: setcap cap_bpf,cap_perfmon+ep, or AmbientCapabilities= of the unit",
	     "%s",
	     there     ? ""
	     : implied ? "by CAP_SYS_ADMIN"
		       : "missing");
}

static void check_capabilities(struct doctor *doctor)
{
	const bool ptrace = capability_have(CAP_SYS_PTRACE);

	check_capability(doctor, "CAP_BPF", CAP_BPF);
	check_capability(doctor, "CAP_PERFMON", CAP_PERFMON);
	note(doctor, "CAP_SYS_PTRACE", ptrace ? DOCTOR_OK : DOCTOR_NOTE,
	     "without it dumps lack the executable's path of other users' processes", "%s",
	     ptrace ? "" : "missing");
}

/* In a child, as it is for ever. What it says, or nothing. */
static void try_confinement(const struct recorder_options *options, char text[CONFINE_TEXT_BYTES])
{
	struct confine_plan plan;
	ssize_t count = -1;
	int said[2];
	pid_t pid;

	text[0] = '\0';
	if (pipe2(said, O_CLOEXEC))
		return;
	pid = fork();
	if (!pid) {
		recorder_plan_confinement(&plan, options);
		if (!confine(&plan)) {
			confine_describe(text, CONFINE_TEXT_BYTES);
			count = write(said[1], text, strlen(text));
		}
		_exit(count <= 0);
	}
	close(said[1]);
	if (pid > 0) {
		count = read(said[0], text, CONFINE_TEXT_BYTES - 1);
		waitpid(pid, NULL, 0);
	}
	text[count > 0 ? count : 0] = '\0';
	close(said[0]);
}

static void check_confinement(struct doctor *doctor, const struct recorder_options *options)
{
	char text[CONFINE_TEXT_BYTES];

	if (options->without_confinement) {
		note(doctor, "confinement", DOCTOR_NOTE, "leave out --no-confine",
		     "it keeps all privileges");
		return;
	}
	try_confinement(options, text);
	note(doctor, "confinement", text[0] ? DOCTOR_OK : DOCTOR_BAD,
	     "--no-confine would keep all privileges", "%s",
	     text[0] ? text : "privileges can't be given up");
}

static void take_piece(void *context, const char *what, int err, const char *detail)
{
	/* Without this one the rung stays the same, see find_rung(). */
	const enum doctor_result bad = strstr(what, "mark_victim") ? DOCTOR_NOTE : DOCTOR_BAD;
	const bool verdict = (err == -EACCES || err == -EINVAL) && strstr(what, "program");
	const char *reason = verdict ? "the verifier refuses it" : strerror(-err);
	const char *advice = err == -EPERM ? "see the capabilities above"
			     : err == -EACCES || strstr(what, "program")
				     ? "--verbose says why"
				     : "Linux 5.15 has it, built with BPF and BTF";

	if (err && detail[0])
		note(context, what, bad, advice, "%s: %s", detail, reason);
	else
		note(context, what, err ? bad : DOCTOR_OK, advice, "%s", err ? reason : detail);
}

static void check_pidfd(struct doctor *doctor)
{
	socklen_t bytes = sizeof(int);
	int pair[2], peer = -1, fd = pidfd_open(getpid(), 0);

	note(doctor, "pidfd", fd < 0 ? DOCTOR_BAD : DOCTOR_OK, "Linux 5.3 has it", "%s",
	     fd < 0 ? strerror(errno) : "");
	if (fd >= 0)
		close(fd);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return;
	if (getsockopt(pair[0], SOL_SOCKET, SO_PEERPIDFD, &peer, &bytes))
		note(doctor, "pidfd of a peer", DOCTOR_OK, NULL,
		     "not before Linux 6.5: by its pid, while its socket is connected");
	else
		note(doctor, "pidfd of a peer", DOCTOR_OK, NULL, "SO_PEERPIDFD");
	if (peer >= 0)
		close(peer);
	close(pair[0]);
	close(pair[1]);
}

static long read_number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t count = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return count > 0 ? strtol(text, NULL, 10) : -1;
}

/* As lib/region.c makes it. */
static void check_memfd(struct doctor *doctor)
{
	const long noexec = read_number("/proc/sys/vm/memfd_noexec");
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("ttlog-doctor", flags | MFD_NOEXEC_SEAL);
	bool sealed;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("ttlog-doctor", flags);
	sealed = fd >= 0 && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	if (!sealed)
		note(doctor, "memfd", DOCTOR_BAD, "regions can't be made without it", "%s",
		     strerror(errno));
	else if (noexec < 0)
		note(doctor, "memfd", DOCTOR_OK, NULL, "can be sealed");
	else
		note(doctor, "memfd", DOCTOR_OK, NULL, "can be sealed; vm.memfd_noexec is %ld",
		     noexec);
	if (fd >= 0)
		close(fd);
}

/* ---- limits ----------------------------------------------------------------------------- */

static void check_files(struct doctor *doctor, uint32_t clients_max)
{
	struct rlimit limit;
	uint64_t room;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	room = limit.rlim_max < FDS_OF_OUR_OWN ? 0
					       : (limit.rlim_max - FDS_OF_OUR_OWN) / FDS_A_CLIENT;
	if (room >= clients_max)
		note(doctor, "RLIMIT_NOFILE", DOCTOR_OK, NULL, "room for %u clients", clients_max);
	else
		note(doctor, "RLIMIT_NOFILE", DOCTOR_NOTE,
		     "raise it (LimitNOFILE= of the unit), or lower --max-clients",
		     "%llu: room for %llu of %u clients", (unsigned long long)limit.rlim_max,
		     (unsigned long long)room, clients_max);
}

/* Before 5.11 what BPF takes was counted against it; that it isn't can't be asked for. */
static void check_memlock(struct doctor *doctor)
{
	int major = 0, minor = 0;
	struct utsname name;
	struct rlimit limit;

	if (uname(&name) || sscanf(name.release, "%d.%d", &major, &minor) != 2 ||
	    getrlimit(RLIMIT_MEMLOCK, &limit))
		return;
	if (major > 5 || (major == 5 && minor >= 11))
		note(doctor, "RLIMIT_MEMLOCK", DOCTOR_OK, NULL, "does not matter to this kernel");
	else
		note(doctor, "RLIMIT_MEMLOCK",
		     limit.rlim_max == RLIM_INFINITY || capability_have(CAP_SYS_RESOURCE)
			     ? DOCTOR_OK
			     : DOCTOR_BAD,
		     "LimitMEMLOCK=infinity, as this kernel counts BPF maps against it", "%s",
		     limit.rlim_max == RLIM_INFINITY ? "unlimited" : "limited");
}

/* ---- the socket and the folder ---------------------------------------------------------- */

/*
 * Can something be made in the folder of `path`, or be made with it where it is missing? 0 or a
 * negative errno; ret_missing: folders will have to be made.
 */
static int can_make(const char *path, bool *ret_missing)
{
	char folder[PATH_MAX];
	struct stat status;
	char *slash;

	*ret_missing = false;
	if (strlen(path) >= sizeof(folder))
		return -ENAMETOOLONG;
	strcpy(folder, path);
	for (;;) {
		slash = strrchr(folder, '/');
		if (!slash)
			strcpy(folder, ".");
		else
			slash[slash == folder] = '\0';
		if (!stat(folder, &status))
			break;
		if (errno != ENOENT || !slash || !strcmp(folder, "/"))
			return -errno;
		*ret_missing = true;
	}
	if (!S_ISDIR(status.st_mode))
		return -ENOTDIR;
	return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) ? -errno : 0;
}

/* 1: somebody listens there, 0: nobody does any more, or a negative errno. */
static int ask_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		err = -errno;
	close(fd);
	if (err == -ECONNREFUSED)
		return 0;
	return !err || err == -EAGAIN || err == -EPROTOTYPE ? 1 : err;
}

static void check_socket(struct doctor *doctor, const char *path)
{
	const struct sockaddr_un address;
	struct stat status;
	bool missing = false, there;
	int err;

	if (strlen(path) >= sizeof(address.sun_path)) {
		note(doctor, "socket", DOCTOR_BAD, "choose another --socket", "%s: too long", path);
		return;
	}
	there = !lstat(path, &status);
	err = can_make(path, &missing);
	if (there && !S_ISSOCK(status.st_mode))
		note(doctor, "socket", DOCTOR_BAD, "remove it, or choose another --socket",
		     "%s: exists and is not a socket", path);
	else if (there && ask_socket(path) == 1)
		note(doctor, "socket", DOCTOR_NOTE,
		     "one recorder is enough; a second one needs "
		     "another --socket",
		     "%s: a recorder is listening", path);
	else if (err)
		note(doctor, "socket", DOCTOR_BAD, "choose another --socket, or another user",
		     "%s: %s", path, strerror(-err));
	else
		note(doctor, "socket", DOCTOR_OK, NULL, "%s%s", path,
		     there     ? ": left by a recorder that is gone, will be replaced"
		     : missing ? ": its folder will be made"
			       : "");
}

static void check_space(struct doctor *doctor, const char *path, uint64_t region_bytes_max)
{
	struct statvfs space;
	uint64_t bytes;

	if (statvfs(path, &space))
		return;
	bytes = (uint64_t)space.f_bavail * space.f_frsize;
	note(doctor, "free space", bytes < region_bytes_max ? DOCTOR_NOTE : DOCTOR_OK,
	     "less than a region (--max-region): a dump may find no room", "%llu MiB",
	     (unsigned long long)(bytes >> 20));
}

static void check_folder(struct doctor *doctor, const struct recorder_options *options)
{
	const char *path = options->dir;
	struct stat status;
	bool missing = false;
	int err;

	if (stat(path, &status)) {
		err = errno == ENOENT ? can_make(path, &missing) : -errno;
		note(doctor, "folder of dumps", err ? DOCTOR_BAD : DOCTOR_OK,
		     "choose another --dir, or another user", "%s: %s", path,
		     err ? strerror(-err) : "will be made");
		return;
	}
	err = !S_ISDIR(status.st_mode)					  ? -ENOTDIR
	      : faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) ? -errno
									  : 0;
	note(doctor, "folder of dumps", err ? DOCTOR_BAD : DOCTOR_OK,
	     "choose another --dir, or another user", "%s%s%s", path, err ? ": " : "",
	     err ? strerror(-err) : "");
	if (!err)
		check_space(doctor, path, options->region_bytes_max);
}

/* ---- all of it -------------------------------------------------------------------------- */

static void ignore_event(void *context, const struct ttlog_bpf_event *event)
{
	(void)context, (void)event;
}

/* The rung stays where it is without them. */
static void note_parts(struct doctor *doctor, const struct watch *watch)
{
	static const char late[] = "libraries that were loaded late";

	doctor->besides[0] = watch_without(watch);
	if (doctor->besides[0])
		note(doctor, "parts of the BPF program", DOCTOR_NOTE, "--verbose says why",
		     "some are refused; lost: %s", doctor->besides[0]);
	if (watch_knows_walk(watch))
		return;
	doctor->besides[1] = late;
	note(doctor, "mappings at a death", DOCTOR_NOTE, "Linux 6.7 can",
	     "this kernel can't walk them; lost: %s", late);
}

static void find_rung(struct doctor *doctor, bool without_bpf)
{
	struct watch *watch = NULL;

	if (without_bpf)
		snprintf(doctor->why, sizeof(doctor->why), "--no-bpf");
	else if (watch_open(&watch, ignore_event, NULL, log_verbose, doctor->why,
			    sizeof(doctor->why)))
		watch = NULL;
	doctor->rung = recorder_rung_name(watch);
	if (watch)
		note_parts(doctor, watch);
	if (watch && !watch_freezes(watch))
		snprintf(doctor->why, sizeof(doctor->why), "no BPF maps that can be mapped");
	else if (watch)
		doctor->why[0] = '\0';
	watch_close(watch);
}

void doctor_examine(struct doctor *ret_doctor, const struct recorder_options *options)
{
	struct doctor *doctor = ret_doctor;

	*doctor = (struct doctor){0};
	check_kernel(doctor);
	check_capabilities(doctor);
	if (!options->without_bpf)
		watch_check(take_piece, doctor);
	check_pidfd(doctor);
	check_memfd(doctor);
	check_memlock(doctor);
	check_files(doctor, options->clients_max);
	check_confinement(doctor, options);
	check_socket(doctor, options->socket);
	check_folder(doctor, options);
	find_rung(doctor, options->without_bpf);
	doctor->healthy = !doctor->why[0];
	for (unsigned int i = 0; i < doctor->count; i++)
		doctor->healthy = doctor->healthy && doctor->check[i].result != DOCTOR_BAD;
}
