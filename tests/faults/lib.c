// SPDX-License-Identifier: GPL-2.0
/*
 * libtop.so (with -DTOP) and libdep.so, which it needs.  Text, rodata, relro,
 * data and bss; in libtop.so so many program headers that ld.so reads them
 * by a call of their own.
 */
static int bss[5000];
static int data[1000] = { 1, 2, 3 };
static const int rodata[1000] = { 4, 5, 6 };
static const int *const relro[1000] = { rodata, data, bss, rodata + 7 };

#ifdef TOP
const char interp[] __attribute__((section(".interp"))) = "/none";
static __thread volatile int tls __attribute__((tls_model("initial-exec"))) = 40;

int dep(void);
int top(void);
int top(void)
{
	const int *const *volatile table = relro;

	return tls + dep() + table[2][0] - 1 + table[1][1];
}
#else
int dep(void);
int dep(void)
{
	const int *const *volatile table = relro;

	return table[1][0] + table[2][0];
}
#endif
