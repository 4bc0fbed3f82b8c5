// SPDX-License-Identifier: GPL-2.0
/*
 * vmas - count libraries, VMAs and maps lines of processes, and the slab
 * memory that VMAs cost
 *
 * On a kernel without multi-protection VMAs every line of /proc/PID/maps is
 * a VMA.  On one with them maps shows a line for each run, and smaps marks
 * those that continue a VMA ("mc" in VmFlags); the true number of VMAs is
 * "VmaCount:" in /proc/PID/status.
 *
 * A library is an ELF image that is neither the main program nor the program
 * interpreter (the kernel maps those two), found by looking for the loadable
 * segments of the file at their places in the address space, so that a file
 * which a linker or a debugger merely reads through mmap() is not one.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AT_FLAGS_MANYPROTS	(1UL << 1)

#define EXIT_PARTIAL	1	/* some process could not be read */
#define EXIT_USAGE	2
#define EXIT_SELF	125	/* as timeout(1), nice(1), env(1): own failure, */
#define EXIT_NOEXEC	126	/* not executable, */
#define EXIT_NOENT	127	/* not found */

#define MAX_SEGMENTS	64

struct buf {
	char *p;
	size_t len, size;
};

/* One line of maps: a VMA on a stock kernel, else a run of one. */
struct entry {
	uint64_t start, end, offset, ino;
	unsigned int major, minor;
	bool read, write, exec, shared;
	bool mp;		/* in a multi-protection VMA */
	bool mc;		/* continues the VMA of the line before */
	const char *path;	/* "" if there is none; lives in proc.text */
};

struct segment {
	uint64_t vaddr, filesz, memsz, offset;
	bool exec;
};

struct elf {
	bool ok;
	unsigned int type;	/* ET_* */
	unsigned int nr;
	struct segment seg[MAX_SEGMENTS];
};

struct elf_cache {
	uint64_t ino;
	unsigned int major, minor;
	char *path;
	struct elf elf;
};

enum kind { KIND_LIBRARY, KIND_PROGRAM, KIND_LOADER };

static const char * const kind_name[] = { "library", "program", "loader" };

struct image {
	enum kind kind;
	const char *path;
	uint64_t start, end;
	unsigned int vmas, lines;
	bool mp;		/* some part is in a multi-protection VMA */
	char *reason;		/* why it is not one VMA, NULL if it is */
};

struct proc {
	pid_t pid;
	char comm[128];
	char exe[PATH_MAX];
	char *text;		/* of smaps or maps; the entries point into it */
	struct entry *entries;
	size_t nr_entries;
	struct image *images;
	size_t nr_images;
	bool have_vmacount;	/* the kernel has multi-protection VMAs */
	bool have_flags;	/* read from smaps: mp and mc are known */
	bool have_auxv, at_flag;
	uint64_t at_base;
	long vmas, lines, vsyscall;
	long libraries, library_vmas, library_lines, split;
	long peak_vmas, peak_lines;	/* -1: not sampled */
};

struct cache {
	char name[64];
	uint64_t active, objects, objsize, slabs, pages_per_slab;
	bool merged;
};

#define MAX_CACHES 128

struct slab {
	int error;		/* errno of reading slabinfo, 0 if read */
	size_t nr;
	struct cache cache[MAX_CACHES];
};

static const char * const cache_names[] = {
	"vm_area_struct", "vma_lock", "anon_vma", "anon_vma_chain",
	"maple_node",
};

#define RUN_CACHES "vma_run"

static const char *proc_dir = "/proc";
static const char *sys_dir = "/sys";
static const char *command_output;	/* -o */
static bool opt_json, opt_split, opt_libraries, opt_exact, opt_slab = true;
static long page_size;
static struct elf_cache *elf_cache;
static size_t nr_elf_cache;

static void __attribute__((format(printf, 2, 3), noreturn))
die(int status, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("vmas: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

static void __attribute__((format(printf, 1, 2))) warn(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("vmas: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static void *xrealloc(void *p, size_t nr, size_t size)
{
	p = reallocarray(p, nr, size);
	if (!p)
		die(EXIT_SELF, "out of memory");
	return p;
}

static char *xstrdup(const char *s)
{
	char *p = strdup(s);

	if (!p)
		die(EXIT_SELF, "out of memory");
	return p;
}

static void __attribute__((format(printf, 2, 3)))
append(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (b->len + n + 1 > b->size) {
		b->size = (b->len + n + 1) * 2;
		b->p = xrealloc(b->p, b->size, 1);
	}
	va_start(ap, fmt);
	vsnprintf(b->p + b->len, n + 1, fmt, ap);
	va_end(ap);
	b->len += n;
}

/*
 * Whole file into memory, with a zero byte behind.  A /proc file has to be
 * read until it ends: its size is not known before.  Returns 0 or -errno.
 */
static int read_file(const char *path, struct buf *b)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	ssize_t n;

	b->len = 0;
	if (fd < 0)
		return -errno;
	for (;;) {
		if (b->size - b->len < 65536) {
			b->size = b->size * 2 + 131072;
			b->p = xrealloc(b->p, b->size, 1);
		}
		n = read(fd, b->p + b->len, b->size - b->len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		b->len += n;
	}
	err = n < 0 ? -errno : 0;
	close(fd);
	b->p[b->len] = '\0';
	return err;
}

static int __attribute__((format(printf, 2, 3)))
read_proc(struct buf *b, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;
	int n;

	n = snprintf(path, sizeof(path), "%s/", proc_dir);
	va_start(ap, fmt);
	n += vsnprintf(path + n, sizeof(path) - n, fmt, ap);
	va_end(ap);
	if ((size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	return read_file(path, b);
}

/* ELF headers */

static uint64_t page_down(uint64_t x)
{
	return x & ~(uint64_t)(page_size - 1);
}

static uint64_t page_up(uint64_t x)
{
	return page_down(x + page_size - 1);
}

static void add_segment(struct elf *elf, uint64_t vaddr, uint64_t offset,
			uint64_t filesz, uint64_t memsz, uint32_t flags)
{
	struct segment *s;

	/* An empty one takes no place in memory. */
	if (!memsz || elf->nr == MAX_SEGMENTS)
		return;
	s = &elf->seg[elf->nr++];
	s->vaddr = vaddr;
	s->offset = offset;
	s->filesz = filesz;
	s->memsz = memsz;
	s->exec = flags & PF_X;
}

/* Only files of this machine's byte order can be mapped as images. */
static void read_elf(int fd, struct elf *elf)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf32_Ehdr h32;
		Elf64_Ehdr h64;
	} h;
	unsigned int i, nr;

	elf->ok = false;
	elf->nr = 0;
	if (pread(fd, &h, sizeof(h), 0) < (ssize_t)sizeof(h.h32) ||
	    memcmp(h.ident, ELFMAG, SELFMAG))
		return;
	if (h.ident[EI_CLASS] == ELFCLASS64) {
		Elf64_Phdr ph;

		elf->type = h.h64.e_type;
		nr = h.h64.e_phnum;
		if (h.h64.e_phentsize != sizeof(ph))
			return;
		for (i = 0; i < nr; i++) {
			if (pread(fd, &ph, sizeof(ph), h.h64.e_phoff +
				  i * sizeof(ph)) != sizeof(ph))
				return;
			if (ph.p_type == PT_LOAD)
				add_segment(elf, ph.p_vaddr, ph.p_offset,
					    ph.p_filesz, ph.p_memsz,
					    ph.p_flags);
		}
	} else if (h.ident[EI_CLASS] == ELFCLASS32) {
		Elf32_Phdr ph;

		elf->type = h.h32.e_type;
		nr = h.h32.e_phnum;
		if (h.h32.e_phentsize != sizeof(ph))
			return;
		for (i = 0; i < nr; i++) {
			if (pread(fd, &ph, sizeof(ph), h.h32.e_phoff +
				  i * sizeof(ph)) != sizeof(ph))
				return;
			if (ph.p_type == PT_LOAD)
				add_segment(elf, ph.p_vaddr, ph.p_offset,
					    ph.p_filesz, ph.p_memsz,
					    ph.p_flags);
		}
	}
	elf->ok = elf->nr && (elf->type == ET_DYN || elf->type == ET_EXEC);
}

/* maps writes a newline as \012 */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (!strncmp(s, "\\012", 4)) {
			*to++ = '\n';
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/*
 * The file behind a mapping, by its name as the process sees it.  The name
 * may be stale (an upgraded library: " (deleted)"), so the file itself is
 * tried first; /proc/PID/map_files needs CAP_CHECKPOINT_RESTORE.
 */
static int open_mapped(const struct proc *p, const struct entry *e)
{
	char path[PATH_MAX + 64], *name;
	int fd;

	snprintf(path, sizeof(path), "%s/%d/map_files/%" PRIx64 "-%" PRIx64,
		 proc_dir, p->pid, e->start, e->end);
	/* A name may lead to anything: never wait for a FIFO or a tape. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0)
		return fd;
	if (snprintf(path, sizeof(path), "%s/%d/root%s", proc_dir, p->pid,
		     e->path) >= (int)sizeof(path))
		return -1;
	name = path + strlen(path) - strlen(e->path);
	unescape(name);
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static struct elf *elf_of(const struct proc *p, const struct entry *e)
{
	struct elf_cache *c;
	struct stat st;
	size_t i;
	int fd;

	for (i = 0; i < nr_elf_cache; i++) {
		c = &elf_cache[i];
		if (c->ino == e->ino && c->major == e->major &&
		    c->minor == e->minor && !strcmp(c->path, e->path))
			return &c->elf;
	}
	elf_cache = xrealloc(elf_cache, nr_elf_cache + 1, sizeof(*elf_cache));
	c = &elf_cache[nr_elf_cache++];
	memset(c, 0, sizeof(*c));
	c->ino = e->ino;
	c->major = e->major;
	c->minor = e->minor;
	c->path = xstrdup(e->path);
	fd = open_mapped(p, e);
	if (fd >= 0) {
		if (!fstat(fd, &st) && S_ISREG(st.st_mode))
			read_elf(fd, &c->elf);
		close(fd);
	}
	return &c->elf;
}

/* maps and smaps */

/* Cuts the next line off; returns NULL at the end. */
static char *next_line(char **p)
{
	char *line = *p, *nl;

	if (!*line)
		return NULL;
	nl = strchr(line, '\n');
	if (nl) {
		*nl = '\0';
		*p = nl + 1;
	} else {
		*p = line + strlen(line);
	}
	return line;
}

static bool parse_entry(char *line, struct entry *e)
{
	char perm[5];
	int n = 0;

	memset(e, 0, sizeof(*e));
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %"
		   SCNu64 "%n", &e->start, &e->end, perm, &e->offset,
		   &e->major, &e->minor, &e->ino, &n) != 7 || !n)
		return false;
	e->read = perm[0] == 'r';
	e->write = perm[1] == 'w';
	e->exec = perm[2] == 'x';
	e->shared = perm[3] == 's';
	for (line += n; *line == ' '; line++)
		;
	e->path = line;
	return true;
}

static void parse_flags(const char *s, struct entry *e)
{
	while (*s) {
		while (*s == ' ')
			s++;
		if (!strncmp(s, "mp", 2) && (!s[2] || s[2] == ' '))
			e->mp = true;
		if (!strncmp(s, "mc", 2) && (!s[2] || s[2] == ' '))
			e->mc = true;
		while (*s && *s != ' ')
			s++;
	}
}

/* The gate page of x86_64 has a line, but is no VMA of the process. */
static bool is_gate(const struct entry *e)
{
	return !strcmp(e->path, "[vsyscall]");
}

static int read_entries(struct proc *p)
{
	size_t room = 0;
	struct buf b = {};
	struct entry e;
	char *pos, *line;
	int err;

	p->have_flags = true;
	err = read_proc(&b, "%d/smaps", p->pid);
	if (err == -ENOENT) {
		/* a kernel without CONFIG_PROC_PAGE_MONITOR, or no process */
		p->have_flags = false;
		err = read_proc(&b, "%d/maps", p->pid);
	}
	if (err) {
		free(b.p);
		return err;
	}
	p->text = b.p;
	pos = b.p;
	while ((line = next_line(&pos))) {
		if (!strncmp(line, "VmFlags:", 8)) {
			if (p->nr_entries)
				parse_flags(line + 8,
					    &p->entries[p->nr_entries - 1]);
			continue;
		}
		/* "Rss:" and the like do not parse; "a-b r-xp ..." does */
		if (!isxdigit((unsigned char)*line) || !parse_entry(line, &e))
			continue;
		if (p->nr_entries == room) {
			room = room * 2 + 256;
			p->entries = xrealloc(p->entries, room,
					      sizeof(*p->entries));
		}
		p->entries[p->nr_entries++] = e;
	}
	return 0;
}

static bool status_field(const char *status, const char *name, long *value)
{
	size_t len = strlen(name);
	const char *s = status;

	for (; s; s = strchr(s, '\n'), s = s ? s + 1 : NULL)
		if (!strncmp(s, name, len) && s[len] == ':')
			return sscanf(s + len + 1, "%ld", value) == 1;
	return false;
}

static void read_status(struct proc *p, const char *status)
{
	const char *s = status;

	if (!strncmp(s, "Name:", 5)) {
		s += 5;
		while (*s == '\t' || *s == ' ')
			s++;
		snprintf(p->comm, sizeof(p->comm), "%.*s",
			 (int)strcspn(s, "\n"), s);
	}
	p->have_vmacount = status_field(status, "VmaCount", &p->vmas);
}

static void read_auxv(struct proc *p)
{
	struct elf_auxv { unsigned long type, value; } *a;
	struct buf b = {};
	size_t i;

	if (!read_proc(&b, "%d/auxv", p->pid) && b.len >= sizeof(*a)) {
		p->have_auxv = true;
		a = (struct elf_auxv *)b.p;
		for (i = 0; i < b.len / sizeof(*a); i++) {
			if (a[i].type == AT_BASE)
				p->at_base = a[i].value;
			if (a[i].type == AT_FLAGS)
				p->at_flag = a[i].value & AT_FLAGS_MANYPROTS;
		}
	}
	free(b.p);
}

/* Images */

static bool same_file(const struct entry *a, const struct entry *b)
{
	return a->ino == b->ino && a->major == b->major &&
	       a->minor == b->minor && !strcmp(a->path, b->path);
}

static const struct entry *entry_at(const struct proc *p, uint64_t addr)
{
	size_t lo = 0, hi = p->nr_entries;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (p->entries[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < p->nr_entries && p->entries[lo].start <= addr)
		return &p->entries[lo];
	return NULL;
}

/*
 * Is an image of this file mapped so that @e shows its first segment?  Then
 * every segment that has bytes in the file is at its place, and something is
 * executable if the file says so.
 */
static bool image_at(const struct proc *p, const struct entry *e,
		     const struct elf *elf, uint64_t *start, uint64_t *end)
{
	const struct segment *first = &elf->seg[0], *last;
	bool want_exec = false, exec = false;
	const struct entry *at;
	uint64_t bias, addr;
	unsigned int i;

	if (!elf->ok || e->shared || page_down(first->offset) != e->offset)
		return false;
	bias = e->start - page_down(first->vaddr);
	for (i = 0; i < elf->nr; i++) {
		const struct segment *s = &elf->seg[i];

		if (!s->filesz)
			continue;
		addr = page_down(bias + s->vaddr);
		at = entry_at(p, addr);
		if (!at || !same_file(at, e) ||
		    at->offset + (addr - at->start) != page_down(s->offset))
			return false;
		want_exec |= s->exec;
		exec |= at->exec;
	}
	if (want_exec && !exec)
		return false;
	last = &elf->seg[elf->nr - 1];
	*start = e->start;
	*end = page_up(bias + last->vaddr + last->memsz);
	return true;
}

/*
 * Without the headers (file gone, another user's mount namespace) go by the
 * name: neighbouring lines of a file called *.so*, one of them executable.
 * A bss behind it cannot be told from other anonymous memory.
 */
static bool image_by_name(const struct proc *p, size_t i, uint64_t *start,
			  uint64_t *end)
{
	const struct entry *e = &p->entries[i];
	const char *base = strrchr(e->path, '/');
	bool exec = false;
	size_t j;

	if (!base || e->shared || e->offset ||
	    !strstr(base, ".so"))
		return false;
	for (j = i; j < p->nr_entries; j++) {
		const struct entry *f = &p->entries[j];

		if (!same_file(e, f) || f->start < e->start ||
		    (j > i && f->offset == 0 && f->exec == e->exec &&
		     f->start != p->entries[j - 1].end))
			break;
		exec |= f->exec;
		*end = f->end;
	}
	*start = e->start;
	return exec;
}

/* The type of the filesystem that @e's file is on, "" if it cannot be told. */
static void fs_type(const struct proc *p, const struct entry *e, char *type,
		    size_t size)
{
	struct buf b = {};
	char *pos, *line, *dash;
	unsigned int major, minor;

	*type = '\0';
	if (!read_proc(&b, "%d/mountinfo", p->pid)) {
		pos = b.p;
		while ((line = next_line(&pos))) {
			if (sscanf(line, "%*d %*d %u:%u", &major, &minor) != 2 ||
			    major != e->major || minor != e->minor)
				continue;
			dash = strstr(line, " - ");
			if (dash)
				snprintf(type, size, "%.*s",
					 (int)strcspn(dash + 3, " "), dash + 3);
			break;
		}
	}
	free(b.p);
}

static void append_size(struct buf *b, uint64_t bytes)
{
	append(b, "%" PRIu64 " KiB", bytes >> 10);
}

/* What each VMA of the image after its first one holds. */
static void describe_pieces(const struct proc *p, const struct image *im,
			    struct buf *b)
{
	const struct entry *e = p->entries, *stop = e + p->nr_entries;
	uint64_t pos = im->start;
	bool first = true;

	for (; e < stop && e->start < im->end; e++) {
		if (e->end <= im->start)
			continue;
		if (e->start > pos) {
			append(b, "%sunmapped hole of ", b->len ? "; " : "");
			append_size(b, e->start - pos);
			append(b, " at +0x%" PRIx64, pos - im->start);
		}
		pos = e->end;
		if (first || e->mc) {
			first = false;
			continue;
		}
		append(b, "%sown VMA for ", b->len ? "; " : "");
		if (e->path[0] == '/' && !strcmp(e->path, im->path))
			append(b, "file offset 0x%" PRIx64, e->offset);
		else if (e->path[0] == '/')
			append(b, "another file, %s", e->path);
		else if (!e->read && !e->write && !e->exec)
			append(b, "a hole");
		else
			append(b, "bss");
		append(b, " %c%c%c at +0x%" PRIx64 " (", e->read ? 'r' : '-',
		       e->write ? 'w' : '-', e->exec ? 'x' : '-',
		       e->start - im->start);
		append_size(b, e->end - e->start);
		append(b, ")%s", e->mp ? "" : ", not multi-protection");
	}
}

/* As far as the outside shows it, why an image takes several VMAs. */
static char *reason(const struct proc *p, const struct image *im, bool any_mp)
{
	const struct entry *e = entry_at(p, im->start);
	struct buf b = {};
	char type[64] = "";

	if (im->kind == KIND_PROGRAM) {
		append(&b, "main program: mapped by the kernel at exec");
	} else if (im->kind == KIND_LOADER) {
		append(&b, "program interpreter: mapped by the kernel at exec");
	} else if (!p->have_vmacount) {
		append(&b, "the kernel has no multi-protection VMAs");
	} else if (p->have_auxv && !p->at_flag) {
		append(&b, "multi-protection VMAs are off for this process");
	} else if (!any_mp) {
		append(&b, "ld.so did not ask: it lacks the feature, or glibc.mem.manyprots=0");
	} else if (!im->mp) {
		if (e)
			fs_type(p, e, type, sizeof(type));
		append(&b, "not mapped by ld.so, or refused by the kernel%s%s",
		       *type ? ", filesystem " : "", type);
	} else {
		describe_pieces(p, im, &b);
		if (!b.len)
			append(&b, "unknown");
	}
	return b.p;
}

static bool is_program(const struct proc *p, const struct entry *e)
{
	return *p->exe && !strcmp(p->exe, e->path);
}

static void count_image(const struct proc *p, struct image *im)
{
	const struct entry *e = p->entries, *stop = e + p->nr_entries;

	for (; e < stop && e->start < im->end; e++) {
		if (e->end <= im->start)
			continue;
		if (!im->lines || !e->mc)
			im->vmas++;
		im->lines++;
		im->mp |= e->mp;
	}
}

static void find_images(struct proc *p)
{
	bool any_mp = false;
	uint64_t done = 0;
	size_t i;

	for (i = 0; i < p->nr_entries; i++) {
		const struct entry *e = &p->entries[i];
		struct image im = {};
		const struct elf *elf;

		if (e->start < done || e->path[0] != '/' || !e->ino)
			continue;
		elf = elf_of(p, e);
		if (!image_at(p, e, elf, &im.start, &im.end) &&
		    (elf->ok || !image_by_name(p, i, &im.start, &im.end)))
			continue;
		done = im.end;
		im.path = e->path;
		im.kind = KIND_LIBRARY;
		if (is_program(p, e))
			im.kind = KIND_PROGRAM;
		else if (p->at_base && p->at_base >= im.start &&
			 p->at_base < im.end)
			im.kind = KIND_LOADER;
		count_image(p, &im);
		if (im.kind == KIND_LIBRARY)
			any_mp |= im.mp;
		p->images = xrealloc(p->images, p->nr_images + 1,
				     sizeof(*p->images));
		p->images[p->nr_images++] = im;
	}
	for (i = 0; i < p->nr_images; i++) {
		struct image *im = &p->images[i];

		if (im->vmas > 1)
			im->reason = reason(p, im, any_mp);
		if (im->kind != KIND_LIBRARY)
			continue;
		p->libraries++;
		p->library_vmas += im->vmas;
		p->library_lines += im->lines;
		p->split += im->vmas > 1;
	}
}

static void free_proc(struct proc *p)
{
	size_t i;

	for (i = 0; i < p->nr_images; i++)
		free(p->images[i].reason);
	free(p->images);
	free(p->entries);
	free(p->text);
	memset(p, 0, sizeof(*p));
}

/*
 * Reads everything about one process.  Returns 0, or -errno: -ESRCH if it
 * is gone or has no address space (kernel thread, zombie).
 */
static int read_process(pid_t pid, struct proc *p)
{
	struct buf status = {};
	char path[PATH_MAX];
	ssize_t n;
	size_t i;
	int err;

	memset(p, 0, sizeof(*p));
	p->pid = pid;
	p->peak_vmas = -1;
	p->peak_lines = -1;
	snprintf(path, sizeof(path), "%s/%d/exe", proc_dir, pid);
	n = readlink(path, p->exe, sizeof(p->exe) - 1);
	p->exe[n > 0 ? n : 0] = '\0';
	read_auxv(p);
	err = read_entries(p);
	if (err)
		goto fail;
	/* The lines first and the count directly after: a race shows least. */
	err = read_proc(&status, "%d/status", pid);
	if (err)
		goto fail;
	read_status(p, status.p);
	free(status.p);
	status.p = NULL;
	if (!p->nr_entries) {
		err = -ESRCH;
		goto fail;
	}
	p->lines = p->nr_entries;
	for (i = 0; i < p->nr_entries; i++)
		p->vsyscall += is_gate(&p->entries[i]);
	if (!p->have_vmacount)
		p->vmas = p->lines - p->vsyscall;
	find_images(p);
	return 0;
fail:
	free(status.p);
	free_proc(p);
	/* vanished between two reads */
	return err == -ENOENT ? -ESRCH : err;
}

/* Without smaps the runs of a VMA cannot be told from VMAs. */
static bool libraries_known(const struct proc *p)
{
	return p->have_flags || !p->have_vmacount ||
	       p->vmas == p->lines - p->vsyscall;
}

/* The number of VMAs and of lines only, as cheap as it can be had. */
static void sample_peak(pid_t pid, long *peak_vmas, long *peak_lines)
{
	static struct buf maps, status;
	long vmas, lines = 0, gate;
	char *s;

	if (read_proc(&maps, "%d/maps", pid) || !maps.len ||
	    read_proc(&status, "%d/status", pid))
		return;
	for (s = maps.p; (s = strchr(s, '\n')); s++)
		lines++;
	gate = strstr(maps.p, "[vsyscall]\n") ? 1 : 0;
	if (!status_field(status.p, "VmaCount", &vmas))
		vmas = lines - gate;
	if (vmas > *peak_vmas)
		*peak_vmas = vmas;
	if (lines > *peak_lines)
		*peak_lines = lines;
}

/* Slab */

/*
 * SLUB may let one cache serve several names (slab_merge): then the others
 * are missing in slabinfo and the one shown counts foreign objects too.
 */
static bool is_merged(const char *name)
{
	char path[PATH_MAX];
	struct buf b = {};
	bool merged;

	snprintf(path, sizeof(path), "%s/kernel/slab/%s/aliases", sys_dir,
		 name);
	merged = !read_file(path, &b) && b.len && atol(b.p) > 0;
	free(b.p);
	return merged;
}

static bool in_sysfs(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/kernel/slab/%s", sys_dir, name);
	return !access(path, F_OK);
}

/*
 * SLUB counts every object of a slab that a CPU holds as in use.  Shrinking
 * a cache takes its slabs from the CPUs and frees the empty ones, after which
 * the numbers are exact.
 */
static void shrink(const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/kernel/slab/%s/shrink", sys_dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		die(EXIT_SELF, "--exact: cannot write %s: %s", path,
		    strerror(errno));
	close(fd);
}

static void shrink_all(void)
{
	char path[PATH_MAX];
	struct dirent *de;
	size_t i;
	DIR *d;

	for (i = 0; i < sizeof(cache_names) / sizeof(*cache_names); i++)
		if (in_sysfs(cache_names[i]))
			shrink(cache_names[i]);
	snprintf(path, sizeof(path), "%s/kernel/slab", sys_dir);
	d = opendir(path);
	if (!d)
		die(EXIT_SELF, "--exact: cannot read %s: %s", path,
		    strerror(errno));
	while ((de = readdir(d)))
		if (!strncmp(de->d_name, RUN_CACHES, strlen(RUN_CACHES)))
			shrink(de->d_name);
	closedir(d);
}

static void read_slab(struct slab *slab)
{
	struct buf b = {};
	char *pos, *line;
	size_t i;

	memset(slab, 0, sizeof(*slab));
	/*
	 * VMAs are freed after an RCU grace period, by a callback that may run
	 * a little later: let those of processes that just ended go.  Where
	 * the kernel lacks the call, numbers are noisier.
	 */
	for (i = 0; i < 2; i++)
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	if (opt_exact)
		shrink_all();
	slab->error = -read_proc(&b, "slabinfo");
	if (slab->error) {
		free(b.p);
		return;
	}
	pos = b.p;
	while ((line = next_line(&pos))) {
		struct cache c = {};
		const char *data = strstr(line, ": slabdata ");
		bool ours = false;

		if (!data || *line == '#' ||
		    sscanf(line, "%63s %" SCNu64 " %" SCNu64 " %" SCNu64
			   " %*u %" SCNu64, c.name, &c.active, &c.objects,
			   &c.objsize, &c.pages_per_slab) != 5 ||
		    sscanf(data, ": slabdata %*u %" SCNu64, &c.slabs) != 1)
			continue;
		for (i = 0; i < sizeof(cache_names) / sizeof(*cache_names); i++)
			ours |= !strcmp(c.name, cache_names[i]);
		if (!ours && strncmp(c.name, RUN_CACHES, strlen(RUN_CACHES)))
			continue;
		c.merged = is_merged(c.name);
		if (slab->nr == MAX_CACHES)
			die(EXIT_SELF, "%s/slabinfo: too many caches",
			    proc_dir);
		slab->cache[slab->nr++] = c;
	}
	free(b.p);
	for (i = 0; i < sizeof(cache_names) / sizeof(*cache_names); i++) {
		size_t j;

		for (j = 0; j < slab->nr; j++)
			if (!strcmp(slab->cache[j].name, cache_names[i]))
				break;
		if (j == slab->nr && in_sysfs(cache_names[i]) &&
		    slab->nr < MAX_CACHES) {
			struct cache *c = &slab->cache[slab->nr++];

			snprintf(c->name, sizeof(c->name), "%s",
				 cache_names[i]);
			c->merged = true;
		}
	}
}

static uint64_t active_bytes(const struct cache *c)
{
	return c->active * c->objsize;
}

static uint64_t slab_bytes(const struct cache *c)
{
	return c->slabs * c->pages_per_slab * page_size;
}

static void slab_sum(const struct slab *s, uint64_t *active, uint64_t *bytes)
{
	size_t i;

	*active = *bytes = 0;
	for (i = 0; i < s->nr; i++) {
		*active += active_bytes(&s->cache[i]);
		*bytes += slab_bytes(&s->cache[i]);
	}
}

static const struct cache *find_cache(const struct slab *s, const char *name)
{
	static const struct cache none;
	size_t i;

	for (i = 0; i < s->nr; i++)
		if (!strcmp(s->cache[i].name, name))
			return &s->cache[i];
	return &none;
}

/* Output */

static int read_manyprots(void)
{
	struct buf b = {};
	int value = -1;

	if (!read_proc(&b, "sys/vm/manyprots") && b.len)
		value = atoi(b.p);
	free(b.p);
	return value;
}

/* Length of a valid UTF-8 sequence at @s, 0 if there is none. */
static int utf8_len(const unsigned char *s)
{
	int n, i;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, beyond U+10FFFF */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static void json_string(FILE *f, const char *str)
{
	const unsigned char *s = (const unsigned char *)str;

	fputc('"', f);
	while (*s) {
		int n = utf8_len(s);

		if (!n) {
			fputs("\\ufffd", f);
			n = 1;
		} else if (*s == '"' || *s == '\\') {
			fprintf(f, "\\%c", *s);
		} else if (*s < 0x20) {
			fprintf(f, "\\u%04x", *s);
		} else {
			fwrite(s, n, 1, f);
		}
		s += n;
	}
	fputc('"', f);
}

static const char *json_bool(bool b)
{
	return b ? "true" : "false";
}

static void json_process(FILE *f, const struct proc *p)
{
	bool known = libraries_known(p);
	size_t i;

	fprintf(f, "    {\n      \"pid\": %d,\n      \"command\": ", p->pid);
	json_string(f, p->comm);
	fprintf(f, ",\n      \"exe\": ");
	json_string(f, p->exe);
	fprintf(f, ",\n      \"vma_count\": %s,\n",
		json_bool(p->have_vmacount));
	fprintf(f, "      \"at_flags_manyprots\": %s,\n",
		p->have_auxv ? json_bool(p->at_flag) : "null");
	fprintf(f, "      \"libraries\": %ld,\n", p->libraries);
	fprintf(f, "      \"vmas\": %ld,\n", p->vmas);
	fprintf(f, "      \"maps_lines\": %ld,\n", p->lines);
	if (known) {
		fprintf(f, "      \"library_vmas\": %ld,\n", p->library_vmas);
		fprintf(f, "      \"libraries_split\": %ld,\n", p->split);
	} else {
		fprintf(f, "      \"library_vmas\": null,\n");
		fprintf(f, "      \"libraries_split\": null,\n");
	}
	fprintf(f, "      \"library_lines\": %ld,\n", p->library_lines);
	if (known && p->libraries)
		fprintf(f, "      \"vmas_per_library\": %.4f,\n",
			(double)p->library_vmas / p->libraries);
	else
		fprintf(f, "      \"vmas_per_library\": null,\n");
	if (p->peak_vmas >= 0)
		fprintf(f, "      \"peak_vmas\": %ld,\n      \"peak_maps_lines\": %ld,\n",
			p->peak_vmas, p->peak_lines);
	fprintf(f, "      \"images\": [");
	for (i = 0; i < p->nr_images; i++) {
		const struct image *im = &p->images[i];

		fprintf(f, "%s\n        {\"path\": ", i ? "," : "");
		json_string(f, im->path);
		fprintf(f, ", \"kind\": \"%s\", \"start\": \"0x%" PRIx64
			"\", \"end\": \"0x%" PRIx64 "\", ",
			kind_name[im->kind], im->start, im->end);
		if (known)
			fprintf(f, "\"vmas\": %u, ", im->vmas);
		else
			fprintf(f, "\"vmas\": null, ");
		fprintf(f, "\"lines\": %u, \"reason\": ", im->lines);
		if (known && im->reason)
			json_string(f, im->reason);
		else
			fprintf(f, "null");
		fprintf(f, "}");
	}
	fprintf(f, "%s]\n    }", p->nr_images ? "\n      " : "");
}

static void json_slab(FILE *f, const struct slab *s, const struct slab *before)
{
	uint64_t active, bytes, active0 = 0, bytes0 = 0;
	size_t i;

	slab_sum(s, &active, &bytes);
	if (before)
		slab_sum(before, &active0, &bytes0);
	fprintf(f, "  \"slab\": {\n    \"active_bytes\": %" PRIu64
		",\n    \"slab_bytes\": %" PRIu64 ",\n", active, bytes);
	if (before)
		fprintf(f, "    \"active_bytes_before\": %" PRIu64
			",\n    \"slab_bytes_before\": %" PRIu64
			",\n    \"active_bytes_grown\": %" PRId64
			",\n    \"slab_bytes_grown\": %" PRId64 ",\n",
			active0, bytes0, (int64_t)(active - active0),
			(int64_t)(bytes - bytes0));
	fprintf(f, "    \"caches\": [");
	for (i = 0; i < s->nr; i++) {
		const struct cache *c = &s->cache[i];

		fprintf(f, "%s\n      {\"name\": ", i ? "," : "");
		json_string(f, c->name);
		fprintf(f, ", \"active_objects\": %" PRIu64 ", \"objects\": %"
			PRIu64 ", \"object_bytes\": %" PRIu64
			", \"active_bytes\": %" PRIu64 ", \"slab_bytes\": %"
			PRIu64, c->active, c->objects, c->objsize,
			active_bytes(c), slab_bytes(c));
		if (before) {
			const struct cache *o = find_cache(before, c->name);

			fprintf(f, ", \"active_objects_before\": %" PRIu64
				", \"active_bytes_grown\": %" PRId64
				", \"slab_bytes_grown\": %" PRId64, o->active,
				(int64_t)(active_bytes(c) - active_bytes(o)),
				(int64_t)(slab_bytes(c) - slab_bytes(o)));
		}
		fprintf(f, ", \"merged\": %s}", json_bool(c->merged));
	}
	fprintf(f, "%s]\n  }", s->nr ? "\n    " : "");
}

static bool json_first;

static void json_begin(FILE *f)
{
	struct utsname u;
	int manyprots = read_manyprots();

	uname(&u);
	fprintf(f, "{\n  \"kernel\": {\"release\": ");
	json_string(f, u.release);
	fprintf(f, ", \"version\": ");
	json_string(f, u.version);
	fprintf(f, ", \"machine\": ");
	json_string(f, u.machine);
	if (manyprots >= 0)
		fprintf(f, ", \"manyprots\": %d},\n", manyprots);
	else
		fprintf(f, ", \"manyprots\": null},\n");
	fprintf(f, "  \"page_size\": %ld,\n  \"processes\": [\n", page_size);
	json_first = true;
}

static void json_end(FILE *f, const struct slab *s, const struct slab *before,
		     int status)
{
	fprintf(f, "%s  ],\n", json_first ? "" : "\n");
	if (status >= 0)
		fprintf(f, "  \"exit_status\": %d,\n", status);
	if (!opt_slab || s->error) {
		fprintf(f, "  \"slab_error\": ");
		if (opt_slab)
			json_string(f, strerror(s->error));
		else
			fprintf(f, "null");
		fprintf(f, ",\n  \"slab\": null\n}\n");
		return;
	}
	json_slab(f, s, before);
	fprintf(f, "\n}\n");
}

static void table_head(FILE *f, bool peak)
{
	fprintf(f, "%8s %9s %8s%s %10s %9s  %s\n", "PID", "LIBRARIES", "VMAS",
		peak ? "     PEAK" : "", "MAPS LINES", "VMAS/LIB", "COMMAND");
}

static void table_numbers(FILE *f, const char *pid, const struct proc *p,
			  bool known)
{
	fprintf(f, "%8s %9ld %8ld", pid, p->libraries, p->vmas);
	if (p->peak_vmas >= 0)
		fprintf(f, " %8ld", p->peak_vmas);
	fprintf(f, " %10ld", p->lines);
	if (known && p->libraries)
		fprintf(f, " %9.2f", (double)p->library_vmas / p->libraries);
	else
		fprintf(f, " %9s", "-");
	fprintf(f, "  %s\n", p->comm);
}

static void table_process(FILE *f, const struct proc *p)
{
	bool known = libraries_known(p);
	char pid[16];
	size_t i;

	snprintf(pid, sizeof(pid), "%d", p->pid);
	table_numbers(f, pid, p, known);
	if (!known)
		fprintf(f, "         VMAs of libraries unknown: this kernel has no smaps\n");
	for (i = 0; known && i < p->nr_images; i++) {
		const struct image *im = &p->images[i];

		if (!opt_libraries &&
		    (!opt_split || im->kind != KIND_LIBRARY || im->vmas < 2))
			continue;
		fprintf(f, "%27u%s %10u            %s", im->vmas,
			p->peak_vmas >= 0 ? "         " : "", im->lines,
			im->path);
		if (im->kind != KIND_LIBRARY)
			fprintf(f, " (%s)", kind_name[im->kind]);
		fputc('\n', f);
		if (im->reason && im->kind == KIND_LIBRARY)
			fprintf(f, "%49s    - %s\n", "", im->reason);
	}
}

static void table_slab(FILE *f, const struct slab *s,
		       const struct slab *before)
{
	uint64_t active, bytes, active0, bytes0;
	bool merged = false;
	size_t i;

	if (s->error) {
		fprintf(f, "\nVMA slab: not counted, cannot read %s/slabinfo: %s%s\n",
			proc_dir, strerror(s->error),
			s->error == EACCES ? " (only root may)" :
			s->error == ENOENT ? " (kernel with CONFIG_SLUB_TINY?)" :
			"");
		return;
	}
	fprintf(f, "\n%-24s %10s %8s %12s %12s", "VMA slab, whole system",
		"OBJECTS", "SIZE", "OBJECT BYTES", "SLAB BYTES");
	if (before)
		fprintf(f, " %12s %12s", "OBJ. GROWN", "SLAB GROWN");
	fputc('\n', f);
	for (i = 0; i < s->nr; i++) {
		const struct cache *c = &s->cache[i];

		/* One of the many sizes of run maps that is not in use. */
		if (!c->slabs && !c->merged &&
		    (!before || !find_cache(before, c->name)->slabs))
			continue;
		merged |= c->merged;
		fprintf(f, "%-23s%s %10" PRIu64 " %8" PRIu64 " %12" PRIu64
			" %12" PRIu64, c->name, c->merged ? "*" : " ",
			c->active, c->objsize, active_bytes(c), slab_bytes(c));
		if (before) {
			const struct cache *o = find_cache(before, c->name);

			fprintf(f, " %+12" PRId64 " %+12" PRId64,
				(int64_t)(active_bytes(c) - active_bytes(o)),
				(int64_t)(slab_bytes(c) - slab_bytes(o)));
		}
		fputc('\n', f);
	}
	slab_sum(s, &active, &bytes);
	fprintf(f, "%-24s %10s %8s %12" PRIu64 " %12" PRIu64, "total", "", "",
		active, bytes);
	if (before) {
		slab_sum(before, &active0, &bytes0);
		fprintf(f, " %+12" PRId64 " %+12" PRId64,
			(int64_t)(active - active0), (int64_t)(bytes - bytes0));
	}
	fputc('\n', f);
	if (merged)
		fprintf(f, "* serves other names too: boot with slab_nomerge to tell them apart\n");
}

static void print_process(FILE *f, const struct proc *p)
{
	if (opt_json) {
		if (!json_first)
			fprintf(f, ",\n");
		json_first = false;
		json_process(f, p);
	} else {
		table_process(f, p);
	}
}

static void finish(FILE *f, const char *name)
{
	if (fflush(f) || ferror(f))
		die(EXIT_SELF, "cannot write %s: %s", name, strerror(errno));
	if (f != stdout && f != stderr && fclose(f))
		die(EXIT_SELF, "cannot write %s: %s", name, strerror(errno));
}

static FILE *open_output(FILE *by_default, const char **name)
{
	FILE *f = by_default;

	*name = by_default == stdout ? "standard output" : "standard error";
	if (command_output) {
		*name = command_output;
		f = fopen(command_output, "we");
		if (!f)
			die(EXIT_SELF, "cannot write %s: %s", command_output,
			    strerror(errno));
	}
	return f;
}

/* vmas PID... and vmas -a */

static void add_total(struct proc *total, const struct proc *p)
{
	total->libraries += p->libraries;
	total->vmas += p->vmas;
	total->lines += p->lines;
	total->library_vmas += p->library_vmas;
}

static int compare_pid(const void *a, const void *b)
{
	return (*(const pid_t *)a > *(const pid_t *)b) -
	       (*(const pid_t *)a < *(const pid_t *)b);
}

static size_t all_pids(pid_t **list)
{
	DIR *d = opendir(proc_dir);
	struct dirent *de;
	size_t nr = 0;

	if (!d)
		die(EXIT_SELF, "cannot read %s: %s", proc_dir, strerror(errno));
	while ((de = readdir(d))) {
		if (!isdigit((unsigned char)*de->d_name))
			continue;
		*list = xrealloc(*list, nr + 1, sizeof(**list));
		(*list)[nr++] = atoi(de->d_name);
	}
	closedir(d);
	if (nr)
		qsort(*list, nr, sizeof(**list), compare_pid);
	return nr;
}

static int report_pids(const pid_t *pids, size_t nr, bool all)
{
	struct proc total = { .peak_vmas = -1 };
	size_t i, shown = 0, denied = 0;
	int status = EXIT_SUCCESS;
	struct slab slab = {};
	bool known = true;
	const char *name;
	FILE *f;

	if (opt_slab)
		read_slab(&slab);
	f = open_output(stdout, &name);
	if (opt_json)
		json_begin(f);
	else
		table_head(f, false);
	for (i = 0; i < nr; i++) {
		struct proc p;
		int err = read_process(pids[i], &p);

		if (err) {
			/* Processes come and go while -a looks. */
			if (all) {
				denied += err == -EACCES || err == -EPERM;
				continue;
			}
			warn("process %d: %s", pids[i], err == -ESRCH ?
			     "no such process, or it has no address space" :
			     strerror(-err));
			status = EXIT_PARTIAL;
			continue;
		}
		print_process(f, &p);
		add_total(&total, &p);
		known &= libraries_known(&p);
		shown++;
		free_proc(&p);
	}
	if (opt_json) {
		json_end(f, &slab, NULL, -1);
	} else {
		if (shown > 1) {
			snprintf(total.comm, sizeof(total.comm), "%zu processes",
				 shown);
			table_numbers(f, "total", &total, known);
		}
		if (opt_slab)
			table_slab(f, &slab, NULL);
	}
	finish(f, name);
	if (denied)
		warn("%zu processes left out: not permitted", denied);
	if (!shown)
		status = EXIT_PARTIAL;
	return status;
}

/* vmas COMMAND */

static pid_t command_pid;

static void forward(int sig)
{
	if (command_pid > 0)
		kill(command_pid, sig);
}

static pid_t start_command(char **argv, int *go, int *failed)
{
	int go_pipe[2], fail_pipe[2], err;
	sigset_t none;
	pid_t pid;
	char c;

	if (pipe2(go_pipe, O_CLOEXEC) || pipe2(fail_pipe, O_CLOEXEC))
		die(EXIT_SELF, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		die(EXIT_SELF, "fork: %s", strerror(errno));
	if (!pid) {
		close(go_pipe[1]);
		/* wait until the parent watches */
		if (read(go_pipe[0], &c, 1) != 1)
			_exit(EXIT_SELF);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execvp(argv[0], argv);
		err = errno;
		if (write(fail_pipe[1], &err, sizeof(err)) < 0)
			_exit(EXIT_SELF);
		_exit(EXIT_SELF);
	}
	close(go_pipe[0]);
	close(fail_pipe[1]);
	*go = go_pipe[1];
	*failed = fail_pipe[0];
	return pid;
}

/* Waits for the next event of the command, at most @ms (0: any time). */
static pid_t wait_event(pid_t pid, int *status, long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };
	sigset_t set;
	pid_t got;

	for (;;) {
		got = waitpid(pid, status, __WALL | (ms ? WNOHANG : 0));
		if (got > 0 || (got < 0 && errno != EINTR))
			return got;
		if (got < 0)
			continue;
		sigemptyset(&set);
		sigaddset(&set, SIGCHLD);
		if (sigtimedwait(&set, NULL, &ts) < 0)
			return 0;
	}
}

/*
 * The command is watched with ptrace for one event only, its exit: there
 * the kernel stops it while its address space is whole.
 */
static int report_command(char **argv, long interval)
{
	struct slab before = {}, slab = {};
	struct proc p = {};
	bool sampled = false;
	int status, err = 0, go, failed, sig, code;
	long peak_vmas = -1, peak_lines = -1;
	sigset_t chld;
	const char *name;
	pid_t got;
	FILE *f;

	f = open_output(stderr, &name);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	if (opt_slab)
		read_slab(&before);
	command_pid = start_command(argv, &go, &failed);
	if (ptrace(PTRACE_SEIZE, command_pid, 0,
		   (void *)(PTRACE_O_TRACEEXIT | PTRACE_O_TRACEEXEC))) {
		err = errno;
		kill(command_pid, SIGKILL);
		die(EXIT_SELF, "cannot watch the command with ptrace: %s",
		    strerror(err));
	}
	/* As time(1): the terminal's signals are for the command. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGTERM, forward);
	signal(SIGHUP, forward);
	if (write(go, "", 1) != 1)
		die(EXIT_SELF, "cannot start the command: %s", strerror(errno));

	for (;;) {
		got = wait_event(command_pid, &status, interval);
		if (got < 0)
			die(EXIT_SELF, "waitpid: %s", strerror(errno));
		if (!got) {
			sample_peak(command_pid, &peak_vmas, &peak_lines);
			continue;
		}
		if (!WIFSTOPPED(status))
			break;
		sig = WSTOPSIG(status);
		if (status >> 16 == PTRACE_EVENT_EXIT) {
			if (opt_slab)
				read_slab(&slab);
			free_proc(&p);
			err = read_process(command_pid, &p);
			sampled = !err;
			sig = 0;
		} else if (status >> 16 == PTRACE_EVENT_STOP) {
			/* Stay stopped by SIGSTOP and its like, as untraced. */
			if (sig == SIGSTOP || sig == SIGTSTP ||
			    sig == SIGTTIN || sig == SIGTTOU) {
				ptrace(PTRACE_LISTEN, command_pid, 0, 0);
				continue;
			}
			sig = 0;
		} else if (status >> 16) {
			sig = 0;
		}
		ptrace(PTRACE_CONT, command_pid, 0, (void *)(long)sig);
	}
	command_pid = 0;
	if (read(failed, &code, sizeof(code)) == sizeof(code))
		die(code == ENOENT ? EXIT_NOENT : EXIT_NOEXEC, "%s: %s",
		    argv[0], strerror(code));
	code = WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
	if (!sampled)
		die(EXIT_SELF, "%s ended (status %d) without being seen: %s",
		    argv[0], code, err ? strerror(-err) : "no exit event");
	if (interval) {
		p.peak_vmas = peak_vmas > p.vmas ? peak_vmas : p.vmas;
		p.peak_lines = peak_lines > p.lines ? peak_lines : p.lines;
	}
	if (opt_json) {
		json_begin(f);
		print_process(f, &p);
		json_end(f, &slab, before.error ? NULL : &before, code);
	} else {
		table_head(f, interval);
		print_process(f, &p);
		if (opt_slab)
			table_slab(f, &slab, &before);
	}
	free_proc(&p);
	finish(f, name);
	return code;
}

static void usage(FILE *f)
{
	fputs("Usage: vmas [OPTION]... PID...\n"
	      "       vmas [OPTION]... [--] COMMAND [ARG]...\n"
	      "       vmas [OPTION]... -a\n"
	      "Count libraries, VMAs and /proc/PID/maps lines of processes, of a command\n"
	      "when it exits, or of every process; and the slab memory of all VMAs.\n"
	      "\n"
	      "  -a, --all            every process\n"
	      "  -i, --interval=MS    of a command, look every MS milliseconds too and show\n"
	      "                       the peak\n"
	      "  -j, --json           JSON instead of a table\n"
	      "  -l, --libraries      list every library, and program and ld.so\n"
	      "  -n, --no-slab        leave the slab memory out\n"
	      "  -o, --output=FILE    write to FILE; else a command's report goes to standard\n"
	      "                       error and the others to standard output\n"
	      "  -s, --split          list the libraries that are not one VMA, and why\n"
	      "  -x, --exact          before counting slab memory, have the kernel give back\n"
	      "                       what is unused (root only)\n"
	      "  -h, --help           this help\n"
	      "\n"
	      "The exit status is the command's; 125, 126, 127 as env(1).  Without a\n"
	      "command it is 1 if a process could not be read, and 2 on wrong usage.\n",
	      f);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "exact", no_argument, NULL, 'x' },
		{ "help", no_argument, NULL, 'h' },
		{ "interval", required_argument, NULL, 'i' },
		{ "json", no_argument, NULL, 'j' },
		{ "libraries", no_argument, NULL, 'l' },
		{ "no-slab", no_argument, NULL, 'n' },
		{ "output", required_argument, NULL, 'o' },
		{ "split", no_argument, NULL, 's' },
		/* not in the help: other roots of /proc and /sys, for tests */
		{ "proc", required_argument, NULL, 'P' },
		{ "sys", required_argument, NULL, 'S' },
		{ }
	};
	bool all = false, command;
	const char *last_arg = NULL;
	long interval = 0;
	pid_t *pids = NULL;
	size_t nr = 0;
	char *end;
	int c;

	page_size = sysconf(_SC_PAGESIZE);
	while ((c = getopt_long(argc, argv, "+ahi:jlno:sx", options, NULL)) != -1) {
		last_arg = optarg;
		switch (c) {
		case 'a':
			all = true;
			break;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		case 'i':
			interval = strtol(optarg, &end, 10);
			if (*end || interval <= 0 || interval > 3600000)
				die(EXIT_USAGE, "bad interval '%s'", optarg);
			break;
		case 'j':
			opt_json = true;
			break;
		case 'l':
			opt_libraries = true;
			break;
		case 'n':
			opt_slab = false;
			break;
		case 'o':
			command_output = optarg;
			break;
		case 's':
			opt_split = true;
			break;
		case 'x':
			opt_exact = true;
			break;
		case 'P':
			proc_dir = optarg;
			break;
		case 'S':
			sys_dir = optarg;
			break;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	argv += optind;
	if (all) {
		if (*argv)
			die(EXIT_USAGE, "-a takes neither PID nor command");
		nr = all_pids(&pids);
		return report_pids(pids, nr, true);
	}
	if (!*argv) {
		usage(stderr);
		return EXIT_USAGE;
	}
	/* "--" makes a command of what looks like a number */
	command = optind > 1 && argv[-1] != last_arg &&
		  !strcmp(argv[-1], "--");
	command |= (*argv)[strspn(*argv, "0123456789")] != '\0';
	if (command)
		return report_command(argv, interval);
	if (interval)
		die(EXIT_USAGE, "--interval is for a command");
	for (; *argv; argv++) {
		long pid = strtol(*argv, &end, 10);

		if (!**argv || *end || pid <= 0 || pid > INT_MAX)
			die(EXIT_USAGE, "bad PID '%s'", *argv);
		pids = xrealloc(pids, nr + 1, sizeof(*pids));
		pids[nr++] = pid;
	}
	return report_pids(pids, nr, false);
}
