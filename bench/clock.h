/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A clock that counts instructions: that of a guest whose nanosecond is an
 * instruction (qemu -icount shift=0,sleep=off).
 */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline unsigned long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static inline int compare(const void *a, const void *b)
{
	unsigned long long x = *(const unsigned long long *)a;
	unsigned long long y = *(const unsigned long long *)b;

	return (x > y) - (x < y);
}

static inline void report(const char *name, unsigned long long *times, int n)
{
	unsigned long long sum = 0;
	int i;

	qsort(times, n, sizeof(*times), compare);
	for (i = 0; i < n; i++)
		sum += times[i];
	printf("%s_median %llu\n", name, times[n / 2]);
	printf("%s_mean %llu\n", name, sum / n);
}

/* Ends the program where the clock does not count instructions. */
static inline void check_clock(void)
{
	unsigned long long t, best = -1;
	unsigned long count;
	int i;

	for (i = 0; i < 5; i++) {
		count = 500000;
		t = now();
		__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r" (count));
		t = now() - t;
		if (t < best)
			best = t;
	}
	/* Of a million; the best of some tries. */
	if (best < 990000 || best > 1010000)
		errx(1, "this clock does not count instructions: %llu for a million",
		     best);
}

#endif
