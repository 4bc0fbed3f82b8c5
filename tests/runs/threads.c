// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that change, share and read run maps as page faults, fork() and
 * reverse mapping do, for ThreadSanitizer.  The locks are those that
 * mm/manyprots.c says: changes with mmap_lock held for writing, ANON bits with
 * mmap_lock held for reading and the page table lock, readers with RCU alone.
 */
#include <pthread.h>
#include <unistd.h>

#include "linux/fake.h"
#include "mm/vma_runs.c"

#define NR_VMAS		4
#define NR_THREADS	4
#define NR_STEPS	4000
#define PAGES		600ul
#define FIRST		(0x100000000ul - 100)
#define LAST		(FIRST + PAGES - 1)

static struct vma {
	pthread_rwlock_t mmap_lock;
	pthread_mutex_t page_table_lock;
	struct vma_runs *runs;
	/* what the pages are, without ANON bits */
	struct vma_run page[PAGES];
} vmas[NR_VMAS];

static pthread_rwlock_t rcu = PTHREAD_RWLOCK_INITIALIZER;

static __thread u64 seed;

static unsigned long below(unsigned long n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 16) % n;
}

#define check(x)	do { if (!(x)) fail("not so: %s", #x); } while (0)

static void wait_for_readers(void)
{
	pthread_rwlock_wrlock(&rcu);
	pthread_rwlock_unlock(&rcu);
}

static void publish(struct vma *vma, struct vma_runs *runs)
{
	struct vma_runs *old = vma->runs;

	__atomic_store_n(&vma->runs, runs, __ATOMIC_RELEASE);
	vma_runs_put(old);
}

static void change(struct vma *vma)
{
	struct vma_run run = {
		.first = FIRST + below(PAGES),
		.pgoff = below(PAGES),
		.attr = below(4) ? VM_READ : VM_READ | VMA_RUN_ZEROFILL,
	};
	struct vma_runs *copy;
	unsigned long i;

	run.last = min(LAST, run.first + below(below(20) ? 2 : PAGES));
	pthread_rwlock_wrlock(&vma->mmap_lock);
	copy = vma_runs_replace(vma->runs, FIRST, LAST, &run, VMA_RUNS_JOIN_ANON);
	check(copy);
	publish(vma, copy);
	for (i = run.first; i <= run.last; i++) {
		struct vma_run *page = &vma->page[i - FIRST];

		page->attr = run.attr;
		page->pgoff = run.attr & VMA_RUN_ZEROFILL ? 0 :
			run.pgoff + (i - run.first);
	}
	pthread_rwlock_unlock(&vma->mmap_lock);
}

/* As vma_run_set_anon() in mm/manyprots.c. */
static void set_anon(struct vma *vma)
{
	unsigned long index = FIRST + below(PAGES);
	struct vma_runs *runs, *copy;
	struct vma_run run;
	bool done = false;

	pthread_rwlock_rdlock(&vma->mmap_lock);
	while (!done) {
		pthread_mutex_lock(&vma->page_table_lock);
		runs = vma->runs;
		vma_runs_find(runs, index, &run);
		done = (run.attr & VMA_RUN_ANON) || vma_runs_try_set_anon(runs, index);
		if (!done)
			vma_runs_get(runs);
		pthread_mutex_unlock(&vma->page_table_lock);
		if (done)
			break;

		run.attr |= VMA_RUN_ANON;
		run.last = min(run.last, LAST);
		copy = vma_runs_replace(runs, FIRST, LAST, &run, VMA_RUNS_APART);
		check(copy);
		pthread_mutex_lock(&vma->page_table_lock);
		done = vma->runs == runs;
		if (done)
			__atomic_store_n(&vma->runs, copy, __ATOMIC_RELEASE);
		pthread_mutex_unlock(&vma->page_table_lock);
		vma_runs_put(runs);
		vma_runs_put(done ? runs : copy);
	}
	pthread_rwlock_unlock(&vma->mmap_lock);
}

static void fork_to(struct vma *child, struct vma *parent)
{
	if (child == parent)
		return;
	/* In the order of addresses, as two threads may do so. */
	pthread_rwlock_wrlock(&min(child, parent)->mmap_lock);
	pthread_rwlock_wrlock(&max(child, parent)->mmap_lock);
	publish(child, vma_runs_get(parent->runs));
	memcpy(child->page, parent->page, sizeof(child->page));
	pthread_rwlock_unlock(&parent->mmap_lock);
	pthread_rwlock_unlock(&child->mmap_lock);
}

/* Who holds mmap_lock finds what was put there. */
static void look(struct vma *vma)
{
	unsigned long i;

	pthread_rwlock_rdlock(&vma->mmap_lock);
	pthread_rwlock_rdlock(&rcu);
	for (i = below(7); i < PAGES; i += 7) {
		struct vma_run *page = &vma->page[i], run;

		vma_runs_find(__atomic_load_n(&vma->runs, __ATOMIC_ACQUIRE),
			      FIRST + i, &run);
		check((run.attr & ~VMA_RUN_ANON) == page->attr);
		if (!(run.attr & VMA_RUN_ZEROFILL))
			check(run.pgoff + (FIRST + i - run.first) == page->pgoff);
	}
	pthread_rwlock_unlock(&rcu);
	pthread_rwlock_unlock(&vma->mmap_lock);
}

/* Who has only RCU finds what was there at some time. */
static void find_file(struct vma *vma)
{
	struct vma_runs_search search = {
		.first = FIRST,
		.last = LAST,
		.first_pgoff = below(PAGES),
	};
	const struct vma_run *after = NULL;
	struct vma_runs *runs;
	struct vma_runs_sum sum;
	struct vma_run run;

	search.last_pgoff = search.first_pgoff + below(20);
	pthread_rwlock_rdlock(&rcu);
	runs = __atomic_load_n(&vma->runs, __ATOMIC_ACQUIRE);
	while (vma_runs_find_file(runs, &search, after, &run)) {
		check(run.first >= FIRST && run.last <= LAST);
		check(run.pgoff <= search.last_pgoff);
		check(run.pgoff + (run.last - run.first) >= search.first_pgoff);
		after = &run;
	}
	vma_runs_sum(runs, FIRST, LAST, &sum);
	check(vma_runs_count(runs, FIRST, LAST) <= PAGES);
	pthread_rwlock_unlock(&rcu);
}

static void *steps(void *arg)
{
	unsigned long i;

	seed = (unsigned long)arg * 0x9e3779b97f4a7c15 + 1;
	for (i = 0; i < NR_STEPS; i++) {
		struct vma *vma = &vmas[below(NR_VMAS)];

		switch (below(16)) {
		case 0:
			fork_to(vma, &vmas[below(NR_VMAS)]);
			break;
		case 1:
			look(vma);
			break;
		case 2:
			fake_grace_period_after(wait_for_readers);
			break;
		case 3 ... 6:
			set_anon(vma);
			break;
		case 7 ... 10:
			find_file(vma);
			break;
		default:
			change(vma);
		}
	}
	return NULL;
}

int main(void)
{
	pthread_t thread[NR_THREADS];
	unsigned long i, j;

	vma_runs_init();
	for (i = 0; i < NR_VMAS; i++) {
		pthread_rwlock_init(&vmas[i].mmap_lock, NULL);
		pthread_mutex_init(&vmas[i].page_table_lock, NULL);
		vmas[i].runs = vma_runs_create(FIRST, 0, VM_READ);
		check(vmas[i].runs);
		for (j = 0; j < PAGES; j++) {
			vmas[i].page[j].attr = VM_READ;
			vmas[i].page[j].pgoff = j;
		}
	}
	for (i = 0; i < NR_THREADS; i++)
		check(!pthread_create(&thread[i], NULL, steps, (void *)(i + 1)));
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < NR_VMAS; i++)
		vma_runs_put(vmas[i].runs);
	fake_grace_period();
	fake_grace_period();
	check(!fake_objects && !fake_bytes);
	printf("ok - run map: threads share maps, with the locks of the kernel\n");
	printf("1..1\n");
	return 0;
}
