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
 * lock.  A published map is immutable, but for the ANON bits: they are set
 * with mmap_lock or the VMA lock held for reading, where stock would give the
 * equivalent VMA its anon_vma, and page_table_lock serialises that.
 */
#include <linux/binfmts.h>
#include <linux/cacheflush.h>
#include <linux/fs.h>
#include <linux/khugepaged.h>
#include <linux/memfd.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/perf_event.h>
#include <linux/personality.h>
#include <linux/pkeys.h>
#include <linux/prctl.h>
#include <linux/rmap.h>
#include <linux/security.h>
#include <linux/sysctl.h>
#include <linux/uaccess.h>
#include <linux/uprobes.h>
#include <linux/vma_runs.h>

#include <asm/tlb.h>

#include "internal.h"

int sysctl_manyprots __read_mostly = MANYPROTS_EXPLICIT;
static unsigned int sysctl_max_run_count __read_mostly = 1048576;

/* What keeps a VMA an ordinary one. */
#define VM_NOT_MANYPROTS	(VM_SPECIAL | VM_HUGETLB | VM_GROWSDOWN | \
				 VM_GROWSUP | VM_SHADOW_STACK | VM_DROPPABLE | \
				 VM_UFFD_MISSING | VM_UFFD_WP | VM_UFFD_MINOR)

static bool manyprots_enabled(struct mm_struct *mm)
{
	return manyprots_mode(mm) != MANYPROTS_OFF;
}

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
 * Context: the mm of the new program is current->mm.
 * Return: AT_FLAGS_MANYPROTS if remap_file_pages() takes MAP_CHGPROT.
 */
unsigned long manyprots_at_flags(void)
{
	return manyprots_enabled(current->mm) ? AT_FLAGS_MANYPROTS : 0;
}

static unsigned long vma_index(struct vm_area_struct *vma, unsigned long addr)
{
	return vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
}

static unsigned long vma_last_index(struct vm_area_struct *vma)
{
	return vma->vm_pgoff + vma_pages(vma) - 1;
}

static unsigned long vma_index_addr(struct vm_area_struct *vma,
				    unsigned long index)
{
	return vma->vm_start + ((index - vma->vm_pgoff) << PAGE_SHIFT);
}

/* Cut @run to what lies in the pages from @first to @last. */
static void vma_run_cut(struct vma_run *run, unsigned long first,
			unsigned long last)
{
	if (run->first < first) {
		if (!(run->attr & VMA_RUN_ZEROFILL))
			run->pgoff += first - run->first;
		run->first = first;
	}
	run->last = min(run->last, last);
}

/*
 * The run at @addr, cut to the VMA.  False if @vma is no multi-protection VMA
 * any more, which happens only to those who hold no lock: then it is as its
 * own fields say.
 */
static bool vma_run_at(struct vm_area_struct *vma, unsigned long addr,
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

static u32 vma_run_attr(vm_flags_t flags)
{
	u32 attr = flags & VMA_RUN_FLAGS;

#ifdef CONFIG_ARCH_HAS_PKEYS
	attr |= (flags & ARCH_VM_PKEY_FLAGS) >> VM_PKEY_SHIFT << VMA_RUN_PKEY_SHIFT;
#endif
	return attr;
}

static vm_flags_t vma_run_flags(u32 attr)
{
	vm_flags_t flags = attr & VMA_RUN_FLAGS;

#ifdef CONFIG_ARCH_HAS_PKEYS
	flags |= (vm_flags_t)((attr & VMA_RUN_PKEY) >> VMA_RUN_PKEY_SHIFT) << VM_PKEY_SHIFT;
#endif
	return flags;
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
 * zap_pmd_range() and page_vma_mapped_walk() wait, too.
 */
static unsigned long manyprots_next_table(struct mm_struct *mm,
					  unsigned long addr, unsigned long end,
					  bool sync)
{
	unsigned long next;
	pgd_t *pgd;
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	/* Of a level that is folded the level above says where the entry ends. */
	for (; addr < end; addr = next) {
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

	while ((addr = manyprots_next_table(vma->vm_mm, addr, end, false)) < end) {
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
		next = manyprots_next_table(vma->vm_mm, v->vm_start, end, sync);
		if (next < v->vm_end) {
			if (!walk->by_address ||
			    (v->vm_pgoff <= last && v->vm_pgoff + vma_pages(v) > first))
				return v;
			continue;
		}
		/* Nothing at all, as in most children. */
		if (!walk->misses++ &&
		    manyprots_next_table(vma->vm_mm, vma->vm_start, vma->vm_end,
					 sync) == vma->vm_end)
			return NULL;
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

/*
 * Make @runs, which has @more runs than there were, the map of @vma.  The
 * reference to @runs becomes the VMA's, the one to the old map is dropped.
 * @left: the VMA has left i_mmap.
 *
 * A walk of i_mmap goes on behind the run that it has seen last, in the order
 * of the map that it finds then.  Pages that go over to a run before that one
 * would be missed, so a walk does not see a change: stock takes the lock to
 * split and merge, too.
 */
static void vma_runs_publish(struct vm_area_struct *vma, struct vma_runs *runs,
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

/* Take @vma out of i_mmap: its file page offsets are about to change. */
static struct address_space *vma_leave_i_mmap(struct vm_area_struct *vma)
{
	struct address_space *mapping;

	if (!vma->vm_file)
		return NULL;
	mapping = vma->vm_file->f_mapping;
	i_mmap_lock_write(mapping);
	flush_dcache_mmap_lock(mapping);
	vma_interval_tree_remove(vma, &mapping->i_mmap);
	return mapping;
}

/* The end of vma_leave_i_mmap(): reverse mapping finds the VMA again. */
static void vma_enter_i_mmap(struct vm_area_struct *vma,
			     struct address_space *mapping)
{
	if (!mapping)
		return;
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

/* May @vma become a multi-protection VMA, or is it one? */
static bool manyprots_eligible(struct vm_area_struct *vma)
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

/*
 * The map of @vma, or for an ordinary VMA a new one that describes it.  The
 * caller gets a reference; NULL without memory.
 */
static struct vma_runs *vma_runs_begin(struct vm_area_struct *vma)
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

/*
 * Put @run, cut to @vma, into the map under construction.  Below a fork stock
 * merges nothing with what has private pages of before.  Which runs that are is
 * not remembered: those of later are taken for such, too.
 */
static int vma_runs_apply(struct vm_area_struct *vma, struct vma_runs **runs,
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

/* How many runs more there will be when @runs is the map of @vma. */
static long manyprots_more_runs(struct vm_area_struct *vma,
				const struct vma_runs *runs)
{
	return vma_runs_count(runs, vma->vm_pgoff, vma_last_index(vma)) -
		vma_nr_runs(vma);
}

/* Are so many runs more than vm.max_run_count allows? */
static bool manyprots_over_limit(struct mm_struct *mm, long more)
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

/*
 * Charge @pages.  Stock would ask for them in parts, the greatest of which has
 * @most, and OVERCOMMIT_GUESS judges each by itself.
 */
static int manyprots_charge(struct mm_struct *mm, unsigned long pages,
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
 * VMA: when it is next to what it may merge with, when mprotect() changes all
 * of it, as then stock looks for neighbours too, and when it is moved or
 * resized (manyprots_isolate()).  None of these is what alternates.
 */

/**
 * manyprots_demote_to_merge - make a VMA ordinary if it may merge then
 * @vma: a multi-protection VMA
 * @flags: vm_flags of what is next to it
 * @file: the file of that, or NULL
 *
 * What it may merge with is next to it, or is going to be.
 *
 * Context: mmap_lock held for writing.
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

/*
 * Let the file go when no run maps it any more: an anonymous VMA must not
 * keep a file system busy.  @by_index: the map has no runs but the VMA's, and
 * its index tells at once; else they are looked at from the first one on.
 */
static void manyprots_let_go(struct vm_area_struct *vma, bool by_index)
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

	if (!vma->vm_file || vma_runs_find_file(vma->vm_runs, &search, NULL, &run))
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
 * own when more than half of the map is not its own.
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
 * or an ERR_PTR with nothing changed.
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
	struct vma_run run;
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
		error = vma_runs_apply(real, &runs, &run);
		if (error)
			goto fail;
		more = manyprots_more_runs(real, runs);
	}

	vma_start_write(real);
	/* A huge page lies within one run: these may become bounds of runs. */
	vma_adjust_trans_huge(real, start, end, 0);
	vma_runs_publish(real, runs, more, false);

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

/*
 * A remap_file_pages(MAP_CHGPROT) call, and what it will do once it can no
 * longer fail.
 */
struct manyprots_remap {
	unsigned long start;	/* first address */
	unsigned long end;	/* address after the last page */
	unsigned long prot;	/* PROT_* bits as asked for */
	pgoff_t pgoff;		/* file page offset of @start */
	bool anonymous;		/* MAP_ANONYMOUS was asked for */
	bool zerofill;		/* the pages are anonymous memory afterwards */

	struct vma_runs *runs;	/* the new map */
	bool moved;		/* some page gets another offset or kind */
	long more;		/* how many runs more there will be */
	unsigned long populate;	/* first address to populate if VM_LOCKED */
	unsigned long populated; /* address after the last one */
	long charge;		/* pages to add to the commit charge */
	long fresh;		/* those that mmap() would charge, at once */
	unsigned long most;	/* the most that stock would charge at once */
	long data;		/* pages to add to what RLIMIT_DATA counts */
};

/*
 * Does @run, which is cut to the range, keep its pages?  exec maps what stock
 * maps anew: what is there is a breakpoint, which is set again.
 */
static bool manyprots_keeps(const struct manyprots_remap *remap,
			    struct vm_area_struct *vma,
			    const struct vma_run *run)
{
	unsigned long offset = run->first - vma_index(vma, remap->start);

	if (vma->anon_vma && current->in_execve)
		return false;
	if (remap->zerofill)
		return run->attr & VMA_RUN_ZEROFILL;
	return !(run->attr & VMA_RUN_ZEROFILL) &&
		run->pgoff == remap->pgoff + offset;
}

/* The run of a VMA with or without a map at @addr, cut to the range. */
static void manyprots_run_in(const struct manyprots_remap *remap,
			     struct vm_area_struct *vma, unsigned long addr,
			     struct vma_run *run)
{
	if (!vma_run_at(vma, addr, run)) {
		run->first = vma->vm_pgoff;
		run->last = vma_last_index(vma);
		run->pgoff = vma->vm_pgoff;
		run->attr = vma_run_attr(vma->vm_flags);
		if (vma_is_anonymous(vma))
			run->attr |= VMA_RUN_ZEROFILL;
		if (vma->anon_vma)
			run->attr |= VMA_RUN_ANON;
	}
	vma_run_cut(run, vma_index(vma, remap->start),
		    vma_index(vma, remap->end) - 1);
}

/*
 * Is the change of a run judged by the rules of mprotect()?  Where no private
 * page is kept, those of mmap() are as safe and less strict.
 */
static bool manyprots_judges_mprotect(const struct manyprots_remap *remap,
				      struct vm_area_struct *vma,
				      const struct vma_run *run)
{
	return vma->anon_vma && (run->attr & VMA_RUN_ANON) &&
		manyprots_keeps(remap, vma, run);
}

/*
 * Does the mapping's file only back the one that was mapped (overlayfs)?  Security
 * modules must be asked about both: about that one as mmap() does, and the
 * mprotect hook knows of the backing one.
 */
static bool manyprots_backed(const struct manyprots_remap *remap,
			     struct vm_area_struct *vma)
{
	return !remap->zerofill && (vma->vm_file->f_mode & FMODE_BACKING);
}

static bool manyprots_noexec(const struct manyprots_remap *remap,
			     struct vm_area_struct *vma)
{
	return !remap->zerofill && path_noexec(file_user_path(vma->vm_file));
}

/*
 * What do_mmap() asks of a shared mapping.  Memory that is sealed against
 * writing gets no VM_MAYWRITE there, and a run has none of its own to lose.
 */
static int manyprots_share_rules(struct vm_area_struct *vma, bool keep,
				 vm_flags_t access)
{
	unsigned long flags = (vma->vm_flags & ~VM_ACCESS_FLAGS) | access;
	struct file *file = vma->vm_file;
	int error;

	if (!(flags & VM_MAYSHARE))
		return 0;
	if ((access & VM_WRITE) && IS_SWAPFILE(file->f_mapping->host))
		return -ETXTBSY;
	if (IS_APPEND(file_inode(file)) && (file->f_mode & FMODE_WRITE))
		return -EACCES;
	error = memfd_check_seals_mmap(file, &flags);
	if (!error && !keep && ((flags ^ vma->vm_flags) & VM_MAYWRITE))
		error = -EPERM;
	return error;
}

/* The protection key that mprotect() would give. */
static int manyprots_pkey(struct vm_area_struct *vma, unsigned long addr,
			  unsigned long prot)
{
	struct vm_area_struct *run, view[1] __uninitialized;

	if (!arch_pkeys_enabled())
		return 0;
	run = vma_view_at(vma, addr, view);
	return arch_override_mprotect_pkey(run, prot, -1);
}

static int manyprots_mmap_rules(const struct manyprots_remap *remap,
				struct vm_area_struct *vma, unsigned long addr,
				bool keep, vm_flags_t oldflags,
				vm_flags_t mayflags, vm_flags_t *access)
{
	struct vm_area_struct view[1] __uninitialized;
	const struct vm_operations_struct *ops;
	unsigned long prot = remap->prot;
	bool noexec = manyprots_noexec(remap, vma);
	int pkey = 0, error;
	struct file *file;

	if ((prot & PROT_READ) && (current->personality & READ_IMPLIES_EXEC) &&
	    (mayflags & VM_MAYEXEC) && !noexec)
		prot |= PROT_EXEC;
	if (keep) {
		/* Whether a page was touched makes no difference to its key. */
		pkey = manyprots_pkey(vma, addr, prot);
	} else if (prot == PROT_EXEC) {
		pkey = execute_only_pkey(current->mm);
		if (pkey < 0)
			pkey = 0;
	}
	*access = calc_vm_prot_bits(prot, pkey) & VM_RUN_FLAGS;
	/* mmap() of a file on a noexec mount, which it may have become. */
	if ((*access & VM_EXEC) && (!(mayflags & VM_MAYEXEC) || noexec))
		return -EPERM;
	/* That mmap() gives no VM_MAYEXEC, and a run has none of its own to lose. */
	if (noexec && !keep && (mayflags & VM_MAYEXEC))
		return -EPERM;
	/*
	 * No mmap() gives what a program wrote to MAP_SHARED | MAP_ANONYMOUS
	 * memory, whose file is the kernel's own.
	 */
	if (!vma->vm_file || !IS_PRIVATE(file_inode(vma->vm_file)))
		oldflags = *access;
	else if (!keep)
		oldflags = VM_NONE;
	if (map_deny_write_exec(oldflags, *access))
		return -EACCES;
	error = manyprots_share_rules(vma, keep, *access);
	if (error || !manyprots_backed(remap, vma))
		return error;
	/* As it is now, but that no private page will be there. */
	file = vma->vm_file;
	ops = vma->vm_ops;
	vma = vma_report_at(vma, addr, view);
	if (vma != view)
		memcpy(view, vma, sizeof(view));
	view->anon_vma = NULL;
	if (!keep) {
		/* What was bss is a mapping of the file, and no run may exec it. */
		view->vm_start = addr;
		view->vm_end = min(view->vm_end, remap->end);
		view->vm_file = file;
		view->vm_ops = ops;
		view->vm_pgoff = remap->pgoff + ((addr - remap->start) >> PAGE_SHIFT);
		vm_flags_init(view, view->vm_flags & ~VM_ACCESS_FLAGS);
	}
	return security_file_mprotect(view, remap->prot, prot);
}

static int manyprots_mprotect_rules(const struct manyprots_remap *remap,
				    struct vm_area_struct *vma,
				    unsigned long addr, vm_flags_t oldflags,
				    vm_flags_t *access)
{
	unsigned long prot = remap->prot;
	struct vm_area_struct view[1] __uninitialized;

	/* Private pages never become text here; mprotect() is for that. */
	if ((prot & PROT_EXEC) && !(oldflags & VM_EXEC))
		return -EACCES;
	if ((prot & PROT_READ) && (current->personality & READ_IMPLIES_EXEC))
		prot |= oldflags & VM_EXEC ? PROT_EXEC : 0;

	*access = calc_vm_prot_bits(prot, manyprots_pkey(vma, addr, prot)) &
		VM_RUN_FLAGS;
	if (map_deny_write_exec(oldflags, *access))
		return -EACCES;
	return security_file_mprotect(vma_report_at(vma, addr, view),
				      remap->prot, prot);
}

/*
 * Find out what becomes of one run, which is cut to the range, and put that
 * into the new map.
 */
static int manyprots_plan_run(struct manyprots_remap *remap,
			      struct vm_area_struct *vma,
			      const struct vma_run *run)
{
	bool keep = manyprots_keeps(remap, vma, run);
	bool anon = manyprots_judges_mprotect(remap, vma, run);
	unsigned long addr = vma_index_addr(vma, run->first);
	vm_flags_t old = vma_run_flags(run->attr);
	long pages = run->last - run->first + 1;
	struct vma_run next = {
		.first = run->first,
		.last = run->last,
		.attr = remap->zerofill ? VMA_RUN_ZEROFILL : 0,
	};
	struct mm_struct *mm = vma->vm_mm;
	vm_flags_t access, mayflags;
	int error;
	long data;

	mayflags = vma->vm_flags;
	if (remap->zerofill)
		mayflags |= VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;

	if (anon)
		error = manyprots_mprotect_rules(remap, vma, addr, old, &access);
	else
		error = manyprots_mmap_rules(remap, vma, addr, keep, old,
					     mayflags, &access);
	if (error)
		return error;
	if (access & VM_ACCESS_FLAGS & ~(mayflags >> 4))
		return -EACCES;
	if (!arch_validate_flags(access))
		return -EINVAL;

	/* What is kept is accounted as mprotect_fixup() does, else as mmap(). */
	if (access & VM_WRITE) {
		if (keep && (old & (VM_ACCOUNT | VM_WRITE)))
			access |= old & VM_ACCOUNT;
		else if (!(vma->vm_flags & (VM_NORESERVE | VM_SHARED)))
			access |= VM_ACCOUNT;
	} else if (keep && !(remap->zerofill && !anon)) {
		access |= old & VM_ACCOUNT;
	}
	remap->charge += (!!(access & VM_ACCOUNT) - !!(old & VM_ACCOUNT)) * pages;
	if (access & VM_ACCOUNT) {
		if (!keep)
			remap->fresh += pages;
		remap->most = max3(remap->most, (unsigned long)pages,
				   (unsigned long)remap->fresh);
	}
	/* mmap() does not count what it replaces; exec maps what was free. */
	if ((keep || current->in_execve) && !(vma->vm_flags & VM_SHARED)) {
		data = (!!(access & VM_WRITE) - !!(old & VM_WRITE)) * pages;
		remap->data += data;
		/* As mprotect_fixup(): only the limit on data counts. */
		if (data > 0 && !may_expand_vm(mm, VM_WRITE, remap->data) &&
		    (current->in_execve || may_expand_vm(mm, VM_NONE, data)))
			return -ENOMEM;
	}
	if (!keep) {
		if (!may_expand_vm(mm, access | (vma->vm_flags & VM_SHARED), 0))
			return -ENOMEM;
		remap->moved = true;
	}
	/* mmap() populates, mprotect() only what becomes private and writable. */
	if (!keep || (access & ~old & VM_WRITE && !(vma->vm_flags & VM_SHARED))) {
		if (!remap->populated)
			remap->populate = addr;
		remap->populated = addr + pages * PAGE_SIZE;
	}

	next.attr |= vma_run_attr(access) | (anon ? VMA_RUN_ANON : 0);
	if (!remap->zerofill)
		next.pgoff = remap->pgoff + (run->first - vma_index(vma, remap->start));
	return vma_runs_apply(vma, &remap->runs, &next);
}

/* Everything that can fail.  Nothing has changed when it does. */
static int manyprots_plan(struct manyprots_remap *remap,
			  struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long addr;
	struct vma_run run;
	int error;

	remap->runs = vma_runs_begin(vma);
	if (!remap->runs)
		return -ENOMEM;
	for (addr = remap->start; addr < remap->end;
	     addr = vma_index_addr(vma, run.last) + PAGE_SIZE) {
		manyprots_run_in(remap, vma, addr, &run);
		error = manyprots_plan_run(remap, vma, &run);
		if (error)
			goto fail;
		error = -EINTR;
		if (fatal_signal_pending(current))
			goto fail;
		cond_resched();
	}

	error = -ENOMEM;
	remap->more = manyprots_more_runs(vma, remap->runs);
	if (manyprots_over_limit(mm, remap->more))
		goto fail;
	if (remap->charge > 0 && manyprots_charge(mm, remap->charge, remap->most))
		goto fail;
	return 0;

fail:
	vma_runs_put(remap->runs);
	return error;
}

/*
 * Drop the pages that get another offset or kind, under the old map.  They go
 * as under mmap(MAP_FIXED), MMU notifiers are told so and markers go too.
 */
static void manyprots_zap(const struct manyprots_remap *remap,
			  struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;
	struct mmu_gather tlb;
	unsigned long addr, end;
	struct vma_run run;

	lru_add_drain();
	tlb_gather_mmu(&tlb, mm);
	update_hiwater_rss(mm);
	for (addr = remap->start; addr < remap->end; addr = end) {
		manyprots_run_in(remap, vma, addr, &run);
		end = vma_index_addr(vma, run.last) + PAGE_SIZE;
		if (!manyprots_keeps(remap, vma, &run)) {
			/* Behind the last address: no other VMA is found. */
			MA_STATE(mas, &mm->mm_mt, end, end);

			unmap_vmas(&tlb, &mas, vma, addr, end, end, true);
		}
	}
	tlb_finish_mmu(&tlb);
}

/* Bring the page tables of what was kept in line with the new map. */
static void manyprots_change_protection(const struct manyprots_remap *remap,
					struct vm_area_struct *vma)
{
	struct vm_area_struct view[1] __uninitialized;
	struct mmu_gather tlb;
	unsigned long addr, end;

	tlb_gather_mmu(&tlb, vma->vm_mm);
	for (addr = remap->start; addr < remap->end; addr = end) {
		unsigned int cp_flags = 0;

		vma_view_at(vma, addr, view);
		end = min(view->vm_end, remap->end);
		if (vma_wants_manual_pte_write_upgrade(view))
			cp_flags |= MM_CP_TRY_CHANGE_WRITABLE;
		change_protection(&tlb, view, addr, end, cp_flags);
	}
	tlb_finish_mmu(&tlb);
	manyprots_check_range(vma, remap->start, remap->end);
}

/* Tell of the runs in the range, as mmap() does. */
static void manyprots_tell(const struct manyprots_remap *remap,
			   struct vm_area_struct *vma)
{
	struct vm_area_struct view[1] __uninitialized;
	unsigned long addr;

	for (addr = remap->start; addr < remap->end; addr = view->vm_end) {
		vma_report_at(vma, addr, view);
		perf_event_mmap(view);
		uprobe_mmap(view);
	}
}

/* Carry a planned change out; cannot fail. */
static void manyprots_commit(struct manyprots_remap *remap,
			     struct vm_area_struct *vma)
{
	struct address_space *mapping = NULL;
	struct mm_struct *mm = vma->vm_mm;
	long pages = vma_pages(vma);

	vma_start_write(vma);
	if (remap->moved)
		manyprots_zap(remap, vma);
	vma_adjust_trans_huge(vma, remap->start, remap->end, 0);

	vm_stat_account(mm, vma->vm_flags, -pages);
	manyprots_stat_account(mm, vma, vma->vm_start, vma->vm_end, -1);
	if (remap->moved)
		mapping = vma_leave_i_mmap(vma);
	vma_runs_publish(vma, remap->runs, remap->more, mapping);
	vma_enter_i_mmap(vma, mapping);
	vm_stat_account(mm, vma->vm_flags, pages);
	manyprots_stat_account(mm, vma, vma->vm_start, vma->vm_end, 1);

	/* As mmap(): what is mapped anew counts as written. */
	if (remap->moved)
		vm_flags_set(vma, VM_SOFTDIRTY);

	manyprots_change_protection(remap, vma);
	manyprots_tell(remap, vma);
	if (remap->moved && remap->zerofill)
		manyprots_let_go(vma, true);
	if (remap->charge < 0)
		vm_unacct_memory(-remap->charge);
}

/* The VMA that holds the whole range, if the call is valid on it. */
static struct vm_area_struct *manyprots_find(struct manyprots_remap *remap,
					     struct mm_struct *mm)
{
	struct vm_area_struct *vma = vma_lookup(mm, remap->start);

	if (!vma || remap->end > vma->vm_end || !manyprots_eligible(vma))
		return ERR_PTR(-EINVAL);
	remap->zerofill = remap->anonymous || !vma->vm_file;
	if (!vma->vm_file) {
		/* Anonymous memory has no offsets and no other kind. */
		if (remap->anonymous || remap->pgoff)
			return ERR_PTR(-EINVAL);
	} else if (remap->anonymous) {
		if (vma->vm_flags & VM_MAYSHARE)
			return ERR_PTR(-EINVAL);
	} else {
		pgoff_t pages = (remap->end - remap->start) >> PAGE_SHIFT;

		if (remap->pgoff + pages < pages ||
		    remap->pgoff + pages > MAX_LFS_FILESIZE >> PAGE_SHIFT)
			return ERR_PTR(-EOVERFLOW);
	}
	if (!can_modify_vma(vma))
		return ERR_PTR(-EPERM);
	return vma;
}

/* Must security_mmap_file() be asked? */
static bool manyprots_asks_mmap(const struct manyprots_remap *remap,
				struct vm_area_struct *vma)
{
	unsigned long addr;
	struct vma_run run;

	for (addr = remap->start; addr < remap->end;
	     addr = vma_index_addr(vma, run.last) + PAGE_SIZE) {
		manyprots_run_in(remap, vma, addr, &run);
		if (!manyprots_judges_mprotect(remap, vma, &run))
			return true;
	}
	return false;
}

/*
 * security_mmap_file() of what becomes of the range.  Where the mapping's file
 * only backs the one that was mapped, a mapping has nothing but the path of that
 * one: it is opened once more.  By the caller, as who is confined may not be
 * judged as the one who mounted it, so the caller must be allowed to open it.
 */
static int manyprots_ask_mmap(const struct manyprots_remap *remap,
			      struct file *file, unsigned long flags)
{
	struct file *opened = NULL;
	int error;

	if (remap->zerofill)
		return security_mmap_file(NULL, remap->prot, flags | MAP_ANONYMOUS);
	if (IS_ENABLED(CONFIG_SECURITY) && (file->f_mode & FMODE_BACKING)) {
		opened = dentry_open(file_user_path(file),
				     O_RDONLY | O_LARGEFILE | __FMODE_NONOTIFY,
				     current_cred());
		if (IS_ERR(opened))
			return PTR_ERR(opened);
		file = opened;
	}
	error = security_mmap_file(file, remap->prot, flags);
	if (opened)
		fput(opened);
	return error;
}

/**
 * manyprots_remap - remap_file_pages() with MAP_CHGPROT
 * @start: first address, a multiple of the page size
 * @size: bytes, a multiple of the page size
 * @prot: PROT_READ, PROT_WRITE and PROT_EXEC, or PROT_NONE
 * @pgoff: file page offset for @start; 0 for anonymous memory
 * @flags: MAP_CHGPROT; with MAP_ANONYMOUS the pages become anonymous memory
 *
 * All or nothing, on one mapping.  Pages whose kind and file offset
 * stay keep their contents, the others come fresh.  With @start, @size, @prot
 * and @pgoff 0 the call only tells whether the kernel has the feature.
 *
 * Context: process context; takes mmap_lock.
 * Return: 0, or
 * -EINVAL for an argument or a mapping that is not eligible,
 * -EOVERFLOW as mmap(),
 * -EACCES beyond what the mapping may be given, or to make private pages text,
 * -EPERM for a sealed mapping or memfd, or text from a noexec mount,
 * -ETXTBSY to write to a swap file,
 * -ENOMEM for the commit limit, RLIMIT_DATA, vm.max_run_count or memory,
 * -EINTR for a fatal signal, or what a security module says.
 */
long manyprots_remap(unsigned long start, unsigned long size,
		     unsigned long prot, unsigned long pgoff,
		     unsigned long flags)
{
	struct manyprots_remap remap = {
		.start = untagged_addr(start),
		.end = untagged_addr(start) + size,
		.prot = prot,
		.pgoff = pgoff,
		.anonymous = flags & MAP_ANONYMOUS,
	};
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	struct file *file;
	vm_flags_t shared;
	bool asked, locked;
	long error;

	if (!manyprots_enabled(mm))
		return -EINVAL;
	if (!start && !size && !prot && !pgoff && flags == MAP_CHGPROT)
		return 0;
	if (flags & ~(MAP_CHGPROT | MAP_ANONYMOUS | MAP_NONBLOCK))
		return -EINVAL;
	if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC))
		return -EINVAL;
	if (offset_in_page(start) || offset_in_page(size))
		return -EINVAL;
	if (remap.end <= remap.start || (remap.anonymous && pgoff))
		return -EINVAL;

	/*
	 * security_mmap_file() is called without mmap_lock, so look first and
	 * begin again if the mapping has changed meanwhile.
	 */
again:
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = manyprots_find(&remap, mm);
	if (IS_ERR(vma)) {
		mmap_read_unlock(mm);
		return PTR_ERR(vma);
	}
	asked = manyprots_asks_mmap(&remap, vma);
	file = vma->vm_file ? get_file(vma->vm_file) : NULL;
	shared = vma->vm_flags & VM_MAYSHARE;
	mmap_read_unlock(mm);

	if (asked) {
		error = manyprots_ask_mmap(&remap, file, MAP_FIXED |
					   (shared ? MAP_SHARED : MAP_PRIVATE));
		if (error)
			goto out_file;
	}

	error = -EINTR;
	if (mmap_write_lock_killable(mm))
		goto out_file;
	vma = manyprots_find(&remap, mm);
	error = PTR_ERR_OR_ZERO(vma);
	if (error)
		goto out_unlock;
	if (vma->vm_file != file || (vma->vm_flags & VM_MAYSHARE) != shared ||
	    (!asked && manyprots_asks_mmap(&remap, vma))) {
		mmap_write_unlock(mm);
		if (file)
			fput(file);
		goto again;
	}

	/* As mmap(MAP_FIXED) asks. */
	if (asked)
		error = security_mmap_addr(remap.start);
	if (!error)
		error = manyprots_plan(&remap, vma);
	if (error)
		goto out_unlock;
	manyprots_commit(&remap, vma);
	locked = vma->vm_flags & VM_LOCKED;
	mmap_write_unlock(mm);
	if (file)
		fput(file);
	if (locked && remap.populated)
		mm_populate(remap.populate, remap.populated - remap.populate);
	return 0;

out_unlock:
	mmap_write_unlock(mm);
out_file:
	if (file)
		fput(file);
	return error;
}

#ifdef CONFIG_SYSCTL
static struct ctl_table manyprots_table[] = {
	{
		.procname	= "manyprots",
		.data		= &sysctl_manyprots,
		.maxlen		= sizeof(sysctl_manyprots),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= SYSCTL_ZERO,
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
