# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# max-map-count.sh - as many mappings as large programs need on User-mode Linux
#
#	. tests/lib/max-map-count.sh
#	trap restore_max_map_count EXIT
#	raise_max_map_count
#
# What fails returns 1, with the reason on standard output.

# Each page of a program in User-mode Linux is a mapping of its process here, and 65,530
# of them are soon used up. The bound is the machine's: who uses it is noted at a place
# that is the machine's too, by a file PID with the time that process was started, as a
# killed one cannot take its note back and its number may be given to another.
maps_wanted=1048576
maps_sysctl=/proc/sys/vm/max_map_count
maps_users=/run/manyprots-max_map_count

maps_started() {
	cut -d ' ' -f 22 "/proc/$1/stat" 2>/dev/null
}

raise_max_map_count() {
	mkdir -p "$maps_users" 2>/dev/null
	(
		flock 9 && maps_started $$ >"$maps_users/$$" || exit
		old=$(cat "$maps_sysctl")
		[ "$old" -lt $maps_wanted ] || exit 0
		echo "$old" >"$maps_users/old" && echo $maps_wanted >"$maps_sysctl" || exit
		echo "vm.max_map_count of this machine is $maps_wanted while this runs, then $old again"
	) 2>/dev/null 9>"$maps_users/lock" && return
	# Who is not root can only hope that it stays.
	[ "$(cat "$maps_sysctl")" -ge $maps_wanted ] || {
		echo "as root: sysctl -w vm.max_map_count=$maps_wanted"
		return 1
	}
}

# The last of its users puts it back, unless somebody else has set it since.
restore_max_map_count() {
	[ -f "$maps_users/$$" ] || return 0
	(
		flock 9 || exit
		rm -f "$maps_users/$$"
		for file in "$maps_users"/[0-9]*; do
			started=$(maps_started "${file##*/}")
			[ -z "$started" ] || [ "$started" != "$(cat "$file")" ] || exit 0
			rm -f "$file"
		done
		[ ! -f "$maps_users/old" ] || [ "$(cat "$maps_sysctl")" != $maps_wanted ] ||
			cat "$maps_users/old" >"$maps_sysctl"
		rm -f "$maps_users/old"
	) 9>"$maps_users/lock"
}
