/* SPDX-License-Identifier: GPL-2.0 */
/* What record.bpf.c and hooks.c share: a map of one value, mapped by both. */
#ifndef RECORD_H
#define RECORD_H

enum record_hook {
	RECORD_MMAP_FILE,
	RECORD_MMAP_ADDR,
	RECORD_FILE_MPROTECT,
	RECORD_MMAP_BACKING_FILE,
	RECORD_HOOKS
};

/* A call of a hook; what the hook has no such argument for is 0. */
struct record_call {
	unsigned int hook;
	unsigned int anon_vma, ops, own_mm;	/* vma->anon_vma, vma->vm_ops, vma->vm_mm is current's */
	unsigned long long lock;		/* count of the caller's mmap_lock */
	unsigned long long ino, dev;		/* of the file; 0: none */
	unsigned long long reqprot, prot, flags;
	unsigned long long start, end, vm_flags, pgoff, page_prot;
};

#define RECORD_MAX 512

struct record {
	unsigned int tgid;	/* record the calls of this process; 0: of none */
	unsigned int nr;	/* calls seen, those that had no room included */
	unsigned int seen[RECORD_HOOKS];
	unsigned int deny_hook;
	unsigned int deny_at;	/* this call of deny_hook, counted from 1, is refused; 0: none */
	int deny_with;		/* with this: -EPERM, say */
	struct record_call calls[RECORD_MAX];
};

#endif
