// SPDX-License-Identifier: GPL-2.0
/*
 * Multi-protection VMAs of private files and of private anonymous memory:
 * what remap_file_pages(MAP_CHGPROT) puts where, what it keeps and what it
 * drops.
 */
#include "manyprots_util.h"

MP_LIBRARY_FIXTURE(lib)

/* R, RX, R, hole, relro, data and bss, in one VMA: bytes and faults as with seven. */
TEST_F(lib, whole_library)
{
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(0, mp_same(MP_EXECS));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_TRUE(mp_one_vma());
}

/* The faults are those of a present mapping: SEGV_ACCERR, also in the PROT_NONE hole. */
TEST_F(lib, fault_codes)
{
	char *m = self->p.base[MULTI];

	EXPECT_EQ(0, mp_read(m));
	EXPECT_EQ(MP_ACCERR, mp_put(m, 1));
	EXPECT_EQ(MP_ACCERR, mp_put(m + LIB_RX * PS, 1));
	EXPECT_EQ(MP_ACCERR, mp_read(m + LIB_HOLE * PS));
	EXPECT_EQ(MP_ACCERR, mp_put(m + LIB_HOLE * PS, 1));
	EXPECT_EQ(MP_ACCERR, mp_put(m + LIB_RELRO * PS, 1));
	EXPECT_EQ(0, mp_both(&self->p, mp_put(b + LIB_DATA * PS, 1)));
	EXPECT_EQ(0, mp_both(&self->p, mp_put(b + LIB_BSS * PS, 1)));
	EXPECT_EQ(MP_MAPERR, mp_read(m + LIB_PAGES * PS));
	EXPECT_EQ(MP_MAPERR, mp_read(m - 1));
	EXPECT_EQ(0, mp_same(0));
}

/* The same faults again when the page is there already: no loop, no upgrade. */
TEST_F(lib, fault_codes_populated)
{
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(MP_ACCERR, mp_put(self->p.base[MULTI] + (LIB_RX + 1) * PS, 1));
	ASSERT_EQ(MP_ACCERR, mp_put(self->p.base[MULTI] + (LIB_RX + 1) * PS, 1));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
}

/* One page of the file is read at two addresses; a write at one shows at neither other. */
TEST_F(lib, page_mapped_twice)
{
	char *m = self->p.base[MULTI];

	ASSERT_TRUE(mp_page_is_file(&self->p, m + 8 * PS, 8));
	ASSERT_TRUE(mp_page_is_file(&self->p, m + LIB_RELRO * PS, 8));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_RELRO * PS, PS, RW)));
	ASSERT_EQ(0, mp_both(&self->p, mp_put(b + LIB_RELRO * PS + 9, 'q')));
	ASSERT_TRUE(mp_page_is_file(&self->p, m + 8 * PS, 8));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Read first, then write: the copy is made of the right page at a nonlinear offset. */
TEST_F(lib, cow_after_read)
{
	char *m = self->p.base[MULTI];
	size_t i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, mp_both(&self->p, mp_read(b + (LIB_DATA + i) * PS)));
		ASSERT_EQ(0, mp_both(&self->p, mp_put(b + (LIB_DATA + i) * PS, 'a' + i)));
		ASSERT_EQ('a' + i, m[(LIB_DATA + i) * PS]);
	}
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* The file is not written through a private mapping. */
TEST_F(lib, file_unchanged)
{
	char was[8], is[8];

	ASSERT_EQ(8, pread(self->p.fd, was, 8, 9 * PS));
	ASSERT_EQ(0, mp_put(self->p.base[MULTI] + LIB_DATA * PS, ~was[0]));
	ASSERT_EQ(8, pread(self->p.fd, is, 8, 9 * PS));
	ASSERT_EQ(0, memcmp(was, is, 8));
}

/* "Pages whose kind and file offset a call leaves as they were keep their contents" */
TEST_F(lib, same_offset_keeps_private_copies)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_chg(&self->p, LIB_DATA, 3, R, MP_FILE, 9));
	ASSERT_EQ('d', self->p.base[MULTI][LIB_DATA * PS + 100]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_chg(&self->p, LIB_BSS, 4, R, MP_ANON, 0));
	ASSERT_EQ('b', self->p.base[MULTI][LIB_BSS * PS + 100]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_chg(&self->p, LIB_BSS, 2, RW, MP_ANON, 0));
	ASSERT_EQ(0, mp_chg(&self->p, LIB_DATA + 1, 2, RW, MP_FILE, 10));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_TRUE(mp_one_vma());
}

/* "pages whose kind or offset changes are dropped and come fresh" */
TEST_F(lib, other_offset_drops)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_chg(&self->p, LIB_DATA, 3, RW, MP_FILE, 20));
	ASSERT_TRUE(mp_page_is_file(&self->p, self->p.base[MULTI] + LIB_DATA * PS, 20));
	ASSERT_EQ(0, mp_same(0));
	/* And back again: the old private copy must not come back. */
	ASSERT_EQ(0, mp_chg(&self->p, LIB_DATA, 3, RW, MP_FILE, 9));
	ASSERT_TRUE(mp_page_is_file(&self->p, self->p.base[MULTI] + LIB_DATA * PS, 9));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* File to anonymous and back: zeroes, then the file's bytes. */
TEST_F(lib, kind_changes_drop)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_chg(&self->p, LIB_DATA, 3, RW, MP_ANON, 0));
	ASSERT_TRUE(mp_page_is_zero(self->p.base[MULTI] + LIB_DATA * PS));
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(0, mp_both(&self->p, mp_put(b + LIB_DATA * PS, 'z')));
	ASSERT_EQ(0, mp_chg(&self->p, LIB_DATA, 3, RW, MP_FILE, 9));
	ASSERT_TRUE(mp_page_is_file(&self->p, self->p.base[MULTI] + LIB_DATA * PS, 9));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* One call over pages that keep their offset and others that do not. */
TEST_F(lib, keeps_and_drops_in_one_call)
{
	ASSERT_EQ(0, mp_chg(&self->p, 0, LIB_PAGES, RW, MP_FILE, 0));
	mp_both(&self->p, mp_put(b + 3 * PS, '3'));
	mp_both(&self->p, mp_put(b + 12 * PS, 'c'));
	ASSERT_EQ(0, mp_chg(&self->p, 10, 5, RW, MP_FILE, 40));
	mp_both(&self->p, mp_put(b + 12 * PS, 'C'));
	mp_both(&self->p, mp_put(b + 16 * PS, '6'));
	/* Pages 0..9 and 15.. stay, 10..14 go. */
	ASSERT_EQ(0, mp_chg(&self->p, 0, LIB_PAGES, R, MP_FILE, 0));
	ASSERT_EQ('3', self->p.base[MULTI][3 * PS]);
	ASSERT_EQ('6', self->p.base[MULTI][16 * PS]);
	ASSERT_TRUE(mp_page_is_file(&self->p, self->p.base[MULTI] + 12 * PS, 12));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_TRUE(mp_one_vma());
}

/* The range keeps bss while the middle becomes file: bounds inside runs. */
TEST_F(lib, inside_a_run)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_chg(&self->p, LIB_RX + 1, 2, R, MP_FILE, 3));
	ASSERT_EQ(0, mp_chg(&self->p, LIB_BSS + 1, 1, R, MP_FILE, 1));
	ASSERT_EQ(0, mp_chg(&self->p, 1, 1, NONE, MP_ANON, 0));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
	ASSERT_TRUE(mp_one_vma());
}

/* Every page from another place of the file, in reverse and all from the same. */
TEST_F(lib, reverse_and_repeat)
{
	size_t i;

	for (i = 0; i < LIB_PAGES; i++) {
		ASSERT_EQ(0, mp_chg(&self->p, i, 1, i & 1 ? RW : R, MP_FILE, LIB_PAGES - i));
	}
	ASSERT_EQ(0, mp_same(0));
	ASSERT_TRUE(mp_page_is_file(&self->p, self->p.base[MULTI] + 5 * PS, LIB_PAGES - 5));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	for (i = 0; i < LIB_PAGES; i++) {
		ASSERT_EQ(0, mp_chg(&self->p, i, 1, RW, MP_FILE, 7));
	}
	ASSERT_TRUE(mp_page_is_file(&self->p, self->p.base[MULTI], 7));
	ASSERT_TRUE(mp_page_is_file(&self->p, self->p.base[MULTI] + 18 * PS, 7));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_TRUE(mp_one_vma());
}

/* Made linear and of one protection again, it is like an ordinary mapping. */
TEST_F(lib, back_to_linear)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_chg(&self->p, 0, LIB_PAGES, R, MP_FILE, 0));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_chg(&self->p, 0, LIB_PAGES, RW, MP_FILE, 0));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* A mapping that begins in the middle of the file: offsets are the file's, not the VMA's. */
TEST_F(lib, begins_mid_file)
{
	char *m = mmap(NULL, 8 * PS, R, MAP_PRIVATE, self->p.fd, 16 * PS);

	if (mp_stock)
		SKIP(return, "feature off");
	ASSERT_NE(MAP_FAILED, m);
	ASSERT_EQ(0, mp_rfp(m + 2 * PS, 2 * PS, RW, 3, MAP_CHGPROT));
	ASSERT_EQ(0, mp_rfp(m + 6 * PS, PS, RX, 22, MAP_CHGPROT));
	EXPECT_TRUE(mp_page_is_file(&self->p, m, 16));
	EXPECT_TRUE(mp_page_is_file(&self->p, m + PS, 17));
	EXPECT_TRUE(mp_page_is_file(&self->p, m + 2 * PS, 3));
	EXPECT_TRUE(mp_page_is_file(&self->p, m + 3 * PS, 4));
	EXPECT_TRUE(mp_page_is_file(&self->p, m + 4 * PS, 20));
	EXPECT_TRUE(mp_page_is_file(&self->p, m + 6 * PS, 22));
	EXPECT_TRUE(mp_page_is_file(&self->p, m + 7 * PS, 23));
	/* Split off, each part still reads its own page. */
	ASSERT_EQ(0, munmap(m + 4 * PS, PS));
	EXPECT_TRUE(mp_page_is_file(&self->p, m + 3 * PS, 4));
	EXPECT_TRUE(mp_page_is_file(&self->p, m + 5 * PS, 21));
	EXPECT_TRUE(mp_page_is_file(&self->p, m + 7 * PS, 23));
}

FIXTURE(anon) {
	struct mp_pair p;
};

static const struct mp_run anon_layout[] = {
	{ 3, R, MP_ANON, 0 }, { 2, NONE, MP_ANON, 0 }, { 4, RW, MP_ANON, 0 },
	{ 1, R, MP_ANON, 0 }, { 3, RW, MP_ANON, 0 }, { 2, RX, MP_ANON, 0 },
	{ 2, NONE, MP_ANON, 0 },
};

FIXTURE_SETUP(anon)
{
	self->p.fd = -1;
	ASSERT_EQ(0, mp_map_runs(&self->p, anon_layout));
	ASSERT_TRUE(mp_one_vma());
}

FIXTURE_TEARDOWN(anon)
{
}

/* On private anonymous memory the call is an mprotect that does not split. */
TEST_F(anon, runs)
{
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_TRUE(mp_one_vma());
}

TEST_F(anon, contents_kept)
{
	size_t i;

	for (i = 5; i < 9; i++) {
		ASSERT_EQ(0, mp_both(&self->p, mp_put(b + i * PS + i, 'A' + i)));
	}
	ASSERT_EQ(0, mp_chg(&self->p, 4, 6, R, MP_ANON, 0));
	ASSERT_EQ('A' + 6, self->p.base[MULTI][6 * PS + 6]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_chg(&self->p, 0, 17, NONE, MP_ANON, 0));
	ASSERT_EQ(MP_ACCERR, mp_read(self->p.base[MULTI] + 6 * PS));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_chg(&self->p, 0, 17, RW, MP_ANON, 0));
	ASSERT_EQ('A' + 6, self->p.base[MULTI][6 * PS + 6]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* The shared zero page is mapped by a read; a later write still gets a page of its own. */
TEST_F(anon, zero_page)
{
	ASSERT_EQ(0, mp_both(&self->p, mp_read(b + 6 * PS)));
	ASSERT_EQ(0, mp_both(&self->p, mp_put(b + 6 * PS, 1)));
	ASSERT_EQ(0, mp_both(&self->p, mp_read(b + 7 * PS)));
	ASSERT_EQ(0, mp_chg(&self->p, 6, 2, R, MP_ANON, 0));
	ASSERT_EQ(MP_ACCERR, mp_put(self->p.base[MULTI] + 7 * PS, 1));
	ASSERT_EQ(0, mp_chg(&self->p, 6, 2, RW, MP_ANON, 0));
	ASSERT_EQ(0, mp_both(&self->p, mp_put(b + 7 * PS, 0)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Huge pages, whose placement may differ: contents and protections survive a division. */
TEST(huge_anonymous)
{
	static const struct mp_run runs[] = { { 3 * 512, RW, MP_ANON, 0 }, { 512, R, MP_ANON, 0 } };
	struct mp_pair *p = calloc(1, sizeof(*p));
	size_t i;

	p->fd = -1;
	if (PS != 4096)
		SKIP(return, "sizes are for 4 KiB pages");
	ASSERT_EQ(0, mp_map_runs(p, runs));
	mp_both(p, (madvise(b, 4 * 512 * PS, MADV_HUGEPAGE), 0));
	for (i = 0; i < 3 * 512; i += 7)
		mp_both(p, mp_put(b + i * PS + 1, i));
	mp_both(p, (madvise(b, 4 * 512 * PS, MADV_COLLAPSE), 0));
	ASSERT_EQ(0, mp_same(MP_NOSMAPS));
	ASSERT_EQ(0, mp_chg(p, 600, 10, R, MP_ANON, 0));
	ASSERT_EQ(0, mp_chg(p, 100, 1, NONE, MP_ANON, 0));
	ASSERT_EQ(0, mp_both(p, mprotect(b + 1000 * PS, PS, R)));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_NOSMAPS));
	ASSERT_EQ(0, mp_chg(p, 0, 4 * 512, RW, MP_ANON, 0));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_NOSMAPS));
}

TEST_HARNESS_MAIN
