/* SPDX-License-Identifier: GPL-2.0 */
#ifndef FUZZ_SHRINK_H
#define FUZZ_SHRINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Does the sequence still show what it is to show? */
typedef bool (*fuzz_oracle)(const uint8_t *seq, size_t len, void *arg);

/**
 * shrink - make a sequence as short and as simple as it can be
 * @seq: the sequence, changed in place
 * @len: its bytes
 * @oracle: asked about each attempt
 * @arg: for @oracle
 * @runs: how often it may be asked
 *
 * Return: bytes that are left.
 */
size_t shrink(uint8_t *seq, size_t len, fuzz_oracle oracle, void *arg, unsigned int runs);

#endif
