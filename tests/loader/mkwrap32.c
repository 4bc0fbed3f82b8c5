// SPDX-License-Identifier: GPL-2.0
/*
 * mkwrap32 FILE: a library for i386 whose first segment is the last page that 32
 * bits of file offset reach, and whose second is the first page of the file. It
 * is loaded where an offset in bytes behind the first one has become 0.
 */
#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define PAGE	0x1000
#define LAST	0xfffff000

static struct {
	Elf32_Ehdr e;
	Elf32_Phdr p[3];
	Elf32_Dyn dynamic[6];
	Elf32_Sym symbols[1];
	Elf32_Word hash[4];	/* one bucket, one symbol, none in it */
	char strings[1];
} file;

/* Where a member is loaded. */
#define ADDR(member)	(PAGE + offsetof(__typeof__(file), member))

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0755) : -1;

	if (fd < 0)
		err(2, "usage: mkwrap32 FILE");
	memcpy(file.e.e_ident, ELFMAG, SELFMAG);
	file.e.e_ident[EI_CLASS] = ELFCLASS32;
	file.e.e_ident[EI_DATA] = ELFDATA2LSB;
	file.e.e_ident[EI_VERSION] = EV_CURRENT;
	file.e.e_type = ET_DYN;
	file.e.e_machine = EM_386;
	file.e.e_version = EV_CURRENT;
	file.e.e_phoff = offsetof(__typeof__(file), p);
	file.e.e_ehsize = sizeof(file.e);
	file.e.e_phentsize = sizeof(file.p[0]);
	file.e.e_phnum = 3;
	file.p[0] = (Elf32_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R, .p_offset = LAST,
		.p_filesz = PAGE, .p_memsz = PAGE, .p_align = PAGE };
	file.p[1] = (Elf32_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R, .p_vaddr = PAGE,
		.p_filesz = PAGE, .p_memsz = PAGE, .p_align = PAGE };
	file.p[2] = (Elf32_Phdr){ .p_type = PT_DYNAMIC, .p_flags = PF_R,
		.p_offset = offsetof(__typeof__(file), dynamic), .p_vaddr = ADDR(dynamic),
		.p_filesz = sizeof(file.dynamic), .p_memsz = sizeof(file.dynamic) };
	file.dynamic[0] = (Elf32_Dyn){ DT_HASH, { ADDR(hash) } };
	file.dynamic[1] = (Elf32_Dyn){ DT_SYMTAB, { ADDR(symbols) } };
	file.dynamic[2] = (Elf32_Dyn){ DT_STRTAB, { ADDR(strings) } };
	file.dynamic[3] = (Elf32_Dyn){ DT_STRSZ, { sizeof(file.strings) } };
	file.dynamic[4] = (Elf32_Dyn){ DT_SYMENT, { sizeof(file.symbols[0]) } };
	file.hash[0] = file.hash[1] = 1;
	if (pwrite(fd, &file, sizeof(file), 0) != sizeof(file) ||
	    ftruncate(fd, LAST + (off_t)PAGE) || close(fd))
		err(1, "%s", argv[1]);
	return 0;
}
