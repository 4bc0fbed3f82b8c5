# shellcheck shell=sh disable=SC2034
# SPDX-License-Identifier: GPL-2.0
# Shared by the scripts of mk/, and by tests that build kernels, which set top.
top=${top:-$(cd "$(dirname "$0")/.." && pwd)}
jobs=${JOBS:-$(nproc)}
# Only if it works: its directory may not be writable, which it finds with a file.
ccache='ccache '
ccache gcc -c -o /dev/null "$top/guest/console.c" >/dev/null 2>&1 || ccache=

# The make that called us must not reach into the trees that we build, nor
# the user's settings into what is to come out the same for everybody.
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES CFLAGS CPPFLAGS LDFLAGS
unset KCONFIG_CONFIG KCONFIG_ALLCONFIG KBUILD_OUTPUT CROSS_COMPILE
export LC_ALL=C.UTF-8

die() {
	echo "$*" >&2
	exit 1
}

# need_space MEGABYTES: stop before a step that cannot end well.
need_space() {
	mkdir -p "$top/build"
	free=$(df -Pm "$top/build" | awk 'NR == 2 { print $4 }')
	[ "$free" -ge "$1" ] ||
		die "the disk below $top/build has $free MB left, this step needs $1 MB"
}

# object_dir DIR MEGABYTES: make DIR ready for a build of that size. A build
# that was killed, or ran out of disk, may have left a cut-off file newer than
# its sources, which make would take for done: such a directory is thrown away.
object_dir() {
	if [ -e "$1.unfinished" ]; then
		echo "$1 was left by a killed build: starting afresh"
		rm -rf "$1"
	fi
	[ -e "$1" ] || need_space "$2"
	mkdir -p "$1"
	: > "$1.unfinished"
	: > "$1.started"
}

# in_object_dir DIR COMMAND...: build in DIR. A make that ends by itself (an
# error, Ctrl-C) removes its half-made targets and can be continued.
in_object_dir() {
	dir_=$1
	shift
	: > "$dir_.unfinished"
	rc=0
	trap : INT TERM HUP
	"$@" || rc=$?
	trap - INT TERM HUP
	need_space 20
	[ $rc -eq 137 ] || rm -f "$dir_.unfinished"
	[ $rc -eq 0 ] || exit $rc
}

# kbuild TREE ARCH OBJ ARG...: the make of a kernel tree. Fixed build name and
# date: equal input gives an equal kernel.
kbuild() {
	tree_=$1 arch_=$2 obj_=$3
	shift 3
	make -C "$tree_" ARCH="$arch_" O="$obj_" CC="${ccache}gcc" \
		KBUILD_BUILD_TIMESTAMP=2006-04-28 KBUILD_BUILD_VERSION=1 \
		KBUILD_BUILD_USER=manyprots KBUILD_BUILD_HOST=manyprots "$@"
}

# as_of_start DIR RESULT: what was built in DIR is no newer than the start of
# the build, so that make sees an input that was edited meanwhile.
as_of_start() {
	touch -r "$1.started" "$2"
}
