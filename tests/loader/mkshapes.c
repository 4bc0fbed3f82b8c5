// SPDX-License-Identifier: GPL-2.0
/*
 * mkshapes DIR: writes one shared object per odd shape below to DIR/NAME.so,
 * and their names with what to expect of them to DIR/list.
 *
 * No linker can be talked into most of these, so the files are written by
 * hand: program headers, the few tables that the dynamic linker insists on, a
 * function "answer" that returns 42, and elsewhere a pattern in which every
 * word is different, so that a page from a wrong offset shows.  There are no
 * sections.
 */
#include <elf.h>
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifndef __x86_64__
#error "the relocation types and the code below are those of x86_64"
#endif

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MAX_SEGMENTS	8
#define PAGE		0x1000UL

/* What the loader tests expect the object to be under the patched pair. */
#define ONE	"one"	/* one VMA */
#define TWO	"two"	/* at most two VMAs: a large bss may be its own */
#define STOCK	"stock"	/* left to the stock calls on purpose */

struct segment {
	unsigned int flags;		/* PF_R | PF_W | PF_X */
	uint64_t vaddr, offset;
	uint64_t filesz, memsz;		/* memsz 0: as filesz */
};

struct shape {
	const char *name;
	const char *expect;
	struct segment seg[MAX_SEGMENTS];
	int nseg;
	uint64_t align;			/* p_align, 0: a page */
	uint64_t relro, relro_size;	/* address and size of PT_GNU_RELRO */
	int tables;			/* segment that holds the tables */
	bool textrel;			/* one relocation is in the text */
	bool no_dynamic_write;		/* PT_DYNAMIC is where the tables are */
};

#define R	PF_R
#define RX	(PF_R | PF_X)
#define RW	(PF_R | PF_W)
#define RWX	(PF_R | PF_W | PF_X)
#define SEGMENTS(...)						\
	.seg = { __VA_ARGS__ },					\
	.nseg = ARRAY_SIZE(((struct segment[]){ __VA_ARGS__ }))

static const struct shape shapes[] = {
	/* What linkers emit today: text, relro, data and bss, nothing odd. */
	{ "usual", ONE, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1800 },
		{ RX, 0x2000, 0x2000, 0x1234 },
		{ R,  0x4000, 0x4000, 0x0800 },
		{ RW, 0x5e00, 0x4e00, 0x0900, 0x4000 }),
	  .relro = 0x5e00, .relro_size = 0x200 },
	/* The same without bss. */
	{ "no-bss", ONE, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1800 },
		{ RX, 0x2000, 0x2000, 0x1234 },
		{ R,  0x4000, 0x4000, 0x0800 },
		{ RW, 0x5e00, 0x4e00, 0x0900 }),
	  .relro = 0x5e00, .relro_size = 0x200 },
	/* bss that ends in the last page of the data: nothing to map. */
	{ "small-bss", ONE, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1800 },
		{ RX, 0x2000, 0x2000, 0x1234 },
		{ RW, 0x4e00, 0x3e00, 0x0900, 0x0a00 }) },
	/* The data is all bss: a segment with nothing from the file. */
	{ "bss-only", ONE, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1800 },
		{ RX, 0x2000, 0x2000, 0x1234 },
		{ RW, 0x4000, 0x4000, 0x0000, 0x2800 }) },
	/* As above, beginning in the middle of a page. */
	{ "bss-only-midpage", ONE, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1800 },
		{ RX, 0x2000, 0x2000, 0x1234 },
		{ RW, 0x4400, 0x3400, 0x0000, 0x2800 }) },
	/* A segment of no size at all. */
	{ "empty-segment", ONE, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1800 },
		{ RX, 0x2000, 0x2000, 0x1234 },
		{ R,  0x4000, 0x4000, 0x0000, 0x0000 },
		{ RW, 0x4000, 0x4000, 0x0900, 0x2000 }) },
	/* A bss of a few huge pages. */
	{ "huge-bss", TWO, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1800 },
		{ RX, 0x2000, 0x2000, 0x1234 },
		{ RW, 0x4e00, 0x3e00, 0x0900, 0x800000 }) },
	/* What linkers emitted until 2018, with and without relro. */
	{ "rx-rw", ONE, SEGMENTS(
		{ RX, 0x0000, 0x0000, 0x3800 },
		{ RW, 0x4e00, 0x3e00, 0x0900, 0x3000 }) },
	{ "rx-rw-relro", ONE, SEGMENTS(
		{ RX, 0x0000, 0x0000, 0x3800 },
		{ RW, 0x4e00, 0x3e00, 0x1900, 0x3000 }),
	  .relro = 0x4e00, .relro_size = 0x1200 },
	/* One hole of 15 pages; as with a 64 KiB maximum page size. */
	{ "one-hole", ONE, SEGMENTS(
		{ RX, 0x00000, 0x0000, 0x1800 },
		{ RW, 0x11e00, 0x1e00, 0x0900, 0x3000 }),
	  .align = 0x10000, .relro = 0x11e00, .relro_size = 0x200 },
	/* A hole after each segment, the bss ending a page before the next. */
	{ "holes", ONE, SEGMENTS(
		{ R,  0x00000, 0x0000, 0x1800 },
		{ RX, 0x12000, 0x2000, 0x1234 },
		{ R,  0x24000, 0x4000, 0x0800 },
		{ RW, 0x34e00, 0x4e00, 0x1900, 0x4000 },
		{ RW, 0x47000, 0x7000, 0x0900, 0x2000 }),
	  .align = 0x10000, .relro = 0x34e00, .relro_size = 0x1200 },
	/* As with a 2 MiB maximum page size. */
	{ "holes-2m", ONE, SEGMENTS(
		{ R,  0x000000, 0x0000, 0x1800 },
		{ RX, 0x202000, 0x2000, 0x1234 },
		{ RW, 0x403e00, 0x3e00, 0x0900, 0x3000 }),
	  .align = 0x200000, .relro = 0x403e00, .relro_size = 0x200 },
	/* Large p_align without a hole: only the address is special. */
	{ "aligned-2m", ONE, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1800 },
		{ RX, 0x2000, 0x2000, 0x1234 },
		{ RW, 0x4e00, 0x3e00, 0x0900, 0x3000 }),
	  .align = 0x200000 },
	{ "textrel", ONE, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1800 },
		{ RX, 0x2000, 0x2000, 0x1234 },
		{ RW, 0x4e00, 0x3e00, 0x0900, 0x3000 }),
	  .textrel = true },
	/* The page that relro ends in stays writable. */
	{ "relro-midpage", ONE, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1800 },
		{ RX, 0x2000, 0x2000, 0x1234 },
		{ RW, 0x4000, 0x4000, 0x2900, 0x3000 }),
	  .relro = 0x4000, .relro_size = 0x1080 },
	/* Relro smaller than a page protects nothing. */
	{ "relro-none", ONE, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1800 },
		{ RX, 0x2000, 0x2000, 0x1234 },
		{ RW, 0x4000, 0x4000, 0x0900, 0x3000 }),
	  .relro = 0x4000, .relro_size = 0x0200 },
	/* Relro in a segment of its own that ends in bss, as lld pads it. */
	{ "relro-padding", ONE, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1800 },
		{ RX, 0x2800, 0x1800, 0x1234 },
		{ RW, 0x4a34, 0x2a34, 0x0180, 0x05cc },
		{ RW, 0x5bb4, 0x2bb4, 0x0900, 0x3000 }),
	  .relro = 0x4a34, .relro_size = 0x5cc },
	/* 2 to 8 segments; 3, 4 and 5 are above. */
	{ "seg-2", ONE, SEGMENTS(
		{ RX, 0x0000, 0x0000, 0x2000 },
		{ RW, 0x2000, 0x2000, 0x1000, 0x2000 }) },
	{ "seg-6", ONE, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1000 },
		{ RX, 0x1000, 0x1000, 0x1000 },
		{ R,  0x2000, 0x3000, 0x1000 },
		{ RW, 0x3000, 0x2000, 0x1000, 0x2000 },
		{ R,  0x5000, 0x5000, 0x1000 },
		{ RW, 0x6000, 0x4000, 0x1000, 0x2000 }) },
	{ "seg-7", ONE, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1000 },
		{ RX, 0x1000, 0x1000, 0x1000 },
		{ R,  0x2000, 0x3000, 0x1000 },
		{ RW, 0x3000, 0x2000, 0x1000 },
		{ RX, 0x4000, 0x5000, 0x1000 },
		{ R,  0x5000, 0x6000, 0x1000 },
		{ RW, 0x6000, 0x4000, 0x1000, 0x2000 }) },
	{ "seg-8", ONE, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1000 },
		{ RX, 0x1000, 0x7000, 0x1000 },
		{ R,  0x2000, 0x6000, 0x1000 },
		{ RX, 0x3000, 0x5000, 0x1000 },
		{ R,  0x4000, 0x4000, 0x1000 },
		{ RX, 0x5000, 0x3000, 0x1000 },
		{ RW, 0x6000, 0x2000, 0x1000 },
		{ RW, 0x8000, 0x1000, 0x1000, 0x2000 }),
	  .relro = 0x6000, .relro_size = 0x1000 },
	{ "no-write", ONE, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1800 },
		{ RX, 0x2000, 0x2000, 0x1234 },
		{ R,  0x4000, 0x4000, 0x0800 }),
	  .no_dynamic_write = true },
	/* Nothing to remap: same protection, offsets linear. */
	{ "linear", ONE, SEGMENTS(
		{ RX, 0x0000, 0x0000, 0x1000 },
		{ RX, 0x1000, 0x1000, 0x2000 }),
	  .no_dynamic_write = true },
	{ "linear-relro", ONE, SEGMENTS(
		{ RW, 0x0000, 0x0000, 0x1000 },
		{ RW, 0x1000, 0x1000, 0x2000 }),
	  .relro = 0x1000, .relro_size = 0x1000 },
	{ "seg-1-relro", ONE, SEGMENTS(
		{ RW, 0x0000, 0x0000, 0x3900, 0x3a00 }),
	  .relro = 0x1000, .relro_size = 0x1000 },
	{ "seg-1", ONE, SEGMENTS(
		{ R, 0x0000, 0x0000, 0x3900 }),
	  .no_dynamic_write = true },
	/* Data with bss before text: the write comes before text is mapped. */
	{ "data-first", ONE, SEGMENTS(
		{ RW, 0x0000, 0x0000, 0x1800, 0x2800 },
		{ RX, 0x3000, 0x2000, 0x1234 },
		{ R,  0x5000, 0x4000, 0x0800 }) },
	{ "data-first-holes", ONE, SEGMENTS(
		{ R,  0x00000, 0x0000, 0x0a00 },
		{ RW, 0x10a00, 0x0a00, 0x0900, 0x1800 },
		{ RX, 0x22000, 0x2000, 0x1234 },
		{ RW, 0x34e00, 0x3e00, 0x0900, 0x2000 }),
	  .align = 0x10000, .relro = 0x34e00, .relro_size = 0x200 },
	/* bss that is not writable: the mprotect there and back. */
	{ "read-only-bss", ONE, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1800, 0x2800 },
		{ RX, 0x3000, 0x2000, 0x1234 },
		{ RW, 0x5e00, 0x3e00, 0x0900, 0x1800 }) },
	{ "seg-1-read-only-bss", ONE, SEGMENTS(
		{ R, 0x0000, 0x0000, 0x1800, 0x1900 }),
	  .no_dynamic_write = true },
	{ "text-bss", ONE, SEGMENTS(
		{ RX, 0x0000, 0x0000, 0x1800, 0x2800 },
		{ RW, 0x3e00, 0x1e00, 0x0900, 0x1800 }) },
	/*
	 * Text that ends in whole pages of bss, after data whose last page is
	 * cleared: the text's file is mapped before that, its bss after.
	 */
	{ "data-first-text-bss", ONE, SEGMENTS(
		{ RW, 0x0000, 0x0000, 0x1800, 0x1a00 },
		{ RX, 0x2000, 0x2000, 0x1000, 0x3000 }) },
	{ "data-first-text-bss-holes", ONE, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x0a00 },
		{ RW, 0x1a00, 0x0a00, 0x0900, 0x1800 },
		{ RX, 0x4000, 0x2000, 0x1000, 0x3000 },
		{ RW, 0x8e00, 0x3e00, 0x0900, 0x2000 }),
	  .relro = 0x8e00, .relro_size = 0x200 },
	/* The file's headers are not mapped: the loader keeps a copy. */
	{ "no-headers", ONE, SEGMENTS(
		{ R,  0x0000, 0x1000, 0x0800 },
		{ RX, 0x1000, 0x2000, 0x1234 },
		{ RW, 0x3e00, 0x3e00, 0x0900, 0x2000 }) },
	/* Linked for an address. */
	{ "based", ONE, SEGMENTS(
		{ R,  0x31000000, 0x0000, 0x1800 },
		{ RX, 0x31002000, 0x2000, 0x1234 },
		{ RW, 0x31004e00, 0x3e00, 0x0900, 0x3000 }),
	  .relro = 0x31004e00, .relro_size = 0x200 },
	/* Protections that no linker gives. */
	{ "odd-flags", ONE, SEGMENTS(
		{ R,    0x0000, 0x0000, 0x1800 },
		{ PF_X, 0x2000, 0x2000, 0x1000 },
		{ PF_W, 0x3000, 0x3000, 0x1000 },
		{ 0,    0x4000, 0x4000, 0x1000 },
		{ RW,   0x5000, 0x5000, 0x1000, 0x2000 },
		{ R,    0x7000, 0x6000, 0x1000, 0x2000 }) },
	/* Which remap_file_pages does not give under a seccomp filter. */
	{ "write-exec", STOCK, SEGMENTS(
		{ R,   0x0000, 0x0000, 0x1800 },
		{ RX,  0x2000, 0x2000, 0x1234 },
		{ RWX, 0x4000, 0x4000, 0x1000, 0x2000 },
		{ RW,  0x6e00, 0x5e00, 0x0900, 0x2000 }) },
	/*
	 * Two segments in one page: the second mapping replaces the bss that
	 * the first left there.  Only stock calls do that.
	 */
	{ "overlap", STOCK, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1800 },
		{ RX, 0x2000, 0x2000, 0x1000 },
		{ RW, 0x3000, 0x3000, 0x0c00, 0x0c80 },
		{ RW, 0x3d00, 0x3d00, 0x1000 },
		{ RW, 0x5e00, 0x4e00, 0x0900, 0x2000 }) },
	/* The program headers do not ascend; the last is the highest. */
	{ "out-of-order", STOCK, SEGMENTS(
		{ R,  0x0000, 0x0000, 0x1800 },
		{ RW, 0x4e00, 0x3e00, 0x0900, 0x2000 },
		{ RX, 0x2000, 0x2000, 0x1234 },
		{ R,  0x7000, 0x5000, 0x0800 }) },
	/*
	 * The last segment has three pages more in the file than in memory.
	 * They are mapped, over whatever is there: so at an address where
	 * nothing is.
	 */
	{ "short-in-memory", STOCK, SEGMENTS(
		{ R,  0x32000000, 0x0000, 0x1800 },
		{ RX, 0x32002000, 0x2000, 0x1234 },
		{ RW, 0x32004e00, 0x3e00, 0x3900, 0x0900 }) },
};

/* Where things are in the segment with the tables, from its start. */
enum {
	HASH	= 0x300,	/* after the largest program header table */
	SYMTAB	= 0x340,
	STRTAB	= 0x3c0,
	RELA	= 0x400,
	DYNAMIC	= 0x600,
	CODE	= 0x700,
	TABLES_SIZE = 0x710,
};

static const char strtab[] = "\0answer";

static uint64_t memsz(const struct segment *seg)
{
	return seg->memsz ?: seg->filesz;
}

/* What is of the file and in memory. */
static uint64_t datasz(const struct segment *seg)
{
	return seg->filesz < memsz(seg) ? seg->filesz : memsz(seg);
}

static void write_shape(const struct shape *shape, const char *dir)
{
	const struct segment *tables = &shape->seg[shape->tables];
	const struct segment *data = NULL, *text = NULL;
	uint64_t size = 0;

	for (int i = 0; i < shape->nseg; i++) {
		const struct segment *seg = &shape->seg[i];

		if ((seg->flags & RW) == RW && seg->filesz >= 0x180)
			data = seg;
		if ((seg->flags & PF_X) && seg->filesz >= 0x100 && !text)
			text = seg;
		if (size < seg->offset + seg->filesz)
			size = seg->offset + seg->filesz;
	}
	if (!data || shape->no_dynamic_write)
		data = tables;
	if (tables->filesz < TABLES_SIZE)
		errx(1, "%s: no room for the tables", shape->name);

	/*
	 * Real files go on after the last segment (sections, debug info):
	 * what is in the last page behind the data must be cleared.
	 */
	size = (size + 2 * PAGE - 1) & -PAGE;
	uint8_t *file = malloc(size);

	if (!file)
		err(1, "malloc");
	for (uint64_t i = 0; i < size; i += 8) {
		uint64_t word = (i + 8) * 0x9e3779b97f4a7c15;

		memcpy(file + i, &word, 8);
	}

	uint64_t dynamic = data == tables ? DYNAMIC : -data->vaddr & 7;
	uint64_t code = text == tables ? CODE : 0;

	/* Symbols: the empty one and "answer". */
	Elf64_Sym sym[2] = { };

	if (text) {
		static const uint8_t insns[] = {
			0xb8, 42, 0, 0, 0,	/* mov $42,%eax */
			0xc3,			/* ret */
		};

		sym[1] = (Elf64_Sym){
			.st_name = 1,
			.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
			.st_shndx = 1,
			.st_value = text->vaddr + code,
			.st_size = sizeof(insns),
		};
		memcpy(file + text->offset + code, insns, sizeof(insns));
	}
	Elf32_Word hash[] = { 1, 2, text ? 1 : 0, 0, 0 };

	/* A relocation at the end of the data of every writable segment. */
	Elf64_Rela rela[MAX_SEGMENTS + 1];
	int nrela = 0;

	for (int i = 0; i < shape->nseg; i++) {
		const struct segment *seg = &shape->seg[i];

		if ((seg->flags & RW) != RW || seg->filesz < 0x200)
			continue;
		rela[nrela++] = (Elf64_Rela){
			.r_offset = (seg->vaddr + datasz(seg) - 8) & -8,
			.r_info = ELF64_R_INFO(0, R_X86_64_RELATIVE),
			.r_addend = tables->vaddr + 8 * i,
		};
	}
	if (shape->textrel)
		rela[nrela++] = (Elf64_Rela){
			.r_offset = text->vaddr + 0x80,
			.r_info = ELF64_R_INFO(0, R_X86_64_RELATIVE),
			.r_addend = tables->vaddr + 0x80,
		};

	Elf64_Dyn dyn[] = {
		{ DT_HASH,	{ tables->vaddr + HASH } },
		{ DT_SYMTAB,	{ tables->vaddr + SYMTAB } },
		{ DT_STRTAB,	{ tables->vaddr + STRTAB } },
		{ DT_STRSZ,	{ sizeof(strtab) } },
		{ DT_SYMENT,	{ sizeof(Elf64_Sym) } },
		{ DT_RELA,	{ tables->vaddr + RELA } },
		{ DT_RELASZ,	{ nrela * sizeof(Elf64_Rela) } },
		{ DT_RELAENT,	{ sizeof(Elf64_Rela) } },
		{ DT_RELACOUNT,	{ nrela } },
		{ shape->textrel ? DT_TEXTREL : DT_NULL, { 0 } },
		{ DT_NULL,	{ 0 } },
	};

	Elf64_Phdr phdr[MAX_SEGMENTS + 3];
	int nphdr = 0;

	for (int i = 0; i < shape->nseg; i++) {
		const struct segment *seg = &shape->seg[i];

		phdr[nphdr++] = (Elf64_Phdr){
			.p_type = PT_LOAD,
			.p_flags = seg->flags,
			.p_offset = seg->offset,
			.p_vaddr = seg->vaddr,
			.p_paddr = seg->vaddr,
			.p_filesz = seg->filesz,
			.p_memsz = memsz(seg),
			.p_align = shape->align ?: PAGE,
		};
	}
	phdr[nphdr++] = (Elf64_Phdr){
		.p_type = PT_DYNAMIC,
		.p_flags = data->flags & RW,
		.p_offset = data->offset + dynamic,
		.p_vaddr = data->vaddr + dynamic,
		.p_paddr = data->vaddr + dynamic,
		.p_filesz = sizeof(dyn),
		.p_memsz = sizeof(dyn),
		.p_align = 8,
	};
	phdr[nphdr++] = (Elf64_Phdr){
		.p_type = PT_GNU_STACK,
		.p_flags = RW,
		.p_align = 16,
	};
	if (shape->relro_size)
		phdr[nphdr++] = (Elf64_Phdr){
			.p_type = PT_GNU_RELRO,
			.p_flags = R,
			.p_vaddr = shape->relro,
			.p_paddr = shape->relro,
			.p_memsz = shape->relro_size,
			.p_filesz = shape->relro_size,
			.p_align = 1,
		};

	Elf64_Ehdr ehdr = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			     ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(ehdr),
		.e_ehsize = sizeof(ehdr),
		.e_phentsize = sizeof(phdr[0]),
		.e_phnum = nphdr,
	};

	memcpy(file, &ehdr, sizeof(ehdr));
	memcpy(file + sizeof(ehdr), phdr, nphdr * sizeof(phdr[0]));
	memcpy(file + tables->offset + HASH, hash, sizeof(hash));
	memcpy(file + tables->offset + SYMTAB, sym, sizeof(sym));
	memcpy(file + tables->offset + STRTAB, strtab, sizeof(strtab));
	memcpy(file + tables->offset + RELA, rela, nrela * sizeof(rela[0]));
	memcpy(file + data->offset + dynamic, dyn, sizeof(dyn));

	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.so", dir, shape->name);

	FILE *out = fopen(path, "w");

	if (!out || fwrite(file, size, 1, out) != 1 || fclose(out))
		err(1, "%s", path);
	free(file);
}

int main(int argc, char **argv)
{
	char path[4096];

	if (argc != 2)
		errx(1, "usage: mkshapes DIR");
	if (mkdir(argv[1], 0777) && errno != EEXIST)
		err(1, "%s", argv[1]);
	snprintf(path, sizeof(path), "%s/list", argv[1]);

	FILE *list = fopen(path, "w");

	if (!list)
		err(1, "%s", path);
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		write_shape(&shapes[i], argv[1]);
		fprintf(list, "%s %s\n", shapes[i].name, shapes[i].expect);
	}
	if (fclose(list))
		err(1, "%s", path);
	return 0;
}
