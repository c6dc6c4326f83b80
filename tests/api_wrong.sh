#!/bin/bash
# SPDX-License-Identifier: MIT
#
# api_wrong.sh - wrong uses of ttlog.h that must not compile, each beside its corrected twin
# that must. Prints one line for each defect. Exit: 0, 1, or 77 when a compiler is missing.
# COMPILERS names others than gcc, g++, clang and clang++.
#
# A row: for whom (c, cxx, both; gcc: its C compiler alone) | flags | what is wrong | the wrong use | the right one.
# Flags: "-" for an error with no warnings asked for, "W" for one under -Wall -Werror.

set -u
cd "$(dirname "$0")/.." || exit 2
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT

# Each row is one of ttlog_info_to() and ttlog_infof_to() as well.
table() {
	rows
	rows | sed -n -e '/_to(/d' -e 's/ttlog_info(/ttlog_info_to(channel, /g' -e 's/ttlog_infof(/ttlog_infof_to(channel, /g' \
		-e 's/|\([^|]*\)|\([^|]*_to(.*\)/|\1, to a channel|\2/p'
}

rows() {
	sed -e '/^#/d' -e '/^$/d' <<'ROWS'
both|-|a key without a value|ttlog_info("m", "a", i, "b")|ttlog_info("m", "a", i, "b", i)
both|-|a lone key|ttlog_info("m", "a")|ttlog_info("m", "a", i)
both|-|a trailing comma|ttlog_info("m", "a", i, )|ttlog_info("m", "a", i)
both|-|no message|ttlog_info()|ttlog_info("m")
both|-|a key that is a variable|ttlog_info("m", text, i)|ttlog_info("m", "text", i)
both|-|a key that is a number|ttlog_info("m", 1, i)|ttlog_info("m", "1", i)
both|-|a key that is a call|ttlog_info("m", get(), i)|ttlog_info("m", "get", i)
both|-|the second key is a variable|ttlog_info("m", "a", i, text, i)|ttlog_info("m", "a", i, "b", i)
both|-|key and value swapped|ttlog_info("m", i, "a")|ttlog_info("m", "a", i)
both|-|a message that is a variable|ttlog_info(text)|ttlog_info("m", "text", text)
both|-|a message that is a variable, with fields|ttlog_info(text, "a", i)|ttlog_info("m", "a", i)
both|-|a format that is a variable|ttlog_infof(text, i)|ttlog_infof("%d", i)
both|-|a format that is a variable, no values|ttlog_infof(text)|ttlog_infof("%s", text)
both|-|a struct as a value|ttlog_info("m", "s", s)|ttlog_info("m", "s", s.a)
both|-|a long double|ttlog_info("m", "x", ld)|ttlog_info("m", "x", (double)ld)
both|-|an __int128|ttlog_info("m", "x", big)|ttlog_info("m", "x", (int64_t)big)
both|-|a void call as a value|ttlog_info("m", "v", nothing())|ttlog_info("m", "v", get())
both|-|21 fields|ttlog_info("m", TEN, TEN, "a", i)|ttlog_info("m", TEN, TEN)
both|-|21 fields, the last without a value|ttlog_info("m", TEN, TEN, "a")|ttlog_info("m", TEN, "a", i)
both|-|22 fields|ttlog_info("m", TEN, TEN, "a", i, "b", i)|ttlog_info("m", TEN, TEN)
both|-|21 values|ttlog_infof(T10 T10 "%d", I10, I10, i)|ttlog_infof(T10 T10, I10, I10)
both|W|an unknown level|ttlog_notice("m")|ttlog_info("m")
both|-|a target that is a variable|TARGET_IS_A_VARIABLE|ttlog_info("m")
gcc|-|a bit-field of 3 bits|ttlog_info("m", "x", s.three)|ttlog_info("m", "x", (unsigned)s.three)
cxx|-|a class|ttlog_info("m", "x", object)|ttlog_info("m", "x", object.name)
cxx|-|a std::vector|ttlog_info("m", "x", list)|ttlog_info("m", "x", list.size())
cxx|-|a pointer to a function|ttlog_info("m", "x", get)|ttlog_info("m", "x", get())
cxx|-|a pointer to a member|ttlog_info("m", "x", \&s::a)|ttlog_info("m", "x", s.a)
both|W|%s with a number|ttlog_infof("%s", i)|ttlog_infof("%d", i)
both|W|%d with a string|ttlog_infof("%d", text)|ttlog_infof("%s", text)
both|W|%d with a long|ttlog_infof("%d", 1L)|ttlog_infof("%ld", 1L)
both|W|a conversion too many|ttlog_infof("%d %d", i)|ttlog_infof("%d %d", i, i)
both|W|a value too many|ttlog_infof("%d", i, i)|ttlog_infof("%d %d", i, i)
both|W|a conversion without any value|ttlog_infof("%d")|ttlog_infof("%d", i)
c|W|a pointer to a function|ttlog_info("m", "x", get)|ttlog_info("m", "x", get())
both|-|no channel|ttlog_info_to("m", "a", i)|ttlog_info_to(channel, "m", "a", i)
both|-|a number for a channel|ttlog_info_to(i, "m")|ttlog_info_to(channel, "m")
both|-|a name for a channel|ttlog_info_to("conn-17", "m")|ttlog_info_to(channel, "m")
both|-|a pointer to a channel|ttlog_info_to(\&channel, "m")|ttlog_info_to(channel, "m")
c|W|a wide key|ttlog_info("m", L"x", i)|ttlog_info("m", "x", i)
ROWS
}

prologue() {
	cat <<'CODE'
#include <ttlog.h>
#ifdef __cplusplus
#include <string>
#include <vector>
struct object { std::string name; };
#endif
#define TEN "1", i, "2", i, "3", i, "4", i, "5", i, "6", i, "7", i, "8", i, "9", i, "10", i
#define I10 i, i, i, i, i, i, i, i, i, i
#define T10 "%d%d%d%d%d%d%d%d%d%d"
struct s { int a; unsigned int three : 3; };
__extension__ typedef __int128 int128;
int get(void);
void nothing(void);
extern struct ttlog_channel channel;
CODE
}

# One function a use, so that the uses don't see each other.
function_of() { # number, use
	local objects=""
	[ "$language" = cxx ] && objects=", struct object \&object, std::vector<int> \&list"
	case $2 in
	TARGET_IS_A_VARIABLE)
		printf '#undef TTLOG_TARGET_\n#define TTLOG_TARGET_ ("" text "")\n'
		set -- "$1" 'ttlog_info("m")' ;;
	esac
	printf 'void use_%d(int i, const char *text, struct s s, long double ld, int128 big%s);\n' "$1" "${objects//\\/}"
	printf 'void use_%d(int i, const char *text, struct s s, long double ld, int128 big%s)\n{\n' "$1" "${objects//\\/}"
	printf '\t(void)i, (void)text, (void)s, (void)ld, (void)big;\n'
	[ "$language" = cxx ] && printf '\t(void)object, (void)list;\n'
	printf '#line %d "right"\n\t%s;\n}\n' "$1" "${2//\\/}"
}

compile() { # file, flags of the row
	local flags=""
	[ "$2" = W ] && flags="-Wall -Wextra -Wpedantic -Werror"
	# shellcheck disable=SC2086
	"$compiler" $standard $flags -Ilib -fsyntax-only -include "$tmp/prologue.h" -x "$kind" "$1" \
		>"$tmp/said" 2>&1
}

check_compiler() {
	local number=0 lang flags name wrong right
	prologue >"$tmp/prologue.h"
	: >"$tmp/right"
	# Compiled once a compiler: both read PATH.gch instead of PATH when it fits.
	rm -f "$tmp/prologue.h.gch"
	[ "$language" = cxx ] && "$compiler" $standard -Ilib -x c++-header "$tmp/prologue.h" \
		-o "$tmp/prologue.h.gch"
	while IFS='|' read -r lang flags name wrong right; do
		number=$((number + 1))
		[ "$lang" = both ] || [ "$lang" = "$language" ] ||
			[[ $lang == gcc && ${compiler##*/} == gcc* ]] || continue
		function_of 1 "$wrong" >"$tmp/wrong"
		function_of $number "$right" >>"$tmp/right"
		if compile "$tmp/wrong" "$flags"; then
			echo "api_wrong.sh: $compiler compiles $name: $wrong"
			failed=1
		fi
		checked=$((checked + 1))
	done < <(table)
	if ! compile "$tmp/right" W; then
		echo "api_wrong.sh: $compiler refuses a corrected use:"
		grep -E 'right:|error' "$tmp/said" | head -20
		failed=1
	fi
}

# What ttlog.h is not for is refused in words, which come first: FLAG WORDS.
check_refused() {
	local flag=$1 words=$2

	echo '#include <ttlog.h>' >"$tmp/refused"
	checked=$((checked + 1))
	"$compiler" $standard "$flag" -Ilib -fsyntax-only -x "$kind" "$tmp/refused" >"$tmp/said" 2>&1
	if ! grep 'error' "$tmp/said" | head -n 1 | grep -q "$words"; then
		echo "api_wrong.sh: $compiler $flag is not told what ttlog.h needs:"
		head -5 "$tmp/said"
		failed=1
	fi
}

failed=0
checked=0
missing=""
compilers=${COMPILERS:-gcc clang g++ clang++}
for compiler in $compilers; do
	case $compiler in
	*++*) language=cxx kind=c++ standard=-std=c++17 ;;
	*) language=c kind=c standard=-std=c11 ;;
	esac
	if command -v "$compiler" >/dev/null; then
		check_compiler
		[ "$(uname -m)" != x86_64 ] || check_refused -m32 "ttlog needs a 64-bit target"
		[ $language = c ] || check_refused -std=c++14 "ttlog needs C++17"
	else
		missing="$missing $compiler"
	fi
done
echo "api_wrong.sh: $checked wrong uses over $compilers${missing:+, skipped: no$missing}"
[ $failed -eq 0 ] && [ $checked -gt 0 ] || exit 1
[ -z "$missing" ] || exit 77
