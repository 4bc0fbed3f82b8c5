// SPDX-License-Identifier: GPL-2.0
/*
 * userfaultfd and multi-protection VMAs: registering splits runs off as ordinary
 * VMAs, where missing, minor and write-protect faults are what they are, and
 * events tell what becomes of them; and UFFDIO_MOVE takes pages out of runs.
 */
#include "manyprots_util.h"
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFD_FEATURE_MOVE
#define UFFD_FEATURE_MOVE (1 << 16)
#endif
#define ALLOW_SRC_HOLES 2	/* UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES */
#ifndef UFFDIO_MOVE
struct uffdio_move {
	__u64 dst, src, len, mode;
	__s64 move;
};

#define UFFDIO_MOVE _IOWR(UFFDIO, 0x05, struct uffdio_move)
#endif
#ifndef UFFD_FEATURE_MINOR_SHMEM
#define UFFD_FEATURE_MINOR_SHMEM (1 << 10)
#endif
#ifndef UFFDIO_REGISTER_MODE_MINOR
#define UFFDIO_REGISTER_MODE_MINOR (1 << 2)
#endif
#ifndef _UFFDIO_CONTINUE
struct uffdio_continue {
	struct uffdio_range range;
	__u64 mode;
	__s64 mapped;
};

#define UFFDIO_CONTINUE _IOWR(UFFDIO, 0x07, struct uffdio_continue)
#endif
#ifndef UFFD_PAGEFAULT_FLAG_MINOR
#define UFFD_PAGEFAULT_FLAG_MINOR (1 << 2)
#endif

static int uffd_open(unsigned long features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(__NR_userfaultfd, O_CLOEXEC);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static long uffd_register(int fd, char *addr, size_t len, int mode)
{
	struct uffdio_register reg = {
		.range = { (unsigned long)addr, len }, .mode = mode,
	};

	return ioctl(fd, UFFDIO_REGISTER, &reg) ? -1 : 0;
}

static long uffd_unregister(int fd, char *addr, size_t len)
{
	struct uffdio_range range = { (unsigned long)addr, len };

	return ioctl(fd, UFFDIO_UNREGISTER, &range) ? -1 : 0;
}

static long move(int fd, char *dst, char *src, size_t len, int mode)
{
	struct uffdio_move mv = {
		.dst = (unsigned long)dst, .src = (unsigned long)src, .len = len, .mode = mode,
	};

	if (ioctl(fd, UFFDIO_MOVE, &mv))
		return mv.move > 0 ? mv.move : -errno;
	return mv.move;
}

/* Answers faults until told to stop; what it saw is a checksum. */
struct handler {
	int fd;
	int stop[2];
	pthread_t thread;
	char *base;
	unsigned long faults, events, kinds;
	int child;		/* what a child has inherited of @fd, or -1 */
};

/* What an event tells: which, and where, from the base on. */
static unsigned long event_sum(struct handler *h, struct uffd_msg *msg)
{
	unsigned long base = (unsigned long)h->base;

	switch (msg->event) {
	case UFFD_EVENT_REMAP:
		return (msg->arg.remap.from - base) * 3 + (msg->arg.remap.to - base) * 5 +
		       msg->arg.remap.len * 7;
	case UFFD_EVENT_REMOVE:
	case UFFD_EVENT_UNMAP:
		return (msg->arg.remove.start - base) * 11 + (msg->arg.remove.end - base) * 13;
	case UFFD_EVENT_FORK:
		h->child = msg->arg.fork.ufd;
		fcntl(h->child, F_SETFL, O_NONBLOCK);
	}
	return msg->event;
}

static void *handle(void *arg)
{
	struct handler *h = arg;
	char page[65536] __attribute__((aligned(4096)));
	struct uffd_msg msg;

	for (;;) {
		struct pollfd p[3] = {
			{ h->fd, POLLIN, 0 }, { h->stop[0], POLLIN, 0 }, { h->child, POLLIN, 0 },
		};
		unsigned long addr, flags;
		int fd;

		poll(p, 3, -1);
		if (p[1].revents)
			return NULL;
		fd = p[2].revents & POLLIN ? h->child : h->fd;
		if (read(fd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		if (msg.event != UFFD_EVENT_PAGEFAULT) {
			h->events++;
			h->kinds = h->kinds * 31 + event_sum(h, &msg);
			continue;
		}
		addr = msg.arg.pagefault.address & -PS;
		flags = msg.arg.pagefault.flags;
		h->faults++;
		h->kinds = h->kinds * 31 + (addr - (unsigned long)h->base) / PS * 8 + (flags & 7);
		if (flags & UFFD_PAGEFAULT_FLAG_WP) {
			struct uffdio_writeprotect wp = { .range = { addr, PS } };

			ioctl(fd, UFFDIO_WRITEPROTECT, &wp);
		} else if (flags & UFFD_PAGEFAULT_FLAG_MINOR) {
			struct uffdio_continue c = { .range = { addr, PS } };

			ioctl(fd, UFFDIO_CONTINUE, &c);
		} else {
			struct uffdio_copy c = { .dst = addr, .src = (unsigned long)page,
						 .len = PS };

			memset(page, 'u', PS);
			page[0] = (addr - (unsigned long)h->base) / PS;
			ioctl(fd, UFFDIO_COPY, &c);
		}
	}
}

static int handler_start(struct handler *h, int fd, char *base)
{
	memset(h, 0, sizeof(*h));
	h->fd = fd;
	h->child = -1;
	h->base = base;
	return pipe(h->stop) || pthread_create(&h->thread, NULL, handle, h);
}

static long handler_end(struct handler *h)
{
	if (write(h->stop[1], "", 1) != 1)
		return -1;
	pthread_join(h->thread, NULL);
	if (h->child >= 0)
		close(h->child);
	close(h->stop[0]);
	close(h->stop[1]);
	return h->kinds & 0xffffffffUL;
}

static const struct mp_run anon[] = {
	{ 4, RW, MP_ANON, 0 }, { 4, R, MP_ANON, 0 }, { 4, RW, MP_ANON, 0 }, { 4, NONE, MP_ANON, 0 },
};

FIXTURE(anon) { struct mp_pair p; int fd; };
FIXTURE_SETUP(anon)
{
	self->fd = uffd_open(0);
	if (self->fd < 0)
		SKIP(return, "no userfaultfd");
	self->p.fd = -1;
	self->p.mflags = MAP_NORESERVE;
	ASSERT_EQ(0, mp_map_runs(&self->p, anon));
	ASSERT_TRUE(mp_one_vma());
	fcntl(self->fd, F_SETFL, O_NONBLOCK);
}

FIXTURE_TEARDOWN(anon)
{
	mp_clear();
	close(self->fd);
}

/* Missing pages of several runs, one of them registered in part. */
TEST_F(anon, missing)
{
	struct handler h;
	long sum[2];
	int side, i;

	mp_both(&self->p, mp_put(b + PS, 'x'));
	ASSERT_EQ(0, mp_both(&self->p, uffd_register(self->fd, b, 10 * PS,
						     UFFDIO_REGISTER_MODE_MISSING)));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	for (side = 0; side < 2; side++) {
		char *m = self->p.base[side];

		ASSERT_EQ(0, handler_start(&h, self->fd, m));
		for (i = 0; i < 12; i++) {
			ASSERT_EQ(0, mp_read(m + i * PS));
			if (i != 1)
				ASSERT_EQ(i < 10 ? i : 0, m[i * PS]);
		}
		ASSERT_EQ(MP_ACCERR, mp_put(m + 5 * PS, 1));
		ASSERT_EQ(MP_ACCERR, mp_read(m + 13 * PS));
		sum[side] = handler_end(&h);
		ASSERT_EQ(9, h.faults);
	}
	ASSERT_EQ(sum[0], sum[1]);
	/* mprotect() of a registered VMA splits as stock */
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + 2 * PS, PS, R)));
	ASSERT_EQ(0, mp_same(0));
	ASSERT_EQ(0, mp_both(&self->p, uffd_unregister(self->fd, b, 10 * PS)));
	ASSERT_EQ(0, mp_both(&self->p, madvise(b, 12 * PS, MADV_DONTNEED)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

TEST_F(anon, write_protect)
{
	struct handler h;
	long sum[2];
	int side, i;

	for (i = 0; i < 12; i++)
		if (i < 4 || i > 7)
			mp_both(&self->p, mp_put(b + i * PS, i));
	if (mp_both(&self->p, uffd_register(self->fd, b, 10 * PS, UFFDIO_REGISTER_MODE_WP)))
		SKIP(return, "no write protection");
	for (side = 0; side < 2; side++) {
		char *m = self->p.base[side];
		struct uffdio_writeprotect wp = {
			.range = { (unsigned long)m, 10 * PS }, .mode = UFFDIO_WRITEPROTECT_MODE_WP,
		};

		ASSERT_EQ(0, ioctl(self->fd, UFFDIO_WRITEPROTECT, &wp));
		ASSERT_EQ(0, handler_start(&h, self->fd, m));
		for (i = 0; i < 12; i++)
			ASSERT_EQ(i < 4 || i > 7 ? 0 : MP_ACCERR, mp_put(m + i * PS, 'w'));
		sum[side] = handler_end(&h);
		ASSERT_EQ(6, h.faults);
	}
	ASSERT_EQ(sum[0], sum[1]);
	ASSERT_EQ(0, mp_both(&self->p, uffd_unregister(self->fd, b, 10 * PS)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

static int faults_in_child(void *arg)
{
	char *m = arg;
	int i, bad = 0;

	for (i = 0; i < 12; i++)
		bad += mp_read(m + i * PS) || m[i * PS] != (i == 1 ? 'x' : i < 10 ? i : 0);
	return bad + (mp_put(m + 5 * PS, 1) != MP_ACCERR) + (mp_read(m + 13 * PS) != MP_ACCERR);
}

/*
 * Events of what is registered within runs: a child's faults, a move, and what
 * is dropped and unmapped together with runs beside it that are not registered.
 */
TEST_F(anon, events)
{
	int fd = uffd_open(UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP |
			   UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP);
	struct handler h;
	long sum[2];
	int side;

	if (fd < 0)
		SKIP(return, "no events");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	mp_both(&self->p, mp_put(b + PS, 'x'));
	ASSERT_EQ(0, mp_both(&self->p, uffd_register(fd, b, 10 * PS,
						     UFFDIO_REGISTER_MODE_MISSING)));
	for (side = 0; side < 2; side++) {
		char *m = self->p.base[side];

		ASSERT_EQ(0, handler_start(&h, fd, m));
		EXPECT_EQ(0, mp_in_child(faults_in_child, m));
		EXPECT_EQ(9, h.faults);
		/* from the registered part to beyond its end */
		EXPECT_EQ(0, madvise(m + 8 * PS, 4 * PS, MADV_DONTNEED));
		EXPECT_EQ(m + 32 * PS, mremap(m, 2 * PS, 2 * PS, MREMAP_MAYMOVE | MREMAP_FIXED,
					      m + 32 * PS));
		EXPECT_EQ('x', m[33 * PS]);
		EXPECT_EQ(0, mp_read(m + 32 * PS));
		EXPECT_EQ(0, munmap(m + 6 * PS, 5 * PS));
		sum[side] = handler_end(&h);
		/* fork, drop, move, and unmapping for the move and by itself */
		EXPECT_EQ(5, h.events);
	}
	EXPECT_EQ(sum[0], sum[1]);
	ASSERT_EQ(0, mp_both(&self->p, uffd_unregister(fd, b, 6 * PS)));
	ASSERT_EQ(0, mp_both(&self->p, uffd_unregister(fd, b + 32 * PS, 2 * PS)));
	close(fd);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Pages leave a run and arrive in an ordinary VMA; the run ends where the source does. */
TEST_F(anon, move)
{
	int fd = uffd_open(UFFD_FEATURE_MOVE), i;

	if (fd < 0)
		SKIP(return, "no UFFDIO_MOVE");
	for (i = 0; i < 2; i++)
		ASSERT_EQ(self->p.base[i] + 64 * PS,
			  mmap(self->p.base[i] + 64 * PS, 32 * PS, RW,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	for (i = 0; i < 12; i++)
		if (i < 4 || i > 7)
			mp_both(&self->p, mp_put(b + i * PS, i + 1));
	ASSERT_EQ(0, mp_both(&self->p, uffd_register(fd, b + 64 * PS, 32 * PS,
						     UFFDIO_REGISTER_MODE_MISSING)));
	ASSERT_EQ(2 * (long)PS, mp_both(&self->p, move(fd, b + 64 * PS, b + PS, 2 * PS, 0)));
	/* Nobody answers the fault where nothing was moved to. */
	ASSERT_EQ(0, mp_bad);
	ASSERT_EQ(2, self->p.base[MULTI][64 * PS]);
	ASSERT_EQ(3, self->p.base[MULTI][65 * PS]);
	/* what was moved is gone */
	ASSERT_EQ(0, self->p.base[MULTI][PS]);
	ASSERT_EQ((long)PS, mp_both(&self->p, move(fd, b + 66 * PS, b + 8 * PS, PS, 0)));
	/* over the end of a run; out of one that is not writable; where there is no page */
	ASSERT_EQ(-EINVAL, mp_both(&self->p, move(fd, b + 68 * PS, b + 3 * PS, 2 * PS, 0)));
	ASSERT_EQ(-EINVAL, mp_both(&self->p, move(fd, b + 68 * PS, b + 4 * PS, PS, 0)));
	ASSERT_EQ(-EINVAL, mp_both(&self->p, move(fd, b + 68 * PS, b + 12 * PS, PS, 0)));
	ASSERT_EQ(-ENOENT, mp_both(&self->p, move(fd, b + 68 * PS, b + 8 * PS, PS, 0)));
	ASSERT_EQ((long)PS, mp_both(&self->p, move(fd, b + 68 * PS, b + 8 * PS, PS,
						   ALLOW_SRC_HOLES)));
	ASSERT_EQ(-EEXIST, mp_both(&self->p, move(fd, b + 64 * PS, b + 9 * PS, PS, 0)));
	/* into runs: registered, they are ordinary VMAs */
	ASSERT_TRUE(mp_stock || mp_window_vmas(MULTI) == 2);
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + 8 * PS, 4 * PS, MADV_DONTNEED)));
	ASSERT_EQ(0, mp_both(&self->p, uffd_register(fd, b + 8 * PS, 4 * PS,
						     UFFDIO_REGISTER_MODE_MISSING)));
	ASSERT_EQ((long)PS, mp_both(&self->p, move(fd, b + 9 * PS, b, PS, 0)));
	ASSERT_EQ(1, self->p.base[MULTI][9 * PS]);
	ASSERT_EQ(0, mp_both(&self->p, uffd_unregister(fd, b, 96 * PS)));
	close(fd);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/*
 * Stock gives a VMA its anon_vma before it sees that it is not registered, and
 * fork() copies the page tables of such a VMA: the child has the zero page too.
 */
static int inherited(void *arg)
{
	struct mp_pair *p = arg;
	unsigned char present[2];
	int ret = mp_both(p, mincore(b + 4 * PS, 2 * PS, present) ? -1 :
			     present[0] | present[1] << 1);

	return ret < 0 || mp_bad ? 100 : ret;
}

/* What changes nothing divides nothing. */
TEST_F(anon, unregister_nothing)
{
	long before = mp_vmas();

	ASSERT_EQ(0, mp_both(&self->p, uffd_unregister(self->fd, b + PS, 6 * PS)));
	ASSERT_EQ(before, mp_vmas());
	ASSERT_TRUE(mp_one_vma());
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* As stock: the data of a private file cannot be registered, its bss can. */
TEST(refused)
{
	static const struct mp_run runs[] = {
		{ 2, R, MP_FILE, 0 }, { 2, RX, MP_FILE, 2 }, { 4, RW, MP_ANON, 0 },
	};
	struct mp_pair p = { .fd = mp_file(MP_LOWER, LIB_FILE_PAGES) };
	int fd = uffd_open(0);
	long before;

	if (fd < 0)
		SKIP(return, "no userfaultfd");
	if (p.fd < 0)
		SKIP(return, "no file");
	ASSERT_EQ(0, mp_map_runs(&p, runs));
	before = mp_vmas();
	ASSERT_EQ(-EINVAL, mp_both(&p, uffd_register(fd, b + PS, 2 * PS,
						     UFFDIO_REGISTER_MODE_MISSING)));
	ASSERT_EQ(-EINVAL, mp_both(&p, uffd_register(fd, b + 3 * PS, 2 * PS,
						     UFFDIO_REGISTER_MODE_MISSING)));
	ASSERT_EQ(-EINVAL, mp_both(&p, uffd_unregister(fd, b + 3 * PS, 2 * PS)));
	ASSERT_EQ(0, mp_both(&p, uffd_unregister(fd, b + 5 * PS, PS)));
	ASSERT_EQ(before, mp_vmas());
	ASSERT_EQ(0, mp_both(&p, uffd_register(fd, b + 5 * PS, PS,
					       UFFDIO_REGISTER_MODE_MISSING)));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	ASSERT_EQ(-EINVAL, mp_both(&p, uffd_unregister(fd, b, 8 * PS)));
	ASSERT_EQ(0, mp_both(&p, uffd_unregister(fd, b + 4 * PS, 4 * PS)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	mp_clear();
	close(fd);
	close(p.fd);
}

TEST_F(anon, not_registered)
{
	struct uffdio_zeropage zero = { .range = { .len = PS } };
	int i;

	/* another run has an anon_vma already */
	mp_both(&self->p, mp_put(b, 'x'));
	for (i = 4; i <= 5; i++)
		mp_both(&self->p, mp_read(b + i * PS));
	ASSERT_EQ(-ENOENT, mp_both(&self->p,
				   (zero.range.start = (unsigned long)b + 4 * PS,
				    ioctl(self->fd, UFFDIO_ZEROPAGE, &zero) ? -errno : 0)));
	ASSERT_EQ(3, mp_in_child(inherited, &self->p));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/*
 * A shared mapping that cannot become writable: stock gives it an anon_vma on the
 * way to the same error, and it can be duplicated as before.
 */
TEST(not_registered_shared)
{
	static const struct mp_run runs[] = {
		{ 2, R, MP_FILE, 0 }, { 2, R, MP_FILE, 6 }, { 4, R, MP_FILE, 4 },
	};
	struct mp_pair p = { .mflags = MAP_SHARED };
	int fd = uffd_open(0), file = mp_file(MP_MEMFD, 16);
	struct uffdio_copy copy = { .src = (unsigned long)mp_text & -PS, .len = PS };
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
	p.fd = open(name, O_RDONLY);
	if (fd < 0 || p.fd < 0)
		SKIP(return, "no userfaultfd, or no /proc");
	ASSERT_EQ(0, mp_map_runs(&p, runs));
	ASSERT_EQ(-ENOENT, mp_both(&p, (copy.dst = (unsigned long)b + 2 * PS,
					ioctl(fd, UFFDIO_COPY, &copy) ? -errno : 0)));
	ASSERT_EQ(0, mp_both(&p, mremap(b + 2 * PS, 0, 2 * PS, MREMAP_MAYMOVE | MREMAP_FIXED,
					b + 64 * PS) == b + 64 * PS ? 0 : -errno));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, memcmp(p.base[MULTI] + 64 * PS, p.base[EQUIV] + 64 * PS, 2 * PS));
	ASSERT_EQ(0, mp_both(&p, munmap(b + 64 * PS, 2 * PS)));
	ASSERT_EQ(0, mp_both(&p, munmap(b, 8 * PS)));
	close(fd);
	close(p.fd);
	close(file);
}

/* Out of the bss of a library. */
TEST(move_bss)
{
	struct mp_pair p = { .fd = mp_file(MP_TMP, LIB_FILE_PAGES) };
	int fd = uffd_open(UFFD_FEATURE_MOVE), i;

	if (fd < 0 || p.fd < 0)
		SKIP(return, "no UFFDIO_MOVE");
	ASSERT_EQ(0, mp_map_runs(&p, mp_library));
	mp_dirty_library(&p);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(p.base[i] + 64 * PS, mmap(p.base[i] + 64 * PS, 8 * PS, RW, MAP_PRIVATE |
			MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	ASSERT_EQ(0, mp_both(&p, uffd_register(fd, b + 64 * PS, 8 * PS,
					       UFFDIO_REGISTER_MODE_MISSING)));
	ASSERT_EQ((long)PS, mp_both(&p, move(fd, b + 64 * PS, b + LIB_BSS * PS, PS, 0)));
	/* Nobody answers the fault where nothing was moved to. */
	ASSERT_EQ(0, mp_bad);
	ASSERT_EQ('b', p.base[MULTI][64 * PS + 100]);
	ASSERT_EQ(-EINVAL, mp_both(&p, move(fd, b + 65 * PS, b + LIB_DATA * PS, PS, 0)));
	ASSERT_EQ(-EINVAL, mp_both(&p, move(fd, b + 65 * PS, b + 2 * PS, PS, 0)));
	ASSERT_EQ(0, mp_both(&p, uffd_unregister(fd, b + 64 * PS, 8 * PS)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	close(fd);
	close(p.fd);
	mp_clear();
}

/* Minor faults are of shared memory: a shared mapping of a memfd, where that can have runs. */
TEST(minor)
{
	int fd = uffd_open(UFFD_FEATURE_MINOR_SHMEM), mfd = mp_file(MP_MEMFD, 16), side, i;
	struct handler h;
	char *m[2];

	if (fd < 0 || mfd < 0)
		SKIP(return, "no minor faults");
	mp_clear();
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (side = 0; side < 2; side++) {
		m[side] = mmap((char *)mp_window(side) + MP_BASE_OFFSET, 16 * PS, RW,
			       MAP_SHARED | MAP_FIXED_NOREPLACE, mfd, 0);
		ASSERT_NE(MAP_FAILED, m[side]);
	}
	/* offsets in reverse and protections; by other means on the other side */
	for (i = 0; i < 16; i++) {
		int prot = i % 3 ? RW : R;
		int ret = mp_rfp(m[0] + i * PS, PS, prot, 15 - i, MAP_CHGPROT);

		if (ret && !mp_stock)
			SKIP(return, "shared mappings have no runs");
		for (side = mp_stock ? 0 : 1; side < 2; side++)
			ASSERT_EQ(m[side] + i * PS, mmap(m[side] + i * PS, PS, prot, MAP_SHARED |
				MAP_FIXED, mfd, (15 - i) * PS));
	}
	for (side = 0; side < 2; side++) {
		ASSERT_EQ(0, uffd_register(fd, m[side] + 2 * PS, 8 * PS,
					   UFFDIO_REGISTER_MODE_MINOR));
		ASSERT_EQ(0, handler_start(&h, fd, m[side]));
		for (i = 0; i < 16; i++) {
			char want[65536];

			ASSERT_EQ(0, mp_read(m[side] + i * PS));
			ASSERT_EQ((ssize_t)PS, pread(mfd, want, PS, (15 - i) * PS));
			ASSERT_EQ(0, memcmp(want, m[side] + i * PS, PS));
			ASSERT_EQ(i % 3 ? 0 : MP_ACCERR, mp_write(m[side] + i * PS));
		}
		handler_end(&h);
		ASSERT_EQ(8, h.faults);
		ASSERT_EQ(0, uffd_unregister(fd, m[side] + 2 * PS, 8 * PS));
	}
	ASSERT_EQ(0, mp_same(0));
	close(fd);
	close(mfd);
	mp_clear();
}

TEST_HARNESS_MAIN
