# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # variables of inguest
# qemu-user: an emulated process under the patched ld.so, whose kernel is QEMU

qemu_program() {
	within 200 qemu-x86_64-static "$program" show >got 2>&1 || {
		cat got >&2
		return 1
	}
	# AT_FLAGS is QEMU's own, so ld.so does not even ask
	within 200 qemu-x86_64-static -strace "$program" show >/dev/null 2>calls
	says calls 'mmap(' && ! grep remap_file_pages calls >&2 || return
	[ "$(cat got)" = "$shown" ] && cat got
}
try qemu-program "qemu-x86_64: a program with a library" qemu_program
