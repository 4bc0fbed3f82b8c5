/* SPDX-License-Identifier: GPL-2.0 */
/* What a process that has just been executed tells of its memory; see exec.c. */
#ifndef LOOK_H
#define LOOK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "gen.h"

#define MAX_ENTRIES	128
#define DIR		"/tmp/elf"	/* of the files that are executed */

/* An entry of smaps, or several that stock might have merged. */
struct entry {
	uint64_t start, end, offset, inode;
	char perms[5], flags[96], name[64];
};

/* A process that has stopped, under ptrace(2). */
struct subject {
	pid_t pid;
	int mem;			/* its /proc/PID/mem */
	bool is32;
	bool ended;			/* it is no more */
	bool multi;			/* an object of DIR was a multi-protection VMA */
	struct user_regs_struct regs;	/* before its first instruction */
	struct entry entry[MAX_ENTRIES];
	unsigned int entries;
};

/* What was told, as text. */
struct record {
	bool leak;			/* something is still charged after all */
	size_t size;
	char text[1 << 18];
};

void __attribute__((format(printf, 2, 3)))
say(struct record *to, const char *format, ...);

/* The first lines that differ. */
void print_difference(const char *off, const char *on);

uint64_t hash(const void *p, size_t n);

/* Committed_AS of the system, in KiB */
long committed(void);

/*
 * Reads the entries of smaps.  With "brk_used" [heap] has no name: memory that brk()
 * grew merges or not with what is before it, and the name is that of the whole.
 */
void look(struct subject *s, bool brk_used);

/* What look() saw. */
void say_entries(struct record *to, const struct subject *s);

/* Its sizes, as of /proc/PID/status. */
void say_status(struct record *to, const struct subject *s);

/* Where its code, data, brk, stack, arguments are, as of /proc/PID/stat. */
void say_stat(struct record *to, const struct subject *s);

/* Its auxiliary vector. */
void say_auxv(struct record *to, const struct subject *s);

/* The bytes of each page that look() saw, or why it cannot be read. */
void say_memory(struct record *to, const struct subject *s);

/* probe.c: what instructions and system calls in the new program come to. */
void probe(struct record *to, struct subject *s, struct rnd r);

#endif
