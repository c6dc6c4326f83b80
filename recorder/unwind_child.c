/* SPDX-License-Identifier: MIT */
/*
 * unwind_child.c - the child that unwinds: gives up what it may, reads the scene, answers, ends.
 *
 * The thread that died first is answered for completely before any other is begun.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/unwind.h"
#include "recorder/unwind_parts.h"
#include "recorder/unwind_wire.h"

/* program, command, uid, gid, seconds, root, debuginfod, redo; and then folders */
#define ARGUMENTS 8

static int parse_number(const char *text, uint32_t *ret_number)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || end == text || *end || number > UINT32_MAX)
		return -EINVAL;
	*ret_number = (uint32_t)number;
	return 0;
}

static int parse_arguments(int argc, char **argv, struct unwind_jail *jail,
			   struct unwind_files *files)
{
	uint32_t root, debuginfod, redo;

	if (argc < ARGUMENTS || argc > ARGUMENTS + UNWIND_FOLDERS_MAX)
		return -EINVAL;

	if (parse_number(argv[2], &jail->uid) || parse_number(argv[3], &jail->gid) ||
	    parse_number(argv[4], &jail->seconds) || parse_number(argv[5], &root) ||
	    parse_number(argv[6], &debuginfod) || parse_number(argv[7], &redo))
		return -EINVAL;
	jail->has_root = root;
	jail->debuginfod = debuginfod;
	jail->dies_with_parent = redo;
	files->is_redo = redo;
	files->folders = argv + ARGUMENTS;
	files->folder_count = (unsigned int)(argc - ARGUMENTS);
	return 0;
}

static int read_request(struct scene *scene)
{
	struct stat status;
	void *data;
	int err;

	if (fstat(STDIN_FILENO, &status) || status.st_size <= 0)
		return -EBADMSG;
	data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
	if (data == MAP_FAILED)
		return -errno;
	err = unwind_request_read(data, (size_t)status.st_size, scene);
	munmap(data, (size_t)status.st_size);
	return err;
}

static int say(struct pack *pack)
{
	int err = pack->error;
	size_t done = 0;

	while (!err && done < pack->bytes) {
		const ssize_t written = write(STDOUT_FILENO, pack->data + done, pack->bytes - done);

		if (written > 0)
			done += (size_t)written;
		else if (errno != EINTR)
			err = -errno;
	}
	pack_fini(pack);
	return err;
}

static int answer(const struct scene *scene, unsigned int index, enum unwind_stage stage)
{
	struct pack pack;
	int err;

	err = pack_init(&pack, 1U << 16, UNWIND_ANSWER_MAX);
	if (err)
		return err;
	unwind_answer_pack(&pack, index, stage, &scene->threads[index]);
	return say(&pack);
}

/* What names took into account, too: last of all. */
static int answer_files(struct unwind_modules *modules, struct scene *scene)
{
	struct pack pack;
	int err;

	err = pack_init(&pack, 1U << 16, UNWIND_ANSWERS_MAX / 2);
	if (err)
		return err;
	unwind_modules_tell(modules, scene);
	for (unsigned int i = 0; i < scene->module_count; i++)
		if (scene->modules[i].file || scene->modules[i].file_fault)
			unwind_file_pack(&pack, i, &scene->modules[i]);
	return say(&pack);
}

static int name_thread(struct unwind_modules *modules, struct scene *scene, unsigned int index)
{
	unwind_name_frames(modules, &scene->threads[index]);
	return answer(scene, index, UNWIND_NAMED);
}

/* Names take a thousand times as long as frames. */
static int work(struct unwind_modules *modules, struct scene *scene)
{
	int err = 0;

	for (unsigned int i = 0; i < scene->thread_count && !err; i++) {
		unwind_thread(modules, i);
		err = answer(scene, i, UNWIND_BARE);
		if (!err && i == 0)
			err = name_thread(modules, scene, i);
	}
	for (unsigned int i = 1; i < scene->thread_count && !err; i++)
		err = name_thread(modules, scene, i);
	if (!err && modules->files->is_redo)
		err = answer_files(modules, scene);
	return err ? UNWIND_EXIT_ANSWER : 0;
}

static int unwind_all(struct scene *scene, const struct unwind_files *files, int vdso_fd)
{
	/* Too much for the stack. What is not freed in this process ends with it. */
	struct unwind_modules *modules = calloc(1, sizeof(*modules));

	if (!modules || unwind_modules_open(modules, scene, files, vdso_fd) ||
	    unwind_attach(modules))
		return UNWIND_EXIT_MEMORY;
	return work(modules, scene);
}

bool unwind_is_built(void)
{
	return true;
}

bool unwind_is_child(int argc, char **argv)
{
	return argc > 1 && !strcmp(argv[0], UNWIND_NAME) && !strcmp(argv[1], UNWIND_COMMAND);
}

int unwind_main(int argc, char **argv)
{
	struct unwind_files files = {.root_fd = -1, .debug_fd = -1};
	struct unwind_jail jail = {0};
	struct scene scene;
	int vdso_fd;

	if (parse_arguments(argc, argv, &jail, &files))
		return UNWIND_EXIT_USAGE;
	syscall(SYS_close_range, UNWIND_ROOT_FD + (jail.has_root ? 1U : 0U), ~0U, 0U);
	/* Where its own root has no debug files, ours may. */
	if (jail.has_root)
		files.debug_fd = open("/usr/lib/debug", O_PATH | O_DIRECTORY | O_CLOEXEC);
	vdso_fd = unwind_copy_vdso();
	if (unwind_jail(&jail))
		return UNWIND_EXIT_RIGHTS;
	if (read_request(&scene))
		return UNWIND_EXIT_REQUEST;
	files.root_fd = jail.has_root && !jail.in_root ? UNWIND_ROOT_FD : -1;
	files.debuginfod = jail.debuginfod;
	unwind_find_in(&files);
	_exit(unwind_all(&scene, &files, vdso_fd));
}
