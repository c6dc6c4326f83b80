// SPDX-License-Identifier: MIT
#include "recorder/controls.h"

#include <criterion/criterion.h>

#ifdef TTLOG_HAVE_BPF

#include <bpf/bpf.h>
#include <dirent.h>
#include <unistd.h>

static struct controls *controls;
static int map_fd, page_fd[2];

static int create_page(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);

	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "page", 4, 4096, 1, &options);
}

static void open_controls(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);

	page_fd[0] = create_page();
	page_fd[1] = create_page();
	options.inner_map_fd = (uint32_t)page_fd[0];
	map_fd = bpf_map_create(BPF_MAP_TYPE_HASH_OF_MAPS, "controls", 8, 4, 200, &options);
	if (map_fd < 0)
		cr_skip("needs CAP_BPF: no map of maps (%d)", map_fd);
	cr_assert_eq(controls_open(&controls, map_fd), 0);
}

static void close_controls(void)
{
	controls_close(controls);
	close(map_fd);
	close(page_fd[0]);
	close(page_fd[1]);
}

TestSuite(controls, .init = open_controls, .fini = close_controls, .timeout = 120);

/* The kernel's number of the page that a client has; 0: none. */
static uint32_t page_of(uint64_t client_id)
{
	uint32_t id = 0;

	return bpf_map_lookup_elem(map_fd, &client_id, &id) ? 0 : id;
}

static uint32_t id_of(int fd)
{
	struct bpf_map_info info = {0};
	uint32_t bytes = sizeof(info);

	cr_assert_eq(bpf_obj_get_info_by_fd(fd, &info, &bytes), 0);
	return info.id;
}

static unsigned int count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned int count = 0;

	cr_assert_not_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

Test(controls, keeps_the_order_of_changes)
{
	for (uint64_t id = 1; id <= 100; id++) {
		cr_assert_eq(controls_put(controls, id, page_fd[0]), 0);
		if (id % 3 == 0)
			cr_assert_eq(controls_put(controls, id, page_fd[1]), 0);
		if (id % 2 == 0)
			cr_assert_eq(controls_drop(controls, id), 0);
		if (id % 5 == 0)
			cr_assert_eq(controls_put(controls, id, page_fd[1]), 0);
	}
	controls_settle(controls);
	for (uint64_t id = 1; id <= 100; id++) {
		int fd = id % 5 == 0 || id % 3 == 0 ? page_fd[1] : page_fd[0];

		cr_assert_eq(page_of(id), id % 2 == 0 && id % 5 ? 0 : id_of(fd), "client %lu", id);
	}
}

Test(controls, goes_on_when_the_kernel_refuses_some)
{
	unsigned int known = 0;

	cr_assert_eq(controls_drop(controls, 12345), 0, "nobody has that number");
	for (uint64_t id = 1; id <= 300; id++)
		cr_assert_eq(controls_put(controls, id, page_fd[0]), 0);
	for (uint64_t id = 1; id <= 300; id++)
		cr_assert_eq(controls_drop(controls, id), 0);
	cr_assert_eq(controls_put(controls, 7, page_fd[1]), 0);
	controls_settle(controls);
	for (uint64_t id = 1; id <= 300; id++)
		known += page_of(id) != 0;
	cr_assert_eq(known, 1);
	cr_assert_eq(page_of(7), id_of(page_fd[1]));
}

Test(controls, leaves_no_descriptor_behind_when_it_is_closed_in_the_middle)
{
	unsigned int before = count_descriptors();

	for (uint64_t id = 1; id <= 150; id++)
		cr_assert_eq(controls_put(controls, id, page_fd[0]), 0);
	controls_close(controls);
	cr_assert_eq(count_descriptors(), before);
	cr_assert_eq(controls_open(&controls, map_fd), 0);
	cr_assert_neq(controls_put(controls, 1, -1), 0);
}

#else

Test(controls, need_bpf)
{
	cr_skip("built without BPF (make BPF=0)");
}

#endif
