/* Map in a shared object's segments, as one VMA.  Linux version.
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

/* The generic _dl_map_segments maps the whole of a shared object from the file
   with the protection of its first segment, and then every other segment over
   that.  Each mapping costs a VMA.  Where the kernel allows it (dl-manyprots.h)
   the object stays the one VMA that the first mapping made: the later calls
   are translated to remap_file_pages, which changes protection, file offset
   and backing of a range without dividing the VMA.

   This is not another mapper.  The generic code decides what is mapped and in
   which order, and this file stands between it and the system calls.  On any
   other kernel its calls go through as they are.  */

#include <dl-load.h>
#include <dl-manyprots.h>

/* An object whose calls are translated.  */
struct dl_manyprots_object
{
  /* The first mapping of the file, in whole pages.  START is zero while there
     is none.  */
  ElfW(Addr) start, end;
  /* Its protection, and the file offset of START in pages: in bytes what lies
     behind it can be more than an ElfW(Off) of 32 bits has.  */
  int prot;
  size_t pgoff;
  /* The part of it that was made PROT_NONE because there are holes between
     the segments; empty if HOLES_END is zero.  */
  ElfW(Addr) holes_start, holes_end;
  /* File mappings below this address have been done ahead of their turn.  */
  ElfW(Addr) early_end;
  /* The segments, and whether the mprotect for holes is still to come.  */
  const struct loadcmd *loadcmds;
  size_t nloadcmds;
  bool has_holes;
  /* The translated calls that have succeeded.  Unless it is zero, this is a
     multi-protection VMA.  */
  unsigned int nremaps;
  /* The error of the one that has not, or zero.  */
  int error;
};

/* The one that is being mapped, null if calls go through as they are.  A
   variable, because the generic code does not hand on a pointer of ours.
   _dl_load_lock protects it, and nothing in the generic code can load another
   object.  Only a pointer, because dl-minimal-malloc.c begins with what is left
   of the page that ld.so's data ends in: with much more data the first mmap of
   a program could be one page larger than in an unpatched build.  */
static struct dl_manyprots_object *dl_manyprots_current;

/* Translate one call.  Return false if it has to be made in the stock way, as
   all others for this object from then on.  */
static bool
dl_manyprots_change (struct dl_manyprots_object *o, ElfW(Addr) addr,
		     size_t len, int prot, int flags, size_t pgoff)
{
  o->error = dl_manyprots_remap (addr, len, prot, flags, pgoff);
  if (__glibc_likely (o->error == 0))
    {
      ++o->nremaps;
      return true;
    }
  dl_manyprots_current = NULL;
  return false;
}

/* Return true if LEN bytes at ADDR lie inside the first mapping of O.  */
static bool
dl_manyprots_covers (const struct dl_manyprots_object *o, ElfW(Addr) addr,
		     size_t len)
{
  return (o->start != 0 && addr >= o->start && addr <= o->end
	  && len <= o->end - addr);
}

/* The file offset, in pages, that the first mapping gave to ADDR.  */
static size_t
dl_manyprots_pgoff (const struct dl_manyprots_object *o, ElfW(Addr) addr)
{
  return o->pgoff + (addr - o->start) / GLRO(dl_pagesize);
}

/* Make sure that an mprotect of a part of the object will be done in place.
   Nothing but the protection and the offset it already has is asked for.  */
static void
dl_manyprots_make_multi (struct dl_manyprots_object *o)
{
  if (o->nremaps == 0)
    dl_manyprots_change (o, o->start, o->end - o->start, o->prot, 0, o->pgoff);
}

/* Translate the mapping of LEN bytes at ADDR from file offset OFFSET.  */
static bool
dl_manyprots_map_file (struct dl_manyprots_object *o, ElfW(Addr) addr,
		       size_t len, int prot, ElfW(Off) offset)
{
  size_t pgoff = offset / GLRO(dl_pagesize);

  /* A segment at the place where the first mapping already put it, with the
     same protection.  Typically that is the read-only data after the text.  */
  if (prot == o->prot && pgoff == dl_manyprots_pgoff (o, addr)
      && (addr >= o->holes_end || addr + len <= o->holes_start))
    return true;

  return dl_manyprots_change (o, addr, len, prot, 0, pgoff);
}

/* The first mapping and the holes are done.  Text must be mapped before
   anything writes: until the object is divided into runs, writing to a page
   of it (the generic code clears the rest of the last page of a segment that
   has bss) counts as writing to all of it, and where a private page has been
   put the kernel grants execution no more than mprotect would grant it to
   modified text.  In the usual order, text before data, there is nothing to do
   ahead of its turn.  */
static void
dl_manyprots_map_text_early (struct dl_manyprots_object *o)
{
  const struct loadcmd *end = o->loadcmds + o->nloadcmds;
  const struct loadcmd *last_text = NULL;
  bool written = false;

  for (const struct loadcmd *c = o->loadcmds; c < end; ++c)
    {
      if (written && (c->prot & PROT_EXEC) != 0)
	last_text = c;
      if (c->allocend > c->dataend
	  && (c->dataend & (GLRO(dl_pagesize) - 1)) != 0)
	written = true;
    }

  if (last_text == NULL)
    return;

  for (const struct loadcmd *c = o->loadcmds + 1; c <= last_text; ++c)
    {
      ElfW(Addr) addr = o->start + (c->mapstart - o->loadcmds->mapstart);
      if (c->mapend > c->mapstart
	  && !(dl_manyprots_covers (o, addr, c->mapend - c->mapstart)
	       && dl_manyprots_map_file (o, addr, c->mapend - c->mapstart,
					 c->prot, c->mapoff)))
	/* Nothing has been written so far: the generic code can still map
	   all of them again.  */
	return;
    }

  o->early_end = o->start + (last_text->mapend - o->loadcmds->mapstart);
}

/* Stands in for __mmap in the generic code.  */
static void *
dl_manyprots_mmap (void *start, size_t len, int prot, int flags, int fd,
		   off_t offset)
{
  struct dl_manyprots_object *o = dl_manyprots_current;
  ElfW(Addr) addr = (ElfW(Addr)) start;

  if (o != NULL && (flags & MAP_FIXED) != 0
      && dl_manyprots_covers (o, addr, len))
    {
      if ((flags & MAP_ANONYMOUS) != 0)
	{
	  if (dl_manyprots_change (o, addr, len, prot, MAP_ANONYMOUS, 0))
	    return start;
	}
      else if (addr + len <= o->early_end
	       || dl_manyprots_map_file (o, addr, len, prot, offset))
	return start;
    }

  void *result = __mmap (start, len, prot, flags, fd, offset);

  /* The first mapping of the file, which covers the whole object.  An
     anonymous one before it is the reserve that an object with a large
     alignment is placed in.  */
  if (o != NULL && o->start == 0 && (flags & MAP_ANONYMOUS) == 0
      && result != MAP_FAILED)
    {
      o->start = (ElfW(Addr)) result;
      o->end = ALIGN_UP ((ElfW(Addr)) result + len, GLRO(dl_pagesize));
      o->prot = prot;
      o->pgoff = (ElfW(Off)) offset / GLRO(dl_pagesize);
      if (!o->has_holes)
	dl_manyprots_map_text_early (o);
    }

  return result;
}

/* Stands in for __mprotect in the generic code.  */
static int
dl_manyprots_mprotect (void *start, size_t len, int prot)
{
  struct dl_manyprots_object *o = dl_manyprots_current;
  ElfW(Addr) addr = (ElfW(Addr)) start;

  if (o != NULL && dl_manyprots_covers (o, addr, len))
    {
      if (o->has_holes && prot == PROT_NONE)
	{
	  /* All holes in one call, together with the segments between.  */
	  o->has_holes = false;
	  if (dl_manyprots_change (o, addr, len, PROT_NONE, 0,
				   dl_manyprots_pgoff (o, addr)))
	    {
	      o->holes_start = addr;
	      o->holes_end = addr + len;
	      dl_manyprots_map_text_early (o);
	      return 0;
	    }
	}
      else
	/* The last page of a segment with bss that is not writable.  */
	dl_manyprots_make_multi (o);
    }

  return __mprotect (start, len, prot);
}

/* Return true if the segments follow each other, share no page, and none has
   pages of the file beyond its end in memory.  If they do share one, the later
   segment's mapping replaces what the earlier one left there, cleared bss for
   instance, while a remap keeps the contents of pages whose offset it does not
   change.  Pages beyond the end of the last segment are beyond the first
   mapping.  */
static bool
dl_manyprots_segments_ordered (const struct loadcmd loadcmds[],
			       size_t nloadcmds)
{
  for (size_t i = 0; i < nloadcmds; ++i)
    {
      ElfW(Addr) end = ALIGN_UP (loadcmds[i].allocend, GLRO(dl_pagesize));
      if (loadcmds[i].mapend > end
	  || (i + 1 < nloadcmds && loadcmds[i + 1].mapstart < end))
	return false;
    }
  return true;
}

/* Return true if a segment is to be written to and executed.  remap_file_pages
   does not give that where there is a seccomp filter, as sandboxes that forbid
   it look at the arguments of mmap and mprotect.  */
static bool
dl_manyprots_writable_text (const struct loadcmd loadcmds[], size_t nloadcmds)
{
  for (size_t i = 0; i < nloadcmds; ++i)
    if ((loadcmds[i].prot & PROT_WRITE) != 0
	&& (loadcmds[i].prot & PROT_EXEC) != 0)
      return true;
  return false;
}

/* Tell LD_DEBUG=files how L was mapped: by stock calls because of WHY, or if
   that is null as O.  */
static void
dl_manyprots_report (const struct link_map *l, const char *why,
		     const struct dl_manyprots_object *o)
{
  if (why != NULL)
    _dl_debug_printf ("file=%s [%lu];  mapped by segments: %s\n",
		      DSO_FILENAME (l->l_name), l->l_ns, why);
  else if (o->error != 0)
    _dl_debug_printf ("file=%s [%lu];  mapped by segments: \
remap_file_pages refused with error %d after %u remaps\n",
		      DSO_FILENAME (l->l_name), l->l_ns, o->error,
		      o->nremaps);
  else
    _dl_debug_printf ("file=%s [%lu];  mapped as one VMA, %u remaps\n",
		      DSO_FILENAME (l->l_name), l->l_ns, o->nremaps);
}

#define _dl_map_segments	_dl_map_segments_generic
#define __mmap			dl_manyprots_mmap
#define __mprotect		dl_manyprots_mprotect

#include <elf/dl-map-segments.h>

#undef _dl_map_segments
#undef __mmap
#undef __mprotect

static __always_inline const char *
_dl_map_segments (struct link_map *l, int fd,
		  const ElfW(Ehdr) *header, int type,
		  const struct loadcmd loadcmds[], size_t nloadcmds,
		  const size_t maplength, bool has_holes,
		  struct link_map *loader)
{
  struct dl_manyprots_object object
    = { .loadcmds = loadcmds, .nloadcmds = nloadcmds, .has_holes = has_holes };

  /* Why the calls go through as they are, null if they do not.  */
  const char *why = NULL;
  if (type != ET_DYN)
    /* The segments of an ET_EXEC are mapped one by one, and there is no
       mapping that covers them all.  */
    why = "its addresses are fixed";
  else if (!dl_manyprots_enabled ())
    why = dl_manyprots_disabled_reason ();
  else if (!dl_manyprots_segments_ordered (loadcmds, nloadcmds))
    why = "segments share a page, are out of order, or shorter in memory";
  else if (dl_manyprots_writable_text (loadcmds, nloadcmds))
    why = "a segment is writable and executable";

  /* Not left as it is even if it should be null: in the child of a fork that
     interrupted another thread's dlopen it points to that thread's object.  */
  dl_manyprots_current = why == NULL ? &object : NULL;

  const char *errstring
    = _dl_map_segments_generic (l, fd, header, type, loadcmds, nloadcmds,
				maplength, has_holes, loader);

  /* _dl_protect_relro is going to use mprotect.  If there was nothing to remap
     this is still an ordinary VMA, which that would divide.  */
  if (dl_manyprots_current != NULL && errstring == NULL
      && (ALIGN_DOWN (l->l_addr + l->l_relro_addr, GLRO(dl_pagesize))
	  != ALIGN_DOWN (l->l_addr + l->l_relro_addr + l->l_relro_size,
			 GLRO(dl_pagesize))))
    dl_manyprots_make_multi (&object);

  dl_manyprots_current = NULL;

  if (errstring == NULL)
    {
      if (__glibc_unlikely (object.error != 0))
	dl_manyprots_note_error (object.error);
      if (__glibc_unlikely (GLRO(dl_debug_mask) & DL_DEBUG_FILES))
	dl_manyprots_report (l, why, &object);
    }
  return errstring;
}
