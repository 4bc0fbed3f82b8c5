// SPDX-License-Identifier: GPL-2.0
/*
 * madvise, mlock, mincore, msync, mseal, names, mempolicy and userfaultfd on
 * parts of a multi-protection VMA.  They may split it; what is seen may not
 * differ.
 */
#include "manyprots_util.h"
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#ifndef __NR_mseal
#define __NR_mseal 462
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

MP_LIBRARY_FIXTURE(lib)

/* Drops private copies: the file's bytes and zeroes come back, at the right offsets. */
TEST_F(lib, dontneed)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + LIB_DATA * PS, 2 * PS, MADV_DONTNEED)));
	ASSERT_TRUE(mp_page_is_file(&self->p, self->p.base[MULTI] + LIB_DATA * PS, 9));
	ASSERT_EQ('D', self->p.base[MULTI][(LIB_DATA + 2) * PS + 100]);
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + (LIB_DATA + 2) * PS, 2 * PS, MADV_DONTNEED)));
	ASSERT_TRUE(mp_page_is_zero(self->p.base[MULTI] + LIB_BSS * PS));
	ASSERT_EQ(0, mp_both(&self->p, madvise(b, LIB_PAGES * PS, MADV_DONTNEED)));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
	ASSERT_TRUE(mp_one_vma());
}

/* Each advice over each part: same result, same VmFlags, same bytes and faults. */
static const int advices[] = {
	MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, MADV_FREE,
	MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK, MADV_MERGEABLE, MADV_UNMERGEABLE,
	MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP, MADV_WIPEONFORK,
	MADV_KEEPONFORK, MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
	24 /* MADV_DONTNEED_LOCKED */, 12345,
};

static const struct { size_t at, n; } parts[] = {
	{ 0, 2 }, { 1, 3 }, { LIB_RX + 1, 2 }, { LIB_RO, 6 }, { LIB_HOLE, 1 }, { LIB_RELRO, 1 },
	{ LIB_DATA, 3 }, { LIB_DATA + 1, 4 }, { LIB_BSS, 4 }, { LIB_BSS + 1, 2 },
	{ 0, LIB_PAGES }, { LIB_BSS, 10 }, { 30, 2 },
};

static int same_in_child(void *p)
{
	return mp_same(0);
}

TEST_F(lib, every_advice)
{
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(advices); i++)
		for (j = 0; j < ARRAY_SIZE(parts); j += variant->where == MP_TMP ? 1 : 5) {
			int bad = mp_bad;

			ASSERT_EQ(0, mp_map_runs(&self->p, mp_library));
			mp_dirty_library(&self->p);
			mp_both(&self->p, madvise(b + parts[j].at * PS, parts[j].n * PS,
						  advices[i]));
			mp_same(MP_WRITES);
			EXPECT_EQ(bad, mp_bad)
				TH_LOG("advice %d on %zu+%zu", advices[i], parts[j].at, parts[j].n);
		}
	ASSERT_EQ(0, mp_bad);
}

/*
 * MADV_WILLNEED reads in what a run maps of a file, and nothing else: a file on tmpfs
 * for each side, all in swap.
 */
#define SWAPPED_PAGES 16

FIXTURE(swapped) { struct mp_pair p; int fd[2]; };
FIXTURE_VARIANT(swapped) { int mflags; };
FIXTURE_VARIANT_ADD(swapped, private) { .mflags = 0 };
FIXTURE_VARIANT_ADD(swapped, shared) { .mflags = MAP_SHARED };
FIXTURE_SETUP(swapped)
{
	int i;

	self->p.mflags = variant->mflags;
	for (i = 0; i < 2; i++) {
		self->fd[i] = mp_file_in_swap(LIB_FILE_PAGES);
		if (self->fd[i] < 0)
			SKIP(return, "no swap");
	}
	ASSERT_EQ(0, mp_map_files(&self->p, self->fd, mp_swapped, ARRAY_SIZE(mp_swapped)));
	ASSERT_TRUE(mp_one_vma());
}

FIXTURE_TEARDOWN(swapped)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

/* What mincore() tells, once it is what is wanted: the advice does not wait. */
static int resident_is(char *b, const unsigned char *want)
{
	unsigned char vec[SWAPPED_PAGES];
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (mincore(b, SWAPPED_PAGES * PS, vec))
			return -1;
		if (!memcmp(vec, want, SWAPPED_PAGES))
			return 1;
		usleep(10000);
	}
	return 0;
}

TEST_F(swapped, willneed)
{
	/* A part of a run; one and a part of one with PROT_NONE; the end of one and another. */
	static const struct { size_t at, n; } ranges[] = { { 1, 2 }, { 4, 3 }, { 11, 5 } };
	unsigned char want[SWAPPED_PAGES] = { 0 };
	struct mp_pair *p = &self->p;
	size_t i;

	ASSERT_EQ(1, mp_both(p, resident_is(b, want)));
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		ASSERT_EQ(0, mp_both(p, madvise(b + ranges[i].at * PS, ranges[i].n * PS,
						MADV_WILLNEED)));
		memset(want + ranges[i].at, 1, ranges[i].n);
		EXPECT_EQ(1, mp_both(p, resident_is(b, want))) {
			TH_LOG("%zu pages at %zu", ranges[i].n, ranges[i].at);
		}
	}
	ASSERT_EQ(0, mp_bad);
	if (p->mflags & MAP_SHARED)
		return;
	/* Of zero-fill memory, what is in swap. */
	ASSERT_EQ(0, mp_chg(p, 13, 3, RW, MP_ANON, 0));
	for (i = 13; i < 16; i++)
		mp_both(p, mp_put(b + i * PS, 'z'));
	ASSERT_EQ(0, mp_both(p, madvise(b + 13 * PS, 3 * PS, MADV_PAGEOUT)));
	memset(want + 13, 0, 3);
	ASSERT_EQ(1, mp_both(p, resident_is(b, want)));
	ASSERT_EQ(0, mp_both(p, madvise(b + 12 * PS, 3 * PS, MADV_WILLNEED)));
	memset(want + 13, 1, 2);
	ASSERT_EQ(1, mp_both(p, resident_is(b, want)));
	ASSERT_EQ(0, mp_bad);
}

/* What an advice leaves behind goes on working: mprotect, remap, fork, munmap after it. */
TEST_F(lib, advice_then_change)
{
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(advices); i++)
		for (j = 0; j < ARRAY_SIZE(parts); j += variant->where == MP_TMP ? 3 : 12) {
			int bad = mp_bad;

			ASSERT_EQ(0, mp_map_runs(&self->p, mp_library));
			mp_dirty_library(&self->p);
			mp_both(&self->p, madvise(b + parts[j].at * PS, parts[j].n * PS,
						  advices[i]));
			mp_both(&self->p, mprotect(b + 1 * PS, 5 * PS, RW));
			mp_both(&self->p, mprotect(b + LIB_DATA * PS + PS, 5 * PS, R));
			mp_in_child(same_in_child, NULL);
			mp_both(&self->p, munmap(b + 7 * PS, PS));
			mp_same(MP_WRITES);
			EXPECT_EQ(bad, mp_bad)
				TH_LOG("advice %d on %zu+%zu", advices[i], parts[j].at, parts[j].n);
		}
	ASSERT_EQ(0, mp_bad);
}

/* MADV_DONTFORK on a part: the child lacks it and has the rest. */
TEST_F(lib, dontfork)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + LIB_DATA * PS + PS, 3 * PS, MADV_DONTFORK)));
	ASSERT_EQ(0, mp_in_child(same_in_child, NULL));
	ASSERT_EQ(0, mp_both(&self->p, madvise(b, LIB_PAGES * PS, MADV_DOFORK)));
	ASSERT_EQ(0, mp_in_child(same_in_child, NULL));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* MADV_WIPEONFORK is for anonymous memory: bss yes, data no; the child's is zero. */
TEST_F(lib, wipeonfork)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(-EINVAL, mp_both(&self->p, madvise(b + LIB_DATA * PS, 3 * PS, MADV_WIPEONFORK)));
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + LIB_BSS * PS, 2 * PS, MADV_WIPEONFORK)));
	ASSERT_EQ(0, mp_in_child(same_in_child, NULL));
	ASSERT_EQ('b', self->p.base[MULTI][LIB_BSS * PS + 100]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

static int wiped_in_child(void *arg)
{
	struct mp_pair *p = arg;

	mp_both(p, mp_put(b, 'c'));
	mp_both(p, mprotect(b + 5 * PS, 4 * PS, R));
	mp_same(MP_NOTOUCH);
	mp_both(p, mprotect(b + 5 * PS, 4 * PS, RW));
	mp_both(p, mp_put(b + 6 * PS, 'x'));
	mp_both(p, mprotect(b + 5 * PS, 4 * PS, R));
	mp_same(MP_NOTOUCH);
	mp_both(p, madvise(b, 9 * PS, MADV_KEEPONFORK));
	return mp_in_child(same_in_child, NULL) + mp_same(0);
}

/*
 * A wiped child has not got what private pages leave behind either: what it
 * does not touch is no longer accounted (ac) when it becomes read-only, though
 * its parent had touched it and another run of it has been touched again.
 */
TEST(wipeonfork_forgets)
{
	static const struct mp_run runs[] = {
		{ 4, RW, MP_ANON, 0 }, { 1, R, MP_ANON, 0 }, { 4, RW, MP_ANON, 0 },
	};
	static struct mp_pair p;

	p.fd = -1;
	ASSERT_EQ(0, mp_map_runs(&p, runs));
	mp_both(&p, mp_put(b, 'a'));
	mp_both(&p, mp_put(b + 5 * PS, 'b'));
	ASSERT_EQ(0, mp_both(&p, madvise(b, 9 * PS, MADV_WIPEONFORK)));
	ASSERT_TRUE(mp_one_vma());
	ASSERT_EQ(0, mp_in_child(wiped_in_child, &p));
	/* The parent forgets nothing. */
	mp_both(&p, mprotect(b + 5 * PS, 4 * PS, R));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	ASSERT_EQ('b', p.base[MULTI][5 * PS]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* MADV_FREE is for anonymous memory, too. */
TEST_F(lib, free)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + LIB_BSS * PS, 2 * PS, MADV_FREE)));
	ASSERT_EQ(-EINVAL, mp_both(&self->p, madvise(b + LIB_DATA * PS, PS, MADV_FREE)));
	/* A write cancels it. */
	mp_both(&self->p, mp_put(b + LIB_BSS * PS + 100, 'B'));
	ASSERT_EQ('B', self->p.base[MULTI][LIB_BSS * PS + 100]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* MADV_POPULATE_*: EFAULT for runs that may not be accessed so, with what is before populated. */
TEST_F(lib, populate)
{
	size_t i;

	for (i = 0; i < LIB_PAGES; i++) {
		mp_both(&self->p, madvise(b + i * PS, 3 * PS, MADV_POPULATE_READ));
		mp_both(&self->p, madvise(b + i * PS, 3 * PS, MADV_POPULATE_WRITE));
	}
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* process_madvise goes over runs as over VMAs. */
TEST_F(lib, process_madvise)
{
	int pidfd = syscall(434 /* pidfd_open */, getpid(), 0);
	size_t at;

	if (pidfd < 0)
		SKIP(return, "no pidfd_open");
	mp_dirty_library(&self->p);
	for (at = 0; at < LIB_PAGES; at += 2)
		mp_both(&self->p, ({
			struct iovec v = { b + at * PS, 5 * PS };

			syscall(440 /* process_madvise */, pidfd, &v, 1, MADV_COLD, 0); }));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	close(pidfd);
}

static long locked(void)
{
	return mp_status("VmLck");
}

/* mlock of parts: VmLck, VmFlags lo, the error of a PROT_NONE run, populated pages. */
TEST_F(lib, mlock)
{
	struct mp_pair *p = &self->p;
	size_t at, n;

	for (at = 0; at < LIB_PAGES; at += 4)
		for (n = 1; at + n <= LIB_PAGES; n += 5) {
			mp_both_delta(p, locked(), mlock(b + at * PS, n * PS));
			mp_both(p, mlock(b + at * PS, n * PS));
			mp_same(MP_NOTOUCH);
			mp_both_delta(p, locked(), munlock(b + (at + n / 2) * PS, n * PS));
			mp_same(MP_NOTOUCH);
		}
	ASSERT_EQ(0, mp_same(MP_WRITES));
	mp_both_delta(p, locked(), munlock(b, LIB_PAGES * PS));
	mp_both_delta(p, locked(), mlock(b, LIB_PAGES * PS));
	mp_both_delta(p, locked(), munmap(b + 5 * PS, 10 * PS));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* mlock of a writable run breaks COW; of text and rodata it does not. */
TEST_F(lib, mlock_populates)
{
	unsigned char vec[2][LIB_PAGES];

	ASSERT_EQ(0, mp_both(&self->p, mlock(b, LIB_HOLE * PS)));
	ASSERT_EQ(0, mp_both(&self->p, mlock(b + LIB_RELRO * PS, (LIB_PAGES - LIB_RELRO) * PS)));
	mp_both(&self->p, mincore(b, LIB_PAGES * PS, vec[side]));
	ASSERT_EQ(0, memcmp(vec[0] + LIB_BSS, vec[1] + LIB_BSS, 4));
	ASSERT_EQ(0, mp_same(0));
	/* "VM_LOCKED areas are populated as stock's mmap/mprotect would" */
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + 2 * PS, 2 * PS, RW)));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_HOLE * PS, PS, RW)));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

static long resident(char *b, size_t n)
{
	unsigned char vec[16];
	long sum = 0;
	size_t i;

	if (mincore(b, n * PS, vec))
		return -1;
	for (i = 0; i < n; i++)
		sum += vec[i] & 1;
	return sum;
}

/* What is locked but absent comes with a call only where mprotect would populate it. */
TEST(locked_but_absent)
{
	static const struct mp_run run[] = { { 4, NONE, MP_ANON, 0 } };
	static struct mp_pair p;

	p.fd = -1;
	ASSERT_EQ(0, mp_map_runs(&p, run));
	/* PROT_NONE cannot be populated: it is locked, and fails. */
	ASSERT_EQ(-ENOMEM, mp_both(&p, mlock(b, 4 * PS)));
	ASSERT_EQ(0, mp_chg(&p, 0, 4, R, MP_ANON, 0));
	ASSERT_EQ(0, mp_both(&p, resident(b, 4)));
	ASSERT_EQ(0, mp_chg(&p, 1, 2, RW, MP_ANON, 0));
	ASSERT_EQ(2, mp_both(&p, resident(b, 4)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* mlock2(MLOCK_ONFAULT). */
TEST_F(lib, mlock_onfault)
{
	mp_both_delta(&self->p, locked(), syscall(__NR_mlock2, b + 3 * PS, 13 * PS, 1));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

TEST_F(lib, mlockall)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mlockall(MCL_CURRENT));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, munlockall());
	ASSERT_EQ(0, mp_same(MP_WRITES));
	/* Of what is mapped later: populated when the call makes it accessible. */
	ASSERT_EQ(0, mlockall(MCL_FUTURE));
	ASSERT_EQ(0, mp_map_runs(&self->p, mp_library));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	munlockall();
}

/* mlockall(MCL_ONFAULT): what is there, and with MCL_FUTURE what comes; nothing is populated. */
TEST_F(lib, mlockall_onfault)
{
	unsigned char vec[2][4];

	mp_dirty_library(&self->p);
	if (mlockall(MCL_CURRENT | 4 /* MCL_ONFAULT */))
		SKIP(return, "no MCL_ONFAULT");
	mp_both(&self->p, mincore(b + LIB_BSS * PS, 4 * PS, vec[side]));
	ASSERT_EQ(0, vec[MULTI][1]);
	ASSERT_EQ(0, memcmp(vec[0], vec[1], 4));
	mp_both_delta(&self->p, locked(), mprotect(b + LIB_BSS * PS, 2 * PS, R));
	mp_both_delta(&self->p, locked(), munmap(b + (LIB_RX + 1) * PS, 2 * PS));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	mp_both_delta(&self->p, locked(), munlock(b, LIB_PAGES * PS));
	ASSERT_EQ(0, munlockall());
	ASSERT_EQ(0, mp_same(MP_WRITES));

	ASSERT_EQ(0, mlockall(MCL_FUTURE | 4));
	mp_clear();
	mp_both_delta(&self->p, locked(), mp_map_side(&self->p, side, mp_library,
						      ARRAY_SIZE(mp_library)));
	mp_both(&self->p, mincore(b + LIB_BSS * PS, 4 * PS, vec[side]));
	ASSERT_EQ(0, vec[MULTI][1]);
	ASSERT_EQ(0, memcmp(vec[0], vec[1], 4));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	munlockall();
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/*
 * What comes fresh after mlockall(MCL_FUTURE) would have been locked: that is for
 * mmap() to do where the mapping is not, and counts against the limit where it is.
 */
TEST_F(lib, mlockall_then_change)
{
	/* Both sides are locked, and there is room for eight pages, not sixteen. */
	rlim_t room = (2 * LIB_PAGES + 12) * PS;
	struct rlimit rl = { room, room };
	struct mp_pair *p = &self->p;
	int status;
	pid_t pid;

	ASSERT_EQ(0, mlockall(MCL_FUTURE));
	if (!mp_stock)
		ASSERT_EQ(-EINVAL, mp_chg_side(p, MULTI, LIB_DATA, 2, RW, MP_FILE, 40));
	ASSERT_EQ(0, mp_chg(p, LIB_DATA, 2, R, MP_FILE, 9));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	ASSERT_EQ(0, munlockall());
	pid = fork();
	if (!pid) {
		/* Root is not limited: be nobody, who may read this file of ours. */
		if (variant->where != MP_LOWER)
			fchmod(p->fd, 0644);
		mp_both(p, mlock(b, LIB_PAGES * PS));
		if (mlockall(MCL_FUTURE) || setrlimit(RLIMIT_MEMLOCK, &rl) ||
		    (!geteuid() && setuid(65534)))
			_exit(77);
		mp_both(p, mp_chg_side(p, side, 0, 8, R, MP_FILE, 30));
		mp_both(p, mp_chg_side(p, side, 0, 16, R, MP_FILE, 20));
		_exit(mp_same(MP_NOTOUCH | MP_NOSMAPS));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
}

/* Of locked runs, MADV_DONTNEED_LOCKED drops what MADV_DONTNEED may not. */
TEST_F(lib, dontneed_locked)
{
	const int dontneed_locked = 24;

	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, mlock(b + LIB_DATA * PS, 5 * PS)));
	ASSERT_EQ(-EINVAL, mp_both(&self->p, madvise(b + LIB_DATA * PS, 5 * PS, MADV_DONTNEED)));
	ASSERT_EQ(-EINVAL, mp_both(&self->p, madvise(b + LIB_RELRO * PS, 2 * PS, MADV_DONTNEED)));
	ASSERT_EQ(0, mp_same(0));
	if (mp_both(&self->p, madvise(b + (LIB_DATA + 2) * PS, 5 * PS, dontneed_locked)))
		SKIP(return, "no MADV_DONTNEED_LOCKED");
	ASSERT_EQ('d', self->p.base[MULTI][LIB_DATA * PS + 100]);
	ASSERT_TRUE(mp_page_is_file(&self->p, self->p.base[MULTI] + (LIB_DATA + 2) * PS, 11));
	ASSERT_TRUE(mp_page_is_zero(self->p.base[MULTI] + LIB_BSS * PS));
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(0, mp_both(&self->p, madvise(b, LIB_PAGES * PS, dontneed_locked)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* RLIMIT_MEMLOCK counts pages, not VMAs. */
TEST_F(lib, rlimit_memlock)
{
	struct rlimit rl = { 8 * PS, 8 * PS };
	int status;
	pid_t pid = fork();

	if (!pid) {
		/* Root is not limited: be nobody. */
		setrlimit(RLIMIT_MEMLOCK, &rl);
		if (!geteuid() && setuid(65534))
			_exit(0);
		mp_both(&self->p, ({
			long r = mlock(b, 9 * PS);

			if (r == -1 && errno != ENOMEM && errno != EAGAIN && errno != EPERM)
				abort();
			r; }));
		mp_both(&self->p, ({ long r = mlock(b, 5 * PS); munlock(b, 5 * PS); r; }));
		_exit(mp_same(MP_NOTOUCH | MP_NOSMAPS));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
}

/* mincore: the page cache by the run's offset; errors by hole. */
TEST_F(lib, mincore)
{
	unsigned char vec[2][64];
	size_t at, n;

	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_same(0));
	for (at = 0; at < LIB_PAGES; at++)
		for (n = 1; at + n <= LIB_PAGES + 2; n += 3) {
			memset(vec, 0, sizeof(vec));
			mp_both(&self->p, mincore(b + at * PS, n * PS, vec[side]));
			ASSERT_EQ(0, memcmp(vec[0], vec[1], n)) TH_LOG("%zu+%zu", at, n);
		}
	ASSERT_EQ(0, mp_bad);
}

/* mincore of pages never mapped: beyond the end of file none, in a page cache hole none. */
TEST_F(lib, mincore_by_offset)
{
	unsigned char vec[2][LIB_PAGES];

	ASSERT_EQ(0, mp_chg(&self->p, 3, 4, R, MP_FILE, 1UL << 20));
	memset(vec, 0, sizeof(vec));
	ASSERT_EQ(0, mp_both(&self->p, mincore(b, LIB_PAGES * PS, vec[side])));
	ASSERT_EQ(0, memcmp(vec[0], vec[1], LIB_PAGES));
	ASSERT_EQ(0, vec[0][3] & 1);
}

static int mincore_in_child(void *arg)
{
	struct mp_pair *p = arg;
	unsigned char vec[2][LIB_PAGES];

	if (setuid(65534))
		return 1;
	mp_both(p, mincore(b, LIB_PAGES * PS, vec[side]));
	/* Of bss it is told what is there, of the file that all is. */
	if (vec[EQUIV][LIB_BSS + 1] || !vec[EQUIV][LIB_HOLE])
		mp_diff("mincore tells nobody what it should not, or too little");
	return mp_bad || memcmp(vec[0], vec[1], LIB_PAGES);
}

/* mincore tells nothing of a file that one may not write to; of bss in the same VMA it does. */
TEST_F(lib, mincore_of_others)
{
	if (geteuid())
		SKIP(return, "needs a file of somebody else");
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_in_child(mincore_in_child, &self->p));
}

TEST_F(lib, msync)
{
	size_t at;

	mp_dirty_library(&self->p);
	for (at = 0; at <= LIB_PAGES; at += 2) {
		mp_both(&self->p, msync(b + at * PS, 4 * PS, MS_SYNC));
		mp_both(&self->p, msync(b + at * PS, 4 * PS, MS_ASYNC));
		mp_both(&self->p, msync(b + at * PS, 4 * PS, MS_INVALIDATE));
	}
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* msync(MS_INVALIDATE) of locked memory is EBUSY. */
TEST_F(lib, msync_locked)
{
	mp_both(&self->p, mlock(b + LIB_DATA * PS, PS));
	mp_both(&self->p, msync(b, LIB_PAGES * PS, MS_INVALIDATE));
	mp_both(&self->p, msync(b, 3 * PS, MS_INVALIDATE));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Names: of bss allowed, of file runs EBADF, of both up to the file part. */
TEST_F(lib, anon_name)
{
	if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, self->p.base[EQUIV] + LIB_BSS * PS, PS, "x"))
		SKIP(return, "no names of anonymous VMAs");
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, self->p.base[EQUIV] + LIB_BSS * PS, PS, NULL);
	ASSERT_EQ(0, mp_both(&self->p, prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, b + LIB_BSS * PS,
					     2 * PS, "library bss")));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	ASSERT_EQ(0, mp_both(&self->p, prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME,
					     b + (LIB_BSS + 1) * PS, 2 * PS, "other")));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	mp_both(&self->p, prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, b + LIB_DATA * PS, PS, "data"));
	mp_both(&self->p, prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, b + (LIB_DATA + 2) * PS, 2 * PS,
				"both"));
	mp_both(&self->p, prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, b, LIB_PAGES * PS, "all"));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_in_child(same_in_child, NULL));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_BSS * PS, PS, R)));
	ASSERT_EQ(0, mp_both(&self->p, munmap(b + (LIB_BSS + 2) * PS, PS)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_both(&self->p, prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, b + LIB_BSS * PS,
					     2 * PS, NULL)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* The name of a stack, given when it has its guard already (glibc 2.42 does so). */
TEST(anon_name_with_runs)
{
	static const struct mp_run runs[] = { { 1, NONE, MP_ANON, 0 }, { 15, RW, MP_ANON, 0 } };
	static struct mp_pair p;

	p.fd = -1;
	ASSERT_EQ(0, mp_map_runs(&p, runs));
	mp_both(&p, prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, b, 16 * PS, "stack of a thread"));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	mp_both(&p, mprotect(b + 4 * PS, PS, R));
	mp_both(&p, prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, b + 2 * PS, 4 * PS, NULL));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* At the limit of VMAs, advice that splits is EAGAIN; ENOMEM would be of unmapped pages. */
TEST_F(lib, anon_name_without_vmas)
{
	static const char file[] = "/proc/sys/vm/max_map_count";
	char old[32], now[32];

	if (!mp_system() || prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME,
				  self->p.base[EQUIV] + LIB_BSS * PS, PS, NULL))
		SKIP(return, "changes a sysctl, or no names of anonymous VMAs");
	snprintf(old, sizeof(old), "%ld", mp_sysctl(file));
	snprintf(now, sizeof(now), "%ld", mp_vmas());
	ASSERT_EQ(0, mp_sysctl_set(file, now));
	EXPECT_EQ(-EAGAIN, mp_both(&self->p, prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME,
						   b + (LIB_BSS + 1) * PS, PS, "x")));
	EXPECT_EQ(-EAGAIN, mp_both(&self->p, madvise(b + (LIB_BSS + 1) * PS, PS,
						     MADV_WIPEONFORK)));
	EXPECT_EQ(0, mp_sysctl_set(file, old));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* A sealed one: every change is EPERM, MAP_CHGPROT too, and nothing is changed. */
TEST_F(lib, mseal)
{
	mp_dirty_library(&self->p);
	if (mp_both(&self->p, syscall(__NR_mseal, b, LIB_PAGES * PS, 0)) < 0)
		SKIP(return, "no mseal");
	ASSERT_EQ(-EPERM, mp_both(&self->p, mprotect(b + LIB_DATA * PS, PS, R)));
	ASSERT_EQ(-EPERM, mp_both(&self->p, munmap(b + LIB_DATA * PS, PS)));
	mp_both(&self->p, (long)mremap(b + LIB_BSS * PS, 4 * PS, 8 * PS, 0));
	mp_both(&self->p, madvise(b + LIB_DATA * PS, PS, MADV_DONTNEED));
	mp_both(&self->p, madvise(b, PS, MADV_DONTNEED));
	mp_both(&self->p, madvise(b + LIB_BSS * PS, PS, MADV_DONTNEED));
	mp_both(&self->p, madvise(b + LIB_DATA * PS, 7 * PS, MADV_DONTNEED));
	/* Discarding is refused where there is no write permission. */
	mp_both(&self->p, madvise(b + LIB_RELRO * PS, 2 * PS, MADV_DONTNEED));
	if (!mp_stock) {
		EXPECT_EQ(-EPERM, mp_rfp(self->p.base[MULTI], PS, RW, 0, MAP_CHGPROT));
		EXPECT_EQ(-EPERM, mp_rfp(self->p.base[MULTI] + 3 * PS, PS, RW, 0,
					 MAP_CHGPROT | MAP_ANONYMOUS));
	}
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* A read-only sealed anonymous run must keep its contents: MADV_DONTNEED is EPERM there. */
TEST_F(lib, mseal_readonly_anonymous)
{
	mp_dirty_library(&self->p);
	mp_both(&self->p, mprotect(b + LIB_BSS * PS, PS, R));
	if (mp_both(&self->p, syscall(__NR_mseal, b, LIB_PAGES * PS, 0)) < 0)
		SKIP(return, "no mseal");
	ASSERT_EQ(-EPERM, mp_both(&self->p, madvise(b + LIB_BSS * PS, PS, MADV_DONTNEED)));
	mp_both(&self->p, madvise(b + (LIB_BSS + 1) * PS, PS, MADV_DONTNEED));
	mp_both(&self->p, madvise(b + 2 * PS, PS, MADV_DONTNEED));
	ASSERT_EQ('b', self->p.base[MULTI][LIB_BSS * PS + 100]);
	ASSERT_EQ(0, mp_same(0));
}

/*
 * Advice that changes the mapping is refused by the runs in the range only,
 * and done up to the one that refuses it.
 */
TEST_F(lib, mseal_by_run)
{
	struct mp_pair *p = &self->p;

	mp_dirty_library(p);
	mp_both(p, mprotect(b + (LIB_BSS + 2) * PS, PS, R));
	if (mp_both(p, syscall(__NR_mseal, b, LIB_PAGES * PS, 0)) < 0)
		SKIP(return, "no mseal");
	EXPECT_EQ(0, mp_both(p, madvise(b, 3 * PS, MADV_DONTFORK)));
	EXPECT_EQ(0, mp_both(p, madvise(b + LIB_BSS * PS, 2 * PS, MADV_WIPEONFORK)));
	EXPECT_EQ(0, mp_same(MP_NOTOUCH));
	EXPECT_EQ(-EPERM, mp_both(p, madvise(b + (LIB_BSS + 2) * PS, PS, MADV_DONTFORK)));
	EXPECT_EQ(-EPERM, mp_both(p, madvise(b + (LIB_BSS + 2) * PS, PS, MADV_WIPEONFORK)));
	EXPECT_EQ(-EINVAL, mp_both(p, madvise(b + LIB_DATA * PS, PS, MADV_WIPEONFORK)));
	EXPECT_EQ(0, mp_same(MP_NOTOUCH));
	EXPECT_EQ(-EPERM, mp_both(p, madvise(b + LIB_DATA * PS, 7 * PS, MADV_DONTFORK)));
	EXPECT_EQ(0, mp_same(MP_NOTOUCH));
	EXPECT_EQ(0, mp_both(p, madvise(b + (LIB_BSS + 3) * PS, PS, MADV_DONTFORK)));
	EXPECT_EQ(0, mp_both(p, madvise(b + LIB_BSS * PS, PS, MADV_DONTNEED)));
	EXPECT_EQ(0, mp_same(0));
	EXPECT_EQ(0, mp_in_child(same_in_child, NULL));
}

/* So it is where the advice changes nothing: what refuses it is behind that. */
TEST_F(lib, mseal_unchanged)
{
	struct mp_pair *p = &self->p;

	mp_both(p, mprotect(b + (LIB_BSS + 2) * PS, PS, R));
	mp_both(p, madvise(b, LIB_PAGES * PS, MADV_DONTFORK));
	if (mp_both(p, syscall(__NR_mseal, b, LIB_PAGES * PS, 0)) < 0)
		SKIP(return, "no mseal");
	EXPECT_EQ(0, mp_both(p, madvise(b + 3 * PS, 9 * PS, MADV_DONTFORK)));
	EXPECT_EQ(-EPERM, mp_both(p, madvise(b, LIB_PAGES * PS, MADV_DONTFORK)));
	EXPECT_EQ(0, mp_same(0));
}

/* mseal of a part: sealed there, changeable beside. */
TEST_F(lib, mseal_part)
{
	if (mp_both(&self->p, syscall(__NR_mseal, b + 3 * PS, 2 * PS, 0)) < 0)
		SKIP(return, "no mseal");
	mp_both(&self->p, mprotect(b + 2 * PS, PS, RW));
	mp_both(&self->p, mprotect(b + 3 * PS, PS, RW));
	mp_both(&self->p, mprotect(b + 5 * PS, PS, RW));
	mp_both(&self->p, mprotect(b + 1 * PS, 8 * PS, RW));
	mp_both(&self->p, munmap(b + 6 * PS, PS));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Memory policy of a part. */
TEST_F(lib, mbind)
{
	unsigned long node = 1;

	if (syscall(__NR_mbind, self->p.base[EQUIV] + 3 * PS, 4 * PS, MPOL_BIND, &node, 64, 0))
		SKIP(return, "no memory policy");
	mp_both(&self->p, syscall(__NR_mbind, b + 3 * PS, 4 * PS, MPOL_BIND, &node, 64, 0));
	mp_both(&self->p, syscall(__NR_mbind, b + 13 * PS, 4 * PS, MPOL_PREFERRED, &node, 64,
				  MPOL_MF_MOVE));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	mp_both(&self->p, ({
		int mode = -1;

		syscall(__NR_get_mempolicy, &mode, NULL, 0, b + 4 * PS, MPOL_F_ADDR);
		mode; }));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Mode and nodes of the policy of a page, as one number. */
static long policy_of(char *addr)
{
	unsigned long nodes = 0;
	int mode = -1;

	if (syscall(__NR_get_mempolicy, &mode, &nodes, 64, addr, MPOL_F_ADDR))
		return -1;
	return nodes << 16 | mode;
}

/* The node that a page is on; it is read. */
static long node_of(char *addr)
{
	int node = -1;

	if (syscall(__NR_get_mempolicy, &node, NULL, 0, addr, MPOL_F_ADDR | MPOL_F_NODE))
		return -1;
	return node;
}

static bool two_nodes(void)
{
	return !access("/sys/devices/system/node/node1", F_OK) &&
	       mp_slurp("/sys/devices/system/node/has_memory") > 0 && strchr(mp_text, '1');
}

/* In a shared mapping of tmpfs the policy is the file's: of the pages that the runs map. */
TEST(mbind_shared)
{
	static const struct mp_run runs[] = {
		{ 4, RW, MP_FILE, 0 }, { 2, R, MP_FILE, 40 }, { 5, RW, MP_FILE, 20 },
		{ 3, R, MP_FILE, 9 }, { 2, NONE, MP_FILE, 30 },
	};
	static struct mp_pair p = { .mflags = MAP_SHARED };
	unsigned long node0 = 1, node1 = 2;
	char *whole[2];
	int fd[2];
	size_t i;

	if (!two_nodes())
		SKIP(return, "no two nodes");
	for (i = 0; i < 2; i++) {
		fd[i] = memfd_create("policy", MFD_CLOEXEC);
		ASSERT_EQ(0, ftruncate(fd[i], LIB_FILE_PAGES * PS));
		whole[i] = mmap(NULL, LIB_FILE_PAGES * PS, R, MAP_SHARED, fd[i], 0);
		ASSERT_NE(MAP_FAILED, whole[i]);
	}
	ASSERT_EQ(0, mp_map_files(&p, fd, runs, ARRAY_SIZE(runs)));
	ASSERT_TRUE(mp_one_vma());
	/* The end of a run, one, and the beginning of another; a part of one; a whole one. */
	ASSERT_EQ(0, mp_both(&p, syscall(__NR_mbind, b + 3 * PS, 6 * PS, MPOL_BIND, &node1, 64,
					 0)));
	ASSERT_EQ(0, mp_both(&p, syscall(__NR_mbind, b + 9 * PS, PS, MPOL_PREFERRED, &node0, 64,
					 0)));
	ASSERT_EQ(0, mp_both(&p, syscall(__NR_mbind, b + 11 * PS, 3 * PS, MPOL_BIND, &node0, 64,
					 0)));
	for (i = 0; i < p.npages; i++)
		mp_both(&p, policy_of(b + i * PS));
	EXPECT_EQ(node1 << 16 | MPOL_BIND, policy_of(p.base[MULTI] + 4 * PS));
	for (i = 0; i < LIB_FILE_PAGES; i++)
		mp_both(&p, policy_of(whole[side] + i * PS));
	EXPECT_EQ(node1 << 16 | MPOL_BIND, policy_of(whole[MULTI] + 40 * PS));
	EXPECT_EQ(MPOL_DEFAULT, policy_of(whole[MULTI] + 4 * PS));
	/* That is where pages come from. */
	for (i = 3; i < 9; i++) {
		EXPECT_EQ(1, mp_both(&p, node_of(b + i * PS)));
	}
	EXPECT_EQ(0, mp_both(&p, node_of(b + 12 * PS)));
	ASSERT_EQ(0, mp_bad);
	for (i = 0; i < 2; i++)
		close(fd[i]);
}

/* Interleaved pages of a file are on nodes by their offset in it. */
TEST(mbind_interleave)
{
	static const struct mp_run runs[] = {
		{ 3, RW, MP_FILE, 0 }, { 4, RW, MP_FILE, 8 }, { 5, RW, MP_FILE, 31 },
		{ 4, RW, MP_FILE, 20 },
	};
	static struct mp_pair p;
	unsigned long both = 3;
	size_t i, on[2] = { 0 };

	if (!two_nodes())
		SKIP(return, "no two nodes");
	p.fd = mp_file(MP_MEMFD, LIB_FILE_PAGES);
	ASSERT_EQ(0, mp_map_runs(&p, runs));
	ASSERT_TRUE(mp_one_vma());
	ASSERT_EQ(0, mp_both(&p, syscall(__NR_mbind, b, p.npages * PS, MPOL_INTERLEAVE, &both, 64,
					 0)));
	for (i = 0; i < p.npages; i++) {
		mp_both(&p, mp_put(b + i * PS, 'i'));
		on[mp_both(&p, node_of(b + i * PS)) & 1]++;
	}
	EXPECT_LT(0, on[0]);
	EXPECT_LT(0, on[1]);
	ASSERT_EQ(0, mp_bad);
	close(p.fd);
}

/* userfaultfd may refuse such a VMA or split it: the data is right either way. */
TEST_F(lib, userfaultfd)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg;
	struct uffdio_range range;
	int fd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK | 1 /* UFFD_USER_MODE_ONLY */);
	int r;

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		SKIP(return, "no userfaultfd");
	mp_dirty_library(&self->p);
	reg.range.start = (unsigned long)self->p.base[MULTI] + (LIB_BSS + 1) * PS;
	reg.range.len = 2 * PS;
	reg.mode = UFFDIO_REGISTER_MODE_MISSING;
	r = ioctl(fd, UFFDIO_REGISTER, &reg);
	if (!r) {
		struct uffdio_zeropage zero = { .range = reg.range };

		EXPECT_EQ(0, ioctl(fd, UFFDIO_ZEROPAGE, &zero));
		EXPECT_TRUE(mp_page_is_zero(self->p.base[MULTI] + (LIB_BSS + 1) * PS));
		EXPECT_EQ(0, mp_put(self->p.base[MULTI] + (LIB_BSS + 1) * PS, 0));
		EXPECT_EQ(0, mp_put(self->p.base[MULTI] + (LIB_BSS + 2) * PS, 0));
		mp_put(self->p.base[EQUIV] + (LIB_BSS + 1) * PS, 0);
		mp_put(self->p.base[EQUIV] + (LIB_BSS + 2) * PS, 0);
		range = reg.range;
		EXPECT_EQ(0, ioctl(fd, UFFDIO_UNREGISTER, &range));
	}
	/* The whole: a mapping of a file is refused by stock as well. */
	reg.range.start = (unsigned long)self->p.base[MULTI];
	reg.range.len = LIB_PAGES * PS;
	if (!ioctl(fd, UFFDIO_REGISTER, &reg)) {
		range = reg.range;
		EXPECT_EQ(0, ioctl(fd, UFFDIO_UNREGISTER, &range));
	}
	close(fd);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/*
 * What changes page by page, in either direction, ends as few VMAs, as in stock:
 * who does that to many pages is not stopped by vm.max_map_count.
 */
enum page_op { PAGE_MLOCK, PAGE_DONTDUMP, PAGE_DONTFORK, PAGE_MBIND, PAGE_NAME, PAGE_MSEAL };

#define PART_PAGES 100

FIXTURE(part) { char *m; };
FIXTURE_VARIANT(part) { enum page_op op; bool file; };
FIXTURE_VARIANT_ADD(part, mlock) { .op = PAGE_MLOCK };
FIXTURE_VARIANT_ADD(part, mlock_file) { .op = PAGE_MLOCK, .file = true };
FIXTURE_VARIANT_ADD(part, dontdump) { .op = PAGE_DONTDUMP };
FIXTURE_VARIANT_ADD(part, dontdump_file) { .op = PAGE_DONTDUMP, .file = true };
FIXTURE_VARIANT_ADD(part, dontfork) { .op = PAGE_DONTFORK };
FIXTURE_VARIANT_ADD(part, mbind) { .op = PAGE_MBIND };
FIXTURE_VARIANT_ADD(part, name) { .op = PAGE_NAME };
FIXTURE_VARIANT_ADD(part, mseal) { .op = PAGE_MSEAL };
FIXTURE_SETUP(part)
{
	int fd = -1, flags = MAP_PRIVATE | MAP_NORESERVE;
	unsigned long node = 1;

	if (variant->file)
		fd = mp_file(MP_MEMFD, 3 * PART_PAGES);
	else
		flags |= MAP_ANONYMOUS;
	self->m = mmap(NULL, 3 * PART_PAGES * PS, NONE, flags, fd, 0);
	ASSERT_NE(MAP_FAILED, self->m);
	if (fd >= 0)
		close(fd);
	if (variant->op == PAGE_MBIND &&
	    syscall(__NR_mbind, self->m, PS, 1 /* MPOL_PREFERRED */, &node, 8, 0))
		SKIP(return, "no mbind");
	if (variant->op == PAGE_NAME && prctl(0x53564d41, 0, self->m, PS, "part"))
		SKIP(return, "no names");
	if (variant->op == PAGE_MSEAL && syscall(__NR_mseal, self->m, 0, 0))
		SKIP(return, "no mseal");
	/* Between what stays PROT_NONE: with runs a VMA of three. */
	if (mp_stock || !variant->file) {
		ASSERT_EQ(0, mprotect(self->m + PART_PAGES * PS, PART_PAGES * PS, RW));
	} else {
		ASSERT_EQ(0, mp_rfp(self->m + PART_PAGES * PS, PART_PAGES * PS, RW, PART_PAGES,
				    MAP_CHGPROT));
	}
	/* Stock merges no pages that were written one by one. */
	memset(self->m + PART_PAGES * PS, 1, PART_PAGES * PS);
}

FIXTURE_TEARDOWN(part)
{
}

static int page_op(enum page_op op, char *page, bool undo)
{
	unsigned long node = 1;

	switch (op) {
	case PAGE_MLOCK:
		return undo ? munlock(page, PS) : mlock(page, PS);
	case PAGE_DONTDUMP:
		return madvise(page, PS, undo ? MADV_DODUMP : MADV_DONTDUMP);
	case PAGE_DONTFORK:
		return madvise(page, PS, undo ? MADV_DOFORK : MADV_DONTFORK);
	case PAGE_MBIND:
		return syscall(__NR_mbind, page, PS, undo ? 0 : 1, undo ? NULL : &node,
			       undo ? 0 : 8, 0);
	case PAGE_NAME:
		return prctl(0x53564d41 /* PR_SET_VMA */, 0, page, PS, undo ? NULL : "part");
	case PAGE_MSEAL:
		return undo ? 0 : syscall(__NR_mseal, page, PS, 0);
	}
	return -1;
}

TEST_F(part, ascending)
{
	long vmas = mp_vmas();
	int i;

	for (i = 0; i < PART_PAGES; i++)
		ASSERT_EQ(0, page_op(variant->op, self->m + (PART_PAGES + i) * PS, false));
	EXPECT_GE(vmas + 4, mp_vmas());
	for (i = 0; i < PART_PAGES; i++)
		ASSERT_EQ(0, page_op(variant->op, self->m + (PART_PAGES + i) * PS, true));
	EXPECT_GE(vmas + 4, mp_vmas());
}

TEST_F(part, descending)
{
	long vmas = mp_vmas();
	int i;

	for (i = PART_PAGES - 1; i >= 0; i--)
		ASSERT_EQ(0, page_op(variant->op, self->m + (PART_PAGES + i) * PS, false));
	EXPECT_GE(vmas + 4, mp_vmas());
	for (i = PART_PAGES - 1; i >= 0; i--)
		ASSERT_EQ(0, page_op(variant->op, self->m + (PART_PAGES + i) * PS, true));
	EXPECT_GE(vmas + 4, mp_vmas());
}

/* Each page by itself, there and back, in no order. */
TEST_F(part, there_and_back)
{
	long vmas = mp_vmas();
	int i;

	for (i = 0; i < PART_PAGES; i++) {
		char *page = self->m + (PART_PAGES + i * 37 % PART_PAGES) * PS;

		ASSERT_EQ(0, page_op(variant->op, page, false));
		ASSERT_EQ(0, page_op(variant->op, page, true));
	}
	EXPECT_GE(vmas + 4, mp_vmas());
}

TEST_HARNESS_MAIN
