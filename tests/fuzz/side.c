// SPDX-License-Identifier: GPL-2.0
/*
 * One side of the fuzzer: carries sequences out, either with MAP_CHGPROT
 * ("multi") or with the ordinary calls that are equivalent ("equiv"), and
 * notes what it observes.
 *
 *	side multi|equiv	commands on fd 0, replies on fd 1, memory on fd 3
 *
 * A small static program: each sequence runs in a child of its own, with
 * nothing but the window (seq.h) below the program.  It uses no heap, so that
 * limits and mlockall() hit both sides alike.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "seq.h"

#define MAP_CHGPROT 0x800000
#define PR_SET_MANYPROTS 0x4d505200
#define SYS_mseal_ 462
#define PR_SET_VMA_ 0x53564d41
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define ADDR(page) (WINDOW + (unsigned long)(page) * PS)

static struct fuzz_shm *const shm = (void *)SHM_ADDRESS;
static __thread struct fuzz_side *out;
static int me;
static struct fuzz_head head;
static __thread unsigned int step_nr;
static __thread bool mute;	/* what this thread observes depends on others */
static int depth;		/* of forks */
static int files[NR_FILES];
static struct stat file_stat[NR_FILES];
static char file_name[NR_FILES][256];
static bool touched;		/* a private page may be there: charges depend on merges */
static bool marked;		/* advice or locks are on some mapping */
static bool reclaimed;		/* what is in memory depends on the time */
static bool apart;		/* a mapping beside runs that is merged on the other side */
static int uffd = -1;
static bool limited;		/* RLIMIT_DATA */
static bool policies;		/* mbind() has worked */
static bool lax;		/* User-mode Linux */
static bool lower_closes;	/* VMAs of FILE_LOWER have ->close(), as those of 9p */
static bool closes;		/* there may be such VMAs */
static bool mdwe;		/* PR_SET_MDWE */
static bool implied_exec;	/* personality READ_IMPLIES_EXEC */

/* What the mapping of each page is of: survives changes of kind. */
static struct home {
	uint8_t kind, noreserve;
	uint8_t policy;		/* which was set last for this mapping, see mempolicies */
	uint16_t off;
} home[WINDOW_PAGES];

struct entry {
	unsigned long start, end, off;
	uint32_t perms;
	uint32_t file;		/* index + 1, 0: anonymous, 100: other */
	uint64_t flags;		/* of smaps */
	uint64_t name;		/* hash */
	unsigned long size, anon, locked;
	bool multi, continued;
	char label;		/* given by PR_SET_VMA */
};

#define MAX_ENTRIES (WINDOW_PAGES + 1)

/*
 * Buffers: in a shared mapping, which fork() does not copy, as this takes most
 * of the time.  Nobody uses them across a fork().
 */
#define BUFFERS 0x48000000UL
struct buffers {
	char bytes[WINDOW_PAGES * PS];
	char text[1 << 17];
	struct entry entries[MAX_ENTRIES], was[MAX_ENTRIES];
	unsigned long start[MAX_ENTRIES], end[MAX_ENTRIES];
};
static __thread struct buffers *buf = (void *)BUFFERS;
#define BUFFERS_SIZE ((1 + FUZZ_MAX_THREADS) * sizeof(struct buffers))
#define bytes (buf->bytes)
#define text (buf->text)
#define entries (buf->entries)

static void die(const char *what)
{
	fprintf(stderr, "side %s: %s: %s\n", me == MULTI ? "multi" : "equiv", what,
		strerror(errno));
	_exit(99);
}

/* ---- what is observed, and what was done ---- */

static void obs(enum fuzz_what what, uint32_t at, uint64_t value)
{
	struct fuzz_obs *o;

	if (out->nr_obs >= FUZZ_MAX_OBS || mute)
		return;
	o = &out->obs[out->nr_obs++];
	o->step = step_nr;
	o->what = what;
	o->at = at;
	o->value = value;
}

static __attribute__((noinline))
struct fuzz_call *trace(bool compared, int nr, unsigned long a, unsigned long b,
			unsigned long c, unsigned long d, unsigned long e, unsigned long f)
{
	static struct fuzz_call lost;
	struct fuzz_call *call = &lost;

	if (out->nr_calls < FUZZ_MAX_CALLS)
		call = &out->calls[out->nr_calls++];
	*call = (struct fuzz_call){ step_nr, nr, compared, depth, { a, b, c, d, e, f }, 0 };
	return call;
}

static long do_call(bool compared, int nr, unsigned long a, unsigned long b, unsigned long c,
		    unsigned long d, unsigned long e, unsigned long f)
{
	struct fuzz_call *call = trace(compared, nr, a, b, c, d, e, f);
	long r = syscall(nr, a, b, c, d, e, f);

	return call->ret = r == -1 ? -errno : r;
}

#define CALL6(cmp, nr, a, b, c, d, e, f, ...)						\
	do_call(cmp, nr, (unsigned long)(a), (unsigned long)(b), (unsigned long)(c),	\
		(unsigned long)(d), (unsigned long)(e), (unsigned long)(f))
/* A call that both sides make, with the same result. */
#define same(nr, ...) ({							\
	long __r = CALL6(true, nr, __VA_ARGS__, 0, 0, 0, 0, 0, 0);		\
	obs(W_RESULT, nr, __r);							\
	__r; })
/* One that only this side makes. */
#define own(nr, ...) CALL6(false, nr, __VA_ARGS__, 0, 0, 0, 0, 0, 0)

/* ---- accesses ---- */

static __thread sigjmp_buf jump;
static __thread volatile int armed;
static __thread volatile unsigned long fault_addr;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (!armed) {
		signal(sig, SIG_DFL);
		return;
	}
	fault_addr = (unsigned long)info->si_addr;
	siglongjmp(jump, sig << 8 | (info->si_code & 0xff));
}

#define guarded(access) ({				\
	int __r = sigsetjmp(jump, 0);			\
	if (!__r) {					\
		armed = 1;				\
		access;					\
	}						\
	armed = 0;					\
	__r; })

static void obs_signal(unsigned int page, int sig)
{
	obs(W_SIGNAL, page, sig);
	if (sig)
		obs(W_ADDRESS, page, fault_addr);
}

static bool told_by_presence(unsigned long addr, unsigned int n);

static void cpu_read(unsigned long addr)
{
	struct fuzz_call *call;
	volatile uint64_t value = 0;
	int sig;

	if (told_by_presence(addr, 1))
		return;
	call = trace(true, CALL_READ, addr, 0, 0, 0, 0, 0);
	sig = guarded(value = *(volatile uint64_t *)addr);
	call->ret = sig;
	obs_signal((addr - WINDOW) / PS, sig);
	if (!sig)
		obs(W_VALUE, (addr - WINDOW) / PS, value);
}

static void cpu_write(unsigned long addr, uint64_t value)
{
	struct fuzz_call *call = trace(true, CALL_WRITE, addr, value, 0, 0, 0, 0);
	int sig = guarded(*(volatile uint64_t *)addr = value);

	call->ret = sig;
	obs_signal((addr - WINDOW) / PS, sig);
}

/* A page of a file has a return instruction here. Zeroes fault at address 0. */
#define RET_OFFSET 64

static void cpu_exec(unsigned long addr)
{
	struct fuzz_call *call;
	int sig;

	if (told_by_presence(addr, 1))
		return;
	call = trace(true, CALL_EXEC, addr, 0, 0, 0, 0, 0);
	sig = guarded(
		asm volatile("xor %%eax, %%eax; call *%0" : : "r"(addr) :
			     "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11",
			     "memory", "cc"));
	call->ret = sig;
	obs_signal((addr - WINDOW) / PS, sig);
}

/* ---- /proc ---- */

enum { PROC_MAPS, PROC_SMAPS, PROC_STATUS, PROC_MEM, NR_PROC };
static int proc_fds[NR_PROC];
static pid_t proc_pid;

static int proc(int which)
{
	static const char *const names[] = { "maps", "smaps", "status", "mem" };
	char name[32];
	int i;

	if (proc_pid != getpid()) {
		for (i = 0; i < NR_PROC; i++) {
			if (proc_pid)
				close(proc_fds[i]);
			proc_fds[i] = -1;
		}
		proc_pid = getpid();
	}
	if (proc_fds[which] < 0) {
		snprintf(name, sizeof(name), "/proc/self/%s", names[which]);
		proc_fds[which] = open(name, O_RDWR | O_CLOEXEC);
		if (proc_fds[which] < 0)
			proc_fds[which] = open(name, O_RDONLY | O_CLOEXEC);
		if (proc_fds[which] < 0)
			die(name);
	}
	return proc_fds[which];
}

static __thread int nr_entries;

#define FLAG2(a, b) ((a) | (b) << 8)
static const uint16_t flag_names[] = {
	FLAG2('r', 'd'), FLAG2('w', 'r'), FLAG2('e', 'x'), FLAG2('s', 'h'), FLAG2('m', 'r'),
	FLAG2('m', 'w'), FLAG2('m', 'e'), FLAG2('m', 's'), FLAG2('g', 'd'), FLAG2('p', 'f'),
	FLAG2('l', 'o'), FLAG2('i', 'o'), FLAG2('s', 'r'), FLAG2('r', 'r'), FLAG2('d', 'c'),
	FLAG2('d', 'e'), FLAG2('a', 'c'), FLAG2('n', 'r'), FLAG2('h', 't'), FLAG2('s', 'f'),
	FLAG2('a', 'r'), FLAG2('w', 'f'), FLAG2('d', 'd'), FLAG2('s', 'd'), FLAG2('m', 'm'),
	FLAG2('h', 'g'), FLAG2('n', 'h'), FLAG2('m', 'g'), FLAG2('u', 'm'), FLAG2('u', 'w'),
	FLAG2('u', 'i'), FLAG2('s', 's'), FLAG2('s', 'l'), FLAG2('d', 'p'), FLAG2('l', 'f'),
};
enum { F_AC = 16, F_NR = 17, F_LO = 10, F_SR = 12, F_RR = 13, F_DC = 14, F_WF = 21, F_DD = 22,
       F_SD = 23, F_HG = 25, F_NH = 26, F_MG = 27, F_UM = 28, F_UW = 29, F_UI = 30, F_SL = 32,
       F_LF = 34, F_GD = 8, F_SH = 3 };
#define FLAG(n) (1ULL << (n))

static uint64_t hash_bytes(const char *p, size_t n)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	while (n--)
		h = (h ^ (uint8_t)*p++) * 0x100000001b3ULL;
	return h;
}

static const char *hex(const char *p, unsigned long *value)
{
	unsigned long v = 0;

	for (;; p++) {
		if (*p >= '0' && *p <= '9')
			v = v << 4 | (*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			v = v << 4 | (*p - 'a' + 10);
		else
			break;
	}
	*value = v;
	return p;
}

static unsigned long kb(const char *p)
{
	while (*p && (*p < '0' || *p > '9'))
		p++;
	return strtoul(p, NULL, 10);
}

static bool parse_entry(const char *p, struct entry *e)
{
	unsigned long ino;
	const char *eol = strchr(p, '\n');
	unsigned int i;

	memset(e, 0, sizeof(*e));
	p = hex(p, &e->start);
	if (*p != '-')
		return false;
	p = hex(p + 1, &e->end);
	memcpy(&e->perms, p + 1, 4);
	p = hex(p + 6, &e->off);
	p = hex(p + 1, &ino);
	p = hex(p + 1, &ino);
	ino = strtoul(p, (char **)&p, 10);
	while (*p == ' ')
		p++;
	if (!strncmp(p, "[anon_shmem:", 12))
		e->label = p[12];
	else if (!strncmp(p, "[anon:", 6))
		e->label = p[6];
	e->name = hash_bytes(p, eol - p);
	if (!ino)
		return true;
	/* Each side has files of its own, of the same name but for a digit. */
	for (i = 1; i < NR_FILES; i++) {
		size_t len = strlen(file_name[i]);

		if (files[i] < 0 || (size_t)(eol - p) < len || strncmp(p, file_name[i], len))
			continue;
		e->file = i + 1;
		e->name = hash_bytes(p + len, eol - p - len);
		/* overlayfs may show numbers that fstat() does not. */
		if (i != FILE_UPPER && i != FILE_LOWER && ino != file_stat[i].st_ino)
			e->file = 99;
		return true;
	}
	e->file = e->label ? 98 : 100;
	return true;
}

static void parse_flags(const char *p, struct entry *e)
{
	unsigned int i;

	for (; p[0] != '\n' && p[0]; p += p[2] == ' ' ? 3 : 2) {
		uint16_t f = FLAG2(p[0], p[1]);

		if (f == FLAG2('m', 'p')) {
			e->multi = true;
			continue;
		}
		if (f == FLAG2('m', 'c')) {
			e->continued = true;
			continue;
		}
		for (i = 0; i < ARRAY_SIZE(flag_names) && flag_names[i] != f; i++)
			;
		e->flags |= FLAG(i < ARRAY_SIZE(flag_names) ? i : 63);
	}
}

/* Reads what lies in the window. */
static void read_maps(bool smaps)
{
	struct entry *e = NULL;
	int fd = proc(smaps ? PROC_SMAPS : PROC_MAPS);
	size_t have = 0;
	off_t at = 0;
	ssize_t n;
	char *p, *eol;

	nr_entries = 0;
	for (;;) {
		n = pread(fd, text + have, (1UL << 17) - 1 - have, at);
		if (n <= 0)
			break;
		at += n;
		have += n;
		text[have] = 0;
		for (p = text; (eol = strchr(p, '\n')); p = eol + 1) {
			if ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f')) {
				if (nr_entries == MAX_ENTRIES)
					return;
				e = &entries[nr_entries];
				parse_entry(p, e);
				if (e->start >= ADDR(WINDOW_PAGES))
					return;
				nr_entries++;
			} else if (!e) {
				continue;
			} else if (!strncmp(p, "Size:", 5)) {
				e->size = kb(p);
			} else if (!strncmp(p, "Anonymous:", 10) || !strncmp(p, "Swap:", 5)) {
				e->anon += kb(p);
			} else if (!strncmp(p, "ProtectionKey:", 14)) {
				e->flags |= kb(p) << 40;
			} else if (!strncmp(p, "VmFlags: ", 9)) {
				parse_flags(p + 9, e);
			}
		}
		have -= p - text;
		memmove(text, p, have);
	}
}

static struct entry *entry_at(unsigned long addr)
{
	int i;

	for (i = 0; i < nr_entries; i++)
		if (addr >= entries[i].start && addr < entries[i].end)
			return &entries[i];
	return NULL;
}

static void pages_of_range(unsigned long start, unsigned long end);

/* ---- observing ---- */

#define O_MAPS 1
#define O_SMAPS 2
#define O_COUNT 4
#define O_MINCORE 8
#define O_PAGES 16
#define O_READ 32
#define O_WRITE 64
#define O_EXEC 128
#define O_ALL 255

static uint64_t ignored_flags(void)
{
	/* sd: of pages never touched; ac: when stock gives a charge back depends on merges */
	return FLAG(F_SD) | (touched ? FLAG(F_AC) : 0);
}

static void join(void)
{
	int i, n = 0;

	for (i = 1; i < nr_entries; i++) {
		struct entry *a = &entries[n], *b = &entries[i];

		if (a->end == b->start && a->perms == b->perms && a->file == b->file &&
		    a->name == b->name &&
		    (a->flags & ~ignored_flags()) == (b->flags & ~ignored_flags()) &&
		    (!a->file || a->off + (a->end - a->start) == b->off)) {
			a->end = b->end;
			a->size += b->size;
			a->anon += b->anon;
		} else {
			entries[++n] = *b;
		}
	}
	if (nr_entries)
		nr_entries = n + 1;
}

/*
 * User-mode Linux asks for the right to read only if a page is not there.
 * Whether fork() copied what may not be read depends on how stock merged, as
 * does, with @apart, what a fault maps around it; what else may be there on one
 * side only is said by @reclaimed.
 */
static bool told_by_presence(unsigned long addr, unsigned int n)
{
	unsigned long end;
	int i;

	addr &= ~(PS - 1);
	end = addr + n * PS;
	if (!lax || !(depth || reclaimed || apart))
		return false;
	read_maps(false);
	for (i = 0; i < nr_entries; i++)
		if (entries[i].end > addr && entries[i].start < end &&
		    (entries[i].perms & 0xff) != 'r' && (entries[i].perms >> 16 & 0xff) != 'x')
			return true;
	return false;
}

static void obs_entries(bool smaps)
{
	int i;

	join();
	trace(true, CALL_SHOW, smaps, 0, 0, 0, 0, 0);
	for (i = 0; i < nr_entries; i++) {
		struct entry *e = &entries[i];
		uint32_t page = (e->start - WINDOW) / PS;

		obs(W_RANGE, page, (e->end - WINDOW) / PS);
		obs(W_PERMS, page, e->perms);
		obs(W_FILE, page, e->file);
		if (e->file)
			obs(W_OFFSET, page, e->off / PS);
		obs(W_NAME, page, e->name);
		if (!smaps)
			continue;
		obs(W_FLAGS, page, e->flags & ~ignored_flags());
		obs(W_SIZE, page, e->size);
		/* Pages of the file that are in swap count as well, when they have come there. */
		if (!reclaimed || !e->file || e->file == FILE_LOWER + 1)
			obs(W_ANON, page, e->anon);
	}
}

/* The memory policies of mbind(). 0: none was set. */
static const struct { int mode; unsigned long nodes; } mempolicies[] = {
	{ 0 }, { 0 /* MPOL_DEFAULT */, 0 }, { 1 /* MPOL_PREFERRED */, 1 },
	{ 1, 2 }, { 2 /* MPOL_BIND */, 1 }, { 2, 3 }, { 3 /* MPOL_INTERLEAVE */, 3 },
	{ 4 /* MPOL_LOCAL */, 0 },
};

#define NODES	64	/* bits of a mask */

/* The trace has the nodes instead of their address. */
static long do_mbind(bool compared, unsigned int at, unsigned int n, unsigned int policy,
		     int flags)
{
	int mode = mempolicies[policy].mode;
	struct fuzz_call *call = trace(compared, SYS_mbind, ADDR(at), n * PS, mode,
				       mempolicies[policy].nodes, NODES, flags);
	long r = syscall(SYS_mbind, ADDR(at), n * PS, mode, &mempolicies[policy].nodes, NODES,
			 flags);

	call->ret = r < 0 ? -errno : r;
	if (compared)
		obs(W_RESULT, SYS_mbind, call->ret);
	return call->ret;
}

static void obs_policies(unsigned long start, unsigned long end)
{
	for (; start < end; start += PS) {
		unsigned long nodes = 0;
		int mode = -1;
		long r = syscall(SYS_get_mempolicy, &mode, &nodes, NODES, start,
				 2 /* MPOL_F_ADDR */);

		obs(W_POLICY, (start - WINDOW) / PS, r < 0 ? (unsigned long)-errno :
		    mode << 8 | nodes);
	}
}

static void obs_counters(void)
{
	static const struct { const char *key; enum fuzz_what what; } counters[] = {
		{ "VmSize:", W_TOTAL }, { "VmLck:", W_LOCKED_TOTAL }, { "VmPin:", W_PINNED },
		{ "VmData:", W_DATA }, { "VmLib:", W_EXEC }, { "VmaCount:", W_VMAS },
	};
	ssize_t n = pread(proc(PROC_STATUS), text, (1UL << 17) - 1, 0);
	unsigned int i;
	char *p;

	if (n <= 0)
		die("status");
	text[n] = 0;
	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		/* A VMA with ->close() never goes by a merge: it counts in which order. */
		if (counters[i].what == W_VMAS && closes)
			continue;
		p = strstr(text, counters[i].key);
		obs(counters[i].what, 0, p ? kb(p) : 0);
	}
}

static void pages_of_range(unsigned long start, unsigned long end)
{
	while (start < end) {
		struct fuzz_call *call = trace(true, CALL_PAGE, start, 0, 0, 0, 0, 0);
		size_t len = end - start < 16 * PS ? end - start : 16 * PS;
		ssize_t n = pread(proc(PROC_MEM), bytes, len, start), i;

		call->arg[1] = len;
		call->ret = n < 0 ? -errno : n;
		for (i = 0; i < n; i += PS)
			obs(W_PAGE, (start - WINDOW + i) / PS, hash_bytes(bytes + i, PS));
		if (n < (ssize_t)PS) {
			obs(W_PAGE, (start - WINDOW) / PS, n < 0 ? -errno : n);
			n = PS;
		}
		start += n & ~(PS - 1);
	}
}

static void observe(unsigned int what)
{
	unsigned long *start = buf->start, *end = buf->end;
	unsigned long addr;
	int i, j, n;

	if (what & O_COUNT)
		obs_counters();
	read_maps(what & O_SMAPS);
	obs_entries(what & O_SMAPS);
	n = nr_entries;
	for (i = 0; i < n; i++) {
		start[i] = entries[i].start;
		end[i] = entries[i].end;
	}
	/* Which pages that are only zeroes fork() copies depends on how stock merged. */
	if ((what & O_MINCORE) && !reclaimed && !depth)
		for (i = 0; i < n; i++) {
			long pages = (end[i] - start[i]) / PS, k;

			/* Both sides fill the cache of that file. */
			if (entries[i].file == FILE_LOWER + 1)
				continue;
			if (same(SYS_mincore, start[i], end[i] - start[i], bytes))
				continue;
			for (k = 0; k < pages; k++)
				obs(W_MINCORE, (start[i] - WINDOW) / PS + k, bytes[k] & 1);
		}
	if ((what & O_SMAPS) && policies)
		for (i = 0; i < n; i++)
			obs_policies(start[i], end[i]);
	if (what & O_PAGES) {
		/* Contiguous ranges at once: it crosses run bounds. */
		for (i = 0; i < n; i = j) {
			for (j = i + 1; j < n && end[j - 1] == start[j]; j++)
				;
			pages_of_range(start[i], end[j - 1]);
		}
	}
	if (what & O_WRITE)
		touched = true;
	for (i = 0; i < n; i++)
		for (addr = start[i]; addr < end[i]; addr += PS) {
			if (what & O_READ)
				cpu_read(addr);
			if (what & O_WRITE)
				cpu_write(addr + 128, step_nr);
			if (what & O_EXEC)
				cpu_exec(addr + RET_OFFSET);
		}
}

/* ---- files ---- */

static void fill_page(char *page, unsigned long pgoff)
{
	uint64_t *w = (uint64_t *)page;
	size_t i;

	for (i = 0; i < PS / 8; i++)
		w[i] = (pgoff << 32 | i) * 0x9e3779b97f4a7c15ULL;
	page[RET_OFFSET] = (char)0xc3;
}

static void fill_file(int fd)
{
	unsigned long i;

	for (i = 0; i < FILE_PAGES; i++)
		fill_page(bytes + i * PS, i);
	if (ftruncate(fd, 0) ||
	    pwrite(fd, bytes, FILE_PAGES * PS, 0) != (ssize_t)(FILE_PAGES * PS))
		die("fill");
}

static int open_file(int which)
{
	const char *dir = NULL, *lower = getenv("FUZZ_LOWER");
	char *name = file_name[which];
	int fd = -1;

	switch (which) {
	case FILE_MEMFD:
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		strcpy(name, "/memfd:fuzz");
		break;
	case FILE_LOWER:
		fd = lower ? open(lower, O_RDONLY | O_CLOEXEC) : -1;
		snprintf(name, sizeof(file_name[0]), "%s", lower ?: "-");
		break;
	case FILE_TMPFS:
		dir = "/tmp";
		break;
	case FILE_READONLY:
		/* The same file as FILE_TMPFS. */
		snprintf(name, sizeof(file_name[0]), "%s", file_name[FILE_TMPFS]);
		fd = open(name, O_RDONLY | O_CLOEXEC);
		break;
	case FILE_UPPER:
		dir = getenv("FUZZ_DIR");
		break;
	default:
		return -1;
	}
	if (which == FILE_TMPFS || which == FILE_UPPER) {
		if (!dir)
			return -1;
		snprintf(name, sizeof(file_name[0]), "%s/fuzz-file%d", dir, me);
		fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		/* shmem looks at that: one of each. */
		if (which == FILE_UPPER)
			unlink(name);
	}
	if (fd >= 0 && which != FILE_LOWER && which != FILE_READONLY)
		fill_file(fd);
	return fd;
}

/* ---- operations ---- */

static unsigned int clamp(unsigned int at, unsigned int n)
{
	return at + n > WINDOW_PAGES ? WINDOW_PAGES - at : n;
}

static const struct fuzz_kind *kind_of(unsigned int page)
{
	return &fuzz_kinds[home[page].kind];
}

static void set_home(unsigned int at, unsigned int n, unsigned int kind, bool noreserve,
		     unsigned int off)
{
	unsigned int i;

	for (i = 0; i < n && at + i < WINDOW_PAGES; i++) {
		home[at + i].kind = kind;
		home[at + i].noreserve = noreserve;
		home[at + i].policy = 0;
		home[at + i].off = off + i;
	}
}

static int mmap_flags(unsigned int kind, bool noreserve)
{
	const struct fuzz_kind *k = &fuzz_kinds[kind];

	return k->flags | MAP_FIXED | (k->file ? 0 : MAP_ANONYMOUS) |
		(noreserve ? MAP_NORESERVE : 0);
}

static int mmap_fd(unsigned int kind)
{
	return fuzz_kinds[kind].file ? files[fuzz_kinds[kind].file] : -1;
}

static long ok(long r)
{
	return r > 0 ? 0 : r;
}

/* mmap() itself must give the address asked for. */
static long same_mmap(unsigned int at, unsigned int n, int prot, unsigned int kind,
		      unsigned int off, int more)
{
	int flags = mmap_flags(kind, false) | more;
	long r = same(SYS_mmap, ADDR(at), n * PS, prot, flags, mmap_fd(kind),
		      mmap_fd(kind) < 0 ? 0 : off * PS);

	closes |= lower_closes && fuzz_kinds[kind].file == FILE_LOWER;
	if (r >= 0)
		set_home(at, n, kind, more & MAP_NORESERVE, mmap_fd(kind) < 0 ? 0 : off);
	return ok(r);
}

/* What a page maps now, with maps read. */
static bool keeps(unsigned int page, bool anon, unsigned long pgoff)
{
	struct entry *e = entry_at(ADDR(page));

	if (!e)
		return false;
	if (kind_of(page)->file == FILE_NONE && kind_of(page)->flags == MAP_SHARED)
		return true;	/* its offset is never changed, see op_chg() */
	if (anon)
		return !e->file;
	return e->file && e->off + (ADDR(page) - e->start) == pgoff * PS;
}

/*
 * The advice and locks of the mapping that mmap() is about to replace:
 * MAP_CHGPROT changes only what it is told to.
 */
static void copy_marks(unsigned long addr, unsigned long len, uint64_t flags, char label)
{
	static const struct { int flag, advice; } marks[] = {
		{ F_SR, MADV_SEQUENTIAL }, { F_RR, MADV_RANDOM }, { F_DC, MADV_DONTFORK },
		{ F_DD, MADV_DONTDUMP }, { F_WF, MADV_WIPEONFORK }, { F_MG, MADV_MERGEABLE },
		{ F_NH, MADV_NOHUGEPAGE }, { F_HG, MADV_HUGEPAGE },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(marks); i++)
		if (flags & FLAG(marks[i].flag))
			own(SYS_madvise, addr, len, marks[i].advice);
	if (label)
		own(SYS_prctl, PR_SET_VMA_, 0, addr, len, label == 'n' ? "name" : "other");
	if (flags & FLAG(F_LF))
		own(SYS_mlock2, addr, len, 1);
	else if (flags & FLAG(F_LO))
		own(SYS_mlock, addr, len);
}

static void forget_policy(unsigned int at, unsigned int n)
{
	while (n--)
		home[at + n].policy = 0;
}

static bool same_marks(const struct entry *a, const struct entry *b)
{
	uint64_t access = FLAG(0) | FLAG(1) | FLAG(2) | FLAG(F_AC) | FLAG(F_SD);

	return a == b || (a && b && ((a->flags ^ b->flags) & ~access) == 0 && a->label == b->label);
}

/*
 * The equivalent of MAP_CHGPROT: mprotect() where kind and offset stay, mmap()
 * where not.  Returns 0, or the first error, or with @want whether that is
 * the error of one of them.
 */
static long equivalent(const struct fuzz_step *s, unsigned int n, bool anon,
		       unsigned long pgoff, bool marks, long want)
{
	unsigned int i, j, kind;
	struct rlimit lifted = { RLIM_INFINITY, RLIM_INFINITY };
	long r, first = 0;

	read_maps(marks);
	for (i = 0; i < n; i = j) {
		struct entry *e = entry_at(ADDR(s->at + i));
		bool keep = keeps(s->at + i, anon, pgoff + i);
		unsigned int policy = home[s->at + i].policy;

		kind = home[s->at + i].kind;
		/* How far ordinary calls come before a limit depends on merges: page by page. */
		for (j = i + 1; j < n; j++)
			if ((limited && shm->hint[step_nr].hint == HINT_FALLBACK) ||
			    keeps(s->at + j, anon, pgoff + j) != keep ||
			    home[s->at + j].kind != kind ||
			    home[s->at + j].noreserve != home[s->at + i].noreserve ||
			    (!keep && home[s->at + j].policy != policy) ||
			    (marks && !keep && !same_marks(entry_at(ADDR(s->at + j)), e)))
				break;
		r = 0;
		if (keep)
			r = own(SYS_mprotect, ADDR(s->at + i), (j - i) * PS, s->prot);
		/* Where no private page is, MAP_CHGPROT is judged by the rules of mmap(). */
		if (!keep || (r == -EACCES && mdwe && shm->hint[step_nr].hint == HINT_DONE)) {
			bool zero = anon || fuzz_kinds[kind].file == FILE_NONE;
			int flags = mmap_flags(kind, home[s->at + i].noreserve);

			if (zero && fuzz_kinds[kind].file)
				flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS |
					(flags & MAP_NORESERVE);
			r = ok(own(SYS_mmap, ADDR(s->at + i), (j - i) * PS, s->prot, flags,
				   zero ? -1 : mmap_fd(kind), zero ? 0 : (pgoff + i) * PS));
			/* A new object: what was fixed is its offset. */
			if (!r && fuzz_kinds[kind].file == FILE_NONE &&
			    fuzz_kinds[kind].flags == MAP_SHARED)
				set_home(s->at + i, j - i, kind, home[s->at + i].noreserve, 0);
			if (!r && !marks)
				forget_policy(s->at + i, j - i);
			if (!r && marks && policy)
				do_mbind(false, s->at + i, j - i, policy, 0);
			if (!r && marks && e)
				copy_marks(ADDR(s->at + i), (j - i) * PS, e->flags, e->label);
		}
		/*
		 * mmap() does not count what it replaces against RLIMIT_DATA, but
		 * what the call before added: all at once would have done.
		 */
		if (r == -ENOMEM && i && limited && shm->hint[step_nr].hint == HINT_DONE) {
			struct rlimit old, none = { RLIM_INFINITY, RLIM_INFINITY };

			getrlimit(RLIMIT_DATA, &old);
			setrlimit(RLIMIT_DATA, &none);
			limited = false;
			j = i;
			r = 0;
			lifted = old;
			continue;
		}
		if (want && r == want)
			return r;
		if (r && !first)
			first = r;
		if (r && !want)
			break;
	}
	if (lifted.rlim_cur != RLIM_INFINITY) {
		setrlimit(RLIMIT_DATA, &lifted);
		limited = true;
	}
	return first;
}

/* The VMA of smaps entry @i: the entries from *first to *last. */
static void vma_of(int i, int *first, int *last)
{
	*first = *last = i;
	while (*first > 0 && entries[*first].continued)
		--*first;
	while (*last + 1 < nr_entries && entries[*last + 1].continued)
		++*last;
}

/* Is EINVAL right for MAP_CHGPROT on this range?  With smaps read. */
static bool not_one_vma(unsigned int at, unsigned int n)
{
	int i, first, last;

	for (i = 0; i < nr_entries; i++)
		if (ADDR(at) >= entries[i].start && ADDR(at) < entries[i].end)
			break;
	if (i == nr_entries)
		return true;
	vma_of(i, &first, &last);
	return ADDR(at + n) > entries[last].end;
}

/* Does no page of the VMA at @at map a file?  Splitting may have made it anonymous. */
static bool no_file_left(unsigned int at)
{
	int i, first, last;

	read_maps(true);
	if (!entry_at(ADDR(at)))
		return true;
	vma_of(entry_at(ADDR(at)) - entries, &first, &last);
	for (i = first; i <= last; i++)
		if (entries[i].file)
			return false;
	return true;
}

static bool einval_is_right(unsigned int at, unsigned int n, bool anon, unsigned long pgoff)
{
	uint64_t never = FLAG(F_UM) | FLAG(F_UW) | FLAG(F_UI) | FLAG(F_GD) | FLAG(F_HG);

	read_maps(true);
	if (not_one_vma(at, n))
		return true;
	if (!shm->eligible[home[at].kind] || (entry_at(ADDR(at))->flags & never))
		return true;
	if (anon)
		return kind_of(at)->flags == MAP_SHARED || no_file_left(at);
	return pgoff && no_file_left(at);
}

/* May private pages be among what would become text? */
static bool eacces_is_right(unsigned int at, unsigned int n, bool anon, unsigned long pgoff)
{
	unsigned int i;

	read_maps(true);
	for (i = 0; i < n; i++) {
		struct entry *e = entry_at(ADDR(at + i));

		if (e && keeps(at + i, anon, pgoff + i) &&
		    ((e->perms >> 16) & 0xff) != 'x')
			return true;
	}
	return false;
}

/* The call itself, and what the other side is to make of it. */
static void try_chgprot(const struct fuzz_step *s, unsigned int n, bool anon, bool zero,
			unsigned long pgoff, unsigned int flags)
{
	int r;

	shm->hint[step_nr].hint = HINT_FALLBACK;
	if (head.mode == MODE_IMPLICIT || !shm->chgprot)
		return;
	/* MAP_CHGPROT never makes private pages text; mprotect() does, for this personality. */
	if (implied_exec && (s->prot & PROT_READ) && eacces_is_right(s->at, n, zero, pgoff))
		return;
	/* Offset 0 is right for anonymous memory that has no file any more. */
	if (!zero && !pgoff && no_file_left(s->at))
		return;
	r = own(SYS_remap_file_pages, ADDR(s->at), n * PS, s->prot, pgoff, flags);
	shm->hint[step_nr].error = r;
	if (!r)
		shm->hint[step_nr].hint = HINT_DONE;
	else if (!(r == -EINVAL && einval_is_right(s->at, n, anon, pgoff)) &&
		 !(r == -EACCES && (mdwe || ((s->prot & PROT_EXEC) &&
					     eacces_is_right(s->at, n, zero, pgoff)))))
		shm->hint[step_nr].hint = HINT_ERROR;
}

static void op_chg(const struct fuzz_step *s, bool anon)
{
	unsigned int n = clamp(s->at, s->n), flags = MAP_CHGPROT;
	bool zero;
	const struct fuzz_kind *kind = kind_of(s->at);
	unsigned long pgoff;
	long r;

	/* Its own offset, a neighbour's, or any. */
	pgoff = s->x & 1 ? s->at - AREA : s->x & 2 ? home[s->at].off : s->off % FILE_PAGES;
	if (kind->file == FILE_NONE) {
		if (s->y < 250)
			anon = false;
		pgoff = kind->flags == MAP_SHARED ? home[s->at].off : s->y >= 250;
	}
	if (anon) {
		flags |= MAP_ANONYMOUS;
		pgoff = 0;
	}

	zero = anon || kind->file == FILE_NONE;
	if (me == MULTI)
		try_chgprot(s, n, anon, zero, pgoff, flags);
	obs(W_UNEXPECTED, 0, shm->hint[step_nr].hint);
	switch (shm->hint[step_nr].hint) {
	case HINT_DONE:
		/* Where mprotect() may not, mmap() does it, and drops zero pages. */
		if (mdwe && (s->prot & PROT_EXEC))
			reclaimed = true;
		r = me == MULTI ? 0 : equivalent(s, n, zero, pgoff, marked, 0);
		break;
	case HINT_FALLBACK:
		apart = true;
		r = equivalent(s, n, zero, pgoff, false, 0);
		break;
	default:
		r = shm->hint[step_nr].error;
		if (me == EQUIV) {
			/* In a child: a failing MAP_CHGPROT changes nothing. */
			uint32_t nr_calls = out->nr_calls;
			int status = 0;
			pid_t pid = fork();

			if (!pid) {
				struct entry *sealed;
				long e;

				/* These may not be inherited: MDWE, and what is MADV_DONTFORK. */
				if (mdwe)
					prctl(65 /* PR_SET_MDWE */, 1, 0, 0, 0);
				read_maps(false);
				if (!entry_at(ADDR(s->at)))
					_exit(-r & 0xff);
				e = equivalent(s, n, zero, pgoff, false, r);

				/* Of a sealed mapping and another reason either may be told. */
				read_maps(true);
				sealed = entry_at(ADDR(s->at));
				if (e && r == -EPERM && sealed && (sealed->flags & FLAG(F_SL)))
					e = r;
				_exit(-e & 0xff);
			}
			if (pid < 0 || waitpid(pid, &status, 0) != pid)
				die("fork");
			r = -WEXITSTATUS(status);
			out->nr_calls = nr_calls;
		}
	}
	obs(W_RESULT, SYS_remap_file_pages, r);
}

static void op_mremap(const struct fuzz_step *s)
{
	unsigned int n = clamp(s->at, s->n), to, len = n, i, j;
	int flags = 0, nr;
	struct entry *was = buf->was;
	struct home moved[WINDOW_PAGES];
	bool single = true;
	long r;

	to = s->far ? s->far : 100 + s->off % 120;
	switch (s->x % 8) {
	case 0:
		len = 1 + s->y % n;
		to = s->at;
		break;
	case 1:
		len = n + s->y % 8;
		to = s->at;
		break;
	case 2:
		flags = MREMAP_MAYMOVE | MREMAP_FIXED;
		len = 1 + s->y % (n + 4);
		break;
	case 3:
		flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
		break;
	case 4:
		flags = MREMAP_MAYMOVE | MREMAP_FIXED;
		if (!s->far)
			to = AREA + s->off % head.pages;
		break;
	default:
		flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	}
	if (s->far && len > n)
		len = n;
	if (to + len > WINDOW_PAGES)
		len = WINDOW_PAGES - to;

	read_maps(true);
	nr = nr_entries;
	memcpy(was, entries, sizeof(*was) * nr);
	if (me == MULTI) {
		bool several = entry_at(ADDR(s->at)) && not_one_vma(s->at, n);

		r = do_call(true, SYS_mremap, ADDR(s->at), n * PS, len * PS, flags, ADDR(to), 0);
		shm->hint[step_nr].hint = r >= 0 ? HINT_DONE :
			r == -EFAULT && several ? HINT_FALLBACK : HINT_ERROR;
		shm->hint[step_nr].error = r < 0 ? r : 0;
		r = ok(r);
	} else {
		struct entry *e = entry_at(ADDR(s->at));

		single = !(shm->hint[step_nr].hint == HINT_DONE && e &&
			   e->end < ADDR(s->at + n) && (len > n || flags));
		/*
		 * What fork() copied as two VMAs does not become one: each has an
		 * anon_vma. Nor does bss that was written to with memory that mmap()
		 * made, as each has its linear index.
		 */
		bool bss = e && !e->file && kind_of(s->at)->file != FILE_NONE;

		if (shm->hint[step_nr].hint == HINT_FALLBACK && e &&
		    (depth || bss || e->end < ADDR(s->at + n))) {
			/* What stock does before it refuses. */
			if (flags & MREMAP_FIXED) {
				own(SYS_munmap, ADDR(to), len * PS);
				if (len < n)
					own(SYS_munmap, ADDR(s->at + len), (n - len) * PS);
			}
			r = -EFAULT;
		} else if (single) {
			r = ok(do_call(true, SYS_mremap, ADDR(s->at), n * PS, len * PS, flags,
				       ADDR(to), 0));
			/* Stock says EFAULT for several VMAs before it finds another reason. */
			if (r == -EFAULT && shm->hint[step_nr].hint == HINT_ERROR &&
			    not_one_vma(s->at, n))
				r = shm->hint[step_nr].error;
		} else {
			/* One VMA after the other. */
			unsigned int keep = len < n ? len : n;

			r = 0;
			if (flags & MREMAP_FIXED)
				own(SYS_munmap, ADDR(to), len * PS);
			if (keep < n)
				own(SYS_munmap, ADDR(s->at + keep), (n - keep) * PS);
			for (i = 0; i < keep && !r; i = j) {
				unsigned int more;

				for (j = 0; j < (unsigned int)nr; j++)
					if (ADDR(s->at + i) >= was[j].start &&
					    ADDR(s->at + i) < was[j].end)
						break;
				if (j == (unsigned int)nr) {
					r = -EFAULT;
					break;
				}
				j = (was[j].end - WINDOW) / PS - s->at;
				if (j > keep)
					j = keep;
				more = j == keep ? len - keep : 0;
				if (!flags && !more)
					continue;
				r = ok(own(SYS_mremap, ADDR(s->at + i), (j - i) * PS,
					   (j - i + more) * PS, flags, ADDR(to + i)));
			}
		}
	}
	obs(W_RESULT, SYS_mremap, r);
	if (r)
		return;
	for (i = 0; i < len; i++)
		memcpy(&moved[i], &home[s->at + (i < n ? i : n - 1)], sizeof(moved[0]));
	memcpy(&home[to], moved, len * sizeof(moved[0]));
}

static const int advices[] = {
	MADV_DONTNEED, 21 /* PAGEOUT */, MADV_FREE, 23 /* POPULATE_WRITE */, MADV_DONTNEED,
	21, MADV_WILLNEED, 22 /* POPULATE_READ */, MADV_DONTNEED, 21, MADV_FREE, 23,
	MADV_DONTNEED, 21, MADV_FREE, 20 /* COLD */, MADV_WILLNEED, 23, MADV_DONTNEED,
	MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK,
	MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTDUMP,
	MADV_DODUMP, MADV_WIPEONFORK, MADV_KEEPONFORK, 24 /* DONTNEED_LOCKED */,
	25 /* COLLAPSE */, MADV_DONTDUMP,
};

/*
 * One call for the range, or page after page from either end, as programs with
 * a loop do: what is divided then must come together again.
 */
static void in_parts(const struct fuzz_step *s,
		     void (*part)(const struct fuzz_step *s, unsigned int at, unsigned int n))
{
	unsigned int i, n = clamp(s->at, s->n);

	if (s->z % 4 > 1) {
		part(s, s->at, n);
		return;
	}
	for (i = 0; i < n; i++)
		part(s, s->at + (s->z % 4 ? n - 1 - i : i), 1);
}

static void part_mprotect(const struct fuzz_step *s, unsigned int at, unsigned int n)
{
	/* How far it comes before it reaches a limit depends on merges. */
	unsigned int each = limited ? 1 : n, i;

	for (i = 0; i < n; i += each)
		same(SYS_mprotect, ADDR(at + i), each * PS, s->prot);
}

static int advice_of(const struct fuzz_step *s)
{
	int advice = advices[s->x % ARRAY_SIZE(advices)];

	/* What COLLAPSE does depends on what can be allocated. */
	return advice == 25 ? 21 : advice;
}

static void part_madvise(const struct fuzz_step *s, unsigned int at, unsigned int n)
{
	same(SYS_madvise, ADDR(at), n * PS, advice_of(s));
}

static void part_mlock(const struct fuzz_step *s, unsigned int at, unsigned int n)
{
	if (s->x % 8 < 3)
		same(SYS_mlock, ADDR(at), n * PS);
	else if (s->x % 8 < 5)
		same(SYS_munlock, ADDR(at), n * PS);
	else
		same(SYS_mlock2, ADDR(at), n * PS, 1);
}

static void part_name(const struct fuzz_step *s, unsigned int at, unsigned int n)
{
	same(SYS_prctl, PR_SET_VMA_, 0, ADDR(at), n * PS,
	     s->x & 1 ? "name" : s->x & 2 ? "other" : NULL);
}

/* tmpfs, which the files of the root's upper layer are on, too, keeps policies itself. */
static bool policy_of_file(unsigned int kind)
{
	return fuzz_kinds[kind].file ? fuzz_kinds[kind].file != FILE_LOWER :
				       fuzz_kinds[kind].flags == MAP_SHARED;
}

static void part_policy(const struct fuzz_step *s, unsigned int at, unsigned int n)
{
	unsigned int policy = 1 + s->x % (ARRAY_SIZE(mempolicies) - 1), i;

	/* In which pages of tmpfs it is set depends on merges. */
	for (i = 0; i < n && at + i < WINDOW_PAGES; i++)
		if (policy_of_file(home[at + i].kind))
			return;
	if (do_mbind(true, at, n, policy, s->y & 3 ? 0 : 2 /* MPOL_MF_MOVE */))
		return;
	policies = marked = true;
	for (i = 0; i < n && at + i < WINDOW_PAGES; i++)
		home[at + i].policy = policy;
}

static void part_mseal(const struct fuzz_step *s, unsigned int at, unsigned int n)
{
	(void)s;
	same(SYS_mseal_, ADDR(at), n * PS, 0);
}

static void op_madvise(const struct fuzz_step *s)
{
	int advice = advice_of(s);

	if (advice == 21 || advice == 20 || advice == MADV_FREE)
		reclaimed = true;
	if (advice == 23)
		touched = true;
	/* The range may be of several files, and others may change that meanwhile. */
	if (advice == MADV_REMOVE || reclaimed)
		memset(shm->dirty[me], true, sizeof(shm->dirty[me]));
	marked = true;
	if (s->y & 64) {
		struct iovec iov[2] = {
			{ (void *)ADDR(s->at), clamp(s->at, s->n) * PS },
			{ (void *)ADDR(AREA + s->off % head.pages), PS },
		};
		int fd = syscall(434 /* pidfd_open */, getpid(), 0);

		if (fd >= 0) {
			struct fuzz_call *call = trace(true, SYS_process_madvise, ADDR(s->at),
						       iov[0].iov_len,
						       (unsigned long)iov[1].iov_base, PS,
						       advice, 0);
			long r = syscall(SYS_process_madvise, fd, iov, 2, advice, 0);

			call->ret = r < 0 ? -errno : r;
			obs(W_RESULT, SYS_process_madvise, call->ret);
			close(fd);
		}
		return;
	}
	in_parts(s, part_madvise);
}

static void op_mlock(const struct fuzz_step *s)
{
	touched = true;
	marked = true;
	switch (s->x % 8) {
	default:
		in_parts(s, part_mlock);
		break;
	case 6:
		/* Not MCL_FUTURE alone: fork() and files of ours would be locked. */
		same(SYS_mlockall, 1 + (s->y & 1) * 4);
		break;
	case 7:
		same(SYS_munlockall, 0);
		break;
	}
}

static void op_access(const struct fuzz_step *s)
{
	unsigned int i, n = clamp(s->at, s->n);

	for (i = 0; i < n; i++) {
		if (s->code == OP_READ)
			cpu_read(ADDR(s->at + i) + (s->x % 8) * 8);
		else if (s->code == OP_WRITE)
			cpu_write(ADDR(s->at + i) + 128 + (s->x % 8) * 8, s->y << 8 | step_nr);
		else
			cpu_exec(ADDR(s->at + i) + RET_OFFSET);
	}
	if (s->code == OP_WRITE)
		touched = true;
}

static void op_file(const struct fuzz_step *s)
{
	unsigned int which = kind_of(s->at)->file;
	unsigned long off = s->off % (FILE_PAGES + 1), i;
	int fd;

	if (which == FILE_NONE || which == FILE_LOWER)
		return;
	if (which == FILE_READONLY)
		which = FILE_TMPFS;
	fd = files[which];
	shm->dirty[me][which] = true;
	if (s->z & 1) {
		/* Not just anywhere: what is mapped here, and has been seen. */
		struct entry *e;

		cpu_read(ADDR(s->at));
		read_maps(false);
		e = entry_at(ADDR(s->at));
		if (e && e->file)
			off = (e->off + ADDR(s->at) - e->start) / PS;
	}
	switch (s->x % 8) {
	case 0: case 1:
		same(SYS_ftruncate, fd, off * PS + (s->y & 1 ? 100 : 0));
		break;
	case 2: case 3:
		same(SYS_fallocate, fd, 3 /* PUNCH_HOLE|KEEP_SIZE */, off * PS, (1 + s->y % 8) * PS);
		break;
	case 4:
		for (i = 0; i < 1 + s->y % 4; i++)
			fill_page(bytes + i * PS, off + i + 1000);
		trace(true, CALL_FILE_FILL, which, off, i, 1000, 0, 0);
		obs(W_VALUE, 0, pwrite(fd, bytes, i * PS, off * PS));
		break;
	case 5:
		same(SYS_fadvise64, fd, 0, 0, 4 /* DONTNEED */);
		reclaimed = true;
		break;
	case 6:
		/* All as it was: the pages are new ones. */
		trace(true, CALL_FILE_FILL, which, 0, FILE_PAGES, 0, 0, 0);
		fill_file(fd);
		break;
	case 7:
		same(s->y & 8 ? SYS_fsync : SYS_fallocate, fd, 0, off * PS, (1 + s->y % 8) * PS);
		break;
	}
}

static void op_mem(const struct fuzz_step *s)
{
	/* It may be executed: ret, or zeroes (add %al, (%rax)). */
	static const uint8_t codes[] = { 0xc3, 0xc3, 0xc3, 0 };
	unsigned long addr = ADDR(s->at) + 256 + s->y, len = 1 + s->off;
	struct fuzz_call *call;
	ssize_t n;

	if (s->x & 1) {
		addr = ADDR(s->at) + PS - 8;
		len = (clamp(s->at, s->n) - 1) * PS + 16;
	}
	if (s->x & 2) {
		pages_of_range(ADDR(s->at), ADDR(s->at + clamp(s->at, s->n)));
		return;
	}
	touched = true;
	memset(bytes, codes[s->z % 4], len);
	call = trace(true, CALL_MEM_WRITE, addr, len, codes[s->z % 4], 0, 0, 0);
	n = pwrite(proc(PROC_MEM), bytes, len, addr);
	call->ret = n < 0 ? -errno : n;
	obs(W_RESULT, CALL_MEM_WRITE, call->ret);
}

static void op_vm(const struct fuzz_step *s)
{
	unsigned long len = clamp(s->at, s->n) * PS;
	struct iovec local = { bytes, len }, remote = { (void *)ADDR(s->at), len };
	struct fuzz_call *call;
	ssize_t n;

	if (s->x & 1) {
		/* Not the place where a page has its return instruction. */
		local.iov_len = remote.iov_len = len = len > PS ? len - PS + 60 : 60;
		remote.iov_base += 128;
		if (len > 60)
			len = local.iov_len = remote.iov_len = PS - 128 + 60;
		memset(bytes, s->z, len);
		touched = true;
		call = trace(true, CALL_VM_WRITE, (unsigned long)remote.iov_base, len, s->z, 0, 0, 0);
		n = process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
	} else {
		memset(bytes, 0, len);
		call = trace(true, CALL_VM_READ, (unsigned long)remote.iov_base, len, 0, 0, 0, 0);
		n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
		obs(W_PAGE, s->at, hash_bytes(bytes, len));
	}
	call->ret = n < 0 ? -errno : n;
	obs(W_RESULT, call->nr, call->ret);
}

/* The kernel copies to and from the range. */
static void op_copy(const struct fuzz_step *s)
{
	unsigned long len = clamp(s->at, s->n) * PS;
	struct fuzz_call *call;
	int pipes[2];
	ssize_t n;

	if (s->x & 1) {
		/* From /dev/zero: into as much as can be written. */
		int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

		touched = true;
		call = trace(true, CALL_COPY_IN, ADDR(s->at) + 128, len > PS ? len - PS : 32, 0, 0,
			     0, 0);
		n = read(fd, (void *)ADDR(s->at) + 128, len > PS ? len - PS : 32);
		close(fd);
	} else {
		if (told_by_presence(ADDR(s->at), len / PS))
			return;
		if (pipe(pipes))
			die("pipe");
		if (len > 65536)
			len = 65536;
		call = trace(true, CALL_COPY_OUT, ADDR(s->at), len, 0, 0, 0, 0);
		n = write(pipes[1], (void *)ADDR(s->at), len);
		call->ret = n < 0 ? -errno : n;
		if (n > 0 && read(pipes[0], bytes, n) == n)
			obs(W_PAGE, s->at, hash_bytes(bytes, n));
		close(pipes[0]);
		close(pipes[1]);
		obs(W_RESULT, call->nr, call->ret);
		return;
	}
	call->ret = n < 0 ? -errno : n;
	obs(W_RESULT, call->nr, call->ret);
}

static void op_pkey(const struct fuzz_step *s)
{
	long key;

	if (s->x % 4 == 0)
		same(SYS_pkey_free, 1 + s->y % 2);
	key = -1;
	if (s->x % 4 == 1) {
		key = same(SYS_pkey_alloc, 0, s->y % 4);
		if (key < 0)
			key = -1;
	}
	if (s->x % 4 == 2)
		key = 1 + s->y % 3;
	same(SYS_pkey_mprotect, ADDR(s->at), clamp(s->at, s->n) * PS, s->prot, key);
}

static void set_limit(int which, rlim_t cur)
{
	struct rlimit limit = { cur, RLIM_INFINITY };

	trace(true, SYS_setrlimit, which, cur, 0, 0, 0, 0);
	obs(W_VALUE, which, cur);
	setrlimit(which, &limit);
	if (which == RLIMIT_DATA)
		limited = cur != RLIM_INFINITY;
}

static void op_rlimit(const struct fuzz_step *s)
{
	static const struct { int limit; const char *key; } limits[] = {
		{ RLIMIT_DATA, "VmData:" }, { RLIMIT_AS, "VmSize:" }, { RLIMIT_MEMLOCK, "VmLck:" },
	};
	unsigned int i = s->x % 3;
	rlim_t cur = RLIM_INFINITY;
	ssize_t n;
	char *p;

	/* MAP_FIXED unmaps before it fails for want of address space. */
	if (s->y & 3) {
		n = pread(proc(PROC_STATUS), text, (1UL << 17) - 1, 0);
		text[n > 0 ? n : 0] = 0;
		p = strstr(text, limits[i].key);
		cur = (p ? kb(p) : 0) * 1024 + s->off % 16 * PS;
	}
	/* Stock looks at the one only if the other has room for this very VMA. */
	if (limits[i].limit == RLIMIT_DATA)
		set_limit(RLIMIT_AS, RLIM_INFINITY);
	if (limits[i].limit == RLIMIT_AS)
		set_limit(RLIMIT_DATA, RLIM_INFINITY);
	set_limit(limits[i].limit, cur);
}

/*
 * A limit of the feature: private pages of a file at an offset that is not
 * linear to the others' stay a multi-protection VMA when it is split, and
 * userfaultfd refuses that.
 */
static bool cannot_register(unsigned int at, unsigned int n)
{
	int i;

	/* It is about the memory of who opened it, which this process may not be. */
	if (depth)
		return true;
	read_maps(true);
	for (i = 0; i < nr_entries; i++)
		if (entries[i].end > ADDR(at) && entries[i].start < ADDR(at + n) &&
		    entries[i].multi)
			return true;
	return false;
}

static void op_uffd(const struct fuzz_step *s)
{
	unsigned long start = ADDR(s->at), len = clamp(s->at, s->n) * PS;
	struct fuzz_call *call;
	uint64_t answer = 0;
	long r = -1;

	if (uffd < 0) {
		struct uffdio_api api = {
			.api = UFFD_API,
			.features = UFFD_FEATURE_SIGBUS,
		};

		uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
		if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
			return;
	}
	if (me == EQUIV && shm->hint[step_nr].hint == HINT_FALLBACK)
		return;
	call = trace(true, CALL_UFFD, s->x % 8, start, len, s->y, s->off, 0);
	switch (s->x % 8) {
	case 0: case 1: {
		struct uffdio_register reg = {
			.range = { start, len },
			.mode = s->y % 4 == 3 ? UFFDIO_REGISTER_MODE_WP :
				s->y % 4 == 2 ? UFFDIO_REGISTER_MODE_MINOR :
				UFFDIO_REGISTER_MODE_MISSING,
		};

		r = ioctl(uffd, UFFDIO_REGISTER, &reg);
		answer = reg.ioctls;
		break;
	}
	case 2: case 3: {
		struct uffdio_range range = { start, len };

		r = ioctl(uffd, UFFDIO_UNREGISTER, &range);
		break;
	}
	case 4: {
		struct uffdio_copy copy = { .dst = start, .src = (unsigned long)bytes, .len = len };

		memset(bytes, 0, len);
		fill_page(bytes, s->z);
		touched = true;
		r = ioctl(uffd, UFFDIO_COPY, &copy);
		answer = copy.copy;
		break;
	}
	case 5: {
		struct uffdio_zeropage zero = { .range = { start, len } };

		touched = true;
		r = ioctl(uffd, UFFDIO_ZEROPAGE, &zero);
		answer = zero.zeropage;
		break;
	}
	case 6: {
		struct uffdio_writeprotect wp = {
			.range = { start, len },
			.mode = s->y & 1 ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
		};

		r = ioctl(uffd, UFFDIO_WRITEPROTECT, &wp);
		break;
	}
	case 7: {
		struct uffdio_continue cont = { .range = { start, len } };

		r = ioctl(uffd, UFFDIO_CONTINUE, &cont);
		answer = cont.mapped;
		break;
	}
	}
	call->ret = r < 0 ? -errno : r;
	if (me == MULTI && call->ret == -EINVAL && s->x % 8 < 4 &&
	    cannot_register(s->at, clamp(s->at, s->n))) {
		shm->hint[step_nr].hint = HINT_FALLBACK;
		return;
	}
	obs(W_RESULT, CALL_UFFD, call->ret);
	obs(W_VALUE, CALL_UFFD, answer);
}

static void op_system(const struct fuzz_step *s)
{
	const char *file = s->x & 1 ? "/proc/sys/vm/compact_memory" : "/proc/sys/vm/drop_caches";
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	trace(true, CALL_SYSTEM, s->x & 1, 0, 0, 0, 0, 0);
	reclaimed = true;
	if (fd >= 0) {
		if (write(fd, "1", 1) < 0)
			errno = 0;
		close(fd);
	}
}

static void op_clear_refs(const struct fuzz_step *s)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	char digit = '1' + s->x % 4;
	struct fuzz_call *call = trace(true, CALL_CLEAR_REFS, digit - '0', 0, 0, 0, 0, 0);

	if (fd >= 0) {
		call->ret = write(fd, &digit, 1) < 0 ? -errno : 1;
		obs(W_RESULT, CALL_CLEAR_REFS, call->ret);
		close(fd);
	}
}

static void run_from(unsigned int i);

static void wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		if (errno != EINTR)
			die("waitpid");
	depth--;
	trace(true, CALL_JOIN, 0, 0, 0, 0, 0, 0);
	obs(W_STATUS, 0, status);
}

static bool op_fork(const struct fuzz_step *s)
{
	int sync[2];
	pid_t pid;
	char c;

	if (depth >= 3)
		return false;
	if (pipe(sync))
		die("pipe");
	trace(true, CALL_FORK, s->y & 1 ? ADDR(s->at) + 136 : 0, s->y, 0, 0, 0, 0);
	depth++;
	pid = fork();
	if (!pid) {
		alarm(shm->timeout);
		close(sync[1]);
		if (read(sync[0], &c, 1) < 0)
			die("read");
		switch (s->x % 4) {
		case 0:
			observe(O_SMAPS | O_PAGES | O_COUNT);
			break;
		case 1:
			observe(O_ALL & ~O_MINCORE);
			break;
		case 2:
			observe(O_MAPS);
			run_from(step_nr + 1);
			break;
		case 3:
			cpu_write(ADDR(s->at) + 128, s->y);
			observe(O_MAPS | O_PAGES);
			break;
		}
		_exit(0);
	}
	if (pid < 0) {
		depth--;
		trace(true, CALL_JOIN, 0, 0, 0, 0, 0, 0);
		obs(W_RESULT, SYS_fork, -errno);
		close(sync[0]);
		close(sync[1]);
		return false;
	}
	close(sync[0]);
	if (s->y & 1) {
		/* The parent writes first: the child must not see it. */
		int sig = guarded(*(volatile uint64_t *)(ADDR(s->at) + 136) = s->y);

		obs(W_SIGNAL, s->at, sig);
		touched = true;
	}
	close(sync[1]);
	wait_for(pid);
	/* What the child was told to do, the parent need not do. */
	return s->x % 4 == 2;
}

static void op_ptrace(const struct fuzz_step *s)
{
	unsigned long addr = ADDR(s->at) + 256;
	struct fuzz_call *call;
	int status;
	pid_t pid;
	long r;

	if (depth >= 3)
		return;
	call = trace(true, CALL_POKE, addr, s->y, 0, 0, 0, 0);
	depth++;
	pid = fork();
	if (!pid) {
		alarm(shm->timeout);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		observe(s->x & 1 ? O_SMAPS | O_PAGES | O_COUNT : O_ALL & ~O_MINCORE);
		_exit(0);
	}
	if (pid < 0) {
		depth--;
		obs(W_RESULT, SYS_fork, -errno);
		return;
	}
	if (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		r = ptrace(PTRACE_POKEDATA, pid, addr, (long)s->y << 8 | 1);
		obs(W_RESULT, CALL_POKE, call->ret = r < 0 ? -errno : 0);
		errno = 0;
		r = ptrace(PTRACE_PEEKDATA, pid, addr, 0);
		obs(W_VALUE, s->at, errno ? -errno : r);
		ptrace(PTRACE_DETACH, pid, 0, 0);
	}
	wait_for(pid);
}

static void run_step(unsigned int i, struct fuzz_step *only)
{
	static const unsigned int each_step[] = {
		0, O_MAPS | O_COUNT, O_SMAPS | O_COUNT | O_MINCORE,
		O_SMAPS | O_COUNT | O_MINCORE | O_PAGES,
	};
	struct fuzz_step s;
	unsigned int n;

	if (only)
		s = *only;
	else
		fuzz_decode(shm->seq, i, &head, &s);
	n = clamp(s.at, s.n);
	if (me == MULTI)
		shm->op_count[s.code][0]++;
	switch (s.code) {
	case OP_CHG:
	case OP_CHG_ANON:
		op_chg(&s, s.code == OP_CHG_ANON);
		break;
	case OP_MPROTECT:
		in_parts(&s, part_mprotect);
		break;
	case OP_MMAP: {
		unsigned int kind = s.x & 1 ? head.kind : (s.x >> 1) % fuzz_nr_kinds;

		if (!shm->present[kind])
			kind = head.kind;
		apart = true;
		if ((s.prot & PROT_WRITE) && (fuzz_kinds[kind].flags & MAP_SHARED))
			shm->dirty[me][fuzz_kinds[kind].file] = true;
		same_mmap(s.at, n, s.prot, kind, s.off % FILE_PAGES,
			  (s.y & 7) == 1 ? MAP_NORESERVE : (s.y & 7) == 2 ? MAP_STACK :
			  (s.y & 7) == 3 ? MAP_LOCKED : (s.y & 7) == 4 ? MAP_POPULATE : 0);
		if ((s.y & 7) == 3 || (s.y & 7) == 2)
			marked = true;
		if ((s.y & 7) == 3 || (s.y & 7) == 4)
			touched = true;
		break;
	}
	case OP_MUNMAP:
		same(SYS_munmap, ADDR(s.at), n * PS);
		break;
	case OP_MREMAP:
		op_mremap(&s);
		break;
	case OP_MADVISE:
		op_madvise(&s);
		break;
	case OP_MLOCK:
		op_mlock(&s);
		break;
	case OP_READ:
	case OP_WRITE:
	case OP_EXEC:
		op_access(&s);
		break;
	case OP_FORK:
		if (op_fork(&s)) {
			observe(O_SMAPS | O_PAGES | O_COUNT);
			munmap((void *)WINDOW, WINDOW_PAGES * PS);
			_exit(0);
		}
		break;
	case OP_FILE:
		op_file(&s);
		break;
	case OP_MEM:
		op_mem(&s);
		break;
	case OP_VM:
		op_vm(&s);
		break;
	case OP_COPY:
		op_copy(&s);
		break;
	case OP_NAME:
		marked = true;
		in_parts(&s, part_name);
		break;
	case OP_MSEAL:
		in_parts(&s, part_mseal);
		break;
	case OP_PKEY:
		op_pkey(&s);
		break;
	case OP_MSYNC:
		same(SYS_msync, ADDR(s.at), n * PS,
		     s.x % 3 == 0 ? MS_SYNC : s.x % 3 == 1 ? MS_ASYNC : MS_SYNC | MS_INVALIDATE);
		break;
	case OP_RLIMIT:
		op_rlimit(&s);
		break;
	case OP_UFFD:
		op_uffd(&s);
		break;
	case OP_PTRACE:
		op_ptrace(&s);
		break;
	case OP_OBSERVE:
		observe(s.x);
		break;
	case OP_CLEAR_REFS:
		op_clear_refs(&s);
		break;
	case OP_PERSON:
		if (s.x & 1)
			implied_exec |= same(SYS_personality, READ_IMPLIES_EXEC) >= 0;
		else
			mdwe |= !same(SYS_prctl, 65 /* PR_SET_MDWE */, 1 + (s.y & 1) * 2, 0, 0, 0);
		break;
	case OP_POLICY:
		in_parts(&s, part_policy);
		break;
	case OP_SYSTEM:
		op_system(&s);
		break;
	case NR_OPS:
		break;
	}
	if (me == MULTI) {
		struct fuzz_call *c = out->nr_calls ? &out->calls[out->nr_calls - 1] : NULL;
		unsigned int err = c && c->ret < 0 && c->ret > -200 ? -c->ret : 0;
		uint32_t h = (s.code * 64 + err) * 3 + shm->hint[step_nr].hint;

		if (err)
			shm->op_count[s.code][1]++;
		shm->feature[8192 + h % 8192] = 1;
	}
	if (each_step[head.level] && !only)
		observe(each_step[head.level]);
}

static void run_from(unsigned int i)
{
	unsigned int n = fuzz_nr_steps(shm->len);

	for (; i < n; i++) {
		step_nr = i;
		run_step(i, NULL);
	}
	step_nr = n;
	observe(O_SMAPS | O_COUNT);
	observe(O_PAGES | O_COUNT);
	observe(O_ALL);
	/* Nothing may be left of what was counted. */
	same(SYS_munmap, WINDOW, WINDOW_PAGES * PS);
	obs_counters();
}

/* The layout of a library: what ld.so makes. */
static void library(void)
{
	static const struct { uint8_t at, n, prot, anon, off; } runs[] = {
		{ 0, 1, PROT_READ, 0, 0 }, { 1, 2, PROT_READ | PROT_EXEC, 0, 1 },
		{ 3, 2, PROT_READ, 0, 3 }, { 5, 1, PROT_NONE, 0, 5 },
		{ 6, 1, PROT_READ, 0, 4 }, { 7, 2, PROT_READ | PROT_WRITE, 0, 5 },
		{ 9, 3, PROT_READ | PROT_WRITE, 1, 0 },
	};
	struct fuzz_step s = { .code = OP_CHG, .y = 0 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(runs) && runs[i].at + runs[i].n <= head.pages; i++) {
		s.at = AREA + runs[i].at;
		s.n = runs[i].n;
		s.prot = runs[i].prot;
		s.off = runs[i].off;
		step_nr = FUZZ_MAX_OPS + 1 + i;
		op_chg(&s, runs[i].anon);
	}
}

/* ---- threads ---- */

/* What threads may do beside each other, so that each knows what must come of it. */
#define APART (1u << OP_CHG | 1u << OP_CHG_ANON | 1u << OP_MPROTECT | 1u << OP_MMAP |	\
	       1u << OP_MUNMAP | 1u << OP_MREMAP | 1u << OP_MADVISE | 1u << OP_MLOCK |	\
	       1u << OP_READ | 1u << OP_WRITE | 1u << OP_EXEC | 1u << OP_MEM |		\
	       1u << OP_VM | 1u << OP_COPY | 1u << OP_MSYNC | 1u << OP_FORK)
/* What leaves the second half of each page as the file, or zeroes, have it. */
#define TOGETHER (APART & ~(1u << OP_MEM | 1u << OP_VM | 1u << OP_COPY | 1u << OP_EXEC))

/* In a child of one thread: pages of its own are as they were. */
static void thread_fork(const struct fuzz_step *s)
{
	unsigned int i, n = clamp(s->at, s->n);
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		alarm(shm->timeout);
		for (i = 0; i < n; i++) {
			cpu_read(ADDR(s->at + i));
			cpu_write(ADDR(s->at + i) + 128, i);
			cpu_read(ADDR(s->at + i) + 128);
		}
		_exit(0);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid)
		obs(W_STATUS, 0, status);
}

static void *thread(void *arg)
{
	unsigned int t = (unsigned long)arg, i, n = fuzz_nr_steps(shm->len);
	unsigned int stripe = head.pages / head.threads, first = AREA + t * stripe;
	struct fuzz_step s;

	out = &shm->side[me][1 + t];
	buf = (struct buffers *)BUFFERS + 1 + t;
	mute = head.overlap;
	for (i = t; i < n; i += head.threads) {
		fuzz_decode(shm->seq, i, &head, &s);
		if (!(1u << s.code & (head.overlap ? TOGETHER : APART)))
			continue;
		s.far = 100 + t * 36 + s.off % (36 - 1);
		if (!head.overlap) {
			s.at = first + (s.at - AREA + 4) % stripe;
			if (s.n > first + stripe - s.at)
				s.n = first + stripe - s.at;
			if (s.n > 100 + (t + 1) * 36 - s.far)
				s.far = 100 + t * 36;
		}
		/* It goes on into the page after the range. */
		if (s.code == OP_MEM && s.at + s.n >= first + stripe)
			s.x &= ~1;
		if (s.code == OP_MREMAP && s.x % 8 < 2)
			s.x = 5;
		if (s.code == OP_MLOCK && s.x % 8 > 5)
			s.x = 3;
		s.y &= ~64;		/* process_madvise() names another range */
		if (s.code == OP_MMAP)
			s.x |= 1;
		step_nr = i;
		if (s.code == OP_FORK)
			thread_fork(&s);
		else
			run_step(i, &s);
	}
	return NULL;
}

/* After all threads: are /proc/PID/smaps, the bytes and the faults of one mind? */
static void check_consistent(void)
{
	unsigned int page, i;
	uint64_t want[PS / 8];
	int r, w;

	read_maps(true);
	for (page = 0; page < WINDOW_PAGES; page++) {
		struct entry *e = entry_at(ADDR(page));
		char perms[4] = "----";

		/* Beyond the end of the file. */
		if (e && e->file && e->off / PS + (ADDR(page) - e->start) / PS >= FILE_PAGES)
			continue;
		if (e)
			memcpy(perms, &e->perms, 4);
		r = guarded((void)*(volatile char *)ADDR(page));
		w = guarded(*(volatile char *)(ADDR(page) + 130) = 1);
		if (!e) {
			if (r != (SIGSEGV << 8 | SEGV_MAPERR))
				obs(W_SIGNAL, page, r);
			continue;
		}
		if (perms[0] == '-' && perms[1] == '-' && perms[2] == '-' && !r)
			obs(W_SIGNAL, page, r);
		/* User-mode Linux does not read what is PROT_WRITE alone. */
		if (perms[0] == 'r' && r)
			obs(W_SIGNAL, page, r);
		if ((perms[1] == 'w') != !w)
			obs(W_SIGNAL, page, 0x10000 | w);
		if (pread(proc(PROC_MEM), bytes, PS, ADDR(page)) != (ssize_t)PS) {
			obs(W_PAGE, page, 0);
			continue;
		}
		memset(want, 0, sizeof(want));
		if (e->file && e->file < NR_FILES + 1)
			fill_page((char *)want, (e->off + ADDR(page) - e->start) / PS);
		for (i = 128; i < PS / 8; i++)
			/* MADV_REMOVE leaves zeroes. */
			if (((uint64_t *)bytes)[i] != want[i] && ((uint64_t *)bytes)[i])
				break;
		if (i < PS / 8)
			obs(W_PAGE, page, ((uint64_t *)bytes)[i]);
	}
}

static void run_threads(void)
{
	pthread_t threads[FUZZ_MAX_THREADS];
	unsigned int i;

	/* Nothing that depends on what the others do at the same time. */
	touched = marked = reclaimed = true;
	head.level = 0;
	for (i = 0; i < NR_PROC; i++)
		proc(i);
	if (!head.overlap || me == MULTI) {
		for (i = 0; i < head.threads; i++)
			if (pthread_create(&threads[i], NULL, thread, (void *)(unsigned long)i))
				die("pthread_create");
		for (i = 0; i < head.threads; i++)
			pthread_join(threads[i], NULL);
	}
	step_nr = fuzz_nr_steps(shm->len);
	if (head.overlap) {
		if (me == MULTI)
			check_consistent();
		obs(W_END, 0, 0);
		munmap((void *)WINDOW, WINDOW_PAGES * PS);
		return;
	}
	observe(O_SMAPS | O_COUNT);
	observe(O_ALL & ~O_MINCORE);
	same(SYS_munmap, WINDOW, WINDOW_PAGES * PS);
	obs_counters();
}

static void run_sequence(void)
{
	int more = 0;

	alarm(shm->timeout);
	fuzz_decode_head(shm->seq, shm->len, &head);
	if (!shm->present[head.kind])
		head.kind = 0;
	if (head.mode == MODE_IMPLICIT)
		prctl(PR_SET_MANYPROTS, me == MULTI ? 2 : 0, 0, 0, 0);
	if (head.flags & HEAD_NORESERVE)
		more |= MAP_NORESERVE;
	/* Implies MADV_NOHUGEPAGE. */
	if (head.flags & HEAD_STACK)
		more |= MAP_STACK, marked = true;
	if (head.flags & HEAD_LOCKED)
		more |= MAP_LOCKED, touched = marked = true;
	step_nr = FUZZ_MAX_OPS;
	same_mmap(AREA, head.pages, head.prot, head.kind, 0, more);
	if ((fuzz_kinds[head.kind].flags & MAP_SHARED))
		shm->dirty[me][fuzz_kinds[head.kind].file] = true;
	if (head.flags & HEAD_LIBRARY)
		library();
	if (head.mode == MODE_THREADS)
		run_threads();
	else
		run_from(0);
}

/* ---- the process that has a child for each sequence ---- */

#define KCOV_INIT_TRACE _IOR('c', 1, unsigned long)
#define KCOV_ENABLE _IO('c', 100)
#define KCOV_ENTRIES (64 << 10)

static int kcov_fd = -1;
static unsigned long *kcov;

static void kcov_open(void)
{
	if (me != MULTI)
		return;
	kcov_fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (kcov_fd < 0)
		return;
	if (ioctl(kcov_fd, KCOV_INIT_TRACE, KCOV_ENTRIES)) {
		close(kcov_fd);
		kcov_fd = -1;
		return;
	}
	kcov = mmap(NULL, KCOV_ENTRIES * sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED,
		    kcov_fd, 0);
	if (kcov == MAP_FAILED)
		die("kcov");
	shm->kcov = 1;
}

static void kcov_collect(void)
{
	unsigned long i, n, was = 0;

	if (kcov_fd < 0)
		return;
	n = __atomic_load_n(&kcov[0], __ATOMIC_RELAXED);
	for (i = 0; i < n; i++) {
		unsigned long h = (kcov[i + 1] ^ was >> 1) * 0x9e3779b97f4a7c15UL >> 51;

		if (shm->feature[h] < 255)
			shm->feature[h]++;
		was = kcov[i + 1];
	}
}

static long committed(void)
{
	static int fd = -1;
	ssize_t n;
	char *p;

	if (fd < 0)
		fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	n = pread(fd, text, (1UL << 17) - 1, 0);
	text[n > 0 ? n : 0] = 0;
	p = strstr(text, "Committed_AS:");
	return p ? kb(p) : 0;
}

static void probe(void)
{
	unsigned int i;

	shm->chgprot = !syscall(SYS_remap_file_pages, 0, 0, 0, 0, MAP_CHGPROT);
	shm->implicit = !prctl(PR_SET_MANYPROTS, -1, 0, 0, 0);
	for (i = 0; i < fuzz_nr_kinds; i++) {
		int prot = PROT_READ;
		void *p;

		shm->present[i] = 0;
		if (fuzz_kinds[i].file && mmap_fd(i) < 0)
			continue;
		p = mmap((void *)ADDR(AREA), 4 * PS, prot, mmap_flags(i, false), mmap_fd(i), 0);
		if (p == MAP_FAILED)
			continue;
		shm->present[i] = 1;
		shm->eligible[i] = !syscall(SYS_remap_file_pages, p, PS, PROT_NONE, 0,
					    MAP_CHGPROT);
		munmap(p, 4 * PS);
	}
}

/* Does stock leave VMAs of FILE_LOWER apart if one would have to go? */
static bool lower_stays_apart(void)
{
	char *p = (char *)ADDR(AREA);

	if (files[FILE_LOWER] < 0)
		return false;
	if (mmap(p, 3 * PS, PROT_READ, MAP_PRIVATE | MAP_FIXED, files[FILE_LOWER], 0) != p ||
	    mprotect(p + PS, PS, PROT_NONE) || mprotect(p + PS, PS, PROT_READ))
		die("probe");
	read_maps(false);
	munmap(p, 3 * PS);
	return nr_entries > 1;
}

/* Limits on locked memory count for root, too. */
static void drop_ipc_lock(void)
{
	struct __user_cap_header_struct hdr = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &hdr, data))
		return;
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	data[0].permitted &= ~(1u << CAP_IPC_LOCK);
	data[0].inheritable = data[1].inheritable = 0;
	syscall(SYS_capset, &hdr, data);
}

static void grow_stack(void)
{
	volatile char stack[64 << 10];
	size_t i;

	for (i = 0; i < sizeof(stack); i += 1024)
		stack[i] = 0;
}

static bool on_user_mode_linux(void)
{
	int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, (1UL << 17) - 1);

	close(fd);
	text[n > 0 ? n : 0] = 0;
	return strstr(text, "User Mode Linux");
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct rlimit core = { 0, 0 };
	char command;
	int i;

	if (argc != 2)
		return 2;
	me = strcmp(argv[1], "multi") ? EQUIV : MULTI;
	if (mmap((void *)SHM_ADDRESS, sizeof(*shm), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED_NOREPLACE, 3, 0) != (void *)SHM_ADDRESS)
		die("shared memory");
	if (mmap(buf, BUFFERS_SIZE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)buf)
		die("buffers");
	close(3);
	out = &shm->side[me][0];
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGILL, &sa, NULL);
	sigaction(SIGTRAP, &sa, NULL);
	setrlimit(RLIMIT_CORE, &core);
	lax = on_user_mode_linux();
	drop_ipc_lock();
	grow_stack();
	for (i = 0; i < NR_FILES; i++) {
		files[i] = open_file(i);
		if (files[i] >= 0)
			fstat(files[i], &file_stat[i]);
		shm->fd[me][i] = files[i];
	}
	if (me == MULTI)
		probe();
	lower_closes = lower_stays_apart();
	kcov_open();
	if (write(1, "r", 1) != 1)
		return 1;
	while (read(0, &command, 1) == 1) {
		long before;
		int status;
		pid_t pid;

		for (i = 0; i <= FUZZ_MAX_THREADS; i++)
			shm->side[me][i].nr_obs = shm->side[me][i].nr_calls = 0;
		before = committed();
		pid = fork();
		if (!pid) {
			if (kcov_fd >= 0) {
				__atomic_store_n(&kcov[0], 0, __ATOMIC_RELAXED);
				if (ioctl(kcov_fd, KCOV_ENABLE, 0))
					die("kcov");
			}
			run_sequence();
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			die("fork");
		kcov_collect();
		step_nr = FUZZ_MAX_OPS + 20;
		/* Pages of tmpfs are charged as well: first as it was. */
		for (i = 1; i < NR_FILES; i++)
			if (shm->dirty[me][i] && i != FILE_LOWER && i != FILE_READONLY &&
			    files[i] >= 0) {
				fill_file(files[i]);
				shm->dirty[me][i] = false;
			}
		obs(W_STATUS, 0, status);
		obs(W_COMMIT, 0, committed() - before);
		if (write(1, "d", 1) != 1)
			break;
	}
	return 0;
}
