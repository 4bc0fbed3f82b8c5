// SPDX-License-Identifier: GPL-2.0
/* Sequences, differences and programs as text. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "print.h"

static const char repro_head[] =
#include "repro.inc"
;

static const char *const code_names[NR_OPS] = {
	"chgprot", "chgprot-anon", "mprotect", "mmap", "munmap", "mremap", "madvise", "mlock",
	"read", "write", "execute", "fork", "file", "mem", "process_vm", "copy", "name", "mseal",
	"pkey", "msync", "rlimit", "userfaultfd", "ptrace", "observe", "clear_refs",
	"personality", "policy", "system",
};

static const char *const what_names[] = {
	"result", "signal<<8|si_code", "value read", "si_addr", "end page of the entry", "permissions",
	"file offset in pages", "file", "VmFlags", "name", "Size", "Anonymous+Swap", "Locked",
	"mincore", "bytes of the page", "VmSize", "VmData", "VmLib", "VmLck", "VmSwap",
	"Committed_AS", "end", "how MAP_CHGPROT fared", "status of the process", "VmPin",
	"memory policy", "VmaCount", "nothing",
};

const char *print_code(unsigned int code)
{
	return code < NR_OPS ? code_names[code] : "the end";
}

static void print_obs(FILE *f, const char *side, const struct fuzz_obs *o)
{
	if (!o) {
		fprintf(f, "  %s: nothing more\n", side);
		return;
	}
	fprintf(f, "  %s: step %u, %s", side, o->step, what_names[o->what]);
	if (o->what == W_PERMS)
		fprintf(f, ", page %u: %.4s\n", o->at, (const char *)&o->value);
	else if (o->what == W_RESULT)
		fprintf(f, " of call %u: %ld\n", o->at, (long)o->value);
	else
		fprintf(f, ", page %u: %lx\n", o->at, (unsigned long)o->value);
}

void print_difference(FILE *f, const struct fuzz_obs *multi, const struct fuzz_obs *equiv)
{
	print_obs(f, "multi", multi);
	print_obs(f, "equiv", equiv);
}

/*
 * Arguments: a address, l length, p protection, m mmap flags, f file, o offset
 * in the file, v madvise's advice, d decimal, x hexadecimal, r mremap flags,
 * s a name, n a mask of nodes
 */
static const struct { int nr; const char *name, *args; } calls[] = {
	{ SYS_mmap, "mmap", "alpmfo" },
	{ SYS_remap_file_pages, "remap_file_pages", "alpdc" },
	{ SYS_mprotect, "mprotect", "alp" },
	{ SYS_munmap, "munmap", "al" },
	{ SYS_mremap, "mremap", "allra" },
	{ SYS_madvise, "madvise", "ald" },
	{ SYS_mlock, "mlock", "al" },
	{ SYS_mlock2, "mlock2", "ald" },
	{ SYS_munlock, "munlock", "al" },
	{ SYS_mlockall, "mlockall", "d" },
	{ SYS_munlockall, "munlockall", "" },
	{ SYS_mincore, "mincore", "alb" },
	{ SYS_ftruncate, "ftruncate", "fo" },
	{ SYS_fallocate, "fallocate", "fdoo" },
	{ SYS_fadvise64, "fadvise64", "fddd" },
	{ SYS_fsync, "fsync", "f" },
	{ SYS_msync, "msync", "ald" },
	{ SYS_prctl, "prctl", "xdals" },
	{ 462, "462 /* mseal */", "ald" },
	{ SYS_pkey_mprotect, "pkey_mprotect", "alpd" },
	{ SYS_pkey_alloc, "pkey_alloc", "dd" },
	{ SYS_pkey_free, "pkey_free", "d" },
	{ SYS_personality, "personality", "x" },
	{ CALL_READ, "rd", "a" },
	{ CALL_WRITE, "wr", "ax" },
	{ CALL_EXEC, "ex", "a" },
	{ CALL_MEM_WRITE, "mem_write", "add" },
	{ CALL_PAGE, "pages", "al" },
	{ CALL_FILE_FILL, "fill", "kddd" },
	{ CALL_SHOW, "show", "d" },
	{ CALL_VM_READ, "vm_read", "ad" },
	{ CALL_VM_WRITE, "vm_write", "add" },
	{ CALL_COPY_IN, "copy_in", "ad" },
	{ CALL_COPY_OUT, "copy_out", "al" },
	{ CALL_UFFD, "uffd", "dald" },
	{ SYS_setrlimit, "limit", "dx" },
	{ SYS_process_madvise, "pmadvise", "alald" },
	{ SYS_mbind, "mbind", "aldndx" },
};

static void print_prot(FILE *f, unsigned long prot)
{
	static const char *const names[] = { "PROT_READ", "PROT_WRITE", "PROT_EXEC" };
	bool first = true;
	int i;

	for (i = 0; i < 3; i++)
		if (prot & (1 << i)) {
			fprintf(f, "%s%s", first ? "" : " | ", names[i]);
			first = false;
		}
	if (first)
		fprintf(f, "PROT_NONE");
}

static void print_flags(FILE *f, unsigned long flags)
{
	static const struct { unsigned long flag; const char *name; } names[] = {
		{ MAP_FIXED, "MAP_FIXED" }, { MAP_ANONYMOUS, "MAP_ANONYMOUS" },
		{ MAP_NORESERVE, "MAP_NORESERVE" }, { MAP_STACK, "MAP_STACK" },
		{ MAP_LOCKED, "MAP_LOCKED" }, { MAP_POPULATE, "MAP_POPULATE" },
	};
	unsigned int i;

	fprintf(f, flags & MAP_SHARED ? "MAP_SHARED" : "MAP_PRIVATE");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (flags & names[i].flag)
			fprintf(f, " | %s", names[i].name);
}

static void print_length(FILE *f, unsigned long len)
{
	if (len % PS || !len)
		fprintf(f, "%lu", len);
	else
		fprintf(f, "%lu * PS", len / PS);
}

static void print_address(FILE *f, unsigned long addr)
{
	if (addr < WINDOW || addr > WINDOW + WINDOW_PAGES * PS)
		fprintf(f, "%#lx", addr);
	else if (addr % PS)
		fprintf(f, "A(%lu) + %lu", (addr - WINDOW) / PS, addr % PS);
	else
		fprintf(f, "A(%lu)", (addr - WINDOW) / PS);
}

static void print_file(FILE *f, const struct fuzz_shm *shm, int side, int fd)
{
	static const char *const names[] = { "-1", "tmpfs", "memfd", "lower", "upper", "readonly" };
	int i;

	for (i = 1; i < NR_FILES; i++)
		if (fd >= 0 && shm->fd[side][i] == fd) {
			fprintf(f, "%s", names[i]);
			return;
		}
	fprintf(f, "-1");
}

static void print_arg(FILE *f, const struct fuzz_shm *shm, int side, char how, unsigned long v)
{
	switch (how) {
	case 'a': print_address(f, v); break;
	case 'l': case 'o': print_length(f, v); break;
	case 'p': print_prot(f, v); break;
	case 'm': print_flags(f, v); break;
	case 'f': print_file(f, shm, side, v); break;
	case 'k': print_file(f, shm, side, v < NR_FILES ? shm->fd[side][v] : -1); break;
	case 'd': fprintf(f, "%ld", (long)v); break;
	case 'b': fprintf(f, "(long)buffer"); break;
	case 'n': fprintf(f, "(long)(unsigned long[]){ %#lx }", v); break;
	case 's': fprintf(f, v ? "(long)\"name\"" : "0"); break;
	case 'c': fprintf(f, v & MAP_ANONYMOUS ? "CHGPROT | MAP_ANONYMOUS" : "CHGPROT"); break;
	case 'r':
		fprintf(f, v & MREMAP_MAYMOVE ? "MREMAP_MAYMOVE | MREMAP_FIXED%s" : "0%s",
			v & 4 ? " | MREMAP_DONTUNMAP" : "");
		break;
	default: fprintf(f, "%#lx", v);
	}
}

static void print_call(FILE *f, const struct fuzz_shm *shm, int side, const struct fuzz_call *c)
{
	unsigned int i, j;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (calls[i].nr != c->nr)
			continue;
		if (c->nr >= 1000 || c->nr == SYS_setrlimit || c->nr == SYS_process_madvise)
			fprintf(f, "%s(", calls[i].name);
		else
			fprintf(f, "sys(%s%s", c->nr == 462 ? "" : "SYS_", calls[i].name);
		for (j = 0; calls[i].args[j]; j++) {
			if (j || (c->nr < 1000 && c->nr != SYS_setrlimit &&
				  c->nr != SYS_process_madvise))
				fprintf(f, ", ");
			print_arg(f, shm, side, calls[i].args[j], c->arg[j]);
		}
		if (c->nr < 1000 && c->nr != SYS_setrlimit && c->nr != SYS_process_madvise)
			for (; j < 6; j++)
				fprintf(f, ", 0");
		fprintf(f, ")");
		return;
	}
	if (c->nr == CALL_CLEAR_REFS)
		fprintf(f, "put(\"/proc/self/clear_refs\", \"%lu\")", (unsigned long)c->arg[0]);
	else if (c->nr == CALL_SYSTEM)
		fprintf(f, "put(\"/proc/sys/vm/%s\", \"1\")",
			c->arg[0] ? "compact_memory" : "drop_caches");
	else
		fprintf(f, "/* call %u */ 0", c->nr);
}

void print_steps(FILE *f, const struct fuzz_shm *shm)
{
	static const char *const names[] = { "multi", "equiv" };
	struct fuzz_head head;
	struct fuzz_step s;
	uint32_t i, k;
	int side, t;

	fuzz_decode_head(shm->seq, shm->len, &head);
	fprintf(f, "  kind %s, %u pages, level %u, mode %u, flags %u\n", fuzz_kinds[head.kind].name,
		head.pages, head.level, head.mode, head.flags);
	for (i = 0; i < fuzz_nr_steps(shm->len); i++) {
		fuzz_decode(shm->seq, i, &head, &s);
		fprintf(f, "  step %u: %s, pages %u to %u\n", i, print_code(s.code), s.at,
			s.at + s.n - 1);
		for (side = 0; side < 2; side++)
			for (t = k = 0; t <= FUZZ_MAX_THREADS; k++) {
				const struct fuzz_call *c;

				if (k == shm->side[side][t].nr_calls) {
					t++;
					k = -1;
					continue;
				}
				c = &shm->side[side][t].calls[k];

				if (c->step != i || c->nr == CALL_SHOW || c->nr == CALL_PAGE ||
				    c->nr == SYS_mincore || (side == EQUIV && c->compared))
					continue;
				fprintf(f, "    %s ", c->compared ? "both " : names[side]);
				print_call(f, shm, side, c);
				fprintf(f, " = %ld\n", (long)c->ret);
			}
	}
}

static void print_calls(FILE *f, const struct fuzz_shm *shm, int side, int t, unsigned int last)
{
	const struct fuzz_side *s = &shm->side[side][t];
	unsigned long open_arg[16][2];
	int open[16];
	unsigned int depth = 0, tabs;
	uint32_t i;

	for (i = 0; i < s->nr_calls; i++) {
		const struct fuzz_call *c = &s->calls[i];

		/* Where the sequence begins has the number after the last. */
		if (c->step < FUZZ_MAX_OPS && c->step > last)
			break;
		if (c->nr == CALL_JOIN && !depth)
			continue;
		tabs = 1 + depth - (c->nr == CALL_JOIN);
		while (tabs--)
			fputc('\t', f);
		switch (c->nr) {
		case CALL_FORK:
		case CALL_POKE:
			fprintf(f, "%s(", c->nr == CALL_FORK ? "FORK" : "POKE");
			print_address(f, c->arg[0]);
			fprintf(f, ", %lu)\n", (unsigned long)c->arg[1]);
			if (depth < 16) {
				open[depth] = c->nr;
				open_arg[depth][0] = c->arg[0];
				open_arg[depth][1] = c->arg[1];
			}
			depth++;
			break;
		case CALL_JOIN:
		join:
			depth--;
			if (open[depth] == CALL_POKE) {
				fprintf(f, "END_POKE\n");
			} else {
				fprintf(f, "JOIN(");
				print_address(f, open_arg[depth][0]);
				fprintf(f, ", %lu)\n", open_arg[depth][1]);
			}
			break;
		default:
			fprintf(f, "%s(%u, ", c->compared ? "T" : "D", c->step);
			print_call(f, shm, side, c);
			fprintf(f, ");");
			if (c->ret < 0 && c->nr < 1000)
				fprintf(f, "\t/* %s */", strerrorname_np(-c->ret));
			else if (c->ret > 0 && (c->nr == CALL_READ || c->nr == CALL_WRITE ||
						c->nr == CALL_EXEC))
				fprintf(f, "\t/* signal %ld, si_code %ld */", (long)c->ret >> 8,
					(long)c->ret & 255);
			fprintf(f, "\n");
		}
		if (i + 1 == s->nr_calls || (s->calls[i + 1].step < FUZZ_MAX_OPS &&
					     s->calls[i + 1].step > last)) {
			if (depth) {
				for (tabs = depth; tabs; tabs--)
					fputc('\t', f);
				goto join;
			}
		}
	}
}

static void print_side(FILE *f, const struct fuzz_shm *shm, int side, unsigned int last)
{
	int t;

	fprintf(f, "static void %s(void)\n{\n", side == MULTI ? "multi" : "equiv");
	for (t = 0; t <= FUZZ_MAX_THREADS; t++) {
		if (t && shm->side[side][t].nr_calls)
			fprintf(f, "\t/* thread %d; here one after the other */\n", t);
		print_calls(f, shm, side, t, last);
	}
	fprintf(f, "\tT(%u, show(1));\n}\n\n", last);
}

void print_program(FILE *f, const struct fuzz_shm *shm, unsigned int step,
		   const struct fuzz_obs *multi, const struct fuzz_obs *equiv)
{
	fprintf(f, "/*\n");
	fprintf(f, " * Made by tests/fuzz: a multi-protection VMA differs from its equivalent.\n");
	print_difference(f, multi, equiv);
	fprintf(f, " *\n * cc -o repro THIS && guest/run -- ./repro; it ends with 1 and the difference.\n */\n");
	fprintf(f, "#define MORE_VMAS %d\n", MORE_VMAS);
	fputs(repro_head, f);
	print_side(f, shm, MULTI, step);
	print_side(f, shm, EQUIV, step);
}
