# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # variables of inguest
# strace: decoding, unwinding, faults

strace_calls() {
	within 60 strace -o got "$program" show || return
	if [ "$SIDE" = patched ]; then
		says got 'PROT_READ|PROT_EXEC, 1, MAP_FILE|0x800000) = 0' \
			', 0, MAP_FILE|MAP_ANONYMOUS|0x800000) = 0' || return
	fi
	says got 'exited with 0' &&
	grep -E '^(openat|write|exit)' got | grep -v ENOENT
}
try strace-calls "strace: decodes what ld.so does, remap_file_pages too" strace_calls

strace_unwind() {
	within 100 strace -k -o got -e trace=getppid "$program" call || return
	says got 'libsubject.so(subject_deep+' 'libsubject.so(subject_call+' \
		'program(main+' && grep -E 'libsubject|program' got
}
if [ "$GUEST" = um ]; then
	cannot strace-unwind "strace -k: frames in a library" \
		"User-mode Linux: strace cannot initialize libunwind, on stock neither"
else
	try strace-unwind "strace -k: frames in a library" strace_unwind
fi

strace_inject() {
	for error in EPERM ENOSYS EINVAL ENOMEM; do
		within 60 strace -o got \
			-e inject=remap_file_pages:error=$error "$program" show ||
			return
	done
	[ "$SIDE" = stock ] || says got 'remap_file_pages' || return
	# what ld.so says if relro cannot be protected
	within 60 strace -o got -e inject=mprotect:error=ENOMEM "$program" show \
		2>&1 && return 1
	says got 'INJECTED'
}
try strace-inject "strace: a library is mapped though remap_file_pages fails; mprotect failing is reported" strace_inject
