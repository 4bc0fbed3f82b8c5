// SPDX-License-Identifier: GPL-2.0
/* Delta debugging of sequences: fewer operations, then simpler ones. */
#include <string.h>

#include "seq.h"
#include "shrink.h"

static size_t cut(uint8_t *to, const uint8_t *seq, size_t len, size_t first, size_t n)
{
	size_t a = (first + 1) * FUZZ_UNIT, z = a + n * FUZZ_UNIT;

	if (z > len)
		z = len;
	memcpy(to, seq, a);
	memcpy(to + a, seq + z, len - z);
	return len - (z - a);
}

size_t shrink(uint8_t *seq, size_t len, fuzz_oracle oracle, void *arg, unsigned int runs)
{
	static const uint8_t simple[] = { 0, 1, 8 };
	uint8_t try[FUZZ_MAX_BYTES];
	size_t n, i, k, size;
	bool better;

	len = (fuzz_nr_steps(len) + 1) * FUZZ_UNIT;
	do {
		better = false;
		for (n = fuzz_nr_steps(len) / 2 ?: 1; n; n /= 2)
			for (i = 0; i < fuzz_nr_steps(len);) {
				size = cut(try, seq, len, i, n);
				if (runs && runs-- && oracle(try, size, arg)) {
					memcpy(seq, try, size);
					len = size;
					better = true;
				} else {
					i += n;
				}
			}
		for (i = 0; i < len; i++)
			for (k = 0; k < sizeof(simple); k++) {
				/* An operation stays what it is. */
				if (seq[i] <= simple[k] || (i >= FUZZ_UNIT && i % FUZZ_UNIT == 0))
					continue;
				memcpy(try, seq, len);
				try[i] = simple[k];
				if (runs && runs-- && oracle(try, len, arg)) {
					memcpy(seq, try, len);
					better = true;
					break;
				}
			}
	} while (better && runs);
	return len;
}
