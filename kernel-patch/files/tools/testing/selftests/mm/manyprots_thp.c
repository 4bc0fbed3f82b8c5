// SPDX-License-Identifier: GPL-2.0
/*
 * Transparent huge pages in multi-protection VMAs: a huge page is mapped where
 * one run covers it, as in the equivalent VMA, and never over a bound of runs.
 * Changes of protection, fork, moves, advice, swap, khugepaged and the page
 * cache treat huge and small pages alike.
 *
 * Where huge pages are is compared 2 MiB by 2 MiB, as far as memory for them is
 * to be had: the guest must not be fragmented.
 */
#include "manyprots_util.h"
#include <pthread.h>
#include <sys/ioctl.h>

#define THP "/sys/kernel/mm/transparent_hugepage/"
#define HP 512UL			/* small pages in a huge page */
#define HUGE (HP * 4096)

#ifndef MADV_HUGEPAGE
#define MADV_HUGEPAGE 14
#define MADV_NOHUGEPAGE 15
#endif

struct region {
	uint64_t start, end, categories;
};

struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define PAGEMAP_SCAN _IOWR('f', 16, struct scan_arg)
#define PAGE_IS_HUGE (1 << 6)

/* Is there a huge page, mapped as one, at @addr?  -1: the kernel cannot tell. */
static int is_huge(const char *addr)
{
	unsigned long page = (unsigned long)addr & -PS;
	struct region region;
	struct scan_arg arg = {
		.size = sizeof(arg), .start = page, .end = page + PS,
		.vec = (unsigned long)&region, .vec_len = 1,
		.category_mask = PAGE_IS_HUGE, .return_mask = PAGE_IS_HUGE,
	};
	int n, fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	n = ioctl(fd, PAGEMAP_SCAN, &arg);
	close(fd);
	return n;
}

/* A bit for each huge page of @n from @addr on. */
static long huge_map(const char *addr, size_t n)
{
	long map = 0;
	size_t i;

	for (i = 0; i < n; i++)
		map |= (long)(is_huge(addr + i * HUGE) > 0) << i;
	return map;
}

#define HUGES(p) mp_both(p, huge_map(b, (p)->npages / HP))

static int set(const char *file, const char *value)
{
	char name[128];

	snprintf(name, sizeof(name), THP "%s", file);
	return mp_sysctl_set(name, value);
}

/* Writes a word to each page: each page its own, the same on both sides. */
static long fill(char *addr, size_t pages, unsigned long tag)
{
	size_t i;

	for (i = 0; i < pages; i++)
		*(unsigned long *)(addr + i * PS) = tag + i;
	return pages;
}

/* Reads a word of each page, also where nobody wants to know the result. */
static long sum(const char *addr, size_t pages)
{
	unsigned long n = 0;
	size_t i;

	for (i = 0; i < pages; i++)
		n = n * 31 + *(const volatile unsigned long *)(addr + i * PS);
	return n >> 1;
}

/* mp_same() of the text, and of a few pages of each huge page: all of them take minutes. */
static int same_at(struct mp_pair *p, const char *what, int flags)
{
	size_t i;

	if (mp_same_at(what, flags | MP_NOTOUCH))
		return mp_bad;
	for (i = 0; i < p->npages; i++)
		if (i % 64 < 4 || i % 64 == 63)
			mp_same_page(what, p->base[MULTI] + i * PS, p->base[EQUIV] + i * PS,
				     flags);
	return mp_bad;
}

#define SAME(p, flags) same_at(p, "line " MP_STR(__LINE__), flags)

static char saved[8][64];
static const char *const knobs[] = { "enabled", "shmem_enabled", "defrag",
	"khugepaged/scan_sleep_millisecs", "khugepaged/alloc_sleep_millisecs",
	"khugepaged/max_ptes_none", "khugepaged/pages_to_scan" };

static void keep(bool restore)
{
	size_t i;

	for (i = 0; i < sizeof(knobs) / sizeof(*knobs); i++) {
		char name[128], *p;

		snprintf(name, sizeof(name), THP "%s", knobs[i]);
		if (restore) {
			set(knobs[i], saved[i]);
		} else if (mp_slurp(name) > 0) {
			p = strchr(mp_text, '[');
			p = p ? p + 1 : mp_text;
			p[strcspn(p, "]\n")] = 0;
			snprintf(saved[i], sizeof(saved[i]), "%.60s", p);
		}
	}
}

/*
 * khugepaged makes huge pages of small ones when it comes by, which may be
 * between a look at the one side and at the other: it sleeps until a test wants
 * it.  The first process with a huge page wakes it all the same, as does each
 * setting: then it looks at one VMA, and leaves alone what has holes.
 */
static bool setup(void)
{
	if (!mp_system() || PS != 4096 || is_huge((void *)&saved) < 0 ||
	    access(THP "enabled", W_OK))
		return false;
	keep(false);
	return !set("khugepaged/pages_to_scan", "1") &&
		!set("khugepaged/max_ptes_none", "0") &&
		!set("khugepaged/scan_sleep_millisecs", "3600000") &&
		!set("enabled", "always") && !set("defrag", "always");
}

static int khugepaged(void)
{
	return set("khugepaged/pages_to_scan", "4096") ||
		set("khugepaged/scan_sleep_millisecs", "0") ||
		set("khugepaged/alloc_sleep_millisecs", "0");
}

/* ---- anonymous memory ---- */

/* 5 huge pages RW, a run whose bounds are no multiples, 2 more, and the rest. */
static const struct mp_run heap[] = {
	{ 5 * HP, RW, MP_ANON, 0 },
	{ HP / 2, R, MP_ANON, 0 },
	{ HP + HP / 2, RW, MP_ANON, 0 },
	{ HP, NONE, MP_ANON, 0 },
};

FIXTURE(anon) { struct mp_pair p; };
FIXTURE_SETUP(anon)
{
	if (!setup())
		SKIP(return, "no huge pages, or not in a guest");
	self->p.fd = -1;
	self->p.mflags = MAP_NORESERVE;
	ASSERT_EQ(0, mp_map_runs(&self->p, heap));
	ASSERT_TRUE(mp_one_vma());
}

FIXTURE_TEARDOWN(anon)
{
	mp_clear();
	keep(true);
}

/* A large uniform run gets huge pages, and none is over a bound. */
TEST_F(anon, fault)
{
	mp_both(&self->p, fill(b, 5 * HP, 1000));
	mp_both(&self->p, fill(b + 5 * HUGE + HUGE / 2, HP + HP / 2, 7));
	ASSERT_EQ(0x5f, HUGES(&self->p));
	ASSERT_EQ(0, SAME(&self->p, 0));
	ASSERT_TRUE(mp_one_vma());
}

/* What is read first is the huge zero page; it is split like others. */
TEST_F(anon, zero_page)
{
	mp_both(&self->p, sum(b, 8 * HP - HP));
	ASSERT_EQ(0x5f, HUGES(&self->p));
	ASSERT_EQ(0, mp_chg(&self->p, HP + 3, 1, R, MP_ANON, 0));
	ASSERT_EQ(0x5d, HUGES(&self->p));
	mp_both(&self->p, fill(b, 1, 5));
	mp_both(&self->p, fill(b + 2 * HUGE, HP, 5));
	HUGES(&self->p);
	ASSERT_EQ(0, SAME(&self->p, MP_WRITES));
}

/* A change of protection splits at its bounds only. */
TEST_F(anon, protect)
{
	mp_both(&self->p, fill(b, 5 * HP, 1000));
	/* all of a huge page */
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + HUGE, HUGE, R)));
	ASSERT_EQ(0x1f, HUGES(&self->p));
	ASSERT_EQ(MP_ACCERR, mp_both(&self->p, mp_put(b + HUGE + 5, 1)));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + HUGE, HUGE, NONE)));
	ASSERT_EQ(0x1f, HUGES(&self->p));
	ASSERT_EQ(MP_ACCERR, mp_both(&self->p, mp_read(b + HUGE + 5)));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + HUGE, HUGE, RW)));
	ASSERT_EQ(0, mp_both(&self->p, mp_put(b + HUGE + 5, 1)));
	ASSERT_EQ(0x1f, HUGES(&self->p));
	/* one page of it */
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + HUGE + PS, PS, R)));
	ASSERT_EQ(0x1d, HUGES(&self->p));
	/* from the middle of one to the middle of another */
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + 2 * HUGE + HUGE / 2, 2 * HUGE, R)));
	ASSERT_EQ(0x09, HUGES(&self->p));
	ASSERT_EQ(0, SAME(&self->p, MP_WRITES));
	ASSERT_TRUE(mp_one_vma());
}

static int child(void *arg)
{
	struct mp_pair *p = arg;
	size_t from = p->fd < 0 ? 0 : 5 * HUGE;

	HUGES(p);
	mp_both(p, fill(b + from, 8, 5));
	mp_both(p, mprotect(b + from + HUGE + 2 * PS, PS, R));
	HUGES(p);
	return SAME(p, MP_WRITES);
}

TEST_F(anon, fork)
{
	mp_both(&self->p, fill(b, 5 * HP, 1000));
	ASSERT_EQ(0, mp_in_child(child, &self->p));
	ASSERT_EQ(0x1f, HUGES(&self->p));
	mp_both(&self->p, fill(b + PS, 1, 5));
	ASSERT_EQ(0, SAME(&self->p, MP_WRITES));
}

TEST_F(anon, move)
{
	mp_both(&self->p, fill(b, 5 * HP, 1000));
	ASSERT_EQ(0, mp_both(&self->p, mremap(b, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED,
					      b + 16 * HUGE) == b + 16 * HUGE ? 0 : -1));
	ASSERT_EQ(3, mp_both(&self->p, huge_map(b + 16 * HUGE, 2)));
	ASSERT_EQ(0, mp_both(&self->p, mremap(b + 2 * HUGE, HUGE + PS, HUGE + PS,
					      MREMAP_MAYMOVE | MREMAP_FIXED, b + 20 * HUGE) ==
					      b + 20 * HUGE ? 0 : -1));
	ASSERT_EQ(1, mp_both(&self->p, huge_map(b + 20 * HUGE, 2)));
	/* off by a page: small */
	ASSERT_EQ(0, mp_both(&self->p, mremap(b + 4 * HUGE, HUGE, HUGE,
					      MREMAP_MAYMOVE | MREMAP_FIXED,
					      b + 24 * HUGE + PS) == b + 24 * HUGE + PS ? 0 : -1));
	ASSERT_EQ(0, mp_both(&self->p, huge_map(b + 24 * HUGE, 2)));
	ASSERT_EQ(0, SAME(&self->p, MP_WRITES));
}

TEST_F(anon, unmap_and_advice)
{
	mp_both(&self->p, fill(b, 5 * HP, 1000));
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + PS, PS, MADV_DONTNEED)));
	ASSERT_EQ(0x1e, HUGES(&self->p));
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + HUGE, HUGE, MADV_DONTNEED)));
	ASSERT_EQ(0x1c, HUGES(&self->p));
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + 2 * HUGE + PS, 2 * HUGE, MADV_FREE)));
	HUGES(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, munmap(b + 4 * HUGE + PS, PS)));
	HUGES(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + HUGE, HUGE, MADV_HUGEPAGE)));
	mp_both(&self->p, fill(b + HUGE, HP, 9));
	ASSERT_EQ(2, HUGES(&self->p) & 2);
	ASSERT_EQ(0, SAME(&self->p, MP_WRITES));
}

/* MADV_HUGEPAGE where only that gives huge pages, MADV_NOHUGEPAGE where all have them. */
TEST_F(anon, huge_by_advice)
{
	ASSERT_EQ(0, set("enabled", "madvise"));
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + HUGE, 2 * HUGE, MADV_HUGEPAGE)));
	mp_both(&self->p, fill(b, 5 * HP, 1000));
	ASSERT_EQ(0x06, HUGES(&self->p));
	ASSERT_EQ(0, SAME(&self->p, 0));
	ASSERT_EQ(0, set("enabled", "always"));
	ASSERT_EQ(0, mp_both(&self->p, madvise(b, 4 * HUGE, MADV_DONTNEED)));
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + 2 * HUGE, 2 * HUGE, MADV_NOHUGEPAGE)));
	mp_both(&self->p, fill(b, 5 * HP, 1000));
	/* What was small has a page table still. */
	ASSERT_EQ(0x02, HUGES(&self->p) & 0x0f);
	ASSERT_EQ(0, SAME(&self->p, 0));
}

TEST_F(anon, collapse)
{
	int i;

	ASSERT_EQ(0, set("enabled", "never"));
	mp_both(&self->p, fill(b, 5 * HP, 1000));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + HUGE, HUGE, R)));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + 3 * HUGE + PS, PS, R)));
	ASSERT_EQ(0, HUGES(&self->p));
	ASSERT_EQ(0, mp_both(&self->p, madvise(b, HUGE, MADV_COLLAPSE)));
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + 2 * HUGE, HUGE, MADV_COLLAPSE)));
	for (i = 0; i < 8; i++)
		mp_both(&self->p, madvise(b + i * HUGE, HUGE, MADV_COLLAPSE));
	ASSERT_EQ(0x15, HUGES(&self->p) & 0x1d);
	ASSERT_EQ(0, SAME(&self->p, MP_WRITES));
	ASSERT_TRUE(mp_one_vma());
}

TEST_F(anon, khugepaged)
{
	long map = 0;
	int i;

	ASSERT_EQ(0, set("enabled", "never"));
	mp_both(&self->p, fill(b, 5 * HP, 1000));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + 3 * HUGE + PS, PS, R)));
	ASSERT_EQ(0, khugepaged());
	ASSERT_EQ(0, set("enabled", "always"));
	/* A fault for the process to be noticed; the holes of the last run */
	mp_both(&self->p, fill(b + 6 * HUGE, HP, 7));
	for (i = 0; i < 300 && map != 0x57; i++) {
		usleep(100000);
		map = huge_map(self->p.base[MULTI], 8) & huge_map(self->p.base[EQUIV], 8);
	}
	ASSERT_EQ(0x57, HUGES(&self->p));
	ASSERT_EQ(0, SAME(&self->p, MP_WRITES));
	ASSERT_TRUE(mp_one_vma());
}

/* Out to swap and back, by page and by swapoff. */
TEST_F(anon, swap)
{
	if (!getenv("MANYPROTS_SWAP"))
		SKIP(return, "no swap");
	mp_both(&self->p, fill(b, 5 * HP, 1000));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + HUGE, HUGE, R)));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + 2 * HUGE, HUGE, NONE)));
	ASSERT_EQ(0, mp_both(&self->p, madvise(b, 5 * HUGE, MADV_PAGEOUT)));
	ASSERT_EQ(0, SAME(&self->p, MP_WRITES));
}

/* Pages of 64 KiB, where the bounds of runs allow. */
static long large_map(const char *addr, size_t n)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int flags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	long map = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		uint64_t v = 0, f = 0;

		pread(fd, &v, 8, ((unsigned long)addr / PS + i * 16) * 8);
		if (v >> 63)
			pread(flags, &f, 8, (v & ((1UL << 55) - 1)) * 8);
		map |= (long)(f >> 22 & 1) << i;	/* KPF_THP */
	}
	close(fd);
	close(flags);
	return map;
}

TEST_F(anon, sizes)
{
	static const char knob[] = "hugepages-64kB/enabled";

	ASSERT_EQ(0, set("enabled", "never"));
	if (set(knob, "always"))
		SKIP(return, "no huge pages of 64 KiB");
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + 20 * PS, PS, R)));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + 48 * PS, 16 * PS, R)));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + 65 * PS, 14 * PS, NONE)));
	mp_both(&self->p, fill(b, 20, 5));
	mp_both(&self->p, fill(b + 21 * PS, 27, 5));
	mp_both(&self->p, fill(b + 80 * PS, 48, 5));
	EXPECT_EQ(0xe5, mp_both(&self->p, large_map(b, 8)));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + 80 * PS, 4 * PS, R)));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + 110 * PS, 4 * PS, NONE)));
	ASSERT_EQ(0, mp_in_child(child, &self->p));
	if (getenv("MANYPROTS_SWAP"))
		ASSERT_EQ(0, mp_both(&self->p, madvise(b, HUGE, MADV_PAGEOUT)));
	EXPECT_EQ(0, SAME(&self->p, MP_WRITES));
	set(knob, "never");
}

/* ---- unmodified programs ---- */

/*
 * A reservation as malloc arenas, Go and Java make it, opened from below: it is
 * one VMA with vm.manyprots=1, and has the huge pages that stock gives it.
 */
TEST(reservation)
{
	struct mp_pair p = { .fd = -1, .npages = 8 * HP };
	size_t i, step = 33 * PS;	/* malloc's, as an example */
	int side;

	if (!setup())
		SKIP(return, "no huge pages, or not in a guest");
	for (side = 0; side < 2; side++) {
		p.base[side] = (char *)mp_window(side) + MP_BASE_OFFSET;
		ASSERT_EQ(p.base[side], mmap(p.base[side], 8 * HUGE, NONE, MAP_PRIVATE |
			MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | (side ? 0 : MAP_NORESERVE), -1, 0));
	}
	for (i = 0; i + step < 4 * HUGE; i += step)
		ASSERT_EQ(0, mp_both(&p, mprotect(b + i, step, RW)));
	mp_both(&p, fill(b, 4 * HP - 33, 3));
	ASSERT_EQ(7, HUGES(&p) & 7);
	/* opened at once */
	ASSERT_EQ(0, mp_both(&p, mprotect(b + 5 * HUGE, 2 * HUGE, RW)));
	mp_both(&p, fill(b + 5 * HUGE, 2 * HP, 3));
	ASSERT_EQ(0x60, HUGES(&p) & 0x60);
	ASSERT_TRUE(mp_one_vma());
	/* given back, as collectors do */
	ASSERT_EQ(0, mp_both(&p, mprotect(b + 5 * HUGE, HUGE, NONE)));
	ASSERT_EQ(0, mp_both(&p, madvise(b + 5 * HUGE, HUGE, MADV_DONTNEED)));
	ASSERT_EQ(0x40, HUGES(&p) & 0x60);
	ASSERT_EQ(sum(p.base[0], 3 * HP), sum(p.base[1], 3 * HP));
	ASSERT_EQ(0, mp_bad);
	mp_clear();
	keep(true);
}

/* One that grows page by page is found by khugepaged, with nothing else that is large. */
TEST(arena_grows)
{
	size_t i;
	char *m;

	if (!setup())
		SKIP(return, "no huge pages, or not in a guest");
	/* Not at a fault: khugepaged registers who could have had a huge page then. */
	ASSERT_EQ(0, set("enabled", "never"));
	m = mmap((void *)mp_window(MULTI), 4 * HUGE, NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT_NE(MAP_FAILED, m);
	ASSERT_EQ(0, set("enabled", "always"));
	for (i = 0; i < 3 * HP; i++) {
		ASSERT_EQ(0, mprotect(m + i * PS, PS, RW));
		m[i * PS] = 1;
	}
	ASSERT_EQ(0, khugepaged());
	for (i = 0; i < 300 && (huge_map(m, 3) & 3) != 3; i++)
		usleep(100000);
	ASSERT_EQ(3, huge_map(m, 3) & 3);
	munmap(m, 4 * HUGE);
	keep(true);
}

/* ---- files ---- */

/* Text and data that fit huge pages, the same where it does not, bss, and a nonlinear run. */
static const struct mp_run program[] = {
	{ 2 * HP, RX, MP_FILE, 0 },
	{ HP, RW, MP_FILE, 2 * HP },
	{ HP, R, MP_FILE, HP },
	{ HP, R, MP_FILE, 2 * HP + 1 },
	{ 2 * HP, RW, MP_ANON, 0 },
};

FIXTURE(file) { struct mp_pair p; };
FIXTURE_VARIANT(file) { enum mp_where where; };
FIXTURE_VARIANT_ADD(file, memfd) { .where = MP_MEMFD };
FIXTURE_VARIANT_ADD(file, tmpfs) { .where = MP_TMP };
FIXTURE_SETUP(file)
{
	if (!setup())
		SKIP(return, "no huge pages, or not in a guest");
	set("shmem_enabled", "never");
	self->p.fd = mp_file(variant->where, 4 * HP);
	ASSERT_LE(0, self->p.fd);
	ASSERT_EQ(0, mp_map_runs(&self->p, program));
	ASSERT_TRUE(mp_one_vma());
}

FIXTURE_TEARDOWN(file)
{
	close(self->p.fd);
	mp_clear();
	keep(true);
}

/* bss is anonymous memory in a VMA of a file: its huge pages are not the page cache's. */
TEST_F(file, bss)
{
	mp_both(&self->p, fill(b + 5 * HUGE, 2 * HP, 1000));
	ASSERT_EQ(0x60, HUGES(&self->p));
	ASSERT_EQ(0, mp_in_child(child, &self->p));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + 5 * HUGE + PS, PS, R)));
	ASSERT_EQ(0x40, HUGES(&self->p));
	ASSERT_EQ(0, SAME(&self->p, 0));
	ASSERT_EQ(0, mp_both(&self->p, mremap(b + 6 * HUGE, HUGE, HUGE,
					      MREMAP_MAYMOVE | MREMAP_FIXED, b + 16 * HUGE) ==
					      b + 16 * HUGE ? 0 : -1));
	ASSERT_EQ(1, mp_both(&self->p, huge_map(b + 16 * HUGE, 1)));
	ASSERT_EQ(0, SAME(&self->p, MP_WRITES));
}

/* A file range that becomes bss, and bss that becomes a file range. */
TEST_F(file, kinds)
{
	ASSERT_EQ(0, mp_chg(&self->p, HP / 2, HP + HP / 2, RW, MP_ANON, 0));
	mp_both(&self->p, fill(b + HUGE, HP, 1000));
	mp_both(&self->p, fill(b + 5 * HUGE, 2 * HP, 1000));
	ASSERT_EQ(0x62, HUGES(&self->p) & 0x62);
	ASSERT_EQ(0, mp_chg(&self->p, 6 * HP + 3, 7, R, MP_FILE, 20));
	ASSERT_EQ(0x22, HUGES(&self->p) & 0x62);
	ASSERT_EQ(0, mp_chg(&self->p, HP, HP, R, MP_FILE, HP));
	ASSERT_EQ(0x20, HUGES(&self->p) & 0x62);
	ASSERT_EQ(0, SAME(&self->p, MP_WRITES));
}

/* The page cache is collapsed through one mapping, and every other loses its page tables. */
TEST_F(file, collapse)
{
	long ret;

	mp_both(&self->p, sum(b, 5 * HP));
	ret = mp_both(&self->p, madvise(b, HUGE, MADV_COLLAPSE));
	if (ret == -EINVAL)
		SKIP(return, "not collapsed");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(1, HUGES(&self->p) & 1);
	/* at the offset of text, with another protection */
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + 3 * HUGE, HUGE, MADV_COLLAPSE)));
	mp_both(&self->p, madvise(b + 2 * HUGE, HUGE, MADV_COLLAPSE));
	/* not in line with a huge page of the file */
	ASSERT_EQ(-EINVAL, mp_both(&self->p, madvise(b + 4 * HUGE, HUGE, MADV_COLLAPSE)));
	mp_both(&self->p, sum(b, 5 * HP));
	ASSERT_EQ(9, HUGES(&self->p) & 0x19);
	ASSERT_EQ(0, SAME(&self->p, MP_EXECS));
	/* a private copy */
	ASSERT_EQ(0, mp_both(&self->p, mp_put(b + 2 * HUGE + 5 * PS, 'x')));
	HUGES(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + PS, PS, R)));
	ASSERT_EQ(0, HUGES(&self->p) & 1);
	ASSERT_EQ(0, SAME(&self->p, MP_WRITES | MP_EXECS));
	ASSERT_EQ(0, ftruncate(self->p.fd, 100 * PS));
	ASSERT_EQ(0, SAME(&self->p, MP_WRITES));
	ASSERT_TRUE(mp_one_vma());
}

/* Somebody else collapses; private copies and protections stay. */
TEST_F(file, retract)
{
	char *m = mmap((char *)mp_window(0) + 128 * HUGE, 4 * HUGE, R, MAP_SHARED | MAP_FIXED,
		       self->p.fd, 0);
	int i, ret = 0;

	ASSERT_NE(MAP_FAILED, m);
	mp_both(&self->p, sum(b, 5 * HP));
	ASSERT_EQ(0, mp_both(&self->p, mp_put(b + 2 * HUGE + 5 * PS, 'x')));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + HUGE + PS, PS, RW)));
	ASSERT_EQ(0, mp_both(&self->p, mp_put(b + HUGE + PS, 'y')));
	for (i = 0; i < 4; i++) {
		sum(m + i * HUGE, HP);
		ret |= madvise(m + i * HUGE, HUGE, MADV_COLLAPSE);
	}
	if (ret)
		SKIP(return, "not collapsed");
	munmap(m, 4 * HUGE);
	mp_both(&self->p, sum(b, 5 * HP));
	/* Whether a copy in one run costs its neighbours the huge page is placement. */
	ASSERT_EQ(1, huge_map(self->p.base[MULTI], 7) & 1);
	ASSERT_EQ(0, huge_map(self->p.base[MULTI], 7) & 0x16);
	ASSERT_EQ('x', self->p.base[MULTI][2 * HUGE + 5 * PS]);
	ASSERT_EQ('y', self->p.base[MULTI][HUGE + PS]);
	ASSERT_EQ(0, SAME(&self->p, MP_WRITES));
}

/*
 * What a process made of its mapping of "program" before the file's pages were
 * collapsed by another, and which page tables that must cost it: those of runs
 * that hold all of a huge page of the file and of which no page was copied.
 */
enum viewer {
	UNTOUCHED, TOUCHED, COPY_OF_DATA, COPY_OF_TEXT, COPY_INHERITED, DIVIDED, VIEWERS
};

static const struct {
	const char *name;
	long kb;		/* of page tables */
	long huge, may;		/* huge pages by the next touch; those that may be, too */
} viewers[] = {
	[UNTOUCHED] = { "has no page tables", 0, 0x0f },
	[TOUCHED] = { "has touched all", -16, 0x0f },
	[COPY_OF_DATA] = { "has written to data", -12, 0x0b },
	/* Of text without a copy khugepaged looks at each page, if it comes by itself. */
	[COPY_OF_TEXT] = { "has a breakpoint in text", -8, 0x0c, 0x02 },
	[COPY_INHERITED] = { "has its parent's data", -12, 0x0b },
	[DIVIDED] = { "has protected a page", -12, 0x0d },
};

struct seen { long kb, huge, sum, sum_written; int bad; };

/* Such a process, which has only one side: to @out goes that it is ready, and what it saw. */
static void view(struct mp_pair *p, int side, enum viewer who, int in, int out)
{
	char *b = p->base[side], c = 'r';
	struct seen seen = { 0 };
	int status;
	off_t at;
	pid_t pid;

	munmap((void *)mp_window(!side), MP_WINDOW_SIZE);
	if (who != UNTOUCHED)
		sum(b, 5 * HP);
	switch (who) {
	case COPY_INHERITED:
		seen.bad |= mp_put(b + 2 * HUGE + 5 * PS, 'x');
		pid = fork();
		if (pid) {
			if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
				_exit(1);
			_exit(0);
		}
		sum(b, 5 * HP);
		break;
	case COPY_OF_DATA:
		seen.bad |= mp_put(b + 2 * HUGE + 5 * PS, 'x');
		break;
	case COPY_OF_TEXT:
		at = (off_t)(unsigned long)b + 5 * PS + 8;
		seen.bad |= pwrite(mp_mem_fd(), "brk", 3, at) != 3;
		break;
	case DIVIDED:
		seen.bad |= mprotect(b + HUGE + PS, PS, R);
		break;
	default:
		break;
	}

	mp_status("VmPTE");
	seen.kb = -mp_status("VmPTE");
	if (write(out, &c, 1) != 1 || read(in, &c, 1) != 1)
		_exit(1);
	seen.kb += mp_status("VmPTE");
	seen.sum = sum(b, 5 * HP);
	seen.huge = huge_map(b, 5);
	seen.bad |= mp_put(b + 2 * HUGE + 9 * PS, 'w');
	seen.bad |= mprotect(b + 3 * HUGE + 7 * PS, PS, RW) || mp_put(b + 3 * HUGE + 7 * PS, 'w');
	seen.bad |= mp_put(b + 3 * HUGE + 6 * PS, 'w') != MP_ACCERR;
	seen.sum_written = sum(b, 5 * HP);
	_exit(write(out, &seen, sizeof(seen)) != sizeof(seen));
}

/* The file's pages are collapsed through a mapping of its own, or by khugepaged there. */
static int collapse_file(int fd, bool by_khugepaged)
{
	int i, ret = 0;
	char *m;

	/* Before that is mapped, or khugepaged does not look there. */
	if (by_khugepaged && set("shmem_enabled", "force"))
		return -1;
	m = mmap((char *)mp_window(MULTI) + 128 * HUGE, 4 * HUGE, R, MAP_SHARED | MAP_FIXED, fd, 0);
	if (m == MAP_FAILED)
		return -1;
	sum(m, 4 * HP);
	for (i = 0; i < 4 && !by_khugepaged; i++)
		ret |= madvise(m + i * HUGE, HUGE, MADV_COLLAPSE);
	if (by_khugepaged) {
		ret = khugepaged();
		for (i = 0; !ret && i < 600 && huge_map(m, 4) != 15; i++) {
			usleep(100000);
			sum(m, 4 * HP);
		}
		ret |= huge_map(m, 4) != 15;
	}
	munmap(m, 4 * HUGE);
	return ret;
}

static int collapsed_for_all(struct mp_pair *p, bool by_khugepaged)
{
	static struct seen seen[VIEWERS][2];
	int in[VIEWERS][2][2], out[VIEWERS][2][2], who, side, status, ret;
	pid_t pid[VIEWERS][2];
	char c;

	fflush(NULL);
	for (who = 0; who < VIEWERS; who++)
		for (side = 0; side < 2; side++) {
			if (pipe(in[who][side]) || pipe(out[who][side]))
				return -1;
			pid[who][side] = fork();
			if (!pid[who][side])
				view(p, side, who, in[who][side][0], out[who][side][1]);
			close(out[who][side][1]);
			if (read(out[who][side][0], &c, 1) != 1)
				mp_diff("a process that %s is not ready", viewers[who].name);
		}
	ret = collapse_file(p->fd, by_khugepaged);
	for (who = 0; who < VIEWERS; who++)
		for (side = 0; side < 2; side++)
			if (write(in[who][side][1], "g", 1) != 1)
				mp_diff("a process that %s is gone", viewers[who].name);
	for (who = 0; who < VIEWERS; who++)
		for (side = 0; side < 2; side++) {
			struct seen *s = &seen[who][side];

			if (read(out[who][side][0], s, sizeof(*s)) != sizeof(*s) ||
			    waitpid(pid[who][side], &status, 0) < 0 || status || s->bad)
				mp_diff("a process that %s failed", viewers[who].name);
			close(in[who][side][0]);
			close(in[who][side][1]);
			close(out[who][side][0]);
		}
	for (who = 0; who < VIEWERS && !ret; who++) {
		struct seen *a = &seen[who][MULTI], *b = &seen[who][EQUIV];
		long may = by_khugepaged ? viewers[who].may : 0;

		/* khugepaged takes more of them when it comes by there. */
		if (!by_khugepaged && (a->kb != viewers[who].kb || b->kb != viewers[who].kb))
			mp_diff("it %s: %ld kB of page tables and not %ld, equivalent %ld",
				viewers[who].name, a->kb, viewers[who].kb, b->kb);
		if ((a->huge & ~may) != viewers[who].huge || (b->huge & ~may) != viewers[who].huge)
			mp_diff("it %s: huge pages %lx and not %lx, equivalent %lx",
				viewers[who].name, a->huge, viewers[who].huge, b->huge);
		if (a->sum != b->sum || a->sum_written != b->sum_written)
			mp_diff("it %s: other bytes than the equivalent", viewers[who].name);
		if ((who == TOUCHED || who == DIVIDED) && a->sum != seen[UNTOUCHED][EQUIV].sum)
			mp_diff("it %s: other bytes than in the file", viewers[who].name);
	}
	return ret;
}

/* Page tables of exactly those runs go, here and in children of all kinds. */
TEST_F(file, retract_in_children)
{
	long was;

	was = mp_both(&self->p, sum(b, 5 * HP));
	if (collapsed_for_all(&self->p, false))
		SKIP(return, "not collapsed");
	ASSERT_EQ(0, mp_bad);
	ASSERT_EQ(was, mp_both(&self->p, sum(b, 5 * HP)));
	ASSERT_EQ(0x0f, HUGES(&self->p));
	ASSERT_EQ(0, SAME(&self->p, MP_WRITES | MP_EXECS));
	ASSERT_TRUE(mp_one_vma());
}

TEST_F(file, khugepaged_in_children)
{
	long was;

	was = mp_both(&self->p, sum(b, 5 * HP));
	if (collapsed_for_all(&self->p, true))
		SKIP(return, "not collapsed");
	ASSERT_EQ(0, mp_bad);
	ASSERT_EQ(was, mp_both(&self->p, sum(b, 5 * HP)));
	ASSERT_EQ(0, SAME(&self->p, MP_WRITES | MP_EXECS));
	ASSERT_TRUE(mp_one_vma());
}

/* The file is made of huge pages before it is mapped: faults map them whole. */
TEST_F(file, faults)
{
	char *m;
	int fd;

	ASSERT_EQ(0, set("shmem_enabled", "force"));
	fd = mp_file(MP_MEMFD, 4 * HP);
	ASSERT_LE(0, fd);
	close(self->p.fd);
	self->p.fd = fd;
	ASSERT_EQ(0, mp_map_runs(&self->p, program));
	mp_both(&self->p, sum(b, 7 * HP));
	ASSERT_EQ(0x0f, HUGES(&self->p) & 0x1f);
	ASSERT_EQ(0, SAME(&self->p, MP_WRITES | MP_EXECS));
	ASSERT_EQ(0, fallocate(fd, 3, 2 * PS, 3 * PS));
	ASSERT_EQ(0, SAME(&self->p, MP_WRITES));
	m = self->p.base[MULTI];
	ASSERT_TRUE(mp_page_is_zero(m + 3 * PS));
	ASSERT_TRUE(mp_one_vma());
}

static volatile bool stop;

static void *touch_and_split(void *page)
{
	while (!stop) {
		*(volatile char *)page = 1;
		madvise(page + PS, PS, MADV_DONTNEED);
	}
	return NULL;
}

/*
 * Another thread is in the middle of unmapping a huge page when that is taken
 * out of the file: who looks for its mappings has to wait.  Else the kernel says
 * "Bad page cache", mostly: it is a race.
 */
TEST(zap_against_punch)
{
	static const struct mp_run runs[] = {
		{ HP, RW, MP_FILE, HP }, { HP, R, MP_FILE, 0 }, { HP, R, MP_FILE, HP },
	};
	static const char tainted[] = "/proc/sys/kernel/tainted";
	struct mp_pair p = { .mflags = MAP_SHARED };
	char *m = (char *)mp_window(MULTI) + MP_BASE_OFFSET;
	long was = mp_sysctl(tainted);
	pthread_t thread;
	time_t end;

	if (!setup())
		SKIP(return, "no huge pages, or not in a guest");
	if (set("shmem_enabled", "always"))
		SKIP(return, "no huge pages on tmpfs");
	p.fd = memfd_create("huge", MFD_CLOEXEC);
	ASSERT_GE(p.fd, 0);
	ASSERT_EQ(0, ftruncate(p.fd, 2 * HUGE));
	ASSERT_EQ(0, mp_map_runs(&p, runs));
	m[0] = 1;
	ASSERT_EQ(1, is_huge(m));

	ASSERT_EQ(0, pthread_create(&thread, NULL, touch_and_split, m));
	for (end = time(NULL) + 8; time(NULL) < end; ) {
		pwrite(p.fd, "x", 1, HUGE);
		fallocate(p.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, HUGE, HUGE);
	}
	stop = true;
	pthread_join(thread, NULL);
	ASSERT_EQ(was, mp_sysctl(tainted));
	close(p.fd);
	mp_clear();
	keep(true);
}

TEST_HARNESS_MAIN
