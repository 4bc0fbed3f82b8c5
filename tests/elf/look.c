// SPDX-License-Identifier: GPL-2.0
/* See look.h. */
#define _GNU_SOURCE
#include <elf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "look.h"

#define AT_FLAGS_MANYPROTS	2
#define MAX_HASHED		192	/* pages of one entry */
#define MAX_SHOWN		8	/* lines of a difference */

void say(struct record *to, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	to->size += vsnprintf(to->text + to->size, sizeof(to->text) - to->size, format,
			      ap);
	va_end(ap);
	if (to->size >= sizeof(to->text))
		errx(99, "a record is longer than %zu bytes", sizeof(to->text));
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line ? line + 1 : line;
}

void print_difference(const char *off, const char *on)
{
	int shown = 0;

	for (; (*off || *on) && shown < MAX_SHOWN; off = next_line(off), on = next_line(on)) {
		int noff = strcspn(off, "\n"), non = strcspn(on, "\n");

		if (noff == non && !memcmp(off, on, noff))
			continue;
		printf("-%.*s\n+%.*s\n", noff, off, non, on);
		shown++;
	}
}

uint64_t hash(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint64_t h = 0xcbf29ce484222325;

	for (; n >= 8; n -= 8, b += 8) {
		uint64_t word;

		memcpy(&word, b, 8);
		h = (h ^ word) * 0x100000001b3;
		h ^= h >> 29;
	}
	for (; n--; b++)
		h = (h ^ *b) * 0x100000001b3;
	return h;
}

/* A file of /proc; the size of what was read, a 0 behind it. */
static size_t slurp(const char *path, void *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t all = 0;
	ssize_t n;

	if (fd < 0)
		err(99, "%s", path);
	while ((n = read(fd, (char *)buf + all, size - 1 - all)) > 0)
		all += n;
	if (n < 0)
		err(99, "%s", path);
	close(fd);
	((char *)buf)[all] = 0;
	return all;
}

static size_t slurp_of(const struct subject *s, const char *name, void *buf, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", s->pid, name);
	return slurp(path, buf, size);
}

long committed(void)
{
	char buf[8192], *p;

	slurp("/proc/meminfo", buf, sizeof(buf));
	p = strstr(buf, "Committed_AS:");
	if (!p)
		errx(99, "/proc/meminfo: no Committed_AS");
	return atol(p + strlen("Committed_AS:"));
}

/* VmFlags, but for what tells how runs are divided, and soft-dirty. */
static void keep_flags(char *flags, const char *line)
{
	char word[8];
	int n;

	*flags = 0;
	for (; sscanf(line, "%7s%n", word, &n) == 1; line += n)
		if (strcmp(word, "mp") && strcmp(word, "mc") && strcmp(word, "sd"))
			strcat(strcat(flags, word), " ");
}

static bool continues(const struct entry *a, const struct entry *b)
{
	return a->end == b->start && !strcmp(a->perms, b->perms) &&
	       a->inode == b->inode && !strcmp(a->name, b->name) &&
	       !strcmp(a->flags, b->flags) &&
	       (!a->inode || a->offset + (a->end - a->start) == b->offset);
}

static void add_entry(struct subject *s, const struct entry *e)
{
	if (s->entries && continues(&s->entry[s->entries - 1], e)) {
		s->entry[s->entries - 1].end = e->end;
		return;
	}
	if (s->entries == MAX_ENTRIES)
		errx(99, "more than %d entries in smaps", MAX_ENTRIES);
	s->entry[s->entries++] = *e;
}

void look(struct subject *s, bool brk_used)
{
	char path[64], line[512];
	struct entry e = { 0 };
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", s->pid);
	f = fopen(path, "re");
	if (!f)
		err(99, "%s", path);
	s->entries = 0;
	while (fgets(line, sizeof(line), f)) {
		struct entry new = { 0 };

		if (!strncmp(line, "VmFlags:", 8)) {
			if (strstr(line, " mp") && !strncmp(e.name, DIR, strlen(DIR)))
				s->multi = true;
			if (brk_used && !strcmp(e.name, "[heap]"))
				e.name[0] = 0;
			keep_flags(e.flags, line + 8);
			add_entry(s, &e);
		} else if (sscanf(line, "%lx-%lx %4s %lx %*s %lu %63s", &new.start,
				  &new.end, new.perms, &new.offset, &new.inode,
				  new.name) >= 5) {
			e = new;
		}
	}
	fclose(f);
}

void say_entries(struct record *to, const struct subject *s)
{
	for (unsigned int i = 0; i < s->entries; i++) {
		const struct entry *e = &s->entry[i];

		say(to, "map %lx-%lx %s %lx %s %s\n", e->start, e->end, e->perms,
		    e->offset, e->name, e->flags);
	}
}

void say_status(struct record *to, const struct subject *s)
{
	static const char *const fields[] = {
		"VmSize:", "VmData:", "VmStk:", "VmExe:", "VmLib:", "VmLck:",
	};
	char buf[4096];

	slurp_of(s, "status", buf, sizeof(buf));
	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++) {
		const char *p = strstr(buf, fields[i]);

		if (!p)
			errx(99, "/proc/PID/status: no %s", fields[i]);
		say(to, "%s%lu ", fields[i], strtoul(p + strlen(fields[i]), NULL, 10));
	}
	say(to, "\n");
}

void say_stat(struct record *to, const struct subject *s)
{
	char buf[1024], *p, *save;

	slurp_of(s, "stat", buf, sizeof(buf));
	p = strrchr(buf, ')');
	if (!p)
		errx(99, "/proc/PID/stat: no name");
	p = strtok_r(p + 1, "\n ", &save);
	for (int field = 3; p; field++, p = strtok_r(NULL, "\n ", &save))
		if ((field >= 26 && field <= 28) || (field >= 45 && field <= 51))
			say(to, "stat%d=%lx ", field, strtoul(p, NULL, 10));
	say(to, "\n");
}

static void say_aux(struct record *to, uint64_t type, uint64_t value)
{
	if (type == AT_FLAGS)
		value &= ~AT_FLAGS_MANYPROTS;
	say(to, "aux %lu=%lx\n", type, value);
}

void say_auxv(struct record *to, const struct subject *s)
{
	union {
		char bytes[1024];
		Elf32_auxv_t v32[1];
		Elf64_auxv_t v64[1];
	} buf;
	size_t n = slurp_of(s, "auxv", &buf, sizeof(buf));

	if (s->is32) {
		for (size_t i = 0; i < n / sizeof(*buf.v32); i++)
			say_aux(to, buf.v32[i].a_type, buf.v32[i].a_un.a_val);
	} else {
		for (size_t i = 0; i < n / sizeof(*buf.v64); i++)
			say_aux(to, buf.v64[i].a_type, buf.v64[i].a_un.a_val);
	}
}

static void say_pages(struct record *to, const struct subject *s, uint64_t from,
		      uint64_t end)
{
	static uint8_t bytes[32 * PAGE];

	while (from < end) {
		size_t n = end - from < sizeof(bytes) ? end - from : sizeof(bytes);
		ssize_t got = pread(s->mem, bytes, n, from);

		if (got <= 0) {
			say(to, " %lx:%d", from, errno);
			from += PAGE;
			continue;
		}
		for (ssize_t i = 0; i < got; i += PAGE)
			say(to, " %x", (uint32_t)hash(bytes + i, PAGE));
		from += PAGE_DOWN(got);
	}
}

void say_memory(struct record *to, const struct subject *s)
{
	for (unsigned int i = 0; i < s->entries; i++) {
		const struct entry *e = &s->entry[i];

		if (e->name[0] == '[' && strcmp(e->name, "[heap]"))
			continue;
		/* Also where a segment is over part of it the stack has random bytes. */
		if (s->regs.rsp >= e->start && s->regs.rsp < e->end)
			continue;
		say(to, "mem %lx", e->start);
		if (e->end - e->start <= MAX_HASHED * PAGE) {
			say_pages(to, s, e->start, e->end);
		} else {
			say_pages(to, s, e->start, e->start + MAX_HASHED / 2 * PAGE);
			say_pages(to, s, e->end - MAX_HASHED / 2 * PAGE, e->end);
		}
		say(to, "\n");
	}
}
