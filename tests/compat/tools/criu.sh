# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # variables of inguest
# CRIU: a dump and a restore; it maps a process anew from /proc/PID/smaps

criu_restore() {
	mkdir -p images
	setsid "$program" wait </dev/null >started 2>&1 &
	running=$!
	sleep 2
	within 60 criu dump -t "$running" -D images -v4 -o dump.log || {
		grep -E 'Error|Warn' images/dump.log >&2
		return 1
	}
	within 60 criu restore -D images -v4 -d -o restore.log || {
		grep -E 'Error|Warn' images/restore.log >&2
		return 1
	}
	kill -USR1 "$running" && sleep 2 && says started "$shown" && cat started
}
if [ "$GUEST" = um ]; then
	cannot criu "CRIU: dump and restore" "criu needs MFD_HUGETLB, sock_diag, tun, veth: not in User-mode Linux, on stock neither"
else
	try criu "CRIU: dump and restore" criu_restore
fi
