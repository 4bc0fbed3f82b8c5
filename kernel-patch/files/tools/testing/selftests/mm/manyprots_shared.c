// SPDX-License-Identifier: GPL-2.0
/*
 * Shared mappings: what is written through one address is seen at every other
 * one, the file system hears of each page's first write, and msync, truncate
 * and advice find the file pages that a run maps.
 */
#include "manyprots_util.h"
#include <linux/falloc.h>
#include <sys/mount.h>
#include <sys/swap.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_SEAL_WRITE 8
#endif

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif

#define FILE_PAGES 64
#define MAP_PAGES 24

/* A file on each file system whose shared mappings may be multi-protection VMAs. */
static int file_on(const char *fs)
{
	const char *dirs = getenv("MANYPROTS_FS");
	char name[256];
	int fd;

	if (!strcmp(fs, "tmpfs"))
		return mp_file(MP_TMP, FILE_PAGES);
	if (!strcmp(fs, "memfd"))
		return mp_file(MP_MEMFD, FILE_PAGES);
	snprintf(name, sizeof(name), "%s/%s/manyprots.XXXXXX", dirs ? dirs : "/nonexistent", fs);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return -1;
	unlink(name);
	if (mp_write_pages(fd, 0, FILE_PAGES) || fsync(fd)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Nonlinear, with a page that is mapped thrice (5) and one that is in no run (7). */
static const struct mp_run layout[] = {
	{ 4, RW, MP_FILE, 0 },
	{ 2, R, MP_FILE, 40 },
	{ 1, RW, MP_FILE, 5 },
	{ 3, NONE, MP_FILE, 5 },
	{ 4, RW, MP_FILE, 20 },
	{ 2, R, MP_FILE, 4 },
	{ 4, RX, MP_FILE, 30 },
	{ 4, RW, MP_FILE, 50 },
};

#define A_RW 0		/* file page 0 */
#define A_RO 4		/* 40 */
#define A_FIVE 6	/* 5 */
#define A_RW2 10	/* 20 */
#define A_FIVE_RO 15	/* 5 */
#define A_RW3 20	/* 50 */

FIXTURE(shared) { struct mp_pair p; };
/* whole: fsync of a range writes back all of the file. */
FIXTURE_VARIANT(shared) { const char *fs; bool disk, whole; };
FIXTURE_VARIANT_ADD(shared, tmpfs) { .fs = "tmpfs" };
FIXTURE_VARIANT_ADD(shared, memfd) { .fs = "memfd" };
FIXTURE_VARIANT_ADD(shared, ext2) { .fs = "ext2", .disk = true };
FIXTURE_VARIANT_ADD(shared, ext4) { .fs = "ext4", .disk = true };
FIXTURE_VARIANT_ADD(shared, xfs) { .fs = "xfs", .disk = true };
FIXTURE_VARIANT_ADD(shared, btrfs) { .fs = "btrfs", .disk = true, .whole = true };
FIXTURE_SETUP(shared)
{
	self->p.mflags = MAP_SHARED;
	self->p.fd = file_on(variant->fs);
	if (self->p.fd < 0)
		SKIP(return, "no such file system here");
	ASSERT_EQ(0, mp_map_runs(&self->p, layout));
	ASSERT_TRUE(mp_one_vma());
	ASSERT_EQ(0, mp_bad);
}

FIXTURE_TEARDOWN(shared)
{
	close(self->p.fd);
}

/* Pages, protections, faults and texts are those of the equivalent layout. */
TEST_F(shared, same)
{
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
	ASSERT_EQ(MP_ACCERR, mp_put(self->p.base[MULTI] + A_RO * PS, 1));
	ASSERT_EQ(MP_ACCERR, mp_read(self->p.base[MULTI] + 8 * PS));
}

static int file_byte(int fd, unsigned long pgoff)
{
	unsigned char byte;

	return pread(fd, &byte, 1, pgoff * PS + 100) == 1 ? byte : -1;
}

/* A write is seen in the file, at the page's other addresses, and the other way round. */
TEST_F(shared, coherent)
{
	char *m = self->p.base[MULTI], *e = self->p.base[EQUIV];

	ASSERT_EQ(0, mp_put(m + A_FIVE * PS + 100, 'a'));
	EXPECT_EQ('a', file_byte(self->p.fd, 5));
	EXPECT_EQ('a', m[A_FIVE_RO * PS + 100]);
	EXPECT_EQ('a', e[A_FIVE * PS + 100]);
	ASSERT_EQ(0, mp_put(e + A_RW2 * PS + 100, 'b'));
	EXPECT_EQ('b', m[A_RW2 * PS + 100]);
	ASSERT_EQ(1, pwrite(self->p.fd, "c", 1, 52 * PS + 100));
	EXPECT_EQ('c', m[(A_RW3 + 2) * PS + 100]);
	EXPECT_EQ(0, mp_same(0));
}

/* Nothing is ever copied: a forced write is refused or goes to the file, as in stock. */
TEST_F(shared, forced_write)
{
	mp_both(&self->p, pwrite(mp_mem_fd(), "f", 1, (off_t)(long)(b + A_RW * PS + 100)));
	EXPECT_EQ('f', file_byte(self->p.fd, 0));
	mp_both(&self->p, pwrite(mp_mem_fd(), "g", 1, (off_t)(long)(b + A_RO * PS + 100)));
	mp_both(&self->p, pwrite(mp_mem_fd(), "h", 1, (off_t)(long)(b + 8 * PS + 100)));
	EXPECT_EQ(0, mp_same(0));
}

/* mprotect and remap change the runs in place; shared pages are not charged and are no data. */
TEST_F(shared, change)
{
	long data = mp_status("VmData");

	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + A_RO * PS, 2 * PS, RW)));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + A_RW2 * PS + PS, 2 * PS, R)));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b, MAP_PAGES * PS, R)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + 3 * PS, 5 * PS, RW)));
	ASSERT_EQ(0, mp_chg(&self->p, 9, 7, RW, MP_FILE, 13));
	ASSERT_EQ(0, mp_chg(&self->p, 12, 1, NONE, MP_FILE, 0));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	EXPECT_EQ(data, mp_status("VmData"));
	ASSERT_TRUE(mp_one_vma());
}

/* Anonymous memory has no place in a shared mapping. */
TEST_F(shared, no_zero_fill)
{
	if (mp_stock)
		SKIP(return, "says nothing about the fallback");
	EXPECT_EQ(-EINVAL, mp_rfp(self->p.base[MULTI], PS, R, 0, MAP_CHGPROT | MAP_ANONYMOUS));
	EXPECT_EQ(0, mp_same(0));
}

/* The dirty kB that smaps tells of the entry at @addr. */
static long dirty(const char *addr)
{
	long kb = -1;
	char *p;

	if (mp_slurp("/proc/self/smaps") < 0)
		return -1;
	for (p = mp_text; p && *p; p = strchr(p, '\n'), p += !!p) {
		unsigned long start, end, n;
		char perms[8];

		if (sscanf(p, "%lx-%lx %7s", &start, &end, perms) == 3) {
			if (kb >= 0)
				break;
			if (start <= (unsigned long)addr && (unsigned long)addr < end)
				kb = 0;
		} else if (kb >= 0 && (sscanf(p, "Shared_Dirty: %lu", &n) == 1 ||
				       sscanf(p, "Private_Dirty: %lu", &n) == 1)) {
			kb += n;
		}
	}
	return kb;
}

static long mtime(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : st.st_mtim.tv_sec;
}

/*
 * After writeback the page is write-protected again wherever it is mapped, and
 * the next write is noticed: the file's time of modification says so.
 */
TEST_F(shared, write_is_noticed)
{
	static const int at[] = { A_RW, A_FIVE, A_RW2 + 3, A_RW3 };
	static const struct timespec long_ago[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	int side;
	size_t i;

	if (!variant->disk)
		SKIP(return, "a file system without writeback");
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		for (side = 0; side < 2; side++) {
			char *a = self->p.base[side] + at[i] * PS + 100;

			ASSERT_EQ(0, mp_put(a, 'x'));
			ASSERT_EQ(0, fsync(self->p.fd));
			ASSERT_EQ(0, dirty(a));
			ASSERT_EQ(0, futimens(self->p.fd, long_ago));
			ASSERT_EQ(long_ago[1].tv_sec, mtime(self->p.fd));
			ASSERT_EQ(0, mp_put(a, 'y'));
			EXPECT_LT(long_ago[1].tv_sec, mtime(self->p.fd)) {
				TH_LOG("side %d page %d", side, at[i]);
			}
			EXPECT_LT(0, dirty(a));
		}
	EXPECT_EQ(0, mp_same(0));
}

/* msync writes back the file pages that the runs in its range map, and no others. */
TEST_F(shared, msync)
{
	char *m = self->p.base[MULTI];

	if (!variant->disk)
		SKIP(return, "a file system without writeback");
	ASSERT_EQ(0, mp_put(m + A_RW * PS, 'x'));
	ASSERT_EQ(0, mp_put(m + A_RW2 * PS, 'x'));
	ASSERT_EQ(0, mp_put(m + A_RW3 * PS, 'x'));
	ASSERT_EQ(0, msync(m + A_RO * PS, (A_RW2 + 2 - A_RO) * PS, MS_SYNC));
	EXPECT_EQ(0, dirty(m + A_RW2 * PS));
	if (!variant->whole) {
		EXPECT_LT(0, dirty(m + A_RW * PS));
		EXPECT_LT(0, dirty(m + A_RW3 * PS));
	}
	ASSERT_EQ(0, msync(m + A_RW * PS, MAP_PAGES * PS, MS_SYNC));
	EXPECT_EQ(0, dirty(m + A_RW * PS));
	EXPECT_EQ(0, dirty(m + A_RW3 * PS));
	mp_both(&self->p, munmap(b + 2 * PS, PS));
	EXPECT_EQ(-ENOMEM, mp_both(&self->p, msync(b, MAP_PAGES * PS, MS_SYNC)));
	EXPECT_EQ(-ENOMEM, mp_both(&self->p, msync(b, MAP_PAGES * PS, MS_ASYNC)));
}

/* A hole is punched where the run maps the file. */
TEST_F(shared, madv_remove)
{
	mp_read(self->p.base[MULTI] + A_RW2 * PS);
	if (mp_both(&self->p, madvise(b + A_RW2 * PS, 2 * PS, MADV_REMOVE)) == -EOPNOTSUPP)
		SKIP(return, "no holes in files of this file system");
	EXPECT_TRUE(mp_page_is_zero(self->p.base[MULTI] + A_RW2 * PS));
	EXPECT_EQ(0, file_byte(self->p.fd, 20));
	EXPECT_EQ(0, file_byte(self->p.fd, 21));
	EXPECT_NE(0, file_byte(self->p.fd, 22));
	EXPECT_NE(0, file_byte(self->p.fd, 10));
	/* Over run bounds, with runs that may not be written among them. */
	mp_both(&self->p, madvise(b + A_RO * PS, 8 * PS, MADV_REMOVE));
	EXPECT_EQ(0, mp_same(MP_WRITES));
}

TEST_F(shared, truncate)
{
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, ftruncate(self->p.fd, 21 * PS));
	EXPECT_EQ(MP_ADRERR, mp_read(self->p.base[MULTI] + A_RO * PS));
	EXPECT_EQ(MP_ADRERR, mp_read(self->p.base[MULTI] + (A_RW2 + 1) * PS));
	EXPECT_EQ(0, mp_read(self->p.base[MULTI] + A_RW2 * PS));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, ftruncate(self->p.fd, 5 * PS));
	EXPECT_EQ(MP_ADRERR, mp_read(self->p.base[MULTI] + A_FIVE * PS));
	EXPECT_EQ(MP_ADRERR, mp_read(self->p.base[MULTI] + A_FIVE_RO * PS));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, ftruncate(self->p.fd, FILE_PAGES * PS));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Reclaim takes the pages away and loses nothing. */
TEST_F(shared, pageout)
{
	int round;

	for (round = 0; round < 3; round++) {
		mp_put(self->p.base[MULTI] + A_FIVE * PS + 100, 'p' + round);
		mp_put(self->p.base[MULTI] + A_RW3 * PS + 100, 'P' + round);
		fsync(self->p.fd);
		mp_both(&self->p, madvise(b, 8 * PS, MADV_PAGEOUT));
		mp_both(&self->p, madvise(b + A_RW2 * PS, 14 * PS, MADV_PAGEOUT));
		EXPECT_EQ('p' + round, self->p.base[MULTI][A_FIVE_RO * PS + 100]);
		EXPECT_EQ('P' + round, file_byte(self->p.fd, 50));
		ASSERT_EQ(0, mp_same(MP_WRITES));
	}
}

static int child_writes(void *arg)
{
	struct mp_pair *p = arg;

	if (mp_same(MP_WRITES))
		return mp_bad;
	return mp_put(p->base[MULTI] + A_RW * PS + 100, 'C') ||
		p->base[MULTI][A_FIVE_RO * PS + 100] != 'P';
}

/* The child shares the pages, and the map until one of the two changes it. */
TEST_F(shared, fork)
{
	ASSERT_EQ(0, mp_put(self->p.base[MULTI] + A_FIVE * PS + 100, 'P'));
	ASSERT_EQ(0, mp_in_child(child_writes, &self->p));
	EXPECT_EQ('C', self->p.base[MULTI][A_RW * PS + 100]);
	EXPECT_EQ(0, mp_same(MP_WRITES));
}

/* mremap() with an old size of 0 makes a second mapping of the run, and more of its file. */
TEST_F(shared, duplicate)
{
	static const int at[] = { A_RO + 1, A_RW2 + 2, A_FIVE, 0 };
	size_t i;

	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		ASSERT_EQ(0, mp_both(&self->p,
				     mremap(b + at[i] * PS, 0, 6 * PS,
					    MREMAP_MAYMOVE | MREMAP_FIXED,
					    b + (MAP_PAGES + 8 * (i + 1)) * PS) ==
				     MAP_FAILED ? -errno : 0));
		ASSERT_EQ(0, mp_same(MP_WRITES));
	}
}

/* Without MAP_CHGPROT, remap_file_pages() is the old call, which keeps the protection. */
TEST_F(shared, old_call)
{
	EXPECT_EQ(0, mp_both(&self->p, mp_rfp(b + PS, 2 * PS, 0, 60, 0)));
	EXPECT_EQ(0, mp_both(&self->p, mp_rfp(b + (A_RW2 + 1) * PS, 2 * PS, 0, 2, MAP_NONBLOCK)));
	/* Not over runs of other protection, nor with a protection. */
	EXPECT_EQ(-EINVAL, mp_both(&self->p, mp_rfp(b + 3 * PS, 2 * PS, 0, 60, 0)));
	EXPECT_EQ(-EINVAL, mp_both(&self->p, mp_rfp(b, PS, R, 60, 0)));
	EXPECT_EQ(0, mp_same(MP_WRITES));
}

/* Where it is refused, nothing is divided: not here, nor what else the range holds. */
TEST_F(shared, old_call_refused)
{
	int vmas = mp_window_vmas(MULTI);

	EXPECT_EQ(-EINVAL, mp_both(&self->p, mp_rfp(b, MAP_PAGES * PS, 0, 0, 0)));
	EXPECT_EQ(-EINVAL, mp_both(&self->p, mp_rfp(b + PS, 2 * MAP_PAGES * PS, 0, 0, 0)));
	EXPECT_EQ(vmas, mp_window_vmas(MULTI));
	EXPECT_EQ(0, mp_same(MP_WRITES));
}

/* Moved, grown, shrunk, cut and mapped over. */
TEST_F(shared, move)
{
	ASSERT_EQ(0, mp_both(&self->p, mremap(b + A_RW2 * PS, 4 * PS, 6 * PS,
					      MREMAP_MAYMOVE | MREMAP_FIXED,
					      b + (MAP_PAGES + 8) * PS) ==
				       MAP_FAILED ? -errno : 0));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_both(&self->p, munmap(b + A_RO * PS + PS, 2 * PS)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_both(&self->p, mremap(b + A_RW3 * PS, 4 * PS, 2 * PS, 0) == MAP_FAILED ?
			     -errno : 0));
	ASSERT_EQ(0, mp_both(&self->p, mmap(b + PS, PS, R, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
					    -1, 0) == MAP_FAILED ? -errno : 0));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Advice, locking, mincore and the like look at each run. */
TEST_F(shared, advice)
{
	static const int advice[] = {
		MADV_WILLNEED, MADV_DONTNEED, MADV_COLD, MADV_FREE, MADV_RANDOM,
		MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_DONTFORK, MADV_DOFORK,
		MADV_DONTDUMP, MADV_WIPEONFORK, MADV_MERGEABLE,
	};
	unsigned char vec[2][MAP_PAGES];
	size_t i;

	mp_both(&self->p, mlock(b + 2 * PS, 12 * PS));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	mp_both(&self->p, munlock(b, MAP_PAGES * PS));
	for (i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		mp_both(&self->p, madvise(b + 3 * PS, 9 * PS, advice[i]));
		mp_both(&self->p, madvise(b + A_RW2 * PS, 2 * PS, advice[i]));
		ASSERT_EQ(0, mp_same(MP_WRITES)) {
			TH_LOG("advice %d", advice[i]);
		}
	}
	mp_both(&self->p, mincore(b, MAP_PAGES * PS, vec[side]));
	EXPECT_EQ(0, memcmp(vec[0], vec[1], MAP_PAGES));
}

/* A file that is open for reading only: never writable, and shared all the same. */
TEST(read_only_file)
{
	static struct mp_pair p = { .mflags = MAP_SHARED };
	static const struct mp_run runs[] = {
		{ 3, R, MP_FILE, 0 }, { 2, NONE, MP_FILE, 3 }, { 2, R, MP_FILE, 1 },
	};
	int fd = mp_file(MP_TMP, FILE_PAGES);
	char name[64];

	ASSERT_LE(0, fd);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	p.fd = open(name, O_RDONLY);
	if (p.fd < 0)
		SKIP(return, "cannot open the file again");
	ASSERT_EQ(0, mp_map_runs(&p, runs));
	ASSERT_TRUE(mp_one_vma());
	EXPECT_EQ(-EACCES, mp_chg(&p, 1, 2, RW, MP_FILE, 1));
	EXPECT_EQ(-EACCES, mp_both(&p, mprotect(b + PS, PS, RW)));
	mp_both(&p, pwrite(mp_mem_fd(), "x", 1, (off_t)(long)b));
	EXPECT_EQ(0, mp_same(MP_WRITES));
}

/* Sealed against further writing: no run becomes writable any more. */
TEST(sealed_memfd)
{
	static struct mp_pair p = { .mflags = MAP_SHARED };
	static const struct mp_run runs[] = {
		{ 3, RW, MP_FILE, 0 }, { 3, R, MP_FILE, 8 }, { 2, RW, MP_FILE, 3 },
	};

	p.fd = memfd_create("manyprots", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ASSERT_LE(0, p.fd);
	ASSERT_EQ(0, mp_write_pages(p.fd, 0, FILE_PAGES));
	ASSERT_EQ(0, mp_map_runs(&p, runs));
	EXPECT_EQ(-1, fcntl(p.fd, F_ADD_SEALS, F_SEAL_WRITE));
	EXPECT_EQ(EBUSY, errno);
	ASSERT_EQ(0, fcntl(p.fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	EXPECT_EQ(-EPERM, mp_chg(&p, 3, 2, RW, MP_FILE, 20));
	/* mprotect() of what was mapped before is allowed by stock too. */
	EXPECT_EQ(0, mp_both(&p, mprotect(b, PS, R)));
	EXPECT_EQ(0, mp_both(&p, mprotect(b, PS, RW)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	if (mp_stock)
		return;
	/* Stock's mapping would not get VM_MAYWRITE, and a run has none of its own. */
	EXPECT_EQ(-EPERM, mp_rfp(p.base[MULTI], PS, R, 20, MAP_CHGPROT));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Shared memory without a file: each side has its own. */
TEST(anonymous)
{
	const char *dev = getenv("MANYPROTS_SWAP");
	size_t i, n = 200;
	char *m[2];
	int side;
	pid_t pid;

	mp_clear();
	for (side = 0; side < 2; side++) {
		m[side] = mmap((void *)(mp_window(side) + MP_BASE_OFFSET), n * PS, RW,
			       MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		ASSERT_NE(MAP_FAILED, m[side]);
		for (i = 0; i < n; i++)
			memset(m[side] + i * PS, i, 64);
	}
	for (i = 0; i < n; i++)
		if (i % 3) {
			int prot = i % 3 == 1 ? R : NONE;

			ASSERT_EQ(0, mp_stock ? mprotect(m[MULTI] + i * PS, PS, prot) :
				  mp_rfp(m[MULTI] + i * PS, PS, prot, i, MAP_CHGPROT));
			ASSERT_EQ(0, mprotect(m[EQUIV] + i * PS, PS, prot));
		}
	ASSERT_TRUE(mp_one_vma());
	if (dev && mp_system())
		madvise(m[MULTI], n * PS, MADV_PAGEOUT);
	/* Two objects, so that only the bytes can be compared. */
	for (i = 0; i < n; i++) {
		ASSERT_EQ(mp_read(m[EQUIV] + i * PS), mp_read(m[MULTI] + i * PS));
		ASSERT_EQ(mp_write(m[EQUIV] + i * PS), mp_write(m[MULTI] + i * PS));
	}
	fflush(NULL);
	pid = fork();
	if (!pid) {
		for (i = 0; i < n; i += 3)
			m[MULTI][i * PS + 1] = 'c';
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	for (i = 0; i < n; i++) {
		if (i % 3 == 2)
			continue;
		ASSERT_EQ((char)i, m[MULTI][i * PS]);
		ASSERT_EQ(i % 3 ? (char)i : 'c', m[MULTI][i * PS + 1]);
	}
	if (mp_stock)
		return;
	/* Backwards: any page of the memory at any address. */
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, mp_rfp(m[MULTI] + i * PS, PS, R, n - 1 - i, MAP_CHGPROT));
	}
	for (i = 0; i < n; i++) {
		ASSERT_EQ((char)(n - 1 - i), m[MULTI][i * PS]);
	}
	/* Pages that nobody has written: zero, beyond the end SIGBUS. */
	ASSERT_EQ(0, mp_rfp(m[MULTI], PS, RW, n + 5, MAP_CHGPROT));
	EXPECT_EQ(MP_ADRERR, mp_read(m[MULTI]));
}

/* A file system that did not opt in keeps its shared mappings ordinary; private ones may be. */
static int anonymous_mdwe_child(__mp_unused void *arg)
{
	char *m = mmap((void *)mp_window(0), 8 * PS, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int bad = 0;

	if (m == MAP_FAILED || prctl(PR_SET_MDWE, 1, 0, 0, 0))
		return 100;
	memset(m, 0xc3, 8 * PS);
	/* as mprotect() */
	bad += mp_rfp(m + PS, PS, RX, 1, MAP_CHGPROT) != -EACCES;
	bad += (mprotect(m + PS, PS, RX) ? -errno : 0) != -EACCES;
	/* nor by way of another address */
	bad += mp_rfp(m + PS, PS, RX, 5, MAP_CHGPROT) != -EACCES;
	bad += mp_rfp(m + PS, PS, R, 5, MAP_CHGPROT) != 0;
	bad += mp_rfp(m + PS, PS, RX, 5, MAP_CHGPROT) != -EACCES;
	bad += mp_read(m + PS) != 0;
	return bad;
}

/* What was written to memory that has no file to mmap() never becomes text under PR_SET_MDWE. */
TEST(anonymous_mdwe)
{
	int bad;

	mp_clear();
	if (mp_stock)
		SKIP(return, "no shared mapping has runs");
	bad = mp_in_child(anonymous_mdwe_child, NULL);
	if (bad == 100)
		SKIP(return, "no PR_SET_MDWE");
	ASSERT_EQ(0, bad);
}

TEST(not_opted_in)
{
	char dir[] = "/tmp/manyprots-ramfs.XXXXXX", name[64];
	char *m;
	int fd;

	if (!mp_system() || mp_stock)
		SKIP(return, "mounts a ramfs, and is about the new call");
	ASSERT_NE(NULL, mkdtemp(dir));
	ASSERT_EQ(0, mount("ramfs", dir, "ramfs", 0, NULL));
	snprintf(name, sizeof(name), "%s/file", dir);
	fd = open(name, O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, mp_write_pages(fd, 0, 4));
	m = mmap(NULL, 4 * PS, R, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, m);
	EXPECT_EQ(-EINVAL, mp_rfp(m, PS, RW, 0, MAP_CHGPROT));
	ASSERT_EQ(0, munmap(m, 4 * PS));
	m = mmap(NULL, 4 * PS, R, MAP_PRIVATE, fd, 0);
	EXPECT_EQ(0, mp_rfp(m, PS, RW, 3, MAP_CHGPROT));
	ASSERT_EQ(0, munmap(m, 4 * PS));
	close(fd);
	ASSERT_EQ(0, umount(dir));
	rmdir(dir);
}

/* 30,000 pages of a file in any order, one run each: right, also after reclaim and truncation. */
TEST(many_nonlinear)
{
	size_t i, n = 30000, step = 7919;	/* prime to n */
	int fd = memfd_create("manyprots", MFD_CLOEXEC);
	uint32_t *m;

	if (mp_stock)
		SKIP(return, "more VMAs than vm.max_map_count allows");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, n * PS));
	m = mmap(NULL, n * PS, RW, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, m);
	for (i = 0; i < n; i++)
		m[i * PS / 4] = i;
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, mp_rfp((char *)m + i * PS, PS, i % 5 ? RW : R, i * step % n,
				    MAP_CHGPROT));
	}
	for (i = 0; i < n; i++) {
		ASSERT_EQ(i * step % n, m[i * PS / 4]);
	}
	ASSERT_EQ(0, madvise(m, n * PS, MADV_PAGEOUT));
	ASSERT_EQ(0, ftruncate(fd, n / 2 * PS));
	for (i = 0; i < n; i++) {
		if (i * step % n < n / 2) {
			ASSERT_EQ(i * step % n, m[i * PS / 4]);
		} else {
			ASSERT_EQ(MP_ADRERR, mp_read((char *)m + i * PS));
		}
	}
	ASSERT_EQ(0, munmap(m, n * PS));
	close(fd);
}

TEST_HARNESS_MAIN
