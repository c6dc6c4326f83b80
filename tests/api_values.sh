#!/bin/bash
# SPDX-License-Identifier: MIT
#
# api_values.sh BUILD - what a program says in C and in C++ is what the viewer shows: api_values.c records
# a value of every type at its extremes under the recorder, and the JSON is compared with what was meant.
# Exit: 0, 1, or 77 when a compiler is missing.

set -u
cd "$(dirname "$0")/.." || exit 2
build=${1:-build}
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT

# One line an event: its level, message and fields, in the order of recording.
expected() { # c or cxx
	cat <<'LINES'
INFO integers {"sc":-128,"uc":255,"s":-32768,"us":65535,"i":-2147483648,"u":4294967295,"l":-9223372036854775808,"ul":18446744073709551615,"ll":-9223372036854775808,"ull":18446744073709551615,"max":9223372036854775807,"colour":-1}
INFO others {"yes":true,"no":false,"c":"x","quote":"\"","high":"\ufffd","f":0.1,"d":0.1,"min":2.2250738585072014e-308,"max":1.7976931348623157e+308,"negative":-0,"nan":null,"infinity":null}
INFO strings {"array":"array","nothing":"(null)","literal":"a\tb\"c\\d\n","utf8":"é","empty":"","not_utf8":"\ufffd\ufffd","bytes":"0001ff","none":"","interned":"interned é","no_string":"","pointer":"0x1234"}
TRACE trace {}
DEBUG debug {}
WARN warn {"a":1}
ERROR error {"a":1}
FATAL fatal {"a":1}
LINES
	# 'x' is an int in C.
	local letter='"x"'
	[ "$1" = c ] && letter=120
	printf '%s' 'INFO -1  2.50 text x 18446744073709551615 0xff|7   |% '
	echo '{"arg1":-1,"arg2":2.5,"arg3":"text","arg4":'$letter',"arg5":18446744073709551615,"arg6":255,"arg7":7}'
	cat <<'LINES'
WARN nothing to format {}
ERROR once {"evaluated":1}
LINES
	[ "$1" = c ] ||
		echo 'INFO c++ {"owned":"temporary","view":"bc","scoped":-2,"cut_at_nul":"a","null":"0x0"}'
}

seen() {
	"$build/ttlog-view" --format json "$tmp/dumps/"*.bin |
		sed -E -e 's/\\u0009/\\t/g' -e 's/.*"level":"([A-Z]+)".*"msg":"([^"]*)".*"fields":(\{.*\})\}$/\1 \2 \3/'
}

check() { # c or cxx, compiler and standard
	local language=$1

	shift
	if ! command -v "$1" >/dev/null; then
		echo "api_values.sh: skipped: no $1"
		missing=1
		return
	fi
	rm -rf "$tmp/dumps" && mkdir "$tmp/dumps"
	if ! "$@" -Ilib tests/api_values.c -x none "$build/libttlog.a" -pthread -o "$tmp/values"; then
		failed=1
		return
	fi
	"$build/ttlog-recorder" run --dir "$tmp/dumps" -- "$tmp/values" 2>"$tmp/said"
	if diff <(expected "$language" | sed 's/\\ufffd/\xef\xbf\xbd/g') <(seen | sed 's/\\ufffd/\xef\xbf\xbd/g'); then
		passed=$((passed + 1))
		return
	fi
	echo "api_values.sh: $*: what was meant (<) is not what is shown (>)"
	cat "$tmp/said"
	failed=1
}

failed=0 missing=0 passed=0
check c gcc -std=c11 -O2 -x c
check c clang -std=c17 -O0 -x c
check cxx g++ -std=c++17 -O0 -x c++
check cxx g++ -std=c++20 -O2 -x c++
check cxx clang++ -std=c++17 -O2 -x c++
echo "api_values.sh: $passed programs said what they meant"
[ $failed -eq 0 ] && [ $passed -gt 0 ] || exit 1
[ $missing -eq 0 ] || exit 77
