// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the run map: that it works in the kernel, with its slab
 * caches, RCU and memory debugging.  Its logic is tested more widely in
 * userspace.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vma_runs.h>

#define R	VM_READ
#define RW	(VM_READ | VM_WRITE | VMA_RUN_ACCOUNT)
#define RX	(VM_READ | VM_EXEC)
#define BSS	(RW | VMA_RUN_ZEROFILL)

/* Where the maps begin and end; the low 32 bits of the index wrap within. */
#define FIRST	0xfffff000ul
#define PAGES	0x8000ul
#define LAST	(FIRST + PAGES - 1)

static struct vma_runs *replace(struct kunit *test, struct vma_runs *runs,
				unsigned long first, unsigned long last,
				pgoff_t pgoff, u32 attr)
{
	struct vma_run run = {
		.first = FIRST + first,
		.last = FIRST + last,
		.pgoff = pgoff,
		.attr = attr,
	};
	struct vma_runs *copy = vma_runs_replace(runs, FIRST, LAST, &run);

	vma_runs_put(runs);
	KUNIT_ASSERT_NOT_NULL(test, copy);
	return copy;
}

static void expect_run(struct kunit *test, const struct vma_runs *runs,
		       unsigned long page, unsigned long first,
		       unsigned long last, pgoff_t pgoff, u32 attr)
{
	struct vma_run run;

	vma_runs_find(runs, FIRST + page, &run);
	KUNIT_EXPECT_EQ(test, run.first, FIRST + first);
	KUNIT_EXPECT_EQ(test, run.last,
			last == ULONG_MAX ? ULONG_MAX : FIRST + last);
	KUNIT_EXPECT_EQ(test, run.pgoff, pgoff);
	KUNIT_EXPECT_EQ(test, run.attr, attr);
}

/* The map of a library: R, RX, R, R (relro), RW, bss. */
static struct vma_runs *library(struct kunit *test)
{
	struct vma_runs *runs = vma_runs_create(FIRST, 0, R);

	KUNIT_ASSERT_NOT_NULL(test, runs);
	runs = replace(test, runs, 2, 9, 2, RX);
	runs = replace(test, runs, 10, LAST - FIRST, 10, R);
	runs = replace(test, runs, 14, 19, 13, RW);
	runs = replace(test, runs, 20, LAST - FIRST, 0, BSS);
	return replace(test, runs, 14, 15, 13, R);
}

/* Runs are divided and joined, and the last one has no end. */
static void vma_runs_test_library(struct kunit *test)
{
	struct vma_runs *runs = library(test);
	pgoff_t first, last;

	expect_run(test, runs, 1, 0, 1, 0, R);
	expect_run(test, runs, 2, 2, 9, 2, RX);
	expect_run(test, runs, 13, 10, 13, 10, R);
	expect_run(test, runs, 15, 14, 15, 13, R);
	expect_run(test, runs, 19, 16, 19, 15, RW);
	expect_run(test, runs, 100, 20, ULONG_MAX, 0, BSS);
	KUNIT_EXPECT_EQ(test, vma_runs_count(runs, FIRST, LAST), 6);
	KUNIT_EXPECT_EQ(test, vma_runs_count(runs, FIRST + 3, FIRST + 10), 2);
	vma_runs_hull(runs, LAST, &first, &last);
	KUNIT_EXPECT_EQ(test, first, 0);
	KUNIT_EXPECT_GE(test, last, 18);

	runs = replace(test, runs, 0, LAST - FIRST, 0, R);
	expect_run(test, runs, 100, 0, ULONG_MAX, 0, R);
	vma_runs_put(runs);
}

static void vma_runs_test_sum(struct kunit *test)
{
	struct vma_runs *runs = library(test);
	struct vma_runs_sum sum;

	vma_runs_sum(runs, FIRST, FIRST + 29, &sum);
	KUNIT_EXPECT_EQ(test, sum.account, 14);
	KUNIT_EXPECT_EQ(test, sum.data, 14);
	KUNIT_EXPECT_EQ(test, sum.exec, 8);
	vma_runs_sum(runs, FIRST + 9, FIRST + 16, &sum);
	KUNIT_EXPECT_EQ(test, sum.data, 1);
	KUNIT_EXPECT_EQ(test, sum.exec, 1);
	vma_runs_put(runs);
}

/* File page 13 is mapped twice, as where rodata ends and data begins. */
static void vma_runs_test_find_file(struct kunit *test)
{
	struct vma_runs *runs = library(test);
	struct vma_run run;

	KUNIT_ASSERT_TRUE(test, vma_runs_find_file(runs, FIRST, LAST, 13, 13, &run));
	KUNIT_EXPECT_EQ(test, run.first, FIRST + 10);
	KUNIT_ASSERT_TRUE(test, vma_runs_find_file(runs, run.last + 1, LAST, 13, 13, &run));
	KUNIT_EXPECT_EQ(test, run.first, FIRST + 14);
	KUNIT_EXPECT_FALSE(test, vma_runs_find_file(runs, run.last + 1, LAST, 13, 13, &run));
	vma_runs_put(runs);
}

/* Divided runs inherit the ANON bit, joined runs have it if one had it. */
static void vma_runs_test_anon(struct kunit *test)
{
	struct vma_runs *runs = library(test);

	KUNIT_EXPECT_TRUE(test, vma_runs_try_set_anon(runs, FIRST + 17));
	expect_run(test, runs, 16, 16, 19, 15, RW | VMA_RUN_ANON);
	runs = replace(test, runs, 17, 17, 16, R);
	expect_run(test, runs, 18, 18, 19, 17, RW | VMA_RUN_ANON);
	expect_run(test, runs, 17, 17, 17, 16, R);
	runs = replace(test, runs, 17, 17, 16, RW);
	expect_run(test, runs, 17, 16, 19, 15, RW | VMA_RUN_ANON);

	vma_runs_get(runs);
	KUNIT_EXPECT_FALSE(test, vma_runs_try_set_anon(runs, FIRST + 2));
	vma_runs_put(runs);
	KUNIT_EXPECT_TRUE(test, vma_runs_try_set_anon(runs, FIRST + 2));
	vma_runs_put(runs);
}

static void vma_runs_test_window(struct kunit *test)
{
	struct vma_runs *runs = library(test), *half;
	struct vma_run run = {
		.first = FIRST + 12, .last = FIRST + 12, .attr = BSS,
	};

	half = vma_runs_replace(runs, FIRST + 5, FIRST + 17, &run);
	vma_runs_put(runs);
	KUNIT_ASSERT_NOT_NULL(test, half);
	expect_run(test, half, 5, 5, 9, 5, RX);
	expect_run(test, half, 11, 10, 11, 10, R);
	expect_run(test, half, 12, 12, 12, 0, BSS);
	expect_run(test, half, 13, 13, 13, 13, R);
	expect_run(test, half, 16, 16, ULONG_MAX, 15, RW);
	vma_runs_put(half);
}

/* Every page its own run, changed in an order that leaps about. */
static void vma_runs_test_large(struct kunit *test)
{
	struct vma_runs *runs = vma_runs_create(FIRST, 0, 0), *shared;
	struct vma_runs_sum sum;
	unsigned long i;

	KUNIT_ASSERT_NOT_NULL(test, runs);
	for (i = 0; i < PAGES; i++) {
		unsigned long page = i * 12345 % PAGES;

		runs = replace(test, runs, page, page, page, page & 1 ? RW : R);
	}
	KUNIT_EXPECT_EQ(test, vma_runs_count(runs, FIRST, LAST), PAGES);
	vma_runs_sum(runs, FIRST, LAST, &sum);
	KUNIT_EXPECT_EQ(test, sum.data, PAGES / 2);

	shared = vma_runs_get(runs);
	runs = replace(test, runs, 1000, PAGES - 1000, 1000, RX);
	KUNIT_EXPECT_EQ(test, vma_runs_count(runs, FIRST, LAST), 2000);
	for (i = 0; i < PAGES - 1; i++) {
		expect_run(test, shared, i, i, i, i, i & 1 ? RW : R);
		if (i < 1000)
			expect_run(test, runs, i, i, i, i, i & 1 ? RW : R);
	}
	vma_runs_put(shared);
	vma_runs_put(runs);
}

static struct kunit_case vma_runs_cases[] = {
	KUNIT_CASE(vma_runs_test_library),
	KUNIT_CASE(vma_runs_test_sum),
	KUNIT_CASE(vma_runs_test_find_file),
	KUNIT_CASE(vma_runs_test_anon),
	KUNIT_CASE(vma_runs_test_window),
	KUNIT_CASE(vma_runs_test_large),
	{}
};

static struct kunit_suite vma_runs_suite = {
	.name = "vma_runs",
	.test_cases = vma_runs_cases,
};

kunit_test_suite(vma_runs_suite);

MODULE_DESCRIPTION("KUnit tests of the run map of a multi-protection VMA");
MODULE_LICENSE("GPL");
