// SPDX-License-Identifier: GPL-2.0
/*
 * Compares two files of records, as TAP: a test for each object and way to
 * load it, then the table of system calls by shape, as notes.
 */
#define _GNU_SOURCE
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"

/* The part of a record that begins "ld.so" or "execve". */
struct half {
	char *layout;		/* lines with addresses and checksums */
	size_t size;
	bool there;
	bool unrelocated;	/* and so relro is not protected */
	char status[32], why[96];
	long vmas;
	int mmap, mprotect, remap, more;
};

struct record {
	char path[4096], shape[160];
	struct half half[2];
};

static const char *const half_name[2] = { "ld.so", "execve" };

static int tests, failures;

/* --- reading --- */

static void add_line(struct half *h, const char *line)
{
	size_t n = strlen(line);

	h->layout = realloc(h->layout, h->size + n + 1);
	if (!h->layout)
		err(1, "realloc");
	memcpy(h->layout + h->size, line, n + 1);
	h->size += n;
}

static void parse_half(struct half *h, const char *line)
{
	h->there = true;
	if (*line == ':')
		add_line(h, line + 1);
	else if (!strcmp(line, " unrelocated\n"))
		h->unrelocated = true;
	else if (sscanf(line, " status %31s", h->status) != 1 &&
		 sscanf(line, " vmas %ld", &h->vmas) != 1 &&
		 sscanf(line, " calls mmap %d mprotect %d remap_file_pages %d",
			&h->mmap, &h->mprotect, &h->remap) != 3 &&
		 sscanf(line, " more %d", &h->more) != 1)
		sscanf(line, " why %95[^\n]", h->why);
}

/* False at the end, which must be told. */
static bool read_record(FILE *f, const char *name, struct record *r)
{
	char line[4352];

	for (int i = 0; i < 2; i++)
		free(r->half[i].layout);
	memset(r, 0, sizeof(*r));
	while (fgets(line, sizeof(line), f)) {
		if (!strcmp(line, "done\n"))
			return false;
		if (!strcmp(line, "end\n"))
			return true;
		for (int i = 0; i < 2; i++)
			if (!strncmp(line, half_name[i], strlen(half_name[i])))
				parse_half(&r->half[i], line + strlen(half_name[i]));
		sscanf(line, "file %4095[^\n]", r->path);
		sscanf(line, "shape %159[^\n]", r->shape);
	}
	errx(2, "%s: ends in the middle, after %s", name, r->path);
}

/* --- the table --- */

static struct row {
	char shape[200];
	int objects, one;
	/* Of one object, least and most. */
	int stock_min, stock_max, other_min, other_max;
	/* Of all, and how many more they may make: see corpus.h. */
	long stock, other, more;
} rows[1024];
static int nrows;

static void add_row(const char *shape, int stock, int other, int more, bool one)
{
	struct row *r = rows;

	while (r < rows + nrows && strcmp(r->shape, shape))
		r++;
	if (r == rows + nrows) {
		if (nrows == ARRAY_SIZE(rows))
			errx(2, "too many shapes");
		nrows++;
		snprintf(r->shape, sizeof(r->shape), "%s", shape);
		r->stock_min = r->other_min = 1000000;
	}
	r->objects++;
	r->one += one;
	r->stock += stock;
	r->other += other;
	r->more += more;
	r->stock_min = stock < r->stock_min ? stock : r->stock_min;
	r->stock_max = stock > r->stock_max ? stock : r->stock_max;
	r->other_min = other < r->other_min ? other : r->other_min;
	r->other_max = other > r->other_max ? other : r->other_max;
}

static int by_objects(const void *a, const void *b)
{
	return ((const struct row *)b)->objects - ((const struct row *)a)->objects;
}

static const char *span(int min, int max)
{
	static char text[4][32];
	static int i;
	char *to = text[i++ % 4];

	if (min == max)
		snprintf(to, 32, "%d", min);
	else
		snprintf(to, 32, "%d-%d", min, max);
	return to;
}

/* --- comparing --- */

static bool fine;
static const char *todo = "";

static void result(const char *path, const char *how, const char *text)
{
	tests++;
	failures += !fine;
	failures -= !fine && *todo;
	printf("%sok - %s: %s: %s%s\n", fine ? "" : "not ", how, path, text,
	       fine ? "" : todo);
}

/*
 * On User-mode Linux what brk() gives is executable, and stock's bss of a
 * program is that; as a run it is not.
 */
static bool brk_differs(const char *a, const char *b)
{
	const char *x = "rwxp 0 anonymous", *w = "rw-p 0 anonymous";
	bool found = false;

	for (; *a && *b; a++, b++) {
		if (!strncmp(a, x, strlen(x)) && !strncmp(b, w, strlen(w))) {
			found = true;
			a += strlen(x) - 1;
			b += strlen(w) - 1;
		} else if (*a != *b) {
			return false;
		}
	}
	return found && *a == *b;
}

static void compare_half(const struct record *a, const struct record *b, int i,
			 bool patched, char *notes, size_t size)
{
	const struct half *s = &a->half[i], *o = &b->half[i];
	int was = s->mmap + s->mprotect + s->remap;
	int is = o->mmap + o->mprotect + o->remap;
	bool one = !strcmp(o->why, "one");
	char text[256], shape[200];

	*notes = 0;
	fine = s->there == o->there && s->unrelocated == o->unrelocated &&
	       !strcmp(s->status, o->status) &&
	       s->size && s->size == o->size && !strcmp(s->layout, o->layout);
	todo = "";
	if (!fine && i == 1 && s->size && o->size && brk_differs(s->layout, o->layout))
		todo = " # TODO bss that execve maps is not executable, as stock's is on User-mode Linux";
	if (!fine)
		snprintf(notes, size, "#   stock, status %s:\n%s#   other, status %s:\n%s",
			 s->status, s->layout ?: "", o->status, o->layout ?: "");
	snprintf(text, sizeof(text), "%s, %ld VMAs, stock %ld",
		 fine ? "the same" : "differs", o->vmas, s->vmas);
	if (patched) {
		if (one && o->vmas != 1) {
			fine = false;
			todo = "";
			snprintf(text, sizeof(text), "%ld VMAs, must be 1", o->vmas);
		}
		if (!one)
			snprintf(text + strlen(text), sizeof(text) - strlen(text),
				 ": %s", o->why);
		if (i == 0 && is > was + o->more) {
			fine = false;
			todo = "";
			snprintf(text, sizeof(text), "%d system calls, stock %d",
				 is, was);
		}
	} else if (is != was || o->vmas != s->vmas) {
		fine = false;
			todo = "";
		snprintf(text, sizeof(text), "%d calls, %ld VMAs, must be %d, %ld", is,
			 o->vmas, was, s->vmas);
	}
	if (i == 0) {
		snprintf(shape, sizeof(shape), "%s%s", a->shape,
			 s->unrelocated ? ", not relocated" : "");
		add_row(shape, was, is, o->more, o->vmas == 1);
	}
	result(a->path, half_name[i], text);
	if (!fine)
		fputs(notes, stdout);
}

/* What docs/loader.md promises: calls for one object, by its segments. */
static const struct promise {
	const char *shape;
	int stock, patched;
} promises[] = {
	{ "R RX R RW, relro, bss", 6, 5 },
	{ "R RX R RW, relro", 5, 4 },
	{ "RX RW, relro, bss", 4, 4 },
	{ "RX RW, relro", 3, 3 },
	{ "RX RW, bss", 3, 3 },
};

/* A test for each row of the table, and the sum. */
static void test_table(bool patched)
{
	long stock = 0, other = 0, objects = 0, one = 0;
	char text[256];

	qsort(rows, nrows, sizeof(rows[0]), by_objects);
	for (struct row *r = rows; r < rows + nrows; r++) {
		fine = patched ? r->other <= r->stock + r->more : r->other == r->stock;
		for (size_t i = 0; patched && i < ARRAY_SIZE(promises); i++)
			if (!strcmp(promises[i].shape, r->shape))
				fine = r->stock_min == promises[i].stock &&
				       r->stock_max == promises[i].stock &&
				       r->other_min == promises[i].patched &&
				       r->other_max == promises[i].patched;
		snprintf(text, sizeof(text), "%s system calls each, stock %s; %d objects, %d of them one VMA",
			 span(r->other_min, r->other_max),
			 span(r->stock_min, r->stock_max), r->objects, r->one);
		result(r->shape, "calls", text);
		stock += r->stock;
		other += r->other;
		objects += r->objects;
		one += r->one;
	}
	printf("# %ld objects mapped by ld.so, %ld of them one VMA: %ld system calls, stock %ld\n",
	       objects, one, other, stock);
}

int corpus_compare(const char *stock, const char *other, bool patched)
{
	static struct record a, b;
	static char notes[65536];
	FILE *f = fopen(stock, "re"), *g = fopen(other, "re");
	bool more, more_b;

	if (!f || !g)
		err(2, "%s, %s", stock, other);
	for (;;) {
		more = read_record(f, stock, &a);
		more_b = read_record(g, other, &b);
		if (!more || !more_b)
			break;
		if (strcmp(a.path, b.path))
			errx(2, "%s in one, %s in the other", a.path, b.path);
		for (int i = 0; i < 2; i++)
			if (a.half[i].there || b.half[i].there)
				compare_half(&a, &b, i, patched, notes, sizeof(notes));
	}
	todo = "";
	fine = more == more_b;
	result("all", "both", "the same objects were found");
	test_table(patched);
	printf("1..%d\n", tests);
	return failures != 0;
}
