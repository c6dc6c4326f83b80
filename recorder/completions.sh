#!/bin/sh
# SPDX-License-Identifier: MIT
# completions.sh PROGRAM bash|zsh|fish - completions for a shell, made from what PROGRAM says of itself with --help.
#
# What --help=all, or --help, has to look like: options as "  -s, --socket PATH    words", commands as
# "  list ARGUMENT   words" or in the usage as "ttlog-recorder run". What an argument can be is told by its name, or
# by a list of lines under "NAME is one of".
set -eu
program=$1
shell=$2
help=$("$program" --help=all 2>/dev/null || "$program" --help)

printf '%s\n' "$help" | awk -v shell="$shell" -v name="${program##*/}" '
function quoted(text) {
	gsub(/\047/, "\047\\\047\047", text)
	return "\047" text "\047"
}

# How an argument is completed: words, file, folder, any.
function kind_of(argument) {
	if (argument == "")
		return "none"
	if (argument ~ /^[a-z|]*\|[a-z|]*$/ || argument in choices)
		return "words"
	if (argument ~ /^(PATH|FILE)$/)
		return "file"
	return argument == "DIR" ? "folder" : "any"
}

function words_of(argument) {
	if (argument in choices)
		return choices[argument]
	gsub(/\|/, " ", argument)
	return argument
}

BEGIN {
	choices["FORMAT"] = "text json"
	choices["WHEN"] = "auto always never"
	choices["CLOCK"] = "crash delta utc local unix monotonic"
	choices["LEVEL"] = "trace debug info warn error fatal"
	levels = "trace debug info warn error fatal off"
}

/^  (-[a-zA-Z],|   ) --[a-z]/ {
	count++
	letter[count] = substr($1, 1, 2) == "--" ? "" : substr($1, 2, 1)
	text = substr($0, index($0, "--"))
	match(text, /^--[a-z-]+/)
	long[count] = substr(text, 3, RLENGTH - 2)
	text = substr(text, RLENGTH + 1)
	argument[count] = ""
	if (match(text, /^[= ][^ ]+/))
		argument[count] = substr(text, 2, RLENGTH - 1)
	sub(/^[^ ]* ?[^ ]* +/, "", text)
	help[count] = text
	next
}

/^[A-Z]+ is one of$/ {
	listed = $1
	choices[listed] = ""
	next
}

listed != "" && /^  [a-z]/ {
	choices[listed] = choices[listed] (choices[listed] == "" ? "" : " ") $1
	next
}

{
	listed = ""
}

# In the usage, or in a list of its own.
$1 == name && $2 ~ /^[a-z]+$/ {
	commands++
	command[commands] = $2
	what[commands] = $2 == "run" ? "a recorder around one command" : $2 == "doctor" ? "what a recorder could learn here" : ""
	next
}

/^  [a-z]+ +[A-Z[-]/ && count == 0 {
	commands++
	command[commands] = $1
	text = $0
	sub(/^  [a-z]+ +[^ ]+( [A-Z]+)*  +/, "", text)
	what[commands] = text
}

function all_commands(    i, text) {
	for (i = 1; i <= commands; i++)
		text = text (i > 1 ? " " : "") command[i]
	return text
}

function bash(    function_name, i, text, options) {
	function_name = "_" name
	gsub(/-/, "_", function_name)
	for (i = 1; i <= count; i++)
		options = options " --" long[i] (argument[i] == "" ? "" : "=") (letter[i] == "" ? "" : " -" letter[i])
	print "# bash completion for " name
	print function_name "()\n{"
	print "\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} i"
	print "\tCOMPREPLY=()"
	print "\t# --option=word comes as three words, --option= as two."
	print "\tif [ \"$word\" = \"=\" ]; then word=; elif [ \"$before\" = \"=\" ]; then before=${COMP_WORDS[COMP_CWORD - 2]}; fi"
	if (name == "ttlog-recorder") {
		print "\tfor ((i = 2; i < COMP_CWORD; i++)); do"
		print "\t\tif [ \"${COMP_WORDS[1]}\" = run ] && [ \"${COMP_WORDS[i]}\" = -- ]; then"
		print "\t\t\tif declare -F _command_offset >/dev/null; then _command_offset $((i + 1))"
		print "\t\t\telse mapfile -t COMPREPLY < <(compgen -c -f -- \"$word\"); fi"
		print "\t\t\treturn"
		print "\t\tfi"
		print "\tdone"
	}
	print "\tcase $before in"
	for (i = 1; i <= count; i++) {
		if (argument[i] == "")
			continue
		text = kind_of(argument[i])
		printf "\t--%s%s)\n\t\t", long[i], letter[i] == "" ? "" : " | -" letter[i]
		if (text == "words")
			print "mapfile -t COMPREPLY < <(compgen -W " quoted(words_of(argument[i])) " -- \"$word\")"
		else if (text == "any")
			print ":"
		else
			print "compopt -o filenames 2>/dev/null\n\t\tmapfile -t COMPREPLY < <(compgen " (text == "file" ? "-f" : "-d") " -- \"$word\")"
		print "\t\treturn\n\t\t;;"
	}
	print "\tesac"
	print "\tif [[ $word == -* ]]; then"
	print "\t\tmapfile -t COMPREPLY < <(compgen -W " quoted(substr(options, 2)) " -- \"$word\")"
	print "\t\t[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null"
	print "\t\treturn\n\tfi"
	if (name == "ttlog-ctl") {
		print "\tfor ((i = 1; i < COMP_CWORD; i++)); do"
		print "\t\tcase ${COMP_WORDS[i]} in"
		print "\t\tlevel)"
		print "\t\t\t[ \"$i\" -eq $((COMP_CWORD - 2)) ] && mapfile -t COMPREPLY < <(compgen -W " quoted(levels) " -- \"$word\")"
		print "\t\t\treturn\n\t\t\t;;"
		print "\t\t" join(all_commands()) ")\n\t\t\treturn\n\t\t\t;;"
		print "\t\tesac\n\tdone"
	}
	if (commands)
		print "\tmapfile -t COMPREPLY < <(compgen -W " quoted(all_commands()) " -- \"$word\")"
	else
		print "\tcompopt -o filenames 2>/dev/null\n\tmapfile -t COMPREPLY < <(compgen -f -- \"$word\")"
	print "\treturn 0\n}"
	print "complete -F " function_name " " name
}

function join(words) {
	gsub(/ /, " | ", words)
	return words
}

# In a description of _arguments.
function plain(text) {
	gsub(/[][\\:]/, "\\\\&", text)
	return text
}

function zsh(    i, text, action) {
	print "#compdef " name
	print "_arguments -s -S \\"
	for (i = 1; i <= count; i++) {
		text = kind_of(argument[i])
		action = text == "none" ? "" : ":" plain(argument[i]) ":" (text == "words" ? "(" words_of(argument[i]) ")" : text == "file" ? "_files" : text == "folder" ? "_files -/" : " ")
		if (letter[i] != "")
			print "\t" quoted("-" letter[i] (action == "" ? "" : "+") "[" plain(help[i]) "]" action) " \\"
		print "\t" quoted("--" long[i] (action == "" ? "" : "=") "[" plain(help[i]) "]" action) " \\"
	}
	if (!commands)
		print "\t" quoted("*:dump:_files")
	else if (name == "ttlog-ctl")
		print "\t" quoted("1:command:(" all_commands() ")") " \\\n\t" quoted("2: : ") " \\\n\t" quoted("3:level:(" levels ")")
	else
		print "\t" quoted("1:command:(" all_commands() ")") " \\\n\t" quoted("*::command line:_normal")
}

function fish(    i, text, line) {
	print "# fish completion for " name
	if (commands)
		print "complete -c " name " -f"
	for (i = 1; i <= commands; i++)
		print "complete -c " name " -n __fish_use_subcommand -a " command[i] " -d " fished(what[i])
	if (name == "ttlog-ctl")
		print "complete -c " name " -n " quoted("__fish_seen_subcommand_from level") " -a " quoted(levels)
	if (name == "ttlog-recorder")
		print "complete -c " name " -n " quoted("__fish_seen_subcommand_from run") " -a " quoted("(__fish_complete_subcommand)")
	for (i = 1; i <= count; i++) {
		text = kind_of(argument[i])
		line = "complete -c " name " -l " long[i] (letter[i] == "" ? "" : " -s " letter[i])
		if (text == "words")
			line = line " -x -a " quoted(words_of(argument[i]))
		else if (text == "file")
			line = line " -r -F"
		else if (text == "folder")
			line = line " -x -a " quoted("(__fish_complete_directories)")
		else if (text == "any")
			line = line " -x"
		print line " -d " fished(help[i])
	}
}

function fished(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/\047/, "\\\047", text)
	return "\047" text "\047"
}

END {
	if (!count) {
		print "completions.sh: " name " --help names no options" > "/dev/stderr"
		exit 1
	}
	if (shell == "bash")
		bash()
	else if (shell == "zsh")
		zsh()
	else
		fish()
}'
