/* SPDX-License-Identifier: MIT */
/*
 * api_values.c - records a value of every type at its extremes, and dies. Compiled as C and as C++ by
 * api_values.sh, which compares what the viewer shows with what was meant.
 */
#define TTLOG_TARGET "values"
#include <ttlog.h>

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#ifdef __cplusplus
#include <string>
enum class Scoped : short { low = -2 };
#endif

enum colour { RED = -1, GREEN = 7 };

static void integers(void)
{
	const signed char sc = SCHAR_MIN;
	const unsigned char uc = UCHAR_MAX;
	const short s = SHRT_MIN;
	const unsigned short us = USHRT_MAX;
	const enum colour colour = RED;

	ttlog_info("integers", "sc", sc, "uc", uc, "s", s, "us", us, "i", INT_MIN, "u", UINT_MAX, "l", LONG_MIN,
		   "ul", ULONG_MAX, "ll", LLONG_MIN, "ull", ULLONG_MAX, "max", LLONG_MAX, "colour", colour);
}

static void others(void)
{
	const bool yes = true, no = false;
	const char c = 'x', quote = '"', high = (char)0xe9;

	ttlog_info("others", "yes", yes, "no", no, "c", c, "quote", quote, "high", high, "f", 0.1f, "d", 0.1, "min",
		   DBL_MIN, "max", DBL_MAX, "negative", -0.0, "nan", (double)NAN, "infinity", (double)-INFINITY);
}

static void strings(void)
{
	char array[8] = "array";
	const char *nothing = NULL;
	const struct ttlog_interned interned = ttlog_intern("interned \xc3\xa9");
	const struct ttlog_interned empty = {0};

	ttlog_info("strings", "array", array, "nothing", nothing, "literal", "a\tb\"c\\d\n", "utf8", "\xc3\xa9", "empty",
		   "", "not_utf8", "\xff\xfe", "bytes", ttlog_bytes("\0\1\xff", 3), "none", ttlog_bytes(NULL, 9),
		   "interned", interned, "no_string", empty, "pointer", (void *)0x1234);
}

static void levels(void)
{
	ttlog_trace("trace");
	ttlog_debug("debug");
	ttlog_warn("warn", "a", 1);
	ttlog_error("error", "a", 1);
	ttlog_fatal("fatal", "a", 1);
	ttlog_infof("%d %5.2f %s %c %lu %#x|%-4d|%%", -1, 2.5, "text", 'x', ULONG_MAX, 255u, 7);
	ttlog_warnf("nothing to format");
}

static void filtered(void)
{
	int evaluated = 0;

	ttlog_set_level(TTLOG_ERROR);
	ttlog_info("never", "evaluated", ++evaluated);
	ttlog_warn("never", "evaluated", ++evaluated);
	ttlog_error("once", "evaluated", ++evaluated);
	ttlog_set_level(TTLOG_TRACE);
}

static void in_cxx_too(void)
{
#ifdef __cplusplus
	const std::string owned("a\0b", 3);

	ttlog_info("c++", "owned", std::string("temporary"), "view", std::string_view("abc").substr(1), "scoped",
		   Scoped::low, "cut_at_nul", owned, "null", nullptr);
#endif
}

int main(void)
{
	ttlog_init("values");
	integers();
	others();
	strings();
	levels();
	filtered();
	in_cxx_too();
	abort();
}
