/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by hooks.c and selinux.c: a step is done on the multi-protection side
 * and on the equivalent layout of manyprots_util.h, between two functions of
 * the program that begin and end looking at what security modules are asked.
 */
#ifndef LSM_H
#define LSM_H

#include "manyprots_util.h"

#ifndef PR_SET_MANYPROTS
#define PR_SET_MANYPROTS 0x4d505200
#endif

static struct mp_pair pair;	/* the pair that the steps are about */

#define at(page) (b + (page) * PS)

/*
 * The equivalent of MAP_CHGPROT is mprotect() where a private page has been
 * put and kind and offset stay, else mmap(): each step names its own.
 * Evaluates @multi or @equiv with the side's base as @b, tells a difference of
 * the results, and returns the equivalent's, or -errno.
 */
#define do_step(what, begin, end, multi, equiv) ({				\
	long __v[2];								\
	int __s;								\
	for (__s = 0; __s < 2; __s++) {						\
		__mp_unused char *b = pair.base[__s];				\
		__mp_unused int side = __s;					\
		begin;								\
		errno = 0;							\
		__v[__s] = __s == MULTI && !mp_stock ? (long)(multi) : (long)(equiv); \
		if (__v[__s] == -1 && errno)					\
			__v[__s] = -errno;					\
		end;								\
	}									\
	if (__v[0] != __v[1])							\
		mp_diff("%s: %ld, equivalent %ld", what, __v[0], __v[1]);	\
	__v[1]; })

/* These return 0 or -errno. mmap() over pages that are there: */
static int remap(char *addr, size_t n, int prot, bool anon, unsigned long pgoff)
{
	int flags = (pair.mflags & MAP_SHARED ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED;
	char *m;

	if (anon || pair.fd < 0)
		m = mmap(addr, n * PS, prot, flags | MAP_ANONYMOUS, -1, 0);
	else
		m = mmap(addr, n * PS, prot, flags, pair.fd, (off_t)pgoff * PS);
	return m == MAP_FAILED ? -errno : 0;
}

static int protect(char *addr, size_t n, int prot)
{
	return mprotect(addr, n * PS, prot) ? -errno : 0;
}

static int chg(char *addr, size_t n, int prot, unsigned long pgoff)
{
	return mp_rfp(addr, n * PS, prot, pgoff, MAP_CHGPROT);
}

static int chg_anon(char *addr, size_t n, int prot)
{
	return mp_rfp(addr, n * PS, prot, 0, MAP_CHGPROT | MAP_ANONYMOUS);
}

/* Writes a byte by force, which makes a private page in text too. */
static int poke(char *addr, int byte)
{
	char c = byte;

	return pwrite(mp_mem_fd(), &c, 1, (off_t)(unsigned long)addr) == 1 ? 0 : -errno;
}

static void set_mode(int mode)
{
	if (!mp_stock && prctl(PR_SET_MANYPROTS, mode, 0, 0, 0))
		mp_diff("PR_SET_MANYPROTS %d: %s", mode, strerror(errno));
}

#endif
