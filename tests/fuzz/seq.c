// SPDX-License-Identifier: GPL-2.0
/* How bytes mean operations; see seq.h. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "seq.h"

/* A new kind is a line here, and one in open_file() of side.c if the file is new. */
const struct fuzz_kind fuzz_kinds[] = {
	{ "private anonymous", FILE_NONE, MAP_PRIVATE },
	{ "private tmpfs", FILE_TMPFS, MAP_PRIVATE },
	{ "private memfd", FILE_MEMFD, MAP_PRIVATE },
	{ "private, a file that is only read", FILE_LOWER, MAP_PRIVATE },
	{ "private, a file on the root's file system", FILE_UPPER, MAP_PRIVATE },
	{ "shared anonymous", FILE_NONE, MAP_SHARED },
	{ "shared tmpfs", FILE_TMPFS, MAP_SHARED },
	{ "shared memfd", FILE_MEMFD, MAP_SHARED },
	{ "shared, a file on the root's file system", FILE_UPPER, MAP_SHARED },
	{ "private tmpfs, open for reading", FILE_READONLY, MAP_PRIVATE },
	{ "shared tmpfs, open for reading", FILE_READONLY, MAP_SHARED },
};

const unsigned int fuzz_nr_kinds = sizeof(fuzz_kinds) / sizeof(fuzz_kinds[0]);

/* How often each operation comes. */
static const struct { uint8_t code, weight; } weights[] = {
	{ OP_CHG, 32 }, { OP_CHG_ANON, 14 }, { OP_MPROTECT, 24 }, { OP_MMAP, 6 },
	{ OP_MUNMAP, 4 }, { OP_MREMAP, 10 }, { OP_MADVISE, 28 }, { OP_MLOCK, 8 },
	{ OP_READ, 10 }, { OP_WRITE, 28 }, { OP_EXEC, 6 }, { OP_FORK, 8 },
	{ OP_FILE, 20 }, { OP_MEM, 8 }, { OP_VM, 7 }, { OP_COPY, 6 },
	{ OP_NAME, 3 }, { OP_MSEAL, 1 }, { OP_PKEY, 2 }, { OP_MSYNC, 2 },
	{ OP_RLIMIT, 3 }, { OP_UFFD, 4 }, { OP_PTRACE, 3 }, { OP_OBSERVE, 12 },
	{ OP_CLEAR_REFS, 2 }, { OP_PERSON, 1 }, { OP_POLICY, 2 }, { OP_SYSTEM, 2 },
};

static const uint8_t prots[] = {
	PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE, PROT_READ | PROT_EXEC,
	PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE, PROT_READ | PROT_WRITE | PROT_EXEC,
	PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE, PROT_READ | PROT_WRITE,
	PROT_READ | PROT_WRITE, PROT_READ, PROT_WRITE, PROT_EXEC,
};

static const uint8_t levels[] = { 1, 2, 0, 1, 3, 1, 0, 2 };

void fuzz_decode_head(const uint8_t *seq, uint32_t len, struct fuzz_head *head)
{
	memset(head, 0, sizeof(*head));
	memcpy(head, seq, len < FUZZ_UNIT ? len : FUZZ_UNIT);
	head->kind %= fuzz_nr_kinds;
	/* Mostly small: the time goes into pages that are looked at. */
	head->pages = 4 + head->pages % (head->pages < 232 ? 13 : FILE_PAGES - 3);
	head->prot = prots[head->prot % 16];
	head->level = levels[head->level % 8];
	head->threads = 2 + head->threads % 3;
	if (head->pages < 2 * head->threads)
		head->threads = 2;
	head->overlap &= 1;
	/* Limits and fewer reservations are the rarer case. */
	if (head->flags & 0x80)
		head->flags &= HEAD_LIBRARY;
	if (head->flags & 0x60)
		head->flags &= ~(HEAD_OVERCOMMIT | HEAD_LOCKED);
}

unsigned int fuzz_nr_steps(uint32_t len)
{
	unsigned int n = len / FUZZ_UNIT;

	n = n ? n - 1 : 0;
	return n < FUZZ_MAX_OPS ? n : FUZZ_MAX_OPS;
}

void fuzz_decode(const uint8_t *seq, unsigned int i, const struct fuzz_head *head,
		 struct fuzz_step *step)
{
	static uint8_t codes[256];	/* the weights add up to that */
	static unsigned int nr_codes;
	struct fuzz_op op;
	unsigned int j, k;

	if (!nr_codes)
		for (j = 0; j < sizeof(weights) / sizeof(weights[0]); j++)
			for (k = 0; k < weights[j].weight; k++)
				codes[nr_codes++] = weights[j].code;
	memcpy(&op, seq + (i + 1) * FUZZ_UNIT, FUZZ_UNIT);
	step->code = codes[op.code];
	if (op.at >= 232)
		step->at = AREA - 4 + op.at % (head->pages + 8);
	else
		step->at = AREA + op.at % head->pages;
	if ((op.n & 7) < 6)
		step->n = 1 + (op.n >> 3) % 4;
	else if ((op.n & 7) == 6)
		step->n = 1 + (op.n >> 3) % head->pages;
	else
		step->n = head->pages;
	if (step->n > head->pages && step->n > 4)
		step->n = head->pages;
	if (op.n == 255) {
		step->at = AREA;
		step->n = head->pages;
	}
	step->prot = prots[op.prot % 16];
	step->off = op.off;
	step->x = op.x;
	step->y = op.y;
	step->z = op.z;
	step->far = 0;
}
