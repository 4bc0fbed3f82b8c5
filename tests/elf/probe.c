// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions in the new program, one at a time: reads, writes and executions at both
 * ends of each entry of its smaps and somewhere in it, and below its stack; brk() and
 * a few random system calls; then a look at what has become of its memory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "look.h"

#define MAX_PROBED	12		/* entries */

struct probe {
	struct subject *s;
	struct record *to;
	uint64_t code;			/* a page of it that has the code of gen.h */
};

enum { BRK, MPROTECT, MUNMAP, MADVISE };

static const struct {
	const char *name;
	int nr, nr32;
} calls[] = {
	[BRK] = { "brk", SYS_brk, 45 },
	[MPROTECT] = { "mprotect", SYS_mprotect, 125 },
	[MUNMAP] = { "munmap", SYS_munmap, 91 },
	[MADVISE] = { "madvise", SYS_madvise, 219 },
};

/* Lets it go on from REGS until something stops it, and says what. */
static void go(struct probe *p, const char *what, uint64_t addr, int how,
	       struct user_regs_struct *regs)
{
	pid_t pid = p->s->pid;
	siginfo_t si = { 0 };
	int status;

	if (p->s->ended)
		return;
	say(p->to, "%s %lx: ", what, addr);
	regs->orig_rax = -1;
	if (ptrace(PTRACE_SETREGS, pid, NULL, regs) || ptrace(how, pid, NULL, NULL) ||
	    waitpid(pid, &status, 0) != pid) {
		say(p->to, "lost, %d\n", errno);
		p->s->ended = true;
		return;
	}
	if (!WIFSTOPPED(status)) {
		say(p->to, "status %#x\n", status);
		p->s->ended = true;
		return;
	}
	ptrace(PTRACE_GETSIGINFO, pid, NULL, &si);
	say(p->to, "%d", si.si_signo);
	if (si.si_signo != SIGTRAP)
		say(p->to, " %d %lx", si.si_code, (unsigned long)si.si_addr);
	say(p->to, "\n");
}

static void access_page(struct probe *p, uint64_t addr)
{
	struct user_regs_struct regs = p->s->regs;

	regs.rip = p->code + CODE_READ;
	regs.rdi = addr + 0x10;
	go(p, "read", addr, PTRACE_CONT, &regs);
	regs = p->s->regs;
	regs.rax = 0;
	regs.rip = addr + CODE_INT3;
	go(p, "execute", addr, PTRACE_SINGLESTEP, &regs);
	regs = p->s->regs;
	regs.rip = p->code + CODE_WRITE;
	regs.rdi = addr + 0x10;
	go(p, "write", addr, PTRACE_CONT, &regs);
}

/* Its result, 0 if it did not come back. */
static uint64_t call(struct probe *p, int nr, uint64_t a, uint64_t b, uint64_t c)
{
	struct user_regs_struct regs = p->s->regs;

	if (p->s->is32) {
		regs.rip = p->code + CODE_INT80;
		regs.rax = calls[nr].nr32;
		regs.rbx = a;
		regs.rcx = b;
	} else {
		regs.rip = p->code + CODE_SYSCALL;
		regs.rax = calls[nr].nr;
		regs.rdi = a;
		regs.rsi = b;
	}
	regs.rdx = c;
	go(p, calls[nr].name, a, PTRACE_CONT, &regs);
	if (p->s->ended || ptrace(PTRACE_GETREGS, p->s->pid, NULL, &regs))
		return 0;
	if (p->s->is32)
		regs.rax = (uint32_t)regs.rax;
	say(p->to, "  %lx %lx = %lx\n", b, c, (unsigned long)regs.rax);
	return regs.rax;
}

static uint64_t some_page(const struct entry *e, struct rnd *r)
{
	return e->start + rnd(r, (e->end - e->start) / PAGE) * PAGE;
}

/* A page with the code of gen.h that can be executed, 0 if there is none. */
static uint64_t find_code(const struct subject *s)
{
	static const uint8_t code[] = { 0x0f, 0x05, 0xcc };

	for (unsigned int i = 0; i < s->entries; i++) {
		const struct entry *e = &s->entry[i];
		uint64_t end = e->start + 16 * PAGE;

		if (e->perms[2] != 'x' || e->name[0] == '[')
			continue;
		for (uint64_t at = e->start; at < e->end && at < end; at += PAGE) {
			uint8_t bytes[sizeof(code)];

			if (pread(s->mem, bytes, sizeof(bytes), at + CODE_SYSCALL) ==
			    sizeof(bytes) && !memcmp(bytes, code, sizeof(code)))
				return at;
		}
	}
	return 0;
}

static void access_entries(struct probe *p, struct rnd *r)
{
	const struct subject *s = p->s;
	unsigned int probed = 0;

	for (unsigned int i = 0; i < s->entries && probed < MAX_PROBED; i++) {
		const struct entry *e = &s->entry[i];

		if (e->name[0] == '[' && strcmp(e->name, "[stack]"))
			continue;
		access_page(p, e->start);
		if (e->end - e->start > PAGE) {
			access_page(p, e->end - PAGE);
			access_page(p, some_page(e, r));
		}
		probed++;
	}
}

/* Where it might grow. */
static void access_below_stack(struct probe *p, struct rnd *r)
{
	const struct subject *s = p->s;

	for (unsigned int i = 0; i < s->entries; i++) {
		uint64_t start = s->entry[i].start;

		if (strcmp(s->entry[i].name, "[stack]"))
			continue;
		access_page(p, start - PAGE);
		access_page(p, start - rnd(r, 300) * PAGE);
	}
}

static void random_calls(struct probe *p, struct rnd *r)
{
	const struct subject *s = p->s;

	for (unsigned int n = rnd(r, 4); n--; ) {
		const struct entry *e = &s->entry[rnd(r, s->entries)];
		uint64_t at = some_page(e, r);
		uint64_t size = (1 + rnd(r, 6)) * PAGE;

		if (e->name[0] == '[' || (p->code >= at && p->code < at + size))
			continue;
		switch (rnd(r, 5)) {
		case 0 ... 2:
			call(p, MPROTECT, at, size, rnd(r, 8));
			break;
		case 3:
			call(p, MUNMAP, at, size, 0);
			break;
		case 4:
			call(p, MADVISE, at, size, MADV_DONTNEED);
			break;
		}
	}
}

void probe(struct record *to, struct subject *s, struct rnd r)
{
	struct probe p = { .s = s, .to = to, .code = find_code(s) };
	uint64_t brk;

	if (!p.code)
		return;
	say(to, "code at %lx\n", p.code);
	access_entries(&p, &r);
	access_below_stack(&p, &r);
	brk = call(&p, BRK, 0, 0, 0);
	call(&p, BRK, brk + rnd(&r, 8) * PAGE, 0, 0);
	random_calls(&p, &r);
	if (s->ended)
		return;
	look(s, true);
	say_entries(to, s);
	say_status(to, s);
	say_memory(to, s);
}
