// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a command, passes on what it prints, and tells it the time where it asks
 * for it: for a line "@clock" it gets, on its standard input, the CPU time in
 * nanoseconds that it and all its children have used until then. That is how a
 * program in a guest of User-mode Linux learns what the guest, which is some
 * processes of this machine, took of its processors: other load does not count,
 * as it would for the guest's own clocks.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	/* Of processes that have ended as well, and to the nanosecond. */
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_TASK_CLOCK,
		.inherit = 1,
		.exclude_kernel = 1,	/* or it is for root; it counts all the same */
	};
	unsigned long long time;
	int event, to[2], from[2], status;
	char line[65536];
	FILE *f;
	pid_t pid;

	if (argc < 2)
		errx(2, "usage: %s COMMAND [ARG]...", argv[0]);
	event = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (event < 0)
		err(125, "perf_event_open");
	if (pipe(to) || pipe(from))
		err(125, "pipe");
	pid = fork();
	if (pid < 0)
		err(125, "fork");
	if (!pid) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		close(to[0]);
		close(to[1]);
		close(from[0]);
		close(from[1]);
		execvp(argv[1], argv + 1);
		err(errno == ENOENT ? 127 : 126, "%s", argv[1]);
	}
	close(to[0]);
	close(from[1]);
	signal(SIGPIPE, SIG_IGN);
	f = fdopen(from[0], "r");
	if (!f)
		err(125, "fdopen");
	while (fgets(line, sizeof(line), f)) {
		if (strcmp(line, "@clock\n")) {
			fputs(line, stdout);
			fflush(stdout);
			continue;
		}
		if (read(event, &time, sizeof(time)) != sizeof(time))
			err(125, "reading the counter");
		dprintf(to[1], "%llu\n", time);
	}
	if (waitpid(pid, &status, 0) != pid)
		err(125, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
