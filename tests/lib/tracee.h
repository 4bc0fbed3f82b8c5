/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program that is run under ptrace(2): what its system calls are, with
 * errors put in the place of some, and what it looks like when it ends.
 * x86_64, one thread.
 */
#ifndef TRACEE_H
#define TRACEE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Results of enter() beside errors. */
#define TRACEE_GO_ON	0
#define TRACEE_LEAVE	(-1)	/* leave() is to be called */

struct tracee {
	pid_t pid;
	int mem;		/* its /proc/PID/mem, -1 before execve */
	void *data;		/* the caller's */
	long nr;		/* the system call at hand */
	uint64_t arg[6];
	long ret;		/* its result, once it is done */
};

struct tracee_ops {
	/*
	 * The numbers of the system calls that matter, and how many.  A seccomp
	 * filter lets all others pass without a stop: on a busy machine stops
	 * are what takes the time.
	 */
	const int *calls;
	size_t ncalls;
	/*
	 * Before one of them: the error that is to be its result instead, or
	 * how to go on.
	 */
	int (*enter)(struct tracee *t);
	/* After it, if enter said so. */
	void (*leave)(struct tracee *t);
	/* The new program has been mapped, nothing of it was run: go on? */
	bool (*loaded)(struct tracee *t);
};

/*
 * Runs ARGV with the environment ENV, without address space randomisation,
 * stdout and stderr to OUT.  Signals that it gets are its own.  Returns the status
 * as wait(2) does, -1 if it was ended because loaded() said so.
 */
int tracee_run(char *const argv[], char *const env[], int out,
	       const struct tracee_ops *ops, void *data);

/* Reads its memory as a debugger does; a short count where nothing is. */
size_t tracee_read(struct tracee *t, uint64_t addr, void *to, size_t size);

/* A string of it, cut off at SIZE - 1. */
const char *tracee_string(struct tracee *t, uint64_t addr, char *to, size_t size);

#endif
