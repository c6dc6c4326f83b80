#!/bin/bash
# SPDX-License-Identifier: MIT
# manuals.sh BUILD - the manual pages are well formed, and name the options that --help (or --help=all) names, and
# no others.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1
bad=0

options_of_help()
{
	{ "$build/$1" --help=all || "$build/$1" --help; } 2>/dev/null | grep -o -E -- '--[a-z][a-z-]+' | sort -u
}

# Long options as mdoc (.It Fl -name, Fl -name) or man macros (\-\-name) write them.
options_of_page()
{
	sed -e 's/\\-/-/g' "$1" | grep -o -E -- '(Fl -|--)[a-z][a-z-]+' | sed 's/^Fl -/--/' | sort -u
}

for page in */*.[1-8]; do
	[ -f "$page" ] || { echo "$page is missing"; bad=1; continue; }
	lint=$(mandoc -Tlint -Wwarning "$page" 2>&1) || { echo "$lint"; bad=1; }
done
for pair in ttlog-view:viewer/ttlog-view.1 ttlog-recorder:recorder/ttlog-recorder.8 \
	ttlog-ctl:recorder/ttlog-ctl.8; do
	[ -x "$build/${pair%%:*}" ] || { echo "$build/${pair%%:*} is missing"; bad=1; continue; }
	diff <(options_of_help "${pair%%:*}") <(options_of_page "${pair#*:}") >/tmp/ttlog-manuals.$$ || {
		echo "${pair%%:*} --help (<) and its manual page (>) differ:"
		cat /tmp/ttlog-manuals.$$
		bad=1
	}
	rm -f /tmp/ttlog-manuals.$$
done

# What SIGHUP changes: by the table, and by the page (one .Cm line each, commas between).
diff <(awk '/^\t\{"/ {gsub(/[{",]/, " "); name = $1} /CONFIG_LIVE/ {print name}' recorder/config_table.c | sort) \
	<(sed -n '/live rows begin/,/live rows end/s/^\.It Cm //p' recorder/ttlog-recorder.conf.5 | tr -d ' ' |
		tr , '\n' | sort) || {
	echo "what SIGHUP changes by the table (<) and by ttlog-recorder.conf.5 (>) differs"
	bad=1
}

# Each public call and environment variable is in ttlog.3.
for name in $(sed -n 's/^\(int\|void\|struct ttlog_interned\) \(ttlog_[a-z_]*[a-z]\)(.*/\2/p' lib/ttlog.h | sort -u) \
	$(grep -o '"TTLOG_[A-Z_]*"' lib/settings.c | tr -d '"' | sort -u); do
	grep -q "$name" lib/ttlog.3 2>/dev/null || { echo "ttlog.3 does not have $name"; bad=1; }
done
# The same of ttlog_read.3.
for name in $(grep -o -E '\<ttlog_read_[a-z_]+\(' viewer/ttlog_read.h | tr -d '(' | sort -u); do
	grep -q "$name" viewer/ttlog_read.3 2>/dev/null || { echo "ttlog_read.3 does not have $name"; bad=1; }
done
[ "$bad" = 0 ] && echo "manuals: pages, --help and the code agree"
exit "$bad"
