#!/bin/sh
# SPDX-License-Identifier: MIT
#
# peers.sh BUILD - ttlog beside other recorders that keep the newest events: one run, one event, one
# floor. $ROUNDS (3) processes a time, $TRIALS (10) deaths.
#
# Each is measured by the same harness (peers.c), set up as its manual says for a flight recorder, with
# some 16 MiB of memory, and read with its own tool. One that is missing, or fails, is named with the
# reason, and the rest goes on. The tables are Markdown.
#
# All that is started here ends here. Root has a mount namespace for it, so that /run and /dev/shm are
# shared with nobody.

set -u
build=${1:?usage: peers.sh BUILD}
rounds=${ROUNDS:-3}
trials=${TRIALS:-10}
kept_of=2000000

if [ "${PEERS_PRIVATE:-}" = "" ] && [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	exec unshare -m env PEERS_PRIVATE=1 "$0" "$@"
fi
if [ "${PEERS_PRIVATE:-}" = 1 ]; then
	mount -t tmpfs -o mode=1777 tmpfs /dev/shm && mount -t tmpfs -o mode=755 tmpfs /run || exit 1
fi

dir=$(mktemp -d) || exit 1
sessiond='' recorder='' keeper='' waits=''
for file in /dev/shm/lttng-ust-wait-*; do [ ! -e "$file" ] || waits=1; done
export LTTNG_HOME="$dir/home" LTTNG_UST_REGISTER_TIMEOUT=10000
export TTLOG_SOCKET="$dir/recorder.sock" PEER_LOG="$dir/async.log" PEER_NAME="bench-$$"

# ---- small things --------------------------------------------------------------------------------

# wait_for COMMAND...: until it is true, at most 20 s
wait_for() {
	tries=400
	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.05
	done
}

gone() { ! kill -0 "$1" 2>/dev/null || [ "$(ps -o stat= -p "$1" | cut -c1)" = Z ]; }


children() { ps -o pid= --ppid "$1" 2>/dev/null; }

# family PID: it, its children, and theirs
family() {
	echo "$1"
	for child in $(children "$1"); do family "$child"; done
}

# end PID: asks it to end, and sees that it and its children have
end() {
	# Before: they are nobody's afterwards.
	members=$(family "$1")
	kill "$1" 2>/dev/null
	for pid in $members; do wait_for gone "$pid" || kill -9 "$pid" 2>/dev/null; done
}

cleanup() {
	trap - EXIT INT TERM HUP
	exec 9>&-
	for pid in $keeper $recorder $sessiond; do end "$pid"; done
	rm -rf "$dir" /dev/shm/qb-"$PEER_NAME"-*
	# LTTng's programs make them, and leave them.
	[ "$waits" ] || rm -f /dev/shm/lttng-ust-wait-*
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# is PEER KEY VALUE; value PEER KEY: the median of what was recorded, or nothing
is() { echo "$2 $3" >>"$dir/$1.kv"; }
value() {
	[ -f "$dir/$1.kv" ] && awk -v key="$2" '$1 == key { print $2 }' "$dir/$1.kv" | sort -n |
		awk '{ v[NR] = $1 } END { if (NR) print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}
all() { awk -v key="$2" '$1 == key { print $2 }' "$dir/$1.kv" 2>/dev/null; }

# left_out WHAT REASON...
left_out() {
	what=$1
	shift
	printf '%s: %s\n' "$what" "$*" >>"$dir/left_out"
}

# numbers FILE: of the events in a reader's text: how many, the newest, how many up to it without a gap
numbers() {
	awk '{
		if (!match($0, /request_id"?( = |:|=)"?[0-9]+/)) next
		n = substr($0, RSTART, RLENGTH)
		sub(/.*[^0-9]/, "", n)
		n += 0
		seen[n]
		if (!kept++ || n > newest) newest = n
	} END {
		for (n = newest; n in seen; n--) run++
		printf "%d %d %d\n", kept, newest, run
	}' "$@"
}

# ---- LTTng-UST -----------------------------------------------------------------------------------

# 16 sub-buffers of the default 512 KiB on each of two CPUs; on more CPUs they are smaller.
lttng_subbuffer() {
	size=524288
	cpus=$(getconf _NPROCESSORS_CONF)
	while [ $((size * 16 * cpus)) -gt 16777216 ] && [ $size -gt 16384 ]; do size=$((size / 2)); done
	echo $size
}

lttng_start() {
	mkdir -p "$LTTNG_HOME"
	# Its package starts one where systemd is. Programs of a user go to both, commands to ours alone.
	if [ -e /run/lttng/lttng-sessiond.pid ] && { [ "$(id -u)" = 0 ] || id -nG | grep -qw tracing; }; then
		echo "a session daemon is running, and would be asked instead of ours" >"$dir/reason"
		return 1
	fi
	lttng-sessiond --no-kernel >"$dir/sessiond.log" 2>&1 &
	sessiond=$!
	wait_for lttng -n list && return
	tail -n 1 "$dir/sessiond.log" >"$dir/reason"
	return 1
}

# lttng_session BUFFERS [OPTION]: a snapshot session in overwrite mode, started
lttng_session() {
	{
		lttng -n create bench --snapshot --output="$dir/lttng" ${2:+"$2"} &&
			lttng -n enable-channel -u events --overwrite --subbuf-size="$(lttng_subbuffer)" \
				--num-subbuf=16 "$1" &&
			lttng -n enable-event -u bench:request -c events && lttng -n start
	} >"$dir/lttng.log" 2>&1 || {
		left_out "LTTng-UST" "no session: $(tail -n 1 "$dir/lttng.log")"
		return 1
	}
}

lttng_over() {
	lttng -n destroy bench >/dev/null 2>&1
	rm -rf "$dir/lttng" "$dir/lttng-shm"
}

# What is there, as text. Stopped first: its manual warns of holes in a snapshot otherwise.
lttng_read() {
	lttng -n stop >/dev/null 2>&1
	lttng -n snapshot record >"$dir/lttng.log" 2>&1
	babeltrace2 "$dir/lttng" 2>"$dir/said"
}

lttng_crash_read() {
	mkdir -p "$dir/lttng"
	lttng-crash -x "$dir/lttng/crash" "$dir/lttng-shm" >"$dir/lttng.log" 2>&1
	babeltrace2 "$dir/lttng" 2>"$dir/said"
}

# ---- the others ----------------------------------------------------------------------------------

recorder_start() {
	mkdir "$dir/dumps"
	"$build/ttlog-recorder" --socket "$TTLOG_SOCKET" --dir "$dir/dumps" --keep-loop=0 --dump-on-exit \
		2>"$dir/recorder.log" &
	recorder=$!
	wait_for test -S "$TTLOG_SOCKET" || left_out ttlog "no recorder: $(tail -n 1 "$dir/recorder.log")"
}

a_dump_of() { ls "$dir/dumps/ttlog-$1-"*.bin; }

# ttlog_read PID
ttlog_read() {
	wait_for a_dump_of "$1" || return
	"$build/ttlog-view" --format json "$dir/dumps/ttlog-$1-"*.bin 2>"$dir/said"
}

libqb_read() { qb-blackbox "$1" 2>"$dir/said"; }
async_read() { cat "${PEER_LOG%.log}.1.log" "$PEER_LOG" 2>/dev/null; }

# in_file NUMBER FILE: its eight bytes are there
in_file() {
	bytes=$(printf '%016x\n' "$1" | fold -w 2 | tac | sed 's/^/\\x/' | tr -d '\n')
	LC_ALL=C grep -qaP "$bytes" "$2"
}

# ---- the measures --------------------------------------------------------------------------------

peers="ttlog lttng libqb spdlog_backtrace spdlog_async"

name_of() {
	case $1 in
	ttlog) echo ttlog ;;
	lttng) echo "LTTng-UST, snapshot" ;;
	lttng_pid) echo "the same, a buffer for each process" ;;
	lttng_crash) echo "the same, \`--shm-path\`, \`lttng-crash\`" ;;
	libqb) echo "libqb blackbox" ;;
	spdlog_backtrace) echo "spdlog backtrace" ;;
	spdlog_async) echo "spdlog async, a file" ;;
	esac
}

# run PEER MODE [ARGUMENT...]: what it prints becomes values of it
run() {
	peer=$1
	shift
	if timeout 60 "$build/bench/peer_$peer" "$@" >"$dir/out" 2>"$dir/err"; then
		awk 'NF == 2 && $1 ~ /^[a-z]/ && $2 ~ /^[0-9.]+$/' "$dir/out" >>"$dir/$peer.kv"
	else
		left_out "$(name_of "$peer"), $1" "exit status $?: $(tail -n 1 "$dir/err")"
		return 1
	fi
}

measure_times() {
	for round in $(seq "$rounds"); do
		for peer in $there; do
			[ "$peer" != lttng ] || lttng_session --buffers-uid || continue
			for mode in tight1 tight2 busy paced; do run "$peer" $mode; done
			[ "$round" -gt 1 ] || run "$peer" steps
			[ "$peer" != lttng ] || lttng_over
			rm -f "$dir"/async*.log "$dir"/dumps/*
		done
	done
}

# memory_of: shares of the memory that belongs to no file, in KiB, of the processes it reads
memory_of() {
	while read -r pid; do cat "/proc/$pid/smaps_rollup"; done |
		awk '$1 == "Pss_Anon:" || $1 == "Pss_Shmem:" { sum += $2 } END { print sum + 0 }'
}

daemons_of() {
	case $1 in
	ttlog) echo "$recorder" | memory_of ;;
	lttng) family "$sessiond" | memory_of ;;
	*) echo 0 ;;
	esac
}

ready_or_gone() { grep -q '^ready' "$dir/out" || gone "$keeper"; }

# What is left after an orderly end, and who says what is not.
read_kept() {
	case $1 in
	ttlog) ttlog_read "$2" ;;
	lttng) lttng_read ;;
	libqb) libqb_read "$dir/kept" ;;
	spdlog_backtrace) cat "$dir/kept" ;;
	spdlog_async) async_read ;;
	esac
}

says() {
	case $1 in
	ttlog) "$build/ttlog-view" --info --format json "$dir/dumps/ttlog-$2-"*.bin |
		awk 'match($0, /"overwritten": ?[0-9]+/) {
			s = substr($0, RSTART, RLENGTH); gsub(/[^0-9]/, "", s); print s " overwritten"; exit }' ;;
	spdlog_async) echo "$(value spdlog_async overrun) overrun, if the program asks" ;;
	*) grep -i 'discard\|lost' "$dir/said" | head -n 1 ;;
	esac
}

# Bytes an event, where the program itself can't say.
bytes_of() {
	case $1 in
	lttng) find "$dir/lttng" -type f -name 'events*' -size +0 -exec stat -c %s {} + |
		awk -v kept="$2" '{ sum += $1 } END { print sum / kept }' ;;
	libqb) awk -v kept="$2" 'BEGIN { print 16777216 / kept }' ;;
	spdlog_backtrace) awk -v kept="$2" -v kib="$(value "$1" memory_kib)" 'BEGIN { print kib * 1024 / kept }' ;;
	esac
}

# count_kept PEER PID
count_kept() {
	numbers "$dir/text" >"$dir/numbers"
	read -r kept newest unbroken <"$dir/numbers"
	[ "$kept" -gt 0 ] || return
	is "$1" kept "$kept"
	is "$1" kept_unbroken $((newest == kept_of - 1 ? unbroken : 0))
	bytes=$(bytes_of "$1" "$kept")
	[ -z "$bytes" ] || is "$1" bytes "$bytes"
	says "$1" "$2" >"$dir/$1.says"
}

measure_kept_by() {
	peer=$1
	mkfifo "$dir/go" && : >"$dir/out" && : >"$dir/said" && rm -f "$dir/text"
	"$build/bench/peer_$peer" keep $kept_of "$dir/kept" <"$dir/go" >"$dir/out" 2>"$dir/err" &
	keeper=$!
	exec 9>"$dir/go"
	wait_for ready_or_gone
	if grep -q '^ready' "$dir/out"; then
		grep -E '^(memory_kib|bytes|overrun) [0-9]+$' "$dir/out" >>"$dir/$peer.kv"
		is "$peer" daemons_kib "$(daemons_of "$peer")"
		[ "$peer" = ttlog ] || read_kept "$peer" 0 >"$dir/text"
	else
		left_out "$(name_of "$peer"), keep" "$(tail -n 1 "$dir/err")"
	fi
	exec 9>&-
	wait $keeper
	[ "$peer" != ttlog ] || read_kept "$peer" $keeper >"$dir/text"
	[ ! -s "$dir/text" ] || count_kept "$peer" $keeper
	keeper=
	rm -rf "$dir/go" "$dir/text" "$dir/kept" "$dir"/async*.log "$dir"/dumps/*
}

measure_kept() {
	for peer in $there; do
		[ "$peer" != lttng ] || lttng_session --buffers-uid || continue
		measure_kept_by "$peer"
		[ "$peer" != lttng ] || lttng_over
	done
}

# ---- SIGKILL -------------------------------------------------------------------------------------

read_killed() {
	case $1 in
	ttlog) ttlog_read "$2" ;;
	lttng | lttng_pid) lttng_read ;;
	lttng_crash) lttng_crash_read ;;
	libqb) libqb_read /dev/shm/qb-"$PEER_NAME-$2"-blackbox-data ;;
	spdlog_backtrace) cat "$dir/kept" 2>/dev/null ;; # it is in no file and in no shared memory
	spdlog_async) async_read ;;
	esac
}

before_kill() {
	case $1 in
	lttng) lttng_session --buffers-uid ;;
	lttng_pid) lttng_session --buffers-pid ;;
	lttng_crash) lttng_session --buffers-uid --shm-path="$dir/lttng-shm" ;;
	esac
}

kill_trial() {
	peer=$1
	program=${peer%_pid}
	rm -f "$dir/text"
	before_kill "$peer" || return 1
	if ! timeout 60 "$build/bench/peer_${program%_crash}" kill "$dir/page" >"$dir/out" 2>"$dir/err"; then
		left_out "$(name_of "$peer"), kill" "$(tail -n 1 "$dir/err")"
		return 1
	fi
	completed=$(awk '$1 == "completed" { print $2 }' "$dir/out")
	victim=$(awk '$1 == "victim" { print $2 }' "$dir/out")
	read_killed "$peer" "$victim" >"$dir/text"
	numbers "$dir/text" >"$dir/numbers"
	read -r kept newest unbroken <"$dir/numbers"
	if [ "$kept" = 0 ]; then
		is "$peer" kill_nothing 1
	else
		# One more than was completed: the call was under way.
		is "$peer" kill_lost $((completed - 1 > newest ? completed - 1 - newest : 0))
		is "$peer" kill_unbroken "$unbroken"
	fi
	case $peer in
	lttng*) lttng_over ;;
	libqb) ! in_file $((completed - 1)) /dev/shm/qb-"$PEER_NAME-$victim"-blackbox-data || is libqb kill_raw 1 ;;
	esac
	rm -rf "$dir/text" "$dir/page" "$dir"/async*.log "$dir"/dumps/* /dev/shm/qb-"$PEER_NAME"-*
}

measure_killed() {
	for peer in $there; do
		[ "$peer" != lttng ] || more="lttng_crash lttng_pid"
		for how in $peer ${more:-}; do
			for _ in $(seq "$([ "$how" = lttng_pid ] && echo 3 || echo "$trials")"); do
				kill_trial "$how" || break
			done
		done
		more=
	done
}

# ---- what is shown -------------------------------------------------------------------------------

version() { dpkg-query -W -f '${Version}' "$1" 2>/dev/null || echo "of unknown version"; }

print_head() {
	model=$(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)
	cat <<-END

	Machine: ${model:-$(uname -m)}, $(getconf _NPROCESSORS_ONLN) CPUs, load $(cut -d' ' -f1 /proc/loadavg); Linux $(uname -r); gcc $(gcc -dumpfullversion).
	Packages: liblttng-ust $(version liblttng-ust1), lttng-tools $(version lttng-tools), babeltrace2 $(version babeltrace2), libqb $(version libqb100), spdlog $(version libspdlog-dev).
	END
}

# with_ratio PEER KEY: "76 (7.5 x)"
with_ratio() {
	awk -v ns="$(value "$1" "$2")" -v ratio="$(value "$1" "$2_ratio")" \
		'BEGIN { if (ns == "") print "-"; else printf ns < 20 ? "%.1f (%.2f x)" : "%.0f (%.1f x)", ns, ratio }'
}

paced() {
	awk -v a="$(value "$1" "$2_p50")" -v b="$(value "$1" "$2_p99")" -v c="$(value "$1" "$2_p999")" \
		'BEGIN { if (a == "") print "-"; else printf "%.0f, %.0f, %.0f", a, b, c }'
}

rounded() { awk -v x="$1" 'BEGIN { if (x == "") print "-"; else printf "%.0f", x }'; }

print_times() {
	# What is measured beside each of them has its median over all.
	cat "$dir"/*.kv >"$dir/all" && mv "$dir/all" "$dir/all.kv"
	cat <<-END

	| one event of three fields; ns, (x floor) | tight loop | two threads, each | added to a busy loop | instructions | one call a us: p50, p99, p99.9 | bytes |
	|---|---|---|---|---|---|---|
	END
	printf '| floor: a timestamp and 32 bytes | %.1f | %.1f | %.1f | %.0f | %s | 32 |\n' \
		"$(value all tight1_floor)" "$(value all tight2_floor)" "$(value all busy_floor)" \
		"$(value all steps_floor)" "$(paced all floor)"
	for peer in $there; do
		printf '| %s | %s | %s | %s | %s | %s | %s |\n' "$(name_of "$peer")" \
			"$(with_ratio "$peer" tight1)" "$(with_ratio "$peer" tight2)" "$(with_ratio "$peer" busy)" \
			"$(rounded "$(value "$peer" steps)")" "$(paced "$peer" paced)" "$(rounded "$(value "$peer" bytes)")"
	done
	printf '\nMedians of %d processes each; p50, p99, p99.9 have the harness in them: %s.\n' "$rounds" \
		"$(paced all nothing)"
}

print_kept() {
	cat <<-END

	| $kept_of events of one thread, then an orderly end | memory, MiB: process + daemons | kept; the newest without a gap | lost | what says so |
	|---|---|---|---|---|
	END
	for peer in $there; do
		kept=$(rounded "$(value "$peer" kept)")
		[ "$kept" = - ] && continue
		printf '| %s | %s | %s | %s | %s |\n' "$(name_of "$peer")" \
			"$(awk -v a="$(value "$peer" memory_kib)" -v b="$(value "$peer" daemons_kib)" \
				'BEGIN { printf "%.1f + %.1f", a / 1024, b / 1024 }')" \
			"$kept, $(rounded "$(value "$peer" kept_unbroken)")" $((kept_of - kept)) \
			"$(grep . "$dir/$peer.says" || echo nothing)"
	done
}

print_killed() {
	cat <<-END

	| killed (SIGKILL) while it records | trials | nothing is left | the newest are missing | how many: median, worst | the newest without a gap |
	|---|---|---|---|---|---|
	END
	for peer in ttlog lttng lttng_crash lttng_pid libqb spdlog_backtrace spdlog_async; do
		[ -f "$dir/$peer.kv" ] || continue
		{
			all "$peer" kill_nothing | sed 's/^/nothing /'
			all "$peer" kill_lost | sort -n | sed 's/^/lost /'
		} | awk -v name="$(name_of "$peer")" -v unbroken="$(rounded "$(value "$peer" kill_unbroken)")" '
			$1 == "nothing" { nothing++ }
			$1 == "lost" { read++; if ($2) lost[++some] = $2 }
			END {
				if (!nothing && !read) exit
				how_many = some ? int((lost[int((some + 1) / 2)] + lost[int(some / 2) + 1]) / 2) ", " lost[some] : "-"
				printf "| %s | %d | %d | %s | %s | %s |\n", name, nothing + read, nothing,
					read ? some + 0 : "-", how_many, unbroken
			}'
	done
	raw=$(all libqb kill_raw | wc -l)
	[ "$raw" = 0 ] || printf '\nlibqb: the newest number was in its file in /dev/shm %d times, which its reader rejects.\n' "$raw"
}

# ---- all of it -----------------------------------------------------------------------------------

# there PEER REASON: leaves it out if a program of it is missing
there=
for peer in $peers; do
	tools=
	case $peer in
	lttng) tools="lttng lttng-sessiond lttng-crash babeltrace2" ;;
	libqb) tools=qb-blackbox ;;
	esac
	reason=
	[ -x "$build/bench/peer_$peer" ] || reason="peer_$peer was not built (make deps-peers)"
	for tool in $tools; do
		PATH=$PATH:/usr/sbin command -v $tool >/dev/null || reason="$tool is missing (make deps-peers)"
	done
	[ "$reason" ] || [ "$peer" != lttng ] || lttng_start || reason=$(cat "$dir/reason")
	if [ "$reason" ]; then left_out "$(name_of "$peer")" "$reason"; else there="$there $peer"; fi
done
PATH=$PATH:/usr/sbin
recorder_start

print_head
measure_times
measure_kept
measure_killed
print_times
print_kept
print_killed
if [ -s "$dir/left_out" ]; then
	printf '\nNot measured:\n'
	sort -u "$dir/left_out" | sed 's/^/    /'
fi
