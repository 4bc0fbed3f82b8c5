// SPDX-License-Identifier: GPL-2.0
/*
 * subject.c - the library that the tools look at: every part of it takes
 * pages of its own, and is recognised by what is in it.
 *
 * Functions are called by program.c; the tests know their names, and those of
 * the variables.
 */
#include <stdlib.h>
#include <string.h>
#include "subject.h"

#define PAGE_INTS	1024	/* ints in a page of 4 KiB */

/* rodata, two pages */
const int subject_table[2 * PAGE_INTS] = {
	[0] = 101, [PAGE_INTS] = 102, [2 * PAGE_INTS - 1] = 103,
};

/* relro: pointers that ld.so writes and then protects, more than a page */
const char *const subject_relro[600] = {
	[0] = "relro first", [1] = "relro second", [599] = "relro last",
};

/* data, three pages */
int subject_data[3 * PAGE_INTS] = {
	[0] = 201, [PAGE_INTS] = 202, [3 * PAGE_INTS - 1] = 203,
};

/* bss, four pages; the last is never touched */
int subject_bss[4 * PAGE_INTS];

/* A conservative collector is to find objects by these, in data and in bss. */
void *subject_kept_data = &subject_data;
void *subject_kept_bss;

void subject_init(void)
{
	subject_bss[1] = 301;
	subject_bss[2 * PAGE_INTS] = 302;
}

int subject_add(int number)
{
	int sum = number;

	sum += subject_table[0];
	sum += subject_data[0];
	subject_bss[2] = sum;
	return sum;
}

/* By way of two frames, so that there is something to unwind. */
static void subject_deep(void (*function)(void))
{
	function();
	subject_bss[3]++;
}

void subject_call(void (*function)(void))
{
	subject_deep(function);
	subject_bss[4]++;
}

/* relro is read-only by now. */
static void write_relro(void)
{
	*(volatile char *)&subject_relro[2] = 1;
}

void subject_crash(void)
{
	subject_data[1] = 204;
	subject_call(write_relro);
}

/* For a profiler: nearly all the time of the program is spent here. */
unsigned int subject_spin(unsigned int rounds)
{
	volatile unsigned int value = 1;

	while (rounds--)
		value = value * 1664525 + 1013904223;
	return value;
}

/* Mistakes for the checkers to find. */
int subject_read_beyond(void)
{
	int *block = malloc(10 * sizeof(*block));
	int result;

	memset(block, 0, 10 * sizeof(*block));
	result = *(volatile int *)(block + 10);
	free(block);
	return result;
}

void subject_leak(void)
{
	char *volatile block = malloc(1234);

	block[0] = 1;
	block = NULL;
}

int subject_write_beyond_data(int index)
{
	((volatile int *)subject_data)[index] = 1;
	return subject_data[0];
}

int subject_overflow(int number)
{
	return number + 1;
}

int subject_race_counter;

void *subject_race(void *unused)
{
	subject_race_counter++;
	return unused;
}
