// SPDX-License-Identifier: GPL-2.0
/*
 * ELF headers of the files that are mapped.  Many processes map the same
 * libraries: what was read is kept.
 */
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmas.h"

/* What was read, by the file as maps shows it. */
struct elf_cache {
	uint64_t ino;
	unsigned int major, minor;
	char *path;
	struct elf elf;
};

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

/*
 * read_segments32() and read_segments64(): adds the segments of the file @fd,
 * whose header is @h, to @elf; returns false if one cannot be read.  The members
 * have the same names in both classes, but not the same place and width.
 */
#define DEFINE_READ_SEGMENTS(class)					\
static bool read_segments##class(int fd, const Elf##class##_Ehdr *h,	\
				 struct elf *elf)			\
{									\
	Elf##class##_Phdr ph;						\
	unsigned int i;							\
									\
	elf->type = h->e_type;						\
	if (h->e_phentsize != sizeof(ph))				\
		return false;						\
	for (i = 0; i < h->e_phnum; i++) {				\
		if (pread(fd, &ph, sizeof(ph), h->e_phoff +		\
			  i * sizeof(ph)) != sizeof(ph))		\
			return false;					\
		if (ph.p_type == PT_LOAD)				\
			add_segment(elf, ph.p_vaddr, ph.p_offset,	\
				    ph.p_filesz, ph.p_memsz,		\
				    ph.p_flags);			\
	}								\
	return true;							\
}

DEFINE_READ_SEGMENTS(32)
DEFINE_READ_SEGMENTS(64)

/* Only files of this machine's byte order can be mapped as images. */
static void read_elf(int fd, struct elf *elf)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf32_Ehdr h32;
		Elf64_Ehdr h64;
	} h = { 0 };	/* a file may end within */

	elf->ok = false;
	elf->nr = 0;
	if (pread(fd, &h, sizeof(h), 0) < (ssize_t)sizeof(h.h32) ||
	    memcmp(h.ident, ELFMAG, SELFMAG))
		return;
	switch (h.ident[EI_CLASS]) {
	case ELFCLASS64:
		if (!read_segments64(fd, &h.h64, elf))
			return;
		break;
	case ELFCLASS32:
		if (!read_segments32(fd, &h.h32, elf))
			return;
		break;
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
		 p->proc_dir, p->pid, e->start, e->end);
	/* A name may lead to anything: never wait for a FIFO or a tape. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0)
		return fd;
	if (snprintf(path, sizeof(path), "%s/%d/root%s", p->proc_dir,
		     p->pid, e->path) >= (int)sizeof(path))
		return -1;
	name = path + strlen(path) - strlen(e->path);
	unescape(name);
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

const struct elf *elf_of(const struct proc *p, const struct entry *e)
{
	static struct elf_cache *elf_cache;
	static size_t nr_elf_cache;
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
