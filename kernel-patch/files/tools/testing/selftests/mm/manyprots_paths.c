// SPDX-License-Identifier: GPL-2.0
/*
 * Single paths through the kernel that the other tests do not take:
 * PAGEMAP_SCAN, uprobes, memory failure, process_mrelease, large folios of
 * tmpfs at the bound of a run, and growth to where a run map cannot count.
 */
#include "manyprots_util.h"
#include <sys/ioctl.h>

#ifndef MADV_HWPOISON
#define MADV_HWPOISON 100
#endif

MP_LIBRARY_FIXTURE(lib)

/* As in linux/fs.h, which may be older than the call. */
struct scan_region {
	uint64_t start, end, categories;
};

struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN _IOWR('f', 16, struct scan_arg)
#define SCAN_WP_MATCHING (1 << 0)
#define SCAN_CHECK_WPASYNC (1 << 1)
#define SCAN_FILE (1 << 2)
#define SCAN_PRESENT (1 << 3)
#define SCAN_SWAPPED (1 << 4)
#define SCAN_PFNZERO (1 << 5)

/* What PAGEMAP_SCAN says of each page of a library, or -errno. */
static long scan(const char *base, unsigned char *categories, int flags)
{
	struct scan_region vec[LIB_PAGES];
	struct scan_arg arg = {
		.size = sizeof(arg),
		.flags = flags,
		.start = (unsigned long)base,
		.end = (unsigned long)base + LIB_PAGES * PS,
		.vec = (unsigned long)vec,
		.vec_len = LIB_PAGES,
		.return_mask = SCAN_FILE | SCAN_PRESENT | SCAN_SWAPPED | SCAN_PFNZERO,
	};
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	long i, n = ioctl(fd, SCAN, &arg);
	uint64_t a;

	n = n < 0 ? -errno : n;
	close(fd);
	memset(categories, 0, LIB_PAGES);
	for (i = 0; i < n; i++)
		for (a = vec[i].start; a < vec[i].end; a += PS)
			categories[(a - arg.start) / PS] = vec[i].categories;
	return n < 0 ? n : (long)(arg.walk_end == arg.end);
}

/* PAGEMAP_SCAN: each page is file, private, zero or nothing as in the equivalent layout. */
TEST_F(lib, pagemap_scan)
{
	unsigned char seen[2][LIB_PAGES];
	size_t i;

	mp_dirty_library(&self->p);
	/* Each page is touched on both sides: fault-around may have done more on one. */
	for (i = 0; i < LIB_PAGES; i++)
		mp_both(&self->p, mp_read(b + i * PS));
	if (scan(self->p.base[EQUIV], seen[EQUIV], 0) == -ENOTTY)
		SKIP(return, "no PAGEMAP_SCAN");
	ASSERT_EQ(1, mp_both(&self->p, scan(b, seen[side], 0)));
	for (i = 0; i < LIB_PAGES; i++) {
		/* The hole cannot be read, and what fault-around did there is its own. */
		if (i >= LIB_HOLE && i < LIB_RELRO)
			continue;
		EXPECT_EQ(seen[MULTI][i], seen[EQUIV][i])
			TH_LOG("page %zu", i);
	}
	ASSERT_EQ(SCAN_FILE | SCAN_PRESENT, seen[MULTI][LIB_RX]);
	ASSERT_EQ(SCAN_PRESENT, seen[MULTI][LIB_DATA]);
	/* Nothing is write-protected that is not registered for that: runs never are. */
	ASSERT_EQ(-EPERM, mp_both(&self->p, scan(b, seen[side],
						 SCAN_WP_MATCHING | SCAN_CHECK_WPASYNC)));
	ASSERT_EQ(1, mp_both(&self->p, scan(b, seen[side], SCAN_WP_MATCHING)));
	ASSERT_EQ(0, memcmp(seen[0], seen[1], LIB_PAGES));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_TRUE(mp_one_vma());
}

/*
 * process_mrelease: of a process that is dying, every private page is gone
 * before it is, those of each run.  A tracer holds it where it still has its
 * memory.
 */
TEST_F(lib, process_mrelease)
{
	char file[64];
	int status, pidfd;
	pid_t pid;

	mp_dirty_library(&self->p);
	mp_both(&self->p, mprotect(b + LIB_BSS * PS, PS, NONE));
	mp_both(&self->p, mp_read(b + LIB_RX * PS));
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	pidfd = syscall(434 /* pidfd_open */, pid, 0);
	ASSERT_EQ(0, ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT));
	/* Alive it is none of its business. */
	ASSERT_EQ(-1, syscall(448 /* process_mrelease */, pidfd, 0));
	if (errno == ENOSYS || errno == EBADF)
		SKIP(return, "no process_mrelease");
	ASSERT_EQ(EINVAL, errno);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status) && status >> 16 == PTRACE_EVENT_EXIT);
	snprintf(file, sizeof(file), "/proc/%d/status", pid);
	EXPECT_LE(10 * (long)PS / 1024, mp_number(file, "RssAnon"));
	EXPECT_EQ(0, syscall(448, pidfd, 0) ? -errno : 0);
	EXPECT_EQ(0, mp_number(file, "RssAnon"));
	EXPECT_EQ(0, mp_number(file, "RssFile"));
	ASSERT_EQ(0, ptrace(PTRACE_CONT, pid, 0, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	close(pidfd);
	mp_both(&self->p, mprotect(b + LIB_BSS * PS, PS, RW));
	ASSERT_EQ('b', self->p.base[MULTI][LIB_BSS * PS + 100]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Is the code that is called there a return instruction? */
static bool is_return(struct mp_pair *p, size_t page)
{
	off_t at = (off_t)(unsigned long)p->base[EQUIV] + page * PS + MP_RET_OFFSET;
	char code = 0;

	return MP_HAVE_EXEC && pread(mp_mem_fd(), &code, 1, at) == 1 && code == *MP_RET;
}

/* A uprobe in text is found by file offset: hit once for each call, and gone after. */
TEST_F(lib, uprobe)
{
	int i;

	if (!mp_system() || !is_return(&self->p, LIB_RX))
		SKIP(return, "needs a system of its own, and code");
	i = mp_uprobe(self->p.fd, LIB_RX * PS + MP_RET_OFFSET);
	if (i)
		SKIP(return, "no uprobes, or none in such a file: %d", i);
	for (i = 1; i <= 3; i++) {
		long hits = mp_uprobe_hits();

		ASSERT_EQ(0, mp_both(&self->p, mp_exec(b + LIB_RX * PS + MP_RET_OFFSET)));
		EXPECT_EQ(hits + 2, mp_uprobe_hits());
		/* Into a new run the breakpoint comes as the text did. */
		ASSERT_EQ(0, mp_chg(&self->p, LIB_RX, 1, i % 2 ? R : RX, MP_FILE, 2));
		if (i % 2)
			ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_RX * PS, PS, RX)));
	}
	ASSERT_EQ(0, mp_uprobe_end());
	ASSERT_EQ(0, mp_same(MP_NOSMAPS));
	ASSERT_EQ(0, mp_bad);
}

/*
 * A breakpoint whose page was dropped is put back when a part of the mapping that it
 * is in becomes another, and when they become alike; not when all of it changes, so
 * that what was written over it stays.
 */
TEST_F(lib, uprobe_put_back)
{
	struct mp_pair *p = &self->p;
	int i, prot;
	long hits;

	if (!mp_system() || !is_return(p, LIB_RX))
		SKIP(return, "needs a system of its own, and code");
	i = mp_uprobe(p->fd, LIB_RX * PS + MP_RET_OFFSET);
	if (i)
		SKIP(return, "no uprobes, or none in such a file: %d", i);
	for (prot = R; prot; prot = prot == R ? RX : 0) {
		ASSERT_EQ(0, mp_both(p, madvise(b + LIB_RX * PS, PS, MADV_DONTNEED)));
		hits = mp_uprobe_hits();
		ASSERT_EQ(0, mp_both(p, mp_exec(b + LIB_RX * PS + MP_RET_OFFSET)));
		EXPECT_EQ(hits, mp_uprobe_hits());
		ASSERT_EQ(0, mp_both(p, mprotect(b + (LIB_RX + 2) * PS, PS, prot)));
		ASSERT_EQ(0, mp_both(p, mp_exec(b + LIB_RX * PS + MP_RET_OFFSET)));
		EXPECT_EQ(hits + 2, mp_uprobe_hits());
	}
	hits = mp_uprobe_hits();
	ASSERT_EQ(0, mp_both(p, mprotect(b + LIB_RX * PS, (LIB_RO - LIB_RX) * PS, RW | X)));
	mp_both(p, mp_put(b + LIB_RX * PS + MP_RET_OFFSET, *MP_RET));
	ASSERT_EQ(0, mp_both(p, mprotect(b + LIB_RX * PS, (LIB_RO - LIB_RX) * PS, RX)));
	ASSERT_EQ(0, mp_both(p, mp_exec(b + LIB_RX * PS + MP_RET_OFFSET)));
	EXPECT_EQ(hits, mp_uprobe_hits());
	ASSERT_EQ(0, mp_uprobe_end());
	ASSERT_EQ(0, mp_same(MP_NOSMAPS));
}

/* Both sides' probes are hit, and nothing but them, by a call on each side. */
#define hit_on(p, sides) ({							\
	long __hits = mp_uprobe_hits();						\
	int __s, __bad = mp_bad;						\
	for (__s = 0; __s < 2; __s++)						\
		if ((sides) & 1 << __s &&					\
		    (mp_exec((p)->base[__s] + LIB_RX * PS + MP_RET_OFFSET) ||	\
		     mp_uprobe_hits() != ++__hits))				\
			mp_diff("line %d: side %d is not hit", __LINE__, __s);	\
	mp_bad == __bad; })

/*
 * What becomes of a part of a mapping is nothing to a probe in another part: not
 * when that is unmapped or protected, nor when the process looks whether it has
 * any probe left, which it does at a breakpoint of its own once a page with
 * a probe was unmapped.
 */
TEST_F(lib, uprobe_in_other_part)
{
	struct sigaction sa = { .sa_sigaction = mp_handler, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct mp_pair *p = &self->p;
	char *trap;
	int r;

	if (!mp_system() || !is_return(p, LIB_RX))
		SKIP(return, "needs a system of its own, and code");
	r = mp_uprobe(p->fd, LIB_RX * PS + MP_RET_OFFSET);
	if (r)
		SKIP(return, "no uprobes, or none in such a file: %d", r);
	EXPECT_TRUE(hit_on(p, 3));

	EXPECT_EQ(0, mp_both(p, mprotect(b + (LIB_RX + 1) * PS, 2 * PS, R)));
	EXPECT_TRUE(hit_on(p, 3));
	EXPECT_EQ(0, mp_both(p, mprotect(b + (LIB_RX + 2) * PS, 3 * PS, NONE)));
	EXPECT_EQ(0, mp_both(p, mprotect(b, LIB_RX * PS, NONE)));
	EXPECT_TRUE(hit_on(p, 3));
	EXPECT_EQ(0, mp_both(p, mprotect(b + (LIB_RX + 1) * PS, 3 * PS, RX)));
	EXPECT_TRUE(hit_on(p, 3));
	EXPECT_EQ(0, mp_both(p, munmap(b + (LIB_RX + 1) * PS, PS)));
	EXPECT_TRUE(hit_on(p, 3));
	EXPECT_EQ(0, mp_both(p, munmap(b + (LIB_RX + 3) * PS, 2 * PS)));
	EXPECT_EQ(0, mp_both(p, munmap(b, PS)));
	EXPECT_TRUE(hit_on(p, 3));
	/* Of the breakpoint there is a private page, and of nothing else. */
	EXPECT_EQ(0, mp_same(0));

	/* Gone on the one side: what is left is the other's. */
	trap = mmap(NULL, PS, RW | X, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, trap);
	memcpy(trap, "\xcc\xc3", 2);		/* int3, ret */
	sigaction(SIGTRAP, &sa, NULL);
	EXPECT_EQ(0, munmap(p->base[EQUIV] + LIB_RX * PS, PS));
	EXPECT_EQ(SIGTRAP, mp_exec(trap) >> 8);
	EXPECT_TRUE(hit_on(p, 1 << MULTI));
	EXPECT_EQ(SIGTRAP, mp_exec(trap) >> 8);
	EXPECT_TRUE(hit_on(p, 1 << MULTI));
	/* And back: what is mapped there gets it. */
	EXPECT_EQ(p->base[EQUIV] + LIB_RX * PS,
		  mmap(p->base[EQUIV] + LIB_RX * PS, PS, RX, MAP_PRIVATE | MAP_FIXED, p->fd,
		       LIB_RX * PS));
	EXPECT_TRUE(hit_on(p, 3));
	EXPECT_EQ(0, munmap(p->base[MULTI] + LIB_RX * PS, PS));
	EXPECT_EQ(SIGTRAP, mp_exec(trap) >> 8);
	EXPECT_TRUE(hit_on(p, 1 << EQUIV));
	EXPECT_EQ(0, mp_uprobe_end());
	munmap(trap, PS);
	ASSERT_EQ(0, mp_bad);
}

/* 0, a negative error, or the SIGBUS that who maps the page gets at once. */
static int poison(char *page)
{
	volatile int ret = 0;
	int code = mp_guarded(ret = madvise(page, PS, MADV_HWPOISON) ? -errno : 0);

	return code ?: ret;
}

/* A page that fails is unmapped everywhere, and the run that needs its contents gets SIGBUS. */
TEST_F(lib, hwpoison)
{
	int code;

	if (!mp_system())
		SKIP(return, "needs a system of its own");
	if (variant->where != MP_TMP)
		SKIP(return, "spoils pages: once is enough");
	mp_dirty_library(&self->p);
	code = mp_both(&self->p, poison(b + LIB_DATA * PS));
	if (code < 0)
		SKIP(return, "no MADV_HWPOISON");
	ASSERT_EQ(0, mp_bad);
	code = mp_both(&self->p, mp_read(b + LIB_DATA * PS));
	ASSERT_EQ(SIGBUS, code >> 8);
	ASSERT_LE(0, mp_both(&self->p, poison(b + LIB_BSS * PS)));
	code = mp_both(&self->p, mp_read(b + LIB_BSS * PS));
	ASSERT_EQ(SIGBUS, code >> 8);
	/* The pages beside them are not concerned. */
	mp_both(&self->p, mp_read(b + (LIB_DATA + 1) * PS));
	mp_both(&self->p, mp_read(b + (LIB_BSS + 1) * PS));
	mp_both(&self->p, mp_write(b + (LIB_DATA + 2) * PS));
	ASSERT_EQ(0, mp_bad);
}

/*
 * tmpfs with huge pages: a fault maps a large folio as far as the run goes,
 * each page with the run's protection, at an offset that is not that of the VMA.
 */
TEST(shmem_large_folio)
{
	static const struct mp_run runs[] = {
		{ 5, R, MP_FILE, 0 }, { 3, RW, MP_FILE, 5 }, { 17, R, MP_FILE, 100 },
		{ 2, NONE, MP_FILE, 8 }, { 30, RW, MP_FILE, 300 }, { 7, RX, MP_FILE, 3 },
		{ 40, R, MP_FILE, 330 }, { 9, RW, MP_FILE, 400 },
	};
	char dir[] = "/tmp/manyprots.XXXXXX", name[64];
	struct mp_pair p = {};

	if (!mp_system())
		SKIP(return, "needs a system of its own");
	ASSERT_NE(NULL, mkdtemp(dir));
	if (mount("tmpfs", dir, "tmpfs", 0, "huge=always,size=32m")) {
		rmdir(dir);
		SKIP(return, "no huge pages on tmpfs");
	}
	snprintf(name, sizeof(name), "%s/file", dir);
	p.fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_EQ(0, umount2(dir, MNT_DETACH));
	ASSERT_EQ(0, rmdir(dir));
	ASSERT_EQ(0, mp_write_pages(p.fd, 0, 1024));
	ASSERT_EQ(0, mp_map_runs(&p, runs));
	ASSERT_TRUE(mp_one_vma());
	ASSERT_EQ(0, mp_same(MP_EXECS));
	ASSERT_EQ(0, mp_same(MP_WRITES));

	/* From the other side: each page of a large folio first touched by a write. */
	mp_clear();
	ASSERT_EQ(0, mp_map_runs(&p, runs));
	mp_both(&p, mp_write(b + 7 * PS));
	mp_both(&p, mp_write(b + 27 * PS));
	mp_both(&p, mp_read(b + 24 * PS));
	mp_both(&p, mp_read(b + 57 * PS));
	ASSERT_EQ(0, mp_same(MP_EXECS));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	close(p.fd);
}

/*
 * A run map counts pages in 32 bits.  A VMA that has one does not grow beyond:
 * ENOMEM, and nothing has changed.
 */
TEST(grow_beyond_counting)
{
	size_t max = 0x100000000UL * PS, size = max - 16 * PS;
	char *a, *m;

	if (mp_stock)
		SKIP(return, "no run maps");
	a = mmap(NULL, size, NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (a == MAP_FAILED)
		SKIP(return, "no address space of that size");
	ASSERT_EQ(0, mp_rfp(a + 4 * PS, PS, RW, 0, MAP_CHGPROT));
	a[4 * PS] = 'a';
	m = mremap(a, size, max + 16 * PS, MREMAP_MAYMOVE);
	ASSERT_EQ(MAP_FAILED, m);
	ASSERT_EQ(ENOMEM, errno);
	ASSERT_EQ('a', a[4 * PS]);
	ASSERT_EQ(MP_ACCERR, mp_read(a + 5 * PS));
	ASSERT_EQ(MP_ACCERR, mp_read(a + size - PS));
	/* As far as it goes it grows. */
	m = mremap(a, size, size + 8 * PS, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, m);
	ASSERT_EQ('a', m[4 * PS]);
	ASSERT_EQ(MP_ACCERR, mp_read(m + size));
	ASSERT_EQ(0, munmap(m, size + 8 * PS));

	/* From the beginning too large: not eligible. */
	a = mmap(NULL, max + 16 * PS, NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (a == MAP_FAILED)
		SKIP(return, "no address space of that size");
	ASSERT_EQ(-EINVAL, mp_rfp(a + 4 * PS, PS, RW, 0, MAP_CHGPROT));
	ASSERT_EQ(0, munmap(a, max + 16 * PS));
}

TEST_HARNESS_MAIN
