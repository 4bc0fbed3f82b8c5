# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# CRIU

cannot criu "CRIU: dump and restore" \
	"criu 3.17 asks for netfilter and more, which the guests' kernels lack, stock too"
