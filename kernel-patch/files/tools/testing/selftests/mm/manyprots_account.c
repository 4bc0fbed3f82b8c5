// SPDX-License-Identifier: GPL-2.0
/*
 * Commit charge, RLIMIT_DATA, RLIMIT_AS, RLIMIT_MEMLOCK and the Vm* counters:
 * by run, as the equivalent VMAs would be counted.
 */
#include "manyprots_util.h"
#include <limits.h>

MP_LIBRARY_FIXTURE(lib)

/* Larger than what the rest of a small system charges meanwhile; the library scaled up. */
#define SCALE 64
static const struct mp_run big_library[] = {
	{ 2 * SCALE, R, MP_FILE, 0 }, { 4 * SCALE, RX, MP_FILE, 2 }, { 3 * SCALE, R, MP_FILE, 6 },
	{ 2 * SCALE, NONE, MP_FILE, 9 }, { 1 * SCALE, R, MP_FILE, 8 },
	{ 3 * SCALE, RW, MP_FILE, 9 }, { 4 * SCALE, RW, MP_ANON, 0 },
};

static long committed(void)
{
	return mp_number("/proc/meminfo", "Committed_AS");
}

/*
 * The growth of Committed_AS by @op is the same on both sides.  It is system-wide:
 * differences by something else that ran are tried away.
 */
#define same_commit(p, prepare, op)						\
	({									\
		long __d[2] = { 0, 1 }, __was;					\
		int __t, side;							\
		for (__t = 0; __t < 10 && __d[0] != __d[1]; __t++) {		\
			mp_clear();						\
			for (side = 0; side < 2; side++) {			\
				__mp_unused char *b;				\
				prepare;					\
				b = (p)->base[side];				\
				__was = committed();				\
				op;						\
				__d[side] = committed() - __was;		\
			}							\
		}								\
		if (__d[0] != __d[1])						\
			mp_diff("line %d: Committed_AS of %s: %ld kB, equivalent %ld kB", \
				__LINE__, #op, __d[0], __d[1]);			\
		__d[1];								\
	})

#define build(p) mp_map_side(p, side, big_library, ARRAY_SIZE(big_library))

TEST_F(lib, commit_of_build)
{
	long kb;

	if (!mp_system())
		SKIP(return, "a system-wide number: needs a machine of its own");
	kb = same_commit(&self->p, (void)0, build(&self->p));
	ASSERT_EQ(7 * SCALE * (long)PS / 1024, kb);
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
}

TEST_F(lib, commit_of_munmap)
{
	if (!mp_system())
		SKIP(return, "a system-wide number: needs a machine of its own");
	same_commit(&self->p, build(&self->p), munmap(b, LIB_PAGES * SCALE * PS));
	same_commit(&self->p, build(&self->p), munmap(b + 13 * SCALE * PS, 3 * SCALE * PS));
	same_commit(&self->p, build(&self->p), munmap(b + 5 * PS, 300 * PS));
	same_commit(&self->p, build(&self->p), munmap(b + 900 * PS, 10 * PS));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
}

/* mprotect to writable charges, back does not uncharge, twice does not charge twice. */
TEST_F(lib, commit_of_mprotect)
{
	long kb;

	if (!mp_system())
		SKIP(return, "a system-wide number: needs a machine of its own");
	kb = same_commit(&self->p, build(&self->p), mprotect(b + 10 * PS, 300 * PS, RW));
	ASSERT_EQ(300 * (long)PS / 1024, kb);
	same_commit(&self->p, ({ build(&self->p);
				 mprotect(self->p.base[side] + 10 * PS, 300 * PS, RW); }),
		    mprotect(b + 10 * PS, 300 * PS, R));
	same_commit(&self->p, ({ build(&self->p);
				 mprotect(self->p.base[side] + 10 * PS, 300 * PS, RW);
				 mprotect(self->p.base[side] + 10 * PS, 300 * PS, R); }),
		    mprotect(b + 10 * PS, 300 * PS, RW));
	same_commit(&self->p, build(&self->p), mprotect(b, LIB_PAGES * SCALE * PS, RW));
	same_commit(&self->p, build(&self->p), mprotect(b, LIB_PAGES * SCALE * PS, NONE));
	/* Untouched anonymous memory is given back by stock when it becomes read-only. */
	same_commit(&self->p, build(&self->p), mprotect(b + 15 * SCALE * PS, 100 * PS, R));
	same_commit(&self->p, build(&self->p), mprotect(b + 16 * SCALE * PS, 100 * PS, NONE));
	/* Touched it is not. */
	same_commit(&self->p, ({ build(&self->p);
				 mp_put(self->p.base[side] + 16 * SCALE * PS, 1); }),
		    mprotect(b + 15 * SCALE * PS, 4 * SCALE * PS, R));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
}

/* MAP_CHGPROT with another backing: the old charge goes, the new one comes. */
TEST_F(lib, commit_of_chgprot)
{
	if (!mp_system())
		SKIP(return, "a system-wide number: needs a machine of its own");
	same_commit(&self->p, build(&self->p),
		    mp_chg_side(&self->p, side, 12 * SCALE, 100, R, MP_FILE, 30));
	same_commit(&self->p, build(&self->p),
		    mp_chg_side(&self->p, side, 12 * SCALE, 100, RW, MP_FILE, 30));
	same_commit(&self->p, build(&self->p),
		    mp_chg_side(&self->p, side, 14 * SCALE, 2 * SCALE, RW, MP_ANON, 0));
	same_commit(&self->p, build(&self->p),
		    mp_chg_side(&self->p, side, 3, 2 * SCALE, RW, MP_ANON, 0));
	same_commit(&self->p, build(&self->p),
		    mp_chg_side(&self->p, side, 3, 2 * SCALE, NONE, MP_ANON, 0));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
}

/* kB that a child of a process with only this side costs, while it lives. */
static long commit_of_child(struct mp_pair *p, int side)
{
	int fds[2], status;
	long was, kb;
	pid_t pid;
	char c;

	mp_clear();
	if (build(p) || pipe(fds))
		return -1;
	was = committed();
	pid = fork();
	if (!pid) {
		close(fds[1]);
		_exit(read(fds[0], &c, 1) < 0);
	}
	close(fds[0]);
	kb = committed() - was;
	close(fds[1]);
	waitpid(pid, &status, 0);
	return kb;
}

/* fork charges again what is accounted. */
TEST_F(lib, commit_of_fork)
{
	long kb[2] = { 0, 1 };
	int i;

	if (!mp_system())
		SKIP(return, "a system-wide number: needs a machine of its own");
	for (i = 0; i < 10 && kb[0] != kb[1]; i++) {
		kb[0] = commit_of_child(&self->p, MULTI);
		kb[1] = commit_of_child(&self->p, EQUIV);
	}
	ASSERT_EQ(kb[1], kb[0]);
}

/* Data and bss are moved away with MREMAP_DONTUNMAP, and then the data is touched. */
static void leave_empty(struct mp_pair *p, int side)
{
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
	size_t data = 3 * SCALE * PS, bss = 4 * SCALE * PS;
	char *b = p->base[side] + 12 * SCALE * PS;

	b[0] = 1;
	b[data] = 1;
	if (side == MULTI && !mp_stock) {
		mremap(b, data + bss, data + bss, flags, b + 0x2000000);
	} else {
		mremap(b, data, data, flags, b + 0x2000000);
		mremap(b + data, bss, bss, flags, b + data + 0x2000000);
	}
	b[0] = 1;
}

/* mremap of parts. */
TEST_F(lib, commit_of_mremap)
{
	if (!mp_system())
		SKIP(return, "a system-wide number: needs a machine of its own");
	same_commit(&self->p, build(&self->p),
		    mremap(b + 15 * SCALE * PS, 4 * SCALE * PS, 9 * SCALE * PS, 0));
	same_commit(&self->p, build(&self->p),
		    mremap(b + 15 * SCALE * PS, 4 * SCALE * PS, 1 * SCALE * PS, 0));
	same_commit(&self->p, build(&self->p),
		    mremap(b + 12 * SCALE * PS, 2 * SCALE * PS, 2 * SCALE * PS,
			   MREMAP_MAYMOVE | MREMAP_FIXED, b + 0x2000000));
	same_commit(&self->p, build(&self->p),
		    mremap(b + 15 * SCALE * PS, 4 * SCALE * PS, 4 * SCALE * PS,
			   MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, b + 0x2000000));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	ASSERT_EQ(-4 * SCALE * (long)PS / 1024,
		  same_commit(&self->p, (build(&self->p), leave_empty(&self->p, side)),
			      mprotect(b + 15 * SCALE * PS, 4 * SCALE * PS, R)));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
}

/* Everything that was charged is given back when the process ends. */
TEST_F(lib, commit_after_exit)
{
	long before, after = 0;
	int i, t;

	if (!mp_system())
		SKIP(return, "a system-wide number: needs a machine of its own");
	for (t = 0; t < 10; t++) {
		before = committed();
		for (i = 0; i < 20; i++) {
			int status;
			pid_t pid = fork();

			if (!pid) {
				int side = MULTI;

				mp_clear();
				build(&self->p);
				mprotect(self->p.base[0] + 5 * PS, 400 * PS, RW);
				munmap(self->p.base[0] + 40 * PS, 700 * PS);
				mremap(self->p.base[0] + 20 * PS, 10 * PS, 10 * PS, MREMAP_MAYMOVE |
				       MREMAP_FIXED, self->p.base[0] + 0x3000000);
				_exit(0);
			}
			ASSERT_EQ(pid, waitpid(pid, &status, 0));
			ASSERT_EQ(0, status);
		}
		after = committed();
		if (after == before)
			break;
	}
	/* 400 pages a round would be lost: anything else is somebody else's noise. */
	ASSERT_LT(labs(after - before), 400 * (long)PS / 1024);
}

/* MAP_NORESERVE is never charged under overcommit 0 and 1. */
TEST_F(lib, commit_noreserve)
{
	if (!mp_system())
		SKIP(return, "a system-wide number: needs a machine of its own");
	self->p.mflags = MAP_NORESERVE;
	same_commit(&self->p, (void)0, build(&self->p));
	same_commit(&self->p, build(&self->p), mprotect(b, 10 * SCALE * PS, RW));
	same_commit(&self->p, build(&self->p), munmap(b, LIB_PAGES * SCALE * PS));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
}

/* Overcommit 2: ENOMEM at the commit limit, nothing changed by the failing call. */
TEST_F(lib, overcommit_never)
{
	static const char file[] = "/proc/sys/vm/overcommit_memory";
	long mode = mp_sysctl(file), limit;
	char text[16];
	size_t len;
	char *m;

	if (!mp_system())
		SKIP(return, "changes a sysctl");
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_sysctl_set(file, "2"));
	same_commit(&self->p, (void)0, build(&self->p));
	EXPECT_EQ(0, mp_bad);
	limit = mp_number("/proc/meminfo", "CommitLimit");
	/* More than the limit, never charged while it is not writable. */
	len = ((size_t)limit * 1024 + (64 << 20)) & ~(PS - 1);
	m = mmap(NULL, len, R, MAP_PRIVATE, self->p.fd, 0);
	EXPECT_NE(MAP_FAILED, m);
	if (!mp_stock) {
		EXPECT_EQ(0, mp_rfp(m + PS, PS, RX, 1, MAP_CHGPROT));
	}
	EXPECT_EQ(mp_stock ? -EINVAL : -ENOMEM, mp_rfp(m, len, RW, 0, MAP_CHGPROT));
	EXPECT_EQ(MP_ACCERR, mp_put(m, 1));
	EXPECT_EQ(mp_stock ? -EINVAL : -ENOMEM,
		  mp_rfp(m, len, RW, 0, MAP_CHGPROT | MAP_ANONYMOUS));
	EXPECT_EQ(MP_ACCERR, mp_put(m, 1));
	EXPECT_TRUE(mp_page_is_file(&self->p, m, 0));
	/* mprotect goes run by run: the small ones before may have been done. */
	EXPECT_EQ(-1, mprotect(m, len, RW));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(MP_ACCERR, mp_put(m + 2 * PS, 1));
	EXPECT_TRUE(mp_page_is_file(&self->p, m + 2 * PS, 2));
	munmap(m, len);
	snprintf(text, sizeof(text), "%ld", mode);
	mp_sysctl_set(file, text);
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
}

/*
 * Overcommit 0 refuses only what is more than all memory at once, and stock charges
 * VMA by VMA.
 */
TEST(overcommit_guess)
{
	size_t total = (mp_number("/proc/meminfo", "MemTotal") +
			mp_number("/proc/meminfo", "SwapTotal")) * 1024 & ~(PS - 1);
	size_t half = (total / 2 + 64 * PS) & ~(PS - 1);
	int status;
	pid_t pid;
	char *m;

	if (sizeof(long) == 4)
		SKIP(return, "memory is larger than the address space");
	if (mp_sysctl("/proc/sys/vm/overcommit_memory"))
		SKIP(return, "another overcommit mode");

	/* A stack: mprotect() does not divide it.  A heap with a guard page. */
	m = mmap(NULL, total + 2 * PS, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	ASSERT_NE(MAP_FAILED, m);
	ASSERT_EQ(0, mprotect(m, half, RW));
	ASSERT_EQ(0, mprotect(m + half + PS, total - half + PS, RW));
	pid = fork();
	if (!pid)
		_exit(0);
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	munmap(m, total + 2 * PS);

	m = mmap(NULL, 2 * half, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, m);
	if (!mp_stock) {
		ASSERT_EQ(0, mp_rfp(m, half, R, 0, MAP_CHGPROT));
		ASSERT_EQ(0, mp_rfp(m, 2 * half, RW, 0, MAP_CHGPROT));
	}
	munmap(m, 2 * half);

	/* What stock would charge at once is too much at once. */
	m = mmap(NULL, total + 2 * PS, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, m);
	ASSERT_EQ(mp_stock ? -EINVAL : -ENOMEM,
		  mp_rfp(m, total + PS, RW, 0, MAP_CHGPROT));
	munmap(m, total + 2 * PS);
}

static long lib_pages(void)
{
	return mp_status("VmExe") + mp_status("VmLib");
}

/* VmSize, VmData, VmStk, executable pages and VmLck by each operation. */
#define counters(p, op)								\
	do {									\
		char *b[2] = { (p)->base[0], (p)->base[1] };			\
		static const char *const key[] = { "VmSize", "VmData", "VmStk", "VmLck" }; \
		long __was[2][5], __now[2][5];					\
		int __s, __k;							\
		for (__s = 0; __s < 2; __s++) {					\
			char *base = b[__s];					\
			int side = __s;						\
			(void)base;						\
			(void)side;						\
			for (__k = 0; __k < 4; __k++)				\
				__was[__s][__k] = mp_status(key[__k]);		\
			__was[__s][4] = lib_pages();				\
			op;							\
			for (__k = 0; __k < 4; __k++)				\
				__now[__s][__k] = mp_status(key[__k]);		\
			__now[__s][4] = lib_pages();				\
		}								\
		for (__k = 0; __k < 5; __k++)					\
			if (__now[0][__k] - __was[0][__k] != __now[1][__k] - __was[1][__k]) \
				mp_diff("line %d: %s by %s: %ld, equivalent %ld", __LINE__, \
					__k < 4 ? key[__k] : "VmExe+VmLib", #op, \
					__now[0][__k] - __was[0][__k],		\
					__now[1][__k] - __was[1][__k]);		\
	} while (0)

TEST_F(lib, counters)
{
	struct mp_pair *p = &self->p;

	mp_clear();
	counters(p, mp_map_side(p, side, mp_library, ARRAY_SIZE(mp_library)));
	counters(p, mprotect(base + 1 * PS, 3 * PS, RW));
	counters(p, mprotect(base + 1 * PS, 5 * PS, RX));
	counters(p, mprotect(base + 13 * PS, 5 * PS, RW | X));
	counters(p, mprotect(base + 13 * PS, 5 * PS, NONE));
	counters(p, mp_chg_side(p, side, 3, 5, R, MP_FILE, 40));
	counters(p, mp_chg_side(p, side, 5, 5, RW, MP_ANON, 0));
	counters(p, munmap(base + 4 * PS, 4 * PS));
	counters(p, mremap(base + 16 * PS, 2 * PS, 2 * PS, MREMAP_MAYMOVE | MREMAP_FIXED,
			   base + 0x2000000));
	counters(p, mremap(base + 18 * PS, 1 * PS, 5 * PS, 0));
	counters(p, mlock(base + 12 * PS, 2 * PS));
	counters(p, munlock(base + 12 * PS, 2 * PS));
	ASSERT_EQ(0, mp_same(0));
	counters(p, munmap(base, 40 * PS));
	ASSERT_EQ(0, mp_same(0));
}

/* What the child has after fork counts in its numbers as in the parent's. */
static int counters_in_child(void *arg)
{
	struct mp_pair *p = arg;

	counters(p, mprotect(base + 1 * PS, 5 * PS, RW));
	counters(p, munmap(base, LIB_PAGES * PS));
	return mp_same(0);
}

TEST_F(lib, counters_after_fork)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_in_child(counters_in_child, &self->p));
}

/* One side at a time, so that each meets the limit alone; everything is undone between. */
#define limited(p, resource, room, build_first, op)				\
	({									\
		long __r[2];							\
		int side;							\
		struct rlimit __old, __rl;					\
		getrlimit(resource, &__old);					\
		for (side = 0; side < 2; side++) {				\
			__mp_unused char *b;					\
			mp_clear();						\
			build_first;						\
			b = (p)->base[side];					\
			__rl = __old;						\
			__rl.rlim_cur = (room);					\
			setrlimit(resource, &__rl);				\
			errno = 0;						\
			__r[side] = (long)(op);					\
			if (__r[side] == -1)					\
				__r[side] = -errno;				\
			setrlimit(resource, &__old);				\
		}								\
		if (__r[0] != __r[1])						\
			mp_diff("line %d: %s limited: %ld, equivalent %ld", __LINE__, #op, \
				__r[0], __r[1]);				\
		__r[1];								\
	})

#define small(p) mp_map_side(p, side, mp_library, ARRAY_SIZE(mp_library))

TEST_F(lib, rlimit_data)
{
	struct mp_pair *p = &self->p;
	unsigned long pages;
	long enomem = 0;

	/* Room for 0, 1, ... pages of data beyond what is there. */
	for (pages = 0; pages < 12; pages++) {
		enomem += limited(p, RLIMIT_DATA, mp_status("VmData") * 1024 + pages * PS,
				  small(p), mprotect(b, 9 * PS, RW)) == -ENOMEM;
		enomem += limited(p, RLIMIT_DATA, mp_status("VmData") * 1024 + pages * PS,
				  small(p), mprotect(b + 3 * PS, 12 * PS, RW)) == -ENOMEM;
		enomem += limited(p, RLIMIT_DATA, mp_status("VmData") * 1024 + pages * PS,
				  small(p), mp_chg_side(p, side, 2, 4, RW, MP_ANON, 0)) == -ENOMEM;
		/* Data that becomes other data needs no room, though the pages are fresh. */
		limited(p, RLIMIT_DATA, mp_status("VmData") * 1024 + pages * PS,
			small(p), mp_chg_side(p, side, LIB_DATA, 3, R, MP_ANON, 0));
		limited(p, RLIMIT_DATA, mp_status("VmData") * 1024 + pages * PS, small(p),
			mremap(b + LIB_BSS * PS, 4 * PS, 8 * PS, 0) == MAP_FAILED ? -1 : 0);
		limited(p, RLIMIT_DATA, mp_status("VmData") * 1024 + pages * PS, small(p),
			mremap(b + LIB_BSS * PS, 4 * PS, 4 * PS, MREMAP_MAYMOVE | MREMAP_FIXED |
			       MREMAP_DONTUNMAP, b + 0x2000000) == MAP_FAILED ? -1 : 0);
	}
	ASSERT_GT(enomem, 0);
	ASSERT_EQ(0, mp_bad);
}

/* The failing calls change nothing; mprotect keeps what it had done. */
TEST_F(lib, rlimit_data_failure)
{
	struct mp_pair *p = &self->p;
	struct rlimit old, rl;

	mp_dirty_library(p);
	getrlimit(RLIMIT_DATA, &old);
	rl = old;
	rl.rlim_cur = mp_status("VmData") * 1024;
	setrlimit(RLIMIT_DATA, &rl);
	EXPECT_EQ(-ENOMEM, mp_both(p, mprotect(b, 4 * PS, RW)));
	EXPECT_EQ(-ENOMEM, mp_both(p, mprotect(b + LIB_RELRO * PS, 4 * PS, RW)));
	setrlimit(RLIMIT_DATA, &old);
	EXPECT_EQ(0, mp_same(0));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

TEST_F(lib, rlimit_as)
{
	struct mp_pair *p = &self->p;

	limited(p, RLIMIT_AS, mp_status("VmSize") * 1024, small(p), mprotect(b, 9 * PS, RW));
	limited(p, RLIMIT_AS, mp_status("VmSize") * 1024, small(p),
		mp_chg_side(p, side, 2, 4, RW, MP_ANON, 0));
	/* It is no limit on what is there, however much of it becomes data. */
	for (int room = 0; room < 8; room++)
		limited(p, RLIMIT_AS, mp_status("VmSize") * 1024 + room * PS, small(p),
			mp_chg_side(p, side, 0, LIB_DATA, RW, MP_FILE, 0));
	limited(p, RLIMIT_AS, mp_status("VmSize") * 1024 + 2 * PS, small(p),
		mremap(b + LIB_BSS * PS, 4 * PS, 8 * PS, 0) == MAP_FAILED ? -1 : 0);
	ASSERT_EQ(0, mp_bad);
}

/* ---- several private writable runs under RLIMIT_DATA ---- */

/* 14 pages of data and 8 of none, of a file and anonymous; one at no linear offset. */
static const struct mp_run pieces[] = {
	{ 2, RW, MP_FILE, 0 }, { 3, R, MP_FILE, 2 }, { 4, RW, MP_FILE, 5 },
	{ 1, NONE, MP_FILE, 9 }, { 3, RW, MP_ANON, 0 }, { 2, R, MP_ANON, 0 },
	{ 3, RW, MP_FILE, 30 }, { 2, RX, MP_FILE, 40 }, { 2, RW, MP_ANON, 0 },
};

#define PIECES_PAGES 22

FIXTURE(pieces) { struct mp_pair p; };
FIXTURE_VARIANT(pieces) { int where; bool forked; };
FIXTURE_VARIANT_ADD(pieces, file) { .where = MP_TMP };
FIXTURE_VARIANT_ADD(pieces, anon) { .where = -1 };
FIXTURE_VARIANT_ADD(pieces, file_forked) { .where = MP_TMP, .forked = true };
FIXTURE_VARIANT_ADD(pieces, anon_forked) { .where = -1, .forked = true };

FIXTURE_SETUP(pieces)
{
	self->p.fd = variant->where < 0 ? -1 : mp_file(variant->where, 64);
	if (variant->where >= 0)
		ASSERT_LE(0, self->p.fd);
	ASSERT_EQ(0, mp_map_runs(&self->p, pieces));
	ASSERT_TRUE(mp_one_vma());
}

FIXTURE_TEARDOWN(pieces)
{
	if (self->p.fd >= 0)
		close(self->p.fd);
}

/* A page of every run that can be written to has been. */
static int build_pieces(struct mp_pair *p, int side)
{
	int ret = mp_map_side(p, side, pieces, ARRAY_SIZE(pieces));
	size_t i, at = 0;

	for (i = 0; i < ARRAY_SIZE(pieces); at += pieces[i++].n)
		mp_put(p->base[side] + at * PS + 50, 'a' + i);
	return ret;
}

/* Room for @pages more of data than there is now. */
static void leave_room(long pages)
{
	struct rlimit rl;

	getrlimit(RLIMIT_DATA, &rl);
	rl.rlim_cur = pages < 0 ? rl.rlim_max :
		      (rlim_t)(mp_status("VmData") * 1024 + pages * PS);
	setrlimit(RLIMIT_DATA, &rl);
}

/* MREMAP_DONTUNMAP of all, for which stock has to be asked run by run. */
static long leave_all(struct mp_pair *p, int side)
{
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
	char *b = p->base[side], *to = b + 0x2000000;
	size_t i, len;

	if (side == MULTI && !mp_stock)
		return mremap(b, PIECES_PAGES * PS, PIECES_PAGES * PS, flags, to) == to ? 0 : -1;
	for (i = 0; i < ARRAY_SIZE(pieces); i++, b += len, to += len) {
		len = pieces[i].n * PS;
		if (mremap(b, len, len, flags, to) != to)
			return -1;
	}
	return 0;
}

enum change {
	PROTECT_ALL, KEEP_FILE, ALL_LINEAR, ANOTHER_OFFSET, TO_BSS, DONTUNMAP_ALL, GROW_LAST,
	GROW_WHOLE, GROW_AND_MOVE, GROW_TEXT,
	/* What is kept comes after what is mapped anew. */
	MIXED, OFFSET_THEN_KEEP = MIXED, BSS_THEN_KEEP, OFFSET_KEEP_OFFSET, CHANGES
};

/*
 * How many pages of room it takes: of a file, and of anonymous memory, where
 * nothing has another offset and so all is mprotect(); -1: not to be had there.
 * mmap() over something counts nothing, but it fails when there is too much
 * already, and what comes after it counts on top of it.
 */
static const struct { const char *name; int file, anon; } change_needs[] = {
	[PROTECT_ALL] = { "mprotect of all", 8, 8 },
	[KEEP_FILE] = { "MAP_CHGPROT that keeps pages", 4, 4 },
	[ALL_LINEAR] = { "MAP_CHGPROT that keeps some pages", 4, 8 },
	[ANOTHER_OFFSET] = { "MAP_CHGPROT to another offset", 0, -1 },
	[TO_BSS] = { "MAP_CHGPROT of file pages to bss", 0, -1 },
	[DONTUNMAP_ALL] = { "mremap of all with MREMAP_DONTUNMAP", 14, 14 },
	[GROW_LAST] = { "mremap that grows the last run", 3, 3 },
	[GROW_WHOLE] = { "mremap that grows all", 3, 3 },
	[GROW_AND_MOVE] = { "mremap that grows and moves", 3, 3 },
	[GROW_TEXT] = { "mremap that grows text", 0, 0 },
	[OFFSET_THEN_KEEP] = { "MAP_CHGPROT to another offset, then kept", 4, -1 },
	[BSS_THEN_KEEP] = { "MAP_CHGPROT to bss, then kept", 3, -1 },
	[OFFSET_KEEP_OFFSET] = { "MAP_CHGPROT to another offset around kept", 2, -1 },
};

static long do_change(struct mp_pair *p, int side, enum change what)
{
	enum mp_kind kind = p->fd < 0 ? MP_ANON : MP_FILE;
	char *b = p->base[side], *to = b + 0x2000000;
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	size_t from;

	switch (what) {
	case PROTECT_ALL:
		return mprotect(b, PIECES_PAGES * PS, RW);
	case KEEP_FILE:
		return mp_chg_side(p, side, 0, 10, RW, kind, 0);
	case ALL_LINEAR:
		return mp_chg_side(p, side, 0, PIECES_PAGES, RW, kind, 0);
	case ANOTHER_OFFSET:
		return mp_chg_side(p, side, 1, 9, RW, MP_FILE, 45);
	case TO_BSS:
		return mp_chg_side(p, side, 1, 9, RW, MP_ANON, 0);
	case OFFSET_THEN_KEEP:	/* pages 18 and 19 are there already */
		return mp_chg_side(p, side, 13, 7, RW, MP_FILE, 35);
	case BSS_THEN_KEEP:	/* pages 10 to 14 are bss already */
		return mp_chg_side(p, side, 9, 6, RW, MP_ANON, 0);
	case OFFSET_KEEP_OFFSET: /* pages 15 to 17 are there already, and RW */
		return mp_chg_side(p, side, 13, 9, RW, MP_FILE, 28);
	case DONTUNMAP_ALL:
		return leave_all(p, side);
	case GROW_LAST:
		return mremap(b + 20 * PS, 2 * PS, 5 * PS, 0) == b + 20 * PS ? 0 : -1;
	case GROW_WHOLE:	/* stock refuses what is several VMAs */
		from = side == MULTI && !mp_stock ? 0 : 20 * PS;
		return mremap(b + from, PIECES_PAGES * PS - from,
			      (PIECES_PAGES + 3) * PS - from, 0) == b + from ? 0 : -1;
	case GROW_AND_MOVE:
		return mremap(b + 20 * PS, 2 * PS, 5 * PS, flags, to) == to ? 0 : -1;
	case GROW_TEXT:
		return mremap(b + 18 * PS, 2 * PS, 4 * PS, flags, to) == to ? 0 : -1;
	default:
		return -EINVAL;
	}
}

struct piece_test { struct mp_pair *p; enum change what; long room; int want; };

/* One change with so much room, on either side. */
static int change_in_room(void *arg)
{
	struct piece_test *t = arg;
	struct mp_pair *p = t->p;
	long data[2], ret[2];
	int side;

	for (side = 0; side < 2; side++) {
		data[side] = -mp_status("VmData");
		leave_room(t->room);
		errno = 0;
		ret[side] = do_change(p, side, t->what);
		if (ret[side] == -1)
			ret[side] = -errno;
		leave_room(-1);
		data[side] += mp_status("VmData");
	}
	if (ret[MULTI] != t->want || ret[EQUIV] != t->want) {
		mp_diff("%s, room for %ld pages: %ld and not %d, equivalent %ld",
			change_needs[t->what].name, t->room, ret[MULTI], t->want, ret[EQUIV]);
		return mp_bad;
	}
	if (t->want && t->what != PROTECT_ALL) {
		/* All or nothing; of what stands for it a part may have been done. */
		for (side = 0; side < 2; side++) {
			if (side == MULTI && !mp_stock)
				continue;
			munmap((void *)mp_window(side), MP_WINDOW_SIZE);
			if (build_pieces(p, side))
				return 200;
		}
		if (!mp_stock && data[MULTI])
			mp_diff("%ld kB of data by what failed", data[MULTI]);
	} else if (data[MULTI] != data[EQUIV]) {
		mp_diff("%ld kB of data, equivalent %ld kB", data[MULTI], data[EQUIV]);
	}
	mp_same(MP_NOTOUCH);
	return mp_bad;
}

/* To the page: it fails with a page less than it takes, and what it takes is enough. */
static int to_the_page(struct mp_pair *p, enum change from, enum change to, bool forked)
{
	struct piece_test t = { .p = p };
	int need, bad = 0, side;

	for (t.what = from; t.what < to; t.what++) {
		need = p->fd < 0 ? change_needs[t.what].anon : change_needs[t.what].file;
		for (t.room = need - 1; t.room <= need; t.room++) {
			if (t.room < 0)
				continue;
			t.want = t.room < need ? -ENOMEM : 0;
			mp_bad = 0;
			mp_clear();
			for (side = 0; side < 2; side++)
				bad += !!build_pieces(p, side);
			/* What a child has counts for it, and for nobody else. */
			bad += !!(forked ? mp_in_child(change_in_room, &t) : change_in_room(&t));
		}
	}
	return bad;
}

TEST_F(pieces, rlimit_data_to_the_page)
{
	ASSERT_EQ(0, to_the_page(&self->p, 0, MIXED, variant->forked));
}

/* What was mapped anew counts for what comes after it, though nobody asked. */
TEST_F(pieces, rlimit_data_of_kept_and_new)
{
	if (self->p.fd < 0)
		SKIP(return, "anonymous memory has no other offset");
	ASSERT_EQ(0, to_the_page(&self->p, MIXED, CHANGES, variant->forked));
}

/* kB of data of a child that has only this side of what the parent has. */
static int data_of_child(struct mp_pair *p, int side)
{
	munmap((void *)mp_window(!side), MP_WINDOW_SIZE);
	return mp_status("VmData");
}

/* fork() asks for no room, and a child counts what it has: not what it was not given. */
TEST_F(pieces, rlimit_data_of_fork)
{
	long data[2] = { -1, -2 }, all;
	int side, fds[2], status;
	pid_t pid;

	mp_clear();
	ASSERT_EQ(0, mp_both(&self->p, build_pieces(&self->p, side)));
	all = mp_status("VmData");
	/* Over bounds of runs: 2 + 1 pages of data. */
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + 7 * PS, 4 * PS, 10 /* MADV_DONTFORK */)));
	ASSERT_EQ(all, mp_status("VmData"));
	leave_room(0);
	for (side = 0; side < 2; side++) {
		ASSERT_EQ(0, pipe(fds));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			long kb = mp_status("VmData");

			/* 3 pages of each side; it may have as many as its parent. */
			if (kb != all - 6 * (long)PS / 1024)
				_exit(1);
			if (mprotect(self->p.base[side] + 13 * PS, 2 * PS, RW) ||
			    mprotect(self->p.base[side] + 18 * PS, 2 * PS, RW) ||
			    mprotect(self->p.base[side] + 2 * PS, 3 * PS, RW) != -1 ||
			    errno != ENOMEM)
				_exit(2);
			kb = data_of_child(&self->p, side);
			if (write(fds[1], &kb, sizeof(kb)) != sizeof(kb))
				_exit(3);
			_exit(0);
		}
		close(fds[1]);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		ASSERT_EQ((ssize_t)sizeof(long), read(fds[0], &data[side], sizeof(long)));
		close(fds[0]);
	}
	leave_room(-1);
	EXPECT_EQ(data[EQUIV], data[MULTI]);
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
}

/* Huge areas are not limited by anything else than their equivalent: 1 GiB of reserve, then use. */
TEST(arena_commit)
{
	size_t len = 1UL << 30;
	long was, vmas;
	char *m;
	int i;

	was = mp_status("VmData");
	m = mmap(NULL, len, NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, m);
	ASSERT_EQ(was, mp_status("VmData"));
	vmas = mp_vmas();
	for (i = 1; i <= 16; i++) {
		ASSERT_EQ(0, mprotect(m, i * 64 * PS, RW));
		ASSERT_EQ(was + i * 64 * PS / 1024, mp_status("VmData"));
	}
	if (!mp_stock) {
		ASSERT_EQ(vmas, mp_vmas());
	}
	ASSERT_EQ(0, munmap(m, len));
	ASSERT_EQ(was, mp_status("VmData"));
}

/* Pages a child opens and closes beside what was written before the fork. */
static int open_and_close(void *arg)
{
	struct mp_pair *p = arg;

	mp_both(p, mprotect(b + 4 * PS, 8 * PS, RW));
	mp_both(p, mprotect(b + 4 * PS, 8 * PS, NONE));
	mp_same(MP_NOTOUCH);
	/* Written, they stay accounted. */
	mp_both(p, mprotect(b + 8 * PS, 4 * PS, RW));
	mp_both(p, mp_put(b + 8 * PS, 'x'));
	mp_both(p, mprotect(b + 8 * PS, 4 * PS, NONE));
	return mp_same(MP_NOTOUCH);
}

/*
 * Opened beside a page that was written, pages become one VMA with it and stay
 * accounted when they are closed (ac); but not where that was before a fork.
 */
TEST(arena_commit_after_fork)
{
	struct mp_pair p = { .fd = -1, .npages = 16 };
	int side;

	for (side = 0; side < 2; side++) {
		p.base[side] = (char *)mp_window(side) + MP_BASE_OFFSET;
		ASSERT_EQ(p.base[side], mmap(p.base[side], 16 * PS, NONE, MAP_PRIVATE |
			MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | (side ? 0 : MAP_STACK), -1, 0));
	}
	/* As MAP_STACK does, where there are huge pages. */
	madvise(p.base[EQUIV], 16 * PS, 15 /* MADV_NOHUGEPAGE */);
	ASSERT_EQ(0, mp_both(&p, mprotect(b, 4 * PS, RW)));
	mp_both(&p, mp_put(b, 'w'));
	ASSERT_TRUE(mp_one_vma());
	ASSERT_EQ(0, mp_in_child(open_and_close, &p));
	ASSERT_EQ(0, open_and_close(&p));
	ASSERT_EQ(0, mp_in_child(open_and_close, &p));
}

/* A VMA of 2 * @n runs of a page each, or MAP_FAILED. */
static char *make_runs(size_t n)
{
	char *m = mmap(NULL, 2 * n * PS, NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t i;

	for (i = 0; m != MAP_FAILED && i < n; i++)
		if (mprotect(m + 2 * i * PS, PS, R))
			return MAP_FAILED;
	return m;
}

/* Objects of run maps after four large VMAs of which only @left pages are left. */
static long runs_kept(size_t left)
{
	size_t n = 20000, i, round;
	long was = mp_slab("vma_run"), now = 0;

	for (round = 0; round < 4; round++) {
		char *m = make_runs(n);

		if (m == MAP_FAILED || munmap(m + left * PS, (2 * n - left) * PS))
			return LONG_MAX;
	}
	/* They are freed by RCU. */
	for (i = 0; i < 300; i++) {
		now = mp_slab("vma_run") - was;
		if (now < 1000)
			break;
		usleep(100000);
	}
	return now;
}

/* What is left of a large VMA does not keep the runs of what was unmapped. */
TEST(rest_keeps_no_runs)
{
	if (mp_stock || !mp_system() || mp_slab("vma_run") < 0)
		SKIP(return, "counts the system's objects");
	if (runs_kept(0) >= 1000)
		SKIP(return, "the kernel keeps freed objects: KASAN");
	EXPECT_LT(runs_kept(3), 1000);
}

/* "Run-map bytes are charged to the memory cgroup": else a container could take all memory. */
TEST(memcg_charge)
{
	static const char cg[] = "/sys/fs/cgroup/manyprots";
	char name[128], pid[16];
	size_t n = 40000;
	long was, now;
	char *m;

	if (mp_stock || !mp_system())
		SKIP(return, "needs a cgroup");
	mp_sysctl_set("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	mkdir(cg, 0755);
	snprintf(name, sizeof(name), "%s/cgroup.procs", cg);
	snprintf(pid, sizeof(pid), "%d", getpid());
	if (mp_sysctl_set(name, pid))
		SKIP(return, "no memory cgroup");
	snprintf(name, sizeof(name), "%s/memory.current", cg);
	if (mp_sysctl(name) < 0)
		SKIP(return, "no memory cgroup");
	was = mp_sysctl(name);
	m = make_runs(n);
	ASSERT_NE(MAP_FAILED, m);
	now = mp_sysctl(name);
	/* 2 * 40,000 runs, a few bytes each at the least; the charge is in batches. */
	EXPECT_GT(now - was, (long)n * 8);
	TH_LOG("%zu runs: %ld bytes", 2 * n, now - was);
	munmap(m, 2 * n * PS);
	mp_sysctl_set("/sys/fs/cgroup/cgroup.procs", pid);
}

/* The OOM killer sees run maps, which are in no other number that it asks. */
TEST(oom_score)
{
	static const char score[] = "/proc/self/oom_score";
	size_t n = 150000;
	long was, now, want;
	char *m;

	/* In thousandths of all memory, and two thirds of that; 32 bytes a run. */
	want = mp_number("/proc/meminfo", "MemTotal") + mp_number("/proc/meminfo", "SwapTotal");
	want = (long)(2 * n * 32 / 1024) * 1000 / want * 2 / 3;
	if (mp_stock || want < 2)
		SKIP(return, "no run maps, or too much memory to see them");
	was = mp_sysctl(score);
	m = make_runs(n);
	ASSERT_NE(MAP_FAILED, m);
	now = mp_sysctl(score);
	EXPECT_LE(want - 1, now - was);
	ASSERT_EQ(0, munmap(m, 2 * n * PS));
	/* What mp_sysctl() has touched is in there too. */
	EXPECT_LE(mp_sysctl(score), was + 1);
}

TEST_HARNESS_MAIN
