// SPDX-License-Identifier: GPL-2.0
/*
 * The fuzzer: libFuzzer makes up byte sequences, two programs (side.c) carry
 * them out as operations on memory, and what these observed is compared.
 *
 * A difference is confirmed, shrunk, and left as a sequence and as a C
 * program.  docs/testing.md tells how to use it.
 *
 * Environment:
 * FUZZ_SIDE=FILE		the program of side.c
 * FUZZ_OUT=DIR			where differences are left
 * FUZZ_CURRENT=FILE		holds the sequence that is carried out, for a kernel that dies
 * FUZZ_KEEP_GOING=N		go on until N different differences are found
 * FUZZ_NOISE=1			ordinary calls on both sides: what differs then is no bug
 * FUZZ_KINDS=LIST		only these kinds, by number: 0,1,2
 * FUZZ_MODE=N			only this mode (enum fuzz_mode)
 * FUZZ_TIMEOUT=SECONDS		for a sequence
 * FUZZ_PRINT=1			tell each sequence
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "print.h"
#include "seq.h"
#include "shrink.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* Filled with what the kernel's coverage and the results of calls tell. */
__attribute__((section("__libfuzzer_extra_counters"), used))
static uint8_t counters[sizeof(((struct fuzz_shm *)0)->feature)];

static struct fuzz_shm *shm;
static struct { pid_t pid; int to, from; } sides[2];
static int shm_fd, current_fd = -1;
static int keep_going;
static bool noise;
static unsigned int kinds[16], nr_kinds;
static int only_mode = -1;
static unsigned long nr_sequences, nr_flaky, nr_found;

static void die(const char *what)
{
	fprintf(stderr, "fuzz: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* The byte that a side sends; libFuzzer's alarm comes now and then. */
static bool answered(int fd)
{
	ssize_t n;
	char c;

	while ((n = read(fd, &c, 1)) < 0 && errno == EINTR)
		;
	return n == 1;
}

static void start_side(int which)
{
	const char *program = getenv("FUZZ_SIDE");
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		die("pipe");
	sides[which].pid = fork();
	if (!sides[which].pid) {
		/* An address space like the other's. */
		if (dup2(to[0], 0) < 0 || dup2(from[1], 1) < 0 || dup2(shm_fd, 3) < 0)
			_exit(98);
		execl(program, program, which == MULTI ? "multi" : "equiv", NULL);
		_exit(98);
	}
	close(to[0]);
	close(from[1]);
	sides[which].to = to[1];
	sides[which].from = from[0];
	if (!answered(from[0]))
		die("the side does not start");
}

static int stop_side(int which)
{
	int status = 0;

	close(sides[which].to);
	close(sides[which].from);
	/* It may have ended by itself: with what status? */
	usleep(100000);
	kill(sides[which].pid, SIGKILL);
	waitpid(sides[which].pid, &status, 0);
	return status;
}

static void run_side(int which)
{
	if (write(sides[which].to, "g", 1) == 1 && answered(sides[which].from))
		return;
	fprintf(stderr, "fuzz: side %d ended (%x), started again\n", which, stop_side(which));
	start_side(which);
	shm->side[which][0].nr_obs = 0;
}

struct difference {
	unsigned int step;
	const struct fuzz_obs *obs[2];	/* NULL: nothing more */
};

/* How many VMAs there are is a bound; all else must be the same. */
static bool agree(const struct fuzz_obs *multi, const struct fuzz_obs *equiv)
{
	if (multi->what == W_VMAS && equiv->what == W_VMAS && multi->step == equiv->step)
		return multi->value <= equiv->value + MORE_VMAS;
	return !memcmp(multi, equiv, sizeof(*multi));
}

static bool logs_differ(const struct fuzz_side *a, const struct fuzz_side *b, struct difference *d)
{
	uint32_t i, n = a->nr_obs < b->nr_obs ? a->nr_obs : b->nr_obs;

	shm->nr_obs += n;
	for (i = 0; i < n; i++)
		if (!agree(&a->obs[i], &b->obs[i]))
			break;
	if ((i == n && a->nr_obs == b->nr_obs) || i == FUZZ_MAX_OBS)
		return false;
	if (d) {
		d->obs[MULTI] = i < a->nr_obs ? &a->obs[i] : NULL;
		d->obs[EQUIV] = i < b->nr_obs ? &b->obs[i] : NULL;
		d->step = d->obs[MULTI] ? d->obs[MULTI]->step : d->obs[EQUIV]->step;
	}
	return true;
}

/* Do the sides differ on the sequence? */
static bool differs(const uint8_t *seq, size_t len, struct difference *d)
{
	unsigned int i;

	if (len > FUZZ_MAX_BYTES)
		len = FUZZ_MAX_BYTES;
	memset(shm->seq, 0, sizeof(shm->seq));
	memcpy(shm->seq, seq, len);
	shm->len = len;
	memset(shm->hint, 0, sizeof(shm->hint));
	memset(shm->feature, 0, sizeof(shm->feature));
	run_side(MULTI);
	run_side(EQUIV);
	shm->nr_steps += fuzz_nr_steps(len);
	nr_sequences++;
	/* Threads first: what they did comes before what is left at the end. */
	for (i = FUZZ_MAX_THREADS + 1; i-- > 0;)
		if (logs_differ(&shm->side[MULTI][i], &shm->side[EQUIV][i], d))
			return true;
	return false;
}

/* What kind of difference: not to be mixed up when it is shrunk. */
static unsigned int signature(const uint8_t *seq, size_t len, const struct difference *d)
{
	const struct fuzz_obs *a = d->obs[MULTI], *b = d->obs[EQUIV];
	struct fuzz_head head;
	struct fuzz_step s = { .code = NR_OPS };

	fuzz_decode_head(seq, len, &head);
	if (d->step < fuzz_nr_steps(len))
		fuzz_decode(seq, d->step, &head, &s);
	return (a ? a->what : NR_WHAT) * 1000 + (b ? b->what : NR_WHAT) * 40 + s.code;
}

static unsigned int what_of(unsigned int signature)
{
	return signature / 1000;
}

/* The same observation differs. */
static bool still(const uint8_t *seq, size_t len, unsigned int want)
{
	struct difference d;

	return differs(seq, len, &d) && what_of(signature(seq, len, &d)) == what_of(want);
}

static time_t shrink_until;

static bool still_oracle(const uint8_t *seq, size_t len, void *want)
{
	/* One that hangs takes its time. */
	return time(NULL) < shrink_until && still(seq, len, *(unsigned int *)want);
}

static void leave(const char *name, const char *suffix, const void *data, size_t len)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s%s", getenv("FUZZ_OUT") ?: ".", name, suffix);
	f = fopen(path, "w");
	if (!f || fwrite(data, 1, len, f) != len || fclose(f))
		fprintf(stderr, "fuzz: %s: %s\n", path, strerror(errno));
}

static void summary(void)
{
	unsigned int i;

	fprintf(stderr, "%lu sequences, %lu operations, %lu observations compared, %lu not repeatable\n",
		nr_sequences, (unsigned long)shm->nr_steps, (unsigned long)shm->nr_obs, nr_flaky);
	for (i = 0; i < NR_OPS; i++)
		fprintf(stderr, "%s%s %lu (%lu failed)", i % 5 ? ", " : i ? "\n  " : "  ",
			print_code(i), (unsigned long)shm->op_count[i][0],
			(unsigned long)shm->op_count[i][1]);
	fprintf(stderr, "\n");
}

static void found(const uint8_t *data, size_t size, unsigned int sig)
{
	static unsigned int seen[256], nr_seen;
	uint8_t seq[FUZZ_MAX_BYTES];
	struct difference d;
	char name[64], *text;
	size_t len = size < sizeof(seq) ? size : sizeof(seq), text_len;
	unsigned int i;
	FILE *f;

	memcpy(seq, data, len);
	shrink_until = time(NULL) + 300;
	len = shrink(seq, len, still_oracle, &sig, 3000);
	if (!differs(seq, len, &d)) {
		nr_flaky++;
		return;
	}
	sig = signature(seq, len, &d);
	for (i = 0; i < nr_seen; i++)
		if (seen[i] == sig)
			return;
	if (nr_seen < 256)
		seen[nr_seen++] = sig;
	nr_found++;
	snprintf(name, sizeof(name), "difference-%u", sig);
	leave(name, ".seq", seq, len);

	f = open_memstream(&text, &text_len);
	fprintf(f, "DIFFERENCE\n");
	print_difference(f, d.obs[MULTI], d.obs[EQUIV]);
	print_steps(f, shm);
	fclose(f);
	fwrite(text, 1, text_len, stderr);
	leave(name, ".txt", text, text_len);
	free(text);

	f = open_memstream(&text, &text_len);
	print_program(f, shm, d.step, d.obs[MULTI], d.obs[EQUIV]);
	fclose(f);
	leave(name, ".c", text, text_len);
	free(text);
	fprintf(stderr, "The sequence and a program of it: %s/%s.{seq,c}\n",
		getenv("FUZZ_OUT") ?: ".", name);
	if ((int)nr_found > keep_going) {
		/* libFuzzer would keep the sequence as it was, and show its stack. */
		summary();
		_exit(77);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *e;
	unsigned int i;

	(void)argc;
	(void)argv;
	shm_fd = fcntl(memfd_create("fuzz-shm", MFD_CLOEXEC), F_DUPFD_CLOEXEC, 10);
	if (shm_fd < 0 || ftruncate(shm_fd, sizeof(*shm)))
		die("memfd");
	shm = mmap(NULL, sizeof(*shm), PROT_READ | PROT_WRITE, MAP_SHARED, shm_fd, 0);
	if (shm == MAP_FAILED)
		die("mmap");
	e = getenv("FUZZ_TIMEOUT");
	shm->timeout = e ? atoi(e) : 20;
	e = getenv("FUZZ_KEEP_GOING");
	keep_going = e ? atoi(e) : 0;
	e = getenv("FUZZ_NOISE");
	noise = e && *e == '1';
	e = getenv("FUZZ_MODE");
	only_mode = e ? atoi(e) : -1;
	e = getenv("FUZZ_CURRENT");
	if (e) {
		current_fd = open(e, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (current_fd < 0)
			die(e);
	}
	start_side(MULTI);
	start_side(EQUIV);
	if (noise)
		shm->chgprot = 0;
	fprintf(stderr, "MAP_CHGPROT %s, PR_SET_MANYPROTS %s, coverage %s\n",
		noise ? "not used" : shm->chgprot ? "yes" : "no", shm->implicit ? "yes" : "no",
		shm->kcov ? "of the kernel" : "none: at random");
	for (i = 0; i < fuzz_nr_kinds; i++) {
		fprintf(stderr, "  kind %u, %s: %s\n", i, fuzz_kinds[i].name,
			!shm->present[i] ? "not to be had" : shm->eligible[i] ? "taken" :
			"refused by MAP_CHGPROT");
		if (shm->present[i] && (noise || shm->eligible[i]))
			kinds[nr_kinds++] = i;
	}
	e = getenv("FUZZ_KINDS");
	if (e) {
		nr_kinds = 0;
		for (; *e && nr_kinds < 16; e += strcspn(e, ","), e += *e == ',')
			kinds[nr_kinds++] = atoi(e);
	}
	if (!nr_kinds) {
		/* Then only PR_SET_MANYPROTS can differ. */
		kinds[nr_kinds++] = 0;
	}
	atexit(summary);
	return 0;
}

/* Makes the header one that means something on this kernel. */
static void fix_head(uint8_t *data)
{
	unsigned int i;

	for (i = 0; i < nr_kinds && kinds[i] != data[0]; i++)
		;
	if (i == nr_kinds)
		data[0] = kinds[data[0] % nr_kinds];
	if (only_mode >= 0)
		data[4] = only_mode;
	else if (data[4] > MODE_THREADS || (data[4] == MODE_IMPLICIT && !shm->implicit))
		data[4] = data[4] % 8 == 0 ? MODE_THREADS :
			data[4] % 8 == 1 && shm->implicit ? MODE_IMPLICIT : MODE_CHGPROT;
}

static uint32_t random_state;

static uint32_t rnd(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state;
}

/* Operations stay whole: else one byte more changes the meaning of all that follows. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	size_t n, i, j;

	random_state = seed * 2654435761u + 1;
	rnd();
	if (max_size > FUZZ_MAX_BYTES)
		max_size = FUZZ_MAX_BYTES;
	max_size -= max_size % FUZZ_UNIT;
	size -= size % FUZZ_UNIT;
	n = size / FUZZ_UNIT;
	if (n < 3 || rnd() % (shm->kcov ? 16 : 2) == 0) {
		/* A new one. */
		n = 4 + rnd() % (rnd() % 4 ? 24 : FUZZ_MAX_OPS - 4);
		if (n > max_size / FUZZ_UNIT)
			n = max_size / FUZZ_UNIT;
		for (i = 0; i < n * FUZZ_UNIT; i++)
			data[i] = rnd() >> 8;
		fix_head(data);
		return n * FUZZ_UNIT;
	}
	for (j = 1 + rnd() % 4; j; j--) {
		uint8_t *op;

		i = 1 + rnd() % (n - 1);
		op = data + i * FUZZ_UNIT;
		switch (rnd() % 6) {
		case 0:		/* remove */
			if (n <= 4)
				break;
			memmove(op, op + FUZZ_UNIT, (n - i - 1) * FUZZ_UNIT);
			n--;
			break;
		case 1: case 2:	/* insert: random, or one there is */
			if ((n + 1) * FUZZ_UNIT > max_size)
				break;
			memmove(op + FUZZ_UNIT, op, (n - i) * FUZZ_UNIT);
			n++;
			if (rnd() & 1) {
				memcpy(op, data + (1 + rnd() % (n - 1)) * FUZZ_UNIT, FUZZ_UNIT);
				break;
			}
			for (size_t k = 0; k < FUZZ_UNIT; k++)
				op[k] = rnd() >> 8;
			break;
		case 3:		/* at the same place as another */
			memcpy(op + 1, data + (1 + rnd() % (n - 1)) * FUZZ_UNIT + 1, 2);
			break;
		case 4:		/* bytes */
			op[rnd() % FUZZ_UNIT] = rnd() >> 8;
			break;
		case 5:
			if (rnd() % 4 == 0)
				data[rnd() % FUZZ_UNIT] = rnd() >> 8;
			else
				LLVMFuzzerMutate(op, FUZZ_UNIT, FUZZ_UNIT);
			break;
		}
	}
	fix_head(data);
	return n * FUZZ_UNIT;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t na, const uint8_t *b, size_t nb,
				 uint8_t *to, size_t max, unsigned int seed)
{
	size_t first, second;

	random_state = seed * 2654435761u + 1;
	na /= FUZZ_UNIT;
	nb /= FUZZ_UNIT;
	max /= FUZZ_UNIT;
	if (na < 2 || nb < 2 || max < 4)
		return 0;
	first = 1 + rnd() % na;
	if (first > max - 1)
		first = max - 1;
	second = rnd() % (nb - 1);
	if (second > max - first)
		second = max - first;
	memcpy(to, a, first * FUZZ_UNIT);
	memcpy(to + first * FUZZ_UNIT, b + (nb - second) * FUZZ_UNIT, second * FUZZ_UNIT);
	return (first + second) * FUZZ_UNIT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct difference d;
	struct fuzz_obs first[2];
	unsigned int sig, i, again = 0;

	counters[0] = 1;	/* libFuzzer ends if the first input covers nothing */
	if (size < 2 * FUZZ_UNIT)
		return 0;
	if (size > FUZZ_MAX_BYTES)
		size = FUZZ_MAX_BYTES;
	if (current_fd >= 0) {
		/* If the kernel dies of it, this must be with the host. */
		if (pwrite(current_fd, data, size, 0) < 0 || ftruncate(current_fd, size) ||
		    fsync(current_fd))
			die("FUZZ_CURRENT");
	}
	if (getenv("FUZZ_PRINT")) {
		differs(data, size, NULL);
		print_steps(stderr, shm);
	}
	if (!differs(data, size, &d)) {
		memcpy(counters, shm->feature, sizeof(counters));
		return 0;
	}
	sig = signature(data, size, &d);
	for (i = 0; i < 2; i++) {
		memset(&first[i], 0, sizeof(first[i]));
		if (d.obs[i])
			first[i] = *d.obs[i];
	}
	for (i = 0; i < 3; i++)
		again += still(data, size, sig);
	if (again < 2) {
		char name[64];

		/* Charges of other processes show in the system's sum. */
		if (what_of(sig) == W_COMMIT)
			return 0;
		nr_flaky++;
		snprintf(name, sizeof(name), "flaky-%u", sig);
		leave(name, ".seq", data, size);
		if (nr_flaky <= 5) {
			fprintf(stderr, "not repeatable:\n");
			print_difference(stderr, &first[0], &first[1]);
		}
		return 0;
	}
	found(data, size, sig);
	return 0;
}
