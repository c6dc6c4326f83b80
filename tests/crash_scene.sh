#!/bin/bash
# SPDX-License-Identifier: MIT
# crash_scene.sh BUILD - a service dies under the recorder, and its dump says in which functions and lines.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
bad=0

# Its three threads wait for something, and none of them blocks SIGSEGV any more: one that has just been born would
# take it before the first one does.
is_settled()
{
	local status

	status=$(cat "/proc/$1/task/"*/status 2>/dev/null)
	[ "$(grep -c '^State:.S' <<<"$status")" = 3 ] &&
		[ "$(grep -c '^SigBlk:.*[012389ab][0-9a-f][0-9a-f]$' <<<"$status")" = 3 ]
}

# The dump of a service that was sent SIGSEGV, as JSON, in $info; options are the recorder's.
crash()
{
	local recorder server

	rm -f "$dir"/*.bin "$dir/port"
	"$build/ttlog-recorder" run --unwind-timeout 60s --dir "$dir" "$@" -- "$build/examples/kvserver" --workers 2 \
		--port-file "$dir/port" >"$dir/said" 2>&1 &
	recorder=$!
	for _ in $(seq 6000); do
		[ -s "$dir/port" ] && break
		sleep 0.01
	done
	read -r server _ <"/proc/$recorder/task/$recorder/children"
	for _ in $(seq 6000); do
		is_settled "$server" && break
		sleep 0.01
	done
	kill -SEGV "$server"
	wait "$recorder" 2>/dev/null
	info=$("$build/ttlog-view" --info --format json "$dir"/*.bin)
}

expect()
{
	jq -e "$2" >/dev/null <<<"$info" && return
	echo "$1: not so in:"
	jq .scene <<<"$info" | head -c 3000
	bad=1
}

crash
grep -q 'without eBPF' "$dir/said" && { echo "skipped: no eBPF, so nobody captures stacks"; exit 77; }
fatal='[.scene.threads[] | select(.fatal)][0]'
expect "who waits for the workers has a line" \
	"$fatal.frames | any(.function == \"serve\" and .line > 0 and (.file | endswith(\"kvserver.c\")))"
# A function of this service needs more stack than is kept.
expect "the frames go up to main, or it is said why not" \
	"$fatal | any(.frames[]; .function == \"main\") or (.note | contains(\"was not captured\"))"
expect "who it was is there" ".process | [.comm, .exe, .cmdline, .cwd, .cgroup, .uid, .gid, .ppid, .ns_pid, .start_ns,
	.memory.total_bytes, .memory_at_death.peak_bytes] | all(. != null)"
expect "exe, arguments and folder are right" ".process | (.exe | endswith(\"/kvserver\")) and (.cmdline | contains(\"--workers 2\")) and
	.cwd == \"$PWD\" and .ppid > 0 and .uid == $(id -u)"
expect "and its limits" "[.process.limits[] | select(.name == \"NOFILE\" or .name == \"nofile\" or .name == \"RLIMIT_NOFILE\") | .soft] == [$(ulimit -Sn)]"
expect "modules have build-ids" '[.scene.modules[] | select(.path // "" | startswith("/")) | .build_id] | length >= 2 and all(. != null)'
expect "each thread has its last event" '[.threads[] | select(.events > 0) | .last_event.msg] | length >= 1 and all(. != null)'
expect "each worker has frames with names" '[.scene.threads[] | select(any(.frames[]; .function or .symbol))] | length >= 3'

crash --no-unwind
expect "no names without unwinding" "[$fatal.frames[]? | .function // empty] == []"
expect "and it is said" "$fatal.note | contains(\"not wanted\")"
info=$("$build/ttlog-view" --unwind --info --format json "$dir"/*.bin)
expect "but whoever reads the dump can do it" "$fatal.frames | any(.function == \"serve\" and .line > 0 and .gained == [\"frame\", \"symbol\", \"function\", \"line\"])"

# The environment lies at the end of the first stack, which is in the dump: of a program that is not deep in it, and
# that dies, or hangs.
has_no_environment()
{
	lz4 -dc "$1" >"$dir/content" 2>/dev/null
	# Beside the command line, which is in the dump: as the stack has it, behind the name, with a NUL in between.
	grep -q -a -P "victims/redo\\x00$2\\x00\\x00\\x00" "$dir/content" ||
		{ echo "$2: the stack is not in the dump up to its end, and so this proves nothing"; bad=1; }
	grep -q -a -e SECRET_OF_SOMEBODY -e do-not-keep-this "$dir/content" && { echo "$2: the environment is in the dump"; bad=1; }
}

# with_secret ARGUMENT: runs in the place of a subshell.
with_secret()
{
	exec env -i "PATH=$PATH" SECRET_OF_SOMEBODY=do-not-keep-this "$build/ttlog-recorder" run --unwind-timeout 60s \
		--dir "$dir" -- "$build/tests/victims/redo" "$1" >"$dir/said" 2>&1
}

rm -f "$dir"/*.bin
(with_secret of-its-arguments)
has_no_environment "$dir"/*.bin of-its-arguments
rm -f "$dir"/*.bin
with_secret hang &
recorder=$!
for _ in $(seq 6000); do
	compgen -G "$dir/*-hang.bin" >/dev/null && break
	sleep 0.01
done
read -r server _ <"/proc/$recorder/task/$recorder/children"
kill -KILL "$server"
wait "$recorder"
if "$build/ttlog-view" --info --format json "$dir"/*-hang.bin | jq -e '.scene == null' >/dev/null; then
	echo "crash_scene: the stacks of the living can't be had here"
else
	has_no_environment "$(compgen -G "$dir/*-hang.bin")" hang
fi

[ "$bad" = 0 ] && echo "crash_scene: functions, files and lines are in the dump"
exit "$bad"
