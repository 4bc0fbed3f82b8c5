// SPDX-License-Identifier: GPL-2.0
/*
 * Random ELF files.  Most of a file is what a linker could have made; then a field
 * or two get another value.
 *
 * Seeds are quoted in reports, so the order of what is drawn must stay as it is,
 * with every compiler: no two draws in one expression.
 */
#include <elf.h>
#include <string.h>
#include <unistd.h>

#include "gen.h"

#define PICK(r, a)	((a)[rnd(r, ARRAY_SIZE(a))])
#define INTERP_AT	0x7c0		/* the name of the interpreter, in page 0 */
#define NOTE_AT		0x780		/* a PT_GNU_PROPERTY, in page 0 */

uint64_t rnd64(struct rnd *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* VALUE less than 1 << bits */
static uint64_t low_bits(uint64_t value, unsigned int bits)
{
	return value & ((1ULL << bits) - 1);
}

static uint32_t some_flags(struct rnd *r, unsigned int i)
{
	static const uint32_t usual[] = { PF_R, PF_R | PF_X, PF_R, PF_R | PF_W };
	static const uint32_t odd[] = {
		0, PF_X, PF_W, PF_W | PF_X, PF_R | PF_W | PF_X, PF_R | PF_W, PF_R,
		PF_R | PF_X, PF_R | PF_W,
	};

	return odds(r, 70) ? usual[i % 4] : PICK(r, odd);
}

static uint64_t some_size(struct rnd *r)
{
	switch (rnd(r, 10)) {
	case 0:
		return 0;
	case 1 ... 3:
		return rnd(r, PAGE);
	case 4 ... 5:
		return rnd(r, 7) * PAGE;
	default:
		return rnd(r, 5 * PAGE);
	}
}

static uint64_t some_align(struct rnd *r)
{
	static const uint64_t odd[] = {
		0, 1, 8, 0x800, 0x2000, 0x10000, 0x10000, 0x200000, 0x200000,
		0x1001, 1ULL << 30, 1ULL << 40, 1ULL << 63, -1ULL,
	};

	return odds(r, 85) ? PAGE : PICK(r, odd);
}

/* Where an object begins; some are where there is no room, or something else. */
static uint64_t some_base(const struct image *im, struct rnd *r, uint64_t stack)
{
	static const uint64_t low[] = { 0, 0x1000, 0x8000, 0xf000, 0x10000, 0x11000 };
	static const uint64_t high[] = {
		0x7ffffffff000, 0x7fffffff0000, 0x7ffff7ff0000, 0x555555554000,
		0x800000000000, 0xffff800000000000, 0xfffffffffffff000,
		0xffffffffffff0000, 0x100000000, 0xffff0000,
	};
	static const uint64_t high32[] = {
		0xffffe000, 0xffffd000, 0xfffff000, 0xf7ff0000, 0x56555000,
		0xc0000000, 0xbffff000, 0xb7ff0000, 0x80000000, 0xffff0000,
	};
	uint64_t back = rnd(r, 24) * PAGE;

	if (odds(r, 80))
		return im->type == ET_EXEC ? 0x400000 : 0;
	switch (rnd(r, 4)) {
	case 0:
		return PICK(r, low);
	case 1:
		return 0x400000 + rnd(r, 0x1000) * PAGE;
	case 2:
		if (stack)
			return stack + 40 * PAGE - 3 * back;
		break;
	}
	return (im->is32 ? PICK(r, high32) : PICK(r, high)) - back;
}

/* Where the next segment is in the file; OFFSET is where a linker would have it. */
static uint64_t some_offset(struct rnd *r, uint64_t offset)
{
	uint64_t any;

	if (odds(r, 15) && offset >= PAGE)
		return offset - PAGE;		/* one page, mapped twice */
	if (odds(r, 8))
		return rnd(r, 30) * PAGE;
	if (odds(r, 3)) {
		any = rnd64(r);
		return PAGE_DOWN(low_bits(any, 13 + rnd(r, 51)));
	}
	if (odds(r, 2))
		return (1ULL << 63) - (1 + rnd(r, 20)) * PAGE;
	return offset;
}

/* What of a segment is zeros is small mostly, and may be too large for any memory. */
static uint64_t some_bss(struct rnd *r)
{
	unsigned int bits;
	uint64_t any;

	if (odds(r, 97))
		return some_size(r);
	any = rnd64(r);
	bits = odds(r, 80) ? 20 : 36;
	return low_bits(any, 12 + rnd(r, bits));
}

static void some_sizes(struct seg *s, struct rnd *r, bool first)
{
	s->filesz = some_size(r);
	if (!s->filesz && first && odds(r, 90))
		s->filesz = 1 + rnd(r, 2 * PAGE);
	s->memsz = s->filesz;
	if (odds(r, s->flags & PF_W ? 60 : 12))
		s->memsz += some_bss(r);
	if (!s->memsz && odds(r, 80))
		s->memsz = 1 + rnd(r, 2 * PAGE);
}

static struct seg *add_seg(struct image *im, uint32_t type)
{
	struct seg *s = &im->seg[im->nseg++];

	memset(s, 0, sizeof(*s));
	s->type = type;
	s->align = 8;
	s->flags = PF_R;
	return s;
}

/* What a linker could have made, and not quite so. */
static void add_loads(struct image *im, struct rnd *r, uint64_t stack)
{
	unsigned int n = odds(r, 15) ? 1 : 2 + rnd(r, odds(r, 80) ? 4 : 7);
	uint64_t at = some_base(im, r, stack);
	uint64_t offset = 0;
	bool whole = odds(r, 70);

	for (unsigned int i = 0; i < n; i++) {
		struct seg *s = add_seg(im, PT_LOAD);
		uint64_t in_page = odds(r, 75) ? 0 : rnd(r, PAGE);

		s->flags = some_flags(r, i);
		s->align = some_align(r);
		s->vaddr = at + in_page;
		s->offset = some_offset(r, offset) + in_page;
		some_sizes(s, r, i == 0);
		offset = PAGE_UP(s->offset + s->filesz);
		at = PAGE_UP(s->vaddr + s->memsz);
		if (!whole && odds(r, 30))
			at += (1 + rnd(r, 20)) * PAGE;
		if (!whole && odds(r, 10))
			at -= PAGE;
		if (!whole && odds(r, 5))
			at = (at + 0xffff) & -0x10000UL;
	}
}

static uint64_t odd_value(struct rnd *r, uint64_t now)
{
	static const uint64_t values[] = {
		0, 1, 0x7ff, 0x800, 0xfff, 0x1000, 0x1001, 0x7fffffff, 0x80000000,
		0xffffffff, 0xfffff000, 0x7ffffffff000, 0x800000000000,
		0x7fffffffffffffff, 0x8000000000000000, 0x7ffffffffffff000,
		-1ULL, -0x7ffULL, -0x800ULL, -0x801ULL, -0xfffULL, -0x1000ULL,
		-0x1001ULL, 0x100000000, 0x10000000,
	};

	switch (rnd(r, 8)) {
	case 0:
		return PICK(r, values);
	case 1:
		return PICK(r, values) + now;
	case 2:
		return now + PAGE;
	case 3:
		return now - PAGE;
	case 4:
		return now + rnd(r, 40) * PAGE;
	case 5:
		return now ^ (1ULL << rnd(r, 64));
	case 6:
		return now + rnd(r, 2 * PAGE) - PAGE;
	default:
		return rnd(r, 40) * PAGE;
	}
}

/* Does something to a segment that a linker would not do. */
static void perturb(struct image *im, struct rnd *r)
{
	unsigned int n = rnd(r, im->nseg), m = rnd(r, im->nseg);
	struct seg *s = &im->seg[n], t;
	uint64_t delta;

	switch (rnd(r, 12)) {
	case 0:
		s->vaddr = odd_value(r, s->vaddr);
		break;
	case 1:
		s->offset = odd_value(r, s->offset);
		break;
	case 2:
		s->filesz = odd_value(r, s->filesz);
		break;
	case 3:
		s->memsz = odd_value(r, s->memsz);
		break;
	case 4:			/* still congruent */
		s->offset += PAGE_DOWN(odd_value(r, s->offset) - s->offset);
		break;
	case 5:
		s->filesz = 0;
		if (odds(r, 50))
			s->memsz = some_size(r);
		break;
	case 6:
		delta = rnd(r, 4);
		s->memsz = s->filesz + (delta << (12 + rnd(r, 26)));
		break;
	case 7:
		t = *s;
		*s = im->seg[m];
		im->seg[m] = t;
		break;
	case 8:
		s->flags = rnd(r, 8);
		break;
	case 9:			/* this one and all that follow */
		delta = rnd(r, 64) * PAGE - 16 * PAGE;
		for (; n < im->nseg; n++)
			im->seg[n].vaddr += delta;
		break;
	case 10:
		delta = rnd(r, PAGE);
		s->vaddr += delta;
		s->offset += delta;
		break;
	case 11:
		s->align = odd_value(r, s->align);
		break;
	}
}

static void fill_page(uint8_t *p, uint64_t page)
{
	static const uint8_t code[CODE_SIZE] = {
		0x8a, 0x07, 0xcc, 0x88, 0x07, 0xcc, 0x0f, 0x05, 0xcc,
		0xcd, 0x80, 0xcc,
	};

	for (uint64_t i = 0; i < PAGE; i += 8) {
		uint64_t word = (page << 32 | i | 1) * 0x9e3779b97f4a7c15;

		memcpy(p + i, &word, 8);
	}
	memcpy(p + CODE, code, sizeof(code));
}

/* The file is as long as the segments want it, or shorter. */
static void fill(struct image *im, struct rnd *r)
{
	im->size = PAGE;
	for (unsigned int i = 0; i < im->nseg; i++) {
		const struct seg *s = &im->seg[i];

		if (s->offset + s->filesz > im->size &&
		    s->offset + s->filesz <= sizeof(im->bytes) &&
		    s->filesz <= sizeof(im->bytes))
			im->size = s->offset + s->filesz;
	}
	if (odds(r, 12))
		im->size = CODE + CODE_SIZE + rnd(r, im->size - CODE);
	if (im->size > sizeof(im->bytes))
		im->size = sizeof(im->bytes);
	for (uint64_t page = 0; page * PAGE < im->size; page++)
		fill_page(im->bytes + page * PAGE, page);
}

/* Indirect branch tracking and shadow stacks, or what is not quite that. */
static void add_note(struct image *im, struct rnd *r)
{
	uint32_t note[8] = { 4, 0, 5, 0x00554e47, 0xc0000002, 4, 3, 0 };
	struct seg *s = add_seg(im, PT_GNU_PROPERTY);

	note[1] = im->is32 ? 12 : 16;
	if (odds(r, 20)) {
		uint32_t bit = 1U << rnd(r, 32);

		note[rnd(r, 7)] ^= bit;
	}
	memcpy(im->bytes + NOTE_AT, note, sizeof(note));
	s->offset = NOTE_AT;
	s->filesz = odds(r, 90) ? 16 + note[1] : rnd(r, 64);
	s->memsz = s->filesz;
}

/* Headers of other types, behind the segments or anywhere between. */
static void add_others(struct image *im, struct rnd *r, const char *interp)
{
	unsigned int loads = im->nseg;
	struct seg *s;

	if (interp) {
		s = add_seg(im, PT_INTERP);
		s->offset = INTERP_AT;
		s->filesz = strlen(interp) + 1;
		s->memsz = s->filesz;
		memcpy(im->bytes + INTERP_AT, interp, s->filesz);
	}
	if (odds(r, 75)) {
		s = add_seg(im, PT_GNU_STACK);
		s->flags = odds(r, 88) ? PF_R | PF_W : PF_R | PF_W | PF_X;
	}
	if (odds(r, 8))
		add_note(im, r);
	if (odds(r, 20)) {
		s = add_seg(im, PT_PHDR);
		s->offset = im->is32 ? sizeof(Elf32_Ehdr) : sizeof(Elf64_Ehdr);
		s->vaddr = im->seg[0].vaddr + s->offset;
		s->filesz = 0x100;
		s->memsz = s->filesz;
	}
	if (odds(r, 15) && im->nseg > loads) {
		struct seg last = im->seg[im->nseg - 1];
		unsigned int to = rnd(r, im->nseg);

		memmove(&im->seg[to + 1], &im->seg[to],
			(im->nseg - 1 - to) * sizeof(last));
		im->seg[to] = last;
	}
}

/* To code that can be executed, mostly. */
static void set_entry(struct image *im, struct rnd *r)
{
	im->entry = im->seg[0].vaddr + CODE;
	for (unsigned int i = 0; i < im->nseg; i++) {
		const struct seg *s = &im->seg[i];

		if (s->type == PT_LOAD && (s->flags & PF_X)) {
			im->entry = PAGE_DOWN(s->vaddr) + CODE;
			break;
		}
	}
	if (odds(r, 2))
		im->entry = odd_value(r, im->entry);
}

static void cut_to_32_bits(struct image *im)
{
	im->entry = (uint32_t)im->entry;
	for (unsigned int i = 0; i < im->nseg; i++) {
		struct seg *s = &im->seg[i];

		s->offset = (uint32_t)s->offset;
		s->vaddr = (uint32_t)s->vaddr;
		s->filesz = (uint32_t)s->filesz;
		s->memsz = (uint32_t)s->memsz;
		s->align = (uint32_t)s->align;
	}
}

static void put_headers32(struct image *im)
{
	Elf32_Ehdr e = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32,
			     ELFDATA2LSB, EV_CURRENT },
		.e_type = im->type, .e_machine = EM_386, .e_version = EV_CURRENT,
		.e_entry = im->entry, .e_phoff = sizeof(e), .e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf32_Phdr), .e_phnum = im->nseg,
	};

	memcpy(im->bytes, &e, sizeof(e));
	for (unsigned int i = 0; i < im->nseg; i++) {
		const struct seg *s = &im->seg[i];
		Elf32_Phdr p = {
			.p_type = s->type, .p_flags = s->flags,
			.p_offset = s->offset, .p_vaddr = s->vaddr,
			.p_filesz = s->filesz, .p_memsz = s->memsz,
			.p_align = s->align,
		};

		memcpy(im->bytes + sizeof(e) + i * sizeof(p), &p, sizeof(p));
	}
}

static void put_headers64(struct image *im)
{
	Elf64_Ehdr e = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			     ELFDATA2LSB, EV_CURRENT },
		.e_type = im->type, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
		.e_entry = im->entry, .e_phoff = sizeof(e), .e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = im->nseg,
	};

	memcpy(im->bytes, &e, sizeof(e));
	for (unsigned int i = 0; i < im->nseg; i++) {
		const struct seg *s = &im->seg[i];
		Elf64_Phdr p = {
			.p_type = s->type, .p_flags = s->flags,
			.p_offset = s->offset, .p_vaddr = s->vaddr,
			.p_paddr = s->vaddr, .p_filesz = s->filesz,
			.p_memsz = s->memsz, .p_align = s->align,
		};

		memcpy(im->bytes + sizeof(e) + i * sizeof(p), &p, sizeof(p));
	}
}

void gen_image(struct image *im, struct rnd *r, bool is_interp, bool is32,
	       const char *interp, uint64_t stack)
{
	im->is32 = is32;
	im->nseg = 0;
	im->type = odds(r, is_interp ? 5 : 50) ? ET_EXEC : ET_DYN;
	add_loads(im, r, stack);
	if (odds(r, 45))
		perturb(im, r);
	if (odds(r, 12))
		perturb(im, r);
	fill(im, r);
	add_others(im, r, interp);
	set_entry(im, r);
	if (is32) {
		cut_to_32_bits(im);
		put_headers32(im);
	} else {
		put_headers64(im);
	}
}

int gen_write(const struct image *im, int fd)
{
	if (pwrite(fd, im->bytes, im->size, 0) != (ssize_t)im->size)
		return -1;
	return ftruncate(fd, im->size);
}

static const char *type_name(uint32_t type)
{
	switch (type) {
	case PT_LOAD:
		return "LOAD";
	case PT_INTERP:
		return "INTERP";
	case PT_PHDR:
		return "PHDR";
	case PT_GNU_STACK:
		return "STACK";
	case PT_GNU_PROPERTY:
		return "PROPERTY";
	default:
		return "?";
	}
}

void gen_print(const struct image *im, FILE *to)
{
	fprintf(to, "  ELF%d %s entry %#lx size %#lx\n", im->is32 ? 32 : 64,
		im->type == ET_EXEC ? "EXEC" : "DYN", im->entry, im->size);
	for (unsigned int i = 0; i < im->nseg; i++) {
		const struct seg *s = &im->seg[i];

		fprintf(to, "    %-8s %c%c%c ", type_name(s->type),
			s->flags & PF_R ? 'r' : '-', s->flags & PF_W ? 'w' : '-',
			s->flags & PF_X ? 'x' : '-');
		fprintf(to, "offset %#lx vaddr %#lx filesz %#lx memsz %#lx align %#lx\n",
			s->offset, s->vaddr, s->filesz, s->memsz, s->align);
	}
}
