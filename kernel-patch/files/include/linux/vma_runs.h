/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The run map of a multi-protection VMA: an ordered set of runs, keyed by
 * linear page index.  A run is a stretch of pages with the same protection,
 * kind (file or anonymous), consecutive file page offsets and the same
 * accounting.  Runs that follow each other may be alike where stock would not
 * have merged VMAs, because of the ANON bit.
 *
 * This is the data structure alone.  It knows nothing of VMAs, page tables or
 * locks, so that it can be built and fuzzed in userspace; what the runs mean
 * is the business of mm/manyprots.c.
 *
 * A published map is immutable but for the ANON bits, and is shared by
 * reference over fork and between the halves of a split VMA.  A map covers
 * every index from its first run on: the last run has no end, which is what
 * lets a VMA grow without touching its map.  From a map's first page to the
 * last page of a VMA that uses it there must be fewer than 2^32 pages.
 */
#ifndef _LINUX_VMA_RUNS_H
#define _LINUX_VMA_RUNS_H

#include <linux/types.h>

struct vma_runs;

/*
 * Attributes of a run.  The bits of VMA_RUN_FLAGS have the place they have in
 * vm_flags; a protection key is moved down to VMA_RUN_PKEY_SHIFT.
 */
#define VMA_RUN_ACCESS		0x00000007u	/* VM_READ | VM_WRITE | VM_EXEC */
#define VMA_RUN_ACCOUNT		0x00100000u	/* VM_ACCOUNT */
#define VMA_RUN_FLAGS		(VMA_RUN_ACCESS | VMA_RUN_ACCOUNT)
#define VMA_RUN_PKEY_SHIFT	24
#define VMA_RUN_PKEY		0x1f000000u	/* protection key, five bits */
#define VMA_RUN_ZEROFILL	0x40000000u	/* anonymous memory, not file pages */
#define VMA_RUN_ANON		0x80000000u	/* a private page has been put here */

/**
 * struct vma_run - one run, by value
 * @first: linear page index of the first page
 * @last: linear page index of the last page; ULONG_MAX for a map's last run
 * @pgoff: file page offset of the first page; 0 where @attr has
 *	VMA_RUN_ZEROFILL
 * @attr: VMA_RUN_* bits
 */
struct vma_run {
	unsigned long first;
	unsigned long last;
	pgoff_t pgoff;
	u32 attr;
};

/**
 * struct vma_runs_sum - totals over a range of pages
 * @account: pages that count against the commit limit
 * @data: writable pages
 * @exec: pages that are executable and not writable
 */
struct vma_runs_sum {
	unsigned long account;
	unsigned long data;
	unsigned long exec;
};

/**
 * struct vma_runs_search - what vma_runs_find_file() is to find
 * @first: linear page index of the first page to look at
 * @last: of the last one
 * @first_pgoff: first file page offset of the range
 * @last_pgoff: last one
 */
struct vma_runs_search {
	unsigned long first;
	unsigned long last;
	pgoff_t first_pgoff;
	pgoff_t last_pgoff;
};

/**
 * enum vma_runs_join - the neighbours with which a changed run is joined
 * @VMA_RUNS_APART: none, where stock merges no VMAs: a run that is replaced as
 *	a whole is one afterwards
 * @VMA_RUNS_JOIN: those that have the same ANON bit
 * @VMA_RUNS_JOIN_ANON: those as well that have the bit when the changed run has
 *	not: the joined run has it.  Where it is the other way they stay apart, as
 *	is_mergeable_anon_vma() has it.
 */
enum vma_runs_join {
	VMA_RUNS_APART,
	VMA_RUNS_JOIN,
	VMA_RUNS_JOIN_ANON,
};

struct vma_runs *vma_runs_create(unsigned long first, pgoff_t pgoff, u32 attr);
struct vma_runs *vma_runs_replace(const struct vma_runs *runs,
				  unsigned long window_first,
				  unsigned long window_last,
				  const struct vma_run *run,
				  enum vma_runs_join join);
struct vma_runs *vma_runs_get(struct vma_runs *runs);
void vma_runs_put(struct vma_runs *runs);
void vma_runs_find(const struct vma_runs *runs, unsigned long index,
		   struct vma_run *run);
bool vma_runs_find_file(const struct vma_runs *runs,
			const struct vma_runs_search *search,
			const struct vma_run *after, struct vma_run *run);
bool vma_runs_find_anon(const struct vma_runs *runs, unsigned long index,
			unsigned long last, struct vma_run *run);
bool vma_runs_try_set_anon(struct vma_runs *runs, unsigned long index);
void vma_runs_sum(const struct vma_runs *runs, unsigned long first,
		  unsigned long last, struct vma_runs_sum *sum);
unsigned long vma_runs_count(const struct vma_runs *runs, unsigned long first,
			     unsigned long last);
unsigned long vma_runs_size(const struct vma_runs *runs);
void vma_runs_hull(const struct vma_runs *runs, unsigned long last,
		   pgoff_t *first_pgoff, pgoff_t *last_pgoff);
void vma_runs_init(void);

#endif /* _LINUX_VMA_RUNS_H */
