/* SPDX-License-Identifier: MIT */
/*
 * api_cxx17.cc - every macro and every value type of ttlog.h, as C++17 and C++20.
 *
 * Compiled by api.sh with each compiler; never run. What a compiler says about it is the test.
 */
#define TTLOG_TARGET "api"
#include <ttlog.h>

#include <atomic>
#include <climits>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/* The types that were chosen. */
#define IS(value, type) static_assert(TTLOG_TYPE_OF_(value) == TTLOG_TYPE_##type, #value " is " #type)

enum Plain { RED, GREEN = 7 };
enum class Scoped { one, two };
enum class Small : std::uint8_t { one = 1 };
enum class Wide : std::int64_t { one = INT64_MIN };
enum class Truth : bool { no, yes };
enum class Letter : char { a = 'a' };

struct Order {
	int id;
	std::string customer;
	char state[8];
	std::uint8_t flag : 1;
	int three : 3;

	void record() const
	{
		ttlog_info("member", "id", id, "customer", customer, "state", state, "this", this);
	}
	static int count() { return 3; }
};

/* A type that turns into a string_view, as user types may. */
struct Name {
	operator std::string_view() const { return "name"; }
};

namespace
{
void levels(int i)
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
		ttlog_debug("expensive");
}

void channels(int i)
{
	struct ttlog_channel conn = ttlog_channel_open("conn-17", 4096), copy = conn;
	const struct ttlog_channel constant = conn;

	ttlog_trace_to(conn, "trace");
	ttlog_debug_to(copy, "debug", "i", i);
	ttlog_info_to(constant, "info", "text", i > 1 ? "many" : "one", "i", static_cast<unsigned long>(i));
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

void integers()
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
	std::size_t size = SIZE_MAX;
	wchar_t wide = L'x';
	char16_t sixteen = u'x';

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
	static_assert(TTLOG_TYPE_OF_(l) == (sizeof(l) == 8 ? TTLOG_TYPE_I64 : TTLOG_TYPE_I32));
	static_assert(TTLOG_TYPE_OF_(ul) == (sizeof(l) == 8 ? TTLOG_TYPE_U64 : TTLOG_TYPE_U32));
	ttlog_info("integers", "truth", truth, "c", c, "sc", sc, "uc", uc, "s", s, "us", us, "i", i, "u", u,
		   "l", l, "ul", ul, "ll", ll, "ull", ull, "size", size, "wide", wide, "sixteen", sixteen);
}

void fixed_width_integers()
{
	std::int8_t i8 = INT8_MIN;
	std::uint8_t u8 = UINT8_MAX;
	std::int16_t i16 = INT16_MIN;
	std::uint16_t u16 = UINT16_MAX;
	std::int32_t i32 = INT32_MIN;
	std::uint32_t u32 = UINT32_MAX;
	std::int64_t i64 = INT64_MIN;
	std::uint64_t u64 = UINT64_MAX;
	std::ptrdiff_t difference = PTRDIFF_MIN;

	IS(i8, I8);
	IS(u8, U8);
	IS(i16, I16);
	IS(u16, U16);
	IS(i32, I32);
	IS(u32, U32);
	IS(i64, I64);
	IS(u64, U64);
	ttlog_info("fixed", "i8", i8, "u8", u8, "i16", i16, "u16", u16, "i32", i32, "u32", u32, "i64", i64,
		   "u64", u64, "difference", difference);
}

void enums_and_reals(Plain plain, float f, double d)
{
	IS(plain, U32);
	IS(Scoped::two, I32);
	IS(Small::one, U8);
	IS(Wide::one, I64);
	IS(Truth::yes, BOOL);
	IS(Letter::a, CHAR);
	IS(f, F32);
	IS(d, F64);
	IS(1.5f, F32);
	IS(17.5, F64);
	ttlog_info("enums", "plain", plain, "green", GREEN, "scoped", Scoped::two, "small", Small::one, "wide",
		   Wide::one, "truth", Truth::yes, "letter", Letter::a, "f", f, "d", d, "literal", 17.5);
}

std::string text_of(int i)
{
	return std::string(static_cast<std::size_t>(i), 'x');
}

void strings(const Order &order)
{
	char array[16] = "array";
	const char constant_array[] = "constant array";
	char *pointer = array;
	const char *constant_pointer = constant_array;
	const char *const nothing = nullptr;
	std::string owned = "owned";
	const std::string constant_owned = "constant";
	std::string_view view = owned;

	IS(array, STRING);
	IS(constant_array, STRING);
	IS(pointer, STRING);
	IS(nothing, STRING);
	IS(owned, STRING);
	IS(constant_owned, STRING);
	IS(view, STRING);
	IS(Name(), STRING);
	ttlog_info("strings", "array", array, "constant_array", constant_array, "pointer", pointer,
		   "constant_pointer", constant_pointer, "nothing", nothing, "owned", owned, "constant_owned",
		   constant_owned, "view", view, "literal", "literal", "member", order.customer, "state",
		   order.state, "name", Name(), "no view", std::string_view());
	ttlog_warn("temporaries", "string", std::string("temporary"), "sum", owned + "!", "number",
		   std::to_string(42), "call", text_of(3), "view", std::string_view("abc").substr(1), "c_str",
		   text_of(2).c_str(), "moved", std::move(owned));
}

void pointers(void *pointer, int *number, const Order *order)
{
	volatile int *changing = number;
	unsigned char raw[4] = {};
	auto unique = std::make_unique<int>(3);
	auto shared = std::make_shared<Order>();

	IS(pointer, POINTER);
	IS(number, POINTER);
	IS(changing, POINTER);
	IS(order, POINTER);
	IS(raw, POINTER);
	IS(nullptr, POINTER);
	ttlog_info("pointers", "pointer", pointer, "number", number, "changing", changing, "order", order, "raw",
		   raw, "null", nullptr, "unique", unique.get(), "shared", shared.get(), "address", &pointer);
}

void spans_and_interned(const std::vector<char> &data)
{
	static const struct ttlog_interned method = ttlog_intern("GET");
	struct ttlog_bytes bytes = ttlog_bytes(data.data(), data.size());

	IS(bytes, BYTES);
	IS(method, INTERNED);
	ttlog_info("spans", "bytes", bytes, "made", ttlog_bytes(data.data(), 1), "none", ttlog_bytes(nullptr, 0),
		   "method", method);
}

void qualified_and_referenced(int &reference, const int &constant, int &&moved)
{
	volatile unsigned changing = 2;
	std::atomic<int> shared{3};
	Order order{1, "x", "y", 1, -1};

	IS(reference, I32);
	IS(constant, I32);
	IS(changing, U32);
	IS(order.flag, U8);
	IS(order.three, I32);
	ttlog_info("qualified", "reference", reference, "constant", constant, "moved", moved, "changing",
		   changing, "shared", shared.load(), "flag", order.flag, "three", order.three);
}

template <class T> T twice(T value)
{
	ttlog_info("template", "value", value, "size", sizeof(T));
	return value + value;
}

template <class... T> void variadic(const T &...values)
{
	const auto one = [](const auto &value) { ttlog_info("one of many", "value", value); };

	(one(values), ...);
}
} /* namespace */

/* In a header this would be in many files. */
inline int inside_an_inline_function(int a)
{
	ttlog_info("inline", "a", a);
	return a;
}

struct Guard {
	~Guard() { ttlog_debug("destructor"); }
	Guard() noexcept { ttlog_debug("constructor", "this", this); }
};

namespace
{
void lambdas(int a)
{
	auto plain = [](int i) { ttlog_info("lambda", "i", i); };
	auto capturing = [&a, text = std::string("captured")] {
		ttlog_info("capturing", "a", a, "text", text);
		return a;
	};
	auto generic = [](const auto &value) { ttlog_info("generic", "value", value); };

	plain(1);
	generic(std::string("x"));
	generic(2.5);
	ttlog_info("result of a lambda", "a", capturing());
}

template <class A, class B> struct pair_like {
	static constexpr int number = 5;
};

void expressions(int a, int b, const std::vector<std::string> &list)
{
	int i = 0;

	ttlog_info("expressions", "sum", a + b, "choice", a > b ? a : b, "compare", a == b, "assign", (i = b),
		   "call", Order::count(), "index", list[0], "cast", static_cast<std::uint8_t>(a), "template",
		   (pair_like<int, long>::number), "size", list.size(), "negative", -1, "huge",
		   18446744073709551615ULL, "character", 'x', "not", !a);
	ttlog_info("a side effect", "after", i++);
#if __cplusplus >= 202002L
	ttlog_info("a lambda on the spot", "i", [&] { return i + 1; }());
#endif
	for (const auto &text : list)
		ttlog_info("in a loop", "text", text);
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
}

void names_of_users(int value, int site, int level, int event, int position, int size, int types)
{
	int message = 1, writer = 2, count = 3, to = 4, i = 5, n = 6, k = 7, v = 8, M = 9, T = 10, record = 11;

	ttlog_info("names", "value", value, "site", site, "level", level, "event", event, "position", position,
		   "size", size, "types", types, "message", message, "writer", writer, "count", count, "to", to,
		   "i", i, "n", n, "k", k, "v", v, "M", M, "T", T, "record", record);
}

#define KEY "key"
#define MESSAGE "a message that is a macro"
#define WRAPPED(...) ttlog_info(__VA_ARGS__)
#define TEN "a", a, "b", a, "c", a, "d", a, "e", a, "f", a, "g", a, "h", a, "i", a, "j", a

void zero_to_twenty_fields(int a)
{
	ttlog_info(MESSAGE, KEY, a, KEY "2", a);
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
	WRAPPED("10", TEN);
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

void printf_siblings(int a, const std::string &text, double d, std::size_t size, void *pointer)
{
#define FIVE a, a, a, a, a
#define D5 "%d %d %d %d %d "
#define WRAPPEDF(...) ttlog_infof(__VA_ARGS__)
	ttlog_infof("nothing, 100%%");
	ttlog_infof("%s %c %5.2f %zu %p %#x %-10s|", text.c_str(), 'x', d, size, pointer, 255u, "left");
	ttlog_infof("%hhd %hd %ld %lld %hhu %hu %lu %llu", static_cast<signed char>(1), static_cast<short>(2),
		    3L, 4LL, static_cast<unsigned char>(5), static_cast<unsigned short>(6), 7UL, 8ULL);
	WRAPPEDF(D5, FIVE);
	WRAPPEDF(D5 D5 D5, FIVE, FIVE, FIVE);
	WRAPPEDF(D5 D5 D5 D5, FIVE, FIVE, FIVE, FIVE);
}

int everything_else()
{
	static const char *const names[] = {"id", "who"};
	static const std::uint8_t types[] = {TTLOG_TYPE_I32, TTLOG_TYPE_STRING};
	static struct ttlog_site site = {};
	const struct ttlog_value values[] = {ttlog_value_i32(1), ttlog_value_string("x")};
	struct ttlog_options options = {};
	struct ttlog_stats stats = {};
	int result;

	site.level = TTLOG_INFO;
	site.field_count = 2;
	site.message = "run time";
	site.names = names;
	site.types = types;
	options.size = sizeof(options);
	stats.size = sizeof(stats);
	result = ttlog_init("api") | ttlog_init_with(&options) | ttlog_site_register(&site) |
		 ttlog_set_level(TTLOG_DEBUG) | ttlog_get_stats(&stats) | ttlog_snapshot("checkpoint");
	ttlog_record(&site, values, 2);
	ttlog_close();
	return result;
}
} /* namespace */

int main(int argc, char **argv)
{
	Order order{argc, argv[0], "new", 0, 0};
	Guard guard;

	levels(argc);
	channels(argc);
	integers();
	fixed_width_integers();
	enums_and_reals(RED, 1.5f, 2.5);
	strings(order);
	pointers(argv, &argc, &order);
	spans_and_interned({'a', 'b'});
	qualified_and_referenced(argc, argc, 3);
	lambdas(argc);
	expressions(1, 2, {"x"});
	names_of_users(1, 2, 3, 4, 5, 6, 7);
	zero_to_twenty_fields(argc);
	printf_siblings(argc, "x", 0.5, sizeof(argc), argv);
	order.record();
	variadic(1, "two", 3.0);
	return twice(argc) + static_cast<int>(twice(1.5)) + inside_an_inline_function(argc) + everything_else();
}
