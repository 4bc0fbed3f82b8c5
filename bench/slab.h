/* SPDX-License-Identifier: GPL-2.0 */
/* The memory that VMAs and run maps take. Only root may read it. */
#ifndef BENCH_SLAB_H
#define BENCH_SLAB_H

#include <fcntl.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>

#include "bench.h"

static inline int is_vma_cache(const char *name)
{
	static const char *const caches[] = {
		"vm_area_struct", "vma_lock", "anon_vma", "anon_vma_chain", "maple_node",
	};

	for (size_t i = 0; i < sizeof(caches) / sizeof(*caches); i++)
		if (!strcmp(name, caches[i]))
			return 1;
	return !strncmp(name, "vma_run", 7);
}

/* Takes slabs from the CPUs, which count as in use as a whole; else nothing. */
static inline void shrink_cache(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return;
	if (write(fd, "1", 1) != 1)
		err(1, "%s", path);
	close(fd);
}

/* Bytes of the objects in use; -1 where it may not be read. */
static inline double vma_slab(void)
{
	unsigned long active, objects, size;
	char line[512], name[64];
	double sum = 0;
	FILE *f;

	/*
	 * What is freed after a grace period is freed; the kernel gathers it for
	 * up to five seconds, in which a guest that counts instructions has
	 * nothing to do.
	 */
	for (int i = 0; i < 2; i++)
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	sleep(instructions ? 6 : 1);
	for (int shrunk = 0; shrunk < 2; shrunk++) {
		f = fopen("/proc/slabinfo", "r");
		if (!f)
			return -1;
		while (fgets(line, sizeof(line), f)) {
			if (sscanf(line, "%63s %lu %lu %lu", name, &active, &objects,
				   &size) != 4 || !is_vma_cache(name))
				continue;
			if (!shrunk)
				shrink_cache(name);
			else
				sum += (double)active * size;
		}
		fclose(f);
	}
	return sum;
}

#endif
