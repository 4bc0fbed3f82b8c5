/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What mm/vma_runs.c needs of the kernel, for an ordinary program: allocations
 * that are counted and can be made to fail, and grace periods that end when
 * the test says so.  Several threads may use all of it but fake_fail_after.
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <limits.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef unsigned long pgoff_t;
typedef unsigned int gfp_t;
typedef unsigned int slab_flags_t;

#define VM_READ		0x00000001
#define VM_WRITE	0x00000002
#define VM_EXEC		0x00000004

#define U32_MAX		((u32)~0U)
#define __init
#define noinline_for_stack	__attribute__((noinline))
#define __ro_after_init
#define ARRAY_SIZE(x)	(sizeof(x) / sizeof((x)[0]))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
/* The least x for which 2^x is at least n. */
#define order_base_2(n)	((n) > 1 ? 64 - __builtin_clzll((n) - 1) : 0)
#define DECLARE_FLEX_ARRAY(type, name) \
	struct { struct { } __empty_##name; type name[]; }
#define READ_ONCE(x)	__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))
/* As in the kernel: both sides must be of one type. */
#define min(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); \
	(void)(&_a == &_b); _a < _b ? _a : _b; })
#define max(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); \
	(void)(&_a == &_b); _a > _b ? _a : _b; })

#define fail(...) do { \
	printf("# %s:%d: ", __FILE__, __LINE__); \
	printf(__VA_ARGS__); \
	putchar('\n'); \
	fflush(stdout); \
	abort(); \
} while (0)
#define WARN_ON_ONCE(x)	({ if (x) fail("warning: " #x); false; })
#define BUILD_BUG_ON(x)	_Static_assert(!(x), #x)

typedef struct {
	int refs;
} refcount_t;

static inline void refcount_set(refcount_t *r, int n)
{
	__atomic_store_n(&r->refs, n, __ATOMIC_RELAXED);
}

/* Relaxed in the kernel, where what depends on it is ordered nevertheless. */
static inline int refcount_read(const refcount_t *r)
{
	return __atomic_load_n(&r->refs, __ATOMIC_ACQUIRE);
}

static inline void refcount_inc(refcount_t *r)
{
	if (__atomic_fetch_add(&r->refs, 1, __ATOMIC_RELAXED) < 1)
		fail("reference taken to something dead");
}

static inline bool refcount_dec_and_test(refcount_t *r)
{
	int refs = __atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL);

	if (refs < 0)
		fail("reference dropped twice");
	return !refs;
}

struct llist_node {
	struct llist_node *next;
};

struct llist_head {
	struct llist_node *first;
};

#define LLIST_HEAD(name)	struct llist_head name
#define llist_entry(ptr, type, member)	container_of(ptr, type, member)

static inline bool llist_add(struct llist_node *node, struct llist_head *head)
{
	node->next = __atomic_load_n(&head->first, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&head->first, &node->next, node, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	return !node->next;
}

static inline struct llist_node *llist_del_all(struct llist_head *head)
{
	return __atomic_exchange_n(&head->first, NULL, __ATOMIC_ACQUIRE);
}

struct work_struct {
	void (*func)(struct work_struct *work);
	bool pending;
};

#define DECLARE_WORK(n, f)	struct work_struct n = { .func = (f) }

void fake_schedule_work(struct work_struct *work);
#define schedule_work(w)	fake_schedule_work(w)
#define cond_resched()		do { } while (0)

struct rcu_head {
	struct rcu_head *next;
	size_t offset;
};

void fake_free_later(struct rcu_head *rcu, size_t offset);
#define kfree_rcu(ptr, rhf) \
	fake_free_later(&(ptr)->rhf, offsetof(__typeof__(*(ptr)), rhf))

#define GFP_KERNEL	0
#define SLAB_PANIC	1
#define SLAB_ACCOUNT	2
#define SLAB_NO_MERGE	4

struct kmem_cache;
struct kmem_cache *kmem_cache_create(const char *name, size_t size,
				     size_t align, slab_flags_t flags,
				     void (*ctor)(void *object));
void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp);

/* Bytes and objects that are allocated and not awaiting the grace period. */
extern size_t fake_bytes, fake_objects;
/* If positive, the allocation that brings it to 0 fails. */
extern long fake_fail_after;
extern unsigned long fake_allocs;

/*
 * The end of a grace period: runs workers and frees.  With threads, calls
 * @wait for those who may still look at what is freed.
 */
void fake_grace_period_after(void (*wait)(void));
#define fake_grace_period()	fake_grace_period_after(NULL)

#endif /* FAKE_H */
