// SPDX-License-Identifier: GPL-2.0
/* fork, exec and exit of processes with multi-protection VMAs. */
#include "manyprots_util.h"
#include <dirent.h>

MP_LIBRARY_FIXTURE(lib)

static int same_in_child(void *p)
{
	int bad = mp_same(0);

	/* Its own COW copies, invisible to the parent. */
	mp_dirty_library(p);
	mp_both((struct mp_pair *)p, mp_put(b + LIB_DATA * PS + 100, 'c'));
	bad += mp_same(MP_WRITES | MP_EXECS);
	if (!mp_one_vma()) {
		fprintf(stderr, "# the child's is not one VMA\n");
		bad++;
	}
	return bad;
}

/* The child has the same runs, contents included. */
TEST_F(lib, child_has_same)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_in_child(same_in_child, &self->p));
	ASSERT_EQ('d', self->p.base[MULTI][LIB_DATA * PS + 100]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Forked before anything was touched: the child faults all of it from the file. */
TEST_F(lib, untouched)
{
	ASSERT_EQ(0, mp_in_child(same_in_child, &self->p));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

static int nested(void *p)
{
	mp_both((struct mp_pair *)p, mprotect(b + LIB_DATA * PS, PS, R));
	mp_chg(p, LIB_RO, 2, RW, MP_FILE, 40);
	mp_both((struct mp_pair *)p, mp_put(b + LIB_RO * PS + 100, 'n'));
	return mp_in_child(same_in_child, p) + mp_same(MP_WRITES);
}

/* A child changes its runs: the map it shares with the parent is not the parent's. */
TEST_F(lib, nested_fork_and_change)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_in_child(nested, &self->p));
	ASSERT_EQ(0, mp_put(self->p.base[MULTI] + LIB_DATA * PS, 1));
	ASSERT_EQ(0, mp_put(self->p.base[EQUIV] + LIB_DATA * PS, 1));
	ASSERT_TRUE(mp_page_is_file(&self->p, self->p.base[MULTI] + LIB_RO * PS, LIB_RO));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

static void wait_byte(int fd)
{
	char c;

	if (read(fd, &c, 1) != 1)
		_exit(99);
}

/* After fork the parent writes: the child sees the old bytes, on every run. */
TEST_F(lib, parent_writes_after_fork)
{
	int go[2], status;
	char *m = self->p.base[MULTI];
	pid_t pid;

	mp_dirty_library(&self->p);
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	if (!pid) {
		int bad;

		wait_byte(go[0]);
		bad = mp_same(0);
		bad += m[LIB_DATA * PS + 100] != 'd';
		bad += m[LIB_BSS * PS + 100] != 'b';
		bad += mp_same(MP_WRITES);
		_exit(bad);
	}
	mp_both(&self->p, mp_put(b + LIB_DATA * PS + 100, 'P'));
	mp_both(&self->p, mp_put(b + LIB_BSS * PS + 100, 'P'));
	mp_both(&self->p, mp_put(b + (LIB_BSS + 1) * PS + 100, 'P'));
	mp_chg(&self->p, 0, LIB_PAGES, RW, MP_FILE, 20);
	mp_both(&self->p, munmap(b + 3 * PS, 2 * PS));
	ASSERT_EQ(1, write(go[1], "g", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/* Read-only pages with private copies (relro) must survive in the child, too. */
TEST_F(lib, private_copies_under_readonly)
{
	mp_both(&self->p, mprotect(b + LIB_RELRO * PS, PS, RW));
	mp_both(&self->p, mp_put(b + LIB_RELRO * PS + 3, 'r'));
	mp_both(&self->p, mprotect(b + LIB_RELRO * PS, PS, R));
	mp_both(&self->p, mp_put(b + LIB_BSS * PS + 3, 'n'));
	mp_both(&self->p, mprotect(b + LIB_BSS * PS, PS, NONE));
	ASSERT_EQ(0, mp_in_child(same_in_child, &self->p));
	ASSERT_EQ('r', self->p.base[MULTI][LIB_RELRO * PS + 3]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

/*
 * "fork copies page tables only of runs with the ANON bit": the text of a child
 * is not there until it is touched, though its data is. Seen in pagemap.
 */
TEST_F(lib, text_not_copied)
{
	uint64_t v[LIB_PAGES];
	int fd, status, i;
	pid_t pid;

	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_same(0));
	pid = fork();
	if (!pid) {
		fd = open("/proc/self/pagemap", O_RDONLY);
		if (fd < 0 || pread(fd, v, sizeof(v),
				    (unsigned long)self->p.base[MULTI] / PS * 8) != sizeof(v))
			_exit(98);
		for (i = 0; i < LIB_RELRO; i++)
			if (v[i] >> 63)
				_exit(1 + i);
		if (!(v[LIB_DATA] >> 63) || !(v[LIB_BSS] >> 63))
			_exit(97);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	if (WEXITSTATUS(status) == 98)
		SKIP(return, "no pagemap");
	ASSERT_EQ(0, WEXITSTATUS(status));
}

/* exec leaves nothing behind, and the new image works. */
TEST_F(lib, exec)
{
	int status;
	pid_t pid;

	mp_dirty_library(&self->p);
	pid = fork();
	if (!pid) {
		execl("/bin/true", "true", NULL);
		_exit(errno == ENOEXEC ? 99 : 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, mp_same(MP_WRITES));
	if (WEXITSTATUS(status) == 99)
		SKIP(return, "programs are for another kernel");
	ASSERT_EQ(0, status);
}

/* vfork shares the mm: what the child does to the runs stays. */
TEST_F(lib, vfork)
{
	int status;
	pid_t pid;

	pid = vfork();
	if (!pid) {
		mprotect(self->p.base[MULTI] + LIB_DATA * PS, PS, R);
		mprotect(self->p.base[EQUIV] + LIB_DATA * PS, PS, R);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

struct leak {
	struct mp_pair *p;
	size_t rounds;
};

static int churn(void *arg)
{
	struct leak *l = arg;
	int i;

	for (i = 0; i < 20; i++) {
		mp_map_side(l->p, MULTI, mp_library, ARRAY_SIZE(mp_library));
		mprotect(l->p->base[MULTI] + i % LIB_PAGES * PS, PS, RW);
		mp_put(l->p->base[MULTI] + i % LIB_PAGES * PS, 1);
		munmap(l->p->base[MULTI] + (i + 3) % LIB_PAGES * PS, 2 * PS);
		mremap(l->p->base[MULTI] + (i + 9) % LIB_PAGES * PS, PS, PS,
		       MREMAP_MAYMOVE | MREMAP_FIXED, l->p->base[MULTI] + (i + 100) * PS);
		if (i & 1)
			munmap(l->p->base[MULTI], 200 * PS);
		else
			mp_clear();
	}
	mp_map_side(l->p, MULTI, mp_library, ARRAY_SIZE(mp_library));
	mp_put(l->p->base[MULTI] + LIB_DATA * PS, 1);
	return 0;
}

/*
 * Active objects of the run-map caches; those that a CPU keeps at hand and
 * those in KASAN's quarantine count as active, unless the cache is shrunk.
 */
static long run_objects(void)
{
	struct dirent *d;
	DIR *dir = opendir("/sys/kernel/slab");
	char name[300];

	while (dir && (d = readdir(dir))) {
		if (strncmp(d->d_name, "vma_run", 7))
			continue;
		snprintf(name, sizeof(name), "/sys/kernel/slab/%s/shrink", d->d_name);
		mp_sysctl_set(name, "1");
	}
	if (dir)
		closedir(dir);
	return mp_slab("vma_run");
}

/* Processes that made, divided and dropped run maps in many ways end: the slabs are as before. */
TEST(no_leak)
{
	static struct mp_pair p;
	struct leak l = { &p };
	long before, after;
	int i;

	before = run_objects();
	if (before < 0)
		SKIP(return, "no slabinfo");
	p.fd = mp_file(MP_TMP, LIB_FILE_PAGES);
	ASSERT_GE(p.fd, 0);
	ASSERT_EQ(0, mp_in_child(churn, &l));
	/* Only a growth with the rounds is a leak. */
	usleep(300000);
	before = run_objects();
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, mp_in_child(churn, &l));
	}
	for (i = 0; i < 60; i++) {
		usleep(200000);		/* RCU; kfree_rcu() collects for 5 s */
		after = run_objects();
		if (after <= before + 200)
			break;
	}
	ASSERT_LE(after, before + 200);
	if (!mp_stock) {
		/* Seen at all? A process with run maps has more of these objects. */
		ASSERT_EQ(0, mp_map_side(&p, MULTI, mp_library, ARRAY_SIZE(mp_library)));
		ASSERT_GT(run_objects(), 0);
	}
}

/* Many children at once, each with its own changes. */
TEST_F(lib, many_children)
{
	int i, status;
	pid_t pid;

	mp_dirty_library(&self->p);
	for (i = 0; i < 16; i++) {
		pid = fork();
		if (!pid) {
			mp_both(&self->p, mp_put(b + LIB_DATA * PS + i, i));
			mp_both(&self->p, mprotect(b + i * PS, PS, i & 1 ? RW : NONE));
			_exit(!!mp_same(MP_WRITES));
		}
		ASSERT_GT(pid, 0);
	}
	for (i = 0; i < 16; i++) {
		ASSERT_GT(wait(&status), 0);
		ASSERT_EQ(0, status);
	}
	ASSERT_EQ(0, mp_same(MP_WRITES));
}

TEST_HARNESS_MAIN
