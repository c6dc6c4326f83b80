#!/bin/bash
# SPDX-License-Identifier: MIT
# size.sh - how many bytes a call site adds to a program.
#
# size_site.c is compiled with sixteen sites and with none; a sixteenth of the difference is a site. The
# compilers that are there, -O2, position-independent, as programs are built. "hot" is the text where the
# caller's is, "cold" what the compiler puts elsewhere (.text.unlikely); "data" are the site and the pointers
# to its names, each of which is a relocation (24 bytes in the file, done at the start); "types" and "strings" are
# read-only, and the linker merges what is the same elsewhere. Messages differ here, names do not.
set -u
cd "$(dirname "$0")/.." || exit 1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

cases=(
	'no field|ttlog_info("Request processed " n)'
	'1 field|ttlog_info("Request processed " n, "request_id", id)'
	'3 fields|ttlog_info("Request processed " n, "request_id", id, "status", status, "method", "GET")'
	'3 fields, string unknown|ttlog_info("Request processed " n, "request_id", id, "status", status, "method", method)'
	'8 fields|ttlog_info("Request processed " n, "request_id", id, "status", status, "a", id, "b", status, "c", id, "d", status, "e", id, "f", status)'
	'printf, 2 arguments|ttlog_infof("Request %lu gives %d " n, (unsigned long)id, status)'
	'warn, 3 fields|ttlog_warn("Request refused " n, "request_id", id, "status", status, "method", "GET")'
	'the test of the level alone|if (ttlog_enabled(TTLOG_DEBUG)) __builtin_trap()'
)

# Bytes of each kind in an object: hot, cold, data, types, strings; and relocations in data.
sizes()
{
	size -A "$1" | awk '
		$1 ~ /^\.text\.unlikely/ { cold += $2; next }
		$1 ~ /^\.text/ { hot += $2 }
		$1 ~ /^\.data/ { data += $2 }
		$1 ~ /^\.rodata\.str/ { strings += $2; next }
		$1 ~ /^\.rodata/ { types += $2 }
		END { printf "%d %d %d %d %d ", hot, cold, data, types, strings }'
	objdump -r "$1" | awk '/^RELOC/ { data = $4 ~ /^\[\.data/ } data && /R_/ { n++ } END { print n + 0 }'
}

build() # compiler, output, flags...
{
	local compiler=$1 output=$2
	shift 2
	case $compiler in
	*++*) "$compiler" -std=c++17 -x c++ -O2 -fPIE -D_GNU_SOURCE -I. "$@" -c -o "$output" bench/size_site.c ;;
	*) "$compiler" -std=gnu17 -O2 -fPIE -D_GNU_SOURCE -I. "$@" -c -o "$output" bench/size_site.c ;;
	esac
}

table()
{
	local compiler=$1 row
	printf '\n   %s\n' "$("$compiler" --version | head -n 1)"
	printf '   %-28s %6s %6s %6s %6s %8s %12s\n' '' hot cold data types strings relocations
	build "$compiler" "$folder/none.o" -DWITH=0 || return
	for row in "${cases[@]}"; do
		build "$compiler" "$folder/with.o" -DWITH=1 "-DEVENT(n)=${row#*|}" || return
		{ sizes "$folder/none.o"; sizes "$folder/with.o"; } | awk -v what="${row%%|*}" '
			NR == 1 { for (i = 1; i <= NF; i++) none[i] = $i }
			NR == 2 { printf "   %-28s %6.1f %6.1f %6.1f %6.1f %8.1f %12.1f\n", what, ($1 - none[1]) / 16,
				($2 - none[2]) / 16, ($3 - none[3]) / 16, ($4 - none[4]) / 16, ($5 - none[5]) / 16,
				($6 - none[6]) / 16 }'
	done
}

echo '== bytes of a call site'
for tool in size objdump; do
	command -v "$tool" >/dev/null || { echo "   not measured: $tool is missing"; exit 0; }
done
for compiler in gcc g++ clang clang++; do
	if command -v "$compiler" >/dev/null; then
		table "$compiler"
	fi
done
