// SPDX-License-Identifier: GPL-2.0
/* The report, as a table or as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "vmas.h"

static const char * const kind_name[] = { "library", "program", "loader" };

/* What read_manyprots() returns on a kernel without it: no value of the sysctl. */
#define NO_MANYPROTS	INT_MIN

static int read_manyprots(const char *proc_dir)
{
	struct buf b = {};
	int value = NO_MANYPROTS;

	if (!read_proc(proc_dir, &b, "sys/vm/manyprots") && b.len)
		value = atoi(b.p);
	free(b.p);
	return value;
}

/* Length of a valid UTF-8 sequence at @s, 0 if there is none. */
static int utf8_len(const unsigned char *s)
{
	int n, i;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, beyond U+10FFFF */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static void json_string(FILE *f, const char *str)
{
	const unsigned char *s = (const unsigned char *)str;

	fputc('"', f);
	while (*s) {
		int n = utf8_len(s);

		if (!n) {
			fputs("\\ufffd", f);
			n = 1;
		} else if (*s == '"' || *s == '\\') {
			fprintf(f, "\\%c", *s);
		} else if (*s < 0x20) {
			fprintf(f, "\\u%04x", *s);
		} else {
			fwrite(s, n, 1, f);
		}
		s += n;
	}
	fputc('"', f);
}

static const char *json_bool(bool b)
{
	return b ? "true" : "false";
}

static void json_process(FILE *f, const struct proc *p)
{
	bool known = libraries_known(p);
	size_t i;

	fprintf(f, "    {\n      \"pid\": %d,\n      \"command\": ", p->pid);
	json_string(f, p->comm);
	fprintf(f, ",\n      \"exe\": ");
	json_string(f, p->exe);
	fprintf(f, ",\n      \"vma_count\": %s,\n",
		json_bool(p->have_vmacount));
	fprintf(f, "      \"at_flags_manyprots\": %s,\n",
		p->have_auxv ? json_bool(p->at_flag) : "null");
	fprintf(f, "      \"libraries\": %ld,\n", p->libraries);
	fprintf(f, "      \"vmas\": %ld,\n", p->vmas);
	fprintf(f, "      \"maps_lines\": %ld,\n", p->lines);
	if (known) {
		fprintf(f, "      \"library_vmas\": %ld,\n", p->library_vmas);
		fprintf(f, "      \"libraries_split\": %ld,\n", p->split);
	} else {
		fprintf(f, "      \"library_vmas\": null,\n");
		fprintf(f, "      \"libraries_split\": null,\n");
	}
	fprintf(f, "      \"library_lines\": %ld,\n", p->library_lines);
	if (known && p->libraries)
		fprintf(f, "      \"vmas_per_library\": %.4f,\n",
			(double)p->library_vmas / p->libraries);
	else
		fprintf(f, "      \"vmas_per_library\": null,\n");
	if (p->peak_vmas >= 0)
		fprintf(f, "      \"peak_vmas\": %ld,\n      \"peak_maps_lines\": %ld,\n",
			p->peak_vmas, p->peak_lines);
	fprintf(f, "      \"images\": [");
	for (i = 0; i < p->nr_images; i++) {
		const struct image *im = &p->images[i];

		fprintf(f, "%s\n        {\"path\": ", i ? "," : "");
		json_string(f, im->path);
		fprintf(f, ", \"kind\": \"%s\", \"start\": \"0x%" PRIx64
			"\", \"end\": \"0x%" PRIx64 "\", ",
			kind_name[im->kind], im->start, im->end);
		if (known)
			fprintf(f, "\"vmas\": %u, ", im->vmas);
		else
			fprintf(f, "\"vmas\": null, ");
		fprintf(f, "\"lines\": %u, \"reason\": ", im->lines);
		if (known && im->reason)
			json_string(f, im->reason);
		else
			fprintf(f, "null");
		fprintf(f, "}");
	}
	fprintf(f, "%s]\n    }", p->nr_images ? "\n      " : "");
}

static void json_slab(FILE *f, const struct slab *s, const struct slab *before)
{
	uint64_t active, bytes, active0 = 0, bytes0 = 0;
	size_t i;

	slab_sum(s, &active, &bytes);
	if (before)
		slab_sum(before, &active0, &bytes0);
	fprintf(f, "  \"slab\": {\n    \"active_bytes\": %" PRIu64
		",\n    \"slab_bytes\": %" PRIu64 ",\n", active, bytes);
	if (before)
		fprintf(f, "    \"active_bytes_before\": %" PRIu64
			",\n    \"slab_bytes_before\": %" PRIu64
			",\n    \"active_bytes_grown\": %" PRId64
			",\n    \"slab_bytes_grown\": %" PRId64 ",\n",
			active0, bytes0, (int64_t)(active - active0),
			(int64_t)(bytes - bytes0));
	fprintf(f, "    \"caches\": [");
	for (i = 0; i < s->nr; i++) {
		const struct cache *c = &s->cache[i];

		fprintf(f, "%s\n      {\"name\": ", i ? "," : "");
		json_string(f, c->name);
		fprintf(f, ", \"active_objects\": %" PRIu64 ", \"objects\": %"
			PRIu64 ", \"object_bytes\": %" PRIu64
			", \"active_bytes\": %" PRIu64 ", \"slab_bytes\": %"
			PRIu64, c->active, c->objects, c->objsize,
			active_bytes(c), slab_bytes(c));
		if (before) {
			const struct cache *o = find_cache(before, c->name);

			fprintf(f, ", \"active_objects_before\": %" PRIu64
				", \"active_bytes_grown\": %" PRId64
				", \"slab_bytes_grown\": %" PRId64, o->active,
				(int64_t)(active_bytes(c) - active_bytes(o)),
				(int64_t)(slab_bytes(c) - slab_bytes(o)));
		}
		fprintf(f, ", \"merged\": %s}", json_bool(c->merged));
	}
	fprintf(f, "%s]\n  }", s->nr ? "\n    " : "");
}

static void json_begin(FILE *f, const struct options *opt)
{
	struct utsname u;
	int manyprots = read_manyprots(opt->proc_dir);

	uname(&u);
	fprintf(f, "{\n  \"kernel\": {\"release\": ");
	json_string(f, u.release);
	fprintf(f, ", \"version\": ");
	json_string(f, u.version);
	fprintf(f, ", \"machine\": ");
	json_string(f, u.machine);
	if (manyprots != NO_MANYPROTS)
		fprintf(f, ", \"manyprots\": %d},\n", manyprots);
	else
		fprintf(f, ", \"manyprots\": null},\n");
	fprintf(f, "  \"page_size\": %ld,\n  \"processes\": [\n",
		sysconf(_SC_PAGESIZE));
}

static void json_end(const struct report *r, const struct slab *s,
		     const struct slab *before, int status)
{
	FILE *f = r->f;

	fprintf(f, "%s  ],\n", r->first ? "" : "\n");
	if (status >= 0)
		fprintf(f, "  \"exit_status\": %d,\n", status);
	if (!r->opt->slab || s->error) {
		fprintf(f, "  \"slab_error\": ");
		if (r->opt->slab)
			json_string(f, strerror(s->error));
		else
			fprintf(f, "null");
		fprintf(f, ",\n  \"slab\": null\n}\n");
		return;
	}
	json_slab(f, s, before && before->error ? NULL : before);
	fprintf(f, "\n}\n");
}

static void table_head(FILE *f, bool peak)
{
	fprintf(f, "%8s %9s %8s%s %10s %9s  %s\n", "PID", "LIBRARIES", "VMAS",
		peak ? "     PEAK" : "", "MAPS LINES", "VMAS/LIB", "COMMAND");
}

static void table_numbers(FILE *f, const char *pid, const struct proc *p,
			  bool known)
{
	fprintf(f, "%8s %9ld %8ld", pid, p->libraries, p->vmas);
	if (p->peak_vmas >= 0)
		fprintf(f, " %8ld", p->peak_vmas);
	fprintf(f, " %10ld", p->lines);
	if (known && p->libraries)
		fprintf(f, " %9.2f", (double)p->library_vmas / p->libraries);
	else
		fprintf(f, " %9s", "-");
	fprintf(f, "  %s\n", p->comm);
}

static void table_process(FILE *f, const struct options *opt,
			  const struct proc *p)
{
	bool known = libraries_known(p);
	char pid[16];
	size_t i;

	snprintf(pid, sizeof(pid), "%d", p->pid);
	table_numbers(f, pid, p, known);
	if (!known)
		fprintf(f, "         VMAs of libraries unknown: this kernel has no smaps\n");
	for (i = 0; known && i < p->nr_images; i++) {
		const struct image *im = &p->images[i];

		if (!opt->libraries &&
		    (!opt->split || im->kind != KIND_LIBRARY || im->vmas < 2))
			continue;
		fprintf(f, "%27u%s %10u            %s", im->vmas,
			p->peak_vmas >= 0 ? "         " : "", im->lines,
			im->path);
		if (im->kind != KIND_LIBRARY)
			fprintf(f, " (%s)", kind_name[im->kind]);
		fputc('\n', f);
		if (im->reason && im->kind == KIND_LIBRARY)
			fprintf(f, "%49s    - %s\n", "", im->reason);
	}
}

static void table_slab(FILE *f, const struct options *opt,
		       const struct slab *s, const struct slab *before)
{
	uint64_t active, bytes, active0, bytes0;
	bool merged = false;
	size_t i;

	if (s->error) {
		fprintf(f, "\nVMA slab: not counted, cannot read %s/slabinfo: %s%s\n",
			opt->proc_dir, strerror(s->error),
			s->error == EACCES ? " (only root may)" :
			s->error == ENOENT ? " (kernel with CONFIG_SLUB_TINY?)" :
			"");
		return;
	}
	fprintf(f, "\n%-24s %10s %8s %12s %12s", "VMA slab, whole system",
		"OBJECTS", "SIZE", "OBJECT BYTES", "SLAB BYTES");
	if (before)
		fprintf(f, " %12s %12s", "OBJ. GROWN", "SLAB GROWN");
	fputc('\n', f);
	for (i = 0; i < s->nr; i++) {
		const struct cache *c = &s->cache[i];

		/* One of the many sizes of run maps that is not in use. */
		if (!c->slabs && !c->merged &&
		    (!before || !find_cache(before, c->name)->slabs))
			continue;
		merged |= c->merged;
		fprintf(f, "%-23s%s %10" PRIu64 " %8" PRIu64 " %12" PRIu64
			" %12" PRIu64, c->name, c->merged ? "*" : " ",
			c->active, c->objsize, active_bytes(c), slab_bytes(c));
		if (before) {
			const struct cache *o = find_cache(before, c->name);

			fprintf(f, " %+12" PRId64 " %+12" PRId64,
				(int64_t)(active_bytes(c) - active_bytes(o)),
				(int64_t)(slab_bytes(c) - slab_bytes(o)));
		}
		fputc('\n', f);
	}
	slab_sum(s, &active, &bytes);
	fprintf(f, "%-24s %10s %8s %12" PRIu64 " %12" PRIu64, "total", "", "",
		active, bytes);
	if (before) {
		slab_sum(before, &active0, &bytes0);
		fprintf(f, " %+12" PRId64 " %+12" PRId64,
			(int64_t)(active - active0), (int64_t)(bytes - bytes0));
	}
	fputc('\n', f);
	if (merged)
		fprintf(f, "* serves other names too: boot with slab_nomerge to tell them apart\n");
}

void open_report(struct report *r, const struct options *opt, FILE *by_default)
{
	r->opt = opt;
	r->f = by_default;
	r->name = by_default == stdout ? "standard output" : "standard error";
	r->first = true;
	if (opt->output) {
		r->name = opt->output;
		r->f = fopen(opt->output, "we");
		if (!r->f)
			die(EXIT_SELF, "cannot write %s: %s", r->name,
			    strerror(errno));
	}
}

void begin_report(struct report *r, bool peak)
{
	if (r->opt->json)
		json_begin(r->f, r->opt);
	else
		table_head(r->f, peak);
}

void print_process(struct report *r, const struct proc *p)
{
	if (r->opt->json) {
		if (!r->first)
			fprintf(r->f, ",\n");
		json_process(r->f, p);
	} else {
		table_process(r->f, r->opt, p);
	}
	r->first = false;
}

void print_total(struct report *r, const struct proc *total, bool known)
{
	if (!r->opt->json)
		table_numbers(r->f, "total", total, known);
}

void end_report(struct report *r, const struct slab *slab,
		const struct slab *before, int status)
{
	FILE *f = r->f;

	if (r->opt->json)
		json_end(r, slab, before, status);
	else if (r->opt->slab)
		table_slab(f, r->opt, slab, before);
	if (fflush(f) || ferror(f))
		die(EXIT_SELF, "cannot write %s: %s", r->name, strerror(errno));
	if (f != stdout && f != stderr && fclose(f))
		die(EXIT_SELF, "cannot write %s: %s", r->name, strerror(errno));
}
