/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every benchmark has: clocks, and the lines of its results,
 *
 *	FIGURE X UNIT VALUE SPREAD
 *
 * where X is what the figure grows with, and SPREAD how far the value may be off,
 * as a part of it. VALUE is "-" where the kernel refused.
 *
 * $BENCH_CLOCK says where it runs. "icount": a nanosecond of the guest's clock
 * is an instruction (qemu -icount shift=0,sleep=off). "host": User-mode Linux,
 * whose CPU time bench/host-clock tells who asks for it.
 */
#ifndef BENCH_H
#define BENCH_H

#include <err.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define UNTIL_STEADY 5	/* what is done first and does not count */

#ifndef PR_SET_MANYPROTS
#define PR_SET_MANYPROTS 0x4d505200
#endif

typedef unsigned long long u64;

static int instructions;	/* whether the clock counts them */
static int quick;		/* QUICK=1: to see that it works, and roughly how */

static inline u64 monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/*
 * Instructions, or what User-mode Linux with its processes used of the host's
 * processors. Asking for that takes about a tenth of a millisecond.
 */
static inline u64 cpu_time(void)
{
	char line[32];
	ssize_t n;

	if (instructions)
		return monotonic();
	fflush(stdout);
	if (write(1, "@clock\n", 7) != 7)
		err(1, "asking for the time");
	n = read(0, line, sizeof(line) - 1);
	if (n < 2)
		errx(1, "nobody tells the time: run it by bench/run");
	line[n] = 0;
	return strtoull(line, NULL, 10);
}

/* Ends the program where the clock does not count instructions. */
static inline void check_clock(void)
{
	u64 t, best = -1;
	unsigned long count;
	int i;

	for (i = 0; i < 5; i++) {
		count = 500000;
		t = cpu_time();
		__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r" (count));
		t = cpu_time() - t;
		if (t < best)
			best = t;
	}
	/* Of a million; the best of some tries. */
	if (best < 990000 || best > 1010000)
		errx(1, "this clock does not count instructions: %llu for a million",
		     best);
}

static inline void bench_start(void)
{
	const char *clock = getenv("BENCH_CLOCK");

	quick = getenv("QUICK") && atoi(getenv("QUICK"));
	instructions = clock && !strcmp(clock, "icount");
	if (instructions)
		check_clock();
}

/* @thorough times, in a quick run @fast times */
static inline int often(int thorough, int fast)
{
	return quick ? fast : thorough;
}

/* Whether so many pages are asked for; MOST=N bounds it. */
static inline int wanted(long n, long most)
{
	if (getenv("MOST") && atol(getenv("MOST")) < most)
		most = atol(getenv("MOST"));
	return n <= most;
}

static inline void figure(const char *name, long x, const char *unit, double value,
			  double spread)
{
	printf("%s %ld %s %.6g %.4f\n", name, x, unit, value, spread);
	fflush(stdout);
}

static inline void refused(const char *name, long x, const char *unit)
{
	printf("%s %ld %s - 0\n", name, x, unit);
	fflush(stdout);
}

static inline const char *unit(void)
{
	return instructions ? "instructions" : "ns";
}

static inline int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * The median of @n samples, each of @per things; sorts them. How far it may be
 * off: the distance of the quartiles times 1.57 / sqrt(n), which is where box
 * plots have their notches (McGill, Tukey and Larsen 1978).
 */
static inline void report(const char *name, long x, double *samples, int n, double per)
{
	double median;

	qsort(samples, n, sizeof(*samples), compare);
	median = samples[n / 2];
	figure(name, x, unit(), median / per, median <= 0 ? 0 :
	       1.57 * (samples[3 * n / 4] - samples[n / 4]) / median / sqrt(n));
}

/*
 * The mean, for what takes long now and then by itself; without a twentieth at
 * both ends, which is what other processes took.
 */
static inline void report_mean(const char *name, long x, double *samples, int n, double per)
{
	int cut = n / 20;
	double mean = 0, square = 0;

	qsort(samples, n, sizeof(*samples), compare);
	for (int i = cut; i < n - cut; i++)
		mean += samples[i] / (n - 2 * cut);
	for (int i = cut; i < n - cut; i++)
		square += (samples[i] - mean) * (samples[i] - mean) / (n - 2 * cut);
	figure(name, x, unit(), mean / per, mean > 0 ? 2 * sqrt(square / n) / mean : 0);
}

static inline double *samples_of(int n)
{
	double *samples = calloc(n, sizeof(*samples));

	if (!samples)
		err(1, NULL);
	return samples;
}

/* Marks for bench/plugin.c; in other programs they are not there. */
#ifdef PROFILED
#define PROFILE(mark)							\
	__asm__ volatile(".byte 0x0f,0x1f,0x80," #mark ",0x4d,0x50,0x52" ::: "memory")
static inline void profiled(const char *name, long x, double per)
{
	PROFILE(3);
	printf("profiled %s %ld %f\n", name, x, per);
	fflush(stdout);
}
#else
#define PROFILE(mark)
#define profiled(name, x, per)
#endif

/*
 * @operation @loops times, after some that do not count; @per: how many things it
 * does. In instructions @setup and @cleanup, which go with each, are not
 * measured. On User-mode Linux they are: a single operation is too short for the
 * only clock there, so that all is done as often as takes long enough.
 */
#define MEASURE(name, x, loops, per, setup, operation, cleanup) do {	\
	int loops_ = (loops), at_once_ = 1;				\
	double *samples_;						\
	u64 t_ = 0, operation_ = 0;					\
									\
	/* What is long is steady sooner. */				\
	for (int i_ = 0; i_ < UNTIL_STEADY && t_ < 100000000; i_++) {	\
		t_ = cpu_time();					\
		setup;							\
		operation;						\
		cleanup;						\
		t_ = cpu_time() - t_;					\
	}								\
	if (!instructions)						\
		at_once_ = at_once(t_, &loops_);			\
	samples_ = samples_of(loops_);					\
	for (int i_ = 0; i_ < loops_; i_++) {				\
		t_ = cpu_time();					\
		for (int j_ = 0; j_ < at_once_; j_++) {			\
			setup;						\
			if (instructions)				\
				operation_ = cpu_time();		\
			PROFILE(1);					\
			operation;					\
			PROFILE(2);					\
			if (instructions)				\
				operation_ = cpu_time() - operation_;	\
			cleanup;					\
		}							\
		samples_[i_] = instructions ? operation_ : cpu_time() - t_; \
	}								\
	report(name, x, samples_, loops_, (double)at_once_ * (per));	\
	profiled(name, x, (double)at_once_ * (per));			\
	free(samples_);							\
} while (0)

/* How often what takes @t is done between two looks at the clock. */
static inline int at_once(u64 t, int *loops)
{
	u64 enough = quick ? 5000000 : 20000000;
	int n = t < enough ? enough / (t + 1) + 1 : 1;

	*loops = (*loops + n - 1) / n;
	if (*loops < 5)
		*loops = 5;
	return n;
}

static inline void check(int result)
{
	if (result)
		err(1, NULL);
}

static inline void *map(unsigned long pages, int prot, int flags, int fd)
{
	void *m = mmap(NULL, pages * PAGE, prot, flags, fd, 0);

	if (m == MAP_FAILED)
		err(1, "mmap of %lu pages", pages);
	return m;
}

static inline char *anonymous(unsigned long pages)
{
	return map(pages, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

static inline void wait_for(pid_t pid)
{
	int status;

	if (pid < 0)
		err(1, "fork");
	if (waitpid(pid, &status, 0) != pid || status)
		errx(1, "child: status %#x", status);
}

/* Reads it all; the number of bytes. */
static inline long read_file(const char *name)
{
	static char text[65536];
	long sum = 0;
	size_t n;
	FILE *f = fopen(name, "r");

	if (!f)
		err(1, "%s", name);
	setvbuf(f, NULL, _IONBF, 0);
	while ((n = fread(text, 1, sizeof(text), f)))
		sum += n;
	fclose(f);
	return sum;
}

#endif
