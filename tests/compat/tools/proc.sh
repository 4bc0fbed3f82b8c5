# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # variables of inguest
# What shows a process' memory by /proc

proc_pmap() {
	start env && pmap -x "$running" >x && pmap -X "$running" >X || return
	# Not what depends on fault-around: Rss and Dirty, Pss and Referenced.
	awk '{ $3 = $4 = ""; print }' x | relative | tr -s ' '
	awk '{ print $1, $2, $3, $6, $NF }' X | relative
	let_end
}
try pmap "pmap -x, -X: the library's mappings" proc_pmap

proc_lsof() {
	start env && lsof -w -p "$running" >got || return
	says got "$library" && let_end || return
	awk -v name="$library" '$9 == name { print $4, $5 }' got
}
try lsof "lsof: the library" proc_lsof

proc_map_files() {
	start env || return
	ls -l "/proc/$running/map_files" >got 2>log || { cat log; return 1; } >&2
	sed -n 's/.* \([0-9a-f]*-[0-9a-f]* -> .*\)/\1/p' got | relative 1 >names
	says names 'libsubject.so' && cat names || return
	# What is behind each name is the file.
	sed -n 's,.* \([0-9a-f]*-[0-9a-f]*\) -> .*libsubject.so$,\1,p' got >names
	while read -r name; do
		cmp "/proc/$running/map_files/$name" "$library" && echo "the same"
	done <names
	let_end
}
if [ "$(id -u)" = 0 ]; then
	try map-files "/proc/PID/map_files: names and contents" proc_map_files
else
	cannot map-files "/proc/PID/map_files: names and contents" "only root may look"
fi

proc_numa_maps() {
	start env || return
	grep -F "$library" "/proc/$running/numa_maps" >got
	says got 'default file=' 'anon=' || return
	relative <got | sed 's/ \(active\|mapped\|mapmax\|dirty\|N0\)=[0-9]*//g'
	let_end
}
if [ "$GUEST" = um ]; then
	cannot numa-maps "/proc/PID/numa_maps: the library's mappings" \
		"User-mode Linux has no NUMA"
else
	try numa-maps "/proc/PID/numa_maps: the library's mappings" proc_numa_maps
fi

proc_eu_stack() {
	start env && within 60 eu-stack -p "$running" >got || return
	says got 'subject_deep' 'subject_call' 'main' || return
	sed -n 's/^#[0-9]* *0x[0-9a-f]* *//p' got | grep -E 'subject|main$|show'
	let_end
}
try eu-stack "eu-stack: frames of a process that waits in a library" proc_eu_stack

proc_ps() {
	start env || return
	ps -o comm=,args= -p "$running" && pgrep -x program >/dev/null && let_end
}
try ps "ps, pgrep: the program" proc_ps
