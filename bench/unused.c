// SPDX-License-Identifier: GPL-2.0
/*
 * Operations of a program that does not use multi-protection VMAs: of memory,
 * and a set like that of lmbench. It is linked statically; that the kernel's ELF
 * loader makes one VMA of it is the default, and is off where vm.manyprots is 0
 * (X is the value; the same on stock, where there is none).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sched.h>
#include <sys/select.h>
#include <sys/stat.h>

#include "bench.h"

#define PAGES 64UL	/* what is touched at once: far more than the clock costs */

static int loops;
static long mode;

#define SHORT(name, setup, operation, cleanup)				\
	MEASURE("unused." name, mode, loops, 1, setup, operation, cleanup)
#define TIMES(name, times, operation)					\
	MEASURE("unused." name, mode, loops / 4, times, ,		\
		for (int n_ = 0; n_ < (times); n_++) { operation; }, )

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
	wait_for(pid);
}

static void exec_and_wait(char **argv)
{
	pid_t pid = vfork();

	if (!pid) {
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	wait_for(pid);
}

static void faults(int fd)
{
	char *m;

	SHORT("fault_anonymous", m = anonymous(PAGES), write_all(m),
		check(munmap(m, PAGES * PAGE)));
	SHORT("fault_file", m = map(PAGES, PROT_READ, MAP_PRIVATE, fd);
		check(madvise(m, PAGES * PAGE, MADV_RANDOM)), read_all(m),
		check(munmap(m, PAGES * PAGE)));
	SHORT("fault_around", m = map(PAGES, PROT_READ, MAP_PRIVATE, fd), read_all(m),
		check(munmap(m, PAGES * PAGE)));
	SHORT("fault_shared", m = map(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, fd),
		write_all(m), check(munmap(m, PAGES * PAGE)));
	SHORT("fault_copy", m = map(PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
		read_all(m), write_all(m), check(munmap(m, PAGES * PAGE)));
}

static void mappings(int fd)
{
	char *m;

	SHORT("mmap", , m = anonymous(PAGES), check(munmap(m, PAGES * PAGE)));
	SHORT("mmap_file", , m = map(PAGES, PROT_READ, MAP_PRIVATE, fd),
		check(munmap(m, PAGES * PAGE)));
	SHORT("munmap", m = anonymous(PAGES), check(munmap(m, PAGES * PAGE)), );
	SHORT("munmap_touched", m = anonymous(PAGES); write_all(m),
		check(munmap(m, PAGES * PAGE)), );
	SHORT("munmap_middle", m = anonymous(PAGES), check(munmap(m + 8 * PAGE, PAGE)),
		check(munmap(m, PAGES * PAGE)));
	SHORT("mprotect", m = anonymous(PAGES); write_all(m),
		check(mprotect(m, PAGES * PAGE, PROT_READ)),
		check(munmap(m, PAGES * PAGE)));
	SHORT("mprotect_split", m = anonymous(PAGES); write_all(m),
		check(mprotect(m + 8 * PAGE, PAGE, PROT_READ)),
		check(munmap(m, PAGES * PAGE)));
	SHORT("mprotect_merge", m = anonymous(PAGES); write_all(m);
		check(mprotect(m + 8 * PAGE, PAGE, PROT_READ)),
		check(mprotect(m + 8 * PAGE, PAGE, PROT_READ | PROT_WRITE)),
		check(munmap(m, PAGES * PAGE)));
	SHORT("mremap_grow", m = anonymous(PAGES); check(munmap(m + 32 * PAGE, 32 * PAGE)),
		check(mremap(m, 32 * PAGE, PAGES * PAGE, 0) != m),
		check(munmap(m, PAGES * PAGE)));
	SHORT("madvise_dontneed", m = anonymous(PAGES); write_all(m),
		check(madvise(m, PAGES * PAGE, MADV_DONTNEED)),
		check(munmap(m, PAGES * PAGE)));
	SHORT("mlock", m = anonymous(PAGES), check(mlock(m, PAGES * PAGE)),
		check(munmap(m, PAGES * PAGE)));
	SHORT("brk", , check(sbrk(16 * PAGE) == (void *)-1),
		check(sbrk(-16 * PAGE) == (void *)-1));
}

static volatile sig_atomic_t caught;

static void catch(int signal)
{
	caught += signal;
}

/* A byte to another process and back: four context switches or so. */
static void ping(int *pipes)
{
	char c = 0;

	if (write(pipes[1], &c, 1) != 1 || read(pipes[2], &c, 1) != 1)
		err(1, "pipe");
}

/* What lmbench's lat_syscall, lat_sig, lat_pipe, lat_select, bw_pipe do. */
static void lmbench(void)
{
	int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
	int to[2], from[2], pipes[3], fd;
	struct timeval timeout = { };
	static char buffer[65536];
	struct stat st;
	fd_set set;
	pid_t pid;
	char c;

	if (zero < 0 || null < 0 || pipe(to) || pipe(from))
		err(1, NULL);
	TIMES("null", 100, getppid());
	TIMES("read", 100, check(read(zero, &c, 1) != 1));
	TIMES("write", 100, check(write(null, &c, 1) != 1));
	TIMES("stat", 20, check(stat("/dev/zero", &st)));
	TIMES("open_close", 20, fd = open("/dev/zero", O_RDONLY); check(close(fd)));
	TIMES("select", 20, FD_ZERO(&set); FD_SET(zero, &set);
		check(select(zero + 1, &set, NULL, NULL, &timeout) != 1));
	TIMES("signal_install", 100, signal(SIGUSR1, catch));
	TIMES("signal_catch", 20, raise(SIGUSR1));
	TIMES("yield", 100, sched_yield());
	TIMES("copy_64k", 1, check(read(zero, buffer, sizeof(buffer)) != sizeof(buffer));
		check(write(to[1], buffer, 4096) != 4096);
		check(read(to[0], buffer, 4096) != 4096));

	pid = fork();
	if (!pid) {
		close(to[1]);
		while (read(to[0], &c, 1) == 1 && write(from[1], &c, 1) == 1)
			;
		_exit(0);
	}
	pipes[1] = to[1];
	pipes[2] = from[0];
	MEASURE("unused.pipe", mode, loops, 10, , for (int n = 0; n < 10; n++) ping(pipes), );
	close(to[1]);
	wait_for(pid);
}

int main(int argc, char **argv)
{
	char *nothing[] = { argv[0], NULL };
	char *m;
	int fd;

	if (argc == 1)
		return 0;
	mode = atol(argv[1]);
	bench_start();
	loops = often(400, 20);
	fd = memfd_create("bench", 0);
	if (fd < 0 || ftruncate(fd, PAGES * PAGE))
		err(1, NULL);
	read_all(map(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd));

	faults(fd);
	mappings(fd);
	lmbench();
	MEASURE("unused.fork", mode, loops, 1, , fork_and_wait(), );
	MEASURE("unused.vfork_exec", mode, loops, 1, , exec_and_wait(nothing), );
	for (int i = 0; i < 100; i++) {
		/* With a gap, so that nothing merges. */
		m = anonymous(3);
		check(munmap(m + 2 * PAGE, PAGE));
		memset(m, 1, 2 * PAGE);
	}
	MEASURE("unused.fork_100_vmas", mode, loops, 1, , fork_and_wait(), );
	SHORT("read_maps", , read_file("/proc/self/maps"), );
	return 0;
}
