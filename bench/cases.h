/* SPDX-License-Identifier: MIT */
/*
 * cases.h - the events that are measured, the same in every program: what a service would write.
 *
 * "3 fields" is a 64-bit number, an int and a short string: a literal, or, where it says "unknown", one
 * whose length the compiler does not know. i is the number of the event; what is recorded depends on
 * it, so that nothing can be computed ahead. CASES(X) is X(name, what it is) for each.
 */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include <stdint.h>

#define TTLOG_TARGET "bench"
#include "lib/ttlog.h"

#define CASE_ static inline __attribute__((always_inline, unused)) void

/* 100 bytes and a NUL. Volatile pointer: its length must not be a constant of the compiler. */
static const char case_text[] =
	"select name, price from articles where supplier = 4711 and price < 100 order by price limit 50 ; end";
static const char *volatile case_string __attribute__((unused)) = case_text;
_Static_assert(sizeof(case_text) == 101, "100 bytes");

/* 3 to 6 letters, whose lengths the compiler does not know either. */
static const char *const case_words[] = {"GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "TRACE", "REPORT"};
static const char *const *volatile case_methods __attribute__((unused)) = case_words;

CASE_ case_fields_0(uint64_t i)
{
	(void)i;
	ttlog_info("Tick");
}

CASE_ case_fields_1(uint64_t i)
{
	ttlog_info("Request accepted", "request_id", i);
}

/* The event of every target and of all peers: 32 bytes. The string is a literal, "GET". */
CASE_ case_fields_3(uint64_t i)
{
	ttlog_info("Request processed", "request_id", i, "status", (int)(200 + (i & 3)), "method", "GET");
}

/* The same with a string that is only known when it runs: its length is counted, and it is copied. */
CASE_ case_fields_3s(uint64_t i)
{
	ttlog_info("Request processed", "request_id", i, "status", (int)(200 + (i & 3)), "method",
		   case_methods[i & 7]);
}

CASE_ case_fields_8(uint64_t i)
{
	ttlog_info("Request processed", "request_id", i, "status", (int)(200 + (i & 3)), "bytes",
		   (uint32_t)i * 17, "duration", (double)i, "cached", (_Bool)(i & 1), "port", (uint16_t)i,
		   "peer", i ^ 4711, "shard", (uint8_t)i);
}

CASE_ case_string_100(uint64_t i)
{
	(void)i;
	ttlog_info("Query", "sql", case_string);
}

CASE_ case_disabled(uint64_t i)
{
	ttlog_debug("Request processed", "request_id", i, "status", (int)(200 + (i & 3)), "method", "GET");
}

CASE_ case_alert(uint64_t i)
{
	ttlog_warn("Request refused", "request_id", i, "status", (int)(500 + (i & 3)), "method", "GET");
}

#define CASES(X) \
	X(fields_0, "no field") \
	X(fields_1, "1 field") \
	X(fields_3, "3 fields") \
	X(fields_3s, "3 fields, string unknown") \
	X(fields_8, "8 fields") \
	X(string_100, "100-byte string") \
	X(alert, "alert (warn), 3 fields") \
	X(disabled, "below the level")

#endif
