/* SPDX-License-Identifier: GPL-2.0 */
/* ---- what the two functions below are made of ---- */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PS 4096UL
#define WINDOW 0x10000000UL
#define WINDOW_END (WINDOW + 256 * PS)
#define A(page) (WINDOW + (page) * PS)		/* address of a page of the window */
#define RET 64					/* where file pages have an instruction */
#define CHGPROT 0x800000

static FILE *out;
static char buffer[1 << 21];
static int tmpfs, memfd, lower, upper, readonly;

#define NOTE(...) (fprintf(out, __VA_ARGS__), fflush(out))
/* Both sides do it: with the same result. */
#define T(step, call) NOTE("step %d: " #call " = %ld\n", step, (long)(call))
/* Only this side does it. */
#define D(step, call) ((void)(step), (void)(call))

static long sys(long nr, long a, long b, long c, long d, long e, long f)
{
	long r = syscall(nr, a, b, c, d, e, f);

	return r == -1 ? -errno : r;
}

static unsigned long sum(const char *p, size_t n)
{
	unsigned long h = 1;

	while (n--)
		h = h * 31 + (unsigned char)*p++;
	return h & 0xffffffff;
}

/* ---- accesses: 0 or signal << 8 | si_code ---- */

static sigjmp_buf jump;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)context;
	siglongjmp(jump, sig << 8 | (info->si_code & 0xff));
}

#define GUARDED(access) ({ int r_ = sigsetjmp(jump, 1); if (!r_) { access; } r_; })

static int rd(unsigned long addr)
{
	volatile unsigned long v = 0;
	int r = GUARDED(v = *(volatile unsigned long *)addr);

	NOTE("\tread %lx\n", v);
	return r;
}

static int wr(unsigned long addr, unsigned long v)
{
	return GUARDED(*(volatile unsigned long *)addr = v);
}

static int ex(unsigned long addr)
{
	return GUARDED(asm volatile("xor %%eax, %%eax; call *%0" : : "r"(addr) :
				    "rax", "rcx", "rdx", "memory"));
}

static int memfile(void)
{
	static int fd;
	static pid_t pid;

	if (pid != getpid()) {
		fd = open("/proc/self/mem", O_RDWR);
		pid = getpid();
	}
	return fd;
}

/* The bytes of a range, page by page, by force. */
static long pages(unsigned long addr, size_t len)
{
	for (; len; addr += PS, len -= PS) {
		long n = pread(memfile(), buffer, PS, addr);

		NOTE("\tpage %ld: %ld bytes, sum %lx\n", (addr - WINDOW) / PS, n,
		     n > 0 ? sum(buffer, n) : 0);
	}
	return 0;
}

static long mem_write(unsigned long addr, size_t len, int byte)
{
	memset(buffer, byte, len);
	return pwrite(memfile(), buffer, len, addr);
}

static long vm_read(unsigned long addr, size_t len)
{
	struct iovec l = { buffer, len }, r = { (void *)addr, len };
	long n = process_vm_readv(getpid(), &l, 1, &r, 1, 0);

	NOTE("\tsum %lx\n", n > 0 ? sum(buffer, n) : 0);
	return n;
}

static long vm_write(unsigned long addr, size_t len, int byte)
{
	struct iovec l = { buffer, len }, r = { (void *)addr, len };

	memset(buffer, byte, len);
	return process_vm_writev(getpid(), &l, 1, &r, 1, 0);
}

static long copy_in(unsigned long addr, size_t len)
{
	return read(open("/dev/zero", O_RDONLY), (void *)addr, len);
}

static long copy_out(unsigned long addr, size_t len)
{
	int p[2];
	long n;

	if (pipe(p))
		return -1;
	n = write(p[1], (void *)addr, len);
	if (n > 0 && read(p[0], buffer, n) == n)
		NOTE("\tsum %lx\n", sum(buffer, n));
	close(p[0]);
	close(p[1]);
	return n;
}

static long pmadvise(unsigned long a, unsigned long la, unsigned long b, unsigned long lb, int adv)
{
	struct iovec iov[2] = { { (void *)a, la }, { (void *)b, lb } };
	int fd = sys(434 /* pidfd_open */, getpid(), 0, 0, 0, 0, 0);

	return sys(SYS_process_madvise, fd, (long)iov, 2, adv, 0, 0);
}

/* Pages of a file, each with its own contents. */
static long fill(int fd, unsigned long off, unsigned long n, unsigned long salt)
{
	uint64_t page[PS / 8];
	unsigned long i, j;

	for (i = 0; i < n; i++) {
		for (j = 0; j < PS / 8; j++)
			page[j] = ((off + i + salt) << 32 | j) * 0x9e3779b97f4a7c15ULL;
		((char *)page)[RET] = (char)0xc3;
		if (pwrite(fd, page, PS, (off + i) * PS) != (long)PS)
			return -1;
	}
	return 0;
}

static long uffd(int what, unsigned long start, unsigned long len, int y)
{
	static int fd;
	struct uffdio_range range = { start, len };

	if (!fd) {
		struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_SIGBUS };

		fd = syscall(SYS_userfaultfd, O_CLOEXEC);
		ioctl(fd, UFFDIO_API, &api);
	}
	if (what < 2) {
		struct uffdio_register r = { .range = range, .mode = y % 4 == 3 ? 2 : y % 4 == 2 ? 4 : 1 };

		return ioctl(fd, UFFDIO_REGISTER, &r);
	}
	if (what < 4)
		return ioctl(fd, UFFDIO_UNREGISTER, &range);
	if (what == 4) {
		struct uffdio_copy c = { .dst = start, .src = (unsigned long)buffer, .len = len };

		return ioctl(fd, UFFDIO_COPY, &c);
	}
	if (what == 5) {
		struct uffdio_zeropage z = { .range = range };

		return ioctl(fd, UFFDIO_ZEROPAGE, &z);
	}
	if (what == 6) {
		struct uffdio_writeprotect w = { .range = range, .mode = y & 1 };

		return ioctl(fd, UFFDIO_WRITEPROTECT, &w);
	}
	struct uffdio_continue c = { .range = range };

	return ioctl(fd, UFFDIO_CONTINUE, &c);
}

static long put(const char *file, const char *what)
{
	int fd = open(file, O_WRONLY);
	long r = write(fd, what, 1);

	close(fd);
	return r;
}

static long limit(int which, unsigned long value)
{
	struct rlimit l = { value, RLIM_INFINITY };

	return setrlimit(which, &l);
}

/* ---- children ---- */

/* { of a child, up to JOIN }: the parent may write first, or poke the stopped child. */
#define FORK(addr, value)							\
	{									\
		int sync_[2], status_, p_ = pipe(sync_);			\
		pid_t pid_;							\
										\
		fflush(out);							\
		pid_ = fork();							\
		if (!pid_) {							\
			close(sync_[1]);					\
			p_ = read(sync_[0], &p_, 1);
#define JOIN(addr, value)							\
			fflush(out);						\
			_exit(0);						\
		}								\
		if (addr)							\
			wr(addr, value);					\
		close(sync_[0]);						\
		close(sync_[1]);						\
		waitpid(pid_, &status_, 0);					\
		NOTE("child's status %x\n", status_);				\
	}
#define POKE(addr, value)							\
	{									\
		int status_;							\
		pid_t pid_;							\
										\
		fflush(out);							\
		pid_ = fork();							\
		if (pid_) {							\
			waitpid(pid_, &status_, 0);				\
			NOTE("poke %ld\n", ptrace(PTRACE_POKEDATA, pid_, addr,	\
						  (long)(value) << 8 | 1));	\
			ptrace(PTRACE_DETACH, pid_, 0, 0);			\
			waitpid(pid_, &status_, 0);				\
			NOTE("child's status %x\n", status_);			\
		} else {							\
			ptrace(PTRACE_TRACEME, 0, 0, 0);			\
			raise(SIGSTOP);
#define END_POKE								\
			fflush(out);						\
			_exit(0);						\
		}								\
	}

/* ---- /proc ---- */

struct entry {
	unsigned long start, end, off, size, anon;
	char perms[8], dev[16], name[128], flags[128];
	unsigned long ino;
};

/* The window's entries, adjacent equal ones joined; the counters. */
static long show(int smaps)
{
	static struct entry e[512];
	struct entry now = { 0 };
	char line[512], text[256];
	FILE *f = fopen(smaps ? "/proc/self/smaps" : "/proc/self/maps", "r");
	int n = 0, i, j = -1, at;

	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (sscanf(line, "%lx-%lx %7s %lx %15s %lu %n", &now.start, &now.end, now.perms,
			   &now.off, now.dev, &now.ino, &at) == 6) {
			if (now.start >= WINDOW_END)
				break;
			snprintf(now.name, sizeof(now.name), "%s", line + at);
			now.anon = 0;
			e[n++] = now;
		} else if (n && sscanf(line, "Anonymous: %lu", &now.anon) == 1) {
			e[n - 1].anon += now.anon;
		} else if (n && sscanf(line, "Swap: %lu", &now.anon) == 1) {
			e[n - 1].anon += now.anon;
		} else if (n && !strncmp(line, "VmFlags: ", 9)) {
			for (char *t = strtok(line + 9, " "); t; t = strtok(NULL, " "))
				if (!strstr("mp mc sd ac", t)) {
					strcat(e[n - 1].flags, " ");
					strcat(e[n - 1].flags, t);
				}
		}
	}
	fclose(f);
	for (i = 0; i < n; i++) {
		struct entry *a = &e[j], *b = &e[i];

		if (j >= 0 && a->end == b->start && !strcmp(a->perms, b->perms) &&
		    !strcmp(a->name, b->name) && !strcmp(a->flags, b->flags) &&
		    (!a->ino || a->off + (a->end - a->start) == b->off)) {
			a->end = b->end;
			a->anon += b->anon;
		} else {
			e[++j] = *b;
		}
	}
	for (i = 0; i <= j; i++) {
		NOTE("\t%3ld-%3ld %s %s", (e[i].start - WINDOW) / PS, (e[i].end - WINDOW) / PS,
		     e[i].perms, e[i].name);
		if (e[i].ino)
			NOTE(" %ld", e[i].off / PS);
		if (smaps)
			NOTE(" anonymous+swap %lu kB%s", e[i].anon, e[i].flags);
		NOTE("\n");
	}
	memset(e, 0, sizeof(e));
	f = fopen("/proc/self/status", "r");
	while (fgets(text, sizeof(text), f))
		if (!strncmp(text, "VmSize", 6) || !strncmp(text, "VmLck", 5) ||
		    !strncmp(text, "VmData", 6) || !strncmp(text, "VmLib", 5))
			NOTE("\t%s", text);
		else if (!strncmp(text, "VmaCount", 8))
			NOTE("vmas %d\n", atoi(text + 9));
	fclose(f);
	return 0;
}

static int file(const char *name, int keep)
{
	int fd;

	unlink(name);
	fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	fill(fd, 0, 64, 0);
	if (!keep)
		unlink(name);
	return fd;
}

static int side(void (*fn)(void), char *into, size_t size)
{
	static struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER };
	int fd = memfd_create("out", 0), status;
	pid_t pid = fork();

	if (!pid) {
		out = fdopen(fd, "a");
		setvbuf(out, NULL, _IOLBF, 1 << 16);
		sigaction(SIGSEGV, &sa, NULL);
		sigaction(SIGBUS, &sa, NULL);
		tmpfs = file("/tmp/repro", 1);
		readonly = open("/tmp/repro", O_RDONLY);
		memfd = memfd_create("fuzz", 0);
		fill(memfd, 0, 64, 0);
		upper = file("repro.tmp", 0);
		close(file("repro-lower", 1));
		lower = open("repro-lower", O_RDONLY);
		unlink("repro-lower");
		alarm(30);
		fn();
		NOTE("unmap all\n");
		munmap((void *)WINDOW, WINDOW_END - WINDOW);
		show(1);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	into[pread(fd, into, size - 1, 0)] = 0;
	return status;
}

static void multi(void);
static void equiv(void);

int main(void)
{
	static char text[2][1 << 20];
	int status[2] = { side(multi, text[0], sizeof(text[0])),
			  side(equiv, text[1], sizeof(text[1])) };
	char *a = text[0], *b = text[1];

	fputs(a, stdout);
	if (status[0] != status[1])
		printf("*** ended with %x, equivalent %x\n", status[0], status[1]);
	while (*a || *b) {
		int n = strcspn(a, "\n"), m = strcspn(b, "\n"), vmas[2];
		int bound = sscanf(a, "vmas %d", &vmas[0]) == 1 &&
			    sscanf(b, "vmas %d", &vmas[1]) == 1;

		if (bound ? vmas[0] > vmas[1] + MORE_VMAS : n != m || strncmp(a, b, n)) {
			printf("*** differs: %.*s\n*** equivalent: %.*s\n", n, a, m, b);
			return 1;
		}
		a += n + (a[n] == '\n');
		b += m + (b[m] == '\n');
	}
	return status[0] != status[1];
}

