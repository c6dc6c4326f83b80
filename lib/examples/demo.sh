#!/bin/bash
# SPDX-License-Identifier: MIT
#
# demo.sh BUILD [OPTION OF ttlog-recorder run...] - a real service dies five times under the recorder; each time: why it died, what it did
# last, and that every event it had recorded is in the dump. `make demo` calls it.
# Exit: 0; 1 when a verdict was wrong, an event missing, or something did not work; 2 usage.

set -u
[ $# -ge 1 ] || { echo "usage: demo.sh BUILD [OPTION OF ttlog-recorder run...]" >&2; exit 2; }
build=${1%/}
shift
options=("$@")
myself=$(<"/proc/$$/comm")
recorder=$build/ttlog-recorder view=$build/ttlog-view examples=$build/examples
for program in "$recorder" "$view" "$examples"/{kvserver,kvload,kvproof}; do
	[ -x "$program" ] || { echo "demo.sh: $program is missing: make all examples" >&2; exit 2; }
done

patience=100 # seconds for anything that we wait for: generous, it is only met when something is broken
workers=4
requests=30000
failures=0
without_bpf=""

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
	bold=$'\e[1m' dim=$'\e[2m' red=$'\e[1;31m' green=$'\e[1;32m' blue=$'\e[1;34m' off=$'\e[0m'
	color=--color=always
else
	bold="" dim="" red="" green="" blue="" off="" color=--color=never
fi

dumps=$build/demo
tmp=$(mktemp -d) || exit 1
server_pid="" recorder_pid=""
tidy() {
	[ -z "$server_pid" ] || kill -KILL "$server_pid" 2>/dev/null
	[ -z "$recorder_pid" ] || wait "$recorder_pid" 2>/dev/null
	rm -rf "$tmp"
}
trap tidy EXIT
trap 'exit 1' INT TERM

rm -rf "$dumps" && mkdir -p "$dumps" && mkfifo "$tmp/ready" || exit 1
# Open for writing too, so that nobody waits in open(2).
exec 3<>"$tmp/ready"

fail() {
	printf '  %sWRONG%s  %s\n' "$red" "$off" "$*"
	failures=$((failures + 1))
}

fine() {
	printf '  %sok%s  %s\n' "$green" "$off" "$*"
}

# ---- one service, from its start to its dump --------------------------------------------------

# Starts kvserver under a private recorder and waits until it listens: $port, $server_pid.
start() {
	"$recorder" run --dir "$dumps" "${options[@]}" -- "$examples/kvserver" --workers $workers \
		--port-file "$tmp/ready" --count-file "$tmp/count" >"$tmp/said" 2>&1 &
	recorder_pid=$!
	if ! read -r -t $patience -u 3 port server_pid; then
		cat "$tmp/said"
		echo "demo.sh: the service does not start" >&2
		exit 1
	fi
}

# Waits for the recorder, which ends as the service did: $status; then $dump and $info.
finish() {
	wait "$recorder_pid"
	status=$?
	set -- "$dumps/ttlog-$server_pid-"*.bin
	dump=$1
	recorder_pid="" server_pid=""
	# The recorder says the verdict and the file, which the viewer does below.
	grep -v -e '^kvserver: pid' -e ' (pid [0-9]*): .*\.bin$' "$tmp/said" | sed "s/^/  $dim/; s/\$/$off/"
	if [ ! -f "$dump" ]; then
		fail "no dump was written"
		return 1
	fi
	info=$("$view" --info --format json "$dump")
}

field() { # name: of the JSON in $info; the first one of that name
	grep -o "\"$1\":\"\{0,1\}[^,\"}]*" <<<"$info" | head -n 1 | sed 's/^[^:]*:"\{0,1\}//'
}

show() {
	local guilty

	printf '  %s%s%s\n' "$bold" "$("$view" --info "$dump" | head -n 1)" "$off"
	"$view" --info "$dump" | grep -E '^  (fault|process|died|events|dump) ' | sed 's/^/  /'
	echo
	"$view" --info "$dump" | sed -n '/^  stack of /,/^$/p' | sed 's/^./  &/'
	"$view" $color --limit 8 "$dump" | sed 's/^/  /'
	# Of the thread that faulted or aborted, where it is known.
	guilty=$(grep -o '"thread":{[^}]*' <<<"$info" | grep -o '"tid":[0-9]*' | tr -dc 0-9)
	if [ -n "$guilty" ]; then
		printf '\n  %sthe thread that did it, its last events:%s\n' "$dim" "$off"
		"$view" $color --limit 3 --filter "tid=$guilty" "$dump" | sed 's/^/  /'
	fi
	echo
}

# What must be so, or this demo is a lie: EXIT-STATUS NAME=VALUE... of the JSON in $info.
check() {
	local expected=$1 pair wrong="" known=() bpf=yes

	shift
	[ "$(field rung)" = ebpf ] || bpf=no
	[ "$status" -eq "$expected" ] || wrong=" exit status $status, not $expected;"
	for pair in "$@"; do
		# Without eBPF nobody knows who sent a signal, or where a fault was.
		[[ $bpf = yes || $pair == signal_name=* || $pair == exit_code=* ]] || continue
		known+=("$pair")
		# "name":value, "name":"value" and, for sender_pid, "sender":{"pid":value
		grep -q "\"$(sed 's/_pid=/":{"pid=/; s/=/":"\\{0,1\\}/' <<<"$pair")[\",}]" <<<"$info" ||
			wrong="$wrong no ${pair%%=*} = ${pair#*=};"
	done
	if [ -z "$wrong" ]; then
		fine "the verdict is right (exit status $status ${known[*]})"
	else
		fail "the verdict:$wrong $info"
	fi
	[ $bpf = yes ] && return
	without_bpf=yes
	printf '  %s(no eBPF here: no sender, no address)%s\n' "$dim" "$off"
}

prove() {
	local line

	if line=$("$view" --format json "$dump" |
		"$examples/kvproof" --count-file "$tmp/count" --overwritten "$(field overwritten)"); then
		fine "$line"
	else
		fail "$line"
	fi
}

heading() {
	printf '\n%s%s%s\n%s%s%s\n\n' "$blue" "$1" "$off" "$dim" "$2" "$off"
}

# ---- five ways to die -------------------------------------------------------------------------

die_of_a_fault() {
	heading "1  A real bug" "INCR of a key that was deleted, while 7 other connections go on"
	start
	"$examples/kvload" --port "$port" --connections 8 --requests $requests --poison segv | sed 's/^/  /'
	finish || return
	show
	check 139 how=fault signal_name=SIGSEGV code_name=SEGV_MAPERR fault_address=0x0
	prove
}

die_of_an_assertion() {
	heading "2  An assertion" "a client restores a value that is not as long as it says: abort()"
	start
	"$examples/kvload" --port "$port" --connections 8 --requests $requests --poison abort | sed 's/^/  /'
	finish || return
	show
	check 134 how=abort signal_name=SIGABRT
	prove
}

# The smallest buffer, so that old events have to go: those are counted, and the newest all there.
die_by_sigkill() {
	heading "3  kill -9 by another process" "in the middle of the load, with a buffer of 1 MiB that has long been full"
	export TTLOG_BUFFER_SIZE=1M
	start
	unset TTLOG_BUFFER_SIZE
	exec 4< <("$examples/kvload" --port "$port" --connections 8 --requests 100000000 --mark $requests 2>&1)
	read -r -t $patience -u 4 _ || fail "the load does not get on"
	kill -KILL "$server_pid"
	sed 's/^/  /' <&4
	exec 4<&-
	finish || return
	show
	check 137 how=signal signal_name=SIGKILL "comm=$myself" sender_pid=$$
	prove
}

die_by_sigterm() {
	heading "4  SIGTERM that nobody handles" "what an orchestrator sends first"
	start
	"$examples/kvload" --port "$port" --connections 8 --requests $requests | sed 's/^/  /'
	kill -TERM "$server_pid"
	finish || return
	show
	check 143 how=signal signal_name=SIGTERM "comm=$myself" sender_pid=$$
	prove
}

exit_cleanly() {
	heading "5  A clean exit" "nobody died; \`run\` keeps the record all the same"
	start
	"$examples/kvload" --port "$port" --connections 8 --requests $requests --poison shutdown | sed 's/^/  /'
	finish || return
	show
	check 0 how=exit exit_code=0
	prove
}

began=$SECONDS
echo "${bold}ttlog: a key-value service with $workers workers dies five times.${off}"
die_of_a_fault
die_of_an_assertion
die_by_sigkill
die_by_sigterm
exit_cleanly

printf '\nThe dumps are in %s. Look further:\n' "$dumps"
printf '  %s --info %s\n' "$view" "$dumps/*-sigsegv.bin"
printf "  %s --filter 'level>=WARN' --limit 10 %s\n" "$view" "$dumps/*-sigkill.bin"
printf "  %s --filter op=INCR --filter 'duration_ns>50000' %s\n" "$view" "$dumps/*.bin"
printf "  lz4 -dc %s | /usr/bin/python3 -c 'import sys, cbor2; print(cbor2.load(sys.stdin.buffer)[\"cause\"])'\n\n" \
	"$dumps/*-abort.bin"
if [ -n "$without_bpf" ] && [ "$(id -u)" != 0 ]; then
	printf 'Root is also told who sent a signal, where a fault was, and the stacks: sudo %s %s\n\n' "$0" "$build"
fi
if [ $failures -gt 0 ]; then
	echo "${red}$failures checks failed${off} in $((SECONDS - began)) s"
	exit 1
fi
echo "${green}Five deaths, five verdicts, not one event missing${off} in $((SECONDS - began)) s"
