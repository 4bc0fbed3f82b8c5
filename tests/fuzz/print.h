/* SPDX-License-Identifier: GPL-2.0 */
/* Sequences, differences and programs as text; see print.c. */
#ifndef FUZZ_PRINT_H
#define FUZZ_PRINT_H

#include <stdio.h>

#include "seq.h"

const char *print_code(unsigned int code);
void print_difference(FILE *f, const struct fuzz_obs *multi, const struct fuzz_obs *equiv);
void print_steps(FILE *f, const struct fuzz_shm *shm);
void print_program(FILE *f, const struct fuzz_shm *shm, unsigned int step,
		   const struct fuzz_obs *multi, const struct fuzz_obs *equiv);

#endif
