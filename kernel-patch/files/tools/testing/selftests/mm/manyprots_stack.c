// SPDX-License-Identifier: GPL-2.0
/*
 * vm.manyprots=1: an mprotect that would split a private anonymous VMA works in
 * place where the VMA was mapped with MAP_STACK, or with PROT_NONE and
 * MAP_NORESERVE: thread stacks with guards, and malloc arenas, cost one VMA in
 * unmodified programs.
 */
#include "manyprots_util.h"
#include <linux/userfaultfd.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/ioctl.h>

/* In the window, so that nothing merges with it and the comparison sees it. */
static char *map_at(int side, size_t pages, int prot, int flags)
{
	return mmap((void *)(mp_window(side) + MP_BASE_OFFSET), pages * PS, prot,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | flags, -1, 0);
}

FIXTURE(areas) { struct mp_pair p; };
FIXTURE_VARIANT(areas) { int prot; int flags; bool in_place; };
/* glibc's allocate_stack() */
FIXTURE_VARIANT_ADD(areas, glibc_stack) {
	.prot = NONE, .flags = MAP_STACK | MAP_NORESERVE, .in_place = true };
FIXTURE_VARIANT_ADD(areas, stack) { .prot = RW, .flags = MAP_STACK, .in_place = true };
/* glibc's new_heap(), and most garbage collectors */
FIXTURE_VARIANT_ADD(areas, arena) { .prot = NONE, .flags = MAP_NORESERVE, .in_place = true };
/* Neither: stock's split */
FIXTURE_VARIANT_ADD(areas, plain_none) { .prot = NONE };
FIXTURE_VARIANT_ADD(areas, plain) { .prot = RW };
FIXTURE_VARIANT_ADD(areas, noreserve) { .prot = RW, .flags = MAP_NORESERVE };

/*
 * The equivalent side is mapped in the same way, in a kernel or mode that
 * splits; here both sides are made equal, and one is split by other means: a
 * mapping for each page, which stock merges or not without a visible
 * difference.
 */
FIXTURE_SETUP(areas)
{
	int i;

	self->p.fd = -1;
	for (i = 0; i < 2; i++) {
		self->p.base[i] = map_at(i, 64, variant->prot, variant->flags);
		ASSERT_NE(MAP_FAILED, self->p.base[i]);
	}
}

FIXTURE_TEARDOWN(areas)
{
}

/* A change in the middle, at each end, and of a page alone. */
TEST_F(areas, in_place)
{
	char *m = self->p.base[0];
	int other = variant->prot == NONE ? RW : NONE;
	long vmas = mp_vmas();
	int expect = mp_stock || !variant->in_place;

	ASSERT_EQ(0, mprotect(m + 8 * PS, 8 * PS, other));
	EXPECT_EQ(expect ? 2 : 0, mp_vmas() - vmas);
	ASSERT_EQ(0, mprotect(m, PS, other));
	EXPECT_EQ(expect ? 3 : 0, mp_vmas() - vmas);
	ASSERT_EQ(0, mprotect(m + 63 * PS, PS, other));
	EXPECT_EQ(expect ? 4 : 0, mp_vmas() - vmas);
	EXPECT_EQ(expect ? 5 : 1, mp_window_vmas(0));
	EXPECT_EQ(5, mp_entries(0, "/proc/self/maps"));
	EXPECT_EQ(variant->prot == NONE ? 0 : MP_ACCERR, mp_put(m + 8 * PS, 1));
	EXPECT_EQ(variant->prot == NONE ? MP_ACCERR : 0, mp_put(m + 7 * PS, 1));
}

/* The guard faults with SEGV_ACCERR, and everything else holds what was written. */
TEST_F(areas, guard)
{
	char *m = self->p.base[0];
	size_t i;

	ASSERT_EQ(0, mprotect(m, 64 * PS, NONE));
	ASSERT_EQ(0, mprotect(m + PS, 63 * PS, RW));
	for (i = 1; i < 64; i++) {
		ASSERT_EQ(0, mp_put(m + i * PS + i, i));
	}
	EXPECT_EQ(MP_ACCERR, mp_put(m + PS - 1, 1));
	EXPECT_EQ(MP_ACCERR, mp_read(m));
	EXPECT_EQ(MP_MAPERR, mp_read(m - 1));
	ASSERT_EQ(0, mprotect(m + 20 * PS, PS, NONE));
	EXPECT_EQ(MP_ACCERR, mp_read(m + 20 * PS));
	ASSERT_EQ(0, mprotect(m + 20 * PS, PS, R));
	EXPECT_EQ(20, m[20 * PS + 20]);
	for (i = 1; i < 64; i++) {
		ASSERT_EQ((char)i, m[i * PS + i]);
	}
}

/* Charges and counters are by page whichever way it is kept. */
TEST_F(areas, counters)
{
	long data = mp_status("VmData"), expect = variant->prot == NONE ? 8 : -8;

	ASSERT_EQ(0, mprotect(self->p.base[0] + 8 * PS, 8 * PS,
			      variant->prot == NONE ? RW : NONE));
	EXPECT_EQ(expect * (long)PS / 1024, mp_status("VmData") - data);
	ASSERT_EQ(0, munmap(self->p.base[0] + 4 * PS, 20 * PS));
	data -= mp_status("VmData");
	EXPECT_EQ((variant->prot == NONE ? 0 : 20) * (long)PS / 1024, data);
}

/* Growth page by page, as an arena does. */
TEST_F(areas, grow)
{
	long vmas;
	size_t i;

	ASSERT_EQ(0, mprotect(self->p.base[0], 64 * PS, NONE));
	vmas = mp_vmas();
	for (i = 0; i < 63; i++) {
		ASSERT_EQ(0, mprotect(self->p.base[0] + i * PS, PS, RW));
		ASSERT_EQ(0, mp_put(self->p.base[0] + i * PS, i));
		ASSERT_EQ(MP_ACCERR, mp_put(self->p.base[0] + (i + 1) * PS, i));
	}
	EXPECT_EQ(mp_stock || !variant->in_place ? 1 : 0, mp_vmas() - vmas);
	/* And back, as trimming does. */
	for (i = 62; i > 0; i--) {
		ASSERT_EQ(0, mprotect(self->p.base[0] + i * PS, PS, NONE));
	}
	ASSERT_EQ(0, mp_read(self->p.base[0]));
	/* All alike again. */
	ASSERT_EQ(0, mprotect(self->p.base[0], 64 * PS, RW));
	for (i = 0; i < 63; i++) {
		ASSERT_EQ(i, self->p.base[0][i * PS]);
	}
}

/* The in-place side equals one whose pages were mapped one by one. */
TEST_F(areas, as_equivalent)
{
	size_t i;
	int prot = variant->prot;

	for (i = 0; i < 64; i++) {
		int want = i % 5 ? i % 3 ? RW : R : NONE;

		ASSERT_EQ(0, mprotect(self->p.base[0] + i * PS, PS, want));
		/* The same history: mapped with the area's protection, then changed. */
		ASSERT_NE(MAP_FAILED, mmap(self->p.base[1] + i * PS, PS, prot, MAP_PRIVATE |
					   MAP_ANONYMOUS | MAP_FIXED | variant->flags, -1, 0));
		ASSERT_EQ(0, mprotect(self->p.base[1] + i * PS, PS, want));
	}
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Alternate pages: what runs out of vm.max_map_count on stock. */
TEST_F(areas, alternate_pages)
{
	size_t i;

	for (i = 0; i < 64; i += 2) {
		ASSERT_EQ(0, mprotect(self->p.base[0] + i * PS, PS, R));
	}
	for (i = 1; i < 64; i += 2) {
		ASSERT_EQ(0, mprotect(self->p.base[0] + i * PS, PS, RW));
	}
	for (i = 0; i < 64; i++) {
		ASSERT_EQ(i & 1 ? 0 : MP_ACCERR, mp_put(self->p.base[0] + i * PS, 1));
	}
	EXPECT_EQ(mp_stock || !variant->in_place ? 64 : 1, mp_window_vmas(0));
}

/* "An unpatched program sees no other difference": its userfaultfd goes on working. */
TEST_F(areas, userfaultfd)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_copy copy = { 0 };
	int fd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK | 1 /* UFFD_USER_MODE_ONLY */);
	static char page[65536];
	char *m = self->p.base[0];

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		SKIP(return, "no userfaultfd");
	ASSERT_EQ(0, mprotect(m, 64 * PS, NONE));
	ASSERT_EQ(0, mprotect(m + PS, 40 * PS, RW));
	ASSERT_EQ(0, mp_put(m + PS, 'a'));
	reg.range.start = (unsigned long)m;
	reg.range.len = 64 * PS;
	ASSERT_EQ(0, ioctl(fd, UFFDIO_REGISTER, &reg)) TH_LOG("errno %d", errno);
	memset(page, 'c', PS);
	copy.dst = (unsigned long)m + 5 * PS;
	copy.src = (unsigned long)page;
	copy.len = PS;
	EXPECT_EQ(0, ioctl(fd, UFFDIO_COPY, &copy)) TH_LOG("errno %d", errno);
	EXPECT_EQ('c', m[5 * PS]);
	EXPECT_EQ('a', m[PS]);
	EXPECT_EQ(0, mprotect(m + 5 * PS, PS, R));
	EXPECT_EQ(MP_ACCERR, mp_put(m + 5 * PS, 1));
	EXPECT_EQ(0, ioctl(fd, UFFDIO_UNREGISTER, &reg.range));
	EXPECT_EQ(0, mp_put(m + 6 * PS, 'b'));
	EXPECT_EQ('c', m[5 * PS]);
	close(fd);
}

struct thread {
	pthread_t t;
	void *stack;
};

static pthread_barrier_t all_there, all_done;

static void *thread_fn(void *arg)
{
	volatile char deep[65536];

	memset((void *)deep, 1, sizeof(deep));
	((struct thread *)arg)->stack = (void *)deep;
	pthread_barrier_wait(&all_there);
	pthread_barrier_wait(&all_done);
	return NULL;
}

/* Real threads of this libc: one VMA each, stack and guard; on stock two. */
TEST(threads_cost_one_vma)
{
	static struct thread t[32];
	struct mp_entry *e = mp_tab[0];
	long vmas = mp_vmas(), n;
	int i, entries;

	mallopt(M_ARENA_MAX, 1);
	pthread_barrier_init(&all_there, NULL, 33);
	pthread_barrier_init(&all_done, NULL, 33);
	for (i = 0; i < 32; i++) {
		ASSERT_EQ(0, pthread_create(&t[i].t, NULL, thread_fn, &t[i]));
	}
	pthread_barrier_wait(&all_there);
	n = mp_vmas() - vmas;
	if (mp_stock) {
		EXPECT_GE(n, 63);
	} else {
		EXPECT_LE(n, 34);
	}
	/* Below each stack lies a guard: the entry below the one that holds the address. */
	entries = mp_parse("/proc/self/maps", e, 0, -1UL);
	for (i = 0; i < 32; i++) {
		unsigned long a = (unsigned long)t[i].stack;
		int k;

		for (k = 1; k < entries; k++)
			if (a >= e[k].start && a < e[k].end)
				break;
		ASSERT_LT(k, entries);
		EXPECT_STREQ("rw-p", e[k].perms);
		EXPECT_EQ(e[k].start, e[k - 1].end);
		EXPECT_STREQ("---p", e[k - 1].perms);
		EXPECT_EQ(MP_ACCERR, mp_put((char *)e[k].start - 1, 1));
	}
	pthread_barrier_wait(&all_done);
	for (i = 0; i < 32; i++)
		pthread_join(t[i].t, NULL);
}

static void *arena_fn(void *arg)
{
	void *p[64];
	int i;

	for (i = 0; i < 64; i++) {
		p[i] = malloc(10000);
		memset(p[i], i, 10000);
	}
	pthread_barrier_wait(&all_there);
	/* Not before all is counted: free() may map over the end of an arena. */
	pthread_barrier_wait(&all_done);
	for (i = 0; i < 64; i++)
		free(p[i]);
	return NULL;
}

/* Threads with malloc arenas of their own: stack and arena, two VMAs each; on stock four. */
TEST(arenas_cost_one_vma)
{
	pthread_t t[8];
	long vmas, n;
	int i;

	mallopt(M_ARENA_MAX, 64);
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	vmas = mp_vmas();
	pthread_barrier_init(&all_there, NULL, 9);
	pthread_barrier_init(&all_done, NULL, 9);
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, pthread_create(&t[i], NULL, arena_fn, NULL));
	}
	pthread_barrier_wait(&all_there);
	n = mp_vmas() - vmas;
	if (mp_stock) {
		EXPECT_GE(n, 24);
	} else {
		EXPECT_LE(n, 19) {
			int k, entries = mp_parse("/proc/self/smaps", mp_tab[0], 0, -1UL);

			for (k = 0; k < entries; k++)
				TH_LOG("%lx-%lx %s %s%s %s", mp_tab[0][k].start, mp_tab[0][k].end,
				       mp_tab[0][k].perms, mp_tab[0][k].multi ? "mp " : "",
				       mp_tab[0][k].continued ? "mc" : "", mp_tab[0][k].name);
		}
	}
	pthread_barrier_wait(&all_done);
	for (i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
}

static void walk_down(volatile char *here)
{
	for (;; here -= PS)
		*here = 1;
}

static void *overflow_fn(void *arg)
{
	/* Walks down the stack until the guard stops it. */
	return (void *)(long)mp_guarded(walk_down((volatile char *)&arg));
}

/* A thread that overflows its stack hits the guard. */
TEST(stack_overflow)
{
	pthread_attr_t attr;
	pthread_t t;
	void *code;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * PS + 65536);
	ASSERT_EQ(0, pthread_create(&t, &attr, overflow_fn, NULL));
	pthread_join(t, &code);
	ASSERT_EQ(MP_ACCERR, (long)code);
}

/*
 * A stack that grows keeps 256 pages away from what can be accessed.  Below it lies
 * a VMA with runs: the last one says whether it may come nearer, not another one.
 */
#define GROWING_PAGES 16

FIXTURE(gap) { struct mp_pair p; char *stack[2]; };
FIXTURE_VARIANT(gap) { int rest, last; size_t pages; bool grows; };
FIXTURE_VARIANT_ADD(gap, none_2) { .rest = RW, .last = NONE, .pages = 2, .grows = true };
FIXTURE_VARIANT_ADD(gap, none_100) { .rest = RW, .last = NONE, .pages = 100, .grows = true };
FIXTURE_VARIANT_ADD(gap, none_300) { .rest = RW, .last = NONE, .pages = 300, .grows = true };
FIXTURE_VARIANT_ADD(gap, rw_2) { .rest = NONE, .last = RW, .pages = 2 };
FIXTURE_VARIANT_ADD(gap, rw_100) { .rest = NONE, .last = RW, .pages = 100 };
FIXTURE_VARIANT_ADD(gap, rw_300) { .rest = NONE, .last = RW, .pages = 300, .grows = true };
FIXTURE_VARIANT_ADD(gap, read_100) { .rest = NONE, .last = R, .pages = 100 };
FIXTURE_SETUP(gap)
{
	const struct mp_run runs[] = {
		{ 7, variant->rest, MP_ANON, 0 }, { 1, variant->last, MP_ANON, 0 },
	};
	int i;

	self->p.fd = -1;
	ASSERT_EQ(0, mp_map_runs(&self->p, runs));
	ASSERT_TRUE(mp_one_vma());
	for (i = 0; i < 2; i++) {
		self->stack[i] = mmap(self->p.base[i] + (8 + variant->pages) * PS,
				      GROWING_PAGES * PS, RW, MAP_PRIVATE | MAP_ANONYMOUS |
				      MAP_FIXED_NOREPLACE | MAP_GROWSDOWN, -1, 0);
		ASSERT_NE(MAP_FAILED, self->stack[i]);
	}
}

FIXTURE_TEARDOWN(gap)
{
}

static char *growing;
static volatile int touched;

static void touch_below(int sig)
{
	touched = mp_put(growing - 8, 1);
}

/* Runs on the stack at @stack, and writes below it. */
static int grow_by_touching(char *stack)
{
	stack_t st = { .ss_sp = stack, .ss_size = GROWING_PAGES * PS };
	struct sigaction sa = { .sa_handler = touch_below, .sa_flags = SA_ONSTACK };

	growing = stack;
	touched = -1;
	if (sigaltstack(&st, NULL) || sigaction(SIGUSR1, &sa, NULL) || raise(SIGUSR1))
		return -1;
	st.ss_flags = SS_DISABLE;
	sigaltstack(&st, NULL);
	return touched;
}

TEST_F(gap, stack_gap)
{
	ASSERT_EQ(variant->grows ? 0 : MP_MAPERR,
		  mp_both(&self->p, grow_by_touching(self->stack[side])));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH | MP_NOSMAPS));
}

/* So it is when another process, or the debugger, writes there. */
TEST_F(gap, stack_gap_by_force)
{
	ASSERT_EQ(variant->grows ? 1 : -EIO,
		  mp_both(&self->p, pwrite(mp_mem_fd(), "x", 1,
					   (off_t)(unsigned long)self->stack[side] - 8)));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
}

/* The arena rule must not catch mappings that are file-backed or shared. */
TEST(only_private_anonymous)
{
	int fd = mp_file(MP_TMP, 16);
	long vmas;
	char *m;

	ASSERT_GE(fd, 0);
	m = mmap((void *)mp_window(0), 16 * PS, NONE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	ASSERT_NE(MAP_FAILED, m);
	vmas = mp_vmas();
	ASSERT_EQ(0, mprotect(m + 4 * PS, PS, RW));
	EXPECT_EQ(2, mp_vmas() - vmas);
	m = mmap((void *)mp_window(1), 16 * PS, NONE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE |
		 MAP_STACK, -1, 0);
	ASSERT_NE(MAP_FAILED, m);
	vmas = mp_vmas();
	ASSERT_EQ(0, mprotect(m + 4 * PS, PS, RW));
	EXPECT_EQ(2, mp_vmas() - vmas);
}

/* The heap and the main stack are left alone. */
TEST(brk_unaffected)
{
	char *top = sbrk(16 * PS);
	long vmas;

	ASSERT_NE((char *)-1, top);
	top = (char *)(((unsigned long)top + PS - 1) & ~(PS - 1));
	memset(top, 'h', 15 * PS);
	vmas = mp_vmas();
	ASSERT_EQ(0, mprotect(top + 4 * PS, PS, R));
	EXPECT_EQ(2, mp_vmas() - vmas);
	EXPECT_EQ(MP_ACCERR, mp_put(top + 4 * PS, 1));
	ASSERT_EQ(0, mprotect(top + 4 * PS, PS, RW));
	EXPECT_EQ('h', top[4 * PS]);
	ASSERT_NE((char *)-1, sbrk(16 * PS));
}

/* Off: everything is stock again, for new areas. */
TEST(mode_0_splits)
{
	long vmas;
	char *m;

	if (mp_stock || !mp_system())
		SKIP(return, "changes a sysctl");
	ASSERT_EQ(0, mp_sysctl_set(MP_SYSCTL, "0"));
	m = map_at(0, 16, NONE, MAP_STACK | MAP_NORESERVE);
	vmas = mp_vmas();
	EXPECT_EQ(0, mprotect(m + PS, 4 * PS, RW));
	EXPECT_EQ(2, mp_vmas() - vmas);
	EXPECT_EQ(0, mp_sysctl_set(MP_SYSCTL, "1"));
}

/* 100,000 runs in one VMA: every second of 200,000 pages, if there are as many. */
TEST(hundred_thousand_runs)
{
	size_t n = sizeof(long) == 8 ? 200000 : 124000, i;
	long vmas;
	char *m;

	if (mp_stock)
		SKIP(return, "feature off: beyond vm.max_map_count");
	m = map_at(0, n, NONE, MAP_NORESERVE);
	ASSERT_NE(MAP_FAILED, m);
	vmas = mp_vmas();
	for (i = 0; i < n; i += 2) {
		ASSERT_EQ(0, mprotect(m + i * PS, PS, R)) TH_LOG("page %zu", i);
	}
	EXPECT_EQ(vmas, mp_vmas());
	for (i = 0; i < n; i += 9973) {
		EXPECT_EQ(i & 1 ? MP_ACCERR : 0, mp_read(m + i * PS));
		EXPECT_EQ(MP_ACCERR, mp_put(m + i * PS, 1));
	}
	/* In the other direction and order: they join again. */
	for (i = n - 2; i > n - 20002; i -= 2) {
		ASSERT_EQ(0, mprotect(m + i * PS, PS, NONE));
	}
	EXPECT_EQ(MP_ACCERR, mp_read(m + (n - 2) * PS));
	EXPECT_EQ(0, mp_read(m + (n - 20002) * PS));
	/* A hole in the middle, a fork, an exit. */
	ASSERT_EQ(0, munmap(m + 100000 * PS, 10 * PS));
	EXPECT_EQ(0, mp_read(m + 100010 * PS));
	EXPECT_EQ(MP_ACCERR, mp_read(m + 100011 * PS));
	if (!fork())
		_exit(0);
	wait(NULL);
	ASSERT_EQ(0, mprotect(m, 100000 * PS, RW));
	EXPECT_EQ(0, mp_put(m + 99999 * PS, 1));
	ASSERT_EQ(0, munmap(m, n * PS));
}

TEST_HARNESS_MAIN
