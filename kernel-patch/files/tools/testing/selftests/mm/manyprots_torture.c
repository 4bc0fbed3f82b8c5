// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations on both layouts, compared; and threads that fault on some
 * runs while others change other runs of the same VMA.
 *
 * MANYPROTS_SEED=N starts the random sequences at seed N, MANYPROTS_ROUNDS=N
 * makes N of them, MANYPROTS_SECONDS=N is how long threads run (6).
 */
#include "manyprots_util.h"
#include <pthread.h>
#include <time.h>

static uint64_t state;

static unsigned int rnd(unsigned int n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 20) % n;
}

#define PAGES 32
static char history[1 << 16];
static size_t history_len;

#define note(...)								\
	do {									\
		if (history_len < sizeof(history) - 200)			\
			history_len += snprintf(history + history_len, 200, __VA_ARGS__); \
	} while (0)

/* Do all of pages [at, at + n) of the multi side lie in one VMA? Else MAP_CHGPROT is EINVAL. */
static bool in_one_vma(struct mp_pair *p, size_t at, size_t n)
{
	unsigned long a = (unsigned long)p->base[MULTI] + at * PS, z = a + n * PS;
	int i, entries;

	entries = mp_entries(MULTI, "/proc/self/smaps");
	for (i = 0; i < entries; i++) {
		struct mp_entry *e = &mp_tab[MULTI][i];

		if (e->end <= a)
			continue;
		if (e->start > a)
			return false;
		/* The entry with the first page: go on while the VMA does. */
		for (; i < entries && mp_tab[MULTI][i].end < z; i++)
			if (i + 1 == entries ||
			    mp_tab[MULTI][i + 1].start != mp_tab[MULTI][i].end ||
			    !(mp_tab[MULTI][i + 1].continued || mp_stock))
				return false;
		return i < entries;
	}
	return false;
}

/* Stock has to be asked run by run, for a range over several VMAs. */
static long move(struct mp_pair *p, int side, size_t at, size_t n, size_t to)
{
	unsigned long from = (unsigned long)p->base[side] + at * PS;
	char *dst = p->base[side] + to * PS;
	int i, entries;

	if (side == MULTI && !mp_stock)
		return mremap((void *)from, n * PS, n * PS, MREMAP_MAYMOVE | MREMAP_FIXED, dst) ==
			MAP_FAILED ? -errno : 0;
	entries = mp_entries(side, "/proc/self/maps");
	for (i = 0; i < entries; i++) {
		unsigned long a = mp_tab[side][i].start, z = mp_tab[side][i].end;

		a = a > from ? a : from;
		z = z < from + n * PS ? z : from + n * PS;
		if (a < z && mremap((void *)a, z - a, z - a, MREMAP_MAYMOVE | MREMAP_FIXED,
				    dst + (a - from)) == MAP_FAILED)
			return -errno;
	}
	return 0;
}

static int same_in_child(void *p)
{
	return mp_same(MP_WRITES);
}

static const int prots[] = { NONE, R, RW, RX, RW | X, RW, R };

/*
 * The last ones, and mlock, leave a mark on the VMA.  An mmap over it, which is the
 * equivalent of another offset, begins without; MAP_CHGPROT changes only what
 * it is told to.  So these are for anonymous areas, where no call is an mmap.
 */
static const int advices[] = {
	MADV_DONTNEED, MADV_DONTNEED, MADV_PAGEOUT, MADV_COLD, MADV_WILLNEED, MADV_POPULATE_READ,
	MADV_POPULATE_WRITE, MADV_FREE,
	MADV_NOHUGEPAGE, MADV_SEQUENTIAL, MADV_NORMAL, MADV_DONTDUMP, MADV_DODUMP,
};

#define UNMARKED 8

/* A range without a file page may have become an ordinary anonymous VMA, without a file to map. */
static bool has_file_page(struct mp_pair *p, size_t at, size_t n)
{
	for (; n; n--, at++)
		if (p->kind[EQUIV][at] == MP_FILE)
			return true;
	return false;
}

static void one_operation(struct mp_pair *p)
{
	size_t at = rnd(PAGES), n = 1 + rnd(rnd(4) ? 4 : PAGES), off, i;
	int prot = prots[rnd(ARRAY_SIZE(prots))], adv;

	if (at + n > PAGES)
		n = PAGES - at;
	switch (rnd(24)) {
	case 0 ... 5:
		note("mprotect(%zu, %zu, %d)\n", at, n, prot);
		mp_both(p, mprotect(b + at * PS, n * PS, prot));
		break;
	case 6 ... 8:
		/* PROT_EXEC over private pages is EACCES, but not for the equivalent. */
		prot &= ~X;
		off = rnd(2) ? at : rnd(LIB_FILE_PAGES);
		if (!in_one_vma(p, at, n) || (p->fd >= 0 && !has_file_page(p, at, n)))
			break;
		note("chg(%zu, %zu, %d, file %zu)\n", at, n, prot, off);
		if (p->fd >= 0)
			mp_chg(p, at, n, prot, MP_FILE, off);
		else
			mp_chg(p, at, n, prot, MP_ANON, 0);
		break;
	case 9 ... 10:
		prot &= ~X;
		if (!in_one_vma(p, at, n) || (p->fd >= 0 && !has_file_page(p, at, n)))
			break;
		note("chg(%zu, %zu, %d, anon)\n", at, n, prot);
		mp_chg(p, at, n, prot, MP_ANON, 0);
		break;
	case 11 ... 15:
		note("put(%zu, %zu)\n", at, n);
		for (i = 0; i < n; i++)
			mp_both(p, mp_put(b + (at + i) * PS + 200 + i, at + 'A'));
		break;
	case 16:
		if (rnd(3))
			break;
		note("munmap(%zu, %zu)\n", at, n);
		mp_both(p, munmap(b + at * PS, n * PS));
		break;
	case 17:
		adv = advices[rnd(p->fd < 0 ? ARRAY_SIZE(advices) : UNMARKED)];
		note("madvise(%zu, %zu, %d)\n", at, n, adv);
		mp_both(p, madvise(b + at * PS, n * PS, adv));
		break;
	case 18:
		note("fork\n");
		mp_bad += mp_in_child(same_in_child, NULL);
		break;
	case 19:
		off = 4 * PAGES + rnd(4 * PAGES);
		if (rnd(2) || !in_one_vma(p, at, n))
			break;
		note("move(%zu, %zu, to %zu)\n", at, n, off);
		mp_both(p, move(p, side, at, n, off));
		break;
	case 20:
		if (rnd(2))
			break;
		note("mmap over(%zu, %zu, %d)\n", at, n, prot);
		adv = rnd(2) && p->fd >= 0 ? p->fd : -1;
		off = rnd(LIB_FILE_PAGES);
		mp_both(p, mmap(b + at * PS, n * PS, prot, MAP_PRIVATE | MAP_FIXED |
				(adv < 0 ? MAP_ANONYMOUS : 0), adv, adv < 0 ? 0 : off * PS) ==
			MAP_FAILED);
		for (i = 0; i < n; i++) {
			int s;

			for (s = 0; s < 2; s++) {
				p->kind[s][at + i] = adv < 0 ? MP_ANON : MP_FILE;
				p->pgoff[s][at + i] = off + i;
			}
		}
		break;
	case 21:
		note("forced write(%zu)\n", at);
		mp_both(p, pwrite(mp_mem_fd(), "force", 5,
				  (off_t)(unsigned long)b + at * PS + 300));
		break;
	case 22:
		if (p->fd >= 0)
			break;
		note("mlock/munlock(%zu, %zu)\n", at, n);
		if (rnd(2))
			mp_both(p, mlock(b + at * PS, n * PS));
		else
			mp_both(p, munlock(b + at * PS, n * PS));
		break;
	case 23:
		if (p->fd < 0 || rnd(3))
			break;
		off = rnd(LIB_FILE_PAGES);
		note("truncate(%zu)\n", off);
		if (ftruncate(p->fd, off * PS))
			abort();
		mp_same(MP_NOTOUCH);
		if (ftruncate(p->fd, LIB_FILE_PAGES * PS) ||
		    mp_write_pages(p->fd, off, LIB_FILE_PAGES - off))
			abort();
		break;
	}
}

static long data_of(int side)
{
	long was = mp_status("VmData");

	munmap((void *)mp_window(side), MP_WINDOW_SIZE);
	return was - mp_status("VmData");
}

static int sequence(uint64_t seed, enum mp_where where, bool anon)
{
	static struct mp_pair p;
	struct mp_run whole = { PAGES, anon ? RW : R, anon ? MP_ANON : MP_FILE, 0 };
	long data[2];
	int i;

	state = seed * 0x9e3779b97f4a7c15UL + 1;
	history_len = 0;
	p.fd = anon ? -1 : mp_file(where, LIB_FILE_PAGES);
	if (p.fd < 0 && !anon)
		return -1;
	if (mp_map(&p, &whole, 1))
		return 1;
	for (i = 0; i < 120 && !mp_bad; i++) {
		one_operation(&p);
		if (!mp_bad)
			mp_same(i % 8 == 7 ? MP_WRITES : i % 4 == 3 ? 0 : MP_NOTOUCH);
	}
	data[0] = data_of(MULTI);
	data[1] = data_of(EQUIV);
	if (data[0] != data[1])
		mp_diff("VmData: %ld, equivalent %ld", data[0], data[1]);
	if (mp_bad)
		fprintf(stderr, "# seed %lu, after:\n%s", (long)seed, history);
	if (p.fd >= 0)
		close(p.fd);
	return mp_bad;
}

FIXTURE(random) { int unused; };
FIXTURE_VARIANT(random) { enum mp_where where; bool anon; };
FIXTURE_VARIANT_ADD(random, tmpfs) { .where = MP_TMP };
FIXTURE_VARIANT_ADD(random, cwd) { .where = MP_CWD };
FIXTURE_VARIANT_ADD(random, memfd) { .where = MP_MEMFD };
FIXTURE_VARIANT_ADD(random, anonymous) { .anon = true };
FIXTURE_SETUP(random)
{
	/*
	 * When stock gives a commit charge back depends on how far a VMA with an
	 * anon_vma reaches, that is on merges: only here, where histories are long.
	 */
	mp_ignore_ac = true;
}

FIXTURE_TEARDOWN(random)
{
}

/* Random sequences, compared after each step: 25 of them, or what fits into a minute. */
TEST_F_TIMEOUT(random, sequences, 3600)
{
	const char *s = getenv("MANYPROTS_SEED"), *r = getenv("MANYPROTS_ROUNDS");
	uint64_t seed = s ? strtoull(s, NULL, 0) : 1, rounds = r ? strtoull(r, NULL, 0) : 25, i;
	time_t end = time(NULL) + 60;

	for (i = seed; i < seed + rounds && (r || i < seed + 3 || time(NULL) < end); i++) {
		int bad = sequence(i, variant->where, variant->anon);

		if (bad < 0)
			SKIP(return, "no file here");
		ASSERT_EQ(0, bad);
	}
}

/* ---- threads ---- */

#define T_PAGES 64
static char *area;
static struct mp_pair tp;
static volatile int stop;
static int errors;

static unsigned int thread_seconds(void)
{
	const char *s = getenv("MANYPROTS_SECONDS");

	return s ? atoi(s) : 6;
}

static void wrong(const char *what, size_t page)
{
	if (__sync_fetch_and_add(&errors, 1) < 10)
		fprintf(stderr, "# %s, page %zu\n", what, page);
}

/* Pages 0..15 are file, stable; 16..31 anonymous RW, stable; 32..63 change. */
static void *reader(void *arg)
{
	char want[65536];
	size_t i;

	while (!stop)
		for (i = 0; i < 16; i++) {
			mp_fill_page(want, i ^ 3);
			if (mp_guarded(if (memcmp(area + i * PS, want, PS)) wrong("bytes", i)))
				wrong("stable page faults", i);
			if (mp_put(area + i * PS, 1) != MP_ACCERR)
				wrong("stable page is writable", i);
		}
	return NULL;
}

static void *writer(void *arg)
{
	volatile unsigned long was = 0;
	unsigned long n = 0;
	size_t i, id = (size_t)arg;

	while (!stop) {
		n++;
		for (i = 16 + id; i < 32; i += 2) {
			volatile unsigned long *w = (void *)(area + i * PS);

			int fault = mp_guarded(was = *w; *w = n);

			if (fault)
				wrong("stable anonymous page faults", i);
			else if (n > 1 && was != n - 1)
				wrong("lost write", i);
		}
	}
	return NULL;
}

static void *changer(void *arg)
{
	unsigned int seed = (size_t)arg + 1;

	while (!stop) {
		size_t i = 32 + rand_r(&seed) % 32, n = 1 + rand_r(&seed) % 4;

		if (i + n > T_PAGES)
			n = T_PAGES - i;
		switch (rand_r(&seed) % 6) {
		case 0:
			mprotect(area + i * PS, n * PS, NONE);
			break;
		case 1:
			mprotect(area + i * PS, n * PS, R);
			break;
		case 2:
			mprotect(area + i * PS, n * PS, RW);
			break;
		case 3:
			mp_rfp(area + i * PS, n * PS, RW, rand_r(&seed) % 60, MAP_CHGPROT);
			break;
		case 4:
			mp_rfp(area + i * PS, n * PS, R, 0, MAP_CHGPROT | MAP_ANONYMOUS);
			break;
		case 5:
			madvise(area + i * PS, n * PS, MADV_DONTNEED);
			break;
		}
	}
	return NULL;
}

/* Faults in what changes: any outcome but a wrong byte, a hang or a crash. */
static void *prober(void *arg)
{
	unsigned int seed = (size_t)arg + 99;

	while (!stop) {
		size_t i = 32 + rand_r(&seed) % 32;
		int r = rand_r(&seed) & 1 ? mp_read(area + i * PS) : mp_write(area + i * PS);

		if (r && r != MP_ACCERR)
			wrong("unexpected fault", i);
	}
	return NULL;
}

static void *forker(void *arg)
{
	char want[65536];
	size_t i;
	int status;
	pid_t pid;

	while (!stop) {
		pid = fork();
		if (!pid) {
			for (i = 0; i < 16; i++) {
				mp_fill_page(want, i ^ 3);
				if (mp_guarded(if (memcmp(area + i * PS, want, PS)) _exit(2)))
					_exit(3);
			}
			for (i = 16; i < 32; i++)
				if (mp_put(area + i * PS, 1))
					_exit(4);
			for (i = 32; i < T_PAGES; i++)
				mp_write(area + i * PS);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			wrong("child", pid < 0 ? 0 : status);
		usleep(5000);
	}
	return NULL;
}

static void *reclaimer(void *arg)
{
	while (!stop) {
		madvise(area, 32 * PS, MADV_PAGEOUT);
		posix_fadvise(tp.fd, 0, 0, POSIX_FADV_DONTNEED);
		usleep(3000);
	}
	return NULL;
}

static void *proc_reader(void *arg)
{
	static char buf[1 << 16];

	while (!stop) {
		int fd = open(rand() & 1 ? "/proc/self/smaps" : "/proc/self/maps", O_RDONLY);

		while (read(fd, buf, sizeof(buf)) > 0)
			;
		close(fd);
		usleep(2000);
	}
	return NULL;
}

TEST(threads)
{
	void *(*const fn[])(void *) = {
		reader, reader, writer, writer, changer, changer, prober, prober, forker,
		reclaimer, proc_reader,
	};
	pthread_t t[ARRAY_SIZE(fn)];
	size_t i;

	if (mp_stock)
		SKIP(return, "feature off");
	tp.fd = mp_file(MP_TMP, 64);
	ASSERT_GE(tp.fd, 0);
	area = mmap(NULL, T_PAGES * PS, R, MAP_PRIVATE, tp.fd, 0);
	ASSERT_NE(MAP_FAILED, area);
	for (i = 0; i < 16; i++) {
		ASSERT_EQ(0, mp_rfp(area + i * PS, PS, i & 1 ? R : RX, i ^ 3, MAP_CHGPROT));
	}
	ASSERT_EQ(0, mp_rfp(area + 16 * PS, 16 * PS, RW, 0, MAP_CHGPROT | MAP_ANONYMOUS));
	for (i = 0; i < ARRAY_SIZE(fn); i++) {
		ASSERT_EQ(0, pthread_create(&t[i], NULL, fn[i], (void *)(i & 1)));
	}
	sleep(thread_seconds());
	stop = 1;
	for (i = 0; i < ARRAY_SIZE(fn); i++)
		pthread_join(t[i], NULL);
	ASSERT_EQ(0, errors);
}

/*
 * The same where nothing is stable: the file is truncated and punched, parts
 * are unmapped, moved and mapped again.  A page of the file begins with
 * D_FILE and its offset, or is zero where it was cut off; what is written to
 * memory is D_MINE.  No other word may ever be read.
 */
#define D_PAGES 128
#define D_FILE_PAGES 64
#define D_FILE 0x6d616e7970726f00UL
#define D_MINE 0x70726f7473212121UL
static char *dirty;
static int dirty_fd;

static bool d_write_page(size_t pgoff)
{
	unsigned long word = D_FILE | pgoff;

	return pwrite(dirty_fd, &word, sizeof(word), pgoff * PS) == sizeof(word);
}

/* A write() may be seen byte by byte. */
static bool d_foreign(unsigned long word)
{
	unsigned int i;

	if (word == D_MINE)
		return false;
	for (i = 8; i < 64; i += 8)
		if ((word >> i & 0xff) && (word >> i & 0xff) != (D_FILE >> i & 0xff))
			return true;
	return (word & 0xff) >= D_FILE_PAGES;
}

static void *d_prober(void *arg)
{
	unsigned int seed = (size_t)arg + 7;
	volatile unsigned long word;

	while (!stop) {
		size_t i = rand_r(&seed) % D_PAGES;
		volatile unsigned long *at = (void *)(dirty + i * PS);
		int r;

		word = 0;
		r = rand_r(&seed) & 1 ? mp_guarded(word = *at) : mp_guarded(*at = D_MINE);
		if (r && r != MP_ACCERR && r != MP_MAPERR && r != MP_ADRERR)
			wrong("unexpected fault", i);
		if (d_foreign(word))
			wrong("foreign bytes", i);
	}
	return NULL;
}

static void *d_changer(void *arg)
{
	static const int prots[] = { NONE, R, RW, RX };
	unsigned int seed = (size_t)arg + 17;

	while (!stop) {
		size_t i = rand_r(&seed) % D_PAGES, n = 1 + rand_r(&seed) % 6;
		int prot = prots[rand_r(&seed) % 4];

		if (i + n > D_PAGES)
			n = D_PAGES - i;
		switch (rand_r(&seed) % 8) {
		case 0:
		case 1:
		case 2:
			mprotect(dirty + i * PS, n * PS, prot);
			break;
		case 3:
		case 4:
			mp_rfp(dirty + i * PS, n * PS, prot, rand_r(&seed) % D_FILE_PAGES,
			       MAP_CHGPROT);
			break;
		case 5:
			mp_rfp(dirty + i * PS, n * PS, prot & ~X, 0, MAP_CHGPROT | MAP_ANONYMOUS);
			break;
		case 6:
			madvise(dirty + i * PS, n * PS, MADV_DONTNEED);
			break;
		case 7:
			madvise(dirty + i * PS, n * PS, MADV_PAGEOUT);
			break;
		}
	}
	return NULL;
}

/* Only one thread maps, so that never anything else is in the way. */
static void *d_mover(void *arg)
{
	unsigned int seed = 27;

	while (!stop) {
		size_t n = 1 + rand_r(&seed) % 16, i = rand_r(&seed) % (D_PAGES / 2 - n);
		char *low = dirty + i * PS, *high = low + D_PAGES / 2 * PS;

		switch (rand_r(&seed) % 5) {
		case 0:
			munmap(low, n * PS);
			break;
		case 1:
			mmap(low, n * PS, RW, MAP_PRIVATE | MAP_FIXED, dirty_fd, i * PS);
			break;
		case 2:
			mremap(low, n * PS, n * PS, MREMAP_MAYMOVE | MREMAP_FIXED, high);
			break;
		case 3:
			mremap(high, n * PS, n * PS, MREMAP_MAYMOVE | MREMAP_FIXED, low);
			break;
		case 4:
			mmap(dirty, D_PAGES * PS, RW, MAP_PRIVATE | MAP_FIXED, dirty_fd, 0);
			break;
		}
		usleep(500);
	}
	return NULL;
}

static void *d_truncater(void *arg)
{
	unsigned int seed = 37;

	while (!stop) {
		size_t i = rand_r(&seed) % D_FILE_PAGES, n = 1 + rand_r(&seed) % 8;

		if (rand_r(&seed) & 1) {
			fallocate(dirty_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				  i * PS, n * PS);
			n = i + n < D_FILE_PAGES ? i + n : D_FILE_PAGES;
		} else {
			if (ftruncate(dirty_fd, i * PS) || ftruncate(dirty_fd, D_FILE_PAGES * PS))
				wrong("truncate", i);
			n = D_FILE_PAGES;
		}
		while (i < n)
			if (!d_write_page(i++))
				wrong("write", i);
		usleep(1000);
	}
	return NULL;
}

static void *d_forker(void *arg)
{
	int status;
	pid_t pid;

	while (!stop) {
		pid = fork();
		if (!pid) {
			size_t i;

			for (i = 0; i < D_PAGES; i++)
				mp_write(dirty + i * PS);
			munmap(dirty + D_PAGES / 4 * PS, D_PAGES / 2 * PS);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			wrong("child", pid < 0 ? 0 : status);
		usleep(5000);
	}
	return NULL;
}

TEST(threads_map)
{
	void *(*const fn[])(void *) = {
		d_prober, d_prober, d_changer, d_changer, d_mover, d_truncater, d_forker,
		proc_reader,
	};
	pthread_t t[ARRAY_SIZE(fn)];
	size_t i;

	if (mp_stock)
		SKIP(return, "feature off");
	dirty_fd = mp_file(MP_TMP, 0);
	ASSERT_GE(dirty_fd, 0);
	for (i = 0; i < D_FILE_PAGES; i++) {
		ASSERT_TRUE(d_write_page(i));
	}
	dirty = mmap((void *)mp_window(MULTI), D_PAGES * PS, RW, MAP_PRIVATE | MAP_FIXED_NOREPLACE,
		     dirty_fd, 0);
	ASSERT_NE(MAP_FAILED, dirty);
	for (i = 0; i < ARRAY_SIZE(fn); i++) {
		ASSERT_EQ(0, pthread_create(&t[i], NULL, fn[i], (void *)(i & 1)));
	}
	sleep(thread_seconds());
	stop = 1;
	for (i = 0; i < ARRAY_SIZE(fn); i++)
		pthread_join(t[i], NULL);
	ASSERT_EQ(0, errors);
	ASSERT_EQ(0, munmap(dirty, D_PAGES * PS));
}

/*
 * What is punched out of a file goes at each address, also while mprotect()
 * joins the run of one address to the run before it: reverse mapping visits
 * runs in the order of their offsets, and that run gets another place in it.
 */
#define J_PAGES 6
#define J_PGOFF 10

static void *joiner(void *arg)
{
	while (!stop) {
		mprotect(arg, PS, RX);
		mprotect(arg, PS, R);
	}
	return NULL;
}

TEST(threads_join)
{
	unsigned long word = 0, rounds = 0;
	volatile unsigned long *first, *last;
	pthread_t t;
	time_t end;
	int fd;

	if (mp_stock)
		SKIP(return, "feature off");
	fd = mp_file(MP_MEMFD, 256);
	ASSERT_GE(fd, 0);
	area = mmap(NULL, J_PAGES * PS, R, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, area);
	first = (void *)(area + PS);
	last = (void *)(area + 4 * PS);
	ASSERT_EQ(0, mp_rfp((void *)first, PS, R, J_PGOFF, MAP_CHGPROT));
	ASSERT_EQ(0, mp_rfp((char *)last - PS, 2 * PS, R, J_PGOFF - 1, MAP_CHGPROT));
	ASSERT_EQ(0, pthread_create(&t, NULL, joiner, (void *)last));
	for (end = time(NULL) + thread_seconds(); time(NULL) < end; rounds++) {
		word++;
		if (pwrite(fd, &word, sizeof(word), J_PGOFF * PS) != sizeof(word))
			wrong("cannot be written", J_PGOFF);
		if (*first != word || *last != word)
			wrong("other bytes than were written", J_PGOFF);
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      J_PGOFF * PS, PS))
			wrong("cannot be punched", J_PGOFF);
		if (*first || *last)
			wrong("still there", J_PGOFF);
	}
	stop = 1;
	pthread_join(t, NULL);
	TH_LOG("%lu rounds", rounds);
	ASSERT_EQ(0, errors);
	ASSERT_EQ(0, munmap(area, J_PAGES * PS));
	close(fd);
}

/*
 * An anonymous VMA lets its file go when the last page of it does, in a child of
 * fork() as well, while reclaim looks at that file: folio_referenced() does in
 * each VMA in which the page of another process might be.
 */
#define L_PAGES 16
static char *shared;
static int reclaim_fd;

/* MADV_PAGEOUT and MADV_COLD of what only this process has. */
static void *l_pager(void *advice)
{
	while (!stop) {
		madvise(shared, L_PAGES * PS, (long)advice);
		usleep(1000);
	}
	return NULL;
}

/* Reclaim as for lack of memory, which asks who has used a page. */
static void *l_reclaimer(void *arg)
{
	while (!stop) {
		/* EAGAIN: there was not that much. */
		if (write(reclaim_fd, "64K", 3) < 0 && errno != EAGAIN && errno != EINTR)
			wrong("cannot reclaim", errno);
		usleep(300);
	}
	return NULL;
}

static unsigned long l_word(unsigned long round, size_t page)
{
	return D_MINE + round * L_PAGES + page;
}

/* Its first page of the file goes, in one of three ways; what was written stays. */
static int l_let_go(unsigned long round, unsigned int how)
{
	char *rest = shared + PS, *to = shared + 2 * L_PAGES * PS;
	size_t len = (L_PAGES - 1) * PS, i;
	int n;

	switch (how % 3) {
	case 0:
		if (mp_rfp(shared, PS, RW, 0, MAP_CHGPROT | MAP_ANONYMOUS) || *shared)
			return 1;
		break;
	case 1:
		if (munmap(shared, PS))
			return 2;
		break;
	case 2:
		if (mremap(rest, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to ||
		    munmap(shared, PS))
			return 3;
		rest = to;
		break;
	}
	for (i = 1; i < L_PAGES; i++)
		if (*(volatile unsigned long *)(rest + (i - 1) * PS) != l_word(round, i))
			return 4;
	n = mp_entries(MULTI, "/proc/self/maps");
	while (n--)
		if (mp_tab[MULTI][n].ino)
			return 5;
	return 0;
}

/* A VMA of one page of a file that nobody else has, and of anonymous memory. */
static bool l_build(unsigned long round)
{
	int fd = mp_file(MP_TMP, 1);
	size_t i;

	mp_clear();
	if (fd < 0 || mmap(shared, L_PAGES * PS, R, MAP_PRIVATE | MAP_FIXED, fd, 0) != shared)
		return false;
	close(fd);
	if (mp_rfp(shared + PS, (L_PAGES - 1) * PS, RW, 0, MAP_CHGPROT | MAP_ANONYMOUS))
		return false;
	for (i = 1; i < L_PAGES; i++)
		*(volatile unsigned long *)(shared + i * PS) = l_word(round, i);
	return true;
}

static void l_round(unsigned long round)
{
	unsigned int seed = round + 47;
	pid_t pid[3];
	int i, status;

	if (!l_build(round)) {
		wrong("cannot be built", errno);
		return;
	}
	for (i = 0; i < 3; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			usleep(rand_r(&seed) % 1000);
			_exit(l_let_go(round, round + i));
		}
		rand_r(&seed);
	}
	/* The children have the file alone. */
	usleep(rand_r(&seed) % 1000);
	i = l_let_go(round, round / 3);
	if (i)
		wrong("parent", i);
	for (i = 0; i < 3; i++)
		if (pid[i] < 0 || waitpid(pid[i], &status, 0) != pid[i] || status)
			wrong("child", pid[i] < 0 ? 0 : status);
}

/* A cgroup of its own: nothing else is reclaimed. -1: not to be had. */
static int l_cgroup(bool enter)
{
	static const char cg[] = "/sys/fs/cgroup/manyprots-reclaim";
	char name[128], pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	if (!enter) {
		mp_sysctl_set("/sys/fs/cgroup/cgroup.procs", pid);
		return rmdir(cg);
	}
	mp_sysctl_set("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	mkdir(cg, 0755);
	snprintf(name, sizeof(name), "%s/cgroup.procs", cg);
	if (mp_sysctl_set(name, pid))
		return -1;
	snprintf(name, sizeof(name), "%s/memory.reclaim", cg);
	return open(name, O_WRONLY | O_CLOEXEC);
}

static long swapped_out(void)
{
	char *p = mp_slurp("/proc/vmstat") > 0 ? strstr(mp_text, "\npswpout ") : NULL;

	return p ? strtol(p + 9, NULL, 10) : -1;
}

TEST(threads_let_go)
{
	unsigned long rounds = 0;
	long out = swapped_out();
	pthread_t t[3];
	time_t end;
	int i, n = 2;

	if (mp_stock)
		SKIP(return, "feature off");
	shared = (char *)mp_window(MULTI) + MP_BASE_OFFSET;
	reclaim_fd = mp_system() ? l_cgroup(true) : -1;
	ASSERT_EQ(0, pthread_create(&t[0], NULL, l_pager, (void *)MADV_PAGEOUT));
	ASSERT_EQ(0, pthread_create(&t[1], NULL, l_pager, (void *)MADV_COLD));
	if (reclaim_fd >= 0) {
		ASSERT_EQ(0, pthread_create(&t[n++], NULL, l_reclaimer, NULL));
	}
	for (end = time(NULL) + thread_seconds(); time(NULL) < end && !errors; rounds++)
		l_round(rounds);
	stop = 1;
	for (i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	out = swapped_out() - out;
	TH_LOG("%lu rounds, %ld pages to swap%s", rounds, out, n > 2 ? "" : ", no reclaim");
	if (reclaim_fd >= 0) {
		close(reclaim_fd);
		EXPECT_EQ(0, l_cgroup(false));
	}
	mp_clear();
	ASSERT_EQ(0, errors);
	/* Or nothing was at stake. */
	if (getenv("MANYPROTS_SWAP")) {
		ASSERT_LT(0, out);
	}
}

TEST_HARNESS_MAIN
