// SPDX-License-Identifier: GPL-2.0
/*
 * mprotect() on a multi-protection VMA: changes the runs in place, never
 * splits on account of protection; same checks, errno and partial application
 * as on the equivalent VMAs.
 */
#include "manyprots_util.h"

#ifndef PROT_SEM
#define PROT_SEM 8
#endif

MP_LIBRARY_FIXTURE(lib)

/* relro: the call that every library makes after relocation. */
TEST_F(lib, relro)
{
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_RELRO * PS, PS, RW)));
	ASSERT_EQ(0, mp_both(&self->p, mp_put(b + LIB_RELRO * PS + 5, 'r')));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_RELRO * PS, PS, R)));
	ASSERT_EQ(MP_ACCERR, mp_put(self->p.base[MULTI] + LIB_RELRO * PS + 5, 's'));
	ASSERT_EQ('r', self->p.base[MULTI][LIB_RELRO * PS + 5]);
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
	ASSERT_TRUE(mp_one_vma());
}

/* "never splits on account of protection": VmaCount stays through hundreds of calls. */
TEST_F(lib, vma_count_constant)
{
	static const int prots[] = { R, RW, NONE, RX, RW | X, W, X };
	long vmas = mp_vmas();
	size_t i;

	for (i = 0; i < 300; i++) {
		size_t at = i * 7 % LIB_PAGES, n = 1 + i * 5 % 4;

		if (at + n > LIB_PAGES)
			n = LIB_PAGES - at;
		ASSERT_EQ(0, mp_rfp(NULL, 0, 0, 0, MAP_CHGPROT) * !mp_stock);
		ASSERT_EQ(0, mprotect(self->p.base[MULTI] + at * PS, n * PS, prots[i % 7]));
	}
	if (!mp_stock) {
		ASSERT_EQ(vmas, mp_vmas());
	}
	ASSERT_TRUE(mp_one_vma());
}

/* Every start and length over the layout, compared each time. */
TEST_F(lib, all_ranges)
{
	static const int prots[] = { R, RW, NONE, RX, RW | X };
	size_t at, n, k = 0;

	mp_dirty_library(&self->p);
	for (at = 0; at < LIB_PAGES; at += 2)
		for (n = 1; at + n <= LIB_PAGES; n += 3) {
			ASSERT_EQ(0, mp_both(&self->p, mprotect(b + at * PS, n * PS,
								prots[k % 5])));
			ASSERT_EQ(0, mp_same(k++ % 8 ? MP_NOTOUCH : MP_WRITES));
		}
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
	ASSERT_TRUE(mp_one_vma());
}

/* Taking a permission away takes it from pages that are mapped already. */
TEST_F(lib, populated_pages_lose_rights)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_DATA * PS, 5 * PS, R)));
	ASSERT_EQ(MP_ACCERR, mp_put(self->p.base[MULTI] + LIB_DATA * PS, 1));
	ASSERT_EQ(MP_ACCERR, mp_put(self->p.base[MULTI] + LIB_BSS * PS, 1));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b, LIB_PAGES * PS, NONE)));
	ASSERT_EQ(MP_ACCERR, mp_read(self->p.base[MULTI] + LIB_DATA * PS));
	ASSERT_EQ(MP_ACCERR, mp_read(self->p.base[MULTI]));
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b, LIB_PAGES * PS, RW)));
	ASSERT_EQ('d', self->p.base[MULTI][LIB_DATA * PS + 100]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* mprotect, unlike MAP_CHGPROT, may add PROT_EXEC to a range with private pages. */
TEST_F(lib, exec_on_private_pages)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_DATA * PS, PS, RX)));
	ASSERT_EQ(0, mp_same(MP_EXECS));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_DATA * PS, 2 * PS, RW | X)));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
}

/* "a range with ANON ...: there MAP_CHGPROT never adds PROT_EXEC (EACCES)" */
TEST_F(lib, chgprot_no_exec_on_private_pages)
{
	char *m = self->p.base[MULTI];

	if (mp_stock)
		SKIP(return, "feature off");
	mp_dirty_library(&self->p);
	EXPECT_EQ(-EACCES, mp_rfp(m + LIB_DATA * PS, PS, RX, 9, MAP_CHGPROT));
	EXPECT_EQ(-EACCES, mp_rfp(m + LIB_BSS * PS, PS, RW | X, 0, MAP_CHGPROT | MAP_ANONYMOUS));
	/* Together with clean pages before and after it: all or nothing. */
	EXPECT_EQ(-EACCES, mp_rfp(m + LIB_RELRO * PS, 4 * PS, RX, 8, MAP_CHGPROT));
	EXPECT_EQ(0, mp_same(0));
	/* Clean text may become executable, and writable data stays so. */
	EXPECT_EQ(0, mp_rfp(m + LIB_RO * PS, PS, RX, 6, MAP_CHGPROT));
	EXPECT_EQ(0, mp_rfp(m + LIB_DATA * PS, PS, R, 9, MAP_CHGPROT));
	EXPECT_EQ(0, mp_rfp(m + LIB_DATA * PS, PS, RW, 9, MAP_CHGPROT));
	/* What is executable already is not added. */
	EXPECT_EQ(0, mprotect(m + LIB_DATA * PS, PS, RX));
	EXPECT_EQ(0, mp_rfp(m + LIB_DATA * PS, PS, RX, 9, MAP_CHGPROT));
}

/* The bit is sticky: a copy that was dropped again does not clear it, as in stock's anon_vma. */
TEST_F(lib, anon_bit_is_sticky)
{
	char *m = self->p.base[MULTI];

	if (mp_stock)
		SKIP(return, "feature off");
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, madvise(m + LIB_DATA * PS, 3 * PS, MADV_DONTNEED));
	EXPECT_EQ(-EACCES, mp_rfp(m + LIB_DATA * PS, PS, RX, 9, MAP_CHGPROT));
}

/* Written text that becomes what its clean neighbours are does not make them written. */
TEST_F(lib, clean_beside_written)
{
	char *m = self->p.base[MULTI];

	if (mp_stock)
		SKIP(return, "feature off");
	ASSERT_EQ(1, mp_both(&self->p, pwrite(mp_mem_fd(), "x", 1, (off_t)(unsigned long)b +
					      (LIB_RX + 1) * PS)));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_RX * PS, 4 * PS, R)));
	ASSERT_EQ(0, mp_same(0));
	EXPECT_EQ(-EACCES, mp_rfp(m + (LIB_RX + 1) * PS, PS, RX, LIB_RX + 1, MAP_CHGPROT));
	EXPECT_EQ(0, mp_rfp(m + (LIB_RX - 1) * PS, PS, RX, LIB_RX - 1, MAP_CHGPROT));
	EXPECT_EQ(0, mp_rfp(m + LIB_RO * PS, PS, RX, LIB_RO, MAP_CHGPROT));
	ASSERT_TRUE(mp_one_vma());
}

/* A range that runs from an ordinary VMA through a multi-protection one into another. */
TEST_F(lib, spans_neighbours)
{
	mp_both(&self->p, mmap(b - 3 * PS, 3 * PS, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			       -1, 0) == MAP_FAILED);
	mp_both(&self->p, mmap(b + LIB_PAGES * PS, 3 * PS, R, MAP_PRIVATE | MAP_FIXED,
			       self->p.fd, 30 * PS) == MAP_FAILED);
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b - 2 * PS, 5 * PS, R)));
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + (LIB_PAGES - 2) * PS, 4 * PS, R)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b - 3 * PS, (LIB_PAGES + 6) * PS, RW)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b - 1 * PS, (LIB_PAGES + 2) * PS, NONE)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Into a hole: ENOMEM, with everything before the hole done. */
TEST_F(lib, partial_before_hole)
{
	ASSERT_EQ(-ENOMEM, mp_both(&self->p, mprotect(b + LIB_DATA * PS, (LIB_PAGES + 1) * PS, R)));
	ASSERT_EQ(MP_ACCERR, mp_put(self->p.base[MULTI] + LIB_DATA * PS, 1));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(-ENOMEM, mp_both(&self->p, mprotect(b - PS, (LIB_PAGES + 1) * PS, RW)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	/* A hole in the middle: the multi-protection VMA has become two. */
	ASSERT_EQ(0, mp_both(&self->p, munmap(b + 5 * PS, PS)));
	ASSERT_EQ(-ENOMEM, mp_both(&self->p, mprotect(b, LIB_PAGES * PS, RW)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* A later VMA that refuses (a shared read-only file: no VM_MAYWRITE) leaves the first part done. */
TEST_F(lib, partial_before_refusal)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	ASSERT_GE(fd, 0);
	mp_both(&self->p, mmap(b + LIB_PAGES * PS, 2 * PS, R, MAP_SHARED | MAP_FIXED, fd, 0) ==
		MAP_FAILED);
	ASSERT_EQ(-EACCES, mp_both(&self->p, mprotect(b + LIB_RELRO * PS,
						      (LIB_PAGES - LIB_RELRO + 2) * PS, RW)));
	ASSERT_EQ(0, mp_put(self->p.base[MULTI] + LIB_RELRO * PS, 1));
	ASSERT_EQ(0, mp_put(self->p.base[EQUIV] + LIB_RELRO * PS, 1));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	/* And the other way round: refused before the first run is reached. */
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b, LIB_PAGES * PS, R)));
	mp_both(&self->p, mmap(b - 2 * PS, 2 * PS, R, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED);
	ASSERT_EQ(-EACCES, mp_both(&self->p, mprotect(b - 2 * PS, 4 * PS, RW)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	close(fd);
}

/* Argument errors are stock's. */
TEST_F(lib, errors)
{
	mp_both(&self->p, mprotect(b + 1, PS, RW));
	mp_both(&self->p, mprotect(b, PS, 0x100));
	mp_both(&self->p, mprotect(b, PS, R | PROT_GROWSDOWN));
	mp_both(&self->p, mprotect(b + 5 * PS, PS, R | PROT_GROWSUP));
	mp_both(&self->p, mprotect(b + 5 * PS, PS, R | PROT_GROWSUP | PROT_GROWSDOWN));
	mp_both(&self->p, mprotect(b, -PS, RW));
	mp_both(&self->p, mprotect(b, 0, RW));
	mp_both(&self->p, mprotect(b + 3 * PS, 0, RW));
	mp_both(&self->p, mprotect(b + 3 * PS, 1, R));		/* rounds up to a page */
	mp_both(&self->p, mprotect(b + 4 * PS, PS + 1, R | PROT_SEM));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Nothing to change is not a change: no split, no error, no fault after it. */
TEST_F(lib, same_protection)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b, 2 * PS, R)));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_RX * PS + PS, PS, RX)));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_DATA * PS, 7 * PS, RW)));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
	ASSERT_TRUE(mp_one_vma());
}

/* PROT_WRITE alone and PROT_EXEC alone, as the architecture has them. */
TEST_F(lib, odd_protections)
{
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b, 2 * PS, W)));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + 3 * PS, 2 * PS, X)));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + 7 * PS, 2 * PS, W | X)));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_BSS * PS, PS, W)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_TRUE(mp_one_vma());
}

/* Protection keys, where there are any: mprotect with key 0 and with a key of one's own. */
TEST_F(lib, pkeys)
{
	int key = syscall(__NR_pkey_alloc, 0, 0);

	mp_both(&self->p, syscall(__NR_pkey_mprotect, b, 2 * PS, R, 0));
	mp_both(&self->p, syscall(__NR_pkey_mprotect, b + 5 * PS, 2 * PS, R, -1));
	mp_both(&self->p, syscall(__NR_pkey_mprotect, b + 7 * PS, PS, R, 13));
	if (key >= 0) {
		mp_both(&self->p, syscall(__NR_pkey_mprotect, b + LIB_DATA * PS, 2 * PS, RW, key));
		/* Pages that nobody touched keep it under MAP_CHGPROT, too. */
		mp_both(&self->p, side == MULTI && !mp_stock ?
			mp_rfp(b + (LIB_DATA + 1) * PS, PS, R, 10, MAP_CHGPROT) :
			mprotect(b + (LIB_DATA + 1) * PS, PS, R));
		ASSERT_EQ(0, mp_same(MP_WRITES));
		syscall(__NR_pkey_free, key);
	}
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* On other anonymous memory than stacks and arenas mode 1 leaves mprotect as stock: a split. */
TEST(ordinary_anonymous_splits)
{
	long vmas;
	char *m;

	m = mmap((void *)mp_window(0), 9 * PS, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, m);
	vmas = mp_vmas();
	ASSERT_EQ(0, mprotect(m + 4 * PS, PS, R));
	ASSERT_EQ(vmas + 2, mp_vmas());
	ASSERT_EQ(3, mp_window_vmas(0));
}

/* So does it on an ordinary private file mapping. */
TEST(ordinary_file_splits)
{
	int fd = mp_file(MP_TMP, 9);
	long vmas;
	char *m;

	ASSERT_GE(fd, 0);
	m = mmap((void *)mp_window(0), 9 * PS, R, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, m);
	vmas = mp_vmas();
	ASSERT_EQ(0, mprotect(m + 4 * PS, PS, RX));
	ASSERT_EQ(vmas + 2, mp_vmas());
	ASSERT_EQ(3, mp_window_vmas(0));
}

TEST_HARNESS_MAIN
