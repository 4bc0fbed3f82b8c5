/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of vmas share: by file, what the others call.  main.c says
 * what the program does.
 */
#ifndef VMAS_H
#define VMAS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define EXIT_PARTIAL	1	/* some process could not be read */
#define EXIT_USAGE	2
#define EXIT_SELF	125	/* as timeout(1), nice(1), env(1): own failure, */
#define EXIT_NOEXEC	126	/* not executable, */
#define EXIT_NOENT	127	/* not found */

/* What the command line asks for. */
struct options {
	bool json, split, libraries, exact, slab;
	const char *output;	/* of -o, else NULL */
	const char *proc_dir, *sys_dir;	/* where procfs and sysfs are */
};

/* util.c: messages, memory, and files that are text */

/* Text that grows.  {} is an empty one; free(@p) ends its use. */
struct buf {
	char *p;
	size_t len;		/* bytes, without the zero byte at the end */
	size_t size;		/* bytes that @p has room for */
};

/*
 * Ends the program with the exit status @status and, on standard error, the
 * message that @fmt makes, as printf(3).  What was printed before comes first.
 */
void __attribute__((format(printf, 2, 3), noreturn))
die(int status, const char *fmt, ...);

/* Prints a message as die() does, and returns. */
void __attribute__((format(printf, 1, 2))) warn(const char *fmt, ...);

/*
 * Makes @p, which may be NULL, an array of @nr elements of @size bytes each.
 * Returns where it is now; without memory the program ends with EXIT_SELF.
 */
void *xrealloc(void *p, size_t nr, size_t size);

/* Returns a copy of @s for the caller to free; fails as xrealloc(). */
char *xstrdup(const char *s);

/* Adds the text that @fmt makes, as printf(3), to @b; fails as xrealloc(). */
void __attribute__((format(printf, 2, 3)))
append(struct buf *b, const char *fmt, ...);

/*
 * Reads the whole file @path into @b, in place of what was there, with a zero
 * byte behind.  Returns 0, or -errno if it cannot be opened or read; fails as
 * xrealloc().
 */
int read_file(const char *path, struct buf *b);

/*
 * As read_file(), of the file below @proc_dir whose name @fmt makes, as
 * printf(3).  If that is too long it returns -ENAMETOOLONG.
 */
int __attribute__((format(printf, 3, 4)))
read_proc(const char *proc_dir, struct buf *b, const char *fmt, ...);

/*
 * Cuts the next line off the text at *@p and sets *@p to what is behind it.
 * Returns the line without its newline, NULL at the end.
 */
char *next_line(char **p);

/* proc.c: a process as procfs shows it */

/* One line of maps: a VMA on a stock kernel, else a run of one. */
struct entry {
	uint64_t start, end, offset, ino;
	unsigned int major, minor;
	bool read, write, exec, shared;
	bool mp;		/* in a multi-protection VMA */
	bool mc;		/* continues the VMA of the line before */
	const char *path;	/* "" if there is none; lives in proc.text */
};

struct proc {
	const char *proc_dir;	/* that it is read from */
	pid_t pid;
	char comm[128];
	char exe[PATH_MAX];
	char *text;		/* of smaps or maps; the entries point into it */
	struct entry *entries;
	size_t nr_entries;
	struct image *images;
	size_t nr_images;
	bool have_vmacount;	/* the kernel has multi-protection VMAs */
	bool have_flags;	/* read from smaps: mp and mc are known */
	bool have_auxv, at_flag;
	uint64_t at_base;
	long vmas, lines, vsyscall;
	long libraries, library_vmas, library_lines, split;
	long peak_vmas, peak_lines;	/* -1: not sampled */
};

/*
 * Reads everything about the process @pid below @proc_dir into @p, which
 * free_proc() frees.  Returns 0, or -errno, with nothing to free: -ESRCH if it
 * is gone or has no address space (kernel thread, zombie), -EACCES or -EPERM if
 * it may not be read.
 */
int read_process(const char *proc_dir, pid_t pid, struct proc *p);

/* Frees what read_process() has put into @p, and zeroes it.  {} may be given. */
void free_proc(struct proc *p);

/*
 * Whether it is known how many VMAs the libraries of @p have: without smaps
 * the runs of a VMA cannot be told from VMAs.
 */
bool libraries_known(const struct proc *p);

/*
 * Raises *@peak_vmas and *@peak_lines to the number of VMAs and of lines that
 * the process @pid has now, and reads no more than that takes.  They stay as
 * they are if it cannot be read.
 */
void sample_peak(const char *proc_dir, pid_t pid, long *peak_vmas,
		 long *peak_lines);

/* elf.c: headers of the files that are mapped */

#define MAX_SEGMENTS	64

/* As the file has it: the address without the bias, all in bytes. */
struct segment {
	uint64_t vaddr, filesz, memsz, offset;
	bool exec;
};

struct elf {
	bool ok;		/* it can be mapped as an image */
	unsigned int type;	/* ET_* */
	unsigned int nr;
	struct segment seg[MAX_SEGMENTS];
};

/*
 * Returns the headers of the file that the entry @e of @p maps, which are read
 * once for each file.  @ok is not set if they cannot be read, or it is no ELF
 * file.  The next call may move them.
 */
const struct elf *elf_of(const struct proc *p, const struct entry *e);

/* image.c: which parts of an address space are ELF images */

enum kind { KIND_LIBRARY, KIND_PROGRAM, KIND_LOADER };

struct image {
	enum kind kind;
	const char *path;
	uint64_t start, end;
	unsigned int vmas, lines;
	bool mp;		/* some part is in a multi-protection VMA */
	char *reason;		/* why it is not one VMA, NULL if it is */
};

/*
 * Sets the images of @p, by its entries, and the sums over its libraries.  Where
 * the headers of a file cannot be read it goes by the name.
 */
void find_images(struct proc *p);

/* slab.c: memory of the caches that VMAs take */

struct cache {
	char name[64];
	uint64_t active, objects, objsize, slabs, pages_per_slab;
	bool merged;
};

#define MAX_CACHES 128

struct slab {
	int error;		/* errno of reading slabinfo, 0 if read */
	size_t nr;
	struct cache cache[MAX_CACHES];
};

/*
 * Reads the caches of the whole system into @slab, with the option exact after
 * the kernel has given back what is unused.  Where slabinfo cannot be read
 * (only root may) @error says why.  If it has more than MAX_CACHES of them, or
 * a cache cannot be shrunk, the program ends with EXIT_SELF.
 */
void read_slab(const struct options *opt, struct slab *slab);

/* Bytes of the objects of @c that are in use. */
uint64_t active_bytes(const struct cache *c);

/* Bytes of all slabs of @c. */
uint64_t slab_bytes(const struct cache *c);

/* Sets *@active and *@bytes to the sum of both over all caches. */
void slab_sum(const struct slab *s, uint64_t *active, uint64_t *bytes);

/* Returns the cache @name of @s, and one that is all zero if there is none. */
const struct cache *find_cache(const struct slab *s, const char *name);

/* print.c: the report, as a table or as JSON */

struct report {
	const struct options *opt;
	FILE *f;
	const char *name;	/* of @f, for messages */
	bool first;		/* no process was printed yet */
};

/*
 * Begins the report @r, in the file of the option output, else in @by_default,
 * which is stdout or stderr.  @opt has to last as long as @r.  If the file
 * cannot be opened, the program ends with EXIT_SELF.
 */
void open_report(struct report *r, const struct options *opt, FILE *by_default);

/* Prints what comes before the processes.  @peak: they have peaks. */
void begin_report(struct report *r, bool peak);

/* Prints one process, between begin_report() and end_report(). */
void print_process(struct report *r, const struct proc *p);

/*
 * Prints the line of a table below the processes, the sums in @total; JSON has
 * none.  @known: libraries_known() is true of all of them.
 */
void print_total(struct report *r, const struct proc *total, bool known);

/*
 * Prints what comes after the processes and closes the file.  @slab is not read
 * without the option slab; @before: as it was before the command, NULL without
 * a command; @status: the command's exit status, -1 without one.  If the report
 * could not be written, the program ends with EXIT_SELF.
 */
void end_report(struct report *r, const struct slab *slab,
		const struct slab *before, int status);

/* pids.c: vmas PID... and vmas -a */

/*
 * Reports on the @nr processes @pids, with a warning for each that cannot be
 * read.  Returns the exit status: EXIT_PARTIAL if there was one, or @nr is 0,
 * else EXIT_SUCCESS.
 */
int report_pids(const struct options *opt, const pid_t *pids, size_t nr);

/*
 * Reports on every process that can be read, with a warning that says how many
 * may not be.  Returns the exit status: EXIT_PARTIAL if there is none, else
 * EXIT_SUCCESS.  If the directory cannot be read, the program ends with
 * EXIT_SELF.
 */
int report_all(const struct options *opt);

/* command.c: vmas COMMAND */

/*
 * Runs the command @argv, which ends with NULL, and reports on it as it is when
 * it exits; with an @interval, in milliseconds, also the peak of what is seen
 * that often, 0: not.  Returns the command's exit status, 128 + N if signal N
 * ended it.  The program ends with EXIT_NOENT or EXIT_NOEXEC if the command
 * cannot be executed, with EXIT_SELF if it cannot be watched.
 */
int report_command(const struct options *opt, char **argv, long interval);

#endif
