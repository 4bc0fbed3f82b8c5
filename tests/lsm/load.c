// SPDX-License-Identifier: GPL-2.0
/*
 * Loads a library, calls it, writes to its data and bss, makes its text
 * readable only and executable again, as a debugger of instrumentation would.
 * Prints what came of it, and on stderr how many VMAs the library is.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* VMAs of @name in /proc/self/smaps: entries but those of a run that continues one. */
static int vmas(const char *name)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	int n = 0, inside = 0;
	unsigned long a, b;
	char line[1024];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &a, &b) == 2)
			inside = strstr(line, name) != NULL;
		else if (inside && !strncmp(line, "VmFlags:", 8))
			n += !strstr(line, " mc");
	}
	if (f)
		fclose(f);
	return n;
}

int main(int argc, char **argv)
{
	void *lib = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	unsigned long page = sysconf(_SC_PAGESIZE);
	int (*fn)(void);
	char *text;

	if (!lib) {
		const char *error = dlerror();

		/* Where it lies is not the same in every guest. */
		error = error && strrchr(error, '/') ? strrchr(error, '/') : error;
		printf("dlopen: %s\n", error);
		return 1;
	}
	fn = (int (*)(void))dlsym(lib, "lsm_lib");
	printf("lsm_lib: %d\n", fn());
	text = (char *)((unsigned long)fn & -page);
	printf("text R: %s\n", mprotect(text, page, PROT_READ) ? strerror(errno) : "done");
	printf("text RX: %s\n", mprotect(text, page, PROT_READ | PROT_EXEC) ? strerror(errno) : "done");
	fprintf(stderr, "vmas %d\n", vmas(argv[1]));
	fflush(stdout);
	/* The library's destructors may lie in text that is none any more. */
	_exit(0);
}
