// SPDX-License-Identifier: GPL-2.0
/* What a guest's kernel wrote to its console: does it tell of a fault? */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"

#define SHOW_MAX	(256 * 1024)	/* bytes of console log to show */

void complain(const char *fmt, ...)
{
	va_list ap;

	fputs("guest/run: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static bool starts(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/**
 * is_report() - does a line of the console log tell of a kernel fault?
 * @line: the message, without time stamp
 *
 * Lines that a program can cause without the kernel being wrong (segfault,
 * out of memory, general protection "traps:") are no reports.
 */
static bool is_report(const char *line)
{
	static const char * const at_start[] = {
		"Kernel panic", "BUG: ", "WARNING: ", "Oops", "UBSAN: ",
		"kernel BUG at ", "INFO: rcu", "rcu: INFO: ", "INFO: task ",
		"INFO: trying to register non-static key", "INFO: lockdep ",
		"watchdog: BUG: ", "general protection fault",
		"Unable to handle kernel", "Bad page map", "ODEBUG: ",
		"page dumped because: ", "stack segment: ", "divide error: ",
		"int3: ", "invalid opcode: ", "double fault: ",
		"PANIC: double fault", "Kernel mode fault at",
		"Internal error: ", "DEBUG_LOCKS_WARN_ON",
	};
	static const char * const inside[] = {
		" kernel BUG at ", "suspicious RCU usage", ": nobody cared",
		"new suspected memory leaks", "possible circular locking",
		"inconsistent lock state", "detected stalls on", "self-detected stall",
		"kernel NULL pointer dereference", "BUG: KASAN", "BUG: KFENCE",
		"BUG: KCSAN", "corrupted stack end detected", "list_add corruption",
		"list_del corruption", "refcount_t: ",
	};
	size_t i;

	for (i = 0; i < sizeof(at_start) / sizeof(*at_start); i++)
		if (starts(line, at_start[i]))
			return true;
	for (i = 0; i < sizeof(inside) / sizeof(*inside); i++)
		if (strstr(line, inside[i]))
			return true;
	return false;
}

/* "[    1.234567][  T12] text" -> "text" */
static const char *message(const char *line)
{
	while (*line == '[') {
		const char *end = strchr(line, ']');

		if (!end)
			break;
		line = end + 1;
		while (*line == ' ')
			line++;
	}
	return line;
}

bool console_reports(const char *console, bool show)
{
	FILE *f = fopen(console, "r");
	char *line = NULL, *first = NULL;
	long size, from = 0;
	size_t max = 0;
	ssize_t n;

	if (!f)
		return false;
	while (!first && (n = getline(&line, &max, f)) > 0) {
		while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
			line[--n] = '\0';
		if (is_report(message(line)))
			first = strdup(line);
	}
	if (first || show) {
		fseek(f, 0, SEEK_END);
		size = ftell(f);
		if (size > SHOW_MAX)
			from = size - SHOW_MAX;
		fseek(f, from, SEEK_SET);
		if (first)
			complain("the kernel reported: %s", first);
		fprintf(stderr, "---- console log%s ----\n",
			from ? " (its end)" : "");
		while ((n = getline(&line, &max, f)) > 0) {
			while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
				n--;
			fprintf(stderr, "%.*s\n", (int)n, line);
		}
		fprintf(stderr, "---- end of console log ----\n");
	}
	fclose(f);
	n = first != NULL;
	free(first);
	free(line);
	return n;
}
