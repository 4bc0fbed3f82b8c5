// SPDX-License-Identifier: GPL-2.0
/*
 * Test of the run map: mm/vma_runs.c as it is in the kernel, against a model
 * that has an array of pages.
 *
 *	runs [SEED [ROUNDS]]	the tests, as TAP lines
 *	runs time		time and memory of changes, by size
 */
#include <time.h>

#include "linux/fake.h"
/* Built into the test, so that it can look at nodes. */
#include "mm/vma_runs.c"

#define ATTR_R		VM_READ
#define ATTR_RW		(VM_READ | VM_WRITE | VMA_RUN_ACCOUNT)
#define ATTR_RX		(VM_READ | VM_EXEC)
#define ATTR_BSS	(VM_READ | VM_WRITE | VMA_RUN_ACCOUNT | VMA_RUN_ZEROFILL)

/* The size of a map of @nr runs in one leaf; a promise of the design. */
#define SMALL_BYTES(nr)	(40 + 16 * (nr))
#define MAX_RUN_BYTES	32.0

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

#define check(x)	do { if (!(x)) fail("not so: %s", #x); } while (0)

/*
 * The tree's own rules
 */

static size_t alloc_size(size_t bytes)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vma_run_sizes); i++)
		if (bytes <= vma_run_cache_bytes(i))
			return vma_run_cache_bytes(i);
	fail("no cache of %zu bytes", bytes);
}

struct tree {
	unsigned long nodes, runs;
	size_t bytes;
};

/* @end is where the node's last run ends, 0 if it has no end. */
static void check_node(const struct vma_run_node *node, bool root, bool last,
		       u32 level, struct tree *tree)
{
	u32 max = level ? VMA_RUN_INNER_MAX : VMA_RUN_LEAF_MAX;
	u32 i;

	check(node->level == level);
	check(refcount_read(&node->ref) >= 1);
	check(node->nr >= 1 && node->nr <= max);
	if (root)
		check(!level || node->nr >= 2);
	else if (!last)
		check(node->nr >= max / 2);
	tree->nodes++;
	tree->bytes += alloc_size((root ? sizeof(struct vma_runs) : sizeof(*node)) +
				  vma_run_entries_size(level, node->nr));
	if (!level) {
		tree->runs += node->nr;
		return;
	}
	for (i = 0; i < node->nr; i++) {
		const struct vma_run_child *child = &node->child[i];
		struct vma_run_child sum = *child;
		u32 end = i + 1 < node->nr ? child[1].start : child->start;

		check_node(child->node, false, last && i + 1 == node->nr,
			   level - 1, tree);
		check(child->start == vma_run_start(child->node, 0));
		check(child->end == end);
		vma_run_child_total(&sum, end);
		check(!memcmp(&sum, child, sizeof(sum)));
	}
}

static void check_tree(const struct vma_runs *runs, struct tree *tree)
{
	memset(tree, 0, sizeof(*tree));
	check_node(&runs->root, true, true, runs->root.level, tree);
}

/*
 * The model
 */

struct page {
	pgoff_t pgoff;
	u32 attr;
};

#define NO_PAGES	4000

/* Pages from @first to the end of the universe; the last run has no end. */
struct model {
	struct vma_runs *runs;
	unsigned long first;
	unsigned long nr;
	struct page page[NO_PAGES];
};

/* The linear index of page 0 of the universe, and its size. */
static unsigned long origin, universe;

static bool model_joins(const struct page *a, const struct page *b)
{
	if ((a->attr ^ b->attr) & ~VMA_RUN_ANON)
		return false;
	return (a->attr & VMA_RUN_ZEROFILL) || a->pgoff + 1 == b->pgoff;
}

static struct page *model_page(struct model *m, unsigned long index)
{
	return &m->page[index - origin];
}

/* The last page of the run at @index. */
static unsigned long model_last(struct model *m, unsigned long index)
{
	while (index + 1 < origin + universe &&
	       model_joins(model_page(m, index), model_page(m, index + 1)))
		index++;
	return index;
}

static unsigned long model_first(struct model *m, unsigned long index)
{
	while (index > m->first &&
	       model_joins(model_page(m, index - 1), model_page(m, index)))
		index--;
	return index;
}

static void model_replace(struct model *m, unsigned long window_first,
			  unsigned long window_last, const struct vma_run *run)
{
	unsigned long i, j;

	for (i = run->first; i <= run->last; i++) {
		model_page(m, i)->attr = run->attr;
		model_page(m, i)->pgoff = run->attr & VMA_RUN_ZEROFILL ? 0 :
			run->pgoff + (i - run->first);
	}
	m->first = window_first;
	for (i = window_last + 1; i < origin + universe; i++) {
		*model_page(m, i) = *model_page(m, i - 1);
		if (!(model_page(m, i)->attr & VMA_RUN_ZEROFILL))
			model_page(m, i)->pgoff++;
	}
	/* Joined runs share the bit. */
	for (i = m->first; i < origin + universe; i = j + 1) {
		u32 anon = 0;

		j = model_last(m, i);
		for (unsigned long k = i; k <= j; k++)
			anon |= model_page(m, k)->attr & VMA_RUN_ANON;
		for (unsigned long k = i; k <= j; k++)
			model_page(m, k)->attr |= anon;
	}
}

static void check_pages(struct model *m)
{
	unsigned long i, last;
	struct vma_run run;

	for (i = m->first; i < origin + universe; i++) {
		struct page *page = model_page(m, i);

		vma_runs_find(m->runs, i, &run);
		check(run.attr == page->attr);
		if (run.attr & VMA_RUN_ZEROFILL)
			check(run.pgoff == 0 && page->pgoff == 0);
		else
			check(run.pgoff + (i - run.first) == page->pgoff);
		check(run.first == model_first(m, i));
		last = model_last(m, i);
		check(run.last == (last + 1 == origin + universe ? ULONG_MAX : last));
	}
}

static void check_sums(struct model *m)
{
	unsigned long first = m->first + below(origin + universe - m->first);
	unsigned long last = first + below(origin + universe - first);
	unsigned long i, count = 1;
	struct vma_runs_sum sum, model = {};

	for (i = first; i <= last; i++) {
		u32 attr = model_page(m, i)->attr;

		model.account += !!(attr & VMA_RUN_ACCOUNT);
		model.data += !!(attr & VM_WRITE);
		model.exec += !(attr & VM_WRITE) && (attr & VM_EXEC);
		count += i > first && !model_joins(model_page(m, i - 1),
						   model_page(m, i));
	}
	vma_runs_sum(m->runs, first, last, &sum);
	check(!memcmp(&sum, &model, sizeof(sum)));
	check(vma_runs_count(m->runs, first, last) == count);
}

static void check_file(struct model *m)
{
	unsigned long index = m->first + below(origin + universe - m->first);
	unsigned long last = index + below(origin + universe - index);
	pgoff_t first_pgoff = below(universe * 2);
	pgoff_t last_pgoff = first_pgoff + below(below(2) ? 2 : universe);
	struct vma_run run;

	for (;;) {
		unsigned long i = index, from = index;
		bool found = vma_runs_find_file(m->runs, index, last, first_pgoff,
						last_pgoff, &run);

		/* The first page of the range, then the run around it. */
		for (; i <= last; i++) {
			struct page *page = model_page(m, i);

			if (!(page->attr & VMA_RUN_ZEROFILL) &&
			    page->pgoff >= first_pgoff && page->pgoff <= last_pgoff)
				break;
		}
		check(found == (i <= last));
		if (!found)
			return;
		if (model_first(m, i) > from)
			from = model_first(m, i);
		check(run.first == from);
		check(run.last == min(model_last(m, i), last));
		check(run.pgoff == model_page(m, from)->pgoff);
		check(run.attr == model_page(m, from)->attr);
		if (run.last == last)
			return;
		index = run.last + 1;
	}
}

static void check_hull(struct model *m)
{
	unsigned long i, last = m->first + below(origin + universe - m->first);
	pgoff_t first_pgoff, last_pgoff;

	vma_runs_hull(m->runs, last, &first_pgoff, &last_pgoff);
	for (i = m->first; i <= last; i++) {
		struct page *page = model_page(m, i);

		if (!(page->attr & VMA_RUN_ZEROFILL))
			check(page->pgoff >= first_pgoff && page->pgoff <= last_pgoff);
	}
}

static void check_model(struct model *m)
{
	struct tree tree;

	check_tree(m->runs, &tree);
	check_pages(m);
	check_sums(m);
	check_sums(m);
	check_file(m);
	check_file(m);
	check_hull(m);
}

/*
 * Random changes of several maps that share nodes
 */

#define NR_MODELS	6

static u32 random_attr(void)
{
	static const u32 attr[] = {
		ATTR_R, ATTR_RW, ATTR_RX, ATTR_BSS, 0, VMA_RUN_ACCESS,
	};
	u32 a = attr[below(ARRAY_SIZE(attr))];

	if (!below(4))
		a |= VMA_RUN_ANON;
	if (!below(16))
		a |= VMA_RUN_PKEY & 0x01000000;
	return a;
}

static void model_create(struct model *m)
{
	struct vma_run run = {
		.first = origin + below(2) * below(universe),
		.last = origin + universe - 1,
		.attr = random_attr(),
		.pgoff = below(universe),
	};

	m->runs = vma_runs_create(run.first, run.pgoff, run.attr);
	check(m->runs);
	model_replace(m, run.first, run.last, &run);
}

static void model_drop(struct model *m)
{
	vma_runs_put(m->runs);
	m->runs = NULL;
}

/* All changes that may fail come through here. */
static struct vma_runs *try_replace(const struct vma_runs *runs,
				    unsigned long window_first,
				    unsigned long window_last,
				    const struct vma_run *run, bool may_fail)
{
	size_t bytes = fake_bytes, objects = fake_objects;
	struct vma_runs *copy;

	fake_fail_after = may_fail && !below(3) ? 1 + below(8) : 0;
	copy = vma_runs_replace(runs, window_first, window_last, run);
	if (!copy) {
		check(may_fail && !fake_fail_after);
		check(fake_bytes == bytes && fake_objects == objects);
		copy = vma_runs_replace(runs, window_first, window_last, run);
		check(copy);
	}
	fake_fail_after = 0;
	return copy;
}

/* @pages is about how long new runs are. */
static void model_change(struct model *m, unsigned long pages)
{
	unsigned long end = origin + universe;
	pgoff_t old_first, old_last, new_first, new_last;
	unsigned long window_first = m->first, window_last = end - 1;
	struct vma_runs *copy;
	struct vma_run run;

	if (!below(40))
		window_first += below(end - window_first);
	if (!below(40))
		window_last = window_first + below(end - window_first);
	run.first = window_first + below(window_last - window_first + 1);
	if (!below(10))
		run.first = window_first;
	run.last = run.first + below(1 + below(pages));
	if (run.last > window_last || !below(100))
		run.last = window_last;
	run.attr = random_attr();
	switch (below(4)) {
	case 0:		/* linear, joins with others */
	case 1:
		run.pgoff = run.first - origin;
		break;
	case 2:		/* as it is */
		run.pgoff = model_page(m, run.first)->pgoff;
		break;
	default:
		run.pgoff = below(universe);
	}

	copy = try_replace(m->runs, window_first, window_last, &run, true);
	vma_runs_hull(m->runs, window_last, &old_first, &old_last);
	vma_runs_hull(copy, window_last, &new_first, &new_last);
	check(new_first <= old_first && new_last >= old_last);
	vma_runs_put(m->runs);
	m->runs = copy;
	model_replace(m, window_first, window_last, &run);
	vma_runs_find(copy, window_first, &run);
	check(run.first == window_first);
}

static bool shared(const struct vma_runs *runs, unsigned long index)
{
	const struct vma_run_node *node = &runs->root;
	u32 base = vma_runs_base(runs);

	for (;;) {
		if (refcount_read(&node->ref) > 1)
			return true;
		if (!node->level)
			return false;
		node = node->child[vma_run_slot(node, base, (u32)index - base)].node;
	}
}

static void model_set_anon(struct model *m)
{
	unsigned long last = origin + universe - 1;
	unsigned long i, index = m->first + below(last - m->first + 1);
	struct vma_run run;
	bool done, was_shared = shared(m->runs, index);

	done = vma_runs_try_set_anon(m->runs, index);
	check(done == !was_shared);
	if (!done) {
		struct vma_runs *copy;

		vma_runs_find(m->runs, index, &run);
		run.last = min(run.last, last);
		run.attr |= VMA_RUN_ANON;
		copy = try_replace(m->runs, m->first, last, &run, true);
		vma_runs_put(m->runs);
		m->runs = copy;
	}
	vma_runs_find(m->runs, index, &run);
	for (i = run.first; i <= min(run.last, last); i++)
		model_page(m, i)->attr |= VMA_RUN_ANON;
}

static void model_fork(struct model *to, const struct model *from)
{
	*to = *from;
	vma_runs_get(to->runs);
}

static void random_rounds(unsigned long rounds, unsigned long pages, unsigned long steps)
{
	static struct model model[NR_MODELS];
	unsigned long i, j;

	while (rounds--) {
		universe = 2 + below(pages - 1);
		/* The low 32 bits may wrap within the map. */
		origin = below(3) ? (rnd() << 20) >> 12 : (1ul << 32) - below(universe);
		check(!fake_objects);
		model_create(&model[0]);
		for (i = 0; i < steps; i++) {
			struct model *m = &model[below(NR_MODELS)];
			struct model *other = &model[below(NR_MODELS)];

			if (!m->runs) {
				if (other->runs && below(4))
					model_fork(m, other);
				else
					model_create(m);
			} else if (!below(20)) {
				model_drop(m);
			} else if (!below(4)) {
				model_set_anon(m);
			} else {
				model_change(m, below(8) ? 3 : universe);
			}
			if (m->runs)
				check_model(m);
			/* Nobody else's map has changed. */
			if (!below(10))
				for (j = 0; j < NR_MODELS; j++)
					if (model[j].runs)
						check_model(&model[j]);
			if (!below(30))
				fake_grace_period();
		}
		for (j = 0; j < NR_MODELS; j++)
			if (model[j].runs)
				model_drop(&model[j]);
		fake_grace_period();
		check(!fake_objects && !fake_bytes);
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

static struct vma_runs *set_page(struct vma_runs *runs, unsigned long nr,
				 unsigned long page, unsigned long pages, u32 attr)
{
	struct vma_run run = {
		.first = origin + page,
		.last = origin + page + pages - 1,
		.pgoff = page,
		.attr = attr,
	};
	struct vma_runs *copy = vma_runs_replace(runs, origin, origin + nr - 1, &run);

	check(copy);
	vma_runs_put(runs);
	fake_grace_period();
	return copy;
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

enum { ASCENDING, DESCENDING, RANDOM, ALTERNATE, TWO_PASSES, MIDDLE, NR_FILLS };

static const char * const fill_name[] = {
	"ascending", "descending", "random", "alternate pages, then the others",
	"alternate pages", "from the middle out",
};

/* A map of @nr pages, each its own run, or in ALTERNATE half of them. */
static struct vma_runs *fill(int how, unsigned long nr)
{
	struct vma_runs *runs = vma_runs_create(origin, 0, ATTR_RX);
	unsigned long i, *order = NULL;

	check(runs);
	if (how == RANDOM)
		order = shuffled(nr);
	for (i = 0; i < nr; i++) {
		unsigned long page = i;

		switch (how) {
		case DESCENDING:
			page = nr - 1 - i;
			break;
		case RANDOM:
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
		check(run.pgoff == i);
		check(run.attr == (how == TWO_PASSES && i & 1 ? ATTR_RX : page_attr(i)));
	}
	check(vma_runs_count(runs, origin, origin + nr - 1) == nr);
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
	check(bytes <= (how == ASCENDING ? 20.0 : MAX_RUN_BYTES));

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
		runs = set_page(runs, nr, i, min(16ul, nr - i), ATTR_RX);
	check(fake_objects == 1 && fake_bytes == SMALL_BYTES(1));
	vma_runs_put(runs);
	fake_grace_period();
	check(!fake_objects);
}

static void test_ascending(void) { test_fill(ASCENDING, 100000); }
static void test_descending(void) { test_fill(DESCENDING, 100000); }
static void test_shuffled(void) { test_fill(RANDOM, 100000); }
static void test_alternate(void) { test_fill(ALTERNATE, 100000); }
static void test_two_passes(void) { test_fill(TWO_PASSES, 100000); }
static void test_middle(void) { test_fill(MIDDLE, 100000); }

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
	unsigned long i, j, nr = 100000;
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
		if (i % 20000)
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
				     true);
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
	unsigned long i, nr = 100000;
	struct vma_runs *parent = fill(RANDOM, nr), *child;
	struct vma_run run = {
		.first = origin + 500, .last = origin + 500, .pgoff = 500,
		.attr = ATTR_RX,
	};
	size_t bytes = fake_bytes, objects = fake_objects;

	vma_runs_get(parent);
	check(!vma_runs_try_set_anon(parent, origin + 500));
	vma_runs_put(parent);

	child = vma_runs_replace(parent, origin, origin + nr - 1, &run);
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

	half = vma_runs_replace(whole, origin + 60000, origin + 79999, &run);
	check(half);
	check(fake_bytes - bytes <= 16384);
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
	check(objects - fake_objects <= (VMA_RUN_FREE_MAX + 1) * (VMA_RUN_INNER_MAX + 1));
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

	copy = vma_runs_replace(runs, origin, origin + nr - 1, &run);
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
		copy = vma_runs_replace(runs, origin + 100, origin + 18000, &run);
		if (!copy)
			check(fake_bytes == bytes && fake_objects == objects);
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

/* In a map with consecutive offsets a file range is found by the totals. */
static void test_find_file(void)
{
	unsigned long i, nr = 100000;
	struct vma_runs *runs = fill(RANDOM, nr);
	struct vma_run run;

	for (i = 0; i < nr; i += 7) {
		check(vma_runs_find_file(runs, origin, origin + nr - 1, i, i, &run));
		check(run.first == origin + i && run.pgoff == i);
	}
	check(!vma_runs_find_file(runs, origin, origin + nr - 1, nr, nr, &run));

	/* Long runs, and what is in the middle of them. */
	for (i = 0; i < nr; i += 50)
		runs = set_page(runs, nr, i, 49, ATTR_RX);
	for (i = 0; i < nr; i++) {
		check(vma_runs_find_file(runs, origin, origin + nr - 1, i, i, &run));
		check(run.first == origin + (i % 50 == 49 ? i : i - i % 50));
		check(vma_runs_find_file(runs, origin, origin + nr - 1, i, nr, &run));
		check(run.first == origin + (i % 50 == 49 ? i : i - i % 50));
	}
	/* The last run, of which the tree does not know how long it is. */
	runs = set_page(runs, nr, nr / 2, nr - nr / 2, ATTR_RX);
	for (i = nr / 2; i < nr; i++) {
		check(vma_runs_find_file(runs, origin, origin + nr - 1, i, i, &run));
		check(run.first == origin + nr / 2 && run.last == origin + nr - 1);
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

	clock_gettime(CLOCK_MONOTONIC, &t);
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
		WRITE_ONCE(sink, vma_runs_find_file(runs, origin, origin + nr - 1,
						    page[i], page[i], &run));
	file = (now() - start) / n;
	allocs = fake_allocs;
	start = now();
	for (i = 0; i < n; i++)
		runs = set_page(runs, nr, page[i], 1,
				i & 1 ? ATTR_RX : page_attr(page[i]));
	changed = (now() - start) / n;
	printf("# %-9s %8lu %7.0f %7.0f %9.0f %7.0f %6.1f %7.0f %9.1f\n",
	       fill_name[how], nr, found, summed, file, changed,
	       (double)(fake_allocs - allocs) / n, filled, bytes);
	vma_runs_put(runs);
	fake_grace_period();
	free(page);
}

static void times(void)
{
	static const unsigned long nr[] = { 10, 1000, 100000, 1000000 };
	size_t i;

	printf("# nanoseconds for each operation; changes are of one page\n");
	printf("# filled        runs    find     sum find_file  change  nodes    fill bytes/run\n");
	for (i = 0; i < ARRAY_SIZE(nr); i++)
		time_map(ASCENDING, nr[i]);
	for (i = 0; i < ARRAY_SIZE(nr); i++)
		time_map(RANDOM, nr[i]);
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
	{ "a small map is one allocation of 16 bytes a run and 40", test_small },
	{ "32 bytes a run when filled in ascending order", test_ascending },
	{ "32 bytes a run when filled in descending order", test_descending },
	{ "32 bytes a run when filled in random order", test_shuffled },
	{ "32 bytes a run when filled every other page first", test_alternate },
	{ "32 bytes a run of every other page", test_two_passes },
	{ "32 bytes a run when filled from the middle", test_middle },
	{ "32 bytes a run while runs come and go", test_churn },
	{ "a changed copy shares nodes, and no ANON bit is set in those", test_share },
	{ "a window cuts a large map", test_split },
	{ "dropping a large map is bounded work", test_put },
	{ "a dropped map can be read until the grace period ends", test_rcu },
	{ "a change without memory changes and leaks nothing", test_no_memory },
	{ "file pages are found in a large map", test_find_file },
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
		printf("ok - run map: %s\n", tests[i].name);
	}
	printf("1..%zu\n", ARRAY_SIZE(tests));
	return 0;
}
