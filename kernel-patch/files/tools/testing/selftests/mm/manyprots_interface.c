// SPDX-License-Identifier: GPL-2.0
/*
 * remap_file_pages(MAP_CHGPROT): the probe, the sysctl, the AT_FLAGS bit,
 * argument errors and which mappings are eligible.  A failing call changes
 * nothing.
 */
#include "manyprots_util.h"
#include <sys/ipc.h>
#include <sys/klog.h>
#include <sys/shm.h>

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 8
#endif
#ifndef __NR_memfd_secret
#define __NR_memfd_secret 447
#endif

/* What a call gives that would fail with @err: without the feature they all are EINVAL. */
#define WANT(err) (mp_stock ? -EINVAL : (err))

/* Run as a fresh image, says whether the bit is set in AT_FLAGS. */
static void __attribute__((constructor(102))) at_flags_image(void)
{
	if (getenv("MANYPROTS_AT_FLAGS"))
		_exit(10 + !!(getauxval(AT_FLAGS) & AT_FLAGS_MANYPROTS));
}

static int at_flags_after_exec(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		setenv("MANYPROTS_AT_FLAGS", "1", 1);
		execl("/proc/self/exe", "manyprots", NULL);
		_exit(1);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status) - 10;
}

/* How often the kernel log has stock's warning about the deprecated call; -1: not readable. */
static int warnings(void)
{
	static char log[1 << 20];
	int n = klogctl(3, log, sizeof(log) - 1), found = 0;
	char *p = log;

	if (n < 0)
		return -1;
	log[n] = 0;
	while ((p = strstr(p, "deprecated remap_file_pages"))) {
		found++;
		p++;
	}
	return found;
}

/* "the probe: 0 where supported and on; else EINVAL" */
TEST(probe)
{
	ASSERT_EQ(mp_stock ? -EINVAL : 0, mp_rfp(NULL, 0, 0, 0, MAP_CHGPROT));
}

/* Without the flag the probe's arguments are stock's EINVAL. */
TEST(probe_without_flag)
{
	ASSERT_EQ(-EINVAL, mp_rfp(NULL, 0, 0, 0, 0));
}

/* "set at exec when the feature is on for the process: how ld.so detects it" */
TEST(at_flags)
{
	ASSERT_EQ(!mp_stock, at_flags_after_exec());
	ASSERT_EQ(!mp_stock, !!(getauxval(AT_FLAGS) & AT_FLAGS_MANYPROTS));
}

/* No MAP_CHGPROT call may put stock's deprecation warning into the log of a patched kernel. */
TEST(no_deprecation_warning)
{
	int before = warnings();

	if (before < 0)
		SKIP(return, "kernel log not readable");
	if (access(MP_SYSCTL, F_OK))
		SKIP(return, "a stock kernel warns at every first call");
	mp_rfp(NULL, 0, 0, 0, MAP_CHGPROT);
	mp_rfp((void *)1, 7, 1, 0, MAP_CHGPROT);
	ASSERT_EQ(before, warnings());
}

/* "vm.manyprots 0 off: any MAP_CHGPROT call is EINVAL", AT_FLAGS clear; 1: on. */
TEST(sysctl_off_on)
{
	char *m;

	if (mp_stock)
		SKIP(return, "feature off");
	if (!mp_system())
		SKIP(return, "changes a sysctl");
	m = mmap(NULL, 4 * PS, R, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, m);
	ASSERT_EQ(0, mp_rfp(m, PS, RW, 0, MAP_CHGPROT));

	ASSERT_EQ(0, mp_sysctl_set(MP_SYSCTL, "0"));
	EXPECT_EQ(-EINVAL, mp_rfp(NULL, 0, 0, 0, MAP_CHGPROT));
	EXPECT_EQ(-EINVAL, mp_rfp(m, PS, R, 0, MAP_CHGPROT));
	EXPECT_EQ(0, at_flags_after_exec());
	/* What is there already goes on working. */
	EXPECT_EQ(0, mp_put(m, 1));
	EXPECT_EQ(MP_ACCERR, mp_put(m + PS, 1));
	EXPECT_EQ(0, mprotect(m + PS, PS, RW));
	EXPECT_EQ(0, mp_put(m + PS, 1));

	EXPECT_EQ(0, mp_sysctl_set(MP_SYSCTL, "1"));
	EXPECT_EQ(0, mp_rfp(NULL, 0, 0, 0, MAP_CHGPROT));
	EXPECT_EQ(1, at_flags_after_exec());
}

/* A shared mapping with prot 0: the one MAP_CHGPROT call that stock, ignoring flags, lets pass. */
TEST(sysctl_off_shared)
{
	char *m;
	int fd;

	if (access(MP_SYSCTL, F_OK))
		SKIP(return, "stock kernel");
	fd = mp_file(MP_MEMFD, 4);
	ASSERT_GE(fd, 0);
	m = mmap(NULL, 4 * PS, R, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, m);
	if (mp_stock) {
		ASSERT_EQ(-EINVAL, mp_rfp(m, PS, 0, 2, MAP_CHGPROT));
	} else {
		if (!mp_system())
			SKIP(return, "changes a sysctl");
		ASSERT_EQ(0, mp_sysctl_set(MP_SYSCTL, "0"));
		EXPECT_EQ(-EINVAL, mp_rfp(m, PS, 0, 2, MAP_CHGPROT));
		EXPECT_EQ(0, mp_sysctl_set(MP_SYSCTL, "1"));
	}
	EXPECT_EQ(0, memcmp(m + 8, m + 8, 8));
	/* "Without MAP_CHGPROT the call is stock": page 2 is there now. */
	EXPECT_EQ(0, mp_rfp(m, PS, 0, 2, 0));
	EXPECT_EQ(0, memcmp(m, m + 2 * PS, PS));
}

FIXTURE(errors) {
	struct mp_pair p;
};

FIXTURE_SETUP(errors)
{
	self->p.fd = mp_file(MP_TMP, LIB_FILE_PAGES);
	ASSERT_GE(self->p.fd, 0);
	ASSERT_EQ(0, mp_map_runs(&self->p, mp_library));
	mp_dirty_library(&self->p);
}

FIXTURE_TEARDOWN(errors)
{
}

/* One failing call on the multi side only: nothing may have changed. */
#define fails(err, off, len, prot, pgoff, flags)				\
	do {									\
		EXPECT_EQ(WANT(-(err)), mp_rfp(self->p.base[MULTI] + (off), len, prot, pgoff, \
					       flags));				\
		EXPECT_EQ(0, mp_same(0));					\
	} while (0)

TEST_F(errors, unaligned)
{
	fails(EINVAL, 1, PS, R, 0, MAP_CHGPROT);
	fails(EINVAL, PS / 2, PS, R, 0, MAP_CHGPROT);
	fails(EINVAL, 0, PS - 1, R, 0, MAP_CHGPROT);
	fails(EINVAL, 0, PS + 1, R, 0, MAP_CHGPROT);
}

TEST_F(errors, unknown_flags)
{
	fails(EINVAL, 0, PS, R, 9, MAP_CHGPROT | MAP_SHARED);
	fails(EINVAL, 0, PS, R, 9, MAP_CHGPROT | MAP_FIXED);
	fails(EINVAL, 0, PS, R, 9, MAP_CHGPROT | MAP_STACK);
	fails(EINVAL, 0, PS, R, 9, MAP_CHGPROT | 0x40000000);
}

/* "MAP_NONBLOCK is known and ignored" */
TEST_F(errors, nonblock_ignored)
{
	ASSERT_EQ(WANT(0), mp_rfp(self->p.base[MULTI], PS, R, 0, MAP_CHGPROT | MAP_NONBLOCK));
	ASSERT_EQ(0, mp_same(0));
}

TEST_F(errors, unknown_prot_bits)
{
	fails(EINVAL, 0, PS, R | 0x100, 9, MAP_CHGPROT);
	fails(EINVAL, 0, PS, R | 0x10000, 9, MAP_CHGPROT);
	fails(EINVAL, 0, PS, R | PROT_GROWSDOWN, 9, MAP_CHGPROT);
	fails(EINVAL, 0, PS, R | PROT_GROWSUP, 9, MAP_CHGPROT);
	fails(EINVAL, 0, PS, -1, 9, MAP_CHGPROT);
}

/* Over the end of the VMA: into nothing, or into another VMA, multi-protection as well. */
TEST_F(errors, several_vmas)
{
	fails(EINVAL, (LIB_PAGES - 1) * PS, 2 * PS, R, 0, MAP_CHGPROT);
	fails(EINVAL, -PS, 2 * PS, R, 0, MAP_CHGPROT);
	fails(EINVAL, LIB_PAGES * PS, PS, R, 0, MAP_CHGPROT);

	mp_both(&self->p, mmap(b + LIB_PAGES * PS, 2 * PS, R, MAP_PRIVATE | MAP_FIXED, self->p.fd,
			       0) == MAP_FAILED);
	fails(EINVAL, (LIB_PAGES - 1) * PS, 2 * PS, R, 0, MAP_CHGPROT);
	ASSERT_EQ(WANT(0), mp_rfp(self->p.base[MULTI] + LIB_PAGES * PS, PS, R, 0, MAP_CHGPROT));
	fails(EINVAL, (LIB_PAGES - 1) * PS, 2 * PS, R, 0, MAP_CHGPROT);
}

TEST_F(errors, wrapping_range)
{
	fails(EINVAL, 0, -PS, R, 0, MAP_CHGPROT);
	fails(EINVAL, 0, ~0UL & ~(PS - 1), R, 0, MAP_CHGPROT);
}

/* "EOVERFLOW as mmap": the offset wraps, or is beyond what the file system can have. */
TEST_F(errors, pgoff_overflow)
{
#if __SIZEOF_LONG__ == 8
	void *m = mmap(NULL, PS, R, MAP_PRIVATE, self->p.fd, (off_t)(1UL << 63));

	ASSERT_EQ(MAP_FAILED, m);
	ASSERT_EQ(EOVERFLOW, errno);
	fails(EOVERFLOW, 0, PS, R, (1UL << 63) / PS, MAP_CHGPROT);
	fails(EOVERFLOW, 0, 4 * PS, R, ~0UL - 1, MAP_CHGPROT);
#else
	/* What is too much depends on the kernel, not the program. */
	if (syscall(__NR_mmap2, NULL, 4 * PS, R, MAP_PRIVATE, self->p.fd, ~0UL - 1) != -1)
		SKIP(return, "every offset is possible");
	ASSERT_EQ(EOVERFLOW, errno);
	fails(EOVERFLOW, 0, 4 * PS, R, ~0UL - 1, MAP_CHGPROT);
#endif
}

/* An offset beyond the end of the file is fine, as for mmap: SIGBUS on access. */
TEST_F(errors, beyond_eof_is_sigbus)
{
	ASSERT_EQ(0, mp_chg(&self->p, LIB_RX, 2, R, MP_FILE, LIB_FILE_PAGES - 1));
	ASSERT_EQ(MP_ADRERR, mp_read(self->p.base[MULTI] + (LIB_RX + 1) * PS));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Over-mapping of an anonymous mapping with MAP_ANONYMOUS: there is no file to leave. */
TEST(anonymous_on_anonymous)
{
	char *m = mmap(NULL, 4 * PS, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, m);
	m[PS] = 'x';
	EXPECT_EQ(-EINVAL, mp_rfp(m, 4 * PS, R, 0, MAP_CHGPROT | MAP_ANONYMOUS));
	EXPECT_EQ(0, mp_put(m + PS, 'y'));
	/* "there pgoff is 0" */
	EXPECT_EQ(-EINVAL, mp_rfp(m, 4 * PS, R, 3, MAP_CHGPROT));
	EXPECT_EQ(0, mp_put(m + PS, 'z'));
	/* And once more when it is a multi-protection VMA already. */
	EXPECT_EQ(WANT(0), mp_rfp(m, PS, R, 0, MAP_CHGPROT));
	EXPECT_EQ(-EINVAL, mp_rfp(m, 4 * PS, R, 0, MAP_CHGPROT | MAP_ANONYMOUS));
	EXPECT_EQ('z', m[PS]);
}

/* The call is refused, and the mapping still is what it was. */
#define refused(m, len)								\
	do {									\
		EXPECT_EQ(-EINVAL, mp_rfp(m, len, R, 0, MAP_CHGPROT));		\
		EXPECT_EQ(-EINVAL, mp_rfp(m, len, RW, 0, MAP_CHGPROT));		\
		EXPECT_EQ(-EINVAL, mp_rfp(m, len, R, 0, MAP_CHGPROT | MAP_ANONYMOUS)); \
		EXPECT_EQ(0, mp_write(m));					\
	} while (0)

TEST(sysv_shm)
{
	int id = shmget(IPC_PRIVATE, 4 * PS, IPC_CREAT | 0600);
	char *m;

	if (id < 0)
		SKIP(return, "no SysV shared memory");
	m = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	ASSERT_NE((char *)-1, m);
	refused(m, PS);
}

TEST(growsdown)
{
	char *m = mmap(NULL, 64 * PS, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);

	ASSERT_NE(MAP_FAILED, m);
	refused(m + 32 * PS, PS);
}

TEST(process_stack)
{
	char here;

	refused((char *)((unsigned long)&here & ~(PS - 1)), PS);
}

TEST(hugetlb)
{
	size_t len = 2 << 20;
	char *m = mmap(NULL, len, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (m == MAP_FAILED)
		SKIP(return, "no huge pages");
	refused(m, len);
	refused(m, PS);
}

TEST(memfd_secret)
{
	int fd = syscall(__NR_memfd_secret, 0);
	char *m;

	/* In the high memory of 32-bit touching it is SIGBUS, with a warning. */
	if (fd < 0 || ftruncate(fd, 4 * PS) || sizeof(long) == 4)
		SKIP(return, "no secretmem");
	m = mmap(NULL, 4 * PS, RW, MAP_SHARED, fd, 0);
	if (m == MAP_FAILED)
		SKIP(return, "no secretmem");
	refused(m, PS);
}

TEST(droppable)
{
	char *m = mmap(NULL, 4 * PS, RW, MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED)
		SKIP(return, "no MAP_DROPPABLE");
	refused(m, PS);
}

TEST(vdso)
{
	void *m = (void *)getauxval(AT_SYSINFO_EHDR);

	if (!m)
		SKIP(return, "no vDSO");
	EXPECT_EQ(-EINVAL, mp_rfp(m, PS, RX, 0, MAP_CHGPROT));
	EXPECT_EQ(-EINVAL, mp_rfp(m, PS, R, 0, MAP_CHGPROT | MAP_ANONYMOUS));
	EXPECT_EQ(0, mp_read(m));
}

/* A private mapping of a character device is no page cache. */
TEST(device)
{
	int fd = open("/dev/mem", O_RDONLY);
	void *m;

	if (fd < 0)
		SKIP(return, "no /dev/mem");
	m = mmap(NULL, PS, R, MAP_PRIVATE, fd, 0);
	if (m == MAP_FAILED)
		SKIP(return, "/dev/mem not mappable");
	EXPECT_EQ(-EINVAL, mp_rfp(m, PS, R, 0, MAP_CHGPROT));
}

TEST(unmapped)
{
	char *m = mmap(NULL, 4 * PS, R, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, m);
	ASSERT_EQ(0, munmap(m, 4 * PS));
	EXPECT_EQ(-EINVAL, mp_rfp(m, PS, R, 0, MAP_CHGPROT));
	EXPECT_EQ(-EINVAL, mp_rfp(m, PS, NONE, 0, MAP_CHGPROT | MAP_ANONYMOUS));
}

/* "ENOMEM: max_run_count": nothing changed, and implicit changes split as stock instead. */
TEST(max_run_count)
{
	size_t i, n = 64;
	long vmas;
	char *m;
	int ret;

	if (mp_stock)
		SKIP(return, "feature off");
	if (!mp_system())
		SKIP(return, "changes a sysctl");
	m = mmap(NULL, 4096 * PS, NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, m);
	ASSERT_EQ(0, mp_sysctl_set(MP_SYSCTL_RUNS, "64"));
	for (ret = 0, i = 0; !ret && i < 4 * n; i++)
		ret = mp_rfp(m + 2 * i * PS, PS, R, 0, MAP_CHGPROT);
	EXPECT_EQ(-ENOMEM, ret);
	EXPECT_LE(i, n);
	EXPECT_GE(i, n / 4);
	/* The refused page is as it was, its predecessor as it became. */
	i--;
	EXPECT_EQ(MP_ACCERR, mp_read(m + 2 * i * PS));
	EXPECT_EQ(0, mp_read(m + 2 * (i - 1) * PS));
	/* Nor as many again where they were moved from; one is no more than a VMA. */
	errno = 0;
	EXPECT_EQ(MAP_FAILED, mremap(m, 8 * PS, 8 * PS, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(0, mp_read(m));
	EXPECT_EQ(MP_ACCERR, mp_read(m + PS));
	EXPECT_NE(MAP_FAILED, mremap(m, PS, PS, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
	EXPECT_EQ(0, mp_read(m));
	/* mprotect must go on, by splitting: what was moved away left room for a few runs. */
	vmas = mp_vmas();
	for (n = i + 4; i < n; i++) {
		EXPECT_EQ(0, mprotect(m + 2 * i * PS, PS, RW));
		EXPECT_EQ(0, mp_put(m + 2 * i * PS, 1));
		EXPECT_EQ(MP_ACCERR, mp_read(m + (2 * i + 1) * PS));
	}
	EXPECT_GT(mp_vmas(), vmas);
	mp_sysctl_set(MP_SYSCTL_RUNS, "1048576");
}

TEST_HARNESS_MAIN
