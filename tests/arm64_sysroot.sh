#!/bin/bash
# SPDX-License-Identifier: MIT
#
# arm64_sysroot.sh FOLDER PACKAGE... - Debian's or Ubuntu's arm64 packages and what they depend on,
# unpacked into FOLDER: libraries to link cross-compiled programs against, and to run them with.
#
# apt does it, by the sources of this machine and with lists of its own: the architectures of the
# machine and its installed packages stay as they are, and no root is needed. What is there already
# is not fetched again: a folder is made once.
set -eu
folder=$1
shift
wanted=$(printf '%s\n' "$@" | sort | tr '\n' ' ')
[ "$(cat "$folder/etc/ttlog-sysroot" 2>/dev/null)" != "$wanted" ] || exit 0

rm -rf "$folder"
mkdir -p "$folder"
folder=$(realpath "$folder")
state=$folder/var/apt
mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
: >"$state/status"

apt()
{
	apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State="$state" \
		-o Dir::State::Lists="$state/lists" -o Dir::State::Status="$state/status" \
		-o Dir::Cache="$state/cache" -o APT::Sandbox::User="$(id -un)" \
		-o APT::Install-Recommends=false "$@"
}

apt update
apt install --download-only -y "$@"
for package in "$state"/cache/archives/*.deb; do
	dpkg-deb -x "$package" "$folder"
done
rm -rf "$state"
# libm.so of libc6-dev leads to /lib: the linker would find nothing there, and take libm.a.
find "$folder" -type l -lname '/*' | while read -r link; do
	ln -srfn "$folder$(readlink "$link")" "$link"
done
mkdir -p "$folder/etc"
echo "$wanted" >"$folder/etc/ttlog-sysroot"
