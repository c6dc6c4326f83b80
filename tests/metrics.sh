#!/bin/bash
# SPDX-License-Identifier: MIT
# metrics.sh BUILD - what Prometheus' own linter, curl and a JSON parser think of a running recorder.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1
folder=$(mktemp -d)
recorder=
trap 'if [ -n "$recorder" ]; then kill -KILL $recorder; fi 2>/dev/null; rm -rf "$folder"' EXIT

fail()
{
	echo "metrics: $*"
	cat "$folder/stderr"
	exit 1
}

# wait_for COMMAND...: until it succeeds, for a minute
wait_for()
{
	local i
	for ((i = 0; i < 600; i++)); do
		"$@" 2>/dev/null && return
		sleep 0.1
	done
	fail "'$*' never came true"
}

for program in promtool curl jq; do
	command -v $program >/dev/null || { echo "skipped: there is no $program"; exit 77; }
done

"$build/ttlog-recorder" --socket "$folder/socket" --dir "$folder/dumps" --metrics 127.0.0.1:0 \
	--metrics-file "$folder/ttlog.prom" 2>"$folder/stderr" &
recorder=$!
wait_for grep -q 'listening on' "$folder/stderr"
at=$(sed -n 's/.*figures are at \(http.*\)\/metrics$/\1/p' "$folder/stderr")
[ -n "$at" ] || fail "it does not say where"

# Something to show: a service of this tree that records and dies.
cat >"$folder/app.c" <<'C'
#include <ttlog.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	if (argc != 2 || ttlog_init(argv[1]))
		return 1;
	for (int i = 0; i < 1000; i++)
		ttlog_info("counted", "i", i);
	abort();
}
C
${CC:-cc} -Ilib -o "$folder/app" "$folder/app.c" "$build/libttlog.a" -lpthread || fail "can't build a service"
for name in orders 'with "quotes" and a \'; do
	(ulimit -c 0; TTLOG_SOCKET=$folder/socket TTLOG_HELLO_TIMEOUT=60000 exec "$folder/app" "$name")
done 2>/dev/null
has_two_dumps()
{
	curl -sS --max-time 60 "$at/metrics" | grep -q '^ttlog_dumps_total{trigger="death",result="written"} 2$'
}
wait_for has_two_dumps
wait_for test -s "$folder/ttlog.prom"
curl -sS --max-time 60 "$at/metrics" >"$folder/text" || fail "curl: $?"
grep -q '^ttlog_events_total{service="orders"} 1000$' "$folder/text" || fail "$(cat "$folder/text")"
for text in "$folder/text" "$folder/ttlog.prom"; do
	lint=$(promtool check metrics <"$text" 2>&1) || fail "promtool: $lint"
	[ -z "$lint" ] || fail "promtool: $lint"
done
[ "$(tail -c 1 "$folder/ttlog.prom")" = "" ] || fail "the file does not end with a newline"

type=$(curl -sS --max-time 60 -o /dev/null -w '%{content_type}' "$at/metrics")
[ "$type" = "text/plain; version=0.0.4; charset=utf-8" ] || fail "its type is $type"
for path in livez readyz healthz; do
	status=$(curl -sS --max-time 60 "$at/$path" | jq -r .status)
	[ "$status" = pass ] || [ "$status" = warn ] || fail "/$path says $status"
done
[ "$(curl -sS --max-time 60 -o /dev/null -w '%{http_code}' "$at/")" = 404 ] || fail "/ is there"
[ "$(curl -sS --max-time 60 -o /dev/null -w '%{http_code}' -d x=y "$at/metrics")" = 405 ] || fail "it takes a POST"
curl -sS --max-time 60 --head "$at/metrics" | grep -q '^Content-Length: [1-9]' || fail "HEAD says no length"
# One connection for both.
count=$(curl -sS --max-time 60 -o /dev/null -w '%{num_connects}' "$at/livez" -o /dev/null "$at/readyz")
[ "$count" = 10 ] || fail "the second request did not use the connection of the first ($count)"

kill -TERM $recorder
wait $recorder || fail "it ends with $?"
recorder=
[ ! -e "$folder/ttlog.prom" ] || fail "the file is left behind"
echo "metrics: promtool, curl and jq have nothing to say"
