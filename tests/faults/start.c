// SPDX-License-Identifier: GPL-2.0
/* A program that needs libtop.so when it is started. */
#include <unistd.h>

int top(void);

int main(void)
{
	if (top() != 42)
		return 1;
	return write(1, "42\n", 3) != 3;
}
