# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154,SC2016 # variables of inguest, of gdb
# gdb: breakpoints, steps, watchpoints, writing, attaching.  Symbols of libc
# are left out, it takes long to read them.

# gdb_run ARGUMENT...
gdb_run() {
	within 120 gdb -nx -q -batch -ex 'set width 0' -ex 'set confirm off' \
		-ex 'set auto-solib-add off' \
		-ex 'set debug-file-directory /nonexistent' "$@" </dev/null
}

# Addresses of stack and of heap, process IDs.
gdb_plain() {
	sed 's/0x[0-9a-f][0-9a-f]*/ADDRESS/g; s/process [0-9]*/process PID/; s/LWP [0-9]*/LWP PID/' "$@"
}

# User-mode Linux has no debug registers: stock gdb waits in vain there.
gdb_watch='set can-use-hw-watchpoints 1'
[ "$GUEST" != um ] || gdb_watch='set can-use-hw-watchpoints 0'

gdb_step() {
	gdb_run -ex "$gdb_watch" -ex 'break main' -ex 'run' \
		-ex 'sharedlibrary libsubject' -ex 'break subject_add' -ex 'continue' \
		-ex 'next' -ex 'next' -ex 'print sum' \
		-ex 'print subject_table[1024]' -ex 'print subject_relro[599]' \
		-ex 'set var subject_data[0] = 1000' -ex 'print subject_bss[2048]' \
		-ex 'set var subject_bss[2] = 5' -ex 'watch subject_bss[2]' \
		-ex 'continue' -ex 'backtrace' -ex 'delete' -ex 'continue' \
		--args "$program" add 7 >got 2>&1
	says got 'subject_add (number=7)' '= 108' '= 102' '"relro last"' '= 302' \
		'Old value = 5' 'New value = 1108' 'sum 1108' 'exited normally' &&
	gdb_plain got
}
try gdb-step "gdb: break, step, read and write, watch in a library" gdb_step

# Forced writes to pages that the process itself must not write to.
gdb_write() {
	before=$(cksum <"$library")
	gdb_run -ex 'break subject_add' -ex 'break main' -ex 'run' \
		-ex 'sharedlibrary libsubject' -ex 'set var subject_table[1024] = 7' \
		-ex 'set var subject_relro[1] = subject_relro[0]' -ex 'delete' \
		-ex 'continue' --args "$program" show >got 2>&1
	says got 'rodata 101 7 103' 'relro relro first, relro first, relro last' &&
	[ "$before" = "$(cksum <"$library")" ] && gdb_plain got
}
try gdb-write "gdb: writing to rodata and relro, not to the file" gdb_write

gdb_info() {
	gdb_run -ex 'break main' -ex 'run' -ex 'info proc mappings' \
		-ex 'echo [libraries]\n' -ex 'info sharedlibrary libsubject' \
		-ex 'echo [auxv]\n' -ex 'info auxv' --args "$program" >got 2>&1
	says got 'AT_FLAGS' 'AT_ENTRY' || return
	[ "$SIDE" = stock ] || grep -q 'AT_FLAGS .*0x2$' got || return
	sed '/^\[libraries/,$d' got | relative 1 | tr -s ' ' >mappings
	says mappings '1000-2000 1000 1000 r-xp libsubject.so' \
		'7000-b000 4000 6000 rw-p libsubject.so' 'b000 bss rw-' || return
	cat mappings
	sed -n '/^\[libraries/,/^\[auxv/p' got | relative | sed 's/^[0-9a-f]*000//'
	# AT_FLAGS has the bit by which the loader knows
	sed '1,/^\[auxv/d; s/^\(8 .*\)0x2$/\10x0/; s/0x[0-9a-f]\{4,\}/ADDRESS/' got
}
try gdb-info "gdb: info proc mappings, info sharedlibrary, info auxv" gdb_info

gdb_attach() {
	start env || return
	gdb_run -p "$running" -ex 'sharedlibrary libsubject' \
		-ex 'print subject_table[2047]' -ex 'print subject_relro[1]' \
		-ex 'print subject_data[1024]' -ex 'print subject_bss[2048]' \
		-ex 'set var subject_data[3071] = 999' -ex 'detach' "$program" \
		>got 2>&1
	says got '= 103' '"relro second"' '= 202' '= 302' || return
	let_end >ended || return
	says ended 'data 201 0 202 999' && grep '^\$' got | gdb_plain && cat ended
}
try gdb-attach "gdb: attach, read, write, detach" gdb_attach
