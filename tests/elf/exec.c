// SPDX-License-Identifier: GPL-2.0
/*
 * exec [-c] [-d DISTANCE] [-v] [-3] [-n] [-p PERCENT] FROM COUNT
 *
 * Executes random ELF files, a program and maybe an interpreter for each seed, under
 * random limits, users and personalities, and writes down what the new program can
 * tell of it: the joined entries of its smaps, its sizes, auxiliary vector and
 * registers, a hash of each page, what is charged for it; or the signal that it died
 * of. After its end nothing may be charged any more.
 *
 * Without options it prints a hash of that for each seed, which is to be the same on
 * two kernels.
 *
 *  -c  executes each program twice, without and with multi-protection VMAs, and
 *      prints only what differs; exit status 1 if anything does
 *  -d  the second time the program of the seed that is DISTANCE further on, which
 *      differs: that differences are found
 *  -v  prints all of what is told
 *  -3  files of 32 bits
 *  -n  no limits, users and personalities
 *  -p  for so many of a hundred seeds instructions are carried out in the new
 *      program (probe.c) [25]
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gen.h"
#include "look.h"

#define PR_SET_MANYPROTS	0x4d505200
#ifndef PR_SET_MDWE
#define PR_SET_MDWE		65
#endif
#define PROGRAM			DIR "/program"
#define INTERP			DIR "/interp"
#define NOBODY			65534
#define NOT_SET_UP		200	/* an exit status that is no errno */

/* How a program is executed. */
struct how {
	unsigned long persona;
	bool user;			/* as nobody */
	bool mdwe;			/* PR_SET_MDWE */
	bool probe;
	mode_t mode;			/* of its file */
	uint64_t data, as, stack;	/* limits, 0: none */
};

/* What a seed stands for. */
struct test {
	uint64_t seed;
	struct how how;
	bool has_interp;
	struct image program, interp;
	struct rnd r;			/* what is drawn next */
};

static struct {
	bool compare, verbose, is32, plain;
	unsigned int percent;
	uint64_t distance;
} opt = { .percent = 25 };

/* What comes of execve. */
enum outcome { EXECUTED, KILLED, REFUSED, OUTCOMES };

static struct {
	unsigned int of[OUTCOMES], multi, different, leaks;
} sum;

static struct test test;
static struct record record[2];		/* without, with multi-protection VMAs */
static struct subject subject;
static uint64_t stack;			/* where that of a program begins */

/* --- one program --- */

static void limit(int resource, uint64_t value)
{
	struct rlimit lim = { value, value };

	if (value && setrlimit(resource, &lim))
		_exit(NOT_SET_UP);
}

/* The address space may be the parent's until execve is done. */
static void child(const struct how *how)
{
	static char *const argv[] = { "program", NULL }, *const envp[] = { "A=B", NULL };

	personality(ADDR_NO_RANDOMIZE | how->persona);
	if (how->mdwe && prctl(PR_SET_MDWE, 1, 0, 0, 0))
		_exit(NOT_SET_UP);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(NOT_SET_UP);
	/* Not the C library's, which are for all threads. */
	if (how->user && (syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) ||
			  syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY)))
		_exit(NOT_SET_UP);
	limit(RLIMIT_STACK, how->stack);
	limit(RLIMIT_DATA, how->data);
	limit(RLIMIT_AS, how->as);
	execve(PROGRAM, argv, envp);
	_exit(errno < NOT_SET_UP ? errno : NOT_SET_UP);
}

/* Its status as wait(2) has it: stopped by SIGTRAP once it is executed. */
static int start(struct subject *s, const struct how *how)
{
	int status;

	/* PR_SET_MDWE stays: not in an address space that is shared. */
	s->pid = how->mdwe ? fork() : vfork();
	if (s->pid < 0)
		err(99, "fork");
	if (!s->pid)
		child(how);
	if (waitpid(s->pid, &status, 0) != s->pid)
		err(99, "waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_SET_UP)
		errx(99, "seed %lu: limits, user or personality cannot be set", test.seed);
	return status;
}

static void say_all(struct record *to, struct subject *s, long before)
{
	char path[64];

	say(to, "commit %ld\n", committed() - before);
	if (ptrace(PTRACE_GETREGS, s->pid, NULL, &s->regs))
		err(99, "PTRACE_GETREGS");
	say(to, "rip %lx rsp %lx\n", (unsigned long)s->regs.rip,
	    (unsigned long)s->regs.rsp);
	snprintf(path, sizeof(path), "/proc/%d/mem", s->pid);
	s->mem = open(path, O_RDWR | O_CLOEXEC);
	if (s->mem < 0)
		err(99, "%s", path);
	look(s, false);
	say_entries(to, s);
	say_status(to, s);
	say_stat(to, s);
	say_auxv(to, s);
	say_memory(to, s);
	if (test.how.probe) {
		probe(to, s, test.r);
		if (!s->ended)
			say(to, "commit %ld\n", committed() - before);
	}
	close(s->mem);
}

/*
 * The last of an address space may go a little later than the process.  Nothing else
 * may run in the guest.
 */
static void say_leak(struct record *to, long before)
{
	long after = committed();

	for (int tries = 0; after != before && tries < 50; tries++) {
		usleep(1000);
		after = committed();
	}
	to->leak = after != before;
	if (to->leak)
		say(to, "LEAK: %ld KiB are still charged\n", after - before);
}

/* Executes the program and writes down what can be told. */
static enum outcome execute(struct record *to)
{
	struct subject *s = &subject;
	long before = committed();
	enum outcome outcome = KILLED;
	int status;

	to->size = 0;
	memset(s, 0, sizeof(*s));
	s->is32 = opt.is32;
	status = start(s, &test.how);
	s->ended = !WIFSTOPPED(status);
	if (WIFEXITED(status)) {
		say(to, "errno %d\n", WEXITSTATUS(status));
		outcome = REFUSED;
	} else if (WIFSIGNALED(status)) {
		say(to, "signal %d\n", WTERMSIG(status));
	} else if (WSTOPSIG(status) != SIGTRAP) {
		say(to, "signal %d\n", WSTOPSIG(status));
	} else {
		say_all(to, s, before);
		outcome = EXECUTED;
	}
	if (!s->ended) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, &status, 0);
	}
	say_leak(to, before);
	return outcome;
}

/* --- seeds --- */

static void gen_how(struct how *how, struct rnd *r)
{
	memset(how, 0, sizeof(*how));
	how->mode = 0755;
	how->probe = odds(r, opt.percent);
	if (opt.plain || odds(r, 60))
		return;
	how->user = odds(r, 40);
	if (odds(r, 10))
		how->mode = 0711;
	how->mdwe = odds(r, 10);
	if (odds(r, 10))
		how->persona |= READ_IMPLIES_EXEC;
	if (odds(r, 10))
		how->persona |= ADDR_COMPAT_LAYOUT;
	if (odds(r, 10))
		how->persona |= MMAP_PAGE_ZERO;
	if (odds(r, 5))
		how->persona |= ADDR_LIMIT_3GB;
	if (odds(r, 25))
		how->data = rnd(r, 60) * PAGE + 1;
	if (odds(r, 25))
		how->as = (36 + rnd(r, 100)) * PAGE;
	if (odds(r, 8))
		how->stack = (32 + rnd(r, 64)) * PAGE;
}

static void put_file(const char *name, const struct image *im, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

	if (fd < 0 || gen_write(im, fd) || fchmod(fd, mode))
		err(99, "%s", name);
	close(fd);
}

/* Makes the files of a seed. */
static void prepare(uint64_t seed)
{
	struct rnd r = { seed * 0x2545f4914f6cdd1d + opt.is32 };

	test.seed = seed;
	gen_how(&test.how, &r);
	test.has_interp = odds(&r, 45);
	gen_image(&test.program, &r, false, opt.is32, test.has_interp ? INTERP : NULL,
		  stack);
	put_file(PROGRAM, &test.program, test.how.mode);
	if (test.has_interp) {
		gen_image(&test.interp, &r, true, opt.is32, NULL, stack);
		put_file(INTERP, &test.interp, 0755);
	}
	test.r = r;
}

/* Executes programs until one shows where its stack is. */
static void find_stack(void)
{
	struct rnd r = { 0 };

	test.how.mode = 0755;
	for (int tries = 0; tries < 100; tries++) {
		gen_image(&test.program, &r, false, opt.is32, NULL, 0);
		put_file(PROGRAM, &test.program, test.how.mode);
		execute(&record[0]);
		for (unsigned int i = 0; i < subject.entries; i++) {
			if (!strcmp(subject.entry[i].name, "[stack]")) {
				stack = subject.entry[i].start;
				return;
			}
		}
	}
	errx(99, "this kernel executes no program of %d bits", opt.is32 ? 32 : 64);
}

static void print_test(const char *note)
{
	const struct how *how = &test.how;

	printf("SEED %lu%s: persona %lx user %d mdwe %d mode %o data %lx as %lx stack %lx\n",
	       test.seed, note, how->persona, how->user, how->mdwe, how->mode, how->data,
	       how->as, how->stack);
	gen_print(&test.program, stdout);
	if (test.has_interp)
		gen_print(&test.interp, stdout);
}

/* One seed on this kernel as it is. */
static void run_seed(uint64_t seed)
{
	const char *text = record[0].text;

	prepare(seed);
	sum.of[execute(&record[0])]++;
	sum.multi += subject.multi;
	sum.leaks += record[0].leak;
	if (opt.verbose) {
		print_test("");
		fputs(text, stdout);
	} else {
		printf("%lu %.*s %016lx\n", seed, (int)strcspn(text, "\n"), text,
		       hash(text, record[0].size));
	}
}

static void multi_protection(bool on)
{
	if (prctl(PR_SET_MANYPROTS, on, 0, 0, 0))
		errx(99, "this kernel has no multi-protection VMAs");
}

/* One seed without and with multi-protection VMAs. */
static void compare_seed(uint64_t seed)
{
	bool same;

	prepare(seed);
	multi_protection(false);
	execute(&record[0]);
	if (opt.distance)
		prepare(seed + opt.distance);
	multi_protection(true);
	sum.of[execute(&record[1])]++;
	sum.multi += subject.multi;
	sum.leaks += record[0].leak || record[1].leak;
	same = !strcmp(record[0].text, record[1].text);
	sum.different += !same;
	if (opt.verbose) {
		print_test(same ? "" : " DIFFERS");
		printf("--- without\n%s--- with\n%s", record[0].text, record[1].text);
	} else if (!same) {
		print_test(" DIFFERS");
		print_difference(record[0].text, record[1].text);
	}
}

static void __attribute__((noreturn)) usage(void)
{
	errx(99, "usage: exec [-c [-d DISTANCE]] [-v3n] [-p PERCENT] FROM COUNT");
}

static uint64_t number(const char *text)
{
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end)
		usage();
	return value;
}

static void options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "cd:v3np:")) != -1) {
		switch (c) {
		case 'c':
			opt.compare = true;
			break;
		case 'd':
			opt.distance = number(optarg);
			break;
		case 'v':
			opt.verbose = true;
			break;
		case '3':
			opt.is32 = true;
			break;
		case 'n':
			opt.plain = true;
			break;
		case 'p':
			opt.percent = number(optarg);
			break;
		default:
			usage();
		}
	}
	if (argc - optind != 2)
		usage();
}

int main(int argc, char **argv)
{
	uint64_t from, count;

	options(argc, argv);
	from = number(argv[optind]);
	count = number(argv[optind + 1]);
	umask(0);
	if (mkdir(DIR, 0755) && errno != EEXIST)
		err(99, DIR);
	find_stack();
	for (uint64_t seed = from; seed < from + count; seed++)
		(opt.compare ? compare_seed : run_seed)(seed);
	fprintf(stderr, "%u executed, %u killed, %u refused, ", sum.of[EXECUTED],
		sum.of[KILLED], sum.of[REFUSED]);
	fprintf(stderr, "%u with a multi-protection VMA, %u differ, %u leaks\n",
		sum.multi, sum.different, sum.leaks);
	return sum.different || sum.leaks ? 1 : 0;
}
