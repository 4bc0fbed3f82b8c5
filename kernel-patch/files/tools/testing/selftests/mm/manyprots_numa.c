// SPDX-License-Identifier: GPL-2.0
/*
 * Memory policy, migration between nodes and NUMA balancing of multi-protection
 * VMAs.  Needs two nodes with memory, for instance of numa=fake=2 on the kernel's
 * command line.
 *
 * Which node a page is on is compared page by page where a system call put it
 * there; what balancing does is only looked at from its side effects.
 */
#include "manyprots_util.h"
#include <time.h>

#define MPOL_DEFAULT 0
#define MPOL_BIND 2
#define MPOL_INTERLEAVE 3
#define MPOL_MF_MOVE 2

static bool two_nodes(void)
{
	return !access("/sys/devices/system/node/node1", F_OK) &&
	       mp_slurp("/sys/devices/system/node/has_memory") > 0 && strchr(mp_text, '1');
}

static long bind_to(unsigned long nodes)
{
	return syscall(__NR_set_mempolicy, nodes ? MPOL_BIND : MPOL_DEFAULT, nodes ? &nodes : NULL,
		       nodes ? 64 : 0);
}

/* Node of a page, or -errno as move_pages() tells. */
static int node_of(const char *addr)
{
	const void *page = addr;
	int status = -1;

	if (syscall(__NR_move_pages, 0, 1, &page, NULL, &status, 0))
		return -errno;
	return status;
}

/* Status of each page, as one number. */
static long nodes_of(const char *addr, size_t n)
{
	unsigned long sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum = sum * 31 + node_of(addr + i * PS) + 200;
	return sum >> 1;
}

static long move_to(char *addr, size_t n, int node)
{
	void *pages[MP_MAX_PAGES];
	int nodes[MP_MAX_PAGES], status[MP_MAX_PAGES];
	size_t i;

	for (i = 0; i < n; i++) {
		pages[i] = addr + i * PS;
		nodes[i] = node;
	}
	return syscall(__NR_move_pages, 0, n, pages, nodes, status, MPOL_MF_MOVE);
}

FIXTURE(nodes) { struct mp_pair p; };
FIXTURE_SETUP(nodes)
{
	if (!two_nodes())
		SKIP(return, "no two nodes");
	self->p.fd = mp_file(MP_TMP, LIB_FILE_PAGES);
	ASSERT_LE(0, self->p.fd);
	ASSERT_EQ(0, bind_to(1));
	ASSERT_EQ(0, mp_map_runs(&self->p, mp_library));
	ASSERT_TRUE(mp_one_vma());
	mp_dirty_library(&self->p);
}

FIXTURE_TEARDOWN(nodes)
{
	bind_to(0);
	close(self->p.fd);
	mp_clear();
}

/* Every page of every run goes to the other node, and comes back with the run's protection. */
TEST_F(nodes, move_pages)
{
	ASSERT_EQ(0, mp_same(MP_EXECS));
	ASSERT_EQ(0, node_of(self->p.base[MULTI] + LIB_DATA * PS));
	ASSERT_EQ(0, mp_both(&self->p, move_to(b, LIB_PAGES, 1)));
	ASSERT_EQ(1, node_of(self->p.base[MULTI] + LIB_DATA * PS));
	ASSERT_EQ(1, node_of(self->p.base[MULTI] + LIB_BSS * PS));
	mp_both(&self->p, nodes_of(b + LIB_DATA * PS, LIB_PAGES - LIB_DATA));
	ASSERT_EQ(0, mp_same(MP_EXECS));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_DATA * PS, PS, R)));
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b + LIB_BSS * PS, PS, NONE)));
	ASSERT_EQ(0, mp_both(&self->p, move_to(b, LIB_PAGES, 0)));
	ASSERT_EQ(0, node_of(self->p.base[MULTI] + LIB_DATA * PS));
	ASSERT_EQ(MP_ACCERR, mp_both(&self->p, mp_put(b + LIB_DATA * PS, 1)));
	ASSERT_EQ(MP_ACCERR, mp_both(&self->p, mp_read(b + LIB_BSS * PS)));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
	ASSERT_TRUE(mp_one_vma());
}

TEST_F(nodes, migrate_pages)
{
	unsigned long from = 1, to = 2;

	ASSERT_EQ(0, mp_same(MP_EXECS));
	ASSERT_LE(0, syscall(__NR_migrate_pages, 0, 64, &from, &to));
	ASSERT_EQ(1, node_of(self->p.base[MULTI] + LIB_DATA * PS));
	ASSERT_EQ(1, node_of(self->p.base[MULTI] + (LIB_BSS + 3) * PS));
	mp_both(&self->p, nodes_of(b + LIB_DATA * PS, LIB_PAGES - LIB_DATA));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
}

/* A policy is of a VMA: the range stands alone afterwards. */
TEST_F(nodes, mbind)
{
	unsigned long node1 = 2, both = 3;

	bind_to(0);
	ASSERT_EQ(0, mp_both(&self->p, syscall(__NR_mbind, b + (LIB_DATA + 1) * PS, 4 * PS,
					       MPOL_BIND, &node1, 64, MPOL_MF_MOVE)));
	ASSERT_EQ(1, node_of(self->p.base[MULTI] + (LIB_DATA + 2) * PS));
	ASSERT_EQ(0, node_of(self->p.base[MULTI] + LIB_DATA * PS));
	mp_both(&self->p, nodes_of(b + LIB_DATA * PS, LIB_PAGES - LIB_DATA));
	mp_both(&self->p, mp_put(b + (LIB_BSS + 1) * PS, 1));
	ASSERT_EQ(1, mp_both(&self->p, node_of(b + (LIB_BSS + 1) * PS)) == 1);
	ASSERT_EQ(0, mp_both(&self->p, syscall(__NR_mbind, b, LIB_PAGES * PS, MPOL_INTERLEAVE,
					       &both, 64, 0)));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
}

/* A huge page goes whole, and has the run's protection afterwards. */
TEST(huge_page)
{
	static const struct mp_run runs[] = {
		{ 512, RW, MP_ANON, 0 }, { 512, RW, MP_ANON, 0 }, { 3, R, MP_ANON, 0 },
	};
	struct mp_pair p = { .fd = -1, .mflags = MAP_NORESERVE };
	char *m;
	int i;

	if (!two_nodes())
		SKIP(return, "no two nodes");
	ASSERT_EQ(0, bind_to(1));
	ASSERT_EQ(0, mp_map_runs(&p, runs));
	ASSERT_EQ(0, mp_both(&p, madvise(b, 1027 * PS, 14)));	/* MADV_HUGEPAGE */
	for (i = 0; i < 1024; i += 16)
		mp_both(&p, mp_put(b + i * PS, i / 16));
	ASSERT_EQ(0, mp_both(&p, mprotect(b + 512 * PS, 512 * PS, R)));
	m = p.base[MULTI];
	ASSERT_EQ(0, mp_both(&p, move_to(b, 1024, 1)));
	ASSERT_EQ(1, node_of(m));
	ASSERT_EQ(1, node_of(m + 600 * PS));
	ASSERT_EQ(0, mp_both(&p, mp_put(b, 0)));
	ASSERT_EQ(MP_ACCERR, mp_both(&p, mp_put(b + 512 * PS, 0)));
	ASSERT_EQ(0, mp_both(&p, mprotect(b + 512 * PS, 512 * PS, NONE)));
	ASSERT_EQ(0, mp_both(&p, move_to(b, 1024, 0)));
	ASSERT_EQ(MP_ACCERR, mp_both(&p, mp_read(b + 512 * PS)));
	ASSERT_EQ(0, mp_both(&p, mprotect(b + 512 * PS, 512 * PS, RW)));
	for (i = 0; i < 1024; i += 16)
		ASSERT_EQ((char)(i / 16), m[i * PS]);
	ASSERT_EQ(0, mp_same(MP_WRITES));
	ASSERT_TRUE(mp_stock || mp_window_vmas(MULTI) == 1);
	bind_to(0);
	mp_clear();
}

/* ---- NUMA balancing ---- */

#define DEBUG_NUMA "/sys/kernel/debug/sched/numa_balancing/"

static long vmstat(const char *key)
{
	size_t len = strlen(key);
	char *p;

	if (mp_slurp("/proc/vmstat") < 0)
		return -1;
	for (p = mp_text; p; p = strchr(p, '\n')) {
		if (*p == '\n')
			p++;
		if (!strncmp(p, key, len) && p[len] == ' ')
			return strtol(p + len, NULL, 10);
	}
	return -1;
}

/*
 * Hints are put into readable and writable runs: they are faulted in again with
 * the run's protection; a run with PROT_NONE looks like a hint and never becomes
 * accessible.
 */
TEST(balancing)
{
	static const struct mp_run runs[] = {
		{ 256, RW, MP_ANON, 0 }, { 8, NONE, MP_ANON, 0 }, { 256, R, MP_ANON, 0 },
		{ 1, RW, MP_ANON, 0 }, { 1, NONE, MP_ANON, 0 }, { 256, RX, MP_ANON, 0 },
	};
	struct mp_pair p = { .fd = -1, .mflags = MAP_NORESERVE };
	time_t stop = time(NULL) + 60;
	long faults, updates;
	size_t i, round;
	char *m;

	if (!mp_system() || !two_nodes() ||
	    mp_sysctl_set("/proc/sys/kernel/numa_balancing", "1"))
		SKIP(return, "no two nodes, no NUMA balancing, or not in a guest");
	mp_sysctl_set(DEBUG_NUMA "scan_delay_ms", "10");
	mp_sysctl_set(DEBUG_NUMA "scan_period_min_ms", "20");
	mp_sysctl_set(DEBUG_NUMA "scan_period_max_ms", "40");
	ASSERT_EQ(0, mp_map_runs(&p, runs));
	m = p.base[MULTI];
	/* Contents everywhere, PROT_NONE included */
	ASSERT_EQ(0, mp_both(&p, mprotect(b, p.npages * PS, RW)));
	mp_both(&p, (bind_to(2), 0));
	for (i = 0; i < p.npages; i++)
		mp_both(&p, mp_put(b + i * PS, i));
	bind_to(0);
	ASSERT_EQ(0, mp_both(&p, mprotect(b + 256 * PS, 8 * PS, NONE)));
	ASSERT_EQ(0, mp_both(&p, mprotect(b + 264 * PS, 256 * PS, R)));
	ASSERT_EQ(0, mp_both(&p, mprotect(b + 521 * PS, PS, NONE)));
	ASSERT_EQ(0, mp_both(&p, mprotect(b + 522 * PS, 256 * PS, RX)));

	faults = vmstat("numa_hint_faults");
	updates = vmstat("numa_pte_updates");
	for (round = 0; time(NULL) < stop; round++) {
		for (i = 0; i < p.npages; i++) {
			bool none = (i >= 256 && i < 264) || i == 521;

			if (none)
				continue;
			/* Only the one VMA: what is counted comes from it */
			ASSERT_EQ((char)i, *(volatile char *)(m + i * PS));
			if (i < 256)
				*(volatile char *)(m + i * PS) = i;
		}
		if (round % 16 == 0) {
			ASSERT_EQ(MP_ACCERR, mp_read(m + 256 * PS));
			ASSERT_EQ(MP_ACCERR, mp_read(m + 521 * PS));
			ASSERT_EQ(MP_ACCERR, mp_put(m + 264 * PS, 1));
			if (vmstat("numa_hint_faults") - faults > 2000)
				break;
		}
	}
	printf("# %ld hints, %ld faults\n", vmstat("numa_pte_updates") - updates,
	       vmstat("numa_hint_faults") - faults);
	EXPECT_LT(updates + 256, vmstat("numa_pte_updates"));
	EXPECT_LT(faults + 256, vmstat("numa_hint_faults"));
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
	ASSERT_TRUE(mp_stock || mp_window_vmas(MULTI) == 1);
	mp_sysctl_set("/proc/sys/kernel/numa_balancing", "0");
	mp_clear();
}

TEST_HARNESS_MAIN
