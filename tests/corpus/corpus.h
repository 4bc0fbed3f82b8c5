/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of tests/corpus say to each other; corpus.c has the overview. */
#ifndef CORPUS_H
#define CORPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE		4096UL
#define PAGE_UP(x)	(((x) + PAGE - 1) & -PAGE)
#define PAGE_DOWN(x)	((x) & -PAGE)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* An ELF file, by its headers. */
struct elf_shape {
	bool by_loader;		/* ld.so can map it: a dynamic section */
	bool by_kernel;		/* execve can: an interpreter that is there, or static */
	bool pie;		/* mapped at any address */
	uint64_t lo, hi;	/* whole pages, as linked */
	char text[160];		/* "R RX R RW +relro +bss" */
	const char *why_loader;	/* not one VMA by ld.so, NULL: it is */
	const char *why_kernel;
	/*
	 * One segment, nothing to remap: relro or the end of what is not
	 * writable is an mprotect that would divide it, so a call more.
	 */
	bool call_more;
};

/* False if it is no object for this machine. */
bool elf_read(const char *path, struct elf_shape *shape);

/* PATHs of stdin: prints those that are objects. */
int corpus_scan(void);

/* PATHs of stdin: a record of each, loaded by the ld.so LOADER. */
int corpus_run(const char *loader);

/* Compares the records of two files: TAP.  PATCHED: say what must be better. */
int corpus_compare(const char *stock, const char *other, bool patched);

#endif
