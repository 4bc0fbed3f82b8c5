# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# same.sh - what a command gave on two sides
#
#	. tests/lib/same.sh
#	check "the promise that is tested" same stock/NAME patched/NAME
#
# Of each side there are NAME.status, NAME.out and NAME.err: well on both, and the
# same output, which is not empty. Of the difference the first lines are shown.
same() {
	for same_side do
		[ "$(cat "$same_side.status")" = 0 ] || {
			echo "$same_side: status $(cat "$same_side.status")"
			tail -n 40 "$same_side.err" "$same_side.out"
			return 1
		}
	done
	[ -s "$1.out" ] || {
		echo "there is nothing to compare"
		return 1
	}
	same_diff=$(diff -u "$1.out" "$2.out") || {
		printf '%s\n' "$same_diff" | head -n 60
		return 1
	}
}
