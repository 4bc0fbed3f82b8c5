// SPDX-License-Identifier: GPL-2.0
/*
 * A small library with all kinds of sections, to be linked by real linkers
 * with various options.  Also an audit library for LD_AUDIT.
 */
static int bss[5000];
static int data[1000] = { 1, 2, 3 };
static const int rodata[1000] = { 4, 5, 6 };
static const int *const relro[1000] = { rodata, data, bss, rodata + 7 };

#ifdef CALLS
/* Calls by way of the PLT: one is bound by name, one by asking a resolver. */
int by_name(void);
int by_name(void)
{
	return data[0];
}

static int resolved(void)
{
	return rodata[1];
}

static void *resolve(void)
{
	return resolved;
}

int by_resolver(void) __attribute__((ifunc("resolve")));
static int (*const in_relro)(void) = by_resolver;
static int (*in_data)(void) = by_resolver;

int calls(void);
int calls(void)
{
	int (*const *volatile relro_ptr)(void) = &in_relro;
	int (**volatile data_ptr)(void) = &in_data;

	return by_name() == 1 && by_resolver() == 5 && (*relro_ptr)() == 5 &&
	       (*data_ptr)() == 5;
}
#endif

int answer(void);
int answer(void)
{
	/* volatile: all of them shall be there */
	const int *const *volatile table = relro;

#ifdef CALLS
	if (!calls())
		return 0;
#endif
	return table[0][0] * 9 + table[1][0] + table[1][1] + table[2][0] +
	       table[3][0] + 3;
}

unsigned int la_version(unsigned int version);
unsigned int la_version(unsigned int version)
{
	return version;
}
