#!/bin/bash
# SPDX-License-Identifier: MIT
# packages.sh - what `make demo` and `make check` ask apt for on a machine that has nothing, and what they say where
# nobody can ask it. apt, dpkg and sudo are actors: nothing is installed.
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
stage=$folder/bin asked=$folder/asked said=$folder/said

# A machine's programs: those that the Makefile starts, and the actors.
mkdir "$stage"
for tool in cat dirname env find grep id make nproc sed sh uname; do
	ln -s "$(command -v $tool)" "$stage/$tool" || exit 1
done
act() { # NAME LINE
	printf '#!/bin/sh\n%s\n' "$2" >"$stage/$1" && chmod +x "$stage/$1"
}
everybody_acts() {
	act apt-get "echo \"\$@\" >>$asked"
	act dpkg-query 'exit 1'
	act sudo 'exec "$@"'
}
# Nothing is left of the environment: a make that runs this has told its children much.
run() { # MAKE'S ARGUMENT...
	: >"$asked"
	env -i PATH="$stage" HOME="$folder" make -s --no-print-directory B="$folder/build" "$@" >"$said" 2>&1
}
wrong() {
	echo "packages: $*"
	bad=1
}
fine() { # MAKE'S ARGUMENT...
	run "$@" || wrong "make $* ends with an error: $(<"$said")"
}
stops() { # MAKE'S ARGUMENT...
	run "$@" && wrong "make $* goes on: $(<"$said")"
	names "$said" libdw-dev
}
names() { # FILE PACKAGE...
	local name file=$1

	shift
	for name; do
		grep -qw -- "$name" "$file" || wrong "$name is not in: $(<"$file")"
	done
}
names_not() { # FILE PACKAGE...
	local name file=$1

	shift
	for name; do
		! grep -qw -- "$name" "$file" || wrong "$name is in: $(<"$file")"
	done
}

everybody_acts
for sudo in "" sudo; do
	fine deps-build SUDO=$sudo
	names "$asked" clang g++ libdw-dev lz4
	names_not "$asked" libcriterion-dev python3-bt2 npm systemd
	[ "$(grep -c ^install "$asked")" = 1 ] || wrong "not one question: $(<"$asked")"
	fine deps SUDO=$sudo
	names "$asked" clang g++ libdw-dev lz4 libcriterion-dev python3-bt2 systemd gcc-aarch64-linux-gnu
	[ "$(grep -c ^install "$asked")" = 1 ] || wrong "not one question: $(<"$asked")"
done
fine deps-build BPF=0 UNWIND=0
names "$asked" liblz4-dev libcbor-dev
names_not "$asked" clang libbpf-dev libdw-dev libiberty-dev

# What the two begin with; the rest of them is not done.
fine demo -n MAKE=:
names "$said" libdw-dev
names_not "$said" libcriterion-dev
fine check -n MAKE=:
names "$said" libdw-dev libcriterion-dev gcc-aarch64-linux-gnu

act dpkg-query 'echo installed'
fine deps
[ ! -s "$asked" ] || wrong "apt is asked for what is there: $(<"$asked")"

everybody_acts
act apt-get 'exit 100'
stops deps-build
# Whoever has them from elsewhere needs no apt.
fine deps-build MISSING=
everybody_acts
rm "$stage/sudo"
stops deps-build SUDO=sudo
everybody_acts
rm "$stage/apt-get"
stops deps-build
fine deps-build MISSING=
stops deps MISSING=
exit $bad
