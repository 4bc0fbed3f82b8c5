// SPDX-License-Identifier: GPL-2.0
/*
 * vmas - count libraries, VMAs and maps lines of processes, and the slab
 * memory that VMAs cost
 *
 * On a kernel without multi-protection VMAs every line of /proc/PID/maps is
 * a VMA.  On one with them maps shows a line for each run, and smaps marks
 * those that continue a VMA ("mc" in VmFlags); the true number of VMAs is
 * "VmaCount:" in /proc/PID/status.
 *
 * A library is an ELF image that is neither the main program nor the program
 * interpreter (the kernel maps those two), found by looking for the loadable
 * segments of the file at their places in the address space, so that a file
 * which a linker or a debugger merely reads through mmap() is not one.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "vmas.h"

static void usage(FILE *f)
{
	fputs("Usage: vmas [OPTION]... PID...\n"
	      "       vmas [OPTION]... [--] COMMAND [ARG]...\n"
	      "       vmas [OPTION]... -a\n"
	      "Count libraries, VMAs and /proc/PID/maps lines of processes, of a command\n"
	      "when it exits, or of every process; and the slab memory of all VMAs.\n"
	      "\n"
	      "  -a, --all            every process\n"
	      "  -i, --interval=MS    of a command, look every MS milliseconds too and show\n"
	      "                       the peak\n"
	      "  -j, --json           JSON instead of a table\n"
	      "  -l, --libraries      list every library, and program and ld.so\n"
	      "  -n, --no-slab        leave the slab memory out\n"
	      "  -o, --output=FILE    write to FILE; else a command's report goes to standard\n"
	      "                       error and the others to standard output\n"
	      "  -s, --split          list the libraries that are not one VMA, and why\n"
	      "  -x, --exact          before counting slab memory, have the kernel give back\n"
	      "                       what is unused (root only)\n"
	      "  -h, --help           this help\n"
	      "\n"
	      "The exit status is the command's; 125, 126, 127 as env(1).  Without a\n"
	      "command it is 1 if a process could not be read, and 2 on wrong usage.\n",
	      f);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "exact", no_argument, NULL, 'x' },
		{ "help", no_argument, NULL, 'h' },
		{ "interval", required_argument, NULL, 'i' },
		{ "json", no_argument, NULL, 'j' },
		{ "libraries", no_argument, NULL, 'l' },
		{ "no-slab", no_argument, NULL, 'n' },
		{ "output", required_argument, NULL, 'o' },
		{ "split", no_argument, NULL, 's' },
		/* not in the help: other roots of /proc and /sys, for tests */
		{ "proc", required_argument, NULL, 'P' },
		{ "sys", required_argument, NULL, 'S' },
		{ }
	};
	struct options opt = { .slab = true, .proc_dir = "/proc",
			       .sys_dir = "/sys" };
	bool all = false, command;
	const char *last_arg = NULL;
	long interval = 0;
	pid_t *pids = NULL;
	size_t nr = 0;
	char *end;
	int c;

	while ((c = getopt_long(argc, argv, "+ahi:jlno:sx", options, NULL)) != -1) {
		last_arg = optarg;
		switch (c) {
		case 'a':
			all = true;
			break;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		case 'i':
			interval = strtol(optarg, &end, 10);
			if (*end || interval <= 0 || interval > 3600000)
				die(EXIT_USAGE, "bad interval '%s'", optarg);
			break;
		case 'j':
			opt.json = true;
			break;
		case 'l':
			opt.libraries = true;
			break;
		case 'n':
			opt.slab = false;
			break;
		case 'o':
			opt.output = optarg;
			break;
		case 's':
			opt.split = true;
			break;
		case 'x':
			opt.exact = true;
			break;
		case 'P':
			opt.proc_dir = optarg;
			break;
		case 'S':
			opt.sys_dir = optarg;
			break;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	argv += optind;
	if (all) {
		if (*argv)
			die(EXIT_USAGE, "-a takes neither PID nor command");
		return report_all(&opt);
	}
	if (!*argv) {
		usage(stderr);
		return EXIT_USAGE;
	}
	/* "--" makes a command of what looks like a number */
	command = optind > 1 && argv[-1] != last_arg &&
		  !strcmp(argv[-1], "--");
	command |= (*argv)[strspn(*argv, "0123456789")] != '\0';
	if (command)
		return report_command(&opt, argv, interval);
	if (interval)
		die(EXIT_USAGE, "--interval is for a command");
	for (; *argv; argv++) {
		long pid = strtol(*argv, &end, 10);

		if (!**argv || *end || pid <= 0 || pid > INT_MAX)
			die(EXIT_USAGE, "bad PID '%s'", *argv);
		pids = xrealloc(pids, nr + 1, sizeof(*pids));
		pids[nr++] = pid;
	}
	return report_pids(&opt, pids, nr);
}
