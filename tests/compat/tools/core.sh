# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154,SC2016 # variables of inguest, of gdb
# Core files: the kernel's and gcore's, as gdb and elfutils read them

# shellcheck disable=SC3045 # dash has it
ulimit -c "$(ulimit -H -c)"

# A write to relro: in a frame of the library, and the protection is tested.
# The library's memory in the core, relative to its first page.
crash() {
	rm -f /tmp/core
	(
		[ -z "${1:-}" ] || echo "$1" >/proc/self/coredump_filter
		exec setarch -R "$program" crash
	) 2>/dev/null
	[ $? -eq 139 ] && [ -s /tmp/core ]
}

# segments FILE: those that the library has
segments() {
	base=0x$(eu-readelf -n "$1" | sed -n 's,^ *\([0-9a-f]*\)-.* 00000000 .*/libsubject.so.*,\1,p')
	eu-readelf -l "$1" | gawk --non-decimal-data -v base="$base" \
		-v length_="$length" '
		/^ *LOAD/ && $3 >= base + 0 && $3 < base + length_ {
			rest = base + length_ - $3	# see "relative"
			if ($5 + 0 > rest)
				$5 = sprintf("0x%06x", rest)
			if ($6 + 0 > rest)
				$6 = sprintf("0x%06x", rest)
			flags = $7 ~ /^0x/ ? "" : $7 ($8 ~ /^0x/ ? "" : $8)
			printf "%x file %d memory %d %s\n", $3 - base, $5, $6, flags
		}'
}

core_segments() {
	for filter in 0x33 0x37 0x3; do
		crash "$filter" || return
		echo "coredump_filter $filter"
		segments /tmp/core >got
		[ -s got ] || return
		cat got
		eu-readelf -n /tmp/core | grep libsubject.so | sed 's/^ *[0-9a-f-]* //'
	done
}
try core-segments "core file of the kernel: the library's segments, with three filters" core_segments

# gdb_core FILE: what gdb reads in it
gdb_core() {
	within 120 gdb -nx -q -batch -ex 'set width 0' \
		-ex 'set auto-solib-add off' \
		-ex 'set debug-file-directory /nonexistent' \
		-ex "core-file $1" -ex 'sharedlibrary libsubject' \
		-ex 'print subject_table[1024]' -ex 'print subject_relro[599]' \
		-ex 'print subject_data[1]' -ex 'print subject_data[3071]' \
		-ex 'print subject_bss[2048]' -ex 'print subject_bss[4095]' \
		-ex 'disassemble subject_add' -ex "$2" "$program" \
		</dev/null >got 2>&1
	says got '= 102' '"relro last"' '= 203' '= 302' 'End of assembler dump' &&
	sed '1,/^\$1 = /{/^\$1/!d;}; s/0x[0-9a-f]\{6,\}/ADDRESS/g' got
}

core_kernel() {
	crash '' && gdb_core /tmp/core 'backtrace' &&
	says got '= 204' '#0 ' 'write_relro ()' 'subject_deep (' 'subject_crash ()' \
		' main ('
}
try core-kernel "core file of the kernel: gdb reads data, bss, relro, text, frames" core_kernel

core_signal() {
	crash '' || return
	within 120 gdb -nx -q -batch -ex 'set auto-solib-add off' \
		-ex "core-file /tmp/core" -ex 'sharedlibrary libsubject' \
		-ex 'print $_siginfo.si_code' \
		-ex 'print (char *)$_siginfo._sifields._sigfault.si_addr - (char *)subject_relro' \
		"$program" </dev/null >got 2>&1
	# SEGV_ACCERR, and the third pointer
	says got '$1 = 2' '$2 = 16' && grep '^\$' got
}
try core-signal "core file of the kernel: SEGV_ACCERR and the address in relro" core_signal

core_eu_stack() {
	crash '' || return
	within 60 eu-stack --core /tmp/core -e "$program" >got 2>&1
	says got 'write_relro' 'subject_deep' 'subject_crash' 'main' &&
	sed -n 's/^#[0-9]* *0x[0-9a-f]* *//p' got | sed '/main/q'
}
try core-eu-stack "core file of the kernel: eu-stack's frames" core_eu_stack

core_gcore() {
	start env || return
	within 120 gcore -o gcore "$running" </dev/null >log 2>&1 || {
		cat log >&2
		return 1
	}
	let_end && segments "gcore.$!" && gdb_core "gcore.$!" 'print 1'
}
try core-gcore "core file of gcore: gdb reads data, bss, relro, text" core_gcore
