/* SPDX-License-Identifier: MIT */
/*
 * arm64_exec.c - linked into the programs of `make check-arm64`: what they execute is emulated too.
 *
 * Criterion starts each test as a process of its own, tests start the recorder, a shell starts the
 * viewer. Where the kernel has no binfmt_misc entry for arm64 (a container, a chroot, a machine
 * that is nobody's to configure) that is ENOEXEC. So what is a program for arm64 goes to the
 * emulator that TTLOG_QEMU names; everything else is executed as it is, by the machine itself.
 */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARGS_MAX 64
#define ARGS_OURS 7
#define COMMAND_MAX (8 * PATH_MAX)
#define EXPORTED __attribute__((visibility("default")))

/* As the environment says when it begins: what it executes may be given another one. */
static char emulator[PATH_MAX], prefix[PATH_MAX];

__attribute__((constructor)) static void remember(void)
{
	const char *program = getenv("TTLOG_QEMU"), *libraries = getenv("QEMU_LD_PREFIX");

	snprintf(emulator, sizeof(emulator), "%s", program ? program : "/usr/bin/qemu-aarch64");
	snprintf(prefix, sizeof(prefix), "%s", libraries ? libraries : "/usr/aarch64-linux-gnu");
}

static bool is_arm64(const char *path)
{
	Elf64_Ehdr header;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool is = fd >= 0 &&
		  syscall(SYS_read, fd, &header, sizeof(header)) == (long)sizeof(header) &&
		  memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_machine == EM_AARCH64;

	if (fd >= 0)
		syscall(SYS_close, fd);
	return is;
}

/*
 * A recorder gives up privileges while it has one thread, and the emulator has threads of its own.
 * Where among the arguments it is told to keep them; 0: nowhere.
 */
static int unconfined_at(const char *path, char *const argv[])
{
	const char *name = strrchr(path, '/');

	if (strcmp(name ? name + 1 : path, "ttlog-recorder") != 0)
		return 0;
	if (argv[1] && (strcmp(argv[1], "doctor") == 0 || strcmp(argv[1], "unwind") == 0))
		return 0;
	return argv[1] && strcmp(argv[1], "run") == 0 ? 2 : 1;
}

/* Between fork() and exec, perhaps of a process with threads: nothing is allocated. */
EXPORTED int execve(const char *path, char *const argv[], char *const envp[])
{
	char *emulated[ARGS_MAX + 1] = {emulator, "-L", prefix, "-0", argv[0]};
	char self[PATH_MAX];
	int count = ARGS_OURS - 2, unconfined;

	/* To the kernel that is the emulator itself. */
	if (strcmp(path, "/proc/self/exe") == 0) {
		ssize_t length = readlink(path, self, sizeof(self) - 1);

		if (length < 0)
			return -1;
		self[length] = '\0';
		path = self;
	}
	if (!argv[0] || !is_arm64(path) || syscall(SYS_faccessat, AT_FDCWD, path, X_OK) != 0)
		return (int)syscall(SYS_execve, path, argv, envp);
	emulated[count++] = (char *)(uintptr_t)path;
	unconfined = unconfined_at(path, argv);
	for (int i = 1; i == unconfined || argv[i]; i++) {
		if (i == unconfined)
			emulated[count++] = (char *)(uintptr_t) "--no-confine";
		if (!argv[i])
			break;
		if (count >= ARGS_MAX - 1) {
			errno = E2BIG;
			return -1;
		}
		emulated[count++] = argv[i];
	}
	return (int)syscall(SYS_execve, emulator, emulated, envp);
}

EXPORTED int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

EXPORTED int execl(const char *path, const char *first, ...)
{
	const char *argv[ARGS_MAX] = {first};
	va_list list;

	va_start(list, first);
	for (int i = 1; i < ARGS_MAX - 1 && argv[i - 1]; i++)
		argv[i] = va_arg(list, const char *);
	va_end(list);
	return execve(path, (char *const *)(uintptr_t)argv, environ);
}

EXPORTED int execvp(const char *file, char *const argv[])
{
	static int (*next)(const char *, char *const[]);

	if (strchr(file, '/'))
		return execve(file, argv, environ);
	/* None of ours is on the PATH. */
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "execvp");
	return next(file, argv);
}

/*
 * A word of a command, as it is; the path of a program for arm64, which may be the value of a
 * variable, with the emulator in front. As snprintf().
 */
static size_t put_word(const char *word, char *ret_text, size_t bytes)
{
	const char *value = strchr(word, '='), *path = value ? value + 1 : word;

	if (*path != '/' || !is_arm64(path))
		return (size_t)snprintf(ret_text, bytes, "%s", word);
	if (value)
		return (size_t)snprintf(ret_text, bytes, "%.*s'%s -L %s %s'", (int)(path - word),
					word, emulator, prefix, path);
	return (size_t)snprintf(ret_text, bytes, "%s -L %s %s", emulator, prefix, path);
}

/*
 * The shell is the machine's own, and can't start what is not: each word of the command that is not
 * between quotes. 0 or -1.
 */
static int emulate(const char *command, char *ret_command, size_t bytes)
{
	char word[COMMAND_MAX];
	size_t used = 0, blank, length;

	*ret_command = '\0';
	for (const char *at = command; *at; at += blank + length) {
		blank = strspn(at, " ");
		length = strcspn(at + blank, " ");
		snprintf(word, sizeof(word), "%.*s", (int)length, at + blank);
		used += (size_t)snprintf(ret_command + used, bytes - used, "%.*s", (int)blank, at);
		if (used < bytes)
			used += put_word(word, ret_command + used, bytes - used);
		if (used >= bytes) {
			errno = E2BIG;
			return -1;
		}
	}
	return 0;
}

EXPORTED int system(const char *command)
{
	static int (*next)(const char *);
	char emulated[COMMAND_MAX];

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "system");
	if (!command)
		return next(command);
	return emulate(command, emulated, sizeof(emulated)) ? -1 : next(emulated);
}

EXPORTED FILE *popen(const char *command, const char *mode)
{
	static FILE *(*next)(const char *, const char *);
	char emulated[COMMAND_MAX];

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "popen");
	return emulate(command, emulated, sizeof(emulated)) ? NULL : next(emulated, mode);
}
