/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What mm/manyprots.c has for those who change run maps: mm/manyprots_remap.c.
 */
#ifndef _MM_MANYPROTS_INTERNAL_H
#define _MM_MANYPROTS_INTERNAL_H

#include <linux/mm.h>
#include <linux/pkeys.h>
#include <linux/vma_runs.h>

/**
 * manyprots_enabled - is the feature on for a process?
 * @mm: its mm
 *
 * Return: whether remap_file_pages() takes MAP_CHGPROT.
 */
static inline bool manyprots_enabled(struct mm_struct *mm)
{
	return manyprots_mode(mm) != MANYPROTS_OFF;
}

/**
 * vma_index - the linear page index of an address
 * @vma: a VMA
 * @addr: an address in it, or its end
 *
 * Context: mmap_lock or the VMA's lock, which keep where it lies.
 * Return: the index, by which run maps and anonymous pages go.
 */
static inline unsigned long vma_index(struct vm_area_struct *vma,
				      unsigned long addr)
{
	return vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
}

/**
 * vma_last_index - the linear page index of a VMA's last page
 * @vma: a VMA
 *
 * Context: as vma_index().
 * Return: the index.
 */
static inline unsigned long vma_last_index(struct vm_area_struct *vma)
{
	return vma->vm_pgoff + vma_pages(vma) - 1;
}

/**
 * vma_index_addr - the address of a linear page index
 * @vma: a VMA
 * @index: a page of it, or the one after its last
 *
 * Context: as vma_index().
 * Return: the address.
 */
static inline unsigned long vma_index_addr(struct vm_area_struct *vma,
					   unsigned long index)
{
	return vma->vm_start + ((index - vma->vm_pgoff) << PAGE_SHIFT);
}

/**
 * vma_run_cut - cut a run to a part of the VMA
 * @run: a run, of which some page lies in the part
 * @first: linear page index of the part's first page
 * @last: linear page index of its last
 */
static inline void vma_run_cut(struct vma_run *run, unsigned long first,
			       unsigned long last)
{
	if (run->first < first) {
		if (!(run->attr & VMA_RUN_ZEROFILL))
			run->pgoff += first - run->first;
		run->first = first;
	}
	run->last = min(run->last, last);
}

/**
 * vma_run_attr - what a run keeps of vm_flags
 * @flags: those of the ordinary VMA that the run stands for
 *
 * Return: the attributes, without kind and ANON bit.
 */
static inline u32 vma_run_attr(vm_flags_t flags)
{
	u32 attr = flags & VMA_RUN_FLAGS;

#ifdef CONFIG_ARCH_HAS_PKEYS
	attr |= (flags & ARCH_VM_PKEY_FLAGS) >> VM_PKEY_SHIFT << VMA_RUN_PKEY_SHIFT;
#endif
	return attr;
}

/**
 * vma_run_flags - what a run adds to its VMA's vm_flags
 * @attr: the run's attributes
 *
 * Return: access rights, VM_ACCOUNT and protection key.
 */
static inline vm_flags_t vma_run_flags(u32 attr)
{
	vm_flags_t flags = attr & VMA_RUN_FLAGS;

#ifdef CONFIG_ARCH_HAS_PKEYS
	flags |= (vm_flags_t)((attr & VMA_RUN_PKEY) >> VMA_RUN_PKEY_SHIFT) << VM_PKEY_SHIFT;
#endif
	return flags;
}

bool vma_run_at(struct vm_area_struct *vma, unsigned long addr,
		struct vma_run *run);
bool manyprots_eligible(struct vm_area_struct *vma);
struct vma_runs *vma_runs_begin(struct vm_area_struct *vma);
int vma_runs_apply(struct vm_area_struct *vma, struct vma_runs **runs,
		   const struct vma_run *run);
long manyprots_more_runs(struct vm_area_struct *vma, const struct vma_runs *runs);
bool manyprots_over_limit(struct mm_struct *mm, long more);
int manyprots_charge(struct mm_struct *mm, unsigned long pages,
		     unsigned long most);
struct address_space *vma_leave_i_mmap(struct vm_area_struct *vma);
void vma_runs_publish(struct vm_area_struct *vma, struct vma_runs *runs,
		      long more, bool left);
void vma_enter_i_mmap(struct vm_area_struct *vma, struct address_space *mapping);
void manyprots_let_go(struct vm_area_struct *vma, bool by_index);

#endif /* _MM_MANYPROTS_INTERNAL_H */
