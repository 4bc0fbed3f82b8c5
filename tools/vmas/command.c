// SPDX-License-Identifier: GPL-2.0
/*
 * vmas COMMAND
 *
 * The command is watched with ptrace for one event only, its exit: there
 * the kernel stops it while its address space is whole.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmas.h"

static pid_t command_pid;	/* for the signal handler */

static void forward(int sig)
{
	if (command_pid > 0)
		kill(command_pid, sig);
}

static pid_t start_command(char **argv, int *go, int *failed)
{
	int go_pipe[2], fail_pipe[2], err;
	sigset_t none;
	pid_t pid;
	char c;

	if (pipe2(go_pipe, O_CLOEXEC) || pipe2(fail_pipe, O_CLOEXEC))
		die(EXIT_SELF, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		die(EXIT_SELF, "fork: %s", strerror(errno));
	if (!pid) {
		close(go_pipe[1]);
		/* wait until the parent watches */
		if (read(go_pipe[0], &c, 1) != 1)
			_exit(EXIT_SELF);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execvp(argv[0], argv);
		err = errno;
		if (write(fail_pipe[1], &err, sizeof(err)) < 0)
			_exit(EXIT_SELF);
		_exit(EXIT_SELF);
	}
	close(go_pipe[0]);
	close(fail_pipe[1]);
	*go = go_pipe[1];
	*failed = fail_pipe[0];
	return pid;
}

/* Waits for the next event of the command, at most @ms (0: any time). */
static pid_t wait_event(pid_t pid, int *status, long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };
	sigset_t set;
	pid_t got;

	for (;;) {
		got = waitpid(pid, status, __WALL | (ms ? WNOHANG : 0));
		if (got > 0 || (got < 0 && errno != EINTR))
			return got;
		if (got < 0)
			continue;
		sigemptyset(&set);
		sigaddset(&set, SIGCHLD);
		if (sigtimedwait(&set, NULL, &ts) < 0)
			return 0;
	}
}

int report_command(const struct options *opt, char **argv, long interval)
{
	struct slab before = {}, slab = {};
	struct proc p = {};
	bool sampled = false;
	int status, err = 0, go, failed, sig, code;
	long peak_vmas = -1, peak_lines = -1;
	sigset_t chld;
	struct report r;
	pid_t got;

	open_report(&r, opt, stderr);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	if (opt->slab)
		read_slab(opt, &before);
	command_pid = start_command(argv, &go, &failed);
	if (ptrace(PTRACE_SEIZE, command_pid, 0,
		   (void *)(PTRACE_O_TRACEEXIT | PTRACE_O_TRACEEXEC))) {
		err = errno;
		kill(command_pid, SIGKILL);
		die(EXIT_SELF, "cannot watch the command with ptrace: %s",
		    strerror(err));
	}
	/* As time(1): the terminal's signals are for the command. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGTERM, forward);
	signal(SIGHUP, forward);
	if (write(go, "", 1) != 1)
		die(EXIT_SELF, "cannot start the command: %s", strerror(errno));

	for (;;) {
		got = wait_event(command_pid, &status, interval);
		if (got < 0)
			die(EXIT_SELF, "waitpid: %s", strerror(errno));
		if (!got) {
			sample_peak(opt->proc_dir, command_pid, &peak_vmas,
				    &peak_lines);
			continue;
		}
		if (!WIFSTOPPED(status))
			break;
		sig = WSTOPSIG(status);
		if (status >> 16 == PTRACE_EVENT_EXIT) {
			if (opt->slab)
				read_slab(opt, &slab);
			free_proc(&p);
			err = read_process(opt->proc_dir, command_pid, &p);
			sampled = !err;
			sig = 0;
		} else if (status >> 16 == PTRACE_EVENT_STOP) {
			/* Stay stopped by SIGSTOP and its like, as untraced. */
			if (sig == SIGSTOP || sig == SIGTSTP ||
			    sig == SIGTTIN || sig == SIGTTOU) {
				ptrace(PTRACE_LISTEN, command_pid, 0, 0);
				continue;
			}
			sig = 0;
		} else if (status >> 16) {
			sig = 0;
		}
		ptrace(PTRACE_CONT, command_pid, 0, (void *)(long)sig);
	}
	command_pid = 0;
	if (read(failed, &code, sizeof(code)) == sizeof(code))
		die(code == ENOENT ? EXIT_NOENT : EXIT_NOEXEC, "%s: %s",
		    argv[0], strerror(code));
	code = WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
	if (!sampled)
		die(EXIT_SELF, "%s ended (status %d) without being seen: %s",
		    argv[0], code, err ? strerror(-err) : "no exit event");
	if (interval) {
		p.peak_vmas = peak_vmas > p.vmas ? peak_vmas : p.vmas;
		p.peak_lines = peak_lines > p.lines ? peak_lines : p.lines;
	}
	begin_report(&r, interval);
	print_process(&r, &p);
	free_proc(&p);
	end_report(&r, &slab, &before, code);
	return code;
}
