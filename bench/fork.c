// SPDX-License-Identifier: GPL-2.0
/* A process with N libraries is forked, executed, spawned, and looked at. */
#define _GNU_SOURCE
#include <spawn.h>
#include <sys/resource.h>

#include "bench.h"

extern char **environ;

static long libraries;

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
	figure("fork.vmas", libraries, "VMAs", vmas < 0 ? lines - none : vmas, 0);
	figure("fork.maps_lines", libraries, "lines", lines, 0);
}

static void fork_and_wait(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	wait_for(pid);
}

static void spawn_and_wait(char **argv)
{
	pid_t pid;

	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ))
		errx(1, "posix_spawn");
	wait_for(pid);
}

static void exec_and_wait(char **argv)
{
	pid_t pid = vfork();

	if (!pid) {
		execv(argv[0], argv);
		_exit(127);
	}
	wait_for(pid);
}

/* From before vfork to main(), which tells when it was there. */
static void to_main(char **argv, int *pipes, int loops)
{
	double *samples = samples_of(loops);
	u64 start, at_main;

	if (!instructions && loops > 20)
		loops = 20;

	for (int i = -UNTIL_STEADY; i < loops; i++) {
		start = cpu_time();
		exec_and_wait(argv);
		if (read(pipes[0], &at_main, sizeof(at_main)) != sizeof(at_main))
			err(1, "pipe");
		if (i >= 0)
			samples[i] = at_main - start;
	}
	report("fork.exec_main", libraries, samples, loops, 1);
	free(samples);
}

static void faults(char **argv)
{
	struct rusage before, after;

	getrusage(RUSAGE_CHILDREN, &before);
	for (int i = 0; i < 10; i++)
		spawn_and_wait(argv);
	getrusage(RUSAGE_CHILDREN, &after);
	figure("fork.start_faults", libraries, "faults",
	       (after.ru_minflt - before.ru_minflt) / 10., 0);
}

int main(int argc, char **argv)
{
	char fd[16], *child[] = { argv[0], "tell", fd, NULL };
	char *nothing[] = { argv[0], "nothing", NULL };
	int pipes[2], loops;
	u64 at_main;

	if (argc == 3) {
		/* as to_main() executes it */
		instructions = !strcmp(getenv("BENCH_CLOCK"), "icount");
		at_main = cpu_time();
		_exit(write(atoi(argv[2]), &at_main, sizeof(at_main)) != sizeof(at_main));
	}
	if (argc == 2 && !strcmp(argv[1], "nothing"))
		_exit(0);
	if (argc != 2)
		errx(2, "usage: %s LIBRARIES", argv[0]);
	libraries = atoi(argv[1]);
	if (pipe(pipes))
		err(1, "pipe");
	snprintf(fd, sizeof(fd), "%d", pipes[1]);
	bench_start();
	loops = often(libraries > 100 ? 20 : 50, 10);

	count_vmas();
	faults(nothing);
	MEASURE("fork.fork_exit_wait", libraries, loops, 1, , fork_and_wait(), );
	to_main(child, pipes, loops);
	MEASURE("fork.vfork_exec", libraries, loops, 1, , exec_and_wait(nothing), );
	MEASURE("fork.posix_spawn", libraries, loops, 1, , spawn_and_wait(nothing), );
	MEASURE("fork.read_maps", libraries, often(20, 5), 1, ,
		read_file("/proc/self/maps"), );
	MEASURE("fork.read_smaps", libraries, often(20, 5), 1, ,
		read_file("/proc/self/smaps"), );
	return 0;
}
