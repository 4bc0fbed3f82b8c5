// SPDX-License-Identifier: GPL-2.0
/*
 * Thread stacks and malloc's arenas of an unmodified libc: with the feature a
 * stack and its guard, and an arena with what it has not used yet, are one VMA
 * each.  Results are TAP lines; "fact" lines must be the same on every kernel.
 *
 *	threads patched|stock
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define THREADS 1000
#define STACK (64 << 10)
#define PS 4096

static bool feature;
static int tests, failed;

static void __attribute__((format(printf, 2, 3))) result(bool good, const char *fmt, ...)
{
	va_list ap;

	tests++;
	printf("%sok - ", good ? "" : "not ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	failed += !good;
}

/* ---- what there is ---- */

/* Not by stdio, whose buffers are malloc()ed. */
static char *slurp(const char *file)
{
	static char text[4 << 20];
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	size_t have = 0;

	while ((n = read(fd, text + have, sizeof(text) - 1 - have)) > 0)
		have += n;
	close(fd);
	text[have] = 0;
	return text;
}

/* Lines of maps, adjacent anonymous ones of equal attributes joined. */
static long map_lines(void)
{
	unsigned long start, end, last = 0;
	char perms[8], was[8] = "";
	long n = 0;
	char *line;

	for (line = strtok(slurp("/proc/self/maps"), "\n"); line; line = strtok(NULL, "\n")) {
		bool file = strchr(line, '/');

		if (sscanf(line, "%lx-%lx %7s", &start, &end, perms) != 3)
			abort();
		if (start != last || strcmp(perms, was) || file)
			n++;
		last = end;
		snprintf(was, sizeof(was), "%s", file ? "" : perms);
	}
	return n;
}

/* VMAs: the kernel's count, or on a stock kernel the lines. */
static long vmas(void)
{
	char *p = strstr(slurp("/proc/self/status"), "VmaCount:");
	long n = 0;

	if (p)
		return atol(p + strlen("VmaCount:"));
	for (p = slurp("/proc/self/maps"); *p; p++)
		n += *p == '\n';
	return n;
}

static sigjmp_buf jump;
static void *volatile fault_at;

static void handler(int sig, siginfo_t *info, void *uc)
{
	fault_at = info->si_addr;
	siglongjmp(jump, sig << 8 | info->si_code);
}

/* 0, or the signal and si_code of a write. */
static int write_to(volatile char *p)
{
	int r = sigsetjmp(jump, 1);

	if (!r)
		*p = 1;
	return r;
}

/* ---- many threads ---- */

static pthread_barrier_t barrier;
static bool allocate;

static void *wait_for_all(void *arg)
{
	void *volatile p = allocate ? malloc(100) : NULL;

	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	free(p);
	return NULL;
}

static void many(bool with_malloc, long bound)
{
	static pthread_t t[THREADS];
	pthread_attr_t attr;
	long v, lines;
	int i, n;

	allocate = with_malloc;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	v = vmas();
	lines = map_lines();
	for (n = 0; n < THREADS; n++)
		if (pthread_create(&t[n], &attr, wait_for_all, NULL)) {
			result(false, "%d threads: %s", n, strerror(errno));
			exit(1);
		}
	pthread_barrier_wait(&barrier);
	v = vmas() - v;
	printf("fact %s: %ld more map lines\n", with_malloc ? "malloc" : "plain",
	       map_lines() - lines);
	pthread_barrier_wait(&barrier);
	for (i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	if (feature)
		result(v <= bound, "%d threads that %s: %ld VMAs, at most %ld", THREADS,
		       with_malloc ? "malloc" : "do not malloc", v, bound);
	else
		result(v > bound, "%d threads that %s: %ld VMAs on stock", THREADS,
		       with_malloc ? "malloc" : "do not malloc", v);
}

/* ---- guards ---- */

static size_t want_guard;

/* Where the guard is, and that all of it and only it faults. */
static void *look_at_guard(void *arg)
{
	size_t guard, size, i;
	pthread_attr_t attr;
	int *bad = arg;
	void *stack;

	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getguardsize(&attr, &guard);
	pthread_attr_getstack(&attr, &stack, &size);
	*bad = guard != want_guard;
	for (i = 0; i < guard; i += PS)
		*bad |= write_to((char *)stack - PS - i) != (SIGSEGV << 8 | SEGV_ACCERR);
	*bad |= write_to(stack) != 0;
	pthread_attr_destroy(&attr);
	return NULL;
}

static void guards(void)
{
	/*
	 * libc adds the guard to the stack, and keeps stacks of threads that have
	 * ended: with equal sums the guard of one stack grows and shrinks.
	 */
	static const size_t sizes[] = { PS, 8 * PS, PS, 0, 3 * PS, 16 * PS, 0, PS };
	pthread_attr_t attr;
	long v = vmas();
	pthread_t t;
	size_t i;
	int bad;

	pthread_attr_init(&attr);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		want_guard = sizes[i];
		pthread_attr_setguardsize(&attr, sizes[i]);
		pthread_attr_setstacksize(&attr, 4 * STACK - sizes[i]);
		if (pthread_create(&t, &attr, look_at_guard, &bad))
			bad = 2;
		else
			pthread_join(t, NULL);
		printf("fact guard of %zu pages: %d\n", sizes[i] / PS, bad);
		result(!bad, "a guard of %zu pages after one of %zu", sizes[i] / PS,
		       i ? sizes[i - 1] / PS : 0);
	}
	v = vmas() - v;
	/* The stack, and the arena from which pthread_getattr_np() takes memory. */
	result(!feature || v <= 2, "guards that grow and shrink: %ld VMAs more", v);
}

static void *overflow(void *arg)
{
	volatile char here = 0;
	int r = sigsetjmp(jump, 1);

	if (!r)
		for (volatile char *p = &here; ; p -= PS)
			*p = 1;
	*(int *)arg = r;
	return NULL;
}

/* A stack that the program gives: no guard but its own. */
static void own_stack(void)
{
	char *m = mmap(NULL, STACK + 4 * PS, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pthread_attr_t attr;
	long v = vmas();
	pthread_t t;
	int r = -1;

	mprotect(m + 4 * PS, STACK, PROT_READ | PROT_WRITE);
	v = vmas() - v;
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, m + 4 * PS, STACK);
	if (!pthread_create(&t, &attr, overflow, &r))
		pthread_join(t, NULL);
	printf("fact own stack: %x, %ld below\n", r, (long)(m + 4 * PS - (char *)fault_at) / PS);
	result(r == (SIGSEGV << 8 | SEGV_ACCERR) && (char *)fault_at < m + 4 * PS,
	       "a stack that the program gives ends at its guard");
	result(!feature || v == 0, "it is one VMA with its guard: %ld more", v);
	munmap(m, STACK + 4 * PS);
}

/* ---- an arena ---- */

/* More than a heap of an arena, which is 64 MB. */
#define CHUNKS 4000
#define CHUNK 20000
static long arena_vmas[3], arena_lines[3];

static void *use_arena(void *arg)
{
	static char *chunk[CHUNKS];
	long v, lines;
	int i;

	v = vmas();
	lines = map_lines();
	for (i = 0; i < CHUNKS; i++) {
		chunk[i] = malloc(CHUNK);
		chunk[i][0] = i;
		chunk[i][CHUNK - 1] = i;
	}
	arena_vmas[0] = vmas() - v;
	arena_lines[0] = map_lines() - lines;
	for (i = 0; i < CHUNKS; i++) {
		if (chunk[i][0] != (char)i || chunk[i][CHUNK - 1] != (char)i)
			*(int *)arg = 1;
		free(chunk[i]);
	}
	malloc_trim(0);
	arena_vmas[1] = vmas() - v;
	arena_lines[1] = map_lines() - lines;
	for (i = 0; i < 100; i++) {
		chunk[i] = calloc(1, CHUNK);
		if (chunk[i][i])
			*(int *)arg = 1;
	}
	arena_vmas[2] = vmas() - v;
	arena_lines[2] = map_lines() - lines;
	return NULL;
}

static void arena(void)
{
	pthread_t t;
	int bad = 0;

	/* The program's own heap is the other arena. */
	if (pthread_create(&t, NULL, use_arena, &bad))
		bad = 2;
	else
		pthread_join(t, NULL);
	printf("fact arena: %d, lines %ld %ld %ld\n", bad, arena_lines[0], arena_lines[1],
	       arena_lines[2]);
	result(!bad, "an arena that grows, shrinks and grows keeps what is in it");
	/* It may have been there before; it needs a second heap. */
	result(!feature || (arena_vmas[0] <= 2 && arena_vmas[1] <= 1 && arena_vmas[2] <= 1),
	       "VMAs of an arena: %ld grown, %ld trimmed, %ld again", arena_vmas[0], arena_vmas[1],
	       arena_vmas[2]);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER };

	feature = argc > 1 && !strcmp(argv[1], "patched");
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGSEGV, &sa, NULL);
	mallopt(M_ARENA_MAX, THREADS + 1);
	/* The program's own heap is there before anything is counted. */
	printf("# %d pages\n", STACK / PS);
	guards();
	own_stack();
	arena();
	/* libc keeps stacks of up to 40 MB: those that come are new. */
	many(false, THREADS);
	many(true, 2 * THREADS);
	printf("1..%d\n", tests);
	return failed != 0;
}
