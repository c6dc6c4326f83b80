#!/bin/bash
# SPDX-License-Identifier: MIT
# kernels.sh BUILD [NAME...] - the death tests under Debian's cloud kernels 6.1 and 6.12, in QEMU.
#
# The kernels are fetched by apt with lists of its own, checked by Debian's keys, unpacked into
# build/kernels and kept there; nothing is installed. An initramfs is made of busybox, the programs under
# test and what ldd says that they need: the same binaries as on this machine. NAME: only these tests.
set -u
PATH=$PATH:/sbin:/usr/sbin
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
shift
cache=$PWD/build/kernels
read -ra versions <<<"${TTLOG_KERNELS:-6.1 6.12}"
tests=("$@")
[ "${#tests[@]}" -gt 0 ] ||
	tests=(test_watch_exits test_watch_attach test_ladder crash_deaths crash_causes)
limit_s=${TTLOG_KERNEL_LIMIT:-600} # of one kernel: a minute, where nobody else is at work

skip()
{
	echo "skipped: $*"
	exit 77
}

[ "$(uname -m)" = x86_64 ] || skip "the kernels are for x86-64"
for tool in qemu-system-x86_64 apt-get dpkg busybox; do
	command -v "$tool" >/dev/null || skip "there is no $tool (make deps-kernels)"
done
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$keys" ] || skip "there is no $keys (make deps-kernels)"

# ---- kernels ----

apt()
{
	local command=$1
	shift
	"$command" -qq -o Dir::Etc::SourceList="$cache/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State::Lists="$cache/lists" -o Dir::Cache="$cache/apt" -o APT::Architecture=amd64 \
		-o Acquire::Languages=none -o APT::Sandbox::User=root "$@"
}

update_lists()
{
	local suite

	[ -z "${lists_updated:-}" ] || return 0
	mkdir -p "$cache/lists/partial" "$cache/apt/archives/partial"
	for suite in debian/:bookworm debian/:bookworm-backports debian-security/:bookworm-security; do
		echo "deb [arch=amd64 signed-by=$keys] http://deb.debian.org/${suite%:*} ${suite#*:} main"
	done >"$cache/sources.list"
	apt apt-get update && lists_updated=1
}

# The newest of that version, as build/kernels/VERSION/vmlinuz.
fetch_kernel()
{
	local version=$1 folder=$cache/$1 package

	[ -f "$folder/vmlinuz" ] && return 0
	update_lists || return 1
	package=$(apt apt-cache search --names-only "^linux-image-${version/./[.]}[.][0-9]+[-+].*-cloud-amd64\$" |
		cut -d' ' -f1 | grep -v -e dbg -e unsigned | sort -V | tail -n 1)
	[ -n "$package" ] || return 1
	rm -rf "$folder" && mkdir -p "$folder" || return 1
	(cd "$folder" && apt apt-get download "$package") || return 1
	dpkg -x "$folder"/*.deb "$folder/package" && mv "$folder"/package/boot/vmlinuz-* "$folder/vmlinuz"
	rm -rf "$folder/package" "$folder"/*.deb
	[ -f "$folder/vmlinuz" ]
}

# ---- what they boot ----

copy_program()
{
	local program=$1 to=$2 library

	mkdir -p "$root/$(dirname "$to")"
	install "$program" "$root/$to" || return 1
	for library in $(ldd "$program" | grep -o '/[^ ]*'); do
		[ -f "$root$library" ] || install -D "$library" "$root$library"
	done
}

make_root()
{
	local name tool library

	root=$cache/root
	rm -rf "$root"
	mkdir -p "$root"/{bin,dev,proc,sys,tmp,etc,build/tests,sys/fs/cgroup}
	install "$(command -v busybox)" "$root/bin/busybox"
	for tool in $(busybox --list | grep -v "^busybox\$"); do
		ln -sf busybox "$root/bin/$tool"
	done
	# glibc loads it when a thread is cancelled or ends by itself.
	library=$(ldconfig -p 2>/dev/null | sed -n 's|.*libgcc_s.so.1.*x86-64.*=> ||p' | head -n 1)
	[ -z "$library" ] || install -D "$library" "$root/lib/x86_64-linux-gnu/libgcc_s.so.1"
	echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
	for name in ttlog-recorder ttlog-view ttlog-ctl; do
		copy_program "$build/$name" "build/$name" || return 1
	done
	copy_program "$(command -v setpriv)" build/setpriv || return 1
	copy_program "$(command -v lz4)" bin/lz4 || return 1 # as who opens a dump has it
	for name in "${tests[@]}"; do
		[ -f "$build/tests/$name" ] || continue
		copy_program "$build/tests/$name" "build/tests/$name" || return 1
		echo "$name"
	done >"$root/etc/tests"
	install -m 755 tests/kernels_init "$root/init"
	(cd "$root" && find . | busybox cpio -o -H newc -R 0:0 2>/dev/null) >"$cache/initramfs"
}

# ---- one kernel ----

# The timer is not asked for proof: on a machine that is busy elsewhere, 6.1 misses its ticks and panics.
# One thread for both processors: with two, a kernel that changes its own code (a tracepoint is attached)
# was seen to execute half of the old instruction and half of the new one.
boot_kernel()
{
	local version=$1 start=$SECONDS

	timeout --kill-after=5 "$limit_s" qemu-system-x86_64 -accel tcg,thread=single -cpu max -smp 2 -m 1024 \
		-kernel "$cache/$version/vmlinuz" -initrd "$cache/initramfs" -nographic -no-reboot -net none \
		-append 'console=ttyS0 quiet panic=-1 panic_on_oops=1 mitigations=off no_timer_check' \
		</dev/null 2>&1 |
		tr -d '\r' >"$cache/$version.log"
	echo $((SECONDS - start)) >"$cache/$version.seconds"
}

report_kernel()
{
	local version=$1 log=$cache/$1.log name status seconds

	echo "$(sed -n 's/^KERNEL /Linux /p' "$log"): $(cat "$cache/$version.seconds") s"
	while read -r name status seconds; do
		if [ "$status" = 0 ] || [ "$status" = 77 ]; then
			printf '  %s  %s (%s s)\n' "$([ "$status" = 0 ] && echo ok || echo skip)" "$name" "$seconds"
		else
			printf '  FAIL  %s (status %s)\n' "$name" "$status"
			sed -n "/^BEGIN $name\$/,/^RESULT $name /p" "$log" | tail -n 60 | sed 's/^/      /'
			bad=1
		fi
		sed -n "/^BEGIN $name\$/,/^RESULT $name /p" "$log" | grep -a -i '^\[SKIP\|^ *skip' | sed 's/^/      /'
	done < <(sed -n 's/^RESULT //p' "$log")
	[ "$(grep -c '^RESULT ' "$log")" = $((2 + $(wc -l <"$root/etc/tests"))) ] && grep -q '^DONE$' "$log" && return
	echo "  FAIL  it did not get to its end; its last words:"
	tail -n 40 "$log" | sed 's/^/      /'
	bad=1
}

bad=0
for version in "${versions[@]}"; do
	fetch_kernel "$version" || skip "no kernel $version could be fetched from deb.debian.org"
done
make_root || exit 1
# Beside each other: each has a processor of its own.
for version in "${versions[@]}"; do
	boot_kernel "$version" &
done
wait
for version in "${versions[@]}"; do
	report_kernel "$version"
done
exit "$bad"
