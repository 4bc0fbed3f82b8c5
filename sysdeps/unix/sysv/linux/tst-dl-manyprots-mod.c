/* A library for tst-dl-manyprots: text, read-only data, relro, data, bss.
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

#define SIZE 0x10000

char mod_bss[SIZE];
char mod_data[SIZE] = { [SIZE - 1] = 'd' };
const char mod_rodata[SIZE] = { [SIZE - 1] = 'r' };
/* The relocation makes this relro.  */
const char *const mod_relro[] = { mod_rodata + SIZE - 1, mod_data + SIZE - 1 };

int
mod_sum (void)
{
  return *mod_relro[0] + *mod_relro[1] + mod_bss[0] + mod_bss[SIZE - 1];
}
