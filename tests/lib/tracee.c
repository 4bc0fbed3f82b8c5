// SPDX-License-Identifier: GPL-2.0
/* See tracee.h. */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tracee.h"

static void open_memory(struct tracee *t)
{
	char path[64];

	if (t->mem >= 0)
		close(t->mem);
	snprintf(path, sizeof(path), "/proc/%d/mem", t->pid);
	t->mem = open(path, O_RDONLY | O_CLOEXEC);
	if (t->mem < 0)
		err(1, "%s", path);
}

size_t tracee_read(struct tracee *t, uint64_t addr, void *to, size_t size)
{
	ssize_t n = pread(t->mem, to, size, (off_t)addr);

	return n < 0 ? 0 : n;
}

const char *tracee_string(struct tracee *t, uint64_t addr, char *to, size_t size)
{
	size_t done = 0;

	/* By pages: what is behind the string may not be there. */
	while (done < size - 1) {
		size_t n = 4096 - ((addr + done) & 4095);

		if (n > size - 1 - done)
			n = size - 1 - done;
		n = tracee_read(t, addr + done, to + done, n);
		if (!n || memchr(to + done, 0, n)) {
			done += n;
			break;
		}
		done += n;
	}
	to[done] = 0;
	return to;
}

static void get_call(struct tracee *t)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, t->pid, NULL, &regs))
		err(1, "PTRACE_GETREGS");
	t->nr = (long)regs.orig_rax;
	t->arg[0] = regs.rdi;
	t->arg[1] = regs.rsi;
	t->arg[2] = regs.rdx;
	t->arg[3] = regs.r10;
	t->arg[4] = regs.r8;
	t->arg[5] = regs.r9;
	t->ret = (long)regs.rax;
}

static void poke(struct tracee *t, size_t offset, long value)
{
	if (ptrace(PTRACE_POKEUSER, t->pid, offset, value))
		err(1, "PTRACE_POKEUSER");
}

/* A stop before each of the calls. */
static int set_filter(const struct tracee_ops *ops)
{
	struct sock_filter filter[2 * ops->ncalls + 2], *f = filter;
	struct sock_fprog prog = { .filter = filter };

	*f++ = (struct sock_filter)
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ops->ncalls; i++) {
		*f++ = (struct sock_filter)
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ops->calls[i], 0, 1);
		*f++ = (struct sock_filter)
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	}
	*f++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	prog.len = f - filter;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ?:
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

static pid_t start(char *const argv[], char *const env[], int out,
		   const struct tracee_ops *ops)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid)
		return pid;
	personality(ADDR_NO_RANDOMIZE);
	if (dup2(out, 1) < 0 || dup2(out, 2) < 0 ||
	    ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP) ||
	    (ops->ncalls && set_filter(ops)))
		_exit(126);
	execve(argv[0], argv, env);
	_exit(127);
}

int tracee_run(char *const argv[], char *const env[], int out,
	       const struct tracee_ops *ops, void *data)
{
	struct tracee t = { .mem = -1, .data = data };
	int status, what, sig = 0, how = PTRACE_CONT;

	t.pid = start(argv, env, out, ops);
	if (waitpid(t.pid, &status, 0) != t.pid || !WIFSTOPPED(status))
		errx(1, "%s: cannot be traced", argv[0]);
	if (ptrace(PTRACE_SETOPTIONS, t.pid, NULL, PTRACE_O_EXITKILL |
		   PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC |
		   PTRACE_O_TRACESECCOMP))
		err(1, "PTRACE_SETOPTIONS");
	for (;;) {
		if (ptrace(how, t.pid, NULL, sig) && errno != ESRCH)
			err(1, "ptrace");
		if (waitpid(t.pid, &status, 0) != t.pid)
			err(1, "waitpid");
		if (!WIFSTOPPED(status))
			break;
		how = PTRACE_CONT;
		sig = 0;
		switch (status >> 8) {
		case SIGTRAP | PTRACE_EVENT_EXEC << 8:
			open_memory(&t);
			if (!ops->loaded || ops->loaded(&t))
				continue;
			kill(t.pid, SIGKILL);
			waitpid(t.pid, &status, 0);
			close(t.mem);
			return -1;
		case SIGTRAP | PTRACE_EVENT_SECCOMP << 8:
			get_call(&t);
			what = t.mem < 0 ? TRACEE_GO_ON : ops->enter(&t);
			if (what == TRACEE_LEAVE) {
				how = PTRACE_SYSCALL;
			} else if (what) {
				/* The kernel does nothing for call -1. */
				poke(&t, offsetof(struct user, regs.orig_rax), -1);
				poke(&t, offsetof(struct user, regs.rax), -what);
			}
			continue;
		case SIGTRAP | 0x80:
			get_call(&t);
			ops->leave(&t);
			continue;
		default:
			sig = WSTOPSIG(status);
		}
	}
	if (t.mem >= 0)
		close(t.mem);
	return status;
}
