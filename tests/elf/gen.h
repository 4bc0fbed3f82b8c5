/* SPDX-License-Identifier: GPL-2.0 */
/* Random ELF files for x86_64 and, is32, for i386; see gen.c. */
#ifndef GEN_H
#define GEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PAGE		0x1000UL
#define PAGE_DOWN(x)	((x) & -PAGE)
#define PAGE_UP(x)	PAGE_DOWN((x) + PAGE - 1)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MAX_PHDRS	20
#define MAX_PAGES	40		/* of a file */

/* Every page of a file has the same code here, the same in 32 bits. */
#define CODE		0x800
#define CODE_READ	(CODE + 0)	/* mov (%rdi),%al; int3 */
#define CODE_INT3	(CODE + 2)
#define CODE_WRITE	(CODE + 3)	/* mov %al,(%rdi); int3 */
#define CODE_SYSCALL	(CODE + 6)	/* syscall; int3 */
#define CODE_INT80	(CODE + 9)	/* int $0x80; int3 */
#define CODE_SIZE	12

/* A state of splitmix64. */
struct rnd {
	uint64_t state;
};

uint64_t rnd64(struct rnd *r);

/* 0 to n - 1 */
static inline uint64_t rnd(struct rnd *r, uint64_t n)
{
	return rnd64(r) % n;
}

/* True "percent" times of a hundred. */
static inline bool odds(struct rnd *r, unsigned int percent)
{
	return rnd(r, 100) < percent;
}

/* A program header. */
struct seg {
	uint32_t type, flags;
	uint64_t offset, vaddr, filesz, memsz, align;
};

/* A file. */
struct image {
	bool is32;
	uint16_t type;
	uint64_t entry;
	unsigned int nseg;
	struct seg seg[MAX_PHDRS];
	uint64_t size;
	uint8_t bytes[MAX_PAGES * PAGE];
};

/*
 * Makes a program, or an interpreter if "is_interp", out of what "r" draws.  INTERP
 * is the name of its interpreter or NULL, STACK where the stack of a program begins,
 * for segments around it, or 0.
 */
void gen_image(struct image *im, struct rnd *r, bool is_interp, bool is32,
	       const char *interp, uint64_t stack);

/* Its headers as text. */
void gen_print(const struct image *im, FILE *to);

/* Makes FD that file; -1 and errno if it cannot. */
int gen_write(const struct image *im, int fd);

#endif
