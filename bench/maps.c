// SPDX-License-Identifier: GPL-2.0
/*
 * What goes over all of an area in which N pages are protected: the texts in
 * /proc, mprotect of it as a whole, mremap, munmap, fork.
 */
#define _GNU_SOURCE
#include <sys/prctl.h>

#include "bench.h"

#define FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static char *area(long n)
{
	char *m = anonymous(2 * n);

	for (long i = 0; i < n; i++)
		if (mprotect(m + (2 * i + 1) * PAGE, PAGE, PROT_READ)) {
			check(munmap(m, 2 * n * PAGE));
			return NULL;
		}
	return m;
}

static void fork_and_wait(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	wait_for(pid);
}

/* In one call; stock moves no more than one VMA with each. */
static void move(char *from, char *to, long n)
{
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	if (mremap(from, 2 * n * PAGE, 2 * n * PAGE, flags, to) == to)
		return;
	for (long i = 0; i < 2 * n; i++)
		if (mremap(from + i * PAGE, PAGE, PAGE, flags, to + i * PAGE) == MAP_FAILED)
			err(1, "mremap");
}

static void with(long n)
{
	static const char *const all[] = {
		"maps.read_maps", "maps.read_smaps", "maps.fork_exit_wait", "maps.mprotect_all",
		"maps.munmap", "maps.mremap",
	};
	int loops = often(50000, 2000) / n;
	char *m = area(n), *target;

	if (!m) {
		for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
			refused(all[i], n, unit());
		return;
	}
	if (loops > 100)
		loops = 100;
	if (loops < 2)
		loops = 2;
	MEASURE(all[0], n, loops, 1, , read_file("/proc/self/maps"), );
	MEASURE(all[1], n, loops, 1, , read_file("/proc/self/smaps"), );
	MEASURE(all[2], n, loops, 1, , fork_and_wait(), );
	check(munmap(m, 2 * n * PAGE));
	MEASURE(all[3], n, loops, 1, m = area(n),
		check(mprotect(m, 2 * n * PAGE, PROT_READ)),
		check(munmap(m, 2 * n * PAGE)));
	MEASURE(all[4], n, loops, 1, m = area(n), check(munmap(m, 2 * n * PAGE)), );

	MEASURE(all[5], n, loops, 1, m = area(n); target = map(2 * n, PROT_NONE, FLAGS, -1),
		move(m, target, n), check(munmap(target, 2 * n * PAGE)));
}

int main(void)
{
	bench_start();
	prctl(PR_SET_MANYPROTS, 2, 0, 0, 0);
	for (long n = 10; wanted(n, often(instructions ? 100000 : 10000, 1000)); n *= 10)
		with(n);
	return 0;
}
