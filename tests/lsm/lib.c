// SPDX-License-Identifier: GPL-2.0
/* A library with all that one has; with TEXTREL its text is relocated. */
extern int lsm_data;
int lsm_data = 40;
int *const lsm_relro = &lsm_data;
static char bss[40000];

#ifdef TEXTREL
int lsm_text(void);
__asm__(".text\n.globl lsm_text\nlsm_text:\n"
	"movabs $lsm_data, %rax\nmov (%rax), %eax\nret\n");
#else
static int lsm_text(void)
{
	return lsm_data;
}
#endif

int lsm_lib(void);
int lsm_lib(void)
{
	bss[20000] = 2;
	return lsm_text() + *lsm_relro + bss[20000] - 40;
}
