// SPDX-License-Identifier: GPL-2.0
/* Memory of the slab caches that VMAs take. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmas.h"

static const char * const cache_names[] = {
	"vm_area_struct", "vma_lock", "anon_vma", "anon_vma_chain",
	"maple_node",
};

#define RUN_CACHES "vma_run"

/*
 * SLUB may let one cache serve several names (slab_merge): then the others
 * are missing in slabinfo and the one shown counts foreign objects too.
 */
static bool is_merged(const char *sys_dir, const char *name)
{
	char path[PATH_MAX];
	struct buf b = {};
	bool merged;

	snprintf(path, sizeof(path), "%s/kernel/slab/%s/aliases", sys_dir,
		 name);
	merged = !read_file(path, &b) && b.len && atol(b.p) > 0;
	free(b.p);
	return merged;
}

static bool in_sysfs(const char *sys_dir, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/kernel/slab/%s", sys_dir, name);
	return !access(path, F_OK);
}

/*
 * SLUB counts every object of a slab that a CPU holds as in use.  Shrinking
 * a cache takes its slabs from the CPUs and frees the empty ones, after which
 * the numbers are exact.
 */
static void shrink(const char *sys_dir, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/kernel/slab/%s/shrink", sys_dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		die(EXIT_SELF, "--exact: cannot write %s: %s", path,
		    strerror(errno));
	close(fd);
}

static void shrink_all(const char *sys_dir)
{
	char path[PATH_MAX];
	struct dirent *de;
	size_t i;
	DIR *d;

	for (i = 0; i < sizeof(cache_names) / sizeof(*cache_names); i++)
		if (in_sysfs(sys_dir, cache_names[i]))
			shrink(sys_dir, cache_names[i]);
	snprintf(path, sizeof(path), "%s/kernel/slab", sys_dir);
	d = opendir(path);
	if (!d)
		die(EXIT_SELF, "--exact: cannot read %s: %s", path,
		    strerror(errno));
	while ((de = readdir(d)))
		if (!strncmp(de->d_name, RUN_CACHES, strlen(RUN_CACHES)))
			shrink(sys_dir, de->d_name);
	closedir(d);
}

void read_slab(const struct options *opt, struct slab *slab)
{
	const char *sys_dir = opt->sys_dir;
	struct buf b = {};
	char *pos, *line;
	size_t i;

	memset(slab, 0, sizeof(*slab));
	/*
	 * VMAs are freed after an RCU grace period, by a callback that may run
	 * a little later: let those of processes that just ended go.  Where
	 * the kernel lacks the call, numbers are noisier.
	 */
	for (i = 0; i < 2; i++)
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	if (opt->exact)
		shrink_all(sys_dir);
	slab->error = -read_proc(opt->proc_dir, &b, "slabinfo");
	if (slab->error) {
		free(b.p);
		return;
	}
	pos = b.p;
	while ((line = next_line(&pos))) {
		struct cache c = {};
		const char *data = strstr(line, ": slabdata ");
		bool ours = false;

		if (!data || *line == '#' ||
		    sscanf(line, "%63s %" SCNu64 " %" SCNu64 " %" SCNu64
			   " %*u %" SCNu64, c.name, &c.active, &c.objects,
			   &c.objsize, &c.pages_per_slab) != 5 ||
		    sscanf(data, ": slabdata %*u %" SCNu64, &c.slabs) != 1)
			continue;
		for (i = 0; i < sizeof(cache_names) / sizeof(*cache_names); i++)
			ours |= !strcmp(c.name, cache_names[i]);
		if (!ours && strncmp(c.name, RUN_CACHES, strlen(RUN_CACHES)))
			continue;
		c.merged = is_merged(sys_dir, c.name);
		if (slab->nr == MAX_CACHES)
			die(EXIT_SELF, "%s/slabinfo: too many caches",
			    opt->proc_dir);
		slab->cache[slab->nr++] = c;
	}
	free(b.p);
	for (i = 0; i < sizeof(cache_names) / sizeof(*cache_names); i++) {
		size_t j;

		for (j = 0; j < slab->nr; j++)
			if (!strcmp(slab->cache[j].name, cache_names[i]))
				break;
		if (j == slab->nr && in_sysfs(sys_dir, cache_names[i]) &&
		    slab->nr < MAX_CACHES) {
			struct cache *c = &slab->cache[slab->nr++];

			snprintf(c->name, sizeof(c->name), "%s",
				 cache_names[i]);
			c->merged = true;
		}
	}
}

uint64_t active_bytes(const struct cache *c)
{
	return c->active * c->objsize;
}

uint64_t slab_bytes(const struct cache *c)
{
	return c->slabs * c->pages_per_slab * sysconf(_SC_PAGESIZE);
}

void slab_sum(const struct slab *s, uint64_t *active, uint64_t *bytes)
{
	size_t i;

	*active = *bytes = 0;
	for (i = 0; i < s->nr; i++) {
		*active += active_bytes(&s->cache[i]);
		*bytes += slab_bytes(&s->cache[i]);
	}
}

const struct cache *find_cache(const struct slab *s, const char *name)
{
	static const struct cache none;
	size_t i;

	for (i = 0; i < s->nr; i++)
		if (!strcmp(s->cache[i].name, name))
			return &s->cache[i];
	return &none;
}
