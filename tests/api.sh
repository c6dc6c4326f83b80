#!/bin/bash
# SPDX-License-Identifier: MIT
#
# api.sh - ttlog.h from C and C++: api_c11.c and api_cxx17.cc compile without a word with every compiler,
# standard and optimisation. What must not compile is api_wrong.sh's.
# Exit: 0, 1, or 77 when a compiler is missing (what the others say is printed before).

set -u
cd "$(dirname "$0")/.." || exit 2
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT

wall="-Wall -Wextra -Wpedantic -Werror"
# What careful projects add. Of a header in a system folder nothing is said, old-style casts included.
strict="$wall -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wcast-align -Wundef -Wformat=2"
system="$strict -isystem lib"

try() { # name, command...
	local name=$1
	shift
	if "$@" >"$tmp/$name.said" 2>&1; then
		echo ok >>"$tmp/$name.count"
	else
		echo "api.sh: $*" >>"$tmp/$name.failed"
		head -20 "$tmp/$name.said" >>"$tmp/$name.failed"
	fi
}

# shellcheck disable=SC2086
matrix_c() {
	for standard in c11 c17 gnu17; do
		for optimise in -O0 -O2; do
			try "$1" "$1" -std=$standard $optimise $wall -Ilib -c -o "$tmp/$1.o" tests/api_c11.c
		done
	done
	try "$1" "$1" -std=c11 -O2 $strict -Wstrict-prototypes -Ilib -fsyntax-only tests/api_c11.c
}

# shellcheck disable=SC2086
matrix_cxx() {
	for standard in "c++17 -O0" "c++17 -O2" "c++20 -O2"; do
		try "$1" "$1" -std=$standard $wall -Ilib -c -o "$tmp/$1.o" tests/api_cxx17.cc
	done
	try "$1" "$1" -std=c++17 $strict -Ilib -fsyntax-only tests/api_cxx17.cc
	try "$1" "$1" -std=c++17 $system -Wold-style-cast -fsyntax-only tests/api_cxx17.cc
}

missing=""
jobs=()
for compiler in gcc clang g++ clang++; do
	if ! command -v $compiler >/dev/null; then
		missing="$missing $compiler"
	elif [[ $compiler == *++ ]]; then
		matrix_cxx $compiler & jobs+=($!)
	else
		matrix_c $compiler & jobs+=($!)
	fi
done
wait "${jobs[@]}"
cat "$tmp"/*.failed 2>/dev/null
passed=$(cat "$tmp"/*.count 2>/dev/null | wc -l)
failed=$(cat "$tmp"/*.failed 2>/dev/null | grep -c '^api.sh: ')
echo "api.sh: $passed compilations passed, $failed failed${missing:+, skipped: no$missing}"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ] || exit 1
[ -z "$missing" ] || exit 77
