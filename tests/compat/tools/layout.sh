# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # variables of inguest
# That the two sides are what they should be: otherwise all else says nothing.

# How many VMAs the library is: a run is "mc" if it is not its VMA's first.
layout() {
	start env || return
	vmas=$(awk '/^[0-9a-f]+-/ { library = /libsubject\.so/ }
		/^VmFlags/ && library && !/ mc/ { n++ }
		END { print n + 0 }' "/proc/$running/smaps")
	echo "$SIDE: $vmas VMAs" >&2
	if [ "$SIDE" = patched ]; then
		[ "$vmas" -eq 1 ]
	else
		[ "$vmas" -eq 5 ]
	fi || return
	let_end
}
try layout "the library is one VMA on one side, five and bss on the other" layout
