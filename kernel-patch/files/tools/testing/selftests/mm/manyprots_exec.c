// SPDX-License-Identifier: GPL-2.0
/*
 * PROT_EXEC: execution by run, PR_SET_MDWE, READ_IMPLIES_EXEC, noexec mounts,
 * code that is written and then run.
 */
#include "manyprots_util.h"
#include <elf.h>
#include <sched.h>
#include <sys/mount.h>
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
		/* mmap's rule: what is not writable may be executable, W and X together not. */
		bad += mp_chg(p, LIB_RO, 1, RX, MP_FILE, 20) != 0;
		bad += mp_chg(p, LIB_RO, 1, RW | X, MP_FILE, 30) != -EACCES;
		bad += mp_chg(p, LIB_HOLE, 1, RW | X, MP_ANON, 0) != -EACCES;
		/* The call that ld.so makes for text: same offset, never written. */
		bad += mp_rfp(p->base[MULTI] + LIB_HOLE * PS, PS, RX, LIB_HOLE, MAP_CHGPROT) != 0;
		bad += mp_rfp(p->base[MULTI] + LIB_HOLE * PS, PS, NONE, LIB_HOLE, MAP_CHGPROT) != 0;
		bad += mp_rfp(p->base[MULTI] + LIB_DATA * PS, PS, RX, 9, MAP_CHGPROT) != -EACCES;
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
		prctl(0x4d505200 /* PR_SET_MANYPROTS */, mode, 0, 0, 0);
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
};

/* A file of two pages, text and data, with the fewest headers. */
static int make_image(const struct image *i)
{
	unsigned long base = i->type == ET_EXEC ? 0x400000 : 0;
	struct {
		Elf64_Ehdr e;
		Elf64_Phdr p[3];
		char interpreter[32];
		unsigned char code[16];
	} *file;
	char page[2 * 4096] = "";
	int fd;

	file = (void *)page;
	memcpy(file->e.e_ident, ELFMAG, SELFMAG);
	file->e.e_ident[EI_CLASS] = ELFCLASS64;
	file->e.e_ident[EI_DATA] = ELFDATA2LSB;
	file->e.e_ident[EI_VERSION] = EV_CURRENT;
	file->e.e_type = i->type;
	file->e.e_machine = EM_X86_64;
	file->e.e_version = EV_CURRENT;
	file->e.e_entry = base + ((char *)file->code - page);
	file->e.e_phoff = (char *)file->p - page;
	file->e.e_ehsize = sizeof(file->e);
	file->e.e_phentsize = sizeof(file->p[0]);
	file->e.e_phnum = i->interpreter < 0 ? 2 : 3;
	file->p[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_X,
		.p_vaddr = base, .p_filesz = 4096, .p_memsz = 4096, .p_align = 4096 };
	file->p[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 4096,
		.p_vaddr = base + 4096, .p_filesz = 4096, .p_memsz = 4096 + i->bss,
		.p_align = 4096 };
	snprintf(file->interpreter, sizeof(file->interpreter), "/proc/self/fd/%d", i->interpreter);
	file->p[2] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_flags = PF_R,
		.p_offset = file->interpreter - page, .p_filesz = strlen(file->interpreter) + 1 };
	/* mov $60, %eax; mov $status, %edi; syscall */
	memcpy(file->code, "\xb8\x3c\0\0\0\xbf\0\0\0\0\x0f\x05", 12);
	file->code[6] = i->status;

	fd = memfd_create("image", 0);
	if (fd >= 0 && write(fd, page, sizeof(page)) != sizeof(page)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* What becomes of the program in @fd, run in a mode with a limit on its data. */
static int run_image(int fd, int mode, unsigned long limit)
{
	struct rlimit data = { limit, limit };
	char *args[] = { "image", NULL };
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		personality(ADDR_NO_RANDOMIZE);
		prctl(0x4d505200 /* PR_SET_MANYPROTS */, mode, 0, 0, 0);
		setrlimit(RLIMIT_DATA, &data);
		fexecve(fd, args, args + 1);
		_exit(127);
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
#endif

TEST_HARNESS_MAIN
