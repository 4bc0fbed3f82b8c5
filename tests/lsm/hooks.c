// SPDX-License-Identifier: GPL-2.0
/*
 * What security modules are asked: the hooks of memory are called for a
 * multi-protection VMA with the values that they are called with for its
 * equivalent layout, under the same locks, and a refusal has the same effect.
 * record.bpf.c records the calls; a step is done on both sides and the two
 * records are compared, in this form:
 *
 * - mmap_file before file_mprotect, each mmap_file with the same arguments
 *   once: MAP_CHGPROT asks once for what the equivalent layout takes several
 *   mmap() calls to make, and before it looks at the runs that are judged by
 *   the rules of mprotect();
 * - file_mprotect for adjacent VMAs that differ in nothing as one call, because
 *   it depends on history whether stock has merged them;
 * - not those for a VMA behind another of the same call that already has what is
 *   asked for: if the one before can be merged with it, stock does not ask for it,
 *   otherwise it does, and in some cases for the one before again;
 * - addresses relative to the side's base.
 *
 * Environment, beside that of manyprots_util.h:
 * RECORD_OBJECT  record.bpf.o
 * RECORD_TEXT    append the equivalent side's records to this file, to compare
 *                them between kernels
 */
#include "lsm.h"
#include <linux/landlock.h>
#include <sys/personality.h>
#include <sys/sysmacros.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "record.h"

#define VM_SOFTDIRTY 0x08000000UL
#define STEP_TEXT 65536

static struct record *record;
static const char *record_text;
static const char *test_name = "";
static char text[2][STEP_TEXT];
static struct record_call calls[2][RECORD_MAX];
static int ncalls[2];

static int load(void)
{
	const char *object = getenv("RECORD_OBJECT");
	struct bpf_object *obj = bpf_object__open_file(object ? object : "record.bpf.o", NULL);
	struct bpf_program *prog;
	struct bpf_map *map;

	if (!obj || bpf_object__load(obj))
		return -1;
	bpf_object__for_each_program(prog, obj)
		if (!bpf_program__attach(prog))
			return -1;
	map = bpf_object__find_map_by_name(obj, "record");
	record = mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE, MAP_SHARED,
		      bpf_map__fd(map), 0);
	return record == MAP_FAILED ? -1 : 0;
}

static void start(enum record_hook deny_hook, unsigned int deny_at, int deny_with)
{
	record->nr = 0;
	memset(record->seen, 0, sizeof(record->seen));
	record->deny_hook = deny_hook;
	record->deny_at = deny_at;
	record->deny_with = deny_with;
	record->tgid = getpid();
}

static void stop(int side)
{
	record->tgid = 0;
	ncalls[side] = record->nr;
	if (ncalls[side] > RECORD_MAX) {
		mp_diff("%u calls: too many to record", record->nr);
		ncalls[side] = RECORD_MAX;
	}
	memcpy(calls[side], record->calls, sizeof(calls[side]));
}

/* The whole record, not joined: what differs is looked for here. */
static void dump(const char *what, int side)
{
	struct record_call *c = calls[side];
	int i;

	for (i = 0; i < ncalls[side]; i++, c++)
		fprintf(stderr,
			"# %s: side %d call %d: hook %u lock %llx ino %llu reqprot %llx prot %llx flags %llx vma %llx-%llx %llx pgoff %llx anon_vma %u\n",
			what, side, i, c->hook, c->lock, c->ino, c->reqprot, c->prot,
			c->flags, c->start, c->end, c->vm_flags, c->pgoff, c->anon_vma);
}

/* The kernel's dev_t, as s_dev has it. */
static const char *file_name(const struct record_call *c)
{
	static char other[64];
	struct stat st;

	if (!c->ino)
		return "none";
	if (!fstat(pair.fd, &st) && st.st_ino == c->ino &&
	    makedev(c->dev >> 20, c->dev & 0xfffff) == st.st_dev)
		return "it";
	snprintf(other, sizeof(other), "%llx/%llu", c->dev, c->ino);
	return other;
}

static const char *lock_name(const struct record_call *c)
{
	return !c->lock ? "free" : c->lock & 1 ? "write" : "read";
}

static bool may_join(const struct record_call *a, const struct record_call *b)
{
	return a->hook == RECORD_FILE_MPROTECT && b->hook == RECORD_FILE_MPROTECT &&
	       a->end == b->start && a->vm_flags == b->vm_flags &&
	       a->page_prot == b->page_prot && a->anon_vma == b->anon_vma &&
	       a->ino == b->ino && a->dev == b->dev && a->ops == b->ops &&
	       a->own_mm == b->own_mm && a->reqprot == b->reqprot && a->prot == b->prot &&
	       a->lock == b->lock &&
	       (!a->ino || a->pgoff + (a->end - a->start) / PS == b->pgoff);
}

/* Is @b, behind @a, of a VMA that has what is asked for? */
static bool no_change(const struct record_call *a, const struct record_call *b)
{
	return a && a->reqprot == b->reqprot &&
	       (b->vm_flags & (PROT_READ | PROT_WRITE | PROT_EXEC)) == b->prot;
}

#define ANON_PGOFF 1	/* compare vm_pgoff of anonymous VMAs */
#define ADDRESSES 2	/* compare mmap_addr */
#define ONE_KERNEL 4	/* not the same on another one */
#define BACKED 8	/* compare mmap_file() only: see on_overlay() */

/* A side's calls as text, in the form of the head comment. */
static void tell(int side, int flags)
{
	struct record_call *c = calls[side], *last = NULL, cur;
	unsigned long base = (unsigned long)pair.base[side], addr = -1UL;
	char *out = text[side], *end = out + STEP_TEXT, line[256];
	int i, n = ncalls[side];

	*out = 0;
	for (i = 0; i < n; i++) {
		if (c[i].hook != RECORD_MMAP_FILE)
			continue;
		if (c[i].flags & MAP_FIXED_NOREPLACE)
			c[i].flags = (c[i].flags & ~MAP_FIXED_NOREPLACE) | MAP_FIXED;
		snprintf(line, sizeof(line),
			 "mmap_file file=%s reqprot=%llx prot=%llx flags=%llx lock=%s\n",
			 file_name(&c[i]), c[i].reqprot, c[i].prot, c[i].flags, lock_name(&c[i]));
		if (!strstr(text[side], line))
			out += snprintf(out, end - out, "%s", line);
	}
	if (flags & BACKED)
		return;
	for (i = 0; i < n; i++)
		if (c[i].hook == RECORD_MMAP_ADDR && c[i].start < addr)
			addr = c[i].start;
	if ((flags & ADDRESSES) && addr != -1UL)
		out += snprintf(out, end - out, "mmap_addr from=%lx\n", addr - base);
	for (i = 0; i < n; i++) {
		if (c[i].hook != RECORD_FILE_MPROTECT)
			continue;
		if (no_change(last, &c[i])) {
			last = &c[i];
			continue;
		}
		for (cur = c[i]; i + 1 < n && may_join(&cur, &c[i + 1]); i++)
			cur.end = c[i + 1].end;
		last = &c[i];
		out += snprintf(out, end - out,
			"file_mprotect vma=%lx-%lx flags=%llx page_prot=%llx file=%s anon_vma=%u ops=%u own_mm=%u reqprot=%llx prot=%llx lock=%s",
			(unsigned long)cur.start - base, (unsigned long)cur.end - base,
			cur.vm_flags & ~VM_SOFTDIRTY, cur.page_prot, file_name(&cur),
			cur.anon_vma, cur.ops, cur.own_mm, cur.reqprot, cur.prot,
			lock_name(&cur));
		if (cur.ino)
			out += snprintf(out, end - out, " pgoff=%llx", cur.pgoff);
		else if (flags & ANON_PGOFF)
			out += snprintf(out, end - out, " index=%lld",
				(long long)(cur.pgoff - cur.start / PS));
		out += snprintf(out, end - out, "\n");
	}
}

static void keep_text(const char *what)
{
	FILE *f = record_text ? fopen(record_text, "a") : NULL;

	if (!f)
		return;
	fprintf(f, "%s: %s\n%s", test_name, what, text[EQUIV]);
	fclose(f);
}

/* Compares the records of a step. */
static void same_calls(const char *what, int flags)
{
	tell(MULTI, flags);
	tell(EQUIV, flags);
	if (!(flags & ONE_KERNEL))
		keep_text(what);
	if (!strcmp(text[MULTI], text[EQUIV]))
		return;
	mp_diff("%s: asked\n%sequivalent\n%s--", what, text[MULTI], text[EQUIV]);
	dump(what, MULTI);
	dump(what, EQUIV);
}

#define step_flags(what, flags, multi, equiv) ({				\
	long __ret = do_step(what, start(0, 0, 0), stop(__s), multi, equiv);	\
	same_calls(what, flags);						\
	__ret; })
#define step(what, multi, equiv) step_flags(what, 0, multi, equiv)
#define both(what, expr) step(what, expr, expr)

/* A forced write as a debugger does it: from a process that traces this one. */
static int poke_traced(char *addr)
{
	pid_t me = getpid(), pid = fork();
	int status;

	if (!pid) {
		long word;

		if (ptrace(PTRACE_ATTACH, me, 0, 0) || waitpid(me, NULL, 0) != me)
			_exit(1);
		word = ptrace(PTRACE_PEEKTEXT, me, addr, 0);
		if (ptrace(PTRACE_POKETEXT, me, addr, word))
			_exit(2);
		_exit(ptrace(PTRACE_DETACH, me, 0, 0) ? 3 : 0);
	}
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) != pid)
		if (errno != EINTR)
			return -errno;
	return status;
}

FIXTURE(lib) { };
FIXTURE_VARIANT(lib) { enum mp_where where; };
FIXTURE_VARIANT_ADD(lib, tmpfs) { .where = MP_TMP };
FIXTURE_SETUP(lib)
{
	test_name = _metadata->name;
	memset(&pair, 0, sizeof(pair));
	pair.fd = mp_file(variant->where, LIB_FILE_PAGES);
	ASSERT_GE(pair.fd, 0);
	ASSERT_EQ(0, mp_map_runs(&pair, mp_library));
	ASSERT_TRUE(mp_one_vma());
	ASSERT_EQ(0, mp_bad);
}
FIXTURE_TEARDOWN(lib)
{
	close(pair.fd);
}

/* The recorder sees what is asked of mmap() and mprotect() at all. */
TEST_F(lib, recorder_records)
{
	start(0, 0, 0);
	ASSERT_EQ(0, remap(pair.base[EQUIV], 2, R, false, 0));
	ASSERT_EQ(0, protect(pair.base[EQUIV], 1, RW));
	stop(EQUIV);
	tell(EQUIV, ADDRESSES);
	EXPECT_EQ(3, ncalls[EQUIV]);
	EXPECT_NE(NULL, strstr(text[EQUIV],
			       "mmap_file file=it reqprot=1 prot=1 flags=12 lock=free\n"));
	EXPECT_NE(NULL, strstr(text[EQUIV], "mmap_addr from=0\n"));
	EXPECT_NE(NULL, strstr(text[EQUIV], "file_mprotect vma=0-2000 "));
	EXPECT_NE(NULL, strstr(text[EQUIV], " anon_vma=0 "));
	EXPECT_NE(NULL, strstr(text[EQUIV], " reqprot=3 prot=3 lock=write pgoff=0"));
}

/* ld.so's work: a segment for each call, holes, bss, relro. */
TEST_F(lib, segments)
{
	both("all of it", remap(b, LIB_PAGES, R, false, 0));
	step("text", chg(at(2), 4, RX, 2), remap(at(2), 4, RX, false, 2));
	step("rodata", chg(at(6), 3, R, 6), remap(at(6), 3, R, false, 6));
	step("hole", chg(at(9), 2, NONE, 9), remap(at(9), 2, NONE, false, 9));
	step("data", chg(at(11), 4, RW, 8), remap(at(11), 4, RW, false, 8));
	step("bss", chg_anon(at(15), 4, RW), remap(at(15), 4, RW, true, 0));
	both("relocations", (*at(11) = 1, *at(12) = 2, 0));
	both("relro", protect(at(11), 1, R));
	ASSERT_EQ(0, mp_same(0));
	ASSERT_TRUE(mp_one_vma());
}

/* mprotect() over several runs asks once for each, of what is written and of what is not. */
TEST_F(lib, mprotect_over_runs)
{
	both("all R", protect(b, LIB_PAGES, R));
	both("all RW", protect(b, LIB_PAGES, RW));
	both("in the middle of runs", protect(at(1), 7, RX));
	both("nothing", protect(at(4), 9, NONE));
	ASSERT_EQ(0, mp_same(0));
	mp_clear();
	ASSERT_EQ(0, mp_map_runs(&pair, mp_library));
	mp_dirty_library(&pair);
	both("written: all R", protect(b, LIB_PAGES, R));
	both("written: text RW", protect(at(1), 7, RW));
	both("written: data RX", protect(at(10), 8, RX));
	both("written: all RX", protect(b, LIB_PAGES, RX));
	both("written: bss RW", protect(at(16), 2, RW));
	ASSERT_EQ(0, mp_same(0));
	ASSERT_TRUE(mp_one_vma());
}

/* A range that ends in nothing: the runs before it are asked for, and changed. */
TEST_F(lib, mprotect_beyond_end)
{
	EXPECT_EQ(-ENOMEM, both("beyond", protect(at(10), 20, R)));
	ASSERT_EQ(0, mp_same(0));
}

/* The anon_vma of data is not text's, nor that of written text data's. */
TEST_F(lib, forced_write_to_text)
{
	mp_dirty_library(&pair);
	both("text before", protect(at(LIB_RX), 4, R));
	both("text back", protect(at(LIB_RX), 4, RX));
	EXPECT_EQ(0, both("/proc/self/mem", poke(at(LIB_RX + 1), 0x90)));
	both("text after", protect(at(LIB_RX), 4, RW));
	both("text RX", protect(at(LIB_RX), 4, RX));
	step("kept", chg(at(LIB_RX), 4, NONE, 2), protect(at(LIB_RX), 4, NONE));
	step("rodata", chg(at(LIB_RO), 3, R, 6), remap(at(LIB_RO), 3, R, false, 6));
	both("text and rodata", protect(at(LIB_RX), 7, RX));
	ASSERT_EQ(0, mp_same(0));
}

/*
 * Where written text becomes what its clean neighbours are, stock keeps them
 * apart: a VMA with an anon_vma that is changed merges with none without.
 */
TEST_F(lib, clean_beside_written)
{
	EXPECT_EQ(0, both("forced write", poke(at(LIB_RX + 1), 0x90)));
	both("text R", protect(at(LIB_RX), 4, R));
	both("rodata RX", protect(at(LIB_RO), 3, RX));
	both("headers RX", protect(b, 2, RX));
	ASSERT_EQ(0, mp_same(0));
}

/* And MAP_CHGPROT judges them by the rules of mmap(). */
TEST_F(lib, remap_beside_written)
{
	EXPECT_EQ(0, both("forced write", poke(at(LIB_RX + 1), 0x90)));
	both("text R", protect(at(LIB_RX), 4, R));
	step("headers RX", chg(b, 2, RX, 0), remap(b, 2, RX, false, 0));
	ASSERT_EQ(0, mp_same(0));
}

/* So it is with data that becomes writable behind relro that was not written. */
TEST_F(lib, clean_before_written)
{
	both("relro RW", protect(at(LIB_RELRO), 1, RW));
	both("data R", protect(at(LIB_DATA), 3, R));
	EXPECT_EQ(0, both("forced write", poke(at(LIB_DATA), 1)));
	both("data RW", protect(at(LIB_DATA), 3, RW));
	both("relro RX", protect(at(LIB_RELRO), 1, RX));
	ASSERT_EQ(0, mp_same(0));
}

TEST_F(lib, ptraced_write_to_text)
{
	EXPECT_EQ(0, both("PTRACE_POKETEXT", poke_traced(at(LIB_RX + 2))));
	both("text RW", protect(at(LIB_RX), 4, RW));
	both("text RX", protect(at(LIB_RX), 4, RX));
	both("headers RX", protect(b, 2, RX));
	ASSERT_EQ(0, mp_same(0));
}

/* Text relocations, as ld.so does them. */
TEST_F(lib, text_relocations)
{
	both("text RW", protect(at(LIB_RX), 4, RW));
	both("relocations", (*at(LIB_RX + 1) = 1, 0));
	both("text RX", protect(at(LIB_RX), 4, RX));
	both("rodata RX", protect(at(LIB_RO), 3, RX));
	ASSERT_EQ(0, mp_same(0));
}

/* MAP_CHGPROT of what keeps its private pages is judged as mprotect(). */
TEST_F(lib, remap_of_written)
{
	mp_dirty_library(&pair);
	step("data R", chg(at(LIB_DATA), 3, R, 9), protect(at(LIB_DATA), 3, R));
	step("data RW", chg(at(LIB_DATA), 3, RW, 9), protect(at(LIB_DATA), 3, RW));
	step("bss R", chg_anon(at(LIB_BSS), 4, R), protect(at(LIB_BSS), 4, R));
	step("a part of it", chg(at(LIB_DATA + 1), 1, NONE, 10), protect(at(LIB_DATA + 1), 1, NONE));
	ASSERT_EQ(0, mp_same(0));
	ASSERT_TRUE(mp_one_vma());
}

/* What is given another offset or kind comes fresh: mmap(). */
TEST_F(lib, remap_elsewhere)
{
	mp_dirty_library(&pair);
	step("data elsewhere", chg(at(LIB_DATA), 3, RX, 20), remap(at(LIB_DATA), 3, RX, false, 20));
	step("bss to file", chg(at(LIB_BSS), 2, RW, 30), remap(at(LIB_BSS), 2, RW, false, 30));
	step("text to bss", chg_anon(at(LIB_RX), 4, RW), remap(at(LIB_RX), 4, RW, true, 0));
	both("was text, RX", protect(at(LIB_RX), 4, RX));
	step("W and X", chg(at(LIB_DATA), 3, RW | X, 20), remap(at(LIB_DATA), 3, RW | X, false, 20));
	step("bss W and X", chg_anon(at(LIB_RX), 4, RW | X), remap(at(LIB_RX), 4, RW | X, true, 0));
	ASSERT_EQ(0, mp_same(0));
	ASSERT_TRUE(mp_one_vma());
}

/* One call over runs of both sorts asks mmap_file once and file_mprotect for the others. */
TEST_F(lib, remap_of_both_sorts)
{
	mp_dirty_library(&pair);
	/* From page 8 of the file on: relro and data lie at their offsets, bss does not. */
	step("relro, data, bss", chg(at(LIB_RELRO), 5, R, 8), ({
		int e = remap(at(LIB_RELRO), 1, R, false, 8);

		e = e ? e : protect(at(LIB_DATA), 3, R);
		e ? e : remap(at(LIB_BSS), 1, R, false, 12);
	}));
	ASSERT_EQ(0, mp_same(0));
}

/* Private pages never become text by MAP_CHGPROT: nothing is asked, nothing changes. */
TEST_F(lib, remap_never_adds_exec)
{
	if (mp_stock)
		SKIP(return, "there is no MAP_CHGPROT");
	mp_dirty_library(&pair);
	start(0, 0, 0);
	EXPECT_EQ(-EACCES, chg(pair.base[MULTI] + LIB_DATA * PS, 3, RX, 9));
	EXPECT_EQ(-EACCES, chg_anon(pair.base[MULTI] + LIB_BSS * PS, 4, RW | X));
	stop(MULTI);
	EXPECT_EQ(0, ncalls[MULTI]);
	ASSERT_EQ(0, mp_same(0));
}

TEST_F(lib, read_implies_exec)
{
	int was = personality(0xffffffff);

	ASSERT_EQ(0, was & READ_IMPLIES_EXEC);
	personality(was | READ_IMPLIES_EXEC);
	step("headers", chg(b, 2, R, 0), remap(b, 2, R, false, 0));
	step("hole", chg(at(LIB_HOLE), 2, NONE, 9), remap(at(LIB_HOLE), 2, NONE, false, 9));
	step("data", chg(at(LIB_DATA), 3, RW, 9), remap(at(LIB_DATA), 3, RW, false, 9));
	step("bss", chg_anon(at(LIB_BSS), 4, RW), remap(at(LIB_BSS), 4, RW, true, 0));
	mp_dirty_library(&pair);
	both("all R", protect(b, LIB_PAGES, R));
	both("all but relro W", protect(b, LIB_RELRO, W) ?: protect(at(LIB_DATA), 7, W));
	both("all but relro RW", protect(b, LIB_RELRO, RW) ?: protect(at(LIB_DATA), 7, RW));
	step("kept", chg(at(LIB_DATA), 3, R, 9), protect(at(LIB_DATA), 3, R));
	personality(was);
	ASSERT_EQ(0, mp_same(0));
}

/* Execute-only: page_prot and flags have the key that stock would choose. */
TEST_F(lib, execute_only)
{
	step("text X", chg(at(LIB_RX), 4, X, 2), remap(at(LIB_RX), 4, X, false, 2));
	both("text RX", protect(at(LIB_RX), 4, RX));
	both("text X again", protect(at(LIB_RX), 4, X));
	both("all R", protect(b, LIB_PAGES, R));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
}

/* What has been divided, moved and inherited asks as it did. */
TEST_F(lib, divided)
{
	mp_dirty_library(&pair);
	both("hole", munmap(at(LIB_RX + 1), PS));
	both("before the hole", protect(b, 3, R));
	both("behind it", protect(at(LIB_RX + 2), 12, R));
	EXPECT_EQ(-ENOMEM, both("over it", protect(b, LIB_PAGES, RX)));
	ASSERT_EQ(0, mp_same(0));
}


static int inherited(void *arg)
{
	both("child: data R", protect(at(LIB_DATA), 3, R));
	both("child: text RW", protect(at(LIB_RX), 4, RW));
	both("child: all RX", protect(b, LIB_PAGES, RX));
	return mp_bad;
}

/* What a child inherits asks as its parent's. */
TEST_F(lib, inherited)
{
	mp_dirty_library(&pair);
	EXPECT_EQ(0, mp_in_child(inherited, NULL));
	both("parent: all R", protect(b, LIB_PAGES, R));
	ASSERT_EQ(0, mp_same(0));
}

/* A page that stock merges with written ones has their anon_vma from then on. */
TEST_F(lib, joins_written)
{
	mp_dirty_library(&pair);
	both("a part R", protect(at(LIB_DATA + 1), 1, R));
	both("back", protect(at(LIB_DATA + 1), 1, RW));
	step("a fresh page of the same", chg(at(LIB_RELRO), 1, RW, 8),
	     remap(at(LIB_RELRO), 1, RW, false, 8));
	both("it RX", protect(at(LIB_RELRO), 1, RX));
	ASSERT_EQ(0, mp_same(0));
}

/* So it is when mprotect() makes them alike. */
TEST_F(lib, mprotect_joins_written)
{
	mp_dirty_library(&pair);
	both("relro RW", protect(at(LIB_RELRO), 1, RW));
	both("it R", protect(at(LIB_RELRO), 1, R));
	ASSERT_EQ(0, mp_same(0));
}

/* MAP_CHGPROT takes the place of an mmap(), which asks for the address too. */
TEST_F(lib, addresses)
{
	step_flags("text", ADDRESSES, chg(at(LIB_RX), 4, RX, 20), remap(at(LIB_RX), 4, RX, false, 20));
	step_flags("bss", ADDRESSES, chg_anon(at(LIB_RX), 4, RW), remap(at(LIB_RX), 4, RW, true, 0));
	step_flags("mprotect", ADDRESSES, protect(at(LIB_RX), 4, R), protect(at(LIB_RX), 4, R));
	ASSERT_EQ(0, mp_same(0));
}

/* vm_pgoff of anonymous memory is where it lies, in a file's VMA too. */
TEST_F(lib, index_of_bss)
{
	step_flags("bss", ANON_PGOFF, protect(at(LIB_BSS), 4, R), protect(at(LIB_BSS), 4, R));
	ASSERT_EQ(0, mp_same(0));
}

/*
 * ---- files on an overlay: what is mapped is another file, of the layer below ----
 *
 * mmap() asks about both of them with a hook each.  MAP_CHGPROT asks about the one
 * that was opened as mmap() does; about the other one by the hook of mprotect(), in
 * which modules look at both.
 */

static void on_overlay(struct __test_metadata *_metadata, enum mp_where where)
{
	test_name = _metadata->name;
	memset(&pair, 0, sizeof(pair));
	pair.fd = mp_file(where, LIB_FILE_PAGES);
	ASSERT_GE(pair.fd, 0);
	ASSERT_EQ(0, mp_map_runs(&pair, mp_library));
	step_flags("text", ONE_KERNEL | BACKED, chg(at(LIB_RX), 4, RX, 2), remap(at(LIB_RX), 4, RX, false, 2));
	step_flags("mprotect", ONE_KERNEL, protect(b, LIB_PAGES, R), protect(b, LIB_PAGES, R));
	close(pair.fd);
	ASSERT_EQ(0, mp_bad);
}

TEST(overlay_upper)
{
	on_overlay(_metadata, MP_CWD);
}

TEST(overlay_lower)
{
	on_overlay(_metadata, MP_LOWER);
}

/* ---- other mappings ---- */

static const struct mp_run shared_runs[] = {
	{ 4, R, MP_FILE, 0 },
	{ 4, RW, MP_FILE, 4 },
	{ 4, RX, MP_FILE, 20 },
	{ 4, NONE, MP_FILE, 30 },
};

TEST(shared)
{
	test_name = _metadata->name;
	memset(&pair, 0, sizeof(pair));
	pair.mflags = MAP_SHARED;
	pair.fd = mp_file(MP_MEMFD, 64);
	ASSERT_GE(pair.fd, 0);
	ASSERT_EQ(0, mp_map_runs(&pair, shared_runs));
	step("elsewhere", chg(b, 4, RW, 40), remap(b, 4, RW, false, 40));
	step("RX", chg(at(2), 4, RX, 50), remap(at(2), 4, RX, false, 50));
	both("written", (*at(6) = 1, 0));
	both("all RW", protect(b, 16, RW));
	both("all RX", protect(b, 16, RX));
	step("W and X", chg(at(8), 4, RW | X, 20), remap(at(8), 4, RW | X, false, 20));
	ASSERT_EQ(0, mp_same(0));
}

static const struct mp_run anon_runs[] = {
	{ 4, RW, MP_ANON, 0 },
	{ 4, NONE, MP_ANON, 0 },
	{ 4, R, MP_ANON, 0 },
	{ 4, RX, MP_ANON, 0 },
};

TEST(anonymous)
{
	test_name = _metadata->name;
	memset(&pair, 0, sizeof(pair));
	pair.fd = -1;
	ASSERT_EQ(0, mp_map_runs(&pair, anon_runs));
	step_flags("fresh RX", ANON_PGOFF, chg(b, 4, RX, 0), remap(b, 4, RX, true, 0));
	step_flags("fresh RW", ANON_PGOFF, chg(b, 4, RW, 0), remap(b, 4, RW, true, 0));
	both("written", (*at(1) = 1, 0));
	step_flags("written R", ANON_PGOFF, chg(b, 4, R, 0), protect(b, 4, R));
	ASSERT_TRUE(mp_one_vma());
	step_flags("all RW", ANON_PGOFF, protect(b, 16, RW), protect(b, 16, RW));
	step_flags("all RX", ANON_PGOFF, protect(b, 16, RX), protect(b, 16, RX));
	step_flags("W and X", ANON_PGOFF, protect(at(2), 3, RW | X), protect(at(2), 3, RW | X));
	ASSERT_EQ(0, mp_same(0));
}

/*
 * Ordinary calls only; with mode 2 they make runs where stock makes VMAs. All
 * is written at first or never: else it depends on the order in which stock
 * merges which VMAs share an anon_vma.
 */
static void modes(struct __test_metadata *_metadata, int fd, bool written)
{
	int side;

	test_name = _metadata->name;
	memset(&pair, 0, sizeof(pair));
	pair.fd = fd;
	mp_clear();
	for (side = 0; side < 2; side++) {
		pair.base[side] = (char *)mp_window(side) + MP_BASE_OFFSET;
		ASSERT_EQ(pair.base[side],
			  mmap(pair.base[side], 16 * PS, RW,
			       MAP_PRIVATE | MAP_FIXED_NOREPLACE | (fd < 0 ? MAP_ANONYMOUS : 0),
			       fd, 0));
	}
#define in_mode(expr) (set_mode(side == MULTI ? 2 : 0), expr)
#define in_modes(what, expr) step_flags(what, ANON_PGOFF, in_mode(expr), in_mode(expr))
	if (written)
		in_modes("written", (*at(8) = 1, 0));
	in_modes("one NONE", protect(at(4), 1, NONE));
	in_modes("two R", protect(at(3), 2, R));
	in_modes("RX", protect(at(8), 2, RX));
	in_modes("over all", protect(at(2), 10, R));
	in_modes("and back", protect(at(2), 10, RW));
	in_modes("every other", protect(at(1), 1, R));
	in_modes("every other one", protect(at(3), 1, R));
	in_modes("all RX", protect(b, 16, RX));
	in_modes("one R", protect(at(12), 1, R));
	ASSERT_EQ(0, mp_same(0));
	ASSERT_TRUE(mp_one_vma());
	set_mode(-1);
}

TEST(mode_2_anonymous)
{
	modes(_metadata, -1, false);
}

TEST(mode_2_anonymous_written)
{
	modes(_metadata, -1, true);
}

TEST(mode_2_file)
{
	modes(_metadata, mp_file(MP_TMP, 64), false);
}

TEST(mode_2_file_written)
{
	modes(_metadata, mp_file(MP_TMP, 64), true);
}

/* ---- refusals ---- */

static struct mp_entry before[2][64];
static int nbefore[2];

static void remember(void)
{
	int side;

	for (side = 0; side < 2; side++) {
		nbefore[side] = mp_join(mp_tab[side], mp_entries(side, "/proc/self/smaps"));
		if (nbefore[side] > 64)
			nbefore[side] = 64;
		memcpy(before[side], mp_tab[side], nbefore[side] * sizeof(before[0][0]));
	}
}

static void unchanged(const char *what, int side)
{
	int n = mp_join(mp_tab[side], mp_entries(side, "/proc/self/smaps")), i;

	if (n != nbefore[side])
		mp_diff("%s: %d entries after a refusal, %d before", what, n, nbefore[side]);
	for (i = 0; i < n && i < nbefore[side]; i++)
		if (memcmp(&mp_tab[side][i], &before[side][i], sizeof(before[0][0])))
			mp_diff("%s: a refused call changed the entry of %lx-%lx %s", what,
				before[side][i].start, before[side][i].end,
				before[side][i].perms);
}

#define ALL_OR_NOTHING 1	/* the multi side changes nothing, the equivalent perhaps a part */

/*
 * Does the step on a fresh library once for each call of @hook that the
 * equivalent makes, and refuses that one. @setup is done on both sides before.
 * Returns how many calls were refused.
 */
#define refuse_after(setup, what, hook, flags, multi, equiv) ({			\
	static const int __errors[] = { -EPERM, -EACCES, -ENOMEM };		\
	unsigned int __n, __refused = 0;					\
	int __s, __e;								\
	for (__n = 1; __n < 20; __n++) {					\
		long __v[2];							\
		bool __hit[2];							\
		__e = __errors[__n % 3];					\
		mp_clear();							\
		mp_map_runs(&pair, mp_library);					\
		mp_dirty_library(&pair);					\
		for (__s = 0; __s < 2; __s++) {					\
			__mp_unused char *b = pair.base[__s];			\
			(void)(setup);						\
		}								\
		remember();							\
		for (__s = 0; __s < 2; __s++) {					\
			char *b = pair.base[__s];				\
			start(hook, __n, __e);					\
			__v[__s] = __s == MULTI && !mp_stock ? (multi) : (equiv); \
			__hit[__s] = record->seen[hook] >= __n;			\
			stop(__s);						\
		}								\
		if (__hit[0] != __hit[1])					\
			mp_diff("%s: call %u of the hook: %s, equivalent %s", what, __n, \
				__hit[0] ? "refused" : "not made",		\
				__hit[1] ? "refused" : "not made");		\
		if (__v[0] != __v[1])						\
			mp_diff("%s, call %u refused: %ld, equivalent %ld", what, \
				__n, __v[0], __v[1]);				\
		if (!__hit[1])							\
			break;							\
		__refused++;							\
		if (__v[1] != __e)						\
			mp_diff("%s: %ld, refused with %d", what, __v[1], __e);	\
		if (((flags) & ALL_OR_NOTHING) && !mp_stock)			\
			unchanged(what, MULTI);					\
		else								\
			mp_same_at(what, 0);					\
	}									\
	__refused; })
#define refuse(what, hook, flags, multi, equiv)					\
	refuse_after(0, what, hook, flags, multi, equiv)

TEST_F(lib, refused_mmap_file)
{
	EXPECT_EQ(1, refuse("text", RECORD_MMAP_FILE, ALL_OR_NOTHING,
			    chg(at(LIB_RX), 4, R, 2), remap(at(LIB_RX), 4, R, false, 2)));
	EXPECT_EQ(1, refuse("bss", RECORD_MMAP_FILE, ALL_OR_NOTHING,
			    chg_anon(at(LIB_RX), 4, RW), remap(at(LIB_RX), 4, RW, true, 0)));
	EXPECT_EQ(1, refuse("data elsewhere", RECORD_MMAP_FILE, ALL_OR_NOTHING,
			    chg(at(LIB_DATA), 3, R, 40), remap(at(LIB_DATA), 3, R, false, 40)));
	EXPECT_EQ(1, refuse("over runs", RECORD_MMAP_FILE, ALL_OR_NOTHING,
			    chg(at(LIB_RX), 7, R, 40), remap(at(LIB_RX), 7, R, false, 40)));
	ASSERT_EQ(0, mp_bad);
}

/* Which run it is that mprotect() may not change: those before it are changed. */
TEST_F(lib, refused_mprotect)
{
	EXPECT_EQ(1, refuse("data", RECORD_FILE_MPROTECT, 0, protect(at(LIB_DATA), 3, R),
			    protect(at(LIB_DATA), 3, R)));
	/* No part of it has this already: see no_change(). */
	EXPECT_EQ(7, refuse("all of it", RECORD_FILE_MPROTECT, 0, protect(b, LIB_PAGES, W),
			    protect(b, LIB_PAGES, W)));
	EXPECT_EQ(3, refuse("parts", RECORD_FILE_MPROTECT, 0, protect(at(4), 6, RW),
			    protect(at(4), 6, RW)));
	ASSERT_EQ(0, mp_bad);
}

/* MAP_CHGPROT changes nothing then, whichever run it is. */
TEST_F(lib, refused_remap_of_written)
{
	EXPECT_EQ(1, refuse("data", RECORD_FILE_MPROTECT, ALL_OR_NOTHING,
			    chg(at(LIB_DATA), 3, R, 9), protect(at(LIB_DATA), 3, R)));
	EXPECT_EQ(1, refuse("bss", RECORD_FILE_MPROTECT, ALL_OR_NOTHING,
			    chg_anon(at(LIB_BSS), 4, R), protect(at(LIB_BSS), 4, R)));
	EXPECT_EQ(3, refuse_after(protect(at(LIB_DATA + 1), 1, R), "several runs",
				  RECORD_FILE_MPROTECT, ALL_OR_NOTHING,
				  chg(at(LIB_DATA), 3, NONE, 9), protect(at(LIB_DATA), 3, NONE)));
	ASSERT_EQ(0, mp_bad);
}

TEST_F(lib, refused_both_sorts)
{
	EXPECT_EQ(1, refuse("relro and data", RECORD_FILE_MPROTECT, ALL_OR_NOTHING,
			    chg(at(LIB_RELRO), 4, NONE, 8), ({
		int e = remap(at(LIB_RELRO), 1, NONE, false, 8);

		e ? e : protect(at(LIB_DATA), 3, NONE);
	})));
	ASSERT_EQ(0, mp_bad);
}

/*
 * Landlock asks when a file is opened: other pages of one that had been opened
 * before come no more when it may not be opened any more.
 */
static int landlocked(void *arg)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = LANDLOCK_ACCESS_FS_READ_FILE };
	char *m = arg;
	int ruleset = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0), bad = 0;

	if (ruleset < 0)
		return 100;
	bad += mp_rfp(m, PS, R, 10, MAP_CHGPROT) != 0;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_landlock_restrict_self, ruleset, 0))
		return 101;
	bad += open("/proc/self/exe", O_RDONLY) >= 0;
	bad += mp_rfp(m, PS, R, 11, MAP_CHGPROT) != -EACCES;
	bad += mp_rfp(m, PS, NONE, 10, MAP_CHGPROT) != 0;
	return bad;
}

TEST(landlock)
{
	char *m;
	int fd = mp_file(MP_TMP, 64);

	if (mp_stock)
		SKIP(return, "there is no MAP_CHGPROT");
	ASSERT_GE(fd, 0);
	m = mmap(NULL, 4 * PS, R, MAP_PRIVATE, fd, 8 * PS);
	ASSERT_NE(MAP_FAILED, m);
	close(fd);
	EXPECT_EQ(0, mp_in_child(landlocked, m));
	munmap(m, 4 * PS);
}

int main(int argc, char **argv)
{
	record_text = getenv("RECORD_TEXT");
	if (load()) {
		printf("Bail out! cannot attach the BPF program: %s\n", strerror(errno));
		return 1;
	}
	return test_harness_run(argc, argv);
}
