# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # variables of inguest
# perf: samples by a software clock, probes on a function of a library

perf_samples() {
	within 60 perf record -q -e cpu-clock -F 250 -o perf.data "$program" \
		spin 200000000 >printed 2>log || {
		cat log >&2
		return 1
	}
	within 60 perf report -i perf.data --stdio -F overhead,dso,sym >got 2>&1
	# Nearly all, under the name of the library and of the function.
	share=$(awk '$2 == "libsubject.so" && $4 == "subject_spin" {
		print int($1) }' got)
	[ "${share:-0}" -ge 80 ] || {
		cat got >&2
		return 1
	}
	echo "samples are in subject_spin of libsubject.so"
	# The mapping that the kernel told perf of, and the offsets of samples
	# in the function: each within it.
	within 60 perf script -i perf.data --show-mmap-events >got 2>&1
	sed -n 's/.*\[0x[0-9a-f]*(\(0x[0-9a-f]*\)) @ \(0x[0-9a-f]*\|0\) .*\]: \([^ ]*\) .*libsubject\.so$/\1 \2 \3/p' got >mapped
	says mapped ' r-xp' && cat mapped || return
	size=$(nm -S "$library" | awk '$4 == "subject_spin" { print $2 }')
	within 60 perf script -i perf.data -F ip,sym,symoff,dso >got 2>&1
	gawk -v size="$size" '/subject_spin/ {
		match($0, /\+0x[0-9a-f]+/)
		if (strtonum(substr($0, RSTART + 1, RLENGTH - 1)) >= strtonum("0x" size))
			exit 1
		n++
	} END { exit n < 20 }' got || {
		cat got >&2
		return 1
	}
}

perf_annotate() {
	within 60 perf record -q -e cpu-clock -F 250 -o perf.data "$program" \
		spin 100000000 >printed || return
	within 60 perf annotate -i perf.data --stdio -s subject_spin >got || return
	says got '<subject_spin>:' || return
	# The shares are of instructions of the loop and make up the whole.
	gawk -F: '/^ +[0-9.]+ / { sum += $1 }
		END { exit sum < 99 || sum > 101 }' got || {
		cat got >&2
		return 1
	}
	# What is disassembled is the function.
	sed -n 's/.* : *[0-9a-f]*: *\([a-z]\)/\1/p' got
}

perf_probe() {
	within 60 perf probe -q -x "$library" subject_add >&2 &&
	within 60 perf stat -x, -e probe_libsubject:subject_add -o got \
		"$program" adds 17 || return
	within 60 perf probe -q -d probe_libsubject:subject_add >&2
	sed -n 's/^\([0-9]*\),.*,\(probe_libsubject:subject_add\),.*/\1 \2/p' got >counted
	says counted '17 ' && cat counted
}

if [ "$GUEST" = um ]; then
	cannot perf-samples "perf record, report, script: a function of a library" \
		"User-mode Linux has no perf events"
	cannot perf-annotate "perf annotate: instructions of a library" \
		"User-mode Linux has no perf events"
	cannot perf-probe "perf probe, perf stat: calls of a function of a library" \
		"User-mode Linux has no uprobes"
else
	try perf-samples "perf record, report, script: a function of a library" \
		perf_samples
	try perf-annotate "perf annotate: instructions of a library" perf_annotate
	if [ "$(id -u)" = 0 ]; then
		try perf-probe "perf probe, perf stat: calls of a function of a library" \
			perf_probe
	else
		cannot perf-probe "perf probe, perf stat: calls of a function of a library" \
			"only root can set probes"
	fi
fi
