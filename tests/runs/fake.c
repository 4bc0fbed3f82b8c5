// SPDX-License-Identifier: GPL-2.0
/* See linux/fake.h. */
#include "linux/fake.h"

struct kmem_cache {
	const char *name;
	size_t size;
};

/* Before each object; 16 bytes, so that objects are aligned. */
struct header {
	struct kmem_cache *cache;
	void *unused;
};

size_t fake_bytes, fake_objects;
long fake_fail_after;
unsigned long fake_allocs;

static struct rcu_head *later;
static struct work_struct *work;

struct kmem_cache *kmem_cache_create(const char *name, size_t size,
				     size_t align, slab_flags_t flags,
				     void (*ctor)(void *object))
{
	struct kmem_cache *cache = malloc(sizeof(*cache));

	if (strncmp(name, "vma_run", 7) || align || ctor)
		fail("cache %s", name);
	if (flags != (SLAB_PANIC | SLAB_ACCOUNT | SLAB_NO_MERGE))
		fail("cache %s has flags %u", name, flags);
	if (!cache)
		fail("no memory");
	cache->name = name;
	cache->size = (size + 7) & ~7ul;
	return cache;
}

void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	struct header *header;

	(void)gfp;
	__atomic_add_fetch(&fake_allocs, 1, __ATOMIC_RELAXED);
	if (fake_fail_after > 0 && --fake_fail_after == 0)
		return NULL;
	header = malloc(sizeof(*header) + cache->size);
	if (!header)
		fail("no memory");
	header->cache = cache;
	memset(header + 1, 0xa5, cache->size);
	__atomic_add_fetch(&fake_bytes, cache->size, __ATOMIC_RELAXED);
	__atomic_add_fetch(&fake_objects, 1, __ATOMIC_RELAXED);
	return header + 1;
}

void fake_free_later(struct rcu_head *rcu, size_t offset)
{
	struct header *header = (struct header *)((char *)rcu - offset) - 1;

	__atomic_sub_fetch(&fake_bytes, header->cache->size, __ATOMIC_RELAXED);
	__atomic_sub_fetch(&fake_objects, 1, __ATOMIC_RELAXED);
	rcu->offset = offset;
	rcu->next = __atomic_load_n(&later, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&later, &rcu->next, rcu, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

void fake_schedule_work(struct work_struct *w)
{
	struct work_struct *old = __atomic_exchange_n(&work, w, __ATOMIC_ACQ_REL);

	if (old && old != w)
		fail("two kinds of work");
}

void fake_grace_period_after(void (*wait)(void))
{
	struct work_struct *w = __atomic_exchange_n(&work, NULL, __ATOMIC_ACQ_REL);
	struct rcu_head *rcu, *next;

	if (w)
		w->func(w);
	rcu = __atomic_exchange_n(&later, NULL, __ATOMIC_ACQUIRE);
	if (wait)
		wait();
	for (; rcu; rcu = next) {
		next = rcu->next;
		free((struct header *)((char *)rcu - rcu->offset) - 1);
	}
}
