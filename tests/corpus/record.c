// SPDX-License-Identifier: GPL-2.0
/*
 * A record of each file: what ld.so and what execve makes of it.
 *
 * ld.so: LD_TRACE_LOADED_OBJECTS, with LD_WARN and LD_BIND_NOW, maps an object,
 * relocates it, protects relro, and runs nothing of it.  Opening any other file
 * but libc's is made to fail: missing dependencies are only told there, and
 * thousands of objects can be done one by one.
 *
 * execve: looked at before the first instruction.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "corpus.h"
#include "layout.h"
#include "tracee.h"

struct look {
	const char *path;
	const struct elf_shape *shape;
	const char *by;			/* "ld.so" or "execve" */
	int fd;				/* that ld.so has of it */
	uint64_t base, end;		/* where it is mapped */
	int mmap, mprotect, remap;	/* calls for it */
	uint64_t loader, loader_end;	/* where ld.so is */
	bool all;			/* other files may be opened */
	bool seen;
};

/* Pages at each end of a long range, unless all are wanted. */
#define END_PAGES	128

/*
 * The bytes of a range, page after page; also where there are none.  A wrong
 * offset or kind shows at the ends of a range as well as anywhere.  Where ld.so
 * has its functions (__tls_get_addr) differs from build to build: addresses in
 * it are taken for equal.
 */
static uint64_t hash_range(struct tracee *t, const struct look *l,
			   uint64_t from, uint64_t to)
{
	static uint64_t words[16 * PAGE / 8];
	static int all = -1;
	uint64_t hash = 0xcbf29ce484222325;
	uint64_t skip = to;

	if (all < 0)
		all = getenv("CORPUS_ALL_PAGES") != NULL;
	if (!all && to - from > 2 * END_PAGES * PAGE)
		skip = from + END_PAGES * PAGE;
	while (from < to) {
		if (from == skip)
			from = to - END_PAGES * PAGE;

		size_t n = to - from < sizeof(words) ? to - from : sizeof(words);

		/* END_PAGES are a multiple of what is read at once. */
		n = tracee_read(t, from, words, n) & -PAGE;
		for (size_t i = 0; i < n / 8; i++) {
			if (words[i] >= l->loader && words[i] < l->loader_end)
				words[i] = 0;
			hash = (hash ^ words[i]) * 0x100000001b3;
		}
		if (!n) {
			/* Beyond the end of the file. */
			hash = (hash ^ 1) * 0x100000001b3;
			n = PAGE;
		}
		from += n;
	}
	return hash;
}

struct looking {
	struct look *look;
	struct tracee *t;
};

static void find_objects(const struct layout_entry *e, void *data)
{
	struct look *l = ((struct looking *)data)->look;

	if (!l->base && !strcmp(e->name, l->path))
		l->base = e->start;
	if (!strncmp(layout_base(e->name), "ld-linux", 8)) {
		if (!l->loader)
			l->loader = e->start;
		l->loader_end = e->end;
	}
}

static void print_entry(const struct layout_entry *e, void *data)
{
	struct looking *g = data;
	const struct look *l = g->look;
	uint64_t start = e->start > l->base ? e->start : l->base;
	uint64_t end = e->end < l->end ? e->end : l->end;

	if (start >= end)
		return;
	/* An entry may go on behind the object, if that ends in bss. */
	printf("%s: %" PRIx64 "-%" PRIx64 " %s %" PRIx64 " %s %016" PRIx64 "\n",
	       l->by, start, end, e->perms, e->offset,
	       e->inode ? "file" : "anonymous", hash_range(g->t, l, start, end));
}

static void print_look(struct look *l, struct tracee *t)
{
	struct looking g = { .look = l, .t = t };

	l->seen = true;
	layout_each(t->pid, find_objects, &g);
	l->end = l->base + (l->shape->hi - l->shape->lo);
	layout_each(t->pid, print_entry, &g);
	printf("%s vmas %ld\n", l->by, layout_vmas_between(t->pid, l->base, l->end));
}

/* Without these ld.so dies of the symbol versions that objects ask for. */
static bool is_libc(const char *name)
{
	static const char *const names[] = {
		"libc.so.6", "libpthread.so.0", "libm.so.6", "libdl.so.2",
		"librt.so.1", "libutil.so.1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static int enter(struct tracee *t)
{
	struct look *l = t->data;
	const uint64_t *a = t->arg;
	char path[PATH_MAX];

	switch (t->nr) {
	case SYS_openat:
		tracee_string(t, a[1], path, sizeof(path));
		if (!strcmp(path, l->path))
			return TRACEE_LEAVE;
		return l->all || is_libc(layout_base(path)) ? TRACEE_GO_ON : ENOENT;
	case SYS_mmap:
		if (!(a[3] & MAP_ANONYMOUS) && (int)a[4] == l->fd) {
			l->mmap++;
			return l->base ? TRACEE_GO_ON : TRACEE_LEAVE;
		}
		/* fall through */
	case SYS_mprotect:
	case SYS_remap_file_pages:
		if (!l->base || a[0] < l->base || a[0] >= l->end)
			break;
		if (t->nr == SYS_mmap)
			l->mmap++;
		else if (t->nr == SYS_mprotect)
			l->mprotect++;
		else
			l->remap++;
		break;
	case SYS_close:
		if ((int)a[0] == l->fd)
			l->fd = -2;
		break;
	case SYS_exit_group:
		print_look(l, t);
		break;
	}
	return TRACEE_GO_ON;
}

static void leave(struct tracee *t)
{
	struct look *l = t->data;

	if (t->ret < 0)
		return;
	if (t->nr == SYS_openat) {
		l->fd = t->ret;
	} else if (!l->base) {
		l->base = PAGE_DOWN(t->ret);
		l->end = l->base + (l->shape->hi - l->shape->lo);
	}
}

static bool loaded(struct tracee *t)
{
	print_look(t->data, t);
	return false;
}

static const int mapping_calls[] = {
	SYS_openat, SYS_mmap, SYS_mprotect, SYS_remap_file_pages, SYS_close,
	SYS_exit_group,
};

static const struct tracee_ops by_loader = {
	.calls = mapping_calls,
	.ncalls = ARRAY_SIZE(mapping_calls),
	.enter = enter,
	.leave = leave,
};

static const struct tracee_ops by_kernel = { .loaded = loaded };

static void record(const char *path, const char *loader, int null)
{
	struct elf_shape shape;
	struct look look = { 0 };
	char *env[] = { "LD_TRACE_LOADED_OBJECTS=1", "LD_WARN=1", "LD_BIND_NOW=1", NULL };
	int status = 0;

	if (!elf_read(path, &shape))
		return;
	printf("file %s\nshape %s\n", path, shape.text);
	if (shape.by_loader) {
		char *argv[] = { (char *)loader, (char *)path, NULL };

		/*
		 * Relocation may die of what is missing: then with everything,
		 * and after that without relocation.
		 */
		for (int attempt = 0; attempt < 3 && !look.seen; attempt++) {
			look = (struct look){ .path = path, .shape = &shape,
					      .fd = -2, .by = "ld.so",
					      .all = attempt > 0 };
			if (attempt == 2) {
				env[1] = NULL;
				printf("ld.so unrelocated\n");
			}
			status = tracee_run(argv, env, null, &by_loader, &look);
		}
		printf("ld.so status %#x\n", status);
		printf("ld.so calls mmap %d mprotect %d remap_file_pages %d\n",
		       look.mmap, look.mprotect, look.remap);
		printf("ld.so more %d\n", shape.call_more);
		printf("ld.so why %s\n", shape.why_loader ?: "one");
	}
	/* What cannot be executed is none. */
	if (shape.by_kernel && !access(path, X_OK)) {
		char *argv[] = { (char *)path, NULL };

		look = (struct look){ .path = path, .shape = &shape, .by = "execve" };
		tracee_run(argv, env, null, &by_kernel, &look);
		printf("execve why %s\n", shape.why_kernel ?: "one");
	}
	printf("end\n");
	fflush(stdout);
}

int corpus_run(const char *loader)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	char path[PATH_MAX];

	if (null < 0)
		err(1, "/dev/null");
	while (fgets(path, sizeof(path), stdin)) {
		path[strcspn(path, "\n")] = 0;
		record(path, loader, null);
	}
	printf("done\n");
	return 0;
}
