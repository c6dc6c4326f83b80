/* SPDX-License-Identifier: MIT */
/* test_dumper.c - what becomes of the stacks in a dump that others kept waiting. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "recorder/dumper.h"
#include "recorder/quota.h"
#include "tests/view_dump.h"

static struct loop *loop;
static struct workers *workers;
static struct calibration *calibration;
static struct store store;
static struct dumper dumper;
static char folder[] = "/tmp/ttlog-test-dumper-XXXXXX";
static char written[PATH_MAX];

static void told(void *context, uint64_t number, int err, const char *path)
{
	(void)context, (void)number;
	cr_assert_eq(err, 0, "%s", strerror(-err));
	snprintf(written, sizeof(written), "%s", path);
}

static void prepare(void)
{
	cr_assert(mkdtemp(folder));
	cr_assert_eq(loop_open(&loop), 0);
	cr_assert_eq(workers_prepare(&workers, loop, 1), 0);
	cr_assert_eq(calibration_open(&calibration, loop), 0);
	cr_assert_eq(store_open(&store, folder), 0);
	dumper_init(&dumper, workers, &store, calibration, "ebpf");
	cr_assert_eq(dumper_tell(&dumper, told, NULL), 0);
	dumper.unwinds = true;
}

static void clean(void)
{
	char command[128];

	workers_close(workers);
	calibration_close(calibration);
	store_close(&store);
	loop_close(loop);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(dumper, .init = prepare, .fini = clean, .timeout = 120);

/* Who unwinds is this program again, when a bound is broken: it must not run the tests. */
__attribute__((constructor)) static void be_no_child(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "unwind"))
		_exit(7);
}

static struct quota quota;

/* An empty region of nobody. */
static struct subject *make_subject(void)
{
	const struct quota_limits limits = {.clients_max = 1, .bytes_max = UINT64_C(1) << 30};
	struct subject *subject = calloc(1, sizeof(*subject));
	int fd;

	cr_assert(subject);
	ttlog_region_plan(1 << 20, &subject->geometry);
	cr_assert_eq(ttlog_region_make(&subject->geometry, "orders", TTLOG_CLOCK_MONOTONIC, &fd,
				       &subject->base), 0);
	close(fd);
	quota_init(&quota, &limits);
	subject->user = quota_get(&quota, 0);
	cr_assert_eq(quota_take(subject->user, subject->geometry.region_bytes), 0);
	calibration_begin(calibration);
	subject->calibration = calibration;
	subject->holders = 1;
	subject->root_fd = -1;
	subject->pid = getpid();
	subject->clock_source = TTLOG_CLOCK_MONOTONIC;
	strcpy(subject->service, "orders");
	return subject;
}

static struct capture *make_capture(void)
{
	const struct ttlog_bpf_thread thread = {
		.head = {.kind = TTLOG_BPF_THREAD, .tid = 77},
		.flags = TTLOG_BPF_THREAD_FATAL,
		.register_count = 17,
	};
	struct capture *capture = NULL;

	capture_take(&capture, &thread.head, sizeof(thread));
	cr_assert(capture);
	return capture;
}

/* What the dump says of that thread's stack, when a worker comes to it after so long. */
static void expect_note(unsigned int wait_ms, const char *note)
{
	const struct verdict verdict = {.how = VERDICT_SIGNAL, .have_signal = true, .signal = 9};
	struct subject *subject = make_subject();
	const struct meta_scene *scene;
	struct dump *dump;
	struct event event;
	const char *why;

	cr_assert_eq(dumper_submit(&dumper, subject, NULL, make_capture(), &verdict, "sigkill"), 0);
	usleep(wait_ms * 1000);
	cr_assert_eq(workers_start(workers), 0);
	while (!written[0])
		cr_assert_geq(loop_once(loop, -1), 0);
	subject_release(subject);
	cr_assert_eq(dump_open(&dump, written, &why), 0, "%s", why);
	while (dump_next(dump, &event))
		;
	scene = dump_scene(dump);
	cr_assert_eq(scene->thread_count, 1);
	cr_expect(span_is(scene->threads[0].note, note), "%.*s",
		  (int)scene->threads[0].note.bytes, scene->threads[0].note.data);
	cr_expect_eq(scene->threads[0].register_count, 17);
	dump_close(dump);
}

/* That the time passes is what it is about: nothing is waited for. */
Test(dumper, does_not_unwind_what_waited_for_two_seconds)
{
	expect_note(2100, "not unwound: too many dumps were waiting");
}

Test(dumper, does_not_unwind_where_that_is_not_wanted)
{
	dumper.unwinds = false;
	expect_note(0, "not unwound: not wanted");
}
