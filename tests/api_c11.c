/* SPDX-License-Identifier: MIT */
/*
 * api_c11.c - every macro and every value type of ttlog.h, as C11, C17 and gnu17.
 *
 * Compiled by api.sh with each compiler; never run. What a compiler says about it is the test.
 */
#define TTLOG_TARGET "api"
#include <ttlog.h>

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

/* The types that were chosen, as constants: a wrong branch of the _Generic does not compile. */
#define IS(value, type) _Static_assert(TTLOG_TYPE_OF_(value) == TTLOG_TYPE_##type, #value " is " #type)

enum colour { RED, GREEN = 7 };
struct order {
	int id;
	const char *customer;
	char state[8];
};

static const char *text_of(int i)
{
	return i ? "one" : NULL;
}

static void levels(int i)
{
	ttlog_trace("trace");
	ttlog_debug("debug", "i", i);
	ttlog_info("info", "i", i);
	ttlog_warn("warn", "i", i);
	ttlog_error("error", "i", i);
	ttlog_fatal("fatal", "i", i);
	ttlog_tracef("trace");
	ttlog_debugf("debug %d", i);
	ttlog_infof("info %d", i);
	ttlog_warnf("warn %d", i);
	ttlog_errorf("error %d", i);
	ttlog_fatalf("fatal %d", i);
	if (ttlog_enabled(TTLOG_DEBUG))
		ttlog_debug("expensive", "length", strlen("expensive"));
}

static void channels(int i)
{
	struct ttlog_channel conn = ttlog_channel_open("conn-17", 4096), copy = conn;
	const struct ttlog_channel constant = conn;

	ttlog_trace_to(conn, "trace");
	ttlog_debug_to(copy, "debug", "i", i);
	ttlog_info_to(constant, "info", "text", i > 1 ? "many" : "one", "i", (unsigned long)i);
	ttlog_warn_to(conn, "warn", "i", i);
	ttlog_error_to(conn, "error", "i", i);
	ttlog_fatal_to(conn, "fatal", "i", i);
	ttlog_tracef_to(conn, "trace");
	ttlog_debugf_to(conn, "debug %d", i);
	ttlog_infof_to(conn, "info %d of %s", i, "many");
	ttlog_warnf_to(conn, "warn %d", i);
	ttlog_errorf_to(conn, "error %d", i);
	ttlog_fatalf_to(conn, "fatal %d", i);
	ttlog_info_to(conn, "twenty", "1", i, "2", i, "3", i, "4", i, "5", i, "6", i, "7", i, "8", i, "9", i,
		      "10", i, "11", i, "12", i, "13", i, "14", i, "15", i, "16", i, "17", i, "18", i, "19",
		      i, "20", i);
	ttlog_infof_to(conn, "%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d", i, i, i, i, i, i, i, i, i, i, i, i,
		       i, i, i, i, i, i, i, i);
	if (i > 1)
		ttlog_info_to(ttlog_channel_open("at once", 0), "a statement");
	else
		ttlog_info_to(conn, "like any other");
	if (ttlog_channel_error(conn))
		ttlog_info("no channel", "error", ttlog_channel_error(conn));
	ttlog_channel_close(conn);
}

static void integers(void)
{
	bool truth = true;
	char c = 'x';
	signed char sc = SCHAR_MIN;
	unsigned char uc = UCHAR_MAX;
	short s = SHRT_MIN;
	unsigned short us = USHRT_MAX;
	int i = INT_MIN;
	unsigned int u = UINT_MAX;
	long l = LONG_MIN;
	unsigned long ul = ULONG_MAX;
	long long ll = LLONG_MIN;
	unsigned long long ull = ULLONG_MAX;

	IS(truth, BOOL);
	IS(c, CHAR);
	IS(sc, I8);
	IS(uc, U8);
	IS(s, I16);
	IS(us, U16);
	IS(i, I32);
	IS(u, U32);
	IS(ll, I64);
	IS(ull, U64);
	_Static_assert(TTLOG_TYPE_OF_(l) == (sizeof(l) == 8 ? TTLOG_TYPE_I64 : TTLOG_TYPE_I32), "long");
	_Static_assert(TTLOG_TYPE_OF_(ul) == (sizeof(l) == 8 ? TTLOG_TYPE_U64 : TTLOG_TYPE_U32), "long");
	ttlog_info("integers", "truth", truth, "c", c, "sc", sc, "uc", uc, "s", s, "us", us, "i", i, "u", u,
		   "l", l, "ul", ul, "ll", ll, "ull", ull);
}

static void fixed_width_integers(void)
{
	int8_t i8 = INT8_MIN;
	uint8_t u8 = UINT8_MAX;
	int16_t i16 = INT16_MIN;
	uint16_t u16 = UINT16_MAX;
	int32_t i32 = INT32_MIN;
	uint32_t u32 = UINT32_MAX;
	int64_t i64 = INT64_MIN;
	uint64_t u64 = UINT64_MAX;
	size_t size = SIZE_MAX;
	ptrdiff_t difference = PTRDIFF_MIN;
	intmax_t most = INTMAX_MAX;
	uintptr_t address = (uintptr_t)&most;

	IS(i8, I8);
	IS(u8, U8);
	IS(i16, I16);
	IS(u16, U16);
	IS(i32, I32);
	IS(u32, U32);
	IS(i64, I64);
	IS(u64, U64);
	ttlog_info("fixed", "i8", i8, "u8", u8, "i16", i16, "u16", u16, "i32", i32, "u32", u32, "i64", i64,
		   "u64", u64, "size", size, "difference", difference, "most", most, "address", address);
}

static void qualified_values(void)
{
	const int constant = 1;
	volatile unsigned int changing = 2;
	static _Atomic uint64_t shared;
	register long fast = 3;
	const bool truth = false;
	const char *const text = "const";

	IS(constant, I32);
	IS(changing, U32);
	IS(shared, U64);
	IS(truth, BOOL);
	IS(text, STRING);
	ttlog_info("qualified", "constant", constant, "changing", changing, "shared", shared, "fast", fast,
		   "truth", truth, "text", text);
}

static void enums_and_reals(enum colour colour, float f, double d)
{
	IS(colour, U32);
	IS(GREEN, I32);
	IS(f, F32);
	IS(d, F64);
	IS(1.5f, F32);
	IS(1.5, F64);
	ttlog_info("reals", "colour", colour, "green", GREEN, "f", f, "d", d, "literal", 17.5, "sum", f + d);
}

static void strings(struct order *order, const struct order *constant)
{
	char array[16] = "array";
	const char constant_array[] = "constant array";
	char *pointer = array;
	const char *constant_pointer = constant_array;
	const char *nothing = NULL;

	IS(array, STRING);
	IS(constant_array, STRING);
	IS(pointer, STRING);
	IS(constant_pointer, STRING);
	IS("literal", STRING);
	IS(order->state, STRING);
	ttlog_info("strings", "array", array, "constant_array", constant_array, "pointer", pointer,
		   "constant_pointer", constant_pointer, "literal", "literal", "empty", "", "nothing", nothing,
		   "call", text_of(0), "member", order->state, "customer", constant->customer, "concatenated",
		   "one " "two", "inner", array + 2);
}

static void pointers(void *pointer, int *number, struct order *order)
{
	const void *constant = pointer;
	volatile int *changing = number;
	unsigned char raw[4] = {0};
	int numbers[3] = {0};

	IS(pointer, POINTER);
	IS(constant, POINTER);
	IS(number, POINTER);
	IS(changing, POINTER);
	IS(order, POINTER);
	IS(raw, POINTER);
	IS(numbers, POINTER);
	IS(&order, POINTER);
	ttlog_info("pointers", "pointer", pointer, "constant", constant, "number", number, "changing", changing,
		   "order", order, "raw", raw, "numbers", numbers, "address", &order, "nothing", (void *)0,
		   "null", NULL, "member", &order->id);
}

static void spans_and_interned(const void *data, size_t size)
{
	static struct ttlog_interned method;
	struct ttlog_bytes bytes = {data, size};

	if (!method.id)
		method = ttlog_intern("GET");
	IS(bytes, BYTES);
	IS(ttlog_bytes(data, size), BYTES);
	IS(method, INTERNED);
	ttlog_info("spans", "bytes", bytes, "made", ttlog_bytes(data, size), "none", ttlog_bytes(NULL, 0),
		   "method", method, "again", ttlog_intern("PUT"));
}

static int calls;
static int counted(void)
{
	return ++calls;
}

/* Values are expressions of any kind, and evaluated once. */
static void expressions(int a, int b, struct order *order, int (*table)[2])
{
	int i = 0;

	ttlog_info("expressions", "sum", a + b, "or", a | b, "choice", a > b ? a : b, "compare", a == b, "not",
		   !a, "assign", (a = b), "comma", (b++, b), "call", counted(), "index", (*table)[1], "cast",
		   (uint8_t)a, "literal", ((struct order){1, "x", "y"}.id), "size", sizeof(*order), "negative", -1,
		   "long", 1L, "huge", 18446744073709551615ULL, "character", 'x', "after", i++, "before", ++i);
	ttlog_infof("%d %d", i++, counted());
}

static int every_statement_position(int a)
{
	for (int i = 0; i < a; i++)
		ttlog_info("in a loop", "i", i);
	if (a)
		ttlog_info("then", "a", a);
	else
		ttlog_info("else", "a", a);
	switch (a) {
	case 1:
		ttlog_info("case");
		break;
	default:
		ttlog_info("default", "a", a);
	}
	do
		ttlog_infof("do %d", a);
	while (a-- > 0);
	if (a > 10)
		goto end;
	ttlog_info("two in a line"); ttlog_info("two in a line", "a", a);
end:
	ttlog_info("behind a label");
	return a;
}

static inline void inside_an_inline_function(int a)
{
	ttlog_info("inline", "a", a);
}

/* Names that a macro might have taken for its own. */
static void names_of_users(int value, int site, int level, int event, int position, int size, int types)
{
	int message = 1, writer = 2, count = 3, to = 4, i = 5, n = 6, k = 7, v = 8, M = 9;

	ttlog_info("names", "value", value, "site", site, "level", level, "event", event, "position", position,
		   "size", size, "types", types, "message", message, "writer", writer, "count", count, "to", to,
		   "i", i, "n", n, "k", k, "v", v, "M", M);
}

#define KEY "key"
#define MESSAGE "a message that is a macro"
#define WRAPPED(...) ttlog_info(__VA_ARGS__)

static void literals_from_macros(int a)
{
	ttlog_info(MESSAGE, KEY, a, KEY "2", a);
	ttlog_infof(MESSAGE " %d", a);
	WRAPPED("wrapped");
	WRAPPED("wrapped", "a", a, KEY, a);
}

static void zero_to_twenty_fields(int a)
{
	ttlog_info("0");
	ttlog_info("1", "a", a);
	ttlog_info("2", "a", a, "b", a);
	ttlog_info("3", "a", a, "b", a, "c", a);
	ttlog_info("4", "a", a, "b", a, "c", a, "d", a);
	ttlog_info("5", "a", a, "b", a, "c", a, "d", a, "e", a);
	ttlog_info("6", "a", a, "b", a, "c", a, "d", a, "e", a, "f", a);
	ttlog_info("7", "a", a, "b", a, "c", a, "d", a, "e", a, "f", a, "g", a);
	ttlog_info("8", "a", a, "b", a, "c", a, "d", a, "e", a, "f", a, "g", a, "h", a);
	ttlog_info("9", "a", a, "b", a, "c", a, "d", a, "e", a, "f", a, "g", a, "h", a, "i", a);
	ttlog_info("10", "a", a, "b", a, "c", a, "d", a, "e", a, "f", a, "g", a, "h", a, "i", a, "j", a);
#define TEN "a", a, "b", a, "c", a, "d", a, "e", a, "f", a, "g", a, "h", a, "i", a, "j", a
	WRAPPED("11", TEN, "k", a);
	WRAPPED("12", TEN, "k", a, "l", a);
	WRAPPED("13", TEN, "k", a, "l", a, "m", a);
	WRAPPED("14", TEN, "k", a, "l", a, "m", a, "n", a);
	WRAPPED("15", TEN, "k", a, "l", a, "m", a, "n", a, "o", a);
	WRAPPED("16", TEN, "k", a, "l", a, "m", a, "n", a, "o", a, "p", a);
	WRAPPED("17", TEN, "k", a, "l", a, "m", a, "n", a, "o", a, "p", a, "q", a);
	WRAPPED("18", TEN, "k", a, "l", a, "m", a, "n", a, "o", a, "p", a, "q", a, "r", a);
	WRAPPED("19", TEN, "k", a, "l", a, "m", a, "n", a, "o", a, "p", a, "q", a, "r", a, "s", a);
	WRAPPED("20", TEN, "k", a, "l", a, "m", a, "n", a, "o", a, "p", a, "q", a, "r", a, "s", a, "t", a);
}

static void printf_siblings(int a, const char *text, double d, size_t size, void *pointer)
{
#define FIVE a, a, a, a, a
#define D5 "%d %d %d %d %d "
#define WRAPPEDF(...) ttlog_infof(__VA_ARGS__)
	ttlog_infof("nothing, 100%%");
	ttlog_infof("%s %c %5.2f %zu %p %#x %-10s|", text, 'x', d, size, pointer, 255u, "left");
	ttlog_infof("%hhd %hd %ld %lld %hhu %hu %lu %llu", (signed char)1, (short)2, 3L, 4LL,
		    (unsigned char)5, (unsigned short)6, 7UL, 8ULL);
	ttlog_infof("%f %g %e %a %i %u %o %X", d, d, d, d, a, 1u, 2u, 3u);
	WRAPPEDF(D5, FIVE);
	WRAPPEDF(D5 D5, FIVE, FIVE);
	WRAPPEDF(D5 D5 D5, FIVE, FIVE, FIVE);
	WRAPPEDF(D5 D5 D5 "%d", FIVE, FIVE, FIVE, a);
	WRAPPEDF(D5 D5 D5 "%d %d", FIVE, FIVE, FIVE, a, a);
	WRAPPEDF(D5 D5 D5 "%d %d %d", FIVE, FIVE, FIVE, a, a, a);
	WRAPPEDF(D5 D5 D5 "%d %d %d %d", FIVE, FIVE, FIVE, a, a, a, a);
	WRAPPEDF(D5 D5 D5 D5, FIVE, FIVE, FIVE, FIVE);
}

static int everything_else(void)
{
	static const char *const names[] = {"id", "who"};
	static const uint8_t types[] = {TTLOG_TYPE_I32, TTLOG_TYPE_STRING};
	static struct ttlog_site site = {.level = TTLOG_INFO, .field_count = 2, .message = "run time",
					 .names = names, .types = types};
	const struct ttlog_value values[] = {ttlog_value_i32(1), ttlog_value_string("x")};
	struct ttlog_options options = {.size = sizeof(options), .service = "api", .buffer_bytes = 1 << 20};
	struct ttlog_stats stats = {.size = sizeof(stats)};
	int result = ttlog_init("api") | ttlog_init_with(&options);

	result |= ttlog_site_register(&site) | ttlog_set_level(TTLOG_DEBUG) | ttlog_get_stats(&stats) |
		  ttlog_snapshot("checkpoint");
	ttlog_record(&site, values, 2);
	ttlog_close();
	return result;
}

int main(int argc, char **argv)
{
	struct order order = {argc, argv[0], "new"};
	int table[2] = {1, 2};

	levels(argc);
	channels(argc);
	integers();
	fixed_width_integers();
	qualified_values();
	enums_and_reals(RED, 1.5f, 2.5);
	strings(&order, &order);
	pointers(argv, &argc, &order);
	spans_and_interned(argv, sizeof(*argv));
	expressions(1, 2, &order, &table);
	inside_an_inline_function(argc);
	names_of_users(1, 2, 3, 4, 5, 6, 7);
	literals_from_macros(argc);
	zero_to_twenty_fields(argc);
	printf_siblings(argc, argv[0], 0.5, sizeof(argc), argv);
	return every_statement_position(argc) + everything_else();
}
