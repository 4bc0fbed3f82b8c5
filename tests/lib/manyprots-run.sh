# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2317 # called by way of check
#
# manyprots-run.sh - what is tested of manyprots-run, from the build and installed
#
#	kernel=patched|stock prefix=DIR tmp=DIR
#	. tests/lib/manyprots-run.sh
#
# manyprots-run is in the path, and DIR is where its library stands.

# VMAs of libc in a process: entries of smaps but those that continue a VMA
libc_vmas() {
	awk '
	/^[0-9a-f]+-[0-9a-f]+ / { mine = index($0, "/libc.so.6") > 0 }
	mine && /^VmFlags:/ && !/ mc/ { n++ }
	END { print n + 0 }' "$1"
}

# one_vma SMAPS: libc is one VMA with the feature, several without.
one_vma() {
	n=$(libc_vmas "$1")
	echo "libc has $n VMAs"
	# shellcheck disable=SC2154 # the caller's
	case $kernel in
	patched)	[ "$n" -eq 1 ];;
	*)		[ "$n" -ge 4 ];;
	esac
}

command_and_children() {
	# shellcheck disable=SC2154 # the caller's
	manyprots-run cat /proc/self/smaps >"$tmp/smaps" && one_vma "$tmp/smaps" &&
		manyprots-run sh -c 'sh -c "cat /proc/self/smaps; true"; true' >"$tmp/smaps" &&
		one_vma "$tmp/smaps" && manyprots-run python3 -c 'import math; print(math.sqrt(2))'
}

# Who is not root here is one already, and others are not to be had.
as_user() {
	if [ "$(id -u)" -eq 0 ]; then
		set -- setpriv --reuid nobody --regid nogroup --clear-groups
		user=nobody
	else
		user=$(id -un)
	fi
	"$@" manyprots-run sh -c 'id -un; cat /proc/self/smaps' >"$tmp/smaps" || return
	grep -qx "$user" "$tmp/smaps" && one_vma "$tmp/smaps"
}

others_notice_nothing() {
	[ "$(libc_vmas /proc/self/smaps)" -ge 4 ] || return
	# shellcheck disable=SC2154 # the caller's
	manyprots-run grep -q "/${prefix##*/}/lib" /proc/self/mountinfo &&
		! grep -q "/${prefix##*/}/lib" /proc/self/mountinfo
}

statuses() {
	manyprots-run sh -c 'exit 7'
	[ $? -eq 7 ] || return
	manyprots-run "$tmp/none"
	[ $? -eq 127 ] || return
	manyprots-run /etc/passwd
	[ $? -eq 126 ] || return
	manyprots-run
	[ $? -eq 125 ] || return
	manyprots-run --prefix "$tmp/none" true
	[ $? -eq 125 ]
}

other_version() {
	cp -a "$prefix" "$tmp/old" && echo 2.35 >"$tmp/old/version" || return
	manyprots-run --prefix "$tmp/old" true 2>"$tmp/message"
	[ $? -eq 125 ] && grep 'is version 2.35' "$tmp/message"
}

test_manyprots_run() {
	check "a command and its children run under it" command_and_children
	check "so does a user's, who stays himself" as_user
	check "other processes notice nothing" others_notice_nothing
	check "exit statuses" statuses
	check "the C library of another version is refused" other_version
}
