// SPDX-License-Identifier: GPL-2.0
/* vmas PID... and vmas -a */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmas.h"

static void add_total(struct proc *total, const struct proc *p)
{
	total->libraries += p->libraries;
	total->vmas += p->vmas;
	total->lines += p->lines;
	total->library_vmas += p->library_vmas;
}

static int compare_pid(const void *a, const void *b)
{
	return (*(const pid_t *)a > *(const pid_t *)b) -
	       (*(const pid_t *)a < *(const pid_t *)b);
}

static size_t all_pids(const char *proc_dir, pid_t **list)
{
	DIR *d = opendir(proc_dir);
	struct dirent *de;
	size_t nr = 0;

	if (!d)
		die(EXIT_SELF, "cannot read %s: %s", proc_dir, strerror(errno));
	while ((de = readdir(d))) {
		if (!isdigit((unsigned char)*de->d_name))
			continue;
		*list = xrealloc(*list, nr + 1, sizeof(**list));
		(*list)[nr++] = atoi(de->d_name);
	}
	closedir(d);
	if (nr)
		qsort(*list, nr, sizeof(**list), compare_pid);
	return nr;
}

/* With @all it is no failure that a process cannot be read. */
static int report(const struct options *opt, const pid_t *pids, size_t nr,
		  bool all)
{
	struct proc total = { .peak_vmas = -1 };
	size_t i, shown = 0, denied = 0;
	int status = EXIT_SUCCESS;
	struct slab slab = {};
	bool known = true;
	struct report r;

	if (opt->slab)
		read_slab(opt, &slab);
	open_report(&r, opt, stdout);
	begin_report(&r, false);
	for (i = 0; i < nr; i++) {
		struct proc p;
		int err = read_process(opt->proc_dir, pids[i], &p);

		if (err) {
			/* Processes come and go while -a looks. */
			if (all) {
				denied += err == -EACCES || err == -EPERM;
				continue;
			}
			warn("process %d: %s", pids[i], err == -ESRCH ?
			     "no such process, or it has no address space" :
			     strerror(-err));
			status = EXIT_PARTIAL;
			continue;
		}
		print_process(&r, &p);
		add_total(&total, &p);
		known &= libraries_known(&p);
		shown++;
		free_proc(&p);
	}
	if (shown > 1) {
		snprintf(total.comm, sizeof(total.comm), "%zu processes",
			 shown);
		print_total(&r, &total, known);
	}
	end_report(&r, &slab, NULL, -1);
	if (denied)
		warn("%zu processes left out: not permitted", denied);
	if (!shown)
		status = EXIT_PARTIAL;
	return status;
}

int report_pids(const struct options *opt, const pid_t *pids, size_t nr)
{
	return report(opt, pids, nr, false);
}

int report_all(const struct options *opt)
{
	pid_t *pids = NULL;
	size_t nr = all_pids(opt->proc_dir, &pids);

	return report(opt, pids, nr, true);
}
