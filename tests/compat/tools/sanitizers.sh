# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # variables of inguest
# Sanitizers: mistakes in a library, with the right stack

# sanitized KIND WHAT STATUS TEXT...: what it says of a mistake
sanitized() {
	kind=$1 what=$2 status=$3
	shift 3
	within 100 "$bin/$kind/program" "$what" >got 2>&1
	ended=$?
	[ "$ended" -eq "$status" ] || {
		echo "status $ended instead of $status"
		cat got
		return 1
	} >&2
	says got "$@" || return
	grep -E '^SUMMARY|#[0-9]+ .*(subject|program)\.c|runtime error' got |
		sed 's/0x[0-9a-f]*/ADDRESS/; s,/.*/tests/,tests/,; s,(.*/,(,'
}

asan_heap() {
	sanitized address read-beyond 1 'heap-buffer-overflow' 'READ of size 4' \
		'in subject_read_beyond'
}
asan_global() {
	sanitized address write-beyond-data 1 'global-buffer-overflow' \
		"global variable 'subject_data'" 'in subject_write_beyond_data'
}
lsan() {
	sanitized address leak 1 'Direct leak of 1234 byte(s)' 'in subject_leak'
}
ubsan() {
	sanitized undefined overflow 0 'signed integer overflow'
}
tsan() {
	sanitized thread race 66 'data race' 'subject_race' \
		"global 'subject_race_counter'"
}

address="AddressSanitizer: an overflow of the heap, in a library
AddressSanitizer: an overflow of a library's data
LeakSanitizer: a leak in a library
ThreadSanitizer: a race on a library's bss"
# promise NUMBER
promise() {
	echo "$address" | sed -n "$1p"
}
if [ "$GUEST" = um ]; then
	for number in 1 2 3 4; do
		cannot "sanitizer-$number" "$(promise $number)" \
			"User-mode Linux: no address space for the shadow, on stock neither"
	done
else
	number=0
	for function in asan_heap asan_global lsan tsan; do
		number=$((number + 1))
		try "sanitizer-$number" "$(promise $number)" $function
	done
fi
try ubsan "UndefinedBehaviorSanitizer: an overflow in a library" ubsan
