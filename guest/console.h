/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include <stdbool.h>

/**
 * complain() - a line on stderr, as guest/run's
 * @fmt: as printf's, without the newline
 */
void __attribute__((format(printf, 1, 2))) complain(const char *fmt, ...);

/**
 * console_reports() - look for reports of the kernel in a console log
 * @console: the file; without it there is nothing to report
 * @show: print the log even without a report
 *
 * Return: true if there was one; the log is then printed to stderr.
 */
bool console_reports(const char *console, bool show);

#endif
