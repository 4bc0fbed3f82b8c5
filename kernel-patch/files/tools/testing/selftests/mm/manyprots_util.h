/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers of the manyprots_* tests.
 *
 * The rule that all of them check: a multi-protection VMA (one VMA whose
 * pages differ in protection, file offset and backing, made by
 * remap_file_pages(MAP_CHGPROT)) behaves exactly as its equivalent layout
 * does, the ordinary VMAs that mmap() and mprotect() would have made, one
 * per run.  So a test builds both (struct mp_pair), does the same to both
 * (mp_both()) and compares (mp_same()): results and errno, bytes, faults with
 * si_code, /proc/self/maps and smaps with adjacent equal entries joined.
 *
 * Environment:
 * MANYPROTS_EXPECT=stock  the kernel lacks the feature, or it is off: check
 *                         that every MAP_CHGPROT call is EINVAL, and fall back
 *                         to ordinary VMAs as a program would.  The tests must
 *                         then pass as well, for both sides are the same.
 * MANYPROTS_SYSTEM=1      the tests may change system-wide settings (sysctls,
 *                         core_pattern, swap, mounts): for a guest.
 * TMPDIR                  where test files go, beside the current directory.
 * MANYPROTS_LOWER         a file of 64 pages or more, that is only read.
 */
#ifndef MANYPROTS_UTIL_H
#define MANYPROTS_UTIL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"

/* An emulated machine with a debugging kernel is slow. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

#ifndef MAP_CHGPROT
#define MAP_CHGPROT 0x800000
#endif
#ifndef AT_FLAGS_MANYPROTS
#define AT_FLAGS_MANYPROTS (1UL << 1)
#endif
#ifndef PR_SET_MANYPROTS
#define PR_SET_MANYPROTS 0x4d505200
#define PR_GET_MANYPROTS 0x4d505201
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#define __mp_unused __attribute__((unused))

#define R PROT_READ
#define W PROT_WRITE
#define X PROT_EXEC
#define RW (PROT_READ | PROT_WRITE)
#define RX (PROT_READ | PROT_EXEC)
#define NONE PROT_NONE

#define PS mp_page_size
#define MP_MAPERR (SIGSEGV << 8 | SEGV_MAPERR)
#define MP_ACCERR (SIGSEGV << 8 | SEGV_ACCERR)
#define MP_ADRERR (SIGBUS << 8 | BUS_ADRERR)

/*
 * Each side of a pair has a window of address space to itself, so that
 * nothing else is mapped there or merges with it.  64 GiB is below the user
 * address space of every 64-bit architecture, and on 32-bit a static program
 * and its heap are below 512 MiB; the windows are congruent modulo any huge
 * page.
 */
#if __SIZEOF_LONG__ == 8
#define MP_WINDOW_BASE 0x1000000000UL
#define MP_WINDOW_STEP 0x0100000000UL
#define MP_WINDOW_SIZE 0x0040000000UL
#else
#define MP_WINDOW_BASE 0x20000000UL
#define MP_WINDOW_STEP 0x30000000UL
#define MP_WINDOW_SIZE 0x20000000UL
#endif

enum mp_kind { MP_FILE, MP_ANON };

/* A run: @n pages of protection @prot, for MP_FILE from page @pgoff of the file on. */
struct mp_run {
	size_t n;
	int prot;
	enum mp_kind kind;
	unsigned long pgoff;
};

#define MP_MAX_PAGES 4096
#define MULTI 0
#define EQUIV 1

/* The same layout twice: side MULTI as one VMA, side EQUIV as one VMA per run. */
struct mp_pair {
	char *base[2];
	size_t npages;
	int fd;			/* -1: private anonymous */
	int mflags;		/* further mmap flags; MAP_SHARED in place of MAP_PRIVATE */
	unsigned char kind[2][MP_MAX_PAGES];
	unsigned long pgoff[2][MP_MAX_PAGES];
};

struct mp_entry {
	unsigned long start, end, off, ino;
	unsigned long size, anonymous, swap;	/* kB */
	char perms[8], dev[16], name[160], flags[96];
	bool continued;		/* a run that is not the first of its VMA */
	bool multi;
};

static size_t mp_page_size;
static bool mp_stock;		/* MANYPROTS_EXPECT=stock */
static int mp_bad;		/* differences seen */
static bool mp_ignore_ac;	/* do not compare VmFlags ac */

static void mp_diff(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void mp_diff(const char *fmt, ...)
{
	va_list ap;

	if (mp_bad++ > 20)
		return;
	fprintf(stderr, "# differs: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* ---- guarded accesses: 0 or signal << 8 | si_code ---- */

static __thread sigjmp_buf mp_jmp;
static __thread volatile int mp_armed;
static __thread void *volatile mp_fault_addr;

static void mp_handler(int sig, siginfo_t *info, void *uc)
{
	if (!mp_armed) {
		signal(sig, SIG_DFL);
		/* What ended a test: the harness sends it on to who waits for that. */
		if (info->si_code <= 0)
			raise(sig);
		return;
	}
	mp_fault_addr = info->si_addr;
	siglongjmp(mp_jmp, sig << 8 | (info->si_code & 0xff));
}

#define mp_guarded(access) ({					\
	int __r = sigsetjmp(mp_jmp, 1);				\
	if (!__r) {						\
		mp_armed = 1;					\
		access;						\
	}							\
	mp_armed = 0;						\
	__r; })

static __mp_unused int mp_read(const void *addr)
{
	return mp_guarded(*(const volatile char *)addr);
}

/* Writes the byte that is there back: as mp_read() where it cannot be read. */
static __mp_unused int mp_write(void *addr)
{
	return mp_guarded(*(volatile char *)addr = *(volatile char *)addr);
}

static __mp_unused int mp_put(void *addr, int byte)
{
	return mp_guarded(*(volatile char *)addr = byte);
}

#if defined(__x86_64__) || defined(__i386__)
#define MP_HAVE_EXEC 1
#define MP_RET "\xc3"
#else
#define MP_HAVE_EXEC 0
#define MP_RET "\0"
#endif
#define MP_RET_OFFSET 64	/* each page of a test file has a return instruction here */

/* Calls the code at @addr, which must be a return instruction. */
static __mp_unused int mp_exec(void *addr)
{
	return mp_guarded(((void (*)(void))addr)());
}

static void __attribute__((constructor(101))) mp_init(void)
{
	struct sigaction sa = {
		.sa_sigaction = mp_handler,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};
	const char *e = getenv("MANYPROTS_EXPECT");

	mp_page_size = sysconf(_SC_PAGESIZE);
	mp_stock = e && !strcmp(e, "stock");
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
}

static __mp_unused bool mp_system(void)
{
	const char *e = getenv("MANYPROTS_SYSTEM");

	return e && *e == '1' && !geteuid();
}

/* ---- numbers out of /proc ---- */

/* Static: a buffer that came and went would change what is measured. */
static char mp_text[32 << 20];

static ssize_t mp_slurp(const char *file)
{
	ssize_t n = 0, r;
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	while (n < (ssize_t)sizeof(mp_text) - 1) {
		size_t room = sizeof(mp_text) - 1 - n;

		/* A sysctl refuses to be read into a buffer of several MiB. */
		r = read(fd, mp_text + n, room < 1 << 20 ? room : 1 << 20);
		if (r <= 0)
			break;
		n += r;
	}
	close(fd);
	mp_text[n] = 0;
	return n;
}

/* The number behind "key:" at the start of a line of @file, or -1. */
static long mp_number(const char *file, const char *key)
{
	size_t len = strlen(key);
	char *p;

	if (mp_slurp(file) < 0)
		return -1;
	for (p = mp_text; p; p = strchr(p, '\n')) {
		if (*p == '\n')
			p++;
		if (!strncmp(p, key, len) && p[len] == ':')
			return strtol(p + len + 1, NULL, 10);
	}
	return -1;
}

static __mp_unused long mp_status(const char *key)
{
	return mp_number("/proc/self/status", key);
}

static __mp_unused long mp_lines(const char *file)
{
	long n = 0;
	char *p;

	if (mp_slurp(file) < 0)
		return -1;
	for (p = mp_text; *p; p++)
		n += *p == '\n';
	return n;
}

/* The number of VMAs; where the kernel does not say, one per maps entry. */
static __mp_unused long mp_vmas(void)
{
	long n = mp_status("VmaCount");

	return n >= 0 ? n : mp_lines("/proc/self/maps");
}

/* Active objects of all slab caches whose name begins with @prefix; -1: unknown. */
static __mp_unused long mp_slab(const char *prefix)
{
	size_t len = strlen(prefix);
	long n = 0;
	char *p;

	if (mp_slurp("/proc/slabinfo") <= 0)
		return -1;
	for (p = mp_text; p; p = strchr(p, '\n')) {
		if (*p == '\n')
			p++;
		if (!strncmp(p, prefix, len))
			n += strtol(p + strcspn(p, " "), NULL, 10);
	}
	return n;
}

static __mp_unused long mp_sysctl(const char *file)
{
	return mp_slurp(file) > 0 ? strtol(mp_text, NULL, 10) : -1;
}

static __mp_unused int mp_sysctl_set(const char *file, const char *value)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, value, strlen(value));
	close(fd);
	return n == (ssize_t)strlen(value) ? 0 : -EIO;
}

#define MP_SYSCTL "/proc/sys/vm/manyprots"
#define MP_SYSCTL_RUNS "/proc/sys/vm/max_run_count"

/* ---- the interface under test ---- */

/* remap_file_pages() as the kernel has it; glibc checks nothing either. Returns 0 or -errno. */
static int mp_rfp(void *addr, size_t len, int prot, unsigned long pgoff, int flags)
{
	return syscall(__NR_remap_file_pages, addr, len, prot, pgoff, flags) ? -errno : 0;
}

static __mp_unused bool mp_probe(void)
{
	return !mp_rfp(NULL, 0, 0, 0, MAP_CHGPROT);
}

/* ---- /proc/PID/maps and smaps ---- */

#define MP_MAX_ENTRIES 8192
static struct mp_entry mp_tab[2][MP_MAX_ENTRIES];

static void mp_vmflags(struct mp_entry *e, char *p)
{
	char *tok, *save, *end = e->flags;

	for (tok = strtok_r(p, " ", &save); tok; tok = strtok_r(NULL, " ", &save)) {
		if (!strcmp(tok, "mp"))
			e->multi = true;
		else if (!strcmp(tok, "mc"))
			e->continued = true;
		/* sd: history of pages never touched */
		else if (strcmp(tok, "sd") && !(mp_ignore_ac && !strcmp(tok, "ac")))
			end += sprintf(end, "%s ", tok);
	}
}

/* Parses maps or smaps text: the entries within [start, end). Returns their number or -1. */
static int mp_parse(const char *file, struct mp_entry *tab, unsigned long start, unsigned long end)
{
	struct mp_entry *e = NULL;
	char *line, *save;
	int n = 0;

	if (mp_slurp(file) < 0)
		return -1;
	for (line = strtok_r(mp_text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned long a, b, off, ino;
		char perms[8], dev[16];
		int at = 0;

		if (sscanf(line, "%lx-%lx %7s %lx %15s %lu %n",
			   &a, &b, perms, &off, dev, &ino, &at) == 6) {
			e = NULL;
			if (a < start || b > end)
				continue;
			if (n == MP_MAX_ENTRIES)
				return -1;
			e = &tab[n++];
			memset(e, 0, sizeof(*e));
			e->start = a;
			e->end = b;
			e->off = off;
			e->ino = ino;
			strcpy(e->perms, perms);
			strcpy(e->dev, dev);
			snprintf(e->name, sizeof(e->name), "%s", line + at);
		} else if (e && !strncmp(line, "Size:", 5)) {
			e->size = strtoul(line + 5, NULL, 10);
		} else if (e && !strncmp(line, "Anonymous:", 10)) {
			e->anonymous = strtoul(line + 10, NULL, 10);
		} else if (e && !strncmp(line, "Swap:", 5)) {
			e->swap = strtoul(line + 5, NULL, 10);
		} else if (e && !strncmp(line, "VmFlags:", 8)) {
			mp_vmflags(e, line + 8);
		}
	}
	return n;
}

/* Joins adjacent entries that differ in nothing: where stock merges depends on history. */
static int mp_join(struct mp_entry *tab, int n)
{
	int i, out = 0;

	for (i = 1; i < n; i++) {
		struct mp_entry *a = &tab[out], *b = &tab[i];

		if (a->end == b->start && a->ino == b->ino && !strcmp(a->perms, b->perms) &&
		    !strcmp(a->dev, b->dev) && !strcmp(a->name, b->name) &&
		    !strcmp(a->flags, b->flags) &&
		    (!a->ino || a->off + (a->end - a->start) == b->off)) {
			a->end = b->end;
			a->size += b->size;
			a->anonymous += b->anonymous;
			a->swap += b->swap;
		} else {
			tab[++out] = *b;
		}
	}
	return n ? out + 1 : 0;
}

static unsigned long mp_window(int side)
{
	return MP_WINDOW_BASE + side * MP_WINDOW_STEP;
}

/* Entries of one side's window, unjoined. */
static __mp_unused int mp_entries(int side, const char *file)
{
	return mp_parse(file, mp_tab[side], mp_window(side), mp_window(side) + MP_WINDOW_SIZE);
}

/* The number behind "key:" in the smaps entry that holds @addr, or -1. */
static __mp_unused long mp_smaps(const void *addr, const char *key)
{
	unsigned long a = (unsigned long)addr, start, end;
	size_t len = strlen(key);
	bool here = false;
	char *p;

	if (mp_slurp("/proc/self/smaps") < 0)
		return -1;
	for (p = mp_text; p; p = strchr(p, '\n')) {
		if (*p == '\n')
			p++;
		if (sscanf(p, "%lx-%lx ", &start, &end) == 2)
			here = a >= start && a < end;
		else if (here && !strncmp(p, key, len) && p[len] == ':')
			return strtol(p + len + 1, NULL, 10);
	}
	return -1;
}

/* VMAs in a side's window, as smaps tells: entries less those marked as continuing one. */
static __mp_unused int mp_window_vmas(int side)
{
	int i, n = mp_entries(side, "/proc/self/smaps"), vmas = n;

	for (i = 0; i < n; i++)
		vmas -= mp_tab[side][i].continued;
	return n < 0 ? -1 : vmas;
}

/* Is the multi side one VMA?  Always told as true in the fallback. */
#define mp_one_vma() (mp_stock || mp_window_vmas(MULTI) == 1)

static int mp_mem_fd(void)
{
	static int fd = -1;
	static pid_t pid;

	if (pid != getpid()) {
		fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
		pid = getpid();
	}
	return fd;
}

#define MP_WRITES 1	/* write to every page: breaks COW on both sides alike */
#define MP_EXECS 2	/* execute on every page */
#define MP_NOTOUCH 4	/* compare the text only */
#define MP_NOSMAPS 8

static void mp_same_page(const char *what, char *a, char *b, int flags)
{
	static char buf[2][65536];
	ssize_t n[2];
	int x, y;

	x = mp_read(a);
	y = mp_read(b);
	if (x != y)
		mp_diff("%s read %p: %x, equivalent %x", what, a, x, y);

	/* Forced, so that PROT_NONE pages are compared too. */
	n[0] = pread(mp_mem_fd(), buf[0], PS, (off_t)(unsigned long)a);
	n[1] = pread(mp_mem_fd(), buf[1], PS, (off_t)(unsigned long)b);
	if (n[0] != n[1])
		mp_diff("%s mem %p: %zd, equivalent %zd", what, a, n[0], n[1]);
	else if (n[0] > 0 && memcmp(buf[0], buf[1], PS))
		mp_diff("%s bytes %p: %02x%02x%02x%02x.., equivalent %02x%02x%02x%02x..", what, a,
			buf[0][0] & 255, buf[0][1] & 255, buf[0][2] & 255, buf[0][3] & 255,
			buf[1][0] & 255, buf[1][1] & 255, buf[1][2] & 255, buf[1][3] & 255);

	if (MP_HAVE_EXEC && (flags & MP_EXECS) && n[1] == (ssize_t)PS && n[0] == n[1] &&
	    !memcmp(buf[0] + MP_RET_OFFSET, MP_RET, 1) &&
	    !memcmp(buf[1] + MP_RET_OFFSET, MP_RET, 1)) {
		x = mp_exec(a + MP_RET_OFFSET);
		y = mp_exec(b + MP_RET_OFFSET);
		if (x != y)
			mp_diff("%s exec %p: %x, equivalent %x", what, a, x, y);
	}
	if (flags & MP_WRITES) {
		x = mp_write(a + 8);
		y = mp_write(b + 8);
		if (x != y)
			mp_diff("%s write %p: %x, equivalent %x", what, a, x, y);
	}
}

/*
 * Compares the two windows, and returns the number of differences, those
 * that mp_both() met before included.
 */
static int mp_same_at(const char *what, int flags)
{
	const char *file = flags & MP_NOSMAPS ? "/proc/self/maps" : "/proc/self/smaps";
	struct mp_entry *a = mp_tab[0], *b = mp_tab[1];
	int n[2], i, side, before = mp_bad;
	unsigned long off;

	for (side = 0; side < 2; side++) {
		n[side] = mp_join(mp_tab[side], mp_entries(side, file));
		for (i = 0; i < n[side]; i++) {
			mp_tab[side][i].start -= mp_window(side);
			mp_tab[side][i].end -= mp_window(side);
		}
	}
	for (i = 0; i < n[0] || i < n[1]; i++) {
		if (i >= n[0]) {
			mp_diff("%s: no entry for equivalent %lx-%lx %s", what, b[i].start,
				b[i].end, b[i].perms);
			continue;
		}
		if (i >= n[1]) {
			mp_diff("%s: entry %lx-%lx %s too many", what, a[i].start, a[i].end,
				a[i].perms);
			continue;
		}
		if (a[i].start != b[i].start || a[i].end != b[i].end || a[i].off != b[i].off ||
		    a[i].ino != b[i].ino || strcmp(a[i].perms, b[i].perms) ||
		    strcmp(a[i].dev, b[i].dev) || strcmp(a[i].name, b[i].name) ||
		    strcmp(a[i].flags, b[i].flags))
			mp_diff("%s: %lx-%lx %s %lx %s %lu %s [%s], equivalent %lx-%lx %s %lx %s %lu %s [%s]",
				what, a[i].start, a[i].end, a[i].perms, a[i].off, a[i].dev,
				a[i].ino, a[i].name, a[i].flags, b[i].start, b[i].end, b[i].perms,
				b[i].off, b[i].dev, b[i].ino, b[i].name, b[i].flags);
		/* Reclaim may have taken only one side's: their sum cannot differ. */
		else if (!(flags & MP_NOSMAPS) &&
			 (a[i].size != b[i].size ||
			  a[i].anonymous + a[i].swap != b[i].anonymous + b[i].swap))
			mp_diff("%s: %lx-%lx Size %lu Anonymous+Swap %lu, equivalent %lu %lu",
				what, a[i].start, a[i].end, a[i].size, a[i].anonymous + a[i].swap,
				b[i].size, b[i].anonymous + b[i].swap);
	}
	if (mp_bad == before && !(flags & MP_NOTOUCH))
		for (i = 0; i < n[1]; i++)
			for (off = b[i].start; off < b[i].end; off += PS)
				mp_same_page(what, (char *)mp_window(0) + off,
					     (char *)mp_window(1) + off, flags);
	return mp_bad;
}

#define __MP_STR(x) #x
#define MP_STR(x) __MP_STR(x)
#define mp_same(flags) mp_same_at("line " MP_STR(__LINE__), flags)

/* Evaluates @expr for both sides with their base as @b, compares, returns the value or -errno. */
#define mp_both(p, expr) ({							\
	long __v[2];								\
	int __s;								\
	for (__s = 0; __s < 2; __s++) {						\
		__mp_unused char *b = (p)->base[__s];				\
		__mp_unused int side = __s;					\
		errno = 0;							\
		__v[__s] = (long)(expr);					\
		if (__v[__s] == -1 && errno)					\
			__v[__s] = -errno;					\
	}									\
	if (__v[0] != __v[1])							\
		mp_diff("line %d: %s: %ld, equivalent %ld", __LINE__, #expr,	\
			__v[0], __v[1]);					\
	__v[1]; })

/* Evaluates @expr for both sides and compares the growth of @counter (in its unit). */
#define mp_both_delta(p, counter, expr) ({					\
	long __d[2] = { 0, 0 }, __was;						\
	int __s;								\
	for (__s = 0; __s < 2; __s++) {						\
		__mp_unused char *b = (p)->base[__s];				\
		__mp_unused int side = __s;					\
		__was = (counter);						\
		(void)(expr);							\
		__d[__s] = (counter) - __was;					\
	}									\
	if (__d[0] != __d[1])							\
		mp_diff("line %d: %s by %s: %ld, equivalent %ld", __LINE__,	\
			#counter, #expr, __d[0], __d[1]);			\
	__d[1]; })

/* ---- building ---- */

/* What mmap() is to be given for a piece of kind @kind, but for MAP_FIXED. */
static int mp_mflags(struct mp_pair *p, enum mp_kind kind)
{
	return p->mflags | (p->mflags & MAP_SHARED ? 0 : MAP_PRIVATE) |
	       (kind == MP_ANON ? MAP_ANONYMOUS : 0);
}

/* One piece of the equivalent of MAP_CHGPROT: 0 or -errno. */
static int mp_equiv(struct mp_pair *p, int side, size_t page, size_t n, int prot,
		    enum mp_kind kind, unsigned long pgoff)
{
	char *a = p->base[side] + page * PS;

	if (p->kind[side][page] == kind && (kind == MP_ANON || p->pgoff[side][page] == pgoff))
		return mprotect(a, n * PS, prot) ? -errno : 0;
	if (kind == MP_ANON)
		a = mmap(a, n * PS, prot, MAP_FIXED | mp_mflags(p, kind), -1, 0);
	else
		a = mmap(a, n * PS, prot, MAP_FIXED | mp_mflags(p, kind), p->fd,
			 (off_t)pgoff * PS);
	return a == MAP_FAILED ? -errno : 0;
}

/*
 * Gives pages [@page, @page + @n) of one side protection @prot and backing @kind
 * from @pgoff on.  The equivalent: mprotect where kind and offset stay, so that
 * contents do, mmap where not.  Returns 0 or -errno.
 */
static int mp_chg_side(struct mp_pair *p, int side, size_t page, size_t n, int prot,
		       enum mp_kind kind, unsigned long pgoff)
{
	size_t i, j;
	int ret;

	/* The old call on a shared mapping does not look at flags that it does not know. */
	if (side == MULTI && !(mp_stock && (p->mflags & MAP_SHARED))) {
		ret = mp_rfp(p->base[MULTI] + page * PS, n * PS, prot,
			     kind == MP_FILE ? pgoff : 0,
			     MAP_CHGPROT | (kind == MP_ANON && p->fd >= 0 ? MAP_ANONYMOUS : 0));
		if (mp_stock && ret != -EINVAL)
			mp_diff("MAP_CHGPROT on a stock kernel: %d", ret);
		if (!mp_stock && ret)
			return ret;
	}
	for (i = 0; i < n; i = j) {
		bool same = p->kind[side][page + i] == kind &&
			    (kind == MP_ANON || p->pgoff[side][page + i] == pgoff + i);

		for (j = i + 1; j < n; j++)
			if ((p->kind[side][page + j] == kind &&
			     (kind == MP_ANON || p->pgoff[side][page + j] == pgoff + j)) != same)
				break;
		if (side == EQUIV || mp_stock) {
			ret = mp_equiv(p, side, page + i, j - i, prot, kind, pgoff + i);
			if (ret)
				return ret;
		}
	}
	for (i = 0; i < n; i++) {
		p->kind[side][page + i] = kind;
		p->pgoff[side][page + i] = pgoff + i;
	}
	return 0;
}

static __mp_unused int mp_chg(struct mp_pair *p, size_t page, size_t n, int prot,
			      enum mp_kind kind, unsigned long pgoff)
{
	return mp_both(p, mp_chg_side(p, side, page, n, prot, kind, pgoff));
}

/* Unmaps all that both windows hold. */
static void mp_clear(void)
{
	munmap((void *)mp_window(0), MP_WINDOW_SIZE);
	munmap((void *)mp_window(1), MP_WINDOW_SIZE);
}

/* Where each side begins in its window: room on both ends for moves and growth. */
#define MP_BASE_OFFSET 0x1000000UL

/* Builds one side; the ordinary side maps each run by itself. Returns 0 or -errno. */
static int mp_map_side(struct mp_pair *p, int side, const struct mp_run *runs, size_t nruns)
{
	size_t i, j, page = 0, npages = 0;
	char *m;
	int ret;

	for (i = 0; i < nruns; i++)
		npages += runs[i].n;
	if (npages > MP_MAX_PAGES)
		return -E2BIG;
	p->npages = npages;
	p->base[side] = (char *)mp_window(side) + MP_BASE_OFFSET;

	if (side == MULTI && !mp_stock) {
		/* Never writable at first: it would be charged whole, as stock would. */
		m = mmap(p->base[side], npages * PS, p->fd < 0 ? PROT_NONE : PROT_READ,
			 MAP_FIXED_NOREPLACE | mp_mflags(p, p->fd < 0 ? MP_ANON : MP_FILE),
			 p->fd, 0);
		if (m != p->base[side])
			return m == MAP_FAILED ? -errno : -EEXIST;
		for (i = 0; i < npages; i++) {
			p->kind[side][i] = p->fd < 0 ? MP_ANON : MP_FILE;
			p->pgoff[side][i] = i;
		}
	}
	for (i = 0; i < nruns; page += runs[i++].n) {
		const struct mp_run *r = &runs[i];
		enum mp_kind kind = p->fd < 0 ? MP_ANON : r->kind;

		if (side == MULTI && !mp_stock) {
			ret = mp_chg_side(p, side, page, r->n, r->prot, kind, r->pgoff);
			if (ret)
				return ret;
			continue;
		}
		m = p->base[side] + page * PS;
		m = mmap(m, r->n * PS, r->prot,
			 MAP_FIXED_NOREPLACE | mp_mflags(p, kind), kind == MP_ANON ? -1 : p->fd,
			 kind == MP_ANON ? 0 : (off_t)r->pgoff * PS);
		if (m == MAP_FAILED)
			return -errno;
		for (j = 0; j < r->n; j++) {
			p->kind[side][page + j] = kind;
			p->pgoff[side][page + j] = r->pgoff + j;
		}
	}
	return 0;
}

static __mp_unused int mp_map(struct mp_pair *p, const struct mp_run *runs, size_t nruns)
{
	mp_clear();
	return mp_both(p, mp_map_side(p, side, runs, nruns));
}

#define mp_map_runs(p, runs) mp_map(p, runs, sizeof(runs) / sizeof((runs)[0]))

/* As mp_map(), with a file for each side: else the sides would share their pages. */
static __mp_unused int mp_map_files(struct mp_pair *p, const int *fd, const struct mp_run *runs,
				    size_t nruns)
{
	mp_clear();
	return mp_both(p, (p->fd = fd[side], mp_map_side(p, side, runs, nruns)));
}

/* ---- files ---- */

static void mp_fill_page(char *buf, unsigned long pgoff)
{
	uint64_t *w = (uint64_t *)buf;
	size_t i;

	for (i = 0; i < PS / 8; i++)
		w[i] = ((uint64_t)pgoff << 32 | i) * 0x9e3779b97f4a7c15ULL;
	memcpy(buf + MP_RET_OFFSET, MP_RET, 1);
}

static __mp_unused int mp_write_pages(int fd, unsigned long pgoff, size_t n)
{
	char buf[65536];

	for (; n; n--, pgoff++) {
		mp_fill_page(buf, pgoff);
		if (pwrite(fd, buf, PS, (off_t)pgoff * PS) != (ssize_t)PS)
			return -1;
	}
	return 0;
}

enum mp_where { MP_TMP, MP_CWD, MP_LOWER, MP_MEMFD };

/*
 * A file of @npages pages, each with its own contents, unlinked: in $TMPDIR (a
 * tmpfs in a guest), in the current directory (another file system), a memfd,
 * or one that exists and is only read.  -1: not to be had.
 */
static __mp_unused int mp_file(enum mp_where where, size_t npages)
{
	const char *dir = getenv("TMPDIR"), *lower = getenv("MANYPROTS_LOWER");
	char name[256];
	struct stat st;
	int fd;

	if (where == MP_LOWER) {
		fd = open(lower && *lower ? lower : "/bin/bash", O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && (fstat(fd, &st) || st.st_size < (off_t)(npages * PS))) {
			close(fd);
			fd = -1;
		}
		return fd;
	}
	if (where == MP_MEMFD) {
		fd = memfd_create("manyprots", MFD_CLOEXEC);
	} else {
		snprintf(name, sizeof(name), "%s/manyprots.XXXXXX",
			 where == MP_CWD ? "." : dir && *dir ? dir : "/tmp");
		fd = mkostemp(name, O_CLOEXEC);
		if (fd >= 0)
			unlink(name);
	}
	if (fd < 0)
		return -1;
	if (mp_write_pages(fd, 0, npages)) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * Stays on the CPU that it is on: reclaim passes over pages that wait in another
 * CPU's batch to be put on the LRU lists.
 */
static __mp_unused void mp_stay_on_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Runs of a file that is in swap, in no order. */
static __mp_unused const struct mp_run mp_swapped[] = {
	{ 4, RW, MP_FILE, 0 }, { 2, R, MP_FILE, 40 }, { 3, NONE, MP_FILE, 5 },
	{ 4, RW, MP_FILE, 20 }, { 3, R, MP_FILE, 50 },
};

/*
 * A memfd as mp_file() makes it, with all of its pages in swap.  -1: not to be had,
 * for want of swap.
 */
static __mp_unused int mp_file_in_swap(size_t npages)
{
	unsigned char vec[MP_MAX_PAGES];
	int fd, tries;
	size_t i;
	char *m;

	mp_stay_on_cpu();
	fd = mp_file(MP_MEMFD, npages);
	m = mmap(NULL, npages * PS, R, MAP_SHARED, fd, 0);
	if (m == MAP_FAILED)
		return -1;
	/* The advice is for pages that are mapped, and nowhere else. */
	for (tries = 0; tries < 3; tries++) {
		for (i = 0; !tries && i < npages; i++)
			mp_read(m + i * PS);
		madvise(m, npages * PS, MADV_PAGEOUT);
		if (mincore(m, npages * PS, vec) || !memchr(vec, 1, npages))
			break;
	}
	munmap(m, npages * PS);
	if (memchr(vec, 1, npages)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Does the page at @addr hold what page @pgoff of the file holds? */
static __mp_unused bool mp_page_is_file(struct mp_pair *p, const char *addr, unsigned long pgoff)
{
	char want[65536], have[65536];

	return pread(p->fd, want, PS, (off_t)pgoff * PS) == (ssize_t)PS &&
	       pread(mp_mem_fd(), have, PS, (off_t)(unsigned long)addr) == (ssize_t)PS &&
	       !memcmp(want, have, PS);
}

static __mp_unused bool mp_page_is_zero(const char *addr)
{
	char have[65536];
	size_t i;

	if (pread(mp_mem_fd(), have, PS, (off_t)(unsigned long)addr) != (ssize_t)PS)
		return false;
	for (i = 0; i < PS; i++)
		if (have[i])
			return false;
	return true;
}

/* ---- uprobes ---- */

#define MP_TRACEFS "/sys/kernel/tracing/"

/* Adds to a file of tracefs, which each write is to be a line of. */
static __mp_unused int mp_trace_put(const char *file, const char *text)
{
	char name[128];

	snprintf(name, sizeof(name), MP_TRACEFS "%s", file);
	return mp_sysctl_set(name, text);
}

static __mp_unused int mp_uprobe_end(void)
{
	int ret = mp_trace_put("events/manyprots/probe/enable", "0");

	return mp_trace_put("uprobe_events", "-:manyprots/probe\n") ?: ret;
}

/*
 * A breakpoint at @offset of the file, in every process that maps it so that it
 * could run it.  Files of these tests have no path that they could be found by:
 * through /proc.  0 or -errno; -ENODEV: there are no uprobes.
 */
static __mp_unused int mp_uprobe(int fd, unsigned long offset)
{
	char probe[128];
	int ret;

	mount("tracefs", MP_TRACEFS, "tracefs", 0, NULL);
	if (access(MP_TRACEFS "uprobe_events", W_OK))
		return -ENODEV;
	/* What a test that failed may have left. */
	mp_uprobe_end();
	snprintf(probe, sizeof(probe), "p:manyprots/probe /proc/%d/fd/%d:0x%lx\n", getpid(), fd,
		 offset);
	ret = mp_trace_put("uprobe_events", probe);
	if (!ret)
		ret = mp_trace_put("events/manyprots/probe/enable", "1");
	return ret;
}

/* How often it was hit, as uprobe_profile tells; -1: no such. */
static __mp_unused long mp_uprobe_hits(void)
{
	char *p = mp_slurp(MP_TRACEFS "uprobe_profile") > 0 ? strstr(mp_text, " probe ") : NULL;

	return p ? strtol(p + 7, NULL, 10) : -1;
}

/* ---- the layout that most tests use ---- */

/*
 * A library as linkers make it: headers and rodata R, text RX, rodata R, relro
 * R, data RW, bss, with one page of the file mapped twice (where rodata ends
 * and data begins, as in many libraries), a hole PROT_NONE, and bss.
 */
static const struct mp_run mp_library[] __mp_unused = {
	{ 2, R, MP_FILE, 0 },
	{ 4, RX, MP_FILE, 2 },
	{ 3, R, MP_FILE, 6 },
	{ 2, NONE, MP_FILE, 9 },
	{ 1, R, MP_FILE, 8 },		/* relro: nonlinear from here on */
	{ 3, RW, MP_FILE, 9 },
	{ 4, RW, MP_ANON, 0 },
};

#define LIB_R 0
#define LIB_RX 2
#define LIB_RO 6
#define LIB_HOLE 9
#define LIB_RELRO 11
#define LIB_DATA 12
#define LIB_BSS 15
#define LIB_PAGES 19
#define LIB_FILE_PAGES 64

/* Writes to some data and bss pages of both sides, as a program that ran would have. */
static __mp_unused void mp_dirty_library(struct mp_pair *p)
{
	mp_both(p, mp_put(b + LIB_DATA * PS + 100, 'd'));
	mp_both(p, mp_put(b + (LIB_DATA + 2) * PS + 100, 'D'));
	mp_both(p, mp_put(b + LIB_BSS * PS + 100, 'b'));
	mp_both(p, mp_put(b + (LIB_BSS + 3) * PS + 100, 'B'));
}

/* Runs @fn, which returns the number of differences seen, in a child; 255: it died. */
/*
 * Copies the program that runs to @path, which ends in XXXXXX and is completed, with
 * @mode. Returns 0 or -1; a file is left in either case.
 */
static __mp_unused int mp_copy_self(char *path, mode_t mode)
{
	int from = open("/proc/self/exe", O_RDONLY), to = mkstemp(path);
	char buffer[4096];
	ssize_t n;

	while ((n = read(from, buffer, sizeof(buffer))) > 0)
		if (write(to, buffer, n) != n)
			break;
	if (!n)
		n = fchmod(to, mode);
	close(from);
	close(to);
	return n ? -1 : 0;
}

static __mp_unused int mp_in_child(int (*fn)(void *), void *arg)
{
	int status, bad;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		bad = fn(arg);
		fflush(NULL);
		_exit(bad > 200 ? 200 : bad);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 254;
	if (WIFSIGNALED(status)) {
		fprintf(stderr, "# child died of signal %d\n", WTERMSIG(status));
		return 255;
	}
	return WEXITSTATUS(status);
}

/*
 * FIXTURE @name: @p is mp_library, built on both sides of a file on tmpfs,
 * on the current directory's file system, and of one that is only read.
 */
#define MP_LIBRARY_FIXTURE(name)						\
	FIXTURE(name) { struct mp_pair p; };					\
	FIXTURE_VARIANT(name) { enum mp_where where; };				\
	FIXTURE_VARIANT_ADD(name, tmpfs) { .where = MP_TMP };			\
	FIXTURE_VARIANT_ADD(name, cwd) { .where = MP_CWD };			\
	FIXTURE_VARIANT_ADD(name, lower) { .where = MP_LOWER };			\
	FIXTURE_SETUP(name)							\
	{									\
		self->p.fd = mp_file(variant->where, LIB_FILE_PAGES);		\
		if (self->p.fd < 0)						\
			SKIP(return, "no such file here");			\
		ASSERT_EQ(0, mp_map_runs(&self->p, mp_library));		\
		ASSERT_TRUE(mp_one_vma());					\
		ASSERT_EQ(0, mp_bad);						\
	}									\
	FIXTURE_TEARDOWN(name)							\
	{									\
		close(self->p.fd);						\
	}

#endif
