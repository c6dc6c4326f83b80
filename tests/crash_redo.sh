#!/bin/bash
# SPDX-License-Identifier: MIT
# crash_redo.sh BUILD - a stripped C++ service dies while its debug information is elsewhere; ttlog-view --unwind finds the
# functions, files and lines when that is there again, and believes no file of another build.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "$1")
view=$build/ttlog-view
victim=$build/tests/victims/redo
[ -e "$victim" ] || { echo "skipped: $victim was not built"; exit 77; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"
bad=0

mkdir "$dir/bin" "$dir/dumps" "$dir/by_id" "$dir/flat" "$dir/root" || exit 1
cp "$victim" "$dir/bin/redo"
id=$(readelf -n "$dir/bin/redo" | awk '/Build ID/ { print $3 }')
"$build/ttlog-recorder" run --unwind-timeout 60s --dir "$dir/dumps" -- "$dir/bin/redo" >"$dir/said" 2>&1
grep -q 'without eBPF' "$dir/said" && { echo "skipped: no eBPF, so nobody captures stacks"; exit 77; }
dump=$(echo "$dir"/dumps/*.bin)
[ -s "$dump" ] || { echo "there is no dump:"; cat "$dir/said"; exit 1; }

line()
{
	grep -n "@$1 " tests/victim_redo.cc | cut -d: -f1
}

# redo WHAT EXPECTED OPTION...: of the frames of the fatal thread, as JSON in $info and as text in $text.
redo()
{
	local what=$1 expected=$2
	shift 2
	info=$("$view" --unwind "$@" --info --format json "$dump") || { echo "$what: exit status $?"; bad=1; }
	text=$("$view" --unwind "$@" "$dump")
	jq -e "[.scene.threads[] | select(.fatal)][0] | $expected" >/dev/null <<<"$info" && return
	echo "$what: not so in:"
	jq '.scene.threads[0] | del(.registers, .slices)' <<<"$info" | head -c 4000
	bad=1
}

says()
{
	grep -q -F -- "$2" <<<"$text" && return
	printf '%s: no "%s" in:\n%s\n' "$1" "$2" "$text"
	bad=1
}

# shellcheck disable=SC2089
whole=".frames | map(select(.module != null and (.file // \"\" | endswith(\"victim_redo.cc\"))) | [.function, .line, .inline]) ==
	[[\"shop::Cart::charge\", $(line charge), false], [\"shop::Cart::settle\", $(line settle), false],
	 [\"shop::Cart::pay\", $(line pay), true], [\"main\", $(line main), false]]"
bare='(.frames | map(.function // "" | select(startswith("shop"))) == []) and .frames[0].gained == []'
kept='(.frames | length) >= (.recorded_frames | length)'

# ---- nothing is there that was not there then ----

"$view" --info "$dump" >"$dir/info"
grep -q "bin/redo+0x.* build-id $id" "$dir/info" || { echo "no module, offset and build-id in:"; cat "$dir/info"; bad=1; }
grep -q -e '--unwind looks again' "$dir/info" || { echo "no hint at --unwind"; bad=1; }
redo "without debug files" "$bare"
says "without debug files" "no more than the recorder saw"
says "without debug files" "bin/redo, no debug information found"

# ---- the debug file comes: where folders have it, and where the program says ----

mkdir -p "$dir/by_id/.build-id/${id:0:2}" "$dir/root/usr/lib/debug/.build-id/${id:0:2}"
cp "$victim.debug" "$dir/by_id/.build-id/${id:0:2}/${id:2}.debug"
cp "$victim.debug" "$dir/flat/redo.debug"
cp "$victim.debug" "$dir/root/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug"
for folder in by_id flat root; do
	redo "debug file in $folder" "$whole" --debug-dir "$dir/flat/.." --debug-dir "$dir/$folder"
	says "debug file in $folder" "shop::Cart::settle ("
done
redo "what is new" '.frames | map(select(.function == "shop::Cart::settle") | .gained) == [["frame", "function", "line"]] or
	map(select(.function == "shop::Cart::settle") | .gained) == [["symbol", "function", "line"]]' --debug-dir "$dir/by_id"
says "what is new" "  + #0 "
says "what is new" "more than the recorder saw: "
says "what is new" "debug information from $dir/by_id/.build-id/"
redo "as it was recorded" '(.recorded_frames | map(.function // "" | select(startswith("shop"))) == [])' --debug-dir "$dir/by_id"
cp "$victim.debug" "$dir/bin/redo.debug"
redo "debug file beside the program" "$whole"
rm "$dir/bin/redo.debug"

# ---- another user, who may not read the folder that the dump is in, and a pipe ----

chmod 700 "$dir/dumps"
if [ "$(id -u)" = 0 ]; then
	setpriv --reuid 65534 --regid 65534 --clear-groups "$view" --debug-dir "$dir/by_id" - <"$dump" >"$dir/nobody"
	grep -q "shop::Cart::charge (.*victim_redo.cc:$(line charge))" "$dir/nobody" || { echo "nobody sees no line:"; cat "$dir/nobody"; bad=1; }
fi

# ---- the program is gone: names by the debug file alone, and no frame is lost ----

mv "$dir/bin/redo" "$dir/away"
redo "no program, no debug file" "($bare) and ($kept)"
says "no program, no debug file" "bin/redo is not there: not used, the dump is of build-id $id"
redo "no program" "($whole) and ($kept)" --debug-dir "$dir/by_id"
says "no program" "names from $dir/by_id/.build-id/"
mkdir -p "$dir/root$dir/bin"
cp "$dir/away" "$dir/root$dir/bin/redo"
redo "program in a copied root" "$whole" --debug-dir "$dir/root"
says "program in a copied root" "bin/redo: read from $dir/root"
mv "$dir/away" "$dir/flat/redo"
redo "program in a folder of programs" "$whole" --debug-dir "$dir/flat"

# ---- it was replaced: other builds are named, and not believed ----

cp "$build/ttlog-view" "$dir/bin/redo"
other=$(readelf -n "$dir/bin/redo" | awk '/Build ID/ { print $3 }')
redo "replaced" "($bare) and ($kept)"
says "replaced" "bin/redo is another build by now (build-id $other): not used, the dump is of build-id $id"
objcopy --only-keep-debug "$build/ttlog-view" "$dir/by_id/.build-id/${id:0:2}/${id:2}.debug"
redo "another debug file" "($bare) and ($kept)" --debug-dir "$dir/by_id"
refused=$(jq -r '.scene.modules[] | select(.path | endswith("bin/redo")) | .refused' <<<"$info")
[ "$refused" = "is another build by now (build-id $other)" ] || { echo "refused: $refused"; bad=1; }

# ---- what can't be ----

"$view" --debug-dir "$dir/nowhere" "$dump" >"$dir/out" 2>"$dir/errors"
[ $? = 2 ] && grep -q "nowhere: No such file" "$dir/errors" || { echo "a folder that is not there: $(cat "$dir/errors")"; bad=1; }
rm "$dir/by_id/.build-id/${id:0:2}/${id:2}.debug" "$dir/bin/redo"
mkfifo "$dir/by_id/.build-id/${id:0:2}/${id:2}.debug" "$dir/bin/redo"
redo "pipes" "($bare) and ($kept)" --debug-dir "$dir/by_id"
says "pipes" "bin/redo can't be opened: not used"

[ "$bad" = 0 ] && echo "crash_redo: functions, files and lines come when the debug files do, and only of the same build"
exit "$bad"
