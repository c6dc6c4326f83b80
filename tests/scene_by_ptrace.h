/* SPDX-License-Identifier: MIT */
/*
 * scene_by_ptrace.h - a real scene without a kernel program: a child is held at its fatal signal,
 * its registers, stack and mappings are copied, and then it is killed.
 */
#ifndef TESTS_SCENE_BY_PTRACE_H
#define TESTS_SCENE_BY_PTRACE_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "recorder/scene.h"

#define SLICE_BYTES (64U << 10)
#define PAGE_BYTES 4096

struct pages {
	uint64_t address[64];
	unsigned int count;
};

static int by_address(const void *a, const void *b)
{
	const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* Page by page: on an overflow the pointer is where nothing is mapped. */
static void want_stack(uint64_t sp, struct pages *pages)
{
	for (uint64_t i = 0; i < SLICE_BYTES / PAGE_BYTES; i++)
		pages->address[pages->count++] = ((sp - 128) & ~(uint64_t)(PAGE_BYTES - 1)) +
						 i * PAGE_BYTES;
}

static void copy_stacks(pid_t pid, struct pages *pages, struct scene_thread *thread)
{
	uint64_t last = 0;

	qsort(pages->address, pages->count, sizeof(pages->address[0]), by_address);
	thread->slices = calloc(pages->count, sizeof(thread->slices[0]));
	for (unsigned int i = 0; i < pages->count; i++) {
		const uint64_t at = pages->address[i];
		unsigned char bytes[PAGE_BYTES];
		struct iovec to = {bytes, PAGE_BYTES}, from = {(void *)at, PAGE_BYTES};
		struct scene_slice *slice;

		if (at == last || process_vm_readv(pid, &to, 1, &from, 1, 0) != PAGE_BYTES)
			continue;
		last = at;
		slice = thread->slice_count ? &thread->slices[thread->slice_count - 1] : NULL;
		if (!slice || slice->address + slice->bytes != at) {
			slice = &thread->slices[thread->slice_count++];
			*slice = (struct scene_slice){.address = at};
		}
		slice->data = realloc(slice->data, slice->bytes + PAGE_BYTES);
		memcpy(slice->data + slice->bytes, bytes, PAGE_BYTES);
		slice->bytes += PAGE_BYTES;
	}
}

static void copy_registers(pid_t pid, struct scene_thread *thread)
{
	struct user_regs_struct user;
	siginfo_t info;

	cr_assert_eq(ptrace(PTRACE_GETREGS, pid, NULL, &user), 0);
	cr_assert_eq(ptrace(PTRACE_GETSIGINFO, pid, NULL, &info), 0);
	const uint64_t by_number[] = {user.rax, user.rdx, user.rcx, user.rbx, user.rsi, user.rdi,
				      user.rbp, user.rsp, user.r8,  user.r9,  user.r10, user.r11,
				      user.r12, user.r13, user.r14, user.r15, user.rip};
	memcpy(thread->registers, by_number, sizeof(by_number));
	thread->register_count = 17;
	if (info.si_code > 0)
		thread->fault_address = (uint64_t)info.si_addr;
}

static void copy_modules(pid_t pid, struct scene *scene)
{
	char path[64], *line = NULL;
	size_t room = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	cr_assert(maps);
	scene->modules = calloc(SCENE_MODULES_MAX, sizeof(scene->modules[0]));
	while (getline(&line, &room, maps) > 0) {
		struct scene_module *module = &scene->modules[scene->module_count];
		char rights[8];
		int name = 0;

		*module = (struct scene_module){0};
		cr_assert_geq(sscanf(line,
				     "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %" SCNx32 ":%" SCNx32
				     " %" SCNu64 " %n",
				     &module->start, &module->end, rights, &module->offset,
				     &module->major, &module->minor, &module->inode, &name),
			      7);
		if (rights[2] != 'x' || strstr(line, "[vsyscall]"))
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (line[name])
			module->path = strdup(line + name);
		scene->module_count++;
	}
	free(line);
	fclose(maps);
}

/* Runs until it stops with a signal, which is returned. */
static int next_signal(pid_t pid, int pass_on)
{
	int status;

	cr_assert_eq(ptrace(PTRACE_CONT, pid, NULL, (void *)(intptr_t)pass_on), 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSTOPPED(status), "it ended without a fatal signal: status 0x%x", status);
	return WSTOPSIG(status);
}

static uint64_t stack_pointer(pid_t pid)
{
	struct user_regs_struct user;

	cr_assert_eq(ptrace(PTRACE_GETREGS, pid, NULL, &user), 0);
	return user.rsp;
}

static pid_t start_traced(char *const argv[])
{
	const pid_t pid = fork();
	int status;

	cr_assert_geq(pid, 0);
	if (!pid) {
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(99);
		execv(argv[0], argv);
		_exit(98);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSTOPPED(status), "%s could not be started", argv[0]);
	return pid;
}

/* A SIGUSR1 is let through: its handler is to run, and to die. */
static struct scene *scene_of(char *const argv[])
{
	struct scene *scene = calloc(1, sizeof(*scene));
	struct scene_thread *thread;
	struct pages pages = {0};
	pid_t pid = start_traced(argv);
	int signal = next_signal(pid, 0);

	*scene = (struct scene){.root_fd = -1, .uid = geteuid(), .gid = getegid()};
	scene->threads = thread = calloc(1, sizeof(*thread));
	scene->thread_count = 1;
	if (signal == SIGUSR1) {
		thread->interrupted_sp = stack_pointer(pid);
		want_stack(thread->interrupted_sp, &pages);
		signal = next_signal(pid, signal);
	}
	cr_assert(signal == SIGSEGV || signal == SIGABRT, "it got signal %d", signal);
	thread->tid = (uint32_t)pid;
	thread->is_fatal = true;
	copy_registers(pid, thread);
	copy_modules(pid, scene);
	want_stack(thread->registers[7], &pages);
	copy_stacks(pid, &pages, thread);
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	return scene;
}

static void scene_done(struct scene *scene)
{
	for (unsigned int i = 0; i < scene->module_count; i++)
		free(scene->modules[i].path);
	free(scene->modules);
	for (unsigned int i = 0; i < scene->thread_count; i++) {
		struct scene_thread *thread = &scene->threads[i];

		for (unsigned int j = 0; j < thread->slice_count; j++)
			free(thread->slices[j].data);
		free(thread->slices);
		for (unsigned int j = 0; j < thread->frame_count; j++) {
			free(thread->frames[j].symbol);
			free(thread->frames[j].function);
			free(thread->frames[j].file);
		}
		free(thread->frames);
		free(thread->unwind_note);
	}
	free(scene->threads);
	if (scene->root_fd >= 0)
		close(scene->root_fd);
	free(scene);
}

#endif
