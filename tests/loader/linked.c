// SPDX-License-Identifier: GPL-2.0
/*
 * A small library with all kinds of sections, to be linked by real linkers
 * with various options.  Also an audit library for LD_AUDIT.
 */
static int bss[5000];
static int data[1000] = { 1, 2, 3 };
static const int rodata[1000] = { 4, 5, 6 };
static const int *const relro[1000] = { rodata, data, bss, rodata + 7 };

int answer(void);
int answer(void)
{
	/* volatile: all of them shall be there */
	const int *const *volatile table = relro;

	return table[0][0] * 9 + table[1][0] + table[1][1] + table[2][0] +
	       table[3][0] + 3;
}

unsigned int la_version(unsigned int version);
unsigned int la_version(unsigned int version)
{
	return version;
}
