/* Test that a library is mapped as its program headers say, in one VMA where
   the kernel can do that.
   SPDX-License-Identifier: LGPL-2.1-or-later
   Copyright The GNU Toolchain Authors.
   This file is part of the GNU C Library.

   The GNU C Library is free software; you can redistribute it and/or
   modify it under the terms of the GNU Lesser General Public
   License as published by the Free Software Foundation; either
   version 2.1 of the License, or (at your option) any later version.

   The GNU C Library is distributed in the hope that it will be useful,
   but WITHOUT ANY WARRANTY; without even the implied warranty of
   MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the GNU
   Lesser General Public License for more details.

   You should have received a copy of the GNU Lesser General Public
   License along with the GNU C Library; if not, see
   <https://www.gnu.org/licenses/>.  */

#include <inttypes.h>
#include <libc-pointer-arith.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <support/check.h>
#include <support/support.h>
#include <support/xdlfcn.h>
#include <support/xstdio.h>

/* Bit 1 of AT_FLAGS says that the kernel can.
   tst-dl-manyprots-off is this test with the feature switched off.  */
#ifndef EXPECT_ONE_VMA
# define EXPECT_ONE_VMA ((getauxval (AT_FLAGS) & 2) != 0)
#endif

static const char modname[] = "tst-dl-manyprots-mod.so";

/* The module: from its first page to the end of its last, a protection for
   each page, and what /proc/self/smaps has shown of it.  */
struct module
{
  uintptr_t start, end;
  int *prot;
  size_t npages_seen;
  size_t nvmas;
};

static size_t pagesize;

static int
protection_of (ElfW(Word) flags)
{
  return (((flags & PF_R) ? PROT_READ : 0)
	  | ((flags & PF_W) ? PROT_WRITE : 0)
	  | ((flags & PF_X) ? PROT_EXEC : 0));
}

static void
set_protection (struct module *m, uintptr_t from, uintptr_t to, int prot)
{
  for (uintptr_t p = from; p < to; p += pagesize)
    m->prot[(p - m->start) / pagesize] = prot;
}

/* What the program headers ask for.  */
static int
read_headers (struct dl_phdr_info *info, size_t size, void *closure)
{
  struct module *m = closure;
  size_t len = strlen (info->dlpi_name);
  const ElfW(Phdr) *end = info->dlpi_phdr + info->dlpi_phnum;

  if (len < strlen (modname)
      || strcmp (info->dlpi_name + len - strlen (modname), modname) != 0)
    return 0;

  m->start = UINTPTR_MAX;
  for (const ElfW(Phdr) *p = info->dlpi_phdr; p < end; ++p)
    if (p->p_type == PT_LOAD)
      {
	uintptr_t from = info->dlpi_addr + p->p_vaddr;
	if (from < m->start)
	  m->start = ALIGN_DOWN (from, pagesize);
	if (from + p->p_memsz > m->end)
	  m->end = ALIGN_UP (from + p->p_memsz, pagesize);
      }
  m->prot = xcalloc ((m->end - m->start) / pagesize, sizeof (*m->prot));

  for (const ElfW(Phdr) *p = info->dlpi_phdr; p < end; ++p)
    if (p->p_type == PT_LOAD)
      set_protection (m, ALIGN_DOWN (info->dlpi_addr + p->p_vaddr, pagesize),
		      ALIGN_UP (info->dlpi_addr + p->p_vaddr + p->p_memsz,
				pagesize), protection_of (p->p_flags));
  for (const ElfW(Phdr) *p = info->dlpi_phdr; p < end; ++p)
    if (p->p_type == PT_GNU_RELRO)
      set_protection (m, ALIGN_DOWN (info->dlpi_addr + p->p_vaddr, pagesize),
		      ALIGN_DOWN (info->dlpi_addr + p->p_vaddr + p->p_memsz,
				  pagesize), PROT_READ);
  return 1;
}

/* What the kernel has: an entry for each run of equal pages, of which all but
   a VMA's first have the flag "mc".  */
static void
read_smaps (struct module *m)
{
  FILE *f = xfopen ("/proc/self/smaps", "r");
  char *line = NULL;
  size_t len = 0;
  bool ours = false;

  while (xgetline (&line, &len, f) > 0)
    {
      uintptr_t from, to;
      char perms[5];

      if (sscanf (line, "%" SCNxPTR "-%" SCNxPTR " %4s", &from, &to, perms)
	  == 3)
	{
	  ours = from >= m->start && from < m->end;
	  if (!ours)
	    continue;
	  int prot = ((perms[0] == 'r' ? PROT_READ : 0)
		      | (perms[1] == 'w' ? PROT_WRITE : 0)
		      | (perms[2] == 'x' ? PROT_EXEC : 0));
	  for (uintptr_t p = from; p < to && p < m->end; p += pagesize)
	    {
	      TEST_COMPARE (prot, m->prot[(p - m->start) / pagesize]);
	      ++m->npages_seen;
	    }
	}
      else if (ours && strncmp (line, "VmFlags:", strlen ("VmFlags:")) == 0)
	m->nvmas += strstr (line, " mc") == NULL;
    }
  free (line);
  xfclose (f);
}

static int
do_test (void)
{
  struct module m = { 0 };

  if (access ("/proc/self/smaps", R_OK) != 0)
    FAIL_UNSUPPORTED ("no /proc/self/smaps: %m");

  pagesize = sysconf (_SC_PAGESIZE);
  void *handle = xdlopen (modname, RTLD_NOW);
  int (*sum) (void) = xdlsym (handle, "mod_sum");
  TEST_COMPARE (sum (), 'd' + 'r');

  TEST_COMPARE (dl_iterate_phdr (read_headers, &m), 1);
  read_smaps (&m);
  TEST_COMPARE (m.npages_seen, (m.end - m.start) / pagesize);
  printf ("info: %zu pages, %zu VMAs\n", m.npages_seen, m.nvmas);
  if (EXPECT_ONE_VMA)
    TEST_COMPARE (m.nvmas, 1);
  else
    TEST_VERIFY (m.nvmas > 1);

  free (m.prot);
  xdlclose (handle);
  return 0;
}

#include <support/test-driver.c>
