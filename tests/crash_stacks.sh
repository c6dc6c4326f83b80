#!/bin/bash
# SPDX-License-Identifier: MIT
# crash_stacks.sh BUILD - C++ programs built in many ways die in many ways under the recorder; of each `ttlog-view --info`
# has function, file and line of each frame, or says what it does not know. No stack is made up.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "$1")
victims=$build/tests/victims
[ -e "$victims/recorded_pie" ] || { echo "skipped: $victims/recorded_pie was not built"; exit 77; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
bad=0

# All die under one recorder, one after another: only so many are unwound at a time.
all="pie/fault nopie/fault static/fault staticpie/fault clang/fault split/fault linked/fault symbols/fault bare/fault
	pie/abort pie/assert pie/handler pie/altstack pie/null pie/overflow pie/plugin pie/vdso pie/thread pie/constant pie/data pie/mapping
	pie/guard"
# shellcheck disable=SC2016
timeout 300 "$build/ttlog-recorder" run --unwind-timeout 60s --dir "$dir" -- bash -c '
	for each in $1; do
		"$2/recorded_${each%/*}" "${each#*/}" "$2/plugin.so" &
		wait $! 2>/dev/null
		echo "$each $!" >>"$3/died"
		for _ in $(seq 6000); do
			compgen -G "$3/ttlog-$!-*.bin" >/dev/null && break
			sleep 0.01
		done
	done' bash "$all" "$victims" "$dir" >"$dir/said" 2>&1
grep -q 'without eBPF' "$dir/said" && { echo "skipped: no eBPF, so nobody captures stacks"; exit 77; }

# crash FLAVOUR KIND: its dump, as JSON in $info and as text in $text.
crash()
{
	local pid

	what="$1 $2"
	pid=$(sed -n "s|^$1/$2 ||p" "$dir/died")
	dump=$(compgen -G "$dir/ttlog-$pid-*.bin")
	info=$("$build/ttlog-view" --info --format json "$dump") && text=$("$build/ttlog-view" --threads "$dump") && return
	echo "$what: there is no dump:"
	cat "$dir/said"
	exit 1
}

failed()
{
	echo "$what: $1 in:"
	"$build/ttlog-view" --info "$dump" | sed -n '1,/^  process/p'
	bad=1
}

holds()
{
	jq -e "(.scene.threads | map(select(.fatal))[0]) as \$fatal | $2" >/dev/null <<<"$info" || failed "$1"
}

says()
{
	grep -q -F -- "$1" <<<"$text" || failed "no \"$1\""
}

# The line of tests/victim_scene.cc with that mark.
line()
{
	grep -n "/\* @$1 \*/" tests/victim_scene.cc | cut -d: -f1
}

# frames FUNCTION:MARK... innermost first; others may lie between them. Each with its file and line.
frames()
{
	local pair wanted='' at
	for pair in "$@"; do
		at=$(line "${pair##*:}")
		wanted="$wanted,[\"${pair%:*}\",$at]"
		grep -q -E "#[0-9]+ +0x[0-9a-f]+ ${pair%:*} \(.*victim_scene.cc:$at\)" <<<"$text" || failed "no line $at of ${pair%:*}"
	done
	holds "the frames are not in that order" "[${wanted#,}] as \$wanted |
		reduce (\$fatal.frames[] | select(.file // \"\" | endswith(\"victim_scene.cc\")) | [.function, .line]) as \$frame
			(0; if \$wanted[.] == \$frame then . + 1 else . end) == (\$wanted | length)"
}

whole()
{
	holds "it does not go up to the end" "\$fatal.note == null"
	holds "some is guessed" "[\$fatal.frames[] | select(.guessed)] == []"
}

fault=(shop::fault:fault shop::Order::total:total shop::Order::checkout:checkout main:main)

# ---- ways to build ----

for flavour in pie nopie static staticpie clang split linked; do
	crash $flavour fault
	frames "${fault[@]}"
	whole
	says "write to 0x0: a null pointer"
	holds "another thread has no stack" '[.scene.threads[] | select(.fatal | not) | select(.name == "bystander") | .frames[] | .function] | any(. == "wait_for_ever")'
	holds "a module has no build-id" "[.scene.modules[] | select(.path | startswith(\"/\")) | select(.build_id == null)] | length <= $([ $flavour = linked ] && echo 1 || echo 0)"
	holds "registers are not there" "(\$fatal.registers | (.rip // .pc)) == \$fatal.frames[0].pc"
done

# ---- ways to die ----

crash pie abort
frames shop::Order::checkout:abort main:main
whole
holds "abort is not among the frames" "[\$fatal.frames[] | (.function // .symbol // \"\")] | any(test(\"abort|raise|pthread_kill\"))"
crash pie assert
frames shop::Order::checkout:assert main:main
whole
for kind in handler altstack; do
	crash pie $kind
	frames shop::fault:fault shop::on_signal:handler shop::interrupted:raise main:main
	whole
	holds "what the signal interrupted is no activation" "[\$fatal.frames[] | select(.activation)] | length >= 2"
done
holds "one stack is missing" "(\$fatal.slices | length) >= 2 and \$fatal.interrupted_sp != null"
crash pie null
frames shop::Order::checkout:null main:main
whole
says "execution of 0x0: a null pointer"
crash pie overflow
frames shop::overflow:overflow
says "stack overflow"
says "the stack has no room left"
says "of the same"
holds "it is not said that there is more" "(\$fatal.frames | length) == 256 and (\$fatal.note | test(\"more than 256 frames\"))"
crash pie plugin
frames call_plugin:call_plugin main:main
grep -q -E ' plugin_crash \(.*victim_plugin.c:[0-9]+\)' <<<"$text" || failed "no line of the library that was loaded later"
whole
crash pie vdso
frames shop::Order::checkout:vdso main:main
whole
crash pie thread
frames shop::fault:fault check_out:till
whole
says "stack of thread till-1 (tid "
says "in thread till-1 (tid "
holds "who waits for it is not there" '[.scene.threads[] | select(.fatal | not) | .frames[] | .function] | any(. == "main")'

# ---- what was mapped there, where the kernel can be asked ----

# place KIND WORDS
place()
{
	crash pie "$1"
	# From 6.16 on a process that exits still has them; a list that was cut short may lack this one.
	if [ "$(printf '6.16\n%s\n' "$(uname -r)" | sort -V | head -n 1)" != 6.16 ] ||
		jq -e .scene.modules_cut >/dev/null <<<"$info"; then
		echo "crash_stacks: mappings can't be walked here: nothing is said of $1's"
		return
	fi
	grep -q -E "^  fault +$2\$" <<<"$text" || failed "no '$2'"
}

place constant "write to 0x[0-9a-f]+: mapped, but not for that, in /.*/recorded_pie\+0x[0-9a-f]+ \(r--p\)"
frames shop::Order::checkout:constant
place data "execution of 0x[0-9a-f]+: mapped, but not for that, in .*\+0x[0-9a-f]+ \(rw-p\)"
frames shop::Order::checkout:data main:main
place mapping "write to 0x[0-9a-f]+: mapped, but not for that, in memory without a file, at \+0x10 \(r--p\)"
place guard "write to 0x[0-9a-f]+: the stack has no room left.*, in a guard of [0-9]+ bytes, [0-9]+ below its end"
says "in thread till-1 (tid "

# ---- with less than that ----

crash symbols fault
says "shop::Order::checkout(char const*)+0x"
holds "a line without debug information" "[\$fatal.frames[] | select((.symbol // \"\") | startswith(\"shop\")) | select(.line)] == []"
whole
crash bare fault
says "recorded_bare+0x"
says " build-id $(readelf -n "$victims/recorded_bare" | awk '/Build ID/ { print $3 }')"
holds "a name without symbols" "[\$fatal.frames[] | select(.module != null) | . as \$f | select((\$f.symbol // \"\") | startswith(\"shop\"))] == []"
whole

[ "$bad" = 0 ] && echo "crash_stacks: functions, files and lines, in whichever way a program was built and died"
exit "$bad"
