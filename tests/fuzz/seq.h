/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the fuzzer (fuzz.c) and the program that carries a sequence out
 * (side.c) share: how bytes mean operations, and the memory in which each of
 * the two sides leaves what it observed.
 *
 * A sequence is a header and operations, FUZZ_UNIT bytes each.  Any bytes are
 * a sequence, so that a mutator needs to know nothing.
 */
#ifndef FUZZ_SEQ_H
#define FUZZ_SEQ_H

#include <stdint.h>

#define FUZZ_UNIT 8
#define FUZZ_MAX_OPS 96
#define FUZZ_MAX_BYTES ((FUZZ_MAX_OPS + 1) * FUZZ_UNIT)

#define PS 4096UL		/* both guests have it */

/*
 * All that is mapped lies in one window of the address space, below the
 * program itself, so that /proc/PID/maps begins with it.
 */
#define WINDOW 0x10000000UL
#define WINDOW_PAGES 256
#define AREA 32			/* where the first mapping begins, in pages */
#define FILE_PAGES 64
#define SHM_ADDRESS 0x50000000UL
#define TEXT_ADDRESS 0x60000000UL

enum { MULTI, EQUIV };

/* The header of a sequence. */
struct fuzz_head {
	uint8_t kind;		/* of the first mapping: index into fuzz_kinds */
	uint8_t pages;		/* its length */
	uint8_t prot;
	uint8_t level;		/* what is compared after each step */
	uint8_t mode;		/* enum fuzz_mode */
	uint8_t flags;		/* HEAD_* */
	uint8_t threads;	/* with MODE_THREADS: 2 to 4 */
	uint8_t overlap;	/* on the same pages: only that all is consistent then */
};

enum fuzz_mode { MODE_CHGPROT, MODE_IMPLICIT, MODE_THREADS };

#define HEAD_NORESERVE	1
#define HEAD_STACK	2
#define HEAD_LOCKED	4
#define HEAD_OVERCOMMIT	8	/* vm.overcommit_memory=2 */
#define HEAD_LIBRARY	16	/* begin with the layout of a library */

struct fuzz_op {
	uint8_t code;		/* index into fuzz_codes */
	uint8_t at, n;		/* where, how many pages */
	uint8_t prot;
	uint8_t off;
	uint8_t x, y, z;
};

enum fuzz_code {
	OP_CHG, OP_CHG_ANON, OP_MPROTECT, OP_MMAP, OP_MUNMAP, OP_MREMAP,
	OP_MADVISE, OP_MLOCK, OP_READ, OP_WRITE, OP_EXEC, OP_FORK, OP_FILE,
	OP_MEM, OP_VM, OP_COPY, OP_NAME, OP_MSEAL, OP_PKEY, OP_MSYNC,
	OP_RLIMIT, OP_UFFD, OP_PTRACE, OP_OBSERVE, OP_CLEAR_REFS, OP_PERSON,
	OP_POLICY, OP_SYSTEM, NR_OPS
};

/* The kinds of mapping; those that the kernel refuses are found by a probe. */
struct fuzz_kind {
	const char *name;
	enum { FILE_NONE, FILE_TMPFS, FILE_MEMFD, FILE_LOWER, FILE_UPPER,
	       FILE_READONLY, NR_FILES } file;
	int flags;		/* of mmap */
};

extern const struct fuzz_kind fuzz_kinds[];
extern const unsigned int fuzz_nr_kinds;

/* Calls that are no system calls, in the trace. */
enum {
	CALL_READ = 1000,	/* CPU accesses */
	CALL_WRITE,
	CALL_EXEC,
	CALL_MEM_READ,		/* /proc/self/mem */
	CALL_MEM_WRITE,
	CALL_PAGE,		/* a page's bytes by /proc/self/mem, summed up */
	CALL_FORK,		/* what follows is done by a child ... */
	CALL_JOIN,		/* ... up to here */
	CALL_POKE,		/* ptrace of a child that stays stopped meanwhile */
	CALL_FILE_FILL,
	CALL_SHOW,		/* maps and smaps were compared */
	CALL_CLEAR_REFS,
	CALL_VM_READ, CALL_VM_WRITE,
	CALL_COPY_IN, CALL_COPY_OUT,
	CALL_SYSTEM,
	CALL_UFFD,
};

/* What was observed; see fuzz_what_name in fuzz.c. */
enum fuzz_what {
	W_RESULT, W_SIGNAL, W_VALUE, W_ADDRESS,
	W_RANGE, W_PERMS, W_OFFSET, W_FILE, W_FLAGS, W_NAME, W_SIZE, W_ANON,
	W_LOCKED, W_MINCORE, W_PAGE, W_TOTAL, W_DATA, W_EXEC, W_LOCKED_TOTAL,
	W_SWAP_TOTAL, W_COMMIT, W_END, W_UNEXPECTED, W_STATUS, W_PINNED,
	W_POLICY,		/* mode << 8 | nodes, or the error */
	W_VMAS,			/* a bound: not more than the equivalent has */
	NR_WHAT
};

/*
 * How many VMAs more than the equivalent layout there may be: two
 * multi-protection VMAs that come to be alike do not merge.
 */
#define MORE_VMAS 3

struct fuzz_obs {
	uint16_t step, what;
	uint32_t at;		/* a page of the window, or what a number is of */
	uint64_t value;
};

struct fuzz_call {
	uint16_t step;
	uint16_t nr;
	uint16_t compared;	/* both sides make this call */
	uint16_t depth;		/* of forks */
	uint64_t arg[6];
	int64_t ret;
};

/* How the multi side fared with a call that has no fixed equivalent. */
enum fuzz_hint {
	HINT_NONE,
	HINT_DONE,		/* it worked: do the equivalent calls */
	HINT_FALLBACK,		/* not on this range: do the ordinary calls */
	HINT_ERROR		/* -value: the equivalent must fail so */
};

#define FUZZ_MAX_OBS 65536
#define FUZZ_MAX_CALLS 16384
#define FUZZ_MAX_THREADS 4

struct fuzz_side {
	uint32_t nr_obs, nr_calls;
	struct fuzz_obs obs[FUZZ_MAX_OBS];
	struct fuzz_call calls[FUZZ_MAX_CALLS];
};

struct fuzz_shm {
	uint32_t len;		/* of the sequence */
	uint32_t timeout;	/* seconds for a sequence */
	uint8_t seq[FUZZ_MAX_BYTES + FUZZ_UNIT];
	uint8_t eligible[16];	/* kinds that take MAP_CHGPROT */
	uint8_t present[16];	/* kinds that can be had */
	uint8_t chgprot;	/* the kernel has MAP_CHGPROT */
	uint8_t implicit;	/* the kernel has PR_SET_MANYPROTS */
	uint8_t kcov;
	int fd[2][NR_FILES];
	uint8_t dirty[2][NR_FILES];	/* files to be filled again */
	uint64_t nr_steps;	/* done on both sides */
	uint64_t nr_obs;	/* compared */
	uint64_t op_count[NR_OPS][2];	/* done; failed on the multi side */
	struct { uint8_t hint; uint8_t file; int32_t error; } hint[FUZZ_MAX_OPS + 8];
	uint8_t feature[16384];	/* what libFuzzer is guided by */
	struct fuzz_side side[2][1 + FUZZ_MAX_THREADS];	/* [0]: the main thread's */
};

/* A decoded operation. */
struct fuzz_step {
	enum fuzz_code code;
	unsigned int at, n;	/* pages of the window */
	int prot;
	unsigned int off, x, y, z;
	unsigned int far;	/* where mremap() moves to; 0: anywhere */
};

void fuzz_decode_head(const uint8_t *seq, uint32_t len, struct fuzz_head *head);
unsigned int fuzz_nr_steps(uint32_t len);
void fuzz_decode(const uint8_t *seq, unsigned int i, const struct fuzz_head *head,
		 struct fuzz_step *step);

#endif
