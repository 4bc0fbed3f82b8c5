#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What guest/run promises (docs/guest.md), tested from the outside.
#
# usage: [GUEST=um|x86_64] [KERNEL=patched|stock|FILE] [SIZE=MIB] test-run.sh
#
# Results are TAP lines; see tests/lib/tap.sh.

# Conditions are in single quotes: expect() evaluates them.
# shellcheck disable=SC2016,SC2034,SC2089,SC2090,SC2317,SC3045

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/tap.sh
. "$top/tests/lib/tap.sh"
build=${MANYPROTS_BUILD:-$top/build}
guest=${GUEST:-um}
case $guest in
um) image=linux ;;
*) image=bzImage ;;
esac
if [ -z "${KERNEL:-}" ]; then
	KERNEL=stock
	[ ! -e "$build/$guest/patched/$image" ] || KERNEL=patched
fi
size=${SIZE:-100}
dir=$(mktemp -d /tmp/test-run.XXXXXX) || exit 2
MANYPROTS_RUNDIR=$(mktemp -d /dev/shm/test-run.XXXXXX) || exit 2
export MANYPROTS_RUNDIR
trap 'rm -rf "$dir" "$MANYPROTS_RUNDIR"' EXIT
trap 'exit 130' INT TERM
out=$dir/out
err=$dir/err

# guest OPTION... -- COMMAND: its streams in $out and $err, its status in $st
g()
{
	"$top/guest/run" --guest "$guest" --kernel "$KERNEL" --timeout 180 "$@" \
		>"$out" 2>"$err"
	st=$?
}

# expect NAME CONDITION...: reports one test
expect()
{
	name="$guest: $1"
	shift
	for cond do
		eval "$cond" && continue
		not_ok "$name" "status $st, failed: $cond"
		head -c 2000 "$out" | tr -dc '[:print:]\n' | sed 's/^/#   out: /'
		tail -n 30 "$err" | sed 's/^/#   err: /'
		return
	done
	ok "$name"
}

same() { [ "$1" = "$2" ]; }
has() { grep -q -- "$1" "$2"; }
is_empty() { [ ! -s "$1" ]; }

# --- exit status
g -- true
expect "status 0, nothing on stderr" 'same $st 0' 'is_empty "$out"' 'is_empty "$err"'
g -- sh -c 'exit 7'
expect "exit status passes through" 'same "$st" 7'
g -- sh -c 'kill -9 $$'
expect "128+N for a signal" 'same "$st" 137'
g -- /nonexistent/command
expect "127 for a command that is not there" 'same $st 127' 'has "not found" "$err"'
g -- /etc/passwd
expect "126 for a file that cannot be executed" 'same "$st" 126'
g --no-such-option -- true
expect "125 for an unknown option" 'same $st 125' 'has "unknown option" "$err"'
g
expect "125 without a command" 'same "$st" 125'
g --rw /nonexistent -- true
expect "125 for --rw without a directory" 'same "$st" 125'
g --root /nonexistent -- true
expect "125 for --root without a directory" 'same "$st" 125'
g --mem lots -- true
expect "125 for a wrong --mem" 'same "$st" 125'
"$top/guest/run" --guest "$guest" --kernel /nonexistent/kernel -- true >"$out" 2>"$err"
st=$?
expect "125 for a kernel that is not there" 'same "$st" 125'
MANYPROTS_BUILD=$dir/none "$top/guest/run" --guest "$guest" -- true >"$out" 2>"$err"
st=$?
expect "a missing kernel is told with its make target" 'same $st 125' \
	'has "make $guest" "$err"'
"$top/guest/run" --help >"$out" 2>"$err"
st=$?
expect "--help" 'same $st 0' 'has "--sysctl" "$out"'

# --- time limit
start=$(date +%s)
g --timeout 8 -- sh -c 'echo begun; sleep 100'
took=$(($(date +%s) - start))
expect "124 at the time limit, output so far is kept" \
	'same $st 124' 'has begun "$out"' '[ $took -lt 30 ]'
rm "$out"	# what is in it is of the command before
"$top/guest/run" --guest "$guest" --kernel "$KERNEL" --timeout 60 -- \
	sh -c 'echo begun; exec sleep 50' >"$out" 2>"$err" &
pid=$!
n=0
while ! has begun "$out" && [ $n -lt 300 ]; do
	sleep 0.1
	n=$((n + 1))
done
kids=$(ps -o pid= --ppid $pid)
kill -TERM $pid
wait $pid
st=$?
alive=
for kid in $kids; do
	! kill -0 "$kid" 2>/dev/null || alive="$alive $kid"
done
expect "SIGTERM ends the guest, 128+15" 'same $st 143' '[ -n "$kids" ]' \
	'same "$alive" ""'

# --- streams
g -- sh -c 'echo out; echo err >&2'
expect "stdout and stderr unmixed" 'same "$(cat "$out")" out' \
	'same "$(cat "$err")" err'
echo 'a word' | g -- sh -c 'cat; echo "then end of file"'
expect "stdin and its end" 'same "$(cat "$out")" "a word
then end of file"'
g -- sh -c 'cat; echo "then end of file"' </dev/null
expect "empty stdin" 'same "$(cat "$out")" "then end of file"'
g -- sh -c 'cat; echo status $?' <&-
expect "closed stdin" 'same "$st" 0'
head -c "${size}M" /dev/urandom >"$dir/data"
sum=$(sha256sum <"$dir/data")
g -- sha256sum <"$dir/data"
expect "$size MiB of random bytes into the guest" 'same "$(cat "$out")" "$sum"'
g --rw "$dir" -- cat "$dir/data"
expect "$size MiB of random bytes out of the guest" 'same $st 0' \
	'same "$(sha256sum <"$out")" "$sum"'
# shellcheck disable=SC2002 # a pipe is wanted
cat "$dir/data" | g -- cat
expect "$size MiB through the guest, from a pipe" \
	'same "$(sha256sum <"$out")" "$sum"'
awk 'BEGIN { for (i = 0; i < 256; i++) printf "%c", i }' >"$dir/bytes"
printf '\000\001\003\004\021\023\032\034\177\377\r\n\r' >>"$dir/bytes"
g -- cat <"$dir/bytes"
expect "every byte value" 'cmp -s "$out" "$dir/bytes"'
g -- sh -c 'head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2'
expect "large stdout and stderr together" \
	'same "$(wc -c <"$out")" 3000000' 'same "$(wc -c <"$err")" 3000000'
g -- sh -c 'echo done' <"$dir/data"
expect "a command that does not read its stdin" 'same $st 0' 'has done "$out"'
st=$( { "$top/guest/run" --guest "$guest" --kernel "$KERNEL" --timeout 100 -- yes \
	2>"$err"; echo $? >"$dir/st"; } | head -n 1 >"$out"; cat "$dir/st")
expect "SIGPIPE when nobody reads stdout" 'same $st 141' 'same "$(cat "$out")" y'
g -- sh -c 'sleep 1000 & echo background'
expect "background processes do not hold the guest" 'same $st 0' \
	'has background "$out"'

# --- where it runs
mkdir "$dir/work dir"
cd "$dir/work dir" || exit 2
echo host >file
g -- sh -c 'pwd; cat file; echo guest >file; cat file'
expect "working directory below /tmp, readable, writes stay in the guest" \
	'same "$(cat "$out")" "$dir/work dir
host
guest"' 'same "$(cat file)" host'
cd "$top" || exit 2
g -- pwd
expect "working directory" 'same "$(cat "$out")" "$top"'
odd='a "quoted" $HOME `word`
second line	tab '"'single'"' \ end'
ODD=$odd
export ODD
# shellcheck disable=SC2016 # for the guest's shell
g -- sh -c 'printf %s "$ODD"'
expect "environment with odd bytes" 'same "$(cat "$out")" "$odd"'
byte=$(printf '\001\377\012x')
env -i PATH="$PATH" MANYPROTS_RUNDIR="$MANYPROTS_RUNDIR" "NOT-A-NAME=$byte" "$top/guest/run" --guest "$guest" \
	--kernel "$KERNEL" --timeout 100 -- cat /proc/self/environ >"$out" 2>"$err"
st=$?
env -i PATH="$PATH" MANYPROTS_RUNDIR="$MANYPROTS_RUNDIR" "NOT-A-NAME=$byte" cat /proc/self/environ >"$dir/expected"
expect "the whole environment and nothing else" 'cmp -s "$out" "$dir/expected"'
g -- printf '<%s>' "$odd" '' ' ' '--' '*'
expect "arguments with odd bytes" 'same "$(cat "$out")" "<$odd><>< ><--><*>"'
g -- sh -c 'id -u; id -g; umask; ulimit -n'
expect "user, group, umask and limits" \
	'same "$(cat "$out")" "$(id -u; id -g; umask; ulimit -n)"'
g -- sh -c 'sh -c "echo \$PPID"; ps -o sid= -p $$; echo $$'
expect "a session of its own" \
	'[ "$(sed -n 1p "$out")" -gt 1 ]' \
	'same $(sed -n 2p "$out") $(sed -n 3p "$out")'

# --- files
mkdir "$dir/rw one" "$dir/rw,two"
g --rw "$dir/rw one" --rw "$dir/rw,two" -- sh -c "
	echo a >'$dir/rw one/a' && echo b >'$dir/rw,two/b' &&
	head -c 5000000 /dev/zero >'$dir/rw one/big' &&
	mkdir '$dir/rw one/d' && mv '$dir/rw one/a' '$dir/rw one/d/a' &&
	ln -s a '$dir/rw one/d/l' && chmod 640 '$dir/rw one/d/a'"
expect "--rw directories are written for real" 'same $st 0' \
	'same "$(cat "$dir/rw one/d/l")" a' 'same "$(cat "$dir/rw,two/b")" b' \
	'same "$(wc -c <"$dir/rw one/big")" 5000000' \
	'same "$(stat -c %a "$dir/rw one/d/a")" 640'
mark=$build/guest/test-run.$$
g -- sh -c "echo x >'$mark' && echo x >/etc/test-run.$$ && rm /etc/passwd &&
	echo x >>/etc/group && mkdir /usr/test-run.$$ && test -e '$mark'"
expect "nothing else touches the host" 'same $st 0' '[ ! -e "$mark" ]' \
	'[ ! -e /etc/test-run.$$ ]' '[ -s /etc/passwd ]' '! has ^x$ /etc/group' \
	'[ ! -e /usr/test-run.$$ ]'
g -- sh -c 'set -e; cd /tmp; echo x >a; stat -c %a /tmp /dev/shm; echo x >/dev/shm/a
	for f in null zero full random urandom tty ptmx; do test -c /dev/$f; done
	test -e /dev/fd/0; test -e /dev/stdout; test -d /dev/pts
	test -e /sys/kernel; head -c 4 /dev/urandom | wc -c; findmnt -n -o FSTYPE /tmp'
expect "/tmp, /dev, /dev/shm and /sys in place" 'same $st 0' \
	'same "$(cat "$out" | tr "\n" " ")" "1777 1777 4 tmpfs "'
g -- sh -c 'ls /sys/class/net; ip -o link 2>/dev/null | wc -l; cat /sys/class/net/lo/flags'
expect "no network but lo, which is up" 'same "$(grep -cE "^(eth|en|wl)" "$out")" 0' \
	'has "^lo$" "$out"' 'has 0x9 "$out"'
g --root "$dir" -- /bin/true
expect "--root: the command comes from there" 'same "$st" 127'
mkdir -p "$dir/a root/bin"
cat >"$dir/hello.c" <<'END'
#include <stdio.h>
#include <unistd.h>
int main(void)
{
	char cwd[4096];

	return printf("hello from %s\n", getcwd(cwd, sizeof(cwd))) < 0 ||
	       access("/etc", 0) == 0 || access("/proc/self", 0) ||
	       access("/dev/null", 0) || access("/tmp", 0);
}
END
if ${CC:-gcc} -static -o "$dir/a root/bin/hello" "$dir/hello.c"; then
	g --root "$dir/a root" -- /bin/hello
	expect "--root: another root, from / as it lacks our directory" \
		'same $st 0' 'same "$(cat "$out")" "hello from /"'
	g --root "$dir/a root" --rw "$dir/rw,two" -- hello
	expect "--root with --rw, the command found by PATH" 'same $st 0'
	expect "--root: nothing is added to it" \
		'same "$(cd "$dir/a root" && echo *)" bin'
else
	skip "$guest: --root: another root" "${CC:-gcc} links no static program"
fi

# --- kernel
g --sysctl kernel.hostname=odd-name --sysctl vm.max_map_count=12345 -- \
	sh -c 'uname -n; cat /proc/sys/vm/max_map_count'
expect "--sysctl" 'same "$(cat "$out")" "odd-name
12345"'
g --sysctl vm.no_such_thing=1 -- true
expect "125 for a sysctl that is not there" 'same $st 125' \
	'has no_such_thing "$err"'
g --append "an.option=1 other" -- cat /proc/cmdline
expect "--append" 'has "an.option=1 other" "$out"'
g --mem 512M -- awk '/MemTotal/ { print ($2 > 300000 && $2 < 540000) }' /proc/meminfo
expect "--mem" 'same "$(cat "$out")" 1'
g -- sh -c 'cat /proc/slabinfo | grep -c vm_area_struct'
expect "/proc/slabinfo" 'same "$(cat "$out")" 1'
g --console "$dir/console" -- sh -c 'echo hello console >/dev/kmsg'
expect "--console keeps the log, nothing of it on our streams" 'same $st 0' \
	'has "hello console" "$dir/console"' 'is_empty "$out"' 'is_empty "$err"'
g -- sh -c 'echo before; sleep 1; echo c >/proc/sysrq-trigger; sleep 20'
expect "123 and the console log on a panic" 'same $st 123' \
	'has "Kernel panic" "$err"' 'has before "$out"'
g -- sh -c 'echo "WARNING: CPU: 0 PID: 1 at mm/test.c:1 test" >/dev/kmsg'
expect "123 on a warning, although the command succeeds" 'same $st 123' \
	'has "WARNING: CPU" "$err"'
g -- sh -c 'echo "BUG: sleeping function called from" >/dev/kmsg; exit 3'
expect "123 on a BUG line" 'same "$st" 123'
g -- sh -c 'echo "WARNING: suspicious RCU usage" >/dev/kmsg'
expect "123 on a lockdep report" 'same "$st" 123'
g -- sh -c 'echo "a remark: WARNING levels, BUG tracker" >/dev/kmsg
	sh -c "kill -SEGV \$\$"; exit 0'
expect "no report for innocent lines" 'same "$st" 0'
if [ "$guest" = x86_64 ]; then
	g --smp 2 -- nproc
	expect "--smp 2" 'same "$(cat "$out")" 2'
	g --icount -- echo counted
	expect "--icount" 'same "$(cat "$out")" counted'
	g --accel tcg -- echo translated
	expect "--accel tcg" 'same "$(cat "$out")" translated'
else
	g --smp 2 -- true
	expect "--smp is refused" 'same "$st" 125'
fi

# --- loader
glibc=$build/glibc/root
if [ -e "$glibc/lib/x86_64-linux-gnu/libc.so.6" ]; then
	for loader in patched stock; do
		g --loader $loader -- sh -c 'for lib in $(awk "/\.so/ { print \$6 }" \
			/proc/self/maps | sort -u); do sha256sum "$lib"; done
			sha256sum /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libm.so.6'
		case $loader in
		patched) from=$glibc ;;
		*) from= ;;
		esac
		# the shell's own maps: libc and ld.so under their usual names
		for lib in /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6 \
			/lib/x86_64-linux-gnu/libm.so.6; do
			want=$(sha256sum <"$from$lib" | cut -d' ' -f1)
			expect "--loader $loader: ${lib##*/}" 'has "$want" "$out"'
		done
		expect "--loader $loader: usual names in maps" \
				'has "/usr/lib/x86_64-linux-gnu/libc.so.6" "$out"'
	done
	g --loader patched -- python3 -c 'import ssl, sqlite3, ctypes, hashlib'
	expect "--loader patched: python3" 'same "$st" 0'
else
	skip "$guest: --loader patched" "no patched glibc"
	g --loader patched -- true
	expect "125 without a patched glibc" 'same $st 125' 'has "make glibc" "$err"'
fi

st=0
expect "no run directory is left behind" 'same "$(ls -A "$MANYPROTS_RUNDIR")" ""'
tap_end
