/* SPDX-License-Identifier: MIT */
/* test_message.c - printf formats against values, honest and hostile ones. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "viewer/message.h"

static struct value integer(enum field_type type, int64_t number)
{
	struct value value = {.kind = number < 0 ? VALUE_NEGATIVE : VALUE_UINT, .type = type};

	value.number = number < 0 ? ~(uint64_t)number : (uint64_t)number;
	return value;
}

static struct value unsigned_of(enum field_type type, uint64_t number)
{
	return (struct value){.kind = VALUE_UINT, .type = type, .number = number};
}

static struct value real(double number)
{
	return (struct value){.kind = VALUE_F64, .type = FIELD_F64, .real = number};
}

static struct value text(const char *data)
{
	return (struct value){.kind = VALUE_TEXT, .type = FIELD_STRING, .span = {data, strlen(data)}};
}

static struct out out;

static const char *formatted(const char *format, const struct value *values, uint32_t count)
{
	struct site site = {.printf = true, .message = {format, strlen(format)}};

	out.bytes = 0;
	message_write(&out, &site, values, count);
	out_char(&out, '\0');
	return out.data;
}

static void setup(void)
{
	out_init(&out, -1);
}

static void teardown(void)
{
	out_fini(&out);
}

TestSuite(message, .init = setup, .fini = teardown);

#define EXPECT(wanted, format, ...) \
	do { \
		const struct value values_[] = {__VA_ARGS__}; \
\
		cr_expect_str_eq(formatted(format, values_, sizeof(values_) / sizeof(*values_)), wanted); \
	} while (0)

/* What the C library says to the same arguments is right. */
#define AS_PRINTF(format, argument, value) \
	do { \
		char wanted_[256]; \
\
		snprintf(wanted_, sizeof(wanted_), format, argument); \
		EXPECT(wanted_, format, value); \
	} while (0)

Test(message, integers_look_as_printf_prints_them)
{
	AS_PRINTF("%d", 42, integer(FIELD_I32, 42));
	AS_PRINTF("%i", -42, integer(FIELD_I32, -42));
	AS_PRINTF("%+d", 42, integer(FIELD_I32, 42));
	AS_PRINTF("% d", 42, integer(FIELD_I32, 42));
	AS_PRINTF("%08d", -42, integer(FIELD_I32, -42));
	AS_PRINTF("%-8d|", 42, integer(FIELD_I32, 42));
	AS_PRINTF("%8.4d", 42, integer(FIELD_I32, 42));
	AS_PRINTF("%u", 4294967295u, unsigned_of(FIELD_U32, 4294967295u));
	AS_PRINTF("%x", -1, integer(FIELD_I32, -1));
	AS_PRINTF("%#X", 255, integer(FIELD_I32, 255));
	AS_PRINTF("%#o", 8, integer(FIELD_I32, 8));
	AS_PRINTF("%hhx", (unsigned char)0x1ff, integer(FIELD_I32, 0x1ff));
	AS_PRINTF("%hx", (unsigned short)-1, integer(FIELD_I16, -1));
	AS_PRINTF("%lx", -1L, integer(FIELD_I64, -1));
	AS_PRINTF("%llu", 18446744073709551615ull, unsigned_of(FIELD_U64, UINT64_MAX));
	AS_PRINTF("%ld", INT64_MIN, integer(FIELD_I64, INT64_MIN));
	AS_PRINTF("%zu", (size_t)7, unsigned_of(FIELD_U64, 7));
	AS_PRINTF("%jd", (intmax_t)-7, integer(FIELD_I64, -7));
	AS_PRINTF("%td", (ptrdiff_t)-7, integer(FIELD_I64, -7));
}

Test(message, reals_strings_chars_and_pointers_do_too)
{
	AS_PRINTF("%f", 1.5, real(1.5));
	AS_PRINTF("%.3e", 12345.678, real(12345.678));
	AS_PRINTF("%10.2f|", -3.14159, real(-3.14159));
	AS_PRINTF("%g", 1e300, real(1e300));
	AS_PRINTF("%A", 0.1, real(0.1));
	AS_PRINTF("%F", INFINITY, real(INFINITY));
	AS_PRINTF("%s", "hello", text("hello"));
	AS_PRINTF("[%10s]", "hello", text("hello"));
	AS_PRINTF("[%-10s]", "hello", text("hello"));
	AS_PRINTF("[%.2s]", "hello", text("hello"));
	AS_PRINTF("[%c]", 'x', unsigned_of(FIELD_CHAR, 'x'));
	AS_PRINTF("[%3c]", 'x', integer(FIELD_I32, 'x'));
	AS_PRINTF("%p", (void *)0x7fff1234, unsigned_of(FIELD_POINTER, 0x7fff1234));
	AS_PRINTF("[%20p]", (void *)0x1234, unsigned_of(FIELD_POINTER, 0x1234));
	AS_PRINTF("%p", (void *)0, unsigned_of(FIELD_POINTER, 0));
	EXPECT("100% of a, b", "100%% of %s, %s", text("a"), text("b"));
	EXPECT("0.1", "%g", ((struct value){.kind = VALUE_F32, .type = FIELD_F32, .real = 0.1f}));
	EXPECT("1", "%d", ((struct value){.kind = VALUE_BOOL, .type = FIELD_BOOL, .number = 1}));
}

Test(message, what_is_odd_stands_as_it_is)
{
	EXPECT("%n", "%n", integer(FIELD_I64, 1));
	EXPECT("%s", "%s", integer(FIELD_I32, 0x41414141));
	EXPECT("%d", "%d", text("no number"));
	EXPECT("%f", "%f", integer(FIELD_I32, 1));
	EXPECT("%p", "%p", text("no pointer"));
	EXPECT("%*d", "%*d", integer(FIELD_I32, 5), integer(FIELD_I32, 6));
	EXPECT("%1$s", "%1$s", text("x"));
	EXPECT("%ls %lc", "%ls %lc", text("x"), integer(FIELD_I32, 'x'));
	EXPECT("%y%", "%y%", integer(FIELD_I32, 1));
	EXPECT("%", "%", integer(FIELD_I32, 1));
	EXPECT("%-", "%-", integer(FIELD_I32, 1));
	EXPECT("%.", "%.", integer(FIELD_I32, 1));
	EXPECT("%hh", "%hh", integer(FIELD_I32, 1));
	EXPECT("%99999999999999999999d", "%99999999999999999999d", integer(FIELD_I32, 1));
	EXPECT("%.99999d", "%.99999d", integer(FIELD_I32, 1));
	EXPECT("%m", "%m", integer(FIELD_I32, 1));
	EXPECT("1 and %d", "%d and %d", integer(FIELD_I32, 1));
	EXPECT("%d 2", "%d %d", text("taken"), integer(FIELD_I32, 2));
}

Test(message, a_zero_byte_in_a_format_ends_nothing)
{
	struct site site = {.printf = true, .message = {"a\0%\0d%d", 7}};
	struct value value = integer(FIELD_I32, 5);

	out.bytes = 0;
	message_write(&out, &site, &value, 1);
	cr_expect_eq(out.bytes, 6);
	cr_expect_eq(memcmp(out.data, "a\0%\0d5", 6), 0);
}

Test(message, the_widest_that_is_allowed_is_printed)
{
	struct value value = integer(FIELD_I32, 7);

	cr_expect_eq(strlen(formatted("%1000d", &value, 1)), 1000);
	value = real(1e308);
	cr_expect_eq(strlen(formatted("%1000.1000f", &value, 1)), 309 + 1 + 1000);
}

static void expect_value(const char *wanted, struct value value)
{
	out.bytes = 0;
	value_write(&out, &value);
	out_char(&out, '\0');
	cr_expect_str_eq(out.data, wanted);
}

Test(message, values_are_exact_and_short)
{
	expect_value("18446744073709551615", unsigned_of(FIELD_U64, UINT64_MAX));
	expect_value("-9223372036854775808", integer(FIELD_I64, INT64_MIN));
	expect_value("-18446744073709551616",
		     (struct value){.kind = VALUE_NEGATIVE, .number = UINT64_MAX});
	expect_value("0.1", real(0.1));
	expect_value("0.30000000000000004", real(0.1 + 0.2));
	expect_value("0.1", (struct value){.kind = VALUE_F32, .real = 0.1f});
	expect_value("1e+300", real(1e300));
	expect_value("nan", real(NAN));
	expect_value("-inf", real(-INFINITY));
	expect_value("true", (struct value){.kind = VALUE_BOOL, .number = 1});
	expect_value("0xffffffffffffffff", unsigned_of(FIELD_POINTER, UINT64_MAX));
	expect_value("x", unsigned_of(FIELD_CHAR, 'x'));
	expect_value("00ff10", (struct value){.kind = VALUE_BYTES, .span = {"\0\xff\x10", 3}});
}
