// SPDX-License-Identifier: GPL-2.0
// mmap_lock is not left held by a return
//
virtual report

@leak@
expression mm;
position where;
@@
(
 mmap_write_lock(mm);
|
 mmap_read_lock(mm);
)
 ... when != mmap_write_unlock(mm)
     when != mmap_read_unlock(mm)
     when != mmap_write_downgrade(mm)
     when any
 return@where ...;

@script:python depends on report@
w << leak.where;
@@
print("%s:%s: returns with mmap_lock held" % (w[0].file, w[0].line))
