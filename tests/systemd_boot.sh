#!/bin/bash
# SPDX-License-Identifier: MIT
# systemd_boot.sh BUILD - the units as they are installed, under a systemd that was booted for them.
#
# It is pid 1 of namespaces of its own, with a /run, a /var/lib and accounts that nobody else sees, and a
# cgroup that goes with it; of this machine it has the programs. What is done: a client starts the service
# by its socket; the recorder is killed and the client dies while there is none; it is reloaded; it is
# stopped, until the watchdog has had enough; it ends. Each time no ring is lost. Nothing here depends on
# how fast anything is, but the watchdog takes its 30 s: so this is `make check-systemd`, and no part of
# `make check`.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "${1:-build}")
wait_s=60
init=0

say() { echo "systemd_boot: $*"; }
skip() { echo "skipped: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "namespaces and cgroups take root"
systemd=$(command -v /lib/systemd/systemd || command -v /usr/lib/systemd/systemd) || skip "there is no systemd"
hierarchy=$(findmnt -t cgroup2 -n -o TARGET | head -n 1)
[ -n "$hierarchy" ] || skip "there is no cgroup2"

tmp=$(mktemp -d) || exit 1
cgroup=$hierarchy$(sed -n 's/^0:://p' /proc/self/cgroup)/ttlog-boot-$$
finish()
{
	[ "$init" = 0 ] || kill -9 "$init" 2>/dev/null
	wait
	[ ! -d "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} \; 2>/dev/null
	rm -rf "$tmp"
}
trap finish EXIT
mkdir "$cgroup" 2>/dev/null || skip "no cgroup can be made in $hierarchy"

fail()
{
	say "$*"
	tail -n 40 "$tmp/boot.log" "$tmp/console" "$tmp/recorder.log" 2>/dev/null
	exit 1
}

# until WHAT COMMAND...: true some time, or the test fails.
until_true()
{
	local what=$1 end=$((SECONDS + wait_s))
	shift
	while ! "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || fail "it is not so: $what"
		sleep 0.1
	done
}

# ---- the machine ----

make --no-print-directory -s DESTDIR="$tmp/root" PREFIX=/usr UNITDIR=/usr/lib/systemd/system \
	SYSUSERSDIR=/usr/lib/sysusers.d install-data >/dev/null || fail "make install-data"
touch "$tmp/console" "$tmp/recorder.log"
cat >"$tmp/boot" <<END
set -e
mount --make-rprivate /
mount -t proc proc /proc
mkdir "$tmp/run"
mount -t tmpfs -o mode=755 tmpfs "$tmp/run"
mkdir -p "$tmp"/run/{programs,ttlog-test,systemd/system/ttlog-recorder.{service,socket}.d}
cp "$build"/{ttlog-recorder,ttlog-ctl} "$build/examples/kvserver" "$tmp/run/programs/"
cp "$tmp"/root/usr/lib/systemd/system/* "$tmp/run/systemd/system/"
sed -i 's|^ExecStart=.*/|ExecStart=/run/programs/|' "$tmp/run/systemd/system/ttlog-recorder.service"
printf '[Unit]\nDefaultDependencies=no\n[Service]\nStandardError=append:/run/ttlog-test/log\nRestartSec=3s\n' \
	>"$tmp/run/systemd/system/ttlog-recorder.service.d/test.conf"
for unit in ttlog-recorder.socket.d/test.conf boot.target; do
	printf '[Unit]\nDefaultDependencies=no\n' >"$tmp/run/systemd/system/\$unit"
done
touch "$tmp/run/ttlog-test/log"
mount --bind "$tmp/recorder.log" "$tmp/run/ttlog-test/log"
cp /etc/passwd /etc/group "$tmp/run/ttlog-test/"
echo 'ttlog:x:64923:64923::/var/lib/ttlog:/usr/sbin/nologin' >>"$tmp/run/ttlog-test/passwd"
echo 'ttlog:x:64923:' >>"$tmp/run/ttlog-test/group"
mount --bind "$tmp/run/ttlog-test/passwd" /etc/passwd
mount --bind "$tmp/run/ttlog-test/group" /etc/group
[ ! -e /dev/console ] || mount --bind "$tmp/console" /dev/console
mount --no-mtab --move "$tmp/run" /run
mount --no-mtab -t tmpfs tmpfs /var/lib
mount --no-mtab -t cgroup2 cgroup2 /sys/fs/cgroup
exec env -i PATH="$PATH" container=ttlog "$systemd" --unit=boot.target --log-target=console --show-status=no
END
( echo $BASHPID >"$cgroup/cgroup.procs"
  exec unshare --pid --fork --kill-child --mount --uts --ipc --cgroup bash "$tmp/boot" ) \
	</dev/null >"$tmp/boot.log" 2>&1 &
unshare_pid=$!
find_init() { init=$(pgrep -P "$unshare_pid"); [ -n "$init" ]; }
until_true "somebody boots" find_init
inside() { timeout -k 5 "$wait_s" nsenter -t "$init" -p -m -u -i -C -- "$@"; }
until_true "systemd runs" inside systemctl show -P Version

# ---- the service ----

property() { inside systemctl show -P "$1" ttlog-recorder.service; }
is() { [ "$(property "$1")" = "$2" ]; }
is_another() { [ "$(property MainPID)" != "$1" ] && is ActiveState active && ! is MainPID 0; }
serves() { inside /run/programs/ttlog-ctl list --json | grep -q "\"pid\": *$1\\b"; }
has_dump() { inside ls /var/lib/ttlog/dumps | grep -q "^ttlog-.*-$2.bin\$" && grep -q "(pid $1).*$2.bin" "$tmp/recorder.log"; }

# A client, by the pid that it has there: *client.
start_client()
{
	inside systemd-run -q --collect --unit="client$1" -p DefaultDependencies=no /run/programs/kvserver \
		--port-file "/run/ttlog-test/port$1" || fail "no client can be started"
	client=$(inside systemctl show -P MainPID "client$1.service")
}

inside systemctl start ttlog-recorder.socket || fail "the socket does not start"
is ActiveState inactive || fail "the service runs, and nobody has asked for it"
start_client 1
until_true "a client starts the service" is ActiveState active
until_true "the client is known" serves "$client"
say "a client at the socket starts the service"

recorder=$(property MainPID)
until_true "the client's ring, pidfd and facts are stored" is NFileDescriptorStore 3
inside kill -9 "$recorder"
until_true "the recorder is gone" is SubState auto-restart
inside kill -SEGV "$client"
until_true "another one runs" is_another "$recorder"
until_true "who died without a recorder is dumped" has_dump "$client" '[a-z]*'
say "a client died while there was no recorder: its dump is there"

start_client 2
until_true "the next client is known" serves "$client"
recorder=$(property MainPID)
inside systemctl reload ttlog-recorder.service || fail "it can't be reloaded"
until_true "it is reloaded" is SubState running
is MainPID "$recorder" || fail "it was restarted where it was to be reloaded"
until_true "the client is known after the reload" serves "$client"
say "reloaded"

inside kill -STOP "$recorder"
until_true "the watchdog has another one started" is_another "$recorder"
until_true "the client is known again" serves "$client"
say "the watchdog's recorder has the client"

inside systemctl stop ttlog-recorder.service ttlog-recorder.socket || fail "it does not stop"
is Result success || fail "its end was: $(property Result)"
say "units, socket, store, reload, watchdog: as promised"
