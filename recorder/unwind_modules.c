/* SPDX-License-Identifier: MIT */
/*
 * unwind_modules.c - the files behind a scene's mappings, opened when a stack speaks of them, at
 * the addresses where they were.
 *
 * A file that is another one by now gives confident wrong names: it is not used at all.
 */
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder/unwind_parts.h"

#define VDSO_NAME "[vdso]"
#define VDSO_BYTES_MAX (64U << 10)
#define SEGMENTS_MAX 128

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_NONE
#endif

/* It is in no file. What our kernel maps into us it mapped into everybody. */
int unwind_copy_vdso(void)
{
	const char *image = (const char *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *head = (const Elf64_Ehdr *)image;
	size_t bytes;
	int fd;

	if (!image)
		return -1;
	bytes = head->e_shoff + (size_t)head->e_shnum * head->e_shentsize;
	if (bytes < sizeof(*head) || bytes > VDSO_BYTES_MAX)
		return -1;
	fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, image, bytes) == (ssize_t)bytes)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int find_no_elf(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
		       char **ret_name, Elf **ret_elf)
{
	(void)module, (void)userdata, (void)name, (void)base, (void)ret_name, (void)ret_elf;
	return -1;
}

int unwind_modules_open(struct unwind_modules *modules, const struct scene *scene,
			const struct unwind_files *files, int vdso_fd)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = find_no_elf,
		.find_debuginfo = unwind_find_debuginfo,
		.section_address = dwfl_offline_section_address,
	};

	elf_version(EV_CURRENT);
	modules->scene = scene;
	modules->files = files;
	modules->vdso_fd = vdso_fd;
	modules->dwfl = dwfl_begin(&callbacks);
	return modules->dwfl ? 0 : -ENOMEM;
}

int unwind_module_of(const struct scene *scene, uint64_t address)
{
	unsigned int low = 0, high = scene->module_count;

	while (low < high) {
		const unsigned int middle = low + (high - low) / 2;

		if (scene->modules[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < scene->module_count && scene->modules[low].start <= address ? (int)low : -1;
}

/* ---- one file --------------------------------------------------------------------------- */

static bool is_vdso(const struct scene_module *module)
{
	return !strcmp(module->path, VDSO_NAME);
}

/* NULL, or what speaks against it. */
static const char *check_identity(Elf *elf, int fd, const struct scene_module *module)
{
	struct stat status;
	const void *id;
	ssize_t bytes;

	if (module->build_id_bytes) {
		bytes = dwelf_elf_gnu_build_id(elf, &id);
		if (bytes != module->build_id_bytes || memcmp(id, module->build_id, (size_t)bytes))
			return "is another build by now";
		return NULL;
	}
	if (is_vdso(module) || !module->inode)
		return NULL;
	/* Not the device: layered file systems show another one than /proc does. */
	if (fstat(fd, &status) || status.st_ino != module->inode)
		return "is another file by now";
	return NULL;
}

/* The segment that was mapped there says where all of the file is. */
static const char *find_bias(Elf *elf, const struct scene_module *module, uint64_t *ret_bias)
{
	GElf_Ehdr head;
	size_t count;

	if (!gelf_getehdr(elf, &head) || head.e_machine != MACHINE ||
	    (head.e_type != ET_DYN && head.e_type != ET_EXEC))
		return "is no program of this machine";
	if (elf_getphdrnum(elf, &count) || count > SEGMENTS_MAX)
		return "has damaged headers";
	for (size_t i = 0; i < count; i++) {
		const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
		GElf_Phdr segment;
		uint64_t first;

		if (!gelf_getphdr(elf, (int)i, &segment) || segment.p_type != PT_LOAD ||
		    !(segment.p_flags & PF_X))
			continue;
		first = segment.p_offset & ~(page - 1);
		if (module->offset < first || module->offset - first >= segment.p_filesz + page)
			continue;
		*ret_bias = module->start - (segment.p_vaddr + module->offset - segment.p_offset);
		if (head.e_type == ET_EXEC && *ret_bias)
			return "was not mapped where it belongs";
		return NULL;
	}
	return "has no code where some was mapped";
}

static const char *check_file(int fd, const struct scene_module *module, uint64_t *ret_bias)
{
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	const char *fault;

	if (!elf || elf_kind(elf) != ELF_K_ELF) {
		elf_end(elf);
		return "is no ELF file";
	}
	fault = check_identity(elf, fd, module);
	if (!fault)
		fault = find_bias(elf, module, ret_bias);
	elf_end(elf);
	return fault;
}

/* A file that was replaced while it ran; what has its name now may be the same again. */
static void without_deleted(char *path)
{
	static const char suffix[] = " (deleted)";
	const size_t length = strlen(path);

	if (length > sizeof(suffix) && !strcmp(path + length - (sizeof(suffix) - 1), suffix))
		path[length - (sizeof(suffix) - 1)] = '\0';
}

/* There is one. A copy of the descriptor is nothing that the child may make. */
static int give_vdso(struct unwind_modules *modules)
{
	const int fd = modules->vdso_fd;

	modules->vdso_fd = -1;
	return fd < 0 ? -ENOENT : fd;
}

static int open_module(struct unwind_modules *modules, const struct scene_module *module)
{
	char *path;
	int fd;

	if (is_vdso(module))
		return give_vdso(modules);
	fd = unwind_open(modules->files, module->path);
	if (fd >= 0)
		return fd;
	path = strdup(module->path);
	if (!path)
		return -ENOMEM;
	without_deleted(path);
	fd = unwind_open(modules->files, path);
	free(path);
	return fd;
}

/* One file may have several executable mappings: it is reported once. */
static bool is_reported(const struct unwind_modules *modules, unsigned int index)
{
	const struct scene_module *module = &modules->scene->modules[index];

	for (unsigned int i = 0; i < modules->scene->module_count; i++) {
		const struct unwind_module_state *state = &modules->state[i];

		if (i != index && state->is_tried && !state->fault &&
		    state->bias == modules->state[index].bias &&
		    !strcmp(modules->scene->modules[i].path, module->path))
			return true;
	}
	return false;
}

static const char *report(struct unwind_modules *modules, unsigned int index)
{
	const struct scene_module *module = &modules->scene->modules[index];
	struct unwind_module_state *state = &modules->state[index];
	const char *fault;
	int fd;

	if (!module->path)
		return "is no file";
	fd = open_module(modules, module);
	if (fd == -EACCES || fd == -EPERM)
		return "may not be read";
	if (fd < 0)
		return "can't be opened";
	fault = check_file(fd, module, &state->bias);
	if (!fault && !is_reported(modules, index)) {
		if (dwfl_report_elf(modules->dwfl, module->path, module->path, fd, state->bias,
				    true))
			return NULL; /* which keeps the descriptor */
		fault = "can't be used";
	}
	close(fd);
	return fault;
}

static void try_address(struct unwind_modules *modules, uint64_t address)
{
	const int index = unwind_module_of(modules->scene, address);

	if (index < 0 || modules->state[index].is_tried)
		return;
	modules->state[index].fault = report(modules, (unsigned int)index);
	modules->state[index].is_tried = true;
}

void unwind_modules_report(struct unwind_modules *modules, const struct scene_thread *thread)
{
	dwfl_report_begin_add(modules->dwfl);
	for (unsigned int i = 0; i < thread->register_count; i++)
		try_address(modules, thread->registers[i]);
	for (unsigned int i = 0; i < thread->slice_count; i++) {
		const struct scene_slice *slice = &thread->slices[i];

		/* Where a stack keeps addresses: aligned. */
		for (size_t at = -slice->address & 7; at + 8 <= slice->bytes; at += 8) {
			uint64_t word;

			memcpy(&word, slice->data + at, sizeof(word));
			try_address(modules, word);
		}
	}
	dwfl_report_end(modules->dwfl, NULL, NULL);
}
