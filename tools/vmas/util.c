// SPDX-License-Identifier: GPL-2.0
/* Messages, memory, and files that are text. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmas.h"

static void complain(const char *fmt, va_list ap)
{
	fflush(stdout);
	fputs("vmas: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	exit(status);
}

void warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
}

void *xrealloc(void *p, size_t nr, size_t size)
{
	p = reallocarray(p, nr, size);
	if (!p)
		die(EXIT_SELF, "out of memory");
	return p;
}

char *xstrdup(const char *s)
{
	char *p = strdup(s);

	if (!p)
		die(EXIT_SELF, "out of memory");
	return p;
}

void append(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (b->len + n + 1 > b->size) {
		b->size = (b->len + n + 1) * 2;
		b->p = xrealloc(b->p, b->size, 1);
	}
	va_start(ap, fmt);
	vsnprintf(b->p + b->len, n + 1, fmt, ap);
	va_end(ap);
	b->len += n;
}

/* A /proc file has to be read until it ends: its size is not known before. */
int read_file(const char *path, struct buf *b)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	ssize_t n;

	b->len = 0;
	if (fd < 0)
		return -errno;
	for (;;) {
		if (b->size - b->len < 65536) {
			b->size = b->size * 2 + 131072;
			b->p = xrealloc(b->p, b->size, 1);
		}
		n = read(fd, b->p + b->len, b->size - b->len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		b->len += n;
	}
	err = n < 0 ? -errno : 0;
	close(fd);
	b->p[b->len] = '\0';
	return err;
}

int read_proc(const char *proc_dir, struct buf *b, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;
	int n;

	n = snprintf(path, sizeof(path), "%s/", proc_dir);
	va_start(ap, fmt);
	n += vsnprintf(path + n, sizeof(path) - n, fmt, ap);
	va_end(ap);
	if ((size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	return read_file(path, b);
}

char *next_line(char **p)
{
	char *line = *p, *nl;

	if (!*line)
		return NULL;
	nl = strchr(line, '\n');
	if (nl) {
		*nl = '\0';
		*p = nl + 1;
	} else {
		*p = line + strlen(line);
	}
	return line;
}
