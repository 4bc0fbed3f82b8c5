// SPDX-License-Identifier: GPL-2.0
/*
 * manyprots-run - run a command, and what it starts, under another C library
 *
 * The library stands below a prefix with the paths that it has on the system.
 * In a mount namespace of the command's own each of its files is mounted over
 * the one of the system, so that the path of ld.so that is written in every
 * program, and every libc.so.6 that ld.so looks for, are these.  Nothing of it
 * is seen outside.  Without the right to mount, a user namespace gives it, in
 * which the user stays who he is.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <gnu/libc-version.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef PREFIX
#define PREFIX "/usr/lib/manyprots"
#endif

#define PR_SET_MANYPROTS 0x4d505200

#define EXIT_SELF	125	/* as timeout(1), nice(1), env(1): own failure, */
#define EXIT_NOEXEC	126	/* not executable, */
#define EXIT_NOENT	127	/* not found */

static const char *prefix = PREFIX;

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *fmt, ...)
{
	va_list ap;

	fputs("manyprots-run: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(EXIT_SELF);
}

static void usage(FILE *to)
{
	fprintf(to,
		"Usage: manyprots-run [OPTION]... [--] COMMAND [ARG]...\n"
		"\n"
		"Runs COMMAND, and what it starts, under the C library of manyprots, which maps\n"
		"each shared library as one VMA where the kernel can, and as usual elsewhere.\n"
		"\n"
		"  -m, --mode=MODE       vm.manyprots for COMMAND: 0, 1 or 2, or -1 to follow the\n"
		"                        system's; with 2 each mprotect() works in place\n"
		"  -p, --prefix=DIR      the library's root directory [" PREFIX "]\n"
		"  -s, --system-library  the system's C library, not that of manyprots\n"
		"  -h, --help            this text\n"
		"\n"
		"The exit status is that of COMMAND; 125 if manyprots-run itself fails, 126 if\n"
		"COMMAND cannot be executed, 127 if it is not found.\n");
}

static void put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die("%s: %s", file, strerror(errno));
	close(fd);
}

/* A mount namespace; a user namespace as well if there is no other way. */
static void enter_namespaces(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWNS)) {
		if (errno != EPERM)
			die("no mount namespace: %s", strerror(errno));
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
			die("no user namespace: %s (see user_namespaces(7), and sysctl kernel.unprivileged_userns_clone)",
			    strerror(errno));
		put("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "%u %u 1", uid, uid);
		put("/proc/self/uid_map", map);
		snprintf(map, sizeof(map), "%u %u 1", gid, gid);
		put("/proc/self/gid_map", map);
	}
	/* What the system mounts later is still seen; ours is not seen there. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		die("cannot make mounts private: %s", strerror(errno));
}

/* Mounts the files of prefix/@dir over those of /@dir; the number mounted. */
static int mount_files(const char *dir, const char *pattern)
{
	char from[PATH_MAX], to[PATH_MAX], real[PATH_MAX];
	struct dirent *d;
	struct stat st;
	int n = 0;
	DIR *dp;

	snprintf(from, sizeof(from), "%s/%s", prefix, dir);
	dp = opendir(from);
	if (!dp)
		die("%s: %s", from, strerror(errno));
	while ((d = readdir(dp))) {
		if (!strstr(d->d_name, pattern))
			continue;
		if (snprintf(from, sizeof(from), "%s/%s/%s", prefix, dir, d->d_name) >= PATH_MAX ||
		    snprintf(to, sizeof(to), "/%s/%s", dir, d->d_name) >= PATH_MAX)
			die("%s/%s: %s", dir, d->d_name, strerror(ENAMETOOLONG));
		if (stat(from, &st) || !S_ISREG(st.st_mode))
			continue;
		/* What the system has not, its programs do not look for. */
		if (!realpath(to, real))
			continue;
		if (mount(from, real, NULL, MS_BIND, NULL))
			die("%s cannot stand in for %s: %s", from, real, strerror(errno));
		n++;
	}
	closedir(dp);
	return n;
}

static void mount_library(void)
{
	char path[PATH_MAX + 16];
	struct dirent *d;
	int libc = 0;
	DIR *dp;

	if (!mount_files("lib64", "ld-linux"))
		die("this system's ld.so is not where that of %s is", prefix);
	snprintf(path, sizeof(path), "%s/lib", prefix);
	dp = opendir(path);
	if (!dp)
		die("%s: %s", path, strerror(errno));
	while ((d = readdir(dp)))
		if (d->d_name[0] != '.') {
			snprintf(path, sizeof(path), "lib/%s", d->d_name);
			libc += mount_files(path, ".so");
		}
	closedir(dp);
	if (!libc)
		die("this system's libraries are not where those of %s are", prefix);
}

/* An old library under programs of a new one lacks symbols, and the other way round locales. */
static void check_version(void)
{
	const char *system = gnu_get_libc_version();
	char path[PATH_MAX + 16], version[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/version", prefix);
	f = fopen(path, "re");
	if (!f || !fgets(version, sizeof(version), f))
		die("%s: %s (is this the prefix of a C library of manyprots?)", path,
		    f ? "empty" : strerror(errno));
	fclose(f);
	version[strcspn(version, "\n")] = 0;
	if (strcmp(version, system))
		die("the C library below %s is version %s, that of this system %s", prefix, version,
		    system);
}

static void set_mode(const char *text)
{
	char *end;
	long mode = strtol(text, &end, 10);

	if (end == text || *end || mode < -1 || mode > 2)
		die("--mode=%s: it is -1, 0, 1 or 2", text);
	if (prctl(PR_SET_MANYPROTS, mode, 0L, 0L, 0L))
		die("--mode=%s: this kernel cannot do that: %s", text, strerror(errno));
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "mode", required_argument, NULL, 'm' },
		{ "prefix", required_argument, NULL, 'p' },
		{ "system-library", no_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	bool system_library = false;
	const char *mode = NULL;
	char real[PATH_MAX];
	int opt;

	while ((opt = getopt_long(argc, argv, "+m:p:sh", options, NULL)) != -1)
		switch (opt) {
		case 'm':
			mode = optarg;
			break;
		case 'p':
			prefix = optarg;
			break;
		case 's':
			system_library = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return EXIT_SELF;
		}
	if (optind == argc) {
		usage(stderr);
		return EXIT_SELF;
	}
	if (!system_library) {
		if (!realpath(prefix, real))
			die("%s: %s", prefix, strerror(errno));
		prefix = real;
		check_version();
		enter_namespaces();
		mount_library();
	}
	if (mode)
		set_mode(mode);
	execvp(argv[optind], argv + optind);
	opt = errno;
	fprintf(stderr, "manyprots-run: %s: %s\n", argv[optind], strerror(opt));
	return opt == ENOENT ? EXIT_NOENT : EXIT_NOEXEC;
}
