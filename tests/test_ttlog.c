/* SPDX-License-Identifier: MIT */
/* test_ttlog.c - the calls of ttlog.h: start and end, levels, counts, bindings, and what they cost.
 */
#include "lib/ttlog.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "tests/own_region.h"

static void number(uint64_t n)
{
	ttlog_info("numbered", "n", n);
}

static struct ttlog_stats stats_now(void)
{
	struct ttlog_stats stats = {.size = sizeof(stats)};

	cr_assert_eq(ttlog_get_stats(&stats), 0);
	return stats;
}

/* ---- start and end ----------------------------------------------------------------------------
 */

Test(ttlog, init_twice_is_already)
{
	cr_expect_eq(ttlog_init("first"), 0);
	cr_expect_eq(ttlog_init("second"), -EALREADY);
	cr_expect_str_eq(ttlog_place_.geometry.service, "");
	cr_expect_str_eq(((struct ttlog_region_header *)(void *)ttlog_place_.base)->service,
			 "first");
}

Test(ttlog, the_first_event_is_an_init)
{
	struct ttlog_geometry plan;

	cr_expect_eq(stats_now().region_bytes, 0);
	number(0);
	ttlog_region_plan(1 << 20, &plan);
	cr_expect_eq(stats_now().region_bytes, plan.region_bytes);
	cr_expect_eq(ttlog_init("late"), -EALREADY);
}

Test(ttlog, wrong_options_start_nothing)
{
	struct ttlog_options wrong = {.size = sizeof(wrong), .level = "loud"};

	cr_expect_eq(ttlog_init_with(NULL), -EINVAL);
	cr_expect_eq(ttlog_init_with(&wrong), -EINVAL);
	wrong = (struct ttlog_options){.size = 3};
	cr_expect_eq(ttlog_init_with(&wrong), -EINVAL);
	cr_expect_eq(ttlog_init(""), -EINVAL);
	cr_expect_eq(stats_now().region_bytes, 0);
	cr_expect_eq(ttlog_init("right"), 0);
}

Test(ttlog, closed_it_records_nothing_and_opened_again_it_goes_on)
{
	number(0);
	ttlog_close();
	number(100);
	ttlog_error("not recorded", "n", 1);
	cr_expect_not(ttlog_enabled(TTLOG_FATAL));
	cr_expect_eq(ttlog_intern("closed").id, 0);
	cr_expect_eq(ttlog_set_level(TTLOG_TRACE), -ENOTCONN);
	cr_expect_eq(stats_now().retained, 1, "what is there can still be counted");
	ttlog_close();
	cr_expect_eq(ttlog_init("again"), 0);
	number(1);
	cr_expect_eq(ttlog_init("again"), -EALREADY);
	cr_expect_eq(numbered_now("numbered").count, 2);
	cr_expect_eq(numbered_now("numbered").gaps, 0);
	cr_expect_eq(totals_now().events, 2);
	cr_expect_eq(stats_now().dropped, 0, "what is below the threshold is not lost");
}

Test(ttlog, close_without_a_start_is_nothing)
{
	ttlog_close();
	number(0);
	cr_expect_eq(numbered_now("numbered").count, 1);
}

/* ---- levels -----------------------------------------------------------------------------------
 */

static uint64_t evaluated;

static uint64_t evaluate(void)
{
	return ++evaluated;
}

Test(ttlog, arguments_are_evaluated_once_and_only_if_the_level_is_recorded)
{
	begin(0);
	cr_assert_eq(ttlog_set_level(TTLOG_WARN), 0);
	ttlog_trace("no", "n", evaluate());
	ttlog_debug("no", "n", evaluate());
	ttlog_info("no", "n", evaluate());
	ttlog_infof("no %" PRIu64, evaluate());
	cr_expect_eq(evaluated, 0);
	ttlog_warn("yes", "n", evaluate());
	ttlog_error("yes", "n", evaluate());
	ttlog_fatal("yes", "n", evaluate());
	cr_expect_eq(evaluated, 3);
	cr_assert_eq(ttlog_set_level(TTLOG_TRACE), 0);
	for (uint64_t i = 0; i < 1000; i++)
		ttlog_info("each", "n", evaluate());
	cr_expect_eq(evaluated, 1003, "on the slow way too");
	cr_expect_eq(numbered_now("yes").count, 3);
	cr_expect_eq(numbered_now("no").count, 0);
}

Test(ttlog, each_level_is_a_threshold)
{
	begin(0);
	for (uint32_t level = TTLOG_TRACE; level <= TTLOG_OFF; level++) {
		uint64_t before = stats_now().retained;

		cr_assert_eq(ttlog_set_level((enum ttlog_level)level), 0);
		cr_expect_eq(stats_now().level, level);
		ttlog_trace("leveled");
		ttlog_debug("leveled");
		ttlog_info("leveled");
		ttlog_warn("leveled");
		ttlog_error("leveled");
		ttlog_fatal("leveled");
		cr_expect_eq(stats_now().retained - before, TTLOG_OFF - level);
	}
	cr_expect_eq(ttlog_set_level((enum ttlog_level)7), -EINVAL);
	cr_expect_eq(ttlog_set_level((enum ttlog_level) - 1), -EINVAL);
	cr_expect_eq(stats_now().level, TTLOG_OFF);
}

Test(ttlog, the_level_of_the_environment_holds_from_the_first_event_that_reaches_it)
{
	setenv("TTLOG_LEVEL", "error", 1);
	cr_assert_eq(ttlog_init(NULL), 0);
	ttlog_info("below");
	ttlog_error("above");
	cr_expect_eq(totals_now().events, 1);
}

/* ---- counts -----------------------------------------------------------------------------------
 */

Test(ttlog, stats_say_what_there_is)
{
	const uint64_t count = 300000; /* more than fit the least region, wherever */
	struct ttlog_stats stats;

	begin(1 << 20);
	for (uint64_t i = 0; i < count; i++)
		number(i);
	ttlog_intern("string");
	stats = stats_now();
	cr_expect_eq(stats.size, sizeof(stats));
	cr_expect_eq(stats.retained + stats.overwritten, count);
	cr_expect_gt(stats.overwritten, 0);
	cr_expect_eq(stats.dropped, 0);
	cr_expect_eq(stats.sites, 2);
	cr_expect_eq(stats.connected, 0);
	cr_expect_eq(stats.frozen, 0);
}

Test(ttlog, stats_of_an_older_header_are_shorter)
{
	struct ttlog_stats stats;

	number(0);
	memset(&stats, 0xee, sizeof(stats));
	stats.size = offsetof(struct ttlog_stats, overwritten);
	cr_expect_eq(ttlog_get_stats(&stats), 0);
	cr_expect_eq(stats.size, offsetof(struct ttlog_stats, overwritten));
	cr_expect_eq(stats.retained, 1);
	cr_expect_eq(stats.overwritten, UINT64_C(0xeeeeeeeeeeeeeeee), "not touched");
	stats.size = 7;
	cr_expect_eq(ttlog_get_stats(&stats), -EINVAL);
	cr_expect_eq(ttlog_get_stats(NULL), -EINVAL);
	stats.size = sizeof(stats) + 100;
	cr_expect_eq(ttlog_get_stats(&stats), 0);
	cr_expect_eq(stats.size, sizeof(stats));
}

Test(ttlog, a_snapshot_without_a_recorder_is_not_connected)
{
	cr_expect_eq(ttlog_snapshot("reason"), -ENOTCONN);
	cr_expect_eq(ttlog_snapshot(NULL), -EINVAL);
}

/* ---- bindings ---------------------------------------------------------------------------------
 */

static const uint8_t two_types[] = {TTLOG_TYPE_I32, TTLOG_TYPE_STRING};
static const char *const two_names[] = {"number", "text"};

static struct ttlog_site two_fields(void)
{
	struct ttlog_site site = {.level = TTLOG_INFO,
				  .field_count = 2,
				  .message = "bound",
				  .file = "binding.py",
				  .names = two_names,
				  .types = two_types};

	return site;
}

Test(ttlog, a_binding_records)
{
	struct ttlog_site site = two_fields();
	struct ttlog_value values[] = {ttlog_value_i32(-5), ttlog_value_string("text")};
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;

	ttlog_record(&site, values, 2);
	reader = view();
	cr_assert_not_null(next_of(reader, "bound", &event));
	cr_expect_eq((int64_t)event.value[0].bits, -5);
	cr_expect_str_eq(event.value[1].data, "text");
	cr_expect_str_eq(ttlog_reader_site(reader, event.site)->target, "binding");
	ttlog_reader_close(reader);
	cr_assert_eq(ttlog_set_level(TTLOG_WARN), 0);
	ttlog_record(&site, values, 2);
	cr_expect_eq(totals_now().events, 1);
}

Test(ttlog, a_binding_may_have_no_fields_and_no_names)
{
	struct ttlog_site none = {.level = TTLOG_INFO}, format = {.level = TTLOG_ERROR,
								  .field_count = 1,
								  .flags = 1,
								  .message = "%d",
								  .types = two_types};
	struct ttlog_value value = ttlog_value_i32(1);

	ttlog_record(&none, NULL, 0);
	ttlog_record(&format, &value, 1);
	cr_expect_eq(numbered_now("").count, 1);
	cr_expect_eq(numbered_now("%d").count, 1);
}

Test(ttlog, what_does_not_fit_its_site_is_refused)
{
	struct ttlog_site site = two_fields();
	const struct ttlog_value right[] = {ttlog_value_i32(1), ttlog_value_string("x")};
	struct ttlog_value wrong[2];

	begin(0);
	ttlog_record(NULL, right, 2);
	ttlog_record(&site, right, 0);
	ttlog_record(&site, right, 1);
	ttlog_record(&site, right, 3);
	ttlog_record(&site, right, UINT32_MAX);
	ttlog_record(&site, NULL, 2);
#define WRONG(index, ...)                                                                          \
	do {                                                                                       \
		memcpy(wrong, right, sizeof(wrong));                                               \
		wrong[index] = (struct ttlog_value){__VA_ARGS__};                                  \
		ttlog_record(&site, wrong, 2);                                                     \
	} while (0)
	WRONG(0, .size = 0);
	WRONG(0, .size = 3);
	WRONG(0, .size = 5);
	WRONG(0, .size = 8);
	WRONG(0, .size = UINT32_MAX);
	WRONG(1, .data = "x", .size = 0);
	WRONG(1, .data = "x", .size = 65538);
	WRONG(1, .data = NULL, .size = 2);
	WRONG(1, .data = NULL, .size = 100);
	WRONG(1, .data = "a\0b", .size = 4);
	cr_expect_eq(stats_now().retained, 0);
	site.level = TTLOG_OFF;
	ttlog_record(&site, right, 2);
	cr_expect_eq(stats_now().retained, 0);
	site.level = TTLOG_INFO;
	ttlog_record(&site, right, 2);
	cr_expect_eq(stats_now().retained, 1);
}

Test(ttlog, a_null_string_of_a_binding_is_an_empty_one)
{
	struct ttlog_site site = two_fields();
	struct ttlog_value values[] = {ttlog_value_i32(1), {.data = NULL, .size = 1}};
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;

	ttlog_record(&site, values, 2);
	reader = view();
	cr_assert_not_null(next_of(reader, "bound", &event));
	cr_expect_str_eq(event.value[1].data, "");
	ttlog_reader_close(reader);
}

/* ---- what it costs ----------------------------------------------------------------------------
 */

/* Ends the process at any system call but those that end it. */
static void allow_nothing(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	CHILD_CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHILD_CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void record_a_bit_of_everything(uint64_t n)
{
	char text[600];

	number(n);
	memset(text, 't', n % 599);
	text[n % 599] = '\0';
	ttlog_debug("with text", "text", text, "n", n);
	if (n % 50 == 0)
		ttlog_error("alert", "n", n, "text", text);
	if (n % 1000 == 0)
		ttlog_info("new string", "string", ttlog_intern(text));
}

Test(ttlog, recording_makes_no_system_call)
{
	struct {
		uint64_t events, overwritten;
	} *seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();

	if (pid == 0) {
		struct ttlog_stats stats = {.size = sizeof(stats)};

		number(0);
		allow_nothing();
		/* Laps of the main lane and of the alerts, sites that are new, strings, counts. */
		for (uint64_t i = 1; i < 100000; i++)
			record_a_bit_of_everything(i);
		ttlog_set_level(TTLOG_INFO);
		ttlog_get_stats(&stats);
		seen->events = stats.retained;
		seen->overwritten = stats.overwritten;
		syscall(SYS_exit_group, stats.dropped != 0);
	}
	expect_success(pid);
	cr_expect_eq(seen->events + seen->overwritten, 1 + 2 * 99999 + 1999 + 99);
	cr_expect_gt(seen->overwritten, 100000);
}

Test(ttlog, the_filter_of_that_test_is_a_filter)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		allow_nothing();
		syscall(SYS_getpid);
		syscall(SYS_exit_group, 0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}
