// SPDX-License-Identifier: GPL-2.0
/*
 * A command, as it is: what it takes from start to end, with its children, and
 * the page faults. Its own output is thrown away.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>

#include "bench.h"

extern char **environ;

static posix_spawn_file_actions_t quiet;

/*
 * Programs, libraries and what they read are the host's, by way of 9p in QEMU:
 * the time in which the guest waits for it does not count there.
 */
static u64 used(void)
{
	struct rusage usage;

	if (!instructions)
		return cpu_time();
	getrusage(RUSAGE_CHILDREN, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000ULL +
		(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000ULL;
}

static void run(char **argv)
{
	pid_t pid;
	int status;

	if (posix_spawnp(&pid, argv[0], &quiet, NULL, argv, environ))
		errx(1, "%s cannot be started", argv[0]);
	if (waitpid(pid, &status, 0) != pid || status)
		errx(1, "%s: status %#x", argv[0], status);
}

int main(int argc, char **argv)
{
	struct rusage before, after;
	int loops, at_once = 1;
	double *samples;
	char name[64];
	u64 t;

	if (argc < 5)
		errx(2, "usage: %s NAME X LOOPS COMMAND [ARG]...", argv[0]);
	bench_start();
	loops = atoi(argv[3]);
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
	/* From now on all that it reads is in memory. */
	t = used();
	run(argv + 4);
	t = used() - t;
	/* On User-mode Linux of what is short several at once, as MEASURE_CPU does. */
	if (!instructions && t < 20000000)
		at_once = 20000000 / (t + 1) + 1;
	samples = samples_of(loops);
	getrusage(RUSAGE_CHILDREN, &before);
	for (int i = 0; i < loops; i++) {
		t = used();
		for (int j = 0; j < at_once; j++)
			run(argv + 4);
		samples[i] = used() - t;
	}
	getrusage(RUSAGE_CHILDREN, &after);
	snprintf(name, sizeof(name), "%s.faults", argv[1]);
	figure(name, atol(argv[2]), "faults",
	       (double)(after.ru_minflt - before.ru_minflt) / loops / at_once, 0);
	snprintf(name, sizeof(name), "%s.time", argv[1]);
	report(name, atol(argv[2]), samples, loops, at_once);
	return 0;
}
