# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Makes and reads the tests of glibc's parts ("elf", "nptl"; "." is what the
# top directory itself tests), one part after the other.  Shared by
# tests/glibc/run and tests/suites/glibc.
# shellcheck disable=SC2091 # in_part prints a command

# source_of OBJ: the source directory of an object directory
source_of() {
	(cd "$1" && cd "$(sed -n 's/^srcdir *= *//p' Makefile)" && pwd)
}

# all_parts OBJ
all_parts() {
	sed -n 's/^sorted-subdirs := //p' "$1/sysd-sorted"
	echo .
}

# part_of TEST
part_of() {
	case $1 in
	*/*)	echo "${1%%/*}";;
	*)	echo .;;
	esac
}

# in_part OBJ PART MAKE-ARG...: prints the command that makes something in a
# part of glibc, without looking at the other parts. rtld-libc.a is part of
# ld.so, has been made, and would be looked at in twenty directories.
# The tests look at locales, and at what a make above tells its children.
in_part() {
	obj_=$1 part_=$2 src_=$(source_of "$1")
	shift 2
	where_="-C $src_/$part_ subdir=$part_ ..=../"
	[ "$part_" != . ] || where_="-C $src_"
	echo "env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u MAKEOVERRIDES LC_ALL=C" \
		"make -r -k $where_ objdir=$obj_" \
		"PARALLELMFLAGS= -o $obj_/elf/rtld-libc.a $*"
}

# tests_of OBJ PART: the target that is all tests of a part
tests_of() {
	[ "$2" = . ] || { echo tests; return; }
	for test_ in c++-types-check check-local-headers check-wrapper-headers \
		check-installed-headers-c check-installed-headers-cxx; do
		echo "$1/$test_.out"
	done
}

# build_tests OBJ PART JOBS: all but running them, which may be for another kernel
build_tests() {
	[ "$2" = . ] || $(in_part "$1" "$2" -j"$3" run-built-tests=no tests)
}

# files_of OBJ PART FIND-ARG...: its test-result and out files
files_of() {
	dir_=$1/$2 depth_=
	[ "$2" != . ] || depth_='-maxdepth 1'
	shift 2
	# shellcheck disable=SC2086 # two words or none
	find "$dir_" $depth_ -type f "$@"
}

# forget OBJ PART: a test that has an out file is not run again.
forget() {
	files_of "$1" "$2" \( -name '*.test-result' -o -name '*.out' \) -exec rm -f {} +
}

# results OBJ PART: "TEST RESULT" lines. Not of locales, message catalogs and time
# zones, which are made once, for whatever part needs them first, and not again.
results() {
	files_of "$1" "$2" -name '*.test-result' -exec cat {} + |
		sed -n '/\/LC_CTYPE$/d; /\.cat$/d; /: timezone\/testdata\//d
		s/^\([A-Z]*\): \(.*\)$/\2 \1/p' | LC_ALL=C sort
}

# once LOG OBJ TEST [COMMAND]...: runs a test by way of COMMAND and prints the
# result; what it put out is added to LOG
once() {
	log_=$1 file_=$2/$3
	command_=$(in_part "$2" "$(part_of "$3")" "$2/$3.out")
	shift 3
	rm -f "$file_.test-result" "$file_.out"
	# shellcheck disable=SC2086 # words without blanks
	"$@" $command_ >>"$log_" 2>&1 </dev/null
	[ ! -f "$file_.out" ] || tail -n 20 "$file_.out" >>"$log_"
	sed -n '1s/: .*//p' "$file_.test-result" 2>/dev/null | grep . || echo none
}

# sum FILE: "2 FAIL 351 PASS", of "TEST RESULT" lines
sum() {
	cut -d' ' -f2 "$1" | sort | uniq -c | awk '{ printf "%s %s ", $1, $2 }'
}

# differing CONTROL RESULTS: "TEST WAS IS" where they are not alike
differing() {
	LC_ALL=C join -a 1 -a 2 -e none -o 0,1.2,2.2 "$1" "$2" | awk '$2 != $3'
}
