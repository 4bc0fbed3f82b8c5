# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# debian-root.sh - a Debian root of its own for what runs its programs in guests
#
#	. tests/lib/debian-root.sh
#	debian_root build/NAME/root "$(packages_of FILE)" [MMDEBSTRAP-OPTION]...
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
