#!/bin/bash
# SPDX-License-Identifier: MIT
# crash_demo.sh BUILD - the demo, as a test: five deaths, five verdicts, not one event missing; and it must
# leave no process behind, and fail when it should.
set -u
cd "$(dirname "$0")/.." || exit 2
build=${1:-build}
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT

# Other tests may be running services of their own.
export CRASH_DEMO=$tmp
lib/examples/demo.sh "$build" </dev/null || exit 1
for process in /proc/[0-9]*; do
	if grep -qsz "^$build/examples/kvserver" "$process/cmdline" &&
		grep -qsz "^CRASH_DEMO=$tmp\$" "$process/environ"; then
		echo "crash_demo.sh: a service was left behind, $process"
		exit 1
	fi
done

# A demo that cannot fail proves nothing: with a verdict that nobody can reach, it must.
sed 's/signal_name=SIGTERM/signal_name=SIGUSR1/' lib/examples/demo.sh >"$tmp/demo.sh"
if bash "$tmp/demo.sh" "$build" </dev/null >"$tmp/said"; then
	echo "crash_demo.sh: a wrong verdict went unnoticed"
	exit 1
fi
grep -q 'WRONG  the verdict: no signal_name = SIGUSR1' "$tmp/said" || exit 1
echo "crash_demo.sh: the demo proves what it says, and notices a wrong verdict"
