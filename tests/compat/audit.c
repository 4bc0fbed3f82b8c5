// SPDX-License-Identifier: GPL-2.0
/* audit.c - an LD_AUDIT library: says which objects and symbols are bound */
#define _GNU_SOURCE
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

unsigned int la_version(unsigned int version)
{
	return version;
}

unsigned int la_objopen(struct link_map *map, Lmid_t lmid, uintptr_t *cookie)
{
	const char *name = strrchr(map->l_name, '/');

	(void)lmid;
	(void)cookie;
	fprintf(stderr, "audit: object %s\n", name ? name + 1 : "");
	return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned int index,
		       uintptr_t *referer, uintptr_t *definer,
		       unsigned int *flags, const char *name)
{
	(void)index;
	(void)referer;
	(void)definer;
	(void)flags;
	if (!strncmp(name, "subject_", 8))
		fprintf(stderr, "audit: symbol %s\n", name);
	return symbol->st_value;
}
