/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What mm/manyprots.c has for those who change run maps: mm/manyprots_remap.c.
 */
#ifndef _MM_MANYPROTS_INTERNAL_H
#define _MM_MANYPROTS_INTERNAL_H

#include <linux/mm.h>
#include <linux/pkeys.h>
#include <linux/vma_runs.h>

/* Is the feature on for a process? */
static inline bool manyprots_enabled(struct mm_struct *mm)
{
	return manyprots_mode(mm) != MANYPROTS_OFF;
}

/* The linear page index of an address. */
static inline unsigned long vma_index(struct vm_area_struct *vma,
				      unsigned long addr)
{
	return vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
}

/* The linear page index of a VMA's last page. */
static inline unsigned long vma_last_index(struct vm_area_struct *vma)
{
	return vma->vm_pgoff + vma_pages(vma) - 1;
}

/* The address of a linear page index. */
static inline unsigned long vma_index_addr(struct vm_area_struct *vma,
					   unsigned long index)
{
	return vma->vm_start + ((index - vma->vm_pgoff) << PAGE_SHIFT);
}

/* Cut a run to what lies in the pages from @first to @last. */
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

/* What a run keeps of vm_flags. */
static inline u32 vma_run_attr(vm_flags_t flags)
{
	u32 attr = flags & VMA_RUN_FLAGS;

#ifdef CONFIG_ARCH_HAS_PKEYS
	attr |= (flags & ARCH_VM_PKEY_FLAGS) >> VM_PKEY_SHIFT << VMA_RUN_PKEY_SHIFT;
#endif
	return attr;
}

/* And the way back. */
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
