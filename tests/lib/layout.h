/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The address space of a process as text that can be compared: the entries
 * of /proc/PID/maps, of which neighbours with equal attributes are joined,
 * as docs/kernel.md says (how stock merges depends on history).
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct layout_entry {
	uint64_t start, end;
	char perms[5];
	uint64_t offset;	/* 0 if there is no file */
	uint64_t inode;		/* 0 if there is no file */
	char name[256];		/* path, or [heap] and the like */
};

/* Called with each entry. */
typedef void (*layout_fn)(const struct layout_entry *e, void *data);

/* Calls FN for the entries of process PID in order. */
void layout_each(pid_t pid, layout_fn fn, void *data);

/* "START-END PERMS OFFSET NAME", NAME without directories. */
void layout_print(FILE *to, const struct layout_entry *e);

/* The last part of a path; what is no path as it is. */
const char *layout_base(const char *name);

/* VMAs with a part between START and END; run by run they are not VMAs. */
long layout_vmas_between(pid_t pid, uint64_t start, uint64_t end);

/* VmaCount of the process, else the number of lines of its maps. */
long layout_vmas(pid_t pid);

#endif
