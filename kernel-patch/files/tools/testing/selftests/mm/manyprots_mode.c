// SPDX-License-Identifier: GPL-2.0
/*
 * The modes: vm.manyprots=2, where every mprotect() that would split an
 * eligible private VMA makes it a multi-protection VMA instead, and
 * prctl(PR_SET_MANYPROTS), which chooses the mode of a process over the
 * sysctl; and what becomes of a multi-protection VMA whose runs are one again.
 *
 * The same is done to two sides, to one in mode 2, to the other in mode 0,
 * where mprotect() splits as stock does.
 */
#include "manyprots_util.h"
#include <pthread.h>
#include <sys/statvfs.h>

#define FOLLOW (-1)
#define PAGES 64

static int set_mode(long mode)
{
	return prctl(PR_SET_MANYPROTS, mode, 0, 0, 0) ? -errno : 0;
}

/* The mode in force. */
static int in_force(void)
{
	int mode = prctl(PR_GET_MANYPROTS, 0, 0, 0, 0);

	return mode < 0 ? -errno : mode;
}

/* What was set, -1 where nothing was; -100 where that cannot be told. */
static int was_set(void)
{
	int set = -100;

	return prctl(PR_GET_MANYPROTS, &set, 0, 0, 0) < 0 ? -100 : set;
}

/* @call with @b the base of each side, in its mode. */
#define both(p, call) \
	mp_both(p, (set_mode(side == MULTI ? 2 : 0), errno = 0, (call)))
#define both_delta(p, counter, call) \
	mp_both_delta(p, counter, (set_mode(side == MULTI ? 2 : 0), (call)))

#define AS_CHILD "MANYPROTS_MODE_CHILD"

/* A program started by a test: its exit status tells its mode. */
static void __attribute__((constructor(102))) child_main(void)
{
	if (!getenv(AS_CHILD))
		return;
	_exit((in_force() & 3) | (was_set() + 1) << 2 |
	      (getauxval(AT_FLAGS) & AT_FLAGS_MANYPROTS ? 32 : 0) |
	      (mp_probe() ? 64 : 0));
}

/* The exit status that child_main() has when @set was set. */
static int child_status(int set)
{
	int mode = set == FOLLOW ? mp_sysctl(MP_SYSCTL) : set;

	return mode | (set + 1) << 2 | (mode ? 32 | 64 : 0);
}

static int exec_self(void *arg)
{
	setenv(AS_CHILD, "1", 1);
	execl("/proc/self/exe", "manyprots_mode", NULL);
	return 200;
}

/* A smaps entry of a side that holds an address. */
static struct mp_entry *entry_at(int side, const char *addr)
{
	int i, n = mp_entries(side, "/proc/self/smaps");

	for (i = 0; i < n; i++)
		if ((unsigned long)addr >= mp_tab[side][i].start &&
		    (unsigned long)addr < mp_tab[side][i].end)
			return &mp_tab[side][i];
	return NULL;
}

static bool is_multi(int side, const char *addr)
{
	struct mp_entry *e = entry_at(side, addr);

	return e && e->multi;
}

static char *map_at(int side, size_t page, size_t n, int prot, int flags, int fd)
{
	return mmap((void *)(mp_window(side) + MP_BASE_OFFSET + page * PS), n * PS, prot,
		    MAP_PRIVATE | MAP_FIXED_NOREPLACE | flags | (fd < 0 ? MAP_ANONYMOUS : 0),
		    fd, fd < 0 ? 0 : (off_t)(page * PS));
}

TEST(set_and_get)
{
	int mode, sysctl = mp_sysctl(MP_SYSCTL);

	if (mp_stock)
		SKIP(return, "feature off");
	EXPECT_EQ(FOLLOW, was_set());
	EXPECT_EQ(sysctl, in_force());
	for (mode = 2; mode >= FOLLOW; mode--) {
		EXPECT_EQ(0, set_mode(mode));
		EXPECT_EQ(mode, was_set());
		EXPECT_EQ(mode == FOLLOW ? sysctl : mode, in_force());
	}
	/* -1 in a variable argument list, as an int and as a long */
	EXPECT_EQ(0, set_mode(1));
	EXPECT_EQ(0, set_mode(0xffffffffUL));
	EXPECT_EQ(FOLLOW, was_set());
}

/* EINVAL for other modes and for unused arguments that are not 0; nothing changes. */
TEST(arguments)
{
	if (mp_stock)
		SKIP(return, "feature off");
	ASSERT_EQ(0, set_mode(2));
	EXPECT_EQ(-EINVAL, set_mode(3));
	EXPECT_EQ(-EINVAL, set_mode(-2));
	EXPECT_EQ(-EINVAL, set_mode(0x80000000UL));
#if __SIZEOF_LONG__ == 8
	EXPECT_EQ(-EINVAL, set_mode(0x100000000L));
	EXPECT_EQ(-EINVAL, set_mode(0x100000001L));
	EXPECT_EQ(-EINVAL, set_mode(0x1ffffffffL));
#endif
	EXPECT_EQ(-1, prctl(PR_SET_MANYPROTS, 1, 1, 0, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, prctl(PR_SET_MANYPROTS, 1, 0, 1, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, prctl(PR_SET_MANYPROTS, 1, 0, 0, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, prctl(PR_GET_MANYPROTS, 0, 1, 0, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, prctl(PR_GET_MANYPROTS, 0, 0, 0, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, prctl(PR_GET_MANYPROTS, 8, 0, 0, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(2, was_set());
}

/* The sysctl takes -1, 0, 1 and 2. */
TEST(sysctl_values)
{
	long was = mp_sysctl(MP_SYSCTL);

	if (mp_stock || !mp_system())
		SKIP(return, "changes a sysctl");
	EXPECT_EQ(0, mp_sysctl_set(MP_SYSCTL, "2"));
	EXPECT_EQ(2, in_force());
	EXPECT_EQ(0, mp_sysctl_set(MP_SYSCTL, "0"));
	EXPECT_EQ(0, in_force());
	EXPECT_NE(0, mp_sysctl_set(MP_SYSCTL, "3"));
	EXPECT_NE(0, mp_sysctl_set(MP_SYSCTL, "-2"));
	EXPECT_EQ(0, in_force());
	EXPECT_EQ(0, mp_sysctl_set(MP_SYSCTL, was == 2 ? "2" : "1"));
}

/* "per process, over the sysctl": on and off, whatever the system says. */
TEST(over_the_sysctl)
{
	char *m = map_at(0, 0, 8, R, 0, -1), *stack = map_at(1, 0, 8, NONE, MAP_STACK, -1);
	long was = mp_sysctl(MP_SYSCTL);

	if (mp_stock)
		SKIP(return, "feature off");
	ASSERT_NE(MAP_FAILED, m);
	ASSERT_NE(MAP_FAILED, stack);
	ASSERT_EQ(0, mp_rfp(m, PS, RW, 0, MAP_CHGPROT));
	ASSERT_EQ(0, set_mode(0));
	EXPECT_FALSE(mp_probe());
	EXPECT_EQ(-EINVAL, mp_rfp(m, PS, R, 0, MAP_CHGPROT));
	/* An existing multi-protection VMA goes on as one. */
	EXPECT_EQ(0, mprotect(m + 4 * PS, PS, RW));
	EXPECT_EQ(1, mp_window_vmas(0));
	EXPECT_EQ(0, mp_put(m + 4 * PS, 1));
	EXPECT_EQ(MP_ACCERR, mp_put(m + 5 * PS, 1));
	/* A stack does not become one. */
	EXPECT_EQ(0, mprotect(stack + PS, PS, RW));
	EXPECT_EQ(3, mp_window_vmas(1));

	if (!mp_system())
		return;
	ASSERT_EQ(0, mp_sysctl_set(MP_SYSCTL, "0"));
	EXPECT_EQ(0, set_mode(1));
	EXPECT_TRUE(mp_probe());
	EXPECT_EQ(0, mp_rfp(m, PS, R, 0, MAP_CHGPROT));
	EXPECT_EQ(0, set_mode(FOLLOW));
	EXPECT_FALSE(mp_probe());
	EXPECT_EQ(0, mp_sysctl_set(MP_SYSCTL, was == 2 ? "2" : "1"));
	EXPECT_TRUE(mp_probe());
}

/* With -1 it is off for everybody, whatever they have set or are going to. */
TEST(never)
{
	char *m = map_at(0, 0, 8, R, 0, -1), *stack = map_at(1, 0, 8, NONE, MAP_STACK, -1);
	long was = mp_sysctl(MP_SYSCTL);
	int mode;

	if (mp_stock || !mp_system())
		SKIP(return, "changes a sysctl");
	ASSERT_NE(MAP_FAILED, m);
	ASSERT_NE(MAP_FAILED, stack);
	ASSERT_EQ(0, mp_rfp(m, PS, RW, 0, MAP_CHGPROT));
	ASSERT_EQ(0, set_mode(2));
	ASSERT_EQ(0, mp_sysctl_set(MP_SYSCTL, "-1"));
	for (mode = FOLLOW; mode <= 2; mode++) {
		EXPECT_EQ(0, set_mode(mode));
		EXPECT_EQ(mode, was_set());
		EXPECT_EQ(0, in_force());
		EXPECT_FALSE(mp_probe());
		EXPECT_EQ(-EINVAL, mp_rfp(m, PS, R, 0, MAP_CHGPROT));
		EXPECT_EQ(0, mp_in_child(exec_self, NULL) & (32 | 64));
	}
	EXPECT_EQ(0, mprotect(stack + PS, PS, RW));
	EXPECT_EQ(3, mp_window_vmas(1));
	/* What is one already goes on as one. */
	EXPECT_EQ(0, mprotect(m + 4 * PS, PS, RW));
	EXPECT_EQ(1, mp_window_vmas(0));
	EXPECT_EQ(0, mp_sysctl_set(MP_SYSCTL, was == 2 ? "2" : "1"));
	EXPECT_EQ(2, in_force());
}

/* "inherited over fork": and changes of either side are its own. */
TEST(fork_inherits)
{
	int mode, status;

	if (mp_stock)
		SKIP(return, "feature off");
	for (mode = FOLLOW; mode <= 2; mode++) {
		ASSERT_EQ(0, set_mode(mode));
		if (!fork()) {
			if (was_set() != mode)
				_exit(1);
			set_mode(mode == 1 ? 2 : 1);
			_exit(0);
		}
		wait(&status);
		EXPECT_EQ(0, status);
		EXPECT_EQ(mode, was_set());
	}
}

/* "and exec": with the bit of AT_FLAGS where the feature is on for the process. */
TEST(exec_inherits)
{
	int mode;

	if (mp_stock)
		SKIP(return, "feature off");
	for (mode = FOLLOW; mode <= 2; mode++) {
		ASSERT_EQ(0, set_mode(mode));
		EXPECT_EQ(child_status(mode), mp_in_child(exec_self, NULL)) {
			TH_LOG("mode %d", mode);
		}
	}
	if (!mp_system())
		return;
	ASSERT_EQ(0, mp_sysctl_set(MP_SYSCTL, "0"));
	for (mode = FOLLOW; mode <= 2; mode++) {
		ASSERT_EQ(0, set_mode(mode));
		EXPECT_EQ(child_status(mode), mp_in_child(exec_self, NULL)) {
			TH_LOG("mode %d, sysctl 0", mode);
		}
	}
	ASSERT_EQ(0, mp_sysctl_set(MP_SYSCTL, "1"));
}

static int exec_as_nobody(void *arg)
{
	char *path = arg;

	if (setgid(65534) || setuid(65534) || set_mode(2))
		return 200;
	setenv(AS_CHILD, "1", 1);
	execl(path, path, NULL);
	return 200;
}

/* Nobody chooses the mode of a program that may do more than he may. */
TEST(set_user_id)
{
	/* The root of a guest is one of its own. */
	const char *dir = mp_system() ? "" : getenv("TMPDIR") ?: "/tmp";
	struct statvfs fs;
	char path[64];

	if (mp_stock || geteuid())
		SKIP(return, "needs the feature, and to become another user");
	if (!statvfs(*dir ? dir : "/", &fs) && (fs.f_flag & ST_NOSUID))
		SKIP(return, "no set-user-ID programs on this file system");
	snprintf(path, sizeof(path), "%s/manyprots-XXXXXX", dir);
	ASSERT_EQ(0, mp_copy_self(path, 0755));
	EXPECT_EQ(child_status(2), mp_in_child(exec_as_nobody, path));
	ASSERT_EQ(0, chmod(path, 04755));
	EXPECT_EQ(child_status(FOLLOW), mp_in_child(exec_as_nobody, path));
	unlink(path);
}

static void *thread_sets(void *arg)
{
	return (void *)(long)(was_set() == 2 && !set_mode(0));
}

/* Threads share the mode, as they share the memory. */
TEST(threads_share)
{
	pthread_t t;
	void *ok;

	if (mp_stock)
		SKIP(return, "feature off");
	ASSERT_EQ(0, set_mode(2));
	ASSERT_EQ(0, pthread_create(&t, NULL, thread_sets, NULL));
	pthread_join(t, &ok);
	EXPECT_NE(NULL, ok);
	EXPECT_EQ(0, was_set());
}

FIXTURE(eligible) { struct mp_pair p; };
FIXTURE_VARIANT(eligible) { int prot; int flags; int where; };
FIXTURE_VARIANT_ADD(eligible, anon) { .prot = RW, .where = -1 };
FIXTURE_VARIANT_ADD(eligible, anon_none) { .prot = NONE, .where = -1 };
FIXTURE_VARIANT_ADD(eligible, anon_noreserve) {
	.prot = RW, .where = -1, .flags = MAP_NORESERVE };
FIXTURE_VARIANT_ADD(eligible, file) { .prot = R, .where = MP_TMP };
FIXTURE_VARIANT_ADD(eligible, file_writable) { .prot = RW, .where = MP_CWD };
FIXTURE_VARIANT_ADD(eligible, file_text) { .prot = RX, .where = MP_LOWER };

FIXTURE_SETUP(eligible)
{
	int i;

	if (mp_stock)
		SKIP(return, "feature off");
	self->p.fd = variant->where < 0 ? -1 : mp_file(variant->where, PAGES);
	if (variant->where >= 0 && self->p.fd < 0)
		SKIP(return, "no such file here");
	for (i = 0; i < 2; i++) {
		self->p.base[i] = map_at(i, 0, PAGES, variant->prot, variant->flags, self->p.fd);
		ASSERT_NE(MAP_FAILED, self->p.base[i]);
	}
}

FIXTURE_TEARDOWN(eligible)
{
	if (self->p.fd >= 0)
		close(self->p.fd);
}

/* In the middle, at each end, of a page alone: one VMA, as many entries as stock. */
TEST_F(eligible, in_place)
{
	int other = variant->prot == R ? RW : R;

	ASSERT_EQ(0, both(&self->p, mprotect(b + 8 * PS, 8 * PS, other)));
	ASSERT_EQ(0, both(&self->p, mprotect(b, PS, other)));
	ASSERT_EQ(0, both(&self->p, mprotect(b + (PAGES - 1) * PS, PS, NONE)));
	EXPECT_EQ(1, mp_window_vmas(MULTI));
	EXPECT_LE(5 - (variant->prot == NONE), mp_window_vmas(EQUIV));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
}

/*
 * A garbage collector: pages are protected one by one, the barrier's faults
 * unprotect some, and a cycle ends with all of them writable.
 */
TEST_F(eligible, write_barrier)
{
	size_t i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < PAGES; i += 2)
			both(&self->p, mprotect(b + i * PS, PS, R));
		ASSERT_EQ(0, mp_same(MP_WRITES));
		for (i = round; i < PAGES; i += 3)
			both(&self->p, mprotect(b + i * PS, PS, RW));
		ASSERT_EQ(0, mp_same(MP_WRITES));
		both(&self->p, mprotect(b, PAGES * PS, round & 1 ? R : RW));
		both(&self->p, mp_put(b + round * PS + 20, 'a' + round));
		ASSERT_EQ(0, mp_same(MP_WRITES));
		EXPECT_EQ(1, mp_window_vmas(MULTI));
	}
}

/* Guard pages in the middle stop what runs over, and what is beside them stays. */
TEST_F(eligible, guards)
{
	size_t i;

	both(&self->p, mprotect(b, PAGES * PS, RW));
	for (i = 0; i < PAGES; i++)
		both(&self->p, mp_put(b + i * PS + i, i));
	for (i = 7; i < PAGES; i += 8)
		both(&self->p, mprotect(b + i * PS, PS, NONE));
	for (i = 0; i < PAGES; i++) {
		EXPECT_EQ(i % 8 == 7 ? MP_ACCERR : 0,
			  mp_put(self->p.base[MULTI] + i * PS + PS - 1, 1));
		EXPECT_EQ(i % 8 == 7 ? MP_ACCERR : 0, mp_read(self->p.base[MULTI] + i * PS));
	}
	EXPECT_EQ(1, mp_window_vmas(MULTI));
	both(&self->p, mprotect(b + 15 * PS, PS, R));
	EXPECT_EQ(15, self->p.base[MULTI][15 * PS + 15]);
	both(&self->p, mp_put(b + 14 * PS + PS - 1, 1));
	for (i = 0; i < PAGES; i++)
		if (i % 8 != 7)
			both(&self->p, mp_put(b + i * PS + PS - 1, 1));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Argument errors are stock's, on the ordinary VMA and on what became of it. */
TEST_F(eligible, errors)
{
	int i;

	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-EINVAL, both(&self->p, mprotect(b + 1, PS, RW)));
		EXPECT_EQ(-EINVAL, both(&self->p, mprotect(b + PS, PS, 0x100)));
		both(&self->p, mprotect(b + PS, PS, R | PROT_GROWSDOWN));
		both(&self->p, mprotect(b + PS, PS, R | PROT_GROWSUP | PROT_GROWSDOWN));
		both(&self->p, mprotect(b + PS, -PS, R));
		both(&self->p, mprotect(b + PS, 0, R));
		EXPECT_EQ(1, mp_window_vmas(MULTI));
		both(&self->p, mprotect(b + 3 * PS, PS + 1, NONE));
		ASSERT_EQ(0, mp_same(MP_WRITES));
	}
}

/* Into a hole, into what refuses: ENOMEM, EACCES, with all before it done. */
TEST_F(eligible, partial)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	ASSERT_GE(fd, 0);
	EXPECT_EQ(-ENOMEM, both(&self->p, mprotect(b + (PAGES - 2) * PS, 4 * PS, R)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	EXPECT_EQ(-ENOMEM, both(&self->p, mprotect(b - PS, 4 * PS, R)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	both(&self->p, mmap(b + PAGES * PS, PS, R, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED);
	EXPECT_EQ(-EACCES, both(&self->p, mprotect(b + (PAGES - 5) * PS, 6 * PS, RW)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	both(&self->p, munmap(b + 20 * PS, PS));
	EXPECT_EQ(-ENOMEM, both(&self->p, mprotect(b + 18 * PS, 6 * PS, NONE)));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	close(fd);
}

/* The counters of /proc/self/status, and the commit charge, are by page. */
TEST_F(eligible, accounting)
{
	static const int prots[] = { R, RW, NONE, RX, RW | X, R };
	size_t i;

	for (i = 0; i < sizeof(prots) / sizeof(*prots); i++) {
		size_t at = i * 11 % (PAGES - 9);

		both_delta(&self->p, mp_status("VmData"), mprotect(b + at * PS, 9 * PS, prots[i]));
		both_delta(&self->p, mp_status("VmExe") + mp_status("VmLib"),
			   mprotect(b + at * PS, 5 * PS, prots[i] ^ X));
		if (mp_system())
			both_delta(&self->p, mp_number("/proc/meminfo", "Committed_AS"),
				   mprotect(b + at * PS, 3 * PS, prots[i] ^ RW));
	}
	/* "ac" in VmFlags is what tells in smaps. */
	ASSERT_EQ(0, mp_same(MP_WRITES));
	both_delta(&self->p, mp_status("VmData"), munmap(b + 5 * PS, 40 * PS));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

static int data_limited(void *arg)
{
	struct mp_pair *p = arg;
	struct rlimit rl;

	/* Room for 4 pages more on each side. */
	rl.rlim_max = mp_status("VmData") * 1024 + 8 * PS + PS / 2;
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(RLIMIT_DATA, &rl))
		return 200;
	both(p, mprotect(b + 3 * PS, 4 * PS, RW));
	both(p, mprotect(b + 10 * PS, 3 * PS, RW));
	both(p, mprotect(b + 20 * PS, PS, R));
	return mp_same(MP_WRITES);
}

/* RLIMIT_DATA is kept to the page, in errno and in effect. */
TEST_F(eligible, rlimit_data)
{
	both(&self->p, mprotect(b, PAGES * PS, NONE));
	ASSERT_EQ(0, mp_in_child(data_limited, &self->p));
}

/* "Over it ... implicit ones split as stock." */
TEST_F(eligible, over_max_run_count)
{
	char old[32];

	if (!mp_system())
		SKIP(return, "changes a sysctl");
	snprintf(old, sizeof(old), "%ld", mp_sysctl(MP_SYSCTL_RUNS));
	ASSERT_EQ(0, mp_sysctl_set(MP_SYSCTL_RUNS, "2"));
	both(&self->p, mprotect(b, PAGES * PS, RW));
	EXPECT_EQ(0, both(&self->p, mprotect(b + 8 * PS, 8 * PS, R)));
	EXPECT_EQ(3, mp_window_vmas(MULTI));
	EXPECT_EQ(0, both(&self->p, mprotect(b + 10 * PS, 2 * PS, NONE)));
	EXPECT_EQ(5, mp_window_vmas(MULTI));
	EXPECT_EQ(0, mp_same(MP_WRITES));
	EXPECT_EQ(0, mp_sysctl_set(MP_SYSCTL_RUNS, old));
}

/* As an unmodified program lives on: fork, and both go on with it. */
TEST_F(eligible, fork)
{
	size_t i;
	int status;

	both(&self->p, mprotect(b, PAGES * PS, RW));
	for (i = 0; i < PAGES; i += 4) {
		both(&self->p, mp_put(b + i * PS + 30, 'p'));
		both(&self->p, mprotect(b + i * PS, PS, R));
	}
	if (!fork()) {
		for (i = 0; i < PAGES; i += 8)
			both(&self->p, mprotect(b + i * PS, 2 * PS, RW));
		both(&self->p, mp_put(b + 8 * PS + 30, 'c'));
		_exit(mp_same(MP_WRITES) || mp_window_vmas(MULTI) != 1);
	}
	wait(&status);
	EXPECT_EQ(0, status);
	EXPECT_EQ('p', self->p.base[MULTI][8 * PS + 30]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* The number of VMAs is what a collector dies of, on stock; here there is one. */
TEST(beyond_max_map_count)
{
	char *m[2], old[32];
	size_t i, n, failed[2] = { 0 };
	int side;

	if (mp_stock)
		SKIP(return, "feature off");
	if (!mp_system())
		SKIP(return, "changes a sysctl");
	snprintf(old, sizeof(old), "%ld", mp_sysctl("/proc/sys/vm/max_map_count"));
	ASSERT_EQ(0, mp_sysctl_set("/proc/sys/vm/max_map_count", "1000"));
	n = 4000;
	for (side = 0; side < 2; side++) {
		m[side] = map_at(side, 0, n, RW, 0, -1);
		set_mode(side == MULTI ? 2 : 0);
		for (i = 0; i < n; i += 2)
			if (mprotect(m[side] + i * PS, PS, NONE))
				failed[side]++;
	}
	EXPECT_EQ(0, mp_sysctl_set("/proc/sys/vm/max_map_count", old));
	EXPECT_EQ(0, failed[MULTI]);
	EXPECT_GT(failed[EQUIV], 900);
	EXPECT_EQ(1, mp_window_vmas(MULTI));
}

/* "The stack and others stay stock." */
TEST(not_eligible)
{
	char *here = (char *)((unsigned long)__builtin_frame_address(0) & ~(PS - 1));
	char *m;
	long vmas;

	if (mp_stock)
		SKIP(return, "feature off");
	ASSERT_EQ(0, set_mode(2));
	/* Deeper in the stack than this program goes. */
	here -= 16 * PS;
	*(volatile char *)here = 1;
	vmas = mp_vmas();
	ASSERT_EQ(0, mprotect(here, PS, R));
	EXPECT_EQ(2, mp_vmas() - vmas);
	ASSERT_EQ(0, mprotect(here, PS, RW));
	EXPECT_EQ(vmas, mp_vmas());

	m = mmap((void *)mp_window(0), 16 * PS, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, m);
	ASSERT_EQ(0, mprotect(m + 4 * PS, PS, R));
	EXPECT_EQ(3, mp_window_vmas(0));
	m = mmap((void *)mp_window(1), 16 * PS, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN,
		 -1, 0);
	ASSERT_NE(MAP_FAILED, m);
	ASSERT_EQ(0, mprotect(m + 4 * PS, PS, R));
	EXPECT_EQ(3, mp_window_vmas(1));
}

/* Mode 1 leaves them alone. */
TEST(mode_1)
{
	int fd = mp_file(MP_TMP, 16);

	if (mp_stock)
		SKIP(return, "feature off");
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, set_mode(1));
	ASSERT_EQ(0, mprotect(map_at(0, 0, 16, RW, 0, -1) + 4 * PS, PS, R));
	EXPECT_EQ(3, mp_window_vmas(0));
	ASSERT_EQ(0, mprotect(map_at(1, 0, 16, R, 0, fd) + 4 * PS, PS, RX));
	EXPECT_EQ(3, mp_window_vmas(1));
}

/* Pages that go over to a neighbour split nothing: both stay ordinary, as in stock. */
TEST(boundary_moves)
{
	char *m;

	if (mp_stock)
		SKIP(return, "feature off");
	ASSERT_EQ(0, set_mode(2));
	m = map_at(0, 0, 8, RW, 0, -1);
	ASSERT_NE(MAP_FAILED, m);
	ASSERT_NE(MAP_FAILED, map_at(0, 8, 8, R, 0, -1));
	ASSERT_EQ(2, mp_window_vmas(0));
	ASSERT_EQ(0, mprotect(m + 8 * PS, 2 * PS, RW));
	EXPECT_EQ(2, mp_window_vmas(0));
	EXPECT_FALSE(is_multi(0, m));
	EXPECT_FALSE(is_multi(0, m + 12 * PS));
	ASSERT_EQ(0, mprotect(m + 5 * PS, 5 * PS, R));
	EXPECT_EQ(2, mp_window_vmas(0));
	EXPECT_FALSE(is_multi(0, m));
	EXPECT_FALSE(is_multi(0, m + 12 * PS));
	EXPECT_EQ(0, mp_put(m + 4 * PS, 1));
	EXPECT_EQ(MP_ACCERR, mp_put(m + 5 * PS, 1));
}

/* ---- mapped in one mode, changed in another ---- */

/* The mode of a side, by prctl() or by the sysctl; where mprotect() splits it is always 0. */
static void enter(int side, int mode, bool by_sysctl)
{
	char text[8];

	set_mode(side == EQUIV ? 0 : by_sysctl ? FOLLOW : mode);
	snprintf(text, sizeof(text), "%d", mode);
	if (side == MULTI && by_sysctl && mp_sysctl_set(MP_SYSCTL, text))
		mp_diff("%s cannot be %s", MP_SYSCTL, text);
}

#define both_in(p, mode, by_sysctl, call) \
	mp_both(p, (enter(side, mode, by_sysctl), errno = 0, (call)))

struct area { int prot; int flags; int where; bool in_place; };

FIXTURE(across) { struct mp_pair p; char sysctl[8]; };
FIXTURE_VARIANT(across) { struct area a; };
FIXTURE_VARIANT_ADD(across, anon) { .a = { .prot = RW, .where = -1 } };
FIXTURE_VARIANT_ADD(across, stack) {
	.a = { .prot = RW, .where = -1, .flags = MAP_STACK, .in_place = true } };
FIXTURE_VARIANT_ADD(across, arena) {
	.a = { .prot = NONE, .where = -1, .flags = MAP_NORESERVE, .in_place = true } };
FIXTURE_VARIANT_ADD(across, file) { .a = { .prot = R, .where = MP_TMP } };
/* mmap() notes only of anonymous memory what it is going to be. */
FIXTURE_VARIANT_ADD(across, file_none) {
	.a = { .prot = NONE, .where = MP_TMP, .flags = MAP_NORESERVE } };
FIXTURE_VARIANT_ADD(across, file_stack) {
	.a = { .prot = RW, .where = MP_CWD, .flags = MAP_STACK } };

FIXTURE_SETUP(across)
{
	if (mp_stock)
		SKIP(return, "feature off");
	snprintf(self->sysctl, sizeof(self->sysctl), "%ld", mp_sysctl(MP_SYSCTL));
	self->p.fd = variant->a.where < 0 ? -1 : mp_file(variant->a.where, PAGES);
	if (variant->a.where >= 0 && self->p.fd < 0)
		SKIP(return, "no such file here");
}

FIXTURE_TEARDOWN(across)
{
	if (mp_system())
		mp_sysctl_set(MP_SYSCTL, self->sysctl);
	if (self->p.fd >= 0)
		close(self->p.fd);
}

/*
 * Mapped in modes[0], two pages changed in modes[1] and modes[2]: how many VMAs
 * that makes is what the mode says at the mprotect(), not at the mmap().
 */
static int in_modes(struct mp_pair *p, const struct area *a, const int modes[3],
		    bool by_sysctl)
{
	int other = a->prot == RW ? R : RW, i, vmas = 1;
	bool multi = false;

	mp_clear();
	for (i = 0; i < 2; i++) {
		enter(i, modes[0], by_sysctl);
		p->base[i] = map_at(i, 0, 16, a->prot, a->flags, p->fd);
		if (p->base[i] == MAP_FAILED) {
			mp_diff("mmap: %d", errno);
			return mp_bad;
		}
	}
	mp_both(p, mp_write(b + 2 * PS));
	mp_both(p, mp_write(b + 4 * PS));
	for (i = 1; i < 3; i++) {
		both_in(p, modes[i], by_sysctl, mprotect(b + i * 5 * PS, PS, other));
		/* What is one goes on as one, in any mode. */
		if (modes[i] == 2 || (modes[i] == 1 && a->in_place))
			multi = true;
		vmas += multi ? 0 : 2;
		if (mp_window_vmas(MULTI) != vmas || mp_window_vmas(EQUIV) != 1 + 2 * i)
			mp_diff("change %d: %d VMAs and not %d, equivalent %d", i,
				mp_window_vmas(MULTI), vmas, mp_window_vmas(EQUIV));
		if (is_multi(MULTI, p->base[MULTI] + i * 5 * PS) != multi)
			mp_diff("change %d: %s multi-protection VMA", i, multi ? "no" : "a");
	}
	mp_same(MP_WRITES);
	/* One page more over both bounds of one that is there: in a VMA, or over three. */
	both_in(p, modes[1], by_sysctl, mprotect(b + 4 * PS, 3 * PS, R));
	if (mp_same(MP_WRITES))
		mp_diff("mapped in mode %d, changed in %d and in %d", modes[0], modes[1],
			modes[2]);
	return mp_bad;
}

static int in_all_modes(struct mp_pair *p, const struct area *a, bool by_sysctl)
{
	int i;

	for (i = 0; i < 27 && !mp_bad; i++)
		in_modes(p, a, (int []){ i / 9, i / 3 % 3, i % 3 }, by_sysctl);
	return mp_bad;
}

TEST_F(across, by_prctl)
{
	ASSERT_EQ(0, in_all_modes(&self->p, &variant->a, false));
}

TEST_F(across, by_sysctl)
{
	if (!mp_system())
		SKIP(return, "changes a sysctl");
	ASSERT_EQ(0, in_all_modes(&self->p, &variant->a, true));
}

/* A library as an unmodified ld.so maps it, segment by segment. */
static int map_library(struct mp_pair *p, int side)
{
	size_t i, at = 0;
	char *m;

	p->npages = LIB_PAGES;
	p->base[side] = map_at(side, 0, LIB_PAGES, R, 0, p->fd);
	if (p->base[side] == MAP_FAILED)
		return -errno;
	for (i = 0; i < ARRAY_SIZE(mp_library); at += mp_library[i++].n) {
		const struct mp_run *r = &mp_library[i];
		int anon = r->kind == MP_ANON;

		m = mmap(p->base[side] + at * PS, r->n * PS, r->prot, MAP_PRIVATE | MAP_FIXED |
			 (anon ? MAP_ANONYMOUS : 0), anon ? -1 : p->fd,
			 anon ? 0 : (off_t)r->pgoff * PS);
		if (m == MAP_FAILED)
			return -errno;
	}
	return 0;
}

/*
 * Single pages of such a library, in the middle of a segment: one VMA for each
 * segment in mode 2, and in the others what stock has, whatever was the mode
 * when it was mapped.
 */
TEST(library_across_modes)
{
	struct mp_pair p = { .fd = mp_file(MP_TMP, LIB_FILE_PAGES) };
	int mapped, changed, i, vmas;

	if (mp_stock)
		SKIP(return, "feature off");
	ASSERT_GE(p.fd, 0);
	for (i = 0; i < 9; i++) {
		mapped = i / 3;
		changed = i % 3;
		mp_clear();
		ASSERT_EQ(0, both_in(&p, mapped, false, map_library(&p, side)));
		mp_dirty_library(&p);
		vmas = mp_window_vmas(EQUIV);
		EXPECT_EQ((int)ARRAY_SIZE(mp_library), vmas);
		both_in(&p, changed, false, mprotect(b + (LIB_RX + 1) * PS, PS, R));
		both_in(&p, changed, false, mprotect(b + (LIB_RO + 1) * PS, PS, NONE));
		both_in(&p, changed, false, mprotect(b + (LIB_DATA + 1) * PS, PS, R));
		both_in(&p, changed, false, mprotect(b + (LIB_BSS + 1) * PS, PS, R));
		EXPECT_EQ(vmas + 8, mp_window_vmas(EQUIV));
		EXPECT_EQ(changed == 2 ? vmas : vmas + 8, mp_window_vmas(MULTI)) {
			TH_LOG("mapped in mode %d, changed in %d", mapped, changed);
		}
		EXPECT_EQ(changed == 2, is_multi(MULTI, p.base[MULTI] + LIB_RX * PS));
		/* And on in the mode in which it was mapped, over bounds. */
		both_in(&p, mapped, false, mprotect(b + (LIB_RO + 1) * PS, 3 * PS, R));
		both_in(&p, mapped, false, mprotect(b + (LIB_DATA + 1) * PS, 4 * PS, RW));
		ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
	}
	close(p.fd);
}

FIXTURE(idle) { struct mp_pair p; };
FIXTURE_VARIANT(idle) { int where; };
FIXTURE_VARIANT_ADD(idle, anon) { .where = -1 };
FIXTURE_VARIANT_ADD(idle, file) { .where = MP_TMP };

/* A multi-protection VMA of one run: 16 pages from page 16 on, room on both sides. */
FIXTURE_SETUP(idle)
{
	int i;

	if (mp_stock)
		SKIP(return, "feature off");
	self->p.fd = variant->where < 0 ? -1 : mp_file(variant->where, PAGES);
	for (i = 0; i < 2; i++) {
		self->p.base[i] = map_at(i, 16, 16, RW, 0, self->p.fd);
		ASSERT_NE(MAP_FAILED, self->p.base[i]);
	}
	ASSERT_EQ(0, both(&self->p, mp_put(b + 5 * PS, 'x')));
	ASSERT_EQ(0, both(&self->p, mprotect(b + 5 * PS, PS, R)));
	ASSERT_EQ(0, both(&self->p, mprotect(b + 5 * PS, PS, RW)));
	ASSERT_EQ(1, mp_window_vmas(MULTI));
}

FIXTURE_TEARDOWN(idle)
{
	if (self->p.fd >= 0)
		close(self->p.fd);
}

/* What alternates stays as it is: it would be made again by the next call. */
TEST_F(idle, alternating)
{
	int i;

	for (i = 0; i < 10; i++) {
		EXPECT_TRUE(is_multi(MULTI, self->p.base[MULTI]));
		ASSERT_EQ(0, both(&self->p, mprotect(b + i * PS, PS, NONE)));
		ASSERT_EQ(0, both(&self->p, mprotect(b + i * PS, PS, RW)));
	}
	EXPECT_TRUE(is_multi(MULTI, self->p.base[MULTI]));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* A neighbour that it can merge with: one VMA again, an ordinary one. */
/* What mlock() and madvise() split off, and take back, is merged again where stock does. */
TEST(split_off_and_back)
{
	int side, i;
	char *m;

	mp_clear();
	for (side = 0; side < 2; side++) {
		/* in place on the one side by its flags */
		m = mmap((void *)mp_window(side), 80 * PS, NONE, MAP_PRIVATE | MAP_ANONYMOUS |
			 (side == MULTI ? MAP_NORESERVE : 0) | MAP_FIXED_NOREPLACE, -1, 0);
		ASSERT_EQ((char *)mp_window(side), m);
		ASSERT_EQ(0, mprotect(m, 64 * PS, RW));
		for (i = 1; i < 64; i++) {
			ASSERT_EQ(0, madvise(m + i * PS, PS, MADV_DONTFORK));
			ASSERT_EQ(0, madvise(m + i * PS, PS, MADV_DOFORK));
		}
		for (i = 1; i < 8; i++) {
			ASSERT_EQ(0, mlock(m + i * PS, PS));
			ASSERT_EQ(0, munlock(m + i * PS, PS));
		}
	}
	ASSERT_GE(mp_window_vmas(EQUIV), mp_window_vmas(MULTI));
	mp_clear();
}

TEST_F(idle, merges_with_next)
{
	EXPECT_EQ(0, both(&self->p, map_at(side, 32, 8, RW, 0, self->p.fd) == MAP_FAILED));
	EXPECT_EQ(1, mp_window_vmas(MULTI));
	EXPECT_FALSE(is_multi(MULTI, self->p.base[MULTI]));
	EXPECT_EQ('x', self->p.base[MULTI][5 * PS]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

TEST_F(idle, merges_with_previous)
{
	EXPECT_EQ(0, both(&self->p, map_at(side, 8, 8, RW, 0, self->p.fd) == MAP_FAILED));
	EXPECT_EQ(1, mp_window_vmas(MULTI));
	EXPECT_FALSE(is_multi(MULTI, self->p.base[MULTI]));
	EXPECT_EQ('x', self->p.base[MULTI][5 * PS]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* A neighbour becomes equal, and fills a gap between two of them. */
TEST_F(idle, merges_when_neighbour_changes)
{
	EXPECT_EQ(0, both(&self->p, map_at(side, 32, 8, R, 0, self->p.fd) == MAP_FAILED));
	EXPECT_EQ(2, mp_window_vmas(MULTI));
	EXPECT_TRUE(is_multi(MULTI, self->p.base[MULTI]));
	EXPECT_EQ(0, both(&self->p, mprotect(b + 16 * PS, 8 * PS, RW)));
	EXPECT_EQ(1, mp_window_vmas(MULTI));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Many chunks, each with a guard for a while: as few VMAs as stock has. */
TEST_F(idle, chunks)
{
	size_t i;

	for (i = 0; i < 8; i++) {
		size_t at = 32 + i * 4;

		EXPECT_EQ(0, both(&self->p, map_at(side, at, 4, RW, 0, self->p.fd) == MAP_FAILED));
		EXPECT_EQ(0, both(&self->p, mprotect(b + (at - 16 + 1) * PS, PS, NONE)));
		EXPECT_EQ(0, both(&self->p, mprotect(b + (at - 16 + 1) * PS, PS, RW)));
		EXPECT_EQ(1, mp_window_vmas(MULTI));
	}
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Written to while it was not mergeable: as in stock that does not keep them apart. */
TEST_F(idle, merges_after_faults)
{
	EXPECT_EQ(0, both(&self->p, mprotect(b + 3 * PS, PS, NONE)));
	EXPECT_EQ(0, both(&self->p, map_at(side, 32, 8, RW, 0, self->p.fd) == MAP_FAILED));
	EXPECT_EQ(0, both(&self->p, map_at(side, 8, 8, RW, 0, self->p.fd) == MAP_FAILED));
	EXPECT_EQ(3, mp_window_vmas(MULTI));
	EXPECT_EQ(0, both(&self->p, mp_put(b + 16 * PS, 'n')));
	EXPECT_EQ(0, both(&self->p, mp_put(b - PS, 'p')));
	EXPECT_EQ(0, both(&self->p, mprotect(b + 3 * PS, PS, RW)));
	EXPECT_EQ(0, both(&self->p, mprotect(b - 8 * PS, 8 * PS, R)));
	EXPECT_EQ(0, both(&self->p, mprotect(b - 8 * PS, 8 * PS, RW)));
	EXPECT_EQ(0, both(&self->p, mprotect(b + 16 * PS, 8 * PS, R)));
	EXPECT_EQ(0, both(&self->p, mprotect(b + 16 * PS, 8 * PS, RW)));
	EXPECT_EQ(1, mp_window_vmas(MULTI));
	EXPECT_EQ('x', self->p.base[MULTI][5 * PS]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* mprotect() of all of it is the ordinary call. */
TEST_F(idle, changed_as_a_whole)
{
	EXPECT_EQ(0, both(&self->p, mprotect(b, 16 * PS, R)));
	EXPECT_FALSE(is_multi(MULTI, self->p.base[MULTI]));
	EXPECT_EQ('x', self->p.base[MULTI][5 * PS]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
	/* With a neighbour on both sides it merges at once. */
	EXPECT_EQ(0, both(&self->p, map_at(side, 32, 8, RW, 0, self->p.fd) == MAP_FAILED));
	EXPECT_EQ(0, both(&self->p, map_at(side, 8, 8, RW, 0, self->p.fd) == MAP_FAILED));
	/* Stock does not merge with what has not been written to. */
	EXPECT_EQ(0, both(&self->p, mp_put(b + 16 * PS, 'n')));
	EXPECT_EQ(0, both(&self->p, mp_put(b - PS, 'p')));
	EXPECT_EQ(0, both(&self->p, mprotect(b + 5 * PS, PS, RW)));
	EXPECT_EQ(0, both(&self->p, mprotect(b + 5 * PS, PS, R)));
	EXPECT_EQ(3, mp_window_vmas(MULTI));
	EXPECT_EQ(0, both(&self->p, mprotect(b, 16 * PS, RW)));
	EXPECT_EQ(1, mp_window_vmas(MULTI));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* A run that cannot be an ordinary VMA stays, beside whatever. */
TEST_F(idle, nonlinear_stays)
{
	char *m = self->p.base[MULTI];

	if (self->p.fd < 0)
		SKIP(return, "no file");
	ASSERT_EQ(0, set_mode(2));
	ASSERT_EQ(0, mp_rfp(m, 16 * PS, RW, 40, MAP_CHGPROT));
	ASSERT_EQ(0, mp_put(m + PS, 'n'));
	ASSERT_NE(MAP_FAILED, mmap(m + 16 * PS, 4 * PS, RW, MAP_PRIVATE | MAP_FIXED_NOREPLACE,
				   self->p.fd, 56 * PS));
	ASSERT_NE(MAP_FAILED, map_at(MULTI, 12, 4, RW, 0, self->p.fd));
	EXPECT_EQ(3, mp_window_vmas(MULTI));
	EXPECT_EQ(0, mprotect(m, 16 * PS, R));
	EXPECT_EQ(0, mprotect(m, 16 * PS, RW));
	EXPECT_TRUE(is_multi(MULTI, m));
	EXPECT_EQ('n', m[PS]);
	EXPECT_TRUE(mp_page_is_file(&self->p, m + 2 * PS, 42));
	EXPECT_TRUE(mp_page_is_file(&self->p, m + 17 * PS, 57));
	/* Clean, it can become one, and merges. */
	ASSERT_EQ(0, mp_rfp(m, 16 * PS, RW, 16, MAP_CHGPROT));
	EXPECT_EQ(0, mprotect(m, 16 * PS, R));
	EXPECT_EQ(0, mprotect(m, 16 * PS, RW));
	EXPECT_EQ(2, mp_window_vmas(MULTI));
	EXPECT_TRUE(mp_page_is_file(&self->p, m + 2 * PS, 18));
}

/* Bss in a file mapping, all of it: an anonymous VMA that lets the file go. */
TEST_F(idle, bss)
{
	char *m = self->p.base[MULTI];

	if (self->p.fd < 0)
		SKIP(return, "no file");
	ASSERT_EQ(0, set_mode(2));
	ASSERT_EQ(0, mp_rfp(m, 16 * PS, RW, 0, MAP_CHGPROT | MAP_ANONYMOUS));
	ASSERT_EQ(0, mp_put(m + 3 * PS, 'b'));
	ASSERT_NE(MAP_FAILED, map_at(MULTI, 32, 8, RW, 0, -1));
	EXPECT_EQ('b', m[3 * PS]);
	EXPECT_TRUE(mp_page_is_zero(m + 5 * PS));
	EXPECT_EQ(0, mprotect(m, 24 * PS, R));
	EXPECT_EQ('b', m[3 * PS]);
	EXPECT_EQ(MP_ACCERR, mp_put(m + 3 * PS, 1));
	EXPECT_EQ(MP_ACCERR, mp_put(m + 20 * PS, 1));
}

TEST_HARNESS_MAIN
