// SPDX-License-Identifier: GPL-2.0
/*
 * Test of the run map: mm/vma_runs.c as it is in the kernel, against a model
 * that has an array of pages.
 *
 *	runs [SEED [ROUNDS]]	the tests, as TAP lines
 *	runs time		time and memory of changes, by size
 */
#include <time.h>

static unsigned long below(unsigned long n);

#include "model.h"

/* How many runs the large maps have. */
#ifdef __SANITIZE_ADDRESS__
#define MANY	10000
#else
#define MANY	100000
#endif

static u64 seed = 1;

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dull >> 16;
}

static unsigned long below(unsigned long n)
{
	return rnd() % n;
}

static void random_rounds(unsigned long rounds, unsigned long pages, unsigned long steps)
{
	unsigned long i;

	while (rounds--) {
		models_begin(pages);
		for (i = 0; i < steps; i++)
			models_step();
		models_end();
	}
}

static void test_random(unsigned long rounds)
{
	random_rounds(rounds * 40, 60, 200);
	random_rounds(rounds * 4, 600, 400);
	random_rounds(rounds, NO_PAGES, 500);
}

/*
 * Maps of many runs, by the order in which they are filled
 */

/* The file page offset of each page; NULL: its number. */
static unsigned long *offsets;

static pgoff_t page_offset(unsigned long page)
{
	return offsets ? offsets[page] : page;
}

static struct vma_runs *set_file(struct vma_runs *runs, unsigned long nr,
				 unsigned long page, unsigned long pages,
				 pgoff_t pgoff, u32 attr)
{
	struct vma_run run = {
		.first = origin + page,
		.last = origin + page + pages - 1,
		.pgoff = pgoff,
		.attr = attr,
	};
	struct vma_runs *copy = vma_runs_replace(runs, origin, origin + nr - 1, &run,
						 VMA_RUNS_JOIN_ANON);

	check(copy);
	vma_runs_put(runs);
	fake_grace_period();
	return copy;
}

static struct vma_runs *set_page(struct vma_runs *runs, unsigned long nr,
				 unsigned long page, unsigned long pages, u32 attr)
{
	return set_file(runs, nr, page, pages, page_offset(page), attr);
}

static u32 page_attr(unsigned long page)
{
	return page & 1 ? ATTR_RW : ATTR_R;
}

static unsigned long *shuffled(unsigned long nr)
{
	unsigned long i, *order = malloc(nr * sizeof(*order));

	check(order);
	for (i = 0; i < nr; i++) {
		unsigned long j = below(i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	return order;
}

enum {
	ASCENDING, DESCENDING, RANDOM, ALTERNATE, TWO_PASSES, MIDDLE,
	NONLINEAR,		/* ascending, at random offsets */
	NONLINEAR_RANDOM,	/* in random order, at random offsets */
	NR_FILLS
};

static const char * const fill_name[] = {
	"ascending", "descending", "random", "alternate pages, then the others",
	"alternate pages", "from the middle out", "nonlinear",
	"nonlinear, random",
};

/* A map of @nr pages, each its own run, or in ALTERNATE half of them. */
static struct vma_runs *fill(int how, unsigned long nr)
{
	struct vma_runs *runs = vma_runs_create(origin, 0, ATTR_RX);
	unsigned long i, *order = NULL;

	check(runs);
	if (how == RANDOM || how == NONLINEAR_RANDOM)
		order = shuffled(nr);
	free(offsets);
	offsets = how >= NONLINEAR ? shuffled(nr) : NULL;
	for (i = 0; i < nr; i++) {
		unsigned long page = i;

		switch (how) {
		case DESCENDING:
			page = nr - 1 - i;
			break;
		case RANDOM:
		case NONLINEAR_RANDOM:
			page = order[i];
			break;
		case ALTERNATE:
			page = i < nr / 2 ? i * 2 : (i - nr / 2) * 2 + 1;
			break;
		case TWO_PASSES:	/* the rest stays what it was */
			if (i & 1)
				continue;
			break;
		case MIDDLE:
			page = i & 1 ? nr / 2 - 1 - i / 2 : nr / 2 + i / 2;
			break;
		}
		runs = set_page(runs, nr, page, 1, page_attr(page));
	}
	free(order);
	return runs;
}

static double run_bytes(const struct vma_runs *runs)
{
	struct tree tree;

	check_tree(runs, &tree);
	return (double)tree.bytes / tree.runs;
}

static void check_filled(const struct vma_runs *runs, int how, unsigned long nr)
{
	struct vma_runs_sum sum;
	struct vma_run run;
	unsigned long i;

	for (i = 0; i < nr; i++) {
		vma_runs_find(runs, origin + i, &run);
		check(run.first == origin + i);
		check(run.last == (i == nr - 1 ? ULONG_MAX : run.first));
		check(run.pgoff == page_offset(i));
		check(run.attr == (how == TWO_PASSES && i & 1 ? ATTR_RX : page_attr(i)));
	}
	check(vma_runs_count(runs, origin, origin + nr - 1) == nr);
	check(vma_runs_size(runs) == nr);
	vma_runs_sum(runs, origin + 1, origin + nr - 1, &sum);
	check(sum.data == (how == TWO_PASSES ? 0 : nr / 2));
}

static void test_fill(int how, unsigned long nr)
{
	struct vma_runs *runs = fill(how, nr);
	struct tree tree;
	double bytes = run_bytes(runs);
	unsigned long i;

	check_tree(runs, &tree);
	check(tree.runs == nr && tree.nodes == fake_objects && tree.bytes == fake_bytes);
	check_filled(runs, how, nr);
	printf("# %s: %lu runs, %.1f bytes a run, %u levels\n", fill_name[how], nr,
	       bytes, runs->root.level + 1);
	check(bytes <= MAX_RUN_BYTES);

	/* Take most of them away in random places; what is left is dense. */
	for (i = 0; i < nr / 2; i++)
		runs = set_page(runs, nr, below(nr - 8), 1 + below(8), ATTR_RX);
	check_tree(runs, &tree);
	bytes = run_bytes(runs);
	printf("# %s, then thinned: %lu runs, %.1f bytes a run\n", fill_name[how],
	       tree.runs, bytes);
	check(bytes <= MAX_RUN_BYTES);

	/* And the rest: the map is small again. */
	for (i = 0; i < nr; i += 16)
		runs = set_file(runs, nr, i, min(16ul, nr - i), i, ATTR_RX);
	check(fake_objects == 1 && fake_bytes == SMALL_BYTES(1));
	vma_runs_put(runs);
	fake_grace_period();
	check(!fake_objects);
}

static void test_ascending(void) { test_fill(ASCENDING, MANY); }
static void test_descending(void) { test_fill(DESCENDING, MANY); }
static void test_shuffled(void) { test_fill(RANDOM, MANY); }
static void test_alternate(void) { test_fill(ALTERNATE, MANY); }
static void test_two_passes(void) { test_fill(TWO_PASSES, MANY); }
static void test_middle(void) { test_fill(MIDDLE, MANY); }
static void test_nonlinear(void) { test_fill(NONLINEAR, MANY); }
static void test_nonlinear_random(void) { test_fill(NONLINEAR_RANDOM, MANY); }

/* Pages @first to @last are what @attr says, in maximal runs. */
static void check_attrs(const struct vma_runs *runs, const u32 *attr,
			unsigned long first, unsigned long last)
{
	unsigned long i = first, j, count = 0;
	struct vma_run run;

	for (; i <= last; i = j, count++) {
		for (j = i + 1; j <= last && attr[j] == attr[i]; j++)
			;
		vma_runs_find(runs, origin + i, &run);
		check(run.first == origin + i);
		check(run.last == (j > last ? ULONG_MAX : origin + j - 1));
		check(run.attr == attr[i]);
		check(run.pgoff == (attr[i] & VMA_RUN_ZEROFILL ? 0 : i));
	}
	check(vma_runs_count(runs, origin + first, origin + last) == count);
}

/* Large maps whose runs come and go, against arrays; two share nodes. */
static void test_churn(void)
{
	unsigned long i, j, nr = MANY;
	struct vma_runs *runs[2], *window;
	struct vma_run run;
	u32 *attr[2];
	double worst = 0;
	struct tree tree;

	for (i = 0; i < 2; i++) {
		runs[i] = vma_runs_create(origin, 0, ATTR_R);
		attr[i] = malloc(nr * sizeof(*attr[i]));
		check(runs[i] && attr[i]);
		for (j = 0; j < nr; j++)
			attr[i][j] = ATTR_R;
	}
	for (i = 0; i < 6 * nr; i++) {
		unsigned long m = !below(4), page = below(nr);
		unsigned long pages = 1 + below(4), last;
		u32 a = below(3) ? ATTR_R : below(2) ? ATTR_BSS : ATTR_RX;

		if (!below(20000))
			pages = below(nr);
		pages = min(pages, nr - page);
		runs[m] = set_page(runs[m], nr, page, pages, a);
		for (j = page; j < page + pages; j++)
			attr[m][j] = a;
		if (i % (nr / 5))
			continue;

		for (j = 0; j < 2; j++) {
			double bytes = run_bytes(runs[j]);

			check_attrs(runs[j], attr[j], 0, nr - 1);
			if (vma_runs_count(runs[j], origin, origin + nr - 1) > 100)
				worst = max(worst, bytes);
		}

		/* A window, and one page of it changed. */
		page = below(nr);
		last = page + below(nr - page);
		run = (struct vma_run) {
			.first = origin + page,
			.last = origin + page,
			.attr = attr[1][page],
			.pgoff = page,
		};
		window = try_replace(runs[1], origin + page, origin + last, &run,
				     VMA_RUNS_JOIN_ANON, true);
		check_attrs(window, attr[1], page, last);
		check_tree(window, &tree);
		vma_runs_put(window);

		/* From here on they share. */
		vma_runs_put(runs[1]);
		runs[1] = vma_runs_get(runs[0]);
		memcpy(attr[1], attr[0], nr * sizeof(*attr[0]));
	}
	check_tree(runs[0], &tree);
	printf("# churn: %lu runs, at most %.1f bytes a run\n", tree.runs, worst);
	check(worst <= MAX_RUN_BYTES);
	for (i = 0; i < 2; i++) {
		vma_runs_put(runs[i]);
		free(attr[i]);
	}
	fake_grace_period();
	check(!fake_objects);
}

static void test_small(void)
{
	unsigned long nr;

	for (nr = 1; nr <= VMA_RUN_LEAF_MAX; nr++) {
		struct vma_runs *runs = fill(ASCENDING, nr);

		check(fake_objects == 1);
		check(fake_bytes >= SMALL_BYTES(nr));
		if (nr <= 8)
			check(fake_bytes == SMALL_BYTES(nr));
		else
			check(fake_bytes * 5 <= 6 * SMALL_BYTES(nr));
		vma_runs_put(runs);
		fake_grace_period();
	}
	printf("# a library of 5, 6, 7 runs: %d, %d, %d bytes\n", SMALL_BYTES(5),
	       SMALL_BYTES(6), SMALL_BYTES(7));
}

/* A change of a shared map costs a few nodes, and each map keeps its own. */
static void test_share(void)
{
	unsigned long i, nr = MANY;
	struct vma_runs *parent = fill(RANDOM, nr), *child;
	struct vma_run run = {
		.first = origin + 500, .last = origin + 500, .pgoff = 500,
		.attr = ATTR_RX,
	};
	size_t bytes = fake_bytes, objects = fake_objects;

	vma_runs_get(parent);
	check(!vma_runs_try_set_anon(parent, origin + 500));
	vma_runs_put(parent);

	child = vma_runs_replace(parent, origin, origin + nr - 1, &run,
				 VMA_RUNS_JOIN_ANON);
	check(child);
	printf("# a change of a shared map: %zu nodes, %zu bytes\n",
	       fake_objects - objects, fake_bytes - bytes);
	check(fake_objects - objects <= 3 * VMA_RUN_LEVELS);
	check(fake_bytes - bytes <= 8192);
	/* Only the way to the change belongs to one of them alone. */
	check(vma_runs_try_set_anon(child, origin + 500));
	check(vma_runs_try_set_anon(parent, origin + 500));
	check(!vma_runs_try_set_anon(child, origin + nr - 500));
	check(!vma_runs_try_set_anon(parent, origin + nr - 500));
	vma_runs_find(child, origin + 500, &run);
	check(run.attr == (ATTR_RX | VMA_RUN_ANON));
	vma_runs_find(parent, origin + 500, &run);
	check(run.attr == (page_attr(500) | VMA_RUN_ANON));

	/* Dropping one frees what it alone had, at once. */
	vma_runs_put(parent);
	check(vma_runs_try_set_anon(child, origin + nr - 500));
	for (i = 0; i < nr; i += 100) {
		vma_runs_find(child, origin + i, &run);
		check(run.first == origin + i);
	}
	vma_runs_put(child);
	fake_grace_period();
	check(!fake_objects);
}

/* The halves of a split VMA keep the whole map until they change it. */
static void test_split(void)
{
	unsigned long nr = 100000;
	struct vma_runs *whole = fill(RANDOM, nr), *half;
	struct vma_run run = {
		.first = origin + 70000, .last = origin + 70000, .pgoff = 70000,
		.attr = ATTR_RX,
	};
	struct tree tree;
	size_t bytes = fake_bytes;

	half = vma_runs_replace(whole, origin + 60000, origin + 79999, &run,
				VMA_RUNS_JOIN_ANON);
	check(half);
	/* The runs are shared; the index has to be made anew. */
	check(fake_bytes - bytes <= 16384 + 20000 * 12);
	vma_runs_put(whole);
	fake_grace_period();
	check_tree(half, &tree);
	check(tree.runs == 20000 && tree.nodes == fake_objects);
	check(run_bytes(half) <= MAX_RUN_BYTES);
	vma_runs_find(half, origin + 60000, &run);
	check(run.first == origin + 60000);
	vma_runs_find(half, origin + 79999, &run);
	check(run.first == origin + 79999 && run.last == ULONG_MAX);
	vma_runs_put(half);
	fake_grace_period();
	check(!fake_objects);
}

/* Dropping a large map does a bounded amount of work; a worker does the rest. */
static void test_put(void)
{
	struct vma_runs *runs = fill(ASCENDING, 200000);
	size_t objects = fake_objects;

	vma_runs_put(runs);
	/* Once for the map, once for its index. */
	check(objects - fake_objects <=
	      2 * (VMA_RUN_FREE_MAX + 1) * (VMA_RUN_INNER_MAX + 1));
	check(fake_objects > 0);
	fake_grace_period();
	check(!fake_objects);
}

/* A reader that holds neither a lock nor a reference, but RCU. */
static void test_rcu(void)
{
	unsigned long i, nr = 5000;
	struct vma_runs *runs = fill(ASCENDING, nr), *copy;
	struct vma_run run = {
		.first = origin + 100, .last = origin + nr - 100,
		.attr = ATTR_BSS,
	};

	copy = vma_runs_replace(runs, origin, origin + nr - 1, &run, VMA_RUNS_JOIN_ANON);
	vma_runs_put(runs);
	vma_runs_put(copy);
	check(!fake_objects);
	for (i = 0; i < nr; i++) {
		vma_runs_find(runs, origin + i, &run);
		check(run.first == origin + i);
	}
	fake_grace_period();
}

/* Every allocation of a change fails once. */
static void test_no_memory(void)
{
	unsigned long nr = 20000;
	struct vma_runs *runs = fill(RANDOM, nr), *copy = NULL;
	struct vma_run run = {
		.first = origin + 500, .last = origin + 15000, .pgoff = 77,
		.attr = ATTR_RX,
	};
	size_t bytes = fake_bytes, objects = fake_objects;
	unsigned long i;

	for (i = 1; !copy; i++) {
		fake_fail_after = i;
		copy = vma_runs_replace(runs, origin + 100, origin + 18000, &run,
					VMA_RUNS_JOIN_ANON);
		if (!copy)
			check(fake_bytes == bytes && fake_objects == objects);
		if (i % 64 == 1)
			check_filled(runs, RANDOM, nr);
	}
	fake_fail_after = 0;
	printf("# %lu allocations\n", i - 2);
	check(i > 10);
	vma_runs_put(copy);
	check(fake_bytes == bytes && fake_objects == objects);
	fake_fail_after = 1;
	check(!vma_runs_create(0, 0, 0));
	vma_runs_put(runs);
	vma_runs_put(NULL);
	check(!vma_runs_get(NULL));
	fake_grace_period();
	check(!fake_objects);
}

/* The next run of all the map that maps a part of a file range. */
static bool find_file(const struct vma_runs *runs, unsigned long nr, pgoff_t first,
		      pgoff_t last, const struct vma_run *after,
		      struct vma_run *run)
{
	struct vma_runs_search search = {
		.first = origin,
		.last = origin + nr - 1,
		.first_pgoff = first,
		.last_pgoff = last,
	};

	return vma_runs_find_file(runs, &search, after, run);
}

static void test_find_file(void)
{
	unsigned long i, nr = MANY;
	struct vma_runs *runs = fill(RANDOM, nr);
	struct vma_run run;

	for (i = 0; i < nr; i += 7) {
		check(find_file(runs, nr, i, i, NULL, &run));
		check(run.first == origin + i && run.pgoff == i);
		check(!find_file(runs, nr, i, i, &run, &run));
	}
	check(!find_file(runs, nr, nr, nr, NULL, &run));

	/* Long runs, and what is in the middle of them. */
	for (i = 0; i < nr; i += 50)
		runs = set_page(runs, nr, i, 49, ATTR_RX);
	for (i = 0; i < nr; i++) {
		check(find_file(runs, nr, i, i, NULL, &run));
		check(run.first == origin + (i % 50 == 49 ? i : i - i % 50));
		check(!find_file(runs, nr, i, i, &run, &run));
	}
	/* The last run, of which the tree does not know how long it is. */
	runs = set_page(runs, nr, nr / 2, nr - nr / 2, ATTR_RX);
	for (i = nr / 2; i < nr; i++) {
		check(find_file(runs, nr, i, i, NULL, &run));
		check(run.first == origin + nr / 2 && run.last == origin + nr - 1);
	}
	vma_runs_put(runs);
	fake_grace_period();
	check(!fake_objects);
}

/* Pages at random offsets: each is found, and all in one go. */
static void test_find_nonlinear(void)
{
	unsigned long i, nr = MANY, count = 0;
	struct vma_runs *runs = fill(NONLINEAR_RANDOM, nr);
	bool *seen = calloc(nr, 1);
	struct vma_run run;

	check(seen);
	for (i = 0; i < nr; i += 7) {
		check(find_file(runs, nr, offsets[i], offsets[i], NULL, &run));
		check(run.first == origin + i && run.last == run.first);
		check(!find_file(runs, nr, offsets[i], offsets[i], &run, &run));
	}
	if (find_file(runs, nr, 1000, nr - 1001, NULL, &run)) {
		do {
			check(!seen[run.pgoff]);
			seen[run.pgoff] = true;
			count++;
		} while (find_file(runs, nr, 1000, nr - 1001, &run, &run));
	}
	check(count == nr - 2000);
	for (i = 1000; i < nr - 1000; i++)
		check(seen[i]);

	/* One file page at all places. */
	for (i = 0; i < nr; i += 2)
		runs = set_file(runs, nr, i, 1, 5, page_attr(i));
	count = 0;
	if (find_file(runs, nr, 5, 5, NULL, &run))
		do
			count++;
		while (find_file(runs, nr, 5, 5, &run, &run));
	check(count == nr / 2 || count == nr / 2 + 1);
	free(seen);
	vma_runs_put(runs);
	fake_grace_period();
	check(!fake_objects);
}

/*
 * A part of a map, as a VMA that was split has it: what maps the same file pages
 * outside of it, more than once in a row and before and behind it, is passed over.
 */
static void find_in_window(void)
{
	static const unsigned long windows[][2] = {
		{ 0, 0 }, { 0, 9 }, { 1, 1 }, { 100, 102 }, { 700, 1900 }, { 1500, 1500 },
		{ 1990, 1999 }, { 0, 1999 },
	};
	unsigned long i, w, nr = 2000;
	struct vma_runs *runs = vma_runs_create(origin, 0, ATTR_RX);
	struct vma_run run;

	check(runs);
	/* Of every three pages two are of file page 5 or 6, and one of another. */
	for (i = 0; i < nr; i++)
		runs = set_file(runs, nr, i, 1, i % 3 == 2 ? 10000 + 2 * i : 5 + i % 3,
				page_attr(i));
	for (w = 0; w < sizeof(windows) / sizeof(windows[0]); w++) {
		struct vma_runs_search search = {
			.first = origin + windows[w][0],
			.last = origin + windows[w][1],
			.first_pgoff = 5,
			.last_pgoff = 20000,
		};
		unsigned long count = 0, pages = windows[w][1] - windows[w][0] + 1;
		bool seen[2000] = { false };

		for (bool found = vma_runs_find_file(runs, &search, NULL, &run); found;
		     found = vma_runs_find_file(runs, &search, &run, &run)) {
			for (i = run.first; i <= run.last; i++) {
				check(i >= search.first && i <= search.last);
				check(!seen[i - origin]);
				seen[i - origin] = true;
				count++;
			}
		}
		check(count == pages);
		search.last_pgoff = 5;
		count = 0;
		for (bool found = vma_runs_find_file(runs, &search, NULL, &run); found;
		     found = vma_runs_find_file(runs, &search, &run, &run))
			count++;
		pages = 0;
		for (i = windows[w][0]; i <= windows[w][1]; i++)
			pages += i % 3 == 0;
		check(count == pages);
	}
	vma_runs_put(runs);
	fake_grace_period();
	check(!fake_objects);
}

static void test_find_in_window(void)
{
	unsigned long was = origin;

	find_in_window();
	/* Linear page indices whose lower halves begin again in the middle. */
	origin = (3ul << 32) - 1000;
	find_in_window();
	origin = was;
}

/*
 * Few file pages, each of many runs, and any window: what is passed over outside of
 * the window begins again where the window does.
 */
#define WINDOW_PAGES	400

static void find_in_any_window(unsigned long nr)
{
	unsigned long i, nr_windows, nr_offsets = 1 + below(4), offset[WINDOW_PAGES];
	struct vma_runs *runs = vma_runs_create(origin, 0, ATTR_RX);
	struct vma_run run;

	check(runs);
	for (i = 0; i < nr; i++) {
		offset[i] = below(20) ? below(nr_offsets) : below(3 * nr);
		runs = set_file(runs, nr, i, 1, offset[i], page_attr(i));
	}
	for (nr_windows = 0; nr_windows < 100; nr_windows++) {
		unsigned long first = below(nr), last = first + below(nr - first);
		bool seen[WINDOW_PAGES] = { false };
		struct vma_runs_search search = {
			.first = origin + first,
			.last = origin + last,
			.first_pgoff = below(nr_offsets),
		};

		search.last_pgoff = search.first_pgoff + (below(2) ? 0 : below(3 * nr));
		for (bool found = vma_runs_find_file(runs, &search, NULL, &run); found;
		     found = vma_runs_find_file(runs, &search, &run, &run)) {
			for (i = run.first; i <= run.last; i++) {
				check(i >= search.first && i <= search.last);
				check(!seen[i - origin]);
				seen[i - origin] = true;
			}
		}
		for (i = first; i <= last; i++)
			if (offset[i] >= search.first_pgoff && offset[i] <= search.last_pgoff)
				check(seen[i]);
	}
	vma_runs_put(runs);
	fake_grace_period();
	check(!fake_objects);
}

static void test_find_in_any_window(void)
{
	unsigned long was = origin, round;

	for (round = 0; round < 400; round++) {
		unsigned long nr = 20 + below(WINDOW_PAGES - 20);

		if (round & 1)
			origin = (3ul << 32) - below(2 * nr);
		find_in_any_window(nr);
		origin = was;
	}
}

/* Files so large that offsets are the same in their low bits. */
static void test_find_sparse(void)
{
	unsigned long i, nr = 3000;
	struct vma_runs *runs = vma_runs_create(origin, 0, ATTR_RX);
	struct vma_run run;
	struct tree tree;

	check(runs);
	for (i = 0; i < nr; i++)
		runs = set_file(runs, nr, i * 7 % nr, 1,
				(pgoff_t)(i * 7 % nr) << 30, ATTR_R);
	check_tree(runs, &tree);
	for (i = 0; i < nr; i++) {
		check(find_file(runs, nr, (pgoff_t)i << 30, (pgoff_t)i << 30, NULL, &run));
		check(run.first == origin + i);
		check(!find_file(runs, nr, (pgoff_t)i << 30, (pgoff_t)i << 30, &run, &run));
		check(!find_file(runs, nr, ((pgoff_t)i << 30) + 1,
				 ((pgoff_t)i << 30) + 1000, NULL, &run));
		check(find_file(runs, nr, ((pgoff_t)i << 30) + 1, ULONG_MAX, NULL,
				&run) == (i + 1 < nr));
	}
	vma_runs_put(runs);
	fake_grace_period();
	check(!fake_objects);
}

/*
 * Time
 */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static unsigned long sink;

static void time_map(int how, unsigned long nr)
{
	unsigned long i, n = 200000, *page = malloc(n * sizeof(*page));
	struct vma_runs *runs;
	double start, filled, found, changed, summed, file, bytes;
	unsigned long allocs;
	struct vma_runs_sum sum;
	struct vma_run run;

	start = now();
	runs = fill(how, nr);
	filled = (now() - start) / nr;
	bytes = run_bytes(runs);

	for (i = 0; i < n; i++)
		page[i] = below(nr);
	start = now();
	for (i = 0; i < n; i++) {
		vma_runs_find(runs, origin + page[i], &run);
		WRITE_ONCE(sink, run.attr);
	}
	found = (now() - start) / n;
	start = now();
	for (i = 0; i < n; i++) {
		vma_runs_sum(runs, origin + page[i], origin + nr - 1, &sum);
		WRITE_ONCE(sink, sum.data);
	}
	summed = (now() - start) / n;
	start = now();
	for (i = 0; i < n; i++)
		WRITE_ONCE(sink, find_file(runs, nr, page[i], page[i], NULL, &run));
	file = (now() - start) / n;
	allocs = fake_allocs;
	start = now();
	for (i = 0; i < n; i++)
		runs = set_page(runs, nr, page[i], 1,
				i & 1 ? ATTR_RX : page_attr(page[i]));
	changed = (now() - start) / n;
	printf("# %-17s %8lu %7.0f %7.0f %9.0f %7.0f %6.1f %7.0f %9.1f\n",
	       fill_name[how], nr, found, summed, file, changed,
	       (double)(fake_allocs - allocs) / n, filled, bytes);
	vma_runs_put(runs);
	fake_grace_period();
	free(page);
}

static void times(void)
{
	static const unsigned long nr[] = { 10, 100, 10000, 100000 };
	static const int how[] = { ASCENDING, RANDOM, NONLINEAR, NONLINEAR_RANDOM };
	size_t i, j;

	printf("# nanoseconds for each operation; changes are of one page\n");
	printf("# filled                runs    find     sum find_file  change  nodes    fill bytes/run\n");
	for (i = 0; i < ARRAY_SIZE(how); i++)
		for (j = 0; j < ARRAY_SIZE(nr); j++)
			time_map(how[i], nr[j]);
}

static unsigned long rounds = 5;

static void test_against_model(void)
{
	test_random(rounds);
}

static const struct {
	const char *name;
	void (*test)(void);
} tests[] = {
	{ "random changes do what they do to an array of pages", test_against_model },
	{ "a small map is one allocation of 16 bytes a run and 56", test_small },
	{ "32 bytes a run when filled in ascending order", test_ascending },
	{ "32 bytes a run when filled in descending order", test_descending },
	{ "32 bytes a run when filled in random order", test_shuffled },
	{ "32 bytes a run when filled every other page first", test_alternate },
	{ "32 bytes a run of every other page", test_two_passes },
	{ "32 bytes a run when filled from the middle", test_middle },
	{ "32 bytes a run of a nonlinear map", test_nonlinear },
	{ "32 bytes a run of a nonlinear map filled in random order",
	  test_nonlinear_random },
	{ "32 bytes a run while runs come and go", test_churn },
	{ "a changed copy shares nodes, and no ANON bit is set in those", test_share },
	{ "a window cuts a large map", test_split },
	{ "dropping a large map is bounded work", test_put },
	{ "a dropped map can be read until the grace period ends", test_rcu },
	{ "a change without memory changes and leaks nothing", test_no_memory },
	{ "file pages are found in a large map", test_find_file },
	{ "file pages are found at random offsets", test_find_nonlinear },
	{ "file pages are found in a part of a map", test_find_in_window },
	{ "file pages are found in any part of a map", test_find_in_any_window },
	{ "file pages are found at offsets of terabytes", test_find_sparse },
};

int main(int argc, char **argv)
{
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	vma_runs_init();
	origin = 1000;
	if (argc > 1 && !strcmp(argv[1], "time")) {
		times();
		return 0;
	}
	if (argc > 1)
		seed = strtoull(argv[1], NULL, 0) * 2 + 1;
	if (argc > 2)
		rounds = strtoul(argv[2], NULL, 0);
	printf("# seed %s\n", argc > 1 ? argv[1] : "0");
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		/* A failure aborts, and then there is no plan. */
		origin = 1000;
		tests[i].test();
		free(offsets);
		offsets = NULL;
		printf("ok - run map: %s\n", tests[i].name);
	}
	printf("1..%zu\n", ARRAY_SIZE(tests));
	return 0;
}
