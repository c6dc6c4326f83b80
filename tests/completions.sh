#!/bin/bash
# SPDX-License-Identifier: MIT
# completions.sh BUILD - bash, zsh and fish offer each option that --help names, and what may follow it.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1
bad=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

programs="ttlog-recorder ttlog-ctl ttlog-view"
for program in $programs; do
	recorder/completions.sh "$build/$program" bash >"$folder/$program.bash" &&
		recorder/completions.sh "$build/$program" zsh >"$folder/_$program" &&
		recorder/completions.sh "$build/$program" fish >"$folder/$program.fish" || exit 1
done
touch "$folder/a.bin"
mkdir "$folder/dumps"

# ---- what each shell offers for the last word of a line ----

# bash_offers WORD...: one a line; = is a word of its own, as readline cuts them.
bash_offers()
{
	bash --norc -c '. "$1"; shift
		COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
		"_${1//-/_}"; printf "%s\n" "${COMPREPLY[@]}"' bash "$folder/$1.bash" "$@"
}

fish_offers()
{
	fish --no-config -c "source $folder/$1.fish; complete -C '$*'" | cut -f 1
}

# A shell of its own behind a terminal. It says when its line editor is there, what is offered, and when that is all.
cat >"$folder/setup.zsh" <<'ZSH'
PROMPT=
fpath=(${0:h} $fpath)
autoload -Uz compinit && compinit -D -u
compadd()
{
	local -a hits
	if [[ ${@[1,(i)(-|--)]} != *-[OAD]\ * ]]; then
		builtin compadd -A hits "$@"
		print -r -- $'\n'"$hits"
	fi
	builtin compadd "$@"
}
finished() { print "@finished@" }
comppostfuncs=(finished)
bindkey "^I" complete-word
zle-line-init() { print "@ready@" }
zle -N zle-line-init
ZSH
zsh_offers()
{
	# shellcheck disable=SC2016
	zsh -f -c '
		zmodload zsh/zpty || exit 1
		zpty -b shell "TERM=dumb zsh -f -i" || exit 1
		zpty -w shell ". $1/setup.zsh"
		zpty -r shell text "*@ready@*" || exit 1
		zpty -w -n shell "$2"$'"'\\t'"'
		zpty -r shell text "*@finished@*" || exit 1
		print -r -- "$text"
		zpty -d shell' zsh "$folder" "$*"
}

# expect "words to be there" FUNCTION ARGUMENT...
expect()
{
	local wanted=$1 offered word
	shift
	# shellcheck disable=SC2016
	offered=$(timeout 60 bash -c '"$@"' bash "$@" 2>&1 </dev/null | grep -o -E '[a-z.-]+')
	for word in $wanted; do
		grep -q -x -F -- "$word" <<<"$offered" ||
			{ echo "$*: no $word in: $(tr '\n' ' ' <<<"$offered")"; bad=1; }
	done
}

export -f bash_offers fish_offers zsh_offers
export folder
shells=bash
for shell in fish zsh; do
	if command -v $shell >/dev/null; then shells="$shells $shell"; else echo "completions: no $shell, not tried"; fi
done

for program in $programs; do
	options=$({ "$build/$program" --help=all 2>/dev/null || "$build/$program" --help; } | grep -o -E '^  (-[a-zA-Z],|   ) --[a-z-]+' | grep -o -E -- '--[a-z-]+')
	[ -n "$options" ] || { echo "$program --help names no options"; bad=1; }
	bash -n "$folder/$program.bash" || bad=1
	expect "$options" bash_offers "$program" --
	case $shells in *fish*) expect "$options" fish_offers $program -- ;; esac
	case $shells in *zsh*) expect "$options" zsh_offers $program -- ;; esac
done

cd "$folder" || exit 1
expect "text json" bash_offers ttlog-recorder doctor --format ""
expect "text json" bash_offers ttlog-recorder doctor --format = ""
expect "text json" bash_offers ttlog-recorder doctor --format =
expect "run doctor" bash_offers ttlog-recorder ""
expect "dumps" bash_offers ttlog-recorder --dir d
expect "a.bin" bash_offers ttlog-view a
expect "text json" bash_offers ttlog-view --format ""
expect "list snapshot" bash_offers ttlog-ctl ""
expect "debug off" bash_offers ttlog-ctl level orders ""
[ -z "$(bash_offers ttlog-recorder --max-clients "" | tr -d '\n')" ] || { echo "bash offers something for a number"; bad=1; }
[ -z "$(bash_offers ttlog-recorder --dir a.b | tr -d '\n')" ] || { echo "bash offers a file for a folder"; bad=1; }
case $shells in *fish*)
	expect "text json" fish_offers ttlog-recorder doctor --format ''
	expect "run doctor" fish_offers ttlog-recorder ''
	expect "debug off" fish_offers ttlog-ctl level orders ''
	;;
esac
case $shells in *zsh*)
	expect "text json" zsh_offers ttlog-recorder doctor --format=
	expect "freeze thaw" zsh_offers ttlog-ctl ''
	;;
esac
[ "$bad" = 0 ] && echo "completions: $shells offer what --help names"
exit "$bad"
