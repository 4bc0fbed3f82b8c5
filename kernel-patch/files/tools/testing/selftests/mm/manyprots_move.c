// SPDX-License-Identifier: GPL-2.0
/*
 * munmap, mmap over, and mremap of multi-protection VMAs and of parts.  What
 * a run map cannot express splits; bytes and protections stay right.
 */
#include "manyprots_util.h"
#include <sched.h>
#include <sys/mount.h>

MP_LIBRARY_FIXTURE(lib)

/* Far enough from the library for everything, in the same window. */
#define FAR (0x2000000UL)

TEST_F(lib, munmap_whole)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, munmap(b, LIB_PAGES * PS)));
	ASSERT_EQ(MP_MAPERR, mp_read(self->p.base[MULTI]));
	ASSERT_EQ(0, mp_same(0));
}

/* From the front, in the middle of a run. */
TEST_F(lib, munmap_head)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, munmap(b, (LIB_RX + 2) * PS)));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
	ASSERT_TRUE(mp_one_vma());
}

TEST_F(lib, munmap_tail)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, munmap(b + (LIB_BSS + 1) * PS, 4 * PS)));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
	ASSERT_TRUE(mp_one_vma());
}

/* A hole in the middle: two VMAs, each with its own part of the runs. */
TEST_F(lib, munmap_middle)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, munmap(b + LIB_RO * PS + PS, 3 * PS)));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
	if (!mp_stock) {
		ASSERT_EQ(2, mp_window_vmas(MULTI));
	}
	/* Both halves still take mprotect in place. */
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + PS, 2 * PS, RW)));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_DATA * PS, PS, R)));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
	if (!mp_stock) {
		ASSERT_EQ(2, mp_window_vmas(MULTI));
	}
}

/* Each page alone unmapped, in an order that leaves every kind of remainder. */
TEST_F(lib, munmap_page_by_page)
{
	size_t i;

	mp_dirty_library(&self->p);
	for (i = 0; i < LIB_PAGES; i++) {
		ASSERT_EQ(0, mp_both(&self->p, munmap(b + i * 7 % LIB_PAGES * PS, PS)));
		ASSERT_EQ(0, mp_same(MP_WRITES));
	}
	ASSERT_EQ(0, mp_window_vmas(MULTI));
}

/* "when its file offset is linear" a part becomes ordinary: then mprotect must work as on one. */
TEST_F(lib, part_becomes_ordinary)
{
	ASSERT_EQ(0, mp_both(&self->p, munmap(b + LIB_RX * PS, (LIB_PAGES - LIB_RX) * PS)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + PS, PS, RW)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* bss alone is left: anonymous, no file in maps. */
TEST_F(lib, only_bss_left)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, munmap(b, LIB_BSS * PS)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + (LIB_BSS + 1) * PS, PS, R)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* mmap(MAP_FIXED) over a part, with anything. */
TEST_F(lib, mmap_over)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, mmap(b + 3 * PS, PS, RW, MAP_PRIVATE | MAP_ANONYMOUS |
					    MAP_FIXED, -1, 0) == MAP_FAILED));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_both(&self->p, mmap(b + 10 * PS, 3 * PS, R, MAP_PRIVATE | MAP_FIXED,
					    self->p.fd, 30 * PS) == MAP_FAILED));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_both(&self->p, mmap(b - PS, 3 * PS, NONE, MAP_PRIVATE | MAP_ANONYMOUS |
					    MAP_FIXED, -1, 0) == MAP_FAILED));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_both(&self->p, mmap(b + 17 * PS, 5 * PS, RW, MAP_PRIVATE | MAP_ANONYMOUS |
					    MAP_FIXED, -1, 0) == MAP_FAILED));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Over parts of one that is locked, by what is locked or populated itself. */
TEST_F(lib, mmap_over_locked)
{
	static const struct { size_t at, n; int prot, flags; off_t page; } over[] = {
		{ 3, 1, RW, MAP_ANONYMOUS | MAP_POPULATE, 0 },
		{ 1, 3, RX, MAP_POPULATE, 40 },
		{ LIB_RELRO, 2, RW, MAP_LOCKED, 8 },
		{ LIB_BSS - 1, 2, RW, MAP_ANONYMOUS | MAP_LOCKED, 0 },
		{ LIB_HOLE - 1, 2, NONE, MAP_LOCKED, 8 },
		{ LIB_PAGES - 1, 3, RW, MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE, 0 },
	};
	unsigned char vec[2][LIB_PAGES + 2];
	size_t i;

	mp_dirty_library(&self->p);
	mp_both_delta(&self->p, mp_status("VmLck"), mlock(b + LIB_R * PS, LIB_HOLE * PS));
	mp_both_delta(&self->p, mp_status("VmLck"), mlock(b + (LIB_BSS + 1) * PS, 3 * PS));
	for (i = 0; i < ARRAY_SIZE(over); i++) {
		mp_both_delta(&self->p, mp_status("VmLck"),
			      mmap(b + over[i].at * PS, over[i].n * PS, over[i].prot,
				   MAP_PRIVATE | MAP_FIXED | over[i].flags,
				   over[i].flags & MAP_ANONYMOUS ? -1 : self->p.fd,
				   over[i].page * PS));
		ASSERT_EQ(0, mp_both(&self->p, mincore(b + over[i].at * PS, over[i].n * PS,
						       vec[side])));
		ASSERT_EQ(0, memcmp(vec[0], vec[1], over[i].n));
		ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	}
	ASSERT_EQ(0, mp_same(MP_WRITES));
	munlockall();
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* A new mapping beside one that it could be merged with by flags, file and vm_pgoff. */
TEST_F(lib, no_accidental_merge)
{
	mp_dirty_library(&self->p);
	/* Linear continuation of the multi VMA's file at both ends. */
	ASSERT_EQ(0, mp_both(&self->p, mmap(b + LIB_PAGES * PS, 3 * PS, R, MAP_PRIVATE | MAP_FIXED,
					    self->p.fd, LIB_PAGES * PS) == MAP_FAILED));
	ASSERT_EQ(0, mp_both(&self->p, mmap(b + (LIB_PAGES + 3) * PS, 3 * PS, NONE, MAP_PRIVATE |
					    MAP_FIXED, self->p.fd, (LIB_PAGES + 3) * PS) ==
			     MAP_FAILED));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + (LIB_PAGES + 1) * PS, 3 * PS, NONE)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b, (LIB_PAGES + 6) * PS, R)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

static int map_beside(struct mp_pair *p, int side, struct mp_pair *second)
{
	char *m = p->base[side] + LIB_PAGES * PS;

	if (mmap(m, 8 * PS, R, MAP_PRIVATE | MAP_FIXED, p->fd, LIB_PAGES * PS) == MAP_FAILED)
		return -errno;
	if (side == MULTI && !mp_stock)
		return mp_rfp(m + 2 * PS, 3 * PS, RW, 40, MAP_CHGPROT);
	return mmap(m + 2 * PS, 3 * PS, RW, MAP_PRIVATE | MAP_FIXED, p->fd, 40 * PS) ==
		MAP_FAILED ? -errno : 0;
}

/* "Two multi-protection VMAs never merge by accident" */
TEST_F(lib, two_multis_side_by_side)
{
	ASSERT_EQ(0, mp_both(&self->p, map_beside(&self->p, side, NULL)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + 16 * PS, 6 * PS, NONE)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b, (LIB_PAGES + 8) * PS, R)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_both(&self->p, munmap(b + 18 * PS, 2 * PS)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Moves pages [at, at + n) of a side to @off, as one call per run where stock demands it. */
static long move_runs_to(struct mp_pair *p, int side, size_t at, size_t n, size_t off, int flags)
{
	struct mp_entry *e;
	int i, entries;
	char *from = p->base[side] + at * PS, *to = p->base[side] + off;

	if (side == MULTI && !mp_stock)
		return mremap(from, n * PS, n * PS, MREMAP_MAYMOVE | MREMAP_FIXED | flags,
			      to) == to ? 0 : -errno;
	entries = mp_entries(side, "/proc/self/maps");
	for (i = 0; i < entries; i++) {
		unsigned long a, z;

		e = &mp_tab[side][i];
		a = e->start > (unsigned long)from ? e->start : (unsigned long)from;
		z = e->end < (unsigned long)from + n * PS ? e->end : (unsigned long)from + n * PS;
		if (a >= z)
			continue;
		if (mremap((void *)a, z - a, z - a, MREMAP_MAYMOVE | MREMAP_FIXED | flags,
			   to + (a - (unsigned long)from)) == MAP_FAILED)
			return -errno;
	}
	return 0;
}

static long move_runs(struct mp_pair *p, int side, size_t at, size_t n, int flags)
{
	return move_runs_to(p, side, at, n, FAR + at * PS, flags);
}

/* The whole VMA moves as one; "mremap move only takes references". */
TEST_F(lib, mremap_whole)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, move_runs(&self->p, side, 0, LIB_PAGES, 0)));
	ASSERT_EQ(MP_MAPERR, mp_read(self->p.base[MULTI]));
	ASSERT_EQ('d', self->p.base[MULTI][FAR + LIB_DATA * PS + 100]);
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
	ASSERT_TRUE(mp_one_vma());
}

/* Never touched before: faults after the move find the right pages of the file. */
TEST_F(lib, mremap_untouched)
{
	ASSERT_EQ(0, mp_both(&self->p, move_runs(&self->p, side, 0, LIB_PAGES, 0)));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
}

/* Every part of it, by itself; the rest stays where and what it was. */
TEST_F(lib, mremap_parts)
{
	size_t at, n;

	for (at = 0; at < LIB_PAGES; at += 3)
		for (n = 1; at + n <= LIB_PAGES; n += 4) {
			ASSERT_EQ(0, mp_map_runs(&self->p, mp_library));
			mp_dirty_library(&self->p);
			ASSERT_EQ(0, mp_both(&self->p, move_runs(&self->p, side, at, n, 0)));
			ASSERT_EQ(0, mp_same(MP_WRITES));
		}
}

/* Onto another part of itself, or half beyond its ends: several runs, over several. */
TEST_F(lib, mremap_onto_itself)
{
	static const struct { size_t at, n, to; } moves[] = {
		{ 0, 3, 3 }, { 5, 3, 0 }, { 1, 7, LIB_HOLE }, { LIB_RELRO, 5, 2 },
		{ LIB_DATA + 2, 2, LIB_DATA }, { LIB_RX + 2, 8, LIB_PAGES - 3 },
		{ LIB_HOLE, LIB_PAGES - LIB_HOLE, 0 - 2 }, { LIB_BSS, 4, LIB_RELRO },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(moves); i++) {
		ASSERT_EQ(0, mp_map_runs(&self->p, mp_library));
		mp_dirty_library(&self->p);
		ASSERT_EQ(0, mp_both(&self->p, move_runs_to(&self->p, side, moves[i].at,
							    moves[i].n, moves[i].to * PS, 0)))
			TH_LOG("move %zu", i);
		ASSERT_EQ(0, mp_same(MP_WRITES))
			TH_LOG("move %zu", i);
		/* And once more, of what that has made. */
		mp_both(&self->p, mprotect(b + 6 * PS, 9 * PS, R));
		ASSERT_EQ(0, mp_same(MP_WRITES))
			TH_LOG("move %zu", i);
	}
	/* Over itself: EINVAL, nothing done. */
	ASSERT_EQ(-EINVAL, mp_both(&self->p, (long)mremap(b + 2 * PS, 2 * PS, 2 * PS,
							  MREMAP_MAYMOVE | MREMAP_FIXED,
							  b + 3 * PS)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

static int same_in_child(void *p)
{
	return mp_same(MP_WRITES);
}

/* Moved, changed, forked, moved back. */
TEST_F(lib, mremap_and_fork)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, move_runs(&self->p, side, 0, LIB_PAGES, 0)));
	ASSERT_EQ(0, mp_in_child(same_in_child, NULL));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + FAR + 2 * PS, PS, RW)));
	ASSERT_EQ(0, mp_both(&self->p, munmap(b + FAR + 7 * PS, PS)));
	ASSERT_EQ(0, mp_in_child(same_in_child, NULL));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

struct moved {
	struct mp_pair *p;
};

static int move_in_child(void *arg)
{
	struct mp_pair *p = arg;

	mp_both(p, move_runs(p, side, 0, LIB_PAGES, 0));
	return mp_same(MP_WRITES);
}

/* "mremap ... after fork": page tables and anon rmap are shared with the parent then. */
TEST_F(lib, mremap_after_fork)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_in_child(move_in_child, &self->p));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Shrinking in place drops the tail. */
TEST_F(lib, mremap_shrink)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, mremap(b + LIB_BSS * PS, 4 * PS, 2 * PS, 0) == MAP_FAILED));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_both(&self->p, mremap(b + LIB_DATA * PS, 3 * PS, PS, 0) == MAP_FAILED));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Growing the last run in place: more bss. */
TEST_F(lib, mremap_grow_bss)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, mremap(b + LIB_BSS * PS, 4 * PS, 8 * PS, 0) == MAP_FAILED));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_put(self->p.base[MULTI] + (LIB_BSS + 7) * PS, 1));
}

/* The end of the last run grows where it is, which divides nothing: all of it can after that. */
TEST_F(lib, mremap_grow_part)
{
	struct mp_pair *p = &self->p;

	mp_dirty_library(p);
	ASSERT_EQ(0, mp_both(p, mremap(b + (LIB_BSS + 2) * PS, 2 * PS, 4 * PS, 0) ==
			     MAP_FAILED));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	EXPECT_TRUE(mp_one_vma());
	ASSERT_EQ(0, mp_both(p, mremap(b + LIB_BSS * PS, 6 * PS, 9 * PS, 0) == MAP_FAILED));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* A last run of the file at a nonlinear offset grows into the file's next pages. */
TEST_F(lib, mremap_grow_nonlinear)
{
	ASSERT_EQ(0, mp_both(&self->p, munmap(b + LIB_BSS * PS, 4 * PS)));
	ASSERT_EQ(0, mp_both(&self->p, mp_put(b + LIB_DATA * PS, 'x')));
	ASSERT_EQ(0, mp_both(&self->p, mremap(b + LIB_DATA * PS, 3 * PS, 6 * PS, 0) == MAP_FAILED));
	ASSERT_TRUE(mp_page_is_file(&self->p, self->p.base[MULTI] + (LIB_DATA + 4) * PS, 13));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Growing by moving. */
TEST_F(lib, mremap_grow_and_move)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, mremap(b + LIB_BSS * PS, 4 * PS, 9 * PS, MREMAP_MAYMOVE |
					      MREMAP_FIXED, b + FAR) == MAP_FAILED));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_both(&self->p, mremap(b + LIB_DATA * PS, 2 * PS, 5 * PS, MREMAP_MAYMOVE |
					      MREMAP_FIXED, b + FAR + 64 * PS) == MAP_FAILED));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/*
 * Bss that was made different and alike again is several VMAs where stock has one: it
 * moves and grows as that, whatever it was, and what is not alike does not.
 */
FIXTURE(bound) { struct mp_pair p; };
FIXTURE_VARIANT(bound) { int there, back; bool touched; };
FIXTURE_VARIANT_ADD(bound, dump) { .there = MADV_DONTDUMP, .back = MADV_DODUMP };
FIXTURE_VARIANT_ADD(bound, fork) {
	.there = MADV_DONTFORK, .back = MADV_DOFORK, .touched = true };

FIXTURE_SETUP(bound)
{
	self->p.fd = mp_file(MP_TMP, LIB_FILE_PAGES);
	ASSERT_LE(0, self->p.fd);
	ASSERT_EQ(0, mp_map_runs(&self->p, mp_library));
	if (variant->touched)
		mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + (LIB_BSS + 1) * PS, 2 * PS,
					       variant->there)));
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + (LIB_BSS + 1) * PS, 2 * PS,
					       variant->back)));
}

FIXTURE_TEARDOWN(bound)
{
	close(self->p.fd);
}

TEST_F(bound, mremap_over_bound)
{
	struct mp_pair *p = &self->p;

	ASSERT_EQ(-EFAULT, mp_both(p, (long)mremap(b + (LIB_BSS - 1) * PS, 4 * PS, 8 * PS,
						   MREMAP_MAYMOVE)));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	ASSERT_EQ(0, mp_both(p, move_runs(p, side, LIB_BSS, 4, 0)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

TEST_F(bound, mremap_grow_over_bound)
{
	struct mp_pair *p = &self->p;

	ASSERT_EQ(0, mp_both(p, mremap(b + LIB_BSS * PS, 4 * PS, 9 * PS, 0) == MAP_FAILED));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Growth that is not going to be done divides nothing, however often it is tried. */
TEST(mremap_failed_whole)
{
	static const struct mp_run runs[] = { { 2, R, MP_FILE, 7 }, { 20, RW, MP_FILE, 40 } };
	struct mp_pair p = { .fd = mp_file(MP_MEMFD, 100), .mflags = MAP_SHARED };
	size_t i;
	int vmas;

	ASSERT_EQ(0, mp_map_runs(&p, runs));
	vmas = mp_window_vmas(MULTI);
	for (i = 0; i < 20; i += 3) {
		ASSERT_EQ(-ENOMEM, mp_both(&p, mremap(b + i * PS, PS, 2 * PS, 0) == MAP_FAILED ?
					   -errno : 0));
		ASSERT_EQ(-ENOMEM, mp_both(&p, mremap(b + i * PS, 0, 2 * PS, 0) == MAP_FAILED ?
					   -errno : 0));
	}
	ASSERT_EQ(vmas, mp_window_vmas(MULTI));
	/* The last page could grow, but for what is mapped behind it. */
	mp_both(&p, mmap(b + 22 * PS, PS, R, MAP_SHARED | MAP_FIXED, p.fd, 0) == MAP_FAILED);
	ASSERT_EQ(-ENOMEM, mp_both(&p, mremap(b + 21 * PS, PS, 2 * PS, 0) == MAP_FAILED ?
				   -errno : 0));
	ASSERT_EQ(vmas + 1, mp_window_vmas(MULTI));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Nor does MREMAP_DONTUNMAP over a limit, nor a move with too many mappings. */
TEST(mremap_over_limit_whole)
{
	static const struct mp_run runs[] = { { 2, R, MP_ANON }, { 20, RW, MP_ANON } };
	static const char file[] = "/proc/sys/vm/max_map_count";
	struct rlimit old, rl;
	struct mp_pair p = { .fd = -1 };
	char text[24];
	long most;
	size_t i;
	int vmas;

	ASSERT_EQ(0, mp_map_runs(&p, runs));
	vmas = mp_window_vmas(MULTI);
	getrlimit(RLIMIT_DATA, &old);
	rl = old;
	rl.rlim_cur = mp_status("VmData") * 1024;
	setrlimit(RLIMIT_DATA, &rl);
	for (i = 3; i < 20; i += 3)
		EXPECT_EQ(-ENOMEM, mp_both(&p, mremap(b + i * PS, PS, PS, MREMAP_MAYMOVE |
						      MREMAP_DONTUNMAP, NULL) == MAP_FAILED ?
					   -errno : 0));
	setrlimit(RLIMIT_DATA, &old);
	ASSERT_EQ(vmas, mp_window_vmas(MULTI));

	if (mp_system()) {
		most = mp_sysctl(file);
		snprintf(text, sizeof(text), "%ld", mp_vmas() + 2);
		ASSERT_EQ(0, mp_sysctl_set(file, text));
		for (i = 3; i < 20; i += 3)
			EXPECT_EQ(-ENOMEM, mp_both(&p, mremap(b + i * PS, PS, 2 * PS,
							      MREMAP_MAYMOVE) ==
						   MAP_FAILED ? -errno : 0));
		/* With one more than that, but for the two of the part standing alone. */
		snprintf(text, sizeof(text), "%ld", mp_vmas() + 5);
		ASSERT_EQ(0, mp_sysctl_set(file, text));
		if (!mp_stock)
			EXPECT_EQ(MAP_FAILED, mremap(p.base[MULTI] + 3 * PS, PS, 2 * PS,
						     MREMAP_MAYMOVE));
		snprintf(text, sizeof(text), "%ld", most);
		mp_sysctl_set(file, text);
		ASSERT_EQ(vmas, mp_window_vmas(MULTI));
	}
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Growth that is blocked by a neighbour fails as in stock. */
TEST_F(lib, mremap_grow_blocked)
{
	mp_both(&self->p, mmap(b + LIB_PAGES * PS, PS, R, MAP_SHARED | MAP_FIXED, self->p.fd, 0) ==
		MAP_FAILED);
	ASSERT_EQ(-ENOMEM, mp_both(&self->p, (long)mremap(b + LIB_BSS * PS, 4 * PS, 8 * PS, 0)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* MREMAP_DONTUNMAP leaves an empty mapping of the same kind behind. */
TEST_F(lib, mremap_dontunmap)
{
	mp_dirty_library(&self->p);
	mp_both(&self->p, move_runs(&self->p, side, LIB_BSS, 4, MREMAP_DONTUNMAP));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	mp_both(&self->p, move_runs(&self->p, side, LIB_DATA, 3, MREMAP_DONTUNMAP));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	mp_both(&self->p, move_runs(&self->p, side, 0, LIB_RX, MREMAP_DONTUNMAP));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/*
 * What MREMAP_DONTUNMAP leaves is as if it had never been touched: its bss is
 * no longer accounted (ac) when it becomes read-only, though the data beside it
 * has been touched again.
 */
TEST_F(lib, mremap_dontunmap_forgets)
{
	struct mp_pair *p = &self->p;

	mp_dirty_library(p);
	ASSERT_EQ(0, mp_both(p, move_runs(p, side, LIB_DATA, 7, MREMAP_DONTUNMAP)));
	mp_both(p, mp_put(b + LIB_DATA * PS, 'x'));
	mp_both(p, mprotect(b + LIB_BSS * PS, 4 * PS, R));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	/* What was moved is accounted as long as it lives. */
	mp_both(p, mprotect(b + FAR + LIB_BSS * PS, 4 * PS, R));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	mp_both(p, mprotect(b + LIB_BSS * PS, 4 * PS, RW));
	mp_both(p, mp_put(b + LIB_BSS * PS, 'y'));
	mp_both(p, mprotect(b + LIB_BSS * PS, 4 * PS, R));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* old_size 0 duplicates shared mappings only: EINVAL on private ones, as stock. */
TEST_F(lib, mremap_duplicate)
{
	mp_both(&self->p, (long)mremap(b, 0, PS, MREMAP_MAYMOVE));
	mp_both(&self->p, (long)mremap(b + LIB_DATA * PS, 0, PS, MREMAP_MAYMOVE));
	mp_both(&self->p, (long)mremap(b + 1, PS, PS, MREMAP_MAYMOVE));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* What is left is anonymous only: the file is no longer held, its file system can be unmounted. */
TEST(file_is_let_go)
{
	char dir[] = "/tmp/manyprots-mount.XXXXXX", name[64];
	static struct mp_pair p;

	if (!mp_system() || unshare(CLONE_NEWNS) || !mkdtemp(dir) ||
	    mount("none", dir, "tmpfs", 0, "size=1m"))
		SKIP(return, "cannot mount");
	snprintf(name, sizeof(name), "%s/file", dir);
	p.fd = open(name, O_RDWR | O_CREAT, 0600);
	EXPECT_GE(p.fd, 0);
	EXPECT_EQ(0, mp_write_pages(p.fd, 0, LIB_FILE_PAGES));
	EXPECT_EQ(0, mp_map_runs(&p, mp_library));
	close(p.fd);
	EXPECT_EQ(-EBUSY, umount(dir) ? -errno : 0);
	mp_both(&p, mp_put(b + LIB_BSS * PS, 'x'));
	EXPECT_EQ(0, mp_both(&p, munmap(b, LIB_BSS * PS)));
	EXPECT_EQ('x', p.base[MULTI][LIB_BSS * PS]);
	EXPECT_EQ(0, umount(dir) ? -errno : 0);
	mp_clear();
	umount(dir);

	/* nor where all of it is made anonymous by one call */
	ASSERT_EQ(0, mount("none", dir, "tmpfs", 0, "size=1m"));
	p.fd = open(name, O_RDWR | O_CREAT, 0600);
	EXPECT_GE(p.fd, 0);
	EXPECT_EQ(0, mp_write_pages(p.fd, 0, LIB_FILE_PAGES));
	EXPECT_EQ(0, mp_map_runs(&p, mp_library));
	EXPECT_EQ(0, mp_chg(&p, 0, LIB_PAGES, RW, MP_ANON, 0));
	close(p.fd);
	EXPECT_EQ(0, umount(dir) ? -errno : 0);
	EXPECT_EQ(0, mp_same(MP_WRITES));
	mp_clear();
	umount(dir);
	rmdir(dir);
}

/* Growth beyond the last file offset there is, of the run and not of the VMA. */
TEST_F(lib, grow_beyond_offsets)
{
	if (sizeof(long) == 8)
		SKIP(return, "no file is that long");
	ASSERT_EQ(0, mp_chg(&self->p, LIB_BSS, 4, R, MP_FILE, ~0UL - 8));
	mp_both(&self->p, mremap(b + (LIB_PAGES - 1) * PS, PS, 16 * PS, MREMAP_MAYMOVE) ==
		MAP_FAILED ? errno : 0);
	EXPECT_EQ(0, mp_bad);
}

TEST_HARNESS_MAIN
