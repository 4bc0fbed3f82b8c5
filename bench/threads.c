// SPDX-License-Identifier: GPL-2.0
/*
 * Threads: N are made, live at once, and end. Stacks have a guard page each;
 * they are larger than what libc keeps of ended threads.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include "slab.h"

#define MANY 1000
#define STACK (256 * 1024UL)	/* 40 MiB is kept: 160 of them */

static pthread_t threads[MANY];
static pthread_attr_t attr;
static pthread_barrier_t all_there, may_end;

static void *live(void *arg)
{
	pthread_barrier_wait(&all_there);
	pthread_barrier_wait(&may_end);
	return arg;
}

static void *nothing(void *arg)
{
	return arg;
}

static void start(int n)
{
	pthread_barrier_init(&all_there, NULL, n + 1);
	pthread_barrier_init(&may_end, NULL, n + 1);
	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i], &attr, live, NULL))
			errx(1, "pthread_create, number %d", i + 1);
	pthread_barrier_wait(&all_there);
}

static void end(int n)
{
	pthread_barrier_wait(&may_end);
	for (int i = 0; i < n; i++)
		if (pthread_join(threads[i], NULL))
			errx(1, "pthread_join");
}

static void one(void)
{
	pthread_t thread;

	if (pthread_create(&thread, &attr, nothing, NULL) || pthread_join(thread, NULL))
		errx(1, "pthread_create");
}

static void with(int n, int loops)
{
	double *create = samples_of(loops), *join = samples_of(loops), slab;
	u64 t;

	start(n);
	end(n);
	slab = vma_slab();
	for (int i = 0; i < loops; i++) {
		t = cpu_time();
		start(n);
		create[i] = cpu_time() - t;
		if (i == 0 && slab >= 0)
			slab = vma_slab() - slab;
		t = cpu_time();
		end(n);
		join[i] = cpu_time() - t;
	}
	report("threads.create", n, create, loops, n);
	report("threads.exit_join", n, join, loops, n);
	if (n == MANY && slab >= 0)
		figure("threads.bytes_per_thread", n, "bytes", slab / n, 0);
	free(create);
	free(join);

	/* One more, beside these. */
	start(n);
	MEASURE("threads.one_more", n, often(200, 20), 1, , one(), );
	end(n);
}

int main(void)
{
	bench_start();
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	/* From outside, the time of less cannot be told. */
	for (int n = instructions ? 10 : 100; n <= MANY; n *= 10)
		with(n, often(10, 3));
	return 0;
}
