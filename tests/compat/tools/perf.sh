# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # variables of inguest
# perf: samples by a software clock, probes on a function of a library

perf_samples() {
	within 60 perf record -q -e cpu-clock -F 250 -o perf.data "$program" \
		spin 30000000 >printed 2>log || {
		cat log >&2
		return 1
	}
	within 60 perf report -i perf.data --stdio --sort dso,symbol >got 2>&1
	# nearly all of them, under the name of the library and of the function
	share=$(awk '$2 == "libsubject.so" && $NF == "subject_spin" {
		print int($1) }' got)
	[ "${share:-0}" -ge 70 ] || {
		cat got >&2
		return 1
	}
	echo "samples are in subject_spin of libsubject.so"
	# the mappings that the kernel told, and where each sample is in them
	within 60 perf script -i perf.data --show-mmap-events 2>&1 |
		sed -n 's/.*\[0x[0-9a-f]*(\(0x[0-9a-f]*\)) @ \(0x[0-9a-f]*\|0\) .*\]: \(.*\) .*libsubject.so$/\1 \2 \3/p'
	within 60 perf annotate -i perf.data --stdio -s subject_spin >got 2>&1
	says got 'imul' || return
	# In the loop: the lines with a share are all in the function.
	gawk -F: '$1 + 0 > 0 && $2 ~ /^ *[0-9a-f]+$/ { n++ } END { exit n == 0 }' got ||
		{ cat got >&2; return 1; }
	sed -n 's/.*:  *[0-9a-f]*: *\([a-z]\)/\1/p' got | sed 's/[0-9a-f]\{4,\}/ADDRESS/g'
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
	cannot perf-samples "perf record, report, annotate: a function of a library" \
		"User-mode Linux has no perf events"
	cannot perf-probe "perf probe, perf stat: calls of a function of a library" \
		"User-mode Linux has no uprobes"
else
	try perf-samples "perf record, report, annotate: a function of a library" \
		perf_samples
	if [ "$(id -u)" = 0 ]; then
		try perf-probe "perf probe, perf stat: calls of a function of a library" \
			perf_probe
	else
		cannot perf-probe "perf probe, perf stat: calls of a function of a library" \
			"only root can set probes"
	fi
fi
