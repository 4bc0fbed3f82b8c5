# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # variables of inguest
# Libraries that are loaded before others, and that watch ld.so

# preloaded LIBRARY: the program as ever, with it
preloaded() {
	within 60 env LD_PRELOAD="$1" "$program" show >got 2>&1 || return
	[ "$(cat got)" = "$shown" ] || {
		cat got >&2
		return 1
	}
	# and it is there
	start env LD_PRELOAD="$1" || return
	grep -qF "${1##*/}" "/proc/$running/maps" && let_end
}

preload_interpose() {
	within 60 env LD_PRELOAD="$bin/interpose.so" "$program" protect >got 2>&1 ||
		return
	says got "$shown" 'interposed: mmap 1, mprotect 2' && cat got
}
try preload-interpose "LD_PRELOAD: an interposer of mmap and mprotect" preload_interpose

for name in libjemalloc.so.2 libtcmalloc_minimal.so.4 libeatmydata.so; do
	eval "preload_$(echo $name | tr -c 'a-z0-9\n' _)() { preloaded $name; }"
	try "preload-$name" "LD_PRELOAD: $name" \
		"preload_$(echo $name | tr -c 'a-z0-9\n' _)"
done

audit() {
	within 60 env LD_AUDIT="$bin/audit.so" "$program" add 1 >got 2>&1 || return
	says got 'audit: object libsubject.so' 'audit: symbol subject_add' \
		'sum 303' && cat got
}
try audit "LD_AUDIT: objects and symbols" audit
