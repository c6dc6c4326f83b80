#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh - runs tests, as many at a time as there are processors (TTLOG_TEST_JOBS), and counts.
#
#   tests/run.sh build:"test_ring crash_deaths" build-asan:"test_ring" ...
#
# A name is a program in FOLDER/tests, or a script tests/NAME.sh, which gets FOLDER as its argument.
# Exit status 77 is "skipped here"; a Criterion program counts each of its tests. The output of what
# failed is shown, and what was skipped says why. Those that take longest begin first. Ends with
# "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.." || exit 1

passed=0 failed=0 skipped=0
alone="model crash_step"
long="$alone api api_wrong crash_storm race_reader test_hostile test_dump_reader test_recovery test_select test_doctor"
long+=" test_recorder test_clients test_channel_signals test_process_handlers test_writer_signals"
skips_shown=5
if [[ "$*" = *arm64:* ]]; then
	skips_shown=20
	export TTLOG_QEMU=${TTLOG_QEMU:-$(command -v qemu-aarch64)}
fi
limit_s=${TTLOG_TEST_LIMIT:-400}
jobs_max=${TTLOG_TEST_JOBS:-$(nproc)}
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
foreign_leaks=$scratch/foreign_leaks

export ASAN_OPTIONS=detect_leaks=1:handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:allocator_may_return_null=1
# Criterion 2.4.1 forgets 48 bytes of its own, now and then.
echo leak:libcriterion >"$foreign_leaks"
export LSAN_OPTIONS=suppressions=$foreign_leaks:print_suppressions=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:die_after_fork=0

# Ends a Criterion runner that has said nothing for a minute, and waits for no test: it says of each
# that it runs as soon as there is a worker.
end_if_hung()
{
	local pid=$1 log=$2 bytes=-1 quiet=0 now nap

	trap 'kill $nap; exit' TERM
	while [ "$quiet" -lt 60 ]; do
		sleep 5 &
		nap=$!
		wait "$nap"
		quiet=$((quiet + 5))
		now=$(stat -c %s "$log")
		if [ "$now" != "$bytes" ] || grep -a '^\[[RPFSC=]' "$log" | tail -n 1 | grep -q '^.RUN'; then
			bytes=$now quiet=0
		fi
	done
	kill "$pid"
}

run_one()
{
	local folder=$1 name=$2 log=$3 start status tries left= pid watch
	local -a command

	if [ -f "tests/$name.sh" ]; then
		command=("tests/$name.sh" "$folder")
	elif [[ $name = fuzz_* ]]; then
		command=("$folder/tests/$name" "tests/corpus/${name#fuzz_}")
	else
		command=("$folder/tests/$name")
	fi
	# Without it Criterion keeps to itself what it skipped, and counts it among the rest.
	[[ $name = test_* ]] && command+=(--verbose)
	if [[ $folder = *arm64* && ${command[0]} = "$folder"/* ]]; then
		# Whatever it executes in its turn goes the same way: tests/arm64_exec.c.
		command=("$TTLOG_QEMU" "${command[@]}")
		left=$(left_out_of "$name")
		[ -z "$left" ] || command+=(--filter "!($(cut -d: -f1 <<<"$left" | paste -sd'|'))")
	fi
	start=$EPOCHREALTIME
	# Criterion forks with threads about, and ASan's allocator has locks that a fork may catch shut:
	# now and then a runner waits for ever for a worker that never began. Then it has said nothing.
	tries=1
	if [[ $folder = *asan* && $name = test_* ]]; then
		command+=(-j1)
		tries=4
	fi
	while :; do
		timeout --kill-after=10 "$limit_s" "${command[@]}" >"$log" 2>&1 </dev/null &
		pid=$! watch=
		if [ "$tries" -gt 1 ]; then
			end_if_hung "$pid" "$log" &
			watch=$!
		fi
		wait "$pid"
		status=$?
		[ -z "$watch" ] || kill "$watch" 2>/dev/null
		tries=$((tries - 1))
		[[ $status = 124 || $status = 143 ]] && [ "$tries" -gt 0 ] && ! grep -a -q 'FAIL\|Tested:' "$log" || break
		echo "again $folder/$name: its runner hung"
	done
	if [ -n "$left" ]; then
		# Criterion says of them that they are disabled, and not why.
		sed -i '/: Test is disabled$/d' "$log"
		sed 's/^/[SKIP] under qemu-user: /' <<<"$left" >>"$log"
	fi
	printf -v took '%.1f s' "$(echo "$EPOCHREALTIME - $start" | tr , . | awk '{print $1 - $3}')"
	count_result "$folder/$name" "$status" "$took" "$log"
}

# What qemu-user can't run, by name, with the reasons: a line each, SUITE/TEST: REASON; TEST may be *.
left_out_of()
{
	grep "^${1#test_}/" tests/arm64_left_out.txt
}

# A test that is no more, or has another name now, is to leave that list.
check_left_out()
{
	local test reason suite

	while IFS=: read -r test reason; do
		suite=${test%/*} test=${test#*/}
		grep -q "^Test($suite, ${test/\*/.*}[,)]" "tests/test_$suite.c" && continue
		echo "FAIL  tests/arm64_left_out.txt: there is no test $suite/$test"
		failed=$((failed + 1))
	done < <(grep -v '^#' tests/arm64_left_out.txt)
}

# How it began, what Criterion says of each test, and how it ended.
show_log()
{
	if [ "$(wc -l <"$1")" -le 100 ]; then
		cat "$1"
	else
		head -n 40 "$1"
		echo ...
		tail -n +41 "$1" | head -n -40 | grep -a '^\[FAIL\|^\[CRASH\|WRONG' | head -n 20
		echo ...
		tail -n 40 "$1"
	fi
}

count_result()
{
	local what=$1 status=$2 took=$3 log=$4 line tested crashed
	local ok=1 bad=0 skip=0

	line=$(grep -a -o 'Tested: [0-9]* | Passing: [0-9]* | Failing: [0-9]* | Crashing: [0-9]*' "$log" | tail -n 1)
	if [ -n "$line" ]; then
		read -r tested ok bad crashed <<<"$(tr -cs '0-9\n' ' ' <<<"$line")"
		skip=$(grep -a -c '^\[SKIP' "$log")
		bad=$((bad + crashed))
		ok=$((tested - bad))
		[ "$status" = 0 ] || [ "$bad" -gt 0 ] || bad=1
	elif [ "$status" = 77 ]; then
		ok=0 skip=1
	elif [ "$status" != 0 ]; then
		ok=0 bad=1
	fi
	echo "$ok $bad $skip" >"$log.counts"
	if [ "$bad" -gt 0 ]; then
		printf 'FAIL  %s (status %s, %s)\n' "$what" "$status" "$took"
		show_log "$log" | sed 's/^/      /'
	elif [ "$skip" -gt 0 ]; then
		printf 'skip  %s (%s)\n' "$what" "$took"
		grep -a -i 'skip' "$log" | head -n "$skips_shown" | sed 's/^/      /'
	else
		printf 'ok    %s (%d, %s)\n' "$what" "$ok" "$took"
		grep -a 'is skipped under qemu-user' "$log" | sed 's/^/      /'
	fi
}

# Its lines in one piece, whoever else is running.
start_one()
{
	local log=$scratch/$1-$2.log

	mkdir -p "${log%/*}"
	{
		run_one "$1" "$2" "$log" >"$log.said" 2>&1
		flock "$scratch" cat "$log.said"
	} &
}

# The long ones, then the others as they come.
in_order()
{
	local group name what
	local -a all=()

	for group in "$@"; do
		for name in ${group#*:}; do
			all+=("${group%%:*} $name")
		done
	done
	for name in $long; do
		for what in "${all[@]}"; do
			[ "${what#* }" != "$name" ] || echo "$what"
		done
	done
	for what in "${all[@]}"; do
		[[ " $long " = *" ${what#* } "* ]] || echo "$what"
	done
}

[[ "$*" != *arm64:* ]] || check_left_out
running=0
while read -r folder name; do
	if [ "$running" -ge "$jobs_max" ]; then
		wait -n
		running=$((running - 1))
	fi
	start_one "$folder" "$name"
	running=$((running + 1))
	# They take two processors themselves, and who is beside them gets none.
	if [[ " $alone " = *" $name "* ]]; then
		wait
		running=0
	fi
done < <(in_order "$@")
wait
while read -r ok bad skip; do
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
done < <(find "$scratch" -name '*.counts' -exec cat {} +)
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
