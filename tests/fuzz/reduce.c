// SPDX-License-Identifier: GPL-2.0
/*
 * Shrinks a sequence that the fuzzer itself cannot shrink, because the kernel
 * dies of it.
 *
 *	reduce FILE RUNS COMMAND [ARG]...
 *
 * COMMAND is run with the name of a sequence added; a status other than 0
 * means that it still fails.  The result replaces FILE.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "seq.h"
#include "shrink.h"

static char **command;
static char try_name[4096];

static bool fails(const uint8_t *seq, size_t len, void *name)
{
	FILE *f = fopen(name, "w");
	int status;
	pid_t pid;

	if (!f || fwrite(seq, 1, len, f) != len || fclose(f)) {
		perror(name);
		exit(2);
	}
	pid = fork();
	if (!pid) {
		execvp(command[0], command);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		exit(2);
	fprintf(stderr, "%zu operations: %s\n", len / FUZZ_UNIT - 1, status ? "fails" : "passes");
	return status;
}

int main(int argc, char **argv)
{
	uint8_t seq[FUZZ_MAX_BYTES];
	size_t len;
	FILE *f;
	int i;

	if (argc < 4) {
		fprintf(stderr, "usage: reduce FILE RUNS COMMAND [ARG]...\n");
		return 2;
	}
	f = fopen(argv[1], "r");
	if (!f) {
		perror(argv[1]);
		return 2;
	}
	len = fread(seq, 1, sizeof(seq), f);
	fclose(f);
	command = calloc(argc, sizeof(*command));
	for (i = 3; i < argc; i++)
		command[i - 3] = argv[i];
	snprintf(try_name, sizeof(try_name), "%s.try", argv[1]);
	command[argc - 3] = try_name;
	if (!fails(seq, len, try_name)) {
		fprintf(stderr, "%s does not fail\n", argv[1]);
		return 1;
	}
	len = shrink(seq, len, fails, try_name, atoi(argv[2]));
	f = fopen(argv[1], "w");
	if (!f || fwrite(seq, 1, len, f) != len || fclose(f))
		return 2;
	unlink(try_name);
	return 0;
}
