#!/bin/bash
# SPDX-License-Identifier: MIT
# install.sh BUILD - what `make install` puts down serves a program that knows nothing of this tree.
set -eu
cd "$(dirname "$0")/.."
build=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

make --no-print-directory -s B="$build" DESTDIR="$root" PREFIX=/opt/ttlog install >/dev/null
cat >"$root/app.c" <<'C'
#include <ttlog.h>
#include <stdio.h>

int main(void)
{
	struct ttlog_stats stats = {.size = sizeof(stats)};

	if (ttlog_init("app"))
		return 1;
	for (int i = 0; i < 1000; i++)
		ttlog_info("started", "i", i);
	ttlog_warn("careful", "why", "test");
	ttlog_get_stats(&stats);
	return stats.retained == 1001 ? 0 : 2;
}
C
export PKG_CONFIG_PATH=$root/opt/ttlog/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root TTLOG_SOCKET=
flags=$(pkg-config --cflags --libs ttlog)
for cc in gcc clang; do
	for pie in -pie -no-pie; do
		# shellcheck disable=SC2086
		$cc -Wall -Wextra -Werror -O2 $pie -o "$root/shared" "$root/app.c" $flags
		LD_LIBRARY_PATH=$root/opt/ttlog/lib "$root/shared"
	done
	$cc -O2 -static -I"$root/opt/ttlog/include" -o "$root/static" "$root/app.c" \
		"$root/opt/ttlog/lib/libttlog.a"
	"$root/static"
done

# What reads dumps, by the example's own source.
for cc in gcc clang; do
	# shellcheck disable=SC2046
	$cc -Wall -Wextra -Werror -O2 -o "$root/shared" viewer/examples/slowest.c $(pkg-config --cflags --libs ttlogread)
	said=$(LD_LIBRARY_PATH=$root/opt/ttlog/lib "$root/shared" tests/golden/1-fault.bin status)
	[[ $said = *status=500* ]] || { echo "slowest, shared, by $cc: $said"; exit 1; }
	$cc -O2 -I"$root/opt/ttlog/include" -o "$root/static" viewer/examples/slowest.c \
		"$root/opt/ttlog/lib/libttlogread.a" $(pkg-config --libs liblz4 libcbor)
	[ "$("$root/static" tests/golden/1-fault.bin status)" = "$said" ] || { echo "slowest, static, by $cc"; exit 1; }
done

# Nothing but the promised symbols leaves the library; everything external in the archive is ours.
extra=$(nm -D --defined-only "$root/opt/ttlog/lib/libttlog.so.0" | awk '{print $3}' |
	sed 's/@.*//' | grep -v -E '^(ttlog_|TTLOG_)' || true)
[ -z "$extra" ] || { echo "libttlog.so shows $extra"; exit 1; }
extra=$(nm -g --defined-only "$root/opt/ttlog/lib/libttlog.a" | awk 'NF == 3 {print $3}' | grep -v '^ttlog_' || true)
[ -z "$extra" ] || { echo "libttlog.a shows $extra"; exit 1; }
needed=$(readelf -d "$root/opt/ttlog/lib/libttlog.so.0" | grep NEEDED | grep -v -E 'libc\.so|ld-linux' || true)
[ -z "$needed" ] || { echo "libttlog.so needs $needed"; exit 1; }

for file in bin/ttlog-recorder bin/ttlog-view share/man/man1/ttlog-view.1 share/man/man3/ttlog.3 \
	share/man/man8/ttlog-recorder.8 share/man/man5/ttlog-recorder.conf.5 bin/ttlog-ctl \
	share/man/man8/ttlog-ctl.8 share/man/man3/ttlog_read.3 include/ttlog_read.h share/ttlog/ttlog.lnav.json; do
	[ -s "$root/opt/ttlog/$file" ] || { echo "$file is not installed"; exit 1; }
done

# And what was put down goes again; what somebody else has there stays.
echo mine >"$root/opt/ttlog/bin/mine"
make --no-print-directory -s B="$build" DESTDIR="$root" PREFIX=/opt/ttlog uninstall >/dev/null
left=$(cd "$root/opt" && find . ! -type d)
[ "$left" = ./ttlog/bin/mine ] || { echo "uninstall leaves $left"; exit 1; }
[ ! -e "$root/opt/ttlog/share/ttlog" ] || { echo "uninstall leaves share/ttlog"; exit 1; }
echo "install: shared, static, PIE and not, gcc and clang"
