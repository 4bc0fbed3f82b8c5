// SPDX-License-Identifier: GPL-2.0
/*
 * Access by the kernel on behalf of somebody: process_vm_readv, ptrace,
 * /proc/PID/mem, read() and write() with buffers in runs, futex, vmsplice,
 * O_DIRECT, io_uring.  get_user_pages() must judge each address by its run.
 */
#include "manyprots_util.h"
#include <linux/futex.h>
#include <linux/io_uring.h>

MP_LIBRARY_FIXTURE(lib)

static long vm_read(char *to, char *from, size_t n)
{
	struct iovec l = { to, n }, r = { from, n };

	return process_vm_readv(getpid(), &l, 1, &r, 1, 0);
}

static long vm_write(char *to, char *from, size_t n)
{
	struct iovec l = { from, n }, r = { to, n };

	return process_vm_writev(getpid(), &l, 1, &r, 1, 0);
}

static char buf[2][64 * 65536];

/* Across all run bounds: stops at the PROT_NONE run, exactly there, with the bytes before it. */
TEST_F(lib, process_vm_readv)
{
	size_t at, n;
	long r;

	mp_dirty_library(&self->p);
	if (vm_read(buf[0], self->p.base[EQUIV], 10) == -1 && errno == ENOSYS)
		SKIP(return, "no process_vm_readv");
	for (at = 0; at < LIB_PAGES; at++)
		for (n = 1; at + n <= LIB_PAGES + 1; n += 2) {
			memset(buf, 0xee, sizeof(buf[0]));
			r = mp_both(&self->p, vm_read(buf[side], b + at * PS + 5, n * PS - 9));
			if (r > 0) {
				ASSERT_EQ(0, memcmp(buf[0], buf[1], r));
			}
		}
	ASSERT_EQ(LIB_HOLE * PS, mp_both(&self->p, vm_read(buf[side], b, LIB_PAGES * PS)));
	ASSERT_EQ(-EFAULT, mp_both(&self->p, vm_read(buf[side], b + LIB_HOLE * PS, PS)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Writes stop at the first read-only run, and break COW in the writable ones only. */
TEST_F(lib, process_vm_writev)
{
	size_t at, n;

	if (vm_read(buf[0], self->p.base[EQUIV], 10) == -1 && errno == ENOSYS)
		SKIP(return, "no process_vm_readv");
	memset(buf, 0x5a, sizeof(buf));
	for (at = 0; at < LIB_PAGES; at++)
		for (n = 1; at + n <= LIB_PAGES; n += 3)
			mp_both(&self->p, vm_write(b + at * PS + 5, buf[0], n * PS - 9));
	ASSERT_EQ(-EFAULT, mp_both(&self->p, vm_write(b + LIB_RX * PS, buf[0], PS)));
	ASSERT_EQ(7 * PS, mp_both(&self->p, vm_write(b + LIB_DATA * PS, buf[0], 9 * PS)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_TRUE(mp_one_vma());
}

/* read() into and write() from the runs: the partial count ends at the right byte. */
TEST_F(lib, read_and_write)
{
	int fd = mp_file(MP_MEMFD, LIB_FILE_PAGES);
	size_t at;

	ASSERT_GE(fd, 0);
	mp_dirty_library(&self->p);
	for (at = 0; at < LIB_PAGES; at++) {
		/* Kernel reads user memory: needs read permission. */
		mp_both(&self->p, pwrite(fd, b + at * PS + 50, 3 * PS, 0));
		/* Kernel writes user memory: needs write permission. */
		mp_both(&self->p, pread(fd, b + at * PS + 50, 3 * PS, 0));
	}
	ASSERT_EQ(-EFAULT, mp_both(&self->p, pread(fd, b, PS, 0)));
	ASSERT_EQ(-EFAULT, mp_both(&self->p, pwrite(fd, b + LIB_HOLE * PS, PS, 0)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	close(fd);
}

/* A struct that the kernel fills, over the bound between a writable and a read-only run. */
TEST_F(lib, copy_to_user_over_bound)
{
	mp_both(&self->p, fstat(self->p.fd, (void *)(b + LIB_DATA * PS - 8)));
	mp_both(&self->p, fstat(self->p.fd, (void *)(b + LIB_DATA * PS + 8)));
	mp_both(&self->p, fstat(self->p.fd, (void *)(b + LIB_RX * PS)));
	mp_both(&self->p, fstat(self->p.fd, (void *)(b + LIB_PAGES * PS - 8)));
	mp_both(&self->p, open(b + LIB_HOLE * PS, O_RDONLY));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* /proc/self/mem forces: into text too, which gets a private copy and keeps its protection. */
TEST_F(lib, forced_write_into_text)
{
	char *m = self->p.base[MULTI];

	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_same(0));
	mp_both(&self->p, pwrite(mp_mem_fd(), "break", 5, (off_t)(unsigned long)b +
				 (LIB_RX + 1) * PS + 10));
	ASSERT_EQ(0, memcmp(m + (LIB_RX + 1) * PS + 10, "break", 5));
	ASSERT_EQ(MP_ACCERR, mp_put(m + (LIB_RX + 1) * PS + 10, 'x'));
	/* Never faulted before, read-only data, and PROT_NONE. */
	mp_both(&self->p, pwrite(mp_mem_fd(), "none", 4, (off_t)(unsigned long)b + LIB_HOLE * PS));
	mp_both(&self->p, pwrite(mp_mem_fd(), "many", 4,
				 (off_t)(unsigned long)b + LIB_RX * PS - 2));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
	ASSERT_TRUE(mp_one_vma());
}

static int same_in_child(void *p)
{
	return mp_same(0);
}

/* "a forced write into text (breakpoint, uprobe) sets the bit": so fork copies it to the child. */
TEST_F(lib, forced_write_then_fork)
{
	mp_both(&self->p, pwrite(mp_mem_fd(), "break", 5, (off_t)(unsigned long)b +
				 (LIB_RX + 1) * PS + 10));
	ASSERT_EQ(0, mp_in_child(same_in_child, NULL));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	/* It is a range with ANON now: no new PROT_EXEC, but what is executable may stay so. */
	if (!mp_stock) {
		ASSERT_EQ(0, mp_rfp(self->p.base[MULTI] + LIB_RX * PS, PS, RX, LIB_RX,
				    MAP_CHGPROT));
		ASSERT_EQ(0, mp_rfp(self->p.base[MULTI] + (LIB_RX + 1) * PS, PS, R, LIB_RX + 1,
				    MAP_CHGPROT));
		ASSERT_EQ(-EACCES, mp_rfp(self->p.base[MULTI] + (LIB_RX + 1) * PS, PS, RX,
					  LIB_RX + 1, MAP_CHGPROT));
	}
}

/* A debugger plants a breakpoint in the text of a stopped child, which then forks and dumps. */
TEST_F(lib, ptrace_poke)
{
	long at[2], word;
	int status, side;
	pid_t pid;

	mp_dirty_library(&self->p);
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(mp_in_child(same_in_child, NULL) | !!mp_same(MP_WRITES));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
	for (side = 0; side < 2; side++) {
		at[side] = (long)self->p.base[side] + (LIB_RX + 2) * PS + 64;
		errno = 0;
		word = ptrace(PTRACE_PEEKTEXT, pid, at[side], 0);
		ASSERT_EQ(0, errno);
		ASSERT_EQ(0, ptrace(PTRACE_POKETEXT, pid, at[side], (word & ~0xffL) | 0xcc));
		ASSERT_EQ(0, ptrace(PTRACE_POKEDATA, pid, self->p.base[side] + LIB_HOLE * PS, 42));
		ASSERT_EQ(0, ptrace(PTRACE_POKEDATA, pid, self->p.base[side] + LIB_RELRO * PS, 43));
		ASSERT_EQ(0, ptrace(PTRACE_POKEDATA, pid, self->p.base[side] + LIB_BSS * PS, 44));
	}
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, pid, 0, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	/* The tracer's own pages are not touched. */
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* vmsplice pins the pages of a range over several runs. */
TEST_F(lib, vmsplice)
{
	int fds[2];
	size_t at;
	long n;

	mp_dirty_library(&self->p);
	for (at = 0; at < LIB_PAGES; at++) {
		mp_both(&self->p, ({
			/* A gift is of whole pages. */
			struct iovec v = { b + at * PS + (at & 1 ? 0 : 3), 3 * PS };
			long r;

			if (pipe(fds))
				abort();
			r = vmsplice(fds[1], &v, 1,
				     SPLICE_F_NONBLOCK | (at & 1 ? SPLICE_F_GIFT : 0));
			n = r < 0 ? -errno : r;
			if (r > 0 && read(fds[0], buf[side], r) != r)
				abort();
			close(fds[0]);
			close(fds[1]);
			n; }));
	}
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* O_DIRECT pins with FOLL_WRITE for reads of the file. */
TEST_F(lib, o_direct)
{
	char name[] = "./manyprots.XXXXXX";
	int fd = mkostemp(name, O_DIRECT);
	size_t at;

	if (fd >= 0)
		unlink(name);
	if (fd < 0 || mp_write_pages(fd, 0, 0) || ftruncate(fd, 16 * PS))
		SKIP(return, "no O_DIRECT here");
	mp_dirty_library(&self->p);
	for (at = 0; at < LIB_PAGES; at++) {
		mp_both(&self->p, pwrite(fd, b + at * PS, 2 * PS, 0));
		mp_both(&self->p, pread(fd, b + at * PS, 2 * PS, 0));
	}
	ASSERT_EQ(0, mp_same(MP_WRITES));
	close(fd);
}

/* A ring of one entry: enough for one operation at a time. */
struct ring {
	int fd;
	struct io_uring_params p;
	char *rings;
	struct io_uring_sqe *sqe;
};

static int ring_open(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = syscall(__NR_io_uring_setup, 1, &r->p);
	if (r->fd < 0 || !(r->p.features & IORING_FEAT_SINGLE_MMAP))
		return -1;
	r->rings = mmap(NULL, PS, RW, MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
	r->sqe = mmap(NULL, PS, RW, MAP_SHARED, r->fd, IORING_OFF_SQES);
	return r->rings == MAP_FAILED || (void *)r->sqe == MAP_FAILED ? -1 : 0;
}

static void ring_close(struct ring *r)
{
	munmap(r->rings, PS);
	munmap(r->sqe, PS);
	close(r->fd);
}

/* Reads from or writes to @file, at 0, with the one registered buffer; the result. */
static long ring_fixed(struct ring *r, int op, int file, char *addr, size_t n)
{
	unsigned int *tail = (unsigned int *)(r->rings + r->p.sq_off.tail);
	unsigned int *head = (unsigned int *)(r->rings + r->p.cq_off.head);
	struct io_uring_cqe *cqe = (void *)(r->rings + r->p.cq_off.cqes);

	*r->sqe = (struct io_uring_sqe) {
		.opcode = op, .fd = file, .addr = (unsigned long)addr, .len = n,
	};
	*(unsigned int *)(r->rings + r->p.sq_off.array) = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(__NR_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -errno;
	cqe += *head & (r->p.cq_entries - 1);
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return cqe->res;
}

static long ring_register(struct ring *r, char *addr, size_t n)
{
	struct iovec v = { addr, n };

	return syscall(__NR_io_uring_register, r->fd, IORING_REGISTER_BUFFERS, &v, 1);
}

static long ring_unregister(struct ring *r)
{
	return syscall(__NR_io_uring_register, r->fd, IORING_UNREGISTER_BUFFERS, NULL, 0);
}

/*
 * Registered buffers are pinned for long, for writing: over runs that may all
 * be written to, and over no other.  The process and the kernel go on seeing
 * the same pages, also when protections change.
 */
TEST_F(lib, io_uring_fixed_buffers)
{
	int file = mp_file(MP_MEMFD, LIB_FILE_PAGES), pinned = 0;
	const size_t len = (LIB_PAGES - LIB_DATA) * PS;
	struct ring r;
	size_t at, n;

	ASSERT_GE(file, 0);
	if (ring_open(&r))
		SKIP(return, "no io_uring");
	for (at = 0; at < LIB_PAGES; at++)
		for (n = 1; at + n <= LIB_PAGES; n += 2)
			pinned += !mp_both(&self->p, ({
				long x = ring_register(&r, b + at * PS + 5, n * PS - 9);

				x ? -errno : ring_unregister(&r); }));
	/* From each page of data and bss, up to the end. */
	ASSERT_EQ(4 + 3 + 3 + 2 + 2 + 1 + 1, pinned);
	ASSERT_EQ(0, mp_same(MP_WRITES));

	mp_both(&self->p, ({
		long x = ring_register(&r, b + LIB_DATA * PS, len);

		x = x ? x : ring_fixed(&r, IORING_OP_READ_FIXED, file, b + LIB_DATA * PS, len);
		mprotect(b + (LIB_DATA + 1) * PS, 3 * PS, R);
		mp_put(b + LIB_DATA * PS, 'x');
		mp_put(b + (LIB_DATA + 5) * PS, 'y');
		if (ring_fixed(&r, IORING_OP_WRITE_FIXED, file, b + LIB_DATA * PS, len) != len ||
		    pread(file, buf[side], len, 0) != len ||
		    memcmp(buf[side], b + LIB_DATA * PS, len))
			x = -EIO;
		mprotect(b + (LIB_DATA + 1) * PS, 3 * PS, RW);
		mp_put(b + (LIB_DATA + 2) * PS, 'z');
		if (ring_fixed(&r, IORING_OP_WRITE_FIXED, file, b + LIB_DATA * PS, len) != len ||
		    pread(file, buf[side], len, 0) != len ||
		    memcmp(buf[side], b + LIB_DATA * PS, len))
			x = -EIO;
		ring_unregister(&r);
		x == len ? 0 : x; }));
	ASSERT_EQ('z', buf[MULTI][2 * PS]);
	ASSERT_EQ(0, mp_bad);
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ring_close(&r);
	close(file);
}

/* Futexes: a private one by address, a shared one by page of the file: per run. */
TEST_F(lib, futex)
{
	struct timespec t = { 0, 1000000 };
	size_t at;

	for (at = 0; at < LIB_PAGES; at++) {
		mp_both(&self->p, syscall(SYS_futex, b + at * PS, FUTEX_WAIT, 12345, &t, NULL, 0));
		mp_both(&self->p, syscall(SYS_futex, b + at * PS, FUTEX_WAIT_PRIVATE, 12345, &t,
					  NULL, 0));
		mp_both(&self->p, syscall(SYS_futex, b + at * PS, FUTEX_WAKE, 1, NULL, NULL, 0));
		mp_both(&self->p, syscall(SYS_futex, b + at * PS, FUTEX_WAKE_OP, 1, 1,
					  b + at * PS,
					  FUTEX_OP(FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 0)));
	}
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* The key of a futex in a read-only file page is (inode, file offset): equal in both mappings. */
TEST_F(lib, futex_key_is_file_offset)
{
	char *m = self->p.base[MULTI] + LIB_RELRO * PS, *e = self->p.base[EQUIV] + LIB_RELRO * PS;
	int status, value, i, woken = 0;
	pid_t pid;

	/* FUTEX_WAIT on a file page, shared key, waked through the other side's mapping. */
	value = *(volatile int *)m;
	pid = fork();
	if (!pid) {
		struct timespec t = { 10, 0 };

		_exit(syscall(SYS_futex, m, FUTEX_WAIT, value, &t, NULL, 0) ? errno : 0);
	}
	for (i = 0; i < 200 && !woken; i++) {
		usleep(10000);
		woken = syscall(SYS_futex, e, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	/* On a private mapping that is read-only, stock's key is the file's page too. */
	ASSERT_EQ(1, woken);
	ASSERT_EQ(0, status);
}

/* madvise(MADV_POPULATE_*) and mlock go through the same code: see manyprots_advice. */

TEST_HARNESS_MAIN
