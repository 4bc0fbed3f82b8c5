# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # variables of inguest
# valgrind: it maps libraries itself, by the calls that it knows

valgrind_memcheck() {
	within 300 valgrind --leak-check=full --error-exitcode=9 --log-file=got \
		"$program" mistakes
	[ $? -eq 9 ] && says got 'Invalid read of size 4' \
		'subject_read_beyond (subject.c:' '0 bytes after a block of size 40' \
		'1,234 bytes in 1 blocks are definitely lost' \
		'subject_leak (subject.c:' || return
	# It does not know the call and says so, once: ENOSYS, ld.so falls back.
	if [ "$SIDE" = patched ]; then
		says got 'unhandled amd64-linux syscall: 216' || return
		[ "$(grep -c 'unhandled amd64-linux syscall' got)" -eq 1 ] || return
	fi
	# From the first error; libc's frames have other line numbers.
	sed -n '/Invalid read/,$p' got | sed 's/^==[0-9]*== *//;
		s/0x[0-9A-Fa-f]*/ADDRESS/g'
}
try valgrind-memcheck "valgrind: an invalid read and a leak in a library" valgrind_memcheck
