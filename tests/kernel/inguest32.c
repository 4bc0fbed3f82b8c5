// SPDX-License-Identifier: GPL-2.0
/*
 * What the script inguest does, for a kernel that runs no shell of the host's:
 * runs the named test programs one after the other and marks where each begins
 * and ends.
 *
 * usage: inguest DIR PROGRAM...
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/fs.h>

#define RAM_DISK "/dev/ram0"

/* mkswap and swapon */
static void swap_on(void)
{
	static unsigned char page[4096];
	struct { uint32_t version, last_page; } head = { .version = 1 };
	uint64_t bytes = 0;
	int fd = open(RAM_DISK, O_RDWR);

	if (fd < 0)
		return;
	if (!ioctl(fd, BLKGETSIZE64, &bytes) && bytes >= 16 * sizeof(page)) {
		head.last_page = bytes / sizeof(page) - 1;
		memcpy(page + 1024, &head, sizeof(head));
		memcpy(page + sizeof(page) - 10, "SWAPSPACE2", 10);
		if (write(fd, page, sizeof(page)) == sizeof(page) && !fsync(fd) &&
		    !swapon(RAM_DISK, 0))
			setenv("MANYPROTS_SWAP", RAM_DISK, 1);
	}
	close(fd);
}

int main(int argc, char *argv[])
{
	int i, status;

	if (argc < 2 || chdir(argv[1]))
		return 125;
	setenv("MANYPROTS_SYSTEM", "1", 1);
	setenv("MANYPROTS_LOWER", "/bin/bash", 1);
	setenv("TMPDIR", "/tmp", 1);
	swap_on();
	for (i = 2; i < argc; i++) {
		time_t start = time(NULL);

		printf("@begin %s\n", argv[i]);
		fflush(stdout);
		if (!fork()) {
			dup2(1, 2);
			execl(argv[i], argv[i], NULL);
			_exit(127);
		}
		wait(&status);
		printf("@end %s %d %ld s\n", argv[i],
		       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
		       (long)(time(NULL) - start));
		fflush(stdout);
	}
	return 0;
}
