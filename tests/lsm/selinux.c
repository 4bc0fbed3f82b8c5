// SPDX-License-Identifier: GPL-2.0
/*
 * SELinux decides about a multi-protection VMA as it does about the equivalent
 * layout: the same errno, and the same questions with the same answers, as the
 * tracepoint avc:selinux_audited tells them (policy.conf has granted ones
 * audited too).  Each test runs in a domain that lacks one permission.
 *
 * With arguments, DOMAIN COMMAND [ARG]..., runs the command in that domain.
 */
#include "lsm.h"
#include <sys/xattr.h>

#define TRACING "/sys/kernel/tracing/"
#define AVC_TEXT 16384

static char avc[2][AVC_TEXT];

static int put(const char *file, const char *what)
{
	return mp_sysctl_set(file, what);
}

/* From base_t to @domain; there is no way back. */
static int enter(const char *domain)
{
	char con[128];

	snprintf(con, sizeof(con), "base_u:base_r:%s", domain);
	return put("/proc/self/attr/current", con);
}

static int label(int fd, const char *type)
{
	char con[128];

	snprintf(con, sizeof(con), "base_u:object_r:%s", type);
	return fsetxattr(fd, "security.selinux", con, strlen(con) + 1, 0) ? -errno : 0;
}

static void listen_avc(void)
{
	int fd = open(TRACING "trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0)
		mp_diff("no trace: %s", strerror(errno));
	close(fd);
}

/* What was asked and answered since, each once; how often depends on merges. */
static void hear_avc(int side)
{
	char *line, *save, pid[24], *p, *out = avc[side];

	*out = 0;
	snprintf(pid, sizeof(pid), "-%d ", getpid());
	if (mp_slurp(TRACING "trace") < 0)
		mp_diff("no trace: %s", strerror(errno));
	for (line = strtok_r(mp_text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char entry[512];

		p = strstr(line, "selinux_audited: ");
		if (*line == '#' || !p || !strstr(line, pid))
			continue;
		snprintf(entry, sizeof(entry), "%s\n", p + strlen("selinux_audited: "));
		if (!strstr(avc[side], entry) && out - avc[side] + sizeof(entry) < AVC_TEXT)
			out += sprintf(out, "%s", entry);
	}
}

static void same_avc(const char *what)
{
	if (strcmp(avc[MULTI], avc[EQUIV]))
		mp_diff("%s: asked\n%sequivalent\n%s--", what, avc[MULTI], avc[EQUIV]);
}

#define step(what, multi, equiv) ({						\
	long __ret = do_step(what, listen_avc(), hear_avc(__s), multi, equiv);	\
	same_avc(what);								\
	__ret; })
#define both(what, expr) step(what, expr, expr)
/* A mapped library whose file is labelled it_t. */
static int library(enum mp_where where)
{
	int ret;

	memset(&pair, 0, sizeof(pair));
	pair.fd = mp_file(where, LIB_FILE_PAGES);
	if (pair.fd < 0)
		return -ENOENT;
	ret = where == MP_TMP ? label(pair.fd, "it_t") : 0;
	return ret ? ret : mp_map_runs(&pair, mp_library);
}

/* ---- every decision, in every domain ---- */

FIXTURE(all) { };
FIXTURE_VARIANT(all) { const char *domain; };
FIXTURE_VARIANT_ADD(all, base) { .domain = "base_t" };
FIXTURE_VARIANT_ADD(all, no_execmem) { .domain = "no_execmem_t" };
FIXTURE_VARIANT_ADD(all, no_execheap) { .domain = "no_execheap_t" };
FIXTURE_VARIANT_ADD(all, no_execstack) { .domain = "no_execstack_t" };
FIXTURE_VARIANT_ADD(all, no_execmod) { .domain = "no_execmod_t" };
FIXTURE_VARIANT_ADD(all, no_execute) { .domain = "no_execute_t" };
FIXTURE_SETUP(all)
{
	ASSERT_EQ(0, library(MP_TMP));
	ASSERT_EQ(0, enter(variant->domain));
}
FIXTURE_TEARDOWN(all)
{
	close(pair.fd);
}

TEST_F(all, of_clean_pages)
{
	step("text", chg(at(2), 4, RX, 2), remap(at(2), 4, RX, false, 2));
	step("text elsewhere", chg(at(2), 4, RX, 12), remap(at(2), 4, RX, false, 12));
	step("data W and X", chg(at(12), 3, RW | X, 9), remap(at(12), 3, RW | X, false, 9));
	step("bss RX", chg_anon(at(15), 4, RX), remap(at(15), 4, RX, true, 0));
	step("bss RW", chg_anon(at(15), 4, RW), remap(at(15), 4, RW, true, 0));
	both("all R", protect(b, LIB_PAGES, R));
	both("headers RX", protect(b, 2, RX));
	both("bss RX by mprotect", protect(at(15), 4, RX));
	both("data W and X by mprotect", protect(at(12), 3, RW | X));
	both("all RX", protect(b, LIB_PAGES, RX));
	both("all RWX", protect(b, LIB_PAGES, RW | X));
	ASSERT_EQ(0, mp_same(0));
}

TEST_F(all, of_written_pages)
{
	mp_dirty_library(&pair);
	both("text R", protect(at(LIB_RX), 4, R));
	both("clean text RX", protect(at(LIB_RX), 4, RX));
	both("forced write", poke(at(LIB_RX + 1), 0x90));
	both("text RW again", protect(at(LIB_RX), 4, RW));
	both("written text RX", protect(at(LIB_RX), 4, RX));
	both("data RX", protect(at(LIB_DATA), 3, RX));
	both("bss RX", protect(at(LIB_BSS), 4, RX));
	both("rodata RX", protect(at(LIB_RO), 3, RX));
	both("all R", protect(b, LIB_PAGES, R));
	step("data R, kept", chg(at(LIB_DATA), 3, R, 9), protect(at(LIB_DATA), 3, R));
	both("all RX", protect(b, LIB_PAGES, RX));
	ASSERT_EQ(0, mp_same(0));
}

TEST_F(all, of_anonymous_memory)
{
	static const struct mp_run runs[] = {
		{ 4, RW, MP_ANON, 0 }, { 4, NONE, MP_ANON, 0 }, { 8, R, MP_ANON, 0 },
	};

	close(pair.fd);
	memset(&pair, 0, sizeof(pair));
	pair.fd = -1;
	ASSERT_EQ(0, mp_map_runs(&pair, runs));
	step("fresh RX", chg(b, 2, RX, 0), remap(b, 2, RX, true, 0));
	both("written", (*at(3) = 1, 0));
	both("written RX", protect(at(3), 1, RX));
	both("NONE to RX", protect(at(4), 4, RX));
	both("over all RWX", protect(b, 16, RW | X));
	ASSERT_EQ(0, mp_same(0));
}

TEST_F(all, of_shared_memory)
{
	static const struct mp_run runs[] = {
		{ 4, R, MP_FILE, 0 }, { 4, RW, MP_FILE, 4 }, { 4, R, MP_FILE, 20 },
	};

	pair.mflags = MAP_SHARED;
	ASSERT_EQ(0, mp_map_runs(&pair, runs));
	step("RX", chg(b, 2, RX, 0), remap(b, 2, RX, false, 0));
	step("RWX", chg(at(2), 4, RW | X, 30), remap(at(2), 4, RW | X, false, 30));
	both("written", (*at(6) = 1, 0));
	both("all RX", protect(b, 12, RX));
	ASSERT_EQ(0, mp_same(0));
}

/* ---- what the permissions are for: one promise each ---- */

/* Data of the library was written, its text was not. */
TEST(clean_text_is_not_execmod)
{
	ASSERT_EQ(0, library(MP_TMP));
	mp_dirty_library(&pair);
	ASSERT_EQ(0, enter("no_execmod_t"));
	EXPECT_EQ(0, both("R", protect(at(LIB_RX), 4, R)));
	EXPECT_EQ(0, both("RX", protect(at(LIB_RX), 4, RX)));
	EXPECT_EQ(0, both("rodata RX", protect(at(LIB_RO), 3, RX)));
	EXPECT_EQ(0, step("RX anew", chg(at(LIB_RX), 4, RX, 2), remap(at(LIB_RX), 4, RX, false, 2)));
	EXPECT_EQ(-EACCES, both("data RX", protect(at(LIB_DATA), 3, RX)));
	ASSERT_EQ(0, mp_same(0));
}

TEST(written_text_is_execmod)
{
	ASSERT_EQ(0, library(MP_TMP));
	ASSERT_EQ(0, enter("no_execmod_t"));
	EXPECT_EQ(0, both("RW", protect(at(LIB_RX), 4, RW)));
	EXPECT_EQ(0, both("written", (*at(LIB_RX + 1) = 1, 0)));
	EXPECT_EQ(-EACCES, both("RX", protect(at(LIB_RX), 4, RX)));
	EXPECT_EQ(0, both("headers RX", protect(b, 2, RX)));
	EXPECT_EQ(0, step("fresh", chg(at(LIB_RX), 4, RX, 20), remap(at(LIB_RX), 4, RX, false, 20)));
	ASSERT_EQ(0, mp_same(0));
}

TEST(forced_write_is_execmod)
{
	ASSERT_EQ(0, library(MP_TMP));
	ASSERT_EQ(0, enter("no_execmod_t"));
	EXPECT_EQ(0, both("forced write", poke(at(LIB_RX + 1), 0x90)));
	EXPECT_EQ(0, both("RW", protect(at(LIB_RX), 4, RW)));
	EXPECT_EQ(-EACCES, both("RX", protect(at(LIB_RX), 4, RX)));
	EXPECT_EQ(0, both("rodata RX", protect(at(LIB_RO), 3, RX)));
	ASSERT_EQ(0, mp_same(0));
}

/* Written text that is as its clean neighbours are for a while does not make them execmod. */
TEST(clean_beside_written_is_not_execmod)
{
	ASSERT_EQ(0, library(MP_TMP));
	ASSERT_EQ(0, enter("no_execmod_t"));
	EXPECT_EQ(0, both("forced write", poke(at(LIB_RX + 1), 0x90)));
	EXPECT_EQ(0, both("R", protect(at(LIB_RX), 4, R)));
	EXPECT_EQ(-EACCES, both("RX", protect(at(LIB_RX), 4, RX)));
	EXPECT_EQ(0, both("rodata RX", protect(at(LIB_RO), 3, RX)));
	EXPECT_EQ(0, both("headers RX", protect(b, 2, RX)));
	ASSERT_EQ(0, mp_same(0));
}

TEST(anonymous_is_execmem)
{
	ASSERT_EQ(0, library(MP_TMP));
	ASSERT_EQ(0, enter("no_execmem_t"));
	EXPECT_EQ(-EACCES, step("bss RX", chg_anon(at(LIB_BSS), 4, RX), remap(at(LIB_BSS), 4, RX, true, 0)));
	EXPECT_EQ(-EACCES, both("bss RX by mprotect", protect(at(LIB_BSS), 4, RX)));
	EXPECT_EQ(-EACCES, step("W and X", chg(at(LIB_DATA), 3, RW | X, 9),
				remap(at(LIB_DATA), 3, RW | X, false, 9)));
	EXPECT_EQ(0, step("text", chg(at(LIB_RX), 4, RX, 2), remap(at(LIB_RX), 4, RX, false, 2)));
	EXPECT_EQ(0, both("rodata RX", protect(at(LIB_RO), 3, RX)));
	ASSERT_EQ(0, mp_same(0));
}

TEST(file_without_execute)
{
	ASSERT_EQ(0, library(MP_TMP));
	ASSERT_EQ(0, enter("no_execute_t"));
	EXPECT_EQ(-EACCES, step("text", chg(at(LIB_RX), 4, RX, 20), remap(at(LIB_RX), 4, RX, false, 20)));
	EXPECT_EQ(-EACCES, both("rodata RX", protect(at(LIB_RO), 3, RX)));
	EXPECT_EQ(0, step("bss RX", chg_anon(at(LIB_BSS), 4, RX), remap(at(LIB_BSS), 4, RX, true, 0)));
	ASSERT_EQ(0, mp_same(0));
}

/*
 * On an overlay: the file that is mapped is one of the layer below; who may
 * map the overlay's need not be allowed anything about that.
 */
TEST(overlay)
{
	ASSERT_EQ(0, library(MP_LOWER));
	ASSERT_EQ(0, enter("no_lower_t"));
	EXPECT_EQ(0, step("text", chg(at(LIB_RX), 4, RX, 20), remap(at(LIB_RX), 4, RX, false, 20)));
	EXPECT_EQ(0, both("rodata RX", protect(at(LIB_RO), 3, RX)));
	ASSERT_EQ(0, mp_same(0));
}

TEST(overlay_without_execute)
{
	ASSERT_EQ(0, library(MP_LOWER));
	ASSERT_EQ(0, enter("no_overlay_t"));
	EXPECT_EQ(-EACCES, step("text", chg(at(LIB_RX), 4, RX, 20), remap(at(LIB_RX), 4, RX, false, 20)));
	EXPECT_EQ(-EACCES, both("rodata RX", protect(at(LIB_RO), 3, RX)));
	ASSERT_EQ(0, mp_same(0));
}

/* ---- heap and stacks ---- */

/* In a child each, for a process has one heap: errno, or 200 if the heap is not runs. */
static int heap(int side)
{
	char *h, *end = sbrk(0);
	int ret;

	end += -(unsigned long)end & (PS - 1);
	if (brk(end + 16 * PS))
		return 201;
	h = end;
	set_mode(side == MULTI ? 2 : 0);
	h[0] = h[5 * PS] = 1;
	if (protect(h + 4 * PS, 1, R))
		return 202;
	listen_avc();
	ret = protect(h + 5 * PS, 2, RX);
	hear_avc(side);
	fputs(avc[side], stdout);
	return -ret;
}

static void heaps(struct __test_metadata *_metadata, const char *domain, int want)
{
	char out[2][AVC_TEXT];
	int side, status, p[2];
	ssize_t n;

	for (side = 0; side < 2; side++) {
		ASSERT_EQ(0, pipe(p));
		fflush(NULL);
		if (!fork()) {
			dup2(p[1], 1);
			status = enter(domain) ? 203 : heap(side);
			fflush(stdout);
			_exit(status);
		}
		close(p[1]);
		n = read(p[0], out[side], AVC_TEXT - 1);
		out[side][n > 0 ? n : 0] = 0;
		close(p[0]);
		wait(&status);
		EXPECT_EQ(want << 8, status);
	}
	EXPECT_STREQ(out[EQUIV], out[MULTI]);
	EXPECT_NE(0, strlen(out[EQUIV]));
	ASSERT_EQ(0, mp_bad);
}

TEST(heap_is_execheap)
{
	heaps(_metadata, "no_execheap_t", EACCES);
}

TEST(heap_may)
{
	heaps(_metadata, "no_execstack_t", 0);
}

static char *stack_page;
static int stack_result;

static void on_stack(int sig)
{
	stack_result = protect(stack_page, 8, RW | X);
}

/* mprotect() of the stack that the caller is on. */
static int of_own_stack(char *stack)
{
	stack_t ss = { .ss_sp = stack, .ss_size = 8 * PS }, old;
	struct sigaction sa = { .sa_handler = on_stack, .sa_flags = SA_ONSTACK };

	/* How deep it goes is not the same the first time. */
	memset(stack, 0, 8 * PS);
	stack_page = stack;
	sigaltstack(&ss, &old);
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	sigaltstack(&old, NULL);
	return stack_result;
}

static void stacks(struct __test_metadata *_metadata, const char *domain, int want)
{
	int side;

	memset(&pair, 0, sizeof(pair));
	pair.fd = -1;
	mp_clear();
	for (side = 0; side < 2; side++) {
		pair.base[side] = (char *)mp_window(side) + MP_BASE_OFFSET;
		set_mode(side == MULTI ? 1 : 0);
		ASSERT_EQ(pair.base[side],
			  mmap(pair.base[side], 16 * PS, RW, MAP_PRIVATE | MAP_FIXED_NOREPLACE |
			       MAP_ANONYMOUS | MAP_STACK, -1, 0));
		ASSERT_EQ(0, protect(pair.base[side], 1, NONE));
	}
	ASSERT_EQ(0, enter(domain));
	EXPECT_EQ(want, both("own stack", (set_mode(side == MULTI ? 1 : 0), of_own_stack(at(8)))));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
	ASSERT_TRUE(mp_one_vma());
}

TEST(thread_stack_is_execstack)
{
	stacks(_metadata, "no_execstack_t", -EACCES);
}

TEST(thread_stack_may)
{
	stacks(_metadata, "no_execheap_t", 0);
}

/* bss of a library is no file, if that is where the stack is. */
TEST(bss_stack_is_execstack)
{
	static const struct mp_run runs[] = {
		{ 4, R, MP_FILE, 0 }, { 4, RX, MP_FILE, 4 }, { 16, RW, MP_ANON, 0 },
	};

	ASSERT_EQ(0, library(MP_TMP));
	ASSERT_EQ(0, mp_map_runs(&pair, runs));
	ASSERT_EQ(0, enter("no_execstack_t"));
	EXPECT_EQ(-EACCES, both("own stack", of_own_stack(at(12))));
	ASSERT_EQ(0, mp_same(MP_NOTOUCH));
}

/* Seen to answer at all: without it every comparison above is of nothing. */
TEST(decisions_are_heard)
{
	ASSERT_EQ(0, library(MP_TMP));
	ASSERT_EQ(0, enter("no_execmem_t"));
	listen_avc();
	EXPECT_EQ(-EACCES, protect(pair.base[EQUIV] + LIB_BSS * PS, 4, RX));
	hear_avc(EQUIV);
	EXPECT_NE(NULL, strstr(avc[EQUIV], "result=-13"));
	EXPECT_NE(NULL, strstr(avc[EQUIV], "no_execmem_t"));
	EXPECT_NE(NULL, strstr(avc[EQUIV], "tclass=process"));
	listen_avc();
	EXPECT_EQ(0, protect(pair.base[EQUIV] + LIB_RO * PS, 3, RX));
	hear_avc(EQUIV);
	EXPECT_NE(NULL, strstr(avc[EQUIV], "result=0"));
	EXPECT_NE(NULL, strstr(avc[EQUIV], "it_t"));
	EXPECT_NE(NULL, strstr(avc[EQUIV], "tclass=file"));
}

int main(int argc, char **argv)
{
	if (argc > 2) {
		if (enter(argv[1]))
			return 126;
		execvp(argv[2], argv + 2);
		return 127;
	}
	if (put(TRACING "events/avc/selinux_audited/enable", "1") ||
	    put(TRACING "tracing_on", "1")) {
		printf("Bail out! no tracepoint avc:selinux_audited\n");
		return 1;
	}
	return test_harness_run(argc, argv);
}
