#!/bin/bash
# SPDX-License-Identifier: MIT
# read_library.sh BUILD - the library that reads dumps shows what its header promises and nothing else, and its
# examples read the dump of a service that died.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
bad=0

wrong()
{
	echo "$*"
	bad=1
}

# ---- symbols: the header's, in both libraries -----------------------------------------------------

sed 's/^ \*.*//' viewer/ttlog_read.h | grep -o -E '\<ttlog_read_[a-z_]+\(' | tr -d '(' | sort -u >"$dir/header"
[ "$(wc -l <"$dir/header")" -ge 10 ] || wrong "the header has only $(wc -l <"$dir/header") functions"
nm -D --defined-only "$build/libttlogread.so.0" | awk '$2 != "A" {print $3}' | sed 's/@.*//' | sort >"$dir/shared"
nm -g --defined-only "$build/libttlogread.a" | awk 'NF == 3 {print $3}' | sort >"$dir/static"
for kind in shared static; do
	diff "$dir/header" "$dir/$kind" || wrong "the header (<) and the $kind library (>) have other symbols"
done
needed=$(readelf -d "$build/libttlogread.so.0" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
	grep -v -E '^(libc\.so|ld-linux|liblz4\.so|libcbor\.so)')
[ -z "$needed" ] || wrong "libttlogread.so needs $needed"
readelf -d "$build/libttlogread.so.0" | grep -q 'SONAME.*\[libttlogread\.so\.0\]' || wrong "it has no soname"
# What would end or write for its caller.
forbidden=$(nm -D --undefined-only "$build/libttlogread.so.0" | awk '{print $2}' | sed 's/@.*//' |
	grep -x -E '_?exit|abort|__assert_fail|f?printf|v?f?printf|puts|fputs|perror|stdout|stderr|signal|sigaction|pthread_create|fork')
[ -z "$forbidden" ] || wrong "libttlogread.so uses" $forbidden
# Nor has it anything of its own that can be written.
written=$(nm "$build/libttlogread.so.0" | awk '$2 ~ /^[dDbB]$/ {print $3}' |
	grep -v -E '^(completed\.|__dso_handle|_DYNAMIC|__TMC_END__|_GLOBAL_OFFSET_TABLE_|_edata|_end|__bss_start|.*_array_entry$)' |
	while read -r name; do
		# Tables of pointers are read-only once they are relocated.
		section=$(readelf -sW "$build/libttlogread.so.0" | awk -v n="$name" '$8 == n {print $7; exit}')
		readelf -SW "$build/libttlogread.so.0" | sed 's/^ *\[ *//; s/\]//' |
			awk -v s="$section" -v n="$name" '$1 == s && $2 != ".data.rel.ro" {print n}'
	done)
[ -z "$written" ] || wrong "libttlogread.so has variables:" $written

# ---- the header, as careful projects compile it ---------------------------------------------------

strict="-Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wundef -fsyntax-only"
for cc in gcc clang; do
	for std in c11 c17; do
		echo '#include "viewer/ttlog_read.h"' | $cc -std=$std $strict -I. -x c - || wrong "$cc, $std"
	done
	for std in c++17 c++20; do
		echo '#include "viewer/ttlog_read.h"' | $cc -std=$std $strict -Wold-style-cast -I. -x c++ - ||
			wrong "$cc, $std"
	done
done

# ---- a service that dies, and what the examples find ----------------------------------------------

cat >"$dir/service.c" <<'C'
#include <stdlib.h>
#include <ttlog.h>

int main(void)
{
	ttlog_init("shop");
	ttlog_info("Service starts", "workers", 3);
	for (int i = 0; i < 500; i++)
		ttlog_info("Request done", "path", i == 321 ? "/slow" : "/", "status", i % 7 ? 200 : 500,
			   "duration_ns", i == 321 ? 9000000000 : 1000000L + i);
	ttlog_error("Out of ideas", "left", 0.5, "why", ttlog_intern("no reason"));
	abort();
}
C
gcc -O2 -Ilib -o "$dir/service" "$dir/service.c" "$build/libttlog.a" -lpthread || exit 1
# 134: as the service ends.
timeout 60 "$build/ttlog-recorder" run --dir "$dir" -- "$dir/service" >"$dir/said" 2>&1
set -- "$dir"/ttlog-*.bin
dump=$1
[ -f "$dump" ] || { cat "$dir/said"; echo "the service left no dump"; exit 1; }

found=$("$build/examples/slowest" "$dump") || wrong "slowest failed: $found"
[[ $found = *"shop: "*SIGABRT*"event 322: Request done path=/slow status=200 duration_ns=9000000000" ]] ||
	wrong "slowest says: $found"
found=$("$build/examples/slowest" "$dump" duration_ns 'status=500' | tail -n 1)
[[ $found = "event 498: Request done path=/ status=500 duration_ns=1000497" ]] || wrong "of status 500: $found"
"$build/examples/slowest" "$dump" no_such_field >/dev/null && wrong "nothing was found, and it did not say so"
"$build/examples/slowest" "$dir/service.c" 2>/dev/null >&2 && wrong "a source is a dump"

# /usr/bin: Debian's python3-cbor2 is for that one.
lz4 -dc "$dump" | /usr/bin/python3 viewer/examples/events.py >"$dir/dicts" || wrong "events.py failed"
[ "$(wc -l <"$dir/dicts")" = "$("$build/ttlog-view" -o json "$dump" | wc -l)" ] ||
	wrong "events.py has $(wc -l <"$dir/dicts") events"
grep -q "'seq': 322, .*'msg': 'Request done', 'path': '/slow', 'status': 200, 'duration_ns': 9000000000}" "$dir/dicts" ||
	wrong "events.py: $(sed -n 323p "$dir/dicts")"
tail -n 1 "$dir/dicts" | grep -q "'left': 0.5, 'why': 'no reason'}" || wrong "events.py: $(tail -n 1 "$dir/dicts")"

[ "$bad" = 0 ] && echo "read_library: its symbols, its header, its examples"
exit "$bad"
