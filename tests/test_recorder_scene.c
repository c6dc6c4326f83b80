/* SPDX-License-Identifier: MIT */
/* The scene of a death on its way through recorder, dump and viewer. */
#include <dlfcn.h>
#include <pthread.h>

#include "tests/service_process.h"

TestSuite(recorder_scene, .init = recorder_prepare, .fini = recorder_clean);

#define INFO_BYTES (1u << 20)

static char info[INFO_BYTES];

/* What ttlog-view says of the dump that this line names. */
static const char *view(const char *line, const char *options)
{
	char command[2 * PATH_MAX + 64];
	FILE *viewer;
	size_t count;

	snprintf(command, sizeof(command), "%.*s/ttlog-view %s %s",
		 (int)(strrchr(recorder_program, '/') - recorder_program), recorder_program, options,
		 strrchr(line, ' ') + 1);
	viewer = popen(command, "r");
	cr_assert(viewer);
	count = fread(info, 1, sizeof(info) - 1, viewer);
	info[count] = '\0';
	cr_assert_eq(pclose(viewer), 0, "%s", command);
	return info;
}

static volatile uintptr_t nowhere = 8;

static void *fault(void *context)
{
	(void)context;
	prctl(PR_SET_NAME, "the-unlucky");
	*(volatile char *)nowhere = 1;
	return NULL;
}

static void load_and_fault(void)
{
	pthread_t thread;

	if (!dlopen("libm.so.6", RTLD_NOW))
		_exit(96);
	ready();
	pthread_create(&thread, NULL, fault, NULL);
	for (;;)
		pause();
}

/* The dump that comes next, if there is a kernel program to see the scene. */
static bool next_scene(struct recorder_process *recorder, char *ret_line)
{
	expect_line(recorder, ".bin", ret_line, LINE_BYTES);
	if (!strstr(view(ret_line, "--info --format json"), "\"rung\":\"pidfd\""))
		return true;
	stop_recorder(recorder);
	return false;
}

Test(recorder_scene, is_in_the_dump_and_in_what_the_viewer_says_of_it)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	start_recorder(&recorder, NONE);
	start_service(&service, load_and_fault);
	reap(&service);
	if (!next_scene(&recorder, line))
		cr_skip("no kernel program");
	cr_assert(strstr(line, "-sigsegv.bin"));
	cr_assert(strstr(view(line, "--info"), "stack of thread the-unlucky (tid "), "%s", info);
	cr_assert(strstr(info, "/test_recorder_scene"));
	cr_assert(strstr(info, "1 other thread has a known stack"));
	cr_assert(strstr(view(line, "--threads"), "stack of thread test_recorder_s (tid "), "%s", info);
	cr_assert(strstr(view(line, "--info --format json"), "\"name\":\"the-unlucky\",\"fatal\":true"));
	cr_assert(strstr(info, "\"fault_address\":\"0x8\",\"error_code\":6,\"trap\":14") ||
			  !strstr(info, "\"rip\""), "%s", info);
	cr_assert(strstr(info, "/libc.so"), "%s", info);
	stop_recorder(&recorder);
}

static void load_and_ask(void)
{
	if (!dlopen("libm.so.6", RTLD_NOW))
		_exit(96);
	ttlog_snapshot("loaded");
	ready();
	pause();
}

/* As before Linux 6.7: the mappings of the registration, and those of a snapshot. */
Test(recorder_scene, knows_a_library_from_a_snapshot_where_mappings_cannot_be_walked)
{
	static const char *const arguments[] = {"--pretend", "no-mapping-walk", NULL};
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	start_recorder(&recorder, arguments);
	start_service(&service, load_and_ask);
	expect_line(&recorder, "-snapshot-loaded.bin", line, sizeof(line));
	cr_assert(strstr(view(line, "--info --format json"), "\"scene\":null"));
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	if (!next_scene(&recorder, line))
		cr_skip("no kernel program");
	cr_assert(strstr(line, "-sigkill.bin"));
	cr_assert(strstr(view(line, "--info --format json"), "/libm.so.6\""), "%s", info);
	cr_assert(strstr(info, "/libc.so"), "%s", info);
	stop_recorder(&recorder);
}
