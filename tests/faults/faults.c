// SPDX-License-Identifier: GPL-2.0
/*
 * faults DIR SHAPES [SCENARIO]...: what the patched ld.so does when a system
 * call of its mapping path fails, compared with what the stock one does when
 * its call for the same range fails.
 *
 * DIR is what tests/faults/build made, SHAPES has the libraries of
 * tests/loader/mkshapes.  A program is run under ptrace; each call that maps,
 * opens, reads or closes one of the libraries has a key, which names what is
 * asked for and not the system call: "usual.so zero 8000 3000 rw-" is an
 * anonymous mmap of stock and a remap_file_pages of ours.
 *
 * Compared are the output (dlerror's text), the exit status, and at each line
 * of output and at the end: the joined maps, a checksum of each page of the
 * libraries, and the open descriptors.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "layout.h"
#include "tracee.h"

#define PAGE		4096UL
#define PAGE_UP(x)	(((x) + PAGE - 1) & -PAGE)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MAX_CALLS	256
#define MAX_LIBS	16
#define MAX_ARGS	8
#define MAP_CHGPROT	0x800000

enum loader { STOCK, PATCHED };

/* The first three for all scenarios: what is remembered is one of a kind. */
static struct {
	int error;
	const char *name;
} errors[] = {
	{ ENOMEM, "ENOMEM" }, { EPERM, "EPERM" }, { ENODEV, "ENODEV" },
	{ EACCES, "EACCES" }, { EINVAL, "EINVAL" }, { ENOSYS, "ENOSYS" },
	{ EAGAIN, "EAGAIN" }, { EOVERFLOW, "EOVERFLOW" },
};
#define FEW_ERRORS	3
#define LOOSE		" (but for the text that was mapped early)"

static size_t nerrors;
static bool chosen_errors;

struct scenario {
	const char *name;
	const char *program;
	const char *args[MAX_ARGS];	/* %: the directory of shapes */
	const char *libs[4];		/* whose calls fail */
	bool all_errors;
	/*
	 * Data with bss comes before text, and ours maps the text first: if a
	 * stock call before it fails, or that for the text itself later, the
	 * mapping that is left behind already has it.
	 */
	bool text_early;
};

#define SHAPE(shape, ...)	{					\
	.name = shape, .program = "dl",					\
	/* Another library afterwards, the same again, and away with it. */ \
	.args = { "%/" shape ".so", "libdep.so", "%/" shape ".so", "-" }, \
	.libs = { shape ".so" }, __VA_ARGS__ }

static const struct scenario scenarios[] = {
	{ .name = "program start", .program = "start",
	  .libs = { "libtop.so", "libdep.so", "libc.so.6" } },
	{ .name = "dlopen with a dependency", .program = "dl",
	  .args = { "libtop.so", "%/usual.so", "libtop.so", "-" },
	  .libs = { "libtop.so", "libdep.so" } },
	SHAPE("usual", .all_errors = true),
	SHAPE("holes"),			/* mprotect, and a reserve */
	SHAPE("aligned-2m"),
	SHAPE("read-only-bss", .text_early = true),	/* mprotect there and back */
	SHAPE("data-first", .text_early = true),
	SHAPE("data-first-holes", .text_early = true),
	SHAPE("data-first-text-bss", .text_early = true),
	SHAPE("linear-relro"),		/* nothing to remap */
	SHAPE("textrel"),
};

struct fault {
	const char *key;	/* NULL: any */
	bool remap;		/* the remap_file_pages of that key */
	bool always;		/* not only the first */
	int error;
	int times;		/* so often it was done */
};

struct call {
	char *key;
	const char *lib;	/* of it */
	bool remap, failed;
	bool redundant;		/* the first mapping did it already */
};

struct lib {
	char name[64];
	uint64_t reserve, reserve_size;
	uint64_t base, size;	/* 0 if it is not mapped */
	uint64_t offset;	/* of its first mapping in the file */
	int prot;		/* of that */
	uint64_t holes, holes_end;	/* what of it was made inaccessible */
	int fd, trims;
};

/* A program and what it did. */
struct run {
	const struct scenario *scenario;
	struct fault *faults;
	int nfaults;
	struct lib libs[MAX_LIBS];	/* mapped last is last */
	int nlibs;
	struct call calls[MAX_CALLS];
	int ncalls;
	struct call *current;
	char opening[64];
	FILE *text;		/* what is compared */
	char *buf;
	size_t size;
	long vmas;
	int out;
};

static const char *dir, *shapes;
static char output[PATH_MAX];
static long runs;
static bool loose;		/* what a failed load leaves is not compared */

/* --- which call is this? --- */

static const char *prot_text(int prot)
{
	static char text[4];

	snprintf(text, sizeof(text), "%c%c%c", prot & PROT_READ ? 'r' : '-',
		 prot & PROT_WRITE ? 'w' : '-', prot & PROT_EXEC ? 'x' : '-');
	return text;
}

static struct lib *lib_of_fd(struct run *r, uint64_t fd)
{
	for (int i = r->nlibs - 1; i >= 0; i--)
		if (r->libs[i].fd >= 0 && (int)fd == r->libs[i].fd)
			return &r->libs[i];
	return NULL;
}

static struct lib *lib_of_addr(struct run *r, uint64_t addr)
{
	for (int i = r->nlibs - 1; i >= 0; i--)
		if (r->libs[i].base && addr >= r->libs[i].base &&
		    addr < r->libs[i].base + r->libs[i].size)
			return &r->libs[i];
	return NULL;
}

/* The one that is being loaded. */
static struct lib *lib_open(struct run *r)
{
	struct lib *l = r->nlibs ? &r->libs[r->nlibs - 1] : NULL;

	return l && l->fd >= 0 ? l : NULL;
}

/* Does it belong to a library whose calls shall fail here? */
static bool is_subject(const struct scenario *s, const char *lib)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->libs); i++)
		if (s->libs[i] && !strcmp(s->libs[i], lib))
			return true;
	return false;
}

static bool is_wanted(struct run *r, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(r->scenario->libs); i++)
		if (r->scenario->libs[i] && !strcmp(r->scenario->libs[i], name))
			return true;
	/* Loaded in between; to see what is still asked for. */
	return !strcmp(name, "libdep.so") || !strcmp(name, "usual.so");
}

static void __attribute__((format(printf, 4, 5)))
add_call(struct run *r, const char *lib, bool remap, const char *fmt, ...)
{
	struct call *c = &r->calls[r->ncalls];
	char what[128];
	va_list ap;

	if (r->ncalls == MAX_CALLS)
		errx(1, "%s: too many calls", r->scenario->name);
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (asprintf(&c->key, "%s %s", lib, what) < 0)
		err(1, "asprintf");
	c->lib = strndup(lib, strlen(lib));
	c->remap = remap;
	c->failed = false;
	c->redundant = false;
	r->current = c;
	r->ncalls++;
}

static void range_call(struct run *r, struct lib *l, bool remap,
		       const char *what, uint64_t addr, uint64_t len, int prot)
{
	/* remap_file_pages is given whole pages, mmap and mprotect round up. */
	add_call(r, l->name, remap, "%s %" PRIx64 " %" PRIx64 " %s", what,
		 addr - l->base, PAGE_UP(len), prot_text(prot));
}

static void name_call(struct run *r, struct tracee *t)
{
	const uint64_t *a = t->arg;
	char path[PATH_MAX];
	const char *base;
	struct lib *l;

	r->current = NULL;
	switch (t->nr) {
	case SYS_openat:
		tracee_string(t, a[1], path, sizeof(path));
		base = layout_base(path);
		/* Not the places where it is looked for and is not. */
		if (is_wanted(r, base) && !access(path, F_OK)) {
			snprintf(r->opening, sizeof(r->opening), "%.63s", base);
			add_call(r, base, false, "open");
		}
		break;
	case SYS_read:
	case SYS_pread64:
	case SYS_fstat:
	case SYS_newfstatat:
	case SYS_close:
		l = lib_of_fd(r, a[0]);
		if (l)
			add_call(r, l->name, false,
				 t->nr == SYS_read ? "read" :
				 t->nr == SYS_pread64 ? "pread64" :
				 t->nr == SYS_close ? "close" : "fstat");
		break;
	case SYS_mmap:
		if (a[3] & MAP_ANONYMOUS) {
			l = lib_open(r);
			if (!(a[3] & MAP_FIXED) && l && !l->base && !a[2])
				add_call(r, l->name, false, "reserve");
			l = lib_of_addr(r, a[0]);
			if ((a[3] & MAP_FIXED) && l)
				range_call(r, l, false, "zero", a[0], a[1], a[2]);
			break;
		}
		l = lib_of_fd(r, a[4]);
		if (l && !l->base)
			add_call(r, l->name, false, "map %s", prot_text(a[2]));
		else if (l) {
			range_call(r, l, false, "file", a[0], a[1], a[2]);
			r->current->redundant = (int)a[2] == l->prot &&
				a[5] - l->offset == a[0] - l->base &&
				a[0] + a[1] <= l->base + l->size &&
				(a[0] + a[1] <= l->holes || a[0] >= l->holes_end);
		}
		break;
	case SYS_remap_file_pages:
		l = lib_of_addr(r, a[0]);
		if (!l || !(a[4] & MAP_CHGPROT))
			break;
		if (a[0] == l->base && PAGE_UP(a[1]) == l->size)
			add_call(r, l->name, true, "whole %s", prot_text(a[2]));
		else
			/* No segment of these libraries has no protection. */
			range_call(r, l, true, a[4] & MAP_ANONYMOUS ? "zero" :
				   a[2] ? "file" : "protect", a[0], a[1], a[2]);
		break;
	case SYS_mprotect:
		l = lib_of_addr(r, a[0]);
		if (!l)
			break;
		range_call(r, l, false, "protect", a[0], a[1], a[2]);
		/* Only for holes; before any segment is mapped over them. */
		if (!a[2]) {
			l->holes = a[0];
			l->holes_end = a[0] + PAGE_UP(a[1]);
		}
		break;
	case SYS_munmap:
		l = lib_open(r);
		/* How much there is depends on where the kernel puts it. */
		if (l && l->reserve && a[0] >= l->reserve &&
		    a[0] < l->reserve + l->reserve_size)
			add_call(r, l->name, false, "trim %d", l->trims++);
		else if (lib_of_addr(r, a[0]))
			add_call(r, lib_of_addr(r, a[0])->name, false, "unmap");
		break;
	}
}

/* --- what a call did, and what it looks like then --- */

static void follow_call(struct run *r, struct tracee *t)
{
	struct lib *l;

	if (!r->current)
		return;
	if (t->ret < 0 && t->ret > -4096) {
		r->current->failed = true;
		return;
	}
	switch (t->nr) {
	case SYS_openat:
		if (r->nlibs == MAX_LIBS)
			errx(1, "%s: too many libraries", r->scenario->name);
		l = &r->libs[r->nlibs++];
		memset(l, 0, sizeof(*l));
		memcpy(l->name, r->opening, sizeof(l->name));
		l->fd = t->ret;
		break;
	case SYS_close:
		lib_of_fd(r, t->arg[0])->fd = -1;
		break;
	case SYS_mmap:
		l = lib_open(r);
		if (!l || l->base)
			break;
		if (t->arg[3] & MAP_ANONYMOUS) {
			l->reserve = t->ret;
			l->reserve_size = t->arg[1];
		} else {
			l->base = t->ret;
			l->size = PAGE_UP(t->arg[1]);
			l->prot = t->arg[2];
			l->offset = t->arg[5];
		}
		break;
	case SYS_munmap:
		l = lib_of_addr(r, t->arg[0]);
		if (l && !strcmp(strrchr(r->current->key, ' '), " unmap"))
			l->base = 0;
		break;
	}
}

struct snapshot {
	struct run *run;
	struct tracee *t;
};

static void add_entry(const struct layout_entry *e, void *data)
{
	struct snapshot *s = data;
	uint64_t words[PAGE / 8];
	struct lib *in = lib_of_addr(s->run, e->start);

	if (loose && in && is_subject(s->run->scenario, in->name))
		return;
	layout_print(s->run->text, e);
	/* A hole of megabytes is told by its range alone. */
	if (!strncmp(e->perms, "---", 3) && e->end - e->start > 64 * PAGE)
		return;
	for (uint64_t a = e->start; a < e->end; a += PAGE) {
		struct lib *l = lib_of_addr(s->run, a);
		uint64_t hash = 0xcbf29ce484222325;

		/* libc would take too long, and is not quite the same. */
		if (!l || !strcmp(l->name, "libc.so.6"))
			continue;
		/* By force, holes as well; nothing beyond the file's end. */
		if (tracee_read(s->t, a, words, PAGE) != PAGE)
			hash = 0;
		else
			for (size_t i = 0; i < ARRAY_SIZE(words); i++)
				hash = (hash ^ words[i]) * 0x100000001b3;
		fprintf(s->run->text, "  %" PRIx64 " %" PRIx64 "\n", a, hash);
	}
}

static void add_snapshot(struct run *r, struct tracee *t)
{
	struct snapshot s = { .run = r, .t = t };
	char path[64];

	layout_each(t->pid, add_entry, &s);
	for (int fd = 3; fd < 16; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", t->pid, fd);
		if (!access(path, F_OK))
			fprintf(r->text, "descriptor %d\n", fd);
	}
	r->vmas = layout_vmas(t->pid);
}

static int enter(struct tracee *t)
{
	struct run *r = t->data;

	name_call(r, t);
	if (t->nr == SYS_exit_group || (t->nr == SYS_write && t->arg[0] == 1))
		add_snapshot(r, t);
	if (!r->current)
		return 0;
	for (int i = 0; i < r->nfaults; i++) {
		struct fault *f = &r->faults[i];

		if (f->remap == r->current->remap &&
		    (!f->key || !strcmp(f->key, r->current->key)) &&
		    (f->always || !f->times)) {
			f->times++;
			r->current->failed = true;
			return f->error;
		}
	}
	/* The results of the others say nothing about where things are. */
	return t->nr == SYS_openat || t->nr == SYS_close || t->nr == SYS_mmap ||
	       t->nr == SYS_munmap ? TRACEE_LEAVE : TRACEE_GO_ON;
}

static void leave(struct tracee *t)
{
	follow_call(t->data, t);
}

static const int mapping_calls[] = {
	SYS_openat, SYS_read, SYS_pread64, SYS_fstat, SYS_newfstatat, SYS_close,
	SYS_mmap, SYS_munmap, SYS_mprotect, SYS_remap_file_pages,
	SYS_write, SYS_exit_group,
};

static const struct tracee_ops ops = {
	.calls = mapping_calls,
	.ncalls = ARRAY_SIZE(mapping_calls),
	.enter = enter,
	.leave = leave,
};

/* --- a run --- */

static void free_run(struct run *r)
{
	for (int i = 0; i < r->ncalls; i++) {
		free(r->calls[i].key);
		free((char *)r->calls[i].lib);
	}
	free(r->buf);
}

static void run(struct run *r, const struct scenario *s, enum loader loader,
		struct fault *faults, int nfaults)
{
	char own[PATH_MAX / 2], program[PATH_MAX], path[2 * PATH_MAX], line[512];
	char args[MAX_ARGS][PATH_MAX];
	char *argv[MAX_ARGS + 2] = { program };
	char *env[] = { path, NULL };
	int status, argc = 1;
	ssize_t n;

	runs++;
	memset(r, 0, sizeof(*r));
	r->scenario = s;
	r->faults = faults;
	r->nfaults = nfaults;
	for (int i = 0; i < nfaults; i++)
		faults[i].times = 0;
	r->text = open_memstream(&r->buf, &r->size);
	if (!r->text)
		err(1, "open_memstream");
	snprintf(own, sizeof(own), "%s/l%d", dir, loader);
	snprintf(program, sizeof(program), "%s/%s", own, s->program);
	snprintf(path, sizeof(path), "LD_LIBRARY_PATH=%s:%s/lib", own, dir);
	for (; argc <= MAX_ARGS && s->args[argc - 1]; argc++) {
		const char *from = s->args[argc - 1];

		snprintf(args[argc - 1], PATH_MAX, "%s%s", *from == '%' ? shapes : "",
			 *from == '%' ? from + 1 : from);
		argv[argc] = args[argc - 1];
	}
	r->out = open(output, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (r->out < 0)
		err(1, "%s", output);
	status = tracee_run(argv, env, r->out, &ops, r);
	fprintf(r->text, "status %#x\n", status);
	lseek(r->out, 0, SEEK_SET);
	while ((n = read(r->out, line, sizeof(line))) > 0) {
		/* This directory's name tells the loader. */
		for (char *p; (p = memmem(line, n, own, strlen(own)));)
			memset(p, '*', strlen(own));
		fwrite(line, 1, n, r->text);
	}
	close(r->out);
	fclose(r->text);
}

/* --- the tests --- */

static int tests, failures;
static bool fine;
static char *notes;
static size_t notes_size;
static FILE *note;

static void begin(void)
{
	fine = true;
	note = open_memstream(&notes, &notes_size);
}

static void __attribute__((format(printf, 1, 2))) end(const char *fmt, ...)
{
	va_list ap;

	tests++;
	failures += !fine;
	printf("%sok - ", fine ? "" : "not ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fclose(note);
	if (!fine)
		fputs(notes, stdout);
	free(notes);
	fflush(stdout);
}

/* Lines of A that B does not have at that place, and the other way. */
static void note_difference(const char *a, const char *b)
{
	int shown = 0;

	while ((*a || *b) && shown < 12) {
		size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");

		if (n != m || memcmp(a, b, n)) {
			fprintf(note, "#   stock   %.*s\n#   patched %.*s\n",
				(int)n, a, (int)m, b);
			shown++;
		}
		a += n + !!a[n];
		b += m + !!b[m];
	}
}

static bool equal(const struct run *stock, const struct run *patched,
		  const char *what)
{
	if (stock->size == patched->size &&
	    !memcmp(stock->buf, patched->buf, stock->size))
		return true;
	if (fine) {
		fprintf(note, "# %s:\n", what);
		note_difference(stock->buf, patched->buf);
	} else {
		fprintf(note, "# %s: differs\n", what);
	}
	fine = false;
	return false;
}

static int count_remaps(const struct run *r, const char *lib, int from)
{
	int n = 0;

	for (int i = from; i < r->ncalls; i++)
		n += r->calls[i].remap && (!lib || !strcmp(r->calls[i].lib, lib));
	return n;
}

/* The first call of this key. */
static int find_call(const struct run *r, const char *key, bool remap)
{
	for (int i = 0; i < r->ncalls; i++)
		if (r->calls[i].remap == remap && !strcmp(r->calls[i].key, key))
			return i;
	return -1;
}

static bool is_first(const struct run *r, int i)
{
	return find_call(r, r->calls[i].key, r->calls[i].remap) == i;
}

static void dump_calls(const struct run *r)
{
	for (int i = 0; i < r->ncalls; i++)
		fprintf(note, "#   %s%s\n", r->calls[i].remap ? "remap " : "",
			r->calls[i].key);
}

/* Without failures; then what is in R is what the others are compared with. */
static void test_plain(const struct scenario *s, struct run *stock,
		       struct run *patched)
{
	int remaps;

	begin();
	run(stock, s, STOCK, NULL, 0);
	run(patched, s, PATCHED, NULL, 0);
	remaps = count_remaps(patched, NULL, 0);
	equal(stock, patched, "nothing fails");
	if (WEXITSTATUS(strtol(strstr(stock->buf, "\nstatus ") + 8, NULL, 16)) ||
	    stock->ncalls < 8) {
		fprintf(note, "# the scenario does not work\n%s", stock->buf);
		fine = false;
	}
	if (remaps && patched->vmas >= stock->vmas) {
		fprintf(note, "# %ld VMAs, stock %ld\n", patched->vmas, stock->vmas);
		fine = false;
	}
	if (getenv("KERNEL") && !remaps == !strcmp(getenv("KERNEL"), "patched")) {
		fprintf(note, "# %d calls of remap_file_pages\n", remaps);
		dump_calls(patched);
		fine = false;
	}
	/* On a kernel without the feature the calls are exactly stock's. */
	if (!remaps && patched->ncalls > stock->ncalls) {
		fprintf(note, "# call %d must not be there\n", stock->ncalls);
		fine = false;
	}
	for (int i = 0; !remaps && i < stock->ncalls; i++)
		if (i >= patched->ncalls ||
		    strcmp(stock->calls[i].key, patched->calls[i].key)) {
			fprintf(note, "# call %d must be %s\n", i, stock->calls[i].key);
			fine = false;
			break;
		}
	end("%s: nothing fails: as stock, %d calls instead of %d, %d of them remap_file_pages, VMAs %ld -> %ld",
	    s->name, patched->ncalls, stock->ncalls, remaps, stock->vmas,
	    patched->vmas);
}

/*
 * After the failure of call I of PLAIN, with the numbers of calls: EPERM and
 * ENOSYS end it for the process, another error for this object.
 */
static void check_remembered(const struct run *plain, const struct run *r,
			     int i, int error)
{
	const char *lib = plain->calls[i].lib;
	int at = find_call(r, plain->calls[i].key, true);
	int rest = count_remaps(r, NULL, at + 1), want = 0;

	if (error != EPERM && error != ENOSYS) {
		int next = i + 1;

		/* What there is until this library is loaded once more. */
		while (next < plain->ncalls &&
		       !(!strcmp(plain->calls[next].lib, lib) &&
			 strstr(plain->calls[next].key, " open")))
			next++;
		want = count_remaps(plain, NULL, i + 1) -
		       (count_remaps(plain, lib, i + 1) -
			count_remaps(plain, lib, next));
	}
	if (rest == want)
		return;
	fprintf(note, "# %s: %d calls of remap_file_pages afterwards, must be %d\n",
		strerrorname_np(error), rest, want);
	if (fine)
		dump_calls(r);
	fine = false;
}

/* remap_file_pages fails: the stock call is made, and nobody sees it. */
static void test_remap(const struct scenario *s, const struct run *stock,
		       const struct run *plain)
{
	for (int i = 0; i < plain->ncalls; i++) {
		const struct call *c = &plain->calls[i];

		if (!c->remap || !is_first(plain, i) || !is_subject(s, c->lib))
			continue;
		begin();
		for (size_t e = 0; e < nerrors; e++) {
			struct fault f = { c->key, true, false, errors[e].error, 0 };
			struct run r;

			run(&r, s, PATCHED, &f, 1);
			equal(stock, &r, errors[e].name);
			check_remembered(plain, &r, i, errors[e].error);
			free_run(&r);
		}
		end("%s: remap_file_pages for \"%s\" fails: loaded as by stock",
		    s->name, c->key);
	}
}

/* It fails always: one call for each object, or for the process. */
static void test_remap_always(const struct scenario *s, const struct run *stock,
			      const struct run *plain)
{
	int objects = 0;

	/* An object's first one is the first after its file was opened. */
	for (int i = 0; i < plain->ncalls; i++)
		if (plain->calls[i].remap)
			for (int j = i - 1; j >= 0; j--) {
				if (strcmp(plain->calls[j].lib, plain->calls[i].lib))
					continue;
				if (plain->calls[j].remap)
					break;
				if (strstr(plain->calls[j].key, " open")) {
					objects++;
					break;
				}
			}
	begin();
	for (size_t e = 0; e < nerrors; e++) {
		int error = errors[e].error;
		struct fault f = { NULL, true, true, error, 0 };
		struct run r;
		int want = error == EPERM || error == ENOSYS ? 1 : objects;

		run(&r, s, PATCHED, &f, 1);
		equal(stock, &r, errors[e].name);
		if (f.times != want) {
			fprintf(note, "# %s: %d calls, must be %d\n",
				errors[e].name, f.times, want);
			fine = false;
		}
		free_run(&r);
	}
	end("%s: remap_file_pages fails always: %d calls, with EPERM and ENOSYS 1",
	    s->name, objects);
}

/* A stock call fails; where ours is another, both do. */
static void test_stock(const struct scenario *s, const struct run *stock,
		       const struct run *plain)
{
	for (int i = 0; i < stock->ncalls; i++) {
		const struct call *c = &stock->calls[i];
		bool remapped = find_call(plain, c->key, true) >= 0;
		int made = 0;

		if (!is_first(stock, i) || !is_subject(s, c->lib))
			continue;
		begin();
		loose = s->text_early && (strstr(c->key, " zero ") ||
					  strstr(c->key, " protect ")) &&
			!strstr(c->key, " ---");
		for (size_t e = 0; e < nerrors; e++) {
			int error = errors[e].error;
			struct fault f0 = { c->key, false, false, error, 0 };
			struct fault f1[] = {
				{ c->key, false, false, error, 0 },
				{ c->key, true, false, error, 0 },
			};
			struct run r0, r1;

			run(&r0, s, STOCK, &f0, 1);
			run(&r1, s, PATCHED, f1, 2);
			made += f1[0].times;
			/* Nothing is asked for where it is so already. */
			equal(f1[0].times ? &r0 : stock, &r1, errors[e].name);
			if (!f1[0].times && !c->redundant) {
				fprintf(note, "# %s: the call was not made\n",
					errors[e].name);
				fine = false;
			}
			if (f1[1].times != remapped) {
				fprintf(note, "# remap_file_pages was called %d times\n",
					f1[1].times);
				fine = false;
			}
			free_run(&r0);
			free_run(&r1);
		}
		end("%s: \"%s\" fails%s: %s%s", s->name, c->key,
		    remapped ? ", remap_file_pages and the stock call" : "",
		    made || !c->redundant ? "as stock" : "it is so already",
		    loose ? LOOSE : "");
		loose = false;
	}
}

/* After remap_file_pages has failed, a later stock call fails as well. */
static void test_both(const struct scenario *s, const struct run *stock,
		      const struct run *plain)
{
	struct run *wants = calloc(MAX_CALLS, sizeof(*wants));

	if (!wants)
		err(1, "calloc");
	for (int i = 0; i < plain->ncalls; i++) {
		const struct call *c = &plain->calls[i];
		int pairs = 0, tried = 0;

		if (!c->remap || !is_first(plain, i) || !is_subject(s, c->lib))
			continue;
		begin();
		loose = s->text_early;
		for (int j = 0; j < stock->ncalls; j++) {
			const struct call *d = &stock->calls[j];
			struct fault f0 = { d->key, false, false, ENOMEM, 0 };
			struct fault f1[] = {
				{ c->key, true, false, ENODEV, 0 },
				{ d->key, false, false, ENOMEM, 0 },
			};
			struct run r1;

			if (!is_first(stock, j) || strcmp(c->lib, d->lib) ||
			    j <= find_call(stock, c->key, false))
				continue;
			tried++;
			run(&r1, s, PATCHED, f1, 2);
			if (f1[0].times && f1[1].times) {
				if (!wants[j].buf)
					run(&wants[j], s, STOCK, &f0, 1);
				equal(&wants[j], &r1, d->key);
				pairs++;
			}
			free_run(&r1);
		}
		if (tried && !pairs) {
			fprintf(note, "# of %d calls none was made after it\n", tried);
			fine = false;
		}
		end("%s: remap_file_pages for \"%s\" fails, then %d other calls: as stock%s",
		    s->name, c->key, pairs, loose ? LOOSE : "");
		loose = false;
	}
	for (int j = 0; j < MAX_CALLS; j++)
		free_run(&wants[j]);
	free(wants);
}

static void test_scenario(const struct scenario *s)
{
	struct run stock, plain;

	if (!chosen_errors)
		nerrors = s->all_errors ? ARRAY_SIZE(errors) : FEW_ERRORS;
	test_plain(s, &stock, &plain);
	if (count_remaps(&plain, NULL, 0)) {
		test_remap(s, &stock, &plain);
		test_remap_always(s, &stock, &plain);
		test_both(s, &stock, &plain);
	}
	test_stock(s, &stock, &plain);
	free_run(&stock);
	free_run(&plain);
}

/* Leaves those errors that $ERRORS names. */
static void choose_errors(const char *names)
{
	size_t n = 0;

	for (size_t e = 0; e < ARRAY_SIZE(errors); e++)
		if (strstr(names, errors[e].name))
			errors[n++] = errors[e];
	if (!n)
		errx(2, "ERRORS=%s: none of these is known", names);
	nerrors = n;
	chosen_errors = true;
}

static const struct scenario *find_scenario(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
		if (!strcmp(name, scenarios[i].name))
			return &scenarios[i];
	errx(2, "no scenario '%s'", name);
}

int main(int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR");

	if (argc < 3)
		errx(2, "usage: faults DIR SHAPES [SCENARIO]...");
	if (getenv("ERRORS"))
		choose_errors(getenv("ERRORS"));
	dir = argv[1];
	shapes = argv[2];
	snprintf(output, sizeof(output), "%s/faults.%d", tmp ?: "/tmp", getpid());
	for (int j = 3; j < argc; j++)
		find_scenario(argv[j]);
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		bool wanted = argc == 3;

		for (int j = 3; j < argc; j++)
			wanted |= find_scenario(argv[j]) == &scenarios[i];
		if (wanted)
			test_scenario(&scenarios[i]);
	}
	unlink(output);
	printf("# %ld runs\n1..%d\n", runs, tests);
	return failures != 0;
}
