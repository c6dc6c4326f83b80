#!/bin/bash
# SPDX-License-Identifier: MIT
# includes.sh - who may include what from us, and that every header compiles alone.
#
# One row a rule: the files, then the only quoted includes that they may have (an extended regular
# expression). Includes across a folder are written from the root, so a boundary is a line of text.
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0

rule()
{
	local allowed=$1 file line
	shift
	for file in "$@"; do
		[ -f "$file" ] || continue
		while read -r line; do
			[[ $line =~ ^($allowed)$ ]] && continue
			echo "$file includes \"$line\", which its part may not know"
			bad=1
		done < <(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$file")
	done
}

others()
{
	local file
	for file in recorder/*.c recorder/*.h; do
		case $file in
		recorder/watch*.[ch] | recorder/verdict.h | recorder/verdict.c | recorder/stacks.c) ;;
		*) echo "$file" ;;
		esac
	done
}

rule 'no includes at all' lib/ttlog.h
rule 'lib/[a-z_]+\.h' lib/*.c lib/[a-su-z]*.h lib/ttlog_abi*.h
rule 'ttlog\.h|[a-z]+\.h' lib/examples/*
rule 'ttlog_read\.h' viewer/examples/*
rule 'no includes at all' viewer/ttlog_read.h
rule 'bpf/([a-z_]+\.bpf|ttlog_bpf|kernel_types)\.h' bpf/*.bpf.c bpf/*.bpf.h bpf/kernel_types.h
rule 'bpf/ttlog_bpf\.h|bpf/ttlog\.skel\.h|recorder/[a-z_]+\.h|lib/(ttlog|ttlog_abi)\.h' recorder/watch*.[ch]
rule 'bpf/stacks\.skel\.h|recorder/(stacks|watch)\.h' recorder/stacks.c
rule 'bpf/ttlog_bpf_scene\.h' bpf/ttlog_bpf.h
rule 'no includes at all' bpf/ttlog_bpf_scene.h
rule 'bpf/ttlog_bpf\.h|recorder/[a-z_]+\.h' recorder/verdict.[ch]
# The kernel's messages reach the others through verdict.h.
# shellcheck disable=SC2046
rule 'recorder/[a-z_]+\.h|lib/(ttlog_abi|reader|reader_live|region|clock)\.h' $(others)
# Two files of the viewer have what unwinds compiled into it, as the recorder has.
for file in viewer/*.[ch]; do
	case $file in
	viewer/redo.c | viewer/redo_scene.[ch]) rule 'viewer/[a-z_]+\.h|recorder/unwind\.h' "$file" ;;
	*) rule 'viewer/[a-z_]+\.h|recorder/dump_format\.h' "$file" ;;
	esac
done

for folder in lib bpf recorder viewer; do
	for header in "$folder"/*.h; do
		[ -f "$header" ] || continue
		[[ $header = *.bpf.h ]] && continue # only one program includes them, and it is no C of ours
		printf '#include <linux/types.h>\n#include "%s"\n' "$header" |
			${CC:-gcc} -std=gnu17 -D_GNU_SOURCE -I. -Wall -Wextra -Werror -fsyntax-only -x c - ||
			{ echo "$header does not compile alone"; bad=1; }
	done
done

for file in lib/*.c lib/*.h recorder/*.c recorder/*.h viewer/*.c viewer/*.h bpf/*.c bpf/*.h; do
	basename "$file"
done | grep -E '\.c$' | grep -v '^main' | sort | uniq -d | while read -r stem; do
	echo "two files are called $stem"
done | grep . && bad=1

[ "$bad" = 0 ] && echo "includes: every file keeps to its part"
exit "$bad"
