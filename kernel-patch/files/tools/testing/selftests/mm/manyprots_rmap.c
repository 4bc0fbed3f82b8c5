// SPDX-License-Identifier: GPL-2.0
/*
 * From the page to its mappings and back: truncate, hole punch, reclaim of
 * file pages, swap, KSM, migration and writeback must find a page at every
 * address where a multi-protection VMA maps it, and only there.
 */
#include "manyprots_util.h"
#include <linux/falloc.h>
#include <pthread.h>
#include <sys/swap.h>

#ifndef FALLOC_FL_PUNCH_HOLE
#define FALLOC_FL_KEEP_SIZE 1
#define FALLOC_FL_PUNCH_HOLE 2
#endif
#ifndef MPOL_MF_MOVE
#define MPOL_MF_MOVE 2
#endif

/* Files that the tests change; the private side of things as in mp_library. */
FIXTURE(file) { struct mp_pair p; };
FIXTURE_VARIANT(file) { enum mp_where where; };
FIXTURE_VARIANT_ADD(file, tmpfs) { .where = MP_TMP };
FIXTURE_VARIANT_ADD(file, cwd) { .where = MP_CWD };
FIXTURE_VARIANT_ADD(file, memfd) { .where = MP_MEMFD };
FIXTURE_SETUP(file)
{
	self->p.fd = mp_file(variant->where, LIB_FILE_PAGES);
	if (self->p.fd < 0)
		SKIP(return, "no such file here");
	ASSERT_EQ(0, mp_map_runs(&self->p, mp_library));
	ASSERT_TRUE(mp_one_vma());
}

FIXTURE_TEARDOWN(file)
{
	close(self->p.fd);
}

/* The entry of pagemap, which any process may read of itself (without frame numbers). */
static uint64_t pagemap(const char *addr)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t v = 0;

	if (fd < 0 || pread(fd, &v, 8, (unsigned long)addr / PS * 8) != 8)
		v = 0;
	close(fd);
	return v;
}

/* Is the page mapped? */
static int mapped(const char *addr)
{
	return pagemap(addr) >> 63;
}

/* Truncation takes the pages at their nonlinear addresses; bss and private copies as in stock. */
TEST_F(file, truncate)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_same(0));
	/* Pages 9 (dirty), 10 (clean) and 11 (dirty) of the data go; 8 stays at both addresses. */
	ASSERT_EQ(0, ftruncate(self->p.fd, 9 * PS));
	ASSERT_EQ(MP_ADRERR, mp_read(self->p.base[MULTI] + (LIB_DATA + 1) * PS));
	ASSERT_EQ(0, mp_read(self->p.base[MULTI] + LIB_RELRO * PS));
	ASSERT_EQ(0, mp_read(self->p.base[MULTI] + LIB_BSS * PS));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	/* Now page 8, at both addresses, and down into the text. */
	ASSERT_EQ(0, ftruncate(self->p.fd, 4 * PS));
	ASSERT_EQ(MP_ADRERR, mp_read(self->p.base[MULTI] + 8 * PS));
	ASSERT_EQ(MP_ADRERR, mp_read(self->p.base[MULTI] + LIB_RELRO * PS));
	ASSERT_EQ(MP_ADRERR, mp_read(self->p.base[MULTI] + 5 * PS));
	ASSERT_EQ(0, mp_read(self->p.base[MULTI] + 3 * PS));
	ASSERT_EQ('b', self->p.base[MULTI][LIB_BSS * PS + 100]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
	/* The file grows again: zeroes. */
	ASSERT_EQ(0, ftruncate(self->p.fd, LIB_FILE_PAGES * PS));
	ASSERT_TRUE(mp_page_is_zero(self->p.base[MULTI] + LIB_RELRO * PS));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* In the middle of a page: its rest reads as zero wherever it is mapped. */
TEST_F(file, truncate_inside_page)
{
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(0, ftruncate(self->p.fd, 8 * PS + 100));
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(0, self->p.base[MULTI][LIB_RELRO * PS + 101]);
	ASSERT_EQ(0, self->p.base[MULTI][8 * PS + 101]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Order of the tree: pages that are mapped only in the run with the lowest or highest offset. */
TEST_F(file, truncate_single_pages)
{
	size_t i;

	for (i = 0; i < LIB_PAGES; i++) {
		ASSERT_EQ(0, mp_chg(&self->p, i, 1, i % 3 ? R : RW, MP_FILE,
				    i * 11 % LIB_PAGES + 20));
	}
	ASSERT_EQ(0, mp_same(0));
	for (i = LIB_PAGES + 20; i > 18; i--) {
		ASSERT_EQ(0, ftruncate(self->p.fd, i * PS));
		ASSERT_EQ(0, mp_same(0));
	}
}

/* One page mapped at every address of the VMA: it is unmapped from all. */
TEST_F(file, truncate_page_mapped_often)
{
	size_t i;

	for (i = 0; i < LIB_PAGES; i++) {
		ASSERT_EQ(0, mp_chg(&self->p, i, 1, i & 1 ? RW : R, MP_FILE, 5));
	}
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(0, mp_both(&self->p, mp_put(b + 3 * PS, 'x')));
	ASSERT_EQ(0, ftruncate(self->p.fd, 5 * PS));
	for (i = 0; i < LIB_PAGES; i++) {
		ASSERT_EQ(MP_ADRERR, mp_read(self->p.base[MULTI] + i * PS));
	}
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

static int truncate_under_child(void *arg)
{
	struct mp_pair *p = arg;

	mp_same(0);
	if (ftruncate(p->fd, 9 * PS))
		return 1;
	return mp_same(MP_WRITES);
}

/* Parent and child map the same page: both lose it. */
TEST_F(file, truncate_after_fork)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(0, mp_in_child(truncate_under_child, &self->p));
	ASSERT_EQ(MP_ADRERR, mp_read(self->p.base[MULTI] + (LIB_DATA + 1) * PS));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* After a part was unmapped, and after a part was moved. */
TEST_F(file, truncate_after_split)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, munmap(b + 4 * PS, 3 * PS)));
	ASSERT_EQ(0, mp_both(&self->p, mremap(b + LIB_DATA * PS, 2 * PS, 2 * PS, MREMAP_MAYMOVE |
					      MREMAP_FIXED, b + 100 * PS) == MAP_FAILED));
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(0, ftruncate(self->p.fd, 10 * PS));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, ftruncate(self->p.fd, 8 * PS));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, ftruncate(self->p.fd, 1 * PS));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Hole punch: the page is gone at both addresses, private copies stay. */
TEST_F(file, punch_hole)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_same(0));
	if (fallocate(self->p.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8 * PS, 3 * PS))
		SKIP(return, "no hole punching on this file system");
	ASSERT_TRUE(mp_page_is_zero(self->p.base[MULTI] + 8 * PS));
	ASSERT_TRUE(mp_page_is_zero(self->p.base[MULTI] + LIB_RELRO * PS));
	ASSERT_EQ('d', self->p.base[MULTI][LIB_DATA * PS + 100]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* A write to the file shows where there is no private copy, at both addresses. */
TEST_F(file, write_shows)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(5, pwrite(self->p.fd, "hello", 5, 8 * PS));
	ASSERT_EQ(5, pwrite(self->p.fd, "hello", 5, 9 * PS));
	ASSERT_EQ(5, pwrite(self->p.fd, "hello", 5, 10 * PS));
	ASSERT_EQ(0, memcmp(self->p.base[MULTI] + LIB_RELRO * PS, "hello", 5));
	ASSERT_EQ(0, memcmp(self->p.base[MULTI] + 8 * PS, "hello", 5));
	ASSERT_EQ(0, memcmp(self->p.base[MULTI] + (LIB_DATA + 1) * PS, "hello", 5));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/*
 * Files that are reclaimed: one for each side, since MADV_PAGEOUT is for pages that
 * are mapped once.  Page 12 is mapped twice, and therefore stays.
 */
static const struct mp_run reclaimed[] = {
	{ 4, R, MP_FILE, 40 }, { 3, RX, MP_FILE, 4 }, { 2, NONE, MP_FILE, 20 },
	{ 4, RW, MP_FILE, 30 }, { 1, R, MP_FILE, 12 }, { 1, RW, MP_FILE, 12 },
};

#define RECLAIMED_RW 9

FIXTURE(reclaim) { struct mp_pair p; int fd[2]; };
FIXTURE_VARIANT(reclaim) { enum mp_where where; int mflags; };
FIXTURE_VARIANT_ADD(reclaim, tmpfs) { .where = MP_TMP };
FIXTURE_VARIANT_ADD(reclaim, tmpfs_shared) { .where = MP_TMP, .mflags = MAP_SHARED };
FIXTURE_VARIANT_ADD(reclaim, cwd) { .where = MP_CWD };
FIXTURE_VARIANT_ADD(reclaim, memfd) { .where = MP_MEMFD };
FIXTURE_VARIANT_ADD(reclaim, memfd_shared) { .where = MP_MEMFD, .mflags = MAP_SHARED };
FIXTURE_SETUP(reclaim)
{
	int i;

	mp_stay_on_cpu();
	self->p.mflags = variant->mflags;
	for (i = 0; i < 2; i++) {
		self->fd[i] = mp_file(variant->where, LIB_FILE_PAGES);
		if (self->fd[i] < 0)
			SKIP(return, "no such file here");
		fsync(self->fd[i]);
	}
	ASSERT_EQ(0, mp_map_files(&self->p, self->fd, reclaimed, ARRAY_SIZE(reclaimed)));
	ASSERT_TRUE(mp_one_vma());
	ASSERT_EQ(0, mp_bad);
}

FIXTURE_TEARDOWN(reclaim)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

/* Reclaim of file pages: gone from the page table, and back with the right bytes and protection. */
TEST_F(reclaim, pageout)
{
	struct mp_pair *p = &self->p;
	size_t i, round, gone = 0;
	char byte;

	for (round = 0; round < 3; round++) {
		/* By force, so that PROT_NONE pages are mapped, too. */
		for (i = 0; i < p->npages; i++)
			mp_both(p, pread(mp_mem_fd(), &byte, 1, (off_t)(unsigned long)b + i * PS));
		mp_both(p, mp_put(b + RECLAIMED_RW * PS + 100, 'p' + round));
		for (i = 0; i < p->npages; i++) {
			ASSERT_EQ(1, mp_both(p, mapped(b + i * PS)));
		}
		ASSERT_EQ(0, mp_both(p, madvise(b, p->npages * PS, MADV_PAGEOUT)));
		for (i = 0; i < p->npages; i++)
			gone += !mp_both(p, mapped(b + i * PS));
		ASSERT_EQ(0, mp_bad);
		for (i = 0; i < p->npages; i++) {
			mp_both(p, (p->fd = self->fd[side],
				    mp_page_is_file(p, b + i * PS, p->pgoff[side][i])));
			mp_both(p, mp_read(b + i * PS));
			mp_both(p, mp_write(b + i * PS));
		}
		ASSERT_EQ(MP_ACCERR, mp_put(p->base[MULTI], 1));
		ASSERT_EQ(MP_ACCERR, mp_read(p->base[MULTI] + 7 * PS));
		ASSERT_EQ('p' + round, p->base[MULTI][RECLAIMED_RW * PS + 100]);
		ASSERT_EQ(0, mp_bad);
	}
	ASSERT_TRUE(mp_one_vma());
	if (!gone)
		SKIP(return, "no swap, or the file system's pages are not reclaimed on advice");
}

TEST_F(file, drop_caches)
{
	if (!mp_system())
		SKIP(return, "drops caches");
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_same(0));
	fsync(self->p.fd);
	posix_fadvise(self->p.fd, 0, 0, POSIX_FADV_DONTNEED);
	ASSERT_EQ(0, mp_sysctl_set("/proc/sys/vm/drop_caches", "3"));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
}

#define HOG_PAGES 4096

/* Takes memory, in which leave_gaps() makes the gaps that compaction fills. */
static char *take_memory(void)
{
	return mmap(NULL, HOG_PAGES * PS, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
}

static void leave_gaps(char *m)
{
	size_t i;

	for (i = 0; i < HOG_PAGES; i += 16)
		madvise(m + i * PS, 15 * PS, MADV_DONTNEED);
}

/* Migration keeps the pages where they are mapped, with their protections. */
TEST_F(file, compaction)
{
	struct mp_pair *p = &self->p;
	uint64_t was, now;
	time_t end = time(NULL) + 10;
	bool moved = false;
	char *hog[2];

	if (!mp_system() || access("/proc/sys/vm/compact_memory", W_OK))
		SKIP(return, "no compaction");
	/*
	 * Whether a page moves depends on where it lies: until one with PROT_NONE does,
	 * of which another protection would be noticed.
	 */
	while (!moved && time(NULL) < end) {
		hog[0] = take_memory();
		close(p->fd);
		p->fd = mp_file(variant->where, LIB_FILE_PAGES);
		ASSERT_EQ(0, mp_map_runs(p, mp_library));
		mp_dirty_library(p);
		ASSERT_EQ(0, mp_same(0));
		hog[1] = take_memory();
		leave_gaps(hog[0]);
		leave_gaps(hog[1]);
		was = pagemap(p->base[MULTI] + LIB_HOLE * PS);
		ASSERT_EQ(0, mp_sysctl_set("/proc/sys/vm/compact_memory", "1"));
		now = pagemap(p->base[MULTI] + LIB_HOLE * PS);
		moved = was >> 63 && now >> 63 && was != now;
		ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
		munmap(hog[0], HOG_PAGES * PS);
		munmap(hog[1], HOG_PAGES * PS);
	}
	if (!moved)
		SKIP(return, "compaction did not move its PROT_NONE page");
}

TEST_F(file, move_pages)
{
	void *pages[LIB_PAGES];
	int nodes[LIB_PAGES] = { 0 }, status[2][LIB_PAGES];
	size_t i;

	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_same(0));
	mp_both(&self->p, ({
		for (i = 0; i < LIB_PAGES; i++)
			pages[i] = b + i * PS;
		syscall(__NR_move_pages, 0, LIB_PAGES, pages, nodes, status[side],
			MPOL_MF_MOVE); }));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
}

/* msync of a private mapping, and reads through a shared one of the same file meanwhile. */
TEST_F(file, shared_mapping_of_same_file)
{
	char *s = mmap(NULL, LIB_FILE_PAGES * PS, RW, MAP_SHARED, self->p.fd, 0);

	if (s == MAP_FAILED)
		SKIP(return, "no shared mappings on this file system");
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_same(0));
	memset(s + 8 * PS, 's', 3 * PS);
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ('s', self->p.base[MULTI][8 * PS]);
	ASSERT_EQ('s', self->p.base[MULTI][LIB_RELRO * PS]);
	ASSERT_EQ(0, msync(s, LIB_FILE_PAGES * PS, MS_SYNC));
	memset(s + 8 * PS, 't', 3 * PS);
	ASSERT_EQ(0, fsync(self->p.fd));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	munmap(s, LIB_FILE_PAGES * PS);
}

/* ---- anonymous pages ---- */

static bool swap_on(void)
{
	return mp_number("/proc/meminfo", "SwapTotal") > 0;
}

/* Private copies and bss go to swap and come back, with the protections of their runs. */
TEST_F(file, swap)
{
	int round;
	char *m = self->p.base[MULTI];

	if (!swap_on())
		SKIP(return, "no swap");
	mp_both(&self->p, mprotect(b + LIB_RELRO * PS, PS, RW));
	mp_both(&self->p, mp_put(b + LIB_RELRO * PS + 7, 'r'));
	mp_both(&self->p, mprotect(b + LIB_RELRO * PS, PS, R));
	for (round = 0; round < 4; round++) {
		mp_dirty_library(&self->p);
		ASSERT_EQ(0, mp_both(&self->p, madvise(b, LIB_HOLE * PS, MADV_PAGEOUT)));
		ASSERT_EQ(0, mp_both(&self->p, madvise(b + LIB_RELRO * PS,
						       (LIB_PAGES - LIB_RELRO) * PS,
						       MADV_PAGEOUT)));
		if (round & 1) {
			ASSERT_EQ(MP_ACCERR, mp_put(m + LIB_RELRO * PS + 7, 'x'));
		}
		ASSERT_EQ('r', m[LIB_RELRO * PS + 7]);
		if (round & 2)
			mp_both(&self->p, mprotect(b + LIB_DATA * PS, 3 * PS, round & 1 ? R : RW));
		ASSERT_EQ(0, mp_same(round & 1 ? 0 : MP_WRITES));
	}
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_TRUE(mp_one_vma());
}

/* Swapped out, then the child gets them, then the parent unmaps a part. */
static int same_in_child(void *p)
{
	return mp_same(MP_WRITES);
}

TEST_F(file, swap_and_fork)
{
	if (!swap_on())
		SKIP(return, "no swap");
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + LIB_DATA * PS, 7 * PS, MADV_PAGEOUT)));
	ASSERT_EQ(0, mp_in_child(same_in_child, NULL));
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + LIB_DATA * PS, 7 * PS, MADV_PAGEOUT)));
	ASSERT_EQ(0, mp_both(&self->p, munmap(b + (LIB_BSS + 1) * PS, PS)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* swapoff brings every page back by walking the VMAs: it must know each run's protection. */
TEST_F(file, swapoff)
{
	const char *dev = getenv("MANYPROTS_SWAP");
	int i;

	if (!swap_on() || !dev || !*dev || !mp_system())
		SKIP(return, "no swap device to turn off");
	/* All but a page: without any page of a file it may become an anonymous VMA. */
	for (i = 1; i < LIB_PAGES; i++)
		mp_chg(&self->p, i, 1, RW, MP_ANON, 0);
	for (i = 1; i < LIB_PAGES; i++)
		mp_both(&self->p, mp_put(b + i * PS, 'a' + i));
	for (i = 2; i < LIB_PAGES; i += 2)
		mp_chg(&self->p, i, 1, i % 4 ? R : NONE, MP_ANON, 0);
	mp_both(&self->p, madvise(b, LIB_PAGES * PS, MADV_PAGEOUT));
	ASSERT_EQ(0, swapoff(dev));
	ASSERT_EQ(MP_ACCERR, mp_put(self->p.base[MULTI] + 2 * PS, 1));
	ASSERT_EQ(MP_ACCERR, mp_read(self->p.base[MULTI] + 4 * PS));
	ASSERT_EQ('d', self->p.base[MULTI][3 * PS]);
	EXPECT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, swapon(dev, 0));
}

struct changer {
	struct mp_pair *p;
	bool stop;
};

/* Goes on changing protections, and ends with the ones that it began with. */
static void *change_runs(void *arg)
{
	struct changer *c = arg;
	size_t i, round = 0;

	do {
		round++;
		for (i = 0; i < c->p->npages; i += 1 + round % 3)
			mp_both(c->p, mprotect(b + i * PS, PS, (i + round) % 3 ? RW : NONE));
	} while (!__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE));
	for (i = 0; i < c->p->npages; i++)
		mp_both(c->p, mprotect(b + i * PS, PS, i % 3 ? i & 1 ? R : RW : NONE));
	return NULL;
}

/* While another thread changes the runs each page comes back as its run is just then. */
TEST(swapoff_while_changing)
{
	const char *dev = getenv("MANYPROTS_SWAP");
	static struct mp_pair p = { .fd = -1 };
	struct mp_run whole = { 1024, RW, MP_ANON, 0 };
	struct changer c = { &p };
	pthread_t thread;
	size_t i, round;

	if (!swap_on() || !dev || !*dev || !mp_system())
		SKIP(return, "no swap device to turn off");
	ASSERT_EQ(0, mp_map(&p, &whole, 1));
	for (i = 0; i < p.npages; i++)
		mp_both(&p, mp_put(b + i * PS, i));
	for (round = 0; round < 3; round++) {
		mp_both(&p, madvise(b, p.npages * PS, MADV_PAGEOUT));
		c.stop = false;
		ASSERT_EQ(0, pthread_create(&thread, NULL, change_runs, &c));
		EXPECT_EQ(0, swapoff(dev));
		__atomic_store_n(&c.stop, true, __ATOMIC_RELEASE);
		pthread_join(thread, NULL);
		EXPECT_EQ(0, swapon(dev, 0));
		ASSERT_EQ(MP_ACCERR, mp_put(p.base[MULTI] + PS, 1));
		ASSERT_EQ(0, mp_same(0));
	}
	ASSERT_EQ(4, p.base[MULTI][4 * PS]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Anonymous memory with runs, under real reclaim by a second process that wants it all. */
TEST(swap_anonymous_runs)
{
	static struct mp_pair p;
	size_t i, n = 2048;
	struct mp_run whole = { n, RW, MP_ANON, 0 };

	if (!swap_on())
		SKIP(return, "no swap");
	p.fd = -1;
	ASSERT_EQ(0, mp_map(&p, &whole, 1));
	for (i = 0; i < n; i++)
		mp_both(&p, mp_put(b + i * PS + i % PS, i));
	for (i = 0; i < n; i += 3) {
		ASSERT_EQ(0, mp_chg(&p, i, 1, i & 1 ? R : NONE, MP_ANON, 0));
	}
	ASSERT_EQ(0, mp_both(&p, madvise(b, n * PS, MADV_PAGEOUT)));
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(0, mp_both(&p, madvise(b, n * PS, MADV_PAGEOUT)));
	ASSERT_EQ(0, mp_in_child(same_in_child, NULL));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

#define KSM "/sys/kernel/mm/ksm/"

/* Has KSM merge, until @n pages of this process are merged or it takes too long: how many are. */
static long ksm_merge(long n)
{
	int tries;

	mp_sysctl_set(KSM "sleep_millisecs", "1");
	mp_sysctl_set(KSM "pages_to_scan", "1000");
	mp_sysctl_set(KSM "run", "1");
	for (tries = 0; tries < 200 && mp_sysctl("/proc/self/ksm_merging_pages") < n; tries++)
		usleep(100000);
	return mp_sysctl("/proc/self/ksm_merging_pages");
}

static void ksm_end(void)
{
	mp_sysctl_set(KSM "run", "2");
	mp_sysctl_set(KSM "run", "0");
}

/* KSM joins equal pages of different runs; a write separates them again. */
TEST(ksm)
{
	static const struct mp_run runs[] = {
		{ 8, RW, MP_ANON, 0 }, { 4, R, MP_ANON, 0 }, { 4, RW, MP_ANON, 0 },
		{ 4, NONE, MP_ANON, 0 },
	};
	static struct mp_pair p;
	size_t i;

	if (!mp_system() || access(KSM "run", W_OK))
		SKIP(return, "no KSM");
	p.fd = -1;
	ASSERT_EQ(0, mp_map_runs(&p, runs));
	for (i = 0; i < 8; i++)
		mp_both(&p, memset(b + i * PS, 'k', PS) != b + i * PS);
	for (i = 12; i < 16; i++)
		mp_both(&p, memset(b + i * PS, 'k', PS) != b + i * PS);
	ASSERT_EQ(0, mp_chg(&p, 2, 2, R, MP_ANON, 0));
	ASSERT_EQ(0, mp_chg(&p, 5, 1, NONE, MP_ANON, 0));
	mp_both(&p, madvise(b, 20 * PS, MADV_MERGEABLE));
	/* Twelve of each side, those that cannot be written to or accessed included. */
	EXPECT_EQ(24, ksm_merge(24));
	for (i = 0; i < 16; i++)
		mp_both(&p, mp_smaps(b + i * PS, "KSM"));
	EXPECT_EQ(2 * PS / 1024, mp_smaps(p.base[MULTI] + 2 * PS, "KSM"));
	EXPECT_EQ(PS / 1024, mp_smaps(p.base[MULTI] + 5 * PS, "KSM"));
	ASSERT_EQ('k', p.base[MULTI][3 * PS]);
	EXPECT_EQ(MP_ACCERR, mp_put(p.base[MULTI] + 3 * PS, 1));
	EXPECT_EQ(0, mp_same(0));
	EXPECT_EQ(0, mp_same(MP_WRITES));
	mp_both(&p, mp_put(b + 1 * PS, 'x'));
	EXPECT_EQ('k', p.base[MULTI][0]);
	EXPECT_EQ('k', p.base[MULTI][12 * PS]);
	EXPECT_EQ(0, mp_same(0));
	mp_both(&p, madvise(b, 20 * PS, MADV_UNMERGEABLE));
	EXPECT_EQ(0, mp_same(MP_WRITES));
	ksm_end();
}

/* A page of KSM goes to swap and comes back, with the protection of its run. */
TEST(ksm_swap)
{
	static const struct mp_run runs[] = { { 6, RW, MP_ANON, 0 } };
	static struct mp_pair p = { .fd = -1 };
	size_t i;

	if (!mp_system() || access(KSM "run", W_OK))
		SKIP(return, "no KSM");
	if (!swap_on())
		SKIP(return, "no swap");
	ASSERT_EQ(0, mp_map_runs(&p, runs));
	/* The sides differ, so that they share nothing. */
	mp_both(&p, memset(b, 'K' + side, 6 * PS) != b);
	ASSERT_EQ(0, mp_chg(&p, 3, 2, R, MP_ANON, 0));
	ASSERT_EQ(0, mp_chg(&p, 5, 1, NONE, MP_ANON, 0));
	mp_both(&p, madvise(b, 6 * PS, MADV_MERGEABLE));
	EXPECT_EQ(12, ksm_merge(12));
	mp_sysctl_set(KSM "run", "0");
	/* MADV_PAGEOUT is for pages that are mapped once: page 4 alone is left. */
	ASSERT_EQ(0, mp_both(&p, munmap(b + 5 * PS, PS)));
	ASSERT_EQ(0, mp_both(&p, mprotect(b + 3 * PS, PS, RW)));
	for (i = 0; i < 4; i++)
		mp_both(&p, mp_put(b + i * PS, 'x'));
	ASSERT_EQ(PS / 1024, mp_both(&p, mp_smaps(b + 4 * PS, "KSM")));
	ASSERT_EQ(0, mp_both(&p, madvise(b + 4 * PS, PS, MADV_PAGEOUT)));
	ASSERT_EQ(0, mp_both(&p, mapped(b + 4 * PS)));
	ASSERT_EQ('K', mp_both(&p, b[4 * PS + 100] - side));
	ASSERT_EQ(MP_ACCERR, mp_both(&p, mp_put(b + 4 * PS, 1)));
	ASSERT_EQ(0, mp_both(&p, mprotect(b + 4 * PS, PS, RW)));
	ASSERT_EQ(0, mp_both(&p, mp_put(b + 4 * PS, 'y')));
	ASSERT_EQ('K', mp_both(&p, b[4 * PS + 100] - side));
	ASSERT_EQ(0, mp_bad);
	ksm_end();
}

/* That reclaim really unmaps: else the tests above show nothing. */
TEST(pageout_unmaps)
{
	static struct mp_pair p;

	p.fd = mp_file(MP_CWD, LIB_FILE_PAGES);
	if (p.fd < 0)
		SKIP(return, "no file in the current directory");
	fsync(p.fd);
	ASSERT_EQ(0, mp_map_runs(&p, mp_library));
	mp_both(&p, mp_read(b + 3 * PS));
	ASSERT_EQ(1, mapped(p.base[EQUIV] + 3 * PS));
	mp_both(&p, munmap(b + 8 * PS, PS));
	madvise(p.base[EQUIV], LIB_HOLE * PS, MADV_DONTNEED);
	ASSERT_EQ(0, madvise(p.base[MULTI], LIB_RO * PS, MADV_PAGEOUT));
	if (mapped(p.base[MULTI] + 3 * PS))
		SKIP(return, "this file system's pages are not reclaimed on advice");
	ASSERT_EQ(0, mp_same(0));
}

/*
 * A walk of i_mmap passes over what has no page tables.  Runs of one page and of
 * hundreds, which lie over the bounds of page tables, map a small file all over
 * a VMA that has few page tables; whatever part of the file goes must be gone
 * everywhere: what is read afterwards is zero.
 */
#define SPARSE_PAGES	(16UL * 512)
#define SPARSE_FILE	1024UL
#define SPARSE_TOUCH	60

static unsigned long sparse_seed;
static unsigned long sparse_random(unsigned long below)
{
	sparse_seed = sparse_seed * 6364136223846793005UL + 1442695040888963407UL;
	return (sparse_seed >> 33) % below;
}

/* Fills the file with what is not zero. */
static int sparse_fill(int fd)
{
	static char page[4096 * 16];
	unsigned long i;

	memset(page, 'x', sizeof(page));
	for (i = 0; i < SPARSE_FILE * PS; i += sizeof(page))
		if (pwrite(fd, page, sizeof(page), i) != sizeof(page))
			return -1;
	return 0;
}

/* Punches @n pages at @from; the pages of @m at @touched had been read before. */
static long sparse_punch(char *m, int fd, const unsigned long *touched,
			 const unsigned long *maps, unsigned long from, unsigned long n)
{
	long wrong = 0;
	int i;

	for (i = 0; i < SPARSE_TOUCH; i++)
		wrong += *(volatile char *)(m + touched[i] * PS) != 'x';
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from * PS, n * PS))
		return -1;
	for (i = 0; i < SPARSE_TOUCH; i++) {
		bool gone = maps[touched[i]] >= from && maps[touched[i]] < from + n;

		wrong += *(volatile char *)(m + touched[i] * PS) != (gone ? 0 : 'x');
	}
	return wrong;
}

TEST(sparse_page_tables)
{
	static unsigned long maps[SPARSE_PAGES], touched[SPARSE_TOUCH];
	unsigned long i, j, n, tables, from;
	int fd, round;
	char *m;

	if (mp_stock)
		SKIP(return, "feature off");
	fd = memfd_create("sparse", 0);
	ASSERT_NE(-1, fd);
	ASSERT_EQ(0, ftruncate(fd, SPARSE_PAGES * PS));
	for (round = 0; round < 60; round++) {
		sparse_seed = round;
		ASSERT_EQ(0, sparse_fill(fd));
		m = mmap(NULL, SPARSE_PAGES * PS, R, MAP_SHARED, fd, 0);
		ASSERT_NE(MAP_FAILED, m);
		/* Long and short runs; runs of a page; one page everywhere. */
		for (i = 0; i < SPARSE_PAGES; i += n) {
			n = round % 3 ? 1 : 1 + sparse_random(sparse_random(4) ? 3 : 700);
			n = n < SPARSE_PAGES - i ? n : SPARSE_PAGES - i;
			/* Few offsets: runs that begin with the same page are in order. */
			from = round % 3 == 2 ? 7 : sparse_random(4) * 64;
			if (round % 3 == 1 && i >= 2048)
				n = SPARSE_PAGES - i, from = SPARSE_FILE;
			ASSERT_EQ(0, mp_rfp(m + i * PS, n * PS, R, from, MAP_CHGPROT));
			for (j = 0; j < n; j++)
				maps[i + j] = from + j;
		}
		/* Reads make the page tables; a walk that misses one finds out. */
		tables = 1 + sparse_random(4);
		for (i = 0; i < SPARSE_TOUCH; i++) {
			do {
				j = sparse_random(tables) * 5 * 512 % SPARSE_PAGES;
				j = (j + sparse_random(512)) % SPARSE_PAGES;
			} while (maps[j] >= SPARSE_FILE);
			touched[i] = j;
		}
		from = maps[touched[0]];
		ASSERT_EQ(0, sparse_punch(m, fd, touched, maps, from, 1));
		ASSERT_EQ(0, sparse_fill(fd));
		n = 1 + sparse_random(SPARSE_FILE - 1);
		from = sparse_random(SPARSE_FILE - n);
		ASSERT_EQ(0, sparse_punch(m, fd, touched, maps, from, n));
		ASSERT_EQ(0, munmap(m, SPARSE_PAGES * PS));
	}
	close(fd);
}

/*
 * The part that munmap() leaves shares the map of the whole, in which it begins with
 * any of the runs of a page.
 */
TEST(punch_after_each_cut)
{
	const size_t pages = 200;
	size_t cut, i, kept;
	char *m;
	int fd;

	if (mp_stock)
		SKIP(return, "feature off");
	for (cut = 0; cut < 40; cut++) {
		fd = memfd_create("cut", 0);
		ASSERT_EQ(0, ftruncate(fd, 2 * PS));
		m = mmap(NULL, pages * PS, RW, MAP_SHARED, fd, 0);
		ASSERT_NE(MAP_FAILED, m);
		for (i = 0; i < pages; i++)
			ASSERT_EQ(0, mp_rfp(m + i * PS, PS, RW, 0, MAP_CHGPROT));
		if (cut)
			ASSERT_EQ(0, munmap(m, cut * PS));
		for (i = cut; i < pages; i++)
			m[i * PS] = 'x';
		ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PS));
		for (kept = 0, i = cut; i < pages; i++)
			kept += *(volatile char *)(m + i * PS) != 0;
		EXPECT_EQ(0, kept) {
			TH_LOG("without the first %zu pages", cut);
		}
		ASSERT_EQ(0, munmap(m + cut * PS, (pages - cut) * PS));
		close(fd);
	}
}

/*
 * A page far behind the beginning of a mapping is found whatever the page tables
 * before it lack: a table of the lowest level, or one of the highest, of which
 * each kernel folds others.
 */
FIXTURE(absent_tables) { };
FIXTURE_SETUP(absent_tables) { }
FIXTURE_TEARDOWN(absent_tables) { }
FIXTURE_VARIANT(absent_tables) { int shift; };
FIXTURE_VARIANT_ADD(absent_tables, mb2) { .shift = 21 };
FIXTURE_VARIANT_ADD(absent_tables, mb4) { .shift = 22 };
FIXTURE_VARIANT_ADD(absent_tables, gb1) { .shift = 30 };
#ifdef __LP64__
FIXTURE_VARIANT_ADD(absent_tables, gb512) { .shift = 39 };
#endif
TEST_F(absent_tables, truncate)
{
	unsigned long long step = 1ULL << variant->shift, at;
	char *area, *m;
	int fd;

	if (mp_stock)
		SKIP(return, "feature off");
	fd = memfd_create("absent", 0);
	ASSERT_NE(-1, fd);
	ASSERT_EQ(0, ftruncate(fd, 2 * step));
	area = mmap(NULL, 3 * step, NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED)
		SKIP(return, "not so much address space");
	m = (char *)(((unsigned long)area + step - 1) & -step);
	ASSERT_EQ(m, mmap(m, 2 * step, RW, MAP_SHARED | MAP_FIXED, fd, 0));
	ASSERT_EQ(0, mp_rfp(m + PS, PS, R, 1, MAP_CHGPROT));
	for (at = step + 8 * PS; at < 2 * step; at += step / 2) {
		ASSERT_EQ(0, mp_read(m + at));
		ASSERT_EQ(1, mapped(m + at));
		ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, PS));
		ASSERT_EQ(0, mapped(m + at));
	}
	ASSERT_EQ(0, munmap(area, 3 * step));
	close(fd);
}

TEST_HARNESS_MAIN
