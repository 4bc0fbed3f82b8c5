# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Shared by the scripts of tests/suites, which have tests/lib/tap.sh as well.

# image KERNEL: the file of a kernel of $GUEST; a path is one already
image() {
	case $1 in
	*/*)	echo "$1";;
	*)	if [ "$GUEST" = um ]; then
			echo "build/um/$1/linux"
		else
			echo "build/$GUEST/$1/bzImage"
		fi;;
	esac
}

# known_modes KERNEL: $MODES without those that the kernel refuses, which are
# skipped.
known_modes() {
	known=
	for mode in $MODES; do
		if guest/run --guest "$GUEST" --kernel "$(image "$1")" \
			--sysctl vm.manyprots="$mode" -- true 2>/dev/null </dev/null; then
			known="$known $mode"
		else
			skip "vm.manyprots=$mode" "this kernel does not know it"
		fi
	done
	MODES=$known
}

# quiet STATUS CONSOLE: did the kernel have nothing to report? User-mode Linux's
# own flush_tlb_mm() walks all VMAs without a lock when a file is truncated,
# which lockdep sees, twice, in the stock kernel as well.
quiet() {
	[ "$1" -ne 0 ] || return 0
	[ "$1" -eq 123 ] && [ "$GUEST" = um ] && awk '
	/guest\/run: / { next }
	/WARNING: suspicious RCU usage/ { expected++ }
	/lib\/maple_tree.c:[0-9]+ suspicious rcu_dereference_check/ { known++ }
	/flush_tlb_mm/ { there = 1 }
	/WARNING: |BUG: |KASAN|UBSAN|unreferenced object|INFO: (rcu|task)/ { reports++ }
	END { exit !(there && reports == expected && known == expected && reports <= 2) }' "$2"
}
