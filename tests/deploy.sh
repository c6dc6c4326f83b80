#!/bin/bash
# SPDX-License-Identifier: MIT
# deploy.sh BUILD - what is in recorder/deploy renders, asks for no more than it has to, and names what there is.
set -eu
cd "$(dirname "$0")/.."
build=$1
bad=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# ---- Kubernetes ----

command -v kubectl >/dev/null || { echo "deploy: no kubectl (Debian: kubernetes-client)"; exit 77; }
cp -r recorder/deploy/kustomize "$folder/"
# Kustomize 2.0, in Debian's kubectl, has the same under names of old.
if ! kubectl kustomize "$folder/kustomize/daemonset" >/dev/null 2>&1; then
	sed -i -e '/^  - \.\.\/base$/d' -e 's/^patches:/patchesStrategicMerge:/' -e 's/^  - path: /  - /' \
		"$folder"/kustomize/{daemonset,sidecar}/kustomization.yaml
	for kind in daemonset sidecar; do
		printf 'bases:\n  - ../base\n' >>"$folder/kustomize/$kind/kustomization.yaml"
	done
fi
for kind in daemonset sidecar; do
	if ! kubectl kustomize "$folder/kustomize/$kind" >"$folder/$kind" 2>"$folder/said"; then
		cat "$folder/said"
		bad=1
		continue
	fi
	# Debian's python3, which has Debian's modules.
	/usr/bin/python3 tests/deploy_check.py "$kind" "$folder/$kind" 2>"$folder/arguments" ||
		{ cat "$folder/arguments"; bad=1; }
	# What would run there takes that configuration and those arguments.
	chmod 644 "$folder/$kind.conf"
	# shellcheck disable=SC2046
	"$build/ttlog-recorder" --config "$folder/$kind.conf" --check-config $(cat "$folder/arguments") \
		>/dev/null || { echo "$kind: the recorder refuses its configuration"; bad=1; }
done

# ---- Docker: there may be no daemon to build it with; what it names has to be there ----

dockerfile=recorder/deploy/Dockerfile
for source in $(sed -n 's/^COPY \([^-][^ ]*\) .*/\1/p' $dockerfile); do
	[ -e "$source" ] || { echo "$dockerfile copies $source, which there is none of"; bad=1; }
	grep -qx "!${source%/}" $dockerfile.dockerignore ||
		{ echo "$dockerfile.dockerignore leaves out $source"; bad=1; }
done
# It is enough to build and to install from.
mkdir "$folder/image"
for source in $(sed -n 's/^COPY \([^-][^ ]*\) .*/\1/p' $dockerfile); do
	[ -e "$folder/image/${source%/}" ] || ln -s "$PWD/${source%/}" "$folder/image/"
done
make -C "$folder/image" -n all install PREFIX=/usr >/dev/null 2>"$folder/said" ||
	{ echo "$dockerfile copies too little to build from:"; cat "$folder/said"; bad=1; }
# What make needs, by the Makefile; and nothing that it does not know of.
needed=$(sed -n 's/^PACKAGES := \(clang .*\)/\1/p' Makefile)
for package in $needed; do
	grep -qw -- "$package" $dockerfile || { echo "$dockerfile does not install $package"; bad=1; }
done
# Each library that the programs load comes from a package of the last stage.
if command -v dpkg-query >/dev/null && grep -q bookworm /etc/os-release; then
	for library in $(ldd "$build"/ttlog-recorder "$build"/ttlog-view "$build"/ttlog-ctl |
		awk '/=> \// {print $3}' | sort -u | xargs -n 1 realpath); do
		package=$(dpkg-query -S "$library" 2>/dev/null | head -1 | cut -d: -f1)
		case $package in libc6 | libgcc-s1 | libstdc++6 | zlib1g | liblzma5 | libbz2-1.0 | libzstd1 | "") continue ;; esac
		sed -n '/^FROM/h; //!H; $!d; x; p' $dockerfile | grep -qw -- "$package" ||
			{ echo "the last stage of $dockerfile has no $package ($library)"; bad=1; }
	done
fi
entry=$(sed -n 's/^ENTRYPOINT \["\(.*\)"\]$/\1/p' $dockerfile)
[ "$entry" = /usr/bin/ttlog-recorder ] || { echo "$dockerfile starts '$entry'"; bad=1; }

[ "$bad" = 0 ] && echo "deploy: rendered, checked, and what it names is there"
exit "$bad"
