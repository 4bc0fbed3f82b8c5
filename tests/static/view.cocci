// SPDX-License-Identifier: GPL-2.0
// a view VMA is never linked, split, merged, freed or locked
//
// vma_view_at() and vma_report_at() return a copy on the stack. What changes
// or keeps a VMA has to be given vma_real() of it.
virtual report

@view@
identifier v;
local idexpression struct vm_area_struct *p;
position where;
@@
(
 p = vma_view_at(...);
|
 p = vma_report_at(...);
)
 ... when != p = v
     when != p = vma_real(...)
     when != p = vma_lookup(...)
     when != p = find_vma(...)
     when != p = vma_next(...)
(
 split_vma(..., p, ...)@where
|
 __split_vma(..., p, ...)@where
|
 vma_start_write(p)@where
|
 vma_end_read(p)@where
|
 vm_area_free(p)@where
|
 vm_area_dup(p)@where
|
 vma_expand(..., p, ...)@where
|
 vma_link(..., p)@where
|
 remove_vma(p, ...)@where
|
 vm_flags_set(p, ...)@where
|
 vm_flags_clear(p, ...)@where
|
 vm_flags_mod(p, ...)@where
|
 vma_set_page_prot(p)@where
|
 anon_vma_clone(p, ...)@where
|
 vma_interval_tree_insert(p, ...)@where
|
 vma_interval_tree_remove(p, ...)@where
)

@script:python depends on report@
w << view.where;
p << view.p;
@@
print("%s:%s: view VMA %s is changed" % (w[0].file, w[0].line, p))
