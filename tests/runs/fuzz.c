// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target: bytes decide what is done with several run maps, each
 * step is checked against the model.
 */
static unsigned long below(unsigned long n);

#include "model.h"

static const u8 *bytes, *bytes_end;

/* As many bytes as it takes; 0 when there are no more. */
static unsigned long below(unsigned long n)
{
	unsigned long value = 0, most = n - 1;

	for (; most && bytes < bytes_end; most >>= 8)
		value = value << 8 | *bytes++;
	return value % n;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static bool ready;

	if (!ready)
		vma_runs_init();
	ready = true;

	bytes = data;
	bytes_end = data + size;
	models_begin(600);
	while (bytes < bytes_end)
		models_step();
	models_end();
	return 0;
}
