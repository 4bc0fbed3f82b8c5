// SPDX-License-Identifier: GPL-2.0
/* dlopen and dlclose of N libraries, for each of them. */
#include <dlfcn.h>

#include "bench.h"

#define MANY 400

static void *handles[MANY];

static void open_all(int n)
{
	char name[64];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "libbench%d.so", i);
		handles[i] = dlopen(name, RTLD_NOW | RTLD_LOCAL);
		if (!handles[i])
			errx(1, "%s", dlerror());
	}
}

static void close_all(int n)
{
	for (int i = n - 1; i >= 0; i--)
		if (dlclose(handles[i]))
			errx(1, "%s", dlerror());
}

int main(void)
{
	static const int sizes[] = { 1, 10, 50, 100, 200, MANY };

	bench_start();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		int n = sizes[i], loops = often(2000, 200) / n;

		if (loops > 100)
			loops = 100;
		if (quick && n > 100)
			break;
		if (loops < 5)
			loops = 5;
		MEASURE("dlopen.dlopen", n, loops, n, , open_all(n), close_all(n));
		MEASURE("dlopen.dlclose", n, loops, n, open_all(n), close_all(n), );
	}
	return 0;
}
