/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checks of installed page table entries against the runs that they lie in,
 * see mm/manyprots_check.c.
 */
#ifndef _LINUX_MANYPROTS_CHECK_H
#define _LINUX_MANYPROTS_CHECK_H

#include <asm/page.h>		/* pte_t, pmd_t */

struct mm_struct;
struct vm_area_struct;

#ifdef CONFIG_DEBUG_VM_MANYPROTS
void manyprots_check_ptes(struct mm_struct *mm, unsigned long addr, pte_t pte,
			  unsigned int nr);
void manyprots_check_pmd(struct mm_struct *mm, unsigned long addr, pmd_t pmd);
void manyprots_check_range(struct vm_area_struct *vma, unsigned long start,
			   unsigned long end);
#else
static inline void manyprots_check_ptes(struct mm_struct *mm,
					unsigned long addr, pte_t pte,
					unsigned int nr)
{
}

static inline void manyprots_check_pmd(struct mm_struct *mm,
				       unsigned long addr, pmd_t pmd)
{
}

static inline void manyprots_check_range(struct vm_area_struct *vma,
					 unsigned long start,
					 unsigned long end)
{
}
#endif

#endif /* _LINUX_MANYPROTS_CHECK_H */
