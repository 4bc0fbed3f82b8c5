// SPDX-License-Identifier: GPL-2.0
/* What an ELF file's headers say of how it will be mapped. */
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "corpus.h"

#define MAX_PHDRS	64

static const char *flags_text(unsigned int flags)
{
	static const char *const names[] = {
		"-", "X", "W", "WX", "R", "RX", "RW", "RWX",
	};

	return names[flags & 7];
}

/* docs/loader.md, Limits: what is left to the stock calls. */
static const char *judge_loader(const Elf64_Ehdr *eh, const Elf64_Phdr *load, int n)
{
	if (eh->e_type != ET_DYN)
		return "fixed addresses, each segment by itself";
	for (int i = 0; i < n; i++) {
		uint64_t end = PAGE_UP(load[i].p_vaddr + load[i].p_memsz);

		if ((load[i].p_flags & (PF_W | PF_X)) == (PF_W | PF_X))
			return "a segment is writable and executable";
		if (PAGE_UP(load[i].p_vaddr + load[i].p_filesz) > end)
			return "pages of the file beyond a segment's memory";
		if (i + 1 < n && PAGE_DOWN(load[i + 1].p_vaddr) < end)
			return "two segments in one page, or out of order";
	}
	return NULL;
}

/* elf_is_whole() of the patched binfmt_elf.c */
static const char *judge_kernel(const Elf64_Phdr *load, int n, bool stack)
{
	if (!load[0].p_filesz)
		return "nothing of the file in the first segment";
	for (int i = 1; i < n; i++) {
		uint64_t start = PAGE_DOWN(load[i].p_vaddr);
		uint64_t end = PAGE_UP(load[i - 1].p_vaddr + load[i - 1].p_memsz);

		if (start > end)
			return "pages between segments stay unmapped";
		if (start < end)
			return "two segments in one page";
	}
	for (int i = 0; i < n; i++)
		if ((load[i].p_flags & PF_X) &&
		    PAGE_UP(load[i].p_vaddr + load[i].p_memsz) >
		    PAGE_UP(load[i].p_vaddr + load[i].p_filesz))
			return "bss that is executable";
	if (!stack)
		return "no PT_GNU_STACK: what can be read is executable";
	return NULL;
}

/* The last page of the file's part has the beginning of bss. */
static bool cleared_by_ld_so(const Elf64_Phdr *ph)
{
	return ph->p_memsz > ph->p_filesz &&
	       (ph->p_vaddr + ph->p_filesz) & (PAGE - 1);
}

/* For relocations in text ld.so makes each segment writable, and takes it back. */
static bool has_textrel(int fd, const Elf64_Phdr *dynamic)
{
	uint64_t end = dynamic->p_offset + dynamic->p_filesz;
	Elf64_Dyn d;

	for (uint64_t at = dynamic->p_offset; at + sizeof(d) <= end; at += sizeof(d)) {
		if (pread(fd, &d, sizeof(d), at) != sizeof(d) || d.d_tag == DT_NULL)
			break;
		if (d.d_tag == DT_TEXTREL ||
		    (d.d_tag == DT_FLAGS && (d.d_un.d_val & DF_TEXTREL)))
			return true;
	}
	return false;
}

/* A program may name one that this system, or a guest of it, has not. */
static bool has_interpreter(int fd, const Elf64_Phdr *interp)
{
	char path[PATH_MAX];

	if (!interp->p_filesz || interp->p_filesz > sizeof(path) ||
	    pread(fd, path, interp->p_filesz, interp->p_offset) != (ssize_t)interp->p_filesz ||
	    path[interp->p_filesz - 1])
		return false;
	return !access(path, X_OK);
}

bool elf_read(const char *path, struct elf_shape *shape)
{
	Elf64_Phdr ph[MAX_PHDRS], load[MAX_PHDRS];
	bool program = false, dynamic = false, relro = false, bss = false;
	bool holes = false, stack = false, textrel = false, cleared = false;
	uint64_t align = 0;
	Elf64_Ehdr eh;
	struct stat st;
	ssize_t size;
	int fd, n = 0;
	char *to = shape->text;

	memset(shape, 0, sizeof(*shape));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) || pread(fd, &eh, sizeof(eh), 0) != sizeof(eh) ||
	    memcmp(eh.e_ident, ELFMAG, SELFMAG) ||
	    eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_machine != EM_X86_64 ||
	    (eh.e_type != ET_DYN && eh.e_type != ET_EXEC) || !eh.e_phnum ||
	    eh.e_phnum > MAX_PHDRS || eh.e_phentsize != sizeof(ph[0]))
		goto no;
	size = eh.e_phnum * sizeof(ph[0]);
	if (pread(fd, ph, size, eh.e_phoff) != size)
		goto no;

	shape->lo = UINT64_MAX;
	for (int i = 0; i < eh.e_phnum; i++) {
		switch (ph[i].p_type) {
		case PT_INTERP:		program = has_interpreter(fd, &ph[i]); break;
		/* A file with nothing but debug information has it empty. */
		case PT_DYNAMIC:
			dynamic = ph[i].p_filesz;
			textrel = has_textrel(fd, &ph[i]);
			break;
		case PT_GNU_STACK:	stack = true; break;
		case PT_GNU_RELRO:
			relro = PAGE_DOWN(ph[i].p_vaddr) !=
				PAGE_DOWN(ph[i].p_vaddr + ph[i].p_memsz);
			break;
		case PT_LOAD:
			if ((ph[i].p_vaddr ^ ph[i].p_offset) & (PAGE - 1) ||
			    ph[i].p_offset + ph[i].p_filesz > (uint64_t)st.st_size)
				goto no;
			load[n++] = ph[i];
			cleared |= !(ph[i].p_flags & PF_W) && cleared_by_ld_so(&ph[i]);
			if (PAGE_DOWN(ph[i].p_vaddr) < shape->lo)
				shape->lo = PAGE_DOWN(ph[i].p_vaddr);
			if (PAGE_UP(ph[i].p_vaddr + ph[i].p_memsz) > shape->hi)
				shape->hi = PAGE_UP(ph[i].p_vaddr + ph[i].p_memsz);
			bss |= PAGE_UP(ph[i].p_vaddr + ph[i].p_memsz) >
			       PAGE_UP(ph[i].p_vaddr + ph[i].p_filesz);
			if (ph[i].p_align > align)
				align = ph[i].p_align;
			break;
		}
	}
	if (!n)
		goto no;
	close(fd);
	for (int i = 0; i < n; i++) {
		to += sprintf(to, "%s%s", i ? " " : "", flags_text(load[i].p_flags));
		if (i > 7)
			break;
		/* As ld.so asks; where the file's part ends. */
		if (i && PAGE_UP(load[i - 1].p_vaddr + load[i - 1].p_filesz) !=
			 PAGE_DOWN(load[i].p_vaddr))
			holes = true;
	}
	sprintf(to, "%s%s%s%s%s%s%s", relro ? ", relro" : "", bss ? ", bss" : "",
		holes ? ", holes" : "", align > PAGE ? ", aligned" : "",
		eh.e_type == ET_EXEC ? ", ET_EXEC" : "", textrel ? ", textrel" : "",
		cleared ? ", cleared" : "");
	shape->by_loader = dynamic;
	shape->by_kernel = program || !dynamic;
	shape->pie = eh.e_type == ET_DYN;
	shape->why_loader = judge_loader(&eh, load, n);
	shape->why_kernel = judge_kernel(load, n, stack);
	shape->call_more = n == 1 &&
		(load[0].p_flags & PF_W ? relro && !bss : cleared_by_ld_so(&load[0]));
	return shape->by_loader || eh.e_type == ET_EXEC;
no:
	close(fd);
	return false;
}

int corpus_scan(void)
{
	struct elf_shape shape;
	char path[4096];

	while (fgets(path, sizeof(path), stdin)) {
		path[strcspn(path, "\n")] = 0;
		if (elf_read(path, &shape))
			puts(path);
	}
	return 0;
}
