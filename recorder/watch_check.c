// SPDX-License-Identifier: MIT
/*
 * watch_check.c - a fresh copy of the kernel program for each of its pieces, so that one that is
 * refused does not hide the others.
 */
#include "recorder/watch_check.h"

#include <errno.h>

#ifdef TTLOG_HAVE_BPF

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpf/ttlog_bpf.h"

#include "bpf/ttlog.skel.h"
#include "lib/ttlog.h"
#include "recorder/pretend.h"
#include "recorder/watch_load.h"

static struct bpf_program *program_at(struct ttlog_bpf *skeleton, unsigned int index)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, skeleton->obj) if (!index--) return program;
	return NULL;
}

static int try_program(struct ttlog_bpf *skeleton, struct bpf_program *wanted,
		       const char **ret_detail)
{
	struct bpf_program *program;
	struct bpf_link *link;
	bool without_control_maps;
	int err;

	bpf_object__for_each_program(program, skeleton->obj)
		bpf_program__set_autoload(program, program == wanted);
	err = watch_load(skeleton, &without_control_maps);
	*ret_detail = "can't be loaded";
	if (err)
		return err;
	link = bpf_program__attach(wanted);
	*ret_detail = link ? "loads and attaches" : "loads, but can't be attached";
	err = link ? 0 : -errno;
	bpf_link__destroy(link);
	return err;
}

/* False: there are no more. */
static bool check_program(unsigned int index, unsigned int without, watch_check_fn fn, void *context)
{
	const char *detail = NULL;
	char why_not[128], what[64];
	struct ttlog_bpf *skeleton;
	struct bpf_program *program;
	int err;

	if (watch_load_open(&skeleton, without, why_not, sizeof(why_not)))
		return false;
	program = program_at(skeleton, index);
	if (program && bpf_program__autoload(program)) {
		snprintf(what, sizeof(what), "program %s", bpf_program__name(program));
		err = try_program(skeleton, program, &detail);
		if (err && !without && skeleton->rodata->can_walk_mappings) {
			ttlog_bpf__destroy(skeleton);
			return check_program(index, WATCH_PART_WALK, fn, context);
		}
		fn(context, what, err, detail);
	}
	ttlog_bpf__destroy(skeleton);
	return program != NULL;
}

static void check_mmapable(watch_check_fn fn, void *context)
{
	const int fd = watch_load_control_map(BPF_F_MMAPABLE);
	int err = fd < 0 ? fd : 0;
	void *page;

	if (!err) {
		page = mmap(NULL, sizeof(struct ttlog_control), PROT_READ | PROT_WRITE, MAP_SHARED,
			    fd, 0);
		err = page == MAP_FAILED ? -errno : 0;
		if (!err)
			munmap(page, sizeof(struct ttlog_control));
		close(fd);
	}
	fn(context, "map: mmapable array", err, "");
}

static void check_maps(watch_check_fn fn, void *context)
{
	/* Without privileges no kind of map seems to be there. */
	const int plain = watch_load_control_map(0);
	const int otherwise = plain < 0 ? plain : -EINVAL;
	const char *name;
	char what[64];
	bool there;

	if (plain >= 0)
		close(plain);
	for (unsigned int i = 0; (name = watch_load_map_kind(i, &there)); i++) {
		snprintf(what, sizeof(what), "map: %s", name);
		fn(context, what, there ? 0 : otherwise, "");
	}
	check_mmapable(fn, context);
}

void watch_check(watch_check_fn fn, void *context)
{
	struct ttlog_bpf *skeleton;
	char why_not[128];
	int err;

	libbpf_set_print(NULL);
	err = watch_load_open(&skeleton, 0, why_not, sizeof(why_not));
	if (!err)
		ttlog_bpf__destroy(skeleton);
	if (err == -EPERM) {
		fn(context, "bpf()", err, why_not);
		return;
	}
	fn(context, "BTF", err, err ? why_not : "/sys/kernel/btf/vmlinux");
	check_maps(fn, context);
	for (unsigned int i = 0; check_program(i, 0, fn, context); i++)
		;
	watch_load_done();
}

#else

void watch_check(watch_check_fn fn, void *context)
{
	fn(context, "bpf()", -ENOSYS, "built without BPF (make BPF=0)");
}

#endif
