// SPDX-License-Identifier: GPL-2.0
/*
 * PROT_EXEC: execution by run, PR_SET_MDWE, READ_IMPLIES_EXEC, noexec mounts,
 * code that is written and then run.
 */
#include "manyprots_util.h"
#include <elf.h>
#include <link.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/resource.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif

MP_LIBRARY_FIXTURE(lib)

/* Does this machine tell execution from reading at all? User-mode Linux on x86 does not. */
static bool nx(void)
{
	char *m = mmap(NULL, PS, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r;

	memcpy(m, MP_RET, 1);
	r = mp_exec(m);
	munmap(m, PS);
	return r == MP_ACCERR;
}

/* Code runs in the RX run, and nowhere else in the VMA. */
TEST_F(lib, executes_only_in_rx)
{
	char *m = self->p.base[MULTI];

	if (!MP_HAVE_EXEC || variant->where == MP_LOWER)
		SKIP(return, "no code of ours in these pages");
	EXPECT_EQ(0, mp_exec(m + LIB_RX * PS + MP_RET_OFFSET));
	EXPECT_EQ(0, mp_exec(m + (LIB_RX + 3) * PS + MP_RET_OFFSET));
	if (!nx())
		SKIP(return, "no NX here: read permission is execute permission");
	EXPECT_EQ(MP_ACCERR, mp_exec(m + MP_RET_OFFSET));
	EXPECT_EQ(MP_ACCERR, mp_exec(m + LIB_RO * PS + MP_RET_OFFSET));
	EXPECT_EQ(MP_ACCERR, mp_exec(m + LIB_HOLE * PS + MP_RET_OFFSET));
	EXPECT_EQ(MP_ACCERR, mp_exec(m + LIB_DATA * PS + MP_RET_OFFSET));
	/* Populated by reading, then executed; and the other way round. */
	EXPECT_EQ(0, mp_read(m + (LIB_RO + 1) * PS));
	EXPECT_EQ(MP_ACCERR, mp_exec(m + (LIB_RO + 1) * PS + MP_RET_OFFSET));
	ASSERT_EQ(0, mp_same(MP_EXECS));
	ASSERT_EQ(0, mp_same(MP_EXECS | MP_WRITES));
	ASSERT_EQ(0, mp_same(MP_EXECS));
}

/* A JIT: write, make executable, run, make writable. */
TEST_F(lib, jit)
{
	int i;

	if (!MP_HAVE_EXEC)
		SKIP(return, "no code of ours");
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_BSS * PS, 2 * PS, RW)));
		mp_both(&self->p, memcpy(b + LIB_BSS * PS + MP_RET_OFFSET, MP_RET, 1) == b);
		ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_BSS * PS, PS, RX)));
		ASSERT_EQ(0, mp_both(&self->p, mp_exec(b + LIB_BSS * PS + MP_RET_OFFSET)));
		ASSERT_EQ(MP_ACCERR, mp_both(&self->p, mp_put(b + LIB_BSS * PS, 1)));
	}
	ASSERT_EQ(0, mp_same(MP_EXECS));
	ASSERT_TRUE(mp_one_vma());
}

static int mdwe_child(void *arg)
{
	struct mp_pair *p = arg;
	int bad = 0;

	mp_dirty_library(p);
	if (prctl(PR_SET_MDWE, 1, 0, 0, 0))
		return 100;
	/* No gain of PROT_EXEC by mprotect. */
	bad += mp_both(p, mprotect(b, PS, RX)) != -EACCES;
	bad += mp_both(p, mprotect(b + LIB_DATA * PS, PS, RX)) != -EACCES;
	bad += mp_both(p, mprotect(b + LIB_BSS * PS, PS, RX)) != -EACCES;
	bad += mp_both(p, mprotect(b + LIB_RX * PS, PS, RW | X)) != -EACCES;
	bad += mp_both(p, mprotect(b + LIB_RX * PS, PS, RX)) != 0;
	/* Partial: the first runs are executable already. */
	mp_both(p, mprotect(b + (LIB_RX + 2) * PS, 4 * PS, X));
	mp_both(p, mprotect(b + LIB_RX * PS, PS, R));
	bad += mp_both(p, mprotect(b + LIB_RX * PS, PS, RX)) != -EACCES;
	if (!mp_stock) {
		char *m = p->base[MULTI];

		bad += mp_chg(p, LIB_RO, 1, RW | X, MP_FILE, 30) != -EACCES;
		bad += mp_chg(p, LIB_HOLE, 1, RW | X, MP_ANON, 0) != -EACCES;
		/* Nor by MAP_CHGPROT, though mmap() may: what has been written need not be open. */
		bad += mp_rfp(m + LIB_RO * PS, PS, RX, 20, MAP_CHGPROT) != -EACCES;
		bad += mp_rfp(m + LIB_HOLE * PS, PS, RX, LIB_HOLE, MAP_CHGPROT) != -EACCES;
		bad += mp_rfp(m + LIB_DATA * PS, PS, RX, 9, MAP_CHGPROT) != -EACCES;
	}
	if (bad)
		fprintf(stderr, "# %d wrong results under MDWE\n", bad);
	return bad + mp_same(MP_WRITES | MP_EXECS);
}

/* PR_SET_MDWE sees the run's permissions: clear VM_EXEC in vm_flags must not fail open or shut. */
TEST_F(lib, mdwe)
{
	int bad = mp_in_child(mdwe_child, &self->p);

	if (bad == 100)
		SKIP(return, "no PR_SET_MDWE");
	ASSERT_EQ(0, bad);
}

/*
 * Filters that keep apart what can be written to and what can be executed look at
 * mmap() and mprotect(), and so may not be got around by another call.
 */
struct filtered {
	char *library;
	bool filter;
};

static int filtered_child(void *arg)
{
	static struct sock_filter allow[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	static const struct sock_fprog prog = { 1, allow };
	int fd = memfd_create("shared", 0), want, bad = 0;
	struct filtered *f = arg;
	char *shared, *private;

	if (ftruncate(fd, 4 * PS))
		return 101;
	shared = mmap(NULL, 4 * PS, RW, MAP_SHARED, fd, 0);
	private = mmap(NULL, 4 * PS, R, MAP_PRIVATE, fd, 0);
	if (shared == MAP_FAILED || private == MAP_FAILED || mprotect(shared + 2 * PS, PS, RX))
		return 102;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (f->filter && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		return 103;
	want = f->filter ? -EACCES : 0;
	bad += mp_rfp(f->library + LIB_RO * PS, PS, RX, 6, MAP_CHGPROT) != 0;
	bad += mp_rfp(f->library + LIB_RO * PS, PS, RX, 20, MAP_CHGPROT) != 0;
	bad += mp_rfp(f->library + LIB_RX * PS, PS, RW | X, 2, MAP_CHGPROT) != want;
	bad += mp_rfp(f->library + LIB_RX * PS, PS, W | X, 20, MAP_CHGPROT) != want;
	bad += mp_rfp(f->library + LIB_HOLE * PS, PS, RW | X, 0,
		      MAP_CHGPROT | MAP_ANONYMOUS) != want;
	bad += mp_rfp(shared, PS, RX, 0, MAP_CHGPROT) != want;
	bad += mp_rfp(shared + PS, PS, RX, 0, MAP_CHGPROT) != want;
	bad += mp_rfp(private, PS, RX, 0, MAP_CHGPROT) != want;
	/* What is executable is not made so. */
	bad += mp_rfp(shared + 2 * PS, PS, RX, 2, MAP_CHGPROT) != 0;
	bad += mp_rfp(shared + 2 * PS, PS, RX, 1, MAP_CHGPROT) != want;
	munmap(shared, 4 * PS);
	bad += mp_rfp(private + PS, PS, RX, 0, MAP_CHGPROT) != 0;
	return bad;
}

TEST_F(lib, filtered)
{
	struct filtered f = { .library = self->p.base[MULTI] };

	if (mp_stock)
		SKIP(return, "is about the new call");
	EXPECT_EQ(0, mp_in_child(filtered_child, &f));
	f.filter = true;
	EXPECT_EQ(0, mp_in_child(filtered_child, &f));
}

static int read_implies_exec_child(void *arg)
{
	struct mp_pair *p = arg;

	personality(personality(-1) | READ_IMPLIES_EXEC);
	mp_both(p, mprotect(b + LIB_RELRO * PS, 3 * PS, R));
	mp_both(p, mprotect(b + LIB_HOLE * PS, PS, R));
	mp_both(p, mprotect(b + LIB_BSS * PS, PS, RW));
	mp_both(p, mprotect(b + LIB_BSS * PS + PS, PS, NONE));
	mp_chg(p, LIB_RX, 2, R, MP_FILE, 20);
	mp_chg(p, LIB_RO, 2, RW, MP_ANON, 0);
	mp_same(MP_WRITES | MP_EXECS);
	mp_map_runs(p, mp_library);
	return mp_same(MP_WRITES | MP_EXECS);
}

/* Old binaries: whatever is readable becomes executable, in maps too. */
TEST_F(lib, read_implies_exec)
{
	ASSERT_EQ(0, mp_in_child(read_implies_exec_child, &self->p));
}

/* A file on a noexec mount: EPERM where mmap gives it, EACCES where mprotect does. */
TEST(noexec_mount)
{
	char dir[] = "/tmp/manyprots-noexec.XXXXXX", name[64];
	static const struct mp_run runs[] = { { 4, R, MP_FILE, 0 }, { 4, RW, MP_FILE, 8 } };
	static struct mp_pair p;

	if (!mp_system() || unshare(CLONE_NEWNS) || !mkdtemp(dir) ||
	    mount("none", dir, "tmpfs", MS_NOEXEC, "size=1m"))
		SKIP(return, "cannot mount");
	snprintf(name, sizeof(name), "%s/file", dir);
	p.fd = open(name, O_RDWR | O_CREAT, 0600);
	EXPECT_GE(p.fd, 0);
	EXPECT_EQ(0, mp_write_pages(p.fd, 0, 32));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PS, RX, MAP_PRIVATE, p.fd, 0));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(0, mp_map_runs(&p, runs));
	EXPECT_EQ(-EACCES, mp_both(&p, mprotect(b, PS, RX)));
	EXPECT_EQ(-EACCES, mp_both(&p, mprotect(b + 4 * PS, PS, RX)));
	if (!mp_stock) {
		EXPECT_EQ(-EPERM, mp_rfp(p.base[MULTI], PS, RX, 0, MAP_CHGPROT));
		EXPECT_EQ(-EPERM, mp_rfp(p.base[MULTI], PS, RX, 20, MAP_CHGPROT));
		/* With a private copy there, mprotect's answer. */
		mp_both(&p, mp_put(b + 4 * PS, 1));
		EXPECT_EQ(-EACCES, mp_rfp(p.base[MULTI] + 4 * PS, PS, RX, 8, MAP_CHGPROT));
	}
	EXPECT_EQ(0, mp_same(MP_WRITES));
	/* mmap() would give what is mapped now no right to become executable. */
	mp_clear();
	EXPECT_EQ(0, mount("none", dir, NULL, MS_REMOUNT, NULL));
	EXPECT_EQ(0, mp_map_runs(&p, runs));
	EXPECT_EQ(0, mount("none", dir, NULL, MS_REMOUNT | MS_NOEXEC, NULL));
	if (!mp_stock) {
		EXPECT_EQ(-EPERM, mp_rfp(p.base[MULTI], PS, R, 20, MAP_CHGPROT));
		EXPECT_EQ(-EPERM, mp_rfp(p.base[MULTI] + 4 * PS, PS, RW, 20, MAP_CHGPROT));
		EXPECT_EQ(0, mp_rfp(p.base[MULTI], PS, R, 0, MAP_CHGPROT));
		EXPECT_EQ(0, mp_rfp(p.base[MULTI] + 7 * PS, PS, RW, 0,
				    MAP_CHGPROT | MAP_ANONYMOUS));
		mp_both(&p, side ? mmap(b + 7 * PS, PS, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
					-1, 0) == MAP_FAILED : 0);
	}
	EXPECT_EQ(0, mp_both(&p, mprotect(b + PS, PS, RX)));
	EXPECT_EQ(0, mp_same(MP_WRITES));
	mp_clear();
	close(p.fd);
	umount(dir);
	rmdir(dir);
}

/* Execute-only memory, where protection keys give it: mprotect(PROT_EXEC). */
TEST_F(lib, execute_only)
{
	if (!MP_HAVE_EXEC || variant->where == MP_LOWER)
		SKIP(return, "no code of ours in these pages");
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_RX * PS, 2 * PS, X)));
	ASSERT_EQ(0, mp_both(&self->p, mp_exec(b + LIB_RX * PS + MP_RET_OFFSET) & 0));
	ASSERT_EQ(0, mp_same(MP_EXECS));
	ASSERT_EQ(0, mp_chg(&self->p, LIB_RX, 1, X, MP_FILE, 30));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + (LIB_RX + 1) * PS, PS, R)));
	ASSERT_EQ(0, mp_same(MP_EXECS));
}

/* The lines of files in the maps of cat, run in a mode without randomised addresses. */
static int maps_of_cat(int mode, char *text, size_t size)
{
	size_t n = 0, keep = 0;
	int pipes[2], status;
	char *line;
	ssize_t r;
	pid_t pid;

	if (pipe(pipes))
		return -1;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		dup2(pipes[1], 1);
		personality(ADDR_NO_RANDOMIZE);
		prctl(PR_SET_MANYPROTS, mode, 0, 0, 0);
		execl("/bin/cat", "cat", "/proc/self/maps", "/proc/self/status", NULL);
		_exit(127);
	}
	close(pipes[1]);
	while ((r = read(pipes[0], text + n, size - 1 - n)) > 0)
		n += r;
	close(pipes[0]);
	text[n] = 0;
	if (waitpid(pid, &status, 0) != pid || status)
		return -1;
	line = strstr(text, "VmaCount:");
	r = line ? atoi(line + 9) : 0;
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		n = strlen(line);
		if (strchr(line, '/') && strchr(line, '-') < strchr(line, '/')) {
			memmove(text + keep, line, n);
			text[keep + n] = '\n';
			keep += n + 1;
		}
	}
	text[keep] = 0;
	return r;
}

/* The program and ld.so look as they always do, and are one VMA each. */
TEST(program_is_one_vma)
{
	static char off[65536], on[65536];
	int vmas_off, vmas_on;

	vmas_off = maps_of_cat(0, off, sizeof(off));
	vmas_on = maps_of_cat(1, on, sizeof(on));
	if (vmas_off < 0 || vmas_on < 0)
		SKIP(return, "no cat here");
	ASSERT_NE(NULL, strstr(on, "/cat\n"));
	EXPECT_STREQ(off, on);
	/* Five segments and four of each, at the least, less one VMA. */
	if (!mp_stock)
		EXPECT_LE(vmas_on + 7, vmas_off);
}

/* ---- programs made by hand ---- */

#ifdef __x86_64__
struct image {
	Elf64_Half type;	/* ET_EXEC or ET_DYN */
	unsigned long bss;	/* bytes behind its page of data */
	int interpreter;	/* descriptor of its program interpreter, or -1 */
	unsigned char status;	/* it exits with this */
	const Elf64_Phdr *loads; /* its segments, in place of text and data */
	size_t nr;
	unsigned long code;	/* where its code is in the file: 0 is behind the headers */
};

#define MAX_LOADS 5
#define IMAGE_PAGES 8

static unsigned long image_base(Elf64_Half type)
{
	return type == ET_EXEC ? 0x400000 : 0;
}

#define LOAD(flags, offset, vaddr, filesz, memsz)				\
	{ .p_type = PT_LOAD, .p_flags = (flags), .p_offset = (offset),		\
	  .p_vaddr = (vaddr), .p_filesz = (filesz), .p_memsz = (memsz), .p_align = 4096 }

/* A file of a few pages, text and data if nothing else is said, with the fewest headers. */
static int make_image(const struct image *i)
{
	Elf64_Phdr usual[] = {
		LOAD(PF_R | PF_X, 0, 0, 4096, 4096),
		LOAD(PF_R | PF_W, 4096, 4096, 4096, 4096 + i->bss),
	};
	const Elf64_Phdr *loads = i->loads ?: usual;
	size_t n, nr = i->loads ? i->nr : ARRAY_SIZE(usual);
	unsigned long base = image_base(i->type);
	struct {
		Elf64_Ehdr e;
		Elf64_Phdr p[MAX_LOADS + 1];
		char interpreter[32];
		unsigned char code[16];
	} *file;
	static char page[IMAGE_PAGES * 4096];
	unsigned char *code;
	int fd;

	memset(page, 0, sizeof(page));
	for (n = 1; n < IMAGE_PAGES; n++)
		memset(page + n * 4096, 'a' + n, 4096);
	file = (void *)page;
	memcpy(file->e.e_ident, ELFMAG, SELFMAG);
	file->e.e_ident[EI_CLASS] = ELFCLASS64;
	file->e.e_ident[EI_DATA] = ELFDATA2LSB;
	file->e.e_ident[EI_VERSION] = EV_CURRENT;
	file->e.e_type = i->type;
	file->e.e_machine = EM_X86_64;
	file->e.e_version = EV_CURRENT;
	code = i->code ? (void *)(page + i->code) : file->code;
	file->e.e_entry = base + ((char *)code - page);
	file->e.e_phoff = (char *)file->p - page;
	file->e.e_ehsize = sizeof(file->e);
	file->e.e_phentsize = sizeof(file->p[0]);
	for (n = 0; n < nr; n++) {
		file->p[n] = loads[n];
		file->p[n].p_vaddr += base;
	}
	if (i->interpreter >= 0) {
		snprintf(file->interpreter, sizeof(file->interpreter), "/proc/self/fd/%d",
			 i->interpreter);
		file->p[n++] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_flags = PF_R,
			.p_offset = file->interpreter - page,
			.p_filesz = strlen(file->interpreter) + 1 };
	}
	file->e.e_phnum = n;
	/* mov $60, %eax; mov $status, %edi; syscall */
	memcpy(code, "\xb8\x3c\0\0\0\xbf\0\0\0\0\x0f\x05", 12);
	code[6] = i->status;

	fd = memfd_create("image", 0);
	if (fd >= 0 && write(fd, page, sizeof(page)) != sizeof(page)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* The calling process is the program in @fd, in a mode. */
static void become_image(int fd, int mode)
{
	char *args[] = { "image", NULL };

	personality(ADDR_NO_RANDOMIZE);
	prctl(PR_SET_MANYPROTS, mode, 0, 0, 0);
	fexecve(fd, args, args + 1);
	_exit(127);
}

/* What becomes of the program in @fd, run in a mode with a limit on its data. */
static int run_image(int fd, int mode, unsigned long limit)
{
	struct rlimit data = { limit, limit };
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		setrlimit(RLIMIT_DATA, &data);
		become_image(fd, mode);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* Data and bss of a program count when it is started, and too much of them ends it. */
TEST(program_over_rlimit_data)
{
	static const Elf64_Half types[] = { ET_EXEC, ET_DYN };
	size_t i;

	for (i = 0; i < 2; i++) {
		int fd = make_image(&(struct image){ types[i], 64 << 20, -1, 3 });

		ASSERT_LE(0, fd);
		EXPECT_EQ(3 << 8, run_image(fd, 0, RLIM_INFINITY));
		EXPECT_EQ(3 << 8, run_image(fd, 1, RLIM_INFINITY));
		EXPECT_EQ(SIGSEGV, run_image(fd, 0, 16 << 20) & 0x7f);
		EXPECT_EQ(SIGSEGV, run_image(fd, 1, 16 << 20) & 0x7f);
		close(fd);
	}
}

/* Nor does it lie over what is there already: from its usual place up to the stack. */
TEST(program_over_its_stack)
{
	static const char knob[] = "/proc/sys/vm/overcommit_memory";
	char was[8];
	int fd, interpreter;

	if (!mp_system())
		SKIP(return, "needs another overcommit_memory");
	snprintf(was, sizeof(was), "%ld", mp_sysctl(knob));
	ASSERT_EQ(0, mp_sysctl_set(knob, "1"));
	interpreter = make_image(&(struct image){ ET_DYN, 0, -1, 7 });
	ASSERT_LE(0, interpreter);
	fd = make_image(&(struct image){ ET_DYN, 4096, interpreter, 3 });
	EXPECT_EQ(7 << 8, run_image(fd, 0, RLIM_INFINITY));
	EXPECT_EQ(7 << 8, run_image(fd, 1, RLIM_INFINITY));
	close(fd);
	fd = make_image(&(struct image){ ET_DYN, 0x7fffffffe000 - 0x555555556000, interpreter, 3 });
	EXPECT_EQ(SIGSEGV, run_image(fd, 0, RLIM_INFINITY) & 0x7f);
	EXPECT_EQ(SIGSEGV, run_image(fd, 1, RLIM_INFINITY) & 0x7f);
	close(fd);
	close(interpreter);
	mp_sysctl_set(knob, was);
}

/* What exec has made of a program, which has not run yet: it is traced. */
static pid_t stopped_image(int fd, int mode, const char *dir)
{
	struct rlimit core = { RLIM_INFINITY, RLIM_INFINITY };
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		if (dir && (chdir(dir) || setrlimit(RLIMIT_CORE, &core)))
			_exit(126);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		become_image(fd, mode);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return -1;
	return pid;
}

/* Where it says that text, data and brk are, and which of its memory is where. */
static int layout_of_image(int fd, int mode, char *text, size_t size)
{
	unsigned long field[48] = { 0 };
	char name[64], *p;
	int i, status;
	pid_t pid;

	pid = stopped_image(fd, mode, NULL);
	text[0] = 0;
	if (pid < 0)
		return -1;
	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	p = mp_slurp(name) > 0 ? strrchr(mp_text, ')') : NULL;
	for (i = 3, p = p ? strchr(p, ' ') : NULL; i < 48 && p; i++, p = strchr(p + 1, ' '))
		field[i] = strtoul(p, NULL, 10);
	snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	mp_slurp(name);
	snprintf(text, size, "%.*scode %lx %lx data %lx %lx brk %lx\n", (int)size - 200,
		 mp_text, field[26], field[27], field[45], field[46], field[47]);
	ptrace(PTRACE_CONT, pid, 0, 0);
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

/*
 * A segment of nothing, wherever it is, maps nothing: neither where it begins at
 * a page nor where it does not, in a program nor in its interpreter.
 */
TEST(program_with_empty_segment)
{
	static const struct { unsigned long vaddr, offset; } empty[] = {
		{ 0, 0 }, { 0x123, 0x123 },			/* in text */
		{ 0x1000, 0x1000 }, { 0x1008, 0x1008 },		/* in data, where it begins */
		{ 0x1ff8, 0x1ff8 },				/* where it ends */
		{ 0x2000, 0x2000 }, { 0x2010, 0x2010 },		/* in bss */
		{ 0x4000, 0x2000 }, { 0x4001, 0x2001 },		/* after all */
		{ 0x4010, 0x2000 },				/* nor as it is in the file */
		{ 0x10000, 0x3000 }, { 0x10321, 0x3321 },	/* not even near it */
	};
	static const int flags[] = { PF_R, PF_R | PF_W, PF_R | PF_X };
	static char layout[2][16384], usual[16384];
	int interpreter = make_image(&(struct image){ ET_DYN, 0, -1, 7 });
	size_t i, at, type;

	ASSERT_LE(0, interpreter);
	for (type = 0; type < 3; type++) {
		/* a program, one with an interpreter, and as the interpreter */
		Elf64_Half elf = type ? ET_DYN : ET_EXEC;
		int want = (type ? 7 : 3) << 8;

		for (i = 0; i < ARRAY_SIZE(empty) * 3; i++) {
			Elf64_Phdr loads[] = {
				LOAD(PF_R | PF_X, 0, 0, 4096, 4096),
				LOAD(PF_R | PF_W, 4096, 4096, 4096, 3 * 4096),
				LOAD(flags[i % 3], empty[i / 3].offset, empty[i / 3].vaddr, 0, 0),
			}, nothing = loads[2];
			struct image image = { elf, 0, type == 1 ? interpreter : -1,
					       type == 2 ? 7 : 3, loads, 3 };
			int mode, fd, program, status[2];

			/* last, between the others, and first */
			at = (i + i / 3) % 3;
			if (at != 2) {
				memmove(loads + at + 1, loads + at, (2 - at) * sizeof(*loads));
				loads[at] = nothing;
			}
			/* An interpreter that begins with nothing is refused, as in stock. */
			fd = make_image(&image);
			ASSERT_LE(0, fd);
			program = fd;
			if (type == 2)
				program = make_image(&(struct image){ ET_DYN, 0, fd, 3 });
			for (mode = 0; mode < 2; mode++)
				status[mode] = layout_of_image(program, mode, layout[mode],
							       sizeof(layout[mode]));
			EXPECT_EQ(status[0], status[1]);
			EXPECT_STREQ(layout[0], layout[1]);
			if (type < 2 || at)
				EXPECT_EQ(want, status[1]);
			if (type == 0) {
				/* as without it */
				const char *l = layout[1];

				EXPECT_NE(NULL, strstr(l, "00400000-00401000 r-xp 00000000"));
				EXPECT_NE(NULL, strstr(l, "00401000-00402000 rw-p 00001000"));
				/* perhaps executable, as the architecture has it */
				EXPECT_NE(NULL, strstr(l, "00402000-00404000 rw"));
				EXPECT_EQ(NULL, strstr(l, "00404000-"));
				EXPECT_EQ(NULL, strstr(l, "00410000-"));
			}
			if (program != fd)
				close(program);
			close(fd);
			if (strcmp(layout[0], layout[1]))
				TH_LOG("empty segment %zu at %lx, place %zu, type %zu", i % 3,
				       empty[i / 3].vaddr, at, type);
		}
	}

	/* Without one it is the same, and one VMA. */
	i = make_image(&(struct image){ ET_EXEC, 8192, -1, 3 });
	EXPECT_EQ(3 << 8, layout_of_image(i, 0, usual, sizeof(usual)));
	EXPECT_EQ(3 << 8, layout_of_image(i, 1, layout[1], sizeof(layout[1])));
	EXPECT_STREQ(usual, layout[1]);
	close(i);
	close(interpreter);
}

/* The entries of a program in smaps; the number of those that continue a VMA. */
static int smaps_of_image(pid_t pid, struct mp_entry *tab, int *n)
{
	int i, nr, kept = 0, continued = 0;
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/smaps", pid);
	nr = mp_parse(name, tab, 0, ULONG_MAX);
	for (i = 0; i < nr; i++) {
		if (tab[i].name[0] == '[')
			continue;
		continued += tab[i].continued;
		tab[kept++] = tab[i];
	}
	*n = mp_join(tab, kept);
	return continued;
}

/* What of a program is in the core file that it leaves: a line for each segment. */
static int core_of_image(pid_t pid, const char *dir, const struct mp_entry *tab, int n,
			 char *text, size_t size)
{
	char name[128], *m = MAP_FAILED;
	size_t len = 0;
	struct stat st;
	int fd, i, status;

	text[0] = 0;
	ptrace(PTRACE_CONT, pid, 0, SIGABRT);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) || !WCOREDUMP(status))
		return -1;
	snprintf(name, sizeof(name), "%s/core", dir);
	if (access(name, F_OK))
		snprintf(name, sizeof(name), "%s/core.%d", dir, pid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && !fstat(fd, &st))
		m = mmap(NULL, st.st_size, R, MAP_PRIVATE, fd, 0);
	if (m != MAP_FAILED) {
		Elf64_Ehdr *e = (void *)m;
		Elf64_Phdr *p = (void *)(m + e->e_phoff);

		for (i = 0; i < e->e_phnum; i++)
			if (p[i].p_type == PT_LOAD && p[i].p_vaddr >= tab[0].start &&
			    p[i].p_vaddr < tab[n - 1].end)
				len += snprintf(text + len, size - len, "%lx+%lx %x dumped %lx\n",
						p[i].p_vaddr - tab[0].start, p[i].p_memsz,
						p[i].p_flags, p[i].p_filesz);
		munmap(m, st.st_size);
	}
	close(fd);
	unlink(name);
	return len ? 0 : -1;
}

/*
 * A program with a probe in its text, by exec() as stock maps it and as one VMA,
 * where the kernel sets the breakpoint when all of it is text still, and again.
 */
FIXTURE(probed) { int fd; int n[2]; };
FIXTURE_VARIANT(probed) { Elf64_Half type; };
FIXTURE_VARIANT_ADD(probed, exec) { .type = ET_EXEC };
FIXTURE_VARIANT_ADD(probed, dyn) { .type = ET_DYN };

static char cores[2][8192];
static char core_dir[64];

FIXTURE_SETUP(probed)
{
	static const Elf64_Phdr loads[] = {
		LOAD(PF_R, 0, 0, 0x2000, 0x2000),
		LOAD(PF_R | PF_X, 0x2000, 0x2000, 0x1000, 0x1000),
		LOAD(PF_R, 0x3000, 0x3000, 0x2000, 0x2000),
		LOAD(PF_R | PF_W, 0x5000, 0x5000, 0x1000, 0x3000),
	};
	struct image image = { variant->type, 0, -1, 3, loads, ARRAY_SIZE(loads), 0x2000 };
	int i, mode;
	pid_t pid;

	if (!mp_system() || mp_sysctl_set("/proc/sys/kernel/core_pattern", "core"))
		SKIP(return, "needs a system of its own");
	self->fd = make_image(&image);
	ASSERT_LE(0, self->fd);
	i = mp_uprobe(self->fd, image.code);
	if (i)
		SKIP(return, "no uprobes: %d", i);
	strcpy(core_dir, "/tmp/manyprots-core.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(core_dir));
	for (mode = 0; mode < 2; mode++) {
		pid = stopped_image(self->fd, mode, core_dir);
		ASSERT_LT(0, pid);
		i = smaps_of_image(pid, mp_tab[mode], &self->n[mode]);
		/* As one VMA, or all this says nothing; prctl() may do so, too. */
		if (!mp_stock)
			EXPECT_EQ(mode ? 4 : 0, i);
		ASSERT_EQ(5, self->n[mode]);
		EXPECT_EQ(0, core_of_image(pid, core_dir, mp_tab[mode], self->n[mode],
					   cores[mode], sizeof(cores[mode])));
	}
}

FIXTURE_TEARDOWN(probed)
{
	mp_uprobe_end();
	rmdir(core_dir);
	close(self->fd);
}

/* There is a private page of the breakpoint, and no other; and it is hit. */
TEST_F(probed, maps_with_uprobe)
{
	long hits = mp_uprobe_hits();
	int i;

	EXPECT_EQ(3 << 8, run_image(self->fd, 0, RLIM_INFINITY));
	EXPECT_EQ(hits + 1, mp_uprobe_hits());
	EXPECT_EQ(3 << 8, run_image(self->fd, 1, RLIM_INFINITY));
	EXPECT_EQ(hits + 2, mp_uprobe_hits());
	for (i = 0; i < 5; i++) {
		struct mp_entry *a = &mp_tab[0][i], *b = &mp_tab[1][i];

		EXPECT_EQ(a->start, b->start);
		EXPECT_EQ(a->end, b->end);
		EXPECT_EQ(a->off, b->off);
		EXPECT_EQ(a->ino, b->ino);
		EXPECT_STREQ(a->perms, b->perms);
		EXPECT_STREQ(a->name, b->name);
		EXPECT_STREQ(a->flags, b->flags);
		EXPECT_EQ(i == 1 ? PS / 1024 : 0, a->anonymous + a->swap);
		EXPECT_EQ(i == 1 ? PS / 1024 : 0, b->anonymous + b->swap);
	}
	EXPECT_STREQ("r--p", mp_tab[1][0].perms);
	EXPECT_STREQ("r-xp", mp_tab[1][1].perms);
}

/*
 * Nor is anything but text marked as written, by which a core file has all of
 * it: not the read-only data.  The headers are, as the breakpoint was set when they
 * were mapped with all of the object, which stock does of ET_DYN only.
 */
TEST_F(probed, core_with_uprobe)
{
	int i;

	for (i = 0; i < 2; i++) {
		EXPECT_NE(NULL, strstr(cores[i], "\n2000+1000 5 dumped 1000\n"));
		EXPECT_NE(NULL, strstr(cores[i], "\n3000+2000 4 dumped 0\n"));
	}
	if (variant->type == ET_DYN) {
		EXPECT_STREQ(cores[0], cores[1]);
	} else {
		EXPECT_STREQ(strstr(cores[0], "\n2000+"), strstr(cores[1], "\n2000+"));
	}
}
#endif

/*
 * A program that its user may execute and not read: execve opens it for that, and
 * the file is in the VMA then. What it maps may stay; another page of it is to be read.
 */
#define UNREADABLE "MANYPROTS_UNREADABLE"
#define UNREADABLE_STAYS 1
#define UNREADABLE_EACCES 2
#define UNREADABLE_READ 4

static const char own_page[0x20000] __attribute__((aligned(0x10000))) = { 1 };

static int own_pgoff(struct dl_phdr_info *info, __mp_unused size_t size, void *pgoff)
{
	uintptr_t at = (uintptr_t)own_page - info->dlpi_addr;
	typeof(info->dlpi_phdr) p, end = info->dlpi_phdr + info->dlpi_phnum;

	for (p = info->dlpi_phdr; p < end; p++) {
		if (p->p_type == PT_LOAD && at >= p->p_vaddr && at < p->p_vaddr + p->p_filesz)
			*(unsigned long *)pgoff = (p->p_offset + at - p->p_vaddr) / PS;
	}
	return 1;	/* The program comes first. */
}

static void __attribute__((constructor)) unreadable(void)
{
	unsigned long pgoff = 0;
	int status = 0;

	if (!getenv(UNREADABLE))
		return;
	mp_page_size = sysconf(_SC_PAGESIZE);
	dl_iterate_phdr(own_pgoff, &pgoff);
	if (pgoff && !syscall(SYS_remap_file_pages, own_page, PS, R, pgoff, MAP_CHGPROT))
		status |= UNREADABLE_STAYS;
	if (!syscall(SYS_remap_file_pages, own_page, PS, R, 0, MAP_CHGPROT))
		status |= UNREADABLE_READ;
	else if (errno == EACCES)
		status |= UNREADABLE_EACCES;
	_exit(status);
}

/* What becomes of this program, as a file of @mode in @dir that nobody executes. */
static int run_as_nobody(const char *dir, mode_t mode)
{
	int status = -1;
	char path[64];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/manyprots-XXXXXX", dir);
	if (mp_copy_self(path, mode))
		goto out;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		setenv(UNREADABLE, "1", 1);
		if (!setgid(65534) && !setuid(65534))
			execl(path, path, NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) == pid)
		status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
out:
	unlink(path);
	return status;
}

TEST(program_not_to_be_read)
{
	int may = mp_stock ? 0 : UNREADABLE_STAYS | UNREADABLE_READ;
	int may_not = mp_stock ? 0 : UNREADABLE_STAYS | UNREADABLE_EACCES;
	const char *dir = getenv("TMPDIR") ?: "/tmp";

	if (geteuid())
		SKIP(return, "needs to become another user");
	EXPECT_EQ(may, run_as_nobody(dir, 0555));
	EXPECT_EQ(may_not, run_as_nobody(dir, 0111));
	if (!mp_system())
		return;
	/* An overlay in a guest, whose files back what is mapped. */
	EXPECT_EQ(may, run_as_nobody("/", 0555));
	EXPECT_EQ(may_not, run_as_nobody("/", 0111));
}

/* The same of a file that was mapped before the process became another user. */
static int unreadable_child(void *arg)
{
	const char *name = arg;
	int fd = open(name, O_RDWR | O_CREAT, 0600), bad = 0;
	char *private, *shared, *writable;

	mp_write_pages(fd, 0, 8);
	private = mmap(NULL, 2 * PS, R, MAP_PRIVATE, fd, PS);
	writable = mmap(NULL, 2 * PS, RW, MAP_SHARED, fd, PS);
	close(fd);
	fd = open(name, O_RDONLY);
	shared = mmap(NULL, 2 * PS, R, MAP_SHARED, fd, PS);
	close(fd);
	bad += mp_rfp(private, PS, R, 4, MAP_CHGPROT) != 0;
	if (setgid(65534) || setuid(65534))
		return -1;
	bad += mp_rfp(private + PS, PS, R, 0, MAP_CHGPROT) != -EACCES;
	bad += mp_rfp(shared, PS, R, 0, MAP_CHGPROT) != -EACCES;
	/* What stays, and what remap_file_pages() has always done. */
	bad += mp_rfp(private + PS, PS, NONE, 2, MAP_CHGPROT) != 0;
	bad += mp_rfp(writable, PS, R, 0, MAP_CHGPROT) != 0;
	return bad;
}

TEST(file_not_to_be_read)
{
	char dir[] = "/tmp/manyprots-read.XXXXXX", name[64];

	if (geteuid() || mp_stock)
		SKIP(return, "needs to become another user, and the new call");
	ASSERT_NE(NULL, mkdtemp(dir));
	snprintf(name, sizeof(name), "%s/file", dir);
	EXPECT_EQ(0, mp_in_child(unreadable_child, name));
	unlink(name);
	rmdir(dir);
}

/* What a process wrote to a file that it has closed: whatever address it has. */
static int mdwe_written_child(__mp_unused void *arg)
{
	int fd = memfd_create("code", 0), bad = 0;
	char *shared, *private;

	if (ftruncate(fd, 4 * PS))
		return -1;
	shared = mmap(NULL, 4 * PS, RW, MAP_SHARED, fd, 0);
	private = mmap(NULL, 4 * PS, R, MAP_PRIVATE, fd, 0);
	close(fd);
	if (prctl(PR_SET_MDWE, 1, 0, 0, 0))
		return 100;
	memset(shared, 0xc3, 4 * PS);
	bad += mp_rfp(shared, PS, RX, 0, MAP_CHGPROT) != -EACCES;
	bad += mp_rfp(shared + PS, PS, RX, 2, MAP_CHGPROT) != -EACCES;
	bad += mp_rfp(private, PS, RX, 0, MAP_CHGPROT) != -EACCES;
	bad += mp_rfp(private + PS, PS, RX, 2, MAP_CHGPROT) != -EACCES;
	munmap(shared, 4 * PS);
	bad += mp_rfp(private + PS, PS, RX, 1, MAP_CHGPROT) != -EACCES;
	return bad;
}

TEST(mdwe_written)
{
	int bad;

	if (mp_stock)
		SKIP(return, "is about the new call");
	bad = mp_in_child(mdwe_written_child, NULL);
	if (bad == 100)
		SKIP(return, "no PR_SET_MDWE");
	ASSERT_EQ(0, bad);
}

/* So ld.so is not told of a call that would not help it. */
#define TELL_AT_FLAGS "MANYPROTS_TELL_AT_FLAGS"

static void __attribute__((constructor)) tell_at_flags(void)
{
	if (getenv(TELL_AT_FLAGS))
		_exit(getauxval(AT_FLAGS) & AT_FLAGS_MANYPROTS ? 1 : 0);
}

static int at_flags(bool mdwe)
{
	int status = -1;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		setenv(TELL_AT_FLAGS, "1", 1);
		if (!mdwe || !prctl(PR_SET_MDWE, 1, 0, 0, 0))
			execl("/proc/self/exe", "exec", NULL);
		_exit(100);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(mdwe_at_flags)
{
	int under = at_flags(true);

	if (under == 100)
		SKIP(return, "no PR_SET_MDWE");
	EXPECT_EQ(0, under);
	EXPECT_EQ(mp_stock ? 0 : 1, at_flags(false));
}

TEST_HARNESS_MAIN
