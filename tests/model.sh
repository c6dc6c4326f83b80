#!/bin/bash
# SPDX-License-Identifier: MIT
# model.sh - the ring's protocol, searched to the end by spin: in every state that can be reached, death
# included, the promise holds; and each repair is needed: without it a state is found where it does not.
#
#   tests/model.sh           what `make check` runs: two searches at a time, under a minute
#   MODEL=full tests/model.sh    larger ones too: minutes, and up to 12 GiB of memory
#   MODEL=NAME tests/model.sh    that configuration alone; what was found is shown step by step
#
# One line a configuration: name, verdict, states, seconds. A good one must be searched to the end without a
# violation, a bad one (a -DBREAK_... takes one repair away) must violate an assertion. Before that: every
# step that the code names ("model: take_3") is in the model, and the other way round.
set -u
cd "$(dirname "$0")/model" || exit 1

command -v spin >/dev/null || { echo "skipped: there is no spin (package spin)"; exit 77; }
command -v gcc >/dev/null || { echo "skipped: spin needs gcc"; exit 77; }

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# ---- the names ----

names_agree()
{
	local bad=0 name file function

	while read -r name file function; do
		[ "$name" = name ] && continue
		grep -q "\b$function(" "../../lib/$file" || {
			echo "the model's $name is in $function() of lib/$file, which is not there"; bad=1; }
		grep -Eq "model: ([a-z_0-9]+, )*$name\b" "../../lib/$file" || {
			echo "lib/$file does not name the model's $name"; bad=1; }
	done < <(grep -oh '@ [a-z_0-9]* [a-z_.]* [a-z_]*' ./*.pml | cut -c3- | sort -u)
	while IFS=: read -r file name; do
		grep -q "@ $name ${file##*/} " ./*.pml || {
			echo "$file names $name, which the model does not have"; bad=1; }
	done < <(grep -EoH 'model: [a-z_0-9]+(, [a-z_0-9]+)*' ../../lib/*.[ch] |
		sed 's/: *model: /:/; s/^\([^:]*\):/\1 /' |
		awk '{ for (i = 2; i <= NF; i++) { sub(",", "", $i); print $1 ":" $i } }' | sort -u)
	[ "$bad" = 0 ] && echo "names: the model's steps and the code's agree"
	return "$bad"
}

# ---- one configuration ----

# Of processor time: how long it takes on a busy machine says nothing.
limit_s=60
[ "${MODEL:-}" ] && limit_s=3000

# Partial order reduction is not for clauses that say who may run (handlers.pml).
reduction_of()
{
	case $1 in
	threads) echo ;;
	*) echo -DNOREDUCE ;;
	esac
}

show_trail()
{
	cat "$1/pan.out"
	(cd "$1" && spin "${@:3}" -t -p -g "$2.pml" 2>&1 | grep -v 'Death\|(else)\|goto' | tail -n 2000)
}

# name file good|bad flags...
search()
{
	local name=$1 file=$2 expected=$3 dir=$work/$1 start=$EPOCHREALTIME verdict said states level=-O0
	shift 3
	mkdir "$dir" && cp ./*.pml "$dir" && cd "$dir" || return 1
	# To optimise takes longer than the searches of every day.
	[ "${MODEL:-}" = full ] && level=-O2
	spin "$@" -a "$file.pml" >spin.out 2>&1 &&
		# shellcheck disable=SC2046
		gcc $level -w -DSAFETY $(reduction_of "$file") -DMEMLIM=12000 -o pan pan.c 2>gcc.out &&
		(ulimit -t "$limit_s"; exec ./pan -E -m20000 -n >pan.out 2>&1)
	states=$(awk '/states, stored/ { print $1 }' pan.out 2>/dev/null)
	if grep -q '^pan:1: assertion violated' pan.out 2>/dev/null; then
		verdict=bad
	elif grep -q 'errors: 0$' pan.out 2>/dev/null &&
		! grep -q 'not completed\|too small\|out of memory\|truncated' pan.out; then
		verdict=good
	else
		verdict=nothing
	fi
	if [ "$verdict" != "$expected" ]; then
		said="FAIL: $verdict, not $expected"
		: >"$work/failed"
	elif [ "$verdict" = good ]; then
		said=holds
	else
		said=rejected
	fi
	printf '%-24s %-8s %9s states %5.1f s\n' "$name" "$said" "${states:-no}" \
		"$(awk -v from="$start" -v to="$EPOCHREALTIME" 'BEGIN { print to - from }')"
	[ "$verdict" = nothing ] && cat spin.out gcc.out pan.out 2>/dev/null | tail -n 20
	[ "$verdict" = bad ] && [ -n "${show:-}" ] && show_trail "$dir" "$file" "$@"
	cd ../..
	rm -rf "$dir"
}

# ---- which ----

# Name | file | good or bad | macros. Above a line: what it is to show.
configurations()
{
	cat <<'END'
# Nothing is overwritten while frozen, the second time too, nor what was recorded since. The afterlife of the
# first freeze gives way; a thread that was late takes nothing of the second.
frozen-twice         | threads  | good | T=2 N=1 AF=1 K=1 END=1 FREEZES=2
# Threads that are gone without a word, at any step: in mid-take, with a full chunk, with a spare. What they
# held is taken over once, and counted.
vanish-in-a-change   | threads  | good | T=2 N=2 K=2 END=1 VANISH=1
# Freeze, scan and thaw against two threads that change chunks, with spares.
frozen               | threads  | good | T=2 N=2 K=2 K1=1 END=1 FREEZES=1
# The living region is copied while its two chunks are taken over, twice each: no gap, nothing of another tenure.
read-living-lapped   | threads  | good | T=1 N=2 K=5 READER
# Two threads, chunks of two events: all jobs of a chunk change, death anywhere, exact counts.
two-threads          | threads  | good | T=2 N=2 K=3
# Every event is a chunk change, with too few chunks: drops, chunks given back early.
every-event-a-change | threads  | good | T=2 N=2 K=2 END=1
# A chunk gives way only after half a lap of takes; a living thread keeps its newest event.
# ... one thread, many laps.
oldest-first-alone   | threads  | good | T=1 N=4 K=16 CHECK_AGE
oldest-first         | threads  | good | T=2 N=3 K=2 END=1 CHECK_AGE
# Values that look like headers, behind events of any size.
values               | threads  | good | T=1 N=2 K=6 END=3 MAXSZ=2
# The boot lane fills up first, and is never overwritten.
boot                 | threads  | good | T=2 N=2 B=1 K=2 END=1
# No clock that the fast path could read: all events go the slow way, without jobs.
# One thread through two freezes: a spare that was prepared before is used, none is prepared in it.
frozen-alone         | threads  | good | T=1 N=2 AF=1 K=6 FREEZES=2
slow                 | threads  | good | T=2 N=2 K=2 END=1 SLOW
# A handler between any two stores of a call, chunk changes included; order is by position.
handler              | handlers | good | N=3 SL=1 K=5 H=1
# ... out of each job, when every event is a change.
handler-jumps-change | handlers | good | N=4 SL=1 K=5 H=1 END=1 JUMPS=1
# ... the slow way.
# A handler of a handler.
handler-of-handler   | handlers | good | N=3 SL=2 K=2 H=2 LEVELS=2
# Warnings in slots, interrupted by others: what was jumped out of is found again.
handler-jumps-alert  | handlers | good | N=3 SL=2 K=3 H=1 END=1 JUMPS=1 ALERTS
handler-jumps-slow   | handlers | good | N=4 SL=1 K=4 H=1 END=1 JUMPS=1 SLOW
# What arm64 may do to a take and an event, seen by a living reader; and x86.
order                | order    | good |
order-x86            | order    | good | TSO
# ... to a retire, seen by the next taker.
order-retire         | order    | good | RETIRE
order-retire-x86     | order    | good | RETIRE TSO
# Freeze against take, through store buffers.
fence                | fence    | good |
# Straight from RETIRED to INIT: dead there, events are gone and not counted.
no-cond              | threads  | bad  | T=2 N=2 K=2 END=1 BREAK_NO_COND
# Straight to OWNED: the old owner's events are read as the new one's.
no-init              | threads  | bad  | T=2 N=2 K=2 END=1 BREAK_NO_INIT
# A store instead of the compare-and-swap.
no-swap              | threads  | bad  | T=2 N=2 K=2 END=1 BREAK_NO_SWAP
# One account instead of two: dead between it and INIT, events are counted that are there.
one-account          | threads  | bad  | T=1 N=2 K=6 END=1 BREAK_ACCOUNT
# The data of an older retire are believed.
stale-retire         | threads  | bad  | T=2 N=2 K=3 VANISH=1 BREAK_RETIRE_DATA
# The generation of a retire before its data.
retire-order         | threads  | bad  | T=2 N=2 K=2 END=1 VANISH=1 BREAK_RETIRE_ORDER
# Who owns a chunk by what it says itself.
owner-in-the-chunk   | threads  | bad  | T=3 N=1 K=1 END=1 VANISH=1 BREAK_OWNER
# The first header of the old tenure stays.
not-emptied          | threads  | bad  | T=1 N=2 K=3 END=1 BREAK_NO_EMPTYING
# No zero behind an event.
no-zero-behind       | threads  | bad  | T=1 N=2 K=4 END=3 MAXSZ=2 BREAK_NO_ZERO_BEHIND
# The header before the zero behind and the body.
header-first         | threads  | bad  | T=1 N=2 K=6 END=3 MAXSZ=2 BREAK_HEADER_FIRST
# The freeze word is not looked at again.
no-second-look       | threads  | bad  | T=2 N=2 K=2 END=1 FREEZES=1 BREAK_NO_RECHECK
# ... in the afterlife.
no-second-look-after | threads  | bad  | T=2 N=1 AF=1 K=1 END=1 FREEZES=2 BREAK_AFTER_RECHECK
# An afterlife chunk belongs to the freeze in which it was taken.
epoch-of-the-take    | threads  | bad  | T=2 N=1 AF=1 K=1 END=1 FREEZES=2 BREAK_AFTER_EPOCH
# The full chunk is given back before the next one has an event.
retire-at-swap       | threads  | bad  | T=2 N=3 K=2 END=1 BREAK_RETIRE_AT_SWAP
# The younger half gives way like the older.
young                | threads  | bad  | T=2 N=3 K=2 END=1 CHECK_AGE BREAK_YOUNG
# The reader does not look at the state again; copies without having walked; keeps what is newer than its start.
read-once            | threads  | bad  | T=1 N=2 K=5 READER BREAK_READ_ONCE
read-raw             | threads  | bad  | T=1 N=2 K=4 END=3 MAXSZ=2 READER BREAK_READ_RAW
read-no-newest       | threads  | bad  | T=1 N=2 K=5 READER BREAK_READ_NO_NEWEST
# Busy is not looked at; set behind the load of the position; ended before the position moves.
no-flag              | handlers | bad  | N=3 SL=1 K=4 H=1 BREAK_NO_FLAG
busy-late            | handlers | bad  | N=3 SL=1 K=4 H=1 BREAK_BUSY_LATE
busy-early           | handlers | bad  | N=3 SL=1 K=4 H=1 BREAK_BUSY_EARLY
# Jumped out of: a full chunk that is still named is given back twice; one that is named before it is
# described, with another's generation; one that is both hot and full; a spare that is hot too; an event that
# was committed and has no place.
full-cleared-late    | handlers | bad  | N=4 SL=1 K=5 H=1 END=1 JUMPS=1 BREAK_FULL_CLEARED_LATE
full-named-early     | handlers | bad  | N=4 SL=1 K=5 H=1 END=1 JUMPS=1 BREAK_FULL_COPIED
detach-late          | handlers | bad  | N=4 SL=1 K=5 H=1 END=1 JUMPS=1 BREAK_DETACH_LATE
spare-kept           | handlers | bad  | N=4 SL=1 K=5 H=1 END=1 JUMPS=1 BREAK_SPARE_KEPT
not-recovered        | handlers | bad  | N=4 SL=1 K=5 H=1 END=1 JUMPS=1 BREAK_NO_RECOVER
# ... a chunk that is never looked for; a job that does not say that it is one; a spare that is taken for lost.
not-reclaimed        | handlers | bad  | N=4 SL=1 K=4 H=1 END=1 JUMPS=1 BREAK_NO_RECLAIM
settled-unmarked     | handlers | bad  | N=4 SL=1 K=4 H=1 END=1 JUMPS=1 SLOW BREAK_SETTLED_UNMARKED
spare-reclaimed      | handlers | bad  | N=4 SL=1 K=4 H=1 END=1 JUMPS=1 BREAK_RECLAIM_SPARE
# A slot that is never looked for; one that is still being written to.
slot-not-reclaimed   | handlers | bad  | N=3 SL=2 K=3 H=1 END=1 JUMPS=1 ALERTS BREAK_NO_SLOT_RECLAIM
slot-reclaimed-early | handlers | bad  | N=3 SL=2 K=3 H=1 END=1 JUMPS=1 ALERTS BREAK_SLOT_RECLAIM_INNER
# One release, acquire or fence less, each.
owned-relaxed        | order    | bad  | BREAK_OWNED_RELAXED
commit-relaxed       | order    | bad  | BREAK_COMMIT_RELAXED
init-relaxed         | order    | bad  | BREAK_INIT_RELAXED
retired-relaxed      | order    | bad  | RETIRE BREAK_RETIRED_RELAXED
no-fence-behind-init | order    | bad  | BREAK_NO_FENCE_BEHIND_INIT
state-load-relaxed   | order    | bad  | BREAK_STATE_LOAD_RELAXED
taker-load-relaxed   | order    | bad  | RETIRE BREAK_STATE_LOAD_RELAXED
walk-relaxed         | order    | bad  | BREAK_WALK_RELAXED
no-reader-fence      | order    | bad  | BREAK_NO_READER_FENCE
no-taker-fence       | fence    | bad  | BREAK_NO_TAKER_FENCE
no-freezer-fence     | fence    | bad  | BREAK_NO_FREEZER_FENCE
END
}

# Too large for every day.
larger_configurations()
{
	cat <<'END'
# Both may be gone, so takers of what takers left; chunks that are half full.
vanish-both          | threads  | good | T=2 N=2 K=2 VANISH=2
# The living region is copied while chunks are taken over: no gap, nothing of another tenure.
read-living          | threads  | good | T=1 N=3 K=6 READER
# ... with values that look like headers.
read-living-values   | threads  | good | T=1 N=1 K=3 END=3 MAXSZ=2 READER
# Two, one after the other, that may jump out.
handlers-jump        | handlers | good | N=4 SL=1 K=4 H=2 JUMPS=1
# ... which jumps into it, or past it.
handler-of-handler-jumps | handlers | good | N=4 SL=1 K=2 H=2 END=1 LEVELS=2 JUMPS=1
# A third thread sees a vanished owner's chunk in the hands of the second.
vanish-of-three      | threads  | good | T=3 N=1 K=1 END=1 VANISH=1
# Longer through two freezes.
frozen-twice-longer  | threads  | good | T=2 N=1 AF=1 K=2 K1=1 END=1 FREEZES=2 NO_SCAN
# Three threads.
three-threads        | threads  | good | T=3 N=2 K=1 END=1
# Two threads, three chunks, three events each.
three-chunks         | threads  | good | T=2 N=3 K=3
# Both freeze and vanish.
frozen-vanish        | threads  | good | T=2 N=2 AF=1 K=2 K1=1 END=1 FREEZES=1 VANISH=1
# Two threads are read.
read-two             | threads  | good | T=2 N=2 K=2 K1=1 END=1 READER
# Two threads change chunks at every event, in two freezes.
frozen-twice-both    | threads  | good | T=2 N=2 AF=1 K=2 FREEZES=2
# Warnings and jumps on two levels.
handler-of-handler-alert | handlers | good | N=2 SL=2 K=2 H=2 END=1 LEVELS=2 JUMPS=1 ALERTS
# More handlers, more jumps.
handlers-jump-twice  | handlers | good | N=5 SL=1 K=4 H=3 JUMPS=2
END
}

chosen()
{
	case ${MODEL:-} in
	'') configurations ;;
	full) configurations; larger_configurations ;;
	*) configurations | grep "^$MODEL *|" || larger_configurations | grep "^$MODEL *|" ;;
	esac | grep -v '^#' | tr -d '|'
}

# ---- two at a time ----

run_all()
{
	local name file expected flags slots=2

	while read -r name file expected flags; do
		# shellcheck disable=SC2086
		search "$name" "$file" "$expected" $(for f in $flags; do printf -- '-D%s ' "$f"; done) &
		slots=$((slots - 1))
		[ "$slots" -gt 0 ] || { wait -n; slots=$((slots + 1)); }
	done
	wait
}

case ${MODEL:-} in '' | full) names_agree || : >"$work/failed" ;; *) show=1 ;; esac
run_all < <(chosen)
[ ! -e "$work/failed" ]
