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

# What python3 protects of memory of its own is as many VMAs, or one.
mode() {
	# shellcheck disable=SC2154 # the caller's
	if [ "$kernel" != patched ]; then
		manyprots-run --mode=2 true 2>"$tmp/message"
		[ $? -eq 125 ] && grep 'this kernel cannot' "$tmp/message"
		return
	fi
	cat >"$tmp/protect.py" <<-'END'
	import ctypes, mmap
	libc = ctypes.CDLL(None)
	def vmas():
	    return int(next(l for l in open("/proc/self/status") if l.startswith("VmaCount")).split()[1])
	area = mmap.mmap(-1, 4096 * 200, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
	start = ctypes.addressof(ctypes.c_char.from_buffer(area))
	before = vmas()
	for page in range(0, 200, 2):
	    assert not libc.mprotect(ctypes.c_void_p(start + 4096 * page), 4096, 1)
	print("many" if vmas() - before > 100 else "one")
	END
	[ "$(manyprots-run -s --mode=2 python3 "$tmp/protect.py")" = one ] &&
		[ "$(manyprots-run --mode=2 python3 "$tmp/protect.py")" = one ] &&
		[ "$(manyprots-run -s --mode=0 python3 "$tmp/protect.py")" = many ] &&
		[ "$(manyprots-run -m -1 python3 "$tmp/protect.py")" = many ] &&
		! manyprots-run --mode=3 true && ! manyprots-run --mode=x true
}

test_manyprots_run() {
	check "--mode is for the command" mode
	check "a command and its children run under it" command_and_children
	check "so does a user's, who stays himself" as_user
	check "other processes notice nothing" others_notice_nothing
	check "exit statuses" statuses
	check "the C library of another version is refused" other_version
}
