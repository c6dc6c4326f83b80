/* SPDX-License-Identifier: MIT */
/*
 * test_settings.c - the environment and the options, with all the nonsense that people write there.
 *
 * That a set-uid program ignores the environment is secure_getenv()'s doing. It can't be shown here:
 * the mode is taken from the auxiliary vector at exec, so it takes a set-uid file and a second user.
 */
#include "lib/settings.h"
#include "tests/own_region.h"

static struct ttlog_settings with(const char *name, const char *text)
{
	struct ttlog_settings settings;

	setenv(name, text, 1);
	ttlog_settings_from_environment(&settings);
	return settings;
}

static const char long_path[] =
	"/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789";

Test(settings, sizes_have_units_of_1024_in_either_case)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} right[] = {
		{"0", 0},	       {"1", 1},		  {"16777216", 16777216},
		{"64K", 65536},	       {"64k", 65536},		  {"16m", 16 << 20},
		{"2G", UINT64_C(2) << 30}, {"1g", UINT64_C(1) << 30}, {"007M", 7 << 20},
		{"18446744073709551609", UINT64_C(18446744073709551609)},
	};

	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		uint64_t bytes = 99;

		cr_expect_eq(ttlog_settings_parse_size(right[i].text, &bytes), 0, "%s", right[i].text);
		cr_expect_eq(bytes, right[i].bytes, "%s", right[i].text);
	}
}

Test(settings, sizes_that_are_none_are_refused_and_change_nothing)
{
	static const char *const wrong[] = {"",	  "M",	 "-1",	"+1",  "1.5M", "0x10", " 1",	"1 ",	"1MB",
					    "1T", "1KK", "1e6", "1,0", "K1",   "99999999999999999999",
					    "17179869184G", "18446744073709551615K"};
	uint64_t bytes = 99;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_eq(ttlog_settings_parse_size(wrong[i], &bytes), -EINVAL, "%s", wrong[i]);
	cr_expect_eq(bytes, 99);
}

Test(settings, levels_have_names_in_any_case)
{
	static const char *const names[] = {"trace", "DEBUG", "Info", "wArN", "error", "fatal", "OFF"};
	static const char *const wrong[] = {"", "0", "info ", "informational", "warn\n", "o"};
	uint32_t level = 99;

	for (uint32_t i = 0; i < 7; i++) {
		cr_expect_eq(ttlog_settings_parse_level(names[i], &level), 0, "%s", names[i]);
		cr_expect_eq(level, i);
	}
	cr_expect_eq(ttlog_settings_parse_level("Warning", &level), 0);
	cr_expect_eq(level, TTLOG_WARN);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_eq(ttlog_settings_parse_level(wrong[i], &level), -EINVAL, "%s", wrong[i]);
	cr_expect_eq(level, TTLOG_WARN);
}

Test(settings, clock_modes_have_names_in_any_case)
{
	static const char *const names[] = {"exact", "Sparse", "COARSE"};
	static const char *const wrong[] = {"", "0", "sparse ", "16", "spars", "tsc"};
	uint32_t mode = 99;

	for (uint32_t i = 0; i < 3; i++) {
		cr_expect_eq(ttlog_settings_parse_clock(names[i], &mode), 0, "%s", names[i]);
		cr_expect_eq(mode, i);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_eq(ttlog_settings_parse_clock(wrong[i], &mode), -EINVAL, "%s", wrong[i]);
	cr_expect_eq(mode, TTLOG_CLOCK_COARSE);
}

Test(settings, seconds_are_whole_numbers)
{
	static const char *const wrong[] = {"", "-1", "1.5", "1s", "4294967296", "ten", " 1"};
	uint32_t seconds = 99;

	cr_expect_eq(ttlog_settings_parse_number("4294967295", &seconds), 0);
	cr_expect_eq(seconds, UINT32_MAX);
	cr_expect_eq(ttlog_settings_parse_number("0", &seconds), 0);
	cr_expect_eq(seconds, 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_eq(ttlog_settings_parse_number(wrong[i], &seconds), -EINVAL, "%s", wrong[i]);
	cr_expect_eq(seconds, 0);
}

Test(settings, without_an_environment_there_are_defaults)
{
	struct ttlog_settings settings;

	unsetenv("TTLOG_SOCKET");
	unsetenv("TTLOG_BUFFER_SIZE");
	ttlog_settings_from_environment(&settings);
	cr_expect_str_eq(settings.service, program_invocation_short_name);
	cr_expect_str_eq(settings.socket, TTLOG_SOCKET_DEFAULT);
	cr_expect_eq(settings.region_bytes, TTLOG_REGION_BYTES_DEFAULT);
	cr_expect_eq(settings.level, TTLOG_TRACE);
	cr_expect_eq(settings.flush_interval_s, 0);
	cr_expect_eq(settings.channel_bytes, 0);
	cr_expect_eq(settings.clock_mode, TTLOG_CLOCK_EXACT);
	cr_expect_not(settings.debug);
}

Test(settings, the_environment_sets_each_of_them)
{
	struct ttlog_settings settings;

	setenv("TTLOG_SERVICE_NAME", "orders", 1);
	setenv("TTLOG_SOCKET", "/tmp/x.sock", 1);
	setenv("TTLOG_BUFFER_SIZE", "64M", 1);
	setenv("TTLOG_LEVEL", "error", 1);
	setenv("TTLOG_FLUSH_INTERVAL", "30", 1);
	ttlog_settings_from_environment(&settings);
	cr_expect_str_eq(settings.service, "orders");
	cr_expect_str_eq(settings.socket, "/tmp/x.sock");
	cr_expect_eq(settings.region_bytes, 64 << 20);
	cr_expect_eq(settings.level, TTLOG_ERROR);
	cr_expect_eq(settings.flush_interval_s, 30);
	cr_expect_eq(with("TTLOG_CLOCK", "coarse").clock_mode, TTLOG_CLOCK_COARSE);
	cr_expect_eq(with("TTLOG_CHANNEL_MEMORY", "128M").channel_bytes, 128 << 20);
	cr_expect(with("TTLOG_DEBUG", "1").debug);
	cr_expect_not(with("TTLOG_DEBUG", "0").debug);
	cr_expect_not(with("TTLOG_DEBUG", "").debug);
}

Test(settings, nonsense_in_the_environment_is_ignored)
{
	unsetenv("TTLOG_BUFFER_SIZE");
	unsetenv("TTLOG_SOCKET");
	cr_expect_eq(with("TTLOG_BUFFER_SIZE", "lots").region_bytes, TTLOG_REGION_BYTES_DEFAULT);
	cr_expect_eq(with("TTLOG_BUFFER_SIZE", "1").region_bytes, TTLOG_REGION_BYTES_DEFAULT);
	cr_expect_eq(with("TTLOG_BUFFER_SIZE", "5G").region_bytes, TTLOG_REGION_BYTES_DEFAULT);
	cr_expect_eq(with("TTLOG_BUFFER_SIZE", "").region_bytes, TTLOG_REGION_BYTES_DEFAULT);
	cr_expect_eq(with("TTLOG_CHANNEL_MEMORY", "1K").channel_bytes, 0);
	cr_expect_eq(with("TTLOG_CHANNEL_MEMORY", "3G").channel_bytes, 0);
	cr_expect_eq(with("TTLOG_CHANNEL_MEMORY", "0").channel_bytes, 0);
	cr_expect_eq(with("TTLOG_LEVEL", "loud").level, TTLOG_TRACE);
	cr_expect_eq(with("TTLOG_FLUSH_INTERVAL", "often").flush_interval_s, 0);
	cr_expect_eq(with("TTLOG_CLOCK", "often").clock_mode, TTLOG_CLOCK_EXACT);
	cr_expect_str_eq(with("TTLOG_SERVICE_NAME", "").service, program_invocation_short_name);
	cr_expect_str_eq(with("TTLOG_SOCKET", long_path).socket, TTLOG_SOCKET_DEFAULT);
	cr_expect_str_eq(with("TTLOG_SOCKET", "").socket, "", "an empty path means no recorder");
}

Test(settings, long_service_names_are_cut_and_end)
{
	char name[200];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	cr_expect_eq(strlen(with("TTLOG_SERVICE_NAME", name).service), TTLOG_SERVICE_BYTES - 1);
}

Test(settings, a_cut_service_name_is_still_utf8)
{
	char name[100] = "";

	/* 21 signs of 3 bytes are 63; with an "x" in front the 21st does not fit whole. */
	strcat(name, "x");
	for (int i = 0; i < 30; i++)
		strcat(name, "\xe2\x82\xac");
	cr_expect_eq(strlen(with("TTLOG_SERVICE_NAME", name).service), 1 + 20 * 3);
}

Test(settings, options_come_before_the_environment)
{
	struct ttlog_options options = {.size = sizeof(options), .service = "mine", .level = "warn",
				       .channel_bytes = 1 << 20, .clock = "sparse"};
	struct ttlog_settings settings;

	setenv("TTLOG_SERVICE_NAME", "theirs", 1);
	setenv("TTLOG_FLUSH_INTERVAL", "7", 1);
	setenv("TTLOG_CLOCK", "coarse", 1);
	ttlog_settings_from_environment(&settings);
	cr_assert_eq(ttlog_settings_apply(&settings, &options), 0);
	cr_expect_str_eq(settings.service, "mine");
	cr_expect_eq(settings.level, TTLOG_WARN);
	cr_expect_eq(settings.clock_mode, TTLOG_CLOCK_SPARSE);
	cr_expect_eq(settings.channel_bytes, 1 << 20);
	cr_expect_eq(settings.flush_interval_s, 7, "an option that is not set leaves the environment's");
	cr_expect_eq(settings.region_bytes, 1 << 20);
}

Test(settings, wrong_options_are_refused_and_change_nothing)
{
	const size_t size = sizeof(struct ttlog_options);
	const struct ttlog_options wrong[] = {
		{.size = 0, .service = "changed"},
		{.size = 7, .service = "changed"},
		{.size = 4097, .service = "changed"},
		{.size = size, .service = ""},
		{.size = size, .service = "changed", .level = "loud"},
		{.size = size, .service = "changed", .buffer_bytes = 4096},
		{.size = size, .service = "changed", .buffer_bytes = UINT64_MAX},
		{.size = size, .service = "changed", .socket = long_path},
		{.size = size, .service = "changed", .clock = "often"},
	};
	struct ttlog_settings before, settings;

	ttlog_settings_from_environment(&settings);
	before = settings;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_expect_eq(ttlog_settings_apply(&settings, &wrong[i]), -EINVAL, "row %zu", i);
		cr_expect_eq(memcmp(&before, &settings, sizeof(before)), 0, "row %zu", i);
	}
	cr_expect_eq(ttlog_settings_apply(&settings, NULL), -EINVAL);
}

Test(settings, a_program_of_an_older_header_passes_less)
{
	struct ttlog_options options = {.size = offsetof(struct ttlog_options, socket),
					.service = "older",
					.socket = (const char *)8}; /* not there for it: never looked at */
	struct ttlog_settings settings;

	ttlog_settings_from_environment(&settings);
	cr_assert_eq(ttlog_settings_apply(&settings, &options), 0);
	cr_expect_str_eq(settings.service, "older");
	cr_expect_str_eq(settings.socket, "");
}

Test(settings, a_program_of_a_newer_header_passes_more)
{
	struct {
		struct ttlog_options options;
		uint64_t later[4];
	} newer = {.options = {.size = sizeof(newer), .service = "newer", .debug = 1}};
	struct ttlog_settings settings;

	ttlog_settings_from_environment(&settings);
	cr_assert_eq(ttlog_settings_apply(&settings, &newer.options), 0);
	cr_expect_str_eq(settings.service, "newer");
	cr_expect(settings.debug);
}

Test(settings, debug_lines_are_cut_and_go_to_stderr_only_when_asked_for)
{
	struct ttlog_settings settings = {.debug = false};
	char detail[1000], seen[2000];
	int pipe_fds[2];
	ssize_t length;

	memset(detail, 'd', sizeof(detail) - 1);
	detail[sizeof(detail) - 1] = '\0';
	cr_assert_eq(pipe(pipe_fds), 0);
	dup2(pipe_fds[1], STDERR_FILENO);
	ttlog_debug_line(&settings, "nobody asked", NULL);
	settings.debug = true;
	ttlog_debug_line(&settings, "text", detail);
	length = read(pipe_fds[0], seen, sizeof(seen));
	cr_expect_eq(length, 256);
	cr_expect_eq(memcmp(seen, "ttlog: text: ddd", 16), 0);
	cr_expect_eq(seen[255], '\n');
	ttlog_debug_line(&settings, "text", NULL);
	length = read(pipe_fds[0], seen, sizeof(seen));
	cr_expect_eq(length, 12);
}
