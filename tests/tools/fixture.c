// SPDX-License-Identifier: GPL-2.0
/*
 * fixture - what the tests of vmas need and a shell cannot make
 *
 * fixture elf FILE dyn|exec VADDR:OFFSET:FILESZ:MEMSZ:FLAGS...
 *	an ELF file that is nothing but headers, with these PT_LOADs
 * fixture auxv FILE TYPE=VALUE...
 *	an auxiliary vector
 * fixture map N
 *	maps N single pages of alternating protection and exits with them,
 *	from a second thread
 * fixture peak N
 *	the same, but they are gone again half a second later
 */
#include <elf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int make_elf(int argc, char **argv)
{
	Elf64_Ehdr eh = {
		.e_ident = ELFMAG "\2\1\1",
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(eh),
		.e_ehsize = sizeof(eh),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = argc - 2,
	};
	FILE *f = fopen(argv[0], "w");
	int i;

	if (!f || argc < 3)
		return 1;
	eh.e_type = strcmp(argv[1], "dyn") ? ET_EXEC : ET_DYN;
	fwrite(&eh, sizeof(eh), 1, f);
	for (i = 2; i < argc; i++) {
		unsigned long v[4];
		Elf64_Phdr ph = { .p_type = PT_LOAD, .p_align = 4096 };
		char flags[4];

		if (sscanf(argv[i], "%lx:%lx:%lx:%lx:%3s", &v[0], &v[1], &v[2],
			   &v[3], flags) != 5)
			return 1;
		ph.p_vaddr = v[0];
		ph.p_offset = v[1];
		ph.p_filesz = v[2];
		ph.p_memsz = v[3];
		if (strchr(flags, 'r'))
			ph.p_flags |= PF_R;
		if (strchr(flags, 'w'))
			ph.p_flags |= PF_W;
		if (strchr(flags, 'x'))
			ph.p_flags |= PF_X;
		fwrite(&ph, sizeof(ph), 1, f);
	}
	return fclose(f) != 0;
}

static int make_auxv(int argc, char **argv)
{
	FILE *f = fopen(argv[0], "w");
	unsigned long v[2];
	int i;

	if (!f)
		return 1;
	for (i = 1; i < argc; i++) {
		if (sscanf(argv[i], "%lu=%lx", &v[0], &v[1]) != 2)
			return 1;
		fwrite(v, sizeof(v), 1, f);
	}
	memset(v, 0, sizeof(v));
	fwrite(v, sizeof(v), 1, f);
	return fclose(f) != 0;
}

static char *pages;
static long nr_pages, page_size;

static void protect(void)
{
	long i;

	page_size = sysconf(_SC_PAGESIZE);
	pages = mmap(NULL, nr_pages * page_size, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		exit(1);
	for (i = 0; i < nr_pages; i += 2)
		if (mprotect(pages + i * page_size, page_size, PROT_READ))
			exit(1);
}

static void *end_process(void *arg)
{
	(void)arg;
	exit(5);
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc > 3 && !strcmp(argv[1], "elf"))
		return make_elf(argc - 2, argv + 2);
	if (argc > 2 && !strcmp(argv[1], "auxv"))
		return make_auxv(argc - 2, argv + 2);
	if (argc != 3)
		return 2;
	nr_pages = atol(argv[2]);
	protect();
	if (!strcmp(argv[1], "peak")) {
		usleep(500000);
		return munmap(pages, nr_pages * page_size) != 0;
	}
	if (pthread_create(&thread, NULL, end_process, NULL))
		return 1;
	pthread_join(thread, NULL);
	return 1;
}
