/* Interface to multi-protection VMAs.  Linux version.
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

#ifndef _DL_MANYPROTS_H
#define _DL_MANYPROTS_H	1

#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ldsodefs.h>
#include <libc-pointer-arith.h>
#include <sysdep.h>
#include <sys/mman.h>
#include <elf/dl-tunables.h>

/* A kernel with CONFIG_MANYPROTS lets one VMA carry a protection, a file
   offset and a backing of its own on every page.  These constants are
   private: they are not in the kernel headers that glibc is built with, and
   tst-mman-consts compares <sys/mman.h> with those.  */

/* Flag of remap_file_pages: give the range the protection PROT and the file
   offset PGOFF, inside the VMA that it already lies in.  Together with
   MAP_ANONYMOUS the range becomes zero-fill memory instead.  */
#define DL_MAP_CHGPROT		0x800000

/* Bit of the AT_FLAGS auxiliary value: the kernel supports DL_MAP_CHGPROT and
   it is on for this process.  */
#define DL_AT_FLAGS_MANYPROTS	(1 << 1)

enum dl_manyprots_mode
{
  dl_manyprots_unknown,
  dl_manyprots_on,
  /* All others are off, for one of these reasons.  */
  dl_manyprots_unsupported,
  dl_manyprots_switched_off,
  dl_manyprots_refused
};

/* Chosen by the first object that is mapped and kept for the process.  Like
   everything else here it is protected by _dl_load_lock, or by being alone
   during startup.  Not attribute_relro: a seccomp filter that refuses the
   system call may be installed at any time, which a later dlopen notices.  */
static enum dl_manyprots_mode dl_manyprots_mode;

/* Return true if the kernel supports multi-protection VMAs and the user does
   not object.  Asks the auxiliary vector instead of trying the system call: an
   older kernel would warn about remap_file_pages being deprecated, and a
   sandbox might kill.  */
static bool
dl_manyprots_enabled (void)
{
  if (__glibc_likely (dl_manyprots_mode != dl_manyprots_unknown))
    return dl_manyprots_mode == dl_manyprots_on;

  dl_manyprots_mode = dl_manyprots_unsupported;

#ifdef __NR_remap_file_pages
# if !defined HAVE_TUNABLES || HAVE_TUNABLES
  if (TUNABLE_GET_FULL (glibc, mem, manyprots, int32_t, NULL) == 0)
    {
      dl_manyprots_mode = dl_manyprots_switched_off;
      return false;
    }
# endif

  if (GLRO(dl_auxv) != NULL)
    for (const ElfW(auxv_t) *av = GLRO(dl_auxv); av->a_type != AT_NULL; ++av)
      if (av->a_type == AT_FLAGS)
	{
	  if ((av->a_un.a_val & DL_AT_FLAGS_MANYPROTS) != 0)
	    dl_manyprots_mode = dl_manyprots_on;
	  break;
	}
#endif

  return dl_manyprots_mode == dl_manyprots_on;
}

/* Why dl_manyprots_enabled returns false, for people.  */
static const char *
dl_manyprots_disabled_reason (void)
{
  switch (dl_manyprots_mode)
    {
    case dl_manyprots_switched_off:
      return "switched off by the tunable glibc.mem.manyprots";
    case dl_manyprots_refused:
      return "remap_file_pages was refused before";
    default:
      return "not supported by the kernel";
    }
}

/* Give LEN bytes at ADDR, which must lie in one VMA, the protection PROT and
   the file offset PGOFF (in pages), or if FLAGS is MAP_ANONYMOUS the
   protection PROT and zero-fill memory; PGOFF is then 0.  Return 0, or an
   error number if the kernel refuses; it has then changed nothing.  errno is
   left alone: the caller falls back to a stock call, and it is that call
   which is reported.  */
static int
dl_manyprots_remap (ElfW(Addr) addr, size_t len, int prot, int flags,
		    size_t pgoff)
{
#ifdef __NR_remap_file_pages
  /* mmap and mprotect round up a length, remap_file_pages rounds it down.  */
  len = ALIGN_UP (len, GLRO(dl_pagesize));

  int r = INTERNAL_SYSCALL_CALL (remap_file_pages, addr, len, prot, pgoff,
				 DL_MAP_CHGPROT | flags);
  if (__glibc_likely (!INTERNAL_SYSCALL_ERROR_P (r)))
    return 0;
  return INTERNAL_SYSCALL_ERRNO (r);
#else
  return ENOSYS;
#endif
}

/* dl_manyprots_remap has returned ERROR for an object that stock calls did
   map.  A filter or a security module refuses the system call as such: there is no
   point in asking again for the next object.  Everything else can be a matter
   of this object alone, such as the filesystem that it is on.  */
static void
dl_manyprots_note_error (int error)
{
  if (error == EPERM || error == ENOSYS)
    dl_manyprots_mode = dl_manyprots_refused;
}

#endif /* dl-manyprots.h */
