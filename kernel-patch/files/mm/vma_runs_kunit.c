// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the run map: that it works in the kernel, with its slab
 * caches, RCU and memory debugging.  Its logic is tested more widely in
 * userspace.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
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
	struct vma_runs *copy = vma_runs_replace(runs, FIRST, LAST, &run,
						 VMA_RUNS_JOIN_ANON);

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

/* Put in the range what the whole map was made with: it is one run again. */
static void expect_small(struct kunit *test, struct vma_runs *runs)
{
	runs = replace(test, runs, 0, PAGES - 1, 0, R);
	expect_run(test, runs, PAGES - 1, 0, ULONG_MAX, 0, R);
	KUNIT_EXPECT_EQ(test, vma_runs_count(runs, FIRST, LAST), 1);
	vma_runs_put(runs);
}

/*
 * A large map, every page its own run, changed in an order that leaps about.
 * Pages are at the offsets of a permutation, @factor being odd.
 */
static struct vma_runs *large(struct kunit *test, unsigned long factor)
{
	struct vma_runs *runs = vma_runs_create(FIRST, 0, 0);
	unsigned long i;

	KUNIT_ASSERT_NOT_NULL(test, runs);
	for (i = 0; i < PAGES; i++) {
		unsigned long page = i * 12345 % PAGES;

		runs = replace(test, runs, page, page, page * factor % PAGES,
			       page & 1 ? RW : R);
		cond_resched();
	}
	return runs;
}

/* The next run of the map that maps file pages @first to @last. */
static bool find_file(const struct vma_runs *runs, pgoff_t first, pgoff_t last,
		      const struct vma_run *after, struct vma_run *run)
{
	struct vma_runs_search search = {
		.first = FIRST,
		.last = LAST,
		.first_pgoff = first,
		.last_pgoff = last,
	};

	return vma_runs_find_file(runs, &search, after, run);
}

/* Runs are divided and joined, and the last one has no end. */
static void library_has_its_runs(struct kunit *test)
{
	struct vma_runs *runs = library(test);

	expect_run(test, runs, 1, 0, 1, 0, R);
	expect_run(test, runs, 2, 2, 9, 2, RX);
	expect_run(test, runs, 13, 10, 13, 10, R);
	expect_run(test, runs, 15, 14, 15, 13, R);
	expect_run(test, runs, 19, 16, 19, 15, RW);
	expect_run(test, runs, 100, 20, ULONG_MAX, 0, BSS);
	KUNIT_EXPECT_EQ(test, vma_runs_count(runs, FIRST, LAST), 6);
	KUNIT_EXPECT_EQ(test, vma_runs_count(runs, FIRST + 3, FIRST + 10), 2);
	KUNIT_EXPECT_EQ(test, vma_runs_size(runs), 6);
	expect_small(test, runs);
}

/* The hull has all file pages, those of the last run up to the VMA's end. */
static void hull_has_all_file_pages(struct kunit *test)
{
	struct vma_runs *runs = library(test);
	pgoff_t first, last;

	vma_runs_hull(runs, LAST, &first, &last);
	KUNIT_EXPECT_EQ(test, first, 0);
	KUNIT_EXPECT_GE(test, last, 18);
	vma_runs_put(runs);

	runs = vma_runs_create(FIRST, 5, R);
	KUNIT_ASSERT_NOT_NULL(test, runs);
	vma_runs_hull(runs, FIRST + 9, &first, &last);
	KUNIT_EXPECT_EQ(test, first, 5);
	KUNIT_EXPECT_EQ(test, last, 14);
	vma_runs_put(runs);

	runs = vma_runs_create(FIRST, 0, BSS);
	KUNIT_ASSERT_NOT_NULL(test, runs);
	vma_runs_hull(runs, FIRST + 9, &first, &last);
	KUNIT_EXPECT_GT(test, first, last);
	vma_runs_put(runs);
}

/* A change of protection leaves the key of the VMA in i_mmap as it is. */
static void protection_keeps_the_hull(struct kunit *test)
{
	struct vma_runs *runs = library(test);
	pgoff_t first, last, new_first, new_last;

	vma_runs_hull(runs, LAST, &first, &last);
	runs = replace(test, runs, 16, 17, 15, R);
	vma_runs_hull(runs, LAST, &new_first, &new_last);
	KUNIT_EXPECT_EQ(test, new_first, first);
	KUNIT_EXPECT_EQ(test, new_last, last);
	vma_runs_put(runs);
}

/* Totals of all of it, which are kept, and of a part, which are summed up. */
static void totals_are_those_of_the_pages(struct kunit *test)
{
	struct vma_runs *runs = library(test);
	struct vma_runs_sum sum;

	vma_runs_sum(runs, FIRST, FIRST + 29, &sum);
	KUNIT_EXPECT_EQ(test, sum.account, 14);
	KUNIT_EXPECT_EQ(test, sum.data, 14);
	KUNIT_EXPECT_EQ(test, sum.exec, 8);
	vma_runs_sum(runs, FIRST + 9, FIRST + 16, &sum);
	KUNIT_EXPECT_EQ(test, sum.account, 1);
	KUNIT_EXPECT_EQ(test, sum.data, 1);
	KUNIT_EXPECT_EQ(test, sum.exec, 1);
	KUNIT_EXPECT_EQ(test, vma_runs_count(runs, FIRST, FIRST + 19), 5);
	KUNIT_EXPECT_EQ(test, vma_runs_count(runs, FIRST + 9, FIRST + 16), 4);
	vma_runs_put(runs);
}

/* File page 13 is mapped twice, as where rodata ends and data begins. */
static void file_page_is_found_at_each_address(struct kunit *test)
{
	struct vma_runs *runs = library(test);
	struct vma_run run;

	KUNIT_ASSERT_TRUE(test, find_file(runs, 13, 13, NULL, &run));
	KUNIT_EXPECT_EQ(test, run.first, FIRST + 10);
	KUNIT_EXPECT_EQ(test, run.last, FIRST + 13);
	KUNIT_EXPECT_EQ(test, run.pgoff, 10);
	KUNIT_ASSERT_TRUE(test, find_file(runs, 13, 13, &run, &run));
	KUNIT_EXPECT_EQ(test, run.first, FIRST + 14);
	KUNIT_EXPECT_FALSE(test, find_file(runs, 13, 13, &run, &run));
	KUNIT_EXPECT_FALSE(test, find_file(runs, 100, 200, NULL, &run));
	vma_runs_put(runs);
}

/* All file runs come by address, bss is none of them. */
static void all_file_runs_come_by_address(struct kunit *test)
{
	struct vma_runs *runs = library(test);
	static const unsigned long first[] = { 0, 2, 10, 14, 16 };
	struct vma_run run;
	int i;

	for (i = 0; i < ARRAY_SIZE(first); i++) {
		KUNIT_ASSERT_TRUE(test, find_file(runs, 0, ULONG_MAX,
						  i ? &run : NULL, &run));
		KUNIT_EXPECT_EQ(test, run.first, FIRST + first[i]);
	}
	KUNIT_EXPECT_FALSE(test, find_file(runs, 0, ULONG_MAX, &run, &run));
	vma_runs_put(runs);
}

/* What is outside of the VMA is not found: halves share a map. */
static void window_bounds_what_is_found(struct kunit *test)
{
	struct vma_runs *runs = library(test);
	struct vma_runs_search search = {
		.first = FIRST + 12, .last = FIRST + 14, .first_pgoff = 0,
		.last_pgoff = 13,
	};
	struct vma_run run;

	KUNIT_ASSERT_TRUE(test, vma_runs_find_file(runs, &search, NULL, &run));
	KUNIT_EXPECT_EQ(test, run.first, FIRST + 12);
	KUNIT_EXPECT_EQ(test, run.last, FIRST + 13);
	KUNIT_EXPECT_EQ(test, run.pgoff, 12);
	KUNIT_ASSERT_TRUE(test, vma_runs_find_file(runs, &search, &run, &run));
	KUNIT_EXPECT_EQ(test, run.first, FIRST + 14);
	KUNIT_EXPECT_EQ(test, run.last, FIRST + 14);
	KUNIT_EXPECT_FALSE(test, vma_runs_find_file(runs, &search, &run, &run));
	vma_runs_put(runs);
}

/* A page of a large map is found by its offset, wherever that may be. */
static void random_offsets_are_found(struct kunit *test)
{
	struct vma_runs *runs = large(test, 7919);
	struct vma_run run;
	unsigned long i, count = 0;

	for (i = 0; i < PAGES; i += 3) {
		pgoff_t pgoff = i * 7919 % PAGES;

		KUNIT_ASSERT_TRUE(test, find_file(runs, pgoff, pgoff, NULL, &run));
		KUNIT_ASSERT_EQ(test, run.first, FIRST + i);
		KUNIT_ASSERT_FALSE(test, find_file(runs, pgoff, pgoff, &run, &run));
	}
	if (find_file(runs, 100, 1099, NULL, &run)) {
		do {
			count++;
		} while (find_file(runs, 100, 1099, &run, &run));
	}
	KUNIT_EXPECT_EQ(test, count, 1000);
	expect_small(test, runs);
}

/* Divided runs inherit the ANON bit, joined runs have it if one had it. */
static void anon_bit_is_inherited(struct kunit *test)
{
	struct vma_runs *runs = library(test);

	KUNIT_EXPECT_TRUE(test, vma_runs_try_set_anon(runs, FIRST + 17));
	expect_run(test, runs, 16, 16, 19, 15, RW | VMA_RUN_ANON);
	runs = replace(test, runs, 17, 17, 16, R);
	expect_run(test, runs, 18, 18, 19, 17, RW | VMA_RUN_ANON);
	expect_run(test, runs, 17, 17, 17, 16, R);
	runs = replace(test, runs, 17, 17, 16, RW);
	expect_run(test, runs, 17, 16, 19, 15, RW | VMA_RUN_ANON);
	vma_runs_put(runs);
}

/* A changed run gives its ANON bit to no neighbour without, but takes one. */
static void anon_bit_is_not_given_away(struct kunit *test)
{
	struct vma_runs *runs = library(test);
	struct vma_run run = {
		.first = FIRST + 14,
		.last = FIRST + 15,
		.pgoff = 13,
		.attr = RW,
	};
	struct vma_runs *apart;

	KUNIT_EXPECT_TRUE(test, vma_runs_try_set_anon(runs, FIRST + 14));
	runs = replace(test, runs, 14, 15, 13, RW | VMA_RUN_ANON);
	expect_run(test, runs, 14, 14, 15, 13, RW | VMA_RUN_ANON);
	expect_run(test, runs, 16, 16, 19, 15, RW);

	apart = vma_runs_replace(runs, FIRST, LAST, &run, VMA_RUNS_APART);
	KUNIT_ASSERT_NOT_NULL(test, apart);
	expect_run(test, apart, 14, 14, 15, 13, RW);
	expect_run(test, apart, 16, 16, 19, 15, RW);
	vma_runs_put(apart);

	run.first = FIRST + 16;
	run.last = FIRST + 19;
	run.pgoff = 15;
	apart = vma_runs_replace(runs, FIRST, LAST, &run, VMA_RUNS_JOIN);
	KUNIT_ASSERT_NOT_NULL(test, apart);
	expect_run(test, apart, 14, 14, 15, 13, RW | VMA_RUN_ANON);
	expect_run(test, apart, 16, 16, 19, 15, RW);
	vma_runs_put(apart);

	runs = replace(test, runs, 16, 19, 15, RW);
	expect_run(test, runs, 16, 14, 19, 13, RW | VMA_RUN_ANON);
	vma_runs_put(runs);
}

/* fork() asks for these: adjacent ones in one go. */
static void anon_runs_are_found_together(struct kunit *test)
{
	struct vma_runs *runs = library(test);
	struct vma_run run;

	KUNIT_EXPECT_FALSE(test, vma_runs_find_anon(runs, FIRST, LAST, &run));
	KUNIT_EXPECT_TRUE(test, vma_runs_try_set_anon(runs, FIRST + 14));
	KUNIT_EXPECT_TRUE(test, vma_runs_try_set_anon(runs, FIRST + 16));
	KUNIT_ASSERT_TRUE(test, vma_runs_find_anon(runs, FIRST, LAST, &run));
	KUNIT_EXPECT_EQ(test, run.first, FIRST + 14);
	KUNIT_EXPECT_EQ(test, run.last, FIRST + 19);
	KUNIT_EXPECT_FALSE(test, vma_runs_find_anon(runs, FIRST, FIRST + 13, &run));
	KUNIT_EXPECT_FALSE(test, vma_runs_find_anon(runs, FIRST + 20, LAST, &run));
	vma_runs_put(runs);
}

/* What somebody else uses too is not changed in place. */
static void shared_map_gets_no_anon_bit(struct kunit *test)
{
	struct vma_runs *runs = library(test);

	vma_runs_get(runs);
	KUNIT_EXPECT_FALSE(test, vma_runs_try_set_anon(runs, FIRST + 2));
	vma_runs_put(runs);
	KUNIT_EXPECT_TRUE(test, vma_runs_try_set_anon(runs, FIRST + 2));
	vma_runs_put(runs);
}

/* A copy holds its window only, and that has no end. */
static void copy_is_cut_to_its_window(struct kunit *test)
{
	struct vma_runs *runs = library(test), *half;
	struct vma_run run = {
		.first = FIRST + 12, .last = FIRST + 12, .attr = BSS,
	};

	half = vma_runs_replace(runs, FIRST + 5, FIRST + 17, &run,
				VMA_RUNS_JOIN_ANON);
	vma_runs_put(runs);
	KUNIT_ASSERT_NOT_NULL(test, half);
	expect_run(test, half, 5, 5, 9, 5, RX);
	expect_run(test, half, 11, 10, 11, 10, R);
	expect_run(test, half, 12, 12, 12, 0, BSS);
	expect_run(test, half, 13, 13, 13, 13, R);
	expect_run(test, half, 16, 16, ULONG_MAX, 15, RW);
	vma_runs_put(half);
}

/* Nodes are shared by maps that differ in a part; each keeps its own runs. */
static void large_maps_share_what_is_equal(struct kunit *test)
{
	struct vma_runs *runs = large(test, 1), *shared;
	struct vma_runs_sum sum;
	unsigned long i;

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
	expect_small(test, runs);
}

/* Who looks at a map under RCU may go on when it has been dropped. */
static void dropped_map_can_be_read_under_rcu(struct kunit *test)
{
	struct vma_runs *runs = large(test, 7919);
	struct vma_run run;
	unsigned long i;

	rcu_read_lock();
	vma_runs_put(runs);
	for (i = 0; i < PAGES; i += 17) {
		vma_runs_find(runs, FIRST + i, &run);
		if (run.first != FIRST + i)
			break;
		if (!find_file(runs, run.pgoff, run.pgoff, NULL, &run) ||
		    run.first != FIRST + i)
			break;
	}
	rcu_read_unlock();
	KUNIT_EXPECT_GE(test, i, PAGES);
}

static struct kunit_case vma_runs_cases[] = {
	KUNIT_CASE(library_has_its_runs),
	KUNIT_CASE(hull_has_all_file_pages),
	KUNIT_CASE(protection_keeps_the_hull),
	KUNIT_CASE(totals_are_those_of_the_pages),
	KUNIT_CASE(file_page_is_found_at_each_address),
	KUNIT_CASE(all_file_runs_come_by_address),
	KUNIT_CASE(window_bounds_what_is_found),
	KUNIT_CASE(anon_bit_is_inherited),
	KUNIT_CASE(anon_bit_is_not_given_away),
	KUNIT_CASE(anon_runs_are_found_together),
	KUNIT_CASE(shared_map_gets_no_anon_bit),
	KUNIT_CASE(copy_is_cut_to_its_window),
	KUNIT_CASE_SLOW(random_offsets_are_found),
	KUNIT_CASE_SLOW(large_maps_share_what_is_equal),
	KUNIT_CASE_SLOW(dropped_map_can_be_read_under_rcu),
	{}
};

static struct kunit_suite vma_runs_suite = {
	.name = "vma_runs",
	.test_cases = vma_runs_cases,
};

kunit_test_suite(vma_runs_suite);

MODULE_DESCRIPTION("KUnit tests of the run map of a multi-protection VMA");
MODULE_LICENSE("GPL");
