// SPDX-License-Identifier: GPL-2.0
/*
 * Records each call of the memory hooks that one process causes, with all that
 * a security module can see there, and refuses the one it is told to refuse.
 * vm_enough_memory is not among them: BPF may not be attached to it.
 */
#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "record.h"

/*
 * Of the kernel's structures only what is looked at: where it lies is taken
 * from the running kernel, which may be stock.
 */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct super_block {
	unsigned int s_dev;
};

struct inode {
	unsigned long i_ino;
	struct super_block *i_sb;
};

struct file {
	struct inode *f_inode;
};

struct rw_semaphore {
	struct {
		long long counter;
	} count;
};

struct mm_struct {
	struct rw_semaphore mmap_lock;
};

struct vm_area_struct {
	unsigned long vm_start, vm_end;
	struct mm_struct *vm_mm;
	struct {
		unsigned long pgprot;
	} vm_page_prot;
	unsigned long vm_flags;
	void *anon_vma;
	void *vm_ops;
	unsigned long vm_pgoff;
	struct file *vm_file;
};

struct task_struct {
	struct mm_struct *mm;
};
#pragma clang attribute pop

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct record);
} record SEC(".maps");

static struct record *recording(void)
{
	__u32 key = 0;
	struct record *r = bpf_map_lookup_elem(&record, &key);

	return r && r->tgid && r->tgid == bpf_get_current_pid_tgid() >> 32 ? r : NULL;
}

static struct record_call *begin(struct record *r, enum record_hook hook)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct record_call *c;
	__u32 n = r->nr;

	r->nr = n + 1;
	r->seen[hook]++;
	if (n >= RECORD_MAX)
		n = RECORD_MAX - 1;
	c = &r->calls[n];
	__builtin_memset(c, 0, sizeof(*c));
	c->hook = hook;
	c->lock = BPF_CORE_READ(task, mm, mmap_lock.count.counter);
	return c;
}

/*
 * The verifier may think that a hook's file cannot be NULL, and leave a check
 * for that out; reading from nowhere gives 0.
 */
static void put_file(struct record_call *c, struct file *file)
{
	c->ino = BPF_CORE_READ(file, f_inode, i_ino);
	c->dev = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
}

static void put_vma(struct record_call *c, struct vm_area_struct *vma)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	c->start = BPF_CORE_READ(vma, vm_start);
	c->end = BPF_CORE_READ(vma, vm_end);
	c->vm_flags = BPF_CORE_READ(vma, vm_flags);
	c->pgoff = BPF_CORE_READ(vma, vm_pgoff);
	c->page_prot = BPF_CORE_READ(vma, vm_page_prot.pgprot);
	c->anon_vma = !!BPF_CORE_READ(vma, anon_vma);
	c->ops = !!BPF_CORE_READ(vma, vm_ops);
	c->own_mm = BPF_CORE_READ(vma, vm_mm) == BPF_CORE_READ(task, mm);
}

static int verdict(struct record *r, enum record_hook hook)
{
	int deny = r->deny_with;

	if (r->deny_hook != hook || r->seen[hook] != r->deny_at || deny >= 0 || deny < -4095)
		return 0;
	return deny;
}

SEC("lsm/mmap_file")
int BPF_PROG(mmap_file, struct file *file, unsigned long reqprot, unsigned long prot,
	     unsigned long flags, int ret)
{
	struct record *r = recording();
	struct record_call *c;

	if (ret || !r)
		return ret;
	c = begin(r, RECORD_MMAP_FILE);
	put_file(c, file);
	c->reqprot = reqprot;
	c->prot = prot;
	c->flags = flags;
	return verdict(r, RECORD_MMAP_FILE);
}

SEC("lsm/mmap_addr")
int BPF_PROG(mmap_addr, unsigned long addr, int ret)
{
	struct record *r = recording();
	struct record_call *c;

	if (ret || !r)
		return ret;
	c = begin(r, RECORD_MMAP_ADDR);
	c->start = addr;
	return verdict(r, RECORD_MMAP_ADDR);
}

SEC("lsm/file_mprotect")
int BPF_PROG(file_mprotect, struct vm_area_struct *vma, unsigned long reqprot,
	     unsigned long prot, int ret)
{
	struct record *r = recording();
	struct record_call *c;

	if (ret || !r)
		return ret;
	c = begin(r, RECORD_FILE_MPROTECT);
	put_vma(c, vma);
	put_file(c, BPF_CORE_READ(vma, vm_file));
	c->reqprot = reqprot;
	c->prot = prot;
	return verdict(r, RECORD_FILE_MPROTECT);
}

SEC("lsm/mmap_backing_file")
int BPF_PROG(mmap_backing_file, struct vm_area_struct *vma, struct file *backing_file,
	     struct file *user_file, int ret)
{
	struct record *r = recording();
	struct record_call *c;

	if (ret || !r)
		return ret;
	c = begin(r, RECORD_MMAP_BACKING_FILE);
	put_vma(c, vma);
	put_file(c, backing_file);
	return verdict(r, RECORD_MMAP_BACKING_FILE);
}

char _license[] SEC("license") = "GPL";
