// SPDX-License-Identifier: GPL-2.0
/* See layout.h. */
#define _GNU_SOURCE
#include <err.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"

static FILE *open_proc(pid_t pid, const char *name)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	f = fopen(path, "re");
	if (!f)
		err(1, "%s", path);
	return f;
}

const char *layout_base(const char *name)
{
	const char *slash = *name == '/' ? strrchr(name, '/') : NULL;

	return slash ? slash + 1 : name;
}

static bool continues(const struct layout_entry *a, const struct layout_entry *b)
{
	return a->end == b->start && !strcmp(a->perms, b->perms) &&
	       a->inode == b->inode && !strcmp(a->name, b->name) &&
	       (!a->inode || a->offset + (a->end - a->start) == b->offset);
}

void layout_each(pid_t pid, layout_fn fn, void *data)
{
	struct layout_entry last = { 0 }, e;
	char line[PATH_MAX + 256], path[PATH_MAX];
	FILE *f = open_proc(pid, "maps");

	while (fgets(line, sizeof(line), f)) {
		path[0] = 0;
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64
			   " %*s %" SCNu64 " %4095[^\n]", &e.start, &e.end,
			   e.perms, &e.offset, &e.inode, path) < 5)
			errx(1, "maps: %s", line);
		if (!e.inode)
			e.offset = 0;
		snprintf(e.name, sizeof(e.name), "%.255s", path);
		if (last.end && continues(&last, &e)) {
			last.end = e.end;
			continue;
		}
		if (last.end)
			fn(&last, data);
		last = e;
	}
	if (last.end)
		fn(&last, data);
	fclose(f);
}

void layout_print(FILE *to, const struct layout_entry *e)
{
	fprintf(to, "%" PRIx64 "-%" PRIx64 " %s %" PRIx64 " %s\n", e->start,
		e->end, e->perms, e->offset, layout_base(e->name));
}

long layout_vmas(pid_t pid)
{
	char line[PATH_MAX + 256];
	long n = -1;
	FILE *f = open_proc(pid, "status");

	while (n < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "VmaCount: %ld", &n);
	fclose(f);
	if (n >= 0)
		return n;
	n = 0;
	f = open_proc(pid, "maps");
	while (fgets(line, sizeof(line), f))
		n++;
	fclose(f);
	return n;
}

long layout_vmas_between(pid_t pid, uint64_t start, uint64_t end)
{
	char line[PATH_MAX + 256];
	uint64_t from, to;
	bool inside = false, first = true;
	long n = 0;
	FILE *f = open_proc(pid, "smaps");

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &from, &to) == 2) {
			inside = from < end && to > start;
		} else if (inside && !strncmp(line, "VmFlags:", 8)) {
			/* The VMA of the first may begin before START. */
			n += first || !strstr(line, " mc");
			first = false;
		}
	}
	fclose(f);
	return n;
}
