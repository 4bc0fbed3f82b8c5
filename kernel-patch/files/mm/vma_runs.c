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
 * struct vma_run_child - a child in an inner node, and its totals
 * @start: linear page index of the first page, low 32 bits
 * @end: @start of the next child in the same node, up to which the totals
 *	count; own @start in a node's last child, whose end is not known here,
 *	and whose totals leave out the pages of the very last run
 * @count: number of runs; 0 while the totals have not been made
 * @account: pages that count against the commit limit
 * @data: writable pages
 * @exec: pages that are executable and not writable
 * @first_pgoff: smallest file page offset; ULONG_MAX without a file run
 * @last_pgoff: greatest one; in a node's last child only of the first page of
 *	the very last run
 * @node: the child; the entry holds a reference
 */
struct vma_run_child {
	u32 start;
	u32 end;
	u32 count;
	u32 account;
	u32 data;
	u32 exec;
	pgoff_t first_pgoff;
	pgoff_t last_pgoff;
	struct vma_run_node *node;
};

/**
 * struct vma_run_node - a node
 * @ref: references, one from each parent, or for a root from each VMA
 * @nr: number of entries
 * @level: 0 for a leaf
 * @rcu: for freeing
 * @dead: for dropping what a node without references refers to
 * @run: the runs of a leaf, sorted
 * @child: the children of an inner node, sorted
 */
struct vma_run_node {
	refcount_t ref;
	u16 nr;
	u16 level;
	union {
		struct rcu_head rcu;
		struct llist_node dead;
	};
	union {
		DECLARE_FLEX_ARRAY(struct vma_run_entry, run);
		DECLARE_FLEX_ARRAY(struct vma_run_child, child);
	};
};

/**
 * struct vma_runs - a run map
 * @hull_first: smallest file page offset that a file run may hold
 * @hull_last: greatest one, but for the last run, which has no end
 * @root: the root of the tree; its references are those of the map
 *
 * The hull may be larger than needed, and stays as it is while only
 * protections change: it is the key under which a VMA is found in i_mmap.
 */
struct vma_runs {
	pgoff_t hull_first;
	pgoff_t hull_last;
	struct vma_run_node root;
};

/*
 * The largest node: eight to a 4 KiB page.  In tests/runs a change of one page
 * among 100,000 takes as long with nodes of 504, 760 and 1016 bytes, 1.2 us to
 * 1.4 us, and 504 copies the least; with 248 a run takes 28 bytes, not 21.
 */
#define VMA_RUN_NODE_SIZE	504
#define VMA_RUN_LEAF_MAX	((VMA_RUN_NODE_SIZE - sizeof(struct vma_runs)) / \
				 sizeof(struct vma_run_entry))
#define VMA_RUN_INNER_MAX	((VMA_RUN_NODE_SIZE - sizeof(struct vma_runs)) / \
				 sizeof(struct vma_run_child))

/*
 * All nodes but the root and the last of each level are at least half full:
 * 14 * 4^14 is more than 2^32 runs.
 */
#define VMA_RUN_LEVELS		16

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
	VMA_RUN_CACHE(29),
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

static void vma_run_init_node(struct vma_run_node *node, u32 level, u32 nr)
{
	refcount_set(&node->ref, 1);
	node->level = level;
	node->nr = nr;
}

static size_t vma_run_entries_size(u32 level, u32 nr)
{
	return nr * (level ? sizeof(struct vma_run_child) :
			     sizeof(struct vma_run_entry));
}

static struct vma_run_node *vma_run_alloc_node(u32 level, u32 nr)
{
	struct vma_run_node *node;

	node = vma_run_alloc(sizeof(*node) + vma_run_entries_size(level, nr));
	if (node)
		vma_run_init_node(node, level, nr);
	return node;
}

static struct vma_runs *vma_runs_alloc(u32 level, u32 nr)
{
	struct vma_runs *runs;

	runs = vma_run_alloc(sizeof(*runs) + vma_run_entries_size(level, nr));
	if (runs)
		vma_run_init_node(&runs->root, level, nr);
	return runs;
}

/*
 * Looking up
 */

static u32 vma_run_start(const struct vma_run_node *node, u32 i)
{
	return node->level ? node->child[i].start : node->run[i].start;
}

/* The low 32 bits of the index of a map's first page. */
static u32 vma_runs_base(const struct vma_runs *runs)
{
	return vma_run_start(&runs->root, 0);
}

/* The entry that covers the page @offset pages after @base. */
static u32 vma_run_slot(const struct vma_run_node *node, u32 base, u32 offset)
{
	u32 low = 0, high = node->nr;

	while (high - low > 1) {
		u32 middle = low + (high - low) / 2;

		if (vma_run_start(node, middle) - base <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
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

/* Where the path's run ends; the map's base if it is the last one. */
static u32 vma_run_path_end(const struct vma_run_path *path, u32 base)
{
	u32 i = vma_run_path_branch(path, 0);

	return i <= path->top ? vma_run_start(path->node[i], path->slot[i] + 1) : base;
}

/*
 * A run by value.  @origin is the linear page index of the map's first page;
 * only the last run ends there.
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

/*
 * Totals
 */

static void vma_run_child_add(struct vma_run_child *child,
			      const struct vma_run_entry *run, u32 pages)
{
	u32 attr = READ_ONCE(run->attr);

	if (attr & VMA_RUN_ACCOUNT)
		child->account += pages;
	if (attr & VM_WRITE)
		child->data += pages;
	else if (attr & VM_EXEC)
		child->exec += pages;
	if (!(attr & VMA_RUN_ZEROFILL)) {
		child->first_pgoff = min(child->first_pgoff, run->pgoff);
		child->last_pgoff = max(child->last_pgoff,
					run->pgoff + max(pages, 1u) - 1);
	}
}

/* Make the totals of @child, which ends at @end; at @child->start if unknown. */
static void vma_run_child_total(struct vma_run_child *child, u32 end)
{
	const struct vma_run_node *node = child->node;
	const struct vma_run_entry *last = vma_run_last(node);
	struct vma_run_child total = {
		.start = child->start,
		.end = end,
		.first_pgoff = ULONG_MAX,
		.node = child->node,
	};
	u32 i;

	if (node->level) {
		for (i = 0; i < node->nr; i++) {
			const struct vma_run_child *c = &node->child[i];

			total.count += c->count;
			total.account += c->account;
			total.data += c->data;
			total.exec += c->exec;
			total.first_pgoff = min(total.first_pgoff, c->first_pgoff);
			total.last_pgoff = max(total.last_pgoff, c->last_pgoff);
		}
	} else {
		total.count = node->nr;
		for (i = 0; i + 1 < node->nr; i++)
			vma_run_child_add(&total, &node->run[i],
					  node->run[i + 1].start - node->run[i].start);
	}
	vma_run_child_add(&total, last, end == child->start ? 0 : end - last->start);
	*child = total;
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

/* A change makes at most this many entries on each level. */
#define VMA_RUN_CHANGE_MAX	3

struct vma_run_change {
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

/* Fill a new node with the next entries. */
static void vma_run_fill(struct vma_run_node *node, struct vma_run_piece *piece)
{
	void *to = node->level ? (void *)node->child : (void *)node->run;
	u32 i, nr;

	for (nr = node->nr; nr; piece++) {
		u32 n = min(nr, piece->nr);
		size_t size = vma_run_entries_size(node->level, n);

		if (!n)
			continue;
		memcpy(to, piece->entry, size);
		to += size;
		piece->entry += size;
		piece->nr -= n;
		nr -= n;
	}

	if (!node->level)
		return;
	for (i = 0; i < node->nr; i++) {
		struct vma_run_child *child = &node->child[i];
		u32 end = i + 1 < node->nr ? child[1].start : child->start;

		refcount_inc(&child->node->ref);
		if (!child->count || child->end != end)
			vma_run_child_total(child, end);
	}
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
			       const struct vma_run_entry *run)
{
	struct vma_run_piece *piece = &change->piece[VMA_RUN_CHANGE];

	if (piece->nr && vma_run_joins(&change->run[piece->nr - 1], run))
		change->run[piece->nr - 1].attr |= run->attr & VMA_RUN_ANON;
	else
		change->run[piece->nr++] = *run;
}

/* Put together the runs of the leaves in which the change begins and ends. */
static void vma_run_change_leaves(struct vma_run_change *change,
				  const struct vma_runs *runs, u32 from, u32 to,
				  const struct vma_run_entry *run)
{
	u32 base = vma_runs_base(runs);
	const struct vma_run_node *leaf;
	struct vma_run_entry rest;
	u32 slot;

	memset(change->piece, 0, sizeof(change->piece));
	change->piece[VMA_RUN_CHANGE].entry = change->run;

	vma_run_path_find(&change->left, runs, from ? from - 1 : 0);
	if (from) {
		leaf = change->left.node[0];
		slot = change->left.slot[0];
		vma_run_set_piece(&change->piece[VMA_RUN_BEFORE], leaf, 0, slot);
		vma_run_change_add(change, &leaf->run[slot]);
	}
	if (run)
		vma_run_change_add(change, run);

	vma_run_path_find(&change->right, runs, to ? to : U32_MAX);
	if (to) {
		leaf = change->right.node[0];
		slot = change->right.slot[0];
		rest = leaf->run[slot];
		if (!(rest.attr & VMA_RUN_ZEROFILL))
			rest.pgoff += (u32)(base + to - rest.start);
		rest.start = base + to;
		vma_run_change_add(change, &rest);
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
 * Make the nodes of @level: full ones where the map grows at its end, else
 * equally full ones.  Their entries are the change of the level above.
 */
static bool vma_run_change_nodes(struct vma_run_change *change, u32 level, u32 max)
{
	struct vma_run_node *node[VMA_RUN_CHANGE_MAX];
	u32 total = vma_run_pieces_nr(change->piece);
	u32 i, nr = DIV_ROUND_UP(total, max);
	bool at_end = vma_run_path_last(&change->right, level) &&
		!change->piece[VMA_RUN_AFTER].nr;

	for (i = 0; i < nr; i++) {
		u32 n = at_end ? min(total, max) : total / (nr - i);

		node[i] = vma_run_alloc_node(level, n);
		if (!node[i])
			break;
		vma_run_fill(node[i], change->piece);
		total -= n;
	}

	/* The new nodes have references to those of the level below. */
	vma_run_change_put(change);
	for (; change->nr_made < i; change->nr_made++) {
		struct vma_run_node *made = node[change->nr_made];

		change->child[change->nr_made] = (struct vma_run_child) {
			.start = vma_run_start(made, 0),
			.node = made,
		};
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
 * A copy of a map in which @run, or nothing, is in the place of the pages from
 * @from up to and without @to, counted from the map's first page.  @from is 0
 * for the map's beginning, @to is 0 for its end.
 *
 * From the leaves up, each level has some nodes replaced by at most three new
 * ones, until a level has no other nodes and fits in the root: so a tree grows
 * and shrinks at the root.  Where the new nodes would be less than half full,
 * the one after them is replaced as well.  The last node of a level may stay
 * so, and a map that grows at its end has full nodes.
 */
static struct vma_runs *vma_runs_change(const struct vma_runs *runs, u32 from,
					u32 to, const struct vma_run_entry *run)
{
	struct vma_runs *copy = NULL;
	struct vma_run_change change;
	u32 level, nr, max;

	change.nr_made = 0;
	vma_run_change_leaves(&change, runs, from, to, run);
	for (level = 0; ; level++) {
		max = level ? VMA_RUN_INNER_MAX : VMA_RUN_LEAF_MAX;
		nr = vma_run_pieces_nr(change.piece);
		if (nr < max / 2 && !vma_run_path_last(&change.right, level)) {
			const struct vma_run_node *next;

			vma_run_path_next(&change.right, level);
			next = change.right.node[level];
			vma_run_set_piece(&change.piece[VMA_RUN_NEXT], next, 0,
					  next->nr);
			nr += next->nr;
		}
		if (nr <= max && vma_run_path_first(&change.left, level) &&
		    vma_run_path_last(&change.right, level))
			break;
		if (!vma_run_change_nodes(&change, level, max))
			goto out;
	}

	copy = vma_runs_alloc(level, nr);
	if (copy) {
		copy->hull_first = runs->hull_first;
		copy->hull_last = runs->hull_last;
		vma_run_fill(&copy->root, change.piece);
	}
out:
	vma_run_change_put(&change);
	return copy;
}

/* vma_runs_change() with nothing, of a map that nobody else uses. */
static struct vma_runs *vma_runs_cut(struct vma_runs *runs, u32 from, u32 to)
{
	struct vma_runs *copy = vma_runs_change(runs, from, to, NULL);

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
 *
 * The copy holds the window only, its last run without an end.  Runs that
 * have become equal are joined; pages outside @run keep their attributes.
 *
 * The hull of the copy covers that of @runs, so that a change of protection
 * leaves the VMA where it is in i_mmap.  A change of offset may leave it
 * larger than needed.
 *
 * Takes time and memory in proportion to the logarithm of the number of runs.
 *
 * Context: process context, may sleep.
 * Return: a map with one reference, NULL without memory.
 */
struct vma_runs *vma_runs_replace(const struct vma_runs *runs,
				  unsigned long window_first,
				  unsigned long window_last,
				  const struct vma_run *run)
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
			       after ? (u32)run->last + 1 - base : 0, &entry);
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
	if (runs->root.level)
		vma_run_free_dead(vma_run_put_children(&runs->root, NULL));
	kfree_rcu(runs, root.rcu);
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

	for (;;) {
		slot = vma_run_slot(node, base, offset);
		if (slot + 1 < node->nr)
			end = vma_run_start(node, slot + 1);
		if (!node->level)
			break;
		node = node->child[slot].node;
	}
	vma_run_get(&node->run[slot], index - offset, end, run);
}

/* The path's next run from its place on that may map a part of a file range. */
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
			const struct vma_run_entry *run = &node->run[slot];

			if (!(READ_ONCE(run->attr) & VMA_RUN_ZEROFILL) &&
			    run->pgoff <= last)
				return true;
			path->slot[0]++;
		} else {
			const struct vma_run_child *child = &node->child[slot];

			/* The last child may reach farther than it knows. */
			if (child->first_pgoff <= last &&
			    (child->last_pgoff >= first || slot + 1 == node->nr)) {
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

/**
 * vma_runs_find_file - the next run that maps a part of a file range
 * @runs: the map, under rcu_read_lock() or with a reference
 * @index: linear page index to begin at
 * @last: linear page index to end at
 * @first_pgoff: first file page offset of the range
 * @last_pgoff: last one
 * @run: where to put the run, cut to @index and @last
 *
 * Subtrees that map nothing near the range are passed over by their totals.
 *
 * Return: false when no page from @index to @last maps the range.
 */
bool vma_runs_find_file(const struct vma_runs *runs, unsigned long index,
			unsigned long last, pgoff_t first_pgoff,
			pgoff_t last_pgoff, struct vma_run *run)
{
	u32 base = vma_runs_base(runs);
	u32 offset = (u32)index - base;
	unsigned long origin = index - offset;
	struct vma_run_path path;

	vma_run_path_find(&path, runs, offset);
	for (; vma_run_path_find_file(&path, first_pgoff, last_pgoff); path.slot[0]++) {
		vma_run_get(&path.node[0]->run[path.slot[0]], origin,
			    vma_run_path_end(&path, base), run);
		if (run->first > last)
			break;
		if (run->first < index) {
			run->pgoff += index - run->first;
			run->first = index;
		}
		run->last = min(run->last, last);
		if (run->pgoff <= last_pgoff &&
		    run->pgoff + (run->last - run->first) >= first_pgoff)
			return true;
	}
	return false;
}

/**
 * vma_runs_try_set_anon - set the ANON bit of a run in place
 * @runs: the map
 * @index: linear page index in the run
 *
 * Part of a map may be shared with other maps.  What nobody else refers to now
 * nobody can begin to share but through @runs.
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
	WRITE_ONCE(node->run[slot].attr, node->run[slot].attr | VMA_RUN_ANON);
	return true;
}

/* Add the totals of the map's first pages up to the one at @offset. */
static void vma_runs_sum_to(const struct vma_runs *runs, u32 offset,
			    struct vma_run_child *sum)
{
	const struct vma_run_node *node = &runs->root;
	u32 base = vma_runs_base(runs);
	u32 i, slot;

	for (;; node = node->child[slot].node) {
		slot = vma_run_slot(node, base, offset);
		if (!node->level)
			break;
		for (i = 0; i < slot; i++) {
			sum->count += node->child[i].count;
			sum->account += node->child[i].account;
			sum->data += node->child[i].data;
			sum->exec += node->child[i].exec;
		}
	}
	for (i = 0; i < slot; i++)
		vma_run_child_add(sum, &node->run[i],
				  node->run[i + 1].start - node->run[i].start);
	vma_run_child_add(sum, &node->run[slot],
			  base + offset + 1 - node->run[slot].start);
	sum->count += slot + 1;
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
	struct vma_run_child to = {}, from = {};
	u32 base = vma_runs_base(runs);

	vma_runs_sum_to(runs, (u32)last - base, &to);
	if ((u32)first != base)
		vma_runs_sum_to(runs, (u32)first - base - 1, &from);
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
	struct vma_run_child to = {}, from = {};
	u32 base = vma_runs_base(runs);

	vma_runs_sum_to(runs, (u32)last - base, &to);
	vma_runs_sum_to(runs, (u32)first - base, &from);
	return to.count - from.count + 1;
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
	struct vma_run run;

	*first_pgoff = runs->hull_first;
	*last_pgoff = runs->hull_last;
	vma_runs_find(runs, last, &run);
	if (run.last == ULONG_MAX && !(run.attr & VMA_RUN_ZEROFILL))
		*last_pgoff = max(*last_pgoff, run.pgoff + (last - run.first));
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
