// SPDX-License-Identifier: GPL-2.0
/*
 * Compares page table entries with the runs of multi-protection VMAs.
 *
 * Page tables are a cache of what the run map says.  A site that installs an
 * entry and forgot to ask the run map by address does no harm that shows at
 * once: vm_page_prot grants nothing, and the fault loops or repairs it; or the
 * wrong page of the file is mapped.  So each entry is compared when it is
 * installed, and all of a range after a change of protection and when it is
 * unmapped:
 *
 * - it grants execution, access at all and the protection key as the run's
 *   page protection does, and writing only if the run does;
 * - a file page is the one that the run has at this address;
 * - a private page is only where the run has the ANON bit, and has the linear
 *   index of its address, unless it is a KSM page;
 * - a huge page lies within one run.
 *
 * While the map is changed the page tables are older than it.  That happens
 * under mmap_lock held for writing, so others do not compare meanwhile.
 */
#include <linux/ksm.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pagewalk.h>
#include <linux/rmap.h>
#include <linux/sched/sysctl.h>

#include "internal.h"

/* RWSEM_WRITER_LOCKED and RWSEM_OWNER_FLAGS_MASK of kernel/locking/rwsem.c */
#define MMAP_LOCK_WRITER	1UL
#define MMAP_LOCK_OWNER_FLAGS	3UL

/* Is somebody else changing the address space? */
static bool mm_is_changing(struct mm_struct *mm)
{
	unsigned long owner;

	if (!(atomic_long_read(&mm->mmap_lock.count) & MMAP_LOCK_WRITER))
		return false;
	owner = atomic_long_read(&mm->mmap_lock.owner);
	return (owner & ~MMAP_LOCK_OWNER_FLAGS) != (unsigned long)current;
}

/* NUMA balancing takes access away, and the next fault gives it back. */
static bool numa_hints(void)
{
	return IS_ENABLED(CONFIG_NUMA_BALANCING) &&
		sysctl_numa_balancing_mode != NUMA_BALANCING_DISABLED;
}

static const char *pte_compare_prot(pte_t pte, struct vm_area_struct *run)
{
	pte_t want = pfn_pte(0, run->vm_page_prot);

	if (pte_write(pte) && !(run->vm_flags & VM_WRITE))
		return "writable";
#ifdef CONFIG_X86
	if (!(pte_flags(pte) & _PAGE_PRESENT)) {
		if ((pte_flags(want) & _PAGE_PRESENT) && !numa_hints())
			return "not accessible";
		return NULL;
	}
	if (!(pte_flags(want) & _PAGE_PRESENT))
		return "accessible";
	if ((pte_flags(pte) ^ pte_flags(want)) & _PAGE_NX)
		return "NX";
	if (pte_flags_pkey(pte_flags(pte)) != pte_flags_pkey(pte_flags(want)))
		return "protection key";
#else
	if (pte_read(pte) && !pte_read(want))
		return "accessible";
	if (!pte_read(pte) && pte_read(want) && !numa_hints())
		return "not accessible";
#endif
	return NULL;
}

static const char *pte_compare_page(struct page *page, unsigned long addr,
				    struct vm_area_struct *run)
{
	struct folio *folio = page_folio(page);
	struct address_space *mapping;
	pgoff_t index;

	if (folio_test_hugetlb(folio) || folio_is_zone_device(folio))
		return NULL;
	index = folio->index + folio_page_idx(folio, page);
	if (folio_test_anon(folio)) {
		if (!run->anon_vma)
			return "private page without ANON bit";
		if (!folio_test_ksm(folio) && index != linear_page_index(run, addr))
			return "index of private page";
		return NULL;
	}

	if (!run->vm_file)
		return "file page in anonymous run";
	/* Without a mapping it has just been truncated. */
	mapping = READ_ONCE(folio->mapping);
	if (mapping && mapping != run->vm_file->f_mapping)
		return "page of another file";
	if (mapping && index != vma_file_pgoff(run, addr))
		return "index of file page";
	return NULL;
}

static void pte_report(const char *what, struct vm_area_struct *run,
		       unsigned long addr, pte_t pte, int order)
{
	WARN_ONCE(1, "manyprots: %s: %s[%d] address %lx order %d entry %llx run %lx-%lx flags %lx index %lx file page %lx\n",
		  what, current->comm, current->pid, addr, order,
		  (unsigned long long)pte_val(pte), run->vm_start, run->vm_end,
		  run->vm_flags, run->vm_pgoff, vma_file_base(run));
}

/* Compare an entry for the page of @order at @addr, of which @pfn is the first. */
static bool pte_compare(struct vm_area_struct *vma, unsigned long addr,
			pte_t pte, unsigned long pfn, int order, bool special,
			struct vm_area_struct *run)
{
	unsigned long size = PAGE_SIZE << order;
	const char *what;

	vma_view_at(vma, addr, run);
	if (addr < run->vm_start || run->vm_end - addr < size)
		what = "crosses the run";
	else
		what = pte_compare_prot(pte, run);
	if (!what && !special && !is_zero_pfn(pfn) && pfn_valid(pfn))
		what = pte_compare_page(pfn_to_page(pfn), addr, run);
	if (!what || mm_is_changing(vma->vm_mm))
		return true;
	pte_report(what, run, addr, pte, order);
	return false;
}

/* The multi-protection VMA at @addr, under RCU, if it is not being changed. */
static struct vm_area_struct *check_lookup(struct mm_struct *mm,
					   unsigned long addr)
{
	MA_STATE(mas, &mm->mm_mt, addr, addr);
	struct vm_area_struct *vma;

	if (mm == &init_mm || !atomic_long_read(&mm->run_count) ||
	    mm_is_changing(mm))
		return NULL;
	vma = mas_walk(&mas);
	return vma && vma_is_manyprots(vma) ? vma : NULL;
}

/**
 * manyprots_check_ptes - compare new page table entries with the runs
 * @mm: the mm
 * @addr: address of the first one
 * @pte: the first entry; the others map the following pages
 * @nr: how many
 *
 * Context: page table lock held, or nobody else sees the page table.
 */
void manyprots_check_ptes(struct mm_struct *mm, unsigned long addr, pte_t pte,
			  unsigned int nr)
{
	struct vm_area_struct *vma, run __uninitialized;

	if (!pte_present(pte))
		return;
	rcu_read_lock();
	vma = check_lookup(mm, addr);
	for (; vma && nr && addr < READ_ONCE(vma->vm_end); nr--) {
		if (!pte_compare(vma, addr, pte, pte_pfn(pte), 0,
				 pte_special(pte), &run))
			break;
		addr += PAGE_SIZE;
		pte = pte_next_pfn(pte);
	}
	rcu_read_unlock();
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
static bool pmd_compare(struct vm_area_struct *vma, unsigned long addr,
			pmd_t pmd, struct vm_area_struct *run)
{
	return pte_compare(vma, addr & HPAGE_PMD_MASK, __pte(pmd_val(pmd)),
			   pmd_pfn(pmd), HPAGE_PMD_ORDER, is_huge_zero_pmd(pmd),
			   run);
}

/**
 * manyprots_check_pmd - compare a new huge page table entry with its run
 * @mm: the mm
 * @addr: its address
 * @pmd: the entry
 *
 * Context: as manyprots_check_ptes().
 */
void manyprots_check_pmd(struct mm_struct *mm, unsigned long addr, pmd_t pmd)
{
	struct vm_area_struct *vma, run __uninitialized;

	if (!pmd_present(pmd) || !pmd_leaf(pmd))
		return;
	rcu_read_lock();
	vma = check_lookup(mm, addr);
	if (vma)
		pmd_compare(vma, addr, pmd, &run);
	rcu_read_unlock();
}
#else
void manyprots_check_pmd(struct mm_struct *mm, unsigned long addr, pmd_t pmd)
{
}
#endif

static int check_pmd_entry(pmd_t *pmdp, unsigned long addr, unsigned long next,
			   struct mm_walk *walk)
{
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	struct vm_area_struct run __uninitialized;
	spinlock_t *ptl = pmd_trans_huge_lock(pmdp, walk->vma);
	pmd_t pmd;

	if (!ptl)
		return 0;
	pmd = *pmdp;
	if (pmd_present(pmd))
		pmd_compare(walk->vma, addr, pmd, &run);
	spin_unlock(ptl);
	walk->action = ACTION_CONTINUE;
#endif
	return 0;
}

static int check_pte_entry(pte_t *ptep, unsigned long addr, unsigned long next,
			   struct mm_walk *walk)
{
	struct vm_area_struct run __uninitialized;
	pte_t pte = ptep_get(ptep);

	if (pte_present(pte))
		pte_compare(walk->vma, addr, pte, pte_pfn(pte), 0,
			    pte_special(pte), &run);
	return 0;
}

static const struct mm_walk_ops check_ops = {
	.pmd_entry = check_pmd_entry,
	.pte_entry = check_pte_entry,
	.walk_lock = PGWALK_RDLOCK,
};

/**
 * manyprots_check_range - compare the page tables of a range with its runs
 * @vma: a VMA or view VMA; nothing is done without a run map
 * @start: first address; what lies before @vma is left out
 * @end: address after the last one; what lies behind @vma is left out
 *
 * Context: mmap_lock held, and no change of the run map is under way.
 */
void manyprots_check_range(struct vm_area_struct *vma, unsigned long start,
			   unsigned long end)
{
	vma = vma_real(vma);
	start = max(start, vma->vm_start);
	end = min(end, vma->vm_end);
	if (vma_is_manyprots(vma) && start < end)
		walk_page_range_vma(vma, start, end, &check_ops, NULL);
}
