// SPDX-License-Identifier: GPL-2.0
/*
 * remap_file_pages() with MAP_CHGPROT: the call that makes multi-protection VMAs,
 * see mm/manyprots.c.
 *
 * First all is planned that can fail, run by run: what becomes of each by the
 * rules of mmap() or mprotect(), in a new map beside the old one.  Then that is
 * committed, which cannot fail.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/memfd.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/perf_event.h>
#include <linux/personality.h>
#include <linux/pkeys.h>
#include <linux/sched/signal.h>
#include <linux/seccomp.h>
#include <linux/security.h>
#include <linux/swap.h>
#include <linux/uprobes.h>
#include <linux/vma_runs.h>

#include <asm/tlb.h>

#include "internal.h"
#include "manyprots_internal.h"

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
	bool exec;		/* execve maps a program, which nobody wrote to */
	bool zerofill;		/* the pages are anonymous memory afterwards */

	struct vma_runs *runs;	/* the new map */
	bool moved;		/* some page gets another offset or kind */
	long more;		/* how many runs more there will be */
	unsigned long populate;	/* first address to populate if VM_LOCKED */
	unsigned long populated; /* address after the last one */
	long charge;		/* pages to add to the commit charge */
	unsigned long fresh;	/* pages that mmap() would charge, at once */
	unsigned long most;	/* the most that stock would charge at once */
	long data;		/* pages to add to what RLIMIT_DATA counts */
	unsigned long renewed;	/* pages of the last runs, if they come fresh */
	long renewed_data;	/* what they are going to add to @data */
};

/* A private page of what execve maps is a breakpoint, which is set again. */
static bool manyprots_is_breakpoint(const struct manyprots_remap *remap,
				    struct vm_area_struct *vma)
{
	return vma->anon_vma && remap->exec;
}

/* Does @run, which is cut to the range, keep its pages? */
static bool manyprots_keeps(const struct manyprots_remap *remap,
			    struct vm_area_struct *vma,
			    const struct vma_run *run)
{
	unsigned long offset = run->first - vma_index(vma, remap->start);

	if (manyprots_is_breakpoint(remap, vma))
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
	 * PR_SET_MDWE: mmap() may give the pages of a file, but to who has it open.
	 * Here it may be one that the process has written to, and closed.
	 */
	if (remap->zerofill)
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
 * Sandboxes have filters that look at the arguments of mmap() and mprotect(), so
 * that nothing which is mapped to be written to becomes text.  They need not know
 * of this call; those that allow no new text at all must refuse it, too.
 */
static bool manyprots_filtered(const struct manyprots_remap *remap,
			       struct vm_area_struct *vma, bool was_text)
{
	if (!(remap->prot & PROT_EXEC) || remap->exec ||
	    seccomp_mode(&current->seccomp) == SECCOMP_MODE_DISABLED)
		return false;
	if (remap->prot & PROT_WRITE)
		return true;
	return !was_text && !remap->zerofill &&
		mapping_writably_mapped(vma->vm_file->f_mapping);
}

/* may_expand_vm() after the runs before have added @before pages of data. */
static bool manyprots_may_expand(struct mm_struct *mm, vm_flags_t flags,
				 long before, unsigned long pages)
{
	bool may;

	mm->data_vm += before;
	may = may_expand_vm(mm, flags, pages);
	mm->data_vm -= before;
	return may;
}

/*
 * What is kept is accounted as mprotect_fixup() does, else as mmap().  Adds
 * VM_ACCOUNT to the flags that a run is going to have.
 */
static void manyprots_plan_charge(struct manyprots_remap *remap,
				  struct vm_area_struct *vma, bool keep,
				  bool anon, vm_flags_t old, vm_flags_t *access,
				  long pages)
{
	if (*access & VM_WRITE) {
		if (keep && (old & (VM_ACCOUNT | VM_WRITE)))
			*access |= old & VM_ACCOUNT;
		else if (!(vma->vm_flags & (VM_NORESERVE | VM_SHARED)))
			*access |= VM_ACCOUNT;
	} else if (keep && !(remap->zerofill && !anon) && !remap->exec) {
		/* What execve maps writable first has not been data yet. */
		*access |= old & VM_ACCOUNT;
	}
	remap->charge += (!!(*access & VM_ACCOUNT) - !!(old & VM_ACCOUNT)) * pages;
	if (!keep && (*access & VM_ACCOUNT))
		remap->fresh += pages;
	if (*access & ~old & VM_ACCOUNT)
		remap->most = max_t(unsigned long, remap->most, pages);
	remap->most = max(remap->most, remap->fresh);
}

/* RLIMIT_DATA, of pages that are kept and of pages that come fresh. */
static int manyprots_plan_data(struct manyprots_remap *remap,
			       struct vm_area_struct *vma, bool keep,
			       vm_flags_t old, vm_flags_t access, long pages)
{
	struct mm_struct *mm = vma->vm_mm;
	long data = 0;

	if (!(vma->vm_flags & VM_SHARED))
		data = (!!(access & VM_WRITE) - !!(old & VM_WRITE)) * pages;
	/* mmap() does not count what it replaces; exec maps what was free. */
	if (keep || remap->exec) {
		remap->data += remap->renewed_data;
		remap->renewed = 0;
		remap->renewed_data = 0;
		/* As mprotect_fixup(): only the limit on data counts. */
		if (data > 0 &&
		    !manyprots_may_expand(mm, VM_WRITE, remap->data, data) &&
		    (remap->exec || may_expand_vm(mm, VM_NONE, data)))
			return -ENOMEM;
		remap->data += data;
	} else {
		remap->renewed_data += data;
	}
	return 0;
}

/* What mmap() asks of pages that come fresh; neighbours are one mmap(). */
static int manyprots_plan_fresh(struct manyprots_remap *remap,
				struct vm_area_struct *vma, vm_flags_t access,
				long pages)
{
	struct mm_struct *mm = vma->vm_mm;

	remap->renewed += pages;
	if (!manyprots_may_expand(mm, access | (vma->vm_flags & VM_SHARED),
				  remap->data, 0))
		return -ENOMEM;
	/* mmap() would lock what comes fresh, whatever the mapping is. */
	if ((mm->def_flags & VM_LOCKED) &&
	    ((mm->def_flags ^ vma->vm_flags) & VM_LOCKED_MASK))
		return -EINVAL;
	if (!mlock_future_ok(mm, mm->def_flags, remap->renewed << PAGE_SHIFT))
		return -EAGAIN;
	remap->moved = true;
	return 0;
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
	vm_flags_t access, mayflags;
	int error;

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
	if (manyprots_filtered(remap, vma, keep && (old & VM_EXEC)))
		return -EACCES;
	if (!arch_validate_flags(access))
		return -EINVAL;

	manyprots_plan_charge(remap, vma, keep, anon, old, &access, pages);
	error = manyprots_plan_data(remap, vma, keep, old, access, pages);
	if (!error && !keep)
		error = manyprots_plan_fresh(remap, vma, access, pages);
	if (error)
		return error;
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

/*
 * What execve is going to map behind this segment has been mapped with all of the
 * object, and a private page there is a breakpoint, which is set again then: as in
 * stock, only in what it is mapped in for good.
 */
static int manyprots_forget_breakpoints(struct manyprots_remap *remap,
					struct vm_area_struct *vma)
{
	struct vma_run run;

	if (!manyprots_is_breakpoint(remap, vma) || remap->end >= vma->vm_end)
		return 0;
	vma_runs_find(remap->runs, vma_index(vma, remap->end), &run);
	vma_run_cut(&run, vma_index(vma, remap->end), vma_last_index(vma));
	run.attr &= ~VMA_RUN_ANON;
	return vma_runs_apply(vma, &remap->runs, &run);
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

	error = manyprots_forget_breakpoints(remap, vma);
	if (error)
		goto fail;
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
 * Drop the pages that get another offset or kind, under the old map, and the
 * breakpoints that are forgotten.  They go as under mmap(MAP_FIXED), MMU notifiers
 * are told so and markers go too.
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
		cond_resched();
		manyprots_run_in(remap, vma, addr, &run);
		end = vma_index_addr(vma, run.last) + PAGE_SIZE;
		if (!manyprots_keeps(remap, vma, &run)) {
			/* Behind the last address: no other VMA is found. */
			MA_STATE(mas, &mm->mm_mt, end, end);

			unmap_vmas(&tlb, &mas, vma, addr, end, end, true);
		}
	}
	if (manyprots_is_breakpoint(remap, vma) && remap->end < vma->vm_end) {
		MA_STATE(mas, &mm->mm_mt, vma->vm_end, vma->vm_end);

		unmap_vmas(&tlb, &mas, vma, remap->end, vma->vm_end, vma->vm_end,
			   true);
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

		cond_resched();
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
		cond_resched();
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

/* What is to be asked without mmap_lock. */
#define MANYPROTS_ASK_MMAP	1	/* security_mmap_file() */
#define MANYPROTS_ASK_READ	2	/* whether the caller may read the file */

/*
 * mmap() gives other pages of a file to who has it open for reading.  Here it may
 * be open no longer, or execve opened it, for who may not read it perhaps; so who
 * asks must have opened it, or be one who may open it now.  Credentials are others
 * after fork, execve and whatever takes rights away.  With a shared mapping that can
 * be written to, remap_file_pages() has always given all of the file.
 */
static unsigned int manyprots_asks(const struct manyprots_remap *remap,
				   struct vm_area_struct *vma)
{
	unsigned int most = MANYPROTS_ASK_MMAP, asks = 0;
	unsigned long addr;
	struct vma_run run;

	if (!remap->zerofill && !remap->exec && !(vma->vm_flags & VM_SHARED) &&
	    vma->vm_file->f_cred != current_cred())
		most |= MANYPROTS_ASK_READ;
	for (addr = remap->start; addr < remap->end && asks != most;
	     addr = vma_index_addr(vma, run.last) + PAGE_SIZE) {
		cond_resched();
		manyprots_run_in(remap, vma, addr, &run);
		if (!manyprots_keeps(remap, vma, &run))
			asks = most;
		else if (!manyprots_judges_mprotect(remap, vma, &run))
			asks |= MANYPROTS_ASK_MMAP;
	}
	return asks;
}

/*
 * May the caller open the file for reading?  Security modules are asked at that, and
 * who serves the file.
 */
static int manyprots_ask_read(struct file *file)
{
	const struct path *path = file_user_path(file);
	struct file *opened;
	int error;

	error = path_permission(path, MAY_READ);
	if (error)
		return error;
	opened = dentry_open(path, O_RDONLY | O_LARGEFILE | __FMODE_NONOTIFY,
			     current_cred());
	if (IS_ERR(opened))
		return PTR_ERR(opened);
	fput(opened);
	return 0;
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
				     O_RDONLY | O_LARGEFILE | __FMODE_NONOTIFY |
				     (remap->exec ? __FMODE_EXEC : 0),
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
 * -EINVAL for an argument or a mapping that is not eligible, also one that is not
 * locked as mlockall(MCL_FUTURE) wants it,
 * -EOVERFLOW as mmap(),
 * -EACCES beyond what the mapping may be given, to make private pages text, or
 * pages of a file under PR_SET_MDWE, or with a seccomp filter what is mapped to be
 * written to, or for other pages of a file that the caller may not read,
 * -EAGAIN for RLIMIT_MEMLOCK, after mlockall(MCL_FUTURE),
 * -EPERM for a sealed mapping or memfd, or text from a noexec mount,
 * -ETXTBSY to write to a swap file,
 * -ENOMEM for the commit limit, RLIMIT_DATA, vm.max_run_count or memory,
 * -EINTR for a fatal signal, or what a security module or open() says.
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
		.exec = current->in_execve,
	};
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	struct file *file;
	vm_flags_t shared;
	unsigned int asked;
	bool locked;
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
	 * begin again if the mapping has changed meanwhile: as a system call, which
	 * lets go of what was opened.
	 */
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = manyprots_find(&remap, mm);
	if (IS_ERR(vma)) {
		mmap_read_unlock(mm);
		return PTR_ERR(vma);
	}
	asked = manyprots_asks(&remap, vma);
	file = vma->vm_file ? get_file(vma->vm_file) : NULL;
	shared = vma->vm_flags & VM_MAYSHARE;
	mmap_read_unlock(mm);

	error = 0;
	if (asked & MANYPROTS_ASK_READ)
		error = manyprots_ask_read(file);
	if (!error && asked)
		error = manyprots_ask_mmap(&remap, file, MAP_FIXED |
					   (shared ? MAP_SHARED : MAP_PRIVATE));
	if (error)
		goto out_file;

	error = -EINTR;
	if (mmap_write_lock_killable(mm))
		goto out_file;
	vma = manyprots_find(&remap, mm);
	error = PTR_ERR_OR_ZERO(vma);
	if (error)
		goto out_unlock;
	if (vma->vm_file != file || (vma->vm_flags & VM_MAYSHARE) != shared ||
	    (manyprots_asks(&remap, vma) & ~asked)) {
		error = restart_syscall();
		goto out_unlock;
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
