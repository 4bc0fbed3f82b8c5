// SPDX-License-Identifier: GPL-2.0
/*
 * mprotect of one page among N that are protected, as a garbage collector does:
 * every other page of an area, in order and in random order. The process asks
 * for it with PR_SET_MANYPROTS, which the stock kernel refuses; there it goes on
 * until vm.max_map_count.
 */
#include <sys/prctl.h>

#include "slab.h"

static const long sizes[] = { 10, 100, 1000, 10000, 100000, 1000000 };
#define SIZES (sizeof(sizes) / sizeof(*sizes))

enum { IN_ORDER, RANDOM, TOUCHED };

static const char *const names[] = {
	"mprotect.alternate", "mprotect.random", "mprotect.touched",
};

/* The page that comes as number @i of @n, a power of ten: each once. */
static unsigned long page(long i, long n, int how)
{
	/* Prime, and no divisor of a power of ten. */
	return 2 * (how == RANDOM ? (unsigned long)i * 7919 % n : (unsigned long)i) + 1;
}

/* One of the protected pages is written to, and protected again. */
static void toggle(char *m, long n, long turns)
{
	/* On User-mode Linux all of them at once: a call is too short. */
	long at_once = instructions ? 1 : turns;
	double *samples = samples_of(turns);
	u64 t;

	for (long i = 0; i < turns; i += at_once) {
		t = cpu_time();
		for (long j = i; j < i + at_once; j++) {
			char *p = m + page(j * 104729 % n, n, IN_ORDER) * PAGE;

			check(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
			check(mprotect(p, PAGE, PROT_READ));
		}
		samples[i / at_once] = cpu_time() - t;
	}
	report_mean("mprotect.toggle", n, samples, turns / at_once, 2. * at_once);
	free(samples);
}

/* Protects pages from number @from to before @to; where it failed, or @to */
static long protect(char *m, long n, int how, long from, long to)
{
	for (; from < to; from++)
		if (mprotect(m + page(from, n, how) * PAGE, PAGE, PROT_READ))
			break;
	return from;
}

/*
 * Protects @n pages. In instructions the cost is that of the last tenth of the
 * calls; on User-mode Linux of all, with mmap and munmap.
 */
static void with(long n, int how)
{
	long samples_each = instructions ? n / 10 > 1000 ? 1000 : n / 10 : 1;
	long rounds = n > 1000 ? 1 : often(instructions ? 50 : 20000 / n, 10);
	double *samples, slab = -1;
	long i, count = 0, reached = 0;
	char *m = NULL;
	u64 t;

	samples = samples_of(samples_each * rounds);
	t = cpu_time();
	for (long round = 0; round < rounds; round++) {
		m = anonymous(2 * n);
		if (how == TOUCHED)
			memset(m, 1, 2 * n * PAGE);
		if (round == rounds - 1 && how == IN_ORDER && n >= 1000)
			slab = vma_slab();
		i = instructions ? n - samples_each : n;
		reached = protect(m, n, how, 0, i);
		for (; i < n && reached == i; i++) {
			t = cpu_time();
			reached = protect(m, n, how, i, i + 1);
			samples[count++] = cpu_time() - t;
		}
		if (round < rounds - 1)
			check(munmap(m, 2 * n * PAGE));
	}
	if (!instructions) {
		samples[0] = (cpu_time() - t) / (double)(rounds * n);
		count = 1;
	}
	if (how == IN_ORDER)
		figure("mprotect.reached", n, "pages", reached, 0);
	if (reached < n)
		refused(names[how], n, unit());
	else
		report_mean(names[how], n, samples, count, 1);
	if (how == IN_ORDER && reached < n)
		refused("mprotect.toggle", n, unit());
	else if (how == IN_ORDER)
		toggle(m, n, often(1000, 100));
	if (slab >= 0 && reached < n)
		refused("mprotect.bytes_per_page", n, "bytes");
	else if (slab >= 0)
		figure("mprotect.bytes_per_page", n, "bytes", (vma_slab() - slab) / n, 0);
	check(munmap(m, 2 * n * PAGE));
	free(samples);
}

int main(void)
{
	FILE *f = fopen("/proc/sys/vm/max_run_count", "w");

	bench_start();
	prctl(PR_SET_MANYPROTS, 2, 0, 0, 0);
	/* A million protected pages are two million runs, twice the default. */
	if (f) {
		fprintf(f, "%d\n", 4 << 20);
		fclose(f);
	}
	for (int how = IN_ORDER; how <= TOUCHED; how++)
		for (size_t i = 0; i < SIZES; i++) {
			/*
			 * Pages that are touched are memory, and on User-mode Linux
			 * each is a mapping of the host.
			 */
			if (!wanted(sizes[i], often(how == IN_ORDER ? 1000000 : 100000,
						    10000)) ||
			    (how == TOUCHED && sizes[i] > (instructions ? 100000 : 10000)))
				break;
			with(sizes[i], how);
		}
	return 0;
}
