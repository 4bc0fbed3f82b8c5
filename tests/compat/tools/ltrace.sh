# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # variables of inguest
# ltrace: breakpoints in the PLT

ltrace_calls() {
	within 60 ltrace -o got "$program" add 1 >printed 2>&1 || return
	says got 'subject_init(' 'subject_add(1' '= 303' 'exited (status 0)' &&
	says printed 'sum 303' && sed -n 's/^\([a-z_]*\)(.*/\1/p' got && cat printed
}
try ltrace-calls "ltrace: calls of a library, and what they return" ltrace_calls
