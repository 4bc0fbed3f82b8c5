// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/PID/maps, smaps, map_files, numa_maps, pagemap, PROCMAP_QUERY, status
 * and core files: one entry per run, so that debuggers and profilers work
 * unchanged.
 */
#include "manyprots_util.h"
#include <dirent.h>
#include <elf.h>
#include <linux/falloc.h>
#include <sys/ioctl.h>

MP_LIBRARY_FIXTURE(lib)

/* What a run's line is, spelt out once and not only compared. */
TEST_F(lib, maps_line_per_run)
{
	static const struct { size_t page, n; const char *perms; long off; } want[] = {
		{ 0, 2, "r--p", 0 }, { 2, 4, "r-xp", 2 }, { 6, 3, "r--p", 6 },
		{ 9, 2, "---p", 9 }, { 11, 1, "r--p", 8 }, { 12, 3, "rw-p", 9 },
		{ 15, 4, "rw-p", -1 },
	};
	struct mp_entry *e = mp_tab[MULTI];
	size_t i;

	ASSERT_EQ(ARRAY_SIZE(want), mp_entries(MULTI, "/proc/self/maps"));
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		unsigned long start = (unsigned long)self->p.base[MULTI] + want[i].page * PS;

		EXPECT_EQ(start, e[i].start);
		EXPECT_EQ(start + want[i].n * PS, e[i].end);
		EXPECT_STREQ(want[i].perms, e[i].perms);
		EXPECT_EQ(want[i].off < 0 ? 0 : want[i].off * PS, e[i].off);
		EXPECT_EQ(want[i].off < 0, !e[i].ino);
		EXPECT_EQ(want[i].off < 0, !e[i].name[0]);
	}
	ASSERT_EQ(0, mp_same(0));
}

/* "smaps VmFlags: mp on every run, mc as well on all but a VMA's first" */
TEST_F(lib, smaps_mp_and_mc)
{
	int i, n;

	if (mp_stock)
		SKIP(return, "feature off");
	n = mp_entries(MULTI, "/proc/self/smaps");
	ASSERT_EQ(7, n);
	for (i = 0; i < n; i++) {
		EXPECT_TRUE(mp_tab[MULTI][i].multi);
		EXPECT_EQ(i > 0, mp_tab[MULTI][i].continued);
	}
	ASSERT_EQ(0, munmap(self->p.base[MULTI] + LIB_HOLE * PS, PS));
	n = mp_entries(MULTI, "/proc/self/smaps");
	ASSERT_EQ(7, n);
	for (i = 0; i < n; i++) {
		EXPECT_EQ(i > 0 && i != 3, mp_tab[MULTI][i].continued);
	}
	n = mp_entries(EQUIV, "/proc/self/smaps");
	for (i = 0; i < n; i++) {
		EXPECT_FALSE(mp_tab[EQUIV][i].multi);
	}
}

/* smaps numbers by run: what is private, anonymous, and how large. */
TEST_F(lib, smaps_numbers)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_same(0));
	mp_entries(MULTI, "/proc/self/smaps");
	EXPECT_EQ(3 * PS / 1024, mp_tab[MULTI][5].size);
	EXPECT_EQ(2 * PS / 1024, mp_tab[MULTI][5].anonymous);
	EXPECT_EQ(4 * PS / 1024, mp_tab[MULTI][6].size);
	EXPECT_EQ(0, mp_tab[MULTI][1].anonymous);
}

static long rollup(const char *key)
{
	return mp_number("/proc/self/smaps_rollup", key);
}

TEST_F(lib, smaps_rollup)
{
	if (rollup("Rss") < 0)
		SKIP(return, "no smaps_rollup");
	mp_clear();
	mp_both_delta(&self->p, rollup("Anonymous"), ({
		mp_map_side(&self->p, side, mp_library, ARRAY_SIZE(mp_library));
		b = self->p.base[side];
		mp_put(b + LIB_DATA * PS, 1);
		mp_put(b + LIB_BSS * PS, 1);
		mp_put(b + (LIB_BSS + 2) * PS, 1); }));
	ASSERT_EQ(0, mp_same(0));
}

/*
 * Pages of tmpfs files in swap, by the offsets of the runs: a file for each side, of
 * which only what some run maps is there, and that in swap.
 */
FIXTURE(swapped) { struct mp_pair p; int fd[2]; };
FIXTURE_VARIANT(swapped) { int mflags; };
FIXTURE_VARIANT_ADD(swapped, private) { .mflags = 0 };
FIXTURE_VARIANT_ADD(swapped, shared) { .mflags = MAP_SHARED };
FIXTURE_SETUP(swapped)
{
	int i;

	self->p.mflags = variant->mflags;
	for (i = 0; i < 2; i++) {
		self->fd[i] = mp_file_in_swap(LIB_FILE_PAGES);
		if (self->fd[i] < 0)
			SKIP(return, "no swap");
		ASSERT_EQ(0, fallocate(self->fd[i], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				       8 * PS, 12 * PS));
	}
}

FIXTURE_TEARDOWN(swapped)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

TEST_F(swapped, swap_of_shmem)
{
	size_t i, at = 0;

	if (rollup("Rss") < 0)
		SKIP(return, "no smaps_rollup");
	mp_clear();
	ASSERT_EQ(16 * PS / 1024, mp_both_delta(&self->p, rollup("Swap"), ({
		self->p.fd = self->fd[side];
		mp_map_side(&self->p, side, mp_swapped, ARRAY_SIZE(mp_swapped)); })));
	ASSERT_TRUE(mp_one_vma());
	for (i = 0; i < ARRAY_SIZE(mp_swapped); at += mp_swapped[i++].n)
		EXPECT_EQ(mp_swapped[i].n * PS / 1024,
			  mp_both(&self->p, mp_smaps(b + at * PS, "Swap")));
	ASSERT_EQ(0, mp_bad);
}

/* "VmaCount: the true number of VMAs": the library is one of them. */
TEST_F(lib, vma_count)
{
	long with, without;

	if (mp_stock)
		SKIP(return, "feature off");
	with = mp_status("VmaCount");
	ASSERT_GT(with, 0);
	munmap(self->p.base[MULTI], LIB_PAGES * PS);
	without = mp_status("VmaCount");
	EXPECT_EQ(1, with - without);
	munmap(self->p.base[EQUIV], LIB_PAGES * PS);
	EXPECT_EQ(7, without - mp_status("VmaCount"));
}

/* A reader with a small buffer continues at the right run. */
TEST_F(lib, maps_in_small_reads)
{
	static char whole[1 << 20], parts[1 << 20];
	size_t n = 0, chunk;
	ssize_t len, r;
	int fd;

	ASSERT_GT(len = mp_slurp("/proc/self/maps"), 0);
	memcpy(whole, mp_text, len + 1);
	for (chunk = 1; chunk < 600; chunk = chunk * 3 + 1) {
		fd = open("/proc/self/maps", O_RDONLY);
		for (n = 0; (r = read(fd, parts + n, chunk)) > 0; n += r)
			;
		close(fd);
		parts[n] = 0;
		ASSERT_EQ(len, n);
		ASSERT_EQ(0, strcmp(whole, parts));
	}
}

/* So many runs that one seq_file buffer (a page at first) ends inside the VMA, over and over. */
TEST(maps_many_runs)
{
	static struct mp_pair p;
	struct mp_run whole = { 2000, R, MP_ANON, 0 };
	size_t i;

	p.fd = -1;
	ASSERT_EQ(0, mp_map(&p, &whole, 1));
	for (i = 0; i < 2000; i += 2) {
		ASSERT_EQ(0, mp_chg(&p, i, 1, RW, MP_ANON, 0));
	}
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	ASSERT_EQ(2000, mp_entries(MULTI, "/proc/self/maps"));
	ASSERT_EQ(2000, mp_entries(MULTI, "/proc/self/smaps"));
}

/* Names the links of one side's runs, relative to its base. */
static int map_files(struct mp_pair *p, int side, char *out, size_t size)
{
	struct dirent *d;
	DIR *dir = opendir("/proc/self/map_files");
	size_t n = 0;
	struct { unsigned long a, z; char to[256]; } l[64];
	int i, j, k = 0;

	if (!dir)
		return -errno;
	while ((d = readdir(dir))) {
		char path[512];
		ssize_t len;

		if (sscanf(d->d_name, "%lx-%lx", &l[k].a, &l[k].z) != 2 ||
		    l[k].a < mp_window(side) || l[k].z > mp_window(side) + MP_WINDOW_SIZE || k > 62)
			continue;
		snprintf(path, sizeof(path), "/proc/self/map_files/%s", d->d_name);
		len = readlink(path, l[k].to, sizeof(l[k].to) - 1);
		if (len < 0)
			len = snprintf(l[k].to, sizeof(l[k].to), "errno %d", errno);
		l[k].to[len] = 0;
		k++;
	}
	closedir(dir);
	for (i = 0; i < k; i++) {
		for (j = i + 1; j < k; j++)
			if (l[j].a < l[i].a) {
				l[k] = l[i];
				l[i] = l[j];
				l[j] = l[k];
			}
		n += snprintf(out + n, size - n, "%lx-%lx %s\n", l[i].a - mp_window(side),
			      l[i].z - mp_window(side), l[i].to);
	}
	return k;
}

/* map_files: an entry per file run, that opens the file (CRIU, perf inject). */
TEST_F(lib, map_files)
{
	static char out[2][65536];
	int n;

	n = mp_both(&self->p, map_files(&self->p, side, out[side], sizeof(out[0])));
	if (n < 0)
		SKIP(return, "no map_files");
	ASSERT_EQ(6, n);
	ASSERT_STREQ(out[1], out[0]);
	ASSERT_EQ(0, mp_same(0));
}

#define MANY_RUNS 10000

/* Adds up in @seen how often each page of @m is named, by reads of @size bytes; 0 or -errno. */
static int map_files_seen(const char *m, unsigned char *seen, size_t size)
{
	int dir = open("/proc/self/map_files", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static char buf[1 << 20];
	long len, at;

	if (dir < 0)
		return -errno;
	while ((len = syscall(__NR_getdents64, dir, buf, size)) > 0)
		for (at = 0; at < len; at += ((struct dirent64 *)(buf + at))->d_reclen) {
			unsigned long a, z;

			if (sscanf(((struct dirent64 *)(buf + at))->d_name, "%lx-%lx", &a, &z) != 2)
				continue;
			a = (a - (unsigned long)m) / PS;
			if (a < MANY_RUNS)
				seen[a]++;
		}
	close(dir);
	return len < 0 ? -errno : 0;
}

/*
 * More entries than one call collects (4,096), with buffers that hold more and
 * fewer: each is there, and once.
 */
TEST(map_files_many_runs)
{
	static const size_t sizes[] = { 1 << 20, 200000, 30000, 4096 };
	static unsigned char seen[MANY_RUNS], once[MANY_RUNS];
	int fd = memfd_create("many", MFD_CLOEXEC);
	size_t i;
	char *m;

	ASSERT_EQ(0, ftruncate(fd, MANY_RUNS * PS));
	m = mmap((void *)mp_window(MULTI), MANY_RUNS * PS, RW, MAP_SHARED | MAP_FIXED_NOREPLACE,
		 fd, 0);
	ASSERT_NE(MAP_FAILED, m);
	for (i = 0; i < MANY_RUNS; i += 2) {
		ASSERT_EQ(0, mp_stock ? mprotect(m + i * PS, PS, R) :
			  mp_rfp(m + i * PS, PS, R, i, MAP_CHGPROT));
	}
	memset(once, 1, sizeof(once));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(seen, 0, sizeof(seen));
		if (map_files_seen(m, seen, sizes[i]))
			SKIP(return, "no map_files");
		EXPECT_EQ(0, memcmp(seen, once, sizeof(seen)))
			TH_LOG("with a buffer of %zu bytes", sizes[i]);
	}
	close(fd);
}

/* And lookups by name: of runs, of ranges that are no run, of bss. */
TEST_F(lib, map_files_lookup)
{
	struct stat st;
	size_t a, n;

	for (a = 0; a < LIB_PAGES; a++)
		for (n = 1; a + n <= LIB_PAGES; n++)
			mp_both(&self->p, ({
				char path[128];

				snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx",
					 (unsigned long)b + a * PS,
					 (unsigned long)b + (a + n) * PS);
				stat(path, &st); }));
	ASSERT_EQ(0, mp_same(0));
}

static size_t numa_maps(int side, char *out)
{
	char *line, *save;
	size_t n = 0;

	if (mp_slurp("/proc/self/numa_maps") < 0)
		return 0;
	for (line = strtok_r(mp_text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned long at = strtoul(line, NULL, 16);
		char *tok, *s2;

		if (at < mp_window(side) || at >= mp_window(side) + MP_WINDOW_SIZE)
			continue;
		strtok_r(line, " ", &s2);
		n += sprintf(out + n, "%lx", at - mp_window(side));
		/* Counts depend on fault-around; policy, file and anon= do not. */
		while ((tok = strtok_r(NULL, " ", &s2)))
			if (!strchr(tok, '=') || !strncmp(tok, "file=", 5) ||
			    !strncmp(tok, "anon=", 5))
				n += sprintf(out + n, " %s", tok);
		n += sprintf(out + n, "\n");
	}
	return n;
}

TEST_F(lib, numa_maps)
{
	static char out[2][65536];

	if (access("/proc/self/numa_maps", R_OK))
		SKIP(return, "no numa_maps");
	mp_dirty_library(&self->p);
	numa_maps(MULTI, out[MULTI]);
	numa_maps(EQUIV, out[EQUIV]);
	ASSERT_STREQ(out[EQUIV], out[MULTI]);
}

/* pagemap of pages that were written is equal: present, file page or not, soft-dirty. */
TEST_F(lib, pagemap)
{
	uint64_t v[2][LIB_PAGES];
	int fd = open("/proc/self/pagemap", O_RDONLY);
	size_t i;

	if (fd < 0)
		SKIP(return, "no pagemap");
	mp_dirty_library(&self->p);
	/* Touched all, so that fault-around does not matter. */
	for (i = 0; i < LIB_PAGES; i++)
		mp_both(&self->p, mp_read(b + i * PS));
	mp_both(&self->p, pread(fd, v[side], sizeof(v[0]), (unsigned long)b / PS * 8));
	for (i = 0; i < LIB_PAGES; i++) {
		uint64_t keep = 1ULL << 63 | 1ULL << 62 | 1ULL << 61;

		/* Soft-dirty and exclusive: of written pages only. */
		if (i == LIB_DATA || i == LIB_DATA + 2 || i == LIB_BSS || i == LIB_BSS + 3)
			keep |= 1ULL << 55 | 1ULL << 56;
		EXPECT_EQ(v[1][i] & keep, v[0][i] & keep)
			TH_LOG("page %zu", i);
	}
	close(fd);
}

/* clear_refs 4, then a write: the soft-dirty bits of both sides. */
TEST_F(lib, soft_dirty)
{
	uint64_t v[2][LIB_PAGES];
	int fd = open("/proc/self/pagemap", O_RDONLY);
	size_t i;

	if (fd < 0)
		SKIP(return, "no pagemap");
	for (i = LIB_DATA; i < LIB_PAGES; i++)
		mp_both(&self->p, mp_put(b + i * PS, 1));
	if (mp_sysctl_set("/proc/self/clear_refs", "4"))
		SKIP(return, "no soft-dirty");
	mp_both(&self->p, mp_put(b + LIB_DATA * PS, 2));
	mp_both(&self->p, mp_put(b + (LIB_BSS + 1) * PS, 2));
	mp_both(&self->p, pread(fd, v[side], sizeof(v[0]), (unsigned long)b / PS * 8));
	for (i = LIB_DATA; i < LIB_PAGES; i++) {
		EXPECT_EQ(v[1][i] >> 55 & 1, v[0][i] >> 55 & 1) TH_LOG("page %zu", i);
	}
	ASSERT_EQ(0, mp_same(MP_WRITES));
	close(fd);
}

/* What another offset brings counts as written. */
TEST_F(lib, soft_dirty_of_another_offset)
{
	uint64_t v[2][LIB_PAGES];
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0)
		SKIP(return, "no pagemap");
	mp_both(&self->p, mp_read(b + LIB_RX * PS));
	if (mp_sysctl_set("/proc/self/clear_refs", "4"))
		SKIP(return, "no soft-dirty");
	ASSERT_EQ(0, mp_chg(&self->p, LIB_RX, 2, R, MP_FILE, 20));
	mp_both(&self->p, mp_read(b + LIB_RX * PS));
	mp_both(&self->p, pread(fd, v[side], sizeof(v[0]), (unsigned long)b / PS * 8));
	ASSERT_EQ(v[1][LIB_RX] >> 55 & 1, v[0][LIB_RX] >> 55 & 1);
	ASSERT_EQ(0, mp_same(MP_WRITES));
	close(fd);
}

/* clear_refs 1 (referenced bits) walks the page tables and changes nothing to be seen. */
TEST_F(lib, clear_refs)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_same(0));
	mp_sysctl_set("/proc/self/clear_refs", "1");
	mp_sysctl_set("/proc/self/clear_refs", "2");
	mp_sysctl_set("/proc/self/clear_refs", "3");
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
}

/*
 * 2 is for anonymous mappings and 3 for those of files: of the library the one leaves
 * file runs referenced, written pages included, the other bss.
 */
TEST_F(lib, clear_refs_by_kind)
{
	static const size_t runs[] = {
		LIB_R, LIB_RX, LIB_RO, LIB_HOLE, LIB_RELRO, LIB_DATA, LIB_BSS,
	};
	size_t i, round;

	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, mp_map_runs(&self->p, mp_library));
		mp_dirty_library(&self->p);
		for (i = 0; i < LIB_PAGES; i++)
			mp_both(&self->p, mp_read(b + i * PS));
		ASSERT_LT(0, mp_both(&self->p, mp_smaps(b + LIB_RX * PS, "Referenced")));
		ASSERT_LT(0, mp_both(&self->p, mp_smaps(b + LIB_BSS * PS, "Referenced")));
		ASSERT_EQ(0, mp_sysctl_set("/proc/self/clear_refs", round ? "3" : "2"));
		for (i = 0; i < ARRAY_SIZE(runs); i++) {
			long kb = mp_both(&self->p, mp_smaps(b + runs[i] * PS, "Referenced"));

			if (runs[i] != LIB_HOLE) {
				EXPECT_EQ((runs[i] == LIB_BSS) == round, kb > 0);
			}
		}
		ASSERT_EQ(0, mp_bad);
	}
	ASSERT_EQ(0, mp_same(MP_WRITES | MP_EXECS));
}

/* struct procmap_query of Linux 6.11, which older headers lack. */
struct query {
	uint64_t size, flags, addr, start, end, vma_flags, page_size, offset, inode;
	uint32_t major, minor, name_size, build_id_size;
	uint64_t name, build_id;
};

#define QUERY _IOWR('f', 17, struct query)

static long query(struct query *q, int fd, unsigned long addr, unsigned long flags, int side,
		  char *name)
{
	long r;

	memset(q, 0, sizeof(*q));
	q->size = sizeof(*q);
	q->flags = flags;
	q->addr = addr;
	q->name = (unsigned long)name;
	q->name_size = 256;
	*name = 0;
	r = ioctl(fd, QUERY, q) ? -errno : 0;
	q->name = 0;
	q->addr -= mp_window(side);
	if (!r) {
		q->start -= mp_window(side);
		q->end -= mp_window(side);
	}
	return r;
}

/* PROCMAP_QUERY by address and by property, for each page: the run that is there. */
TEST_F(lib, procmap_query)
{
	int fd = open("/proc/self/maps", O_RDONLY);
	struct query q[2];
	char name[2][256];
	unsigned long f;
	size_t i;

	if (query(&q[0], fd, (unsigned long)self->p.base[EQUIV], 0, EQUIV, name[0]) == -ENOTTY)
		SKIP(return, "no PROCMAP_QUERY");
	for (f = 0; f < 0x40; f++)
		for (i = 0; i < LIB_PAGES; i++) {
			long r = mp_both(&self->p, query(&q[side], fd,
							 (unsigned long)b + i * PS + 9, f, side,
							 name[side]));

			/* What lies beyond the window is the same, but not the distance. */
			if (r || q[1].start >= MP_WINDOW_SIZE)
				continue;
			if (memcmp(&q[0], &q[1], sizeof(q[0])) || strcmp(name[0], name[1]))
				mp_diff("query %lx page %zu: %lx-%lx %lx %lx %s, equivalent %lx-%lx %lx %lx %s",
					f, i, (long)q[0].start, (long)q[0].end,
					(long)q[0].vma_flags, (long)q[0].offset, name[0],
					(long)q[1].start, (long)q[1].end, (long)q[1].vma_flags,
					(long)q[1].offset, name[1]);
		}
	ASSERT_EQ(0, mp_same(0));
	close(fd);
}

/* ---- core files ---- */

struct core_page {
	bool load, dumped;
	unsigned int flags;
	uint64_t sum;
	long file_off;		/* NT_FILE: -1 none */
};

#define CORE_PAGES 64
static struct core_page core[2][CORE_PAGES];

static uint64_t sum(const unsigned char *p)
{
	uint64_t s = 14695981039346656037UL;
	size_t i;

	for (i = 0; i < PS; i++)
		s = (s ^ p[i]) * 1099511628211UL;
	return s;
}

static void core_file_note(int side, struct mp_pair *p, uint64_t *d)
{
	uint64_t i, a, pg;

	for (i = 0; i < d[0]; i++)
		for (pg = 0; pg < CORE_PAGES; pg++) {
			a = (unsigned long)p->base[side] + pg * PS;
			if (a >= d[2 + 3 * i] && a < d[3 + 3 * i])
				core[side][pg].file_off = d[4 + 3 * i] * d[1] + (a - d[2 + 3 * i]);
		}
}

/* Reads what a core file says about both sides, page by page, so that joins do not matter. */
static int core_read(struct mp_pair *p, const char *file)
{
	int fd = open(file, O_RDONLY), i, side;
	struct stat st;
	unsigned char *m;
	Elf64_Ehdr *eh;
	Elf64_Phdr *ph;
	uint64_t pg, a;

	if (fd < 0 || fstat(fd, &st))
		return -1;
	m = mmap(NULL, st.st_size, R, MAP_PRIVATE, fd, 0);
	close(fd);
	if (m == MAP_FAILED)
		return -1;
	eh = (void *)m;
	ph = (void *)(m + eh->e_phoff);
	memset(core, 0, sizeof(core));
	for (side = 0; side < 2; side++)
		for (pg = 0; pg < CORE_PAGES; pg++)
			core[side][pg].file_off = -1;
	for (i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_NOTE) {
			unsigned char *n = m + ph[i].p_offset, *end = n + ph[i].p_filesz;

			while (n + sizeof(Elf64_Nhdr) <= end) {
				Elf64_Nhdr *nh = (void *)n;

				n += sizeof(*nh) + ((nh->n_namesz + 3) & ~3);
				if (nh->n_type == 0x46494c45)	/* NT_FILE */
					for (side = 0; side < 2; side++)
						core_file_note(side, p, (uint64_t *)n);
				n += (nh->n_descsz + 3) & ~3;
			}
		}
		if (ph[i].p_type != PT_LOAD)
			continue;
		for (side = 0; side < 2; side++)
			for (pg = 0; pg < CORE_PAGES; pg++) {
				struct core_page *c = &core[side][pg];

				a = (unsigned long)p->base[side] + pg * PS;
				if (a < ph[i].p_vaddr || a >= ph[i].p_vaddr + ph[i].p_memsz)
					continue;
				c->load = true;
				c->flags = ph[i].p_flags;
				a -= ph[i].p_vaddr;
				if (a >= ph[i].p_filesz)
					continue;
				c->dumped = true;
				if (ph[i].p_offset + a + PS > (uint64_t)st.st_size)
					return -2;	/* truncated */
				c->sum = sum(m + ph[i].p_offset + a);
			}
	}
	munmap(m, st.st_size);
	return 0;
}

/* Has a forked child dump core, and compares. @filter: coredump_filter, or -1. -2: cannot. */
static int core_compare(struct mp_pair *p, int filter)
{
	char dir[] = "/tmp/manyprots-core.XXXXXX", name[64], text[16];
	struct rlimit rl = { RLIM_INFINITY, RLIM_INFINITY };
	int status, r, i, bad = 0;
	pid_t pid;

	if (mp_slurp("/proc/sys/kernel/core_pattern") < 0 || strchr(mp_text, '|') ||
	    strchr(mp_text, '/') || strchr(mp_text, '%')) {
		if (!mp_system() || mp_sysctl_set("/proc/sys/kernel/core_pattern", "core"))
			return -2;
	}
	if (!mkdtemp(dir))
		return -2;
	pid = fork();
	if (!pid) {
		signal(SIGABRT, SIG_DFL);
		if (chdir(dir) || setrlimit(RLIMIT_CORE, &rl))
			_exit(1);
		if (filter >= 0) {
			snprintf(text, sizeof(text), "%d", filter);
			mp_sysctl_set("/proc/self/coredump_filter", text);
		}
		prctl(PR_SET_DUMPABLE, 1);
		abort();
	}
	waitpid(pid, &status, 0);
	if (!WIFSIGNALED(status) || !WCOREDUMP(status)) {
		rmdir(dir);
		return -2;
	}
	snprintf(name, sizeof(name), "%s/core", dir);
	if (access(name, F_OK))
		snprintf(name, sizeof(name), "%s/core.%d", dir, pid);
	r = core_read(p, name);
	unlink(name);
	rmdir(dir);
	if (r) {
		fprintf(stderr, "# core file: %d\n", r);
		return 1;
	}
	for (i = 0; i < CORE_PAGES; i++) {
		struct core_page *a = &core[0][i], *b = &core[1][i];

		if (a->load != b->load || a->flags != b->flags || a->dumped != b->dumped ||
		    a->sum != b->sum || a->file_off != b->file_off) {
			fprintf(stderr, "# core, page %d: load %d flags %x dumped %d sum %lx file %ld, equivalent %d %x %d %lx %ld\n",
				i, a->load, a->flags, a->dumped, (long)a->sum, a->file_off,
				b->load, b->flags, b->dumped, (long)b->sum, b->file_off);
			bad++;
		}
	}
	return bad;
}

#define core_same(filter)							\
	do {									\
		int __c = core_compare(&self->p, filter);			\
										\
		if (__c == -2)							\
			SKIP(return, "no core file here");			\
		ASSERT_EQ(0, __c);						\
	} while (0)

/* A segment per run with the same flags, contents and file note; written private runs whole. */
TEST_F(lib, core_file)
{
	core_same(-1);
	mp_dirty_library(&self->p);
	core_same(-1);
	ASSERT_TRUE(core[MULTI][LIB_DATA].dumped);
	ASSERT_TRUE(core[MULTI][LIB_BSS].dumped);
	ASSERT_FALSE(core[MULTI][LIB_RX].dumped);
	ASSERT_EQ(9 * PS, core[MULTI][LIB_DATA].file_off);
	ASSERT_EQ(-1, core[MULTI][LIB_BSS].file_off);
}

/* coredump_filter: file-backed private too; nothing; anonymous only. */
TEST_F(lib, core_file_filters)
{
	mp_dirty_library(&self->p);
	core_same(0x37);
	ASSERT_TRUE(core[MULTI][LIB_RX].dumped);
	core_same(0);
	core_same(1);
}

/* MADV_DONTDUMP on a part. */
TEST_F(lib, core_file_dontdump)
{
	mp_dirty_library(&self->p);
	ASSERT_EQ(0, mp_both(&self->p, madvise(b + (LIB_DATA + 1) * PS, 3 * PS, MADV_DONTDUMP)));
	core_same(-1);
	ASSERT_EQ(0, mp_same(MP_WRITES));
	core_same(-1);
}

/* A breakpoint in the text: "dump all of a written private mapping" asks the run's bit. */
TEST_F(lib, core_file_forced_write)
{
	mp_both(&self->p, pwrite(mp_mem_fd(), "break", 5, (off_t)(unsigned long)b +
				 (LIB_RX + 1) * PS + 10));
	core_same(-1);
	ASSERT_TRUE(core[MULTI][LIB_RX + 1].dumped);
}

/* coredump_filter bit 4: the first page of an ELF file is dumped, for build-ids. */
TEST(core_file_elf_header)
{
	struct { struct mp_pair p; } *self = calloc(1, sizeof(*self));

	self->p.fd = open("/proc/self/exe", O_RDONLY);
	ASSERT_GE(self->p.fd, 0);
	ASSERT_EQ(0, mp_map_runs(&self->p, mp_library));
	core_same(0x10);
	ASSERT_TRUE(core[EQUIV][0].dumped);
	ASSERT_EQ(0, mp_both(&self->p, mprotect(b, PS, NONE)));
	core_same(0x10);
}

/* More runs than VMAs: arrays sized by map_count must not overflow. */
TEST(core_file_many_runs)
{
	struct { struct mp_pair p; } *self = calloc(1, sizeof(*self));
	struct mp_run whole = { 4000, R, MP_ANON, 0 };
	size_t i;

	self->p.fd = -1;
	ASSERT_EQ(0, mp_map(&self->p, &whole, 1));
	for (i = 0; i < 4000; i += 2) {
		ASSERT_EQ(0, mp_chg(&self->p, i, 1, RW, MP_ANON, 0));
	}
	for (i = 0; i < 4000; i += 8)
		mp_both(&self->p, mp_put(b + i * PS, i));
	core_same(-1);
}

TEST_HARNESS_MAIN
