// SPDX-License-Identifier: GPL-2.0
/*
 * dl ACTION...: a program that goes on whatever dlopen says.  LIBRARY is
 * loaded, "-" unloads what was loaded last.  A line for each; the exit status
 * is the number of failures.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(const char *what, const char *text)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "%s: %s\n", what, text);

	/* One write, at which the other side looks at what is mapped. */
	if (write(1, line, n) != n)
		exit(99);
}

int main(int argc, char **argv)
{
	void *last = NULL;
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-")) {
			int ret = last ? dlclose(last) : 0;

			say(argv[i], ret ? dlerror() : "done");
			failed += !!ret;
			last = NULL;
			continue;
		}
		last = dlopen(argv[i], RTLD_NOW);
		say(argv[i], last ? "loaded" : dlerror());
		failed += !last;
	}
	return failed;
}
