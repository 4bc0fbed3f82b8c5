// SPDX-License-Identifier: GPL-2.0
/*
 * The run map of a multi-protection VMA (see include/linux/vma_runs.h).
 *
 * A map is a B+tree that is changed by copying: a change makes a new head and
 * new nodes on the way down to the runs that it concerns, and shares all the
 * other nodes with the old map by reference.  The map of a library is a tree
 * whose root is a leaf, which is one allocation; a map of 100,000 runs changes
 * in the same time to within a small factor.
 *
 * As nodes are not changed once they are reachable, none has room to spare:
 * each is as large as its contents, rounded up to the next slab cache.  So it
 * does not cost much memory where nodes are half empty.
 *
 * The runs of a large map that map file pages are in a second tree of the same
 * nodes, the index, by file page offset: reverse mapping finds the runs that
 * map a file page without looking at the others, however they lie.
 *
 * A node whose last reference is dropped is freed after a grace period, but
 * drops its own references at once: readers need RCU or a reference, and no
 * lock.
 *
 * Linear page indices are kept as their low 32 bits, and only the distance
 * from the map's first page is ever compared: the map covers less than 2^32
 * pages.  That keeps a run at 16 bytes (12 on 32-bit), and needs no base, which
 * maps that begin at different pages could not share.
 */
#include <linux/kernel.h>
#include <linux/llist.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vma_runs.h>
#include <linux/workqueue.h>

struct vma_run_node;

/**
 * struct vma_run_entry - a run in a leaf
 * @start: linear page index of the first page, low 32 bits
 * @attr: VMA_RUN_* bits
 * @pgoff: file page offset of the first page
 *
 * A run ends where the next one begins, be it in this leaf or the next.
 */
struct vma_run_entry {
	u32 start;
	u32 attr;
	pgoff_t pgoff;
};

/**
 * struct vma_run_key - a run in a leaf of the index
 * @start: linear page index of the first page, low 32 bits
 * @hint: where in the file it is, see vma_run_hint_maps()
 *
 * The runs themselves are not here but looked up in the map by @start, which
 * makes the index a third of its size.  The hint rules most of them out before.
 */
struct vma_run_key {
	u32 start;
	u32 hint;
};

/**
 * struct vma_run_total - totals over some runs
 * @count: number of runs
 * @account: pages that count against the commit limit
 * @data: writable pages
 * @exec: pages that are executable and not writable
 */
struct vma_run_total {
	u32 count;
	u32 account;
	u32 data;
	u32 exec;
};

/**
 * struct vma_run_child - a child in an inner node, and what is in it
 * @start: linear page index of the first page, low 32 bits; in the index, of
 *	the first run there
 * @end: @start of the next child in the same node, up to which the totals
 *	count; own @start in a node's last child, whose end is not known here,
 *	and whose totals leave out the pages of the very last run; not used in
 *	the index
 * @total: the totals; without runs while they have not been made
 * @first_pgoff: in the index, file page offset of the first run
 * @last_pgoff: in the index, the greatest file page offset
 * @node: the child; the entry holds a reference
 */
struct vma_run_child {
	u32 start;
	u32 end;
	union {
		struct vma_run_total total;
		struct {
			pgoff_t first_pgoff;
			pgoff_t last_pgoff;
		};
	};
	struct vma_run_node *node;
};

/**
 * struct vma_run_node - a node
 * @ref: references, one from each parent, or for a root from each VMA, or for
 *	the root of an index from each map
 * @nr: number of entries
 * @level: 0 for a leaf
 * @index: the node is one of an index
 * @rcu: for freeing
 * @dead: for dropping what a node without references refers to
 * @run: the runs of a leaf, sorted
 * @key: the runs of an index leaf, sorted by file page offset, then by @start
 * @child: the children of an inner node, sorted
 */
struct vma_run_node {
	refcount_t ref;
	u16 nr;
	u8 level;
	bool index;
	union {
		struct rcu_head rcu;
		struct llist_node dead;
	};
	union {
		DECLARE_FLEX_ARRAY(struct vma_run_entry, run);
		DECLARE_FLEX_ARRAY(struct vma_run_key, key);
		DECLARE_FLEX_ARRAY(struct vma_run_child, child);
	};
};

/**
 * struct vma_runs - a run map
 * @hull_first: smallest file page offset that a file run may hold
 * @hull_last: greatest one, but for the last run, which has no end
 * @total: where the root is a leaf, totals without the pages of the last run
 * @index: where it is not, the root of the index, to which the map holds a
 *	reference; NULL without file runs
 * @root: the root of the tree; its references are those of the map
 *
 * The hull may be larger than needed, and stays as it is while only
 * protections change: it is the key under which a VMA is found in i_mmap.
 *
 * The last run is not in the index, as it has no end.
 */
struct vma_runs {
	pgoff_t hull_first;
	pgoff_t hull_last;
	union {
		struct vma_run_total total;
		struct vma_run_node *index;
	};
	struct vma_run_node root;
};

/*
 * The largest node: eight to a 4 KiB page.  In tests/runs a change of one page
 * among 100,000 takes as long with nodes of 504, 760 and 1016 bytes, 1.2 us to
 * 1.4 us, and 504 copies the least; with 248 a run takes 28 bytes, not 21.
 */
#define VMA_RUN_NODE_SIZE	504
#define VMA_RUN_NODE_MAX(entry)	((VMA_RUN_NODE_SIZE - sizeof(struct vma_runs)) / \
				 sizeof(struct entry))
#define VMA_RUN_LEAF_MAX	VMA_RUN_NODE_MAX(vma_run_entry)
#define VMA_RUN_KEY_MAX		VMA_RUN_NODE_MAX(vma_run_key)
#define VMA_RUN_INNER_MAX	VMA_RUN_NODE_MAX(vma_run_child)

/*
 * All nodes but the first and the last of each level are at least half full:
 * 14 * 7^11 is more than 2^32 runs.
 */
#define VMA_RUN_LEVELS		12

/* How many inner nodes vma_runs_put() frees itself; a worker does the rest. */
#define VMA_RUN_FREE_MAX	256

/*
 * Slab caches by the number of runs in a map that is one leaf.  A library has
 * 5 to 7 runs, a thread stack 2, a malloc arena 2.
 */
#define VMA_RUN_CACHE(nr)	{ nr, "vma_run-" #nr }
static const struct {
	u32 nr;
	const char *name;
} vma_run_sizes[] = {
	VMA_RUN_CACHE(1), VMA_RUN_CACHE(2), VMA_RUN_CACHE(3), VMA_RUN_CACHE(4),
	VMA_RUN_CACHE(5), VMA_RUN_CACHE(6), VMA_RUN_CACHE(7), VMA_RUN_CACHE(8),
	VMA_RUN_CACHE(10), VMA_RUN_CACHE(12), VMA_RUN_CACHE(14),
	VMA_RUN_CACHE(17), VMA_RUN_CACHE(20), VMA_RUN_CACHE(24),
	VMA_RUN_CACHE(28),
#if BITS_PER_LONG == 32
	VMA_RUN_CACHE(34), VMA_RUN_CACHE(38),
#endif
};

static struct kmem_cache *vma_run_cache[ARRAY_SIZE(vma_run_sizes)] __ro_after_init;

static size_t vma_run_cache_bytes(int i)
{
	return sizeof(struct vma_runs) +
		vma_run_sizes[i].nr * sizeof(struct vma_run_entry);
}

/*
 * Freeing
 */

static LLIST_HEAD(vma_run_dead);

/* Drop an inner node's references; returns @dead with those that have died. */
static struct llist_node *vma_run_put_children(const struct vma_run_node *node,
					       struct llist_node *dead)
{
	u32 i;

	for (i = 0; i < node->nr; i++) {
		struct vma_run_node *child = node->child[i].node;

		if (!refcount_dec_and_test(&child->ref))
			continue;
		if (child->level) {
			child->dead.next = dead;
			dead = &child->dead;
		} else {
			kfree_rcu(child, rcu);
		}
	}
	return dead;
}

/* Free @max dead inner nodes and their children; returns what is left. */
static struct llist_node *vma_run_free_nodes(struct llist_node *dead, u32 max)
{
	while (dead && max--) {
		struct vma_run_node *node = llist_entry(dead, typeof(*node), dead);

		dead = vma_run_put_children(node, dead->next);
		kfree_rcu(node, rcu);
	}
	return dead;
}

static void vma_run_free_work(struct work_struct *work)
{
	struct llist_node *dead = llist_del_all(&vma_run_dead);

	while (dead) {
		dead = vma_run_free_nodes(dead, VMA_RUN_FREE_MAX);
		cond_resched();
	}
}

static DECLARE_WORK(vma_run_work, vma_run_free_work);

/* Free dead inner nodes and what only they refer to. */
static void vma_run_free_dead(struct llist_node *dead)
{
	struct llist_node *next;

	for (dead = vma_run_free_nodes(dead, VMA_RUN_FREE_MAX); dead; dead = next) {
		next = dead->next;
		if (llist_add(dead, &vma_run_dead))
			schedule_work(&vma_run_work);
	}
}

static void vma_run_put_node(struct vma_run_node *node)
{
	if (!refcount_dec_and_test(&node->ref))
		return;
	if (node->level) {
		node->dead.next = NULL;
		vma_run_free_dead(&node->dead);
	} else {
		kfree_rcu(node, rcu);
	}
}

/*
 * Allocation
 */

static void *vma_run_alloc(size_t bytes)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(vma_run_sizes); i++)
		if (bytes <= vma_run_cache_bytes(i))
			return kmem_cache_alloc(vma_run_cache[i], GFP_KERNEL);

	WARN_ON_ONCE(1);
	return NULL;
}

static void vma_run_init_node(struct vma_run_node *node, bool index, u32 level,
			      u32 nr)
{
	refcount_set(&node->ref, 1);
	node->index = index;
	node->level = level;
	node->nr = nr;
}

static size_t vma_run_entries_size(bool index, u32 level, u32 nr)
{
	if (level)
		return nr * sizeof(struct vma_run_child);
	return nr * (index ? sizeof(struct vma_run_key) :
			     sizeof(struct vma_run_entry));
}

static u32 vma_run_entries_max(bool index, u32 level)
{
	if (level)
		return VMA_RUN_INNER_MAX;
	return index ? VMA_RUN_KEY_MAX : VMA_RUN_LEAF_MAX;
}

static struct vma_run_node *vma_run_alloc_node(bool index, u32 level, u32 nr)
{
	struct vma_run_node *node;

	node = vma_run_alloc(sizeof(*node) + vma_run_entries_size(index, level, nr));
	if (node)
		vma_run_init_node(node, index, level, nr);
	return node;
}

static struct vma_runs *vma_runs_alloc(u32 level, u32 nr)
{
	struct vma_runs *runs;

	runs = vma_run_alloc(sizeof(*runs) + vma_run_entries_size(false, level, nr));
	if (runs)
		vma_run_init_node(&runs->root, false, level, nr);
	return runs;
}

/*
 * Looking up
 */

static u32 vma_run_start(const struct vma_run_node *node, u32 i)
{
	if (node->level)
		return node->child[i].start;
	return node->index ? node->key[i].start : node->run[i].start;
}

/* The low 32 bits of the index of a map's first page. */
static u32 vma_runs_base(const struct vma_runs *runs)
{
	return vma_run_start(&runs->root, 0);
}

/*
 * The last of @nr entries, one at least, that begins not more than @offset pages
 * after @base.  Without a branch for each step, as half of those would be
 * mispredicted.
 */
#define VMA_RUN_SEARCH(entry, nr, base, offset) ({			\
	u32 __low = 0, __nr = (nr);					\
									\
	while (__nr > 1) {						\
		u32 __half = __nr / 2;					\
									\
		if ((entry)[__low + __half].start - (base) <= (offset))	\
			__low += __half;				\
		__nr -= __half;						\
	}								\
	__low;								\
})

/* The entry of a map's node that covers the page @offset pages after @base. */
static u32 vma_run_slot(const struct vma_run_node *node, u32 base, u32 offset)
{
	if (node->level)
		return VMA_RUN_SEARCH(node->child, node->nr, base, offset);
	return VMA_RUN_SEARCH(node->run, node->nr, base, offset);
}

static const struct vma_run_entry *vma_run_last(const struct vma_run_node *node)
{
	while (node->level)
		node = node->child[node->nr - 1].node;
	return &node->run[node->nr - 1];
}

/*
 * The way from the root, at @top, down to a leaf, at level 0.
 */
struct vma_run_path {
	const struct vma_run_node *node[VMA_RUN_LEVELS];
	u8 slot[VMA_RUN_LEVELS];
	u32 top;
};

static void vma_run_path_find(struct vma_run_path *path,
			      const struct vma_runs *runs, u32 offset)
{
	const struct vma_run_node *node = &runs->root;
	u32 base = vma_runs_base(runs);

	path->top = node->level;
	for (;;) {
		u32 slot = vma_run_slot(node, base, offset);

		path->node[node->level] = node;
		path->slot[node->level] = slot;
		if (!node->level)
			return;
		node = node->child[slot].node;
	}
}

/* The lowest level from @level on that has entries after the path's. */
static u32 vma_run_path_branch(const struct vma_run_path *path, u32 level)
{
	while (level <= path->top && path->slot[level] + 1 == path->node[level]->nr)
		level++;
	return level;
}

/* Is the path's node the first one on its level? */
static bool vma_run_path_first(const struct vma_run_path *path, u32 level)
{
	while (++level <= path->top)
		if (path->slot[level])
			return false;
	return true;
}

/* Is it the last one? */
static bool vma_run_path_last(const struct vma_run_path *path, u32 level)
{
	return vma_run_path_branch(path, level + 1) > path->top;
}

/* Go to the node after it. */
static void vma_run_path_next(struct vma_run_path *path, u32 level)
{
	u32 i = vma_run_path_branch(path, level + 1);

	path->slot[i]++;
	for (; i > level; i--) {
		path->node[i - 1] = path->node[i]->child[path->slot[i]].node;
		path->slot[i - 1] = 0;
	}
}

/* Go to the run after it; false if there is none. */
static bool vma_run_path_step(struct vma_run_path *path)
{
	if (++path->slot[0] < path->node[0]->nr)
		return true;
	if (vma_run_path_last(path, 0))
		return false;
	vma_run_path_next(path, 0);
	return true;
}

/*
 * Go on to a run with this attribute, if the path's run does not have it, that
 * begins @last pages after @base or before that.
 */
static bool vma_run_path_find_attr(struct vma_run_path *path, u32 base, u32 last,
				   u32 mask, u32 value)
{
	do {
		const struct vma_run_entry *run = &path->node[0]->run[path->slot[0]];

		if (run->start - base > last)
			return false;
		if ((READ_ONCE(run->attr) & mask) == value)
			return true;
	} while (vma_run_path_step(path));
	return false;
}

/* Where the path's run ends; the map's base if it is the last one. */
static u32 vma_run_path_end(const struct vma_run_path *path, u32 base)
{
	u32 i = vma_run_path_branch(path, 0);

	return i <= path->top ? vma_run_start(path->node[i], path->slot[i] + 1) : base;
}

/*
 * A run by value.  @origin is the linear page index of the map's first page;
 * only the last run "ends" there.
 */
static void vma_run_get(const struct vma_run_entry *entry, unsigned long origin,
			u32 end, struct vma_run *run)
{
	u32 base = origin;

	run->first = origin + (u32)(entry->start - base);
	run->last = end == base ? ULONG_MAX : origin + (u32)(end - base) - 1;
	run->pgoff = entry->pgoff;
	run->attr = READ_ONCE(entry->attr);
}

static void vma_run_path_get(const struct vma_run_path *path,
			     unsigned long origin, struct vma_run *run)
{
	vma_run_get(&path->node[0]->run[path->slot[0]], origin,
		    vma_run_path_end(path, origin), run);
}

/**
 * vma_runs_find - the run that covers a page
 * @runs: the map, under rcu_read_lock() or with a reference
 * @index: linear page index, not before the map's first
 * @run: where to put the run
 */
void vma_runs_find(const struct vma_runs *runs, unsigned long index,
		   struct vma_run *run)
{
	const struct vma_run_node *node = &runs->root;
	u32 base = vma_runs_base(runs);
	u32 offset = (u32)index - base;
	u32 slot, end = base;

	while (node->level) {
		slot = VMA_RUN_SEARCH(node->child, node->nr, base, offset);
		if (slot + 1 < node->nr)
			end = node->child[slot + 1].start;
		node = node->child[slot].node;
	}
	slot = VMA_RUN_SEARCH(node->run, node->nr, base, offset);
	if (slot + 1 < node->nr)
		end = node->run[slot + 1].start;
	vma_run_get(&node->run[slot], index - offset, end, run);
}

/*
 * Totals
 */

static void vma_run_total_add(struct vma_run_total *total,
			      const struct vma_run_total *other)
{
	total->count += other->count;
	total->account += other->account;
	total->data += other->data;
	total->exec += other->exec;
}

static void vma_run_total_add_pages(struct vma_run_total *total,
				    const struct vma_run_entry *run, u32 pages)
{
	u32 attr = READ_ONCE(run->attr);

	if (attr & VMA_RUN_ACCOUNT)
		total->account += pages;
	if (attr & VM_WRITE)
		total->data += pages;
	else if (attr & VM_EXEC)
		total->exec += pages;
}

/* The totals of a node, without the pages of its last run. */
static struct vma_run_total vma_run_node_total(const struct vma_run_node *node)
{
	struct vma_run_total total = {};
	u32 i;

	if (node->level) {
		for (i = 0; i < node->nr; i++)
			vma_run_total_add(&total, &node->child[i].total);
		return total;
	}
	total.count = node->nr;
	for (i = 0; i + 1 < node->nr; i++)
		vma_run_total_add_pages(&total, &node->run[i],
					node->run[i + 1].start - node->run[i].start);
	return total;
}

/* Make the totals of @child, which ends at @end; at @child->start if unknown. */
static void vma_run_child_total(struct vma_run_child *child, u32 end)
{
	const struct vma_run_entry *last = vma_run_last(child->node);

	child->end = end;
	child->total = vma_run_node_total(child->node);
	if (end != child->start)
		vma_run_total_add_pages(&child->total, last, end - last->start);
}

/*
 * The index by file page offset
 *
 * A run is looked up in the map by a key's start.  The high bits of its linear
 * page indices are not needed here, and are not those of the VMA.
 */

/* The low bits of the file page offset are in a hint; above them, an order. */
#define VMA_RUN_HINT_BITS	26

static struct vma_run_key vma_run_key(const struct vma_run *run)
{
	u32 order = order_base_2(run->last - run->first + 1);
	u32 pgoff = run->pgoff & ((1u << VMA_RUN_HINT_BITS) - 1);

	return (struct vma_run_key) {
		.start = run->first,
		.hint = order << VMA_RUN_HINT_BITS | pgoff,
	};
}

/* How many pages a run has at most. */
static unsigned long vma_run_hint_pages(u32 hint)
{
	return 1ul << (hint >> VMA_RUN_HINT_BITS);
}

/* May a run map a part of a file range?  Never wrongly says no. */
static bool vma_run_hint_maps(u32 hint, pgoff_t first, pgoff_t last)
{
	u32 before = ((u32)last - hint) & ((1u << VMA_RUN_HINT_BITS) - 1);

	/* From the first page of the run to the last one of the range. */
	return before < vma_run_hint_pages(hint) ||
		before - vma_run_hint_pages(hint) < last - first;
}

/* Does the index have the run?  The map's last one has no end. */
static bool vma_run_indexed(const struct vma_run *run)
{
	return !(run->attr & VMA_RUN_ZEROFILL) && run->last != ULONG_MAX;
}

/* Is a run with this place not after @run, in the order of the index? */
static bool vma_run_not_after(pgoff_t pgoff, u32 start, const struct vma_run *run)
{
	return pgoff < run->pgoff ||
		(pgoff == run->pgoff && start <= (u32)run->first);
}

/* How many keys of a leaf are not after @run. */
static u32 vma_run_key_slot(const struct vma_run_node *leaf,
			    const struct vma_runs *runs, const struct vma_run *run)
{
	u32 low = 0, high = leaf->nr;

	while (low < high) {
		u32 middle = low + (high - low) / 2;
		struct vma_run other;

		vma_runs_find(runs, leaf->key[middle].start, &other);
		if (vma_run_not_after(other.pgoff, leaf->key[middle].start, run))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The last child that begins not after @run, or else the first one. */
static u32 vma_run_index_slot(const struct vma_run_node *node,
			      const struct vma_run *run)
{
	u32 low = 0, high = node->nr;

	while (high - low > 1) {
		u32 middle = low + (high - low) / 2;
		const struct vma_run_child *child = &node->child[middle];

		if (vma_run_not_after(child->first_pgoff, child->start, run))
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The way to behind the last key that is not after @run. */
static void vma_run_path_find_key(struct vma_run_path *path,
				  const struct vma_run_node *index,
				  const struct vma_runs *runs,
				  const struct vma_run *run)
{
	const struct vma_run_node *node = index;

	path->top = node->level;
	while (node->level) {
		path->node[node->level] = node;
		path->slot[node->level] = vma_run_index_slot(node, run);
		node = node->child[path->slot[node->level]].node;
	}
	path->node[0] = node;
	path->slot[0] = vma_run_key_slot(node, runs, run);
}

/* The way to the first key. */
static void vma_run_path_first_key(struct vma_run_path *path,
				   const struct vma_run_node *index)
{
	const struct vma_run_node *node = index;

	path->top = node->level;
	memset(path->slot, 0, sizeof(path->slot));
	for (; node->level; node = node->child[0].node)
		path->node[node->level] = node;
	path->node[0] = node;
}

/* Fill in what the file pages in @child's node are. */
static void vma_run_index_total(struct vma_run_child *child,
				const struct vma_runs *runs)
{
	const struct vma_run_node *node = child->node;
	u32 i = node->nr - 1;
	struct vma_run run;

	if (node->level) {
		child->first_pgoff = node->child[0].first_pgoff;
		child->last_pgoff = node->child[i].last_pgoff;
		while (i--)
			child->last_pgoff = max(child->last_pgoff,
						node->child[i].last_pgoff);
		return;
	}

	vma_runs_find(runs, node->key[i].start, &run);
	child->last_pgoff = run.pgoff + (run.last - run.first);
	while (i--) {
		/* It does not begin after the one that was looked up last. */
		if (i && run.pgoff + vma_run_hint_pages(node->key[i].hint) - 1 <=
			 child->last_pgoff)
			continue;
		vma_runs_find(runs, node->key[i].start, &run);
		child->last_pgoff = max(child->last_pgoff,
					run.pgoff + (run.last - run.first));
	}
	child->first_pgoff = run.pgoff;
}

/*
 * Changing
 */

/* What becomes of one level: entries from at most four places, in order. */
enum {
	VMA_RUN_BEFORE,		/* entries before the change */
	VMA_RUN_CHANGE,
	VMA_RUN_AFTER,		/* entries after the change */
	VMA_RUN_NEXT,		/* a node after the changed ones */
	VMA_RUN_PIECES
};

struct vma_run_piece {
	const void *entry;
	u32 nr;
};

/* A change makes at most this many runs, and this many nodes on each level. */
#define VMA_RUN_CHANGE_MAX	3

struct vma_run_change {
	const struct vma_runs *runs;	/* whose index is changed, or NULL */
	u32 nr_made;
	struct vma_run_path left, right;
	struct vma_run_piece piece[VMA_RUN_PIECES];
	union {
		struct vma_run_entry run[VMA_RUN_CHANGE_MAX];
		struct vma_run_child child[VMA_RUN_CHANGE_MAX];
	};
};

static void vma_run_set_piece(struct vma_run_piece *piece,
			      const struct vma_run_node *node, u32 from, u32 to)
{
	piece->nr = to - from;
	if (node->level)
		piece->entry = &node->child[from];
	else if (node->index)
		piece->entry = &node->key[from];
	else
		piece->entry = &node->run[from];
}

static u32 vma_run_pieces_nr(const struct vma_run_piece *piece)
{
	u32 i, nr = 0;

	for (i = 0; i < VMA_RUN_PIECES; i++)
		nr += piece[i].nr;
	return nr;
}

/* Take references to the children of a new node and complete their totals. */
static void vma_run_adopt(struct vma_run_node *node)
{
	u32 i;

	for (i = 0; i < node->nr; i++) {
		struct vma_run_child *child = &node->child[i];
		u32 end = i + 1 < node->nr ? child[1].start : child->start;

		refcount_inc(&child->node->ref);
		if (!node->index && (!child->total.count || child->end != end))
			vma_run_child_total(child, end);
	}
}

/* Fill a new node with the next entries. */
static void vma_run_fill(struct vma_run_node *node, struct vma_run_piece *piece)
{
	void *to = node->run;
	u32 nr;

	for (nr = node->nr; nr; piece++) {
		u32 n = min(nr, piece->nr);
		size_t size = vma_run_entries_size(node->index, node->level, n);

		if (!n)
			continue;
		memcpy(to, piece->entry, size);
		to += size;
		piece->entry += size;
		piece->nr -= n;
		nr -= n;
	}
	if (node->level)
		vma_run_adopt(node);
}

/* May @b, which begins where @a ends, be one run with it? */
static bool vma_run_joins(const struct vma_run_entry *a,
			  const struct vma_run_entry *b)
{
	if ((a->attr ^ b->attr) & ~VMA_RUN_ANON)
		return false;
	return (a->attr & VMA_RUN_ZEROFILL) ||
		a->pgoff + (u32)(b->start - a->start) == b->pgoff;
}

/*
 * Add a run to the change.  Joined runs get the ANON bit if one had it, as
 * merged VMAs share the one anon_vma.
 */
static void vma_run_change_add(struct vma_run_change *change,
			       const struct vma_run_entry *run, bool welcome)
{
	struct vma_run_piece *piece = &change->piece[VMA_RUN_CHANGE];

	if (welcome && vma_run_joins(&change->run[piece->nr - 1], run))
		change->run[piece->nr - 1].attr |= run->attr & VMA_RUN_ANON;
	else
		change->run[piece->nr++] = *run;
}

/* May the new @run be joined with its neighbour @next, if they are alike? */
static bool vma_run_welcomes(const struct vma_run_entry *run,
			     const struct vma_run_entry *next,
			     enum vma_runs_join join)
{
	if (join == VMA_RUNS_JOIN_ANON)
		return !(run->attr & ~next->attr & VMA_RUN_ANON);
	return join == VMA_RUNS_JOIN && !((run->attr ^ next->attr) & VMA_RUN_ANON);
}

/* Put together the runs of the leaves in which the change begins and ends. */
static void vma_run_change_leaves(struct vma_run_change *change,
				  const struct vma_runs *runs, u32 from, u32 to,
				  const struct vma_run_entry *run,
				  enum vma_runs_join join)
{
	u32 base = vma_runs_base(runs);
	const struct vma_run_node *leaf;
	struct vma_run_entry rest;
	u32 slot;

	memset(change->piece, 0, sizeof(change->piece));
	change->piece[VMA_RUN_CHANGE].entry = change->run;

	vma_run_path_find(&change->left, runs, from ? from - 1 : 0);
	leaf = change->left.node[0];
	slot = change->left.slot[0];
	if (from) {
		vma_run_set_piece(&change->piece[VMA_RUN_BEFORE], leaf, 0, slot);
		vma_run_change_add(change, &leaf->run[slot], false);
	}
	if (run)
		vma_run_change_add(change, run, from &&
				   vma_run_welcomes(run, &leaf->run[slot], join));

	vma_run_path_find(&change->right, runs, to ? to : U32_MAX);
	if (to) {
		leaf = change->right.node[0];
		slot = change->right.slot[0];
		rest = leaf->run[slot];
		if (!(rest.attr & VMA_RUN_ZEROFILL))
			rest.pgoff += (u32)(base + to - rest.start);
		rest.start = base + to;
		vma_run_change_add(change, &rest, run &&
				   vma_run_welcomes(run, &rest, join));
		vma_run_set_piece(&change->piece[VMA_RUN_AFTER], leaf, slot + 1,
				  leaf->nr);
	}
}

static void vma_run_change_put(struct vma_run_change *change)
{
	while (change->nr_made)
		vma_run_put_node(change->child[--change->nr_made].node);
}

/*
 * Make the nodes of @level: full ones where the tree grows at an end, else
 * equally full ones.  Their entries are the change of the level above.
 */
static bool vma_run_change_nodes(struct vma_run_change *change, u32 level, u32 max)
{
	struct vma_run_node *node[VMA_RUN_CHANGE_MAX];
	u32 total = vma_run_pieces_nr(change->piece);
	u32 i, nr = DIV_ROUND_UP(total, max);
	bool at_end = vma_run_path_last(&change->right, level) &&
		!change->piece[VMA_RUN_AFTER].nr;
	bool at_front = vma_run_path_first(&change->left, level) &&
		!change->piece[VMA_RUN_BEFORE].nr;

	for (i = 0; i < nr; i++) {
		u32 n = total / (nr - i);

		if (at_end)
			n = min(total, max);
		else if (at_front)
			n = total - (nr - i - 1) * max;

		node[i] = vma_run_alloc_node(change->runs, level, n);
		if (!node[i])
			break;
		vma_run_fill(node[i], change->piece);
		total -= n;
	}

	/* The new nodes have references to those of the level below. */
	vma_run_change_put(change);
	for (; change->nr_made < i; change->nr_made++) {
		struct vma_run_child *child = &change->child[change->nr_made];

		*child = (struct vma_run_child) {
			.start = vma_run_start(node[change->nr_made], 0),
			.node = node[change->nr_made],
		};
		if (change->runs)
			vma_run_index_total(child, change->runs);
	}
	if (i < nr)
		return false;

	memset(change->piece, 0, sizeof(change->piece));
	change->piece[VMA_RUN_CHANGE].entry = change->child;
	change->piece[VMA_RUN_CHANGE].nr = nr;
	if (++level > change->left.top)
		return true;
	vma_run_set_piece(&change->piece[VMA_RUN_BEFORE], change->left.node[level],
			  0, change->left.slot[level]);
	vma_run_set_piece(&change->piece[VMA_RUN_AFTER], change->right.node[level],
			  change->right.slot[level] + 1,
			  change->right.node[level]->nr);
	return true;
}

/*
 * From the leaves up, replace some nodes of each level by at most three new
 * ones, until a level has no other nodes and fits in the root: so a tree grows
 * and shrinks at the root.  Where the new nodes would be less than half full,
 * the one after them is replaced as well.  The first and the last node of a
 * level may stay so, and a tree that grows at an end has full nodes.
 *
 * Returns the level of the root, whose entries are the pieces, or -1.
 */
static int vma_run_change_levels(struct vma_run_change *change)
{
	u32 level, nr, max;

	for (level = 0; ; level++) {
		max = vma_run_entries_max(change->runs, level);
		nr = vma_run_pieces_nr(change->piece);
		if (nr < max / 2 && !vma_run_path_last(&change->right, level)) {
			const struct vma_run_node *next;

			vma_run_path_next(&change->right, level);
			next = change->right.node[level];
			vma_run_set_piece(&change->piece[VMA_RUN_NEXT], next, 0,
					  next->nr);
			nr += next->nr;
		}
		if (nr <= max && vma_run_path_first(&change->left, level) &&
		    vma_run_path_last(&change->right, level))
			return level;
		if (!vma_run_change_nodes(change, level, max))
			return -1;
	}
}

/*
 * Changing the index
 */

/*
 * Put @nr keys, sorted, behind the last one that is not after @run, and take
 * that one away if @remove is 1.  *@index becomes a changed copy.
 */
static bool vma_run_index_change(struct vma_run_node **index,
				 const struct vma_runs *runs,
				 const struct vma_run *run, u32 remove,
				 const struct vma_run_key *key, u32 nr)
{
	struct vma_run_change change;
	struct vma_run_node *copy = NULL;
	int level;

	memset(&change, 0, sizeof(change));
	change.runs = runs;
	change.piece[VMA_RUN_CHANGE].entry = key;
	change.piece[VMA_RUN_CHANGE].nr = nr;
	if (*index) {
		const struct vma_run_node *leaf;
		u32 slot;

		vma_run_path_find_key(&change.left, *index, runs, run);
		change.right = change.left;
		leaf = change.left.node[0];
		slot = change.left.slot[0];
		vma_run_set_piece(&change.piece[VMA_RUN_BEFORE], leaf, 0,
				  slot - remove);
		vma_run_set_piece(&change.piece[VMA_RUN_AFTER], leaf, slot,
				  leaf->nr);
	}

	level = vma_run_change_levels(&change);
	nr = vma_run_pieces_nr(change.piece);
	if (level >= 0 && nr) {
		copy = vma_run_alloc_node(true, level, nr);
		if (copy)
			vma_run_fill(copy, change.piece);
	}
	vma_run_change_put(&change);
	if (level < 0 || (nr && !copy))
		return false;
	if (*index)
		vma_run_put_node(*index);
	*index = copy;
	return true;
}

/* Put @nr keys at the end of the index. */
static bool vma_run_index_append(struct vma_run_node **index,
				 const struct vma_runs *runs,
				 const struct vma_run_key *key, u32 nr)
{
	const struct vma_run end = { .first = U32_MAX, .pgoff = ULONG_MAX };

	return !nr || vma_run_index_change(index, runs, &end, 0, key, nr);
}

/* Make an index of @copy of the keys of @runs that are not in @changed. */
static noinline_for_stack bool vma_run_index_filter(struct vma_runs *copy,
						    const struct vma_runs *runs,
						    const struct vma_run *changed)
{
	struct vma_run_key key[VMA_RUN_KEY_MAX];
	unsigned long base = vma_runs_base(runs);
	struct vma_run_path path;
	u32 nr = 0;

	vma_run_path_first_key(&path, runs->index);
	do {
		unsigned long index;

		if (nr == VMA_RUN_KEY_MAX) {
			if (!vma_run_index_append(&copy->index, copy, key, nr))
				return false;
			nr = 0;
		}
		key[nr] = path.node[0]->key[path.slot[0]];
		index = base + (u32)(key[nr].start - base);
		if (index < changed->first || index > changed->last)
			nr++;
	} while (vma_run_path_step(&path));
	return vma_run_index_append(&copy->index, copy, key, nr);
}

/* Has the other map the same run in the place of @run? */
static bool vma_runs_has(const struct vma_runs *runs, const struct vma_run *run)
{
	struct vma_run other;

	vma_runs_find(runs, run->first, &other);
	return other.first == run->first && other.last == run->last &&
		other.pgoff == run->pgoff && vma_run_indexed(&other);
}

static bool vma_run_index_add(struct vma_run_node **index,
			      const struct vma_runs *runs, const struct vma_run *run)
{
	struct vma_run_key key = vma_run_key(run);

	return vma_run_index_change(index, runs, run, 0, &key, 1);
}

static bool vma_run_index_remove(struct vma_run_node **index,
				 const struct vma_runs *runs,
				 const struct vma_run *run)
{
	return vma_run_index_change(index, runs, run, 1, NULL, 0);
}

/* Go from @run to the next one; false if that would begin after @last. */
static bool vma_runs_next(const struct vma_runs *runs, unsigned long last,
			  struct vma_run *run)
{
	if (run->last >= last)
		return false;
	vma_runs_find(runs, run->last + 1, run);
	return true;
}

/* Do without the runs of @runs in @changed that @copy does not have. */
static bool vma_run_index_reduce(struct vma_runs *copy, const struct vma_runs *runs,
				 const struct vma_run *changed)
{
	struct vma_run run;

	copy->index = runs->index;
	if (copy->index)
		refcount_inc(&copy->index->ref);
	vma_runs_find(runs, changed->first, &run);
	do {
		if (vma_run_indexed(&run) && !vma_runs_has(copy, &run) &&
		    !vma_run_index_remove(&copy->index, runs, &run))
			return false;
	} while (vma_runs_next(runs, changed->last, &run));
	return true;
}

/*
 * Make the index of @copy, in which the pages from @from up to and without @to
 * were replaced as vma_runs_change() does it.
 *
 * Where many runs have gone, it is cheaper to go through the index once than
 * to find each; that is never more work than it was to put them there.
 */
static noinline_for_stack bool vma_runs_make_index(struct vma_runs *copy,
						   const struct vma_runs *runs,
						   u32 from, u32 to)
{
	unsigned long base = vma_runs_base(runs);
	unsigned long first = base + (from ? from - 1 : 0);
	unsigned long last = base + (to ? to : U32_MAX);
	struct vma_run run, changed = { .first = base, .last = ULONG_MAX };
	bool few = false;

	copy->index = NULL;
	if (runs->root.level) {
		vma_runs_find(runs, first, &run);
		changed.first = run.first;
		vma_runs_find(runs, last, &run);
		changed.last = run.last;
		few = vma_runs_count(runs, first, last) <=
			8 + vma_runs_count(runs, base, base + U32_MAX) / VMA_RUN_KEY_MAX;
		if (few) {
			if (!vma_run_index_reduce(copy, runs, &changed))
				return false;
		} else if (runs->index) {
			if (!vma_run_index_filter(copy, runs, &changed))
				return false;
		}
	}

	first = base + (u32)(vma_runs_base(copy) - base);
	vma_runs_find(copy, max(changed.first, first), &run);
	do {
		if (vma_run_indexed(&run) && !(few && vma_runs_has(runs, &run)) &&
		    !vma_run_index_add(&copy->index, copy, &run))
			return false;
	} while (vma_runs_next(copy, changed.last, &run));
	return true;
}

/*
 * Changing the map
 */

/*
 * A copy of a map in which @run, or nothing, is in the place of the pages from
 * @from up to and without @to, counted from the map's first page.  @from is 0
 * for the map's beginning, @to is 0 for its end.
 */
static struct vma_runs *vma_runs_change(const struct vma_runs *runs, u32 from,
					u32 to, const struct vma_run_entry *run,
					enum vma_runs_join join)
{
	struct vma_runs *copy = NULL;
	struct vma_run_change change;
	int level;

	change.runs = NULL;
	change.nr_made = 0;
	vma_run_change_leaves(&change, runs, from, to, run, join);
	level = vma_run_change_levels(&change);
	if (level >= 0)
		copy = vma_runs_alloc(level, vma_run_pieces_nr(change.piece));
	if (copy) {
		copy->hull_first = runs->hull_first;
		copy->hull_last = runs->hull_last;
		vma_run_fill(&copy->root, change.piece);
		if (!level)
			copy->total = vma_run_node_total(&copy->root);
	}
	vma_run_change_put(&change);

	if (copy && level && !vma_runs_make_index(copy, runs, from, to)) {
		vma_runs_put(copy);
		copy = NULL;
	}
	return copy;
}

/* vma_runs_change() with nothing, of a map that nobody else uses. */
static struct vma_runs *vma_runs_cut(struct vma_runs *runs, u32 from, u32 to)
{
	struct vma_runs *copy = vma_runs_change(runs, from, to, NULL, VMA_RUNS_APART);

	vma_runs_put(runs);
	return copy;
}

static void vma_runs_widen_hull(struct vma_runs *runs, pgoff_t first, pgoff_t last)
{
	runs->hull_first = min(runs->hull_first, first);
	runs->hull_last = max(runs->hull_last, last);
}

/*
 * Interface
 */

/**
 * vma_runs_create - make a map of one run
 * @first: linear page index of the first page
 * @pgoff: its file page offset
 * @attr: VMA_RUN_* bits
 *
 * Context: process context, may sleep.
 * Return: a map with one reference, NULL without memory.
 */
struct vma_runs *vma_runs_create(unsigned long first, pgoff_t pgoff, u32 attr)
{
	struct vma_runs *runs = vma_runs_alloc(0, 1);
	bool file = !(attr & VMA_RUN_ZEROFILL);

	if (!runs)
		return NULL;
	runs->hull_first = file ? pgoff : ULONG_MAX;
	runs->hull_last = file ? pgoff : 0;
	runs->root.run[0] = (struct vma_run_entry) {
		.start = first,
		.attr = attr,
		.pgoff = file ? pgoff : 0,
	};
	runs->total = vma_run_node_total(&runs->root);
	return runs;
}

/**
 * vma_runs_replace - make a changed copy of a map
 * @runs: the map; the caller holds a reference that keeps its ANON bits from
 *	being set, or keeps it from changing otherwise
 * @window_first: linear page index of the first page that the copy must hold
 * @window_last: of the last one
 * @run: what the pages from @run->first to @run->last, which lie in the
 *	window, become
 * @join: with which neighbours @run is joined, if they are alike
 *
 * The copy holds the window only, its last run without an end.
 *
 * The hull of the copy covers that of @runs, so that a change of protection
 * leaves the VMA where it is in i_mmap.  A change of offset may leave it
 * larger than needed.
 *
 * Takes time and memory in proportion to the logarithm of the number of runs, and
 * of a large map time for each run that is replaced.  Where these are many, the
 * index is made anew.
 *
 * Context: process context, may sleep.
 * Return: a map with one reference, NULL without memory.
 */
struct vma_runs *vma_runs_replace(const struct vma_runs *runs,
				  unsigned long window_first,
				  unsigned long window_last,
				  const struct vma_run *run,
				  enum vma_runs_join join)
{
	bool before = run->first > window_first, after = run->last < window_last;
	bool file = !(run->attr & VMA_RUN_ZEROFILL);
	struct vma_run_entry entry = {
		.start = run->first,
		.attr = run->attr,
		.pgoff = file ? run->pgoff : 0,
	};
	u32 base = vma_runs_base(runs);
	struct vma_runs *copy;
	struct vma_run old;

	copy = vma_runs_change(runs, before ? (u32)run->first - base : 0,
			       after ? (u32)run->last + 1 - base : 0, &entry,
			       join);
	if (copy && before && (u32)window_first != base)
		copy = vma_runs_cut(copy, 0, (u32)window_first - base);
	if (!copy)
		return NULL;

	base = vma_runs_base(copy);
	if (after && vma_run_last(&copy->root)->start - base > (u32)window_last - base)
		copy = vma_runs_cut(copy, (u32)window_last + 1 - base, 0);
	if (!copy)
		return NULL;

	if (file)
		vma_runs_widen_hull(copy, run->pgoff,
				    run->pgoff + (run->last - run->first));
	/*
	 * The end of what was the last run of @runs, and now may not be, was
	 * not in its hull.
	 */
	vma_runs_find(runs, window_last, &old);
	if (old.last == ULONG_MAX && !(old.attr & VMA_RUN_ZEROFILL))
		vma_runs_widen_hull(copy, old.pgoff,
				    old.pgoff + (window_last - old.first));
	return copy;
}

/**
 * vma_runs_get - take a reference
 * @runs: a map that cannot go away meanwhile, or NULL
 *
 * Return: @runs.
 */
struct vma_runs *vma_runs_get(struct vma_runs *runs)
{
	if (runs)
		refcount_inc(&runs->root.ref);
	return runs;
}

/**
 * vma_runs_put - drop a reference
 * @runs: the map, or NULL; freed after a grace period with its last reference
 *
 * Context: any.
 */
void vma_runs_put(struct vma_runs *runs)
{
	if (!runs || !refcount_dec_and_test(&runs->root.ref))
		return;
	if (runs->root.level) {
		if (runs->index)
			vma_run_put_node(runs->index);
		vma_run_free_dead(vma_run_put_children(&runs->root, NULL));
	}
	kfree_rcu(runs, root.rcu);
}

/*
 * Cut a run to the window of a search.  False if no page of it maps a part of
 * the file range.
 */
static bool vma_run_maps(struct vma_run *run, const struct vma_runs_search *search)
{
	if (run->attr & VMA_RUN_ZEROFILL)
		return false;
	if (run->first < search->first) {
		run->pgoff += search->first - run->first;
		run->first = search->first;
	}
	run->last = min(run->last, search->last);
	return run->pgoff <= search->last_pgoff &&
		run->pgoff + (run->last - run->first) >= search->first_pgoff;
}

/* Is a run, not cut, in the window and not at an end of it? */
static bool vma_run_inside(const struct vma_run *run,
			   const struct vma_runs_search *search)
{
	return run->first > search->first && run->last < search->last;
}

/* The path's next key from its place on that may map a part of the range. */
static bool vma_run_path_find_file(struct vma_run_path *path, pgoff_t first,
				   pgoff_t last)
{
	u32 level = 0;

	while (level <= path->top) {
		const struct vma_run_node *node = path->node[level];
		u32 slot = path->slot[level];

		if (slot == node->nr) {
			/* On to the next one of the level above. */
			if (++level <= path->top)
				path->slot[level]++;
		} else if (!level) {
			if (vma_run_hint_maps(node->key[slot].hint, first, last))
				return true;
			path->slot[0]++;
		} else {
			const struct vma_run_child *child = &node->child[slot];

			if (child->first_pgoff > last)
				return false;
			if (child->last_pgoff >= first) {
				level--;
				path->node[level] = child->node;
				path->slot[level] = 0;
			} else {
				path->slot[level]++;
			}
		}
	}
	return false;
}

/*
 * The path stands behind the key of @run, which is not inside the window: on to
 * the next one of that file page offset that may be, or to the next offset.  The
 * window's first run is not inside, but those that follow it are.
 */
static void vma_run_path_skip(struct vma_run_path *path,
			      const struct vma_runs *runs,
			      const struct vma_runs_search *search,
			      const struct vma_run *run)
{
	u32 first = search->first;
	struct vma_run to = {
		.first = (u32)run->first <= first ? first : U32_MAX,
		.pgoff = run->pgoff,
	};

	vma_run_path_find_key(path, runs->index, runs, &to);
}

/* Of one file page offset, before they are passed over: that takes longer. */
#define VMA_RUN_OUTSIDE	16

/* vma_runs_find_file() for the runs inside the window of a large map. */
static bool vma_run_find_in_index(const struct vma_runs *runs,
				  const struct vma_runs_search *search,
				  const struct vma_run *after, struct vma_run *run)
{
	u32 base = vma_runs_base(runs);
	unsigned long origin = search->first - (u32)(search->first - base);
	struct vma_run_path path;
	pgoff_t pgoff = 0;
	u32 outside = 0;

	if (!runs->index)
		return false;
	if (after)
		vma_run_path_find_key(&path, runs->index, runs, after);
	else
		vma_run_path_first_key(&path, runs->index);
	while (vma_run_path_find_file(&path, search->first_pgoff, search->last_pgoff)) {
		u32 start = path.node[0]->key[path.slot[0]++].start;

		vma_runs_find(runs, origin + (u32)(start - base), run);
		if (run->pgoff > search->last_pgoff)
			break;
		if (vma_run_inside(run, search)) {
			if (vma_run_maps(run, search))
				return true;
			continue;
		}
		/* Halves of a split VMA share a map, and children have it. */
		if (run->pgoff != pgoff)
			outside = 0;
		pgoff = run->pgoff;
		if (++outside > VMA_RUN_OUTSIDE)
			vma_run_path_skip(&path, runs, search, run);
	}
	return false;
}

/* And of a map that is one leaf, in the same order. */
static bool vma_run_find_in_leaf(const struct vma_runs *runs,
				 const struct vma_runs_search *search,
				 const struct vma_run *after, struct vma_run *run)
{
	const struct vma_run_node *leaf = &runs->root;
	u32 base = vma_runs_base(runs);
	unsigned long origin = search->first - (u32)(search->first - base);
	struct vma_run best;
	bool found = false;
	u32 i;

	for (i = 0; i + 1 < leaf->nr; i++) {
		struct vma_run r;

		vma_run_get(&leaf->run[i], origin, leaf->run[i + 1].start, &r);
		if (!vma_run_inside(&r, search) || !vma_run_maps(&r, search) ||
		    (after && vma_run_not_after(r.pgoff, r.first, after)) ||
		    (found && vma_run_not_after(best.pgoff, best.first, &r)))
			continue;
		best = r;
		found = true;
	}
	if (found)
		*run = best;
	return found;
}

/* vma_runs_find_file() for all of a file. */
static bool vma_run_find_any(const struct vma_runs *runs,
			     const struct vma_runs_search *search,
			     const struct vma_run *after, struct vma_run *run)
{
	unsigned long index = after ? after->last + 1 : search->first;
	u32 base = vma_runs_base(runs);
	u32 offset = (u32)index - base;
	struct vma_run_path path;

	if (after && after->last == search->last)
		return false;
	vma_run_path_find(&path, runs, offset);
	if (!vma_run_path_find_attr(&path, base, (u32)search->last - base,
				    VMA_RUN_ZEROFILL, 0))
		return false;
	vma_run_path_get(&path, index - offset, run);
	return vma_run_maps(run, search);
}

/**
 * vma_runs_find_file - find the runs that map a part of a file range
 * @runs: the map, under rcu_read_lock() or with a reference
 * @search: the window of the map to look at, and the file range
 * @after: the run that was found before, NULL to begin
 * @run: where to put the next run, cut to the window; may be @after
 *
 * If the range is all of the file, from 0 to ULONG_MAX, they come by linear
 * page index.  Else first come the runs at the ends of the window, then the
 * others by file page offset and linear page index.  Each is found once, even
 * if @runs is not the same map as before, but a copy of it that was cut to the
 * window or has other ANON bits: what a place in the order depends on is the
 * same in both.
 *
 * Takes time in proportion to the logarithm of the number of runs; if the range is
 * all of the file, also to the zero-fill runs that are passed over.
 *
 * Return: false when there are no more.
 */
bool vma_runs_find_file(const struct vma_runs *runs,
			const struct vma_runs_search *search,
			const struct vma_run *after, struct vma_run *run)
{
	if (!search->first_pgoff && search->last_pgoff == ULONG_MAX)
		return vma_run_find_any(runs, search, after, run);

	if (!after) {
		vma_runs_find(runs, search->first, run);
		if (vma_run_maps(run, search))
			return true;
	}
	if (!after || after->first == search->first) {
		vma_runs_find(runs, search->last, run);
		if (run->first > search->first && vma_run_maps(run, search))
			return true;
		after = NULL;
	} else if (after->last == search->last) {
		after = NULL;
	}
	if (runs->root.level)
		return vma_run_find_in_index(runs, search, after, run);
	return vma_run_find_in_leaf(runs, search, after, run);
}

/**
 * vma_runs_find_anon - find pages whose runs have the ANON bit
 * @runs: the map, under rcu_read_lock() or with a reference
 * @index: linear page index to begin at, not before the map's first
 * @last: linear page index to end at
 * @run: where to put the first run that has the bit, not cut, with its end at
 *	the end of the last one after it that has the bit as well, up to @last
 *
 * Return: false when no run from @index to @last has the bit.
 */
bool vma_runs_find_anon(const struct vma_runs *runs, unsigned long index,
			unsigned long last, struct vma_run *run)
{
	u32 base = vma_runs_base(runs);
	u32 offset = (u32)index - base;
	struct vma_run_path path;
	struct vma_run next;

	vma_run_path_find(&path, runs, offset);
	if (!vma_run_path_find_attr(&path, base, (u32)last - base,
				    VMA_RUN_ANON, VMA_RUN_ANON))
		return false;
	vma_run_path_get(&path, index - offset, run);
	while (run->last < last && vma_run_path_step(&path)) {
		vma_run_path_get(&path, index - offset, &next);
		if (!(next.attr & VMA_RUN_ANON))
			break;
		run->last = next.last;
	}
	return true;
}

/**
 * vma_runs_try_set_anon - set the ANON bit of a run in place
 * @runs: the map
 * @index: linear page index in the run
 *
 * Part of a map may be shared with other maps.  What nobody else refers to now
 * nobody can begin to share but through @runs.
 *
 * Who has just dropped a reference may have copied the node before: that reads
 * no bit set here, as refcount_dec_and_test() is a release, and setting the bit
 * depends on the count.
 *
 * Context: the caller serialises against all others that set a bit, take a
 * reference or change the map.
 * Return: false when others use the map too, and a copy must be made.
 */
bool vma_runs_try_set_anon(struct vma_runs *runs, unsigned long index)
{
	struct vma_run_node *node = &runs->root;
	u32 base = vma_runs_base(runs);
	u32 slot;

	for (;;) {
		if (refcount_read(&node->ref) != 1)
			return false;
		slot = vma_run_slot(node, base, (u32)index - base);
		if (!node->level)
			break;
		node = node->child[slot].node;
	}
	/* Others read it all the time: no write that changes nothing. */
	if (!(node->run[slot].attr & VMA_RUN_ANON))
		WRITE_ONCE(node->run[slot].attr,
			   node->run[slot].attr | VMA_RUN_ANON);
	return true;
}

/* The totals of the map's first pages up to the one at @offset. */
static struct vma_run_total vma_runs_total_to(const struct vma_runs *runs, u32 offset)
{
	const struct vma_run_node *node = &runs->root;
	const struct vma_run_entry *last = vma_run_last(node);
	u32 base = vma_runs_base(runs);
	struct vma_run_total total = {};
	u32 i, slot;

	/* All of the map: what fork(), munmap() and exit() ask for. */
	if (offset >= last->start - base) {
		total = node->level ? vma_run_node_total(node) : runs->total;
		vma_run_total_add_pages(&total, last, base + offset + 1 - last->start);
		return total;
	}

	for (;; node = node->child[slot].node) {
		slot = vma_run_slot(node, base, offset);
		if (!node->level)
			break;
		for (i = 0; i < slot; i++)
			vma_run_total_add(&total, &node->child[i].total);
	}
	for (i = 0; i < slot; i++)
		vma_run_total_add_pages(&total, &node->run[i],
					node->run[i + 1].start - node->run[i].start);
	vma_run_total_add_pages(&total, &node->run[slot],
				base + offset + 1 - node->run[slot].start);
	total.count += slot + 1;
	return total;
}

/**
 * vma_runs_sum - totals over a range of pages
 * @runs: the map, under rcu_read_lock() or with a reference
 * @first: linear page index of the first page
 * @last: of the last one
 * @sum: where to put the totals, in pages
 */
void vma_runs_sum(const struct vma_runs *runs, unsigned long first,
		  unsigned long last, struct vma_runs_sum *sum)
{
	u32 base = vma_runs_base(runs);
	struct vma_run_total to, from = {};

	to = vma_runs_total_to(runs, (u32)last - base);
	if ((u32)first != base)
		from = vma_runs_total_to(runs, (u32)first - base - 1);
	sum->account = to.account - from.account;
	sum->data = to.data - from.data;
	sum->exec = to.exec - from.exec;
}

/**
 * vma_runs_count - number of runs in a range of pages
 * @runs: the map, under rcu_read_lock() or with a reference
 * @first: linear page index of the first page
 * @last: of the last one
 *
 * Return: the number, runs counted that are in the range in part.
 */
unsigned long vma_runs_count(const struct vma_runs *runs, unsigned long first,
			     unsigned long last)
{
	u32 base = vma_runs_base(runs);
	u32 count = vma_runs_total_to(runs, (u32)last - base).count;

	if ((u32)first != base)
		count -= vma_runs_total_to(runs, (u32)first - base).count - 1;
	return count;
}

/**
 * vma_runs_size - number of runs of a map
 * @runs: the map, under rcu_read_lock() or with a reference
 *
 * Return: the number, whatever the VMAs that share the map use of it.
 */
unsigned long vma_runs_size(const struct vma_runs *runs)
{
	return vma_runs_total_to(runs, U32_MAX).count;
}

/**
 * vma_runs_hull - the file pages that may be mapped
 * @runs: the map
 * @last: linear page index of the last page of the VMA
 * @first_pgoff: where to put the smallest file page offset
 * @last_pgoff: where to put the greatest one; less than the smallest when
 *	there is no file run
 */
void vma_runs_hull(const struct vma_runs *runs, unsigned long last,
		   pgoff_t *first_pgoff, pgoff_t *last_pgoff)
{
	const struct vma_run_entry *end = vma_run_last(&runs->root);
	u32 base = vma_runs_base(runs);

	*first_pgoff = runs->hull_first;
	*last_pgoff = runs->hull_last;
	if (!(READ_ONCE(end->attr) & VMA_RUN_ZEROFILL) &&
	    (u32)last - base >= end->start - base)
		*last_pgoff = max(*last_pgoff,
				  end->pgoff + ((u32)last - end->start));
}

/**
 * vma_runs_init - create the slab caches
 *
 * They are not merged with others, so that their cost can be seen.
 *
 * Context: boot, before the first process.
 */
void __init vma_runs_init(void)
{
	slab_flags_t flags = SLAB_PANIC | SLAB_ACCOUNT | SLAB_NO_MERGE;
	int i;

	for (i = 0; i < ARRAY_SIZE(vma_run_sizes); i++)
		vma_run_cache[i] =
			kmem_cache_create(vma_run_sizes[i].name,
					  vma_run_cache_bytes(i), 0, flags, NULL);
}
