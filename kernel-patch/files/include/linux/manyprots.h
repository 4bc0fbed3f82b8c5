/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Multi-protection VMAs: the accessors by address that the rest of the kernel
 * asks.  Semantics and locking: mm/manyprots.c.
 *
 * Included by linux/mm.h.
 */
#ifndef _LINUX_MANYPROTS_H
#define _LINUX_MANYPROTS_H

#include <linux/vma_runs.h>

struct mm_struct;
struct vm_area_struct;
struct vma_iterator;

#ifdef CONFIG_MANYPROTS

/* sysctl vm.manyprots and, over it, PR_SET_MANYPROTS */
#define MANYPROTS_FOLLOW	(-1)	/* of a process: as the sysctl says */
#define MANYPROTS_NEVER		(-1)	/* the sysctl: off, whatever a process has set */
#define MANYPROTS_OFF		0
#define MANYPROTS_EXPLICIT	1	/* MAP_CHGPROT, stacks and arenas */
#define MANYPROTS_ALWAYS	2	/* each mprotect() that would split */

/* The flags that a run keeps, and its VMA's vm_flags therefore does not. */
#define VM_RUN_FLAGS	(VM_ACCESS_FLAGS | VM_ACCOUNT | VM_FLAGS_CLEAR)

/*
 * A view VMA's vm_runs points to the VMA that it is a view of, with this bit
 * set.
 */
#define VMA_VIEW_TAG	1UL

/**
 * vma_is_manyprots - does this VMA have a run map?
 * @vma: a VMA of the tree, or a view VMA, for which it is false
 *
 * Return: true if so.
 */
static inline bool vma_is_manyprots(struct vm_area_struct *vma)
{
	unsigned long runs = (unsigned long)READ_ONCE(vma->vm_runs);

	return unlikely(runs && !(runs & VMA_VIEW_TAG));
}

/**
 * vma_is_view - is this an on-stack copy that describes one run?
 * @vma: a VMA or a view VMA
 *
 * Return: true if so.
 */
static inline bool vma_is_view(struct vm_area_struct *vma)
{
	return unlikely((unsigned long)READ_ONCE(vma->vm_runs) & VMA_VIEW_TAG);
}

/**
 * vma_real - the VMA behind a view VMA
 * @vma: a VMA, which is returned as it is, or a view VMA
 *
 * For what changes the VMA itself or must compare pointers to it.
 *
 * Return: the VMA in the tree.
 */
static inline struct vm_area_struct *vma_real(struct vm_area_struct *vma)
{
	unsigned long runs = (unsigned long)READ_ONCE(vma->vm_runs);

	if (unlikely(runs & VMA_VIEW_TAG))
		return (void *)(runs & ~VMA_VIEW_TAG);
	return vma;
}

struct vm_area_struct *__vma_view_at(struct vm_area_struct *vma,
				     unsigned long addr,
				     struct vm_area_struct *view, bool file);
struct vm_area_struct *__vma_file_view(struct vm_area_struct *vma,
				       const struct vm_area_struct *after,
				       pgoff_t first, pgoff_t last,
				       struct vm_area_struct *view);
pgprot_t __vma_page_prot_at(struct vm_area_struct *vma, unsigned long addr);
vm_flags_t __vma_flags_at(struct vm_area_struct *vma, unsigned long addr);
pgoff_t __vma_file_pgoff(struct vm_area_struct *vma, unsigned long addr);
unsigned long __vma_file_first(struct vm_area_struct *vma);
unsigned long __vma_file_last(struct vm_area_struct *vma);

/**
 * vma_view_at - the VMA as the page at an address has it
 * @vma: a VMA; a view VMA is returned as it is
 * @addr: an address in it
 * @view: memory for a view VMA, need not be initialised: a view[1], as for a
 *	variable that is no array gcc aligns the stack, which costs
 *
 * The view VMA is what the equivalent layout would have at @addr: the run's
 * bounds, access flags, page protection and kind, and no anon_vma where no
 * private page was put.  Its vm_pgoff is the linear index of its first page,
 * so that anonymous reverse mapping works on it; the offset in the file is
 * vma_file_pgoff().  It is a copy: use it only while @vma is locked and
 * unchanged, and never link, split or free it.
 *
 * Context: mmap_lock or the VMA lock held, or a lock that keeps @vma alive
 * when the caller can live with values that change under it.
 * Return: @view filled in, or @vma if it is not a multi-protection VMA.
 */
static inline struct vm_area_struct *vma_view_at(struct vm_area_struct *vma,
						 unsigned long addr,
						 struct vm_area_struct *view)
{
	if (vma_is_manyprots(vma))
		return __vma_view_at(vma, addr, view, false);
	return vma;
}

/**
 * vma_report_at - like vma_view_at(), for those who report or decide
 * @vma: a VMA or a view VMA
 * @addr: an address in it
 * @view: memory for a view VMA; may be @vma
 *
 * The view VMA's vm_pgoff is the file page offset of its first page, as
 * /proc/PID/maps, core files, perf and security modules want to see it.
 *
 * Context: as vma_view_at().
 * Return: as vma_view_at().
 */
static inline struct vm_area_struct *vma_report_at(struct vm_area_struct *vma,
						   unsigned long addr,
						   struct vm_area_struct *view)
{
	if (vma_has_runs(vma))
		return __vma_view_at(vma_real(vma), addr, view, true);
	return vma;
}

/**
 * for_each_run - visit the runs of a VMA from an address on
 * @v: a view VMA of each run, of the whole run; or the VMA itself
 * @vma: a VMA
 * @addr: an address in it, in the run to begin with
 * @view: memory for a view VMA
 *
 * Context: as vma_view_at(), from one visit to the next.
 */
#define for_each_run(v, vma, addr, view)				\
	for ((v) = vma_view_at(vma, addr, view); (v);			\
	     (v) = (v) != (vma) && (v)->vm_end < (vma)->vm_end ?	\
		vma_view_at(vma, (v)->vm_end, view) : NULL)

/**
 * for_each_file_view - visit what a VMA maps of a range of file pages
 * @v: a view VMA of each run that maps a part of the range, cut to the run's
 *	bounds and with the file page offset in vm_pgoff; or the VMA itself
 * @vma: a VMA found in i_mmap
 * @first: first file page offset
 * @last: last file page offset
 * @view: memory for a view VMA, which must be as it was for the next one
 *
 * One page may be visited at several addresses.  The runs come by address where
 * the range is all of the file, from 0 to ULONG_MAX, else as they map the file.
 *
 * Context: i_mmap_rwsem held, for reading or writing, or mmap_lock; may sleep in
 * the body.
 */
#define for_each_file_view(v, vma, first, last, view)			\
	for ((v) = vma_is_manyprots(vma) ?				\
		__vma_file_view(vma, NULL, first, last, view) : (vma);	\
	     (v);							\
	     (v) = (v) != (vma) ?					\
		__vma_file_view(vma, v, first, last, view) : NULL)

/**
 * for_each_report_view - visit the runs of a VMA, for those who report
 * @v: a view VMA of each run as vma_report_at() makes it; or the VMA itself
 * @vma: a VMA
 * @view: memory for a view VMA
 *
 * Context: as vma_view_at().
 */
#define for_each_report_view(v, vma, view)					\
	for ((v) = vma_report_at(vma, (vma)->vm_start, view); (v);	\
	     (v) = (v) != (vma) && (v)->vm_end < (vma)->vm_end ?	\
		vma_report_at(vma, (v)->vm_end, view) : NULL)

/**
 * vma_page_prot_at - the page protection at an address
 * @vma: a VMA or a view VMA, of which the VMA is asked
 * @addr: an address in it
 *
 * Context: those who hold neither mmap_lock nor the VMA lock call it under
 * the page table lock: a change of protection is published before the page
 * tables are changed, so that what they install is current or will be
 * changed.
 * Return: what vm_page_prot of the equivalent VMA would be.
 */
static inline pgprot_t vma_page_prot_at(struct vm_area_struct *vma,
					unsigned long addr)
{
	pgprot_t prot;

	do {
		if (vma_has_runs(vma))
			return __vma_page_prot_at(vma, addr);
		/* Pairs with smp_wmb() where vm_runs is set and cleared. */
		smp_rmb();
		prot = READ_ONCE(vma->vm_page_prot);
		/* As above. */
		smp_rmb();
	} while (vma_has_runs(vma));
	return prot;
}

/**
 * vma_flags_at - vm_flags with the access flags at an address
 * @vma: a VMA or a view VMA
 * @addr: an address in it
 *
 * Context: as vma_view_at().
 * Return: vm_flags of the equivalent VMA.
 */
static inline vm_flags_t vma_flags_at(struct vm_area_struct *vma,
				      unsigned long addr)
{
	if (vma_is_manyprots(vma))
		return __vma_flags_at(vma, addr);
	return vma->vm_flags;
}

/**
 * vma_file_pgoff - the file page offset of an address
 * @vma: a VMA or a view VMA made by vma_view_at()
 * @addr: an address in it
 *
 * Context: as vma_view_at().
 * Return: the offset in pages; for anonymous memory the linear page index.
 */
static inline pgoff_t vma_file_pgoff(struct vm_area_struct *vma,
				     unsigned long addr)
{
	if (!vma_has_runs(vma))
		return ((addr - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff;
	/* A view is in no tree: there it has what is to be added. */
	if (vma_is_view(vma))
		return vma->shared.rb_subtree_last + (addr >> PAGE_SHIFT);
	return __vma_file_pgoff(vma, addr);
}

/**
 * vma_file_base - the file page offset of a VMA's first page
 * @vma: a VMA or a view VMA made by vma_view_at()
 *
 * Context: as vma_view_at().
 * Return: as vma_file_pgoff().
 */
static inline pgoff_t vma_file_base(struct vm_area_struct *vma)
{
	return vma_has_runs(vma) ? vma_file_pgoff(vma, vma->vm_start) : vma->vm_pgoff;
}

/**
 * vma_file_first - the smallest file page offset that a VMA may map
 * @vma: a VMA that is or will be in i_mmap
 *
 * With vma_file_last() the key in the i_mmap tree; constant while the VMA is
 * in it.
 *
 * Return: the offset in pages.
 */
static inline unsigned long vma_file_first(struct vm_area_struct *vma)
{
	if (vma_has_runs(vma))
		return __vma_file_first(vma);
	return vma->vm_pgoff;
}

/**
 * vma_file_last - the greatest file page offset that a VMA may map
 * @vma: a VMA that is or will be in i_mmap
 *
 * Return: the offset in pages.
 */
static inline unsigned long vma_file_last(struct vm_area_struct *vma)
{
	if (vma_has_runs(vma))
		return __vma_file_last(vma);
	return vma->vm_pgoff + vma_pages(vma) - 1;
}

/**
 * vma_has_anon - would the equivalent VMA have an anon_vma?
 * @vma: a VMA
 * @addr: an address in it
 *
 * Context: as vma_view_at().
 * Return: true if so.
 */
bool vma_has_anon(struct vm_area_struct *vma, unsigned long addr);
bool __vma_range_has_anon(struct vm_area_struct *vma, unsigned long start,
			  unsigned long end);

/**
 * vma_range_has_anon - would any VMA of a range have an anon_vma?
 * @vma: a VMA or a view VMA, of which the VMA is asked
 * @start: first address
 * @end: address after the last one
 *
 * Context: as vma_view_at(); under the page table lock the answer is current.
 * Return: true if so.
 */
static inline bool vma_range_has_anon(struct vm_area_struct *vma,
				      unsigned long start, unsigned long end)
{
	if (vma_has_runs(vma))
		return __vma_range_has_anon(vma_real(vma), start, end);
	return vma->anon_vma;
}

bool __manyprots_overmaps(struct vm_area_struct *vma, pgoff_t pgoff);

/**
 * manyprots_overmaps - would one more mapping of a page be one too many?
 * @vma: a VMA or a view VMA
 * @folio: a folio of its file
 * @pgoff: the page's offset in the file
 *
 * A further mapping of a page costs a program a VMA in stock, and a page table
 * entry where runs share it.  So that this does not bring an overflow of the
 * counts of a folio within reach, a VMA that maps the page at more than a few
 * addresses does not get it any more once half of the way there is behind.
 * Libraries map no page more than twice.
 *
 * Context: as vma_view_at().
 * Return: true if the page must not be mapped.
 */
#define manyprots_overmaps(vma, folio, pgoff)				\
	(vma_has_runs(vma) &&						\
	 unlikely((unsigned int)folio_ref_count(folio) > INT_MAX / 2) && \
	 __manyprots_overmaps(vma_real(vma), pgoff))

unsigned long __manyprots_accounted(struct vm_area_struct *vma,
				    unsigned long start, unsigned long end);
void __manyprots_stat_account(struct mm_struct *mm, struct vm_area_struct *vma,
			      unsigned long start, unsigned long end, int sign);
void __manyprots_gather(struct vm_area_struct *vma, unsigned long *accounted,
			unsigned long *exec, unsigned long *data);

/**
 * manyprots_accounted - pages of runs that count against the commit limit
 * @vma: a VMA
 * @start: address of the first page
 * @end: address after the last one
 *
 * Context: mmap_lock held.
 * Return: number of pages; 0 if @vma is not a multi-protection VMA, where
 * VM_ACCOUNT says it.
 */
static inline unsigned long manyprots_accounted(struct vm_area_struct *vma,
						unsigned long start,
						unsigned long end)
{
	return vma_is_manyprots(vma) ? __manyprots_accounted(vma, start, end) : 0;
}

/**
 * manyprots_stat_account - what runs add to vm_stat_account()
 * @mm: the mm whose exec_vm and data_vm to change
 * @vma: a VMA; nothing is done if it is not a multi-protection VMA
 * @start: address of the first page
 * @end: address after the last one
 * @sign: 1 to add, -1 to subtract
 *
 * vm_stat_account() finds no access flags in the vm_flags of a
 * multi-protection VMA, and changes total_vm only.
 *
 * Context: mmap_lock held for writing.
 */
static inline void manyprots_stat_account(struct mm_struct *mm,
					  struct vm_area_struct *vma,
					  unsigned long start,
					  unsigned long end, int sign)
{
	if (vma_is_manyprots(vma))
		__manyprots_stat_account(mm, vma, start, end, sign);
}

/**
 * manyprots_gather - add up what a VMA's runs count for
 * @vma: a VMA; nothing is done if it is not a multi-protection VMA
 * @accounted: pages that count against the commit limit
 * @exec: pages of exec_vm
 * @data: pages of data_vm
 *
 * Context: mmap_lock held for writing.
 */
static inline void manyprots_gather(struct vm_area_struct *vma,
				    unsigned long *accounted,
				    unsigned long *exec, unsigned long *data)
{
	if (vma_has_runs(vma))
		__manyprots_gather(vma, accounted, exec, data);
}

/**
 * manyprots_maps_size - how many pages the run maps of an mm take, about
 * @mm: the mm
 *
 * A map takes about 32 bytes a run, one of two runs 44.
 *
 * Return: number of pages.
 */
static inline unsigned long manyprots_maps_size(struct mm_struct *mm)
{
	return atomic_long_read(&mm->run_count) * 32 / PAGE_SIZE;
}

void manyprots_mm_init(struct mm_struct *mm);
void manyprots_mm_secure(struct mm_struct *mm);
int manyprots_prctl(int option, unsigned long arg2, unsigned long arg3,
		    unsigned long arg4, unsigned long arg5);
int manyprots_anon_prepare(struct vm_area_struct *vma, unsigned long addr);
int manyprots_copy_page_range(struct vm_area_struct *dst_vma,
			      struct vm_area_struct *src_vma);

int __manyprots_forget_anon(struct vm_area_struct *vma);

/**
 * manyprots_forget_anon - a VMA has no private pages and no anon_vma any more
 * @vma: a VMA; nothing is done if it is not a multi-protection VMA
 *
 * Its runs give up their ANON bits, in a map of its own, as the map may be
 * shared with the VMA that the pages stayed in or went to.
 *
 * Context: mmap_lock held for writing.  No locks of rmap.
 * Return: 0, or -ENOMEM with the bits as they were: too many are safe, but an
 * mprotect() may not give back the commit charge that it does in stock.
 */
static inline int manyprots_forget_anon(struct vm_area_struct *vma)
{
	return vma_has_runs(vma) ? __manyprots_forget_anon(vma) : 0;
}

/**
 * vma_runs_dup - take the reference of a copied VMA
 * @vma: a VMA that was just copied from another, field by field
 *
 * Context: mmap_lock of the original held for writing.
 */
static inline void vma_runs_dup(struct vm_area_struct *vma)
{
	if (vma_has_runs(vma))
		vma_runs_get(vma->vm_runs);
}

/**
 * vma_runs_drop - drop the reference of a VMA that is freed
 * @vma: the VMA
 *
 * Context: any, RCU callbacks too.
 */
static inline void vma_runs_drop(struct vm_area_struct *vma)
{
	if (vma_has_runs(vma))
		vma_runs_put(vma->vm_runs);
}

unsigned long vma_nr_runs(struct vm_area_struct *vma);

/**
 * manyprots_count - a VMA comes to or goes from an mm, with its runs
 * @mm: the mm
 * @vma: the VMA; nothing is done if it is not a multi-protection VMA
 * @sign: 1 if it comes, -1 if it goes
 *
 * Context: mmap_lock held (munmap() has downgraded it), or nobody else knows the mm.
 */
static inline void manyprots_count(struct mm_struct *mm,
				   struct vm_area_struct *vma, int sign)
{
	if (vma_has_runs(vma))
		atomic_long_add(sign * (long)vma_nr_runs(vma), &mm->run_count);
}

bool manyprots_may_copy(struct vm_area_struct *vma, unsigned long start,
			unsigned long end);
int manyprots_charge_fork(struct vm_area_struct *vma, unsigned long *charge);
void __manyprots_after_split(struct vm_area_struct *vma,
			     struct vm_area_struct *new);

/**
 * manyprots_after_split - a VMA was split in two
 * @vma: one of them
 * @new: the other one
 *
 * Context: mmap_lock held for writing, both VMAs write-locked; before the
 * split manyprots_count() took away the runs of the one VMA.
 */
static inline void manyprots_after_split(struct vm_area_struct *vma,
					 struct vm_area_struct *new)
{
	if (vma_has_runs(vma))
		__manyprots_after_split(vma, new);
}

bool manyprots_demote_to_merge(struct vm_area_struct *vma, vm_flags_t flags,
			       struct file *file);
void __manyprots_settle(struct vm_area_struct *vma, unsigned long start,
			unsigned long end);

/**
 * manyprots_settle - a range is going to be changed
 * @vma: a VMA in which the range begins, or which it covers
 * @start: address of the first page
 * @end: address after the last one
 *
 * For mprotect(), and with the VMA's own bounds for advice that changes vm_flags,
 * and for names: a multi-protection VMA of one run that the range covers is made
 * an ordinary VMA where it can be one.
 *
 * Context: mmap_lock held for writing; takes i_mmap_rwsem and the lock of the
 * anon_vma, may sleep.
 */
static inline void manyprots_settle(struct vm_area_struct *vma,
				    unsigned long start, unsigned long end)
{
	if (vma_is_manyprots(vma))
		__manyprots_settle(vma, start, end);
}

struct vm_area_struct *__manyprots_isolate(struct vm_area_struct *vma,
					   unsigned long start,
					   unsigned long end);

/**
 * manyprots_isolate - split a part off, as ordinary a VMA as it can be
 * @vma: a VMA; returned as it is if it is not a multi-protection VMA
 * @start: first address of the part
 * @end: address after it; @vma holds all of the part
 *
 * For operations that a run map cannot express.  What is split off has one
 * run and becomes an ordinary VMA if it can, or it has a map of its own whose
 * last run has no end, so that it can grow.
 *
 * Context: mmap_lock held for writing.  VMA iterators become stale.
 * Return: the VMA of the part, which is @vma, or an ERR_PTR.
 */
static inline struct vm_area_struct *manyprots_isolate(struct vm_area_struct *vma,
						       unsigned long start,
						       unsigned long end)
{
	return vma_is_manyprots(vma) ? __manyprots_isolate(vma, start, end) : vma;
}

int manyprots_split_runs(struct mm_struct *mm, unsigned long start,
			 unsigned long end);
int manyprots_split_alike(struct mm_struct *mm, unsigned long start,
			  unsigned long end, struct file *file,
			  vm_flags_t flags);
extern int sysctl_manyprots;

/**
 * manyprots_mode - the mode that is in force for a process
 * @mm: its mm
 *
 * Return: MANYPROTS_OFF, MANYPROTS_EXPLICIT or MANYPROTS_ALWAYS.
 */
static inline int manyprots_mode(struct mm_struct *mm)
{
	int mode = READ_ONCE(mm->manyprots_mode);
	int all = READ_ONCE(sysctl_manyprots);

	if (all == MANYPROTS_NEVER)
		return MANYPROTS_OFF;
	return mode == MANYPROTS_FOLLOW ? all : mode;
}

/**
 * manyprots_may_mprotect - may an mprotect() be one for manyprots_mprotect()?
 * @vma: an ordinary VMA, or a view VMA of the run that holds the range
 * @start: first address of the range
 * @end: address after it
 *
 * Context: mmap_lock held for writing.
 * Return: false if vma_modify_flags() does it for certain.
 */
static inline bool manyprots_may_mprotect(struct vm_area_struct *vma,
					  unsigned long start, unsigned long end)
{
	int mode;

	if (vma_has_runs(vma))
		return true;
	if (start == vma->vm_start && end == vma->vm_end)
		return false;
	mode = manyprots_mode(vma->vm_mm);
	return mode == MANYPROTS_ALWAYS ||
		(mode != MANYPROTS_OFF && (vma->vm_flags & VM_MANYPROTS_AUTO));
}

struct vm_area_struct *manyprots_mprotect(struct vma_iterator *vmi,
					  struct vm_area_struct *prev,
					  struct vm_area_struct *vma,
					  unsigned long start,
					  unsigned long end,
					  vm_flags_t newflags,
					  struct vm_area_struct *view);
long manyprots_remap(unsigned long start, unsigned long size,
		     unsigned long prot, unsigned long pgoff,
		     unsigned long flags);

/**
 * manyprots_mmap_flags - what mmap() notes for a later mprotect()
 * @prot: PROT_* bits of the call
 * @flags: MAP_* bits of the call, which is for private anonymous memory
 *
 * Thread stacks (MAP_STACK) and malloc arenas (PROT_NONE and MAP_NORESERVE)
 * are going to be split by mprotect(), and are kept as one VMA instead, if they
 * are eligible and the mode is not MANYPROTS_OFF then.
 *
 * Return: VM_MANYPROTS_AUTO or VM_NONE.
 */
#define manyprots_mmap_flags(prot, flags)				\
	(((flags) & MAP_STACK) ||					\
	 (((flags) & MAP_NORESERVE) && (prot) == PROT_NONE) ?		\
	 VM_MANYPROTS_AUTO : VM_NONE)

unsigned long manyprots_at_flags(void);

#else /* !CONFIG_MANYPROTS */

static inline bool vma_is_manyprots(struct vm_area_struct *vma)
{
	return false;
}

static inline bool vma_is_view(struct vm_area_struct *vma)
{
	return false;
}

static inline struct vm_area_struct *vma_real(struct vm_area_struct *vma)
{
	return vma;
}

static inline struct vm_area_struct *vma_view_at(struct vm_area_struct *vma,
						 unsigned long addr,
						 struct vm_area_struct *view)
{
	return vma;
}

static inline struct vm_area_struct *vma_report_at(struct vm_area_struct *vma,
						   unsigned long addr,
						   struct vm_area_struct *view)
{
	return vma;
}

/*
 * Where there is one VMA to visit: no loop, so that the compiler makes the code
 * that would stand there without it, but a thing that "break" leaves.
 */
#define for_each_run(v, vma, addr, view)				\
	switch ((v) = (vma), (void)(addr), (void)(view), 0) default:

#define for_each_file_view(v, vma, first, last, view)			\
	switch ((v) = (vma), (void)(first), (void)(last), (void)(view), 0) default:

#define for_each_report_view(v, vma, view)					\
	switch ((v) = (vma), (void)(view), 0) default:

#define vma_page_prot_at(vma, addr)	((void)(addr), (vma)->vm_page_prot)

static inline vm_flags_t vma_flags_at(struct vm_area_struct *vma,
				      unsigned long addr)
{
	return vma->vm_flags;
}

static inline pgoff_t vma_file_pgoff(struct vm_area_struct *vma,
				     unsigned long addr)
{
	return ((addr - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff;
}

static inline pgoff_t vma_file_base(struct vm_area_struct *vma)
{
	return vma->vm_pgoff;
}

static inline unsigned long vma_file_first(struct vm_area_struct *vma)
{
	return vma->vm_pgoff;
}

static inline unsigned long vma_file_last(struct vm_area_struct *vma)
{
	return vma->vm_pgoff + vma_pages(vma) - 1;
}

static inline bool vma_has_anon(struct vm_area_struct *vma, unsigned long addr)
{
	return vma->anon_vma;
}

static inline bool vma_range_has_anon(struct vm_area_struct *vma,
				      unsigned long start, unsigned long end)
{
	return vma->anon_vma;
}

#define manyprots_overmaps(vma, folio, pgoff)	false

static inline unsigned long manyprots_accounted(struct vm_area_struct *vma,
						unsigned long start,
						unsigned long end)
{
	return 0;
}

static inline void manyprots_stat_account(struct mm_struct *mm,
					  struct vm_area_struct *vma,
					  unsigned long start,
					  unsigned long end, int sign)
{
}

static inline unsigned long manyprots_maps_size(struct mm_struct *mm)
{
	return 0;
}

static inline void manyprots_mm_init(struct mm_struct *mm)
{
}

static inline void manyprots_mm_secure(struct mm_struct *mm)
{
}

static inline void manyprots_gather(struct vm_area_struct *vma,
				    unsigned long *accounted,
				    unsigned long *exec, unsigned long *data)
{
}

#define manyprots_anon_prepare(vma, addr)	anon_vma_prepare(vma)

static inline int manyprots_copy_page_range(struct vm_area_struct *dst_vma,
					    struct vm_area_struct *src_vma)
{
	return 0;
}

static inline int manyprots_forget_anon(struct vm_area_struct *vma)
{
	return 0;
}

static inline void vma_runs_dup(struct vm_area_struct *vma)
{
}

static inline void vma_runs_drop(struct vm_area_struct *vma)
{
}

static inline void manyprots_count(struct mm_struct *mm,
				   struct vm_area_struct *vma, int sign)
{
}

static inline bool manyprots_may_copy(struct vm_area_struct *vma,
				      unsigned long start, unsigned long end)
{
	return true;
}

static inline int manyprots_charge_fork(struct vm_area_struct *vma,
					unsigned long *charge)
{
	return 0;
}

static inline void manyprots_after_split(struct vm_area_struct *vma,
					 struct vm_area_struct *new)
{
}

static inline bool manyprots_demote_to_merge(struct vm_area_struct *vma,
					     vm_flags_t flags,
					     struct file *file)
{
	return true;
}

static inline void manyprots_settle(struct vm_area_struct *vma,
				    unsigned long start, unsigned long end)
{
}

static inline struct vm_area_struct *manyprots_isolate(struct vm_area_struct *vma,
						       unsigned long start,
						       unsigned long end)
{
	return vma;
}

static inline int manyprots_split_runs(struct mm_struct *mm,
				       unsigned long start, unsigned long end)
{
	return 0;
}

static inline int manyprots_split_alike(struct mm_struct *mm,
					unsigned long start, unsigned long end,
					struct file *file, vm_flags_t flags)
{
	return 0;
}

static inline bool manyprots_may_mprotect(struct vm_area_struct *vma,
					  unsigned long start, unsigned long end)
{
	return false;
}

static inline struct vm_area_struct *manyprots_mprotect(struct vma_iterator *vmi,
							struct vm_area_struct *prev,
							struct vm_area_struct *vma,
							unsigned long start,
							unsigned long end,
							vm_flags_t newflags,
							struct vm_area_struct *view)
{
	return NULL;
}

static inline long manyprots_remap(unsigned long start, unsigned long size,
				   unsigned long prot, unsigned long pgoff,
				   unsigned long flags)
{
	return -EINVAL;
}

#define manyprots_mmap_flags(prot, flags)	VM_NONE

static inline unsigned long manyprots_at_flags(void)
{
	return 0;
}

#endif /* CONFIG_MANYPROTS */

/**
 * for_each_vma_file_view - for_each_vma() with for_each_file_view() of all
 * @vmi: a VMA iterator
 * @vma: the VMA
 * @v: a view VMA of each run that maps the file; or the VMA itself
 * @view: memory for a view VMA
 *
 * The body must not break: that would go on with the next VMA.
 *
 * Context: mmap_lock held.
 */
#define for_each_vma_file_view(vmi, vma, v, view)			\
	for_each_vma(vmi, vma)						\
		for_each_file_view(v, vma, 0, ULONG_MAX, view)

/**
 * for_each_vma_run - for_each_vma() with for_each_run() of what is behind
 * @vmi: a VMA iterator
 * @vma: the VMA
 * @v: a view VMA of each run; or the VMA itself
 * @addr: an address; runs that end before it are not visited
 * @view: memory for a view VMA
 *
 * The body must not break: that would go on with the next VMA.
 */
#define for_each_vma_run(vmi, vma, v, addr, view)			\
	for_each_vma(vmi, vma)						\
		for_each_run(v, vma, max(addr, (vma)->vm_start), view)

/**
 * vma_interval_tree_foreach_view - vma_interval_tree_foreach() by run
 * @v: a view VMA of each run that maps a part of the range; or the VMA itself
 * @vma: the VMA
 * @root: i_mmap of the file
 * @first: first file page offset
 * @last: last file page offset
 * @view: memory for a view VMA
 *
 * The body must not break: that would go on with the next VMA.
 *
 * Context: i_mmap_rwsem held.
 */
#define vma_interval_tree_foreach_view(v, vma, root, first, last, view)	\
	vma_interval_tree_foreach(vma, root, first, last)		\
		for_each_file_view(v, vma, first, last, view)

#endif /* _LINUX_MANYPROTS_H */
