// SPDX-License-Identifier: GPL-2.0
/*
 * What bench/unused measures with: memory operations of a program that does not
 * use multi-protection VMAs. Prints "NAME_median VALUE" and "NAME_mean VALUE"
 * lines, in instructions (clock.h).
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define PAGE 4096UL
#define PAGES 64UL	/* what is touched at once: far more than the clock costs */

static int loops;
static unsigned long long *times;

/* Measures what comes after it in a block; @setup is not measured. */
#define MEASURE(name, setup, operation, cleanup) do {			\
	for (int turn = -20; turn < loops; turn++) {			\
		unsigned long long t;					\
									\
		setup;							\
		t = now();						\
		operation;						\
		t = now() - t;						\
		cleanup;						\
		if (turn >= 0)						\
			times[turn] = t;				\
	}								\
	report(name, times, loops);					\
} while (0)

static void *map(unsigned long pages, int prot, int flags, int fd)
{
	void *m = mmap(NULL, pages * PAGE, prot, flags, fd, 0);

	if (m == MAP_FAILED)
		err(1, "mmap");
	return m;
}

static char *anonymous(unsigned long pages)
{
	return map(pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void check(int result)
{
	if (result)
		err(1, NULL);
}

static void write_all(volatile char *m)
{
	for (unsigned long i = 0; i < PAGES; i++)
		m[i * PAGE] = 1;
}

static void read_all(const volatile char *m)
{
	for (unsigned long i = 0; i < PAGES; i++)
		(void)m[i * PAGE];
}

static void fork_and_wait(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		err(1, "fork");
}

static void faults(int fd)
{
	char *m;

	MEASURE("fault_anonymous", m = anonymous(PAGES), write_all(m),
		check(munmap(m, PAGES * PAGE)));
	MEASURE("fault_file", m = map(PAGES, PROT_READ, MAP_PRIVATE, fd);
		check(madvise(m, PAGES * PAGE, MADV_RANDOM)), read_all(m),
		check(munmap(m, PAGES * PAGE)));
	MEASURE("fault_around", m = map(PAGES, PROT_READ, MAP_PRIVATE, fd), read_all(m),
		check(munmap(m, PAGES * PAGE)));
	MEASURE("fault_shared", m = map(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, fd),
		write_all(m), check(munmap(m, PAGES * PAGE)));
	MEASURE("fault_copy", m = map(PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
		read_all(m), write_all(m), check(munmap(m, PAGES * PAGE)));
}

static void mappings(int fd)
{
	char *m;

	MEASURE("mmap", , m = anonymous(PAGES), check(munmap(m, PAGES * PAGE)));
	MEASURE("mmap_file", , m = map(PAGES, PROT_READ, MAP_PRIVATE, fd),
		check(munmap(m, PAGES * PAGE)));
	MEASURE("munmap", m = anonymous(PAGES), check(munmap(m, PAGES * PAGE)), );
	MEASURE("munmap_touched", m = anonymous(PAGES); write_all(m),
		check(munmap(m, PAGES * PAGE)), );
	MEASURE("munmap_middle", m = anonymous(PAGES), check(munmap(m + 8 * PAGE, PAGE)),
		check(munmap(m, PAGES * PAGE)));
	MEASURE("mprotect", m = anonymous(PAGES); write_all(m),
		check(mprotect(m, PAGES * PAGE, PROT_READ)),
		check(munmap(m, PAGES * PAGE)));
	MEASURE("mprotect_split", m = anonymous(PAGES); write_all(m),
		check(mprotect(m + 8 * PAGE, PAGE, PROT_READ)),
		check(munmap(m, PAGES * PAGE)));
	MEASURE("mprotect_merge", m = anonymous(PAGES); write_all(m);
		check(mprotect(m + 8 * PAGE, PAGE, PROT_READ)),
		check(mprotect(m + 8 * PAGE, PAGE, PROT_READ | PROT_WRITE)),
		check(munmap(m, PAGES * PAGE)));
	MEASURE("mremap_grow", m = anonymous(PAGES); check(munmap(m + 32 * PAGE, 32 * PAGE)),
		check(mremap(m, 32 * PAGE, PAGES * PAGE, 0) != m),
		check(munmap(m, PAGES * PAGE)));
	MEASURE("madvise_dontneed", m = anonymous(PAGES); write_all(m),
		check(madvise(m, PAGES * PAGE, MADV_DONTNEED)),
		check(munmap(m, PAGES * PAGE)));
	MEASURE("mlock", m = anonymous(PAGES), check(mlock(m, PAGES * PAGE)),
		check(munmap(m, PAGES * PAGE)));
	MEASURE("brk", , check(sbrk(16 * PAGE) == (void *)-1),
		check(sbrk(-16 * PAGE) == (void *)-1));
}

static void read_maps(void)
{
	char text[65536];
	FILE *f = fopen("/proc/self/maps", "r");

	if (!f)
		err(1, "/proc/self/maps");
	while (fread(text, 1, sizeof(text), f) == sizeof(text))
		;
	fclose(f);
}

int main(int argc, char **argv)
{
	char *m;
	int fd;

	if (argc != 2 || (loops = atoi(argv[1])) < 1)
		errx(2, "usage: %s LOOPS", argv[0]);
	times = calloc(loops, sizeof(*times));
	fd = memfd_create("bench", 0);
	if (!times || fd < 0 || ftruncate(fd, PAGES * PAGE))
		err(1, NULL);
	read_all(map(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd));
	check_clock();

	MEASURE("nothing", , getppid(), );
	faults(fd);
	mappings(fd);
	MEASURE("fork", , fork_and_wait(), );
	for (int i = 0; i < 100; i++) {
		/* With a gap, so that nothing merges. */
		m = anonymous(3);
		check(munmap(m + 2 * PAGE, PAGE));
		memset(m, 1, 2 * PAGE);
	}
	MEASURE("fork_100_vmas", , fork_and_wait(), );
	MEASURE("read_maps", , read_maps(), );
	return 0;
}
