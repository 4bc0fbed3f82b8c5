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
