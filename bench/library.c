// SPDX-License-Identifier: GPL-2.0
/*
 * The library that is linked N times: one thing for each VMA as GNU ld makes
 * them: rodata, text, relro, data, and more bss than the last page of data has
 * room for. Nothing in it has a name outside. At load ld.so writes to relro, the
 * constructor to data.
 *
 * With -DPAGES=N each but relro has so many pages, and a name: the library of
 * bench/fault.c.
 */
#ifdef PAGES

#define SIZE (PAGES * 4096)
#define STRING_OF(x) #x
#define STRING(x) STRING_OF(x)
const char fault_rodata[SIZE] __attribute__((aligned(4096))) = { 1 };
char fault_data[SIZE] __attribute__((aligned(4096))) = { 1 };
char fault_bss[SIZE] __attribute__((aligned(4096)));
__asm__(".text\n.balign 4096\n.globl fault_text\n.type fault_text, @function\n"
	"fault_text:\n.fill 4096 * " STRING(PAGES) ", 1, 0xc3\n"
	".size fault_text, . - fault_text\n");

#else

static const char rodata[] __attribute__((used)) = "rodata";
static const char *const volatile relro[] __attribute__((used)) = { rodata };
static volatile int data[16] = { 1 };
static volatile char bss[3 * 4096] __attribute__((used));

static __attribute__((constructor)) void touch(void)
{
	data[0]++;
}

#endif
