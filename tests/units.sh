#!/bin/bash
# SPDX-License-Identifier: MIT
# units.sh BUILD - systemd's own tools find nothing wrong with the units as they are installed.
set -eu
cd "$(dirname "$0")/.."
build=$1
exposure_max=2.5
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

command -v systemd-analyze >/dev/null || { echo "units: no systemd-analyze (Debian: systemd)"; exit 77; }
make --no-print-directory -s DESTDIR="$root" PREFIX=/usr install-data >/dev/null
install -D "$build/ttlog-recorder" "$root/usr/bin/ttlog-recorder"
units=$root/usr/lib/systemd/system
service=$units/ttlog-recorder.service

# The program and the pages are where the unit says; verify looks for them on this machine.
program=$(sed -n 's/^ExecStart=//p' "$service")
[ -x "$root$program" ] || { echo "$program is not where make install puts it"; exit 1; }
for page in $(sed -n 's/^Documentation=//p' "$units"/* | tr ' ' '\n' | sed 's/^man://' | sort -u); do
	section=${page#*(}
	section=${section%)}
	[ -f "$root/usr/share/man/man$section/${page%(*}.$section" ] ||
		{ echo "the page $page is not installed"; exit 1; }
done

mkdir "$root/units"
cp "$units"/ttlog-recorder.* "$root/units/"
sed -i "s|^ExecStart=|&$root|" "$root/units/ttlog-recorder.service"
said=$(systemd-analyze verify --man=no "$root"/units/ttlog-recorder.* 2>&1) && [ -z "$said" ] ||
	{ echo "systemd-analyze verify: $said"; exit 1; }

said=$(systemd-analyze security --offline=true --no-pager --threshold="${exposure_max/./}" \
	"$root/units/ttlog-recorder.service" 2>&1) || { echo "$said"; exit 1; }
exposure=$(echo "$said" | sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p')
[ -n "$exposure" ] && awk "BEGIN { exit !($exposure <= $exposure_max) }" ||
	{ echo "exposure is '$exposure', at most $exposure_max is promised"; exit 1; }

# What the recorder's own filters name is what it calls: the unit's filter lets it.
# chroot: the service has no capability for it, and does without; mincore: for allocators that we don't use.
expand()
{
	local word
	for word in $(systemd-analyze syscall-filter --no-pager "$1" | sed -n 's/^    \([@a-z0-9_-]*\)$/\1/p'); do
		case $word in @*) expand "$word" ;; *) echo "$word" ;; esac
	done
}
for word in @default $(sed -n 's/^SystemCallFilter=//p' "$service"); do
	case $word in @*) expand "$word" ;; *) echo "$word" ;; esac
done | sort -u >"$root/allowed"
refused=$(grep -h -o -E '\<SYS_[a-z0-9_]+' recorder/*.c | sed 's/^SYS_//' | sort -u |
	grep -v -x -E 'chroot|mincore' | comm -23 - "$root/allowed")
[ -z "$refused" ] || { echo "the unit's filter refuses what the recorder calls:" $refused; exit 1; }

# The user of the service is one that the snippet makes.
mkdir "$root/etc"
systemd-sysusers --root="$root" >/dev/null 2>&1 || { echo "systemd-sysusers refuses ttlog.conf"; exit 1; }
user=$(sed -n 's/^User=//p' "$service")
grep -q "^$user:" "$root/etc/passwd" || { echo "nobody makes the user $user"; exit 1; }
echo "units: verified, exposure $exposure"
