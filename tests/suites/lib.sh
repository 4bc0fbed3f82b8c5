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

# boots KERNEL MODE: the guest's status is in $rc, what it said in $said
boots() {
	said=$(guest/run --guest "$GUEST" --kernel "$(image "$1")" --sysctl vm.manyprots="$2" \
		-- true 2>&1 </dev/null)
	rc=$?
	return $rc
}

# known_modes KERNEL: $MODES without those that the kernel refuses, which are
# skipped. A patched kernel has 1: if it does not boot with that, nothing can be tested.
known_modes() {
	boots "$1" 1 || {
		not_ok "the kernel boots with vm.manyprots=1" "status $rc of the guest" \
			"$(printf '%s\n' "$said" | tail -n 20)"
		tap_end
	}
	known=
	for mode in $MODES; do
		if [ "$mode" = 1 ] || boots "$1" "$mode"; then
			known="$known $mode"
		elif [ $rc -eq 125 ]; then
			skip "vm.manyprots=$mode" "this kernel does not know it"
		else
			not_ok "the kernel boots with vm.manyprots=$mode" "status $rc of the guest" \
				"$(printf '%s\n' "$said" | tail -n 20)"
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
