/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A model of run maps that has an array of pages, and random changes of maps
 * against it.  What is random comes from below(), which the includer defines.
 */
#ifndef MODEL_H
#define MODEL_H

#include "linux/fake.h"
/* Built into the test, so that it can look at nodes. */
#include "mm/vma_runs.c"

#define ATTR_R		VM_READ
#define ATTR_RW		(VM_READ | VM_WRITE | VMA_RUN_ACCOUNT)
#define ATTR_RX		(VM_READ | VM_EXEC)
#define ATTR_BSS	(VM_READ | VM_WRITE | VMA_RUN_ACCOUNT | VMA_RUN_ZEROFILL)

/* The size of a map of @nr runs in one leaf; a promise of the design. */
#define SMALL_BYTES(nr)	(56 + 16 * (nr))
#define MAX_RUN_BYTES	32.0

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
	unsigned long nodes, runs, keys;
	size_t bytes;
};

/*
 * A node of the map or of its index.  @end: it is the first or the last one on
 * its level.
 */
static void check_node(const struct vma_run_node *node, bool index, u32 level,
		       bool root, bool end, struct tree *tree)
{
	u32 max = vma_run_entries_max(index, level);

	check(node->level == level);
	check(node->index == index);
	check(refcount_read(&node->ref) >= 1);
	check(node->nr >= 1 && node->nr <= max);
	if (root)
		check(!level || index || node->nr >= 2);
	else if (!end)
		check(node->nr >= max / 2);
	tree->nodes++;
	tree->bytes += alloc_size((root && !index ? sizeof(struct vma_runs) :
						    sizeof(*node)) +
				  vma_run_entries_size(index, level, node->nr));
	if (level)
		return;
	if (index)
		tree->keys += node->nr;
	else
		tree->runs += node->nr;
}

static void check_map(const struct vma_run_node *node, u32 level, bool root,
		      bool first, bool last, struct tree *tree)
{
	u32 i;

	check_node(node, false, level, root, first || last, tree);
	for (i = 0; level && i < node->nr; i++) {
		const struct vma_run_child *child = &node->child[i];
		struct vma_run_child sum = *child;
		u32 end = i + 1 < node->nr ? child[1].start : child->start;

		check_map(child->node, level - 1, false, first && !i,
			  last && i + 1 == node->nr, tree);
		check(child->start == vma_run_start(child->node, 0));
		check(child->end == end);
		vma_run_child_total(&sum, end);
		check(!memcmp(&sum, child, sizeof(sum)));
	}
}

/* A part of an index: its keys are sorted, and are runs of the map. */
struct part {
	pgoff_t first_pgoff, last_pgoff;
	u32 first_start;
	/* the run before */
	bool any;
	pgoff_t pgoff;
	u32 start;
};

static void check_key(const struct vma_runs *runs, const struct vma_run_key *key,
		      struct part *part)
{
	struct vma_run_key again;
	struct vma_run run;

	vma_runs_find(runs, key->start, &run);
	check((u32)run.first == key->start);
	check(vma_run_indexed(&run));
	again = vma_run_key(&run);
	check(!memcmp(key, &again, sizeof(again)));
	if (part->any)
		check(part->pgoff < run.pgoff ||
		      (part->pgoff == run.pgoff && part->start < key->start));
	else
		part->first_pgoff = run.pgoff, part->first_start = key->start;
	part->last_pgoff = max(part->last_pgoff, run.pgoff + (run.last - run.first));
	part->any = true;
	part->pgoff = run.pgoff;
	part->start = key->start;
}

static void check_index(const struct vma_runs *runs, const struct vma_run_node *node,
			u32 level, bool root, bool first, bool last,
			struct part *part, struct tree *tree)
{
	u32 i;

	check_node(node, true, level, root, first || last, tree);
	for (i = 0; i < node->nr; i++) {
		const struct vma_run_child *child = &node->child[i];
		struct part below = { };

		if (!level) {
			check_key(runs, &node->key[i], part);
			continue;
		}
		check_index(runs, child->node, level - 1, false, first && !i,
			    last && i + 1 == node->nr, &below, tree);
		check(child->start == below.first_start);
		check(child->first_pgoff == below.first_pgoff);
		check(child->last_pgoff == below.last_pgoff);
		if (part->any)
			check(part->pgoff < below.first_pgoff ||
			      (part->pgoff == below.first_pgoff &&
			       part->start < below.first_start));
		else
			part->first_pgoff = below.first_pgoff,
			part->first_start = below.first_start;
		part->last_pgoff = max(part->last_pgoff, below.last_pgoff);
		part->any = true;
		part->pgoff = below.pgoff;
		part->start = below.start;
	}
}

/* How many runs the index must have. */
static unsigned long file_runs(const struct vma_run_node *node)
{
	unsigned long nr = 0;
	u32 i;

	for (i = 0; i < node->nr; i++)
		nr += node->level ? file_runs(node->child[i].node) :
			!(node->run[i].attr & VMA_RUN_ZEROFILL);
	return nr;
}

static void check_tree(const struct vma_runs *runs, struct tree *tree)
{
	const struct vma_run_node *root = &runs->root;

	memset(tree, 0, sizeof(*tree));
	check_map(root, root->level, true, true, true, tree);
	if (!root->level) {
		struct vma_run_total total = vma_run_node_total(root);

		check(!memcmp(&total, &runs->total, sizeof(total)));
		return;
	}
	if (runs->index) {
		struct part part = { };

		check_index(runs, runs->index, runs->index->level, true, true,
			    true, &part, tree);
	}
	check(tree->keys == file_runs(root) -
	      !(vma_run_last(root)->attr & VMA_RUN_ZEROFILL));
}

/*
 * The model
 */

struct page {
	pgoff_t pgoff;
	u32 attr;
	bool begins;	/* a run begins here */
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

static struct page *model_page(struct model *m, unsigned long index)
{
	return &m->page[index - origin];
}

/* The last page of the run at @index. */
static unsigned long model_last(struct model *m, unsigned long index)
{
	while (index + 1 < origin + universe && !model_page(m, index + 1)->begins)
		index++;
	return index;
}

static unsigned long model_first(struct model *m, unsigned long index)
{
	while (!model_page(m, index)->begins)
		index--;
	return index;
}

/*
 * Are @a and the page after it, @b, alike?  Then they join if one of them is
 * @new, unless that would give the ANON bit to the other one, or to any.
 */
static bool model_joins(const struct page *a, const struct page *b,
			const struct page *new, enum vma_runs_join join)
{
	const struct page *old = new == a ? b : a;

	if ((a->attr ^ b->attr) & ~VMA_RUN_ANON)
		return false;
	if (join == VMA_RUNS_JOIN && a->attr != b->attr)
		return false;
	if ((new->attr & VMA_RUN_ANON) && !(old->attr & VMA_RUN_ANON))
		return false;
	return (a->attr & VMA_RUN_ZEROFILL) || a->pgoff + 1 == b->pgoff;
}

static void model_join(struct model *m, unsigned long window_first,
		       unsigned long window_last, const struct vma_run *run,
		       enum vma_runs_join join)
{
	struct page *first = model_page(m, run->first), *last = model_page(m, run->last);
	bool left = run->first > window_first &&
		model_joins(first - 1, first, first, join);
	bool right = run->last < window_last &&
		model_joins(last, last + 1, last, join);
	unsigned long i, end;
	u32 anon = 0;

	if (left)
		first->begins = false;
	if (right)
		last[1].begins = false;
	i = model_first(m, run->first);
	end = model_last(m, run->last);
	for (unsigned long k = i; k <= end; k++)
		anon |= model_page(m, k)->attr & VMA_RUN_ANON;
	for (unsigned long k = i; k <= end; k++)
		model_page(m, k)->attr |= anon;
}

static void model_replace(struct model *m, unsigned long window_first,
			  unsigned long window_last, const struct vma_run *run,
			  enum vma_runs_join join)
{
	unsigned long i;

	for (i = run->first; i <= run->last; i++) {
		model_page(m, i)->attr = run->attr;
		model_page(m, i)->pgoff = run->attr & VMA_RUN_ZEROFILL ? 0 :
			run->pgoff + (i - run->first);
		model_page(m, i)->begins = i == run->first;
	}
	if (i < origin + universe)
		model_page(m, i)->begins = true;
	m->first = window_first;
	model_page(m, window_first)->begins = true;
	if (join != VMA_RUNS_APART)
		model_join(m, window_first, window_last, run, join);
	for (i = window_last + 1; i < origin + universe; i++) {
		*model_page(m, i) = *model_page(m, i - 1);
		model_page(m, i)->begins = false;
		if (!(model_page(m, i)->attr & VMA_RUN_ZEROFILL))
			model_page(m, i)->pgoff++;
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
	/* Often all of it, for which there are totals. */
	unsigned long first = m->first + below(2) * below(origin + universe - m->first);
	unsigned long last = first + below(origin + universe - first);
	unsigned long i, count = 1;
	struct vma_runs_sum sum, model = {};

	for (i = first; i <= last; i++) {
		u32 attr = model_page(m, i)->attr;

		model.account += !!(attr & VMA_RUN_ACCOUNT);
		model.data += !!(attr & VM_WRITE);
		model.exec += !(attr & VM_WRITE) && (attr & VM_EXEC);
		count += i > first && model_page(m, i)->begins;
	}
	vma_runs_sum(m->runs, first, last, &sum);
	check(!memcmp(&sum, &model, sizeof(sum)));
	check(vma_runs_count(m->runs, first, last) == count);
	check(vma_runs_size(m->runs) >= count);
}

/* A random window and a random range of file pages. */
static struct vma_runs_search random_search(struct model *m)
{
	struct vma_runs_search search;

	search.first = m->first + below(origin + universe - m->first);
	if (below(2))
		search.first = m->first;
	search.last = search.first + below(origin + universe - search.first);
	if (below(2))
		search.last = origin + universe - 1;
	search.first_pgoff = below(universe * 2);
	search.last_pgoff = search.first_pgoff +
		(below(3) ? below(3) : below(universe));
	if (!below(8)) {
		search.first_pgoff = 0;
		search.last_pgoff = ULONG_MAX;
	}
	return search;
}

/* What a page fault may do to a map that is being searched. */
static struct vma_runs *anon_copy(struct vma_runs *runs, struct model *m,
				  const struct vma_runs_search *search)
{
	unsigned long index = search->first +
		below(search->last - search->first + 1);
	struct vma_runs *copy;
	struct vma_run run;

	(void)m;
	vma_runs_find(runs, index, &run);
	run.attr |= VMA_RUN_ANON;
	if (run.first < search->first) {
		run.pgoff += search->first - run.first;
		run.first = search->first;
	}
	run.last = min(run.last, search->last);
	copy = vma_runs_replace(runs, search->first, search->last, &run,
				VMA_RUNS_APART);
	check(copy);
	vma_runs_put(runs);
	return copy;
}

static bool model_maps(struct page *page, const struct vma_runs_search *search)
{
	return !(page->attr & VMA_RUN_ZEROFILL) &&
		page->pgoff >= search->first_pgoff &&
		page->pgoff <= search->last_pgoff;
}

static void check_file(struct model *m)
{
	static bool seen[NO_PAGES];
	struct vma_runs_search search = random_search(m);
	struct vma_runs *runs = vma_runs_get(m->runs);
	const struct vma_run *after = NULL;
	unsigned long i, first, last;
	struct vma_run run, before;
	bool faults = !below(4);

	memset(seen, 0, sizeof(seen));
	while (vma_runs_find_file(runs, &search, after, &run)) {
		bool maps = false;

		first = max(model_first(m, run.first), search.first);
		last = min(model_last(m, run.first), search.last);
		check(run.first == first && run.last == last);
		check(run.pgoff == model_page(m, first)->pgoff);
		check((run.attr | VMA_RUN_ANON) ==
		      (model_page(m, first)->attr | VMA_RUN_ANON));
		for (i = first; i <= last; i++) {
			check(!seen[i - origin]);
			seen[i - origin] = true;
			maps |= model_maps(model_page(m, i), &search);
		}
		check(maps);
		/* All by address; or the ends of the window, then by offset. */
		if (after && !search.first_pgoff && search.last_pgoff == ULONG_MAX)
			check(before.last < run.first);
		else if (after && before.first != search.first && before.last != search.last)
			check(before.pgoff < run.pgoff ||
			      (before.pgoff == run.pgoff &&
			       (u32)before.first < (u32)run.first));
		before = run;
		after = below(2) ? &before : &run;
		if (faults && !below(4))
			runs = anon_copy(runs, m, &search);
	}
	for (i = search.first; i <= search.last; i++)
		check(seen[i - origin] || !model_maps(model_page(m, i), &search));
	vma_runs_put(runs);
}

static void check_anon(struct model *m)
{
	unsigned long end = origin + universe;
	unsigned long i = m->first + below(end - m->first);
	unsigned long last = i + below(end - i);
	struct vma_run run;

	while (i <= last) {
		bool found = vma_runs_find_anon(m->runs, i, last, &run);

		while (i <= last && !(model_page(m, i)->attr & VMA_RUN_ANON))
			i++;
		check(found == (i <= last));
		if (!found)
			return;
		check(max(run.first, i) == i);
		check(run.first == model_first(m, i));
		check(run.attr == model_page(m, i)->attr);
		check(run.pgoff == model_page(m, run.first)->pgoff);
		while (i < end && (model_page(m, i)->attr & VMA_RUN_ANON))
			i++;
		/* It may stop where the last run begins that was asked for. */
		check(run.last == (i == end ? ULONG_MAX : i - 1) ||
		      (run.last >= last && run.last < i));
		if (run.last >= last)
			return;
		i = run.last + 1;
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
	check_anon(m);
	check_hull(m);
}

/*
 * Random changes of several maps that share nodes
 */

#define NR_MODELS	6

static struct model models[NR_MODELS];

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
	model_replace(m, run.first, run.last, &run, VMA_RUNS_APART);
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
				    const struct vma_run *run,
				    enum vma_runs_join join, bool may_fail)
{
	size_t bytes = fake_bytes, objects = fake_objects;
	struct vma_runs *copy;

	fake_fail_after = may_fail && !below(3) ? 1 + below(8) : 0;
	copy = vma_runs_replace(runs, window_first, window_last, run, join);
	if (!copy) {
		check(may_fail && !fake_fail_after);
		check(fake_bytes == bytes && fake_objects == objects);
		copy = vma_runs_replace(runs, window_first, window_last, run, join);
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
	enum vma_runs_join join = below(8) ? VMA_RUNS_JOIN_ANON : below(2);
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

	copy = try_replace(m->runs, window_first, window_last, &run, join, true);
	vma_runs_hull(m->runs, window_last, &old_first, &old_last);
	vma_runs_hull(copy, window_last, &new_first, &new_last);
	check(new_first <= old_first && new_last >= old_last);
	vma_runs_put(m->runs);
	m->runs = copy;
	model_replace(m, window_first, window_last, &run, join);
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
		copy = try_replace(m->runs, m->first, last, &run,
				   VMA_RUNS_APART, true);
		vma_runs_put(m->runs);
		m->runs = copy;
	}
	vma_runs_find(m->runs, index, &run);
	for (i = run.first; i <= min(run.last, last); i++)
		model_page(m, i)->attr |= VMA_RUN_ANON;
}

/* As __manyprots_forget_anon() in mm/manyprots.c. */
static void model_forget_anon(struct model *m)
{
	unsigned long i, last = origin + universe - 1;
	struct vma_runs *copy;
	struct vma_run run;

	for (i = m->first; i <= last; i = run.last + 1) {
		vma_runs_find(m->runs, i, &run);
		run.last = min(run.last, last);
		run.attr &= ~VMA_RUN_ANON;
		copy = try_replace(m->runs, m->first, last, &run,
				   VMA_RUNS_APART, true);
		vma_runs_put(m->runs);
		m->runs = copy;
	}
	for (i = m->first; i <= last; i++)
		model_page(m, i)->attr &= ~VMA_RUN_ANON;
}

static void model_fork(struct model *to, const struct model *from)
{
	*to = *from;
	vma_runs_get(to->runs);
}

/* Many small changes, so that the map grows. */
static void model_storm(struct model *m)
{
	unsigned long factor = 1 + 2 * below(128), stride = 1 + below(3);
	unsigned long i, pages = min(universe, 64ul + below(256));

	for (i = 0; i < pages; i += stride) {
		unsigned long index = origin + i * 37 % universe;
		struct vma_run run = {
			.first = index,
			.last = index,
			.pgoff = i * factor % universe,
			.attr = i & 1 ? ATTR_R : ATTR_RW,
		};
		struct vma_runs *copy;

		if (index < m->first)
			continue;
		copy = try_replace(m->runs, m->first, origin + universe - 1, &run,
				   VMA_RUNS_JOIN_ANON, false);
		vma_runs_put(m->runs);
		m->runs = copy;
		model_replace(m, m->first, origin + universe - 1, &run,
			      VMA_RUNS_JOIN_ANON);
	}
}

/* Do something with one of the maps. */
static void models_step(void)
{
	struct model *m = &models[below(NR_MODELS)];
	struct model *other = &models[below(NR_MODELS)];
	unsigned long i;

	if (!m->runs) {
		if (other->runs && below(4))
			model_fork(m, other);
		else
			model_create(m);
	} else if (!below(20)) {
		model_drop(m);
	} else if (!below(60)) {
		model_storm(m);
	} else if (!below(60)) {
		model_forget_anon(m);
	} else if (!below(4)) {
		model_set_anon(m);
	} else {
		model_change(m, below(8) ? 3 : universe);
	}
	if (m->runs)
		check_model(m);
	/* Nobody else's map has changed. */
	if (!below(10))
		for (i = 0; i < NR_MODELS; i++)
			if (models[i].runs)
				check_model(&models[i]);
	if (!below(30))
		fake_grace_period();
}

static void models_begin(unsigned long pages)
{
	universe = 2 + below(pages - 1);
	/* The low 32 bits may wrap within the map. */
	if (below(3))
		origin = ((unsigned long)below(1ul << 16) << 28) + below(1ul << 32);
	else
		origin = (1ul << 32) - below(universe);
	check(!fake_objects);
	model_create(&models[0]);
}

static void models_end(void)
{
	unsigned long i;

	for (i = 0; i < NR_MODELS; i++)
		if (models[i].runs)
			model_drop(&models[i]);
	fake_grace_period();
	check(!fake_objects && !fake_bytes);
}

#endif /* MODEL_H */
