/* SPDX-License-Identifier: MIT */
/*
 * test_ttlog_plugin.c - a library that records is loaded, and closed again.
 *
 * The plugin brings libttlog.so with it, which has nothing to do with the libttlog.a in this
 * program: its region is found as a recorder finds one that it adopts, by the name of a descriptor.
 */
#include <dlfcn.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>

#include "tests/own_region.h"

static void *handle;
static void (*plugin_record)(uint64_t n);

static void load(void)
{
	char path[4096] = "";

	cr_assert_gt(readlink("/proc/self/exe", path, sizeof(path) - 32), 0);
	dirname(path);
	strcat(path, "/plugin_ttlog.so");
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	cr_assert_not_null(handle, "%s", dlerror());
	plugin_record = (void (*)(uint64_t))dlsym(handle, "plugin_record");
	cr_assert_not_null(plugin_record);
}

static void unload(void)
{
	cr_assert_eq(dlclose(handle), 0);
	/* It is gone indeed. */
	handle = NULL;
}

/* The regions of this process, mapped by their descriptors. Returns how many; the last one's
 * reader. */
static uint32_t find_regions(struct ttlog_reader **ret_reader)
{
	uint32_t count = 0;

	for (int fd = 0; fd < 256; fd++) {
		struct ttlog_geometry geometry;
		char path[64], target[64] = "";
		void *base;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof(target) - 1) <= 0 ||
		    !strstr(target, "memfd:ttlog"))
			continue;
		cr_assert_eq(ttlog_region_map(fd, &geometry, &base), 0);
		cr_assert_eq(ttlog_reader_open(ret_reader, base, &geometry), 0);
		count++;
	}
	return count;
}

static void expect_events(uint64_t count)
{
	const struct ttlog_reader_site *site;
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;
	uint64_t next = 0;

	cr_assert_eq(find_regions(&reader), 1);
	while ((site = next_of(reader, "from the plugin", &event))) {
		cr_expect_eq(event.value[0].bits, next++);
		cr_expect_str_eq(event.value[1].data, "a string of its own");
		cr_expect_str_eq(site->target, "plugin");
		cr_expect_str_eq(site->function, "plugin_record");
	}
	cr_expect_eq(next, count);
	cr_expect_eq(numbered_in(reader, "an alert from the plugin").count, count);
	cr_expect_eq(ttlog_reader_id_limit(reader), 3, "two sites, each once");
	ttlog_reader_close(reader);
}

Test(ttlog_plugin, its_events_can_be_read_when_it_is_closed)
{
	load();
	for (uint64_t i = 0; i < 100; i++)
		plugin_record(i);
	expect_events(100);
	unload();
	expect_events(100);
}

Test(ttlog_plugin, its_sites_are_the_same_when_it_is_loaded_again)
{
	for (uint64_t i = 0; i < 5; i++) {
		load();
		plugin_record(i);
		unload();
	}
	expect_events(5);
}

static void *record_and_stay(void *argument)
{
	pthread_barrier_t *barrier = argument;

	plugin_record(0);
	pthread_barrier_wait(barrier);
	pthread_barrier_wait(barrier);
	return NULL;
}

Test(ttlog_plugin, a_thread_that_recorded_in_it_may_end_when_it_is_closed)
{
	pthread_barrier_t barrier;
	pthread_t thread;

	load();
	pthread_barrier_init(&barrier, NULL, 2);
	cr_assert_eq(pthread_create(&thread, NULL, record_and_stay, &barrier), 0);
	pthread_barrier_wait(&barrier);
	unload();
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	expect_events(1);
}

static void *record_once(void *argument)
{
	plugin_record((uint64_t)(uintptr_t)argument);
	return NULL;
}

Test(ttlog_plugin, a_child_and_a_thread_record_through_it)
{
	pthread_t thread;
	pid_t pid;

	load();
	cr_assert_eq(pthread_create(&thread, NULL, record_once, (void *)0), 0);
	pthread_join(thread, NULL);
	pid = fork();
	if (pid == 0) {
		plugin_record(0);
		expect_events(1);
		_exit(0);
	}
	expect_success(pid);
	plugin_record(1);
	expect_events(2);
}
