// SPDX-License-Identifier: GPL-2.0
/*
 * A device that mirrors the address space (HMM) and takes pages into its own
 * memory: it may do to each page what the processor may, page by page, and a
 * range may span runs.  The device is that of lib/test_hmm.c.
 */
#include "manyprots_util.h"
#include <sys/ioctl.h>

/* lib/test_hmm_uapi.h, which is not installed */
struct hmm_dmirror_cmd {
	uint64_t addr, ptr, npages, cpages, faults;
};

#define HMM_DMIRROR_READ		_IOWR('H', 0x00, struct hmm_dmirror_cmd)
#define HMM_DMIRROR_WRITE		_IOWR('H', 0x01, struct hmm_dmirror_cmd)
#define HMM_DMIRROR_MIGRATE_TO_DEV	_IOWR('H', 0x02, struct hmm_dmirror_cmd)
#define HMM_DMIRROR_MIGRATE_TO_SYS	_IOWR('H', 0x03, struct hmm_dmirror_cmd)
#define HMM_DMIRROR_SNAPSHOT		_IOWR('H', 0x04, struct hmm_dmirror_cmd)
#define HMM_DMIRROR_EXCLUSIVE		_IOWR('H', 0x05, struct hmm_dmirror_cmd)

static char buffer[64 * 4096] __attribute__((aligned(4096)));

static int dmirror_open(void)
{
	return open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC);
}

/* The pages that the device has dealt with, or -errno. */
static long dmirror(int fd, unsigned long request, char *addr, size_t npages)
{
	struct hmm_dmirror_cmd cmd = {
		.addr = (unsigned long)addr, .ptr = (unsigned long)buffer, .npages = npages,
	};

	return ioctl(fd, request, &cmd) ? -errno : (long)cmd.cpages;
}

static unsigned int sum(const char *p, size_t n)
{
	unsigned int s = 0;

	while (n--)
		s = s * 31 + (unsigned char)*p++;
	return s;
}

/* What @request gives and leaves in the buffer, in one number. */
static long range(int fd, unsigned long request, char *addr, size_t npages)
{
	long ret;

	memset(buffer, 'm', npages * PS);
	ret = dmirror(fd, request, addr, npages);
	return ret * 65536 + (sum(buffer, npages * PS) & 65535);
}

/* Page by page, it is equal. */
static void each_page(struct mp_pair *p, int fd, unsigned long request)
{
	size_t i;

	for (i = 0; i < p->npages; i++)
		mp_both(p, range(fd, request, b + i * PS, 1));
}

static const struct mp_run heap[] = {
	{ 4, RW, MP_ANON, 0 }, { 2, R, MP_ANON, 0 }, { 4, RW, MP_ANON, 0 }, { 2, NONE, MP_ANON, 0 },
	{ 4, RW, MP_ANON, 0 },
};

FIXTURE(hmm) { struct mp_pair p; int fd; };
FIXTURE_VARIANT(hmm) { bool library; };
FIXTURE_VARIANT_ADD(hmm, library) { .library = true };
FIXTURE_VARIANT_ADD(hmm, heap) { .library = false };
FIXTURE_SETUP(hmm)
{
	int i;

	self->fd = dmirror_open();
	if (self->fd < 0)
		SKIP(return, "no /dev/hmm_dmirror0");
	if (variant->library) {
		self->p.fd = mp_file(MP_TMP, LIB_FILE_PAGES);
		ASSERT_LE(0, self->p.fd);
		ASSERT_EQ(0, mp_map_runs(&self->p, mp_library));
		mp_dirty_library(&self->p);
	} else {
		self->p.fd = -1;
		ASSERT_EQ(0, mp_map_runs(&self->p, heap));
		for (i = 0; i < 16; i += 1 + i % 3)
			if (i < 4 || (i > 5 && i < 10) || i > 11)
				mp_both(&self->p, mp_put(b + i * PS, i + 1));
	}
	ASSERT_TRUE(mp_one_vma());
}

FIXTURE_TEARDOWN(hmm)
{
	if (self->fd >= 0)
		close(self->fd);
	if (self->p.fd >= 0)
		close(self->p.fd);
	mp_clear();
}

/* hmm_range_fault() without faults: what the page tables give, PROT_NONE an error. */
TEST_F(hmm, snapshot)
{
	size_t i, n;

	each_page(&self->p, self->fd, HMM_DMIRROR_SNAPSHOT);
	for (i = 0; i < self->p.npages; i++)
		for (n = 1; i + n <= self->p.npages; n++)
			mp_both(&self->p, range(self->fd, HMM_DMIRROR_SNAPSHOT, b + i * PS, n));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* It reads what may be read, also across runs, and faults what is not there. */
TEST_F(hmm, read)
{
	size_t i, n;

	each_page(&self->p, self->fd, HMM_DMIRROR_READ);
	for (i = 0; i < self->p.npages; i++)
		for (n = 2; i + n <= self->p.npages; n++)
			mp_both(&self->p, range(self->fd, HMM_DMIRROR_READ, b + i * PS, n));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* It writes what may be written, and breaks COW there. */
TEST_F(hmm, write)
{
	size_t i;

	each_page(&self->p, self->fd, HMM_DMIRROR_WRITE);
	for (i = 0; i < self->p.npages; i++)
		mp_both(&self->p, range(self->fd, HMM_DMIRROR_WRITE, b + i * PS, 3));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

static int touch_all(__mp_unused void *arg)
{
	return mp_same(MP_WRITES);
}

/*
 * Private pages go to the device and come back when the processor wants them;
 * protections are those of their runs, also in a child.
 */
TEST_F(hmm, migrate)
{
	size_t i, n = self->p.npages;

	for (i = 0; i < n; i++)
		mp_both(&self->p, dmirror(self->fd, HMM_DMIRROR_MIGRATE_TO_DEV, b + i * PS, 1));
	/* over runs, until one that cannot be read */
	mp_both(&self->p, dmirror(self->fd, HMM_DMIRROR_MIGRATE_TO_DEV, b, n));
	each_page(&self->p, self->fd, HMM_DMIRROR_SNAPSHOT);
	ASSERT_EQ(0, mp_in_child(touch_all, &self->p));
	mp_both(&self->p, dmirror(self->fd, HMM_DMIRROR_MIGRATE_TO_SYS, b, 3));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	/* a change of protection finds the device's entries */
	mp_both(&self->p, dmirror(self->fd, HMM_DMIRROR_MIGRATE_TO_DEV, b, 2));
	mp_both(&self->p, mprotect(b + PS, PS, NONE));
	mp_both(&self->p, mprotect(b + PS, PS, R));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Pages that only the device may use are given back at the processor's access. */
TEST_F(hmm, exclusive)
{
	size_t i;

	for (i = 0; i < self->p.npages; i++)
		mp_both(&self->p, dmirror(self->fd, HMM_DMIRROR_EXCLUSIVE, b + i * PS, 1));
	mp_both(&self->p, dmirror(self->fd, HMM_DMIRROR_EXCLUSIVE, b, self->p.npages));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

TEST_HARNESS_MAIN
