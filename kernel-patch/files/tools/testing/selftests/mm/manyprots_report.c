// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel reports of a mapping by itself: perf's mmap events, from
 * which perf knows where code comes from, and the message of a fault that
 * nobody handles.
 */
#include "manyprots_util.h"
#include <linux/perf_event.h>
#include <sys/ioctl.h>

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

TEST_HARNESS_MAIN
