# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2154
#
# What the files of desktop/programs are written in. Such a file sets
#
#	title="..."	what the report calls it
#	kind="..."	one of its kind has to run: editor, browser ...
#	class="..."	its windows' class, a regular expression
#	results="..."	the files that its task leaves below the home directory,
#			each FILE:KIND, what desktop/normalise knows
#
# and defines start() and task(), and setup() or close() where the ones here do
# not do. They run in the guest as root, in the user's home directory.

home=/home/user
class='' kind='' results='' title=''
window_timeout=300
why=''

say() {
	printf '%5d s  %s\n' $(($(date +%s) - began)) "$*"
}

# broken TEXT: there is no desktop
broken() {
	say "$*"
	dmesg >"$out/dmesg.after"
	exit 1
}

uptime_ms() {
	awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime
}

# verdict TEXT: of the program $name
verdict() {
	echo "$*" >"$out/$name.verdict"
}

# as_user COMMAND...: as the user, with the environment of a session
as_user() {
	exec setpriv --reuid=user --regid=user --init-groups --inh-caps=-all --reset-env \
		env DISPLAY=:1 LANG=C.UTF-8 XDG_RUNTIME_DIR=/run/user/1000 \
		DBUS_SESSION_BUS_ADDRESS="$bus" GTK_USE_PORTAL=0 "$@" </dev/null
}

# in_cgroup NAME COMMAND...: a command with &, so that exec replaces its shell only
in_cgroup() {
	sh -c 'echo $PPID' >"$cgroups/$1/cgroup.procs" && shift && as_user "$@"
}

# launch COMMAND...: starts the program $name; its output goes to NAME.log
launch() {
	in_cgroup "$name" "$@" >"$out/$name.log" 2>&1 &
	main_pid=$!
}

# launch_mozilla COMMAND...: where the guest cannot do with their sandbox, without it
launch_mozilla() {
	if [ "$sandbox" = yes ]; then
		launch "$@"
	else
		launch env MOZ_DISABLE_CONTENT_SANDBOX=1 MOZ_DISABLE_RDD_SANDBOX=1 \
			MOZ_DISABLE_UTILITY_SANDBOX=1 MOZ_DISABLE_SOCKET_PROCESS_SANDBOX=1 \
			MOZ_DISABLE_GMP_SANDBOX=1 "$@"
	fi
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds
wait_for() {
	until_=$(($(date +%s) + $1 * slow)) what_=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		if [ "$(date +%s)" -ge "$until_" ]; then
			why="$what_ did not come"
			say "$why"
			return 1
		fi
		sleep 0.1
	done
}

managed() {
	DISPLAY=:1 xprop -root _NET_SUPPORTING_WM_CHECK | grep -q 'window id'
}

x() {
	DISPLAY=:1 timeout $((60 * slow)) xdotool "$@"
}

alive() {
	grep -q . "$cgroups/$name/cgroup.procs"
}

window_there() {
	win=$(x search --onlyvisible --class "$class" 2>/dev/null | tail -n 1)
	[ -n "$win" ]
}

# titled REGEX: looks for a window of the program's class with such a title
titled() {
	for win in $(x search --onlyvisible --class "$class" 2>/dev/null); do
		x getwindowname "$win" 2>/dev/null | grep -q "$1" && return
	done
	return 1
}

# await_window: until the program has a window, its number then is in $win
await_window() {
	until_=$(($(date +%s) + window_timeout * slow))
	until window_there; do
		[ "$(date +%s)" -lt "$until_" ] || return 1
		alive || { sleep 1; alive || return 1; }
		sleep 0.1
	done
}

# window_named REGEX [SECONDS]: waits for a window with such a title, gives it the focus
window_named() {
	wait_for "${2:-30}" "a window named $1" named "$1" || return
	x windowactivate "$named_"
	pause 0.5
}
named() {
	named_=$(x search --onlyvisible --name "$1" | tail -n 1)
	[ -n "$named_" ]
}

focus() {
	window_there && x windowactivate "$win"
	pause 0.5
}

write() {
	x type --delay $((40 * slow)) -- "$1"
	pause 0.3
}

key() {
	for key_ do
		x key --clearmodifiers "$key_"
		pause 0.2
	done
}

# click X Y: at a place of the screen
click() {
	x mousemove "$1" "$2" click 1
	pause 0.3
}

# What the program has copied.
clipboard() {
	DISPLAY=:1 timeout $((20 * slow)) xclip -selection clipboard -o
}

pause() {
	sleep "$(awk -v s="$1" -v slow="$slow" 'BEGIN { print s * slow }')"
}

# saved FILE [SECONDS]: waits until the file is there, and no longer grows
saved() {
	wait_for "${2:-60}" "$1" test -s "$1" || return
	size_=-1
	while [ "$size_" != "$(stat -c %s "$1")" ]; do
		size_=$(stat -c %s "$1")
		pause 0.5
	done
}

# settle CGROUP SECONDS: until its processes do next to nothing for a second, twice
settle() {
	until_=$(($(date +%s) + $2 * slow)) quiet_=0
	used_=$(cpu_ms "$1")
	while [ "$quiet_" -lt 2 ] && [ "$(date +%s)" -lt "$until_" ]; do
		sleep 1
		now_=$(cpu_ms "$1")
		if [ $((now_ - used_)) -le 80 ]; then
			quiet_=$((quiet_ + 1))
		else
			quiet_=0
		fi
		used_=$now_
	done
	[ "$quiet_" -ge 2 ] || say "$1 did not become quiet in $(($2 * slow)) s"
	sleep 0.5
}
cpu_ms() {
	awk '$1 == "usage_usec" { printf "%d\n", $2 / 1000 }' "$cgroups/$1/cpu.stat"
}

screenshot() {
	DISPLAY=:1 timeout $((60 * slow)) import -silent -window root "$out/$1.png"
}

# ended: waits until the program has no process
ended() {
	wait_for 30 "the end of $title" not alive
}
not() {
	! "$@"
}

setup() {
	:
}

close() {
	focus
	key alt+F4
}
