/* SPDX-License-Identifier: MIT */
/* capture.c - records in, a scene out. */
#include "recorder/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Loop and workers. */
static _Atomic size_t bytes_in_use;

struct capture {
	struct scene scene; /* slices are single pages, in the order in which they came */
	size_t bytes;
	uint64_t environment_start, environment_end;
	bool has_all_modules; /* the walk of the mappings came to its end */
	struct stacks
		*stacks; /* of a living client, that are not taken yet; NULL: there are none */
	uint64_t client_id;
};

/* ---- what comes in ---------------------------------------------------------------------- */

/* Room for one more behind `count`, which doubles. */
static void *grow(void *array, unsigned int count, size_t size)
{
	if (count & (count - 1))
		return array;
	return reallocarray(array, count ? 2 * (size_t)count : 1, size);
}

static struct scene_thread *find_thread(const struct scene *scene, uint32_t tid)
{
	for (unsigned int i = scene->thread_count; i > 0; i--)
		if (scene->threads[i - 1].tid == tid)
			return &scene->threads[i - 1];
	return NULL;
}

static void fill_thread(struct scene_thread *thread, const struct ttlog_bpf_thread *record)
{
	*thread = (struct scene_thread){
		.tid = record->head.tid,
		.is_fatal = record->flags & TTLOG_BPF_THREAD_FATAL,
		.register_count = record->register_count <= SCENE_REGISTERS_MAX
					  ? record->register_count
					  : SCENE_REGISTERS_MAX,
		.fs_base = record->fs_base,
		.fault_address = record->fault_address,
		.error_code = record->error_code,
		.trap = record->trap,
		.alternate_stack = record->alternate_stack,
		.alternate_stack_bytes = record->alternate_stack_bytes,
		.interrupted_sp = record->interrupted_sp,
		.code_address = record->code_address,
		.code_bytes = record->code_bytes <= sizeof(thread->code) ? record->code_bytes : 0,
	};
	memcpy(thread->registers, record->registers, sizeof(thread->registers));
	memcpy(thread->code, record->code, sizeof(thread->code));
	memcpy(thread->name, record->comm, sizeof(thread->name));
	thread->name[sizeof(thread->name) - 1] = '\0';
}

static void take_thread(struct capture *capture, const struct ttlog_bpf_thread *record)
{
	const bool is_fatal = record->flags & TTLOG_BPF_THREAD_FATAL;
	struct scene *scene = &capture->scene;
	struct scene_thread *threads;

	if (find_thread(scene, record->head.tid))
		return;
	if (scene->thread_count == SCENE_THREADS_MAX && !is_fatal) {
		scene->threads_left_out++;
		return;
	}
	/* One beyond the limit for the fatal one, which may come last. */
	threads = scene->thread_count <= SCENE_THREADS_MAX
			  ? grow(scene->threads, scene->thread_count, sizeof(*threads))
			  : NULL;
	if (!threads) {
		scene->threads_left_out++;
		return;
	}
	scene->threads = threads;
	fill_thread(&threads[scene->thread_count++], record);
	capture->environment_start = record->environment_start;
	capture->environment_end = record->environment_end;
}

static bool has_room(const struct capture *capture, const struct scene_thread *thread)
{
	if (atomic_load_explicit(&bytes_in_use, memory_order_relaxed) >= CAPTURE_ALL_BYTES_MAX)
		return false;
	return thread->is_fatal || capture->bytes < CAPTURE_BYTES_MAX;
}

/* People keep passwords there; it lies on the stack that the process began with. */
static void erase_environment(const struct capture *capture, struct scene_slice *slice)
{
	uint64_t from = capture->environment_start, end = capture->environment_end;

	if (from < slice->address)
		from = slice->address;
	if (end > slice->address + slice->bytes)
		end = slice->address + slice->bytes;
	if (from < end)
		memset(slice->data + (from - slice->address), 0, end - from);
}

static void take_page(struct capture *capture, const struct ttlog_bpf_page *record)
{
	struct scene_thread *thread = find_thread(&capture->scene, record->head.tid);
	struct scene_slice *slices, *slice;

	if (!thread)
		return;
	if (thread->slice_count >= 2 * TTLOG_BPF_PAGES_FATAL || !has_room(capture, thread)) {
		capture->scene.pages_left_out++;
		return;
	}
	slices = grow(thread->slices, thread->slice_count, sizeof(*slices));
	if (!slices)
		goto out;
	thread->slices = slices;
	slice = &slices[thread->slice_count];
	slice->data = malloc(TTLOG_BPF_PAGE_BYTES);
	if (!slice->data)
		goto out;
	memcpy(slice->data, record->data, TTLOG_BPF_PAGE_BYTES);
	slice->address = record->address;
	slice->bytes = TTLOG_BPF_PAGE_BYTES;
	erase_environment(capture, slice);
	thread->slice_count++;
	capture->bytes += TTLOG_BPF_PAGE_BYTES;
	atomic_fetch_add_explicit(&bytes_in_use, TTLOG_BPF_PAGE_BYTES, memory_order_relaxed);
	return;
out:
	capture->scene.pages_left_out++;
}

/* "libc.so.6", "lib", "usr", each with its NUL: "/usr/lib/libc.so.6". NULL: no path, or no memory. */
static char *join_path(const char *names, size_t bytes)
{
	char *path, *at;
	size_t length;

	if (!bytes || names[bytes - 1])
		return NULL;
	path = malloc(bytes + 1);
	if (!path)
		return NULL;
	at = path + bytes;
	*at = '\0';
	for (const char *name = names; name < names + bytes; name += length + 1) {
		length = strlen(name);
		at -= length;
		memcpy(at, name, length);
		*--at = '/';
	}
	return path;
}

/* brk()'s and the first stack are called as in /proc/PID/maps. */
static char *name_module(const struct ttlog_bpf_module *record)
{
	if (record->flags & TTLOG_BPF_MODULE_VDSO)
		return strdup("[vdso]");
	if (!record->inode && (record->flags & TTLOG_BPF_MODULE_STACK))
		return strdup("[stack]");
	if (!record->inode && (record->flags & TTLOG_BPF_MODULE_HEAP))
		return strdup("[heap]");
	return join_path(record->path, record->path_bytes);
}

static struct scene_module make_module(const struct ttlog_bpf_module *record)
{
	const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);

	return (struct scene_module){
		.start = record->start,
		.end = record->end,
		.offset = record->inode ? record->page_offset * page_bytes : 0,
		.inode = record->inode,
		.major = record->device >> 20,
		.minor = record->device & 0xfffff,
		.path = name_module(record),
	};
}

static void take_module(struct capture *capture, const struct ttlog_bpf_module *record,
			size_t bytes)
{
	struct scene *scene = &capture->scene;
	struct scene_module *modules;

	if (record->path_bytes > sizeof(record->path) ||
	    bytes < TTLOG_BPF_MODULE_BYTES(record->path_bytes) || record->start >= record->end)
		return;
	if ((record->flags & TTLOG_BPF_MODULE_FAULT) && !scene->fault_mapping.end) {
		scene->fault_mapping = make_module(record);
		scene->fault_access = record->access;
	}
	if (!(record->access & TTLOG_BPF_ACCESS_EXECUTE))
		return;
	modules = scene->module_count < SCENE_MODULES_MAX
			  ? grow(scene->modules, scene->module_count, sizeof(*modules))
			  : NULL;
	if (!modules) {
		scene->modules_left_out++;
		return;
	}
	scene->modules = modules;
	modules[scene->module_count++] = make_module(record);
}

static void take_unsent(struct capture *capture, const struct ttlog_bpf_scene_unsent *record)
{
	capture->scene.threads_left_out += record->threads;
	capture->scene.pages_left_out += record->pages;
	capture->scene.modules_left_out += record->modules;
}

void capture_take(struct capture **capture, const struct ttlog_bpf_scene *record, size_t bytes)
{
	if (!*capture) {
		*capture = calloc(1, sizeof(**capture));
		if (!*capture)
			return;
		(*capture)->scene.root_fd = -1;
	}
	if (record->kind == TTLOG_BPF_THREAD)
		take_thread(*capture, (const struct ttlog_bpf_thread *)record);
	else if (record->kind == TTLOG_BPF_PAGE)
		take_page(*capture, (const struct ttlog_bpf_page *)record);
	else if (record->kind == TTLOG_BPF_MODULE)
		take_module(*capture, (const struct ttlog_bpf_module *)record, bytes);
	else if (record->kind == TTLOG_BPF_SCENE_UNSENT)
		take_unsent(*capture, (const struct ttlog_bpf_scene_unsent *)record);
	else if (record->kind == TTLOG_BPF_MODULES_END)
		(*capture)->has_all_modules = true;
}

void capture_free(struct capture *capture)
{
	if (!capture)
		return;
	atomic_fetch_sub_explicit(&bytes_in_use, capture->bytes, memory_order_relaxed);
	scene_clear(&capture->scene);
	free(capture);
}

struct capture *capture_living(struct stacks *stacks, uint64_t client_id)
{
	struct capture *capture = calloc(1, sizeof(*capture));

	if (!capture)
		return NULL;
	capture->scene.root_fd = -1;
	capture->stacks = stacks;
	capture->client_id = client_id;
	return capture;
}

static void take_living(void *context, const struct ttlog_bpf_scene *record, size_t bytes)
{
	struct capture *capture = context;

	capture_take(&capture, record, bytes);
}

/* ---- what goes out ---------------------------------------------------------------------- */

static int compare_slices(const void *a, const void *b)
{
	const struct scene_slice *left = a, *right = b;

	return (left->address > right->address) - (left->address < right->address);
}

/* Takes all data of the slices in [first, end), which follow each other, into the first. */
static int merge(struct scene_slice *slices, unsigned int first, unsigned int end)
{
	unsigned char *data = realloc(slices[first].data,
				      (end - first) * (size_t)TTLOG_BPF_PAGE_BYTES);

	if (!data)
		return -ENOMEM;
	slices[first].data = data;
	for (unsigned int i = first + 1; i < end; i++) {
		memcpy(data + slices[first].bytes, slices[i].data, slices[i].bytes);
		slices[first].bytes += slices[i].bytes;
		free(slices[i].data);
		slices[i].data = NULL;
	}
	return 0;
}

/* Single pages become slices: in order, without doubles, those that touch in one. */
static int join_slices(struct scene_thread *thread)
{
	struct scene_slice *slices = thread->slices;
	unsigned int from = 0, count = thread->slice_count, kept = 0, end;
	int err = 0;

	if (!count)
		return 0;
	qsort(slices, count, sizeof(*slices), compare_slices);
	for (unsigned int i = 1; i < count; i++) {
		if (slices[i].address == slices[from].address)
			free(slices[i].data);
		else
			slices[++from] = slices[i];
	}
	thread->slice_count = count = from + 1;
	for (from = 0; from < count && !err; from = end) {
		for (end = from + 1; end < count && slices[end].address == slices[end - 1].address +
										   slices[end - 1].bytes;
		     end++)
			;
		err = merge(slices, from, end);
		if (!err && kept != from) {
			slices[kept] = slices[from];
			slices[from].data = NULL;
		}
		kept += !err;
	}
	if (!err)
		thread->slice_count = kept;
	return err;
}

/* The fatal one to the front; the others stay in the order in which they died. */
static void order_threads(struct scene *scene)
{
	struct scene_thread fatal;
	unsigned int at = 0;

	while (at < scene->thread_count && !scene->threads[at].is_fatal)
		at++;
	if (at == scene->thread_count)
		return;
	fatal = scene->threads[at];
	memmove(scene->threads + 1, scene->threads, at * sizeof(fatal));
	scene->threads[0] = fatal;
	/* Of two that fault together one dies of it: the kernel program tells of that one first. */
	for (unsigned int i = 1; i < scene->thread_count; i++)
		scene->threads[i].is_fatal = false;
}

static int compare_modules(const void *a, const void *b)
{
	const struct scene_module *left = a, *right = b;

	return (left->start > right->start) - (left->start < right->start);
}

/* Is something of it in the list already? Those of the list are in order, and none overlap. */
static bool overlaps(const struct scene_module *modules, unsigned int count,
		     const struct scene_module *module)
{
	unsigned int from = 0, end = count, middle;

	while (from < end) {
		middle = from + (end - from) / 2;
		if (modules[middle].end <= module->start)
			from = middle + 1;
		else
			end = middle;
	}
	return from < count && modules[from].start < module->end;
}

/* In order, each once: who told of them may have had to begin again. */
static void order_modules(struct scene *scene)
{
	struct scene_module *modules = scene->modules;
	unsigned int kept = 0;

	if (!scene->module_count)
		return;
	qsort(modules, scene->module_count, sizeof(*modules), compare_modules);
	for (unsigned int i = 0; i < scene->module_count; i++) {
		if (kept && modules[i].start < modules[kept - 1].end)
			free(modules[i].path);
		else
			modules[kept++] = modules[i];
	}
	scene->module_count = kept;
}

/* Of what was known before, all that was not told of at the death. */
static int add_registered(struct scene *scene, const struct modules *registered)
{
	const unsigned int told = scene->module_count;
	struct scene_module *modules;
	int err = 0;

	modules = reallocarray(scene->modules, (size_t)told + registered->count + 1,
			       sizeof(*modules));
	if (!modules)
		return -ENOMEM;
	scene->modules = modules;
	for (unsigned int i = 0; i < registered->count && !err; i++) {
		if (overlaps(modules, told, &registered->list[i]))
			continue;
		if (scene->module_count == SCENE_MODULES_MAX) {
			scene->modules_left_out++;
			continue;
		}
		err = modules_copy(&modules[scene->module_count], &registered->list[i]);
		scene->module_count += !err;
	}
	scene->modules_left_out += registered->left_out;
	order_modules(scene);
	return err;
}

/* Read when it registered, the build-id is surely that of what was mapped. */
static bool recall_build_id(struct scene_module *module, const struct modules *registered)
{
	for (unsigned int i = 0; registered && i < registered->count; i++) {
		const struct scene_module *known = &registered->list[i];

		if (!known->path || !module->path || strcmp(known->path, module->path) ||
		    (known->inode != module->inode && known->start != module->start))
			continue;
		module->build_id_bytes = known->build_id_bytes;
		memcpy(module->build_id, known->build_id, sizeof(module->build_id));
		return true;
	}
	return false;
}

static int finish_modules(struct capture *capture, const struct modules *registered, int root_fd)
{
	struct scene *scene = &capture->scene;

	order_modules(scene);
	for (unsigned int i = 0; i < scene->module_count; i++)
		if (!recall_build_id(&scene->modules[i], registered))
			modules_find_build_id(&scene->modules[i], root_fd);
	if (capture->has_all_modules && !scene->modules_left_out)
		return 0;
	scene->modules_cut = scene->module_count;
	return registered ? add_registered(scene, registered) : 0;
}

int capture_finish(struct capture *capture, const struct modules *registered, int root_fd,
		   struct scene *ret_scene)
{
	struct scene *scene = &capture->scene;
	int err = 0;

	if (capture->stacks)
		stacks_take(capture->stacks, capture->client_id, take_living, capture);
	for (unsigned int i = 0; i < scene->thread_count && !err; i++)
		err = join_slices(&scene->threads[i]);
	if (!err)
		err = finish_modules(capture, registered, root_fd);
	if (!err) {
		order_threads(scene);
		scene->root_fd = root_fd < 0 ? -1 : fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
		*ret_scene = *scene;
		*scene = (struct scene){.root_fd = -1};
	}
	capture_free(capture);
	return err;
}
