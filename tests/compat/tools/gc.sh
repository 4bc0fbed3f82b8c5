# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # variables of inguest
# bdwgc: finds a library's data and bss by itself, as roots

collects() {
	within 100 "$bin/collect" >got || return
	says got 'kept by data, kept by bss' 'garbage collected' 'both collected' &&
	cat got
}
try gc "bdwgc: what only a library's data or bss refers to is kept" collects
