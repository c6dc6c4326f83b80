#!/bin/bash
# SPDX-License-Identifier: MIT
# crash_verdicts.sh BUILD - a real journald takes the verdict of a service that really dies, by both of its
# sockets, and a file that is mounted for itself, as a container's termination log is, has it too.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "$1")
journald=/lib/systemd/systemd-journald

skip()
{
	echo "crash_verdicts: skipped: $1"
	exit 77
}

if [ "${2-}" != inside ]; then
	[ "$(id -u)" = 0 ] || skip "needs root"
	[ -x "$journald" ] && command -v journalctl >/dev/null || skip "there is no systemd-journald"
	[ -s /etc/machine-id ] || skip "journald wants an /etc/machine-id"
	unshare --mount --propagation private true 2>/dev/null || skip "no mount namespace is to be had"
	exec timeout 120 unshare --mount --propagation private "$0" "$build" inside
fi

# Whatever is written from here on is gone with us.
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd /run/log/journal || exit 1
[ ! -d /var/log/journal ] || mount -t tmpfs tmpfs /var/log/journal || exit 1
"$journald" ttlogtest 2>/run/journald.err &
journald_pid=$!
trap 'kill $journald_pid 2>/dev/null; wait $journald_pid 2>/dev/null' EXIT
sockets=/run/systemd/journal.ttlogtest
for _ in $(seq 600); do
	[ -S $sockets/socket ] && [ -S $sockets/dev-log ] && break
	kill -0 $journald_pid 2>/dev/null || skip "journald does not run here: $(tail -n 1 /run/journald.err)"
	sleep 0.1
done

: >/run/termination-log
mount --bind /run/termination-log /run/termination-log || exit 1
export TTLOG_SOCKET=/run/ttlog.sock
"$build/ttlog-recorder" run --dir /run/dumps --verdict-file /run/termination-log \
	--verdict-journal $sockets/socket --verdict-syslog $sockets/dev-log \
	-- "$build/examples/last_death" crash >/run/said 2>&1
status=$?
dump=$(ls /run/dumps/ttlog-*-abort.bin)
journalctl --namespace ttlogtest --sync
journalctl --namespace ttlogtest -q -o json TTLOG_SERVICE=careful >/run/journal.json
journalctl --namespace ttlogtest -q -o json _TRANSPORT=syslog SYSLOG_IDENTIFIER=ttlog-recorder >/run/syslog.json

bad=0
expect()
{
	[ "$2" = "$3" ] || { echo "$1: '$2', not '$3'"; bad=1; }
}
expect 'exit status' "$status" 134
expect 'messages in the journal' "$(wc -l </run/journal.json)" 1
expect 'messages by syslog' "$(wc -l </run/syslog.json)" 1
expect 'the dump by its field' "$(jq -r .TTLOG_DUMP /run/journal.json)" "$dump"
expect 'the cause' "$(jq -r '.TTLOG_CAUSE + " " + .TTLOG_SIGNAL_NAME + " " + .PRIORITY' /run/journal.json)" \
	'abort SIGABRT 3'
expect 'the signature' "$(jq -r .TTLOG_SIGNATURE /run/journal.json | tr -d 0-9a-f | wc -c)" 1
expect 'the message' "$(jq -r .MESSAGE /run/journal.json)" "$(jq -r .MESSAGE /run/syslog.json)"
expect 'the priority by syslog' "$(jq -r '.PRIORITY + " " + .SYSLOG_FACILITY' /run/syslog.json)" '3 3'
expect 'lines of the termination log' "$(wc -l </run/termination-log)" 1
expect 'the line' "$(cut -d' ' -f2- /run/termination-log)" "$(jq -r .MESSAGE /run/syslog.json)"
[ "$bad" = 0 ] && echo "crash_verdicts: the journal, syslog and the termination log agree" || cat /run/said
exit "$bad"
