// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel reports of a mapping by itself: perf's mmap events, from
 * which perf knows where code comes from, the message of a fault that nobody
 * handles, and the stacks of BPF and ftrace, which name the file and the place
 * in it for each return address.
 */
#include "manyprots_util.h"
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

MP_LIBRARY_FIXTURE(lib)

#define RING_PAGES 16

struct mmap2 {
	struct perf_event_header head;
	uint32_t pid, tid;
	uint64_t addr, len, pgoff;
	uint32_t maj, min;
	uint64_t ino, generation;
	uint32_t prot, flags;
	char name[];
};

struct events {
	int fd;
	struct perf_event_mmap_page *ring;
};

static int events_open(struct events *e)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_DUMMY, .size = sizeof(attr),
		.mmap = 1, .mmap2 = 1, .mmap_data = 1, .disabled = 1, .exclude_kernel = 1,
	};

	e->fd = syscall(__NR_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (e->fd < 0)
		return -errno;
	e->ring = mmap(NULL, (1 + RING_PAGES) * PS, RW, MAP_SHARED, e->fd, 0);
	return e->ring == MAP_FAILED ? -errno : 0;
}

/* One line for each event, addresses from @base on; @text gets them. */
static void events_text(struct events *e, char *base, char *text, size_t size)
{
	char *data = (char *)e->ring + PS, record[4096];
	size_t len = 0, ring = RING_PAGES * PS, i;
	uint64_t head = __atomic_load_n(&e->ring->data_head, __ATOMIC_ACQUIRE);
	struct mmap2 *m = (void *)record;
	uint64_t tail = e->ring->data_tail;

	text[0] = 0;
	while (tail < head) {
		for (i = 0; i < sizeof(record); i++)
			record[i] = data[(tail + i) % ring];
		tail += m->head.size;
		if (m->head.type != PERF_RECORD_MMAP2)
			continue;
		/* The offset of anonymous memory is its address. */
		if (!m->ino)
			m->pgoff -= (unsigned long)base;
		len += snprintf(text + len, size - len, "%lx+%lx %lx %u:%u %lu %x %x %s\n",
				(unsigned long)m->addr - (unsigned long)base,
				(unsigned long)m->len, (unsigned long)m->pgoff, m->maj, m->min,
				(unsigned long)m->ino, m->prot, m->flags, m->name);
	}
	__atomic_store_n(&e->ring->data_tail, tail, __ATOMIC_RELEASE);
}

/* The changes of which events are made; none lets stock merge VMAs. */
static int change(struct mp_pair *p, int side, int step)
{
	char *b = p->base[side];

	switch (step) {
	case 0:	/* data becomes text of another place */
		return mp_chg_side(p, side, LIB_DATA + 1, 1, RX, MP_FILE, 3);
	case 1:	/* one page's protection only */
		return mp_chg_side(p, side, LIB_RO + 1, 1, NONE, MP_FILE, 7);
	case 2:	/* mprotect over two runs, whose offsets are not consecutive */
		return mprotect(b + (LIB_HOLE + 1) * PS, 2 * PS, RX);
	case 3:
		return mprotect(b + LIB_BSS * PS + PS, 2 * PS, R);
	case 4:	/* from a file to none */
		return mp_chg_side(p, side, LIB_R, 1, RW, MP_ANON, 0);
	}
	return 1;
}

TEST_F(lib, perf_mmap_events)
{
	static char text[2][16384];
	struct events e;
	int step, side;

	if (events_open(&e))
		SKIP(return, "no perf events");
	for (step = 0; step < 5; step++) {
		for (side = 0; side < 2; side++) {
			ioctl(e.fd, PERF_EVENT_IOC_ENABLE, 0);
			ASSERT_EQ(0, change(&self->p, side, step));
			ioctl(e.fd, PERF_EVENT_IOC_DISABLE, 0);
			events_text(&e, self->p.base[side], text[side], sizeof(text[side]));
		}
		if (strcmp(text[MULTI], text[EQUIV]))
			mp_diff("step %d: mmap events\n%s, equivalent\n%s", step, text[MULTI],
				text[EQUIV]);
		ASSERT_NE(0, text[EQUIV][0]);
	}
	munmap(e.ring, (1 + RING_PAGES) * PS);
	close(e.fd);
	ASSERT_EQ(0, mp_same(0));
}

/* What follows the address in the last "segfault" line of the log: the file and the place in it. */
static int segfault(int kmsg, char *addr, char *text, size_t size)
{
	char line[1024], *p;
	pid_t pid;
	ssize_t n;

	while (read(kmsg, line, sizeof(line)) > 0)
		;
	pid = fork();
	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		((void (*)(void))addr)();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	text[0] = 0;
	while ((n = read(kmsg, line, sizeof(line) - 1)) > 0) {
		line[n] = 0;
		p = strstr(line, " in ");
		if (!strstr(line, "segfault") || !p)
			continue;
		p[strcspn(p, "\n")] = 0;
		snprintf(text, size, "%s", p);
	}
	return 0;
}

/* "segfault at ... in FILE[offset,start+size]" of code that faults, by run. */
TEST_F(lib, segfault_message)
{
	char text[2][1024], want[64];
	int kmsg, side, file = mp_file(MP_TMP, LIB_FILE_PAGES);
	struct mp_pair p = { .fd = file };

	if (!mp_system() || variant->where != MP_TMP)
		SKIP(return, "once is enough, and needs the kernel's log");
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, kmsg);
	/* zeros are an instruction that writes to (%rax) and so faults sooner or later */
	ASSERT_EQ((ssize_t)PS, pwrite(file, memset(malloc(PS), 0, PS), PS, 3 * PS));
	mp_clear();
	ASSERT_EQ(0, mp_map_runs(&p, mp_library));
	for (side = 0; side < 2; side++)
		ASSERT_EQ(0, segfault(kmsg, p.base[side] + (LIB_RX + 1) * PS, text[side],
				      sizeof(text[side])));
	if (!text[EQUIV][0])
		SKIP(return, "the kernel does not log faults");
	for (side = 0; side < 2; side++) {
		/* addresses differ: check the one, compare the rest */
		snprintf(want, sizeof(want), "[3000,%lx+%lx]",
			 (unsigned long)p.base[side] + LIB_RX * PS, 4 * PS);
		if (!strstr(text[side], want))
			mp_diff("%s has no %s", text[side], want);
		*strchr(text[side], '[') = 0;
	}
	ASSERT_STREQ(text[EQUIV], text[MULTI]);
	ASSERT_EQ(0, mp_bad);
	close(kmsg);
	close(file);
}

/* A stack as frame pointers tell it: it goes on at @next, returning to @ip. */
struct frame {
	unsigned long next, ip;
};

/*
 * Return addresses: twice in a run, in runs side by side, in a nonlinear one,
 * in one without a file between two of files, and in the hole.
 */
static const size_t stack_pages[] = {
	LIB_RX, LIB_RX + 3, LIB_RO, LIB_RELRO, LIB_RELRO, LIB_DATA + 1, LIB_BSS,
	LIB_DATA + 2, LIB_BSS + 2, LIB_BSS, LIB_HOLE, LIB_RELRO, LIB_R + 1, LIB_RX,
};

#define STACK_MAX 16	/* what is asked for, with the place of the fault itself */

#ifdef __x86_64__
#define HAVE_FRAMES 1
#else
#define HAVE_FRAMES 0
#endif

/* Faults at @page, which must be absent, with the stack above. */
static void fault_under(struct frame *stack, volatile char *page)
{
#if HAVE_FRAMES
	asm volatile("lea -128(%%rsp), %%rsp\n\tpush %%rbp\n\tmov %0, %%rbp\n\t"
		     "movb (%1), %%al\n\tpop %%rbp\n\tlea 128(%%rsp), %%rsp"
		     : : "d" (stack), "c" (page) : "rax", "memory");
#endif
}

/* Does so with @n of the pages above, from @first on, in the library at @b. */
static void fault_in_library(char *b, size_t first, size_t n, char *page)
{
	struct frame stack[STACK_MAX];
	size_t i;

	for (i = 0; i < n; i++) {
		stack[i].next = i + 1 < n ? (unsigned long)&stack[i + 1] : 0;
		stack[i].ip = (unsigned long)b + stack_pages[first + i] * PS + 0x123;
	}
	madvise(page, PS, MADV_DONTNEED);
	fault_under(stack, page);
}

static long bpf(int cmd, union bpf_attr *attr, size_t size)
{
	return syscall(__NR_bpf, cmd, attr, size);
}

struct bpf_stack {
	struct bpf_stack_build_id id[STACK_MAX];
	long size;
};

/* A program for a perf event of faults that puts the stack of one at @page into @map. */
static int bpf_program(int map, char *page)
{
	uint64_t at = (unsigned long)page;
	struct bpf_insn insn[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 6, .src_reg = 1 },
		/* the address, behind the registers and the period */
		{ .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 2, .src_reg = 1, .off = 176 },
		{ .code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 3, .imm = at },
		{ .imm = at >> 32 },
		{ .code = BPF_JMP | BPF_JNE | BPF_X, .dst_reg = 2, .src_reg = 3, .off = 14 },
		/* r7 = bpf_map_lookup_elem(map, &0) */
		{ .code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = 10, .off = -4 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -4 },
		{ .code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = map },
		{},
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem },
		{ .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 0, .off = 7 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 7 },
		/* its size = bpf_get_stack(ctx, r7, sizeof(id), flags) */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1, .src_reg = 6 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 7 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3,
		  .imm = offsetof(struct bpf_stack, size) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 4,
		  .imm = BPF_F_USER_STACK | BPF_F_USER_BUILD_ID },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_stack },
		{ .code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 7,
		  .off = offsetof(struct bpf_stack, size) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_PERF_EVENT, .insns = (unsigned long)insn,
		.insn_cnt = ARRAY_SIZE(insn), .license = (unsigned long)"GPL",
	};

	return bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* A stack map with build ids: the build id of each file, and the place in it by run. */
TEST_F(lib, bpf_stack_build_id)
{
	union bpf_attr map = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .max_entries = 1,
		.value_size = sizeof(struct bpf_stack),
	};
	struct perf_event_attr event = {
		.type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_PAGE_FAULTS,
		.size = sizeof(event), .sample_period = 1, .exclude_kernel = 1, .disabled = 1,
	};
	const size_t n = ARRAY_SIZE(stack_pages);
	struct bpf_stack stack[2];
	int fd, program, key = 0;
	size_t i, valid = 0;
	char *page;

	if (!HAVE_FRAMES || !mp_system())
		SKIP(return, "needs a system of its own, and a stack that it can make up");
	if (variant->where == MP_CWD)
		SKIP(return, "a file with a build id and one without are enough");
	page = mmap(NULL, PS, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	map.map_fd = bpf(BPF_MAP_CREATE, &map, sizeof(map));
	program = bpf_program(map.map_fd, page);
	fd = syscall(__NR_perf_event_open, &event, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (program < 0 || fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_BPF, program))
		SKIP(return, "no BPF on perf events here");
	memset(stack, 0, sizeof(stack));
	for (i = 0; i < 2; i++) {
		union bpf_attr look = {
			.map_fd = map.map_fd, .key = (unsigned long)&key,
			.value = (unsigned long)&stack[i],
		};

		ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
		fault_in_library(self->p.base[i], 0, n, page);
		ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
		ASSERT_EQ(0, bpf(BPF_MAP_LOOKUP_ELEM, &look, sizeof(look)));
		ASSERT_EQ((n + 1) * sizeof(stack[i].id[0]), stack[i].size);
	}
	/* The first is this program's. */
	for (i = 1; i <= n; i++) {
		struct bpf_stack_build_id *a = &stack[MULTI].id[i], *b = &stack[EQUIV].id[i];

		if (b->status == BPF_STACK_BUILD_ID_IP) {
			a->ip -= (unsigned long)self->p.base[MULTI];
			b->ip -= (unsigned long)self->p.base[EQUIV];
		} else {
			valid++;
		}
		EXPECT_EQ(0, memcmp(a, b, sizeof(*a)))
			TH_LOG("page %zu: status %d, %llx, equivalent %d, %llx", stack_pages[i - 1],
			       a->status, a->offset, b->status, b->offset);
	}
	if (variant->where == MP_LOWER && valid) {
		/* 3 of them are bss. */
		EXPECT_EQ(n - 3, valid);
		EXPECT_EQ(8 * PS + 0x123, stack[MULTI].id[4].offset);
	}
	ASSERT_EQ(0, mp_same(0));
	close(fd);
	close(program);
	close(map.map_fd);
	munmap(page, PS);
}

#define TRACEFS "/sys/kernel/tracing/"
#define FAULT_EVENT TRACEFS "events/exceptions/page_fault_user/"
#define FTRACE_MAX 7	/* of the 8 that ftrace keeps, the first is the fault's own */

/* The last user stack of the trace; what is told as an address from @base on. Its lines. */
static int user_stack(char *base, char *text, size_t size)
{
	char *p = mp_slurp(TRACEFS "trace") > 0 ? mp_text : NULL, *start = NULL;
	size_t len = 0;
	int n = 0;

	text[0] = 0;
	while (p && (p = strstr(p, "<user stack trace>")))
		start = p++;
	for (p = start; p && (p = strstr(p, " => ")); n++) {
		char *end = p + strcspn(p, "\n"), *address = memchr(p, '<', end - p);

		len += snprintf(text + len, size - len, "%.*s", (int)(end - p), p);
		if (address)
			len += snprintf(text + len, size - len, " = base+%lx",
					strtoul(address + 1, NULL, 16) - (unsigned long)base);
		p = end;
	}
	return n;
}

/* The addresses themselves differ. */
static void no_addresses(char *text)
{
	char *p;

	while ((p = strchr(text, '<')))
		memmove(p, p + strcspn(p, ">"), strlen(p + strcspn(p, ">")) + 1);
}

/* ftrace's user stacks: the file and how far into the mapping, which is the run. */
TEST_F(lib, user_stack_trace)
{
	static char text[2][16384];
	size_t first, n, total = ARRAY_SIZE(stack_pages);
	char filter[64], want[64], *page;
	int side;

	if (!HAVE_FRAMES || !mp_system())
		SKIP(return, "needs a system of its own, and a stack that it can make up");
	mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	if (access(FAULT_EVENT "enable", W_OK))
		SKIP(return, "no such event");
	page = mmap(NULL, PS, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	snprintf(filter, sizeof(filter), "address == 0x%lx", (unsigned long)page);
	ASSERT_EQ(0, mp_sysctl_set(FAULT_EVENT "filter", filter));
	ASSERT_EQ(0, mp_sysctl_set(TRACEFS "trace_options", "userstacktrace"));
	ASSERT_EQ(0, mp_sysctl_set(TRACEFS "trace_options", "sym-userobj"));
	ASSERT_EQ(0, mp_sysctl_set(FAULT_EVENT "enable", "1"));
	for (first = 0; first < total; first += FTRACE_MAX) {
		n = total - first < FTRACE_MAX ? total - first : FTRACE_MAX;
		for (side = 0; side < 2; side++) {
			fault_in_library(self->p.base[side], first, n, page);
			EXPECT_EQ(1 + n, user_stack(self->p.base[side], text[side],
						    sizeof(text[side])));
			no_addresses(text[side]);
		}
		EXPECT_STREQ(text[EQUIV], text[MULTI]);
		/* The second is three pages into the text, the next at the start of its run. */
		snprintf(want, sizeof(want), "[+0x%lx]", 3 * PS + 0x123);
		EXPECT_TRUE(first || strstr(text[MULTI], want));
	}
	mp_sysctl_set(FAULT_EVENT "enable", "0");
	mp_sysctl_set(FAULT_EVENT "filter", "0");
	mp_sysctl_set(TRACEFS "trace_options", "nouserstacktrace");
	mp_sysctl_set(TRACEFS "trace_options", "nosym-userobj");
	mp_sysctl_set(TRACEFS "trace", " ");
	ASSERT_EQ(0, mp_same(0));
	munmap(page, PS);
}

TEST_HARNESS_MAIN
