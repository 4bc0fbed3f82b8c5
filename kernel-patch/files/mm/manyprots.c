// SPDX-License-Identifier: GPL-2.0
/*
 * Multi-protection VMAs: one VMA whose pages have their own protection, file
 * offset and kind (file or anonymous).
 *
 * A multi-protection VMA has VM_MANYPROTS in vm_flags and a run map in
 * vm_runs.  It behaves exactly as its equivalent layout does: the ordinary
 * VMAs, one for each run, that mmap() and mprotect() would have made.
 *
 * What a run keeps (VM_RUN_FLAGS) is clear in vm_flags, and vm_page_prot
 * grants nothing, so that code which does not ask by address fails closed.
 * vm_pgoff is the linear index: it finds anonymous pages and it is the key of
 * the run map, and it never changes its meaning.  The page offset in the file
 * comes from the run map only.
 *
 * Code asks by address through the accessors of linux/manyprots.h, most of
 * all for a view VMA: an on-stack copy which describes one run.
 *
 * Locking.  The map of a VMA is changed with mmap_lock and the VMA
 * write-locked; if file offsets or kinds change, also with i_mmap_rwsem
 * write-locked and the VMA out of the tree.  A change of protection is
 * published before the page tables are changed.  Readers hold mmap_lock, the
 * VMA lock or i_mmap_rwsem, or call vma_page_prot_at() under the page table
 * lock.  A published map is immutable, but for the ANON bits: they are set with
 * mmap_lock held for reading (a fault under the VMA lock takes it for that),
 * where stock would give the equivalent VMA its anon_vma.  A map that others
 * share is replaced by a copy that differs in the bit only.  page_table_lock
 * serialises both, and as vm_runs can change under readers of mmap_lock so,
 * they use it under RCU.
 */
#include <linux/binfmts.h>
#include <linux/cacheflush.h>
#include <linux/fs.h>
#include <linux/khugepaged.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/prctl.h>
#include <linux/rmap.h>
#include <linux/security.h>
#include <linux/sysctl.h>
#include <linux/uaccess.h>
#include <linux/uprobes.h>
#include <linux/userfaultfd_k.h>
#include <linux/vma_runs.h>

#include "internal.h"
#include "manyprots_internal.h"

int sysctl_manyprots __read_mostly = MANYPROTS_EXPLICIT;
static unsigned int sysctl_max_run_count __read_mostly = 1048576;

/* What keeps a VMA an ordinary one. */
#define VM_NOT_MANYPROTS	(VM_SPECIAL | VM_HUGETLB | VM_GROWSDOWN | \
				 VM_GROWSUP | VM_SHADOW_STACK | VM_DROPPABLE | \
				 VM_UFFD_MISSING | VM_UFFD_WP | VM_UFFD_MINOR)

/**
 * manyprots_mm_init - an mm has no runs yet, and the mode of who makes it
 * @mm: the new mm, of fork or exec
 *
 * Both look at current->mm, so that the mode is inherited: what is to run in
 * another mode than its system does so without being changed.
 */
void manyprots_mm_init(struct mm_struct *mm)
{
	atomic_long_set(&mm->run_count, 0);
	mm->manyprots_mode = current->mm ?
		READ_ONCE(current->mm->manyprots_mode) : MANYPROTS_FOLLOW;
}

/**
 * manyprots_mm_secure - a program begins that may do more than who starts it
 * @mm: its mm
 *
 * As with other things that are inherited, nobody chooses for such a program.
 */
void manyprots_mm_secure(struct mm_struct *mm)
{
	WRITE_ONCE(mm->manyprots_mode, MANYPROTS_FOLLOW);
}

/**
 * manyprots_prctl - PR_SET_MANYPROTS and PR_GET_MANYPROTS
 * @option: which of the two
 * @arg2: the mode, -1 to follow the sysctl; or a pointer to int for what was
 *	set, which may be NULL
 * @arg3: 0
 * @arg4: 0
 * @arg5: 0
 *
 * The mode is one of the mm: threads share it.  A change is for what comes;
 * multi-protection VMAs stay what they are.
 *
 * Context: process context, may sleep.
 * Return: 0, or the mode in force; -EINVAL for another mode or argument,
 * -EFAULT.
 */
int manyprots_prctl(int option, unsigned long arg2, unsigned long arg3,
		    unsigned long arg4, unsigned long arg5)
{
	struct mm_struct *mm = current->mm;
	int mode = arg2;

	if (arg3 || arg4 || arg5)
		return -EINVAL;
	if (option == PR_GET_MANYPROTS) {
		int __user *set = (int __user *)arg2;

		if (set && put_user(READ_ONCE(mm->manyprots_mode), set))
			return -EFAULT;
		return manyprots_mode(mm);
	}

	/* An int among variable arguments may come zero-extended. */
	if ((unsigned long)mode != arg2 && (unsigned int)mode != arg2)
		return -EINVAL;
	if (mode < MANYPROTS_FOLLOW || mode > MANYPROTS_ALWAYS)
		return -EINVAL;
	WRITE_ONCE(mm->manyprots_mode, mode);
	return 0;
}

/**
 * manyprots_at_flags - the feature's bit for AT_FLAGS
 *
 * Under PR_SET_MDWE no call would make text, so that is not advertised there.
 *
 * Context: the mm of the new program is current->mm.
 * Return: AT_FLAGS_MANYPROTS if remap_file_pages() takes MAP_CHGPROT.
 */
unsigned long manyprots_at_flags(void)
{
	struct mm_struct *mm = current->mm;

	return manyprots_enabled(mm) && !test_bit(MMF_HAS_MDWE, &mm->flags) ?
		AT_FLAGS_MANYPROTS : 0;
}

/**
 * vma_run_at - the run at an address
 * @vma: a VMA
 * @addr: an address in it
 * @run: where to put the run, cut to the VMA
 *
 * Context: as vma_view_at().
 * Return: false if @vma is an ordinary VMA and as its own fields say.  Those who
 * hold no lock may see that it has become one.
 */
bool vma_run_at(struct vm_area_struct *vma, unsigned long addr,
		struct vma_run *run)
{
	struct vma_runs *runs;

	rcu_read_lock();
	runs = READ_ONCE(vma->vm_runs);
	if (runs)
		vma_runs_find(runs, vma_index(vma, addr), run);
	rcu_read_unlock();
	if (runs)
		vma_run_cut(run, vma->vm_pgoff, vma_last_index(vma));
	else
		/* What it is now is complete: pairs with manyprots_demote(). */
		smp_rmb();
	return runs;
}

/*
 * vm_flags of the equivalent VMA of a run.  Anonymous memory may be given any
 * protection, even next to a file that is mounted noexec.
 */
static vm_flags_t vma_flags_of_run(struct vm_area_struct *vma,
				   const struct vma_run *run)
{
	vm_flags_t flags = vma->vm_flags & ~(VM_MANYPROTS | VM_RUN_FLAGS);

	if (run->attr & VMA_RUN_ZEROFILL)
		flags |= VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
	return flags | vma_run_flags(run->attr);
}

static void vma_fill_view(struct vm_area_struct *vma, const struct vma_run *run,
			  struct vm_area_struct *view, bool file)
{
	unsigned long start = vma_index_addr(vma, run->first);
	unsigned long end = vma_index_addr(vma, run->last) + PAGE_SIZE;
	vm_flags_t flags = vma_flags_of_run(vma, run);

	/* Under i_mmap_rwsem alone, fields change that rmap does not look at. */
	data_race(memcpy(view, vma, sizeof(*view)));
	view->vm_start = start;
	view->vm_end = end;
	vm_flags_init(view, flags);
	view->vm_runs = (void *)((unsigned long)vma | VMA_VIEW_TAG);
	view->vm_pgoff = run->first;
	/* A view is in no tree: there it has what vma_file_pgoff() adds. */
	view->shared.rb_subtree_last = (run->attr & VMA_RUN_ZEROFILL ?
		run->first : run->pgoff) - (start >> PAGE_SHIFT);
	if (run->attr & VMA_RUN_ZEROFILL) {
		view->vm_file = NULL;
		view->vm_ops = NULL;
		/* What mmap() would have given bss. */
		if (file && vma->vm_file)
			view->vm_pgoff = start >> PAGE_SHIFT;
	} else if (file) {
		view->vm_pgoff = run->pgoff;
	}
	if (!(run->attr & VMA_RUN_ANON))
		view->anon_vma = NULL;
	view->vm_page_prot = vm_get_page_prot(flags);
	/* Writes to a shared file may have to be noticed. */
	if ((flags & (VM_SHARED | VM_WRITE)) == (VM_SHARED | VM_WRITE))
		vma_set_page_prot(view);
}

/* vma_view_at() and vma_report_at() of a multi-protection VMA. */
struct vm_area_struct *__vma_view_at(struct vm_area_struct *vma,
				     unsigned long addr,
				     struct vm_area_struct *view, bool file)
{
	struct vma_run run;

	VM_WARN_ON_ONCE(addr < vma->vm_start || addr >= vma->vm_end);
	if (!vma_run_at(vma, addr, &run))
		return vma;
	vma_fill_view(vma, &run, view, file);
	return view;
}
EXPORT_SYMBOL_GPL(__vma_view_at);

/*
 * for_each_file_view(): the next view after @after, which is the first one if
 * that is NULL; NULL at the end.
 */
struct vm_area_struct *__vma_file_view(struct vm_area_struct *vma,
				       const struct vm_area_struct *after,
				       pgoff_t first, pgoff_t last,
				       struct vm_area_struct *view)
{
	struct vma_runs_search search = {
		.first = vma->vm_pgoff,
		.last = vma_last_index(vma),
		.first_pgoff = first,
		.last_pgoff = last,
	};
	struct vma_run run;
	bool found;

	if (after) {
		run.first = vma_index(vma, after->vm_start);
		run.last = vma_index(vma, after->vm_end) - 1;
		run.pgoff = after->vm_pgoff;
	}
	rcu_read_lock();
	found = vma_runs_find_file(READ_ONCE(vma->vm_runs), &search,
				   after ? &run : NULL, &run);
	rcu_read_unlock();
	if (!found)
		return NULL;
	vma_fill_view(vma, &run, view, true);
	return view;
}

pgprot_t __vma_page_prot_at(struct vm_area_struct *vma, unsigned long addr)
{
	struct vm_area_struct view[1] __uninitialized;
	struct vma_run run;

	vma = vma_real(vma);
	if (!vma_run_at(vma, addr, &run))
		return vma_page_prot_at(vma, addr);
	if (!(vma->vm_flags & VM_SHARED))
		return vm_get_page_prot(vma_flags_of_run(vma, &run));
	vma_fill_view(vma, &run, view, false);
	return view->vm_page_prot;
}

vm_flags_t __vma_flags_at(struct vm_area_struct *vma, unsigned long addr)
{
	struct vma_run run;

	if (!vma_run_at(vma, addr, &run))
		return vma->vm_flags;
	return vma_flags_of_run(vma, &run);
}

pgoff_t __vma_file_pgoff(struct vm_area_struct *vma, unsigned long addr)
{
	struct vma_run run;

	if (!vma_run_at(vma, addr, &run) || (run.attr & VMA_RUN_ZEROFILL))
		return vma_index(vma, addr);
	return run.pgoff + (vma_index(vma, addr) - run.first);
}

static void vma_file_hull(struct vm_area_struct *vma, pgoff_t *first,
			  pgoff_t *last)
{
	rcu_read_lock();
	vma_runs_hull(READ_ONCE(vma->vm_runs), vma_last_index(vma), first, last);
	rcu_read_unlock();
	if (*first > *last) {
		*first = vma->vm_pgoff;
		*last = vma_last_index(vma);
	}
}

unsigned long __vma_file_first(struct vm_area_struct *vma)
{
	pgoff_t first, last;

	vma_file_hull(vma, &first, &last);
	return first;
}

unsigned long __vma_file_last(struct vm_area_struct *vma)
{
	pgoff_t first, last;

	vma_file_hull(vma, &first, &last);
	return last;
}

bool vma_has_anon(struct vm_area_struct *vma, unsigned long addr)
{
	struct vma_run run;

	vma = vma_real(vma);
	if (!vma->anon_vma)
		return false;
	if (!vma_is_manyprots(vma))
		return true;
	return !vma_run_at(vma, addr, &run) || (run.attr & VMA_RUN_ANON);
}

/* The address after the run that @addr is in. */
static unsigned long vma_run_end(struct vm_area_struct *vma, unsigned long addr)
{
	struct vma_run run;

	vma_run_at(vma, addr, &run);
	return vma_index_addr(vma, run.last) + PAGE_SIZE;
}

/* vma_range_has_anon() of a multi-protection VMA. */
bool __vma_range_has_anon(struct vm_area_struct *vma, unsigned long start,
			  unsigned long end)
{
	unsigned long addr;

	for (addr = start; addr < end; addr = vma_run_end(vma, addr))
		if (vma_has_anon(vma, addr))
			return true;
	return false;
}

/* At how many addresses a VMA may map a page that is mapped all too often. */
#define MANYPROTS_FEW 4

/* manyprots_overmaps() of a folio that is mapped all too often. */
bool __manyprots_overmaps(struct vm_area_struct *vma, pgoff_t pgoff)
{
	struct vma_runs_search search = {
		.first = vma->vm_pgoff,
		.last = vma_last_index(vma),
		.first_pgoff = pgoff,
		.last_pgoff = pgoff,
	};
	struct vma_run run;
	int times = 0;

	rcu_read_lock();
	while (times <= MANYPROTS_FEW &&
	       vma_runs_find_file(READ_ONCE(vma->vm_runs), &search,
				  times ? &run : NULL, &run))
		times++;
	rcu_read_unlock();
	return times > MANYPROTS_FEW;
}

/*
 * The first address from @addr on, up to @end, that may have a page table entry,
 * or @end.  @sync is for who looks for a huge page: whoever takes its entry away
 * has done with the page when the lock is free, or has put it elsewhere.  Then
 * zap_pmd_range() and page_vma_mapped_walk() wait, too.  With @pmds the first
 * address that has a page of PMDs, which is found soon.
 */
static unsigned long manyprots_next_table(struct mm_struct *mm,
					  unsigned long addr, unsigned long end,
					  bool sync, bool pmds)
{
	unsigned long next;
	pgd_t *pgd;
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	/* Of a level that is folded the level above says where the entry ends. */
	for (; addr < end; addr = next) {
		if (!(addr & ~PUD_MASK))
			cond_resched();
		pgd = pgd_offset(mm, addr);
		next = pgd_addr_end(addr, end);
		if (!pgd_present(*pgd))
			continue;
		p4d = p4d_offset(pgd, addr);
		next = p4d_addr_end(addr, next);
		if (!p4d_present(*p4d))
			continue;
		pud = pud_offset(p4d, addr);
		next = pud_addr_end(addr, next);
		if (!pud_present(*pud))
			continue;
		if (pmds)
			break;
		pmd = pmd_offset(pud, addr);
		next = pmd_addr_end(addr, next);
		if (sync && pmd_none(pmdp_get_lockless(pmd)))
			spin_unlock(pmd_lock(mm, pmd));
		if (!pmd_none(pmdp_get_lockless(pmd)))
			break;
	}
	return addr;
}

/* How many runs can have page table entries at most, by the page tables. */
static unsigned long manyprots_max_mapped(struct vm_area_struct *vma)
{
	unsigned long addr = vma->vm_start, end = vma->vm_end, nr = 0;

	while ((addr = manyprots_next_table(vma->vm_mm, addr, end, false, false)) < end) {
		nr += PTRS_PER_PTE;
		addr = (addr & PMD_MASK) + PMD_SIZE;
		if (!addr)
			break;
	}
	return nr;
}

/*
 * There are no page tables from @v, which is the view of a run inside of @vma,
 * up to @next.  Make it what is before the run there, so that what begins
 * between and has the same file page offset is passed over.
 *
 * For those that begin at the same offset vma_runs_find_file() goes by the
 * lower half of the linear page index, so not farther than that goes up.
 */
static void vma_view_skip(struct vm_area_struct *vma, struct vm_area_struct *v,
			  unsigned long next)
{
	struct vma_run run;

	vma_run_at(vma, min(next, vma->vm_end - PAGE_SIZE), &run);
	v->vm_end = vma_index_addr(vma, run.first);
	v->vm_start = v->vm_end - PAGE_SIZE;
}

/**
 * vma_mapped_view - the next view that may have page table entries
 * @vma: a multi-protection VMA that was found in i_mmap
 * @walk: memory for the view, and where the walk is
 * @v: the view that it found last, NULL to begin
 * @first: first file page offset
 * @last: last file page offset
 *
 * Children of fork() share a run map at no cost, and a map may have many runs
 * of one file page.  Only page tables bound the work that they can make for
 * others, so runs without page tables are not visited one by one: those of one
 * file page are passed over up to the next page table, and where a range of
 * file pages has more such runs than the page tables have entries, it goes by
 * address instead.  Then a run may be visited twice.
 *
 * Context: i_mmap_rwsem held, which keeps the page tables from being freed, but
 * not from being made.  Who makes them knows about whoever walks i_mmap, as
 * there may be no entry in them yet either.
 * Return: the view, NULL at the end.
 */
struct vm_area_struct *vma_mapped_view(struct vm_area_struct *vma,
				       struct vma_mapped_walk *walk,
				       struct vm_area_struct *v,
				       pgoff_t first, pgoff_t last)
{
	bool sync = IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) &&
		last - first >= PTRS_PER_PTE - 1;
	unsigned long end, next, above;

	if (!v) {
		walk->misses = 0;
		walk->by_address = false;
		walk->gap_start = 0;
		walk->gap_end = 0;
		/* Nothing at all, as in most children: that is seen soon. */
		if (manyprots_next_table(vma->vm_mm, vma->vm_start, vma->vm_end,
					 false, true) == vma->vm_end)
			return NULL;
	}

	for (;;) {
		cond_resched();
		if (walk->by_address)
			v = __vma_file_view(vma, v, 0, ULONG_MAX, &walk->view);
		else
			v = __vma_file_view(vma, v, first, last, &walk->view);
		if (!v)
			return NULL;

		end = vma->vm_end;
		above = U32_MAX - (u32)vma_index(vma, v->vm_start);
		if ((end - v->vm_start) >> PAGE_SHIFT > above)
			end = v->vm_start + (above << PAGE_SHIFT) + PAGE_SIZE;
		if (v->vm_start < walk->gap_start || v->vm_start >= walk->gap_end) {
			bool before = v->vm_start < walk->gap_start;

			next = before ? walk->gap_start : vma->vm_end;
			next = manyprots_next_table(vma->vm_mm, v->vm_start, next,
						    sync, false);
			if (!before || next != walk->gap_start)
				walk->gap_end = next;
			walk->gap_start = v->vm_start;
		}
		next = min(walk->gap_end, end);
		if (next < v->vm_end) {
			if (!walk->by_address ||
			    (v->vm_pgoff <= last && v->vm_pgoff + vma_pages(v) > first))
				return v;
			continue;
		}
		walk->misses++;
		/* What is at the ends has no place in the order. */
		if (v->vm_start != vma->vm_start && v->vm_end != vma->vm_end)
			vma_view_skip(vma, v, next);
		/* Going through the page tables takes time, too: not often. */
		if (!walk->by_address && walk->misses >= PTRS_PER_PTE &&
		    is_power_of_2(walk->misses) &&
		    walk->misses > manyprots_max_mapped(vma)) {
			walk->by_address = true;
			v = NULL;
		}
	}
}

/* What the runs of a multi-protection VMA have in a range, in pages. */
static void manyprots_sum(struct vm_area_struct *vma, unsigned long start,
			  unsigned long end, struct vma_runs_sum *sum)
{
	rcu_read_lock();
	vma_runs_sum(READ_ONCE(vma->vm_runs), vma_index(vma, start),
		     vma_index(vma, end) - 1, sum);
	rcu_read_unlock();
	/* As is_data_mapping() */
	if (vma->vm_flags & VM_SHARED)
		sum->data = 0;
}

unsigned long __manyprots_accounted(struct vm_area_struct *vma,
				    unsigned long start, unsigned long end)
{
	struct vma_runs_sum sum;

	manyprots_sum(vma, start, end, &sum);
	return sum.account;
}

void __manyprots_stat_account(struct mm_struct *mm, struct vm_area_struct *vma,
			      unsigned long start, unsigned long end, int sign)
{
	struct vma_runs_sum sum;

	manyprots_sum(vma, start, end, &sum);
	mm->exec_vm += sign * (long)sum.exec;
	mm->data_vm += sign * (long)sum.data;
}

void __manyprots_gather(struct vm_area_struct *vma, unsigned long *accounted,
			unsigned long *exec, unsigned long *data)
{
	struct vma_runs_sum sum;

	manyprots_sum(vma, vma->vm_start, vma->vm_end, &sum);
	/* mremap() conceals by it what is charged for at the new place. */
	if (!(vma->vm_flags & VM_NORESERVE))
		*accounted += sum.account;
	*exec += sum.exec;
	*data += sum.data;
}

/**
 * vma_nr_runs - number of runs of a VMA
 * @vma: a VMA
 *
 * Context: mmap_lock held.
 * Return: the number; 0 if @vma is not a multi-protection VMA.
 */
unsigned long vma_nr_runs(struct vm_area_struct *vma)
{
	unsigned long count;

	if (!vma_is_manyprots(vma))
		return 0;
	rcu_read_lock();
	count = vma_runs_count(READ_ONCE(vma->vm_runs), vma->vm_pgoff,
			       vma_last_index(vma));
	rcu_read_unlock();
	return count;
}

/**
 * vma_runs_publish - give a VMA its run map
 * @vma: the VMA, which is or becomes a multi-protection VMA
 * @runs: the map; the caller's reference becomes the VMA's, and that to the old
 *	map is dropped
 * @more: how many runs more than before it has, see manyprots_more_runs()
 * @left: the VMA has left i_mmap, which it must if file page offsets or kinds
 *	change
 *
 * A walk of i_mmap goes on behind the run that it has seen last, in the order
 * of the map that it finds then.  Pages that go over to a run before that one
 * would be missed, so a walk does not see a change: stock takes the lock to
 * split and merge, too.
 *
 * Context: mmap_lock held for writing, @vma write-locked; takes i_mmap_rwsem, which
 * the caller holds with @left.
 */
void vma_runs_publish(struct vm_area_struct *vma, struct vma_runs *runs,
		      long more, bool left)
{
	struct address_space *mapping = NULL;
	struct vma_runs *old = vma->vm_runs;

	vma_assert_write_locked(vma);
	if (more)
		atomic_long_add(more, &vma->vm_mm->run_count);
	if (vma->vm_file && !left) {
		mapping = vma->vm_file->f_mapping;
		i_mmap_lock_write(mapping);
	}
	/* Readers without a lock see a map that is complete. */
	smp_store_release(&vma->vm_runs, runs);
	if (mapping)
		i_mmap_unlock_write(mapping);
	vma_runs_put(old);
	if (old)
		return;

	/* Pairs with smp_rmb() in vma_page_prot_at(). */
	smp_wmb();
	vm_flags_mod(vma, VM_MANYPROTS, VM_RUN_FLAGS);
	vma_set_page_prot(vma);
}

/**
 * vma_leave_i_mmap - file page offsets of a VMA are about to change
 * @vma: the VMA
 *
 * Context: mmap_lock held for writing; takes i_mmap_rwsem for writing, and holds
 * it on return.
 * Return: for vma_enter_i_mmap(); NULL if @vma has no file.
 */
struct address_space *vma_leave_i_mmap(struct vm_area_struct *vma)
{
	struct address_space *mapping;

	vma_assert_write_locked(vma);
	if (!vma->vm_file)
		return NULL;
	mapping = vma->vm_file->f_mapping;
	i_mmap_lock_write(mapping);
	flush_dcache_mmap_lock(mapping);
	vma_interval_tree_remove(vma, &mapping->i_mmap);
	return mapping;
}

/**
 * vma_enter_i_mmap - reverse mapping finds a VMA again
 * @vma: the VMA; nothing is inserted if it has lost its file meanwhile
 * @mapping: what vma_leave_i_mmap() returned
 *
 * Context: releases i_mmap_rwsem.
 */
void vma_enter_i_mmap(struct vm_area_struct *vma,
		      struct address_space *mapping)
{
	if (!mapping)
		return;
	i_mmap_assert_write_locked(mapping);
	if (vma->vm_file)
		vma_interval_tree_insert(vma, &mapping->i_mmap);
	flush_dcache_mmap_unlock(mapping);
	i_mmap_unlock_write(mapping);
}

/*
 * Set the ANON bit of the run at @addr.  Other faults may do the same in this
 * VMA; a map that other VMAs share is left to them and copied.
 */
static int vma_run_set_anon(struct vm_area_struct *vma, unsigned long addr)
{
	spinlock_t *lock = &vma->vm_mm->page_table_lock;
	struct vma_runs *runs, *copy;
	struct vma_run run;
	bool done;

	for (;;) {
		spin_lock(lock);
		runs = vma->vm_runs;
		done = vma_runs_try_set_anon(runs, vma_index(vma, addr));
		if (!done) {
			vma_run_at(vma, addr, &run);
			done = run.attr & VMA_RUN_ANON;
		}
		if (!done)
			vma_runs_get(runs);
		spin_unlock(lock);
		if (done)
			return 0;

		/* As stock's faults merge nothing, and run_count stays. */
		run.attr |= VMA_RUN_ANON;
		copy = vma_runs_replace(runs, vma->vm_pgoff, vma_last_index(vma),
					&run, VMA_RUNS_APART);
		if (!copy) {
			vma_runs_put(runs);
			return -ENOMEM;
		}

		spin_lock(lock);
		done = vma->vm_runs == runs;
		if (done)
			/* Readers without a lock see a map that is complete. */
			smp_store_release(&vma->vm_runs, copy);
		spin_unlock(lock);
		vma_runs_put(runs);
		vma_runs_put(done ? runs : copy);
		if (done)
			return 0;
	}
}

/**
 * manyprots_anon_prepare - anon_vma_prepare() for a page at an address
 * @vma: a VMA, or a view VMA, which gets the anon_vma as well
 * @addr: where a private page is going to be
 *
 * The ANON bit of a run means that the equivalent VMA would have an anon_vma,
 * so it is set where stock makes sure of that.
 *
 * Context: mmap_lock held, which keeps the map from being shared meanwhile.
 * Return: 0 or -ENOMEM.
 */
int manyprots_anon_prepare(struct vm_area_struct *vma, unsigned long addr)
{
	struct vm_area_struct *real = vma_real(vma);
	int error;

	mmap_assert_locked(real->vm_mm);
	error = anon_vma_prepare(real);
	/* A shared mapping that stock gives an anon_vma all the same has no use for it. */
	if (!error && vma_is_manyprots(real) && !(real->vm_flags & VM_MAYSHARE))
		error = vma_run_set_anon(real, addr);
	if (!error && vma != real)
		vma->anon_vma = real->anon_vma;
	return error;
}

/**
 * manyprots_copy_page_range - copy_page_range() of a multi-protection VMA
 * @dst_vma: the child's VMA, which shares the map already
 * @src_vma: the parent's VMA
 *
 * Only runs with the ANON bit are copied, so that a library's text is not
 * copied because its data is private.
 *
 * Context: mmap_lock of both held for writing, @src_vma write-locked.
 * Return: 0 or a negative error.
 */
int manyprots_copy_page_range(struct vm_area_struct *dst_vma,
			      struct vm_area_struct *src_vma)
{
	struct vm_area_struct src __uninitialized;
	unsigned long index = src_vma->vm_pgoff, last = vma_last_index(src_vma);
	struct vma_run run;
	int error;

	if (!src_vma->anon_vma)
		return 0;
	while (vma_runs_find_anon(src_vma->vm_runs, index, last, &run)) {
		/* The copy looks at protections by address: take all at once. */
		vma_run_cut(&run, index, last);
		vma_fill_view(src_vma, &run, &src, false);
		error = copy_page_range(dst_vma, &src);
		if (error || run.last == last)
			return error;
		index = run.last + 1;
	}
	return 0;
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
/**
 * manyprots_suitable_order - thp_vma_suitable_order() of runs
 * @vma: a multi-protection VMA, or a view VMA
 * @addr: an address
 * @order: order of a huge page
 *
 * Context: as vma_view_at().
 * Return: does the huge page that would hold @addr lie within one run?
 */
bool manyprots_suitable_order(struct vm_area_struct *vma, unsigned long addr,
			      int order)
{
	unsigned long size = PAGE_SIZE << order;
	struct vm_area_struct *run, view[1] __uninitialized;

	if (addr < vma->vm_start || addr >= vma->vm_end)
		return false;
	run = vma_view_at(vma, addr, view);
	if (!vma_is_anonymous(run) &&
	    !IS_ALIGNED((run->vm_start >> PAGE_SHIFT) - vma_file_base(run),
			1UL << order))
		return false;

	addr = ALIGN_DOWN(addr, size);
	return addr >= run->vm_start && run->vm_end - addr >= size;
}
#endif

/**
 * manyprots_eligible - may a VMA become a multi-protection VMA, or is it one?
 * @vma: the VMA
 *
 * Context: mmap_lock held.
 * Return: true if so.
 */
bool manyprots_eligible(struct vm_area_struct *vma)
{
	pgprot_t prot;

	if (vma_is_manyprots(vma))
		return true;
	if (vma->vm_flags & VM_NOT_MANYPROTS)
		return false;
	if ((vma->vm_end - vma->vm_start) >> PAGE_SHIFT > U32_MAX)
		return false;
	if (!vma->vm_file)
		return vma_is_anonymous(vma);
	/* Caching attributes that a driver gave it, which a view has not. */
	prot = vm_get_page_prot(vma->vm_flags);
	if (pgprot_val(pgprot_modify(vma->vm_page_prot, prot)) != pgprot_val(prot))
		return false;
	if ((vma->vm_flags & VM_MAYSHARE) &&
	    !(vma->vm_file->f_op->fop_flags & FOP_MANYPROTS))
		return false;
	/* Coda tells its server what is mapped, and has ->open for that. */
	return vma->vm_ops && !vma_is_dax(vma) && !vma->vm_ops->open &&
		vma->vm_ops->map_pages == filemap_map_pages;
}

/**
 * vma_runs_begin - a map to begin a change with
 * @vma: the VMA
 *
 * Context: mmap_lock held for writing; may sleep.
 * Return: the map of @vma, or for an ordinary VMA a new one that describes it,
 * with a reference for the caller; NULL without memory.
 */
struct vma_runs *vma_runs_begin(struct vm_area_struct *vma)
{
	u32 attr = vma_run_attr(vma->vm_flags);

	if (vma_is_manyprots(vma))
		return vma_runs_get(vma->vm_runs);
	if (vma_is_anonymous(vma))
		attr |= VMA_RUN_ZEROFILL;
	if (vma->anon_vma)
		attr |= VMA_RUN_ANON;
	return vma_runs_create(vma->vm_pgoff, vma->vm_pgoff, attr);
}

/**
 * vma_runs_apply - put a run into a map that is being made
 * @vma: the VMA whose map it is going to be
 * @runs: the map, of vma_runs_begin(); replaced by another one
 * @run: the run, within the VMA
 *
 * Below a fork stock merges nothing with what has private pages of before.  Which
 * runs that are is not remembered: those of later are taken for such, too.
 *
 * Context: mmap_lock held for writing; may sleep.
 * Return: 0, or -ENOMEM with @runs as it was.
 */
int vma_runs_apply(struct vm_area_struct *vma, struct vma_runs **runs,
		   const struct vma_run *run)
{
	bool forked = vma->anon_vma && !list_is_singular(&vma->anon_vma_chain);
	struct vma_runs *next;

	next = vma_runs_replace(*runs, vma->vm_pgoff, vma_last_index(vma), run,
				forked ? VMA_RUNS_JOIN : VMA_RUNS_JOIN_ANON);
	if (!next)
		return -ENOMEM;
	vma_runs_put(*runs);
	*runs = next;
	return 0;
}

/**
 * manyprots_more_runs - how many runs more there will be
 * @vma: a VMA
 * @runs: the map that it is going to have
 *
 * Context: mmap_lock held for writing.
 * Return: the number, which may be negative.
 */
long manyprots_more_runs(struct vm_area_struct *vma, const struct vma_runs *runs)
{
	return vma_runs_count(runs, vma->vm_pgoff, vma_last_index(vma)) -
		vma_nr_runs(vma);
}

/**
 * manyprots_over_limit - are there more runs than vm.max_run_count allows?
 * @mm: the mm
 * @more: how many there will be more than now
 *
 * Return: true if so; what adds none is always allowed.
 */
bool manyprots_over_limit(struct mm_struct *mm, long more)
{
	return more > 0 && atomic_long_read(&mm->run_count) + more >
		READ_ONCE(sysctl_max_run_count);
}

/**
 * manyprots_may_copy - may there be another VMA with what is in a range?
 * @vma: the VMA; true if it is not a multi-protection VMA
 * @start: first address of what is going to be copied within its mm
 * @end: address after it
 *
 * What mremap(MREMAP_DONTUNMAP) asks before it divides a VMA.
 *
 * All else that adds a VMA to an mm, such as a split within a run, adds one run
 * with it at most, for which vm.max_map_count is bound enough: it does not ask
 * for vm.max_run_count, so that nothing fails that does not in stock.  Nor does
 * one run here, and a range of several VMAs stock refuses.
 *
 * Context: mmap_lock held for writing.
 * Return: true if RLIMIT_AS, RLIMIT_DATA and vm.max_run_count allow it.
 */
bool manyprots_may_copy(struct vm_area_struct *vma, unsigned long start,
			unsigned long end)
{
	struct mm_struct *mm = vma->vm_mm;
	struct vma_runs_sum sum;
	unsigned long count;

	if (!vma_is_manyprots(vma))
		return true;
	manyprots_sum(vma, start, end, &sum);
	rcu_read_lock();
	count = vma_runs_count(READ_ONCE(vma->vm_runs), vma_index(vma, start),
			       vma_index(vma, end) - 1);
	rcu_read_unlock();
	return may_expand_vm(mm, vma->vm_flags, (end - start) >> PAGE_SHIFT) &&
		(!sum.data || may_expand_vm(mm, VM_WRITE, sum.data)) &&
		(count < 2 || !manyprots_over_limit(mm, count));
}

/**
 * manyprots_charge - charge pages that stock asks for in parts
 * @mm: the mm
 * @pages: how many
 * @most: how many of them stock would ask for at once at most, as
 *	OVERCOMMIT_GUESS judges each part by itself
 *
 * Context: mmap_lock held.
 * Return: 0, or -ENOMEM with nothing charged.
 */
int manyprots_charge(struct mm_struct *mm, unsigned long pages,
		     unsigned long most)
{
	unsigned long charged, part;

	most = max(most, totalram_pages());
	for (charged = 0; charged < pages; charged += part) {
		part = min(pages - charged, most);
		if (security_vm_enough_memory_mm(mm, part)) {
			vm_unacct_memory(charged);
			return -ENOMEM;
		}
	}
	return 0;
}

/**
 * manyprots_charge_fork - charge what the runs of a VMA count for once more
 * @vma: the VMA, of the parent
 * @charge: where to put how many pages were charged
 *
 * Context: mmap_lock held.
 * Return: 0, or -ENOMEM with nothing charged.
 */
int manyprots_charge_fork(struct vm_area_struct *vma, unsigned long *charge)
{
	struct vm_area_struct *v, view[1] __uninitialized;
	unsigned long pages, most = 0;

	pages = manyprots_accounted(vma, vma->vm_start, vma->vm_end);
	if (pages > totalram_pages())
		for_each_run(v, vma, vma->vm_start, view) {
			if (v->vm_flags & VM_ACCOUNT)
				most = max(most, vma_pages(v));
			cond_resched();
		}
	if (manyprots_charge(vma->vm_mm, pages, most))
		return -ENOMEM;
	*charge = pages;
	return 0;
}

/* manyprots_forget_anon() of a multi-protection VMA. */
int __manyprots_forget_anon(struct vm_area_struct *vma)
{
	unsigned long index = vma->vm_pgoff, last = vma_last_index(vma);
	struct vma_runs *runs = vma_runs_get(vma->vm_runs), *old;
	struct vma_run run;

	for (; runs && index <= last; index = run.last + 1) {
		cond_resched();
		vma_runs_find(runs, index, &run);
		vma_run_cut(&run, vma->vm_pgoff, last);
		if (!(run.attr & VMA_RUN_ANON))
			continue;
		run.attr &= ~VMA_RUN_ANON;
		old = runs;
		runs = vma_runs_replace(old, vma->vm_pgoff, last, &run,
					VMA_RUNS_APART);
		vma_runs_put(old);
	}
	if (!runs)
		return -ENOMEM;

	vma_start_write(vma);
	vma_runs_publish(vma, runs, 0, false);
	return 0;
}

/*
 * Take the file from what is anonymous, for the caller to put.  In an ordinary
 * VMA that never changes, and folio_referenced() looks at it in each VMA that it
 * finds in the tree of an anon_vma.
 */
static struct file *manyprots_take_file(struct vm_area_struct *vma)
{
	struct anon_vma *anon_vma = vma->anon_vma;
	struct file *file = vma->vm_file;

	if (anon_vma)
		anon_vma_lock_write(anon_vma);
	vma->vm_file = NULL;
	vma->vm_ops = NULL;
	if (anon_vma)
		anon_vma_unlock_write(anon_vma);
	return file;
}

/*
 * Make a multi-protection VMA of one run the ordinary VMA that it is
 * equivalent to.  That cannot be where anonymous pages are found by the
 * linear index while the file has another one.
 */
static void manyprots_demote(struct vm_area_struct *vma)
{
	struct address_space *mapping;
	struct vma_runs *runs = vma->vm_runs;
	struct file *file = NULL;
	struct vma_run run;
	bool anon;

	vma_run_at(vma, vma->vm_start, &run);
	anon = vma->anon_vma && (run.attr & VMA_RUN_ANON);
	if (run.last != vma_last_index(vma))
		return;
	if (anon && !(run.attr & VMA_RUN_ZEROFILL) && run.pgoff != run.first)
		return;

	vma_start_write(vma);
	if (!anon)
		unlink_anon_vmas(vma);
	manyprots_count(vma->vm_mm, vma, -1);
	if (run.attr & VMA_RUN_ZEROFILL)
		vma_close(vma);

	mapping = vma_leave_i_mmap(vma);
	if (run.attr & VMA_RUN_ZEROFILL) {
		file = manyprots_take_file(vma);
		if (!anon)
			vma->vm_pgoff = vma->vm_start >> PAGE_SHIFT;
	} else {
		vma->vm_pgoff = run.pgoff;
	}
	vm_flags_reset(vma, vma_flags_of_run(vma, &run));
	vma_set_page_prot(vma);
	/* Pairs with smp_rmb() in vma_page_prot_at(). */
	smp_wmb();
	WRITE_ONCE(vma->vm_runs, NULL);
	vma_enter_i_mmap(vma, mapping);

	vma_runs_put(runs);
	if (file)
		fput(file);
}

/*
 * When a multi-protection VMA whose runs have become one is made an ordinary
 * VMA again.
 *
 * Not at once: the mprotect() that made its runs one is, in garbage collectors
 * and write barriers, half of a pair, and the next call would only begin a run
 * map again.  As it is, it costs a small map and a look at that on each fault,
 * and it behaves as the ordinary VMA.  But an ordinary one can merge, which
 * bounds the number of VMAs by what stock has.
 *
 * So it is demoted when somebody comes who can do something with the ordinary
 * VMA: when it is next to what it may merge with, when mprotect() or advice
 * changes all of it, as then stock looks for neighbours too, when something is
 * set for a part of it (manyprots_part()), and where a part must stand alone, to
 * be moved for instance (manyprots_isolate()).  None of these is what alternates.
 */

/**
 * manyprots_demote_to_merge - make a VMA ordinary if it may merge then
 * @vma: a multi-protection VMA
 * @flags: vm_flags of what is next to it
 * @file: the file of that, or NULL
 *
 * What it may merge with is next to it, or is going to be.  Not a question only:
 * the VMA changes.
 *
 * Context: mmap_lock held for writing; takes i_mmap_rwsem and the lock of the
 * anon_vma, may sleep.
 * Return: true if @vma is an ordinary VMA now, which others judge.
 */
bool manyprots_demote_to_merge(struct vm_area_struct *vma, vm_flags_t flags,
			       struct file *file)
{
	struct vma_run run;

	VM_WARN_ON_ONCE(vma_is_view(vma));
	vma_run_at(vma, vma->vm_start, &run);
	if (run.last != vma_last_index(vma))
		return false;
	if ((vma_flags_of_run(vma, &run) ^ flags) &
	    ~(VM_SOFTDIRTY | VM_MANYPROTS_AUTO))
		return false;
	if (file != (run.attr & VMA_RUN_ZEROFILL ? NULL : vma->vm_file))
		return false;
	manyprots_demote(vma);
	return !vma_is_manyprots(vma);
}

/* manyprots_settle() of a multi-protection VMA. */
void __manyprots_settle(struct vm_area_struct *vma, unsigned long start,
			unsigned long end)
{
	if (start <= vma->vm_start && end >= vma->vm_end)
		manyprots_demote(vma);
}

/* Runs that are looked at each time that a VMA is split, which may be often. */
#define MANYPROTS_LOOKS	1024

/**
 * manyprots_let_go - let the file go when no run maps it any more
 * @vma: the VMA
 * @by_index: the map has no runs but the VMA's, and its index tells at once; else
 *	they are looked at from the first one on, if they are few: many keep the
 *	file
 *
 * An anonymous VMA must not keep a file system busy.
 *
 * Context: mmap_lock held for writing, @vma write-locked; takes i_mmap_rwsem and
 * the lock of the anon_vma.
 */
void manyprots_let_go(struct vm_area_struct *vma, bool by_index)
{
	struct vma_runs_search search = {
		.first = vma->vm_pgoff,
		.last = vma_last_index(vma),
		.first_pgoff = 0,
		/* All of a file is looked for without the index. */
		.last_pgoff = by_index ? ULONG_MAX - 1 : ULONG_MAX,
	};
	struct address_space *mapping;
	struct vma_run run;
	struct file *file;

	if (!vma->vm_file ||
	    (!by_index && vma_nr_runs(vma) > MANYPROTS_LOOKS) ||
	    vma_runs_find_file(vma->vm_runs, &search, NULL, &run))
		return;
	vma_close(vma);
	mapping = vma_leave_i_mmap(vma);
	file = manyprots_take_file(vma);
	vma_enter_i_mmap(vma, mapping);
	fput(file);
}

/*
 * A map of the runs of @vma, made one by one: where they are few, that takes
 * less than to find out which of the others have to go.
 */
static struct vma_runs *manyprots_pick_runs(struct vm_area_struct *vma)
{
	unsigned long last = vma_last_index(vma);
	struct vma_runs *runs, *old;
	struct vma_run run;

	vma_run_at(vma, vma->vm_start, &run);
	runs = vma_runs_replace(vma->vm_runs, run.first, run.last, &run,
				VMA_RUNS_APART);
	while (runs && run.last < last) {
		vma_run_at(vma, vma_index_addr(vma, run.last + 1), &run);
		old = runs;
		runs = vma_runs_replace(old, vma->vm_pgoff, run.last, &run,
					VMA_RUNS_APART);
		vma_runs_put(old);
	}
	return runs;
}

/*
 * Both halves of a split share the map.  A small one would keep the runs of a
 * large one, which nobody counts, for as long as it lives: it gets a map of its
 * own when more than half of the map, and more than 16 runs, half a node, are not
 * its own.  To pick a run copies a path, so that up to one in 128 are picked.
 */
static void manyprots_trim(struct vm_area_struct *vma)
{
	unsigned long nr = vma_nr_runs(vma), size;
	struct address_space *mapping;
	struct vma_runs *runs;
	struct vma_run run;

	if (!vma_is_manyprots(vma))
		return;
	size = vma_runs_size(vma->vm_runs);
	if (size <= 2 * nr + 16)
		return;
	if (nr <= size / 128) {
		runs = manyprots_pick_runs(vma);
	} else {
		vma_run_at(vma, vma->vm_start, &run);
		runs = vma_runs_replace(vma->vm_runs, vma->vm_pgoff,
					vma_last_index(vma), &run,
					VMA_RUNS_APART);
	}
	if (!runs)
		return;
	/* Its last run has no end, which may be in the key in i_mmap. */
	mapping = vma_leave_i_mmap(vma);
	vma_runs_publish(vma, runs, 0, mapping);
	vma_enter_i_mmap(vma, mapping);
}

/* manyprots_after_split() of multi-protection VMAs. */
void __manyprots_after_split(struct vm_area_struct *vma,
			     struct vm_area_struct *new)
{
	manyprots_count(vma->vm_mm, vma, 1);
	manyprots_count(new->vm_mm, new, 1);
	manyprots_let_go(vma, false);
	manyprots_let_go(new, false);
	manyprots_trim(vma);
	manyprots_trim(new);
}

/* manyprots_isolate() of a multi-protection VMA. */
struct vm_area_struct *__manyprots_isolate(struct vm_area_struct *vma,
					   unsigned long start,
					   unsigned long end)
{
	VMA_ITERATOR(vmi, vma->vm_mm, start);
	struct vma_runs *runs;
	struct vma_run run;
	int error = 0;

	if (WARN_ON_ONCE(start < vma->vm_start || start >= end || end > vma->vm_end))
		return ERR_PTR(-EINVAL);
	if (vma->vm_start < start)
		error = split_vma(&vmi, vma, start, 1);
	if (!error && vma->vm_end > end)
		error = split_vma(&vmi, vma, end, 0);
	if (error)
		return ERR_PTR(error);

	manyprots_demote(vma);
	if (!vma_is_manyprots(vma))
		return vma;

	vma_run_at(vma, vma->vm_start, &run);
	runs = vma_runs_replace(vma->vm_runs, vma->vm_pgoff,
				vma_last_index(vma), &run, VMA_RUNS_APART);
	if (!runs)
		return ERR_PTR(-ENOMEM);
	vma_start_write(vma);
	vma_runs_publish(vma, runs, 0, false);
	return vma;
}

/**
 * manyprots_part - a part of a VMA is going to differ from the rest
 * @vmi: VMA iterator at the VMA; at that of the part afterwards
 * @vmap: the VMA; that of the part afterwards
 * @prev: the VMA before @start, which is the VMA itself if @start is inside;
 *	updated
 * @start: first address of the part
 * @end: address after it; the VMA holds all of the part
 * @flags: the vm_flags that the part is going to have; updated
 *
 * For what calls vma_modify() next.  A part of one run becomes an ordinary VMA,
 * which can merge with what is next to it and has the same already.  Else who
 * does this page by page would need a VMA for each page, and stock one.  Of an
 * ordinary VMA, or several runs, nothing is changed.
 *
 * Context: mmap_lock held for writing.
 * Return: 0 or a negative error.
 */
int manyprots_part(struct vma_iterator *vmi, struct vm_area_struct **vmap,
		   struct vm_area_struct **prev, unsigned long start,
		   unsigned long end, vm_flags_t *flags)
{
	struct vm_area_struct *vma = *vmap;
	vm_flags_t change = *flags ^ vma->vm_flags;

	if (!vma_is_manyprots(vma) || vma_run_end(vma, start) < end)
		return 0;
	/* One run is one VMA in stock, too, and may merge before it is split. */
	manyprots_demote(vma);
	if (!vma_is_manyprots(vma)) {
		*flags = vma->vm_flags ^ change;
		return 0;
	}
	vma = manyprots_isolate(vma, start, end);
	if (IS_ERR(vma))
		return PTR_ERR(vma);
	*vmap = vma;
	*flags = vma->vm_flags ^ change;
	find_vma_prev(vma->vm_mm, start, prev);
	vma_iter_init(vmi, vma->vm_mm, start);
	vma_iter_load(vmi);
	return 0;
}

/**
 * manyprots_split_runs - make a range ordinary VMAs, one for each run
 * @mm: the mm
 * @start: first address of the range
 * @end: address after it
 *
 * For what is not taught about runs.  A run that cannot be an ordinary VMA
 * stays a multi-protection VMA of one run, see manyprots_isolate().
 *
 * Context: mmap_lock held for writing.  VMA iterators become stale.
 * Return: 0 or a negative error, with a part of the range split.
 */
int manyprots_split_runs(struct mm_struct *mm, unsigned long start,
			 unsigned long end)
{
	struct vm_area_struct *vma;

	while (start < end && (vma = find_vma_intersection(mm, start, end))) {
		start = max(start, vma->vm_start);
		cond_resched();
		if (vma_is_manyprots(vma))
			vma = manyprots_isolate(vma, start,
						min(vma_run_end(vma, start), end));
		if (IS_ERR(vma))
			return PTR_ERR(vma);
		start = vma->vm_end;
	}
	return 0;
}

/**
 * manyprots_split_alike - manyprots_split_runs() of one file's runs
 * @mm: the mm
 * @start: first address of the range
 * @end: address after it
 * @file: the file that all of the range must map
 * @flags: the vm_flags that all of it must have
 *
 * For what stock refuses on other ranges: those are left whole.
 *
 * Context: as manyprots_split_runs().
 * Return: -EINVAL with nothing changed, else as manyprots_split_runs().
 */
int manyprots_split_alike(struct mm_struct *mm, unsigned long start,
			  unsigned long end, struct file *file,
			  vm_flags_t flags)
{
	struct vm_area_struct *vma, view[1] __uninitialized;
	unsigned long addr;

	for (addr = start; addr < end; addr = vma->vm_end) {
		vma = vma_lookup(mm, addr);
		if (!vma)
			return -EINVAL;
		vma = vma_report_at(vma, addr, view);
		if (vma->vm_file != file || vma->vm_flags != flags)
			return -EINVAL;
	}
	return manyprots_split_runs(mm, start, end);
}

/* May two VMAs, view VMAs or not, be one, side by side?  As stock's merges ask. */
static bool manyprots_alike(struct vm_area_struct *a, struct vm_area_struct *b)
{
	return !((a->vm_flags ^ b->vm_flags) & ~(VM_SOFTDIRTY | VM_MANYPROTS_AUTO)) &&
		a->vm_file == b->vm_file &&
		(!a->vm_file || b->vm_pgoff - a->vm_pgoff ==
				(b->vm_start - a->vm_start) >> PAGE_SHIFT) &&
		mpol_equal(vma_policy(a), vma_policy(b)) &&
		is_mergeable_vm_userfaultfd_ctx(a, b->vm_userfaultfd_ctx) &&
		anon_vma_name_eq(anon_vma_name(a), anon_vma_name(b));
}

/* Is all of a range so?  Of a process without runs stock knows best. */
static bool manyprots_is_alike(struct mm_struct *mm, unsigned long start,
			       unsigned long end)
{
	struct vm_area_struct *vma, view[1] __uninitialized, first[1] __uninitialized;
	unsigned long addr;

	if (!atomic_long_read(&mm->run_count))
		return false;
	for (addr = start; addr < end; addr = vma->vm_end) {
		vma = vma_lookup(mm, addr);
		if (!vma)
			return false;
		vma = vma_report_at(vma, addr, view);
		if (addr == start)
			memcpy(first, vma, sizeof(first));
		if (!manyprots_alike(first, vma))
			return false;
		cond_resched();
	}
	return start < end;
}

/**
 * manyprots_join - make one VMA of a range where the equivalent layout has one
 * @vmap: the VMA at @start; may hold all of the range afterwards
 * @start: first address of the range
 * @end: address after it; may be less, if that overflows
 *
 * A VMA of several runs does not merge, and one of one run is looked at as a
 * neighbour only, so that a bound between VMAs can be left within a range that is
 * alike, which stock's merges remove.  The runs at it become ordinary VMAs, and
 * these merge.
 *
 * Context: mmap_lock held for writing.  VMA iterators become stale.
 * Return: 0, or the error of a split or merge, with @vmap stale.
 */
int manyprots_join(struct vm_area_struct **vmap, unsigned long start,
		   unsigned long end)
{
	struct vm_area_struct *merged, *part, view[1] __uninitialized;
	struct vm_area_struct *prev = NULL;
	struct mm_struct *mm = (*vmap)->vm_mm;
	unsigned long addr;

	if (!manyprots_is_alike(mm, start, end))
		return 0;

	for (addr = start; addr < end; addr = prev->vm_end) {
		part = vma_lookup(mm, addr);
		if (vma_is_manyprots(part)) {
			vma_view_at(part, addr, view);
			part = manyprots_isolate(part, view->vm_start, view->vm_end);
			if (IS_ERR(part))
				return PTR_ERR(part);
		}
		if (prev) {
			VMA_ITERATOR(vmi, mm, part->vm_start);
			vm_flags_t dirty = part->vm_flags & VM_SOFTDIRTY;

			vma_iter_load(&vmi);
			merged = vma_merge_flags(&vmi, prev, part, part->vm_start,
						 part->vm_end, part->vm_flags);
			if (IS_ERR(merged))
				return PTR_ERR(merged);
			if (!merged)
				break;
			part = merged;
			vm_flags_set(part, dirty);
		}
		prev = part;
		cond_resched();
	}
	*vmap = vma_lookup(mm, start);
	return 0;
}

/*
 * As stock, whose splits and merges put back the breakpoints of all that they
 * touch, where the page had been dropped.  @old is the run that @run was cut out of.
 */
static noinline_for_stack
void manyprots_put_back_probes(struct vm_area_struct *vma, struct vma_run *old,
			       const struct vma_run *run)
{
	struct vm_area_struct *part, view[1] __uninitialized;
	unsigned long addr, end;
	struct vma_run joined;

	vma_run_cut(old, vma->vm_pgoff, vma_last_index(vma));
	vma_runs_find(vma->vm_runs, run->first, &joined);
	vma_run_cut(&joined, vma->vm_pgoff, vma_last_index(vma));
	if (run->last - run->first == old->last - old->first &&
	    run->last - run->first == joined.last - joined.first)
		return;

	addr = vma_index_addr(vma, min(old->first, joined.first));
	end = vma_index_addr(vma, max(old->last, joined.last)) + PAGE_SIZE;
	for (; addr < end; addr = part->vm_end) {
		part = vma_report_at(vma, addr, view);
		uprobe_mmap(part);
	}
}

/**
 * manyprots_mprotect - change the access flags of a range in place
 * @vmi: the caller's iterator, at @vma
 * @prev: as for vma_modify_flags()
 * @vma: an ordinary VMA, or a view VMA of the run that holds the range
 * @start: first address of the range
 * @end: address after it
 * @newflags: vm_flags of the equivalent VMA afterwards
 * @view: memory for a view VMA; may be @vma
 *
 * The page tables are left to the caller.
 *
 * Context: mmap_lock held for writing.
 * Return: a view VMA of the range as it is afterwards; the ordinary VMA that
 * it is merged with; NULL if this ordinary VMA must be changed as stock does;
 * or an ERR_PTR with no protection changed; over vm.max_run_count the VMA may have
 * been split.
 */
struct vm_area_struct *manyprots_mprotect(struct vma_iterator *vmi,
					  struct vm_area_struct *prev,
					  struct vm_area_struct *vma,
					  unsigned long start,
					  unsigned long end,
					  vm_flags_t newflags,
					  struct vm_area_struct *view)
{
	struct vm_area_struct *merged, *real = vma_real(vma);
	bool must = vma_is_view(vma);
	struct vma_runs *runs;
	struct vma_run run, old;
	int error = -ENOMEM;
	long more;

	if (!must) {
		if ((vma->vm_flags & VM_MAYSHARE) || !manyprots_eligible(vma))
			return NULL;
		/* Pages that go over to a neighbour split nothing. */
		merged = vma_merge_flags(vmi, prev, vma, start, end, newflags);
		if (merged)
			return merged;
	}

	runs = vma_runs_begin(real);
	if (!runs)
		goto fail;
	vma_runs_find(runs, vma_index(real, start), &run);
	old = run;
	vma_run_cut(&run, vma_index(real, start), vma_index(real, end) - 1);
	run.attr = (run.attr & ~(VMA_RUN_FLAGS | VMA_RUN_PKEY)) |
		vma_run_attr(newflags);
	if (vma_runs_apply(real, &runs, &run))
		goto fail;

	more = manyprots_more_runs(real, runs);
	if (manyprots_over_limit(real->vm_mm, more)) {
		if (!must)
			goto fail;
		/* Split as stock does: the bound is vm.max_map_count then. */
		error = 0;
		if (real->vm_start < start)
			error = split_vma(vmi, real, start, 1);
		if (!error && real->vm_end > end)
			error = split_vma(vmi, real, end, 0);
		if (error)
			goto fail;
		/* What the VMA had in the map that is divided is not in its key. */
		vma_runs_put(runs);
		runs = vma_runs_begin(real);
		/* A breakpoint may have been put back by the split. */
		vma_runs_find(runs, run.first, &old);
		run.attr |= old.attr & VMA_RUN_ANON;
		error = vma_runs_apply(real, &runs, &run);
		if (error)
			goto fail;
		more = manyprots_more_runs(real, runs);
	}

	vma_start_write(real);
	/* A huge page lies within one run: these may become bounds of runs. */
	vma_adjust_trans_huge(real, start, end, 0);
	vma_runs_publish(real, runs, more, false);
	if (real->vm_file && test_bit(MMF_HAS_UPROBES, &real->vm_mm->flags))
		manyprots_put_back_probes(real, &old, &run);

	/* As where stock merges: a run may be large enough for huge pages now. */
	if (!test_bit(MMF_VM_HUGEPAGE, &real->vm_mm->flags)) {
		vma_view_at(real, start, view);
		khugepaged_enter_vma(view, view->vm_flags);
	}
	vma_fill_view(real, &run, view, false);
	return view;

fail:
	vma_runs_put(runs);
	return must ? ERR_PTR(error) : NULL;
}

#ifdef CONFIG_SYSCTL
static struct ctl_table manyprots_table[] = {
	{
		.procname	= "manyprots",
		.data		= &sysctl_manyprots,
		.maxlen		= sizeof(sysctl_manyprots),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= SYSCTL_NEG_ONE,
		.extra2		= SYSCTL_TWO,
	},
	{
		.procname	= "max_run_count",
		.data		= &sysctl_max_run_count,
		.maxlen		= sizeof(sysctl_max_run_count),
		.mode		= 0644,
		.proc_handler	= proc_douintvec,
	},
};
#endif

static int __init manyprots_init(void)
{
	vma_runs_init();
#ifdef CONFIG_SYSCTL
	register_sysctl_init("vm", manyprots_table);
#endif
	return 0;
}
core_initcall(manyprots_init);
