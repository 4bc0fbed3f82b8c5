// SPDX-License-Identifier: GPL-2.0
/*
 * interpose.c - an LD_PRELOAD library that stands before mmap and mprotect,
 * as profilers of memory do, and says at the end how often it was asked
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <sys/mman.h>

static int mmaps, mprotects;

void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	static void *(*next)(void *, size_t, int, int, int, off_t);

	if (!next)
		next = dlsym(RTLD_NEXT, "mmap");
	mmaps++;
	return next(addr, length, prot, flags, fd, offset);
}

int mprotect(void *addr, size_t length, int prot)
{
	static int (*next)(void *, size_t, int);

	if (!next)
		next = dlsym(RTLD_NEXT, "mprotect");
	mprotects++;
	return next(addr, length, prot);
}

static void __attribute__((destructor)) report(void)
{
	fprintf(stderr, "interposed: mmap %d, mprotect %d\n", mmaps, mprotects);
}
