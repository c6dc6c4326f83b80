#!/bin/bash
# SPDX-License-Identifier: MIT
# crash_debuginfod.sh BUILD - a stripped service dies; with --debuginfod its frames have the lines that a real
# debuginfod server knows, and without the option nobody asks the server.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "$1")
command -v debuginfod >/dev/null || { echo "skipped: there is no debuginfod (package debuginfod)"; exit 77; }
dir=$(mktemp -d) || exit 1
mkdir "$dir/known" "$dir/bin" "$dir/cache" || exit 1
cp "$build/examples/kvserver" "$dir/known"
strip -o "$dir/bin/kvserver" "$dir/known/kvserver"
build_id=$(readelf -n "$dir/bin/kvserver" | awk '/Build ID/ { print $3 }')
server_pid='' bad=0
trap '[ -z "$server_pid" ] || kill "$server_pid"; rm -rf "$dir"' EXIT

# Does the server know the service's debug information by now?
is_known()
{
	local status=

	{
		exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
		printf 'GET /buildid/%s/debuginfo HTTP/1.0\r\n\r\n' "$build_id" >&3
		read -r _ status _ <&3
		exec 3>&-
	} 2>/dev/null
	[ "$status" = 200 ]
}

# Ports are taken by chance: another one then.
for _ in 1 2 3 4 5; do
	port=$((20000 + RANDOM % 12000))
	DEBUGINFOD_URLS='' debuginfod -d :memory: -p "$port" -F "$dir/known" >"$dir/asked" 2>&1 &
	server_pid=$!
	for _ in $(seq 1200); do
		is_known && break 2
		kill -0 "$server_pid" 2>/dev/null || break
		sleep 0.05
	done
done
is_known || { echo "debuginfod did not start:"; cat "$dir/asked"; exit 1; }
export DEBUGINFOD_URLS=http://127.0.0.1:$port DEBUGINFOD_CACHE_PATH=$dir/cache

# The dump of the service that was sent SIGSEGV, as JSON, in $info; options are the recorder's.
crash()
{
	local recorder service

	rm -f "$dir"/*.bin "$dir/port" "$dir/said"
	"$build/ttlog-recorder" run --dir "$dir" "$@" -- "$dir/bin/kvserver" --workers 2 \
		--port-file "$dir/port" >"$dir/said" 2>&1 &
	recorder=$!
	# "kvserver: pid 123 listens on ..."
	service=
	for _ in $(seq 6000); do
		service=$(sed -n 's/^kvserver: pid \([0-9]*\) listens.*/\1/p' "$dir/said")
		[ -n "$service" ] && [ -s "$dir/port" ] && break
		sleep 0.01
	done
	kill -SEGV "$service"
	wait "$recorder" 2>/dev/null
	info=$("$build/ttlog-view" --info --format json "$dir"/*.bin) && [ -n "$info" ] && return
	echo "there is no dump:"
	cat "$dir/said"
	exit 1
}

lines='[.scene.threads[].frames[]? | select(.file // "" | endswith("kvserver.c")) | .line]'

asked_before=$(grep -c elfutils "$dir/asked")
crash
grep -q 'without eBPF' "$dir/said" && { echo "skipped: no eBPF, so nobody captures stacks"; exit 77; }
jq -e "$lines == []" >/dev/null <<<"$info" || { echo "lines of a stripped program"; bad=1; }
[ "$(grep -c elfutils "$dir/asked")" = "$asked_before" ] || { echo "asked without --debuginfod"; bad=1; }

# The viewer, long after that: from the same dump, and with the program away.
dump=$(echo "$dir"/*.bin)
mkdir "$dir/away"
mv "$dir/bin/kvserver" "$dir/away"
info=$("$build/ttlog-view" --unwind --info --format json "$dump")
jq -e "$lines == []" >/dev/null <<<"$info" || { echo "ttlog-view: lines of a program that is not there"; bad=1; }
[ "$(grep -c elfutils "$dir/asked")" = "$asked_before" ] || { echo "ttlog-view asked without --debuginfod"; bad=1; }
info=$("$build/ttlog-view" --debuginfod --info --format json "$dump")
jq -e "$lines | any(. > 0)" >/dev/null <<<"$info" || { echo "ttlog-view --debuginfod: no lines, though the server knows them"; jq .scene <<<"$info" | head -c 3000; bad=1; }
mv "$dir/away/kvserver" "$dir/bin/kvserver"
rm -rf "$dir/cache"
mkdir "$dir/cache"

crash --debuginfod
jq -e "$lines | any(. > 0)" >/dev/null <<<"$info" || {
	echo "no lines, though the server knows them:"
	jq .scene <<<"$info" | head -c 3000
	tail -n 5 "$dir/asked"
	bad=1
}
[ "$bad" = 0 ] && echo "crash_debuginfod: lines come from the server, if it is to be asked"
exit "$bad"
