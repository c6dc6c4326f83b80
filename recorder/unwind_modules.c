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
	modules->names = dwfl_begin(&callbacks);
	return modules->dwfl && modules->names ? 0 : -ENOMEM;
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

/* Short enough to be read. */
static const char *other_build(const unsigned char *id, ssize_t bytes)
{
	static const char words[] = "is another build by now";
	char hex[SCENE_BUILD_ID_MAX * 2 + 1] = "", *text;

	for (ssize_t i = 0; i < bytes && i < SCENE_BUILD_ID_MAX; i++)
		sprintf(hex + 2 * i, "%02x", id[i]);
	if (!*hex || asprintf(&text, "%s (build-id %s)", words, hex) < 0)
		return words;
	return text;
}

/* NULL, or what speaks against it. */
static const char *check_identity(Elf *elf, int fd, const struct scene_module *module, bool is_redo)
{
	struct stat status;
	const void *id;
	ssize_t bytes;

	if (module->build_id_bytes) {
		bytes = dwelf_elf_gnu_build_id(elf, &id);
		if (bytes != module->build_id_bytes || memcmp(id, module->build_id, (size_t)bytes))
			return other_build(id, bytes);
		return NULL;
	}
	if (is_vdso(module))
		return is_redo ? "was that of another kernel, perhaps" : NULL;
	if (!module->inode)
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

static const char *check_file(int fd, const struct scene_module *module, bool is_redo,
			      uint64_t *ret_bias)
{
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	const char *fault;

	if (!elf || elf_kind(elf) != ELF_K_ELF) {
		elf_end(elf);
		return "is no ELF file";
	}
	fault = check_identity(elf, fd, module, is_redo);
	if (!fault)
		fault = find_bias(elf, module, ret_bias);
	elf_end(elf);
	return fault;
}

/* Of its segments only the addresses are kept: the mapping is all of the one with the code. */
static const char *find_debug_bias(Elf *elf, const struct scene_module *module, uint64_t *ret_bias)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	unsigned int found = 0;
	GElf_Phdr segment;
	size_t count;

	if (elf_getphdrnum(elf, &count) || count > SEGMENTS_MAX)
		return "has damaged headers";
	for (size_t i = 0; i < count; i++) {
		uint64_t start, end;

		if (!gelf_getphdr(elf, (int)i, &segment) || segment.p_type != PT_LOAD ||
		    !(segment.p_flags & PF_X))
			continue;
		start = segment.p_vaddr & ~(page - 1);
		end = (segment.p_vaddr + segment.p_memsz + page - 1) & ~(page - 1);
		found += end - start == module->end - module->start;
		*ret_bias = module->start - start;
	}
	return found == 1 ? NULL : "does not say where its code was";
}

static const char *check_debug_file(int fd, const struct scene_module *module, uint64_t *ret_bias)
{
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	const char *fault = "is no program of this machine";
	GElf_Ehdr head;

	if (elf && gelf_getehdr(elf, &head) && head.e_machine == MACHINE) {
		fault = check_identity(elf, fd, module, true);
		if (!fault)
			fault = find_debug_bias(elf, module, ret_bias);
	}
	elf_end(elf);
	return fault;
}

/* There is one. A copy of the descriptor is nothing that the child may make. */
static int give_vdso(struct unwind_modules *modules)
{
	const int fd = modules->vdso_fd;

	modules->vdso_fd = -1;
	return fd < 0 ? -ENOENT : fd;
}

static const char *why_not_open(int err)
{
	if (err == -EACCES || err == -EPERM)
		return "may not be read";
	return err == -ENOENT || err == -ENOTDIR ? "is not there" : "can't be opened";
}

/* The descriptor, or the negative errno of what has its name. */
static int open_module(struct unwind_modules *modules, const struct scene_module *module,
		       unsigned int number, char path[PATH_MAX])
{
	if (!is_vdso(module))
		return unwind_open_place(modules->files, module, number, path);
	strcpy(path, VDSO_NAME);
	return number ? -ERANGE : give_vdso(modules);
}

/* The file that is the right one. *ret_fault: what speaks against what has its name. */
static int find_file(struct unwind_modules *modules, const struct scene_module *module,
		     uint64_t *ret_bias, const char **ret_fault, char path[PATH_MAX])
{
	const bool is_redo = modules->files->is_redo;
	bool is_there = false;
	int fd = 0;

	*ret_fault = NULL;
	for (unsigned int number = 0; fd != -ERANGE; number++) {
		const char *fault = NULL;

		fd = open_module(modules, module, number, path);
		if (fd >= 0) {
			fault = check_file(fd, module, is_redo, ret_bias);
			if (!fault)
				return fd;
			close(fd);
		} else if (fd == -EACCES || fd == -EPERM || !number) {
			fault = why_not_open(fd);
		}
		/* Of the first that is there more is to be said than of those that are not. */
		if (fault && (!*ret_fault || (fd >= 0 && !is_there)))
			*ret_fault = fault;
		is_there |= fd >= 0;
	}
	if (modules->files->debuginfod && modules->files->is_redo)
		fd = unwind_ask_for_program(module, path);
	if (fd >= 0 && check_file(fd, module, is_redo, ret_bias)) {
		close(fd);
		fd = -ENOENT;
	}
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
	char path[PATH_MAX];
	int fd;

	if (!module->path)
		return "is no file";
	fd = find_file(modules, module, &state->bias, &fault, path);
	if (fd < 0)
		return fault;
	state->path = strdup(path);
	if (is_reported(modules, index)) {
		close(fd);
		return NULL;
	}
	/* It keeps the descriptor. */
	if (dwfl_report_elf(modules->dwfl, module->path, path, fd, state->bias, true))
		return NULL;
	close(fd);
	return "can't be used";
}

/* Debug information alone tells names, not how to unwind. */
static bool report_names(struct unwind_modules *modules, unsigned int index)
{
	const struct scene_module *module = &modules->scene->modules[index];
	struct unwind_module_state *state = &modules->state[index];
	char path[PATH_MAX];
	bool is_used;
	int fd;

	if (!module->path || !module->build_id_bytes)
		return false;
	fd = unwind_open_debug(modules->files, module, path);
	if (fd < 0)
		return false;
	dwfl_report_begin_add(modules->names);
	is_used = !check_debug_file(fd, module, &state->bias) &&
		  dwfl_report_elf(modules->names, module->path, path, fd, state->bias, true);
	dwfl_report_end(modules->names, NULL, NULL);
	if (is_used)
		state->path = strdup(path);
	else
		close(fd);
	return is_used;
}

static void try_address(struct unwind_modules *modules, uint64_t address)
{
	const int index = unwind_module_of(modules->scene, address);

	if (index < 0 || modules->state[index].is_tried)
		return;
	modules->state[index].fault = report(modules, (unsigned int)index);
	if (modules->state[index].fault && modules->files->is_redo)
		modules->state[index].has_names = report_names(modules, (unsigned int)index);
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

Dwfl *unwind_modules_names(const struct unwind_modules *modules, int index)
{
	if (index < 0 || !modules->state[index].is_tried)
		return NULL;
	if (!modules->state[index].fault)
		return modules->dwfl;
	return modules->state[index].has_names ? modules->names : NULL;
}

static void tell(struct unwind_modules *modules, unsigned int index, struct scene_module *module)
{
	const struct unwind_module_state *state = &modules->state[index];
	Dwfl *dwfl = unwind_modules_names(modules, (int)index);
	Dwfl_Module *read = dwfl ? dwfl_addrmodule(dwfl, module->start) : NULL;
	const char *main_file, *debug_file = NULL;

	if (state->path)
		module->file = strdup(state->path);
	if (state->fault)
		module->file_fault = strdup(state->fault);
	if (read)
		dwfl_module_info(read, NULL, NULL, NULL, NULL, NULL, &main_file, &debug_file);
	if (debug_file && *debug_file)
		module->debug_file = strdup(debug_file);
}

void unwind_modules_tell(struct unwind_modules *modules, struct scene *scene)
{
	for (unsigned int i = 0; i < scene->module_count; i++)
		if (modules->state[i].is_tried)
			tell(modules, i, &scene->modules[i]);
}
