// SPDX-License-Identifier: GPL-2.0
/*
 * Page faults: the first touch of the parts of a library, and of pages of an
 * area of N runs, which is as many VMAs on stock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/prctl.h>

#include "bench.h"

#define PAGES 64	/* of each part of libfault.so */

static void *library;
static int loops;

static char *symbol(const char *name)
{
	char *m = dlsym(library, name);

	if (!m)
		errx(1, "%s", dlerror());
	return m;
}

static void load(void)
{
	library = dlopen("libfault.so", RTLD_NOW);
	if (!library)
		errx(1, "%s", dlerror());
}

static void unload(void)
{
	if (dlclose(library))
		errx(1, "%s", dlerror());
}

static void read_all(const volatile char *m)
{
	for (unsigned long i = 0; i < PAGES; i++)
		(void)m[i * PAGE];
}

static void write_all(volatile char *m)
{
	for (unsigned long i = 0; i < PAGES; i++)
		m[i * PAGE] = 1;
}

static void call_all(const char *m)
{
	for (unsigned long i = 0; i < PAGES; i++)
		((void (*)(void))(m + i * PAGE))();
}

/* Each page is a fault, or up to sixteen are. For root only. */
static int fault_around(int pages)
{
	FILE *f = fopen("/sys/kernel/debug/fault_around_bytes", "w");

	if (!f)
		return -1;
	fprintf(f, "%lu\n", pages * PAGE);
	return fclose(f);
}

static void parts(void)
{
	char *m;

	MEASURE("fault.text", PAGES, loops, PAGES, load(); m = symbol("fault_text"),
		call_all(m), unload());
	MEASURE("fault.rodata", PAGES, loops, PAGES, load(); m = symbol("fault_rodata"),
		read_all(m), unload());
	MEASURE("fault.data_read", PAGES, loops, PAGES, load(); m = symbol("fault_data"),
		read_all(m), unload());
	MEASURE("fault.data", PAGES, loops, PAGES, load(); m = symbol("fault_data"),
		write_all(m), unload());
	MEASURE("fault.bss", PAGES, loops, PAGES, load(); m = symbol("fault_bss"),
		write_all(m), unload());
	MEASURE("fault.bss_read", PAGES, loops, PAGES, load(); m = symbol("fault_bss"),
		read_all(m), unload());
	if (fault_around(1))
		return;
	MEASURE("fault.text_alone", PAGES, loops, PAGES, load(); m = symbol("fault_text"),
		call_all(m), unload());
	MEASURE("fault.rodata_alone", PAGES, loops, PAGES, load();
		m = symbol("fault_rodata"), read_all(m), unload());
	check(fault_around(16));
}

static void touch(volatile char *m, unsigned long stride)
{
	for (unsigned long i = 0; i < PAGES; i++)
		m[i * stride * PAGE] = 1;
}

/*
 * N runs: every other page may only be read. Pages of the others are touched,
 * spread over all.
 */
static void runs(long n)
{
	unsigned long span = n < 2 * PAGES ? 2 * PAGES : n + (n & 1);
	unsigned long stride = span / PAGES / 2 * 2;
	char *m = anonymous(span);
	long i;

	/* There and back: one run, in a run map. */
	check(mprotect(m + PAGE, PAGE, PROT_READ));
	check(mprotect(m + PAGE, PAGE, PROT_READ | PROT_WRITE));
	/* Of few runs, at the end, so that what is touched is the first. */
	for (i = n < 1000 ? span - n + 1 : 1; i < (long)span; i += 2)
		if (n > 1 && mprotect(m + i * PAGE, PAGE, PROT_READ)) {
			refused("fault.runs", n, unit());
			goto out;
		}
	if (n < 1000)
		stride = 1;
	MEASURE("fault.runs", n, loops, PAGES,
		check(madvise(m, span * PAGE, MADV_DONTNEED)), touch(m, stride), );
out:
	check(munmap(m, span * PAGE));
}

int main(void)
{
	bench_start();
	loops = often(100, 20);
	parts();
	prctl(PR_SET_MANYPROTS, 2, 0, 0, 0);
	runs(1);
	runs(6);
	runs(1000);
	runs(often(10000, 2000));
	if (wanted(100000, often(100000, 2000)))
		runs(100000);
	return 0;
}
