# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# tap.sh - for test scripts in POSIX sh: results as TAP lines
#
#	. tests/lib/tap.sh
#	check "the promise that is tested" COMMAND [ARG]...
#	skip "another promise" "the reason why it cannot be tested here"
#	tap_end
#
# check runs the command in the same shell and takes its status; what it
# prints is shown only if it fails.  tap_end prints the plan and exits, 1 if
# a check failed.  A script that dies before it prints no plan, by which
# tests/run knows that it did not end as it should.

# Of root by su these are not in the path: mkfs, mkswap, losetup.
PATH=$PATH:/usr/sbin:/sbin

tap_nr=0
tap_failed=0

# All results come through here.
tap_result() {
	tap_nr=$((tap_nr + 1))
	printf '%s\n' "$1"
}

ok() {
	tap_result "ok - $1"
}

# not_ok NAME [LINE]...
not_ok() {
	tap_failed=$((tap_failed + 1))
	tap_result "not ok - $1"
	shift
	for tap_line do
		note "$tap_line"
	done
}

skip() {
	tap_result "ok - $1 # SKIP $2"
}

# tap_lines FILE [PREFIX]: the TAP lines of a file as results of this script, with
# PREFIX before each name. Known failures (TODO) are not this script's, and a plan is
# left out.
tap_lines() {
	while IFS= read -r tap_line; do
		case $tap_line in
		'ok - '*)	tap_result "ok - ${2-}${tap_line#ok - }";;
		'not ok - '*'# TODO '*) tap_result "not ok - ${2-}${tap_line#not ok - }";;
		'not ok - '*)	not_ok "${2-}${tap_line#not ok - }";;
		'1..'*)		;;
		*)		printf '%s\n' "$tap_line";;
		esac
	done <"$1"
}

# Text that is no result.
note() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

check() {
	tap_name=$1
	shift
	if [ -z "${tap_log:-}" ]; then
		tap_log=$(mktemp "${TMPDIR:-/tmp}/tap.XXXXXX") || exit 99
	fi
	if "$@" >"$tap_log" 2>&1; then
		ok "$tap_name"
	else
		not_ok "$tap_name" "status $? of: $*"
		sed 's/^/#   /' "$tap_log"
	fi
}

tap_end() {
	[ -z "${tap_log:-}" ] || rm -f "$tap_log"
	printf '1..%d\n' "$tap_nr"
	[ "$tap_failed" -eq 0 ]
	exit
}
