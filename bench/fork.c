// SPDX-License-Identifier: GPL-2.0
/*
 * What bench/fork measures with: a program linked to N libraries, and (with
 * -DLIBRARY) such a library.
 *
 * The program prints "NAME VALUE" lines. Times are those of the guest's clock,
 * whose nanosecond is an instruction (qemu -icount shift=0,sleep=off); it
 * refuses to run where that is not so.
 */
#define _GNU_SOURCE
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#ifdef LIBRARY

/*
 * One thing for each VMA of a library as GNU ld makes it: rodata, text, relro,
 * data, and more bss than the last page of data has room for. The same object
 * is linked N times: nothing in it has a name outside.
 */
static const char rodata[] __attribute__((used)) = "rodata";
static const char *const volatile relro[] __attribute__((used)) = { rodata };
static volatile int data[16] = { 1 };
static volatile char bss[3 * 4096] __attribute__((used));

static __attribute__((constructor)) void touch(void)
{
	data[0]++;
}

#else

/* Stock has no VmaCount: there a line of maps is a VMA, but for vsyscall. */
static void count_vmas(void)
{
	char line[4096];
	long vmas = -1, lines = 0, none = 0;
	FILE *f;

	f = fopen("/proc/self/maps", "r");
	if (!f)
		err(1, "/proc/self/maps");
	while (fgets(line, sizeof(line), f)) {
		lines++;
		none += !!strstr(line, "[vsyscall]");
	}
	fclose(f);
	f = fopen("/proc/self/status", "r");
	if (!f)
		err(1, "/proc/self/status");
	while (fgets(line, sizeof(line), f))
		sscanf(line, "VmaCount: %ld", &vmas);
	fclose(f);
	printf("vmas %ld\nmaps_lines %ld\n", vmas < 0 ? lines - none : vmas, lines);
}

static void wait_for(pid_t pid)
{
	int status;

	if (pid < 0)
		err(1, "fork");
	if (waitpid(pid, &status, 0) != pid || status)
		errx(1, "child: status %#x", status);
}

int main(int argc, char **argv)
{
	unsigned long long *times, *to_main, t, at_main;
	char fd[16], *child[] = { argv[0], "child", fd, NULL };
	int warm_up = 20, loops, pipes[2], i;
	pid_t pid;

	if (argc == 3) {
		/* what is executed below */
		at_main = now();
		_exit(write(atoi(argv[2]), &at_main, sizeof(at_main)) !=
		      sizeof(at_main));
	}
	if (argc != 2 || (loops = atoi(argv[1])) < 1)
		errx(2, "usage: %s LOOPS", argv[0]);
	times = calloc(loops, sizeof(*times));
	to_main = calloc(loops, sizeof(*to_main));
	if (!times || !to_main || pipe(pipes))
		err(1, NULL);
	snprintf(fd, sizeof(fd), "%d", pipes[1]);

	check_clock();
	count_vmas();
	fflush(stdout);

	for (i = -warm_up; i < loops; i++) {
		t = now();
		pid = fork();
		if (!pid)
			_exit(0);
		wait_for(pid);
		t = now() - t;
		if (i >= 0)
			times[i] = t;
	}
	report("fork", times, loops);
	fflush(stdout);

	for (i = -warm_up; i < loops; i++) {
		t = now();
		pid = vfork();
		if (!pid) {
			execv(argv[0], child);
			_exit(127);
		}
		wait_for(pid);
		at_main = now();
		if (i >= 0)
			times[i] = at_main - t;
		if (read(pipes[0], &at_main, sizeof(at_main)) != sizeof(at_main))
			err(1, "pipe");
		if (i >= 0)
			to_main[i] = at_main - t;
	}
	report("main", to_main, loops);
	report("exec", times, loops);
	return 0;
}

#endif
