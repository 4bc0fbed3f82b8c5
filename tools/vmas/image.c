// SPDX-License-Identifier: GPL-2.0
/*
 * Which parts of an address space are ELF images, of how many VMAs each is, and
 * why some are not one.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmas.h"

static uint64_t page_down(uint64_t x)
{
	return x & ~(uint64_t)(sysconf(_SC_PAGESIZE) - 1);
}

static uint64_t page_up(uint64_t x)
{
	return page_down(x + sysconf(_SC_PAGESIZE) - 1);
}

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
	if (!read_proc(p->proc_dir, &b, "%d/mountinfo", p->pid)) {
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

void find_images(struct proc *p)
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
