#!/bin/bash
# SPDX-License-Identifier: MIT
#
# arm64_orders.sh - what the ring's protocol asks of a weak memory order is in arm64's code.
#
# An emulator on x86-64 shows nothing of it: there a store is a release, whatever the source says. So
# the library is compiled for arm64, and the instructions of each step are looked for, by the source
# lines that they come from. Exit: 0, 1, or 77 without the compiler.
#
# A row: compiled file | file of the function | function | what must come, one behind the other
# (with @ for its file: in all of its code, where clang knows no line; gcc calls the others from there)
#   release  a store that is seen after all before it: stlr
#   acquire  a load that is done before all behind it: ldar, ldapr
#   swap     a compare-and-swap, acquire and release: casal, ldaxr and stlxr, gcc's helper
#   move     a compare-and-swap that releases: casl, stlxr, gcc's helper
#   fence    dmb ish: stores before it are seen before loads and stores behind it
#   loads    dmb ishld, or fence: loads before it are done before loads behind it
#   zero     a zero is stored, without an order
set -u
cd "$(dirname "$0")/.." || exit 2

rows()
{
	sed -e '/^#/d' -e '/^$/d' <<'ROWS'
# record: 3 the word behind is zero, 4 the commit; the fast way and the slow one
inline|lib/ttlog.h|ttlog_open_|zero
inline|lib/ttlog.h|ttlog_commit_|release
lib/ring.c|lib/ttlog.h|ttlog_open_|zero
lib/ring.c|lib/ring.c|ttlog_ring_write|release
# the dictionary: the record, then its entry, then the word by which others record
lib/dict.c|lib/dict.c|find|acquire
lib/dict.c|lib/dict.c|commit|release
lib/dict.c|lib/dict.c|ttlog_dict_add_site|move
lib/reader_dict.c|lib/reader_dict.c|index_copy|acquire
# take: 2 the state of a candidate, 3 condemned, 4 a fence in front of the second look at the freeze
lib/chunk.c|lib/chunk.c|try_place|acquire
lib/chunk.c|lib/chunk.c|ttlog_chunk_empty_at|acquire
lib/chunk.c|lib/chunk.c|condemn|swap
lib/chunk.c|lib/chunk.h|ttlog_fence_behind_swap|fence
lib/chunk.c|lib/chunk.c|condemn|release
# 6 INIT, 7 the fence behind it, 8 the first header is zero, 9 OWNED or, of a channel's, empty
lib/chunk.c|lib/chunk.c|vacate|release fence
lib/chunk.c|lib/chunk.c|set_word_at|zero
lib/chunk.c|lib/chunk.c|occupy|release
lib/chunk.c|@|ttlog_chunk_empty_at|release
# the content that is counted: whose the data of the retire are, and the walk
lib/lane.c|lib/lane.c|ttlog_lane_content|acquire
lib/lane.c|lib/lane.c|ttlog_lanes_count|acquire
lib/lane.c|lib/chunk.h|ttlog_chunk_word|acquire
# what was left: condemned or in INIT, the fence behind that, given back
lib/chunk.c|lib/chunk.c|retire_vanished|acquire
lib/chunk.c|lib/chunk.c|retire_left|swap
lib/chunk.c|lib/chunk.c|give_back|fence
lib/chunk.c|lib/chunk.c|give_back|release
# retire: 2 the generation, 3 RETIRED
lib/chunk.c|lib/chunk.c|ttlog_chunk_retire|release release
# a channel: its generation, its chunks, the end of a call
lib/channel.c|lib/channel.c|is_open|acquire
lib/channel.c|lib/chunk.h|ttlog_fence_behind_swap|fence
lib/channel.c|lib/channel.c|find_own|acquire acquire
lib/channel.c|lib/channel.c|settle|acquire
lib/channel.c|lib/channel.c|settle|swap
lib/channel.c|lib/channel.c|find_next|acquire acquire
lib/channel.c|lib/channel.c|reopen|swap
lib/channel.c|lib/channel.c|move_hand|move
lib/channel.c|lib/channel.c|write_event|release
lib/channel.c|lib/channel.c|release|release
# read: s1, the walk, the fence in front of s2
lib/reader_copy.c|lib/reader_copy.c|scan|acquire
lib/reader_copy.c|lib/reader_copy.c|first_ticks|acquire
lib/reader_copy.c|lib/reader_copy.c|newest_first|acquire
lib/reader_copy.c|lib/reader_copy.c|walk|acquire
lib/reader_copy.c|lib/reader_copy.c|chunk_copy|acquire loads
lib/reader_copy.c|lib/reader_copy.c|account_take|acquire loads acquire
ROWS
}

tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
cat >"$tmp/inline.c" <<'CODE'
#include "lib/ttlog.h"
void inline_event(unsigned long long number, int status);
void inline_event(unsigned long long number, int status)
{
	ttlog_info("Request processed", "number", number, "status", status, "method", "GET");
}
CODE

# The first and the last line of a function: from its name, with no indent, to the brace that ends it.
lines_of()
{
	awk -v name="$2" '
		!first && /^[A-Za-z_]/ && !/;$/ && $0 ~ "[ *]" name "\\(" { first = NR }
		first && /^}/ { print first, NR; exit }' "$1"
}

# "line instruction operands" of all instructions, in the order of the code.
instructions_of()
{
	aarch64-linux-gnu-objdump -dl --no-show-raw-insn "$1" | awk '
		/^[0-9a-f]+ <.*>:$/ { symbol = $2; gsub(/[<>:]/, "", symbol); file = ""; next }
		/^[^ \t].*:[0-9]+( \(discriminator [0-9]+\))?$/ {
			sub(/ \(discriminator.*/, ""); n = split($0, part, ":"); line = part[n]
			file = part[1]; next
		}
		/^ +[0-9a-f]+:\t/ { sub(/^ +[0-9a-f]+:\t/, ""); print file "@" symbol, line + 0, $0 }'
}

# Do they come, one after the other, among the instructions of those lines, or of that symbol?
are_in()
{
	awk -v file="$2" -v first="$3" -v last="$4" -v wanted="$5" '
		BEGIN { count = split(wanted, want, " "); at = 1 }
		function is(kind)
		{
			if (kind == "release") return $3 == "stlr"
			if (kind == "acquire") return $3 == "ldar" || $3 == "ldapr"
			if (kind == "swap") return $3 == "casal" || $3 == "stlxr" && is_acquired ||
						   $3 == "bl" && /__aarch64_cas8_acq_rel/
			if (kind == "move") return $3 == "casl" || $3 == "stlxr" ||
						   $3 == "bl" && /__aarch64_cas8_rel>/
			if (kind == "fence") return $3 == "dmb" && $4 == "ish"
			if (kind == "loads") return $3 == "dmb" && ($4 == "ishld" || $4 == "ish")
			if (kind == "zero") return ($3 == "str" || $3 == "stp" || $3 == "stur") && $4 ~ /^xzr,/
		}
		function is_there(   path)
		{
			if (file ~ /^@/)
				return substr($1, index($1, "@")) == file
			path = substr($1, 1, index($1, "@") - 1)
			return substr(path, length(path) - length(file)) == "/" file && $2 >= first && $2 <= last
		}
		is_there() {
			if ($3 == "ldaxr") is_acquired = 1
			if (at <= count && is(want[at])) at++
		}
		END { if (at <= count) { print want[at]; exit 1 } }' "$1"
}

check_rows()
{
	local object source function wanted first last missing

	while IFS='|' read -r object source function wanted; do
		checked=$((checked + 1))
		if [ "$source" = @ ]; then
			source=@$function first=0 last=0
		else
			read -r first last < <(lines_of "$source" "$function")
		fi
		if [ -z "${last:-}" ]; then
			echo "arm64_orders.sh: there is no $function() in $source"
			failed=1
		elif ! missing=$(are_in "$tmp/$object.text" "$source" "$first" "$last" "$wanted"); then
			echo "arm64_orders.sh: $1: $source: $function() needs \"$wanted\" and has no $missing"
			failed=1
		fi
		first='' last=''
	done < <(rows)
}

compile_and_check()
{
	local object source

	mkdir -p "$tmp/lib"
	for object in inline lib/dict.c lib/ring.c lib/chunk.c lib/lane.c lib/channel.c \
		lib/reader_copy.c lib/reader_dict.c; do
		source=$PWD/$object
		[ $object != inline ] || source=$tmp/inline.c
		if ! "$@" -std=gnu17 -D_GNU_SOURCE -I"$PWD" -fPIC -fvisibility=hidden -g -c \
			-o "$tmp/object" "$source"; then
			failed=1
			return
		fi
		instructions_of "$tmp/object" >"$tmp/$object.text"
	done
	check_rows "$*"
}

if ! command -v aarch64-linux-gnu-gcc >/dev/null ||
	! echo '#include <errno.h>' | aarch64-linux-gnu-gcc -E - >/dev/null 2>&1; then
	echo "arm64_orders.sh: skipped: no compiler for arm64 (gcc-aarch64-linux-gnu, libc6-dev-arm64-cross)"
	exit 77
fi
failed=0
checked=0
compile_and_check aarch64-linux-gnu-gcc -O2
compile_and_check aarch64-linux-gnu-gcc -O2 -march=armv8.3-a
compile_and_check aarch64-linux-gnu-gcc -O3
if command -v clang >/dev/null; then
	compile_and_check clang --target=aarch64-linux-gnu -O2
	compile_and_check clang --target=aarch64-linux-gnu -O2 -march=armv8.3-a
fi
echo "arm64_orders.sh: $checked orders looked for"
[ $failed = 0 ]
