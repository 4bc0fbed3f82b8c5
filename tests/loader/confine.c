// SPDX-License-Identifier: GPL-2.0
/*
 * confine HOW COMMAND [ARG]...: runs COMMAND
 *   secure	with AT_SECURE set (as root: real and effective user differ)
 *   mdwe	under PR_SET_MDWE
 *   eperm	with a seccomp filter that refuses remap_file_pages with EPERM
 *   enosys	the same with ENOSYS
 *   einval	with EINVAL, as for a file that is not eligible
 * Exit status 99: not possible here.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE		65
#define PR_MDWE_REFUSE_EXEC_GAIN	1
#endif

static int refuse(int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_remap_file_pages, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = filter,
	};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ?:
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

int main(int argc, char **argv)
{
	int ret = -1;

	if (argc < 3)
		errx(2, "usage: confine secure|mdwe|eperm|enosys|einval COMMAND [ARG]...");
	if (!strcmp(argv[1], "secure"))
		ret = setresuid(65534, 0, 0);
	else if (!strcmp(argv[1], "mdwe"))
		ret = prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0);
	else if (!strcmp(argv[1], "eperm"))
		ret = refuse(EPERM);
	else if (!strcmp(argv[1], "enosys"))
		ret = refuse(ENOSYS);
	else if (!strcmp(argv[1], "einval"))
		ret = refuse(EINVAL);
	else
		errx(2, "unknown: %s", argv[1]);
	if (ret)
		err(99, "%s", argv[1]);
	execvp(argv[2], argv + 2);
	err(127, "%s", argv[2]);
}
