// SPDX-License-Identifier: GPL-2.0
/*
 * collect.c - objects of a conservative collector (bdwgc) whose only
 * references are in a library's data and in its bss survive a collection,
 * others do not
 */
#include <gc.h>
#include <stdio.h>
#include <string.h>
#include "subject.h"

#define GARBAGE	1000

static int finalized;

static void count(void *object, void *unused)
{
	(void)object;
	(void)unused;
	finalized++;
}

static void *block(const char *text)
{
	char *object = GC_MALLOC_ATOMIC(4096);

	strcpy(object, text);
	return object;
}

/* In a frame of its own, so that no reference stays on the stack. */
static void __attribute__((noinline)) fill(void)
{
	int i;

	subject_kept_data = block("kept by data");
	subject_kept_bss = block("kept by bss");
	GC_REGISTER_FINALIZER(subject_kept_data, count, NULL, NULL, NULL);
	GC_REGISTER_FINALIZER(subject_kept_bss, count, NULL, NULL, NULL);
	for (i = 0; i < GARBAGE; i++)
		GC_REGISTER_FINALIZER(block("garbage"), count, NULL, NULL, NULL);
}

int main(void)
{
	int i;

	GC_INIT();
	fill();
	GC_gcollect();
	GC_invoke_finalizers();
	/* Would be written over if they had been collected. */
	for (i = 0; i < GARBAGE; i++)
		memset(GC_MALLOC_ATOMIC(4096), 'x', 4096);
	printf("%s, %s\n", (char *)subject_kept_data, (char *)subject_kept_bss);
	printf("%s\n", finalized > GARBAGE * 9 / 10 ? "garbage collected" :
	       "garbage kept");

	/* Without the references they go, too: they were what kept them. */
	i = finalized;
	subject_kept_data = NULL;
	subject_kept_bss = NULL;
	GC_gcollect();
	GC_invoke_finalizers();
	printf("%s\n", finalized - i >= 2 ? "both collected" : "still kept");
	return 0;
}
