# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# debian-root.sh - for what runs programs of a Debian in guests: a root of its
# own for them, and as many mappings as they need on User-mode Linux
#
#	. tests/lib/debian-root.sh
#	debian_root build/NAME/root "$(packages_of FILE)" [MMDEBSTRAP-OPTION]...
#	trap restore_max_map_count EXIT
#	raise_max_map_count
#
# in the top directory. What fails returns 1, with the reason on standard output.

# packages_of FILE: what such a list as desktop/packages names, with commas
packages_of() {
	sed 's/#.*//; /^$/d' "$1" | cut -f1 | paste -sd,
}

# debian_root build/NAME/root PACKAGES [MMDEBSTRAP-OPTION]...: a Debian 12 root, minbase.
# It is made once, and again when the command that makes it is another: root.list has that.
debian_root() {
	debian_dir=$1
	debian_log=${1%/*}
	debian_log=build/log/${debian_log##*/}-root.log
	debian_packages=$2
	shift 2
	set -- --variant=minbase --include="$debian_packages" "$@" bookworm
	debian_list=$(printf '%s\n' "$@")
	if [ -d "$debian_dir" ] && [ "$(cat "$debian_dir.list" 2>/dev/null)" = "$debian_list" ]; then
		return 0
	fi
	command -v mmdebstrap >/dev/null || {
		echo "apt-get install mmdebstrap"
		return 1
	}
	[ "$(id -u)" -eq 0 ] || {
		echo "mmdebstrap needs root here"
		return 1
	}
	# The list goes first and comes last: what is half removed or half made has none.
	rm -f "$debian_dir.list" && rm -rf "$debian_dir" && mkdir -p "${debian_dir%/*}" build/log ||
		return 1
	timeout 3600 mmdebstrap "$@" "$debian_dir" >"$debian_log" 2>&1 </dev/null || {
		[ $? -ne 124 ] || echo "not done after 3600 s"
		tail -n 20 "$debian_log"
		return 1
	}
	printf '%s\n' "$debian_list" >"$debian_dir.list.new" &&
		mv "$debian_dir.list.new" "$debian_dir.list"
}

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
