# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# guest-tap.sh - the results of a program elsewhere, in a guest for instance,
# as results of this script.  To be used with tap.sh.

# tap_from NAME COMMAND...: COMMAND's TAP lines with "NAME: " before each, and
# one more for that it has printed its plan, of one test or more, and ended with
# 0 or 1.
tap_from() {
	tap_what=$1
	shift
	tap_dir=$(mktemp -d "${TMPDIR:-/tmp}/tap-from.XXXXXX") || exit 99
	"$@" >"$tap_dir/out" 2>"$tap_dir/err" </dev/null
	tap_rc=$?
	tap_lines "$tap_dir/out" "$tap_what: "
	if ! grep -q '^1\.\.[1-9]' "$tap_dir/out" || [ "$tap_rc" -gt 1 ]; then
		not_ok "$tap_what: it ends as it should" "exit status $tap_rc"
		sed 's/^/#   /' "$tap_dir/err"
	else
		ok "$tap_what: it ends as it should"
	fi
	rm -rf "$tap_dir"
}
