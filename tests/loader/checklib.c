// SPDX-License-Identifier: GPL-2.0
/*
 * checklib [OPTION]... LIBRARY...: is the shared object mapped as its ELF
 * headers say?
 *
 * Loads each LIBRARY, derives from the file what every page of it must be
 * (protection, file offset or anonymous, contents), and compares that with
 * /proc/self/smaps, with the memory as this program and as the kernel
 * (/proc/self/mem) read it, and with what an access that is not allowed does.
 * Then it writes to every writable page and looks at everything again.
 *
 * On stdout, to be compared with what the same says under another loader:
 *   run START END PERMS OFFSET	equal neighbours joined, relative to the base
 *   raw START END PERMS OFFSET	the entries of /proc/self/smaps as they are
 *   vmas N			entries without "mc" in VmFlags
 *   base ADDRESS		where the object is
 * Complaints go to stderr; the exit status is 1 if there were any.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE_UP(x)	(((x) + page - 1) & -page)
#define PAGE_DOWN(x)	((x) & -page)

enum { HOW_DLOPEN, HOW_DLMOPEN, HOW_LOADED };

struct page_info {
	int prot;		/* PROT_* */
	bool anon;
	uint64_t offset;	/* of the page in the file, unless anon */
};

struct entry {			/* of smaps, clipped to the object */
	uint64_t start, end;	/* relative to the object */
	char perms[5];
	uint64_t offset;
	bool anon;
	bool mp, mc;		/* run of a multi-protection VMA; not its first */
};

struct object {
	const char *path;
	uint8_t *file;
	size_t file_size;
	const Elf64_Ehdr *ehdr;
	const Elf64_Phdr *phdr;
	uint64_t lo, hi;	/* addresses in the file, whole pages */
	uint8_t *mem;		/* where LO is */
	struct page_info *pages;
	uint8_t *expect, *mask;	/* contents; mask 0: not to be compared */
	struct entry *entries;
	int nentries;
};

static uint64_t page;
static int failures;
static bool after_writes;
static bool layout_only;	/* the object is in use: do not touch it */
static int dlopen_mode = RTLD_NOW;

#define complain(obj, fmt, ...) do {					\
	if (failures++ < 20)						\
		fprintf(stderr, "# %s%s: " fmt "\n", (obj)->path,	\
			after_writes ? " (after writes)" : "",		\
			##__VA_ARGS__);					\
} while (0)

static void *must_alloc(size_t n, size_t size)
{
	void *p = calloc(n ?: 1, size);

	if (!p)
		err(1, "calloc");
	return p;
}

static void read_object(struct object *obj, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	memset(obj, 0, sizeof(*obj));
	obj->path = path;
	if (fd < 0 || fstat(fd, &st))
		err(1, "%s", path);
	/* Not mmap: the entries of that would look like the object's own. */
	obj->file = must_alloc(PAGE_UP(st.st_size), 1);
	obj->file_size = st.st_size;
	if (read(fd, obj->file, st.st_size) != st.st_size)
		err(1, "%s", path);
	close(fd);
	obj->ehdr = (void *)obj->file;
	obj->phdr = (void *)(obj->file + obj->ehdr->e_phoff);

	obj->lo = UINT64_MAX;
	for (int i = 0; i < obj->ehdr->e_phnum; i++) {
		const Elf64_Phdr *ph = &obj->phdr[i];

		if (ph->p_type != PT_LOAD)
			continue;
		if (obj->lo > PAGE_DOWN(ph->p_vaddr))
			obj->lo = PAGE_DOWN(ph->p_vaddr);
		if (obj->hi < PAGE_UP(ph->p_vaddr + ph->p_memsz))
			obj->hi = PAGE_UP(ph->p_vaddr + ph->p_memsz);
	}
}

static void free_object(struct object *obj)
{
	free(obj->file);
	free(obj->pages);
	free(obj->expect);
	free(obj->mask);
	free(obj->entries);
}

/* The file's contents for one page; what is behind its end reads as zero. */
static void expect_from_file(struct object *obj, uint64_t vaddr, uint64_t offset)
{
	uint8_t *to = obj->expect + (vaddr - obj->lo);
	uint64_t n = 0;

	if (offset < PAGE_UP(obj->file_size))
		n = page;
	memset(to, 0, page);
	memcpy(to, obj->file + offset, n);
	/* Beyond the end of the file there is nothing to be read (SIGBUS). */
	memset(obj->mask + (vaddr - obj->lo), n ? 0xff : 0, page);
}

static struct page_info *page_of(struct object *obj, uint64_t vaddr)
{
	return &obj->pages[(vaddr - obj->lo) / page];
}

/* Address in the file -> pointer into the file's contents. */
static void *at_vaddr(struct object *obj, uint64_t vaddr)
{
	for (int i = 0; i < obj->ehdr->e_phnum; i++) {
		const Elf64_Phdr *ph = &obj->phdr[i];

		if (ph->p_type == PT_LOAD && vaddr >= ph->p_vaddr &&
		    vaddr < ph->p_vaddr + ph->p_filesz)
			return obj->file + ph->p_offset + (vaddr - ph->p_vaddr);
	}
	errx(1, "%s: address %#lx is in no segment", obj->path, vaddr);
}

static void expect_relocations(struct object *obj)
{
	uint64_t base = (uint64_t)obj->mem - obj->lo;
	uint64_t table[3] = { 0 }, size[3] = { 0 };
	const Elf64_Phdr *ph = obj->phdr;

	while (ph->p_type != PT_DYNAMIC)
		if (++ph == obj->phdr + obj->ehdr->e_phnum)
			errx(1, "%s: no dynamic section", obj->path);
	/* ld.so relocates the addresses in there, for itself and debuggers. */
	if (ph->p_flags & PF_W)
		memset(obj->mask + (ph->p_vaddr - obj->lo), 0, ph->p_memsz);

	const Elf64_Dyn *dyn = (void *)(obj->file + ph->p_offset);

	for (; dyn->d_tag != DT_NULL; dyn++) {
		switch (dyn->d_tag) {
		case DT_RELA:		table[0] = dyn->d_un.d_val; break;
		case DT_RELASZ:		size[0] = dyn->d_un.d_val; break;
		case DT_JMPREL:		table[1] = dyn->d_un.d_val; break;
		case DT_PLTRELSZ:	size[1] = dyn->d_un.d_val; break;
		case 36 /* DT_RELR */:
			errx(1, "%s: DT_RELR is not understood", obj->path);
		case DT_PLTGOT:
			/* GOT[1] and GOT[2], for lazy binding. */
			memset(obj->mask + (dyn->d_un.d_val - obj->lo), 0, 24);
			break;
		}
	}
	for (int i = 0; i < 2; i++) {
		const Elf64_Rela *rela = size[i] ? at_vaddr(obj, table[i]) : NULL;

		for (uint64_t n = size[i] / sizeof(*rela); n; n--, rela++) {
			uint64_t to = rela->r_offset - obj->lo;
			uint64_t value = base + rela->r_addend;

			if (ELF64_R_TYPE(rela->r_info) == R_X86_64_RELATIVE)
				memcpy(obj->expect + to, &value, 8);
			else
				memset(obj->mask + to, 0, 8);
		}
	}
}

/* What each page must be, by the headers: the loader's rules in plain. */
static void expect_from_headers(struct object *obj)
{
	const Elf64_Phdr *first = NULL, *relro = NULL;
	uint64_t n = (obj->hi - obj->lo) / page;

	obj->pages = must_alloc(n, sizeof(*obj->pages));
	obj->expect = must_alloc(n, page);
	obj->mask = must_alloc(n, page);

	for (int i = 0; i < obj->ehdr->e_phnum; i++) {
		const Elf64_Phdr *ph = &obj->phdr[i];

		if (ph->p_type == PT_GNU_RELRO)
			relro = ph;
		if (ph->p_type != PT_LOAD)
			continue;

		int prot = (ph->p_flags & PF_R ? PROT_READ : 0) |
			   (ph->p_flags & PF_W ? PROT_WRITE : 0) |
			   (ph->p_flags & PF_X ? PROT_EXEC : 0);
		uint64_t mapstart = PAGE_DOWN(ph->p_vaddr);
		uint64_t dataend = ph->p_vaddr + ph->p_filesz;
		uint64_t allocend = ph->p_vaddr + ph->p_memsz;
		uint64_t a;

		/* More of the file than of memory: what is behind is not looked at. */
		if (dataend > obj->hi)
			dataend = obj->hi;

		if (!first) {
			/* Holes: the first mapping, made inaccessible. */
			first = ph;
			for (a = obj->lo; a < obj->hi; a += page) {
				page_of(obj, a)->offset =
					PAGE_DOWN(ph->p_offset) + (a - obj->lo);
				expect_from_file(obj, a, page_of(obj, a)->offset);
			}
		}
		for (a = mapstart; a < PAGE_UP(dataend); a += page) {
			uint64_t offset = PAGE_DOWN(ph->p_offset) + (a - mapstart);

			*page_of(obj, a) = (struct page_info){ prot, false, offset };
			expect_from_file(obj, a, offset);
		}
		if (allocend > dataend) {
			uint64_t zeroend = PAGE_UP(dataend);

			if (zeroend > allocend)
				zeroend = allocend;
			memset(obj->expect + (dataend - obj->lo), 0, zeroend - dataend);
		}
		for (a = PAGE_UP(dataend); a < allocend; a += page) {
			*page_of(obj, a) = (struct page_info){ prot, true, 0 };
			memset(obj->expect + (a - obj->lo), 0, page);
			memset(obj->mask + (a - obj->lo), 0xff, page);
		}
	}
	expect_relocations(obj);
	if (relro)
		for (uint64_t a = PAGE_DOWN(relro->p_vaddr);
		     a < PAGE_DOWN(relro->p_vaddr + relro->p_memsz); a += page)
			page_of(obj, a)->prot = PROT_READ;
}

static void read_smaps(struct object *obj)
{
	char line[PATH_MAX + 256];
	struct entry *e = NULL;
	uint64_t start, end, offset, inode;
	char perms[5];
	FILE *f = fopen("/proc/self/smaps", "re");

	if (!f)
		err(1, "/proc/self/smaps");
	free(obj->entries);
	obj->entries = must_alloc((obj->hi - obj->lo) / page, sizeof(*e));
	obj->nentries = 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %4s %lx %*s %lu",
			   &start, &end, perms, &offset, &inode) == 5) {
			uint64_t lo = (uint64_t)obj->mem;
			uint64_t hi = lo + (obj->hi - obj->lo);

			e = NULL;
			if (end <= lo || start >= hi)
				continue;
			e = &obj->entries[obj->nentries++];
			e->anon = !inode;
			/* The neighbours of bss may belong to the same VMA. */
			if (start < lo) {
				offset += lo - start;
				start = lo;
			}
			if (end > hi)
				end = hi;
			e->start = start - lo;
			e->end = end - lo;
			e->offset = e->anon ? 0 : offset;
			strcpy(e->perms, perms);
		} else if (e && !strncmp(line, "VmFlags:", 8)) {
			e->mp = strstr(line, " mp");
			e->mc = strstr(line, " mc");
		}
	}
	fclose(f);
}

static const char *perms_of(int prot)
{
	static char perms[5];

	snprintf(perms, sizeof(perms), "%c%c%cp", prot & PROT_READ ? 'r' : '-',
		 prot & PROT_WRITE ? 'w' : '-', prot & PROT_EXEC ? 'x' : '-');
	return perms;
}

static void check_smaps(struct object *obj)
{
	const struct entry *e = obj->entries;

	for (uint64_t a = obj->lo; a < obj->hi; a += page) {
		const struct page_info *pi = page_of(obj, a);
		uint64_t at = a - obj->lo;

		while (e < obj->entries + obj->nentries && e->end <= at)
			e++;
		if (e == obj->entries + obj->nentries || e->start > at)
			complain(obj, "%#lx: no entry in maps", a);
		else if (strcmp(e->perms, perms_of(pi->prot)))
			complain(obj, "%#lx: is %s, must be %s", a, e->perms,
				 perms_of(pi->prot));
		else if (e->anon != pi->anon)
			complain(obj, "%#lx: is %s", a, e->anon ? "anonymous" : "file");
		else if (!e->anon && e->offset + (at - e->start) != pi->offset)
			complain(obj, "%#lx: is at offset %#lx, must be %#lx", a,
				 e->offset + (at - e->start), pi->offset);
	}
}

static sigjmp_buf fault_jump;
static volatile sig_atomic_t fault_expected, fault_signal, fault_code;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (!fault_expected) {
		fprintf(stderr, "# unexpected signal %d at %p\n", sig, info->si_addr);
		_exit(3);
	}
	fault_signal = sig;
	fault_code = info->si_code;
	siglongjmp(fault_jump, 1);
}

enum access { ACCESS_READ, ACCESS_WRITE };

/* Returns the signal, 0 for none, of one access to a byte. */
static int try_access(volatile uint8_t *p, enum access access)
{
	fault_signal = 0;
	if (sigsetjmp(fault_jump, 1)) {
		fault_expected = 0;
		return fault_signal;
	}
	fault_expected = 1;
	switch (access) {
	case ACCESS_READ:
		(void)*p;
		break;
	case ACCESS_WRITE:
		*p = *p;
		break;
	}
	fault_expected = 0;
	return 0;
}

static void check_contents(struct object *obj)
{
	uint8_t *buf = must_alloc(1, page);
	int memfd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

	for (uint64_t a = obj->lo; a < obj->hi; a += page) {
		const struct page_info *pi = page_of(obj, a);
		uint8_t *mem = obj->mem + (a - obj->lo);
		const uint8_t *expect = obj->expect + (a - obj->lo);
		const uint8_t *mask = obj->mask + (a - obj->lo);
		bool readable = pi->prot & PROT_READ;
		bool behind_file = !pi->anon && pi->offset >= PAGE_UP(obj->file_size);

		/* Write-only and execute-only can be more, by the hardware. */
		if (pi->prot && !readable && !behind_file)
			readable = !try_access(mem, ACCESS_READ);
		for (int how = 0; how < 2; how++) {
			if (behind_file || (how == 0 && !readable))
				continue;
			if (how == 0)
				memcpy(buf, mem, page);
			else if (memfd < 0 || pread(memfd, buf, page,
				(off_t)mem) != (ssize_t)page) {
				/* Only pages that are not readable may refuse. */
				if (memfd >= 0 && (pi->prot & PROT_READ))
					complain(obj, "%#lx: /proc/self/mem: %m", a);
				continue;
			}
			for (uint64_t i = 0; i < page; i++) {
				if ((buf[i] ^ expect[i]) & mask[i]) {
					complain(obj, "%#lx: %s %#x, must be %#x", a + i,
						 how ? "kernel reads" : "contains",
						 buf[i], expect[i]);
					break;
				}
			}
		}
	}
	if (memfd >= 0)
		close(memfd);
	free(buf);
}

static void check_faults(struct object *obj)
{
	for (uint64_t a = obj->lo; a < obj->hi; a += page) {
		const struct page_info *pi = page_of(obj, a);
		uint8_t *mem = obj->mem + (a - obj->lo);

		/* Execute-only is a protection key where the CPU has them. */
		if (!(pi->prot & PROT_WRITE) &&
		    (try_access(mem, ACCESS_WRITE) != SIGSEGV ||
		     (fault_code != SEGV_ACCERR &&
		      (fault_code != SEGV_PKUERR || pi->prot != PROT_EXEC))))
			complain(obj, "%#lx: write: signal %d, si_code %d", a,
				 fault_signal, fault_code);
		if (!pi->prot &&
		    (try_access(mem, ACCESS_READ) != SIGSEGV ||
		     fault_code != SEGV_ACCERR))
			complain(obj, "%#lx: read: signal %d, si_code %d", a,
				 fault_signal, fault_code);
	}
}

static void check_call(struct object *obj, void *handle)
{
	int (*answer)(void) = handle ? (int (*)(void))dlsym(handle, "answer") : NULL;

	if (answer && answer() != 42)
		complain(obj, "answer() is wrong");
}

/* Private means private: nothing but these bytes changes. */
static void write_everywhere(struct object *obj)
{
	for (uint64_t a = obj->lo; a < obj->hi; a += page) {
		const struct page_info *pi = page_of(obj, a);
		uint64_t at = a - obj->lo;

		if (!(pi->prot & PROT_WRITE) ||
		    (!pi->anon && pi->offset >= PAGE_UP(obj->file_size)))
			continue;
		for (uint64_t i = at; i < at + page; i++) {
			if (!obj->mask[i])
				continue;	/* ld.so still needs these */
			obj->mem[i] = ~obj->mem[i];
			obj->expect[i] = ~obj->expect[i];
		}
	}
}

static void report(struct object *obj)
{
	const struct entry *e = obj->entries, *end = e + obj->nentries;
	int vmas = 0;

	for (const struct entry *n; e < end; e = n) {
		uint64_t stop = e->end;

		for (n = e + 1; n < end && n->start == stop; n++) {
			if (strcmp(n->perms, e->perms) || n->anon != e->anon ||
			    (!n->anon && n->offset != e->offset + (n->start - e->start)))
				break;
			stop = n->end;
		}
		printf("run %lx %lx %s ", e->start, stop, e->perms);
		if (e->anon)
			printf("anon\n");
		else
			printf("%lx\n", e->offset);
	}
	for (e = obj->entries; e < end; e++) {
		if (!e->mc)
			vmas++;
		printf("raw %lx %lx %s %lx\n", e->start, e->end, e->perms, e->offset);
	}
	printf("vmas %d\n", vmas);
	for (e = obj->entries; e < end; e++)
		if ((e->mc && !e->mp) || (e->mc && e == obj->entries))
			complain(obj, "VmFlags are inconsistent");

}

/* The lowest address that PATH is mapped at. */
static uint8_t *find_mapping(const char *path)
{
	char line[PATH_MAX + 256], name[PATH_MAX];
	uint64_t start;
	uint8_t *found = NULL;
	FILE *f = fopen("/proc/self/maps", "re");

	if (!f)
		err(1, "/proc/self/maps");
	while (!found && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%*x %*s %*s %*s %*s %4095s", &start, name) == 2 &&
		    !strcmp(name, path))
			found = (uint8_t *)start;
	fclose(f);
	return found;
}

static void check_library(const char *path, int how)
{
	struct object obj;
	void *handle = NULL;
	uint64_t align = page;

	read_object(&obj, path);
	printf("library %s\n", strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	if (how == HOW_LOADED) {
		char *real = realpath(path, NULL);

		obj.mem = find_mapping(real);
		free(real);
		if (!obj.mem)
			complain(&obj, "is not mapped");
	} else {
#ifdef STATIC
		handle = dlopen(path, dlopen_mode);
#else
		handle = how == HOW_DLMOPEN ?
			dlmopen(LM_ID_NEWLM, path, dlopen_mode) :
			dlopen(path, dlopen_mode);
#endif
		if (handle)
			obj.mem = (uint8_t *)(((struct link_map *)handle)->l_addr + obj.lo);
		else
			/* May be right: the comparison decides. */
			printf("failed %s\n", dlerror());
	}
	if (!obj.mem)
		goto out;
	printf("base %p\n", obj.mem);

	for (int i = 0; i < obj.ehdr->e_phnum; i++)
		if (obj.phdr[i].p_type == PT_LOAD && obj.phdr[i].p_align > align)
			align = obj.phdr[i].p_align;
	if (((uint64_t)obj.mem - obj.lo) % align)
		complain(&obj, "base %p is not aligned to %#lx", obj.mem, align);

	after_writes = false;
	expect_from_headers(&obj);
	read_smaps(&obj);
	check_smaps(&obj);
	if (layout_only) {
		report(&obj);
		goto out;
	}
	check_contents(&obj);
	check_faults(&obj);
	check_call(&obj, handle);
	report(&obj);

	write_everywhere(&obj);
	after_writes = true;
	read_smaps(&obj);
	check_smaps(&obj);
	check_contents(&obj);
	check_faults(&obj);
	/* Back again: ld.so's tables may be among what was written. */
	write_everywhere(&obj);
	check_call(&obj, handle);

	if (handle) {
		dlclose(handle);
		read_smaps(&obj);
		if (obj.nentries)
			for (int i = 0; i < obj.nentries; i++)
				if (!obj.entries[i].anon)
					complain(&obj, "still mapped after dlclose");
	}
out:
	free_object(&obj);
	fflush(stdout);
}

/* The number of VMAs of this process; on a stock kernel a line is a VMA. */
static long count_vmas(void)
{
	char line[PATH_MAX + 256];
	long n = -1;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "VmaCount: %ld", &n);
	if (f)
		fclose(f);
	if (n >= 0)
		return n;
	n = 0;
	f = fopen("/proc/self/maps", "re");
	while (f && fgets(line, sizeof(line), f))
		n++;
	if (f)
		fclose(f);
	return n;
}

/* Is this one of the slab caches that a VMA costs? */
static bool is_vma_cache(const char *name)
{
	static const char *const caches[] = {
		"vm_area_struct", "vma_lock", "anon_vma", "anon_vma_chain",
		"maple_node",
	};

	for (size_t i = 0; i < sizeof(caches) / sizeof(caches[0]); i++)
		if (!strcmp(name, caches[i]))
			return true;
	return !strncmp(name, "vma_run", strlen("vma_run"));
}

/*
 * What is freed after a grace period, or lies in a processor's own slabs,
 * counts as in use: wait for the one, and take back the other.
 */
static void settle_slab(void)
{
	DIR *dir = opendir("/sys/kernel/slab");
	struct dirent *entry;
	char path[512];
	int fd;

	for (int i = 0; i < 3; i++) {
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
		usleep(100000);
	}
	while (dir && (entry = readdir(dir))) {
		if (!is_vma_cache(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", entry->d_name);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0 && write(fd, "1", 1) != 1)
			warn("%s", path);
		if (fd >= 0)
			close(fd);
	}
	if (dir)
		closedir(dir);
}

/* Objects in use in the slab caches that a VMA costs. */
static long count_slab(void)
{
	char line[1024], name[64];
	long sum = 0, n;
	FILE *f;

	settle_slab();
	f = fopen("/proc/slabinfo", "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %ld", name, &n) == 2 && is_vma_cache(name))
			sum += n;
	fclose(f);
	return sum;
}

static void check_loop(char **paths, long times)
{
	long vmas = 0, slab = 0, vmas_end, slab_end;

	/* The first rounds fill malloc's and the kernel's caches. */
	for (long i = -100; i < times; i++) {
		if (!i) {
			vmas = count_vmas();
			slab = count_slab();
		}
		for (char **path = paths; *path; path++) {
			void *handle = dlopen(*path, RTLD_NOW);

			if (!handle)
				errx(1, "%s", dlerror());
			if (dlclose(handle))
				errx(1, "%s", dlerror());
		}
	}
	vmas_end = count_vmas();
	slab_end = count_slab();
	fprintf(stderr, "# %ld times: VMAs %ld -> %ld, slab objects %ld -> %ld\n",
		times, vmas, vmas_end, slab, slab_end);
	if (vmas_end != vmas)
		failures++;
	/* One leaked in every round would be TIMES; others work here as well. */
	if (slab_end - slab > times / 2)
		failures++;
}

/* All at once: how many VMAs more does the kernel count? */
static void check_together(char **paths)
{
	long before = count_vmas();
	int n = 0;

	for (; paths[n]; n++)
		if (!dlopen(paths[n], RTLD_NOW))
			errx(1, "%s", dlerror());
	printf("objects %d\nvmas %ld\n", n, count_vmas() - before);
}

/* What /proc/self/maps says of the page at P: permissions, "none" if nothing. */
static const char *perms_at(const void *p)
{
	static char perms[5];
	char line[PATH_MAX + 256];
	uint64_t start, end;
	FILE *f = fopen("/proc/self/maps", "re");

	if (!f)
		err(1, "/proc/self/maps");
	strcpy(perms, "none");
	while (fgets(line, sizeof(line), f)) {
		char found[5];

		if (sscanf(line, "%lx-%lx %4s", &start, &end, found) == 3 &&
		    (uint64_t)p >= start && (uint64_t)p < end)
			strcpy(perms, found);
	}
	fclose(f);
	return perms;
}

struct stayer {
	pthread_t thread;
	pthread_barrier_t barrier;	/* when it has begun, when it may end */
	void *stack;
};

static void *stay(void *arg)
{
	struct stayer *me = arg;
	int on_stack;

	me->stack = &on_stack;
	pthread_barrier_wait(&me->barrier);
	pthread_barrier_wait(&me->barrier);
	return NULL;
}

static void begin_stayer(struct stayer *s)
{
	pthread_barrier_init(&s->barrier, NULL, 2);
	if (pthread_create(&s->thread, NULL, stay, s))
		errx(1, "no thread");
	pthread_barrier_wait(&s->barrier);
}

/*
 * Do the stacks become executable with an object that asks for it?  That of
 * the program, of a thread that runs, of one that has ended (it is cached), and
 * of those that are made later; the guard below must not.
 */
static void check_stacks(const char *path)
{
	struct stayer running, ended, later[3];
	pthread_attr_t attr;
	void *low;
	size_t size;

	begin_stayer(&running);
	begin_stayer(&ended);
	pthread_barrier_wait(&ended.barrier);
	pthread_join(ended.thread, NULL);
	pthread_getattr_np(running.thread, &attr);
	pthread_attr_getstack(&attr, &low, &size);

	for (int i = 0; i < 2; i++) {
		printf("stack %s: %s", i ? "after" : "before", perms_at(&attr));
		printf(" running %s", perms_at(running.stack));
		printf(" ended %s", perms_at(ended.stack));
		printf(" guard %s\n", perms_at((char *)low - 1));
		if (!i && !dlopen(path, RTLD_NOW)) {
			printf("failed %s\n", dlerror());
			break;
		}
	}
	/* The first of these gets the stack of the one that has ended. */
	for (int i = 0; i < 3; i++) {
		begin_stayer(&later[i]);
		printf("stack later: %s\n", perms_at(later[i].stack));
	}
	fflush(stdout);
	_exit(0);
}

/* The file loses all but KEEP bytes while it is mapped: what can be read? */
static void check_shrink(const char *path, off_t keep)
{
	struct object obj;
	void *handle;

	read_object(&obj, path);
	handle = dlopen(path, RTLD_NOW);
	if (!handle)
		errx(1, "%s", dlerror());
	obj.mem = (uint8_t *)(((struct link_map *)handle)->l_addr + obj.lo);
	if (truncate(path, keep))
		err(1, "%s", path);
	for (uint64_t a = obj.lo; a < obj.hi; a += page) {
		int sig = try_access(obj.mem + (a - obj.lo), ACCESS_READ);

		printf("shrunk %lx signal %d code %d\n", a, sig, sig ? fault_code : 0);
	}
	/* Without its destructors, which are gone. */
	fflush(stdout);
	_exit(0);
}

struct held {
	pthread_t thread;
	pthread_barrier_t barrier;	/* when it has LISTENER */
	const char *path;
	void *handle;
	int listener;
};

/*
 * Loads the library, and has to ask at LISTENER before the first mapping of a
 * file; those of its segments have MAP_FIXED.
 */
static void *load_held(void *arg)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_FIXED | MAP_ANONYMOUS, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = filter,
	};
	struct held *me = arg;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	me->listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			       SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
	pthread_barrier_wait(&me->barrier);
	if (me->listener >= 0)
		me->handle = dlopen(me->path, RTLD_NOW);
	return NULL;
}

/*
 * Another thread is about to map HELD when a child is forked, which loads the
 * libraries: what the loader knows of HELD must not matter there.
 */
static void check_forked(const char *held, char **paths)
{
	struct held h = { .path = held };
	struct seccomp_notif ask = { 0 };
	int status = -1;

	pthread_barrier_init(&h.barrier, NULL, 2);
	if (pthread_create(&h.thread, NULL, load_held, &h))
		errx(1, "no thread");
	pthread_barrier_wait(&h.barrier);
	if (h.listener < 0)
		errx(99, "no seccomp notifications");
	if (ioctl(h.listener, SECCOMP_IOCTL_NOTIF_RECV, &ask))
		err(1, "%s does not begin to be mapped", held);
	if (!fork()) {
		for (; *paths; paths++)
			check_library(*paths, HOW_DLOPEN);
		exit(failures != 0);
	}
	/* Not the end here: exit needs the lock that the thread has. */
	if (wait(&status) < 0 || status) {
		warnx("the child's status is %#x", status);
		failures++;
	}

	struct seccomp_notif_resp go_on = {
		.id = ask.id,
		.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE,
	};

	if (ioctl(h.listener, SECCOMP_IOCTL_NOTIF_SEND, &go_on))
		err(1, "%s", held);
	pthread_join(h.thread, NULL);
	if (!h.handle)
		errx(1, "%s is not loaded", held);
}

/* The vDSO is an object that ld.so has not mapped. */
static int show_vdso(struct dl_phdr_info *info, size_t size, void *vdso)
{
	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD &&
		    info->dlpi_addr + info->dlpi_phdr[i].p_vaddr == (uint64_t)vdso)
			printf("vdso %s %s\n", info->dlpi_name, perms_at(vdso));
	return 0;
}

static void check_vdso(void)
{
	void *vdso = (void *)getauxval(AT_SYSINFO_EHDR);

	if (!vdso)
		return;
	dl_iterate_phdr(show_vdso, vdso);
#ifndef STATIC
	void *handle = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
	int (*gettime)(clockid_t id, struct timespec *ts);
	struct timespec ts = { 0, -1 };

	gettime = handle ? (int (*)(clockid_t, struct timespec *))
		dlsym(handle, "__vdso_clock_gettime") : NULL;
	printf("vdso clock_gettime at %#lx\n", gettime ? (char *)gettime - (char *)vdso : -1L);
	if (gettime && (gettime(CLOCK_MONOTONIC, &ts) || ts.tv_nsec < 0))
		failures++;
#endif
}

int main(int argc, char **argv)
{
	int how = HOW_DLOPEN, opt;
	long loop = 0;
	off_t keep = -1;
	const char *held = NULL;
	bool together = false, features = false, stacks = false, vdso = false;
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	while ((opt = getopt(argc, argv, "fk:l:nmps:tvxz")) != -1) {
		switch (opt) {
		case 'f':	features = true; break;	  /* tell the kernel's */
		case 'k':	held = optarg; break;	  /* see check_forked */
		case 'l':	loop = atol(optarg); break; /* dlopen, dlclose */
		case 'n':	how = HOW_LOADED; break;  /* by somebody else */
		case 'm':	how = HOW_DLMOPEN; break;
		case 'p':	how = HOW_LOADED; layout_only = true; break;
		case 's':	keep = atol(optarg); break; /* of the file */
		case 't':	together = true; break;
		case 'v':	vdso = true; break;
		case 'x':	stacks = true; break;	  /* executable ones */
		case 'z':	dlopen_mode = RTLD_LAZY; break;
		default:
			errx(2, "usage: checklib [-fvz] [-k HELD | -l TIMES | -n | -m | -p | -s BYTES | -t | -x] LIBRARY...");
		}
	}
	page = sysconf(_SC_PAGESIZE);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);

	if (features) {
		printf("at_flags %#lx\nat_secure %lu\n", getauxval(AT_FLAGS),
		       getauxval(AT_SECURE));
		return 0;
	}
	if (vdso)
		check_vdso();
	else if (held)
		check_forked(held, argv + optind);
	else if (stacks)
		check_stacks(argv[optind]);
	else if (keep >= 0)
		check_shrink(argv[optind], keep);
	else if (loop)
		check_loop(argv + optind, loop);
	else if (together)
		check_together(argv + optind);
	else
		for (char **path = argv + optind; *path; path++)
			check_library(*path, how);
	return failures != 0;
}
