// SPDX-License-Identifier: GPL-2.0
/* A process as procfs shows it: maps or smaps, status, auxv. */
#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmas.h"

#define AT_FLAGS_MANYPROTS	(1UL << 1)

static bool parse_entry(char *line, struct entry *e)
{
	char perm[5];
	int n = 0;

	memset(e, 0, sizeof(*e));
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %"
		   SCNu64 "%n", &e->start, &e->end, perm, &e->offset,
		   &e->major, &e->minor, &e->ino, &n) != 7 || !n)
		return false;
	e->read = perm[0] == 'r';
	e->write = perm[1] == 'w';
	e->exec = perm[2] == 'x';
	e->shared = perm[3] == 's';
	for (line += n; *line == ' '; line++)
		;
	e->path = line;
	return true;
}

static void parse_flags(const char *s, struct entry *e)
{
	while (*s) {
		while (*s == ' ')
			s++;
		if (!strncmp(s, "mp", 2) && (!s[2] || s[2] == ' '))
			e->mp = true;
		if (!strncmp(s, "mc", 2) && (!s[2] || s[2] == ' '))
			e->mc = true;
		while (*s && *s != ' ')
			s++;
	}
}

/* The gate page of x86_64 has a line, but is no VMA of the process. */
static bool is_gate(const struct entry *e)
{
	return !strcmp(e->path, "[vsyscall]");
}

static int read_entries(struct proc *p)
{
	size_t room = 0;
	struct buf b = {};
	struct entry e;
	char *pos, *line;
	int err;

	p->have_flags = true;
	err = read_proc(p->proc_dir, &b, "%d/smaps", p->pid);
	if (err == -ENOENT) {
		/* a kernel without CONFIG_PROC_PAGE_MONITOR, or no process */
		p->have_flags = false;
		err = read_proc(p->proc_dir, &b, "%d/maps", p->pid);
	}
	if (err) {
		free(b.p);
		return err;
	}
	p->text = b.p;
	pos = b.p;
	while ((line = next_line(&pos))) {
		if (!strncmp(line, "VmFlags:", 8)) {
			if (p->nr_entries)
				parse_flags(line + 8,
					    &p->entries[p->nr_entries - 1]);
			continue;
		}
		/* "Rss:" and the like do not parse; "a-b r-xp ..." does */
		if (!isxdigit((unsigned char)*line) || !parse_entry(line, &e))
			continue;
		if (p->nr_entries == room) {
			room = room * 2 + 256;
			p->entries = xrealloc(p->entries, room,
					      sizeof(*p->entries));
		}
		p->entries[p->nr_entries++] = e;
	}
	return 0;
}

static bool status_field(const char *status, const char *name, long *value)
{
	size_t len = strlen(name);
	const char *s = status;

	for (; s; s = strchr(s, '\n'), s = s ? s + 1 : NULL)
		if (!strncmp(s, name, len) && s[len] == ':')
			return sscanf(s + len + 1, "%ld", value) == 1;
	return false;
}

static void read_status(struct proc *p, const char *status)
{
	const char *s = status;

	if (!strncmp(s, "Name:", 5)) {
		s += 5;
		while (*s == '\t' || *s == ' ')
			s++;
		snprintf(p->comm, sizeof(p->comm), "%.*s",
			 (int)strcspn(s, "\n"), s);
	}
	p->have_vmacount = status_field(status, "VmaCount", &p->vmas);
}

static void read_auxv(struct proc *p)
{
	struct elf_auxv { unsigned long type, value; } *a;
	struct buf b = {};
	size_t i;

	if (!read_proc(p->proc_dir, &b, "%d/auxv", p->pid) &&
	    b.len >= sizeof(*a)) {
		p->have_auxv = true;
		a = (struct elf_auxv *)b.p;
		for (i = 0; i < b.len / sizeof(*a); i++) {
			if (a[i].type == AT_BASE)
				p->at_base = a[i].value;
			if (a[i].type == AT_FLAGS)
				p->at_flag = a[i].value & AT_FLAGS_MANYPROTS;
		}
	}
	free(b.p);
}

void free_proc(struct proc *p)
{
	size_t i;

	for (i = 0; i < p->nr_images; i++)
		free(p->images[i].reason);
	free(p->images);
	free(p->entries);
	free(p->text);
	memset(p, 0, sizeof(*p));
}

int read_process(const char *proc_dir, pid_t pid, struct proc *p)
{
	struct buf status = {};
	char path[PATH_MAX];
	ssize_t n;
	size_t i;
	int err;

	memset(p, 0, sizeof(*p));
	p->proc_dir = proc_dir;
	p->pid = pid;
	p->peak_vmas = -1;
	p->peak_lines = -1;
	snprintf(path, sizeof(path), "%s/%d/exe", proc_dir, pid);
	n = readlink(path, p->exe, sizeof(p->exe) - 1);
	p->exe[n > 0 ? n : 0] = '\0';
	read_auxv(p);
	err = read_entries(p);
	if (err)
		goto fail;
	/* The lines first and the count directly after: a race shows least. */
	err = read_proc(proc_dir, &status, "%d/status", pid);
	if (err)
		goto fail;
	read_status(p, status.p);
	free(status.p);
	status.p = NULL;
	if (!p->nr_entries) {
		err = -ESRCH;
		goto fail;
	}
	p->lines = p->nr_entries;
	for (i = 0; i < p->nr_entries; i++)
		p->vsyscall += is_gate(&p->entries[i]);
	if (!p->have_vmacount)
		p->vmas = p->lines - p->vsyscall;
	find_images(p);
	return 0;
fail:
	free(status.p);
	free_proc(p);
	/* vanished between two reads */
	return err == -ENOENT ? -ESRCH : err;
}

bool libraries_known(const struct proc *p)
{
	return p->have_flags || !p->have_vmacount ||
	       p->vmas == p->lines - p->vsyscall;
}

void sample_peak(const char *proc_dir, pid_t pid, long *peak_vmas,
		 long *peak_lines)
{
	static struct buf maps, status;
	long vmas, lines = 0, gate;
	char *s;

	if (read_proc(proc_dir, &maps, "%d/maps", pid) || !maps.len ||
	    read_proc(proc_dir, &status, "%d/status", pid))
		return;
	for (s = maps.p; (s = strchr(s, '\n')); s++)
		lines++;
	gate = strstr(maps.p, "[vsyscall]\n") ? 1 : 0;
	if (!status_field(status.p, "VmaCount", &vmas))
		vmas = lines - gate;
	if (vmas > *peak_vmas)
		*peak_vmas = vmas;
	if (lines > *peak_lines)
		*peak_lines = lines;
}
