// SPDX-License-Identifier: GPL-2.0
/*
 * What LTP says of ebizzy: a workload like that of a web server: highly
 * threaded, a large working set in memory, memory allocated and freed often.
 * Each thread takes one of many chunks, copies it to memory that it allocates,
 * searches the copy for a key, and frees it. Chunks and copies are mappings of
 * their own, as malloc makes them of that size.
 */
#include <malloc.h>
#include <pthread.h>

#include "bench.h"

#define CHUNKS 100
#define CHUNK (64 * 1024UL)
#define ITEMS (CHUNK / sizeof(long))

static long *chunks[CHUNKS];
static int rounds;

static unsigned int next(unsigned int *state)
{
	*state = *state * 1103515245 + 12345;
	return *state >> 8;
}

static void *serve(void *seed)
{
	unsigned int state = (unsigned long)seed;
	long *copy, key;
	size_t low, high, middle;

	for (int i = 0; i < rounds; i++) {
		copy = malloc(CHUNK);
		if (!copy)
			err(1, NULL);
		memcpy(copy, chunks[next(&state) % CHUNKS], CHUNK);
		key = next(&state) % ITEMS;
		low = 0;
		high = ITEMS;
		while (low < high) {
			middle = (low + high) / 2;
			if (copy[middle] < key)
				low = middle + 1;
			else
				high = middle;
		}
		if (low >= ITEMS || copy[low] != key)
			errx(1, "a key is not where it was put");
		free(copy);
	}
	return NULL;
}

static void serve_all(int threads)
{
	pthread_t thread[64];

	for (long i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, serve, (void *)(i + 1)))
			errx(1, "pthread_create");
	for (int i = 0; i < threads; i++)
		if (pthread_join(thread[i], NULL))
			errx(1, "pthread_join");
}

int main(void)
{
	bench_start();
	rounds = often(100, 20);
	mallopt(M_MMAP_THRESHOLD, CHUNK / 2);
	for (int i = 0; i < CHUNKS; i++) {
		chunks[i] = malloc(CHUNK);
		if (!chunks[i])
			err(1, NULL);
		for (size_t j = 0; j < ITEMS; j++)
			chunks[i][j] = j;
	}
	for (int threads = 1; threads <= 64; threads *= 4)
		MEASURE("ebizzy.round", threads, often(10, 5), (double)threads * rounds, ,
			serve_all(threads), );
	return 0;
}
