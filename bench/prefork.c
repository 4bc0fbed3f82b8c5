// SPDX-License-Identifier: GPL-2.0
/*
 * A server with 100 libraries that forks its workers beforehand, and as many
 * processes that are started one by one: the time it takes until all are ready,
 * and the memory of VMAs for each.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <spawn.h>

#include "slab.h"

#define MANY 100

extern char **environ;

static pid_t pids[MANY];
static int ready[2];

static void work(int fd)
{
	if (write(fd, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void wait_ready(int n)
{
	char c;

	for (int i = 0; i < n; i++)
		if (read(ready[0], &c, 1) != 1)
			err(1, "pipe");
}

static void fork_workers(int n, char **argv)
{
	(void)argv;
	for (int i = 0; i < n; i++) {
		pids[i] = fork();
		if (!pids[i])
			work(ready[1]);
		if (pids[i] < 0)
			err(1, "fork");
	}
	wait_ready(n);
}

static void spawn_workers(int n, char **argv)
{
	for (int i = 0; i < n; i++)
		if (posix_spawn(&pids[i], argv[0], NULL, NULL, argv, environ))
			errx(1, "posix_spawn");
	wait_ready(n);
}

static void end_workers(int n)
{
	for (int i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; i < n; i++)
		if (waitpid(pids[i], NULL, 0) != pids[i])
			err(1, "waitpid");
}

static void with(int n, const char *how, void (*start)(int n, char **argv), char **argv)
{
	int loops = n == MANY ? 3 : often(n == 1 ? 20 : 5, 3);
	double *samples = samples_of(loops), slab;
	char name[64];
	u64 t;

	start(n, argv);
	end_workers(n);
	slab = vma_slab();
	start(n, argv);
	if (slab >= 0) {
		snprintf(name, sizeof(name), "prefork.%s_bytes", how);
		figure(name, n, "bytes", (vma_slab() - slab) / n, 0);
	}
	end_workers(n);
	for (int i = 0; i < loops; i++) {
		t = cpu_time();
		start(n, argv);
		samples[i] = cpu_time() - t;
		end_workers(n);
	}
	snprintf(name, sizeof(name), "prefork.%s_time", how);
	report(name, n, samples, loops, n);
	free(samples);
}

int main(int argc, char **argv)
{
	char fd[16], *child[] = { argv[0], fd, NULL };

	if (argc == 2)
		work(atoi(argv[1]));
	bench_start();
	if (pipe(ready))
		err(1, "pipe");
	snprintf(fd, sizeof(fd), "%d", ready[1]);
	for (int n = 1; n <= often(MANY, 10); n *= 10) {
		with(n, "fork", fork_workers, child);
		with(n, "spawn", spawn_workers, child);
	}
	return 0;
}
